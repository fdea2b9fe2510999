/* job.c - asking: copies of what was given, the driver's function that carries it out, the answer. */
#include "job.h"

#include <string.h>

struct store_job *job_new(enum job_lane lane, int (*run)(struct sqlite *, struct store_job *, struct error *),
                          void (*answer)(struct store_job *), void *ctx)
{
    struct store_job *job = must_calloc(1, sizeof *job);

    job->lane = lane;
    job->run = run;
    job->answer = answer;
    job->ctx = ctx;
    return job;
}

void job_free(struct store_job *job)
{
    if (!job)
        return;
    if (job->clear)
        job->clear(job);
    arena_clear(&job->arena);
    free(job);
}

void store_cancel(struct store_job **job)
{
    if (*job)
        (*job)->cancelled = true;
    *job = NULL;
}

/* --- Copies --- */

static struct text copy_text(struct arena *arena, struct text t)
{
    return (struct text){arena_copy(arena, t), t.len};
}

const char *const *job_copy_strings(struct arena *arena, const char *const *strings, size_t count)
{
    const char **copy = arena_alloc(arena, (count + 1) * sizeof *copy);

    for (size_t i = 0; i < count; i++)
        copy[i] = arena_string(arena, strings[i]);
    return copy;
}

static const struct definition *copy_definition(struct arena *arena, const struct definition *d)
{
    struct definition *copy = arena_alloc(arena, sizeof *copy);

    *copy = *d;
    copy->site = arena_string(arena, d->site);
    copy->id = arena_string(arena, d->id);
    copy->event_id = arena_string(arena, d->event_id);
    copy->name = arena_string(arena, d->name);
    copy->description = arena_string(arena, d->description);
    copy->price = arena_string(arena, d->price);
    copy->currency = arena_string(arena, d->currency);
    copy->event_title = arena_string(arena, d->event_title);
    copy->event_zone = arena_string(arena, d->event_zone);
    copy->event_url = arena_string(arena, d->event_url);
    copy->event_place = arena_string(arena, d->event_place);
    return copy;
}

static char **copy_members(struct arena *arena, char **members, size_t count)
{
    char **copy = arena_alloc(arena, (count + 1) * sizeof *copy);

    for (size_t i = 0; i < count; i++)
        copy[i] = arena_string(arena, members[i]);
    return copy;
}

static const struct notice_course *copy_course(struct arena *arena, const struct notice_course *course)
{
    struct notice_course *copy = arena_alloc(arena, sizeof *copy);

    *copy = *course;
    copy->reason_text = arena_string(arena, course->reason_text);
    copy->forecast = arena_string(arena, course->forecast);
    copy->channel = arena_string(arena, course->channel);
    copy->members = copy_members(arena, course->members, course->member_count);
    return copy;
}

static const struct notice *copy_notice(struct arena *arena, const struct notice *n)
{
    struct notice *copy = arena_alloc(arena, sizeof *copy);

    *copy = *n;
    copy->site = arena_string(arena, n->site);
    copy->subject = arena_string(arena, n->subject);
    copy->rule = arena_string(arena, n->rule);
    copy->course = copy_course(arena, n->course);
    return copy;
}

static const struct opening *copy_opening(struct arena *arena, const struct opening *o)
{
    struct opening *copy = arena_alloc(arena, sizeof *copy);

    *copy = *o;
    copy->site = arena_string(arena, o->site);
    copy->event_id = arena_string(arena, o->event_id);
    copy->members = copy_members(arena, o->members, o->member_count);
    return copy;
}

static struct store_change copy_change(struct arena *arena, const struct store_change *change)
{
    struct store_change copy = *change;
    const struct definition **put = arena_alloc(arena, (change->put_count + 1) * sizeof *put);
    const struct notice **notices = arena_alloc(arena, (change->notice_count + 1) * sizeof *notices);
    const struct opening **openings = arena_alloc(arena, (change->opening_count + 1) * sizeof *openings);

