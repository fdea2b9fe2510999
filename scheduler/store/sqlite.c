#include "sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum {
    BUSY_MS = 5000,   /* for another program that reads the file */
    PAGE_BYTES = 4096 /* SQLite's default */
};

static int full(struct sqlite *db, struct error *err)
{
    db->full = true;
    return error_set(err, ERROR_TRY_LATER, "%s: the disk is full: make room there, nothing was lost", db->path);
}

/* It stays as it is: what was there may be saved by others. */
static int damaged(struct sqlite *db, const char *said, struct error *err)
{
    struct error first = {0};

    error_set(
        &first, ERROR_CONFIG,
        "%s: damaged, or not a database (%s). Nothing is written over it: stop onsale, move it away, cp BACKUP %s, "
        "start, onsale resume --this-is-the-one (README, \"Backup and restore\")",
        db->path, said, db->path);
    if (db->damage.kind == ERROR_NONE)
        db->damage = first;
    return error_set(err, first.kind, "%s", first.text);
}

int sqlite_failed(struct sqlite *db, struct error *err)
{
    int code = sqlite3_errcode(db->handle) & 0xFF, number = sqlite3_system_errno(db->handle);
    const char *said = sqlite3_errmsg(db->handle);

    switch (code) {
    case SQLITE_FULL:
        return full(db, err);
    case SQLITE_IOERR:
        if (number == ENOSPC || number == EDQUOT)
            return full(db, err);
        return error_set(err, ERROR_TRY_LATER, "%s: the disk does not work (%s%s%s): see the system's log", db->path,
                         said, number ? ", " : "", number ? strerror(number) : "");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(err, ERROR_TRY_LATER, "%s: locked by another program", db->path);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return damaged(db, said, err);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        return error_set(err, ERROR_CONFIG, "%s: cannot be opened for writing (%s%s%s)", db->path, said,
                         number ? ", " : "", number ? strerror(number) : "");
    default:
        return error_set(err, ERROR_REFUSED, "%s: %s", db->path, said);
    }
}

/* --- Statements --- */

static sqlite3_stmt *find(struct sqlite *db, const char *sql, struct error *err)
{
    size_t slot = ((uintptr_t)sql >> 3) % ARRAY_LEN(db->statements);

    for (size_t i = 0; i < ARRAY_LEN(db->statements); i++, slot = (slot + 1) % ARRAY_LEN(db->statements)) {
        if (db->statements[slot].sql == sql)
            return db->statements[slot].stmt;
        if (db->statements[slot].sql)
            continue;
        sqlite3_stmt *stmt = NULL;
        if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK) {
            sqlite_failed(db, err);
            return NULL;
        }
        db->statements[slot].sql = sql;
        db->statements[slot].stmt = stmt;
        return stmt;
    }
    error_set(err, ERROR_REFUSED, "%s: more statements than places for them", db->path);
    return NULL;
}

static int bind_string(sqlite3_stmt *stmt, int at, const char *string)
{
    return string ? sqlite3_bind_text(stmt, at, string, -1, SQLITE_STATIC) : sqlite3_bind_null(stmt, at);
}

static int bind_moment(sqlite3_stmt *stmt, int at, int64_t at_ms)
{
    return at_ms == MOMENT_NONE ? sqlite3_bind_null(stmt, at) : sqlite3_bind_int64(stmt, at, at_ms);
}

static int bind_all(sqlite3_stmt *stmt, const char *types, va_list args)
{
    int rc = SQLITE_OK;

    for (int at = 1; types[at - 1] && rc == SQLITE_OK; at++) {
        struct text t;
        switch (types[at - 1]) {
        case 'i':
            rc = sqlite3_bind_int64(stmt, at, va_arg(args, int64_t));
            break;
        case 'd':
            rc = sqlite3_bind_int(stmt, at, va_arg(args, int));
            break;
        case 'm':
            rc = bind_moment(stmt, at, va_arg(args, int64_t));
            break;
        case 's':
            rc = bind_string(stmt, at, va_arg(args, const char *));
            break;
        case 't':
            t = va_arg(args, struct text);
            rc = sqlite3_bind_text(stmt, at, t.ptr ? t.ptr : "", (int)t.len, SQLITE_STATIC);
            break;
        case 'b':
            t = va_arg(args, struct text);
            rc = sqlite3_bind_blob(stmt, at, t.ptr, (int)t.len, SQLITE_STATIC);
            break;
        case 'k':
            rc = sqlite3_bind_blob(stmt, at, va_arg(args, const void *), PERSON_KEY_SIZE, SQLITE_STATIC);
            break;
        default:
            rc = SQLITE_MISUSE;
        }
    }
    return rc;
}

static sqlite3_stmt *query(struct sqlite *db, struct error *err, const char *sql, const char *types, va_list args)
{
    sqlite3_stmt *stmt = find(db, sql, err);

    if (!stmt)
        return NULL;
    if (bind_all(stmt, types, args) != SQLITE_OK) {
        sqlite_failed(db, err);
        sqlite_done(stmt);
        return NULL;
    }
    return stmt;
}

