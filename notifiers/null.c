/* null.c - carries messages nowhere and answers as configured: for rehearsals, tests and measurements. */
#include "notifier.h"

#include <stdio.h>
#include <stdlib.h>

struct null_job {
    struct notifier_delivery *delivery;
    int64_t answer_at_ms; /* monotonic */
    int64_t handed_over_at_ms;
    struct null_job *next;
};

struct null_state {
    /* options */
    int64_t latency_ms, window, fail_every, fail_code, doubt_every;

    const struct notifier_host *host;
    struct notifier_timer *timer;
    struct null_job *first, **end; /* in the order of their answers */
    int64_t in_flight, sent;
    bool busy;
};

static void answer(struct null_state *null, struct notifier_delivery *delivery, int64_t handed_over_at_ms)
{
    struct notifier_result result = {.fate = NOTIFIER_ACCEPTED, .code = 250, .handed_over_at_ms = handed_over_at_ms};

    null->sent++;
    if (null->doubt_every > 0 && null->sent % null->doubt_every == 0) {
        result = (struct notifier_result){.fate = NOTIFIER_IN_DOUBT,
                                          .scope = NOTIFIER_CHANNEL,
                                          .text = "doubt_every says so",
                                          .handed_over_at_ms = handed_over_at_ms};
    } else if (null->fail_every > 0 && null->sent % null->fail_every == 0) {
        result.fate = null->fail_code < 500 ? NOTIFIER_TRY_LATER : NOTIFIER_REFUSED;
        result.code = (int)null->fail_code;
        result.text = "fail_every says so";
    }
    null->host->finish(null->host, delivery, &result);
}

static void answer_due(struct null_state *null, bool all)
{
    const struct notifier_host *host = null->host;
    int64_t now_ms = host->mono_ms(host);

    while (null->first && (all || null->first->answer_at_ms <= now_ms)) {
        struct null_job *job = null->first;
        null->first = job->next;
        if (!null->first)
            null->end = &null->first;
        null->in_flight--;
        answer(null, job->delivery, job->handed_over_at_ms);
        free(job);
    }
    if (null->first)
        host->timer_start(null->timer, null->first->answer_at_ms - now_ms);
    if (null->busy) {
        null->busy = false;
        host->ready(host);
    }
}

static void on_timer(void *ctx)
{
    answer_due(ctx, false);
}

static int null_open(void *state, const struct notifier_host *host, char *error, size_t error_size)
{
    struct null_state *null = state;

    if (null->fail_code < 400 || null->fail_code > 599) {
        snprintf(error, error_size, "fail_code: expected 400 to 599");
        return -1;
    }
    null->host = host;
    null->end = &null->first;
    null->timer = host->timer_new(host, on_timer, null);
    return 0;
}

static enum notifier_answer null_send(void *state, struct notifier_delivery *const *batch, size_t count)
{
    struct null_state *null = state;
    const struct notifier_host *host = null->host;

    if (null->in_flight >= null->window) {
        null->busy = true;
        return NOTIFIER_BUSY;
    }
    for (size_t i = 0; i < count; i++) {
        struct null_job *job = null->latency_ms > 0 ? calloc(1, sizeof *job) : NULL;
        if (!job) {
            answer(null, batch[i], host->now_ms(host));
            continue;
        }
        job->delivery = batch[i];
        job->handed_over_at_ms = host->now_ms(host);
        job->answer_at_ms = host->mono_ms(host) + null->latency_ms;
        *null->end = job;
        null->end = &job->next;
        if (null->in_flight++ == 0)
            host->timer_start(null->timer, null->latency_ms);
    }
    return NOTIFIER_STARTED;
}

static void null_stop(void *state, bool at_once)
{
    if (at_once)
        answer_due(state, true);
}

static void null_close(void *state)
{
    struct null_state *null = state;
    null->host->timer_free(null->timer);
}

static int64_t null_window(const void *state)
{
    const struct null_state *null = state;
    return null->window;
}

static bool null_local(const void *state)
{
    (void)state;
    return true;
}

static const struct notifier_option options[] = {
    {"latency", NOTIFIER_SPAN, offsetof(struct null_state, latency_ms), .fallback = "0"},
    {"window", NOTIFIER_INT, offsetof(struct null_state, window), .fallback = "100", .min = 1, .max = 1000000},
    {"fail_every", NOTIFIER_INT, offsetof(struct null_state, fail_every), .fallback = "0"}, /* the nth fails; 0: none */
    {"fail_code", NOTIFIER_INT, offsetof(struct null_state, fail_code), .fallback = "550", .min = 400, .max = 599},
    {"doubt_every", NOTIFIER_INT, offsetof(struct null_state, doubt_every), .fallback = "0"},
    {0},
};

NOTIFIER_EXPORT const struct notifier notifier = {
    .abi = NOTIFIER_ABI,
    .size = sizeof(struct notifier),
    .name = "null",
    .options = options,
    .state_size = sizeof(struct null_state),
    .batch_max = 16,
    .flags = NOTIFIER_TAKES_RAW,
    .open = null_open,
    .send = null_send,
    .close = null_close,
    .stop = null_stop,
    .window = null_window,
    .local = null_local,
};
