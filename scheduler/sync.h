/* sync.h - keeps our definitions equal to the site's, and the plan equal to our definitions. One per site; loop thread.
 */
#ifndef ONSALE_SYNC_H
#define ONSALE_SYNC_H

#include "world.h"

struct sync;

/* Begins with a full walk at once; makes the site's gatekeeper, whose news it merges. */
struct sync *sync_new(struct world *world, struct world_site *site);
void sync_free(struct sync *sync);
/* A full walk as soon as may be (`onsale sync`); coalesces. */
void sync_now(struct sync *sync);
/* A rumour (a webhook) that something about this definition changed: it is read again from the source within some
 * seconds, and nothing else is believed. One read of all that was heard in two seconds, within the walk's budget; none
 * around a gate. `revision`: the one that is spoken of, 0 unknown; an older one than ours is no news. */
void sync_nudge(struct sync *sync, const char *id, int64_t revision);
/* ... about an event: all of its definitions that we know, or a full walk, at most one a minute, where we know none. */
void sync_nudge_event(struct sync *sync, const char *event_id);
/* ... about anything: such a walk. */
void sync_nudge_all(struct sync *sync);
/* Compares all definitions, rules and notices before it returns, and stores what follows: at the start, after a reload.
 */
void sync_replan(struct sync *sync);
/* Somebody set the machine's clock. A large step freezes what cannot be taken back until a site's Date agrees. */
void sync_clock_stepped(struct world *world, int64_t step_ms);
int64_t sync_last_walk_at_ms(const struct sync *sync); /* last complete walk; MOMENT_NONE before the first */
/* How long ago a walk last succeeded, full or not, or the source said that nothing changed; -1: never. */
int64_t sync_stale_ms(const struct sync *sync);
const char *sync_failure(const struct sync *sync); /* why the last walk failed, or NULL */
bool sync_busy(const struct sync *sync);           /* a walk is in flight */

#endif
