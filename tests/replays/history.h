/* history.h - a random history: where it stands, and what must hold in it. */
#ifndef ONSALE_REPLAY_HISTORY_H
#define ONSALE_REPLAY_HISTORY_H

#include "words.h"

enum {
    HISTORY_EVENTS = 3,
    HISTORY_TICKETS = 9, /* three of each event */
    HISTORY_PEOPLE = 12,
    HISTORY_LOYAL = 3,                   /* the first ones never leave, and nobody refuses them */
    HISTORY_SLOT_MS = 5 * MINUTE_MS,     /* sales begin and end at such instants, so that they meet */
    HISTORY_AFTERWARDS_MS = 8 * HOUR_MS, /* by then everything has ended */
};

/* Instants are true ones, whatever the machine's clock shows; 0 never. */
struct history {
    struct replay replay;
    uint64_t seed, state;
    int64_t doubt_max;
    int64_t in_hand_ms; /* who was claimed has the message so long after, at most */
    bool trusting;      /* a rule sends also what nobody could verify, */
    bool retelling;     /* ... or what all of was told before */
    char paused[32];    /* since paused_at_ms: a notice, the notifier, or everything */
    int64_t paused_at_ms, suppressed_at_ms[HISTORY_PEOPLE], erased_at_ms[HISTORY_PEOPLE];
    int64_t changed_at_ms[HISTORY_EVENTS]; /* last change of an event's tickets */
    bool lost;                             /* nobody finds the list of the fans */
    int64_t *told;                         /* notices that have claimed, in the order of it */
    size_t told_count;
    int64_t *letters; /* of which notice each letter is */
    size_t letter_count;
};

int64_t history_true_ms(const struct history *history);
void history_address(unsigned person, char out[64]);
/* After every step. */
void history_watch(struct history *history);
/* When everything has come to rest. */
void history_look_back(struct history *history);
void history_clear(struct history *history);

#endif
