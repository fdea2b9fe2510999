#include "api.h"

#include "build-config.h"
#include "launch.h"
#include "sync.h"

#include <string.h>

enum { PEOPLE_PAGE = 1000, PEOPLE_PAGE_MAX = 10000 };

/* A request that waits for the store. */
struct call {
    struct api *api;
    struct server_request *request;
    struct store_job *job;
    int64_t notice; /* of a retry */
    struct call *next;
};

struct api {
    struct world *world;
    struct server *server;
    struct call *calls;
};

/* --- Answers ---------------------------------------------------------------------------------------------------------
 */

static void answer_done(struct server_request *request, int rc, const struct error *err)
{
    if (rc < 0)
        server_refuse(request, err->kind == ERROR_REFUSED ? 409 : 500, err->text);
    else
        server_answer(request, 200, json_pack("{s:b}", "done", 1));
}

static struct call *call_new(struct api *api, struct server_request *request)
{
    struct call *call = must_calloc(1, sizeof *call);

    *call = (struct call){.api = api, .request = request, .next = api->calls};
    api->calls = call;
    return call;
}

static struct server_request *call_end(struct call *call)
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
    struct server_request *request = call_end(ctx);

    if (failure)
        server_refuse(request, failure->kind == ERROR_REFUSED ? 404 : 500, failure->text);
    else
        server_answer(request, 200, json_incref(answer));
}

static void on_stored(void *ctx, const struct error *failure)
{
    answer_done(call_end(ctx), failure ? -1 : 0, failure);
}

static void report(struct api *api, struct server_request *request, const struct store_report *what)
{
    struct call *call = call_new(api, request);

    call->job = store_report(api->world->store, what, on_report, call);
}

static const char *text_in(const json_t *body, const char *key)
{
    const char *text = json_string_value(json_object_get(body, key));

    return text ? text : "";
}

/* The person behind an address in the body; answers the request itself when there is none. */
static bool person_in(struct api *api, struct server_request *request, const json_t *body,
                      unsigned char key[PERSON_KEY_SIZE])
{
    struct error err = {0};
    struct address address;

    if (address_parse(text_of(text_in(body, "address")), &address, &err) < 0) {
        error_at(&err, "address");
        server_refuse(request, 400, err.text);
        return false;
    }
    crypt_person_key(api->world->keys, address.key, key);
    return true;
}

/* --- Operations ------------------------------------------------------------------------------------------------------
 */

static void get_status(struct api *api, struct server_request *request)
{
    struct world *world = api->world;
    json_t *sites = json_array(), *channels = json_array(), *pauses = json_array();

    for (size_t i = 0; i < world->site_count; i++) {
        auto_buf struct buf at;
        int64_t walked_ms = sync_last_walk_at_ms(world->sites[i].sync);
        buf_init(&at, 64);
        if (walked_ms != MOMENT_NONE)
            buf_add_moment(&at, walked_ms);
        json_array_append_new(sites, json_pack("{s:s, s:I, s:s?, s:s?}", "name", world->sites[i].name, "definitions",
                                               (json_int_t)world->sites[i].definitions.count, "walked_at",
                                               walked_ms == MOMENT_NONE ? NULL : at.ptr, "failure",
                                               sync_failure(world->sites[i].sync)));
    }
    for (size_t i = 0; i < world->channel_count; i++)
        json_array_append_new(channels, json_pack("{s:s, s:I}", "name", channel_settings(world->channels[i])->name,
                                                  "in_flight", (json_int_t)channel_in_flight(world->channels[i])));
    for (size_t i = 0; i < world->pause_count; i++)
        json_array_append_new(pauses,
                              json_pack("{s:s, s:s}", "target", world->pauses[i].target, "who", world->pauses[i].who));
    server_answer(request, 200,
                  json_pack("{s:s, s:I, s:s?, s:b, s:o, s:o, s:o}", "version", ONSALE_VERSION, "generation",
                            (json_int_t)store_generation(world->store), "copy", world->copy, "frozen", world->frozen,
                            "sites", sites, "notifiers", channels, "pauses", pauses));
}

