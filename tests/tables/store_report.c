/* What the store tells people: reports, and the audit, which must see every way a state can be wrong. */
#include "store_bench.h"

/* A launch with every kind of fate: 1 accepted after a retry, 2 refused, 3 in doubt, 4 withheld, 5 in hand,
 * 6 returned, 7 and 8 not claimed yet. */
static void launch(struct bench *b)
{
    struct definition *d = definition_new(&(struct definition){.site = "arena",
                                                               .id = "a",
                                                               .event_id = "event-1",
                                                               .name = "Balkon",
                                                               .description = "",
                                                               .price = "49.90",
                                                               .currency = "EUR",
                                                               .created_at_ms = 1,
                                                               .updated_at_ms = 1,
                                                               .sale_starts_at_ms = DUE_MS,
                                                               .sale_ends_at_ms = MOMENT_NONE,
                                                               .event_title = "Summer Nights",
                                                               .event_zone = "",
                                                               .event_url = "",
                                                               .event_place = "",
                                                               .event_starts_at_ms = MOMENT_NONE});
    struct openings openings = {0};
    struct opening *opening = openings_add(&openings, 4, "arena", "event-1", DUE_MS, OPENING_SCHEDULED);
    struct notice *n = bench_notice(1);

    opening_set_members(opening, (const char *const[]){"a", "gone"}, 2);
    notice_course(n)->estimate = 8;
    bench_apply(b, &(struct store_change){.put = (const struct definition *const[]){d},
                                          .put_count = 1,
                                          .notices = (const struct notice *const[]){n},
                                          .notice_count = 1,
                                          .openings = (const struct opening *const[]){opening},
                                          .opening_count = 1,
                                          .first_walk_at_ms = MOMENT_NONE,
                                          .watermark_ms = MOMENT_NONE});
    bench_fine(b);
    bench_gather(b, 1, 1, 1, 8);
    store_evidence(b->store, 1, DUE_MS, "{\"verdict\": \"open\"}", bench_on_done, b);
    bench_wait(b);
    b->ahead_ms = 200;
    bench_claim(b, 1, 6, 1);
    bench_fate(b, 1, 1, 1, FATE_TRY_LATER, 0);
    bench_fate(b, 1, 2, 1, FATE_REFUSED, 0);
    bench_fate(b, 1, 3, 1, FATE_IN_DOUBT, 0);
    bench_fate(b, 1, 4, 1, FATE_WITHHELD, WITHHELD_ADDRESS);
    bench_fate(b, 1, 6, 1, FATE_RETURNED, 0);
    b->ahead_ms = 1300;
    struct store_again list[] = {{.seq = 1, .attempt = 2}};
    bench_turn(b, NULL, 0, &(struct store_claim){.notice = 1, .want = 1, .list = list, .list_count = 1, .pass = 1});
    bench_fate(b, 1, 1, 2, FATE_ACCEPTED, 0);
    definition_free(d);
    notice_free(n);
    openings_clear(&openings);
}

static int set_up(void **state)
{
    bench_set_up(state);
    struct bench *b = *state;
    launch(b);
    return 0;
}

/* Looks a value up by a path ("counts.planned", "0.id") and compares its JSON. */
static void is(json_t *json, const char *path, const char *want)
{
    struct text rest = text_of(path);

    while (rest.len) {
        char key[64];
        struct text part = text_cut(&rest, '.');
        snprintf(key, sizeof key, "%.*s", TEXT_ARGS(part));
        json = json_is_array(json) ? json_array_get(json, (size_t)atoi(key)) : json_object_get(json, key);
    }
    char *got = json ? json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    if (!got || strcmp(got, want) != 0)
        fail_msg("%s is %s, not %s", path, got ? got : "missing", want);
    free(got);
}

