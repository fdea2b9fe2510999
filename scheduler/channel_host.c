#include "channel_private.h"

#include "scrub.h"
#include "wire.h"

#include <stdarg.h>
#include <string.h>

static struct channel *channel_of(const struct notifier_host *host)
{
    return (struct channel *)((uintptr_t)host - offsetof(struct channel, host));
}

static void say(char *error, size_t error_size, const struct error *err)
{
    if (error_size > 0)
        snprintf(error, error_size, "%s", err->text);
}

static int64_t host_now_ms(const struct notifier_host *host)
{
    return clock_now_ms(channel_of(host)->parts.clock);
}

static int64_t host_mono_ms(const struct notifier_host *host)
{
    return clock_mono_ms(channel_of(host)->parts.clock);
}

PRINTF_LIKE(3, 4)
static void host_log(const struct notifier_host *host, int level, const char *format, ...)
{
    struct channel *channel = channel_of(host);
    char line[600];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = ' ';
    auto_free char *clean = scrub(line, NULL);
    enum log_level known = level < LOG_ERROR ? LOG_ERROR : level > LOG_DEBUG ? LOG_DEBUG : (enum log_level)level;
    log_line(channel->parts.log, known, "notifier=%s %s", channel->settings->name, clean);
}

static void host_finish(const struct notifier_host *host, struct notifier_delivery *delivery,
                        const struct notifier_result *result)
{
    channel_take_result(channel_of(host), delivery, result);
}

static void host_ready(const struct notifier_host *host)
{
    channel_take_ready(channel_of(host));
}

static void host_trouble(const struct notifier_host *host, const char *text, bool needs_person)
{
    channel_take_trouble(channel_of(host), text, needs_person);
}

static void host_well(const struct notifier_host *host)
{
    channel_take_well(channel_of(host));
}

static void host_remember(const struct notifier_host *host, const char *name, const char *what)
{
    wires_remember(channel_of(host)->parts.wires, name, what);
}

static const char *host_recall(const struct notifier_host *host, const char *name)
{
    return wires_recall(channel_of(host)->parts.wires, name);
}

/* ---- timers ---- */

struct notifier_timer {
    uv_timer_t timer;
    notifier_call *ring;
    void *ctx;
};