    for (size_t i = 0; i < change->put_count; i++)
        put[i] = copy_definition(arena, change->put[i]);
    for (size_t i = 0; i < change->notice_count; i++)
        notices[i] = copy_notice(arena, change->notices[i]);
    for (size_t i = 0; i < change->opening_count; i++)
        openings[i] = copy_opening(arena, change->openings[i]);
    copy.put = put;
    copy.notices = notices;
    copy.openings = openings;
    copy.removed_site = arena_string(arena, change->removed_site);
    copy.removed = job_copy_strings(arena, change->removed, change->removed_count);
    copy.site = arena_string(arena, change->site);
    copy.rules = job_copy_strings(arena, change->rules, change->rule_count);
    copy.unpause = arena_string(arena, change->unpause);
    if (change->pause) {
        struct store_pause *pause = arena_alloc(arena, sizeof *pause);
        *pause = *change->pause;
        pause->target = arena_string(arena, change->pause->target);
        pause->who = arena_string(arena, change->pause->who);
        copy.pause = pause;
    }
    return copy;
}

static struct store_gather copy_gather(struct arena *arena, const struct store_gather *page)
{
    struct store_gather copy = *page;
    struct store_person *people = arena_alloc(arena, (page->count + 1) * sizeof *people);

    for (size_t i = 0; i < page->count; i++) {
        people[i] = page->people[i];
        people[i].source_id = copy_text(arena, page->people[i].source_id);
        people[i].address = copy_text(arena, page->people[i].address);
        people[i].name = copy_text(arena, page->people[i].name);
        people[i].locale = copy_text(arena, page->people[i].locale);
        people[i].zone = copy_text(arena, page->people[i].zone);
        people[i].attributes = copy_text(arena, page->people[i].attributes);
    }
    copy.people = people;
    copy.source = arena_string(arena, page->source);
    copy.cursor = arena_string(arena, page->cursor);
    return copy;
}

static struct store_turn copy_turn(struct arena *arena, const struct store_turn *turn)
{
    struct store_turn copy = *turn;
    struct store_fate *fates = arena_alloc(arena, (turn->fate_count + 1) * sizeof *fates);
    struct store_claim *claims = arena_alloc(arena, (turn->claim_count + 1) * sizeof *claims);

    for (size_t i = 0; i < turn->fate_count; i++) {
        fates[i] = turn->fates[i];
        fates[i].text = arena_string(arena, turn->fates[i].text);
        fates[i].passed_to = arena_string(arena, turn->fates[i].passed_to);
    }
    for (size_t i = 0; i < turn->claim_count; i++) {
        claims[i] = turn->claims[i];
        if (!claims[i].list)
            continue;
        struct store_again *list = arena_alloc(arena, (claims[i].list_count + 1) * sizeof *list);
        memcpy(list, claims[i].list, claims[i].list_count * sizeof *list);
        claims[i].list = list;
    }
    copy.fates = fates;
    copy.claims = claims;
    copy.channel = arena_string(arena, turn->channel);
    return copy;
}

/* --- Plan --- */

static void answer_done(struct store_job *job)
{
    job->tell.done(job->ctx, job_failure(job));
}

static int run_apply(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_apply(db, &job->in.change, err);
}

struct store_job *store_apply(struct store *store, const struct store_change *change, store_done_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_apply, done ? answer_done : NULL, ctx);

    job->in.change = copy_change(&job->arena, change);
    job->tell.done = done;
    return store_submit(store, job);
}

/* --- Gather --- */

static int run_gather(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_gather(db, &job->in.gather, &job->out.gathered, err);
}

static void answer_gather(struct store_job *job)
{
    job->out.gathered.failure = job_failure(job);
    job->tell.gathered(job->ctx, &job->out.gathered);
}

struct store_job *store_gather(struct store *store, const struct store_gather *page, store_gather_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_GATHER, run_gather, done ? answer_gather : NULL, ctx);

    job->in.gather = copy_gather(&job->arena, page);
    job->tell.gathered = done;
    return store_submit(store, job);
}

/* --- Ledger --- */

static int run_launch(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_launch(db, &job->in.launch, &job->arena, &job->out.launched, err);
}

static void answer_launch(struct store_job *job)
{
    job->out.launched.failure = job_failure(job);
    job->tell.launched(job->ctx, &job->out.launched);
}

struct store_job *store_launch(struct store *store, int64_t notice, const char *channel, int repeat_below,
                               store_launch_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_launch, done ? answer_launch : NULL, ctx);

    job->in.launch = (struct sqlite_launch){.notice = notice,
                                            .channel = arena_string(&job->arena, channel),
                                            .repeat_below = repeat_below,
                                            .now_ms = store_now_ms(store)};
    job->tell.launched = done;
    return store_submit(store, job);
}

