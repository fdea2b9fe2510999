#include "feed.h"
#include "alarm.h"
#include "calendar.h"
#include "store_bench.h"

#define OPENS_MS (DUE_MS + 5 * HOUR_MS)

/* A daemon without all that is not about calendars: one site, whose clock the test moves. */
struct daemon {
    struct bench store;
    struct world world;
    struct world_site site;
    struct site_settings settings;
    struct log log;
    struct crypt_keys keys;
    struct calendar_texts *texts;
};

/* Until nothing is in flight and nothing rings. */
static void settle(struct daemon *daemon)
{
    for (unsigned quiet = 0; quiet < 3;) {
        bool busy = daemon->store.loop.active_reqs.count > 0 || store_pending(daemon->store.store) > 0;
        alarms_run(daemon->world.alarms);
        uv_run(&daemon->store.loop, busy ? UV_RUN_ONCE : UV_RUN_NOWAIT);
        quiet = busy ? 0 : quiet + 1;
    }
}

static void begin(struct daemon *daemon)
{
    const char *root = getenv("ONSALE_SOURCE");
    static char folder[400];
    const char *folders[] = {folder, NULL};
    struct error err = {0};

    bench_open(&daemon->store);
    snprintf(folder, sizeof folder, "%s/templates", root ? root : ".");
    log_init(&daemon->log, LOG_ERROR + 1);
    daemon->settings =
        (struct site_settings){.name = "arena",
                               .language = "en",
                               .time_zone = "Europe/Vilnius",
                               .feed = {.name = "", .refresh_ms = HOUR_MS, .keep_ms = DAY_MS, .keep_past_ms = DAY_MS}};
    daemon->site = (struct world_site){.name = (char *)(uintptr_t) "arena", .settings = &daemon->settings};
    daemon->world = (struct world){.clock = &daemon->store.clock,
                                   .store = daemon->store.store,
                                   .log = &daemon->log,
                                   .keys = &daemon->keys,
                                   .zones = zones_new(),
                                   .locales = locales_new(&err),
                                   .sites = &daemon->site,
                                   .site_count = 1};
    daemon->world.clock_known = true;
    daemon->world.alarms = alarms_new(&daemon->store.loop, &daemon->store.clock, &err);
    daemon->texts = calendar_texts_load(folders, &err);
    if (!daemon->texts || !(daemon->world.feed = feed_new(&daemon->world, &daemon->store.loop, &err)))
        fail_msg("%s", err.text);
}

static void end(struct daemon *daemon)
{
    feed_free(daemon->world.feed);
    definitions_clear(&daemon->site.definitions);
    openings_clear(&daemon->world.openings);
    calendar_texts_free(daemon->texts);
    alarms_close(daemon->world.alarms);
    zones_free(daemon->world.zones);
    locales_free(daemon->world.locales);
    bench_close(&daemon->store);
}

static void sell_event(struct daemon *daemon, const char *event_id, int64_t opens_at_ms)
{
    definitions_put(&daemon->site.definitions, definition_new(&(struct definition){.site = "arena",
                                                                                   .id = event_id,
                                                                                   .event_id = event_id,
                                                                                   .name = "Hall",
                                                                                   .event_title = "Summer",
                                                                                   .event_status = EVENT_UPCOMING,
                                                                                   .sale_starts_at_ms = opens_at_ms,
                                                                                   .sale_ends_at_ms = MOMENT_NONE,
                                                                                   .event_starts_at_ms = MOMENT_NONE}));
    openings_update(&daemon->world.openings, "arena", event_id, &daemon->site.definitions);
    const struct opening *opening = openings_of(&daemon->world.openings, "arena", event_id);
    store_apply(
        daemon->store.store,
        &(struct store_change){
            .openings = &opening, .opening_count = 1, .first_walk_at_ms = MOMENT_NONE, .watermark_ms = MOMENT_NONE},
        NULL, NULL);
    feed_touch(daemon->world.feed, "arena", event_id);
}

static void sell(struct daemon *daemon, int64_t opens_at_ms)
{
    sell_event(daemon, "e", opens_at_ms);
}

static void pass(struct daemon *daemon, int64_t ms)
{
    daemon->store.ahead_ms += ms;
    settle(daemon);
}

static bool shows(struct daemon *daemon, const char *text)
{
    struct text calendar = feed_body_plain(feed_of_site(daemon->world.feed, "arena"));

    return memmem(calendar.ptr, calendar.len, text, strlen(text)) != NULL;
}

