/* Name and attributes of a person (cut at the first NUL byte): what a template may say of them is short, clean UTF-8
 * and no link. */
#include "values.h"

#include <assert.h>
#include <string.h>

static void check(const json_t *value)
{
    struct text t = {json_string_value(value), json_string_length(value)};
    size_t characters = 0;

    assert(t.len > 0 && text_is_utf8(t) && !looks_like_link(t));
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        assert(c >= ' ' && c != 0x7F);
        characters += (c & 0xC0) != 0x80;
    }
    assert(characters <= PERSONAL_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text attributes = {(const char *)data, size}, name = text_cut(&attributes, '\0');
    json_t *values = values_person(name, attributes), *link = values_for_link(name, "a@b.example", name, attributes);
    json_t *value;
    const char *key;

    json_object_foreach(json_object_get(values, "person"), key, value) check(value);
    json_object_foreach(json_object_get(values, "attributes"), key, value) if (json_is_string(value)) check(value);
    json_object_foreach(json_object_get(link, "attributes"), key,
                        value) for (const char *c = json_is_string(value) ? json_string_value(value) : ""; *c; c++)
        assert(*c > ' ' && *c < 0x7F && !strchr("<>\"/?&#", *c));
    json_decref(values);
    json_decref(link);
    return 0;
}