static void notices_and_openings(void **state)
{
    struct bench *b = *state;
    json_t *list = bench_report(b, &(struct store_report){.kind = REPORT_NOTICES});

    assert_int_equal(json_array_size(list), 1);
    is(list, "0.id", "1");
    is(list, "0.event_title", "\"Summer Nights\"");
    is(list, "0.opening_id", "4");
    is(list, "0.state", "\"sending\"");
    is(list, "0.reason", "null");
    is(list, "0.paused", "false");
    is(list, "0.due_at", "\"2027-03-26T08:00:00.000Z\"");
    is(list, "0.counts", "{\"planned\":8,\"waiting\":4,\"accepted\":1,\"refused\":1,\"in_doubt\":1,\"withheld\":1}");
    is(list, "0.by_channel.mail.claimed", "1");
    is(list, "0.first_handover_at", "\"2027-03-26T08:00:01.300Z\"");
    is(list, "0.late_ms", "1300");
    struct store_image image; /* a start knows it too: its report at the end says the same */
    assert_int_equal(store_load(b->store, &image, NULL), 0);
    assert_int_equal(image.notices.at[0]->course->first_handover_at_ms, image.notices.at[0]->due_at_ms + 1300);
    store_image_clear(&image);
    list = bench_report(b, &(struct store_report){.kind = REPORT_OPENINGS});
    is(list, "0.id", "4");
    is(list, "0.definitions.0", "{\"id\":\"a\",\"name\":\"Balkon\",\"price\":\"49.90\",\"currency\":\"EUR\"}");
    is(list, "0.definitions.1.name", "null");
    is(list, "0.notices", "[1]");
    is(list, "0.estimate", "8");
}

static void show(void **state)
{
    struct bench *b = *state;
    json_t *one = bench_report(b, &(struct store_report){.kind = REPORT_SHOW, .notice = 1});

    is(one, "percentiles_ms", "{\"median\":1300,\"p99\":1300,\"last\":1300}");
    is(one, "by_channel.mail.percentiles_ms.last", "1300");
    is(one, "gate.0.evidence.verdict", "\"open\"");
    assert_int_equal(json_array_size(json_object_get(one, "reasons")), 4);
    store_report(b->store, &(struct store_report){.kind = REPORT_SHOW, .notice = 99}, bench_on_report, b);
    bench_wait(b);
    assert_int_equal(b->failure.kind, ERROR_REFUSED);
}

/* Each of those left stands under one reason: number 6 waited for another try, and is one of three that expired. */
static void who_is_left_is_counted_once(void **state)
{
    struct bench *b = *state;
    struct notice *n = bench_notice(1);
    int64_t sum = 0;
    size_t i;
    json_t *reason;

    n->rest = WITHHELD_EXPIRED;
    bench_put(b, n);
    notice_free(n);
    json_t *one = bench_report(b, &(struct store_report){.kind = REPORT_SHOW, .notice = 1});
    is(one, "counts.withheld", "4");
    json_array_foreach(json_object_get(one, "reasons"), i, reason) sum +=
        json_integer_value(json_object_get(reason, "count"));
    assert_int_equal(sum, 6); /* refused, in doubt, bad address, three expired */
}

static void people(void **state)
{
    struct bench *b = *state;
    static const struct {
        const char *state;
        size_t count;
    } cases[] = {{"waiting", 3},  {"claimed", 1},  {"accepted", 1}, {"refused", 1}, {"in_doubt", 1},
                 {"in doubt", 1}, {"withheld", 1}, {"nonsense", 0}, {NULL, 8}};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct store_report what = {.kind = REPORT_PEOPLE, .notice = 1, .state = cases[i].state};
        if (json_array_size(bench_report(b, &what)) != cases[i].count)
            fail_msg("%s: %zu", cases[i].state, json_array_size(b->report));
    }
    json_t *list = bench_report(b, &(struct store_report){.kind = REPORT_PEOPLE, .notice = 1, .after = 1, .limit = 2});
    assert_int_equal(json_array_size(list), 2);
    is(list, "0.seq", "2");
    is(list, "0.address", "\"p2@example.org\"");
    is(list, "0.code", "550");
    is(list, "0.text", "\"mailbox unknown\"");
    is(list, "0.at", "\"2027-03-26T08:00:00.200Z\"");
}

