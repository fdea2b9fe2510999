#include "wix.h"

#include <string.h>

enum {
    BODY_INLINE_MAX = 64 * 1024, /* bytes; larger ones are parsed on the pool */
    BODY_MAX = 8 * 1024 * 1024,
};

/* A body on its way over the pool. It owns all it needs: the call may be cancelled meanwhile. */
struct parsing {
    uv_work_t work;
    struct wix_call *call; /* NULL: cancelled */
    char *site, *body;
    size_t len;
    struct source_page page;
    struct source_page_notes notes;
    struct error err;
};

struct wix_call {
    struct wix *wix;
    char *method, *path, *body;
    char *used; /* the token that this attempt went out with */
    int64_t timeout_ms;
    bool renewed; /* a token is renewed for one call only once */
    struct wix_waiter waiter;
    struct fetch *fetch;
    struct parsing *parsing;
    struct wix_reply reply;
    char request_id[64];
    wix_call_fn *done;
    void *ctx;
};

static int request_answer(struct wix_call *call, struct error *err);
static void on_token(void *ctx, const struct error *failure);
static void on_answer(void *ctx, const struct fetch_result *result);
static void on_parsed(uv_work_t *work, int status);

static void call_free(struct wix_call *call)
{
    free(call->method);
    free(call->path);
    free(call->body);
    free(call->used);
    source_page_clear(&call->reply.page);
    source_page_notes_clear(&call->reply.notes);
    free(call);
}

/* Our owner may end everything in there, the source included: nothing but the call itself is touched after. */
static void finish(struct wix_call *call, struct error *err)
{
    if (err->kind != ERROR_NONE)
        call->reply.failure = err;
    call->done(call->ctx, &call->reply);
    call_free(call);
}

static size_t add_credentials(const struct wix_call *call, struct fetch_header *headers, size_t count)
{
    const struct site_settings *site = call->wix->source.settings;

    if (call->used) {
        headers[count++] = (struct fetch_header){"Authorization", call->used};
        return count;
    }
    headers[count++] = (struct fetch_header){"Authorization", site->api_key};
    if (*site->site_id)
        headers[count++] = (struct fetch_header){"wix-site-id", site->site_id};
    else
        headers[count++] = (struct fetch_header){"wix-account-id", site->account_id};
    return count;
}

static int request_answer(struct wix_call *call, struct error *err)
{
    struct fetch_header headers[4] = {{"Accept", "application/json"}};
    size_t count = 1;
    struct wix *wix = call->wix;
    auto_free char *url = NULL;

    if (wix->token) {
        const char *value = wix_token_value(wix->token);
        if (!value)
            return wix_token_wait(wix->token, &call->waiter, on_token, call, err);
        free(call->used);
        call->used = must_strdup(value);
    }
    if (*call->body)
        headers[count++] = (struct fetch_header){"Content-Type", "application/json"};
    count = add_credentials(call, headers, count);
    if (asprintf(&url, "%s%s", wix->source.settings->base_url, call->path) < 0)
        return error_set(err, ERROR_TRY_LATER, "out of memory");
    call->fetch = fetch_start(wix->parts.fetcher,
                              &(struct fetch_spec){.method = call->method,
                                                   .url = url,
                                                   .headers = headers,
                                                   .header_count = count,
                                                   .body = text_of(call->body),
                                                   .body_limit = BODY_MAX,
                                                   .timeout_ms = call->timeout_ms,
                                                   .to = "site",
                                                   .name = wix->source.settings->name},
                              on_answer, call, err);
    return call->fetch ? 0 : -1;
}

struct wix_call *wix_call_start(struct wix *wix, const struct wix_call_spec *spec, wix_call_fn *done, void *ctx,
                                struct error *err)
{
    struct wix_call *call = must_calloc(1, sizeof *call);

    call->wix = wix;
    call->method = must_strdup(spec->method);
    call->path = must_strdup(spec->path);
    call->body = text_dup(spec->body);
    call->timeout_ms = spec->timeout_ms;
    call->reply.retry_after_ms = -1;
    call->reply.server_date_ms = call->reply.answered_at_ms = MOMENT_NONE;
    call->done = done;
    call->ctx = ctx;
    if (request_answer(call, err) == 0)
        return call;
    call_free(call);
    return NULL;
}