/* The disk takes its time: until it has what is new, what was shown is shown; and who holds a calendar keeps it. */
static void only_what_is_on_disk_is_shown(void **state)
{
    static struct daemon daemon;
    sqlite3 *lock = NULL;
    char uid[CALENDAR_UID_SIZE];
    (void)state;

    bench_init(&daemon.store);
    begin(&daemon);
    feed_configure(daemon.world.feed, daemon.texts, "Arena");
    sell(&daemon, OPENS_MS);
    settle(&daemon);
    daemon.store.ahead_ms += MINUTE_MS;
    struct feed_body *held = feed_body_hold(feed_of_site(daemon.world.feed, "arena"));
    assert_int_equal(sqlite3_open(daemon.store.db, &lock), SQLITE_OK);
    assert_int_equal(sqlite3_exec(lock, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    alarms_run(daemon.world.alarms); /* the quiet is over, */
    alarms_run(daemon.world.alarms); /* it is written, and waits for the disk */
    for (int i = 0; i < 20; i++) {
        uv_run(&daemon.store.loop, UV_RUN_NOWAIT);
        uv_sleep(2);
    }
    assert_int_equal(store_pending(daemon.store.store), 1);
    assert_false(shows(&daemon, "BEGIN:VEVENT"));
    assert_null(feed_of_event(daemon.world.feed, "arena", "e"));
    assert_int_equal(sqlite3_exec(lock, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(lock);
    settle(&daemon);
    assert_true(shows(&daemon, "SUMMARY:On sale: Summer\r\n"));
    calendar_uid(&daemon.keys, "arena", 1, uid);
    assert_true(shows(&daemon, uid));
    assert_int_equal(feed_body_count(feed_of_event(daemon.world.feed, "arena", "e")), 1);
    assert_null(feed_of_event(daemon.world.feed, "arena", "f"));
    assert_null(feed_of_event(daemon.world.feed, "arena", ""));
    assert_null(feed_of_site(daemon.world.feed, "else"));
    assert_int_equal(feed_body_count(held), 0);
    end(&daemon);
    feed_body_drop(held); /* it outlives who made it */
    bench_clear(&daemon.store);
}

/* What was stored is there at the next start, before anything is known of the site. */
static void what_was_stored_is_shown(void **state)
{
    static struct daemon daemon;
    char etag[2][FEED_ETAG_SIZE];
    (void)state;

    bench_init(&daemon.store);
    for (int start = 0; start < 2; start++) {
        begin(&daemon);
        feed_configure(daemon.world.feed, daemon.texts, "Arena");
        if (start == 0) {
            sell(&daemon, OPENS_MS);
            settle(&daemon);
            daemon.store.ahead_ms += MINUTE_MS;
            settle(&daemon);
        }
        const struct feed_body *body = feed_of_site(daemon.world.feed, "arena");
        assert_int_equal(feed_body_count(body), 1);
        assert_int_equal(feed_body_modified_at_ms(body), DUE_MS + MINUTE_MS);
        strcpy(etag[start], feed_body_etag(body, true));
        end(&daemon);
    }
    assert_string_equal(etag[0], etag[1]);
    bench_clear(&daemon.store);
}

/* Gone in the middle of everything: a body on the pool, a change on its way to the disk. */
static void it_may_go_at_any_time(void **state)
{
    static struct daemon daemon;
    (void)state;

    bench_init(&daemon.store);
    begin(&daemon);
    feed_configure(daemon.world.feed, daemon.texts, "Arena");
    sell(&daemon, OPENS_MS);
    settle(&daemon);
    daemon.store.ahead_ms += MINUTE_MS;
    for (int i = 0; i < 3; i++)
        alarms_run(daemon.world.alarms);
    assert_int_equal(store_pending(daemon.store.store), 1);
    end(&daemon);
    begin(&daemon); /* that change was carried out: it is known, though nobody was told */
    feed_configure(daemon.world.feed, daemon.texts, "Arena");
    assert_int_equal(feed_body_count(feed_of_site(daemon.world.feed, "arena")), 1);
    feed_configure(daemon.world.feed, NULL, NULL);
    assert_int_equal(feed_body_count(feed_of_site(daemon.world.feed, "arena")), 1);
    feed_configure(daemon.world.feed, daemon.texts, "Another");
    end(&daemon);
    bench_clear(&daemon.store);
}

/* What the first walk brought is shown whole or not at all; later changes hold nothing up. */
static void a_first_calendar_is_whole(void **state)
{
    static struct daemon daemon;
    (void)state;

    bench_init(&daemon.store);
    begin(&daemon);
    feed_configure(daemon.world.feed, daemon.texts, "Arena");
    daemon.site.first_walked_at_ms = MOMENT_NONE;
    sell_event(&daemon, "e", OPENS_MS);
    pass(&daemon, 30 * SECOND_MS);
    sell_event(&daemon, "f", OPENS_MS);
    pass(&daemon, 40 * SECOND_MS);
    assert_int_equal(feed_body_count(feed_of_site(daemon.world.feed, "arena")), 1);
    assert_false(feed_is_published(daemon.world.feed, "arena")); /* a walk that is half done, for whatever reason */
    daemon.site.first_walked_at_ms = DUE_MS + daemon.store.ahead_ms;
    assert_false(feed_is_published(daemon.world.feed, "arena"));
    pass(&daemon, 30 * SECOND_MS);
    assert_int_equal(feed_body_count(feed_of_site(daemon.world.feed, "arena")), 2);
    assert_true(feed_is_published(daemon.world.feed, "arena"));
    sell_event(&daemon, "g", OPENS_MS);
    assert_true(feed_is_published(daemon.world.feed, "arena"));
    assert_false(feed_is_published(daemon.world.feed, "moon"));
    end(&daemon);
    begin(&daemon);
    feed_configure(daemon.world.feed, daemon.texts, "Arena");
    assert_true(feed_is_published(daemon.world.feed, "arena"));
    end(&daemon);
    bench_clear(&daemon.store);
}

/* A busy shop is never quiet as a whole: what changed behind its first walk is not waited for. */
static void a_busy_shop_is_published(void **state)
{
    static struct daemon daemon;
    (void)state;

    bench_init(&daemon.store);
    begin(&daemon);
    feed_configure(daemon.world.feed, daemon.texts, "Arena");
    daemon.site.first_walked_at_ms = DUE_MS;
    sell_event(&daemon, "e", OPENS_MS);
    pass(&daemon, 50 * SECOND_MS);
    assert_false(feed_is_published(daemon.world.feed, "arena"));
    pass(&daemon, 20 * SECOND_MS);
    sell_event(&daemon, "f", OPENS_MS);
    settle(&daemon);
    assert_true(feed_is_published(daemon.world.feed, "arena"));
    end(&daemon);
    bench_clear(&daemon.store);
}

/* The disk is full while a sale moves there and back: what was written of it in between is never shown. */
static void what_could_not_be_stored_is_written_anew(void **state)
{
    static struct daemon daemon;
    sqlite3 *lock = NULL;
    (void)state;

    bench_init(&daemon.store);
    begin(&daemon);
    feed_configure(daemon.world.feed, daemon.texts, "Arena");
    sell(&daemon, OPENS_MS);
    pass(&daemon, 2 * MINUTE_MS);
    assert_true(shows(&daemon, "DTSTART:20270326T130000Z\r\n"));
    assert_int_equal(sqlite3_open(daemon.store.db, &lock), SQLITE_OK);
    assert_int_equal(sqlite3_exec(lock,
                                  "CREATE TRIGGER full BEFORE UPDATE ON calendar_entry BEGIN SELECT RAISE(ABORT,"
                                  " 'no room'); END",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sell(&daemon, OPENS_MS + HOUR_MS);
    pass(&daemon, 2 * MINUTE_MS);
    sell(&daemon, OPENS_MS);
    pass(&daemon, 2 * MINUTE_MS);
    assert_int_equal(sqlite3_exec(lock, "DROP TRIGGER full", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(lock);
    pass(&daemon, 2 * MINUTE_MS);
    assert_true(shows(&daemon, "DTSTART:20270326T130000Z\r\n"));
    assert_true(shows(&daemon, "SEQUENCE:0\r\n"));
    assert_false(shows(&daemon, "Moved"));
    end(&daemon);
    bench_clear(&daemon.store);
}

/* Written anew in the very turn in which it leaves, and as it was: it goes all the same. */
static void it_leaves_while_it_is_written(void **state)
{
    static struct daemon daemon;
    (void)state;

    bench_init(&daemon.store);
    begin(&daemon);
    feed_configure(daemon.world.feed, daemon.texts, "Arena");
    sell(&daemon, OPENS_MS);
    pass(&daemon, 2 * MINUTE_MS);
    pass(&daemon, OPENS_MS + DAY_MS - DUE_MS - 3 * MINUTE_MS);
    feed_touch(daemon.world.feed, "arena", "e");
    settle(&daemon);
    assert_true(shows(&daemon, "BEGIN:VEVENT"));
    pass(&daemon, MINUTE_MS);
    pass(&daemon, SECOND_MS);
    assert_false(shows(&daemon, "BEGIN:VEVENT"));
    end(&daemon);
    bench_clear(&daemon.store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_on_disk_is_shown), cmocka_unit_test(what_was_stored_is_shown),
        cmocka_unit_test(it_may_go_at_any_time),         cmocka_unit_test(a_first_calendar_is_whole),
        cmocka_unit_test(a_busy_shop_is_published),      cmocka_unit_test(what_could_not_be_stored_is_written_anew),
        cmocka_unit_test(it_leaves_while_it_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
