/* place.h - a real server on real sockets, what it does with each path, and peers that speak to it in bytes. */
#ifndef ONSALE_TESTS_PLACE_H
#define ONSALE_TESTS_PLACE_H

#include "clock.h"
#include "server.h"
#include "table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

enum { WAIT_MS = 5000, PIECES_MAX = 64, HARD_MS = 5 };

struct place {
    uv_loop_t loop;
    struct log log;
    char folder[64], unix_at[128], tcp_at[64];
    struct server *server;
    uint16_t port;
    unsigned calls, closed, hard;
    struct server_request *waiting[PIECES_MAX];
    size_t waiting_count;
    struct server_stream *stream;
    struct server_page *page; /* behind /shared */
    bool miss;                /* what /charged is answered with */
    bool calm;
};

struct peer {
    int fd;
    struct buf got;
    bool ended;
};

#define H "Host: x\r\n"

/* --- The handler ---------------------------------------------------------------------------------------------------
 */

static inline void on_stream_closed(void *ctx)
{
    struct place *place = ctx;

    place->closed++;
    place->stream = NULL;
}

static inline void answer_echo(struct server_request *request, const struct server_call *call)
{
    const char *state = server_query(request, "state"), *header = server_header(request, "X-Word");
    auto_free char *body = text_dup(call->body);

    server_answer(request, 200,
                  json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s}", "method", call->method, "path", call->path,
                            "body", body, "type", call->content_type, "local", call->local, "who", call->who, "state",
                            state ? state : "", "word", header ? header : ""));
}

static inline void answer_file(struct server_request *request)
{
    FILE *file = tmpfile();

    assert_non_null(file);
    fputs("what the file holds", file);
    fflush(file);
    int fd = dup(fileno(file));
    fclose(file);
    assert_true(lseek(fd, 0, SEEK_SET) == 0);
    server_send_file(request, fd, "application/octet-stream", "back \"up\r\n.db");
}

/* Works for HARD_MS of the processor's time. */
static inline void answer_hard(struct place *place, struct server_request *request)
{
    struct timespec spent;
    int64_t end_us = 0, now_us = 0;

    while (now_us < end_us || end_us == 0) {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
        now_us = (int64_t)spent.tv_sec * 1000000 + spent.tv_nsec / 1000;
        end_us = end_us ? end_us : now_us + HARD_MS * 1000;
    }
    place->hard++;
    server_reply(request, &(struct server_reply){.status = 204});
}

static inline void answer_big(struct server_request *request)
{
    size_t size = 8 << 20;
    auto_free char *bytes = must_calloc(1, size);

    memset(bytes, 'x', size);
    server_reply(request, &(struct server_reply){.status = 200, .type = "text/plain", .body = {bytes, size}});
}

static inline void on_request(void *ctx, struct server_request *request, const struct server_call *call)
{
    struct place *place = ctx;
    struct text path = text_of(call->path);

    place->calls++;
    if (text_is(path, "/late")) {
        assert_true(place->waiting_count < PIECES_MAX);
        place->waiting[place->waiting_count++] = request;
    } else if (text_is(path, "/stream"))
        place->stream = server_stream_open(request, "text/event-stream", on_stream_closed, place);
    else if (text_is(path, "/file"))
        answer_file(request);
    else if (text_is(path, "/hard"))
        answer_hard(place, request);
    else if (text_is(path, "/big"))
        answer_big(request);
    else if (text_is(path, "/next"))
        server_answer_page(request, 200, json_pack("[]"), "/api/v1/x?after=7");
    else if (text_is(path, "/page"))
        server_reply(request, &(struct server_reply){.status = 200,
                                                     .type = "text/html; charset=utf-8",
                                                     .body = TEXT("<p>hello"),
                                                     .fields = {{"Content-Security-Policy", "default-src 'self'"},
                                                                {"Cache-Control", "max-age=60"}}});
    else if (text_is(path, "/shared"))
        server_send_page(request, place->page);
    else if (text_is(path, "/charged")) {
        if (server_charge(request, false) && (!place->miss || server_charge(request, true)))
            server_reply(request, &(struct server_reply){.status = place->miss ? 404 : 200});
    } else if (text_is(path, "/refuse"))
        server_refuse(request, 409, "not \"now\"");
    else
        answer_echo(request, call);
}

/* --- Setting up ----------------------------------------------------------------------------------------------------
 */

