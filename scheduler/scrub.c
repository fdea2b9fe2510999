#include "scrub.h"

#include "text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum { LOCAL_MIN = 2 }; /* a local part of one letter is any letter of the text */

static const char removed[] = "***";

/* How an @ may be written: as it is, in a URL (once and twice encoded), quoted-printable, HTML, as a wide character. */
static const char *const ats[] = {"@", "%40", "%2540", "=40", "&#64;", "&#x40;", "&commat;", "\xEF\xBC\xA0"};

static bool is_edge(char c)
{
    return c == '\0' || isspace((unsigned char)c) || strchr("<>()[]{},;:\"'`|", c);
}

/* How many bytes of an @ begin here; 0: none. */
static size_t at_here(const char *text)
{
    for (size_t i = 0; i < ARRAY_LEN(ats); i++)
        if (strncasecmp(text, ats[i], strlen(ats[i])) == 0)
            return strlen(ats[i]);
    return 0;
}

/* Where the local part in front of `at` begins: at a blank or a bracket; a quoted one at its opening quote. */
static const char *local_begins(const char *text, const char *at)
{
    const char *from = at;

    if (from > text && from[-1] == '"') {
        const char *quote = from - 1;
        while (quote > text && quote[-1] != '"')
            quote--;
        if (quote > text)
            return quote - 1;
    }
    while (from > text && !is_edge(from[-1]))
        from--;
    return from;
}

/* The end of a domain; one in brackets is an address literal. */
static const char *domain_ends(const char *domain)
{
    const char *to = domain;

    if (*to == '[')
        while (*to && *to != ']' && !isspace((unsigned char)*to))
            to++;
    if (*to == ']')
        return to + 1;
    while (!is_edge(*to))
        to++;
    return to;
}

/* Takes out everything with an @ in it. */
static void add_without_addresses(struct buf *out, const char *text)
{
    const char *kept = text; /* up to here it is in `out` */

    for (const char *c = text; *c; c++) {
        size_t at = at_here(c);
        if (at == 0)
            continue;
        const char *from = local_begins(text, c), *to = domain_ends(c + at);
        if (from > kept)
            buf_add(out, kept, (size_t)(from - kept));
        buf_adds(out, removed);
        kept = to;
        c = to - 1;
    }
    buf_adds(out, kept);
}

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* The local part of an address standing alone: "mailbox ada.lovelace unknown". */
static void add_without_word(struct buf *out, const char *text, struct text word)
{
    const char *kept = text;

    for (const char *c = text; *c; c++) {
        if (strncasecmp(c, word.ptr, word.len) != 0 || (c > text && is_word_byte(c[-1])) || is_word_byte(c[word.len]))
            continue;
        buf_add(out, kept, (size_t)(c - kept));
        buf_adds(out, removed);
        kept = c + word.len;
        c = kept - 1;
    }
    buf_adds(out, kept);
}

char *scrub(const char *text, const char *address)
{
    struct text rest = text_of(address), local = text_cut(&rest, '@');
    struct buf whole, out;
    size_t limit = text ? 4 * strlen(text) + sizeof removed : 0;

    if (!text)
        return NULL;
    buf_init(&whole, limit);
    add_without_addresses(&whole, text);
    if (local.len < LOCAL_MIN)
        return buf_take(&whole);
    buf_init(&out, 4 * limit);
    add_without_word(&out, whole.ptr, local);
    buf_clear(&whole);
    return buf_take(&out);
}