static int run_turn(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_turn(db, &job->in.turn, &job->arena, &job->out.turned, err);
}

static void answer_turn(struct store_job *job)
{
    static const struct store_turned nothing;

    if (job_failure(job))
        job->out.turned = nothing;
    job->out.turned.failure = job_failure(job);
    job->out.turned.arena = &job->arena;
    job->tell.turned(job->ctx, &job->out.turned);
}

struct store_job *store_turn(struct store *store, const struct store_turn *turn, store_turn_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_turn, done ? answer_turn : NULL, ctx);

    job->in.turn = copy_turn(&job->arena, turn);
    job->tell.turned = done;
    return store_submit(store, job);
}

static int run_keep_wait(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_keep_wait(db, &job->in.wait, err);
}

struct store_job *store_keep_wait(struct store *store, const struct store_wait *wait, store_done_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_keep_wait, done ? answer_done : NULL, ctx);

    job->in.wait = *wait;
    job->in.wait.channel = arena_string(&job->arena, wait->channel);
    job->in.wait.text = arena_string(&job->arena, wait->text);
    job->tell.done = done;
    return store_submit(store, job);
}

static int run_keep_speed(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_keep_speed(db, &job->in.speed, err);
}

struct store_job *store_keep_speed(struct store *store, const struct store_speed *speed, store_done_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_keep_speed, done ? answer_done : NULL, ctx);

    job->in.speed = *speed;
    job->in.speed.channel = arena_string(&job->arena, speed->channel);
    job->tell.done = done;
    return store_submit(store, job);
}

static int run_evidence(struct sqlite *db, struct store_job *job, struct error *err)
{
    return sqlite_evidence(db, job->in.evidence.notice, job->in.evidence.at_ms, job->in.evidence.json, err);
}

struct store_job *store_evidence(struct store *store, int64_t notice, int64_t at_ms, const char *json,
                                 store_done_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_WRITE, run_evidence, done ? answer_done : NULL, ctx);

    job->in.evidence.notice = notice;
    job->in.evidence.at_ms = at_ms;
    job->in.evidence.json = arena_string(&job->arena, json);
    job->tell.done = done;
    return store_submit(store, job);
}

static int run_retry(struct sqlite *db, struct store_job *job, struct error *err)
{
    int rc = sqlite_retry(db, &job->in.retry, &job->out.retried, err);

    job->more = rc == 1;
    return rc < 0 ? -1 : 0;
}

static void answer_retry(struct store_job *job)
{
    const struct sqlite_retry *retried = &job->out.retried;

    job->tell.counted(job->ctx, job_failure(job) ? retried->kept : retried->moved, job_failure(job));
}

struct store_job *store_retry(struct store *store, const struct store_retry *what, store_count_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_SLICES, run_retry, done ? answer_retry : NULL, ctx);

    job->in.retry = *what;
    job->in.retry.channel = arena_string(&job->arena, what->channel);
    job->tell.counted = done;
    return store_submit(store, job);
}

/* --- Reports --- */

static int run_report(struct sqlite *db, struct store_job *job, struct error *err)
{
    job->out.report = sqlite_report(db, &job->in.report, err);
    return job->out.report ? 0 : -1;
}

static void answer_report(struct store_job *job)
{
    job->tell.reported(job->ctx, job->out.report, job_failure(job));
}

static void clear_report(struct store_job *job)
{
    json_decref(job->out.report);
}

struct store_job *store_report(struct store *store, const struct store_report *what, store_report_fn *done, void *ctx)
{
    struct store_job *job = job_new(LANE_READ, run_report, done ? answer_report : NULL, ctx);

    job->in.report = *what;
    job->in.report.state = arena_string(&job->arena, what->state);
    job->in.report.address = arena_string(&job->arena, what->address);
    job->in.report.event_id = arena_string(&job->arena, what->event_id);
    job->in.report.source_ids = arena_string(&job->arena, what->source_ids);
    job->in.report.audience = arena_string(&job->arena, what->audience);
    job->in.report.behind = arena_string(&job->arena, what->behind);
    job->clear = clear_report;
    job->tell.reported = done;
    return store_submit(store, job);
}
