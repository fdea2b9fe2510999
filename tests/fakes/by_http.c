/* by_http.c - a notifier that posts each message to a URL, for the tests of what the host passes on of HTTP
 * (notifier.h). The recipient travels in a header. Answers: 2xx accepted, 429 and 5xx later, everything else refused.
 */
#include "notifier.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct by_http {
    const char *url;
    int64_t timeout_ms, answer_limit;
    const struct notifier_host *host;
    struct post *posts;
};

struct post {
    struct by_http *by_http;
    struct notifier_delivery *delivery;
    struct notifier_http *http;
    struct post *next;
};

static void end(struct post *post, struct notifier_result result)
{
    struct by_http *by_http = post->by_http;
    struct post **at = &by_http->posts;

    while (*at != post)
        at = &(*at)->next;
    *at = post->next;
    by_http->host->finish(by_http->host, post->delivery, &result);
    free(post);
}

static void on_answer(void *ctx, const struct notifier_http_result *answer)
{
    struct post *post = ctx;
    const struct notifier_host *host = post->by_http->host;
    char text[200];
    struct notifier_result result = {
        .code = answer->status, .text = text, .retry_after_ms = answer->retry_after_ms, .scope = NOTIFIER_ADDRESS};

    snprintf(text, sizeof text, "%s",
             answer->failure        ? answer->failure
             : answer->body_len > 0 ? answer->body
                                    : "nothing was said");
    if (answer->status == 0) {
        result.scope = NOTIFIER_CHANNEL;
        result.fate = answer->in_doubt ? NOTIFIER_IN_DOUBT : NOTIFIER_TRY_LATER;
    } else if (answer->status / 100 == 2) {
        result.fate = NOTIFIER_ACCEPTED;
    } else {
        result.fate = answer->status == 429 || answer->status >= 500 ? NOTIFIER_TRY_LATER : NOTIFIER_REFUSED;
    }
    if (result.fate == NOTIFIER_ACCEPTED || result.fate == NOTIFIER_IN_DOUBT)
        result.handed_over_at_ms = host->now_ms(host);
    end(post, result);
}

static enum notifier_answer by_http_send(void *state, struct notifier_delivery *const *batch, size_t count)
{
    struct by_http *by_http = state;
    const struct notifier_http_header headers[] = {{"Content-Type", "message/rfc822"}, {"X-To", batch[0]->to}};
    struct notifier_http_spec spec = {
        .method = "POST",
        .url = by_http->url,
        .headers = headers,
        .header_count = 2,
        .body = batch[0]->raw,
        .body_len = batch[0]->raw_len,
        .answer_limit = (size_t)by_http->answer_limit,
        .timeout_ms = by_http->timeout_ms,
    };
    struct post *post = calloc(1, sizeof *post);
    char error[200];

    (void)count;
    if (!post)
        abort();
    *post = (struct post){.by_http = by_http, .delivery = batch[0], .next = by_http->posts};
    by_http->posts = post;
    post->http = by_http->host->http_start(by_http->host, &spec, on_answer, post, error, sizeof error);
    if (!post->http)
        end(post, (struct notifier_result){.fate = NOTIFIER_TRY_LATER, .scope = NOTIFIER_CHANNEL, .text = error});
    return NOTIFIER_STARTED;
}

static void by_http_stop(void *state, bool at_once)
{
    struct by_http *by_http = state;

    while (at_once && by_http->posts) {
        by_http->host->http_cancel(by_http->posts->http);
        end(by_http->posts, (struct notifier_result){.fate = NOTIFIER_IN_DOUBT,
                                                     .scope = NOTIFIER_CHANNEL,
                                                     .text = "stopped before the answer came",
                                                     .handed_over_at_ms = by_http->host->now_ms(by_http->host)});
    }
}

static int64_t by_http_window(const void *state)
{
    (void)state;
    return 8;
}

static bool by_http_local(const void *state)
{
    const struct by_http *by_http = state;
    return strncmp(by_http->url, "http://127.0.0.1:", 17) == 0;
}

static int by_http_open(void *state, const struct notifier_host *host, char *error, size_t error_size)
{
    struct by_http *by_http = state;

    (void)error;
    (void)error_size;
    by_http->host = host;
    return 0;
}

static void by_http_close(void *state)
{
    (void)state;
}

static const struct notifier_option options[] = {
    {"url", NOTIFIER_TEXT, offsetof(struct by_http, url), .required = true},
    {"timeout", NOTIFIER_SPAN, offsetof(struct by_http, timeout_ms), .fallback = "1s"},
    {"answer_limit", NOTIFIER_SIZE, offsetof(struct by_http, answer_limit), .fallback = "10KB"},
    {0},
};

NOTIFIER_EXPORT const struct notifier notifier = {
    .abi = NOTIFIER_ABI,
    .size = sizeof(struct notifier),
    .name = "by_http",
    .options = options,
    .state_size = sizeof(struct by_http),
    .batch_max = 1,
    .flags = NOTIFIER_TAKES_RAW,
    .open = by_http_open,
    .send = by_http_send,
    .close = by_http_close,
    .stop = by_http_stop,
    .window = by_http_window,
    .local = by_http_local,
};
