#include "server_private.h"

#include <assert.h>
#include <string.h>
#include <time.h>

enum {
    TCP_CONNECTIONS = 512,
    SHARE = 4,                /* of the loop's time, for one listener: a part of so many */
    BURST_US = 5000,          /* at once */
    DEBT_MAX_US = 100 * 1000, /* so that it never rests longer than 0.4 s */
    ASK_MS = 10 * 1000,
    TAKE_MS = 60 * 1000, /* a client may take for its answer, and ... */
    TAKE_BYTES_PER_MS = 8,
    TIMEOUT_S = 60, /* without a byte */
    LAST_TURNS = 8, /* for what is written at the end: to take it, to send it, to see that it is over */
    HEADER_MAX = 32 * 1024,
    RECEIVED_MAX = 1024 * 1024, /* of a body in chunks: read until here to be able to say that it is too large */
};

/* --- The loop ----------------------------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);
static void on_readable(uv_poll_t *poll, int status, int events);

static int64_t worked_us(void)
{
    struct timespec spent;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return (int64_t)spent.tv_sec * 1000000 + spent.tv_nsec / 1000;
}

/* A crowd at one socket may take a quarter of the loop's time: the rest is for launches, and for the other sockets. */
static void pay(struct listener *listener, int64_t spent_us)
{
    int64_t now_us = (int64_t)(uv_hrtime() / 1000),
            budget_us = listener->budget_us + (now_us - listener->paid_at_us) / SHARE;

    budget_us = (budget_us < BURST_US ? budget_us : BURST_US) - spent_us;
    listener->budget_us = budget_us > -DEBT_MAX_US ? budget_us : -DEBT_MAX_US;
    listener->paid_at_us = now_us;
}

/* Nobody else needs the loop: what a crowd took is forgiven, and each turn it goes behind whatever else there is. */
static bool is_calm(struct listener *listener)
{
    const struct server *server = listener->server;

    if (server->closing || !server->calm || !server->calm(server->ctx))
        return false;
    listener->budget_us = 0;
    return true;
}

/* After every run: libmicrohttpd says when it wants the next one. */
static void run(struct listener *listener)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    int64_t began_us = worked_us();

    MHD_run(listener->daemon);
    pay(listener, worked_us() - began_us);
    listener->resting = listener->budget_us < 0 && !is_calm(listener);
    if (listener->resting) {
        uv_poll_stop(&listener->poll);
        uv_timer_start(&listener->timer, on_timer, (uint64_t)(-listener->budget_us * SHARE / 1000 + 1), 0);
    } else if (MHD_get_timeout(listener->daemon, &timeout_ms) == MHD_YES)
        uv_timer_start(&listener->timer, on_timer, timeout_ms, 0);
    else
        uv_timer_stop(&listener->timer);
}

