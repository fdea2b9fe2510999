/* sender.c - the fastest plain sender we know how to write, as a yardstick: one constant message, one thread, nothing
 * recorded, nobody's name in it. The next envelope travels right behind a body, as it does in notifiers/smtp.c.
 *
 *     sender --port N [--connections N] [--messages N] [--size BYTES] [--tls CA]
 *
 * --tls: libcurl's CONNECT_ONLY makes the connections, with STARTTLS checked against CA (PEM, for "localhost") and a
 * log-in, as scheduler/wire.c does. Prints `sent N seconds S`. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, HELLO = 2 }; /* greeting and EHLO: answers before the first envelope */

static const char envelope[] = "MAIL FROM:<a@sender.example>\r\nRCPT TO:<b@receiver.example>\r\nDATA\r\n";

struct peer {
    int fd;
    CURL *easy;     /* NULL: plain */
    unsigned hello; /* answers to the greeting still to come */
    char line[1024];
    size_t line_len;
    const char *out; /* being written, */
    size_t out_len;  /* ... and how much of it is left */
    bool waits_writable;
};

struct sender {
    int epoll;
    char *body; /* one message with its dot, and an envelope behind it */
    size_t body_len;
    size_t messages, begun, done;
};

/* As send() and recv() on a descriptor that does not block. */
static ssize_t result_of(CURLcode code, size_t n)
{
    if (code == CURLE_OK)
        return (ssize_t)n;
    errno = code == CURLE_AGAIN ? EAGAIN : EPIPE;
    return -1;
}

static ssize_t peer_send(struct peer *peer)
{
    size_t n = 0;

    if (!peer->easy)
        return send(peer->fd, peer->out, peer->out_len, MSG_NOSIGNAL);
    CURLcode code = curl_easy_send(peer->easy, peer->out, peer->out_len, &n);
    return result_of(code, n);
}

static ssize_t peer_recv(struct peer *peer)
{
    char *at = peer->line + peer->line_len;
    size_t room = sizeof peer->line - 1 - peer->line_len, n = 0;

    if (!peer->easy)
        return recv(peer->fd, at, room, 0);
    CURLcode code = curl_easy_recv(peer->easy, at, room, &n);
    return result_of(code, n);
}

static void push(struct sender *sender, struct peer *peer)
{
    while (peer->out_len > 0) {
        ssize_t n = peer_send(peer);
        if (n < 0 && errno != EAGAIN) {
            perror("sender: send");
            exit(1);
        }
        if (n < 0)
            break;
        peer->out += n;
        peer->out_len -= (size_t)n;
    }
    bool waits = peer->out_len > 0;
    if (waits != peer->waits_writable) {
        struct epoll_event event = {.events = EPOLLIN | (waits ? EPOLLOUT : 0), .data.ptr = peer};
        epoll_ctl(sender->epoll, EPOLL_CTL_MOD, peer->fd, &event);
        peer->waits_writable = waits;
    }
}

static void say(struct sender *sender, struct peer *peer, const char *out, size_t len)
{
    peer->out = out;
    peer->out_len = len;
    push(sender, peer);
}

static void begin(struct sender *sender, struct peer *peer)
{
    if (sender->begun == sender->messages)
        return;
    sender->begun++;
    say(sender, peer, envelope, sizeof envelope - 1);
}

static void on_line(struct sender *sender, struct peer *peer, const char *line)
{
    if (line[3] == '-')
        return;
    if (peer->hello > 0) {
        peer->hello--;
        if (peer->hello > 0)
            say(sender, peer, "EHLO sender\r\n", 13);
        else
            begin(sender, peer);
    } else if (line[0] == '3') { /* everything before has left: the other side has answered it */
        bool more = sender->begun < sender->messages;
        sender->begun += more;
        say(sender, peer, sender->body, sender->body_len - (more ? 0 : sizeof envelope - 1));
    } else if (line[0] != '2') {
        fprintf(stderr, "sender: %s\n", line);
        exit(1);
    } else if (strncmp(line, "250 2.0.0 taken", 15) == 0) {
        sender->done++;
    }
}

/* False: there was nothing. */
static bool read_some(struct sender *sender, struct peer *peer)
{
    ssize_t n = peer_recv(peer);

    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        fprintf(stderr, "sender: the connection was closed\n");
        exit(1);
    }
    if (n < 0)
        return false;
    peer->line_len += (size_t)n;
    char *at = peer->line, *end = peer->line + peer->line_len, *stop;
    while ((stop = memchr(at, '\n', (size_t)(end - at)))) {
        *stop = '\0';
        on_line(sender, peer, at);
        at = stop + 1;
    }
    peer->line_len = (size_t)(end - at);
    memmove(peer->line, at, peer->line_len);
    return true;
}

