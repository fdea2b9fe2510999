/* store.c - opening and closing, and how answers come to the loop. */
#include "keeper.h"
#include "worker.h"

#include <limits.h>
#include <stdatomic.h>
#include <string.h>

struct store {
    char *path, *folder, *copy_reason;
    char *keys_mark;                    /* NULL: none is decided */
    struct store_job *looking, *trying; /* store_look(): on their way, or NULL */
    struct looked looked;
    void (*on_look)(void *ctx);
    void *on_look_ctx;
    void (*on_told)(void *ctx);
    void *on_told_ctx;
    int64_t reserve_bytes;
    int lock;
    int64_t generation;
    const struct clock *clock;
    struct log *log;
    bool keeping_told;
    struct sqlite_identity identity;
    struct sqlite *db; /* for the blocking calls, on the caller's thread; reads only */
    struct worker writer, reader, copier;
    struct keeper keeper;
    atomic_bool stop_copying;
    uv_mutex_t mutex; /* over answered */
    struct queue answered;
    uv_async_t wake;
    size_t pending; /* submitted, not yet answered; loop thread */
    bool closing;
};

/* --- Answers: from the store threads to the loop --- */

void store_post(struct store *store, struct queue *done)
{
    struct queue answers;
    struct store_job *job;

    queue_init(&answers);
    while ((job = queue_pop(done)))
        if (job->waiter)
            uv_sem_post(job->waiter);
        else
            queue_push(&answers, job);
    if (!answers.first)
        return;
    uv_mutex_lock(&store->mutex);
    queue_move(&store->answered, &answers);
    uv_mutex_unlock(&store->mutex);
    uv_async_send(&store->wake);
}

static struct store_job *next_answer(struct store *store)
{
    uv_mutex_lock(&store->mutex);
    struct store_job *job = queue_pop(&store->answered);
    uv_mutex_unlock(&store->mutex);
    return job;
}

/* An answer may close the store: then the rest is not delivered. */
static void on_wake(uv_async_t *wake)
{
    struct store *store = wake->data;
    struct store_job *job;
    bool told = false;

    while (!store->closing && (job = next_answer(store))) {
        store->pending--;
        told |= job->told && job->failure.kind == ERROR_NONE;
        if (job->answer && !job->cancelled)
            job->answer(job);
        job_free(job);
    }
    if (told && !store->closing && store->on_told)
        store->on_told(store->on_told_ctx);
}

void store_on_told(struct store *store, void (*told)(void *ctx), void *ctx)
{
    store->on_told = told;
    store->on_told_ctx = ctx;
}

size_t store_pending(const struct store *store)
{
    return store->pending;
}

/* --- The reader, and the copier, which has no connection of its own --- */

static void one_by_one_main(void *ctx)
{
    struct worker *worker = ctx;

    while (worker_wait(worker)) {
        struct queue done;
        uv_mutex_lock(&worker->mutex);
        struct store_job *job = queue_pop(&worker->lanes[worker->db ? LANE_READ : LANE_COPY]);
        worker_begin(worker);
        uv_mutex_unlock(&worker->mutex);
        job->run(worker->db, job, &job->failure);
        worker_rest(worker, NULL);
        queue_init(&done);
        queue_push(&done, job);
        store_post(worker->store, &done);
    }
}

/* --- Submitting --- */

struct store_job *store_submit(struct store *store, struct store_job *job)
{
    store->pending++;
    job->asked_mono_ms = clock_mono_ms(&clock_machine);
    return worker_give(job->lane == LANE_READ   ? &store->reader
                       : job->lane == LANE_COPY ? &store->copier
                                                : &store->writer,
                       job);
}

int64_t store_now_ms(const struct store *store)
{
    return clock_now_ms(store->clock);
}

/* --- Opening and closing --- */

static int set_path(struct store *store, const char *url, struct error *err)
{
    static const char scheme[] = "sqlite:";

    if (!text_starts(text_of(url), scheme) || url[strlen(scheme)] == '\0')
        return error_set(err, ERROR_CONFIG, "store: \"%s\": expected sqlite:/path/of/the/file", url ? url : "");
    store->path = must_strdup(url + strlen(scheme));
    const char *slash = strrchr(store->path, '/');
    if (!slash)
        store->folder = must_strdup(".");
    else
        store->folder = text_dup((struct text){store->path, slash == store->path ? 1 : (size_t)(slash - store->path)});
    return 0;
}