void wix_call_cancel(struct wix_call **slot)
{
    struct wix_call *call = *slot;

    *slot = NULL;
    if (!call)
        return;
    wix_token_leave(&call->waiter);
    fetch_cancel(&call->fetch);
    if (call->parsing)
        call->parsing->call = NULL; /* on_parsed() frees it */
    call_free(call);
}

static void on_token(void *ctx, const struct error *failure)
{
    struct wix_call *call = ctx;
    struct error err = {0};

    if (failure)
        err = *failure;
    else
        request_answer(call, &err);
    if (err.kind != ERROR_NONE)
        finish(call, &err);
}

static void parse_on_pool(uv_work_t *work)
{
    struct parsing *parsing = work->data;

    source_page_parse(parsing->site, (struct text){parsing->body, parsing->len}, &parsing->page, &parsing->notes,
                      &parsing->err);
}

static int request_parsing(struct wix_call *call, struct text body, struct error *err)
{
    struct parsing *parsing = must_calloc(1, sizeof *parsing);

    parsing->work.data = parsing;
    parsing->call = call;
    parsing->site = must_strdup(call->wix->source.settings->name);
    parsing->body = text_dup(body);
    parsing->len = body.len;
    if (uv_queue_work(call->wix->parts.loop, &parsing->work, parse_on_pool, on_parsed) == 0) {
        call->parsing = parsing;
        return 0;
    }
    free(parsing->site);
    free(parsing->body);
    free(parsing);
    return error_set(err, ERROR_TRY_LATER, "no worker for the answer");
}

/* The request id belongs into every failure, also of an answer that said 200. */
static void place_failure(const struct wix_call *call, struct error *err)
{
    if (*call->request_id)
        error_at(err, "%s %s (request %s)", call->method, call->path, call->request_id);
    else
        error_at(err, "%s %s", call->method, call->path);
}

static void on_parsed(uv_work_t *work, int status)
{
    struct parsing *parsing = work->data;
    struct wix_call *call = parsing->call;
    struct error err = parsing->err;

    if (call) {
        call->parsing = NULL;
        call->reply.page = parsing->page;
        call->reply.notes = parsing->notes;
    } else {
        source_page_clear(&parsing->page);
        source_page_notes_clear(&parsing->notes);
    }
    free(parsing->site);
    free(parsing->body);
    free(parsing);
    if (!call)
        return;
    if (status < 0)
        error_set(&err, ERROR_TRY_LATER, "the answer was not read");
    if (err.kind != ERROR_NONE)
        place_failure(call, &err);
    finish(call, &err);
}

/* Date has whole seconds, cut off: the server's true time lies up to a second behind what we note here. Whoever
 * compares must grant that second. */
static void note_times(struct wix_call *call, const struct fetch_result *result)
{
    struct wix_reply *reply = &call->reply;

    reply->status = result->status;
    reply->retry_after_ms = result->failure ? -1 : result->retry_after_ms;
    reply->answered_at_ms = result->sent_at_ms + result->round_trip_ms;
    if (!result->failure && result->date_ms != MOMENT_NONE)
        reply->server_date_ms = result->date_ms + result->round_trip_ms / 2;
    struct text id = text_slice(result->request_id, 0, sizeof call->request_id - 1);
    if (id.len > 0)
        memcpy(call->request_id, id.ptr, id.len);
    call->request_id[id.len] = '\0';
}

static void on_answer(void *ctx, const struct fetch_result *result)
{
    struct wix_call *call = ctx;
    struct wix_meaning meaning;
    struct error err = {0};
    auto_free char *what = NULL;

    call->fetch = NULL;
    note_times(call, result);
    if (result->status == 401 && call->used && !call->renewed) {
        call->renewed = true;
        wix_token_spoil(call->wix->token, call->used);
        if (request_answer(call, &err) == 0)
            return;
        finish(call, &err);
        return;
    }
    if (asprintf(&what, "%s %s", call->method, call->path) < 0)
        what = NULL;
    if (wix_answer_check(result, what ? what : "Wix", call->used != NULL, &meaning, &err) == 0) {
        if (result->body.len > BODY_INLINE_MAX && request_parsing(call, result->body, &err) == 0)
            return;
        if (result->body.len <= BODY_INLINE_MAX)
            source_page_parse(call->wix->source.settings->name, result->body, &call->reply.page, &call->reply.notes,
                              &err);
        if (err.kind != ERROR_NONE)
            place_failure(call, &err);
    }
    call->reply.gone = meaning.gone;
    finish(call, &err);
}
