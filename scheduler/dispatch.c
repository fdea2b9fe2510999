#include "dispatch_private.h"
#include "news.h"
#include "progress.h"

#include <assert.h>
#include <string.h>

enum {
    STORE_PAUSE_MS = 1000, /* after a failed commit */
    HAND_MS = 2, /* of the loop for handing over, before others have their turn: answers of mail servers, say */
};

static void request_launch(struct sending *sending);
static void on_launch(void *ctx, const struct store_launch *launch);
static void request_turn(struct line *line, int64_t now_ms);
static void on_turned(void *ctx, const struct store_turned *result);
static void take_in_hand(struct line *line, const struct store_turned *result);

int64_t line_now_ms(const struct line *line)
{
    return clock_now_ms(line->dispatch->world->clock);
}

struct line *line_of(struct dispatch *dispatch, const struct channel *channel)
{
    struct line *line = dispatch->lines;

    while (line && line->channel != channel)
        line = line->next;
    return line;
}

struct sending *line_sending(struct line *line, int64_t notice)
{
    struct sending *sending = line->sendings;

    while (sending && sending->spec.notice->id != notice)
        sending = sending->next;
    return sending;
}

void line_add_fate(struct line *line, const struct store_fate *fate)
{
    if (line->fate_count == line->fate_cap) {
        line->fate_cap = line->fate_cap ? line->fate_cap * 2 : 64;
        line->fates = must_realloc(line->fates, line->fate_cap * sizeof *line->fates);
    }
    line->fates[line->fate_count] = *fate;
    if (fate->text)
        line->fates[line->fate_count].text = must_strdup(fate->text);
    line->fate_count++;
}

static void free_fates(struct store_fate *fates, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free((char *)(uintptr_t)fates[i].text);
    free(fates);
}

void sending_fault(struct sending *sending, enum notice_reason reason, const char *text)
{
    if (sending->stopped)
        return;
    sending->stopped = true;
    sending->events.fault(sending->events.ctx, reason, text);
}

/* --- Who may claim ------------------------------------------------------------------------------------------------ */

static bool may_claim(struct sending *sending, int64_t now_ms)
{
    struct world *world = sending->line->dispatch->world;
    const struct notice *notice = sending->spec.notice;

    return sending->open && sending->batch && !sending->stopped && !world->copy && !world->stopping &&
           !notice->paused && now_ms < sending->allowed_until_ms && now_ms < sending->spec.deadline_ms &&
           now_ms >= notice->due_at_ms &&
           (!sending->exhausted || (sending->again.count > 0 && again_next_at_ms(&sending->again) <= now_ms));
}

static bool channel_paused(const struct line *line)
{
    char target[96];

    snprintf(target, sizeof target, "notifier:%s", channel_settings(line->channel)->name);
    return world_paused(line->dispatch->world, target);
}

/* People who wait for another try go before new ones: their time was promised earlier. */
static void fill_claim(struct turn_claim *claim, struct store_claim *out, size_t share, int64_t now_ms)
{
    struct sending *sending = claim->sending;
    struct store_again entry;

    *out = (struct store_claim){.notice = sending->spec.notice->id, .pass = sending->spec.notice->pass};
    while (claim->list_count < share && again_take(&sending->again, now_ms, &entry)) {
        claim->list = must_realloc(claim->list, (claim->list_count + 1) * sizeof *claim->list);
        claim->list[claim->list_count++] = entry;
    }
    if (claim->list_count > 0) {
        out->list = claim->list;
        out->list_count = claim->want = out->want = claim->list_count;
        return;
    }
    claim->want = out->want = share;
}

