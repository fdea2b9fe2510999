#include "playbook.h"

#include <string.h>

struct playbook {
    struct settings *settings;
    struct message_mail *mails; /* one for each notifier */
    struct world_rule *rules;
    size_t rule_count;
    struct playbook *older;
};

/* --- Opening --------------------------------------------------------------------------------------------------------
 */

static size_t index_of(const struct settings *settings, const char *notifier)
{
    size_t i = 0;

    while (strcmp(settings->notifiers[i].channel.name, notifier) != 0)
        i++; /* settings_load() has resolved every name */
    return i;
}

int playbook_open(struct world *world, struct settings *settings, const char *const *template_folders,
                  struct error *err)
{
    struct playbook *playbook = must_calloc(1, sizeof *playbook);
    int64_t now_ms = clock_now_ms(world->clock);

    *playbook = (struct playbook){.settings = settings, .older = world->playbooks};
    world->playbooks = playbook;
    playbook->mails = must_calloc(settings->notifier_count, sizeof *playbook->mails);
    for (size_t i = 0; i < settings->notifier_count; i++)
        playbook->mails[i] = settings_mail(settings, &settings->notifiers[i]);
    world->mails = playbook->mails;
    world->rules = playbook->rules = must_calloc(settings->rule_count, sizeof *playbook->rules);
    world->rule_count = 0;
    for (size_t i = 0; i < settings->rule_count; i++) {
        const struct rule *rule = &settings->rules[i];
        struct world_rule *mine = &playbook->rules[i];
        mine->plan = (struct plan_rule){rule, world_first_load_ms(world, rule->name, now_ms)};
        mine->mail = &playbook->mails[index_of(settings, rule->notify.at[0])];
        mine->sender = &settings->sender;
        mine->audiences = must_calloc(rule->audiences.count, sizeof(struct audience *));
        playbook->rule_count = world->rule_count = i + 1;
        mine->templates = message_templates_load(template_folders, rule->template_name, "en", err);
        if (!mine->templates)
            return error_at(err, "rule %s", rule->name);
    }
    return 0;
}

/* --- Closing --------------------------------------------------------------------------------------------------------
 */

static void playbook_free(struct playbook *playbook)
{
    for (size_t i = 0; i < playbook->rule_count; i++) {
        message_templates_free(playbook->rules[i].templates);
        free(playbook->rules[i].audiences);
    }
    free(playbook->rules);
    free(playbook->mails);
    settings_free(playbook->settings);
    free(playbook);
}

void playbook_close_all(struct world *world)
{
    for (struct playbook *playbook = world->playbooks, *older; playbook; playbook = older) {
        older = playbook->older;
        playbook_free(playbook);
    }
    free(world->begun);
    world->begun = NULL;
    world->begun_count = 0;
    world->playbooks = NULL;
    world->mails = NULL;
    world->rules = NULL;
    world->rule_count = 0;
}

/* --- Begun notices --------------------------------------------------------------------------------------------------
 */

void playbook_note_begun(struct world *world)
{
    struct world_begun *begun = must_calloc(world->notices.count + 1, sizeof *begun);
    size_t count = 0;

    for (size_t i = 0; i < world->notices.count; i++) {
        const struct notice *notice = world->notices.at[i];
        bool told = notice_begun(notice) && notice->claimed; /* a released one that waits is anybody's to change */
        struct world_rule *rule = told ? world_rule_of(world, notice) : NULL;
        if (rule)
            begun[count++] = (struct world_begun){notice->id, rule};
    }
    free(world->begun);
    world->begun = begun;
    world->begun_count = count;
}

static struct channel *channel_named(const struct world *world, const char *name)
{
    for (size_t i = 0; i < world->channel_count; i++)
        if (strcmp(channel_settings(world->channels[i])->name, name) == 0)
            return world->channels[i];
    return NULL;
}

static void bind_rule(const struct world *world, struct world_rule *rule)
{
    const struct config_list *audiences = &rule->plan.rule->audiences;

    rule->channel = channel_named(world, rule->plan.rule->notify.at[0]);
    rule->audience_count = 0;
    for (size_t k = 0; k < audiences->count; k++)
        for (size_t a = 0; a < world->audience_count; a++)
            if (strcmp(world->audiences[a]->settings->name, audiences->at[k]) == 0)
                rule->audiences[rule->audience_count++] = world->audiences[a];
}

static bool is_whole(const struct world_rule *rule)
{
    return rule->channel && rule->audience_count == rule->plan.rule->audiences.count;
}

static bool is_needed(const struct world *world, const struct playbook *playbook)
{
    for (size_t i = 0; i < world->begun_count; i++)
        if (world->begun[i].rule >= playbook->rules && world->begun[i].rule < playbook->rules + playbook->rule_count)
            return true;
    return false;
}

static void drop_unneeded(struct world *world)
{
    struct playbook **link = world->playbooks ? &world->playbooks->older : NULL;

    while (link && *link)
        if (is_needed(world, *link)) {
            link = &(*link)->older;
        } else {
            struct playbook *gone = *link;
            *link = gone->older;
            playbook_free(gone);
        }
}

void playbook_bind(struct world *world)
{
    size_t kept = 0;

    for (struct playbook *playbook = world->playbooks; playbook; playbook = playbook->older)
        for (size_t i = 0; i < playbook->rule_count; i++)
            bind_rule(world, &playbook->rules[i]);
    for (size_t i = 0; i < world->begun_count; i++)
        if (is_whole(world->begun[i].rule))
            world->begun[kept++] = world->begun[i];
    world->begun_count = kept;
    drop_unneeded(world);
}

/* --- Before a reload ------------------------------------------------------------------------------------------------
 */

static int check_rule(const struct notice *notice, const struct rule *rule, const struct settings *next,
                      struct error *err)
{
    if (notice->claimed && notice->course->channel && !settings_notifier(next, notice->course->channel))
        return error_set(err, ERROR_CONFIG,
                         "notifier \"%s\" has open deliveries of notice %lld: it can leave when that is done or "
                         "cancelled (onsale cancel %lld)",
                         notice->course->channel, (long long)notice->id, (long long)notice->id);
    if (!settings_rule(next, notice->rule) || !settings_site(next, notice->site))
        return error_set(err, ERROR_CONFIG,
                         "notice %lld of rule \"%s\" at site \"%s\" has begun: they can leave when it is done or "
                         "cancelled (onsale cancel %lld)",
                         (long long)notice->id, notice->rule, notice->site, (long long)notice->id);
    for (size_t i = 0; rule && i < rule->audiences.count; i++)
        if (!settings_audience(next, rule->audiences.at[i]))
            return error_set(err, ERROR_CONFIG,
                             "notice %lld has begun with audience \"%s\": it can leave when that is done or cancelled "
                             "(onsale cancel %lld)",
                             (long long)notice->id, rule->audiences.at[i], (long long)notice->id);
    return 0;
}

int playbook_check(struct world *world, const struct settings *next, struct error *err)
{
    for (size_t i = 0; i < world->notices.count; i++) {
        const struct notice *notice = world->notices.at[i];
        const struct world_rule *rule = notice_begun(notice) ? world_rule_of(world, notice) : NULL;
        if (notice_begun(notice) && check_rule(notice, rule ? rule->plan.rule : NULL, next, err) < 0)
            return -1;
    }
    return 0;
}
