#include "server_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { BACKLOG = 512 };

static struct listener *listener_new(void)
{
    struct listener *listener = must_calloc(1, sizeof *listener);

    listener->fd = -1;
    return listener;
}

void listener_close(struct listener *listener)
{
    if (listener->fd >= 0)
        close(listener->fd);
    if (listener->path)
        unlink(listener->path);
    free(listener->path);
    listener->path = NULL;
    listener->fd = -1;
}

/* --- Unix sockets ------------------------------------------------------------------------------------------------- */

/* A file that nobody listens on is left from a crash; one that answers is another daemon's. */
static int clear_way(const struct sockaddr_un *address, struct error *err)
{
    auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct stat file;

    if (lstat(address->sun_path, &file) == 0 && !S_ISSOCK(file.st_mode))
        return error_set(err, ERROR_CONFIG, "%s: a file that is no socket is in the way", address->sun_path);
    if (fd >= 0 &&
        (connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EAGAIN)) /* or is busy */
        return error_set(err, ERROR_TRY_LATER, "%s: another program listens there", address->sun_path);
    if (unlink(address->sun_path) < 0 && errno != ENOENT)
        return error_set(err, ERROR_CONFIG, "%s: %s", address->sun_path, strerror(errno));
    return 0;
}

static void make_folder(const char *path)
{
    char folder[sizeof((struct sockaddr_un *)NULL)->sun_path];
    char *slash;

    snprintf(folder, sizeof folder, "%s", path);
    slash = strrchr(folder, '/');
    if (slash && slash != folder) {
        *slash = '\0';
        mkdir(folder, 0750); /* bind() tells when this did not help */
    }
}

static int listen_unix(const char *path, struct listener *listener, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (!*path || strlen(path) >= sizeof address.sun_path)
        return error_set(err, ERROR_CONFIG, "http.listen: expected unix:PATH of at most %zu characters, found \"%s\"",
                         sizeof address.sun_path - 1, path);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    make_folder(path);
    if (clear_way(&address, err) < 0)
        return -1;
    listener->is_unix = true;
    listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t old = umask(0117); /* 0660 from the first moment */
    int rc = listener->fd < 0 ? -1 : bind(listener->fd, (struct sockaddr *)&address, sizeof address);
    umask(old);
    if (rc == 0)
        listener->path = must_strdup(path);
    if (rc < 0 || listen(listener->fd, BACKLOG) < 0)
        return error_set(err, ERROR_CONFIG, "%s: %s", path, strerror(errno));
    return 0;
}

/* --- TCP ---------------------------------------------------------------------------------------------------------- */

/* "127.0.0.1" or "[::1]" */
static int read_address(struct text host, int64_t port, struct sockaddr_storage *out, socklen_t *size)
{
    struct sockaddr_in *in = (struct sockaddr_in *)out;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
    bool six = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    auto_free char *name = text_dup(six ? text_slice(host, 1, host.len - 1) : host);

    memset(out, 0, sizeof *out);
    *size = six ? sizeof *in6 : sizeof *in;
    out->ss_family = six ? AF_INET6 : AF_INET;
    in->sin_port = htons((uint16_t)port); /* at the same place in both */
    return inet_pton(out->ss_family, name, six ? (void *)&in6->sin6_addr : (void *)&in->sin_addr) == 1 ? 0 : -1;
}

static int listen_tcp(const struct sockaddr_storage *address, socklen_t size, const char *at, struct listener *listener,
                      struct error *err)
{
    int on = 1;

    listener->fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->fd < 0)
        return error_set(err, ERROR_CONFIG, "http.listen: %s: %s", at, strerror(errno));
    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->ss_family == AF_INET6)
        setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(listener->fd, (const struct sockaddr *)address, size) < 0 || listen(listener->fd, BACKLOG) < 0)
        return error_set(err, errno == EADDRINUSE ? ERROR_TRY_LATER : ERROR_CONFIG, "http.listen: %s: %s", at,
                         strerror(errno));
    return 0;
}

/* Both loopbacks; a machine without IPv6 has one. */
static int listen_localhost(int64_t port, const char *at, struct listener **out, size_t *count, struct error *err)
{
    struct error missing = {0};
    struct sockaddr_storage address;
    socklen_t size;

    read_address(TEXT("127.0.0.1"), port, &address, &size);
    *out = listener_new();
    *count = 1;
    if (listen_tcp(&address, size, at, out[0], err) < 0)
        return -1;
    read_address(TEXT("[::1]"), port, &address, &size);
    struct listener *six = listener_new();
    if (listen_tcp(&address, size, at, six, &missing) == 0)
        out[(*count)++] = six;
    else {
        listener_close(six);
        free(six);
    }
    return 0;
}

int server_listen(const char *at, struct listener **out, size_t max, size_t *count, struct error *err)
{
    const char *colon = strrchr(at, ':');
    struct sockaddr_storage address;
    socklen_t size;
    int64_t port;

    *count = 0;
    if (text_starts(text_of(at), "unix:")) {
        *out = listener_new();
        *count = 1;
        return listen_unix(at + strlen("unix:"), *out, err);
    }
    struct text host = colon ? (struct text){at, (size_t)(colon - at)} : (struct text){0};
    if (!colon || parse_i64(text_of(colon + 1), 0, 65535, &port, NULL) < 0)
        return error_set(err, ERROR_CONFIG, "http.listen: expected unix:PATH or ADDRESS:PORT, found \"%.120s\"", at);
    if (text_is(host, "localhost") && max >= 2)
        return listen_localhost(port, at, out, count, err);
    if (read_address(host, port, &address, &size) < 0)
        return error_set(err, ERROR_CONFIG,
                         "http.listen: expected an address such as 127.0.0.1 or [::1], or localhost, found \"%.120s\"",
                         at);
    *out = listener_new();
    *count = 1;
    return listen_tcp(&address, size, at, *out, err);
}

/* --- Handed over by the service manager --------------------------------------------------------------------------- */

static int option_of(int fd, int option)
{
    int value = -1;
    socklen_t size = sizeof value;

    return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -1 : value;
}

int server_listen_handed(int fd, struct listener **out, struct error *err)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;

    *out = listener_new();
    (*out)->fd = fd;
    if (option_of(fd, SO_TYPE) != SOCK_STREAM || option_of(fd, SO_ACCEPTCONN) != 1 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0 ||
        (address.ss_family != AF_UNIX && address.ss_family != AF_INET && address.ss_family != AF_INET6))
        return error_set(err, ERROR_CONFIG,
                         "http.listen: systemd: descriptor %d is no listening stream socket: the socket unit needs "
                         "ListenStream= and Accept=no",
                         fd);
    (*out)->is_unix = address.ss_family == AF_UNIX;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    return 0;
}