static size_t choose_claims(struct line *line, struct store_claim *out, int64_t now_ms)
{
    int64_t room = channel_paused(line) ? 0 : channel_room(line->channel, now_ms, (int64_t)line->fate_count);
    size_t able = 0;

    for (struct sending *sending = line->sendings; sending; sending = sending->next)
        able += may_claim(sending, now_ms);
    if (room <= 0 || able == 0)
        return 0;

    size_t share = (size_t)room / able ? (size_t)room / able : 1;
    struct sending *start = line->first ? line->first : line->sendings, *sending = start;
    line->claim_count = 0;
    do {
        if (may_claim(sending, now_ms) && room > 0 && line->claim_count < CLAIMS_MAX) {
            struct turn_claim *claim = &line->claims[line->claim_count];
            size_t mine = share < (size_t)room ? share : (size_t)room;
            *claim = (struct turn_claim){.sending = sending};
            fill_claim(claim, &out[line->claim_count++], mine, now_ms);
            channel_claimed(line->channel, now_ms, (int64_t)claim->want);
            sending->out += claim->want;
            sending->spec.notice->claimed = true; /* from here on it may be: what is planned meanwhile has to know */
            room -= (int64_t)claim->want;
        }
        sending = sending->next ? sending->next : line->sendings;
    } while (sending != start);
    line->first = start->next;
    return line->claim_count;
}

/* --- The turn: fates in, claims out ------------------------------------------------------------------------------- */

static void request_turn(struct line *line, int64_t now_ms)
{
    struct store_claim claims[CLAIMS_MAX];
    struct world *world = line->dispatch->world;

    line->claim_count = 0;
    size_t claim_count = choose_claims(line, claims, now_ms);
    if (claim_count == 0 && line->fate_count == 0)
        return;
    line->turn_fates = line->fates;
    line->turn_fate_count = line->fate_count;
    line->fates = NULL;
    line->fate_count = line->fate_cap = 0;
    line->turn = store_turn(world->store,
                            &(struct store_turn){.channel = channel_settings(line->channel)->name,
                                                 .fates = line->turn_fates,
                                                 .fate_count = line->turn_fate_count,
                                                 .claims = claims,
                                                 .claim_count = claim_count,
                                                 .now_ms = now_ms},
                            on_turned, line);
}

/* Nothing of the turn happened: the fates wait for the next one, who was to be tried again is put back. */
static void turn_failed(struct line *line, const struct error *failure)
{
    struct world *world = line->dispatch->world;
    struct store_fate *newer = line->fates;
    size_t newer_count = line->fate_count;

    line->fates = line->turn_fates;
    line->fate_count = line->fate_cap = line->turn_fate_count;
    line->turn_fates = NULL;
    line->turn_fate_count = 0;
    for (size_t i = 0; i < newer_count; i++)
        line_add_fate(line, &newer[i]);
    free_fates(newer, newer_count);
    for (size_t i = 0; i < line->claim_count; i++) {
        struct turn_claim *claim = &line->claims[i];
        for (size_t k = 0; k < claim->list_count; k++)
            again_put(&claim->sending->again, claim->list[k]);
        claim->sending->out -= claim->want;
        channel_unclaimed(line->channel, (int64_t)claim->want);
        free(claim->list);
    }
    line->claim_count = 0;
    line->store_failed_until_ms = line_now_ms(line) + STORE_PAUSE_MS;
    log_line(world->log, LOG_ERROR, "event=ledger_failed notifier=%s error=%s", channel_settings(line->channel)->name,
             LOG_QUOTED(text_of(failure->text)));
}

static void settle_fates(struct line *line)
{
    for (size_t i = 0; i < line->turn_fate_count; i++) {
        struct sending *sending = line_sending(line, line->turn_fates[i].notice);
        if (sending) {
            assert(sending->out > 0);
            sending->out--;
        }
    }
    channel_settled(line->channel, (int64_t)line->turn_fate_count);
    free_fates(line->turn_fates, line->turn_fate_count);
    line->turn_fates = NULL;
    line->turn_fate_count = 0;
}

static void take_progress(struct line *line, const struct store_turned *result)
{
    for (size_t i = 0; i < result->progress_count; i++) {
        const struct store_progress *progress = &result->progress[i];
        struct sending *sending = line_sending(line, progress->notice);
        if (!sending)
            continue;
        sending->spec.notice->tally = progress->tally;
        progress_note(line->dispatch->world->progress, sending->spec.notice);
        if (progress->claimed_to > sending->claimed_to)
            sending->claimed_to = progress->claimed_to;
    }
    for (size_t i = 0; i < line->claim_count; i++) {
        struct turn_claim *claim = &line->claims[i];
        size_t got = 0;
        for (size_t k = 0; k < result->delivery_count; k++)
            got += result->deliveries[k].notice == claim->sending->spec.notice->id;
        for (size_t k = 0; k < result->progress_count; k++)
            if (result->progress[k].notice == claim->sending->spec.notice->id && claim->list_count == 0)
                claim->sending->exhausted = result->progress[k].exhausted;
        claim->sending->out -= claim->want - got; /* fewer were there than asked for */
        channel_unclaimed(line->channel, (int64_t)(claim->want - got));
        free(claim->list);
    }
    line->claim_count = 0;
}

