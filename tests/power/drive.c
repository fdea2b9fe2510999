#include "drive.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_SIZE = 48, SECTOR = 512, FILES_MAX = 256, PATH_SIZE = 512 };

enum op_kind {
    OP_CREATE,
    OP_WRITE,
    OP_TRUNCATE,
    OP_SYNC,        /* the bytes of a file */
    OP_SYNC_FOLDER, /* which names there are */
    OP_RENAME,
    OP_REMOVE,
};

struct op {
    enum op_kind kind;
    char name[NAME_SIZE], to[NAME_SIZE];
    size_t offset, len; /* truncate: `len` stays */
    unsigned char *bytes;
};

struct drive {
    sqlite3_vfs vfs; /* first */
    sqlite3_vfs *real;
    char folder[PATH_SIZE];
    const char *const *names;
    pthread_mutex_t mutex; /* over all that follows */
    bool recording, ignore_sync;
    struct op *ops;
    size_t count, cap;
};

/* --- The record --- */

/* The name of a path that is remembered, or NULL. */
static const char *known(const struct drive *drive, const char *path)
{
    size_t len = strlen(drive->folder);

    if (!path || strncmp(path, drive->folder, len) != 0 || path[len] != '/')
        return NULL;
    const char *name = path + len + 1;
    for (const char *const *begin = drive->names; *begin; begin++)
        if (strncmp(name, *begin, strlen(*begin)) == 0 && strlen(name) < NAME_SIZE)
            return name;
    return NULL;
}

static void note(struct drive *drive, struct op op, const char *name, const void *bytes)
{
    pthread_mutex_lock(&drive->mutex);
    bool sync = op.kind == OP_SYNC || op.kind == OP_SYNC_FOLDER;
    if (drive->recording && !(sync && drive->ignore_sync)) {
        if (drive->count == drive->cap) {
            drive->cap = drive->cap ? 2 * drive->cap : 1024;
            drive->ops = must_realloc(drive->ops, drive->cap * sizeof *drive->ops);
        }
        snprintf(op.name, sizeof op.name, "%s", name);
        if (bytes) {
            op.bytes = must_calloc(op.len + 1, 1);
            memcpy(op.bytes, bytes, op.len);
        }
        drive->ops[drive->count++] = op;
    }
    pthread_mutex_unlock(&drive->mutex);
}

void drive_record(struct drive *drive, bool on)
{
    pthread_mutex_lock(&drive->mutex);
    drive->recording = on;
    pthread_mutex_unlock(&drive->mutex);
}

void drive_ignore_sync(struct drive *drive, bool on)
{
    drive->ignore_sync = on;
}

size_t drive_position(struct drive *drive)
{
    pthread_mutex_lock(&drive->mutex);
    size_t count = drive->count;
    pthread_mutex_unlock(&drive->mutex);
    return count;
}

/* --- The VFS ------------------------------------------------------------------------------------------------------ */

struct file {
    sqlite3_file base;
    struct drive *drive;
    char name[NAME_SIZE];  /* "": not remembered */
    bool folder_is_behind; /* SQLite syncs the folder with the first sync of a log that is new */
    sqlite3_file *real;    /* right behind us */
};

#define REAL(file) (((struct file *)(file))->real)

static int file_close(sqlite3_file *file)
{
    return REAL(file)->pMethods ? REAL(file)->pMethods->xClose(REAL(file)) : SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *out, int len, sqlite3_int64 offset)
{
    return REAL(file)->pMethods->xRead(REAL(file), out, len, offset);
}

static int file_write(sqlite3_file *base, const void *bytes, int len, sqlite3_int64 offset)
{
    struct file *file = (struct file *)base;

    if (*file->name)
        note(file->drive, (struct op){.kind = OP_WRITE, .offset = (size_t)offset, .len = (size_t)len}, file->name,
             bytes);
    return file->real->pMethods->xWrite(file->real, bytes, len, offset);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 len)
{
    struct file *file = (struct file *)base;

    if (*file->name)
        note(file->drive, (struct op){.kind = OP_TRUNCATE, .len = (size_t)len}, file->name, NULL);
    return file->real->pMethods->xTruncate(file->real, len);
}

