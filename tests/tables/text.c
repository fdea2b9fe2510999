#include "clock.h"
#include "table.h"

#include <string.h>

static void spans(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } cases[] = {
        {"0", 0},
        {"250ms", 250},
        {"30s", 30000},
        {"5m", 300000},
        {"1h", 3600000},
        {"7d", 604800000},
        {"3y", 94608000000},
        {"", -1},
        {"5", -1},
        {"m", -1},
        {"-5m", -1},
        {"5 m", -1},
        {"5min", -1},
        {"9223372036854775807d", -1},
        {"1.5h", -1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = -2;
        struct error err = {0};
        int rc = parse_span(text_of(cases[i].text), &ms, &err);
        if (cases[i].ms < 0 ? rc == 0 : rc < 0 || ms != cases[i].ms)
            fail_msg("\"%s\" gave %lld: %s", cases[i].text, (long long)ms, err.text);
        if (rc < 0)
            assert_int_equal(err.kind, ERROR_REFUSED);
    }
}

static void moments(void **state)
{
    static const struct {
        const char *text;
        int64_t ms; /* MOMENT_NONE: refused */
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2027-03-26T08:00:00Z", 1806048000000},
        {"2027-03-26T08:00:00.5Z", 1806048000500},
        {"2027-03-26T08:00:00.945999Z", 1806048000945},
        {"2027-03-26t10:00:00+02:00", 1806048000000},
        {"2038-01-19T03:14:08Z", 2147483648000},
        {"2028-02-29T00:00:00z", 1835395200000},
        {"2027-02-29T00:00:00Z", MOMENT_NONE},
        {"2027-03-26T24:00:00Z", MOMENT_NONE},
        {"2027-03-26T08:00:00", MOMENT_NONE},
        {"2027-03-26T08:00:00.Z", MOMENT_NONE},
        {"2027-3-26T08:00:00Z", MOMENT_NONE},
        {"", MOMENT_NONE},
        {"2027-03-26T08:00:00Zx", MOMENT_NONE},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t ms = MOMENT_NONE;
        moment_parse(text_of(cases[i].text), &ms, NULL);
        if (ms != cases[i].ms)
            fail_msg("\"%s\" gave %lld", cases[i].text, (long long)ms);
    }
}

static void moments_come_back(void **state)
{
    (void)state;
    for (int64_t at_ms = -62135596800000; at_ms < 253402300800000; at_ms += 86400000LL * 17 + 12345677) {
        auto_buf struct buf buf;
        int64_t again = 0;
        buf_init(&buf, 64);
        buf_add_moment(&buf, at_ms);
        assert_int_equal(moment_parse(buf_text(&buf), &again, NULL), 0);
        assert_int_equal(again, at_ms);
    }
}

static void http_dates(void **state)
{
    int64_t ms = 0;
    (void)state;
    assert_int_equal(moment_parse_http(TEXT("Sun, 06 Nov 1994 08:49:37 GMT"), &ms, NULL), 0);
    assert_int_equal(ms, 784111777000);
    assert_int_equal(moment_parse_http(TEXT("Sun Nov  6 08:49:37 1994"), &ms, NULL), -1);
    assert_int_equal(moment_parse_http(TEXT(""), &ms, NULL), -1);
}

