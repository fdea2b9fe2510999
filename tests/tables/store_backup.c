/* A copy of the state, made while everything goes on, is the state of one moment. */
#include "store_bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { FEW = 2000, PEOPLE = 30000 }; /* some 5 MB: a copy of several steps with rests between */

struct copied {
    struct bench *bench;
    bool answered;
    struct error failure;
    struct store_copy copy;
    int fd;
};

static int set_up_with(void **state, unsigned people)
{
    bench_set_up(state);
    struct bench *b = *state;
    bench_add_notice(b, 1);
    for (unsigned from = 1; from < people; from += 1000)
        bench_gather(b, 1, 1, from, from + 999);
    return 0;
}

static int set_up(void **state)
{
    return set_up_with(state, FEW);
}

static int set_up_many(void **state)
{
    return set_up_with(state, PEOPLE);
}

static void on_copied(void *ctx, struct store_backup *result)
{
    struct copied *copied = ctx;

    copied->answered = true;
    copied->copy = result->copy;
    if (result->failure)
        copied->failure = *result->failure;
    copied->fd = result->fd;
    result->fd = -1;
}

/* Files of the folder whose names begin so. */
static size_t count_files(const struct bench *b, const char *prefix)
{
    DIR *all = opendir(b->folder);
    struct dirent *entry;
    size_t count = 0;

    while ((entry = readdir(all)))
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    closedir(all);
    return count;
}

static void save(int fd, const char *path)
{
    auto_fd int out = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    char bytes[65536];
    ssize_t got;

    while ((got = read(fd, bytes, sizeof bytes)) > 0)
        assert_int_equal(write(out, bytes, (size_t)got), got);
    close(fd);
}

/* What an audit of the copy says, as a restored state. */
static void audit_copy(const char *path, struct store_copy *out)
{
    char url[128];
    struct error err = {0};

    if (store_backup_check(path, out, &err) < 0)
        fail_msg("%s", err.text);
    snprintf(url, sizeof url, "sqlite:%s", path);
    struct store *copy =
        store_open(&(struct store_spec){.url = url, .instance = "", .read_only = true, .clock = &clock_machine}, &err);
    if (!copy)
        fail_msg("%s", err.text);
    json_t *report = store_report_now(copy, &(struct store_report){.kind = REPORT_AUDIT}, &err);
    if (!report || json_array_size(json_object_get(report, "problems")))
        fail_msg("audit: %s %s", err.text, json_dumps(report, 0));
    json_decref(report);
    store_close(copy);
}

/* Tells as many as there is time for, until the copy is there. */
static size_t tell_until(struct bench *b, const struct copied *copied)
{
    static struct store_fate fates[500];
    size_t told = 0;

    do {
        bench_claim(b, 1, 200, 1);
        for (size_t i = 0; i < b->got_count; i++)
            fates[i] = (struct store_fate){.notice = 1,
                                           .seq = b->got[i].seq,
                                           .attempt = b->got[i].attempt,
                                           .fate = FATE_ACCEPTED,
                                           .code = 250,
                                           .at_ms = bench_clock(b)};
        told += b->got_count;
        bench_turn(b, fates, b->got_count, NULL);
    } while (!copied->answered);
    return told;
}

static void a_copy_is_one_moment(void **state)
{
    struct bench *b = *state;
    struct copied copied = {.bench = b};
    struct store_copy copy;
    char path[96];
    struct stat st;

    bench_launch(b, 1, 0);
    store_backup(b->store, on_copied, &copied);
    assert_true(tell_until(b, &copied) > 0);
    if (copied.failure.kind != ERROR_NONE)
        fail_msg("%s", copied.failure.text);
    assert_int_equal(copied.copy.notices, 1);
    assert_int_equal(copied.copy.people, PEOPLE);
    assert_int_equal(copied.copy.schema, 4);
    assert_int_equal(fstat(copied.fd, &st), 0);
    assert_int_equal(st.st_size, copied.copy.bytes);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(st.st_nlink, 0);
    snprintf(path, sizeof path, "%s/copy.db", b->folder);
    save(copied.fd, path);
    audit_copy(path, &copy);
    assert_memory_equal(&copy, &copied.copy, sizeof copy);
    assert_int_equal(count_files(b, "copy.db"), 1); /* nothing was put beside it */
    assert_int_equal(count_files(b, "onsale.db.backup"), 0);
}

static void people_may_join_meanwhile(void **state)
{
    struct bench *b = *state;
    struct copied copied = {.bench = b};
    struct store_copy copy;
    unsigned joined = PEOPLE;
    char path[96];

    store_backup(b->store, on_copied, &copied);
    while (!copied.answered && joined < 10 * PEOPLE) {
        bench_gather(b, 1, 1, joined + 1, joined + 500);
        joined += 500;
    }
    if (copied.failure.kind != ERROR_NONE)
        fail_msg("%s", copied.failure.text);
    assert_true(joined > PEOPLE);
    assert_int_equal(copied.copy.people % 500, 0);
    assert_true(copied.copy.people < joined); /* of the moment at which it began */
    snprintf(path, sizeof path, "%s/copy.db", b->folder);
    save(copied.fd, path);
    audit_copy(path, &copy);
}

static void closing_does_not_wait_for_a_copy(void **state)
{
    struct bench *b = *state;
    struct copied copied = {.bench = b};

    store_backup(b->store, on_copied, &copied);
    usleep(30 * 1000);
    int64_t began_ms = clock_mono_ms(&clock_machine);
    bench_close(b);
    assert_true(clock_mono_ms(&clock_machine) - began_ms < 1000);
    assert_false(copied.answered);
    assert_int_equal(count_files(b, "onsale.db.backup"), 0);
    bench_open(b);
}

