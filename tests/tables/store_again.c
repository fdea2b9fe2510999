/* Who is to be tried again: listed page by page, and called back slice by slice beside busy writers. */
#include "store_bench.h"

static int setup(void **state)
{
    struct bench *b = must_calloc(1, sizeof *b);

    bench_init(b);
    bench_open(b);
    *state = b;
    return 0;
}

static int teardown(void **state)
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
    int writes;
    bool over;
};

static void on_written(void *ctx, int64_t count, const struct error *failure);

static void write_something(struct busy *busy)
{
    store_suppress(busy->b->store, busy->words, NAMES, on_written, busy);
}

static void on_written(void *ctx, int64_t count, const struct error *failure)
{
    struct busy *busy = ctx;

    (void)count;
    assert_null(failure);
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
    while (!busy.over)
        uv_run(&b->loop, UV_RUN_ONCE);
    assert_int_equal(b->count, PEOPLE);
    assert_true(busy.writes < WRITES_MOST);
    bench_audit(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(listed_page_by_page, setup, teardown),
        cmocka_unit_test_setup_teardown(a_retry_beside_busy_writers, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
