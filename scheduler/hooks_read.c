/* hooks_read.c - what is in the body of a hook. Pure. */
#include "hooks.h"
#include "hooks_body.h"

#include <string.h>

enum { FIELD_MAX = 1000 }; /* bytes of a text */

static const char *const fields[] = {"email", "subscriber_uuid", "campaign_uuid", "source", "type",
                                     "meta",  "created_at"};

static int check_field(const char *name, const json_t *value, struct error *err)
{
    bool known = false;

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        known |= strcmp(fields[i], name) == 0;
    if (!known)
        return error_set(err, ERROR_REFUSED,
                         "unknown field; expected email, subscriber_uuid, campaign_uuid, source, type, meta");
    if (strcmp(name, "meta") == 0 || json_is_null(value)) /* listmonk keeps it as it comes; so may anybody */
        return 0;
    if (!json_is_string(value))
        return error_set(err, ERROR_REFUSED, "%s: expected a text, found %s", name, hook_shape(value));
    if (json_string_length(value) > FIELD_MAX)
        return error_set(err, ERROR_REFUSED, "%s: expected at most %d bytes", name, FIELD_MAX);
    return 0;
}

static const char *text_in(const json_t *entry, const char *name)
{
    const char *text = json_string_value(json_object_get(entry, name));

    return text ? text : "";
}

static int read_kind(const char *type, enum feedback *out, struct error *err)
{
    *out = feedback_by_name(type);
    if (*out == FEEDBACK_HARD || *out == FEEDBACK_SOFT || *out == FEEDBACK_COMPLAINT)
        return 0;
    return error_set(err, ERROR_REFUSED, "type: expected hard, soft or complaint");
}

static int read_entry(const json_t *entry, struct hook_bounce *out, struct error *err)
{
    const char *name, *email = text_in(entry, "email");
    json_t *value;

    *out =
        (struct hook_bounce){.subscriber_uuid = text_in(entry, "subscriber_uuid"), .source = text_in(entry, "source")};
    if (!json_is_object(entry))
        return error_set(err, ERROR_REFUSED, "expected an object, found %s", hook_shape(entry));
    json_object_foreach((json_t *)(uintptr_t)entry, name, value) if (check_field(name, value, err) < 0) return -1;
    if (read_kind(text_in(entry, "type"), &out->kind, err) < 0)
        return -1;
    if (!*email && !*out->subscriber_uuid)
        return error_set(err, ERROR_REFUSED, "email: expected it, or a subscriber_uuid");
    if (*email && address_parse(text_of(email), &out->address, err) < 0)
        return error_at(err, "email");
    return 0;
}

int hook_bounces_read(const json_t *body, struct hook_bounce out[HOOK_ENTRIES_MAX], size_t *count, struct error *err)
{
    *count = json_is_array(body) ? json_array_size(body) : 1;
    if (json_is_object(body))
        return read_entry(body, &out[0], err);
    if (!json_is_array(body) || *count == 0 || *count > HOOK_ENTRIES_MAX)
        return error_set(err, ERROR_REFUSED, "the body: expected an object, or an array of 1 to %d of them, found %s",
                         HOOK_ENTRIES_MAX, json_is_array(body) ? "one of another size" : hook_shape(body));
    for (size_t i = 0; i < *count; i++)
        if (read_entry(json_array_get(body, i), &out[i], err) < 0)
            return error_at(err, "entry %zu", i);
    return 0;
}
