/* source.h - where a site's ticket definitions come from. One source per configured site; loop thread.
 * Two answers: wix.c (Wix Events, Ticket Definitions V3) and file.c (the same JSON shape in a file); parse.c reads
 * that shape for both. A request's owner keeps its pointer, clears it in the callback, cancels it before going away.
 * Callbacks always come later from the loop, never from within walk() or ask(). */
#ifndef ONSALE_SOURCE_H
#define ONSALE_SOURCE_H

#include "alarm.h"
#include "config.h"
#include "definition.h"
#include "fetch.h"
#include "log.h"

struct source;
struct source_request;

struct site_settings { /* read by site_options */
    struct config_place place;
    const char *name;
    int source; /* index into source_kinds */
    const char *base_url, *site_id, *account_id, *api_key, *client_id, *client_secret, *instance_id;
    const char *webhook_key_file; /* the public key of the app whose webhooks are about this site; "" none */
    const char *path;             /* file */
    int64_t poll_every_ms, full_walk_every_ms;
    const char *time_zone, *language;
    struct config_rates requests, gate_reserve;
    int64_t timeout_ms;
    struct feed_settings {    /* of its calendars */
        bool public;          /* or only by the link of a private feed */
        const char *name;     /* "": as the template has it */
        int64_t alarm_ms;     /* a reminder so long before; 0: none */
        int64_t refresh_ms;   /* how often readers are asked to look */
        int64_t keep_ms;      /* so long a withdrawn one is shown as such ... */
        int64_t keep_past_ms; /* ... and one that has opened */
    } feed;
};
enum source_kind { SOURCE_WIX, SOURCE_FILE };
extern const char *const source_kinds[];
extern const struct config_option site_options[];
/* What the table cannot say: how the site is reached and logged in to. source_wix_new() asks it too. The text begins
 * with the key that is wrong, where it is one. */
int source_wix_check(const struct site_settings *settings, struct error *err);

struct source_walk {
    struct definition **definitions; /* news; take what you keep and set the place to NULL; the rest is freed after */
    size_t count;
    size_t known;                  /* more of them, that were no news when their page came: see source.known */
    bool complete;                 /* every page came: absence means something */
    const char *const *unreadable; /* ids that are there but could not be read: neither known nor absent */
    size_t unreadable_count;
    size_t bad;                  /* records left out, with and without an id */
    const struct error *bad_why; /* the first of them; NULL when there is none */
    int64_t watermark_ms;        /* the greatest updatedDate received, or MOMENT_NONE */
    int64_t server_date_ms;      /* Date header of the last answer plus half its round trip, or MOMENT_NONE */
    int64_t asked_at_ms;         /* when the first request left, by our clock */
    int64_t answered_at_ms;      /* when server_date_ms came, by our clock */
    const struct error *failure; /* NULL when complete */
};
typedef void source_walk_fn(void *ctx, struct source_walk *walk);

/* What asking by id said about one definition. */
enum source_verdict {
    SOURCE_UNKNOWN, /* no answer: see failure */
    SOURCE_FOUND,
    SOURCE_GONE, /* Get said 404 */
};
struct source_answer {
    const char *const *ids; /* as asked */
    enum source_verdict *verdicts;
    struct definition **definitions; /* where found; take and set NULL */
    size_t count;
    int64_t server_date_ms;      /* Date of the last answer plus half the round trip, or MOMENT_NONE */
    int64_t answered_at_ms;      /* by our clock */
    const struct error *failure; /* the first one, or NULL */
};
typedef void source_answer_fn(void *ctx, struct source_answer *answer);

/* The known revision rides along: a lower one in a Query answer is asked again by Get. */
struct source_ask {
    const char *id;
    int64_t revision;
};

struct source_parts { /* all borrowed; they outlive the source */
    uv_loop_t *loop;
    const struct clock *clock;
    struct alarms *alarms;
    struct fetcher *fetcher;
    struct log *log;
};

struct source_ops {
    /* since_ms MOMENT_NONE: a full walk; else everything updated after it. */
    struct source_request *(*walk)(struct source *, int64_t since_ms, source_walk_fn *, void *ctx, struct error *);
    /* Asks about these very definitions, past the walk's budget, out of the gate's reserve. */
    struct source_request *(*ask)(struct source *, const struct source_ask *, size_t count, source_answer_fn *,
                                  void *ctx, struct error *);
    /* The same for who can wait: within the walk's budget, which it waits for. NULL: a walk costs nothing. */
    struct source_request *(*read)(struct source *, const struct source_ask *, size_t count, source_answer_fn *,
                                   void *ctx, struct error *);
    void (*cancel)(struct source *, struct source_request *);
    /* Tells when a file has changed: asked at each poll; NULL means "always worth a walk". */
    bool (*changed)(struct source *);
    void (*free)(struct source *);
};
/* Is it no news? Asked as each page of a walk comes, so that a large shop in which nothing happened costs nothing at
 * the end of its walk, neither time nor memory. */
typedef bool source_known_fn(void *ctx, const struct definition *definition);
struct source { /* first member of each implementation's struct */
    const struct source_ops *ops;
    const struct site_settings *settings;
    source_known_fn *known; /* its owner's to set; NULL: everything is news */
    void *known_ctx;
};

struct source *source_wix_new(const struct site_settings *settings, const struct source_parts *parts,
                              struct error *err);
struct source *source_file_new(const struct site_settings *settings, const struct source_parts *parts,
                               struct error *err);

static inline void source_cancel(struct source *source, struct source_request **request)
{
    if (*request)
        source->ops->cancel(source, *request);
    *request = NULL;
}
static inline bool source_knows(const struct source *source, const struct definition *definition)
{
    return source->known && source->known(source->known_ctx, definition);
}
static inline void source_free(struct source *source)
{
    if (source)
        source->ops->free(source);
}

/* parse.c: one page of the wire shape, in Query's ("ticketDefinitions") or Get's ("ticketDefinition") form. Pure; any
 * thread. */
struct source_page {
    struct definition **definitions; /* owned by the page until taken */
    size_t count;
    char *next_cursor; /* NULL: this was the last one */
};
/* `bad` counts records that could not be read (no id, no event, times that are none); they are left out and the
 * first is described in `bad_why`. A page that is not the documented shape fails whole. */
struct source_page_notes {
    size_t bad;
    struct error bad_why;
    char **ids; /* of the bad ones that have a readable id */
    size_t id_count;
};
int source_page_parse(const char *site, struct text json, struct source_page *out, struct source_page_notes *notes,
                      struct error *err);
/* The same as people write it: a bare array too, and words that nobody knows are mistakes. saleStatus may be absent
 * (SALE_UNKNOWN then); an event without a status is upcoming. */
int source_file_parse(const char *site, struct text json, struct source_page *out, struct source_page_notes *notes,
                      struct error *err);
void source_page_clear(struct source_page *page);
void source_page_notes_clear(struct source_page_notes *notes);

#endif
