/* Turns of the ledger: whom a claim takes, what a fate counts for. */
#include "store_bench.h"

static void counts_are_of_people(void **state)
{
    struct bench *b = *state;

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 10);
    bench_claim(b, 1, 6, 1);
    assert_int_equal(b->got_count, 6);
    assert_false(b->progress[0].exhausted);
    assert_int_equal(b->progress[0].claimed_to, 6);
    bench_tally_is(&b->progress[0].tally, (struct tally){.planned = 10, .waiting = 10, .claimed = 6});
    bench_fate(b, 1, 1, 1, FATE_ACCEPTED, 0);
    bench_fate(b, 1, 2, 1, FATE_REFUSED, 0);
    bench_fate(b, 1, 3, 1, FATE_IN_DOUBT, 0);
    bench_fate(b, 1, 4, 1, FATE_WITHHELD, WITHHELD_ADDRESS);
    bench_fate(b, 1, 5, 1, FATE_TRY_LATER, 0);
    bench_fate(b, 1, 6, 1, FATE_RETURNED, 0);
    bench_tally_is(
        &b->progress[0].tally,
        (struct tally){.planned = 10, .waiting = 6, .accepted = 1, .refused = 1, .in_doubt = 1, .withheld = 1});
    bench_claim(b, 1, 100, 1);
    assert_int_equal(b->got_count, 4);
    assert_true(b->progress[0].exhausted);
}

static void a_fate_counts_once(void **state)
{
    struct bench *b = *state;

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 2);
    bench_claim(b, 1, 1, 1);
    bench_fate(b, 1, 1, 1, FATE_ACCEPTED, 0);
    bench_fate(b, 1, 1, 1, FATE_ACCEPTED, 0);
    bench_fate(b, 1, 1, 1, FATE_REFUSED, 0);
    bench_fate(b, 1, 2, 1, FATE_ACCEPTED, 0); /* never claimed */
    bench_fate(b, 1, 2, 2, FATE_WITHHELD, WITHHELD_EXPIRED);
    bench_tally_is(&b->progress[0].tally, (struct tally){.planned = 2, .waiting = 1, .accepted = 1});
    bench_turn(b, &(struct store_fate){.notice = 1, .seq = 1, .attempt = 1, .fate = FATE_WITHHELD}, 1, NULL);
    assert_int_equal(b->failure.kind, ERROR_REFUSED); /* withheld without a reason */
    bench_turn(b, NULL, 0, &(struct store_claim){.notice = 99, .want = 1, .pass = 1});
    assert_int_equal(b->failure.kind, ERROR_REFUSED); /* there is no such notice */
}

static void retries_wait_for_their_turn(void **state)
{
    struct bench *b = *state;

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 3);
    bench_claim(b, 1, 3, 1);
    bench_fate(b, 1, 1, 1, FATE_TRY_LATER, 0);
    bench_fate(b, 1, 2, 1, FATE_RETURNED, 0);
    bench_fate(b, 1, 3, 1, FATE_ACCEPTED, 0);
    bench_launch(b, 1, 0);
    assert_int_equal(b->launch.again_count, 2);
    assert_int_equal(b->again[0].seq, 2);
    assert_int_equal(b->again[0].attempt, 1);
    assert_int_equal(b->again[1].seq, 1);
    assert_int_equal(b->again[1].attempt, 2);
    assert_int_equal(b->again[1].at_ms, DUE_MS + SECOND_MS);
    assert_int_equal(b->launch.claimed_to, 3);
    assert_int_equal(b->launch.last_seq, 3);

    struct store_again list[] = {{.seq = 1, .attempt = 2}, {.seq = 3, .attempt = 1}, {.seq = 2, .attempt = 1}};
    struct store_claim claim = {.notice = 1, .want = 3, .list = list, .list_count = 3, .pass = 1};
    bench_turn(b, NULL, 0, &claim);
    assert_int_equal(b->got_count, 2); /* 3 is through with it */
    assert_int_equal(b->got[0].attempt, 2);
    assert_int_equal(b->got[1].attempt, 1);
    bench_turn(b, NULL, 0, &claim);
    assert_int_equal(b->got_count, 0);
    bench_fate(b, 1, 1, 1, FATE_ACCEPTED, 0); /* an answer to the attempt before: too late */
    bench_tally_is(&b->progress[0].tally, (struct tally){.planned = 3, .waiting = 2, .accepted = 1, .claimed = 2});
    bench_fate(b, 1, 1, 2, FATE_TRY_LATER, 0);
    bench_fate(b, 1, 1, 3, FATE_WITHHELD, WITHHELD_EXPIRED); /* while waiting for the third */
    bench_fate(b, 1, 2, 1, FATE_ACCEPTED, 0);
    bench_tally_is(&b->progress[0].tally, (struct tally){.planned = 3, .accepted = 2, .withheld = 1});
    bench_launch(b, 1, 0);
    assert_int_equal(b->launch.again_count, 0);
}

