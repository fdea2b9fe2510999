#include "cast.h"

#include "calendar.h"
#include "dispatch.h"
#include "estimate.h"
#include "feed.h"
#include "launch.h"
#include "operators.h"
#include "outlook.h"
#include "playbook.h"
#include "retention.h"
#include "sync.h"
#include "unsubscribe.h"
#include "webhooks.h"
#include "writeback.h"

#include <string.h>

struct cast {
    struct settings *settings;
    struct world *world;
    const struct cast_parts *parts;
    const char **template_folders;
    struct audience **audiences; /* as configured */
    struct operators *operators;
    struct unsubscribe_texts *unsubscribe_texts;
    struct calendar_texts *calendar_texts;
    struct retention *retention;
    struct webhook_post webhook_post;
};

/* --- Making ---------------------------------------------------------------------------------------------------------
 */

/* A site that stays keeps its mirror; one that left the configuration takes it along, its notices are withdrawn by
 * name. */
static int make_sites(struct cast *cast, struct error *err)
{
    struct world *world = cast->world;
    const struct settings *settings = cast->settings;
    struct world_site *old = world->sites, *sites = must_calloc(settings->site_count, sizeof *sites);
    size_t old_count = world->site_count;
    struct source_parts parts = {.clock = world->clock,
                                 .alarms = world->alarms,
                                 .fetcher = cast->parts->fetcher,
                                 .loop = cast->parts->loop,
                                 .log = world->log};

    for (size_t i = 0; i < settings->site_count; i++) {
        sites[i] = (struct world_site){.first_walked_at_ms = MOMENT_NONE, .watermark_ms = MOMENT_NONE};
        for (size_t k = 0; k < old_count; k++)
            if (old[k].name && strcmp(old[k].name, settings->sites[i].name) == 0) {
                sites[i] = old[k];
                old[k] = (struct world_site){0}; /* taken: it has no name any more */
            }
        free(sites[i].name);
        sites[i].name = must_strdup(settings->sites[i].name);
        sites[i].settings = &settings->sites[i];
    }
    for (size_t k = 0; k < old_count; k++) {
        definitions_clear(&old[k].definitions);
        free(old[k].name);
    }
    free(old);
    world->sites = sites;
    world->site_count = settings->site_count;
    for (size_t i = 0; i < world->site_count; i++) {
        sites[i].source = sites[i].settings->source == SOURCE_WIX ? source_wix_new(sites[i].settings, &parts, err)
                                                                  : source_file_new(sites[i].settings, &parts, err);
        if (!sites[i].source)
            return -1;
    }
    return 0;
}

static int make_audiences(struct cast *cast, struct error *err)
{
    struct world *world = cast->world;
    const struct settings *settings = cast->settings;
    struct audience_parts parts = {.clock = world->clock,
                                   .alarms = world->alarms,
                                   .fetcher = cast->parts->fetcher,
                                   .log = world->log,
                                   .uv_loop = cast->parts->loop};

    cast->audiences = must_calloc(settings->audience_count, sizeof(struct audience *));
    for (size_t i = 0; i < settings->audience_count; i++) {
        const struct audience_settings *mine = &settings->audiences[i];
        cast->audiences[i] = mine->source == AUDIENCE_FILE ? audience_file_new(mine, &parts, err)
                                                           : audience_listmonk_new(mine, &parts, err);
        if (!cast->audiences[i])
            return -1;
    }
    world->audiences = cast->audiences;
    world->audience_count = settings->audience_count;
    return 0;
}

/* Before anything is claimed: what the last start claimed counts against the rate, what it was asked to wait is waited.
 */
static int recall_channel(struct cast *cast, struct channel *channel, struct error *err)
{
    int64_t since_ms = clock_now_ms(cast->world->clock) - channel_memory_ms(channel);
    struct store_recalled recalled;

    if (store_recall(cast->world->store, channel_settings(channel)->name, since_ms, &recalled, err) < 0)
        return -1;
    struct channel_wait wait = {recalled.wait.until_ms, recalled.wait.rests, recalled.wait.text};
    channel_recall(channel, recalled.claims, recalled.claim_count, wait.until_ms == MOMENT_NONE ? NULL : &wait);
    if (channel_answer_us(channel) == 0) /* one that was kept knows it better */
        channel_recall_speed(channel, recalled.answer_us);
    store_recalled_clear(&recalled);
    return 0;
}

