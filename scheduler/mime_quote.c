/* mime_quote.c - quoted-printable (RFC 2045 section 6.7), line by line. */
#include "mime.h"

#include <string.h>

enum { ROW_MAX = 76 }; /* bytes of a row without its end */

static const char hex[] = "0123456789ABCDEF";

static bool qp_is_plain(unsigned char c) /* blanks only within a line */
{
    return (c >= ' ' && c <= '~' && c != '=') || c == '\t';
}

/* Eight of them at once, but for tabs: every byte from ' ' to '~' and none '='. */
static bool qp_are_plain(const char *eight)
{
    const uint64_t ones = 0x0101010101010101, highs = 0x80 * ones;
    uint64_t x;

    memcpy(&x, eight, sizeof x);
    if (x & highs)
        return false;
    uint64_t from_blank = x + (0x80 - ' ') * ones, beyond = x + ones, others = (x ^ '=' * ones) + 0x7F * ones;
    return (from_blank & others & ~beyond & highs) == highs;
}

/* What relays have been seen to touch at the start of a line. */
static bool is_risky(struct text line)
{
    return line.ptr[0] == '.' || (line.ptr[0] == 'F' && text_starts(line, "From "));
}

/* How much of a line fills a row as it stands; 0 when something in that must be encoded. */
static size_t plain_row(struct text line)
{
    size_t len = line.len <= ROW_MAX ? line.len : ROW_MAX - 1;
    char last = line.ptr[line.len - 1];

    if (is_risky(line) || (len == line.len && (last == ' ' || last == '\t')))
        return 0;
    size_t i = 0;
    while (i < len)
        if (i + 8 <= len && qp_are_plain(line.ptr + i))
            i += 8;
        else if (qp_is_plain((unsigned char)line.ptr[i]))
            i++;
        else
            return 0;
    return len;
}

/* One row, encoded where needed; how much of the line it took. */
static size_t encoded_row(struct buf *out, struct text line)
{
    char row[ROW_MAX];
    size_t column = 0, i = 0;

    for (; i < line.len; i++) {
        for (; i > 0 && i + 8 < line.len && column + 8 < ROW_MAX && qp_are_plain(line.ptr + i); i += 8, column += 8)
            memcpy(row + column, line.ptr + i, 8);
        unsigned char c = (unsigned char)line.ptr[i];
        bool last = i + 1 == line.len;
        bool plain = qp_is_plain(c) && !(last && (c == ' ' || c == '\t')) && !(i == 0 && is_risky(line));
        if (column + (plain ? 1 : 3) > (last ? ROW_MAX : ROW_MAX - 1)) /* room for the '=' of a soft line end */
            break;
        row[column++] = plain ? (char)c : '=';
        if (!plain) {
            row[column++] = hex[c >> 4];
            row[column++] = hex[c & 15];
        }
    }
    buf_add(out, row, column);
    return i;
}

/* One line in quoted-printable (RFC 2045 section 6.7). */
static void qp_line(struct buf *out, struct text line)
{
    while (line.len > 0) {
        size_t taken = plain_row(line);
        if (taken > 0)
            buf_add(out, line.ptr, taken);
        else
            taken = encoded_row(out, line);
        line = text_slice(line, taken, line.len);
        if (line.len > 0)
            buf_add(out, "=\r\n", 3);
    }
    buf_add(out, "\r\n", 2);
}

/* Any line ends in, CRLF out; the last line ends too. */
void mime_quote(struct text t, struct buf *out)
{
    while (t.len > 0) {
        const char *lf = memchr(t.ptr, '\n', t.len);
        size_t len = lf ? (size_t)(lf - t.ptr) : t.len;
        const char *cr = memchr(t.ptr, '\r', len);
        if (cr)
            len = (size_t)(cr - t.ptr);
        qp_line(out, text_slice(t, 0, len));
        t = text_slice(t, cr && cr + 1 == lf ? len + 2 : len + 1, t.len);
    }
}
