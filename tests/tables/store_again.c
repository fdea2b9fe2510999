/* Who is to be tried again: listed page by page, and called back slice by slice, by an operator, beside busy writers.
 */
#include "store_bench.h"

/* No audit: who is listed without ever having been told would be found. */
static int tear_down_unaudited(void **state)
{
    bench_clear(*state);
    free(*state);
    return 0;
}

/* So many are listed, the first ones, and it is said who comes next. */
static void listed_page_by_page(void **state)
{
    struct bench *b = *state;

    bench_add_notice(b, 1);
    bench_sql(b, "WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM c WHERE i < 40000)"
                 " INSERT INTO again SELECT 1, i, 'mail', 2, 1, 1000000 - i / 2 FROM c");
    bench_launch(b, 1, 0);
    assert_int_equal(b->launch.again_count, STORE_AGAIN_PAGE);
    assert_true(b->launch.again_more);
    assert_int_equal(b->again[0].at_ms, 1000000 - 20000);
    assert_int_equal(b->again[0].seq, 40000);
    assert_int_equal(b->again[1].seq, 39998); /* of one moment: by number */
    assert_int_equal(b->again[2].seq, 39999);
    assert_int_equal(b->launch.again_next.at_ms, 1000000 - (40000 - STORE_AGAIN_PAGE) / 2);
    bench_sql(b, "DELETE FROM again WHERE seq > 32768");
    bench_launch(b, 1, 0);
    assert_int_equal(b->launch.again_count, STORE_AGAIN_PAGE);
    assert_false(b->launch.again_more);
    bench_sql(b, "DELETE FROM again");
}

enum { WAITING = 200, WRITES_MOST = 6000, NAMES = 200 };

struct busy {
    struct bench *b;
    struct store_suppression words[NAMES];
    int writes, under_way;
    bool over;
};

static void on_written(void *ctx, int64_t count, const struct error *failure);

static void write_something(struct busy *busy)
{
    busy->under_way++;
    store_suppress(busy->b->store, busy->words, NAMES, on_written, busy);
}

static void on_written(void *ctx, int64_t count, const struct error *failure)
{
    struct busy *busy = ctx;

    (void)count;
    assert_null(failure);
    busy->under_way--;
    if (!busy->over && ++busy->writes < WRITES_MOST)
        write_something(busy);
}

static void on_retried(void *ctx, int64_t count, const struct error *failure)
{
    struct busy *busy = ctx;

    assert_null(failure);
    busy->b->count = count;
    busy->over = true;
}

/* There is always something else to write: each slice comes all the same, after a few transactions. */
static void a_retry_beside_busy_writers(void **state)
{
    struct bench *b = *state;
    struct busy busy = {.b = b};
    enum { PEOPLE = 10000 };

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, PEOPLE);
    bench_sql(b, "INSERT INTO fate SELECT 1, seq, 1, 'mail', 1, 3, 0, 550, NULL, 1806048000000, NULL, 1 FROM told "
                 "WHERE roll = 1;"
                 "INSERT INTO claim VALUES(1, 1, 'mail', 1, 10000, 10000, 1806048000000, 1);"
                 "INSERT INTO counter VALUES(1, 'mail', 10000, 0, 0, 10000, 0, 0, NULL, NULL);"
                 "INSERT INTO fate_sum VALUES(1, 'mail', 3, 0, 550, 0, 10000);"
                 "UPDATE notice SET state = 5, claimed = 1 WHERE id = 1");
    store_retry(b->store, &(struct store_retry){.notice = 1, .fate = FATE_REFUSED, .channel = "mail", .now_ms = DUE_MS},
                on_retried, &busy);
    for (unsigned i = 0; i < NAMES; i++) {
        busy.words[i] =
            (struct store_suppression){.scope = "all", .reason = "operator", .at_ms = DUE_MS, .overwrite = true};
        bench_key(busy.words[i].key, i + 1);
    }
    for (int i = 0; i < WAITING; i++)
        write_something(&busy);
    while (!busy.over || busy.under_way > 0)
        uv_run(&b->loop, UV_RUN_ONCE);
    assert_int_equal(b->count, PEOPLE);
    assert_true(busy.writes < WRITES_MOST);
    bench_audit(b);
}

