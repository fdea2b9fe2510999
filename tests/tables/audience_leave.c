/* listmonk_leave.c against tests/fakes/listmonk.py on a real socket: one person is taken off, found whatever their
 * address looks like, nobody else, and what went wrong is told as it is. */
#include "audience/listmonk_page.h"
#include "audience/listmonk_request.h"
#include "listmonk_fake.h"

/* A person of the fake, and listmonk as we reach it. */
struct bench {
    uv_loop_t loop;
    struct alarms *alarms;
    struct fetcher *fetcher;
    struct audience_settings settings;
    struct audience *audience;
    struct audience_leave *leave;
    bool told, unknown;
    struct error failure;
    int64_t retry_after_ms;
};

static const char *lists[] = {"7", "5"};

static void take_down(struct bench *b)
{
    alarms_close(b->alarms);
    fetcher_close(b->fetcher);
}

static void on_left(void *ctx, const struct audience_left *result)
{
    struct bench *b = ctx;

    assert_false(b->told);
    b->leave = NULL;
    b->told = true;
    b->unknown = result->unknown;
    b->retry_after_ms = result->retry_after_ms;
    if (result->failure)
        b->failure = *result->failure;
    take_down(b);
}

static void begin(struct bench *b, const char *user, bool sql, const char *address, const char *uuid)
{
    struct error err = {0};

    *b = (struct bench){.settings = {.name = "fans",
                                     .source = AUDIENCE_LISTMONK,
                                     .url = fake_url,
                                     .username = user,
                                     .token = "secret",
                                     .lists = {.at = lists, .count = 2},
                                     .timeout_ms = 1000,
                                     .sql = sql}};
    assert_int_equal(uv_loop_init(&b->loop), 0);
    b->alarms = alarms_new(&b->loop, &clock_machine, &err);
    b->fetcher = fetcher_new(&b->loop, &err);
    struct audience_parts parts = {
        .clock = &clock_machine, .alarms = b->alarms, .fetcher = b->fetcher, .uv_loop = &b->loop};
    b->audience = audience_listmonk_new(&b->settings, &parts, &err);
    if (!b->audience)
        fail_msg("%s", err.text);
    b->leave = b->audience->ops->unsubscribe(
        b->audience, &(struct audience_person){.address = text_of(address), .source_id = text_of(uuid)}, on_left, b);
    assert_non_null(b->leave);
}

static void end(struct bench *b)
{
    uv_run(&b->loop, UV_RUN_DEFAULT);
    b->audience->ops->free(b->audience);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    assert_null(strchr(b->failure.text, '@'));
    assert_null(strstr(b->failure.text, "secret"));
}

static void leave(struct bench *b, const char *user, bool sql, const char *address, const char *uuid)
{
    begin(b, user, sql, address, uuid);
    end(b);
    assert_true(b->told);
}

/* Everybody of list 7 who may be written to. */
static size_t subscribed(void)
{
    json_t *truth = ask("GET", "_people?list=7", NULL), *word;
    const char *address;
    size_t count = 0;

    json_object_foreach(truth, address, word) count += json_integer_value(word) == 0;
    json_decref(truth);
    return count;
}

/* 0 subscribed, 1 not, -1 nobody of that address. */
static int word_of(const char *address)
{
    json_t *truth = ask("GET", "_people?list=7", NULL), *word = json_object_get(truth, address);
    int out = word ? (int)json_integer_value(word) : -1;

    json_decref(truth);
    return out;
}

static void add(const char *address)
{
    auto_buf struct buf wish;
    json_t *quoted = json_string(address);
    auto_free char *text = json_dumps(quoted, JSON_ENCODE_ANY);

    json_decref(quoted);
    buf_init(&wish, 1024);
    buf_addf(&wish, "{\"changes\": [{\"after\": 0, \"do\": [[\"add\", %s, 7]]}]}", text);
    control(wish.ptr);
}

