#include "smtp_reply.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- reading ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One to three digits; what stands behind them, or NULL. */
static const char *read_number(const char *text, int *out)
{
    size_t len = 0;

    for (*out = 0; len < 3 && is_digit(text[len]); len++)
        *out = *out * 10 + (text[len] - '0');
    return len > 0 ? text + len : NULL;
}

/* "5.1.1" at the start of a text; subject and detail have at most three digits (RFC 3463 section 2). */
static void read_status(const char *text, struct smtp_reply *reply)
{
    int subject, detail;

    if (!text[0] || !strchr("245", text[0]) || text[1] != '.')
        return;
    const char *rest = read_number(text + 2, &subject);
    if (!rest || *rest != '.')
        return;
    rest = read_number(rest + 1, &detail);
    if (!rest || (*rest && !isspace((unsigned char)*rest) && *rest != ':'))
        return;
    reply->status_class = text[0] - '0';
    reply->subject = subject;
    reply->detail = detail;
}

static void add_text(struct smtp_reply *reply, const char *text)
{
    size_t len = strlen(reply->text);

    if (len > 0 && text[0] && len + 1 < sizeof reply->text)
        reply->text[len++] = ' ';
    for (; *text && len + 1 < sizeof reply->text; text++)
        reply->text[len++] = (unsigned char)*text < 0x20 || *text == 0x7F ? ' ' : *text;
    reply->text[len] = '\0';
}

/* 1: the reply is complete, 0: more lines follow, -1: this is no reply. */
static int take_line(struct smtp_parser *parser)
{
    char *line = parser->line;
    size_t len = parser->line_len < sizeof parser->line ? parser->line_len : sizeof parser->line - 1;
    struct smtp_reply *reply = &parser->reply;

    if (len > 0 && line[len - 1] == '\r')
        len--;
    line[len] = '\0';
    if (len < 3 || line[0] < '2' || line[0] > '5' || !is_digit(line[1]) || !is_digit(line[2]) ||
        (len > 3 && line[3] != ' ' && line[3] != '-'))
        return -1;
    int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    if (parser->lines++ == 0) {
        reply->code = code;
        if (len > 4)
            read_status(line + 4, reply);
    } else if (code != reply->code || parser->lines > SMTP_LINES_MAX) {
        return -1;
    }
    if (len > 4)
        add_text(reply, line + 4);
    return len > 3 && line[3] == '-' ? 0 : 1;
}

/* False: no line of a reply has such bytes, or so many. */
static bool keep_piece(struct smtp_parser *parser, const char *piece, size_t len)
{
    size_t room = parser->line_len < sizeof parser->line ? sizeof parser->line - parser->line_len : 0;

    if (parser->line_len + len > SMTP_LINE_MAX || memchr(piece, '\0', len))
        return false;
    if (room > 0)
        memcpy(parser->line + parser->line_len, piece, len < room ? len : room);
    parser->line_len += len;
    return true;
}

/* Texts are short as a rule, and there is a reply to every command. */
static void copy_reply(struct smtp_reply *out, const struct smtp_reply *reply)
{
    out->code = reply->code;
    out->status_class = reply->status_class;
    out->subject = reply->subject;
    out->detail = reply->detail;
    memcpy(out->text, reply->text, strlen(reply->text) + 1);
}

enum smtp_parsed smtp_parse(struct smtp_parser *parser, const char **bytes, size_t *len, struct smtp_reply *out)
{
    while (*len > 0) {
        const char *stop = memchr(*bytes, '\n', *len);
        size_t piece = stop ? (size_t)(stop - *bytes) : *len;
        bool fine = keep_piece(parser, *bytes, piece);
        *bytes += piece + (stop != NULL);
        *len -= piece + (stop != NULL);
        if (!fine)
            return SMTP_GARBAGE;
        if (!stop)
            break;
        int done = take_line(parser);
        parser->line_len = 0;
        if (done < 0)
            return SMTP_GARBAGE;
        if (done) {
            copy_reply(out, &parser->reply);
            parser->lines = 0;
            parser->reply.code = parser->reply.status_class = parser->reply.subject = parser->reply.detail = 0;
            parser->reply.text[0] = '\0';
            return SMTP_REPLY;
        }
    }
    return SMTP_MORE;
}

/* ---- judging ---- */