static void on_turned(void *ctx, const struct store_turned *result)
{
    struct line *line = ctx;

    line->turn = NULL;
    if (result->failure) {
        turn_failed(line, result->failure);
    } else {
        settle_fates(line);
        take_progress(line, result);
        take_in_hand(line, result);
    }
    line_drain(line);
}

/* --- What is in hand ---------------------------------------------------------------------------------------------- */

static void take_in_hand(struct line *line, const struct store_turned *result)
{
    struct hand **end = &line->hands;

    if (result->delivery_count == 0)
        return;
    while (*end)
        end = &(*end)->next;
    *end = must_calloc(1, sizeof **end);
    **end = (struct hand){.arena = *result->arena, .at = result->deliveries, .count = result->delivery_count};
    *result->arena = (struct arena){0};
}

static void drop_hand(struct line *line)
{
    struct hand *hand = line->hands;

    line->hands = hand->next;
    arena_clear(&hand->arena);
    free(hand);
}

/* Hands over for HAND_MS, in the order of the claims. */
static void hand_out(struct line *line)
{
    const struct clock *clock = line->dispatch->world->clock;
    int64_t until_ms = clock_mono_ms(clock) + HAND_MS;

    line->busy = true;
    while (line->hands && clock_mono_ms(clock) < until_ms) {
        struct hand *hand = line->hands;
        dispatch_hand_over(line_sending(line, hand->at->notice), hand->at, line_now_ms(line));
        hand->at++;
        if (--hand->count == 0)
            drop_hand(line);
    }
    line->busy = false;
}

/* --- Draining -------------------------------------------------------------------------------------------------------
 */

static void earliest(int64_t *at_ms, int64_t candidate_ms)
{
    if (candidate_ms != MOMENT_NONE && (*at_ms == MOMENT_NONE || candidate_ms < *at_ms))
        *at_ms = candidate_ms;
}

static void on_wake(void *ctx)
{
    line_drain(ctx);
}

static void set_wake(struct line *line, int64_t now_ms)
{
    int64_t at_ms = MOMENT_NONE;

    if (line->hands)
        earliest(&at_ms, now_ms);
    if (line->store_failed_until_ms > now_ms)
        earliest(&at_ms, line->store_failed_until_ms);
    for (struct sending *sending = line->sendings; sending; sending = sending->next) {
        if (!sending->open || !sending->batch || sending->stopped)
            continue;
        if (!sending->told_expired)
            earliest(&at_ms, sending->spec.deadline_ms);
        if (sending->again.count > 0 && again_next_at_ms(&sending->again) > now_ms)
            earliest(&at_ms, again_next_at_ms(&sending->again));
        if (may_claim(sending, now_ms)) { /* pace or window hold us: pace wakes by time, the window by channel events */
            int64_t paced_ms = channel_ready_at_ms(line->channel, now_ms);
            if (paced_ms > now_ms)
                earliest(&at_ms, paced_ms);
        }
    }
    if (at_ms == MOMENT_NONE)
        alarm_off(&line->wake);
    else
        alarm_set(line->dispatch->world->alarms, &line->wake, at_ms, on_wake, line);
}

/* Tells the owners what has come to an end. One event a call: an owner may close its sending in there. */
static bool tell_one(struct line *line, int64_t now_ms)
{
    for (struct sending *sending = line->sendings; sending; sending = sending->next) {
        bool released = sending->open && sending->batch && !sending->told_done;
        if (sending->opening)
            continue;
        if (released && sending->exhausted && sending->spec.notice->tally.waiting == 0 && sending->out == 0) {
            sending->told_done = sending->stopped = true;
            sending->events.done(sending->events.ctx);
            return true;
        }
        if (released && !sending->told_expired && now_ms >= sending->spec.deadline_ms) {
            sending->told_expired = sending->stopped = true;
            sending->events.expired(sending->events.ctx);
            return true;
        }
        if (sending->stopped && !sending->told_done && sending->out == 0 && sending->events.stopped) {
            void (*stopped)(void *) = sending->events.stopped;
            sending->events.stopped = NULL;
            stopped(sending->events.ctx);
            return true;
        }
    }
    return false;
}

