#include "conditional.h"
#include "table.h"

#include <string.h>

#define MODIFIED "Sun, 06 Nov 1994 08:49:37 GMT"
enum { PLAIN, GZIP, PLAIN_304, GZIP_304 };

/* A client's header, "name: value" a line, at an answer that has both forms. */
static int answer_of(const char *header, bool has_gzip)
{
    struct conditional_forms forms = {.plain = TEXT("\"abc\""), .modified_at_ms = INT64_C(784111777999)};
    struct conditional request = {0};
    struct text rest = text_of(header);

    if (has_gzip)
        forms.gzip = TEXT("\"abc-gz\"");
    while (rest.len > 0) {
        struct text value = text_cut(&rest, '\n'), name = text_cut(&value, ':');
        conditional_field(&request, name, text_trim(value));
    }
    struct conditional_choice choice = conditional_choose(&request, &forms);
    return choice.has_it * 2 + choice.gzip;
}

static void answers(void **state)
{
    static const struct {
        const char *header;
        int both, plain_only; /* with a gzip form, and where there is none */
    } cases[] = {
        {"", PLAIN, PLAIN},
        {"Accept: gzip", PLAIN, PLAIN},
        /* forms */
        {"Accept-Encoding: gzip", GZIP, PLAIN},
        {"accept-encoding: GZip", GZIP, PLAIN},
        {"Accept-Encoding: x-gzip", GZIP, PLAIN},
        {"Accept-Encoding: gzip, deflate, br", GZIP, PLAIN},
        {"Accept-Encoding: deflate, br", PLAIN, PLAIN},
        {"Accept-Encoding: br\nAccept-Encoding: gzip", GZIP, PLAIN},
        {"Accept-Encoding: ", PLAIN, PLAIN},
        {"Accept-Encoding: ,,,", PLAIN, PLAIN},
        {"Accept-Encoding: gzip;q=0", PLAIN, PLAIN},
        {"Accept-Encoding: gzip;q=0.000", PLAIN, PLAIN},
        {"Accept-Encoding: gzip ; Q = 0", PLAIN, PLAIN},
        {"Accept-Encoding: gzip;q=0.001", GZIP, PLAIN},
        {"Accept-Encoding: gzip;q=1.000", GZIP, PLAIN},
        {"Accept-Encoding: gzip;q=1.001", PLAIN, PLAIN},
        {"Accept-Encoding: gzip;q=0.0001", PLAIN, PLAIN},
        {"Accept-Encoding: gzip;q=2", PLAIN, PLAIN},
        {"Accept-Encoding: gzip;q=-1", PLAIN, PLAIN},
        {"Accept-Encoding: gzip;q=.5", PLAIN, PLAIN},
        {"Accept-Encoding: gzip;q=1.", GZIP, PLAIN},
        {"Accept-Encoding: gzip;q=", PLAIN, PLAIN},
        {"Accept-Encoding: gzip;q", PLAIN, PLAIN},
        {"Accept-Encoding: gzip;level=9", GZIP, PLAIN},
        {"Accept-Encoding: gzip;level=9;q=0", PLAIN, PLAIN},
        {"Accept-Encoding: gzip, gzip;q=0", PLAIN, PLAIN},
        {"Accept-Encoding: gzip;q=0, gzip", PLAIN, PLAIN},
        {"Accept-Encoding: *", GZIP, PLAIN},
        {"Accept-Encoding: *;q=0", PLAIN, PLAIN},
        {"Accept-Encoding: *;q=0, gzip", GZIP, PLAIN},
        {"Accept-Encoding: gzip;q=0, *", PLAIN, PLAIN},
        {"Accept-Encoding: identity", PLAIN, PLAIN},
        {"Accept-Encoding: identity, gzip", GZIP, PLAIN},
        {"Accept-Encoding: identity, gzip;q=0.5", PLAIN, PLAIN},
        {"Accept-Encoding: identity;q=0.5, gzip;q=0.6", GZIP, PLAIN},
        {"Accept-Encoding: identity;q=0, gzip;q=0.1", GZIP, PLAIN},
        {"Accept-Encoding: identity;q=0", PLAIN, PLAIN},
        {"Accept-Encoding: gzip;q=0.3, *;q=0.5", PLAIN, PLAIN},
        {"Accept-Encoding: gzipped", PLAIN, PLAIN},
        {"Accept-Encoding: gzip deflate", PLAIN, PLAIN},
        {"Accept-Encoding: \"gzip\"", PLAIN, PLAIN},
        /* entity tags */
        {"If-None-Match: \"abc\"", PLAIN_304, PLAIN_304},
        {"If-None-Match: W/\"abc\"", PLAIN_304, PLAIN_304},
        {"If-None-Match: *", PLAIN_304, PLAIN_304},
        {"If-None-Match:   *  ", PLAIN_304, PLAIN_304},
        {"If-None-Match: \"x\", \"abc\"", PLAIN_304, PLAIN_304},
        {"If-None-Match: \"x\",W/\"y\"  ,\t\"abc\"", PLAIN_304, PLAIN_304},
        {"If-None-Match: , ,\"abc\",", PLAIN_304, PLAIN_304},
        {"If-None-Match: \"a,b\", \"abc\"", PLAIN_304, PLAIN_304},
        {"If-None-Match: \"x\"\nIf-None-Match: \"abc\"", PLAIN_304, PLAIN_304},
        {"If-None-Match: \"abcd\"", PLAIN, PLAIN},
        {"If-None-Match: \"ab\"", PLAIN, PLAIN},
        {"If-None-Match: \"ABC\"", PLAIN, PLAIN},
        {"If-None-Match: abc", PLAIN, PLAIN},
        {"If-None-Match: \"abc", PLAIN, PLAIN},
        {"If-None-Match: abc\"", PLAIN, PLAIN},
        {"If-None-Match: w/\"abc\"", PLAIN, PLAIN},
        {"If-None-Match: W/ \"abc\"", PLAIN, PLAIN},
        {"If-None-Match: W/abc", PLAIN, PLAIN},
        {"If-None-Match: \"abc\"x", PLAIN, PLAIN},
        {"If-None-Match: \"x\" \"abc\"", PLAIN, PLAIN},
        {"If-None-Match: \"x, \"abc\"", PLAIN, PLAIN},
        {"If-None-Match: ", PLAIN, PLAIN},
        {"If-None-Match: **", PLAIN, PLAIN},
        {"If-None-Match: \"*\"", PLAIN, PLAIN},
        {"If-None-Match: *, \"x\"", PLAIN, PLAIN},
        {"If-None-Match: \"1\"\nIf-None-Match: \"2\"\nIf-None-Match: \"3\"\nIf-None-Match: \"4\"\nIf-None-Match: *",
         PLAIN, PLAIN},
        /* the form that is asked for, and the other one */
        {"If-None-Match: \"abc-gz\"\nAccept-Encoding: gzip", GZIP_304, PLAIN},
        {"If-None-Match: \"abc-gz\"", PLAIN, PLAIN},
        {"If-None-Match: \"abc-gz\"\nAccept-Encoding: identity, gzip;q=0.5", GZIP_304, PLAIN},
        {"If-None-Match: \"abc\"\nAccept-Encoding: gzip", PLAIN_304, PLAIN_304},
        {"If-None-Match: \"abc\"\nAccept-Encoding: gzip, identity;q=0", GZIP, PLAIN_304},
        {"If-None-Match: \"abc\", \"abc-gz\"\nAccept-Encoding: gzip", GZIP_304, PLAIN_304},
        {"If-None-Match: *\nAccept-Encoding: gzip", GZIP_304, PLAIN_304},
        /* dates */
        {"If-Modified-Since: " MODIFIED, PLAIN_304, PLAIN_304},
        {"If-Modified-Since: " MODIFIED "\nAccept-Encoding: gzip", GZIP_304, PLAIN_304},
        {"If-Modified-Since: Sun, 06 Nov 1994 08:49:38 GMT", PLAIN_304, PLAIN_304},
        {"If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT", PLAIN, PLAIN},
        {"If-Modified-Since: Fri, 31 Dec 9999 23:59:59 GMT", PLAIN_304, PLAIN_304},
        {"If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT", PLAIN_304, PLAIN_304},
        {"If-Modified-Since: Sun Nov  6 08:49:37 1994", PLAIN_304, PLAIN_304},
        {"If-Modified-Since: yesterday", PLAIN, PLAIN},
        {"If-Modified-Since: ", PLAIN, PLAIN},
        {"If-Modified-Since: 784111777", PLAIN, PLAIN},
        {"If-Modified-Since: " MODIFIED "\nIf-Modified-Since: " MODIFIED, PLAIN, PLAIN},
        {"If-None-Match: \"x\"\nIf-Modified-Since: " MODIFIED, PLAIN, PLAIN},
        {"If-None-Match: broken\nIf-Modified-Since: " MODIFIED, PLAIN, PLAIN},
        {"If-None-Match: \"abc\"\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT", PLAIN_304, PLAIN_304},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int both = answer_of(cases[i].header, true), plain_only = answer_of(cases[i].header, false);
        if (both != cases[i].both || plain_only != cases[i].plain_only)
            fail_msg("%s: %d, and without gzip %d", cases[i].header, both, plain_only);
    }
}

