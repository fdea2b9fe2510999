#include "alarm.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>

struct alarms {
    const struct clock *clock;
    struct alarm **heap; /* the next one is at 0; children of i are 2i+1 and 2i+2 */
    size_t count, cap;
    uint64_t orders;       /* how often an alarm was set */
    int64_t ringing_at_ms; /* the moment by which alarms_run() rings, or MOMENT_NONE */
    int64_t wall_ahead_ms; /* wall minus monotonic clock, as last seen */
    alarms_step_fn *on_step;
    void *step_ctx;
    bool closed;
    int fd; /* -1: a test's clock, nothing in the kernel */
    int64_t armed_at_ms;
    uv_poll_t poll;
};

/* Nothing to wait for: stays armed all the same, so that we hear of the clock being set. */
#define FAR_AWAY_MS (INT64_C(400) * 365 * DAY_MS) /* past 2369; the kernel's nanoseconds end in 2262 and saturate */

static bool rings_before(const struct alarm *a, const struct alarm *b)
{
    return a->key_ms != b->key_ms ? a->key_ms < b->key_ms : a->order < b->order;
}

static void heap_put(struct alarms *alarms, size_t slot, struct alarm *alarm)
{
    alarms->heap[slot] = alarm;
    alarm->slot = slot;
}

/* Moves the alarm at `slot` to where it belongs. */
static void heap_settle(struct alarms *alarms, size_t slot)
{
    struct alarm *alarm = alarms->heap[slot];

    for (size_t parent; slot > 0 && rings_before(alarm, alarms->heap[parent = (slot - 1) / 2]); slot = parent)
        heap_put(alarms, slot, alarms->heap[parent]);
    for (size_t child; (child = 2 * slot + 1) < alarms->count; slot = child) {
        if (child + 1 < alarms->count && rings_before(alarms->heap[child + 1], alarms->heap[child]))
            child++;
        if (!rings_before(alarms->heap[child], alarm))
            break;
        heap_put(alarms, slot, alarms->heap[child]);
    }
    heap_put(alarms, slot, alarm);
}

static void heap_add(struct alarms *alarms, struct alarm *alarm)
{
    if (alarms->count == alarms->cap) {
        alarms->cap = alarms->cap ? alarms->cap * 2 : 64;
        alarms->heap = must_realloc(alarms->heap, alarms->cap * sizeof *alarms->heap);
    }
    heap_put(alarms, alarms->count++, alarm);
    heap_settle(alarms, alarm->slot);
}

static void heap_remove(struct alarms *alarms, struct alarm *alarm)
{
    struct alarm *last = alarms->heap[--alarms->count];

    if (last != alarm) {
        heap_put(alarms, alarm->slot, last);
        heap_settle(alarms, last->slot);
    }
    alarm->alarms = NULL;
}

/* Makes the kernel wake us for the next alarm. While alarms ring there is nothing to do: it is done once after. */
static void arm(struct alarms *alarms)
{
    int64_t at_ms = alarms->count ? alarms->heap[0]->key_ms : FAR_AWAY_MS;

    if (alarms->fd < 0 || alarms->closed || alarms->ringing_at_ms != MOMENT_NONE)
        return;
    if (alarms->count)
        uv_ref((uv_handle_t *)&alarms->poll);
    else
        uv_unref((uv_handle_t *)&alarms->poll);
    if (at_ms < 1)
        at_ms = 1; /* zero would disarm, and less is refused */
    if (at_ms == alarms->armed_at_ms)
        return;
    alarms->armed_at_ms = at_ms;

    struct itimerspec when = {.it_value = {.tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000}};
    if (timerfd_settime(alarms->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL) == 0)
        return;
    /* The clock was set just now, and this call has swallowed the news: wake at once and look. */
    assert(errno == ECANCELED);
    when.it_value = (struct timespec){.tv_nsec = 1};
    timerfd_settime(alarms->fd, TFD_TIMER_ABSTIME, &when, NULL);
    alarms->armed_at_ms = MOMENT_NONE;
}

static void check_step(struct alarms *alarms)
{
    int64_t wall_ahead_ms = clock_now_ms(alarms->clock) - clock_mono_ms(alarms->clock);
    int64_t step_ms = wall_ahead_ms - alarms->wall_ahead_ms;

    if (step_ms >= -SECOND_MS && step_ms <= SECOND_MS)
        return; /* small ones add up until they count */
    alarms->wall_ahead_ms = wall_ahead_ms;
    if (alarms->on_step)
        alarms->on_step(alarms->step_ctx, step_ms);
}

