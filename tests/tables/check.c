/* What `onsale check` says of a file that can be read. */
#include "check.h"
#include "settings_file.h"

/* What `onsale check` says of the base. */
static void proof_reading(void **state)
{
    const struct fixture *fixture = *state;
    auto_buf struct buf says;
    auto_free char *printed = NULL, *checked = NULL;
    char shipped[512];
    size_t size;
    struct error err = {0};

    buf_init(&says, 64 * 1024);
    snprintf(shipped, sizeof shipped, "%s/templates", getenv("ONSALE_SOURCE"));
    setenv("ONSALE_TEMPLATES", shipped, 1);
    struct settings *settings = load(fixture, text_of(base), &printed, &says);
    assert_non_null(settings);
    FILE *out = open_memstream(&checked, &size);
    int rc = check_print(settings, out, &err);
    fclose(out);
    if (rc < 0)
        fail_msg("%s\n%s", err.text, checked);

    static const char *const parts[] = {
        "\nsites\n  arena: Wix site 0-0 at https://www.wixapis.com, asked every 1m, read whole every 1h",
        "events without a time zone are in Europe/Vilnius",
        "\naudiences\n  fans: listmonk at http://127.0.0.1:9000, list 3, everybody in it\n",
        "  mail: plugin smtp, from Arena <tickets@arena.example>",
        "\nrules\n  on-sale: when the sale starts, to fans and door, by mail, template on-sale (en, de), ",
        ", at most 30m late\n",
        "\ncalendars\n  entries in en, de, ",
        "    reaches everybody of fans and door for every event: it has no `only`, and they have no `interest`\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        if (!strstr(checked, parts[i]))
            fail_msg("\"%s\" is not in\n%s", parts[i], checked);
    assert_null(strstr(checked, "hunter"));

    settings->rules[0].template_name = "nowhere";
    auto_free char *failed = NULL;
    out = open_memstream(&failed, &size);
    assert_int_equal(check_print(settings, out, &err), -1);
    fclose(out);
    assert_non_null(strstr(failed, "onsale.yaml:31:13: rule on-sale: "));
    assert_non_null(strstr(err.text, "rule on-sale: "));
    settings_free(settings);
}

/* What the tables cannot know and `onsale run` would refuse. */
static void faults_of_plugins_and_templates(void **state)
{
    static const struct {
        const char *find, *replace, *says;
    } cases[] = {
        {"smtp://127.0.0.1:2525", "http://127.0.0.1:2525",
         "24:8: notifier mail: url: expected smtp://HOST:PORT or smtps://HOST:PORT"},
        {"template: on-sale", "template: sale-ending",
         "31:13: rule on-sale: template sale-ending says what a sale_start notice does not know"},
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf says;
        auto_free char *printed = NULL, *checked = NULL, *yaml = change(base, cases[i].find, cases[i].replace);
        size_t size;
        struct error err = {0};
        buf_init(&says, 64 * 1024);
        struct settings *settings = load(*state, text_of(yaml), &printed, &says);
        if (!settings)
            fail_msg("%s", printed);
        FILE *out = open_memstream(&checked, &size);
        assert_int_equal(check_print(settings, out, &err), -1);
        fclose(out);
        assert_non_null(strstr(err.text, "/onsale.yaml:"));
        assert_string_equal(strstr(err.text, "/onsale.yaml:") + strlen("/onsale.yaml:"), cases[i].says);
        assert_non_null(strstr(strstr(checked, "    error: "), cases[i].says));
        settings_free(settings);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(proof_reading),
        cmocka_unit_test(faults_of_plugins_and_templates),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
