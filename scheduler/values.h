/* values.h - what a message template can say, as jansson values: made from definitions, formatted for a language and a
 * zone; and what may be said of a person. Pure.
 *
 * | name                      | what it is                                                            | always there |
 * | ------------------------- | --------------------------------------------------------------------- | ------------ |
 * | event.title               | title of the event, else the first ticket's name                      | yes          |
 * | event.url, event.place    | its page, where it takes place                                        |              |
 * | event.starts_at           | a moment (below), in the event's own zone                             |              |
 * | tickets                   | list of what is named: name, price ("49,90 EUR" in the reader's way), | yes, name    |
 * |                           | free (true), description                                              |              |
 * | opens_at                  | a moment: the sale starts                                             | sale_start   |
 * | closes_at                 | a moment: the sale ends                                               | sale_end     |
 * | sender.name               | who writes                                                            | yes          |
 * | sender.postal_address     |                                                                       |              |
 * | sender.contact            |                                                                       |              |
 * | person.name               | as the source has it, when it is a name                               |              |
 * | person.first_name         | its first word, when that can be a first name                         |              |
 * | attributes.NAME           | what the source knows of the person: texts, numbers, true             |              |
 * | calendar.google, .outlook | an address that adds the opening to the reader's calendar there       |              |
 * | calendar.webcal, .url     | where the event's feed is: to subscribe to, and as https; only with   |              |
 * |                           | http.public_url                                                       |              |
 * | unsubscribe_url           | for this person                                                       |              |
 * | language                  | of the template, such as "de"                                         | yes          |
 * | test                      | true in a test message                                                |              |
 *
 * A moment has date ("5. Juni 2026"), time ("10:00"), moment (both, with the name of the zone) and raw (RFC 3339, UTC).
 * What is not always there stands in a section of its own: {{#event.place}}in {{event.place}}{{/event.place}}; else
 * `check` refuses the template. */
#ifndef ONSALE_VALUES_H
#define ONSALE_VALUES_H

#include "definition.h"
#include "locale.h"
#include "rule.h"

#include <jansson.h>

enum {
    PERSONAL_MAX = 64,  /* characters of a name or an attribute */
    PERCENT_MAX = 1024, /* bytes of one encoded value of a link */
};

struct values_spec {
    const struct definition *const *open; /* at least one; of one event */
    size_t open_count;
    enum moment_kind kind;
    int64_t at_ms;                                      /* the moment itself */
    const char *sender_name, *postal_address, *contact; /* "" or NULL: none */
    bool test;
    struct locales *locales;
    const char *language, *locale; /* of the template; of dates and money: "de", "de-AT" */
    const struct zone *zone;       /* of the reader; NULL: UTC */
    const struct zone *event_zone; /* NULL: the reader's */
    struct values_calendar {
        const char *google, *outlook, *webcal, *url; /* "" or NULL: none */
    } calendar;
};
/* The same for everybody who reads this language in this zone; a new reference. */
json_t *values_common(const struct values_spec *spec);
/* A moment in that zone; NULL: UTC. A new reference. */
json_t *values_moment(struct locales *locales, const char *locale, const struct zone *zone, int64_t at_ms);

/* Name and attributes of a person ("person", "attributes"); `attributes` is a JSON object as text, or "". A new
 * reference. What looks like a link, or is no UTF-8, is left out: names come from forms that anybody can fill in. */
json_t *values_person(struct text name, struct text attributes);

/* For links: the attributes percent-encoded (RFC 3986 section 2.1). A new reference. */
json_t *values_for_link(struct text source_id, const char *address, struct text audience, struct text attributes);

void buf_add_percent(struct buf *buf, struct text t); /* percent-encoded: what is not unreserved in RFC 3986 */

/* Would a mail program make a link of it? "://", "www.", "arena.example". */
bool looks_like_link(struct text t);
/* A name as it may stand in a message: controls out, cut at PERSONAL_MAX characters; "" when it looks like a link. */
void buf_add_personal(struct buf *buf, struct text t);

/* The first word of a name that buf_add_personal() wrote, when that can be a first name: within it, or "". */
struct text values_first_name(struct text name);

#endif
