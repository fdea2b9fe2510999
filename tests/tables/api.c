/* Requests to the API as the daemon understands them, and where it says that they are wrong. */
#include "api_request.h"
#include "table.h"

#include <string.h>

static const char *query_of(const void *ctx, const char *name)
{
    const char *const *pair = ctx; /* name, value, NULL */

    for (; *pair; pair += 2)
        if (strcmp(pair[0], name) == 0)
            return pair[1];
    return NULL;
}

static void routes(void **state)
{
    static const struct {
        const char *method, *path;
        int status; /* 0: found */
        enum api_operation operation;
        int64_t notice;
        const char *allow;
    } cases[] = {
        {"GET", "/api/v1/status", 0, API_STATUS, 0, ""},
        {"GET", "/api/v1/notices/17/people", 0, API_PEOPLE, 17, ""},
        {"POST", "/api/v1/notices/9223372036854775807/hold", 0, API_HOLD, INT64_MAX, ""},
        {"GET", "/api/v1/suppressions", 0, API_SUPPRESSIONS, 0, ""},
        {"POST", "/api/v1/suppressions", 0, API_SUPPRESS_ALL, 0, ""},
        {"GET", "/api/v1/notices/17/hold", 405, 0, 0, "POST"},
        {"POST", "/api/v1/status", 405, 0, 0, "GET, HEAD"},
        {"PUT", "/api/v1/suppressions", 405, 0, 0, "GET, HEAD, POST"},
        {"get", "/api/v1/status", 405, 0, 0, "GET, HEAD"},
        {"GET", "/api/v1/notices/0", 404, 0, 0, ""},
        {"GET", "/api/v1/notices/9223372036854775808", 404, 0, 0, ""},
        {"GET", "/api/v1/notices/-1", 404, 0, 0, ""},
        {"GET", "/api/v1/notices/+1", 404, 0, 0, ""},
        {"GET", "/api/v1/notices/ID", 404, 0, 0, ""},
        {"GET", "/api/v1/notices/1/", 404, 0, 0, ""},
        {"GET", "/api/v1/", 404, 0, 0, ""},
        {"GET", "/api/v2/status", 404, 0, 0, ""},
        {"GET", "/api/v1/statuses", 404, 0, 0, ""},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct api_request request;
        struct api_fault fault;
        struct error err = {0};
        int rc = api_route_read(cases[i].method, cases[i].path, &request, &fault, &err);
        if ((rc < 0 ? fault.status : 0) != cases[i].status || strcmp(fault.allow, cases[i].allow) != 0)
            fail_msg("%s %s: %d, allow \"%s\"", cases[i].method, cases[i].path, fault.status, fault.allow);
        if (rc == 0 && (request.operation != cases[i].operation || request.notice != cases[i].notice))
            fail_msg("%s %s: another operation", cases[i].method, cases[i].path);
    }
}