/* The neighbours would be met by a regular expression, a condition or a comparison that is not exact. */
static void this_person_and_nobody_else(void **state)
{
    static const struct {
        const char *address, *asked, *neighbours[3];
    } cases[] = {
        {"ada@example.org", "ada@example.org", {"canada@example.org", "ada@example.org.uk", "adazexample.org@a.org"}},
        {"a.b@example.org", "A.B@Example.org", {"axb@example.org", "a.b@examplexorg", "a.b@example.orga"}},
        {"a+b@example.org", "a+b@example.org", {"aab@example.org", "ab@example.org", "aaab@example.org"}},
        {"o'hara@example.org", "o'hara@example.org", {"ohara@example.org", "o''hara@example.org", "o@example.org"}},
        {"a|b@example.org", "a|b@example.org", {"a@example.org", "b@example.org", "aorb@example.org"}},
        {"a*{2}$^?@example.org", "a*{2}$^?@example.org", {"aa@example.org", "a@example.org", "aaa@example.org"}},
        {"a&b=c#d%41@example.org", "a&b=c#d%41@example.org", {"a@example.org", "a&b=c#dA@example.org", "c@a.org"}},
        {"\"x y\\z\"@example.org", "\"x y\\z\"@example.org", {"\"x yz\"@example.org", "x@example.org", "z@a.org"}},
        {"ada@exämple.org", "ada@exämple.org", {"ada@exaemple.org", "ada@xn--exmple-cua.org", "ada@exämple.org.uk"}},
        {"żaneta.ó@example.pl", "żaneta.ó@example.pl", {"zaneta.o@example.pl", "żanetaxó@example.pl", "ó@example.pl"}},
    };
    (void)state;
    for (int sql = 0; sql < 2; sql++) {
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            struct bench b;
            control("{\"reset\": true}");
            for (size_t k = 0; k < 3; k++)
                add(cases[i].neighbours[k]);
            add(cases[i].address);
            size_t before = subscribed();
            leave(&b, sql ? "onsale" : "plain", sql, cases[i].asked, "");
            if (b.failure.kind)
                fail_msg("%s: %s", cases[i].address, b.failure.text);
            assert_false(b.unknown);
            assert_int_equal(word_of(cases[i].address), 1);
            assert_int_equal(subscribed(), before - 1);
        }
    }
}

/* The uuid and address of a subscriber of list 7, who is on list 5 as well when `both`. */
static json_t *somebody(void)
{
    json_t *page = NULL, *found = NULL, *person, *list;
    char url[256];
    struct error err = {0};
    size_t i, k;

    snprintf(url, sizeof url, "%sapi/subscribers?order=asc&per_page=all&list_id=7", fake_url);
    struct fetch_header header = {"Authorization", "token onsale:secret"};
    struct fetch_spec spec = {.method = "GET", .url = url, .headers = &header, .header_count = 1, .timeout_ms = 5000};
    if (fetch_wait(&spec, keep_json, &page, &err) < 0)
        fail_msg("%s", err.text);
    json_array_foreach(json_object_get(json_object_get(page, "data"), "results"), i, person)
    {
        int on = 0;
        json_array_foreach(json_object_get(person, "lists"), k, list)
        {
            int64_t id = json_integer_value(json_object_get(list, "id"));
            bool confirmed = strcmp(json_string_value(json_object_get(list, "subscription_status")), "confirmed") == 0;
            on |= confirmed && id == 7 ? 1 : confirmed && id == 5 ? 2 : 0;
        }
        if (on == 3 && !found)
            found = json_incref(person);
    }
    json_decref(page);
    assert_non_null(found);
    return found;
}

static const char *text_in(const json_t *person, const char *key)
{
    return json_string_value(json_object_get(person, key));
}

/* All lists of the audience, at once, and a second time costs one question (two with SQL). */
static void every_list_and_the_second_time_nothing(void **state)
{
    (void)state;
    for (int sql = 0; sql < 2; sql++) {
        struct bench b;
        control("{\"reset\": true}");
        json_t *person = somebody();
        const char *user = sql ? "onsale" : "plain", *address = text_in(person, "email");
        leave(&b, user, sql, address, text_in(person, "uuid"));
        assert_int_equal(b.failure.kind, ERROR_NONE);
        assert_int_equal(word_of(address), 1);
        json_t *five = ask("GET", "_people?list=5", NULL);
        assert_int_equal(json_integer_value(json_object_get(five, address)), 1);
        json_decref(five);
        assert_int_equal(count_requests("/api/subscribers/lists"), 1);
        size_t asked = count_requests("/api/subscribers");
        leave(&b, user, sql, address, text_in(person, "uuid"));
        assert_int_equal(b.failure.kind, ERROR_NONE);
        assert_false(b.unknown);
        assert_int_equal(count_requests("/api/subscribers/lists"), 1);
        assert_int_equal(count_requests("/api/subscribers"), asked + (sql ? 2 : 1));
        json_decref(person);
    }
}

/* With SQL the person is found under a new address too; and whoever was added anew under the old one. */
static void an_address_that_changed(void **state)
{
    struct bench b;
    char wish[256];

    (void)state;
    control("{\"reset\": true}");
    json_t *person = somebody();
    snprintf(wish, sizeof wish,
             "{\"changes\": [{\"after\": 0, \"do\": [[\"rename\", %d, \"new@example.org\"], [\"add\", \"%s\", 7]]}]}",
             (int)json_integer_value(json_object_get(person, "id")), text_in(person, "email"));
    control(wish);
    size_t before = subscribed();
    leave(&b, "onsale", true, text_in(person, "email"), text_in(person, "uuid"));
    assert_int_equal(b.failure.kind, ERROR_NONE);
    assert_int_equal(word_of("new@example.org"), 1);
    assert_int_equal(word_of(text_in(person, "email")), 1);
    assert_int_equal(subscribed(), before - 2);
    json_decref(person);
}

