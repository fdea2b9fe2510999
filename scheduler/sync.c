#include "sync.h"

#include "estimate.h"
#include "follow.h"
#include "gatekeeper.h"
#include "launch.h"
#include "news.h"

#include <string.h>

enum {
    OVERLAP_MS = 5 * MINUTE_MS,       /* a watermark is asked again from so much earlier */
    FAILED_AGAIN_MS = 15 * SECOND_MS, /* after a failed walk, then doubling up to poll_every */
    GATE_QUIET_MS = 15 * SECOND_MS,   /* no full walk may begin so close before something is due */
    SUSPECTS_MAX = 50,                /* asked about by id after one walk */
    STEP_MAX_MS = 5 * MINUTE_MS,      /* a larger step of the clock freezes what cannot be taken back */
};

struct sync {
    struct world *world;
    struct world_site *site;
    struct alarm alarm;
    struct source_request *walk;
    bool walking_full;
    bool want_full;
    struct gate_question *suspects;
    struct store_job *applying;
    bool again;               /* something changed while a change was on its way to the disk */
    struct alarm store_again; /* after a change that could not be stored */
    char **removed;           /* ids of definitions that went, until that is on disk */
    size_t removed_count;
    size_t removing_count; /* so many of them, the first, are in the change on its way */
    bool first_walk_now;
    int64_t last_full_at_ms, failures;
    int64_t well_mono_ms; /* when a walk last succeeded; MOMENT_NONE before the first */
    struct error failure;
    struct error bad_why; /* last said of records that could not be read */
};

static void on_alarm(void *ctx);
static void request_walk(struct sync *sync, int64_t now_ms);
static void on_walk(void *ctx, struct source_walk *walk);
static void request_suspects(struct sync *sync);
static void on_suspects(void *ctx, const struct gate_answer *answer);
static void request_apply(struct sync *sync);
static void on_applied(void *ctx, const struct error *failure);

static int64_t now_of(const struct sync *sync)
{
    return clock_now_ms(sync->world->clock);
}

static void forget_removed(struct sync *sync, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(sync->removed[i]);
    sync->removed_count -= count;
    for (size_t i = 0; i < sync->removed_count; i++)
        sync->removed[i] = sync->removed[i + count];
    sync->removing_count = 0;
}

/* Who went and came back before that was stored is not removed. */
static void forget_returned(struct sync *sync)
{
    size_t kept = 0;

    for (size_t i = 0; i < sync->removed_count; i++)
        if (definitions_find(&sync->site->definitions, sync->removed[i]))
            free(sync->removed[i]);
        else
            sync->removed[kept++] = sync->removed[i];
    sync->removed_count = kept;
}

/* --- Merging --------------------------------------------------------------------------------------------------------
 */

/* Takes a record when it is news: a higher revision, or the same with other content (events change without their
 * definitions). Lower ones are stale answers. Returns whether anything changed. */
static bool merge(struct sync *sync, struct definition **slot)
{
    struct definition *fresh = *slot;
    const struct definition *known = definitions_find(&sync->site->definitions, fresh->id);

    if (known && (fresh->revision < known->revision || (definition_same(fresh, known) && !known->suspect)))
        return false;
    *slot = NULL;
    fresh->unsaved = true;
    definitions_put(&sync->site->definitions, fresh);
    return true;
}

static void drop(struct sync *sync, const char *id)
{
    sync->removed = must_realloc(sync->removed, (sync->removed_count + 1) * sizeof *sync->removed);
    sync->removed[sync->removed_count++] = must_strdup(id);
    definitions_remove(&sync->site->definitions, id);
}

static bool in_walk(const struct source_walk *walk, const char *id)
{
    size_t low = 0, high = walk->count;

    while (low < high) { /* sorted by id in on_walk() */
        size_t middle = (low + high) / 2;
        int order = strcmp(walk->definitions[middle]->id, id);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = 0; i < walk->unreadable_count; i++)
        if (strcmp(walk->unreadable[i], id) == 0)
            return true; /* it is there; what it says could not be read */
    return false;
}

