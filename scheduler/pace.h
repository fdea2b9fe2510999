/* pace.h - token buckets: several rates at once. Pure; times come in. */
#ifndef ONSALE_PACE_H
#define ONSALE_PACE_H

#include "config.h"

enum { PACE_RATES_MAX = 4 };
struct pace {
    size_t count;
    struct pace_bucket {
        int64_t count, per_ms; /* the rate */
        int64_t burst;         /* tokens at most: what a quarter of a second earns, at least two */
        int64_t credit;        /* in per_ms-ths of a token, so that no rate is ever rounded */
        int64_t at_ms;         /* when last filled */
    } bucket[PACE_RATES_MAX];
};
struct pace_claim { /* what was taken before */
    int64_t at_ms, count;
};
/* Buckets start empty: no burst after a (re)start. No rates: unlimited. At most PACE_RATES_MAX of them. */
void pace_init(struct pace *pace, const struct config_rates *rates, int64_t now_ms);
/* How far back a claim counts at these rates: the longest of their periods; 0: there are none. */
int64_t pace_memory_ms(const struct config_rates *rates);
/* After pace_init(): what was claimed before counts, the oldest first. Debts come back, savings do not. What was
 * claimed at another rate keeps us for one period of the new one at most. */
void pace_recall(struct pace *pace, int64_t now_ms, const struct pace_claim *claims, size_t count);
int64_t pace_allows(struct pace *pace, int64_t now_ms);                   /* how many may go now; INT64_MAX unlimited */
int64_t pace_within(struct pace *pace, int64_t now_ms, int64_t ahead_ms); /* ... by then */
void pace_take(struct pace *pace, int64_t now_ms, int64_t count);         /* may go below zero: debts are paid first */
void pace_give_back(struct pace *pace, int64_t count);                    /* taken, and not needed after all */
int64_t pace_ready_at_ms(struct pace *pace, int64_t now_ms);              /* when one may go */
/* How long `people` take at this pace, for forecasts. */
int64_t pace_span_ms(const struct pace *pace, int64_t people);

#endif
