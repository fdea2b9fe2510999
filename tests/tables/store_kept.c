/* What the next start has to know: all that is planned, links to private feeds, how channels stood. */
#include "store_bench.h"

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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(what_is_planned_comes_back),
        TEST(final_notices_are_forgotten_when_no_definition_has_their_instant),
        TEST(private_feeds_are_kept),
        TEST(a_channel_is_recalled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
