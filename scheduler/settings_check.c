#include "settings_check.h"

#include "crypt_jws.h"
#include "locale.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define FROM_EXPECTS "an address such as \"Arena Tickets <tickets@arena.example>\""

enum { RULE_AUDIENCES_MAX = 31 }; /* the ledger notes where a person came from in that many bits */

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
    else if (key && !text_given(site->site_id) && !text_given(site->account_id))
        demand_key(settings->doc, site->place, "site_id", site->site_id,
                   "the site that the api_key is for; or account_id");
    else if (client) {
        demand_key(settings->doc, site->place, "client_id", site->client_id, "of the Wix app");
        if (!config_has(doc, site->place, "client_secret_file"))
            demand_key(settings->doc, site->place, "client_secret", site->client_secret, "of the Wix app");
        demand_key(settings->doc, site->place, "instance_id", site->instance_id, "of the Wix app on this site");
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

    if (!text_given(site->webhook_key_file))
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

    if (!text_given(site->time_zone))
        return;
    zone = zone_load(site->time_zone, NULL);
    if (!zone)
        config_problem(
            settings->doc, config_place_of(settings->doc, site->place, "time_zone"),
            "time_zone: expected a zone such as Europe/Vilnius (timedatectl list-timezones), found \"%.80s\"",
            site->time_zone);
    zone_free(zone);
}

static void check_site(struct settings *settings, const struct site_settings *site)
{
    if (!config_has(settings->doc, site->place, "source") || site->source < 0)
        return;
    if (site->source == SOURCE_FILE)
        demand_key(settings->doc, site->place, "path", site->path, "the file with ticket definitions");
    else {
        check_wix_access(settings, site);
        check_reserve(settings, site);
        check_webhook_key(settings, site);
        demand_url(settings->doc, site->place, "base_url", site->base_url);
    }
    check_time_zone(settings, site);
    if (text_given(site->language) && !locale_known(site->language))
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
    if (text_given(interest->attribute) == text_given(interest->list_name))
        config_problem(settings->doc, place, "interest: expected %s",
                       text_given(interest->attribute)     ? "attribute or list_name, not both"
                       : audience->source == AUDIENCE_FILE ? "{attribute: NAME}, the column that holds event ids"
                                                           : "{attribute: NAME} or {list_name: \"... {event} ...\"}");
    if (text_given(interest->list_name) && audience->source == AUDIENCE_FILE)
        config_problem(settings->doc, config_place_of(settings->doc, place, "list_name"),
                       "list_name: a file has no lists (use attribute: the column that holds event ids)");
    else if (text_given(interest->list_name) && !strstr(interest->list_name, "{event}"))
        config_problem(settings->doc, config_place_of(settings->doc, place, "list_name"),
                       "list_name: expected {event} in it, where the event's id stands");
}

static void check_listmonk(struct settings *settings, const struct audience_settings *audience)
{
    demand_key(settings->doc, audience->place, "url", audience->url,
               "listmonk's address, such as http://127.0.0.1:9000");
    demand_key(settings->doc, audience->place, "username", audience->username, "listmonk's API user");
    if (!config_has(settings->doc, audience->place, "token_file"))
        demand_key(settings->doc, audience->place, "token", audience->token, "or \"token_file\": the API user's token");
    demand_key(settings->doc, audience->place, "lists", audience->lists.count ? "some" : NULL,
               "numbers of listmonk lists");
    if (config_has(settings->doc, audience->place, "lists") && !audience->lists.count)
        config_problem(settings->doc, config_place_of(settings->doc, audience->place, "lists"),
                       "lists: expected at least one number of a listmonk list");
    demand_url(settings->doc, audience->place, "url", audience->url);
    for (size_t i = 0; i < audience->lists.count; i++) {
        int64_t number;
        if (parse_i64(text_of(audience->lists.at[i]), 1, INT32_MAX, &number, NULL) < 0)
            config_problem(settings->doc, audience->lists.places[i],
                           "lists: expected the number of a listmonk list, found \"%.80s\"", audience->lists.at[i]);
    }
}

