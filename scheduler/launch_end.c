/* From the gate's go to the end of a notice: what it sends with, what its channel reports, what remains to be told. */
#include "gatekeeper.h"
#include "invitation.h"
#include "launch_private.h"
#include "news.h"
#include "outlook.h"
#include "outside.h"
#include "sending.h"

#include <string.h>

static const int64_t evidence_good_ms = 60 * SECOND_MS;

/* Nothing is claimed from then on: the notifier's deadline, and for what is due before a moment the moment itself. */
int64_t launch_deadline_ms(const struct launch *launch)
{
    const struct notice *notice = launch->notice;
    int64_t deadline_ms = channel_settings(launch->channel)->deadline_ms;
    int64_t end_ms = notice->due_at_ms + deadline_ms;

    if (notice->catch_up_waived) /* an operator sends it late: the span counts from the release */
        return (notice->course->released_at_ms == MOMENT_NONE ? launch_now_ms(launch)
                                                              : notice->course->released_at_ms) +
               deadline_ms;
    if (when_is_before(&launch->rule->plan.rule->when) && notice->at_ms < end_ms)
        return notice->at_ms;
    return end_ms;
}

/* One line and one mail when it is over. Everything else is asked of the ledger by `show`. */
static void report(struct launch *launch, const char *how)
{
    struct notice *notice = launch->notice;
    struct world *world = launch->world;
    struct tally tally = tally_with_rest(notice->course->tally, notice->rest);
    bool begun = notice->course->first_handover_at_ms != MOMENT_NONE;
    int64_t late_ms = begun ? notice->course->first_handover_at_ms - notice->due_at_ms : 0;
    int64_t span_ms = begun ? notice->course->last_handover_at_ms - notice->course->first_handover_at_ms : 0;
    auto_buf struct buf subject = {0}, body = {0};

    notice_course(notice)->tally = tally;
    log_line(world->log, LOG_NOTICE,
             "event=report notice=%lld rule=%s people=%lld accepted=%lld refused=%lld in_doubt=%lld withheld=%lld "
             "late_ms=%lld span_ms=%lld",
             (long long)notice->id, notice->rule, (long long)tally.planned, (long long)tally.accepted,
             (long long)tally.refused, (long long)tally.in_doubt, (long long)tally.withheld, (long long)late_ms,
             (long long)span_ms);
    if (!world->tell_operators)
        return;
    buf_init(&subject, 256);
    buf_addf(&subject, "%s: %s, %lld of %lld accepted (notice %lld)", how, notice->rule, (long long)tally.accepted,
             (long long)tally.planned, (long long)notice->id);
    buf_init(&body, 4096);
    buf_addf(&body,
             "Rule %s at site %s is %s%s%s.\n\npeople %lld\naccepted %lld\nrefused %lld\nin doubt %lld\nwithheld %lld\n"
             "first hand-over %lld ms after it was due, all within %lld ms\n\nonsale show %lld\n",
             notice->rule, notice->site, notice_state_name(notice->state), notice->reason ? ": " : "",
             notice_reason_name(notice->reason), (long long)tally.planned, (long long)tally.accepted,
             (long long)tally.refused, (long long)tally.in_doubt, (long long)tally.withheld, (long long)late_ms,
             (long long)span_ms, (long long)notice->id);
    if (!buf_failed(&body) && !buf_failed(&subject))
        world->tell_operators(world->tell_ctx, subject.ptr, body.ptr);
}

static void on_done(void *ctx)
{
    struct launch *launch = ctx;

    if (launch->notice->state == NOTICE_HELD) /* the last came home behind the hold: nobody is left to wait for */
        launch_move(launch, NOTICE_SENDING, REASON_NONE, NULL);
    if (launch->notice->state == NOTICE_SENDING)
        launch_finish(launch);
    sending_close(&launch->sending);
}

static void on_expired(void *ctx)
{
    struct launch *launch = ctx;

    if (launch->notice->state != NOTICE_SENDING || !world_clock_sure(launch->world))
        return;
    launch->notice->rest = WITHHELD_EXPIRED; /* it ends when what is in flight has come home */
    launch_save(launch);
}

