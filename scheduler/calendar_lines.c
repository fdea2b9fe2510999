/* Text from outside, and where content lines are folded. */
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

static void unfold(struct buf *out, struct text lines)
{
    for (size_t i = 0; i < lines.len;)
        if (text_starts(text_slice(lines, i, lines.len), "\r\n "))
            i += 3;
        else
            buf_addc(out, lines.ptr[i++]);
}

void calendar_add_folded(struct buf *buf, struct text lines)
{
    struct line line = {.buf = buf};
    auto_buf struct buf unfolded;

    buf_init(&unfolded, lines.len + 1);
    unfold(&unfolded, lines);
    lines = buf_text(&unfolded);
    for (size_t i = 0, len; i < lines.len; i += len) {
        const char *at = lines.ptr + i;
        len = 2;
        if (text_starts(text_slice(lines, i, lines.len), "\r\n")) {
            buf_add(buf, at, len);
            line.octets = 0;
            continue;
        }
        if (*at != '\\' || i + 1 == lines.len)
            len = character(text_slice(lines, i, lines.len));
        len = len ? len : 1;
        line_add(&line, at, len);
    }
}
