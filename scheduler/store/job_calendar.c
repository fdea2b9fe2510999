/* Asking: what calendars show. */
#include "job.h"

#include <string.h>

static struct store_calendars copy_calendars(struct arena *arena, const struct store_calendars *what)
{
    struct store_entry *entries = arena_alloc(arena, (what->entry_count + 1) * sizeof *entries);
    struct store_calendar_change *changes = arena_alloc(arena, (what->change_count + 1) * sizeof *changes);

    for (size_t i = 0; i < what->entry_count; i++) {
        entries[i] = what->entries[i];
        entries[i].uid = arena_string(arena, what->entries[i].uid);
        entries[i].title = arena_string(arena, what->entries[i].title);
        entries[i].url = arena_string(arena, what->entries[i].url);
        entries[i].place = arena_string(arena, what->entries[i].place);
        entries[i].zone = arena_string(arena, what->entries[i].zone);
        entries[i].text.ptr = arena_copy(arena, what->entries[i].text);
    }
    for (size_t i = 0; i < what->change_count; i++)
        changes[i] = (struct store_calendar_change){.site = arena_string(arena, what->changes[i].site),
                                                    .event_id = arena_string(arena, what->changes[i].event_id),
                                                    .at_ms = what->changes[i].at_ms};
    struct store_said *said = arena_alloc(arena, (what->said_count + 1) * sizeof *said);
    memcpy(said, what->said_count ? what->said : said, what->said_count * sizeof *said);
    return (struct store_calendars){.entries = entries,
                                    .entry_count = what->entry_count,
                                    .changes = changes,
                                    .change_count = what->change_count,
                                    .published = job_copy_strings(arena, what->published, what->published_count),
                                    .published_count = what->published_count,
                                    .said = said,
                                    .said_count = what->said_count};
}

static int run_publish(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_publish(db, &job->in.calendars, err);
}

static void answer_publish(struct store_job *job)
{
    job->tell.done(job->ctx, job_failure(job));
}

struct store_job *store_publish(struct store *store, const struct store_calendars *what, store_done_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_publish, done ? answer_publish : NULL, ctx);

    job->in.calendars = copy_calendars(&job->arena, what);
    job->tell.done = done;
    return store_submit(store, job);
}
