#include "launch.h"

#include "dispatch.h"
#include "gatekeeper.h"
#include "launch_private.h"
#include "news.h"
#include "outlook.h"
#include "progress.h"
#include "scrub.h"

#include <assert.h>
#include <string.h>

enum {
    LOOK_AHEAD_MS = 10 * SECOND_MS, /* the gate's first question, and warm connections */
    SWEEP_SPARE_MS = 3 * SECOND_MS,
    FEED_AHEAD_MS = 3 * SECOND_MS,    /* the change feed is read right before the gate ... */
    FEED_WAIT_MS = 2 * SECOND_MS,     /* ... and never holds a release longer than that behind T */
    BEGIN_AGAIN_MS = SECOND_MS,       /* a source that changed while it was read */
    GATHER_AGAIN_MS = 15 * SECOND_MS, /* after a failed read */
    EVIDENCE_RENEW_MS = 40 * SECOND_MS,
    STALL_MS = 60 * SECOND_MS,
    SAVE_AGAIN_MS = SECOND_MS,
    REPORT_LOOK_MS = 200, /* the operators' letters are on their way */
};

static bool consent_fresh(const struct launch *launch, int64_t at_ms);
static void look_planned(struct launch *launch, int64_t now_ms);
static void look_gathering(struct launch *launch, int64_t now_ms);
static void look_ready(struct launch *launch, int64_t now_ms);
static void look_held(struct launch *launch, int64_t now_ms);
static void look_sending(struct launch *launch, int64_t now_ms);
static int64_t audiences_fingerprint(const struct world_rule *rule);
static void request_gather(struct launch *launch, bool changes, int64_t now_ms);
static void on_page(void *ctx, int64_t planned);
static void on_gathered(void *ctx, const struct gather_result *result);

int64_t launch_now_ms(const struct launch *launch)
{
    return clock_now_ms(launch->world->clock);
}

static void on_alarm(void *ctx)
{
    launch_look(ctx);
}

static void look_at(struct launch *launch, int64_t at_ms)
{
    if (!alarm_is_set(&launch->alarm) || at_ms < launch->alarm.at_ms)
        alarm_set(launch->world->alarms, &launch->alarm, at_ms, on_alarm, launch);
}

/* --- Keeping the row ------------------------------------------------------------------------------------------------
 */

void launch_save(struct launch *launch)
{
    launch->dirty = true;
    launches_store_soon(launch->world->launches);
}

bool launch_unsaved(const struct launch *launch)
{
    return launch->saving || (launch->dirty && launch_now_ms(launch) >= launch->save_after_ms);
}

void launch_saved(struct launch *launch, const struct error *failure)
{
    if (failure) {
        log_line(launch->world->log, LOG_ERROR, "event=save_failed notice=%lld error=%s", (long long)launch->notice->id,
                 LOG_QUOTED(text_of(failure->text)));
        launch->dirty = true;
        launch->save_after_ms = launch_now_ms(launch) + SAVE_AGAIN_MS;
        look_at(launch, launch->save_after_ms);
        return;
    }
    launch_look(launch);
}

static void tell(struct launch *launch, const char *what, const char *text)
{
    struct world *world = launch->world;
    const struct notice *notice = launch->notice;
    auto_buf struct buf subject = {0}, body = {0};

    if (!world->tell_operators)
        return;
    buf_init(&subject, 256);
    buf_init(&body, 8 * 1024);
    buf_addf(&subject, "%s: %s (notice %lld)", what, notice->rule, (long long)notice->id);
    buf_addf(&body, "Notice %lld, rule %s, site %s, event %s\ndue ", (long long)notice->id, notice->rule, notice->site,
             notice->subject);
    buf_add_moment(&body, notice->due_at_ms);
    buf_addf(&body, "\n\n%s%s%s\n\n", what, text && *text ? ": " : "", text ? text : "");
    buf_addf(&body,
             "people %lld: waiting %lld, accepted %lld, refused %lld, in doubt %lld, withheld %lld\n\n"
             "onsale show %lld\n",
             (long long)notice->course->tally.planned, (long long)notice->course->tally.waiting,
             (long long)notice->course->tally.accepted, (long long)notice->course->tally.refused,
             (long long)notice->course->tally.in_doubt, (long long)notice->course->tally.withheld,
             (long long)notice->id);
    if (!buf_failed(&subject) && !buf_failed(&body))
        world->tell_operators(world->tell_ctx, subject.ptr, body.ptr);
}