static void get_people(struct api *api, struct server_request *request, int64_t notice)
{
    struct store_report what = {.kind = REPORT_PEOPLE, .notice = notice, .limit = PEOPLE_PAGE};
    const char *after = server_query(request, "after"), *limit = server_query(request, "limit");
    struct error err = {0};

    what.state = server_query(request, "state");
    if ((after && parse_i64(text_of(after), 0, UINT32_MAX, &what.after, &err) < 0) ||
        (limit && parse_i64(text_of(limit), 1, PEOPLE_PAGE_MAX, &what.limit, &err) < 0)) {
        server_refuse(request, 400, err.text);
        return;
    }
    report(api, request, &what);
}

static void post_why(struct api *api, struct server_request *request, const json_t *body)
{
    struct store_report what = {.kind = REPORT_WHY, .address = text_in(body, "address")};

    if (*text_in(body, "event"))
        what.event_id = text_in(body, "event");
    if (person_in(api, request, body, what.key))
        report(api, request, &what);
}

static void post_suppress(struct api *api, struct server_request *request, const json_t *body, bool lift)
{
    struct store_suppression what = {
        .scope = text_in(body, "audience"), .reason = text_in(body, "reason"), .lift = lift};

    if (!*what.reason)
        what.reason = "operator";
    what.at_ms = clock_now_ms(api->world->clock);
    if (!person_in(api, request, body, what.key))
        return;
    struct call *call = call_new(api, request);
    call->job = store_suppress(api->world->store, &what, on_stored, call);
}

static void post_sync(struct api *api, struct server_request *request)
{
    for (size_t i = 0; i < api->world->site_count; i++)
        sync_now(api->world->sites[i].sync);
    answer_done(request, 0, NULL);
}

static void post_resume(struct api *api, struct server_request *request, const json_t *body)
{
    struct world *world = api->world;
    struct error err = {0};

    if (!json_is_true(json_object_get(body, "this_is_the_one"))) {
        const char *target = *text_in(body, "target") ? text_in(body, "target") : "*";
        answer_done(request, launch_resume(world->launches, target, &err), &err);
        return;
    }
    if (world->copy && store_adopt(world->store, &err) < 0) {
        answer_done(request, -1, &err);
        return;
    }
    world->copy = NULL;
    log_line(world->log, LOG_NOTICE, "event=adopted who=%s", LOG_QUOTED(text_of(server_who(request))));
    launches_unhold_copy(world->launches);
    answer_done(request, 0, NULL);
}

static void on_retried(void *ctx, int64_t count, const struct error *failure)
{
    struct call *call = ctx;
    struct api *api = call->api;
    int64_t notice = call->notice;
    struct server_request *request = call_end(call);
    struct error err = {0};

    if (failure)
        answer_done(request, -1, failure);
    else if (count > 0 && launch_retried(api->world->launches, notice, &err) < 0)
        answer_done(request, -1, &err);
    else
        server_answer(request, 200, json_pack("{s:I}", "people", (json_int_t)count));
}

static void post_retry(struct api *api, struct server_request *request, int64_t notice, const json_t *body)
{
    struct notice *known = notices_find(&api->world->notices, notice);
    struct world_rule *rule = known ? world_rule(api->world, known->rule) : NULL;
    struct store_retry what = {.notice = notice, .now_ms = clock_now_ms(api->world->clock)};
    const char *reason = text_in(body, "withheld");
    struct error err = {0};

    if (json_is_integer(json_object_get(body, "refused"))) {
        what.fate = FATE_REFUSED;
        what.code = (int)json_integer_value(json_object_get(body, "refused"));
    } else if (json_is_true(json_object_get(body, "in_doubt"))) {
        what.fate = FATE_IN_DOUBT;
    } else if (*reason) {
        what.fate = FATE_WITHHELD;
        for (enum withheld i = WITHHELD_NONE + 1; i < WITHHELD_REASONS; i++)
            if (strcmp(withheld_name(i), reason) == 0)
                what.withheld = i;
    }
    if (what.fate == FATE_NONE || (what.fate == FATE_WITHHELD && what.withheld == WITHHELD_NONE)) {
        server_refuse(request, 400,
                      "say whom: refused with a code, in_doubt, or withheld with a reason that `show` lists");
        return;
    }
    if (!known) {
        server_refuse(request, 404, "there is no such notice");
        return;
    }
    if (launch_may_retry(api->world->launches, notice, what.fate, what.withheld, &err) < 0) {
        answer_done(request, -1, &err);
        return;
    }
    what.channel = known->channel ? known->channel : channel_settings(rule->channel)->name;
    struct call *call = call_new(api, request);
    call->notice = notice;
    call->job = store_retry(api->world->store, &what, on_retried, call);
}

