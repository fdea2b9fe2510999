/* wix_rig.h - a Wix source beside the fake Wix server, over real sockets. Waits (budget, backoff, tokens) are not
 * waited for: our clock jumps to the next alarm. */
#ifndef ONSALE_WIX_RIG_H
#define ONSALE_WIX_RIG_H

#include "fake.h"
#include "source/source.h"

#include <string.h>

#define SITE_ID "9d4e27c0-b6a1-4f83-95e2-1c7f08d3ab59"
#define INSTANCE_ID "c6f1b3a7-2e94-4d58-8b0f-a17d5c3e9264"
enum { WORLD_SIZE = 250 }; /* three pages */

static struct fake server;
static char server_url[64];

static inline int start_server(void **state)
{
    char command[256];

    (void)state;
    snprintf(command, sizeof command,
             "world=$(mktemp) && python3 -B wix_world.py --definitions %d --events 10 --opens-at 2037-03-26T08:00:00Z "
             "> $world && exec 3< $world && rm $world && exec python3 -B wix.py --per-minute 0 --world /dev/fd/3",
             WORLD_SIZE);
    fake_start(&server, command);
    snprintf(server_url, sizeof server_url, "http://127.0.0.1:%d", server.port);
    return 0;
}

static inline int stop_server(void **state)
{
    (void)state;
    fake_stop(&server);
    return 0;
}

static inline void keep_body(void *ctx, const struct fetch_result *result)
{
    if (result->failure || result->status != 200)
        buf_addf(ctx, "failed: %d %.*s", result->status, TEXT_ARGS(result->body));
    else
        buf_add_text(ctx, result->body);
}

static inline void call_server(const char *method, const char *path, const char *body, struct buf *answer)
{
    auto_free char *url = NULL;
    struct error err = {0};

    if (asprintf(&url, "%s%s", server_url, path) < 0)
        abort();
    buf_init(answer, 32 << 20);
    if (fetch_wait(&(struct fetch_spec){.method = method, .url = url, .body = text_of(body), .body_limit = 32 << 20},
                   keep_body, answer, &err) < 0)
        fail_msg("%s", err.text);
    if (text_starts(buf_text(answer), "failed"))
        fail_msg("%s %s: %s", path, body, answer->ptr);
}

/* `orders` with ' for ", which reads better in C. */
static inline void control(const char *format, ...) PRINTF_LIKE(1, 2);
static inline void control(const char *format, ...)
{
    auto_buf struct buf body, answer;
    va_list args;

    buf_init(&body, 1 << 20);
    va_start(args, format);
    buf_addv(&body, format, args);
    va_end(args);
    for (size_t i = 0; i < body.len; i++)
        if (body.ptr[i] == '\'')
            body.ptr[i] = '"';
    call_server("POST", "/_control", body.ptr, &answer);
}

static inline size_t count_in_log(const char *what)
{
    auto_buf struct buf log;
    size_t count = 0;

    call_server("GET", "/_log", "", &log);
    for (const char *at = log.ptr; (at = strstr(at, what)); at++)
        count++;
    return count;
}

/* --- Our side ----------------------------------------------------------------------------------------------------- */

static int64_t jumped_ms;

static inline int64_t wall_ms(void *ctx)
{
    (void)ctx;
    return clock_machine.wall_ms(NULL) + jumped_ms;
}
static inline int64_t mono_ms(void *ctx)
{
    (void)ctx;
    return clock_machine.mono_ms(NULL) + jumped_ms;
}
static const struct clock jumping_clock = {.wall_ms = wall_ms, .mono_ms = mono_ms};

struct rig {
    uv_loop_t loop;
    struct source_parts parts;
    struct config_rate requests, reserve;
    struct site_settings settings;
    struct source *source;
    struct log log;

    struct source_request *request;
    bool answered;
    struct definition **definitions;
    enum source_verdict *verdicts;
    size_t count, known, bad;
    bool complete;
    struct error failure;
    int64_t watermark_ms, server_date_ms, answered_at_ms, waited_ms;
};

static inline void rig_forget(struct rig *rig)
{
    for (size_t i = 0; i < rig->count; i++)
        definition_free(rig->definitions[i]);
    free(rig->definitions);
    free(rig->verdicts);
    rig->definitions = NULL;
    rig->verdicts = NULL;
    rig->count = rig->bad = 0;
    rig->failure = (struct error){0};
    rig->answered = rig->complete = false;
}

static inline void rig_source(struct rig *rig)
{
    struct error err = {0};

    source_free(rig->source);
    rig->source = source_wix_new(&rig->settings, &rig->parts, &err);
    if (!rig->source)
        fail_msg("%s", err.text);
}

static inline void rig_init(struct rig *rig)
{
    struct error err = {0};

    *rig = (struct rig){.requests = {100000, MINUTE_MS},
                        .reserve = {50000, MINUTE_MS},
                        .settings = {.name = "arena",
                                     .base_url = server_url,
                                     .site_id = SITE_ID,
                                     .account_id = "",
                                     .api_key = "test-api-key",
                                     .client_id = "",
                                     .client_secret = "",
                                     .instance_id = "",
                                     .timeout_ms = 2000}};
    rig->settings.requests = (struct config_rates){&rig->requests, 1};
    rig->settings.gate_reserve = (struct config_rates){&rig->reserve, 1};
    rig->log = (struct log){.out = stderr, .level = LOG_ERROR};
    uv_loop_init(&rig->loop);
    rig->parts = (struct source_parts){.loop = &rig->loop, .clock = &jumping_clock, .log = &rig->log};
    rig->parts.alarms = alarms_new(&rig->loop, &jumping_clock, &err);
    rig->parts.fetcher = fetcher_new(&rig->loop, &err);
    if (!rig->parts.alarms || !rig->parts.fetcher)
        fail_msg("%s", err.text);
    control("[{'do':'reset'},{'do':'clear_log'}]");
    rig_source(rig);
}

