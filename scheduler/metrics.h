/* metrics.h - what the program counts and measures, and how Prometheus reads it (text format 0.0.4). One registry,
 * owned by the daemon; every family stands in the table of metrics_table.c. Counting costs an addition: who counts
 * often asks for its series once. Values are integers (of bytes, people, ms, us); the text shows base units. Loop
 * thread; the histogram alone is plain memory, and may be filled anywhere. */
#ifndef ONSALE_METRICS_H
#define ONSALE_METRICS_H

#include "text.h"

/* In the order of the text. */
enum metric {
    METRIC_BUILD_INFO,
    METRIC_GENERATION,
    METRIC_RELOADS,
    METRIC_COPY,
    METRIC_CLOCK_FROZEN,
    METRIC_STOPPING,
    METRIC_DISK_FULL,
    METRIC_DISK_TIGHT,
    METRIC_PAUSES,
    METRIC_HEALTH,
    METRIC_NOTICES,
    METRIC_NOTICES_HELD,
    METRIC_NEXT_DUE,
    METRIC_WILL_NOT_FIT,
    METRIC_PEOPLE,
    METRIC_FATES,
    METRIC_WITHHELD,
    METRIC_LATE,
    METRIC_ANSWER,
    METRIC_GATE,
    METRIC_GATE_DECISIONS,
    METRIC_GATE_WORDS,
    METRIC_NOTIFIER_WAITING,
    METRIC_NOTIFIER_CLAIMED,
    METRIC_NOTIFIER_IN_FLIGHT,
    METRIC_NOTIFIER_WINDOW,
    METRIC_NOTIFIER_RATE,
    METRIC_NOTIFIER_STATE,
    METRIC_NOTIFIER_PAUSED,
    METRIC_NOTIFIER_BRAKES,
    METRIC_SITE_DEFINITIONS,
    METRIC_SITE_STALE,
    METRIC_SITE_CLOCK_AHEAD,
    METRIC_SITE_WALKS,
    METRIC_SITE_WALK,
    METRIC_SITE_BAD_RECORDS,
    METRIC_GATHERINGS,
    METRIC_GATHERING,
    METRIC_AUDIENCE_RECORDS,
    METRIC_AUDIENCE_BAD_RECORDS,
    METRIC_REQUESTS,
    METRIC_REQUEST,
    METRIC_WEBHOOKS_WAITING,
    METRIC_WEBHOOKS_DROPPED,
    METRIC_WEBHOOKS_DISABLED,
    METRIC_HOOKS,
    METRIC_SUPPRESSIONS,
    METRIC_BOUNCES,
    METRIC_WRITEBACKS,
    METRIC_WRITEBACKS_OLDEST,
    METRIC_STORE_COMMIT,
    METRIC_STORE_JOBS,
    METRIC_STORE_STUCK,
    METRIC_STORE_FAILING,
    METRIC_STORE_ROOM,
    METRIC_STORE_RESERVE,
    METRIC_HTTP_CONNECTIONS,
    METRIC_HTTP_STREAMS,
    METRIC_FEEDS,
    METRIC_FEED_PUBLISHED,
    METRIC_FEED_EVENTS,
    METRIC_FEED_WAITING,
    METRIC_FEED_CHANGES,
    METRIC_FEED_BODIES,
    METRIC_FEED_BODY,
    METRIC_HTTP_REQUESTS,
    METRIC_HTTP_REQUEST,
    METRIC_LOOP_TURN,
    METRIC_CPU,
    METRIC_RESIDENT,
    METRIC_VIRTUAL,
    METRIC_OPEN_FDS,
    METRIC_MAX_FDS,
    METRIC_START_TIME,
    METRICS
};

enum {
    METRICS_LABELS = 3,   /* of a family at most */
    METRICS_BUCKETS = 16, /* of a histogram at most, beside +Inf */
    METRICS_SERIES = 2000 /* of a family at most: whoever comes later is counted as "(others)" */
};

/* "_total", "_seconds" and "_bytes" belong to the name. */
struct metric_family {
    const char *name;
    enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM } type;
    int64_t scale; /* what is counted of one base unit: 1000 for ms; 0 is 1 */
    const char *help;
    const char *labels[METRICS_LABELS]; /* as many as it has */
    const int64_t *buckets;             /* upper bounds, rising, in what is counted; 0 ends them. Of histograms */
};
extern const struct metric_family metric_families[METRICS];

struct metric_histogram { /* zero bytes: nothing was observed */
    int64_t counts[METRICS_BUCKETS + 1];
    int64_t sum;
};
void metric_histogram_observe(struct metric_histogram *histogram, enum metric family, int64_t value);

struct metrics;
struct metric_series; /* one set of label values of one family */

/* Values of a family's labels, in their order: LABELS("arena", "full"). */
#define LABELS(...) ((const char *const[METRICS_LABELS]){__VA_ARGS__})
#define NO_LABELS LABELS(NULL)

struct metrics *metrics_new(int64_t began_at_ms); /* when the process began */
int64_t metrics_began_at_ms(const struct metrics *metrics);
void metrics_free(struct metrics *metrics); /* NULL is fine */

/* Made when it is new, with its value 0; it stays as long as the registry. Without a registry (NULL) there is none, and
 * nothing is counted: both are fine below. */
struct metric_series *metrics_series(struct metrics *metrics, enum metric family, const char *const *labels);
void metric_add(struct metric_series *series, int64_t count);
void metric_observe(struct metric_series *series, int64_t value);

/* For what is counted seldom. */
void metrics_add(struct metrics *metrics, enum metric family, const char *const *labels, int64_t count);
void metrics_observe(struct metrics *metrics, enum metric family, const char *const *labels, int64_t value);

/* Gauges are taken when somebody asks: after metrics_begin() those that are not set again are not there. Counters and
 * histograms that others keep may be set too. */
void metrics_begin(struct metrics *metrics);
#define METRIC_INFINITE INT64_MAX /* a value: "+Inf" */
void metrics_set(struct metrics *metrics, enum metric family, const char *const *labels, int64_t value);
/* The same, adding to what was set since. */
void metrics_raise(struct metrics *metrics, enum metric family, const char *const *labels, int64_t count);
void metrics_set_histogram(struct metrics *metrics, enum metric family, const char *const *labels,
                           const struct metric_histogram *histogram);

/* The whole text. Pure. */
void metrics_write(const struct metrics *metrics, struct buf *out);
void buf_add_metric_label(struct buf *out, const char *value); /* as it stands between its quotes */

#endif
