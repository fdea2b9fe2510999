/* launch_private.h - one notice's launch, shared by the files that tell its life: launch.c (what is to be done in each
 * state), launch_gate.c (the question before each release), launch_end.c (sending to done), launch_operator.c
 * (what people may do), launch_orphan.c (without a rule), launches.c (all of them). */
#ifndef ONSALE_LAUNCH_PRIVATE_H
#define ONSALE_LAUNCH_PRIVATE_H

#include "launch.h"
#include "roll.h"

struct launch {
    struct world *world;
    struct notice *notice;
    struct world_rule *rule;
    struct world_site *site;
    struct channel *channel;         /* the rule's; for one that has claims, the one they went to */
    bool orphaned;                   /* ... has left the configuration */
    const struct message_mail *mail; /* what is the channel's on each message */
    struct alarm alarm;

    struct launch_rows *saving; /* its row is on its way with these, or NULL */
    bool dirty;                 /* it is to be stored, or has changed meanwhile */
    bool released;              /* and claims may be made as soon as the row is given to the store */
    int64_t save_after_ms;

    struct roll *roll;       /* its people */
    int64_t prepared_for_ms; /* the due time that all is made ready for */
    bool looked;             /* ... the gate as well */

    struct gate_question *question; /* in flight, or NULL */
    int64_t gate_since_ms;
    unsigned gate_tries;
    int64_t asked_at_ms, ask_at_ms, evidence_at_ms;
    unsigned asked_in_a_row; /* questions before the last one, each soon after another */

    struct message_batch *ahead; /* what will be sent if nothing changes until the release, or NULL */
    struct store_job *asking;    /* the ledger, for the tongues; or NULL */
    json_t *tongues;             /* what its people read, while it is made ready; NULL: nothing to do */
    size_t tongue;
    struct alarm next_tongue;
    struct sending *sending;
    int64_t finished, progress_at_ms;
    bool stall_told;
    bool reported;       /* the report of its end was said by this start */
    int64_t policy_held; /* came back for policy when it was held for that; 0: it was not */
};

/* Rows of notices in one transaction. */
struct launch_rows {
    struct launches *launches;
    struct store_job *job;
    struct launch **of; /* NULL: gone meanwhile */
    size_t count;
    struct launch_rows *next, **link;
};
struct sleeper {
    int64_t at_ms;
    struct notice *notice;
};
struct launches {
    struct world *world;
    struct launch **at; /* by notice id */
    size_t count, cap;
    struct sleeper *asleep; /* a heap: the next one is at 0 */
    size_t asleep_count, asleep_cap;
    struct alarm wake;
    struct alarm store_soon;
    struct launch_rows *rows; /* on their way */
    struct evidence {
        int64_t notice, at_ms;
        char *json;
    } * evidence;
    size_t evidence_count;
    struct alarm evidence_soon;
    struct orphan *orphans; /* whose claims are being named */
};

/* Wakes it if need be; NULL: it is at rest, or the configuration does not know it. */
struct launch *launches_find(struct launches *launches, int64_t notice);
int64_t launch_now_ms(const struct launch *launch);
void launch_look(struct launch *launch);
/* Its row goes to the store in the next turn of the loop, with those of all others that changed in this one: 300
 * released at once are one job. */
void launch_save(struct launch *launch);
bool launch_unsaved(const struct launch *launch); /* and nothing hinders it */
void launch_saved(struct launch *launch, const struct error *failure);
void launch_move(struct launch *launch, enum notice_state to, enum notice_reason reason, const char *text);

struct roll *launch_roll(struct launch *launch); /* a new one for it; roll_free() it */
/* All of it was announced for another moment: the rule's if_told. */
void launch_was_told(struct launch *launch);

/* launches.c */
void launches_store_soon(struct launches *launches);
void launches_store(struct launches *launches); /* now: what is asked of the store from here on finds the rows */
void launch_leave_rows(struct launch *launch);
/* Nobody waits for it, what it proves is in the log as well: it goes to the store when the first claims have. */
void launches_keep_evidence(struct launches *launches, int64_t notice, int64_t at_ms, const char *json);

/* launch_orphan.c */
void launches_end_orphan(struct launches *launches, struct notice *notice);
void launches_forget_orphans(struct launches *launches);

/* launch_gate.c */
size_t launch_members(const struct launch *launch, const struct definition ***out); /* behind it now; free() them */
void launch_ask(struct launch *launch);
/* Whatever was heard so far, it is asked anew before anything leaves. */
void launch_forget_gate(struct launch *launch);
/* What was heard last is not enough any more. Whoever has it asked again and again waits a little longer each time: the
 * site's budget of requests is there for others, too. */
void launch_ask_anew(struct launch *launch);
void launch_withdraw(struct launch *launch, enum notice_reason reason);

/* launch_tongues.c: makes `ahead` ready for the languages and zones of the people, one each turn of the loop. */
void launch_speak(struct launch *launch);
void launch_hush(struct launch *launch); /* no more of it */

/* launch_end.c */
int64_t launch_deadline_ms(const struct launch *launch);
void launch_open(struct launch *launch);
void launch_go_on(struct launch *launch);                      /* evidence is fresh: claims may be made */
int launch_rehearse(struct launch *launch, struct error *err); /* -1: the message cannot be made */
void launch_finish(struct launch *launch);
bool launch_settle_report(struct launch *launch); /* says what is still owed; false: look again in a moment */
void launch_free(struct launch *launch);

#endif
