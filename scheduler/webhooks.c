#include "webhooks_private.h"

#include "crypt.h"

#include <string.h>

enum {
    QUIET_MS = MINUTE_MS,     /* of an event, before its openings are told */
    EARLY_MS = 5 * SECOND_MS, /* something new has the first of the line tried before its time, but no sooner */
    GAP_FIRST_MS = SECOND_MS, /* between two to an endpoint that was busy, ... */
    GAP_NONE_MS = 100,
    GAP_LAST_MS = MINUTE_MS,        /* ... at most */
    STORE_AGAIN_MS = 5 * SECOND_MS, /* after it could not */
    ANSWER_MAX = 4 * 1024,          /* bytes that are read of an answer ... */
    SAID_MAX = 200,                 /* ... and shown */
};

static void go_on(struct endpoint *endpoint);
static void request_turn(struct endpoint *endpoint);
static void on_turned(void *ctx, const struct store_webhook_turned *result);
static void request_post(struct endpoint *endpoint);
static void on_posted(void *ctx, const struct fetch_result *result);
static void request_openings(struct webhooks *webhooks);
static void on_openings(void *ctx, const struct store_webhook_openings *result);

static int64_t now_of(const struct endpoint *endpoint)
{
    return clock_now_ms(endpoint->webhooks->world->clock);
}

/* --- What is next ------------------------------------------------------------------------------------------------- */

static void ring(void *ctx)
{
    go_on(ctx);
}

static void wait_until(struct endpoint *endpoint, int64_t at_ms)
{
    alarm_set(endpoint->webhooks->world->alarms, &endpoint->wake, at_ms, ring, endpoint);
}

/* Starts whatever may start now. */
static void go_on(struct endpoint *endpoint)
{
    int64_t now_ms = now_of(endpoint);

    if (endpoint->job || endpoint->fetch || endpoint->unstored || endpoint->webhooks->world->copy)
        return;
    if (endpoint->tried_at_ms > now_ms) /* somebody set the clock back */
        endpoint->tried_at_ms = now_ms;
    if (now_ms < endpoint->tried_at_ms + endpoint->gap_ms) {
        wait_until(endpoint, endpoint->tried_at_ms + endpoint->gap_ms);
        return;
    }
    endpoint->turn = (struct store_webhook_turn){
        .name = endpoint->settings->name,
        .now_ms = now_ms,
        .early = endpoint->try_early && now_ms - endpoint->tried_at_ms >= EARLY_MS,
    };
    endpoint->asked_again = false;
    if (endpoint->turn.early)
        endpoint->try_early = false;
    request_turn(endpoint);
}

static void request_turn(struct endpoint *endpoint)
{
    endpoint->job = store_webhook_turn(endpoint->webhooks->world->store, &endpoint->turn, on_turned, endpoint);
}

static void ask_store_again(void *ctx)
{
    struct endpoint *endpoint = ctx;

    endpoint->unstored = false;
    request_turn(endpoint);
}

/* What is on disk by now: it is said once. */
static void say_stopped(struct endpoint *endpoint, const char *why)
{
    const struct world *world = endpoint->webhooks->world;
    const char *name = endpoint->settings->name;
    auto_buf struct buf body = {0};
    char subject[128];

    log_line(world->log, LOG_ERROR,
             "event=webhook_disabled webhook=%s waiting=%lld why=%s remedy=\"onsale webhooks enable %s\"", name,
             (long long)endpoint->waiting, LOG_QUOTED(text_of(why)), name);
    if (!world->tell_operators)
        return;
    snprintf(subject, sizeof subject, "Webhook %s is disabled", name);
    buf_init(&body, 4096);
    buf_addf(&body, "Webhook %s (", name);
    buf_add_webhook_place(&body, endpoint->settings->url);
    buf_addf(&body,
             ") is not told of anything any more: %s\n\n%lld events wait for it. When it is repaired:\n\n"
             "onsale webhooks test %s\nonsale webhooks enable %s\n",
             why, (long long)endpoint->waiting, name, name);
    if (!buf_failed(&body))
        world->tell_operators(world->tell_ctx, subject, body.ptr);
}

