/* A person who is erased, whatever state they are in: they are not written to any more, they do not come back, and
 * nothing of them is left on the disk. */
#include "store_traces.h"

struct erased {
    struct bench *b;
    struct store_erased result;
    struct tally tally; /* of the first notice that was touched */
};

static void on_erased(void *ctx, const struct store_erased *result)
{
    struct erased *erased = ctx;

    erased->result = *result;
    if (result->progress_count)
        erased->tally = result->progress[0].tally;
    bench_note(erased->b, result->failure);
}

static struct erased erase(struct bench *b, unsigned who)
{
    struct erased erased = {.b = b};
    unsigned char key[PERSON_KEY_SIZE];

    bench_key(key, who);
    store_erase(b->store, key, bench_clock(b), on_erased, &erased);
    bench_wait(b);
    bench_fine(b);
    return erased;
}

/* --- Every state of a person --- */

enum { ADA = 3 }; /* of six people */

static void waits(struct bench *b)
{
    bench_claim(b, 1, 2, 1);
}

static void waits_for_another_attempt(struct bench *b)
{
    bench_claim(b, 1, 4, 1);
    bench_fate(b, 1, ADA, 1, FATE_TRY_LATER, 0);
}

static void was_returned(struct bench *b)
{
    bench_claim(b, 1, 4, 1);
    bench_fate(b, 1, ADA, 1, FATE_RETURNED, 0);
}

static void is_in_flight(struct bench *b)
{
    bench_claim(b, 1, 4, 1);
}

static void was_accepted(struct bench *b)
{
    bench_claim(b, 1, 4, 1);
    bench_fate(b, 1, ADA, 1, FATE_ACCEPTED, 0);
}

static void was_refused(struct bench *b)
{
    bench_claim(b, 1, 4, 1);
    bench_fate(b, 1, ADA, 1, FATE_REFUSED, 0);
}

static void is_in_doubt(struct bench *b)
{
    bench_claim(b, 1, 4, 1);
    bench_fate(b, 1, ADA, 1, FATE_IN_DOUBT, 0);
}

static void was_withheld(struct bench *b)
{
    bench_say(b, 1, 1, 0, ADA, CONSENT_NO);
    bench_claim(b, 1, 4, 1);
}

static void is_planned(struct bench *b)
{
    struct notice *n = bench_notice(1);

    n->state = NOTICE_READY;
    bench_put(b, n);
    notice_free(n);
}

static void notice_is_cancelled(struct bench *b)
{
    bench_claim(b, 1, 2, 1);
    bench_end(b, NOTICE_CANCELLED, WITHHELD_CANCELLED);
}

static void notice_was_missed(struct bench *b)
{
    bench_end(b, NOTICE_MISSED, WITHHELD_NONE);
}

/* Claims whoever is left, and those who wait for another attempt; all are accepted. -1 for whom nobody saw. */
static void go_on(struct bench *b, bool got[7])
{
    struct store_again all[6];

    for (uint32_t seq = 1; seq <= 6; seq++)
        all[seq - 1] = (struct store_again){.seq = seq, .attempt = 2};
    for (int turn = 0; turn < 3; turn++) {
        bench_turn(b, NULL, 0,
                   turn == 0 ? &(struct store_claim){.notice = 1, .want = 6, .pass = 1, .list = all, .list_count = 6}
                             : &(struct store_claim){.notice = 1, .want = 6, .pass = 1});
        bench_fine(b);
        size_t count = b->got_count;
        struct bench_delivery had[6];
        memcpy(had, b->got, count * sizeof *had);
        for (size_t i = 0; i < count; i++) {
            got[had[i].seq] = true;
            bench_fate(b, 1, had[i].seq, had[i].attempt, FATE_ACCEPTED, 0);
        }
    }
}

