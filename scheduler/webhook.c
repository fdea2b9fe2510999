#include "webhook.h"

#include "clock.h"
#include "said.h"
#include "scrub.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

enum {
    TEXT_MAX = 300, /* bytes of one text from outside */
    TICKETS_MAX = 30,
    SECRET_MIN = 8, /* bytes of a part of a URL that is no common word */
};

static const char *const type_names[WEBHOOK_TYPES] = {
    [WEBHOOK_OPENING_SCHEDULED] = "opening.scheduled",
    [WEBHOOK_OPENING_MOVED] = "opening.moved",
    [WEBHOOK_OPENING_WITHDRAWN] = "opening.withdrawn",
    [WEBHOOK_NOTICE_STARTED] = "notice.started",
    [WEBHOOK_NOTICE_HELD] = "notice.held",
    [WEBHOOK_NOTICE_MISSED] = "notice.missed",
    [WEBHOOK_NOTICE_DONE] = "notice.done",
    [WEBHOOK_NOTICE_STOPPED] = "notice.stopped",
    [WEBHOOK_LAUNCH_WILL_NOT_FIT] = "launch.will_not_fit",
    [WEBHOOK_PING] = "ping",
};

const char *webhook_type_name(enum webhook_type type)
{
    return type_names[type];
}

/* --- Endpoints ---------------------------------------------------------------------------------------------------- */

#define AT(field) offsetof(struct webhook_settings, field)

const struct config_option webhook_options[] = {
    {"", CONFIG_PLACE, AT(place)},
    {"name", CONFIG_TEXT, AT(name), .required = true},
    {"url", CONFIG_TEXT, AT(url), .required = true},
    {"secret", CONFIG_SECRET, AT(secret), .required = true},
    {"old_secret", CONFIG_SECRET, AT(old_secret), .fallback = ""},
    {"events", CONFIG_LIST, AT(events), .expects = "a type of event such as notice.done, or a list of them"},
    {"sites", CONFIG_LIST, AT(sites), .expects = "the name of a site or a list of them"},
    {"timeout", CONFIG_SPAN, AT(timeout_ms), .fallback = "20s", .min = SECOND_MS, .max = 30 * SECOND_MS},
    {"allow_private", CONFIG_BOOL, AT(allow_private), .fallback = "false"},
    {0},
};

static int type_of(const char *name)
{
    for (int i = 0; i < WEBHOOK_PING; i++)
        if (strcmp(type_names[i], name) == 0)
            return i;
    return -1;
}

bool webhook_type_known(const char *name)
{
    return type_of(name) >= 0;
}

unsigned webhook_types(const struct webhook_settings *settings)
{
    unsigned types = settings->events.count ? 0 : (1U << WEBHOOK_PING) - 1;

    for (size_t i = 0; i < settings->events.count; i++)
        if (webhook_type_known(settings->events.at[i]))
            types |= 1U << type_of(settings->events.at[i]);
    return types;
}

/* Up to the end of the host. */
static size_t place_len(const char *url)
{
    const char *host = strstr(url, "://");
    size_t begin = host ? (size_t)(host - url) + 3 : 0;

    return begin + strcspn(url + begin, "/?#");
}

void buf_add_webhook_place(struct buf *buf, const char *url)
{
    size_t len = place_len(url);

    buf_add_text(buf, (struct text){url, len});
    if (strlen(url) > len + 1)
        buf_adds(buf, "/...");
}

/* --- Bodies ------------------------------------------------------------------------------------------------------- */

/* NULL and "" are null. */
static json_t *text(const char *string)
{
    return json_said(string && *string ? string : NULL, TEXT_MAX);
}

static json_t *known(int64_t number)
{
    return number >= 0 ? json_integer(number) : json_null();
}

static json_t *tickets(const struct webhook_event *event, size_t most)
{
    json_t *list = json_array();

    for (size_t i = 0; i < event->ticket_count && i < most; i++) {
        const struct webhook_ticket *ticket = &event->tickets[i];
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:o, s:o}", "id", text(ticket->id), "name", text(ticket->name),
                                        "price", text(ticket->price), "currency", text(ticket->currency)));
    }
    return list;
}

static json_t *about_opening(const struct webhook_event *event, size_t most)
{
    const struct opening *opening = event->opening;

    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:I}", "opening_id", (json_int_t)opening->id,
                     "site", text(event->site), "event_id", text(event->event_id), "event_title", text(event->title),
                     "event_url", text(event->url), "state", opening_state_name(opening->state), "opens_at",
                     json_moment(opening->opens_at_ms), "was_at", json_moment(event->was_at_ms), "definitions",
                     tickets(event, most), "definition_count", (json_int_t)opening->member_count);
}

static json_t *about_notice(const struct webhook_event *event)
{
    const struct notice *n = event->notice;
    bool begun = n->course->first_handover_at_ms != MOMENT_NONE;
    json_t *data = json_pack(
        "{s:I, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "notice_id", (json_int_t)n->id,
        "site", text(event->site), "event_id", text(event->event_id), "event_title", text(event->title), "event_url",
        text(event->url), "rule", text(n->rule), "state", notice_state_name(n->state), "reason",
        text(n->reason ? notice_reason_name(n->reason) : NULL), "reason_text", text(n->course->reason_text), "opens_at",
        json_moment(n->at_ms), "due_at", json_moment(n->due_at_ms), "counts", json_counts(n), "first_handover_at",
        json_moment(n->course->first_handover_at_ms), "last_handover_at", json_moment(n->course->last_handover_at_ms),
        "late_ms", begun ? json_integer(n->course->first_handover_at_ms - n->due_at_ms) : json_null());

    if (event->type == WEBHOOK_LAUNCH_WILL_NOT_FIT) {
        json_object_set_new(data, "estimate", known(n->course->estimate));
        json_object_set_new(data, "will_finish_ms", known(n->course->will_finish_ms));
        json_object_set_new(data, "forecast", text(n->course->forecast));
    }
    return data;
}