static inline uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_return_code(bind(fd, (struct sockaddr *)&address, size), errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)&address, &size), errno);
    return ntohs(address.sin_port);
}

/* `spec` has what is special about it. */
static inline void place_open(struct place *place, struct server_spec spec)
{
    struct error err = {0};
    const char *listen_at[] = {place->unix_at, place->tcp_at};

    *place = (struct place){.log = {.out = stderr, .level = LOG_ERROR}};
    uv_loop_init(&place->loop);
    strcpy(place->folder, "/tmp/onsale-server-XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->unix_at, sizeof place->unix_at, "unix:%s/socket", place->folder);
    spec.loop = &place->loop;
    spec.listen = listen_at;
    spec.listen_count = ARRAY_LEN(listen_at);
    spec.log = &place->log;
    spec.handler = on_request;
    spec.ctx = place;
    for (int i = 0; i < 5 && !place->server; i++) { /* somebody may take the port before us */
        err = (struct error){0};
        place->port = free_port();
        snprintf(place->tcp_at, sizeof place->tcp_at, "127.0.0.1:%u", place->port);
        place->server = server_new(&spec, &err);
    }
    if (!place->server)
        fail_msg("%s", err.text);
}

static inline void place_close(struct place *place)
{
    server_close(place->server);
    uv_run(&place->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&place->loop), 0);
    assert_true(access(place->unix_at + strlen("unix:"), F_OK) < 0);
    assert_return_code(rmdir(place->folder), errno);
}

/* --- Peers ---------------------------------------------------------------------------------------------------------
 */

static inline void turn(struct place *place)
{
    if (!uv_run(&place->loop, UV_RUN_NOWAIT))
        return;
    usleep(500);
}

static inline struct peer peer_open(const struct place *place, bool by_unix)
{
    struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_port = htons(place->port)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct peer peer = {.fd = socket(by_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

    tcp.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    snprintf(local.sun_path, sizeof local.sun_path, "%s", place->unix_at + strlen("unix:"));
    assert_return_code(connect(peer.fd, by_unix ? (struct sockaddr *)&local : (struct sockaddr *)&tcp,
                               by_unix ? sizeof local : sizeof tcp),
                       errno);
    fcntl(peer.fd, F_SETFL, O_NONBLOCK);
    buf_init(&peer.got, 64 << 20);
    return peer;
}

static inline void peer_close(struct peer *peer)
{
    close(peer->fd);
    buf_clear(&peer->got);
}

static inline void peer_send(struct place *place, const struct peer *peer, struct text bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(peer->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return; /* closed by the server: the answer tells */
        bytes = text_slice(bytes, sent > 0 ? (size_t)sent : 0, bytes.len);
        turn(place);
    }
}

/* What is there now. */
static inline void peer_read(struct peer *peer)
{
    char bytes[65536];
    ssize_t size;

    while ((size = recv(peer->fd, bytes, sizeof bytes, 0)) > 0)
        buf_add(&peer->got, bytes, (size_t)size);
    if (size == 0 || (errno != EAGAIN && errno != EINTR))
        peer->ended = true;
}

/* Waits until `word` came (NULL: until the server closed). */
static inline bool peer_wait(struct place *place, struct peer *peer, const char *word)
{
    for (int waited_ms = 0; waited_ms < WAIT_MS; waited_ms++) {
        turn(place);
        peer_read(peer);
        if (word && peer->got.len > 0 && strstr(peer->got.ptr, word))
            return true;
        if (peer->ended)
            return word == NULL;
        usleep(500);
    }
    return false;
}

static inline void expect_word(struct place *place, struct peer *peer, const char *word)
{
    if (!peer_wait(place, peer, word))
        fail_msg("no %s in: %s", word, peer->got.len ? peer->got.ptr : "");
}

static inline struct peer ask(struct place *place, bool by_unix, const char *bytes, const char *word)
{
    struct peer peer = peer_open(place, by_unix);

    peer_send(place, &peer, text_of(bytes));
    expect_word(place, &peer, word);
    return peer;
}

static inline size_t count_of(const struct peer *peer, const char *word)
{
    size_t count = 0;

    for (const char *at = peer->got.ptr; at && (at = strstr(at, word)); at++)
        count++;
    return count;
}

/* HEAD has no body, and the connection goes on; pipelined requests are answered in their order. */
static inline int64_t mono_ms(void)
{
    return clock_mono_ms(&clock_machine);
}

#endif
