/* A store that is killed: the next start goes on from what was on disk, with doubt bounded by what was in hand. */
#include "store_bench.h"

#include <signal.h>

static int set_up(void **state)
{
    struct bench *b = must_calloc(1, sizeof *b);

    bench_init(b);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    bench_clear(*state);
    free(*state);
    return 0;
}

/* Runs `body` over an open store in a child that ends without closing anything. */
static void in_a_killed_child(struct bench *b, void (*body)(struct bench *))
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        uv_loop_fork(&b->loop);
        bench_open(b);
        body(b);
        kill(getpid(), SIGKILL);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("the child ended by itself: %d", status);
}

static void half_a_launch(struct bench *b)
{
    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 10);
    bench_claim(b, 1, 5, 1);
    bench_fate(b, 1, 1, 1, FATE_ACCEPTED, 0);
    bench_fate(b, 1, 2, 1, FATE_TRY_LATER, 0);
    bench_fate(b, 1, 3, 1, FATE_RETURNED, 0);
}

static void what_was_in_hand_is_in_doubt(void **state)
{
    struct bench *b = *state;

    in_a_killed_child(b, half_a_launch);
    bench_open(b);
    assert_int_equal(store_generation(b->store), 2);
    bench_audit(b);
    bench_launch(b, 1, 0);
    assert_int_equal(b->launch.doubts, 2);
    bench_tally_is(&b->launch.tally, (struct tally){.planned = 10, .waiting = 7, .accepted = 1, .in_doubt = 2});
    assert_int_equal(b->launch.again_count, 2);
    assert_int_equal(b->launch.claimed_to, 5);
    bench_launch(b, 1, 0);
    assert_int_equal(b->launch.doubts, 0);
    bench_claim(b, 1, 2, 1);
    bench_launch(b, 1, 0); /* what this start has claimed, too: who opens a ledger has nothing in hand */
    assert_int_equal(b->launch.doubts, 2);
    assert_int_equal(b->launch.tally.claimed, 0);
    assert_int_equal(b->launch.tally.in_doubt, 4);
    bench_audit(b);
}

static void what_was_in_hand_may_be_repeated(void **state)
{
    struct bench *b = *state;

    in_a_killed_child(b, half_a_launch);
    bench_open(b);
    bench_launch(b, 1, 2);
    assert_int_equal(b->launch.doubts, 2);
    assert_int_equal(b->launch.tally.in_doubt, 0);
    assert_int_equal(b->launch.again_count, 4);
    bench_audit(b);
}

static void it_is_not_repeated_for_ever(void **state)
{
    struct bench *b = *state;

    in_a_killed_child(b, half_a_launch);
    bench_open(b);
    bench_launch(b, 1, 1); /* one attempt is all there may be */
    assert_int_equal(b->launch.tally.in_doubt, 2);
    bench_audit(b);
}

/* Claims and accepts everybody in small turns, appending every hand-over to a file: the receiver's log. */
static void send_all(struct bench *b)
{
    char path[64];
    snprintf(path, sizeof path, "%s/received", b->folder);
    FILE *received = fopen(path, "a");
    struct store_fate fates[8];
    size_t count = 0;

    bench_launch(b, 1, 0);
    do {
        struct store_claim claim = {.notice = 1, .want = 8, .pass = 1};
        bench_turn(b, fates, count, &claim);
        bench_fine(b);
        count = b->got_count;
        for (size_t i = 0; i < count; i++) {
            fprintf(received, "%u\n", b->got[i].seq);
            fates[i] = (struct store_fate){
                .notice = 1, .seq = b->got[i].seq, .attempt = 1, .fate = FATE_ACCEPTED, .at_ms = DUE_MS};
        }
        fflush(received);
    } while (count);
    fclose(received);
}

static void prepare(struct bench *b)
{
    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 2000);
}

