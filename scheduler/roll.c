#include "roll.h"

#include "gather.h"
#include "news.h"
#include "outlook.h"
#include "progress.h"
#include "scrub.h"

#include <string.h>

enum {
    SWEEP_SPARE_MS = 3 * SECOND_MS,
    CHANGES_AHEAD_MS = 3 * SECOND_MS, /* the change feed is read right before the gate */
    BEGIN_AGAIN_MS = SECOND_MS,       /* a source that changed while it was read */
    READ_AGAIN_MS = 15 * SECOND_MS,   /* after a failed read */
};

struct roll {
    struct roll_spec spec;
    struct gather *gather;   /* a read in flight, or NULL */
    bool changes;            /* ... of changes only */
    bool resume;             /* the first read goes on where the last process stopped */
    bool swept, changes_had; /* or tried, for the due time as it is */
    int64_t not_before_ms;   /* no full read */
    int64_t span_ms;         /* that one takes */
    struct error failure;    /* of the last read, until one succeeds */
};

static void request_read(struct roll *roll, bool changes, int64_t now_ms);
static void on_page(void *ctx, int64_t planned);
static void on_read(void *ctx, const struct gather_result *result);

struct roll *roll_new(const struct roll_spec *spec)
{
    struct roll *roll = must_calloc(1, sizeof *roll);

    roll->spec = *spec;
    roll->resume = true;
    roll->span_ms = spec->rule->plan.rule->gather_ahead_ms / 5; /* until a read of ours has shown it */
    return roll;
}

void roll_free(struct roll *roll)
{
    if (!roll)
        return;
    gather_cancel(&roll->gather);
    free(roll);
}

void roll_cancel(struct roll *roll)
{
    gather_cancel(&roll->gather);
}

void roll_renew(struct roll *roll)
{
    roll->swept = roll->changes_had = false;
}

void roll_forget_failure(struct roll *roll)
{
    roll->failure = (struct error){0};
}

void roll_forget_delay(struct roll *roll)
{
    roll->not_before_ms = 0;
}

const char *roll_failure(const struct roll *roll)
{
    return roll->failure.kind == ERROR_NONE ? NULL : roll->failure.text;
}

bool roll_is_delayed(const struct roll *roll, int64_t now_ms)
{
    return roll->failure.kind != ERROR_NONE && now_ms < roll->not_before_ms;
}

bool roll_reads_changes(const struct roll *roll)
{
    return roll->gather && roll->changes;
}

/* --- What a read is worth ----------------------------------------------------------------------------------------- */

/* Whom a rule asks, and how: what a roll was made from. Never 0; it is stored. */
static int64_t fingerprint(const struct world_rule *rule)
{
    uint64_t hash = INDEX_HASH;

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
            hash = index_hash(hash, texts[k] ? texts[k] : "");
        for (size_t k = 0; k < from->lists.count; k++)
            hash = index_hash(hash, from->lists.at[k]);
    }
    return (int64_t)(hash | 1);
}

/* These very audiences were read to their end. */
static bool is_read(const struct roll *roll)
{
    const struct notice_course *course = roll->spec.notice->course;

    return course->pass > 0 && course->made_of == fingerprint(roll->spec.rule);
}

static bool is_young(const struct roll *roll, int64_t at_ms)
{
    return at_ms - roll->spec.notice->course->gathered_at_ms <= roll->spec.rule->plan.rule->consent_max_age_ms;
}

bool roll_is_fresh(const struct roll *roll, int64_t at_ms)
{
    return is_read(roll) && at_ms >= roll->spec.notice->course->gathered_at_ms && is_young(roll, at_ms);
}

bool roll_still_counts(const struct roll *roll, int64_t at_ms)
{
    return is_young(roll, at_ms) && (roll->spec.notice->claimed || is_read(roll));
}

/* --- When it is read ---------------------------------------------------------------------------------------------- */

int64_t roll_read(struct roll *roll, int64_t at_ms, int64_t now_ms)
{
    int64_t from_ms = at_ms > roll->not_before_ms ? at_ms : roll->not_before_ms;

    if (roll->gather)
        return MOMENT_NONE;
    if (now_ms < from_ms)
        return from_ms;
    request_read(roll, false, now_ms);
    return roll->gather ? MOMENT_NONE : roll->not_before_ms;
}

