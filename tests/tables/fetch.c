#include "fetch.h"
#include "clock.h"
#include "page_server.h"

#include <openssl/ssl.h>

/* --- What came ------------------------------------------------------------------------------------------------ */

struct seen {
    int calls, status;
    char body[8192], content_type[64], request_id[64];
    int64_t retry_after_ms, date_ms, sent_at_ms, round_trip_ms;
    struct error failure;
    struct fetch *fetch, **drop; /* `drop` is cancelled from the callback */
    struct fetcher *close;
};

static void on_done(void *ctx, const struct fetch_result *result)
{
    struct seen *seen = ctx;

    seen->calls++;
    seen->status = result->status;
    snprintf(seen->body, sizeof seen->body, "%.*s", TEXT_ARGS(result->body));
    snprintf(seen->content_type, sizeof seen->content_type, "%.*s", TEXT_ARGS(result->content_type));
    snprintf(seen->request_id, sizeof seen->request_id, "%.*s", TEXT_ARGS(result->request_id));
    seen->retry_after_ms = result->retry_after_ms;
    seen->date_ms = result->date_ms;
    seen->sent_at_ms = result->sent_at_ms;
    seen->round_trip_ms = result->round_trip_ms;
    if (result->failure)
        seen->failure = *result->failure;
    if (seen->drop)
        fetch_cancel(seen->drop);
    fetch_cancel(&seen->fetch); /* our own, while it answers: allowed */
    if (seen->close)
        fetcher_close(seen->close);
}

static const char *url_of(struct server *server, const char *path)
{
    static char url[256];

    snprintf(url, sizeof url, "http://127.0.0.1:%u%s", server->port, path);
    return url;
}

struct bench {
    uv_loop_t loop;
    struct fetcher *fetcher;
};

static void bench_open(struct bench *bench)
{
    uv_loop_init(&bench->loop);
    bench->fetcher = fetcher_new(&bench->loop, NULL);
    assert_non_null(bench->fetcher);
}

static void bench_close(struct bench *bench)
{
    if (bench->fetcher)
        fetcher_close(bench->fetcher);
    assert_int_equal(uv_run(&bench->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&bench->loop), 0);
}

static void start(struct bench *bench, const struct fetch_spec *spec, struct seen *seen)
{
    struct error err = {0};

    seen->fetch = fetch_start(bench->fetcher, spec, on_done, seen, &err);
    if (!seen->fetch)
        fail_msg("%s", err.text);
    assert_int_equal(seen->calls, 0);
}

/* Every case by the loop and by fetch_wait(): both must see the same. */
static void answers(void **state)
{
    static const struct {
        const char *path;
        int status;
        const char *body, *request_id;
        int64_t retry_after_ms, date_ms;
        enum error_kind failure;
        const char *says;
    } cases[] = {
        {"/plain", 200, "hello", "abc-1", -1, MOMENT_NONE},
        {"/ids", 500, "", "wix-2", -1, MOMENT_NONE},
        {"/dated", 200, "", "", 90000, 1806048000000},
        {"/busy", 429, "", "", 7000, MOMENT_NONE},
        {"/odd", 503, "", "", -1, MOMENT_NONE},
        {"/moved", 302, "no", "", -1, MOMENT_NONE},
        {"/interim", 200, "ok", "", -1, MOMENT_NONE},
        {"/chunks", 200, "abcde", "", -1, MOMENT_NONE},
        {"/broken-chunks?key=secret", 0, "abc", "", -1, MOMENT_NONE, ERROR_TRY_LATER, "127.0.0.1:"},
        {"/cut?key=secret", 0, "half of", "", -1, MOMENT_NONE, ERROR_TRY_LATER, "broke off after 7 bytes"},
        {"/reset?key=secret", 0, "", "", -1, MOMENT_NONE, ERROR_TRY_LATER, "127.0.0.1:"},
        {"/empty?key=secret", 0, "", "", -1, MOMENT_NONE, ERROR_TRY_LATER, "Empty reply"},
        {"/garbage?key=secret", 0, "", "", -1, MOMENT_NONE, ERROR_TRY_LATER, "127.0.0.1:"},
        {"/hang?key=secret", 0, "", "", -1, MOMENT_NONE, ERROR_TRY_LATER, "no complete answer within 100 ms"},
        {"/slow-body?key=secret", 0, "so far", "", -1, MOMENT_NONE, ERROR_TRY_LATER, "no complete answer within"},
    };
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        const size_t c = i / 2;
        struct seen seen = {0};
        struct fetch_spec spec = {.method = "GET", .url = url_of(*state, cases[c].path)};
        if (strstr(cases[c].says ? cases[c].says : "", "within"))
            spec.timeout_ms = 100;
        if (i % 2) {
            assert_int_equal(fetch_wait(&spec, on_done, &seen, NULL), 0);
        } else {
            struct bench bench;
            bench_open(&bench);
            start(&bench, &spec, &seen);
            uv_run(&bench.loop, UV_RUN_DEFAULT);
            bench_close(&bench);
        }
        if (seen.calls != 1 || seen.status != cases[c].status || strcmp(seen.body, cases[c].body) != 0 ||
            strcmp(seen.request_id, cases[c].request_id) != 0 || seen.retry_after_ms != cases[c].retry_after_ms ||
            seen.date_ms != cases[c].date_ms || seen.failure.kind != cases[c].failure ||
            (cases[c].says && !strstr(seen.failure.text, cases[c].says)) || strstr(seen.failure.text, "secret"))
            fail_msg("%s: %d \"%s\" \"%s\" retry=%lld date=%lld %s", cases[c].path, seen.status, seen.body,
                     seen.request_id, (long long)seen.retry_after_ms, (long long)seen.date_ms, seen.failure.text);
        if (!cases[c].failure) {
            assert_in_range(clock_now_ms(&clock_machine) - seen.sent_at_ms, 0, 5000);
            assert_in_range(seen.round_trip_ms, 0, 5000);
        }
    }
}

