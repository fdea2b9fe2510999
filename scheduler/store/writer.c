/* writer.c - what the writer's thread does: one commit is shared among all jobs that wait; answers are posted to the
 * loop after it. */
#include "keeper.h"
#include "worker.h"

enum {
    SLICE_MS = 40,       /* a transaction takes no more jobs after so long, and one page of people */
    PASSED_OVER_MAX = 8, /* transactions that let a slice or a page of people wait */
    BEHIND_MS = 2,       /* pages of people wait for the keeper in steps of that */
    WIPE_MS = 50,        /* between two tries to empty the log, when nothing else is to be done */
};

/* What one transaction has taken so far. */
struct taken {
    size_t writes, pages, slices;
};

/* The next one for this transaction, or NULL. Claims and fates do not wait for slices and pages of people: those get
 * transactions of their own, and go first only when they were passed over for long. What is forgotten by age waits for
 * all. */
static struct store_job *next_write(struct worker *worker, struct taken *taken)
{
    struct queue *writes = &worker->lanes[LANE_WRITE], *pages = &worker->lanes[LANE_GATHER];
    struct queue *slices = &worker->lanes[LANE_SLICES], *rest = &worker->lanes[LANE_FORGET];
    bool empty = !taken->writes && !taken->pages && !taken->slices;
    struct store_job *job = NULL;

    uv_mutex_lock(&worker->mutex);
    if (worker->passed_over[LANE_SLICES] >= PASSED_OVER_MAX && !taken->slices)
        job = queue_pop(slices);
    if (!job && worker->passed_over[LANE_GATHER] >= PASSED_OVER_MAX && !taken->pages && !taken->slices)
        job = queue_pop(pages);
    if (!job)
        job = queue_pop(writes);
    if (!job && empty)
        job = queue_pop(slices);
    if (!job && empty)
        job = queue_pop(pages);
    if (!job && empty)
        job = queue_pop(rest);
    if (job)
        worker_begin(worker);
    uv_mutex_unlock(&worker->mutex);
    if (!job)
        return NULL;
    *(job->lane == LANE_GATHER ? &taken->pages : job->lane == LANE_SLICES ? &taken->slices : &taken->writes) += 1;
    return job;
}

static void count_passed_over(struct worker *worker, const struct taken *taken)
{
    uv_mutex_lock(&worker->mutex);
    bool slices = worker->lanes[LANE_SLICES].first, pages = worker->lanes[LANE_GATHER].first;
    uv_mutex_unlock(&worker->mutex);
    worker->passed_over[LANE_SLICES] = slices && !taken->slices ? worker->passed_over[LANE_SLICES] + 1 : 0;
    worker->passed_over[LANE_GATHER] = pages && !taken->pages ? worker->passed_over[LANE_GATHER] + 1 : 0;
}

/* A job that fails leaves nothing behind. While nothing was done in the transaction that needs no savepoint, which
 * would copy every page that is touched: the transaction begins anew. False when it is gone with all that was done in
 * it. */
static bool run_job(struct sqlite *db, struct store_job *job, bool *untouched)
{
    struct error *err = &job->failure;

    if (*untouched) {
        *untouched = job->run(db, job, err) < 0;
        if (!*untouched)
            return true;
        sqlite_rollback(db);
        return sqlite_begin(db, err) == 0;
    }
    if (sqlite_run(db, err, "SAVEPOINT job", "") == 0 && job->run(db, job, err) == 0 &&
        sqlite_run(db, err, "RELEASE job", "") == 0)
        return true;
    if (sqlite3_get_autocommit(db->handle))
        return false;
    return sqlite_run(db, NULL, "ROLLBACK TO job", "") == 0 && sqlite_run(db, NULL, "RELEASE job", "") == 0;
}

/* Those that have another slice to be carried out, after what waits by now. */
static void put_back(struct worker *worker, struct queue *done)
{
    struct queue answered;
    struct store_job *job;

    queue_init(&answered);
    while ((job = queue_pop(done)))
        if (job->more && job->failure.kind == ERROR_NONE)
            worker_give(worker, job);
        else
            queue_push(&answered, job);
    queue_move(done, &answered);
}

static void fail_all(struct queue *jobs, const struct error *err)
{
    for (struct store_job *job = jobs->first; job; job = job->next)
        error_set(&job->failure, err->kind, "%s", err->text);
}

/* What is wrong with the disk, of those that failed: a request that was refused says nothing of it. */
static const struct error *disk_failure(const struct queue *jobs)
{
    for (const struct store_job *job = jobs->first; job; job = job->next)
        if (job->failure.kind != ERROR_NONE && job->failure.kind != ERROR_REFUSED)
            return &job->failure;
    return NULL;
}

int64_t writer_tend(struct worker *worker)
{
    keeper_wipe(worker->keeper, worker->db);
    keeper_look(worker->keeper, worker->db);
    return worker->db->wipe ? WIPE_MS : -1;
}

/* Runs what waits within one transaction, for SLICE_MS at most. */
static void write_together(struct worker *worker)
{
    struct sqlite *db = worker->db;
    struct error err = {0};
    struct queue done;
    struct store_job *job;
    struct taken taken = {0};
    int64_t until_ms = clock_mono_ms(&clock_machine) + SLICE_MS;
    uint64_t began_ns = uv_hrtime();
    bool whole = sqlite_begin(db, &err) == 0, untouched = true;

    queue_init(&done);
    do {
        job = next_write(worker, &taken);
        if (!job)
            break;
        job->more = false;
        db->told = false;
        if (whole && !run_job(db, job, &untouched)) {
            whole = false;
            err = job->failure;
        }
        job->told = db->told;
        queue_push(&done, job);
    } while (whole && clock_mono_ms(&clock_machine) < until_ms);
    count_passed_over(worker, &taken);
    if (whole)
        whole = sqlite_commit(db, &err) == 0;
    else
        sqlite_rollback(db);
    worker_note_commit(worker, (int64_t)((uv_hrtime() - began_ns) / 1000));
    if (whole)
        keeper_wipe(worker->keeper, db);
    else
        fail_all(&done, &err);
    if (db->full) { /* what is in flight can be written down now; no claim is made before the room is there again */
        sqlite_ballast_drop(db->path);
        db->full = false;
        db->wipe = true; /* the write-ahead log takes room, too */
    }
    worker_rest(worker, whole ? disk_failure(&done) : &err);
    put_back(worker, &done);
    store_post(worker->store, &done);
    keeper_look(worker->keeper, db);
    worker->tend_in_ms = db->wipe ? WIPE_MS : -1;
}

/* Only pages of people wait, and the log is long: they wait for the keeper. */
static bool must_wait(struct worker *worker)
{
    uv_mutex_lock(&worker->mutex);
    bool pages_only = !worker->lanes[LANE_WRITE].first && !worker->stop;
    uv_mutex_unlock(&worker->mutex);
    return pages_only && keeper_behind(worker->keeper, worker->db);
}

void writer_main(void *ctx)
{
    struct worker *worker = ctx;

    while (worker_wait(worker))
        if (must_wait(worker))
            uv_sleep(BEHIND_MS);
        else
            write_together(worker);
}
