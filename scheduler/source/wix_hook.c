#include "wix_hook.h"

#include <string.h>

/* An object that stands there, or a string that holds one; yours. */
static json_t *open_layer(const json_t *value, const char *place, struct error *err)
{
    json_t *inner;

    if (json_is_object(value))
        return json_incref((json_t *)(uintptr_t)value);
    inner = json_is_string(value) ? json_loadb(json_string_value(value), json_string_length(value), 0, NULL) : NULL;
    if (json_is_object(inner))
        return inner;
    json_decref(inner);
    error_set(err, ERROR_REFUSED, "%s: expected an object, or a string that holds one", place);
    return NULL;
}

/* The member called so, or so with AsJson behind, as an object; NULL: there is none. Yours. */
static json_t *open_member(const json_t *object, const char *name)
{
    char as_json[64];
    const json_t *value = json_object_get(object, name);

    snprintf(as_json, sizeof as_json, "%sAsJson", name);
    if (!value)
        value = json_object_get(object, as_json);
    return value ? open_layer(value, name, NULL) : NULL;
}

/* --- Texts ----------------------------------------------------------------------------------------------------------
 */

static struct text text_at(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return (struct text){json_string_value(value), json_string_length(value)};
}

/* What may stand in a path and in a log line; anything else is nothing. */
static const char *read_word(struct arena *arena, const json_t *object, const char *name, size_t max)
{
    struct text t = text_at(object, name);
    bool good = t.len <= max;

    for (size_t i = 0; i < t.len && good; i++) {
        char c = t.ptr[i];
        good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-_:~.", c));
    }
    return good ? arena_copy(arena, t) : "";
}

/* An id as definitions have it (parse.c): no dots, which would lead elsewhere in a path. */
static const char *read_id(struct arena *arena, const json_t *object, const char *name)
{
    const char *id = read_word(arena, object, name, WIX_HOOK_ID_MAX);

    return strchr(id, '.') ? "" : id;
}

/* An integer in a string, as Wix writes them, or as a number; 0: none. */
static uint64_t read_number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    struct text t = text_at(object, name);
    uint64_t out = 0;

    if (json_is_integer(value))
        return json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
    for (size_t i = 0; i < t.len; i++)
        if (t.ptr[i] < '0' || t.ptr[i] > '9' || __builtin_mul_overflow(out, (uint64_t)10, &out) ||
            __builtin_add_overflow(out, (uint64_t)(t.ptr[i] - '0'), &out))
            return 0;
    return out;
}

/* --- What it is about -----------------------------------------------------------------------------------------------
 */

static bool starts(const char *text, const char *prefix, const char **rest)
{
    bool is = strncmp(text, prefix, strlen(prefix)) == 0;

    if (is)
        *rest = text + strlen(prefix);
    return is;
}

static const char *behind_last_dot(const char *text)
{
    const char *dot = strrchr(text, '.');

    return dot ? dot + 1 : text;
}

/* By the event's type; its examples name the entity in several ways, so that one only where there is no type. */
static enum wix_hook_about about_of(const char *type, const char *entity, const char *slug)
{
    static const char *const sale_slugs[] = {"sale_started", "sale_ended", "sale_period_updated"};
    const char *rest;

    if (starts(type, "wix.events.", &rest)) {
        const char *word = behind_last_dot(rest);
        if (starts(word, "ticket_definition_", &rest))
            return WIX_HOOK_DEFINITION;
        if (starts(word, "event_", &rest))
            return WIX_HOOK_EVENT;
        if (strcmp(word, "OrderConfirmed") == 0 || strcmp(word, "OrderUpdated") == 0 || starts(word, "order_", &rest))
            return WIX_HOOK_ORDER;
        return WIX_HOOK_OTHER;
    }
    if (*type)
        return WIX_HOOK_OTHER;
    for (size_t i = 0; i < ARRAY_LEN(sale_slugs); i++)
        if (strcmp(slug, sale_slugs[i]) == 0)
            return WIX_HOOK_DEFINITION;
    if (*slug && starts(entity, "wix.events.", &rest))
        return strcmp(behind_last_dot(rest), "ticket_definition") == 0 ? WIX_HOOK_DEFINITION
               : strcmp(behind_last_dot(rest), "event") == 0           ? WIX_HOOK_EVENT
                                                                       : WIX_HOOK_OTHER;
    return WIX_HOOK_OTHER;
}