static int by_id(const void *a, const void *b)
{
    return strcmp((*(struct definition *const *)a)->id, (*(struct definition *const *)b)->id);
}

/* Absence from a complete walk makes a definition suspect; a second one ends it. Get's 404 may end it sooner. */
static bool suspect_absent(struct sync *sync, const struct source_walk *walk)
{
    struct definitions *known = &sync->site->definitions;
    const char *gone[256];
    size_t gone_count = 0;
    bool suspects = false;

    for (size_t i = 0; i < known->count; i++) {
        struct definition *definition = known->at[i];
        if (in_walk(walk, definition->id))
            continue;
        if (definition->suspect && gone_count < ARRAY_LEN(gone)) {
            gone[gone_count++] = definition->id;
        } else if (!definition->suspect) {
            definition->suspect = definition->unsaved = suspects = true;
        }
    }
    for (size_t i = 0; i < gone_count; i++) {
        log_line(sync->world->log, LOG_INFO, "event=definition_gone site=%s definition=%s how=walk",
                 sync->site->settings->name, gone[i]);
        drop(sync, gone[i]);
    }
    if (suspects)
        request_suspects(sync);
    return suspects || gone_count > 0;
}

/* The mirror takes what the gate heard before anybody decides by it. */
static void on_news(void *ctx, const struct source_answer *answer)
{
    struct sync *sync = ctx;
    bool changed = false;

    for (size_t i = 0; i < answer->count; i++)
        if (answer->verdicts[i] == SOURCE_GONE && definitions_find(&sync->site->definitions, answer->ids[i])) {
            drop(sync, answer->ids[i]);
            changed = true;
        } else if (answer->verdicts[i] == SOURCE_FOUND) {
            /* The askers look at the answer's own record: the mirror takes a copy. */
            struct definition *copy = definition_new(answer->definitions[i]);
            changed |= merge(sync, &copy);
            definition_free(copy);
        }
    if (changed)
        sync_replan(sync);
}

/* --- Walking --------------------------------------------------------------------------------------------------------
 */

/* Full walks stand still around a gate, so that its requests find the budget and the line free. */
static bool gate_is_near(const struct sync *sync, int64_t now_ms)
{
    const struct notices *notices = &sync->world->notices;

    if (gatekeeper_busy(sync->site->gate))
        return true;
    for (size_t i = 0; i < notices->count; i++) {
        const struct notice *notice = notices->at[i];
        if (notice->state == NOTICE_READY && strcmp(notice->site, sync->site->settings->name) == 0 &&
            now_ms >= notice->due_at_ms - GATE_QUIET_MS && now_ms < notice->due_at_ms + GATE_QUIET_MS)
            return true;
    }
    return false;
}

