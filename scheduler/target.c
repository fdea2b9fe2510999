#include "target.h"

#include <string.h>

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_visible(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if ((unsigned char)t.ptr[i] < 0x20 || t.ptr[i] == 0x7F)
            return false;
    return text_is_utf8(t);
}

/* Decodes at *end, terminates, and moves *end behind it. `plus`: '+' is a blank, as forms write it. */
static int decode(struct text raw, bool plus, char **end, struct text *out)
{
    char *to = *end;

    for (size_t i = 0; i < raw.len; i++) {
        int high = 0, low = 0;
        if (raw.ptr[i] != '%') {
            *to++ = plus && raw.ptr[i] == '+' ? ' ' : raw.ptr[i];
            continue;
        }
        if (i + 2 >= raw.len || (high = hex(raw.ptr[i + 1])) < 0 || (low = hex(raw.ptr[i + 2])) < 0)
            return -1;
        *to++ = (char)(high << 4 | low);
        i += 2;
    }
    *out = (struct text){*end, (size_t)(to - *end)};
    *to++ = '\0';
    *end = to;
    return is_visible(*out) ? 0 : -1;
}

static size_t slashes(struct text t)
{
    size_t count = 0;

    for (size_t i = 0; i < t.len; i++)
        count += t.ptr[i] == '/';
    return count;
}

/* Each segment is a name; the last may be empty ("/u/"). */
static bool is_straight(struct text path)
{
    struct text rest = text_slice(path, 1, path.len);

    if (path.len == 0 || path.ptr[0] != '/' || memchr(path.ptr, '\\', path.len))
        return false;
    while (rest.len > 0) {
        struct text segment = text_cut(&rest, '/');
        if (segment.len == 0 || text_is(segment, ".") || text_is(segment, ".."))
            return false;
    }
    return true;
}

static int read_fields(struct text query, struct target *out, char **end)
{
    while (query.len > 0) {
        struct text value = text_cut(&query, '&'), name = text_cut(&value, '='), decoded;
        struct target_field *field = &out->fields[out->field_count];
        if (name.len == 0 && value.len == 0)
            continue;
        if (out->field_count == TARGET_FIELDS_MAX || decode(name, true, end, &decoded) < 0)
            return -1;
        field->name = decoded.ptr;
        if (decode(value, true, end, &decoded) < 0)
            return -1;
        field->value = decoded.ptr;
        out->field_count++;
    }
    return 0;
}

/* "http://onsale.example/u/x" -> "/u/x" */
static struct text without_host(struct text raw)
{
    const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (text_starts(raw, schemes[i])) {
            raw = text_slice(raw, strlen(schemes[i]), raw.len);
            while (raw.len > 0 && raw.ptr[0] != '/' && raw.ptr[0] != '?')
                raw = text_slice(raw, 1, raw.len);
            return raw;
        }
    return raw;
}

int target_read(const char *raw, struct target *out, struct error *err)
{
    struct text query = without_host(text_of(raw)), coded = text_cut(&query, '?'), path;

    *out = (struct target){.memory = must_calloc(1, strlen(raw) + 2 * TARGET_FIELDS_MAX + 4)};
    char *end = out->memory;
    for (const char *c = raw; *c; c++)
        if (*c <= ' ' || *c >= 0x7F || *c == '#' || *c == '\\')
            return error_set(err, ERROR_REFUSED, "the request names no path: it holds a character that no path has");
    if (decode(coded, false, &end, &path) < 0)
        return error_set(err, ERROR_REFUSED, "the path is not encoded as paths are");
    if (!text_is(path, "*") && (!is_straight(path) || slashes(path) != slashes(coded)))
        return error_set(err, ERROR_REFUSED, "the path has to be written without detours");
    out->path = path.ptr;
    if (read_fields(query, out, &end) < 0)
        return error_set(err, ERROR_REFUSED, "the query is not encoded as queries are, or has too many fields");
    return 0;
}

void target_clear(struct target *target)
{
    free(target->memory);
    *target = (struct target){0};
}

const char *target_field(const struct target *target, const char *name)
{
    for (size_t i = 0; i < target->field_count; i++)
        if (strcmp(target->fields[i].name, name) == 0)
            return target->fields[i].value;
    return NULL;
}