static void say_given_up(struct endpoint *endpoint, const char *why)
{
    const struct world *world = endpoint->webhooks->world;
    const char *name = endpoint->settings->name, *id = endpoint->message.id;
    auto_buf struct buf body = {0};
    char subject[128];

    log_line(world->log, LOG_ERROR, "event=webhook_given_up webhook=%s id=%s type=%s tries=%d why=%s", name, id,
             webhook_type_name((enum webhook_type)endpoint->message.type), WEBHOOK_TRIES, LOG_QUOTED(text_of(why)));
    if (!world->tell_operators)
        return;
    snprintf(subject, sizeof subject, "Webhook %s did not take an event", name);
    buf_init(&body, 4096);
    buf_addf(&body, "It has refused the event %s of type %s again and again, though it took others: %s\n", id,
             webhook_type_name((enum webhook_type)endpoint->message.type), why);
    if (!buf_failed(&body))
        world->tell_operators(world->tell_ctx, subject, body.ptr);
}

/* Those that the store let go, because too many wait: at most once an hour, however many there are. */
static void note_dropped(struct endpoint *endpoint, int64_t dropped)
{
    int64_t now_ms = now_of(endpoint);

    if (endpoint->dropped < 0)
        endpoint->said_dropped = dropped;
    else if (endpoint->turn.fate == STORE_WEBHOOK_GIVEN_UP)
        endpoint->said_dropped++; /* that one is told of */
    endpoint->dropped = dropped;
    if (dropped <= endpoint->said_dropped || now_ms < endpoint->say_dropped_at_ms)
        return;
    log_line(endpoint->webhooks->world->log, LOG_WARNING,
             "event=webhook_dropped webhook=%s dropped=%lld what=\"too much waits: the oldest are gone\"",
             endpoint->settings->name, (long long)(dropped - endpoint->said_dropped));
    endpoint->said_dropped = dropped;
    endpoint->say_dropped_at_ms = now_ms + HOUR_MS;
}

static void take(struct endpoint *endpoint, const struct store_webhook_turned *result)
{
    struct webhook_message *message = &endpoint->message;

    arena_clear(&endpoint->arena);
    *message = (struct webhook_message){.no = result->no,
                                        .at_ms = result->at_ms,
                                        .due_at_ms = result->due_at_ms,
                                        .type = result->type,
                                        .tries = result->tries,
                                        .is_early = result->is_early};
    message->id = arena_copy(&endpoint->arena, text_of(result->id));
    message->body = arena_copy(&endpoint->arena, text_of(result->body));
}

static void on_turned(void *ctx, const struct store_webhook_turned *result)
{
    struct endpoint *endpoint = ctx;
    struct world *world = endpoint->webhooks->world;

    endpoint->job = NULL;
    if (result->failure) {
        log_line(world->log, LOG_ERROR, "event=webhook_store_failed webhook=%s error=%s", endpoint->settings->name,
                 LOG_QUOTED(text_of(result->failure->text)));
        endpoint->unstored = true;
        alarm_set(world->alarms, &endpoint->wake, now_of(endpoint) + STORE_AGAIN_MS, ask_store_again, endpoint);
        return;
    }
    note_dropped(endpoint, result->dropped);
    endpoint->waiting = result->waiting;
    endpoint->accepted_at_ms = result->accepted_at_ms;
    endpoint->stopped = result->disabled;
    if (endpoint->turn.disable)
        say_stopped(endpoint, endpoint->turn.disable);
    else if (endpoint->turn.fate == STORE_WEBHOOK_GIVEN_UP)
        say_given_up(endpoint, endpoint->turn.said ? endpoint->turn.said : "");
    if (result->no && now_of(endpoint) >= endpoint->tried_at_ms + endpoint->gap_ms) {
        take(endpoint, result);
        request_post(endpoint);
        return;
    }
    if (endpoint->asked_again || result->no)
        go_on(endpoint);
    else if (result->next_at_ms != MOMENT_NONE)
        wait_until(endpoint, endpoint->try_early && endpoint->tried_at_ms + EARLY_MS < result->next_at_ms
                                 ? endpoint->tried_at_ms + EARLY_MS
                                 : result->next_at_ms);
}

/* --- Telling ------------------------------------------------------------------------------------------------------ */

