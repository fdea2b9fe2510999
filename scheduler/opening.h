/* opening.h - what calendars and listings show: a stored record with an id of its own, an instant, and members.
 * Pure. design.md section 2, "Openings", says how groups find their opening after a change. */
#ifndef ONSALE_OPENING_H
#define ONSALE_OPENING_H

#include "definition.h"

enum opening_state { OPENING_SCHEDULED, OPENING_WITHDRAWN };
/* What openings_update() made of it. */
enum opening_news { OPENING_SAME, OPENING_NEW, OPENING_MOVED, OPENING_CHANGED, OPENING_GONE };
const char *opening_state_name(enum opening_state state);

struct opening {
    int64_t id;
    char *site, *event_id;
    int64_t opens_at_ms;
    enum opening_state state;
    char **members; /* definition ids, sorted */
    size_t member_count;
    bool dirty;             /* changed by openings_update(): to be stored */
    enum opening_news news; /* ... and to be told; who tells resets it */
    struct opening *next;   /* of its set, of the same event, of a lower id */
};

struct openings {
    struct opening **at; /* by id */
    size_t count, cap;
    int64_t next_id;       /* one above the highest so far; 0 (and an empty set) counts as 1 */
    struct index by_event; /* the highest id of each site's event; `next` leads on */
};

void openings_clear(struct openings *set);
struct opening *openings_add(struct openings *set, int64_t id, const char *site, const char *event_id,
                             int64_t opens_at_ms, enum opening_state state);
void opening_set_members(struct opening *opening, const char *const *ids, size_t count);
/* The one of the highest id of an event, or NULL; `next` leads to the others. */
struct opening *openings_of(const struct openings *set, const char *site, const char *event_id);
/* The scheduled opening of an event at an instant, or NULL. */
const struct opening *openings_find(const struct openings *set, const char *site, const char *event_id, int64_t at_ms);

/* Regroups an event of `site` by the starts of its visible definitions; what changed is `dirty`. Returns how many. The
 * openings of an event that has ended stay as they were. */
size_t openings_update(struct openings *set, const char *site, const char *event_id,
                       const struct definitions *definitions);

#endif
