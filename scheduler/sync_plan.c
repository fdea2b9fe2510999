/* From what the site said to what is planned: event by event, so that a change costs what it touches and a large one
 * lets others have their turn in between. What belongs to an event changes and is stored together. */
#include "feed.h"
#include "follow.h"
#include "launch.h"
#include "news.h"
#include "sync_private.h"

#include <string.h>

enum {
    SLICE_MS = 1,               /* of the loop for planning, before others have their turn */
    PLANNED_AT_ONCE = 1000,     /* events, in the turn in which a walk ends: to take more has cost it milliseconds */
    STORED_TOGETHER = 1000,     /* rows in one transaction, to the end of an event: about ten milliseconds */
    STORE_LATER_MS = SECOND_MS, /* what nobody decides by, and what could not be stored */
};

/* --- Touched events ----------------------------------------------------------------------------------------------- */

static uint64_t hash_of_event(const void *item)
{
    return index_hash(INDEX_HASH, ((const struct touched *)item)->event_id);
}

static bool same_event(const void *a, const void *b)
{
    return strcmp(((const struct touched *)a)->event_id, ((const struct touched *)b)->event_id) == 0;
}

static const struct index_kind by_event = {hash_of_event, same_event};

static void touched_init(struct touched_events *events)
{
    *events = (struct touched_events){.last = &events->first};
}

static struct touched *touched_find(const struct touched_events *events, const char *event_id)
{
    return index_find(&events->by_id, &by_event, &(struct touched){.event_id = (char *)(uintptr_t)event_id});
}

static void touched_append(struct touched_events *events, struct touched *touched)
{
    touched->next = NULL;
    touched->link = events->last;
    *events->last = touched;
    events->last = &touched->next;
    events->count++;
    index_put(&events->by_id, &by_event, touched);
}

static void touched_take(struct touched_events *events, struct touched *touched)
{
    *touched->link = touched->next;
    if (touched->next)
        touched->next->link = touched->link;
    else
        events->last = touched->link;
    events->count--;
    index_remove(&events->by_id, &by_event, touched);
}

static struct touched *touched_get(struct touched_events *events, const char *event_id)
{
    struct touched *touched = touched_find(events, event_id);

    if (!touched) {
        touched = must_calloc(1, sizeof *touched);
        touched->event_id = must_strdup(event_id);
        touched_append(events, touched);
    }
    return touched;
}

static void touched_free(struct touched *touched)
{
    for (size_t i = 0; i < touched->count; i++)
        definition_free(touched->news[i]);
    free(touched->news);
    free(touched->event_id);
    free(touched);
}

/* Moves it there, where it may be already. */
static void touched_move(struct touched *touched, struct touched_events *from, struct touched_events *to)
{
    touched_take(from, touched);
    if (touched_find(to, touched->event_id))
        touched_free(touched);
    else
        touched_append(to, touched);
}

static void touched_clear(struct touched_events *events)
{
    for (struct touched *touched = events->first, *next; touched; touched = next) {
        next = touched->next;
        touched_free(touched);
    }
    index_clear(&events->by_id);
    touched_init(events);
}

/* --- The mirror --------------------------------------------------------------------------------------------------- */

bool sync_is_news(const struct sync *sync, const struct definition *fresh)
{
    const struct definition *known = definitions_find(&sync->site->definitions, fresh->id);

    return !known || (fresh->revision >= known->revision && (!definition_same(fresh, known) || known->suspect));
}

void sync_touch(struct sync *sync, const char *event_id)
{
    touched_get(&sync->unplanned, event_id);
}

void sync_take(struct sync *sync, struct definition *fresh)
{
    struct touched *touched = touched_get(&sync->unplanned, fresh->event_id);

    if ((touched->count & (touched->count - 1)) == 0) /* room for the next power of two */
        touched->news = must_realloc(touched->news, (touched->count ? 2 * touched->count : 1) * sizeof *touched->news);
    touched->news[touched->count++] = fresh;
}

