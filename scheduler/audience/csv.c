#include "audience/csv.h"

#include <string.h>

void csv_init(struct csv *csv, char separator)
{
    memset(csv, 0, sizeof *csv);
    csv->separator = separator;
    csv->line = 1;
}

char csv_guess_separator(struct text data)
{
    size_t commas = 0, semicolons = 0, tabs = 0;
    bool quoted = false;

    for (size_t i = 0; i < data.len && i < CSV_RECORD_MAX; i++) {
        char c = data.ptr[i];
        if (c == '"')
            quoted = !quoted;
        else if (quoted)
            continue;
        else if (c == '\n' || c == '\r')
            break;
        else if (c == ',')
            commas++;
        else if (c == ';')
            semicolons++;
        else if (c == '\t')
            tabs++;
    }
    if (semicolons > commas && semicolons >= tabs)
        return ';';
    return tabs > commas ? '\t' : ',';
}

/* Length of the line end at `at`: 0 when there is none, -1 when a CR is the last byte and an LF may follow. */
static int line_end(struct text window, size_t at, bool final)
{
    if (at >= window.len)
        return 0;
    if (window.ptr[at] == '\n')
        return 1;
    if (window.ptr[at] != '\r')
        return 0;
    if (at + 1 == window.len)
        return final ? 1 : -1;
    return window.ptr[at + 1] == '\n' ? 2 : 1;
}

/* Slides behind the line that begins the window. False: its end is not in sight. */
static bool skip_line(struct text window, bool final, size_t *used)
{
    size_t at = 0;

    while (at < window.len && window.ptr[at] != '\n' && window.ptr[at] != '\r')
        at++;
    *used = at;
    if (at == window.len)
        return final;
    int end = line_end(window, at, final);
    if (end < 0)
        return false;
    *used = at + (size_t)end;
    return true;
}

static enum csv_event go_on_skipping(struct csv *csv, struct text window, bool final, struct csv_row *row, size_t *used)
{
    if (!skip_line(window, final, used))
        return CSV_MORE;
    row->line = csv->line++;
    row->why = csv->skipping;
    csv->skipping = NULL;
    return CSV_BAD;
}

static enum csv_event bad(struct csv *csv, struct text window, bool final, struct csv_row *row, size_t *used,
                          const char *why)
{
    row->count = 0;
    if (!skip_line(window, final, used)) {
        if (window.len <= CSV_RECORD_MAX) { /* the end of this line may come with more bytes */
            *used = 0;
            return CSV_MORE;
        }
        csv->skipping = why;
        return CSV_MORE;
    }
    row->line = csv->line++;
    row->why = why;
    return CSV_BAD;
}

enum field { FIELD_DONE, FIELD_OPEN, FIELD_BAD }; /* open: the window ends inside */

/* The quoted field whose opening quote stands at *at; leaves *at behind the closing one. */
static enum field quoted_field(struct text window, bool final, size_t *at, struct arena *arena, struct text *out,
                               const char **why)
{
    size_t start = *at + 1, pos = start, escapes = 0;

    for (;;) {
        size_t room = start + CSV_FIELD_MAX + 1 - pos;
        size_t left = window.len - pos;
        const char *quote = left ? memchr(window.ptr + pos, '"', left < room ? left : room) : NULL;
        if (!quote && left >= room) {
            *why = "a quoted field of more than 64 KB, or a quote that is never closed";
            return FIELD_BAD;
        }
        if (!quote && final) {
            *why = "a quote that is never closed";
            return FIELD_BAD;
        }
        if (!quote)
            return FIELD_OPEN;
        pos = (size_t)(quote - window.ptr);
        if (pos + 1 == window.len && !final)
            return FIELD_OPEN; /* the next byte may be a second quote */
        if (pos + 1 == window.len || window.ptr[pos + 1] != '"')
            break;
        escapes++;
        pos += 2;
    }
    *out = (struct text){window.ptr + start, pos - start};
    *at = pos + 1;
    if (escapes) {
        char *plain = arena_alloc(arena, out->len - escapes + 1), *to = plain;
        for (size_t i = 0; i < out->len; i++) {
            *to++ = out->ptr[i];
            if (out->ptr[i] == '"')
                i++;
        }
        *out = (struct text){plain, out->len - escapes};
    }
    return FIELD_DONE;
}

static enum field plain_field(const struct csv *csv, struct text window, bool final, size_t *at, struct text *out,
                              const char **why)
{
    size_t start = *at, pos = start;

    while (pos < window.len && window.ptr[pos] != csv->separator && window.ptr[pos] != '\n' && window.ptr[pos] != '\r')
        pos++;
    if (pos - start > CSV_FIELD_MAX) {
        *why = "a field of more than 64 KB";
        return FIELD_BAD;
    }
    if (pos == window.len && !final)
        return FIELD_OPEN;
    *out = (struct text){window.ptr + start, pos - start};
    *at = pos;
    return FIELD_DONE;
}

