/* alarm.h - wall-clock alarms: one heap, one timerfd (CLOCK_REALTIME, absolute, cancelled when the clock is set).
 * Never early by the wall clock; months ahead is fine. Loop thread. */
#ifndef ONSALE_ALARM_H
#define ONSALE_ALARM_H

#include "clock.h"

#include <uv.h>

struct alarms;
typedef void alarm_fn(void *ctx);

/* Embed it in what it wakes. Zero bytes is a valid alarm that is not set. */
struct alarm {
    int64_t at_ms;
    alarm_fn *ring;
    void *ctx;
    struct alarms *alarms; /* set while armed */
    size_t slot;           /* the rest is the heap's */
    int64_t key_ms;
    uint64_t order;
};

/* `clock` other than clock_machine: nothing is armed in the kernel; the test calls alarms_run(). Keeps the loop alive
 * while an alarm is set. */
struct alarms *alarms_new(uv_loop_t *loop, const struct clock *clock, struct error *err);
/* All alarms must be off by then. Frees itself in the close callback: run the loop once more. NULL is fine. */
void alarms_close(struct alarms *alarms);

/* (Re)arms; rings once, from the loop, not before `at_ms`, equal moments in the order of setting. A moment in the past
 * rings at the next turn. `ring` may set and turn off any alarm, and free its own. */
void alarm_set(struct alarms *alarms, struct alarm *alarm, int64_t at_ms, alarm_fn *ring, void *ctx);
void alarm_off(struct alarm *alarm); /* fine when not set */
bool alarm_is_set(const struct alarm *alarm);

int64_t alarms_next_at_ms(const struct alarms *alarms); /* MOMENT_NONE when none is set */
size_t alarms_run(struct alarms *alarms);               /* rings what is due by the clock; how many rang */

/* Called after the wall clock was stepped by more than a second, before anything rings by the new time: by how much
 * (new minus expected). */
typedef void alarms_step_fn(void *ctx, int64_t step_ms);
void alarms_on_step(struct alarms *alarms, alarms_step_fn *fn, void *ctx);

#endif
