/* All launches. A notice for which nothing is to be done yet has none: it sleeps in a heap by the moment in which its
 * gathering begins, so that any number of planned ones cost sixteen bytes each, and nothing when others change. */
#include "gatekeeper.h"
#include "launch_private.h"
#include "news.h"
#include "sending.h"

#include <string.h>

enum {
    WAKE_MS = 1,           /* of the loop for giving launches to those that wake, before others have their turn */
    EVIDENCE_LATER_MS = 50 /* claims and their rows go first */
};

static void on_wake(void *ctx);
static void on_evidence_soon(void *ctx);

struct launches *launches_new(struct world *world)
{
    struct launches *launches = must_calloc(1, sizeof *launches);

    launches->world = world;
    return launches;
}

void launches_free(struct launches *launches)
{
    if (!launches)
        return;
    for (size_t i = 0; i < launches->count; i++)
        launch_free(launches->at[i]);
    for (size_t i = 0; i < launches->asleep_count; i++)
        launches->asleep[i].notice->wakes_at_ms = MOMENT_NONE;
    alarm_off(&launches->wake);
    alarm_off(&launches->store_soon);
    alarm_off(&launches->evidence_soon);
    on_evidence_soon(launches);
    for (struct launch_rows *rows = launches->rows, *next; rows; rows = next) {
        next = rows->next;
        store_cancel(&rows->job);
        free(rows->of);
        free(rows);
    }
    launches_forget_orphans(launches);
    free(launches->asleep);
    free(launches->at);
    free(launches);
}

/* Who began by another notifier than the rule has by now goes on by it, and in its name. */
static const struct message_mail *mail_of(const struct world *world, const struct world_rule *rule,
                                          const struct channel *channel)
{
    size_t i = 0;

    if (channel == rule->channel)
        return rule->mail;
    while (world->channels[i] != channel)
        i++; /* it is one of these */
    return &world->mails[i];
}

/* Released, nothing claimed yet, and the rule names another notifier by now: its claims will be that one's, and whoever
 * looks for them after a crash must know. The row is on its way before the gate has answered. */
static void follow_rule(struct launch *launch)
{
    const char *name = channel_settings(launch->channel)->name, *known = launch->notice->course->channel;

    if (launch->notice->claimed || !known || strcmp(known, name) == 0)
        return;
    struct notice_course *course = notice_course(launch->notice);
    free(course->channel);
    course->channel = must_strdup(name);
    launch->dirty = true;
}

static struct launch *launch_new(struct world *world, struct notice *notice)
{
    struct world_rule *rule = world_rule_of(world, notice);
    struct world_site *site = world_site(world, notice->site);

    if (!rule || !site)
        return NULL; /* the configuration no longer knows it: planning withdraws it */
    struct launch *launch = must_calloc(1, sizeof *launch);
    *launch = (struct launch){
        .world = world,
        .notice = notice,
        .rule = rule,
        .site = site,
        .channel = world_channel_of(world, notice),
        .gate_since_ms = MOMENT_NONE,
        .evidence_at_ms = MOMENT_NONE,
        .progress_at_ms = clock_now_ms(world->clock),
    };
    launch->roll = launch_roll(launch);
    launch->orphaned = !launch->channel;
    if (launch->orphaned)
        launch->channel = rule->channel; /* for its settings; nothing of this notice goes by it */
    else
        follow_rule(launch);
    launch->mail = mail_of(world, rule, launch->channel);
    if (!launch->orphaned && notice->course->tally.claimed > 0 && !world->copy)
        launch_open(launch); /* what the last start had in its hands is named, whatever becomes of the notice */
    return launch;
}

/* Ended, nothing of it is out and its row is on disk. */
static bool over(const struct launch *launch)
{
    const struct notice *notice = launch->notice;

    return (notice_final(notice) || notice->state == NOTICE_WITHDRAWN) && !launch->sending && !launch->saving &&
           !launch->dirty && !notice->owes_report;
}