static void whoever_is_erased(void **state)
{
    static const struct {
        const char *name;
        void (*arrange)(struct bench *b);
        int withheld, in_flight;
        const char *state, *reason; /* of them, at once */
        enum fate lands;            /* what was in flight comes home as that */
        const char *then;           /* their state at the end */
    } cases[] = {
        {"waits", waits, 1, 0, "withheld", "erased", 0, "withheld"},
        {"waits for another attempt", waits_for_another_attempt, 1, 0, "withheld", "erased", 0, "withheld"},
        {"was returned", was_returned, 1, 0, "withheld", "erased", 0, "withheld"},
        {"is in flight, accepted", is_in_flight, 0, 1, "claimed", NULL, FATE_ACCEPTED, "accepted"},
        {"is in flight, refused", is_in_flight, 0, 1, "claimed", NULL, FATE_REFUSED, "refused"},
        {"is in flight, put off", is_in_flight, 0, 1, "claimed", NULL, FATE_TRY_LATER, "withheld"},
        {"is in flight, returned", is_in_flight, 0, 1, "claimed", NULL, FATE_RETURNED, "withheld"},
        {"is in flight, in doubt", is_in_flight, 0, 1, "claimed", NULL, FATE_IN_DOUBT, "in doubt"},
        {"was accepted", was_accepted, 0, 0, "accepted", NULL, 0, "accepted"},
        {"was refused", was_refused, 0, 0, "refused", NULL, 0, "refused"},
        {"is in doubt", is_in_doubt, 0, 0, "in doubt", NULL, 0, "in doubt"},
        {"was withheld", was_withheld, 0, 0, "withheld", "opted out", 0, "withheld"},
        {"is planned", is_planned, 1, 0, "withheld", "erased", 0, "withheld"},
        {"cancelled", notice_is_cancelled, 0, 0, "withheld", "cancelled", 0, "withheld"},
        {"missed", notice_was_missed, 0, 0, "waiting", NULL, 0, "waiting"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        bool got[7] = {0};
        bench_init(&b);
        bench_open(&b);
        bench_add_notice(&b, 1);
        bench_gather(&b, 1, 1, 1, 6);
        cases[i].arrange(&b);
        struct erased erased = erase(&b, ADA);
        bench_audit(&b);
        if (erased.result.withheld != cases[i].withheld || erased.result.in_flight != cases[i].in_flight ||
            erased.result.notices != 1 || erased.result.people_rows != 1 || !erased.result.known)
            fail_msg("%s: withheld %lld, in flight %lld", cases[i].name, (long long)erased.result.withheld,
                     (long long)erased.result.in_flight);
        if (cases[i].withheld)
            assert_true(erased.tally.planned == 6 && erased.tally.withheld == 1);
        struct store_report people = {.kind = REPORT_PEOPLE, .notice = 1, .after = ADA - 1, .limit = 1};
        json_t *person = json_array_get(bench_report(&b, &people), 0);
        assert_true(json_is_null(json_object_get(person, "address")));
        if (strcmp(json_string_value(json_object_get(person, "state")), cases[i].state) != 0 ||
            (cases[i].reason && strcmp(json_string_value(json_object_get(person, "reason")), cases[i].reason) != 0))
            fail_msg("%s: %s, %s", cases[i].name, json_string_value(json_object_get(person, "state")),
                     json_string_value(json_object_get(person, "reason")));

        if (cases[i].lands)
            bench_fate(&b, 1, ADA, 1, cases[i].lands, 0);
        for (uint32_t seq = 1; seq <= 6; seq++)
            if (seq != ADA)
                bench_fate(&b, 1, seq, 1, FATE_ACCEPTED, 0); /* of those who are in flight */
        go_on(&b, got);
        if (got[ADA])
            fail_msg("%s: handed over after having been erased", cases[i].name);
        person = json_array_get(bench_report(&b, &people), 0);
        if (strcmp(json_string_value(json_object_get(person, "state")), cases[i].then) != 0)
            fail_msg("%s: ends %s", cases[i].name, json_string_value(json_object_get(person, "state")));
        bench_launch(&b, 1, 0);
        const struct tally *t = &b.launch.tally;
        assert_int_equal(t->planned, 6);
        assert_int_equal(t->planned, t->waiting + t->accepted + t->refused + t->in_doubt + t->withheld);
        if (strcmp(cases[i].then, "waiting") != 0)
            assert_int_equal(t->waiting, 0);
        bench_audit(&b);

        struct erased twice = erase(&b, ADA);
        assert_true(twice.result.known && !twice.result.withheld && !twice.result.people_rows);
        json_t *notice = json_array_get(json_object_get(bench_why(&b, ADA), "notices"), 0);
        assert_string_equal(json_string_value(json_object_get(notice, "state")), cases[i].then);
        assert_string_equal(
            json_string_value(json_object_get(json_array_get(json_object_get(notice, "steps"), 0), "what")),
            "gathered from fans");
        bench_clear(&b);
    }
}

/* Passed over by the range that comes to their number: no step says that they were claimed. */
static void the_range_passes_them_over(void **state)
{
    struct bench *b = *state;

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 3);
    for (unsigned who = 1; who <= 3; who++)
        erase(b, who);
    bench_claim(b, 1, 10, 1);
    assert_int_equal(b->got_count, 0);
    assert_true(b->progress[0].exhausted);
    bench_tally_is(&b->progress[0].tally, (struct tally){.planned = 3, .withheld = 3});
    json_t *steps = json_object_get(json_array_get(json_object_get(bench_why(b, 2), "notices"), 0), "steps");
    assert_int_equal(json_array_size(steps), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(steps, 1), "what")), "withheld: erased");
    json_t *by_channel =
        json_object_get(bench_report(b, &(struct store_report){.kind = REPORT_SHOW, .notice = 1}), "by_channel");
    assert_null(json_object_get(by_channel, ""));
}

