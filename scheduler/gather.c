#include "gather.h"

#include "mime.h"
#include "scrub.h"

#include <assert.h>
#include <string.h>

enum { SLICE = 500 }; /* people in one store job, which is one transaction: well under 10 ms of the writer */

struct gather {
    struct gather_spec spec;
    gather_done_fn *done;
    void *ctx;
    size_t at;                  /* the audience being read */
    struct audience_read *read; /* in flight, or NULL */
    struct store_job **jobs;    /* slices of the page being stored; a slot is NULL once it answered */
    size_t job_count, jobs_left;
    bool page_last; /* the page being stored ends its audience */
    struct error failure;
    struct gather_result result;
};

static int request_audience(struct gather *gather, struct error *err);
static void on_page(void *ctx, const struct audience_page *page);
static void store_page(struct gather *gather, const struct audience_page *page);
static void on_stored(void *ctx, const struct store_gathered *result);

static void count_pass(const struct gather *gather)
{
    const struct gather_spec *spec = &gather->spec;
    bool again = gather->result.begin_again, failed = gather->failure.kind != ERROR_NONE;

    metrics_add(spec->metrics, METRIC_GATHERINGS,
                LABELS(spec->rule, again    ? "begun_again"
                                   : failed ? "failed"
                                            : "done"),
                1);
    if (!failed)
        metrics_observe(spec->metrics, METRIC_GATHERING, LABELS(spec->rule),
                        clock_now_ms(spec->clock) - gather->result.started_at_ms);
}

static void finish(struct gather *gather)
{
    struct gather_result result = gather->result;
    struct error failure = gather->failure;
    gather_done_fn *done = gather->done;
    void *ctx = gather->ctx;

    result.failure = failure.kind == ERROR_NONE ? NULL : &failure;
    count_pass(gather);
    gather_cancel(&gather);
    done(ctx, &result);
}

static bool read_is_changes(const struct gather *gather)
{
    return gather->spec.changes_since_ms != MOMENT_NONE;
}

/* Moves on to the next audience that has something to read; finishes behind the last. */
static void go_on(struct gather *gather)
{
    const struct gather_spec *spec = &gather->spec;

    while (gather->at < spec->audience_count && read_is_changes(gather) && !spec->audiences[gather->at]->ops->changes)
        gather->at++;
    if (gather->at == spec->audience_count || request_audience(gather, &gather->failure) < 0)
        finish(gather);
}

/* Whom this pass has seen may have left meanwhile, and its number would vouch for them. */
static int must_begin_again(struct gather *gather, const char *why, struct error *err)
{
    gather->result.begin_again = true;
    return error_set(err, ERROR_TRY_LATER, "%s: the read begins again", why);
}

static int request_audience(struct gather *gather, struct error *err)
{
    const struct gather_spec *spec = &gather->spec;
    struct audience *audience = spec->audiences[gather->at];
    auto_free char *cursor = NULL;
    struct audience_question question = {.site = spec->site, .event_id = spec->event_id};

    if (read_is_changes(gather)) {
        gather->read = audience->ops->changes(audience, &question, spec->changes_since_ms, on_page, gather, err);
    } else {
        if (spec->resume)
            cursor = store_cursor(spec->store, spec->roll, spec->pass, (unsigned)gather->at);
        if (cursor && !*cursor)
            return must_begin_again(gather, "an audience was read before the program ended", err);
        question.cursor = cursor;
        gather->read = audience->ops->read(audience, &question, on_page, gather, err);
    }
    return gather->read ? 0 : error_at(err, "audience %s", audience->settings->name);
}

static const char *audience_name(const struct gather *gather)
{
    return gather->spec.audiences[gather->at]->settings->name;
}

static void count_bad(const struct gather *gather, int64_t count)
{
    metrics_add(gather->spec.metrics, METRIC_AUDIENCE_BAD_RECORDS, LABELS(audience_name(gather)), count);
}

static void on_page(void *ctx, const struct audience_page *page)
{
    struct gather *gather = ctx;
    const char *name = audience_name(gather);

    if (page->last || page->failure)
        gather->read = NULL; /* it has ended by itself */
    count_bad(gather, (int64_t)page->bad);
    if (page->bad > 0) {
        gather->result.bad += (int64_t)page->bad;
        log_line(gather->spec.log, LOG_WARNING, "event=bad_records notice=%lld audience=%s count=%zu first=%s",
                 (long long)gather->spec.notice, name, page->bad, LOG_QUOTED(text_of(page->bad_why)));
    }
    if (page->failure) {
        auto_free char *said = scrub(page->failure->text, NULL); /* a tool's answer may name whom it failed at */
        error_set(&gather->failure, page->failure->kind, "%s", said);
        error_at(&gather->failure, "audience %s", name);
        finish(gather);
        return;
    }
    if (page->restarted && !read_is_changes(gather)) {
        must_begin_again(gather, "changed while it was read", &gather->failure);
        error_at(&gather->failure, "audience %s", name);
        finish(gather);
        return;
    }
    gather->page_last = page->last;
    store_page(gather, page);
}

/* One record as the ledger knows people; false when its address is none. */
static bool person_of(const struct gather *gather, const struct audience_record *record, struct store_person *out)
{
    struct address address;

    if (address_parse(record->address, &address, NULL) < 0)
        return false;
    *out = (struct store_person){
        .consent = record->consent,
        .source_id = record->source_id,
        .address = record->address,
        .name = record->name,
        .locale = record->locale,
        .zone = record->zone,
        .attributes = record->attributes,
    };
    crypt_person_key(gather->spec.keys, address.key, out->key);
    return true;
}

