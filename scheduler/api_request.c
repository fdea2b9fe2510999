#include "api_request.h"

#include "private_feeds.h"

#include <string.h>

enum { TEXT_MAX = 1000, LIST_MAX = 16 }; /* bytes of one text of a body; texts of one list */

const struct api_route api_routes[API_OPERATIONS] = {
    [API_STATUS] = {"GET", "status", "", "", true},
    [API_OPENINGS] = {"GET", "openings", "", "limit cursor", true},
    [API_NOTICES] = {"GET", "notices", "", "limit cursor", true},
    [API_SHOW] = {"GET", "notices/ID", "", "", true},
    [API_PEOPLE] = {"GET", "notices/ID/people", "", "state limit cursor", true},
    [API_AUDIT] = {"GET", "audit", "", "", true},
    [API_BACKUP] = {"GET", "backup", "", "", false},
    [API_SUPPRESSIONS] = {"GET", "suppressions", "", "limit cursor", true},
    [API_WHY] = {"POST", "why", "address:s key:s event:s", "", true},
    [API_EXPORT] = {"POST", "export", "address:s"},
    [API_HOLD] = {"POST", "notices/ID/hold", ""},
    [API_RELEASE] = {"POST", "notices/ID/release", "anyway:b"},
    [API_CANCEL] = {"POST", "notices/ID/cancel", ""},
    [API_AGAIN] = {"POST", "notices/ID/again", ""},
    [API_RETRY] = {"POST", "notices/ID/retry", "refused:i in_doubt:b withheld:s"},
    [API_PAUSE] = {"POST", "pause", "target:s"},
    [API_RESUME] = {"POST", "resume", "target:s this_is_the_one:b"},
    [API_SUPPRESS] = {"POST", "suppress", "address:s audience:s reason:s"},
    [API_UNSUPPRESS] = {"POST", "unsuppress", "address:s audience:s"},
    [API_BOUNCES] = {"POST", "bounces", "tokens:l address:s key:s kind:s status:s text:s"},
    [API_SUPPRESS_ALL] = {"POST", "suppressions", "entries:a check:b"},
    [API_ERASE] = {"POST", "erase", "address:s"},
    [API_SEND_TEST] = {"POST", "send-test", "rule:s to:s"},
    [API_PREVIEW] = {"POST", "preview", "rule:s notice:i subscriber:s language:s", "", true},
    [API_SYNC] = {"POST", "sync", ""},
    [API_WEBHOOKS] = {"GET", "webhooks", "", "", true},
    [API_WEBHOOK_TEST] = {"POST", "webhooks/test", "name:s"},
    [API_WEBHOOK_ENABLE] = {"POST", "webhooks/enable", "name:s"},
    [API_FEEDS] = {"GET", "feeds", "", "limit cursor", true},
    [API_FEEDS_ADD] = {"POST", "feeds", "name:s site:s event:s"},
    [API_FEEDS_ROTATE] = {"POST", "feeds/rotate", "name:s"},
    [API_FEEDS_REVOKE] = {"POST", "feeds/revoke", "name:s"},
    [API_EVENTS] = {"GET", "events", "", "types notice last_event_id", true},
};

/* --- The path -------------------------------------------------------------------------------------------------------
 */

static bool path_fits(struct text path, const char *pattern, struct text *id)
{
    struct text rest = text_of(pattern);

    if (path.len > 0 && path.ptr[path.len - 1] == '/')
        return false;
    while (rest.len > 0 && path.len > 0) {
        struct text want = text_cut(&rest, '/'), got = text_cut(&path, '/');
        if (text_is(want, "ID"))
            *id = got;
        else if (!text_equal(want, got))
            return false;
        if ((rest.len == 0) != (path.len == 0))
            return false;
    }
    return rest.len == 0 && path.len == 0;
}

