#include "measures.h"

#include "build-config.h"
#include "feed.h"
#include "health.h"
#include "sync.h"
#include "webhooks.h"

#include <dirent.h>
#include <string.h>
#include <sys/resource.h>

static void flag(const struct world *world, enum metric family, bool set)
{
    metrics_set(world->metrics, family, NO_LABELS, set);
}

/* --- Notices and people ------------------------------------------------------------------------------------------- */

/* The notices of one rule at one site: thousands of them make a handful of these. */
struct group {
    const char *site, *rule; /* borrowed from the first of them */
    int64_t states[NOTICE_STATES], held[REASONS];
    int64_t next_due_at_ms, not_fitting;
    struct tally tally;
    struct group *next;
};

static uint64_t hash_of(const void *item)
{
    const struct group *group = item;

    return index_hash(index_hash(INDEX_HASH, group->site), group->rule);
}

static bool is_same(const void *a, const void *b)
{
    const struct group *one = a, *other = b;

    return strcmp(one->site, other->site) == 0 && strcmp(one->rule, other->rule) == 0;
}

static const struct index_kind by_names = {hash_of, is_same};

static struct group *group_of(struct index *index, struct group **groups, const struct notice *notice)
{
    struct group like = {.site = notice->site, .rule = notice->rule}, *group = index_find(index, &by_names, &like);

    if (group)
        return group;
    group = must_calloc(1, sizeof *group);
    *group = (struct group){.site = notice->site, .rule = notice->rule, .next_due_at_ms = MOMENT_NONE, .next = *groups};
    *groups = group;
    index_put(index, &by_names, group);
    return group;
}

static bool is_ahead(const struct notice *notice)
{
    return notice->state == NOTICE_PLANNED || notice->state == NOTICE_GATHERING || notice->state == NOTICE_READY;
}

static void add_notice(struct group *group, const struct notice *notice)
{
    struct tally tally = tally_with_rest(notice->course->tally, notice->rest);

    group->states[notice->state]++;
    if (notice->state == NOTICE_HELD)
        group->held[notice->reason]++;
    if (is_ahead(notice) && (group->next_due_at_ms == MOMENT_NONE || notice->due_at_ms < group->next_due_at_ms))
        group->next_due_at_ms = notice->due_at_ms;
    group->not_fitting += is_ahead(notice) && notice->will_not_fit;
    group->tally.waiting += tally.waiting;
    group->tally.accepted += tally.accepted;
    group->tally.refused += tally.refused;
    group->tally.in_doubt += tally.in_doubt;
    group->tally.withheld += tally.withheld;
}

static void set_group(struct metrics *metrics, const struct group *group)
{
    const struct {
        const char *fate;
        int64_t people;
    } fates[] = {
        {"waiting", group->tally.waiting},   {"accepted", group->tally.accepted}, {"refused", group->tally.refused},
        {"in_doubt", group->tally.in_doubt}, {"withheld", group->tally.withheld},
    };

    for (enum notice_state state = 0; state < NOTICE_STATES; state++)
        metrics_raise(metrics, METRIC_NOTICES, LABELS(group->site, notice_state_name(state)), group->states[state]);
    for (enum notice_reason reason = 0; reason < REASONS; reason++)
        if (group->held[reason] > 0)
            metrics_set(metrics, METRIC_NOTICES_HELD, LABELS(group->site, group->rule, notice_reason_name(reason)),
                        group->held[reason]);
    if (group->next_due_at_ms != MOMENT_NONE)
        metrics_set(metrics, METRIC_NEXT_DUE, LABELS(group->site, group->rule), group->next_due_at_ms);
    metrics_set(metrics, METRIC_WILL_NOT_FIT, LABELS(group->site, group->rule), group->not_fitting);
    for (size_t i = 0; i < ARRAY_LEN(fates); i++)
        metrics_set(metrics, METRIC_PEOPLE, LABELS(group->site, group->rule, fates[i].fate), fates[i].people);
}