sqlite3_stmt *sqlite_query(struct sqlite *db, struct error *err, const char *sql, const char *types, ...)
{
    va_list args;

    va_start(args, types);
    sqlite3_stmt *stmt = query(db, err, sql, types, args);
    va_end(args);
    return stmt;
}

int sqlite_step(struct sqlite *db, sqlite3_stmt *stmt, struct error *err)
{
    int rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW)
        return 1;
    if (rc != SQLITE_DONE)
        sqlite_failed(db, err);
    sqlite_done(stmt);
    return rc == SQLITE_DONE ? 0 : -1;
}

void sqlite_done(sqlite3_stmt *stmt)
{
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
}

int sqlite_run(struct sqlite *db, struct error *err, const char *sql, const char *types, ...)
{
    va_list args;

    va_start(args, types);
    sqlite3_stmt *stmt = query(db, err, sql, types, args);
    va_end(args);
    return stmt ? sqlite_step(db, stmt, err) : -1;
}

int sqlite_number(struct sqlite *db, int64_t fallback, int64_t *out, struct error *err, const char *sql,
                  const char *types, ...)
{
    va_list args;

    va_start(args, types);
    sqlite3_stmt *stmt = query(db, err, sql, types, args);
    va_end(args);
    *out = fallback;
    if (!stmt)
        return -1;
    int rc = sqlite_step(db, stmt, err);
    if (rc == 1) {
        if (sqlite3_column_type(stmt, 0) != SQLITE_NULL)
            *out = sqlite3_column_int64(stmt, 0);
        sqlite_done(stmt);
    }
    return rc < 0 ? -1 : 0;
}

int64_t sqlite_moment(sqlite3_stmt *stmt, int column)
{
    return sqlite3_column_type(stmt, column) == SQLITE_NULL ? MOMENT_NONE : sqlite3_column_int64(stmt, column);
}

struct text sqlite_text(sqlite3_stmt *stmt, int column)
{
    const char *ptr = (const char *)sqlite3_column_text(stmt, column);

    return (struct text){ptr ? ptr : "", (size_t)sqlite3_column_bytes(stmt, column)};
}

const char *sqlite_string(sqlite3_stmt *stmt, int column)
{
    return sqlite_text(stmt, column).ptr;
}

/* --- Transactions --- */

int sqlite_exec(struct sqlite *db, const char *sql, struct error *err)
{
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sqlite_failed(db, err);
}

/* Built with ONSALE_FAILPOINTS (tests/meson.build): ends the program at the Nth durable write, right before or right
 * after it. */
static void failpoint(struct sqlite *db, const char *variable)
{
#ifdef ONSALE_FAILPOINTS
    const char *at = getenv(variable);
    if (at && strtol(at, NULL, 10) == db->commits)
        kill(getpid(), SIGKILL);
#else
    (void)db;
    (void)variable;
#endif
}

int sqlite_begin(struct sqlite *db, struct error *err)
{
    return sqlite_run(db, err, "BEGIN IMMEDIATE", "");
}

int sqlite_commit(struct sqlite *db, struct error *err)
{
#ifdef ONSALE_FAILPOINTS
    db->commits++;
#endif
    failpoint(db, "ONSALE_FAILPOINT");
    if (sqlite_run(db, err, "COMMIT", "") < 0) {
        sqlite_rollback(db);
        return -1;
    }
    failpoint(db, "ONSALE_FAILPOINT_AFTER");
    return 0;
}

void sqlite_rollback(struct sqlite *db)
{
    if (!sqlite3_get_autocommit(db->handle))
        sqlite_run(db, NULL, "ROLLBACK", "");
}

void sqlite_wipe_log(struct sqlite *db, struct error *err)
{
    sqlite3_busy_timeout(db->handle, 0); /* a long report may read: then later */
    int rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (rc == SQLITE_OK) {
        db->wipe = false;
        db->log_pages = 0;
    } else if ((rc & 0xFF) != SQLITE_BUSY && (rc & 0xFF) != SQLITE_LOCKED) {
        error_set(err, ERROR_TRY_LATER, "%s: its log cannot be emptied: %s", db->path, sqlite3_errstr(rc));
    }
    sqlite3_busy_timeout(db->handle, BUSY_MS);
}

int sqlite_log_pages(const char *path)
{
    char name[4096];
    struct stat st;

    snprintf(name, sizeof name, "%s-wal", path);
    return stat(name, &st) == 0 ? (int)(st.st_size / PAGE_BYTES) : 0;
}

void sqlite_fold_log(struct sqlite *db)
{
    sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL); /* waits for nobody */
}

static int on_commit(void *ctx, sqlite3 *handle, const char *name, int pages)
{
    (void)handle;
    (void)name;
    ((struct sqlite *)ctx)->log_pages = pages;
    return SQLITE_OK;
}

/* --- Opening --- */

static int expect_wal(struct sqlite *db, struct error *err)
{
    sqlite3_stmt *stmt = sqlite_query(db, err, "PRAGMA journal_mode=WAL", "");
    if (!stmt || sqlite_step(db, stmt, err) < 0)
        return -1;
    bool wal = text_is(sqlite_text(stmt, 0), "wal");
    sqlite_done(stmt);
    return wal ? 0
               : error_set(err, ERROR_CONFIG, "%s: its file system cannot hold a write-ahead log: use a local disk",
                           db->path);
}

