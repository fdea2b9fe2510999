/* The habits of libcurl that wire.c leans on. Nothing here is promised by its manual: when another version fails one of
 * these, read wire.c before shipping. Each row is one set-up against a mail server on a thread of this process. */
#include "table.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ALL_OF(a) (sizeof(a) / sizeof *(a))

/* ---- the smallest mail server: one connection, answers by the first letters of a command ---- */

struct answers {
    const char *greeting, *ehlo, *auth;
};
struct server {
    const struct answers *answers;
    int listener, port;
    pthread_t thread;
    char heard[4096]; /* every command, after the thread has ended */
};

static void *serve(void *ctx)
{
    struct server *server = ctx;
    const struct answers *answers = server->answers;
    char line[600];
    int fd = accept(server->listener, NULL, NULL);
    FILE *in = fdopen(dup(fd), "r");

    dprintf(fd, "%s\r\n", answers->greeting);
    while (fgets(line, sizeof line, in)) {
        size_t heard = strlen(server->heard);
        snprintf(server->heard + heard, sizeof server->heard - heard, "%s", line);
        if (strncmp(line, "EHLO", 4) == 0)
            dprintf(fd, "%s\r\n", answers->ehlo);
        else if (strncmp(line, "AUTH", 4) == 0)
            dprintf(fd, "%s\r\n", answers->auth ? answers->auth : "235 in");
        else if (strncmp(line, "NOOP", 4) == 0)
            dprintf(fd, "250 still here\r\n");
        else
            dprintf(fd, "250 ok\r\n");
    }
    fclose(in);
    close(fd);
    return NULL;
}

static void server_start(struct server *server, const struct answers *answers)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    *server = (struct server){.answers = answers, .listener = socket(AF_INET, SOCK_STREAM, 0)};
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, 1), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_end(struct server *server)
{
    pthread_join(server->thread, NULL);
    close(server->listener);
}

/* ---- a set-up as wire.c makes it ---- */

struct setup {
    CURLM *multi;
    CURL *easy;
    char lines[4096];
    int watched;      /* descriptors that libcurl wants watched */
    curl_socket_t fd; /* the last of them */
};

static size_t on_line(char *ptr, size_t size, size_t count, void *ctx)
{
    struct setup *setup = ctx;
    size_t len = strlen(setup->lines);

    snprintf(setup->lines + len, sizeof setup->lines - len, "%.*s", (int)(size * count), ptr);
    return size * count;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct setup *setup = ctx;
    static int known;

    (void)easy;
    setup->fd = fd;
    if (what == CURL_POLL_REMOVE)
        setup->watched--;
    else if (!socket_ctx) {
        setup->watched++;
        curl_multi_assign(setup->multi, fd, &known);
    }
    return 0;
}

