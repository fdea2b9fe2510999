/* dispatch_private.h - what the files of dispatch share: dispatch.c (lines, and their turns of the ledger), sending.c
 * (one notice on a line), dispatch_claims.c (who is claimed next), dispatch_person.c (one person's message out, one
 * person's fate in) and dispatch_put_off.c (who is to be tried again, told). */
#ifndef ONSALE_DISPATCH_PRIVATE_H
#define ONSALE_DISPATCH_PRIVATE_H

#include "again.h"
#include "brake.h"
#include "dispatch.h"
#include "index.h"
#include "metrics.h"
#include "seldom.h"
#include "sending.h"
#include "share.h"

enum { CLAIMS_MAX = 128 }; /* of one turn of the ledger: it stays short */

struct put_off {
    char said[200];       /* "450 4.2.0 ...", the last answer of its kind; "" nobody is put off */
    int64_t since_ms;     /* by the monotonic clock */
    struct seldom seldom; /* in the log */
};

struct sending {
    int64_t notice; /* its id; comes first: the line's index finds it by that */
    struct line *line;
    struct sending_spec spec;
    struct message_batch *batch; /* NULL until the release */
    struct sending_events events;
    struct store_job *opening; /* store_launch in flight */
    bool open;                 /* the ledger has told where we stand */
    bool stale;                /* it has to tell again, as soon as nothing is out */
    bool stopped, told_done, told_expired;
    enum notice_reason fault; /* the owner has not heard of it; NONE: there is nothing to hear */
    char *fault_text;
    uint32_t claimed_to;
    bool exhausted; /* no first attempts behind claimed_to */
    struct again again;
    struct share_flow firsts, retries;
    int64_t allowed_until_ms;
    size_t out; /* asked for or claimed, fate not on disk */
    struct brake brake;
    int braked_by; /* the code that stopped it; 0: none did */
    struct put_off put_off;
    struct sending *next;
};

/* People of one turn, claimed and not yet handed over. */
struct hand {
    struct arena arena; /* they lie in it */
    const struct store_delivery *at;
    size_t count;
    struct hand *next;
};

/* One channel: its sendings take turns; at most one turn of the ledger is in flight, what happens meanwhile is gathered
 * for the next, so that commits are shared by themselves under load. */
struct line {
    struct dispatch *dispatch;
    struct channel *channel;
    struct sending *sendings;
    struct index by_notice;    /* the same ones */
    struct share share;        /* of the room among them */
    struct share_flow **flows; /* twice as many as sendings; for one division */
    size_t sending_count, flow_cap;
    struct store_fate *fates;
    size_t fate_count, fate_cap;
    struct store_job *turn;
    struct store_fate *turn_fates;
    size_t turn_fate_count;
    struct turn_claim {
        struct sending *sending;
        size_t want;
        struct store_again *list;
        size_t list_count;
    } claims[CLAIMS_MAX];
    size_t claim_count;
    int64_t store_failed_until_ms;
    struct store_job *keeping; /* what the receiver asked for */
    struct hand *hands;        /* the oldest first */
    struct metric_series *late, *brakes, *fated[FATES], *withheld[WITHHELD_REASONS];
    struct alarm wake;
    struct line *next;
};

struct dispatch {
    struct world *world;
    struct line *lines;
    struct message message; /* the one being rendered */
};

/* dispatch.c */
int64_t line_now_ms(const struct line *line);
struct line *line_of(struct dispatch *dispatch, const struct channel *channel); /* NULL: unknown */
struct sending *line_sending(struct line *line, int64_t notice);                /* NULL: nothing of it is open */
void line_add_sending(struct line *line, struct sending *sending);
void line_remove_sending(struct line *line, struct sending *sending);
void line_add_fate(struct line *line, const struct store_fate *fate); /* for the next turn; copies */
/* Starts whatever may start now. From the loop alone: here the owners of sendings are called. */
void line_drain(struct line *line);
/* ... at the next turn of the loop: whoever else is allowed in this one has their share from the first claim on. */
void line_drain_soon(struct line *line);
/* What hinders a write hinders the next one: until disk.c finds the disk well, fates alone are tried. */
void dispatch_note_disk(struct dispatch *dispatch, const struct error *failure);

/* sending.c */
void sending_refresh(struct sending *sending); /* asks the ledger anew, when it has to and nothing is out */
void sending_fault(struct sending *sending, enum notice_reason reason, const char *text); /* claims stop here */
bool sending_has_news(const struct sending *sending, int64_t now_ms);                     /* for its owner */
void sending_tell(struct sending *sending, int64_t now_ms); /* one of them; it may be closed then */

/* dispatch_claims.c */
bool sending_paused(const struct sending *sending);          /* it, its notifier, or everything */
bool sending_wants(struct sending *sending, int64_t now_ms); /* somebody of it could be claimed now */
/* Fills line->claims and `out` (CLAIMS_MAX of them) as far as there is room; how many. */
size_t line_choose_claims(struct line *line, struct store_claim *out, int64_t now_ms);
void line_take_claims(struct line *line, const struct store_turned *result);
void line_drop_claims(struct line *line);   /* none was made */
void line_forget_claims(struct line *line); /* nobody hears what becomes of them */

/* dispatch_put_off.c */
void dispatch_put_off(struct sending *sending, const char *said); /* one person, for their receiver's sake */
void line_look_at_put_off(struct line *line);                     /* after each turn of the ledger */

/* dispatch_person.c */
void dispatch_hand_over(struct sending *sending, const struct store_delivery *delivery, int64_t now_ms);
void dispatch_finish(void *dispatch, struct channel *channel, const struct channel_result *result);
void line_meter(struct line *line); /* what it counts in */
/* The turn's fates, which the ledger has from now on. */
void line_count_fates(const struct line *line, const struct store_turned *result);

#endif
