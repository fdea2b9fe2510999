#include "settings_check.h"

#include "crypt_jws.h"
#include "crypt_webhook.h"
#include "locale.h"
#include "origin.h"

#include <string.h>

#define FROM_EXPECTS "an address such as \"Arena Tickets <tickets@arena.example>\""

enum {
    NAME_MAX_LEN = 64,
    RULE_AUDIENCES_MAX = 31, /* the ledger notes where a person came from in that many bits */
    SOCKET_PATH_MAX = 107,   /* sun_path of unix(7) */
    PUBLIC_URL_MAX = 200,    /* a link with a token stays within a line of a mail */
    TOKEN_LEN_MIN = 20,
    TOKEN_LEN_MAX = 1000, /* a header is to hold it */
};

/* The names that rules may use, with the mappings they stand in. */
struct names {
    const char *what; /* "site" */
    const char **at;
    struct config_place *places; /* of the mappings */
    size_t count;
};

static bool given(const char *text)
{
    return text && text[0];
}

bool settings_is_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");

    return len > 0 && len <= NAME_MAX_LEN && name[len] == '\0';
}

static struct names names_new(struct settings *settings, const char *what, size_t count)
{
    struct arena *arena = config_arena(settings->doc);

    return (struct names){what, arena_alloc(arena, count * sizeof(char *)),
                          arena_alloc(arena, count * sizeof(struct config_place)), 0};
}

/* A name has to be well-formed and the only one. */
static void add_name(struct settings *settings, struct names *names, const char *name, struct config_place mapping)
{
    struct config_place place = config_place_of(settings->doc, mapping, "name");

    if (!given(name))
        return;
    if (!settings_is_name(name))
        config_problem(settings->doc, place,
                       "name: expected 1 to 64 of a to z, 0 to 9, \"_\" and \"-\", found \"%.80s\"", name);
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->at[i], name) == 0) {
            config_problem(settings->doc, place, "the %s \"%s\" is configured twice (first in line %u)", names->what,
                           name, names->places[i].line);
            return;
        }
    names->at[names->count] = name;
    names->places[names->count++] = mapping;
}

static void check_reference(struct settings *settings, struct config_place place, const char *who, const char *name,
                            const struct names *known)
{
    auto_buf struct buf text = {0};

    for (size_t i = 0; i < known->count; i++)
        if (strcmp(known->at[i], name) == 0)
            return;
    buf_init(&text, 8192);
    buf_addf(&text, "%s: unknown %s \"%.80s\"", who, known->what, name);
    buf_add_suggestion(&text, name, known->at, known->count);
    config_problem(settings->doc, place, "%.*s", TEXT_ARGS(buf_text(&text)));
}

bool settings_is_url(const char *url)
{
    size_t scheme = text_starts(text_of(url), "https://") ? 8 : text_starts(text_of(url), "http://") ? 7 : 0;

    if (!scheme || !url[scheme] || strchr("/?#:", url[scheme]))
        return false;
    if (memchr(url, '@', scheme + strcspn(url + scheme, "/?#")))
        return false;
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7F || *c == '"' || *c == '<' || *c == '>')
            return false;
    return true;
}

static void check_url(struct settings *settings, struct config_place mapping, const char *key, const char *url)
{
    if (given(url) && !settings_is_url(url))
        config_problem(settings->doc, config_place_of(settings->doc, mapping, key),
                       "%s: expected a URL that begins with https:// or http://, without name and password in it", key);
}

static void check_address(struct settings *settings, struct config_place place, const char *key, const char *address)
{
    struct address parsed;
    struct error why = {0};

    if (given(address) && address_parse(text_of(address), &parsed, &why) < 0)
        config_problem(settings->doc, place, "%s: expected an e-mail address, found \"%.100s\": %s", key, address,
                       why.text);
}

static void check_addresses(struct settings *settings, const char *key, const struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        check_address(settings, list->places[i], key, list->at[i]);
        if (!given(list->at[i]))
            config_problem(settings->doc, list->places[i], "%s: expected an e-mail address, found nothing", key);
    }
}

/* Keys that mean something for some sources only: elsewhere they would be ignored silently. */
struct key_of_source {
    const char *key;
    int source;
};

static void check_keys_of_source(struct settings *settings, struct config_place mapping, int source,
                                 const char *const *kinds, const struct key_of_source *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (keys[i].source != source && config_has(settings->doc, mapping, keys[i].key))
            config_problem(settings->doc, config_place_of(settings->doc, mapping, keys[i].key),
                           "%s: means nothing with source: %s (only with %s)", keys[i].key, kinds[source],
                           kinds[keys[i].source]);
}

