/* A real server on real sockets, spoken to in bytes. */
#include "server.h"
#include "clock.h"
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
    char folder[64], unix_at[128], tcp_at[64], six_at[64];
    struct origin_net proxies[1];
    struct server *server;
    uint16_t port;
    unsigned calls, closed, hard;
    struct server_request *waiting[PIECES_MAX];
    size_t waiting_count;
    struct server_stream *stream;
};

struct peer {
    int fd;
    struct buf got;
    bool ended;
};

/* --- The handler ---------------------------------------------------------------------------------------------------
 */

static void on_stream_closed(void *ctx)
{
    struct place *place = ctx;

    place->closed++;
    place->stream = NULL;
}

static void answer_echo(struct server_request *request, const struct server_call *call)
{
    const char *state = server_query(request, "state"), *header = server_header(request, "X-Word");
    auto_free char *body = text_dup(call->body);

    server_answer(request, 200,
                  json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s, s:s}", "method", call->method, "path", call->path,
                            "body", body, "type", call->content_type, "local", call->local, "who", call->who, "state",
                            state ? state : "", "word", header ? header : ""));
}

static void answer_file(struct server_request *request)
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
static void answer_hard(struct place *place, struct server_request *request)
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

static void answer_big(struct server_request *request)
{
    size_t size = 8 << 20;
    auto_free char *bytes = must_calloc(1, size);

    memset(bytes, 'x', size);
    server_reply(request, &(struct server_reply){.status = 200, .type = "text/plain", .body = {bytes, size}});
}

static void on_request(void *ctx, struct server_request *request, const struct server_call *call)
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
    else if (text_is(path, "/refuse"))
        server_refuse(request, 409, "not \"now\"");
    else
        answer_echo(request, call);
}

/* --- Setting up ----------------------------------------------------------------------------------------------------
 */

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    auto_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_return_code(bind(fd, (struct sockaddr *)&address, size), errno);
    assert_return_code(getsockname(fd, (struct sockaddr *)&address, &size), errno);
    return ntohs(address.sin_port);
}

/* `spec` has what is special about it. */
static void place_open(struct place *place, struct server_spec spec)
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

static void place_close(struct place *place)
{
    server_close(place->server);
    uv_run(&place->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&place->loop), 0);
    assert_true(access(place->unix_at + strlen("unix:"), F_OK) < 0);
    assert_return_code(rmdir(place->folder), errno);
}

/* --- Peers ---------------------------------------------------------------------------------------------------------
 */

static void turn(struct place *place)
{
    if (!uv_run(&place->loop, UV_RUN_NOWAIT))
        return;
    usleep(500);
}

static struct peer peer_open(const struct place *place, bool by_unix)
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

static void peer_close(struct peer *peer)
{
    close(peer->fd);
    buf_clear(&peer->got);
}

static void peer_send(struct place *place, const struct peer *peer, struct text bytes)
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
static void peer_read(struct peer *peer)
{
    char bytes[65536];
    ssize_t size;

    while ((size = recv(peer->fd, bytes, sizeof bytes, 0)) > 0)
        buf_add(&peer->got, bytes, (size_t)size);
    if (size == 0 || (errno != EAGAIN && errno != EINTR))
        peer->ended = true;
}

/* Waits until `word` came (NULL: until the server closed). */
static bool peer_wait(struct place *place, struct peer *peer, const char *word)
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

static void expect_word(struct place *place, struct peer *peer, const char *word)
{
    if (!peer_wait(place, peer, word))
        fail_msg("no %s in: %s", word, peer->got.len ? peer->got.ptr : "");
}

static struct peer ask(struct place *place, bool by_unix, const char *bytes, const char *word)
{
    struct peer peer = peer_open(place, by_unix);

    peer_send(place, &peer, text_of(bytes));
    expect_word(place, &peer, word);
    return peer;
}

/* --- What is refused by its form -----------------------------------------------------------------------------------
 */

#define H "Host: x\r\n"