static void people_can_be_chosen_for_another_try(void **state)
{
    struct bench *b = *state;
    struct store_retry what = {.notice = 1, .fate = FATE_REFUSED, .code = 550, .channel = "mail", .now_ms = DUE_MS};

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 4);
    bench_suppress_one(b, 4, "", false);
    bench_claim(b, 1, 4, 1);
    bench_fate(b, 1, 1, 1, FATE_REFUSED, 0);
    bench_fate(b, 1, 2, 1, FATE_IN_DOUBT, 0);
    bench_fate(b, 1, 3, 1, FATE_ACCEPTED, 0);
    what.code = 421;
    store_retry(b->store, &what, bench_on_count, b);
    bench_wait(b);
    assert_int_equal(b->count, 0);
    what.code = 550;
    store_retry(b->store, &what, bench_on_count, b);
    bench_wait(b);
    assert_int_equal(b->count, 1);
    store_retry(b->store, &what, bench_on_count, b);
    bench_wait(b);
    assert_int_equal(b->count, 0); /* waits already */
    what = (struct store_retry){
        .notice = 1, .fate = FATE_WITHHELD, .withheld = WITHHELD_SUPPRESSED, .channel = "mail", .now_ms = DUE_MS};
    store_retry(b->store, &what, bench_on_count, b);
    bench_wait(b);
    assert_int_equal(b->count, 1);
    what.fate = FATE_ACCEPTED;
    store_retry(b->store, &what, bench_on_count, b);
    bench_wait(b);
    assert_int_equal(b->failure.kind, ERROR_REFUSED);
    bench_launch(b, 1, 0);
    assert_int_equal(b->launch.again_count, 2);
    bench_tally_is(&b->launch.tally, (struct tally){.planned = 4, .waiting = 2, .accepted = 1, .in_doubt = 1});
}

/* Slice by slice: what failed at a later one says how many wait by then, and asking again moves the others. */
static void a_retry_that_fails_half_way_says_who_was_moved(void **state)
{
    struct bench *b = *state;
    struct store_retry what = {.notice = 1, .fate = FATE_REFUSED, .channel = "mail", .now_ms = DUE_MS};
    enum { PEOPLE = 6000, SLICE = 2500 };

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, PEOPLE);
    bench_sql(b, "INSERT INTO fate SELECT 1, seq, 1, 'mail', 1, 3, 0, 550, NULL, 1806048000000, NULL, 1 FROM told "
                 "WHERE roll = 1;"
                 "INSERT INTO claim VALUES(1, 1, 'mail', 1, 6000, 6000, 1806048000000, 1);"
                 "INSERT INTO counter VALUES(1, 'mail', 6000, 0, 0, 6000, 0, 0, NULL, NULL);"
                 "INSERT INTO fate_sum VALUES(1, 'mail', 3, 0, 550, 0, 6000);"
                 "UPDATE notice SET state = 5, claimed = 1 WHERE id = 1;"
                 "CREATE TRIGGER fault BEFORE INSERT ON again WHEN NEW.seq = 4000 BEGIN"
                 "  SELECT RAISE(ABORT, 'fault'); END");
    store_retry(b->store, &what, bench_on_count, b);
    bench_wait(b);
    assert_non_null(strstr(b->failure.text, "fault"));
    assert_int_equal(b->count, SLICE);
    bench_launch(b, 1, 0);
    assert_int_equal(b->launch.again_count, SLICE);
    bench_tally_is(&b->launch.tally, (struct tally){.planned = PEOPLE, .waiting = SLICE, .refused = PEOPLE - SLICE});
    assert_int_equal(bench_number(b, "SELECT state FROM notice WHERE id = 1"), NOTICE_SENDING);
    bench_audit(b);
    bench_sql(b, "DROP TRIGGER fault");
    store_retry(b->store, &what, bench_on_count, b);
    bench_wait(b);
    bench_fine(b);
    assert_int_equal(b->count, PEOPLE - SLICE);
    bench_audit(b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(listed_page_by_page, bench_set_up, tear_down_unaudited),
        TEST(a_retry_beside_busy_writers),
        TEST(people_can_be_chosen_for_another_try),
        TEST(a_retry_that_fails_half_way_says_who_was_moved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
