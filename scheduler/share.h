/* share.h - how the room on one notifier is divided among the notices that send at once. Pure; no clock.
 *
 * While somebody of each class waits, openings get six of eight, the other two classes one each; a class without
 * anybody leaves its part to the others. Within a class all get the same, whatever their size: at most SHARE_STEP more
 * than any other that wanted as much. Who comes new has its first turn before anybody of its class has a second, begins
 * with one person, and does not catch up on what was divided before it came. */
#ifndef ONSALE_SHARE_H
#define ONSALE_SHARE_H

#include <stddef.h>
#include <stdint.h>

enum { SHARE_STEP = 8 }; /* people at a time: every claim costs the ledger as much as several people */

enum share_class {
    SHARE_OPENING, /* first attempts of what is said at the moment a sale starts */
    SHARE_OTHER,   /* first attempts of everything else */
    SHARE_AGAIN,   /* who is tried again */
    SHARE_CLASSES
};

/* One notice's people of one class. Zero bytes, but for its class, is one that has had nothing yet. */
struct share_flow {
    enum share_class class;
    void *owner;        /* the caller's */
    int64_t wants;      /* people who could be claimed now */
    int64_t gets;       /* the answer */
    int64_t level, had; /* kept here from one division to the next */
    size_t place;
};

struct share { /* of one notifier; zero bytes at the beginning */
    int64_t level[SHARE_CLASSES];
    int64_t turn[SHARE_CLASSES], now;
};

/* Divides `room` among the flows, of whom at most `most` get anything; what they cannot take is left over. They are put
 * into the order of their classes. */
void share_divide(struct share *share, struct share_flow **flows, size_t count, int64_t room, size_t most);

#endif
