#include "progress.h"

#include "events.h"
#include "table.h"

#include <string.h>

struct bench {
    int64_t now_ms;
    struct clock clock;
    struct world world;
    struct event_listener listener;
    struct notice *notice;
    size_t said;        /* progress events so far */
    int64_t last_at_ms; /* of the last one */
    int64_t accepted, per_second;
};

static int64_t now_ms(void *ctx)
{
    return ((struct bench *)ctx)->now_ms;
}

static void on_events(void *ctx)
{
    struct bench *bench = ctx;
    struct event event;

    while (events_next(&bench->listener, &event) == EVENTS_ONE) {
        json_t *data = json_loads(event.data.ptr, 0, NULL);
        assert_int_equal(event.type, EVENT_PROGRESS);
        assert_int_equal(event.notice, bench->notice->id);
        bench->said++;
        bench->last_at_ms = bench->now_ms;
        bench->accepted = json_integer_value(json_object_get(json_object_get(data, "counts"), "accepted"));
        bench->per_second = json_integer_value(json_object_get(data, "per_second"));
        json_decref(data);
    }
}

static void setup(struct bench *bench)
{
    *bench = (struct bench){.now_ms = 1806048000000, .listener = {.hear = on_events, .ctx = bench}};
    bench->clock = (struct clock){now_ms, now_ms, bench};
    bench->world.clock = &bench->clock;
    bench->world.alarms = alarms_new(NULL, &bench->clock, NULL);
    bench->world.events = events_new(&bench->clock, bench->world.alarms, 1);
    bench->world.progress = progress_new(&bench->world);
    bench->notice = notice_new(5, "arena", "festival", "on-sale", MOMENT_SALE_START, bench->now_ms, 1);
    bench->notice->state = NOTICE_SENDING;
    notice_course(bench->notice)->tally = (struct tally){.planned = 100000, .waiting = 100000};
    notices_put(&bench->world.notices, bench->notice);
    events_listen(bench->world.events, &bench->listener, NULL);
}

static void teardown(struct bench *bench)
{
    events_leave(&bench->listener);
    progress_free(bench->world.progress);
    events_free(bench->world.events);
    alarms_close(bench->world.alarms);
    notices_clear(&bench->world.notices);
}

/* So many people each 10 ms, for a span. */
static void tell(struct bench *bench, int64_t people, int64_t span_ms)
{
    for (int64_t until_ms = bench->now_ms + span_ms; bench->now_ms < until_ms; bench->now_ms += 10) {
        notice_course(bench->notice)->tally.accepted += people;
        notice_course(bench->notice)->tally.waiting -= people;
        progress_note(bench->world.progress, bench->notice);
        alarms_run(bench->world.alarms);
    }
}

static void wait_for(struct bench *bench, int64_t span_ms)
{
    for (int64_t until_ms = bench->now_ms + span_ms; bench->now_ms < until_ms; bench->now_ms += 10)
        alarms_run(bench->world.alarms);
}

static void twice_a_second(void **state)
{
    struct bench bench;

    (void)state;
    setup(&bench);
    tell(&bench, 10, 10000);
    assert_in_range(bench.said, 20, 21);
    assert_in_range(bench.per_second, 990, 1010);
    tell(&bench, 20, 10000);
    assert_in_range(bench.said, 40, 41);
    assert_in_range(bench.per_second, 1980, 2020); /* of the last seconds only */
    wait_for(&bench, 1000);
    assert_int_equal(bench.accepted, bench.notice->course->tally.accepted); /* the last is exact */
    size_t said = bench.said;
    wait_for(&bench, 60000);
    progress_note(bench.world.progress, bench.notice); /* nothing new */
    wait_for(&bench, 1000);
    assert_int_equal(bench.said, said);
    assert_int_equal(alarms_next_at_ms(bench.world.alarms), MOMENT_NONE);
    tell(&bench, 10, 2000); /* after a pause it is no rate of the pause */
    assert_in_range(bench.per_second, 900, 1010);
    teardown(&bench);
}

static void exact_at_the_end(void **state)
{
    struct bench bench;

    (void)state;
    setup(&bench);
    progress_say(bench.world.progress, bench.notice); /* nothing was noted of it yet */
    tell(&bench, 10, 730);
    assert_true(bench.accepted < bench.notice->course->tally.accepted);
    size_t said = bench.said;
    progress_say(bench.world.progress, bench.notice);
    alarms_run(bench.world.alarms);
    assert_int_equal(bench.accepted, bench.notice->course->tally.accepted);
    assert_int_equal(bench.said, said + 1);
    progress_say(bench.world.progress, bench.notice); /* once */
    notice_course(bench.notice)->tally.claimed = 7;   /* not shown: no news */
    progress_note(bench.world.progress, bench.notice);
    wait_for(&bench, 2000);
    assert_int_equal(bench.said, said + 1);
    progress_note(NULL, bench.notice); /* nobody keeps it */
    progress_say(NULL, bench.notice);
    teardown(&bench);
}

static void gathering_counts_people(void **state)
{
    struct bench bench;

    (void)state;
    setup(&bench);
    bench.notice->state = NOTICE_GATHERING;
    notice_course(bench.notice)->tally = (struct tally){0};
    for (int i = 0; i < 500; i++, bench.now_ms += 10) {
        notice_course(bench.notice)->tally.planned += 50;
        notice_course(bench.notice)->tally.waiting += 50;
        progress_note(bench.world.progress, bench.notice);
        alarms_run(bench.world.alarms);
    }
    assert_in_range(bench.per_second, 4900, 5100);
    assert_in_range(progress_per_second(bench.world.progress, bench.notice), 4900, 5100);
    bench.notice->state = NOTICE_SENDING; /* nobody is told yet: another rate begins, from nothing */
    assert_int_equal(progress_per_second(bench.world.progress, bench.notice), 0);
    tell(&bench, 10, 1000);
    assert_in_range(bench.per_second, 0, 1010);
    teardown(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twice_a_second),
        cmocka_unit_test(exact_at_the_end),
        cmocka_unit_test(gathering_counts_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