enum { ANY = -1, HOUR_MS = 3600 * 1000, MINUTE_MS = 60 * 1000 };

/* The first row that fits decides. Codes and statuses: RFC 5321, RFC 3463 and its registry; texts: what the big
 * receivers answer. A status whose class disagrees with the code's first digit is not looked at. */
static const struct row {
    unsigned stages;
    int code_min, code_max;
    int subject, detail_min, detail_max; /* subject ANY: status does not matter; detail_min ANY: any detail */
    const char *text;                    /* lower case; part of the reply's text; NULL: any */
    enum notifier_fate fate;
    enum notifier_scope scope;
    int64_t retry_after_ms; /* what is obeyed, and for how long: their words where they name a time, else SLOW */
    bool needs_person;
} rows[] = {
#define ALL SMTP_ANYWHERE
#define CODE(a) a, a
#define NO_STATUS ANY, ANY, ANY
#define STATUS(s, d) s, d, d
#define SLOW NOTIFIER_SLOW_DOWN
    {SMTP_AT_DOT, CODE(250), NO_STATUS, NULL, NOTIFIER_ACCEPTED, NOTIFIER_ADDRESS, 0, false},
    {SMTP_AT_DOT, 200, 399, NO_STATUS, NULL, NOTIFIER_IN_DOUBT, NOTIFIER_CHANNEL, 0, false},
    {ALL, 200, 399, NO_STATUS, NULL, NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, 0, false}, /* out of step */

    /* later */
    {ALL, CODE(421), NO_STATUS, "[tss05]", NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, 4 * HOUR_MS, false},
    {ALL, CODE(421), NO_STATUS, "[tss04]", NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, 2 * HOUR_MS, false},
    {ALL, CODE(421), NO_STATUS, NULL, NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, SLOW, false},
    {ALL, CODE(454), NO_STATUS, "daily", NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, 30 * MINUTE_MS,
     false}, /* SES: a quota */
    {ALL, CODE(454), NO_STATUS, NULL, NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, SLOW, false},
    {ALL, CODE(452), STATUS(2, 2), NULL, NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false}, /* full: for this opening */
    {ALL, 400, 499, 3, ANY, ANY, NULL, NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, 0, false}, /* the server's own trouble */
    {SMTP_AT_RCPT, CODE(452), NO_STATUS, NULL, NOTIFIER_TRY_LATER, NOTIFIER_ADDRESS, 0, false},
    {ALL, 400, 499, 2, ANY, ANY, NULL, NOTIFIER_TRY_LATER, NOTIFIER_ADDRESS, 0, false},
    {ALL, 400, 499, STATUS(7, 28), NULL, NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, SLOW, false}, /* Gmail: unusual rate */
    {ALL, 400, 499, STATUS(7, 500), NULL, NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, SLOW, false},
    {ALL, 400, 499, 7, 650, 652, NULL, NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, SLOW, false},
    {ALL, 400, 499, 7, 850, 899, NULL, NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, SLOW, false},
    {ALL, 400, 499, 7, 23, 32, NULL, NOTIFIER_TRY_LATER, NOTIFIER_MESSAGE, SLOW, false},
    {ALL, 400, 499, NO_STATUS, "excessive volume", NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, SLOW, false},
    {ALL, 400, 499, NO_STATUS, "rate limit", NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, SLOW, false},
    {ALL, 400, 499, NO_STATUS, "unusual rate", NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, SLOW, false},
    {ALL, 400, 499, NO_STATUS, "sending rate", NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, SLOW, false},
    {ALL, 400, 499, NO_STATUS, "throttl", NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, SLOW, false},
    {ALL, 400, 499, NO_STATUS, "too many messages", NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, SLOW, false},
    {ALL, 400, 499, NO_STATUS, "too many connections", NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, SLOW, false},
    {ALL, 450, 451, NO_STATUS, "reputation", NOTIFIER_TRY_LATER, NOTIFIER_MESSAGE, SLOW, false},
    {ALL, 450, 451, NO_STATUS, "greylist", NOTIFIER_TRY_LATER, NOTIFIER_ADDRESS, 5 * MINUTE_MS, false},
    {ALL, 450, 451, NO_STATUS, "graylist", NOTIFIER_TRY_LATER, NOTIFIER_ADDRESS, 5 * MINUTE_MS, false},
    {SMTP_AT_RCPT | SMTP_AT_DOT, 450, 451, 7, 0, 1, NULL, NOTIFIER_TRY_LATER, NOTIFIER_ADDRESS, 5 * MINUTE_MS, false},
    {SMTP_AT_MAIL | SMTP_AT_DATA, 450, 451, 7, ANY, ANY, NULL, NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, SLOW, false},
    {SMTP_AT_MAIL | SMTP_AT_DATA, 400, 499, NO_STATUS, NULL, NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, 0, false},
    {ALL, 400, 499, NO_STATUS, NULL, NOTIFIER_TRY_LATER, NOTIFIER_ADDRESS, 0, false},

    /* a person has to change something */
    {ALL, CODE(530), NO_STATUS, NULL, NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, 0, true},
    {ALL, 534, 535, NO_STATUS, NULL, NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, 0, true},
    {ALL, CODE(538), NO_STATUS, NULL, NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, 0, true},

    /* never: whose fault */
    {ALL, 500, 599, STATUS(1, 7), NULL, NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false}, /* our own address */
    {ALL, 500, 599, STATUS(1, 8), NULL, NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false},
    {SMTP_AT_MAIL, 500, 599, 1, ANY, ANY, NULL, NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false},
    {ALL, 500, 599, 1, ANY, ANY, NULL, NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false},
    {ALL, 500, 599, STATUS(2, 3), NULL, NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false},
    {ALL, 500, 599, STATUS(3, 4), NULL, NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false},
    {ALL, 500, 599, 2, ANY, ANY, NULL, NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false},
    {ALL, 500, 599, STATUS(6, 7), NULL, NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false}, /* RFC 6531: no UTF-8 address */
    {ALL, 500, 599, 6, ANY, ANY, NULL, NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false},
    {SMTP_AT_RCPT | SMTP_AT_DOT, 500, 599, 7, 17, 18, NULL, NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false},
    {SMTP_AT_RCPT | SMTP_AT_DOT, 500, 599, 7, 120, 139, NULL, NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false},
    {ALL, 500, 599, 7, ANY, ANY, NULL, NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false},
    {SMTP_AT_RCPT, CODE(501), NO_STATUS, NULL, NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false},
    {ALL, 500, 504, NO_STATUS, NULL, NOTIFIER_REFUSED, NOTIFIER_CHANNEL, 0, false}, /* we spoke badly */
    {ALL, CODE(555), NO_STATUS, NULL, NOTIFIER_REFUSED, NOTIFIER_CHANNEL, 0, false},
    {SMTP_AT_RCPT | SMTP_AT_DOT, CODE(521), NO_STATUS, NULL, NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false},
    {ALL, CODE(521), NO_STATUS, NULL, NOTIFIER_REFUSED, NOTIFIER_CHANNEL, 0, false},
    {SMTP_AT_RCPT | SMTP_AT_DOT, CODE(556), NO_STATUS, NULL, NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false},
    {SMTP_AT_RCPT, CODE(552), NO_STATUS, "full", NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false},
    {SMTP_AT_RCPT, CODE(552), NO_STATUS, "quota", NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false},
    {SMTP_AT_RCPT, CODE(552), NO_STATUS, NULL, NOTIFIER_TRY_LATER, NOTIFIER_ADDRESS, 0,
     false}, /* RFC 5321 4.5.3.1.10 */
    {ALL, 500, 599, NO_STATUS, "user unknown", NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false},
    {ALL, 500, 599, NO_STATUS, "unknown user", NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false},
    {ALL, 500, 599, NO_STATUS, "no such user", NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false},
    {ALL, 500, 599, NO_STATUS, "mailbox unavailable", NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false},
    {ALL, 500, 599, NO_STATUS, "doesn't have a", NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false}, /* Yahoo, at the dot */
    {ALL, 500, 599, NO_STATUS, "[ph01]", NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false},
    {ALL, 500, 599, NO_STATUS, "[bl", NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false},
    {ALL, 500, 599, NO_STATUS, "spam", NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false},
    {ALL, 500, 599, NO_STATUS, "blocklist", NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false},
    {ALL, 500, 599, NO_STATUS, "blacklist", NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false},
    {ALL, 500, 599, NO_STATUS, "blocked", NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false},
    {ALL, 500, 599, NO_STATUS, "reputation", NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false},
    {ALL, 500, 599, NO_STATUS, "policy", NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false},
    {ALL, 500, 599, NO_STATUS, "relay", NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false},
    {SMTP_AT_RCPT, 500, 599, NO_STATUS, NULL, NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false},
    {SMTP_AT_DOT, CODE(551), NO_STATUS, NULL, NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, false},
    {ALL, 500, 599, NO_STATUS, NULL, NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, false},
};