static void a_retry_is_judged_again(void **state)
{
    struct bench *b = *state;

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 1);
    bench_claim(b, 1, 1, 1);
    bench_fate(b, 1, 1, 1, FATE_TRY_LATER, 0);
    bench_suppress_one(b, 1, "", false);
    struct store_again list[] = {{.seq = 1, .attempt = 2}};
    bench_turn(b, NULL, 0, &(struct store_claim){.notice = 1, .want = 1, .list = list, .list_count = 1, .pass = 1});
    assert_int_equal(b->got_count, 0);
    bench_tally_is(&b->progress[0].tally, (struct tally){.planned = 1, .withheld = 1});
}

static void a_fallback_takes_over(void **state)
{
    struct bench *b = *state;
    struct store_fate passed = {
        .notice = 1, .seq = 1, .attempt = 1, .fate = FATE_PASSED_ON, .at_ms = DUE_MS, .passed_to = "push"};

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 1);
    bench_claim(b, 1, 1, 1);
    bench_turn(b, &passed, 1, NULL);
    bench_fine(b);
    bench_tally_is(&b->progress[0].tally, (struct tally){.planned = 1, .waiting = 1});
    store_launch(b->store, 1, "push", 0, bench_on_launch, b);
    bench_wait(b);
    assert_int_equal(b->launch.again_count, 1);
    struct store_turn turn = {
        .channel = "push",
        .claim_count = 1,
        .now_ms = DUE_MS,
        .claims = &(struct store_claim){.notice = 1, .want = 1, .list = b->again, .list_count = 1, .pass = 1}};
    store_turn(b->store, &turn, bench_on_turn, b);
    bench_wait(b);
    assert_int_equal(b->got_count, 1);
    turn = (struct store_turn){
        .channel = "push",
        .now_ms = DUE_MS,
        .fate_count = 1,
        .fates = &(struct store_fate){.notice = 1, .seq = 1, .attempt = 1, .fate = FATE_ACCEPTED, .at_ms = DUE_MS}};
    store_turn(b->store, &turn, bench_on_turn, b);
    bench_wait(b);
    bench_tally_is(&b->progress[0].tally, (struct tally){.planned = 1, .accepted = 1});
}

/* One that is not due, one whose ledger makes no sense in its middle: both are left out whole, with why, and neither
 * takes anybody else along. */
static void a_bad_claim_is_left_out(void **state)
{
    struct bench *b = *state;
    struct notice *early = bench_notice(2);
    struct store_fate accepted = {.notice = 1, .seq = 1, .attempt = 1, .fate = FATE_ACCEPTED, .at_ms = DUE_MS};

    early->due_at_ms = DUE_MS + DAY_MS;
    bench_put(b, early);
    bench_add_notice(b, 1);
    bench_add_notice(b, 3);
    bench_gather(b, 1, 1, 1, 4);
    bench_gather(b, 2, 1, 1, 4);
    bench_gather(b, 3, 1, 1, 4);
    bench_claim(b, 1, 1, 1);
    bench_sql(b, "INSERT INTO flight VALUES(3, 3, 'mail', 1, 1, 1)"); /* the third has never been claimed */
    bench_claims(b, &accepted, 1,
                 (struct store_claim[]){{.notice = 3, .want = 4, .pass = 1},
                                        {.notice = 2, .want = 2, .pass = 1},
                                        {.notice = 1, .want = 2, .pass = 1}},
                 3);
    assert_int_not_equal(b->failure.kind, ERROR_NONE);
    assert_int_not_equal(b->failure.kind, ERROR_TRY_LATER);
    assert_int_equal(b->claimed[0], 0);
    assert_int_equal(b->claimed[1], 0);
    assert_int_equal(b->claimed[2], 2);
    assert_int_equal(b->got_count, 2);
    assert_int_equal(b->got[0].seq, 2);
    bench_tally_is(&b->progress[0].tally, (struct tally){.planned = 4, .waiting = 3, .accepted = 1, .claimed = 2});
    bench_sql(b, "DELETE FROM flight WHERE notice = 3");
    bench_claim(b, 3, 4, 1);
    assert_int_equal(b->got_count, 4); /* nothing of the first try is left */
    assert_int_equal(b->got[0].seq, 1);
    notice_free(early);
}

