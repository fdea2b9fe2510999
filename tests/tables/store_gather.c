/* Who is on a roll, and what audiences and our own list say of them when they are claimed. */
#include "store_bench.h"

static void people_are_numbered_once(void **state)
{
    struct bench *b = *state;

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 100);
    assert_int_equal(b->gathered.added, 100);
    bench_gather(b, 1, 1, 51, 150);
    assert_int_equal(b->gathered.added, 50);
    assert_int_equal(b->gathered.planned, 150);
    bench_gather(b, 1, 2, 1, 160);
    assert_int_equal(b->gathered.added, 10);
    bench_claim(b, 1, 1000, 2);
    assert_int_equal(b->got_count, 160);
    for (uint32_t i = 0; i < 160; i++)
        assert_int_equal(b->got[i].seq, i + 1);
    assert_string_equal(b->got[159].address, "p160@example.org");
}

/* A page may still be on its way when the notice is released. */
static void nobody_joins_after_the_first_claim(void **state)
{
    struct bench *b = *state;

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 3);
    bench_claim(b, 1, 1, 1);
    bench_gather(b, 1, 2, 2, 10);
    assert_int_equal(b->gathered.added, 0);
    assert_int_equal(b->gathered.planned, 3);
    bench_say(b, 1, 2, 0, 2, CONSENT_NO); /* but a no is heard */
    bench_claim(b, 1, 10, 1);
    assert_int_equal(b->got_count, 1);
    assert_string_equal(b->got[0].address, "p3@example.org");
}

static void a_read_goes_on_where_it_was_left(void **state)
{
    struct bench *b = *state;
    char *cursor;

    assert_null(store_cursor(b->store, 1, 1, 0));
    bench_say(b, 1, 1, 1, 5, CONSENT_YES);
    cursor = store_cursor(b->store, 1, 1, 1);
    assert_string_equal(cursor, "page 2");
    free(cursor);
    bench_gather(b, 1, 1, 1, 2);
    cursor = store_cursor(b->store, 1, 1, 0);
    assert_string_equal(cursor, "");
    free(cursor);
    assert_null(store_cursor(b->store, 1, 2, 0));
}

static void a_moved_notice_takes_its_people_over(void **state)
{
    struct bench *b = *state;
    struct notice *from = bench_notice(1), *to = bench_notice(2);

    bench_put(b, from);
    bench_gather(b, 1, 1, 1, 5);
    from->roll = 0;
    from->state = NOTICE_WITHDRAWN;
    to->roll = 1;
    bench_apply(b, &(struct store_change){.notices = (const struct notice *const[]){from, to},
                                          .notice_count = 2,
                                          .first_walk_at_ms = MOMENT_NONE,
                                          .watermark_ms = MOMENT_NONE});
    bench_fine(b);
    bench_claim(b, 2, 10, 1);
    assert_int_equal(b->got_count, 5);
    bench_claim(b, 1, 10, 1);
    assert_int_equal(b->got_count, 0);
    assert_int_equal(b->progress[0].tally.planned, 0);
    notice_free(from);
    notice_free(to);
}

static void our_own_eyes_come_first_and_stay(void **state)
{
    struct bench *b = *state;

    bench_add_notice(b, 1);
    bench_say(b, 1, 1, STORE_SEED, 100, CONSENT_YES);
    bench_say(b, 1, 1, STORE_SEED, 101, CONSENT_YES);
    bench_gather(b, 1, 1, 1, 3);
    bench_say(b, 1, 2, 0, 100, CONSENT_YES);
    bench_say(b, 1, 2, 0, 100, CONSENT_NO);
    bench_gather(b, 1, 2, 1, 3);
    bench_suppress_one(b, 101, "", false);
    bench_claim(b, 1, 10, 2);
    assert_int_equal(b->got_count, 4);
    assert_true(b->got[0].seed);
    assert_int_equal(b->got[0].seq, 1);
    assert_false(b->got[1].seed);
    assert_int_equal(json_array_size(json_object_get(
                         bench_report(b, &(struct store_report){.kind = REPORT_SHOW, .notice = 1}), "seeds")),
                     2);
}

/* --- Every combination of what two audiences say in two reads --- */

enum { SAID_NOTHING, SAID_YES, SAID_NO, SAID_NEVER, SAID_YES_AND_NO, WORDS };

static void say(struct bench *b, int64_t roll, int64_t pass, unsigned audience, int word, bool no_first)
{
    if (word == SAID_YES_AND_NO && no_first)
        bench_say(b, roll, pass, audience, 1, CONSENT_NO);
    if (word == SAID_YES || word == SAID_YES_AND_NO)
        bench_say(b, roll, pass, audience, 1, CONSENT_YES);
    if (word == SAID_NO || (word == SAID_YES_AND_NO && !no_first))
        bench_say(b, roll, pass, audience, 1, CONSENT_NO);
    if (word == SAID_NEVER)
        bench_say(b, roll, pass, audience, 1, CONSENT_NEVER);
}

static bool has_yes(int word)
{
    return word == SAID_YES || word == SAID_YES_AND_NO;
}

/* By promise 6, thought anew: the last complete read counts, and never mail for all. */
static bool should_be_told(const int last[2], const bool suppressed[3])
{
    bool any = false;

    for (int audience = 0; audience < 2; audience++) {
        if (last[audience] == SAID_NEVER)
            return false;
        any |= last[audience] == SAID_YES && !suppressed[audience];
    }
    return any && !suppressed[2];
}

