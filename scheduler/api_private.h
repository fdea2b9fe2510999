/* api_private.h - inside the control API: a request that waits, and the functions that carry operations out. Loop
 * thread. */
#ifndef ONSALE_API_PRIVATE_H
#define ONSALE_API_PRIVATE_H

#include "api.h"
#include "api_request.h"
#include "outside.h"
#include "private_feeds.h"

/* A request that waits for the store, or for a test message to be answered for. */
struct call {
    struct api *api;
    struct server_request *request;
    struct store_job *job;
    struct letter *letter;
    struct webhook_ping *ping;
    struct private_feed_change *change;
    const char *notifier; /* of the letter */
    int64_t notice;       /* of a retry, or whose people are listed */
    enum fate fate;       /* of a retry: what people had */
    enum api_listing listing;
    struct api_page page;
    const char *state;        /* of people; a literal, or NULL */
    struct api_request asked; /* of a preview or pause, its texts are in the body; of an erasure, the address */
    json_t *body;
    json_t *answer;                  /* of what was done, for when it is on disk */
    bool backup;                     /* one at a time */
    struct store_suppression *erase; /* of a list: who is to be forgotten, one after another */
    size_t erase_count, erase_next;
    int64_t changed;    /* by a list, so far */
    struct alarm alarm; /* of a pause: until what was claimed has come home, */
    int64_t until_ms;   /* ... or then, by the monotonic clock */
    struct call *next;
};

struct api {
    struct world *world;
    struct auth *auth;
    struct server_page *document; /* openapi.json */
    struct call *calls;
    struct watcher *watchers; /* of events */
    size_t watcher_count;
    struct buf event_line;         /* the event that was written last, ... */
    int64_t event_number;          /* ... which is this one; 0: none */
    unsigned beats;                /* the round of heartbeats that is due or under way */
    struct alarm heartbeat, again; /* theirs */
};

/* --- api.c: answers --- */
struct call *api_call_new(struct api *api, struct server_request *request);
/* The call is gone; who asked is to be answered. */
struct server_request *api_call_end(struct call *call);
void api_answer_done(struct server_request *request, int rc, const struct error *err);
void api_on_stored(void *ctx, const struct error *failure); /* a store_done_fn over a call */
/* A page of rows, with the way to the next one in its Link. */
void api_list(struct api *api, struct server_request *request, const struct api_request *asked,
              enum api_listing listing, enum store_report_kind kind);
void api_report(struct api *api, struct server_request *request, const struct store_report *what);

/* Carries one operation out: exactly one answer follows, now or later. */
typedef void api_operation_fn(struct api *api, struct server_request *request, const struct api_request *asked);

/* --- api_know.c: what is known --- */
api_operation_fn api_status, api_openings, api_notices, api_show, api_people, api_audit, api_suppressions, api_why;
/* What only the daemon knows of the notices of a page: how that by which each goes stands. */
void api_add_standings(const struct world *world, json_t *rows);
/* --- api_consent.c --- */
api_operation_fn api_suppress, api_unsuppress, api_suppress_all;
/* --- api_feedback.c --- */
api_operation_fn api_bounces;
/* --- api_privacy.c --- */
api_operation_fn api_erase, api_export;
/* --- api_steer.c --- */
api_operation_fn api_hold, api_release, api_cancel, api_again, api_retry, api_pause, api_resume, api_sync;
/* --- api_webhooks.c --- */
api_operation_fn api_webhooks, api_webhook_test, api_webhook_enable;
/* --- api_feeds.c --- */
api_operation_fn api_feeds, api_feeds_add, api_feeds_rotate, api_feeds_revoke;
/* --- api_events.c --- */
api_operation_fn api_events;
void api_events_end(struct api *api); /* every stream ends with what it has */
/* --- api_backup.c --- */
api_operation_fn api_backup;
/* --- api_send.c: messages outside the ledger --- */
api_operation_fn api_send_test, api_preview;

#endif