/* One that was kept for this notifier, out of the world's; NULL: there is none. */
static struct channel *take_kept(struct channel **kept, size_t count, const struct notifier_settings *mine)
{
    for (size_t i = 0; i < count; i++)
        if (kept[i] && strcmp(channel_settings(kept[i])->name, mine->channel.name) == 0 &&
            channel_could_serve(kept[i], mine->plugin, mine->plugin_state)) {
            struct channel *channel = kept[i];
            kept[i] = NULL;
            return channel;
        }
    return NULL;
}

static struct channel *make_channel(struct cast *cast, struct notifier_settings *mine, struct channel *kept,
                                    struct error *err)
{
    struct world *world = cast->world;
    struct channel_events events = dispatch_channel_events(world->dispatch);
    struct channel_parts parts = {.loop = cast->parts->loop,
                                  .clock = world->clock,
                                  .alarms = world->alarms,
                                  .fetcher = cast->parts->fetcher,
                                  .wires = cast->parts->wires,
                                  .log = world->log,
                                  .metrics = world->metrics};
    void *state = mine->plugin_state;

    mine->plugin_state = NULL; /* taken over, also by a failure */
    if (!kept)
        return channel_new(&mine->channel, mine->plugin, state, &parts, &events, err);
    free(state);
    channel_go_on(kept, &mine->channel, &events);
    return kept;
}

/* A channel that was kept over a reload goes on with its connections; the others are made. */
static int make_channels(struct cast *cast, struct error *err)
{
    struct world *world = cast->world;
    struct settings *settings = cast->settings;
    auto_free struct channel **kept = world->channels;
    size_t kept_count = world->channel_count;
    int rc = 0;

    world->channels = must_calloc(settings->notifier_count, sizeof(struct channel *));
    world->channel_count = 0;
    for (size_t i = 0; i < settings->notifier_count && rc == 0; i++) {
        struct notifier_settings *mine = &settings->notifiers[i];
        struct channel *channel = make_channel(cast, mine, take_kept(kept, kept_count, mine), err);
        if (channel) {
            world->channels[world->channel_count++] = channel;
            dispatch_add_channel(world->dispatch, channel);
        }
        if (!channel || recall_channel(cast, channel, err) < 0)
            rc = error_at(err, "notifier %s", mine->channel.name);
    }
    for (size_t i = 0; i < kept_count; i++)
        channel_free(kept[i]);
    return rc;
}

static size_t index_of(const struct cast *cast, const char *notifier)
{
    size_t i = 0;

    while (strcmp(cast->settings->notifiers[i].channel.name, notifier) != 0)
        i++; /* settings_load() has resolved every name */
    return i;
}

static int make_pages(struct cast *cast, struct error *err)
{
    cast->unsubscribe_texts = unsubscribe_texts_load(cast->template_folders, err);
    cast->world->unsubscribe_texts = cast->unsubscribe_texts;
    return cast->unsubscribe_texts ? 0 : -1;
}

static int make_calendars(struct cast *cast, struct error *err)
{
    cast->calendar_texts = calendar_texts_load(cast->template_folders, err);
    cast->world->calendar_texts = cast->calendar_texts;
    return cast->calendar_texts ? 0 : -1;
}

static int make_operators(struct cast *cast, struct error *err)
{
    struct world *world = cast->world;
    const struct settings *settings = cast->settings;
    size_t by = *settings->operators_by ? index_of(cast, settings->operators_by) : 0;

    if (settings->operators.count == 0 || settings->notifier_count == 0 || !*settings->notifiers[by].channel.from)
        return 0;
    cast->operators = operators_new(&settings->operators, world->outside, world->channels[by],
                                    settings->notifiers[by].channel.from, world->tokens, world->clock, world->log, err);
    if (!cast->operators)
        return error_at(err, "operators");
    world->tell_operators = operators_tell;
    world->tell_ctx = cast->operators;
    return 0;
}

