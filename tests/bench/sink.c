/* sink.c - a fast mail server for measurements and large runs. It takes everything and can pretend to be far away.
 *
 *     sink [--port N] [--threads N] [--delay MS] [--think MS] [--log FILE] [--tls PEM]
 *          [--refuse N] [--defer N] [--cut N]
 *
 * Prints `listening PORT`. --delay: each answer leaves that long after its command came, so it is one round trip; what
 * was pipelined shares it. --think: the answer to a message leaves so much later still, and what was sent behind it
 * waits. --log: one line a message, "RECIPIENT MESSAGE-ID" and the time in ms in front, written out before its answer
 * leaves. --tls: STARTTLS with the certificate and key in PEM, then AUTH with an initial
 * response (RFC 4954), which takes every password.
 *
 * Of a thousand: --refuse so many recipients with 550; --defer so many with 451 when they come first, and take them
 * from then on; --cut so many messages: taken and logged, but the connection ends without an answer. Whom it hits
 * follows from the recipient alone. On SIGUSR1, and on SIGTERM or SIGINT, which end it, it prints
 * `taken N connections N bytes N first_us N last_us N refused N deferred N cut N`: messages, and the moments of the
 * first and the last one. */
#include "sink_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

int64_t clock_us(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ---- who is owed an answer ---- */

static void heap_put(struct worker *worker, struct peer *peer, size_t at)
{
    worker->heap[at] = peer;
    peer->heap_at = at;
}

static void heap_settle(struct worker *worker, struct peer *peer, size_t at)
{
    int64_t at_us = peer->answers[0].at_us;

    while (at > 1 && worker->heap[at / 2]->answers[0].at_us > at_us) {
        heap_put(worker, worker->heap[at / 2], at);
        at /= 2;
    }
    for (size_t child; (child = 2 * at) <= worker->heap_count; at = child) {
        if (child < worker->heap_count &&
            worker->heap[child + 1]->answers[0].at_us < worker->heap[child]->answers[0].at_us)
            child++;
        if (worker->heap[child]->answers[0].at_us >= at_us)
            break;
        heap_put(worker, worker->heap[child], at);
    }
    heap_put(worker, peer, at);
}

static void heap_add(struct worker *worker, struct peer *peer)
{
    if (peer->heap_at)
        return;
    if (worker->heap_count + 1 >= worker->heap_room) {
        worker->heap_room = worker->heap_room ? 2 * worker->heap_room : 64;
        worker->heap = realloc(worker->heap, worker->heap_room * sizeof(struct peer *));
        if (!worker->heap)
            abort();
    }
    worker->heap_count++;
    heap_settle(worker, peer, worker->heap_count);
}

static void heap_remove(struct worker *worker, struct peer *peer)
{
    size_t at = peer->heap_at;

    if (!at)
        return;
    peer->heap_at = 0;
    struct peer *last = worker->heap[worker->heap_count--];
    if (last != peer)
        heap_settle(worker, last, at);
}

/* ---- connections ---- */

static void peer_close(struct worker *worker, struct peer *peer)
{
    heap_remove(worker, peer);
    SSL_free(peer->tls);
    close(peer->fd);
    free(peer);
}

/* As recv() and send(): -1 and EAGAIN when there is nothing to do now. */
static ssize_t tls_result(SSL *tls, int n)
{
    if (n > 0)
        return n;
    int why = SSL_get_error(tls, n);
    if (why == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
    return -1;
}

static ssize_t peer_recv(struct peer *peer)
{
    char *at = peer->in + peer->in_len;
    size_t room = IN_SIZE - peer->in_len;

    return peer->secure ? tls_result(peer->tls, SSL_read(peer->tls, at, (int)room)) : recv(peer->fd, at, room, 0);
}

static ssize_t peer_send(struct peer *peer, size_t len)
{
    if (peer->secure)
        return len ? tls_result(peer->tls, SSL_write(peer->tls, peer->out, (int)len)) : 0;
    return send(peer->fd, peer->out, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* False: it failed. */
static bool peer_shake_hands(struct worker *worker, struct peer *peer)
{
    if (!peer->tls) {
        peer->tls = SSL_new(worker->tls);
        SSL_set_fd(peer->tls, peer->fd);
    }
    int n = SSL_accept(peer->tls);
    if (n == 1) {
        peer->secure = true;
        peer->place = AT_COMMANDS;
        return true;
    }
    return tls_result(peer->tls, n) < 0 && errno == EAGAIN;
}

bool answer(struct worker *worker, struct peer *peer, const char *line, int64_t after_us)
{
    size_t len = strlen(line);
    int64_t at_us = worker->now_us + after_us;
    struct answer *last = peer->answer_count ? &peer->answers[peer->answer_count - 1] : NULL;

    if (peer->out_len + len > OUT_SIZE)
        return false;
    memcpy(peer->out + peer->out_len, line, len);
    peer->out_len += len;
    if (last && last->at_us >= at_us) { /* no answer overtakes another */
        last->end = peer->out_len;
        return true;
    }
    if (peer->answer_count == ANSWERS)
        return false;
    peer->answers[peer->answer_count++] = (struct answer){at_us, peer->out_len};
    heap_add(worker, peer);
    return true;
}

static void watch(struct worker *worker, struct peer *peer, bool writable)
{
    struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.ptr = peer};

    if (writable == peer->blocked)
        return;
    peer->blocked = writable;
    epoll_ctl(worker->epoll, EPOLL_CTL_MOD, peer->fd, &event);
}

/* Sends what is due. False: the peer is gone. */
static bool send_due(struct worker *worker, struct peer *peer)
{
    size_t due = 0, kept = 0;

    for (size_t i = 0; i < peer->answer_count && peer->answers[i].at_us <= worker->now_us; i++)
        due = peer->answers[i].end;
    ssize_t n = peer_send(peer, due);
    if (n < 0 && errno != EAGAIN)
        return false;
    size_t sent = n > 0 ? (size_t)n : 0;
    memmove(peer->out, peer->out + sent, peer->out_len - sent);
    peer->out_len -= sent;
    heap_remove(worker, peer);
    for (size_t i = 0; i < peer->answer_count; i++)
        if (peer->answers[i].end > sent)
            peer->answers[kept++] = (struct answer){peer->answers[i].at_us, peer->answers[i].end - sent};
    peer->answer_count = kept;
    watch(worker, peer, sent < due);
    if (kept > 0 && sent == due)
        heap_add(worker, peer);
    return !(peer->quit && peer->out_len == 0);
}

static bool on_peer(struct worker *worker, struct peer *peer, uint32_t events)
{
    if (!peer->greeted) {
        peer->greeted = true;
        watch(worker, peer, false);
        return answer(worker, peer, "220 sink ESMTP\r\n", worker->delay_us);
    }
    if ((events & EPOLLOUT) && peer->answer_count > 0)
        heap_add(worker, peer);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return true;
    if (peer->place == AT_HANDSHAKE && peer->out_len > 0)
        return true; /* our "go on" leaves first */
    if (peer->place == AT_HANDSHAKE && !peer_shake_hands(worker, peer))
        return false;
    if (peer->place == AT_HANDSHAKE)
        return true;
    ssize_t n;
    do { /* what TLS has read already wakes nobody */
        n = peer_recv(peer);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return false;
        if (n > 0) {
            peer->in_len += (size_t)n;
            worker->bytes += (uint64_t)n;
        }
        if (!take(worker, peer))
            return false;
    } while (peer->secure && n > 0);
    return true;
}

/* ---- threads ---- */

static void write_log(struct worker *worker)
{
    size_t done = 0;

    while (done < worker->lines_len) {
        ssize_t n = write(worker->log, worker->lines + done, worker->lines_len - done);
        if (n < 0) {
            perror("sink: log");
            _exit(1);
        }
        done += (size_t)n;
    }
    worker->lines_len = 0;
}

static void *worker_main(void *ctx)
{
    struct worker *worker = ctx;
    struct epoll_event events[EVENTS];

    for (;;) {
        int64_t wait_us = 0;
        struct timespec wait, *limit = NULL;
        if (worker->heap_count > 0) {
            wait_us = worker->heap[1]->answers[0].at_us - clock_us(CLOCK_MONOTONIC);
            wait_us = wait_us < 0 ? 0 : wait_us;
            wait = (struct timespec){wait_us / 1000000, wait_us % 1000000 * 1000};
            limit = &wait;
        }
        int count = epoll_pwait2(worker->epoll, events, EVENTS, limit, NULL);
        worker->now_us = clock_us(CLOCK_MONOTONIC);
        for (int i = 0; i < count; i++)
            if (!on_peer(worker, events[i].data.ptr, events[i].events))
                peer_close(worker, events[i].data.ptr);
        write_log(worker); /* first the truth, then the answers */
        while (worker->heap_count > 0 && worker->heap[1]->answers[0].at_us <= worker->now_us) {
            struct peer *peer = worker->heap[1];
            if (!send_due(worker, peer))
                peer_close(worker, peer);
        }
    }
    return NULL;
}

/* ---- the whole ---- */

static int listen_on(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        perror("sink");
        exit(1);
    }
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

/* The worker greets it: a new connection is writable. */
static void take_peer(struct worker *worker, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    struct peer *peer = fd < 0 ? NULL : calloc(1, sizeof *peer);

    if (!peer)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    peer->fd = fd;
    peer->blocked = true;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = peer};
    epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event);
}

static void print_counts(struct worker *workers, int threads, unsigned long long connections)
{
    unsigned long long taken = 0, bytes = 0, refused = 0, deferred = 0, cut = 0;
    long long first_us = 0, last_us = 0;

    for (int i = 0; i < threads; i++) {
        taken += workers[i].taken;
        bytes += workers[i].bytes;
        refused += workers[i].refused;
        deferred += workers[i].deferred;
        cut += workers[i].cut;
        if (workers[i].first_us && (!first_us || workers[i].first_us < first_us))
            first_us = workers[i].first_us;
        if (workers[i].last_us > last_us)
            last_us = workers[i].last_us;
    }
    printf("taken %llu connections %llu bytes %llu first_us %lld last_us %lld refused %llu deferred %llu cut %llu\n",
           taken, connections, bytes, first_us, last_us, refused, deferred, cut);
    fflush(stdout);
}

static void serve(struct worker *workers, int threads, int listener, int signals)
{
    struct pollfd ready[] = {{.fd = listener, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    unsigned long long connections = 0;
    struct signalfd_siginfo got = {0};

    while (got.ssi_signo == 0 || got.ssi_signo == SIGUSR1) {
        if (poll(ready, 2, -1) < 0)
            continue;
        if (ready[0].revents)
            take_peer(&workers[connections++ % (unsigned)threads], listener);
        if (ready[1].revents && read(signals, &got, sizeof got) == sizeof got)
            print_counts(workers, threads, connections);
    }
}

static SSL_CTX *tls_new(const char *pem)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

    if (!tls || SSL_CTX_use_certificate_chain_file(tls, pem) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, pem, SSL_FILETYPE_PEM) != 1) {
        fprintf(stderr, "sink: %s: no certificate with its key\n", pem);
        exit(1);
    }
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(tls, 1);
    return tls;
}

static int open_log(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    if (fd < 0) {
        perror(path);
        exit(1);
    }
    return fd;
}

struct options {
    int port, threads, delay_ms, think_ms, log;
    SSL_CTX *tls;
    struct nastiness nasty;
};

static bool read_options(struct options *out, int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},   {"threads", required_argument, NULL, 'n'},
        {"delay", required_argument, NULL, 'd'},  {"think", required_argument, NULL, 't'},
        {"log", required_argument, NULL, 'l'},    {"tls", required_argument, NULL, 's'},
        {"refuse", required_argument, NULL, 'r'}, {"defer", required_argument, NULL, 'f'},
        {"cut", required_argument, NULL, 'c'},    {0}};
    int option;

    *out = (struct options){.threads = 1, .log = -1};
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int number = optarg ? atoi(optarg) : 0;
        switch (option) {
        case 'p':
            out->port = number;
            break;
        case 'n':
            out->threads = number;
            break;
        case 'd':
            out->delay_ms = number;
            break;
        case 't':
            out->think_ms = number;
            break;
        case 'l':
            out->log = open_log(optarg);
            break;
        case 's':
            out->tls = tls_new(optarg);
            break;
        case 'r':
            out->nasty.refuse = (unsigned)number;
            break;
        case 'f':
            out->nasty.defer = (unsigned)number;
            break;
        case 'c':
            out->nasty.cut = (unsigned)number;
            break;
        default:
            return false;
        }
    }
    out->nasty.met = calloc(MET_BITS / 8, 1);
    return out->nasty.met && out->threads >= 1 && out->threads <= THREADS_MAX;
}

int main(int argc, char **argv)
{
    static struct worker workers[THREADS_MAX];
    struct options options;
    sigset_t signals;

    if (!read_options(&options, argc, argv))
        return 2;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    for (int i = 0; i < options.threads; i++) {
        workers[i].epoll = epoll_create1(EPOLL_CLOEXEC);
        workers[i].log = options.log;
        workers[i].delay_us = (int64_t)options.delay_ms * 1000;
        workers[i].think_us = (int64_t)options.think_ms * 1000;
        workers[i].nasty = &options.nasty;
        workers[i].tls = options.tls;
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0)
            return 1;
    }
    serve(workers, options.threads, listen_on(options.port), signalfd(-1, &signals, SFD_CLOEXEC));
    _exit(0); /* the log is written; nobody waits for the connections */
}
