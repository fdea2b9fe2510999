#include "forecast.h"

#include "clock.h"
#include "table.h"

static struct config_rate per_hour[] = {{10000, HOUR_MS}}, per_second[] = {{100, SECOND_MS}},
                          both[] = {{100, SECOND_MS}, {10000, HOUR_MS}};

static const struct {
    const char *name;
    struct forecast_speed speed;
    struct {
        int64_t due_ms, people;
        bool opening;
        int64_t span_ms;
    } flows[4]; /* in the order of their due times */
} rows[] = {
    {"alone", {{per_second, 1}, 8, 0}, {{0, 1000, true, 10000}}},
    {"nobody", {{per_second, 1}, 8, 0}, {{500, 0, true, 0}}},
    {"by the hour", {{per_hour, 1}, 8, 0}, {{0, 12400, true, 4464000}}},
    {"the slowest of several rates", {{both, 2}, 8, 0}, {{0, 10000, true, HOUR_MS}}},
    {"no rate, nothing measured", {{NULL, 0}, 8, 0}, {{0, 1000, true, -1}}},
    {"eight in flight, 100 ms each", {{NULL, 0}, 8, 100000}, {{0, 800, true, 10000}}},
    {"answers slower than the rate", {{per_second, 1}, 5, 100000}, {{0, 1000, true, 20000}}},
    {"the rate slower than answers", {{per_second, 1}, 50, 100000}, {{0, 1000, true, 10000}}},
    {"two share it", {{per_second, 1}, 8, 0}, {{0, 1000, true, 20000}, {0, 1000, true, 20000}}},
    {"a small one beside a large one", {{per_second, 1}, 8, 0}, {{0, 100, true, 2000}, {0, 1000, true, 11000}}},
    {"an opening before a reminder", {{per_second, 1}, 8, 0}, {{0, 600, true, 7000}, {0, 1000, false, 16000}}},
    {"in part at the same time", {{per_second, 1}, 8, 0}, {{0, 1000, true, 15000}, {5000, 500, true, 10000}}},
    {"one after the other", {{per_second, 1}, 8, 0}, {{0, 100, true, 1000}, {1000, 100, true, 1000}}},
    {"with a pause between", {{per_second, 1}, 8, 0}, {{0, 100, true, 1000}, {9000, 100, false, 1000}}},
    {"three at once", {{per_second, 1}, 8, 0}, {{0, 100, true, 3000}, {0, 100, true, 3000}, {0, 100, true, 3000}}},
};

static void spans(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct forecast_flow flows[4];
        size_t count = 0;
        for (size_t k = 0; k < 4 && (k == 0 || rows[i].flows[k].people); k++)
            flows[count++] = (struct forecast_flow){.due_at_ms = rows[i].flows[k].due_ms,
                                                    .people = rows[i].flows[k].people,
                                                    .opening = rows[i].flows[k].opening};
        forecast_make(&rows[i].speed, flows, count);
        for (size_t k = 0; k < count; k++)
            if (flows[k].span_ms != rows[i].flows[k].span_ms)
                fail_msg("%s: flow %zu takes %lld ms, expected %lld", rows[i].name, k + 1, (long long)flows[k].span_ms,
                         (long long)rows[i].flows[k].span_ms);
        if (count == 1)
            assert_int_equal(forecast_span_ms(&rows[i].speed, flows[0].people), flows[0].span_ms);
    }
}

/* However they overlap, all of them together take as long as the notifier needs for everybody. */
static void nothing_is_lost(void **state)
{
    struct forecast_speed speed = {{per_second, 1}, 8, 0};
    struct forecast_flow flows[300];
    int64_t last_ms = 0;

    for (size_t i = 0; i < 300; i++)
        flows[i] = (struct forecast_flow){
            .due_at_ms = (int64_t)(i * 7 % 100) * 10, .people = 10 + (int64_t)(i * 13 % 50), .opening = i % 3 == 0};
    int64_t people = 0;
    for (size_t i = 0; i < 300; i++)
        people += flows[i].people;
    forecast_make(&speed, flows, 300);
    for (size_t i = 0; i < 300; i++)
        if (flows[i].due_at_ms + flows[i].span_ms > last_ms)
            last_ms = flows[i].due_at_ms + flows[i].span_ms;
    assert_in_range(last_ms, people * 10, people * 10 + 5);
}

static const struct {
    struct forecast_speed speed;
    int64_t people;
    bool beside;
    int64_t span_ms, within_ms;
    const char *text;
} texts[] = {
    {{{per_hour, 1}, 8, 0},
     12400,
     false,
     4464000,
     10 * MINUTE_MS,
     "12,400 people at 10000/h take 1 h 15 min; finish_within is 10 min"},
    {{{per_second, 1}, 8, 0}, 1, false, 10, HOUR_MS, "1 person at 100/s takes 1 s; finish_within is 1 h"},
    {{{per_second, 1}, 8, 0},
     1000000,
     true,
     20000000,
     90 * SECOND_MS,
     "1,000,000 people at 100/s, beside others at that time, take 5 h 34 min; finish_within is 1 min 30 s"},
    {{{NULL, 0}, 20, 100400},
     500,
     false,
     2510,
     MINUTE_MS,
     "500 people at 20 in flight that take 100 ms each take 3 s; finish_within is 1 min"},
    {{{per_hour, 1}, 8, 0},
     1000000,
     false,
     100 * HOUR_MS,
     DAY_MS,
     "1,000,000 people at 10000/h take 4 d 4 h; finish_within is 24 h"},
    {{{NULL, 0}, 20, 0},
     500,
     false,
     -1,
     MINUTE_MS,
     "500 people; no rate limits the notifier, and it has not sent yet: nobody can say how long they take"},
};

static void in_words(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        auto_buf struct buf text;
        buf_init(&text, 512);
        buf_add_forecast(&text, &texts[i].speed, texts[i].people, texts[i].beside, texts[i].span_ms,
                         texts[i].within_ms);
        assert_string_equal(text.ptr, texts[i].text);
    }
}

/* A hundred thousand at once take as long to think about as they are many: squared, this would take minutes. */
static void many_overlap(void **state)
{
    enum { COUNT = 100000, PEOPLE = 50, DUE_MS = 1000 };
    const struct forecast_speed speed = {{per_second, 1}, 8, 0}; /* 100 a second */
    struct forecast_flow *flows = must_calloc(COUNT, sizeof *flows);
    int64_t last_ms = 0;

    (void)state;
    for (int i = 0; i < COUNT; i++)
        flows[i] =
            (struct forecast_flow){.due_at_ms = DUE_MS + i % 1000, .people = PEOPLE + i % 50021, .opening = i % 2};
    int64_t people = 0;
    for (int i = 0; i < COUNT; i++)
        people += flows[i].people;
    forecast_make(&speed, flows, COUNT);
    for (int i = 0; i < COUNT; i++) {
        int64_t end_ms = flows[i].due_at_ms + flows[i].span_ms;
        assert_true(flows[i].span_ms > 0);
        last_ms = end_ms > last_ms ? end_ms : last_ms;
    }
    assert_in_range(last_ms, DUE_MS + 10 * people - 5, DUE_MS + 10 * people + 5); /* nobody idles, nothing is lost */
    free(flows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans),
        cmocka_unit_test(nothing_is_lost),
        cmocka_unit_test(in_words),
        cmocka_unit_test(many_overlap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