/* Standard Webhooks: the headers id, timestamp of this attempt, and a signature by each secret. */
struct fetch *webhooks_post(const struct endpoint *endpoint, const char *id, const char *body, fetch_done_fn *done,
                            void *ctx, struct error *err)
{
    const struct webhooks *webhooks = endpoint->webhooks;
    int64_t now_s = clock_now_ms(webhooks->world->clock) / SECOND_MS;
    char timestamp[24], signatures[SECRETS * WEBHOOK_SIGNATURE_SIZE] = "";
    struct fetch_header headers[] = {{"Content-Type", "application/json"},
                                     {"webhook-id", id},
                                     {"webhook-timestamp", timestamp},
                                     {"webhook-signature", signatures}};

    snprintf(timestamp, sizeof timestamp, "%lld", (long long)now_s);
    for (size_t i = 0; i < endpoint->secret_count; i++) {
        char signature[WEBHOOK_SIGNATURE_SIZE];
        size_t len = strlen(signatures);
        webhook_sign(&endpoint->secrets[i], text_of(id), now_s, text_of(body), signature);
        snprintf(signatures + len, sizeof signatures - len, "%s%s", len ? " " : "", signature);
    }
    struct fetch_spec spec = {.method = "POST",
                              .url = endpoint->settings->url,
                              .headers = headers,
                              .header_count = ARRAY_LEN(headers),
                              .body = text_of(body),
                              .body_limit = ANSWER_MAX,
                              .cut = true,
                              .timeout_ms = endpoint->settings->timeout_ms,
                              .public_only = !endpoint->settings->allow_private,
                              .to = "webhook",
                              .name = endpoint->settings->name};
    return webhooks->post->start(webhooks->post->ctx, &spec, done, ctx, err);
}

static void request_post(struct endpoint *endpoint)
{
    struct error err = {0};

    endpoint->fetch = webhooks_post(endpoint, endpoint->message.id, endpoint->message.body, on_posted, endpoint, &err);
    if (!endpoint->fetch)
        on_posted(endpoint, &(struct fetch_result){.retry_after_ms = -1, .failure = &err});
}

/* One line for the same trouble, however long it lasts. */
static void say_failure(struct endpoint *endpoint, const struct error *failure, int64_t again_at_ms)
{
    if (endpoint->reason.kind == failure->kind && strcmp(endpoint->reason.text, failure->text) == 0)
        return;
    endpoint->reason = *failure;
    log_line(endpoint->webhooks->world->log, LOG_WARNING,
             "event=webhook_waits webhook=%s id=%s tries=%d again_in_ms=%lld error=%s", endpoint->settings->name,
             endpoint->message.id, endpoint->turn.tries, (long long)(again_at_ms - now_of(endpoint)),
             LOG_QUOTED(text_of(failure->text)));
}

/* What the endpoint said instead of "yes", as people may read it. */
static void describe(const struct endpoint *endpoint, const struct fetch_result *result, struct error *out)
{
    auto_free char *said = webhook_said(endpoint->settings->url, result->body, SAID_MAX);

    if (result->failure)
        error_set(out, result->failure->kind, "%s%s", result->failure->text,
                  strstr(result->failure->text, "public internet") && !endpoint->settings->allow_private
                      ? ": allow_private: true lets this webhook go there"
                      : "");
    else if (result->status >= 300 && result->status < 400)
        error_set(out, ERROR_CONFIG, "answered %d: redirects are not followed, name the place itself", result->status);
    else
        error_set(out, ERROR_TRY_LATER, "answered %d%s%s", result->status, said ? ": " : "", said ? said : "");
}

static void slow_down(struct endpoint *endpoint)
{
    endpoint->gap_ms = endpoint->gap_ms ? 2 * endpoint->gap_ms : GAP_FIRST_MS;
    if (endpoint->gap_ms > GAP_LAST_MS)
        endpoint->gap_ms = GAP_LAST_MS;
}

static void note_accepted(struct endpoint *endpoint)
{
    if (endpoint->reason.kind != ERROR_NONE)
        log_line(endpoint->webhooks->world->log, LOG_NOTICE, "event=webhook_works webhook=%s",
                 endpoint->settings->name);
    endpoint->reason = (struct error){0};
    endpoint->accepted++;
    endpoint->gap_ms = endpoint->gap_ms > GAP_NONE_MS ? endpoint->gap_ms / 2 : 0;
    endpoint->try_early = false;
    endpoint->turn.fate = STORE_WEBHOOK_ACCEPTED;
}

