#include "server_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

enum {
    LOOK_EVERY_MS = 1000,
    PER_ADDRESS_PART = 8, /* of the connections, for one address */
    UNIX_STRANGERS = 128, /* ... of these many, when it comes by a proxy at a unix socket */
    /* a client whose machine is gone without a word */
    KEEPALIVE_IDLE_S = 30,
    KEEPALIVE_EVERY_S = 10,
    KEEPALIVE_COUNT = 3,
    UNANSWERED_MS = 60 * 1000,
};

/* --- Who it is ---------------------------------------------------------------------------------------------------- */

static struct origin origin_of(const struct sockaddr *address)
{
    static const struct origin unspecified = {.bytes = {[10] = 0xFF, [11] = 0xFF}};
    struct origin origin;

    return address && origin_of_socket(address, &origin) == 0 ? origin : unspecified;
}

static bool is_proxy(const struct server *server, const struct origin *origin)
{
    return origin_within(origin, server->proxies, server->proxy_count);
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

/* The peer's user, and whether that lets it in. */
static bool read_credentials(struct server_request *request, int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return false;
    if (peer.uid == 0)
        snprintf(request->who, sizeof request->who, "root");
    else
        snprintf(request->who, sizeof request->who, "uid %u", peer.uid);
    return peer.uid == 0 || peer.uid == geteuid() || peer.gid == getegid() || in_our_group(fd);
}

static enum MHD_Result on_field(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct buf *values = cls;

    (void)kind;
    if (value && text_equal_nocase(text_of(name), TEXT("X-Forwarded-For"))) {
        if (values->len > 0)
            buf_addc(values, ',');
        buf_adds(values, value);
    }
    return MHD_YES;
}

void server_client_name(struct server_request *request)
{
    const struct server_client *client = request->client;
    const struct server *server = request->listener->server;
    bool by_unix = request->listener->is_unix;
    auto_buf struct buf forwarded = {0};

    request->from = client->origin;
    if (by_unix)
        request->call.local = read_credentials(request, client->fd) && !came_by_proxy(request);
    if (request->call.local)
        return;
    buf_init(&forwarded, 64 * 1024);
    MHD_get_connection_values(request->connection, MHD_HEADER_KIND, on_field, &forwarded);
    if ((by_unix || is_proxy(server, &client->origin)) && forwarded.len > 0 && !buf_failed(&forwarded))
        request->from = origin_behind(&client->origin, buf_text(&forwarded), server->proxies, server->proxy_count);
    if (!by_unix || !origin_equal(&request->from, &client->origin))
        origin_write(&request->from, request->who);
}

/* --- How many ----------------------------------------------------------------------------------------------------- */

static size_t share_of(const struct listener *listener)
{
    return (listener->is_unix ? UNIX_STRANGERS : listener->server->connections) / PER_ADDRESS_PART + 1;
}

/* The proxy's connections are many people's. One that passes a body on as it comes (Caddy) holds a connection to us for
 * each client that is slow. */
bool server_client_crowds(const struct server_request *request)
{
    struct origin group = origin_group(&request->from);
    size_t of_address = 0;

    if (origin_equal(&request->from, &request->client->origin))
        return false;
    for (const struct server_request *one = request->listener->server->requests; one; one = one->next) {
        struct origin other = origin_group(&one->from);
        of_address += one->begun && !one->call.local && origin_equal(&other, &group);
    }
    return of_address > share_of(request->listener);
}

enum MHD_Result server_client_accept(void *cls, const struct sockaddr *address, socklen_t size)
{
    const struct listener *listener = cls;
    const struct server *server = listener->server;
    struct origin origin = origin_of(address), group = origin_group(&origin);
    size_t of_address = 0, most = share_of(listener);

    (void)size;
    if (listener->is_unix)
        return MHD_YES; /* has its own limit: commands get in when the network is full */
    if (server->tcp_count >= server->connections)
        return MHD_NO;
    if (is_proxy(server, &origin))
        return MHD_YES;
    for (const struct server_client *client = server->clients; client; client = client->next) {
        struct origin other = origin_group(&client->origin);
        of_address += !client->listener->is_unix && origin_equal(&other, &group);
    }
    return of_address < most ? MHD_YES : MHD_NO;
}

/* --- How slow ----------------------------------------------------------------------------------------------------- */

static bool has_left(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void look_at(struct server_client *client, int64_t now_ms)
{
    int64_t waited_ms = now_ms - client->since_ms;

    switch (client->phase) {
    case CLIENT_ASKS:
        /* Who sends half a request and no more may leave unnoticed: libmicrohttpd reads less than it could and is not
         * woken for the end behind it. */
        if (waited_ms >= client->listener->server->ask_ms || has_left(client->fd))
            shutdown(client->fd, SHUT_RDWR);
        break;
    case CLIENT_TAKES:
        if (waited_ms >= client->take_ms)
            shutdown(client->fd, SHUT_RDWR);
        break;
    case CLIENT_LISTENS:
        /* A suspended connection does not notice by itself. */
        if (client->request && client->request->stream && has_left(client->fd))
            server_stream_drop(client->request->stream);
        break;
    case CLIENT_WAITS:
        break; /* for us */
    }
}

static void on_look(uv_timer_t *timer)
{
    struct server *server = timer->data;

    for (struct server_client *client = server->clients; client; client = client->next)
        look_at(client, (int64_t)uv_now(server->loop));
    if (!server->clients)
        uv_timer_stop(timer);
}

void server_client_phase(struct server_client *client, enum client_phase phase)
{
    client->phase = phase;
    client->since_ms = (int64_t)uv_now(client->listener->server->loop);
}

/* --- From its connection to its end ------------------------------------------------------------------------------- */

static void set_options(int fd)
{
    int on = 1, idle = KEEPALIVE_IDLE_S, every = KEEPALIVE_EVERY_S, count = KEEPALIVE_COUNT;
    unsigned unanswered_ms = UNANSWERED_MS;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
    setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof unanswered_ms);
}

static struct server_client *client_new(struct listener *listener, struct MHD_Connection *connection)
{
    struct server *server = listener->server;
    struct server_client *client = must_calloc(1, sizeof *client);
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    client->listener = listener;
    client->fd = info ? info->connect_fd : -1;
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    client->origin = origin_of(listener->is_unix || !info ? NULL : info->client_addr);
    if (!listener->is_unix) {
        set_options(client->fd);
        server->tcp_count++;
    }
    server_client_phase(client, CLIENT_ASKS);
    client->next = server->clients;
    if (client->next)
        client->next->before = client;
    else if (!server->closing)
        uv_timer_start(&server->look, on_look, LOOK_EVERY_MS, LOOK_EVERY_MS);
    server->clients = client;
    return client;
}

static void client_free(struct server_client *client)
{
    struct server *server = client->listener->server;

    if (client->before)
        client->before->next = client->next;
    else
        server->clients = client->next;
    if (client->next)
        client->next->before = client->before;
    if (!client->listener->is_unix)
        server->tcp_count--;
    free(client);
}

void server_client_notify(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        *context = client_new(cls, connection);
    else if (*context)
        client_free(*context);
}
