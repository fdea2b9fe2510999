/* consent.h - what people say themselves about being written to. Their unsubscribe and what marketing tools have to
 * hear of it are stored in one transaction; it counts from the next claim on, also for who was gathered long ago. Loop
 * thread. */
#ifndef ONSALE_CONSENT_H
#define ONSALE_CONSENT_H

#include "crypt_token.h"
#include "world.h"

/* From the audience of the ticket, or from everything. The tool of that audience is told, or every one that can be
 * written to. `count` is 0 when that was said before: nothing is new and nobody is told. NULL: what the ticket says is
 * no address. */
struct store_job *consent_unsubscribe(struct world *world, const struct unsubscribe_ticket *ticket, bool all,
                                      store_count_fn *done, void *ctx, struct error *err);

/* The suppression that this would store; its texts live in `arena`. The caller stores it, and calls writeback_look()
 * behind that. */
int consent_word(struct world *world, const struct unsubscribe_ticket *ticket, bool all, struct arena *arena,
                 struct store_suppression *out, struct error *err);

#endif
