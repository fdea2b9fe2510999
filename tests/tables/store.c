/* The ledger: gathering, consent at each claim, turns, retries, and a store's identity. */
#include "store_bench.h"

#include <signal.h>
#include <sys/resource.h>

static int set_up(void **state)
{
    struct bench *b = must_calloc(1, sizeof *b);

    bench_init(b);
    bench_open(b);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    if (((struct bench *)*state)->store)
        bench_audit(*state);
    bench_clear(*state);
    free(*state);
    return 0;
}

/* --- Plan --- */

static struct definition *definition_of(const char *id, int64_t revision)
{
    return definition_new(&(struct definition){.site = "arena",
                                               .id = id,
                                               .event_id = "event-1",
                                               .revision = revision,
                                               .created_at_ms = 5,
                                               .updated_at_ms = MOMENT_NONE,
                                               .name = "Balkon",
                                               .description = "",
                                               .price = "49.90",
                                               .currency = "EUR",
                                               .hidden = true,
                                               .sale_status = SALE_SCHEDULED,
                                               .sale_starts_at_ms = DUE_MS,
                                               .sale_ends_at_ms = MOMENT_NONE,
                                               .event_status = EVENT_UPCOMING,
                                               .event_title = "Summer Nights",
                                               .event_zone = "Europe/Vilnius",
                                               .event_url = "https://arena.example/1",
                                               .event_place = "Arena",
                                               .event_starts_at_ms = DUE_MS + DAY_MS,
                                               .suspect = true});
}

static void what_is_planned_comes_back(void **state)
{
    struct bench *b = *state;
    struct definition *one = definition_of("a", 3), *two = definition_of("b", 1);
    const struct definition *put[] = {one, two};
    struct notice *n = bench_notice(7), *other = bench_notice(9);
    struct notice *waits = notice_new(5, "arena", "event-5", "on-sale", MOMENT_SALE_START, DUE_MS, 1);
    struct openings openings = {0};
    struct opening *opening = openings_add(&openings, 4, "arena", "event-1", DUE_MS, OPENING_SCHEDULED);
    struct store_image image;
    struct error err = {0};

    notice_set_members(n, (const char *const[]){"a", "b"}, 2);
    n->reason = REASON_ALREADY_TOLD;
    notice_course(n)->reason_text = must_strdup("said by the relay");
    n->rest = WITHHELD_EXPIRED;
    n->approved = n->paused = n->catch_up_waived = true;
    notice_course(n)->estimate = 12;
    notice_course(n)->released_at_ms = DUE_MS + 1;
    opening_set_members(opening, (const char *const[]){"a"}, 1);
    bench_apply(b, &(struct store_change){.put = put,
                                          .put_count = 2,
                                          .notices = (const struct notice *const[]){n, other, waits},
                                          .notice_count = 3,
                                          .openings = (const struct opening *const[]){opening},
                                          .opening_count = 1,
                                          .site = "arena",
                                          .first_walk_at_ms = 17,
                                          .watermark_ms = 18,
                                          .rules = (const char *const[]){"on-sale"},
                                          .rule_count = 1,
                                          .now_ms = 19,
                                          .pause = &(struct store_pause){"notifier:mail", "ops", 20}});
    bench_fine(b);
    bench_apply(b, &(struct store_change){.removed_site = "arena",
                                          .removed = (const char *const[]){"b"},
                                          .removed_count = 1,
                                          .site = "arena",
                                          .first_walk_at_ms = MOMENT_NONE,
                                          .watermark_ms = 30,
                                          .rules = (const char *const[]){"on-sale"},
                                          .rule_count = 1,
                                          .now_ms = 40});
    bench_fine(b);
    bench_close(b);
    bench_open(b);
    assert_int_equal(store_generation(b->store), 2);
    assert_int_equal(store_load(b->store, &image, &err), 0);

    assert_int_equal(image.site_count, 1);
    assert_string_equal(image.sites[0], "arena");
    assert_int_equal(image.definitions[0].count, 1);
    assert_true(definition_same(image.definitions[0].at[0], one));
    assert_true(image.definitions[0].at[0]->suspect);
    assert_int_equal(image.definitions[0].at[0]->revision, 3);
    assert_int_equal(image.notices.count, 3);
    assert_ptr_equal(image.notices.at[0]->course, waits->course); /* nothing: it costs nothing */
    assert_int_equal(image.notices.at[0]->id, 5);
    struct notice *back = notices_find(&image.notices, 7);
    assert_non_null(back);
    assert_int_equal(back->course->member_count, 2);
    assert_string_equal(back->course->members[1], "b");
    assert_string_equal(back->course->reason_text, "said by the relay");
    assert_true(back->approved && back->paused && back->catch_up_waived && !back->claimed);
    assert_int_equal(back->rest, WITHHELD_EXPIRED);
    assert_int_equal(back->course->estimate, 12);
    assert_int_equal(back->course->released_at_ms, DUE_MS + 1);
    assert_true(back->course->ended_at_ms == MOMENT_NONE);
    assert_ptr_equal(back, notices_match(&image.notices, "arena", "event-7", "on-sale", MOMENT_SALE_START, DUE_MS));
    assert_int_equal(image.notices.next_id, 10);
    assert_int_equal(image.openings.count, 1);
    assert_string_equal(image.openings.at[0]->members[0], "a");
    assert_int_equal(image.openings.next_id, 5);
    assert_int_equal(image.first_walks[0].at_ms, 17);
    assert_int_equal(image.watermarks[0].at_ms, 30);
    assert_int_equal(image.first_loads[0].at_ms, 19);
    assert_int_equal(image.pause_count, 1);
    assert_string_equal(image.pauses[0].target, "notifier:mail");
    store_image_clear(&image);

    bench_apply(b,
                &(struct store_change){.first_walk_at_ms = MOMENT_NONE, .watermark_ms = MOMENT_NONE, .unpause = "*"});
    assert_int_equal(store_load(b->store, &image, &err), 0);
    assert_int_equal(image.pause_count, 0);
    store_image_clear(&image);
    n->roll = 30; /* a list under a number of its own: nobody else's */
    bench_put(b, n);
    assert_int_equal(store_load(b->store, &image, &err), 0);
    assert_int_equal(image.notices.next_id, 31);
    store_image_clear(&image);
    definition_free(one);
    definition_free(two);
    notice_free(n);
    notice_free(other);
    notice_free(waits);
    openings_clear(&openings);
}