static void on_timer(uv_timer_t *handle)
{
    struct notifier_timer *timer = handle->data;
    timer->ring(timer->ctx);
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static struct notifier_timer *host_timer_new(const struct notifier_host *host, notifier_call *ring, void *ctx)
{
    struct notifier_timer *timer = must_calloc(1, sizeof *timer);

    uv_timer_init(channel_of(host)->parts.loop, &timer->timer);
    timer->timer.data = timer;
    timer->ring = ring;
    timer->ctx = ctx;
    return timer;
}

static void host_timer_start(struct notifier_timer *timer, int64_t after_ms)
{
    uv_update_time(timer->timer.loop);
    uv_timer_start(&timer->timer, on_timer, (uint64_t)(after_ms > 0 ? after_ms : 0), 0);
}

static void host_timer_stop(struct notifier_timer *timer)
{
    uv_timer_stop(&timer->timer);
}

static void host_timer_free(struct notifier_timer *timer)
{
    if (timer)
        uv_close((uv_handle_t *)&timer->timer, on_timer_closed);
}

/* ---- wires ---- */

struct notifier_wire {
    struct wire *wire;
    const struct notifier_wire_events *events;
    void *ctx;
};

static void on_wire_opened(void *ctx, const char *capabilities)
{
    struct notifier_wire *wire = ctx;
    wire->events->opened(wire->ctx, capabilities);
}

static void on_wire_failed(void *ctx, enum wire_failure failure, int code, const char *text)
{
    static const enum notifier_wire_failure failures[] = {
        [WIRE_UNREACHABLE] = NOTIFIER_WIRE_UNREACHABLE, [WIRE_UNWELCOME] = NOTIFIER_WIRE_UNWELCOME,
        [WIRE_NO_TLS] = NOTIFIER_WIRE_NO_TLS,           [WIRE_NO_LOGIN] = NOTIFIER_WIRE_NO_LOGIN,
        [WIRE_WRONG_LOGIN] = NOTIFIER_WIRE_WRONG_LOGIN,
    };
    struct notifier_wire *wire = ctx;
    wire->events->failed(wire->ctx, failures[failure], code, text);
}

static void on_wire_received(void *ctx, struct text bytes)
{
    struct notifier_wire *wire = ctx;
    if (wire->events->received)
        wire->events->received(wire->ctx, bytes.ptr, bytes.len);
}

static void on_wire_written(void *ctx)
{
    struct notifier_wire *wire = ctx;
    if (wire->events->written)
        wire->events->written(wire->ctx);
}

static void on_wire_closed(void *ctx, const char *why)
{
    struct notifier_wire *wire = ctx;
    if (wire->events->closed)
        wire->events->closed(wire->ctx, why);
}

static const struct wire_events wire_events = {
    .opened = on_wire_opened,
    .failed = on_wire_failed,
    .received = on_wire_received,
    .written = on_wire_written,
    .closed = on_wire_closed,
};

static struct notifier_wire *host_wire_open(const struct notifier_host *host, const struct notifier_wire_spec *spec,
                                            const struct notifier_wire_events *events, void *ctx, char *error,
                                            size_t error_size)
{
    struct notifier_wire *wire = must_calloc(1, sizeof *wire);
    struct wire_spec ours = {
        .url = spec->url,
        .username = spec->username,
        .password = spec->password,
        .plain = spec->plain,
        .ca_file = spec->ca_file,
        .connect_timeout_ms = spec->connect_timeout_ms,
    };
    struct error err = {0};

    wire->events = events;
    wire->ctx = ctx;
    wire->wire = wire_open(channel_of(host)->parts.wires, &ours, &wire_events, wire, &err);
    if (wire->wire)
        return wire;
    say(error, error_size, &err);
    free(wire);
    return NULL;
}

static void host_wire_write(struct notifier_wire *wire, const char *bytes, size_t len)
{
    wire_write(wire->wire, (struct text){bytes, len});
}

static bool host_wire_flush(struct notifier_wire *wire)
{
    return wire_flush(wire->wire);
}

static int64_t host_wire_queued(const struct notifier_wire *wire)
{
    return wire_queued(wire->wire);
}

static int64_t host_wire_sent(const struct notifier_wire *wire)
{
    return wire_sent(wire->wire);
}

static void host_wire_close(struct notifier_wire *wire)
{
    if (!wire)
        return;
    wire_close(wire->wire);
    free(wire);
}

/* ---- HTTP ---- */

struct notifier_http {
    struct fetch *fetch;
    notifier_http_done *done;
    void *ctx;
};

static void on_fetched(void *ctx, const struct fetch_result *result)
{
    struct notifier_http *http = ctx;
    struct notifier_http_result theirs = {
        .status = result->status,
        .body = result->body.ptr,
        .body_len = result->body.len,
        .retry_after_ms = result->retry_after_ms > 0 ? result->retry_after_ms : 0,
        .failure = result->failure ? result->failure->text : NULL,
        .in_doubt = result->failure && result->left,
    };

    http->fetch = NULL;
    http->done(http->ctx, &theirs);
    free(http);
}

static struct notifier_http *host_http_start(const struct notifier_host *host, const struct notifier_http_spec *spec,
                                             notifier_http_done *done, void *ctx, char *error, size_t error_size)
{
    struct notifier_http *http = must_calloc(1, sizeof *http);
    auto_free struct fetch_header *headers = must_calloc(spec->header_count + 1, sizeof *headers);
    struct error err = {0};

    for (size_t i = 0; i < spec->header_count; i++)
        headers[i] = (struct fetch_header){spec->headers[i].name, spec->headers[i].value};
    http->done = done;
    http->ctx = ctx;
    http->fetch = fetch_start(channel_of(host)->parts.fetcher,
                              &(struct fetch_spec){
                                  .method = spec->method,
                                  .url = spec->url,
                                  .headers = headers,
                                  .header_count = spec->header_count,
                                  .body = {spec->body, spec->body_len},
                                  .body_limit = spec->answer_limit,
                                  .timeout_ms = spec->timeout_ms,
                                  .once = true,
                                  .to = "notifier",
                                  .name = channel_of(host)->settings->name,
                              },
                              on_fetched, http, &err);
    if (http->fetch)
        return http;
    say(error, error_size, &err);
    free(http);
    return NULL;
}

static void host_http_cancel(struct notifier_http *http)
{
    if (!http)
        return;
    fetch_cancel(&http->fetch);
    free(http);
}

/* ---- the pool ---- */

struct offload {
    uv_work_t request;
    struct channel *channel;
    notifier_call *work, *done;
    void *ctx;
};

static void on_pool(uv_work_t *request)
{
    struct offload *offload = request->data;
    offload->work(offload->ctx);
}

static void on_pool_done(uv_work_t *request, int status)
{
    struct offload *offload = request->data;
    struct channel *channel = offload->channel;

    (void)status; /* we cancel none */
    offload->done(offload->ctx);
    free(offload);
    channel_offload_ended(channel);
}

static void host_offload(const struct notifier_host *host, notifier_call *work, notifier_call *done, void *ctx)
{
    struct offload *offload = must_calloc(1, sizeof *offload);

    offload->request.data = offload;
    offload->channel = channel_of(host);
    offload->work = work;
    offload->done = done;
    offload->ctx = ctx;
    offload->channel->offloads++;
    uv_queue_work(offload->channel->parts.loop, &offload->request, on_pool, on_pool_done);
}

const struct notifier_host channel_host = {
    .abi = NOTIFIER_ABI,
    .size = sizeof(struct notifier_host),
    .now_ms = host_now_ms,
    .mono_ms = host_mono_ms,
    .log = host_log,
    .finish = host_finish,
    .ready = host_ready,
    .trouble = host_trouble,
    .well = host_well,
    .remember = host_remember,
    .recall = host_recall,
    .timer_new = host_timer_new,
    .timer_start = host_timer_start,
    .timer_stop = host_timer_stop,
    .timer_free = host_timer_free,
    .wire_open = host_wire_open,
    .wire_write = host_wire_write,
    .wire_flush = host_wire_flush,
    .wire_queued = host_wire_queued,
    .wire_sent = host_wire_sent,
    .wire_close = host_wire_close,
    .http_start = host_http_start,
    .http_cancel = host_http_cancel,
    .offload = host_offload,
};
