/* listmonk_leave.c - one person is taken off an audience's lists in listmonk. They are looked for, unsubscribed, and
 * looked for again: an API user without the permission to manage a list is told "true", and nothing has changed.
 * Whoever is found unsubscribed already is left alone, so that the same again costs one question. */
#include "audience/listmonk.h"
#include "audience/listmonk_page.h"
#include "audience/listmonk_request.h"

#include <jansson.h>
#include <string.h>

enum { ANSWER_MAX = 8 * 1024 * 1024 }; /* some people with long attributes */

struct audience_leave {
    struct listmonk *listmonk;
    char *address, *uuid;
    bool by_uuid;         /* asked for now; then by address: who was added anew has another uuid */
    bool by_condition;    /* an address may stand in one */
    struct fetch *fetch;  /* the one request in flight, or NULL */
    bool changed;         /* listmonk took the change of the person asked for */
    bool known;           /* somebody was found */
    struct alarm failing; /* the transfer could not even begin: told from the loop */
    struct error refused;
    audience_left_fn *done;
    void *ctx;
};

static void request_person(struct audience_leave *leave);
static void on_person(void *ctx, const struct fetch_result *result);
static void request_change(struct audience_leave *leave, int64_t id);
static void on_change(void *ctx, const struct fetch_result *result);

static void leave_free(struct audience_leave *leave)
{
    fetch_cancel(&leave->fetch);
    alarm_off(&leave->failing);
    free(leave->address);
    free(leave->uuid);
    free(leave);
}

/* Last: nobody is left. */
static void tell(struct audience_leave *leave, int64_t retry_after_ms, const struct error *failure)
{
    struct audience_left result = {
        .failure = failure, .retry_after_ms = retry_after_ms, .unknown = !failure && !leave->known};
    audience_left_fn *done = leave->done;
    void *ctx = leave->ctx;

    leave_free(leave);
    done(ctx, &result);
}

static void ring_failing(void *ctx)
{
    struct audience_leave *leave = ctx;
    struct error refused = leave->refused;

    tell(leave, -1, &refused);
}

static void start_fetch(struct audience_leave *leave, const char *method, const struct buf *url, struct text body,
                        fetch_done_fn *done)
{
    struct listmonk *listmonk = leave->listmonk;
    struct fetch_header headers[] = {
        {"Authorization", listmonk->authorization.ptr},
        {"Accept", "application/json"},
        {"Content-Type", "application/json"},
    };
    struct fetch_spec spec = {
        .method = method,
        .url = url->ptr,
        .headers = headers,
        .header_count = ARRAY_LEN(headers) - (body.len == 0),
        .body = body,
        .body_limit = ANSWER_MAX,
        .timeout_ms = listmonk->audience.settings->timeout_ms,
        .to = "audience",
        .name = listmonk->audience.settings->name,
    };

    leave->refused = (struct error){0};
    if (!buf_failed(url))
        leave->fetch = fetch_start(listmonk->parts.fetcher, &spec, done, leave, &leave->refused);
    else
        error_set(&leave->refused, ERROR_CONFIG, "the address is too long to ask for");
    if (!leave->fetch)
        alarm_set(listmonk->parts.alarms, &leave->failing, clock_now_ms(listmonk->parts.clock), ring_failing, leave);
}

static void request_person(struct audience_leave *leave)
{
    auto_buf struct buf url;

    buf_init(&url, 8192);
    buf_adds(&url, leave->listmonk->base.ptr);
    if (leave->by_uuid)
        listmonk_add_where_uuid(&url, text_of(leave->uuid));
    else if (leave->by_condition)
        listmonk_add_where_address(&url, text_of(leave->address));
    else
        listmonk_add_search(&url, text_of(leave->address));
    start_fetch(leave, "GET", &url, TEXT(""), on_person);
}

static void look_by_address(struct audience_leave *leave)
{
    leave->by_uuid = leave->changed = false;
    request_person(leave);
}

static void on_person(void *ctx, const struct fetch_result *result)
{
    struct audience_leave *leave = ctx;
    const struct listmonk *listmonk = leave->listmonk;
    struct listmonk_person person;
    struct error err = {0};

    leave->fetch = NULL;
    if (listmonk_check_answer(result, leave->by_uuid || leave->by_condition, &err) < 0 ||
        listmonk_person_parse(result->body, text_of(leave->by_uuid ? leave->uuid : ""), text_of(leave->address),
                              listmonk->lists, listmonk->list_count, &person, &err) < 0) {
        tell(leave, result->retry_after_ms, &err);
        return;
    }
    leave->known |= person.id > 0;
    if (!person.on_list && leave->by_uuid) {
        look_by_address(leave);
    } else if (!person.on_list) {
        tell(leave, -1, NULL);
    } else if (leave->changed) {
        error_set(
            &err, ERROR_CONFIG,
            "it took the change, but the person is still on list %lld: give the API user permission to manage that "
            "list",
            (long long)person.on_list);
        tell(leave, -1, &err);
    } else {
        request_change(leave, person.id);
    }
}

static void request_change(struct audience_leave *leave, int64_t id)
{
    const struct listmonk *listmonk = leave->listmonk;
    auto_buf struct buf url, body;

    buf_init(&url, 4096);
    buf_init(&body, 64 * 1024);
    buf_addf(&url, "%s/api/subscribers/lists", listmonk->base.ptr);
    buf_addf(&body, "{\"ids\":[%lld],\"action\":\"unsubscribe\",\"target_list_ids\":[", (long long)id);
    for (size_t i = 0; i < listmonk->list_count; i++)
        buf_addf(&body, "%s%lld", i ? "," : "", (long long)listmonk->lists[i]);
    buf_adds(&body, "]}");
    start_fetch(leave, "PUT", &url, buf_text(&body), on_change);
}

static int check_change(const struct fetch_result *result, struct error *err)
{
    char message[120];

    if (result->failure || result->status == 200 || result->status == 408 || result->status == 429 ||
        result->status >= 500)
        return listmonk_check_answer(result, false, err);
    listmonk_message(result->body, message);
    return error_set(err, ERROR_CONFIG,
                     "it answered %d%s%s; give the API user the permission subscribers:manage, and to manage the lists",
                     result->status, message[0] ? ": " : "", message);
}

static void on_change(void *ctx, const struct fetch_result *result)
{
    struct audience_leave *leave = ctx;
    struct error err = {0};

    leave->fetch = NULL;
    if (check_change(result, &err) < 0) {
        tell(leave, result->retry_after_ms, &err);
        return;
    }
    leave->changed = true;
    request_person(leave);
}

struct audience_leave *listmonk_unsubscribe(struct audience *audience, const struct audience_person *who,
                                            audience_left_fn *done, void *ctx)
{
    struct audience_leave *leave = must_calloc(1, sizeof *leave);

    leave->listmonk = (struct listmonk *)audience;
    leave->address = text_dup(who->address);
    leave->uuid = text_dup(who->source_id);
    leave->by_uuid = audience->settings->sql && listmonk_is_uuid(who->source_id);
    leave->by_condition = audience->settings->sql && listmonk_is_plain(who->address);
    leave->done = done;
    leave->ctx = ctx;
    request_person(leave);
    return leave;
}

void listmonk_unsubscribe_cancel(struct audience_leave **leave)
{
    if (*leave)
        leave_free(*leave);
    *leave = NULL;
}
