/* hooks_word.c - what a signed hook says about whom. Pure. */
#include "hooks_body.h"
#include "hooks_signed.h"

#include <string.h>

enum { TYPE_MAX = 200, FIELD_MAX = 1000 };

static enum hook_word_kind kind_of(const char *type)
{
    static const struct {
        const char *word;
        enum hook_word_kind kind;
    } words[] = {
        {"unsubscribed", HOOK_WORD_UNSUBSCRIBED}, {"bounced", HOOK_WORD_BOUNCED},
        {"complained", HOOK_WORD_COMPLAINED},     {"resubscribed", HOOK_WORD_RESUBSCRIBED},
        {"subscribed", HOOK_WORD_RESUBSCRIBED},
    };
    const char *dot = strrchr(type, '.');

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(dot ? dot + 1 : type, words[i].word) == 0)
            return words[i].kind;
    return HOOK_WORD_OTHER;
}

static int read_field(const json_t *data, const char *name, const char **out, struct error *err)
{
    const json_t *value = json_object_get(data, name);

    *out = "";
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_string(value) || json_string_length(value) > FIELD_MAX)
        return error_set(err, ERROR_REFUSED, "data.%s: expected a text of at most %d bytes, found %s", name, FIELD_MAX,
                         json_is_string(value) ? "a longer one" : hook_shape(value));
    *out = json_string_value(value);
    return 0;
}

/* A bounce is a hard one where nothing else is said: who keeps count of soft ones says so. */
static int read_feedback(enum hook_word_kind kind, const char *word, enum feedback *out, struct error *err)
{
    *out = kind == HOOK_WORD_COMPLAINED ? FEEDBACK_COMPLAINT
           : kind == HOOK_WORD_BOUNCED  ? FEEDBACK_HARD
                                        : FEEDBACK_NONE;
    if (kind != HOOK_WORD_BOUNCED || !*word || strcmp(word, "hard") == 0)
        return 0;
    *out = FEEDBACK_SOFT;
    return strcmp(word, "soft") == 0 ? 0 : error_set(err, ERROR_REFUSED, "data.kind: expected hard or soft");
}

int hook_word_read(const json_t *body, struct hook_word *out, struct error *err)
{
    const json_t *type = json_object_get(body, "type"), *data = json_object_get(body, "data");
    const char *email, *kind;

    *out = (struct hook_word){.source_id = "", .audience = "", .reason = ""};
    if (!json_is_object(body))
        return error_set(err, ERROR_REFUSED, "the body: expected one object {\"type\": ..., \"data\": {...}}, found %s",
                         hook_shape(body));
    if (!json_is_string(type) || json_string_length(type) == 0 || json_string_length(type) > TYPE_MAX)
        return error_set(err, ERROR_REFUSED, "type: expected a text of 1 to %d bytes such as %s, found %s", TYPE_MAX,
                         "contact.unsubscribed", json_is_string(type) ? "another one" : hook_shape(type));
    out->kind = kind_of(json_string_value(type));
    if (out->kind == HOOK_WORD_OTHER || out->kind == HOOK_WORD_RESUBSCRIBED)
        return 0;
    if (!json_is_object(data))
        return error_set(err, ERROR_REFUSED, "data: expected an object with email or source_id, found %s",
                         hook_shape(data));
    if (read_field(data, "email", &email, err) < 0 || read_field(data, "source_id", &out->source_id, err) < 0 ||
        read_field(data, "audience", &out->audience, err) < 0 || read_field(data, "reason", &out->reason, err) < 0 ||
        read_field(data, "kind", &kind, err) < 0 || read_feedback(out->kind, kind, &out->feedback, err) < 0)
        return -1;
    if (!*email && !*out->source_id)
        return error_set(err, ERROR_REFUSED, "data.email: expected it, or a data.source_id");
    if (*email && address_parse(text_of(email), &out->address, err) < 0)
        return error_at(err, "data.email");
    return 0;
}
