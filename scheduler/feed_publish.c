/* How calendars change: what changed waits until its event has been quiet for a minute, so that five tickets moved by
 * hand are one move; then its openings are written anew (feed_write.c), and what reads differently is stored and shown.
 */
#include "feed_private.h"

#include <string.h>

static void on_marked(void *ctx, const struct error *failure);

enum {
    QUIET_MS = MINUTE_MS,
    PATIENCE_MS = 10 * MINUTE_MS, /* of constant change */
    SLICE_MS = 1,                 /* of the loop for writing, before others have their turn */
    TOGETHER = 150,               /* openings in one change: a millisecond or two of the loop */
    PACE_MS = SECOND_MS,          /* between two changes: what HTTP says of them counts in seconds */
    SPREAD = 32,                  /* events that become due in the same millisecond, of all there are */
    AGAIN_MS = 5 * SECOND_MS,     /* what could not be stored */
    DOUBT_MS = 5 * MINUTE_MS,     /* the clock may be wrong: nothing leaves */
};

/* An event that changed. */
struct waiting {
    struct feed *feed;
    char *site, *event_id;
    int64_t first_ms; /* when it did, for the first time since it was written */
    bool first;       /* its site's calendar is not whole without it */
    struct alarm alarm;
    struct waiting *next; /* of those that are due */
};

static void on_touch(void *ctx);
static void on_work(void *ctx);
static void on_leave(void *ctx);
static void on_stored(void *ctx, const struct error *failure);

static void work_in(struct feed *feed, int64_t wait_ms)
{
    int64_t pace_ms = feed->not_before_ms == MOMENT_NONE ? 0 : feed->not_before_ms - feed_now_ms(feed);

    if (pace_ms > wait_ms && pace_ms <= PACE_MS) /* more: somebody has set the clock */
        wait_ms = pace_ms;
    alarm_set(feed->world->alarms, &feed->work, feed_now_ms(feed) + wait_ms, on_work, feed);
}

void feed_work_on(struct feed *feed)
{
    if (!feed->storing && (feed->due || feed->leaving || feed->draft_count > 0))
        work_in(feed, 0);
}

/* --- The quiet ---------------------------------------------------------------------------------------------------- */

static uint64_t hash_of_waiting(const void *item)
{
    const struct waiting *waiting = item;

    return index_hash(index_hash(INDEX_HASH, waiting->site), waiting->event_id);
}

static bool same_waiting(const void *a, const void *b)
{
    const struct waiting *x = a, *y = b;

    return strcmp(x->event_id, y->event_id) == 0 && strcmp(x->site, y->site) == 0;
}

static const struct index_kind by_place = {hash_of_waiting, same_waiting};

static struct waiting *find_waiting(const struct feed *feed, const char *site, const char *event_id)
{
    struct waiting like = {.site = (char *)(uintptr_t)site, .event_id = (char *)(uintptr_t)event_id};

    return index_find(&feed->waiting, &by_place, &like);
}

int64_t feed_waits_since(const struct feed *feed, const char *site, const char *event_id)
{
    const struct waiting *waiting = find_waiting(feed, site, event_id);

    for (const struct waiting *due = feed->due; due && !waiting; due = due->next)
        if (strcmp(due->event_id, event_id) == 0 && strcmp(due->site, site) == 0)
            waiting = due;
    return waiting ? waiting->first_ms : MOMENT_NONE;
}

static void waiting_free(struct waiting *waiting)
{
    alarm_off(&waiting->alarm);
    free(waiting->site);
    free(waiting->event_id);
    free(waiting);
}

static void on_quiet(void *ctx)
{
    struct waiting *waiting = ctx;
    struct feed *feed = waiting->feed;

    index_remove(&feed->waiting, &by_place, waiting);
    *feed->last_due = waiting;
    feed->last_due = &waiting->next;
    feed_work_on(feed);
}

static void touch(struct feed *feed, const char *site, const char *event_id, int64_t spread_ms)
{
    int64_t at_ms = feed_now_ms(feed);
    struct waiting *waiting = find_waiting(feed, site, event_id);
    if (!waiting) {
        waiting = must_calloc(1, sizeof *waiting);
        *waiting = (struct waiting){.feed = feed, .first_ms = at_ms};
        waiting->site = must_strdup(site);
        waiting->event_id = must_strdup(event_id);
        index_put(&feed->waiting, &by_place, waiting);
    }
    if (waiting->first_ms > at_ms) /* the clock was set back */
        waiting->first_ms = at_ms;
    int64_t latest_ms = waiting->first_ms + PATIENCE_MS, quiet_ms = at_ms + QUIET_MS + spread_ms;
    alarm_set(feed->world->alarms, &waiting->alarm, quiet_ms < latest_ms ? quiet_ms : latest_ms, on_quiet, waiting);
}

