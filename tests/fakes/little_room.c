/* little_room.c - a disk that is as full as a story wants, or as unwilling, without mounting one: preloaded into the
 * daemon, it answers what statvfs(3) and fstatvfs(3) are asked with the megabytes that stand in the file named by
 * LITTLE_ROOM, while there is one. When "read-only" stands there instead, nothing can be written to the state. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))
SHOWN int statvfs(const char *restrict path, struct statvfs *restrict out);
SHOWN int fstatvfs(int fd, struct statvfs *out);

static bool story_says(char out[32])
{
    FILE *file = fopen(getenv("LITTLE_ROOM"), "re");
    bool says = file && fgets(out, 32, file);

    if (file)
        fclose(file);
    return says;
}

static int shrink(struct statvfs *out)
{
    char says[32], *end;

    if (!story_says(says))
        return 0;
    unsigned long megabytes = strtoul(says, &end, 10);
    if (end != says)
        out->f_bavail = (megabytes << 20) / out->f_frsize;
    return 0;
}

int statvfs(const char *restrict path, struct statvfs *restrict out)
{
    int (*real)(const char *, struct statvfs *);

    *(void **)&real = dlsym(RTLD_NEXT, "statvfs"); /* as POSIX has it */
    return real(path, out) < 0 ? -1 : shrink(out);
}

int fstatvfs(int fd, struct statvfs *out)
{
    int (*real)(int, struct statvfs *);

    *(void **)&real = dlsym(RTLD_NEXT, "fstatvfs");
    return real(fd, out) < 0 ? -1 : shrink(out);
}

static bool is_state(int fd)
{
    char link[64], path[4096];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    path[len > 0 ? len : 0] = '\0';
    return strstr(path, "/onsale.db") != NULL;
}

SHOWN ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t offset) /* what SQLite writes with */
{
    ssize_t (*real)(int, const void *, size_t, off64_t);
    char says[32];

    if (story_says(says) && strncmp(says, "read-only", 9) == 0 && is_state(fd)) {
        errno = EROFS;
        return -1;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
    return real(fd, bytes, len, offset);
}
