#include "launch.h"

#include "gatekeeper.h"
#include "launch_private.h"
#include "news.h"
#include "progress.h"
#include "scrub.h"
#include "sending.h"

enum {
    LOOK_AHEAD_MS = 10 * SECOND_MS,  /* the gate's first question, and warm connections */
    CHANGES_WAIT_MS = 2 * SECOND_MS, /* the change feed never holds a release longer than that behind T */
    EVIDENCE_RENEW_MS = 40 * SECOND_MS,
    STALL_MS = 60 * SECOND_MS,
    SAVE_AGAIN_MS = SECOND_MS,
    REPORT_LOOK_MS = 200, /* the operators' letters are on their way */
};

static void look_planned(struct launch *launch, int64_t now_ms);
static void look_gathering(struct launch *launch, int64_t now_ms);
static void look_ready(struct launch *launch, int64_t now_ms);
static void look_held(struct launch *launch, int64_t now_ms);
static void look_sending(struct launch *launch, int64_t now_ms);

int64_t launch_now_ms(const struct launch *launch)
{
    return clock_now_ms(launch->world->clock);
}

static void on_alarm(void *ctx)
{
    launch_look(ctx);
}

/* By then at the latest; MOMENT_NONE is no moment. */
static void look_at(struct launch *launch, int64_t at_ms)
{
    if (at_ms != MOMENT_NONE && (!alarm_is_set(&launch->alarm) || at_ms < launch->alarm.at_ms))
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
    launch->save_after_ms = 0;
    launch_save(launch);
    news_notice(launch->world, notice, &before);
    if (to == NOTICE_HELD || (to == NOTICE_MISSED && reason != REASON_BEFORE_OUR_TIME))
        tell(launch, to == NOTICE_HELD ? "Held" : "Missed", text ? text : notice_reason_name(reason));
}

/* --- What its roll says --------------------------------------------------------------------------------------------
 */

static void on_roll_changed(void *ctx)
{
    launch_save(ctx);
}

static void on_roll_read(void *ctx, bool complete)
{
    struct launch *launch = ctx;
    const struct notice *notice = launch->notice;
    bool waits =
        notice->state == NOTICE_GATHERING || (notice->state == NOTICE_HELD && notice->reason == REASON_CONSENT);

    if (complete && waits)
        launch_move(launch, notice->claimed ? NOTICE_SENDING : NOTICE_READY, REASON_NONE, NULL);
    else if (complete)
        launch_save(launch);
    launch_look(launch);
}

struct roll *launch_roll(struct launch *launch)
{
    return roll_new(&(struct roll_spec){
        .world = launch->world,
        .notice = launch->notice,
        .rule = launch->rule,
        .changed = on_roll_changed,
        .ended = on_roll_read,
        .ctx = launch,
    });
}

void launches_stop_reading(struct launches *launches)
{
    for (size_t i = 0; i < launches->count; i++)
        look_at(launches->at[i], roll_give_up(launches->at[i]->roll, launch_now_ms(launches->at[i])));
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
        roll_cancel(launch->roll);
        gate_cancel(&launch->question);
        if (launch->sending)
            sending_stop(launch->sending);
        if (!launch_settle_report(launch))
            look_at(launch, now_ms + REPORT_LOOK_MS);
        break;
    }
}

/* It may have been through this before: withdrawn, and back. */
static void launch_begin(struct launch *launch)
{
    launch->prepared_for_ms = MOMENT_NONE;
    roll_forget_failure(launch->roll);
    roll_forget_delay(launch->roll);
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
    if (roll_is_fresh(launch->roll, launch->notice->due_at_ms)) { /* its people came from another moment of the sale */
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

    look_at(launch, roll_read(launch->roll, now_ms, now_ms));
    if (now_ms < notice->due_at_ms) {
        look_at(launch, notice->due_at_ms);
    } else if (roll_failure(launch->roll) || too_late) {
        launch_move(launch, NOTICE_HELD, REASON_CONSENT,
                    too_late ? "the audience was not read in time" : roll_failure(launch->roll));
        look_held(launch, now_ms);
    } else {
        look_at(launch, plan_start_by_ms(notice, launch->rule->plan.rule) + 1);
    }
}

/* Connections, the message, the ledger, and a first question at the gate: what can fail fails while there is time. */
static void look_ahead(struct launch *launch, int64_t now_ms)
{
    int64_t due_ms = launch->notice->due_at_ms;
    struct error err = {0};

    if (now_ms < due_ms - LOOK_AHEAD_MS) {
        look_at(launch, due_ms - LOOK_AHEAD_MS);
        return;
    }
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

/* What happens between a complete read and T. It may find that this notice is ready no more. */
static void prepare(struct launch *launch, int64_t now_ms)
{
    int64_t due_ms = launch->notice->due_at_ms;

    if (launch->prepared_for_ms != due_ms) { /* a zone moved it: all this is wanted again */
        launch->prepared_for_ms = due_ms;
        launch->looked = false;
        roll_renew(launch->roll);
    }
    look_at(launch, roll_sweep(launch->roll, LOOK_AHEAD_MS, now_ms));
    if (!launch->looked)
        look_ahead(launch, now_ms);
    if (launch->notice->state != NOTICE_READY)
        return;
    look_at(launch, roll_read_changes(launch->roll, now_ms));
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
    if (roll_reads_changes(launch->roll) && now_ms < notice->due_at_ms + CHANGES_WAIT_MS) {
        look_at(launch, notice->due_at_ms + CHANGES_WAIT_MS);
        return;
    }
    if (!roll_is_fresh(launch->roll, now_ms)) {
        if (roll_failure(launch->roll))
            launch_move(launch, NOTICE_HELD, REASON_CONSENT, roll_failure(launch->roll));
        else
            look_at(launch, roll_read(launch->roll, now_ms, now_ms));
        return;
    }
    roll_cancel(launch->roll); /* a sweep that is not over by T is given up: the last complete read counts */
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
    if (notice->reason == REASON_CONSENT)
        look_at(launch, roll_read(launch->roll, now_ms, now_ms));
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
    if (launch->evidence_at_ms != MOMENT_NONE || roll_still_counts(launch->roll, now_ms))
        return true;
    if (roll_is_delayed(launch->roll, now_ms))
        launch_move(launch, NOTICE_HELD, REASON_CONSENT, roll_failure(launch->roll));
    look_at(launch, roll_read(launch->roll, now_ms, now_ms));
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