/* What 0x80..0x9F stand for in Windows-1252; the five holes become U+FFFD (WHATWG Encoding calls them controls). */
static const uint16_t windows_1252[32] = {
    0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0xFFFD, 0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178,
};

static struct text from_windows_1252(struct text t, struct arena *arena)
{
    char *out = arena_alloc(arena, t.len * 3 + 1), *to = out;

    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        unsigned code = c >= 0x80 && c < 0xA0 ? windows_1252[c - 0x80] : c;
        if (code < 0x80) {
            *to++ = (char)code;
        } else if (code < 0x800) {
            *to++ = (char)(0xC0 | code >> 6);
            *to++ = (char)(0x80 | (code & 0x3F));
        } else {
            *to++ = (char)(0xE0 | code >> 12);
            *to++ = (char)(0x80 | (code >> 6 & 0x3F));
            *to++ = (char)(0x80 | (code & 0x3F));
        }
    }
    return (struct text){out, (size_t)(to - out)};
}

static uint64_t lines_in(struct text t)
{
    uint64_t lines = 0;

    for (size_t i = 0; i < t.len; i++)
        if (t.ptr[i] == '\n' || (t.ptr[i] == '\r' && (i + 1 == t.len || t.ptr[i + 1] != '\n')))
            lines++;
    return lines;
}

static enum csv_event finish_row(struct csv *csv, struct text record, bool ended, struct arena *arena,
                                 struct csv_row *row)
{
    if (!text_is_utf8(record))
        for (size_t i = 0; i < row->count; i++)
            csv->fields[i] = from_windows_1252(csv->fields[i], arena);
    row->line = csv->line;
    row->fields = csv->fields;
    csv->line += lines_in(record) + (ended ? 0 : 1);
    return CSV_ROW;
}

/* Blank lines are no records. False: a CR ends the window, and more may follow. */
static bool skip_blank_lines(struct csv *csv, struct text *window, bool final, size_t *blank)
{
    for (;;) {
        size_t at = 0;
        while (at < window->len && window->ptr[at] == ' ')
            at++;
        int end = line_end(*window, at, final);
        if (end < 0)
            return false;
        if (end == 0)
            return true;
        *blank += at + (size_t)end;
        *window = text_slice(*window, at + (size_t)end, window->len);
        csv->line++;
    }
}

static enum csv_event read_record(struct csv *csv, struct text window, bool final, struct arena *arena,
                                  struct csv_row *row, size_t *used)
{
    const char *why = NULL;
    size_t at = 0;

    for (;;) {
        struct text *field = &csv->fields[row->count];
        enum field state = at < window.len && window.ptr[at] == '"'
                               ? quoted_field(window, final, &at, arena, field, &why)
                               : plain_field(csv, window, final, &at, field, &why);
        int end = state == FIELD_DONE ? line_end(window, at, final) : 0;
        if (state == FIELD_OPEN || end < 0 || (state == FIELD_DONE && at == window.len && !final)) {
            if (window.len > CSV_RECORD_MAX)
                return bad(csv, window, final, row, used, "a record of more than 1 MB");
            return CSV_MORE;
        }
        if (state == FIELD_BAD)
            return bad(csv, window, final, row, used, why);
        row->count++;
        *used = at + (size_t)end;
        if (*used > CSV_RECORD_MAX)
            return bad(csv, window, final, row, used, "a record of more than 1 MB");
        if (end > 0 || at == window.len) {
            struct text record = {window.ptr, *used};
            if (memchr(record.ptr, 0, record.len))
                return bad(csv, window, final, row, used, "a NUL byte");
            return finish_row(csv, record, end > 0, arena, row);
        }
        if (window.ptr[at] != csv->separator)
            return bad(csv, window, final, row, used, "text behind a closing quote");
        if (row->count == CSV_COLUMNS_MAX)
            return bad(csv, window, final, row, used, "more than 512 columns");
        at++;
    }
}

enum csv_event csv_next(struct csv *csv, struct text window, bool final, struct arena *arena, struct csv_row *row,
                        size_t *used)
{
    size_t blank = 0;

    memset(row, 0, sizeof *row);
    *used = 0;
    if (csv->skipping)
        return go_on_skipping(csv, window, final, row, used);
    if (!skip_blank_lines(csv, &window, final, &blank)) {
        *used = blank;
        return CSV_MORE;
    }
    enum csv_event event = CSV_MORE;
    if (window.len == 0)
        event = final ? CSV_END : CSV_MORE;
    else
        event = read_record(csv, window, final, arena, row, used);
    *used = event == CSV_MORE && !csv->skipping ? blank : *used + blank;
    return event;
}
