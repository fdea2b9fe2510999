/* What is forgotten when its time is over: people first, their notices later, and nothing that still stands. */
#include "store_traces.h"

#include <time.h>

struct forgotten {
    struct bench *b;
    struct store_forgotten last;
    int64_t people, rows, slices;
    double longest_ms;
};

static void on_forgotten(void *ctx, const struct store_forgotten *result)
{
    struct forgotten *forgotten = ctx;

    forgotten->last = *result;
    bench_note(forgotten->b, result->failure);
}

/* Of all our threads: other programs on the machine do not count. */
static double worked_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* All slices of one run, at DUE_MS + `days`, keeping people for 90 days and reports for three years. */
static struct forgotten forget(struct bench *b, int64_t days)
{
    int64_t now_ms = DUE_MS + days * DAY_MS;
    struct forgotten forgotten = {.b = b};
    struct store_forget what = {.people_before_ms = now_ms - 90LL * DAY_MS,
                                .reports_before_ms = now_ms - 3LL * 365 * DAY_MS};

    do {
        double before_ms = worked_ms();
        store_forget(b->store, &what, on_forgotten, &forgotten);
        bench_wait(b);
        bench_fine(b);
        if (worked_ms() - before_ms > forgotten.longest_ms)
            forgotten.longest_ms = worked_ms() - before_ms;
        forgotten.people += forgotten.last.people;
        forgotten.rows += forgotten.last.rows;
        forgotten.slices++;
        what.place = forgotten.last.place;
        if (forgotten.slices % 16 == 1)
            bench_audit(b);
    } while (forgotten.last.more);
    return forgotten;
}

static void put_ended(struct bench *b, int64_t id, enum notice_state state, int64_t at_ms, int64_t ended_at_ms)
{
    char subject[32];

    snprintf(subject, sizeof subject, "event-%lld", (long long)id);
    struct notice *n = notice_new(id, "arena", subject, "on-sale", MOMENT_SALE_START, at_ms, 1);
    n->roll = id;
    n->due_at_ms = at_ms;
    n->state = state;
    notice_course(n)->pass = 1;
    notice_course(n)->ended_at_ms = ended_at_ms;
    bench_put(b, n);
    notice_free(n);
}

/* Notice 1 of 20 people: 16 told, one refused, the rest withheld; done at DUE_MS. Notice 2 is what comes after it. */
static void launch_and_end(struct bench *b)
{
    bench_add_notice(b, 1);
    gather_distinct(b, 1, 1, 1, 20);
    bench_say(b, 1, 1, 0, 3, CONSENT_NO);
    bench_claim(b, 1, 20, 1);
    for (uint32_t seq = 1; seq <= 20; seq++)
        if (seq != 3)
            bench_fate(b, 1, seq, 1, seq == 7 ? FATE_REFUSED : FATE_ACCEPTED, 0);
    store_evidence(b->store, 1, DUE_MS, "{}", bench_on_done, b);
    bench_wait(b);
    bench_end(b, NOTICE_DONE, WITHHELD_NONE);
    put_ended(b, 2, NOTICE_PLANNED, DUE_MS + 5000LL * DAY_MS, MOMENT_NONE);
}

static void people_go_after_their_time(void **state)
{
    struct bench *b = *state;

    launch_and_end(b);
    assert_int_equal(forget(b, 89).people, 0);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM person"), 20);
    assert_true(disk_has(b, "mail000007@"));
    struct forgotten gone = forget(b, 91);
    assert_int_equal(gone.people, 20);
    assert_int_equal(gone.rows, 0);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM person") + bench_number(b, "SELECT count(*) FROM word"), 0);
    for (unsigned who = 1; who <= 20; who++)
        nothing_is_left_of(b, who);
    bench_launch(b, 1, 0); /* what came of them is known all the same */
    bench_tally_is(&b->launch.tally, (struct tally){.planned = 20, .accepted = 18, .refused = 1, .withheld = 1});
    json_t *people = bench_report(b, &(struct store_report){.kind = REPORT_PEOPLE, .notice = 1});
    assert_int_equal(json_array_size(people), 20);
    assert_true(json_is_null(json_object_get(json_array_get(people, 6), "address")));
    assert_string_equal(json_string_value(json_object_get(json_array_get(people, 6), "state")), "refused");
    json_t *notice = json_array_get(json_object_get(bench_why(b, 7), "notices"), 0);
    assert_string_equal(json_string_value(json_object_get(notice, "state")), "refused");
    assert_int_equal(json_array_size(json_object_get(notice, "steps")), 3);
    assert_non_null(bench_report(b, &(struct store_report){.kind = REPORT_SHOW, .notice = 1}));
    bench_audit(b);
    assert_int_equal(forget(b, 92).people, 0);
}

