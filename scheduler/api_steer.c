/* What an operator does to notices, notifiers and the whole. */
#include "api_private.h"
#include "known.h"
#include "launch.h"
#include "news.h"
#include "sync.h"
#include "webhooks.h"
#include "writeback.h"

#include <string.h>

enum {
    PAUSE_WAIT_MS = SECOND_MS, /* for what is in flight, before a pause is answered */
    PAUSE_LOOK_MS = 5,
};

void api_sync(struct api *api, struct server_request *request, const struct api_request *asked)
{
    (void)asked;
    for (size_t i = 0; i < api->world->site_count; i++)
        sync_now(api->world->sites[i].sync);
    api_answer_done(request, 0, NULL);
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
        known_no_notifier(world, asked->target_notifier, &err);
    if (err.kind == ERROR_NONE)
        return true;
    server_refuse(request, 404, err.text);
    return false;
}

/* What a person said counts already; success is told when it is on disk for good. */
static void on_kept(void *ctx, const struct error *failure)
{
    struct call *call = ctx;
    json_t *answer = json_incref(call->answer);
    struct server_request *request = api_call_end(call);
    struct error err = {0};

    if (!failure) {
        server_answer(request, 200, answer);
        return;
    }
    json_decref(answer);
    error_set(&err, ERROR_TRY_LATER, "it counts from now on, but could not be stored: a restart forgets it: %s",
              failure->text);
    api_answer_done(request, -1, &err);
}

static struct call *keeping(struct api *api, struct server_request *request, json_t *answer)
{
    struct call *call = api_call_new(api, request);

    call->answer = answer;
    return call;
}

/* The call waits for the disk; without a job it was refused. */
static void wait_until_kept(struct call *call, struct store_job *job, const struct error *err)
{
    call->job = job;
    if (!job)
        api_answer_done(api_call_end(call), -1, err);
}

/* The row as it is now; the launch, which keeps it as well, tells nobody. */
static void keep_notice(struct api *api, struct server_request *request, const struct notice *notice, json_t *answer)
{
    struct world *world = api->world;
    struct call *call = keeping(api, request, answer);

    call->job =
        store_apply(world->store,
                    &(struct store_change){.notices = &notice, .notice_count = 1, .now_ms = clock_now_ms(world->clock)},
                    on_kept, call);
}

/* Where it stands still: everybody who is not refused, in doubt or withheld is one of these three. */
static void add_stopped(void *ctx, const struct notice *notice)
{
    const struct tally *tally = &notice->course->tally;

    json_array_append_new(ctx,
                          json_pack("{s:I, s:s, s:s, s:I, s:I, s:I, s:I}", "id", (json_int_t)notice->id, "rule",
                                    notice->rule, "event_id", notice->subject, "planned", (json_int_t)tally->planned,
                                    "accepted", (json_int_t)tally->accepted, "in_flight", (json_int_t)tally->claimed,
                                    "waiting", (json_int_t)(tally->waiting - tally->claimed)));
}

/* What was claimed comes home; an answer that takes its time is waited for no longer than a second. */
static void look_at_pause(void *ctx)
{
    struct call *call = ctx;
    const struct world *world = call->api->world;
    const char *target = call->asked.target;

    if (!launch_stopped(world->launches, target, NULL, NULL) && clock_mono_ms(world->clock) < call->until_ms) {
        alarm_set(world->alarms, &call->alarm, clock_now_ms(world->clock) + PAUSE_LOOK_MS, look_at_pause, call);
        return;
    }
    json_t *notices = json_array();
    bool settled = launch_stopped(world->launches, target, add_stopped, notices);
    server_answer(api_call_end(call), 200,
                  json_pack("{s:b, s:b, s:o}", "done", 1, "settled", settled, "notices", notices));
}

static void on_paused(void *ctx, const struct error *failure)
{
    struct call *call = ctx;

    call->job = NULL;
    if (failure)
        on_kept(ctx, failure);
    else
        look_at_pause(call);
}

void api_pause(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct error err = {0};

    if (!target_known(api, request, asked))
        return;
    struct call *call = api_call_new(api, request);
    call->asked = *asked;
    call->body = json_incref(asked->body);
    call->until_ms = clock_mono_ms(api->world->clock) + PAUSE_WAIT_MS;
    wait_until_kept(call, launch_pause(api->world->launches, asked->target, asked->who, on_paused, call, &err), &err);
}