static const struct {
    const char *what, *bytes;
    int status;
} forms[] = {
    {"plain", "GET /echo HTTP/1.1\r\n" H "\r\n", 200},
    {"absolute form", "GET http://other/echo HTTP/1.1\r\n" H "\r\n", 200},
    {"options of all", "OPTIONS * HTTP/1.1\r\n" H "\r\n", 204},
    {"a body by length", "POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\n\r\n{}", 200},
    {"a body in chunks", "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 200},
    {"old and without host", "GET /echo HTTP/1.0\r\n\r\n", 200},
    {"no host", "GET /echo HTTP/1.1\r\n\r\n", 400},
    {"two hosts", "GET /echo HTTP/1.1\r\n" H "Host: y\r\n\r\n", 400},
    {"two lengths", "POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", 400},
    {"two lengths that differ", "POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\nContent-Length: 20\r\n\r\n{}", 400},
    {"length and coding",
     "POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"two codings",
     "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"another coding", "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
    {"identity", "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 400},
    {"chunks in 1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {"a signed length", "POST /echo HTTP/1.1\r\n" H "Content-Length: +2\r\n\r\n{}", 400},
    {"a length that is none", "POST /echo HTTP/1.1\r\n" H "Content-Length: two\r\n\r\n", 400},
    {"a negative length", "POST /echo HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", 400},
    {"a list of lengths", "POST /echo HTTP/1.1\r\n" H "Content-Length: 2, 2\r\n\r\n{}", 400},
    {"a blank in a name", "POST /echo HTTP/1.1\r\n" H "Content-Length : 2\r\n\r\n{}", 400},
    {"a control character in a value", "GET /echo HTTP/1.1\r\n" H "X-Word: a\001b\r\n\r\n", 400},
    {"too large by length", "POST /echo HTTP/1.1\r\n" H "Content-Length: 65537\r\n\r\n", 413},
    {"too large by far", "POST /echo HTTP/1.1\r\n" H "Content-Length: 9999999999999\r\n\r\n", 413},
    {"a method of others", "DELETE /echo HTTP/1.1\r\n" H "\r\n", 405},
    {"trace", "TRACE /echo HTTP/1.1\r\n" H "\r\n", 405},
    {"connect", "CONNECT other:443 HTTP/1.1\r\n" H "\r\n", 405},
    {"an unknown method", "BREW /echo HTTP/1.1\r\n" H "\r\n", 501},
    {"a small method", "get /echo HTTP/1.1\r\n" H "\r\n", 501},
    {"a star that is no path", "GET * HTTP/1.1\r\n" H "\r\n", 400},
    {"no slash", "GET echo HTTP/1.1\r\n" H "\r\n", 400},
    {"up", "GET /u/../api/v1/status HTTP/1.1\r\n" H "\r\n", 400},
    {"up, encoded", "GET /u/%2e%2E/api/v1/status HTTP/1.1\r\n" H "\r\n", 400},
    {"up by an encoded slash", "GET /u/..%2fapi HTTP/1.1\r\n" H "\r\n", 400},
    {"here", "GET /./echo HTTP/1.1\r\n" H "\r\n", 400},
    {"two slashes", "GET //echo HTTP/1.1\r\n" H "\r\n", 400},
    {"a backslash", "GET /u\\..\\x HTTP/1.1\r\n" H "\r\n", 400},
    {"an encoded backslash", "GET /u%5Cx HTTP/1.1\r\n" H "\r\n", 400},
    {"NUL", "GET /echo%00.html HTTP/1.1\r\n" H "\r\n", 400},
    {"a line end", "GET /echo%0d%0aX:%20y HTTP/1.1\r\n" H "\r\n", 400},
    {"half an encoding", "GET /echo%2 HTTP/1.1\r\n" H "\r\n", 400},
    {"no encoding", "GET /echo%zz HTTP/1.1\r\n" H "\r\n", 400},
    {"no UTF-8", "GET /echo%ff HTTP/1.1\r\n" H "\r\n", 400},
    {"raw bytes", "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", 400},
    {"NUL in the query", "GET /echo?state=%00 HTTP/1.1\r\n" H "\r\n", 400},
    {"too many fields", "GET /echo?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q HTTP/1.1\r\n" H "\r\n", 400},
};

static void forms_that_smuggle(void **state)
{
    struct place place;

    (void)state;
    place_open(&place, (struct server_spec){0});
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        for (int by_unix = 0; by_unix < 2; by_unix++) {
            struct peer peer = peer_open(&place, by_unix);
            char expected[32];
            unsigned before = place.calls;
            snprintf(expected, sizeof expected, "HTTP/1.1 %d ", forms[i].status);
            peer_send(&place, &peer, text_of(forms[i].bytes));
            bool fits = peer_wait(&place, &peer, expected) && strncmp(peer.got.ptr, expected, strlen(expected)) == 0;
            if (!fits)
                fail_msg("%s: %s", forms[i].what, peer.got.len ? peer.got.ptr : "no answer");
            if (forms[i].status >= 400 && place.calls != before)
                fail_msg("%s: the handler was asked", forms[i].what);
            if (forms[i].status >= 400 && !peer_wait(&place, &peer, NULL))
                fail_msg("%s: the connection stays open", forms[i].what);
            if (strstr(peer.got.ptr, "Server:"))
                fail_msg("%s: it says what it is", forms[i].what);
            peer_close(&peer);
        }
    }
    place_close(&place);
}

/* --- What comes through, and how it is answered --------------------------------------------------------------------
 */

static void what_the_handler_sees(void **state)
{
    struct place place;
    struct peer peer;

    (void)state;
    place_open(&place, (struct server_spec){0});
    peer = ask(&place, true,
               "POST /a%20b/%C3%A4?state=in+doubt%26x&=&state=2 HTTP/1.1\r\n" H
               "X-Word: yes\r\nContent-Type: text/x\r\nContent-Length: 3\r\n\r\nabc",
               "\"word\":\"yes\"}");
    expect_word(&place, &peer, "\"method\":\"POST\",\"path\":\"/a b/\xc3\xa4\",\"body\":\"abc\",\"type\":\"text/x\"");
    expect_word(&place, &peer, "\"local\":true,\"who\":\"");
    expect_word(&place, &peer, "\"state\":\"in doubt&x\"");
    expect_word(&place, &peer, "Content-Type: application/json\r\n");
    peer_close(&peer);
    peer = ask(&place, false, "GET /echo HTTP/1.1\r\n" H "\r\n", "\"local\":false,\"who\":\"127.0.0.1\"");
    peer_close(&peer);
    peer = ask(&place, true, "GET /echo HTTP/1.1\r\n" H "X-Forwarded-For: 192.0.2.7\r\n\r\n",
               "\"local\":false,\"who\":\"192.0.2.7\"");
    peer_close(&peer);
    peer = ask(&place, true, "GET /echo HTTP/1.1\r\n" H "Via: 1.1 proxy\r\n\r\n", "\"local\":false,\"who\":\"");
    peer_close(&peer);
    place_close(&place);
}

static void what_answers_have(void **state)
{
    static const struct {
        const char *path, *words[6];
    } cases[] = {
        {"/echo",
         {"HTTP/1.1 200 OK", "Cache-Control: no-store\r\n", "Content-Security-Policy: default-src 'none'",
          "X-Content-Type-Options: nosniff\r\n", "Referrer-Policy: no-referrer\r\n", "X-Frame-Options: DENY\r\n"}},
        {"/page", {"Content-Security-Policy: default-src 'self'\r\n", "Cache-Control: max-age=60\r\n", "<p>hello"}},
        {"/refuse",
         {"HTTP/1.1 409", "Content-Type: application/problem+json\r\n", "\"status\":409",
          "\"detail\":\"not \\\"now\\\"\""}},
        {"/next", {"Link: </api/v1/x?after=7>; rel=\"next\"\r\n", "\r\n\r\n[]"}},
        {"/file",
         {"Content-Disposition: attachment; filename=\"back__up__.db\"\r\n", "Content-Length: 19\r\n",
          "what the file holds"}},
        {"/../x", {"HTTP/1.1 400", "X-Frame-Options: DENY\r\n", "Connection: close\r\n"}},
    };
    struct place place;
    char request[256];

    (void)state;
    place_open(&place, (struct server_spec){0});
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" H "\r\n", cases[i].path);
        struct peer peer = ask(&place, false, request, cases[i].words[0]);
        for (size_t k = 1; k < ARRAY_LEN(cases[i].words) && cases[i].words[k]; k++)
            expect_word(&place, &peer, cases[i].words[k]);
        peer_close(&peer);
    }
    struct peer peer = ask(&place, false, "OPTIONS /echo HTTP/1.1\r\n" H "\r\n", "\r\n\r\n");
    expect_word(&place, &peer, "HTTP/1.1 204 ");
    expect_word(&place, &peer, "Allow: GET, HEAD, POST, OPTIONS\r\n");
    peer_close(&peer);
    place_close(&place);
}

static size_t count_of(const struct peer *peer, const char *word)
{
    size_t count = 0;

    for (const char *at = peer->got.ptr; at && (at = strstr(at, word)); at++)
        count++;
    return count;
}

/* HEAD has no body, and the connection goes on; pipelined requests are answered in their order. */
static void one_after_another(void **state)
{
    struct place place;

    (void)state;
    place_open(&place, (struct server_spec){0});
    struct peer peer = ask(&place, false,
                           "HEAD /page HTTP/1.1\r\n" H "\r\nGET /a HTTP/1.1\r\n" H "\r\nPOST /b HTTP/1.1\r\n" H
                           "Content-Length: 4\r\n\r\nGET GET /c HTTP/1.1\r\n" H "\r\n",
                           "\"path\":\"/c\"");
    assert_int_equal(count_of(&peer, "HTTP/1.1 200"), 4);
    assert_int_equal(count_of(&peer, "<p>hello"), 0);
    assert_int_equal(count_of(&peer, "\"body\":\"GET \""), 1);
    assert_true(strstr(peer.got.ptr, "\"path\":\"/a\"") < strstr(peer.got.ptr, "\"path\":\"/b\""));
    peer_send(&place, &peer, TEXT("GET /again HTTP/1.1\r\n" H "\r\n"));
    expect_word(&place, &peer, "\"path\":\"/again\"");
    peer_close(&peer);
    place_close(&place);
}

static void add_repeated(struct buf *buf, const char *piece, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_adds(buf, piece);
}

static void too_much(void **state)
{
    struct place place;
    struct peer peer;
    auto_buf struct buf bytes;

    (void)state;
    place_open(&place, (struct server_spec){0});
    buf_init(&bytes, 4 << 20);
    buf_adds(&bytes, "GET /echo HTTP/1.1\r\n" H "X-Word: ");
    add_repeated(&bytes, "yyyyyyyyyyyyyyyy", 4096);
    buf_adds(&bytes, "\r\n\r\n");
    peer = ask(&place, false, bytes.ptr, "HTTP/1.1 431 ");
    peer_close(&peer);

    buf_reset(&bytes); /* a body that is as large as it may be */
    buf_adds(&bytes, "POST /echo HTTP/1.1\r\n" H "Content-Length: 65536\r\n\r\n");
    add_repeated(&bytes, "yyyyyyyyyyyyyyyy", 4096);
    peer = ask(&place, false, bytes.ptr, "HTTP/1.1 200 ");
    peer_close(&peer);

    buf_reset(&bytes); /* too large, but nobody knows before its end */
    buf_adds(&bytes, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n");
    add_repeated(&bytes, "10\r\nyyyyyyyyyyyyyyyy\r\n", 4097);
    buf_adds(&bytes, "0\r\n\r\n");
    unsigned before = place.calls;
    peer = ask(&place, false, bytes.ptr, "HTTP/1.1 413 ");
    assert_int_equal(place.calls, before);
    assert_true(peer_wait(&place, &peer, NULL));
    peer_close(&peer);

    buf_reset(&bytes); /* without end */
    buf_adds(&bytes, "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n");
    add_repeated(&bytes, "10\r\nyyyyyyyyyyyyyyyy\r\n", 80000);
    peer = peer_open(&place, false);
    peer_send(&place, &peer, buf_text(&bytes));
    assert_true(peer_wait(&place, &peer, NULL));
    assert_int_equal(place.calls, before);
    peer_close(&peer);

    peer = ask(&place, false, "POST /echo HTTP/1.1\r\n" H "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
               "HTTP/1.1 100 ");
    peer_send(&place, &peer, TEXT("{}"));
    expect_word(&place, &peer, "\"body\":\"{}\"");
    peer_close(&peer);
    peer = ask(&place, false, "POST /echo HTTP/1.1\r\n" H "Content-Length: 99999\r\nExpect: 100-continue\r\n\r\n",
               "HTTP/1.1 413 ");
    assert_int_equal(count_of(&peer, "HTTP/1.1 100"), 0);
    peer_close(&peer);
    place_close(&place);
}

/* --- Time ----------------------------------------------------------------------------------------------------------
 */

static int64_t mono_ms(void)
{
    return clock_mono_ms(&clock_machine);
}

/* A byte now and then keeps nobody's place: each of these is closed a second or two after it began. */
static void slow_ones_are_closed(void **state)
{
    static const char *const slow[] = {
        "", "GET /echo HTTP/1.1\r\nX-Word: ", "POST /echo HTTP/1.1\r\n" H "Content-Length: 50\r\n\r\n",
        "GET /echo HTTP/1.1\r\n" H "\r\n", /* answered, then silent or slow */
    };
    struct peer peers[ARRAY_LEN(slow)];
    struct place place;
    size_t open = ARRAY_LEN(slow);

    (void)state;
    place_open(&place, (struct server_spec){.ask_ms = 1000});
    struct peer late = peer_open(&place, false);
    peer_send(&place, &late, TEXT("GET /late HTTP/1.1\r\n" H "\r\n"));
    for (size_t i = 0; i < open; i++) {
        peers[i] = peer_open(&place, i % 2);
        peer_send(&place, &peers[i], text_of(slow[i]));
    }
    int64_t began_ms = mono_ms();
    while (open > 0) {
        for (int i = 0; i < 100; i++)
            turn(&place);
        for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
            if (peers[i].ended)
                continue;
            send(peers[i].fd, "y", 1, MSG_NOSIGNAL);
            peer_read(&peers[i]);
            open -= peers[i].ended;
        }
        assert_true(mono_ms() - began_ms < 4000);
    }
    assert_true(mono_ms() - began_ms >= 900);
    assert_int_equal(place.waiting_count, 1);
    server_answer(place.waiting[0], 200,
                  json_pack("{s:s}", "it", "waited for us")); /* that is not the client's fault */
    expect_word(&place, &late, "waited for us");
    peer_close(&late);
    for (size_t i = 0; i < ARRAY_LEN(peers); i++)
        peer_close(&peers[i]);
    place_close(&place);
}

/* Half a request and its end in one go. */
static void half_a_request(void **state)
{
    struct place place;

    (void)state;
    place_open(&place, (struct server_spec){0});
    struct peer peer = peer_open(&place, false);
    assert_int_equal(send(peer.fd, "GET /echo HT", 12, 0), 12);
    assert_return_code(shutdown(peer.fd, SHUT_WR), errno);
    assert_true(peer_wait(&place, &peer, NULL));
    assert_int_equal(peer.got.len, 0);
    peer_close(&peer);
    place_close(&place);
}

static void requests_wait_when_it_closes(void **state)
{
    struct place place;
    struct peer peers[3];

    (void)state;
    place_open(&place, (struct server_spec){0});
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        peers[i] = peer_open(&place, i % 2);
        peer_send(&place, &peers[i],
                  i == 2 ? TEXT("GET /stream HTTP/1.1\r\n" H "\r\n") : TEXT("GET /late HTTP/1.1\r\n" H "\r\n"));
    }
    for (int i = 0; i < 1000 && (place.waiting_count < 2 || !place.stream); i++)
        turn(&place);
    assert_int_equal(place.waiting_count, 2);
    struct peer late = ask(&place, false, "GET /echo HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200");
    buf_reset(&late.got);
    assert_int_equal(send(late.fd, "GET /echo HTTP/1.1\r\n" H "\r\n", 31, 0), 31);
    unsigned before = place.calls;
    server_close(place.server);
    assert_int_equal(place.calls, before); /* it came when nobody was there to be asked */
    assert_true(peer_wait(&place, &late, NULL));
    assert_int_equal(count_of(&late, "HTTP/1.1 503"), 1);
    peer_close(&late);
    place.server = NULL;
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        assert_true(peer_wait(&place, &peers[i], NULL));
        assert_int_equal(count_of(&peers[i], i == 2 ? "HTTP/1.1 200" : "HTTP/1.1 503"), 1);
        peer_close(&peers[i]);
    }
    assert_int_equal(place.closed, 1);
    place_close(&place);
}

