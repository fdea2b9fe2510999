#include "wix.h"

#include <string.h>

static void wix_cancel(struct source *source, struct source_request *request)
{
    (void)source;
    request->free(request);
}

static void wix_free(struct source *source)
{
    struct wix *wix = (struct wix *)source;

    while (wix->requests)
        wix->requests->free(wix->requests);
    wix_token_free(wix->token);
    wix_budget_clear(&wix->budget);
    free(wix);
}

static const struct source_ops ops = {
    .walk = wix_walk, .ask = wix_ask, .read = wix_read, .cancel = wix_cancel, .free = wix_free};

void wix_request_enter(struct wix *wix, struct source_request *request, void (*free_fn)(struct source_request *))
{
    *request = (struct source_request){.wix = wix, .free = free_fn, .next = wix->requests, .link = &wix->requests};
    if (request->next)
        request->next->link = &request->next;
    wix->requests = request;
}

void wix_request_leave(struct source_request *request)
{
    *request->link = request->next;
    if (request->next)
        request->next->link = request->link;
}

int64_t wix_mono_ms(const struct wix *wix)
{
    return clock_mono_ms(wix->parts.clock);
}

int64_t wix_note_wait(struct wix *wix, const struct wix_reply *reply)
{
    enum { UNSAID_MS = 60 * SECOND_MS, LONGEST_MS = HOUR_MS };
    int64_t now_ms = wix_mono_ms(wix), wait_ms = reply->retry_after_ms;

    if (reply->status != 429 && reply->status != 503)
        return 0;
    if (wait_ms > LONGEST_MS)
        wait_ms = LONGEST_MS;
    if (wait_ms >= 0 && now_ms + wait_ms > wix->all_wait_until_ms)
        wix->all_wait_until_ms = now_ms + wait_ms;
    if (wait_ms < 0 && reply->status == 429)
        wait_ms = UNSAID_MS; /* "wait a minute" is Wix's advice; the gate may still try */
    if (wait_ms > 0 && now_ms + wait_ms > wix->walks_wait_until_ms)
        wix->walks_wait_until_ms = now_ms + wait_ms;
    return wait_ms > 0 ? wait_ms : 0;
}

/* --- What a person wrote
 * ---------------------------------------------------------------------------------------------*/

static bool is_loopback(const char *host)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t len = strlen(names[i]);
        if (strncmp(host, names[i], len) == 0 && strchr(":/", host[len]))
            return true;
    }
    return false;
}

/* Every request carries the key: it goes over TLS or does not leave this machine. */
static int check_base_url(const char *url, struct error *err)
{
    size_t len = strlen(url);

    if (!wix_is_header_value(url) || strpbrk(url, "?#@") || (len > 0 && url[len - 1] == '/'))
        return error_set(err, ERROR_CONFIG,
                         "base_url: expected an address such as https://www.wixapis.com, without "
                         "a path, user or slash at its end");
    if (strncmp(url, "https://", 8) == 0 && url[8])
        return 0;
    if (strncmp(url, "http://", 7) == 0 && is_loopback(url + 7))
        return 0;
    return error_set(err, ERROR_CONFIG, "base_url: expected https:// (http:// only on this machine)");
}

static int check_credentials(const struct site_settings *site, struct error *err)
{
    const char *const values[] = {site->api_key, site->site_id, site->account_id};
    bool key = *site->api_key, app = *site->client_id || *site->client_secret || *site->instance_id;

    if (key == app)
        return error_set(err, ERROR_CONFIG,
                         "expected either api_key_file or client_id, client_secret_file and "
                         "instance_id");
    if (app && (!*site->client_id || !*site->client_secret || !*site->instance_id))
        return error_set(err, ERROR_CONFIG, "client_id, client_secret_file and instance_id belong together");
    if (key && !*site->site_id == !*site->account_id)
        return error_set(err, ERROR_CONFIG, "expected site_id beside the API key (or account_id, not both)");
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        if (!wix_is_header_value(values[i]))
            return error_set(err, ERROR_CONFIG, "api_key, site_id or account_id holds blanks or control characters");
    return 0;
}

int source_wix_check(const struct site_settings *settings, struct error *err)
{
    struct wix_budget budget;
    int rc = check_base_url(settings->base_url, err) < 0 || check_credentials(settings, err) < 0 ||
                     wix_budget_init(&budget, settings, err) < 0
                 ? -1
                 : 0;

    if (rc == 0)
        wix_budget_clear(&budget);
    return rc;
}

struct source *source_wix_new(const struct site_settings *settings, const struct source_parts *parts, struct error *err)
{
    struct wix *wix = must_calloc(1, sizeof *wix);

    wix->source = (struct source){.ops = &ops, .settings = settings};
    wix->parts = *parts;
    wix->walks_wait_until_ms = wix->all_wait_until_ms = INT64_MIN;
    if (source_wix_check(settings, err) < 0 || wix_budget_init(&wix->budget, settings, err) < 0)
        goto fail;
    if (*settings->client_id)
        wix->token = wix_token_new(settings, &wix->parts);
    return &wix->source;
fail:
    wix_free(&wix->source);
    error_at(err, "site %s", settings->name);
    return NULL;
}
