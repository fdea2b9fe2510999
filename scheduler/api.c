#include "api_private.h"

#include "openapi.h"
#include "webhooks.h"

#include <string.h>

static const char *const listing_paths[] = {
    [API_LIST_OPENINGS] = "openings", [API_LIST_NOTICES] = "notices", [API_LIST_SUPPRESSIONS] = "suppressions"};

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
    alarm_off(&call->alarm);
    json_decref(call->body);
    json_decref(call->answer);
    free(call->erase);
    free(call);
    return request;
}

/* One row more than was asked for says that there is another page. */
static void answer_page(struct call *call, json_t *rows)
{
    const struct call mine = *call;
    struct server_request *request = api_call_end(call);
    size_t limit = (size_t)mine.page.limit;
    bool more = json_array_size(rows) > limit;
    auto_buf struct buf next;

    while (json_array_size(rows) > limit)
        json_array_remove(rows, json_array_size(rows) - 1);
    if (mine.listing == API_LIST_NOTICES)
        api_add_standings(mine.api->world, rows);
    buf_init(&next, 1024);
    buf_adds(&next, "/api/v1/");
    if (mine.listing == API_LIST_PEOPLE)
        buf_addf(&next, "notices/%lld/people?", (long long)mine.notice);
    else
        buf_addf(&next, "%s?", listing_paths[mine.listing]);
    if (mine.state)
        buf_addf(&next, "state=%s&", mine.state);
    buf_addf(&next, "limit=%zu&cursor=", limit);
    if (more)
        buf_add_cursor(&next, mine.listing, json_array_get(rows, limit - 1));
    server_answer_page(request, 200, json_incref(rows), more ? next.ptr : NULL);
}

static void on_page(void *ctx, json_t *rows, const struct error *failure)
{
    struct call *call = ctx;

    if (!failure)
        answer_page(call, rows);
    else
        server_refuse(api_call_end(call), failure->kind == ERROR_REFUSED ? 404 : 500, failure->text);
}

void api_list(struct api *api, struct server_request *request, const struct api_request *asked,
              enum api_listing listing, enum store_report_kind kind)
{
    struct call *call = api_call_new(api, request);
    struct store_report what = {.kind = kind,
                                .notice = asked->notice,
                                .state = asked->state,
                                .after = asked->page.after,
                                .behind = *asked->page.behind ? asked->page.behind : NULL,
                                .limit = asked->page.limit + 1};

    call->listing = listing;
    call->page = asked->page;
    call->notice = asked->notice;
    call->state = asked->state;
    call->job = store_report(api->world->store, &what, on_page, call);
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
    [API_BACKUP] = api_backup,
    [API_SUPPRESSIONS] = api_suppressions,
    [API_WHY] = api_why,
    [API_EXPORT] = api_export,
    [API_HOLD] = api_hold,
    [API_RELEASE] = api_release,
    [API_CANCEL] = api_cancel,
    [API_AGAIN] = api_again,
    [API_RETRY] = api_retry,
    [API_PAUSE] = api_pause,
    [API_RESUME] = api_resume,
    [API_SUPPRESS] = api_suppress,
    [API_UNSUPPRESS] = api_unsuppress,
    [API_BOUNCES] = api_bounces,
    [API_SUPPRESS_ALL] = api_suppress_all,
    [API_ERASE] = api_erase,
    [API_SEND_TEST] = api_send_test,
    [API_PREVIEW] = api_preview,
    [API_SYNC] = api_sync,
    [API_WEBHOOKS] = api_webhooks,
    [API_WEBHOOK_TEST] = api_webhook_test,
    [API_WEBHOOK_ENABLE] = api_webhook_enable,
    [API_EVENTS] = api_events,
    [API_FEEDS] = api_feeds,
    [API_FEEDS_ADD] = api_feeds_add,
    [API_FEEDS_ROTATE] = api_feeds_rotate,
    [API_FEEDS_REVOKE] = api_feeds_revoke,
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

/* With the field or parameter that is wrong, as RFC 9457 section 3 points to it. */
static void refuse(struct server_request *request, const struct api_fault *fault, const struct error *err)
{
    struct server_field allow = {"Allow", fault->allow};
    json_t *members = NULL;
    char pointer[128];

    snprintf(pointer, sizeof pointer, "#/%.100s", fault->field ? fault->field : "");
    if (fault->query)
        members = json_pack("{s:[{s:s, s:s}]}", "errors", "parameter", fault->query, "detail", err->text);
    else if (fault->field)
        members = json_pack("{s:[{s:s, s:s}]}", "errors", "pointer", pointer, "detail", err->text);
    server_refuse_more(request, fault->status, err->text, members, *fault->allow ? &allow : NULL);
}

static const char *query_of(const void *ctx, const char *name)
{
    return server_query(ctx, name);
}

/* What was changed, and by whom. */
static void log_change(const struct api *api, const struct api_request *asked)
{
    char notice[32] = "";

    if (asked->notice)
        snprintf(notice, sizeof notice, " notice=%lld", (long long)asked->notice);
    log_line(api->world->log, LOG_INFO, "event=asked what=%s%s who=%s", api_routes[asked->operation].path, notice,
             LOG_QUOTED(text_of(asked->who)));
}

static void carry_out(struct api *api, struct server_request *request, const struct server_call *call,
                      struct api_request *asked)
{
    struct api_fault fault = {0};
    struct error err = {0};
    json_t *body = NULL;

