/* A request to the API: the first line is "METHOD PATH?QUERY", the second the Authorization header, the rest is the
 * body. */
#include "api_request.h"
#include "auth.h"

#include <string.h>

/* "limit=10&cursor=n17", not decoded: any text is a value. */
static const char *query_of(const void *ctx, const char *name)
{
    struct text rest = *(const struct text *)ctx;
    static char value[4096];

    while (rest.len > 0) {
        struct text part = text_cut(&rest, '&');
        if (text_is(text_cut(&part, '='), name)) {
            snprintf(value, sizeof value, "%.*s", TEXT_ARGS(part));
            return value;
        }
    }
    return NULL;
}

static void check_page(const struct api_request *request, struct text query)
{
    const char *cursor = query_of(&query, "cursor");
    int64_t number;

    if (request->page.limit < 1 || request->page.limit > API_PAGE_MAX || request->page.after < 0)
        abort();
    if (!cursor || !*cursor || *request->page.behind)
        return;
    if (parse_i64(text_of(cursor + 1), 0, INT64_MAX, &number, NULL) < 0 || number != request->page.after)
        abort();
}

static void check_auth(const char *authorization)
{
    static struct http_token tokens[] = {{.name = "a", .token = "aaaaaaaaaaaaaaaaaaaaaaaa", .scope = TOKEN_READ}};
    struct server_call call = {.who = "192.0.2.7", .authorization = authorization};
    char who[AUTH_WHO_SIZE];
    struct error err = {0};
    struct auth *auth = auth_new(&clock_machine, NULL, &err);

    auth_set_tokens(auth, tokens, 1);
    bool ours = strstr(authorization, tokens[0].token) != NULL;
    if (auth_judge(auth, &call, TOKEN_CONTROL, who) == AUTH_FINE)
        abort();
    if (auth_judge(auth, &call, TOKEN_READ, who) == AUTH_FINE && !ours)
        abort();
    auth_free(auth);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text rest = {(const char *)data, size}, line = text_cut(&rest, '\n'), second = text_cut(&rest, '\n');
    struct text verb = text_cut(&line, ' '), where = text_cut(&line, '?'), query = line;
    auto_free char *method = text_dup(verb), *path = text_dup(where), *authorization = text_dup(second);
    json_t *body = rest.len ? json_loadb(rest.ptr, rest.len, JSON_REJECT_DUPLICATES, NULL) : NULL;
    struct api_request request;
    struct api_fault fault;
    struct error err = {0};

    int rc = api_route_read(method, path, &request, &fault, &err);
    if (rc < 0
            ? (fault.status != 404 && fault.status != 405) || !*err.text || (fault.status == 405) != (*fault.allow != 0)
            : request.operation >= API_OPERATIONS)
        abort();
    if (rc == 0) {
        rc = api_arguments_read(body, query_of, &query, &request, &fault, &err);
        if (rc < 0 && (fault.status != 400 || !*err.text))
            abort();
        if (rc == 0 && request.operation == API_RETRY && request.fate == FATE_WITHHELD && !request.withheld)
            abort();
        if (rc == 0 && request.page.limit)
            check_page(&request, query);
    }
    check_auth(authorization);
    json_decref(body);
    return 0;
}
