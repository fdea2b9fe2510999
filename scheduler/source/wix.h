/* wix.h - the parts of the Wix source, for themselves only: budget, token, one call, what an answer means, walk, ask.
 * Loop thread. Waits inside are measured by the clock that never steps. */
#ifndef ONSALE_WIX_H
#define ONSALE_WIX_H

#include "source.h"

/* --- Budget: never more requests within a window than configured, the reserve of which walks leave alone. Exact over
 * any window, not a bucket: the gate may spend what was saved at once. A restart forgets what was spent. */
struct wix_budget {
    const struct config_rates *rates;
    const struct config_rate *reserve; /* NULL: none */
    int64_t *sent_at_ms;               /* ring of the last `size` requests */
    size_t size;
    uint64_t sent;
};
int wix_budget_init(struct wix_budget *budget, const struct site_settings *settings, struct error *err);
void wix_budget_clear(struct wix_budget *budget);
int64_t wix_budget_ready_at_ms(const struct wix_budget *budget, bool walk, int64_t now_ms); /* now_ms: at once */
void wix_budget_take(struct wix_budget *budget, int64_t now_ms);

/* --- Token: OAuth client credentials. One request at a time; all who wait go on together. */
struct wix_token;
typedef void wix_token_fn(void *ctx, const struct error *failure); /* NULL: wix_token_value() has one */
struct wix_waiter {                                                /* embed it; zero bytes is one that does not wait */
    wix_token_fn *done;
    void *ctx;
    struct wix_waiter *next, **link;
};
struct wix_token *wix_token_new(const struct site_settings *settings, const struct source_parts *parts);
void wix_token_free(struct wix_token *token); /* waiters are forgotten */
/* NULL when it has to be asked for: none yet, or nine tenths of its life are over. */
const char *wix_token_value(const struct wix_token *token);
int wix_token_wait(struct wix_token *token, struct wix_waiter *waiter, wix_token_fn *done, void *ctx,
                   struct error *err);
void wix_token_leave(struct wix_waiter *waiter);
void wix_token_spoil(struct wix_token *token, const char *value); /* Wix answered 401 to this one */

/* --- What an answer means. */
struct wix_meaning {
    bool gone; /* 404 about the definition itself, in Wix's own words */
};
/* 0 for a 200; else `err` says status, what Wix said, the request id and what to do. `what`: "POST /path". */
int wix_answer_check(const struct fetch_result *result, const char *what, bool oauth, struct wix_meaning *meaning,
                     struct error *err);
/* A text from outside that is safe as the value of a header. */
bool wix_is_header_value(const char *value);

/* --- One call: authorised, sent, checked, parsed; big bodies on the pool. */
struct wix;
struct wix_call;
struct wix_reply {
    int status;
    bool gone;
    struct source_page page; /* take what you keep and set the places to NULL */
    struct source_page_notes notes;
    int64_t retry_after_ms;                 /* -1: not said */
    int64_t server_date_ms, answered_at_ms; /* a pair; the first may be MOMENT_NONE */
    const struct error *failure;
};
typedef void wix_call_fn(void *ctx, struct wix_reply *reply);
struct wix_call_spec {
    const char *method, *path; /* path with its query, behind base_url */
    struct text body;
    int64_t timeout_ms;
};
struct wix_call *wix_call_start(struct wix *wix, const struct wix_call_spec *spec, wix_call_fn *done, void *ctx,
                                struct error *err);
void wix_call_cancel(struct wix_call **call);

/* --- The source. */
struct source_request { /* first member of walks and asks */
    struct wix *wix;
    void (*free)(struct source_request *request);
    struct source_request *next, **link;
};
struct wix {
    struct source source;
    struct source_parts parts;
    struct wix_token *token; /* NULL: an API key is used */
    struct wix_budget budget;
    int64_t walks_wait_until_ms; /* by the clock that never steps: after a 429 */
    int64_t all_wait_until_ms;   /* ... when Wix said until when */
    struct source_request *requests;
};
#define WIX_PATH "/events/v3/ticket-definitions"

void wix_request_enter(struct wix *wix, struct source_request *request, void (*free)(struct source_request *));
void wix_request_leave(struct source_request *request);
int64_t wix_mono_ms(const struct wix *wix);
/* Remembers what a 429 or 503 asked for; how long to wait, 0 when the answer asks for nothing. */
int64_t wix_note_wait(struct wix *wix, const struct wix_reply *reply);

struct source_request *wix_walk(struct source *source, int64_t since_ms, source_walk_fn *done, void *ctx,
                                struct error *err);
struct source_request *wix_ask(struct source *source, const struct source_ask *asks, size_t count,
                               source_answer_fn *done, void *ctx, struct error *err);
struct source_request *wix_read(struct source *source, const struct source_ask *asks, size_t count,
                                source_answer_fn *done, void *ctx, struct error *err);

#endif
