/* What from outside may stand in a calendar's lines, and where these are folded. */
#include "calendar.h"
#include "calendar_judge.h"
#include "calendar_private.h"
#include "table.h"

static void cleaning(void **state)
{
    static const struct {
        const char *in;
        size_t max;
        bool lines;
        const char *out;
    } cases[] = {
        {"plain", 10, false, "plain"},
        {"", 10, false, ""},
        {"  a  b\t\tc  ", 10, false, "a b c"},
        {"a\r\nBEGIN:VEVENT\r\nb", 50, false, "a BEGIN:VEVENT b"},
        {"a\r\nb\n\n\n\nc\n", 50, true, "a\nb\n\nc"},
        {"\n\na", 50, true, "a"},
        {"a \n b", 50, true, "a\nb"},
        {"a\x01\x1B[31mb\x7F", 50, false, "a [31mb"},
        {"a\xC2\x85\xC2\x9F"
         "b",
         50, false, "a b"},
        {"a\xE2\x80\xA8"
         "b\xE2\x80\xA9"
         "c",
         50, false, "a b c"},
        {"a\xE2\x80\xAE"
         "b",
         50, false, "a b"},
        {"\xEF\xBB\xBFx", 50, false, "x"},
        {"a\xFF\xC3(\xED\xA0\x80z", 50, false, "a\xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz"},
        {"cut\xC3", 50, false, "cut\xEF\xBF\xBD"},
        {"abcdef", 6, false, "abcdef"},
        {"abcdefg", 6, false, "abcde\xE2\x80\xA6"},
        {"\xC5\xBD\xC5\xBD\xC5\xBD\xC5\xBD", 3, false, "\xC5\xBD\xC5\xBD\xE2\x80\xA6"},
        {"\xF0\x9F\x8E\x9F\xF0\x9F\x8E\x9F\xF0\x9F\x8E\x9F", 2, false, "\xF0\x9F\x8E\x9F\xE2\x80\xA6"},
        {"ab cd", 3, false, "ab\xE2\x80\xA6"},
        {"abc   ", 3, false, "abc"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf out;
        buf_init(&out, 1000);
        buf_adds(&out, "|");
        calendar_clean(&out, text_of(cases[i].in), cases[i].max, cases[i].lines);
        assert_string_equal(out.ptr + 1, cases[i].out);
    }
}

static void addresses(void **state)
{
    static const struct {
        const char *in, *out; /* NULL: none */
    } cases[] = {
        {"https://tickets.example/e/1", "https://tickets.example/e/1"},
        {"HTTP://a.b/c?d=e,f;g#h", "HTTP://a.b/c?d=e,f;g#h"},
        {"https://\xC5\xBE.example/\xC5\xBE", "https://%C5%BE.example/%C5%BE"},
        {"https://[2001:db8::1]/", "https://[2001:db8::1]/"},
        {"", NULL},
        {"https:", NULL},
        {"https://", NULL},
        {"https:///x", NULL},
        {"//x", NULL},
        {"javascript:alert(1)", NULL},
        {"data:text/html,x", NULL},
        {"ftp://a.b/", NULL},
        {"https://a.b/\r\nATTENDEE:mailto:x@y.z", NULL},
        {"https://a.b/ c", NULL},
        {"https://a.b/\tc", NULL},
        {"https://a.b/\x7F", NULL},
        {"https://a.b/\"x", NULL},
        {"https://a.b/\\n", NULL},
        {"https://a.b/\xFF", NULL},
    };
    static char longest[CALENDAR_URL_MAX + 2] = "https://a.b/";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf out;
        buf_init(&out, 10000);
        buf_adds(&out, "|");
        if (calendar_clean_url(&out, text_of(cases[i].in)) != (cases[i].out != NULL))
            fail_msg("%s", cases[i].in);
        assert_string_equal(out.ptr + 1, cases[i].out ? cases[i].out : "");
    }
    memset(longest + strlen(longest), 'x', sizeof longest - 1 - strlen(longest));
    auto_buf struct buf out;
    buf_init(&out, 10000);
    assert_false(calendar_clean_url(&out, text_of(longest)));
    longest[CALENDAR_URL_MAX] = '\0';
    assert_true(calendar_clean_url(&out, text_of(longest)));
}

/* A fold at each place of a line: the text comes back whole, whatever stands there. */
static void folds(void **state)
{
    static const char *const units[] = {"a", ",", "\\", "\xC5\xBE", "\xE2\x82\xAC", "\xF0\x9F\x8E\x9F", " b", "\n"};

    (void)state;
    for (size_t before = 0; before < 160; before++)
        for (size_t unit = 0; unit < ARRAY_LEN(units); unit++) {
            auto_buf struct buf value, out;
            buf_init(&value, 1000);
            buf_init(&out, 1000);
            if (before == 0 && *units[unit] == ' ') /* no text of ours begins with a blank, and libical drops it */
                continue;
            for (size_t i = 0; i < before; i++)
                buf_addc(&value, 'x');
            for (int i = 0; i < 5; i++)
                buf_adds(&value, units[unit]);
            buf_addc(&value, 'z');
            icalproperty *summary = icalproperty_new_summary(value.ptr);
            char *written = icalproperty_as_ical_string_r(summary);
            calendar_add_folded(&out, text_of(written));
            icalmemory_free_buffer(written);
            icalproperty_free(summary);
            const char *wrong = judge_lines(buf_text(&out));
            if (wrong)
                fail_msg("%s: %s", wrong, out.ptr);
            assert_null(strstr(out.ptr, "\r\n  ")); /* a blank behind the fold is taken for the fold's own */
            auto_buf struct buf event;
            buf_init(&event, 2000);
            buf_addf(&event, "BEGIN:VEVENT\r\n%sEND:VEVENT\r\n", out.ptr);
            icalcomponent *read = icalparser_parse_string(event.ptr);
            assert_string_equal(icalcomponent_get_summary(read), value.ptr);
            icalcomponent_free(read);
        }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(cleaning),
        cmocka_unit_test(addresses),
        cmocka_unit_test(folds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
