#include "audience/file_page.h"
#include "check_private.h"
#include "origin.h"
#include "unsubscribe.h"

#include <errno.h>
#include <string.h>

enum { LINE_MAX_LEN = 64 * 1024 };

static void add_list(struct buf *line, const struct config_list *list, const char *last)
{
    for (size_t i = 0; i < list->count; i++)
        buf_addf(line, "%s%s", i == 0 ? "" : i + 1 == list->count ? last : ", ", list->at[i]);
}

static void add_rates(struct buf *line, const struct config_rates *rates)
{
    for (size_t i = 0; i < rates->count; i++) {
        int64_t per_ms = rates->at[i].per_ms;
        buf_addf(line, "%s%lld/%s", i ? " and " : "", (long long)rates->at[i].count,
                 per_ms == SECOND_MS   ? "s"
                 : per_ms == MINUTE_MS ? "min"
                 : per_ms == HOUR_MS   ? "h"
                                       : "d");
    }
}

static void print_line(const struct buf *line, FILE *out)
{
    fprintf(out, "  %.*s\n", TEXT_ARGS(buf_text(line)));
}

/* --- What there is --------------------------------------------------------------------------------------------------
 */

static bool is_network(const char *at)
{
    return !text_starts(text_of(at), "unix:");
}

static bool is_open_to_all(const char *at)
{
    struct origin origin;

    return is_network(at) && origin_read(text_of(at), &origin) == 0 &&
           !origin_within(&origin, origin_loopback, ARRAY_LEN(origin_loopback));
}

static void print_doors(const struct http_settings *http, FILE *out)
{
    bool network = false;

    for (size_t i = 0; i < http->listen.count; i++) {
        network = network || is_network(http->listen.at[i]);
        if (is_open_to_all(http->listen.at[i]))
            fprintf(
                out,
                "  warning: %s speaks plain HTTP to whoever reaches it: listen on loopback, behind a proxy with TLS\n",
                http->listen.at[i]);
    }
    if (text_given(http->public_url) && !network)
        fputs("  warning: public_url is set, but there are unix sockets only: the proxy must be in our group, or let "
              "http.listen have 127.0.0.1:8470\n",
              out);
}

/* With the line: what is there and should be otherwise. */
static void print_warnings(const struct settings *settings, FILE *out)
{
    auto_buf struct buf line;

    buf_init(&line, LINE_MAX_LEN);
    for (size_t i = 0; config_add_warning(settings->doc, i, &line); i++) {
        fprintf(out, "  warning: %.*s\n", TEXT_ARGS(buf_text(&line)));
        buf_reset(&line);
    }
}

static void print_top(const struct settings *settings, FILE *out)
{
    auto_buf struct buf line;

    buf_init(&line, LINE_MAX_LEN);
    buf_addf(&line, "%s\n  state in %s, people kept ", settings->path, settings->store);
    buf_add_span(&line, settings->keep_people_ms);
    buf_adds(&line, ", reports ");
    buf_add_span(&line, settings->keep_reports_ms);
    if (text_given(settings->instance))
        buf_addf(&line, "\n  instance %s", settings->instance);
    if (text_given(settings->sender.name) || text_given(settings->sender.postal_address))
        buf_addf(&line, "\n  sender %s%s%s", settings->sender.name, text_given(settings->sender.name) ? ", " : "",
                 text_given(settings->sender.postal_address) ? settings->sender.postal_address : "no postal address");
    buf_adds(&line, "\n  operators ");
    add_list(&line, &settings->operators, ", ");
    if (!settings->operators.count)
        buf_adds(&line, "none: nobody is told when a launch is held or missed");
    buf_adds(&line, "\n  listens on ");
    add_list(&line, &settings->http.listen, ", ");
    fprintf(out, "%.*s\n", TEXT_ARGS(buf_text(&line)));
    print_warnings(settings, out);
    print_doors(&settings->http, out);
}

static void print_site(const struct site_settings *site, FILE *out)
{
    auto_buf struct buf line;

    buf_init(&line, LINE_MAX_LEN);
    if (site->source == SOURCE_FILE)
        buf_addf(&line, "%s: file %s, looked at every ", site->name, site->path);
    else
        buf_addf(&line, "%s: Wix site %s at %s, asked every ", site->name,
                 text_given(site->site_id)       ? site->site_id
                 : text_given(site->instance_id) ? site->instance_id
                                                 : "of the account",
                 site->base_url);
    buf_add_span(&line, site->poll_every_ms);
    buf_adds(&line, ", read whole every ");
    buf_add_span(&line, site->full_walk_every_ms);
    if (site->source == SOURCE_WIX) {
        buf_adds(&line, ", at most ");
        add_rates(&line, &site->requests);
        buf_adds(&line, " of which the gate may always use ");
        add_rates(&line, &site->gate_reserve);
    }
    buf_addf(&line, "; events without a time zone are in %s, people without a language get %s",
             text_given(site->time_zone) ? site->time_zone : "UTC", text_given(site->language) ? site->language : "en");
    print_line(&line, out);
}

