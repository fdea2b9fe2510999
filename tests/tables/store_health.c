/* How the store says that it stands: from memory, also while its threads cannot move. */
#include "store_bench.h"

#include <signal.h>
#include <sys/resource.h>

static struct store_health health_of(struct bench *b)
{
    struct store_health health;

    store_health(b->store, &health);
    return health;
}

/* The loop turns until nothing is under way. */
static void settle(struct bench *b)
{
    while (store_pending(b->store) > 0)
        uv_run(&b->loop, UV_RUN_ONCE);
}

static void a_new_store_is_well(void **state)
{
    struct bench *b = *state;

    assert_int_equal(health_of(b).room_bytes, -1);
    store_look(b->store);
    store_look(b->store);
    assert_int_equal(store_pending(b->store), 1); /* one look at a time, and nothing to try */
    settle(b);
    struct store_health health = health_of(b);
    assert_true(health.room_bytes > 0);
    assert_int_equal(health.failure.kind, ERROR_NONE);
    assert_int_equal(health.stuck_ms, 0);
}

static void write_pause(struct bench *b)
{
    struct store_pause pause = {.target = (char[]){""}, .who = (char[]){"root"}, .at_ms = 1};

    store_apply(b->store, &(struct store_change){.pause = &pause}, bench_on_done, b);
    bench_wait(b);
}

/* After a repair nobody else need write: the look does. */
static void a_full_disk_is_failing_until_it_is_repaired(void **state)
{
    struct bench *b = *state;
    struct rlimit all, little;

    getrlimit(RLIMIT_FSIZE, &all);
    signal(SIGXFSZ, SIG_IGN);
    little = all;
    little.rlim_cur = 4096;
    setrlimit(RLIMIT_FSIZE, &little);
    write_pause(b);
    assert_int_equal(b->failure.kind, ERROR_TRY_LATER);
    for (int i = 0; i < 3; i++) {
        assert_non_null(strstr(health_of(b).failure.text, b->db));
        store_look(b->store);
        settle(b);
    }
    setrlimit(RLIMIT_FSIZE, &all);
    assert_int_equal(health_of(b).failure.kind, ERROR_TRY_LATER);
    store_look(b->store);
    settle(b);
    assert_int_equal(health_of(b).failure.kind, ERROR_NONE);
    write_pause(b);
    assert_int_equal(b->failure.kind, ERROR_NONE);
}

/* The file may not grow: what was forgotten cannot be emptied out of the log. Said until it can. */
static void a_log_that_cannot_be_emptied_is_told(void **state)
{
    struct bench *b = *state;
    struct rlimit all, little;
    struct stat st;
    unsigned char key[PERSON_KEY_SIZE];

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 4000);
    bench_close(b);
    bench_open(b);
    assert_int_equal(stat(b->db, &st), 0);
    getrlimit(RLIMIT_FSIZE, &all);
    signal(SIGXFSZ, SIG_IGN);
    little = all;
    little.rlim_cur = (rlim_t)st.st_size;
    setrlimit(RLIMIT_FSIZE, &little);
    bench_gather(b, 1, 1, 4001, 4300);
    bench_key(key, 17);
    store_erase(b->store, key, DUE_MS, bench_on_erased, b);
    bench_wait(b);
    bench_fine(b);
    for (int i = 0; i < 100 && health_of(b).keeping.kind == ERROR_NONE; i++)
        usleep(20 * 1000);
    assert_int_equal(health_of(b).failure.kind, ERROR_NONE); /* claims and fates go on */
    assert_non_null(strstr(health_of(b).keeping.text, b->db));
    setrlimit(RLIMIT_FSIZE, &all);
    for (int i = 0; i < 100 && health_of(b).keeping.kind != ERROR_NONE; i++)
        usleep(20 * 1000);
    assert_int_equal(health_of(b).keeping.kind, ERROR_NONE);
}

/* What is asked wrongly says nothing of the disk. */
static void a_refused_request_is_no_illness(void **state)
{
    struct bench *b = *state;

    store_launch(b->store, 77, "mail", 0, bench_on_launch, b);
    bench_wait(b);
    assert_int_equal(b->failure.kind, ERROR_REFUSED);
    assert_int_equal(health_of(b).failure.kind, ERROR_NONE);
}

static void a_thread_that_cannot_move_is_told(void **state)
{
    struct bench *b = *state;
    struct store_pause pause = {.target = (char[]){""}, .who = (char[]){"root"}, .at_ms = 1};
    sqlite3 *other;

    assert_int_equal(sqlite3_open(b->db, &other), SQLITE_OK);
    sqlite3_busy_timeout(other, 5000); /* the writer empties the log of the last life first */
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    store_apply(b->store, &(struct store_change){.pause = &pause}, bench_on_done, b);
    int64_t stuck_ms = 0;
    for (int i = 0; i < 100 && stuck_ms < 250; i++) { /* the thread may come to it late */
        usleep(50 * 1000);
        stuck_ms = health_of(b).stuck_ms;
    }
    assert_true(stuck_ms >= 250 && stuck_ms < 5000);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    bench_wait(b);
    bench_fine(b);
    assert_int_equal(health_of(b).stuck_ms, 0);
}

/* A long reading is no standstill: many reports wait behind one another, and the thread breathes. */
static void a_busy_thread_is_not_stuck(void **state)
{
    struct bench *b = *state;
    int64_t worst_ms = 0, took_ms = 0;

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 5000);
    for (int count = 20; took_ms < 400; count *= 2) {
        int64_t began_ms = clock_mono_ms(&clock_machine);
        worst_ms = 0;
        for (int i = 0; i < count; i++)
            store_report(b->store, &(struct store_report){.kind = REPORT_AUDIT}, NULL, NULL);
        while (store_pending(b->store) > 0) {
            int64_t stuck_ms = health_of(b).stuck_ms;
            worst_ms = stuck_ms > worst_ms ? stuck_ms : worst_ms;
            uv_run(&b->loop, UV_RUN_NOWAIT);
            usleep(500);
        }
        took_ms = clock_mono_ms(&clock_machine) - began_ms;
    }
    if (worst_ms >= took_ms / 2)
        fail_msg("stuck for %lld of %lld ms", (long long)worst_ms, (long long)took_ms);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(a_new_store_is_well),
        TEST(a_full_disk_is_failing_until_it_is_repaired),
        TEST(a_log_that_cannot_be_emptied_is_told),
        TEST(a_refused_request_is_no_illness),
        TEST(a_thread_that_cannot_move_is_told),
        TEST(a_busy_thread_is_not_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
