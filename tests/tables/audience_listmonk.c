/* listmonk.c against tests/fakes/listmonk.py on a real socket: who is delivered, with which word, in the face of
 * whatever the other side does. */
#include "audience/audience.h"
#include "audience/listmonk_page.h"
#include "audience/listmonk_request.h"
#include "listmonk_fake.h"

#define EVENT "5f1c7a52-3a0e-4c07-9a9b-6d2b1a7c77e1"

/* What a whole read gave: the least permissive word for each address, as the store would have it. */
struct gathered {
    uv_loop_t loop;
    struct alarms *alarms;
    struct fetcher *fetcher;
    struct audience *audience;
    struct audience_read *read;
    json_t *people;
    char *first_attributes, *first_locale, *first_zone, *first_id;
    size_t pages, records, restarts, stop_after, page_records_max;
    int64_t total;
    char cursor[256];
    struct error failure;
    bool ended;
};

static void keep(char **out, struct text t)
{
    if (!*out && t.len)
        *out = text_dup(t);
}

static void take_down(struct gathered *got)
{
    alarms_close(got->alarms);
    fetcher_close(got->fetcher);
}

static void on_page(void *ctx, const struct audience_page *page)
{
    struct gathered *got = ctx;

    got->pages++;
    got->restarts += page->restarted;
    got->records += page->count;
    got->total = page->total;
    if (page->count > got->page_records_max)
        got->page_records_max = page->count;
    for (size_t i = 0; i < page->count; i++) {
        const struct audience_record *r = &page->records[i];
        auto_free char *address = text_dup(r->address);
        json_int_t before = json_integer_value(json_object_get(got->people, address));
        json_object_set_new(got->people, address,
                            json_integer(before > (json_int_t)r->consent ? before : (json_int_t)r->consent));
        keep(&got->first_attributes, r->attributes);
        keep(&got->first_id, r->source_id);
        keep(&got->first_locale, r->locale);
        keep(&got->first_zone, r->zone);
    }
    if (page->failure)
        got->failure = *page->failure;
    else if (!page->last)
        snprintf(got->cursor, sizeof got->cursor, "%s", page->cursor);
    got->ended = page->last || page->failure;
    bool stop = got->stop_after && got->pages == got->stop_after;
    if (stop && !got->ended)
        got->audience->ops->cancel(got->read);
    if (got->ended || stop) {
        got->read = NULL;
        take_down(got);
        return;
    }
    got->audience->ops->next(got->read);
}

struct wish {
    const char *user, *list, *second_list, *cursor;
    bool sql;
    int64_t page_size, since_ms, timeout_ms;
    struct audience_interest interest;
    size_t stop_after;
};

static void gather(struct gathered *got, const struct wish *wish)
{
    struct error err = {0};
    const char *lists[] = {wish->list, wish->second_list};
    struct audience_settings settings = {
        .name = "fans",
        .source = AUDIENCE_LISTMONK,
        .url = fake_url,
        .username = wish->user  ? wish->user
                    : wish->sql ? "onsale"
                                : "plain",
        .token = "secret",
        .lists = {.at = lists, .count = wish->second_list ? 2 : 1},
        .page_size = wish->page_size ? wish->page_size : 100,
        .timeout_ms = wish->timeout_ms ? wish->timeout_ms : 5000,
        .sql = wish->sql,
        .interest = wish->interest,
    };
    struct audience_question question = {.site = "arena", .event_id = EVENT, .cursor = wish->cursor};

    memset(got, 0, sizeof *got);
    got->stop_after = wish->stop_after;
    got->people = json_object();
    assert_int_equal(uv_loop_init(&got->loop), 0);
    got->alarms = alarms_new(&got->loop, &clock_machine, &err);
    got->fetcher = fetcher_new(&got->loop, &err);
    assert_non_null(got->alarms);
    assert_non_null(got->fetcher);
    struct audience_parts parts = {
        .clock = &clock_machine, .alarms = got->alarms, .fetcher = got->fetcher, .uv_loop = &got->loop};
    got->audience = audience_listmonk_new(&settings, &parts, &err);
    if (!got->audience)
        fail_msg("%s", err.text);
    assert_int_equal(got->audience->ops->changes != NULL, wish->sql);
    if (wish->since_ms)
        got->read = got->audience->ops->changes(got->audience, &question, wish->since_ms, on_page, got, &err);
    else
        got->read = got->audience->ops->read(got->audience, &question, on_page, got, &err);
    assert_non_null(got->read);
    uv_run(&got->loop, UV_RUN_DEFAULT);
    got->audience->ops->free(got->audience);
    assert_int_equal(uv_loop_close(&got->loop), 0);
    assert_true(got->ended || got->stop_after);
    assert_null(strstr(got->failure.text, "secret"));
    assert_null(strchr(got->failure.text, '@'));
}

