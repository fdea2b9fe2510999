#include "metrics.h"

#include "index.h"

#include <assert.h>
#include <string.h>

struct metric_series {
    enum metric family;
    bool present; /* of a gauge: it was set */
    int64_t value;
    struct metric_histogram *histogram; /* of a histogram */
    char *values[METRICS_LABELS];       /* NULL behind the last */
    char *shown;                        /* site="arena",rule="on-sale"; "" without labels */
    struct metric_series *next;         /* of its family, in the order of their making */
};

struct metrics {
    struct family {
        struct metric_series *first, **end;
        size_t count;
    } families[METRICS];
    struct index by_labels;
    int64_t began_at_ms;
};

/* --- Series ------------------------------------------------------------------------------------------------------- */

static uint64_t hash_of(const void *item)
{
    const struct metric_series *series = item;
    uint64_t hash = (INDEX_HASH ^ (uint64_t)series->family) * UINT64_C(0x100000001b3);

    for (size_t i = 0; i < METRICS_LABELS && series->values[i]; i++)
        hash = index_hash(hash, series->values[i]);
    return hash;
}

static bool is_same(const void *a, const void *b)
{
    const struct metric_series *one = a, *other = b;

    if (one->family != other->family)
        return false;
    for (size_t i = 0; i < METRICS_LABELS && one->values[i]; i++)
        if (strcmp(one->values[i], other->values[i]) != 0)
            return false;
    return true;
}

static const struct index_kind by_labels = {hash_of, is_same};

/* Of the format's three escapes, and nothing that is not UTF-8: a name may be anything. */
void buf_add_metric_label(struct buf *out, const char *value)
{
    bool readable = text_is_utf8(text_of(value));

    for (; *value; value++)
        if (*value == '\\' || *value == '"')
            buf_addf(out, "\\%c", *value);
        else if (*value == '\n')
            buf_adds(out, "\\n");
        else
            buf_addc(out, readable || (unsigned char)*value < 0x80 ? *value : '?');
}

static char *show_labels(const struct metric_series *series)
{
    struct buf out;

    buf_init(&out, 64 * 1024);
    for (size_t i = 0; i < METRICS_LABELS && series->values[i]; i++) {
        buf_addf(&out, "%s%s=\"", i ? "," : "", metric_families[series->family].labels[i]);
        buf_add_metric_label(&out, series->values[i]);
        buf_addc(&out, '"');
    }
    buf_adds(&out, "");
    char *shown = buf_take(&out);
    return shown ? shown : must_strdup("");
}

static struct metric_series *make(struct metrics *metrics, const struct metric_series *like)
{
    struct family *family = &metrics->families[like->family];
    struct metric_series *series = must_calloc(1, sizeof *series);

    series->family = like->family;
    for (size_t i = 0; i < METRICS_LABELS && like->values[i]; i++)
        series->values[i] = must_strdup(like->values[i]);
    series->shown = show_labels(series);
    if (metric_families[like->family].type == METRIC_HISTOGRAM)
        series->histogram = must_calloc(1, sizeof *series->histogram);
    series->present = metric_families[like->family].type != METRIC_GAUGE;
    *family->end = series;
    family->end = &series->next;
    family->count++;
    index_put(&metrics->by_labels, &by_labels, series);
    return series;
}

struct metric_series *metrics_series(struct metrics *metrics, enum metric family, const char *const *labels)
{
    struct metric_series like = {.family = family};

    if (!metrics)
        return NULL;
    for (size_t i = 0; i < METRICS_LABELS && metric_families[family].labels[i]; i++) {
        assert(labels[i]); /* each of them has a value */
        like.values[i] = (char *)(uintptr_t)labels[i];
    }
    struct metric_series *found = index_find(&metrics->by_labels, &by_labels, &like);
    if (found || metrics->families[family].count < METRICS_SERIES)
        return found ? found : make(metrics, &like);
    for (size_t i = 0; i < METRICS_LABELS && like.values[i]; i++)
        like.values[i] = (char *)(uintptr_t) "(others)";
    found = index_find(&metrics->by_labels, &by_labels, &like);
    return found ? found : make(metrics, &like);
}

int64_t metrics_began_at_ms(const struct metrics *metrics)
{
    return metrics->began_at_ms;
}

struct metrics *metrics_new(int64_t began_at_ms)
{
    struct metrics *metrics = must_calloc(1, sizeof *metrics);

    metrics->began_at_ms = began_at_ms;
    for (size_t i = 0; i < METRICS; i++) {
        metrics->families[i].end = &metrics->families[i].first;
        if (!metric_families[i].labels[0])
            metrics_series(metrics, (enum metric)i, NO_LABELS);
    }
    return metrics;
}

void metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return;
    for (size_t i = 0; i < METRICS; i++)
        for (struct metric_series *series = metrics->families[i].first, *next; series; series = next) {
            next = series->next;
            for (size_t k = 0; k < METRICS_LABELS; k++)
                free(series->values[k]);
            free(series->shown);
            free(series->histogram);
            free(series);
        }
    index_clear(&metrics->by_labels);
    free(metrics);
}

/* --- Counting ----------------------------------------------------------------------------------------------------- */

void metric_add(struct metric_series *series, int64_t count)
{
    if (series)
        series->value += count;
}

void metric_histogram_observe(struct metric_histogram *histogram, enum metric family, int64_t value)
{
    const int64_t *bounds = metric_families[family].buckets;
    size_t at = 0;

    while (bounds[at] && value > bounds[at])
        at++;
    histogram->counts[at]++;
    histogram->sum += value;
}

void metric_observe(struct metric_series *series, int64_t value)
{
    if (series)
        metric_histogram_observe(series->histogram, series->family, value);
}

void metrics_add(struct metrics *metrics, enum metric family, const char *const *labels, int64_t count)
{
    metric_add(metrics_series(metrics, family, labels), count);
}

void metrics_observe(struct metrics *metrics, enum metric family, const char *const *labels, int64_t value)
{
    metric_observe(metrics_series(metrics, family, labels), value);
}

void metrics_begin(struct metrics *metrics)
{
    for (size_t i = 0; i < METRICS; i++)
        for (struct metric_series *series = metrics->families[i].first; series; series = series->next)
            if (metric_families[i].type == METRIC_GAUGE) {
                series->present = false;
                series->value = 0;
            }
}

void metrics_set(struct metrics *metrics, enum metric family, const char *const *labels, int64_t value)
{
    struct metric_series *series = metrics_series(metrics, family, labels);

    if (!series)
        return;
    series->present = true;
    series->value = value;
}

void metrics_raise(struct metrics *metrics, enum metric family, const char *const *labels, int64_t count)
{
    struct metric_series *series = metrics_series(metrics, family, labels);

    if (!series)
        return;
    series->present = true;
    series->value += count;
}

void metrics_set_histogram(struct metrics *metrics, enum metric family, const char *const *labels,
                           const struct metric_histogram *histogram)
{
    struct metric_series *series = metrics_series(metrics, family, labels);

    if (series)
        *series->histogram = *histogram;
}

/* --- The text ----------------------------------------------------------------------------------------------------- */

/* Exactly, whatever the scale: 1500 of 1000 is 1.5. */
static void add_value(struct buf *out, int64_t value, int64_t scale)
{
    char digits[24];

    if (value == METRIC_INFINITE) {
        buf_adds(out, "+Inf");
        return;
    }
    uint64_t size = value < 0 ? -(uint64_t)value : (uint64_t)value, unit = scale > 1 ? (uint64_t)scale : 1;
    buf_addf(out, "%s%llu", value < 0 ? "-" : "", (unsigned long long)(size / unit));
    if (size % unit == 0)
        return;
    int len = snprintf(digits, sizeof digits, "%llu", (unsigned long long)(unit + size % unit));
    while (digits[len - 1] == '0')
        len--;
    buf_addc(out, '.');
    buf_add(out, digits + 1, (size_t)len - 1);
}

static void add_sample(struct buf *out, const struct metric_series *series, const char *suffix, int64_t value,
                       int64_t scale)
{
    buf_adds(out, metric_families[series->family].name);
    buf_adds(out, suffix);
    if (*series->shown)
        buf_addf(out, "{%s}", series->shown);
    buf_addc(out, ' ');
    add_value(out, value, scale);
    buf_addc(out, '\n');
}

static void add_histogram(struct buf *out, const struct metric_series *series)
{
    const struct metric_family *family = &metric_families[series->family];
    int64_t count = 0;

    for (size_t i = 0;; i++) {
        bool last = family->buckets[i] == 0;
        count += series->histogram->counts[i];
        buf_addf(out, "%s_bucket{%s%sle=\"", family->name, series->shown, *series->shown ? "," : "");
        add_value(out, last ? METRIC_INFINITE : family->buckets[i], family->scale);
        buf_addf(out, "\"} %lld\n", (long long)count);
        if (last)
            break;
    }
    add_sample(out, series, "_sum", series->histogram->sum, family->scale);
    add_sample(out, series, "_count", count, 1);
}

static const char *type_name(enum metric_type type)
{
    static const char *const names[] = {"counter", "gauge", "histogram"};

    return names[type];
}

void metrics_write(const struct metrics *metrics, struct buf *out)
{
    for (size_t i = 0; i < METRICS; i++) {
        const struct metric_family *family = &metric_families[i];
        buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", family->name, family->help, family->name,
                 type_name(family->type));
        for (const struct metric_series *series = metrics->families[i].first; series; series = series->next)
            if (series->histogram)
                add_histogram(out, series);
            else if (series->present)
                add_sample(out, series, "", series->value, family->scale);
    }
}