static CURL *easy_new(struct setup *setup, int port, bool log_in, long use_ssl)
{
    CURL *easy = curl_easy_init();
    char url[64];

    snprintf(url, sizeof url, "smtp://127.0.0.1:%d", port);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 5000L);
    curl_easy_setopt(easy, CURLOPT_USE_SSL, use_ssl);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_line);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, setup);
    if (log_in) {
        curl_easy_setopt(easy, CURLOPT_USERNAME, "u");
        curl_easy_setopt(easy, CURLOPT_PASSWORD, "p");
        assert_int_equal(curl_easy_setopt(easy, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN"), CURLE_OK);
        curl_easy_setopt(easy, CURLOPT_SASL_IR, 1L);
    }
    return easy;
}

static CURLcode set_up(struct setup *setup, CURL *easy)
{
    int running = 1, left;

    curl_multi_add_handle(setup->multi, easy);
    curl_multi_socket_action(setup->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    for (;;) {
        CURLMsg *message = curl_multi_info_read(setup->multi, &left);
        if (message)
            return message->data.result;
        curl_multi_poll(setup->multi, NULL, 0, 50, NULL);
        curl_multi_socket_action(setup->multi, setup->fd, 0, &running);
        curl_multi_socket_action(setup->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
}

static void setup_init(struct setup *setup)
{
    *setup = (struct setup){.multi = curl_multi_init(), .fd = CURL_SOCKET_TIMEOUT};
    curl_multi_setopt(setup->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(setup->multi, CURLMOPT_SOCKETDATA, setup);
}

static const struct answers good = {"220 hello", "250-me\r\n250-PIPELINING\r\n250 AUTH PLAIN", NULL};

static void set_ups_end_as_expected(void **state)
{
    static const struct {
        const char *name;
        struct answers answers;
        bool log_in;
        long use_ssl;
        CURLcode result;
        long code;
        bool logged_in;
    } cases[] = {
        {"plain", {"220 hi", "250 me", NULL}, false, CURLUSESSL_NONE, CURLE_OK, 0, false},
        {"log-in", {"220 hi", "250-me\r\n250 AUTH PLAIN", NULL}, true, CURLUSESSL_NONE, CURLE_OK, 0, true},
        {"no AUTH offered: goes on without a word",
         {"220 hi", "250 me", NULL},
         true,
         CURLUSESSL_NONE,
         CURLE_OK,
         0,
         false},
        {"auth in lower case is not seen",
         {"220 hi", "250-me\r\n250 auth plain", NULL},
         true,
         CURLUSESSL_NONE,
         CURLE_OK,
         0,
         false},
        {"only mechanisms we do not take",
         {"220 hi", "250-me\r\n250 AUTH CRAM-MD5", NULL},
         true,
         CURLUSESSL_NONE,
         CURLE_LOGIN_DENIED,
         250,
         false},
        {"wrong password",
         {"220 hi", "250-me\r\n250 AUTH PLAIN", "535 5.7.8 no"},
         true,
         CURLUSESSL_NONE,
         CURLE_LOGIN_DENIED,
         535,
         false},
        {"log-in later",
         {"220 hi", "250-me\r\n250 AUTH PLAIN", "454 4.7.0 later"},
         true,
         CURLUSESSL_NONE,
         CURLE_LOGIN_DENIED,
         454,
         false},
        {"STARTTLS missing", {"220 hi", "250 me", NULL}, false, CURLUSESSL_ALL, CURLE_USE_SSL_FAILED, 250, false},
        {"starttls in lower case is not seen",
         {"220 hi", "250-me\r\n250 starttls", NULL},
         false,
         CURLUSESSL_ALL,
         CURLE_USE_SSL_FAILED,
         250,
         false},
        {"greeting refuses", {"554 no", "250 me", NULL}, false, CURLUSESSL_NONE, CURLE_WEIRD_SERVER_REPLY, 554, false},
        {"greeting: later", {"421 no", "250 me", NULL}, false, CURLUSESSL_NONE, CURLE_WEIRD_SERVER_REPLY, 421, false},
        {"EHLO refused: falls back to HELO", {"220 hi", "502 what", NULL}, true, CURLUSESSL_NONE, CURLE_OK, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < ALL_OF(cases); i++) {
        struct server server;
        struct setup setup;
        long code = 0;
        setup_init(&setup);
        server_start(&server, &cases[i].answers);
        CURL *easy = easy_new(&setup, server.port, cases[i].log_in, cases[i].use_ssl);
        CURLcode result = set_up(&setup, easy);
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &code);
        bool logged_in = strstr(setup.lines, "235 ") != NULL;
        if (result != cases[i].result || logged_in != cases[i].logged_in || (cases[i].code && code != cases[i].code))
            fail_msg("%s: result %d, code %ld, lines %s", cases[i].name, (int)result, code, setup.lines);
        if (strncmp(setup.lines, cases[i].answers.greeting, 3) != 0)
            fail_msg("%s: the greeting never reached HEADERFUNCTION: %s", cases[i].name, setup.lines);
        curl_multi_remove_handle(setup.multi, easy);
        curl_easy_cleanup(easy);
        curl_multi_cleanup(setup.multi);
        server_end(&server);
    }
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* After set-up libcurl lets go of the descriptor, one recv pins the connection to its handle, later set-ups in the
 * same multi leave it alone, and removing it closes at once without a word. */
static void connections_are_ours_after_set_up(void **state)
{
    struct server first, second;
    struct setup setup;
    curl_socket_t fd = CURL_SOCKET_BAD;
    char bytes[200] = "";
    size_t n = 0;

    (void)state;
    setup_init(&setup);
    curl_multi_setopt(setup.multi, CURLMOPT_MAXCONNECTS, 1L);
    server_start(&first, &good);
    server_start(&second, &good);
    CURL *a = easy_new(&setup, first.port, true, CURLUSESSL_NONE);
    CURL *b = easy_new(&setup, second.port, true, CURLUSESSL_NONE);

    assert_int_equal(set_up(&setup, a), CURLE_OK);
    assert_non_null(strstr(setup.lines, "250-PIPELINING"));
    assert_int_equal(setup.watched, 0);
    assert_int_equal(curl_easy_getinfo(a, CURLINFO_ACTIVESOCKET, &fd), CURLE_OK);
    assert_true(fd != CURL_SOCKET_BAD);
    assert_int_equal(curl_easy_recv(a, bytes, sizeof bytes, &n), CURLE_AGAIN);

    assert_int_equal(set_up(&setup, b), CURLE_OK);
    assert_int_equal(curl_easy_recv(b, bytes, sizeof bytes, &n), CURLE_AGAIN);
    assert_int_equal(curl_easy_send(a, "NOOP\r\n", 6, &n), CURLE_OK);
    assert_int_equal(n, 6);
    assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 5000), 1);
    assert_int_equal(curl_easy_recv(a, bytes, sizeof bytes, &n), CURLE_OK);
    assert_memory_equal(bytes, "250 still here\r\n", n);
    assert_int_equal(curl_easy_recv(a, bytes, sizeof bytes, &n), CURLE_AGAIN);

    int64_t began_ms = now_ms();
    curl_multi_remove_handle(setup.multi, a);
    curl_easy_cleanup(a);
    server_end(&first); /* it saw the end of the connection, or we would hang here */
    assert_null(strstr(first.heard, "QUIT"));
    curl_multi_remove_handle(setup.multi, b);
    curl_easy_cleanup(b);
    server_end(&second);
    curl_multi_cleanup(setup.multi);
    assert_true(now_ms() - began_ms < 1000);
}

/* The other side going away is a read of nothing, or an error: never AGAIN for ever. */
static void an_end_is_seen(void **state)
{
    struct server server;
    struct setup setup;
    curl_socket_t fd;
    char bytes[200];
    size_t n = 1;

    (void)state;
    setup_init(&setup);
    server_start(&server, &good);
    CURL *easy = easy_new(&setup, server.port, false, CURLUSESSL_NONE);
    assert_int_equal(set_up(&setup, easy), CURLE_OK);
    assert_int_equal(curl_easy_recv(easy, bytes, sizeof bytes, &n), CURLE_AGAIN);
    curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
    shutdown(fd, SHUT_WR); /* the server reads the end and closes */
    assert_int_equal(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 5000), 1);
    CURLcode code = curl_easy_recv(easy, bytes, sizeof bytes, &n);
    assert_true(code != CURLE_AGAIN && (code != CURLE_OK || n == 0));
    curl_multi_remove_handle(setup.multi, easy);
    curl_easy_cleanup(easy);
    curl_multi_cleanup(setup.multi);
    server_end(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_ups_end_as_expected),
        cmocka_unit_test(connections_are_ours_after_set_up),
        cmocka_unit_test(an_end_is_seen),
    };
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    curl_global_cleanup();
    return failed;
}
