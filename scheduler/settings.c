#include "settings.h"

#include "build-config.h"
#include "settings_check.h"

#include <errno.h>
#include <string.h>

/* What the top table fills: values in place, lists of things beside them until their numbers are known. */
struct file {
    struct settings settings;
    struct config_list templates;
    struct config_items tokens, hooks, sites, audiences, notifiers, rules, webhooks;
};

static const char *const token_scopes[] = {"read", "control", "hook", "metrics", NULL};
static const char *const metrics_doors[] = {"token", "open", NULL};

static const struct config_option token_options[] = {
    {"", CONFIG_PLACE, offsetof(struct http_token, place)},
    {"name", CONFIG_TEXT, offsetof(struct http_token, name), .required = true},
    {"token", CONFIG_SECRET, offsetof(struct http_token, token), .required = true},
    {"scope", CONFIG_WORD, offsetof(struct http_token, scope), .words = token_scopes, .fallback = "read"},
    {0},
};

static const struct config_option hook_options[] = {
    {"", CONFIG_PLACE, offsetof(struct http_hook, place)},
    {"name", CONFIG_TEXT, offsetof(struct http_hook, name), .required = true},
    {"secret", CONFIG_SECRET, offsetof(struct http_hook, secret), .required = true},
    {"audience", CONFIG_TEXT, offsetof(struct http_hook, audience), .fallback = ""},
    {0},
};

static const struct config_option http_options[] = {
    {"listen", CONFIG_LIST, offsetof(struct file, settings.http.listen), .fallback = "unix:" SETTINGS_SOCKET},
    {"public_url", CONFIG_TEXT, offsetof(struct file, settings.http.public_url), .fallback = ""},
    {"connections", CONFIG_INT, offsetof(struct file, settings.http.connections), .fallback = "512", .min = 16,
     .max = 60000},
    {"rate", CONFIG_RATES, offsetof(struct file, settings.http.rate), .fallback = "50/s",
     .expects = "a rate such as 50/s or 600/min"},
    {"proxies", CONFIG_LIST, offsetof(struct file, settings.http.proxies), .fallback = "loopback"},
    {"metrics", CONFIG_WORD, offsetof(struct file, settings.http.metrics), .words = metrics_doors, .fallback = "token"},
    {"tokens", CONFIG_ITEMS, offsetof(struct file, tokens), .inside = token_options,
     .item_size = sizeof(struct http_token)},
    {"hooks", CONFIG_ITEMS, offsetof(struct file, hooks), .inside = hook_options,
     .item_size = sizeof(struct http_hook)},
    {0},
};

static const struct config_option retention_options[] = {
    {"people", CONFIG_SPAN, offsetof(struct file, settings.keep_people_ms), .fallback = "90d", .min = DAY_MS,
     .max = 3650 * (int64_t)DAY_MS},
    {"reports", CONFIG_SPAN, offsetof(struct file, settings.keep_reports_ms), .fallback = "3y", .min = DAY_MS,
     .max = 36500 * (int64_t)DAY_MS},
    {0},
};

static const struct config_option sender_options[] = {
    {"name", CONFIG_TEXT, offsetof(struct file, settings.sender.name), .fallback = ""},
    {"postal_address", CONFIG_TEXT, offsetof(struct file, settings.sender.postal_address), .fallback = ""},
    {"contact", CONFIG_TEXT, offsetof(struct file, settings.sender.contact), .fallback = ""},
    {0},
};

/* The sections reach into the same struct, so that their offsets count from its beginning. */
const struct config_option settings_options[] = {
    {"", CONFIG_PLACE, offsetof(struct file, settings.place)},
    {"store", CONFIG_TEXT, offsetof(struct file, settings.store), .fallback = "sqlite:/var/lib/onsale/onsale.db"},
    {"instance", CONFIG_TEXT, offsetof(struct file, settings.instance), .fallback = ""},
    {"disk_reserve", CONFIG_SIZE, offsetof(struct file, settings.disk_reserve), .fallback = "64MB", .min = 1 << 20,
     .max = INT64_C(1) << 40},
    {"stop_grace", CONFIG_SPAN, offsetof(struct file, settings.stop_grace_ms), .fallback = "30s", .min = 0,
     .max = HOUR_MS},
    {"retention", CONFIG_SECTION, 0, .inside = retention_options},
    {"sender", CONFIG_SECTION, 0, .inside = sender_options},
    {"operators", CONFIG_LIST, offsetof(struct file, settings.operators), .expects = "an address or a list of them"},
    {"operators_by", CONFIG_TEXT, offsetof(struct file, settings.operators_by), .fallback = ""},
    {"http", CONFIG_SECTION, 0, .inside = http_options},
    {"templates", CONFIG_LIST, offsetof(struct file, templates), .expects = "a folder or a list of them"},
    {"sites", CONFIG_ITEMS, offsetof(struct file, sites), .required = true, .inside = site_options,
     .item_size = sizeof(struct site_settings)},
    {"audiences", CONFIG_ITEMS, offsetof(struct file, audiences), .inside = audience_options,
     .item_size = sizeof(struct audience_settings)},
    {"notifiers", CONFIG_ITEMS, offsetof(struct file, notifiers), .inside = channel_options,
     .item_size = sizeof(struct notifier_settings), .open = true},
    {"rules", CONFIG_ITEMS, offsetof(struct file, rules), .inside = rule_options, .item_size = sizeof(struct rule),
     .open = true},
    {"webhooks", CONFIG_ITEMS, offsetof(struct file, webhooks), .inside = webhook_options,
     .item_size = sizeof(struct webhook_settings)},
    {0},
};

