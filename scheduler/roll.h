/* roll.h - the people of one notice: when its audiences are read, and whether what was read counts (design.md promise
 * 6). A full read well ahead; a sweep, the second one, to hear who left; the change feed right before T. Loop thread.
 *
 * A launch owns its roll and asks it, whenever it looks, for what has its time. Each such call answers when it wants to
 * be asked again, by the wall clock; MOMENT_NONE: at no moment of its own, also because a read is under way that says
 * when it ends. What a read means for the life of the notice is the launch's business. */
#ifndef ONSALE_ROLL_H
#define ONSALE_ROLL_H

#include "world.h"

struct roll;

struct roll_spec { /* borrowed things outlive the roll */
    struct world *world;
    struct notice *notice; /* its passes, estimate and planned people are kept current here */
    const struct world_rule *rule;
    void (*changed)(void *ctx); /* the notice's row: it has to be stored. Also from inside the calls below */
    /* A read has ended, always later from the loop. `complete`: the row has changed, everybody was read to the end;
     * else it is tried again, or only changes were read. */
    void (*ended)(void *ctx, bool complete);
    void *ctx;
};

struct roll *roll_new(const struct roll_spec *spec);
void roll_free(struct roll *roll);   /* NULL is fine */
void roll_cancel(struct roll *roll); /* the read under way, if there is one, says nothing any more */

/* A full read at that moment, or as soon as the last one's failure allows. */
int64_t roll_read(struct roll *roll, int64_t at_ms, int64_t now_ms);
/* The sweep: over `ahead_ms` before the notice is due, where that fits. */
int64_t roll_sweep(struct roll *roll, int64_t ahead_ms, int64_t now_ms);
/* The change feed, where all its audiences have one: it says nearly as much as a sweep, and later. */
int64_t roll_read_changes(struct roll *roll, int64_t now_ms);
/* No room on the disk for more people: what is being read is given up. */
int64_t roll_give_up(struct roll *roll, int64_t now_ms);
bool roll_reads_changes(const struct roll *roll); /* at this moment */

/* The due time is another one: sweep and change feed are wanted once more. */
void roll_renew(struct roll *roll);
void roll_forget_failure(struct roll *roll);
void roll_forget_delay(struct roll *roll); /* a failed read may be tried again at once */

/* Were these very audiences read to their end, young enough at that moment to release by? */
bool roll_is_fresh(const struct roll *roll, int64_t at_ms);
/* ... to go on by? Once somebody is claimed the list is closed, and it does not matter what other audiences say. */
bool roll_still_counts(const struct roll *roll, int64_t at_ms);
/* Why the last read failed, until one succeeds; NULL: it did not. */
const char *roll_failure(const struct roll *roll);
bool roll_is_delayed(const struct roll *roll, int64_t now_ms); /* ... and the next one has to wait for that */

#endif