void feed_touch(struct feed *feed, const char *site, const char *event_id)
{
    if (feed)
        touch(feed, site, event_id, 0);
}

void feed_clock_stepped(struct feed *feed, int64_t step_ms)
{
    if (!feed)
        return;
    for (size_t i = 0; i < feed->waiting.size; i++) {
        struct waiting *waiting = feed->waiting.at[i];
        if (!waiting)
            continue;
        waiting->first_ms += step_ms;
        alarm_set(feed->world->alarms, &waiting->alarm, waiting->alarm.at_ms + step_ms, on_quiet, waiting);
    }
    if (feed->leaves_at_ms != MOMENT_NONE) /* it may have been put off by the clock before */
        alarm_set(feed->world->alarms, &feed->leave, feed->leaves_at_ms, on_leave, feed);
    feed->not_before_ms = MOMENT_NONE;
    if (alarm_is_set(&feed->touch))
        alarm_set(feed->world->alarms, &feed->touch, feed_now_ms(feed), on_touch, feed);
    feed_work_on(feed);
}

void feed_end_quiet(struct feed *feed, const char *site, const char *event_id)
{
    struct waiting *waiting = find_waiting(feed, site, event_id);

    if (!waiting)
        return;
    alarm_off(&waiting->alarm);
    on_quiet(waiting);
}

