#include "audience/words.h"
#include "audience/record.h"
#include "table.h"

#include <string.h>

static void status_words(void **state)
{
    static const struct {
        const char *word;
        enum consent consent;
        bool known;
    } cases[] = {
        {"subscribed", CONSENT_YES, true},
        {"SUBSCRIBED", CONSENT_YES, true},
        {" Subscribed ", CONSENT_YES, true},
        {"opted-in", CONSENT_YES, true},
        {"Opt In", CONSENT_YES, true},
        {"enabled", CONSENT_YES, true},
        {"confirmed", CONSENT_YES, true},
        {"active", CONSENT_YES, true},
        {"1", CONSENT_YES, true},
        {"yes", CONSENT_YES, true},
        {"true", CONSENT_YES, true},
        {"unsubscribed", CONSENT_NO, true},
        {"NEVER_SUBSCRIBED", CONSENT_NO, true},
        {"Never Subscribed", CONSENT_NO, true},
        {"opted_out", CONSENT_NO, true},
        {"cancelled", CONSENT_NO, true},
        {"disabled", CONSENT_NO, true},
        {"pending", CONSENT_NO, true},
        {"unconfirmed", CONSENT_NO, true},
        {"0", CONSENT_NO, true},
        {"blocklisted", CONSENT_NEVER, true},
        {"blacklisted", CONSENT_NEVER, true},
        {"hard_bounce", CONSENT_NEVER, true},
        {"cleaned", CONSENT_NEVER, true},
        {"complained", CONSENT_NEVER, true},
        {"spam", CONSENT_NEVER, true},
        {"invalid", CONSENT_NEVER, true},
        {"maybe", CONSENT_NO, false},
        {"", CONSENT_NO, false},
        {"subscribed?not", CONSENT_NO, false},
        {"sub", CONSENT_NO, false},
        {"abonné", CONSENT_NO, false},
        {"ja", CONSENT_NO, false},
        {"2", CONSENT_NO, false},
        {"yesyesyesyesyesyesyesyesyesyesyesyesyesyesyesyesyesyesyesyesyes", CONSENT_NO, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool known;
        enum consent consent = consent_of_word(text_of(cases[i].word), &known);
        if (consent != cases[i].consent || known != cases[i].known)
            fail_msg("\"%s\" gave %d, %s", cases[i].word, (int)consent, known ? "known" : "unknown");
    }
}

static void column_names(void **state)
{
    static const struct {
        const char *name;
        enum role role;
    } cases[] = {
        {"Email", ROLE_ADDRESS},
        {"E-Mail", ROLE_ADDRESS},
        {"Email Address", ROLE_ADDRESS},
        {"email_address", ROLE_ADDRESS},
        {"First Name", ROLE_FIRST_NAME},
        {"FNAME", ROLE_FIRST_NAME},
        {"LASTNAME", ROLE_LAST_NAME},
        {"name", ROLE_NAME},
        {"TIMEZONE", ROLE_ZONE},
        {"time_zone", ROLE_ZONE},
        {"tz", ROLE_ZONE},
        {"Language", ROLE_LOCALE},
        {"Email Marketing Consent", ROLE_CONSENT},
        {"Email Marketing Consent Timestamp", ROLE_IGNORED},
        {"SMS Marketing Consent", ROLE_IGNORED},
        {"Email Suppressions", ROLE_SUPPRESSED},
        {"EMAIL_BLACKLISTED", ROLE_BLOCKED},
        {"SMS_BLACKLISTED", ROLE_IGNORED},
        {"UNSUB_TIME", ROLE_LEFT_FILE},
        {"CLEAN_TIME", ROLE_DEAD_FILE},
        {"OPTIN_TIME", ROLE_IGNORED},
        {"unsubscribed", ROLE_OPTED_OUT},
        {"attributes", ROLE_ATTRIBUTES},
        {"TAGS", ROLE_ATTRIBUTE},
        {"events", ROLE_ATTRIBUTE},
        {"State / Region", ROLE_ATTRIBUTE},
        {"", ROLE_ATTRIBUTE},
        {"---", ROLE_ATTRIBUTE},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (role_of_name(text_of(cases[i].name)) != cases[i].role)
            fail_msg("\"%s\" gave %d", cases[i].name, (int)role_of_name(text_of(cases[i].name)));
}

static void interests(void **state)
{
    static const struct {
        const char *json, *event;
        bool interested;
    } cases[] = {
        {"\"77\"", "77", true},
        {"\"event-77\"", "77", true},
        {"\"event:77\"", "77", true},
        {"\"EVENT-77\"", "77", true},
        {"\"177\"", "77", false},
        {"\"777\"", "77", false},
        {"\"76,77,78\"", "77", true},
        {"\"76; 77; 78\"", "77", true},
        {"\"76 77\"", "77", true},
        {"\"76|77\"", "77", false},
        {"\"\\\"VIP\\\",\\\"event-77\\\"\"", "event-77", true},
        {"\"\\\"VIP\\\",\\\"event-77\\\"\"", "77", true},
        {"\"\\\"VIP\\\",\\\"event-778\\\"\"", "77", false},
        {"[\"76\",\"77\"]", "77", true},
        {"[76,77]", "77", true},
        {"77", "77", true},
        {"[\"76\"]", "77", false},
        {"[]", "77", false},
        {"{}", "77", false},
        {"null", "77", false},
        {"true", "true", false},
        {"\"[\\\"76\\\",\\\"77\\\"]\"", "77", true},
        {"\"[\\\"76\\\"]\"", "77", false},
        {"\"[77\"", "77", false},
        {"[[\"77\"]]", "77", false},
        {"\"\"", "", false},
        {"[\"\"]", "", false},
        {"\"event-\"", "", false},
        {"\"ABCD-ef\"", "abcd-EF", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *value = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
        assert_non_null(value);
        if (interest_in(value, cases[i].event) != cases[i].interested)
            fail_msg("%s for %s", cases[i].json, cases[i].event);
        json_decref(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_words),
        cmocka_unit_test(column_names),
        cmocka_unit_test(interests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