static void consent_is_what_the_last_complete_read_says(void **state)
{
    struct bench *b = *state;
    static const char *const scopes[] = {"fans", "door", ""};
    int64_t id = 0;

    for (int suppression = 0; suppression < 4; suppression++) {
        bool suppressed[3] = {suppression == 1, suppression == 2, suppression == 3};
        if (suppression)
            bench_suppress_one(b, 1, scopes[suppression - 1], false);
        for (int c = 0; c < WORDS * WORDS * WORDS * WORDS; c++) {
            int first[2] = {c % WORDS, c / WORDS % WORDS};
            int last[2] = {c / (WORDS * WORDS) % WORDS, c / (WORDS * WORDS * WORDS)};
            if (suppression && c % 3) /* a third of them is enough for the combinations with our own list */
                continue;
            bench_add_notice(b, ++id);
            for (unsigned audience = 0; audience < 2; audience++)
                say(b, id, 1, audience, first[audience], c & 1);
            for (unsigned audience = 0; audience < 2; audience++)
                say(b, id, 2, audience, last[audience], c & 2);
            bench_claim(b, id, 10, 2);
            bool on_list = has_yes(first[0]) || has_yes(first[1]) || has_yes(last[0]) || has_yes(last[1]);
            if ((b->got_count == 1) != should_be_told(last, suppressed))
                fail_msg("first %d %d, last %d %d, suppression %d: %zu told", first[0], first[1], last[0], last[1],
                         suppression, b->got_count);
            assert_int_equal(b->progress[0].tally.planned, on_list);
            assert_int_equal(b->progress[0].tally.withheld, on_list - b->got_count);
            assert_true(b->progress[0].exhausted);
        }
        if (suppression)
            bench_suppress_one(b, 1, scopes[suppression - 1], true);
    }
}

static void the_reason_says_why(void **state)
{
    static const struct {
        int first[2], last[2];
        const char *scope; /* suppressed, or NULL */
        const char *reason;
    } cases[] = {
        {{SAID_YES, 0}, {SAID_NOTHING, 0}, NULL, "left"},
        {{SAID_YES, 0}, {SAID_NO, 0}, NULL, "opted out"},
        {{SAID_YES, 0}, {SAID_YES_AND_NO, 0}, NULL, "opted out"},
        {{SAID_YES, 0}, {SAID_NEVER, 0}, NULL, "never mail"},
        {{SAID_YES, SAID_YES}, {SAID_YES, SAID_NEVER}, NULL, "never mail"},
        {{SAID_YES, 0}, {SAID_YES, 0}, "", "suppressed"},
        {{SAID_YES, 0}, {SAID_YES, 0}, "fans", "suppressed"},
        {{SAID_YES, SAID_YES}, {SAID_YES, SAID_NO}, "fans", "suppressed"},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t id = (int64_t)i + 1;
        bench_add_notice(b, id);
        for (unsigned audience = 0; audience < 2; audience++)
            say(b, id, 1, audience, cases[i].first[audience], false);
        for (unsigned audience = 0; audience < 2; audience++)
            say(b, id, 2, audience, cases[i].last[audience], false);
        if (cases[i].scope)
            bench_suppress_one(b, 1, cases[i].scope, false);
        bench_claim(b, id, 10, 2);
        if (cases[i].scope)
            bench_suppress_one(b, 1, cases[i].scope, true);
        assert_int_equal(b->got_count, 0);
        json_t *people = bench_report(b, &(struct store_report){.kind = REPORT_PEOPLE, .notice = id});
        assert_string_equal(json_string_value(json_object_get(json_array_get(people, 0), "reason")), cases[i].reason);
    }
}

/* A read that broke off takes nobody away, but a no that it heard counts. */
static void half_a_read_counts_only_as_no(void **state)
{
    struct bench *b = *state;

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 3);
    bench_say(b, 1, 1, 1, 4, CONSENT_NO);  /* the door says no, ... */
    bench_say(b, 1, 1, 0, 4, CONSENT_YES); /* ... the fans yes */
    bench_say(b, 1, 2, 0, 2, CONSENT_NO);
    bench_say(b, 1, 2, 1, 4, CONSENT_YES);
    bench_say(b, 1, 3, 1, 4, CONSENT_YES);
    bench_say(b, 1, 1, 0, 5, CONSENT_NO); /* what a complete read heard outlasts two that broke off */
    bench_say(b, 1, 1, 0, 5, CONSENT_YES);
    bench_say(b, 1, 2, 1, 5, CONSENT_NO);
    bench_say(b, 1, 3, 1, 5, CONSENT_NO);
    bench_claim(b, 1, 10, 1);
    assert_int_equal(b->got_count, 2); /* 4 said yes where a complete read said no: not before that is complete again */
    assert_int_equal(b->got[0].seq, 1);
    assert_int_equal(b->got[1].seq, 3);
    bench_tally_is(&b->progress[0].tally, (struct tally){.planned = 5, .waiting = 2, .withheld = 3, .claimed = 2});
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(people_are_numbered_once),
        TEST(nobody_joins_after_the_first_claim),
        TEST(a_read_goes_on_where_it_was_left),
        TEST(a_moved_notice_takes_its_people_over),
        TEST(our_own_eyes_come_first_and_stay),
        TEST(consent_is_what_the_last_complete_read_says),
        TEST(the_reason_says_why),
        TEST(half_a_read_counts_only_as_no),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
