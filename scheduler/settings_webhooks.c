/* The endpoints of webhooks: named well, reached by https, signed by a secret that is one. */
#include "crypt_webhook.h"
#include "settings_check.h"

#include <string.h>

#define MAKE_SECRET "echo \"whsec_$(openssl rand -base64 32)\""

static bool given(const char *text)
{
    return text && text[0];
}

static void check_name(struct settings *settings, size_t index)
{
    const struct webhook_settings *webhook = &settings->webhooks[index];
    struct config_place place = config_place_of(settings->doc, webhook->place, "name");

    if (!given(webhook->name))
        return;
    if (!settings_is_name(webhook->name))
        config_problem(settings->doc, place,
                       "name: expected 1 to 64 of a to z, 0 to 9, \"_\" and \"-\", found \"%.80s\"", webhook->name);
    for (size_t i = 0; i < index; i++)
        if (given(settings->webhooks[i].name) && strcmp(settings->webhooks[i].name, webhook->name) == 0)
            config_problem(settings->doc, place, "the webhook \"%s\" is configured twice (first in line %u)",
                           webhook->name, settings->webhooks[i].place.line);
}

static void check_url(struct settings *settings, const struct webhook_settings *webhook)
{
    struct config_place place = config_place_of(settings->doc, webhook->place, "url");

    if (!given(webhook->url))
        return;
    if (!settings_is_url(webhook->url))
        config_problem(settings->doc, place,
                       "url: expected a URL that begins with https://, without name and password");
    else if (!text_starts(text_of(webhook->url), "https://") && !webhook->allow_private)
        config_problem(settings->doc, place,
                       "url: expected https:// (http only with allow_private: true, within your own network)");
}

static void check_secret(struct settings *settings, const struct webhook_settings *webhook, const char *key,
                         const char *secret)
{
    char file[32];
    struct webhook_secret parsed;
    struct error why = {0};

    if (!given(secret))
        return;
    snprintf(file, sizeof file, "%s_file", key);
    if (webhook_secret_parse(text_of(secret), &parsed, &why) < 0)
        config_problem(settings->doc,
                       config_place_of(settings->doc, webhook->place,
                                       config_has(settings->doc, webhook->place, file) ? file : key),
                       "%s: %s; make one by: " MAKE_SECRET, key, why.text);
    webhook_secret_clear(&parsed);
}

static void refuse_unknown(struct settings *settings, struct config_place place, const char *key, const char *what,
                           const char *wrong, const char *const *known, size_t count)
{
    auto_buf struct buf text;

    buf_init(&text, 8192);
    buf_addf(&text, "%s: unknown %s \"%.80s\"", key, what, wrong);
    buf_add_suggestion(&text, wrong, known, count);
    config_problem(settings->doc, place, "%.*s", TEXT_ARGS(buf_text(&text)));
}

static void check_events(struct settings *settings, const struct webhook_settings *webhook)
{
    const char *known[WEBHOOK_PING];

    for (size_t i = 0; i < WEBHOOK_PING; i++)
        known[i] = webhook_type_name((enum webhook_type)i);
    for (size_t i = 0; i < webhook->events.count; i++)
        if (!webhook_type_known(webhook->events.at[i]))
            refuse_unknown(settings, webhook->events.places[i], "events", "type of event", webhook->events.at[i], known,
                           ARRAY_LEN(known));
}

static void check_sites(struct settings *settings, const struct webhook_settings *webhook)
{
    const char **known = arena_alloc(config_arena(settings->doc), (settings->site_count + 1) * sizeof *known);
    size_t count = 0;

    for (size_t i = 0; i < settings->site_count; i++)
        if (given(settings->sites[i].name))
            known[count++] = settings->sites[i].name;
    for (size_t i = 0; i < webhook->sites.count; i++)
        if (!settings_site(settings, webhook->sites.at[i]))
            refuse_unknown(settings, webhook->sites.places[i], "sites", "site", webhook->sites.at[i], known, count);
}

void settings_check_webhooks(struct settings *settings)
{
    if (settings->webhook_count > WEBHOOKS_MAX)
        config_problem(settings->doc, config_place_of(settings->doc, settings->place, "webhooks"),
                       "webhooks: expected at most %d", WEBHOOKS_MAX);
    for (size_t i = 0; i < settings->webhook_count; i++) {
        const struct webhook_settings *webhook = &settings->webhooks[i];
        check_name(settings, i);
        check_url(settings, webhook);
        check_secret(settings, webhook, "secret", webhook->secret);
        check_secret(settings, webhook, "old_secret", webhook->old_secret);
        check_events(settings, webhook);
        check_sites(settings, webhook);
    }
}
