/* What came back: whom it is about, what it does to them, and how it is told of. */
#include "store_bench.h"

static struct store_fed_back got[8];

/* Notice 1 was accepted for people 1 to 3, and person 2 is in notice 2 as well, not claimed there yet. */
static int set_up(void **state)
{
    bench_set_up(state);
    struct bench *b = *state;
    bench_add_notice(b, 1);
    bench_add_notice(b, 2);
    bench_gather(b, 1, 1, 1, 3);
    bench_gather(b, 2, 1, 2, 2);
    bench_claim(b, 1, 3, 1);
    for (uint32_t seq = 1; seq <= 3; seq++)
        bench_fate(b, 1, seq, 1, FATE_ACCEPTED, 0);
    return 0;
}

static void on_feedback(void *ctx, const struct store_fed_back *results, size_t count, const struct error *failure)
{
    for (size_t i = 0; i < count && i < ARRAY_LEN(got); i++)
        got[i] = results[i];
    bench_note(ctx, failure);
}

static const struct store_fed_back *feed(struct bench *b, const struct store_feedback *what)
{
    store_feedback(b->store, what, 1, on_feedback, b);
    bench_wait(b);
    bench_fine(b);
    return &got[0];
}

static struct store_feedback about(int64_t notice, int64_t seq, enum feedback kind)
{
    return (struct store_feedback){
        .notice = notice, .seq = seq, .kind = kind, .status = "5.1.1", .text = "550 no such user", .at_ms = DUE_MS + 5};
}

static size_t suppressed(struct bench *b, const char *reason)
{
    json_t *list = bench_report(b, &(struct store_report){.kind = REPORT_SUPPRESSIONS}), *row;
    size_t i, count = 0;

    json_array_foreach(list, i, row) count += strcmp(json_string_value(json_object_get(row, "reason")), reason) == 0 &&
                                              strcmp(json_string_value(json_object_get(row, "scope")), "") == 0;
    return count;
}

static void who_is_suppressed(void **state)
{
    static const struct {
        enum feedback kind;
        const char *reason; /* NULL: nobody is */
    } cases[] = {
        {FEEDBACK_HARD, "bounce"}, {FEEDBACK_COMPLAINT, "complaint"}, {FEEDBACK_SOFT, NULL}, {FEEDBACK_POLICY, NULL}};
    struct bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned char key[PERSON_KEY_SIZE];
        struct store_feedback what = about(1, 2, cases[i].kind);
        const struct store_fed_back *result = feed(b, &what);
        assert_true(result->known && result->stored && result->notice == 1 && result->seq == 2);
        assert_int_equal(result->suppressed, cases[i].reason != NULL);
        assert_int_equal(suppressed(b, "bounce") + suppressed(b, "complaint"), cases[i].reason != NULL);
        assert_true(!cases[i].reason || suppressed(b, cases[i].reason) == 1);
        result = feed(b, &what); /* the same again */
        assert_true(result->known && !result->stored && !result->suppressed);
        bench_key(key, 2);
        struct store_suppression lift = {.scope = "", .lift = true};
        memcpy(lift.key, key, sizeof key);
        bench_suppress(b, &lift, 1);
    }
}

static void suppressed_people_are_not_claimed(void **state)
{
    struct bench *b = *state;
    struct store_feedback what = about(1, 2, FEEDBACK_HARD);

    feed(b, &what);
    bench_claim(b, 2, 10, 1);
    assert_int_equal(b->got_count, 0);
    assert_int_equal(b->progress[0].tally.withheld, 1);
}

static void an_older_suppression_stays(void **state)
{
    struct bench *b = *state;
    struct store_suppression word = {.scope = "", .reason = "unsubscribe", .at_ms = DUE_MS};
    struct store_feedback what = about(1, 2, FEEDBACK_HARD);

    bench_key(word.key, 2);
    bench_suppress(b, &word, 1);
    assert_true(feed(b, &what)->stored);
    assert_false(got[0].suppressed);
    assert_int_equal(suppressed(b, "unsubscribe"), 1);
    assert_int_equal(suppressed(b, "bounce"), 0);
}

static void nobody_we_know(void **state)
{
    static const int64_t whom[][2] = {{1, 4}, {3, 1}, {1, 0}, {1, INT64_MAX}, {INT64_MAX, 1}, {1, -1}};
    struct bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(whom); i++) {
        struct store_feedback what = about(whom[i][0], whom[i][1], FEEDBACK_HARD);
        const struct store_fed_back *result = feed(b, &what);
        assert_true(!result->known && !result->stored && !result->suppressed && result->notice == 0);
    }
    assert_int_equal(suppressed(b, "bounce"), 0);
}

