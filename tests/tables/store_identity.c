/* Whose state it is: a copy of one makes no claims until a person says that it is the one (design.md promise 9). */
#include "store_bench.h"

static void claim_fails_as_a_copy(struct bench *b)
{
    assert_non_null(store_copy_reason(b->store));
    bench_turn(b, NULL, 0, &(struct store_claim){.notice = 1, .want = 1, .pass = 1});
    assert_int_equal(b->failure.kind, ERROR_CONFIG);
    bench_close(b);
    bench_open(b); /* another start makes it no better */
    assert_non_null(store_copy_reason(b->store));
    bench_adopt(b);
    assert_null(store_copy_reason(b->store));
    bench_claim(b, 1, 1, 1);
    assert_int_equal(b->got_count, 1);
    bench_close(b);
    bench_open(b);
    assert_null(store_copy_reason(b->store));
}

static void a_foreign_state_is_a_copy(void **state)
{
    struct bench *b = *state;

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 2);
    bench_close(b);
    b->instance = "other";
    bench_open(b);
    claim_fails_as_a_copy(b);
}

static void the_machine_is_an_identity_too(void **state)
{
    struct bench *b = *state;

    bench_close(b);
    b->instance = "";
    bench_open(b);
    assert_non_null(store_copy_reason(b->store));
    bench_adopt(b);
    bench_close(b);
    bench_open(b);
    assert_null(store_copy_reason(b->store));
}

static void copy_file(const char *from, const char *to)
{
    char command[256];

    snprintf(command, sizeof command, "cp %s %s", from, to);
    assert_int_equal(system(command), 0);
}

static void a_state_older_than_its_witness_is_a_copy(void **state)
{
    struct bench *b = *state;
    char saved[128];

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 2);
    bench_close(b);
    snprintf(saved, sizeof saved, "%s.saved", b->db);
    copy_file(b->db, saved);
    bench_open(b);
    bench_close(b);
    copy_file(saved, b->db); /* the backup of yesterday */
    bench_open(b);
    claim_fails_as_a_copy(b);
    assert_true(store_generation(b->store) > 2);
}

static void a_missing_witness_only_warns(void **state)
{
    struct bench *b = *state;

    bench_close(b);
    assert_int_equal(unlink(b->witness), 0);
    bench_open(b);
    assert_null(store_copy_reason(b->store));
    assert_int_equal(access(b->witness, R_OK), 0);
    bench_close(b);
    snprintf(b->witness, sizeof b->witness, "%s/no/such/folder", b->folder);
    bench_open(b);
    assert_null(store_copy_reason(b->store));
}

static void anothers_witness_tells_of_a_copy(void **state)
{
    struct bench *b = *state;
    FILE *file = fopen(b->witness, "w");

    bench_close(b);
    fputs("0123456789abcdef0123456789abcdef 1\n", file);
    fclose(file);
    bench_open(b);
    assert_non_null(store_copy_reason(b->store));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(a_foreign_state_is_a_copy),
        TEST(the_machine_is_an_identity_too),
        TEST(a_state_older_than_its_witness_is_a_copy),
        TEST(a_missing_witness_only_warns),
        TEST(anothers_witness_tells_of_a_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
