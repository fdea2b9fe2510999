/* The endpoints of webhooks: named well, reached by https, signed by a secret that is one. */
#include "crypt_webhook.h"
#include "origin.h"
#include "settings_check.h"

#include <string.h>

#define MAKE_SECRET "echo \"whsec_$(openssl rand -base64 32)\""

/* "10.0.0.5" of "https://10.0.0.5:8443/in": without brackets and port. */
static struct text host_of(const char *url)
{
    struct text rest = text_of(strstr(url, "://") + 3);

    rest.len = strcspn(rest.ptr, "/?#");
    if (text_starts(rest, "[")) {
        rest = text_slice(rest, 1, rest.len);
        return text_cut(&rest, ']');
    }
    return text_cut(&rest, ':');
}

/* What is refused at the connection whatever happens is told now. A name is judged then alone: it may mean another
 * address tomorrow. */
static bool is_never_reached(struct text host)
{
    struct origin origin;

    return text_equal_nocase(host, TEXT("localhost")) ||
           (origin_read(host, &origin) == 0 && !origin_is_public(&origin));
}

static void check_url(struct settings *settings, const struct webhook_settings *webhook)
{
    struct config_place place = config_place_of(settings->doc, webhook->place, "url");

    if (!text_given(webhook->url))
        return;
    if (!demand_is_url(webhook->url))
        config_problem(settings->doc, place,
                       "url: expected a URL that begins with https://, without name and password");
    else if (!text_starts(text_of(webhook->url), "https://") && !webhook->allow_private)
        config_problem(settings->doc, place,
                       "url: expected https:// (http only with allow_private: true, within your own network)");
    else if (!webhook->allow_private && is_never_reached(host_of(webhook->url)))
        config_problem(settings->doc, place,
                       "url: %.*s is no address of the public internet, and would never be called: within your own "
                       "network allow_private: true says so",
                       TEXT_ARGS(host_of(webhook->url)));
}

static void check_secret(struct settings *settings, const struct webhook_settings *webhook, const char *key,
                         const char *secret)
{
    char file[32];
    struct webhook_secret parsed;
    struct error why = {0};

    if (!text_given(secret))
        return;
    snprintf(file, sizeof file, "%s_file", key);
    if (webhook_secret_parse(text_of(secret), &parsed, &why) < 0)
        config_problem(settings->doc,
                       config_place_of(settings->doc, webhook->place,
                                       config_has(settings->doc, webhook->place, file) ? file : key),
                       "%s: %s; make one by: " MAKE_SECRET, key, why.text);
    webhook_secret_clear(&parsed);
}

static void check_events(struct settings *settings, const struct webhook_settings *webhook)
{
    const char *types[WEBHOOK_PING];
    struct demand_names known = {"type of event", types, NULL, ARRAY_LEN(types)};

    for (size_t i = 0; i < WEBHOOK_PING; i++)
        types[i] = webhook_type_name((enum webhook_type)i);
    for (size_t i = 0; i < webhook->events.count; i++)
        demand_known(settings->doc, webhook->events.places[i], "events", webhook->events.at[i], &known);
}

void settings_check_webhooks(struct settings *settings, const struct demand_names *sites)
{
    struct config_doc *doc = settings->doc;
    struct demand_names names = demand_names_new(doc, "webhook", settings->webhook_count);

    if (settings->webhook_count > WEBHOOKS_MAX)
        config_problem(doc, config_place_of(doc, settings->place, "webhooks"), "webhooks: expected at most %d",
                       WEBHOOKS_MAX);
    for (size_t i = 0; i < settings->webhook_count; i++) {
        const struct webhook_settings *webhook = &settings->webhooks[i];
        demand_name(doc, &names, webhook->name, webhook->place);
        check_url(settings, webhook);
        check_secret(settings, webhook, "secret", webhook->secret);
        check_secret(settings, webhook, "old_secret", webhook->old_secret);
        check_events(settings, webhook);
        for (size_t j = 0; j < webhook->sites.count; j++)
            demand_known(doc, webhook->sites.places[j], "sites", webhook->sites.at[j], sites);
    }
}
