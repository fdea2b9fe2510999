#include "source/source.h"
#include "table.h"

#include <string.h>

/* A sample of the fakes' world, by its name under tests/samples/wix. */
static void read_sample(const char *name, struct buf *out)
{
    char path[512];
    struct error err = {0};

    buf_init(out, 1 << 20);
    snprintf(path, sizeof path, "%s/tests/samples/wix/%s", getenv("ONSALE_SOURCE"), name);
    if (buf_add_file(out, path, &err) < 0)
        fail_msg("%s: %s", path, err.text);
}

static void parse_fine(struct text json, struct source_page *page)
{
    struct source_page_notes notes;
    struct error err = {0};

    if (source_page_parse("arena", json, page, &notes, &err) < 0)
        fail_msg("%s", err.text);
    if (notes.bad > 0)
        fail_msg("%s", notes.bad_why.text);
    source_page_notes_clear(&notes);
}

static void first_page(void **state)
{
    auto_buf struct buf json;
    struct source_page page;

    (void)state;
    read_sample("query-page-1.json", &json);
    parse_fine(buf_text(&json), &page);
    assert_int_equal(page.count, 3);
    assert_string_equal(page.next_cursor, "f0a4d81b-6c37-4e92-8d5a-b7e1c039462f");

    const struct definition *early = page.definitions[0];
    assert_string_equal(early->site, "arena");
    assert_string_equal(early->id, "0d5e7b91-3a2c-4f68-b1d4-6e9f0a7c2581");
    assert_string_equal(early->event_id, "7f3c1a52-0b6e-4d0f-9a57-2d1e8c4b6a10");
    assert_int_equal(early->revision, 3);
    assert_int_equal(early->updated_at_ms, 1803919205118);
    assert_string_equal(early->name, "Early bird");
    assert_string_equal(early->price, "35.00");
    assert_string_equal(early->currency, "EUR");
    assert_false(early->free || early->hidden || early->sold_out);
    assert_int_equal(early->sale_status, SALE_SCHEDULED);
    assert_int_equal(early->sale_starts_at_ms, 1806048000000);
    assert_int_equal(early->event_status, EVENT_UPCOMING);
    assert_string_equal(early->event_title, "Harbour Lights Festival");
    assert_string_equal(early->event_zone, "Europe/Helsinki");
    assert_string_equal(early->event_url, "https://www.harbour-lights.example/event-details/harbour-lights-festival");
    assert_string_equal(early->event_place, "Pier 4");

    const struct definition *seat = page.definitions[2];
    assert_string_equal(seat->price, ""); /* adults and children pay differently */
    assert_int_equal(seat->sale_starts_at_ms, MOMENT_NONE);
    assert_int_equal(seat->event_starts_at_ms, MOMENT_NONE);
    assert_string_equal(seat->event_zone, "");
    assert_string_equal(seat->event_place, "");
    source_page_clear(&page);
}

static void last_page(void **state)
{
    auto_buf struct buf json;
    struct source_page page;

    (void)state;
    read_sample("query-page-2.json", &json);
    parse_fine(buf_text(&json), &page);
    assert_int_equal(page.count, 2);
    assert_null(page.next_cursor);
    assert_string_equal(page.definitions[0]->price, "5.00");
    assert_string_equal(page.definitions[0]->description, "");
    assert_int_equal(page.definitions[0]->created_at_ms % 1000, 600);
    assert_int_equal(page.definitions[0]->sale_ends_at_ms, MOMENT_NONE);
    assert_true(page.definitions[1]->hidden);
    assert_true(page.definitions[1]->free);
    source_page_clear(&page);
}

static void one_definition(void **state)
{
    auto_buf struct buf json;
    struct source_page page;

    (void)state;
    read_sample("get-ticket-definition.json", &json);
    parse_fine(buf_text(&json), &page);
    assert_int_equal(page.count, 1);
    assert_null(page.next_cursor);
    assert_int_equal(page.definitions[0]->revision, 5);
    assert_int_equal(page.definitions[0]->sale_status, SALE_STARTED);
    source_page_clear(&page);
}

/* --- One field at a time: a record with `extra` in it, and what becomes of one of its fields. ----------------------
 */

#define RECORD(extra) "{\"ticketDefinitions\":[{\"id\":\"a\",\"eventId\":\"e\"" extra "}]}"
#define EVENT(inside) RECORD(",\"eventDetails\":{" inside "}")
#define URL(base, path) EVENT("\"eventPageUrl\":{\"base\":\"" base "\",\"path\":\"" path "\"}")
#define FIXED(value) RECORD(",\"pricingMethod\":{\"fixedPrice\":{\"value\":" value ",\"currency\":\"EUR\"}}")

