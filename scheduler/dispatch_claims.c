/* Who is claimed next, of the notices that send at once on one channel, and what came of the claims. */
#include "dispatch_private.h"

#include <assert.h>
#include <string.h>

/* --- Asking ------------------------------------------------------------------------------------------------------- */

static bool channel_paused(const struct line *line)
{
    const struct world *world = line->dispatch->world;
    char target[96];

    if (world->pause_count == 0)
        return false;
    snprintf(target, sizeof target, "notifier:%s", channel_settings(line->channel)->name);
    return world_paused(world, target);
}

bool sending_paused(const struct sending *sending)
{
    return sending->spec.notice->paused || channel_paused(sending->line);
}

static bool may_claim(struct sending *sending, int64_t now_ms)
{
    struct world *world = sending->line->dispatch->world;
    const struct notice *notice = sending->spec.notice;

    return sending->open && sending->batch && !sending->stopped && !world->copy && world->disk.why.kind == ERROR_NONE &&
           !world->stopping && !notice->paused && now_ms < sending->allowed_until_ms &&
           now_ms < sending->spec.deadline_ms && now_ms >= notice->due_at_ms;
}

/* The list may have grown since the ledger spoke: then the next claim tells. */
static int64_t firsts_left(const struct sending *sending)
{
    int64_t left = sending->spec.notice->course->tally.planned - sending->claimed_to;

    return sending->exhausted ? 0 : left > 0 ? left : 1;
}

bool sending_wants(struct sending *sending, int64_t now_ms)
{
    return may_claim(sending, now_ms) && (firsts_left(sending) > 0 || again_due(&sending->again, now_ms, 1) > 0 ||
                                          again_must_read(&sending->again, now_ms));
}

/* Everybody's people, first attempts and further ones apart. */
static size_t gather_flows(struct line *line, int64_t room, int64_t now_ms)
{
    size_t count = 0;

    if (line->flow_cap < 2 * line->sending_count) {
        line->flow_cap = 2 * line->sending_count;
        line->flows = must_realloc(line->flows, line->flow_cap * sizeof(struct share_flow *));
    }
    for (struct sending *sending = line->sendings; sending; sending = sending->next) {
        if (!may_claim(sending, now_ms))
            continue;
        if (again_must_read(&sending->again, now_ms)) {
            sending_reload(sending);
            continue;
        }
        sending->firsts.wants = firsts_left(sending);
        sending->retries.wants = (int64_t)again_due(&sending->again, now_ms, (size_t)room);
        if (sending->firsts.wants > 0)
            line->flows[count++] = &sending->firsts;
        if (sending->retries.wants > 0)
            line->flows[count++] = &sending->retries;
    }
    return count;
}

/* Others of its sale may have claimed since it was released, one of this very turn even. Who has claimed goes on. */
static bool told_before(const struct sending *sending)
{
    const struct world *world = sending->line->dispatch->world;
    const struct notice *notice = sending->spec.notice;
    const struct world_site *site = world_site(sending->line->dispatch->world, notice->site);

    return !notice->claimed && !notice->approved && sending->spec.rule->if_told != THEN_SEND && site &&
           plan_told_before(notice, sending->spec.rule, &site->definitions, &world->notices);
}

static void add_claim(struct line *line, const struct share_flow *flow, struct store_claim *out, int64_t now_ms)
{
    struct turn_claim *claim = &line->claims[line->claim_count++];
    struct sending *sending = flow->owner;
    struct notice *notice = sending->spec.notice;

    *claim = (struct turn_claim){.sending = sending, .want = (size_t)flow->gets};
    *out = (struct store_claim){.notice = notice->id, .pass = notice->course->pass, .want = claim->want};
    if (flow->class == SHARE_AGAIN) {
        claim->list = must_calloc(claim->want, sizeof *claim->list);
        while (claim->list_count < claim->want && again_take(&sending->again, now_ms, &claim->list[claim->list_count]))
            claim->list_count++;
        assert(claim->list_count == claim->want); /* so many were due */
        out->list = claim->list;
        out->list_count = claim->list_count;
    }
    channel_claimed(line->channel, now_ms, (int64_t)claim->want);
    sending->out += claim->want;
    notice->claimed = true; /* from here on it may be: what is planned meanwhile has to know */
}

/* Openings' people come first in the turn, and so into the hand. */
size_t line_choose_claims(struct line *line, struct store_claim *out, int64_t now_ms)
{
    int64_t room = channel_paused(line) ? 0 : channel_room(line->channel, now_ms, (int64_t)line->fate_count);
    size_t count = room > 0 ? gather_flows(line, room, now_ms) : 0;

    line->claim_count = 0;
    if (count == 0)
        return 0;
    share_divide(&line->share, line->flows, count, room, CLAIMS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct share_flow *flow = line->flows[i];
        if (flow->gets > 0 && told_before(flow->owner))
            sending_fault(flow->owner, REASON_ALREADY_TOLD, "");
        else if (flow->gets > 0)
            add_claim(line, flow, &out[line->claim_count], now_ms);
    }
    return line->claim_count;
}

/* --- Answers ------------------------------------------------------------------------------------------------------ */

/* It was not made, or for fewer than asked for: `got` of them. */
static void end_claim(struct line *line, struct turn_claim *claim, size_t got)
{
    claim->sending->out -= claim->want - got;
    channel_unclaimed(line->channel, (int64_t)(claim->want - got));
    free(claim->list);
}

static void put_back(struct turn_claim *claim)
{
    for (size_t i = 0; i < claim->list_count; i++)
        again_put(&claim->sending->again, claim->list[i]);
}

/* A notice that the ledger makes no claim for waits for a person; the others go on. */
void line_take_claims(struct line *line, const struct store_turned *result)
{
    for (size_t i = 0; i < line->claim_count; i++) {
        const struct store_claimed *made = &result->claims[i];
        struct turn_claim *claim = &line->claims[i];
        if (made->failure) {
            put_back(claim);
            sending_fault(claim->sending, REASON_DISK, made->failure->text);
        } else if (claim->list_count == 0) {
            claim->sending->exhausted = made->exhausted;
        }
        end_claim(line, claim, made->count);
    }
    line->claim_count = 0;
}

void line_drop_claims(struct line *line)
{
    for (size_t i = 0; i < line->claim_count; i++) {
        put_back(&line->claims[i]);
        end_claim(line, &line->claims[i], 0);
    }
    line->claim_count = 0;
}

void line_forget_claims(struct line *line)
{
    for (size_t i = 0; i < line->claim_count; i++)
        free(line->claims[i].list);
    line->claim_count = 0;
}
