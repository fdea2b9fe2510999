#include "hooks_signed.h"

#include "bounce.h"
#include "consent.h"
#include "events.h"
#include "hooks_blame.h"
#include "launch.h"
#include "metrics.h"
#include "writeback.h"

#include <string.h>

/* Who may call. */
struct sender {
    char *name, *audience;
    struct webhook_secret secrets[WEBHOOK_SECRETS_MAX];
    size_t secret_count;
};

/* A call that waits for the store. */
struct visit {
    struct hooks_signed *hooks;
    struct server_request *request;
    struct store_job *job;
    json_t *body; /* the word's texts */
    struct hook_word word;
    char *from, *id; /* "signed NAME", and the hook's id */
    char *scope;     /* "" all, or the audience that it is about */
    struct visit *next;
};

struct hooks_signed {
    struct world *world;
    struct hooks_blame blame;
    struct sender *senders;
    size_t sender_count;
    struct visit *visits;
};

static void request_ids(struct visit *visit);
static void on_ids(void *ctx, json_t *answer, const struct error *failure);
static void request_hook(struct visit *visit, const unsigned char *key);
static void on_hooked(void *ctx, const struct store_hooked *result);

static void count(const struct hooks_signed *hooks, const char *sender, const char *outcome)
{
    metrics_add(hooks->world->metrics, METRIC_HOOKS, LABELS("signed", sender, outcome), 1);
}

/* --- Waiting --------------------------------------------------------------------------------------------------------
 */

static struct visit *visit_new(struct hooks_signed *hooks, struct server_request *request)
{
    struct visit *visit = must_calloc(1, sizeof *visit);

    visit->hooks = hooks;
    visit->request = request;
    visit->next = hooks->visits;
    hooks->visits = visit;
    return visit;
}

/* The visit is gone; who called is to be answered. */
static struct server_request *visit_end(struct visit *visit)
{
    struct server_request *request = visit->request;

    for (struct visit **at = &visit->hooks->visits; *at; at = &(*at)->next)
        if (*at == visit) {
            *at = visit->next;
            break;
        }
    json_decref(visit->body);
    free(visit->from);
    free(visit->id);
    free(visit->scope);
    free(visit);
    return request;
}

static void answer(struct visit *visit, const char *what)
{
    server_answer(visit_end(visit), 200, json_pack("{s:s}", "result", what));
}

/* --- Whom it is about, and what is stored ---------------------------------------------------------------------------
 */

static void request_ids(struct visit *visit)
{
    json_t *ids = json_pack("[s]", visit->word.source_id);
    auto_free char *list = json_dumps(ids, JSON_COMPACT);

    json_decref(ids);
    visit->job = store_report(
        visit->hooks->world->store,
        &(struct store_report){.kind = REPORT_SOURCE_IDS, .source_ids = list, .audience = visit->scope}, on_ids, visit);
}

static void on_ids(void *ctx, json_t *found, const struct error *failure)
{
    struct visit *visit = ctx;
    unsigned char key[PERSON_KEY_SIZE];

    visit->job = NULL;
    if (failure || !json_is_string(json_object_get(found, visit->word.source_id)))
        count(visit->hooks, visit->from + strlen("signed "), failure ? "failed" : "passed_over");
    if (failure)
        server_refuse(visit_end(visit), 500, failure->text);
    else if (json_is_null(json_object_get(found, visit->word.source_id)))
        server_refuse(visit_end(visit), 400, "data.source_id: people of several audiences have it; name data.audience");
    else if (!text_unhex(text_of(json_string_value(json_object_get(found, visit->word.source_id))), key, sizeof key))
        answer(visit, "nobody we know");
    else
        request_hook(visit, key);
}

/* `key`: of who is known by their id alone; their address is not at hand, so that no tool is told. */
static int make_suppression(struct visit *visit, const unsigned char *key, struct arena *arena,
                            struct store_suppression *out, struct error *err)
{
    struct world *world = visit->hooks->world;
    struct unsubscribe_ticket ticket = {.audience = text_of(visit->scope),
                                        .source_id = text_of(visit->word.source_id),
                                        .address = text_of(visit->word.address.text)};

    if (!key)
        return consent_word(world, &ticket, !*visit->scope, arena, out, err);
    *out =
        (struct store_suppression){.scope = visit->scope, .reason = "unsubscribe", .at_ms = clock_now_ms(world->clock)};
    memcpy(out->key, key, sizeof out->key);
    return 0;
}