static void final_notices_are_forgotten_when_no_definition_has_their_instant(void **state)
{
    struct bench *b = *state;
    struct definition *d = definition_of("a", 1);
    struct notice *old = bench_notice(1), *kept = bench_notice(2), *again = bench_notice(3);
    struct store_image image;

    old->at_ms = old->due_at_ms = DUE_MS - 60LL * DAY_MS;
    old->state = kept->state = NOTICE_DONE;
    bench_put(b, old);
    bench_put(b, kept);
    bench_apply(b, &(struct store_change){.put = (const struct definition *const[]){d},
                                          .put_count = 1,
                                          .first_walk_at_ms = MOMENT_NONE,
                                          .watermark_ms = MOMENT_NONE});
    b->ahead_ms = 90LL * DAY_MS;
    assert_int_equal(store_load(b->store, &image, NULL), 0);
    assert_null(notices_find(&image.notices, 1));
    assert_non_null(notices_find(&image.notices, 2)); /* a definition still has that instant */
    assert_int_equal(image.notices.next_id, 3);
    store_image_clear(&image);

    notice_free(again);
    again = notice_new(3, "arena", "event-1", "on-sale", MOMENT_SALE_START, old->at_ms, 1);
    again->due_at_ms = old->at_ms;
    again->state = NOTICE_PLANNED;
    bench_apply(b, &(struct store_change){.notices = (const struct notice *const[]){again},
                                          .notice_count = 1,
                                          .first_walk_at_ms = MOMENT_NONE,
                                          .watermark_ms = MOMENT_NONE});
    assert_int_equal(b->failure.kind, ERROR_REFUSED); /* the same identity twice */
    again->state = NOTICE_MISSED;
    bench_put(b, again); /* known to be over already: nothing to add */
    definition_free(d);
    notice_free(old);
    notice_free(kept);
    notice_free(again);
}

/* --- Gather --- */

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