static void on_fault(void *ctx, enum notice_reason reason, const char *text)
{
    struct launch *launch = ctx;

    if (launch->notice->state != NOTICE_SENDING)
        return;
    if (reason == REASON_ALREADY_TOLD)
        launch_was_told(launch);
    else
        launch_move(launch, NOTICE_HELD, reason, text);
}

enum { POLICY_MIN = 20, POLICY_PART = 20 }; /* more than these, and more than one in so many */

/* A release is an operator's word: it is held again when as many more have come back. */
void launch_came_back(struct launches *launches, const struct store_fed_back *what)
{
    struct launch *launch = launches_find(launches, what->notice);
    int64_t policy = what->policy, accepted = what->accepted;
    char text[160];

    news_came_back(launches->world, what);
    if (!launch || launch->notice->state != NOTICE_SENDING || policy <= POLICY_MIN ||
        policy * POLICY_PART <= accepted || policy < 2 * launch->policy_held)
        return;
    launch->policy_held = policy;
    snprintf(text, sizeof text, "%lld of %lld accepted came back, refused for policy: see what receivers say of us",
             (long long)policy, (long long)accepted);
    launch_move(launch, NOTICE_HELD, REASON_MESSAGE, text);
    launch_look(launch);
}

/* The last claim has come home after a stop: the notice ends, or waits for its next release with a clean slate. */
static void on_stopped(void *ctx)
{
    struct launch *launch = ctx;
    const struct notice *notice = launch->notice;

    if (notice->state == NOTICE_SENDING && notice->rest != WITHHELD_NONE)
        launch_finish(launch);
    else if (notice->claimed && notice->state == NOTICE_WITHDRAWN)
        report(launch, "Withdrawn in the middle");
    else if (notice->claimed && notice->state == NOTICE_CANCELLED)
        report(launch, "Cancelled in the middle");
    sending_close(&launch->sending);
    launch_save(launch);
    if (launch_now_ms(launch) < launch_deadline_ms(launch))
        launch_go_on(launch); /* released again while the last ones were still out */
    launch_look(launch);
}

static size_t named_definitions(const struct launch *launch, const struct definition **out, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < launch->notice->course->member_count && count < max; i++) {
        const struct definition *definition =
            definitions_find(&launch->site->definitions, launch->notice->course->members[i]);
        if (definition)
            out[count++] = definition;
    }
    return count;
}

/* Made ahead of the release for what was to be said then; when that is still so it is taken. */
static struct message_batch *make_batch(struct launch *launch, const struct definition *const *open, size_t count,
                                        int64_t date_ms, struct error *err)
{
    const struct world *world = launch->world;
    struct message_batch_spec spec = {
        .templates = launch->rule->templates,
        .sender = launch->rule->sender,
        .mail = launch->mail,
        .tokens = world->tokens,
        .locales = world->locales,
        .zones = world->zones,
        .notice = launch->notice,
        .open = open,
        .open_count = count,
        .site_zone = launch->site->settings->time_zone,
        .site_language = launch->site->settings->language,
        .date_ms = date_ms,
    };
    const struct invitation_spec about = {
        .texts = world->calendar_texts,
        .keys = world->keys,
        .feed = world->feed,
        .zones = world->zones,
        .site = launch->site->settings,
        .openings = &world->openings,
        .definitions = &launch->site->definitions,
        .rule = launch->rule->plan.rule,
        .notice = launch->notice,
        .now_ms = launch_now_ms(launch),
    };
    struct invitation invitation;
    struct message_batch *batch = launch->ahead;

    launch->ahead = NULL;
    spec.calendar = invitation_make(&invitation, &about);
    if (spec.calendar && spec.calendar->attach && world->feed)
        feed_say(world->feed,
                 openings_find(&world->openings, launch->notice->site, launch->notice->subject, launch->notice->at_ms));
    if (batch && !message_batch_serves(batch, &spec)) {
        message_batch_free(batch);
        batch = NULL;
    }
    if (!batch)
        batch = message_batch_new(&spec, err);
    invitation_clear(&invitation);
    return batch;
}

/* What was named at the release; when all of that is gone, what stands at that moment now. */
static struct message_batch *batch_of_named(struct launch *launch, struct error *err)
{
    auto_free const struct definition **open = must_calloc(launch->notice->course->member_count + 1, sizeof *open);
    size_t count = named_definitions(launch, open, launch->notice->course->member_count);