void line_drain(struct line *line)
{
    int64_t now_ms = line_now_ms(line);

    if (line->busy)
        return;
    hand_out(line);
    for (struct sending *sending = line->sendings; sending; sending = sending->next)
        if (sending->stale && sending->out == 0 && !sending->opening)
            request_launch(sending);
    if (!line->turn && now_ms >= line->store_failed_until_ms)
        request_turn(line, now_ms);
    set_wake(line, now_ms);
    while (!line->turn && tell_one(line, now_ms))
        continue;
}

void dispatch_drain(struct dispatch *dispatch)
{
    for (struct line *line = dispatch->lines; line; line = line->next)
        line_drain(line);
}

bool dispatch_quiet(const struct dispatch *dispatch)
{
    for (struct line *line = dispatch->lines; line; line = line->next) {
        if (line->turn || line->fate_count > 0 || line->keeping)
            return false;
        for (struct sending *sending = line->sendings; sending; sending = sending->next)
            if (sending->out > 0)
                return false;
    }
    return true;
}

/* --- Sendings -------------------------------------------------------------------------------------------------------
 */

static void request_launch(struct sending *sending)
{
    sending->stale = false;
    sending->opening = store_launch(sending->line->dispatch->world->store, sending->spec.notice->id,
                                    channel_settings(sending->spec.channel)->name, sending->spec.rule->repeat_in_doubt,
                                    on_launch, sending);
}

static void on_launch(void *ctx, const struct store_launch *launch)
{
    struct sending *sending = ctx;
    struct notice *notice = sending->spec.notice;
    struct log *log = sending->line->dispatch->world->log;

    sending->opening = NULL;
    if (launch->failure) {
        sending_fault(sending, REASON_DISK, launch->failure->text);
        line_drain(sending->line);
        return;
    }
    again_clear(&sending->again);
    for (size_t i = 0; i < launch->again_count; i++)
        again_put(&sending->again, launch->again[i]);
    if (notice->roll) /* else its people went to another while we asked */
        notice->tally = launch->tally;
    progress_note(sending->line->dispatch->world->progress, notice);
    sending->claimed_to = launch->claimed_to;
    sending->exhausted = false; /* the first claim tells: the list may still grow before the release */
    sending->open = true;
    if (launch->doubts > 0)
        log_line(log, LOG_WARNING, "event=in_doubt notice=%lld count=%lld cause=restart", (long long)notice->id,
                 (long long)launch->doubts);
    line_drain(sending->line);
}

struct sending *sending_open(struct dispatch *dispatch, const struct sending_spec *spec,
                             const struct sending_events *events)
{
    struct sending *sending = must_calloc(1, sizeof *sending);

    sending->line = line_of(dispatch, spec->channel);
    assert(sending->line);
    sending->spec = *spec;
    sending->events = *events;
    sending->allowed_until_ms = MOMENT_NONE;
    sending->next = sending->line->sendings;
    sending->line->sendings = sending;
    request_launch(sending);
    return sending;
}

/* Only when every fate is on disk does the ledger know all who wait. */
void sending_reload(struct sending *sending)
{
    sending->open = false;
    sending->stale = true;
    line_drain(sending->line);
}

void sending_give(struct sending *sending, struct message_batch *batch)
{
    message_batch_free(sending->batch);
    sending->batch = batch;
    sending->exhausted = false; /* people may have been read since the ledger said so */
}

bool sending_has_batch(const struct sending *sending)
{
    return sending->batch != NULL;
}

void sending_allow(struct sending *sending, int64_t until_ms)
{
    sending->allowed_until_ms = until_ms;
    line_drain(sending->line);
}

void sending_stop(struct sending *sending)
{
    sending->stopped = true;
    line_drain(sending->line);
}

