/* A real server on real sockets: one body that many answers read, and requests that are charged by their handler. */
#include "place.h"

#define SHARED "GET /shared HTTP/1.1\r\n" H
#define VALIDATORS "Cache-Control: public, max-age=300\r\n"

enum { BIG = 8 << 20 };

static void on_gone(void *ctx)
{
    ++*(unsigned *)ctx;
}

static struct server_page *page_of(struct text plain, struct text gzip, unsigned *gone)
{
    return server_page_new(&(struct server_page_spec){.type = "text/calendar; charset=utf-8",
                                                      .plain = plain,
                                                      .gzip = gzip,
                                                      .etag = "\"v1\"",
                                                      .gzip_etag = "\"v1-gz\"",
                                                      .modified_at_ms = INT64_C(784111777000),
                                                      .cache_control = "public, max-age=300",
                                                      .fields = {{"X-Word", "yes"}},
                                                      .gone = on_gone,
                                                      .ctx = gone});
}

/* What stands in an answer, and what does not; behind it comes another one, so its end is where it should be. */
static const struct {
    const char *what, *bytes, *has[8], *has_not[5];
} answers[] = {
    {"whole",
     SHARED "\r\n",
     {"HTTP/1.1 200 OK\r\n", "ETag: \"v1\"\r\n", VALIDATORS, "Vary: Accept-Encoding\r\n", "Content-Length: 5\r\n",
      "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n", "X-Word: yes\r\n", "\r\n\r\nplain"},
     {"Content-Encoding", "no-store"}},
    {"packed",
     SHARED "Accept-Encoding: br, gzip\r\n\r\n",
     {"HTTP/1.1 200 OK\r\n", "ETag: \"v1-gz\"\r\n", "Content-Encoding: gzip\r\n", "Vary: Accept-Encoding\r\n",
      "\r\n\r\nPACK", "Content-Type: text/calendar; charset=utf-8\r\n", "X-Content-Type-Options: nosniff\r\n"},
     {"plain"}},
    {"head",
     "HEAD /shared HTTP/1.1\r\n" H "\r\n",
     {"HTTP/1.1 200 OK\r\n", "ETag: \"v1\"\r\n", "Content-Length: 5\r\n", "X-Word: yes\r\n"},
     {"plain"}},
    {"head, packed",
     "HEAD /shared HTTP/1.1\r\n" H "Accept-Encoding: gzip\r\n\r\n",
     {"HTTP/1.1 200 OK\r\n", "ETag: \"v1-gz\"\r\n", "Content-Length: 4\r\n", "Content-Encoding: gzip\r\n"},
     {"PACK"}},
    {"has it",
     SHARED "If-None-Match: \"x\", W/\"v1\"\r\n\r\n",
     {"HTTP/1.1 304 Not Modified\r\n", "ETag: \"v1\"\r\n", VALIDATORS, "Vary: Accept-Encoding\r\n",
      "Content-Length: 5\r\n"},
     {"\r\n\r\np", "X-Word", "Content-Type", "no-store"}},
    {"has it, by lines",
     SHARED "If-None-Match: \"x\"\r\nIf-None-Match: \"v1\"\r\n\r\n",
     {"HTTP/1.1 304 Not Modified\r\n", "ETag: \"v1\"\r\n"},
     {"plain"}},
    {"has it packed",
     SHARED "Accept-Encoding: gzip\r\nIf-None-Match: \"v1-gz\"\r\n\r\n",
     {"HTTP/1.1 304 Not Modified\r\n", "ETag: \"v1-gz\"\r\n", "Content-Length: 4\r\n"},
     {"PACK", "Content-Encoding"}},
    {"head of what it has",
     "HEAD /shared HTTP/1.1\r\n" H "If-None-Match: *\r\n\r\n",
     {"HTTP/1.1 304 Not Modified\r\n", "ETag: \"v1\"\r\n"},
     {"Content-Length: 0"}},
    {"has it by date",
     SHARED "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
     {"HTTP/1.1 304 Not Modified\r\n", "ETag: \"v1\"\r\n"},
     {"plain"}},
    {"has another",
     SHARED "If-None-Match: \"v0\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
     {"HTTP/1.1 200 OK\r\n", "\r\n\r\nplain"},
     {NULL}},
};

