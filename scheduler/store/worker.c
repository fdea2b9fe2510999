#include "worker.h"

enum { BREATH_OPS = 100000 }; /* steps of SQLite's machine between two signs of life: some milliseconds */

/* --- Queues --- */

void queue_init(struct queue *queue)
{
    queue->first = NULL;
    queue->last = &queue->first;
}

void queue_push(struct queue *queue, struct store_job *job)
{
    job->next = NULL;
    *queue->last = job;
    queue->last = &job->next;
}

struct store_job *queue_pop(struct queue *queue)
{
    struct store_job *job = queue->first;

    if (!job)
        return NULL;
    queue->first = job->next;
    if (!queue->first)
        queue->last = &queue->first;
    return job;
}

void queue_move(struct queue *to, struct queue *from)
{
    if (!from->first)
        return;
    *to->last = from->first;
    to->last = from->last;
    queue_init(from);
}

/* --- Signs of life --- */

static int breathe(void *ctx)
{
    atomic_store(&((struct worker *)ctx)->alive_mono_ms, clock_mono_ms(&clock_machine));
    return 0; /* go on */
}

void worker_begin(struct worker *worker)
{
    worker->at_work = true;
    breathe(worker);
}

void worker_rest(struct worker *worker, const struct error *failure)
{
    uv_mutex_lock(&worker->mutex);
    worker->at_work = false;
    if (worker->db && worker->db->damage.kind != ERROR_NONE)
        failure = &worker->db->damage;
    worker->failure = failure ? *failure : (struct error){0};
    breathe(worker);
    uv_mutex_unlock(&worker->mutex);
}

void worker_note_commit(struct worker *worker, int64_t took_us)
{
    uv_mutex_lock(&worker->mutex);
    metric_histogram_observe(&worker->commits, METRIC_STORE_COMMIT, took_us);
    uv_mutex_unlock(&worker->mutex);
}

int64_t worker_stuck_ms(struct worker *worker, int64_t now_ms)
{
    int64_t since_ms = atomic_load(&worker->alive_mono_ms), oldest_ms = INT64_MAX;

    uv_mutex_lock(&worker->mutex);
    for (size_t i = 0; i < LANES; i++)
        if (worker->lanes[i].first && worker->lanes[i].first->asked_mono_ms < oldest_ms)
            oldest_ms = worker->lanes[i].first->asked_mono_ms;
    bool busy = worker->at_work || oldest_ms != INT64_MAX;
    if (!worker->at_work && oldest_ms > since_ms)
        since_ms = oldest_ms;
    uv_mutex_unlock(&worker->mutex);
    return busy && now_ms > since_ms ? now_ms - since_ms : 0;
}

/* --- Waiting --- */

static bool waits(const struct worker *worker)
{
    for (size_t i = 0; i < LANES; i++)
        if (worker->lanes[i].first)
            return true;
    return false;
}

bool worker_wait(struct worker *worker)
{
    uv_mutex_lock(&worker->mutex);
    while (!waits(worker) && !worker->stop)
        if (!worker->tend || worker->tend_in_ms < 0) {
            uv_cond_wait(&worker->work, &worker->mutex);
        } else if (uv_cond_timedwait(&worker->work, &worker->mutex, (uint64_t)worker->tend_in_ms * UINT64_C(1000000)) ==
                   UV_ETIMEDOUT) {
            uv_mutex_unlock(&worker->mutex); /* the loop must not wait for a disk to hand a job over */
            worker->tend_in_ms = worker->tend(worker);
            uv_mutex_lock(&worker->mutex);
        }
    bool more = waits(worker);
    uv_mutex_unlock(&worker->mutex);
    return more;
}

/* --- Threads --- */

int worker_start(struct worker *worker, struct store *store, void (*main)(void *), struct error *err)
{
    worker->store = store;
    for (size_t i = 0; i < LANES; i++)
        queue_init(&worker->lanes[i]);
    uv_mutex_init(&worker->mutex);
    uv_cond_init(&worker->work);
    if (worker->db)
        sqlite3_progress_handler(worker->db->handle, BREATH_OPS, breathe, worker);
    int rc = uv_thread_create(&worker->thread, main, worker);
    if (rc < 0) {
        uv_cond_destroy(&worker->work);
        uv_mutex_destroy(&worker->mutex);
        return error_set(err, ERROR_TRY_LATER, "store thread: %s", uv_strerror(rc));
    }
    worker->running = true;
    return 0;
}

void worker_stop(struct worker *worker)
{
    if (worker->running) {
        uv_mutex_lock(&worker->mutex);
        worker->stop = true;
        uv_cond_signal(&worker->work);
        uv_mutex_unlock(&worker->mutex);
        uv_thread_join(&worker->thread);
        uv_cond_destroy(&worker->work);
        uv_mutex_destroy(&worker->mutex);
        worker->running = false;
    }
}

struct store_job *worker_give(struct worker *worker, struct store_job *job)
{
    uv_mutex_lock(&worker->mutex);
    queue_push(&worker->lanes[job->lane], job);
    uv_cond_signal(&worker->work);
    uv_mutex_unlock(&worker->mutex);
    return job;
}
