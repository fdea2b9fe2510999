/* A wire against the smallest mail server, on a thread of this process: what is read of a connection that ends badly.
 */
#include "wire.h"
#include "table.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct server {
    int listener, port;
    pthread_t thread;
    sem_t go, gone;
    const char *last_word;
};

/* Greets, takes EHLO, and when told to says its last word and resets the connection. */
static void *serve(void *ctx)
{
    struct server *server = ctx;
    struct linger at_once = {1, 0};
    char line[600];
    int yes = 1, fd = accept(server->listener, NULL, NULL);
    FILE *in = fdopen(dup(fd), "r");

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); /* what waits for an ACK would be lost by the reset */
    dprintf(fd, "220 here\r\n");
    assert_non_null(fgets(line, sizeof line, in));
    dprintf(fd, "250-here\r\n250 PIPELINING\r\n");
    fclose(in);
    sem_wait(&server->go);
    dprintf(fd, "%s", server->last_word);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
    sem_post(&server->gone);
    return NULL;
}

static void server_start(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    server->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, 1), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    sem_init(&server->go, 0, 0);
    sem_init(&server->gone, 0, 0);
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void server_end(struct server *server)
{
    pthread_join(server->thread, NULL);
    close(server->listener);
    sem_destroy(&server->go);
    sem_destroy(&server->gone);
}

struct heard {
    uv_loop_t *loop;
    char words[200], why[200];
    bool opened, closed;
};

static void on_opened(void *ctx, const char *capabilities)
{
    struct heard *heard = ctx;

    assert_non_null(strstr(capabilities, "PIPELINING"));
    heard->opened = true;
    uv_stop(heard->loop);
}

static void on_failed(void *ctx, enum wire_failure failure, int code, const char *text)
{
    (void)ctx;
    fail_msg("failed: %d %d %s", (int)failure, code, text);
}

static void on_received(void *ctx, struct text bytes)
{
    struct heard *heard = ctx;

    snprintf(heard->words + strlen(heard->words), sizeof heard->words - strlen(heard->words), "%.*s", TEXT_ARGS(bytes));
}

static void on_closed(void *ctx, const char *why)
{
    struct heard *heard = ctx;

    snprintf(heard->why, sizeof heard->why, "%s", why);
    heard->closed = true;
    uv_stop(heard->loop);
}

static const struct wire_events events = {
    .opened = on_opened, .failed = on_failed, .received = on_received, .closed = on_closed};

/* The last word and the reset are both there before we look; `say_first`: we write into the dead connection, too. */
static void last_word_is_heard(const char *last_word, bool say_first)
{
    struct server server = {.last_word = last_word};
    uv_loop_t loop;
    struct heard heard = {.loop = &loop};
    struct error err = {0};
    char url[64];

    server_start(&server);
    uv_loop_init(&loop);
    struct wires *wires = wires_new(&loop, &err);
    snprintf(url, sizeof url, "smtp://127.0.0.1:%d", server.port);
    struct wire *wire = wire_open(wires, &(struct wire_spec){.url = url, .plain = true}, &events, &heard, &err);
    assert_non_null(wire);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(heard.opened);
    sem_post(&server.go);
    sem_wait(&server.gone);
    usleep(20 * 1000); /* loopback needs no more to bring both */
    if (say_first) {
        wire_write(wire, TEXT("NOOP\r\n"));
        assert_false(wire_flush(wire));
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_string_equal(heard.words, last_word);
    assert_true(heard.closed);
    assert_true(heard.why[0]);
    assert_null(strstr(heard.why, "file descriptor")); /* it says nothing to a person */
    wire_close(wire);
    wires_close(wires);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    server_end(&server);
}

static void last_words_are_heard(void **state)
{
    (void)state;
    last_word_is_heard("250 2.0.0 taken\r\n", false);
    last_word_is_heard("421 4.3.2 going down\r\n", true);
    last_word_is_heard("", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_words_are_heard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
