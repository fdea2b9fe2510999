/* A real server on real sockets, and clients that are slow, many, or leave. */
#include "place.h"

/* --- Time ----------------------------------------------------------------------------------------------------------
 */

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

/* Who asks for much and reads nothing costs a bounded room, and keeps nobody else from a page. */
static void large_answers_are_bounded(void **state)
{
    struct place place;
    struct peer peers[12];
    size_t served = 0, refused = 0;

    (void)state;
    place_open(&place, (struct server_spec){.connections = 512});
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        peers[i] = peer_open(&place, false);
        peer_send(&place, &peers[i], TEXT("GET /big HTTP/1.1\r\n" H "\r\n")); /* 8 MB each */
    }
    for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
        char head[16] = "";
        while (recv(peers[i].fd, head, 12, MSG_PEEK) < 12)
            turn(&place);
        served += strcmp(head, "HTTP/1.1 200") == 0;
        refused += strcmp(head, "HTTP/1.1 503") == 0;
    }
    assert_int_equal(served, 8);
    assert_int_equal(refused, 4);
    struct peer small = ask(&place, false, "GET /echo HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200"),
                local = ask(&place, true, "GET /big HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200");
    peer_close(&small);
    peer_close(&local);
    for (size_t i = 0; i < ARRAY_LEN(peers); i++)
        peer_close(&peers[i]);
    for (int i = 0; i < 200; i++)
        turn(&place);
    struct peer again = ask(&place, false, "GET /big HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 200");
    peer_close(&again);
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

/* A proxy that passes bodies on as they come holds a connection to us for each client that is slow: no one client of it
 * takes them all. */
static void a_crowd_behind_a_proxy_is_limited(void **state)
{
    static const char head[] =
        "POST /echo HTTP/1.1\r\n" H "X-Forwarded-For: 2001:db8::%zu\r\nContent-Length: 9\r\n\r\nhalf";
    struct place place;
    struct peer peers[24];
    struct origin_net loopback;

    (void)state;
    assert_int_equal(origin_net_read(TEXT("127.0.0.0/8"), &loopback, NULL), 0);
    for (int by_unix = 0; by_unix < 2; by_unix++) {
        size_t most = by_unix ? 128 / 8 + 1 : 40 / 8 + 1, refused = 0;
        place_open(&place, (struct server_spec){.connections = 40, .proxies = &loopback, .proxy_count = 1});
        for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
            char request[256];
            snprintf(request, sizeof request, head, i + 1);
            peers[i] = peer_open(&place, by_unix);
            peer_send(&place, &peers[i], text_of(request));
        }
        for (int i = 0; i < 200; i++)
            turn(&place);
        for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
            peer_read(&peers[i]);
            refused += peers[i].got.len && strstr(peers[i].got.ptr, "HTTP/1.1 429 ");
        }
        assert_int_equal(refused, ARRAY_LEN(peers) - most);
        struct peer other =
            ask(&place, by_unix, "GET /echo HTTP/1.1\r\n" H "X-Forwarded-For: 192.0.2.1\r\n\r\n", "HTTP/1.1 200");
        peer_close(&other);
        for (size_t i = 0; i < ARRAY_LEN(peers); i++)
            peer_close(&peers[i]);
        for (int i = 0; i < 200; i++)
            turn(&place);
        struct peer again =
            ask(&place, by_unix, "GET /echo HTTP/1.1\r\n" H "X-Forwarded-For: 2001:db8::1\r\n\r\n", "HTTP/1.1 200");
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

static bool is_calm(void *ctx)
{
    return ((struct place *)ctx)->calm;
}

/* Turns of the loop that gave a crowd nothing while it waited for hard work. */
static unsigned turns_at_rest(struct place *place)
{
    enum { TIMES = 40 };
    struct peer peer = peer_open(place, false);
    unsigned end = place->hard + TIMES, rests = 0;

    for (int i = 0; i < TIMES; i++)
        peer_send(place, &peer, TEXT("GET /hard HTTP/1.1\r\n" H "\r\n"));
    while (place->hard < end && rests < 5000) {
        unsigned before = place->hard;
        turn(place);
        peer_read(&peer);
        rests += place->hard == before;
    }
    peer_close(&peer);
    return rests;
}

/* Where nobody needs the loop a crowd may have it, and only as long as that is so. */
static void the_loop_is_free(void **state)
{
    struct place place;

    (void)state;
    place_open(&place, (struct server_spec){.calm = is_calm});
    place.calm = true;
    assert_in_range(turns_at_rest(&place), 0, 5);
    place.calm = false;
    assert_in_range(turns_at_rest(&place), 50, 5000);
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

/* Who asks for nonsense asks as often as others may, and no more. */
static void nonsense_is_limited(void **state)
{
    struct place place;
    unsigned refused = 0;

    (void)state;
    place_open(&place, (struct server_spec){.rate = {.count = 1, .per_ms = 60 * 1000}});
    for (int i = 0; i < 12; i++) {
        struct peer peer = ask(&place, false, "PUT /echo HTTP/1.1\r\n" H "\r\n", "\r\n\r\n");
        refused += strstr(peer.got.ptr, "HTTP/1.1 429 ") != NULL;
        peer_close(&peer);
    }
    assert_int_equal(refused, 2);
    place_close(&place);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_ones_are_closed),
        cmocka_unit_test(half_a_request),
        cmocka_unit_test(requests_wait_when_it_closes),
        cmocka_unit_test(a_stream),
        cmocka_unit_test(a_stream_that_is_left),
        cmocka_unit_test(a_stream_that_nobody_reads),
        cmocka_unit_test(a_large_answer),
        cmocka_unit_test(large_answers_are_bounded),
        cmocka_unit_test(connections_are_limited),
        cmocka_unit_test(a_crowd_behind_a_proxy_is_limited),
        cmocka_unit_test(nonsense_is_limited),
        cmocka_unit_test(the_loop_is_shared),
        cmocka_unit_test(the_loop_is_free),
        cmocka_unit_test(requests_are_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