/* --- Consent: every combination of what two audiences say in two reads --- */

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
static bool should_be_told(const int first[2], const int last[2], const bool suppressed[3])
{
    bool any = false;

    (void)first;
    for (int audience = 0; audience < 2; audience++) {
        if (last[audience] == SAID_NEVER)
            return false;
        any |= last[audience] == SAID_YES && !suppressed[audience];
    }
    return any && !suppressed[2];
}

static void suppress(struct bench *b, unsigned who, const char *scope, bool lift)
{
    struct store_suppression what = {.scope = scope, .reason = "operator", .at_ms = DUE_MS, .lift = lift};

    bench_key(what.key, who);
    store_suppress(b->store, &what, 1, bench_on_count, b);
    bench_wait(b);
    bench_fine(b);
}

static void consent_is_what_the_last_complete_read_says(void **state)
{
    struct bench *b = *state;
    static const char *const scopes[] = {"fans", "door", ""};
    int64_t id = 0;

    for (int suppression = 0; suppression < 4; suppression++) {
        bool suppressed[3] = {suppression == 1, suppression == 2, suppression == 3};
        if (suppression)
            suppress(b, 1, scopes[suppression - 1], false);
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
            if ((b->got_count == 1) != should_be_told(first, last, suppressed))
                fail_msg("first %d %d, last %d %d, suppression %d: %zu told", first[0], first[1], last[0], last[1],
                         suppression, b->got_count);
            assert_int_equal(b->progress[0].tally.planned, on_list);
            assert_int_equal(b->progress[0].tally.withheld, on_list - b->got_count);
            assert_true(b->progress[0].exhausted);
        }
        if (suppression)
            suppress(b, 1, scopes[suppression - 1], true);
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
            suppress(b, 1, cases[i].scope, false);
        bench_claim(b, id, 10, 2);
        if (cases[i].scope)
            suppress(b, 1, cases[i].scope, true);
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
    suppress(b, 101, "", false);
    bench_claim(b, 1, 10, 2);
    assert_int_equal(b->got_count, 4);
    assert_true(b->got[0].seed);
    assert_int_equal(b->got[0].seq, 1);
    assert_false(b->got[1].seed);
    assert_int_equal(json_array_size(json_object_get(
                         bench_report(b, &(struct store_report){.kind = REPORT_SHOW, .notice = 1}), "seeds")),
                     2);
}

/* --- Turns --- */

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
    suppress(b, 1, "", false);
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

static void people_can_be_chosen_for_another_try(void **state)
{
    struct bench *b = *state;
    struct store_retry what = {.notice = 1, .fate = FATE_REFUSED, .code = 550, .channel = "mail", .now_ms = DUE_MS};

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 4);
    suppress(b, 4, "", false);
    bench_claim(b, 1, 4, 1);
    bench_fate(b, 1, 1, 1, FATE_REFUSED, 0);
    bench_fate(b, 1, 2, 1, FATE_IN_DOUBT, 0);
    bench_fate(b, 1, 3, 1, FATE_ACCEPTED, 0);
    what.code = 421;
    store_retry(b->store, &what, bench_on_count, b);
    bench_wait(b);
    assert_int_equal(b->count, 0);
    what.code = 550;
    store_retry(b->store, &what, bench_on_count, b);
    bench_wait(b);
    assert_int_equal(b->count, 1);
    store_retry(b->store, &what, bench_on_count, b);
    bench_wait(b);
    assert_int_equal(b->count, 0); /* waits already */
    what = (struct store_retry){
        .notice = 1, .fate = FATE_WITHHELD, .withheld = WITHHELD_SUPPRESSED, .channel = "mail", .now_ms = DUE_MS};
    store_retry(b->store, &what, bench_on_count, b);
    bench_wait(b);
    assert_int_equal(b->count, 1);
    what.fate = FATE_ACCEPTED;
    store_retry(b->store, &what, bench_on_count, b);
    bench_wait(b);
    assert_int_equal(b->failure.kind, ERROR_REFUSED);
    bench_launch(b, 1, 0);
    assert_int_equal(b->launch.again_count, 2);
    bench_tally_is(&b->launch.tally, (struct tally){.planned = 4, .waiting = 2, .accepted = 1, .in_doubt = 1});
}