/* The first opening that is not touched yet. */
static size_t first_untouched(const struct feed *feed)
{
    const struct openings *openings = &feed->world->openings;
    size_t low = 0, high = openings->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (openings->at[middle]->id <= feed->touched)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void on_touch(void *ctx)
{
    struct feed *feed = ctx;
    const struct openings *openings = &feed->world->openings;
    int64_t until_ms = clock_mono_ms(feed->world->clock) + SLICE_MS;

    for (size_t i = first_untouched(feed); i < openings->count; i++) {
        const struct opening *opening = openings->at[i];
        if (i % TOGETHER == 0 && clock_mono_ms(feed->world->clock) > until_ms) {
            alarm_set(feed->world->alarms, &feed->touch, feed_now_ms(feed), on_touch, feed);
            return;
        }
        if (world_site(feed->world, opening->site))
            touch(feed, opening->site, opening->event_id, (int64_t)i / SPREAD);
        feed->touched = opening->id;
    }
    for (size_t i = 0; i < feed->world->site_count; i++)
        if (feed->world->sites[i].first_walked_at_ms != MOMENT_NONE)
            feed_walked(feed, feed->world->sites[i].name); /* by a daemon before this one */
}

void feed_touch_all(struct feed *feed)
{
    feed->touched = 0;
    alarm_set(feed->world->alarms, &feed->touch, feed_now_ms(feed), on_touch, feed);
}

/* --- The first time ----------------------------------------------------------------------------------------------- */

/* Whatever waits by now belongs to the first calendar, and what changes later does not, for a busy shop is never quiet
 * as a whole. */
void feed_walked(struct feed *feed, const char *site)
{
    struct calendar *calendar = feed ? feed_calendar(feed, site, "") : NULL;

    if (!calendar || calendar->counted || calendar->published)
        return;
    for (size_t i = 0; i < feed->waiting.size; i++) {
        struct waiting *waiting = feed->waiting.at[i];
        if (waiting && strcmp(waiting->site, site) == 0)
            waiting->first = true;
    }
    calendar->counted = true;
    feed_refresh(feed);
    feed_mark_whole(feed);
}

bool feed_is_complete(const struct feed *feed, const struct calendar *calendar)
{
    if (!calendar->counted)
        return false;
    for (size_t i = 0; i < feed->draft_count; i++)
        if (strcmp(feed->drafts[i].site, calendar->site) == 0)
            return false;
    for (const struct waiting *due = feed->due; due; due = due->next)
        if (strcmp(due->site, calendar->site) == 0)
            return false;
    for (size_t i = 0; i < feed->waiting.size; i++) {
        const struct waiting *waiting = feed->waiting.at[i];
        if (waiting && waiting->first && strcmp(waiting->site, calendar->site) == 0)
            return false;
    }
    return true;
}

/* From here on it is served, in this life and the next ones. */
static void on_marked(void *ctx, const struct error *failure)
{
    struct feed *feed = ctx;
    struct calendar *calendar = feed->marked;

    feed->marking = NULL;
    if (failure) {
        log_line(feed->world->log, LOG_ERROR, "event=feed_not_published site=%s error=%s", calendar->site,
                 LOG_QUOTED(text_of(failure->text)));
        work_in(feed, AGAIN_MS);
        return;
    }
    calendar->published = true;
    log_line(feed->world->log, LOG_INFO, "event=feed_published site=%s openings=%zu", calendar->site, calendar->count);
    feed_refresh(feed);
    feed_mark_whole(feed);
}

void feed_mark_whole(struct feed *feed)
{
    for (size_t i = 0; i < feed->world->site_count && !feed->marking; i++) {
        struct calendar *calendar = feed_calendar(feed, feed->world->sites[i].name, "");
        if (calendar->published || !feed_is_fresh(feed, calendar) || !feed_is_complete(feed, calendar))
            continue;
        feed->marked = calendar;
        feed->marking = store_publish(
            feed->world->store,
            &(struct store_calendars){.published = (const char *const[]){calendar->site}, .published_count = 1},
            on_marked, feed);
    }
}

/* --- Leaving ------------------------------------------------------------------------------------------------------ */

void feed_await_leaving(struct feed *feed, int64_t leaves_at_ms)
{
    if (leaves_at_ms == MOMENT_NONE || (feed->leaves_at_ms != MOMENT_NONE && feed->leaves_at_ms <= leaves_at_ms))
        return;
    feed->leaves_at_ms = leaves_at_ms;
    alarm_set(feed->world->alarms, &feed->leave, leaves_at_ms, on_leave, feed);
}

static void on_leave(void *ctx)
{
    struct feed *feed = ctx;

    if (!world_clock_sure(feed->world)) { /* a clock that is a year ahead would empty the calendars */
        alarm_set(feed->world->alarms, &feed->leave, feed_now_ms(feed) + DOUBT_MS, on_leave, feed);
        return;
    }
    feed->leaving = true;
    feed_work_on(feed);
}

static void draft_leaving(struct feed *feed)
{
    int64_t at_ms = feed_now_ms(feed);

    feed->leaving = false;
    feed->leaves_at_ms = MOMENT_NONE;
    for (size_t i = 0; i < feed->entries.size; i++) {
        const struct entry *entry = feed->entries.at[i];
        if (!entry || !feed_is_shown(&entry->row))
            continue;
        if (entry->row.leaves_at_ms > at_ms || feed->draft_count >= TOGETHER) {
            feed_await_leaving(feed, entry->row.leaves_at_ms);
            continue;
        }
        if (feed_latest(feed, entry->row.opening) != &entry->row)
            continue; /* what could not be stored yet says when it leaves */
        struct store_entry row = entry->row;
        row.leaves_at_ms = MOMENT_NONE;
        row.text = (struct text){0};
        feed_add_draft(feed, &row);
    }
}

/* --- Storing ------------------------------------------------------------------------------------------------------ */

/* Somebody may have read it. */
static bool is_published(struct feed *feed, const char *site)
{
    return feed_calendar(feed, site, "")->published;
}

/* The calendars that read differently by the drafts, with when they changed. */
static size_t find_changes(struct feed *feed, struct store_calendar_change *out)
{
    int64_t at_ms = feed_second(feed_now_ms(feed));
    size_t count = 0;

    for (size_t i = 0; i < feed->draft_count; i++) {
        const struct store_entry *draft = &feed->drafts[i];
        const struct store_entry *known = feed_known(feed, draft->opening);
        const char *events[] = {"", draft->event_id};
        if (feed_is_shown(known) && text_equal(known->text, draft->text))
            continue; /* it will leave at another time */
        for (size_t k = 0; k < ARRAY_LEN(events); k++) {
            struct calendar *calendar = feed_calendar(feed, draft->site, events[k]);
            if (calendar->changes_at_ms != MOMENT_NONE)
                continue;
            calendar->changes_at_ms =
                is_published(feed, draft->site) ? feed_later_than(at_ms, calendar->changed_at_ms) : at_ms;
            out[count++] = (struct store_calendar_change){calendar->site, calendar->event_id, calendar->changes_at_ms};
        }
    }
    return count;
}

static void request_store(struct feed *feed)
{
    struct store_calendar_change *changes = must_calloc(2 * feed->draft_count + 1, sizeof *changes);
    size_t count = find_changes(feed, changes);

    for (size_t i = 0; i < feed->draft_count; i++)
        if (is_published(feed, feed->drafts[i].site))
            feed->not_before_ms = feed_now_ms(feed) + PACE_MS;
    feed->storing = store_publish(
        feed->world->store,
        &(struct store_calendars){
            .entries = feed->drafts, .entry_count = feed->draft_count, .changes = changes, .change_count = count},
        on_stored, feed);
    free(changes);
}

static void end_changes(struct feed *feed, bool stored)
{
    for (size_t i = 0; i < feed->draft_count; i++) {
        const char *events[] = {"", feed->drafts[i].event_id};
        for (size_t k = 0; k < ARRAY_LEN(events); k++) {
            struct calendar *calendar = feed_calendar(feed, feed->drafts[i].site, events[k]);
            if (stored && calendar->changes_at_ms != MOMENT_NONE)
                calendar->changed_at_ms = calendar->changes_at_ms;
            calendar->changes_at_ms = MOMENT_NONE;
        }
    }
}

static void forget_drafts(struct feed *feed)
{
    feed->draft_count = 0;
    arena_clear(&feed->arena);
}

/* Only what is on disk is shown. */
static void on_stored(void *ctx, const struct error *failure)
{
    struct feed *feed = ctx;

    feed->storing = NULL;
    end_changes(feed, !failure);
    if (failure) {
        log_line(feed->world->log, LOG_ERROR, "event=feed_not_stored openings=%zu error=%s", feed->draft_count,
                 LOG_QUOTED(text_of(failure->text)));
        work_in(feed, AGAIN_MS);
        return;
    }
    for (size_t i = 0; i < feed->draft_count; i++) {
        feed_take(feed, &feed->drafts[i]);
        feed_await_leaving(feed, feed->drafts[i].leaves_at_ms);
    }
    feed->counts.changes += (int64_t)feed->draft_count;
    log_line(feed->world->log, LOG_INFO, "event=feed openings=%zu", feed->draft_count);
    forget_drafts(feed);
    feed_refresh(feed);
    feed_mark_whole(feed);
    feed_work_on(feed);
}

static struct waiting *next_due(struct feed *feed)
{
    struct waiting *waiting = feed->due;

    feed->due = waiting->next;
    if (!feed->due)
        feed->last_due = &feed->due;
    return waiting;
}

static void on_work(void *ctx)
{
    struct feed *feed = ctx;
    const struct clock *clock = feed->world->clock;
    int64_t until_ms = clock_mono_ms(clock) + SLICE_MS;

    if (feed->storing || !feed->texts)
        return; /* on_stored() and feed_configure() come back to it */
    if (feed->leaving)
        draft_leaving(feed);
    while (feed->due && feed->draft_count < TOGETHER && clock_mono_ms(clock) <= until_ms) {
        struct waiting *waiting = next_due(feed);
        feed_write_event(feed, waiting->site, waiting->event_id, waiting->first_ms);
        waiting_free(waiting);
    }
    if (feed->due && feed->draft_count < TOGETHER)
        work_in(feed, 0);
    else if (feed->draft_count > 0)
        request_store(feed);
    else
        arena_clear(&feed->arena);
    if (!feed->due && feed->draft_count == 0) {
        feed_refresh(feed);
        feed_mark_whole(feed);
    }
}

/* --- Beginning and end -------------------------------------------------------------------------------------------- */

void feed_publish_init(struct feed *feed)
{
    feed->last_due = &feed->due;
    feed->leaves_at_ms = MOMENT_NONE;
    feed->not_before_ms = MOMENT_NONE;
}

void feed_publish_clear(struct feed *feed)
{
    alarm_off(&feed->work);
    alarm_off(&feed->leave);
    alarm_off(&feed->touch);
    store_cancel(&feed->storing);
    store_cancel(&feed->marking);
    for (size_t i = 0; i < feed->waiting.size; i++)
        if (feed->waiting.at[i])
            waiting_free(feed->waiting.at[i]);
    index_clear(&feed->waiting);
    while (feed->due)
        waiting_free(next_due(feed));
    free(feed->drafts);
    arena_clear(&feed->arena);
}