/* A page that was on its way, another reading, another notice: none knows them any more. */
static void no_reading_brings_them_back(void **state)
{
    struct bench *b = *state;

    bench_add_notice(b, 1);
    bench_add_notice(b, 2);
    bench_gather(b, 1, 1, 1, 3);
    assert_int_equal(erase(b, 2).result.withheld, 1);
    bench_gather(b, 1, 2, 1, 4);
    assert_int_equal(b->gathered.planned, 4);
    bench_gather(b, 2, 1, 1, 4);
    assert_int_equal(b->gathered.planned, 3);
    bench_say(b, 2, 1, 0, 2, CONSENT_NEVER);
    assert_int_equal(json_array_size(json_object_get(bench_why(b, 2), "notices")), 1);
    bench_claim(b, 1, 10, 2);
    assert_int_equal(b->got_count, 3);
    bench_claim(b, 2, 10, 1);
    assert_int_equal(b->got_count, 3);
    struct store_suppression back = {.scope = "", .lift = true};
    bench_key(back.key, 2);
    bench_suppress(b, &back, 1);
    bench_add_notice(b, 3); /* an operator took it back: from here on they may be gathered again */
    bench_gather(b, 3, 1, 1, 4);
    assert_int_equal(b->gathered.planned, 4);
}

static void an_operators_word_does_not_hide_an_erasure(void **state)
{
    struct bench *b = *state;
    struct store_suppression word = {.scope = "", .reason = "operator", .at_ms = DUE_MS, .overwrite = true};

    assert_false(erase(b, 5).result.known);
    bench_key(word.key, 5);
    bench_suppress(b, &word, 1);
    bench_fine(b);
    json_t *row = json_array_get(json_object_get(bench_why(b, 5), "suppressed"), 0);
    assert_string_equal(json_string_value(json_object_get(row, "reason")), "erased");
    assert_true(erase(b, 5).result.known);
}