static json_t *data_of(const struct webhook_event *event, size_t most)
{
    if (event->opening)
        return about_opening(event, most);
    return event->notice ? about_notice(event) : json_pack("{s:o}", "webhook", text(event->endpoint));
}

/* Names in letters that JSON escapes may be long: fewer tickets are listed then. */
char *webhook_body(const struct webhook_event *event)
{
    char *body = NULL;

    for (size_t most = TICKETS_MAX;; most /= 2) {
        json_t *json = json_pack("{s:s, s:o, s:o}", "type", webhook_type_name(event->type), "timestamp",
                                 json_moment(event->at_ms), "data", data_of(event, most));
        free(body);
        body = json_dumps(json, JSON_COMPACT);
        json_decref(json);
        if (!body)
            abort(); /* out of memory */
        if (strlen(body) <= WEBHOOK_BODY_MAX || most == 0)
            return body;
    }
}

/* --- News --------------------------------------------------------------------------------------------------------- */

/* What stood on the disk before and what stands there now: steps in between that were never stored are none. */
size_t webhook_notice_news(const struct webhook_was *was, const struct notice *now,
                           enum webhook_type out[WEBHOOK_TYPES])
{
    bool moved = now->state != was->state, released = now->course->released_at_ms != MOMENT_NONE;
    size_t count = 0;

    if (now->will_not_fit && !was->will_not_fit)
        out[count++] = WEBHOOK_LAUNCH_WILL_NOT_FIT;
    if (released && !was->released)
        out[count++] = WEBHOOK_NOTICE_STARTED;
    if (!moved)
        return count;
    if (now->state == NOTICE_HELD)
        out[count++] = WEBHOOK_NOTICE_HELD;
    else if (now->state == NOTICE_MISSED && now->reason != REASON_BEFORE_OUR_TIME)
        out[count++] = WEBHOOK_NOTICE_MISSED;
    else if (now->state == NOTICE_DONE)
        out[count++] = WEBHOOK_NOTICE_DONE;
    else if ((now->state == NOTICE_WITHDRAWN || now->state == NOTICE_CANCELLED) &&
             (released || was->state == NOTICE_HELD))
        out[count++] = WEBHOOK_NOTICE_STOPPED;
    return count;
}

/* --- Answers ------------------------------------------------------------------------------------------------------ */

enum webhook_verdict webhook_judge(int status)
{
    switch (status) {
    case 400:
    case 409:
    case 413:
    case 415:
    case 422:
        return WEBHOOK_REFUSED;
    case 410:
        return WEBHOOK_GONE;
    case 429:
    case 502:
    case 503:
    case 504:
        return WEBHOOK_BUSY;
    default:
        return status >= 200 && status < 300 ? WEBHOOK_ACCEPTED : WEBHOOK_FAILED;
    }
}

/* How many bytes of what stands behind a URL's host begin here: all of it, its path, or a part that is long. */
static size_t secret_here(const char *said, const char *secret)
{
    static const char separators[] = "/?#&=%";
    size_t whole = strlen(secret), path = strcspn(secret, "?#"), len;

    if (whole > 1 && strncasecmp(said, secret, whole) == 0)
        return whole;
    if (path > 1 && strncasecmp(said, secret, path) == 0)
        return path;
    for (const char *part = secret; *part; part += len + (part[len] != '\0')) {
        len = strcspn(part, separators);
        if (len >= SECRET_MIN && strncasecmp(said, part, len) == 0)
            return len;
    }
    return 0;
}

char *webhook_said(const char *url, struct text body, size_t max)
{
    const char *secret = url + place_len(url);
    auto_free char *raw = text_dup(text_trim(body)), *clean = scrub(raw, NULL);
    auto_buf struct buf out = {0};

    buf_init(&out, 4 * strlen(clean) + 1);
    for (const char *at = clean; *at;) {
        size_t len = secret_here(at, secret);
        if (len > 0)
            buf_adds(&out, "***");
        else
            buf_add(&out, at, 1);
        at += len > 0 ? len : 1;
    }
    struct text said = out.len > 0 ? said_begin(buf_text(&out), max) : (struct text){0};
    return said.len > 0 && text_is_utf8(said) ? text_dup(said) : NULL;
}

int64_t webhook_wait_ms(int tries, int64_t retry_after_ms, uint64_t random)
{
    static const int64_t waits_ms[WEBHOOK_TRIES - 1] = {
        5 * SECOND_MS, 5 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS,  5 * HOUR_MS,
        10 * HOUR_MS,  14 * HOUR_MS,  20 * HOUR_MS,   24 * HOUR_MS,
    };
    int64_t wait_ms, asked_ms = retry_after_ms > DAY_MS ? DAY_MS : retry_after_ms;

    if (tries >= WEBHOOK_TRIES)
        return -1;
    wait_ms = waits_ms[tries - 1];
    wait_ms += (int64_t)(random % (uint64_t)(wait_ms / 5 + 1)); /* a fifth at most */
    return wait_ms > asked_ms ? wait_ms : asked_ms;
}