static void gathered_clear(struct gathered *got)
{
    json_decref(got->people);
    free(got->first_attributes);
    free(got->first_id);
    free(got->first_locale);
    free(got->first_zone);
}

static void expect_truth(const char *name, const struct gathered *got, const char *query)
{
    char path[128];
    const char *address;
    json_t *word, *truth;

    if (got->failure.kind != ERROR_NONE)
        fail_msg("%s: %s", name, got->failure.text);
    snprintf(path, sizeof path, "_people?%s", query);
    truth = ask("GET", path, NULL);
    json_object_foreach(truth, address, word)
    {
        json_t *seen = json_object_get(got->people, address);
        if (!seen)
            fail_msg("%s: %s is missing", name, address);
        if (json_integer_value(seen) != json_integer_value(word))
            fail_msg("%s: %s is %d, not %d", name, address, (int)json_integer_value(seen),
                     (int)json_integer_value(word));
    }
    json_decref(truth);
}

static void expect_all(const char *name, const struct gathered *got, const char *query)
{
    char path[128];
    expect_truth(name, got, query);
    snprintf(path, sizeof path, "_people?%s", query);
    json_t *truth = ask("GET", path, NULL);
    assert_int_equal(json_object_size(truth), json_object_size(got->people));
    json_decref(truth);
}

static void everybody_is_judged(void **state)
{
    static const struct {
        const char *name;
        struct wish wish;
        const char *truth;
    } cases[] = {
        {"single opt-in, SQL", {.list = "7", .sql = true}, "list=7"},
        {"single opt-in, windows", {.list = "7"}, "list=7"},
        {"double opt-in, SQL", {.list = "3", .sql = true}, "list=3"},
        {"double opt-in, windows", {.list = "3"}, "list=3"},
        {"one page, SQL", {.list = "7", .sql = true, .page_size = 5000}, "list=7"},
        {"one page, windows", {.list = "7", .page_size = 5000}, "list=7"},
        {"nobody, SQL", {.list = "12", .sql = true}, "list=12"},
        {"nobody, windows", {.list = "12"}, "list=12"},
        {"attribute", {.list = "7", .sql = true, .interest.attribute = "events"}, "list=7&interest=events"},
        {"list name or tag", {.list = "7", .interest.list_name = "fans of {event}"}, "list=7&interest=lists"},
    };
    (void)state;
    control("{\"reset\": true}");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct gathered got;
        gather(&got, &cases[i].wish);
        expect_all(cases[i].name, &got, cases[i].truth);
        assert_true(got.page_records_max <= 1000);
        gathered_clear(&got);
    }
}

static void two_lists_are_two_passes(void **state)
{
    struct gathered got;
    const char *address;
    json_t *word;
    (void)state;
    control("{\"reset\": true}");
    gather(&got, &(struct wish){.list = "12", .second_list = "9", .sql = true});
    expect_all("empty, then tagged", &got, "list=9");
    gathered_clear(&got);
    gather(&got, &(struct wish){.list = "7", .second_list = "9"});
    assert_int_equal(got.failure.kind, ERROR_NONE);
    json_t *seven = ask("GET", "_people?list=7", NULL), *nine = ask("GET", "_people?list=9", NULL);
    json_object_foreach(nine, address, word)
    {
        json_int_t other = json_integer_value(json_object_get(seven, address));
        json_object_set_new(seven, address,
                            json_integer(other > json_integer_value(word) ? other : json_integer_value(word)));
    }
    assert_true(json_equal(seven, got.people));
    json_decref(seven);
    json_decref(nine);
    gathered_clear(&got);
}

