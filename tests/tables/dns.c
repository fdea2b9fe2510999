/* TXT records as name servers send them. */
#include "table.h"

#include "dns.h"

#define HEAD(answers) "\x12\x34\x81\x80\0\1\0" answers "\0\0\0\0\5arena\7example\0\0\x10\0\1"
#define RECORD(type, length) "\xC0\x0C\0" type "\0\1\0\0\x0E\x10\0" length

static void answers_are_read(void **state)
{
    const struct {
        const char *name;
        struct text answer;
        size_t count;
        const char *first;
    } cases[] = {
        {"none", TEXT(HEAD("\0")), 0, NULL},
        {"one", TEXT(HEAD("\1") RECORD("\x10", "\x0C") "\x0Bv=spf1 -all"), 1, "v=spf1 -all"},
        {"two parts", TEXT(HEAD("\1") RECORD("\x10", "\x0D") "\6v=spf1\5 -all"), 1, "v=spf1 -all"},
        {"an empty one", TEXT(HEAD("\1") RECORD("\x10", "\1") "\0"), 1, ""},
        {"another type beside it", TEXT(HEAD("\2") RECORD("\1", "\4") "\x7F\0\0\1" RECORD("\x10", "\2") "\1a"), 1, "a"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena arena = {0};
        struct dns_texts texts;
        struct error err = {0};
        if (dns_parse_txt((const unsigned char *)cases[i].answer.ptr, cases[i].answer.len, &arena, &texts, &err) < 0)
            fail_msg("%s: %s", cases[i].name, err.text);
        assert_int_equal(texts.count, cases[i].count);
        if (cases[i].first)
            assert_string_equal(texts.at[0], cases[i].first);
        arena_clear(&arena);
    }
}

static void broken_answers_are_refused(void **state)
{
    const struct text cases[] = {
        TEXT(""),
        TEXT("\x12\x34"),
        TEXT(HEAD("\1")), /* says there is one */
        TEXT(HEAD("\1") RECORD("\x10", "\x0C") "\x0Bv=spf1"),
        TEXT(HEAD("\1") RECORD("\x10", "\2") "\5a"), /* a part longer than its record */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena arena = {0};
        struct dns_texts texts;
        struct error err = {0};
        assert_int_equal(dns_parse_txt((const unsigned char *)cases[i].ptr, cases[i].len, &arena, &texts, &err), -1);
        assert_int_equal(err.kind, ERROR_TRY_LATER);
        arena_clear(&arena);
    }
}

static void the_right_one_is_found(void **state)
{
    struct dns_texts texts = {{"google-site-verification=x", "v=spf10 no", "V=SPF1 -all", "v=DMARC1;p=none"}, 4};
    bool twice;
    (void)state;
    assert_string_equal(dns_find(&texts, "v=spf1", &twice), "V=SPF1 -all");
    assert_false(twice);
    assert_string_equal(dns_find(&texts, "v=DMARC1", &twice), "v=DMARC1;p=none");
    assert_null(dns_find(&texts, "v=other", &twice));
    texts.at[0] = "v=spf1";
    assert_non_null(dns_find(&texts, "v=spf1", &twice));
    assert_true(twice);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(broken_answers_are_refused),
        cmocka_unit_test(the_right_one_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
