/* suppression.c: one line of the list, as people and programs write it. */
#include "suppression.h"

#include "table.h"

#include <string.h>

#define KEY "00112233445566778899aAbBcCdDeEfF"

static void what_is_read(void **state)
{
    const struct {
        struct suppression_line line;
        const char *address, *reason, *scope;
        bool has_key;
        int64_t at_ms;
    } cases[] = {
        {{.address = TEXT("ada@example.org")}, "ada@example.org", "operator", "", false, MOMENT_NONE},
        {{.address = TEXT(" Ada@Example.ORG\r")}, "ada@example.org", "operator", "", false, MOMENT_NONE},
        {{.key = TEXT(KEY)}, "", "operator", "", true, MOMENT_NONE},
        {{.key = TEXT(" " KEY " "), .address = TEXT("ada@example.org"), .reason = TEXT(" Bounce ")},
         "ada@example.org",
         "bounce",
         "",
         true,
         MOMENT_NONE},
        {{.key = TEXT(KEY), .scope = TEXT(" fans of music "), .reason = TEXT("erased")},
         "",
         "erased",
         "fans of music",
         true,
         MOMENT_NONE},
        {{.key = TEXT(KEY), .at = TEXT("1970-01-01T01:00:01.5+01:00"), .reason = TEXT("COMPLAINT")},
         "",
         "complaint",
         "",
         true,
         1500},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct suppression got;
        struct error err = {0};
        if (suppression_read(&cases[i].line, &got, &err) < 0)
            fail_msg("case %zu: %s", i, err.text);
        assert_int_equal(got.has_address, *cases[i].address != 0);
        assert_string_equal(got.address.key, cases[i].address);
        assert_string_equal(got.reason, cases[i].reason);
        assert_true(text_is(got.scope, cases[i].scope));
        assert_int_equal(got.has_key, cases[i].has_key);
        assert_true(got.at_ms == cases[i].at_ms);
        for (size_t k = 0; got.has_key && k < sizeof got.key; k++)
            assert_int_equal(got.key[k], 0x11 * k);
    }
}

static void what_is_refused(void **state)
{
    char scope[SUPPRESSION_SCOPE_MAX + 1];
    const struct {
        struct suppression_line line;
        const char *text;
    } cases[] = {
        {{.address = TEXT("")}, "address: missing"},
        {{.address = TEXT(" \t")}, "address: missing"},
        {{.reason = TEXT("bounce"), .scope = TEXT("fans")}, "address: missing"},
        {{.address = TEXT("ada")}, "address: "},
        {{.address = TEXT("ada@example.org, bob@example.org")}, "address: "},
        {{.address = TEXT("a\0b@example.org")}, "address: "},
        {{.address = TEXT("ada"), .key = TEXT(KEY)}, "address: "},
        {{.key = TEXT("0011")}, "key: expected 32 hexadecimal digits"},
        {{.key = TEXT(KEY "0")}, "key: "},
        {{.key = TEXT("0x112233445566778899aAbBcCdDeEfF")}, "key: "},
        {{.key = TEXT("-1112233445566778899aAbBcCdDeEfF")}, "key: "},
        {{.key = TEXT(KEY), .reason = TEXT("because")}, "reason: expected operator"},
        {{.key = TEXT(KEY), .reason = TEXT("bounced")}, "reason: "},
        {{.key = TEXT(KEY), .at = TEXT("2027-03-26")}, "at: expected a time such as"},
        {{.key = TEXT(KEY), .at = TEXT("26.03.2027 08:00")}, "at: "},
        {{.key = TEXT(KEY), .at = TEXT("2027-02-30T08:00:00Z")}, "at: "},
        {{.key = TEXT(KEY), .scope = TEXT("\xff")}, "scope: "},
        {{.key = TEXT(KEY), .scope = {scope, sizeof scope}}, "scope: "},
    };
    (void)state;
    memset(scope, 'a', sizeof scope);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct suppression got;
        struct error err = {0};
        if (suppression_read(&cases[i].line, &got, &err) == 0)
            fail_msg("case %zu was taken", i);
        if (!text_starts(text_of(err.text), cases[i].text) || strstr(err.text, "example"))
            fail_msg("case %zu: %s", i, err.text);
        assert_int_equal(err.kind, ERROR_REFUSED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_read),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
