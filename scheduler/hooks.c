#include "hooks.h"

#include "bounce.h"
#include "hooks_signed.h"
#include "hooks_wix.h"
#include "launch.h"

#include <string.h>

/* A call that waits for the store. */
struct hook {
    struct hooks *hooks;
    struct server_request *request;
    struct store_job *job;
    json_t *body; /* the entries point into it */
    struct hook_bounce entries[HOOK_ENTRIES_MAX];
    size_t count;
    struct hook *next;
};

struct hooks {
    struct world *world;
    struct auth *auth;
    struct hooks_wix *wix;
    struct hooks_signed *from_tools;
    struct hook *waiting;
};

static const char wix_path[] = "/hooks/wix/", signed_path[] = "/hooks/signed/";

static void request_ids(struct hook *hook, json_t *ids);
static void on_ids(void *ctx, json_t *answer, const struct error *failure);
static void request_feedback(struct hook *hook, const json_t *keys);
static void on_feedback(void *ctx, const struct store_fed_back *results, size_t count, const struct error *failure);

/* --- Waiting --------------------------------------------------------------------------------------------------------
 */

static struct hook *hook_new(struct hooks *hooks, struct server_request *request)
{
    struct hook *hook = must_calloc(1, sizeof *hook);

    hook->hooks = hooks;
    hook->request = request;
    hook->next = hooks->waiting;
    hooks->waiting = hook;
    return hook;
}

/* The hook is gone; who called is to be answered. */
static struct server_request *hook_end(struct hook *hook)
{
    struct server_request *request = hook->request;

    for (struct hook **at = &hook->hooks->waiting; *at; at = &(*at)->next)
        if (*at == hook) {
            *at = hook->next;
            break;
        }
    json_decref(hook->body);
    free(hook);
    return request;
}

/* --- Whom they are about, and what is stored ------------------------------------------------------------------------
 */

static void request_ids(struct hook *hook, json_t *ids)
{
    auto_free char *list = json_dumps(ids, JSON_COMPACT);

    json_decref(ids);
    hook->job = store_report(hook->hooks->world->store,
                             &(struct store_report){.kind = REPORT_SOURCE_IDS, .source_ids = list}, on_ids, hook);
}

static void on_ids(void *ctx, json_t *answer, const struct error *failure)
{
    struct hook *hook = ctx;

    hook->job = NULL;
    if (failure)
        server_refuse(hook_end(hook), 500, failure->text);
    else
        request_feedback(hook, answer);
}

static bool find_key(const struct hook *hook, const struct hook_bounce *entry, const json_t *keys,
                     unsigned char out[PERSON_KEY_SIZE])
{
    if (!entry->address.text[0])
        return text_unhex(text_of(json_string_value(json_object_get(keys, entry->subscriber_uuid))), out,
                          PERSON_KEY_SIZE);
    crypt_person_key(hook->hooks->world->keys, entry->address.key, out);
    return true;
}

/* `keys`: of those that were asked for by their ids. */
static void request_feedback(struct hook *hook, const json_t *keys)
{
    struct store_feedback list[HOOK_ENTRIES_MAX] = {0};
    char texts[HOOK_ENTRIES_MAX][BOUNCE_TEXT_MAX + 1];
    struct world *world = hook->hooks->world;
    size_t count = 0;

    for (size_t i = 0; i < hook->count; i++) {
        struct store_feedback *one = &list[count];
        if (!find_key(hook, &hook->entries[i], keys, one->key))
            continue; /* nobody we know */
        bounce_scrub(text_of(hook->entries[i].source), NULL, 0, texts[count]);
        one->kind = hook->entries[i].kind;
        one->text = texts[count];
        one->at_ms = clock_now_ms(world->clock);
        count++;
    }
    hook->job = store_feedback(world->store, list, count, on_feedback, hook);
}

/* As listmonk answers, whoever it was about. */
static void on_feedback(void *ctx, const struct store_fed_back *results, size_t count, const struct error *failure)
{
    struct hook *hook = ctx;
    struct world *world = hook->hooks->world;
    struct server_request *request = hook_end(hook);

    for (size_t i = 0; !failure && world->launches && i < count; i++)
        launch_came_back(world->launches, &results[i]);
    if (failure)
        server_refuse(request, 500, failure->text);
    else
        server_answer(request, 200, json_pack("{s:b}", "data", 1));
}

