/* webhooks_private.h - what the files of webhooks share: webhooks.c (each endpoint's line, and openings) and
 * webhooks_ping.c (what is sent beside it). */
#ifndef ONSALE_WEBHOOKS_PRIVATE_H
#define ONSALE_WEBHOOKS_PRIVATE_H

#include "crypt_webhook.h"
#include "webhooks.h"

enum { SECRETS = 2 }; /* the new one and the old one */

/* One endpoint. At most one of `job` and `fetch` is under way. */
struct endpoint {
    struct webhooks *webhooks;
    const struct webhook_settings *settings;
    struct webhook_secret secrets[SECRETS];
    size_t secret_count;
    struct store_job *job;
    struct fetch *fetch;
    struct alarm wake;
    bool asked_again; /* something new since we asked what is next */
    bool try_early;   /* ... a reason to try before the time */
    bool unstored;    /* the store could not take `turn`: that comes first */
    bool stopped;     /* disabled: until the store says otherwise */
    int64_t tried_at_ms, gap_ms;
    int64_t dropped, waiting;                /* as of the store's last answer; dropped -1 before */
    int64_t said_dropped, say_dropped_at_ms; /* of these, what the log tells; no line before */
    int64_t accepted_at_ms;
    struct error reason; /* of the last failure, as it was logged */
    int64_t accepted, failed;
    struct arena arena;      /* of these two */
    struct webhook_message { /* in hand */
        int64_t no, at_ms, due_at_ms;
        int type, tries;
        const char *id, *body;
        bool is_early;
    } message;
    struct store_webhook_turn turn; /* as it was asked: asked again when the store could not */
};

struct webhooks {
    struct world *world;
    const struct webhook_post *post;
    struct endpoint *endpoints;
    size_t count;
    struct store_job *setting, *openings;
    bool openings_again;
    struct alarm quiet, again; /* `again`: the store could not take the endpoints */
    struct webhook_ping *pings;
};

/* Starts one request to an endpoint, signed for now. */
struct fetch *webhooks_post(const struct endpoint *endpoint, const char *id, const char *body, fetch_done_fn *done,
                            void *ctx, struct error *err);
void webhooks_end_pings(struct webhooks *webhooks); /* whoever asked hears of it */

#endif