/* --- Streams -------------------------------------------------------------------------------------------------------
 */

static void a_stream(void **state)
{
    struct place place;

    (void)state;
    place_open(&place, (struct server_spec){.ask_ms = 500});
    struct peer peer = ask(&place, false, "GET /stream HTTP/1.1\r\n" H "\r\n", "\r\n\r\n");
    expect_word(&place, &peer, "Content-Type: text/event-stream\r\n");
    int64_t began_ms = mono_ms();
    while (mono_ms() - began_ms < 1800) /* longer than a request may take, and silent */
        turn(&place);
    assert_non_null(place.stream);
    assert_true(server_stream_write(place.stream, TEXT("data: one\n\n")));
    expect_word(&place, &peer, "data: one\n\n");
    assert_true(server_stream_write(place.stream, TEXT("data: two\n\n")));
    assert_true(server_stream_write(place.stream, TEXT("data: three\n\n")));
    server_stream_end(place.stream);
    expect_word(&place, &peer, "data: two\n\ndata: three\n\n");
    expect_word(&place, &peer, "\r\n0\r\n\r\n");
    assert_int_equal(place.closed, 0);
    peer_close(&peer);
    place_close(&place);
}

static void a_stream_that_is_left(void **state)
{
    struct place place;

    (void)state;
    place_open(&place, (struct server_spec){0});
    for (int by_unix = 0; by_unix < 2; by_unix++) {
        struct peer peer = ask(&place, by_unix, "GET /stream HTTP/1.1\r\n" H "\r\n", "\r\n\r\n");
        unsigned before = place.closed;
        peer_close(&peer);
        for (int i = 0; i < 4000 && place.closed == before; i++)
            turn(&place);
        assert_int_equal(place.closed, before + 1);
    }
    place_close(&place);
}

