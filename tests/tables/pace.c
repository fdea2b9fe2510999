#include "pace.h"
#include "clock.h"
#include "table.h"

static struct pace pace_of(struct config_rate *rates, size_t count, int64_t now_ms)
{
    struct pace pace;
    pace_init(&pace, &(struct config_rates){rates, count}, now_ms);
    return pace;
}

static unsigned roll(unsigned *random)
{
    *random = *random * 1103515245 + 12345;
    return *random / 65536;
}

static void no_rate_is_no_limit(void **state)
{
    struct pace pace = pace_of(NULL, 0, 0);
    (void)state;
    assert_int_equal(pace_allows(&pace, 0), INT64_MAX);
    pace_take(&pace, 0, 1000000);
    assert_int_equal(pace_ready_at_ms(&pace, 5), 5);
    assert_int_equal(pace_span_ms(&pace, 1000000), 0);
}

static void begins_empty_and_saves_little(void **state)
{
    struct config_rate rate = {500, SECOND_MS};
    struct pace pace = pace_of(&rate, 1, 1000);
    (void)state;
    assert_int_equal(pace_allows(&pace, 1000), 0);
    assert_int_equal(pace_ready_at_ms(&pace, 1000), 1002);
    assert_int_equal(pace_within(&pace, 1000, 50), 25);
    assert_int_equal(pace_allows(&pace, 1100), 50);
    assert_int_equal(pace_allows(&pace, 1000 + DAY_MS), 125); /* a quarter of a second's worth */
}

/* Whoever comes when told to, or a little late, gets all of it: no rounding adds up. */
static void nothing_is_lost_in_an_hour(void **state)
{
    static struct config_rate rates[] = {{10000, HOUR_MS}, {7, MINUTE_MS}, {500, SECOND_MS}, {999983, DAY_MS}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rates); i++)
        for (int late_ms = 0; late_ms <= 3; late_ms++) {
            struct pace pace = pace_of(&rates[i], 1, 0);
            int64_t taken = 0, now_ms = 0;
            while ((now_ms = pace_ready_at_ms(&pace, now_ms) + late_ms) <= HOUR_MS) {
                int64_t allowed = pace_allows(&pace, now_ms);
                assert_true(allowed > 0);
                pace_take(&pace, now_ms, allowed);
                taken += allowed;
            }
            taken += pace_allows(&pace, HOUR_MS);
            assert_int_equal(taken, rates[i].count * HOUR_MS / rates[i].per_ms);
        }
}

/* In any stretch of time no more leaves than the rate gives, plus one burst. */
static void never_more_than_the_rate(void **state)
{
    unsigned random = 7;

    (void)state;
    for (int round = 0; round < 200; round++) {
        struct config_rate rate = {1 + roll(&random) % 5000, roll(&random) % 2 ? SECOND_MS : HOUR_MS};
        struct pace pace = pace_of(&rate, 1, 0);
        enum { STEPS = 300 };
        int64_t at_ms[STEPS], total[STEPS], now_ms = 0, taken = 0;
        for (int step = 0; step < STEPS; step++) {
            int64_t allowed, take;
            now_ms += roll(&random) % (roll(&random) % 10 ? 20 : 20000);
            allowed = pace_allows(&pace, now_ms);
            take = allowed ? roll(&random) % (allowed + 1) : 0;
            pace_take(&pace, now_ms, take);
            taken += take;
            at_ms[step] = now_ms;
            total[step] = taken;
        }
        for (int from = 0; from < STEPS; from += 7)
            for (int to = from + 1; to < STEPS; to += 5) {
                int64_t sent = total[to] - total[from];
                int64_t earned = (at_ms[to] - at_ms[from]) * rate.count / rate.per_ms;
                assert_true(sent <= earned + pace.bucket[0].burst + 1);
            }
    }
}

static void debts_are_paid_first(void **state)
{
    struct config_rate rate = {10, SECOND_MS};
    struct pace pace = pace_of(&rate, 1, 0);
    (void)state;
    pace_take(&pace, 0, 20);
    assert_int_equal(pace_allows(&pace, 1000), 0);
    assert_int_equal(pace_within(&pace, 1000, 1000), 0);
    assert_int_equal(pace_ready_at_ms(&pace, 1000), 2100);
    assert_int_equal(pace_allows(&pace, 2100), 1);
}

static void the_slowest_decides(void **state)
{
    struct config_rate rates[] = {{100, SECOND_MS}, {600, HOUR_MS}};
    struct pace pace = pace_of(rates, 2, 0);
    (void)state;
    assert_int_equal(pace_ready_at_ms(&pace, 0), 6000);
    assert_int_equal(pace_allows(&pace, 5999), 0);
    assert_int_equal(pace_allows(&pace, 6000), 1);
    assert_int_equal(pace_span_ms(&pace, 1200), 2 * HOUR_MS);
    assert_int_equal(pace_span_ms(&pace, 1), 6000);
    assert_int_equal(pace_span_ms(&pace, 0), 0);
}

static void a_clock_set_back_gives_nothing_away(void **state)
{
    struct config_rate rate = {10, SECOND_MS};
    struct pace pace = pace_of(&rate, 1, HOUR_MS);
    (void)state;
    assert_int_equal(pace_allows(&pace, 0), 0);
    assert_int_equal(pace_ready_at_ms(&pace, 0), 100);
    assert_int_equal(pace_allows(&pace, 100), 1);
}

