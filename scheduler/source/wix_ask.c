#include "wix.h"

#include <jansson.h>
#include <string.h>

enum {
    QUERY_IDS_MAX = 100,
    GETS_ONLY_MAX = 5, /* so few are asked one by one: Get lags behind nothing */
    IN_FLIGHT_MAX = 8,
    TIMEOUT_MS = 5 * SECOND_MS, /* the gate would rather ask again */
};

enum item_state { ITEM_QUERY, ITEM_GET, ITEM_ASKED, ITEM_DONE };

struct item {
    int64_t revision; /* as we know it */
    enum item_state state;
};

/* One request in flight: a Query about items from..to, or a Get about one. */
struct question {
    struct ask *ask;
    struct wix_call *call;
    size_t from, to;
    bool get;
};

struct ask {
    struct source_request request;
    size_t count;
    char **ids;
    struct item *items;
    enum source_verdict *verdicts;
    struct definition **definitions;
    struct question questions[IN_FLIGHT_MAX];
    size_t in_flight;
    bool patient;  /* within the walk's budget: waits for it */
    bool useless;  /* a person has to change something: no further request */
    bool starting; /* within wix_ask(): answers are not given yet */
    struct alarm wake;
    struct error failure;
    int64_t server_date_ms, answered_at_ms;
    source_answer_fn *done;
    void *ctx;
};

static void drain(struct ask *ask);
static void on_wake(void *ctx);
static void on_query(void *ctx, struct wix_reply *reply);
static void on_get(void *ctx, struct wix_reply *reply);

static void ask_free(struct source_request *request)
{
    struct ask *ask = (struct ask *)request;

    wix_request_leave(request);
    alarm_off(&ask->wake);
    for (size_t i = 0; i < IN_FLIGHT_MAX; i++)
        wix_call_cancel(&ask->questions[i].call);
    for (size_t i = 0; i < ask->count; i++) {
        free(ask->ids[i]);
        definition_free(ask->definitions[i]);
    }
    free(ask->ids);
    free(ask->items);
    free(ask->verdicts);
    free(ask->definitions);
    free(ask);
}

static void fail_items(struct ask *ask, size_t from, size_t to, const struct error *why)
{
    error_set(&ask->failure, why->kind, "%s", why->text);
    for (size_t i = from; i < to; i++)
        if (ask->items[i].state != ITEM_DONE)
            ask->items[i].state = ITEM_DONE; /* its verdict stays unknown */
    if (why->kind == ERROR_CONFIG)
        ask->useless = true;
}

static void finish(struct ask *ask)
{
    struct source_answer told = {.ids = (const char *const *)ask->ids,
                                 .verdicts = ask->verdicts,
                                 .definitions = ask->definitions,
                                 .count = ask->count,
                                 .server_date_ms = ask->server_date_ms,
                                 .answered_at_ms = ask->answered_at_ms,
                                 .failure = ask->failure.kind == ERROR_NONE ? NULL : &ask->failure};

    if (told.answered_at_ms == MOMENT_NONE)
        told.answered_at_ms = clock_now_ms(ask->request.wix->parts.clock);
    wix_request_leave(&ask->request);
    ask->request.next = NULL;
    ask->request.link = &ask->request.next; /* no list any more: our owner may free the source in there */
    ask->done(ask->ctx, &told);
    ask_free(&ask->request);
}

/* --- Questions
 * --------------------------------------------------------------------------------------------------------*/

static char *query_body(const struct ask *ask, size_t from, size_t to)
{
    json_t *ids = json_array();

    for (size_t i = from; i < to; i++)
        json_array_append_new(ids, json_string(ask->ids[i]));
    json_t *root = json_pack("{s:{s:{s:{s:o}}, s:{s:i}}, s:[s, s]}", "query", "filter", "id", "$in", ids,
                             "cursorPaging", "limit", QUERY_IDS_MAX, "fields", "SALES_DETAILS", "EVENT_DETAILS");
    char *body = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return body;
}

static struct question *free_question(struct ask *ask)
{
    for (size_t i = 0; i < IN_FLIGHT_MAX; i++)
        if (!ask->questions[i].call)
            return &ask->questions[i];
    return NULL;
}