static void on_alarm(void *ctx)
{
    struct sync *sync = ctx;

    request_walk(sync, now_of(sync));
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
    if (full && !changed && gate_is_near(sync, now_ms) && sync->last_full_at_ms != MOMENT_NONE) {
        alarm_set(sync->world->alarms, &sync->alarm, now_ms + SECOND_MS, on_alarm, sync);
        return;
    }
    int64_t since_ms =
        full || sync->site->watermark_ms == MOMENT_NONE ? MOMENT_NONE : sync->site->watermark_ms - OVERLAP_MS;
    sync->walking_full = since_ms == MOMENT_NONE;
    sync->want_full &= !sync->walking_full;
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
    log_line(sync->world->log, news ? LOG_WARNING : LOG_INFO, "event=walk_failed site=%s times=%lld error=%s",
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
    if (world->launches)
        launches_clock_stepped(world->launches);
}

/* The site's own clock is the judge of a step of ours. */
static bool clock_agrees(struct sync *sync, const struct source_walk *walk)
{
    struct world *world = sync->world;

    if (walk->server_date_ms == MOMENT_NONE)
        return false;
    int64_t ahead_ms = walk->answered_at_ms - walk->server_date_ms;
    sync->site->clock_ahead_ms = ahead_ms;
    if (!world->frozen || ahead_ms <= -STEP_MAX_MS || ahead_ms >= STEP_MAX_MS)
        return false;
    world->frozen = false;
    news_frozen(world);
    log_line(world->log, LOG_NOTICE, "event=clock_agreed site=%s ahead_ms=%lld", sync->site->settings->name,
             (long long)ahead_ms);
    return true;
}

static void on_walk(void *ctx, struct source_walk *walk)
{
    struct sync *sync = ctx;
    int64_t now_ms = now_of(sync);
    bool changed = clock_agrees(sync, walk); /* what was put off while the clock was in doubt is decided now */

    sync->walk = NULL;
    if (walk->count > 0)
        qsort(walk->definitions, walk->count, sizeof(struct definition *), by_id);
    note_bad(sync, walk);
    if (walk->complete && sync->walking_full && walk->bad <= walk->unreadable_count)
        changed |= suspect_absent(sync, walk); /* a record without an id might be anybody's */
    for (size_t i = 0; i < walk->count; i++)
        changed |= merge(sync, &walk->definitions[i]);
    if (walk->complete) {
        if (sync->failure.kind != ERROR_NONE) {
            news_site(sync->world, sync->site->settings->name, NULL);
            log_line(sync->world->log, LOG_NOTICE, "event=walk_well site=%s", sync->site->settings->name);
        }
        sync->failure = (struct error){0};
        sync->failures = 0;
        note_well(sync);
        if (walk->watermark_ms != MOMENT_NONE && walk->watermark_ms > sync->site->watermark_ms)
            sync->site->watermark_ms = walk->watermark_ms;
        if (sync->walking_full) {
            log_line(sync->world->log, changed ? LOG_INFO : LOG_DEBUG, "event=walked site=%s definitions=%zu ms=%lld",
                     sync->site->settings->name, walk->count, (long long)(now_ms - walk->asked_at_ms));
            sync->last_full_at_ms = now_ms;
            if (sync->site->first_walked_at_ms == MOMENT_NONE) {
                sync->site->first_walked_at_ms = now_ms;
                sync->first_walk_now = changed = true;
            }
        }
    } else {
        note_failure(sync, walk);
    }
    walk_later(sync, now_ms);
    if (changed)
        sync_replan(sync);
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

/* --- Planning -------------------------------------------------------------------------------------------------------
 */

void sync_replan(struct sync *sync)
{
    struct world *world = sync->world;
    struct plan_rule *rules = must_calloc(world->rule_count, sizeof *rules);
    struct plan plan = {0};

    for (size_t i = 0; i < world->rule_count; i++)
        rules[i] = world->rules[i].plan;
    openings_update(&world->openings, sync->site->settings->name, &sync->site->definitions);
    news_openings(world);
    plan_make(&(struct plan_input){.site = sync->site->settings->name,
                                   .site_zone = sync->site->settings->time_zone,
                                   .first_walked_at_ms = sync->site->first_walked_at_ms,
                                   .definitions = &sync->site->definitions,
                                   .rules = rules,
                                   .rule_count = world->rule_count,
                                   .notices = &world->notices,
                                   .zone = world_zone,
                                   .zone_ctx = world,
                                   .now_ms = now_of(sync),
                                   .frozen = world->frozen},
              &plan);
    follow_plan(world, sync->site->settings->name, &plan);
    plan_clear(&plan);
    free(rules);
    request_apply(sync);
    launches_update(world->launches);
}

/* --- Storing --------------------------------------------------------------------------------------------------------
 */

/* Everything that changed since the last apply, as one transaction. */
static void request_apply(struct sync *sync)
{
    struct world *world = sync->world;
    const char *site = sync->site->settings->name;
    const struct definition **put = must_calloc(sync->site->definitions.count + 1, sizeof *put);
    const struct notice **notices = must_calloc(world->notices.count + 1, sizeof *notices);
    const struct opening **openings = must_calloc(world->openings.count + 1, sizeof *openings);
    struct store_change change = {.put = put, .notices = notices, .openings = openings};

    if (sync->applying) {
        sync->again = true;
    } else {
        for (size_t i = 0; i < sync->site->definitions.count; i++)
            if (sync->site->definitions.at[i]->unsaved) {
                sync->site->definitions.at[i]->unsaved = false;
                put[change.put_count++] = sync->site->definitions.at[i];
            }
        for (size_t i = 0; i < world->notices.count; i++)
            if (world->notices.at[i]->unsaved && strcmp(world->notices.at[i]->site, site) == 0) {
                world->notices.at[i]->unsaved = false;
                notices[change.notice_count++] = world->notices.at[i];
            }
        for (size_t i = 0; i < world->openings.count; i++)
            if (world->openings.at[i]->dirty) {
                world->openings.at[i]->dirty = false;
                openings[change.opening_count++] = world->openings.at[i];
            }
        forget_returned(sync);
        change.removed_site = change.site = site;
        change.removed = (const char *const *)sync->removed;
        change.removed_count = sync->removed_count;
        change.first_walk_at_ms = sync->first_walk_now ? sync->site->first_walked_at_ms : MOMENT_NONE;
        change.watermark_ms = sync->site->watermark_ms;
        change.now_ms = now_of(sync);
        sync->applying = store_apply(world->store, &change, on_applied, sync);
        sync->removing_count = sync->removed_count;
    }
    free(put);
    free(notices);
    free(openings);
}

static void on_store_again(void *ctx)
{
    request_apply(ctx);
}

/* The memory is ahead of the disk then: everything is written once more, soon. */
static void apply_failed(struct sync *sync, const struct error *failure)
{
    struct world *world = sync->world;

    log_line(world->log, LOG_ERROR, "event=store_failed site=%s error=%s", sync->site->settings->name,
             LOG_QUOTED(text_of(failure->text)));
    for (size_t i = 0; i < sync->site->definitions.count; i++)
        sync->site->definitions.at[i]->unsaved = true;
    for (size_t i = 0; i < world->notices.count; i++)
        world->notices.at[i]->unsaved = true;
    for (size_t i = 0; i < world->openings.count; i++)
        world->openings.at[i]->dirty = true;
    sync->again = false;
    alarm_set(world->alarms, &sync->store_again, now_of(sync) + SECOND_MS, on_store_again, sync);
}

static void on_applied(void *ctx, const struct error *failure)
{
    struct sync *sync = ctx;

    sync->applying = NULL;
    if (failure) {
        apply_failed(sync, failure);
        return;
    }
    sync->first_walk_now = false;
    forget_removed(sync, sync->removing_count);
    if (sync->again) {
        sync->again = false;
        request_apply(sync);
    }
}

/* --- The whole ------------------------------------------------------------------------------------------------------
 */

struct sync *sync_new(struct world *world, struct world_site *site)
{
    struct sync *sync = must_calloc(1, sizeof *sync);

    sync->world = world;
    sync->site = site;
    sync->last_full_at_ms = sync->well_mono_ms = MOMENT_NONE;
    site->gate = gatekeeper_new(site->source, world->alarms, world->clock, on_news, sync);
    alarm_set(world->alarms, &sync->alarm, now_of(sync), on_alarm, sync);
    return sync;
}

void sync_free(struct sync *sync)
{
    if (!sync)
        return;
    alarm_off(&sync->alarm);
    alarm_off(&sync->store_again);
    source_cancel(sync->site->source, &sync->walk);
    gate_cancel(&sync->suspects);
    store_cancel(&sync->applying);
    gatekeeper_free(sync->site->gate);
    sync->site->gate = NULL;
    forget_removed(sync, sync->removed_count);
    free(sync->removed);
    free(sync);
}

void sync_now(struct sync *sync)
{
    sync->want_full = true;
    if (!sync->walk)
        alarm_set(sync->world->alarms, &sync->alarm, now_of(sync), on_alarm, sync);
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