static void texts(void **state)
{
    static const struct {
        const char *json;
        size_t field;
        const char *expected;
    } cases[] = {
#define OF(name) offsetof(struct definition, name)
        {RECORD(""), OF(name), ""},
        {RECORD(",\"name\":null"), OF(name), ""},
        {RECORD(",\"name\":\"Caf\\u00e9 \\ud83c\\udfab\""), OF(name), "Café 🎫"},
        {RECORD(",\"name\":\"a\\r\\nBcc: x\\u007f\\u0085y\""), OF(name), "a  Bcc: x   y"},
        {RECORD(",\"name\":\"first\",\"name\":\"second\""), OF(name), "second"},
        {RECORD(",\"unknownKey\":{\"deep\":[1,2,{\"x\":null}]},\"sortIndex\":7"), OF(id), "a"},
        {URL("https://a.example", "/b"), OF(event_url), "https://a.example/b"},
        {URL("http://a.example", "/b"), OF(event_url), "http://a.example/b"},
        {URL("a.example", "/b"), OF(event_url), "https://a.example/b"},
        {URL("a.example:8443", "/b"), OF(event_url), "https://a.example:8443/b"},
        {URL("//a.example", "/b"), OF(event_url), "https://a.example/b"},
        {URL("https://a.example/", "/b"), OF(event_url), "https://a.example/b"},
        {URL("https://a.example", "b"), OF(event_url), "https://a.example/b"},
        {URL("https://a.example", "?b=1"), OF(event_url), "https://a.example?b=1"},
        {URL("javascript:alert", "/b"), OF(event_url), ""},
        {URL("javascript://a.example/%0aalert", ""), OF(event_url), ""},
        {URL("ftp://a.example", "/b"), OF(event_url), ""},
        {URL("data:text/html,x", ""), OF(event_url), ""},
        {URL("https://", "/b"), OF(event_url), ""},
        {URL("https://a@b.example", "/b"), OF(event_url), ""},
        {URL("https://a.example", "/b\\r\\nX: y"), OF(event_url), ""},
        {URL("https://a.example", "/b\\\"onload=x"), OF(event_url), ""},
        {URL("https://a.example", "/<script>"), OF(event_url), ""},
        {URL("", "/b"), OF(event_url), ""},
        {EVENT("\"eventPageUrl\":\"https://a.example/b\""), OF(event_url), "https://a.example/b"},
        {EVENT("\"eventPageUrl\":null"), OF(event_url), ""},
        {FIXED("\"49.90\""), OF(price), "49.90"},
        {FIXED("\"49\""), OF(price), "49"},
        {FIXED("49"), OF(price), "49"},
        {FIXED("49.9"), OF(price), ""}, /* a binary fraction is no price */
        {FIXED("\"-1\""), OF(price), ""},
        {FIXED("-1"), OF(price), ""},
        {FIXED("\"1,50\""), OF(price), ""},
        {FIXED("\"1.\""), OF(price), ""},
        {FIXED("\".5\""), OF(price), ""},
        {FIXED("\"1.2.3\""), OF(price), ""},
        {FIXED("\"1e9\""), OF(price), ""},
        {FIXED("\"\""), OF(price), ""},
        {FIXED("\"1111111111111111111111111111\""), OF(price), ""},
        {RECORD(",\"pricingMethod\":{\"fixedPrice\":{\"value\":\"1\",\"currency\":\"euro\"}}"), OF(currency), ""},
        {RECORD(",\"pricingMethod\":{\"fixedPrice\":{\"value\":\"1\"}}"), OF(price), ""},
        {RECORD(",\"pricingMethod\":{\"pricingOptions\":{\"optionDetails\":[{\"price\":{\"value\":\"5\",\"currency\":"
                "\"USD\"}},{\"price\":{\"value\":\"5\",\"currency\":\"USD\"}}]}}"),
         OF(price), "5"},
        {RECORD(",\"pricingMethod\":{\"pricingOptions\":{\"optionDetails\":[{\"price\":{\"value\":\"5\",\"currency\":"
                "\"USD\"}},{\"price\":{\"value\":\"5\",\"currency\":\"CAD\"}}]}}"),
         OF(price), ""},
        {RECORD(",\"pricingMethod\":{\"pricingOptions\":{\"optionDetails\":[]}}"), OF(price), ""},
        {EVENT("\"dateAndTimeSettings\":{\"timeZoneId\":\"America/Argentina/Buenos_Aires\"}"), OF(event_zone),
         "America/Argentina/Buenos_Aires"},
        {EVENT("\"dateAndTimeSettings\":{\"timeZoneId\":\"../../etc/passwd\"}"), OF(event_zone), ""},
        {EVENT("\"location\":{\"name\":\"Pier\",\"locationTbd\":true}"), OF(event_place), ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct source_page page;
        parse_fine(text_of(cases[i].json), &page);
        const char *got = *(const char *const *)((const char *)page.definitions[0] + cases[i].field);
        if (page.count != 1 || strcmp(got, cases[i].expected) != 0)
            fail_msg("%s gave \"%s\", not \"%s\"", cases[i].json, got, cases[i].expected);
        source_page_clear(&page);
    }
}

static void values(void **state)
{
    static const struct {
        const char *json;
        struct definition expected;
    } cases[] = {
#define NONE_ELSE .sale_starts_at_ms = MOMENT_NONE, .sale_ends_at_ms = MOMENT_NONE, .created_at_ms = MOMENT_NONE
        {RECORD(""), {NONE_ELSE}},
        {RECORD(",\"revision\":\"12\""), {.revision = 12, NONE_ELSE}},
        {RECORD(",\"revision\":12"), {.revision = 12, NONE_ELSE}},
        {RECORD(",\"revision\":\"-3\""), {.revision = -3, NONE_ELSE}},
        {RECORD(",\"revision\":\"9223372036854775807\""), {.revision = INT64_MAX, NONE_ELSE}},
        {RECORD(",\"hidden\":true"), {.hidden = true, NONE_ELSE}},
        {RECORD(",\"saleStatus\":\"SALE_STARTED\""), {.sale_status = SALE_STARTED, NONE_ELSE}},
        {RECORD(",\"saleStatus\":\"UNKNOWN_SALE_STATUS\""), {NONE_ELSE}},
        {RECORD(",\"saleStatus\":{\"value\":\"SALE_STARTED\"}"), {NONE_ELSE}},
        {RECORD(",\"saleStatus\":null"), {NONE_ELSE}},
        {EVENT("\"status\":\"CANCELED\""), {.event_status = EVENT_CANCELED, NONE_ELSE}},
        {EVENT("\"status\":\"POSTPONED\""), {NONE_ELSE}},
        {RECORD(",\"salesDetails\":{\"soldOut\":true}"), {.sold_out = true, NONE_ELSE}},
        {RECORD(",\"salesDetails\":{\"soldOut\":false,\"unsoldCount\":0}"), {.sold_out = true, NONE_ELSE}},
        {RECORD(",\"salesDetails\":{\"soldOut\":false,\"unsoldCount\":null}"), {NONE_ELSE}},
        {RECORD(",\"salesDetails\":{\"unsoldCount\":3}"), {NONE_ELSE}},
        {RECORD(",\"salesDetails\":null"), {NONE_ELSE}},
        {FIXED("\"0.00\""), {.free = true, NONE_ELSE}},
        {RECORD(",\"pricingMethod\":{\"free\":true}"), {.free = true, NONE_ELSE}},
        {RECORD(",\"salePeriod\":{\"startDate\":\"2038-01-19T03:14:08Z\",\"endDate\":null}"),
         {.created_at_ms = MOMENT_NONE, .sale_starts_at_ms = 2147483648000, .sale_ends_at_ms = MOMENT_NONE}},
        {RECORD(",\"salePeriod\":{\"startDate\":\"2027-03-26T10:00:00+02:00\"}"),
         {.created_at_ms = MOMENT_NONE, .sale_starts_at_ms = 1806048000000, .sale_ends_at_ms = MOMENT_NONE}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct definition *want = &cases[i].expected;
        struct source_page page;
        parse_fine(text_of(cases[i].json), &page);
        const struct definition *got = page.definitions[0];
        if (got->revision != want->revision || got->hidden != want->hidden || got->free != want->free ||
            got->sold_out != want->sold_out || got->sale_status != want->sale_status ||
            got->event_status != want->event_status || got->sale_starts_at_ms != want->sale_starts_at_ms ||
            got->sale_ends_at_ms != want->sale_ends_at_ms || got->created_at_ms != want->created_at_ms)
            fail_msg("%s", cases[i].json);
        source_page_clear(&page);
    }
}

/* --- What is left out, and what fails whole ------------------------------------------------------------------------
 */

#define WITH(record) "{\"ticketDefinitions\":[{\"id\":\"good\",\"eventId\":\"e\"}," record "]}"

static void bad_records(void **state)
{
    static const struct {
        const char *json, *why;
        const char *id; /* NULL: has none */
    } cases[] = {
        {WITH("{\"eventId\":\"e\"}"), "definition 2: id: missing", NULL},
        {WITH("{\"id\":null,\"eventId\":\"e\"}"), "definition 2: id: missing", NULL},
        {WITH("{\"id\":\"\",\"eventId\":\"e\"}"), "definition 2: id: expected", NULL},
        {WITH("{\"id\":7,\"eventId\":\"e\"}"), "definition 2: id: expected", NULL},
        {WITH("{\"id\":\"../x\",\"eventId\":\"e\"}"), "definition 2: id: expected", NULL},
        {WITH("{\"id\":\"a b\",\"eventId\":\"e\"}"), "definition 2: id: expected", NULL},
        {WITH("{\"id\":\"a\\u0000b\",\"eventId\":\"e\"}"), "definition 2: id: expected", NULL},
        {WITH("{\"id\":{\"value\":\"a\"},\"eventId\":\"e\"}"), "definition 2: id: expected", NULL},
        {WITH("\"text\""), "definition 2: expected an object", NULL},
        {WITH("null"), "definition 2: expected an object", NULL},
        {WITH("{\"id\":\"a\"}"), "definition 2 (a): eventId: missing", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e e\"}"), "definition 2 (a): eventId: expected", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e\",\"name\":5}"), "definition 2 (a): name: expected a text", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e\",\"name\":\"x\\u0000\"}"), "definition 2 (a): name: holds a zero", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e\",\"hidden\":\"no\"}"), "definition 2 (a): hidden: expected true", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e\",\"revision\":\"1.5\"}"), "definition 2 (a): revision", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e\",\"revision\":1.5}"), "definition 2 (a): revision", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e\",\"revision\":\"9223372036854775808\"}"), "definition 2 (a): rev", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e\",\"salePeriod\":{\"startDate\":\"soon\"}}"),
         "definition 2 (a): salePeriod.startDate: expected a time such as", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e\",\"salePeriod\":{\"startDate\":\"2027-02-29T10:00:00Z\"}}"),
         "definition 2 (a): salePeriod.startDate", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e\",\"salePeriod\":{\"startDate\":\"2027-02-28T24:00:00Z\"}}"),
         "definition 2 (a): salePeriod.startDate", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e\",\"salePeriod\":{\"startDate\":{\"seconds\":1}}}"),
         "definition 2 (a): salePeriod.startDate: expected a time as text", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e\",\"salePeriod\":{\"endDate\":1806048000}}"),
         "definition 2 (a): salePeriod.endDate", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e\",\"salePeriod\":\"always\"}"), "definition 2 (a): salePeriod: exp", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e\",\"createdDate\":\"x\"}"), "definition 2 (a): createdDate", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e\",\"salesDetails\":[]}"), "definition 2 (a): salesDetails: exp", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e\",\"eventDetails\":{\"title\":1}}"),
         "definition 2 (a): eventDetails: title: expected a text", "a"},
        {WITH("{\"id\":\"a\",\"eventId\":\"e\",\"pricingMethod\":\"free\"}"), "definition 2 (a): pricingMethod", "a"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct source_page page;
        struct source_page_notes notes;
        struct error err = {0};
        if (source_page_parse("arena", text_of(cases[i].json), &page, &notes, &err) < 0)
            fail_msg("%s: %s", cases[i].json, err.text);
        if (page.count != 1 || strcmp(page.definitions[0]->id, "good") != 0 || notes.bad != 1)
            fail_msg("%s: %zu good, %zu bad", cases[i].json, page.count, notes.bad);
        if (!text_starts(text_of(notes.bad_why.text), cases[i].why))
            fail_msg("%s gave \"%s\"", cases[i].json, notes.bad_why.text);
        assert_int_equal(notes.id_count, cases[i].id != NULL);
        if (cases[i].id)
            assert_string_equal(notes.ids[0], cases[i].id);
        source_page_clear(&page);
        source_page_notes_clear(&notes);
    }
}