/* `said` is in the endpoint's arena. An early try that fails counts for nothing. */
static void note_failed(struct endpoint *endpoint, enum webhook_verdict verdict, int64_t retry_after_ms,
                        const char *said)
{
    const struct webhook_message *message = &endpoint->message;
    struct store_webhook_turn *turn = &endpoint->turn;
    int tries = message->tries + !message->is_early;
    int64_t wait_ms = tries ? webhook_wait_ms(tries, retry_after_ms, crypt_random_u64()) : 0;

    endpoint->failed++;
    turn->fate = verdict == WEBHOOK_REFUSED ? STORE_WEBHOOK_REFUSED : STORE_WEBHOOK_AGAIN;
    turn->tries = tries;
    turn->next_at_ms = message->is_early ? message->due_at_ms : turn->now_ms + wait_ms;
    turn->said = said;
    if (verdict == WEBHOOK_BUSY)
        slow_down(endpoint);
    if (verdict != WEBHOOK_REFUSED && retry_after_ms > 0)
        turn->not_before_ms = turn->now_ms + (retry_after_ms > DAY_MS ? DAY_MS : retry_after_ms);
    if (verdict == WEBHOOK_GONE) {
        turn->tries = 0;
        turn->disable = said;
    } else if (wait_ms < 0 && verdict == WEBHOOK_REFUSED && endpoint->accepted_at_ms != MOMENT_NONE &&
               endpoint->accepted_at_ms >= message->at_ms) {
        turn->fate = STORE_WEBHOOK_GIVEN_UP;
    } else if (wait_ms < 0) {
        turn->next_at_ms = turn->now_ms;
        turn->disable =
            arena_printf(&endpoint->arena, "%d tries over three days failed, the last one: %s", tries, said);
    }
}

static void on_posted(void *ctx, const struct fetch_result *result)
{
    struct endpoint *endpoint = ctx;
    enum webhook_verdict verdict = webhook_judge(result->failure ? 0 : result->status);
    struct error failure = {0};

    endpoint->fetch = NULL;
    endpoint->tried_at_ms = now_of(endpoint);
    endpoint->turn = (struct store_webhook_turn){.name = endpoint->settings->name,
                                                 .now_ms = endpoint->tried_at_ms,
                                                 .no = endpoint->message.no,
                                                 .status = result->status};
    if (verdict == WEBHOOK_ACCEPTED) {
        note_accepted(endpoint);
    } else {
        describe(endpoint, result, &failure);
        note_failed(endpoint, verdict, result->retry_after_ms, arena_copy(&endpoint->arena, text_of(failure.text)));
        if (!endpoint->turn.disable)
            say_failure(endpoint, &failure, endpoint->turn.next_at_ms);
    }
    request_turn(endpoint);
}

/* --- Openings ----------------------------------------------------------------------------------------------------- */

static void on_quiet(void *ctx)
{
    request_openings(ctx);
}

static void request_openings(struct webhooks *webhooks)
{
    struct world *world = webhooks->world;

    webhooks->openings_again = webhooks->openings != NULL;
    if (!webhooks->openings)
        webhooks->openings =
            store_webhook_openings(world->store, clock_now_ms(world->clock), QUIET_MS, on_openings, webhooks);
}

static void on_openings(void *ctx, const struct store_webhook_openings *result)
{
    struct webhooks *webhooks = ctx;
    struct world *world = webhooks->world;
    int64_t now_ms = clock_now_ms(world->clock);

    webhooks->openings = NULL;
    if (result->failure) {
        log_line(world->log, LOG_ERROR, "event=webhook_store_failed what=openings error=%s",
                 LOG_QUOTED(text_of(result->failure->text)));
        alarm_set(world->alarms, &webhooks->quiet, now_ms + STORE_AGAIN_MS, on_quiet, webhooks);
    } else if (webhooks->openings_again) {
        request_openings(webhooks);
    } else if (result->next_at_ms != MOMENT_NONE) {
        alarm_set(world->alarms, &webhooks->quiet, result->next_at_ms, on_quiet, webhooks);
    }
}

/* --- The whole ---------------------------------------------------------------------------------------------------- */

static int read_secrets(struct endpoint *endpoint, struct error *err)
{
    const char *const secrets[SECRETS] = {endpoint->settings->secret, endpoint->settings->old_secret};

    for (size_t i = 0; i < SECRETS; i++)
        if (secrets[i] && *secrets[i] &&
            webhook_secret_parse(text_of(secrets[i]), &endpoint->secrets[endpoint->secret_count++], err) < 0)
            return error_at(err, "webhook %s", endpoint->settings->name);
    return 0;
}

/* Names with a blank around each. */
static char *site_list(const struct config_list *sites)
{
    struct buf list;

    buf_init(&list, 1 << 16);
    for (size_t i = 0; i < sites->count; i++)
        buf_addf(&list, "%s%s ", i ? "" : " ", sites->at[i]);
    return list.len ? buf_take(&list) : must_strdup("");
}

static void set_endpoints(struct webhooks *webhooks);

static void on_set_again(void *ctx)
{
    set_endpoints(ctx);
}

