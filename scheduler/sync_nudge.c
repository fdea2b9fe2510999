/* What others say of the site, read again: a rumour names definitions, the source says what is true of them. Without
 * any of it the walks find the same, later. */
#include "sync_private.h"

#include <string.h>

enum {
    READ_EVERY_MS = 2 * SECOND_MS,
    READ_AGAIN_MS = 15 * SECOND_MS, /* after one that failed */
    WALK_EVERY_MS = MINUTE_MS,
    GATE_AGAIN_MS = SECOND_MS,
    READ_MAX = 100, /* definitions: one Query */
    TRIES_MAX = 3,  /* of one; from there on it is the walks' */
};

static void look(struct sync *sync);
static void on_soon(void *ctx);
static void request_read(struct sync *sync);
static void on_read(void *ctx, struct source_answer *answer);

/* --- What is heard --------------------------------------------------------------------------------------------------
 */

static void drop_first(struct nudges *nudges, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(nudges->at[i].id);
    nudges->count -= count;
    memmove(nudges->at, nudges->at + count, nudges->count * sizeof *nudges->at);
}

/* Those that are being asked for may have changed since: they are heard of again. More than there is room for is
 * everything. */
static void hear(struct sync *sync, const char *id, int64_t revision, unsigned tries)
{
    struct nudges *nudges = &sync->nudges;

    for (size_t i = nudges->asked_count; i < nudges->count; i++)
        if (strcmp(nudges->at[i].id, id) == 0) {
            if (revision > nudges->at[i].revision)
                nudges->at[i].revision = revision;
            return;
        }
    if (nudges->count < NUDGED_MAX)
        nudges->at[nudges->count++] = (struct rumour){must_strdup(id), revision, tries};
    else
        nudges->want_walk = true;
}

void sync_nudge(struct sync *sync, const char *id, int64_t revision)
{
    const struct definition *known = definitions_find(&sync->site->definitions, id);

    if (known && revision > 0 && revision < known->revision)
        return;
    if (sync->site->source->ops->read)
        hear(sync, id, revision, 0);
    else
        sync->nudges.want_walk = true;
    look(sync);
}

void sync_nudge_event(struct sync *sync, const char *event_id)
{
    struct definition *const *at;
    size_t count = definitions_of_event(&sync->site->definitions, event_id, &at);

    for (size_t i = 0; i < count && sync->site->source->ops->read; i++)
        hear(sync, at[i]->id, 0, 0);
    if (count == 0 || !sync->site->source->ops->read)
        sync->nudges.want_walk = true;
    look(sync);
}

void sync_nudge_all(struct sync *sync)
{
    sync->nudges.want_walk = true;
    look(sync);
}

/* --- Reading --------------------------------------------------------------------------------------------------------
 */

/* After so many ms; 0: now. */
static int64_t left_ms(int64_t last_mono_ms, int64_t every_ms, int64_t mono_ms)
{
    int64_t left = last_mono_ms == MOMENT_NONE ? 0 : last_mono_ms + every_ms - mono_ms;

    return left > 0 ? left : 0;
}

static void look_again(struct sync *sync, int64_t wait_ms)
{
    alarm_set(sync->world->alarms, &sync->nudges.soon, sync_now_ms(sync) + wait_ms, on_soon, sync);
}

/* Starts whatever may start now, a turn later; or says when to look again. */
static void look(struct sync *sync)
{
    struct nudges *nudges = &sync->nudges;
    int64_t mono_ms = clock_mono_ms(sync->world->clock);
    int64_t read_ms = left_ms(nudges->read_mono_ms, nudges->failed ? READ_AGAIN_MS : READ_EVERY_MS, mono_ms);
    int64_t walk_ms = left_ms(nudges->walked_mono_ms, WALK_EVERY_MS, mono_ms);
    bool reads = nudges->count > 0 && !nudges->request;

    if (sync->world->stopping)
        return;
    if (reads && nudges->want_walk)
        look_again(sync, read_ms < walk_ms ? read_ms : walk_ms);
    else if (reads || nudges->want_walk)
        look_again(sync, reads ? read_ms : walk_ms);
}

