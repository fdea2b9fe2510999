/* What somebody is called, judged before a template may say it: it comes from outside. */
#include "values.h"
#include "table.h"

#include <string.h>

static void names_that_are_none(void **state)
{
    static const struct {
        const char *given, *name, *first; /* NULL: absent */
    } cases[] = {
        {"Ana", "Ana", "Ana"},
        {"Ana Lima", "Ana Lima", "Ana"},
        {"  Ana \t Lima ", "Ana Lima", "Ana"},
        {"\xC3\x89lo\xC3\xAFse D'Arc", "\xC3\x89lo\xC3\xAFse D'Arc", "\xC3\x89lo\xC3\xAFse"},
        {"Anne-Marie", "Anne-Marie", "Anne-Marie"},
        {"Lima, Ana", "Lima, Ana", NULL},
        {"Dr. Ana Lima", "Dr. Ana Lima", NULL},
        {"J.R. Smith", "J.R. Smith", NULL},
        {"A Lima", "A Lima", NULL},
        {"fan4ever", "fan4ever", NULL},
        {"Ana\r\nBcc: x", "Ana Bcc: x", "Ana"},
        {"", NULL, NULL},
        {"\n", NULL, NULL},
        {"Win at http://evil.example/", NULL, NULL},
        {"evil://x", NULL, NULL},
        {"www.evil", NULL, NULL},
        {"see WWW.evil", NULL, NULL},
        {"Visit evil.example now", NULL, NULL},
        {"evil.co/x", NULL, NULL},
        {"ana@fans.example", NULL, NULL},
        {"\xFF", NULL, NULL},
        {"3.14", "3.14", NULL},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *values = values_person(text_of(cases[i].given), (struct text){0});
        const json_t *person = json_object_get(values, "person");
        const char *name = json_string_value(json_object_get(person, "name"));
        const char *first = json_string_value(json_object_get(person, "first_name"));
        if (!name != !cases[i].name || (name && strcmp(name, cases[i].name) != 0))
            fail_msg("\"%s\" gave the name \"%s\"", cases[i].given, name ? name : "none");
        if (!first != !cases[i].first || (first && strcmp(first, cases[i].first) != 0))
            fail_msg("\"%s\" gave the first name \"%s\"", cases[i].given, first ? first : "none");
        json_decref(values);
    }
}

static void attributes_are_judged_like_names(void **state)
{
    json_t *values = values_person(
        TEXT("Ana"),
        TEXT("{\"city\":\"Lisbon\",\"spam\":\"evil.example\",\"n\":3,\"vip\":true,\"list\":[\"x\"],\"e\":\"\"}"));
    json_t *expected = json_pack("{s{ssss}s{sssisb}}", "person", "name", "Ana", "first_name", "Ana", "attributes",
                                 "city", "Lisbon", "n", 3, "vip", 1);

    (void)state;
    assert_true(json_equal(values, expected));
    json_decref(values);
    json_decref(expected);
    values = values_person((struct text){0}, TEXT("[1,"));
    assert_int_equal(json_object_size(json_object_get(values, "attributes")), 0);
    json_decref(values);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_are_none),
        cmocka_unit_test(attributes_are_judged_like_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
