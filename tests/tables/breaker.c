/* A history of outcomes as letters, one a second unless told otherwise, and when the breaker lets go of us. */
#include "breaker.h"
#include "clock.h"
#include "table.h"

static const int64_t begin_ms = 1806051600000; /* 2027-03-26T09:00:00Z */

/* `w` works, `f` fails, `a` asked to slow down, `A` asked to wait 30 s, `p` as f but of the probe, `P` as a but of the
 * probe, `o` the probe works; `.` a second passes, `,` a minute. What is let through: every time a probe is allowed, it
 * goes before its letter. */
static void play(struct breaker *breaker, const char *letters, int64_t *now_ms)
{
    for (; *letters; letters++) {
        bool probe = *letters == 'p' || *letters == 'P' || *letters == 'o';
        if (probe) {
            assert_int_equal(breaker_allows(breaker, *now_ms), 1);
            breaker_probe(breaker, *now_ms);
            assert_int_equal(breaker_allows(breaker, *now_ms), 0); /* one at a time */
        }
        switch (*letters) {
        case '.':
            *now_ms += SECOND_MS;
            break;
        case ',':
            *now_ms += MINUTE_MS;
            break;
        case 'w':
        case 'o':
            breaker_takes(breaker, *now_ms, BREAKER_WORKS, 0, probe);
            break;
        case 'f':
        case 'p':
            breaker_takes(breaker, *now_ms, BREAKER_FAILED, 0, probe);
            break;
        default:
            breaker_takes(breaker, *now_ms, BREAKER_ASKED, *letters == 'A' ? 30 * SECOND_MS : 0, probe);
        }
    }
}

static void histories(void **state)
{
    static const struct {
        const char *name, *letters;
        enum breaker_state state;
        int64_t rest_ms; /* from the last letter on */
    } cases[] = {
        {"nothing was heard", "", BREAKER_CLOSED, 0},
        {"four failures are bad luck", "ffff", BREAKER_CLOSED, 0},
        {"five in a row", "fffff", BREAKER_OPEN, 1000},
        {"... however slowly", "f,f,f,f,f", BREAKER_OPEN, 1000},
        {"one in between that works", "ffffwffff", BREAKER_CLOSED, 0},
        {"half of twenty", "fwfwfwfwfwfwfwfwfwfw", BREAKER_CLOSED, 0},
        {"more than half, and the last one works", "fwffwffwffwffwffwffw", BREAKER_CLOSED, 0},
        {"... at the next failure", "fwffwffwffwffwffwffwf", BREAKER_OPEN, 1000},
        {"too few of them", "ffwffwffwffwffwffw", BREAKER_CLOSED, 0},
        {"too long ago", "fffwfffwfffw..........wwwwffffw", BREAKER_CLOSED, 0},
        {"asked once", "a", BREAKER_OPEN, 1000},
        {"asked by several on the same occasion", "aaaaaa", BREAKER_OPEN, 1000},
        {"asked for a time", "A", BREAKER_OPEN, 30000},
        {"asked for a time, by some without one", "aAaa", BREAKER_OPEN, 30000},
        {"the later time counts", "A..........A", BREAKER_OPEN, 30000},
        {"what fails meanwhile is no news", "affffffff", BREAKER_OPEN, 1000},
        {"what works meanwhile neither", "Awww", BREAKER_OPEN, 30000},
        {"a probe that works", "fffff.o", BREAKER_CLOSED, 0},
        {"a probe that fails", "fffff.p", BREAKER_OPEN, 2000},
        {"... again and again", "fffff.p..p....p", BREAKER_OPEN, 8000},
        {"... a minute at most", "fffff,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p,p",
         BREAKER_OPEN, 60000},
        {"a probe that is asked to wait", "a.P..P", BREAKER_OPEN, 4000},
        {"... five minutes at most", "a,P,P,P,P,P,P,,P,,,P,,,,,P,,,,,P", BREAKER_OPEN, 300000},
        {"success is a new beginning", "fffff.p..p....ofwfffff", BREAKER_OPEN, 1000},
        {"works, then asked", "a.owa", BREAKER_OPEN, 1000},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct breaker breaker = {0};
        int64_t now_ms = begin_ms;
        play(&breaker, cases[i].letters, &now_ms);
        int64_t rest_ms = breaker_ready_at_ms(&breaker, now_ms) - now_ms;
        if (breaker.state != cases[i].state || rest_ms != cases[i].rest_ms)
            fail_msg("%s: state %d, rests %lld ms", cases[i].name, (int)breaker.state, (long long)rest_ms);
        assert_int_equal(breaker_allows(&breaker, now_ms), cases[i].state == BREAKER_CLOSED ? INT64_MAX : 0);
    }
}

