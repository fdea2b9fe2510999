#include "progress.h"

#include "news.h"

#include <string.h>

enum {
    EVERY_MS = SECOND_MS / 2,
    SAMPLES = 10,               /* of the rate: the last five seconds */
    STALE_MS = 10 * SECOND_MS,  /* a sample older than that says nothing of now */
    FORGET_MS = 30 * SECOND_MS, /* after the last turn */
};

struct track {
    int64_t notice;
    struct tally said; /* in the last event */
    bool unsaid;
    bool gathering;                  /* what the samples count */
    int64_t noted_at_ms, said_at_ms; /* monotonic */
    int64_t per_second;              /* as said then */
    struct sample {
        int64_t at_ms, people;
    } samples[SAMPLES]; /* a ring */
    size_t sample_count;
};

struct progress {
    struct world *world;
    struct track *tracks;
    size_t count, cap;
    size_t last; /* found: who comes after it is asked for next, mostly */
    struct alarm alarm;
};

struct progress *progress_new(struct world *world)
{
    struct progress *progress = must_calloc(1, sizeof *progress);

    progress->world = world;
    return progress;
}

void progress_free(struct progress *progress)
{
    if (!progress)
        return;
    alarm_off(&progress->alarm);
    free(progress->tracks);
    free(progress);
}

static struct track *find(struct progress *progress, int64_t notice)
{
    for (size_t i = 0; i < progress->count; i++) {
        size_t at = (progress->last + i) % progress->count;
        if (progress->tracks[at].notice != notice)
            continue;
        progress->last = at;
        return &progress->tracks[at];
    }
    return NULL;
}

static void forget_resting(struct progress *progress, int64_t mono_ms)
{
    size_t kept = 0;

    for (size_t i = 0; i < progress->count; i++)
        if (progress->tracks[i].unsaid || mono_ms - progress->tracks[i].noted_at_ms < FORGET_MS)
            progress->tracks[kept++] = progress->tracks[i];
    progress->count = kept;
}

static struct track *add(struct progress *progress, int64_t notice, int64_t mono_ms)
{
    if (progress->count == progress->cap)
        forget_resting(progress, mono_ms);
    if (progress->count == progress->cap) {
        progress->cap = progress->cap ? 2 * progress->cap : 16;
        progress->tracks = must_realloc(progress->tracks, progress->cap * sizeof *progress->tracks);
    }
    struct track *track = &progress->tracks[progress->count++];
    *track = (struct track){.notice = notice, .said_at_ms = mono_ms - EVERY_MS};
    return track;
}

static bool gathers(const struct notice *notice)
{
    return notice->state == NOTICE_GATHERING;
}

/* People gathered, or those whose fate is known. */
static int64_t people_of(const struct notice *notice)
{
    return gathers(notice) ? notice->course->tally.planned
                           : notice->course->tally.planned - notice->course->tally.waiting;
}

/* A second, over the samples' span. */
static int64_t sample(struct track *track, const struct notice *notice, int64_t mono_ms)
{
    int64_t people = people_of(notice);
    size_t kept = track->sample_count < SAMPLES ? track->sample_count : SAMPLES;
    const struct sample *oldest = &track->samples[(track->sample_count - kept) % SAMPLES];
    int64_t rate = 0;

    if (kept > 0 &&
        (gathers(notice) != track->gathering || people < oldest->people || mono_ms - track->said_at_ms > STALE_MS))
        kept = track->sample_count = 0; /* it counts something else now, or begins anew */
    track->gathering = gathers(notice);
    if (kept > 0 && mono_ms > oldest->at_ms)
        rate = (people - oldest->people) * SECOND_MS / (mono_ms - oldest->at_ms);
    track->samples[track->sample_count++ % SAMPLES] = (struct sample){mono_ms, people};
    return rate;
}

/* What an event would show. */
static struct tally shown(const struct notice *notice)
{
    struct tally tally = notice->course->tally;

    tally.claimed = 0;
    return tally;
}

static bool news(const struct track *track, const struct notice *notice)
{
    struct tally now = shown(notice);

    return memcmp(&track->said, &now, sizeof now) != 0;
}

static void say(struct progress *progress, struct track *track, const struct notice *notice, int64_t mono_ms)
{
    int64_t per_second = sample(track, notice, mono_ms);

    track->unsaid = false;
    track->per_second = per_second;
    track->said_at_ms = mono_ms;
    track->said = shown(notice);
    news_progress(progress->world, notice, per_second);
}

static void on_alarm(void *ctx)
{
    struct progress *progress = ctx;
    struct world *world = progress->world;
    int64_t mono_ms = clock_mono_ms(world->clock), wait_ms = EVERY_MS;
    bool more = false;

    for (size_t i = 0; i < progress->count; i++) {
        struct track *track = &progress->tracks[i];
        int64_t left_ms = track->said_at_ms + EVERY_MS - mono_ms;
        if (track->unsaid && left_ms <= 0) {
            say(progress, track, notices_find(&world->notices, track->notice), mono_ms);
        } else if (track->unsaid) {
            more = true;
            wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
        }
    }
    if (more)
        alarm_set(world->alarms, &progress->alarm, clock_now_ms(world->clock) + wait_ms, on_alarm, progress);
}

void progress_note(struct progress *progress, const struct notice *notice)
{
    if (!progress)
        return;
    int64_t mono_ms = clock_mono_ms(progress->world->clock);
    struct track *track = find(progress, notice->id);
    if (!track)
        track = add(progress, notice->id, mono_ms);
    track->noted_at_ms = mono_ms;
    if (!news(track, notice))
        return;
    track->unsaid = true;
    int64_t left_ms = track->said_at_ms + EVERY_MS - mono_ms;
    if (left_ms <= 0)
        say(progress, track, notice, mono_ms);
    else if (!alarm_is_set(&progress->alarm))
        alarm_set(progress->world->alarms, &progress->alarm, clock_now_ms(progress->world->clock) + left_ms, on_alarm,
                  progress);
}

int64_t progress_per_second(struct progress *progress, const struct notice *notice)
{
    const struct track *track = progress ? find(progress, notice->id) : NULL;

    return track && track->gathering == gathers(notice) &&
                   clock_mono_ms(progress->world->clock) - track->said_at_ms <= STALE_MS
               ? track->per_second
               : 0;
}

void progress_say(struct progress *progress, const struct notice *notice)
{
    struct track *track = progress ? find(progress, notice->id) : NULL;

    if (track && news(track, notice))
        say(progress, track, notice, clock_mono_ms(progress->world->clock));
}