/* GET is there with HEAD. */
static void add_allowed(struct api_fault *fault, const char *method)
{
    size_t len = strlen(fault->allow);

    snprintf(fault->allow + len, sizeof fault->allow - len, "%s%s%s", len ? ", " : "", method,
             strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

static int find_route(const char *method, struct text path, struct api_request *out, struct api_fault *fault,
                      struct error *err)
{
    for (enum api_operation i = 0; i < API_OPERATIONS; i++) {
        struct text id = {0};
        if (!path_fits(path, api_routes[i].path, &id))
            continue;
        if (strcmp(api_routes[i].method, method) != 0) {
            add_allowed(fault, api_routes[i].method);
            continue;
        }
        if (id.ptr && parse_i64(id, 1, INT64_MAX, &out->notice, NULL) < 0) {
            fault->status = 404;
            return error_set(err, ERROR_REFUSED, "a notice is a number, found \"%.*s\"",
                             TEXT_ARGS(text_slice(id, 0, 40)));
        }
        out->operation = i;
        fault->allow[0] = '\0';
        return 0;
    }
    fault->status = *fault->allow ? 405 : 404;
    if (*fault->allow)
        return error_set(err, ERROR_REFUSED, "not by %.20s: what tells is asked by GET, what steers by POST", method);
    return error_set(err, ERROR_REFUSED, "there is no such operation; /api/openapi.json lists those there are");
}

/* --- The body -------------------------------------------------------------------------------------------------------
 */

static const char *type_name(char type)
{
    return type == 's'   ? "a text"
           : type == 'b' ? "true or false"
           : type == 'l' ? "a list of texts"
           : type == 'a' ? "a list"
                         : "a whole number";
}

static bool is_list(const json_t *value)
{
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!json_is_string(json_array_get(value, i)))
            return false;
    return json_is_array(value) && json_array_size(value) <= LIST_MAX;
}

static bool type_fits(const json_t *value, char type)
{
    if (type == 'l')
        return is_list(value);
    return type == 's'   ? json_is_string(value)
           : type == 'b' ? json_is_boolean(value)
           : type == 'a' ? json_is_array(value)
                         : json_is_integer(value);
}

/* The type letter of a field, or 0. */
static char field_type(const char *fields, const char *name)
{
    struct text rest = text_of(fields);

    while (rest.len > 0) {
        struct text type = text_cut(&rest, ' ');
        if (text_is(text_cut(&type, ':'), name))
            return type.ptr[0];
    }
    return 0;
}

static int check_body(const json_t *body, const char *fields, struct api_fault *fault, struct error *err)
{
    const char *name;
    json_t *value;

    if (body && !json_is_object(body))
        return error_set(err, ERROR_REFUSED, "the body is not a JSON object");
    json_object_foreach((json_t *)(uintptr_t)body, name, value)
    {
        char type = field_type(fields, name);
        fault->field = name;
        if (!type)
            return error_set(err, ERROR_REFUSED, "unknown key \"%.40s\"", name);
        if (!type_fits(value, type))
            return error_set(err, ERROR_REFUSED, "%s: expected %s", name, type_name(type));
        if (type == 's' && strlen(json_string_value(value)) > TEXT_MAX)
            return error_set(err, ERROR_REFUSED, "%s: expected at most %d bytes", name, TEXT_MAX);
    }
    fault->field = NULL;
    return 0;
}

static const char *text_in(const json_t *body, const char *key)
{
    const char *text = json_string_value(json_object_get(body, key));

    return text ? text : "";
}

static int read_address(const json_t *body, const char *key, struct api_request *out, struct api_fault *fault,
                        struct error *err)
{
    fault->field = key;
    out->shown = text_in(body, key);
    if (address_parse(text_of(out->shown), &out->address, err) == 0)
        return 0;
    return error_at(err, "%s", key);
}

/* An address, or the key that is left of somebody who is erased. */
static int read_who(const json_t *body, struct api_request *out, struct api_fault *fault, struct error *err)
{
    const char *key = text_in(body, "key");

    if (!*key)
        return read_address(body, "address", out, fault, err);
    fault->field = "key";
    if (json_object_get(body, "address"))
        return error_set(err, ERROR_REFUSED, "key: not beside an address");
    if (text_unhex(text_of(key), out->key, sizeof out->key))
        return 0;
    return error_set(err, ERROR_REFUSED, "key: expected %d hexadecimal digits", 2 * PERSON_KEY_SIZE);
}

static int read_retry(const json_t *body, struct api_request *out, struct api_fault *fault, struct error *err)
{
    const json_t *refused = json_object_get(body, "refused"), *in_doubt = json_object_get(body, "in_doubt");
    const char *reason = text_in(body, "withheld");

    if ((refused != NULL) + json_is_true(in_doubt) + (*reason != '\0') != 1)
        return error_set(err, ERROR_REFUSED, "say whom: refused with a code, in_doubt, or withheld with a reason");
    fault->field = refused ? "refused" : "withheld";
    if (refused) {
        json_int_t code = json_integer_value(refused);
        if (code < 0 || code > 999)
            return error_set(err, ERROR_REFUSED, "refused: expected a code from 0 (any) to 999");
        out->fate = FATE_REFUSED;
        out->code = (int)code;
        return 0;
    }
    out->fate = *reason ? FATE_WITHHELD : FATE_IN_DOUBT;
    for (enum withheld i = WITHHELD_NONE + 1; *reason && i < WITHHELD_REASONS; i++)
        if (strcmp(withheld_name(i), reason) == 0)
            out->withheld = i;
    if (!*reason || out->withheld)
        return 0;
    return error_set(err, ERROR_REFUSED, "nobody is ever withheld for \"%.40s\"; `onsale show` lists the reasons",
                     reason);
}

static int read_rule(const json_t *body, struct api_request *out, struct api_fault *fault, struct error *err)
{
    fault->field = "rule";
    out->rule = text_in(body, "rule");
    return *out->rule ? 0 : error_set(err, ERROR_REFUSED, "rule: expected the name of one");
}

static int read_name(const struct api_request *out, struct api_fault *fault, struct error *err)
{
    fault->field = "name";
    return *out->name ? 0 : error_set(err, ERROR_REFUSED, "name: expected that of a webhook");
}

/* Of a notice, or of a sample; as one of its people, or as a sample. */
static int read_preview(const json_t *body, struct api_request *out, struct api_fault *fault, struct error *err)
{
    const json_t *notice = json_object_get(body, "notice");

    if (read_rule(body, out, fault, err) < 0)
        return -1;
    fault->field = "notice";
    out->notice = json_integer_value(notice);
    if (notice && out->notice < 1)
        return error_set(err, ERROR_REFUSED, "notice: expected a number from 1");
    return json_object_get(body, "subscriber") ? read_address(body, "subscriber", out, fault, err) : 0;
}

/* About whom: tokens of our messages, an address, or a key as lists of suppressions show it. */
static int read_bounce(const json_t *body, struct api_request *out, struct api_fault *fault, struct error *err)
{
    bool tokens = json_object_get(body, "tokens"), address = json_object_get(body, "address"),
         key = json_object_get(body, "key");

    out->status = text_in(body, "status");
    out->text = text_in(body, "text");
    out->feedback = feedback_by_name(text_in(body, "kind"));
    fault->field = "kind";
    if (!out->feedback)
        return error_set(err, ERROR_REFUSED, "kind: expected hard, soft, policy or complaint");
    fault->field = "status";
    if (strlen(out->status) > 11 || strspn(out->status, "0123456789.") != strlen(out->status))
        return error_set(err, ERROR_REFUSED, "status: expected one such as 5.1.1");
    fault->field = "key";
    if (tokens + address + key != 1)
        return error_set(err, ERROR_REFUSED, "say whom it is about: tokens, an address or a key");
    if (key && !text_unhex(text_of(text_in(body, "key")), out->key, sizeof out->key))
        return error_set(err, ERROR_REFUSED, "key: expected %d hexadecimal digits", 2 * PERSON_KEY_SIZE);
    return address ? read_address(body, "address", out, fault, err) : 0;
}

static int read_feed(struct api_request *out, struct api_fault *fault, struct error *err)
{
    fault->field = "name";
    if (private_feed_check_name(text_of(out->name), err) < 0)
        return -1;
    fault->field = "site";
    if (out->operation == API_FEEDS_ADD && !*out->site)
        return error_set(err, ERROR_REFUSED, "site: expected the name of one");
    return 0;
}

static int read_entries(const json_t *body, struct api_fault *fault, struct error *err)
{
    const json_t *entries = json_object_get(body, "entries");

    fault->field = "entries";
    if (!entries)
        return error_set(err, ERROR_REFUSED, "entries: missing");
    if (json_array_size(entries) > API_ENTRIES_MAX)
        return error_set(err, ERROR_REFUSED, "entries: expected at most %d", API_ENTRIES_MAX);
    return 0;
}

static int read_target(const json_t *body, struct api_request *out, struct api_fault *fault, struct error *err)
{
    static const char notice[] = "notice:", notifier[] = "notifier:";
    struct text target = text_of(text_in(body, "target"));

    fault->field = "target";
    out->target = text_in(body, "target");
    if (target.len == 0)
        return 0;
    if (text_starts(target, notice)) {
        if (parse_i64(text_slice(target, strlen(notice), target.len), 1, INT64_MAX, &out->target_notice, err) == 0)
            return 0;
        return error_at(err, "target");
    }
    if (!text_starts(target, notifier))
        return error_set(err, ERROR_REFUSED, "target: expected \"\" (everything), notice:ID or notifier:NAME");
    out->target_notifier = out->target + strlen(notifier);
    return 0;
}

static int read_fields(const json_t *body, struct api_request *out, struct api_fault *fault, struct error *err)
{
    out->event = text_in(body, "event");
    out->audience = text_in(body, "audience");
    out->reason = text_in(body, "reason");
    out->language = text_in(body, "language");
    out->site = text_in(body, "site");
    out->name = text_in(body, "name");
    out->anyway = json_is_true(json_object_get(body, "anyway"));
    out->this_is_the_one = json_is_true(json_object_get(body, "this_is_the_one"));
    switch (out->operation) {
    case API_WHY:
        return read_who(body, out, fault, err);
    case API_EXPORT:
    case API_SUPPRESS:
    case API_UNSUPPRESS:
    case API_ERASE:
        return read_address(body, "address", out, fault, err);
    case API_SEND_TEST:
        return read_rule(body, out, fault, err) < 0 ? -1 : read_address(body, "to", out, fault, err);
    case API_SUPPRESS_ALL:
        return read_entries(body, fault, err);
    case API_BOUNCES:
        return read_bounce(body, out, fault, err);
    case API_WEBHOOK_TEST:
    case API_WEBHOOK_ENABLE:
        return read_name(out, fault, err);
    case API_PREVIEW:
        return read_preview(body, out, fault, err);
    case API_FEEDS_ADD:
    case API_FEEDS_ROTATE:
    case API_FEEDS_REVOKE:
        return read_feed(out, fault, err);
    case API_RETRY:
        return read_retry(body, out, fault, err);
    case API_PAUSE:
    case API_RESUME:
        return read_target(body, out, fault, err);
    default:
        return 0;
    }
}

int api_route_read(const char *method, const char *path, struct api_request *out, struct api_fault *fault,
                   struct error *err)
{
    static const char root[] = "/api/v1/";
    struct text rest = text_of(path);

    *out = (struct api_request){.who = "", .shown = "", .rule = "", .target = ""};
    *fault = (struct api_fault){.status = 404};
    if (!text_starts(rest, root))
        return error_set(err, ERROR_REFUSED, "the API is under /api/v1/");
    return find_route(method, text_slice(rest, strlen(root), rest.len), out, fault, err);
}

/* --- The query ------------------------------------------------------------------------------------------------------
 */

static bool has_query(const struct api_route *route, const char *name)
{
    struct text rest = text_of(route->query);

    while (rest.len > 0)
        if (text_is(text_cut(&rest, ' '), name))
            return true;
    return false;
}

static int read_state(const char *state, struct api_request *out, struct error *err)
{
    static const char *const states[] = {"waiting", "claimed", "accepted", "refused", "in_doubt", "withheld"};

    for (size_t i = 0; state && i < ARRAY_LEN(states); i++)
        if (strcmp(states[i], state) == 0)
            out->state = states[i];
    if (!state || out->state)
        return 0;
    return error_set(err, ERROR_REFUSED, "state: expected waiting, claimed, accepted, refused, in_doubt or withheld");
}

static enum api_listing listing_of(enum api_operation operation)
{
    return operation == API_OPENINGS  ? API_LIST_OPENINGS
           : operation == API_NOTICES ? API_LIST_NOTICES
           : operation == API_PEOPLE  ? API_LIST_PEOPLE
           : operation == API_FEEDS   ? API_LIST_FEEDS
                                      : API_LIST_SUPPRESSIONS;
}

static int read_query(api_query_fn *query, const void *ctx, struct api_request *out, struct api_fault *fault,
                      struct error *err)
{
    const struct api_route *route = &api_routes[out->operation];

    fault->query = "state";
    if (has_query(route, "state") && read_state(query(ctx, "state"), out, err) < 0)
        return -1;
    fault->query = NULL;
    if (!has_query(route, "cursor"))
        return 0;
    return api_page_read(listing_of(out->operation), query(ctx, "limit"), query(ctx, "cursor"), &out->page,
                         &fault->query, err);
}

int api_arguments_read(json_t *body, api_query_fn *query, const void *ctx, struct api_request *out,
                       struct api_fault *fault, struct error *err)
{
    fault->status = 400;
    out->body = body;
    if (read_query(query, ctx, out, fault, err) < 0 ||
        check_body(body, api_routes[out->operation].fields, fault, err) < 0)
        return -1;
    return read_fields(body, out, fault, err);
}
