/* feed_private.h - what the files of feed share: feed.c (what is shown: entries, calendars, bodies), feed_publish.c
 * (how it changes: the quiet, storing, leaving) and feed_write.c (what an opening says now). */
#ifndef ONSALE_FEED_PRIVATE_H
#define ONSALE_FEED_PRIVATE_H

#include "calendar.h"
#include "feed.h"

/* How an opening stands in the store. Its texts lie behind it; its event's text is `shown`'s. */
struct entry {
    struct store_entry row;
    struct feed_event *shown; /* NULL: no more */
};

/* Of a site (event_id ""), or of one of its events. */
struct calendar {
    char *site, *event_id;
    int64_t changed_at_ms; /* MOMENT_NONE: it never showed anything */
    int64_t changes_at_ms; /* of the change that is being stored; MOMENT_NONE: none */
    struct entry **at;     /* what is shown, in the order of feed_event_order() */
    size_t count, room;
    struct feed_body *body;
    bool stale;      /* the body is not of what is shown by now */
    bool configured; /* a site's; of one the rest: */
    bool counted;    /* what belongs to its first body is known by now (waiting->first) */
    bool published;  /* it was there as a whole, which is on disk */
    struct calendar *next;
};

struct waiting; /* an event that changed; feed_publish.c */

struct feed {
    struct world *world;
    uv_loop_t *loop;
    const struct calendar_texts *texts; /* borrowed; NULL: nothing is configured */
    const char *sender_name;
    bool begun;             /* it was configured, once */
    struct index entries;   /* by opening */
    struct index calendars; /* by site and event */
    struct calendar *first; /* all calendars */
    struct making *making;  /* a body on its way, or NULL */
    struct index said;      /* by opening: what mails said of it ahead of its entry; feed_write.c */
    struct feed_counts counts;

    struct index waiting; /* by site and event */
    struct waiting *due, **last_due;
    struct alarm touch; /* more openings are to be touched, ... */
    int64_t touched;    /* ... behind this id */
    struct alarm work;
    int64_t not_before_ms;      /* the next change may be stored */
    struct alarm leave;         /* the first entry leaves */
    int64_t leaves_at_ms;       /* of the first, or MOMENT_NONE */
    bool leaving;               /* it is time to look for them */
    struct store_entry *drafts; /* what reads differently, until it is on disk */
    size_t draft_count, draft_room;
    struct arena arena; /* ... its texts */
    struct store_job *storing;
    struct store_job *marking; /* of `marked`: it is whole */
    struct calendar *marked;
};

static inline int64_t feed_now_ms(const struct feed *feed)
{
    return clock_now_ms(feed->world->clock);
}
/* Calendars count in seconds. */
static inline int64_t feed_second(int64_t at_ms)
{
    return at_ms - at_ms % SECOND_MS;
}
static inline int64_t feed_later_than(int64_t at_ms, int64_t than_ms)
{
    return than_ms != MOMENT_NONE && at_ms <= than_ms ? than_ms + SECOND_MS : at_ms;
}

/* --- feed.c --- */
struct entry *feed_entry(const struct feed *feed, int64_t opening); /* NULL: it was never shown */
/* Takes the place of what was known of that opening. */
void feed_take(struct feed *feed, const struct store_entry *row);
struct calendar *feed_calendar(struct feed *feed, const char *site, const char *event_id); /* made when there is none */
/* Makes anew, on the pool, what is stale of the sites. */
void feed_refresh(struct feed *feed);
/* Its body is of all that is shown. */
bool feed_is_fresh(const struct feed *feed, const struct calendar *calendar);
struct calendar_style feed_style(const struct feed *feed, const struct site_settings *settings);

/* --- feed_publish.c --- */
void feed_publish_init(struct feed *feed);
void feed_publish_clear(struct feed *feed);
/* Everything is to be written anew, after the quiet; a part in each turn of the loop. Then is known, too, what belongs
 * to first calendars that a daemon before this one has begun. */
void feed_touch_all(struct feed *feed);
/* Whatever is due, soon. Call it after any change, as often as you like. */
void feed_work_on(struct feed *feed);
/* Everything that belongs to the first body of a site's calendar is shown: it may be made. */
bool feed_is_complete(const struct feed *feed, const struct calendar *calendar);
/* Tells the disk which calendars are whole for the first time. Call it after any change, as often as you like. */
void feed_mark_whole(struct feed *feed);
void feed_end_quiet(struct feed *feed, const char *site, const char *event_id); /* fine when it does not wait */
void feed_await_leaving(struct feed *feed, int64_t leaves_at_ms);               /* MOMENT_NONE is fine */
/* Since when something of this event waits to be written; MOMENT_NONE: nothing does. */
int64_t feed_waits_since(const struct feed *feed, const char *site, const char *event_id);

/* --- feed_write.c --- */
/* Drafts what reads differently of an event's openings; it changed first at `changed_ms`. */
void feed_write_event(struct feed *feed, const char *site_name, const char *event_id, int64_t changed_ms);
void feed_add_draft(struct feed *feed, const struct store_entry *row);
const struct store_entry *feed_known(const struct feed *feed, int64_t opening); /* as it is stored; NULL: never shown */
const struct store_entry *feed_latest(const struct feed *feed, int64_t opening); /* ... or on its way to the disk */
bool feed_is_shown(const struct store_entry *row);                               /* NULL is not */
/* A daemon before this one said it, and did not live to see it stored. */
void feed_recall_said(struct feed *feed, const struct store_said *said);
void feed_forget_said(struct feed *feed, const struct store_entry *row); /* it is shown by now, or something later */
void feed_clear_said(struct feed *feed);

#endif
