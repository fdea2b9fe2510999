/* clock.h - what time it is, and times as text. A moment is int64_t Unix milliseconds UTC, a span int64_t
 * milliseconds. Only the parts that start things hold a clock; everyone else is handed `now_ms`. Any thread. */
#ifndef ONSALE_CLOCK_H
#define ONSALE_CLOCK_H

#include "text.h"

enum {
    SECOND_MS = 1000,
    MINUTE_MS = 60 * SECOND_MS,
    HOUR_MS = 60 * MINUTE_MS,
    DAY_MS = 24 * HOUR_MS,
};

#define MOMENT_NONE INT64_MIN /* "no such moment" */

/* Where moments come from: the machine, or a test that moves its own. */
struct clock {
    int64_t (*wall_ms)(void *ctx); /* may be stepped by people */
    int64_t (*mono_ms)(void *ctx); /* never steps; only differences mean something */
    void *ctx;
};

extern const struct clock clock_machine;

static inline int64_t clock_now_ms(const struct clock *clock)
{
    return clock->wall_ms(clock->ctx);
}
static inline int64_t clock_mono_ms(const struct clock *clock)
{
    return clock->mono_ms(clock->ctx);
}

/* A date and time of day without a zone (proleptic Gregorian calendar). */
struct civil {
    int year, month, day, hour, minute, second, ms; /* month and day from 1 */
};

struct civil civil_of(int64_t at_ms);    /* read at UTC; add an offset before for local time */
int64_t civil_to_ms(struct civil civil); /* the inverse; fields may overflow into the next ones */
int civil_weekday(struct civil civil);   /* 0 is Sunday */

/* RFC 3339, UTC, with milliseconds: "2027-03-26T08:00:00.000Z". */
void buf_add_moment(struct buf *buf, int64_t at_ms);

/* Reads RFC 3339 and what Wix sends (0 to 9 digits of fraction, 'Z' or an offset, either case); what is below a
 * millisecond is dropped (never rounded up). */
int moment_parse(struct text t, int64_t *out_ms, struct error *err);

/* The Date header of HTTP, IMF-fixdate only (RFC 9110 section 5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT". */
int moment_parse_http(struct text t, int64_t *out_ms, struct error *err);

#endif
