#include "draft.h"

#include "invitation.h"

#include <string.h>

enum { NAMED_MAX = 100 };

/* What the message is about. */
struct subject {
    const struct notice *notice;
    struct notice *sample; /* the same one, when it had to be made; owned */
    const struct definition *open[NAMED_MAX];
    size_t open_count;
};

static int take_notice(struct subject *subject, const struct draft_spec *spec, struct error *err)
{
    size_t count = plan_members(spec->notice, spec->rule, spec->definitions, subject->open, NAMED_MAX);

    subject->notice = spec->notice;
    subject->open_count = count < NAMED_MAX ? count : NAMED_MAX;
    if (count > 0)
        return 0;
    return error_set(err, ERROR_REFUSED, "notice %lld has no ticket that could be named", (long long)spec->notice->id);
}

static void make_sample(struct subject *subject, const struct draft_spec *spec)
{
    const struct definition *const *samples = message_sample_definitions(&subject->open_count);
    enum moment_kind kind = spec->rule->when.kind;

    memcpy(subject->open, samples, subject->open_count * sizeof *samples);
    subject->sample = notice_new(1, spec->site->name, samples[0]->event_id, spec->rule->name, kind,
                                 definition_at_ms(samples[0], kind), 1);
    subject->sample->due_at_ms =
        when_due_at_ms(&spec->rule->when, subject->sample->at_ms, zones_get(spec->zones, samples[0]->event_zone), NULL);
    subject->notice = subject->sample;
}

static int make_message(const struct subject *subject, const struct draft_spec *spec,
                        const struct message_person *person, struct message *out, struct error *err)
{
    struct message_batch_spec batch_spec = {
        .templates = spec->templates,
        .sender = spec->sender,
        .mail = spec->mail,
        .tokens = spec->tokens,
        .locales = spec->locales,
        .zones = spec->zones,
        .notice = subject->notice,
        .open = subject->open,
        .open_count = subject->open_count,
        .site_zone = spec->site->time_zone,
        .site_language = spec->site->language,
        .date_ms = spec->date_ms == MOMENT_NONE ? subject->notice->due_at_ms : spec->date_ms,
        .test = spec->test,
    };
    const struct invitation_spec about = {
        .texts = spec->calendar_texts,
        .keys = spec->keys,
        .feed = spec->feed,
        .stored = spec->stored,
        .zones = spec->zones,
        .site = spec->site,
        .openings = spec->openings,
        .definitions = spec->definitions,
        .rule = spec->rule,
        .notice = subject->notice,
        .now_ms = batch_spec.date_ms,
    };
    struct invitation invitation;

    if (!message_templates_serve(spec->templates, spec->rule->when.kind))
        return error_set(err, ERROR_CONFIG, "rule %s: template %s says what a %s notice does not know",
                         spec->rule->name, spec->rule->template_name, moment_kind_name(spec->rule->when.kind));
    batch_spec.calendar = subject->sample
                              ? invitation_make_sample(&invitation, &about, subject->open, subject->open_count)
                              : invitation_make(&invitation, &about);
    struct message_batch *batch = message_batch_new(&batch_spec, err);
    int rc = batch ? message_make(batch, person, out, err) : -1;
    message_batch_free(batch);
    invitation_clear(&invitation);
    return rc;
}

int draft_make(const struct draft_spec *spec, const struct message_person *person, struct message *out,
               struct error *err)
{
    struct subject subject = {0};
    int rc = 0;

    if (spec->notice)
        rc = take_notice(&subject, spec, err);
    else
        make_sample(&subject, spec);
    if (rc == 0)
        rc = make_message(&subject, spec, person, out, err);
    notice_free(subject.sample);
    return rc;
}

struct draft_spec draft_of(struct world *world, const struct world_rule *rule, const struct world_site *site)
{
    return (struct draft_spec){
        .rule = rule->plan.rule,
        .templates = rule->templates,
        .mail = rule->mail,
        .sender = world->sender,
        .tokens = world->tokens,
        .locales = world->locales,
        .zones = world->zones,
        .site = site->settings,
        .definitions = &site->definitions,
        .openings = &world->openings,
        .calendar_texts = world->calendar_texts,
        .keys = world->keys,
        .feed = world->feed,
        .date_ms = MOMENT_NONE,
    };
}

struct world_site *draft_site(struct world *world, const struct rule *rule)
{
    for (size_t i = 0; i < world->site_count; i++) {
        struct world_site *site = &world->sites[i];
        if (site->settings && (!rule->sites.count || strcmp(site->name, rule->sites.at[0]) == 0))
            return site;
    }
    return NULL;
}