/* Nothing more is done for it, and nobody is in the hands of an earlier start. */
static bool at_rest(const struct notice *notice)
{
    return (notice_final(notice) || notice->state == NOTICE_WITHDRAWN) && notice->course->tally.claimed == 0 &&
           !notice->owes_report;
}

/* --- Asleep ---------------------------------------------------------------------------------------------------------
 */

static bool wakes_before(const struct sleeper *a, const struct sleeper *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->notice->id < b->notice->id;
}

static void sleeper_add(struct launches *launches, struct sleeper sleeper)
{
    size_t slot = launches->asleep_count++;

    if (slot == launches->asleep_cap) {
        launches->asleep_cap = launches->asleep_cap ? launches->asleep_cap + launches->asleep_cap / 2 : 64;
        launches->asleep = must_realloc(launches->asleep, launches->asleep_cap * sizeof *launches->asleep);
    }
    for (size_t parent; slot > 0 && wakes_before(&sleeper, &launches->asleep[parent = (slot - 1) / 2]); slot = parent)
        launches->asleep[slot] = launches->asleep[parent];
    launches->asleep[slot] = sleeper;
}

static struct sleeper sleeper_take(struct launches *launches)
{
    struct sleeper *heap = launches->asleep, first = heap[0], last = heap[--launches->asleep_count];
    size_t slot = 0;

    for (size_t child; (child = 2 * slot + 1) < launches->asleep_count; slot = child) {
        if (child + 1 < launches->asleep_count && wakes_before(&heap[child + 1], &heap[child]))
            child++;
        if (!wakes_before(&heap[child], &last))
            break;
        heap[slot] = heap[child];
    }
    heap[slot] = last;
    return first;
}

static void set_wake(struct launches *launches)
{
    if (launches->asleep_count == 0)
        alarm_off(&launches->wake);
    else if (!alarm_is_set(&launches->wake) || launches->wake.at_ms != launches->asleep[0].at_ms)
        alarm_set(launches->world->alarms, &launches->wake, launches->asleep[0].at_ms, on_wake, launches);
}

/* When there will be something to do for it; a moment that is over: there is. */
static int64_t wakes_at_ms(const struct world_rule *rule, const struct notice *notice)
{
    if (notice->state != NOTICE_PLANNED || notice->course->tally.claimed > 0)
        return INT64_MIN + 1;
    return notice->due_at_ms - rule->plan.rule->gather_ahead_ms;
}

/* An entry whose moment is not the notice's any more is nobody's. */
static void sleep_until(struct launches *launches, struct notice *notice, int64_t at_ms)
{
    if (notice->wakes_at_ms == at_ms)
        return;
    notice->wakes_at_ms = at_ms;
    sleeper_add(launches, (struct sleeper){at_ms, notice});
}

/* --- Rows -----------------------------------------------------------------------------------------------------------
 */

static void on_stored(void *ctx, const struct error *failure)
{
    struct launch_rows *rows = ctx;

    *rows->link = rows->next;
    if (rows->next)
        rows->next->link = rows->link;
    for (size_t i = 0; i < rows->count; i++)
        if (rows->of[i])
            rows->of[i]->saving = NULL;
    for (size_t i = 0; i < rows->count; i++)
        if (rows->of[i])
            launch_saved(rows->of[i], failure);
    free(rows->of);
    free(rows);
}

void launch_leave_rows(struct launch *launch)
{
    struct launch_rows *rows = launch->saving;

    for (size_t i = 0; rows && i < rows->count; i++)
        if (rows->of[i] == launch)
            rows->of[i] = NULL;
    launch->saving = NULL;
}

