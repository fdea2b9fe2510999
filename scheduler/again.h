/* again.h - who is to be tried again, by next time: a binary heap of the first ones. The ledger lists all of them, so
 * that memory does not grow with the audience: who comes behind the horizon is not kept, and is read when their time
 * comes. Plain memory. */
#ifndef ONSALE_AGAIN_H
#define ONSALE_AGAIN_H

#include "store/store.h"

enum { AGAIN_MOST = 2 * STORE_AGAIN_PAGE }; /* in memory */

struct again {
    struct store_again *heap;
    size_t count, cap;
    bool more;                  /* the ledger lists others, ... */
    struct store_again horizon; /* ... from this one on */
};

void again_clear(struct again *again);
/* All that the ledger lists, or with `more` those before `horizon`; what was in here is forgotten. */
void again_take_page(struct again *again, const struct store_again *list, size_t count, bool more,
                     struct store_again horizon);
void again_put(struct again *again, struct store_again entry);
/* Whoever is due has to be read from the ledger first. */
bool again_must_read(const struct again *again, int64_t now_ms);
/* The earliest one, if it is due by now. */
bool again_take(struct again *again, int64_t now_ms, struct store_again *out);
/* How many are due by now; counts no further than `most`. */
size_t again_due(const struct again *again, int64_t now_ms, size_t most);
int64_t again_next_at_ms(const struct again *again); /* of those in the ledger, too; MOMENT_NONE: nobody waits */

/* When to try again after `attempt` has failed: full jitter over min(cap, first x 2^(attempt-1)), never before what the
 * receiver asked for. `random` is any number. */
int64_t again_delay_ms(const struct retry *retry, int attempt, int64_t retry_after_ms, uint64_t random);

#endif
