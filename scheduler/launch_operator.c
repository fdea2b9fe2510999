/* What people may do to a notice: hold, release, cancel, again, retry, pause, resume. */
#include "dispatch.h"
#include "known.h"
#include "launch_private.h"
#include "news.h"
#include "progress.h"
#include "sending.h"

#include <string.h>

static struct notice *notice_of(struct launches *launches, int64_t id, struct error *err)
{
    struct notice *notice = notices_find(&launches->world->notices, id);

    if (!notice)
        error_set(err, ERROR_REFUSED, "there is no notice %lld; `onsale notices` lists them", (long long)id);
    return notice;
}

static int configured(struct world *world, const struct notice *notice, struct error *err)
{
    if (!world_rule(world, notice->rule))
        return error_set(err, ERROR_REFUSED, "rule \"%s\" is no longer configured", notice->rule);
    if (!world_site(world, notice->site))
        return error_set(err, ERROR_REFUSED, "site \"%s\" is no longer configured", notice->site);
    return 0;
}

static struct launch *alive(struct launches *launches, int64_t id, struct error *err)
{
    struct notice *notice = notice_of(launches, id, err);
    struct launch *launch = notice ? launches_find(launches, id) : NULL;

    if (notice && (!launch || notice_final(notice) || notice->state == NOTICE_WITHDRAWN)) {
        error_set(err, ERROR_REFUSED, "notice %lld is %s: nothing can be changed about it", (long long)id,
                  notice_state_name(notice->state));
        return NULL;
    }
    return launch;
}

static int flag_notice(struct launches *launches, int64_t id, bool paused, struct error *err)
{
    char target[32];

    snprintf(target, sizeof target, "notice:%lld", (long long)id);
    return (paused ? launch_pause : launch_resume)(launches, target, "operator", NULL, NULL, err) ? 0 : -1;
}

/* A hold that ends without anybody's word: an operator's has to outlast it. */
static bool lifts_by_itself(enum notice_reason reason)
{
    return reason == REASON_DISK || reason == REASON_CONSENT || reason == REASON_COPY || reason == REASON_ALREADY_TOLD;
}

int launch_hold(struct launches *launches, int64_t id, struct error *err)
{
    struct launch *launch = alive(launches, id, err);

    if (!launch)
        return -1;
    if (launch->notice->state == NOTICE_HELD && !lifts_by_itself(launch->notice->reason))
        return 0;
    if (launch->notice->state == NOTICE_PLANNED) /* nothing is under way that could be held: the flag keeps it back */
        return flag_notice(launches, id, true, err);
    launch_move(launch, NOTICE_HELD, REASON_OPERATOR, NULL);
    launch_look(launch);
    return 0;
}

int launch_release(struct launches *launches, int64_t id, bool anyway, struct error *err)
{
    struct launch *launch = alive(launches, id, err);

    if (!launch)
        return -1;
    struct notice *notice = launch->notice;
    int64_t now_ms = launch_now_ms(launch);
    bool told = notice->reason == REASON_ALREADY_TOLD,
         late = now_ms > plan_start_by_ms(notice, launch->rule->plan.rule);

    if (notice->paused && notice->state != NOTICE_HELD)
        return flag_notice(launches, id, false, err); /* how it was held before there was anything to hold */
    if (notice->state != NOTICE_HELD)
        return error_set(err, ERROR_REFUSED, "notice %lld is %s, not held", (long long)id,
                         notice_state_name(notice->state));
    if (notice->reason == REASON_COPY)
        return error_set(err, ERROR_REFUSED, "this state is a copy: %s",
                         launch->world->copy ? launch->world->copy : "");
    if (launch->world->disk.why.kind != ERROR_NONE)
        return error_set(err, ERROR_REFUSED, "nothing can be sent yet: %s", launch->world->disk.why.text);
    if (launch->orphaned)
        return error_set(err, ERROR_REFUSED, "notifier \"%s\" has claims of notice %lld: put it back first",
                         notice->course->channel, (long long)id);
    if (told && !anyway)
        return error_set(
            err, ERROR_REFUSED,
            "the people of notice %lld were told of another moment of this sale; --anyway tells them again",
            (long long)id);
    if (late && !notice->claimed && !anyway)
        return error_set(err, ERROR_REFUSED, "notice %lld is later than its catch_up allows; --anyway sends it now",
                         (long long)id);
    if (notice->reason == REASON_CHANNEL)
        channel_try_again(launch->channel);
    notice->approved |= told;
    notice->catch_up_waived |= late;
    launch_forget_gate(launch);
    launch_ask_anew(launch);
    roll_forget_failure(launch->roll);
    launch_move(launch, notice->claimed ? NOTICE_SENDING : NOTICE_READY, REASON_NONE, NULL);
    launch_look(launch);
    return 0;
}