static void take_notices(const struct world *world)
{
    struct index index = {0};
    struct group *groups = NULL, *next;

    for (size_t i = 0; i < world->site_count; i++) /* a site without notices has none of any state */
        for (enum notice_state state = 0; state < NOTICE_STATES; state++)
            metrics_set(world->metrics, METRIC_NOTICES, LABELS(world->sites[i].name, notice_state_name(state)), 0);
    for (size_t i = 0; i < world->notices.count; i++)
        add_notice(group_of(&index, &groups, world->notices.at[i]), world->notices.at[i]);
    for (struct group *group = groups; group; group = next) {
        next = group->next;
        set_group(world->metrics, group);
        free(group);
    }
    index_clear(&index);
}

/* --- Notifiers ---------------------------------------------------------------------------------------------------- */

/* In thousandths of a message a second; 0: unlimited. */
static int64_t rate_of(const struct config_rates *rates)
{
    int64_t least = 0;

    for (size_t i = 0; i < rates->count; i++) {
        int64_t rate = rates->at[i].count * 1000 * SECOND_MS / rates->at[i].per_ms;
        if (least == 0 || rate < least)
            least = rate;
    }
    return least;
}

static void take_waiting(const struct world *world)
{
    for (size_t i = 0; i < world->notices.count; i++) {
        const struct notice *notice = world->notices.at[i];
        if (notice->course->channel &&
            (notice->state == NOTICE_SENDING || (notice->state == NOTICE_HELD && notice->claimed)))
            metrics_raise(world->metrics, METRIC_NOTIFIER_WAITING, LABELS(notice->course->channel),
                          notice->course->tally.waiting);
    }
}

static void take_notifier(const struct world *world, const struct channel *channel)
{
    struct metrics *metrics = world->metrics;
    const struct channel_settings *settings = channel_settings(channel);
    const char *name = settings->name;
    int64_t rate = rate_of(&settings->rate);
    enum channel_state stands = channel_standing(channel).state;
    char target[256];

    snprintf(target, sizeof target, "notifier:%s", name);
    metrics_set(metrics, METRIC_NOTIFIER_WAITING, LABELS(name), 0);
    metrics_set(metrics, METRIC_NOTIFIER_CLAIMED, LABELS(name), channel_out(channel));
    metrics_set(metrics, METRIC_NOTIFIER_IN_FLIGHT, LABELS(name), (int64_t)channel_in_flight(channel));
    metrics_set(metrics, METRIC_NOTIFIER_WINDOW, LABELS(name), channel_window(channel));
    if (rate > 0)
        metrics_set(metrics, METRIC_NOTIFIER_RATE, LABELS(name), rate);
    for (enum channel_state state = CHANNEL_WELL; state <= CHANNEL_BROKEN; state++)
        metrics_set(metrics, METRIC_NOTIFIER_STATE, LABELS(name, channel_state_name(state)), state == stands);
    metrics_set(metrics, METRIC_NOTIFIER_PAUSED, LABELS(name), world_paused(world, target));
}

static void take_webhooks(const struct world *world)
{
    for (size_t i = 0; world->webhooks && i < webhooks_count(world->webhooks); i++) {
        struct webhook_counts counts = webhooks_counts(world->webhooks, i);
        metrics_set(world->metrics, METRIC_WEBHOOKS_WAITING, LABELS(counts.name), counts.waiting);
        metrics_set(world->metrics, METRIC_WEBHOOKS_DROPPED, LABELS(counts.name), counts.dropped);
        metrics_set(world->metrics, METRIC_WEBHOOKS_DISABLED, LABELS(counts.name), counts.disabled);
    }
}

/* --- Sites, the store, the daemon --------------------------------------------------------------------------------- */

static void take_sites(const struct world *world)
{
    for (size_t i = 0; i < world->site_count; i++) {
        const struct world_site *site = &world->sites[i];
        metrics_set(world->metrics, METRIC_SITE_DEFINITIONS, LABELS(site->name), (int64_t)site->definitions.count);
        metrics_set(world->metrics, METRIC_SITE_CLOCK_AHEAD, LABELS(site->name), site->clock_ahead_ms);
        if (!site->sync)
            continue;
        int64_t stale_ms = sync_stale_ms(site->sync);
        metrics_set(world->metrics, METRIC_SITE_STALE, LABELS(site->name), stale_ms < 0 ? METRIC_INFINITE : stale_ms);
    }
}