static void arguments(void **state)
{
    static const struct {
        const char *method, *path, *body;
        const char *query[5];
        const char *says;          /* NULL: it is fine */
        const char *field, *wrong; /* of the body, or of the query */
    } cases[] = {
        {"POST", "why", "{\"address\": \"a@b.example\"}", {0}, NULL, NULL, NULL},
        {"POST", "why", "{\"address\": 1}", {0}, "address: expected a text", "address", NULL},
        {"POST", "why", "{\"address\": \"a\"}", {0}, "address: ", "address", NULL},
        {"POST", "why", "{\"adress\": \"a\"}", {0}, "unknown key \"adress\"", "adress", NULL},
        {"POST", "why", NULL, {0}, "address: ", "address", NULL},
        {"POST", "why", "[]", {0}, "not a JSON object", NULL, NULL},
        {"POST", "preview", "{\"rule\": \"r\", \"notice\": 0}", {0}, "notice: ", "notice", NULL},
        {"POST", "preview", "{}", {0}, "rule: ", "rule", NULL},
        {"POST", "send-test", "{\"rule\": \"r\"}", {0}, "to: ", "to", NULL},
        {"POST", "pause", "{\"target\": \"notice:0\"}", {0}, "target: ", "target", NULL},
        {"POST", "notices/1/retry", "{\"refused\": 1000}", {0}, "refused: ", "refused", NULL},
        {"POST", "notices/1/retry", "{\"withheld\": \"tired\"}", {0}, "tired", "withheld", NULL},
        {"GET", "notices", NULL, {"limit", "10000", "cursor", "n17"}, NULL, NULL, NULL},
        {"GET", "notices", NULL, {"limit", "10001"}, "limit: ", NULL, "limit"},
        {"GET", "notices", NULL, {"limit", ""}, "limit: ", NULL, "limit"},
        {"GET", "notices", NULL, {"cursor", "o17"}, "cursor: ", NULL, "cursor"},
        {"GET", "notices", NULL, {"cursor", "n-1"}, "cursor: ", NULL, "cursor"},
        {"GET", "notices/1/people", NULL, {"state", "in_doubt", "cursor", "p9"}, NULL, NULL, NULL},
        {"GET", "notices/1/people", NULL, {"state", "in doubt"}, "state: ", NULL, "state"},
        {"GET", "status", "{\"a\": 1}", {0}, "unknown key", "a", NULL},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct api_request request;
        struct api_fault fault;
        struct error err = {0};
        char path[128];
        json_t *body = cases[i].body ? json_loads(cases[i].body, 0, NULL) : NULL;
        snprintf(path, sizeof path, "/api/v1/%s", cases[i].path);
        assert_int_equal(api_route_read(cases[i].method, path, &request, &fault, &err), 0);
        int rc = api_arguments_read(body, query_of, cases[i].query, &request, &fault, &err);
        if ((rc < 0) != (cases[i].says != NULL) || (rc < 0 && !strstr(err.text, cases[i].says)))
            fail_msg("case %zu, %s: %s", i, path, err.text);
        if (rc < 0 && (strcmp(fault.field ? fault.field : "", cases[i].field ? cases[i].field : "") != 0 ||
                       strcmp(fault.query ? fault.query : "", cases[i].wrong ? cases[i].wrong : "") != 0))
            fail_msg("case %zu, %s: not at %s", i, path, fault.field ? fault.field : "any field");
        json_decref(body);
    }
}

/* What a row gives is taken, and leads behind that row. */
static void cursors(void **state)
{
    json_t *row = json_pack("{s:I, s:I, s:s, s:s, s:s}", "id", (json_int_t)17, "seq", (json_int_t)4711, "at",
                            "2027-03-26T08:00:00.000Z", "key", "00112233445566778899aabbccddeeff", "scope", "fans");
    static const struct {
        enum api_listing listing;
        int64_t after;
        const char *behind;
    } cases[] = {
        {API_LIST_OPENINGS, 17, ""},
        {API_LIST_NOTICES, 17, ""},
        {API_LIST_PEOPLE, 4711, ""},
        {API_LIST_SUPPRESSIONS, 0, "2027-03-26T08:00:00.000Z 00112233445566778899aabbccddeeff fans"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf cursor;
        struct api_page page;
        struct error err = {0};
        const char *wrong;
        buf_init(&cursor, 1024);
        buf_add_cursor(&cursor, cases[i].listing, row);
        assert_int_equal(strspn(cursor.ptr, "abcdefghijklmnopqrstuvwxyzTZ0123456789-:.~_"), cursor.len);
        assert_int_equal(api_page_read(cases[i].listing, "5", cursor.ptr, &page, &wrong, &err), 0);
        assert_int_equal(page.limit, 5);
        assert_int_equal(page.after, cases[i].after);
        assert_string_equal(page.behind, cases[i].behind);
        for (size_t k = 0; k < ARRAY_LEN(cases); k++)
            assert_int_equal(api_page_read(cases[k].listing, NULL, cursor.ptr, &page, &wrong, &err), k == i ? 0 : -1);
        buf_addc(&cursor, '"');
        assert_int_equal(api_page_read(cases[i].listing, NULL, cursor.ptr, &page, &wrong, &err), -1);
        assert_string_equal(wrong, "cursor");
    }
    json_decref(row);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(routes), cmocka_unit_test(arguments),
                                       cmocka_unit_test(cursors)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
