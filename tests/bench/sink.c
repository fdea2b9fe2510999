/* sink.c - a fast mail server for measurements and large runs: one thread, epoll. It takes everything and can pretend
 * to be far away.
 *
 *     sink [--port N] [--delay MS] [--log FILE]
 *
 * Prints `listening PORT`. --delay: each answer leaves that long after its command came, so it is one round trip; what
 * was pipelined is answered together. --log: one line a message, "RECIPIENT MESSAGE-ID" and the time in ms in front,
 * written out before its answer leaves. On SIGTERM or SIGINT it prints `taken N connections N` and ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
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

enum { IN_SIZE = 64 * 1024, OUT_SIZE = 64 * 1024, EVENTS = 256 };

struct answer { /* bytes of `out` up to `end` may leave at `at_ms` */
    int64_t at_ms;
    size_t end;
};

struct peer {
    int fd;
    struct peer *next, **back; /* all peers */
    char in[IN_SIZE], out[OUT_SIZE];
    size_t in_len, out_len;
    struct answer answers[1024];
    size_t answer_count;
    bool in_body, in_headers, quit, waits_writable;
    char to[320], message_id[320];
};

struct sink {
    int epoll, listener, signals;
    int64_t delay_ms;
    FILE *log;
    struct peer *peers;
    uint64_t taken, connections;
};

static int64_t clock_ms(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void peer_close(struct peer *peer)
{
    if (peer->next)
        peer->next->back = peer->back;
    *peer->back = peer->next;
    close(peer->fd);
    free(peer);
}

/* False: the peer asked for more answers than it reads. */
static bool answer(struct sink *sink, struct peer *peer, const char *line)
{
    size_t len = strlen(line);
    int64_t at_ms = clock_ms(CLOCK_MONOTONIC) + sink->delay_ms;

    if (peer->out_len + len > OUT_SIZE)
        return false;
    memcpy(peer->out + peer->out_len, line, len);
    peer->out_len += len;
    if (peer->answer_count > 0 && peer->answers[peer->answer_count - 1].at_ms == at_ms) {
        peer->answers[peer->answer_count - 1].end = peer->out_len;
        return true;
    }
    if (peer->answer_count == sizeof peer->answers / sizeof *peer->answers)
        return false;
    peer->answers[peer->answer_count++] = (struct answer){at_ms, peer->out_len};
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

static bool take_body_line(struct sink *sink, struct peer *peer, const char *line, size_t len)
{
    if (len == 1 && line[0] == '.') {
        peer->in_body = false;
        sink->taken++;
        if (sink->log)
            fprintf(sink->log, "%lld %s %s\n", (long long)clock_ms(CLOCK_REALTIME), peer->to, peer->message_id);
        return answer(sink, peer, "250 2.0.0 taken\r\n");
    }
    if (peer->in_headers && len > 11 && strncasecmp(line, "message-id:", 11) == 0)
        copy_between(peer->message_id, sizeof peer->message_id, line, len, '<', '>');
    if (len == 0)
        peer->in_headers = false;
    return true;
}

static bool take_command(struct sink *sink, struct peer *peer, const char *line, size_t len)
{
    if (len >= 4 && strncasecmp(line, "EHLO", 4) == 0)
        return answer(sink, peer, "250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n");
    if (len >= 4 && strncasecmp(line, "RCPT", 4) == 0)
        copy_between(peer->to, sizeof peer->to, line, len, '<', '>');
    if (len >= 4 && strncasecmp(line, "DATA", 4) == 0) {
        peer->in_body = peer->in_headers = true;
        peer->message_id[0] = '\0';
        return answer(sink, peer, "354 go on\r\n");
    }
    if (len >= 4 && strncasecmp(line, "QUIT", 4) == 0) {
        peer->quit = true;
        return answer(sink, peer, "221 2.0.0 bye\r\n");
    }
    return answer(sink, peer, "250 2.0.0 ok\r\n");
}

static bool take_lines(struct sink *sink, struct peer *peer)
{
    char *line = peer->in, *end = peer->in + peer->in_len, *stop;

    while ((stop = memchr(line, '\n', (size_t)(end - line)))) {
        size_t len = (size_t)(stop - line);
        if (len > 0 && line[len - 1] == '\r')
            len--;
        if (!(peer->in_body ? take_body_line : take_command)(sink, peer, line, len))
            return false;
        line = stop + 1;
    }
    peer->in_len = (size_t)(end - line);
    memmove(peer->in, line, peer->in_len);
    return peer->in_len < IN_SIZE;
}

/* Sends what is due. False: the peer is gone. */
static bool send_due(struct sink *sink, struct peer *peer, int64_t now_ms)
{
    size_t due = 0, count = 0;

    while (count < peer->answer_count && peer->answers[count].at_ms <= now_ms)
        due = peer->answers[count++].end;
    if (due == 0)
        return true;
    if (sink->log)
        fflush(sink->log); /* first the truth, then the answer */
    ssize_t n = send(peer->fd, peer->out, due, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN)
        return false;
    bool blocked = n < (ssize_t)due;
    if (blocked != peer->waits_writable) {
        struct epoll_event event = {.events = EPOLLIN | (blocked ? EPOLLOUT : 0), .data.ptr = peer};
        epoll_ctl(sink->epoll, EPOLL_CTL_MOD, peer->fd, &event);
        peer->waits_writable = blocked;
    }
    size_t sent = n > 0 ? (size_t)n : 0, kept = 0;
    memmove(peer->out, peer->out + sent, peer->out_len - sent);
    peer->out_len -= sent;
    for (size_t i = 0; i < peer->answer_count; i++)
        if (peer->answers[i].end > sent)
            peer->answers[kept++] = (struct answer){peer->answers[i].at_ms, peer->answers[i].end - sent};
    peer->answer_count = kept;
    return !(peer->quit && peer->out_len == 0);
}

static void take_peer(struct sink *sink)
{
    int fd = accept4(sink->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    struct peer *peer = fd < 0 ? NULL : calloc(1, sizeof *peer);

    if (!peer)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    peer->fd = fd;
    peer->back = &sink->peers;
    peer->next = sink->peers;
    if (peer->next)
        peer->next->back = &peer->next;
    sink->peers = peer;
    sink->connections++;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = peer};
    epoll_ctl(sink->epoll, EPOLL_CTL_ADD, fd, &event);
    answer(sink, peer, "220 sink ESMTP\r\n");
}

static void on_peer(struct sink *sink, struct peer *peer, uint32_t events)
{
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        ssize_t n = recv(peer->fd, peer->in + peer->in_len, IN_SIZE - peer->in_len, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            peer_close(peer);
            return;
        }
        peer->in_len += n > 0 ? (size_t)n : 0;
        if (!take_lines(sink, peer))
            peer_close(peer);
    }
}

static int next_wait_ms(const struct sink *sink, int64_t now_ms)
{
    int64_t wait_ms = -1;

    for (const struct peer *peer = sink->peers; peer; peer = peer->next) {
        if (peer->answer_count == 0 || peer->waits_writable)
            continue;
        int64_t left_ms = peer->answers[0].at_ms > now_ms ? peer->answers[0].at_ms - now_ms : 0;
        if (wait_ms < 0 || left_ms < wait_ms)
            wait_ms = left_ms;
    }
    return (int)wait_ms;
}

static void run(struct sink *sink)
{
    struct epoll_event events[EVENTS];

    for (;;) {
        int64_t now_ms = clock_ms(CLOCK_MONOTONIC);
        for (struct peer *peer = sink->peers, *next; peer; peer = next) {
            next = peer->next;
            if (!send_due(sink, peer, now_ms))
                peer_close(peer);
        }
        int count = epoll_wait(sink->epoll, events, EVENTS, next_wait_ms(sink, now_ms));
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == &sink->signals)
                return;
            if (events[i].data.ptr == sink)
                take_peer(sink);
            else
                on_peer(sink, events[i].data.ptr, events[i].events);
        }
    }
}