/* Its buffer is bounded; what it did not read is lost with it. */
static void a_stream_that_nobody_reads(void **state)
{
    struct place place;
    char piece[1000];
    size_t written = 0;

    (void)state;
    memset(piece, 'z', sizeof piece);
    place_open(&place, (struct server_spec){0});
    struct peer peer = ask(&place, true, "GET /stream HTTP/1.1\r\n" H "\r\n", "\r\n\r\n");
    struct peer other = ask(&place, true, "GET /echo HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200");
    while (place.stream && server_stream_write(place.stream, (struct text){piece, sizeof piece})) {
        written += sizeof piece;
        turn(&place);
        assert_true(written < 16 << 20);
    }
    for (int i = 0; i < 4000 && place.closed == 0; i++)
        turn(&place);
    assert_int_equal(place.closed, 1);
    assert_true(written >= 256 * 1024);
    assert_true(peer_wait(&place, &peer, NULL));
    peer_send(&place, &other, TEXT("GET /echo HTTP/1.1\r\n" H "\r\n"));
    expect_word(&place, &other, "HTTP/1.1 200");
    peer_close(&peer);
    peer_close(&other);
    place_close(&place);
}

/* Large answers arrive whole, also when read slowly. */
static void a_large_answer(void **state)
{
    struct place place;

    (void)state;
    place_open(&place, (struct server_spec){0});
    struct peer peer = peer_open(&place, false);
    peer_send(&place, &peer, TEXT("GET /big HTTP/1.1\r\n" H "\r\n"));
    for (int i = 0; i < 200; i++)
        turn(&place);
    size_t before = 0;
    do {
        before = peer.got.len;
        expect_word(&place, &peer, "HTTP/1.1 200");
        for (int i = 0; i < 50; i++) {
            turn(&place);
            peer_read(&peer);
        }
    } while (peer.got.len > before);
    assert_true(peer.got.len > 8 << 20);
    peer_close(&peer);
    place_close(&place);
}

