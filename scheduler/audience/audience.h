/* audience.h - who asked to be told. One audience per configured source of subscribers. Loop thread; a read delivers
 * page by page and waits for audience_read_next() between pages, so that memory stays constant.
 * Every record of the source is delivered and judged; whoever is not a plain yes is delivered with that word. */
#ifndef ONSALE_AUDIENCE_H
#define ONSALE_AUDIENCE_H

#include "alarm.h"
#include "config.h"
#include "delivery.h"
#include "fetch.h"
#include "log.h"

struct audience_record {
    enum consent consent;
    struct text source_id;          /* the tool's own id, or "line 17" */
    struct text address;            /* trimmed; not yet validated */
    struct text name, locale, zone; /* "" when the source has none */
    struct text attributes;         /* a JSON object, or "" */
};

struct audience_page {
    const struct audience_record *records; /* yours to read inside the callback */
    size_t count;
    const char *cursor; /* where the next page starts, with what it was made from; to be stored with the page */
    bool last;
    bool restarted; /* this page is the first again: the cursor was stale, or the source changed while it was read */
    int64_t total;  /* what the source says it holds, or -1 */
    size_t bad;     /* records of this page that could not be read, counted and described: */
    const char *bad_why;         /* "line 17: expected 6 columns, found 5"; NULL */
    const struct error *failure; /* the read is over and incomplete */
};
typedef void audience_page_fn(void *ctx, const struct audience_page *page);

/* Whom a read is about. */
struct audience_question {
    const char *site, *event_id; /* for `interest` */
    const char *cursor;          /* go on here; NULL: from the start. A stale cursor starts over (`restarted`) */
};

struct audience;
struct audience_read;
struct audience_leave; /* one person being taken off */

/* Who is taken off an audience in the tool itself; copied. */
struct audience_person {
    struct text address, source_id;
};
struct audience_left {
    /* ERROR_TRY_LATER: the same again may help; ERROR_CONFIG: somebody has to change something in the tool. NULL: the
     * tool will not write to this person any more as one of this audience; also when it does not know them (any more).
     */
    const struct error *failure;
    int64_t retry_after_ms; /* what it asked for, or -1 */
    bool unknown;           /* it does not know them */
};
typedef void audience_left_fn(void *ctx, const struct audience_left *result);

struct audience_settings { /* read by audience_options */
    struct config_place place;
    const char *name;
    int source; /* index into audience_kinds */
    /* file */
    const char *path;
    const char *format;  /* "auto", "csv", "jsonl" */
    bool consent_stated; /* `consent: stated`: a file with no consent column is accepted */
    /* listmonk */
    const char *url, *username, *token;
    struct config_list lists; /* numbers */
    int64_t page_size, timeout_ms;
    bool sql; /* the token may use query= */
    /* all */
    struct audience_interest {
        const char *attribute; /* holds event ids: a text, or a list of them */
        const char *list_name; /* listmonk: glob with {event}; membership there is the interest */
    } interest;
};
enum audience_kind { AUDIENCE_FILE, AUDIENCE_LISTMONK };
extern const char *const audience_kinds[];
extern const struct config_option audience_options[];
/* Is each of its people asked about the event? */
bool audience_has_interest(const struct audience_settings *settings);
enum { AUDIENCE_URL_MAX = 2000, AUDIENCE_LOGIN_MAX = 4000 };
/* What the table cannot say: which keys a source needs. audience_*_new() ask it too. The text has no name in front. */
int audience_check(const struct audience_settings *settings, struct error *err);

struct audience_parts {
    const struct clock *clock;
    struct alarms *alarms;
    struct fetcher *fetcher;
    struct log *log;
    void *uv_loop; /* uv_loop_t, for work on the pool */
};

/* A read ends with the page that is `last` or has a `failure`, and is gone after that callback; until then its owner
 * calls next() once for each page, or cancel(), both also from inside the callback. Settings are borrowed by the
 * audience, and an audience outlives its reads. Pages hold at most 1000 records. */
struct audience_ops {
    struct audience_read *(*read)(struct audience *, const struct audience_question *, audience_page_fn *, void *ctx,
                                  struct error *);
    void (*next)(struct audience_read *); /* the page was stored: go on */
    void (*cancel)(struct audience_read *);
    /* Everything that changed since; NULL where the tool has no complete change feed (then a sweep is read). People who
     * were deleted, or taken off a list without unsubscribing, leave no trace in listmonk: only a full read misses
     * them. */
    struct audience_read *(*changes)(struct audience *, const struct audience_question *, int64_t since_ms,
                                     audience_page_fn *, void *ctx, struct error *);
    /* Takes a person off, and looks whether it helped; the same again changes nothing. `done` is called once, later
     * from the loop, unless unsubscribe_cancel() comes first, which sets *leave to NULL. Both NULL where a source
     * cannot be written to. */
    struct audience_leave *(*unsubscribe)(struct audience *, const struct audience_person *, audience_left_fn *,
                                          void *ctx);
    void (*unsubscribe_cancel)(struct audience_leave **leave);
    void (*free)(struct audience *);
};
struct audience { /* first member of each implementation's struct */
    const struct audience_ops *ops;
    const struct audience_settings *settings;
};

struct audience *audience_file_new(const struct audience_settings *, const struct audience_parts *, struct error *);
struct audience *audience_listmonk_new(const struct audience_settings *, const struct audience_parts *, struct error *);

#endif