static void requests(void **state)
{
    static const struct fetch_header headers[] = {{"Authorization", "Bearer t"}, {"X-Empty", ""}};
    static const struct {
        const char *method, *body, *first_line;
    } cases[] = {
        {"GET", "", "GET /echo HTTP/1.1\r\n"},       {"POST", "{\"a\":1}", "POST /echo HTTP/1.1\r\n"},
        {"POST", "", "POST /echo HTTP/1.1\r\n"},     {"PATCH", "{}", "PATCH /echo HTTP/1.1\r\n"},
        {"DELETE", "", "DELETE /echo HTTP/1.1\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct seen seen = {0};
        struct fetch_spec spec = {.method = cases[i].method,
                                  .url = url_of(*state, "/echo"),
                                  .headers = headers,
                                  .header_count = ARRAY_LEN(headers),
                                  .body = text_of(cases[i].body)};
        assert_int_equal(fetch_wait(&spec, on_done, &seen, NULL), 0);
        assert_int_equal(seen.status, 200);
        assert_int_equal(strncmp(seen.body, cases[i].first_line, strlen(cases[i].first_line)), 0);
        assert_non_null(strstr(seen.body, "\r\nAuthorization: Bearer t\r\n"));
        assert_non_null(strstr(seen.body, "\r\nX-Empty:\r\n"));
        assert_non_null(strstr(seen.body, "\r\nUser-Agent: onsale/"));
        assert_null(strstr(seen.body, "Expect"));
        assert_null(strstr(seen.body, "Content-Type"));
        assert_string_equal(strstr(seen.body, "\r\n\r\n") + 4, cases[i].body);
    }
}

static void large_bodies(void **state)
{
    struct bench bench;
    struct seen fits = {0}, over = {0};
    char *body = must_calloc(1, 100001);

    memset(body, 'x', 100000);
    bench_open(&bench);
    start(&bench, &(struct fetch_spec){.method = "POST", .url = url_of(*state, "/echo"), .body = text_of(body)}, &fits);
    start(&bench,
          &(struct fetch_spec){
              .method = "POST", .url = url_of(*state, "/echo"), .body = text_of(body), .body_limit = 99999},
          &over);
    memset(body, 'y', 100000); /* it was copied */
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    assert_int_equal(fits.status, 200);
    assert_null(strchr(fits.body, 'y'));
    assert_int_equal(over.failure.kind, ERROR_REFUSED);
    assert_non_null(strstr(over.failure.text, "answer over 99999 bytes"));
    bench_close(&bench);
    free(body);
}

static void refuses_to_start(void **state)
{
    static const struct {
        const char *url;
        struct fetch_header header;
    } cases[] = {
        {"file:///etc/passwd", {"A", "b"}},
        {"gopher://127.0.0.1/?secret", {"A", "b"}},
        {"smtp://127.0.0.1/?secret", {"A", "b"}},
        {"/only/a/path?secret", {"A", "b"}},
        {"", {"A", "b"}},
        {"http://", {"A", "b"}},
        {"http://127.0.0.1:99999/?secret", {"A", "b"}},
        {"http://127.0.0.1/?secret", {"A", "secret\r\nB: c"}},
        {"http://127.0.0.1/?secret", {"A B", "c"}},
        {"http://127.0.0.1/?secret", {"", "c"}},
    };
    struct bench bench;

    (void)state;
    bench_open(&bench);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = {0};
        struct seen seen = {0};
        struct fetch_spec spec = {.method = "GET", .url = cases[i].url, .headers = &cases[i].header, .header_count = 1};
        assert_null(fetch_start(bench.fetcher, &spec, on_done, &seen, &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_null(strstr(err.text, "secret"));
        assert_int_equal(fetch_wait(&spec, on_done, &seen, &err), -1);
        assert_int_equal(seen.calls, 0);
    }
    bench_close(&bench);
}

static void nobody_there(void **state)
{
    static const struct {
        const char *url, *says;
    } cases[] = {
        {"http://127.0.0.1:1/?secret", "127.0.0.1:1: Failed to connect"},
        {"http://nowhere.invalid/?secret", "nowhere.invalid: "},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench bench;
        struct seen seen = {0};
        bench_open(&bench);
        start(&bench, &(struct fetch_spec){.method = "GET", .url = cases[i].url, .timeout_ms = 3000}, &seen);
        uv_run(&bench.loop, UV_RUN_DEFAULT);
        assert_int_equal(seen.calls, 1);
        assert_int_equal(seen.failure.kind, ERROR_TRY_LATER);
        if (!strstr(seen.failure.text, cases[i].says) || strstr(seen.failure.text, "secret"))
            fail_msg("%s", seen.failure.text);
        bench_close(&bench);
    }
}

/* However this machine is called. A proxy of the environment is none for these. */
static void goes_to_public_addresses_only(void **state)
{
    static const struct {
        const char *host, *refused;
    } cases[] = {
        {"127.0.0.1", "127.0.0.1"},
        {"localhost", "1 is no address"},
        {"2130706433", "127.0.0.1"},
        {"0x7f.1", "127.0.0.1"},
        {"0", "0.0.0.0"},
        {"[::1]", "::1"},
        {"[::ffff:127.0.0.1]", "127.0.0.1"},
        {"169.254.169.254", "169.254.169.254"},
    };
    struct server *server = *state;
    char proxy[64];

    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", server->port);
    setenv("http_proxy", proxy, 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench bench;
        struct seen seen = {0}, waited = {0};
        struct error err = {0};
        char url[128];
        snprintf(url, sizeof url, "http://%s:%u/plain?secret", cases[i].host, server->port);
        struct fetch_spec spec = {.method = "GET", .url = url, .timeout_ms = 3000, .public_only = true};
        size_t accepted = accepted_by(server);
        bench_open(&bench);
        fetcher_public(bench.fetcher);
        start(&bench, &spec, &seen);
        uv_run(&bench.loop, UV_RUN_DEFAULT);
        assert_int_equal(fetch_wait(&spec, on_done, &waited, &err), 0);
        assert_int_equal(seen.failure.kind, ERROR_CONFIG);
        if (!strstr(seen.failure.text, "no address of the public internet") ||
            !strstr(seen.failure.text, cases[i].refused) || strstr(seen.failure.text, "secret") ||
            strcmp(seen.failure.text, waited.failure.text) != 0 || accepted_by(server) != accepted)
            fail_msg("%s: %s; %s", cases[i].host, seen.failure.text, waited.failure.text);
        bench_close(&bench);
    }
    unsetenv("http_proxy");
}

/* What is said beyond the limit is not read, and the answer counts. */
static void cuts_long_answers(void **state)
{
    static const struct {
        const char *path;
        size_t limit;
        const char *body;
    } cases[] = {{"/plain", 5, "hello"}, {"/plain", 2, "he"}, {"/chunks", 4, "abcd"}};
    struct server *server = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench bench;
        struct seen seen = {0};
        bench_open(&bench);
        start(&bench,
              &(struct fetch_spec){
                  .method = "GET", .url = url_of(server, cases[i].path), .body_limit = cases[i].limit, .cut = true},
              &seen);
        uv_run(&bench.loop, UV_RUN_DEFAULT);
        assert_int_equal(seen.status, 200);
        assert_string_equal(seen.body, cases[i].body);
        bench_close(&bench);
    }
}

/* A connection, and not a byte. */
static void reaches(void **state)
{
    struct server *server = *state;
    struct seen seen = {0};
    struct error err = {0};
    struct fetch_spec spec = {.method = "GET", .url = url_of(server, "/plain"), .timeout_ms = 3000, .reach = true};
    size_t accepted = accepted_by(server);

    assert_int_equal(fetch_wait(&spec, on_done, &seen, &err), 0);
    assert_int_equal(seen.failure.kind, ERROR_NONE);
    assert_int_equal(seen.status, 0);
    for (int i = 0; i < 1000 && accepted_by(server) == accepted; i++)
        usleep(1000);
    assert_int_equal(accepted_by(server), accepted + 1);
    spec.url = "http://127.0.0.1:1/";
    assert_int_equal(fetch_wait(&spec, on_done, &seen, &err), 0);
    assert_non_null(strstr(seen.failure.text, "Failed to connect"));
}

/* A server whose certificate nobody has signed; serves one visitor. */
struct imposter {
    int fd;
    SSL_CTX *tls;
};

static void *serve_imposter(void *ctx)
{
    struct imposter *imposter = ctx;
    int fd = accept(imposter->fd, NULL, NULL);
    SSL *tls = SSL_new(imposter->tls);

    SSL_set_fd(tls, fd);
    SSL_accept(tls); /* the visitor turns away */
    SSL_free(tls);
    close(fd);
    return NULL;
}

static uint16_t imposter_open(struct imposter *imposter)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();

    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
    imposter->tls = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(imposter->tls, certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(imposter->tls, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);

    imposter->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(imposter->fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(imposter->fd, 1), 0);
    assert_int_equal(getsockname(imposter->fd, (struct sockaddr *)&in, &len), 0);
    return ntohs(in.sin_port);
}

static void trusts_nobody_unsigned(void **state)
{
    static const struct fetch_header secret[] = {{"Authorization", "secret"}};
    struct imposter imposter;
    struct seen seen = {0};
    pthread_t thread;
    char url[64];

    (void)state;
    snprintf(url, sizeof url, "https://127.0.0.1:%u/?secret", imposter_open(&imposter));
    pthread_create(&thread, NULL, serve_imposter, &imposter);
    struct fetch_spec spec = {.method = "GET", .url = url, .headers = secret, .header_count = 1, .timeout_ms = 5000};
    assert_int_equal(fetch_wait(&spec, on_done, &seen, NULL), 0);
    pthread_join(thread, NULL);
    SSL_CTX_free(imposter.tls);
    close(imposter.fd);
    assert_int_equal(seen.status, 0);
    assert_int_equal(seen.failure.kind, ERROR_CONFIG);
    if (!strstr(seen.failure.text, "certificate") || strstr(seen.failure.text, "secret"))
        fail_msg("%s", seen.failure.text);
}

static void speaks_to_a_local_socket(void **state)
{
    struct server *server = *state;
    struct seen seen = {0}, missing = {0};
    struct fetch_spec spec = {.method = "GET", .url = "http://onsale/plain", .unix_socket = server->socket_path};

    assert_int_equal(fetch_wait(&spec, on_done, &seen, NULL), 0);
    assert_string_equal(seen.body, "hello");
    assert_string_equal(seen.content_type, "text/plain");
    spec.unix_socket = "/tmp/onsale-no-such.sock";
    assert_int_equal(fetch_wait(&spec, on_done, &missing, NULL), 0);
    assert_int_equal(missing.failure.kind, ERROR_TRY_LATER);
    assert_non_null(strstr(missing.failure.text, "/tmp/onsale-no-such.sock: "));
}

static void cancels(void **state)
{
    struct bench bench;
    struct seen first = {0}, hanging = {0}, early = {0};

    bench_open(&bench);
    start(&bench, &(struct fetch_spec){.method = "GET", .url = url_of(*state, "/plain")}, &early);
    fetch_cancel(&early.fetch);
    assert_null(early.fetch);
    fetch_cancel(&early.fetch);

    start(&bench, &(struct fetch_spec){.method = "GET", .url = url_of(*state, "/hang")}, &hanging);
    start(&bench, &(struct fetch_spec){.method = "GET", .url = url_of(*state, "/plain")}, &first);
    first.drop = &hanging.fetch;
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    assert_int_equal(first.calls, 1);
    assert_int_equal(hanging.calls + early.calls, 0);
    bench_close(&bench);
}

/* All answer in the same turn of the loop; the first to be told drops the others. */
static void cancels_those_that_have_answers(void **state)
{
    struct bench bench;
    struct seen seen[6] = {0};
    int calls = 0;

    bench_open(&bench);
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        start(&bench, &(struct fetch_spec){.method = "GET", .url = url_of(*state, "/plain")}, &seen[i]);
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        seen[i].drop = &seen[(i + 1) % ARRAY_LEN(seen)].fetch;
    for (int i = 0; i < 3; i++)
        uv_run(&bench.loop, UV_RUN_NOWAIT);
    usleep(50000); /* the answers of all lie ready now */
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
        assert_true(seen[i].calls <= 1);
        calls += seen[i].calls;
    }
    assert_in_range(calls, 1, 5);
    bench_close(&bench);
}

