#include "hooks.h"
#include "hooks_body.h"
#include "hooks_signed.h"
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

static void signed_words(void **state)
{
    static const struct {
        const char *body;
        enum hook_word_kind kind;
        const char *address, *source_id, *audience;
        enum feedback feedback;
        const char *why; /* NULL: taken */
    } cases[] = {
#define DATA(data) "{\"type\": \"contact.unsubscribed\", \"data\": " data "}"
#define ANA "\"email\": \"Ana@Fans.example\""
        {DATA("{" ANA "}"), HOOK_WORD_UNSUBSCRIBED, "Ana@fans.example", "", "", 0, NULL},
        {DATA("{" ANA ", \"audience\": \"fans\", \"source_id\": \"7\", \"more\": [1]}"), HOOK_WORD_UNSUBSCRIBED,
         "Ana@fans.example", "7", "fans", 0, NULL},
        {DATA("{\"source_id\": \"7\", \"email\": null}"), HOOK_WORD_UNSUBSCRIBED, "", "7", "", 0, NULL},
        {"{\"type\": \"unsubscribed\", \"data\": {" ANA "}}", HOOK_WORD_UNSUBSCRIBED, "Ana@fans.example", "", "", 0,
         NULL},
        {"{\"type\": \"a.b.bounced\", \"data\": {" ANA "}}", HOOK_WORD_BOUNCED, "Ana@fans.example", "", "",
         FEEDBACK_HARD, NULL},
        {"{\"type\": \"email.bounced\", \"data\": {" ANA ", \"kind\": \"soft\"}}", HOOK_WORD_BOUNCED,
         "Ana@fans.example", "", "", FEEDBACK_SOFT, NULL},
        {"{\"type\": \"email.complained\", \"data\": {" ANA ", \"kind\": \"abuse\"}}", HOOK_WORD_COMPLAINED,
         "Ana@fans.example", "", "", FEEDBACK_COMPLAINT, NULL},
        {"{\"type\": \"contact.resubscribed\"}", HOOK_WORD_RESUBSCRIBED, "", "", "", 0, NULL},
        {"{\"type\": \"contact.subscribed\", \"data\": 7}", HOOK_WORD_RESUBSCRIBED, "", "", "", 0, NULL},
        {"{\"type\": \"contact.unsubscribed.\"}", HOOK_WORD_OTHER, "", "", "", 0, NULL},
        {"{\"type\": \"contactunsubscribed\"}", HOOK_WORD_OTHER, "", "", "", 0, NULL},
        {"{\"type\": \"contact.Unsubscribed\"}", HOOK_WORD_OTHER, "", "", "", 0, NULL},
        {DATA("{}"), 0, "", "", "", 0, "data.email: expected it"},
        {DATA("{\"email\": \"\"}"), 0, "", "", "", 0, "data.email: expected it"},
        {DATA("{\"email\": \"ana\"}"), 0, "", "", "", 0, "data.email"},
        {DATA("{\"email\": [\"ana@fans.example\"]}"), 0, "", "", "", 0, "data.email: expected a text"},
        {DATA("{" ANA ", \"audience\": 7}"), 0, "", "", "", 0, "data.audience: expected a text"},
        {"{\"type\": \"bounced\", \"data\": {" ANA ", \"kind\": \"Hard\"}}", 0, "", "", "", 0,
         "data.kind: expected hard"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *body = json_loads(cases[i].body, 0, NULL);
        struct hook_word word;
        struct error err = {0};
        assert_non_null(body);
        int is = hook_word_read(body, &word, &err);
        if (is != (cases[i].why ? -1 : 0) ||
            (cases[i].why && (!strstr(err.text, cases[i].why) || strstr(err.text, "ana@"))))
            fail_msg("case %zu: %d %s", i, is, err.text);
        if (is == 0 && (word.kind != cases[i].kind || strcmp(word.address.text, cases[i].address) != 0 ||
                        strcmp(word.source_id, cases[i].source_id) != 0 ||
                        strcmp(word.audience, cases[i].audience) != 0 || word.feedback != cases[i].feedback))
            fail_msg("case %zu: %d <%s> %s %s %d", i, word.kind, word.address.text, word.source_id, word.audience,
                     word.feedback);
        json_decref(body);
    }
}

/* Whoever sends what cannot be read is told where, what was expected there, and what stands there in its place. */
static void bad_bodies(void **state)
{
    static const struct {
        const char *body;
        const char *why;
    } cases[] = {
        {"", "the body: expected JSON, found nothing"},
        {" \r\n", "the body: expected JSON, found nothing"},
        {"ana@fans.example", "the body, line 1, column 3: expected JSON, but it is not JSON there"},
        {"email=ana%40fans.example&type=unsubscribed",
         "the body, line 1, column 5: expected JSON, but it is not JSON there"},
        {"{\"type\": \"unsubscribed\",\n \"data\": {" ANA,
         "the body, line 2, column 37: expected JSON, but it ends too soon"},
        {DATA("{" ANA "}") "{}", "the body, line 1, column 72: expected JSON, but something stands behind the end"},
        {DATA("{" ANA ",}"), "the body, line 1, column 71: expected JSON, but it is not JSON there"},
        {"{\"type\": \"a\", \"type\": \"b\"}",
         "the body, line 1, column 20: expected JSON, but a field stands in an object twice"},
        {"{\"type\": \"\xff\"}", "the body, line 1, column 10: expected JSON, but it is not UTF-8"},
        {"{\"type\": \"a\\u0000\"}", "the body, line 1, column 18: expected JSON, but a text holds NUL"},
        {"{\"type\": 9999999999999999999}", "the body, line 1, column 28: expected JSON, but a number is too large"},
        {"[" DATA("{" ANA "}") "]", "the body: expected one object {\"type\": ..., \"data\": {...}}, found an array"},
        {"[]", "the body: expected one object {\"type\": ..., \"data\": {...}}, found an array"},
        {"\"unsubscribed\"", "the body: expected one object {\"type\": ..., \"data\": {...}}, found a text"},
        {"17", "the body: expected one object {\"type\": ..., \"data\": {...}}, found a number"},
        {"null", "the body: expected one object {\"type\": ..., \"data\": {...}}, found null"},
        {"true", "the body: expected one object {\"type\": ..., \"data\": {...}}, found true"},
        {"{}", "type: expected a text of 1 to 200 bytes such as contact.unsubscribed, found nothing"},
        {"{\"type\": 7}", "type: expected a text of 1 to 200 bytes such as contact.unsubscribed, found a number"},
        {"{\"type\": \"\"}", "type: expected a text of 1 to 200 bytes such as contact.unsubscribed, found another one"},
        {"{\"Type\": \"unsubscribed\"}",
         "type: expected a text of 1 to 200 bytes such as contact.unsubscribed, found nothing"},
        {"{\"type\": \"unsubscribed\", " ANA "}", "data: expected an object with email or source_id, found nothing"},
        {DATA("null"), "data: expected an object with email or source_id, found null"},
        {DATA("[{" ANA "}]"), "data: expected an object with email or source_id, found an array"},
        {DATA("\"ana@fans.example\""), "data: expected an object with email or source_id, found a text"},
        {DATA("{}"), "data.email: expected it, or a data.source_id"},
        {DATA("{\"subscriber\": {" ANA "}}"), "data.email: expected it, or a data.source_id"},
        {DATA("{\"email\": {}}"), "data.email: expected a text of at most 1000 bytes, found an object"},
        {DATA("{\"source_id\": 17}"), "data.source_id: expected a text of at most 1000 bytes, found a number"},
        {DATA("{" ANA ", \"reason\": 1.5}"), "data.reason: expected a text of at most 1000 bytes, found a number"},
        {DATA("{" ANA ", \"audience\": [\"fans\"]}"),
         "data.audience: expected a text of at most 1000 bytes, found an array"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct hook_word word;
        struct error err = {0};
        json_t *body = hook_body_parse(text_of(cases[i].body), &err);
        if (body && hook_word_read(body, &word, &err) == 0)
            fail_msg("%s: taken", cases[i].body);
        if (err.kind != ERROR_REFUSED || strcmp(err.text, cases[i].why) != 0 || strcasestr(err.text, "ana"))
            fail_msg("%s: %s", cases[i].body, err.text);
        json_decref(body);
    }
}

/* As deep as a body may be large. */
static void nested_bodies(void **state)
{
    enum { DEEP = 32 * 1024 };
    auto_free char *text = must_calloc(2, DEEP);
    struct error err = {0};

    (void)state;
    memset(text, '[', DEEP);
    memset(text + DEEP, ']', DEEP);
    assert_null(hook_body_parse((struct text){text, 2 * (size_t)DEEP}, &err));
    assert_non_null(strstr(err.text, "nested too deeply"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries),      cmocka_unit_test(what_they_say), cmocka_unit_test(at_most_a_hundred),
        cmocka_unit_test(signed_words), cmocka_unit_test(bad_bodies),    cmocka_unit_test(nested_bodies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
