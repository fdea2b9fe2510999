/* job_consent.c - asking about our own word on who is written to, and about telling marketing tools of it. */
#include "job.h"

struct store_suppression *job_copy_suppressions(struct arena *arena, const struct store_suppression *list, size_t count)
{
    struct store_suppression *copy = arena_alloc(arena, (count + 1) * sizeof *copy);

    for (size_t i = 0; i < count; i++) {
        struct store_writeback *tools = arena_alloc(arena, (list[i].writeback_count + 1) * sizeof *tools);
        for (size_t k = 0; k < list[i].writeback_count; k++)
            tools[k] = (struct store_writeback){arena_string(arena, list[i].writebacks[k].audience),
                                                arena_string(arena, list[i].writebacks[k].token)};
        copy[i] = list[i];
        copy[i].scope = arena_string(arena, list[i].scope);
        copy[i].reason = arena_string(arena, list[i].reason);
        copy[i].writebacks = tools;
    }
    return copy;
}

static int run_suppress(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_suppress(db, job->in.suppress.list, job->in.suppress.count, &job->out.moved, err);
}

static void answer_suppress(struct store_job *job)
{
    job->tell.counted(job->ctx, job_failure(job) ? 0 : job->out.moved, job_failure(job));
}

struct store_job *store_suppress(struct store *store, const struct store_suppression *list, size_t count,
                                 store_count_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_suppress, done ? answer_suppress : NULL, ctx);

    job->in.suppress.list = job_copy_suppressions(&job->arena, list, count);
    job->in.suppress.count = count;
    job->tell.counted = done;
    return store_submit(store, job);
}

/* --- Writing back --- */

static int run_due(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_writebacks_due(db, job->in.writebacks.audience, job->in.writebacks.now_ms, job->in.writebacks.limit,
                                 &job->arena, &job->out.writebacks, err);
}

static void answer_due(struct store_job *job)
{
    job->out.writebacks.failure = job_failure(job);
    job->tell.writebacks(job->ctx, &job->out.writebacks);
}

/* By the writer: what was submitted before has happened. */
struct store_job *store_writebacks_due(struct store *store, const char *audience, int64_t now_ms, int64_t limit,
                                       store_writebacks_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_due, done ? answer_due : NULL, ctx);

    job->in.writebacks.audience = arena_string(&job->arena, audience);
    job->in.writebacks.now_ms = now_ms;
    job->in.writebacks.limit = limit;
    job->tell.writebacks = done;
    return store_submit(store, job);
}

static int run_hurry(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_writebacks_hurry(db, job->in.writebacks.now_ms, err);
}

void store_writebacks_hurry(struct store *store, int64_t now_ms)
{
    struct store_job *job = job_new(LANE_WRITE, run_hurry, NULL, NULL);

    job->in.writebacks.now_ms = now_ms;
    store_submit(store, job);
}

static int run_done(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_writeback_done(db, job->in.writeback.id, err);
}

static int run_again(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_writeback_again(db, job->in.writeback.id, job->in.writeback.next_at_ms, job->in.writeback.attempts,
                                  err);
}

static void answer_stored(struct store_job *job)
{
    job->tell.done(job->ctx, job_failure(job));
}

struct store_job *store_writeback_done(struct store *store, int64_t id, store_done_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_done, done ? answer_stored : NULL, ctx);

    job->in.writeback.id = id;
    job->tell.done = done;
    return store_submit(store, job);
}

struct store_job *store_writeback_again(struct store *store, int64_t id, int64_t next_at_ms, int attempts,
                                        store_done_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_again, done ? answer_stored : NULL, ctx);

    job->in.writeback.id = id;
    job->in.writeback.next_at_ms = next_at_ms;
    job->in.writeback.attempts = attempts;
    job->tell.done = done;
    return store_submit(store, job);
}
