/* Bytes for the HTTP server: a real one on a unix socket in this process, a connection an input. Whatever is sent, the
 * handler sees only what server.h promises, and the server lets go of the connection. */
#include "server_private.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { TURNS_MAX = 3000 };

static uv_loop_t loop;
static struct server *server;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static struct server_request *waiting;
static struct server_stream *stream;
static unsigned written;

static void on_stream_closed(void *ctx)
{
    (void)ctx;
    stream = NULL;
}

static void check_text(const char *text)
{
    if (!text_is_utf8(text_of(text)))
        abort();
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            abort();
}

static void on_request(void *ctx, struct server_request *request, const struct server_call *call)
{
    const char *query = server_query(request, "a");
    struct text path = text_of(call->path);

    (void)ctx;
    check_text(call->path);
    check_text(query ? query : "");
    if (path.ptr[0] != '/' || strstr(call->path, "//") || strstr(call->path, "/../") || strchr(call->path, '\\'))
        abort();
    if ((strcmp(call->method, "GET") != 0 && strcmp(call->method, "POST") != 0) || call->body.len > 64 * 1024)
        abort();
    if (!*call->who || !call->content_type || !call->authorization)
        abort();
    if (text_is(path, "/late") && !waiting)
        waiting = request;
    else if (text_is(path, "/stream") && !stream) {
        stream = server_stream_open(request, "text/event-stream", on_stream_closed, NULL);
        written = 0;
    } else
        server_reply(request, &(struct server_reply){.status = 200, .type = "text/plain", .body = call->body});
}

/* What answers later does so a turn later. */
static void go_on(void)
{
    struct listener *listener = server->listeners[0];

    listener->budget_us = INT32_MAX; /* we are a crowd, and in a hurry */
    if (listener->resting)
        usleep(1000);
    uv_run(&loop, UV_RUN_NOWAIT);
    if (waiting) {
        struct server_request *request = waiting;
        waiting = NULL;
        server_refuse(request, 409, "late");
    }
    if (stream && written++ < 3)
        server_stream_write(stream, TEXT("data: x\n\n"));
    else if (stream) {
        server_stream_end(stream);
        stream = NULL;
    }
}

static void end(void)
{
    unlink(address.sun_path);
}

static void start(void)
{
    static char listen_at[128];
    const char *at = listen_at;
    struct error err = {0};

    snprintf(listen_at, sizeof listen_at, "unix:/tmp/onsale-fuzz-http-%d", (int)getpid());
    snprintf(address.sun_path, sizeof address.sun_path, "%s", listen_at + strlen("unix:"));
    uv_loop_init(&loop);
    struct server_spec spec = {.loop = &loop, .listen = &at, .listen_count = 1, .handler = on_request};
    server = server_new(&spec, &err);
    if (!server)
        abort();
    atexit(end);
}

static int connect_peer(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        abort();
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char answer[65536];
    size_t sent = 0;
    unsigned quiet = 0;

    if (!server)
        start();
    int fd = connect_peer();
    for (unsigned turns = 0; turns < TURNS_MAX && quiet < 3; turns++) {
        ssize_t part = sent < size ? send(fd, data + sent, size - sent, MSG_NOSIGNAL) : 0;
        sent = part > 0 ? sent + (size_t)part : part < 0 && errno != EAGAIN ? size : sent;
        go_on();
        bool heard = recv(fd, answer, sizeof answer, 0) > 0;
        quiet = part > 0 || heard || waiting || stream ? 0 : quiet + 1;
    }
    close(fd);
    for (unsigned turns = 0; turns < TURNS_MAX && server->clients; turns++)
        go_on();
    if (server->clients || server->requests || waiting || stream)
        abort(); /* it holds what belongs to a client that is gone */
    return 0;
}
