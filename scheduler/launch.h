/* launch.h - the life of each notice from planned to done: gather, sweep, gate, release, evidence, end. Loop thread.
 * Every step records what it learned and calls one function that looks at the state and starts whatever may start. */
#ifndef ONSALE_LAUNCH_H
#define ONSALE_LAUNCH_H

#include "world.h"

struct launches *launches_new(struct world *world);
/* Sendings are stopped and quiet by then. */
void launches_free(struct launches *launches);

/* After loading: gives every notice that is alive its launch when its time has come, and lets each look at its state.
 */
void launches_update(struct launches *launches);
/* After planning: the same for those about one subject. */
void launches_touch(struct launches *launches, const char *site, const char *subject);
/* Is one of the site's ready and due in that time? */
bool launches_at_gate(const struct launches *launches, const struct world_site *site, int64_t from_ms, int64_t to_ms);
/* How many notices are in each state. */
void launches_count(const struct launches *launches, size_t states[NOTICE_STATES]);
/* Has none of them anything to do before some later moment? */
bool launches_rest(const struct launches *launches);
/* No more claims; what is in flight comes home. dispatch_quiet() tells when. */
void launches_stop(struct launches *launches);
/* The wall clock was stepped: what was to happen at a moment of the old one is thought over. */
void launches_clock_stepped(struct launches *launches);
/* A channel that needed a person works again, a pause was lifted: everybody looks. */
void launches_look(struct launches *launches);

/* --- What an operator may do. Each answers at once: 0, or -1 with why it cannot be. The change is being stored. --- */

int launch_hold(struct launches *launches, int64_t notice, struct error *err);
/* `anyway`: although people were told already, or it is later than catch_up allows. */
int launch_release(struct launches *launches, int64_t notice, bool anyway, struct error *err);
int launch_cancel(struct launches *launches, int64_t notice, struct error *err);
/* A new edition of an ended notice, to the whole audience once more; *out is its id. */
int launch_again(struct launches *launches, int64_t notice, int64_t *out, struct error *err);
/* Asked before the ledger is told to put such people back on the list: refused, in doubt, or withheld for `reason`. */
int launch_may_retry(struct launches *launches, int64_t notice, enum fate fate, enum withheld reason,
                     struct error *err);
/* Something came back, and is stored. When much of what was accepted comes back for policy while a notice is sent,
 * whoever is left waits for a person (promise 10: one fault does not burn the list). */
void launch_came_back(struct launches *launches, const struct store_fed_back *what);
/* The ledger has put `count` people of an ended or held notice back on the list, who had that fate. */
int launch_retried(struct launches *launches, int64_t notice, enum fate fate, int64_t count, struct error *err);
/* The ledger withheld people who waited: counts follow, and a notice that only waited for them is done. */
void launches_progressed(struct launches *launches, const struct store_progress *progress, size_t count);
/* Sets or lifts the pause of one notice, of "notifier:NAME", or ("") of everything; "*" lifts all. It counts at once,
 * `done` hears whether it is on disk; NULL: a failure of that is logged. NULL: it was refused. */
struct store_job *launch_pause(struct launches *launches, const char *target, const char *who, store_done_fn *done,
                               void *ctx, struct error *err);
struct store_job *launch_resume(struct launches *launches, const char *target, const char *who, store_done_fn *done,
                                void *ctx, struct error *err);
/* Tells of each notice that a pause of `target` stopped in the middle; true: whatever of them was claimed has its fate
 * on disk, and their tallies are exact. `tell` may be NULL. */
typedef void launch_stopped_fn(void *ctx, const struct notice *notice);
bool launch_stopped(const struct launches *launches, const char *target, launch_stopped_fn *tell, void *ctx);
/* What it was held for is over, and nobody has to say so: REASON_COPY, REASON_DISK. It goes on through its gate. */
void launches_unhold(struct launches *launches, enum notice_reason reason);
/* There is no room for more people: whatever is being read is given up, and tried again later. */
void launches_stop_reading(struct launches *launches);

#endif
