#include "forecast.h"

#include "clock.h"

#include <math.h>
#include <stdlib.h>

enum { OPENING_WEIGHT = 6 }; /* of an opening beside anything else, as share.c divides */

/* One of the flows while it takes place. */
struct running {
    struct forecast_flow *flow;
    double through; /* the level at which it has had all its people */
};

/* Those who take place at a time, openings and others apart: in a class everybody gets the same. A heap, who is through
 * first on top. */
struct class
{
    struct running *at;
    size_t count;
    double level; /* people that each has had since somebody began to be in it */
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

static void enter(struct class *class, struct forecast_flow *flow)
{
    size_t place;

    if (class->count == 0)
        class->level = 0;
    struct running fresh = {flow, class->level + (double)flow->people};
    for (place = class->count++; place > 0 && fresh.through < class->at[(place - 1) / 2].through;
         place = (place - 1) / 2)
        class->at[place] = class->at[(place - 1) / 2];
    class->at[place] = fresh;
}

static struct forecast_flow *leave(struct class *class)
{
    struct forecast_flow *first = class->at[0].flow;
    struct running last = class->at[--class->count];
    size_t place = 0;

    for (size_t child; (child = 2 * place + 1) < class->count; place = child) {
        if (child + 1 < class->count && class->at[child + 1].through < class->at[child].through)
            child++;
        if (class->at[child].through >= last.through)
            break;
        class->at[place] = class->at[child];
    }
    class->at[place] = last;
    return first;
}

/* What each of a class gets in a millisecond, of the whole `rate`. */
static double each_per_ms(const struct class classes[2], bool opening, double rate)
{
    double both = (classes[true].count ? OPENING_WEIGHT : 0) + (classes[false].count ? 1 : 0);

    return rate * (opening ? OPENING_WEIGHT : 1) / both / (double)classes[opening].count;
}

/* Until the first of a class is through. */
static double next_end_ms(const struct class classes[2], bool opening, double rate)
{
    const struct class *class = &classes[opening];

    return class->count ? (class->at[0].through - class->level) / each_per_ms(classes, opening, rate) : INFINITY;
}

/* Lets `ms` pass; who is through leaves. */
static void pass(struct class classes[2], double rate, double ms, double now_ms)
{
    double had[2] = {0};

    for (int i = 0; i < 2; i++)
        had[i] = classes[i].count ? ms * each_per_ms(classes, i, rate) : 0;
    for (int i = 0; i < 2; i++) {
        struct class *class = &classes[i];
        class->level += had[i];
        while (class->count && class->at[0].through - class->level < 1e-6) {
            struct forecast_flow *flow = leave(class);
            flow->span_ms = rounded_up_ms(now_ms - (double)flow->due_at_ms);
        }
    }
}

void forecast_make(const struct forecast_speed *speed, struct forecast_flow *flows, size_t count)
{
    double rate = per_ms(speed), now_ms = 0;
    struct running *room = must_calloc(2 * count + 1, sizeof *room);
    struct class classes[2] = {{.at = room}, {.at = room + count}};
    size_t next = 0;

    if (count > 0)
        qsort(flows, count, sizeof *flows, by_due);
    for (size_t i = 0; i < count; i++)
        flows[i].span_ms = -1;
    while (rate > 0 && (classes[false].count + classes[true].count > 0 || next < count)) {
        if (classes[false].count + classes[true].count == 0)
            now_ms = (double)flows[next].due_at_ms;
        for (; next < count && (double)flows[next].due_at_ms <= now_ms; next++)
            enter(&classes[flows[next].opening], &flows[next]);
        double ms = fmin(next_end_ms(classes, false, rate), next_end_ms(classes, true, rate));
        if (next < count)
            ms = fmin(ms, (double)flows[next].due_at_ms - now_ms);
        now_ms += ms;
        pass(classes, rate, ms, now_ms);
    }
    free(room);
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
