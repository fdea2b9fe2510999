/* job_private_feed.c - asking about feeds that are read by who has the link. */
#include "job.h"

static struct store_private_feed copy_of(struct arena *arena, const struct store_private_feed *feed)
{
    struct store_private_feed copy = *feed;

    copy.name = arena_copy(arena, text_of(feed->name));
    copy.site = arena_copy(arena, text_of(feed->site));
    copy.event_id = arena_copy(arena, text_of(feed->event_id));
    copy.last_client = arena_copy(arena, text_of(feed->last_client));
    return copy;
}

static void answer_stored(struct store_job *job)
{
    job->tell.done(job->ctx, job_failure(job));
}

static int run_keep(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_keep_private_feed(db, job->in.private_feeds.feeds, job->in.private_feeds.gone,
                                    job->in.private_feeds.now_ms, err);
}

struct store_job *store_keep_private_feed(struct store *store, const struct store_private_feed *feed,
                                          const unsigned char *gone, int64_t now_ms, store_done_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_keep, done ? answer_stored : NULL, ctx);

    job->in.private_feeds.feeds = arena_alloc(&job->arena, sizeof *feed);
    *job->in.private_feeds.feeds = copy_of(&job->arena, feed);
    if (gone)
        job->in.private_feeds.gone =
            (const unsigned char *)arena_copy(&job->arena, (struct text){(const char *)gone, PERSON_KEY_SIZE});
    job->in.private_feeds.now_ms = now_ms;
    job->tell.done = done;
    return store_submit(store, job);
}

static int run_fetches(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_private_fetches(db, job->in.private_feeds.feeds, job->in.private_feeds.count, err);
}

struct store_job *store_private_fetches(struct store *store, const struct store_private_feed *const *feeds,
                                        size_t count, store_done_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_fetches, done ? answer_stored : NULL, ctx);

    job->in.private_feeds.feeds = arena_alloc(&job->arena, (count + 1) * sizeof **feeds);
    for (size_t i = 0; i < count; i++)
        job->in.private_feeds.feeds[i] = copy_of(&job->arena, feeds[i]);
    job->in.private_feeds.count = count;
    job->tell.done = done;
    return store_submit(store, job);
}
