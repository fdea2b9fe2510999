#include "pace.h"

#include <assert.h>

enum { BURST_MS = 250 }; /* what an idle bucket saves up for: a slow turn of the loop, not a second launch */

static int64_t divide_up(int64_t a, int64_t b)
{
    return a / b + (a % b > 0);
}

/* What `ms` are worth at this rate, cut to `most`; in credit. */
static int64_t earned(const struct pace_bucket *bucket, int64_t ms, int64_t most)
{
    return ms > most / bucket->count ? most : ms * bucket->count;
}

static void fill(struct pace_bucket *bucket, int64_t now_ms)
{
    int64_t room = bucket->burst * bucket->per_ms - bucket->credit;

    if (now_ms > bucket->at_ms)
        bucket->credit += earned(bucket, now_ms - bucket->at_ms, room);
    bucket->at_ms = now_ms; /* also when the clock was set back: from there on time passes as always */
}

static int64_t tokens(int64_t credit, int64_t per_ms)
{
    return credit > 0 ? credit / per_ms : 0;
}

void pace_init(struct pace *pace, const struct config_rates *rates, int64_t now_ms)
{
    *pace = (struct pace){0};
    assert(rates->count <= PACE_RATES_MAX);
    for (size_t i = 0; i < rates->count; i++) {
        const struct config_rate *rate = &rates->at[i];
        int64_t burst;

        assert(rate->count > 0 && rate->per_ms > 0);
        burst = divide_up(rate->count * BURST_MS, rate->per_ms);
        /* Two at least: who comes a little late for one must not lose the beginning of the next. */
        pace->bucket[pace->count++] = (struct pace_bucket){rate->count, rate->per_ms, burst > 2 ? burst : 2, 0, now_ms};
    }
}

int64_t pace_memory_ms(const struct config_rates *rates)
{
    int64_t longest_ms = 0;

    for (size_t i = 0; i < rates->count; i++)
        if (rates->at[i].per_ms > longest_ms)
            longest_ms = rates->at[i].per_ms;
    return longest_ms;
}

static void take(struct pace_bucket *bucket, int64_t count)
{
    bucket->credit -= count * bucket->per_ms;
}

/* Played again from an empty bucket, one period ago. */
static void recall(struct pace_bucket *bucket, int64_t now_ms, const struct pace_claim *claims, size_t count)
{
    int64_t from_ms = now_ms - bucket->per_ms, least = -bucket->count * bucket->per_ms;

    bucket->at_ms = from_ms;
    for (size_t i = 0; i < count; i++) {
        int64_t at_ms = claims[i].at_ms < now_ms ? claims[i].at_ms : now_ms; /* the clock was set back since */
        if (at_ms <= from_ms)
            continue;
        fill(bucket, at_ms > bucket->at_ms ? at_ms : bucket->at_ms);
        take(bucket, claims[i].count < bucket->count ? claims[i].count : bucket->count);
        if (bucket->credit < least)
            bucket->credit = least;
    }
    fill(bucket, now_ms);
    if (bucket->credit > 0)
        bucket->credit = 0;
}

void pace_recall(struct pace *pace, int64_t now_ms, const struct pace_claim *claims, size_t count)
{
    for (size_t i = 0; i < pace->count; i++)
        recall(&pace->bucket[i], now_ms, claims, count);
}

int64_t pace_within(struct pace *pace, int64_t now_ms, int64_t ahead_ms)
{
    int64_t least = INT64_MAX;

    for (size_t i = 0; i < pace->count; i++) {
        struct pace_bucket *bucket = &pace->bucket[i];
        int64_t credit, may;

        fill(bucket, now_ms);
        credit = bucket->credit + earned(bucket, ahead_ms, INT64_MAX / 2);
        may = tokens(credit, bucket->per_ms);
        least = may < least ? may : least;
    }
    return least;
}

int64_t pace_allows(struct pace *pace, int64_t now_ms)
{
    return pace_within(pace, now_ms, 0);
}

void pace_take(struct pace *pace, int64_t now_ms, int64_t count)
{
    for (size_t i = 0; i < pace->count; i++) {
        fill(&pace->bucket[i], now_ms);
        take(&pace->bucket[i], count);
    }
}

void pace_give_back(struct pace *pace, int64_t count)
{
    for (size_t i = 0; i < pace->count; i++) {
        struct pace_bucket *bucket = &pace->bucket[i];
        int64_t most = bucket->burst * bucket->per_ms;
        bucket->credit += count * bucket->per_ms;
        if (bucket->credit > most)
            bucket->credit = most;
    }
}

int64_t pace_ready_at_ms(struct pace *pace, int64_t now_ms)
{
    int64_t ready_at_ms = now_ms;

    for (size_t i = 0; i < pace->count; i++) {
        struct pace_bucket *bucket = &pace->bucket[i];
        int64_t wait_ms;

        fill(bucket, now_ms);
        if (bucket->credit >= bucket->per_ms)
            continue;
        wait_ms = divide_up(bucket->per_ms - bucket->credit, bucket->count);
        if (now_ms + wait_ms > ready_at_ms)
            ready_at_ms = now_ms + wait_ms;
    }
    return ready_at_ms;
}

int64_t pace_span_ms(const struct pace *pace, int64_t people)
{
    int64_t longest = 0;

    for (size_t i = 0; i < pace->count; i++) {
        const struct pace_bucket *bucket = &pace->bucket[i];
        int64_t span_ms =
            people / bucket->count * bucket->per_ms + divide_up(people % bucket->count * bucket->per_ms, bucket->count);
        longest = span_ms > longest ? span_ms : longest;
    }
    return longest;
}