void sending_close(struct sending **sending)
{
    struct sending *mine = *sending;

    if (!mine)
        return;
    *sending = NULL;
    struct line *line = mine->line;
    for (struct sending **at = &line->sendings; *at; at = &(*at)->next)
        if (*at == mine) {
            *at = mine->next;
            break;
        }
    if (line->first == mine)
        line->first = NULL;
    if (!line->sendings)
        channel_rest(line->channel); /* the next release warms it again */
    store_cancel(&mine->opening);
    again_clear(&mine->again);
    message_batch_free(mine->batch);
    free(mine);
}

/* --- The whole ------------------------------------------------------------------------------------------------------
 */

struct dispatch *dispatch_new(struct world *world)
{
    struct dispatch *dispatch = must_calloc(1, sizeof *dispatch);

    dispatch->world = world;
    message_init(&dispatch->message);
    return dispatch;
}

void dispatch_add_channel(struct dispatch *dispatch, struct channel *channel)
{
    struct line *line = must_calloc(1, sizeof *line);

    *line = (struct line){.dispatch = dispatch, .channel = channel, .next = dispatch->lines};
    dispatch->lines = line;
}

static void on_trouble(void *ctx, struct channel *channel, const char *text, bool needs_person)
{
    struct line *line = line_of(ctx, channel);

    if (!line)
        return;
    log_line(line->dispatch->world->log, LOG_ERROR, "event=channel_trouble notifier=%s needs_person=%s text=%s",
             channel_settings(channel)->name, needs_person ? "yes" : "no", LOG_QUOTED(text_of(text)));
    news_notifier(line->dispatch->world, channel_settings(channel)->name, text, needs_person);
    for (struct sending *sending = line->sendings; sending && needs_person; sending = sending->next)
        sending_fault(sending, REASON_CHANNEL, text);
}

static void on_room(void *ctx, struct channel *channel)
{
    struct line *line = line_of(ctx, channel);

    if (line)
        line_drain(line);
}

static void on_well(void *ctx, struct channel *channel)
{
    struct dispatch *dispatch = ctx;

    news_notifier(dispatch->world, channel_settings(channel)->name, NULL, false);
    log_line(dispatch->world->log, LOG_NOTICE, "event=channel_well notifier=%s", channel_settings(channel)->name);
    on_room(ctx, channel);
}

static void on_kept(void *ctx, const struct error *failure)
{
    struct line *line = ctx;

    line->keeping = NULL;
    if (failure)
        log_line(line->dispatch->world->log, LOG_ERROR, "event=wait_not_kept notifier=%s error=%s",
                 channel_settings(line->channel)->name, LOG_QUOTED(text_of(failure->text)));
}

/* Kept before anything else: a restart has to wait as well. */
static void on_asked(void *ctx, struct channel *channel, const struct channel_wait *wait)
{
    struct line *line = line_of(ctx, channel);
    struct store_wait row = {.channel = channel_settings(channel)->name, .until_ms = MOMENT_NONE};

    if (!line)
        return;
    if (wait)
        row = (struct store_wait){row.channel, wait->until_ms, wait->rests, wait->text, line_now_ms(line)};
    store_cancel(&line->keeping);
    line->keeping = store_keep_wait(line->dispatch->world->store, &row, on_kept, line);
}

struct channel_events dispatch_channel_events(struct dispatch *dispatch)
{
    return (struct channel_events){
        .finish = dispatch_finish,
        .trouble = on_trouble,
        .well = on_well,
        .room = on_room,
        .asked = on_asked,
        .ctx = dispatch,
    };
}

void dispatch_free(struct dispatch *dispatch)
{
    if (!dispatch)
        return;
    for (struct line *line = dispatch->lines, *next; line; line = next) {
        next = line->next;
        assert(!line->sendings);
        store_cancel(&line->turn);
        store_cancel(&line->keeping);
        for (size_t i = 0; i < line->claim_count; i++)
            free(line->claims[i].list);
        alarm_off(&line->wake);
        while (line->hands)
            drop_hand(line);
        free_fates(line->fates, line->fate_count);
        free_fates(line->turn_fates, line->turn_fate_count);
        free(line);
    }
    message_clear(&dispatch->message);
    free(dispatch);
}