    if (count == 0) {
        free(open);
        count = launch_members(launch, &open);
    }
    if (count == 0) {
        error_set(err, ERROR_REFUSED, "none of its definitions is there any more");
        return NULL;
    }
    return make_batch(launch, open, count, launch->notice->course->released_at_ms, err);
}

/* One message to nobody, shortly before T: what can fail fails now, and what is the same for all is ready when it
 * counts.
 */
int launch_rehearse(struct launch *launch, struct error *err)
{
    auto_free const struct definition **open = NULL;
    size_t count = launch_members(launch, &open);

    if (count == 0)
        return 0; /* planning is about to end it */
    struct message_batch *batch = make_batch(launch, open, count, launch->notice->due_at_ms, err);
    struct message_person person = {.source = TEXT("seed"), .address = TEXT("nobody@example.org"), .seed = true};
    struct message message;

    if (!batch)
        return -1;
    message_init(&message);
    int rc = message_make(batch, &person, &message, err);
    message_clear(&message);
    message_batch_free(launch->ahead);
    launch->ahead = batch;
    launch_speak(launch);
    return rc;
}

/* Asks the ledger where this notice stands, ahead of the release, so that at T one commit is all that is waited for. */
void launch_open(struct launch *launch)
{
    struct sending_spec spec = {
        .notice = launch->notice,
        .rule = launch->rule->plan.rule,
        .channel = launch->channel,
        .deadline_ms = launch_deadline_ms(launch),
    };
    struct sending_events events = {
        .done = on_done, .expired = on_expired, .fault = on_fault, .stopped = on_stopped, .ctx = launch};

    if (launch->sending)
        return;
    launches_store(launch->world->launches);
    launch->sending = sending_open(launch->world->dispatch, &spec, &events);
}

void launch_go_on(struct launch *launch)
{
    struct error err = {0};
    const char *trouble = channel_needs_person(launch->channel);

    if (launch->world->stopping || launch->notice->state != NOTICE_SENDING || launch->evidence_at_ms == MOMENT_NONE)
        return;
    if (trouble) { /* it was told when it was seen: before this notice had anything to send */
        launch_move(launch, NOTICE_HELD, REASON_CHANNEL, trouble);
        return;
    }
    launch_open(launch);
    if (!sending_has_batch(launch->sending)) {
        struct message_batch *batch = batch_of_named(launch, &err);
        if (!batch) {
            launch_move(launch, NOTICE_HELD, REASON_MESSAGE, err.text);
            return;
        }
        sending_give(launch->sending, batch);
    }
    sending_allow(launch->sending, launch->evidence_at_ms + evidence_good_ms);
}

void launch_finish(struct launch *launch)
{
    launch->notice->owes_report = true;
    launch_move(launch, NOTICE_DONE, REASON_NONE, NULL);
    report(launch, "Done");
    launch->reported = true;
    outlook_refresh(launch->world->outlook); /* the notifier has shown how fast it is */
}

/* A kill between the end and its report has the next start say it; one between the report and this, again. */
bool launch_settle_report(struct launch *launch)
{
    struct notice *notice = launch->notice;

    if (notice->state != NOTICE_DONE || !notice->owes_report)
        return true;
    if (!launch->reported)
        report(launch, "Done");
    launch->reported = true;
    if (launch->saving || launch->dirty || !outside_quiet(launch->world->outside))
        return false;
    notice->owes_report = false;
    launch_save(launch);
    return true;
}

/* What is not on disk yet is given to the store, which carries it out before it closes. */
void launch_free(struct launch *launch)
{
    const struct notice *row = launch->notice;

    if (launch->reported && launch->notice->owes_report && outside_quiet(launch->world->outside)) {
        launch->notice->owes_report = false;
        launch->dirty = true;
    }
    if (launch->dirty)
        store_apply(launch->world->store,
                    &(struct store_change){.notices = &row, .notice_count = 1, .now_ms = launch_now_ms(launch)}, NULL,
                    NULL);
    alarm_off(&launch->alarm);
    roll_free(launch->roll);
    gate_cancel(&launch->question);
    launch_leave_rows(launch);
    launch_hush(launch);
    sending_close(&launch->sending);
    message_batch_free(launch->ahead);
    free(launch);
}
