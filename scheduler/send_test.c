#include "send_test.h"

#include "draft.h"

#include <string.h>

/* It is alive, and has tickets to name. */
static bool serves(struct world *world, const struct rule *rule, const struct notice *notice)
{
    struct world_site *site = world_site(world, notice->site);
    const struct definition *open[1];

    return site && site->settings && strcmp(notice->rule, rule->name) == 0 && !notice_final(notice) &&
           notice->state != NOTICE_WITHDRAWN && plan_members(notice, rule, &site->definitions, open, 1) > 0;
}

static const struct notice *earliest(struct world *world, const struct rule *rule)
{
    const struct notice *found = NULL;

    for (size_t i = 0; i < world->notices.count; i++) {
        const struct notice *notice = world->notices.at[i];
        if ((!found || notice->due_at_ms < found->due_at_ms) && serves(world, rule, notice))
            found = notice;
    }
    return found;
}

struct letter *send_test(struct world *world, struct world_rule *rule, const struct address *to, outside_done_fn *done,
                         void *ctx, struct error *err)
{
    const struct notice *notice = earliest(world, rule->plan.rule);
    const struct world_site *site = notice ? world_site(world, notice->site) : draft_site(world, rule->plan.rule);
    struct message_person person = {.seq = crypt_random_seq(), .source = TEXT("test"), .address = text_of(to->text)};
    struct letter *letter = NULL;
    struct message message;

    if (!site) {
        error_set(err, ERROR_REFUSED, "rule %s: its site has left the configuration", rule->plan.rule->name);
        return NULL;
    }
    struct draft_spec spec = draft_of(world, rule, site);
    spec.notice = notice;
    spec.date_ms = clock_now_ms(world->clock);
    spec.test = true;
    message_init(&message);
    if (draft_make(&spec, &person, &message, err) == 0) {
        struct channel_delivery delivery = {
            .to = message.to.text, .from = message.from, .token = message.token, .raw = message.raw};
        letter = outside_send(world->outside, rule->channel, &delivery, done, ctx);
        message.raw = delivery.raw; /* empty: the channel has the bytes */
    }
    message_clear(&message);
    return letter;
}
