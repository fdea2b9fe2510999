#include "dispatch.h"

#include "dispatch_private.h"
#include "news.h"
#include "progress.h"

#include <assert.h>

enum {
    STORE_PAUSE_MS = 1000, /* after a failed commit */
    HAND_MS = 2, /* of the loop for handing over, before others have their turn: answers of mail servers, say */
};

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

/* Of anything that begins with the number of a notice. */
static uint64_t hash_of_notice(const void *item)
{
    return (uint64_t) * (const int64_t *)item * UINT64_C(0x9E3779B97F4A7C15);
}

static bool same_notice(const void *a, const void *b)
{
    return *(const int64_t *)a == *(const int64_t *)b;
}

static const struct index_kind by_notice = {hash_of_notice, same_notice};

struct sending *line_sending(struct line *line, int64_t notice)
{
    return index_find(&line->by_notice, &by_notice, &notice);
}

void line_add_sending(struct line *line, struct sending *sending)
{
    sending->next = line->sendings;
    line->sendings = sending;
    line->sending_count++;
    index_put(&line->by_notice, &by_notice, sending);
}

void line_remove_sending(struct line *line, struct sending *sending)
{
    for (struct sending **at = &line->sendings; *at; at = &(*at)->next)
        if (*at == sending) {
            *at = sending->next;
            break;
        }
    line->sending_count--;
    index_remove(&line->by_notice, &by_notice, sending);
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

void dispatch_note_disk(struct dispatch *dispatch, const struct error *failure)
{
    struct world *world = dispatch->world;

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
    dispatch_note_disk(line->dispatch, failure);
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
        line_look_at_put_off(line);
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

static void wake_for_sending(const struct line *line, struct sending *sending, int64_t *at_ms, int64_t now_ms)
{
    if (!sending->open || !sending->batch || sending->stopped)
        return;
    int64_t again_ms = again_next_at_ms(&sending->again);
    if (!sending->told_expired)
        earliest(at_ms, sending->spec.deadline_ms);
    if (again_ms > now_ms)
        earliest(at_ms, again_ms);
    if (sending_wants(sending, now_ms)) { /* pace or window hold us; for the window the channel wakes us */
        int64_t paced_ms = channel_ready_at_ms(line->channel, now_ms);
        if (paced_ms > now_ms)
            earliest(at_ms, paced_ms);
    }
}

static void set_wake(struct line *line, int64_t now_ms)
{
    int64_t at_ms = MOMENT_NONE;

    if (line->hands)
        earliest(&at_ms, 0); /* whatever becomes of the clock */
    if (line->store_failed_until_ms > now_ms)
        earliest(&at_ms, line->store_failed_until_ms);
    for (struct sending *sending = line->sendings; sending; sending = sending->next)
        wake_for_sending(line, sending, &at_ms, now_ms);
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

/* One of them, or none: an owner may close its sending in there. */
static bool tell_one(struct line *line, int64_t now_ms)
{
    struct sending *sending = line->sendings;

    while (sending && !sending_has_news(sending, now_ms))
        sending = sending->next;
    if (sending)
        sending_tell(sending, now_ms);
    return sending != NULL;
}

void line_drain(struct line *line)
{
    int64_t now_ms = line_now_ms(line);

    may_turn(line, now_ms); /* the store works while we hand over */
    hand_out(line);
    for (struct sending *sending = line->sendings; sending; sending = sending->next)
        sending_refresh(sending);
    may_turn(line, now_ms);
    set_wake(line, now_ms);
    while (tell_one(line, now_ms))
        continue;
}

void line_drain_soon(struct line *line)
{
    if (!alarm_is_set(&line->wake) || line->wake.at_ms > 0)
        alarm_set(line->dispatch->world->alarms, &line->wake, 0, on_wake, line);
}

void dispatch_drain(struct dispatch *dispatch)
{
    for (struct line *line = dispatch->lines; line; line = line->next)
        line_drain_soon(line);
}

void dispatch_call_back(struct dispatch *dispatch)
{
    for (struct line *line = dispatch->lines; line; line = line->next) {
        for (struct sending *sending = line->sendings; sending; sending = sending->next)
            if (sending_paused(sending))
                channel_call_back(line->channel, sending->spec.notice->id, "paused");
        line_drain_soon(line); /* what is in hand goes the same way */
    }
}

bool dispatch_quiet(const struct dispatch *dispatch)
{
    for (struct line *line = dispatch->lines; line; line = line->next) {
        if (line->turn || line->fate_count > 0 || line->keeping)
            return false;
        for (struct sending *sending = line->sendings; sending; sending = sending->next)
            if (sending->out > 0 || sending_has_news(sending, line_now_ms(line)))
                return false;
    }
    return true;
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
        index_clear(&line->by_notice);
        free(line->flows);
        free(line);
    }
    message_clear(&dispatch->message);
    free(dispatch);
}
