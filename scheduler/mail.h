/* mail.h - a message from outside, taken apart: headers, parts, their content decoded (RFC 5322, 2045, 2046). Pure.
 * Anything is a message: what is broken is read as far as it goes. What is looked at is bounded, and with it memory: at
 * most MAIL_DEPTH_MAX times the message. */
#ifndef ONSALE_MAIL_H
#define ONSALE_MAIL_H

#include "text.h"

enum { MAIL_LOOK_MAX = 1024 * 1024, MAIL_PARTS_MAX = 100, MAIL_DEPTH_MAX = 10, MAIL_VALUE_MAX = 8192 };

struct mail_part {
    struct text type;    /* "text/plain": lower-case, without parameters */
    struct text headers; /* as they came, folded */
    struct text body;    /* decoded; empty for a multipart, and for what is neither text nor a message */
    bool returned;       /* belongs to a message within the message */
};

struct mail {
    struct arena arena;
    struct mail_part parts[MAIL_PARTS_MAX]; /* in their order; the first is the message itself */
    size_t count;                           /* at least 1 */
};

/* Looks at the first MAIL_LOOK_MAX bytes, which must live as long as `mail`. */
void mail_read(struct mail *mail, struct text raw);
void mail_clear(struct mail *mail);

/* The next field of a block of headers, or of one group of a delivery status; false at its end. `value` is as it came:
 * mail_unfold() makes a line of it. */
bool mail_next_field(struct text *rest, struct text *name, struct text *value);
struct text mail_unfold(struct arena *arena, struct text value);
/* The nth (from 0) field of that name, unfolded; a NULL pointer when there is none. */
struct text mail_field(struct arena *arena, struct text headers, const char *name, size_t nth);

/* What is not of the alphabet is passed over (RFC 2045 section 6.8). */
struct text mail_decode_base64(struct arena *arena, struct text t);
/* One line without its end (CRLF or LF). */
struct text mail_line(struct text *rest);

#endif
