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
    [API_SYNC] = api_sync,
};

static void on_request(void *ctx, struct server_request *request, const char *method, const char *path, json_t *body)
{
    struct api *api = ctx;
    struct api_request asked;
    struct error err = {0};
    int refused = api_request_read(method, path, body, &asked, &err);

    if (refused)
        server_refuse(request, refused, err.text);
    else if (!api->world->launches || !api->world->dispatch)
        server_refuse(request, 503, "the daemon is starting or reloading");
    else
        operations[asked.operation](api, request, &asked);
}

struct api *api_new(uv_loop_t *loop, const char *listen, struct world *world, struct error *err)
{
    struct api *api = must_calloc(1, sizeof *api);

    api->world = world;
    api->server = server_new(loop, listen, world->log, on_request, api, err);
    if (!api->server) {
        free(api);
        return NULL;
    }
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
    server_close(api->server);
    free(api);
}