/* What a calendar shows is there as long as it shows it: `keep_past` may be longer than reports are kept. */
static void what_calendars_show_stays(void **state)
{
    struct bench *b = *state;
    struct openings openings = {0};
    struct store_entry entry = {.opening = 1,
                                .site = "arena",
                                .event_id = "old",
                                .uid = "u",
                                .opens_at_ms = DUE_MS,
                                .moved_from_ms = MOMENT_NONE,
                                .leaves_at_ms = MOMENT_NONE,
                                .title = "",
                                .url = "",
                                .place = "",
                                .zone = "",
                                .text = TEXT("BEGIN:VEVENT")};

    for (int64_t id = 1; id <= 3; id++) /* the last one always stays */
        openings_add(&openings, id, "arena", "old", DUE_MS + id, OPENING_SCHEDULED);
    store_apply(b->store,
                &(struct store_change){.openings = (const struct opening *const *)openings.at,
                                       .opening_count = 3,
                                       .first_walk_at_ms = MOMENT_NONE,
                                       .watermark_ms = MOMENT_NONE},
                bench_on_done, b);
    bench_wait(b);
    for (int shown = 1; shown >= 0; shown--) {
        if (!shown)
            entry.text = TEXT("");
        store_publish(b->store, &(struct store_calendars){.entries = &entry, .entry_count = 1}, bench_on_done, b);
        bench_wait(b);
        bench_fine(b);
        forget(b, 3 * 365 + 1);
        assert_int_equal(bench_number(b, "SELECT count(*) FROM opening"), 1 + shown);
        assert_int_equal(bench_number(b, "SELECT count(*) FROM calendar_entry"), shown);
    }
    openings_clear(&openings);
}

static void reports_go_after_theirs(void **state)
{
    static const char *const tables[] = {"told",   "roll",         "person",   "word",    "reading",
                                         "claim",  "claim_member", "fate",     "counter", "evidence",
                                         "flight", "again",        "feedback", "text",    "notice_member"};
    struct bench *b = *state;
    struct store_suppression no = {.scope = "", .reason = "unsubscribe", .at_ms = DUE_MS};

    launch_and_end(b);
    bench_key(no.key, 9);
    bench_suppress(b, &no, 1);
    assert_int_equal(forget(b, 3 * 365 - 1).rows, 0);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM told"), 20);
    struct forgotten gone = forget(b, 3 * 365 + 1);
    assert_true(gone.rows > 40);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", tables[i]);
        if (bench_number(b, sql) != 0)
            fail_msg("%s has rows", tables[i]);
    }
    assert_int_equal(bench_number(b, "SELECT count(*) FROM notice"), 1);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM suppression"), 1);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM meta WHERE key = 'forgetting'"), 0);
    bench_audit(b);
    struct store_image image;
    assert_int_equal(store_load(b->store, &image, NULL), 0);
    assert_int_equal(image.notices.next_id, 3); /* no number is given twice */
    store_image_clear(&image);
}

