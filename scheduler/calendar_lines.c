/* Text from outside, and content lines. Folding happens here, between characters and never within an escape: readers
 * unfold first, but not all of them. */
#include "calendar_private.h"

#include <string.h>

enum {
    LINE_MAX_OCTETS = 75, /* RFC 5545 section 3.1, without the line end */
};

/* --- Text from outside -------------------------------------------------------------------------------------------- */

/* Bytes of the character at the beginning, or 0: it is none. */
static size_t character(struct text t)
{
    unsigned char c = (unsigned char)t.ptr[0];
    size_t len = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;

    return len <= t.len && text_is_utf8(text_slice(t, 0, len)) ? len : 0;
}

static uint32_t code_point(const char *ptr, size_t len)
{
    const unsigned char *s = (const unsigned char *)ptr;
    uint32_t code = len == 1 ? s[0] : s[0] & (0x7Fu >> len);

    for (size_t i = 1; i < len; i++)
        code = code << 6 | (s[i] & 0x3Fu);
    return code;
}

static bool is_line_end(uint32_t code)
{
    return code == '\n' || code == '\v' || code == '\f' || code == 0x85 || code == 0x2028 || code == 0x2029;
}

/* Controls, and what turns the line around (U+202A-202E, U+2066-2069) or is not there (U+FEFF). */
static bool is_blank(uint32_t code)
{
    return code <= ' ' || (code >= 0x7F && code <= 0xA0) || code == 0x2028 || code == 0x2029 ||
           (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
}

struct cleaning {
    struct buf *out;
    size_t start, count, max; /* characters */
    unsigned ends;            /* line ends that wait for what follows them */
    bool blank;               /* a blank waits */
    bool full;
};

static void clean_add(struct cleaning *cleaning, const char *ptr, size_t len)
{
    size_t waiting = cleaning->ends ? cleaning->ends : cleaning->blank;

    if (cleaning->out->len == cleaning->start)
        waiting = 0; /* nothing stands before it */
    if (cleaning->count + waiting + 1 > cleaning->max) {
        cleaning->full = true;
        return;
    }
    for (size_t i = 0; i < waiting; i++)
        buf_addc(cleaning->out, cleaning->ends ? '\n' : ' ');
    buf_add(cleaning->out, ptr, len);
    cleaning->count += waiting + 1;
    cleaning->ends = 0;
    cleaning->blank = false;
}

/* The last character gives way to an ellipsis. */
static void clean_cut(struct cleaning *cleaning)
{
    struct buf *out = cleaning->out;

    if (cleaning->count == cleaning->max)
        do
            out->len--;
        while (out->len > cleaning->start && ((unsigned char)out->ptr[out->len] & 0xC0) == 0x80);
    buf_adds(out, "\xE2\x80\xA6");
}

void calendar_clean(struct buf *out, struct text t, size_t max, bool lines)
{
    struct cleaning cleaning = {.out = out, .start = out->len, .max = max};

    for (size_t i = 0, len; i < t.len && !cleaning.full && !buf_failed(out); i += len) {
        len = character(text_slice(t, i, t.len));
        uint32_t code = len ? code_point(t.ptr + i, len) : 0xFFFD;
        if (len == 0) {
            clean_add(&cleaning, "\xEF\xBF\xBD", 3);
            len = 1;
        } else if (lines && is_line_end(code)) {
            cleaning.ends += cleaning.ends < 2;
        } else if (is_blank(code)) {
            cleaning.blank = true;
        } else {
            clean_add(&cleaning, t.ptr + i, len);
        }
    }
    if (cleaning.full && max > 0 && !buf_failed(out))
        clean_cut(&cleaning);
}

bool calendar_clean_url(struct buf *out, struct text url)
{
    static const char refused[] = "\"<>\\^`{|}"; /* with controls and blanks: what RFC 3986 does not know */
    struct text rest = url;
    size_t start = out->len;

    if (url.len > CALENDAR_URL_MAX || !text_is_utf8(url))
        return false;
    struct text scheme = text_cut(&rest, ':');
    if (!text_equal_nocase(scheme, TEXT("https")) && !text_equal_nocase(scheme, TEXT("http")))
        return false;
    if (rest.len < 3 || !text_starts(rest, "//") || rest.ptr[2] == '/' || rest.ptr[2] == '?' || rest.ptr[2] == '#')
        return false;
    for (size_t i = 0; i < url.len; i++) {
        unsigned char c = (unsigned char)url.ptr[i];
        if (c <= ' ' || c == 0x7F || strchr(refused, c)) {
            out->len = start;
            if (out->ptr)
                out->ptr[start] = '\0';
            return false;
        }
        if (c < 0x80)
            buf_addc(out, (char)c);
        else
            buf_addf(out, "%%%02X", c);
    }
    return true;
}

/* --- Content lines ------------------------------------------------------------------------------------------------ */

struct line {
    struct buf *buf;
    size_t octets;
};

/* What is one may not be torn. A blank goes to the end of a line rather than to the beginning of the next, where some
 * readers take it for the fold's own. */
static void line_add(struct line *line, const char *unit, size_t len)
{
    size_t room = *unit == ' ' ? LINE_MAX_OCTETS : LINE_MAX_OCTETS - 1;

    if (line->octets + len > room) {
        buf_add(line->buf, "\r\n ", 3);
        line->octets = 1;
    }
    buf_add(line->buf, unit, len);
    line->octets += len;
}

static void line_add_all(struct line *line, struct text t)
{
    for (size_t i = 0, len; i < t.len; i += len) {
        len = character(text_slice(t, i, t.len));
        len = len ? len : 1;
        line_add(line, t.ptr + i, len);
    }
}

static struct line line_begin(struct buf *buf, const char *name)
{
    struct line line = {.buf = buf};

    line_add_all(&line, text_of(name));
    line_add(&line, ":", 1);
    return line;
}

static void line_end(const struct line *line)
{
    buf_add(line->buf, "\r\n", 2);
}

void calendar_add_value(struct buf *buf, const char *name, struct text value)
{
    struct line line = line_begin(buf, name);

    line_add_all(&line, value);
    line_end(&line);
}

void calendar_add_text(struct buf *buf, const char *name, struct text value)
{
    struct line line = line_begin(buf, name);

    for (size_t i = 0, len; i < value.len; i += len) {
        char c = value.ptr[i];
        len = 1;
        if (c == '\n') {
            line_add(&line, "\\n", 2);
        } else if (c == '\\' || c == ';' || c == ',') {
            line_add(&line, (char[]){'\\', c}, 2);
        } else {
            len = character(text_slice(value, i, value.len));
            len = len ? len : 1;
            line_add(&line, value.ptr + i, len);
        }
    }
    line_end(&line);
}

void calendar_add_moment(struct buf *buf, const char *name, int64_t at_ms)
{
    struct civil at = civil_of(at_ms);

    buf_addf(buf, "%s:%04d%02d%02dT%02d%02d%02dZ\r\n", name, at.year, at.month, at.day, at.hour, at.minute, at.second);
}

void calendar_add_span(struct buf *buf, int64_t span_ms)
{
    long long seconds = span_ms / SECOND_MS, days = seconds / 86400, hours = seconds / 3600 % 24,
              minutes = seconds / 60 % 60;

    buf_addc(buf, 'P');
    if (days)
        buf_addf(buf, "%lldD", days);
    seconds %= 60;
    if (!days || hours || minutes || seconds)
        buf_addc(buf, 'T');
    if (hours)
        buf_addf(buf, "%lldH", hours);
    if (minutes || (hours && seconds)) /* minutes may not be skipped: section 3.3.6 */
        buf_addf(buf, "%lldM", minutes);
    if (seconds || (!days && !hours && !minutes))
        buf_addf(buf, "%lldS", seconds);
}

void calendar_add_quoted(struct buf *buf, struct text value)
{
    buf_addc(buf, '"');
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] == '"')
            buf_adds(buf, "^'");
        else if (value.ptr[i] == '^')
            buf_adds(buf, "^^");
        else if (value.ptr[i] == '\\') /* libical takes one before the closing quote for an escape */
            buf_addc(buf, '/');
        else
            buf_addc(buf, value.ptr[i]);
    buf_addc(buf, '"');
}