/* What the people of a notice read, the most frequent first. */
static void tongues(void **state)
{
    struct bench *b = *state;
    sqlite3 *db;

    assert_int_equal(sqlite3_open(b->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "UPDATE person SET locale = 'de-AT', zone = 'Europe/Vienna' WHERE seq < 4;"
                                  "UPDATE person SET locale = '' WHERE seq = 4",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    json_t *list = bench_report(b, &(struct store_report){.kind = REPORT_TONGUES, .notice = 1});
    assert_int_equal(json_array_size(list), 3);
    is(list, "0", "[\"lt\",\"Europe/Vilnius\"]");
    is(list, "1", "[\"de-AT\",\"Europe/Vienna\"]");
    is(list, "2", "[\"\",\"Europe/Vilnius\"]");
    list = bench_report(b, &(struct store_report){.kind = REPORT_TONGUES, .notice = 1, .limit = 2});
    assert_int_equal(json_array_size(list), 2);
    list = bench_report(b, &(struct store_report){.kind = REPORT_TONGUES, .notice = 99});
    assert_int_equal(json_array_size(list), 0);
}

/* Who will be the first to be claimed. */
static void next(void **state)
{
    struct bench *b = *state;
    json_t *one = bench_report(b, &(struct store_report){.kind = REPORT_NEXT, .notice = 1});

    is(one, "seq", "7");
    is(one, "address", "\"p7@example.org\"");
    assert_true(json_is_null(bench_report(b, &(struct store_report){.kind = REPORT_NEXT, .notice = 99})));
}

static void why(void **state)
{
    struct bench *b = *state;
    struct store_report what = {.kind = REPORT_WHY, .address = "p1@example.org"};

    bench_key(what.key, 1);
    json_t *one = bench_report(b, &what);
    is(one, "address", "\"p1@example.org\"");
    is(one, "notices.0.state", "\"accepted\"");
    is(one, "notices.0.steps.0.what", "\"gathered from fans\"");
    is(one, "notices.0.steps.1.what", "\"claimed\"");
    is(one, "notices.0.steps.2.what", "\"try later 451\"");
    is(one, "notices.0.steps.3.what", "\"claimed\"");
    is(one, "notices.0.steps.3.attempt", "2");
    is(one, "notices.0.steps.4.what", "\"accepted\"");
    assert_int_equal(json_array_size(json_object_get(json_array_get(json_object_get(one, "notices"), 0), "steps")), 5);
    what.event_id = "event-2";
    assert_int_equal(json_array_size(json_object_get(bench_report(b, &what), "notices")), 0);
    bench_key(what.key, 4);
    what.event_id = "event-1";
    is(bench_report(b, &what), "notices.0.reason", "\"address\"");
}

static void suppressions(void **state)
{
    struct bench *b = *state;
    struct store_suppression no = {.reason = "operator", .at_ms = DUE_MS};

    bench_key(no.key, 3);
    bench_suppress(b, &no, 1);
    json_t *list = bench_report(b, &(struct store_report){.kind = REPORT_SUPPRESSIONS});
    assert_int_equal(json_array_size(list), 1);
    is(list, "0.address", "\"p3@example.org\"");
    is(list, "0.scope", "\"\"");
    is(list, "0.reason", "\"operator\"");
}

/* Commands without a daemon, beside one and after it: also when it was killed and left its log unfolded. */
static void reading_needs_no_daemon(void **state)
{
    struct bench *b = *state;
    struct store_spec spec = {.url = b->url, .read_only = true};
    struct error err = {0};

    for (int beside = 1; beside >= 0; beside--) {
        struct store *store = store_open(&spec, &err);
        if (!store)
            fail_msg("%s", err.text);
        json_t *list = store_report_now(store, &(struct store_report){.kind = REPORT_NOTICES}, &err);
        if (!list)
            fail_msg("%s", err.text);
        is(list, "0.counts.accepted", "1");
        json_decref(list);
        store_close(store);
        if (beside)
            bench_close(b);
    }
    spec.url = "sqlite:/no/such/file.db";
    assert_null(store_open(&spec, &err));
    assert_int_equal(err.kind, ERROR_CONFIG);
}

/* --- Audit --- */

static void a_sound_state_has_no_problems(void **state)
{
    struct bench *b = *state;

    bench_audit(b);
    is(b->report, "checked.people", "8");
    is(b->report, "checked.claims", "2");
    is(b->report, "checked.fates", "6");
}

static void every_corruption_is_seen(void **state)
{
    static const struct {
        const char *sql, *check, *undo;
    } cases[] = {
        {"UPDATE counter SET accepted = accepted + 1", "counters", "UPDATE counter SET accepted = accepted - 1"},
        {"UPDATE counter SET withheld = 0", "counters", "UPDATE counter SET withheld = 1"},
        {"UPDATE counter SET live = 2", "in_hand", "UPDATE counter SET live = 1"},
        {"UPDATE fate SET at = at - 5000, claim = -claim WHERE seq = 1 AND step = 2", "never_early",
         "UPDATE fate SET at = at + 5000, claim = -claim WHERE seq = 1 AND step = 2"},
        {"UPDATE claim SET at = at - 5000", "never_early", "UPDATE claim SET at = at + 5000"},
        {"INSERT INTO fate VALUES(1, 1, 3, 'mail', 3, 1, 0, 0, NULL, 1806048002000, NULL, 2)", "at_most_one",
         "DELETE FROM fate WHERE seq = 1 AND step = 3"},
        {"INSERT INTO claim VALUES(1, 9, 'mail', 6, 8, 3, 1806048002000, 1)", "at_most_one",
         "DELETE FROM claim WHERE no = 9"},
        {"UPDATE fate SET claim = 7 WHERE seq = 2", "claims", "UPDATE fate SET claim = 1 WHERE seq = 2"},
        {"UPDATE fate SET claim = NULL WHERE seq = 2", "claims", "UPDATE fate SET claim = 1 WHERE seq = 2"},
        {"DELETE FROM fate WHERE seq = 1 AND step = 1", "steps",
         "INSERT INTO fate VALUES(1, 1, 1, 'mail', 1, 2, 0, 451, NULL, 1806048000200, 1806048001200, 1)"},
        {"DELETE FROM flight", "in_hand", "INSERT INTO flight VALUES(1, 5, 'mail', 1, 1, 1)"},
        {"INSERT INTO flight VALUES(1, 8, 'mail', 1, 1, 1)", "in_hand", "DELETE FROM flight WHERE seq = 8"},
        {"DELETE FROM again", "waiting", "INSERT INTO again VALUES(1, 6, 'mail', 1, 2, 1806048000200)"},
        {"INSERT INTO again VALUES(1, 7, 'mail', 1, 1, 0)", "waiting", "DELETE FROM again WHERE seq = 7"},
        {"UPDATE fate SET withheld = 44 WHERE seq = 4", "reasons", "UPDATE fate SET withheld = 11 WHERE seq = 4"},
        {"UPDATE fate SET withheld = 2 WHERE seq = 2", "reasons", "UPDATE fate SET withheld = 0 WHERE seq = 2"},
        {"UPDATE roll SET last_seq = 9", "rolls", "UPDATE roll SET last_seq = 8"},
        {"DELETE FROM told WHERE seq = 8", "rolls",
         "INSERT INTO told VALUES(1, 8, x'00000000000000000000000000000008', 1, 1, 0, 0)"},
        {"UPDATE notice SET state = 5", "done", "UPDATE notice SET state = 4"},
        {"UPDATE notice SET claimed = 0", "notices", "UPDATE notice SET claimed = 1"},
        {"UPDATE claim SET people = 0 WHERE no = 1", "doubt", "UPDATE claim SET people = 6 WHERE no = 1"},
        {"UPDATE claim SET generation = 50 WHERE no = 2", "doubt", "UPDATE claim SET generation = 1 WHERE no = 2"},
        {"INSERT INTO suppression SELECT key, '', 'erased', 1 FROM told WHERE seq = 7", "erased",
         "DELETE FROM suppression WHERE reason = 'erased'"},
        {"UPDATE fate SET fate = 7, withheld = 13 WHERE seq = 1 AND step = 1", "erased",
         "UPDATE fate SET fate = 2, withheld = 0 WHERE seq = 1 AND step = 1"},
        {"UPDATE fate_sum SET people = people + 1 WHERE fate = 3", "last_words",
         "UPDATE fate_sum SET people = people - 1 WHERE fate = 3"},
        {"UPDATE late_sum SET people = people + 1", "last_words", "UPDATE late_sum SET people = people - 1"},
        {"UPDATE counter SET refused = 9", "sums", "UPDATE counter SET refused = 1"},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bench_sql(b, cases[i].sql);
        json_t *audit = bench_report(b, &(struct store_report){.kind = REPORT_AUDIT});
        json_t *of = json_object_get(json_object_get(audit, "checked"), "problems_of");
        if (json_integer_value(json_object_get(of, cases[i].check)) == 0 ||
            json_array_size(json_object_get(audit, "problems")) == 0)
            fail_msg("%s was not seen by %s", cases[i].sql, cases[i].check);
        bench_sql(b, cases[i].undo);
        bench_audit(b);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, bench_tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(notices_and_openings),
        TEST(show),
        TEST(who_is_left_is_counted_once),
        TEST(people),
        TEST(tongues),
        TEST(next),
        TEST(why),
        TEST(suppressions),
        TEST(reading_needs_no_daemon),
        TEST(a_sound_state_has_no_problems),
        TEST(every_corruption_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
