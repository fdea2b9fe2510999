/* outside.h - messages outside the ledger: operators' mails and tests. They leave through a channel like any other, as
 * deliveries of notice 0, and whoever sent one may hear what became of it. Loop thread. */
#ifndef ONSALE_OUTSIDE_H
#define ONSALE_OUTSIDE_H

#include "channel.h"

struct outside;
struct letter; /* one on its way that somebody waits for */

/* Always later from the loop. `result` is gone after it; NULL: the channel was closed before it answered. */
typedef void outside_done_fn(void *ctx, const struct channel_result *result);

struct outside *outside_new(void);
bool outside_quiet(const struct outside *outside); /* no letter is on its way */
/* Who still waits hears NULL; no result may come any more. */
void outside_free(struct outside *outside);

/* `delivery`: notice, seq and attempt are filled here, the message is taken over. The letter is the caller's to forget
 * until `done` is called. */
struct letter *outside_send(struct outside *outside, struct channel *channel, struct channel_delivery *delivery,
                            outside_done_fn *done, void *ctx);
void outside_forget(struct letter **letter); /* it leaves all the same, `done` is not called; NULL inside is fine */
/* A delivery of notice 0 has come back. */
void outside_finish(struct outside *outside, const struct channel_result *result);

#endif
