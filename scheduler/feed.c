#include "crypt.h"
#include "feed_private.h"

#include <string.h>

/* --- Entries ------------------------------------------------------------------------------------------------------ */

static uint64_t hash_of_opening(const void *item)
{
    uint64_t hash = (uint64_t)((const struct entry *)item)->row.opening * UINT64_C(0x9E3779B97F4A7C15);

    return hash ^ hash >> 32;
}

static bool same_opening(const void *a, const void *b)
{
    return ((const struct entry *)a)->row.opening == ((const struct entry *)b)->row.opening;
}

static const struct index_kind by_opening = {hash_of_opening, same_opening};

struct entry *feed_entry(const struct feed *feed, int64_t opening)
{
    return index_find(&feed->entries, &by_opening, &(struct entry){.row = {.opening = opening}});
}

static struct entry *entry_new(const struct store_entry *row)
{
    static const size_t texts[] = {offsetof(struct store_entry, site), offsetof(struct store_entry, event_id),
                                   offsetof(struct store_entry, uid),  offsetof(struct store_entry, title),
                                   offsetof(struct store_entry, url),  offsetof(struct store_entry, place),
                                   offsetof(struct store_entry, zone)};
    size_t size = sizeof(struct entry);

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        size += strlen(*(const char *const *)((const char *)row + texts[i])) + 1;
    struct entry *entry = must_calloc(1, size);
    char *behind = (char *)(entry + 1);
    entry->row = *row;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const char **text = (const char **)((char *)&entry->row + texts[i]);
        char *end = stpcpy(behind, *text) + 1;
        *text = behind;
        behind = end;
    }
    if (row->text.len > 0)
        entry->shown = feed_event_new(row->uid, row->opens_at_ms, row->text);
    entry->row.text = entry->shown ? entry->shown->text : (struct text){0};
    return entry;
}

static void entry_free(struct entry *entry)
{
    if (!entry)
        return;
    feed_event_drop(entry->shown);
    free(entry);
}

/* --- Calendars ---------------------------------------------------------------------------------------------------- */

static uint64_t hash_of_calendar(const void *item)
{
    const struct calendar *calendar = item;

    return index_hash(index_hash(INDEX_HASH, calendar->site), calendar->event_id);
}

static bool same_calendar(const void *a, const void *b)
{
    const struct calendar *x = a, *y = b;

    return strcmp(x->event_id, y->event_id) == 0 && strcmp(x->site, y->site) == 0;
}

static const struct index_kind by_place = {hash_of_calendar, same_calendar};

static struct calendar *find_calendar(const struct feed *feed, const char *site, const char *event_id)
{
    return index_find(&feed->calendars, &by_place,
                      &(struct calendar){.site = (char *)(uintptr_t)site, .event_id = (char *)(uintptr_t)event_id});
}

struct calendar *feed_calendar(struct feed *feed, const char *site, const char *event_id)
{
    struct calendar *calendar = find_calendar(feed, site, event_id);

    if (calendar)
        return calendar;
    calendar = must_calloc(1, sizeof *calendar);
    *calendar = (struct calendar){.site = must_strdup(site),
                                  .event_id = must_strdup(event_id),
                                  .changed_at_ms = MOMENT_NONE,
                                  .changes_at_ms = MOMENT_NONE,
                                  .stale = true,
                                  .next = feed->first};
    feed->first = calendar;
    index_put(&feed->calendars, &by_place, calendar);
    return calendar;
}

