/* sync_private.h - what the files of sync share: sync.c (walks: what the site says), sync_nudge.c (what others say
 * of it, read again) and sync_plan.c (what follows from it: the mirror, openings, notices, the store). */
#ifndef ONSALE_SYNC_PRIVATE_H
#define ONSALE_SYNC_PRIVATE_H

#include "gatekeeper.h"
#include "seldom.h"
#include "sync.h"

/* An event about which something is to be done, in the order of its becoming so. */
struct touched {
    char *event_id;
    struct definition **news; /* not in the mirror yet: they enter it in the moment in which the event is planned */
    size_t count;
    struct touched *next, **link;
};
struct touched_events { /* touched_init() */
    struct touched *first, **last;
    struct index by_id;
    size_t count;
};

/* What was heard of and is to be read again. */
enum { NUDGED_MAX = 1000 };
struct nudges {
    struct rumour {
        char *id;
        int64_t revision;
        unsigned tries; /* that failed */
    } at[NUDGED_MAX];
    size_t count, asked_count;      /* the first so many are in `request` */
    struct source_request *request; /* the read in flight, or NULL */
    struct alarm soon;
    int64_t read_mono_ms, walked_mono_ms; /* the last read; the last walk that was wanted here. MOMENT_NONE: none yet */
    bool want_walk;
    bool failed; /* the last read did: the next one comes later */
};

struct sync {
    struct world *world;
    struct world_site *site;
    struct alarm alarm;
    struct source_request *walk;
    bool walking_full;
    bool want_full;
    uint32_t walk_number; /* of the last full walk */
    size_t seen;          /* so many of the mirror's definitions has it seen */
    struct gate_question *suspects;
    struct nudges nudges;
    int64_t last_full_at_ms, failures;
    int64_t well_mono_ms; /* when a walk last succeeded; MOMENT_NONE before the first */
    struct error failure; /* of the last walk; ERROR_NONE: it was fine */
    struct error told;    /* ... what the log has of it */
    struct seldom seldom;
    struct error bad_why; /* last said of records that could not be read */

    struct touched_events unplanned, unstored;
    struct alarm plan_soon;  /* the rest of `unplanned`, when others have had their turn */
    struct alarm store_soon; /* what need not be on disk at once, or could not be stored */
    struct store_job *applying;
    struct touched_events storing; /* what `applying` holds */
    bool facts_due;                /* the watermark or the first walk, when everything else is on disk */
    bool storing_facts;            /* ... they are in `applying` */
    bool first_walk_now;
    char **removed; /* ids of definitions that went, until that is on disk */
    size_t removed_count;
    size_t removing_count; /* so many of them, the first, are in the change on its way */
};

static inline int64_t sync_now_ms(const struct sync *sync)
{
    return clock_now_ms(sync->world->clock);
}

/* sync.c */
/* Full walks stand still around a gate, so that its requests find the budget and the line free. */
bool sync_gate_is_near(const struct sync *sync, int64_t now_ms);
/* The mirror takes what the source answered, and what follows for those events is planned. */
void sync_take_answer(struct sync *sync, const struct source_answer *answer);

/* sync_nudge.c */
void sync_nudges_init(struct sync *sync);
void sync_nudges_clear(struct sync *sync);

/* sync_plan.c */
void sync_plan_init(struct sync *sync);
void sync_plan_clear(struct sync *sync);
/* Would the mirror take it: a higher revision, or the same with other content (events change without their
 * definitions). Lower ones are stale answers. */
bool sync_is_news(const struct sync *sync, const struct definition *fresh);
/* It is in the mirror when its event is planned. */
void sync_take(struct sync *sync, struct definition *fresh);
/* It is in the mirror now; its event is to be planned if that makes a difference. */
void sync_take_now(struct sync *sync, struct definition *fresh);
void sync_drop(struct sync *sync, const char *id); /* it is in the mirror no more */
void sync_touch(struct sync *sync, const char *event_id);
void sync_touch_all(struct sync *sync);
/* Plans what was touched, a little at a time, and stores what follows. */
void sync_plan(struct sync *sync);
/* The same, beginning in another turn of the loop when it is much. */
void sync_plan_walk(struct sync *sync);
/* Plans these now, and whatever else was touched in a while. */
void sync_plan_first(struct sync *sync, const char *const *event_ids, size_t count);

#endif
