#include "address.h"
#include "table.h"

#include <string.h>

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10

static void addresses(void **state)
{
    static const struct {
        const char *given, *text, *key; /* NULL text: refused */
        const char *why;                /* found in the error */
    } cases[] = {
        {"ana@arena.example", "ana@arena.example", "ana@arena.example", NULL},
        {"  Ana.Lima@Arena.Example\t", "Ana.Lima@arena.example", "ana.lima@arena.example", NULL},
        {"ana+tickets@arena.example", "ana+tickets@arena.example", "ana+tickets@arena.example", NULL},
        {"a!#$%&'*+-/=?^_`{|}~z@arena.example", "a!#$%&'*+-/=?^_`{|}~z@arena.example",
         "a!#$%&'*+-/=?^_`{|}~z@arena.example", NULL},
        {"0@1.example", "0@1.example", "0@1.example", NULL},
        {"root@localhost", "root@localhost", "root@localhost", NULL},
        {"x@m\xC3\xBCnchen.example", "x@xn--mnchen-3ya.example", "x@xn--mnchen-3ya.example", NULL},
        {"x@M\xC3\x9CNCHEN.example", "x@xn--mnchen-3ya.example", "x@xn--mnchen-3ya.example", NULL},
        {"x@xn--mnchen-3ya.example", "x@xn--mnchen-3ya.example", "x@xn--mnchen-3ya.example", NULL},
        {"x@stra\xC3\x9F"
         "e.example",
         "x@xn--strae-oqa.example", "x@xn--strae-oqa.example", NULL},
        {"x@\xE4\xBE\x8B\xE3\x81\x88\xE3\x80\x82\xE3\x83\x86\xE3\x82\xB9\xE3\x83\x88", "x@xn--r8jz45g.xn--zckzah",
         "x@xn--r8jz45g.xn--zckzah", NULL},
        {X60 "xxxx@a.example", X60 "xxxx@a.example", X60 "xxxx@a.example", NULL},
        {"x@" X60 "xxx.example", "x@" X60 "xxx.example", "x@" X60 "xxx.example", NULL},
        {"a@b.example\n", "a@b.example", "a@b.example", NULL},

        {"", NULL, NULL, "empty"},
        {"   ", NULL, NULL, "empty"},
        {"ana", NULL, NULL, "one '@'"},
        {"@", NULL, NULL, "before the '@'"},
        {"@arena.example", NULL, NULL, "before the '@'"},
        {"ana@", NULL, NULL, "behind the '@'"},
        {"ana@@arena.example", NULL, NULL, "one '@'"},
        {"ana@b@arena.example", NULL, NULL, "one '@'"},
        {"a@b.example\r\nRCPT TO:<x@y.example>", NULL, NULL, "control character"},
        {"a\r\nBcc: x@y.example", NULL, NULL, "control character"},
        {"a@b.example\nX: y", NULL, NULL, "control character"},
        {"a\x7F@b.example", NULL, NULL, "control character"},
        {"a@b.example> SIZE=1", NULL, NULL, "'>'"},
        {"a b@c.example", NULL, NULL, "blank"},
        {"a@c .example", NULL, NULL, "blank"},
        {"<script>@b.example", NULL, NULL, "'<'"},
        {"<a@b.example>", NULL, NULL, "'<'"},
        {"Ana <a@b.example>", NULL, NULL, "blank"},
        {"\"a b\"@c.example", NULL, NULL, "'\"'"},
        {"\"a\"@c.example", NULL, NULL, "'\"'"},
        {"a\\b@c.example", NULL, NULL, "'\\'"},
        {"@relay.example:a@b.example", NULL, NULL, "':'"},
        {"a%b.example@@relay", NULL, NULL, "one '@'"},
        {"a@b.example,c@d.example", NULL, NULL, "','"},
        {"a@b.example;c@d.example", NULL, NULL, "';'"},
        {"a(comment)@b.example", NULL, NULL, "'('"},
        {"a@[192.0.2.1]", NULL, NULL, "'['"},
        {"a@192.0.2.1", NULL, NULL, "number"},
        {".a@b.example", NULL, NULL, "dot"},
        {"a.@b.example", NULL, NULL, "dot"},
        {"a..b@c.example", NULL, NULL, "dot"},
        {"a@b..example", NULL, NULL, "dot"},
        {"a@.b.example", NULL, NULL, "dot"},
        {"a@b.example.", NULL, NULL, "dot"},
        {"a@b", NULL, NULL, "without a dot"},
        {"a@-b.example", NULL, NULL, "hyphen"},
        {"a@b-.example", NULL, NULL, "hyphen"},
        {"a@b_c.example", NULL, NULL, "'_'"},
        {"a@b!c.example", NULL, NULL, "'!'"},
        {"a@b/c.example", NULL, NULL, "'/'"},
        {"ren\xC3\xA9@arena.example", NULL, NULL, "needs SMTPUTF8"},
        {"\xFF@arena.example", NULL, NULL, "needs SMTPUTF8"},
        {"a@\xFF.example", NULL, NULL, "cannot exist"},
        {"a@\xE2\x80\xAE"
         "b.example",
         NULL, NULL, "cannot exist"},
        {"a@xn--.example", NULL, NULL, "cannot exist"},
        {"a@xn--zzzzzz999.example", NULL, NULL, "cannot exist"},
        {"a@\xC3\xBC_b.example", NULL, NULL, "cannot exist"},
        {"a@\xC3\xBC/b.example", NULL, NULL, "cannot exist"},
        {"a@b\xE2\x89\xA0"
         "c.example",
         NULL, NULL, ""},
        {"a@b\xE2\x84\x80"
         "c.example",
         NULL, NULL, ""}, /* becomes "a/c" */
        {X60 "xxxxx@a.example", NULL, NULL, "65 characters before"},
        {"x@" X60 "xxxx.example", NULL, NULL, "over 63"},
        {"x@" X60 "." X60 "." X60 "." X60 "." X10, NULL, NULL, "254 characters behind"},
        {"xx@" X60 "." X60 "." X60 "." X60 ".xxxxxxxx", NULL, NULL, "at most 254"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct address address = {0};
        struct error err = {0};
        int rc = address_parse(text_of(cases[i].given), &address, &err);
        if (rc == 0 && !cases[i].text)
            fail_msg("\"%s\" was taken as %s", cases[i].given, address.text);
        if (rc < 0 && cases[i].text)
            fail_msg("\"%s\" was refused: %s", cases[i].given, err.text);
        if (rc < 0) {
            assert_int_equal(err.kind, ERROR_REFUSED);
            if (!strstr(err.text, cases[i].why))
                fail_msg("\"%s\": %s", cases[i].given, err.text);
        } else {
            assert_string_equal(address.text, cases[i].text);
            assert_string_equal(address.key, cases[i].key);
        }
    }
}

static void a_nul_is_refused(void **state)
{
    struct address address;

    (void)state;
    assert_int_equal(address_parse((struct text){"a@b\0c.example", 13}, &address, NULL), -1);
}

static void errors_never_repeat_the_address(void **state)
{
    struct address address;
    struct error err = {0};

    (void)state;
    assert_int_equal(address_parse(TEXT("secret person@hidden.example"), &address, &err), -1);
    assert_null(strstr(err.text, "secret"));
    assert_null(strstr(err.text, "hidden"));
}

static void mailboxes(void **state)
{
    static const struct {
        const char *given, *name, *address; /* NULL name: refused */
    } cases[] = {
        {"tickets@arena.example", "", "tickets@arena.example"},
        {"<tickets@arena.example>", "", "tickets@arena.example"},
        {"Arena Tickets <tickets@arena.example>", "Arena Tickets", "tickets@arena.example"},
        {" Arena  <tickets@Arena.example> ", "Arena", "tickets@arena.example"},
        {"\"Arena, \\\"Tickets\\\"\" <tickets@arena.example>", "Arena, \"Tickets\"", "tickets@arena.example"},
        {"Caf\xC3\xA9 <c@cafe.example>", "Caf\xC3\xA9", "c@cafe.example"},
        {"a < b <c@cafe.example>", "a < b", "c@cafe.example"},
        {"", NULL, NULL},
        {"Arena <tickets@arena.example", NULL, NULL},
        {"Arena <tickets@arena.example> x", NULL, NULL},
        {"Arena <>", NULL, NULL},
        {"Arena \"x <a@b.example>", NULL, NULL},
        {"Arena\r\nBcc: <a@b.example>", NULL, NULL},
        {"\"Arena\\\r\\\nBcc: x\" <a@b.example>", NULL, NULL},
        {"\xFF <a@b.example>", NULL, NULL},
        {"Arena tickets@arena.example", NULL, NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *name = NULL;
        struct address address;
        int rc = mailbox_parse(text_of(cases[i].given), &name, &address, NULL);
        if (rc < 0 ? cases[i].name != NULL : cases[i].name == NULL)
            fail_msg("\"%s\" was %s", cases[i].given, rc < 0 ? "refused" : "taken");
        if (rc == 0) {
            assert_string_equal(name, cases[i].name);
            assert_string_equal(address.text, cases[i].address);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(a_nul_is_refused),
        cmocka_unit_test(errors_never_repeat_the_address),
        cmocka_unit_test(mailboxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
