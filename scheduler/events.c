#include "events.h"

#include <assert.h>
#include <string.h>

enum {
    KEPT_MAX = 1024,
    KEPT_BYTES = 512 * 1024,
    COUNT_EVERY_MS = SECOND_MS,
};

static const char *const type_names[EVENT_TYPES] = {
    [EVENT_NOTICE] = "notice",     [EVENT_PROGRESS] = "progress",
    [EVENT_FORECAST] = "forecast", [EVENT_OPENING] = "opening",
    [EVENT_PAUSE] = "pause",       [EVENT_RESUME] = "resume",
    [EVENT_NOTIFIER] = "notifier", [EVENT_SITE] = "site",
    [EVENT_COPY] = "copy",         [EVENT_ADOPTED] = "adopted",
    [EVENT_FROZEN] = "frozen",     [EVENT_RELOAD] = "reload",
    [EVENT_STOPPING] = "stopping", [EVENT_SUPPRESSION] = "suppression",
    [EVENT_BOUNCE] = "bounce",
};

struct events {
    const struct clock *clock;
    struct alarms *alarms;
    int64_t generation;
    int64_t first, next; /* kept are the numbers first .. next - 1, each at its number's place */
    struct event ring[KEPT_MAX];
    size_t bytes;
    struct event_listener *listeners, *hearing; /* the second: who is called next */
    struct alarm tell;
    json_t *sums[EVENT_TYPES]; /* not said yet; NULL none */
    int64_t counted_at_ms;     /* when such sums were last said */
    struct alarm count;
    struct metrics *metrics; /* or NULL */
};

const char *event_type_name(enum event_type type)
{
    assert(type < EVENT_TYPES);
    return type_names[type];
}

struct events *events_new(const struct clock *clock, struct alarms *alarms, int64_t generation)
{
    struct events *events = must_calloc(1, sizeof *events);

    *events = (struct events){.clock = clock, .alarms = alarms, .generation = generation, .first = 1, .next = 1};
    events->counted_at_ms = MOMENT_NONE;
    return events;
}

static struct event *kept(struct events *events, int64_t number)
{
    return &events->ring[number % KEPT_MAX];
}

static void drop_oldest(struct events *events)
{
    struct event *oldest = kept(events, events->first++);

    events->bytes -= oldest->data.len;
    free((char *)(uintptr_t)oldest->data.ptr);
    *oldest = (struct event){0};
}

void events_meter(struct events *events, struct metrics *metrics)
{
    events->metrics = metrics;
}

void events_free(struct events *events)
{
    if (!events)
        return;
    assert(!events->listeners);
    while (events->first < events->next)
        drop_oldest(events);
    for (size_t i = 0; i < EVENT_TYPES; i++)
        json_decref(events->sums[i]);
    alarm_off(&events->tell);
    alarm_off(&events->count);
    free(events);
}

/* --- Saying ------------------------------------------------------------------------------------------------------- */

static void on_tell(void *ctx)
{
    struct events *events = ctx;

    for (struct event_listener *listener = events->listeners; listener; listener = events->hearing) {
        events->hearing = listener->after;
        listener->hear(listener->ctx);
    }
}

static void set_moment(json_t *data, const char *key, int64_t at_ms)
{
    auto_buf struct buf text;

    buf_init(&text, 64);
    buf_add_moment(&text, at_ms);
    json_object_set_new(data, key, json_string(text.ptr));
}

void events_say(struct events *events, enum event_type type, int64_t notice, json_t *data)
{
    if (!events) {
        json_decref(data);
        return;
    }
    int64_t now_ms = clock_now_ms(events->clock);
    set_moment(data, "at", now_ms);
    char *line = json_dumps(data, JSON_COMPACT);
    json_decref(data);
    assert(line); /* who says it has made it of valid text */
    size_t len = strlen(line);
    while (events->first < events->next &&
           (events->next - events->first == KEPT_MAX || events->bytes + len > KEPT_BYTES))
        drop_oldest(events);
    *kept(events, events->next) =
        (struct event){.number = events->next, .type = type, .notice = notice, .data = {line, len}};
    events->next++;
    events->bytes += len;
    if (events->listeners && !alarm_is_set(&events->tell))
        alarm_set(events->alarms, &events->tell, now_ms, on_tell, events);
}

static void on_count(void *ctx)
{
    struct events *events = ctx;

    events->counted_at_ms = clock_now_ms(events->clock);
    for (enum event_type type = 0; type < EVENT_TYPES; type++)
        if (events->sums[type]) {
            events_say(events, type, 0, json_pack("{s:o}", "counts", events->sums[type]));
            events->sums[type] = NULL;
        }
}