static void require(struct settings *settings, struct config_place mapping, const char *key, const char *value,
                    const char *why)
{
    if (!given(value) && !config_has(settings->doc, mapping, key))
        config_problem(settings->doc, mapping, "missing key \"%s\" (%s)", key, why);
}

/* --- Sites ----------------------------------------------------------------------------------------------------------
 */

static void check_wix_access(struct settings *settings, const struct site_settings *site)
{
    struct config_doc *doc = settings->doc;
    bool key = config_has(doc, site->place, "api_key") || config_has(doc, site->place, "api_key_file");
    bool client = config_has(doc, site->place, "client_id") || config_has(doc, site->place, "client_secret") ||
                  config_has(doc, site->place, "client_secret_file");

    if (key && client)
        config_problem(doc, site->place, "api_key or client_id: only one way to log in");
    else if (key && !given(site->site_id) && !given(site->account_id))
        require(settings, site->place, "site_id", site->site_id, "the site that the api_key is for; or account_id");
    else if (client) {
        require(settings, site->place, "client_id", site->client_id, "of the Wix app");
        if (!config_has(doc, site->place, "client_secret_file"))
            require(settings, site->place, "client_secret", site->client_secret, "of the Wix app");
        require(settings, site->place, "instance_id", site->instance_id, "of the Wix app on this site");
    } else if (!key)
        config_problem(doc, site->place,
                       "missing key \"api_key\" (or \"api_key_file\"; or client_id, client_secret, instance_id)");
}

static void check_reserve(struct settings *settings, const struct site_settings *site)
{
    const struct config_rate *all = site->requests.at, *reserve = site->gate_reserve.at;

    if (site->requests.count == 1 && site->gate_reserve.count == 1 &&
        (double)reserve->count / (double)reserve->per_ms >= (double)all->count / (double)all->per_ms)
        config_problem(settings->doc, config_place_of(settings->doc, site->place, "gate_reserve"),
                       "gate_reserve: must be less than requests, or nothing is left for looking around");
}

static void check_webhook_key(struct settings *settings, const struct site_settings *site)
{
    struct error why = {0};
    struct crypt_jws_key *key = NULL;

    if (!given(site->webhook_key_file))
        return;
    key = crypt_jws_key_load(site->webhook_key_file, &why);
    if (!key)
        config_problem(settings->doc, config_place_of(settings->doc, site->place, "webhook_key_file"),
                       "webhook_key_file: %s", why.text);
    crypt_jws_key_free(key);
}

static void check_time_zone(struct settings *settings, const struct site_settings *site)
{
    struct zone *zone;

    if (!given(site->time_zone))
        return;
    zone = zone_load(site->time_zone, NULL);
    if (!zone)
        config_problem(settings->doc, config_place_of(settings->doc, site->place, "time_zone"),
                       "time_zone: expected a zone such as Europe/Vilnius, found \"%.80s\"", site->time_zone);
    zone_free(zone);
}

static void check_site(struct settings *settings, const struct site_settings *site)
{
    static const struct key_of_source keys[] = {
        {"path", SOURCE_FILE},
        {"base_url", SOURCE_WIX},
        {"site_id", SOURCE_WIX},
        {"account_id", SOURCE_WIX},
        {"api_key", SOURCE_WIX},
        {"api_key_file", SOURCE_WIX},
        {"client_id", SOURCE_WIX},
        {"client_secret", SOURCE_WIX},
        {"client_secret_file", SOURCE_WIX},
        {"instance_id", SOURCE_WIX},
        {"requests", SOURCE_WIX},
        {"gate_reserve", SOURCE_WIX},
        {"webhook_key_file", SOURCE_WIX},
    };

    if (!config_has(settings->doc, site->place, "source") || site->source < 0)
        return;
    check_keys_of_source(settings, site->place, site->source, source_kinds, keys, ARRAY_LEN(keys));
    if (site->source == SOURCE_FILE)
        require(settings, site->place, "path", site->path, "the file with ticket definitions");
    else {
        check_wix_access(settings, site);
        check_reserve(settings, site);
        check_webhook_key(settings, site);
        check_url(settings, site->place, "base_url", site->base_url);
    }
    check_time_zone(settings, site);
    if (given(site->language) && !locale_known(site->language))
        config_problem(settings->doc, config_place_of(settings->doc, site->place, "language"),
                       "language: expected a language such as en, de or pt-BR, found \"%.80s\"", site->language);
}