void launches_store(struct launches *launches)
{
    struct launch_rows *rows = must_calloc(1, sizeof *rows);
    auto_free const struct notice **notices = must_calloc(launches->count + 1, sizeof *notices);

    rows->launches = launches;
    rows->of = must_calloc(launches->count + 1, sizeof(struct launch *));
    for (size_t i = 0; i < launches->count; i++) {
        struct launch *launch = launches->at[i];
        if (!launch->dirty || launch->saving || !launch_unsaved(launch))
            continue;
        launch->dirty = false;
        launch->saving = rows;
        notices[rows->count] = launch->notice;
        rows->of[rows->count++] = launch;
    }
    if (rows->count == 0) {
        free(rows->of);
        free(rows);
        return;
    }
    rows->next = launches->rows;
    rows->link = &launches->rows;
    if (rows->next)
        rows->next->link = &rows->next;
    launches->rows = rows;
    rows->job = store_apply(launches->world->store,
                            &(struct store_change){.notices = notices,
                                                   .notice_count = rows->count,
                                                   .now_ms = clock_now_ms(launches->world->clock)},
                            on_stored, rows);
}

static void on_store_soon(void *ctx)
{
    struct launches *launches = ctx;

    launches_store(launches);
    for (size_t i = 0; i < launches->count; i++)
        if (launches->at[i]->released) {
            launches->at[i]->released = false;
            launch_go_on(launches->at[i]);
        }
}

void launches_store_soon(struct launches *launches)
{
    if (!alarm_is_set(&launches->store_soon))
        alarm_set(launches->world->alarms, &launches->store_soon, clock_now_ms(launches->world->clock), on_store_soon,
                  launches);
}

static void on_evidence_soon(void *ctx)
{
    struct launches *launches = ctx;

    for (size_t i = 0; i < launches->evidence_count; i++) {
        struct evidence *evidence = &launches->evidence[i];
        store_evidence(launches->world->store, evidence->notice, evidence->at_ms, evidence->json, NULL, NULL);
        free(evidence->json);
    }
    free(launches->evidence);
    launches->evidence = NULL;
    launches->evidence_count = 0;
}

void launches_keep_evidence(struct launches *launches, int64_t notice, int64_t at_ms, const char *json)
{
    launches->evidence = must_realloc(launches->evidence, (launches->evidence_count + 1) * sizeof *launches->evidence);
    launches->evidence[launches->evidence_count++] = (struct evidence){notice, at_ms, must_strdup(json)};
    if (!alarm_is_set(&launches->evidence_soon))
        alarm_set(launches->world->alarms, &launches->evidence_soon,
                  clock_now_ms(launches->world->clock) + EVIDENCE_LATER_MS, on_evidence_soon, launches);
}

/* --- Finding and making ---------------------------------------------------------------------------------------------
 */

