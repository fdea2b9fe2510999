#include "estimate.h"
#include "feed.h"
#include "launch.h"
#include "metrics.h"
#include "news.h"
#include "sync_private.h"

#include <string.h>

enum {
    OVERLAP_MS = 5 * MINUTE_MS,       /* a watermark is asked again from so much earlier */
    FAILED_AGAIN_MS = 15 * SECOND_MS, /* after a failed walk, then doubling up to poll_every */
    GATE_QUIET_MS = 15 * SECOND_MS,   /* no full walk may begin so close before something is due */
    SUSPECTS_MAX = 50,                /* asked about by id after one walk */
    STEP_MAX_MS = 5 * MINUTE_MS,      /* a larger step of the clock freezes what cannot be taken back */
};

static void on_alarm(void *ctx);
static void request_walk(struct sync *sync, int64_t now_ms);
static void on_walk(void *ctx, struct source_walk *walk);
static void request_suspects(struct sync *sync);
static void on_suspects(void *ctx, const struct gate_answer *answer);

/* --- Who is absent --------------------------------------------------------------------------------------------------
 */

/* The walk has seen it. */
static void mark_seen(struct sync *sync, const char *id)
{
    /* The mirror is ours, and the mark is nothing that others read. */
    struct definition *known = (struct definition *)(uintptr_t)definitions_find(&sync->site->definitions, id);

    if (known && known->walk != sync->walk_number) {
        known->walk = sync->walk_number;
        sync->seen++;
    }
}

/* A source_known_fn. */
static bool is_known(void *ctx, const struct definition *definition)
{
    struct sync *sync = ctx;

    if (sync->walking_full)
        mark_seen(sync, definition->id);
    return !sync_is_news(sync, definition);
}

/* Absence from a complete walk makes a definition suspect; a second one ends it. Get's 404 may end it sooner. */
static bool suspect_absent(struct sync *sync)
{
    struct definitions *known = &sync->site->definitions;
    const char *gone[256];
    size_t gone_count = 0;
    bool suspects = false;

    if (sync->seen == known->count)
        return false;
    for (size_t i = 0; i < known->count; i++) {
        struct definition *definition = known->at[i];
        if (definition->walk == sync->walk_number)
            continue;
        if (definition->suspect && gone_count < ARRAY_LEN(gone)) {
            gone[gone_count++] = definition->id;
        } else if (!definition->suspect) {
            definition->suspect = definition->unsaved = suspects = true;
            sync_touch(sync, definition->event_id);
        }
    }
    for (size_t i = 0; i < gone_count; i++) {
        log_line(sync->world->log, LOG_INFO, "event=definition_gone site=%s definition=%s how=walk",
                 sync->site->settings->name, gone[i]);
        sync_drop(sync, gone[i]);
    }
    if (suspects)
        request_suspects(sync);
    return suspects || gone_count > 0;
}

void sync_take_answer(struct sync *sync, const struct source_answer *answer)
{
    const char **events = must_calloc(answer->count + 1, sizeof *events);
    size_t count = 0;

    for (size_t i = 0; i < answer->count; i++) {
        const struct definition *known = definitions_find(&sync->site->definitions, answer->ids[i]);
        if (known)
            events[count++] = must_strdup(known->event_id);
        if (answer->verdicts[i] == SOURCE_GONE && known)
            sync_drop(sync, answer->ids[i]);
        else if (answer->verdicts[i] == SOURCE_FOUND && sync_is_news(sync, answer->definitions[i]))
            /* The askers look at the answer's own record: the mirror takes a copy. */
            sync_take_now(sync, definition_new(answer->definitions[i]));
    }
    sync_plan_first(sync, events, count);
    for (size_t i = 0; i < count; i++)
        free((char *)(uintptr_t)events[i]);
    free(events);
}

/* Before anybody decides by what the gate heard. */
static void on_news(void *ctx, const struct source_answer *answer)
{
    sync_take_answer(ctx, answer);
}

/* --- Walking --------------------------------------------------------------------------------------------------------
 */

bool sync_gate_is_near(const struct sync *sync, int64_t now_ms)
{
    return gatekeeper_busy(sync->site->gate) ||
           launches_at_gate(sync->world->launches, sync->site, now_ms - GATE_QUIET_MS, now_ms + GATE_QUIET_MS);
}