/* On a small disk less is kept, and that is said. */
static int keep_reserve(struct store *store, const struct store_spec *spec, struct error *err)
{
    int64_t room;

    if (sqlite_reserve(store->path, spec->reserve_bytes, &store->reserve_bytes, err) < 0 ||
        sqlite_ballast_keep(store->path, store->reserve_bytes, &room, err) < 0)
        return -1;
    if (store->reserve_bytes < spec->reserve_bytes)
        log_line(spec->log, LOG_WARNING, "event=small_disk kept_mb=%lld wanted_mb=%lld",
                 (long long)(store->reserve_bytes >> 20), (long long)(spec->reserve_bytes >> 20));
    return 0;
}

static int open_daemon(struct store *store, const struct store_spec *spec, struct error *err)
{
    store->lock = sqlite_lock(store->path, err);
    if (store->lock < 0)
        return -1;
    sqlite_backup_sweep(store->path);
    int log_pages = sqlite_log_pages(store->path);
    store->writer.db = sqlite_open(store->path, SQLITE_WRITER, err);
    if (!store->writer.db || keep_reserve(store, spec, err) < 0 || sqlite_migrate(store->writer.db, err) < 0 ||
        sqlite_identity_init(&store->identity, spec, err) < 0 ||
        sqlite_identify(store->writer.db, &store->identity, &store->copy_reason, err) < 0)
        return -1;
    store->generation = store->writer.db->generation;
    store->writer.db->wipe = true; /* the last process may have been killed before it came to it */
    store->writer.db->log_pages = log_pages;
    store->writer.tend = writer_tend;
    store->writer.keeper = &store->keeper;
    store->reader.db = sqlite_open(store->path, SQLITE_READER, err);
    if (!store->reader.db || keeper_start(&store->keeper, store->path, err) < 0 ||
        worker_start(&store->writer, store, writer_main, err) < 0 ||
        worker_start(&store->reader, store, one_by_one_main, err) < 0 ||
        worker_start(&store->copier, store, one_by_one_main, err) < 0)
        return -1;
    return 0;
}

static void release(struct store *store)
{
    struct store_job *job;

    atomic_store(&store->stop_copying, true);
    worker_stop(&store->reader);
    worker_stop(&store->writer);
    worker_stop(&store->copier);
    keeper_stop(&store->keeper);
    sqlite_close(store->reader.db);
    sqlite_close(store->db);
    sqlite_close(store->writer.db); /* the last one: it folds the write-ahead log into the file */
    store->reader.db = store->db = store->writer.db = NULL;
    while ((job = queue_pop(&store->answered)))
        job_free(job);
    if (store->lock >= 0)
        close(store->lock);
    store->lock = -1;
}

static void store_free(struct store *store)
{
    sqlite_identity_clear(&store->identity);
    uv_mutex_destroy(&store->mutex);
    free(store->copy_reason);
    free(store->keys_mark);
    free(store->path);
    free(store->folder);
    free(store);
}

static void on_closed(uv_handle_t *wake)
{
    store_free(wake->data);
}

static struct store *store_new(const struct store_spec *spec)
{
    struct store *store = must_calloc(1, sizeof *store);

    store->lock = -1;
    store->looked = (struct looked){.room_bytes = -1, .oldest_writeback_at_ms = MOMENT_NONE};
    store->clock = spec->clock ? spec->clock : &clock_machine;
    store->log = spec->log;
    uv_mutex_init(&store->mutex);
    queue_init(&store->answered);
    return store;
}

struct store *store_open(const struct store_spec *spec, struct error *err)
{
    struct store *store = store_new(spec);
    bool async = false;