static void a_probe_that_never_comes_back_is_not_waited_for(void **state)
{
    struct breaker breaker = {0};
    int64_t now_ms = begin_ms;

    (void)state;
    play(&breaker, "fffff.", &now_ms);
    assert_int_equal(breaker_allows(&breaker, now_ms), 1);
    breaker_probe(&breaker, now_ms);
    assert_int_equal(breaker_ready_at_ms(&breaker, now_ms), now_ms + BREAKER_PROBE_MS);
    assert_int_equal(breaker_allows(&breaker, now_ms + BREAKER_PROBE_MS - 1), 0);
    assert_int_equal(breaker_allows(&breaker, now_ms + BREAKER_PROBE_MS), 1);
}

static void a_probe_that_was_not_tried_makes_room(void **state)
{
    struct breaker breaker = {0};
    int64_t now_ms = begin_ms;

    (void)state;
    play(&breaker, "fffff.", &now_ms);
    breaker_allows(&breaker, now_ms);
    breaker_probe(&breaker, now_ms);
    breaker_no_probe(&breaker, now_ms, 0);
    assert_int_equal(breaker_allows(&breaker, now_ms), 1);
    breaker_probe(&breaker, now_ms);
    breaker_no_probe(&breaker, now_ms, SECOND_MS);
    assert_int_equal(breaker_allows(&breaker, now_ms), 0);
    assert_int_equal(breaker_allows(&breaker, now_ms + SECOND_MS), 1);
}

static void a_connection_proves_little_after_failures(void **state)
{
    struct breaker breaker = {0};
    int64_t now_ms = begin_ms;

    (void)state;
    breaker_reached(&breaker, now_ms);
    assert_int_equal(breaker_allows(&breaker, now_ms), INT64_MAX);
    play(&breaker, "ff", &now_ms); /* and then it could not be reached at all */
    breaker_reached(&breaker, now_ms);
    play(&breaker, "p", &now_ms);
    assert_int_equal(breaker_ready_at_ms(&breaker, now_ms), now_ms + SECOND_MS);
    breaker_reached(&breaker, now_ms);
    play(&breaker, "o", &now_ms);
    assert_int_equal(breaker_allows(&breaker, now_ms), INT64_MAX);
    play(&breaker, "A", &now_ms);
    breaker_reached(&breaker, now_ms); /* it was asked to wait all the same */
    assert_int_equal(breaker_allows(&breaker, now_ms), 0);
}

static void a_wait_is_recalled(void **state)
{
    struct breaker breaker;
    int64_t now_ms = begin_ms;

    (void)state;
    breaker_recall(&breaker, now_ms, now_ms + 20 * SECOND_MS, 4);
    assert_int_equal(breaker_allows(&breaker, now_ms), 0);
    assert_int_equal(breaker_ready_at_ms(&breaker, now_ms), now_ms + 20 * SECOND_MS);
    now_ms += 20 * SECOND_MS;
    play(&breaker, "P", &now_ms);
    assert_int_equal(breaker_ready_at_ms(&breaker, now_ms), now_ms + 16 * SECOND_MS); /* it goes on where it was */

    breaker_recall(&breaker, now_ms, now_ms - HOUR_MS, 4); /* over meanwhile: yet one goes first */
    assert_int_equal(breaker_allows(&breaker, now_ms), 1);
    breaker_recall(&breaker, now_ms, now_ms + 1000LL * DAY_MS, 4);
    assert_int_equal(breaker_ready_at_ms(&breaker, now_ms), now_ms + DAY_MS);
}

static void a_clock_set_back_keeps_nobody_for_longer(void **state)
{
    struct breaker breaker = {0};
    int64_t now_ms = begin_ms;

    (void)state;
    play(&breaker, "A", &now_ms);
    now_ms -= HOUR_MS;
    assert_int_equal(breaker_ready_at_ms(&breaker, now_ms), now_ms + 30 * SECOND_MS);
    assert_int_equal(breaker_allows(&breaker, now_ms), 0);
    assert_int_equal(breaker_ready_at_ms(&breaker, now_ms), now_ms + 30 * SECOND_MS);
    assert_int_equal(breaker_allows(&breaker, now_ms + 30 * SECOND_MS), 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(histories),
        cmocka_unit_test(a_probe_that_never_comes_back_is_not_waited_for),
        cmocka_unit_test(a_probe_that_was_not_tried_makes_room),
        cmocka_unit_test(a_connection_proves_little_after_failures),
        cmocka_unit_test(a_wait_is_recalled),
        cmocka_unit_test(a_clock_set_back_keeps_nobody_for_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
