/* Templates as they are loaded: which languages and moments they serve, and which mistakes are named. */
#include "message_desk.h"

#include <sys/stat.h>

static void the_shipped_templates_serve(void **state)
{
    static const struct {
        const char *name;
        bool start, end;
    } cases[] = {{"on-sale", true, true}, {"reminder", true, false}, {"sale-ending", false, true}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct desk desk;
        auto_buf struct buf languages;
        struct error err = {0};
        desk_open(&desk, cases[i].name, MOMENT_SALE_START);
        buf_init(&languages, 100);
        buf_add_languages(&languages, desk.templates);
        assert_string_equal(languages.ptr, "en, de");
        assert_int_equal(message_templates_serve(desk.templates, MOMENT_SALE_START), cases[i].start);
        assert_int_equal(message_templates_serve(desk.templates, MOMENT_SALE_END), cases[i].end);
        struct message_batch *batch = message_batch_new(&desk.spec, &err);
        assert_int_equal(batch != NULL, cases[i].start);
        message_batch_free(batch);
        desk_close(&desk);
    }
}

static void put_file(const char *folder, const char *name, const char *content)
{
    char path[500];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *file, *content, *expected; /* NULL expected: it is fine */
    } cases[] = {
        {"mine/email.html", "{{event.title}} {{#event.place}}{{event.place}}{{/event.place}}", NULL},
        {"mine/email.html", "{{opens_at.moment}}{{#attributes.city}}{{attributes.city}}{{/attributes.city}}", NULL},
        {"mine/email.html", "{{closes_at.moment}}", NULL},
        {"mine/email.html", "a\n{{event.place}}", "mine/email.html:2:1: {{event.place}} has no value here"},
        {"mine/email.html", "{{person.name}}", "mine/email.html:1:1: {{person.name}} has no value here"},
        {"mine/email.html", "{{attributes.city}}", "mine/email.html:1:1: {{attributes.city}} has no value here"},
        {"mine/email.html", "{{#tickets}}{{price}}{{/tickets}}", "mine/email.html:1:13: {{price}} has no value here"},
        {"mine/email.html", "{{>nothing}}", "mine/email.html:1:1: there is no partial \"nothing\""},
        {"mine/email.html", "{{>../secret}}", "mine/email.html:1:1: there is no partial \"../secret\""},
        {"mine/email.html", "{{#a}}", "mine/email.html:1:1: section {{#a}} is never closed"},
        {"partials/foot.html", "{{x}}", "mine/email.html: partial foot:1:1: {{x}} has no value here"},
        {"mine/email.de.html", "x", "email.de.subject is missing"},
        {"mine/email.en.html", "x", "mine/email.en.html: the default language has no suffix"},
        {"mine/email.de.htm", "x", "mine/email.de.htm: expected email.subject"},
        {"mine/email.html~", "{{", NULL},
        {"mine/notes.md", "{{", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char folder[] = "/tmp/onsale-templates-XXXXXX", path[200], command[300];
        const char *folders[] = {folder, NULL};
        struct error err = {0};
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof path, "%s/mine", folder);
        assert_int_equal(mkdir(path, 0700), 0);
        snprintf(path, sizeof path, "%s/partials", folder);
        assert_int_equal(mkdir(path, 0700), 0);
        put_file(folder, "partials/foot.html", "foot");
        put_file(folder, "mine/email.subject", "{{event.title}}\n");
        put_file(folder, "mine/email.html", "<p>{{event.title}}</p>{{>foot}}");
        put_file(folder, "mine/email.txt", "{{event.title}}");
        put_file(folder, cases[i].file, cases[i].content);
        struct message_templates *templates = message_templates_load(folders, "mine", "en", &err);
        if (cases[i].expected ? templates != NULL : templates == NULL)
            fail_msg("%s: %s: %s", cases[i].file, cases[i].content, templates ? "taken" : err.text);
        if (!templates && !strstr(err.text, cases[i].expected))
            fail_msg("%s: %s: %s", cases[i].file, cases[i].content, err.text);
        message_templates_free(templates);
        snprintf(command, sizeof command, "rm -r %s", folder);
        assert_int_equal(system(command), 0);
    }
}

static void unknown_templates(void **state)
{
    static const char *const names[] = {"nothing", "", "..", "../templates/on-sale", "/etc"};
    const char *folders[] = {"/nowhere", NULL};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct error err = {0};
        assert_null(message_templates_load(folders, names[i], "en", &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_non_null(strstr(err.text, "searched: /nowhere"));
    }
    assert_null(message_templates_load(folders, "x", "not a language", NULL));
}

static void the_hash_knows_every_byte(void **state)
{
    struct desk one, two;

    (void)state;
    desk_open(&one, "on-sale", MOMENT_SALE_START);
    desk_open(&two, "on-sale", MOMENT_SALE_START);
    assert_true(message_templates_hash(one.templates) == message_templates_hash(two.templates));
    desk_close(&two);
    desk_open(&two, "reminder", MOMENT_SALE_START);
    assert_true(message_templates_hash(one.templates) != message_templates_hash(two.templates));
    desk_close(&two);
    desk_close(&one);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_templates_serve),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(unknown_templates),
        cmocka_unit_test(the_hash_knows_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
