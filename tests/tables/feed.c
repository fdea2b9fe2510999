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

/* Of a site that was walked before this daemon began; nothing of it is known, but for what is stored of its calendars.
 */
static void configure(struct daemon *daemon)
{
    feed_configure(daemon->world.feed, daemon->texts, "Arena");
}

static void start_again(struct daemon *daemon)
{
    end(daemon);
    begin(daemon);
    configure(daemon);
    settle(daemon);
}

/* Another program works with the state; "" does nothing. */
static sqlite3 *open_state(struct daemon *daemon, const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(daemon->store.db, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000); /* the store may be writing */
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static void close_state(sqlite3 *db, const char *sql)
{
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static int setup(void **state)
{
    static struct daemon daemon;

    *state = &daemon;
    bench_init(&daemon.store);
    begin(&daemon);
    configure(&daemon);
    settle(&daemon);
    return 0;
}

/* Nothing is known of the site. */
static void begin_first_walk(struct daemon *daemon)
{
    end(daemon);
    close_state(open_state(daemon, "DELETE FROM calendar_published"), "");
    begin(daemon);
    daemon->site.first_walked_at_ms = MOMENT_NONE;
    configure(daemon);
    settle(daemon);
}

static int teardown(void **state)
{
    struct daemon *daemon = *state;

    end(daemon);
    bench_clear(&daemon->store);
    return 0;
}

static const struct opening *sell_as(struct daemon *daemon, const char *event_id, const char *title,
                                     int64_t opens_at_ms)
{
    definitions_put(&daemon->site.definitions, definition_new(&(struct definition){.site = "arena",
                                                                                   .id = event_id,
                                                                                   .event_id = event_id,
                                                                                   .name = "Hall",
                                                                                   .event_title = title,
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
    return opening;
}

static void sell_event(struct daemon *daemon, const char *event_id, int64_t opens_at_ms)
{
    sell_as(daemon, event_id, "Summer", opens_at_ms);
}

static void sell(struct daemon *daemon, int64_t opens_at_ms)
{
    sell_event(daemon, "e", opens_at_ms);
}

static void sell_many(struct daemon *daemon, int count)
{
    char event_id[16];

    for (int i = 0; i < count; i++) {
        snprintf(event_id, sizeof event_id, "e%d", i);
        sell_event(daemon, event_id, OPENS_MS + i * MINUTE_MS);
    }
}

static void pass(struct daemon *daemon, int64_t ms)
{
    daemon->store.ahead_ms += ms;
    settle(daemon);
}

/* Until what changed is written and on its way to the disk. */
static void pass_until_it_is_stored(struct daemon *daemon, int64_t ms)
{
    settle(daemon);
    daemon->store.ahead_ms += ms;
    for (int i = 0; i < 3; i++)
        alarms_run(daemon->world.alarms);
    assert_int_equal(store_pending(daemon->store.store), 1);
}

static bool shows(struct daemon *daemon, const char *text)
{
    struct text calendar = feed_body_plain(feed_of_site(daemon->world.feed, "arena"));

    return memmem(calendar.ptr, calendar.len, text, strlen(text)) != NULL;
}

static size_t shown(struct daemon *daemon)
{
    return feed_body_count(feed_of_site(daemon->world.feed, "arena"));
}

static bool published(struct daemon *daemon)
{
    return feed_is_published(daemon->world.feed, "arena");
}

/* --- What is shown ------------------------------------------------------------------------------------------------ */

/* The disk takes its time: until it has what is new, what was shown is shown; and who holds a calendar keeps it. */
static void only_what_is_on_disk_is_shown(void **state)
{
    struct daemon *daemon = *state;
    char uid[CALENDAR_UID_SIZE];

    pass(daemon, 2 * MINUTE_MS);
    struct feed_body *held = feed_body_hold(feed_of_site(daemon->world.feed, "arena"));
    sell(daemon, OPENS_MS);
    settle(daemon);
    sqlite3 *lock = open_state(daemon, "BEGIN IMMEDIATE");
    pass_until_it_is_stored(daemon, MINUTE_MS);
    for (int i = 0; i < 20; i++) {
        uv_run(&daemon->store.loop, UV_RUN_NOWAIT);
        uv_sleep(2);
    }
    assert_int_equal(store_pending(daemon->store.store), 1);
    assert_false(shows(daemon, "BEGIN:VEVENT"));
    assert_null(feed_of_event(daemon->world.feed, "arena", "e"));
    close_state(lock, "COMMIT");
    settle(daemon);
    assert_true(shows(daemon, "SUMMARY:On sale: Summer\r\n"));
    calendar_uid(&daemon->keys, "arena", 1, uid);
    assert_true(shows(daemon, uid));
    assert_int_equal(feed_body_count(feed_of_event(daemon->world.feed, "arena", "e")), 1);
    assert_null(feed_of_event(daemon->world.feed, "arena", "f"));
    assert_null(feed_of_event(daemon->world.feed, "arena", ""));
    assert_null(feed_of_site(daemon->world.feed, "else"));
    assert_int_equal(feed_body_count(held), 0);
    feed_free(daemon->world.feed);
    daemon->world.feed = NULL;
    assert_int_equal(feed_body_count(held), 0); /* it outlives who made it */
    feed_body_drop(held);
}

/* What was stored is there at the next start, before anything is known of the site. */
static void what_was_stored_is_shown(void **state)
{
    struct daemon *daemon = *state;
    char etag[2][FEED_ETAG_SIZE];

    sell(daemon, OPENS_MS);
    pass(daemon, MINUTE_MS);
    for (int start = 0; start < 2; start++) {
        const struct feed_body *body = feed_of_site(daemon->world.feed, "arena");
        assert_int_equal(feed_body_count(body), 1);
        assert_int_equal(feed_body_modified_at_ms(body), DUE_MS + MINUTE_MS);
        strcpy(etag[start], feed_body_etag(body, true));
        assert_true(published(daemon));
        start_again(daemon);
    }
    assert_string_equal(etag[0], etag[1]);
}

/* Gone in the middle of everything: a body on the pool, a change on its way to the disk. */
static void it_may_go_at_any_time(void **state)
{
    struct daemon *daemon = *state;

    sell(daemon, OPENS_MS);
    pass_until_it_is_stored(daemon, MINUTE_MS);
    start_again(daemon); /* that change was carried out: it is known, though nobody was told */
    assert_int_equal(shown(daemon), 1);
    feed_configure(daemon->world.feed, NULL, NULL);
    assert_int_equal(shown(daemon), 1);
    feed_configure(daemon->world.feed, daemon->texts, "Another");
}

/* --- The first time ----------------------------------------------------------------------------------------------- */

/* What the first walk brought is shown whole or not at all; later changes hold nothing up. */
static void a_first_calendar_is_whole(void **state)
{
    struct daemon *daemon = *state;

    begin_first_walk(daemon);
    sell_event(daemon, "e", OPENS_MS);
    pass(daemon, 30 * SECOND_MS);
    sell_event(daemon, "f", OPENS_MS);
    pass(daemon, 2 * MINUTE_MS);
    assert_false(published(daemon)); /* a walk that is half done, for whatever reason */
    assert_int_equal(shown(daemon), 0);
    sell_event(daemon, "g", OPENS_MS);
    feed_walked(daemon->world.feed, "arena");
    pass(daemon, 30 * SECOND_MS);
    sell_event(daemon, "g", OPENS_MS + HOUR_MS);
    pass(daemon, 30 * SECOND_MS); /* that is not quiet yet */
    assert_false(published(daemon));
    pass(daemon, 30 * SECOND_MS);
    assert_true(published(daemon));
    assert_int_equal(shown(daemon), 3);
    sell_event(daemon, "h", OPENS_MS);
    assert_true(published(daemon));
    assert_false(feed_is_published(daemon->world.feed, "moon"));
    start_again(daemon);
    assert_true(published(daemon));
    assert_int_equal(shown(daemon), 3);
}

/* A busy shop is never quiet as a whole: what changed behind its first walk is not waited for. */
static void a_busy_shop_is_published(void **state)
{
    struct daemon *daemon = *state;

    begin_first_walk(daemon);
    sell_event(daemon, "e", OPENS_MS);
    feed_walked(daemon->world.feed, "arena");
    pass(daemon, 50 * SECOND_MS);
    assert_false(published(daemon));
    sell_event(daemon, "f", OPENS_MS);
    pass(daemon, 10 * SECOND_MS);
    assert_true(published(daemon));
    assert_int_equal(shown(daemon), 1);
    sell_event(daemon, "e", OPENS_MS + HOUR_MS);
    assert_true(published(daemon));
}

/* Where nothing is on sale the calendar is empty, and says so in the next life as well. */
static void an_empty_shop_is_published(void **state)
{
    struct daemon *daemon = *state;

    begin_first_walk(daemon);
    feed_walked(daemon->world.feed, "arena");
    assert_false(published(daemon)); /* the disk does not know yet */
    settle(daemon);
    assert_true(published(daemon));
    assert_int_equal(shown(daemon), 0);
    start_again(daemon);
    assert_true(published(daemon));
}

/* Killed when a part of the first calendar is on disk: the next daemon takes it for no calendar. */
static void a_part_is_no_calendar(void **state)
{
    struct daemon *daemon = *state;

    begin_first_walk(daemon);
    sell_many(daemon, 400);
    feed_walked(daemon->world.feed, "arena");
    for (int life = 0; life < 2; life++) {
        pass_until_it_is_stored(daemon, MINUTE_MS + SECOND_MS);
        assert_false(published(daemon));
        end(daemon);
        begin(daemon);
        sell_many(daemon, 400); /* remembered */
        configure(daemon);
        settle(daemon);
        assert_in_range(shown(daemon), 100 + 100 * life, 399); /* what is on disk */
    }
    pass(daemon, 50 * SECOND_MS);
    assert_false(published(daemon));
    pass(daemon, 20 * SECOND_MS);
    assert_true(published(daemon));
    assert_int_equal(shown(daemon), 400);
    start_again(daemon);
    assert_true(published(daemon));
    assert_int_equal(shown(daemon), 400);
}

/* Nobody is shown a calendar that the next life would not show: first the disk knows. */
static void it_is_published_when_the_disk_knows(void **state)
{
    struct daemon *daemon = *state;

    begin_first_walk(daemon);
    sqlite3 *db = open_state(daemon, "CREATE TRIGGER full BEFORE INSERT ON calendar_published BEGIN SELECT RAISE(ABORT,"
                                     " 'no room'); END");
    sell(daemon, OPENS_MS);
    feed_walked(daemon->world.feed, "arena");
    pass(daemon, 2 * MINUTE_MS);
    assert_int_equal(shown(daemon), 1);
    assert_false(published(daemon));
    close_state(db, "DROP TRIGGER full");
    pass(daemon, 10 * SECOND_MS);
    assert_true(published(daemon));
}

/* A reload brings a site whose calendar is stored: the pool makes it, and until then there is none. */
static void a_site_that_a_reload_added(void **state)
{
    struct daemon *daemon = *state;

    sell(daemon, OPENS_MS);
    pass(daemon, 2 * MINUTE_MS);
    end(daemon);
    begin(daemon);
    daemon->world.site_count = 0;
    configure(daemon);
    daemon->world.site_count = 1;
    configure(daemon);
    assert_false(published(daemon));
    assert_null(feed_of_site(daemon->world.feed, "arena"));
    settle(daemon);
    assert_true(published(daemon));
    assert_int_equal(shown(daemon), 1);
}

/* --- Changes ------------------------------------------------------------------------------------------------------ */

/* The disk is full while a sale moves there and back: what was written of it in between is never shown. */
static void what_could_not_be_stored_is_written_anew(void **state)
{
    struct daemon *daemon = *state;

    sell(daemon, OPENS_MS);
    pass(daemon, 2 * MINUTE_MS);
    assert_true(shows(daemon, "DTSTART:20270326T130000Z\r\n"));
    sqlite3 *db = open_state(daemon, "CREATE TRIGGER full BEFORE UPDATE ON calendar_entry BEGIN SELECT RAISE(ABORT,"
                                     " 'no room'); END");
    sell(daemon, OPENS_MS + HOUR_MS);
    pass(daemon, 2 * MINUTE_MS);
    sell(daemon, OPENS_MS);
    pass(daemon, 2 * MINUTE_MS);
    close_state(db, "DROP TRIGGER full");
    pass(daemon, 2 * MINUTE_MS);
    assert_true(shows(daemon, "DTSTART:20270326T130000Z\r\n"));
    assert_true(shows(daemon, "SEQUENCE:0\r\n"));
    assert_false(shows(daemon, "Moved"));
}

/* Written anew in the very turn in which it leaves, and as it was: it goes all the same. */
static void it_leaves_while_it_is_written(void **state)
{
    struct daemon *daemon = *state;

    sell(daemon, OPENS_MS);
    pass(daemon, 2 * MINUTE_MS);
    pass(daemon, OPENS_MS + DAY_MS - DUE_MS - 3 * MINUTE_MS);
    feed_touch(daemon->world.feed, "arena", "e");
    settle(daemon);
    assert_true(shows(daemon, "BEGIN:VEVENT"));
    pass(daemon, MINUTE_MS);
    pass(daemon, SECOND_MS);
    assert_false(shows(daemon, "BEGIN:VEVENT"));
}

/* --- Mails -------------------------------------------------------------------------------------------------------- */

/* A mail says how it stands now, with the number that it will have. */
static int64_t say(struct daemon *daemon, const struct opening *opening)
{
    struct feed_stamp stamp;

    feed_stamp(daemon->world.feed, opening, &stamp);
    feed_say(daemon->world.feed, opening);
    return stamp.sequence;
}

static void a_feed_says_what_a_mail_said(void **state)
{
    struct daemon *daemon = *state;

    assert_int_equal(say(daemon, sell_as(daemon, "e", "Summer", OPENS_MS)), 0);
    pass(daemon, 2 * MINUTE_MS);
    assert_true(shows(daemon, "SEQUENCE:0\r\n"));
    assert_int_equal(say(daemon, sell_as(daemon, "e", "Autumn", OPENS_MS)), 1);
    pass(daemon, SECOND_MS); /* no quiet is waited for */
    assert_true(shows(daemon, "SUMMARY:On sale: Autumn\r\n"));
    assert_true(shows(daemon, "SEQUENCE:1\r\n"));
    sqlite3 *db = open_state(daemon, "CREATE TABLE left AS SELECT * FROM calendar_said");
    assert_int_equal(sqlite3_changes(db), 0); /* nothing is left of it */
    close_state(db, "DROP TABLE left");
}

/* Before the feed was written it changed once more, even back. */
static void what_changes_behind_a_mail_is_the_next_one(void **state)
{
    struct daemon *daemon = *state;

    sell_as(daemon, "e", "Summer", OPENS_MS);
    pass(daemon, 2 * MINUTE_MS);
    assert_int_equal(say(daemon, sell_as(daemon, "e", "Autumn", OPENS_MS)), 1);
    assert_int_equal(say(daemon, sell_as(daemon, "e", "Winter", OPENS_MS)), 2);
    sell_as(daemon, "e", "Summer", OPENS_MS);
    pass(daemon, 2 * MINUTE_MS);
    assert_true(shows(daemon, "SUMMARY:On sale: Summer\r\n"));
    assert_true(shows(daemon, "SEQUENCE:3\r\n"));
}

/* Killed between the mail and the feed: what comes next has another number, whatever it says. */
static void a_number_that_a_mail_said_is_used_up(void **state)
{
    struct daemon *daemon = *state;

    assert_int_equal(say(daemon, sell_as(daemon, "e", "Summer", OPENS_MS)), 0);
    start_again(daemon);
    sell_as(daemon, "e", "Spring", OPENS_MS);
    pass(daemon, 2 * MINUTE_MS);
    assert_true(shows(daemon, "SEQUENCE:1\r\n"));
    assert_int_equal(say(daemon, sell_as(daemon, "e", "Autumn", OPENS_MS)), 2);
    start_again(daemon);
    assert_true(shows(daemon, "SUMMARY:On sale: Spring\r\n")); /* it was not stored, or this tests nothing */
    assert_int_equal(say(daemon, sell_as(daemon, "e", "Winter", OPENS_MS)), 3);
    pass(daemon, SECOND_MS);
    assert_true(shows(daemon, "SUMMARY:On sale: Winter\r\n"));
    assert_true(shows(daemon, "SEQUENCE:3\r\n"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(only_what_is_on_disk_is_shown),
        TEST(what_was_stored_is_shown),
        TEST(it_may_go_at_any_time),
        TEST(a_first_calendar_is_whole),
        TEST(a_busy_shop_is_published),
        TEST(an_empty_shop_is_published),
        TEST(a_part_is_no_calendar),
        TEST(it_is_published_when_the_disk_knows),
        TEST(a_site_that_a_reload_added),
        TEST(what_could_not_be_stored_is_written_anew),
        TEST(it_leaves_while_it_is_written),
        TEST(a_feed_says_what_a_mail_said),
        TEST(what_changes_behind_a_mail_is_the_next_one),
        TEST(a_number_that_a_mail_said_is_used_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
