/* bounce.h - what came back: reads a message that a mail server hands us (RFC 3464 and 5965, and what qmail, Exim,
 * Postfix, Exchange, Gmail and Yahoo write), and says what it means for the person it is about. Pure. Anything may be
 * in there; what is looked at, and memory with it, is bounded (mail.h). */
#ifndef ONSALE_BOUNCE_H
#define ONSALE_BOUNCE_H

#include "delivery.h"

enum { BOUNCE_TEXT_MAX = 300, BOUNCE_STATUS_MAX = 12, BOUNCE_TOKENS_MAX = 8, BOUNCE_TOKEN_LEN = 26 };

struct bounce {
    enum feedback kind;
    const char *what;               /* FEEDBACK_NONE: why it is none, in a few words */
    char status[BOUNCE_STATUS_MAX]; /* "5.1.1" (RFC 3463), or "" */
    char text[BOUNCE_TEXT_MAX + 1]; /* what the other side said, without addresses; UTF-8, one line; or "" */
    char tokens[BOUNCE_TOKENS_MAX][BOUNCE_TOKEN_LEN + 1]; /* what may name our message; the likeliest first */
    size_t token_count;
};

/* `recipients`: to whom the mail server says it came ("bounces+TOKEN@arena.example", or TOKEN alone); NULL entries are
 * passed over. */
void bounce_read(struct text message, const char *const *recipients, size_t recipient_count, struct bounce *out);

/* --- bounce_judge.c: whose fault ---
 *
 * Policy (5.7.x, 5.6.x, 5.3.4, 5.2.3, a refused sender, words such as spam or DMARC) is asked for first and wins over
 * everything else that is said: a fault of ours must never cost a person. Hard needs a clear word: 5.1.0-3, 5.1.6,
 * 5.1.10, 5.2.1; or, without such a status (none at all, or 5.0.0), a reply of 550, 551 or 553 with words that say that
 * there is no such mailbox. Everything else is soft. */
struct bounce_status {
    int class, subject, detail; /* class 0: none */
};
/* The first status in a text ("#5.1.1", "550-5.1.1"), or one of class 0. */
struct bounce_status bounce_status_in(struct text t);
/* The first SMTP reply code (4xx, 50x to 55x) in a text, or 0. */
int bounce_code_in(struct text t);
/* Does this text say anything about whose fault it is? */
bool bounce_says(struct text t);
/* `field`: of a Status field; `said`: what the other side answered. */
enum feedback bounce_judge(struct bounce_status field, struct text said, char status[BOUNCE_STATUS_MAX]);

/* --- bounce_scrub.c --- */
/* What was said, on one line, without addresses and without the local parts of `known` ones; cut to BOUNCE_TEXT_MAX. */
void bounce_scrub(struct text said, const struct text *known, size_t known_count, char out[BOUNCE_TEXT_MAX + 1]);

#endif
