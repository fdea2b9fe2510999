/* message_private.h - what the files of a message share: message.c (a batch, one message), message_view.c (what readers
 * of one language and zone have in common), message_sheet.c (and what of that can be encoded once), message_ahead.c
 * (one that is made before it is asked for), message_calendar.c
 * (its opening, for calendars), message_sample.c (messages for nobody, at start). */
#ifndef ONSALE_MESSAGE_PRIVATE_H
#define ONSALE_MESSAGE_PRIVATE_H

#include "index.h"
#include "message.h"
#include "templates.h"

enum {
    PART_MAX = 512 * 1024, /* bytes of a rendered part */
    SUBJECT_MAX = 2000,
    VIEWS_MAX = 4096,             /* pairs of locale and zone whose values are kept */
    SHEETS_MAX = 4 * 1024 * 1024, /* bytes of all sheets of a batch: about three hundred; the views beyond go without */
};

struct ahead;
struct sheet;

struct message_templates {
    struct templates *read;
    bool wants_attributes, wants_calendar;
    bool serves[MOMENT_KINDS]; /* all it says is always there at a moment of this kind */
};

/* What calendars get of a batch in one language. */
struct tongue {
    const struct templates_language *language;
    struct buf attachment;      /* of mime_attachment(); "" : none is wanted */
    struct buf google, outlook; /* links; "" where the templates say none */
    struct error failure;       /* it cannot be said: no message in this language can be made */
    struct tongue *next;
};

/* What all readers of one language, locale and zone have in common. */
struct view {
    const struct templates_language *language;
    const struct zone *zone;
    char locale[LANGUAGE_MAX + 1];
    json_t *values;
    const struct tongue *tongue; /* NULL: there is nothing for calendars */
    struct sheet *sheet;         /* what is ready of their messages; NULL: nothing, each is made from the templates */
};

struct message_batch {
    struct message_batch_spec spec;
    struct definition **open;
    char *from_name, *sender_name; /* of From; of the list and the footer */
    struct address from, envelope; /* of From; before VERP, empty when it is not asked for */
    char list_id[ADDRESS_MAX + 16];
    struct render_template *link; /* NULL: no unsubscribe link */
    bool link_wants_attributes;
    struct render_form *link_form; /* NULL: it takes more than slots */
    const struct templates_language *fallback_language;
    const struct zone *event_zone, *fallback_zone;
    struct message_calendar *calendar; /* our copy; NULL: no opening */
    struct tongue *tongues;
    struct buf webcal, feed; /* links to the event's feed; "" : it has none */
    bool sample;             /* for nobody: what it says of calendars is made up */
    struct index views;      /* by language, locale and zone */
    size_t sheet_bytes;      /* of all sheets */
    struct ahead *ahead;     /* NULL: none was made before it was asked for */
    struct buf subject, html, text, url, name, encoded;
};

/* message.c */
struct message_batch *message_batch_any(const struct message_batch_spec *spec, struct error *err); /* of any kind */
struct mime_message message_mime(const struct message_batch *batch); /* what is in all of a batch */

/* message_ahead.c */
bool message_take_ahead(struct message_batch *batch, const struct message_person *person, struct message *out);
void message_ahead_clear(struct message_batch *batch);

/* message_calendar.c */
void message_calendar_take(struct message_batch *batch); /* copies what the spec has */
void message_calendar_clear(struct message_batch *batch);
bool message_calendar_same(const struct message_batch *batch, const struct message_calendar *other); /* NULL is none */
const struct tongue *message_tongue(struct message_batch *batch, const struct templates_language *language);

/* message_view.c */
const struct view *message_view(struct message_batch *batch, const struct message_person *person);
void message_views_clear(struct message_batch *batch);

/* message_sheet.c */
/* `like`: From, Date and list as in all of them. NULL: nothing can be prepared. */
struct sheet *sheet_new(const struct view *view, const struct mime_message *like);
void sheet_free(struct sheet *sheet);
size_t sheet_bytes(const struct sheet *sheet);
/* The message of one person whose name has been cleaned into batch->name, and whose link is in batch->url. False: not
 * with this one, the templates can do it or say what is wrong. */
bool sheet_write(const struct sheet *sheet, struct message_batch *batch, const struct message_person *person,
                 struct mime_message *message, struct buf *out);

/* message_sample.c */
int message_try_samples(struct message_templates *templates, struct error *err);

#endif
