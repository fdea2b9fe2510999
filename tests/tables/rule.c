#include "rule.h"
#include "table.h"

#include <string.h>

static void when_words(void **state)
{
    static const struct {
        const char *text;
        const char *sentence; /* NULL: refused */
        struct when when;
    } cases[] = {
        {"sale_start", "when the sale starts", {MOMENT_SALE_START}},
        {" sale_end ", "when the sale ends", {MOMENT_SALE_END}},
        {"24h before sale_start", "1d before the sale starts", {MOMENT_SALE_START, -DAY_MS}},
        {"1d before sale_start", "1d before the sale starts", {MOMENT_SALE_START, -DAY_MS}},
        {"1h  before sale_end", "1h before the sale ends", {MOMENT_SALE_END, -HOUR_MS}},
        {"90s after sale_start", "90s after the sale starts", {MOMENT_SALE_START, 90 * SECOND_MS}},
        {"18:00 the day before sale_start",
         "at 18:00 the day before the sale starts",
         {MOMENT_SALE_START, 0, true, 18 * 60}},
        {"00:05 the day before sale_end", "at 00:05 the day before the sale ends", {MOMENT_SALE_END, 0, true, 5}},
        {"", NULL},
        {"sale", NULL},
        {"sale_start now", NULL},
        {"before sale_start", NULL},
        {"24h sale_start", NULL},
        {"24h before", NULL},
        {"24h until sale_start", NULL},
        {"24 before sale_start", NULL},
        {"11y before sale_start", NULL},
        {"24:00 the day before sale_start", NULL},
        {"8:00 the day before sale_start", NULL},
        {"18:60 the day before sale_start", NULL},
        {"18:00 day before sale_start", NULL},
        {"18:00 the day after sale_start", NULL},
        {"18:00 the day before", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf buf;
        struct when when = {0};
        struct error err = {0};
        int rc = when_parse(text_of(cases[i].text), &when, &err);
        buf_init(&buf, 100);
        if ((rc == 0) != (cases[i].sentence != NULL))
            fail_msg("\"%s\": %d %s", cases[i].text, rc, err.text);
        if (rc < 0)
            continue;
        buf_add_when(&buf, &when);
        assert_string_equal(buf.ptr, cases[i].sentence);
        assert_int_equal(when.kind, cases[i].when.kind);
        assert_int_equal(when.offset_ms, cases[i].when.offset_ms);
        assert_int_equal(when.day_before, cases[i].when.day_before);
        assert_int_equal(when.minute_of_day, cases[i].when.minute_of_day);
        assert_int_equal(when_is_before(&when), when.day_before || when.offset_ms < 0);
    }
}

static int64_t moment(const char *text)
{
    int64_t ms = MOMENT_NONE;
    assert_int_equal(moment_parse(text_of(text), &ms, NULL), 0);
    return ms;
}

static void due_times(void **state)
{
    static const struct {
        const char *when, *zone, *at, *due;
        enum zone_met met;
    } cases[] = {
        {"sale_start", NULL, "2027-03-26T08:00:00.123Z", "2027-03-26T08:00:00.123Z"},
        {"24h before sale_start", "Europe/Vilnius", "2027-03-28T07:00:00Z", "2027-03-27T07:00:00Z"}, /* 24 h, always */
        {"18:00 the day before sale_start", NULL, "2027-03-01T08:00:00Z", "2027-02-28T18:00:00Z"},
        {"18:00 the day before sale_start", NULL, "2028-01-01T00:00:00Z", "2027-12-31T18:00:00Z"},
        {"18:00 the day before sale_start", "Europe/Vilnius", "2027-01-15T08:00:00Z", "2027-01-14T16:00:00Z"},
        /* 00:30 in Vilnius is the evening before in UTC: the day is the one of the place. */
        {"18:00 the day before sale_start", "Europe/Vilnius", "2027-01-14T22:30:00Z", "2027-01-14T16:00:00Z"},
        /* North: clocks change on 2027-03-28 at 03:00 and on 2027-10-31 at 04:00. */
        {"18:00 the day before sale_start", "Europe/Vilnius", "2027-03-28T07:00:00Z", "2027-03-27T16:00:00Z"},
        {"03:30 the day before sale_start", "Europe/Vilnius", "2027-03-29T07:00:00Z", "2027-03-28T01:30:00Z", ZONE_GAP},
        {"03:30 the day before sale_start", "Europe/Vilnius", "2027-11-01T08:00:00Z", "2027-10-31T00:30:00Z",
         ZONE_OVERLAP},
        /* South: Sydney, 2027-10-03 at 02:00 forward, 2027-04-04 at 03:00 back. */
        {"02:30 the day before sale_start", "Australia/Sydney", "2027-10-03T23:00:00Z", "2027-10-02T16:30:00Z",
         ZONE_GAP},
        {"02:30 the day before sale_start", "Australia/Sydney", "2027-04-05T00:00:00Z", "2027-04-03T15:30:00Z",
         ZONE_OVERLAP},
        {"12:00 the day before sale_start", "America/Santiago", "2027-01-10T15:00:00Z", "2027-01-09T15:00:00Z"},
        /* Beyond what 32 bits and the tables of the file hold. */
        {"18:00 the day before sale_start", "Europe/Vilnius", "2038-07-15T08:00:00Z", "2038-07-14T15:00:00Z"},
        {"18:00 the day before sale_start", "Europe/Vilnius", "2090-01-15T08:00:00Z", "2090-01-14T16:00:00Z"},
        {"1h before sale_end", "Europe/Vilnius", "2038-01-19T03:14:08Z", "2038-01-19T02:14:08Z"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct zone *zone = cases[i].zone ? zone_load(cases[i].zone, NULL) : NULL;
        auto_buf struct buf due;
        struct when when;
        enum zone_met met = ZONE_PLAIN;
        buf_init(&due, 100);
        assert_true(!cases[i].zone || zone);
        assert_int_equal(when_parse(text_of(cases[i].when), &when, NULL), 0);
        buf_add_moment(&due, when_due_at_ms(&when, moment(cases[i].at), zone, &met));
        assert_int_equal(when_due_at_ms(&when, moment(cases[i].at), zone, NULL), moment(due.ptr));
        if (moment(due.ptr) != moment(cases[i].due) || met != cases[i].met)
            fail_msg("%s of %s: %s (%d)", cases[i].when, cases[i].at, due.ptr, (int)met);
        zone_free(zone);
    }
}

static struct rule rule_of(const char *yaml, struct config_doc **doc)
{
    struct rule rule = {0};
    struct error err = {0};
    *doc = config_parse("rule.yaml", ".", text_of(yaml));
    config_read(*doc, rule_options, &rule);
    if (config_check(*doc, &err) < 0)
        fail_msg("%s", err.text);
    return rule;
}

#define SHORTEST "{name: on-sale, when: sale_start, audiences: [fans, door], notify: mail, template: on-sale"

static void fallbacks(void **state)
{
    struct config_doc *doc;
    struct rule rule = rule_of(SHORTEST "}", &doc);

    (void)state;
    assert_string_equal(rule.combine, "event");
    assert_int_equal(rule.gather_ahead_ms, 10 * MINUTE_MS);
    assert_int_equal(rule.catch_up_ms, 30 * MINUTE_MS);
    assert_int_equal(rule.consent_max_age_ms, HOUR_MS);
    assert_int_equal(rule.finish_within_ms, 10 * MINUTE_MS);
    assert_int_equal(rule.if_not_started.wait_ms, 60 * SECOND_MS);
    assert_int_equal(rule.if_not_started.then, THEN_SEND);
    assert_int_equal(rule.if_unverified.wait_ms, 15 * MINUTE_MS);
    assert_int_equal(rule.if_unverified.then, THEN_DROP);
    assert_int_equal(rule.if_sold_out, THEN_DROP);
    assert_int_equal(rule.if_told, THEN_HOLD);
    assert_false(rule.repeat_in_doubt);
    assert_int_equal(rule.retry.attempts, 8);
    assert_int_equal(rule.retry.first_ms, SECOND_MS);
    assert_int_equal(rule.retry.cap_ms, 5 * MINUTE_MS);
    config_free(doc);
}

static void refusals(void **state)
{
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {SHORTEST ", if_told: maybe}", "if_told"},
        {SHORTEST ", if_sold_out: hold}", "drop or send"},
        {SHORTEST ", in_doubt: maybe}", "keep or repeat"},
        {SHORTEST ", combine: series}", "expected event"},
        {SHORTEST ", retry: {attempts: 0}}", "attempts"},
        {SHORTEST ", retry: {first: 0}}", "first"},
        {SHORTEST ", only: {title: x}}", "titles"},
        {"{name: x, when: later, audiences: a, notify: b, template: c}", "24h before sale_start"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config_doc *doc = config_parse("rule.yaml", ".", text_of(cases[i].yaml));
        struct rule rule = {0};
        struct error err = {0};
        config_read(doc, rule_options, &rule);
        if (config_check(doc, &err) == 0 || !strstr(err.text, cases[i].says))
            fail_msg("%s: %s", cases[i].yaml, err.text);
        config_free(doc);
    }
}

static void coverage(void **state)
{
    static const struct {
        const char *scope;
        bool covers;
    } cases[] = {
        {"", true},
        {", sites: [arena]", true},
        {", sites: [hall]", false},
        {", sites: [hall, arena]", true},
        {", only: {titles: [\"Summer*\"]}", true},
        {", only: {titles: [\"summer*\"]}", false},
        {", only: {titles: [\"Winter*\", \"Summer*\"]}", true},
        {", only: {titles: [\"Summer*\"], events: [e2]}", false},
        {", only: {definitions: [d1], events: [e1]}", true},
        {", never: {events: [e1]}", false},
        {", never: {definitions: [\"d?\"]}", false},
        {", never: {titles: [\"Winter*\"], events: [e2]}", true},
        {", only: {events: [e1]}, never: {titles: [\"*Nights\"]}", false},
    };
    static const struct definition definition = {
        .site = "arena", .id = "d1", .event_id = "e1", .event_title = "Summer Nights"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config_doc *doc;
        char yaml[300];
        struct rule rule;
        snprintf(yaml, sizeof yaml, "%s%s}", SHORTEST, cases[i].scope);
        rule = rule_of(yaml, &doc);
        if (rule_covers(&rule, &definition) != cases[i].covers)
            fail_msg("%s", cases[i].scope);
        config_free(doc);
    }
}

static void sentences(void **state)
{
    static const struct {
        const char *more, *languages, *sentence;
    } cases[] = {
        {"", "en, de",
         "on-sale: when the sale starts, to fans and door, by mail, template on-sale (en, de), at most 30m late"},
        {"", NULL, "on-sale: when the sale starts, to fans and door, by mail, template on-sale, at most 30m late"},
        {", fallback: push, catch_up: 1h, sites: [arena], only: {titles: [\"Summer*\"]}, never: {events: [a, b, c]}",
         "en",
         "on-sale: when the sale starts, to fans and door, by mail, else by push, template on-sale (en), at most 1h "
         "late; at arena; only titles Summer*; never events a, b and c"},
        {", attach_calendar: true", "en",
         "on-sale: when the sale starts, to fans and door, by mail, template on-sale (en) and a calendar entry, at "
         "most "
         "30m late"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf buf;
        struct config_doc *doc;
        char yaml[300];
        struct rule rule;
        buf_init(&buf, 1000);
        snprintf(yaml, sizeof yaml, "%s%s}", SHORTEST, cases[i].more);
        rule = rule_of(yaml, &doc);
        buf_add_rule(&buf, &rule, cases[i].languages);
        assert_string_equal(buf.ptr, cases[i].sentence);
        config_free(doc);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(when_words), cmocka_unit_test(due_times), cmocka_unit_test(fallbacks),
        cmocka_unit_test(refusals),   cmocka_unit_test(coverage),  cmocka_unit_test(sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