/* --- Limits --------------------------------------------------------------------------------------------------------
 */

static void connections_are_limited(void **state)
{
    struct place place;
    struct peer peers[24];
    struct origin_net loopback;
    size_t ended = 0;

    (void)state;
    assert_int_equal(origin_net_read(TEXT("127.0.0.0/8"), &loopback, NULL), 0);
    for (int is_proxy = 0; is_proxy < 2; is_proxy++) {
        /* all, or for one address an eighth and one more */
        size_t most = is_proxy ? 16 : 3;
        place_open(&place,
                   (struct server_spec){.connections = 16, .proxies = &loopback, .proxy_count = (size_t)is_proxy});
        for (size_t i = 0; i < ARRAY_LEN(peers); i++)
            peers[i] = peer_open(&place, false);
        for (int i = 0; i < 200; i++)
            turn(&place);
        ended = 0;
        for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
            peer_read(&peers[i]);
            ended += peers[i].ended;
        }
        assert_int_equal(ended, ARRAY_LEN(peers) - most);
        struct peer local = ask(&place, true, "GET /echo HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200");
        peer_close(&local);
        for (size_t i = 0; i < ARRAY_LEN(peers); i++)
            peer_close(&peers[i]);
        for (int i = 0; i < 200; i++)
            turn(&place);
        struct peer again = ask(&place, false, "GET /echo HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200");
        peer_close(&again);
        place_close(&place);
    }
}