static void on_readable(struct sender *sender, struct peer *peer)
{
    while (read_some(sender, peer) && peer->easy) /* what TLS has read already wakes nobody */
        continue;
}

static size_t drop(char *bytes, size_t size, size_t count, void *ctx)
{
    (void)bytes;
    (void)ctx;
    return size * count;
}

static struct peer *connect_by_curl(int port, const char *ca)
{
    struct peer *peer = calloc(1, sizeof *peer);
    curl_socket_t fd;
    char url[64];

    snprintf(url, sizeof url, "smtp://localhost:%d", port);
    peer->easy = curl_easy_init();
    curl_easy_setopt(peer->easy, CURLOPT_URL, url);
    curl_easy_setopt(peer->easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(peer->easy, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
    curl_easy_setopt(peer->easy, CURLOPT_CAINFO, ca);
    curl_easy_setopt(peer->easy, CURLOPT_USERNAME, "sender");
    curl_easy_setopt(peer->easy, CURLOPT_PASSWORD, "secret");
    curl_easy_setopt(peer->easy, CURLOPT_SASL_IR, 1L);
    curl_easy_setopt(peer->easy, CURLOPT_WRITEFUNCTION, drop);
    CURLcode code = curl_easy_perform(peer->easy);
    if (code != CURLE_OK || curl_easy_getinfo(peer->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK) {
        fprintf(stderr, "sender: %s\n", curl_easy_strerror(code));
        exit(1);
    }
    peer->fd = fd;
    return peer;
}

static struct peer *connect_to(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct peer *peer = calloc(1, sizeof *peer);
    int on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    peer->hello = HELLO;
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(peer->fd, (struct sockaddr *)&address, sizeof address) < 0) {
        perror("sender: connect");
        exit(1);
    }
    fcntl(peer->fd, F_SETFL, O_NONBLOCK);
    return peer;
}

/* Headers, then lines of 76 characters. */
static void make_body(struct sender *sender, size_t size)
{
    static const char head[] = "From: a@sender.example\r\nTo: b@receiver.example\r\nSubject: open\r\n"
                               "Message-ID: <constant@sender.example>\r\n\r\n";
    size_t len = sizeof head - 1;

    sender->body = malloc(size + 1024);
    memcpy(sender->body, head, len);
    while (len < size) {
        memset(sender->body + len, 'X', 76);
        memcpy(sender->body + len + 76, "\r\n", 2);
        len += 78;
    }
    memcpy(sender->body + len, ".\r\n", 3);
    memcpy(sender->body + len + 3, envelope, sizeof envelope - 1);
    sender->body_len = len + 3 + sizeof envelope - 1;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},     {"connections", required_argument, NULL, 'c'},
        {"messages", required_argument, NULL, 'm'}, {"size", required_argument, NULL, 's'},
        {"tls", required_argument, NULL, 't'},      {0}};
    struct sender sender = {.epoll = epoll_create1(EPOLL_CLOEXEC), .messages = 100000};
    struct epoll_event events[EVENTS];
    int port = 0, connections = 100, size = 5120, option;
    const char *ca = NULL;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'p')
            port = atoi(optarg);
        else if (option == 'c')
            connections = atoi(optarg);
        else if (option == 'm')
            sender.messages = (size_t)atol(optarg);
        else if (option == 's')
            size = atoi(optarg);
        else if (option == 't')
            ca = optarg;
        else
            return 2;
    }
    make_body(&sender, (size_t)size);
    double start = now_s();
    for (int i = 0; i < connections; i++) {
        struct peer *peer = ca ? connect_by_curl(port, ca) : connect_to(port);
        epoll_ctl(sender.epoll, EPOLL_CTL_ADD, peer->fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = peer});
        if (ca) /* greeted and logged in already */
            begin(&sender, peer);
    }
    while (sender.done < sender.messages) {
        int count = epoll_wait(sender.epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].events & EPOLLOUT)
                push(&sender, events[i].data.ptr);
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                on_readable(&sender, events[i].data.ptr);
        }
    }
    printf("sent %zu seconds %.3f\n", sender.done, now_s() - start);
    return 0;
}
