/* channel_claims.c - how many may be claimed now, and when the next: window, pace, and whether the other side works or
 * asked us to wait. What a start has to know of the one before it. */
#include "channel_private.h"

#include <assert.h>
#include <string.h>

enum {
    PACE_AHEAD_MS = 50,
    SPEED_PART = 10, /* a tenth more or less is news */
};

static int64_t now_of(const struct channel *channel)
{
    return clock_now_ms(channel->parts.clock);
}

/* --- Claims --- */

static void on_wake(void *ctx)
{
    struct channel *channel = ctx;
    channel->events.room(channel->events.ctx, channel);
}

int64_t channel_doubt_max(const struct channel *channel)
{
    return channel->doubt_max;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t channel_room(struct channel *channel, int64_t now_ms, int64_t settling)
{
    int64_t room = channel->doubt_max - (channel->out - settling);

    if (channel->troubled || channel->stopping || room <= 0)
        return 0;
    room = least(room, breaker_allows(&channel->breaker, now_ms));
    room = least(room, pace_within(&channel->pace, now_ms, PACE_AHEAD_MS));
    if (room > 0)
        return room;
    alarm_set(channel->parts.alarms, &channel->wake, channel_ready_at_ms(channel, now_ms), on_wake, channel);
    return 0;
}

int64_t channel_ready_at_ms(struct channel *channel, int64_t now_ms)
{
    int64_t paced_ms = pace_ready_at_ms(&channel->pace, now_ms) - PACE_AHEAD_MS,
            rested_ms = breaker_ready_at_ms(&channel->breaker, now_ms);

    return paced_ms > rested_ms ? paced_ms : rested_ms;
}

void channel_claimed(struct channel *channel, int64_t now_ms, int64_t count)
{
    channel->out += count;
    pace_take(&channel->pace, now_ms, count);
    if (channel->breaker.state == BREAKER_HALF_OPEN) {
        breaker_probe(&channel->breaker, now_ms);
        channel->probe_claimed = true;
    }
}

void channel_settled(struct channel *channel, int64_t count)
{
    assert(count <= channel->out);
    channel->out -= count;
}

static void not_sent(struct channel *channel, int64_t count)
{
    pace_give_back(&channel->pace, count);
    if (channel->probe_claimed)
        breaker_no_probe(&channel->breaker, now_of(channel), 0);
    channel->probe_claimed = false;
}

void channel_unclaimed(struct channel *channel, int64_t count)
{
    channel_settled(channel, count);
    if (count > 0)
        not_sent(channel, count);
}

void channel_spared(struct channel *channel)
{
    not_sent(channel, 1);
}

/* --- Outcomes --- */

int64_t channel_rest_ms(const struct channel *channel)
{
    int64_t now_ms = now_of(channel);

    return channel->breaker.state == BREAKER_OPEN ? breaker_ready_at_ms(&channel->breaker, now_ms) - now_ms : 0;
}

/* "asked to wait until 2027-03-26T09:00:30.000Z: 421 4.7.0 slow down" */
static void describe(struct channel *channel, const char *said)
{
    auto_buf struct buf at;

    buf_init(&at, 64);
    buf_add_moment(&at, channel->breaker.until_ms);
    snprintf(channel->breaker_text, sizeof channel->breaker_text, "%s %.*s: %s",
             channel->breaker.asked ? "asked to wait until" : "nothing gets through, the next try is at",
             TEXT_ARGS(buf_text(&at)), said);
    channel->breaker_said_at = strlen(channel->breaker_text) - strlen(said);
}

static void open_breaker(struct channel *channel, const struct channel_result *result, const char *text)
{
    char said[sizeof channel->asked_text];

    if (result->code)
        snprintf(said, sizeof said, "%d %s", result->code, text);
    else
        snprintf(said, sizeof said, "%s", text);
    describe(channel, said);
    if (channel->breaker.asked) {
        memcpy(channel->asked_text, said, sizeof said);
        channel->asked_news = true;
    }
    channel_return_queued(channel, channel->breaker_text);
    channel_tell_soon(channel);
}

/* Who dealt with one message, if only to refuse it, works. */
static enum breaker_outcome outcome_of(const struct channel_job *job)
{
    const struct channel_result *result = &job->result;
    bool later = result->fate == FATE_TRY_LATER && result->scope != SCOPE_ADDRESS;

    if (later && job->slow_down)
        return BREAKER_ASKED;
    if (later || (result->fate == FATE_IN_DOUBT && result->scope == SCOPE_CHANNEL))
        return BREAKER_FAILED;
    return BREAKER_WORKS;
}

void channel_note_outcome(struct channel *channel, const struct channel_job *job)
{
    const struct channel_result *result = &job->result;
    int64_t now_ms = now_of(channel);

    if (channel->stopping || channel->needs_person)
        return;
    if (result->fate == FATE_RETURNED) { /* nobody has seen it */
        if (job->probe)
            breaker_no_probe(&channel->breaker, now_ms, BREAKER_FIRST_MS);
        return;
    }
    enum breaker_state before = channel->breaker.state;
    int64_t named_ms = result->retry_after_ms > 0 ? result->retry_after_ms : 0;
    if (breaker_takes(&channel->breaker, now_ms, outcome_of(job), named_ms, job->probe))
        open_breaker(channel, result, job->text ? job->text : "no reason was given");
    else if (channel->breaker.state != before)
        channel_tell_soon(channel);
}

void channel_reached(struct channel *channel)
{
    breaker_reached(&channel->breaker, now_of(channel));
    if (channel->breaker.state == BREAKER_CLOSED || channel->breaker.asked)
        return;
    memcpy(channel->breaker_text, channel->trouble_text, sizeof channel->trouble_text);
    channel->breaker_said_at = 0;
}

void channel_close_breaker(struct channel *channel)
{
    if (channel->breaker.state == BREAKER_CLOSED)
        return;
    breaker_close(&channel->breaker);
    channel->probe_claimed = false;
    channel->room_news = true;
    channel_tell_soon(channel);
}

int64_t channel_out(const struct channel *channel)
{
    return channel->out;
}

/* --- From one start to the next --- */

int64_t channel_memory_ms(const struct channel *channel)
{
    return pace_memory_ms(&channel->settings->rate);
}

void channel_recall(struct channel *channel, const struct pace_claim *claims, size_t count,
                    const struct channel_wait *wait)
{
    int64_t now_ms = now_of(channel);

    pace_recall(&channel->pace, now_ms, claims, count);
    if (!wait)
        return;
    breaker_recall(&channel->breaker, now_ms, wait->until_ms, wait->rests);
    snprintf(channel->asked_text, sizeof channel->asked_text, "%s", wait->text);
    describe(channel, channel->asked_text);
    channel->asked_kept = true;
    channel_tell_soon(channel);
}

int64_t channel_speed_news_us(struct channel *channel)
{
    int64_t now_us = channel_answer_us(channel), apart_us = now_us - channel->answer_kept_us;

    if (now_us == 0 || (apart_us < 0 ? -apart_us : apart_us) * SPEED_PART < channel->answer_kept_us)
        return 0;
    channel->answer_kept_us = now_us;
    return now_us;
}

void channel_recall_speed(struct channel *channel, int64_t answer_us)
{
    if (answer_us == 0)
        return;
    channel->answer_us = channel->answer_kept_us = answer_us;
    channel->answers = CHANNEL_ANSWERS;
}

void channel_tell_asked(struct channel *channel)
{
    const struct breaker *breaker = &channel->breaker;
    bool over = breaker->state == BREAKER_CLOSED && channel->asked_kept;

    if (channel->asked_news && breaker->state != BREAKER_CLOSED) {
        channel->asked_kept = true;
        channel->events.asked(channel->events.ctx, channel,
                              &(struct channel_wait){breaker->until_ms, breaker->rests, channel->asked_text});
    } else if (over) {
        channel->asked_kept = false;
        channel->events.asked(channel->events.ctx, channel, NULL);
    }
    channel->asked_news = false;
}
