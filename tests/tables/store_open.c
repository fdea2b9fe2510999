/* Opening a state: one of an earlier version comes forward, one that is in use or not ours is refused. */
#include "store_bench.h"

/* What version 4 brought, a line for each part of it. */
#define BACK_TO_3                                                                                                      \
    "DROP INDEX again_next; DROP INDEX told_seed; DROP TABLE fate_sum; DROP TABLE late_sum;"                           \
    "DROP TABLE hook; DROP TABLE hook_entity;"                                                                         \
    "DROP TABLE private_feed; DROP TABLE private_feed_gone;"                                                           \
    "DROP TABLE calendar_entry; DROP TABLE calendar_change;"                                                           \
    "DROP TABLE calendar_published; DROP TABLE calendar_said;"                                                         \
    "DROP TABLE webhook_opening; DROP TABLE webhook_message; DROP TABLE webhook; DROP TABLE speed;"                    \
    "DROP TABLE person_ids; DROP TABLE unmet;"

static void a_state_of_the_last_version_is_brought_forward(void **state)
{
    struct bench *b = *state;
    struct store_recalled recalled;
    struct error err = {0};

    bench_add_notice(b, 1);
    bench_close(b);
    bench_sql(b, BACK_TO_3 "PRAGMA user_version = 3");
    bench_open(b);
    bench_close(b);
    bench_sql(b, BACK_TO_3
              "DROP TABLE wait; ALTER TABLE notice DROP COLUMN owes_report; ALTER TABLE notice DROP COLUMN will_finish;"
              "ALTER TABLE notice DROP COLUMN will_not_fit; ALTER TABLE notice DROP COLUMN forecast;"
              "PRAGMA user_version = 2");
    bench_open(b);
    assert_int_equal(store_recall(b->store, "mail", 0, &recalled, &err), 0);
    assert_int_equal(recalled.wait.until_ms, MOMENT_NONE);
    store_recalled_clear(&recalled);
}

/* Whoever the last version stored is found by what their tool calls them: pages, holes of who was erased, two lists. */
static void people_of_the_last_version_are_found(void **state)
{
    static const unsigned looked_for[] = {1, 500, 501, 699, 701, 1300, 1310};
    struct bench *b = *state;
    char id[BENCH_ID_SIZE], list[BENCH_ID_SIZE + 8];

    bench_add_notice(b, 1);
    bench_add_notice(b, 2);
    bench_gather(b, 1, 1, 1, 1300);
    bench_gather(b, 2, 1, 1301, 1310);
    bench_close(b);
    bench_sql(b, "DELETE FROM person WHERE roll = 1 AND seq = 700;" BACK_TO_3 "PRAGMA user_version = 3");
    bench_open(b);
    for (size_t i = 0; i < ARRAY_LEN(looked_for); i++) {
        bench_source_id(id, looked_for[i]);
        snprintf(list, sizeof list, "[\"%s\"]", id);
        json_t *found = bench_report(b, &(struct store_report){.kind = REPORT_SOURCE_IDS, .source_ids = list});
        assert_true(json_is_string(json_object_get(found, id)));
    }
    assert_int_equal(bench_number(b, "SELECT sum(length(hashes)) / 4 FROM person_ids"), 1309);
}

/* Years of fates are counted when the state comes forward: right, and in little memory. */
static void fates_of_the_last_version_are_counted(void **state)
{
    struct bench *b = *state;

    bench_add_notice(b, 1);
    bench_close(b);
    bench_sql(b, BACK_TO_3
              "PRAGMA user_version = 3; UPDATE notice SET claimed = 1; INSERT INTO roll VALUES(1, 300000); INSERT INTO "
              "text VALUES(7, 'no such user');"
              "WITH RECURSIVE people(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM people WHERE seq < 300000)"
              " INSERT INTO told SELECT 1, seq, cast(printf('%016d', seq) AS BLOB), 1, 1, 0, 0 FROM people;"
              "INSERT INTO claim SELECT 1, 1, 'mail', 1, 300000, 300000, due_at, 1 FROM notice;"
              "INSERT INTO fate SELECT 1, seq, 1, 'mail', 1, iif(seq % 10, 1, 2), 0, 250, NULL,"
              "  (SELECT due_at FROM notice) + seq, iif(seq % 10, NULL, 9), 1 FROM told;"
              "INSERT INTO fate SELECT 1, seq, 2, 'mail', 2, 3, 0, 550, iif(seq % 20, 7, NULL),"
              "  (SELECT due_at FROM notice) + seq, NULL, 2 FROM told WHERE seq % 10 = 0;"
              "INSERT INTO claim SELECT 1, 2, 'mail', NULL, NULL, 30000, due_at, 1 FROM notice;"
              "INSERT INTO claim_member SELECT 1, 2, seq, 2 FROM told WHERE seq % 10 = 0;"
              "INSERT INTO counter VALUES(1, 'mail', 300000, 0, 270000, 30000, 0, 0, 5, 5)");
    sqlite3_memory_highwater(1);
    bench_open(b);
    assert_in_range(sqlite3_memory_highwater(0), 1, 10 << 20); /* bytes; mostly the cache */
    bench_audit(b);
}

static void refused(struct bench *b, const char *part)
{
    struct error err = {0};

    if (bench_try_open(b, &err))
        fail_msg("opened, though %s", part);
    if (err.kind != ERROR_CONFIG || !strstr(err.text, part))
        fail_msg("%d: %s", err.kind, err.text);
}

static void a_second_daemon_is_refused(void **state)
{
    struct bench *b = *state;
    struct store *first = b->store;
    char pid[32];

    snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
    refused(b, pid);
    b->store = first;
    bench_add_notice(b, 1); /* and the first one was not disturbed */
}

static void only_our_own_files_are_opened(void **state)
{
    struct bench *b = *state;
    char url[sizeof b->url];

    bench_close(b);
    bench_sql(b, "PRAGMA user_version = 99");
    refused(b, "newer onsale");
    bench_sql(b, "PRAGMA user_version = 1; PRAGMA application_id = 7");
    refused(b, "not one of Onsale");
    strcpy(url, b->url);
    strcpy(b->url, "postgres:x");
    refused(b, "expected sqlite:");
    strcpy(b->url, url);
}

static void files_are_for_the_owner_only(void **state)
{
    struct bench *b = *state;
    static const char *const files[] = {"", "-wal", ".lock"};

    bench_add_notice(b, 1);
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char path[128];
        struct stat st;
        snprintf(path, sizeof path, "%s%s", b->db, files[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    assert_string_equal(store_folder(b->store), b->folder);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(a_state_of_the_last_version_is_brought_forward),
        TEST(people_of_the_last_version_are_found),
        TEST(fates_of_the_last_version_are_counted),
        TEST(a_second_daemon_is_refused),
        TEST(only_our_own_files_are_opened),
        TEST(files_are_for_the_owner_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