/* The machine does not lose its power: nothing is gained by asking the real disk. */
static int file_sync(sqlite3_file *base, int flags)
{
    struct file *file = (struct file *)base;

    (void)flags;
    if (*file->name)
        note(file->drive, (struct op){.kind = OP_SYNC}, file->name, NULL);
    if (*file->name && file->folder_is_behind)
        note(file->drive, (struct op){.kind = OP_SYNC_FOLDER}, "", NULL);
    file->folder_is_behind = false;
    return SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out)
{
    return REAL(file)->pMethods->xFileSize(REAL(file), out);
}

static int file_lock(sqlite3_file *file, int lock)
{
    return REAL(file)->pMethods->xLock(REAL(file), lock);
}

static int file_unlock(sqlite3_file *file, int lock)
{
    return REAL(file)->pMethods->xUnlock(REAL(file), lock);
}

static int file_check_reserved(sqlite3_file *file, int *out)
{
    return REAL(file)->pMethods->xCheckReservedLock(REAL(file), out);
}

static int file_control(sqlite3_file *file, int op, void *argument)
{
    return REAL(file)->pMethods->xFileControl(REAL(file), op, argument);
}

static int file_sector(sqlite3_file *file)
{
    return REAL(file)->pMethods->xSectorSize(REAL(file));
}

static int file_characteristics(sqlite3_file *file)
{
    return REAL(file)->pMethods->xDeviceCharacteristics(REAL(file));
}

static int file_shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out)
{
    return REAL(file)->pMethods->xShmMap(REAL(file), region, size, extend, out);
}

static int file_shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
    return REAL(file)->pMethods->xShmLock(REAL(file), offset, n, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
    REAL(file)->pMethods->xShmBarrier(REAL(file));
}

static int file_shm_unmap(sqlite3_file *file, int delete)
{
    return REAL(file)->pMethods->xShmUnmap(REAL(file), delete);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* without memory maps: every read and write passes here */
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

static int drive_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *out_flags)
{
    struct drive *drive = (struct drive *)vfs;
    struct file *file = (struct file *)base;
    const char *name = known(drive, path);
    bool is_new = name && access(path, F_OK) < 0;

    *file = (struct file){.drive = drive, .real = (sqlite3_file *)(file + 1)};
    int rc = drive->real->xOpen(drive->real, path, file->real, flags, out_flags);
    if (file->real->pMethods)
        file->base.pMethods = &methods;
    if (rc != SQLITE_OK || !name)
        return rc;
    snprintf(file->name, sizeof file->name, "%s", name);
    if (is_new)
        note(drive, (struct op){.kind = OP_CREATE}, name, NULL);
    file->folder_is_behind = is_new && (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL));
    return rc;
}

static int drive_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    struct drive *drive = (struct drive *)vfs;
    const char *name = known(drive, path);

    if (name && access(path, F_OK) == 0) {
        note(drive, (struct op){.kind = OP_REMOVE}, name, NULL);
        if (sync_folder)
            note(drive, (struct op){.kind = OP_SYNC_FOLDER}, "", NULL);
    }
    return drive->real->xDelete(drive->real, path, 0);
}

struct drive *drive_insert(const char *folder, const char *const *names)
{
    struct drive *drive = must_calloc(1, sizeof *drive);

    drive->real = sqlite3_vfs_find(NULL);
    drive->vfs = *drive->real; /* names, randomness and time are the real one's */
    drive->vfs.pNext = NULL;
    drive->vfs.zName = "drive";
    drive->vfs.szOsFile = (int)sizeof(struct file) + drive->real->szOsFile;
    drive->vfs.xOpen = drive_open;
    drive->vfs.xDelete = drive_delete;
    drive->names = names;
    snprintf(drive->folder, sizeof drive->folder, "%s", folder);
    pthread_mutex_init(&drive->mutex, NULL);
    sqlite3_vfs_register(&drive->vfs, 1);
    return drive;
}

void drive_remove(struct drive *drive)
{
    sqlite3_vfs_unregister(&drive->vfs);
    sqlite3_vfs_register(drive->real, 1);
    for (size_t i = 0; i < drive->count; i++)
        free(drive->ops[i].bytes);
    free(drive->ops);
    pthread_mutex_destroy(&drive->mutex);
    free(drive);
}

/* --- What the rest of the store writes: whole small files. Their bytes are looked at when they are synced. ---------
 */

