#include "text.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdalign.h>
#include <string.h>

struct text text_of(const char *string)
{
    return (struct text){string, string ? strlen(string) : 0};
}

bool text_given(const char *string)
{
    return string && string[0];
}

bool text_is(struct text a, const char *b)
{
    return text_equal(a, text_of(b));
}

bool text_equal(struct text a, struct text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool text_equal_nocase(struct text a, struct text b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

bool text_starts(struct text t, const char *prefix)
{
    size_t len = strlen(prefix);

    return t.len >= len && (len == 0 || memcmp(t.ptr, prefix, len) == 0);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct text text_trim(struct text t)
{
    while (t.len > 0 && is_blank(t.ptr[0])) {
        t.ptr++;
        t.len--;
    }
    while (t.len > 0 && is_blank(t.ptr[t.len - 1]))
        t.len--;
    return t;
}

struct text text_cut(struct text *rest, char separator)
{
    const char *end = rest->len ? memchr(rest->ptr, separator, rest->len) : NULL;
    struct text part = *rest;

    if (!end) {
        *rest = (struct text){rest->ptr ? rest->ptr + rest->len : NULL, 0};
        return part;
    }
    part.len = (size_t)(end - rest->ptr);
    rest->ptr = end + 1;
    rest->len -= part.len + 1;
    return part;
}

struct text text_slice(struct text t, size_t from, size_t to)
{
    if (to > t.len)
        to = t.len;
    if (from > to)
        from = to;
    return (struct text){t.ptr ? t.ptr + from : NULL, to - from};
}

bool text_is_utf8(struct text t)
{
    const unsigned char *s = (const unsigned char *)(t.ptr ? t.ptr : ""), *end = s + t.len;

    while (s < end) {
        unsigned char c = *s;
        size_t more;

        if (c == 0)
            return false;
        if (c < 0x80) {
            s++;
            continue;
        }
        if (c >= 0xC2 && c <= 0xDF)
            more = 1;
        else if (c >= 0xE0 && c <= 0xEF)
            more = 2;
        else if (c >= 0xF0 && c <= 0xF4)
            more = 3;
        else
            return false;
        if ((size_t)(end - s) <= more)
            return false;
        for (size_t i = 1; i <= more; i++)
            if ((s[i] & 0xC0) != 0x80)
                return false;
        /* shortest form only, no surrogates, nothing above U+10FFFF (RFC 3629) */
        if ((c == 0xE0 && s[1] < 0xA0) || (c == 0xED && s[1] > 0x9F) || (c == 0xF0 && s[1] < 0x90) ||
            (c == 0xF4 && s[1] > 0x8F))
            return false;
        s += more + 1;
    }
    return true;
}

char *text_dup(struct text t)
{
    char *copy = must_calloc(1, t.len + 1);

    if (t.len)
        memcpy(copy, t.ptr, t.len);
    return copy;
}

bool text_matches(struct text t, const char *glob)
{
    const char *star = NULL;
    size_t i = 0, resume = 0;

    /* One level of memory is enough: when a later part fails, only the last '*' can take more. */
    while (i < t.len) {
        if (*glob == '*') {
            star = glob++;
            resume = i;
        } else if (*glob && (*glob == '?' || *glob == t.ptr[i])) {
            glob++;
            i++;
        } else if (star) {
            glob = star + 1;
            i = ++resume;
        } else {
            return false;
        }
    }
    while (*glob == '*')
        glob++;
    return *glob == '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool text_unhex(struct text t, unsigned char *out, size_t size)
{
    if (t.len != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = hex_digit(t.ptr[2 * i]), low = hex_digit(t.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (unsigned char)(high << 4 | low);
    }
    return true;
}

unsigned text_distance(const char *a, const char *b)
{
    enum { WORD_MAX_LEN = 63 };
    unsigned row[3][WORD_MAX_LEN + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > WORD_MAX_LEN || lb > WORD_MAX_LEN)
        return UINT_MAX;
    for (size_t j = 0; j <= lb; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= la; i++) {
        unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= lb; j++) {
            unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return row[la % 3][lb];
}

void buf_init(struct buf *buf, size_t limit)
{
    *buf = (struct buf){.limit = limit};
}

void buf_clear(struct buf *buf)
{
    free(buf->ptr);
    *buf = (struct buf){.limit = buf->limit};
}

void buf_reset(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->ptr)
        buf->ptr[0] = '\0';
}

static bool buf_room(struct buf *buf, size_t more)
{
    if (buf->failed)
        return false;
    if (more > buf->limit || buf->len > buf->limit - more) {
        buf->failed = true;
        return false;
    }
    size_t need = buf->len + more + 1;
    if (need <= buf->cap)
        return true;
    size_t cap = buf->cap ? buf->cap : 64;
    while (cap < need)
        cap *= 2;
    char *ptr = realloc(buf->ptr, cap);
    if (!ptr) {
        buf->failed = true;
        return false;
    }
    buf->ptr = ptr;
    buf->cap = cap;
    return true;
}

void buf_reserve(struct buf *buf, size_t len)
{
    if (len <= buf->limit - buf->len) /* else whoever adds it hears of it */
        buf_room(buf, len);
}

void buf_add(struct buf *buf, const void *bytes, size_t len)
{
    if (!buf_room(buf, len))
        return;
    if (len)
        memcpy(buf->ptr + buf->len, bytes, len);
    buf->len += len;
    buf->ptr[buf->len] = '\0';
}

void buf_add_text(struct buf *buf, struct text t)
{
    buf_add(buf, t.ptr, t.len);
}

void buf_adds(struct buf *buf, const char *string)
{
    buf_add(buf, string, strlen(string));
}

void buf_addc(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}

void buf_addv(struct buf *buf, const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len < 0) {
        buf->failed = true;
        return;
    }
    if (!buf_room(buf, (size_t)len))
        return;
    vsnprintf(buf->ptr + buf->len, (size_t)len + 1, format, args);
    buf->len += (size_t)len;
}

void buf_addf(struct buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_addv(buf, format, args);
    va_end(args);
}

bool buf_failed(const struct buf *buf)
{
    return buf->failed;
}

struct text buf_text(const struct buf *buf)
{
    return (struct text){buf->ptr ? buf->ptr : "", buf->len};
}

int buf_add_file(struct buf *buf, const char *path, struct error *err)
{
    auto_file FILE *file = fopen(path, "re");
    char part[8192];
    size_t len;

    if (!file)
        return error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    while (!buf->failed && (len = fread(part, 1, sizeof part, file)) > 0)
        buf_add(buf, part, len);
    if (buf->failed)
        return error_set(err, ERROR_CONFIG, "larger than %zu bytes", buf->limit);
    if (ferror(file))
        return error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    return 0;
}

char *buf_take(struct buf *buf)
{
    char *ptr = NULL;

    buf_room(buf, 0); /* an empty buffer still gives a terminated text */
    if (!buf->failed) {
        ptr = buf->ptr;
        ptr[buf->len] = '\0';
        buf->ptr = NULL;
    }
    buf_clear(buf);
    return ptr;
}

/* Zero width (U+200B-200F), line ends and changes of direction (U+2028-202E, U+2066-2069). */
static bool is_invisible(struct text t)
{
    unsigned char last = t.len == 3 ? (unsigned char)t.ptr[2] : 0;

    if (text_starts(t, "\xE2\x80"))
        return (last >= 0x8B && last <= 0x8F) || (last >= 0xA8 && last <= 0xAE);
    return text_starts(t, "\xE2\x81") && last >= 0xA6 && last <= 0xA9;
}

size_t buf_add_visible_char(struct buf *out, struct text rest)
{
    unsigned char c = (unsigned char)rest.ptr[0];
    size_t len = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    struct text whole = text_slice(rest, 0, len);

    if (c == '\t')
        buf_addc(out, ' ');
    else if (c < 0x20 || c == 0x7F || !text_is_utf8(whole)) {
        buf_addf(out, "\\x%02x", c);
        return 1;
    } else if (len == 2 && c == 0xC2 && (unsigned char)rest.ptr[1] < 0xA0)
        buf_addf(out, "\\x%02x", (unsigned char)rest.ptr[1]);
    else if (is_invisible(whole))
        buf_addf(out, "\\u%04x", (c & 0x0F) << 12 | (rest.ptr[1] & 0x3F) << 6 | (rest.ptr[2] & 0x3F));
    else
        buf_add_text(out, whole);
    return len;
}

void buf_add_visible(struct buf *buf, struct text t)
{
    while (t.len)
        t = text_slice(t, buf_add_visible_char(buf, t), t.len);
}

struct arena_block {
    struct arena_block *next;
    size_t size, used;
    alignas(max_align_t) char bytes[];
};

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t unit = alignof(max_align_t);
    struct arena_block *block = arena->blocks;

    size = (size + unit - 1) / unit * unit;
    if (!block || block->size - block->used < size) {
        size_t room = block && block->size < 256 * 1024 ? block->size * 2 : 1024;
        if (room < size)
            room = size;
        struct arena_block *fresh = must_calloc(1, sizeof *fresh + room);
        fresh->size = room;
        fresh->next = block;
        arena->blocks = block = fresh;
    }
    void *out = block->bytes + block->used;
    block->used += size;
    arena->used += size;
    return out;
}

char *arena_copy(struct arena *arena, struct text t)
{
    char *copy = arena_alloc(arena, t.len + 1);

    if (t.len)
        memcpy(copy, t.ptr, t.len);
    return copy;
}

char *arena_string(struct arena *arena, const char *string)
{
    return string ? arena_copy(arena, text_of(string)) : NULL;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    assert(len >= 0);

    char *out = arena_alloc(arena, (size_t)len + 1);
    va_start(args, format);
    vsnprintf(out, (size_t)len + 1, format, args);
    va_end(args);
    return out;
}

void arena_clear(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    arena->used = 0;
}

int parse_i64(struct text t, int64_t min, int64_t max, int64_t *out, struct error *err)
{
    size_t i = 0;
    bool minus = t.len > 0 && t.ptr[0] == '-';
    int64_t value = 0; /* gathered as a negative number: that side has one more */

    if (minus)
        i = 1;
    if (i == t.len)
        return error_set(err, ERROR_REFUSED, "expected a whole number");
    for (; i < t.len; i++) {
        if (t.ptr[i] < '0' || t.ptr[i] > '9')
            return error_set(err, ERROR_REFUSED, "expected a whole number, found \"%.*s\"",
                             TEXT_ARGS(text_slice(t, 0, 40)));
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, t.ptr[i] - '0', &value))
            return error_set(err, ERROR_REFUSED, "number too large");
    }
    if (!minus && __builtin_sub_overflow((int64_t)0, value, &value))
        return error_set(err, ERROR_REFUSED, "number too large");
    if (value < min || value > max)
        return error_set(err, ERROR_REFUSED, "expected a number from %lld to %lld", (long long)min, (long long)max);
    *out = value;
    return 0;
}

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit span_units[] = {
    {"y", 365LL * 86400000}, {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {0},
};

static const struct unit size_units[] = {
    {"GB", 1LL << 30}, {"MB", 1LL << 20}, {"KB", 1LL << 10}, {"", 1}, {0},
};

static int parse_with_unit(struct text t, const struct unit *units, int64_t *out)
{
    size_t digits = 0;
    int64_t number = 0;

    while (digits < t.len && t.ptr[digits] >= '0' && t.ptr[digits] <= '9')
        digits++;
    if (parse_i64(text_slice(t, 0, digits), 0, INT64_MAX, &number, NULL) < 0)
        return -1;
    for (const struct unit *unit = units; unit->name; unit++)
        if (text_is(text_slice(t, digits, t.len), unit->name))
            return __builtin_mul_overflow(number, unit->factor, out) ? -1 : 0;
    return -1;
}

int parse_span(struct text t, int64_t *out_ms, struct error *err)
{
    if (text_is(t, "0")) {
        *out_ms = 0;
        return 0;
    }
    if (parse_with_unit(t, span_units, out_ms) < 0)
        return error_set(err, ERROR_REFUSED, "expected a span such as 30s, 5m, 1h or 7d, found \"%.*s\"",
                         TEXT_ARGS(text_slice(t, 0, 40)));
    return 0;
}

int parse_size(struct text t, int64_t *out_bytes, struct error *err)
{
    if (parse_with_unit(t, size_units, out_bytes) < 0)
        return error_set(err, ERROR_REFUSED, "expected a size such as 512, 64KB or 10MB, found \"%.*s\"",
                         TEXT_ARGS(text_slice(t, 0, 40)));
    return 0;
}

void buf_add_size(struct buf *buf, int64_t bytes)
{
    for (const struct unit *unit = size_units; unit->name; unit++)
        if (unit->factor == 1 || (bytes >= unit->factor && bytes % unit->factor == 0)) {
            buf_addf(buf, "%lld%s", (long long)(bytes / unit->factor), unit->name);
            return;
        }
}

void buf_add_span(struct buf *buf, int64_t span_ms)
{
    if (span_ms == 0) {
        buf_adds(buf, "0s");
        return;
    }
    for (const struct unit *unit = span_units; unit->name; unit++)
        if (span_ms % unit->factor == 0 && strcmp(unit->name, "y") != 0) {
            buf_addf(buf, "%lld%s", (long long)(span_ms / unit->factor), unit->name);
            return;
        }
}

static void *or_die(void *ptr)
{
    if (!ptr) {
        fputs("onsale: out of memory\n", stderr);
        abort();
    }
    return ptr;
}

void *must_calloc(size_t count, size_t size)
{
    return or_die(calloc(count, size ? size : 1));
}

void *must_realloc(void *ptr, size_t size)
{
    return or_die(realloc(ptr, size ? size : 1));
}

char *must_strdup(const char *string)
{
    return or_die(strdup(string));
}
