#include "notify.h"

#include "text.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

void notify_send(const char *format, ...)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char message[512];
    va_list args;

    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof address.sun_path)
        return;
    memcpy(address.sun_path, path, strlen(path));
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* the abstract namespace */
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);

    auto_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) /* exact length: in the abstract namespace every byte counts */
        sendto(fd, message, strlen(message), MSG_NOSIGNAL, (struct sockaddr *)&address,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
}

int64_t notify_watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    int64_t out = 0;

    return usec && parse_i64(text_of(usec), 1, INT64_MAX, &out, NULL) == 0 ? out / 2000 : 0;
}

size_t notify_take_sockets(void)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    int64_t whose = 0, count = 0;

    if (!pid || !fds || parse_i64(text_of(pid), 1, INT64_MAX, &whose, NULL) < 0 || whose != getpid() ||
        parse_i64(text_of(fds), 0, 1024, &count, NULL) < 0)
        count = 0; /* meant for another process */
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    for (int fd = NOTIFY_FIRST_SOCKET; fd < NOTIFY_FIRST_SOCKET + (int)count; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    return (size_t)count;
}