static void print_audience(const struct audience_settings *audience, FILE *out)
{
    auto_buf struct buf line;

    buf_init(&line, LINE_MAX_LEN);
    if (audience->source == AUDIENCE_FILE)
        buf_addf(&line, "%s: file %s", audience->name, audience->path);
    else {
        buf_addf(&line, "%s: listmonk at %s, list%s ", audience->name, audience->url,
                 audience->lists.count > 1 ? "s" : "");
        add_list(&line, &audience->lists, " and ");
    }
    if (text_given(audience->interest.attribute))
        buf_addf(&line, ", only people whose \"%s\" names the event", audience->interest.attribute);
    else if (text_given(audience->interest.list_name))
        buf_addf(&line, ", only people on a list named \"%s\"", audience->interest.list_name);
    else
        buf_adds(&line, ", everybody in it");
    if (audience->consent_stated)
        buf_adds(&line, "; consent is stated here, the file need not say it");
    print_line(&line, out);
}

/* What is not there, with the line that names it: it may come before the sale does. */
static void warn_of_site_file(const struct settings *settings, const struct site_settings *site, FILE *out)
{
    struct config_place place = config_place_of(settings->doc, site->place, "path");

    if (site->source == SOURCE_FILE && access(site->path, R_OK) < 0)
        fprintf(out, "    warning: %s:%u:%u: path: %s: %s\n", settings->path, place.line, place.column, site->path,
                strerror(errno));
}

/* A file can be looked into without asking anybody. One that is not there may come before the sale does. */
static int check_file(const struct settings *settings, const struct audience_settings *audience, FILE *out,
                      struct error *err)
{
    struct config_place place = config_place_of(settings->doc, audience->place, "path");
    struct error why = {0};

    if (audience->source != AUDIENCE_FILE)
        return 0;
    bool there = access(audience->path, R_OK) == 0;
    struct file_pages *pages = file_pages_new(audience, &(struct audience_question){.site = "", .event_id = ""});
    int rc = file_pages_look(pages, &why);
    file_pages_free(pages);
    if (rc == 0)
        return 0;
    fprintf(out, "    %s: %s:%u:%u: %s\n", there ? "error" : "warning", settings->path, place.line, place.column,
            why.text);
    return there ? error_set(err, ERROR_CONFIG, "%s:%u:%u: audience %s: %s", settings->path, place.line, place.column,
                             audience->name, why.text)
                 : 0;
}

static void print_notifier(const struct settings *settings, const struct notifier_settings *notifier, FILE *out)
{
    const struct channel_settings *channel = &notifier->channel;
    auto_buf struct buf line;

    buf_init(&line, LINE_MAX_LEN);
    buf_addf(&line, "%s: plugin %s", channel->name, channel->plugin);
    if (text_given(channel->from))
        buf_addf(&line, ", from %s", channel->from);
    if (text_given(channel->envelope_from))
        buf_addf(&line, ", bounces to %s", channel->envelope_from);
    if (channel->rate.count) {
        buf_adds(&line, ", at most ");
        add_rates(&line, &channel->rate);
    }
    if (channel->deadline_ms) {
        buf_adds(&line, ", nothing later than ");
        buf_add_span(&line, channel->deadline_ms);
    }
    buf_adds(&line, notifier->local ? ", stays on this machine" : ", reaches other machines");
    if (text_given(channel->unsubscribe_url))
        buf_addf(&line, ", unsubscribe at %s%s", channel->unsubscribe_url, channel->one_click ? " (one click)" : "");
    else if (text_given(settings->http.public_url))
        buf_addf(&line, ", unsubscribe at %s/u/ (one click)", settings->http.public_url);
    print_line(&line, out);
}

/* --- Do the plugins take their options? --------------------------------------------------------------------------- */

int check_bench_init(struct check_bench *bench, struct error *err)
{
    uv_loop_init(&bench->loop);
    bench->alarms = alarms_new(&bench->loop, &clock_machine, err);
    bench->fetcher = bench->alarms ? fetcher_new(&bench->loop, err) : NULL;
    bench->wires = bench->fetcher ? wires_new(&bench->loop, err) : NULL;
    return bench->wires ? 0 : -1;
}

void check_bench_clear(struct check_bench *bench)
{
    wires_close(bench->wires);
    if (bench->fetcher)
        fetcher_close(bench->fetcher);
    if (bench->alarms)
        alarms_close(bench->alarms);
    uv_run(&bench->loop, UV_RUN_DEFAULT); /* what was closed frees itself, channels too */
    uv_loop_close(&bench->loop);
}

