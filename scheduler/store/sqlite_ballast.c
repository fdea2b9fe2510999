/* sqlite_ballast.c - room that is kept for the worst day: a file beside the database that holds nothing. When the disk
 * is full it is given back, so that what became of those in flight can still be written down. */
#include "sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum {
    DISK_PART = 16, /* of a small disk no more is kept than this part */
    SPARE_PART = 4, /* it is made when so much of it is free beyond what is wanted: not at once again and again */
};

static int ballast_name(const char *path, char out[4096])
{
    return snprintf(out, 4096, "%s.ballast", path) < 4096 ? 0 : -1;
}

int sqlite_reserve(const char *path, int64_t wanted, int64_t *out, struct error *err)
{
    struct statvfs disk;

    *out = 0;
    if (wanted == 0)
        return 0;
    if (statvfs(path, &disk) < 0)
        return error_set(err, ERROR_TRY_LATER, "%s: %s", path, strerror(errno));
    int64_t most = (int64_t)disk.f_blocks * (int64_t)disk.f_frsize / DISK_PART;
    *out = wanted < most ? wanted : most;
    return 0;
}

void sqlite_ballast_drop(const char *path)
{
    char name[4096];

    if (ballast_name(path, name) == 0)
        unlink(name);
}

static bool is_there(const char *name, int64_t bytes)
{
    struct stat st;

    return stat(name, &st) == 0 && st.st_size == bytes;
}

/* Without it twice as much has to be free: where a file system cannot keep room, or has none, nothing else follows. */
static bool make(const char *name, int64_t bytes)
{
    unlink(name); /* of another size, or half made */
    auto_fd int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    if (fallocate(fd, 0, 0, bytes) == 0)
        return true;
    unlink(name);
    return false;
}

int sqlite_ballast_keep(const char *path, int64_t reserve, int64_t *room, struct error *err)
{
    char name[4096];

    if (sqlite_room(path, room, err) < 0)
        return -1;
    if (reserve == 0 || ballast_name(path, name) < 0)
        return 0;
    bool there = is_there(name, reserve);
    if (!there && *room >= 2 * reserve + reserve / SPARE_PART && make(name, reserve)) {
        there = true;
        if (sqlite_room(path, room, err) < 0)
            return -1;
    }
    if (!there)
        *room = *room > reserve ? *room - reserve : 0;
    return 0;
}