/* What a walk brought before is older than this. */
static void forget_news_of(struct sync *sync, const struct definition *fresh)
{
    struct touched *touched = touched_find(&sync->unplanned, fresh->event_id);

    for (size_t i = 0; touched && i < touched->count; i++)
        if (touched->news[i] && strcmp(touched->news[i]->id, fresh->id) == 0 &&
            touched->news[i]->revision <= fresh->revision) {
            definition_free(touched->news[i]);
            touched->news[i] = NULL;
        }
}

/* Whether its event is to be planned again. */
static bool put_into_mirror(struct sync *sync, struct definition *fresh)
{
    const struct definition *known = definitions_find(&sync->site->definitions, fresh->id);
    const char *site = sync->site->settings->name;
    bool plans = !known || !definition_plans_same(fresh, known);

    if (!known || !definition_reads_same(fresh, known))
        feed_touch(sync->world->feed, site, fresh->event_id);
    if (known && strcmp(known->event_id, fresh->event_id) != 0) {
        feed_touch(sync->world->feed, site, known->event_id);
        sync_touch(sync, known->event_id);
    }
    fresh->unsaved = true;
    fresh->walk = known ? known->walk : sync->walk_number;
    touched_get(&sync->unstored, fresh->event_id);
    definitions_put(&sync->site->definitions, fresh);
    return plans;
}

void sync_take_now(struct sync *sync, struct definition *fresh)
{
    forget_news_of(sync, fresh);
    if (put_into_mirror(sync, fresh))
        sync_touch(sync, fresh->event_id);
}

void sync_drop(struct sync *sync, const char *id)
{
    const struct definition *known = definitions_find(&sync->site->definitions, id);

    if (!known)
        return;
    feed_touch(sync->world->feed, sync->site->settings->name, known->event_id);
    sync_touch(sync, known->event_id);
    sync->removed = must_realloc(sync->removed, (sync->removed_count + 1) * sizeof *sync->removed);
    sync->removed[sync->removed_count++] = must_strdup(id);
    definitions_remove(&sync->site->definitions, id);
}

/* --- Planning -------------------------------------------------------------------------------------------------------
 */

static void make_plan(struct sync *sync, const char *event_id, struct plan *plan)
{
    struct world *world = sync->world;
    struct plan_rule *rules = must_calloc(world->rule_count + 1, sizeof *rules);

    for (size_t i = 0; i < world->rule_count; i++)
        rules[i] = world->rules[i].plan;
    plan_make(&(struct plan_input){.site = sync->site->settings->name,
                                   .event = event_id,
                                   .site_zone = sync->site->settings->time_zone,
                                   .first_walked_at_ms = sync->site->first_walked_at_ms,
                                   .definitions = &sync->site->definitions,
                                   .rules = rules,
                                   .rule_count = world->rule_count,
                                   .notices = &world->notices,
                                   .zone = world_zone,
                                   .zone_ctx = world,
                                   .now_ms = sync_now_ms(sync),
                                   .frozen = !world_clock_sure(world)},
              plan);
    free(rules);
}

static void plan_event(struct sync *sync, struct touched *touched)
{
    struct world *world = sync->world;
    const char *site = sync->site->settings->name;
    struct plan plan = {0};

    for (size_t i = 0; i < touched->count; i++) {
        if (touched->news[i] && sync_is_news(sync, touched->news[i]))
            put_into_mirror(sync, touched->news[i]);
        else
            definition_free(touched->news[i]);
        touched->news[i] = NULL;
    }
    if (openings_update(&world->openings, site, touched->event_id, &sync->site->definitions) > 0) {
        news_openings(world, site, touched->event_id);
        feed_touch(world->feed, site, touched->event_id);
    }
    make_plan(sync, touched->event_id, &plan);
    follow_plan(world, site, &plan);
    plan_clear(&plan);
    launches_touch(world->launches, site, touched->event_id);
    touched_move(touched, &sync->unplanned, &sync->unstored);
}

static void request_apply(struct sync *sync);
static void on_store_soon(void *ctx);

static void on_plan_soon(void *ctx)
{
    sync_plan(ctx);
}

void sync_plan(struct sync *sync)
{
    const struct clock *clock = sync->world->clock;
    int64_t until_ms = clock_mono_ms(clock) + SLICE_MS;

    while (sync->unplanned.first && clock_mono_ms(clock) <= until_ms)
        plan_event(sync, sync->unplanned.first);
    if (sync->unplanned.first)
        alarm_set(sync->world->alarms, &sync->plan_soon, sync_now_ms(sync), on_plan_soon, sync);
    request_apply(sync);
}