void launch_move(struct launch *launch, enum notice_state to, enum notice_reason reason, const char *said)
{
    struct notice *notice = launch->notice;
    enum notice_state before = notice->state;
    auto_free char *text = scrub(said, NULL); /* it is stored, logged and mailed */

    log_line(launch->world->log, to == NOTICE_HELD || to == NOTICE_MISSED ? LOG_WARNING : LOG_NOTICE,
             "event=%s notice=%lld rule=%s site=%s subject=%s was=%s%s%s%s%s", notice_state_name(to),
             (long long)notice->id, notice->rule, notice->site, notice->subject, notice_state_name(notice->state),
             reason ? " reason=" : "", reason ? notice_reason_name(reason) : "", text ? " text=" : "",
             text ? LOG_QUOTED(text_of(text)) : "");
    progress_say(launch->world->progress, notice); /* what has been done is told as done in the old state */
    notice_move(notice, to, reason, text);
    if (notice_final(notice) || to == NOTICE_WITHDRAWN)
        notice_course(notice)->ended_at_ms = launch_now_ms(launch);
    launch_save(launch);
    news_notice(launch->world, notice, &before);
    if (to == NOTICE_HELD || (to == NOTICE_MISSED && reason != REASON_BEFORE_OUR_TIME))
        tell(launch, to == NOTICE_HELD ? "Held" : "Missed", text ? text : notice_reason_name(reason));
}

/* --- Looking --------------------------------------------------------------------------------------------------------
 */

/* Nobody was awake in time, or it was held too long. While the clock is in doubt it is neither given up nor begun. What
 * an operator holds waits for the operator: a late release asks first. */
static bool missed(struct launch *launch, int64_t now_ms)
{
    struct notice *notice = launch->notice;
    int64_t by_ms = plan_start_by_ms(notice, launch->rule->plan.rule);

    if (notice->claimed || notice->catch_up_waived || notice->state == NOTICE_SENDING ||
        (notice->state == NOTICE_HELD && notice->reason == REASON_OPERATOR))
        return false;
    if (now_ms <= by_ms) {
        look_at(launch, by_ms + 1);
        return false;
    }
    if (world_clock_sure(launch->world))
        launch_move(launch, NOTICE_MISSED, REASON_LATE, NULL);
    return true;
}

void launch_look(struct launch *launch)
{
    int64_t now_ms = launch_now_ms(launch);

    if (launch->world->stopping)
        return;
    alarm_off(&launch->alarm);
    if (launch->dirty && now_ms >= launch->save_after_ms)
        launches_store_soon(launch->world->launches);
    else if (launch->dirty)
        look_at(launch, launch->save_after_ms);
    switch (launch->notice->state) {
    case NOTICE_PLANNED:
        look_planned(launch, now_ms);
        break;
    case NOTICE_GATHERING:
        look_gathering(launch, now_ms);
        break;
    case NOTICE_READY:
        look_ready(launch, now_ms);
        break;
    case NOTICE_HELD:
        look_held(launch, now_ms);
        break;
    case NOTICE_SENDING:
        look_sending(launch, now_ms);
        break;
    default: /* ended or withdrawn: nothing more is asked, nothing more is claimed */
        gather_cancel(&launch->gather);
        gate_cancel(&launch->question);
        if (launch->sending)
            sending_stop(launch->sending);
        if (!launch_settle_report(launch))
            look_at(launch, now_ms + REPORT_LOOK_MS);
        break;
    }
}

