/* smtp_reply.h - what a mail server says, and what it means for the person, the message and the channel. Pure. */
#ifndef ONSALE_SMTP_REPLY_H
#define ONSALE_SMTP_REPLY_H

#include "notifier.h"

enum { SMTP_TEXT_MAX = 400, SMTP_LINE_KEPT = 512, SMTP_LINE_MAX = 8192, SMTP_LINES_MAX = 200 };

struct smtp_reply {
    int code;                          /* 200..599 */
    int status_class, subject, detail; /* enhanced code (RFC 3463), all 0 when there is none */
    char text[SMTP_TEXT_MAX];          /* texts of all lines joined by blanks; controls replaced; cut when long */
};

/* Zero bytes is a parser at the start of a reply. */
struct smtp_parser {
    char line[SMTP_LINE_KEPT];
    size_t line_len; /* seen, not kept */
    unsigned lines;
    struct smtp_reply reply;
};
enum smtp_parsed { SMTP_MORE, SMTP_REPLY, SMTP_GARBAGE };
/* Eats bytes up to the end of one reply and fills `out` then. Line ends are LF or CRLF. */
enum smtp_parsed smtp_parse(struct smtp_parser *parser, const char **bytes, size_t *len, struct smtp_reply *out);

enum smtp_stage { SMTP_AT_MAIL = 1, SMTP_AT_RCPT = 2, SMTP_AT_DATA = 4, SMTP_AT_DOT = 8, SMTP_ANYWHERE = 15 };
struct smtp_class {
    enum notifier_fate fate;
    enum notifier_scope scope;
    int64_t retry_after_ms;
    bool needs_person; /* nothing will work before somebody changes the configuration */
};
struct smtp_class smtp_classify(enum smtp_stage stage, const struct smtp_reply *reply);

/* It complains of the order in which things were sent, or that they were not waited for. */
bool smtp_blames_order(const struct smtp_reply *reply);
/* How long a host that refused a connection with these words asks us to stay away; 0: it did not say. */
int64_t smtp_asked_ms(int code, const char *text);

/* Takes addresses out of a text in place: `address`, its local part, and whatever else has an @. */
void smtp_scrub(char *text, const char *address);

#endif
