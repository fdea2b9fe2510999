/* dispatch.h - claims people, renders their messages, hands them to a channel, and puts their fates into the ledger.
 * One line per channel, any number of notices sending on it at once. Loop thread.
 *
 * Nothing leaves without a claim on disk; of a channel's claims never more than doubt_max are without a fate on disk.
 */
#ifndef ONSALE_DISPATCH_H
#define ONSALE_DISPATCH_H

#include "world.h"

struct sending; /* one released notice on its channel; owned by who opened it */

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