/* A crowd that asks for hard work gets a quarter of the time; the loop and the other sockets go on. */
static void the_loop_is_shared(void **state)
{
    struct place place;
    struct peer crowd[8];
    unsigned locals = 0;

    (void)state;
    place_open(&place, (struct server_spec){0});
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
        crowd[i] = peer_open(&place, false);
    int64_t began_ms = mono_ms();
    while (mono_ms() - began_ms < 1500) {
        for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
            send(crowd[i].fd, "GET /hard HTTP/1.1\r\n" H "\r\n", 31, MSG_NOSIGNAL);
        turn(&place);
        for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
            peer_read(&crowd[i]);
        struct peer local = ask(&place, true, "GET /echo HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200");
        peer_close(&local);
        locals++;
    }
    assert_true(locals > 20);
    assert_in_range(place.hard * HARD_MS, 20, 1500 / 4 + 100 + ARRAY_LEN(crowd) * HARD_MS);
    for (size_t i = 0; i < ARRAY_LEN(crowd); i++)
        peer_close(&crowd[i]);
    place_close(&place);
}

static size_t served(struct place *place, bool by_unix, const char *fields, size_t times)
{
    struct peer peer = peer_open(place, by_unix);
    char request[512];
    size_t fine = 0;

    for (size_t i = 0; i < times; i++) {
        snprintf(request, sizeof request, "GET /echo HTTP/1.1\r\n" H "%s\r\n", fields);
        buf_reset(&peer.got);
        peer_send(place, &peer, text_of(request));
        expect_word(place, &peer, "\r\n\r\n");
        if (strstr(peer.got.ptr, "HTTP/1.1 200")) {
            fine++;
            continue;
        }
        assert_non_null(strstr(peer.got.ptr, "HTTP/1.1 429 "));
        assert_non_null(strstr(peer.got.ptr, "Retry-After: 6"));
        break;
    }
    peer_close(&peer);
    return fine;
}

