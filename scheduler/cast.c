#include "cast.h"

#include "dispatch.h"
#include "estimate.h"
#include "launch.h"
#include "operators.h"
#include "outlook.h"
#include "retention.h"
#include "sync.h"
#include "unsubscribe.h"
#include "writeback.h"

#include <string.h>

struct cast {
    struct settings *settings;
    struct world *world;
    const struct cast_parts *parts;
    const char **plugin_folders, **template_folders;
    struct audience **audiences; /* as configured */
    struct message_mail *mails;  /* one for each notifier */
    struct operators *operators;
    struct unsubscribe_texts *unsubscribe_texts;
    struct calendar_texts *calendar_texts;
    struct retention *retention;
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
            if (strcmp(old[k].name, settings->sites[i].name) == 0) {
                sites[i] = old[k];
                old[k] = (struct world_site){0};
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
            return error_at(err, "site %s", sites[i].name);
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
            return error_at(err, "audience %s", mine->name);
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
    store_recalled_clear(&recalled);
    return 0;
}

static int make_channels(struct cast *cast, struct error *err)
{
    struct world *world = cast->world;
    struct settings *settings = cast->settings;
    struct channel_events events = dispatch_channel_events(world->dispatch);
    struct channel_parts parts = {.loop = cast->parts->loop,
                                  .clock = world->clock,
                                  .alarms = world->alarms,
                                  .fetcher = cast->parts->fetcher,
                                  .wires = cast->parts->wires,
                                  .log = world->log,
                                  .metrics = world->metrics,
                                  .plugin_folders = cast->plugin_folders};

    world->channels = must_calloc(settings->notifier_count, sizeof(struct channel *));
    cast->mails = must_calloc(settings->notifier_count, sizeof *cast->mails);
    for (size_t i = 0; i < settings->notifier_count; i++) {
        struct notifier_settings *mine = &settings->notifiers[i];
        world->channels[i] = channel_new(&mine->channel, mine->plugin, mine->plugin_state, &parts, &events, err);
        mine->plugin_state = NULL; /* taken over, also by a failure */
        if (!world->channels[i])
            return error_at(err, "notifier %s", mine->channel.name);
        world->channel_count = i + 1;
        dispatch_add_channel(world->dispatch, world->channels[i]);
        if (recall_channel(cast, world->channels[i], err) < 0)
            return error_at(err, "notifier %s", mine->channel.name);
        cast->mails[i] = settings_mail(settings, mine);
    }
    return 0;
}

static size_t index_of(const struct cast *cast, const char *notifier)
{
    size_t i = 0;

    while (strcmp(cast->settings->notifiers[i].channel.name, notifier) != 0)
        i++; /* settings_load() has resolved every name */
    return i;
}

static int make_rules(struct cast *cast, struct error *err)
{
    struct world *world = cast->world;
    const struct settings *settings = cast->settings;
    int64_t now_ms = clock_now_ms(world->clock);

    world->rules = must_calloc(settings->rule_count, sizeof *world->rules);
    for (size_t i = 0; i < settings->rule_count; i++) {
        const struct rule *rule = &settings->rules[i];
        struct world_rule *mine = &world->rules[i];
        size_t notifier = index_of(cast, rule->notify.at[0]);
        mine->plan = (struct plan_rule){rule, world_first_load_ms(world, rule->name, now_ms)};
        mine->channel = world->channels[notifier];
        mine->mail = &cast->mails[notifier];
        mine->audiences = must_calloc(rule->audiences.count, sizeof(struct audience *));
        world->rule_count = i + 1;
        for (size_t k = 0; k < rule->audiences.count; k++)
            for (size_t a = 0; a < settings->audience_count; a++)
                if (strcmp(settings->audiences[a].name, rule->audiences.at[k]) == 0)
                    mine->audiences[mine->audience_count++] = cast->audiences[a];
        mine->templates = message_templates_load(cast->template_folders, rule->template_name, "en", err);
        if (!mine->templates)
            return error_at(err, "rule %s", rule->name);
    }
    return 0;
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

struct cast *cast_new(struct settings *settings, struct world *world, const struct cast_parts *parts, struct error *err)
{
    struct cast *cast = must_calloc(1, sizeof *cast);

    *cast = (struct cast){.settings = settings, .world = world, .parts = parts};
    cast->plugin_folders = settings_plugin_folders();
    cast->template_folders = settings_template_folders(settings);
    world->sender = &settings->sender;
    world->stopping = true; /* nobody moves until everything is in place */
    world->outside = outside_new();
    world->dispatch = dispatch_new(world);
    world->launches = launches_new(world);
    world->estimates = estimates_new(world);
    world->outlook = outlook_new(world);
    if (make_sites(cast, err) < 0 || make_audiences(cast, err) < 0 || make_channels(cast, err) < 0 ||
        make_rules(cast, err) < 0 || make_operators(cast, err) < 0 || make_pages(cast, err) < 0 ||
        make_calendars(cast, err) < 0) {
        cast_free(cast);
        return NULL;
    }
    store_first_loads(cast);
    world->writeback = writeback_new(world);
    for (size_t i = 0; i < world->site_count; i++)
        world->sites[i].sync = sync_new(world, &world->sites[i]);
    /* What is remembered is planned before anybody acts on it: who was told before, what is too late by now. */
    for (size_t i = 0; i < world->site_count; i++)
        if (world->sites[i].first_walked_at_ms != MOMENT_NONE)
            sync_replan(world->sites[i].sync);
    world->stopping = false;
    launches_update(world->launches);
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

void cast_stop(struct cast *cast, int64_t grace_ms)
{
    struct world *world = cast->world;

    world->stopping = true;
    launches_stop(world->launches);
    for (size_t i = 0; i < world->channel_count; i++)
        channel_stop(world->channels[i], grace_ms);
}

bool cast_quiet(const struct cast *cast)
{
    for (size_t i = 0; i < cast->world->channel_count; i++)
        if (channel_in_flight(cast->world->channels[i]) > 0)
            return false;
    return dispatch_quiet(cast->world->dispatch);
}

void cast_free(struct cast *cast)
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
    calendar_texts_free(cast->calendar_texts);
    for (size_t i = 0; i < world->rule_count; i++) {
        message_templates_free(world->rules[i].templates);
        free(world->rules[i].audiences);
    }
    free(world->rules);
    for (size_t i = 0; i < world->channel_count; i++)
        channel_free(world->channels[i]);
    free(world->channels);
    world->rules = NULL;
    world->channels = NULL;
    world->rule_count = world->channel_count = 0;
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
    free(cast->mails);
    free(cast->plugin_folders);
    free(cast->template_folders);
    settings_free(cast->settings);
    free(cast);
}