struct channel *check_bench_channel(struct check_bench *bench, const struct notifier_settings *notifier,
                                    struct error *err)
{
    struct channel_parts parts = {
        .loop = &bench->loop,
        .clock = &clock_machine,
        .alarms = bench->alarms,
        .fetcher = bench->fetcher,
        .wires = bench->wires,
    };
    struct channel_events nobody = {0};
    size_t size = channel_plugin_state_size(notifier->plugin);
    void *state = must_calloc(1, size); /* the channel's own: the settings stay as they are */

    memcpy(state, notifier->plugin_state, size);
    struct channel *channel = channel_new(&notifier->channel, notifier->plugin, state, &parts, &nobody, err);
    return channel;
}

static int open_plugin(struct check_bench *bench, const struct notifier_settings *notifier, struct error *err)
{
    struct channel *channel = check_bench_channel(bench, notifier, err);

    channel_free(channel);
    return channel ? 0 : -1;
}

/* A plugin says "url: expected ...": the line of that key, else where the notifier begins. */
static struct config_place place_of_fault(const struct settings *settings, const struct notifier_settings *notifier,
                                          const char *said)
{
    char key[64];

    snprintf(key, sizeof key, "%.*s", (int)strcspn(said, ":"), said);
    return config_place_of(settings->doc, notifier->channel.place, key);
}

static int print_notifiers(const struct settings *settings, FILE *out, struct error *err)
{
    struct check_bench bench = {0};
    int rc = check_bench_init(&bench, err);
    bool ready = rc == 0;

    for (size_t i = 0; i < settings->notifier_count; i++) {
        struct error why = {0};
        print_notifier(settings, &settings->notifiers[i], out);
        if (!ready || open_plugin(&bench, &settings->notifiers[i], &why) == 0)
            continue;
        const char *name = settings->notifiers[i].channel.name;
        struct config_place place = place_of_fault(settings, &settings->notifiers[i], why.text);
        error_at(&why, "notifier %s", name);
        fprintf(out, "    error: %s:%u:%u: %s\n", settings->path, place.line, place.column, why.text);
        rc = error_set(err, ERROR_CONFIG, "%s:%u:%u: %s", settings->path, place.line, place.column, why.text);
    }
    check_bench_clear(&bench);
    return rc;
}

/* --- Rules ----------------------------------------------------------------------------------------------------------
 */

static bool is_limited(const struct scope *scope)
{
    return scope->events.count || scope->titles.count || scope->definitions.count;
}

/* A rule about all events whose audience holds all people: perhaps meant, and worth a look. */
static void print_reach(const struct settings *settings, const struct rule *rule, FILE *out)
{
    struct config_list everybody = {0};
    auto_free const char **names = must_calloc(rule->audiences.count, sizeof *names);
    auto_buf struct buf line = {0};

    if (is_limited(&rule->only))
        return;
    everybody.at = names;
    for (size_t i = 0; i < rule->audiences.count; i++)
        if (!audience_has_interest(settings_audience(settings, rule->audiences.at[i])))
            names[everybody.count++] = rule->audiences.at[i];
    if (!everybody.count)
        return;
    buf_init(&line, LINE_MAX_LEN);
    buf_adds(&line, "  reaches everybody of ");
    add_list(&line, &everybody, " and ");
    buf_adds(&line, " for every event: it has no `only`, and they have no `interest`");
    print_line(&line, out);
}

/* The languages of a rule's template, when it compiles and knows everything it says at that kind of moment. */
static int check_template(const struct rule *rule, const char *const *folders, struct buf *languages, struct error *err)
{
    struct message_templates *templates = message_templates_load(folders, rule->template_name, "en", err);

    if (!templates)
        return error_at(err, "rule %s", rule->name);
    buf_add_languages(languages, templates);
    bool serves = message_templates_serve(templates, rule->when.kind);
    message_templates_free(templates);
    if (!serves)
        return error_set(err, ERROR_CONFIG, "rule %s: template %s says what a %s notice does not know", rule->name,
                         rule->template_name, moment_kind_name(rule->when.kind));
    return 0;
}

static int print_rule(const struct settings *settings, const struct rule *rule, const char *const *folders, FILE *out,
                      struct error *err)
{
    struct error why = {0};
    auto_buf struct buf languages, line;