static void requests_are_limited(void **state)
{
    struct place place;
    struct origin_net loopback;

    (void)state;
    assert_int_equal(origin_net_read(TEXT("127.0.0.0/8"), &loopback, NULL), 0);
    place_open(&place,
               (struct server_spec){.rate = {.count = 1, .per_ms = 60 * 1000}, .proxies = &loopback, .proxy_count = 1});
    assert_int_equal(served(&place, false, "", 12), 10);
    assert_int_equal(served(&place, false, "", 12), 0);
    assert_int_equal(served(&place, true, "", 12), 12); /* a local caller */
    assert_int_equal(served(&place, false, "X-Forwarded-For: 192.0.2.1\r\n", 12), 10);
    assert_int_equal(served(&place, true, "X-Forwarded-For: 192.0.2.1\r\n", 12), 0);
    assert_int_equal(served(&place, true, "X-Forwarded-For: 192.0.2.2\r\n", 12), 10);
    /* what the client put there itself does not help it */
    assert_int_equal(served(&place, false, "X-Forwarded-For: 192.0.2.99, 192.0.2.1\r\n", 12), 0);
    assert_int_equal(
        served(&place, false, "X-Forwarded-For: 192.0.2.98\r\nX-Forwarded-For: 192.0.2.1, 127.0.0.7\r\n", 12), 0);
    assert_int_equal(served(&place, false, "X-Forwarded-For: 2001:db8::1\r\n", 12), 10);
    assert_int_equal(served(&place, false, "X-Forwarded-For: 2001:db8::2:1\r\n", 12), 0);
    assert_int_equal(served(&place, false, "X-Forwarded-For: 2001:db8:0:1::1\r\n", 12), 10);
    place_close(&place);
    place_open(&place, (struct server_spec){.rate = {.count = 1, .per_ms = 60 * 1000}});
    assert_int_equal(served(&place, false, "X-Forwarded-For: 192.0.2.1\r\n", 12), 10);
    assert_int_equal(served(&place, false, "X-Forwarded-For: 192.0.2.2\r\n", 12), 0); /* from no proxy of ours */
    place_close(&place);
}