/* Killed again and again at random instants: nobody twice, nobody lost, at most 8 in doubt for each kill. */
static void nobody_twice_nobody_lost(void **state)
{
    struct bench *b = *state;
    enum { KILLS = 10 };
    unsigned got[2001] = {0}, seq;
    char path[64];
    int64_t accepted = 0, kills = 0;

    in_a_killed_child(b, prepare);
    for (; kills < KILLS; kills++) {
        pid_t child = fork();
        if (child == 0) {
            uv_loop_fork(&b->loop);
            bench_open(b);
            send_all(b);
            _exit(0);
        }
        usleep(15000 + (unsigned)kills * 7919 % 50000);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    bench_open(b);
    send_all(b);
    bench_audit(b);
    bench_launch(b, 1, 0);
    assert_int_equal(b->launch.tally.waiting, 0);
    assert_true(b->launch.tally.in_doubt <= 8 * kills);
    snprintf(path, sizeof path, "%s/received", b->folder);
    FILE *received = fopen(path, "r");
    while (fscanf(received, "%u", &seq) == 1) {
        assert_true(seq >= 1 && seq <= 2000);
        assert_int_equal(++got[seq], 1);
        accepted++;
    }
    fclose(received);
    assert_true(accepted >= b->launch.tally.accepted); /* those in doubt may have arrived */
    assert_true(accepted <= b->launch.tally.accepted + b->launch.tally.in_doubt);
    assert_int_equal(b->launch.tally.accepted + b->launch.tally.in_doubt, 2000);
}

static void launch_of_three(struct bench *b)
{
    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 3);
    bench_launch(b, 1, 0);
    bench_claim(b, 1, 2, 1);
    bench_fate(b, 1, 1, 1, FATE_ACCEPTED, 0);
    bench_fate(b, 1, 2, 1, FATE_TRY_LATER, 0);
    bench_claim(b, 1, 2, 1);
    bench_fate(b, 1, 3, 1, FATE_ACCEPTED, 0);
}

/* Ends at every durable write, before and after it; the state that is left is sound and can be gone on with. */
static void every_durable_write(void **state)
{
    static const char *const variables[] = {"ONSALE_FAILPOINT", "ONSALE_FAILPOINT_AFTER"};
    (void)state;

    for (size_t v = 0; v < 2; v++) {
        for (int at = 1; at <= 11; at++) {
            struct bench b;
            char number[16];
            bench_init(&b);
            snprintf(number, sizeof number, "%d", at);
            setenv(variables[v], number, 1);
            in_a_killed_child(&b, launch_of_three);
            unsetenv(variables[v]);
            bench_open(&b);
            assert_null(store_copy_reason(b.store));
            bench_audit(&b);
            struct store_image image;
            assert_int_equal(store_load(b.store, &image, NULL), 0);
            if (image.notices.count) {
                bench_launch(&b, 1, 0);
                bench_claim(&b, 1, 10, 1);
            }
            store_image_clear(&image);
            bench_audit(&b);
            bench_clear(&b);
        }
    }
}

static void erase_two_of(struct bench *b)
{
    unsigned char key[PERSON_KEY_SIZE];

    for (int64_t notice = 1; notice <= 3; notice++) {
        bench_add_notice(b, notice);
        bench_gather(b, notice, 1, 1, 3);
    }
    bench_claim(b, 1, 2, 1);
    bench_fate(b, 1, 2, 1, FATE_TRY_LATER, 0);
    bench_key(key, 2);
    store_erase(b->store, key, bench_clock(b), bench_on_erased, b);
    bench_wait(b);
}

/* Whatever instant it ends at: they are erased from every notice, or from none. */
static void an_erasure_is_all_or_nothing(void **state)
{
    static const char *const variables[] = {"ONSALE_FAILPOINT", "ONSALE_FAILPOINT_AFTER"};
    enum { BEFORE = 10 }; /* durable writes ahead of the erasure's: the schema, the start, and what is arranged */
    (void)state;

    for (size_t v = 0; v < 2; v++) {
        bool nothing = false, all = false;
        for (int at = 2; at <= BEFORE + 2; at++) {
            struct bench b;
            char number[16];
            bench_init(&b);
            snprintf(number, sizeof number, "%d", at);
            setenv(variables[v], number, 1);
            in_a_killed_child(&b, erase_two_of);
            unsetenv(variables[v]);
            bench_open(&b);
            bench_audit(&b);
            int64_t people = bench_number(&b, "SELECT count(*) FROM person p JOIN told t ON t.roll = p.roll AND"
                                              " t.seq = p.seq WHERE hex(t.key) LIKE '%0200000000000000'");
            int64_t rolls = bench_number(&b, "SELECT count(*) FROM roll");
            int64_t withheld = bench_number(&b, "SELECT count(*) FROM fate WHERE withheld = 13");
            int64_t kept_out = bench_number(&b, "SELECT count(*) FROM suppression WHERE reason = 'erased'");
            if (kept_out ? people != 0 || withheld != 3 : people != rolls || withheld != 0)
                fail_msg("%s at %d: %lld of %lld lists have them, withheld in %lld", variables[v], at,
                         (long long)people, (long long)rolls, (long long)withheld);
            nothing |= kept_out == 0 && rolls == 3;
            all |= kept_out == 1;
            bench_clear(&b);
        }
        assert_true(nothing && all);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(what_was_in_hand_is_in_doubt), TEST(what_was_in_hand_may_be_repeated),
        TEST(it_is_not_repeated_for_ever),  TEST(nobody_twice_nobody_lost),
        TEST(every_durable_write),          TEST(an_erasure_is_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
