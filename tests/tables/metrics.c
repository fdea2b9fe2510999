/* The registry and its text: Prometheus text format 0.0.4, whatever the names say. What the families are called is held
 * against the conventions here, and against promtool by the end-to-end test. */
#include "metrics.h"
#include "table.h"
#include "turns.h"

#include <string.h>

static char *text_with(const struct metrics *metrics)
{
    struct buf out;

    buf_init(&out, 16 * 1024 * 1024);
    metrics_write(metrics, &out);
    assert_false(buf_failed(&out));
    return buf_take(&out);
}

static bool has_line(const char *text, const char *line)
{
    size_t len = strlen(line);

    for (const char *at = strstr(text, line); at; at = strstr(at + 1, line))
        if ((at == text || at[-1] == '\n') && at[len] == '\n')
            return true;
    return false;
}

static void expect_line(const struct metrics *metrics, const char *line, bool there)
{
    auto_free char *text = text_with(metrics);

    if (has_line(text, line) != there)
        fail_msg("%s: %s", there ? "missing" : "should not be there", line);
}

static void escapes(void **state)
{
    static const struct {
        const char *value, *shown;
    } cases[] = {
        {"arena", "arena"},
        {"", ""},
        {"a \"quoted\" one", "a \\\"quoted\\\" one"},
        {"C:\\arena", "C:\\\\arena"},
        {"two\nlines", "two\\nlines"},
        {"\\n", "\\\\n"},
        {"} 1\nonsale_copy 1", "} 1\\nonsale_copy 1"},
        {"Šv. Jurgio", "Šv. Jurgio"},
        {"\xff\xc3", "??"},
        {"a\xc3(", "a?("},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf out;
        buf_init(&out, 1024);
        buf_add_metric_label(&out, cases[i].value);
        buf_adds(&out, "");
        assert_string_equal(out.ptr ? out.ptr : "", cases[i].shown);
    }
}

static void values(void **state)
{
    static const struct {
        int64_t value;
        const char *line;
    } cases[] = {
        {0, "onsale_site_stale_seconds{site=\"a\"} 0"},
        {1, "onsale_site_stale_seconds{site=\"a\"} 0.001"},
        {1500, "onsale_site_stale_seconds{site=\"a\"} 1.5"},
        {60000, "onsale_site_stale_seconds{site=\"a\"} 60"},
        {1010, "onsale_site_stale_seconds{site=\"a\"} 1.01"},
        {-250, "onsale_site_stale_seconds{site=\"a\"} -0.25"},
        {METRIC_INFINITE, "onsale_site_stale_seconds{site=\"a\"} +Inf"},
        {INT64_MIN + 1, "onsale_site_stale_seconds{site=\"a\"} -9223372036854775.807"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct metrics *metrics = metrics_new(0);
        metrics_set(metrics, METRIC_SITE_STALE, LABELS("a"), cases[i].value);
        expect_line(metrics, cases[i].line, true);
        metrics_free(metrics);
    }
}

static void counters_stay_and_gauges_are_taken_anew(void **state)
{
    struct metrics *metrics = metrics_new(0);

    (void)state;
    metrics_add(metrics, METRIC_SITE_WALKS, LABELS("arena", "full", "done"), 2);
    metrics_add(metrics, METRIC_SITE_WALKS, LABELS("arena", "full", "done"), 1);
    metrics_add(metrics, METRIC_SITE_WALKS, LABELS("arena", "changes", "done"), 0);
    metrics_begin(metrics);
    metrics_set(metrics, METRIC_SITE_DEFINITIONS, LABELS("arena"), 7);
    metrics_raise(metrics, METRIC_PEOPLE, LABELS("arena", "on-sale", "accepted"), 3);
    metrics_raise(metrics, METRIC_PEOPLE, LABELS("arena", "on-sale", "accepted"), 4);
    expect_line(metrics, "onsale_site_walks_total{site=\"arena\",kind=\"full\",outcome=\"done\"} 3", true);
    expect_line(metrics, "onsale_site_walks_total{site=\"arena\",kind=\"changes\",outcome=\"done\"} 0", true);
    expect_line(metrics, "onsale_site_definitions{site=\"arena\"} 7", true);
    expect_line(metrics, "onsale_people{site=\"arena\",rule=\"on-sale\",fate=\"accepted\"} 7", true);
    metrics_begin(metrics);
    metrics_raise(metrics, METRIC_PEOPLE, LABELS("arena", "on-sale", "accepted"), 5);
    expect_line(metrics, "onsale_people{site=\"arena\",rule=\"on-sale\",fate=\"accepted\"} 5", true);
    expect_line(metrics, "onsale_site_definitions{site=\"arena\"} 7", false);
    expect_line(metrics, "onsale_site_walks_total{site=\"arena\",kind=\"full\",outcome=\"done\"} 3", true);
    metrics_free(metrics);
}

static void histograms_add_up(void **state)
{
    struct metrics *metrics = metrics_new(0);
    struct metric_series *series = metrics_series(metrics, METRIC_LATE, LABELS("mail"));

    (void)state;
    metric_observe(series, 25);
    metric_observe(series, 26);
    metric_observe(series, 100000000);
    metric_observe(series, -3); /* the machine's clock was set back */
    expect_line(metrics, "onsale_handover_late_seconds_bucket{notifier=\"mail\",le=\"0.025\"} 2", true);
    expect_line(metrics, "onsale_handover_late_seconds_bucket{notifier=\"mail\",le=\"0.05\"} 3", true);
    expect_line(metrics, "onsale_handover_late_seconds_bucket{notifier=\"mail\",le=\"21600\"} 3", true);
    expect_line(metrics, "onsale_handover_late_seconds_bucket{notifier=\"mail\",le=\"+Inf\"} 4", true);
    expect_line(metrics, "onsale_handover_late_seconds_count{notifier=\"mail\"} 4", true);
    expect_line(metrics, "onsale_handover_late_seconds_sum{notifier=\"mail\"} 100000.048", true);
    expect_line(metrics, "onsale_store_commit_seconds_bucket{le=\"0.00025\"} 0", true);
    expect_line(metrics, "onsale_store_commit_seconds_count 0", true);
    metrics_free(metrics);
}

/* Whoever asks with ever new names fills no memory. */
static void series_are_bounded(void **state)
{
    struct metrics *metrics = metrics_new(0);
    char name[32];

    (void)state;
    for (int i = 0; i < METRICS_SERIES + 500; i++) {
        snprintf(name, sizeof name, "audience %d", i);
        metrics_add(metrics, METRIC_AUDIENCE_RECORDS, LABELS(name), 1);
    }
    expect_line(metrics, "onsale_audience_records_total{audience=\"audience 1999\"} 1", true);
    expect_line(metrics, "onsale_audience_records_total{audience=\"audience 2000\"} 1", false);
    expect_line(metrics, "onsale_audience_records_total{audience=\"(others)\"} 500", true);
    metrics_free(metrics);
}

static void without_a_registry_nothing_is_counted(void **state)
{
    (void)state;
    metric_add(metrics_series(NULL, METRIC_LATE, LABELS("mail")), 1);
    metric_observe(NULL, 1);
    metrics_add(NULL, METRIC_SITE_WALKS, LABELS("arena", "full", "done"), 1);
    metrics_set(NULL, METRIC_COPY, NO_LABELS, 1);
    metrics_free(NULL);
}

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), tail = strlen(end);

    return len > tail && strcmp(name + len - tail, end) == 0;
}