/* By a key: the last notice that was accepted for them, and else no notice at all. */
static void by_key(void **state)
{
    struct bench *b = *state;
    struct store_feedback what = about(0, 0, FEEDBACK_COMPLAINT);

    bench_key(what.key, 2);
    assert_true(feed(b, &what)->stored);
    assert_true(got[0].notice == 1 && got[0].seq == 2 && got[0].suppressed);
    bench_key(what.key, 77);
    assert_true(feed(b, &what)->known);
    assert_true(!got[0].stored && got[0].suppressed && got[0].notice == 0);
    assert_int_equal(suppressed(b, "complaint"), 2);
}

static void a_list_at_once(void **state)
{
    struct bench *b = *state;
    struct store_feedback list[3] = {about(1, 1, FEEDBACK_POLICY), about(9, 1, FEEDBACK_POLICY),
                                     about(1, 3, FEEDBACK_POLICY)};

    store_feedback(b->store, list, 3, on_feedback, b);
    bench_wait(b);
    bench_fine(b);
    assert_true(got[0].policy == 1 && got[0].accepted == 3 && !got[1].known && got[2].policy == 2);
}

static void after_people_are_forgotten(void **state)
{
    struct bench *b = *state;
    struct store_feedback what = about(1, 2, FEEDBACK_HARD);
    sqlite3 *db;

    assert_int_equal(sqlite3_open(b->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM person", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    assert_true(feed(b, &what)->stored && got[0].suppressed);
}

/* `show` counts, `why` tells in its place. */
static void it_is_told_of(void **state)
{
    struct bench *b = *state;
    struct store_feedback list[3] = {about(1, 2, FEEDBACK_HARD), about(1, 2, FEEDBACK_COMPLAINT),
                                     about(1, 3, FEEDBACK_POLICY)};

    list[1].at_ms += SECOND_MS;
    list[1].status = NULL;
    list[1].text = "abuse";
    store_feedback(b->store, list, 3, on_feedback, b);
    bench_wait(b);
    json_t *counts =
        json_object_get(bench_report(b, &(struct store_report){.kind = REPORT_SHOW, .notice = 1}), "feedback");
    auto_free char *shown = json_dumps(counts, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(shown, "{\"complaint\":1,\"hard\":1,\"policy\":1,\"soft\":0}");

    struct store_report why = {.kind = REPORT_WHY, .address = "p2@example.org", .event_id = "event-1"};
    bench_key(why.key, 2);
    json_t *notice = json_array_get(json_object_get(bench_report(b, &why), "notices"), 0);
    json_t *steps = json_object_get(notice, "steps");
    size_t last = json_array_size(steps);
    assert_true(last == 5);
    assert_string_equal(json_string_value(json_object_get(json_array_get(steps, 3), "what")),
                        "came back: hard 5.1.1: 550 no such user");
    assert_string_equal(json_string_value(json_object_get(json_array_get(steps, 4), "what")), "complaint: abuse");
    assert_string_equal(json_string_value(json_object_get(notice, "state")), "accepted");
}

/* The audit sees feedback that nobody can have given. */
static void a_wrong_state_is_seen(void **state)
{
    static const char *const wrong[] = {
        "INSERT INTO feedback VALUES(1, 9, 1, 0, '', NULL)",
        "INSERT INTO feedback VALUES(9, 1, 1, 0, '', NULL)",
        "INSERT INTO feedback VALUES(1, 1, 5, 0, '', NULL)",
        "INSERT INTO feedback VALUES(1, 1, 1, 0, '', 4711)",
    };
    struct bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        sqlite3 *db;
        assert_int_equal(sqlite3_open(b->db, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, wrong[i], NULL, NULL, NULL), SQLITE_OK);
        json_t *audit = bench_report(b, &(struct store_report){.kind = REPORT_AUDIT});
        assert_int_equal(json_array_size(json_object_get(audit, "problems")), 1);
        assert_int_equal(sqlite3_exec(db, "DELETE FROM feedback", NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, bench_tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(who_is_suppressed),
        TEST(suppressed_people_are_not_claimed),
        TEST(an_older_suppression_stays),
        TEST(nobody_we_know),
        TEST(by_key),
        TEST(a_list_at_once),
        TEST(after_people_are_forgotten),
        TEST(it_is_told_of),
        TEST(a_wrong_state_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
