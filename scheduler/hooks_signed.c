#include "hooks_signed.h"

#include "bounce.h"
#include "consent.h"
#include "events.h"
#include "hooks_blame.h"
#include "hooks_body.h"
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

static void request_hook(struct visit *visit);
static void on_hooked(void *ctx, const struct store_hooked *result);

static void count(const struct hooks_signed *hooks, const char *sender, const char *outcome)
{
    metrics_add(hooks->world->metrics, METRIC_HOOKS, LABELS("signed", sender, outcome), 1);
}

static const char *const word_names[] = {[HOOK_WORD_OTHER] = "other",
                                         [HOOK_WORD_UNSUBSCRIBED] = "unsubscribed",
                                         [HOOK_WORD_BOUNCED] = "bounced",
                                         [HOOK_WORD_COMPLAINED] = "complained",
                                         [HOOK_WORD_RESUBSCRIBED] = "resubscribed"};

/* As metrics and the log call it. */
static const char *outcome_of(const struct store_hooked *result)
{
    if (result->failure)
        return result->failure->kind == ERROR_REFUSED ? "passed_over" : "failed";
    return result->news != HOOK_NEW ? "repeated" : result->kept ? "kept" : result->unknown ? "passed_over" : "new";
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

static const char *sender_of(const struct visit *visit)
{
    return visit->from + strlen("signed ");
}

/* It is signed, and says nothing that can be done: whoever sends it hears why, and so does the log. */
static void refuse_word(struct visit *visit, const struct error *why)
{
    struct hooks_signed *hooks = visit->hooks;

    count(hooks, sender_of(visit), "passed_over");
    hooks_blame(&hooks->blame, hooks->world, "signed", sender_of(visit), "signed, but passed over", why->text);
    server_refuse(visit_end(visit), 400, why->text);
}

/* --- What is stored, and about whom ---------------------------------------------------------------------------------
 */

/* Who is known by their id alone is looked for where it is stored, and no tool is told: their address is not at hand.
 */
static bool is_by_id(const struct visit *visit)
{
    return !visit->word.address.text[0];
}

static int make_suppression(const struct visit *visit, struct arena *arena, struct store_suppression *out,
                            struct error *err)
{
    struct world *world = visit->hooks->world;
    struct unsubscribe_ticket ticket = {.audience = text_of(visit->scope),
                                        .source_id = text_of(visit->word.source_id),
                                        .address = text_of(visit->word.address.text)};

    if (!is_by_id(visit))
        return consent_word(world, &ticket, !*visit->scope, arena, out, err);
    *out =
        (struct store_suppression){.scope = visit->scope, .reason = "unsubscribe", .at_ms = clock_now_ms(world->clock)};
    return 0;
}

/* Whose id it is: with one audience it goes without saying. */
static const char *whose_id(const struct visit *visit)
{
    const struct world *world = visit->hooks->world;

    return *visit->scope ? visit->scope : world->audience_count == 1 ? world->audiences[0]->settings->name : NULL;
}

static void request_hook(struct visit *visit)
{
    struct world *world = visit->hooks->world;
    char text[BOUNCE_TEXT_MAX + 1];
    struct store_suppression suppression;
    struct store_feedback feedback = {.kind = visit->word.feedback, .text = text, .at_ms = clock_now_ms(world->clock)};
    bool leaves = visit->word.kind == HOOK_WORD_UNSUBSCRIBED;
    struct arena arena = {0};
    struct error err = {0};

    bounce_scrub(text_of(visit->word.reason), NULL, 0, text);
    if (!is_by_id(visit))
        crypt_person_key(world->keys, visit->word.address.key, feedback.key);
    if (leaves && make_suppression(visit, &arena, &suppression, &err) < 0) {
        refuse_word(visit, &err);
    } else {
        visit->job = store_hook(world->store,
                                &(struct store_hook){.from = visit->from,
                                                     .id = visit->id,
                                                     .entity = "",
                                                     .at_ms = clock_now_ms(world->clock),
                                                     .suppress = leaves ? &suppression : NULL,
                                                     .feedback = leaves ? NULL : &feedback,
                                                     .source_id = is_by_id(visit) ? visit->word.source_id : NULL,
                                                     .audience = visit->scope,
                                                     .kept_as = whose_id(visit)},
                                on_hooked, visit);
        if (leaves)
            writeback_look(world->writeback); /* what it asks of the store comes behind the job */
    }
    arena_clear(&arena);
}

/* What it came to, of one person: they are suppressed by it, were before, or nobody knows them (by now). */
static void log_outcome(const struct visit *visit, const struct store_hooked *result)
{
    bool is_new = !result->failure && result->news == HOOK_NEW, known = is_new && !result->unknown;
    bool suppressed = result->suppressed > 0 || result->fed_back.suppressed;
    bool wanted = visit->word.kind == HOOK_WORD_UNSUBSCRIBED || feedback_suppresses(visit->word.feedback);

    log_line(visit->hooks->world->log, result->failure ? LOG_WARNING : LOG_INFO,
             "event=hook what=%s who=%s result=%s suppressed=%d already=%d unknown=%d kept=%d%s%s",
             word_names[visit->word.kind], sender_of(visit), outcome_of(result), known && suppressed,
             known && wanted && !suppressed, is_new && result->unknown, is_new && result->kept,
             result->failure ? " error=" : "", result->failure ? LOG_QUOTED(text_of(result->failure->text)) : "");
}

static void answer_hooked(struct visit *visit, const struct store_hooked *result)
{
    struct error err = {0};

    if (result->failure && result->failure->kind == ERROR_REFUSED) {
        error_set(&err, ERROR_REFUSED, "data.audience: expected whose data.source_id it is: %s", result->failure->text);
        server_refuse(visit_end(visit), 400, err.text);
    } else if (result->failure) {
        server_refuse(visit_end(visit), 500, result->failure->text);
    } else {
        answer(visit, result->news != HOOK_NEW ? "known"
                      : result->kept           ? "nobody we know so far: kept for two days, until they are"
                      : result->unknown        ? "nobody we know"
                                               : "taken");
    }
}

static void on_hooked(void *ctx, const struct store_hooked *result)
{
    struct visit *visit = ctx;
    struct world *world = visit->hooks->world;
    bool done = !result->failure && result->news == HOOK_NEW && !result->unknown;

    visit->job = NULL;
    if (done && visit->word.kind != HOOK_WORD_UNSUBSCRIBED && world->launches)
        launch_came_back(world->launches, &result->fed_back);
    if (done && visit->word.kind == HOOK_WORD_UNSUBSCRIBED)
        events_count(world->events, EVENT_SUPPRESSION, "unsubscribe", result->suppressed); /* none who had left */
    count(visit->hooks, sender_of(visit), outcome_of(result));
    log_outcome(visit, result);
    answer_hooked(visit, result);
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

/* Nothing is stored of it. */
static void pass_over(struct visit *visit, const char *why)
{
    count(visit->hooks, sender_of(visit), "other");
    log_line(visit->hooks->world->log, LOG_INFO, "event=hook what=%s who=%s result=other", word_names[visit->word.kind],
             sender_of(visit));
    answer(visit, why);
}

static void take(struct hooks_signed *hooks, const struct sender *sender, struct server_request *request,
                 const struct server_call *call)
{
    struct visit *visit = visit_new(hooks, request);
    struct error err = {0};

    visit->id = must_strdup(server_header(request, "webhook-id"));
    if (asprintf(&visit->from, "signed %s", sender->name) < 0)
        visit->from = must_strdup("signed ");
    visit->body = hook_body_parse(call->body, &err);
    if (!visit->body || hook_word_read(visit->body, &visit->word, &err) < 0 || find_scope(visit, sender, &err) < 0)
        refuse_word(visit, &err);
    else if (visit->word.kind == HOOK_WORD_OTHER)
        pass_over(visit, "passed over: a type that says nothing to us");
    else if (visit->word.kind == HOOK_WORD_RESUBSCRIBED)
        pass_over(visit, "passed over: who left is taken back by an operator alone");
    else
        request_hook(visit);
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
