#include "api_private.h"

/* --- Answers ------------------------------------------------------------------------------------------------------ */

void api_answer_done(struct server_request *request, int rc, const struct error *err)
{
    if (rc < 0)
        server_refuse(request, err->kind == ERROR_REFUSED ? 409 : 500, err->text);
    else
        server_answer(request, 200, json_pack("{s:b}", "done", 1));
}

struct call *api_call_new(struct api *api, struct server_request *request)
{
    struct call *call = must_calloc(1, sizeof *call);

    *call = (struct call){.api = api, .request = request, .next = api->calls};
    api->calls = call;
    return call;
}

struct server_request *api_call_end(struct call *call)
{
    struct server_request *request = call->request;

    for (struct call **at = &call->api->calls; *at; at = &(*at)->next)
        if (*at == call) {
            *at = call->next;
            break;
        }
    json_decref(call->body);
    free(call);
    return request;
}

static void on_report(void *ctx, json_t *answer, const struct error *failure)
{
    struct server_request *request = api_call_end(ctx);

    if (failure)
        server_refuse(request, failure->kind == ERROR_REFUSED ? 404 : 500, failure->text);
    else
        server_answer(request, 200, json_incref(answer));
}

void api_on_stored(void *ctx, const struct error *failure)
{
    api_answer_done(api_call_end(ctx), failure ? -1 : 0, failure);
}

void api_report(struct api *api, struct server_request *request, const struct store_report *what)
{
    struct call *call = api_call_new(api, request);

    call->job = store_report(api->world->store, what, on_report, call);
}

/* --- Routing ------------------------------------------------------------------------------------------------------ */

static api_operation_fn *const operations[API_OPERATIONS] = {
    [API_STATUS] = api_status,
    [API_OPENINGS] = api_openings,
    [API_NOTICES] = api_notices,
    [API_SHOW] = api_show,
    [API_PEOPLE] = api_people,
    [API_AUDIT] = api_audit,
    [API_SUPPRESSIONS] = api_suppressions,
    [API_WHY] = api_why,
    [API_HOLD] = api_hold,
    [API_RELEASE] = api_release,
    [API_CANCEL] = api_cancel,
    [API_AGAIN] = api_again,
    [API_RETRY] = api_retry,
    [API_PAUSE] = api_pause,
    [API_RESUME] = api_resume,
    [API_SUPPRESS] = api_suppress,
    [API_UNSUPPRESS] = api_unsuppress,
    [API_SEND_TEST] = api_send_test,
    [API_PREVIEW] = api_preview,
    [API_SYNC] = api_sync,
};

static bool is_json(const char *type)
{
    struct text rest = text_of(type);

    return text_equal_nocase(text_trim(text_cut(&rest, ';')), TEXT("application/json"));
}

/* The body as JSON, NULL when there is none. 0, or the status to refuse with. */
static int read_body(const struct server_call *call, json_t **body, struct error *err)
{
    *body = NULL;
    if (call->body.len == 0)
        return 0;
    if (!call->local && !is_json(call->content_type)) {
        error_set(err, ERROR_REFUSED, "a body must come as application/json");
        return 415;
    }
    *body = json_loadb(call->body.ptr, call->body.len, JSON_REJECT_DUPLICATES, NULL);
    if (*body)
        return 0;
    error_set(err, ERROR_REFUSED, "the body is not JSON, or a key stands in it twice");
    return 400;
}

void api_handle(struct api *api, struct server_request *request, const struct server_call *call)
{
    struct api_request asked;
    struct error err = {0};
    json_t *body = NULL;

    if (!call->local) {
        server_refuse(request, 403, "only root, the daemon's user and its group may use the API, by its unix socket");
        return;
    }
    int refused = read_body(call, &body, &err);
    if (!refused)
        refused = api_request_read(call->method, call->path, body, &asked, &err);
    if (refused)
        server_refuse(request, refused, err.text);
    else if (!api->world->launches || !api->world->dispatch)
        server_refuse(request, 503, "the daemon is starting or reloading");
    else
        operations[asked.operation](api, request, &asked); /* they copy what they need later */
    json_decref(body);
}

struct api *api_new(struct world *world)
{
    struct api *api = must_calloc(1, sizeof *api);

    api->world = world;
    return api;
}

void api_close(struct api *api)
{
    if (!api)
        return;
    while (api->calls) {
        store_cancel(&api->calls->job);
        outside_forget(&api->calls->letter);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that what is freed has left the list */
        api_call_end(api->calls); /* its request is answered by server_close() */
    }
    free(api);
}
