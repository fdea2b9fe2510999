/* sqlite_backup.c - the state of one moment, copied while others write. A read transaction holds the moment: what is
 * committed meanwhile goes into the write-ahead log, behind what we read, and never makes us begin anew. The price is
 * that the log cannot begin anew either and grows by what is written while we copy; see hurry(). */
#include "job.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

enum {
    STEP_BYTES = 1 << 20,     /* copied at once */
    STEP_REST_MS = 15,        /* then a rest: 50 MB a second or so, so that the disk has time for commits */
    STEPS_BETWEEN_LOOKS = 16, /* at the room and at the log */
    STOP_LOOK_OPS = 20000,    /* steps of SQLite's machine between looks at `stop`, while the copy is checked */
    CHECK_REST_MS = 1,
};
#define RESERVE_BYTES (INT64_C(64) << 20)  /* where nobody says how much is kept: its default */
#define LOG_MAX_BYTES (INT64_C(512) << 20) /* a longer write-ahead log is reason to hurry */

static const char suffix[] = ".backup-";

struct copying {
    const struct sqlite_backup *what;
    struct sqlite *from;
    sqlite3 *to;
    int fd;
};

static int stopped(struct error *err)
{
    return error_set(err, ERROR_TRY_LATER, "the backup was given up: the daemon is stopping");
}

static int failed(const struct copying *copying, const char *doing, int code, struct error *err)
{
    bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB; /* which only what is read can be */

    if (damaged)
        return error_set(err, ERROR_CONFIG, "%s: damaged: %s", copying->what->from, sqlite3_errstr(code));
    return error_set(err, ERROR_TRY_LATER, "%s: %s: %s", copying->what->to, doing,
                     code == SQLITE_FULL ? "no room left" : sqlite3_errstr(code));
}

static bool told_to_stop(const struct sqlite_backup *what)
{
    return what->stop && atomic_load(what->stop);
}

static int64_t file_bytes(const char *path, const char *end)
{
    char name[4096];
    struct stat st;

    snprintf(name, sizeof name, "%s%s", path, end);
    return stat(name, &st) == 0 ? st.st_size : 0;
}

/* --- Opening both sides --- */

/* The moment begins with the first read. */
static int open_source(struct copying *copying, struct error *err)
{
    copying->from = sqlite_open(copying->what->from, SQLITE_READER, err);
    if (!copying->from || sqlite_exec(copying->from, "BEGIN", err) < 0)
        return -1;
    return sqlite_check_schema(copying->from, err);
}

static int check_room(const struct copying *copying, int64_t still_bytes, struct error *err)
{
    struct statvfs disk;

    if (fstatvfs(copying->fd, &disk) < 0)
        return error_set(err, ERROR_TRY_LATER, "%s: %s", copying->what->to, strerror(errno));
    int64_t room = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    if (room >= still_bytes + copying->what->leave_bytes)
        return 0;
    return error_set(
        err, ERROR_TRY_LATER,
        "no room for a backup: %lld MB are still to be written, %lld MB must stay free for the ledger, and "
        "%lld MB are left on that disk",
        (long long)(still_bytes >> 20) + 1, (long long)(copying->what->leave_bytes >> 20), (long long)(room >> 20));
}