static void on_timer(uv_timer_t *timer)
{
    struct listener *listener = timer->data;

    if (listener->resting)
        uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    run(listener);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

void server_request_resume(struct server_request *request)
{
    struct listener *listener = request->listener;

    if (!request->suspended)
        return;
    request->suspended = false;
    MHD_resume_connection(request->connection);
    if (!listener->server->closing && !listener->resting) /* resuming wakes nothing by itself */
        uv_timer_start(&listener->timer, on_timer, 0, 0);
}

void server_route(struct server_request *request, const char *route)
{
    request->route = route;
}

void server_count(const struct server *server, struct server_counts *out)
{
    *out = (struct server_counts){0};
    for (const struct server_client *client = server->clients; client; client = client->next) {
        out->tcp += !client->listener->is_unix;
        out->local += client->listener->is_unix;
        out->streams += client->phase == CLIENT_LISTENS;
    }
}

/* --- Requests ----------------------------------------------------------------------------------------------------- */

int server_request_fd(const struct server_request *request)
{
    return request->client ? request->client->fd : -1;
}

const char *server_query(const struct server_request *request, const char *name)
{
    return target_field(&request->target, name);
}

const char *server_header(const struct server_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* The request line is read: the first that is known of a request, and the only time that its target is seen as it was
 * sent. What is returned is the request's state from here on. */
static void *on_request_line(void *cls, const char *raw_target, struct MHD_Connection *connection)
{
    struct listener *listener = cls;
    struct server *server = listener->server;
    struct server_request *request = must_calloc(1, sizeof *request);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    request->listener = listener;
    request->connection = connection;
    request->route = "";
    request->began_ns = uv_hrtime();
    request->client = info ? info->socket_context : NULL;
    assert(request->client); /* made when it connected */
    request->client->request = request;
    request->raw_target = must_strdup(raw_target);
    buf_init(&request->body, SERVER_BODY_MAX);
    request->next = server->requests;
    if (request->next)
        request->next->before = request;
    server->requests = request;
    return request;
}

static void drop_response(struct server_request *request)
{
    if (request->response && !request->page)
        MHD_destroy_response(request->response);
    server_page_drop(request->page);
    request->response = NULL;
    request->page = NULL;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    struct server *server = ((struct listener *)cls)->server;
    struct server_request *request = *state;

    (void)connection;
    (void)why;
    if (!request)
        return;
    *state = NULL;
    if (request->before)
        request->before->next = request->next;
    else
        server->requests = request->next;
    if (request->next)
        request->next->before = request->before;
    server->answers -= request->counted;
    if (request->stream)
        server_stream_forget(request->stream);
    drop_response(request);
    request->client->request = NULL;
    server_client_phase(request->client, CLIENT_ASKS);
    target_clear(&request->target);
    free(request->raw_target);
    buf_clear(&request->body);
    free(request);
}

/* How long a stranger has to wait for the next request; 0: this one may be. Who asks for what is refused asks, too. */
static int64_t wait_of(const struct server_request *request, bool refused)
{
    struct server *server = request->listener->server;

    if (request->call.local)
        return 0;
    if (server_client_crowds(request))
        return 1000;
    if (!server->visitors || (!refused && server->charges && server->charges(server->ctx, request->target.path)))
        return 0;
    return visitors_take(server->visitors, &request->from, (int64_t)uv_now(server->loop));
}

static void refuse_often(struct server_request *request, int64_t wait_ms)
{
    char seconds[24];

    snprintf(seconds, sizeof seconds, "%lld", (long long)(wait_ms + 999) / 1000);
    server_refuse_more(request, 429, "more requests than one address may make", NULL,
                       &(struct server_field){"Retry-After", seconds});
}

bool server_charge(struct server_request *request, bool take)
{
    struct server *server = request->listener->server;
    int64_t now_ms = (int64_t)uv_now(server->loop);

    if (request->call.local || !server->visitors)
        return true;
    int64_t wait_ms = take ? visitors_take(server->visitors, &request->from, now_ms)
                           : visitors_wait_ms(server->visitors, &request->from, now_ms);
    if (wait_ms > 0)
        refuse_often(request, wait_ms);
    return wait_ms == 0;
}

/* The header alone: what is refused here is refused before its body is read. */
static void look_at_header(struct server_request *request, const char *method, const char *version)
{
    struct error err = {0};

    server_client_name(request);
    request->last = true; /* a body that is never read would be taken for the next request */
    int refused = server_form_check(request, method, version, &err);
    int64_t wait_ms = wait_of(request, refused != 0);
    if (wait_ms > 0)
        refuse_often(request, wait_ms);
    else if (refused == 405 || refused == 501)
        server_refuse_more(request, refused, err.text, NULL, &(struct server_field){"Allow", SERVER_METHODS});
    else if (refused)
        server_refuse(request, refused, err.text);
    else
        request->last = false;
}

static void refuse_large(struct server_request *request)
{
    struct error err = {0};

    server_form_too_large(request, &err);
    server_refuse(request, 413, err.text);
}

static void hand_over(struct server_request *request, const char *method)
{
    struct server *server = request->listener->server;
    const char *type = server_header(request, "Content-Type"), *word = server_header(request, "Authorization");

    request->handled = true;
    server_client_phase(request->client, CLIENT_WAITS);
    request->call.method = strcmp(method, "HEAD") == 0 ? "GET" : method;
    request->call.path = request->target.path;
    request->call.body = buf_text(&request->body);
    request->call.content_type = type ? type : "";
    request->call.authorization = word ? word : "";
    request->call.who = request->who;
    request->last = buf_failed(&request->body) || server->closing;
    if (server->closing) /* the handler may be gone already */
        server_refuse(request, 503, "the daemon is stopping");
    else if (request->last)
        refuse_large(request);
    else if (strcmp(method, "OPTIONS") == 0)
        server_reply(request, &(struct server_reply){.status = 204, .fields = {{"Allow", SERVER_METHODS}}});
    else
        server->handler(server->ctx, request, &request->call);
}

static void count_answer(const struct server_request *request)
{
    struct metrics *metrics = request->listener->server->metrics;
    char code[12];

    snprintf(code, sizeof code, "%u", request->status);
    metrics_add(metrics, METRIC_HTTP_REQUESTS, LABELS(request->route, code), 1);
    metrics_observe(metrics, METRIC_HTTP_REQUEST, LABELS(request->route),
                    (int64_t)(uv_hrtime() - request->began_ns) / 1000);
}

static enum MHD_Result queue_answer(struct server_request *request)
{
    struct MHD_Response *response = request->response;

    if (!response)
        return MHD_NO;
    count_answer(request);
    request->client->take_ms = TAKE_MS + (int64_t)request->size / TAKE_BYTES_PER_MS;
    server_client_phase(request->client, request->takes_long ? CLIENT_LISTENS : CLIENT_TAKES);
    if (request->stream) /* heartbeats and the buffer tell who is gone, not silence */
        MHD_set_connection_option(request->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
    enum MHD_Result result = MHD_queue_response(request->connection, request->status, response);
    drop_response(request);
    return result;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *data, size_t *size, void **state)
{
    struct server_request *request = *state;

    (void)cls;
    (void)path; /* read more strictly by target.c */
    if (!request->begun) {
        request->begun = true;
        look_at_header(request, method, version);
        return request->answered ? queue_answer(request) : MHD_YES;
    }
    if (*size > 0) {
        request->received += *size;
        buf_add(&request->body, data, *size);
        *size = 0;
        return request->received <= RECEIVED_MAX ? MHD_YES : MHD_NO;
    }
    if (!request->handled)
        hand_over(request, method);
    if (request->answered)
        return queue_answer(request);
    request->suspended = true; /* the answer comes later, from a store thread by way of the loop */
    MHD_suspend_connection(connection);
    return MHD_YES;
}

/* --- Beginning and end -------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 0))) static void on_mhd_log(void *cls, const char *format, va_list args)
{
    struct listener *listener = cls;
    char line[512];

    vsnprintf(line, sizeof line, format, args);
    log_line(listener->server->log, LOG_DEBUG, "event=http text=%s", LOG_QUOTED(text_trim(text_of(line))));
}

static int start(struct server *server, struct listener *listener, struct error *err)
{
    unsigned limit = listener->is_unix ? SERVER_UNIX_CONNECTIONS : (unsigned)server->connections + 1;

    listener->server = server;
    listener->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, server_client_accept, listener, on_request,
        listener, MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, listener, MHD_OPTION_LISTEN_SOCKET, listener->fd,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, listener, MHD_OPTION_NOTIFY_CONNECTION, server_client_notify,
        listener, MHD_OPTION_URI_LOG_CALLBACK, on_request_line, listener, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEADER_MAX, MHD_OPTION_CONNECTION_LIMIT, limit, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!listener->daemon)
        return error_set(err, ERROR_CONFIG, "%s: the HTTP server did not start",
                         listener->path ? listener->path : "http.listen");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    uv_poll_init(server->loop, &listener->poll, info->epoll_fd);
    uv_timer_init(server->loop, &listener->timer);
    listener->poll.data = listener->timer.data = listener;
    server->handles += 2;
    uv_poll_start(&listener->poll, UV_READABLE, on_readable);
    return 0;
}

static void add_listeners(struct server *server, struct listener *const *listeners, size_t count)
{
    server->listeners =
        must_realloc(server->listeners, (server->listener_count + count + 1) * sizeof(struct listener *));
    for (size_t i = 0; i < count; i++)
        server->listeners[server->listener_count++] = listeners[i];
}

static int take_handed(struct server *server, const struct server_spec *spec, struct error *err)
{
    int rc = 0;

    if (spec->handed_count == 0)
        return error_set(err, ERROR_CONFIG,
                         "http.listen: systemd: no socket was handed over; is onsale.socket started?");
    for (size_t i = 0; i < spec->handed_count; i++) {
        struct listener *listener;
        if (server_listen_handed(spec->handed_first + (int)i, &listener, err) < 0)
            rc = -1;
        add_listeners(server, &listener, 1);
    }
    return rc;
}

static int listen_all(struct server *server, const struct server_spec *spec, struct error *err)
{
    for (size_t i = 0; i < spec->listen_count; i++) {
        struct listener *opened[2];
        size_t count = 0;
        bool handed = strcmp(spec->listen[i], "systemd") == 0;
        int rc = handed ? take_handed(server, spec, err)
                        : server_listen(spec->listen[i], opened, ARRAY_LEN(opened), &count, err);
        add_listeners(server, opened, count);
        if (rc < 0)
            return -1;
    }
    for (size_t i = 0; i < server->listener_count; i++)
        if (start(server, server->listeners[i], err) < 0)
            return -1;
    return 0;
}

struct server *server_new(const struct server_spec *spec, struct error *err)
{
    struct server *server = must_calloc(1, sizeof *server);

    *server = (struct server){.loop = spec->loop,
                              .log = spec->log,
                              .metrics = spec->metrics,
                              .handler = spec->handler,
                              .charges = spec->charges,
                              .body_max = spec->body_max,
                              .calm = spec->calm,
                              .ctx = spec->ctx,
                              .connections = spec->connections ? spec->connections : TCP_CONNECTIONS,
                              .ask_ms = spec->ask_ms ? spec->ask_ms : ASK_MS,
                              .proxies = spec->proxies,
                              .proxy_count = spec->proxy_count};
    if (spec->rate.count > 0)
        server->visitors = visitors_new(spec->rate, spec->seed);
    uv_timer_init(spec->loop, &server->look);
    server->look.data = server;
    server->handles = 1;
    if (listen_all(server, spec, err) == 0)
        return server;
    server_close(server);
    return NULL;
}

static void let_go(struct server *server)
{
    if (--server->handles > 0)
        return;
    for (size_t i = 0; i < server->listener_count; i++)
        free(server->listeners[i]);
    free(server->listeners);
    visitors_free(server->visitors);
    free(server);
}

static void on_look_closed(uv_handle_t *handle)
{
    let_go(handle->data);
}

static void on_closed(uv_handle_t *handle)
{
    let_go(((struct listener *)handle->data)->server);
}

/* The poll goes before the descriptor it watches; the socket is taken back first, so that nobody new comes and a socket
 * that the service manager shares with us is not shut down. */
static void stop_listening(struct listener *listener)
{
    if (!listener->daemon)
        return;
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    uv_close((uv_handle_t *)&listener->timer, on_closed);
    listener->fd = MHD_quiesce_daemon(listener->daemon);
}

void server_close(struct server *server)
{
    if (!server)
        return;
    server->closing = true;
    for (size_t i = 0; i < server->listener_count; i++)
        stop_listening(server->listeners[i]);
    for (struct server_request *request = server->requests; request; request = request->next) {
        if (request->stream && !server_stream_ended(request->stream))
            server_stream_drop(request->stream);
        else if (request->suspended && !request->stream)
            server_refuse(request, 503, "the daemon is stopping");
    }
    for (size_t i = 0; i < server->listener_count; i++) {
        struct listener *listener = server->listeners[i];
        if (listener->daemon) {
            for (int turn = 0; turn < LAST_TURNS; turn++)
                MHD_run(listener->daemon);
            MHD_stop_daemon(listener->daemon);
            listener->daemon = NULL;
        }
        listener_close(listener);
    }
    uv_close((uv_handle_t *)&server->look, on_look_closed);
}
