#include "retention.h"

enum {
    FIRST_MS = 5 * MINUTE_MS, /* after the start: the sites have told the time by then */
    WAIT_MS = 5 * MINUTE_MS,  /* something else is about to happen */
    PACE_MS = 50,             /* between two slices */
    NEAR_MS = 10 * MINUTE_MS, /* before something is due */
    CLOCK_MS = 5 * MINUTE_MS, /* by how much a site's clock may differ from ours */
};

struct retention {
    struct world *world;
    int64_t keep_people_ms, keep_reports_ms;
    struct alarm alarm;
    struct store_job *job;
    struct store_forget_place place;
    int64_t people, rows; /* gone since the place was at its beginning */
};

static void request_slice(struct retention *retention, int64_t now_ms);
static void on_slice(void *ctx, const struct store_forgotten *result);
static void on_alarm(void *ctx);

static void look_in(struct retention *retention, int64_t ms)
{
    alarm_set(retention->world->alarms, &retention->alarm, clock_now_ms(retention->world->clock) + ms, on_alarm,
              retention);
}

/* What is forgotten cannot be called back: not while our clock may be wrong. */
static bool clock_is_sure(const struct world *world)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (world->sites[i].clock_ahead_ms > CLOCK_MS || world->sites[i].clock_ahead_ms < -CLOCK_MS)
            return false;
    return world_clock_sure(world);
}

static bool something_is_near(const struct world *world, int64_t now_ms)
{
    for (size_t i = 0; i < world->notices.count; i++) {
        const struct notice *notice = world->notices.at[i];
        bool waits = notice->state == NOTICE_PLANNED || notice->state == NOTICE_READY;
        if (notice->state == NOTICE_GATHERING || notice->state == NOTICE_SENDING || notice->course->tally.claimed > 0 ||
            (waits && notice->due_at_ms - now_ms < NEAR_MS))
            return true;
    }
    return false;
}

static void on_alarm(void *ctx)
{
    struct retention *retention = ctx;
    const struct world *world = retention->world;
    int64_t now_ms = clock_now_ms(world->clock);

    if (retention->job || world->stopping)
        return;
    if (world->copy || !clock_is_sure(world) || something_is_near(world, now_ms))
        look_in(retention, WAIT_MS);
    else
        request_slice(retention, now_ms);
}

static void request_slice(struct retention *retention, int64_t now_ms)
{
    retention->job = store_forget(retention->world->store,
                                  &(struct store_forget){.people_before_ms = now_ms - retention->keep_people_ms,
                                                         .reports_before_ms = now_ms - retention->keep_reports_ms,
                                                         .place = retention->place},
                                  on_slice, retention);
}

static void begin_anew(struct retention *retention)
{
    retention->place = (struct store_forget_place){0};
    retention->people = retention->rows = 0;
    look_in(retention, HOUR_MS);
}

static void on_slice(void *ctx, const struct store_forgotten *result)
{
    struct retention *retention = ctx;
    struct log *log = retention->world->log;

    retention->job = NULL;
    if (result->failure) {
        log_line(log, LOG_WARNING, "event=retention_failed error=%s", LOG_QUOTED(text_of(result->failure->text)));
        begin_anew(retention);
        return;
    }
    retention->place = result->place;
    retention->people += result->people;
    retention->rows += result->rows;
    if (result->more) {
        look_in(retention, PACE_MS);
        return;
    }
    if (retention->people || retention->rows)
        log_line(log, LOG_NOTICE, "event=forgotten people=%lld rows_of_reports=%lld", (long long)retention->people,
                 (long long)retention->rows);
    begin_anew(retention);
}

struct retention *retention_new(struct world *world, int64_t keep_people_ms, int64_t keep_reports_ms)
{
    struct retention *retention = must_calloc(1, sizeof *retention);

    *retention =
        (struct retention){.world = world, .keep_people_ms = keep_people_ms, .keep_reports_ms = keep_reports_ms};
    look_in(retention, FIRST_MS);
    return retention;
}

void retention_free(struct retention *retention)
{
    if (!retention)
        return;
    alarm_off(&retention->alarm);
    store_cancel(&retention->job);
    free(retention);
}