/* Slice by slice: what failed at a later one says how many wait by then, and asking again moves the others. */
static void a_retry_that_fails_half_way_says_who_was_moved(void **state)
{
    struct bench *b = *state;
    struct store_retry what = {.notice = 1, .fate = FATE_REFUSED, .channel = "mail", .now_ms = DUE_MS};
    enum { PEOPLE = 6000, SLICE = 2500 };

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, PEOPLE);
    bench_sql(b, "INSERT INTO fate SELECT 1, seq, 1, 'mail', 1, 3, 0, 550, NULL, 1806048000000, NULL, 1 FROM told "
                 "WHERE roll = 1;"
                 "INSERT INTO claim VALUES(1, 1, 'mail', 1, 6000, 6000, 1806048000000, 1);"
                 "INSERT INTO counter VALUES(1, 'mail', 6000, 0, 0, 6000, 0, 0, NULL, NULL);"
                 "INSERT INTO fate_sum VALUES(1, 'mail', 3, 0, 550, 0, 6000);"
                 "UPDATE notice SET state = 5, claimed = 1 WHERE id = 1;"
                 "CREATE TRIGGER fault BEFORE INSERT ON again WHEN NEW.seq = 4000 BEGIN"
                 "  SELECT RAISE(ABORT, 'fault'); END");
    store_retry(b->store, &what, bench_on_count, b);
    bench_wait(b);
    assert_non_null(strstr(b->failure.text, "fault"));
    assert_int_equal(b->count, SLICE);
    bench_launch(b, 1, 0);
    assert_int_equal(b->launch.again_count, SLICE);
    bench_tally_is(&b->launch.tally, (struct tally){.planned = PEOPLE, .waiting = SLICE, .refused = PEOPLE - SLICE});
    assert_int_equal(bench_number(b, "SELECT state FROM notice WHERE id = 1"), NOTICE_SENDING);
    bench_audit(b);
    bench_sql(b, "DROP TRIGGER fault");
    store_retry(b->store, &what, bench_on_count, b);
    bench_wait(b);
    bench_fine(b);
    assert_int_equal(b->count, PEOPLE - SLICE);
    bench_audit(b);
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

struct order {
    struct bench *bench;
    int number;
    int *next;
};

static void on_ordered(void *ctx, const struct error *failure)
{
    struct order *order = ctx;

    assert_null(failure);
    assert_int_equal(order->number, *order->next);
    order->bench->answered = ++*order->next == 200;
    if (order->number % 10 == 8) /* the next one is cancelled */
        ++*order->next;
    order->bench->answered |= *order->next == 200;
}

static void answers_come_in_order_and_a_cancelled_one_not_at_all(void **state)
{
    struct bench *b = *state;
    struct order orders[200];
    int next = 0;

    for (int i = 0; i < 200; i++) {
        orders[i] = (struct order){b, i, &next};
        struct store_job *job = store_evidence(b->store, 1, i, "{}", on_ordered, &orders[i]);
        if (i % 10 == 9)
            store_cancel(&job);
    }
    bench_wait(b);
    assert_int_equal(next, 200);
}

/* Jobs that wait share a commit; one that fails takes nobody with it. */
static void on_counted(void *ctx, const struct error *failure)
{
    int *outcomes = ctx;

    outcomes[failure ? 1 : 0]++;
}

static void a_failing_job_fails_alone(void **state)
{
    struct bench *b = *state;
    struct notice *n = bench_notice(1), *twin = bench_notice(2), *other = bench_notice(3);
    struct store_change change = {.notice_count = 1, .first_walk_at_ms = MOMENT_NONE, .watermark_ms = MOMENT_NONE};
    struct store_image image;
    int outcomes[2] = {0};

    notice_free(twin);
    twin = notice_new(2, n->site, n->subject, n->rule, n->kind, n->at_ms, n->edition); /* the same identity */
    twin->due_at_ms = DUE_MS;
    for (int i = 0; i < 3; i++) {
        change.notices = (const struct notice *const[]){i == 0 ? n : i == 1 ? twin : other};
        store_apply(b->store, &change, on_counted, outcomes);
    }
    store_evidence(b->store, 1, DUE_MS, "{}", bench_on_done, b);
    bench_wait(b);
    bench_fine(b);
    assert_int_equal(outcomes[0], 2);
    assert_int_equal(outcomes[1], 1);
    assert_int_equal(store_load(b->store, &image, NULL), 0);
    assert_int_equal(image.notices.count, 2);
    store_image_clear(&image);
    notice_free(n);
    notice_free(twin);
    notice_free(other);
}

