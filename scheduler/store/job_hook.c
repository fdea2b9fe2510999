/* job_hook.c - telling the store what others told us. */
#include "job.h"

static int run_hook(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_hook(db, &job->in.hook, &job->out.hooked, err);
}

static void answer_hook(struct store_job *job)
{
    job->out.hooked.failure = job_failure(job);
    job->tell.hooked(job->ctx, &job->out.hooked);
}

struct store_job *store_hook(struct store *store, const struct store_hook *hook, store_hook_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_hook, done ? answer_hook : NULL, ctx);

    job->in.hook = *hook;
    job->in.hook.from = arena_copy(&job->arena, text_of(hook->from));
    job->in.hook.id = arena_copy(&job->arena, text_of(hook->id));
    job->in.hook.entity = arena_copy(&job->arena, text_of(hook->entity));
    if (hook->source_id) {
        job->in.hook.source_id = arena_copy(&job->arena, text_of(hook->source_id));
        job->in.hook.audience = arena_copy(&job->arena, text_of(hook->audience));
        job->in.hook.kept_as = hook->kept_as ? arena_copy(&job->arena, text_of(hook->kept_as)) : NULL;
    }
    if (hook->suppress)
        job->in.hook.suppress = job_copy_suppressions(&job->arena, hook->suppress, 1);
    if (hook->feedback)
        job->in.hook.feedback = job_copy_feedback(&job->arena, hook->feedback, 1);
    job->tell.hooked = done;
    return store_submit(store, job);
}
