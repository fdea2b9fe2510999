/* definition.h - one ticket definition as the site last told it: event, name, prices, sale period, hidden, revision.
 * Pure values; a definition is immutable once made and owned by its set. Field meanings: Wix Events, Ticket
 * Definitions V3. */
#ifndef ONSALE_DEFINITION_H
#define ONSALE_DEFINITION_H

#include "clock.h"
#include "index.h"

/* What of a ticket can be announced: `at` is its instant, exactly as the source gives it. */
enum moment_kind { MOMENT_SALE_START, MOMENT_SALE_END, MOMENT_KINDS };
const char *moment_kind_name(enum moment_kind kind); /* "sale_start", "sale_end" */

enum event_status { EVENT_UNKNOWN, EVENT_UPCOMING, EVENT_STARTED, EVENT_ENDED, EVENT_CANCELED, EVENT_DRAFT };
enum sale_status { SALE_UNKNOWN, SALE_SCHEDULED, SALE_STARTED, SALE_ENDED };

/* Texts are never NULL in a stored definition; "" where the source gave nothing. Moments may be MOMENT_NONE. */
struct definition {
    const char *site; /* the configured site's name */
    const char *id;
    const char *event_id;
    int64_t revision;
    int64_t created_at_ms, updated_at_ms;
    const char *name, *description;
    const char *price, *currency; /* decimal text ("49.90") and ISO 4217; "" when there is no single price */
    bool free;
    bool hidden;
    bool sold_out;
    enum sale_status sale_status;
    int64_t sale_starts_at_ms, sale_ends_at_ms;
    enum event_status event_status;
    const char *event_title, *event_zone, *event_url, *event_place;
    int64_t event_starts_at_ms;
    bool suspect;  /* one complete walk has missed it */
    bool unsaved;  /* changed since it was last stored */
    uint32_t walk; /* number of the last walk that saw it, 0 none: whoever walks keeps it */
};

const char *event_status_name(enum event_status status);
const char *sale_status_name(enum sale_status status);

struct definition *definition_new(const struct definition *fields); /* deep copy in one block */
void definition_free(struct definition *definition);
/* Same in everything that planning, messages or calendars look at: `revision`, `updated_at_ms` and `suspect` apart. */
bool definition_same(const struct definition *a, const struct definition *b);

/* ... and to whoever reads of it in messages and calendars: none of them says whether a sale has begun or sold out. */
bool definition_reads_same(const struct definition *a, const struct definition *b);

/* Same in what decides which notices and openings there are; the rest only shows in messages and at the gate. */
bool definition_plans_same(const struct definition *a, const struct definition *b);

/* Its event is cancelled, ended or a draft. */
bool definition_event_off(const struct definition *definition);
/* May a sale of it be announced at all: not hidden, and its event is not off. */
bool definition_visible(const struct definition *definition);
/* The instant of its moment of that kind, or MOMENT_NONE. */
int64_t definition_at_ms(const struct definition *definition, enum moment_kind kind);

/* All definitions of a site. */
struct definitions {
    struct definition **at; /* sorted by event_id, then id */
    size_t count, cap;
    struct index by_id;
};

void definitions_clear(struct definitions *set);
/* NULL when there is none; borrowed until the next put or remove of that id. */
const struct definition *definitions_find(const struct definitions *set, const char *id);
/* Those of an event, by id: how many, and the first of them; borrowed as above. */
size_t definitions_of_event(const struct definitions *set, const char *event_id, struct definition *const **first);
/* Takes ownership of `definition`; an older one of the same id is freed. */
void definitions_put(struct definitions *set, struct definition *definition);
void definitions_remove(struct definitions *set, const char *id);

#endif
