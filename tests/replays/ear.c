#include "ear.h"

#include <string.h>

struct ear_call {
    struct ear *ear;
    fetch_done_fn *done;
    void *ctx;
    char id[64];
    int64_t answer_at_ms; /* by the machine's clock */
    struct alarm alarm;
    struct ear_call *next;
};

static void complain(struct ear *ear, const char *what, const char *body)
{
    if (!*ear->complaint)
        snprintf(ear->complaint, sizeof ear->complaint, "webhook: %s: %s", what, body);
}

static const char *word(const json_t *object, const char *key)
{
    const char *found = json_string_value(json_object_get(object, key));

    return found ? found : "";
}

/* --- What is said ------------------------------------------------------------------------------------------------- */

static bool was_said(const json_t *types, const char *type)
{
    size_t i;
    json_t *said;

    json_array_foreach(types, i, said) if (strcmp(json_string_value(said), type) == 0) return true;
    return false;
}

static void hear_of_notice(struct ear *ear, const char *type, const json_t *data, const char *body)
{
    char key[24];

    snprintf(key, sizeof key, "%lld", (long long)json_integer_value(json_object_get(data, "notice_id")));
    json_t *types = json_object_get(ear->notices, key);
    if (!types)
        json_object_set_new(ear->notices, key, types = json_array());
    if (strcmp(type, "notice.done") == 0 && !was_said(types, "notice.started"))
        complain(ear, "done before it was started", body);
    if (strcmp(type, "notice.missed") == 0 && was_said(types, "notice.done"))
        complain(ear, "missed after it was done", body);
    if (strcmp(type, "notice.started") == 0 && (was_said(types, "notice.missed") || was_said(types, "notice.done")))
        complain(ear, "started when it was over", body);
    json_array_append_new(types, json_string(type));
}

/* By the clock of who tells: who withdraws what has opened already tells nobody. */
static bool was_ahead(const struct ear *ear, const char *opening, const char *body)
{
    const json_t *last = json_object_get(ear->openings, opening);
    json_t *now = json_loads(body, 0, NULL);
    bool ahead = strcmp(word(last, "opens_at"), word(now, "timestamp")) > 0;

    json_decref(now);
    return ahead;
}

static void hear_of_opening(struct ear *ear, const char *type, const json_t *data, const char *body)
{
    char key[24];

    snprintf(key, sizeof key, "%lld", (long long)json_integer_value(json_object_get(data, "opening_id")));
    const char *last = word(json_object_get(ear->openings, key), "type");
    bool known = *last && strcmp(last, "opening.withdrawn") != 0;
    bool scheduled = strcmp(type, "opening.scheduled") == 0;
    if (!known && !scheduled)
        complain(ear, "something new of what nobody was told of", body);
    if (known && scheduled && !ear->clock_stepped && was_ahead(ear, key, body))
        complain(ear, "scheduled a second time", body);
    json_object_set_new(ear->openings, key, json_pack("{s:s, s:s}", "type", type, "opens_at", word(data, "opens_at")));
}

static void hear(struct ear *ear, const char *id, const char *body)
{
    json_t *said = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
    json_t *before = json_object_get(ear->heard, id), *data = json_object_get(said, "data");
    const char *type = word(said, "type");

    if (!data || strchr(body, '@'))
        complain(ear, "no event, or one with an address", body);
    if (before && strcmp(word(before, "body"), body) != 0)
        complain(ear, "another body under the same name", body);
    if (before && json_is_true(json_object_get(before, "taken")))
        complain(ear, "told again after it was taken", body);
    if (!before && json_object_get(ear->bodies, body))
        complain(ear, "told twice under two names", body);
    if (!before) {
        json_object_set_new(ear->heard, id, json_pack("{s:s, s:b, s:s}", "body", body, "taken", 0, "type", type));
        json_object_set_new(ear->bodies, body, json_string(id));
        if (json_object_get(data, "notice_id"))
            hear_of_notice(ear, type, data, body);
        else if (json_object_get(data, "opening_id"))
            hear_of_opening(ear, type, data, body);
        else
            complain(ear, "about nothing", body);
    }
    json_decref(said);
}

