/* `onsale preview`: asks the daemon; without one, makes the message from what the store and the configuration say. */
#include "cli_report.h"
#include "known.h"
#include "preview.h"

#include <string.h>

/* What the daemon has at hand, gathered for one message. */
struct maker {
    struct client client;
    struct store *store; /* NULL: none yet, a sample will do */
    struct crypt_keys keys;
    struct crypt_tokens *tokens;
    struct store_image image;
    struct store_calendars calendars; /* in: */
    struct arena arena;
    struct message_mail mail;
    struct address subscriber;
    json_t *person;
    struct locales *locales;
    struct zones *zones;
    struct message_templates *templates;
    struct calendar_texts *calendar_texts;
    struct preview_spec spec;
};

static int choose_rule(struct maker *maker, const char *name, struct error *err)
{
    const struct settings *settings = maker->client.settings;
    const struct rule *rule = settings_rule(settings, name);

    if (!rule) {
        auto_free const char **names = must_calloc(settings->rule_count + 1, sizeof *names);
        for (size_t i = 0; i < settings->rule_count; i++)
            names[i] = settings->rules[i].name;
        return known_none("rule", name, names, settings->rule_count, err);
    }
    maker->mail = settings_mail(settings, settings_notifier(settings, rule->notify.at[0]));
    maker->spec.draft.rule = rule;
    maker->spec.draft.site = rule->sites.count ? settings_site(settings, rule->sites.at[0]) : &settings->sites[0];
    return 0;
}

static int choose_notice(struct maker *maker, int64_t id, struct error *err)
{
    if (!maker->store)
        return error_set(err, ERROR_REFUSED, "there is no state yet, so there is no notice %lld", (long long)id);
    if (store_load(maker->store, &maker->image, err) < 0)
        return -1;
    const struct notice *notice = notices_find(&maker->image.notices, id);
    if (!notice || strcmp(notice->rule, maker->spec.draft.rule->name) != 0)
        return error_set(err, ERROR_REFUSED, "there is no notice %lld of rule %s", (long long)id,
                         maker->spec.draft.rule->name);
    maker->spec.draft.notice = notice;
    maker->spec.draft.site = settings_site(maker->client.settings, notice->site);
    if (store_calendars(maker->store, notice->site, &maker->arena, &maker->calendars, err) < 0)
        return -1;
    maker->spec.draft.stored = &maker->calendars;
    for (size_t i = 0; i < maker->image.site_count; i++)
        if (strcmp(maker->image.sites[i], notice->site) == 0)
            maker->spec.draft.definitions = &maker->image.definitions[i];
    if (maker->spec.draft.site && maker->spec.draft.definitions)
        return 0;
    return error_set(err, ERROR_REFUSED, "notice %lld has no ticket that could be named", (long long)id);
}

static int choose_person(struct maker *maker, const char *address, struct error *err)
{
    struct store_report what = {.kind = REPORT_PERSON};

    if (address_parse(text_of(address), &maker->subscriber, err) < 0)
        return -1;
    maker->spec.subscriber = &maker->subscriber;
    if (!maker->spec.draft.notice)
        return 0;
    what.notice = maker->spec.draft.notice->id;
    crypt_person_key(&maker->keys, maker->subscriber.key, what.key);
    maker->person = store_report_now(maker->store, &what, err);
    maker->spec.person = maker->person;
    return maker->person ? 0 : -1;
}

static int load_templates(struct maker *maker, struct error *err)
{
    auto_free const char **folders = settings_template_folders(maker->client.settings);

    maker->zones = zones_new();
    maker->locales = locales_new(err);
    if (maker->locales)
        maker->templates = message_templates_load(folders, maker->spec.draft.rule->template_name, "en", err);
    if (maker->templates)
        maker->calendar_texts = calendar_texts_load(folders, err);
    return maker->calendar_texts ? 0 : -1;
}

/* With the real ones where there are any; else with a key of zeros: a link that looks right and opens nothing. */
static int load_keys(struct maker *maker, struct error *err)
{
    struct crypt_keys *keys = &maker->keys;

    if (maker->store && client_keys(maker->store, keys, NULL) < 0)
        *keys = (struct crypt_keys){0};
    if (keys->unsubscribe_count == 0)
        keys->unsubscribe[keys->unsubscribe_count++].id = 1;
    maker->tokens = crypt_tokens_new(keys, err);
    return maker->tokens ? 0 : -1;
}

