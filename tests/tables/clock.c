#include "clock.h"
#include "table.h"

#include <string.h>
#include <time.h>

static void civil_times(void **state)
{
    static const struct {
        int64_t at_ms;
        struct civil civil;
        int weekday;
    } cases[] = {
        {0, {1970, 1, 1, 0, 0, 0, 0}, 4},
        {-1, {1969, 12, 31, 23, 59, 59, 999}, 3},
        {-86400000, {1969, 12, 31, 0, 0, 0, 0}, 3},
        {-86400001, {1969, 12, 30, 23, 59, 59, 999}, 2},
        {951782400000, {2000, 2, 29, 0, 0, 0, 0}, 2},
        {4107542400000, {2100, 3, 1, 0, 0, 0, 0}, 1},
        {-62135596800000, {1, 1, 1, 0, 0, 0, 0}, 1},
        {-62135596800001, {0, 12, 31, 23, 59, 59, 999}, 0},
        {-62167219200001, {-1, 12, 31, 23, 59, 59, 999}, 5},
        {INT64_MAX, {292278994, 8, 17, 7, 12, 55, 807}, 0},
        {INT64_MIN, {-292275055, 5, 16, 16, 47, 4, 192}, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct civil c = civil_of(cases[i].at_ms);
        assert_memory_equal(&c, &cases[i].civil, sizeof c);
        assert_int_equal(civil_weekday(c), cases[i].weekday);
        if (cases[i].at_ms != INT64_MIN) /* its day begins before the first moment */
            assert_int_equal(civil_to_ms(c), cases[i].at_ms);
    }
}

static void fields_overflow(void **state)
{
    static const struct {
        struct civil civil, same;
    } cases[] = {
        {{2026, 13, 1}, {2027, 1, 1}},
        {{2026, 0, 1}, {2025, 12, 1}},
        {{2026, -11, 1}, {2025, 1, 1}},
        {{2026, 25, 1}, {2028, 1, 1}},
        {{2026, 3, 0}, {2026, 2, 28}},
        {{2028, 3, 0}, {2028, 2, 29}},
        {{2026, 12, 32}, {2027, 1, 1}},
        {{2026, 1, 1, -1}, {2025, 12, 31, 23}},
        {{2026, 1, 1, 0, 0, 0, -1}, {2025, 12, 31, 23, 59, 59, 999}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(civil_to_ms(cases[i].civil), civil_to_ms(cases[i].same));
}

/* glibc's gmtime and timegm are the judge. */
static void agrees_with_glibc(void **state)
{
    uint64_t seed = 7;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        time_t when = (time_t)(int64_t)seed >> 26; /* years -2400 to 6300 */
        struct tm tm;
        gmtime_r(&when, &tm);
        struct civil c = civil_of((int64_t)when * 1000);
        if (c.year != tm.tm_year + 1900 || c.month != tm.tm_mon + 1 || c.day != tm.tm_mday || c.hour != tm.tm_hour ||
            c.minute != tm.tm_min || c.second != tm.tm_sec || civil_weekday(c) != tm.tm_wday)
            fail_msg("%lld", (long long)when);
        assert_int_equal(civil_to_ms(c), (int64_t)when * 1000);
    }
}

static void bad_moments(void **state)
{
    static const struct text rfc3339[] = {
        {"2027\00003-26T08:00:00Z", 20},
        {"2027-03-26\00008:00:00Z", 20},
        {"2027-03-26T08:00:00\00002:00", 25}, /* a NUL is no sign */
        {"2027-03-26T08:00:00+24:00", 25},
        {"2027-03-26T08:00:00+0200", 24},
        {"2027-03-26T08:00:00.1234567890Z", 31},
        {"0000-03-26T08:00:00Z", 20},
        {"2027-00-26T08:00:00Z", 20},
        {"2027-13-26T08:00:00Z", 20},
        {"2027-03-00T08:00:00Z", 20},
        {"2100-02-29T08:00:00Z", 20},
        {"2027-03-26T08:60:00Z", 20},
        {"2027-03-26T08:00:61Z", 20},
        {"+2027-03-26T08:00:00Z", 21},
        {" 2027-03-26T08:00:00Z", 21},
        {NULL, 0},
    };
    static const char *const http[] = {
        "Sun, 06 Nov 1994 08:49:37 UTC", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT",  "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMTx", "",
    };
    int64_t ms;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rfc3339); i++) {
        struct error err = {0};
        assert_int_equal(moment_parse(rfc3339[i], &ms, &err), -1);
        assert_int_equal(err.kind, ERROR_REFUSED);
    }
    for (size_t i = 0; i < ARRAY_LEN(http); i++)
        assert_int_equal(moment_parse_http(text_of(http[i]), &ms, NULL), -1);
    assert_int_equal(moment_parse_http(TEXT(" Sun, 06 Nov 1994 08:49:37 GMT\r\n"), &ms, NULL), 0);
    assert_int_equal(ms, 784111777000);
    assert_int_equal(moment_parse(TEXT("1969-12-31T23:59:59.9999-00:00"), &ms, NULL), 0);
    assert_int_equal(ms, -1); /* never rounded up */
    assert_int_equal(moment_parse(TEXT("2016-12-31T23:59:60Z"), &ms, NULL), 0);
    assert_int_equal(ms, 1483228800000); /* a leap second is the first of the next minute */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(civil_times),
        cmocka_unit_test(fields_overflow),
        cmocka_unit_test(agrees_with_glibc),
        cmocka_unit_test(bad_moments),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
