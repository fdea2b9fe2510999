/* job_feedback.c - telling the store what came back. */
#include "job.h"

struct store_feedback *job_copy_feedback(struct arena *arena, const struct store_feedback *list, size_t count)
{
    struct store_feedback *copy = arena_alloc(arena, (count + 1) * sizeof *copy);

    for (size_t i = 0; i < count; i++) {
        copy[i] = list[i];
        copy[i].status = arena_string(arena, list[i].status);
        copy[i].text = arena_string(arena, list[i].text);
    }
    return copy;
}

static int run_feedback(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_feedback(db, job->in.feedback.list, job->in.feedback.count, job->out.fed_back, err);
}

static void answer_feedback(struct store_job *job)
{
    job->tell.fed_back(job->ctx, job->out.fed_back, job->in.feedback.count, job_failure(job));
}

struct store_job *store_feedback(struct store *store, const struct store_feedback *list, size_t count,
                                 store_feedback_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_feedback, done ? answer_feedback : NULL, ctx);

    job->in.feedback.list = job_copy_feedback(&job->arena, list, count);
    job->in.feedback.count = count;
    job->out.fed_back = arena_alloc(&job->arena, (count + 1) * sizeof *job->out.fed_back);
    job->tell.fed_back = done;
    return store_submit(store, job);
}
