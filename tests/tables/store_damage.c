/* Files that are not what they should be: refused with a way out, and never written over. */
#include "store_bench.h"

#include <fcntl.h>

enum { PAGE = 4096, PEOPLE = 3000 };

static int set_up(void **state)
{
    struct bench *b = must_calloc(1, sizeof *b);

    bench_init(b);
    bench_open(b);
    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, PEOPLE);
    bench_claim(b, 1, 3, 1);
    bench_close(b);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    bench_clear(*state);
    free(*state);
    return 0;
}

static struct text read_file(const char *path, struct buf *out)
{
    buf_init(out, 64 << 20);
    buf_add_file(out, path, NULL); /* "" where there is none */
    return buf_text(out);
}

static void write_file(const char *path, const void *bytes, size_t len)
{
    auto_file FILE *file = fopen(path, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
}

/* By the daemon, and by commands; not a byte of it changes. */
static void refused(struct bench *b, const char *part)
{
    struct store_spec spec = {.url = b->url, .read_only = true};
    auto_buf struct buf before, after;
    struct error err = {0}, reading = {0};

    read_file(b->db, &before);
    if (bench_try_open(b, &err))
        fail_msg("opened, though %s", part);
    if (err.kind != ERROR_CONFIG || !strstr(err.text, part) || !strstr(err.text, b->db))
        fail_msg("%d: %s", err.kind, err.text);
    struct store *store = store_open(&spec, &reading);
    if (store)
        fail_msg("a command opened it, though %s", part);
    assert_true(reading.kind != ERROR_NONE);
    read_file(b->db, &after);
    assert_true(text_equal(buf_text(&before), buf_text(&after)));
}

static void a_folder(void **state)
{
    struct bench *b = *state;

    assert_int_equal(unlink(b->db), 0);
    assert_int_equal(mkdir(b->db, 0700), 0);
    refused(b, "cannot be opened");
}

static void garbage_in_the_header(void **state)
{
    struct bench *b = *state;
    auto_fd int fd = open(b->db, O_WRONLY);

    assert_int_equal(pwrite(fd, "not a database..", 16, 0), 16);
    refused(b, "cp BACKUP");
}

static void something_else_altogether(void **state)
{
    static const char letter[] = "this was a database once, and now it is a letter to somebody else entirely";
    struct bench *b = *state;

    write_file(b->db, letter, strlen(letter));
    refused(b, "cp BACKUP");
}

static void a_file_cut_short(void **state)
{
    struct bench *b = *state;

    assert_int_equal(truncate(b->db, 20 * PAGE), 0);
    refused(b, "cp BACKUP");
}

static void anothers_database(void **state)
{
    struct bench *b = *state;
    sqlite3 *db;

    assert_int_equal(unlink(b->db), 0);
    assert_int_equal(sqlite3_open(b->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE theirs(x); INSERT INTO theirs VALUES(1)", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    refused(b, "not one of Onsale"); /* nor does it become one with a write-ahead log */
}

/* A log that no database wrote is no part of the state. */
static void garbage_in_the_log(void **state)
{
    struct bench *b = *state;
    char path[128], garbage[3 * PAGE];

    memset(garbage, 'x', sizeof garbage);
    snprintf(path, sizeof path, "%s-wal", b->db);
    write_file(path, garbage, sizeof garbage);
    bench_open(b);
    assert_null(store_copy_reason(b->store));
    bench_audit(b);
}

/* A place in the file where people are. */
static off_t page_of_people(struct bench *b)
{
    auto_buf struct buf file;
    struct text all = read_file(b->db, &file);
    const char *found = memmem(all.ptr, all.len, "p2500@example.org", strlen("p2500@example.org"));

    assert_non_null(found);
    return (found - all.ptr) / PAGE * PAGE;
}

/* It opens, since nobody reads a whole state at each start; whoever comes upon it says so, and it stays said. */
static void a_damaged_page(void **state)
{
    struct bench *b = *state;
    auto_fd int fd = open(b->db, O_WRONLY);
    char garbage[PAGE];
    struct store_health health;
    struct error err = {0};

    memset(garbage, 0xA5, sizeof garbage);
    assert_int_equal(pwrite(fd, garbage, PAGE, page_of_people(b)), PAGE);
    bench_open(b);
    json_t *answer = store_report_now(b->store, &(struct store_report){.kind = REPORT_AUDIT}, &err);
    if (answer ? json_array_size(json_object_get(answer, "problems")) == 0 : !strstr(err.text, "damaged"))
        fail_msg("an audit finds nothing: %s", err.text);
    json_decref(answer);
    for (int i = 0; i < 5 && b->failure.kind == ERROR_NONE; i++)
        bench_claims(b, NULL, 0, &(struct store_claim){.notice = 1, .want = 1000, .pass = 1}, 1);
    assert_int_equal(b->failure.kind, ERROR_CONFIG);
    assert_non_null(strstr(b->failure.text, "cp BACKUP"));
    bench_add_notice(b, 2); /* what can be written is written */
    store_health(b->store, &health);
    assert_non_null(strstr(health.failure.text, "damaged"));
}

/* A copy of it is none: what has to be repaired is named, not the copy that is thrown away. */
static void a_backup_names_the_state(void **state)
{
    struct bench *b = *state;
    char garbage[PAGE], to[128], says[160];
    struct store_copy copy;
    struct error err = {0};
    auto_fd int fd = open(b->db, O_WRONLY);

    memset(garbage, 0xA5, sizeof garbage);
    assert_int_equal(pwrite(fd, garbage, PAGE, page_of_people(b)), PAGE);
    snprintf(to, sizeof to, "%s/backup.db.part", b->folder);
    snprintf(says, sizeof says, "%s: damaged", b->db);
    assert_int_equal(store_backup_to(b->url, to, &copy, &err), -1);
    assert_non_null(strstr(err.text, says));
    assert_null(strstr(err.text, "backup.db"));
}

/* Nothing where a state was: lost, or moved away. Whoever was told is not known, so somebody has to say that it is
 * meant. */
static void nothing_where_a_state_was(void **state)
{
    struct bench *b = *state;

    for (int empty = 0; empty < 2; empty++) {
        assert_int_equal(empty ? truncate(b->db, 0) : unlink(b->db), 0);
        bench_open(b);
        assert_non_null(strstr(store_copy_reason(b->store), "is new"));
        bench_adopt(b);
        bench_close(b);
        bench_open(b);
        assert_null(store_copy_reason(b->store));
        bench_close(b);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(a_folder),         TEST(garbage_in_the_header),    TEST(something_else_altogether),
        TEST(a_file_cut_short), TEST(anothers_database),        TEST(garbage_in_the_log),
        TEST(a_damaged_page),   TEST(a_backup_names_the_state), TEST(nothing_where_a_state_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