static void take_store(const struct world *world)
{
    struct metrics *metrics = world->metrics;
    struct metric_histogram commits;
    struct store_health health;
    int64_t now_ms = clock_now_ms(world->clock), since_ms;

    store_health(world->store, &health);
    store_commits(world->store, &commits);
    since_ms = health.writebacks > 0 ? health.oldest_writeback_at_ms : now_ms;
    metrics_set_histogram(metrics, METRIC_STORE_COMMIT, NO_LABELS, &commits);
    metrics_set(metrics, METRIC_STORE_JOBS, NO_LABELS, (int64_t)store_pending(world->store));
    metrics_set(metrics, METRIC_STORE_STUCK, NO_LABELS, health.stuck_ms);
    flag(world, METRIC_STORE_FAILING, health.failure.kind != ERROR_NONE);
    if (health.room_bytes >= 0)
        metrics_set(metrics, METRIC_STORE_ROOM, NO_LABELS, health.room_bytes);
    metrics_set(metrics, METRIC_STORE_RESERVE, NO_LABELS, health.reserve_bytes);
    metrics_set(metrics, METRIC_WRITEBACKS, NO_LABELS, health.writebacks);
    metrics_set(metrics, METRIC_WRITEBACKS_OLDEST, NO_LABELS, now_ms > since_ms ? now_ms - since_ms : 0);
}

static void take_health(const struct world *world)
{
    static const char *const questions[] = {[HEALTH_ALIVE] = "alive", [HEALTH_READY] = "ready"};
    struct health health;

    health_look(world, &health);
    for (enum health_question question = 0; question < HEALTH_QUESTIONS; question++)
        for (enum health_check check = 0; check < HEALTH_CHECKS; check++)
            metrics_set(world->metrics, METRIC_HEALTH, LABELS(questions[question], health_check_name(check)),
                        health.checks[check].words[question]);
}

static void take_daemon(const struct world *world)
{
    struct metrics *metrics = world->metrics;

    metrics_set(metrics, METRIC_BUILD_INFO, LABELS(ONSALE_VERSION), 1);
    metrics_set(metrics, METRIC_GENERATION, NO_LABELS, store_generation(world->store));
    flag(world, METRIC_COPY, world->copy != NULL);
    flag(world, METRIC_CLOCK_FROZEN, world->frozen);
    flag(world, METRIC_STOPPING, world->stopping);
    flag(world, METRIC_DISK_FULL, world->disk.why.kind != ERROR_NONE);
    flag(world, METRIC_DISK_TIGHT, world->disk.tight);
    metrics_set(metrics, METRIC_PAUSES, NO_LABELS, (int64_t)world->pause_count);
}

/* --- The process -------------------------------------------------------------------------------------------------- */

/* Pages, as proc(5) tells them: of the process, and those in memory. */
static void take_memory(struct metrics *metrics)
{
    auto_file FILE *file = fopen("/proc/self/statm", "re");
    long long size, resident, page = sysconf(_SC_PAGESIZE);

    if (!file || fscanf(file, "%lld %lld", &size, &resident) != 2)
        return;
    metrics_set(metrics, METRIC_VIRTUAL, NO_LABELS, size * page);
    metrics_set(metrics, METRIC_RESIDENT, NO_LABELS, resident * page);
}

