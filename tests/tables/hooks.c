#include "hooks.h"
#include "table.h"

#include <string.h>

static void entries(void **state)
{
    static const struct {
        const char *body;
        size_t count; /* 0: refused */
        const char *why;
    } cases[] = {
        {"{\"email\": \"ana@fans.example\", \"type\": \"hard\"}", 1, NULL},
        {"[{\"email\": \"ana@fans.example\", \"type\": \"soft\", \"source\": \"ses\", \"meta\": \"{}\"}]", 1, NULL},
        {"[{\"email\": \"ana@fans.example\", \"type\": \"complaint\"}, {\"subscriber_uuid\": \"u\", \"type\": \"hard\","
         " \"campaign_uuid\": null, \"created_at\": \"now\", \"meta\": [1]}]",
         2, NULL},
        {"{\"email\": \"\", \"subscriber_uuid\": \"u\", \"type\": \"hard\"}", 1, NULL},
        {"[]", 0, "1 to 100"},
        {"5", 0, "object"},
        {"[5]", 0, "entry 0: expected an object"},
        {"[[{\"email\": \"ana@fans.example\", \"type\": \"hard\"}]]", 0, "entry 0: expected an object"},
        {"{}", 0, "type:"},
        {"{\"type\": \"hard\"}", 0, "email:"},
        {"{\"email\": \"ana@fans.example\"}", 0, "type:"},
        {"{\"email\": \"ana@fans.example\", \"type\": \"Hard\"}", 0, "type:"},
        {"{\"email\": \"ana@fans.example\", \"type\": \"policy\"}", 0, "type:"},
        {"{\"email\": \"ana@fans.example\", \"type\": \"none\"}", 0, "type:"},
        {"{\"email\": \"ana@fans.example\", \"type\": 1}", 0, "type: expected a text"},
        {"{\"email\": [], \"type\": \"hard\"}", 0, "email: expected a text"},
        {"{\"email\": \"ana\", \"type\": \"hard\"}", 0, "email:"},
        {"{\"email\": \"a@b.example\\r\\nX: y\", \"type\": \"hard\"}", 0, "email:"},
        {"{\"email\": \"ana@fans.example\", \"type\": \"hard\", \"scope\": \"\"}", 0, "unknown field"},
        {"[{\"email\": \"ana@fans.example\", \"type\": \"hard\"}, {\"type\": \"hard\"}]", 0, "entry 1: email:"},
    };
    static struct hook_bounce out[HOOK_ENTRIES_MAX];

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *body = json_loads(cases[i].body, JSON_DECODE_ANY, NULL);
        struct error err = {0};
        size_t count = 0;
        assert_non_null(body);
        int rc = hook_bounces_read(body, out, &count, &err);
        if ((rc == 0) != (cases[i].count > 0) || (rc == 0 && count != cases[i].count) ||
            (rc < 0 && (!strstr(err.text, cases[i].why) || strstr(err.text, "ana"))))
            fail_msg("%s: %zu, %s", cases[i].body, count, err.text);
        json_decref(body);
    }
}

static void what_they_say(void **state)
{
    static struct hook_bounce out[HOOK_ENTRIES_MAX];
    json_t *body = json_loads("[{\"email\": \" Ana@Fans.Example\", \"type\": \"complaint\", \"source\": \"ses\"},"
                              " {\"subscriber_uuid\": \"u-1\", \"type\": \"soft\"}]",
                              0, NULL);
    size_t count;

    assert_int_equal(hook_bounces_read(body, out, &count, NULL), 0);
    assert_string_equal(out[0].address.key, "ana@fans.example");
    assert_string_equal(out[0].source, "ses");
    assert_int_equal(out[0].kind, FEEDBACK_COMPLAINT);
    assert_string_equal(out[1].address.text, "");
    assert_string_equal(out[1].subscriber_uuid, "u-1");
    assert_int_equal(out[1].kind, FEEDBACK_SOFT);
    json_decref(body);
}

static void at_most_a_hundred(void **state)
{
    static struct hook_bounce out[HOOK_ENTRIES_MAX];
    json_t *body = json_array();
    size_t count;

    for (int i = 0; i < HOOK_ENTRIES_MAX; i++)
        json_array_append_new(body, json_pack("{s:s, s:s}", "email", "a@b.example", "type", "hard"));
    assert_int_equal(hook_bounces_read(body, out, &count, NULL), 0);
    assert_int_equal(count, HOOK_ENTRIES_MAX);
    json_array_append_new(body, json_pack("{s:s, s:s}", "email", "a@b.example", "type", "hard"));
    assert_int_equal(hook_bounces_read(body, out, &count, NULL), -1);
    json_decref(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries),
        cmocka_unit_test(what_they_say),
        cmocka_unit_test(at_most_a_hundred),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