static void nothing_is_claimed_before_it_is_due_or_after_it_ended(void **state)
{
    struct bench *b = *state;
    struct notice *n = bench_notice(1);

    bench_put(b, n);
    bench_gather(b, 1, 1, 1, 3);
    b->ahead_ms = -1;
    bench_turn(b, NULL, 0, &(struct store_claim){.notice = 1, .want = 1, .pass = 1});
    assert_int_equal(b->failure.kind, ERROR_REFUSED);
    b->ahead_ms = 0;
    bench_turn(b, NULL, 0, &(struct store_claim){.notice = 1, .want = 1, .pass = 0});
    assert_int_equal(b->failure.kind, ERROR_REFUSED); /* never half an audience */
    bench_claim(b, 1, 1, 1);
    assert_int_equal(b->got_count, 1);
    n->state = NOTICE_CANCELLED;
    n->rest = WITHHELD_CANCELLED;
    bench_put(b, n);
    bench_claim(b, 1, 1, 1);
    assert_int_equal(b->got_count, 0);
    assert_true(b->progress[0].exhausted);
    bench_tally_is(&b->progress[0].tally, (struct tally){.planned = 3, .waiting = 1, .withheld = 2, .claimed = 1});
    bench_fate(b, 1, 1, 1, FATE_ACCEPTED, 0);
    bench_tally_is(&b->progress[0].tally, (struct tally){.planned = 3, .accepted = 1, .withheld = 2});

    struct store_image image;
    assert_int_equal(store_load(b->store, &image, NULL), 0);
    assert_true(image.notices.at[0]->claimed); /* though the planner never said so */
    bench_tally_is(&image.notices.at[0]->course->tally, (struct tally){.planned = 3, .accepted = 1, .withheld = 2});
    store_image_clear(&image);
    notice_free(n);
}

/* A claim looks at a bounded number of people, so that a turn stays short when most are withheld. */
static void a_claim_looks_at_a_bounded_number(void **state)
{
    struct bench *b = *state;

    bench_add_notice(b, 1);
    for (unsigned i = 0; i < 5; i++)
        bench_gather(b, 1, 1, i * 900 + 1, i * 900 + 900);
    bench_say(b, 1, 2, 0, 4500, CONSENT_YES);
    bench_claim(b, 1, 10, 2);
    assert_int_equal(b->got_count, 0);
    assert_false(b->progress[0].exhausted);
    assert_int_equal(b->progress[0].claimed_to, 2000);
    bench_claim(b, 1, 10, 2);
    bench_claim(b, 1, 10, 2);
    assert_int_equal(b->got_count, 1);
    assert_true(b->progress[0].exhausted);
    bench_tally_is(&b->progress[0].tally,
                   (struct tally){.planned = 4500, .waiting = 1, .withheld = 4499, .claimed = 1});
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(counts_are_of_people),
        TEST(a_fate_counts_once),
        TEST(retries_wait_for_their_turn),
        TEST(a_retry_is_judged_again),
        TEST(a_fallback_takes_over),
        TEST(a_bad_claim_is_left_out),
        TEST(nothing_is_claimed_before_it_is_due_or_after_it_ended),
        TEST(a_claim_looks_at_a_bounded_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
