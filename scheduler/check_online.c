/* `onsale check --online`: each service is reached as a launch would reach it, one after another. Nothing is stored. */
#include "check_private.h"
#include "dns.h"
#include "forecast.h"

#include <string.h>

enum {
    WALK_LIMIT_MS = 2 * MINUTE_MS,
    READ_LIMIT_MS = 10 * MINUTE_MS,
    PROBE_LIMIT_MS = 45 * SECOND_MS,
    CLOCKS_APART_MS = 1000
};

/* One word of one audience about one address, by a hash of it; nothing else of a person is kept. */
struct word {
    uint64_t person;
    uint32_t audience;
    enum consent consent;
};

struct online {
    const struct settings *settings;
    FILE *out;
    struct check_bench bench;
    uv_timer_t limit;
    bool answered, over; /* of the step that is running */
    bool failed;         /* any step */
    struct arena arena;
    const char *site, *event_id,
        *event_title; /* the next sale anywhere: whom people are asked about; NULL: none known */
    int64_t event_at_ms;
    struct word *words;
    size_t word_count, word_cap;
    bool *audience_read; /* completely */
    struct audience *audience;
    struct audience_read *read; /* in flight */
    uint32_t reading;           /* index of its audience */
    size_t counts[3], bad;      /* by consent; records that could not be read */
};

/* --- Lines and limits -----------------------------------------------------------------------------------------------
 */

static void say(struct online *online, const char *kind, const char *name, bool fine, const struct buf *what)
{
    auto_buf struct buf line;

    buf_init(&line, 64 * 1024);
    buf_addf(&line, "%-9s %-16s %s", kind, name, fine ? "ok: " : "failed: ");
    buf_add_visible(&line, buf_text(what));
    fprintf(online->out, "  %.*s\n", TEXT_ARGS(buf_text(&line)));
    fflush(online->out);
    online->failed |= !fine;
}

static void say_error(struct online *online, const char *kind, const char *name, const struct error *err)
{
    auto_buf struct buf what = {0};

    buf_init(&what, 4096);
    buf_adds(&what, err->text);
    say(online, kind, name, false, &what);
}

static void on_limit(uv_timer_t *timer)
{
    ((struct online *)timer->data)->over = true;
}

/* Runs until the step has answered; false, with `err`, when its time is over. */
static bool wait_for_answer(struct online *online, int64_t limit_ms, struct error *err)
{
    uv_update_time(&online->bench.loop);
    online->over = false;
    uv_timer_start(&online->limit, on_limit, (uint64_t)limit_ms, 0);
    while (!online->answered && !online->over)
        uv_run(&online->bench.loop, UV_RUN_ONCE);
    uv_timer_stop(&online->limit);
    if (!online->answered)
        error_set(err, ERROR_TRY_LATER, "no answer within %lld s", (long long)(limit_ms / SECOND_MS));
    return online->answered;
}

/* --- Sites ----------------------------------------------------------------------------------------------------------
 */

/* The next one that opens is whom people are asked about; without one the latest. */
static void note_event(struct online *online, const struct definition *definition)
{
    int64_t now_ms = clock_now_ms(&clock_machine), at_ms = definition->sale_starts_at_ms;
    bool ahead = at_ms != MOMENT_NONE && at_ms > now_ms, known_ahead = online->event_id && online->event_at_ms > now_ms;

    if (!definition_visible(definition) || (known_ahead && (!ahead || at_ms >= online->event_at_ms)))
        return;
    online->site = arena_copy(&online->arena, text_of(definition->site));
    online->event_id = arena_copy(&online->arena, text_of(definition->event_id));
    online->event_title =
        arena_copy(&online->arena, text_of(*definition->event_title ? definition->event_title : definition->name));
    online->event_at_ms = at_ms;
}

static size_t count_events(const struct source_walk *walk)
{
    size_t events = 0;

    for (size_t i = 0; i < walk->count; i++) {
        size_t k = 0;
        while (k < i && strcmp(walk->definitions[k]->event_id, walk->definitions[i]->event_id) != 0)
            k++;
        events += k == i;
    }
    return events;
}

struct site_step {
    struct online *online;
    const struct site_settings *site;
};

