/* record.h - one person as a source tells of them, put together piece by piece and judged. Shared by every source.
 * A draft belongs to one thread at a time. */
#ifndef ONSALE_RECORD_H
#define ONSALE_RECORD_H

#include "audience/audience.h"
#include "audience/words.h"

#include <jansson.h>

enum { RECORD_ATTRIBUTES_MAX = 16 * 1024 }; /* bytes of JSON; attributes that do not fit are left out */

/* Whom a read is about, copied out of settings and question so that the pool may hold it. */
struct interest {
    const char *event_id;  /* "": unknown, and so nobody is interested in it */
    const char *attribute; /* NULL or "": not by attribute */
    const char *list_name; /* glob, the event already filled in; NULL or "": not by list */
};
/* Copies into `arena`. `{event}` in list_name becomes the event id. */
struct interest interest_of(const struct audience_settings *settings, const struct audience_question *question,
                            struct arena *arena);
bool interest_by_attribute(const struct interest *interest);
bool interest_by_list(const struct interest *interest);

/* Does this attribute name the event? A text, a text of several (commas, semicolons, blanks; quoted or not), a list, or
 * a JSON list written as text. "77", "event-77" and "event:77" all name event 77. */
bool interest_in(const json_t *value, const char *event_id);

struct draft {
    struct text of[ROLES]; /* address, names, locale, zone, id; borrowed */
    enum consent consent;  /* the least permissive word so far */
    bool judged;           /* something spoke about consent */
    json_t *attributes;
    struct text unknown; /* a status word that is not in the table; borrowed */
};
void draft_init(struct draft *draft);
void draft_clear(struct draft *draft);
void draft_judge(struct draft *draft, enum consent consent);
/* One cell; `key` as the source writes it. Texts are borrowed until the draft is finished. */
void draft_put(struct draft *draft, enum role role, struct text key, struct text value);
/* One value of a JSON record; small numbers are written into `arena`. */
void draft_put_json(struct draft *draft, enum role role, const char *key, json_t *value, struct arena *arena);
/* All of an object's keys as attributes; language and time zone among them are taken where nothing better came. */
void draft_put_attributes(struct draft *draft, json_t *object);

/* Judges the interest and copies everything into `arena`. -1 when there is no address. */
int draft_finish(struct draft *draft, const struct interest *interest, struct text fallback_id, struct arena *arena,
                 struct audience_record *out);

/* Grows as needed; a page's records. */
struct records {
    struct audience_record *at;
    size_t count, cap;
};
struct audience_record *records_add(struct records *records);
void records_clear(struct records *records);

#endif