/* Starts one request about items from..to, of one kind. */
static void request_answer(struct ask *ask, size_t from, size_t to, bool get)
{
    struct wix *wix = ask->request.wix;
    struct question *question = free_question(ask);
    int64_t now_ms = wix_mono_ms(wix), timeout_ms = wix->source.settings->timeout_ms;
    auto_free char *path = NULL;
    auto_free char *body = get ? NULL : query_body(ask, from, to);
    struct error err = {0};

    if (asprintf(&path, get ? WIX_PATH "/%s?fields=SALES_DETAILS&fields=EVENT_DETAILS" : WIX_PATH "/query",
                 ask->ids[from]) < 0)
        path = NULL;
    *question = (struct question){.ask = ask, .from = from, .to = to, .get = get};
    if (now_ms < wix->all_wait_until_ms)
        error_set(&err, ERROR_TRY_LATER, "Wix asked us to wait for another %lld ms",
                  (long long)(wix->all_wait_until_ms - now_ms));
    else if (!ask->patient && wix_budget_ready_at_ms(&wix->budget, false, now_ms) > now_ms)
        error_set(&err, ERROR_TRY_LATER, "the budget of requests is used up for another %lld ms",
                  (long long)(wix_budget_ready_at_ms(&wix->budget, false, now_ms) - now_ms));
    if (err.kind == ERROR_NONE) {
        wix_budget_take(&wix->budget, now_ms);
        question->call =
            wix_call_start(wix,
                           &(struct wix_call_spec){.method = get ? "GET" : "POST",
                                                   .path = path,
                                                   .body = text_of(body),
                                                   .timeout_ms = timeout_ms < TIMEOUT_MS ? timeout_ms : TIMEOUT_MS},
                           get ? on_get : on_query, question, &err);
    }
    if (!question->call) {
        fail_items(ask, from, to, &err);
        return;
    }
    ask->in_flight++;
    for (size_t i = from; i < to; i++)
        ask->items[i].state = ITEM_ASKED;
}

/* True: what is patient has to wait, and is woken. */
static bool wait_for_budget(struct ask *ask)
{
    const struct wix *wix = ask->request.wix;
    int64_t now_ms = wix_mono_ms(wix), at_ms = wix_budget_ready_at_ms(&wix->budget, true, now_ms);

    if (at_ms < wix->walks_wait_until_ms)
        at_ms = wix->walks_wait_until_ms;
    if (!ask->patient || at_ms <= now_ms)
        return false;
    alarm_set(wix->parts.alarms, &ask->wake, clock_now_ms(wix->parts.clock) + at_ms - now_ms, on_wake, ask);
    return true;
}

/* Starts whatever may start now; when nothing is left to wait for, answers. */
static void drain(struct ask *ask)
{
    bool waits = false;

    for (size_t i = 0; i < ask->count && ask->in_flight < IN_FLIGHT_MAX;) {
        size_t to = i + 1;
        if (ask->items[i].state != ITEM_QUERY && ask->items[i].state != ITEM_GET) {
            i++;
            continue;
        }
        if (ask->items[i].state == ITEM_QUERY)
            while (to < ask->count && to - i < QUERY_IDS_MAX && ask->items[to].state == ITEM_QUERY)
                to++;
        waits = !ask->useless && wait_for_budget(ask);
        if (waits)
            break;
        if (ask->useless)
            fail_items(ask, i, to, &ask->failure);
        else
            request_answer(ask, i, to, ask->items[i].state == ITEM_GET);
        i = to;
    }
    if (ask->in_flight == 0 && !ask->starting && !waits)
        finish(ask);
}

static void on_wake(void *ctx)
{
    drain(ctx);
}