/* A connection that is kept may have been made to anywhere: those that may not go there have connections of their own.
 */
static struct fetch *post_webhook(void *ctx, const struct fetch_spec *spec, fetch_done_fn *done, void *done_ctx,
                                  struct error *err)
{
    const struct cast_parts *parts = ctx;

    return fetch_start(spec->public_only ? parts->outward : parts->fetcher, spec, done, done_ctx, err);
}

static void cancel_webhook(void *ctx, struct fetch **fetch)
{
    (void)ctx;
    fetch_cancel(fetch);
}

static int make_webhooks(struct cast *cast, struct error *err)
{
    struct world *world = cast->world;
    const struct cast_parts *parts = cast->parts;

    cast->webhook_post = parts->webhook_post
                             ? *parts->webhook_post
                             : (struct webhook_post){post_webhook, cancel_webhook, (void *)(uintptr_t)parts};
    world->webhooks =
        webhooks_new(world, cast->settings->webhooks, cast->settings->webhook_count, &cast->webhook_post, err);
    return world->webhooks ? 0 : -1;
}

/* The names of the rules are on disk before anything is planned by them: a moment in between is nobody's. */
static void store_first_loads(struct cast *cast)
{
    struct world *world = cast->world;
    const char **names = must_calloc(world->rule_count + 1, sizeof *names);

    for (size_t i = 0; i < world->rule_count; i++)
        names[i] = world->rules[i].plan.rule->name;
    store_apply(
        world->store,
        &(struct store_change){.rules = names, .rule_count = world->rule_count, .now_ms = clock_now_ms(world->clock)},
        NULL, NULL);
    free(names);
}

/* Connections that were kept are for who sends, or is about to. */
static void rest_channels(struct world *world)
{
    for (size_t i = 0; i < world->channel_count; i++) {
        const struct channel *channel = world->channels[i];
        bool needed = false;
        for (size_t k = 0; k < world->notices.count && !needed; k++) {
            const struct notice *notice = world->notices.at[k];
            bool near = notice->state == NOTICE_SENDING || notice->state == NOTICE_READY;
            needed = near && world_channel_of(world, notice) == channel;
        }
        if (!needed)
            channel_rest(world->channels[i]);
    }
}

struct cast *cast_new(struct settings *settings, struct world *world, const struct cast_parts *parts, struct error *err)
{
    struct cast *cast = must_calloc(1, sizeof *cast);

    *cast = (struct cast){.settings = settings, .world = world, .parts = parts};
    cast->template_folders = settings_template_folders(settings);
    world->sender = &settings->sender;
    world->public_url = settings->http.public_url;
    world->stopping = true; /* nobody moves until everything is in place */
    world->outside = outside_new();
    world->dispatch = dispatch_new(world);
    world->launches = launches_new(world);
    world->estimates = estimates_new(world);
    world->outlook = outlook_new(world);
    if (playbook_open(world, settings, cast->template_folders, err) < 0 || make_sites(cast, err) < 0 ||
        make_audiences(cast, err) < 0 || make_channels(cast, err) < 0 || make_operators(cast, err) < 0 ||
        make_pages(cast, err) < 0 || make_calendars(cast, err) < 0 || make_webhooks(cast, err) < 0) {
        cast_free(cast);
        return NULL;
    }
    playbook_bind(world);
    store_first_loads(cast);
    world->writeback = writeback_new(world);
    for (size_t i = 0; i < world->site_count; i++)
        world->sites[i].sync = sync_new(world, &world->sites[i]);
    /* What is remembered is planned before anybody acts on it: who was told before, what is too late by now. */
    for (size_t i = 0; i < world->site_count; i++)
        if (world->sites[i].first_walked_at_ms != MOMENT_NONE)
            sync_replan(world->sites[i].sync);
    feed_configure(world->feed, cast->calendar_texts, settings->sender.name);
    world->stopping = false;
    launches_update(world->launches);
    rest_channels(world);
    outlook_refresh(world->outlook);
    cast->retention = retention_new(world, settings->keep_people_ms, settings->keep_reports_ms);
    return cast;
}

