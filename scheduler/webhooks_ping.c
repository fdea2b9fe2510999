/* Pings: one request beside the line, for whoever wants to see whether an endpoint works. */
#include "webhooks_private.h"

#include "crypt.h"
#include "known.h"

#include <string.h>

enum {
    SAID_MAX = 500, /* bytes that are shown of an answer */
    ID_SIZE = 40,
};

struct webhook_ping {
    struct webhooks *webhooks;
    struct fetch *fetch;
    const char *url;
    webhook_pinged_fn *done;
    void *ctx;
    int64_t began_ms;
    char id[ID_SIZE];
    struct webhook_ping *next, **link;
};

static void ping_free(struct webhook_ping *ping)
{
    *ping->link = ping->next;
    if (ping->next)
        ping->next->link = ping->link;
    free(ping);
}

static void on_pinged(void *ctx, const struct fetch_result *result)
{
    struct webhook_ping *ping = ctx;
    auto_free char *said = webhook_said(ping->url, result->body, SAID_MAX);

    ping->fetch = NULL;
    ping->done(ping->ctx,
               &(struct webhook_pinged){.status = result->status,
                                        .took_ms = clock_mono_ms(ping->webhooks->world->clock) - ping->began_ms,
                                        .id = ping->id,
                                        .said = said,
                                        .failure = result->failure});
    ping_free(ping);
}

static void no_webhook(const struct webhooks *webhooks, const char *name, struct error *err)
{
    size_t count = webhooks ? webhooks->count : 0;
    auto_free const char **names = must_calloc(count + 1, sizeof *names);

    for (size_t i = 0; i < count; i++)
        names[i] = webhooks->endpoints[i].settings->name;
    known_none("webhook", name, names, count, err);
}

static const struct endpoint *find_endpoint(const struct webhooks *webhooks, const char *name, struct error *err)
{
    for (size_t i = 0; webhooks && i < webhooks->count; i++)
        if (strcmp(webhooks->endpoints[i].settings->name, name) == 0)
            return &webhooks->endpoints[i];
    no_webhook(webhooks, name, err);
    return NULL;
}

int webhooks_check_name(const struct webhooks *webhooks, const char *name, struct error *err)
{
    return find_endpoint(webhooks, name, err) ? 0 : -1;
}

struct webhook_ping *webhook_ping(struct webhooks *webhooks, const char *name, webhook_pinged_fn *done, void *ctx,
                                  struct error *err)
{
    const struct endpoint *endpoint = find_endpoint(webhooks, name, err);
    struct webhook_ping *ping;

    if (!endpoint)
        return NULL;
    ping = must_calloc(1, sizeof *ping);
    *ping = (struct webhook_ping){.webhooks = webhooks,
                                  .url = endpoint->settings->url,
                                  .done = done,
                                  .ctx = ctx,
                                  .began_ms = clock_mono_ms(webhooks->world->clock),
                                  .next = webhooks->pings,
                                  .link = &webhooks->pings};
    webhooks->pings = ping;
    if (ping->next)
        ping->next->link = &ping->next;
    snprintf(ping->id, sizeof ping->id, "ping_%016llx%016llx", (unsigned long long)crypt_random_u64(),
             (unsigned long long)crypt_random_u64());
    auto_free char *body = webhook_body(
        &(struct webhook_event){.type = WEBHOOK_PING, .at_ms = clock_now_ms(webhooks->world->clock), .endpoint = name});
    ping->fetch = webhooks_post(endpoint, ping->id, body, on_pinged, ping, err);
    if (ping->fetch)
        return ping;
    ping_free(ping);
    return NULL;
}

void webhook_ping_cancel(struct webhook_ping **ping)
{
    if (*ping) {
        (*ping)->webhooks->post->cancel((*ping)->webhooks->post->ctx, &(*ping)->fetch);
        ping_free(*ping);
    }
    *ping = NULL;
}

void webhooks_end_pings(struct webhooks *webhooks)
{
    struct error err = {0};

    error_set(&err, ERROR_TRY_LATER, "the configuration is being read again: ask once more");
    for (struct webhook_ping *ping = webhooks->pings, *next; ping; ping = next) {
        next = ping->next;
        webhooks->post->cancel(webhooks->post->ctx, &ping->fetch);
        on_pinged(ping, &(struct fetch_result){.failure = &err});
    }
}