static void somebody_it_does_not_know(void **state)
{
    static const char *const uuids[] = {"", "not a uuid", "00000000-0000-4000-8000-000000000000",
                                        "x' OR '1'='1'--0000-4000-8000-000000"};
    (void)state;
    for (int sql = 0; sql < 2; sql++)
        for (size_t i = 0; i < ARRAY_LEN(uuids); i++) {
            struct bench b;
            control("{\"reset\": true}");
            size_t before = subscribed();
            leave(&b, sql ? "onsale" : "plain", sql, "nobody@example.net", uuids[i]);
            assert_int_equal(b.failure.kind, ERROR_NONE);
            assert_true(b.unknown);
            assert_int_equal(subscribed(), before);
            assert_int_equal(count_requests("/api/subscribers/lists"), 0);
        }
}

static void what_went_wrong_is_told_as_it_is(void **state)
{
    static const struct {
        const char *user, *wish;
        enum error_kind kind;
        const char *text;
        int word; /* of the person afterwards */
    } cases[] = {
        {"plain", "{\"write_faults\": [{\"on\": 1, \"kind\": \"500\"}]}", ERROR_TRY_LATER, "500", 0},
        {"plain", "{\"write_faults\": [{\"on\": 1, \"kind\": \"429\"}]}", ERROR_TRY_LATER, "429", 0},
        {"plain", "{\"write_faults\": [{\"on\": 1, \"kind\": \"408\"}]}", ERROR_TRY_LATER, "408", 0},
        {"plain", "{\"write_faults\": [{\"on\": 1, \"kind\": \"403\"}]}", ERROR_CONFIG, "subscribers:manage", 0},
        {"plain", "{\"write_faults\": [{\"on\": 1, \"kind\": \"400\"}]}", ERROR_CONFIG, "400", 0},
        {"plain", "{\"write_faults\": [{\"on\": 1, \"kind\": \"404\"}]}", ERROR_CONFIG, "404", 0},
        {"plain", "{\"write_faults\": [{\"on\": 1, \"kind\": \"lost\", \"times\": 2}]}", ERROR_TRY_LATER, "", 1},
        {"plain", "{\"write_faults\": [{\"on\": 1, \"kind\": \"slow\"}]}", ERROR_TRY_LATER, "", 1},
        {"reader", "{}", ERROR_CONFIG, "subscribers:manage", 0},
        {"guest", "{}", ERROR_CONFIG, "still on list 7", 0},
        {"nobody", "{}", ERROR_CONFIG, "403", 0},
        {"stranger", "{}", ERROR_CONFIG, "403", 0},
        {"plain", "{\"blind\": true}", ERROR_CONFIG, "did not search", 0},
        {"plain", "{\"faults\": [{\"on\": 1, \"kind\": \"503\", \"retry_after\": 7}]}", ERROR_TRY_LATER, "503", 0},
        {"plain", "{\"faults\": [{\"on\": 1, \"kind\": \"html\"}]}", ERROR_TRY_LATER, "not JSON", 0},
        {"plain", "{\"faults\": [{\"on\": 1, \"kind\": \"shape\"}]}", ERROR_TRY_LATER, "without id", 0},
        {"plain", "{\"faults\": [{\"on\": 1, \"kind\": \"truncated\"}]}", ERROR_TRY_LATER, "cut off", 0},
        {"plain", "{\"faults\": [{\"on\": 1, \"kind\": \"reset\"}]}", ERROR_TRY_LATER, "", 0},
        {"plain", "{\"faults\": [{\"on\": 2, \"kind\": \"500\"}]}", ERROR_TRY_LATER, "500", 1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        control("{\"reset\": true, \"blind\": false}");
        add("ada@example.org");
        control(cases[i].wish);
        leave(&b, cases[i].user, false, "ada@example.org", "");
        if (b.failure.kind != cases[i].kind || !strstr(b.failure.text, cases[i].text))
            fail_msg("case %zu: kind %d, \"%s\"", i, (int)b.failure.kind, b.failure.text);
        assert_int_equal(b.retry_after_ms, strstr(cases[i].wish, "retry_after") ? 7000 : -1);
        control("{\"blind\": false}");
        assert_int_equal(word_of("ada@example.org"), cases[i].word);
    }
}

static void given_up_at_any_time(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < 20; turns++) {
        struct bench b;
        control("{\"reset\": true}");
        add("ada@example.org");
        begin(&b, "onsale", true, "ada@example.org", "00000000-0000-4000-8000-000000000000");
        for (unsigned i = 0; i < turns && !b.told; i++)
            uv_run(&b.loop, UV_RUN_ONCE);
        if (!b.told) {
            b.audience->ops->unsubscribe_cancel(&b.leave);
            assert_null(b.leave);
            b.audience->ops->unsubscribe_cancel(&b.leave);
            take_down(&b);
        }
        end(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_person_and_nobody_else),      cmocka_unit_test(every_list_and_the_second_time_nothing),
        cmocka_unit_test(an_address_that_changed),          cmocka_unit_test(somebody_it_does_not_know),
        cmocka_unit_test(what_went_wrong_is_told_as_it_is), cmocka_unit_test(given_up_at_any_time),
    };
    return cmocka_run_group_tests(tests, start_fake, stop_fake);
}