static void take_descriptors(struct metrics *metrics)
{
    DIR *folder = opendir("/proc/self/fd");
    struct rlimit limit;
    int64_t count = 0;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metrics_set(metrics, METRIC_MAX_FDS, NO_LABELS,
                    limit.rlim_cur == RLIM_INFINITY ? METRIC_INFINITE : (int64_t)limit.rlim_cur);
    if (!folder)
        return;
    for (const struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    metrics_set(metrics, METRIC_OPEN_FDS, NO_LABELS, count - 1); /* without the folder's own */
}

static int64_t us_of(const struct timeval *time)
{
    return (int64_t)time->tv_sec * 1000000 + time->tv_usec;
}

static void take_process(const struct world *world)
{
    struct rusage usage;

    take_memory(world->metrics);
    take_descriptors(world->metrics);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metrics_set(world->metrics, METRIC_CPU, NO_LABELS, us_of(&usage.ru_utime) + us_of(&usage.ru_stime));
    metrics_set(world->metrics, METRIC_START_TIME, NO_LABELS, metrics_began_at_ms(world->metrics));
}

static void take_connections(struct metrics *metrics, const struct server *server)
{
    struct server_counts counts = {0};

    if (server)
        server_count(server, &counts);
    metrics_set(metrics, METRIC_HTTP_CONNECTIONS, LABELS("tcp"), (int64_t)counts.tcp);
    metrics_set(metrics, METRIC_HTTP_CONNECTIONS, LABELS("unix"), (int64_t)counts.local);
    metrics_set(metrics, METRIC_HTTP_STREAMS, NO_LABELS, (int64_t)counts.streams);
}

static void take_feed(const struct world *world)
{
    if (!world->feed)
        return;
    const struct feed_counts counts = feed_counts(world->feed);
    struct metrics *metrics = world->metrics;

    for (size_t i = 0; i < world->site_count; i++)
        metrics_set(metrics, METRIC_FEED_PUBLISHED, LABELS(world->sites[i].name),
                    feed_is_published(world->feed, world->sites[i].name));
    metrics_set(metrics, METRIC_FEED_EVENTS, NO_LABELS, (int64_t)counts.events);
    metrics_set(metrics, METRIC_FEED_WAITING, NO_LABELS, (int64_t)counts.waiting);
    metrics_set(metrics, METRIC_FEED_CHANGES, NO_LABELS, counts.changes);
    metrics_set(metrics, METRIC_FEED_BODIES, NO_LABELS, counts.bodies);
    metrics_set(metrics, METRIC_FEED_BODY, NO_LABELS, counts.last_body_us);
}

/* --- What has not happened yet ------------------------------------------------------------------------------------ */

/* An alert sees a counter rise; one that begins at 1 never rose. */
static void begin_at_zero(const struct world *world)
{
    static const char *const passes[] = {"done", "failed", "begun_again"}, *const reloads[] = {"done", "refused"};
    static const char *const answers[] = {"ok", "limited", "refused", "failed", "none"};
    struct metrics *metrics = world->metrics;

    for (size_t i = 0; i < ARRAY_LEN(reloads); i++)
        metrics_series(metrics, METRIC_RELOADS, LABELS(reloads[i]));
    for (size_t i = 0; i < world->rule_count; i++)
        for (size_t k = 0; k < ARRAY_LEN(passes); k++)
            metrics_series(metrics, METRIC_GATHERINGS, LABELS(world->rules[i].plan.rule->name, passes[k]));
    for (size_t i = 0; i < world->site_count; i++)
        for (size_t k = 0; k < ARRAY_LEN(answers) && world->sites[i].settings; k++)
            if (world->sites[i].settings->source == SOURCE_WIX)
                metrics_series(metrics, METRIC_REQUESTS, LABELS("site", world->sites[i].name, answers[k]));
    for (size_t i = 0; i < world->audience_count; i++)
        for (size_t k = 0; k < ARRAY_LEN(answers); k++)
            if (world->audiences[i]->settings->source == AUDIENCE_LISTMONK)
                metrics_series(metrics, METRIC_REQUESTS,
                               LABELS("audience", world->audiences[i]->settings->name, answers[k]));
    for (enum feedback kind = FEEDBACK_HARD; kind < FEEDBACKS; kind++)
        metrics_series(metrics, METRIC_BOUNCES, LABELS(feedback_name(kind)));
}

void measures_take(const struct world *world, const struct server *server)
{
    metrics_begin(world->metrics);
    begin_at_zero(world);
    take_daemon(world);
    take_health(world);
    take_notices(world);
    for (size_t i = 0; i < world->channel_count; i++)
        take_notifier(world, world->channels[i]);
    take_waiting(world);
    take_webhooks(world);
    take_sites(world);
    take_store(world);
    take_feed(world);
    take_connections(world->metrics, server);
    take_process(world);
}
