#include "estimate.h"

#include "outlook.h"

#include <string.h>

enum {
    GOOD_FOR_MS = HOUR_MS - MINUTE_MS, /* a count is not made again sooner */
    AHEAD_DAYS = 14,                   /* what is due later is counted when its time comes nearer */
    QUIET_MS = 2 * MINUTE_MS,          /* no counting so close before something is due */
};

/* One audience asked about one event; "" where its people are not asked about events. */
struct count {
    struct audience *audience;
    char *site, *event;
    int64_t people; /* -1: not counted yet */
    int64_t at_ms;
};

struct estimates {
    struct world *world;
    struct count *counts;
    size_t count, cap;
    size_t next; /* the one to be looked at */
    bool running;
    struct audience_read *read;
    int64_t people; /* of the read in flight */
    struct alarm soon;
    struct store_job *saving;
};

static void request_next(void *ctx);
static void on_page(void *ctx, const struct audience_page *page);

static struct count *count_of(struct estimates *estimates, struct audience *audience, const struct notice *notice)
{
    const char *event = audience_has_interest(audience->settings) ? notice->subject : "";

    for (size_t i = 0; i < estimates->count; i++) {
        struct count *count = &estimates->counts[i];
        if (count->audience == audience && strcmp(count->event, event) == 0 && strcmp(count->site, notice->site) == 0)
            return count;
    }
    if (estimates->count == estimates->cap) {
        estimates->cap = estimates->cap ? estimates->cap * 2 : 16;
        estimates->counts = must_realloc(estimates->counts, estimates->cap * sizeof *estimates->counts);
    }
    struct count *fresh = &estimates->counts[estimates->count++];
    *fresh = (struct count){.audience = audience,
                            .site = must_strdup(notice->site),
                            .event = must_strdup(event),
                            .people = -1,
                            .at_ms = MOMENT_NONE};
    return fresh;
}

static bool waits(const struct notice *notice, int64_t now_ms)
{
    return notice->state == NOTICE_PLANNED && notice->due_at_ms - now_ms < (int64_t)AHEAD_DAYS * DAY_MS;
}

static bool something_is_near(const struct world *world, int64_t now_ms)
{
    for (size_t i = 0; i < world->notices.count; i++) {
        const struct notice *notice = world->notices.at[i];
        if (notice->state == NOTICE_GATHERING || notice->state == NOTICE_SENDING ||
            (notice->state == NOTICE_READY && notice->due_at_ms - now_ms < QUIET_MS))
            return true;
    }
    return false;
}

static void on_saved(void *ctx, const struct error *failure)
{
    struct estimates *estimates = ctx;

    (void)failure; /* counted again in an hour */
    estimates->saving = NULL;
}

/* Everything is counted: notices learn their sums, and those that changed are stored. */
static void settle(struct estimates *estimates)
{
    struct world *world = estimates->world;
    const struct notice **changed = must_calloc(world->notices.count + 1, sizeof *changed);
    int64_t now_ms = clock_now_ms(world->clock);
    size_t count = 0;

    for (size_t i = 0; i < world->notices.count; i++) {
        struct notice *notice = world->notices.at[i];
        struct world_rule *rule = world_rule(world, notice->rule);
        int64_t sum = 0;
        if (!rule || !waits(notice, now_ms))
            continue;
        for (size_t a = 0; a < rule->audience_count && sum >= 0; a++) {
            int64_t people = count_of(estimates, rule->audiences[a], notice)->people;
            sum = people < 0 ? -1 : sum + people;
        }
        if (sum >= 0 && sum != notice->course->estimate) {
            notice_course(notice)->estimate = sum;
            changed[count++] = notice;
        }
    }
    store_cancel(&estimates->saving);
    if (count > 0)
        estimates->saving = store_apply(
            world->store, &(struct store_change){.notices = changed, .notice_count = count, .now_ms = now_ms}, on_saved,
            estimates);
    if (count > 0)
        outlook_refresh(world->outlook);
    free(changed);
    estimates->running = false;
}

static void on_page(void *ctx, const struct audience_page *page)
{
    struct estimates *estimates = ctx;
    struct count *count = &estimates->counts[estimates->next];

    for (size_t i = 0; i < page->count; i++)
        estimates->people += page->records[i].consent == CONSENT_YES;
    if (!page->last && !page->failure) {
        count->audience->ops->next(estimates->read);
        return;
    }
    estimates->read = NULL;
    count->at_ms = clock_now_ms(estimates->world->clock); /* a failure too is not tried again at once */
    if (!page->failure)
        count->people = estimates->people;
    estimates->next++;
    alarm_set(estimates->world->alarms, &estimates->soon, count->at_ms, request_next, estimates);
}

static void request_next(void *ctx)
{
    struct estimates *estimates = ctx;
    struct world *world = estimates->world;
    int64_t now_ms = clock_now_ms(world->clock);

    if (world->stopping)
        return;
    if (something_is_near(world, now_ms)) {
        alarm_set(world->alarms, &estimates->soon, now_ms + QUIET_MS, request_next, estimates);
        return;
    }
    for (; estimates->next < estimates->count; estimates->next++) {
        struct count *count = &estimates->counts[estimates->next];
        struct audience_question question = {.site = count->site, .event_id = count->event};
        if (count->at_ms != MOMENT_NONE && now_ms - count->at_ms < GOOD_FOR_MS)
            continue;
        estimates->people = 0;
        estimates->read = count->audience->ops->read(count->audience, &question, on_page, estimates, NULL);
        if (estimates->read)
            return;
        count->at_ms = now_ms;
    }
    settle(estimates);
}

void estimates_refresh(struct estimates *estimates)
{
    struct world *world = estimates->world;
    int64_t now_ms = clock_now_ms(world->clock);

    if (estimates->running)
        return;
    for (size_t i = 0; i < world->notices.count; i++) {
        struct notice *notice = world->notices.at[i];
        struct world_rule *rule = waits(notice, now_ms) ? world_rule(world, notice->rule) : NULL;
        for (size_t a = 0; rule && a < rule->audience_count; a++)
            count_of(estimates, rule->audiences[a], notice);
    }
    estimates->next = 0;
    estimates->running = true;
    alarm_set(world->alarms, &estimates->soon, now_ms, request_next, estimates);
}

struct estimates *estimates_new(struct world *world)
{
    struct estimates *estimates = must_calloc(1, sizeof *estimates);

    estimates->world = world;
    return estimates;
}

void estimates_free(struct estimates *estimates)
{
    if (!estimates)
        return;
    alarm_off(&estimates->soon);
    if (estimates->read)
        estimates->counts[estimates->next].audience->ops->cancel(estimates->read);
    store_cancel(&estimates->saving);
    for (size_t i = 0; i < estimates->count; i++) {
        free(estimates->counts[i].site);
        free(estimates->counts[i].event);
    }
    free(estimates->counts);
    free(estimates);
}
