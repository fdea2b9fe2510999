/* breaker.h - when a notifier rests: because its receiver asked for it, or because nothing gets through. Pure: outcomes
 * and times come in. Zero bytes is one that has heard nothing, and lets everything pass.
 *
 * closed -> open -> half open (a single probe) -> closed, or open again for longer. */
#ifndef ONSALE_BREAKER_H
#define ONSALE_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum {
    BREAKER_ROW = 5,                            /* failures in a row open it, */
    BREAKER_LEAST = 20,                         /* or, of at least so many outcomes */
    BREAKER_SPAN_S = 10,                        /* ... in so many seconds, more than half */
    BREAKER_FIRST_MS = 1000,                    /* the first rest; each further one is twice as long, */
    BREAKER_FAILED_MAX_MS = 60 * 1000,          /* up to here after failures, */
    BREAKER_ASKED_MAX_MS = 5 * 60 * 1000,       /* up to here when asked to slow down without a time; */
    BREAKER_NAMED_MAX_MS = 24 * 60 * 60 * 1000, /* a named time is kept, but not for days */
    BREAKER_PROBE_MS = 60 * 1000,               /* a probe without an outcome for so long: another may try */
};

enum breaker_outcome {
    BREAKER_WORKS,  /* the other side dealt with one message, whatever it said of it */
    BREAKER_FAILED, /* it gave no answer, or none that can be understood */
    BREAKER_ASKED,  /* it asked us to wait or to slow down */
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker {
    enum breaker_state state;
    bool asked;                 /* it rests because it was asked to; else because of failures */
    bool probing;               /* half open, and somebody is on their way */
    unsigned row;               /* failures in a row */
    unsigned rests;             /* since it was closed: how long the next one is */
    int64_t since_ms, until_ms; /* open; until_ms of a probe: when another may try */
    struct breaker_second {
        int64_t at; /* seconds since 1970 */
        unsigned outcomes, failures;
    } seconds[BREAKER_SPAN_S];
};

/* Takes the next outcome; `named_ms`: how long the receiver asked us to wait, 0: no time was named; `probe`: of the one
 * that breaker_probe() let through. True: it rests from now on, or for longer than it did. */
bool breaker_takes(struct breaker *breaker, int64_t now_ms, enum breaker_outcome outcome, int64_t named_ms, bool probe);
/* It rests as an earlier start was asked to. */
void breaker_recall(struct breaker *breaker, int64_t now_ms, int64_t until_ms, unsigned rests);

/* How many may go: all (INT64_MAX), one to see whether it works, or none. */
int64_t breaker_allows(struct breaker *breaker, int64_t now_ms);
void breaker_probe(struct breaker *breaker, int64_t now_ms); /* the one goes */
/* ... and came back without having been tried: another may go after `pause_ms`. */
void breaker_no_probe(struct breaker *breaker, int64_t now_ms, int64_t pause_ms);
int64_t breaker_ready_at_ms(const struct breaker *breaker, int64_t now_ms); /* when somebody may go */
/* The way there is open again. After failures of messages that proves little: one has to go first. */
void breaker_reached(struct breaker *breaker, int64_t now_ms);
void breaker_close(struct breaker *breaker); /* it is known to work, or a person says so */

#endif
