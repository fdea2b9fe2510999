/* sink.c - a fast mail server for measurements and large runs. It takes everything and can pretend to be far away.
 *
 *     sink [--port N] [--threads N] [--delay MS] [--think MS] [--log FILE]
 *
 * Prints `listening PORT`. --delay: each answer leaves that long after its command came, so it is one round trip; what
 * was pipelined shares it. --think: the answer to a message leaves so much later still, and what was sent behind it
 * waits. --log: one line a message, "RECIPIENT MESSAGE-ID" and the time in ms in front, written out before its answer
 * leaves. On SIGUSR1, and on SIGTERM or SIGINT, which end it, it prints
 * `taken N connections N bytes N first_us N last_us N`: messages, and the moments of the first and the last one. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { IN_SIZE = 64 * 1024, OUT_SIZE = 32 * 1024, ANSWERS = 256, EVENTS = 256, THREADS_MAX = 64 };

struct answer { /* bytes of `out` up to `end` may leave at `at_us` */
    int64_t at_us;
    size_t end;
};

enum place { AT_COMMANDS, AT_HEADERS, AT_BODY };

struct peer {
    int fd;
    char in[IN_SIZE], out[OUT_SIZE];
    size_t in_len, out_len;
    struct answer answers[ANSWERS];
    size_t answer_count;
    size_t heap_at; /* place among those who are owed an answer, from 1; 0 none */
    enum place place;
    bool greeted, quit, blocked;
    char to[320], message_id[320];
};

struct worker { /* one thread, with its own connections */
    pthread_t thread;
    int epoll, log;
    int64_t delay_us, think_us, now_us;
    struct peer **heap; /* who is owed an answer, the earliest first; from 1 */
    size_t heap_count, heap_room;
    char *lines; /* of the log, not yet written */
    size_t lines_len, lines_room;
    _Atomic uint64_t taken, bytes;
    _Atomic int64_t first_us, last_us;
};

static int64_t clock_us(clockid_t id)
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
    close(peer->fd);
    free(peer);
}

/* False: the peer asked for more answers than it reads. */
static bool answer(struct worker *worker, struct peer *peer, const char *line, int64_t after_us)
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

static void copy_between(char *out, size_t size, const char *line, size_t len, char open, char close)
{
    const char *from = memchr(line, open, len);
    const char *to = from ? memchr(from, close, len - (size_t)(from - line)) : NULL;
    size_t n = to ? (size_t)(to - from - 1) : 0;

    if (n >= size)
        n = size - 1;
    if (n > 0)
        memcpy(out, from + 1, n);
    out[n] = '\0';
}

static void log_taken(struct worker *worker, const struct peer *peer, int64_t now_us)
{
    if (worker->lines_room - worker->lines_len < 1024) {
        worker->lines_room = worker->lines_room ? 2 * worker->lines_room : 64 * 1024;
        worker->lines = realloc(worker->lines, worker->lines_room);
        if (!worker->lines)
            abort();
    }
    worker->lines_len += (size_t)snprintf(worker->lines + worker->lines_len, 1024, "%lld %s %s\n",
                                          (long long)(now_us / 1000), peer->to, peer->message_id);
}

static bool take_message(struct worker *worker, struct peer *peer)
{
    int64_t now_us = clock_us(CLOCK_REALTIME);

    peer->place = AT_COMMANDS;
    worker->taken++;
    if (!worker->first_us)
        worker->first_us = now_us;
    worker->last_us = now_us;
    if (worker->log >= 0)
        log_taken(worker, peer, now_us);
    return answer(worker, peer, "250 2.0.0 taken\r\n", worker->delay_us + worker->think_us);
}

static bool take_command(struct worker *worker, struct peer *peer, const char *line, size_t len)
{
    const char *said = "250 2.0.0 ok\r\n";

    if (len >= 4 && strncasecmp(line, "EHLO", 4) == 0) {
        said = "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n";
    } else if (len >= 4 && strncasecmp(line, "RCPT", 4) == 0) {
        copy_between(peer->to, sizeof peer->to, line, len, '<', '>');
    } else if (len >= 4 && strncasecmp(line, "DATA", 4) == 0) {
        peer->place = AT_HEADERS;
        peer->message_id[0] = '\0';
        said = "354 go on\r\n";
    } else if (len >= 4 && strncasecmp(line, "QUIT", 4) == 0) {
        peer->quit = true;
        said = "221 2.0.0 bye\r\n";
    }
    return answer(worker, peer, said, worker->delay_us);
}

