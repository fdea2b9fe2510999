#include "alarm.h"
#include "table.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

/* A clock that the test moves. */
struct hand {
    int64_t wall_ms, mono_ms;
};

static int64_t hand_wall_ms(void *ctx)
{
    return ((struct hand *)ctx)->wall_ms;
}

static int64_t hand_mono_ms(void *ctx)
{
    return ((struct hand *)ctx)->mono_ms;
}

static void pass(struct hand *hand, int64_t span_ms)
{
    hand->wall_ms += span_ms;
    hand->mono_ms += span_ms;
}

struct bench {
    struct hand hand;
    struct clock clock;
    struct alarms *alarms;
    char rang[64]; /* names, in the order of ringing */
    struct bell {
        struct bench *bench;
        struct alarm alarm;
        char name;
        void (*then)(struct bell *bell);
    } bells[8];
};

static void on_ring(void *ctx)
{
    struct bell *bell = ctx;
    size_t len = strlen(bell->bench->rang);

    assert_false(alarm_is_set(&bell->alarm));
    bell->bench->rang[len] = bell->name;
    if (bell->then)
        bell->then(bell);
}

static void set(struct bench *bench, char name, int64_t at_ms)
{
    struct bell *bell = &bench->bells[name - 'a'];

    alarm_set(bench->alarms, &bell->alarm, at_ms, on_ring, bell);
}

static void setup(struct bench *bench)
{
    *bench = (struct bench){.hand = {.wall_ms = 1000}};
    bench->clock = (struct clock){hand_wall_ms, hand_mono_ms, &bench->hand};
    for (size_t i = 0; i < ARRAY_LEN(bench->bells); i++) {
        bench->bells[i].bench = bench;
        bench->bells[i].name = (char)('a' + i);
    }
    bench->alarms = alarms_new(NULL, &bench->clock, NULL);
    assert_non_null(bench->alarms);
}

static void rings_in_order(void **state)
{
    struct bench bench;

    (void)state;
    setup(&bench);
    assert_int_equal(alarms_next_at_ms(bench.alarms), MOMENT_NONE);
    set(&bench, 'a', 5000);
    set(&bench, 'b', 3000);
    set(&bench, 'c', 3000);
    set(&bench, 'd', 9000);
    set(&bench, 'e', 500); /* past */
    assert_int_equal(alarms_next_at_ms(bench.alarms), 500);
    assert_int_equal(alarms_run(bench.alarms), 1);
    assert_int_equal(alarms_run(bench.alarms), 0);
    pass(&bench.hand, 1999);
    assert_int_equal(alarms_run(bench.alarms), 0);
    pass(&bench.hand, 1);
    assert_int_equal(alarms_run(bench.alarms), 2);
    set(&bench, 'd', 4000); /* moved */
    pass(&bench.hand, 5000);
    assert_int_equal(alarms_run(bench.alarms), 2);
    assert_string_equal(bench.rang, "ebcda");
    alarms_close(bench.alarms);
}

static void turn_off_b(struct bell *bell)
{
    alarm_off(&bell->bench->bells[1].alarm);
}

static void set_now(struct bell *bell)
{
    set(bell->bench, 'd', 0);
    set(bell->bench, bell->name, 0);
    bell->then = NULL;
}

static void rings_may_change_alarms(void **state)
{
    struct bench bench;

    (void)state;
    setup(&bench);
    set(&bench, 'a', 1000);
    set(&bench, 'b', 1000);
    set(&bench, 'c', 1000);
    bench.bells[0].then = turn_off_b;
    assert_int_equal(alarms_run(bench.alarms), 2);
    assert_string_equal(bench.rang, "ac");
    alarm_off(&bench.bells[1].alarm); /* fine when not set */

    /* What is set while others ring waits for the next turn, and holds nobody back. */
    set(&bench, 'a', 500);
    set(&bench, 'b', 900);
    bench.bells[0].then = set_now;
    assert_int_equal(alarms_run(bench.alarms), 2);
    assert_string_equal(bench.rang, "acab");
    assert_int_equal(alarms_next_at_ms(bench.alarms), 0);
    assert_int_equal(alarms_run(bench.alarms), 2);
    assert_string_equal(bench.rang, "acabda");
    alarms_close(bench.alarms);
}

static void close_all(struct bell *bell)
{
    alarms_close(bell->bench->alarms);
}

static void closes_while_ringing(void **state)
{
    struct bench bench;

    (void)state;
    setup(&bench);
    set(&bench, 'a', 0);
    bench.bells[0].then = close_all;
    assert_int_equal(alarms_run(bench.alarms), 1);
}

static void on_step(void *ctx, int64_t step_ms)
{
    *(int64_t *)ctx += step_ms;
}

static void reports_steps(void **state)
{
    struct bench bench;
    int64_t stepped_ms = 0;

    (void)state;
    setup(&bench);
    alarms_on_step(bench.alarms, on_step, &stepped_ms);
    pass(&bench.hand, HOUR_MS);
    alarms_run(bench.alarms);
    bench.hand.wall_ms += 1000; /* a leap second is no step */
    alarms_run(bench.alarms);
    assert_int_equal(stepped_ms, 0);
    bench.hand.wall_ms += 1; /* but what adds up is */
    alarms_run(bench.alarms);
    assert_int_equal(stepped_ms, 1001);
    bench.hand.wall_ms -= HOUR_MS;
    alarms_run(bench.alarms);
    alarms_run(bench.alarms);
    assert_int_equal(stepped_ms, 1001 - HOUR_MS);
    alarms_close(bench.alarms);
}

