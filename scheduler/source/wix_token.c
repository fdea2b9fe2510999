#include "wix.h"

#include <jansson.h>
#include <string.h>

struct wix_token {
    const struct site_settings *settings; /* borrowed, as are the parts */
    const struct source_parts *parts;
    char *value;                     /* NULL: none */
    int64_t renew_at_ms, ends_at_ms; /* by the clock that never steps */
    struct fetch *fetch;             /* the one request in flight, or NULL */
    struct wix_waiter *waiters;
};

static void on_token(void *ctx, const struct fetch_result *result);

struct wix_token *wix_token_new(const struct site_settings *settings, const struct source_parts *parts)
{
    struct wix_token *token = must_calloc(1, sizeof *token);

    token->settings = settings;
    token->parts = parts;
    return token;
}

static void forget_value(struct wix_token *token)
{
    if (token->value)
        explicit_bzero(token->value, strlen(token->value));
    free(token->value);
    token->value = NULL;
}

void wix_token_free(struct wix_token *token)
{
    if (!token)
        return;
    fetch_cancel(&token->fetch);
    while (token->waiters)
        wix_token_leave(token->waiters);
    forget_value(token);
    free(token);
}

const char *wix_token_value(const struct wix_token *token)
{
    return clock_mono_ms(token->parts->clock) < token->renew_at_ms ? token->value : NULL;
}

void wix_token_leave(struct wix_waiter *waiter)
{
    if (!waiter->link)
        return;
    *waiter->link = waiter->next;
    if (waiter->next)
        waiter->next->link = waiter->link;
    *waiter = (struct wix_waiter){0};
}

void wix_token_spoil(struct wix_token *token, const char *value)
{
    if (token->value && strcmp(token->value, value) == 0)
        forget_value(token); /* else it was renewed meanwhile */
}

static int request_token(struct wix_token *token, struct error *err)
{
    const struct site_settings *site = token->settings;
    static const struct fetch_header headers[] = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
    auto_free char *url = NULL;
    json_t *body = json_pack("{s:s, s:s, s:s, s:s}", "grant_type", "client_credentials", "client_id", site->client_id,
                             "client_secret", site->client_secret, "instance_id", site->instance_id);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;

    json_decref(body);
    if (!text || asprintf(&url, "%s/oauth2/token", site->base_url) < 0) {
        free(text);
        return error_set(err, ERROR_CONFIG, "client_id, client_secret or instance_id is not UTF-8");
    }
    token->fetch = fetch_start(token->parts->fetcher,
                               &(struct fetch_spec){.method = "POST",
                                                    .url = url,
                                                    .headers = headers,
                                                    .header_count = ARRAY_LEN(headers),
                                                    .body = text_of(text),
                                                    .body_limit = 64 * 1024,
                                                    .timeout_ms = site->timeout_ms,
                                                    .to = "site",
                                                    .name = site->name},
                               on_token, token, err);
    explicit_bzero(text, strlen(text));
    free(text);
    return token->fetch ? 0 : error_at(err, "token");
}

int wix_token_wait(struct wix_token *token, struct wix_waiter *waiter, wix_token_fn *done, void *ctx, struct error *err)
{
    if (!token->fetch && request_token(token, err) < 0)
        return -1;
    *waiter = (struct wix_waiter){.done = done, .ctx = ctx, .next = token->waiters, .link = &token->waiters};
    if (waiter->next)
        waiter->next->link = &waiter->next;
    token->waiters = waiter;
    return 0;
}

/* {"access_token": "...", "token_type": "Bearer", "expires_in": 14400} */
static int take_token(struct wix_token *token, struct text body, struct error *err)
{
    enum { LIFE_UNSAID_S = 300, LIFE_MAX_S = 30 * 86400, VALUE_MAX = 16 * 1024 };
    json_t *root = json_loadb(body.ptr ? body.ptr : "", body.len, 0, NULL);
    const char *value = json_string_value(json_object_get(root, "access_token"));
    const json_t *life = json_object_get(root, "expires_in");
    int64_t life_s = json_is_integer(life) ? json_integer_value(life) : LIFE_UNSAID_S;

    if (!value || !*value || strlen(value) > VALUE_MAX || !wix_is_header_value(value) || life_s < 1) {
        json_decref(root);
        return error_set(err, ERROR_TRY_LATER, "not the documented shape: expected access_token and expires_in");
    }
    if (life_s > LIFE_MAX_S)
        life_s = LIFE_MAX_S;
    int64_t now_ms = clock_mono_ms(token->parts->clock);
    forget_value(token);
    token->value = must_strdup(value);
    token->renew_at_ms = now_ms + life_s * 900;
    token->ends_at_ms = now_ms + life_s * SECOND_MS;
    json_decref(root);
    return 0;
}

/* Errors follow RFC 6749 section 5.2: {"error": "invalid_client", "error_description": "..."}. */
static int check_token(const struct fetch_result *result, struct error *err)
{
    static const char what[] = "POST /oauth2/token";
    json_t *root = NULL;

    if (!result->failure && result->status >= 400 && result->status < 500 && result->body.ptr)
        root = json_loadb(result->body.ptr, result->body.len, 0, NULL);
    const char *code = json_string_value(json_object_get(root, "error"));
    const char *said = json_string_value(json_object_get(root, "error_description"));
    if (code && result->status != 408 && result->status != 429)
        error_set(err, ERROR_CONFIG,
                  "%s: %d %.60s \"%.160s\" (request %.*s): check client_id, client_secret and "
                  "instance_id",
                  what, result->status, code, said ? said : "", TEXT_ARGS(result->request_id));
    json_decref(root);
    if (err->kind != ERROR_NONE)
        return -1;
    return wix_answer_check(result, what, true, &(struct wix_meaning){0}, err);
}

static void on_token(void *ctx, const struct fetch_result *result)
{
    struct wix_token *token = ctx;
    struct error err = {0};

    token->fetch = NULL;
    if (check_token(result, &err) == 0)
        take_token(token, result->body, &err);
    /* An old one that still lives is better than none. */
    if (err.kind != ERROR_NONE && token->value && clock_mono_ms(token->parts->clock) < token->ends_at_ms) {
        log_line(token->parts->log, LOG_WARNING, "event=token_not_renewed site=%s why=%s", token->settings->name,
                 LOG_QUOTED(text_of(err.text)));
        token->renew_at_ms = clock_mono_ms(token->parts->clock) + 5 * SECOND_MS;
        if (token->renew_at_ms > token->ends_at_ms)
            token->renew_at_ms = token->ends_at_ms;
        err = (struct error){0};
    }
    /* A waiter may end anything, us included, when it hears: those told now are taken off one by one from a list that
     * lives here, and new ones ask anew. */
    struct wix_waiter *told = token->waiters;
    token->waiters = NULL;
    if (told)
        told->link = &told;
    while (told) {
        wix_token_fn *done = told->done;
        void *their_ctx = told->ctx;
        wix_token_leave(told);
        done(their_ctx, err.kind == ERROR_NONE ? NULL : &err);
    }
}
