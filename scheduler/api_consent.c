/* Our own word on who is written to. */
#include "api_private.h"
#include "events.h"
#include "known.h"
#include "launch.h"
#include "suppression.h"

#include <string.h>

static bool audience_known(const struct world *world, struct text name)
{
    for (size_t i = 0; i < world->audience_count; i++)
        if (text_is(name, world->audiences[i]->settings->name))
            return true;
    return false;
}

static void on_suppressed(void *ctx, int64_t count, const struct error *failure)
{
    if (!failure)
        events_count(((struct call *)ctx)->api->world->events, EVENT_SUPPRESSION, "operator", count);
    api_on_stored(ctx, failure);
}

static void on_lifted(void *ctx, int64_t count, const struct error *failure)
{
    api_on_stored(ctx, failure);
}

static void refuse_field(struct server_request *request, const char *pointer, const struct error *err)
{
    server_refuse_more(request, 400, err->text,
                       json_pack("{s:[{s:s, s:s}]}", "errors", "pointer", pointer, "detail", err->text), NULL);
}

/* One of the words that a list may hold, so that it can be read again; forgetting somebody is another operation. */
static int read_reason(const struct api_request *asked, const char **out, struct error *err)
{
    if (suppression_reason(text_of(asked->reason), out, err) < 0)
        return -1;
    return strcmp(*out, "erased") != 0 ? 0 : error_set(err, ERROR_REFUSED, "reason: who is to be forgotten is erased");
}

/* An audience that left the configuration may still be lifted. */
static void suppress(struct api *api, struct server_request *request, const struct api_request *asked, bool lift)
{
    struct store_suppression what = {
        .scope = asked->audience, .at_ms = clock_now_ms(api->world->clock), .lift = lift, .overwrite = true};
    struct error err = {0};

    if (!lift && *what.scope && !audience_known(api->world, text_of(what.scope))) {
        known_no_audience(api->world, what.scope, &err);
        refuse_field(request, "#/audience", &err);
        return;
    }
    if (read_reason(asked, &what.reason, &err) < 0) {
        refuse_field(request, "#/reason", &err);
        return;
    }
    crypt_person_key(api->world->keys, asked->address.key, what.key);
    struct call *call = api_call_new(api, request);
    call->job = store_suppress(api->world->store, &what, 1, lift ? on_lifted : on_suppressed, call);
}

void api_suppress(struct api *api, struct server_request *request, const struct api_request *asked)
{
    suppress(api, request, asked, false);
}

void api_unsuppress(struct api *api, struct server_request *request, const struct api_request *asked)
{
    suppress(api, request, asked, true);
}

/* --- A list ---------------------------------------------------------------------------------------------------------
 */

static struct text field_of(const json_t *entry, const char *name)
{
    const json_t *value = json_object_get(entry, name);

    return (struct text){json_string_value(value), json_string_length(value)};
}

static int check_fields(const json_t *entry, struct error *err)
{
    static const char *const names[] = {"address", "key", "scope", "reason", "at"};
    const char *name;
    json_t *value;

    if (!json_is_object(entry))
        return error_set(err, ERROR_REFUSED, "expected an object");
    json_object_foreach((json_t *)(uintptr_t)entry, name, value)
    {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            known |= strcmp(names[i], name) == 0;
        if (!known)
            return error_set(err, ERROR_REFUSED, "unknown key \"%.40s\"", name);
        if (!json_is_string(value) && !json_is_null(value))
            return error_set(err, ERROR_REFUSED, "%s: expected a text", name);
    }
    return 0;
}

/* What was said before stays; a list is read again and again. */
static int read_entry(const struct world *world, const json_t *entry, struct arena *arena,
                      struct store_suppression *out, struct error *err)
{
    struct suppression_line line = {.address = field_of(entry, "address"),
                                    .key = field_of(entry, "key"),
                                    .scope = field_of(entry, "scope"),
                                    .reason = field_of(entry, "reason"),
                                    .at = field_of(entry, "at")};
    struct suppression read;