/* A sale that the site still lists must not look like news: its notice is kept, without anything of its people. */
static void what_still_stands_is_known(void **state)
{
    struct bench *b = *state;
    struct definition *d = definition_new(&(struct definition){.site = "arena",
                                                               .id = "a",
                                                               .event_id = "event-1",
                                                               .name = "",
                                                               .description = "",
                                                               .price = "",
                                                               .currency = "",
                                                               .event_title = "Summer Nights",
                                                               .event_zone = "",
                                                               .event_url = "",
                                                               .event_place = "",
                                                               .created_at_ms = 0,
                                                               .updated_at_ms = 0,
                                                               .event_starts_at_ms = DUE_MS,
                                                               .sale_starts_at_ms = DUE_MS,
                                                               .sale_ends_at_ms = MOMENT_NONE});

    launch_and_end(b);
    bench_apply(b, &(struct store_change){.put = (const struct definition *const[]){d},
                                          .put_count = 1,
                                          .first_walk_at_ms = MOMENT_NONE,
                                          .watermark_ms = MOMENT_NONE});
    bench_fine(b);
    forget(b, 3 * 365 + 1);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM told") + bench_number(b, "SELECT count(*) FROM fate"), 0);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM notice"), 2);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM event"), 1);
    assert_int_equal(forget(b, 3 * 365 + 2).rows, 0);
    bench_apply(b, &(struct store_change){.removed_site = "arena",
                                          .removed = (const char *const[]){"a"},
                                          .removed_count = 1,
                                          .first_walk_at_ms = MOMENT_NONE,
                                          .watermark_ms = MOMENT_NONE});
    forget(b, 3 * 365 + 3);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM notice"), 1);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM event"), 0);
    definition_free(d);
}

static void only_what_has_ended(void **state)
{
    static const struct {
        enum notice_state state;
        int64_t at_days, ended_days; /* from DUE_MS; ended -1: not */
        bool goes;
    } cases[] = {
        {NOTICE_DONE, 0, 0, true},         {NOTICE_MISSED, 0, 1, true},    {NOTICE_CANCELLED, 0, 0, true},
        {NOTICE_WITHDRAWN, 0, 0, true},    {NOTICE_PLANNED, 0, -1, false}, {NOTICE_GATHERING, 0, -1, false},
        {NOTICE_READY, 0, -1, false},      {NOTICE_HELD, 0, -1, false},    {NOTICE_SENDING, 0, -1, false},
        {NOTICE_DONE, 0, 11, false},       {NOTICE_DONE, 11, 0, false},    {NOTICE_WITHDRAWN, 200, 0, false},
        {NOTICE_CANCELLED, 200, 0, false}, {NOTICE_MISSED, 0, 20, false},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t id = (int64_t)i + 1;
        put_ended(b, id, cases[i].state, DUE_MS + cases[i].at_days * DAY_MS,
                  cases[i].ended_days < 0 ? MOMENT_NONE : DUE_MS + cases[i].ended_days * DAY_MS);
        gather_distinct(b, id, 1, 1, 5);
    }
    forget(b, 100);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM person WHERE roll = %zu", i + 1);
        if ((bench_number(b, sql) == 0) != cases[i].goes)
            fail_msg("%s, at day %lld, ended day %lld", notice_state_name(cases[i].state), (long long)cases[i].at_days,
                     (long long)cases[i].ended_days);
    }
}

/* However much there is to forget: nobody waits for it longer than a slice takes. */
static void a_crowd_goes_in_slices(void **state)
{
    enum { PEOPLE = 100000 };
    struct bench *b = *state;

    bench_add_notice(b, 1);
    for (unsigned from = 1; from <= PEOPLE; from += 1000)
        bench_gather(b, 1, 1, from, from + 999);
    for (size_t got = 0; got < PEOPLE; got += b->got_count)
        bench_claim(b, 1, 4000, 1);
    bench_sql(b,
              "INSERT INTO fate SELECT 1, seq, 1, 'mail', 1, 1, 0, 250, NULL, 1806048000000, NULL, claim FROM flight;"
              "DELETE FROM flight; UPDATE counter SET accepted = live, live = 0;"
              "INSERT INTO late_sum SELECT notice, channel, 0, accepted FROM counter");
    bench_end(b, NOTICE_DONE, WITHHELD_NONE);
    struct forgotten people = forget(b, 100);
    assert_int_equal(people.people, PEOPLE);
    struct forgotten reports = forget(b, 2000);
    print_message("# people: %lld slices, longest %.1f ms; reports: %lld slices, longest %.1f ms\n",
                  (long long)people.slices, people.longest_ms, (long long)reports.slices, reports.longest_ms);
    assert_true(people.slices > 3 && reports.slices > 10);
    assert_true(people.longest_ms < 50 && reports.longest_ms < 50);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM told"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(people_go_after_their_time), TEST(what_calendars_show_stays), TEST(reports_go_after_theirs),
        TEST(what_still_stands_is_known), TEST(only_what_has_ended),       TEST(a_crowd_goes_in_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