static void check_audience(struct settings *settings, const struct audience_settings *audience)
{
    if (!config_has(settings->doc, audience->place, "source") || audience->source < 0)
        return;
    if (audience->source == AUDIENCE_FILE)
        demand_key(settings->doc, audience->place, "path", audience->path,
                   "the file with subscribers, CSV or JSON lines");
    else
        check_listmonk(settings, audience);
    check_interest(settings, audience);
}

/* In the ledger and in links these two stand for our own eyes. */
static void check_audience_name(struct settings *settings, const struct audience_settings *audience)
{
    if (text_given(audience->name) && (strcmp(audience->name, "seed") == 0 || strcmp(audience->name, "test") == 0))
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

    if (!text_given(channel->from))
        config_problem(settings->doc, channel->place, "missing key \"from\" (who writes: %s)", FROM_EXPECTS);
    else if (mailbox_parse(text_of(channel->from), &name, &address, &why) < 0)
        config_problem(settings->doc, config_place_of(settings->doc, channel->place, "from"), "from: expected %s: %s",
                       FROM_EXPECTS, why.text);
    free(name);
    demand_address(settings->doc, config_place_of(settings->doc, channel->place, "envelope_from"), "envelope_from",
                   channel->envelope_from);
}

/* Nobody is written to who could not leave: by our own page, or by the tool's. */
static void check_way_out(struct settings *settings, const struct channel_settings *channel)
{
    struct config_place http = config_place_of(settings->doc, settings->place, "http");

    if (text_given(channel->unsubscribe_url))
        return;
    if (!text_given(settings->http.public_url))
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
    if (text_given(channel->unsubscribe_url) && !text_starts(text_of(channel->unsubscribe_url), "https://") &&
        !(notifier->local && text_starts(text_of(channel->unsubscribe_url), "http://")))
        config_problem(settings->doc, url, "unsubscribe_url: expected a URL that begins with https://");
    if (channel->one_click && !text_given(channel->unsubscribe_url) && !text_given(settings->http.public_url))
        config_problem(settings->doc, config_place_of(settings->doc, channel->place, "one_click"),
                       "one_click: needs an unsubscribe_url that takes a POST");
    if (notifier->local || !text_given(channel->name))
        return;
    check_way_out(settings, channel);
    if (!text_given(settings->sender.postal_address))
        config_problem(settings->doc, channel->place,
                       "sender.postal_address is missing: notifier %s reaches other machines, and each mail must say "
                       "where the sender lives",
                       channel->name);
}

/* --- Rules ----------------------------------------------------------------------------------------------------------
 */