/* --- Audiences ------------------------------------------------------------------------------------------------------
 */

static void check_interest(struct settings *settings, const struct audience_settings *audience)
{
    struct config_place place = config_place_of(settings->doc, audience->place, "interest");
    const struct audience_interest *interest = &audience->interest;

    if (!config_has(settings->doc, audience->place, "interest"))
        return;
    if (given(interest->attribute) == given(interest->list_name))
        config_problem(settings->doc, place, "interest: expected %s",
                       given(interest->attribute)          ? "attribute or list_name, not both"
                       : audience->source == AUDIENCE_FILE ? "{attribute: NAME}, the column that holds event ids"
                                                           : "{attribute: NAME} or {list_name: \"... {event} ...\"}");
    if (given(interest->list_name) && audience->source == AUDIENCE_FILE)
        config_problem(settings->doc, config_place_of(settings->doc, place, "list_name"),
                       "list_name: a file has no lists (use attribute: the column that holds event ids)");
    else if (given(interest->list_name) && !strstr(interest->list_name, "{event}"))
        config_problem(settings->doc, config_place_of(settings->doc, place, "list_name"),
                       "list_name: expected {event} in it, where the event's id stands");
}

static void check_listmonk(struct settings *settings, const struct audience_settings *audience)
{
    require(settings, audience->place, "url", audience->url, "listmonk's address, such as http://127.0.0.1:9000");
    require(settings, audience->place, "username", audience->username, "listmonk's API user");
    if (!config_has(settings->doc, audience->place, "token_file"))
        require(settings, audience->place, "token", audience->token, "or \"token_file\": the API user's token");
    require(settings, audience->place, "lists", audience->lists.count ? "some" : NULL, "numbers of listmonk lists");
    if (config_has(settings->doc, audience->place, "lists") && !audience->lists.count)
        config_problem(settings->doc, config_place_of(settings->doc, audience->place, "lists"),
                       "lists: expected at least one number of a listmonk list");
    check_url(settings, audience->place, "url", audience->url);
    for (size_t i = 0; i < audience->lists.count; i++) {
        int64_t number;
        if (parse_i64(text_of(audience->lists.at[i]), 1, INT32_MAX, &number, NULL) < 0)
            config_problem(settings->doc, audience->lists.places[i],
                           "lists: expected the number of a listmonk list, found \"%.80s\"", audience->lists.at[i]);
    }
}

static void check_audience(struct settings *settings, const struct audience_settings *audience)
{
    static const struct key_of_source keys[] = {
        {"path", AUDIENCE_FILE},           {"format", AUDIENCE_FILE},       {"consent", AUDIENCE_FILE},
        {"url", AUDIENCE_LISTMONK},        {"username", AUDIENCE_LISTMONK}, {"token", AUDIENCE_LISTMONK},
        {"token_file", AUDIENCE_LISTMONK}, {"lists", AUDIENCE_LISTMONK},    {"page_size", AUDIENCE_LISTMONK},
        {"sql", AUDIENCE_LISTMONK},
    };

    if (!config_has(settings->doc, audience->place, "source") || audience->source < 0)
        return;
    check_keys_of_source(settings, audience->place, audience->source, audience_kinds, keys, ARRAY_LEN(keys));
    if (audience->source == AUDIENCE_FILE)
        require(settings, audience->place, "path", audience->path, "the file with subscribers, CSV or JSON lines");
    else
        check_listmonk(settings, audience);
    check_interest(settings, audience);
}

/* In the ledger and in links these two stand for our own eyes. */
static void check_audience_name(struct settings *settings, const struct audience_settings *audience)
{
    if (given(audience->name) && (strcmp(audience->name, "seed") == 0 || strcmp(audience->name, "test") == 0))
        config_problem(settings->doc, config_place_of(settings->doc, audience->place, "name"),
                       "name: \"%s\" is what seeds and test messages are known by: choose another one", audience->name);
}

/* --- Notifiers ------------------------------------------------------------------------------------------------------
 */

static void check_from(struct settings *settings, const struct channel_settings *channel)
{
    struct address address;
    struct error why = {0};
    char *name = NULL;

    if (!given(channel->from))
        config_problem(settings->doc, channel->place, "missing key \"from\" (who writes: %s)", FROM_EXPECTS);
    else if (mailbox_parse(text_of(channel->from), &name, &address, &why) < 0)
        config_problem(settings->doc, config_place_of(settings->doc, channel->place, "from"), "from: expected %s: %s",
                       FROM_EXPECTS, why.text);
    free(name);
    check_address(settings, config_place_of(settings->doc, channel->place, "envelope_from"), "envelope_from",
                  channel->envelope_from);
}

