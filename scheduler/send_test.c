#include "send_test.h"

#include "invitation.h"

#include <string.h>

enum { NAMED_MAX = 100 };

/* What the message is about. */
struct subject {
    const struct notice *notice;
    struct notice *sample; /* the same one, when it had to be made; owned */
    const struct definition *open[NAMED_MAX];
    size_t open_count;
    const struct world_site *site;
};

/* The earliest that is alive and has something to name. */
static void take_notice(struct subject *subject, struct world *world, const struct rule *rule,
                        const struct notice *notice)
{
    struct world_site *site = world_site(world, notice->site);

    if (!site || !site->settings || strcmp(notice->rule, rule->name) != 0 || notice_final(notice) ||
        notice->state == NOTICE_WITHDRAWN || (subject->notice && subject->notice->due_at_ms <= notice->due_at_ms))
        return;
    const struct definition *open[NAMED_MAX];
    size_t count = plan_members(notice, rule, &site->definitions, open, NAMED_MAX);
    if (count == 0)
        return;
    subject->open_count = count < NAMED_MAX ? count : NAMED_MAX;
    memcpy(subject->open, open, subject->open_count * sizeof *open);
    subject->notice = notice;
    subject->site = site;
}

static void make_sample(struct subject *subject, const struct world *world, const struct rule *rule)
{
    const struct definition *const *samples = message_sample_definitions(&subject->open_count);

    memcpy(subject->open, samples, subject->open_count * sizeof *samples);
    subject->site = &world->sites[0];
    subject->sample = notice_new(0, subject->site->settings->name, samples[0]->event_id, rule->name, rule->when.kind,
                                 definition_at_ms(samples[0], rule->when.kind), 1);
    subject->notice = subject->sample;
}

static int make_message(const struct subject *subject, const struct world *world, const struct world_rule *rule,
                        const struct address *to, struct message *out, struct error *err)
{
    struct message_batch_spec spec = {
        .templates = rule->templates,
        .sender = world->sender,
        .mail = rule->mail,
        .tokens = world->tokens,
        .locales = world->locales,
        .zones = world->zones,
        .notice = subject->notice,
        .open = subject->open,
        .open_count = subject->open_count,
        .site_zone = subject->site->settings->time_zone,
        .site_language = subject->site->settings->language,
        .date_ms = clock_now_ms(world->clock),
        .test = true,
    };
    const struct invitation_spec about = {
        .texts = world->calendar_texts,
        .keys = world->keys,
        .feed = world->feed,
        .zones = world->zones,
        .site = subject->site->settings,
        .openings = &world->openings,
        .definitions = &subject->site->definitions,
        .rule = rule->plan.rule,
        .notice = subject->notice,
        .now_ms = spec.date_ms,
    };
    struct invitation invitation;
    struct message_person person = {.seq = crypt_random_seq(), .source = TEXT("test"), .address = text_of(to->text)};
    spec.calendar = subject->sample ? invitation_make_sample(&invitation, &about, subject->open, subject->open_count)
                                    : invitation_make(&invitation, &about);
    struct message_batch *batch = message_batch_new(&spec, err);
    int rc = batch ? message_make(batch, &person, out, err) : -1;
    message_batch_free(batch);
    invitation_clear(&invitation);
    return rc;
}

struct letter *send_test(struct world *world, struct world_rule *rule, const struct address *to, outside_done_fn *done,
                         void *ctx, struct error *err)
{
    struct subject subject = {0};
    struct letter *letter = NULL;
    struct message message;

    for (size_t i = 0; i < world->notices.count; i++)
        take_notice(&subject, world, rule->plan.rule, world->notices.at[i]);
    if (!subject.notice)
        make_sample(&subject, world, rule->plan.rule);
    message_init(&message);
    if (make_message(&subject, world, rule, to, &message, err) == 0) {
        struct channel_delivery delivery = {
            .to = message.to.text, .from = message.from, .token = message.token, .raw = message.raw};
        letter = outside_send(world->outside, rule->channel, &delivery, done, ctx);
        message.raw = delivery.raw; /* empty: the channel has the bytes */
    }
    message_clear(&message);
    notice_free(subject.sample);
    return letter;
}