static const struct config_option later_rule_options[] = {
    {"unless_told_by", CONFIG_RESERVED},
    {"at_most", CONFIG_RESERVED},
    {"quiet_hours", CONFIG_RESERVED},
    {"waves", CONFIG_RESERVED},
    {0},
};

/* "sqlite:onsale.db" and "unix:onsale.sock" lie beside the configuration file, like every other path. */
static const char *from_folder_after(struct settings *settings, const char *value, const char *scheme)
{
    size_t len = strlen(scheme);

    if (!text_starts(text_of(value), scheme) || value[len] == '\0' || value[len] == '/')
        return value;
    return arena_printf(config_arena(settings->doc), "%s%s", scheme, config_path(settings->doc, text_of(value + len)));
}

/* "https://onsale.example.org/" is the same place: paths are put behind it. */
static void trim_public_url(struct settings *settings)
{
    struct text url = text_of(settings->http.public_url);

    while (url.len > 0 && url.ptr[url.len - 1] == '/')
        url.len--;
    settings->http.public_url = arena_copy(config_arena(settings->doc), url);
}

static void resolve_paths(struct settings *settings, struct config_list templates)
{
    settings->store = from_folder_after(settings, settings->store, "sqlite:");
    for (size_t i = 0; i < settings->http.listen.count; i++)
        settings->http.listen.at[i] = from_folder_after(settings, settings->http.listen.at[i], "unix:");
    settings->template_folders = templates;
    for (size_t i = 0; i < templates.count; i++)
        templates.at[i] = config_path(settings->doc, text_of(templates.at[i]));
}

/* A notifier's own keys are read by the table of its plugin. */
static void read_plugin(struct settings *settings, struct notifier_settings *notifier, struct config_place place,
                        const char *const *plugin_folders)
{
    struct error why = {0};

    notifier->local = true; /* where it goes is not known yet: demand nothing */
    if (!notifier->channel.plugin)
        return;
    notifier->plugin = channel_plugin_find(plugin_folders, notifier->channel.plugin, &why);
    if (!notifier->plugin) {
        config_problem(settings->doc, config_place_of(settings->doc, place, "plugin"), "plugin: %s", why.text);
        return;
    }
    size_t size = channel_plugin_state_size(notifier->plugin), problems = config_problem_count(settings->doc);
    notifier->plugin_state = must_calloc(1, size);
    config_read_at(settings->doc, place, channel_plugin_options(notifier->plugin), channel_options,
                   notifier->plugin_state);
    if (config_problem_count(settings->doc) == problems)
        notifier->local = channel_plugin_is_local(notifier->plugin, notifier->plugin_state);
}

static void take_lists(struct settings *settings, const struct file *file)
{
    settings->http.tokens = file->tokens.at;
    settings->http.token_count = file->tokens.count;
    settings->http.hooks = file->hooks.at;
    settings->http.hook_count = file->hooks.count;
    settings->sites = file->sites.at;
    settings->site_count = file->sites.count;
    settings->audiences = file->audiences.at;
    settings->audience_count = file->audiences.count;
    settings->notifiers = file->notifiers.at;
    settings->notifier_count = file->notifiers.count;
    settings->rules = file->rules.at;
    settings->rule_count = file->rules.count;
    settings->webhooks = file->webhooks.at;
    settings->webhook_count = file->webhooks.count;
}

static void read_file(struct settings *settings, const char *const *plugin_folders)
{
    struct file file = {.settings = *settings};

    config_read(settings->doc, settings_options, &file);
    if (!config_is_readable(settings->doc))
        return;
    *settings = file.settings;
    take_lists(settings, &file);
    for (size_t i = 0; i < settings->notifier_count; i++)
        read_plugin(settings, &settings->notifiers[i], file.notifiers.places[i], plugin_folders);
    for (size_t i = 0; i < settings->rule_count; i++)
        config_read_at(settings->doc, file.rules.places[i], later_rule_options, rule_options, &settings->rules[i]);
    resolve_paths(settings, file.templates);
    settings_check(settings);
    trim_public_url(settings);
}