static int set_up(struct sqlite *db, enum sqlite_mode mode, struct error *err)
{
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_busy_timeout(db->handle, BUSY_MS);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    if (sqlite_exec(db, "PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY", err) < 0)
        return -1;
    if (mode == SQLITE_READER)
        return sqlite_exec(db, "PRAGMA query_only=ON; PRAGMA cache_size=-1024; SELECT count(*) FROM sqlite_schema",
                           err);
    if (sqlite_check_ours(db, err) < 0 || expect_wal(db, err) < 0)
        return -1;
    /* FULL: what we acknowledge survives a power cut. What is deleted is overwritten: its pages are written anyway. A
     * cache for the whole key index of a million people (40 MiB) makes gathering no faster: the system's cache has it.
     */
    if (sqlite_exec(db,
                    "PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA foreign_keys=ON;"
                    "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-4096",
                    err) < 0)
        return -1;
    sqlite3_wal_hook(db->handle, on_commit, db); /* in the place of checkpoints within commits: see keeper.h */
    return 0;
}

static int connect_file(struct sqlite *db, enum sqlite_mode mode, int flags, struct error *err)
{
    /* 0600: addresses of people are in it. Only who may make the file: readers open it on other threads, and this is
     * the whole process's. */
    mode_t before = mode == SQLITE_WRITER ? umask(0077) : 0;
    int rc = sqlite3_open_v2(db->path, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL);

    if (rc == SQLITE_OK)
        rc = set_up(db, mode, err);
    else
        rc = db->handle ? sqlite_failed(db, err) : error_set(err, ERROR_TRY_LATER, "%s: out of memory", db->path);
    if (mode == SQLITE_WRITER)
        umask(before);
    return rc;
}

static void disconnect(struct sqlite *db)
{
    for (size_t i = 0; i < ARRAY_LEN(db->statements); i++)
        sqlite3_finalize(db->statements[i].stmt);
    memset(db->statements, 0, sizeof db->statements);
    sqlite3_close(db->handle);
    db->handle = NULL;
}

struct sqlite *sqlite_open(const char *path, enum sqlite_mode mode, struct error *err)
{
    struct sqlite *db = must_calloc(1, sizeof *db);
    struct error first = {0};

    db->path = must_strdup(path);
    if (mode == SQLITE_WRITER) {
        db->fresh = access(path, F_OK) < 0;
        if (connect_file(db, mode, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err) < 0)
            goto fail;
        return db;
    }
    if (mode == SQLITE_KEEPER) {
        if (connect_file(db, mode, SQLITE_OPEN_READWRITE, err) < 0)
            goto fail;
        return db;
    }
    if (access(path, R_OK) < 0) {
        error_set(err, ERROR_CONFIG, "%s: %s", path, strerror(errno));
        goto fail;
    }
    if (connect_file(db, mode, SQLITE_OPEN_READONLY, &first) == 0)
        return db;
    /* The write-ahead log of a daemon that was killed has to be recovered, which needs the right to write. */
    disconnect(db);
    if (connect_file(db, mode, SQLITE_OPEN_READWRITE, NULL) == 0)
        return db;
    error_set(err, first.kind, "%s", first.text);
fail:
    sqlite_close(db);
    return NULL;
}

void sqlite_close(struct sqlite *db)
{
    if (!db)
        return;
    disconnect(db);
    free(db->path);
    free(db);
}

int sqlite_lock(const char *path, struct error *err)
{
    char name[4096], pid[32];

    if (snprintf(name, sizeof name, "%s.lock", path) >= (int)sizeof name)
        return error_set(err, ERROR_CONFIG, "%s: the path is too long", path);
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set(err, ERROR_CONFIG, "%s: %s", name, strerror(errno));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        ssize_t got = pread(fd, pid, sizeof pid - 1, 0);
        struct text holder = text_trim((struct text){pid, got > 0 ? (size_t)got : 0});
        error_set(err, ERROR_CONFIG, "%s is in use by another onsale (pid %.*s, lock %s)", path, TEXT_ARGS(holder),
                  name);
        close(fd);
        return -1;
    }
    int len = snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)len, 0) != len) {
        error_set(err, ERROR_TRY_LATER, "%s: %s", name, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

int sqlite_room(const char *path, int64_t *out, struct error *err)
{
    struct statvfs room;

    if (statvfs(path, &room) < 0)
        return error_set(err, ERROR_TRY_LATER, "%s: %s", path, strerror(errno));
    *out = (int64_t)room.f_bavail * (int64_t)room.f_frsize;
    return 0;
}

int sqlite_sync_folder(const char *path, struct error *err)
{
    auto_free char *folder = must_strdup(path);
    char *slash = strrchr(folder, '/');

    if (slash)
        slash[slash == folder] = '\0';
    auto_fd int fd = open(slash ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? 0 : error_set(err, ERROR_TRY_LATER, "%s: %s", path, strerror(errno));
}
