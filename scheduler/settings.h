/* settings.h - the whole configuration file as checked values: the parts' tables joined, names resolved, and the checks
 * that need more than one part. Owner: daemon or command; immutable once read. */
#ifndef ONSALE_SETTINGS_H
#define ONSALE_SETTINGS_H

#include "audience/audience.h"
#include "channel.h"
#include "message.h"
#include "rule.h"
#include "source/source.h"
#include "webhook.h"

enum token_scope { TOKEN_READ, TOKEN_CONTROL, TOKEN_HOOK, TOKEN_METRICS }; /* in the order of the words in settings.c */
struct http_token {
    struct config_place place;
    const char *name, *token;
    int scope; /* enum token_scope */
};
enum metrics_door { METRICS_BY_TOKEN, METRICS_OPEN }; /* who may read /metrics; in the order of the words */
struct http_hook {                                    /* one who may call /hooks/signed/NAME */
    struct config_place place;
    const char *name, *secret; /* one or some, blanks between */
    const char *audience;      /* the only one it may speak of; "" all */
};
struct http_settings {
    struct config_list listen;  /* "unix:/run/onsale/onsale.sock", "127.0.0.1:8470", "systemd" */
    const char *public_url;     /* "" none; no '/' at its end */
    int64_t connections;        /* over TCP at once */
    struct config_rates rate;   /* of requests of one address; none: no limit; at most one */
    struct config_list proxies; /* networks, or "loopback" */
    struct http_token *tokens;
    size_t token_count;
    int metrics; /* enum metrics_door */
    struct http_hook *hooks;
    size_t hook_count;
};

struct notifier_settings {
    struct channel_settings channel;
    struct channel_plugin *plugin; /* NULL: none of that name */
    void *plugin_state;            /* read by the plugin's table; whoever makes the channel takes it and sets NULL */
    bool local;                    /* loopback or a folder: no postal address and no unsubscribe link is demanded */
};

struct settings {
    struct config_doc *doc;
    const char *path;          /* of the file */
    struct config_place place; /* of its top mapping */
    const char *store, *instance;
    int64_t stop_grace_ms;
    int64_t disk_reserve; /* bytes */
    int64_t keep_people_ms, keep_reports_ms;
    struct message_sender sender; /* texts are "" when absent */
    struct config_list operators;
    const char *operators_by; /* notifier that carries operators' mails; "": the first */
    struct http_settings http;
    struct config_list template_folders; /* `templates:`, resolved; see settings_template_folders() */
    struct site_settings *sites;
    size_t site_count;
    struct audience_settings *audiences;
    size_t audience_count;
    struct notifier_settings *notifiers;
    size_t notifier_count;
    struct rule *rules;
    size_t rule_count;
    struct webhook_settings *webhooks;
    size_t webhook_count;
};

#define SETTINGS_SOCKET "/run/onsale/onsale.sock" /* where the daemon listens unless `http.listen` says otherwise */

/* NULL when there are problems; they are printed to `out` then (all of the file; NULL: nowhere), `err` has the first.
 */
struct settings *settings_load(const char *path, const char *const *plugin_folders, FILE *out, struct error *err);
void settings_free(struct settings *settings);
/* The table of the whole file. */
extern const struct config_option settings_options[];
/* One line a key: "sites.poll_every", its type and its default ("required" where there is none), tabs between; then the
 * keys of these plugins, as "smtp.url". For the manual. */
int settings_print_keys(const char *const *plugins, size_t count, FILE *out, struct error *err);
const struct rule *settings_rule(const struct settings *settings, const char *name);
const struct site_settings *settings_site(const struct settings *settings, const char *name);
const struct audience_settings *settings_audience(const struct settings *settings, const char *name);
const struct notifier_settings *settings_notifier(const struct settings *settings, const char *name);
/* What its messages say of who writes and how to leave. */
struct message_mail settings_mail(const struct settings *settings, const struct notifier_settings *notifier);
/* A rule without `sites` is about the only one there is. */
bool settings_rule_has_site(const struct rule *rule, const char *site);

/* Where plugins are found: ONSALE_PLUGINS (colons between), then as installed. In order, NULL-terminated; one block for
 * free(): `auto_free const char **folders = settings_plugin_folders();` */
const char **settings_plugin_folders(void);
/* Where templates are found: ONSALE_TEMPLATES, then `templates:` of the file, then as installed. Likewise. */
const char **settings_template_folders(const struct settings *settings);

#endif