/* Nobody is written to who could not leave: by our own page, or by the tool's. */
static void check_way_out(struct settings *settings, const struct channel_settings *channel)
{
    struct config_place http = config_place_of(settings->doc, settings->place, "http");

    if (given(channel->unsubscribe_url))
        return;
    if (!given(settings->http.public_url))
        config_problem(
            settings->doc, channel->place,
            "no way to unsubscribe, but notifier %s reaches other machines: say http.public_url for pages of "
            "our own, or unsubscribe_url for the marketing tool's",
            channel->name);
    else if (!text_starts(text_of(settings->http.public_url), "https://"))
        config_problem(
            settings->doc, config_place_of(settings->doc, http, "public_url"),
            "public_url: expected a URL that begins with https://, as mails of notifier %s carry links to it",
            channel->name);
}

static void check_notifier(struct settings *settings, const struct notifier_settings *notifier)
{
    const struct channel_settings *channel = &notifier->channel;
    struct config_place url = config_place_of(settings->doc, channel->place, "unsubscribe_url");

    check_from(settings, channel);
    if (given(channel->unsubscribe_url) && !text_starts(text_of(channel->unsubscribe_url), "https://") &&
        !(notifier->local && text_starts(text_of(channel->unsubscribe_url), "http://")))
        config_problem(settings->doc, url, "unsubscribe_url: expected a URL that begins with https://");
    if (channel->one_click && !given(channel->unsubscribe_url) && !given(settings->http.public_url))
        config_problem(settings->doc, config_place_of(settings->doc, channel->place, "one_click"),
                       "one_click: needs an unsubscribe_url that takes a POST");
    if (notifier->local || !given(channel->name))
        return;
    check_way_out(settings, channel);
    if (!given(settings->sender.postal_address))
        config_problem(settings->doc, channel->place,
                       "sender.postal_address is missing: notifier %s reaches other machines, and each mail must say "
                       "where the sender lives",
                       channel->name);
}

/* --- Rules ----------------------------------------------------------------------------------------------------------
 */

static void check_references(struct settings *settings, const struct rule *rule, const struct config_list *list,
                             const struct names *known)
{
    const char *who = arena_printf(config_arena(settings->doc), "rule %s", rule->name);

    for (size_t i = 0; i < list->count; i++) {
        for (size_t j = 0; j < i; j++)
            if (strcmp(list->at[j], list->at[i]) == 0) {
                config_problem(settings->doc, list->places[i], "%s: the %s \"%s\" stands here twice", who, known->what,
                               list->at[i]);
                break;
            }
        check_reference(settings, list->places[i], who, list->at[i], known);
    }
}

static void check_channels(struct settings *settings, const struct rule *rule)
{
    if (config_has(settings->doc, rule->place, "notify") && rule->notify.count != 1)
        config_problem(settings->doc,
                       rule->notify.count ? rule->notify.places[1]
                                          : config_place_of(settings->doc, rule->place, "notify"),
                       "rule %s: notify: expected exactly one notifier (several come with push notifiers)", rule->name);
    if (rule->fallback.count)
        config_problem(settings->doc, rule->fallback.places[0],
                       "rule %s: fallback: must be empty for now (it comes with push notifiers)", rule->name);
}

static void check_rule(struct settings *settings, const struct rule *rule, const struct names *sites,
                       const struct names *audiences, const struct names *notifiers)
{
    struct config_doc *doc = settings->doc;

    if (!given(rule->name))
        return;
    check_references(settings, rule, &rule->sites, sites);
    check_references(settings, rule, &rule->audiences, audiences);
    check_references(settings, rule, &rule->notify, notifiers);
    check_references(settings, rule, &rule->fallback, notifiers);
    check_channels(settings, rule);
    if (settings->site_count > 1 && !rule->sites.count)
        config_problem(doc, config_place_of(doc, rule->place, "sites"),
                       "rule %s: \"sites\" is required because there is more than one site", rule->name);
    if (config_has(doc, rule->place, "audiences") &&
        (!rule->audiences.count || rule->audiences.count > RULE_AUDIENCES_MAX))
        config_problem(doc, config_place_of(doc, rule->place, "audiences"),
                       "rule %s: audiences: expected 1 to %d audiences", rule->name, RULE_AUDIENCES_MAX);
    if (given(rule->template_name) && !settings_is_name(rule->template_name))
        config_problem(doc, config_place_of(doc, rule->place, "template"),
                       "rule %s: template: expected the name of a folder of templates (a to z, 0 to 9, \"_\", \"-\"), "
                       "found \"%.80s\"",
                       rule->name, rule->template_name);
    check_addresses(settings, "seed", &rule->seed);
    if (rule->attach_calendar && rule->when.kind != MOMENT_SALE_START)
        config_problem(doc, config_place_of(doc, rule->place, "attach_calendar"),
                       "rule %s: attach_calendar: expected a rule about sale_start: nothing opens at a %s", rule->name,
                       moment_kind_name(rule->when.kind));
}