/* A full read at that time, or as soon as the last one's failure allows. */
static void gather_at(struct launch *launch, int64_t at_ms, int64_t now_ms)
{
    int64_t from_ms = at_ms > launch->gather_after_ms ? at_ms : launch->gather_after_ms;

    if (now_ms < from_ms)
        look_at(launch, from_ms);
    else
        request_gather(launch, false, now_ms);
}

/* It may have been through this before: withdrawn, and back. */
static void launch_begin(struct launch *launch)
{
    launch->prepared_for_ms = MOMENT_NONE;
    launch->gather_after_ms = 0;
    launch->gather_failure = (struct error){0};
    launch_forget_gate(launch);
}

static void look_planned(struct launch *launch, int64_t now_ms)
{
    int64_t from_ms = launch->notice->due_at_ms - launch->rule->plan.rule->gather_ahead_ms;

    if (missed(launch, now_ms))
        return;
    if (now_ms < from_ms) {
        look_at(launch, from_ms);
        return;
    }
    launch_begin(launch);
    launch_move(launch, NOTICE_GATHERING, REASON_NONE, NULL);
    if (consent_fresh(launch, launch->notice->due_at_ms)) { /* its people came from another moment of the sale */
        launch_move(launch, NOTICE_READY, REASON_NONE, NULL);
        look_ready(launch, now_ms);
    } else {
        look_gathering(launch, now_ms);
    }
}

static void look_gathering(struct launch *launch, int64_t now_ms)
{
    struct notice *notice = launch->notice;
    bool too_late = now_ms > plan_start_by_ms(notice, launch->rule->plan.rule) && !notice->catch_up_waived;

    if (!launch->gather)
        gather_at(launch, now_ms, now_ms);
    if (now_ms < notice->due_at_ms) {
        look_at(launch, notice->due_at_ms);
    } else if (launch->gather_failure.kind != ERROR_NONE || too_late) {
        launch_move(launch, NOTICE_HELD, REASON_CONSENT,
                    too_late ? "the audience was not read in time" : launch->gather_failure.text);
        look_held(launch, now_ms);
    } else {
        look_at(launch, plan_start_by_ms(notice, launch->rule->plan.rule) + 1);
    }
}

static bool has_feed(const struct launch *launch)
{
    for (size_t i = 0; i < launch->rule->audience_count; i++)
        if (!launch->rule->audiences[i]->ops->changes)
            return false;
    return launch->rule->audience_count > 0;
}

/* These very audiences were read to their end. */
static bool is_read(const struct launch *launch)
{
    const struct notice_course *course = launch->notice->course;

    return course->pass > 0 && course->made_of == audiences_fingerprint(launch->rule);
}

/* ... young enough for a release at that moment. */
static bool consent_fresh(const struct launch *launch, int64_t at_ms)
{
    const struct notice *notice = launch->notice;

    return is_read(launch) && at_ms >= notice->course->gathered_at_ms &&
           at_ms - notice->course->gathered_at_ms <= launch->rule->plan.rule->consent_max_age_ms;
}

/* The second full read, timed to end before T even when it takes twice as long as the first: before the gate's first
 * look, or where the lead is too short for that, as late as it fits. MOMENT_NONE: the first read ended too close to T.
 */
static int64_t sweep_at_ms(const struct launch *launch)
{
    int64_t read_at_ms = launch->notice->course->gathered_at_ms + launch->read_span_ms;
    int64_t late_ms = launch->notice->due_at_ms - 2 * launch->read_span_ms - SWEEP_SPARE_MS;
    int64_t early_ms = late_ms - LOOK_AHEAD_MS;

    if (early_ms > read_at_ms)
        return early_ms;
    /* So late it would stand in the way of a change feed, which says nearly as much and sooner. */
    return late_ms > read_at_ms && !has_feed(launch) ? late_ms : MOMENT_NONE;
}