    fault.status = read_body(call, &body, &err);
    if (fault.status || api_arguments_read(body, query_of, request, asked, &fault, &err) < 0) {
        refuse(request, &fault, &err);
    } else if (!api->world->launches || !api->world->dispatch) {
        server_refuse(request, 503, "the daemon is starting or reloading");
    } else {
        if (!api_routes[asked->operation].reads)
            log_change(api, asked);
        operations[asked->operation](api, request, asked); /* they copy what they need later */
    }
    json_decref(body);
}

/* For who writes a client: no token is asked for, and who has it already is told so. */
static void answer_document(struct api *api, struct server_request *request, const struct server_call *call)
{
    if (strcmp(call->method, "GET") != 0) {
        server_refuse_more(request, 405, "the document is read by GET", NULL,
                           &(struct server_field){"Allow", "GET, HEAD"});
        return;
    }
    server_send_page(request, api->document);
}

void api_handle(struct api *api, struct server_request *request, const struct server_call *call)
{
    struct api_request asked;
    struct api_fault fault;
    struct error err = {0};
    char who[AUTH_WHO_SIZE];

    if (strcmp(call->path, "/api/openapi.json") == 0) {
        answer_document(api, request, call);
        return;
    }
    if (api_route_read(call->method, call->path, &asked, &fault, &err) < 0) {
        refuse(request, &fault, &err);
        return;
    }
    if (!auth_admit(api->auth, request, call, api_routes[asked.operation].reads ? TOKEN_READ : TOKEN_CONTROL, who))
        return;
    asked.who = who;
    asked.controls = auth_controls(api->auth, call);
    carry_out(api, request, call, &asked);
}

struct api *api_new(struct world *world, struct auth *auth)
{
    struct api *api = must_calloc(1, sizeof *api);

    api->world = world;
    api->auth = auth;
    api->document = server_page_new(&(struct server_page_spec){.type = "application/json",
                                                               .plain = {openapi_document, openapi_size},
                                                               .etag = openapi_etag,
                                                               .modified_at_ms = MOMENT_NONE,
                                                               .cache_control = "public, max-age=300"});
    return api;
}

void api_close(struct api *api)
{
    if (!api)
        return;
    while (api->calls) {
        store_cancel(&api->calls->job);
        outside_forget(&api->calls->letter);
        webhook_ping_cancel(&api->calls->ping);
        private_feed_forget(&api->calls->change);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that what is freed has left the list */
        api_call_end(api->calls); /* its request is answered by server_close() */
    }
    api_events_end(api);
    server_page_drop(api->document);
    free(api);
}