    if (check_fields(entry, err) < 0 || suppression_read(&line, &read, err) < 0)
        return -1;
    if (read.scope.len && !audience_known(world, read.scope)) {
        known_no_audience(world, arena_copy(arena, read.scope), err);
        return error_at(err, "scope");
    }
    *out = (struct store_suppression){
        .scope = arena_copy(arena, read.scope),
        .reason = read.reason,
        .at_ms = read.at_ms == MOMENT_NONE ? clock_now_ms(world->clock) : read.at_ms,
    };
    if (read.has_address)
        crypt_person_key(world->keys, read.address.key, out->key);
    if (read.has_key && read.has_address && memcmp(out->key, read.key, sizeof out->key) != 0)
        return error_set(err, ERROR_REFUSED,
                         "key: not that of this address here: the list was made with other keys; leave the keys out");
    if (read.has_key)
        memcpy(out->key, read.key, sizeof out->key);
    return 0;
}

/* -1: *bad is the entry. */
static int read_entries(const struct world *world, const json_t *entries, struct arena *arena,
                        struct store_suppression *list, size_t *bad, struct error *err)
{
    const json_t *entry;
    size_t i;

    json_array_foreach(entries, i, entry)
    {
        *bad = i;
        if (read_entry(world, entry, arena, &list[i], err) < 0)
            return error_at(err, "entries.%zu", i);
    }
    return 0;
}

static void erase_next(struct call *call);

static void on_one_erased(void *ctx, const struct store_erased *result)
{
    struct call *call = ctx;
    struct world *world = call->api->world;

    if (result->failure) {
        api_answer_done(api_call_end(call), -1, result->failure);
        return;
    }
    call->changed += result->is_new;
    events_count(world->events, EVENT_SUPPRESSION, "erased", result->is_new);
    if (world->launches)
        launches_progressed(world->launches, result->progress, result->progress_count);
    erase_next(call);
}

/* To forget somebody takes a while in a state of years: what a launch has to write goes between. */
static void erase_next(struct call *call)
{
    if (call->erase_next < call->erase_count) {
        const struct store_suppression *who = &call->erase[call->erase_next++];
        call->job = store_erase(call->api->world->store, who->key, who->at_ms, on_one_erased, call);
        return;
    }
    json_int_t changed = call->changed;
    server_answer(api_call_end(call), 200, json_pack("{s:I}", "new", changed));
}

static void on_all_suppressed(void *ctx, int64_t count, const struct error *failure)
{
    struct call *call = ctx;

    if (failure) {
        api_answer_done(api_call_end(call), -1, failure);
        return;
    }
    call->changed = count;
    events_count(call->api->world->events, EVENT_SUPPRESSION, "operator", count);
    erase_next(call);
}

/* Takes those who are to be forgotten out of the list; how many are left in it. */
static size_t split(struct store_suppression *list, size_t count, struct call *call)
{
    size_t left = 0;

    call->erase = must_calloc(count + 1, sizeof *call->erase);
    for (size_t i = 0; i < count; i++)
        if (list[i].reason && strcmp(list[i].reason, "erased") == 0)
            call->erase[call->erase_count++] = list[i];
        else
            list[left++] = list[i];
    return left;
}

static void refuse_entry(struct server_request *request, size_t bad, const struct error *err)
{
    char pointer[48];

    snprintf(pointer, sizeof pointer, "#/entries/%zu", bad);
    refuse_field(request, pointer, err);
}

/* All or none, and then who is to be forgotten; with `check` none. */
void api_suppress_all(struct api *api, struct server_request *request, const struct api_request *asked)
{
    const json_t *entries = json_object_get(asked->body, "entries");
    size_t count = json_array_size(entries), bad = 0;
    struct arena arena = {0};
    struct error err = {0};
    auto_free struct store_suppression *list = must_calloc(API_ENTRIES_MAX, sizeof *list);

    if (read_entries(api->world, entries, &arena, list, &bad, &err) < 0) {
        refuse_entry(request, bad, &err);
    } else if (json_is_true(json_object_get(asked->body, "check"))) {
        server_answer(request, 200, json_pack("{s:i}", "new", 0));
    } else {
        struct call *call = api_call_new(api, request);
        count = split(list, count, call);
        call->job = store_suppress(api->world->store, list, count, on_all_suppressed, call);
    }
    arena_clear(&arena);
}
