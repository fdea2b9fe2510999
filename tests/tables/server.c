/* A real server on real sockets: what it takes, what it refuses, what it answers. */
#include "place.h"

/* --- What is refused by its form -----------------------------------------------------------------------------------
 */

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
    {"a folded length", "POST /echo HTTP/1.1\r\n" H "Content-Length:\r\n 2\r\n\r\n{}", 400},
    {"a length that goes on", "POST /echo HTTP/1.1\r\n" H "Content-Length: 1\r\n\t2\r\nX-Word: a\r\n\r\n{}", 400},
    {"a folded coding", "POST /echo HTTP/1.1\r\n" H "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400},
    {"a folded client", "GET /echo HTTP/1.1\r\n" H "X-Forwarded-For:\r\n 192.0.2.1\r\n\r\n", 400},
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

/* A slip in the configuration costs no file. */
static void another_file_in_the_way(void **state)
{
    struct place place;
    struct error err = {0};
    char at[160];
    const char *listen_at = at;

    (void)state;
    place_open(&place, (struct server_spec){0});
    snprintf(at, sizeof at, "unix:%s/file", place.folder);
    struct server_spec spec = {.loop = &place.loop, .listen = &listen_at, .listen_count = 1, .handler = on_request};
    fclose(fopen(at + strlen("unix:"), "we"));
    assert_null(server_new(&spec, &err));
    assert_non_null(strstr(err.text, "a file that is no socket is in the way"));
    assert_return_code(unlink(at + strlen("unix:")), errno); /* it is still there */
    place_close(&place);
}

/* One that takes nobody more is alive, and is not waited for. */
static void a_busy_socket_in_the_way(void **state)
{
    struct place place;
    struct error err = {0};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char at[160];
    const char *listen_at = at;
    int fds[4];

    (void)state;
    place_open(&place, (struct server_spec){0});
    snprintf(address.sun_path, sizeof address.sun_path, "%s/busy", place.folder);
    snprintf(at, sizeof at, "unix:%s", address.sun_path);
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_return_code(bind(fds[0], (struct sockaddr *)&address, sizeof address), errno);
    assert_return_code(listen(fds[0], 0), errno);
    for (size_t i = 1; i < ARRAY_LEN(fds); i++)
        connect(fds[i], (struct sockaddr *)&address, sizeof address);
    assert_int_equal(errno, EAGAIN);
    struct server_spec spec = {.loop = &place.loop, .listen = &listen_at, .listen_count = 1, .handler = on_request};
    assert_null(server_new(&spec, &err));
    assert_non_null(strstr(err.text, "another program listens there"));
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
    unlink(address.sun_path);
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
        cmocka_unit_test(where_it_listens),
        cmocka_unit_test(a_socket_file_in_the_way),
        cmocka_unit_test(another_file_in_the_way),
        cmocka_unit_test(a_busy_socket_in_the_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
