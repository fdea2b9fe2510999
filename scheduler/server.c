#include "server.h"

#include "text.h"

#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { BODY_MAX = 64 * 1024, CONNECTIONS_MAX = 64, TIMEOUT_S = 60 };

struct server_request {
    struct server *server;
    struct MHD_Connection *connection;
    struct server_request *next; /* in server->requests, from its first byte to its end */
    struct buf body;
    json_t *json;
    char who[32];
    bool suspended;
    bool handled; /* the handler has it, or had it */
    int status;   /* of the answer; 0 while there is none */
    json_t *answer;
};

struct server {
    uv_loop_t *loop;
    struct log *log;
    server_handler_fn *handler;
    void *ctx;
    struct MHD_Daemon *daemon;
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    int fd;
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned handles; /* not yet closed */
    bool closing;
    struct server_request *requests;
};

/* --- The loop
 * ----------------------------------------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

/* After every run: the server says when it wants the next one. */
static void run(struct server *server)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    MHD_run(server->daemon);
    if (MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES)
        uv_timer_start(&server->timer, on_timer, timeout_ms, 0);
    else
        uv_timer_stop(&server->timer);
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

/* --- Requests
 * ------------------------------------------------------------------------------------------------------------ */

const char *server_query(struct server_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *server_who(const struct server_request *request)
{
    return request->who;
}

void server_answer(struct server_request *request, int status, json_t *body)
{
    struct server *server = request->server;

    request->status = status;
    request->answer = body;
    if (!request->suspended)
        return; /* still inside the handler: on_request() queues it */
    request->suspended = false;
    MHD_resume_connection(request->connection);
    if (!server->closing) /* resuming wakes nothing by itself */
        uv_timer_start(&server->timer, on_timer, 0, 0);
}

void server_refuse(struct server_request *request, int status, const char *detail)
{
    const char *title = status == 404   ? "Not found"
                        : status == 403 ? "Forbidden"
                        : status == 503 ? "Unavailable"
                        : status >= 500 ? "Failed"
                                        : "Refused";

    server_answer(request, status,
                  json_pack("{s:s, s:s, s:i, s:s}", "type", "about:blank", "title", title, "status", status, "detail",
                            text_is_utf8(text_of(detail)) ? detail : title));
}

static enum MHD_Result queue_answer(struct server_request *request)
{
    char *text = request->answer ? json_dumps(request->answer, JSON_COMPACT) : NULL;
    struct MHD_Response *response = MHD_create_response_from_buffer(
        text ? strlen(text) : 0, text, text ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);

    if (!response) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type",
                            request->status < 400 ? "application/json" : "application/problem+json");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    enum MHD_Result result = MHD_queue_response(request->connection, (unsigned)request->status, response);
    MHD_destroy_response(response);
    return result;
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

/* root, the daemon's own user, or its group. */
static bool peer_allowed(struct server_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return false;
    if (peer.uid == 0)
        snprintf(request->who, sizeof request->who, "root");
    else
        snprintf(request->who, sizeof request->who, "uid %u", peer.uid);
    return peer.uid == 0 || peer.uid == geteuid() || peer.gid == getegid() || in_our_group(info->connect_fd);
}

static struct server_request *request_new(struct server *server, struct MHD_Connection *connection)
{
    struct server_request *request = must_calloc(1, sizeof *request);

    request->server = server;
    request->connection = connection;
    buf_init(&request->body, BODY_MAX);
    request->next = server->requests;
    server->requests = request;
    return request;
}

static void on_completed(void *cls, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode why)
{
    struct server *server = cls;
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
    json_decref(request->json);
    json_decref(request->answer);
    buf_clear(&request->body);
    free(request);
}

static void hand_to_handler(struct server *server, struct server_request *request, const char *method, const char *path)
{
    json_error_t why;

    request->handled = true;
    if (!peer_allowed(request)) {
        server_refuse(request, 403, "only root, the daemon's user and its group may use this socket");
        return;
    }
    if (buf_failed(&request->body)) {
        server_refuse(request, 413, "the request is larger than 64 KiB");
        return;
    }
    if (request->body.len > 0) {
        request->json = json_loadb(request->body.ptr, request->body.len, JSON_REJECT_DUPLICATES, &why);
        if (!request->json) {
            server_refuse(request, 400, "the body is not JSON");
            return;
        }
    }
    server->handler(server->ctx, request, method, path, request->json);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path, const char *method,
                                  const char *version, const char *data, size_t *size, void **state)
{
    struct server *server = cls;
    struct server_request *request = *state;

    (void)version;
    if (!request) {
        *state = request_new(server, connection);
        return MHD_YES;
    }
    if (*size > 0) {
        buf_add(&request->body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    if (!request->handled)
        hand_to_handler(server, request, method, path);
    if (request->status)
        return queue_answer(request);
    request->suspended = true; /* the answer comes later, from a store thread by way of the loop */
    MHD_suspend_connection(connection);
    return MHD_YES;
}

/* --- Listening
 * ------------------------------------------------------------------------------------------------------------ */

/* A file that nobody listens on is left from a crash; one that answers is another daemon's. */
static int clear_way(const struct sockaddr_un *address, struct error *err)
{
    auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof *address) == 0)
        return error_set(err, ERROR_CONFIG, "%s: another program listens there", address->sun_path);
    if (unlink(address->sun_path) < 0 && errno != ENOENT)
        return error_set(err, ERROR_CONFIG, "%s: %s", address->sun_path, strerror(errno));
    return 0;
}

static void make_folder(const char *path)
{
    char folder[sizeof((struct sockaddr_un *)NULL)->sun_path];
    char *slash;

    snprintf(folder, sizeof folder, "%s", path);
    slash = strrchr(folder, '/');
    if (slash && slash != folder) {
        *slash = '\0';
        mkdir(folder, 0750); /* bind() tells when this did not help */
    }
}

static int listen_on(struct server *server, const char *listen_at, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (!text_starts(text_of(listen_at), "unix:") || strlen(listen_at + 5) >= sizeof address.sun_path)
        return error_set(err, ERROR_CONFIG, "http.listen: expected unix:/path of at most %zu characters, found \"%s\"",
                         sizeof address.sun_path - 1, listen_at);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", listen_at + 5);
    snprintf(server->path, sizeof server->path, "%s", listen_at + 5);
    make_folder(server->path);
    if (clear_way(&address, err) < 0) {
        server->path[0] = '\0';
        return -1;
    }
    server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(0117); /* 0660 from the first moment */
    int rc = server->fd < 0 ? -1 : bind(server->fd, (struct sockaddr *)&address, sizeof address);
    umask(old);
    if (rc < 0 || listen(server->fd, CONNECTIONS_MAX) < 0) {
        error_set(err, ERROR_CONFIG, "%s: %s", address.sun_path, strerror(errno));
        server->path[0] = '\0';
        return -1;
    }
    return 0;
}

__attribute__((format(printf, 2, 0))) static void on_mhd_log(void *cls, const char *format, va_list args)
{
    struct server *server = cls;
    char line[512];

    vsnprintf(line, sizeof line, format, args);
    log_line(server->log, LOG_DEBUG, "event=http text=%s", LOG_QUOTED(text_trim(text_of(line))));
}

static int start(struct server *server, struct error *err)
{
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, server,
        MHD_OPTION_EXTERNAL_LOGGER, on_mhd_log, server, MHD_OPTION_LISTEN_SOCKET, server->fd,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
    if (!server->daemon)
        return error_set(err, ERROR_CONFIG, "%s: the HTTP server did not start", server->path);
    server->fd = -1; /* the server's now */
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    uv_poll_init(server->loop, &server->poll, info->epoll_fd);
    uv_timer_init(server->loop, &server->timer);
    server->poll.data = server->timer.data = server;
    server->handles = 2;
    uv_poll_start(&server->poll, UV_READABLE, on_readable);
    return 0;
}

struct server *server_new(uv_loop_t *loop, const char *listen_at, struct log *log, server_handler_fn *handler,
                          void *ctx, struct error *err)
{
    struct server *server = must_calloc(1, sizeof *server);

    *server = (struct server){.loop = loop, .log = log, .handler = handler, .ctx = ctx, .fd = -1};
    if (listen_on(server, listen_at, err) < 0 || start(server, err) < 0) {
        if (server->fd >= 0)
            close(server->fd);
        if (server->path[0])
            unlink(server->path);
        free(server);
        return NULL;
    }
    return server;
}

static void on_closed(uv_handle_t *handle)
{
    struct server *server = handle->data;

    if (--server->handles == 0)
        free(server);
}

void server_close(struct server *server)
{
    if (!server)
        return;
    server->closing = true;
    /* The poll goes before the descriptor it watches; every suspended request is resumed before the end. */
    uv_close((uv_handle_t *)&server->poll, on_closed);
    uv_close((uv_handle_t *)&server->timer, on_closed);
    for (struct server_request *request = server->requests; request; request = request->next)
        if (request->suspended)
            server_refuse(request, 503, "the daemon is stopping");
    MHD_run(server->daemon);
    MHD_stop_daemon(server->daemon);
    unlink(server->path);
}