static void on_wake(uv_poll_t *poll, int status, int events)
{
    struct alarms *alarms = poll->data;
    uint64_t expirations;

    (void)status;
    (void)events;
    /* Whether it expired, was cancelled (ECANCELED) or was moved meanwhile (EAGAIN): the clocks say what is due. */
    if (read(alarms->fd, &expirations, sizeof expirations) < 0)
        assert(errno == ECANCELED || errno == EAGAIN || errno == EINTR);
    alarms->armed_at_ms = MOMENT_NONE;
    alarms_run(alarms);
}

struct alarms *alarms_new(uv_loop_t *loop, const struct clock *clock, struct error *err)
{
    struct alarms *alarms = must_calloc(1, sizeof *alarms);

    alarms->clock = clock;
    alarms->fd = -1;
    alarms->ringing_at_ms = MOMENT_NONE;
    alarms->armed_at_ms = MOMENT_NONE;
    alarms->wall_ahead_ms = clock_now_ms(clock) - clock_mono_ms(clock);
    if (clock->wall_ms != clock_machine.wall_ms)
        return alarms;

    alarms->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (alarms->fd < 0) {
        error_set(err, ERROR_CONFIG, "timerfd: %s", strerror(errno));
        goto fail;
    }
    int rc = uv_poll_init(loop, &alarms->poll, alarms->fd);
    if (rc < 0) {
        error_set(err, ERROR_CONFIG, "timerfd: %s", uv_strerror(rc));
        goto fail;
    }
    alarms->poll.data = alarms;
    uv_poll_start(&alarms->poll, UV_READABLE, on_wake);
    arm(alarms);
    return alarms;
fail:
    if (alarms->fd >= 0)
        close(alarms->fd);
    free(alarms);
    return NULL;
}

static void alarms_free(struct alarms *alarms)
{
    free(alarms->heap);
    free(alarms);
}

static void on_closed(uv_handle_t *poll)
{
    struct alarms *alarms = poll->data;

    close(alarms->fd);
    alarms_free(alarms);
}

void alarms_close(struct alarms *alarms)
{
    if (!alarms)
        return;
    assert(alarms->count == 0 && !alarms->closed);
    alarms->closed = true;
    if (alarms->fd >= 0)
        uv_close((uv_handle_t *)&alarms->poll, on_closed);
    else if (alarms->ringing_at_ms == MOMENT_NONE)
        alarms_free(alarms); /* else alarms_run() does, when the one that rings has returned */
}

void alarm_set(struct alarms *alarms, struct alarm *alarm, int64_t at_ms, alarm_fn *ring, void *ctx)
{
    assert(!alarms->closed && at_ms != MOMENT_NONE);
    if (alarm->alarms)
        heap_remove(alarm->alarms, alarm);
    *alarm = (struct alarm){
        .at_ms = at_ms,
        .ring = ring,
        .ctx = ctx,
        .alarms = alarms,
        /* What is set while others ring stands behind all that is due now: it waits for the next turn. */
        .key_ms = at_ms > alarms->ringing_at_ms ? at_ms : alarms->ringing_at_ms,
        .order = alarms->orders++,
    };
    heap_add(alarms, alarm);
    arm(alarms);
}

void alarm_off(struct alarm *alarm)
{
    struct alarms *alarms = alarm->alarms;

    if (!alarms)
        return;
    heap_remove(alarms, alarm);
    arm(alarms);
}

bool alarm_is_set(const struct alarm *alarm)
{
    return alarm->alarms != NULL;
}

int64_t alarms_next_at_ms(const struct alarms *alarms)
{
    return alarms->count ? alarms->heap[0]->at_ms : MOMENT_NONE;
}

size_t alarms_run(struct alarms *alarms)
{
    uint64_t set_before = alarms->orders;
    size_t rang = 0;

    assert(alarms->ringing_at_ms == MOMENT_NONE);
    check_step(alarms);
    alarms->ringing_at_ms = clock_now_ms(alarms->clock);
    while (alarms->count > 0) {
        struct alarm *next = alarms->heap[0];
        if (next->key_ms > alarms->ringing_at_ms || next->order >= set_before)
            break;
        heap_remove(alarms, next);
        rang++;
        next->ring(next->ctx); /* may free it */
    }
    alarms->ringing_at_ms = MOMENT_NONE;
    if (alarms->closed && alarms->fd < 0)
        alarms_free(alarms);
    else
        arm(alarms);
    return rang;
}

void alarms_on_step(struct alarms *alarms, alarms_step_fn *fn, void *ctx)
{
    alarms->on_step = fn;
    alarms->step_ctx = ctx;
}
