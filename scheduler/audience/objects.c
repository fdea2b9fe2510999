#include "audience/objects.h"

#include <string.h>

void objects_init(struct objects *objects, bool array)
{
    *objects = (struct objects){.array = array, .line = 1};
}

static enum objects_event next_line(struct objects *objects, struct text window, bool final, struct object *out,
                                    size_t *used)
{
    while (window.len > 0) {
        const char *end = memchr(window.ptr, '\n', window.len);
        struct text line = {window.ptr, end ? (size_t)(end - window.ptr) : window.len};

        if (!end && !final) {
            if (window.len <= OBJECT_MAX)
                return OBJECTS_MORE;
            if (!objects->skipped_from)
                objects->skipped_from = objects->line;
            *used += window.len;
            return OBJECTS_MORE;
        }
        size_t step = line.len + (end ? 1 : 0);
        *used += step;
        window = text_slice(window, step, window.len);
        out->line = objects->line++;
        if (objects->skipped_from || line.len > OBJECT_MAX) {
            objects->skipped_from = 0;
            out->why = "a line of more than 1 MB";
            return OBJECTS_BAD;
        }
        out->json = text_trim(line);
        if (out->json.len > 0)
            return OBJECTS_ONE;
    }
    if (!final)
        return OBJECTS_MORE;
    if (!objects->skipped_from)
        return OBJECTS_END;
    out->line = objects->skipped_from;
    out->why = "a line of more than 1 MB";
    objects->skipped_from = 0;
    return OBJECTS_BAD;
}

/* How long the value at the start of the window is; 0 when its end is not in sight. Brackets are counted outside
 * strings; whether they fit together is the JSON parser's business. */
static size_t value_length(struct text window, bool final)
{
    bool in_string = false, escaped = false;
    size_t depth = 0;

    for (size_t i = 0; i < window.len; i++) {
        char c = window.ptr[i];
        if (in_string) {
            if (escaped)
                escaped = false;
            else if (c == '\\')
                escaped = true;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if (depth == 0 && (c == ',' || c == ']' || c == '}')) {
            return i;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return final && depth == 0 && !in_string ? window.len : 0;
}

static enum objects_event broken(struct object *out, uint64_t line, const char *why)
{
    out->line = line;
    out->why = why;
    return OBJECTS_BROKEN;
}

static bool is_between(const struct objects *objects, char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || (c == ',' && !objects->closed);
}

static enum objects_event next_element(struct objects *objects, struct text window, bool final, struct object *out,
                                       size_t *used)
{
    size_t at = 0;

    while (at < window.len && is_between(objects, window.ptr[at])) {
        objects->line += window.ptr[at] == '\n';
        at++;
    }
    *used = at;
    if (at == window.len && objects->closed)
        return final ? OBJECTS_END : OBJECTS_MORE;
    if (at == window.len)
        return final ? broken(out, objects->line, "the array is never closed") : OBJECTS_MORE;
    if (objects->closed)
        return broken(out, objects->line, "something stands behind the array");
    if (window.ptr[at] == ']') {
        objects->closed = true;
        size_t tail = 0;
        enum objects_event event = next_element(objects, text_slice(window, at + 1, window.len), final, out, &tail);
        *used = at + 1 + tail;
        return event;
    }
    struct text value = text_slice(window, at, window.len);
    value.len = value_length(value, final);
    if (value.len > OBJECT_MAX || (value.len == 0 && window.len - at > OBJECT_MAX))
        return broken(out, objects->line, "an element of more than 1 MB, or one that is never closed");
    if (value.len == 0)
        return final || window.ptr[at] == '}' ? broken(out, objects->line, "the array ends inside an element")
                                              : OBJECTS_MORE;
    out->line = objects->line;
    out->json = text_trim(value);
    *used = at + value.len;
    for (size_t i = 0; i < value.len; i++)
        objects->line += value.ptr[i] == '\n';
    return OBJECTS_ONE;
}

enum objects_event objects_next(struct objects *objects, struct text window, bool final, struct object *out,
                                size_t *used)
{
    memset(out, 0, sizeof *out);
    *used = 0;
    if (objects->array)
        return next_element(objects, window, final, out, used);
    return next_line(objects, window, final, out, used);
}
