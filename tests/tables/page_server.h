/* page_server.h - an HTTP server on real sockets, TCP and local, that answers a path with fixed bytes, well or badly.
 * One thread a connection. server_start() and server_stop() are a group's set-up and end; its state is the server. */
#ifndef ONSALE_PAGE_SERVER_H
#define ONSALE_PAGE_SERVER_H

#include "table.h"
#include "text.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum after { KEEP, CLOSE, RESET, HANG, MIRROR };
static const struct page {
    const char *path, *answer;
    enum after after;
} pages[] = {
    {"/plain", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\nX-Request-Id: abc-1\r\n\r\nhello",
     KEEP},
    {"/ids", "HTTP/1.1 500 No\r\nx-request-id: other\r\nX-WIX-REQUEST-ID: \twix-2 \r\nContent-Length: 0\r\n\r\n", KEEP},
    {"/dated",
     "HTTP/1.1 200 OK\r\nDate: Fri, 26 Mar 2027 08:00:00 GMT\r\nRetry-After: Fri, 26 Mar 2027 08:01:30 GMT\r\n"
     "Content-Length: 0\r\n\r\n",
     KEEP},
    {"/busy", "HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", KEEP},
    {"/odd", "HTTP/1.1 503 Odd\r\nRetry-After: soon\r\nDate: today\r\nContent-Length: 0\r\n\r\n", KEEP},
    {"/moved", "HTTP/1.1 302 Found\r\nLocation: /plain\r\nContent-Length: 2\r\n\r\nno", KEEP},
    {"/interim", "HTTP/1.1 103 Hints\r\nRetry-After: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", KEEP},
    {"/chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", KEEP},
    {"/broken-chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\n", CLOSE},
    {"/cut", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf of", CLOSE},
    {"/reset", "", RESET},
    {"/empty", "", CLOSE},
    {"/garbage", "220 mail.example.org ESMTP\r\n", CLOSE},
    {"/hang", "", HANG},
    {"/slow-body", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nso far", HANG},
    {"/echo", "", MIRROR},
};

struct server {
    int tcp, local;
    uint16_t port;
    char socket_path[64];
    pthread_t thread;
    int stop[2]; /* closing [1] tells every thread */
    pthread_mutex_t mutex;
    size_t open, most, accepted;
};

static inline void send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        len -= (size_t)sent;
    }
}

/* Waits for bytes; false when the server stops or the client has gone. */
static inline bool read_more(struct server *server, int fd, char *request, size_t size, size_t *len)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = server->stop[0], .events = POLLIN}};

    if (poll(fds, 2, -1) < 0 || fds[1].revents || *len + 1 >= size)
        return false;
    ssize_t got = recv(fd, request + *len, size - *len - 1, 0);
    if (got <= 0)
        return false;
    *len += (size_t)got;
    request[*len] = '\0';
    return true;
}

static inline void answer_echo(int fd, const char *request, size_t len)
{
    auto_buf struct buf out;

    buf_init(&out, 1 << 20);
    buf_addf(&out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
    buf_add(&out, request, len);
    send_all(fd, out.ptr, out.len);
}

static inline bool answer_page(struct server *server, int fd, char *request, size_t size, size_t len)
{
    const char *path = strchr(request, ' ') + 1;
    const struct page *page = pages;

    while (strncmp(path, page->path, strlen(page->path)) != 0 || !strchr(" ?", path[strlen(page->path)]))
        page++;
    send_all(fd, page->answer, strlen(page->answer));
    switch (page->after) {
    case KEEP:
        return true;
    case MIRROR:
        answer_echo(fd, request, len);
        return true;
    case RESET:
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
        return false;
    case HANG:
        while (read_more(server, fd, request, size, &len))
            continue;
        return false;
    case CLOSE:
        return false;
    }
    return false;
}

struct visitor {
    struct server *server;
    int fd;
};

static inline void *serve(void *ctx)
{
    struct visitor visitor = *(struct visitor *)ctx;
    struct server *server = visitor.server;
    static const size_t size = 256 * 1024;
    char *request = must_calloc(1, size), *end;
    bool go_on = true;

    free(ctx);
    while (go_on) {
        size_t len = 0, want = SIZE_MAX;
        while (len < want && (go_on = read_more(server, visitor.fd, request, size, &len)))
            if (want == SIZE_MAX && (end = strstr(request, "\r\n\r\n"))) {
                char *length = strcasestr(request, "Content-Length:");
                want = (size_t)(end + 4 - request) + (length && length < end ? strtoul(length + 15, NULL, 10) : 0);
            }
        go_on = go_on && answer_page(server, visitor.fd, request, size, len);
    }
    close(visitor.fd);
    free(request);
    pthread_mutex_lock(&server->mutex);
    server->open--;
    pthread_mutex_unlock(&server->mutex);
    return NULL;
}

static inline size_t accepted_by(struct server *server)
{
    pthread_mutex_lock(&server->mutex);
    size_t accepted = server->accepted;
    pthread_mutex_unlock(&server->mutex);
    return accepted;
}

static inline void *accept_visitors(void *ctx)
{
    struct server *server = ctx;
    struct pollfd fds[] = {{.fd = server->tcp, .events = POLLIN},
                           {.fd = server->local, .events = POLLIN},
                           {.fd = server->stop[0], .events = POLLIN}};

    while (poll(fds, 3, -1) > 0 && !fds[2].revents)
        for (int i = 0; i < 2; i++) {
            pthread_t thread;
            if (!fds[i].revents)
                continue;
            struct visitor *visitor = must_calloc(1, sizeof *visitor);
            visitor->server = server;
            visitor->fd = accept(fds[i].fd, NULL, NULL);
            pthread_mutex_lock(&server->mutex);
            server->accepted++;
            if (++server->open > server->most)
                server->most = server->open;
            pthread_mutex_unlock(&server->mutex);
            pthread_create(&thread, NULL, serve, visitor);
            pthread_detach(thread);
        }
    return NULL;
}

static inline int server_start(void **state)
{
    struct server *server = must_calloc(1, sizeof *server);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    socklen_t len = sizeof in;

    snprintf(server->socket_path, sizeof server->socket_path, "/tmp/onsale-fetch-%d.sock", (int)getpid());
    strcpy(un.sun_path, server->socket_path);
    server->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    server->local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_mutex_init(&server->mutex, NULL);
    if (pipe(server->stop) < 0 || bind(server->tcp, (struct sockaddr *)&in, sizeof in) < 0 ||
        listen(server->tcp, 64) < 0 || getsockname(server->tcp, (struct sockaddr *)&in, &len) < 0 ||
        bind(server->local, (struct sockaddr *)&un, sizeof un) < 0 || listen(server->local, 64) < 0)
        return -1;
    server->port = ntohs(in.sin_port);
    *state = server;
    return pthread_create(&server->thread, NULL, accept_visitors, server);
}

static inline int server_stop(void **state)
{
    struct server *server = *state;
    size_t open = 1;

    close(server->stop[1]);
    pthread_join(server->thread, NULL);
    while (open > 0) {
        pthread_mutex_lock(&server->mutex);
        open = server->open;
        pthread_mutex_unlock(&server->mutex);
        usleep(1000);
    }
    close(server->stop[0]);
    close(server->tcp);
    close(server->local);
    unlink(server->socket_path);
    pthread_mutex_destroy(&server->mutex);
    free(server);
    return 0;
}

#endif