const struct settings *cast_settings(const struct cast *cast)
{
    return cast->settings;
}

/* --- Closing --------------------------------------------------------------------------------------------------------
 */

/* Only who has people in its hands has connections to lose. */
static bool is_to_stay(const struct cast *cast, const struct channel *channel, const struct settings *next)
{
    const struct notifier_settings *then = next ? settings_notifier(next, channel_settings(channel)->name) : NULL;

    return then && dispatch_sends_on(cast->world->dispatch, channel) &&
           channel_could_serve(channel, then->plugin, then->plugin_state);
}

void cast_stop(struct cast *cast, const struct settings *next, int64_t grace_ms)
{
    struct world *world = cast->world;

    world->stopping = true;
    launches_stop(world->launches);
    for (size_t i = 0; i < world->channel_count; i++)
        if (is_to_stay(cast, world->channels[i], next))
            channel_keep(world->channels[i], grace_ms);
        else
            channel_stop(world->channels[i], grace_ms);
}

bool cast_quiet(const struct cast *cast)
{
    for (size_t i = 0; i < cast->world->channel_count; i++)
        if (channel_in_flight(cast->world->channels[i]) > 0)
            return false;
    return dispatch_quiet(cast->world->dispatch);
}

static void free_channels(struct world *world)
{
    for (size_t i = 0; i < world->channel_count; i++)
        channel_free(world->channels[i]);
    free(world->channels);
    world->channels = NULL;
    world->channel_count = 0;
}

/* Everything but what may stay. */
static void close_parts(struct cast *cast)
{
    struct world *world = cast->world;

    world->tell_operators = NULL;
    for (size_t i = 0; i < world->site_count; i++) {
        sync_free(world->sites[i].sync);
        world->sites[i].sync = NULL;
    }
    retention_free(cast->retention);
    writeback_free(world->writeback);
    world->writeback = NULL;
    webhooks_free(world->webhooks);
    world->webhooks = NULL;
    estimates_free(world->estimates);
    world->estimates = NULL;
    outlook_free(world->outlook);
    world->outlook = NULL;
    launches_free(world->launches);
    dispatch_free(world->dispatch);
    outside_free(world->outside);
    world->outside = NULL;
    world->launches = NULL;
    world->dispatch = NULL;
    operators_free(cast->operators);
    world->unsubscribe_texts = NULL;
    unsubscribe_texts_free(cast->unsubscribe_texts);
    world->calendar_texts = NULL;
    feed_configure(world->feed, NULL, NULL);
    calendar_texts_free(cast->calendar_texts);
    for (size_t i = 0; cast->audiences && i < cast->settings->audience_count; i++)
        if (cast->audiences[i])
            cast->audiences[i]->ops->free(cast->audiences[i]);
    free(cast->audiences);
    world->audiences = NULL;
    world->audience_count = 0;
    for (size_t i = 0; i < world->site_count; i++) {
        source_free(world->sites[i].source);
        world->sites[i].source = NULL;
        world->sites[i].settings = NULL;
    }
    free(cast->template_folders);
    free(cast);
}

void cast_free(struct cast *cast)
{
    struct world *world = cast->world;

    close_parts(cast);
    free_channels(world);
    playbook_close_all(world);
}

void cast_retire(struct cast *cast)
{
    struct world *world = cast->world;
    size_t kept = 0;

    playbook_note_begun(world);
    close_parts(cast);
    for (size_t i = 0; i < world->channel_count; i++)
        if (channel_is_kept(world->channels[i]))
            world->channels[kept++] = world->channels[i];
        else
            channel_free(world->channels[i]);
    world->channel_count = kept;
}