    if (set_path(store, spec->url, err) < 0)
        goto fail;
    if (!spec->read_only) {
        int rc = uv_async_init(spec->loop, &store->wake, on_wake);
        if (rc < 0) {
            error_set(err, ERROR_TRY_LATER, "store: %s", uv_strerror(rc));
            goto fail;
        }
        async = true;
        store->wake.data = store;
        if (open_daemon(store, spec, err) < 0)
            goto fail;
    }
    store->db = sqlite_open(store->path, SQLITE_READER, err);
    if (!store->db || sqlite_check_schema(store->db, err) < 0 || sqlite_keyed(store->db, &store->keys_mark, err) < 0)
        goto fail;
    return store;
fail:
    release(store);
    if (async)
        uv_close((uv_handle_t *)&store->wake, on_closed);
    else
        store_free(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    bool async = store->writer.running;

    store->closing = true;
    release(store);
    if (async)
        uv_close((uv_handle_t *)&store->wake, on_closed);
    else
        store_free(store);
}

int64_t store_generation(const struct store *store)
{
    return store->generation;
}

const char *store_copy_reason(const struct store *store)
{
    return store->copy_reason;
}

const char *store_path(const struct store *store)
{
    return store->path;
}

int64_t store_reserve_bytes(const struct store *store)
{
    return store->reserve_bytes;
}

atomic_bool *store_stop_copying(struct store *store)
{
    return &store->stop_copying;
}

const char *store_folder(const struct store *store)
{
    return store->folder;
}

/* --- Health --- */

void store_health(struct store *store, struct store_health *out)
{
    int64_t now_ms = clock_mono_ms(&clock_machine), writer_ms = worker_stuck_ms(&store->writer, now_ms),
            reader_ms = worker_stuck_ms(&store->reader, now_ms);

    out->room_bytes = store->looked.room_bytes;
    out->reserve_bytes = store->reserve_bytes;
    out->writebacks = store->looked.writebacks;
    out->oldest_writeback_at_ms = store->looked.oldest_writeback_at_ms;
    out->stuck_ms = writer_ms > reader_ms ? writer_ms : reader_ms;
    keeper_failure(&store->keeper, &out->keeping);
    uv_mutex_lock(&store->writer.mutex);
    out->failure = store->writer.failure;
    uv_mutex_unlock(&store->writer.mutex);
    if (out->failure.kind != ERROR_NONE)
        return;
    uv_mutex_lock(&store->reader.mutex);
    out->failure = store->reader.failure;
    uv_mutex_unlock(&store->reader.mutex);
}

void store_commits(struct store *store, struct metric_histogram *out)
{
    uv_mutex_lock(&store->writer.mutex);
    *out = store->writer.commits;
    uv_mutex_unlock(&store->writer.mutex);
}

static int run_look(struct sqlite *db, struct store_job *job, struct error *err)
{
    const struct store *store = job->ctx;
    struct looked *looked = &job->out.looked;

    if (sqlite_ballast_keep(db->path, store->reserve_bytes, &looked->room_bytes, err) < 0)
        return -1;
    return sqlite_writebacks_waiting(db, &looked->writebacks, &looked->oldest_writeback_at_ms, err);
}

/* Once, and when it is over: each try would say it again. */
static void log_keeping(struct store *store)
{
    struct store_health health;

    store_health(store, &health);
    bool ill = health.keeping.kind != ERROR_NONE;
    if (ill != store->keeping_told && store->log)
        log_line(store->log, ill ? LOG_ERROR : LOG_NOTICE, "event=%s%s%s", ill ? "log_not_folded" : "log_folded",
                 ill ? " what=\"nothing is lost, but the log of the state grows\" error=" : "",
                 ill ? LOG_QUOTED(text_of(health.keeping.text)) : "");
    store->keeping_told = ill;
}

static void answer_look(struct store_job *job)
{
    struct store *store = job->ctx;

    store->looking = NULL;
    if (!job_failure(job))
        store->looked = job->out.looked;
    log_keeping(store);
    if (store->on_look)
        store->on_look(store->on_look_ctx);
}

void store_on_look(struct store *store, void (*looked)(void *ctx), void *ctx)
{
    store->on_look = looked;
    store->on_look_ctx = ctx;
}

static int run_try(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_run(db, err, "INSERT INTO meta VALUES('tried', ?1) ON CONFLICT(key) DO UPDATE SET value = ?1", "s",
                      job->in.tried_at);
}

static void answer_try(struct store_job *job)
{
    ((struct store *)job->ctx)->trying = NULL;
}

void store_look(struct store *store)
{
    struct store_health health;

    if (!store->looking)
        store->looking = store_submit(store, job_new(LANE_READ, run_look, answer_look, store));
    store_health(store, &health);
    if (health.failure.kind == ERROR_NONE || store->trying)
        return;
    struct store_job *try = job_new(LANE_WRITE, run_try, answer_try, store);
    try->in.tried_at = arena_printf(&try->arena, "%lld", (long long)store_now_ms(store));
    store->trying = store_submit(store, try);
}

/* --- Adopting --- */

/* After the commit of it. */
static int run_adopted(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_adopted(db, job->in.adopt.identity, job->out.generation, err);
}

static int run_adopt(struct sqlite *db, struct store_job *job, struct error *err)
{
    job->run = run_adopted;
    job->more = true;
    return sqlite_adopt(db, job->in.adopt.identity, &job->out.generation, err);
}

static void answer_adopt(struct store_job *job)
{
    struct store *store = job->in.adopt.store;

    if (!job_failure(job)) {
        store->generation = job->out.generation;
        free(store->copy_reason);
        store->copy_reason = NULL;
    }
    job->tell.done(job->ctx, job_failure(job));
}

struct store_job *store_adopt(struct store *store, store_done_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_SLICES, run_adopt, answer_adopt, ctx);