static int make(struct maker *maker, const struct cli *cli, int64_t notice, struct message *out, struct buf *note,
                struct error *err)
{
    maker->store = client_store(&maker->client, NULL); /* a preview needs none */
    if (load_keys(maker, err) < 0 || choose_rule(maker, cli->argv[0], err) < 0 ||
        (notice && choose_notice(maker, notice, err) < 0) ||
        (cli->subscriber && choose_person(maker, cli->subscriber, err) < 0) || load_templates(maker, err) < 0)
        return -1;
    maker->spec.draft.templates = maker->templates;
    maker->spec.draft.calendar_texts = maker->calendar_texts;
    maker->spec.draft.openings = &maker->image.openings;
    maker->spec.draft.keys = &maker->keys;
    maker->spec.draft.mail = &maker->mail;
    maker->spec.draft.sender = &maker->client.settings->sender;
    maker->spec.draft.tokens = maker->tokens;
    maker->spec.draft.locales = maker->locales;
    maker->spec.draft.zones = maker->zones;
    maker->spec.draft.date_ms = MOMENT_NONE;
    maker->spec.language = cli->language ? cli->language : "";
    return preview_make(&maker->spec, out, note, err);
}

static void maker_clear(struct maker *maker)
{
    message_templates_free(maker->templates);
    calendar_texts_free(maker->calendar_texts);
    crypt_tokens_free(maker->tokens);
    zones_free(maker->zones);
    locales_free(maker->locales);
    json_decref(maker->person);
    store_image_clear(&maker->image);
    arena_clear(&maker->arena);
}

static int write_out(struct text raw, struct error *err)
{
    if (fwrite(raw.ptr, 1, raw.len, stdout) == raw.len)
        return 0;
    return error_set(err, ERROR_TRY_LATER, "standard output cannot be written to");
}

static int from_state(struct client *client, const struct cli *cli, int64_t notice, struct error *err)
{
    struct maker maker = {.client = *client};
    struct message message;
    auto_buf struct buf note;

    message_init(&message);
    buf_init(&note, 4096);
    int rc = make(&maker, cli, notice, &message, &note, err);
    if (rc == 0 && note.len)
        fprintf(stderr, "onsale: %s\n", note.ptr);
    if (rc == 0)
        rc = write_out(buf_text(&message.raw), err);
    message_clear(&message);
    maker_clear(&maker);
    *client = maker.client;
    return rc;
}

/* 1: no daemon runs. */
static int from_daemon(struct client *client, const struct cli *cli, int64_t notice, struct error *err)
{
    json_t *answer = NULL, *note, *body = json_pack("{s:s}", "rule", cli->argv[0]);
    size_t i;

    if (!body)
        return error_set(err, ERROR_REFUSED, "RULE is not UTF-8");
    if (notice)
        json_object_set_new(body, "notice", json_integer(notice));
    if (cli->subscriber)
        json_object_set_new(body, "subscriber", json_string(cli->subscriber));
    if (cli->language)
        json_object_set_new(body, "language", json_string(cli->language));
    int rc = client_ask(client, "POST", "preview", body, &answer, err);
    json_decref(body);
    if (rc != 0)
        return rc;
    json_array_foreach(json_object_get(answer, "notes"), i, note)
        fprintf(stderr, "onsale: %s\n", json_string_value(note));
    const json_t *message = json_object_get(answer, "message");
    rc = write_out((struct text){json_string_value(message), json_string_length(message)}, err);
    json_decref(answer);
    return rc;
}

int cli_preview(const struct cli *cli)
{
    struct client client;
    struct error err = {0};
    int64_t notice = 0;

    if (cli->subscriber && cli_check_address("--subscriber", cli->subscriber) != EXIT_FINE)
        return EXIT_USAGE;
    if (cli->notice && parse_i64(text_of(cli->notice), 1, INT64_MAX, &notice, &err) < 0) {
        error_at(&err, "--notice");
        return cli_fail(&err);
    }
    if (client_open(&client, cli->config, &err) < 0)
        return EXIT_CONFIG;
    int rc = from_daemon(&client, cli, notice, &err);
    if (rc == 1)
        rc = from_state(&client, cli, notice, &err);
    client_close(&client);
    return rc < 0 ? cli_fail(&err) : EXIT_FINE;
}