static void a_cancelled_copy_is_thrown_away(void **state)
{
    struct bench *b = *state;
    struct copied copied = {.bench = b};
    struct store_job *job = store_backup(b->store, on_copied, &copied);

    store_cancel(&job);
    while (store_pending(b->store) > 0)
        uv_run(&b->loop, UV_RUN_ONCE);
    assert_false(copied.answered);
    assert_int_equal(count_files(b, "onsale.db.backup"), 0);
}

static void a_full_disk_leaves_nothing(void **state)
{
    struct bench *b = *state;
    struct copied copied = {.bench = b};
    struct rlimit all, little;
    struct store_copy copy;
    struct error err = {0};
    char path[96];

    getrlimit(RLIMIT_FSIZE, &all);
    signal(SIGXFSZ, SIG_IGN);
    little = all;
    little.rlim_cur = 200000; /* half of it */
    setrlimit(RLIMIT_FSIZE, &little);
    store_backup(b->store, on_copied, &copied);
    while (!copied.answered)
        uv_run(&b->loop, UV_RUN_ONCE);
    snprintf(path, sizeof path, "%s/copy.db", b->folder);
    int rc = store_backup_to(b->url, path, &copy, &err);
    setrlimit(RLIMIT_FSIZE, &all);
    assert_non_null(strstr(copied.failure.text, "copying"));
    assert_int_equal(copied.fd, -1);
    assert_int_equal(rc, -1);
    assert_non_null(strstr(err.text, "copying"));
    assert_int_equal(count_files(b, "onsale.db.backup") + count_files(b, "copy.db"), 0);
}

static void what_a_crash_left_is_swept(void **state)
{
    struct bench *b = *state;
    char path[128];

    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s.backup-%016d", b->db, i);
        fclose(fopen(path, "w"));
    }
    snprintf(path, sizeof path, "%s/onsale.db.mine", b->folder);
    fclose(fopen(path, "w"));
    bench_close(b);
    bench_open(b);
    assert_int_equal(count_files(b, "onsale.db.backup"), 0);
    assert_int_equal(count_files(b, "onsale.db.mine"), 1);
}

/* Commands copy without a daemon, too: into a new file only, 0600, that is one file for ever. */
static void a_command_copies_by_itself(void **state)
{
    struct bench *b = *state;
    struct store_copy copy, again;
    struct error err = {0};
    struct stat st;
    char path[96];
    sqlite3 *db;

    snprintf(path, sizeof path, "%s/copy.db", b->folder);
    if (store_backup_to(b->url, path, &copy, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    audit_copy(path, &again);
    assert_memory_equal(&copy, &again, sizeof copy);
    assert_int_equal(store_backup_to(b->url, path, &copy, &err), -1);
    assert_non_null(strstr(err.text, "exists"));
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK); /* the one that was there is untouched, and plain */
    assert_int_equal(sqlite3_exec(db, "UPDATE meta SET value = value", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(count_files(b, "copy.db"), 1);
    sqlite3_close(db);
}

/* On the same machine, before any other start: nothing but the copy itself can tell. */
static void a_restored_copy_is_held_until_adopted(void **state)
{
    struct bench *b = *state;
    struct store_copy copy;
    struct error err = {0};
    char path[96];

    snprintf(path, sizeof path, "%s/copy.db", b->folder);
    if (store_backup_to(b->url, path, &copy, &err) < 0)
        fail_msg("%s", err.text);
    bench_close(b);
    assert_int_equal(rename(path, b->db), 0);
    for (int start = 0; start < 2; start++) {
        bench_open(b);
        assert_non_null(store_copy_reason(b->store));
        assert_non_null(strstr(store_copy_reason(b->store), "is a backup of 20"));
        bench_launch(b, 1, 0);
        bench_turn(b, NULL, 0, &(struct store_claim){.notice = 1, .want = 5, .pass = 1});
        assert_int_not_equal(b->failure.kind, ERROR_NONE);
        if (start == 0)
            bench_close(b);
    }
    bench_adopt(b);
    bench_claim(b, 1, 5, 1);
    assert_int_equal(b->got_count, 5);
    bench_close(b);
    bench_open(b);
    assert_null(store_copy_reason(b->store));
}

static void a_damaged_copy_is_told(void **state)
{
    struct bench *b = *state;
    struct store_copy copy;
    struct error err = {0};
    char path[96], zeros[4096] = {0};

    snprintf(path, sizeof path, "%s/copy.db", b->folder);
    assert_int_equal(store_backup_to(b->url, path, &copy, &err), 0);
    auto_fd int fd = open(path, O_RDWR);
    assert_int_equal(pwrite(fd, zeros, sizeof zeros, copy.bytes / 2 / 4096 * 4096), sizeof zeros);
    assert_int_equal(store_backup_check(path, &copy, &err), -1);
    assert_non_null(strstr(err.text, "damaged"));
    assert_int_equal(ftruncate(fd, copy.bytes / 2), 0);
    err = (struct error){0};
    assert_int_equal(store_backup_check(path, &copy, &err), -1);
    assert_non_null(strstr(err.text, "damaged"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, bench_tear_down)
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_is_one_moment, set_up_many, bench_tear_down),
        cmocka_unit_test_setup_teardown(people_may_join_meanwhile, set_up_many, bench_tear_down),
        cmocka_unit_test_setup_teardown(closing_does_not_wait_for_a_copy, set_up_many, bench_tear_down),
        TEST(a_cancelled_copy_is_thrown_away),
        TEST(a_full_disk_leaves_nothing),
        TEST(what_a_crash_left_is_swept),
        TEST(a_command_copies_by_itself),
        TEST(a_restored_copy_is_held_until_adopted),
        TEST(a_damaged_copy_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