/* What happens between a complete read and T. */
static void prepare(struct launch *launch, int64_t now_ms)
{
    struct notice *notice = launch->notice;
    int64_t due_ms = notice->due_at_ms;

    if (launch->prepared_for_ms != due_ms) { /* a zone moved it: all this is wanted again */
        launch->prepared_for_ms = due_ms;
        launch->swept = launch->looked = launch->fed = false;
    }
    if (!launch->gather && !launch->swept) {
        if (sweep_at_ms(launch) == MOMENT_NONE)
            launch->swept = true;
        else
            gather_at(launch, sweep_at_ms(launch), now_ms);
    }
    if (!launch->looked) {
        if (now_ms < due_ms - LOOK_AHEAD_MS) {
            look_at(launch, due_ms - LOOK_AHEAD_MS);
        } else {
            struct error err = {0};
            launch->looked = true;
            channel_warm(launch->channel);
            if (launch_rehearse(launch, &err) < 0) {
                launch_move(launch, NOTICE_HELD, REASON_MESSAGE, err.text);
                return;
            }
            launch_open(launch);
            if (now_ms < due_ms)
                launch_ask(launch);
        }
    }
    if (!launch->gather && !launch->fed && notice->course->pass > 0 && has_feed(launch)) {
        if (now_ms < due_ms - FEED_AHEAD_MS) {
            look_at(launch, due_ms - FEED_AHEAD_MS);
        } else {
            launch->fed = true;
            request_gather(launch, true, now_ms);
        }
    }
    if (now_ms < due_ms)
        look_at(launch, due_ms);
}

static bool told_before(const struct launch *launch)
{
    const struct rule *rule = launch->rule->plan.rule;

    return rule->if_told != THEN_SEND && !launch->notice->approved &&
           plan_told_before(launch->notice, rule, &launch->site->definitions, &launch->world->notices);
}

void launch_was_told(struct launch *launch)
{
    if (launch->rule->plan.rule->if_told == THEN_DROP)
        launch_withdraw(launch, REASON_ALREADY_TOLD);
    else
        launch_move(launch, NOTICE_HELD, REASON_ALREADY_TOLD,
                    "the sale moved after these people had been told; onsale release --anyway sends it all the same");
}

static void look_ready(struct launch *launch, int64_t now_ms)
{
    struct notice *notice = launch->notice;

    if (missed(launch, now_ms))
        return;
    if (told_before(launch)) {
        launch_was_told(launch);
        return;
    }
    prepare(launch, now_ms);
    if (notice->state != NOTICE_READY || now_ms < notice->due_at_ms || notice->paused ||
        world_paused(launch->world, ""))
        return;
    if (launch->world->copy) {
        launch_move(launch, NOTICE_HELD, REASON_COPY, launch->world->copy);
        return;
    }
    if (launch->world->disk.why.kind != ERROR_NONE) {
        launch_move(launch, NOTICE_HELD, REASON_DISK, launch->world->disk.why.text);
        return;
    }
    if (launch->gather && launch->feeding && now_ms < notice->due_at_ms + FEED_WAIT_MS) {
        look_at(launch, notice->due_at_ms + FEED_WAIT_MS);
        return;
    }
    if (!consent_fresh(launch, now_ms)) {
        if (launch->gather_failure.kind != ERROR_NONE) {
            launch_move(launch, NOTICE_HELD, REASON_CONSENT, launch->gather_failure.text);
        } else if (!launch->gather) {
            gather_at(launch, now_ms, now_ms);
        }
        return;
    }
    gather_cancel(&launch->gather); /* a sweep that is not over by T is given up: the last complete read counts */
    if (launch->question || launch_unsaved(launch))
        return;
    if (now_ms < launch->ask_at_ms) {
        look_at(launch, launch->ask_at_ms);
        return;
    }
    if (launch->gate_since_ms == MOMENT_NONE)
        launch->gate_since_ms = now_ms;
    launch_ask(launch);
}