static void bad_pages(void **state)
{
    static const char *const cases[] = {
        "",
        " ",
        "<!doctype html><title>Sign in</title>",
        "[]",
        "[{\"id\":\"a\",\"eventId\":\"e\"}]",
        "{}",
        "null",
        "{\"message\":\"\",\"details\":{}}",
        "{\"ticketDefinitions\":null}",
        "{\"ticketDefinitions\":{}}",
        "{\"ticketDefinitions\":\"\"}",
        "{\"ticketDefinition\":null}",
        "{\"definitions\":[]}",
        "{\"ticketDefinitions\":[{\"id\":\"a\",\"eventId\":\"e\"}",
        "{\"ticketDefinitions\":[]} x",
        "{\"ticketDefinitions\":[\"\xff\"]}",
        "{\"ticketDefinitions\":[],\"metadata\":[]}",
        "{\"ticketDefinitions\":[],\"metadata\":{\"cursors\":\"next\"}}",
        "{\"ticketDefinitions\":[],\"metadata\":{\"cursors\":{\"next\":7}}}",
        "{\"ticketDefinitions\":[],\"metadata\":{\"cursors\":{\"next\":\"a\\u0000b\"}}}",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct source_page page;
        struct source_page_notes notes;
        struct error err = {0};
        if (source_page_parse("arena", text_of(cases[i]), &page, &notes, &err) == 0)
            fail_msg("%s was taken", cases[i]);
        assert_int_equal(err.kind, ERROR_TRY_LATER);
        if (!text_starts(text_of(err.text), "not the documented shape"))
            fail_msg("%s: %s", cases[i], err.text);
    }
}