static void a_full_disk_is_said_and_survived(void **state)
{
    struct bench *b = *state;
    struct rlimit all, little;

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 100);
    getrlimit(RLIMIT_FSIZE, &all);
    signal(SIGXFSZ, SIG_IGN);
    little = all;
    little.rlim_cur = 200000; /* bytes: the log cannot grow beyond */
    setrlimit(RLIMIT_FSIZE, &little);
    unsigned stored = 100;
    do {
        store_gather(b->store, &(struct store_gather){.roll = 1, .pass = 1, .source = "fans", .cursor = "x"},
                     bench_on_gathered, b);
        bench_wait(b);
        if (b->failure.kind == ERROR_NONE) {
            struct store_person people[200] = {0};
            for (unsigned i = 0; i < 200; i++) {
                people[i].address = TEXT("somebody@example.org");
                bench_key(people[i].key, stored + i + 1);
            }
            store_gather(b->store,
                         &(struct store_gather){
                             .roll = 1, .pass = 1, .source = "fans", .cursor = "", .people = people, .count = 200},
                         bench_on_gathered, b);
            bench_wait(b);
            stored += b->failure.kind == ERROR_NONE ? 200 : 0;
        }
    } while (b->failure.kind == ERROR_NONE && stored < 100000);
    setrlimit(RLIMIT_FSIZE, &all);
    assert_int_equal(b->failure.kind, ERROR_TRY_LATER);
    assert_non_null(strstr(b->failure.text, b->db));
    bench_claim(b, 1, 10, 1);
    assert_int_equal(b->got_count, 10);
    assert_int_equal(b->progress[0].tally.planned, stored);
}

struct race {
    struct bench *bench;
    unsigned pages, turns;
    unsigned pages_at_first_turn;
};

static void on_page(void *ctx, const struct store_gathered *result)
{
    struct race *race = ctx;

    assert_null(result->failure);
    race->pages++;
    assert_int_equal(result->planned, race->pages * 100); /* in order */
}

static void on_overtaking(void *ctx, const struct error *failure)
{
    struct race *race = ctx;

    assert_null(failure);
    if (!race->turns++)
        race->pages_at_first_turn = race->pages;
}

/* What is claimed does not wait behind the pages of another launch, and both get done. */
static void claims_overtake_pages(void **state)
{
    struct bench *b = *state;
    struct race race = {.bench = b};
    struct store_person people[100] = {0};

    for (unsigned page = 0; page < 100; page++) {
        for (unsigned i = 0; i < 100; i++) {
            bench_key(people[i].key, page * 100 + i);
            people[i].address = TEXT("somebody@example.org");
        }
        store_gather(b->store,
                     &(struct store_gather){
                         .roll = 1, .pass = 1, .source = "fans", .cursor = "", .people = people, .count = 100},
                     on_page, &race);
    }
    for (int i = 0; i < 20; i++)
        store_evidence(b->store, 1, i, "{}", on_overtaking, &race);
    while (race.pages < 100 || race.turns < 20)
        uv_run(&b->loop, UV_RUN_ONCE);
    assert_true(race.pages_at_first_turn < 100);
}

/* --- Identity --- */

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

/* --- Opening --- */

static void refused(struct bench *b, const char *part)
{
    struct error err = {0};

    if (bench_try_open(b, &err))
        fail_msg("opened, though %s", part);
    if (err.kind != ERROR_CONFIG || !strstr(err.text, part))
        fail_msg("%d: %s", err.kind, err.text);
}

/* What version 4 brought, a line for each part of it. */
#define BACK_TO_3                                                                                                      \
    "DROP INDEX again_next; DROP INDEX told_seed; DROP TABLE fate_sum; DROP TABLE late_sum;"                           \
    "DROP TABLE hook; DROP TABLE hook_entity;"                                                                         \
    "DROP TABLE private_feed; DROP TABLE private_feed_gone;"                                                           \
    "DROP TABLE calendar_entry; DROP TABLE calendar_change;"                                                           \
    "DROP TABLE calendar_published; DROP TABLE calendar_said;"                                                         \
    "DROP TABLE webhook_opening; DROP TABLE webhook_message; DROP TABLE webhook; DROP TABLE speed;"

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

