#include "events.h"
#include "table.h"

#include <string.h>

struct hand { /* a clock that the test moves */
    int64_t now_ms;
};

static int64_t hand_ms(void *ctx)
{
    return ((struct hand *)ctx)->now_ms;
}

struct bench {
    struct hand hand;
    struct clock clock;
    struct alarms *alarms;
    struct events *events;
};

struct ear {
    struct event_listener listener;
    char heard[4096]; /* "3:pause 4:resume " */
    bool deaf;        /* leaves when it is called */
    size_t calls;
};

static void setup(struct bench *bench, int64_t generation)
{
    *bench = (struct bench){.hand = {.now_ms = 1806048000000}};
    bench->clock = (struct clock){hand_ms, hand_ms, &bench->hand};
    bench->alarms = alarms_new(NULL, &bench->clock, NULL);
    bench->events = events_new(&bench->clock, bench->alarms, generation);
}

static void teardown(struct bench *bench)
{
    events_free(bench->events);
    alarms_close(bench->alarms);
}

static void say(struct bench *bench, enum event_type type, int64_t notice)
{
    events_say(bench->events, type, notice, json_pack("{s:I}", "id", (json_int_t)notice));
}

static void read_all(struct ear *ear)
{
    struct event event;
    size_t len = strlen(ear->heard);

    for (enum events_next next; (next = events_next(&ear->listener, &event)) != EVENTS_NONE; len = strlen(ear->heard))
        if (next == EVENTS_LOST)
            snprintf(ear->heard + len, sizeof ear->heard - len, "lost ");
        else
            snprintf(ear->heard + len, sizeof ear->heard - len, "%lld:%s ", (long long)event.number,
                     event_type_name(event.type));
}

static void on_hear(void *ctx)
{
    struct ear *ear = ctx;

    ear->calls++;
    if (ear->deaf)
        events_leave(&ear->listener);
    else
        read_all(ear);
}

static const char *listen_with(struct bench *bench, struct ear *ear, const char *last_id)
{
    ear->listener.hear = on_hear;
    ear->listener.ctx = ear;
    ear->heard[0] = '\0';
    ear->calls = 0;
    return events_listen(bench->events, &ear->listener, last_id);
}

static void hears_later_and_once(void **state)
{
    struct bench bench;
    struct ear a = {0}, b = {0}, c = {0};

    (void)state;
    setup(&bench, 7);
    say(&bench, EVENT_RELOAD, 0); /* before anybody listens: history */
    assert_int_equal(alarms_next_at_ms(bench.alarms), MOMENT_NONE);
    listen_with(&bench, &a, NULL);
    listen_with(&bench, &b, NULL);
    b.deaf = true;
    listen_with(&bench, &c, NULL);
    say(&bench, EVENT_PAUSE, 3);
    say(&bench, EVENT_RESUME, 3);
    assert_string_equal(a.heard, ""); /* not from inside what happens */
    alarms_run(bench.alarms);
    assert_string_equal(a.heard, "2:pause 3:resume ");
    assert_string_equal(c.heard, "2:pause 3:resume ");
    assert_int_equal(b.calls, 1);
    assert_int_equal(alarms_run(bench.alarms), 0);
    say(&bench, EVENT_STOPPING, 0);
    alarms_run(bench.alarms);
    assert_string_equal(a.heard, "2:pause 3:resume 4:stopping ");
    assert_int_equal(a.calls, 2);
    assert_int_equal(b.calls, 1);
    events_leave(&a.listener);
    events_leave(&a.listener); /* twice is fine */
    events_leave(&c.listener);
    teardown(&bench);
}

static void data_is_one_line(void **state)
{
    struct bench bench;
    struct ear ear = {0};
    struct event event;

    (void)state;
    setup(&bench, 1);
    listen_with(&bench, &ear, NULL);
    events_say(bench.events, EVENT_SITE, 0, json_pack("{s:s}", "trouble", "a\nb\r\"c\" \xe2\x80\xa8"));
    assert_int_equal(events_next(&ear.listener, &event), EVENTS_ONE);
    assert_string_equal(event.data.ptr,
                        "{\"trouble\":\"a\\nb\\r\\\"c\\\" \xe2\x80\xa8\",\"at\":\"2027-03-26T08:00:00.000Z\"}");
    assert_int_equal(event.data.len, strlen(event.data.ptr));
    events_leave(&ear.listener);
    teardown(&bench);
    events_say(NULL, EVENT_SITE, 0, json_object()); /* nobody keeps it */
    events_count(NULL, EVENT_BOUNCE, "hard", 1);
}