static void empty_pages(void **state)
{
    static const char *const cases[] = {
        "{\"ticketDefinitions\":[]}",
        "{\"ticketDefinitions\":[],\"metadata\":null}",
        "{\"ticketDefinitions\":[],\"metadata\":{\"cursors\":{\"next\":\"\"}}}",
        "{\"ticketDefinitions\":[],\"metadata\":{\"cursors\":{\"next\":null}}}",
        "{\"metadata\":{\"count\":0}}",
        "\xEF\xBB\xBF{\"ticketDefinitions\":[]}",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct source_page page;
        parse_fine(text_of(cases[i]), &page);
        assert_int_equal(page.count, 0);
        assert_null(page.next_cursor);
        source_page_clear(&page);
    }
}

static void long_texts_are_cut_between_characters(void **state)
{
    auto_buf struct buf json;
    struct source_page page;

    (void)state;
    buf_init(&json, 1 << 20);
    buf_adds(&json, "{\"ticketDefinitions\":[{\"id\":\"a\",\"eventId\":\"e\",\"name\":\"x");
    for (int i = 0; i < 1000; i++)
        buf_adds(&json, "é");
    buf_adds(&json, "\"}]}");
    parse_fine(buf_text(&json), &page);
    assert_in_range(strlen(page.definitions[0]->name), 390, 400);
    assert_true(text_is_utf8(text_of(page.definitions[0]->name)));
    source_page_clear(&page);
}

