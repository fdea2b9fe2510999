/* feed_body.h - a whole calendar as it is served: the head, the events' texts, the foot, plain and as one gzip member
 * (RFC 1952), with what HTTP says of it. Made of pieces, runs of events that are packed by themselves, so that a change
 * packs one of them anew. Which events make a piece their UIDs say: the same events give the same bytes, in whatever
 * steps they came. Immutable, any thread; counts of holders are atomic. */
#ifndef ONSALE_FEED_BODY_H
#define ONSALE_FEED_BODY_H

#include "clock.h"

#include <stdatomic.h>

enum { FEED_ETAG_SIZE = 40 };

/* One event of a calendar; never changed once it is made. */
struct feed_event {
    atomic_size_t refs;
    int64_t opens_at_ms;
    struct text text; /* BEGIN:VEVENT to END:VEVENT */
    const char *uid;
};
/* Copies. Held once, for you. */
struct feed_event *feed_event_new(const char *uid, int64_t opens_at_ms, struct text text);
struct feed_event *feed_event_hold(struct feed_event *event);
void feed_event_drop(struct feed_event *event);                               /* NULL is fine */
int feed_event_order(const struct feed_event *a, const struct feed_event *b); /* by start, then UID */

struct feed_body;

struct feed_body_spec {
    struct text head, foot;
    struct feed_event *const *events; /* in their order */
    size_t count;
    int64_t modified_at_ms;
    const struct feed_body *before; /* whose pieces are taken where they are the same; NULL: none */
};
/* Held once, for you. NULL: there is no memory for it, or it is too large. */
struct feed_body *feed_body_make(const struct feed_body_spec *spec, struct error *err);
struct feed_body *feed_body_hold(struct feed_body *body);
void feed_body_drop(struct feed_body *body); /* NULL is fine */

/* Yours to read for as long as you hold it. */
struct text feed_body_plain(const struct feed_body *body);
struct text feed_body_gzip(const struct feed_body *body);
/* Strong validators, with their quotes: "\"3f...\"", and "\"3f...-gz\"" of the packed form. */
const char *feed_body_etag(const struct feed_body *body, bool gzip);
/* The newest change, also when it was that something left. Whole seconds. After the clock was set back it can lie ahead
 * of now: Last-Modified then says now (RFC 9110 section 8.8.2.1). */
int64_t feed_body_modified_at_ms(const struct feed_body *body);
size_t feed_body_count(const struct feed_body *body);  /* events */
size_t feed_body_packed(const struct feed_body *body); /* pieces that were packed anew for it; head and foot always */

#endif