static void submit(struct gather *gather, const struct store_gather *slice)
{
    gather->jobs = must_realloc(gather->jobs, (gather->job_count + 1) * sizeof *gather->jobs);
    gather->jobs[gather->job_count] = store_gather(gather->spec.store, slice, on_stored, gather);
    gather->job_count++;
    gather->jobs_left++;
}

/* The cursor rides with the last slice: before that the page counts as not read. */
static void store_page(struct gather *gather, const struct audience_page *page)
{
    const struct gather_spec *spec = &gather->spec;
    struct store_person *people = must_calloc(page->count, sizeof *people);
    size_t count = 0;

    gather->result.records += (int64_t)page->count;
    for (size_t i = 0; i < page->count; i++)
        if (person_of(gather, &page->records[i], &people[count]))
            count++;
    gather->result.bad += (int64_t)(page->count - count);
    count_bad(gather, (int64_t)(page->count - count));
    metrics_add(spec->metrics, METRIC_AUDIENCE_RECORDS, LABELS(audience_name(gather)), (int64_t)page->count);

    gather->job_count = 0;
    size_t from = 0;
    do {
        size_t slice = count - from < SLICE ? count - from : SLICE;
        bool last = from + slice == count;
        submit(gather, &(struct store_gather){
                           .roll = spec->roll,
                           .pass = spec->pass,
                           .audience = (unsigned)gather->at,
                           .source = spec->audiences[gather->at]->settings->name,
                           .now_ms = clock_now_ms(spec->clock),
                           .people = people + from,
                           .count = slice,
                           .cursor = !last || read_is_changes(gather) ? NULL
                                     : page->last                     ? ""
                                                                      : page->cursor,
                       });
        from += slice;
    } while (from < count);
    free(people);
}

static void on_stored(void *ctx, const struct store_gathered *result)
{
    struct gather *gather = ctx;

    /* Answers come in the order of submission. */
    gather->jobs[gather->job_count - gather->jobs_left] = NULL;
    gather->jobs_left--;
    if (result->failure && gather->failure.kind == ERROR_NONE)
        gather->failure = *result->failure;
    if (!result->failure) {
        gather->result.added += result->added;
        gather->result.planned = result->planned;
    }
    if (gather->jobs_left > 0)
        return;
    if (gather->spec.page && gather->failure.kind == ERROR_NONE)
        gather->spec.page(gather->ctx, gather->result.planned);
    if (gather->failure.kind != ERROR_NONE) {
        finish(gather);
    } else if (gather->read && !gather->page_last) {
        gather->spec.audiences[gather->at]->ops->next(gather->read);
    } else if (gather->at < gather->spec.audience_count) {
        gather->at++;
        go_on(gather);
    }
}

/* Our own eyes come first, so they are the first to be told. They are stored like a page of an audience of their own.
 */
static void on_seeded(void *ctx, const struct store_gathered *result)
{
    struct gather *gather = ctx;

    gather->jobs[0] = NULL;
    gather->jobs_left = 0;
    if (result->failure) {
        gather->failure = *result->failure;
        finish(gather);
        return;
    }
    gather->result.planned = result->planned;
    go_on(gather);
}

static void store_seed(struct gather *gather)
{
    const struct gather_spec *spec = &gather->spec;
    size_t seeds = spec->seed && !read_is_changes(gather) ? spec->seed->count : 0;
    struct store_person *people = must_calloc(seeds, sizeof *people);
    size_t count = 0;

    for (size_t i = 0; i < seeds; i++) {
        struct audience_record record = {.address = text_of(spec->seed->at[i])};
        if (person_of(gather, &record, &people[count]))
            count++;
    }
    gather->jobs = must_calloc(1, sizeof *gather->jobs);
    gather->job_count = gather->jobs_left = 1;
    gather->jobs[0] = store_gather(spec->store,
                                   &(struct store_gather){.roll = spec->roll,
                                                          .pass = spec->pass,
                                                          .audience = STORE_SEED,
                                                          .source = "seed",
                                                          .people = people,
                                                          .count = count},
                                   on_seeded, gather);
    free(people);
}

struct gather *gather_start(const struct gather_spec *spec, gather_done_fn *done, void *ctx, struct error *err)
{
    if (spec->audience_count > STORE_SEED) {
        error_set(err, ERROR_CONFIG, "at most %d audiences for a rule", STORE_SEED);
        return NULL;
    }
    struct gather *gather = must_calloc(1, sizeof *gather);
    gather->spec = *spec;
    gather->done = done;
    gather->ctx = ctx;
    gather->result.started_at_ms = clock_now_ms(spec->clock);
    store_seed(gather); /* also makes the first step come from the loop, never from in here */
    return gather;
}

void gather_cancel(struct gather **gather)
{
    struct gather *mine = *gather;

    if (!mine)
        return;
    *gather = NULL;
    if (mine->read)
        mine->spec.audiences[mine->at]->ops->cancel(mine->read);
    for (size_t i = mine->job_count - mine->jobs_left; i < mine->job_count; i++)
        store_cancel(&mine->jobs[i]);
    free(mine->jobs);
    free(mine);
}