static void request_hook(struct visit *visit, const unsigned char *key)
{
    struct world *world = visit->hooks->world;
    char text[BOUNCE_TEXT_MAX + 1];
    struct store_suppression suppression;
    struct store_feedback feedback = {.kind = visit->word.feedback, .text = text, .at_ms = clock_now_ms(world->clock)};
    bool leaves = visit->word.kind == HOOK_WORD_UNSUBSCRIBED;
    struct arena arena = {0};
    struct error err = {0};

    bounce_scrub(text_of(visit->word.reason), NULL, 0, text);
    if (key)
        memcpy(feedback.key, key, sizeof feedback.key);
    else
        crypt_person_key(world->keys, visit->word.address.key, feedback.key);
    if (leaves && make_suppression(visit, key, &arena, &suppression, &err) < 0) {
        count(visit->hooks, visit->from + strlen("signed "), "passed_over");
        server_refuse(visit_end(visit), 400, err.text);
    } else {
        visit->job = store_hook(world->store,
                                &(struct store_hook){.from = visit->from,
                                                     .id = visit->id,
                                                     .entity = "",
                                                     .at_ms = clock_now_ms(world->clock),
                                                     .suppress = leaves ? &suppression : NULL,
                                                     .feedback = leaves ? NULL : &feedback},
                                on_hooked, visit);
        if (leaves)
            writeback_look(world->writeback); /* what it asks of the store comes behind the job */
    }
    arena_clear(&arena);
}

static void on_hooked(void *ctx, const struct store_hooked *result)
{
    struct visit *visit = ctx;
    struct world *world = visit->hooks->world;
    bool done = !result->failure && result->news == HOOK_NEW;

    visit->job = NULL;
    if (done && visit->word.kind != HOOK_WORD_UNSUBSCRIBED && world->launches)
        launch_came_back(world->launches, &result->fed_back);
    if (done && visit->word.kind == HOOK_WORD_UNSUBSCRIBED)
        events_count(world->events, EVENT_SUPPRESSION, "unsubscribe", result->suppressed); /* none who had left */
    count(visit->hooks, visit->from + strlen("signed "), result->failure ? "failed" : done ? "new" : "repeated");
    if (result->failure)
        server_refuse(visit_end(visit), 500, result->failure->text);
    else
        answer(visit, done ? "taken" : "known");
}

/* --- The call -------------------------------------------------------------------------------------------------------
 */

static bool is_audience(const struct world *world, const char *name)
{
    for (size_t i = 0; i < world->audience_count; i++)
        if (strcmp(world->audiences[i]->settings->name, name) == 0)
            return true;
    return false;
}

/* A misspelt audience would suppress nobody. */
static int find_scope(struct visit *visit, const struct sender *sender, struct error *err)
{
    const char *named = visit->word.audience;

    if (*named && *sender->audience && strcmp(named, sender->audience) != 0)
        return error_set(err, ERROR_REFUSED, "data.audience: this hook speaks of %s alone", sender->audience);
    if (*named && !is_audience(visit->hooks->world, named))
        return error_set(err, ERROR_REFUSED, "data.audience: expected the name of an audience");
    visit->scope = must_strdup(*named ? named : sender->audience);
    return 0;
}

static void take(struct hooks_signed *hooks, const struct sender *sender, struct server_request *request,
                 const struct server_call *call)
{
    static const char *const words[] = {[HOOK_WORD_OTHER] = "other",
                                        [HOOK_WORD_UNSUBSCRIBED] = "unsubscribed",
                                        [HOOK_WORD_BOUNCED] = "bounced",
                                        [HOOK_WORD_COMPLAINED] = "complained",
                                        [HOOK_WORD_RESUBSCRIBED] = "resubscribed"};
    struct visit *visit = visit_new(hooks, request);
    struct error err = {0};

    visit->body = json_loadb(call->body.ptr ? call->body.ptr : "", call->body.len, JSON_REJECT_DUPLICATES, NULL);
    if (!visit->body)
        error_set(&err, ERROR_REFUSED, "the body is not JSON, or a field stands in it twice");
    else if (hook_word_read(visit->body, &visit->word, &err) == 0)
        find_scope(visit, sender, &err);
    if (err.kind != ERROR_NONE) {
        count(hooks, sender->name, "passed_over");
        server_refuse(visit_end(visit), 400, err.text);
        return;
    }
    log_line(hooks->world->log, LOG_INFO, "event=hook what=%s who=%s", words[visit->word.kind], sender->name);
    visit->id = must_strdup(server_header(request, "webhook-id"));
    if (asprintf(&visit->from, "signed %s", sender->name) < 0)
        visit->from = must_strdup("signed ");
    if (visit->word.kind == HOOK_WORD_OTHER || visit->word.kind == HOOK_WORD_RESUBSCRIBED)
        count(hooks, sender->name, "other");
    if (visit->word.kind == HOOK_WORD_OTHER)
        answer(visit, "passed over: a type that says nothing to us");
    else if (visit->word.kind == HOOK_WORD_RESUBSCRIBED)
        answer(visit, "passed over: who left is taken back by an operator alone");
    else if (visit->word.address.text[0])
        request_hook(visit, NULL);
    else
        request_ids(visit);
}