int __real_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __real_link(const char *from, const char *to);
int __wrap_fsync(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_link(const char *from, const char *to);

static struct drive *inserted(void)
{
    return (struct drive *)sqlite3_vfs_find("drive");
}

static void note_whole(struct drive *drive, const char *path)
{
    unsigned char bytes[8192];
    auto_file FILE *file = fopen(path, "re"); /* the descriptor may be for writing only */
    size_t len = file ? fread(bytes, 1, sizeof bytes, file) : 0;

    note(drive, (struct op){.kind = OP_CREATE}, known(drive, path), NULL);
    note(drive, (struct op){.kind = OP_WRITE, .len = len}, known(drive, path), bytes);
    note(drive, (struct op){.kind = OP_SYNC}, known(drive, path), NULL);
}

int __wrap_fsync(int fd)
{
    struct drive *drive = inserted();
    char link[64], path[PATH_SIZE];

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    path[len > 0 ? len : 0] = '\0';
    if (drive && strcmp(path, drive->folder) == 0)
        note(drive, (struct op){.kind = OP_SYNC_FOLDER}, "", NULL);
    else if (drive && known(drive, path))
        note_whole(drive, path);
    return drive ? 0 : __real_fsync(fd);
}

static void note_rename(const char *from, const char *to)
{
    struct drive *drive = inserted();
    struct op op = {.kind = OP_RENAME};

    if (!drive || !known(drive, from) || !known(drive, to))
        return;
    snprintf(op.to, sizeof op.to, "%s", known(drive, to));
    note(drive, op, known(drive, from), NULL);
}

int __wrap_rename(const char *from, const char *to)
{
    note_rename(from, to);
    return __real_rename(from, to);
}

int __wrap_link(const char *from, const char *to) /* the first name goes at once */
{
    note_rename(from, to);
    return __real_link(from, to);
}

/* --- After a cut -------------------------------------------------------------------------------------------------- */

struct blob {
    unsigned char *at;
    size_t len;
};

/* A file by all the names it ever had: what was asked for, what is on the disk for certain, and since when not. */
struct plate {
    struct blob now, certain;
    size_t certain_at; /* operations before this one are in `certain` */
};

struct names { /* which file, by name */
    char name[FILES_MAX][NAME_SIZE];
    size_t plate[FILES_MAX], count;
};

struct platter {
    struct plate plates[FILES_MAX];
    size_t plate_count;
    struct names now, certain;
    size_t certain_at; /* of the names */
    size_t *plate_of;  /* of each operation */
};

static size_t find(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->name[i], name) == 0)
            return i;
    return names->count;
}

static void unbind(struct names *names, const char *name)
{
    size_t i = find(names, name);

    if (i == names->count)
        return;
    names->count--;
    memmove(names->name[i], names->name[names->count], NAME_SIZE);
    names->plate[i] = names->plate[names->count];
}

static void bind_name(struct names *names, const char *name, size_t plate)
{
    unbind(names, name);
    snprintf(names->name[names->count], NAME_SIZE, "%s", name);
    names->plate[names->count++] = plate;
}

static void resize(struct blob *blob, size_t len)
{
    blob->at = must_realloc(blob->at, len + 1);
    if (len > blob->len)
        memset(blob->at + blob->len, 0, len - blob->len);
    blob->len = len;
}

static void put(struct blob *blob, size_t offset, const unsigned char *bytes, size_t len)
{
    if (offset + len > blob->len)
        resize(blob, offset + len);
    memcpy(blob->at + offset, bytes, len);
}

static void apply_name(struct names *names, const struct op *op, size_t plate)
{
    if (op->kind == OP_CREATE)
        bind_name(names, op->name, plate);
    if (op->kind == OP_REMOVE || op->kind == OP_RENAME)
        unbind(names, op->name);
    if (op->kind == OP_RENAME)
        bind_name(names, op->to, plate);
}

static void apply_bytes(struct blob *blob, const struct op *op)
{
    if (op->kind == OP_WRITE)
        put(blob, op->offset, op->bytes, op->len);
    if (op->kind == OP_TRUNCATE)
        resize(blob, op->len);
}

