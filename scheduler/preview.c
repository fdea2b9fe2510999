/* `onsale preview`: the exact bytes of a message, from the same code that a launch sends with. */
#include "cli_report.h"
#include "plan.h"

#include <string.h>

enum { NAMED_MAX = 100 };

struct preview {
    struct client client;
    const struct rule *rule;
    struct message_mail mail;
    struct store *store; /* NULL: none yet, a sample will do */
    struct crypt_keys keys;
    struct store_image image;
    struct notice *sample;
    const struct notice *notice;
    const struct definition *open[NAMED_MAX];
    size_t open_count;
    const struct site_settings *site;
};

static int choose_rule(struct preview *preview, const char *name, struct error *err)
{
    const struct settings *settings = preview->client.settings;

    preview->rule = settings_rule(settings, name);
    if (!preview->rule) {
        auto_buf struct buf text;
        const char **names = must_calloc(settings->rule_count, sizeof *names);
        buf_init(&text, 4096);
        for (size_t i = 0; i < settings->rule_count; i++)
            names[i] = settings->rules[i].name;
        buf_add_suggestion(&text, name, names, settings->rule_count);
        free(names);
        return error_set(err, ERROR_REFUSED, "there is no rule \"%s\"%s", name, text.ptr ? text.ptr : "");
    }
    const struct channel_settings *notifier = &settings_notifier(settings, preview->rule->notify.at[0])->channel;
    preview->mail = (struct message_mail){.from = notifier->from,
                                          .envelope_from = notifier->envelope_from,
                                          .list_id = notifier->list_id,
                                          .unsubscribe_url = notifier->unsubscribe_url,
                                          .one_click = notifier->one_click};
    preview->site = &settings->sites[0];
    return 0;
}

static int choose_notice(struct preview *preview, const char *number, struct error *err)
{
    int64_t id;

    if (parse_i64(text_of(number), 1, INT64_MAX, &id, err) < 0)
        return error_at(err, "--notice");
    if (!preview->store)
        return error_set(err, ERROR_REFUSED, "there is no state yet, so there is no notice %lld", (long long)id);
    if (store_load(preview->store, &preview->image, err) < 0)
        return -1;
    preview->notice = notices_find(&preview->image.notices, id);
    if (!preview->notice || strcmp(preview->notice->rule, preview->rule->name) != 0)
        return error_set(err, ERROR_REFUSED, "there is no notice %lld of rule %s", (long long)id, preview->rule->name);
    preview->site = settings_site(preview->client.settings, preview->notice->site);
    for (size_t i = 0; i < preview->image.site_count; i++)
        if (strcmp(preview->image.sites[i], preview->notice->site) == 0)
            preview->open_count =
                plan_members(preview->notice, preview->rule, &preview->image.definitions[i], preview->open, NAMED_MAX);
    if (preview->open_count > NAMED_MAX)
        preview->open_count = NAMED_MAX;
    if (!preview->site || preview->open_count == 0)
        return error_set(err, ERROR_REFUSED, "notice %lld has no ticket that could be named", (long long)id);
    return 0;
}

static void make_sample(struct preview *preview)
{
    size_t count;
    const struct definition *const *definitions = message_sample_definitions(&count);

    for (preview->open_count = 0; preview->open_count < count && preview->open_count < NAMED_MAX; preview->open_count++)
        preview->open[preview->open_count] = definitions[preview->open_count];
    enum moment_kind kind = preview->rule->when.kind;
    preview->sample =
        notice_new(1, preview->site->name, definitions[0]->event_id, preview->rule->name, kind,
                   kind == MOMENT_SALE_START ? definitions[0]->sale_starts_at_ms : definitions[0]->sale_ends_at_ms, 1);
    preview->sample->due_at_ms = preview->sample->at_ms;
    preview->notice = preview->sample;
}

static int write_message(struct preview *preview, const struct cli *cli, struct error *err)
{
    auto_free const char **folders = settings_template_folders(preview->client.settings);
    struct locales *locales = locales_new(err);
    struct zones *zones = zones_new();
    struct message_templates *templates =
        locales ? message_templates_load(folders, preview->rule->template_name, "en", err) : NULL;
    struct message_batch_spec spec = {
        .templates = templates,
        .sender = &preview->client.settings->sender,
        .mail = &preview->mail,
        .keys = &preview->keys,
        .locales = locales,
        .zones = zones,
        .notice = preview->notice,
        .channel = preview->rule->notify.at[0],
        .open = preview->open,
        .open_count = preview->open_count,
        .site_zone = preview->site->time_zone,
        .site_language = preview->site->language,
        .date_ms = preview->notice->due_at_ms,
    };
    struct message_batch *batch = templates ? message_batch_new(&spec, err) : NULL;
    const char *address = cli->subscriber ? cli->subscriber : "subscriber@example.org";
    struct address parsed;
    unsigned char key[PERSON_KEY_SIZE] = {0};
    struct message message;
    int rc = -1;

    message_init(&message);
    if (batch && address_parse(text_of(address), &parsed, err) == 0) {
        crypt_person_key(&preview->keys, parsed.key, key);
        struct message_person person = {.key = key,
                                        .source = text_of("preview"),
                                        .source_id = text_of("1"),
                                        .address = text_of(address),
                                        .name = text_of("Ada Nowak"),
                                        .locale = text_of(cli->language)};
        rc = message_make(batch, &person, &message, err);
    }
    if (rc == 0)
        fwrite(message.raw.ptr, 1, message.raw.len, stdout);
    message_clear(&message);
    message_batch_free(batch);
    message_templates_free(templates);
    zones_free(zones);
    locales_free(locales);
    return rc;
}

int cli_preview(const struct cli *cli)
{
    struct preview preview = {0};
    struct error err = {0};

    if (cli->subscriber && cli_check_address("--subscriber", cli->subscriber) != EXIT_FINE)
        return EXIT_USAGE;
    if (client_open(&preview.client, cli->config, &err) < 0)
        return EXIT_CONFIG;
    preview.store = client_store(&preview.client, NULL); /* a preview needs none */
    if (preview.store)
        client_keys(preview.store, &preview.keys, NULL);
    int rc = choose_rule(&preview, cli->argv[0], &err);
    if (rc == 0 && cli->notice)
        rc = choose_notice(&preview, cli->notice, &err);
    else if (rc == 0)
        make_sample(&preview);
    if (rc == 0)
        rc = write_message(&preview, cli, &err);
    notice_free(preview.sample);
    store_image_clear(&preview.image);
    client_close(&preview.client);
    return rc < 0 ? cli_fail(&err) : EXIT_FINE;
}
