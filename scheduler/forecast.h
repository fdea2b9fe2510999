/* forecast.h - how long a launch will take: people by what a notifier can do, beside whoever else uses it at that time.
 * Pure; for planning ahead and for people, nothing is sent by it. */
#ifndef ONSALE_FORECAST_H
#define ONSALE_FORECAST_H

#include "config.h"

struct forecast_speed {
    struct config_rates rates; /* none: unlimited */
    int64_t window;            /* messages in flight at most */
    int64_t answer_us;         /* how long one takes, measured; 0: not known */
};

struct forecast_flow { /* one notice on the notifier */
    int64_t due_at_ms, people;
    bool opening;    /* has its part first: share.h */
    void *owner;     /* the caller's */
    int64_t span_ms; /* the answer: from due to its last hand-over; -1: nothing is known of the speed */
};

/* Puts the flows into the order of their due times. */
void forecast_make(const struct forecast_speed *speed, struct forecast_flow *flows, size_t count);
/* For `people` alone. */
int64_t forecast_span_ms(const struct forecast_speed *speed, int64_t people);

/* "12,400 people at 10000/h take 1 h 14 min; finish_within is 10 min". `beside`: it shares the time with others. */
void buf_add_forecast(struct buf *buf, const struct forecast_speed *speed, int64_t people, bool beside, int64_t span_ms,
                      int64_t within_ms);
void buf_add_count(struct buf *buf, int64_t count); /* "12,400" */

#endif