static void on_set(void *ctx, int64_t dropped, const struct error *failure)
{
    struct webhooks *webhooks = ctx;
    int64_t now_ms = clock_now_ms(webhooks->world->clock);

    webhooks->setting = NULL;
    if (failure) { /* meanwhile nothing is written for who is new */
        log_line(webhooks->world->log, LOG_ERROR, "event=webhook_store_failed what=endpoints error=%s",
                 LOG_QUOTED(text_of(failure->text)));
        alarm_set(webhooks->world->alarms, &webhooks->again, now_ms + STORE_AGAIN_MS, on_set_again, webhooks);
        return;
    }
    if (dropped > 0)
        log_line(webhooks->world->log, LOG_WARNING,
                 "event=webhook_dropped dropped=%lld what=\"their endpoints left the configuration\"",
                 (long long)dropped);
}

/* Before anything is planned by this configuration: what changes from now on is for these. */
static void set_endpoints(struct webhooks *webhooks)
{
    struct store_webhook *list = must_calloc(webhooks->count + 1, sizeof *list);
    struct arena arena = {0};

    for (size_t i = 0; i < webhooks->count; i++) {
        const struct webhook_settings *settings = webhooks->endpoints[i].settings;
        auto_buf struct buf place = {0};
        auto_free char *sites = site_list(&settings->sites);
        buf_init(&place, 4096);
        buf_add_webhook_place(&place, settings->url);
        list[i] = (struct store_webhook){settings->name, arena_copy(&arena, buf_text(&place)), webhook_types(settings),
                                         arena_copy(&arena, text_of(sites))};
    }
    webhooks->setting = store_webhooks_set(webhooks->world->store, list, webhooks->count, on_set, webhooks);
    arena_clear(&arena);
    free(list);
}

static void on_told(void *ctx)
{
    webhooks_look(ctx);
}

struct webhooks *webhooks_new(struct world *world, const struct webhook_settings *settings, size_t count,
                              const struct webhook_post *post, struct error *err)
{
    struct webhooks *webhooks = must_calloc(1, sizeof *webhooks);

    webhooks->world = world;
    webhooks->post = post;
    webhooks->endpoints = must_calloc(count + 1, sizeof *webhooks->endpoints);
    for (size_t i = 0; i < count; i++) {
        struct endpoint *endpoint = &webhooks->endpoints[webhooks->count++];
        *endpoint = (struct endpoint){
            .webhooks = webhooks, .settings = &settings[i], .dropped = -1, .accepted_at_ms = MOMENT_NONE};
        if (read_secrets(endpoint, err) < 0) {
            webhooks_free(webhooks);
            return NULL;
        }
    }
    set_endpoints(webhooks);
    store_on_told(world->store, on_told, webhooks);
    webhooks_look(webhooks);
    return webhooks;
}

void webhooks_free(struct webhooks *webhooks)
{
    if (!webhooks)
        return;
    store_on_told(webhooks->world->store, NULL, NULL);
    webhooks_end_pings(webhooks);
    for (size_t i = 0; i < webhooks->count; i++) {
        struct endpoint *endpoint = &webhooks->endpoints[i];
        store_cancel(&endpoint->job);
        webhooks->post->cancel(webhooks->post->ctx, &endpoint->fetch);
        alarm_off(&endpoint->wake);
        arena_clear(&endpoint->arena);
        for (size_t k = 0; k < SECRETS; k++)
            webhook_secret_clear(&endpoint->secrets[k]);
    }
    store_cancel(&webhooks->setting);
    store_cancel(&webhooks->openings);
    alarm_off(&webhooks->quiet);
    alarm_off(&webhooks->again);
    free(webhooks->endpoints);
    free(webhooks);
}

void webhooks_look(struct webhooks *webhooks)
{
    if (!webhooks || webhooks->count == 0)
        return;
    for (size_t i = 0; i < webhooks->count; i++) {
        webhooks->endpoints[i].asked_again = webhooks->endpoints[i].try_early = true;
        go_on(&webhooks->endpoints[i]);
    }
    request_openings(webhooks);
}

size_t webhooks_count(const struct webhooks *webhooks)
{
    return webhooks ? webhooks->count : 0;
}

struct webhook_counts webhooks_counts(const struct webhooks *webhooks, size_t index)
{
    const struct endpoint *endpoint = &webhooks->endpoints[index];

    return (struct webhook_counts){.name = endpoint->settings->name,
                                   .accepted = endpoint->accepted,
                                   .failed = endpoint->failed,
                                   .dropped = endpoint->dropped > 0 ? endpoint->dropped : 0,
                                   .waiting = endpoint->waiting,
                                   .disabled = endpoint->stopped};
}
