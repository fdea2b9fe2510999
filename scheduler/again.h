/* again.h - who is to be tried again, by next time: a binary heap. Plain memory. */
#ifndef ONSALE_AGAIN_H
#define ONSALE_AGAIN_H

#include "store/store.h"

struct again {
    struct store_again *heap;
    size_t count, cap;
};

void again_clear(struct again *again);
void again_put(struct again *again, struct store_again entry);
/* The earliest one, if it is due by now. */
bool again_take(struct again *again, int64_t now_ms, struct store_again *out);
/* How many are due by now; counts no further than `most`. */
size_t again_due(const struct again *again, int64_t now_ms, size_t most);
int64_t again_next_at_ms(const struct again *again); /* MOMENT_NONE when empty */

/* When to try again after `attempt` has failed: full jitter over min(cap, first x 2^(attempt-1)), never before what the
 * receiver asked for. `random` is any number. */
int64_t again_delay_ms(const struct retry *retry, int attempt, int64_t retry_after_ms, uint64_t random);

#endif