static void on_alarm(void *ctx)
{
    struct sync *sync = ctx;

    request_walk(sync, sync_now_ms(sync));
}

static void walk_later(struct sync *sync, int64_t now_ms)
{
    int64_t every_ms = sync->site->settings->poll_every_ms, wait_ms = sync->want_full ? 0 : every_ms;

    if (sync->failures > 0) {
        wait_ms = FAILED_AGAIN_MS << (sync->failures > 8 ? 8 : sync->failures - 1);
        if (wait_ms > every_ms)
            wait_ms = every_ms;
    }
    alarm_set(sync->world->alarms, &sync->alarm, now_ms + wait_ms, on_alarm, sync);
}

static void note_well(struct sync *sync)
{
    sync->well_mono_ms = clock_mono_ms(sync->world->clock);
}

static void request_walk(struct sync *sync, int64_t now_ms)
{
    struct source *source = sync->site->source;
    struct error err = {0};

    if (sync->walk || sync->world->stopping)
        return;
    bool changed = source->ops->changed && source->ops->changed(source);
    bool full = sync->want_full || sync->last_full_at_ms == MOMENT_NONE ||
                now_ms - sync->last_full_at_ms >= sync->site->settings->full_walk_every_ms || changed;
    if (source->ops->changed && !full) {
        if (sync->failures == 0)
            note_well(sync);
        walk_later(sync, now_ms);
        return;
    }
    if (full && !changed && sync_gate_is_near(sync, now_ms) && sync->last_full_at_ms != MOMENT_NONE) {
        alarm_set(sync->world->alarms, &sync->alarm, now_ms + SECOND_MS, on_alarm, sync);
        return;
    }
    int64_t since_ms =
        full || sync->site->watermark_ms == MOMENT_NONE ? MOMENT_NONE : sync->site->watermark_ms - OVERLAP_MS;
    sync->walking_full = since_ms == MOMENT_NONE;
    sync->want_full &= !sync->walking_full;
    sync->walk_number += sync->walking_full;
    sync->seen = 0;
    if (sync->world->disk.tight)
        error_set(&err, ERROR_TRY_LATER, "no room on the disk of the state for what changes");
    else
        sync->walk = source->ops->walk(source, since_ms, on_walk, sync, &err);
    if (!sync->walk) {
        struct source_walk none = {.failure = &err, .watermark_ms = MOMENT_NONE, .server_date_ms = MOMENT_NONE};
        on_walk(sync, &none);
    }
}

static void note_failure(struct sync *sync, const struct source_walk *walk)
{
    bool news = sync->failure.kind == ERROR_NONE || strcmp(sync->failure.text, walk->failure->text) != 0;

    sync->failures++;
    sync->failure = *walk->failure;
    if (news)
        news_site(sync->world, sync->site->settings->name, walk->failure->text);
    bool tell = seldom_goes_on(&sync->seldom, clock_mono_ms(sync->world->clock),
                               strcmp(sync->told.text, walk->failure->text) != 0);
    if (tell)
        sync->told = *walk->failure;
    log_line(sync->world->log, tell ? LOG_WARNING : LOG_DEBUG, "event=walk_failed site=%s times=%lld error=%s",
             sync->site->settings->name, (long long)sync->failures, LOG_QUOTED(text_of(walk->failure->text)));
}

static void note_bad(struct sync *sync, const struct source_walk *walk)
{
    if (walk->bad > 0 && walk->bad_why && strcmp(sync->bad_why.text, walk->bad_why->text) != 0) {
        sync->bad_why = *walk->bad_why; /* once for each kind of trouble, not once a minute */
        log_line(sync->world->log, LOG_WARNING, "event=bad_definitions site=%s count=%zu first=%s",
                 sync->site->settings->name, walk->bad, LOG_QUOTED(text_of(walk->bad_why->text)));
    }
}

void sync_clock_stepped(struct world *world, int64_t step_ms)
{
    bool large = step_ms > STEP_MAX_MS || step_ms < -STEP_MAX_MS;

    log_line(world->log, LOG_WARNING, "event=clock_stepped by_ms=%lld frozen=%s", (long long)step_ms,
             large ? "yes" : "no");
    if (large && !world->frozen) {
        world->frozen = true;
        news_frozen(world);
    }
    for (size_t i = 0; i < world->site_count; i++)
        if (world->sites[i].sync)
            sync_now(world->sites[i].sync); /* its Date is the judge */
    feed_clock_stepped(world->feed, step_ms);
    if (world->launches)
        launches_clock_stepped(world->launches);
}