static void goes_on_behind_an_id(void **state)
{
    static const struct {
        const char *last_id;
        const char *heard; /* at once */
        bool reset;
    } cases[] = {
        {NULL, "", false},
        {"7-0", "1:pause 2:resume 3:notice ", false},
        {"7-1", "2:resume 3:notice ", false},
        {"7-3", "", false},
        {"7-4", "", true}, /* never was */
        {"7-9223372036854775807", "", true},
        {"6-1", "", true},
        {"8-1", "", true},
        {"", "", true},
        {"7", "", true},
        {"7-", "", true},
        {"-1", "", true},
        {"7--1", "", true},
        {"7-1-1", "", true},
        {"7-1 ", "", true},
        {"+7-1", "", true},
        {"7-0x1", "", true},
        {"7-18446744073709551617", "", true},
        {"18446744073709551623-1", "", true},
        {"x", "", true},
    };
    struct bench bench;

    (void)state;
    setup(&bench, 7);
    say(&bench, EVENT_PAUSE, 1);
    say(&bench, EVENT_RESUME, 1);
    say(&bench, EVENT_NOTICE, 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ear ear = {0};
        const char *why = listen_with(&bench, &ear, cases[i].last_id);
        read_all(&ear);
        if ((why != NULL) != cases[i].reset || strcmp(ear.heard, cases[i].heard) != 0)
            fail_msg("%s: heard %s (%s)", cases[i].last_id, ear.heard, why ? why : "no reset");
        assert_int_equal(event_listener_at(&ear.listener), 3);
        events_leave(&ear.listener);
    }
    char id[EVENT_ID_SIZE];
    events_id(bench.events, 3, id);
    assert_string_equal(id, "7-3");
    teardown(&bench);
}

static void forgets_the_oldest(void **state)
{
    struct bench bench;
    struct ear ear = {0}, slow = {0};

    (void)state;
    setup(&bench, 2);
    listen_with(&bench, &slow, NULL);
    for (int i = 0; i < 1024; i++)
        say(&bench, EVENT_PAUSE, 0);
    assert_null(listen_with(&bench, &ear, "2-0")); /* all 1024 are there */
    events_leave(&ear.listener);
    say(&bench, EVENT_PAUSE, 0);
    assert_non_null(listen_with(&bench, &ear, "2-0")); /* the first is gone */
    events_leave(&ear.listener);
    assert_null(listen_with(&bench, &ear, "2-1"));
    events_leave(&ear.listener);
    read_all(&slow);
    assert_string_equal(slow.heard, "lost ");
    say(&bench, EVENT_RESUME, 0);
    read_all(&slow);
    assert_string_equal(slow.heard, "lost 1026:resume ");
    for (int i = 0; i < 5000; i++) /* around more than once */
        say(&bench, EVENT_PAUSE, 0);
    assert_null(listen_with(&bench, &ear, "2-6025"));
    read_all(&ear);
    assert_string_equal(ear.heard, "6026:pause ");
    events_leave(&ear.listener);
    events_leave(&slow.listener);
    teardown(&bench);
}

static void keeps_half_a_megabyte(void **state)
{
    struct bench bench;
    struct ear ear = {0};
    auto_free char *large = must_calloc(1, 100001);

    (void)state;
    setup(&bench, 2);
    memset(large, 'x', 100000);
    for (int i = 0; i < 20; i++)
        events_say(bench.events, EVENT_SITE, 0, json_pack("{s:s}", "trouble", large));
    assert_non_null(listen_with(&bench, &ear, "2-14"));
    events_leave(&ear.listener);
    assert_null(listen_with(&bench, &ear, "2-15")); /* five of a hundred kilobytes */
    read_all(&ear);
    assert_string_equal(ear.heard, "16:site 17:site 18:site 19:site 20:site ");
    events_leave(&ear.listener);
    teardown(&bench);
}