static bool fits(const struct row *row, enum smtp_stage stage, const struct smtp_reply *reply)
{
    if (!(row->stages & stage) || reply->code < row->code_min || reply->code > row->code_max)
        return false;
    if (row->subject != ANY) {
        if (reply->status_class != reply->code / 100 || reply->subject != row->subject)
            return false;
        if (row->detail_min != ANY && (reply->detail < row->detail_min || reply->detail > row->detail_max))
            return false;
    }
    return !row->text || strcasestr(reply->text, row->text);
}

static struct smtp_class class_of(const struct row *row, enum smtp_stage stage, const struct smtp_reply *reply)
{
    struct smtp_class class = {row->fate, row->scope, row->retry_after_ms, row->needs_person};

    if (stage == SMTP_AT_MAIL && class.scope == NOTIFIER_ADDRESS) { /* nobody has been named yet: it is not theirs */
        bool later = reply->code < 500;
        class.fate = later ? NOTIFIER_TRY_LATER : NOTIFIER_REFUSED;
        class.scope = later ? NOTIFIER_CHANNEL : NOTIFIER_MESSAGE;
    }
    return class;
}

struct smtp_class smtp_classify(enum smtp_stage stage, const struct smtp_reply *reply)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (fits(&rows[i], stage, reply))
            return class_of(&rows[i], stage, reply);
    /* Not a code the parser lets through. */
    return (struct smtp_class){.fate = stage == SMTP_AT_DOT ? NOTIFIER_IN_DOUBT : NOTIFIER_TRY_LATER,
                               .scope = NOTIFIER_CHANNEL};
}