static void globs(void **state)
{
    static const struct {
        const char *text, *glob;
        bool matches;
    } cases[] = {
        {"Summer Nights", "Summer*", true},
        {"Summer", "Summer*", true},
        {"summer", "Summer*", false},
        {"abc", "a?c", true},
        {"abbbc", "a*b*c", true},
        {"", "*", true},
        {"", "?", false},
        {"abc", "", false},
        {"aaaaaaaaaaaaaaaaaaaab", "*a*a*a*a*c", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (text_matches(text_of(cases[i].text), cases[i].glob) != cases[i].matches)
            fail_msg("\"%s\" against \"%s\"", cases[i].text, cases[i].glob);
}

static void utf8(void **state)
{
    (void)state;
    assert_true(text_is_utf8(TEXT("Caf\xC3\xA9 \xF0\x9F\x8E\xAB")));
    assert_false(text_is_utf8(TEXT("\xC0\xAF")));
    assert_false(text_is_utf8(TEXT("\xED\xA0\x80")));
    assert_false(text_is_utf8(TEXT("\xE2\x82")));
    assert_false(text_is_utf8((struct text){"a\0b", 3}));
}

static void terminals_are_not_steered(void **state)
{
    const struct {
        struct text said;
        const char *shown;
    } cases[] = {
        {TEXT("Caf\xC3\xA9 \xF0\x9F\x8E\xAB"), "Caf\xC3\xA9 \xF0\x9F\x8E\xAB"},
        {TEXT("red \x1B[31m\r\n\x7F"), "red \\x1b[31m\\x0d\\x0a\\x7f"},
        {TEXT("a\tb"), "a b"},
        {TEXT("\xC2\x9B"
              "31m"),
         "\\x9b31m"}, /* CSI in one character */
        {TEXT("abc\xE2\x80\xAEzyx"), "abc\\u202ezyx"},
        {TEXT("\xE2\x80"), "\\xe2\\x80"},
        {TEXT("\xFF\xC0\xAF"), "\\xff\\xc0\\xaf"},
        {TEXT("a\0b"), "a\\x00b"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf buf;
        buf_init(&buf, 100);
        buf_add_visible(&buf, cases[i].said);
        assert_string_equal(buf.ptr, cases[i].shown);
    }
}

static void buffers_stay_failed(void **state)
{
    auto_buf struct buf buf;
    (void)state;
    buf_init(&buf, 5);
    buf_adds(&buf, "12345");
    assert_false(buf_failed(&buf));
    buf_addc(&buf, '6');
    buf_reset(&buf);
    buf_adds(&buf, "123456");
    buf_adds(&buf, "1");
    assert_true(buf_failed(&buf));
    assert_string_equal(buf.ptr, "");
}

static void reserved_room_does_not_move(void **state)
{
    auto_buf struct buf buf;
    (void)state;
    buf_init(&buf, 6000);
    buf_reserve(&buf, 6001); /* it would never fit: nothing happens */
    assert_false(buf_failed(&buf));
    assert_null(buf.ptr);
    buf_reserve(&buf, 5000);
    const char *at = buf.ptr;
    size_t cap = buf.cap;
    assert_non_null(at);
    assert_int_equal(buf.len, 0);
    for (int i = 0; i < 5000; i++)
        buf_addc(&buf, 'x');
    assert_ptr_equal(buf.ptr, at);
    assert_int_equal(buf.cap, cap);
    assert_int_equal(strlen(buf.ptr), 5000);
}

static void errors_keep_the_first_failure(void **state)
{
    struct error err = {0};
    (void)state;
    assert_int_equal(error_set(&err, ERROR_TRY_LATER, "line\none"), -1);
    error_set(&err, ERROR_CONFIG, "second");
    error_at(&err, "fans.csv:%d", 3);
    assert_string_equal(err.text, "fans.csv:3: line one");
    assert_int_equal(err.kind, ERROR_TRY_LATER);
    for (int i = 0; i < 200; i++)
        error_at(&err, "\xC3\xA9\xC3\xA9%d", i);
    assert_true(text_is_utf8(text_of(err.text)));
}

static void distances(void **state)
{
    (void)state;
    assert_int_equal(text_distance("vips", "vip"), 1);
    assert_int_equal(text_distance("audiecne", "audience"), 1);
    assert_int_equal(text_distance("", "abc"), 3);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans),
        cmocka_unit_test(moments),
        cmocka_unit_test(moments_come_back),
        cmocka_unit_test(http_dates),
        cmocka_unit_test(globs),
        cmocka_unit_test(utf8),
        cmocka_unit_test(terminals_are_not_steered),
        cmocka_unit_test(buffers_stay_failed),
        cmocka_unit_test(reserved_room_does_not_move),
        cmocka_unit_test(errors_keep_the_first_failure),
        cmocka_unit_test(distances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