    job->in.adopt.identity = &store->identity;
    job->in.adopt.store = store;
    job->tell.done = done;
    return store_submit(store, job);
}

/* --- Blocking calls --- */

/* Waits for it; consumes the job. */
static int carry_out(struct store *store, struct store_job *job, struct error *err)
{
    uv_sem_t carried_out;

    uv_sem_init(&carried_out, 0);
    job->waiter = &carried_out;
    store_submit(store, job);
    uv_sem_wait(&carried_out);
    store->pending--;
    uv_sem_destroy(&carried_out);
    if (job_failure(job))
        error_set(err, job->failure.kind, "%s", job->failure.text);
    int rc = job_failure(job) ? -1 : 0;
    job_free(job);
    return rc;
}

bool store_has_keys(const struct store *store)
{
    return store->keys_mark != NULL;
}

int store_check_keys(const struct store *store, const char *mark, struct error *err)
{
    if (!store->keys_mark || strcmp(store->keys_mark, mark) == 0)
        return 0;
    return error_set(err, ERROR_CONFIG,
                     "%s/onsale.keys has other keys than those that %s was made with, and nobody would be recognised: "
                     "restore the file that belongs to it",
                     store->folder, store->path);
}

static int run_key(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_key(db, job->in.keys_mark, err);
}

int store_set_keys(struct store *store, const char *mark, struct error *err)
{
    struct store_job *job = job_new(LANE_WRITE, run_key, NULL, NULL);

    job->in.keys_mark = mark;
    if (carry_out(store, job, err) < 0)
        return -1;
    free(store->keys_mark);
    store->keys_mark = must_strdup(mark);
    return 0;
}

int store_load(struct store *store, struct store_image *out, struct error *err)
{
    return sqlite_load(store->db, store_now_ms(store), out, err);
}

int store_recall(struct store *store, const char *channel, int64_t since_ms, struct store_recalled *out,
                 struct error *err)
{
    return sqlite_recall(store->db, channel, since_ms, out, err);
}

int store_private_feeds(struct store *store, struct store_private_feeds *out, struct error *err)
{
    *out = (struct store_private_feeds){0};
    return sqlite_private_feeds(store->db, out, err);
}

void store_private_feeds_clear(struct store_private_feeds *feeds)
{
    arena_clear(&feeds->arena);
    *feeds = (struct store_private_feeds){0};
}

int store_calendars(struct store *store, const char *site, struct arena *arena, struct store_calendars *out,
                    struct error *err)
{
    return sqlite_calendars(store->db, site, arena, out, err);
}

char *store_cursor(struct store *store, int64_t roll, int64_t pass, unsigned audience)
{
    return sqlite_cursor(store->db, roll, pass, audience);
}

json_t *store_report_now(struct store *store, const struct store_report *what, struct error *err)
{
    return sqlite_report(store->db, what, err);
}
