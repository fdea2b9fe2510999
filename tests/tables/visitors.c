#include "visitors.h"
#include "clock.h"
#include "table.h"

#include <string.h>

static struct origin from(unsigned number)
{
    struct origin origin = {.bytes = {[0] = 0x20, [1] = 0x01}};

    memcpy(origin.bytes + 2, &number, sizeof number); /* in the /64 */
    return origin;
}

/* How many of `times` pass at this moment. */
static size_t passing(struct visitors *visitors, unsigned who, int64_t now_ms, size_t times)
{
    struct origin origin = from(who);
    size_t fine = 0;

    for (size_t i = 0; i < times; i++)
        fine += visitors_take(visitors, &origin, now_ms) == 0;
    return fine;
}

static void rates(void **state)
{
    static const struct {
        struct config_rate rate;
        size_t at_once, in_ten_seconds;
        int64_t wait_ms; /* after all is taken */
    } cases[] = {
        {{50, SECOND_MS}, 100, 500, 20},  {{1, SECOND_MS}, 10, 10, 1000}, {{1, MINUTE_MS}, 10, 0, 60000},
        {{600, MINUTE_MS}, 20, 100, 100}, {{3, SECOND_MS}, 10, 30, 334},  {{1000000000, SECOND_MS}, 20000, 20000, 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct visitors *visitors = visitors_new(cases[i].rate, 7);
        struct origin origin = from(1);
        size_t later = 0;
        assert_int_equal(passing(visitors, 1, 0, 20000), cases[i].at_once);
        assert_int_equal(visitors_take(visitors, &origin, 0), cases[i].wait_ms);
        for (int64_t now_ms = 1; now_ms <= 10 * SECOND_MS; now_ms++)
            later += passing(visitors, 1, now_ms, 2);
        if (cases[i].wait_ms > 0)
            assert_int_equal(later, cases[i].in_ten_seconds);
        assert_int_equal(passing(visitors, 2, 0, 5), 5); /* another one */
        visitors_free(visitors);
    }
}

/* The wait it names is enough, and no longer than needed. */
static void the_wait_is_right(void **state)
{
    (void)state;
    for (int64_t count = 1; count < 50; count++) {
        struct visitors *visitors = visitors_new((struct config_rate){count, SECOND_MS}, 7);
        struct origin origin = from(1);
        passing(visitors, 1, 0, 1000);
        int64_t wait_ms = visitors_take(visitors, &origin, 0);
        assert_true(wait_ms > 0);
        assert_true(visitors_take(visitors, &origin, wait_ms - 1) > 0);
        assert_int_equal(visitors_take(visitors, &origin, wait_ms), 0);
        visitors_free(visitors);
    }
}

/* A clock that goes back gives nothing, and long silence no more than the burst. */
static void odd_times(void **state)
{
    struct visitors *visitors = visitors_new((struct config_rate){1, SECOND_MS}, 7);

    (void)state;
    assert_int_equal(passing(visitors, 1, 1000000, 20), 10);
    assert_int_equal(passing(visitors, 1, 0, 20), 0);
    assert_int_equal(passing(visitors, 1, INT64_MAX / 2, 20), 10);
    visitors_free(visitors);
}

/* A crowd of new addresses pushes out those that were quiet for longest, never the busy one. */
static void a_crowd(void **state)
{
    struct visitors *visitors = visitors_new((struct config_rate){1, HOUR_MS}, 7);
    size_t fine = passing(visitors, 0, 0, 20);

    (void)state;
    assert_int_equal(fine, 10);
    for (unsigned who = 1; who < 200000; who++) {
        assert_int_equal(passing(visitors, who, who, 1), 1);
        assert_int_equal(passing(visitors, 0, who, 1), 0);
    }
    visitors_free(visitors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates),
        cmocka_unit_test(the_wait_is_right),
        cmocka_unit_test(odd_times),
        cmocka_unit_test(a_crowd),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