static void look_held(struct launch *launch, int64_t now_ms)
{
    struct notice *notice = launch->notice;

    if (missed(launch, now_ms))
        return;
    if (launch->sending) {
        sending_stop(launch->sending); /* we look again when the last one is home */
        return;
    }
    if (notice->claimed) {
        int64_t end_ms = launch_deadline_ms(launch);
        if (now_ms < end_ms)
            look_at(launch, end_ms);
        else if (world_clock_sure(launch->world)) {
            notice->rest = WITHHELD_EXPIRED;
            launch_move(launch, NOTICE_SENDING, REASON_NONE, NULL);
            launch_finish(launch);
            return;
        }
    }
    if (notice->reason == REASON_ALREADY_TOLD && !told_before(launch)) { /* a ticket that nobody was told of joined */
        launch_forget_gate(launch);
        launch_move(launch, NOTICE_READY, REASON_NONE, NULL);
        look_ready(launch, now_ms);
        return;
    }
    if (notice->reason == REASON_CONSENT && !launch->gather)
        gather_at(launch, now_ms, now_ms);
}

static void watch_progress(struct launch *launch, int64_t now_ms)
{
    const struct tally *tally = &launch->notice->course->tally;
    int64_t finished = tally->planned - tally->waiting;

    if (finished != launch->finished || launch->notice->paused) {
        launch->finished = finished;
        launch->progress_at_ms = now_ms;
        launch->stall_told = false;
    } else if (!launch->stall_told && now_ms - launch->progress_at_ms >= STALL_MS) {
        launch->stall_told = true;
        tell(launch, "Stalled", "nobody was handed over for 60 s");
    }
    look_at(launch, now_ms + STALL_MS / 4);
}

/* After a pause, a hold or a restart: what was read is good as long as it would be for a release; then it is read once
 * more, so that who left meanwhile is not told. Who came meanwhile is not told either: the list is closed. Before any
 * claim it is not, and a reload may have named other audiences: these are read first. */
static bool consent_again(struct launch *launch, int64_t now_ms)
{
    const struct notice *notice = launch->notice;
    bool young = now_ms - notice->course->gathered_at_ms <= launch->rule->plan.rule->consent_max_age_ms;

    if (launch->evidence_at_ms != MOMENT_NONE || (young && (notice->claimed || is_read(launch))))
        return true;
    if (launch->gather_failure.kind != ERROR_NONE && now_ms < launch->gather_after_ms)
        launch_move(launch, NOTICE_HELD, REASON_CONSENT, launch->gather_failure.text);
    if (!launch->gather)
        gather_at(launch, now_ms, now_ms);
    return false;
}

static void look_sending(struct launch *launch, int64_t now_ms)
{
    struct notice *notice = launch->notice;

    if (launch->world->copy || launch->orphaned) {
        launch_move(launch, NOTICE_HELD, launch->orphaned ? REASON_CHANNEL : REASON_COPY,
                    launch->orphaned ? "the notifier that has its claims left the configuration" : launch->world->copy);
        return;
    }
    if (launch->world->disk.why.kind != ERROR_NONE) {
        launch_move(launch, NOTICE_HELD, REASON_DISK, launch->world->disk.why.text);
        look_held(launch, now_ms);
        return;
    }
    watch_progress(launch, now_ms);
    if (notice->paused || world_paused(launch->world, ""))
        return;
    if (now_ms < notice->due_at_ms) { /* the clock was set back: what the site says now proves nothing */
        look_at(launch, notice->due_at_ms);
        return;
    }
    if (launch->question || !consent_again(launch, now_ms))
        return;
    int64_t renew_ms = launch->evidence_at_ms == MOMENT_NONE ? now_ms : launch->evidence_at_ms + EVIDENCE_RENEW_MS;
    if (launch->ask_at_ms > renew_ms)
        renew_ms = launch->ask_at_ms;
    if (now_ms < renew_ms) {
        look_at(launch, renew_ms);
        return;
    }
    if (launch->gate_since_ms == MOMENT_NONE)
        launch->gate_since_ms = now_ms;
    launch_ask(launch);
}