static void carry_out(struct platter *platter, const struct op *op, size_t number)
{
    size_t at = find(&platter->now, op->name);
    struct plate *plate;

    if (op->kind == OP_SYNC_FOLDER) {
        platter->certain = platter->now;
        platter->certain_at = number + 1;
        return;
    }
    platter->plate_of[number] = op->kind == OP_CREATE ? platter->plate_count++ : platter->now.plate[at];
    plate = &platter->plates[platter->plate_of[number]];
    apply_name(&platter->now, op, platter->plate_of[number]);
    apply_bytes(&plate->now, op);
    if (op->kind == OP_SYNC) {
        resize(&plate->certain, plate->now.len);
        if (plate->now.len)
            memcpy(plate->certain.at, plate->now.at, plate->now.len);
        plate->certain_at = number + 1;
    }
}

static uint64_t next_random(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* All of it, nothing of it, or some of its sectors. */
static void tear(struct blob *blob, const struct op *op, uint64_t *random)
{
    uint64_t lot = next_random(random) % 3;

    if (lot == 0)
        return;
    if (lot == 1 || op->kind != OP_WRITE) {
        apply_bytes(blob, op);
        return;
    }
    for (size_t from = 0, to; from < op->len; from = to) {
        to = (op->offset + from) / SECTOR * SECTOR + SECTOR - op->offset;
        to = to < op->len ? to : op->len;
        if (next_random(random) & 1)
            put(blob, op->offset + from, op->bytes + from, to - from);
    }
}

/* What was not certain yet comes in its order, with gaps. */
static void tear_all(struct platter *platter, const struct drive *drive, size_t position, uint64_t seed)
{
    uint64_t random = seed ^ position * 0x9e3779b97f4a7c15;

    for (size_t i = 0; i < position; i++) {
        const struct op *op = &drive->ops[i];
        struct plate *plate = &platter->plates[platter->plate_of[i]];
        if (op->kind == OP_SYNC || op->kind == OP_SYNC_FOLDER)
            continue;
        if (op->kind == OP_WRITE || op->kind == OP_TRUNCATE) {
            if (i >= plate->certain_at)
                tear(&plate->certain, op, &random);
        } else if (i >= platter->certain_at && (next_random(&random) & 1)) {
            apply_name(&platter->certain, op, platter->plate_of[i]);
        }
    }
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t len) /* FNV-1a */
{
    const unsigned char *at = bytes;

    for (size_t i = 0; at && i < len; i++)
        hash = (hash ^ at[i]) * 1099511628211u;
    return hash;
}

static uint64_t write_out(const struct drive *drive, const struct platter *platter, bool certain)
{
    const struct names *names = certain ? &platter->certain : &platter->now;
    uint64_t hash = 14695981039346656037u, sum = 0;
    char path[PATH_SIZE + NAME_SIZE + 1];

    for (size_t i = 0; i < names->count; i++) {
        const struct plate *plate = &platter->plates[names->plate[i]];
        const struct blob *blob = certain ? &plate->certain : &plate->now;
        snprintf(path, sizeof path, "%s/%s", drive->folder, names->name[i]);
        FILE *file = fopen(path, "we");
        if (!file || fwrite(blob->at ? blob->at : (unsigned char *)"", 1, blob->len, file) != blob->len) {
            perror(path);
            abort();
        }
        fclose(file);
        chmod(path, 0600);
        sum += hash_bytes(hash_bytes(hash, names->name[i], strlen(names->name[i])), blob->at, blob->len);
    }
    return sum;
}

static void clear_folder(const struct drive *drive)
{
    char path[PATH_SIZE + 256 + 1];
    DIR *all = opendir(drive->folder);

    for (struct dirent *entry; all && (entry = readdir(all));) {
        snprintf(path, sizeof path, "%s/%s", drive->folder, entry->d_name);
        if (known(drive, path))
            unlink(path);
    }
    if (all)
        closedir(all);
}

uint64_t drive_build(struct drive *drive, size_t position, enum drive_cut cut, uint64_t seed)
{
    struct platter *platter = must_calloc(1, sizeof *platter);

    platter->plate_of = must_calloc(position + 1, sizeof *platter->plate_of);
    for (size_t i = 0; i < position; i++)
        carry_out(platter, &drive->ops[i], i);
    if (cut == DRIVE_TORN)
        tear_all(platter, drive, position, seed);
    clear_folder(drive);
    uint64_t hash = write_out(drive, platter, cut != DRIVE_WRITTEN);
    for (size_t i = 0; i < platter->plate_count; i++) {
        free(platter->plates[i].now.at);
        free(platter->plates[i].certain.at);
    }
    free(platter->plate_of);
    free(platter);
    return hash;
}