/* --- Bodies ---------------------------------------------------------------------------------------------------------
 */

/* What the definition looked like then: its event and revision say what to read, and from where on. */
static void read_entity(const json_t *event, struct arena *arena, struct wix_hook *out)
{
    static const struct {
        const char *body, *entity, *inner;
    } forms[] = {
        {"createdEvent", "entity", NULL},
        {"updatedEvent", "currentEntity", NULL},
        {"deletedEvent", "deletedEntity", NULL},
        {"actionEvent", "body", "ticketDefinition"},
    };

    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        json_t *body = open_member(event, forms[i].body), *entity = open_member(body, forms[i].entity);
        if (entity && forms[i].inner) {
            json_t *inner = open_member(entity, forms[i].inner);
            json_decref(entity);
            entity = inner;
        }
        if (entity) {
            uint64_t revision = read_number(entity, "revision");
            out->event_id = read_id(arena, entity, "eventId");
            out->revision = revision <= INT64_MAX ? (int64_t)revision : 0;
            if (!*out->entity_id)
                out->entity_id = read_id(arena, entity, "id");
        }
        json_decref(entity);
        json_decref(body);
    }
}

static void add_id(struct wix_hook *out, const char *id)
{
    for (size_t i = 0; i < out->count; i++)
        if (strcmp(out->ids[i], id) == 0)
            return;
    if (*id && out->count < ARRAY_LEN(out->ids))
        out->ids[out->count++] = id;
}

static int read_domain(const json_t *event, struct arena *arena, struct wix_hook *out, struct error *err)
{
    out->entity_id = read_id(arena, event, "entityId");
    out->sequence = read_number(event, "entityEventSequence");
    if (out->about == WIX_HOOK_EVENT) {
        out->event_id = out->entity_id;
    } else {
        read_entity(event, arena, out);
        add_id(out, out->entity_id);
    }
    return *out->entity_id ? 0 : error_set(err, ERROR_REFUSED, "data.data.entityId: expected an id");
}

/* Legacy: no id, no entity. Of the order nothing is read but which tickets it is about: all of it is somebody's. */
static int read_order(const json_t *order, struct arena *arena, struct wix_hook *out, struct error *err)
{
    const json_t *tickets = json_object_get(order, "tickets");
    const char *number = read_word(arena, order, "orderNumber", 64), *at = read_word(arena, order, "timestamp", 40);

    out->event_id = read_id(arena, order, "eventId");
    for (size_t i = 0; i < json_array_size(tickets); i++)
        add_id(out, read_id(arena, json_array_get(tickets, i), "ticketDefinitionId"));
    if (!*out->key && *number && *at)
        out->key = arena_printf(arena, "%s|%s|%s", out->type, number, at);
    if (*out->event_id || out->count > 0)
        return 0;
    return error_set(err, ERROR_REFUSED, "data.data.eventId: expected an id");
}

static int read_event(const json_t *envelope, const json_t *event, struct arena *arena, struct wix_hook *out,
                      struct error *err)
{
    out->type = read_word(arena, envelope, "eventType", 100);
    out->instance_id = read_word(arena, envelope, "instanceId", WIX_HOOK_ID_MAX);
    out->key = read_word(arena, event, "id", WIX_HOOK_ID_MAX);
    out->about = about_of(out->type, read_word(arena, event, "entityFqdn", 100), read_word(arena, event, "slug", 64));
    switch (out->about) {
    case WIX_HOOK_DEFINITION:
    case WIX_HOOK_EVENT:
        return read_domain(event, arena, out, err);
    case WIX_HOOK_ORDER:
        return read_order(event, arena, out, err);
    case WIX_HOOK_OTHER:
        break;
    }
    return 0;
}

int wix_hook_read(const json_t *claims, struct arena *arena, struct wix_hook *out, struct error *err)
{
    json_t *envelope = open_layer(json_object_get(claims, "data"), "data", err), *event = NULL;
    int rc = -1;

    *out = (struct wix_hook){.type = "", .key = "", .instance_id = "", .entity_id = "", .event_id = ""};
    if (envelope)
        event = open_layer(json_object_get(envelope, "data"), "data.data", err);
    if (event)
        rc = read_event(envelope, event, arena, out, err);
    json_decref(event);
    json_decref(envelope);
    return rc;
}
