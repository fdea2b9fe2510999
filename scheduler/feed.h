/* feed.h - keeps the calendars of sale openings: hears what changed, waits until an event has been quiet for a minute,
 * writes its openings anew, stores what reads differently, and shows it when that is on disk. What was stored is shown
 * from the start on, without asking anybody. One per daemon: it outlives a reload. Loop thread. */
#ifndef ONSALE_FEED_H
#define ONSALE_FEED_H

#include "feed_body.h"
#include "world.h"

struct feed;
struct calendar_texts;
struct calendar_style;

/* Reads what is stored, blocking, and makes the bodies of all sites that have any. `world` knows its store, clock,
 * alarms and openings. */
struct feed *feed_new(struct world *world, uv_loop_t *loop, struct error *err);
void feed_free(struct feed *feed); /* NULL is fine. Bodies that others hold stay. Run the loop once more */

/* A configuration is in place (world->sites have their settings): everything is written anew, after the quiet, in these
 * words; `texts` NULL: it goes, nothing is written until the next. What is shown stays. */
void feed_configure(struct feed *feed, const struct calendar_texts *texts, const char *sender_name);

/* Something of this event may read differently: its openings, or what its definitions say. */
void feed_touch(struct feed *feed, const char *site, const char *event_id);

/* All that the first complete walk of a site brought is planned: what is known of it now makes its first calendar. */
void feed_walked(struct feed *feed, const char *site);

/* The wall clock was stepped: who waits for a minute of quiet waits as long as before. */
void feed_clock_stepped(struct feed *feed, int64_t step_ms);

/* The calendar of a site that is configured, or of one of its events, as it was last stored; an empty one when nothing
 * opens. NULL: no such site, or no opening of such an event was ever shown. Not held for you: hold what you keep. */
struct feed_body *feed_of_site(struct feed *feed, const char *site);
/* Does the calendar of a site show all that its first walk brought, or has it done so before, in whatever life? Until
 * then it is none: whoever asked another daemon until now would take one that is half empty at its word. */
bool feed_is_published(const struct feed *feed, const char *site);
struct feed_body *feed_of_event(struct feed *feed, const char *site, const char *event_id);

/* What stands around a site's events, or around those of one event ("" else): for the command, too. */
int feed_frame(const struct calendar_style *style, const struct site_settings *settings, const char *event_title,
               struct buf *head, struct buf *foot, struct error *err);

/* How an opening stands in the feeds, or would stand if its event's quiet ended now: for a mail that says the same. Its
 * UID is the same before the first time. */
struct feed_stamp {
    char uid[37];
    int64_t sequence;                      /* 0 before it was shown */
    int64_t created_at_ms, modified_at_ms; /* now, before */
    int64_t moved_from_ms;                 /* MOMENT_NONE: it was not */
};
void feed_stamp(struct feed *feed, const struct opening *opening, struct feed_stamp *out);
/* A mail is about to say how it stands, as feed_stamp() has it now. The store has that before whatever is given to it
 * from here on: a sequence that a mail may have said never says anything else, whoever is killed. The event's quiet
 * ends: feeds are to say it, too. */
void feed_say(struct feed *feed, const struct opening *opening);

/* For /metrics. */
struct feed_counts {
    size_t events;        /* shown, of all sites */
    size_t waiting;       /* events of shops that changed and are not shown yet */
    int64_t bodies;       /* made since the start */
    int64_t last_body_us; /* how long the last one took, on its thread */
    int64_t changes;      /* openings written anew since the start */
};
struct feed_counts feed_counts(const struct feed *feed);

#endif
