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
static void line_drain(struct line *line);

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
    sending->fault = reason;
    sending->fault_text = must_strdup(text);
}

/* --- The turn: fates in, claims out ------------------------------------------------------------------------------- */

static void request_turn(struct line *line, int64_t now_ms)
{
    struct store_claim claims[CLAIMS_MAX];
    struct world *world = line->dispatch->world;

    size_t claim_count = line_choose_claims(line, claims, now_ms);
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

/* What hinders a write hinders the next one: until disk.c finds the disk well, fates alone are tried. */
static void note_disk(struct world *world, const struct error *failure)
{
    if (failure->kind != ERROR_REFUSED && world->disk.why.kind == ERROR_NONE)
        world->disk.why = *failure;
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
    line_drop_claims(line);
    line->store_failed_until_ms = line_now_ms(line) + STORE_PAUSE_MS;
    log_line(world->log, LOG_ERROR, "event=ledger_failed notifier=%s error=%s", channel_settings(line->channel)->name,
             LOG_QUOTED(text_of(failure->text)));
    note_disk(world, failure);
    for (struct sending *sending = line->sendings; sending && world->disk.why.kind != ERROR_NONE;
         sending = sending->next)
        sending_fault(sending, REASON_DISK, failure->text);
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
        notice_course(sending->spec.notice)->tally = progress->tally;
        progress_note(line->dispatch->world->progress, sending->spec.notice);
        if (progress->claimed_to > sending->claimed_to)
            sending->claimed_to = progress->claimed_to;
    }
}