static void on_kept(void *ctx, const struct error *failure)
{
    assert_null(failure);
    ++*(int *)ctx;
}

static void wait_for(struct bench *b, const int *count, int wanted)
{
    for (int i = 0; i < 2000 && *count < wanted; i++) {
        uv_run(&b->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    assert_int_equal(*count, wanted);
}

/* Feeds for who has the link outlive a restart, with who fetched them; what is forgotten is the token that was. */
static void private_feeds_are_kept(void **state)
{
    struct bench *b = *state;
    struct store_private_feed feed = {.id = 3,
                                      .name = "radio",
                                      .site = "arena",
                                      .event_id = "",
                                      .hash = "0123456789abcde",
                                      .created_at_ms = bench_clock(b),
                                      .rotated_at_ms = MOMENT_NONE,
                                      .revoked_at_ms = MOMENT_NONE,
                                      .last_fetch_at_ms = MOMENT_NONE,
                                      .last_client = ""};
    const struct store_private_feed *list[] = {&feed};
    unsigned char old[PERSON_KEY_SIZE];
    struct store_private_feeds kept;
    struct error err = {0};
    int done = 0;

    store_keep_private_feed(b->store, &feed, NULL, bench_clock(b), on_kept, &done);
    wait_for(b, &done, 1);
    memcpy(old, feed.hash, sizeof old);
    memcpy(feed.hash, "fedcba987654321", sizeof feed.hash);
    feed.rotated_at_ms = bench_clock(b) + 1;
    store_keep_private_feed(b->store, &feed, old, bench_clock(b), on_kept, &done);
    feed.last_client = "Thunderbird";
    feed.last_fetch_at_ms = bench_clock(b) + 2;
    feed.fetches = 7;
    store_private_fetches(b->store, list, 1, on_kept, &done);
    wait_for(b, &done, 3);
    bench_close(b);
    bench_open(b);
    assert_int_equal(store_private_feeds(b->store, &kept, &err), 0);
    assert_int_equal(kept.count, 1);
    assert_int_equal(kept.gone_count, 1);
    assert_memory_equal(kept.gone[0], old, sizeof old);
    assert_memory_equal(kept.feeds[0].hash, feed.hash, sizeof feed.hash);
    assert_string_equal(kept.feeds[0].name, "radio");
    assert_string_equal(kept.feeds[0].last_client, "Thunderbird");
    assert_int_equal(kept.feeds[0].fetches, 7);
    assert_int_equal(kept.feeds[0].last_fetch_at_ms, feed.last_fetch_at_ms);
    assert_int_equal(kept.feeds[0].revoked_at_ms, MOMENT_NONE);
    store_private_feeds_clear(&kept);
    json_t *rows = store_report_now(b->store, &(struct store_report){.kind = REPORT_PRIVATE_FEEDS}, &err);
    assert_int_equal(json_array_size(rows), 1);
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "last_client")), "Thunderbird");
    json_decref(rows);
    rows = store_report_now(b->store, &(struct store_report){.kind = REPORT_PRIVATE_FEEDS, .after = 3}, &err);
    assert_int_equal(json_array_size(rows), 0);
    json_decref(rows);
}