static void on_walk(void *ctx, struct source_walk *walk)
{
    struct site_step *step = ctx;
    auto_buf struct buf what = {0};

    step->online->answered = true;
    if (walk->failure) {
        say_error(step->online, "site", step->site->name, walk->failure);
        return;
    }
    for (size_t i = 0; i < walk->count; i++)
        note_event(step->online, walk->definitions[i]);
    buf_init(&what, 4096);
    buf_addf(&what, "%zu ticket definitions of %zu events", walk->count, count_events(walk));
    if (walk->bad > 0)
        buf_addf(&what, "; %zu could not be read: %s", walk->bad, walk->bad_why ? walk->bad_why->text : "");
    if (walk->server_date_ms != MOMENT_NONE) {
        int64_t ahead_ms = walk->answered_at_ms - walk->server_date_ms;
        if (ahead_ms > CLOCKS_APART_MS || ahead_ms < -CLOCKS_APART_MS)
            buf_addf(&what, "; our clock is %lld ms %s its own", (long long)(ahead_ms < 0 ? -ahead_ms : ahead_ms),
                     ahead_ms > 0 ? "ahead of" : "behind");
    }
    say(step->online, "site", step->site->name, true, &what);
}

static void check_site(struct online *online, const struct site_settings *site)
{
    struct source_parts parts = {.loop = &online->bench.loop,
                                 .clock = &clock_machine,
                                 .alarms = online->bench.alarms,
                                 .fetcher = online->bench.fetcher};
    struct site_step step = {online, site};
    struct error err = {0};
    struct source *source =
        site->source == SOURCE_WIX ? source_wix_new(site, &parts, &err) : source_file_new(site, &parts, &err);
    struct source_request *request = source ? source->ops->walk(source, MOMENT_NONE, on_walk, &step, &err) : NULL;

    online->answered = false;
    if (!request) {
        say_error(online, "site", site->name, &err);
    } else if (!wait_for_answer(online, WALK_LIMIT_MS, &err)) {
        source_cancel(source, &request);
        say_error(online, "site", site->name, &err);
    }
    source_free(source);
}

/* --- Audiences and rules --------------------------------------------------------------------------------------------
 */

static void keep_word(struct online *online, const struct audience_record *record)
{
    static const struct crypt_keys any_keys;
    unsigned char key[PERSON_KEY_SIZE];
    struct address address;
    struct word word = {.audience = online->reading, .consent = record->consent};

    if (address_parse(record->address, &address, NULL) < 0)
        return;
    crypt_person_key(&any_keys, address.key, key);
    memcpy(&word.person, key, sizeof word.person);
    if (online->word_count == online->word_cap) {
        online->word_cap = online->word_cap ? 2 * online->word_cap : 4096;
        online->words = must_realloc(online->words, online->word_cap * sizeof *online->words);
    }
    online->words[online->word_count++] = word;
}

static void on_page(void *ctx, const struct audience_page *page)
{
    struct online *online = ctx;
    const char *name = online->settings->audiences[online->reading].name;
    auto_buf struct buf what = {0};

    for (size_t i = 0; i < page->count; i++) {
        online->counts[page->records[i].consent]++;
        keep_word(online, &page->records[i]);
    }
    online->bad += page->bad;
    if (!page->last && !page->failure) {
        online->audience->ops->next(online->read);
        return;
    }
    online->read = NULL;
    online->answered = true;
    if (page->failure) {
        say_error(online, "audience", name, page->failure);
        return;
    }
    online->audience_read[online->reading] = true;
    buf_init(&what, 4096);
    buf_addf(&what, "%zu say yes, %zu no, %zu never", online->counts[CONSENT_YES], online->counts[CONSENT_NO],
             online->counts[CONSENT_NEVER]);
    if (online->bad > 0)
        buf_addf(&what, "; %zu could not be read", online->bad);
    if (audience_has_interest(&online->settings->audiences[online->reading]))
        buf_addf(&what, " (asked about \"%s\")", online->event_title ? online->event_title : "no event: none is known");
    say(online, "audience", name, true, &what);
}

static void check_audience(struct online *online, uint32_t index)
{
    const struct audience_settings *mine = &online->settings->audiences[index];
    struct audience_parts parts = {.clock = &clock_machine,
                                   .alarms = online->bench.alarms,
                                   .fetcher = online->bench.fetcher,
                                   .uv_loop = &online->bench.loop};
    struct audience_question question = {.site = online->site ? online->site : "",
                                         .event_id = online->event_id ? online->event_id : ""};
    struct error err = {0};

    online->reading = index;
    online->answered = false;
    online->bad = 0;
    memset(online->counts, 0, sizeof online->counts);
    online->audience = mine->source == AUDIENCE_FILE ? audience_file_new(mine, &parts, &err)
                                                     : audience_listmonk_new(mine, &parts, &err);
    online->read =
        online->audience ? online->audience->ops->read(online->audience, &question, on_page, online, &err) : NULL;
    if (!online->read) {
        say_error(online, "audience", mine->name, &err);
    } else if (!wait_for_answer(online, READ_LIMIT_MS, &err)) {
        online->audience->ops->cancel(online->read);
        say_error(online, "audience", mine->name, &err);
    }
    if (online->audience)
        online->audience->ops->free(online->audience);
}