static void on_turned(void *ctx, const struct store_turned *result)
{
    struct line *line = ctx;

    line->turn = NULL;
    if (result->failure) {
        turn_failed(line, result->failure);
    } else {
        line_count_fates(line, result);
        settle_fates(line);
        take_progress(line, result);
        line_take_claims(line, result);
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

    while (line->hands && clock_mono_ms(clock) < until_ms) {
        struct hand *hand = line->hands;
        dispatch_hand_over(line_sending(line, hand->at->notice), hand->at, line_now_ms(line));
        hand->at++;
        if (--hand->count == 0)
            drop_hand(line);
    }
}

/* --- Telling the owners ---------------------------------------------------------------------------------------------
 */

enum tale { TALE_NONE, TALE_FAULT, TALE_DONE, TALE_EXPIRED, TALE_STOPPED };

static enum tale tale_of(const struct sending *sending, int64_t now_ms)
{
    bool released = sending->open && sending->batch && !sending->told_done;

    if (sending->fault)
        return TALE_FAULT;
    if (sending->opening)
        return TALE_NONE;
    if (released && sending->exhausted && sending->spec.notice->course->tally.waiting == 0 && sending->out == 0)
        return TALE_DONE;
    if (released && !sending->told_expired && now_ms >= sending->spec.deadline_ms)
        return TALE_EXPIRED;
    if (sending->stopped && !sending->told_done && sending->out == 0 && sending->events.stopped)
        return TALE_STOPPED;
    return TALE_NONE;
}

static bool anything_to_tell(const struct line *line, int64_t now_ms)
{
    for (const struct sending *sending = line->sendings; sending; sending = sending->next)
        if (tale_of(sending, now_ms) != TALE_NONE)
            return true;
    return false;
}

static void tell_fault(struct sending *sending)
{
    auto_free char *text = sending->fault_text;
    enum notice_reason reason = sending->fault;

    sending->fault = REASON_NONE;
    sending->fault_text = NULL;
    sending->events.fault(sending->events.ctx, reason, text);
}

static void tell(struct sending *sending, enum tale tale)
{
    void (*stopped)(void *) = sending->events.stopped;

    switch (tale) {
    case TALE_NONE:
        break;
    case TALE_FAULT:
        tell_fault(sending);
        break;
    case TALE_DONE:
        sending->told_done = sending->stopped = true;
        sending->events.done(sending->events.ctx);
        break;
    case TALE_EXPIRED:
        sending->told_expired = sending->stopped = true;
        sending->events.expired(sending->events.ctx);
        break;
    case TALE_STOPPED:
        sending->events.stopped = NULL;
        stopped(sending->events.ctx);
        break;
    }
}

/* One event a call: an owner may close its sending in there. */
static bool tell_one(struct line *line, int64_t now_ms)
{
    for (struct sending *sending = line->sendings; sending; sending = sending->next) {
        enum tale tale = tale_of(sending, now_ms);
        if (tale == TALE_NONE)
            continue;
        tell(sending, tale);
        return true;
    }
    return false;
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
        earliest(&at_ms, 0); /* whatever becomes of the clock */
    if (line->store_failed_until_ms > now_ms)
        earliest(&at_ms, line->store_failed_until_ms);
    for (struct sending *sending = line->sendings; sending; sending = sending->next) {
        if (!sending->open || !sending->batch || sending->stopped)
            continue;
        if (!sending->told_expired)
            earliest(&at_ms, sending->spec.deadline_ms);
        if (again_next_at_ms(&sending->again) != MOMENT_NONE && again_next_at_ms(&sending->again) > now_ms)
            earliest(&at_ms, again_next_at_ms(&sending->again));
        if (sending_wants(sending,
                          now_ms)) { /* pace or window hold us: pace wakes by time, the window by channel events */
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

static void may_turn(struct line *line, int64_t now_ms)
{
    if (!line->turn && now_ms >= line->store_failed_until_ms)
        request_turn(line, now_ms);
}

/* From the loop alone: here the owners are called. */
static void line_drain(struct line *line)
{
    int64_t now_ms = line_now_ms(line);

    may_turn(line, now_ms); /* the store works while we hand over */
    hand_out(line);
    for (struct sending *sending = line->sendings; sending; sending = sending->next)
        if (sending->stale && sending->out == 0 && !sending->opening)
            request_launch(sending);
    may_turn(line, now_ms);
    set_wake(line, now_ms);
    while (tell_one(line, now_ms))
        continue;
}

/* At the next turn of the loop: whoever else is allowed in this one has their share from the first claim on. */
static void drain_soon(struct line *line)
{
    if (!alarm_is_set(&line->wake) || line->wake.at_ms > 0)
        alarm_set(line->dispatch->world->alarms, &line->wake, 0, on_wake, line);
}

void dispatch_drain(struct dispatch *dispatch)
{
    for (struct line *line = dispatch->lines; line; line = line->next)
        drain_soon(line);
}

void dispatch_call_back(struct dispatch *dispatch)
{
    for (struct line *line = dispatch->lines; line; line = line->next) {
        for (struct sending *sending = line->sendings; sending; sending = sending->next)
            if (sending_paused(sending))
                channel_call_back(line->channel, sending->spec.notice->id, "paused");
        drain_soon(line); /* what is in hand goes the same way */
    }
}

bool dispatch_quiet(const struct dispatch *dispatch)
{
    for (struct line *line = dispatch->lines; line; line = line->next) {
        if (line->turn || line->fate_count > 0 || line->keeping || anything_to_tell(line, line_now_ms(line)))
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
    sending->open = sending->stale = false; /* no claim until it has told: what it lists must not be in our hands */
    sending->opening = store_launch(sending->line->dispatch->world->store, sending->spec.notice->id,
                                    channel_settings(sending->spec.channel)->name,
                                    rule_repeats_below(sending->spec.rule), on_launch, sending);
}

static void on_launch(void *ctx, const struct store_launch *launch)
{
    struct sending *sending = ctx;
    struct notice *notice = sending->spec.notice;
    struct log *log = sending->line->dispatch->world->log;

    sending->opening = NULL;
    if (launch->failure) {
        note_disk(sending->line->dispatch->world, launch->failure);
        sending_fault(sending, REASON_DISK, launch->failure->text);
        line_drain(sending->line);
        return;
    }
    again_take_page(&sending->again, launch->again, launch->again_count, launch->again_more, launch->again_next);
    if (notice->roll) /* else its people went to another while we asked */
        notice_course(notice)->tally = launch->tally;
    progress_note(sending->line->dispatch->world->progress, notice);
    sending->claimed_to = launch->claimed_to;
    sending->exhausted = false; /* the first claim tells: the list may still grow before the release */
    sending->open = true;
    metric_add(sending->line->fated[FATE_IN_DOUBT], launch->doubts);
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
    sending->firsts = (struct share_flow){.class = when_is_opening(&spec->rule->when) ? SHARE_OPENING : SHARE_OTHER,
                                          .owner = sending};
    sending->retries = (struct share_flow){.class = SHARE_AGAIN, .owner = sending};
    sending->next = sending->line->sendings;
    sending->line->sendings = sending;
    sending->line->sending_count++;
    request_launch(sending);
    return sending;
}

/* Only when every fate is on disk does the ledger know all who wait. */
void sending_reload(struct sending *sending)
{
    sending->open = false;
    sending->stale = true;
    drain_soon(sending->line);
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
    drain_soon(sending->line);
}

void sending_stop(struct sending *sending)
{
    sending->stopped = true;
    drain_soon(sending->line);
}

size_t sending_out(const struct sending *sending)
{
    return sending->out;
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
    line->sending_count--;
    if (!line->sendings)
        channel_rest(line->channel); /* the next release warms it again */
    store_cancel(&mine->opening);
    again_clear(&mine->again);
    message_batch_free(mine->batch);
    free(mine->fault_text);
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
    line_meter(line);
    dispatch->lines = line;
}

bool dispatch_sends_on(struct dispatch *dispatch, const struct channel *channel)
{
    const struct line *line = line_of(dispatch, channel);
    return line && line->sendings;
}

static void on_trouble(void *ctx, struct channel *channel, const char *text, bool needs_person)
{
    struct line *line = line_of(ctx, channel);

    if (!line)
        return;
    log_line(line->dispatch->world->log, needs_person ? LOG_ERROR : LOG_WARNING,
             "event=channel_trouble notifier=%s needs_person=%s text=%s", channel_settings(channel)->name,
             needs_person ? "yes" : "no", LOG_QUOTED(text_of(text)));
    news_notifier(line->dispatch->world, channel_settings(channel)->name, text, needs_person);
    for (struct sending *sending = line->sendings; sending && needs_person; sending = sending->next)
        sending_fault(sending, REASON_CHANNEL, text);
    line_drain(line);
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
        line_forget_claims(line);
        alarm_off(&line->wake);
        while (line->hands)
            drop_hand(line);
        free_fates(line->fates, line->fate_count);
        free_fates(line->turn_fates, line->turn_fate_count);
        free(line->flows);
        free(line);
    }
    message_clear(&dispatch->message);
    free(dispatch);
}