/* From here on it is no copy. */
static void on_adopted(void *ctx, const struct error *failure)
{
    struct call *call = ctx;
    struct world *world = call->api->world;

    call->job = NULL;
    if (!failure) {
        world->copy = NULL;
        news_adopted(world, call->asked.who);
        log_line(world->log, LOG_NOTICE, "event=adopted who=%s", LOG_QUOTED(text_of(call->asked.who)));
        launches_unhold(world->launches, REASON_COPY);
        writeback_look(world->writeback);
        webhooks_look(world->webhooks);
    }
    api_answer_done(api_call_end(call), failure ? -1 : 0, failure);
}

void api_resume(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct world *world = api->world;
    struct error err = {0};

    if (!asked->this_is_the_one) {
        if (!target_known(api, request, asked))
            return;
        const char *target = *asked->target ? asked->target : "*";
        struct call *call = keeping(api, request, json_pack("{s:b}", "done", 1));
        wait_until_kept(call, launch_resume(world->launches, target, asked->who, on_kept, call, &err), &err);
        return;
    }
    struct call *call = api_call_new(api, request);
    call->asked = *asked;
    call->body = json_incref(asked->body);
    if (world->copy)
        call->job = store_adopt(world->store, on_adopted, call);
    else
        on_adopted(call, NULL);
}

static void on_retried(void *ctx, int64_t count, const struct error *failure)
{
    struct call *call = ctx;
    struct api *api = call->api;
    int64_t notice = call->notice;
    enum fate fate = call->fate;
    struct server_request *request = api_call_end(call);
    struct error err = {0};

    /* A failure half way: those who were moved by then are told all the same. */
    int rc = count > 0 ? launch_retried(api->world->launches, notice, fate, count, &err) : 0;
    if (failure || rc < 0)
        api_answer_done(request, -1, failure ? failure : &err);
    else
        server_answer(request, 200, json_pack("{s:I}", "people", (json_int_t)count));
}

/* What a notice has become of it: hold of one that is only planned pauses it. */
static void answer_state(struct api *api, struct server_request *request, const struct notice *notice, int rc,
                         const struct error *err)
{
    if (rc < 0)
        api_answer_done(request, rc, err);
    else
        keep_notice(api, request, notice,
                    json_pack("{s:b, s:s, s:b}", "done", 1, "state", notice_state_name(notice->state), "paused",
                              notice->paused));
}

/* The notice that is asked about; NULL, and the request is answered, when there is none. */
static struct notice *notice_of(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct notice *notice = notices_find(&api->world->notices, asked->notice);
    struct error err = {0};

    if (notice)
        return notice;
    error_set(&err, ERROR_REFUSED, "there is no notice %lld; `onsale notices` lists them", (long long)asked->notice);
    server_refuse(request, 404, err.text);
    return NULL;
}

void api_hold(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct notice *notice = notice_of(api, request, asked);
    struct error err = {0};

    if (notice)
        answer_state(api, request, notice, launch_hold(api->world->launches, asked->notice, &err), &err);
}

void api_release(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct notice *notice = notice_of(api, request, asked);
    struct error err = {0};

    if (notice)
        answer_state(api, request, notice, launch_release(api->world->launches, asked->notice, asked->anyway, &err),
                     &err);
}

void api_cancel(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct notice *notice = notice_of(api, request, asked);
    struct error err = {0};

    if (notice)
        answer_state(api, request, notice, launch_cancel(api->world->launches, asked->notice, &err), &err);
}

void api_again(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct error err = {0};
    int64_t fresh;

    if (!notice_of(api, request, asked))
        return;
    if (launch_again(api->world->launches, asked->notice, &fresh, &err) < 0)
        api_answer_done(request, -1, &err);
    else
        keep_notice(api, request, notices_find(&api->world->notices, fresh),
                    json_pack("{s:I}", "notice", (json_int_t)fresh));
}

void api_retry(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct notice *notice = notice_of(api, request, asked);
    struct store_retry what = {.notice = asked->notice,
                               .fate = asked->fate,
                               .code = asked->code,
                               .withheld = asked->withheld,
                               .now_ms = clock_now_ms(api->world->clock)};
    struct error err = {0};

    if (!notice)
        return;
    if (launch_may_retry(api->world->launches, asked->notice, what.fate, what.withheld, &err) < 0) {
        api_answer_done(request, -1, &err);
        return;
    }
    struct world_rule *rule = world_rule_of(api->world, notice);
    what.channel = notice->course->channel ? notice->course->channel : channel_settings(rule->channel)->name;
    struct call *call = api_call_new(api, request);
    call->notice = asked->notice;
    call->fate = asked->fate;
    call->job = store_retry(api->world->store, &what, on_retried, call);
}