/* One line behind DATA. The empty line stays: the end of the message is looked for from there. */
static bool take_header(struct worker *worker, struct peer *peer, const char *line, size_t len)
{
    if (len == 1 && line[0] == '.')
        return take_message(worker, peer);
    if (len == 0)
        peer->place = AT_BODY;
    else if (len > 11 && strncasecmp(line, "message-id:", 11) == 0)
        copy_between(peer->message_id, sizeof peer->message_id, line, len, '<', '>');
    return true;
}

/* Takes what is there. False: the peer must go. */
static bool take(struct worker *worker, struct peer *peer)
{
    static const char last[] = "\r\n.\r\n";
    char *at = peer->in, *end = peer->in + peer->in_len, *stop;
    bool fine = true;

    while (fine) {
        if (peer->place == AT_BODY) {
            stop = memmem(at, (size_t)(end - at), last, 5);
            if (!stop) { /* all but what may be the beginning of the end is done with */
                at = end - at > 4 ? end - 4 : at;
                break;
            }
            at = stop + 5;
            fine = take_message(worker, peer);
            continue;
        }
        stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            break;
        size_t len = (size_t)(stop - at);
        if (len > 0 && at[len - 1] == '\r')
            len--;
        fine = (peer->place == AT_COMMANDS ? take_command : take_header)(worker, peer, at, len);
        if (peer->place != AT_BODY)
            at = stop + 1;
    }
    peer->in_len = (size_t)(end - at);
    memmove(peer->in, at, peer->in_len);
    return fine && peer->in_len < IN_SIZE;
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
    ssize_t n = send(peer->fd, peer->out, due, MSG_NOSIGNAL | MSG_DONTWAIT);
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
    ssize_t n = recv(peer->fd, peer->in + peer->in_len, IN_SIZE - peer->in_len, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        return false;
    if (n > 0) {
        peer->in_len += (size_t)n;
        worker->bytes += (uint64_t)n;
    }
    return take(worker, peer);
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
    unsigned long long taken = 0, bytes = 0;
    long long first_us = 0, last_us = 0;

    for (int i = 0; i < threads; i++) {
        taken += workers[i].taken;
        bytes += workers[i].bytes;
        if (workers[i].first_us && (!first_us || workers[i].first_us < first_us))
            first_us = workers[i].first_us;
        if (workers[i].last_us > last_us)
            last_us = workers[i].last_us;
    }
    printf("taken %llu connections %llu bytes %llu first_us %lld last_us %lld\n", taken, connections, bytes, first_us,
           last_us);
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

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},  {"threads", required_argument, NULL, 'n'},
        {"delay", required_argument, NULL, 'd'}, {"think", required_argument, NULL, 't'},
        {"log", required_argument, NULL, 'l'},   {0}};
    static struct worker workers[THREADS_MAX];
    int port = 0, threads = 1, delay_ms = 0, think_ms = 0, log = -1, option;
    sigset_t signals;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'p')
            port = atoi(optarg);
        else if (option == 'n')
            threads = atoi(optarg);
        else if (option == 'd')
            delay_ms = atoi(optarg);
        else if (option == 't')
            think_ms = atoi(optarg);
        else if (option == 'l')
            log = open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        else
            return 2;
        if (option == 'l' && log < 0) {
            perror(optarg);
            return 1;
        }
    }
    if (threads < 1 || threads > THREADS_MAX)
        return 2;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    for (int i = 0; i < threads; i++) {
        workers[i].epoll = epoll_create1(EPOLL_CLOEXEC);
        workers[i].log = log;
        workers[i].delay_us = (int64_t)delay_ms * 1000;
        workers[i].think_us = (int64_t)think_ms * 1000;
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0)
            return 1;
    }
    serve(workers, threads, listen_on(port), signalfd(-1, &signals, SFD_CLOEXEC));
    _exit(0); /* the log is written; nobody waits for the connections */
}