void sync_plan_walk(struct sync *sync)
{
    if (sync->unplanned.count <= PLANNED_AT_ONCE)
        sync_plan(sync);
    else
        alarm_set(sync->world->alarms, &sync->plan_soon, sync_now_ms(sync), on_plan_soon, sync);
}

void sync_plan_first(struct sync *sync, const char *const *event_ids, size_t count)
{
    bool planned = false;

    for (size_t i = 0; i < count; i++) {
        struct touched *touched = touched_find(&sync->unplanned, event_ids[i]);
        if (touched)
            plan_event(sync, touched);
        planned |= touched != NULL;
    }
    if (planned)
        sync_plan(sync);
    else if (sync->unstored.first && !alarm_is_set(&sync->store_soon)) /* nobody decides by it */
        alarm_set(sync->world->alarms, &sync->store_soon, sync_now_ms(sync) + STORE_LATER_MS, on_store_soon, sync);
}

void sync_touch_all(struct sync *sync)
{
    const struct world *world = sync->world;
    const char *site = sync->site->settings->name;

    for (size_t i = 0; i < sync->site->definitions.count; i++)
        sync_touch(sync, sync->site->definitions.at[i]->event_id);
    for (size_t i = 0; i < world->notices.count; i++)
        if (strcmp(world->notices.at[i]->site, site) == 0)
            sync_touch(sync, world->notices.at[i]->subject);
    for (size_t i = 0; i < world->openings.count; i++)
        if (world->openings.at[i]->state == OPENING_SCHEDULED && strcmp(world->openings.at[i]->site, site) == 0)
            sync_touch(sync, world->openings.at[i]->event_id);
}

void sync_replan(struct sync *sync)
{
    sync_touch_all(sync);
    while (sync->unplanned.first)
        plan_event(sync, sync->unplanned.first);
    request_apply(sync);
}

/* --- Storing --------------------------------------------------------------------------------------------------------
 */

static void on_applied(void *ctx, const struct error *failure);

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

/* What one transaction takes. */
struct rows {
    const struct definition **put;
    const struct notice **notices;
    const struct opening **openings;
    size_t put_count, notice_count, opening_count, cap;
};

static void rows_reserve(struct rows *rows, size_t more)
{
    size_t most = rows->put_count > rows->notice_count ? rows->put_count : rows->notice_count;

    most = rows->opening_count > most ? rows->opening_count : most;
    if (most + more <= rows->cap)
        return;
    rows->cap = 2 * (most + more);
    rows->put = must_realloc(rows->put, rows->cap * sizeof *rows->put);
    rows->notices = must_realloc(rows->notices, rows->cap * sizeof *rows->notices);
    rows->openings = must_realloc(rows->openings, rows->cap * sizeof *rows->openings);
}

static void add_rows(struct sync *sync, const char *event_id, struct rows *rows)
{
    const char *site = sync->site->settings->name;
    struct definition *const *at;
    size_t count = definitions_of_event(&sync->site->definitions, event_id, &at);

    rows_reserve(rows, count);
    for (size_t i = 0; i < count; i++)
        if (at[i]->unsaved) {
            at[i]->unsaved = false;
            rows->put[rows->put_count++] = at[i];
        }
    for (struct notice *notice = notices_about(&sync->world->notices, site, event_id); notice; notice = notice->next)
        if (notice->unsaved) {
            rows_reserve(rows, 1);
            notice->unsaved = false;
            rows->notices[rows->notice_count++] = notice;
        }
    for (struct opening *o = openings_of(&sync->world->openings, site, event_id); o; o = o->next)
        if (o->dirty) {
            rows_reserve(rows, 1);
            o->dirty = false;
            rows->openings[rows->opening_count++] = o;
        }
}

