/* job_webhook.c - asking about what other programs are told. */
#include "job.h"

static void answer_count(struct store_job *job)
{
    job->tell.counted(job->ctx, job_failure(job) ? 0 : job->out.moved, job_failure(job));
}

static int run_set(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_webhooks_set(db, job->in.webhooks.list, job->in.webhooks.count, &job->out.moved, err);
}

struct store_job *store_webhooks_set(struct store *store, const struct store_webhook *list, size_t count,
                                     store_count_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_set, done ? answer_count : NULL, ctx);
    struct store_webhook *copy = arena_alloc(&job->arena, (count + 1) * sizeof *copy);

    for (size_t i = 0; i < count; i++)
        copy[i] =
            (struct store_webhook){arena_string(&job->arena, list[i].name), arena_string(&job->arena, list[i].place),
                                   list[i].types, arena_string(&job->arena, list[i].sites)};
    job->in.webhooks.list = copy;
    job->in.webhooks.count = count;
    job->tell.counted = done;
    return store_submit(store, job);
}

static int run_turn(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_webhook_turn(db, &job->in.webhook_turn, &job->arena, &job->out.webhook_turned, err);
}

static void answer_turn(struct store_job *job)
{
    job->out.webhook_turned.failure = job_failure(job);
    job->tell.webhook_turned(job->ctx, &job->out.webhook_turned);
}

struct store_job *store_webhook_turn(struct store *store, const struct store_webhook_turn *turn, store_webhook_fn *done,
                                     void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_turn, done ? answer_turn : NULL, ctx);

    job->in.webhook_turn = *turn;
    job->in.webhook_turn.name = arena_string(&job->arena, turn->name);
    job->in.webhook_turn.said = arena_string(&job->arena, turn->said);
    job->in.webhook_turn.disable = arena_string(&job->arena, turn->disable);
    job->tell.webhook_turned = done;
    return store_submit(store, job);
}

static int run_enable(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_webhook_enable(db, job->in.webhook.name, job->in.webhook.now_ms, &job->out.moved, err);
}

struct store_job *store_webhook_enable(struct store *store, const char *name, store_count_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_enable, done ? answer_count : NULL, ctx);

    job->in.webhook.name = arena_string(&job->arena, name);
    job->in.webhook.now_ms = store_now_ms(store);
    job->tell.counted = done;
    return store_submit(store, job);
}

static int run_openings(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_webhook_openings(db, job->in.webhook.now_ms, job->in.webhook.quiet_ms,
                                   &job->out.webhook_openings.next_at_ms, err);
}

static void answer_openings(struct store_job *job)
{
    job->out.webhook_openings.failure = job_failure(job);
    job->tell.webhook_openings(job->ctx, &job->out.webhook_openings);
}

struct store_job *store_webhook_openings(struct store *store, int64_t now_ms, int64_t quiet_ms,
                                         store_webhook_openings_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_openings, done ? answer_openings : NULL, ctx);

    job->in.webhook.now_ms = now_ms;
    job->in.webhook.quiet_ms = quiet_ms;
    job->tell.webhook_openings = done;
    return store_submit(store, job);
}