static void families_follow_the_conventions(void **state)
{
    static const char *const forbidden[] = {"notice", "id", "address", "token", "email", "key", "le", "quantile"};

    (void)state;
    for (size_t i = 0; i < METRICS; i++) {
        const struct metric_family *family = &metric_families[i];
        assert_non_null(family->name);
        if (!text_starts(text_of(family->name), "onsale_") && !text_starts(text_of(family->name), "process_"))
            fail_msg("%s: whose is it?", family->name);
        if (ends_with(family->name, "_total") != (family->type == METRIC_COUNTER))
            fail_msg("%s: _total is for counters, and for all of them", family->name);
        if (family->type == METRIC_HISTOGRAM && !ends_with(family->name, "_seconds"))
            fail_msg("%s: expected seconds", family->name);
        if (family->type == METRIC_HISTOGRAM && (!family->buckets || !family->buckets[0]))
            fail_msg("%s: no buckets", family->name);
        size_t bounds = 0;
        for (; family->buckets && family->buckets[bounds]; bounds++)
            if (bounds > 0 && family->buckets[bounds] <= family->buckets[bounds - 1])
                fail_msg("%s: buckets must rise", family->name);
        assert_true(bounds <= METRICS_BUCKETS);
        if (!family->help || !*family->help || strpbrk(family->help, "\\\n"))
            fail_msg("%s: expected help on one line", family->name);
        if (text_starts(text_of(family->name), "onsale_") && family->type != METRIC_GAUGE &&
            !strstr(family->help, "since the start"))
            fail_msg("%s: HELP has to say that it counts since the start", family->name);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(family->name, metric_families[k].name);
        for (size_t k = 0; k < METRICS_LABELS && family->labels[k]; k++)
            for (size_t f = 0; f < ARRAY_LEN(forbidden); f++)
                if (strcmp(family->labels[k], forbidden[f]) == 0)
                    fail_msg("%s: a label %s is without bound, secret or the format's own", family->name,
                             family->labels[k]);
    }
}

/* What is built between its beginning and the loop's is no turn. */
static void turns_are_counted(void **state)
{
    struct metrics *metrics = metrics_new(0);
    struct turns turns;
    uv_loop_t loop;

    (void)state;
    uv_loop_init(&loop);
    turns_begin(&turns, &loop, metrics);
    uv_ref((uv_handle_t *)&turns.check); /* nothing else keeps the loop going here */
    for (int run = 0; run < 3; run++) {
        char expected[64];
        struct buf text;
        uv_run(&loop, UV_RUN_NOWAIT);
        snprintf(expected, sizeof expected, "\nonsale_loop_turn_seconds_count %d\n", run);
        buf_init(&text, 1024 * 1024);
        metrics_write(metrics, &text);
        if (!strstr(text.ptr, expected))
            fail_msg("after %d runs: expected %s", run + 1, expected);
        buf_clear(&text);
    }
    turns_end(&turns);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes),
        cmocka_unit_test(values),
        cmocka_unit_test(counters_stay_and_gauges_are_taken_anew),
        cmocka_unit_test(histograms_add_up),
        cmocka_unit_test(series_are_bounded),
        cmocka_unit_test(without_a_registry_nothing_is_counted),
        cmocka_unit_test(families_follow_the_conventions),
        cmocka_unit_test(turns_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