static void what_is_known_of_a_person(void **state)
{
    struct gathered got;
    (void)state;
    control("{\"reset\": true}");
    gather(&got, &(struct wish){.list = "7", .sql = true});
    assert_int_equal(strlen(got.first_id), 36);
    json_t *attributes = json_loads(got.first_attributes, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(attributes, "uuid")), got.first_id);
    assert_true(json_is_integer(json_object_get(attributes, "id")));
    assert_non_null(strchr(got.first_zone, '/'));
    assert_non_null(got.first_locale);
    json_decref(attributes);
    gathered_clear(&got);
}

/* Faults that pass: the read goes through them. */
static void faults_that_pass(void **state)
{
    static const char *const kinds[] = {"500", "502", "429", "408", "truncated", "reset", "html", "shape"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        char wish[160];
        struct gathered got;
        control("{\"reset\": true}");
        snprintf(wish, sizeof wish, "{\"faults\": [{\"on\": 3, \"kind\": \"%s\", \"times\": 2, \"retry_after\": 0}]}",
                 kinds[i]);
        control(wish);
        gather(&got, &(struct wish){.list = "7", .sql = i % 2, .page_size = 500});
        expect_all(kinds[i], &got, "list=7");
        gathered_clear(&got);
    }
}

/* Faults that stay end the read, never shrink it. */
static void faults_that_stay(void **state)
{
    static const struct {
        const char *control;
        struct wish wish;
        enum error_kind kind;
        const char *text;
    } cases[] = {
        {"{\"faults\": [{\"on\": 2, \"kind\": \"503\", \"times\": 9}]}",
         {.list = "7"},
         ERROR_TRY_LATER,
         "listmonk list 7, page 2: it answered 503: something went wrong"},
        {"{\"faults\": [{\"on\": 2, \"kind\": \"truncated\", \"times\": 9}]}",
         {.list = "7"},
         ERROR_TRY_LATER,
         "listmonk list 7, page 2: the answer is not JSON, or was cut off"},
        {"{\"faults\": [{\"on\": 1, \"kind\": \"html\", \"times\": 9}]}",
         {.list = "7"},
         ERROR_TRY_LATER,
         "listmonk list 7, page 1: the answer is not JSON, or was cut off"},
        {"{\"faults\": [{\"on\": 1, \"kind\": \"shape\", \"times\": 9}]}",
         {.list = "7"},
         ERROR_TRY_LATER,
         "no results"},
        {"{\"faults\": [{\"on\": 1, \"kind\": \"429\", \"times\": 9, \"retry_after\": 3600}]}",
         {.list = "7"},
         ERROR_TRY_LATER,
         "429"},
        {"{\"faults\": [{\"on\": 1, \"kind\": \"slow\", \"times\": 9}]}",
         {.list = "7", .timeout_ms = 200},
         ERROR_TRY_LATER,
         "200 ms"},
        {"{\"faults\": [{\"on\": 1, \"kind\": \"capped\", \"times\": 9}]}", {.list = "7"}, ERROR_CONFIG, "page_size"},
        {"{\"faults\": [{\"on\": 2, \"kind\": \"301\", \"times\": 9}]}", {.list = "7"}, ERROR_CONFIG, "301"},
        {"{\"total_lie\": 3}", {.list = "7"}, ERROR_TRY_LATER, "again after a second look"},
        {"{\"total_lie\": 3}",
         {.list = "7", .sql = true, .page_size = 5000},
         ERROR_TRY_LATER,
         "are missing from the answer"},
        {"{}", {.list = "99"}, ERROR_CONFIG, "listmonk list 99: it answered 400: List not found; is there such a list"},
        {"{}", {.list = "7", .user = "nobody"}, ERROR_CONFIG, "permission denied"},
        {"{}",
         {.list = "7", .user = "stranger"},
         ERROR_CONFIG,
         "403: invalid API credentials; check username and token"},
        {"{}", {.list = "7", .user = "plain", .sql = true}, ERROR_CONFIG, "take `sql: true` away"},
        {"{}",
         {.list = "7", .user = "restricted"},
         ERROR_CONFIG,
         "listmonk list 7, page 1: listmonk ignored list_id 7 and sent people who are not on it: give the API user "
         "permission to read list 7"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct gathered got;
        control("{\"reset\": true}");
        control(cases[i].control);
        gather(&got, &cases[i].wish);
        if (got.failure.kind != cases[i].kind || !strstr(got.failure.text, cases[i].text))
            fail_msg("%zu: %d %s", i, (int)got.failure.kind, got.failure.text);
        gathered_clear(&got);
        control("{\"total_lie\": 0}");
    }
}

/* People leave from under the windows, and nobody who stays is passed over. */
static void people_leave_while_we_read(void **state)
{
    (void)state;
    for (int sql = 0; sql < 2; sql++) {
        for (int leavers = 1; leavers <= 120; leavers = leavers * 3 + 1) {
            auto_buf struct buf wish;
            struct gathered got;
            control("{\"reset\": true}");
            buf_init(&wish, 1 << 16);
            buf_adds(&wish, "{\"changes\": [{\"after\": 3, \"do\": [");
            /* ids are not all taken and not all are on the list: "join" first makes leaving possible */
            json_t *log = ask("GET", "_people?list=7", NULL);
            const char *address;
            json_t *word;
            int n = 0;
            json_object_foreach(log, address, word)
            {
                if (n < leavers)
                    buf_addf(&wish, "%s[\"%s\", %d%s]", n ? ", " : "", n % 2 ? "leave" : "delete", atoi(address + 1),
                             n % 2 ? ", 7" : "");
                n++;
            }
            json_decref(log);
            buf_adds(&wish, "]}, {\"after\": 5, \"do\": [[\"add\", \"new@example.org\", 7]]}]}");
            control(wish.ptr);
            gather(&got, &(struct wish){.list = "7", .sql = sql});
            expect_truth(sql ? "SQL" : "windows", &got, "list=7");
            gathered_clear(&got);
        }
    }
}

/* The total is right again because as many joined; only the overlap shows that somebody was passed over. */
static void leaving_hidden_by_joining(void **state)
{
    struct gathered got;
    (void)state;
    control("{\"reset\": true}");
    json_t *truth = ask("GET", "_people?list=7", NULL);
    auto_buf struct buf wish;
    const char *address;
    json_t *word;
    int n = 0;
    buf_init(&wish, 1 << 16);
    buf_adds(&wish, "{\"changes\": [{\"after\": 2, \"do\": [");
    json_object_foreach(truth, address, word)
    {
        if (n++ < 30)
            buf_addf(&wish, "[\"delete\", %d], [\"add\", \"n%d@example.org\", 7]%s", atoi(address + 1), n,
                     n < 30 ? ", " : "");
    }
    buf_adds(&wish, "]}]}");
    json_decref(truth);
    control(wish.ptr);
    gather(&got, &(struct wish){.list = "7"});
    expect_truth("leaving hidden by joining", &got, "list=7");
    gathered_clear(&got);
}

static void goes_on_at_a_cursor(void **state)
{
    (void)state;
    for (int sql = 0; sql < 2; sql++) {
        struct gathered first, rest, other;
        control("{\"reset\": true}");
        gather(&first, &(struct wish){.list = "3", .second_list = "7", .sql = sql, .page_size = 1500, .stop_after = 3});
        assert_false(first.ended);
        size_t before = count_requests("/api/subscribers");
        gather(&rest,
               &(struct wish){.list = "3", .second_list = "7", .sql = sql, .page_size = 1500, .cursor = first.cursor});
        assert_true(rest.records < 2500);
        assert_int_equal(rest.restarts, 0);
        assert_true(count_requests("/api/subscribers") > before);
        json_object_update_missing(rest.people, first.people);
        expect_truth("gone on", &rest, "list=12");
        assert_true(json_object_size(rest.people) > 1800);
        /* another list: the cursor means nothing */
        gather(&other, &(struct wish){.list = "9", .sql = sql, .cursor = first.cursor});
        expect_all("stale cursor", &other, "list=9");
        assert_int_equal(other.restarts, 1);
        gathered_clear(&first);
        gathered_clear(&rest);
        gathered_clear(&other);
    }
}

static void changes_since(void **state)
{
    struct gathered got;
    (void)state;
    control("{\"reset\": true}");
    json_t *truth = ask("GET", "_people?list=7", NULL);
    const char *address;
    json_t *word;
    char ids[2][64];
    int n = 0;
    json_object_foreach(truth, address, word)
    {
        if (json_integer_value(word) == 0 && n < 2)
            snprintf(ids[n++], sizeof ids[0], "%s", address);
    }
    json_decref(truth);
    char wish[256];
    snprintf(wish, sizeof wish,
             "{\"changes\": [{\"after\": 0, \"do\": [[\"unsubscribe\", %d, 7], [\"blocklist\", %d], [\"add\", "
             "\"late@example.org\", "
             "7]]}]}",
             atoi(ids[0] + 1), atoi(ids[1] + 1));
    control(wish);
    gather(&got, &(struct wish){.list = "7", .sql = true, .since_ms = clock_now_ms(&clock_machine) - 1000});
    assert_string_equal(got.failure.text, "");
    assert_int_equal(json_object_size(got.people), 3);
    assert_int_equal(json_integer_value(json_object_get(got.people, ids[0])), CONSENT_NO);
    assert_int_equal(json_integer_value(json_object_get(got.people, ids[1])), CONSENT_NEVER);
    assert_int_equal(json_integer_value(json_object_get(got.people, "late@example.org")), CONSENT_YES);
    gathered_clear(&got);
}

/* Given up in every phase: while the list is asked for, while a page is on its way, on the pool, in hand. */
static void cancelled_at_any_time(void **state)
{
    (void)state;
    control("{\"reset\": true}");
    for (unsigned turns = 0; turns < 24; turns++) {
        struct gathered got = {.people = json_object()};
        struct error err = {0};
        const char *lists[] = {"7"};
        struct audience_settings settings = {.name = "fans",
                                             .source = AUDIENCE_LISTMONK,
                                             .url = fake_url,
                                             .username = "onsale",
                                             .token = "secret",
                                             .lists = {.at = lists, .count = 1},
                                             .page_size = 100,
                                             .sql = true};
        assert_int_equal(uv_loop_init(&got.loop), 0);
        got.alarms = alarms_new(&got.loop, &clock_machine, &err);
        got.fetcher = fetcher_new(&got.loop, &err);
        struct audience_parts parts = {
            .clock = &clock_machine, .alarms = got.alarms, .fetcher = got.fetcher, .uv_loop = &got.loop};
        got.audience = audience_listmonk_new(&settings, &parts, &err);
        got.read =
            got.audience->ops->read(got.audience, &(struct audience_question){.event_id = EVENT}, on_page, &got, &err);
        for (unsigned i = 0; i < turns && !got.ended; i++)
            uv_run(&got.loop, UV_RUN_ONCE);
        if (!got.ended) {
            got.audience->ops->cancel(got.read);
            got.audience->ops->free(got.audience);
            take_down(&got);
        } else
            got.audience->ops->free(got.audience);
        uv_run(&got.loop, UV_RUN_DEFAULT);
        assert_int_equal(uv_loop_close(&got.loop), 0);
        gathered_clear(&got);
    }
}

static void sample_pages(void **state)
{
    static const struct {
        const char *file, *yes;
        size_t records;
        const char *failure;
    } cases[] = {
        {"listmonk-subscribers-page.json", "ines.marchetti@example.org t.okafor@example.net żaneta.ó@example.pl ", 6,
         NULL},
        {"listmonk-subscribers-empty.json", "", 0, NULL},
        {"listmonk-subscribers-restricted-user.json", "", 0, "give the API user permission to read list 7"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char path[512];
        auto_buf struct buf yes;
        struct listmonk_page page;
        struct error err = {0};
        struct interest interest = {.event_id = EVENT};
        struct listmonk_list list = {7, true};
        snprintf(path, sizeof path, "%s/tests/samples/audience/%s", getenv("ONSALE_SOURCE"), cases[i].file);
        json_t *json = json_load_file(path, 0, NULL);
        assert_non_null(json);
        auto_free char *body = json_dumps(json, 0);
        json_decref(json);
        buf_init(&yes, 1024);
        buf_adds(&yes, "");
        int rc = listmonk_page_parse(text_of(body), &list, &interest, &page, &err);
        assert_int_equal(rc, cases[i].failure ? -1 : 0);
        if (cases[i].failure)
            assert_non_null(strstr(err.text, cases[i].failure));
        assert_int_equal(page.records.count, cases[i].records);
        for (size_t k = 0; k < page.records.count; k++)
            if (page.records.at[k].consent == CONSENT_YES)
                buf_addf(&yes, "%.*s ", TEXT_ARGS(page.records.at[k].address));
        assert_string_equal(yes.ptr, cases[i].yes);
        listmonk_page_clear(&page);
    }
}

/* Whatever is covered, the next window holds the last row of it and reaches beyond, and is no larger than allowed. */
static void windows_overlap(void **state)
{
    (void)state;
    for (int64_t most = 100; most <= 10000; most = most * 7 / 2) {
        int64_t covered = 0, requests = 0;
        for (; covered < 3000000; requests++) {
            struct listmonk_window window = listmonk_window_behind(covered, most);
            int64_t first = (window.page - 1) * window.size, end = window.page * window.size;
            if (window.size > most || window.size < 1 || (covered ? first >= covered : first != 0) || end <= covered)
                fail_msg("%lld covered, at most %lld: page %lld of %lld", (long long)covered, (long long)most,
                         (long long)window.page, (long long)window.size);
            covered = end;
        }
        assert_true(requests < 2 * 3000000 / most);
    }
    for (int64_t covered = 0; covered < 20000; covered++) {
        struct listmonk_window window = listmonk_window_behind(covered, 100);
        assert_true((window.page - 1) * window.size < (covered ? covered : 1));
        assert_true(window.page * window.size > covered);
        assert_true(window.size <= 100);
    }
}

static void settings_that_cannot_work(void **state)
{
    const char *seven[] = {"7"}, *name[] = {"fans"};
    const struct {
        struct audience_settings settings;
        const char *text;
    } cases[] = {
        {{.url = "ftp://x", .username = "u", .token = "t", .lists = {.at = seven, .count = 1}}, "`url`"},
        {{.username = "u", .token = "t", .lists = {.at = seven, .count = 1}}, "`url`"},
        {{.url = "http://x", .token = "t", .lists = {.at = seven, .count = 1}}, "`username` and `token`"},
        {{.url = "http://x", .username = "u", .lists = {.at = seven, .count = 1}}, "`username` and `token`"},
        {{.url = "http://x", .username = "u", .token = "t"}, "`lists` must name"},
        {{.url = "http://x", .username = "u", .token = "t", .lists = {.at = name, .count = 1}}, "found \"fans\""},
        {{.url = "http://x",
          .username = "u",
          .token = "t",
          .lists = {.at = seven, .count = 1},
          .interest.list_name = "fans"},
         "{event}"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = {0};
        struct audience_settings settings = cases[i].settings;
        settings.name = "fans";
        settings.source = AUDIENCE_LISTMONK;
        assert_null(audience_listmonk_new(&settings, &(struct audience_parts){0}, &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        if (!strstr(err.text, cases[i].text) || !text_starts(text_of(err.text), "audience fans: "))
            fail_msg("%s", err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sample_pages),
        cmocka_unit_test(windows_overlap),
        cmocka_unit_test(settings_that_cannot_work),
        cmocka_unit_test(everybody_is_judged),
        cmocka_unit_test(two_lists_are_two_passes),
        cmocka_unit_test(what_is_known_of_a_person),
        cmocka_unit_test(faults_that_pass),
        cmocka_unit_test(faults_that_stay),
        cmocka_unit_test(people_leave_while_we_read),
        cmocka_unit_test(leaving_hidden_by_joining),
        cmocka_unit_test(goes_on_at_a_cursor),
        cmocka_unit_test(changes_since),
        cmocka_unit_test(cancelled_at_any_time),
    };
    return cmocka_run_group_tests(tests, start_fake, stop_fake);
}
