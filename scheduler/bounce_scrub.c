/* bounce_scrub.c - what is stored of a bounce says nothing about who. */
#include "bounce.h"
#include "scrub.h"

#include <string.h>

/* Controls become blanks, blanks are told once, and what is no UTF-8 becomes '?'. */
static char *tidy(struct text t)
{
    struct buf out;

    buf_init(&out, t.len + 1);
    while (t.len > 0) {
        unsigned char c = (unsigned char)t.ptr[0];
        size_t len = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        struct text one = text_slice(t, 0, len);
        if (c <= ' ' || c == 0x7F) {
            if (out.len > 0 && out.ptr[out.len - 1] != ' ')
                buf_addc(&out, ' ');
            len = 1;
        } else if (one.len < len || !text_is_utf8(one)) {
            buf_addc(&out, '?');
            len = 1;
        } else {
            buf_add_text(&out, one);
        }
        t = text_slice(t, len, t.len);
    }
    return buf_take(&out);
}

void bounce_scrub(struct text said, const struct text *known, size_t known_count, char out[BOUNCE_TEXT_MAX + 1])
{
    auto_free char *line = tidy(text_slice(said, 0, (size_t)16 * BOUNCE_TEXT_MAX));

    for (size_t i = 0; i <= known_count; i++) { /* once without an address: there may be others */
        auto_free char *address = i < known_count ? text_dup(known[i]) : NULL;
        char *less = scrub(line, address);
        free(line);
        line = less;
    }
    struct text rest = text_trim(text_of(line));
    size_t len = rest.len < BOUNCE_TEXT_MAX ? rest.len : BOUNCE_TEXT_MAX;
    while (len < rest.len && len > 0 && ((unsigned char)rest.ptr[len] & 0xC0) == 0x80)
        len--;
    memcpy(out, rest.ptr ? rest.ptr : "", len);
    out[len] = '\0';
}
