#include "server_private.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum {
    CONNECTIONS_MAX = 512,
    TIMEOUT_S = 60,
    /* a client whose machine is gone without a word */
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_EVERY_S = 10,
    KEEPALIVE_COUNT = 3,
    UNANSWERED_MS = 60 * 1000,
};

/* --- The loop ----------------------------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

/* After every run: libmicrohttpd says when it wants the next one. */
static void run(struct listener *listener)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    MHD_run(listener->daemon);
    if (MHD_get_timeout(listener->daemon, &timeout_ms) == MHD_YES)
        uv_timer_start(&listener->timer, on_timer, timeout_ms, 0);
    else
        uv_timer_stop(&listener->timer);
}

static void on_timer(uv_timer_t *timer)
{
    run(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

void server_request_resume(struct server_request *request)
{
    if (!request->suspended)
        return;
    request->suspended = false;
    MHD_resume_connection(request->connection);
    if (!request->listener->server->closing) /* resuming wakes nothing by itself */
        uv_timer_start(&request->listener->timer, on_timer, 0, 0);
}

/* --- Who asks ----------------------------------------------------------------------------------------------------- */

int server_request_fd(const struct server_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info ? info->connect_fd : -1;
}

/* Has who connected our group among theirs, beside the one they run with? */
static bool in_our_group(int fd)
{
    gid_t groups[256]; /* more is no member: the kernel says ERANGE */
    socklen_t size = sizeof groups;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
        return false;
    for (size_t i = 0; i < size / sizeof *groups; i++)
        if (groups[i] == getegid())
            return true;
    return false;
}

/* What a proxy adds: it may run in our group to reach the socket, and then speaks for anybody. */
static bool came_by_proxy(const struct server_request *request)
{
    static const char *const names[] = {"Forwarded",         "X-Forwarded-For", "X-Forwarded-Host",
                                        "X-Forwarded-Proto", "X-Real-IP",       "Via"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (server_header(request, names[i]))
            return true;
    return false;
}

static void name_unix_peer(struct server_request *request, int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return;
    if (peer.uid == 0)
        snprintf(request->who, sizeof request->who, "root");
    else
        snprintf(request->who, sizeof request->who, "uid %u", peer.uid);
    request->call.local = (peer.uid == 0 || peer.uid == geteuid() || peer.gid == getegid() || in_our_group(fd)) &&
                          !came_by_proxy(request);
}

static void name_tcp_peer(struct server_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *address = info ? info->client_addr : NULL;

    if (address && address->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, request->who,
                  sizeof request->who);
    else if (address && address->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, request->who,
                  sizeof request->who);
}

/* --- Requests ----------------------------------------------------------------------------------------------------- */

const char *server_query(const struct server_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *server_header(const struct server_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *server_who(const struct server_request *request)
{
    return request->who;
}

static struct server_request *request_new(struct listener *listener, struct MHD_Connection *connection)
{
    struct server *server = listener->server;
    struct server_request *request = must_calloc(1, sizeof *request);

    request->listener = listener;
    request->connection = connection;
    buf_init(&request->body, SERVER_BODY_MAX);
    request->next = server->requests;
    server->requests = request;
    return request;
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
    for (struct server_request **at = &server->requests; *at; at = &(*at)->next)
        if (*at == request) {
            *at = request->next;
            break;
        }
    if (request->stream)
        server_stream_forget(request->stream);
    if (request->response)
        MHD_destroy_response(request->response);
    buf_clear(&request->body);
    free(request);
}

static void hand_over(struct server_request *request, const char *method, const char *path)
{
    struct server *server = request->listener->server;
    const char *type = server_header(request, "Content-Type"), *word = server_header(request, "Authorization");

    request->handled = true;
    if (request->listener->is_unix)
        name_unix_peer(request, server_request_fd(request));
    else
        name_tcp_peer(request);
    request->call.method = strcmp(method, "HEAD") == 0 ? "GET" : method;
    request->call.path = path;
    request->call.body = buf_text(&request->body);
    request->call.content_type = type ? type : "";
    request->call.authorization = word ? word : "";
    request->call.who = request->who;
    if (buf_failed(&request->body))
        server_refuse(request, 413, "the request is larger than 64 KiB");
    else
        server->handler(server->ctx, request, &request->call);
}

static enum MHD_Result queue_answer(struct server_request *request)
{
    struct MHD_Response *response = request->response;

    if (!response)
        return MHD_NO;
    request->response = NULL;
    if (request->stream) /* heartbeats and the buffer tell who is gone, not silence */
        MHD_set_connection_option(request->connection, MHD_CONNECTION_OPTION_TIMEOUT, 0u);
    enum MHD_Result result = MHD_queue_response(request->connection, request->status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *data, size_t *size, void **state)
{
    struct listener *listener = cls;
    struct server_request *request = *state;

    (void)version;
    if (!request) {
        *state = request_new(listener, connection);
        return MHD_YES;
    }
    if (*size > 0) {
        buf_add(&request->body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (!request->handled)
        hand_over(request, method, path);
    if (request->answered)
        return queue_answer(request);
    request->suspended = true; /* the answer comes later, from a store thread by way of the loop */
    MHD_suspend_connection(connection);
    return MHD_YES;
}

/* --- Connections -------------------------------------------------------------------------------------------------- */

static void watch_client(int fd)
{
    int on = 1, idle = KEEPALIVE_IDLE_S, every = KEEPALIVE_EVERY_S, count = KEEPALIVE_COUNT;
    unsigned unanswered_ms = UNANSWERED_MS;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof unanswered_ms);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    const struct listener *listener = cls;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    (void)context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED && info && !listener->is_unix)
        watch_client(info->connect_fd);
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
    listener->server = server;
    listener->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, listener,
        MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, listener, MHD_OPTION_LISTEN_SOCKET, listener->fd,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, listener, MHD_OPTION_NOTIFY_CONNECTION, on_connection, listener,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
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

static int listen_all(struct server *server, const struct server_spec *spec, struct error *err)
{
    for (size_t i = 0; i < spec->listen_count; i++) {
        struct listener *opened[2] = {0};
        size_t count;
        int rc = server_listen(spec->listen[i], opened, ARRAY_LEN(opened), &count, err);
        server->listeners =
            must_realloc(server->listeners, (server->listener_count + count) * sizeof(struct listener *));
        for (size_t k = 0; k < count; k++)
            server->listeners[server->listener_count++] = opened[k];
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

    *server = (struct server){.loop = spec->loop, .log = spec->log, .handler = spec->handler, .ctx = spec->ctx};
    server->handles = 1; /* ours, so that a server without listeners ends as well */
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
    free(server);
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
        if (request->stream)
            server_stream_drop(request->stream);
        else if (request->suspended)
            server_refuse(request, 503, "the daemon is stopping");
    }
    for (size_t i = 0; i < server->listener_count; i++) {
        struct listener *listener = server->listeners[i];
        if (listener->daemon) {
            MHD_run(listener->daemon);
            MHD_stop_daemon(listener->daemon);
            listener->daemon = NULL;
        }
        listener_close(listener);
    }
    let_go(server);
}
