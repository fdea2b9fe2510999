/* bounce_scrub.c - what is stored of a bounce says nothing about who. */
#include "bounce.h"

#include <ctype.h>
#include <string.h>

static const char REMOVED[] = "***";

static bool is_edge(char c)
{
    return isspace((unsigned char)c) || (c && strchr("<>()[]{},;:\"'", c));
}

/* '@', also as it stands in links and in encoded words. */
static size_t at_sign(struct text t, size_t i)
{
    if (t.ptr[i] == '@')
        return 1;
    if ((t.ptr[i] == '%' || t.ptr[i] == '=') && i + 2 < t.len && t.ptr[i + 1] == '4' && t.ptr[i + 2] == '0')
        return 3;
    return 0;
}

/* Where the word ends that begins at `from`, and whether an address is in it. A quoted local part belongs to it. */
static size_t word_end(struct text t, size_t from, bool *address)
{
    size_t i = from;

    *address = false;
    if (t.ptr[i] == '"') {
        size_t close = i + 1;
        while (close < t.len && close - i <= 66 && t.ptr[close] != '"')
            close++;
        if (close + 1 >= t.len || t.ptr[close] != '"' || t.ptr[close + 1] != '@')
            return from;
        i = close + 1;
    }
    while (i < t.len && !is_edge(t.ptr[i])) {
        size_t at = at_sign(t, i);
        *address |= at > 0;
        i += at ? at : 1;
    }
    return i;
}

static bool is_known(struct text word, const struct text *known, size_t known_count)
{
    while (word.len > 0 && word.ptr[word.len - 1] == '.')
        word.len--;
    for (size_t i = 0; i < known_count; i++) {
        struct text rest = known[i], local = text_cut(&rest, '@');
        if (local.len > 0 && text_equal_nocase(local, word))
            return true;
    }
    return false;
}

/* Controls become blanks, blanks are told once, and what is no UTF-8 becomes '?'. */
static void add_tidy(struct buf *out, struct text t)
{
    while (t.len > 0) {
        unsigned char c = (unsigned char)t.ptr[0];
        size_t len = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        struct text one = text_slice(t, 0, len);
        if (c <= ' ' || c == 0x7F) {
            if (out->len > 0 && out->ptr[out->len - 1] != ' ')
                buf_addc(out, ' ');
            len = 1;
        } else if (one.len < len || !text_is_utf8(one)) {
            buf_addc(out, '?');
            len = 1;
        } else {
            buf_add_text(out, one);
        }
        t = text_slice(t, len, t.len);
    }
}

void bounce_scrub(struct text said, const struct text *known, size_t known_count, char out[BOUNCE_TEXT_MAX + 1])
{
    struct text t = text_slice(said, 0, (size_t)16 * BOUNCE_TEXT_MAX);
    auto_buf struct buf tidy;

    buf_init(&tidy, (size_t)64 * BOUNCE_TEXT_MAX);
    for (size_t i = 0; i < t.len;) {
        bool address;
        size_t end = word_end(t, i, &address);
        struct text word = text_slice(t, i, end);
        if (end == i) {
            add_tidy(&tidy, text_slice(t, i, i + 1));
            i++;
            continue;
        }
        if (address || is_known(word, known, known_count))
            buf_adds(&tidy, REMOVED);
        else
            add_tidy(&tidy, word);
        i = end;
    }
    struct text line = text_trim(buf_text(&tidy));
    size_t len = line.len < BOUNCE_TEXT_MAX ? line.len : BOUNCE_TEXT_MAX;
    while (len < line.len && len > 0 && ((unsigned char)line.ptr[len] & 0xC0) == 0x80)
        len--;
    memcpy(out, line.ptr, len);
    out[len] = '\0';
}
