/* webhook.h - what other programs are told, as Standard Webhooks (standardwebhooks.com): the events with their bodies,
 * what an answer means, when to try again, and how an endpoint is configured. Pure. No address of a person ever stands
 * in a body. */
#ifndef ONSALE_WEBHOOK_H
#define ONSALE_WEBHOOK_H

#include "config.h"
#include "notice.h"
#include "opening.h"

enum {
    WEBHOOKS_MAX = 16,            /* endpoints: each has at most one transfer in flight */
    WEBHOOK_BODY_MAX = 16 * 1024, /* bytes; receivers take 20 KB */
    WEBHOOK_TRIES = 10,
};

/* The names are part of the contract; README lists what each says. */
enum webhook_type {
    WEBHOOK_OPENING_SCHEDULED,
    WEBHOOK_OPENING_MOVED,
    WEBHOOK_OPENING_WITHDRAWN,
    WEBHOOK_NOTICE_STARTED,
    WEBHOOK_NOTICE_HELD,
    WEBHOOK_NOTICE_MISSED,
    WEBHOOK_NOTICE_DONE,
    WEBHOOK_NOTICE_STOPPED,
    WEBHOOK_LAUNCH_WILL_NOT_FIT,
    WEBHOOK_PING, /* by `onsale webhooks test` alone; nobody subscribes to it */
    WEBHOOK_TYPES
};
const char *webhook_type_name(enum webhook_type type);

/* --- Endpoints --- */

struct webhook_settings {
    struct config_place place;
    const char *name, *url;
    const char *secret, *old_secret; /* "whsec_..."; old_secret "" when there is none */
    struct config_list events;       /* names of types; none: all */
    struct config_list sites;        /* none: all */
    int64_t timeout_ms;
    bool allow_private;
};
extern const struct config_option webhook_options[];
unsigned webhook_types(const struct webhook_settings *settings); /* one bit each */
bool webhook_type_known(const char *name);                       /* as one may subscribe to it */
/* Where it goes without what may be secret: "https://hooks.example/...". */
void buf_add_webhook_place(struct buf *buf, const char *url);

/* --- Events --- */

struct webhook_ticket {
    const char *id, *name, *price, *currency;
};
struct webhook_event {
    enum webhook_type type;
    int64_t at_ms;
    const char *site, *event_id, *title, *url;
    const struct opening *opening; /* of those about an opening ... */
    int64_t was_at_ms;             /* ... where it was told to be before; MOMENT_NONE: it was not told of */
    const struct webhook_ticket *tickets;
    size_t ticket_count;
    const struct notice *notice; /* of those about a notice */
    const char *endpoint;        /* of a ping: its name */
};
/* {"type": ..., "timestamp": ..., "data": {...}} under WEBHOOK_BODY_MAX; for free(). */
char *webhook_body(const struct webhook_event *event);

/* What became of a notice between two rows of it, in order; the number of types in `out`. */
struct webhook_was { /* as it stood before; a new one: planned, not released */
    enum notice_state state;
    bool released, will_not_fit;
};
size_t webhook_notice_news(const struct webhook_was *was, const struct notice *now,
                           enum webhook_type out[WEBHOOK_TYPES]);

/* --- Answers --- */

enum webhook_verdict {
    WEBHOOK_ACCEPTED, /* 2xx */
    WEBHOOK_REFUSED,  /* this one event is not taken: others may be */
    WEBHOOK_FAILED,   /* nothing is taken now */
    WEBHOOK_BUSY,     /* ... and it wants fewer: 429, 502, 503, 504 */
    WEBHOOK_GONE,     /* 410: nothing is wanted any more */
};
enum webhook_verdict webhook_judge(int status); /* 0: no answer came */
/* The beginning of what came back, as people may read it: one that is UTF-8, without addresses, and without what may be
 * secret of its own `url`, which servers like to repeat ("Cannot POST /..."). For free(); NULL: nothing to read. */
char *webhook_said(const char *url, struct text body, size_t max);
/* How long to wait when `tries` of WEBHOOK_TRIES have failed, with jitter by any number `random`; -1: that was the
 * last. Never less than the receiver asked for. */
int64_t webhook_wait_ms(int tries, int64_t retry_after_ms, uint64_t random);

#endif