/* --- Listening -----------------------------------------------------------------------------------------------------
 */

static void where_it_listens(void **state)
{
    static const struct {
        const char *at, *why; /* NULL: fine */
    } cases[] = {
        {"127.0.0.1:0", NULL},
        {"[::1]:0", NULL},
        {"localhost:0", NULL},
        {"127.0.0.1", "expected unix:PATH or ADDRESS:PORT"},
        {"127.0.0.1:99999", "expected unix:PATH or ADDRESS:PORT"},
        {"example.org:80", "expected an address"},
        {"[127.0.0.1]:80", "expected an address"},
        {"unix:", "expected unix:PATH"},
        {"unix:/no/such/folder/socket", "/no/such/folder/socket: "},
        {"192.0.2.1:80", "192.0.2.1:80: "},
    };
    uv_loop_t loop;

    (void)state;
    uv_loop_init(&loop);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = {0};
        struct server_spec spec = {.loop = &loop, .listen = &cases[i].at, .listen_count = 1, .handler = on_request};
        struct server *server = server_new(&spec, &err);
        if ((server != NULL) != (cases[i].why == NULL) || (cases[i].why && !strstr(err.text, cases[i].why)))
            fail_msg("%s: %s", cases[i].at, err.text);
        server_close(server);
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    assert_int_equal(uv_loop_close(&loop), 0);
}

static void a_socket_file_in_the_way(void **state)
{
    struct place place;
    struct error err = {0};

    (void)state;
    place_open(&place, (struct server_spec){0});
    const char *at = place.unix_at;
    struct server_spec spec = {.loop = &place.loop, .listen = &at, .listen_count = 1, .handler = on_request};
    assert_null(server_new(&spec, &err));
    assert_non_null(strstr(err.text, "another program listens there"));
    place_close(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_that_smuggle),
        cmocka_unit_test(what_the_handler_sees),
        cmocka_unit_test(what_answers_have),
        cmocka_unit_test(one_after_another),
        cmocka_unit_test(too_much),
        cmocka_unit_test(slow_ones_are_closed),
        cmocka_unit_test(half_a_request),
        cmocka_unit_test(requests_wait_when_it_closes),
        cmocka_unit_test(a_stream),
        cmocka_unit_test(a_stream_that_is_left),
        cmocka_unit_test(a_stream_that_nobody_reads),
        cmocka_unit_test(a_large_answer),
        cmocka_unit_test(connections_are_limited),
        cmocka_unit_test(the_loop_is_shared),
        cmocka_unit_test(requests_are_limited),
        cmocka_unit_test(where_it_listens),
        cmocka_unit_test(a_socket_file_in_the_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