static void print_unreadable(const char *path, FILE *out)
{
    int why = access(path, R_OK) < 0 ? errno : EINVAL;

    fprintf(out, "%s: error: %s\n", path, strerror(why));
    if (why == ENOENT)
        fputs("Name your configuration by --config FILE or ONSALE_CONFIG; conf/onsale.yaml is a commented one to begin "
              "with.\n",
              out);
}

struct settings *settings_load(const char *path, const char *const *plugin_folders, FILE *out, struct error *err)
{
    struct settings *settings = must_calloc(1, sizeof *settings);

    settings->doc = config_open(path, err);
    if (!settings->doc) {
        if (out)
            print_unreadable(path, out);
        goto fail;
    }
    settings->path = arena_copy(config_arena(settings->doc), text_of(path));
    read_file(settings, plugin_folders);
    if (config_check(settings->doc, err) < 0) {
        if (out)
            config_print_problems(settings->doc, out);
        goto fail;
    }
    return settings;
fail:
    settings_free(settings);
    return NULL;
}

void settings_free(struct settings *settings)
{
    if (!settings)
        return;
    for (size_t i = 0; i < settings->notifier_count; i++) {
        free(settings->notifiers[i].plugin_state);
        channel_plugin_free(settings->notifiers[i].plugin);
    }
    config_free(settings->doc);
    free(settings);
}

const struct rule *settings_rule(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->rule_count; i++)
        if (strcmp(settings->rules[i].name, name) == 0)
            return &settings->rules[i];
    return NULL;
}

const struct site_settings *settings_site(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->site_count; i++)
        if (strcmp(settings->sites[i].name, name) == 0)
            return &settings->sites[i];
    return NULL;
}

const struct audience_settings *settings_audience(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->audience_count; i++)
        if (strcmp(settings->audiences[i].name, name) == 0)
            return &settings->audiences[i];
    return NULL;
}

const struct notifier_settings *settings_notifier(const struct settings *settings, const char *name)
{
    for (size_t i = 0; i < settings->notifier_count; i++)
        if (strcmp(settings->notifiers[i].channel.name, name) == 0)
            return &settings->notifiers[i];
    return NULL;
}

struct message_mail settings_mail(const struct settings *settings, const struct notifier_settings *notifier)
{
    const struct channel_settings *channel = &notifier->channel;

    return (struct message_mail){.from = channel->from,
                                 .envelope_from = channel->envelope_from,
                                 .list_id = channel->list_id,
                                 .unsubscribe_url = channel->unsubscribe_url,
                                 .one_click = channel->one_click,
                                 .public_url = settings->http.public_url};
}

bool settings_rule_has_site(const struct rule *rule, const char *site)
{
    for (size_t i = 0; i < rule->sites.count; i++)
        if (strcmp(rule->sites.at[i], site) == 0)
            return true;
    return rule->sites.count == 0;
}

/* The folders of `listed` (colons between; may be NULL), of `more`, and `last`, in one block. */
static const char **folder_list(const char *listed, const struct config_list *more, const char *last)
{
    size_t count = more->count + 3, bytes = strlen(last) + 1, at = 0;
    struct text rest = text_of(listed);

    for (size_t i = 0; i < rest.len; i++)
        count += rest.ptr[i] == ':';
    for (size_t i = 0; i < more->count; i++)
        bytes += strlen(more->at[i]) + 1;
    const char **folders = must_calloc(1, count * sizeof *folders + bytes + rest.len + 1);
    char *text = (char *)(folders + count);
    while (rest.len) {
        struct text folder = text_cut(&rest, ':');
        if (folder.len == 0)
            continue;
        folders[at++] = text;
        text = (char *)mempcpy(text, folder.ptr, folder.len) + 1;
    }
    for (size_t i = 0; i < more->count; i++) {
        folders[at++] = text;
        text = stpcpy(text, more->at[i]) + 1;
    }
    folders[at] = strcpy(text, last);
    return folders;
}

const char **settings_plugin_folders(void)
{
    return folder_list(getenv("ONSALE_PLUGINS"), &(struct config_list){0}, ONSALE_PLUGIN_DIR);
}

const char **settings_template_folders(const struct settings *settings)
{
    return folder_list(getenv("ONSALE_TEMPLATES"), &settings->template_folders, ONSALE_TEMPLATE_DIR);
}
