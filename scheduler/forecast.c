#include "forecast.h"

#include "clock.h"

#include <math.h>
#include <stdlib.h>

enum { OPENING_WEIGHT = 6 }; /* of an opening beside anything else, as share.c divides */

/* One of the flows while it takes place. */
struct running {
    struct forecast_flow *flow;
    double left; /* people */
};

/* --- Speed: people a millisecond, by the slowest of what limits it; 0: nothing is known --- */

static const struct config_rate *slowest(const struct config_rates *rates)
{
    const struct config_rate *least = NULL;

    for (size_t i = 0; i < rates->count; i++)
        if (!least ||
            (double)rates->at[i].count / (double)rates->at[i].per_ms < (double)least->count / (double)least->per_ms)
            least = &rates->at[i];
    return least;
}

static double by_rate(const struct forecast_speed *speed)
{
    const struct config_rate *rate = slowest(&speed->rates);

    return rate ? (double)rate->count / (double)rate->per_ms : 0;
}

static double by_answers(const struct forecast_speed *speed)
{
    return speed->answer_us > 0 ? (double)speed->window * 1000 / (double)speed->answer_us : 0;
}

static bool answers_are_slower(const struct forecast_speed *speed)
{
    return by_answers(speed) > 0 && (by_rate(speed) == 0 || by_answers(speed) < by_rate(speed));
}

static double per_ms(const struct forecast_speed *speed)
{
    return answers_are_slower(speed) ? by_answers(speed) : by_rate(speed);
}

static int64_t rounded_up_ms(double ms)
{
    return ms < 0x1p62 ? (int64_t)ceil(ms - 1e-6) : INT64_MAX / 2;
}

int64_t forecast_span_ms(const struct forecast_speed *speed, int64_t people)
{
    double rate = per_ms(speed);

    return rate > 0 ? rounded_up_ms((double)people / rate) : -1;
}

/* --- Beside others --- */

static int by_due(const void *a, const void *b)
{
    const struct forecast_flow *x = a, *y = b;

    return (x->due_at_ms > y->due_at_ms) - (x->due_at_ms < y->due_at_ms);
}

/* What one of them gets of the whole: openings and others as classes, equal parts within. */
static double part_of(const struct forecast_flow *flow, const size_t in_class[2])
{
    double both = (in_class[true] ? OPENING_WEIGHT : 0) + (in_class[false] ? 1 : 0);

    return (flow->opening ? OPENING_WEIGHT : 1) / both / (double)in_class[flow->opening];
}

static void count_classes(const struct running *at, size_t count, size_t in_class[2])
{
    in_class[false] = in_class[true] = 0;
    for (size_t i = 0; i < count; i++)
        in_class[at[i].flow->opening]++;
}

/* Until the first of them is through. */
static double next_end(const struct running *at, size_t count, const size_t in_class[2], double rate)
{
    double soonest = INFINITY;

    for (size_t i = 0; i < count; i++)
        soonest = fmin(soonest, at[i].left / (rate * part_of(at[i].flow, in_class)));
    return soonest;
}

/* Lets `ms` pass; who is through leaves. */
static size_t pass(struct running *at, size_t count, const size_t in_class[2], double rate, double ms, double now_ms)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        at[i].left -= ms * rate * part_of(at[i].flow, in_class);
        if (at[i].left < 1e-6)
            at[i].flow->span_ms = rounded_up_ms(now_ms - (double)at[i].flow->due_at_ms);
        else
            at[kept++] = at[i];
    }
    return kept;
}

void forecast_make(const struct forecast_speed *speed, struct forecast_flow *flows, size_t count)
{
    double rate = per_ms(speed), now_ms = 0;
    struct running *at = must_calloc(count + 1, sizeof *at);
    size_t running = 0, next = 0, in_class[2];

    if (count > 0)
        qsort(flows, count, sizeof *flows, by_due);
    for (size_t i = 0; i < count; i++)
        flows[i].span_ms = -1;
    while (rate > 0 && (running > 0 || next < count)) {
        if (running == 0)
            now_ms = (double)flows[next].due_at_ms;
        for (; next < count && (double)flows[next].due_at_ms <= now_ms; next++)
            at[running++] = (struct running){&flows[next], (double)flows[next].people};
        count_classes(at, running, in_class);
        double ms = next_end(at, running, in_class, rate);
        if (next < count)
            ms = fmin(ms, (double)flows[next].due_at_ms - now_ms);
        now_ms += ms;
        running = pass(at, running, in_class, rate, ms, now_ms);
    }
    free(at);
}

/* --- In words --- */

void buf_add_count(struct buf *buf, int64_t count)
{
    if (count >= 1000)
        buf_add_count(buf, count / 1000);
    if (count >= 1000)
        buf_addf(buf, ",%03lld", (long long)(count % 1000));
    else
        buf_addf(buf, "%lld", (long long)count);
}

static void add_unit(struct buf *buf, size_t start, int64_t value, const char *unit)
{
    if (value > 0)
        buf_addf(buf, "%s%lld %s", buf->len > start ? " " : "", (long long)value, unit);
}

/* "1 h 14 min", "36 s": two units at most. */
static void add_time(struct buf *buf, int64_t ms)
{
    int64_t s = (ms + SECOND_MS - 1) / SECOND_MS, min = (s + 59) / 60;
    size_t start = buf->len;

    if (s < 60) {
        buf_addf(buf, "%lld s", (long long)s);
    } else if (s < 3600) {
        add_unit(buf, start, s / 60, "min");
        add_unit(buf, start, s % 60, "s");
    } else if (min < 48 * 60) {
        add_unit(buf, start, min / 60, "h");
        add_unit(buf, start, min % 60, "min");
    } else {
        add_unit(buf, start, min / 1440, "d");
        add_unit(buf, start, min % 1440 / 60, "h");
    }
}

static void add_speed(struct buf *buf, const struct forecast_speed *speed)
{
    const struct config_rate *rate = slowest(&speed->rates);

    if (answers_are_slower(speed)) {
        buf_addf(buf, "%lld in flight that take %lld ms each", (long long)speed->window,
                 (long long)((speed->answer_us + 500) / 1000));
        return;
    }
    buf_addf(buf, "%lld/%s", (long long)rate->count,
             rate->per_ms == SECOND_MS   ? "s"
             : rate->per_ms == MINUTE_MS ? "min"
             : rate->per_ms == HOUR_MS   ? "h"
                                         : "d");
}

void buf_add_forecast(struct buf *buf, const struct forecast_speed *speed, int64_t people, bool beside, int64_t span_ms,
                      int64_t within_ms)
{
    buf_add_count(buf, people);
    buf_adds(buf, people == 1 ? " person" : " people");
    if (span_ms < 0) {
        buf_adds(buf, "; no rate limits the notifier, and it has not sent yet: nobody can say how long they take");
        return;
    }
    buf_adds(buf, " at ");
    add_speed(buf, speed);
    if (beside)
        buf_adds(buf, ", beside others at that time,");
    buf_adds(buf, people == 1 ? " takes " : " take ");
    add_time(buf, span_ms);
    buf_adds(buf, "; finish_within is ");
    add_time(buf, within_ms);
}
