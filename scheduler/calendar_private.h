/* calendar_private.h - what the files of calendar share: calendar.c (events and what stands around them),
 * calendar_words.c (templates and their values), calendar_lines.c (text from outside, content lines), calendar_links.c
 * (names and addresses). */
#ifndef ONSALE_CALENDAR_PRIVATE_H
#define ONSALE_CALENDAR_PRIVATE_H

#include "calendar.h"

enum {
    CALENDAR_TITLE_MAX = 120, /* characters */
    CALENDAR_TICKET_MAX = 80,
    CALENDAR_PLACE_MAX = 200,
    CALENDAR_SUMMARY_MAX = 255,
    CALENDAR_DESCRIPTION_MAX = 8000,
    CALENDAR_URL_MAX = 2000, /* bytes */
    CALENDAR_TICKETS_MAX = 50,
};

/* --- calendar_lines.c --- */

/* Text from outside as it may stand in a calendar: what is no UTF-8 becomes U+FFFD; controls, line ends of any script
 * and marks that turn the line around become blanks, one for a run of them; cut to `max` characters, the last an
 * ellipsis then. With `lines` '\n' stays, at most two of them in a row. */
void calendar_clean(struct buf *out, struct text t, size_t max, bool lines);
/* http or https, and nothing in it that an address cannot have; characters beyond ASCII percent-encoded. False: it is
 * none. */
bool calendar_clean_url(struct buf *out, struct text url);

/* What libical wrote, folded anew (RFC 5545 section 3.1): between characters, never within an escape and never before a
 * blank, where libical folds and some readers stumble. */
void calendar_add_folded(struct buf *buf, struct text lines);

/* --- calendar_words.c --- */

struct calendar_words { /* calendar_words_clear() */
    struct buf name, category, summary, description;
    struct buf url, place; /* "" where there is none */
};
void calendar_words_init(struct calendar_words *words);
void calendar_words_clear(struct calendar_words *words);
int calendar_name(const struct calendar_style *style, struct buf *out, struct error *err);
int calendar_say(const struct calendar_style *style, const struct calendar_entry *entry, struct calendar_words *out,
                 struct error *err);

#endif