/* --- Gathering ------------------------------------------------------------------------------------------------------
 */

static uint64_t mix(uint64_t hash, const char *text) /* FNV-1a, the end of the text included */
{
    for (; text && *text; text++)
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    return (hash ^ 0xFF) * 1099511628211u;
}

/* Whom a rule asks, and how: what a gathered roll was made from. Never 0. */
static int64_t audiences_fingerprint(const struct world_rule *rule)
{
    uint64_t hash = 14695981039346656037u;

    for (size_t i = 0; i < rule->audience_count; i++) {
        const struct audience_settings *from = rule->audiences[i]->settings;
        const char *const texts[] = {from->name,
                                     from->path,
                                     from->format,
                                     from->url,
                                     from->interest.attribute,
                                     from->interest.list_name,
                                     from->consent_stated ? "stated" : ""};
        for (size_t k = 0; k < ARRAY_LEN(texts); k++)
            hash = mix(hash, texts[k]);
        for (size_t k = 0; k < from->lists.count; k++)
            hash = mix(hash, from->lists.at[k]);
    }
    return (int64_t)(hash | 1);
}

/* Every read has a number of its own, on disk before its first page: a read that was given up, or one of other
 * audiences, must not vouch for anybody in a later one. Only the one that a stopped process left is gone on with. */
static bool begin_pass(struct launch *launch)
{
    struct notice *notice = launch->notice;
    const struct notice *row = notice;
    struct notice_course *course = notice_course(notice);
    int64_t made_of = audiences_fingerprint(launch->rule);

    if (launch->resume && course->begun > course->pass && course->made_of == made_of)
        return true;
    if (course->made_of != made_of && !notice->claimed)
        course->pass = 0; /* a complete read of other audiences says nothing about these */
    course->made_of = made_of;
    course->begun++;
    course->begun_at_ms = launch_now_ms(launch);
    store_apply(launch->world->store,
                &(struct store_change){.notices = &row, .notice_count = 1, .now_ms = launch_now_ms(launch)}, NULL,
                NULL);
    return false;
}

/* Nobody could be read so far, and the moment is ahead: why is seen while there is time to mend it. It is tried
 * again. */
static void say_unread(struct launch *launch, const char *said)
{
    struct notice *notice = launch->notice;
    auto_free char *text = scrub(said, NULL);

    if (notice->state != NOTICE_GATHERING ||
        (notice->course->reason_text && strcmp(notice->course->reason_text, text) == 0))
        return;
    free(notice->course->reason_text);
    notice_course(notice)->reason_text = must_strdup(text);
    launch_save(launch);
    news_notice(launch->world, notice, &(enum notice_state){notice->state});
}

/* What is left of the disk is for claims and fates. */
static void put_reading_off(struct launch *launch, int64_t now_ms)
{
    launch->gather_failure = (struct error){0};
    error_set(&launch->gather_failure, ERROR_TRY_LATER, "no room on the disk of the state to read people in");
    say_unread(launch, launch->gather_failure.text);
    launch->gather_after_ms = now_ms + GATHER_AGAIN_MS;
    look_at(launch, launch->gather_after_ms);
}

void launches_stop_reading(struct launches *launches)
{
    for (size_t i = 0; i < launches->count; i++)
        if (launches->at[i]->gather) {
            gather_cancel(&launches->at[i]->gather);
            put_reading_off(launches->at[i], launch_now_ms(launches->at[i]));
        }
}

