/* What others say, without addresses. */
#include "scrub.h"
#include "table.h"
#include "text.h"

#include <string.h>

#define ADA "ada.lovelace@example.org"

static const struct {
    const char *name, *text, *address, *want;
} cases[] = {
    {"nothing", "5.7.1 Message refused", ADA, "5.7.1 Message refused"},
    {"empty", "", ADA, ""},
    {"the address", "550 ada.lovelace@example.org unknown", ADA, "550 *** unknown"},
    {"upper case", "ADA.LOVELACE@EXAMPLE.ORG: no", ADA, "***: no"},
    {"in brackets", "<ada.lovelace@example.org>: mailbox full", ADA, "<***>: mailbox full"},
    {"quoted", "\"ada.lovelace@example.org\" is over quota", ADA, "\"***\" is over quota"},
    {"in apostrophes", "user 'ada.lovelace@example.org' moved", ADA, "user '***' moved"},
    {"with its kind", "rfc822;ada.lovelace@example.org", ADA, "rfc822;***"},
    {"in a mailto", "write mailto:ada.lovelace@example.org now", ADA, "write mailto:*** now"},
    {"at the end of a sentence", "no such ada.lovelace@example.org.", ADA, "no such ***"},
    {"in a URL", "see https://relay.example/b?to=ada.lovelace%40example.org&x=1", ADA, "see https:***"},
    {"encoded twice", "u=ada.lovelace%2540example.org", ADA, "***"},
    {"quoted-printable", "to ada.lovelace=40example.org", ADA, "to ***"},
    {"as HTML", "to ada.lovelace&#64;example.org.", ADA, "to ***"},
    {"as HTML by name", "to ada.lovelace&commat;x", ADA, "to ***"},
    {"with a wide @",
     "to ada.lovelace\xEF\xBC\xA0"
     "example.org",
     ADA, "to ***"},
    {"the local part alone", "mailbox ada.lovelace unknown", ADA, "mailbox *** unknown"},
    {"the local part in upper case", "User ADA.LOVELACE, unknown", ADA, "User ***, unknown"},
    {"the local part in brackets", "<ada.lovelace>", ADA, "<***>"},
    {"the local part in a path", "/var/mail/ada.lovelace: over quota", ADA, "/var/mail/***: over quota"},
    {"the local part within a word", "nomada.lovelacers", ADA, "nomada.lovelacers"},
    {"a short word stays", "a mailbox", "a@example.org", "a mailbox"},
    {"a local part that is a word", "no such user here", "user@example.org", "no such *** here"},
    {"somebody else", "forwarded to grace@navy.example by you", ADA, "forwarded to *** by you"},
    {"two", "ada.lovelace@example.org, charles@example.org", ADA, "***, ***"},
    {"one behind the other", "a@b.example@c.example x", ADA, "*** x"},
    {"a bounce address", "from bounces+ada.lovelace=example.org@shop.example", ADA, "from ***"},
    {"a quoted local part", "to \"ada lovelace\"@example.org now", "x@example.org", "to *** now"},
    {"an address literal", "to ada@[192.0.2.1] now", ADA, "to *** now"},
    {"an international one", "an d\xC3\xB6rte@m\xC3\xBCller.example gescheitert", ADA, "an *** gescheitert"},
    {"a lone @", "5.1.1 @ what", ADA, "5.1.1 *** what"},
    {"nobody's", "550 ada.lovelace@example.org ada.lovelace", NULL, "550 *** ada.lovelace"},
    {"nobody's, empty", "550 ada.lovelace@example.org", "", "550 ***"},
};

static void addresses_are_taken_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *got = scrub(cases[i].text, cases[i].address);
        if (strcmp(got, cases[i].want) != 0)
            fail_msg("%s: \"%s\", expected \"%s\"", cases[i].name, got, cases[i].want);
        char *twice = scrub(got, cases[i].address);
        assert_string_equal(twice, got);
        free(twice);
        free(got);
    }
    assert_null(scrub(NULL, ADA));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(addresses_are_taken_out)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
