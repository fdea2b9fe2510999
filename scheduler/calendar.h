/* calendar.h - how a sale opening reads in a calendar: iCalendar (RFC 5545, with RFC 7986) as feeds and mails carry it,
 * in words that a team may replace. Whatever stands in a definition, what comes out is a calendar: texts are made valid
 * UTF-8 without controls, cut on characters and escaped; an address that is none is left out; lines are folded between
 * characters. Pure but for reading templates at start; one thread with its `locales`. */
#ifndef ONSALE_CALENDAR_H
#define ONSALE_CALENDAR_H

#include "crypt_keys.h"
#include "definition.h"
#include "locale.h"

enum {
    CALENDAR_UID_SIZE = 37,         /* with its end */
    CALENDAR_EVENT_MAX = 64 * 1024, /* bytes of one event; none comes near it */
    CALENDAR_LENGTH_MS =
        15 * MINUTE_MS, /* of an opening, which is an instant: without a length some clients show hours */
};

/* What an opening is called in every calendar, for ever: a UUID (RFC 9562 section 5.8; RFC 7986 section 5.3) out of a
 * keyed hash, so that it tells neither who we are nor how many there are, and two stores never share one. */
void calendar_uid(const struct crypt_keys *keys, const char *site, int64_t opening, char out[CALENDAR_UID_SIZE]);

/* --- Words --- */

/* templates/calendar/event.txt and event.LANGUAGE.txt, each with sections: {{#name}} of the whole calendar,
 * {{#category}}, {{#summary}} (title), {{#description}}. They know what values.h lists of event, tickets, opens_at,
 * closes_at, sender.name and language, and besides: {{zone}} (IANA name), {{withdrawn}} true, {{moved_from}} a moment,
 * {{more}} (so many tickets are not listed). A name knows sender.name and language alone. */
struct calendar_texts;
/* Every language compiled and tried; `folders` as for messages. */
struct calendar_texts *calendar_texts_load(const char *const *folders, struct error *err);
void calendar_texts_free(struct calendar_texts *texts);
void buf_add_calendar_languages(struct buf *buf, const struct calendar_texts *texts); /* "en, de" */
uint64_t calendar_texts_hash(const struct calendar_texts *texts);

/* How events are written; borrowed. */
struct calendar_style {
    const struct calendar_texts *texts;
    struct locales *locales;
    const char *language;    /* of the words, dates and money: a tag such as "de-AT"; the default where there is none */
    const char *sender_name; /* "" or NULL: none */
    int64_t alarm_ms;        /* a reminder so long before; 0: none */
};

/* --- An opening --- */

/* Borrowed; texts as the source has them: any bytes. */
struct calendar_entry {
    const char *uid;
    int64_t sequence;
    int64_t created_at_ms, modified_at_ms; /* seconds are shown */
    int64_t stamp_at_ms;                   /* DTSTAMP: in feeds modified_at_ms, in a mail when it is sent */
    int64_t opens_at_ms;
    int64_t moved_from_ms; /* where it stood before, or MOMENT_NONE */
    bool withdrawn;
    const struct zone *zone;                 /* of the event's place, else of the site; NULL: UTC */
    const struct definition *const *tickets; /* at least one: title, place and address of the event are the first's */
    size_t ticket_count;
    const char *const *members; /* ids of its definitions: a property for each */
    size_t member_count;
};

/* Appends BEGIN:VEVENT to END:VEVENT. The same values, the same bytes. ERROR_CONFIG: the template is at fault;
 * ERROR_REFUSED: the start is beyond what a calendar can say. Nothing is appended then. */
int calendar_add_event(struct buf *buf, const struct calendar_style *style, const struct calendar_entry *entry,
                       struct error *err);

/* --- A calendar --- */

/* What stands around the events of a feed. `name` "": as the template has it; `event_title` "": of all events. */
int calendar_add_head(struct buf *buf, const struct calendar_style *style, const char *name, const char *event_title,
                      int64_t refresh_ms, struct error *err);
void calendar_add_foot(struct buf *buf);

/* A whole calendar with METHOD:PUBLISH (RFC 5546 section 3.2.1), for the text/calendar part of a mail. */
struct calendar_organizer {
    const char *name, *address; /* "Arena Tickets" ("" none), "tickets@arena.example" */
};
int calendar_add_published(struct buf *buf, const struct calendar_style *style, const struct calendar_entry *entry,
                           const struct calendar_organizer *organizer, struct error *err);

/* --- Links that add it to a calendar: plain addresses, for a template to escape --- */

int calendar_add_google_link(struct buf *buf, const struct calendar_style *style, const struct calendar_entry *entry,
                             struct error *err);
int calendar_add_outlook_link(struct buf *buf, const struct calendar_style *style, const struct calendar_entry *entry,
                              struct error *err);

/* Where a feed is served: "/feeds/SITE.ics", or "/feeds/SITE/EVENT.ics"; event_id "": the site's. */
void calendar_add_feed_path(struct buf *buf, const char *site, const char *event_id);
/* "webcal://onsale.example.org/feeds/arena/EVENT.ics": subscribes. Nothing when `public_url` is "". */
void calendar_add_webcal_link(struct buf *buf, const char *public_url, const char *site, const char *event_id);

#endif