static int compare_words(const void *a, const void *b)
{
    const struct word *x = a, *y = b;

    if (x->person != y->person)
        return x->person < y->person ? -1 : 1;
    return (x->audience > y->audience) - (x->audience < y->audience);
}

/* Of the words about one person in the audiences of a rule: is there one audience that only says yes, and no never? */
static bool is_reached(const struct word *words, size_t count, const bool *asked)
{
    bool reached = false;

    for (size_t i = 0, next; i < count; i = next) {
        bool yes = true;
        for (next = i; next < count && words[next].audience == words[i].audience; next++) {
            if (asked[words[i].audience] && words[next].consent == CONSENT_NEVER)
                return false;
            yes &= words[next].consent == CONSENT_YES;
        }
        reached |= yes && asked[words[i].audience];
    }
    return reached;
}

static size_t count_reached(const struct online *online, const bool *asked)
{
    size_t reached = 0;

    for (size_t i = 0, next; i < online->word_count; i = next) {
        for (next = i; next < online->word_count && online->words[next].person == online->words[i].person;)
            next++;
        reached += is_reached(online->words + i, next - i, asked);
    }
    return reached;
}

/* By the notifier's rates: how fast its answers come nobody knows yet. */
static void add_outlook(const struct online *online, const struct rule *rule, int64_t people, struct buf *what)
{
    const struct notifier_settings *notifier = settings_notifier(online->settings, rule->notify.at[0]);
    struct forecast_speed speed = {.rates = notifier->channel.rate};
    int64_t span_ms = forecast_span_ms(&speed, people);

    if (span_ms < 0)
        return;
    buf_adds(what, rule->finish_within_ms > 0 && span_ms > rule->finish_within_ms ? "; will not fit: " : "; ");
    buf_add_forecast(what, &speed, people, false, span_ms, rule->finish_within_ms);
}

static void check_rule(struct online *online, const struct rule *rule)
{
    const struct settings *settings = online->settings;
    auto_free bool *asked = must_calloc(settings->audience_count, sizeof *asked);
    bool everybody = !rule->only.events.count && !rule->only.titles.count && !rule->only.definitions.count;
    bool about_event = false;
    auto_buf struct buf what = {0};

    buf_init(&what, 4096);
    for (size_t i = 0; i < rule->audiences.count; i++) {
        const struct audience_settings *audience = settings_audience(settings, rule->audiences.at[i]);
        size_t index = (size_t)(audience - settings->audiences);
        asked[index] = true;
        about_event |= audience_has_interest(audience);
        if (!online->audience_read[index]) {
            buf_addf(&what, "how many people is not known: audience %s could not be read", audience->name);
            say(online, "rule", rule->name, false, &what);
            return;
        }
    }
    size_t reached = count_reached(online, asked);
    buf_addf(&what, "reaches %zu people", reached);
    if (about_event)
        buf_addf(&what, " for \"%s\"", online->event_title ? online->event_title : "no event");
    else if (everybody)
        buf_adds(&what, ": everybody, for every event");
    add_outlook(online, rule, (int64_t)reached, &what);
    say(online, "rule", rule->name, true, &what);
}

/* --- Notifiers and the domains they write from ----------------------------------------------------------------------
 */

struct probe_step {
    struct online *online;
    const char *name;
};

static void on_probed(void *ctx, bool fine, const char *text)
{
    struct probe_step *step = ctx;
    auto_buf struct buf what = {0};

    buf_init(&what, 4096);
    buf_adds(&what, text);
    say(step->online, "notifier", step->name, fine, &what);
    step->online->answered = true;
}

static void check_notifier(struct online *online, const struct notifier_settings *notifier)
{
    struct probe_step step = {online, notifier->channel.name};
    struct error err = {0};
    struct channel *channel = check_bench_channel(&online->bench, notifier, &err);

    online->answered = false;
    if (channel)
        channel_probe(channel, on_probed, &step);
    if (!channel || !wait_for_answer(online, PROBE_LIMIT_MS, &err))
        say_error(online, "notifier", notifier->channel.name, &err);
    channel_free(channel);
}