static void closes_with_transfers_in_flight(void **state)
{
    struct bench bench;
    struct seen seen = {0}, hanging = {0}, resolving = {0};

    bench_open(&bench);
    start(&bench, &(struct fetch_spec){.method = "GET", .url = url_of(*state, "/hang")}, &hanging);
    start(&bench, &(struct fetch_spec){.method = "GET", .url = "http://slow.invalid/"}, &resolving);
    start(&bench, &(struct fetch_spec){.method = "GET", .url = url_of(*state, "/plain")}, &seen);
    seen.close = bench.fetcher; /* from inside a callback, too */
    while (seen.calls == 0)
        uv_run(&bench.loop, UV_RUN_ONCE);
    bench.fetcher = NULL;
    assert_int_equal(hanging.calls, 0);
    bench_close(&bench);
}

/* More transfers than connections: they wait for one another, and their time limit runs meanwhile. */
static void caps_connections(void **state)
{
    struct server *server = *state;
    struct bench bench;
    struct seen seen[40] = {0}, hanging[12] = {0};

    bench_open(&bench);
    server->most = 0;
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        start(&bench, &(struct fetch_spec){.method = "GET", .url = url_of(server, "/plain")}, &seen[i]);
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < ARRAY_LEN(seen); i++)
        assert_int_equal(seen[i].status, 200);
    pthread_mutex_lock(&server->mutex);
    assert_in_range(server->most, 1, 8 + 2); /* some of an earlier test may still be closing */
    pthread_mutex_unlock(&server->mutex);

    int64_t begin_ms = clock_mono_ms(&clock_machine);
    for (size_t i = 0; i < ARRAY_LEN(hanging); i++)
        start(&bench, &(struct fetch_spec){.method = "GET", .url = url_of(server, "/hang"), .timeout_ms = 500},
              &hanging[i]);
    uv_run(&bench.loop, UV_RUN_DEFAULT);
    assert_in_range(clock_mono_ms(&clock_machine) - begin_ms, 499, 950);
    for (size_t i = 0; i < ARRAY_LEN(hanging); i++)
        assert_int_equal(hanging[i].failure.kind, ERROR_TRY_LATER);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(requests),
        cmocka_unit_test(large_bodies),
        cmocka_unit_test(refuses_to_start),
        cmocka_unit_test(nobody_there),
        cmocka_unit_test(goes_to_public_addresses_only),
        cmocka_unit_test(cuts_long_answers),
        cmocka_unit_test(reaches),
        cmocka_unit_test(trusts_nobody_unsigned),
        cmocka_unit_test(speaks_to_a_local_socket),
        cmocka_unit_test(cancels),
        cmocka_unit_test(cancels_those_that_have_answers),
        cmocka_unit_test(closes_with_transfers_in_flight),
        cmocka_unit_test(caps_connections),
    };
    unsetenv("http_proxy");
    unsetenv("https_proxy");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    unsetenv("HTTPS_PROXY");
    return cmocka_run_group_tests_name("fetch", tests, server_start, server_stop);
}