void launches_unhold(struct launches *launches, enum notice_reason reason)
{
    for (size_t i = 0; i < launches->count; i++) {
        struct launch *launch = launches->at[i];
        if (launch->notice->state == NOTICE_HELD && launch->notice->reason == reason) {
            launch_forget_gate(launch);
            launch_move(launch, launch->notice->claimed ? NOTICE_SENDING : NOTICE_READY, REASON_NONE, NULL);
        }
        launch_look(launch);
    }
}

int launch_cancel(struct launches *launches, int64_t id, struct error *err)
{
    struct launch *launch = alive(launches, id, err);

    if (!launch)
        return -1;
    launch->notice->rest = WITHHELD_CANCELLED;
    launch_move(launch, NOTICE_CANCELLED, REASON_OPERATOR, NULL);
    launch_look(launch);
    return 0;
}

int launch_again(struct launches *launches, int64_t id, int64_t *out, struct error *err)
{
    struct world *world = launches->world;
    struct notice *notice = notice_of(launches, id, err);

    if (!notice || configured(world, notice, err) < 0)
        return -1;
    if (!notice_final(notice) && notice->state != NOTICE_WITHDRAWN)
        return error_set(err, ERROR_REFUSED, "notice %lld is %s: it has not ended yet", (long long)id,
                         notice_state_name(notice->state));
    if (plan_members(notice, world_rule(world, notice->rule)->plan.rule, &world_site(world, notice->site)->definitions,
                     NULL, 0) == 0)
        return error_set(err, ERROR_REFUSED, "notice %lld: no ticket stands at that moment any more", (long long)id);
    struct notice *last =
        notices_match(&world->notices, notice->site, notice->subject, notice->rule, notice->kind, notice->at_ms);
    struct notice *fresh = notice_new(world->notices.next_id++, notice->site, notice->subject, notice->rule,
                                      notice->kind, notice->at_ms, last->edition + 1);
    fresh->roll = fresh->id;
    fresh->due_at_ms = notice->due_at_ms;
    fresh->approved = fresh->catch_up_waived = true;
    *out = fresh->id;
    notices_put(&world->notices, fresh);
    news_notice(world, fresh, NULL);
    launches_touch(launches, fresh->site, fresh->subject);
    launch_save(launches_find(launches, *out));
    return 0;
}

int launch_may_retry(struct launches *launches, int64_t id, enum fate fate, enum withheld reason, struct error *err)
{
    struct notice *notice = notice_of(launches, id, err);

    if (!notice || configured(launches->world, notice, err) < 0)
        return -1;
    if (notice->state != NOTICE_HELD && notice->state != NOTICE_SENDING && notice->state != NOTICE_DONE)
        return error_set(err, ERROR_REFUSED, "notice %lld is %s: nobody of it can be tried again", (long long)id,
                         notice_state_name(notice->state));
    if (fate == FATE_WITHHELD && reason == WITHHELD_ERASED)
        return error_set(err, ERROR_REFUSED, "nobody is left to be tried again: what is erased cannot be called back");
    /* Everybody left is withheld by one word. To take it back is to tell all of them: that has to be said. */
    if (notice->rest != WITHHELD_NONE && (fate != FATE_WITHHELD || reason != notice->rest))
        return error_set(err, ERROR_REFUSED,
                         "notice %lld ended while people waited: only all of these can be tried again (--withheld %s)",
                         (long long)id, withheld_name(notice->rest));
    return 0;
}