static void request_gather(struct launch *launch, bool changes, int64_t now_ms)
{
    if (launch->world->disk.tight) {
        put_reading_off(launch, now_ms);
        return;
    }
    struct notice *notice = launch->notice;
    bool goes_on = !changes && begin_pass(launch);
    struct world *world = launch->world;
    struct error err = {0};
    struct gather_spec spec = {
        .store = world->store,
        .clock = world->clock,
        .keys = world->keys,
        .log = world->log,
        .metrics = world->metrics,
        .rule = launch->rule->plan.rule->name,
        .audiences = launch->rule->audiences,
        .audience_count = launch->rule->audience_count,
        .seed = &launch->rule->plan.rule->seed,
        .site = notice->site,
        .event_id = notice->subject,
        .notice = notice->id,
        .roll = notice->roll,
        .pass = changes ? notice->course->pass : notice->course->begun,
        .resume = goes_on,
        .page = on_page,
        .changes_since_ms = changes ? notice->course->gathered_at_ms - MINUTE_MS : MOMENT_NONE,
    };

    launch->resume = false;
    launch->feeding = changes;
    launch->gather = gather_start(&spec, on_gathered, launch, &err);
    if (!launch->gather) {
        launch->gather_failure = err;
        launch->gather_after_ms = now_ms + GATHER_AGAIN_MS;
        say_unread(launch, err.text);
    }
}

/* Whoever joined waits. */
static void grow(struct notice *notice, int64_t planned)
{
    struct tally *tally = &notice_course(notice)->tally;

    if (planned > tally->planned) {
        tally->waiting += planned - tally->planned;
        tally->planned = planned;
    }
}

static void on_page(void *ctx, int64_t planned)
{
    struct launch *launch = ctx;

    grow(launch->notice, planned);
    progress_note(launch->world->progress, launch->notice);
}

static void on_gathered(void *ctx, const struct gather_result *result)
{
    struct launch *launch = ctx;
    struct notice *notice = launch->notice;
    int64_t now_ms = launch_now_ms(launch);

    launch->gather = NULL;
    grow(notice, result->planned);
    log_line(launch->world->log, result->failure ? LOG_WARNING : LOG_NOTICE,
             "event=%s notice=%lld pass=%lld records=%lld people=%lld new=%lld bad=%lld ms=%lld%s%s",
             launch->feeding        ? "changes_read"
             : result->failure      ? "gather_failed"
             : notice->course->pass ? "swept"
                                    : "gathered",
             (long long)notice->id, (long long)(launch->feeding ? notice->course->pass : notice->course->begun),
             (long long)result->records, (long long)result->planned, (long long)result->added, (long long)result->bad,
             (long long)(now_ms - result->started_at_ms), result->failure ? " error=" : "",
             result->failure ? LOG_QUOTED(text_of(result->failure->text)) : "");
    if (result->begin_again) {
        launch->gather_after_ms = now_ms + BEGIN_AGAIN_MS;
        launch_look(launch);
        return;
    }
    if (result->failure) {
        launch->gather_failure = *result->failure;
        launch->gather_after_ms = now_ms + GATHER_AGAIN_MS;
        say_unread(launch, result->failure->text);
        launch->swept = notice->state == NOTICE_READY; /* the last complete read counts while it is young enough */
        launch_look(launch);
        return;
    }
    launch->gather_failure = (struct error){0};
    if (!launch->feeding) {
        launch->swept = notice->state == NOTICE_READY; /* people taken over were read before: that is no sweep */
        notice_course(notice)->pass = notice->course->begun;
        notice_course(notice)->gathered_at_ms =
            notice->course->begun_at_ms; /* maybe before a restart: consent is as old as that */
        notice_course(notice)->estimate = result->planned;
        outlook_refresh(launch->world->outlook);
        launch->read_span_ms = now_ms - result->started_at_ms;
        if (notice->state == NOTICE_GATHERING || (notice->state == NOTICE_HELD && notice->reason == REASON_CONSENT))
            launch_move(launch, notice->claimed ? NOTICE_SENDING : NOTICE_READY, REASON_NONE, NULL);
        else
            launch_save(launch);
    }
    launch_look(launch);
}