/* Everything that changed since it was last stored; of much, the next part. */
static void request_apply(struct sync *sync)
{
    struct world *world = sync->world;
    const char *site = sync->site->settings->name;
    struct rows rows = {0};

    if (sync->applying)
        return; /* on_applied() comes back to it */
    while (sync->unstored.first && rows.put_count + rows.notice_count + rows.opening_count < STORED_TOGETHER) {
        add_rows(sync, sync->unstored.first->event_id, &rows);
        touched_move(sync->unstored.first, &sync->unstored, &sync->storing);
    }
    bool all = !sync->unstored.first && !sync->unplanned.first;
    forget_returned(sync);
    sync->storing_facts = all && sync->facts_due;
    if (rows.put_count + rows.notice_count + rows.opening_count + sync->removed_count > 0 || sync->storing_facts) {
        sync->applying = store_apply(
            world->store,
            &(struct store_change){.put = rows.put,
                                   .put_count = rows.put_count,
                                   .notices = rows.notices,
                                   .notice_count = rows.notice_count,
                                   .openings = rows.openings,
                                   .opening_count = rows.opening_count,
                                   .removed_site = site,
                                   .removed = (const char *const *)sync->removed,
                                   .removed_count = sync->removed_count,
                                   .site = sync->storing_facts ? site : NULL,
                                   .first_walk_at_ms = sync->storing_facts && sync->first_walk_now
                                                           ? sync->site->first_walked_at_ms
                                                           : MOMENT_NONE,
                                   .watermark_ms = sync->storing_facts ? sync->site->watermark_ms : MOMENT_NONE,
                                   .now_ms = sync_now_ms(sync)},
            on_applied, sync);
        sync->removing_count = sync->removed_count;
    } else {
        touched_clear(&sync->storing); /* nothing of them is new to the disk */
    }
    free(rows.put);
    free(rows.notices);
    free(rows.openings);
}

static void on_store_soon(void *ctx)
{
    request_apply(ctx);
}

/* The memory is ahead of the disk then: what was to be written is written once more, soon. */
static void apply_failed(struct sync *sync, const struct error *failure)
{
    struct world *world = sync->world;
    const char *site = sync->site->settings->name;

    log_line(world->log, LOG_ERROR, "event=store_failed site=%s error=%s", site, LOG_QUOTED(text_of(failure->text)));
    while (sync->storing.first) {
        const char *event_id = sync->storing.first->event_id;
        struct definition *const *at;
        size_t count = definitions_of_event(&sync->site->definitions, event_id, &at);
        for (size_t i = 0; i < count; i++)
            at[i]->unsaved = true;
        for (struct notice *notice = notices_about(&world->notices, site, event_id); notice; notice = notice->next)
            notice->unsaved = true;
        for (struct opening *o = openings_of(&world->openings, site, event_id); o; o = o->next)
            o->dirty = true;
        touched_move(sync->storing.first, &sync->storing, &sync->unstored);
    }
    sync->removing_count = 0;
    alarm_set(world->alarms, &sync->store_soon, sync_now_ms(sync) + STORE_LATER_MS, on_store_soon, sync);
}

static void on_applied(void *ctx, const struct error *failure)
{
    struct sync *sync = ctx;

    sync->applying = NULL;
    if (failure) {
        apply_failed(sync, failure);
        return;
    }
    if (sync->storing_facts) {
        if (sync->first_walk_now)
            feed_walked(sync->world->feed, sync->site->name);
        sync->first_walk_now = sync->facts_due = false;
    }
    touched_clear(&sync->storing);
    forget_removed(sync, sync->removing_count);
    bool waits = sync->unstored.first && !alarm_is_set(&sync->store_soon);
    if (waits || sync->facts_due || sync->removed_count > 0)
        request_apply(sync);
}

/* --- The whole ------------------------------------------------------------------------------------------------------
 */

void sync_plan_init(struct sync *sync)
{
    touched_init(&sync->unplanned);
    touched_init(&sync->unstored);
    touched_init(&sync->storing);
}

void sync_plan_clear(struct sync *sync)
{
    alarm_off(&sync->plan_soon);
    alarm_off(&sync->store_soon);
    store_cancel(&sync->applying);
    forget_removed(sync, sync->removed_count);
    free(sync->removed);
    touched_clear(&sync->unplanned);
    touched_clear(&sync->unstored);
    touched_clear(&sync->storing);
}
