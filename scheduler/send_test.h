/* send_test.h - `onsale send-test`: one real message of a rule to one address, marked as a test, outside the ledger.
 * Loop thread. */
#ifndef ONSALE_SEND_TEST_H
#define ONSALE_SEND_TEST_H

#include "outside.h"
#include "world.h"

/* About the next notice of the rule that has tickets to name, else about sample tickets. NULL, with `err`: `done` is
 * never called. */
struct letter *send_test(struct world *world, struct world_rule *rule, const struct address *to, outside_done_fn *done,
                         void *ctx, struct error *err);

#endif