/* The ledger tells again when the list is opened; until then, and if it never is, its counts are known here. */
static void count_retried(struct notice *notice, enum fate fate, int64_t count)
{
    struct tally *tally = &notice_course(notice)->tally;

    if (notice->rest != WITHHELD_NONE) /* who had no row of their own never left the waiting */
        count -= tally->waiting - tally->claimed;
    *(fate == FATE_REFUSED ? &tally->refused : fate == FATE_IN_DOUBT ? &tally->in_doubt : &tally->withheld) -= count;
    tally->waiting += count;
    notice->rest = WITHHELD_NONE;
}

int launch_retried(struct launches *launches, int64_t id, enum fate fate, int64_t count, struct error *err)
{
    struct notice *notice = notice_of(launches, id, err);

    if (!notice)
        return -1;
    count_retried(notice, fate, count);
    if (configured(launches->world, notice, err) < 0)
        return -1;
    if (notice->state == NOTICE_DONE) {
        notice_move(notice, NOTICE_SENDING, REASON_NONE, NULL);
        struct notice_course *course = notice_course(notice);
        course->ended_at_ms = MOMENT_NONE;
        course->released_at_ms = clock_now_ms(launches->world->clock); /* the notifier's deadline counts from here */
        notice->catch_up_waived = true;
        news_notice(launches->world, notice, &(enum notice_state){NOTICE_DONE});
    }
    launches_touch(launches, notice->site, notice->subject);
    struct launch *launch = launches_find(launches, id);
    if (!launch)
        return 0;
    launch_forget_gate(launch);
    launch_ask_anew(launch);
    if (launch->sending)
        sending_reload(launch->sending);
    launch_save(launch);
    launch_look(launch);
    return 0;
}

void launches_progressed(struct launches *launches, const struct store_progress *progress, size_t count)
{
    struct world *world = launches->world;

    for (size_t i = 0; i < count; i++) {
        struct notice *notice = notices_find(&world->notices, progress[i].notice);
        if (!notice || !notice->roll) /* its people went to another meanwhile */
            continue;
        notice_course(notice)->tally = progress[i].tally;
        progress_note(world->progress, notice);
    }
    if (count)
        dispatch_drain(world->dispatch);
}

static void on_pause_stored(void *ctx, const struct error *failure)
{
    const struct world *world = ctx;

    if (failure)
        log_line(world->log, LOG_ERROR, "event=pause_not_stored error=%s", LOG_QUOTED(text_of(failure->text)));
}

static struct store_job *store_pause_change(struct world *world, const struct store_pause *pause, const char *unpause,
                                            store_done_fn *done, void *ctx)
{
    return store_apply(world->store,
                       &(struct store_change){.pause = pause, .unpause = unpause, .now_ms = clock_now_ms(world->clock)},
                       done ? done : on_pause_stored, done ? ctx : world);
}

/* Target "notice:17" also shows in the notice itself. */
static int mark_notice(struct launches *launches, const char *target, bool paused, struct error *err)
{
    int64_t id;

    if (!text_starts(text_of(target), "notice:"))
        return 0;
    if (parse_i64(text_of(target + strlen("notice:")), 1, INT64_MAX, &id, err) < 0)
        return error_at(err, "notice");
    struct notice *notice = notice_of(launches, id, err);
    if (!notice)
        return -1;
    if (notice->paused != paused) {
        notice->paused = paused;
        news_notice(launches->world, notice, &(enum notice_state){notice->state});
    }
    return 0;
}

/* A pause of something that does not exist would stop nothing, and nobody would know. */
static int check_target(const struct world *world, const char *target, struct error *err)
{
    static const char notifier[] = "notifier:";
    const char *name = target + strlen(notifier);

    if (!*target || text_starts(text_of(target), "notice:"))
        return 0;
    if (!text_starts(text_of(target), notifier))
        return error_set(err, ERROR_REFUSED, "\"%s\" is neither a notice nor a notifier", target);
    for (size_t i = 0; i < world->channel_count; i++)
        if (strcmp(channel_settings(world->channels[i])->name, name) == 0)
            return 0;
    return known_no_notifier(world, name, err);
}