/* What the next start has to know of a channel: its claims since then, and the wait that was asked for. */
static void a_channel_is_recalled(void **state)
{
    struct bench *b = *state;
    struct store_recalled recalled;
    struct error err = {0};
    int64_t now_ms = bench_clock(b);
    struct store_wait wait = {"mail", now_ms + 30 * SECOND_MS, 2, "421 4.7.0 slow down", now_ms};

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 50);
    bench_claim(b, 1, 10, 1);
    bench_claim(b, 1, 5, 1);
    store_keep_wait(b->store, &wait, bench_on_done, b);
    bench_wait(b);
    wait.until_ms += SECOND_MS;
    wait.rests = 3;
    store_keep_wait(b->store, &wait, bench_on_done, b);
    bench_wait(b);
    for (int64_t answer_us = 7000; answer_us <= 9000; answer_us += 2000) {
        store_keep_speed(b->store, &(struct store_speed){"mail", answer_us, now_ms}, bench_on_done, b);
        bench_wait(b);
    }
    bench_close(b);
    bench_open(b);
    assert_int_equal(store_recall(b->store, "mail", now_ms, &recalled, &err), 0);
    assert_int_equal(recalled.answer_us, 9000);
    assert_int_equal(recalled.claim_count, 2);
    assert_int_equal(recalled.claims[0].count, 10);
    assert_int_equal(recalled.claims[1].count, 5);
    assert_true(recalled.claims[0].at_ms >= now_ms && recalled.claims[1].at_ms >= recalled.claims[0].at_ms);
    assert_int_equal(recalled.wait.until_ms, wait.until_ms);
    assert_int_equal(recalled.wait.rests, 3);
    assert_string_equal(recalled.wait.text, wait.text);
    store_recalled_clear(&recalled);

    assert_int_equal(store_recall(b->store, "mail", now_ms + DAY_MS, &recalled, &err), 0);
    assert_int_equal(recalled.claim_count, 0); /* too long ago by then */
    store_recalled_clear(&recalled);
    assert_int_equal(store_recall(b->store, "push", now_ms, &recalled, &err), 0);
    assert_int_equal(recalled.answer_us, 0);
    assert_int_equal(recalled.claim_count, 0);
    assert_int_equal(recalled.wait.until_ms, MOMENT_NONE);
    store_recalled_clear(&recalled);

    store_keep_wait(b->store, &(struct store_wait){.channel = "mail", .until_ms = MOMENT_NONE}, bench_on_done, b);
    bench_wait(b);
    assert_int_equal(store_recall(b->store, "mail", now_ms, &recalled, &err), 0);
    assert_int_equal(recalled.wait.until_ms, MOMENT_NONE);
    store_recalled_clear(&recalled);
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

static void a_damaged_file_is_left_alone(void **state)
{
    struct bench *b = *state;
    char content[64] = {0};

    bench_close(b);
    FILE *file = fopen(b->db, "w");
    fputs("this was a database once, and now it is a letter to somebody else entirely", file);
    fclose(file);
    refused(b, "cp BACKUP");
    file = fopen(b->db, "r");
    assert_non_null(fgets(content, 16, file));
    fclose(file);
    assert_string_equal(content, "this was a data");
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(what_is_planned_comes_back),
        TEST(final_notices_are_forgotten_when_no_definition_has_their_instant),
        TEST(people_are_numbered_once),
        TEST(nobody_joins_after_the_first_claim),
        TEST(a_read_goes_on_where_it_was_left),
        TEST(consent_is_what_the_last_complete_read_says),
        TEST(the_reason_says_why),
        TEST(half_a_read_counts_only_as_no),
        TEST(our_own_eyes_come_first_and_stay),
        TEST(counts_are_of_people),
        TEST(a_fate_counts_once),
        TEST(retries_wait_for_their_turn),
        TEST(a_retry_is_judged_again),
        TEST(a_fallback_takes_over),
        TEST(people_can_be_chosen_for_another_try),
        TEST(a_retry_that_fails_half_way_says_who_was_moved),
        TEST(a_bad_claim_is_left_out),
        TEST(nothing_is_claimed_before_it_is_due_or_after_it_ended),
        TEST(a_moved_notice_takes_its_people_over),
        TEST(a_claim_looks_at_a_bounded_number),
        TEST(answers_come_in_order_and_a_cancelled_one_not_at_all),
        TEST(a_failing_job_fails_alone),
        TEST(a_full_disk_is_said_and_survived),
        TEST(claims_overtake_pages),
        TEST(a_foreign_state_is_a_copy),
        TEST(the_machine_is_an_identity_too),
        TEST(a_state_older_than_its_witness_is_a_copy),
        TEST(a_missing_witness_only_warns),
        TEST(anothers_witness_tells_of_a_copy),
        TEST(a_state_of_the_last_version_is_brought_forward),
        TEST(fates_of_the_last_version_are_counted),
        TEST(a_channel_is_recalled),
        TEST(private_feeds_are_kept),
        TEST(a_second_daemon_is_refused),
        TEST(only_our_own_files_are_opened),
        TEST(a_damaged_file_is_left_alone),
        TEST(files_are_for_the_owner_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
