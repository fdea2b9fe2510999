/* dispatch.h - claims people, renders their messages, hands them to a channel, and puts their fates into the ledger.
 * One line per channel, any number of notices sending on it at once (sending.h). Loop thread.
 *
 * Nothing leaves without a claim on disk; of a channel's claims never more than doubt_max are without a fate on disk.
 */
#ifndef ONSALE_DISPATCH_H
#define ONSALE_DISPATCH_H

#include "world.h"

struct dispatch *dispatch_new(struct world *world);
void dispatch_free(struct dispatch *dispatch); /* every sending is closed by then */
struct channel_events dispatch_channel_events(struct dispatch *dispatch);
void dispatch_add_channel(struct dispatch *dispatch, struct channel *channel);
/* Whether a notice is open on it: released, or about to be. */
bool dispatch_sends_on(struct dispatch *dispatch, const struct channel *channel);
/* Starts whatever may start now. Call it after any change (a pause lifted), as often as you like. */
void dispatch_drain(struct dispatch *dispatch);
/* Something was paused: who of it was claimed, and has not been begun with, waits again. */
void dispatch_call_back(struct dispatch *dispatch);
/* Is anything claimed or any fate not on disk? For an orderly stop. */
bool dispatch_quiet(const struct dispatch *dispatch);

/* People of a notice whose own receivers asked us to come again (450 and the like), while it is being sent. */
struct dispatch_put_off {
    int64_t people, next_at_ms;  /* the first of them */
    const char *notifier, *said; /* the last such answer; until the loop goes on */
};
bool dispatch_put_off_of(const struct dispatch *dispatch, const struct notice *notice, struct dispatch_put_off *out);

#endif