/* Where it stands, or would stand. */
static size_t place_of(const struct calendar *calendar, const struct feed_event *event)
{
    size_t low = 0, high = calendar->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (feed_event_order(calendar->at[middle]->shown, event) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void calendar_put(struct calendar *calendar, struct entry *entry)
{
    size_t place = place_of(calendar, entry->shown);

    if (calendar->count == calendar->room) {
        calendar->room = calendar->room ? 2 * calendar->room : 4;
        calendar->at = must_realloc(calendar->at, calendar->room * sizeof(struct entry *));
    }
    memmove(calendar->at + place + 1, calendar->at + place, (calendar->count - place) * sizeof(struct entry *));
    calendar->at[place] = entry;
    calendar->count++;
    calendar->stale = true;
}

static void calendar_remove(struct calendar *calendar, const struct entry *entry)
{
    size_t place = place_of(calendar, entry->shown);

    calendar->count--;
    memmove(calendar->at + place, calendar->at + place + 1, (calendar->count - place) * sizeof(struct entry *));
    calendar->stale = true;
}

void feed_take(struct feed *feed, const struct store_entry *row)
{
    struct calendar *both[] = {feed_calendar(feed, row->site, ""), feed_calendar(feed, row->site, row->event_id)};
    struct entry *entry = entry_new(row), *had = index_put(&feed->entries, &by_opening, entry);

    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        if (had && had->shown)
            calendar_remove(both[i], had);
        if (entry->shown)
            calendar_put(both[i], entry);
    }
    entry_free(had);
    feed_forget_said(feed, row);
}

/* --- Bodies ------------------------------------------------------------------------------------------------------- */

struct calendar_style feed_style(const struct feed *feed, const struct site_settings *settings)
{
    return (struct calendar_style){.texts = feed->texts,
                                   .locales = feed->world->locales,
                                   .language = settings->language,
                                   .sender_name = feed->sender_name,
                                   .alarm_ms = settings->feed.alarm_ms};
}

int feed_frame(const struct calendar_style *style, const struct site_settings *settings, const char *event_title,
               struct buf *head, struct buf *foot, struct error *err)
{
    calendar_add_foot(foot);
    return calendar_add_head(head, style, settings->feed.name, event_title, settings->feed.refresh_ms, err);
}

/* A body on its way: what the pool reads is its own, or never changes. */
struct making {
    uv_work_t work;
    struct feed *feed; /* NULL: it is gone */
    struct calendar *calendar;
    struct feed_event **events;
    struct buf head, foot;
    struct feed_body_spec spec;
    struct feed_body *before, *made;
    struct error err;
    int64_t took_us;
};

static void making_free(struct making *making)
{
    for (size_t i = 0; i < making->spec.count; i++)
        feed_event_drop(making->events[i]);
    free(making->events);
    buf_clear(&making->head);
    buf_clear(&making->foot);
    feed_body_drop(making->before);
    feed_body_drop(making->made);
    free(making);
}

/* NULL: the frame cannot be written. */
static struct making *making_new(struct feed *feed, struct calendar *calendar, struct error *err)
{
    const struct world_site *site = world_site(feed->world, calendar->site);
    struct making *making = must_calloc(1, sizeof *making);

    making->feed = feed;
    making->calendar = calendar;
    making->work.data = making;
    buf_init(&making->head, CALENDAR_EVENT_MAX);
    buf_init(&making->foot, CALENDAR_EVENT_MAX);
    struct calendar_style style = feed_style(feed, site->settings);
    const char *title = *calendar->event_id && calendar->count > 0 ? calendar->at[0]->row.title : "";
    if (feed_frame(&style, site->settings, title, &making->head, &making->foot, err) < 0) {
        making_free(making);
        return NULL;
    }
    making->events = must_calloc(calendar->count + 1, sizeof(struct feed_event *));
    for (size_t i = 0; i < calendar->count; i++)
        making->events[i] = feed_event_hold(calendar->at[i]->shown);
    making->before = calendar->body ? feed_body_hold(calendar->body) : NULL;
    making->spec =
        (struct feed_body_spec){.head = buf_text(&making->head),
                                .foot = buf_text(&making->foot),
                                .events = making->events,
                                .count = calendar->count,
                                .modified_at_ms = calendar->changed_at_ms == MOMENT_NONE ? 0 : calendar->changed_at_ms,
                                .before = making->before};
    return making;
}

static void make_body(struct making *making)
{
    uint64_t start = uv_hrtime();

    making->made = feed_body_make(&making->spec, &making->err);
    making->took_us = (int64_t)((uv_hrtime() - start) / 1000);
}

/* The last good one stays when it could not be made. */
static void take_body(struct making *making)
{
    struct feed *feed = making->feed;
    struct calendar *calendar = making->calendar;

    if (!making->made) {
        log_line(feed->world->log, LOG_ERROR, "event=feed_failed site=%s error=%s", calendar->site,
                 LOG_QUOTED(text_of(making->err.text)));
        return;
    }
    feed_body_drop(calendar->body);
    calendar->body = making->made;
    making->made = NULL;
    feed->counts.bodies++;
    feed->counts.last_body_us = making->took_us;
}

static void on_pool(uv_work_t *work)
{
    make_body(work->data);
    crypt_leave_thread();
}

static void on_made(uv_work_t *work, int status)
{
    struct making *making = work->data;
    struct feed *feed = making->feed;

    (void)status;
    if (feed) {
        feed->making = NULL;
        take_body(making);
    }
    making_free(making);
    if (!feed)
        return;
    feed_refresh(feed);
    feed_mark_whole(feed);
}

bool feed_is_fresh(const struct feed *feed, const struct calendar *calendar)
{
    return calendar->body && !calendar->stale && !(feed->making && feed->making->calendar == calendar);
}

static bool is_served(const struct feed *feed, const struct calendar *calendar)
{
    return calendar->configured && feed->texts && world_site(feed->world, calendar->site);
}

/* On this thread: what is small, and what is asked for before there is any. */
static void make_now(struct feed *feed, struct calendar *calendar)
{
    struct error err = {0};
    struct making *making = making_new(feed, calendar, &err);

    calendar->stale = false;
    if (!making) {
        log_line(feed->world->log, LOG_ERROR, "event=feed_failed site=%s error=%s", calendar->site,
                 LOG_QUOTED(text_of(err.text)));
        return;
    }
    make_body(making);
    take_body(making);
    making_free(making);
}

void feed_refresh(struct feed *feed)
{
    for (size_t i = 0; i < feed->world->site_count && !feed->making; i++) {
        struct calendar *calendar = feed_calendar(feed, feed->world->sites[i].name, "");
        struct error err = {0};
        if (!calendar->stale || !is_served(feed, calendar))
            continue;
        if (!calendar->published && !feed_is_complete(feed, calendar))
            continue;            /* nobody is shown a part */
        calendar->stale = false; /* until it changes again */
        feed->making = making_new(feed, calendar, &err);
        if (!feed->making)
            log_line(feed->world->log, LOG_ERROR, "event=feed_failed site=%s error=%s", calendar->site,
                     LOG_QUOTED(text_of(err.text)));
        else
            uv_queue_work(feed->loop, &feed->making->work, on_pool, on_made);
    }
}

/* --- Asking ------------------------------------------------------------------------------------------------------- */

struct feed_body *feed_of_site(struct feed *feed, const char *site)
{
    const struct calendar *calendar = find_calendar(feed, site, "");

    return calendar && calendar->configured ? calendar->body : NULL;
}

struct feed_body *feed_of_event(struct feed *feed, const char *site, const char *event_id)
{
    const struct calendar *whole = find_calendar(feed, site, "");
    struct calendar *calendar = *event_id ? find_calendar(feed, site, event_id) : NULL;

    if (!calendar || !whole || !whole->configured || calendar->changed_at_ms == MOMENT_NONE)
        return NULL;
    if (calendar->stale && is_served(feed, whole))
        make_now(feed, calendar);
    return calendar->body;
}

bool feed_is_published(const struct feed *feed, const char *site)
{
    const struct calendar *calendar = find_calendar(feed, site, "");

    return calendar && calendar->configured && calendar->published && calendar->body;
}

struct feed_counts feed_counts(const struct feed *feed)
{
    struct feed_counts counts = feed->counts;

    counts.waiting = feed->waiting.count;
    counts.events = 0;
    for (size_t i = 0; i < feed->world->site_count; i++) {
        const struct calendar *calendar = find_calendar(feed, feed->world->sites[i].name, "");
        counts.events += calendar ? calendar->count : 0;
    }
    return counts;
}

/* --- Beginning and end -------------------------------------------------------------------------------------------- */

static int read_store(struct feed *feed, struct error *err)
{
    struct store_calendars known;
    struct arena arena = {0};
    int rc = store_calendars(feed->world->store, NULL, &arena, &known, err);

    for (size_t i = 0; rc == 0 && i < known.entry_count; i++) {
        feed_take(feed, &known.entries[i]);
        feed_await_leaving(feed, known.entries[i].leaves_at_ms);
    }
    for (size_t i = 0; rc == 0 && i < known.change_count; i++) {
        struct calendar *calendar = feed_calendar(feed, known.changes[i].site, known.changes[i].event_id);
        calendar->changed_at_ms = known.changes[i].at_ms;
    }
    for (size_t i = 0; rc == 0 && i < known.published_count; i++)
        feed_calendar(feed, known.published[i], "")->published = true;
    for (size_t i = 0; rc == 0 && i < known.said_count; i++)
        feed_recall_said(feed, &known.said[i]);
    arena_clear(&arena);
    return rc;
}

struct feed *feed_new(struct world *world, uv_loop_t *loop, struct error *err)
{
    struct feed *feed = must_calloc(1, sizeof *feed);

    *feed = (struct feed){.world = world, .loop = loop, .sender_name = ""};
    feed_publish_init(feed);
    if (read_store(feed, err) == 0)
        return feed;
    feed_free(feed);
    return NULL;
}

void feed_configure(struct feed *feed, const struct calendar_texts *texts, const char *sender_name)
{
    if (!feed)
        return;
    feed->texts = texts;
    feed->sender_name = sender_name ? sender_name : "";
    if (!texts) {
        alarm_off(&feed->touch);
        return;
    }
    for (struct calendar *calendar = feed->first; calendar; calendar = calendar->next) {
        calendar->configured = false;
        calendar->stale = true; /* what stands around may have changed */
    }
    for (size_t i = 0; i < feed->world->site_count; i++) {
        struct calendar *calendar = feed_calendar(feed, feed->world->sites[i].name, "");
        calendar->configured = true;
        if (!calendar->body && !feed->begun) /* nobody waits for the loop yet */
            make_now(feed, calendar);
    }
    feed->begun = true;
    feed_refresh(feed);
    feed_touch_all(feed);
    feed_work_on(feed);
}

static void calendar_free(struct calendar *calendar)
{
    feed_body_drop(calendar->body);
    free(calendar->at);
    free(calendar->site);
    free(calendar->event_id);
    free(calendar);
}

void feed_free(struct feed *feed)
{
    if (!feed)
        return;
    feed_publish_clear(feed);
    if (feed->making)
        feed->making->feed = NULL;
    for (struct calendar *calendar = feed->first, *next; calendar; calendar = next) {
        next = calendar->next;
        calendar_free(calendar);
    }
    for (size_t i = 0; i < feed->entries.size; i++)
        entry_free(feed->entries.at[i]);
    index_clear(&feed->entries);
    index_clear(&feed->calendars);
    feed_clear_said(feed);
    free(feed);
}