static void post_again(struct api *api, struct server_request *request, int64_t notice)
{
    struct error err = {0};
    int64_t fresh;

    if (launch_again(api->world->launches, notice, &fresh, &err) < 0)
        answer_done(request, -1, &err);
    else
        server_answer(request, 200, json_pack("{s:I}", "notice", (json_int_t)fresh));
}

/* --- Routing ---------------------------------------------------------------------------------------------------------
 */

static bool notice_operation(struct api *api, struct server_request *request, bool post, struct text path,
                             const json_t *body)
{
    struct launches *launches = api->world->launches;
    struct error err = {0};
    int64_t notice;

    if (parse_i64(text_cut(&path, '/'), 1, INT64_MAX, &notice, NULL) < 0)
        return false;
    if (!post && path.len == 0)
        report(api, request, &(struct store_report){.kind = REPORT_SHOW, .notice = notice});
    else if (!post && text_is(path, "people"))
        get_people(api, request, notice);
    else if (post && text_is(path, "hold"))
        answer_done(request, launch_hold(launches, notice, &err), &err);
    else if (post && text_is(path, "release"))
        answer_done(request, launch_release(launches, notice, json_is_true(json_object_get(body, "anyway")), &err),
                    &err);
    else if (post && text_is(path, "cancel"))
        answer_done(request, launch_cancel(launches, notice, &err), &err);
    else if (post && text_is(path, "again"))
        post_again(api, request, notice);
    else if (post && text_is(path, "retry"))
        post_retry(api, request, notice, body);
    else
        return false;
    return true;
}

static bool operation(struct api *api, struct server_request *request, bool post, struct text path, const json_t *body)
{
    struct error err = {0};
    struct text rest = path;

    if (!post && text_is(path, "status"))
        get_status(api, request);
    else if (!post && text_is(path, "openings"))
        report(api, request, &(struct store_report){.kind = REPORT_OPENINGS});
    else if (!post && text_is(path, "notices"))
        report(api, request, &(struct store_report){.kind = REPORT_NOTICES});
    else if (!post && text_is(path, "audit"))
        report(api, request, &(struct store_report){.kind = REPORT_AUDIT});
    else if (!post && text_is(path, "suppressions"))
        report(api, request, &(struct store_report){.kind = REPORT_SUPPRESSIONS});
    else if (post && text_is(path, "why"))
        post_why(api, request, body);
    else if (post && text_is(path, "suppress"))
        post_suppress(api, request, body, false);
    else if (post && text_is(path, "unsuppress"))
        post_suppress(api, request, body, true);
    else if (post && text_is(path, "sync"))
        post_sync(api, request);
    else if (post && text_is(path, "pause"))
        answer_done(request, launch_pause(api->world->launches, text_in(body, "target"), server_who(request), &err),
                    &err);
    else if (post && text_is(path, "resume"))
        post_resume(api, request, body);
    else if (text_is(text_cut(&rest, '/'), "notices"))
        return notice_operation(api, request, post, rest, body);
    else
        return false;
    return true;
}

static void on_request(void *ctx, struct server_request *request, const char *method, const char *path, json_t *body)
{
    struct api *api = ctx;
    struct text rest = text_of(path);
    bool post = strcmp(method, "POST") == 0;

    if (!post && strcmp(method, "GET") != 0) {
        server_refuse(request, 405, "GET or POST");
    } else if (!text_starts(rest, "/api/v1/")) {
        server_refuse(request, 404, "the API is under /api/v1/");
    } else if (!api->world->launches || !api->world->dispatch) {
        server_refuse(request, 503, "the daemon is starting or reloading");
    } else {
        rest = text_slice(rest, strlen("/api/v1/"), rest.len);
        if (!operation(api, request, post, rest, body))
            server_refuse(request, 404, "there is no such operation");
    }
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
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that what is freed has left the list */
        call_end(api->calls); /* its request is answered by server_close() */
    }
    server_close(api->server);
    free(api);
}
