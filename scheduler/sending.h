/* sending.h - one released notice on its channel: opened ahead, given what it says, allowed for as long as the gate's
 * evidence is good, stopped, closed. Loop thread. dispatch.h claims for it while it is allowed. */
#ifndef ONSALE_SENDING_H
#define ONSALE_SENDING_H

#include "world.h"

struct sending; /* owned by who opened it */

struct sending_spec {      /* borrowed things outlive the sending */
    struct notice *notice; /* its tally and hand-over times are kept current here */
    const struct rule *rule;
    struct channel *channel;
    int64_t deadline_ms; /* nothing is claimed from then on */
};

/* All called from the loop, never from inside a call of the owner's; so nothing below starts before the next turn of
 * the loop either. */
struct sending_events {
    void (*done)(void *ctx);    /* nobody waits any more */
    void (*expired)(void *ctx); /* the deadline is over and somebody waits; what is in flight still comes home */
    void (*fault)(void *ctx, enum notice_reason reason, const char *text); /* claims have stopped: hold it */
    void (*stopped)(void *ctx); /* after sending_stop(): the last claim has come home */
    void *ctx;
};

/* Asks the ledger where the notice stands. */
struct sending *sending_open(struct dispatch *dispatch, const struct sending_spec *spec,
                             const struct sending_events *events);
/* What it sends; taken over. Without it nothing is claimed: a sending may be opened ahead of its release. */
void sending_give(struct sending *sending, struct message_batch *batch);
bool sending_has_batch(const struct sending *sending);
/* The gate's evidence is good until then: claims may be made before it. MOMENT_NONE: none may. */
void sending_allow(struct sending *sending, int64_t until_ms);
void sending_stop(struct sending *sending); /* no more claims */
/* People who are claimed, or about to be, and have no fate on disk. */
size_t sending_out(const struct sending *sending);
/* Puts people on the list again (operator's retry): the ledger has them waiting. */
void sending_reload(struct sending *sending);
void sending_close(struct sending **sending); /* only when nothing of it is in flight; NULL inside is fine */

#endif