static inline void rig_clear(struct rig *rig)
{
    rig_forget(rig);
    source_free(rig->source);
    fetcher_close(rig->parts.fetcher);
    alarms_close(rig->parts.alarms);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&rig->loop), 0);
}

static inline void on_walk(void *ctx, struct source_walk *walk)
{
    struct rig *rig = ctx;

    rig->request = NULL;
    rig_forget(rig);
    rig->answered = true;
    rig->complete = walk->complete;
    rig->bad = walk->bad;
    rig->known = walk->known;
    rig->watermark_ms = walk->watermark_ms;
    rig->server_date_ms = walk->server_date_ms;
    rig->answered_at_ms = walk->answered_at_ms;
    if (walk->failure)
        rig->failure = *walk->failure;
    rig->definitions = must_calloc(walk->count, sizeof *rig->definitions);
    for (; rig->count < walk->count; rig->count++) {
        rig->definitions[rig->count] = walk->definitions[rig->count];
        walk->definitions[rig->count] = NULL;
    }
}

static inline void on_answer(void *ctx, struct source_answer *answer)
{
    struct rig *rig = ctx;

    rig->request = NULL;
    rig_forget(rig);
    rig->answered = true;
    rig->server_date_ms = answer->server_date_ms;
    rig->answered_at_ms = answer->answered_at_ms;
    if (answer->failure)
        rig->failure = *answer->failure;
    rig->definitions = must_calloc(answer->count, sizeof *rig->definitions);
    rig->verdicts = must_calloc(answer->count, sizeof *rig->verdicts);
    for (; rig->count < answer->count; rig->count++) {
        rig->verdicts[rig->count] = answer->verdicts[rig->count];
        rig->definitions[rig->count] = answer->definitions[rig->count];
        answer->definitions[rig->count] = NULL;
    }
}

static inline void run_until_answered(struct rig *rig)
{
    int64_t began_ms = mono_ms(NULL), jumps_ms = jumped_ms;

    while (!rig->answered) {
        uv_run(&rig->loop, UV_RUN_NOWAIT);
        int64_t next_ms = alarms_next_at_ms(rig->parts.alarms), ahead_ms = next_ms - wall_ms(NULL);
        if (next_ms != MOMENT_NONE && !rig->answered) {
            jumped_ms += ahead_ms > 0 ? ahead_ms : 0;
            alarms_run(rig->parts.alarms);
        } else {
            usleep(200);
        }
        if (mono_ms(NULL) - began_ms - (jumped_ms - jumps_ms) > 30 * SECOND_MS)
            fail_msg("no answer within 30 s");
    }
    rig->waited_ms = jumped_ms - jumps_ms;
}

static inline void walk(struct rig *rig, int64_t since_ms)
{
    struct error err = {0};

    rig->answered = false;
    rig->request = rig->source->ops->walk(rig->source, since_ms, on_walk, rig, &err);
    if (!rig->request)
        fail_msg("%s", err.text);
    assert_false(rig->answered); /* always later */
    run_until_answered(rig);
}

static inline void walk_fine(struct rig *rig)
{
    walk(rig, MOMENT_NONE);
    if (!rig->complete)
        fail_msg("%s", rig->failure.text);
    assert_int_equal(rig->count, WORLD_SIZE);
}

static inline void ask_by(struct rig *rig, bool patient, const struct source_ask *asks, size_t count)
{
    const struct source_ops *ops = rig->source->ops;
    struct error err = {0};

    rig->answered = false;
    rig->request = (patient ? ops->read : ops->ask)(rig->source, asks, count, on_answer, rig, &err);
    if (!rig->request)
        fail_msg("%s", err.text);
    assert_false(rig->answered);
    run_until_answered(rig);
}

static inline void ask(struct rig *rig, const struct source_ask *asks, size_t count)
{
    ask_by(rig, false, asks, count);
}

/* All definitions of the world, as a walk found them; ids are copies to be freed. */
static inline struct source_ask *asks_of_world(struct rig *rig)
{
    struct source_ask *asks = must_calloc(WORLD_SIZE, sizeof *asks);

    walk_fine(rig);
    for (size_t i = 0; i < WORLD_SIZE; i++)
        asks[i] = (struct source_ask){must_strdup(rig->definitions[i]->id), rig->definitions[i]->revision};
    return asks;
}

static inline void asks_free(struct source_ask *asks)
{
    for (size_t i = 0; i < WORLD_SIZE; i++)
        free((void *)(uintptr_t)asks[i].id);
    free(asks);
}

static inline size_t count_found(const struct rig *rig)
{
    size_t found = 0;

    for (size_t i = 0; i < rig->count; i++)
        found += rig->verdicts[i] == SOURCE_FOUND;
    return found;
}

#endif