/* Every site has been walked since the start, and the last one, too, has nothing to say about the time. */
static bool nobody_has_a_clock(const struct sync *sync, const struct source_walk *walk)
{
    const struct world *world = sync->world;

    for (size_t i = 0; i < world->site_count; i++) {
        const struct sync *other = world->sites[i].sync;
        if (other == sync ? !walk->complete : other && other->last_full_at_ms == MOMENT_NONE)
            return false;
    }
    return true;
}

/* The site's own clock is the judge of ours: after each step, and at the start, when nobody knows what was done to it
 * while we were not there. True: what was put off while it was in doubt is decided now. */
static bool clock_agrees(struct sync *sync, const struct source_walk *walk)
{
    struct world *world = sync->world;
    bool first = !world->clock_known;

    if (walk->server_date_ms == MOMENT_NONE) {
        world->clock_known |= nobody_has_a_clock(sync, walk);
        return first && world->clock_known && !world->frozen;
    }
    int64_t ahead_ms = walk->answered_at_ms - walk->server_date_ms;
    bool agrees = ahead_ms > -STEP_MAX_MS && ahead_ms < STEP_MAX_MS;
    sync->site->clock_ahead_ms = ahead_ms;
    world->clock_known = true;
    if (first && !agrees && !world->frozen) {
        world->frozen = true;
        news_frozen(world);
        log_line(world->log, LOG_WARNING, "event=clock_in_doubt site=%s ahead_ms=%lld", sync->site->settings->name,
                 (long long)ahead_ms);
    }
    if (!agrees || !world->frozen)
        return first && agrees;
    world->frozen = false;
    news_frozen(world);
    log_line(world->log, LOG_NOTICE, "event=clock_agreed site=%s ahead_ms=%lld", sync->site->settings->name,
             (long long)ahead_ms);
    return true;
}

static void note_fine(struct sync *sync, const struct source_walk *walk, int64_t now_ms)
{
    if (sync->failure.kind != ERROR_NONE) {
        news_site(sync->world, sync->site->settings->name, NULL);
        log_line(sync->world->log, LOG_NOTICE, "event=walk_well site=%s failed=%lld seconds=%lld",
                 sync->site->settings->name, (long long)sync->failures,
                 (long long)(seldom_ends(&sync->seldom, clock_mono_ms(sync->world->clock)) / SECOND_MS));
    }
    sync->failure = (struct error){0};
    sync->failures = 0;
    note_well(sync);
    if (walk->watermark_ms != MOMENT_NONE && walk->watermark_ms > sync->site->watermark_ms) {
        sync->site->watermark_ms = walk->watermark_ms;
        sync->facts_due = true;
    }
    if (!sync->walking_full)
        return;
    sync->last_full_at_ms = now_ms;
    if (sync->site->first_walked_at_ms == MOMENT_NONE) { /* from now on we are responsible */
        sync->site->first_walked_at_ms = now_ms;
        sync->first_walk_now = sync->facts_due = true;
        sync_touch_all(sync);
    }
}

/* What a full walk has seen is marked before anything of it enters the mirror. */
static bool take_walk(struct sync *sync, struct source_walk *walk)
{
    bool changed = walk->count > 0;

    for (size_t i = 0; i < walk->count && sync->walking_full; i++)
        mark_seen(sync, walk->definitions[i]->id);
    for (size_t i = 0; i < walk->unreadable_count && sync->walking_full; i++)
        mark_seen(sync, walk->unreadable[i]); /* it is there; what it says could not be read */
    if (walk->complete && sync->walking_full && walk->bad <= walk->unreadable_count)
        changed |= suspect_absent(sync); /* a record without an id might be anybody's */
    for (size_t i = 0; i < walk->count; i++) {
        sync_take(sync, walk->definitions[i]);
        walk->definitions[i] = NULL;
    }
    return changed;
}