/* One TXT record that must be there; `name` is asked, and with `climb` its parents down to two labels. */
static void check_record(struct online *online, const char *kind, const char *prefix, const char *domain,
                         const char *tag, bool climb)
{
    struct dns_texts texts;
    struct error err = {0};
    auto_buf struct buf what = {0};
    char name[512];

    buf_init(&what, 4096);
    for (const char *at = domain;; at = strchr(at, '.') + 1) {
        bool twice;
        snprintf(name, sizeof name, "%s%s", prefix, at);
        if (dns_txt(name, &online->arena, &texts, &err) < 0) {
            say_error(online, kind, domain, &err);
            return;
        }
        const char *found = dns_find(&texts, tag, &twice);
        if (found) {
            buf_addf(&what, "%s%s", twice ? "more than one record, which receivers take for none: " : "", found);
            say(online, kind, domain, !twice, &what);
            return;
        }
        const char *dot = strchr(at, '.');
        if (!climb || !dot || !strchr(dot + 1, '.'))
            break;
    }
    buf_addf(&what, "%s%s has no TXT record that begins with %s: receivers may refuse our mail", prefix, domain, tag);
    say(online, kind, domain, false, &what);
}

/* A notifier that stays on this machine meets nobody who would look. */
static void check_domains(struct online *online, const struct notifier_settings *notifier)
{
    auto_free char *name = NULL;
    struct address from, envelope;

    if (notifier->local || !notifier->channel.from || !*notifier->channel.from ||
        mailbox_parse(text_of(notifier->channel.from), &name, &from, NULL) < 0)
        return;
    const char *domain = address_domain(from.text), *bounces = domain;
    if (notifier->channel.envelope_from && *notifier->channel.envelope_from &&
        address_parse(text_of(notifier->channel.envelope_from), &envelope, NULL) == 0)
        bounces = address_domain(envelope.text);
    check_record(online, "SPF", "", bounces, "v=spf1", false);
    if (strcmp(bounces, domain) != 0)
        check_record(online, "SPF", "", domain, "v=spf1", false);
    check_record(online, "DMARC", "_dmarc.", domain, "v=DMARC1", true);
}

/* --- Webhooks -------------------------------------------------------------------------------------------------------
 */

static void on_reached(void *ctx, const struct fetch_result *result)
{
    if (result->failure)
        *(struct error *)ctx = *result->failure;
}

/* As far as a connection that is trusted: nothing is sent, `onsale webhooks test` does that. */
static void check_webhook(struct online *online, const struct webhook_settings *webhook)
{
    struct fetch_spec spec = {.method = "POST",
                              .url = webhook->url,
                              .timeout_ms = webhook->timeout_ms,
                              .public_only = !webhook->allow_private,
                              .reach = true};
    struct error err = {0};
    auto_buf struct buf what = {0};

    if (fetch_wait(&spec, on_reached, &err, &err) < 0 || err.kind != ERROR_NONE) {
        say_error(online, "webhook", webhook->name, &err);
        return;
    }
    buf_init(&what, 4096);
    buf_add_webhook_place(&what, webhook->url);
    buf_adds(&what, " can be reached; nothing was sent");
    say(online, "webhook", webhook->name, true, &what);
}

int check_online(const struct settings *settings, FILE *out)
{
    struct online online = {.settings = settings, .out = out, .event_at_ms = MOMENT_NONE};
    struct error err = {0};

    fputs("\nonline\n", out);
    if (check_bench_init(&online.bench, &err) < 0) {
        check_bench_clear(&online.bench);
        say_error(&online, "", "", &err);
        return -1;
    }
    uv_timer_init(&online.bench.loop, &online.limit);
    online.limit.data = &online;
    online.audience_read = must_calloc(settings->audience_count + 1, sizeof *online.audience_read);
    for (size_t i = 0; i < settings->site_count; i++)
        check_site(&online, &settings->sites[i]);
    for (uint32_t i = 0; i < settings->audience_count; i++)
        check_audience(&online, i);
    if (online.word_count > 0)
        qsort(online.words, online.word_count, sizeof *online.words, compare_words);
    for (size_t i = 0; i < settings->rule_count; i++)
        check_rule(&online, &settings->rules[i]);
    for (size_t i = 0; i < settings->notifier_count; i++) {
        check_notifier(&online, &settings->notifiers[i]);
        check_domains(&online, &settings->notifiers[i]);
    }
    for (size_t i = 0; i < settings->webhook_count; i++)
        check_webhook(&online, &settings->webhooks[i]);
    uv_close((uv_handle_t *)&online.limit, NULL);
    check_bench_clear(&online.bench);
    free(online.words);
    free(online.audience_read);
    arena_clear(&online.arena);
    return online.failed ? -1 : 0;
}