struct store_job *launch_pause(struct launches *launches, const char *target, const char *who, store_done_fn *done,
                               void *ctx, struct error *err)
{
    struct world *world = launches->world;
    int64_t now_ms = clock_now_ms(world->clock);

    if (check_target(world, target, err) < 0 || mark_notice(launches, target, true, err) < 0)
        return NULL;
    world_pause(world, target, who, now_ms);
    dispatch_call_back(world->dispatch);
    struct store_job *job = store_pause_change(
        world,
        &(struct store_pause){.target = (char *)(uintptr_t)target, .who = (char *)(uintptr_t)who, .at_ms = now_ms},
        NULL, done, ctx);
    news_pause(world, true, target, who);
    log_line(world->log, LOG_NOTICE, "event=paused target=%s who=%s", LOG_QUOTED(text_of(target)),
             LOG_QUOTED(text_of(who)));
    return job;
}

static bool concerns(const char *target, const struct launch *launch)
{
    char own[96];

    snprintf(own, sizeof own, "notice:%lld", (long long)launch->notice->id);
    if (!*target || strcmp(target, own) == 0)
        return true;
    snprintf(own, sizeof own, "notifier:%s", channel_settings(launch->channel)->name);
    return strcmp(target, own) == 0;
}

bool launch_stopped(const struct launches *launches, const char *target, launch_stopped_fn *tell, void *ctx)
{
    bool settled = true;

    for (size_t i = 0; i < launches->count; i++) {
        const struct launch *launch = launches->at[i];
        bool out = launch->sending && sending_out(launch->sending) > 0;
        if (!concerns(target, launch) || (launch->notice->state != NOTICE_SENDING && !out))
            continue;
        settled &= !out;
        if (tell)
            tell(ctx, launch->notice);
    }
    return settled;
}

static void thaw(struct world *world)
{
    world->clock_known = true;
    if (world->frozen) {
        world->frozen = false;
        news_frozen(world);
    }
}

/* A notifier that is resumed by name is tried at once, whatever its receiver asked for: a person has looked at it. */
static void try_again(struct world *world, const char *target)
{
    static const char notifier[] = "notifier:";
    bool all = strcmp(target, "*") == 0;

    for (size_t i = 0; i < world->channel_count; i++) {
        struct channel *channel = world->channels[i];
        bool named = text_starts(text_of(target), notifier) &&
                     strcmp(target + strlen(notifier), channel_settings(channel)->name) == 0;
        if (named || (all && channel_needs_person(channel)))
            channel_try_again(channel);
    }
}

struct store_job *launch_resume(struct launches *launches, const char *target, const char *who, store_done_fn *done,
                                void *ctx, struct error *err)
{
    struct world *world = launches->world;
    bool all = strcmp(target, "*") == 0;

    if (mark_notice(launches, target, false, err) < 0)
        return NULL;
    world_unpause(world, target);
    for (size_t i = 0; all && i < world->notices.count; i++)
        if (world->notices.at[i]->paused) {
            world->notices.at[i]->paused = false;
            news_notice(world, world->notices.at[i], &(enum notice_state){world->notices.at[i]->state});
        }
    if (all)
        thaw(world); /* a person has looked at the clock; where no site gives a Date nobody else can */
    struct store_job *job = store_pause_change(world, NULL, target, done, ctx);
    news_pause(world, false, target, who);
    log_line(world->log, LOG_NOTICE, "event=resumed target=%s who=%s", LOG_QUOTED(text_of(target)),
             LOG_QUOTED(text_of(who)));
    for (size_t i = 0; i < launches->count; i++) { /* after a pause the gate is asked again */
        launches->at[i]->evidence_at_ms = MOMENT_NONE;
        if (launches->at[i]->notice->state == NOTICE_SENDING)
            launch_ask_anew(launches->at[i]);
        if (launches->at[i]->sending)
            sending_allow(launches->at[i]->sending, MOMENT_NONE);
    }
    try_again(world, target);
    launches_look(launches);
    dispatch_drain(world->dispatch);
    return job;
}