    buf_init(&languages, LINE_MAX_LEN);
    buf_init(&line, LINE_MAX_LEN);
    int rc = check_template(rule, folders, &languages, &why);
    buf_add_rule(&line, rule, languages.len ? languages.ptr : "");
    print_line(&line, out);
    print_reach(settings, rule, out);
    if (rc == 0)
        return 0;
    struct config_place place = config_place_of(settings->doc, rule->place, "template");
    fprintf(out, "    error: %s:%u:%u: %s\n", settings->path, place.line, place.column, why.text);
    return error_set(err, ERROR_CONFIG, "%s:%u:%u: %s", settings->path, place.line, place.column, why.text);
}

/* Where people leave. */
static int print_pages(const struct settings *settings, const char *const *folders, FILE *out, struct error *err)
{
    struct error why = {0};
    struct unsubscribe_texts *texts = unsubscribe_texts_load(folders, &why);
    auto_buf struct buf languages;

    buf_init(&languages, LINE_MAX_LEN);
    if (!texts) {
        fprintf(out, "\npages\n    error: %s\n", why.text);
        return error_set(err, ERROR_CONFIG, "%s", why.text);
    }
    buf_add_unsubscribe_languages(&languages, texts);
    unsubscribe_texts_free(texts);
    if (text_given(settings->http.public_url))
        fprintf(out, "\npages\n  %s/u/: unsubscribe, in %s\n", settings->http.public_url, languages.ptr);
    return 0;
}

/* How openings read in calendars, and on the messages of which rules they hang. */
static int print_calendars(const struct settings *settings, const char *const *folders, FILE *out, struct error *err)
{
    struct error why = {0};
    struct calendar_texts *texts = calendar_texts_load(folders, &why);
    auto_buf struct buf line;

    buf_init(&line, LINE_MAX_LEN);
    if (!texts) {
        fprintf(out, "\ncalendars\n    error: %s\n", why.text);
        return error_set(err, ERROR_CONFIG, "%s", why.text);
    }
    buf_adds(&line, "entries in ");
    buf_add_calendar_languages(&line, texts);
    calendar_texts_free(texts);
    for (size_t i = 0, count = 0; i < settings->rule_count; i++)
        if (settings->rules[i].attach_calendar)
            buf_addf(&line, "%s%s", count++ ? ", " : "; on messages of rule ", settings->rules[i].name);
    fputs("\ncalendars\n", out);
    print_line(&line, out);
    return 0;
}

/* "crm: of notice.done at site arena, to https://hooks.example/..." */
static void print_webhook(const struct webhook_settings *webhook, FILE *out)
{
    auto_buf struct buf line;

    buf_init(&line, 16 * 1024);
    buf_addf(&line, "%s: of ", webhook->name);
    for (size_t i = 0; i < webhook->events.count; i++)
        buf_addf(&line, "%s%s", i ? ", " : "", webhook->events.at[i]);
    buf_adds(&line, webhook->events.count ? "" : "everything");
    for (size_t i = 0; i < webhook->sites.count; i++)
        buf_addf(&line, "%s%s", i ? ", " : " at site ", webhook->sites.at[i]);
    buf_adds(&line, ", to ");
    buf_add_webhook_place(&line, webhook->url);
    buf_addf(&line, "%s%s", webhook->allow_private ? ", also within this machine's networks" : "",
             *webhook->old_secret ? ", signed by two secrets" : "");
    print_line(&line, out);
}

int check_print(const struct settings *settings, FILE *out, struct error *err)
{
    auto_free const char **folders = settings_template_folders(settings);
    int rc = 0;

    print_top(settings, out);
    fputs("\nsites\n", out);
    for (size_t i = 0; i < settings->site_count; i++) {
        print_site(&settings->sites[i], out);
        warn_of_site_file(settings, &settings->sites[i], out);
    }
    fputs(settings->audience_count ? "\naudiences\n" : "\nno audiences: nobody can be told\n", out);
    for (size_t i = 0; i < settings->audience_count; i++) {
        print_audience(&settings->audiences[i], out);
        if (check_file(settings, &settings->audiences[i], out, err) < 0)
            rc = -1;
    }
    fputs(settings->notifier_count ? "\nnotifiers\n" : "\nno notifiers: nothing can be sent\n", out);
    if (print_notifiers(settings, out, err) < 0)
        rc = -1;
    fputs(settings->rule_count ? "\nrules\n" : "\nno rules: nothing will be said\n", out);
    for (size_t i = 0; i < settings->rule_count; i++)
        if (print_rule(settings, &settings->rules[i], folders, out, err) < 0)
            rc = -1;
    if (settings->webhook_count)
        fputs("\nwebhooks: other programs are told\n", out);
    for (size_t i = 0; i < settings->webhook_count; i++)
        print_webhook(&settings->webhooks[i], out);
    if (print_pages(settings, folders, out, err) < 0)
        rc = -1;
    if (print_calendars(settings, folders, out, err) < 0)
        rc = -1;
    return rc;
}
