/* job_privacy.c - asking the store to forget. */
#include "job.h"

#include <string.h>

static int run_erase(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_erase(db, &job->in.erase, &job->arena, &job->out.erased, err);
}

static void answer_erase(struct store_job *job)
{
    static const struct store_erased nothing;

    if (job_failure(job))
        job->out.erased = nothing;
    job->out.erased.failure = job_failure(job);
    job->tell.erased(job->ctx, &job->out.erased);
}

struct store_job *store_erase(struct store *store, const unsigned char *key, int64_t at_ms, store_erased_fn *done,
                              void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_erase, done ? answer_erase : NULL, ctx);

    memcpy(job->in.erase.key, key, PERSON_KEY_SIZE);
    job->in.erase.now_ms = at_ms;
    job->tell.erased = done;
    return store_submit(store, job);
}

static int run_forget(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_forget(db, &job->in.forget, &job->out.forgotten, err);
}

static void answer_forget(struct store_job *job)
{
    job->out.forgotten.failure = job_failure(job);
    job->tell.forgotten(job->ctx, &job->out.forgotten);
}

struct store_job *store_forget(struct store *store, const struct store_forget *what, store_forgotten_fn *done,
                               void *ctx)
{
    struct store_job *job = job_new(LANE_FORGET, run_forget, done ? answer_forget : NULL, ctx);

    job->in.forget = *what;
    job->tell.forgotten = done;
    return store_submit(store, job);
}