static bool all_tell_changes(const struct world_rule *rule)
{
    for (size_t i = 0; i < rule->audience_count; i++)
        if (!rule->audiences[i]->ops->changes)
            return false;
    return rule->audience_count > 0;
}

/* Timed to end `ahead_ms` before T even when it takes twice as long as the first read, or where the lead is too short
 * for that, as late as it fits. MOMENT_NONE: the first read ended too close to T. */
static int64_t sweep_at_ms(const struct roll *roll, int64_t ahead_ms)
{
    const struct notice *notice = roll->spec.notice;
    int64_t read_at_ms = notice->course->gathered_at_ms + roll->span_ms;
    int64_t late_ms = notice->due_at_ms - 2 * roll->span_ms - SWEEP_SPARE_MS;
    int64_t early_ms = late_ms - ahead_ms;

    if (early_ms > read_at_ms)
        return early_ms;
    /* So late it would stand in the way of a change feed, which says nearly as much and sooner. */
    return late_ms > read_at_ms && !all_tell_changes(roll->spec.rule) ? late_ms : MOMENT_NONE;
}

int64_t roll_sweep(struct roll *roll, int64_t ahead_ms, int64_t now_ms)
{
    int64_t at_ms = sweep_at_ms(roll, ahead_ms);

    if (roll->gather || roll->swept)
        return MOMENT_NONE;
    roll->swept = at_ms == MOMENT_NONE;
    return roll->swept ? MOMENT_NONE : roll_read(roll, at_ms, now_ms);
}

int64_t roll_read_changes(struct roll *roll, int64_t now_ms)
{
    const struct notice *notice = roll->spec.notice;
    int64_t at_ms = notice->due_at_ms - CHANGES_AHEAD_MS;

    if (roll->gather || roll->changes_had || notice->course->pass == 0 || !all_tell_changes(roll->spec.rule))
        return MOMENT_NONE;
    if (now_ms < at_ms)
        return at_ms;
    roll->changes_had = true;
    request_read(roll, true, now_ms);
    return roll->gather ? MOMENT_NONE : roll->not_before_ms;
}

/* --- Reading ------------------------------------------------------------------------------------------------------ */

/* Every read has a number of its own, on disk before its first page: a read that was given up, or one of other
 * audiences, must not vouch for anybody in a later one. Only the one that a stopped process left is gone on with. */
static bool begin_pass(struct roll *roll)
{
    struct notice *notice = roll->spec.notice;
    const struct notice *row = notice;
    struct notice_course *course = notice_course(notice);
    struct world *world = roll->spec.world;
    int64_t made_of = fingerprint(roll->spec.rule), now_ms = clock_now_ms(world->clock);

    if (roll->resume && course->begun > course->pass && course->made_of == made_of)
        return true;
    if (course->made_of != made_of && !notice->claimed)
        course->pass = 0; /* a complete read of other audiences says nothing about these */
    course->made_of = made_of;
    course->begun++;
    course->begun_at_ms = now_ms;
    store_apply(world->store, &(struct store_change){.notices = &row, .notice_count = 1, .now_ms = now_ms}, NULL, NULL);
    return false;
}

/* Nobody could be read so far, and the moment is ahead: why is seen while there is time to mend it. It is tried
 * again. */
static void say_unread(struct roll *roll)
{
    struct notice *notice = roll->spec.notice;
    auto_free char *text = scrub(roll->failure.text, NULL);

    if (notice->state != NOTICE_GATHERING ||
        (notice->course->reason_text && strcmp(notice->course->reason_text, text) == 0))
        return;
    free(notice->course->reason_text);
    notice_course(notice)->reason_text = must_strdup(text);
    roll->spec.changed(roll->spec.ctx);
    news_notice(roll->spec.world, notice, &(enum notice_state){notice->state});
}

static void fail(struct roll *roll, const struct error *why, int64_t now_ms)
{
    roll->failure = *why;
    roll->not_before_ms = now_ms + READ_AGAIN_MS;
    say_unread(roll);
}

