#include "audience/listmonk_page.h"

#include <string.h>

static struct text string_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return (struct text){json_string_value(value), json_string_length(value)};
}

/* A whole number that is there, or -1. */
static int64_t number_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_integer(value) ? json_integer_value(value) : -1;
}

static json_t *load(struct text body, struct error *err)
{
    json_t *json = json_loadb(body.ptr ? body.ptr : "", body.len, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(json_object_get(json, "data"))) {
        error_set(err, ERROR_TRY_LATER,
                  json ? "the answer is not what listmonk sends (no \"data\")"
                       : "the answer is not JSON, or was cut off");
        json_decref(json);
        return NULL;
    }
    return json;
}

void listmonk_message(struct text body, char out[120])
{
    json_t *json = json_loadb(body.ptr ? body.ptr : "", body.len, 0, NULL);
    const char *message = json_string_value(json_object_get(json, "message"));

    out[0] = 0;
    if (message && strlen(message) < 120 && !strchr(message, '@'))
        snprintf(out, 120, "%s", message);
    json_decref(json);
}

int listmonk_list_parse(struct text body, int64_t id, struct listmonk_list *out, struct error *err)
{
    json_t *json = load(body, err);
    const json_t *data = json_object_get(json, "data");
    struct text optin = string_of(data, "optin");
    int result = 0;

    if (!json)
        return -1;
    out->id = id;
    out->single_optin = text_is(optin, "single");
    if (number_of(data, "id") != id || (!out->single_optin && !text_is(optin, "double")))
        result = error_set(err, ERROR_TRY_LATER, "the answer does not describe this list");
    json_decref(json);
    return result;
}

/* May this membership be written to? `single_optin` as the list itself says, once more per entry. */
static bool may_write(const json_t *membership, bool single_optin)
{
    struct text status = string_of(membership, "subscription_status");

    if (text_is(status, "confirmed"))
        return true;
    return text_is(status, "unconfirmed") && single_optin && text_is(string_of(membership, "optin"), "single");
}

static bool list_is_of_event(const json_t *list, const struct interest *interest)
{
    const json_t *tags = json_object_get(list, "tags"), *tag;
    size_t i;

    if (!*interest->event_id)
        return false;
    if (text_matches(string_of(list, "name"), interest->list_name))
        return true;
    json_array_foreach(tags, i, tag)
    {
        struct text t = {json_string_value(tag), json_string_length(tag)};
        if (text_starts(t, "event:") && text_is(text_slice(t, 6, t.len), interest->event_id))
            return true;
    }
    return false;
}

static bool on_event_list(const json_t *lists, const struct interest *interest)
{
    const json_t *list;
    size_t i;

    json_array_foreach(lists, i, list)
    {
        if (may_write(list, true) && list_is_of_event(list, interest))
            return true;
    }
    return false;
}

static enum consent judge(const json_t *person, const json_t *membership, const struct listmonk_list *list)
{
    struct text status = string_of(person, "status");

    if (text_is(status, "blocklisted"))
        return CONSENT_NEVER;
    return text_is(status, "enabled") && may_write(membership, list->single_optin) ? CONSENT_YES : CONSENT_NO;
}

static const json_t *membership_of(const json_t *lists, int64_t id)
{
    const json_t *list;
    size_t i;

    json_array_foreach(lists, i, list)
    {
        if (number_of(list, "id") == id)
            return list;
    }
    return NULL;
}

static int take_person(json_t *person, const struct listmonk_list *list, const struct interest *interest,
                       struct listmonk_page *out, struct error *err)
{
    const json_t *lists = json_object_get(person, "lists");
    struct text uuid = string_of(person, "uuid"), address = string_of(person, "email");
    struct interest asked = *interest;
    struct audience_record record;
    struct draft draft;
    int64_t id = number_of(person, "id");