/* What a list from elsewhere says: after a backup was restored, say. */
static void a_list_that_says_so(void **state)
{
    struct bench *b = *state;
    struct store_suppression word = {.scope = "", .reason = "erased", .at_ms = DUE_MS};

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 3);
    bench_key(word.key, 2);
    for (int times = 0; times < 2; times++) {
        bench_suppress(b, &word, 1);
        bench_fine(b);
        assert_int_equal(b->count, times == 0);
    }
    assert_int_equal(bench_number(b, "SELECT count(*) FROM person"), 2);
    bench_claim(b, 1, 10, 1);
    assert_int_equal(b->got_count, 2);
    bench_tally_is(&b->progress[0].tally, (struct tally){.planned = 3, .waiting = 2, .claimed = 2, .withheld = 1});
}

/* A sale moved: its people went to another notice, and who is erased among them went along. */
static void a_list_that_is_taken_over(void **state)
{
    struct bench *b = *state;
    struct notice *from = bench_notice(1), *to = bench_notice(2);

    from->state = to->state = NOTICE_READY;
    bench_put(b, from);
    bench_gather(b, 1, 1, 1, 4);
    erase(b, 2);
    for (int order = 0; order < 2; order++) { /* there, and back */
        struct notice *rows[2] = {order ? to : from, order ? from : to};
        rows[1]->roll = 1;
        rows[0]->roll = 0;
        bench_apply(b, &(struct store_change){.notices = (const struct notice *const *)rows,
                                              .notice_count = 2,
                                              .first_walk_at_ms = MOMENT_NONE,
                                              .watermark_ms = MOMENT_NONE,
                                              .now_ms = DUE_MS});
        bench_fine(b);
        bench_audit(b);
        bench_launch(b, rows[1]->id, 0);
        bench_tally_is(&b->launch.tally, (struct tally){.planned = 4, .waiting = 3, .withheld = 1});
    }
    bench_claim(b, 1, 10, 1);
    assert_int_equal(b->got_count, 3);
    notice_free(from);
    notice_free(to);
}

/* --- What is left on the disk --- */

static void nothing_is_left_on_the_disk(void **state)
{
    enum { PEOPLE = 6000, STEP = 97, PAGE = 150 };
    struct bench *b = *state;

    for (int64_t notice = 1; notice <= 3; notice++)
        bench_add_notice(b, notice);
    for (unsigned from = 1; from <= PEOPLE; from += PAGE) /* beside one another, so that pages split */
        for (int64_t notice = 1; notice <= 3; notice++)
            gather_distinct(b, notice, 1, from, from + PAGE - 1);
    bench_claim(b, 2, 500, 1);
    assert_true(disk_has(b, "mail000777@"));
    for (unsigned who = STEP; who <= PEOPLE; who += STEP)
        erase(b, who);
    for (unsigned who = STEP; who <= PEOPLE; who += STEP)
        nothing_is_left_of(b, who);
    assert_true(disk_has(b, "mail000778@")); /* who is next to them is not touched */
    bench_close(b);
    nothing_is_left_of(b, STEP);
    bench_open(b);
}

/* A long report keeps the write-ahead log from being emptied: as soon as it ends, it is. */
static void a_reader_in_the_way(void **state)
{
    struct bench *b = *state;
    sqlite3 *reader;

    bench_add_notice(b, 1);
    gather_distinct(b, 1, 1, 1, 100);
    assert_int_equal(sqlite3_open(b->db, &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM person", NULL, NULL, NULL), SQLITE_OK);
    erase(b, 7);
    assert_true(disk_has(b, "mail000007@")); /* it may still read it */
    sqlite3_close(reader);
    nothing_is_left_of(b, 7);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(whoever_is_erased),           TEST(the_range_passes_them_over),
        TEST(no_reading_brings_them_back), TEST(an_operators_word_does_not_hide_an_erasure),
        TEST(a_list_that_says_so),         TEST(a_list_that_is_taken_over),
        TEST(nothing_is_left_on_the_disk), TEST(a_reader_in_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
