/* delivery.h - one person of one notice: what a source says about them, what became of them, and how such people are
 * counted. Pure values. */
#ifndef ONSALE_DELIVERY_H
#define ONSALE_DELIVERY_H

#include "text.h"

/* What a source says about one record. The least permissive word for an address wins, whatever the order. Stored. */
enum consent {
    CONSENT_YES = 0,
    CONSENT_NO = 1,    /* unsubscribed, pending, not interested, not on the list, an unknown word */
    CONSENT_NEVER = 2, /* blocklisted, bounced, complained: counts for all sources of the rule */
};

/* What became of one attempt, or of a person (design.md section 2). The numbers are stored: never change them. */
enum fate {
    FATE_NONE = 0,
    FATE_ACCEPTED = 1,
    FATE_TRY_LATER = 2,
    FATE_REFUSED = 3,
    FATE_IN_DOUBT = 4,
    FATE_RETURNED = 5,  /* claimed, never handed over: waits again */
    FATE_PASSED_ON = 6, /* a fallback takes it */
    FATE_WITHHELD = 7,
    FATES
};
const char *fate_name(enum fate fate);

/* Why a person was withheld. A closed list; the numbers are stored. */
enum withheld {
    WITHHELD_NONE = 0,
    WITHHELD_SUPPRESSED = 1, /* our own list says no */
    WITHHELD_LEFT = 2,       /* was in the first read, not in the last complete one */
    WITHHELD_OPTED_OUT = 3,  /* a record of the same source says no */
    WITHHELD_NEVER = 4,      /* some source says never mail */
    WITHHELD_EXPIRED = 5,    /* the notifier's deadline, or the moment itself, was over */
    WITHHELD_CANCELLED = 6,  /* an operator cancelled the notice */
    WITHHELD_EVENT_OFF = 7,
    WITHHELD_HIDDEN = 8,
    WITHHELD_GONE = 9,
    WITHHELD_MOVED = 10,
    WITHHELD_ADDRESS = 11,  /* the address cannot be written to (grammar) */
    WITHHELD_ATTEMPTS = 12, /* tried as often as allowed, never answered for good */
    WITHHELD_ERASED = 13,   /* their address is no longer kept: `onsale erase`, or retention took it */
    WITHHELD_REASONS
};
const char *withheld_name(enum withheld reason);

/* What came back after a message had been accepted. The numbers are stored. */
enum feedback {
    FEEDBACK_NONE = 0,
    FEEDBACK_HARD = 1,      /* there is no such mailbox: never again */
    FEEDBACK_SOFT = 2,      /* full, or not now */
    FEEDBACK_POLICY = 3,    /* about the sender or the message, never about the person */
    FEEDBACK_COMPLAINT = 4, /* called spam: never again */
    FEEDBACKS
};
const char *feedback_name(enum feedback kind);    /* "hard" */
enum feedback feedback_by_name(const char *name); /* FEEDBACK_NONE for a word that is none */
bool feedback_suppresses(enum feedback kind);

/* Counts are of people: planned = waiting + accepted + refused + in_doubt + withheld. `claimed` of the waiting ones
 * are in somebody's hands right now. */
struct tally {
    int64_t planned, waiting, accepted, refused, in_doubt, withheld, claimed;
};
/* A notice that ended for everybody left (cancelled, expired, event off): who waits and is not in somebody's hands is
 * withheld for that one reason, without a row for each. */
struct tally tally_with_rest(struct tally tally, enum withheld rest);

#endif
