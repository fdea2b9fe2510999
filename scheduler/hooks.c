#include "hooks.h"

#include "bounce.h"
#include "hooks_body.h"
#include "hooks_signed.h"
#include "hooks_wix.h"
#include "launch.h"
#include "metrics.h"

#include <string.h>

/* A call that waits for the store. */
struct hook {
    struct hooks *hooks;
    struct server_request *request;
    struct store_job *job;
    json_t *body; /* the entries point into it */
    struct hook_bounce entries[HOOK_ENTRIES_MAX];
    size_t count, unknown;
    char who[AUTH_WHO_SIZE];
    struct hook *next;
};

struct hooks {
    struct world *world;
    struct auth *auth;
    struct hooks_wix *wix;
    struct hooks_signed *from_tools;
    struct hook *waiting;
};

static const char wix_path[] = "/hooks/wix/", signed_path[] = "/hooks/signed/", token_prefix[] = "token ";

static void request_ids(struct hook *hook, json_t *ids);
static void on_ids(void *ctx, json_t *answer, const struct error *failure);
static void request_feedback(struct hook *hook, const json_t *keys);
static void on_feedback(void *ctx, const struct store_fed_back *results, size_t count, const struct error *failure);

/* By who called, as http.tokens names them; "" who may not. */
static void count_call(const struct hooks *hooks, const char *who, const char *outcome)
{
    const char *name = text_starts(text_of(who), token_prefix) ? who + strlen(token_prefix) : who;

    metrics_add(hooks->world->metrics, METRIC_HOOKS, LABELS("bounces", name, outcome), 1);
}

/* --- Waiting --------------------------------------------------------------------------------------------------------
 */

static struct hook *hook_new(struct hooks *hooks, struct server_request *request, const char *who)
{
    struct hook *hook = must_calloc(1, sizeof *hook);

    snprintf(hook->who, sizeof hook->who, "%s", who);
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

static void fail_call(struct hook *hook, const struct error *failure)
{
    count_call(hook->hooks, hook->who, "failed");
    log_line(hook->hooks->world->log, LOG_WARNING, "event=hook what=bounces who=%s result=failed error=%s",
             LOG_QUOTED(text_of(hook->who)), LOG_QUOTED(text_of(failure->text)));
    server_refuse(hook_end(hook), 500, failure->text);
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
        fail_call(hook, failure);
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
        if (!find_key(hook, &hook->entries[i], keys, one->key)) {
            hook->unknown++;
            continue;
        }
        bounce_scrub(text_of(hook->entries[i].source), NULL, 0, texts[count]);
        one->kind = hook->entries[i].kind;
        one->text = texts[count];
        one->at_ms = clock_now_ms(world->clock);
        count++;
    }
    hook->job = store_feedback(world->store, list, count, on_feedback, hook);
}

static void log_outcome(const struct hook *hook, const struct store_fed_back *results, size_t count)
{
    size_t suppressed = 0, already = 0;

    for (size_t i = 0; i < count; i++) {
        suppressed += results[i].suppressed;
        already += feedback_suppresses(results[i].kind) && !results[i].suppressed;
    }
    log_line(hook->hooks->world->log, LOG_INFO,
             "event=hook what=bounces who=%s result=new entries=%zu suppressed=%zu already=%zu unknown=%zu",
             LOG_QUOTED(text_of(hook->who)), hook->count, suppressed, already, hook->unknown);
}

/* As listmonk answers, whoever it was about. */
static void on_feedback(void *ctx, const struct store_fed_back *results, size_t count, const struct error *failure)
{
    struct hook *hook = ctx;
    struct world *world = hook->hooks->world;

    hook->job = NULL;
    for (size_t i = 0; !failure && world->launches && i < count; i++)
        launch_came_back(world->launches, &results[i]);
    if (failure) {
        fail_call(hook, failure);
        return;
    }
    count_call(hook->hooks, hook->who, "new");
    log_outcome(hook, results, count);
    server_answer(hook_end(hook), 200, json_pack("{s:b}", "data", 1));
}

static void take_bounces(struct hooks *hooks, struct server_request *request, const struct server_call *call,
                         const char *who)
{
    struct hook *hook = hook_new(hooks, request, who);
    struct error err = {0};
    json_t *ids;

    hook->body = hook_body_parse(call->body, &err);
    if (!hook->body || hook_bounces_read(hook->body, hook->entries, &hook->count, &err) < 0) {
        count_call(hooks, who, "passed_over");
        server_refuse(hook_end(hook), 400, err.text);
        return;
    }
    ids = json_array();
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

    if (strcmp(call->method, "POST") != 0) {
        server_refuse_more(request, 405, "a hook is called by POST", NULL, &(struct server_field){"Allow", "POST"});
    } else if (!auth_admit_password(hooks->auth, request, call, TOKEN_HOOK, who)) {
        count_call(hooks, "", "not_signed");
    } else if (!is_json(call->content_type)) {
        count_call(hooks, who, "passed_over");
        server_refuse(request, 415, "a body must come as application/json");
    } else {
        take_bounces(hooks, request, call, who);
    }
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
