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
    struct store_delivery person; /* texts in the arena, or literals */
    struct arena arena;
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
    preview->site =
        preview->rule->sites.count ? settings_site(settings, preview->rule->sites.at[0]) : &settings->sites[0];
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

/* Names that a link wants of the person ("attributes.uuid"), each with something in its place. */
static char *sample_attributes(const char *link)
{
    static const char prefix[] = "attributes.";
    json_t *sample = json_object();

    for (const char *at = strstr(link, prefix); at; at = strstr(at, prefix)) {
        char name[64];
        at += strlen(prefix);
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "}| \t"), at);
        json_object_set_new(sample, name, json_string("sample"));
    }
    char *text = json_dumps(sample, JSON_COMPACT);
    json_decref(sample);
    return text;
}

/* As the ledger knows them, when this notice has gathered them; else somebody who might be. */
static int choose_person(struct preview *preview, const struct cli *cli, struct error *err)
{
    const char *address = cli->subscriber ? cli->subscriber : "subscriber@example.org";
    struct store_delivery *person = &preview->person;
    unsigned char key[PERSON_KEY_SIZE];
    struct address parsed;
    int found = 0;

    if (address_parse(text_of(address), &parsed, err) < 0)
        return -1;
    crypt_person_key(&preview->keys, parsed.key, key);
    if (cli->subscriber && cli->notice)
        found = store_person_now(preview->client.store, preview->notice->id, key, &preview->arena, person, err);
    if (found < 0)
        return -1;
    if (!found) {
        if (cli->subscriber && cli->notice)
            fprintf(stderr, "onsale: %s is not among the people of notice %s; name and link are samples\n", parsed.text,
                    cli->notice);
        memcpy(person->key, key, sizeof key);
        auto_free char *attributes = sample_attributes(preview->mail.unsubscribe_url);
        person->source = text_of(preview->rule->audiences.at[0]);
        person->source_id = TEXT("1");
        person->address = text_of(arena_copy(&preview->arena, text_of(parsed.text)));
        person->name = TEXT("Ada Nowak");
        person->attributes = text_of(arena_copy(&preview->arena, text_of(attributes)));
    }
    if (cli->language)
        person->locale = text_of(cli->language);
    return 0;
}

static int write_message(struct preview *preview, struct error *err)
{
    auto_free const char **folders = settings_template_folders(preview->client.settings);
    const struct store_delivery *stored = &preview->person;
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
    struct message_person person = {.key = stored->key,
                                    .source = stored->source,
                                    .source_id = stored->source_id,
                                    .address = stored->address,
                                    .name = stored->name,
                                    .locale = stored->locale,
                                    .zone = stored->zone,
                                    .attributes = stored->attributes};
    struct message message;

    message_init(&message);
    if (templates && !message_templates_serve(templates, preview->rule->when.kind))
        error_set(err, ERROR_CONFIG, "rule %s: template %s says what a %s notice does not know", preview->rule->name,
                  preview->rule->template_name, moment_kind_name(preview->rule->when.kind));
    struct message_batch *batch = templates && err->kind == ERROR_NONE ? message_batch_new(&spec, err) : NULL;
    int rc = batch ? message_make(batch, &person, &message, err) : -1;
    if (rc == 0 && fwrite(message.raw.ptr, 1, message.raw.len, stdout) != message.raw.len)
        rc = error_set(err, ERROR_TRY_LATER, "standard output cannot be written to");
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
        rc = choose_person(&preview, cli, &err);
    if (rc == 0)
        rc = write_message(&preview, &err);
    arena_clear(&preview.arena);
    notice_free(preview.sample);
    store_image_clear(&preview.image);
    client_close(&preview.client);
    return rc < 0 ? cli_fail(&err) : EXIT_FINE;
}