int64_t ear_heard(const struct ear *ear, const char *type)
{
    int64_t count = 0;
    const char *id;
    json_t *event;

    json_object_foreach(ear->heard, id, event) count += strcmp(word(event, "type"), type) == 0;
    return count;
}

/* What is told follows from how it stands: each of these was said last, whatever was said before. */
void ear_compare(struct ear *ear, const struct notice *notice)
{
    char key[24], what[128];

    snprintf(key, sizeof key, "%lld", (long long)notice->id);
    const json_t *types = json_object_get(ear->notices, key);
    const char *last = json_string_value(json_array_get(types, json_array_size(types) - 1));
    bool released = notice->course->released_at_ms != MOMENT_NONE;
    const char *wanted = notice->state == NOTICE_DONE                                                 ? "notice.done"
                         : notice->state == NOTICE_HELD                                               ? "notice.held"
                         : notice->state == NOTICE_MISSED && notice->reason != REASON_BEFORE_OUR_TIME ? "notice.missed"
                         : (notice->state == NOTICE_WITHDRAWN || notice->state == NOTICE_CANCELLED) && released
                             ? "notice.stopped"
                             : NULL;

    snprintf(what, sizeof what, "notice %s is %s, and the last that was heard of it is", key,
             notice_state_name(notice->state));
    if (wanted && (!last || strcmp(last, wanted) != 0))
        complain(ear, what, last ? last : "nothing");
    if (released && !was_said(types, "notice.started"))
        complain(ear, "nobody was told that it was started: notice", key);
}

/* --- Calls -------------------------------------------------------------------------------------------------------- */

static void end_call(struct ear_call *call)
{
    struct ear_call **at = &call->ear->calls;

    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    alarm_off(&call->alarm);
    free(call);
}

static void on_time(void *ctx)
{
    struct ear_call mine = *(struct ear_call *)ctx;
    struct error failure = {0};
    int status = mine.ear->status;

    end_call(ctx);
    if (status >= 200 && status < 300)
        json_object_set_new(json_object_get(mine.ear->heard, mine.id), "taken", json_true());
    if (status == 0)
        error_set(&failure, ERROR_TRY_LATER, "no answer");
    mine.done(mine.ctx,
              &(struct fetch_result){.status = status, .retry_after_ms = -1, .failure = status == 0 ? &failure : NULL});
}

static struct fetch *start(void *ctx, const struct fetch_spec *spec, fetch_done_fn *done, void *done_ctx,
                           struct error *err)
{
    struct ear *ear = ctx;
    struct ear_call *call = must_calloc(1, sizeof *call);
    auto_free char *body = text_dup(spec->body);

    (void)err;
    *call = (struct ear_call){.ear = ear, .done = done, .ctx = done_ctx, .next = ear->calls};
    ear->calls = call;
    for (size_t i = 0; i < spec->header_count; i++)
        if (strcmp(spec->headers[i].name, "webhook-id") == 0)
            snprintf(call->id, sizeof call->id, "%s", spec->headers[i].value);
    hear(ear, call->id, body);
    call->answer_at_ms = clock_now_ms(ear->clock) + ear->latency_ms;
    alarm_set(ear->alarms, &call->alarm, call->answer_at_ms, on_time, call);
    return (struct fetch *)call;
}

static void cancel(void *ctx, struct fetch **fetch)
{
    (void)ctx;
    if (*fetch)
        end_call((struct ear_call *)*fetch);
    *fetch = NULL;
}

void ear_init(struct ear *ear, const struct clock *clock)
{
    *ear = (struct ear){.post = {start, cancel, ear},
                        .clock = clock,
                        .status = 200,
                        .heard = json_object(),
                        .bodies = json_object(),
                        .notices = json_object(),
                        .openings = json_object()};
}

void ear_clear(struct ear *ear)
{
    while (ear->calls)
        end_call(ear->calls);
    json_decref(ear->heard);
    json_decref(ear->bodies);
    json_decref(ear->notices);
    json_decref(ear->openings);
}

void ear_clock_stepped(struct ear *ear, int64_t step_ms)
{
    ear->clock_stepped = true;
    for (struct ear_call *call = ear->calls; call; call = call->next) {
        call->answer_at_ms += step_ms;
        alarm_set(ear->alarms, &call->alarm, call->answer_at_ms, on_time, call);
    }
}