static void dates(void **state)
{
    static const struct {
        const char *text;
        int64_t at_ms; /* -1: refused */
    } cases[] = {
        {MODIFIED, INT64_C(784111777000)},
        {"  " MODIFIED " ", INT64_C(784111777000)},
        {"Sunday, 06-Nov-94 08:49:37 GMT", INT64_C(784111777000)},
        {"Monday, 06-Nov-28 08:49:37 GMT", INT64_C(1857113377000)},
        {"Sun Nov  6 08:49:37 1994", INT64_C(784111777000)},
        {"Sun Nov 16 08:49:37 1994", INT64_C(784975777000)},
        {"Thu, 29 Feb 2024 00:00:00 GMT", INT64_C(1709164800000)},
        {"Thu, 29 Feb 2023 00:00:00 GMT", -1},
        {"Sun, 06 Nov 1994 08:49:37 UTC", -1},
        {"Sun, 06 Nov 1994 08:49:37", -1},
        {"Sun, 06 Nov 1994 08:49:37 GMT; length=1", -1},
        {"Sun, 06 Nov 1994 24:00:00 GMT", -1},
        {"Sun, 06-Nov-1994 08:49:37 GMT", -1},
        {"Sunday, 06-Nov-94 08:49:37 GMTx", -1},
        {"Sunday, 06-Now-94 08:49:37 GMT", -1},
        {"Sunday, 06-Nov-94 8:49:37 GMT", -1},
        {"Sun Nov  6 08:49:37 1994 GMT", -1},
        {"Sun Nov 31 08:49:37 1994", -1},
        {"Sun Nov -6 08:49:37 1994", -1},
        {"Sun Nov  6 ::::::: 1994", -1},
        {"1994-11-06T08:49:37Z", -1},
        {"", -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t at_ms = -1;
        int rc = conditional_date_parse(text_of(cases[i].text), &at_ms);
        if ((rc == 0) != (cases[i].at_ms >= 0) || (rc == 0 && at_ms != cases[i].at_ms))
            fail_msg("\"%s\": %d %lld", cases[i].text, rc, (long long)at_ms);
    }
    for (int64_t day = 0; day < 40000; day += 13) {
        char text[CONDITIONAL_DATE_SIZE];
        int64_t at_ms = day * DAY_MS + day % 86400 * SECOND_MS, again;
        conditional_date_write(at_ms + 999, text);
        assert_int_equal(conditional_date_parse(text_of(text), &again), 0);
        assert_int_equal(again, at_ms);
    }
    char text[CONDITIONAL_DATE_SIZE];
    conditional_date_write(INT64_C(784111777999), text);
    assert_string_equal(text, MODIFIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(answers), cmocka_unit_test(dates)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