static void count_walk(const struct sync *sync, const struct source_walk *walk, int64_t now_ms)
{
    struct metrics *metrics = sync->world->metrics;
    const char *site = sync->site->settings->name, *kind = sync->walking_full ? "full" : "changes";

    metrics_add(metrics, METRIC_SITE_WALKS, LABELS(site, kind, walk->complete ? "done" : "failed"), 1);
    metrics_add(metrics, METRIC_SITE_BAD_RECORDS, LABELS(site), (int64_t)walk->bad);
    if (walk->complete)
        metrics_observe(metrics, METRIC_SITE_WALK, LABELS(site, kind), now_ms - walk->asked_at_ms);
}

static void on_walk(void *ctx, struct source_walk *walk)
{
    struct sync *sync = ctx;
    int64_t now_ms = sync_now_ms(sync);
    bool changed = false;

    sync->walk = NULL;
    count_walk(sync, walk, now_ms);
    if (clock_agrees(sync, walk)) {
        sync_touch_all(sync);
        if (sync->world->launches)
            launches_look(sync->world->launches);
        changed = true;
    }
    note_bad(sync, walk);
    changed |= take_walk(sync, walk);
    if (walk->complete)
        note_fine(sync, walk, now_ms);
    else
        note_failure(sync, walk);
    if (walk->complete && sync->walking_full)
        log_line(sync->world->log, changed ? LOG_INFO : LOG_DEBUG, "event=walked site=%s definitions=%zu ms=%lld",
                 sync->site->settings->name, walk->count + walk->known, (long long)(now_ms - walk->asked_at_ms));
    walk_later(sync, now_ms);
    if (changed || sync->first_walk_now)
        sync_plan_walk(sync);
    if (walk->complete && sync->walking_full)
        estimates_refresh(sync->world->estimates);
}

static void request_suspects(struct sync *sync)
{
    struct source_ask asks[SUSPECTS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < sync->site->definitions.count && count < SUSPECTS_MAX; i++)
        if (sync->site->definitions.at[i]->suspect)
            asks[count++] =
                (struct source_ask){sync->site->definitions.at[i]->id, sync->site->definitions.at[i]->revision};
    if (count > 0 && !sync->suspects)
        sync->suspects = gate_ask(sync->site->gate, asks, count, on_suspects, sync);
}

/* The news were merged by on_news(): who is still there lost its suspicion, who is gone is gone. */
static void on_suspects(void *ctx, const struct gate_answer *answer)
{
    struct sync *sync = ctx;

    sync->suspects = NULL;
    (void)answer;
}

/* --- The whole ------------------------------------------------------------------------------------------------------
 */

struct sync *sync_new(struct world *world, struct world_site *site)
{
    struct sync *sync = must_calloc(1, sizeof *sync);

    sync->world = world;
    sync->site = site;
    sync->last_full_at_ms = sync->well_mono_ms = MOMENT_NONE;
    sync_plan_init(sync);
    sync_nudges_init(sync);
    site->source->known = is_known;
    site->source->known_ctx = sync;
    site->gate = gatekeeper_new(site->source, world->alarms, world->clock, on_news, sync);
    alarm_set(world->alarms, &sync->alarm, sync_now_ms(sync), on_alarm, sync);
    return sync;
}

void sync_free(struct sync *sync)
{
    if (!sync)
        return;
    alarm_off(&sync->alarm);
    source_cancel(sync->site->source, &sync->walk);
    gate_cancel(&sync->suspects);
    sync_nudges_clear(sync);
    sync_plan_clear(sync);
    gatekeeper_free(sync->site->gate);
    sync->site->gate = NULL;
    free(sync);
}

void sync_now(struct sync *sync)
{
    sync->want_full = true;
    if (!sync->walk)
        alarm_set(sync->world->alarms, &sync->alarm, sync_now_ms(sync), on_alarm, sync);
}

int64_t sync_last_walk_at_ms(const struct sync *sync)
{
    return sync->last_full_at_ms;
}

int64_t sync_stale_ms(const struct sync *sync)
{
    return sync->well_mono_ms == MOMENT_NONE ? -1 : clock_mono_ms(sync->world->clock) - sync->well_mono_ms;
}

const char *sync_failure(const struct sync *sync)
{
    return sync->failure.kind == ERROR_NONE ? NULL : sync->failure.text;
}

bool sync_busy(const struct sync *sync)
{
    return sync->walk != NULL;
}
