/* What is wrong with a configuration, in the order of its places, with the lines it stands on. Secrets are never shown:
 * neither those the tables know of, nor what only looks like one in a file that could not be read to the end. */
#include "config_tree.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
    SHOWN_MAX = 20,
    LINE_SHOWN = 160, /* characters of an echoed line */
};

static bool place_before(struct config_place a, struct config_place b)
{
    return a.line != b.line ? a.line < b.line : a.column < b.column;
}

void config_problem(struct config_doc *doc, struct config_place place, const char *format, ...)
{
    auto_buf struct buf text;
    va_list args;

    buf_init(&text, 8192);
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    if (buf_failed(&text)) {
        buf_reset(&text);
        buf_adds(&text, "a mistake too long to describe");
    }
    if (doc->problem_count == doc->problem_room) {
        doc->problem_room = doc->problem_room ? doc->problem_room * 2 : 16;
        doc->problems = must_realloc(doc->problems, doc->problem_room * sizeof *doc->problems);
    }
    size_t at = doc->problem_count++;
    for (; at > 0 && place_before(place, doc->problems[at - 1].place); at--)
        doc->problems[at] = doc->problems[at - 1];
    doc->problems[at] = (struct config_problem){place, arena_copy(&doc->arena, buf_text(&text))};
}

void config_warning(struct config_doc *doc, struct config_place place, const char *format, ...)
{
    struct config_warning *warning = arena_alloc(&doc->arena, sizeof *warning);
    auto_buf struct buf text;
    va_list args;

    buf_init(&text, 8192);
    va_start(args, format);
    buf_addv(&text, format, args);
    va_end(args);
    *warning = (struct config_warning){place, arena_copy(&doc->arena, buf_text(&text)), NULL};
    *(doc->warnings ? doc->last_warning : &doc->warnings) = warning;
    doc->last_warning = &warning->next;
}

bool config_add_warning(const struct config_doc *doc, size_t index, struct buf *out)
{
    const struct config_warning *warning = doc->warnings;

    for (; warning && index > 0; index--)
        warning = warning->next;
    if (!warning)
        return false;
    buf_addf(out, "%s:%u:%u: ", doc->name, warning->place.line, warning->place.column);
    buf_add_visible(out, text_of(warning->text));
    return true;
}

size_t config_problem_count(const struct config_doc *doc)
{
    return doc->problem_count;
}

void config_hide(struct config_doc *doc, const struct config_node *node)
{
    if (doc->secret_count == doc->secret_room) {
        doc->secret_room = doc->secret_room ? doc->secret_room * 2 : 8;
        doc->secrets = must_realloc(doc->secrets, doc->secret_room * sizeof *doc->secrets);
    }
    doc->secrets[doc->secret_count++] = (struct config_span){node->place, node->end};
}

void buf_add_suggestion(struct buf *buf, const char *wrong, const char *const *known, size_t count)
{
    const char *nearest = NULL;
    unsigned best = (unsigned)strlen(wrong) / 3;

    if (best > 3)
        best = 3;
    if (best < 1)
        best = 1;
    for (size_t i = 0; i < count; i++) {
        unsigned distance = text_distance(wrong, known[i]);
        if (distance < best || (distance == best && !nearest)) {
            best = distance;
            nearest = known[i];
        }
    }
    if (nearest) {
        buf_addf(buf, " (did you mean \"%s\"?)", nearest);
        return;
    }
    buf_adds(buf, count ? " (known: " : " (there is none)");
    for (size_t i = 0; i < count; i++)
        buf_addf(buf, "%s%s", known[i], i + 1 < count ? ", " : ")");
}

/* Does a line, from `at` on, name something that people keep secret? Then gives the place behind the name. */
static size_t secret_name_end(struct text line, size_t at)
{
    static const char *const names[] = {"token", "secret", "password", "passwd", "api_key", "apikey", "pass", "key"};
    size_t end = at;

    if (at > 0 && (isalnum((unsigned char)line.ptr[at - 1]) || strchr("_-.", line.ptr[at - 1])))
        return 0;
    while (end < line.len && (isalnum((unsigned char)line.ptr[end]) || line.ptr[end] == '_' || line.ptr[end] == '-'))
        end++;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t len = strlen(names[i]);
        if (end - at >= len && strncasecmp(line.ptr + end - len, names[i], len) == 0)
            return end;
    }
    return 0;
}

/* The place behind "://" of a URL with a name and password in it ("smtp://me:secret@host"), or the line's length. */
static size_t password_in_url(struct text line)
{
    for (size_t at = 0; at + 3 < line.len; at++) {
        if (!text_starts(text_slice(line, at, line.len), "://"))
            continue;
        for (size_t end = at + 3; end < line.len && !strchr(" \t/?#", line.ptr[end]); end++)
            if (line.ptr[end] == '@')
                return at + 3;
    }
    return line.len;
}