static size_t place_of(const struct launches *launches, int64_t notice)
{
    size_t low = 0, high = launches->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (launches->at[middle]->notice->id < notice)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct launch *awake(const struct launches *launches, int64_t notice)
{
    size_t place = place_of(launches, notice);
    return place < launches->count && launches->at[place]->notice->id == notice ? launches->at[place] : NULL;
}

static struct launch *wake(struct launches *launches, struct notice *notice)
{
    struct launch *launch = launch_new(launches->world, notice);
    size_t place = place_of(launches, notice->id);

    if (!launch)
        return NULL;
    if (launches->count == launches->cap) {
        launches->cap = launches->cap ? launches->cap * 2 : 64;
        launches->at = must_realloc(launches->at, launches->cap * sizeof *launches->at);
    }
    memmove(launches->at + place + 1, launches->at + place, (launches->count - place) * sizeof *launches->at);
    launches->at[place] = launch;
    launches->count++;
    notice->wakes_at_ms = MOMENT_NONE;
    return launch;
}

struct launch *launches_find(struct launches *launches, int64_t id)
{
    struct launch *launch = awake(launches, id);
    struct notice *notice = launch ? NULL : notices_find(&launches->world->notices, id);

    return notice && !at_rest(notice) ? wake(launches, notice) : launch;
}

/* Gives it the launch that it needs by now, or lets it sleep on. */
static void touch(struct launches *launches, struct notice *notice, int64_t now_ms)
{
    struct launch *launch = awake(launches, notice->id);
    const struct world_rule *rule;

    if (launch || at_rest(notice)) {
        if (launch)
            launch_look(launch);
        return;
    }
    rule = world_rule(launches->world, notice->rule);
    if (rule && world_site(launches->world, notice->site) && wakes_at_ms(rule, notice) > now_ms)
        sleep_until(launches, notice, wakes_at_ms(rule, notice));
    else if ((launch = wake(launches, notice)))
        launch_look(launch);
    else
        launches_end_orphan(launches, notice);
}

static void sweep(struct launches *launches)
{
    size_t kept = 0;

    for (size_t i = 0; i < launches->count; i++)
        if (over(launches->at[i]))
            launch_free(launches->at[i]);
        else
            launches->at[kept++] = launches->at[i];
    launches->count = kept;
}

static void on_wake(void *ctx)
{
    struct launches *launches = ctx;
    const struct clock *clock = launches->world->clock;
    int64_t now_ms = clock_now_ms(clock), until_ms = clock_mono_ms(clock) + WAKE_MS;

    while (launches->asleep_count > 0 && launches->asleep[0].at_ms <= now_ms && clock_mono_ms(clock) <= until_ms) {
        struct sleeper sleeper = sleeper_take(launches);
        if (sleeper.notice->wakes_at_ms != sleeper.at_ms)
            continue;
        sleeper.notice->wakes_at_ms = MOMENT_NONE;
        touch(launches, sleeper.notice, now_ms);
    }
    sweep(launches);
    set_wake(launches);
}

/* --- Looking --------------------------------------------------------------------------------------------------------
 */

void launches_clock_stepped(struct launches *launches)
{
    for (size_t i = 0; i < launches->count; i++) {
        struct launch *launch = launches->at[i];
        launch->gate_since_ms = launch->evidence_at_ms = MOMENT_NONE;
        launch->gate_tries = 0;
        launch->ask_at_ms = launch->save_after_ms = 0;
        roll_forget_delay(launch->roll);
        launch->progress_at_ms = launch_now_ms(launch);
        if (launch->sending)
            sending_allow(launch->sending, MOMENT_NONE);
    }
    launches_look(launches);
}

void launches_look(struct launches *launches)
{
    for (size_t i = 0; i < launches->count; i++)
        launch_look(launches->at[i]);
}

void launches_touch(struct launches *launches, const char *site, const char *subject)
{
    struct world *world = launches->world;

    if (world->stopping)
        return; /* launches_update() comes when everything is in place */
    for (struct notice *notice = notices_about(&world->notices, site, subject); notice; notice = notice->next)
        touch(launches, notice, clock_now_ms(world->clock));
    set_wake(launches);
}

void launches_update(struct launches *launches)
{
    struct world *world = launches->world;
    int64_t now_ms = clock_now_ms(world->clock);

    sweep(launches);
    for (size_t i = 0; i < world->notices.count; i++)
        touch(launches, world->notices.at[i], now_ms);
    set_wake(launches);
}

bool launches_at_gate(const struct launches *launches, const struct world_site *site, int64_t from_ms, int64_t to_ms)
{
    for (size_t i = 0; i < launches->count; i++) {
        const struct notice *notice = launches->at[i]->notice;
        if (launches->at[i]->site == site && notice->state == NOTICE_READY && notice->due_at_ms > from_ms &&
            notice->due_at_ms <= to_ms)
            return true;
    }
    return false;
}

void launches_count(const struct launches *launches, size_t states[NOTICE_STATES])
{
    const struct notices *notices = &launches->world->notices;

    memset(states, 0, NOTICE_STATES * sizeof *states);
    for (size_t i = 0; i < notices->count; i++) /* who sleeps may stand in the heap more than once, or for nothing */
        states[notices->at[i]->state]++;
}

bool launches_rest(const struct launches *launches)
{
    for (size_t i = 0; i < launches->count; i++)
        if (!over(launches->at[i]))
            return false;
    return true;
}

void launches_stop(struct launches *launches)
{
    for (size_t i = 0; i < launches->count; i++) {
        struct launch *launch = launches->at[i];
        alarm_off(&launch->alarm);
        roll_cancel(launch->roll);
        gate_cancel(&launch->question);
        launch_hush(launch);
        if (launch->sending)
            sending_stop(launch->sending);
    }
}