static const struct sender *find_sender(const struct hooks_signed *hooks, const char *name)
{
    for (size_t i = 0; i < hooks->sender_count; i++)
        if (strcmp(hooks->senders[i].name, name) == 0)
            return &hooks->senders[i];
    return NULL;
}

/* A tool's bursts come from few addresses: only what is not signed counts against the rate of one. */
void hooks_signed_handle(struct hooks_signed *hooks, struct server_request *request, const struct server_call *call,
                         const char *name)
{
    const struct sender *sender = find_sender(hooks, name);
    struct webhook_headers headers = {text_of(server_header(request, "webhook-id")),
                                      text_of(server_header(request, "webhook-timestamp")),
                                      text_of(server_header(request, "webhook-signature"))};
    struct error err = {0};

    if (!sender) {
        if (server_charge(request, true))
            server_refuse(request, 404, "none of http.hooks has that name");
    } else if (strcmp(call->method, "POST") != 0) {
        if (server_charge(request, true))
            server_refuse_more(request, 405, "a hook is called by POST", NULL, &(struct server_field){"Allow", "POST"});
    } else if (!server_charge(request, false)) {
        hooks_blame(&hooks->blame, hooks->world, "signed", name, call->who, "too many that were not signed");
    } else if (webhook_verify(sender->secrets, sender->secret_count, &headers, call->body,
                              clock_now_ms(hooks->world->clock), &err) < 0) {
        count(hooks, name, "not_signed");
        hooks_blame(&hooks->blame, hooks->world, "signed", name, call->who, err.text);
        if (server_charge(request, true))
            server_refuse(request, 401, err.text);
    } else {
        take(hooks, sender, request, call);
    }
}

/* --- Beginning and end ----------------------------------------------------------------------------------------------
 */

static void forget_senders(struct hooks_signed *hooks)
{
    for (size_t i = 0; i < hooks->sender_count; i++) {
        for (size_t k = 0; k < WEBHOOK_SECRETS_MAX; k++)
            webhook_secret_clear(&hooks->senders[i].secrets[k]);
        free(hooks->senders[i].name);
        free(hooks->senders[i].audience);
    }
    free(hooks->senders);
    hooks->senders = NULL;
    hooks->sender_count = 0;
}

void hooks_signed_set(struct hooks_signed *hooks, const struct http_hook *list, size_t count)
{
    forget_senders(hooks);
    hooks->senders = must_calloc(count + 1, sizeof *hooks->senders);
    hooks->sender_count = count;
    for (size_t i = 0; i < count; i++) {
        struct sender *sender = &hooks->senders[i];
        sender->name = must_strdup(list[i].name);
        sender->audience = must_strdup(list[i].audience);
        /* settings_check.c has said so if it is none: then nobody may call */
        webhook_secrets_parse(text_of(list[i].secret), sender->secrets, &sender->secret_count, NULL);
    }
}

struct hooks_signed *hooks_signed_new(struct world *world)
{
    struct hooks_signed *hooks = must_calloc(1, sizeof *hooks);

    hooks->world = world;
    hooks->blame.last_mono_ms = MOMENT_NONE;
    return hooks;
}

void hooks_signed_close(struct hooks_signed *hooks)
{
    if (!hooks)
        return;
    while (hooks->visits) {
        store_cancel(&hooks->visits->job);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that what is freed has left the list */
        visit_end(hooks->visits);
    }
    forget_senders(hooks);
    free(hooks);
}
