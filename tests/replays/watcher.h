/* watcher.h - watches a story as somebody at the door would: hears every event, and knows only what the events say. */
#ifndef ONSALE_REPLAY_WATCHER_H
#define ONSALE_REPLAY_WATCHER_H

#include "events.h"
#include "world.h"

struct watcher {
    struct event_listener listener;
    const struct world *world;
    int64_t heard;    /* number of the last event */
    json_t *notices;  /* by id: what the last event said of it, {"state", "paused", "due_at", "counts", ...} */
    int64_t hurried;  /* this notice's progress came soon after the last: it must end its state */
    json_t *openings; /* by id: what the last event said of it */
    json_t *pauses;   /* by target */
    bool frozen;
    json_t *progress;    /* by id: when the last such event came */
    char complaint[512]; /* what must never happen, and did; "" nothing */
};

void watcher_begin(struct watcher *watcher, const struct world *world);
void watcher_end(struct watcher *watcher);
/* Events tell the time by the wall clock: how far apart they are is not known across a step. */
void watcher_clock_stepped(struct watcher *watcher);
/* Compares what was heard with what is. */
void watcher_compare(struct watcher *watcher);

#endif
