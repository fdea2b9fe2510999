#include "keeper.h"

enum {
    FOLD_PAGES = 10000,   /* 40 MiB of log are folded, each page once however often it was written meanwhile */
    BEHIND_PAGES = 14000, /* 56 MiB: what can wait should; longer than journal_size_limit it would be cut off again */
    FEW_PAGES = 400,      /* left to the writer: a millisecond or two */
    AGAIN_MS = 200        /* after a round that led nowhere: a reader holds the log */
};

/* SQLite itself syncs the file only when nothing was left to fold; the writer should not find all of it to be done. */
static int sync_file(struct sqlite *db)
{
    sqlite3_file *file = NULL;

    if (sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file->pMethods)
        return SQLITE_IOERR;
    return file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
}

static void note(struct keeper *keeper, struct error *kept, const struct error *failure)
{
    uv_mutex_lock(&keeper->mutex);
    *kept = *failure;
    uv_mutex_unlock(&keeper->mutex);
}

void keeper_failure(struct keeper *keeper, struct error *out)
{
    *out = (struct error){0};
    if (!keeper->running)
        return;
    uv_mutex_lock(&keeper->mutex);
    *out = keeper->folding_failure.kind != ERROR_NONE ? keeper->folding_failure : keeper->emptying_failure;
    uv_mutex_unlock(&keeper->mutex);
}

static int fold_once(struct keeper *keeper, int *done, struct error *err)
{
    struct sqlite *db = keeper->db;
    int rc = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, done);

    if (rc == SQLITE_OK && (rc = sync_file(db)) == SQLITE_OK)
        return 0;
    if ((rc & 0xFF) == SQLITE_BUSY || (rc & 0xFF) == SQLITE_LOCKED)
        return -1;
    return error_set(err, ERROR_TRY_LATER, "%s: its log cannot be folded into it: %s", db->path, sqlite3_errstr(rc));
}

/* Folds, round by round, until few pages are left: the writer goes on meanwhile. False: it cannot be done now. */
static bool fold(struct keeper *keeper)
{
    struct error err = {0};

    for (int done = 0, before = -1; done != before && !atomic_load(&keeper->stop);) {
        before = done;
        int rc = fold_once(keeper, &done, &err);
        note(keeper, &keeper->folding_failure, &err);
        if (rc < 0)
            return false;
        if (atomic_load(&keeper->log_pages) - done <= FEW_PAGES)
            return true;
    }
    return false;
}

static bool wait_for_work(struct keeper *keeper)
{
    uv_mutex_lock(&keeper->mutex);
    while (!keeper->asked && !atomic_load(&keeper->stop))
        uv_cond_wait(&keeper->work, &keeper->mutex);
    bool more = !atomic_load(&keeper->stop);
    uv_mutex_unlock(&keeper->mutex);
    return more;
}

/* Until it is asked for again; longer when it led nowhere. */
static void rest(struct keeper *keeper, bool in_vain)
{
    uv_mutex_lock(&keeper->mutex);
    if (in_vain && !atomic_load(&keeper->stop))
        uv_cond_timedwait(&keeper->work, &keeper->mutex, AGAIN_MS * UINT64_C(1000000));
    keeper->asked = false;
    uv_mutex_unlock(&keeper->mutex);
}

static void keeper_main(void *ctx)
{
    struct keeper *keeper = ctx;

    while (wait_for_work(keeper)) {
        atomic_store(&keeper->folding, true);
        bool folded = fold(keeper);
        atomic_store(&keeper->folding, false);
        atomic_store(&keeper->folded, folded);
        rest(keeper, !folded);
    }
}

int keeper_start(struct keeper *keeper, const char *path, struct error *err)
{
    keeper->db = sqlite_open(path, SQLITE_KEEPER, err);
    if (!keeper->db)
        return -1;
    uv_mutex_init(&keeper->mutex);
    uv_cond_init(&keeper->work);
    int rc = uv_thread_create(&keeper->thread, keeper_main, keeper);
    if (rc < 0) {
        uv_cond_destroy(&keeper->work);
        uv_mutex_destroy(&keeper->mutex);
        return error_set(err, ERROR_TRY_LATER, "store thread: %s", uv_strerror(rc));
    }
    keeper->running = true;
    return 0;
}

void keeper_stop(struct keeper *keeper)
{
    if (keeper->running) {
        uv_mutex_lock(&keeper->mutex);
        atomic_store(&keeper->stop, true);
        uv_cond_signal(&keeper->work);
        uv_mutex_unlock(&keeper->mutex);
        uv_thread_join(&keeper->thread);
        uv_cond_destroy(&keeper->work);
        uv_mutex_destroy(&keeper->mutex);
        keeper->running = false;
    }
    sqlite_close(keeper->db);
    keeper->db = NULL;
}

static void ask(struct keeper *keeper)
{
    uv_mutex_lock(&keeper->mutex);
    if (!keeper->asked) {
        keeper->asked = true;
        uv_cond_signal(&keeper->work);
    }
    uv_mutex_unlock(&keeper->mutex);
}

/* Not after each commit while a reader is in the way: each try costs a write to the disk. */
static void empty(struct keeper *keeper, struct sqlite *writer)
{
    int64_t now_ms = clock_mono_ms(&clock_machine);

    if (now_ms < keeper->empty_at_ms)
        return;
    struct error err = {0};
    sqlite_wipe_log(writer, &err);
    note(keeper, &keeper->emptying_failure, &err);
    keeper->empty_at_ms = writer->wipe ? now_ms + AGAIN_MS : 0;
}

void keeper_wipe(struct keeper *keeper, struct sqlite *writer)
{
    if (writer->wipe && writer->log_pages <= FEW_PAGES)
        empty(keeper, writer);
}

void keeper_look(struct keeper *keeper, struct sqlite *writer)
{
    atomic_store(&keeper->log_pages, writer->log_pages);
    if (writer->log_pages < keeper->ended_pages)
        keeper->ended_pages = 0; /* it began anew */
    if (writer->log_pages <= FEW_PAGES)
        return;
    if (!writer->wipe && (writer->log_pages < FOLD_PAGES || writer->log_pages < keeper->ended_pages + FEW_PAGES))
        return;
    if (!atomic_exchange(&keeper->folded, false)) {
        ask(keeper);
        return;
    }
    if (writer->wipe)
        empty(keeper, writer);
    else
        sqlite_fold_log(writer);
    keeper->ended_pages = writer->log_pages;
}

bool keeper_behind(const struct keeper *keeper, const struct sqlite *writer)
{
    return writer->log_pages > BEHIND_PAGES && atomic_load(&keeper->folding);
}
