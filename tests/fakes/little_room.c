/* little_room.c - a disk that is as full as a story wants, without mounting one: preloaded into the daemon, it answers
 * what statvfs(3) and fstatvfs(3) are asked with the megabytes that stand in the file named by LITTLE_ROOM, while there
 * is one. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

__attribute__((visibility("default"))) int statvfs(const char *restrict path, struct statvfs *restrict out);
__attribute__((visibility("default"))) int fstatvfs(int fd, struct statvfs *out);

static int shrink(struct statvfs *out)
{
    FILE *file = fopen(getenv("LITTLE_ROOM"), "re");
    unsigned long megabytes;

    if (file && fscanf(file, "%lu", &megabytes) == 1)
        out->f_bavail = (megabytes << 20) / out->f_frsize;
    if (file)
        fclose(file);
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