static void on_soon(void *ctx)
{
    struct sync *sync = ctx;
    struct nudges *nudges = &sync->nudges;
    int64_t mono_ms = clock_mono_ms(sync->world->clock);

    if (sync->world->disk.tight || sync_gate_is_near(sync, sync_now_ms(sync))) {
        look_again(sync, GATE_AGAIN_MS);
        return;
    }
    if (nudges->want_walk && left_ms(nudges->walked_mono_ms, WALK_EVERY_MS, mono_ms) == 0) {
        nudges->want_walk = false;
        nudges->walked_mono_ms = mono_ms;
        sync_now(sync);
    }
    if (nudges->count > 0 && !nudges->request &&
        left_ms(nudges->read_mono_ms, nudges->failed ? READ_AGAIN_MS : READ_EVERY_MS, mono_ms) == 0)
        request_read(sync);
    look(sync);
}

/* A lower revision than was spoken of is a stale answer of Query: then Get is asked. */
static void request_read(struct sync *sync)
{
    struct nudges *nudges = &sync->nudges;
    struct source_ask asks[READ_MAX];
    size_t count = nudges->count < READ_MAX ? nudges->count : READ_MAX;
    struct error err = {0};

    for (size_t i = 0; i < count; i++) {
        const struct definition *known = definitions_find(&sync->site->definitions, nudges->at[i].id);
        asks[i] = (struct source_ask){nudges->at[i].id, nudges->at[i].revision};
        if (known && known->revision > asks[i].revision)
            asks[i].revision = known->revision;
    }
    nudges->read_mono_ms = clock_mono_ms(sync->world->clock);
    nudges->asked_count = count;
    nudges->request = sync->site->source->ops->read(sync->site->source, asks, count, on_read, sync, &err);
    nudges->failed = !nudges->request;
    if (!nudges->request)
        nudges->asked_count = 0;
}

/* What nobody knows of is heard of again, some times. */
static void keep_unknown(struct sync *sync, const struct source_answer *answer)
{
    struct nudges *nudges = &sync->nudges;

    nudges->failed = false;
    for (size_t i = 0; i < answer->count; i++) {
        struct rumour rumour = nudges->at[i];
        if (answer->verdicts[i] != SOURCE_UNKNOWN || rumour.tries + 1 >= TRIES_MAX)
            continue;
        hear(sync, rumour.id, rumour.revision, rumour.tries + 1);
        nudges->failed = true;
    }
}

static void on_read(void *ctx, struct source_answer *answer)
{
    struct sync *sync = ctx;
    struct nudges *nudges = &sync->nudges;
    size_t news = 0, gone = 0;

    nudges->request = NULL;
    for (size_t i = 0; i < answer->count; i++) {
        news += answer->verdicts[i] == SOURCE_FOUND && sync_is_news(sync, answer->definitions[i]);
        gone += answer->verdicts[i] == SOURCE_GONE && definitions_find(&sync->site->definitions, answer->ids[i]);
    }
    keep_unknown(sync, answer);
    log_line(sync->world->log, answer->failure ? LOG_WARNING : LOG_INFO,
             "event=read_again site=%s definitions=%zu news=%zu gone=%zu ms=%lld%s%s", sync->site->settings->name,
             answer->count, news, gone, (long long)(clock_mono_ms(sync->world->clock) - nudges->read_mono_ms),
             answer->failure ? " error=" : "", answer->failure ? LOG_QUOTED(text_of(answer->failure->text)) : "");
    drop_first(nudges, nudges->asked_count);
    nudges->asked_count = 0;
    sync_take_answer(sync, answer);
    sync_plan(sync); /* of events that we had never heard of, too */
    look(sync);
}

/* --- Beginning and end ----------------------------------------------------------------------------------------------
 */

void sync_nudges_init(struct sync *sync)
{
    sync->nudges.read_mono_ms = sync->nudges.walked_mono_ms = MOMENT_NONE;
}

void sync_nudges_clear(struct sync *sync)
{
    alarm_off(&sync->nudges.soon);
    source_cancel(sync->site->source, &sync->nudges.request);
    drop_first(&sync->nudges, sync->nudges.count);
}