static int listen_on(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

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

int main(int argc, char **argv)
{
    static const struct option options[] = {{"port", required_argument, NULL, 'p'},
                                            {"delay", required_argument, NULL, 'd'},
                                            {"log", required_argument, NULL, 'l'},
                                            {0}};
    struct sink sink = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
    int port = 0, option;
    sigset_t ends;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'p')
            port = atoi(optarg);
        else if (option == 'd')
            sink.delay_ms = atoi(optarg);
        else if (option == 'l')
            sink.log = fopen(optarg, "ae");
        else
            return 2;
        if (option == 'l' && !sink.log) {
            perror(optarg);
            return 1;
        }
    }
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    sink.signals = signalfd(-1, &ends, SFD_CLOEXEC);
    sink.listener = listen_on(port);
    epoll_ctl(sink.epoll, EPOLL_CTL_ADD, sink.listener, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &sink});
    epoll_ctl(sink.epoll, EPOLL_CTL_ADD, sink.signals,
              &(struct epoll_event){.events = EPOLLIN, .data.ptr = &sink.signals});
    run(&sink);
    printf("taken %llu connections %llu\n", (unsigned long long)sink.taken, (unsigned long long)sink.connections);
    while (sink.peers)
        peer_close(sink.peers);
    if (sink.log)
        fclose(sink.log);
    return 0;
}
