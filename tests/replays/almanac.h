/* almanac.h - watches the calendar of a story as somebody who has subscribed to it would: reads every version of it
 * line by line, with code that shares nothing with the one that writes it. */
#ifndef ONSALE_REPLAY_ALMANAC_H
#define ONSALE_REPLAY_ALMANAC_H

#include "feed.h"

#include <jansson.h>

struct almanac {
    const struct clock *clock; /* as the daemon sees it */
    json_t *events;  /* by UID: {"sequence", "modified", "start", "status", "alarm", "text": all the rest} of its last
                        version */
    json_t *present; /* ... of the version read last: those that are in it */
    json_t *former;  /* ... of the one before, while that is read; else NULL */
    char *etag;      /* of that version */
    struct buf bytes;
    int64_t modified_at_ms;
    size_t versions;     /* read so far */
    char complaint[512]; /* what must never happen, and did; "" nothing */
};

void almanac_init(struct almanac *almanac, const struct clock *clock);
void almanac_clear(struct almanac *almanac);
/* Reads the calendar of the site if it is another than last time. */
void almanac_look(struct almanac *almanac, struct feed *feed, const char *site);
/* The event that starts at a moment, NULL: there is none in the calendar. */
json_t *almanac_at(const struct almanac *almanac, int64_t at_ms);

#endif
