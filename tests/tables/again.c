#include "again.h"
#include "table.h"

static struct store_again entry(uint32_t seq, int64_t at_ms)
{
    return (struct store_again){.seq = seq, .attempt = 2, .at_ms = at_ms};
}

static void empty(void **state)
{
    struct again again = {0};
    struct store_again out;

    assert_int_equal(again_next_at_ms(&again), MOMENT_NONE);
    assert_false(again_take(&again, INT64_MAX, &out));
    again_clear(&again);
}

/* Nobody comes out before their time, and the earliest comes first. */
static void comes_by_time(void **state)
{
    static const int64_t at_ms[] = {50, 10, 40, 10, 30, 20, 60, 5};
    static const int64_t order[] = {5, 10, 10, 20, 30, 40, 50, 60};
    struct again again = {0};
    struct store_again out;

    for (size_t i = 0; i < ARRAY_LEN(at_ms); i++)
        again_put(&again, entry((uint32_t)i, at_ms[i]));
    assert_int_equal(again_next_at_ms(&again), 5);
    assert_int_equal(again_due(&again, 4, 100), 0);
    assert_int_equal(again_due(&again, 30, 100), 5);
    assert_int_equal(again_due(&again, 30, 3), 3);
    assert_int_equal(again_due(&again, 60, 100), 8);
    assert_false(again_take(&again, 4, &out));
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        assert_false(again_take(&again, order[i] - 1, &out));
        assert_true(again_take(&again, order[i], &out));
        assert_int_equal(out.at_ms, order[i]);
    }
    assert_int_equal(again_next_at_ms(&again), MOMENT_NONE);
    again_clear(&again);
}

/* Thousands in a scrambled order come out sorted, each once. */
static void keeps_everybody(void **state)
{
    enum { MANY = 5000 };
    struct again again = {0};
    struct store_again out;
    int64_t last_ms = -1, sum = 0;

    for (uint32_t i = 0; i < MANY; i++)
        again_put(&again, entry(i, (int64_t)(i * 2654435761u % 1000)));
    for (uint32_t i = 0; i < MANY; i++) {
        assert_true(again_take(&again, 1000, &out));
        assert_true(out.at_ms >= last_ms);
        last_ms = out.at_ms;
        sum += out.seq;
    }
    assert_false(again_take(&again, INT64_MAX, &out));
    assert_int_equal(sum, (int64_t)MANY * (MANY - 1) / 2);
    again_clear(&again);
}

/* What a ledger lists from the beginning, page by page: far more than memory keeps, and each comes out once, in order.
 */
static void keeps_the_first_and_reads_the_others(void **state)
{
    enum { MANY = 3 * AGAIN_MOST };
    static bool waits[MANY];
    static struct store_again page[STORE_AGAIN_PAGE];
    struct again again = {0};
    struct store_again out;
    int64_t last_ms = -1;
    uint32_t taken = 0, pages = 0;

    for (uint32_t i = 0; i < MANY; i++) {
        waits[i] = true;
        again_put(&again, entry(i, (MANY - 1 - i) / 8)); /* whoever comes is tried sooner than all before */
        assert_true(again.count <= AGAIN_MOST);
    }
    assert_true(again.more);
    assert_int_equal(again_next_at_ms(&again), 0);
    while (taken < MANY) {
        while (again_take(&again, MANY, &out)) {
            assert_true(waits[out.seq]);
            assert_true(out.at_ms >= last_ms);
            last_ms = out.at_ms;
            waits[out.seq] = false;
            taken++;
        }
        if (taken == MANY)
            break;
        assert_true(again_next_at_ms(&again) >= last_ms && again_next_at_ms(&again) != MOMENT_NONE);
        assert_false(again_must_read(&again, again_next_at_ms(&again) - 1));
        assert_true(again_must_read(&again, again_next_at_ms(&again)));
        size_t count = 0;
        struct store_again next = {0};
        for (uint32_t at = MANY; at-- > 0 && count <= STORE_AGAIN_PAGE;)
            if (waits[at]) {
                uint32_t seq = at / 8 * 8 + 7 - at % 8; /* of one moment: by number */
                next = entry(seq, (MANY - 1 - seq) / 8);
                if (count < STORE_AGAIN_PAGE)
                    page[count] = next;
                count++;
            }
        again_take_page(&again, page, count < STORE_AGAIN_PAGE ? count : STORE_AGAIN_PAGE, count > STORE_AGAIN_PAGE,
                        next);
        pages++;
    }
    assert_true(pages > 1 && pages < 8);
    again_put(&again, entry(1, INT64_MAX)); /* nobody is behind any horizon now */
    assert_int_equal(again_next_at_ms(&again), INT64_MAX);
    again_clear(&again);
}

static const struct {
    const char *name;
    int attempt; /* that failed */
    int64_t first_ms, cap_ms, asked_ms;
    uint64_t random;
    int64_t delay_ms;
} delays[] = {
    {"full jitter may be nothing", 1, 1000, 300000, -1, 0, 0},
    {"the whole first span", 1, 1000, 300000, -1, 1000, 1000},
    {"the span doubles", 2, 1000, 300000, -1, 2000, 2000},
    {"and again", 3, 1000, 300000, -1, 4000, 4000},
    {"random wraps over the span", 1, 1000, 300000, -1, 1001, 0},
    {"the cap", 9, 1000, 200000, -1, 200000, 200000},
    {"the cap after very many", 1000, 1000, 300000, -1, 300001, 0},
    {"never before what the receiver asked for", 1, 1000, 300000, 60000, 500, 60000},
    {"what was asked for may be less than our own", 3, 1000, 300000, 100, 4000, 4000},
    {"no wait configured", 1, 0, 300000, -1, 77, 0},
};

static void delay(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(delays); i++) {
        struct retry retry = {.attempts = 8, .first_ms = delays[i].first_ms, .cap_ms = delays[i].cap_ms};
        int64_t delay_ms = again_delay_ms(&retry, delays[i].attempt, delays[i].asked_ms, delays[i].random);
        if (delay_ms != delays[i].delay_ms)
            fail_msg("%s: %lld ms, expected %lld", delays[i].name, (long long)delay_ms, (long long)delays[i].delay_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty),           cmocka_unit_test(comes_by_time),
        cmocka_unit_test(keeps_everybody), cmocka_unit_test(keeps_the_first_and_reads_the_others),
        cmocka_unit_test(delay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