/* Without a journal: a copy that breaks off is thrown away. */
static int open_target(struct copying *copying, struct error *err)
{
    const struct sqlite_backup *what = copying->what;

    copying->fd = open(what->to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (copying->fd < 0)
        return error_set(err, ERROR_REFUSED, "%s: %s", what->to, strerror(errno));
    int rc = sqlite3_open_v2(what->to, &copying->to, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(copying->to, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-2048", NULL,
                          NULL, NULL);
    return rc == SQLITE_OK ? 0 : failed(copying, "cannot be opened", rc, err);
}

/* --- Copying --- */

/* Nobody can shorten the log while we read. When it has become long it is better to be done soon. */
static bool hurry(const struct copying *copying)
{
    return file_bytes(copying->what->from, "-wal") > LOG_MAX_BYTES;
}

static int copy_steps(struct copying *copying, sqlite3_backup *backup, int pages, int64_t page_bytes, struct error *err)
{
    bool hurried = false;
    int rc = SQLITE_OK;

    for (unsigned step = 0; rc == SQLITE_OK; step++) {
        if (told_to_stop(copying->what))
            return stopped(err);
        if (step % STEPS_BETWEEN_LOOKS == 1) {
            hurried = hurry(copying);
            if (check_room(copying, sqlite3_backup_remaining(backup) * page_bytes, err) < 0)
                return -1;
        }
        rc = sqlite3_backup_step(backup, pages);
        if (rc == SQLITE_OK && !hurried)
            uv_sleep(STEP_REST_MS);
    }
    return rc == SQLITE_DONE ? 0 : failed(copying, "copying", rc, err);
}

static int copy_pages(struct copying *copying, struct error *err)
{
    int64_t page_bytes, pages;

    if (sqlite_number(copying->from, 4096, &page_bytes, err, "PRAGMA page_size", "") < 0 ||
        sqlite_number(copying->from, 0, &pages, err, "PRAGMA page_count", "") < 0 ||
        check_room(copying, pages * page_bytes, err) < 0)
        return -1;
    sqlite3_backup *backup = sqlite3_backup_init(copying->to, "main", copying->from->handle, "main");
    if (!backup)
        return failed(copying, "copying", sqlite3_errcode(copying->to), err);
    int rc = copy_steps(copying, backup, (int)(STEP_BYTES / page_bytes), page_bytes, err);
    int end = sqlite3_backup_finish(backup);
    return rc == 0 && end != SQLITE_OK ? failed(copying, "copying", end, err) : rc;
}

/* The header says "write-ahead log" like the original's: then opening the copy would put files beside it. Bytes 18 and
 * 19 are the versions that a writer and a reader need, 1 for the plain kind (sqlite.org/fileformat2.html,
 * section 1.3.3). The connection forgets what it knows of the file. */
static int make_plain(struct copying *copying, struct error *err)
{
    if (pwrite(copying->fd, "\x01\x01", 2, 18) != 2)
        return error_set(err, ERROR_TRY_LATER, "%s: %s", copying->what->to, strerror(errno));
    sqlite3_db_release_memory(copying->to);
    return 0;
}

/* Promise 9, for a copy that is restored before the next start: its generation is not older than its witness. */
static int mark(struct copying *copying, struct error *err)
{
    auto_buf struct buf sql;

    buf_init(&sql, 256);
    buf_adds(&sql, "INSERT INTO meta VALUES('backup', '");
    buf_add_moment(&sql, copying->what->now_ms);
    buf_adds(&sql, "') ON CONFLICT(key) DO UPDATE SET value = excluded.value");
    int rc = sqlite3_exec(copying->to, sql.ptr, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : failed(copying, "marking it as a backup", rc, err);
}

/* --- Checking --- */

static int on_check(void *ctx)
{
    uv_sleep(CHECK_REST_MS);
    return told_to_stop(ctx);
}

static int first_number(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        *out = sqlite3_column_int64(stmt, 0);
        rc = SQLITE_OK;
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* "ok", or the first thing that is wrong. */
static int quick_check(sqlite3 *db, const char *path, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL);

    if (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *said = (const char *)sqlite3_column_text(stmt, 0);
        rc = SQLITE_OK;
        if (said && strcmp(said, "ok") != 0)
            error_set(err, ERROR_CONFIG, "%s: damaged: %s", path, said);
    } else if (rc == SQLITE_INTERRUPT) {
        stopped(err);
    } else {
        error_set(err, ERROR_CONFIG, "%s: damaged, or no database: %s", path, sqlite3_errstr(rc));
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_OK && err->kind == ERROR_NONE ? 0 : -1;
}

static int read_facts(sqlite3 *db, const char *path, struct store_copy *out, struct error *err)
{
    int64_t pages = 0, page_bytes = 0;
    int rc;

    if ((rc = first_number(db, "PRAGMA user_version", &out->schema)) != SQLITE_OK ||
        (rc = first_number(db, "PRAGMA page_count", &pages)) != SQLITE_OK ||
        (rc = first_number(db, "PRAGMA page_size", &page_bytes)) != SQLITE_OK ||
        (rc = first_number(db, "SELECT count(*) FROM notice", &out->notices)) != SQLITE_OK ||
        (rc = first_number(db, "SELECT count(*) FROM told", &out->people)) != SQLITE_OK)
        return rc == SQLITE_INTERRUPT ? stopped(err)
                                      : error_set(err, ERROR_REFUSED, "%s: %s", path, sqlite3_errstr(rc));
    out->bytes = pages * page_bytes;
    return 0;
}

static int check_copy(struct copying *copying, struct store_copy *out, struct error *err)
{
    sqlite3_progress_handler(copying->to, STOP_LOOK_OPS, on_check, (void *)(uintptr_t)copying->what);
    if (quick_check(copying->to, copying->what->from, err) < 0) /* page by page what it was made of */
        return -1;
    return read_facts(copying->to, copying->what->to, out, err);
}

/* --- The whole --- */

static int make_durable(const struct copying *copying, struct error *err)
{
    if (copying->what->nameless)
        return 0;
    if (fsync(copying->fd) < 0)
        return error_set(err, ERROR_TRY_LATER, "%s: %s", copying->what->to, strerror(errno));
    return sqlite_sync_folder(copying->what->to, err);
}

static int copy_all(struct copying *copying, struct store_copy *out, struct error *err)
{
    if (open_source(copying, err) < 0 || copy_pages(copying, err) < 0 || make_plain(copying, err) < 0 ||
        mark(copying, err) < 0)
        return -1;
    sqlite_close(copying->from); /* the moment is over: the log may begin anew */
    copying->from = NULL;
    return check_copy(copying, out, err) < 0 || make_durable(copying, err) < 0 ? -1 : 0;
}

int sqlite_backup(const struct sqlite_backup *what, struct store_copy *out, struct error *err)
{
    struct copying copying = {.what = what, .fd = -1};
    int rc = told_to_stop(what) ? stopped(err) : open_target(&copying, err);
    bool ours = copying.fd >= 0;

    if (ours && what->nameless)
        unlink(what->to);
    if (rc == 0)
        rc = copy_all(&copying, out, err);
    sqlite_close(copying.from);
    sqlite3_close(copying.to);
    if (rc == 0 && lseek(copying.fd, 0, SEEK_SET) == 0)
        return copying.fd;
    if (ours && !what->nameless)
        unlink(what->to);
    if (ours)
        close(copying.fd);
    return -1;
}

/* --- Around it --- */

static int run_backup(struct sqlite *db, struct store_job *job, struct error *err)
{
    unsigned char random[8];
    auto_buf struct buf to;

    (void)db;
    buf_init(&to, 4096);
    if (crypt_random(random, sizeof random, err) < 0)
        return -1;
    buf_addf(&to, "%s%s", job->in.backup.path, suffix);
    for (size_t i = 0; i < sizeof random; i++)
        buf_addf(&to, "%02x", random[i]);
    if (buf_failed(&to))
        return error_set(err, ERROR_CONFIG, "%s: the path is too long", job->in.backup.path);
    job->out.backup.fd = sqlite_backup(&(struct sqlite_backup){.from = job->in.backup.path,
                                                               .to = to.ptr,
                                                               .nameless = true,
                                                               .now_ms = job->in.backup.now_ms,
                                                               .leave_bytes = job->in.backup.leave_bytes,
                                                               .stop = job->in.backup.stop},
                                       &job->out.backup.copy, err);
    return job->out.backup.fd < 0 ? -1 : 0;
}

static void answer_backup(struct store_job *job)
{
    job->out.backup.failure = job_failure(job);
    job->tell.backed_up(job->ctx, &job->out.backup);
}

static void clear_backup(struct store_job *job)
{
    if (job->out.backup.fd >= 0)
        close(job->out.backup.fd);
}

struct store_job *store_backup(struct store *store, store_backup_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_COPY, run_backup, answer_backup, ctx);

    job->in.backup.path = store_path(store);
    job->in.backup.now_ms = store_now_ms(store);
    job->in.backup.leave_bytes = 2 * store_reserve_bytes(store);
    job->in.backup.stop = store_stop_copying(store);
    job->out.backup.fd = -1;
    job->clear = clear_backup;
    job->tell.backed_up = done;
    return store_submit(store, job);
}

int store_backup_to(const char *url, const char *path, struct store_copy *out, struct error *err)
{
    struct text from = text_of(url);

    int64_t reserve;

    text_cut(&from, ':'); /* the scheme */
    if (sqlite_reserve(from.ptr, RESERVE_BYTES, &reserve, err) < 0)
        return -1;
    auto_fd int fd = sqlite_backup(
        &(struct sqlite_backup){
            .from = from.ptr, .to = path, .now_ms = clock_now_ms(&clock_machine), .leave_bytes = 2 * reserve},
        out, err);
    return fd < 0 ? -1 : 0;
}

int store_backup_check(const char *path, struct store_copy *out, struct error *err)
{
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);

    if (rc != SQLITE_OK)
        error_set(err, ERROR_REFUSED, "%s: %s", path, sqlite3_errstr(rc));
    else if (quick_check(db, path, err) == 0)
        read_facts(db, path, out, err);
    sqlite3_close(db);
    return err->kind == ERROR_NONE ? 0 : -1;
}

void sqlite_backup_sweep(const char *path)
{
    auto_free char *folder = must_strdup(path), *pattern = NULL;
    char *slash = strrchr(folder, '/');
    struct buf name;

    buf_init(&name, 4096);
    buf_addf(&name, "%s%s", slash ? slash + 1 : folder, suffix);
    pattern = buf_take(&name);
    if (slash)
        slash[slash == folder] = '\0';
    DIR *all = opendir(slash ? folder : ".");
    struct dirent *entry;
    while (all && pattern && (entry = readdir(all)))
        if (text_starts(text_of(entry->d_name), pattern))
            unlinkat(dirfd(all), entry->d_name, 0);
    if (all)
        closedir(all);
}