struct many {
    struct alarms *alarms;
    int64_t last_ms;
    size_t rang;
    struct one {
        struct many *many;
        struct alarm alarm;
        int64_t at_ms;
    } ones[5000];
};

static void on_one(void *ctx)
{
    struct one *one = ctx;
    struct many *many = one->many;

    assert_true(one->at_ms >= many->last_ms);
    many->last_ms = one->at_ms;
    many->rang++;
    one->at_ms = 0;
}

static void thousands(void **state)
{
    struct bench bench;
    struct many *many = must_calloc(1, sizeof *many);
    uint32_t seed = 1;
    size_t expected = 0;

    (void)state;
    setup(&bench);
    many->alarms = bench.alarms;
    for (size_t i = 0; i < 4 * ARRAY_LEN(many->ones); i++) {
        seed = seed * 1664525 + 1013904223;
        struct one *one = &many->ones[(seed >> 8) % ARRAY_LEN(many->ones)];
        one->many = many;
        one->at_ms = 1000 + (seed >> 16) % 5000;
        if (seed >> 29 == 0)
            alarm_off(&one->alarm);
        else
            alarm_set(bench.alarms, &one->alarm, one->at_ms, on_one, one);
    }
    for (size_t i = 0; i < ARRAY_LEN(many->ones); i++)
        expected += alarm_is_set(&many->ones[i].alarm);
    for (int i = 0; i < 50; i++) {
        alarms_run(bench.alarms);
        int64_t next_ms = alarms_next_at_ms(bench.alarms);
        assert_true(next_ms == MOMENT_NONE || next_ms > bench.hand.wall_ms);
        pass(&bench.hand, 100);
    }
    alarms_run(bench.alarms);
    assert_int_equal(many->rang, expected);
    alarms_close(bench.alarms);
    free(many);
}

struct real {
    struct alarms *alarms;
    struct alarm alarm;
    int64_t at_ms, worst_ms;
    int left;
};

static void on_real(void *ctx)
{
    struct real *real = ctx;
    int64_t late_ms = clock_now_ms(&clock_machine) - real->at_ms;

    assert_true(late_ms >= 0);
    if (late_ms > real->worst_ms)
        real->worst_ms = late_ms;
    if (--real->left == 0) {
        alarms_close(real->alarms);
        return;
    }
    real->at_ms = clock_now_ms(&clock_machine) + (real->left == 5 ? -DAY_MS : 50);
    alarm_set(real->alarms, &real->alarm, real->at_ms, on_real, real);
}

static void never_early(void **state)
{
    uv_loop_t loop;
    struct real real = {.left = 6};
    struct alarm far = {0};

    (void)state;
    uv_loop_init(&loop);
    real.alarms = alarms_new(&loop, &clock_machine, NULL);
    assert_non_null(real.alarms);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0); /* nothing is set: nothing to wait for */

    real.at_ms = clock_now_ms(&clock_machine) + 50;
    alarm_set(real.alarms, &far, INT64_MAX, on_real, &real); /* not the next one, and beyond the kernel's time */
    alarm_set(real.alarms, &real.alarm, real.at_ms, on_real, &real);
    alarm_off(&far);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(real.left, 0);
    assert_int_equal(uv_loop_close(&loop), 0);
}

/* --- The kernel reports that the clock was set ---------------------------------------------------------------- */

static int cancels_left; /* how many calls are told that the clock was set, as the kernel tells it: the timer runs */

/* Stands before the C library's. */
int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *before)
{
    int rc = (int)syscall(SYS_timerfd_settime, fd, flags, when, before);

    if (rc == 0 && cancels_left > 0 && flags & TFD_TIMER_CANCEL_ON_SET) {
        cancels_left--;
        errno = ECANCELED;
        return -1;
    }
    return rc;
}

static void stop_waiting(void *ctx)
{
    struct real *real = ctx;

    alarm_off(&real->alarm);
    alarms_close(real->alarms);
}

static void on_real_step(void *ctx, int64_t step_ms)
{
    struct real *real = ctx;

    real->worst_ms = step_ms;
    alarm_set(real->alarms, &real->alarm, 0, stop_waiting, real);
}

static void hears_of_the_clock_at_once(void **state)
{
    uv_loop_t loop;
    struct real real = {0};
    struct hand hand = {.mono_ms = 0};
    struct clock clock = {.wall_ms = clock_machine.wall_ms, .mono_ms = hand_mono_ms, .ctx = &hand};

    (void)state;
    uv_loop_init(&loop);
    hand.mono_ms = clock_now_ms(&clock_machine);
    real.alarms = alarms_new(&loop, &clock, NULL);
    assert_non_null(real.alarms);
    alarms_on_step(real.alarms, on_real_step, &real);
    hand.mono_ms += HOUR_MS; /* the wall clock falls back by an hour against it */
    cancels_left = 1;
    alarm_set(real.alarms, &real.alarm, clock_now_ms(&clock_machine) + DAY_MS, stop_waiting, &real);
    assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0); /* would wait for a day */
    assert_in_range(real.worst_ms + HOUR_MS, 0, 60000);
    assert_int_equal(cancels_left, 0);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rings_in_order),
        cmocka_unit_test(rings_may_change_alarms),
        cmocka_unit_test(closes_while_ringing),
        cmocka_unit_test(reports_steps),
        cmocka_unit_test(thousands),
        cmocka_unit_test(never_early),
        cmocka_unit_test(hears_of_the_clock_at_once),
    };
    return cmocka_run_group_tests_name("alarm", tests, NULL, NULL);
}