/* What is left of the disk is for claims and fates. */
static void put_off(struct roll *roll, int64_t now_ms)
{
    struct error why = {0};

    error_set(&why, ERROR_TRY_LATER, "no room on the disk of the state to read people in");
    fail(roll, &why, now_ms);
}

int64_t roll_give_up(struct roll *roll, int64_t now_ms)
{
    if (!roll->gather)
        return MOMENT_NONE;
    gather_cancel(&roll->gather);
    put_off(roll, now_ms);
    return roll->not_before_ms;
}

static void request_read(struct roll *roll, bool changes, int64_t now_ms)
{
    const struct notice *notice = roll->spec.notice;
    const struct world_rule *rule = roll->spec.rule;
    struct world *world = roll->spec.world;
    struct error err = {0};

    if (world->disk.tight) {
        put_off(roll, now_ms);
        return;
    }
    bool goes_on = !changes && begin_pass(roll);
    struct gather_spec spec = {
        .store = world->store,
        .clock = world->clock,
        .keys = world->keys,
        .log = world->log,
        .metrics = world->metrics,
        .rule = rule->plan.rule->name,
        .audiences = rule->audiences,
        .audience_count = rule->audience_count,
        .seed = &rule->plan.rule->seed,
        .site = notice->site,
        .event_id = notice->subject,
        .notice = notice->id,
        .roll = notice->roll,
        .pass = changes ? notice->course->pass : notice->course->begun,
        .resume = goes_on,
        .page = on_page,
        .changes_since_ms = changes ? notice->course->gathered_at_ms - MINUTE_MS : MOMENT_NONE,
    };

    roll->resume = false;
    roll->changes = changes;
    roll->gather = gather_start(&spec, on_read, roll, &err);
    if (!roll->gather)
        fail(roll, &err, now_ms);
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
    struct roll *roll = ctx;

    grow(roll->spec.notice, planned);
    progress_note(roll->spec.world->progress, roll->spec.notice);
}

static void log_read(const struct roll *roll, const struct gather_result *result, int64_t now_ms)
{
    const struct notice *notice = roll->spec.notice;
    const char *event = roll->changes          ? "changes_read"
                        : result->failure      ? "gather_failed"
                        : notice->course->pass ? "swept"
                                               : "gathered";

    log_line(roll->spec.world->log, result->failure ? LOG_WARNING : LOG_NOTICE,
             "event=%s notice=%lld pass=%lld records=%lld people=%lld new=%lld bad=%lld ms=%lld%s%s", event,
             (long long)notice->id, (long long)(roll->changes ? notice->course->pass : notice->course->begun),
             (long long)result->records, (long long)result->planned, (long long)result->added, (long long)result->bad,
             (long long)(now_ms - result->started_at_ms), result->failure ? " error=" : "",
             result->failure ? LOG_QUOTED(text_of(result->failure->text)) : "");
}

static void take_pass(struct roll *roll, const struct gather_result *result, int64_t now_ms)
{
    struct notice_course *course = notice_course(roll->spec.notice);

    course->pass = course->begun;
    course->gathered_at_ms = course->begun_at_ms; /* maybe before a restart: consent is as old as that */
    course->estimate = result->planned;
    outlook_refresh(roll->spec.world->outlook);
    roll->span_ms = now_ms - result->started_at_ms;
}

static void on_read(void *ctx, const struct gather_result *result)
{
    struct roll *roll = ctx;
    int64_t now_ms = clock_now_ms(roll->spec.world->clock);
    bool ready = roll->spec.notice->state == NOTICE_READY; /* else people taken over were read before: no sweep */

    roll->gather = NULL;
    grow(roll->spec.notice, result->planned);
    log_read(roll, result, now_ms);
    if (result->begin_again) {
        roll->not_before_ms = now_ms + BEGIN_AGAIN_MS;
    } else if (result->failure) {
        fail(roll, result->failure, now_ms);
        roll->swept = ready; /* the last complete read counts while it is young enough */
    } else {
        roll_forget_failure(roll);
        if (!roll->changes) {
            roll->swept = ready;
            take_pass(roll, result, now_ms);
        }
    }
    roll->spec.ended(roll->spec.ctx, !result->failure && !roll->changes); /* last: it may free us in there */
}