static void check_references(struct settings *settings, const struct rule *rule, const struct config_list *list,
                             const struct demand_names *known)
{
    const char *who = arena_printf(config_arena(settings->doc), "rule %s", rule->name);

    for (size_t i = 0; i < list->count; i++) {
        for (size_t j = 0; j < i; j++)
            if (strcmp(list->at[j], list->at[i]) == 0) {
                config_problem(settings->doc, list->places[i], "%s: the %s \"%s\" stands here twice", who, known->what,
                               list->at[i]);
                break;
            }
        demand_known(settings->doc, list->places[i], who, list->at[i], known);
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

static void check_rule(struct settings *settings, const struct rule *rule, const struct demand_names *sites,
                       const struct demand_names *audiences, const struct demand_names *notifiers)
{
    struct config_doc *doc = settings->doc;

    if (!text_given(rule->name))
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
    if (text_given(rule->template_name) && !demand_is_name(rule->template_name))
        config_problem(doc, config_place_of(doc, rule->place, "template"),
                       "rule %s: template: expected the name of a folder of templates (a to z, 0 to 9, \"_\", \"-\"), "
                       "found \"%.80s\"",
                       rule->name, rule->template_name);
    demand_addresses(doc, "seed", &rule->seed);
    if (rule->attach_calendar && rule->when.kind != MOMENT_SALE_START)
        config_problem(doc, config_place_of(doc, rule->place, "attach_calendar"),
                       "rule %s: attach_calendar: expected a rule about sale_start: nothing opens at a %s", rule->name,
                       moment_kind_name(rule->when.kind));
}

/* --- The top --------------------------------------------------------------------------------------------------------
 */

/* Without it others of its name would be taken, and nobody would see why a message reads as it does. */
static void check_template_folders(struct settings *settings)
{
    const struct config_list *folders = &settings->template_folders;

    for (size_t i = 0; i < folders->count; i++) {
        struct stat found;
        bool there = stat(folders->at[i], &found) == 0;
        if (!there || !S_ISDIR(found.st_mode))
            config_problem(settings->doc, folders->places[i],
                           "templates: expected a folder (from the folder of this file), found %s: %s", folders->at[i],
                           there ? "no folder" : strerror(errno));
    }
}

static void check_top(struct settings *settings, const struct demand_names *notifiers)
{
    struct config_doc *doc = settings->doc;
    struct config_place top = settings->place, sender = config_place_of(doc, top, "sender");

    if (text_given(settings->store) && (!text_starts(text_of(settings->store), "sqlite:") || !settings->store[7]))
        config_problem(doc, config_place_of(doc, top, "store"), "store: expected sqlite:PATH");
    demand_address(doc, config_place_of(doc, sender, "contact"), "contact", settings->sender.contact);
    demand_addresses(doc, "operators", &settings->operators);
    check_template_folders(settings);
    if (settings->keep_reports_ms < settings->keep_people_ms)
        config_problem(doc, config_place_of(doc, top, "retention"),
                       "retention: expected reports to be kept at least as long as people");
    if (config_has(doc, top, "sites") && !settings->site_count)
        config_problem(doc, config_place_of(doc, top, "sites"), "sites: expected at least one site");
    if (text_given(settings->operators_by))
        demand_known(doc, config_place_of(doc, top, "operators_by"), "operators_by", settings->operators_by, notifiers);
}

/* "base_url: expected ...": at that key, else where the mapping begins. */
static void refuse(struct settings *settings, struct config_place mapping, const struct error *why)
{
    char key[64];

    snprintf(key, sizeof key, "%.*s", (int)strcspn(why->text, ":"), why->text);
    config_problem(settings->doc, config_place_of(settings->doc, mapping, key), "%s", why->text);
}

/* Whoever makes sources and audiences of these settings looks at them as well, and refuses by words of their own: that
 * is told here, not when a daemon that works has already let go of its old ones. */
static void check_makers(struct settings *settings)
{
    for (size_t i = 0; i < settings->site_count; i++) {
        const struct site_settings *site = &settings->sites[i];
        struct error why = {0};
        if (site->source == SOURCE_WIX && source_wix_check(site, &why) < 0)
            refuse(settings, site->place, &why);
    }
    for (size_t i = 0; i < settings->audience_count; i++) {
        struct error why = {0};
        if (audience_check(&settings->audiences[i], &why) < 0)
            refuse(settings, settings->audiences[i].place, &why);
    }
}

void settings_check(struct settings *settings)
{
    struct config_doc *doc = settings->doc;
    struct demand_names sites = demand_names_new(doc, "site", settings->site_count);
    struct demand_names audiences = demand_names_new(doc, "audience", settings->audience_count);
    struct demand_names notifiers = demand_names_new(doc, "notifier", settings->notifier_count);
    struct demand_names rules = demand_names_new(doc, "rule", settings->rule_count);

    for (size_t i = 0; i < settings->site_count; i++) {
        demand_name(doc, &sites, settings->sites[i].name, settings->sites[i].place);
        check_site(settings, &settings->sites[i]);
    }
    for (size_t i = 0; i < settings->audience_count; i++) {
        demand_name(doc, &audiences, settings->audiences[i].name, settings->audiences[i].place);
        check_audience_name(settings, &settings->audiences[i]);
        check_audience(settings, &settings->audiences[i]);
    }
    for (size_t i = 0; i < settings->notifier_count; i++) {
        const struct channel_settings *channel = &settings->notifiers[i].channel;
        demand_name(doc, &notifiers, channel->name, channel->place);
        check_notifier(settings, &settings->notifiers[i]);
    }
    for (size_t i = 0; i < settings->rule_count; i++) {
        demand_name(doc, &rules, settings->rules[i].name, settings->rules[i].place);
        check_rule(settings, &settings->rules[i], &sites, &audiences, &notifiers);
    }
    check_top(settings, &notifiers);
    settings_check_http(settings, &audiences);
    settings_check_webhooks(settings, &sites);
    if (config_problem_count(doc) == 0) /* else they would say again what is said */
        check_makers(settings);
}
