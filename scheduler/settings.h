/* settings.h - the whole configuration file as checked values: the parts' tables joined, names resolved, and the checks
 * that need more than one part. Owner: daemon or command; immutable once read. */
#ifndef ONSALE_SETTINGS_H
#define ONSALE_SETTINGS_H

#include "audience/audience.h"
#include "channel.h"
#include "message.h"
#include "rule.h"
#include "source/source.h"

struct http_settings {
    struct config_list listen; /* "unix:/run/onsale/onsale.sock" */
    const char *public_url;
};

struct notifier_settings {
    struct channel_settings channel;
    const struct channel_plugin *plugin;
    void *plugin_state; /* read by the plugin's table; whoever makes the channel takes it and sets NULL */
};

struct settings {
    struct config_doc *doc;
    const char *store, *instance;
    int64_t stop_grace_ms;
    struct message_sender sender;
    struct config_list operators;
    const char *operators_by; /* notifier that carries operators' mails; "": the first */
    struct http_settings http;
    struct config_list template_folders; /* `templates:`; the shipped ones are always searched last */
    struct site_settings *sites;
    size_t site_count;
    struct audience_settings *audiences;
    size_t audience_count;
    struct notifier_settings *notifiers;
    size_t notifier_count;
    struct rule *rules;
    size_t rule_count;
};

/* NULL when there are problems; they are printed to `out` then (all of the file), `err` has the first. */
struct settings *settings_load(const char *path, const char *const *plugin_folders, FILE *out, struct error *err);
void settings_free(struct settings *settings);
const struct rule *settings_rule(const struct settings *settings, const char *name);
const struct site_settings *settings_site(const struct settings *settings, const char *name);

/* Where plugins and templates are found: ONSALE_PLUGINS and ONSALE_TEMPLATES, else as installed. NULL-terminated;
 * static. */
const char *const *settings_plugin_folders(void);

#endif
