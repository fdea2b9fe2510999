/* fetch.h - outgoing HTTP transfers on the event loop (libcurl multi). All of it runs on the loop thread.
 * http and https only, no redirects, a size limit and a time limit on every transfer. */
#ifndef ONSALE_FETCH_H
#define ONSALE_FETCH_H

#include "metrics.h"

#include <uv.h>

struct fetcher; /* the connections; one per loop */
struct fetch;   /* one transfer in flight; owned by its fetcher */

struct fetch_header {
    const char *name, *value;
};

struct fetch_spec {
    const char *method; /* "GET", "POST" */
    const char *url;
    const struct fetch_header *headers;
    size_t header_count;
    struct text body;        /* copied */
    size_t body_limit;       /* bytes of the answer; 0: 8 MiB */
    int64_t timeout_ms;      /* of the whole transfer; 0: 30 s */
    const char *unix_socket; /* connect there instead; NULL */
    bool once;               /* the body is never sent a second time, also not when a kept connection turns out dead */
    bool public_only;        /* only to addresses of the public internet, by no proxy: see fetcher_public() */
    bool cut;                /* an answer over body_limit counts, and is cut there; else it is a failure */
    bool reach;              /* a connection is made, TLS and all, and closed: nothing is asked. `status` is 0 */
    const char *to, *name;   /* whom it asks, as METRIC_REQUESTS counts it: "site", "arena"; NULL: not counted */
    int out_fd;              /* the body of a 200 is written there as it comes, of any size; 0: into memory */
};

/* Yours to read inside the callback, gone after it. */
struct fetch_result {
    int status; /* 0 when no answer came */
    struct text body;
    struct text content_type;
    struct text link;                  /* where a listing goes on (RFC 8288) */
    struct text request_id;            /* x-wix-request-id, x-request-id */
    int64_t retry_after_ms;            /* what the server asked for (seconds or a date), or -1 */
    int64_t date_ms;                   /* its Date header, or MOMENT_NONE */
    int64_t sent_at_ms, round_trip_ms; /* by the machine's clock */
    const struct error *failure;       /* NULL when an answer came, whatever its status */
    bool left;                         /* with it: something of the request had left, so it may have been obeyed */
};
typedef void fetch_done_fn(void *ctx, const struct fetch_result *result);

struct fetcher *fetcher_new(uv_loop_t *loop, struct error *err);
/* All its transfers are `public_only` from now on, none of the others' are: a connection that is kept may have been
 * made to anywhere. The address is judged when it is connected to, whatever the name said before. */
void fetcher_public(struct fetcher *fetcher);
void fetcher_meter(struct fetcher *fetcher, struct metrics *metrics); /* what it does is counted there */
/* Cancels what is left; run the loop until it is empty afterwards. */
void fetcher_close(struct fetcher *fetcher);

/* Starts a transfer; copies `spec`. On NULL, `err` says why and `done` is never called. Else
 * `done` is called once, always later from the loop, unless fetch_cancel() comes first. */
struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_spec *spec, fetch_done_fn *done, void *ctx,
                          struct error *err);

/* Drops a transfer and sets *fetch to NULL; `done` will not be called. NULL is fine. */
void fetch_cancel(struct fetch **fetch);

/* For the command line, which has no loop of its own: waits for the answer, then calls `done`. */
int fetch_wait(const struct fetch_spec *spec, fetch_done_fn *done, void *ctx, struct error *err);

#endif
