/* notice.h - one rule at one moment: its identity, its life, its counts. Pure values.
 * Identity is (site, subject, rule, kind, at, edition); the definitions behind it are content, never identity. */
#ifndef ONSALE_NOTICE_H
#define ONSALE_NOTICE_H

#include "delivery.h"
#include "index.h"
#include "rule.h"

enum notice_state {
    NOTICE_PLANNED,
    NOTICE_GATHERING,
    NOTICE_READY,
    NOTICE_HELD,
    NOTICE_SENDING,
    NOTICE_DONE,
    NOTICE_MISSED,
    NOTICE_WITHDRAWN,
    NOTICE_CANCELLED,
    NOTICE_STATES
};

/* Why it is held, missed, withdrawn or ended without telling everybody. The words are part of the contract. */
enum notice_reason {
    REASON_NONE,
    REASON_UNVERIFIED,   /* the source gave no answer at the gate */
    REASON_NOT_STARTED,  /* the source still says: scheduled */
    REASON_ALREADY_TOLD, /* everyone behind it was told of another moment before */
    REASON_CONSENT,      /* no complete, young enough read of the audience */
    REASON_MESSAGE,      /* receivers refuse the message itself */
    REASON_CHANNEL,      /* the notifier cannot work */
    REASON_COPY,         /* this state is a copy of another's */
    REASON_DISK,
    REASON_OPERATOR,
    REASON_BEFORE_OUR_TIME, /* missed: the moment was before we were responsible */
    REASON_LATE,            /* missed: catch_up was over */
    REASON_MOVED,           /* withdrawn: no visible definition has that instant any more ... */
    REASON_HIDDEN,
    REASON_GONE,
    REASON_EVENT_OFF, /* ... its event was cancelled, ended or unpublished */
    REASON_SOLD_OUT,  /* withdrawn by if_sold_out: drop */
    REASON_RULE,      /* withdrawn: its rule left the configuration, or speaks of it no more */
    REASON_ENDED,     /* withdrawn at the gate: the sale was over already */
    REASONS
};

const char *notice_state_name(enum notice_state state);
const char *notice_reason_name(enum notice_reason reason);
/* Why everybody left is withheld when a notice that has begun is withdrawn for that reason. */
enum withheld withheld_by(enum notice_reason reason);
int notice_state_parse(struct text t, enum notice_state *out); /* -1 for an unknown word */

/* What has come of a notice so far: whom it has, when what happened, what others said. */
struct notice_course {
    char *reason_text;      /* what the other side said; NULL when nothing; owned, as are the other texts */
    int64_t pass;           /* number of the last complete read of the audiences, from 1; 0 before */
    int64_t begun;          /* number of the last read begun, complete or not: no number is used twice */
    int64_t begun_at_ms;    /* when that was; MOMENT_NONE before */
    int64_t gathered_at_ms; /* when that read began; MOMENT_NONE before */
    int64_t released_at_ms; /* the gate said go; MOMENT_NONE before */
    int64_t first_handover_at_ms, last_handover_at_ms, ended_at_ms;
    int64_t estimate;       /* people expected, from the last count; -1 unknown */
    int64_t will_finish_ms; /* forecast: from due to its last hand-over; -1 unknown */
    char *forecast;         /* ... in words; NULL: nobody has thought about it */
    int64_t made_of;        /* fingerprint of the audiences it was gathered from; 0 before */
    char *channel;          /* the notifier that has claims of it; NULL before the release */
    char **members;         /* ids of the definitions named at release; NULL before */
    size_t member_count;
    struct tally tally; /* as of the last ledger answer */
};

/* Small: most of a hundred thousand wait for their time. */
struct notice {
    int64_t id;
    int64_t roll; /* the list of people it has in the store: its own id, or taken over; 0: handed on */
    const char *site, *subject, *rule;
    const struct notice_course *course; /* to read; what has none of its own shares one that says: nothing so far */
    int64_t at_ms;
    int64_t due_at_ms;
    int64_t wakes_at_ms; /* while nothing is to be done for it: when that will be; who launches keeps it */
    struct notice *next; /* of its set, about the same subject, of a lower id */
    int edition;
    enum moment_kind kind : 2;
    enum notice_state state : 5;
    enum notice_reason reason : 8;
    enum withheld rest : 8; /* why everybody left is withheld, or WITHHELD_NONE */
    bool paused : 1;
    bool claimed : 1;         /* has ever claimed a delivery: can never be planned again */
    bool approved : 1;        /* an operator released it although its people were told before */
    bool will_not_fit : 1;    /* the forecast is longer than the rule's finish_within */
    bool unsaved : 1;         /* planning changed it since it was last stored */
    bool owes_report : 1;     /* it is done, and nobody may have heard of it yet */
    bool catch_up_waived : 1; /* a late release by an operator (--anyway) */
    bool in_set : 1;          /* its site, subject and rule are the set's; else its own */
};

/* Its own course, to write. */
struct notice_course *notice_course(struct notice *notice);

/* Copies the identity; state planned, moments none. */
struct notice *notice_new(int64_t id, const char *site, const char *subject, const char *rule, enum moment_kind kind,
                          int64_t at_ms, int edition);
void notice_free(struct notice *notice);
bool notice_final(const struct notice *notice); /* done, missed, cancelled */
bool notice_begun(const struct notice *notice); /* somebody was told, or may have been, and others wait */
/* May it move there? One table; notice_move() asserts it. */
bool notice_may_move(const struct notice *notice, enum notice_state to);
/* Sets state and reason, and keeps a copy of `text` (NULL: nothing to say) as reason_text. */
void notice_move(struct notice *notice, enum notice_state to, enum notice_reason reason, const char *text);
void notice_set_members(struct notice *notice, const char *const *ids, size_t count);

struct notices {
    struct notice **at; /* by id, ascending */
    size_t count, cap;
    int64_t next_id;          /* one above the highest so far; 0 (and an empty set) counts as 1 */
    struct index by_identity; /* of the highest editions */
    struct index by_subject;  /* the highest id of each site's subject; `next` leads on */
    struct index names;       /* of sites, subjects and rules: many notices share one text */
};
void notices_clear(struct notices *set);
void notices_put(struct notices *set, struct notice *notice); /* takes ownership; its id is not in the set yet */
struct notice *notices_find(const struct notices *set, int64_t id);
/* The one of the highest id about a subject of a site, or NULL; `next` leads to the others. */
struct notice *notices_about(const struct notices *set, const char *site, const char *subject);
/* The highest edition with this identity, or NULL. */
struct notice *notices_match(const struct notices *set, const char *site, const char *subject, const char *rule,
                             enum moment_kind kind, int64_t at_ms);

#endif
