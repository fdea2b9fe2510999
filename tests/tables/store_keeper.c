/* The write-ahead log is folded into the file while the writer goes on, and does not grow for ever. */
#include "store_bench.h"

enum { PAGE = 500, LOG_MAX = 128 << 20, LOG_KEPT = 65 << 20 };

static int set_up(void **state)
{
    static struct bench bench;

    bench_init(&bench);
    bench_open(&bench);
    bench_add_notice(&bench, 1);
    *state = &bench;
    return 0;
}

static int tear_down(void **state)
{
    bench_clear(*state);
    return 0;
}

static int64_t log_bytes(const struct bench *b)
{
    char path[96];
    struct stat st;

    snprintf(path, sizeof path, "%s-wal", b->db);
    return stat(path, &st) == 0 ? st.st_size : 0;
}

/* Everybody says yes, in read `pass`; returns the longest log. */
static int64_t gather(struct bench *b, int64_t pass, unsigned people)
{
    int64_t longest = 0;

    for (unsigned from = 1; from <= people; from += PAGE) {
        bench_gather(b, 1, pass, from, from + PAGE - 1);
        if (log_bytes(b) > longest)
            longest = log_bytes(b);
    }
    return longest;
}

static void the_log_stays_short(void **state)
{
    struct bench *b = *state;
    int64_t longest = gather(b, 1, 120000);

    assert_true(longest > 1 << 20);
    assert_true(longest < LOG_MAX);
    assert_int_equal(b->gathered.planned, 120000);
    bench_close(b);
    bench_open(b);
    bench_audit(b);
    bench_claim(b, 1, 100, 1);
    assert_int_equal(b->got_count, 100);
}

/* A report of somebody else that takes long: nothing waits for it, and when it ends the log begins anew. */
static void a_reader_holds_the_log(void **state)
{
    struct bench *b = *state;
    sqlite3 *reader;

    gather(b, 1, PAGE);
    assert_int_equal(sqlite3_open(b->db, &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM told", NULL, NULL, NULL), SQLITE_OK);
    assert_true(gather(b, 1, 70000) > LOG_KEPT);
    assert_int_equal(b->gathered.planned, 70000);
    sqlite3_close(reader);
    for (unsigned i = 1; i < 3000 && log_bytes(b) > LOG_KEPT; i++) {
        bench_gather(b, 1, 2, i, i);
        uv_sleep(10);
    }
    assert_true(log_bytes(b) <= LOG_KEPT);
    bench_audit(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_log_stays_short, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_reader_holds_the_log, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
