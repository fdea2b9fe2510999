/* channel_trouble.c - what keeps a channel from working: its plugin says so, or the breaker does. Who hears of it, when
 * it is tried again, and how that reads for people. */
#include "channel_private.h"
#include "scrub.h"

#include <string.h>

enum {
    RETRY_FIRST_MS = 1000,
    RETRY_MAX_MS = 60 * SECOND_MS,
    WELL_FOR_GOOD_MS = 60 * SECOND_MS, /* trouble after this long is a new one: patience begins anew */
};

static void on_retry(uv_timer_t *timer);

/* ---- what the plugin says ---- */

/* "cannot connect after 3 ms" is no news after "cannot connect after 4 ms". */
static bool same_words(const char *a, const char *b)
{
    static const char digits[] = "0123456789";

    for (;; a++, b++) {
        a += strspn(a, digits);
        b += strspn(b, digits);
        if (*a != *b)
            return false;
        if (!*a)
            return true;
    }
}

void channel_take_trouble(struct channel *channel, const char *text, bool needs_person)
{
    int64_t now_ms = clock_mono_ms(channel->parts.clock);
    auto_free char *clean = scrub(text, NULL);
    bool same = channel->troubled && channel->needs_person >= needs_person && same_words(clean, channel->trouble_text);

    if (!channel->troubled && now_ms - channel->well_since_ms > WELL_FOR_GOOD_MS)
        channel->tries = 0;
    bool told = channel->trouble_told && !channel->troubled && !needs_person; /* by the breaker, in other words */
    channel->troubled = true;
    channel->needs_person |= needs_person;
    channel->trouble_news |= !same && !told;
    snprintf(channel->trouble_text, sizeof channel->trouble_text, "%s", clean);
    channel_return_queued(channel, channel->trouble_text);
    channel_tell_soon(channel);
    if (channel->needs_person || channel->stopping) {
        uv_timer_stop(&channel->retry);
        return;
    }
    int64_t wait_ms = channel->tries > 6 ? RETRY_MAX_MS : (int64_t)RETRY_FIRST_MS << channel->tries;
    channel->tries++;
    uv_update_time(channel->parts.loop);
    uv_timer_start(&channel->retry, on_retry, (uint64_t)(wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS), 0);
}

void channel_take_well(struct channel *channel)
{
    if (!channel->troubled)
        return;
    channel->troubled = channel->needs_person = channel->trouble_news = false;
    channel_reached(channel);
    channel->room_news = true; /* if only for one */
    channel->well_since_ms = clock_mono_ms(channel->parts.clock);
    channel->busy = false;
    uv_timer_stop(&channel->retry);
    channel_tell_soon(channel);
}

/* A plugin that cannot try without a delivery is believed to be well, until the next one proves otherwise. */
static void on_retry(uv_timer_t *timer)
{
    struct channel *channel = timer->data;

    if (channel->notifier->warm)
        channel->notifier->warm(channel->state);
    else
        channel_take_well(channel);
}

void channel_try_again(struct channel *channel)
{
    if (channel->stopping)
        return;
    channel_close_breaker(channel);
    if (!channel->troubled)
        return;
    channel->needs_person = false;
    channel->tries = 0;
    on_retry(&channel->retry);
}

/* ---- for dispatch ---- */

/* Told once, however often it tries in vain; again when a person has to come, or it is something else. */
void channel_tell_trouble(struct channel *channel)
{
    bool unwell = channel->troubled || channel->breaker.state != BREAKER_CLOSED;
    bool news = channel->trouble_news || (unwell && !channel->trouble_told);

    channel->trouble_news = false;
    if (unwell && news) {
        channel->trouble_told = true;
        channel->events.trouble(channel->events.ctx, channel,
                                channel->troubled ? channel->trouble_text : channel->breaker_text,
                                channel->needs_person);
    } else if (!unwell && channel->trouble_told) {
        channel->trouble_told = false;
        channel->events.well(channel->events.ctx, channel);
    }
}

/* ---- for people ---- */

const char *channel_needs_person(const struct channel *channel)
{
    return channel->needs_person ? channel->trouble_text : NULL;
}

const char *channel_state_name(enum channel_state state)
{
    static const char *const names[] = {"well", "waiting", "failing", "trying", "broken"};

    return names[state];
}

struct channel_standing channel_standing(const struct channel *channel)
{
    int64_t now_ms = clock_now_ms(channel->parts.clock), ready_at_ms = breaker_ready_at_ms(&channel->breaker, now_ms);

    if (channel->needs_person)
        return (struct channel_standing){CHANNEL_BROKEN, channel->trouble_text, MOMENT_NONE};
    if (channel->breaker.asked && channel->breaker.state == BREAKER_OPEN && ready_at_ms > now_ms)
        return (struct channel_standing){CHANNEL_WAITING, channel->breaker_text, ready_at_ms};
    if (channel->troubled) {
        bool soon = uv_is_active((const uv_handle_t *)&channel->retry);
        return (struct channel_standing){CHANNEL_FAILING, channel->trouble_text,
                                         soon ? now_ms + (int64_t)uv_timer_get_due_in(&channel->retry) : MOMENT_NONE};
    }
    if (channel->breaker.state == BREAKER_CLOSED)
        return (struct channel_standing){CHANNEL_WELL, NULL, MOMENT_NONE};
    if (channel->breaker.state == BREAKER_HALF_OPEN || ready_at_ms <= now_ms)
        return (struct channel_standing){CHANNEL_TRYING, channel->breaker_text + channel->breaker_said_at, MOMENT_NONE};
    return (struct channel_standing){CHANNEL_FAILING, channel->breaker_text, ready_at_ms};
}

const char *channel_trouble(const struct channel *channel)
{
    struct channel_standing standing = channel_standing(channel);
    return standing.state == CHANNEL_TRYING ? NULL : standing.text;
}