/* --- The rest -------------------------------------------------------------------------------------------------------
 */

/* "127.0.0.1:8470", "[::1]:8470", "localhost:8470" */
static bool is_endpoint(const char *at)
{
    const char *colon = strrchr(at, ':');
    struct text host = colon ? (struct text){at, (size_t)(colon - at)} : (struct text){0};
    struct origin origin;
    int64_t port;

    if (!colon || parse_i64(text_of(colon + 1), 0, 65535, &port, NULL) < 0)
        return false;
    return text_is(host, "localhost") ||
           (origin_read(host, &origin) == 0 && (text_starts(host, "[") || !memchr(host.ptr, ':', host.len)));
}

static void check_listen(struct settings *settings)
{
    const struct config_list *listen = &settings->http.listen;

    for (size_t i = 0; i < listen->count; i++) {
        const char *at = listen->at[i];
        bool fine = text_starts(text_of(at), "unix:") ? at[5] && strlen(at + 5) <= SOCKET_PATH_MAX
                                                      : strcmp(at, "systemd") == 0 || is_endpoint(at);
        if (!fine)
            config_problem(settings->doc, listen->places[i],
                           "listen: expected unix:PATH (at most %d bytes), ADDRESS:PORT such as 127.0.0.1:8470, or "
                           "systemd, found \"%.120s\"",
                           SOCKET_PATH_MAX, at);
    }
}

static void check_proxies(struct settings *settings)
{
    const struct config_list *proxies = &settings->http.proxies;

    for (size_t i = 0; i < proxies->count; i++) {
        struct origin_net net;
        struct error why = {0};
        if (strcmp(proxies->at[i], "loopback") != 0 && origin_net_read(text_of(proxies->at[i]), &net, &why) < 0)
            config_problem(settings->doc, proxies->places[i], "proxies: %s", why.text);
    }
}

static void check_hook(struct settings *settings, const struct http_hook *hook, const struct names *audiences)
{
    struct webhook_secret secrets[WEBHOOK_SECRETS_MAX];
    bool file = config_has(settings->doc, hook->place, "secret_file");
    size_t count;
    struct error why = {0};

    if (given(hook->secret) && webhook_secrets_parse(text_of(hook->secret), secrets, &count, &why) < 0)
        config_problem(settings->doc, config_place_of(settings->doc, hook->place, file ? "secret_file" : "secret"),
                       "secret: %s", why.text);
    for (size_t i = 0; i < ARRAY_LEN(secrets) && given(hook->secret); i++)
        webhook_secret_clear(&secrets[i]);
    if (given(hook->audience))
        check_reference(settings, config_place_of(settings->doc, hook->place, "audience"), "audience", hook->audience,
                        audiences);
}

/* A token must be hard to guess, possible to send (RFC 6750 section 2.1), and somebody's own. */
static void check_token(struct settings *settings, size_t index)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";
    const struct http_token *token = &settings->http.tokens[index];
    bool file = config_has(settings->doc, token->place, "token_file");
    struct config_place place = config_place_of(settings->doc, token->place, file ? "token_file" : "token");

    if (!given(token->token))
        return;
    if (strlen(token->token) < TOKEN_LEN_MIN || strlen(token->token) > TOKEN_LEN_MAX)
        config_problem(settings->doc, place,
                       "token: expected %d to %d characters; make one by: openssl rand -base64 32", TOKEN_LEN_MIN,
                       TOKEN_LEN_MAX);
    else if (token->token[strspn(token->token, letters)])
        config_problem(settings->doc, place,
                       "token: expected letters, digits and -._~+/= only; make one by: openssl rand -base64 32");
    for (size_t i = 0; i < index; i++)
        if (given(settings->http.tokens[i].token) && strcmp(settings->http.tokens[i].token, token->token) == 0)
            config_problem(settings->doc, place, "the same token as that in line %u: nobody could tell who it was",
                           settings->http.tokens[i].place.line);
}

