#include "target.h"
#include "table.h"

#include <string.h>

static void paths(void **state)
{
    static const struct {
        const char *raw, *path; /* NULL: refused */
    } cases[] = {
        {"/", "/"},
        {"/u/AbC-_9", "/u/AbC-_9"},
        {"/u/", "/u/"},
        {"/a%20b", "/a b"},
        {"/a+b", "/a+b"},
        {"/%E2%82%AC", "/\xe2\x82\xac"},
        {"/a%3Fb?c", "/a?b"},
        {"/...", "/..."},
        {"/.well-known/x", "/.well-known/x"},
        {"http://onsale.example/u/x", "/u/x"},
        {"https://onsale.example:8443/?q", "/"},
        {"*", "*"},
        {"", NULL},
        {"u", NULL},
        {"ftp://onsale.example/", NULL},
        {"http://onsale.example", NULL},
        {"//", NULL},
        {"//onsale.example/", NULL},
        {"/a//b", NULL},
        {"/.", NULL},
        {"/..", NULL},
        {"/a/.", NULL},
        {"/a/../b", NULL},
        {"/%2e%2e/b", NULL},
        {"/a/%2E/b", NULL},
        {"/a%2Fb", NULL},
        {"/a%5Cb", NULL},
        {"/a\\b", NULL},
        {"/a#b", NULL},
        {"/a b", NULL},
        {"/a\tb", NULL},
        {"/\x80", NULL},
        {"/%00", NULL},
        {"/%7F", NULL},
        {"/%1b", NULL},
        {"/%", NULL},
        {"/%4", NULL},
        {"/%4g", NULL},
        {"/%C3", NULL},
        {"/%C0%AE%C0%AE/", NULL},
        {"/%ED%A0%80", NULL},
        {"/a?b=%00", NULL},
        {"/a?%0a=b", NULL},
        {"/a?b=%f", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct target target;
        struct error err = {0};
        int rc = target_read(cases[i].raw, &target, &err);
        if ((rc == 0) != (cases[i].path != NULL) || (rc == 0 && strcmp(target.path, cases[i].path) != 0) ||
            (rc < 0 && !*err.text))
            fail_msg("%s: %s", cases[i].raw, rc == 0 ? target.path : err.text);
        target_clear(&target);
    }
}

static void fields(void **state)
{
    static const struct {
        const char *raw, *value; /* of `a`; NULL: it has none */
    } cases[] = {
        {"/?a=1", "1"},
        {"/?b=2&a=1&a=3", "1"},
        {"/?a", ""},
        {"/?a=", ""},
        {"/?&&a=1&", "1"},
        {"/?a=b+c%2B%26%3D", "b c+&="},
        {"/?a=b=c", "b=c"},
        {"/?%61=x", "x"},
        {"/?a=/../x?y", "/../x?y"},
        {"/?a=%C3%A4", "\xc3\xa4"},
        {"/?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&a=last", "last"},
        {"/", NULL},
        {"/?", NULL},
        {"/?A=1", NULL},
        {"/?=a", NULL},
    };
    struct target target;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_int_equal(target_read(cases[i].raw, &target, NULL), 0);
        const char *value = target_field(&target, "a");
        if (!value != !cases[i].value || (value && strcmp(value, cases[i].value) != 0))
            fail_msg("%s: %s", cases[i].raw, value ? value : "(none)");
        target_clear(&target);
    }
    assert_int_equal(target_read("/?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16&17", &target, NULL), -1);
    target_clear(&target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(paths), cmocka_unit_test(fields)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
