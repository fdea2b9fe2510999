#include "api.h"

#include "api_request.h"
#include "build-config.h"
#include "launch.h"
#include "send_test.h"
#include "sync.h"

#include <string.h>

/* A request that waits for the store, or for a test message to be answered for. */
struct call {
    struct api *api;
    struct server_request *request;
    struct store_job *job;
    struct letter *letter;
    const char *notifier; /* of the letter */
    int64_t notice;       /* of a retry */
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

/* --- What is known --------------------------------------------------------------------------------------------------
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
    struct store_report what = {.kind = REPORT_PEOPLE, .notice = notice};
    struct error err = {0};

    what.state = server_query(request, "state");
    int status = api_page_read(what.state, server_query(request, "after"), server_query(request, "limit"), &what.after,
                               &what.limit, &err);
    if (status)
        server_refuse(request, status, err.text);
    else
        report(api, request, &what);
}

static void post_why(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct store_report what = {
        .kind = REPORT_WHY, .address = asked->shown, .event_id = *asked->event ? asked->event : NULL};

    crypt_person_key(api->world->keys, asked->address.key, what.key);
    report(api, request, &what);
}

/* --- Consent --------------------------------------------------------------------------------------------------------
 */

static bool audience_known(const struct world *world, const char *name)
{
    for (size_t i = 0; i < world->rule_count; i++)
        for (size_t k = 0; k < world->rules[i].audience_count; k++)
            if (strcmp(world->rules[i].audiences[k]->settings->name, name) == 0)
                return true;
    return false;
}

/* An audience that left the configuration may still be lifted. */
static void post_suppress(struct api *api, struct server_request *request, const struct api_request *asked, bool lift)
{
    struct store_suppression what = {.scope = asked->audience,
                                     .reason = *asked->reason ? asked->reason : "operator",
                                     .at_ms = clock_now_ms(api->world->clock),
                                     .lift = lift};

    if (!lift && *what.scope && !audience_known(api->world, what.scope)) {
        struct error err = {0};
        error_set(&err, ERROR_REFUSED, "no rule reads an audience \"%.100s\"", what.scope);
        server_refuse(request, 400, err.text);
        return;
    }
    crypt_person_key(api->world->keys, asked->address.key, what.key);
    struct call *call = call_new(api, request);
    call->job = store_suppress(api->world->store, &what, on_stored, call);
}

/* --- Steering -------------------------------------------------------------------------------------------------------
 */

static void post_sync(struct api *api, struct server_request *request)
{
    for (size_t i = 0; i < api->world->site_count; i++)
        sync_now(api->world->sites[i].sync);
    answer_done(request, 0, NULL);
}

static bool notifier_known(const struct world *world, const char *name)
{
    for (size_t i = 0; i < world->channel_count; i++)
        if (strcmp(channel_settings(world->channels[i])->name, name) == 0)
            return true;
    return false;
}

/* Answers the request itself when the target is none. What was paused once may always be resumed. */
static bool target_known(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct world *world = api->world;
    struct error err = {0};

    if (asked->target_notice && !notices_find(&world->notices, asked->target_notice))
        error_set(&err, ERROR_REFUSED, "there is no notice %lld; `onsale notices` lists them",
                  (long long)asked->target_notice);
    if (asked->target_notifier && !notifier_known(world, asked->target_notifier) && !world_paused(world, asked->target))
        error_set(&err, ERROR_REFUSED, "there is no notifier \"%.100s\"", asked->target_notifier);
    if (err.kind == ERROR_NONE)
        return true;
    server_refuse(request, 404, err.text);
    return false;
}

static void post_pause(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct error err = {0};

    if (target_known(api, request, asked))
        answer_done(request, launch_pause(api->world->launches, asked->target, server_who(request), &err), &err);
}

static void post_resume(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct world *world = api->world;
    struct error err = {0};

    if (!asked->this_is_the_one) {
        if (target_known(api, request, asked))
            answer_done(request, launch_resume(world->launches, *asked->target ? asked->target : "*", &err), &err);
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

static void post_retry(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct notice *notice = notices_find(&api->world->notices, asked->notice);
    struct world_rule *rule = world_rule(api->world, notice->rule);
    struct store_retry what = {.notice = asked->notice,
                               .fate = asked->fate,
                               .code = asked->code,
                               .withheld = asked->withheld,
                               .now_ms = clock_now_ms(api->world->clock)};
    struct error err = {0};

    if (launch_may_retry(api->world->launches, asked->notice, what.fate, what.withheld, &err) < 0) {
        answer_done(request, -1, &err);
        return;
    }
    what.channel = notice->channel ? notice->channel : channel_settings(rule->channel)->name;
    struct call *call = call_new(api, request);
    call->notice = asked->notice;
    call->job = store_retry(api->world->store, &what, on_retried, call);
}

/* What a notice has become of it: hold of one that is only planned pauses it. */
static void answer_state(struct server_request *request, const struct notice *notice, int rc, const struct error *err)
{
    if (rc < 0)
        answer_done(request, rc, err);
    else
        server_answer(request, 200,
                      json_pack("{s:b, s:s, s:b}", "done", 1, "state", notice_state_name(notice->state), "paused",
                                notice->paused));
}

static void steer(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct launches *launches = api->world->launches;
    struct notice *notice = notices_find(&api->world->notices, asked->notice);
    struct error err = {0};
    int64_t fresh;

    if (!notice) {
        error_set(&err, ERROR_REFUSED, "there is no notice %lld; `onsale notices` lists them",
                  (long long)asked->notice);
        server_refuse(request, 404, err.text);
    } else if (asked->operation == API_HOLD) {
        answer_state(request, notice, launch_hold(launches, asked->notice, &err), &err);
    } else if (asked->operation == API_RELEASE) {
        answer_state(request, notice, launch_release(launches, asked->notice, asked->anyway, &err), &err);
    } else if (asked->operation == API_CANCEL) {
        answer_state(request, notice, launch_cancel(launches, asked->notice, &err), &err);
    } else if (asked->operation == API_RETRY) {
        post_retry(api, request, asked);
    } else if (launch_again(launches, asked->notice, &fresh, &err) < 0) {
        answer_done(request, -1, &err);
    } else {
        server_answer(request, 200, json_pack("{s:I}", "notice", (json_int_t)fresh));
    }
}

/* --- A test message --------------------------------------------------------------------------------------------------
 */

static void on_test_answered(void *ctx, const struct channel_result *result)
{
    struct call *call = ctx;
    const char *notifier = call->notifier;
    struct server_request *request = call_end(call);
    auto_buf struct buf at = {0};

    if (!result) {
        server_refuse(request, 503, "the daemon was reloaded before the notifier answered");
        return;
    }
    buf_init(&at, 64);
    if (result->handed_over_at_ms != MOMENT_NONE)
        buf_add_moment(&at, result->handed_over_at_ms);
    server_answer(request, 200,
                  json_pack("{s:s, s:s, s:i, s:s?, s:s?}", "notifier", notifier, "fate", fate_name(result->fate),
                            "code", result->code, "text",
                            result->text && text_is_utf8(text_of(result->text)) ? result->text : NULL, "handed_over_at",
                            at.len ? at.ptr : NULL));
}

static void post_send_test(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct world_rule *rule = world_rule(api->world, asked->rule);
    struct error err = {0};

    if (!rule) {
        error_set(&err, ERROR_REFUSED, "there is no rule \"%.100s\"", asked->rule);
        server_refuse(request, 404, err.text);
        return;
    }
    struct call *call = call_new(api, request);
    call->notifier = channel_settings(rule->channel)->name;
    call->letter = send_test(api->world, rule, &asked->address, on_test_answered, call, &err);
    if (!call->letter)
        server_refuse(call_end(call), 409, err.text);
}

/* --- Routing ---------------------------------------------------------------------------------------------------------
 */

static void perform(struct api *api, struct server_request *request, const struct api_request *asked)
{
    switch (asked->operation) {
    case API_STATUS:
        get_status(api, request);
        break;
    case API_OPENINGS:
        report(api, request, &(struct store_report){.kind = REPORT_OPENINGS});
        break;
    case API_NOTICES:
        report(api, request, &(struct store_report){.kind = REPORT_NOTICES});
        break;
    case API_SHOW:
        report(api, request, &(struct store_report){.kind = REPORT_SHOW, .notice = asked->notice});
        break;
    case API_PEOPLE:
        get_people(api, request, asked->notice);
        break;
    case API_AUDIT:
        report(api, request, &(struct store_report){.kind = REPORT_AUDIT});
        break;
    case API_SUPPRESSIONS:
        report(api, request, &(struct store_report){.kind = REPORT_SUPPRESSIONS});
        break;
    case API_WHY:
        post_why(api, request, asked);
        break;
    case API_HOLD:
    case API_RELEASE:
    case API_CANCEL:
    case API_AGAIN:
    case API_RETRY:
        steer(api, request, asked);
        break;
    case API_PAUSE:
        post_pause(api, request, asked);
        break;
    case API_RESUME:
        post_resume(api, request, asked);
        break;
    case API_SUPPRESS:
        post_suppress(api, request, asked, false);
        break;
    case API_UNSUPPRESS:
        post_suppress(api, request, asked, true);
        break;
    case API_SEND_TEST:
        post_send_test(api, request, asked);
        break;
    case API_SYNC:
        post_sync(api, request);
        break;
    case API_OPERATIONS:
        break;
    }
}

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
        perform(api, request, &asked);
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
        call_end(api->calls); /* its request is answered by server_close() */
    }
    server_close(api->server);
    free(api);
}