/* What goes wrong is told in the answer. */
static struct source_request *ask_new(struct source *source, const struct source_ask *asks, size_t count, bool patient,
                                      source_answer_fn *done, void *ctx)
{
    struct ask *ask = must_calloc(1, sizeof *ask);
    struct wix *wix = (struct wix *)source;

    wix_request_enter(wix, &ask->request, ask_free);
    ask->count = count;
    ask->patient = patient;
    ask->ids = must_calloc(count, sizeof *ask->ids);
    ask->items = must_calloc(count, sizeof *ask->items);
    ask->verdicts = must_calloc(count, sizeof *ask->verdicts);
    ask->definitions = must_calloc(count, sizeof *ask->definitions);
    ask->server_date_ms = ask->answered_at_ms = MOMENT_NONE;
    ask->done = done;
    ask->ctx = ctx;
    for (size_t i = 0; i < count; i++) {
        ask->ids[i] = must_strdup(asks[i].id);
        ask->items[i] = (struct item){asks[i].revision, count <= GETS_ONLY_MAX ? ITEM_GET : ITEM_QUERY};
    }
    ask->starting = true;
    drain(ask);
    ask->starting = false;
    if (ask->in_flight == 0 && !alarm_is_set(&ask->wake)) /* nothing could start: still answered from the loop */
        alarm_set(wix->parts.alarms, &ask->wake, clock_now_ms(wix->parts.clock), on_wake, ask);
    return &ask->request;
}

struct source_request *wix_ask(struct source *source, const struct source_ask *asks, size_t count,
                               source_answer_fn *done, void *ctx, struct error *err)
{
    (void)err;
    return ask_new(source, asks, count, false, done, ctx);
}

struct source_request *wix_read(struct source *source, const struct source_ask *asks, size_t count,
                                source_answer_fn *done, void *ctx, struct error *err)
{
    (void)err;
    return ask_new(source, asks, count, true, done, ctx);
}

/* --- Answers
 * ----------------------------------------------------------------------------------------------------------*/

/* The pair of the latest answer that had a Date. */
static struct ask *note_answer(struct question *question, const struct wix_reply *reply)
{
    struct ask *ask = question->ask;

    question->call = NULL;
    ask->in_flight--;
    wix_note_wait(ask->request.wix, reply);
    if (reply->server_date_ms != MOMENT_NONE &&
        (ask->answered_at_ms == MOMENT_NONE || reply->answered_at_ms >= ask->answered_at_ms)) {
        ask->server_date_ms = reply->server_date_ms;
        ask->answered_at_ms = reply->answered_at_ms;
    }
    return ask;
}

static void take_found(struct ask *ask, size_t at, struct definition **definition)
{
    ask->verdicts[at] = SOURCE_FOUND;
    ask->definitions[at] = *definition;
    ask->items[at].state = ITEM_DONE;
    *definition = NULL;
}

/* Query lags behind Get: what it does not show, or shows older than we know it, Get decides. */
static void on_query(void *ctx, struct wix_reply *reply)
{
    struct question *question = ctx;
    struct ask *ask = note_answer(question, reply);

    if (reply->failure) {
        fail_items(ask, question->from, question->to, reply->failure);
        drain(ask);
        return;
    }
    for (size_t i = question->from; i < question->to; i++) {
        ask->items[i].state = ITEM_GET;
        for (size_t k = 0; k < reply->page.count; k++) {
            struct definition **found = &reply->page.definitions[k];
            if (*found && strcasecmp((*found)->id, ask->ids[i]) == 0 && (*found)->revision >= ask->items[i].revision) {
                take_found(ask, i, found);
                break;
            }
        }
    }
    drain(ask);
}

static void on_get(void *ctx, struct wix_reply *reply)
{
    struct question *question = ctx;
    struct ask *ask = note_answer(question, reply);
    size_t at = question->from;
    struct error err = {0};

    if (reply->gone) {
        ask->verdicts[at] = SOURCE_GONE;
        ask->items[at].state = ITEM_DONE;
    } else if (!reply->failure && reply->page.count == 1 &&
               strcasecmp(reply->page.definitions[0]->id, ask->ids[at]) == 0) {
        take_found(ask, at, &reply->page.definitions[0]);
    } else {
        if (reply->failure)
            err = *reply->failure;
        else if (reply->notes.bad > 0)
            err = reply->notes.bad_why;
        else
            error_set(&err, ERROR_TRY_LATER, "Get %s: answered about something else", ask->ids[at]);
        fail_items(ask, at, at + 1, &err);
    }
    drain(ask);
}