static void forms(void **state)
{
    struct place place;
    unsigned gone = 0;

    (void)state;
    place_open(&place, (struct server_spec){0});
    place.page = page_of(TEXT("plain"), TEXT("PACK"), &gone);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        auto_buf struct buf bytes;
        buf_init(&bytes, 4096);
        buf_addf(&bytes, "%sGET /echo HTTP/1.1\r\n" H "X-Word: behind\r\n\r\n", answers[i].bytes);
        struct peer peer = ask(&place, i % 2, bytes.ptr, "\"word\":\"behind\"");
        char *behind = strstr(peer.got.ptr + 1, "HTTP/1.1 200");
        assert_non_null(behind);
        *behind = '\0';
        for (size_t k = 0; k < ARRAY_LEN(answers[i].has) && answers[i].has[k]; k++)
            if (!strstr(peer.got.ptr, answers[i].has[k]))
                fail_msg("%s: no %s in %s", answers[i].what, answers[i].has[k], peer.got.ptr);
        for (size_t k = 0; k < ARRAY_LEN(answers[i].has_not) && answers[i].has_not[k]; k++)
            if (strstr(peer.got.ptr, answers[i].has_not[k]))
                fail_msg("%s: %s in %s", answers[i].what, answers[i].has_not[k], peer.got.ptr);
        peer_close(&peer);
    }
    assert_int_equal(gone, 0);
    server_page_drop(place.page);
    assert_int_equal(gone, 1);
    place_close(&place);
}

/* Whoever takes it when it is dropped still gets all of it, and then it is gone; nothing is copied meanwhile. */
static void dropped_while_it_is_taken(void **state)
{
    struct peer peers[20];
    struct place place;
    auto_free char *big = must_calloc(1, BIG + 1);
    unsigned gone = 0;

    (void)state;
    memset(big, 'x', BIG);
    memcpy(big + BIG - 5, "[end]", 5);
    place_open(&place, (struct server_spec){0});
    place.page = page_of((struct text){big, BIG}, (struct text){0}, &gone);
    for (size_t i = 0; i < ARRAY_LEN(peers); i++)
        peers[i] = ask(&place, i % 2, SHARED "\r\n", "\r\n\r\nxxx");
    server_page_drop(place.page);
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        assert_int_equal(gone, 0);
        while (peers[i].got.len < BIG && !peers[i].ended) {
            turn(&place);
            peer_read(&peers[i]);
        }
        expect_word(&place, &peers[i], "x[end]");
        assert_null(strstr(peers[i].got.ptr, "Vary"));
        peer_close(&peers[i]);
    }
    for (int i = 0; i < 1000 && !gone; i++)
        turn(&place);
    assert_int_equal(gone, 1);
    place_close(&place);
}

static void left_in_the_middle(void **state)
{
    struct place place;
    auto_free char *big = must_calloc(1, BIG + 1);
    unsigned gone = 0;

    (void)state;
    memset(big, 'x', BIG);
    place_open(&place, (struct server_spec){0});
    place.page = page_of((struct text){big, BIG}, (struct text){0}, &gone);
    struct peer peer = ask(&place, false, SHARED "\r\n", "\r\n\r\nxxx"),
                other = ask(&place, true, SHARED "\r\n", "xxx");
    server_page_drop(place.page);
    peer_close(&peer);
    place_close(&place); /* the other one is in the middle, too */
    assert_int_equal(gone, 1);
    peer_close(&other);
}

/* --- What the handler charges ------------------------------------------------------------------------------------- */

static bool charges(void *ctx, const char *path)
{
    (void)ctx;
    return strcmp(path, "/charged") == 0;
}

static size_t answered(struct place *place, const char *path, size_t times, const char *status)
{
    size_t count = 0;

    for (size_t i = 0; i < times; i++) {
        char request[128];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" H "\r\n", path);
        struct peer peer = ask(place, false, request, "\r\n\r\n");
        count += count_of(&peer, status);
        peer_close(&peer);
    }
    return count;
}

static void charged_by_the_handler(void **state)
{
    struct place place;

    (void)state;
    place_open(&place, (struct server_spec){.rate = {1, HOUR_MS}, .charges = charges});
    assert_int_equal(answered(&place, "/charged", 40, "HTTP/1.1 200"), 40);
    assert_int_equal(answered(&place, "/echo", 4, "HTTP/1.1 200"), 4);
    place.miss = true;
    assert_int_equal(answered(&place, "/charged", 10, "HTTP/1.1 404"), 6); /* ten at once, for all paths */
    assert_int_equal(answered(&place, "/charged", 5, "HTTP/1.1 429"), 5);
    assert_int_equal(answered(&place, "/echo", 5, "HTTP/1.1 429"), 5);
    assert_int_equal(answered(&place, "/charged/../charged", 1, "HTTP/1.1 429"), 1);
    place.miss = false; /* it asks before it looks */
    assert_int_equal(answered(&place, "/charged", 5, "HTTP/1.1 429"), 5);
    struct peer peer = ask(&place, true, "GET /charged HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200");
    peer_close(&peer);
    place_close(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms),
        cmocka_unit_test(dropped_while_it_is_taken),
        cmocka_unit_test(left_in_the_middle),
        cmocka_unit_test(charged_by_the_handler),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