static void take_bounces(struct hooks *hooks, struct server_request *request, const struct server_call *call,
                         const char *who)
{
    struct hook *hook = hook_new(hooks, request);
    struct error err = {0};
    json_t *ids = json_array();

    hook->body = json_loadb(call->body.ptr ? call->body.ptr : "", call->body.len, JSON_REJECT_DUPLICATES, NULL);
    if (!hook->body)
        error_set(&err, ERROR_REFUSED, "the body is not JSON, or a field stands in it twice");
    else
        hook_bounces_read(hook->body, hook->entries, &hook->count, &err);
    if (err.kind != ERROR_NONE) {
        json_decref(ids);
        server_refuse(hook_end(hook), 400, err.text);
        return;
    }
    log_line(hooks->world->log, LOG_INFO, "event=hook what=bounces entries=%zu who=%s", hook->count,
             LOG_QUOTED(text_of(who)));
    for (size_t i = 0; i < hook->count; i++)
        if (!hook->entries[i].address.text[0])
            json_array_append_new(ids, json_string(hook->entries[i].subscriber_uuid));
    if (json_array_size(ids) > 0) {
        request_ids(hook, ids);
    } else {
        json_decref(ids);
        request_feedback(hook, NULL);
    }
}

/* --- Who may
 * ---------------------------------------------------------------------------------------------------------- */

static bool is_json(const char *type)
{
    struct text rest = text_of(type);

    return text_equal_nocase(text_trim(text_cut(&rest, ';')), TEXT("application/json"));
}

static void handle_bounces(struct hooks *hooks, struct server_request *request, const struct server_call *call)
{
    char who[AUTH_WHO_SIZE];

    if (strcmp(call->method, "POST") != 0)
        server_refuse_more(request, 405, "a hook is called by POST", NULL, &(struct server_field){"Allow", "POST"});
    else if (!auth_admit_password(hooks->auth, request, call, TOKEN_HOOK, who))
        return;
    else if (!is_json(call->content_type))
        server_refuse(request, 415, "a body must come as application/json");
    else
        take_bounces(hooks, request, call, who);
}

void hooks_handle(struct hooks *hooks, struct server_request *request, const struct server_call *call)
{
    if (text_starts(text_of(call->path), wix_path))
        hooks_wix_handle(hooks->wix, request, call, call->path + strlen(wix_path));
    else if (text_starts(text_of(call->path), signed_path))
        hooks_signed_handle(hooks->from_tools, request, call, call->path + strlen(signed_path));
    else if (strcmp(call->path, "/hooks/bounces") == 0)
        handle_bounces(hooks, request, call);
    else
        server_refuse(request, 404,
                      "there is no such hook; there are /hooks/bounces, /hooks/wix/SITE and /hooks/signed/NAME");
}

bool hooks_charge(const char *path)
{
    return text_starts(text_of(path), wix_path) || text_starts(text_of(path), signed_path);
}

size_t hooks_body_max(const char *path)
{
    return text_starts(text_of(path), wix_path) ? SERVER_BODY_LARGEST : 0;
}

/* --- Beginning and end
 * ------------------------------------------------------------------------------------------------ */

void hooks_reload(struct hooks *hooks, const struct http_settings *http)
{
    hooks_wix_reload(hooks->wix);
    hooks_signed_set(hooks->from_tools, http->hooks, http->hook_count);
}

struct hooks *hooks_new(struct world *world, struct auth *auth, const struct http_settings *http)
{
    struct hooks *hooks = must_calloc(1, sizeof *hooks);

    hooks->world = world;
    hooks->auth = auth;
    hooks->wix = hooks_wix_new(world);
    hooks->from_tools = hooks_signed_new(world);
    hooks_reload(hooks, http);
    return hooks;
}

void hooks_close(struct hooks *hooks)
{
    if (!hooks)
        return;
    while (hooks->waiting) {
        store_cancel(&hooks->waiting->job);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that what is freed has left the list */
        hook_end(hooks->waiting);
    }
    hooks_wix_close(hooks->wix);
    hooks_signed_close(hooks->from_tools);
    free(hooks);
}
