/* How the Wix source is let in: tokens of an app, what a refusal tells people to do, and what may be configured at all.
 */
#include "wix_rig.h"

static void rig_use_app(struct rig *rig, const char *secret)
{
    rig->settings.api_key = rig->settings.site_id = "";
    rig->settings.client_id = "test-client";
    rig->settings.client_secret = secret;
    rig->settings.instance_id = INSTANCE_ID;
    rig_source(rig);
}

static void tokens(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig_use_app(&rig, "test-secret");
    struct source_ask *asks = asks_of_world(&rig);
    ask(&rig, asks, 5); /* together, with one token */
    assert_int_equal(rig.verdicts[4], SOURCE_FOUND);
    assert_int_equal(count_in_log("\"kind\": \"token\""), 1);

    control("{'do':'token','revoke':true}"); /* every one of them hears 401; one asks anew, all go on */
    ask(&rig, asks, 5);
    assert_int_equal(rig.verdicts[0], SOURCE_FOUND);
    assert_int_equal(rig.verdicts[4], SOURCE_FOUND);
    assert_int_equal(count_in_log("\"kind\": \"token\""), 2);

    jumped_ms += 14400 * 9 / 10 * (int64_t)SECOND_MS + 1000; /* nine tenths of its life */
    walk_fine(&rig);
    assert_int_equal(count_in_log("\"kind\": \"token\""), 3);

    jumped_ms += 14400 * 9 / 10 * (int64_t)SECOND_MS + 1000; /* no new one: the old one still lives */
    rig.log.level = (enum log_level)0;
    control("{'do':'fault','on':'token','kind':'status','status':500}");
    walk_fine(&rig);
    asks_free(asks);
    rig_clear(&rig);
}

static void tokens_refused(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig_use_app(&rig, "wrong-secret");
    walk(&rig, MOMENT_NONE);
    assert_int_equal(rig.failure.kind, ERROR_CONFIG);
    assert_non_null(strstr(rig.failure.text, "401 invalid_client"));
    assert_null(strstr(rig.failure.text, "wrong-secret"));

    rig_use_app(&rig, "test-secret");
    control("{'do':'auth','mode':'401'}"); /* whatever the token: renewed once, not for ever */
    walk(&rig, MOMENT_NONE);
    assert_int_equal(rig.failure.kind, ERROR_CONFIG);
    assert_int_equal(count_in_log("\"kind\": \"token\""), 3);

    control("[{'do':'auth','mode':'ok'},{'do':'fault','on':'token','kind':'status','status':503,'count':1}]");
    rig_use_app(&rig, "test-secret");
    walk_fine(&rig);
    control("{'do':'fault','on':'token','kind':'html','count':1}");
    rig_use_app(&rig, "test-secret");
    walk_fine(&rig);
    rig_clear(&rig);
}

static void refusals_say_what_to_do(void **state)
{
    static const struct {
        const char *mode, *said;
    } cases[] = {
        {"401", "401 UNAUTHENTICATED \"Request could not be authenticated\""},
        {"403", "Manage Ticket Definitions"},
        {"404", "site_id names no site"},
        {"428", "428 MISSING_REQUEST_SITE_CONTEXT"},
        {"428-app", "install Wix Events"},
    };
    struct rig rig;

    (void)state;
    rig_init(&rig);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct source_ask one = {"0d5e7b91-3a2c-4f68-b1d4-6e9f0a7c2581", 1};
        control("{'do':'auth','mode':'%s'}", cases[i].mode);
        walk(&rig, MOMENT_NONE);
        assert_false(rig.complete);
        if (rig.failure.kind != ERROR_CONFIG || !strstr(rig.failure.text, cases[i].said) ||
            !strstr(rig.failure.text, "(request "))
            fail_msg("%s: %s", cases[i].mode, rig.failure.text);
        assert_null(strstr(rig.failure.text, "test-api-key"));
        ask(&rig, &one, 1); /* never "gone" */
        assert_int_equal(rig.verdicts[0], SOURCE_UNKNOWN);
        assert_int_equal(rig.failure.kind, ERROR_CONFIG);
    }
    rig_clear(&rig);
}

static void settings_are_checked(void **state)
{
    static const struct {
        const char *base_url, *api_key, *site_id, *account_id, *client_id, *instance_id;
        const char *said; /* NULL: fine */
    } cases[] = {
        {"https://www.wixapis.com", "key", "site", "", "", "", NULL},
        {"https://www.wixapis.com", "key", "", "account", "", "", NULL},
        {"http://localhost:8080", "key", "site", "", "", "", NULL},
        {"http://www.wixapis.com", "key", "site", "", "", "", "base_url: expected https"},
        {"http://127.0.0.1.example", "key", "site", "", "", "", "base_url: expected https"},
        {"http://localhost@evil.example", "key", "site", "", "", "", "base_url"},
        {"https://www.wixapis.com/", "key", "site", "", "", "", "base_url"},
        {"ftp://www.wixapis.com", "key", "site", "", "", "", "base_url"},
        {"", "key", "site", "", "", "", "base_url"},
        {"https://www.wixapis.com", "", "site", "", "", "", "expected either"},
        {"https://www.wixapis.com", "key", "", "", "", "", "expected site_id"},
        {"https://www.wixapis.com", "key", "site", "account", "", "", "expected site_id"},
        {"https://www.wixapis.com", "key", "site", "", "app", "instance", "expected either"},
        {"https://www.wixapis.com", "", "", "", "app", "instance", "belong together"},
        {"https://www.wixapis.com", "key\r\nX: y", "site", "", "", "", "control characters"},
    };
    struct rig rig;

    (void)state;
    rig_init(&rig);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = {0};
        struct site_settings settings = rig.settings;
        settings.base_url = cases[i].base_url;
        settings.api_key = cases[i].api_key;
        settings.site_id = cases[i].site_id;
        settings.account_id = cases[i].account_id;
        settings.client_id = cases[i].client_id;
        settings.instance_id = cases[i].instance_id;
        struct source *source = source_wix_new(&settings, &rig.parts, &err);
        if (cases[i].said ? source != NULL || !strstr(err.text, cases[i].said) : source == NULL)
            fail_msg("%zu: %s", i, err.text);
        source_free(source);
    }
    struct error err = {0};
    rig.reserve = rig.requests;
    assert_null(source_wix_new(&rig.settings, &rig.parts, &err));
    assert_non_null(strstr(err.text, "gate_reserve"));
    rig_clear(&rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens),
        cmocka_unit_test(tokens_refused),
        cmocka_unit_test(refusals_say_what_to_do),
        cmocka_unit_test(settings_are_checked),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