    if (id < 1 || uuid.len == 0 || address.len == 0 || !json_is_array(lists) || string_of(person, "status").len == 0)
        return error_set(err, ERROR_TRY_LATER, "a subscriber without id, uuid, email, status or lists");
    if (out->records.count && id <= out->ids[out->records.count - 1])
        return error_set(err, ERROR_REFUSED, "subscribers do not come in the order of their ids");
    const json_t *membership = membership_of(lists, list->id);
    if (!membership)
        return error_set(
            err, ERROR_CONFIG,
            "listmonk ignored list_id %lld and sent people who are not on it: give the API user permission "
            "to read list %lld",
            (long long)list->id, (long long)list->id);
    draft_init(&draft);
    draft_judge(&draft, judge(person, membership, list));
    draft_put(&draft, ROLE_ID, TEXT("uuid"), uuid);
    draft_put(&draft, ROLE_ADDRESS, TEXT("email"), address);
    draft_put(&draft, ROLE_NAME, TEXT("name"), string_of(person, "name"));
    draft_put(&draft, ROLE_ATTRIBUTE, TEXT("uuid"), uuid);
    draft_put_json(&draft, ROLE_ATTRIBUTE, "id", json_object_get(person, "id"), &out->arena);
    draft_put_attributes(&draft, json_object_get(person, "attribs"));
    if (interest_by_list(interest) && on_event_list(lists, interest))
        asked.attribute = NULL; /* either way of asking is enough */
    else if (interest_by_list(interest) && !interest_by_attribute(interest))
        draft_judge(&draft, CONSENT_NO);
    int result = draft_finish(&draft, &asked, uuid, &out->arena, &record);
    draft_clear(&draft);
    if (result < 0)
        return error_set(err, ERROR_TRY_LATER, "a subscriber whose email is blank");
    out->ids[out->records.count] = id;
    *records_add(&out->records) = record;
    return 0;
}

static int take_people(const json_t *data, const struct listmonk_list *list, const struct interest *interest,
                       struct listmonk_page *out, struct error *err)
{
    const json_t *results = json_object_get(data, "results");
    json_t *person;
    size_t i;

    out->total = number_of(data, "total");
    out->per_page = number_of(data, "per_page");
    out->page = number_of(data, "page");
    if (!json_is_array(results) || out->total < 0 || out->per_page < 0 || out->page < 0)
        return error_set(err, ERROR_TRY_LATER, "the answer has no results, total, per_page or page");
    out->ids = arena_alloc(&out->arena, (json_array_size(results) + 1) * sizeof *out->ids);
    json_array_foreach(results, i, person)
    {
        if (take_person(person, list, interest, out, err) < 0)
            return -1;
    }
    return 0;
}

int listmonk_page_parse(struct text body, const struct listmonk_list *list, const struct interest *interest,
                        struct listmonk_page *out, struct error *err)
{
    json_t *json = load(body, err);

    memset(out, 0, sizeof *out);
    if (!json)
        return -1;
    int result = take_people(json_object_get(json, "data"), list, interest, out, err);
    json_decref(json);
    if (result < 0)
        listmonk_page_clear(out);
    return result;
}

void listmonk_page_clear(struct listmonk_page *page)
{
    arena_clear(&page->arena);
    records_clear(&page->records);
    *page = (struct listmonk_page){0};
}

/* --- One person ----------------------------------------------------------------------------------------------------
 */

/* 1: *out is who is meant; 0: nobody in there is; -1: not what listmonk sends. */
static int find_person(const json_t *results, struct text uuid, struct text address, const json_t **out,
                       struct error *err)
{
    const json_t *person;
    size_t i;

    json_array_foreach(results, i, person)
    {
        struct text its_uuid = string_of(person, "uuid"), its_address = string_of(person, "email");
        if (its_uuid.len == 0 || its_address.len == 0 || number_of(person, "id") < 1 ||
            !json_is_array(json_object_get(person, "lists")))
            return error_set(err, ERROR_TRY_LATER, "a subscriber without id, uuid, email or lists");
        *out = person;
        if (uuid.len ? text_equal_nocase(its_uuid, uuid) : text_equal_nocase(its_address, address))
            return 1;
    }
    return 0;
}

static void take_memberships(const json_t *person, const int64_t *lists, size_t count, struct listmonk_person *out)
{
    out->id = number_of(person, "id");
    for (size_t i = 0; i < count && !out->on_list; i++) {
        const json_t *membership = membership_of(json_object_get(person, "lists"), lists[i]);
        if (membership && !text_is(string_of(membership, "subscription_status"), "unsubscribed"))
            out->on_list = lists[i];
    }
}

int listmonk_person_parse(struct text body, struct text uuid, struct text address, const int64_t *lists, size_t count,
                          struct listmonk_person *out, struct error *err)
{
    json_t *json = load(body, err);
    const json_t *data = json_object_get(json, "data"), *results = json_object_get(data, "results"), *person = NULL;
    int64_t total = number_of(data, "total");
    int found = -1;

    *out = (struct listmonk_person){0};
    if (!json)
        return -1;
    if (!json_is_array(results) || total < 0)
        error_set(err, ERROR_TRY_LATER, "the answer has no results or total");
    else
        found = find_person(results, uuid, address, &person, err);
    if (found == 1)
        take_memberships(person, lists, count, out);
    if (found == 0 && total > (int64_t)json_array_size(results))
        found = error_set(err, ERROR_CONFIG,
                          "it did not search for one address, but sent %lld people: this listmonk is too old",
                          (long long)total);
    json_decref(json);
    return found < 0 ? -1 : 0;
}
