/* mime.h - the wire form of a message (RFC 5322, 2045-2047, 2369, 2919, 8058; reference: delivery rules of section 6 of
 * design.md). Pure. Lines end in CRLF and stay within limits; nothing from outside can add a header. */
#ifndef ONSALE_MIME_H
#define ONSALE_MIME_H

#include "address.h"

struct mime_message {
    const char *from_name, *from_address; /* address already valid */
    struct text to_name;
    const char *to_address;
    struct text subject;    /* UTF-8; controls are replaced */
    const char *message_id; /* without < > */
    int64_t date_ms;
    const char *list_id_name, *list_id; /* "Arena openings", "openings.arena.example"; NULL: none */
    struct text unsubscribe_url;        /* https, valid; "" none */
    bool one_click;                     /* adds List-Unsubscribe-Post; the URL is https then, or of this machine */
    const char *reply_to;               /* or NULL */
    const char *extra;                  /* whole header lines ending CRLF, ours; or NULL */
    struct text text, html;             /* UTF-8, any line ends; an empty html gives text/plain alone */
    struct text attachment;             /* of mime_attachment(); "" none */
};

/* A part for many messages, encoded once: UTF-8, any line ends. `type` and `name` are ours: nothing in them is quoted.
 */
void mime_attachment(const char *type, const char *name, struct text text, struct buf *out);

/* Writes headers and body. Deterministic: the same message gives the same bytes. -1 when a value is impossible. */
int mime_build(const struct mime_message *message, struct buf *out, struct error *err);

/* --- Many alike: what is the same for all of them is encoded once ---
 *
 * mime_build() is mime_begin(), and for each part mime_part() and its text through mime_quote(), and mime_end(). Lines
 * are encoded one by one, so whole lines that were encoded before are as good as their text. */

struct mime_common {   /* header lines; empty ones are made from the message */
    struct buf sender; /* Date, From */
    struct buf subject;
    struct buf list; /* List-Id */
};
void mime_common_init(struct mime_common *common, const struct mime_message *like); /* but for the subject */
void mime_common_clear(struct mime_common *common);
void mime_subject(struct text subject, struct buf *out); /* the header line */

/* Of `message` all but text and html is looked at; what is in `common` (or NULL) is taken from there. */
int mime_begin(const struct mime_message *message, const struct mime_common *common, bool both, struct buf *out,
               struct error *err);
enum mime_part { MIME_TEXT, MIME_HTML };
void mime_part(const struct mime_message *message, enum mime_part part, bool both, struct buf *out);
void mime_quote(struct text lines, struct buf *out); /* any line ends in; the last line is ended too */
int mime_end(const struct mime_message *message, bool both, struct buf *out, struct error *err);

/* "b+TOKEN@bounce.example" from "b@bounce.example": VERP. */
int mime_verp(const char *envelope_from, const char *token, struct buf *out);

#endif