/* RFC 3463: x.5.0 and x.5.1 are of the protocol: invalid command, undefined. Texts: Postfix, Exim, sendmail,
 * appliances. */
bool smtp_blames_order(const struct smtp_reply *reply)
{
    static const char *const texts[] = {"pipelin", "synchroni", "sequence", "command rejected", "order of commands"};
    bool says_protocol = reply->status_class == 5 && reply->subject == 5 && reply->detail <= 1;

    if (reply->code < 500 && reply->code != 421)
        return false;
    if (reply->code == 503 || (reply->code >= 500 && says_protocol))
        return true;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcasestr(reply->text, texts[i]))
            return true;
    return false;
}

int64_t smtp_asked_ms(int code, const char *text)
{
    struct smtp_reply reply = {.code = code};
    struct smtp_class class;

    snprintf(reply.text, sizeof reply.text, "%s", text);
    class = smtp_classify(SMTP_AT_MAIL, &reply);
    return class.scope == NOTIFIER_CHANNEL ? class.retry_after_ms : 0;
}

/* ---- saying it again ---- */

static const char REMOVED[] = "***";

static void cut_out(char *from, const char *to)
{
    size_t len = (size_t)(to - from), put = len < sizeof REMOVED - 1 ? len : sizeof REMOVED - 1;

    memcpy(from, REMOVED, put);
    memmove(from + put, to, strlen(to) + 1);
}

static bool is_edge(char c)
{
    return c == '\0' || isspace((unsigned char)c) || strchr("<>()[]{},;:\"'", c);
}

void smtp_scrub(char *text, const char *address)
{
    for (char *at; (at = strchr(text, '@'));) {
        char *from = at, *to = at + 1;
        while (from > text && !is_edge(from[-1]))
            from--;
        while (!is_edge(*to))
            to++;
        cut_out(from, to);
    }
    char local[65];
    const char *end = strchr(address, '@');
    size_t len = end ? (size_t)(end - address) : strlen(address);
    if (len == 0 || len >= sizeof local)
        return;
    memcpy(local, address, len);
    local[len] = '\0';
    for (char *from = text; (from = strcasestr(from, local));) {
        if ((from == text || is_edge(from[-1])) && (is_edge(from[len]) || from[len] == '.'))
            cut_out(from, from + len);
        from += from[0] ? 1 : 0;
    }
}
