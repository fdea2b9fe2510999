/* webhooks.h - other programs are told what happens (webhook.h): each endpoint's line in the store, one event after
 * another, as often as it takes; and openings when their event has been quiet for a minute. An endpoint hears in order;
 * only an event that it refuses itself is passed by the others. None waits for another one. Loop thread. */
#ifndef ONSALE_WEBHOOKS_H
#define ONSALE_WEBHOOKS_H

#include "fetch.h"
#include "webhook.h"
#include "world.h"

/* How a request leaves; a test has its own. As fetch_start() and fetch_cancel(). */
struct webhook_post {
    struct fetch *(*start)(void *ctx, const struct fetch_spec *spec, fetch_done_fn *done, void *done_ctx,
                           struct error *err);
    void (*cancel)(void *ctx, struct fetch **fetch);
    void *ctx;
};

/* Borrows everything. The store knows of these endpoints from now on, and of no others. */
struct webhooks *webhooks_new(struct world *world, const struct webhook_settings *settings, size_t count,
                              const struct webhook_post *post, struct error *err);
/* What is on its way is told again by the next one, under the same id. NULL is fine. */
void webhooks_free(struct webhooks *webhooks);
/* What waits may be told: after a copy was adopted. NULL is fine. */
void webhooks_look(struct webhooks *webhooks);

/* 0: there is an endpoint of that name; -1: `err` says which there are. */
int webhooks_check_name(const struct webhooks *webhooks, const char *name, struct error *err);

/* Sends a ping now, beside the line, whatever state the endpoint is in. NULL and `err`: there is no such endpoint, or
 * nothing could be sent. */
struct webhook_ping;
struct webhook_pinged {
    int status; /* 0: no answer */
    int64_t took_ms;
    const char *id;              /* webhook-id */
    const char *said;            /* what came back, as people may read it; NULL: nothing */
    const struct error *failure; /* NULL with an answer */
};
typedef void webhook_pinged_fn(void *ctx, const struct webhook_pinged *result);
struct webhook_ping *webhook_ping(struct webhooks *webhooks, const char *name, webhook_pinged_fn *done, void *ctx,
                                  struct error *err);
void webhook_ping_cancel(struct webhook_ping **ping);

/* For /metrics, since the start. */
struct webhook_counts {
    const char *name;
    int64_t accepted, failed, dropped, waiting; /* waiting, dropped: as of the store's last answer; dropped: ever */
    bool disabled;
};
size_t webhooks_count(const struct webhooks *webhooks); /* endpoints */
struct webhook_counts webhooks_counts(const struct webhooks *webhooks, size_t index);

#endif
