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

struct store_job *store_erase(struct store *store, const unsigned char *key, store_erased_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_erase, done ? answer_erase : NULL, ctx);

    memcpy(job->in.erase.key, key, PERSON_KEY_SIZE);
    job->in.erase.now_ms = store_now_ms(store);
    job->tell.erased = done;
    return store_submit(store, job);
}