static void files_are_strict_about_words(void **state)
{
    static const struct {
        const char *json;
        bool fine;
    } cases[] = {
        {"[{\"id\":\"a\",\"eventId\":\"e\"}]", true},
        {"[]", true},
        {RECORD(",\"saleStatus\":\"SALE_STARTED\""), true},
        {RECORD(",\"saleStatus\":\"STARTED\""), false},
        {EVENT("\"status\":\"POSTPONED\""), false},
        {URL("javascript:alert", ""), false},
        {"{}", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct source_page page;
        struct source_page_notes notes;
        struct error err = {0};
        bool fine = source_file_parse("hall", text_of(cases[i].json), &page, &notes, &err) == 0 && notes.bad == 0;
        if (fine != cases[i].fine)
            fail_msg("%s: %s%s", cases[i].json, err.text, notes.bad_why.text);
        if (fine && page.count > 0)
            assert_int_equal(page.definitions[0]->event_status, EVENT_UPCOMING);
        source_page_clear(&page);
        source_page_notes_clear(&notes);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_page),
        cmocka_unit_test(last_page),
        cmocka_unit_test(one_definition),
        cmocka_unit_test(texts),
        cmocka_unit_test(values),
        cmocka_unit_test(bad_records),
        cmocka_unit_test(bad_pages),
        cmocka_unit_test(empty_pages),
        cmocka_unit_test(long_texts_are_cut_between_characters),
        cmocka_unit_test(files_are_strict_about_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