/* Paths are put behind it, and the whole stands in a mail's header. */
static void check_public_url(struct settings *settings, struct config_place http)
{
    struct config_place place = config_place_of(settings->doc, http, "public_url");
    const char *url = settings->http.public_url;

    if (!given(url))
        return;
    if (strpbrk(url, "?#"))
        config_problem(settings->doc, place, "public_url: expected a URL without \"?\" and \"#\"");
    if (strlen(url) > PUBLIC_URL_MAX)
        config_problem(settings->doc, place, "public_url: expected at most %d bytes", PUBLIC_URL_MAX);
    for (const char *c = url; *c; c++)
        if ((unsigned char)*c > 0x7E || *c == '\\') {
            config_problem(settings->doc, place,
                           "public_url: expected letters of ASCII only (a name such as \"b\xc3\xbc"
                           "hne.example\" is written xn--bhne-0ra.example)");
            break;
        }
}

static void check_top(struct settings *settings, const struct names *notifiers)
{
    struct config_doc *doc = settings->doc;
    struct config_place top = settings->place, sender = config_place_of(doc, top, "sender"),
                        http = config_place_of(doc, top, "http");

    if (given(settings->store) && (!text_starts(text_of(settings->store), "sqlite:") || !settings->store[7]))
        config_problem(doc, config_place_of(doc, top, "store"), "store: expected sqlite:PATH");
    check_address(settings, config_place_of(doc, sender, "contact"), "contact", settings->sender.contact);
    check_addresses(settings, "operators", &settings->operators);
    check_url(settings, http, "public_url", settings->http.public_url);
    check_public_url(settings, http);
    check_listen(settings);
    check_proxies(settings);
    if (settings->http.rate.count > 1)
        config_problem(doc, config_place_of(doc, http, "rate"), "rate: expected one rate");
    if (settings->keep_reports_ms < settings->keep_people_ms)
        config_problem(doc, config_place_of(doc, top, "retention"),
                       "retention: expected reports to be kept at least as long as people");
    if (config_has(doc, top, "sites") && !settings->site_count)
        config_problem(doc, config_place_of(doc, top, "sites"), "sites: expected at least one site");
    if (given(settings->operators_by))
        check_reference(settings, config_place_of(doc, top, "operators_by"), "operators_by", settings->operators_by,
                        notifiers);
}

void settings_check(struct settings *settings)
{
    struct names sites = names_new(settings, "site", settings->site_count);
    struct names audiences = names_new(settings, "audience", settings->audience_count);
    struct names notifiers = names_new(settings, "notifier", settings->notifier_count);
    struct names rules = names_new(settings, "rule", settings->rule_count);
    struct names tokens = names_new(settings, "token", settings->http.token_count);
    struct names hooks = names_new(settings, "hook", settings->http.hook_count);

    for (size_t i = 0; i < settings->site_count; i++) {
        add_name(settings, &sites, settings->sites[i].name, settings->sites[i].place);
        check_site(settings, &settings->sites[i]);
    }
    for (size_t i = 0; i < settings->audience_count; i++) {
        add_name(settings, &audiences, settings->audiences[i].name, settings->audiences[i].place);
        check_audience_name(settings, &settings->audiences[i]);
        check_audience(settings, &settings->audiences[i]);
    }
    for (size_t i = 0; i < settings->notifier_count; i++) {
        add_name(settings, &notifiers, settings->notifiers[i].channel.name, settings->notifiers[i].channel.place);
        check_notifier(settings, &settings->notifiers[i]);
    }
    for (size_t i = 0; i < settings->rule_count; i++) {
        add_name(settings, &rules, settings->rules[i].name, settings->rules[i].place);
        check_rule(settings, &settings->rules[i], &sites, &audiences, &notifiers);
    }
    for (size_t i = 0; i < settings->http.token_count; i++) {
        add_name(settings, &tokens, settings->http.tokens[i].name, settings->http.tokens[i].place);
        check_token(settings, i);
    }
    for (size_t i = 0; i < settings->http.hook_count; i++) {
        add_name(settings, &hooks, settings->http.hooks[i].name, settings->http.hooks[i].place);
        check_hook(settings, &settings->http.hooks[i], &audiences);
    }
    check_top(settings, &notifiers);
    settings_check_webhooks(settings);
}