static void filters(void **state)
{
    static const struct {
        const char *types, *notice;
        const char *heard; /* NULL: refused */
    } cases[] = {
        {NULL, NULL, "1:notice 2:notice 3:progress 4:pause 5:stopping "},
        {"", NULL, "1:notice 2:notice 3:progress 4:pause 5:stopping "},
        {"notice", NULL, "1:notice 2:notice "},
        {"stopping,notice", NULL, "1:notice 2:notice 5:stopping "},
        {"notice,notice", NULL, "1:notice 2:notice "},
        {"bounce", NULL, ""},
        {NULL, "2", "2:notice 3:progress 4:pause "},
        {"progress", "2", "3:progress "},
        {"progress", "1", ""},
        {NULL, "9223372036854775807", ""},
        {"notices", NULL, NULL},
        {"Notice", NULL, NULL},
        {"notice ", NULL, NULL},
        {"notice,,progress", NULL, NULL},
        {",", NULL, NULL},
        {NULL, "0", NULL},
        {NULL, "", NULL},
        {NULL, "-1", NULL},
        {NULL, "1x", NULL},
        {NULL, "9223372036854775808", NULL},
    };
    struct bench bench;

    (void)state;
    setup(&bench, 1);
    say(&bench, EVENT_NOTICE, 1);
    say(&bench, EVENT_NOTICE, 2);
    say(&bench, EVENT_PROGRESS, 2);
    say(&bench, EVENT_PAUSE, 2);
    say(&bench, EVENT_STOPPING, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ear ear = {0};
        struct error err = {0};
        int rc = event_filter_parse(cases[i].types, cases[i].notice, &ear.listener.filter, &err);
        if ((rc == 0) != (cases[i].heard != NULL) || (rc < 0 && err.kind != ERROR_REFUSED))
            fail_msg("%s %s: %d %s", cases[i].types, cases[i].notice, rc, err.text);
        if (rc < 0)
            continue;
        listen_with(&bench, &ear, "1-0");
        read_all(&ear);
        if (strcmp(ear.heard, cases[i].heard) != 0)
            fail_msg("%s %s: heard %s", cases[i].types, cases[i].notice, ear.heard);
        events_leave(&ear.listener);
    }
    teardown(&bench);
}

static void counts_once_a_second(void **state)
{
    struct bench bench;
    struct ear ear = {0};
    struct event event;

    (void)state;
    setup(&bench, 1);
    listen_with(&bench, &ear, NULL);
    for (int i = 0; i < 10; i++) { /* every 300 ms, for three seconds */
        events_count(bench.events, EVENT_SUPPRESSION, "unsubscribe", 2);
        events_count(bench.events, EVENT_SUPPRESSION, "bounce", 1);
        alarms_run(bench.alarms);
        bench.hand.now_ms += 300;
    }
    assert_string_equal(ear.heard, "1:suppression 2:suppression 3:suppression ");
    bench.hand.now_ms += 1000;
    alarms_run(bench.alarms);
    alarms_run(bench.alarms);
    assert_string_equal(ear.heard, "1:suppression 2:suppression 3:suppression 4:suppression ");
    events_leave(&ear.listener);

    int64_t unsubscribed = 0, bounced = 0;
    listen_with(&bench, &ear, "1-0");
    while (events_next(&ear.listener, &event) == EVENTS_ONE) {
        json_t *data = json_loads(event.data.ptr, 0, NULL), *counts = json_object_get(data, "counts");
        unsubscribed += json_integer_value(json_object_get(counts, "unsubscribe"));
        bounced += json_integer_value(json_object_get(counts, "bounce"));
        json_decref(data);
    }
    assert_int_equal(unsubscribed, 20);
    assert_int_equal(bounced, 10);
    events_leave(&ear.listener);
    events_count(bench.events, EVENT_BOUNCE, "hard", 0); /* nothing */
    assert_int_equal(alarms_next_at_ms(bench.alarms), MOMENT_NONE);
    events_count(bench.events, EVENT_BOUNCE, "hard", 1); /* not said yet when it ends */
    teardown(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hears_later_and_once),  cmocka_unit_test(data_is_one_line),
        cmocka_unit_test(goes_on_behind_an_id),  cmocka_unit_test(forgets_the_oldest),
        cmocka_unit_test(keeps_half_a_megabyte), cmocka_unit_test(filters),
        cmocka_unit_test(counts_once_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