static void what_was_not_used_comes_back(void **state)
{
    struct config_rate rate = {1, MINUTE_MS};
    struct pace pace = pace_of(&rate, 1, 0);
    (void)state;
    pace_take(&pace, MINUTE_MS, 1);
    pace_give_back(&pace, 1);
    assert_int_equal(pace_allows(&pace, MINUTE_MS), 1);
    pace_give_back(&pace, 10);
    assert_int_equal(pace_allows(&pace, MINUTE_MS), 2); /* never more than is saved */
}

/* A restart at `now_ms` after these claims: when may the next one go, at this one rate? */
static void claims_are_recalled(void **state)
{
    enum { NOW = 10 * HOUR_MS };
    static const struct {
        const char *name;
        struct config_rate rate;
        struct pace_claim claims[4];
        int64_t ready_in_ms;
    } cases[] = {
        {"none", {10, SECOND_MS}, {{0}}, 100},
        {"one of long ago", {10, SECOND_MS}, {{NOW - 2 * SECOND_MS, 10}}, 100},
        {"savings do not come back", {10000, HOUR_MS}, {{NOW - HOUR_MS + 1, 1}}, 360},
        {"one just now", {10, SECOND_MS}, {{NOW, 1}}, 100},
        {"a debt", {10, SECOND_MS}, {{NOW, 5}}, 300},
        {"what has been earned since", {10, SECOND_MS}, {{NOW - 100, 5}}, 200},
        {"the whole hour in one minute", {10000, HOUR_MS}, {{NOW - 30 * MINUTE_MS, 10000}}, 30 * MINUTE_MS - 360},
        {"ten times that", {10000, HOUR_MS}, {{NOW - 30 * MINUTE_MS, 100000}}, 30 * MINUTE_MS - 360},
        {"ten times that, bit by bit",
         {10000, HOUR_MS},
         {{NOW - 32 * MINUTE_MS, 50000}, {NOW - 31 * MINUTE_MS, 40000}, {NOW - 30 * MINUTE_MS, 10000}},
         30 * MINUTE_MS + 360},
        {"from a clock that was ahead", {10, SECOND_MS}, {{NOW + HOUR_MS, 5}}, 300},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config_rate rate = cases[i].rate;
        struct pace pace = pace_of(&rate, 1, NOW);
        size_t count = 0;
        while (count < 4 && cases[i].claims[count].count > 0)
            count++;
        pace_recall(&pace, NOW, cases[i].claims, count);
        int64_t ready_in_ms = pace_ready_at_ms(&pace, NOW) - NOW;
        if (ready_in_ms != cases[i].ready_in_ms)
            fail_msg("%s: %lld ms", cases[i].name, (long long)ready_in_ms);
    }
}

/* Claims at random, restarts at random, each with nothing but what the ledger kept: as if there had been none. */
static void restarts_give_nothing_away(void **state)
{
    static struct config_rate rates[] = {{40, SECOND_MS}, {600, MINUTE_MS}, {10000, HOUR_MS}};
    enum { CLAIMS = 4000 };
    static struct pace_claim claims[CLAIMS];
    unsigned random = 11;

    (void)state;
    for (int round = 0; round < 20; round++) {
        struct pace pace = pace_of(rates, ARRAY_LEN(rates), 0);
        size_t count = 0;
        int64_t now_ms = 0;
        while (count < CLAIMS) {
            now_ms = roll(&random) % 50 ? pace_ready_at_ms(&pace, now_ms) : now_ms + roll(&random) % 3000;
            if (roll(&random) % 4 == 0) {
                pace = pace_of(rates, ARRAY_LEN(rates), now_ms);
                pace_recall(&pace, now_ms, claims, count);
            }
            int64_t allowed = pace_within(&pace, now_ms, 50); /* as a channel does */
            if (allowed <= 0)
                continue;
            pace_take(&pace, now_ms, allowed);
            claims[count++] = (struct pace_claim){now_ms, allowed};
        }
        for (size_t r = 0; r < ARRAY_LEN(rates); r++)
            for (size_t from = 0; from < CLAIMS; from += 13) {
                int64_t sum = 0;
                for (size_t k = from; k < CLAIMS && k < from + 400; k++) {
                    sum += claims[k].count;
                    int64_t earned = (claims[k].at_ms - claims[from].at_ms + 50) * rates[r].count / rates[r].per_ms;
                    assert_true(sum <= earned + pace.bucket[r].burst + 1);
                }
            }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_rate_is_no_limit),
        cmocka_unit_test(begins_empty_and_saves_little),
        cmocka_unit_test(nothing_is_lost_in_an_hour),
        cmocka_unit_test(never_more_than_the_rate),
        cmocka_unit_test(debts_are_paid_first),
        cmocka_unit_test(the_slowest_decides),
        cmocka_unit_test(a_clock_set_back_gives_nothing_away),
        cmocka_unit_test(what_was_not_used_comes_back),
        cmocka_unit_test(claims_are_recalled),
        cmocka_unit_test(restarts_give_nothing_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