/* From which byte on a line may hold a secret although no table said so: behind "token: ", also where the line could
 * not be read. The rest of it is hidden then. */
static size_t looks_secret_from(struct text line)
{
    size_t password = password_in_url(line);

    if (password < line.len)
        return password;
    for (size_t at = 0; at < line.len; at++) {
        size_t end = secret_name_end(line, at);
        if (!end)
            continue;
        size_t value = end;
        while (value < line.len && strchr("\"' \t", line.ptr[value]))
            value++;
        bool colon = value < line.len && line.ptr[value] == ':';
        bool first = at == strspn(line.ptr, " -{[\"'") && value > end; /* "token abc": the colon was forgotten */
        if (!colon && !first)
            continue;
        value += colon;
        while (value < line.len && (line.ptr[value] == ' ' || line.ptr[value] == '\t'))
            value++;
        if (value < line.len && line.ptr[value] != '#')
            return value;
    }
    return line.len;
}

static bool is_hidden(const struct config_doc *doc, struct config_place at)
{
    for (size_t i = 0; i < doc->secret_count; i++)
        if (!place_before(at, doc->secrets[i].from) && place_before(at, doc->secrets[i].to))
            return true;
    return false;
}

static size_t columns(struct text shown)
{
    size_t count = 0;

    for (size_t i = 0; i < shown.len; i++)
        count += ((unsigned char)shown.ptr[i] & 0xC0) != 0x80;
    return count;
}

/* Writes the line of a place and a caret below it. */
static void print_line(const struct config_doc *doc, struct config_place place, FILE *out)
{
    struct text line = config_line(doc, place.line);
    size_t secret_from = looks_secret_from(line), caret = 0;
    struct config_place at = {place.line, 1};
    bool hiding = false;
    auto_buf struct buf shown;

    buf_init(&shown, 1024 * 1024);
    if (place.column > LINE_SHOWN / 2) { /* a long line: only around the place */
        at.column = place.column - LINE_SHOWN / 2;
        buf_adds(&shown, "...");
    }
    unsigned last = at.column + LINE_SHOWN;
    size_t byte = config_column(line, at.column);
    for (; byte < line.len && at.column < last; at.column++) {
        bool hidden = byte >= secret_from || is_hidden(doc, at);
        if (hidden && !hiding)
            buf_adds(&shown, "***");
        hiding = hidden;
        if (at.column == place.column)
            caret = columns(buf_text(&shown)) - (hidden ? 3 : 0);
        if (!hidden)
            byte += buf_add_visible_char(&shown, text_slice(line, byte, line.len));
        else
            byte = config_column(line, at.column + 1);
    }
    if (at.column <= place.column)
        caret = columns(buf_text(&shown));
    if (byte < line.len)
        buf_adds(&shown, "...");
    if (text_trim(buf_text(&shown)).len == 0)
        return;
    fprintf(out, "    %.*s\n    %*s^\n", TEXT_ARGS(buf_text(&shown)), (int)caret, "");
}

static void print_problem(const struct config_doc *doc, const struct config_problem *problem, FILE *out)
{
    auto_buf struct buf text;

    buf_init(&text, 64 * 1024);
    buf_add_visible(&text, text_of(problem->text));
    if (problem->place.line)
        fprintf(out, "%s:%u:%u: error: %.*s\n", doc->name, problem->place.line, problem->place.column,
                TEXT_ARGS(buf_text(&text)));
    else
        fprintf(out, "%s: error: %.*s\n", doc->name, TEXT_ARGS(buf_text(&text)));
    if (problem->place.line)
        print_line(doc, problem->place, out);
}

void config_print_problems(const struct config_doc *doc, FILE *out)
{
    for (size_t i = 0; i < doc->problem_count && i < SHOWN_MAX; i++)
        print_problem(doc, &doc->problems[i], out);
    if (doc->problem_count > SHOWN_MAX)
        fprintf(out, "... and %zu more\n", doc->problem_count - SHOWN_MAX);
}

int config_check(const struct config_doc *doc, struct error *err)
{
    const struct config_problem *first = doc->problems;

    if (!doc->problem_count)
        return 0;
    if (!first->place.line)
        return error_set(err, ERROR_CONFIG, "%s: %s", doc->name, first->text);
    return error_set(err, ERROR_CONFIG, "%s:%u:%u: %s", doc->name, first->place.line, first->place.column, first->text);
}
