#include "seldom.h"

#include "clock.h"
#include "table.h"

/* When it is told, of trouble that is met once a minute. */
static void ever_more_rarely(void **state)
{
    static const int64_t told_at[] = {0, 5, 35, 155, 275, 395};
    struct seldom seldom = {0};
    size_t told = 0;

    for (int64_t minute = 0; minute < 400; minute++)
        if (seldom_goes_on(&seldom, minute * MINUTE_MS, false)) {
            assert_true(told < ARRAY_LEN(told_at));
            assert_int_equal(minute, told_at[told++]);
        }
    assert_int_equal(told, ARRAY_LEN(told_at));
    assert_int_equal(seldom_ends(&seldom, 400 * (int64_t)MINUTE_MS), 400 * (int64_t)MINUTE_MS);
    assert_int_equal(seldom_ends(&seldom, 401 * (int64_t)MINUTE_MS), -1);
    assert_true(seldom_goes_on(&seldom, 402 * (int64_t)MINUTE_MS, false)); /* another time */
}

/* Another text is worth a line sooner, but two that take turns are not told each time. */
static void another_kind(void **state)
{
    struct seldom seldom = {0};
    size_t told = 0;

    assert_true(seldom_goes_on(&seldom, 0, false));
    assert_true(seldom_goes_on(&seldom, 5 * MINUTE_MS, false));
    assert_false(seldom_goes_on(&seldom, 9 * MINUTE_MS, true));
    assert_false(seldom_goes_on(&seldom, 10 * MINUTE_MS, false));
    assert_true(seldom_goes_on(&seldom, 10 * MINUTE_MS, true));
    for (int64_t minute = 11; minute <= 71; minute++)
        told += seldom_goes_on(&seldom, minute * MINUTE_MS, true);
    assert_int_equal(told, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ever_more_rarely),
        cmocka_unit_test(another_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