void events_count(struct events *events, enum event_type type, const char *word, int64_t count)
{
    if (!events || count <= 0)
        return;
    json_t *sums = events->sums[type] ? events->sums[type] : (events->sums[type] = json_object());
    int64_t now_ms = clock_now_ms(events->clock), again_ms = events->counted_at_ms + COUNT_EVERY_MS;
    bool soon = events->counted_at_ms == MOMENT_NONE || now_ms >= again_ms || now_ms < events->counted_at_ms;

    json_object_set_new(sums, word, json_integer(json_integer_value(json_object_get(sums, word)) + count));
    if (type == EVENT_SUPPRESSION || type == EVENT_BOUNCE)
        metrics_add(events->metrics, type == EVENT_BOUNCE ? METRIC_BOUNCES : METRIC_SUPPRESSIONS, LABELS(word), count);
    if (!alarm_is_set(&events->count))
        alarm_set(events->alarms, &events->count, soon ? now_ms : again_ms, on_count, events);
}

/* --- What is asked for -------------------------------------------------------------------------------------------- */

static int add_type(struct text name, unsigned *types, struct error *err)
{
    for (enum event_type type = 0; type < EVENT_TYPES; type++)
        if (text_is(name, type_names[type])) {
            *types |= 1u << type;
            return 0;
        }
    return error_set(err, ERROR_REFUSED, "types: there are no events called \"%.*s\"",
                     TEXT_ARGS(text_slice(name, 0, 40)));
}

int event_filter_parse(const char *types, const char *notice, struct event_filter *out, struct error *err)
{
    struct text rest = text_of(types);

    *out = (struct event_filter){0};
    while (rest.len > 0)
        if (add_type(text_cut(&rest, ','), &out->types, err) < 0)
            return -1;
    if (notice && parse_i64(text_of(notice), 1, INT64_MAX, &out->notice, NULL) < 0)
        return error_set(err, ERROR_REFUSED, "notice: expected the number of one, found \"%.40s\"", notice);
    return 0;
}

static bool wanted(const struct event_filter *filter, const struct event *event)
{
    return (!filter->types || filter->types & 1u << event->type) &&
           (!filter->notice || filter->notice == event->notice);
}

/* --- Listening ---------------------------------------------------------------------------------------------------- */

void events_id(const struct events *events, int64_t number, char out[EVENT_ID_SIZE])
{
    snprintf(out, EVENT_ID_SIZE, "%lld-%lld", (long long)events->generation, (long long)number);
}

/* Where to go on behind that id; NULL, or why it cannot be told. */
static const char *place_behind(const struct events *events, const char *id, int64_t *next)
{
    struct text rest = text_of(id);
    struct text generation = text_cut(&rest, '-');
    int64_t g, number;

    if (parse_i64(generation, 0, INT64_MAX, &g, NULL) < 0 || parse_i64(rest, 0, INT64_MAX, &number, NULL) < 0)
        return "that is no id of an event";
    if (g != events->generation)
        return "the daemon was started anew";
    if (number >= events->next)
        return "there was no such event yet";
    if (number + 1 < events->first)
        return "more has happened since than is kept";
    *next = number + 1;
    return NULL;
}

const char *events_listen(struct events *events, struct event_listener *listener, const char *last_id)
{
    const char *why = NULL;

    listener->events = events;
    listener->next = events->next;
    if (last_id)
        why = place_behind(events, last_id, &listener->next);
    listener->after = events->listeners;
    listener->link = &events->listeners;
    if (listener->after)
        listener->after->link = &listener->after;
    events->listeners = listener;
    return why;
}

void events_leave(struct event_listener *listener)
{
    struct events *events = listener->events;

    if (!events)
        return;
    if (events->hearing == listener)
        events->hearing = listener->after;
    *listener->link = listener->after;
    if (listener->after)
        listener->after->link = listener->link;
    listener->events = NULL;
}

enum events_next events_next(struct event_listener *listener, struct event *out)
{
    struct events *events = listener->events;

    if (listener->next < events->first) {
        listener->next = events->next;
        return EVENTS_LOST;
    }
    while (listener->next < events->next) {
        const struct event *event = kept(events, listener->next++);
        if (wanted(&listener->filter, event)) {
            *out = *event;
            return EVENTS_ONE;
        }
    }
    return EVENTS_NONE;
}

int64_t event_listener_at(const struct event_listener *listener)
{
    return listener->next - 1;
}
