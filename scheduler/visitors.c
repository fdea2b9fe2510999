#include "visitors.h"

#include <string.h>

enum { SETS = 1024, WAYS = 8, BURST_MS = 2000, BURST_MIN = 10 };

struct visitor {
    struct origin group;
    bool used;
    int64_t at_ms;  /* of the last request */
    int64_t credit; /* in per_ms-ths of a request, so that no rate is ever rounded */
};

struct visitors {
    struct config_rate rate;
    int64_t full; /* the most credit */
    uint64_t seed;
    struct visitor table[SETS][WAYS];
};

struct visitors *visitors_new(struct config_rate rate, uint64_t seed)
{
    struct visitors *visitors = must_calloc(1, sizeof *visitors);
    int64_t burst = rate.count * BURST_MS / rate.per_ms;

    visitors->rate = rate;
    visitors->full = (burst > BURST_MIN ? burst : BURST_MIN) * rate.per_ms;
    visitors->seed = seed;
    return visitors;
}

void visitors_free(struct visitors *visitors)
{
    free(visitors);
}

/* The finalizer of splitmix64 over both halves, keyed. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

static size_t set_of(const struct visitors *visitors, const struct origin *group)
{
    uint64_t half[2];

    memcpy(half, group->bytes, sizeof half);
    return mix(mix(half[0] ^ visitors->seed) + (half[1] ^ (visitors->seed >> 7))) % SETS;
}

static struct visitor *find(struct visitors *visitors, const struct origin *group, int64_t now_ms)
{
    struct visitor *set = visitors->table[set_of(visitors, group)], *oldest = set;

    for (struct visitor *visitor = set; visitor < set + WAYS; visitor++) {
        if (visitor->used && origin_equal(&visitor->group, group))
            return visitor;
        if (oldest->used && (!visitor->used || visitor->at_ms < oldest->at_ms))
            oldest = visitor;
    }
    *oldest = (struct visitor){.group = *group, .used = true, .at_ms = now_ms, .credit = visitors->full};
    return oldest;
}

/* With the credit that it has by now. */
static struct visitor *look(struct visitors *visitors, const struct origin *from, int64_t now_ms)
{
    struct origin group = origin_group(from);
    struct visitor *visitor = find(visitors, &group, now_ms);
    int64_t quiet_ms = now_ms - visitor->at_ms, earned = 0;

    if (quiet_ms > 0 && __builtin_mul_overflow(quiet_ms, visitors->rate.count, &earned))
        earned = visitors->full;
    visitor->credit = earned < visitors->full - visitor->credit ? visitor->credit + earned : visitors->full;
    visitor->at_ms = now_ms;
    return visitor;
}

static int64_t wait_ms(const struct visitors *visitors, const struct visitor *visitor)
{
    int64_t missing = visitors->rate.per_ms - visitor->credit;

    return missing <= 0 ? 0 : (missing + visitors->rate.count - 1) / visitors->rate.count;
}

int64_t visitors_wait_ms(struct visitors *visitors, const struct origin *from, int64_t now_ms)
{
    return wait_ms(visitors, look(visitors, from, now_ms));
}

int64_t visitors_take(struct visitors *visitors, const struct origin *from, int64_t now_ms)
{
    struct visitor *visitor = look(visitors, from, now_ms);
    int64_t wait = wait_ms(visitors, visitor);

    if (wait == 0)
        visitor->credit -= visitors->rate.per_ms;
    return wait;
}
