/* Events as they happen: text/event-stream (WHATWG HTML, "Server-sent events"). Who watches reads at their own pace
 * from the ring of events.h; who does not read is dropped, and can come back by Last-Event-ID. */
#include "api_private.h"
#include "events.h"

#include <string.h>

enum {
    WATCHERS_MAX = 1024,
    WAITING_MAX = 32 * 1024, /* bytes for one client; what is behind that waits in the ring */
    EVENT_MAX = 16 * 1024,
    AGAIN_MS = 50, /* until who is behind is looked at again */
    HEARTBEAT_MS = 15 * SECOND_MS,
    BEATS_AT_ONCE = 64, /* the others follow ... */
    BEAT_AGAIN_MS = 20,
};

struct watcher {
    struct api *api;
    struct server_stream *stream;
    struct event_listener listener;
    bool by_token;   /* let in by one of http.tokens */
    bool behind;     /* more waits than it has read */
    int64_t beat_at; /* the event it stood at when its heart last beat */
    unsigned beats;  /* the round of heartbeats it was in last */
    struct watcher *next;
};

static void on_heartbeat(void *ctx);
static void on_again(void *ctx);

static void set_alarm(struct api *api, struct alarm *alarm, int64_t wait_ms, alarm_fn *ring)
{
    if (!alarm_is_set(alarm))
        alarm_set(api->world->alarms, alarm, clock_now_ms(api->world->clock) + wait_ms, ring, api);
}

static void watcher_free(struct watcher *watcher)
{
    struct api *api = watcher->api;

    events_leave(&watcher->listener);
    for (struct watcher **at = &api->watchers; *at; at = &(*at)->next)
        if (*at == watcher) {
            *at = watcher->next;
            break;
        }
    api->watcher_count--;
    free(watcher);
}

/* --- What is written ---------------------------------------------------------------------------------------------- */

static void add_id(const struct watcher *watcher, int64_t number, struct buf *out)
{
    char id[EVENT_ID_SIZE];

    events_id(watcher->api->world->events, number, id);
    buf_addf(out, "id: %s\n", id);
}

/* What is written of an event is the same for all who watch. */
static bool write_event(struct watcher *watcher, const struct event *event)
{
    struct buf *line = &watcher->api->event_line;

    if (watcher->api->event_number != event->number) {
        buf_clear(line);
        buf_init(line, EVENT_MAX);
        add_id(watcher, event->number, line);
        buf_addf(line, "event: %s\ndata: ", event_type_name(event->type));
        buf_add_text(line, event->data);
        buf_adds(line, "\n\n");
        watcher->api->event_number = event->number;
    }
    return buf_failed(line) || server_stream_write(watcher->stream, buf_text(line));
}

/* The reason is one of ours: nothing in it needs an escape. */
static bool write_reset(struct watcher *watcher, const char *why)
{
    auto_buf struct buf line;

    buf_init(&line, 512);
    add_id(watcher, event_listener_at(&watcher->listener), &line);
    buf_addf(&line, "event: reset\ndata: {\"reason\":\"%s\"}\n\n", why);
    return server_stream_write(watcher->stream, buf_text(&line));
}

/* Without data nothing happens at the client but that it keeps the id: whoever comes back by it is told nothing twice,
 * also when its filter let nothing through for long. */
static bool write_id(struct watcher *watcher, const char *before)
{
    auto_buf struct buf line;

    buf_init(&line, 256);
    buf_adds(&line, before);
    add_id(watcher, event_listener_at(&watcher->listener), &line);
    buf_adds(&line, "\n");
    return server_stream_write(watcher->stream, buf_text(&line));
}

/* As much as it has room for. A write that fails is the last: on_closed() follows. */
static void pour(struct watcher *watcher)
{
    struct event event;
    enum events_next next = EVENTS_ONE;
    bool open = true;

    while (open && next != EVENTS_NONE && server_stream_waiting(watcher->stream) < WAITING_MAX) {
        next = events_next(&watcher->listener, &event);
        if (next == EVENTS_ONE)
            open = write_event(watcher, &event);
        else if (next == EVENTS_LOST)
            open = write_reset(watcher, "more has happened since than is kept");
    }
    watcher->behind = open && next != EVENTS_NONE;
    if (watcher->behind)
        set_alarm(watcher->api, &watcher->api->again, AGAIN_MS, on_again);
}

static void on_events(void *ctx)
{
    pour(ctx);
}

static void on_again(void *ctx)
{
    struct api *api = ctx;

    for (struct watcher *watcher = api->watchers; watcher; watcher = watcher->next)
        if (watcher->behind)
            pour(watcher);
}

static void beat(struct watcher *watcher)
{
    int64_t at = event_listener_at(&watcher->listener);

    if (watcher->behind && at == watcher->beat_at)
        server_stream_drop(watcher->stream); /* it has read nothing since the last one */
    else if (!watcher->behind)
        write_id(watcher, ": still here\n");
    watcher->beat_at = at;
}

/* A thousand at once would be a long turn of the loop. */
static void on_heartbeat(void *ctx)
{
    struct api *api = ctx;
    unsigned count = 0;

    for (struct watcher *watcher = api->watchers; watcher && count <= BEATS_AT_ONCE; watcher = watcher->next) {
        if (watcher->beats == api->beats || count++ == BEATS_AT_ONCE)
            continue;
        watcher->beats = api->beats;
        beat(watcher);
    }
    api->beats += count <= BEATS_AT_ONCE;
    if (api->watchers)
        set_alarm(api, &api->heartbeat, count <= BEATS_AT_ONCE ? HEARTBEAT_MS : BEAT_AGAIN_MS, on_heartbeat);
}

static void on_closed(void *ctx)
{
    watcher_free(ctx);
}

/* --- Coming and going --------------------------------------------------------------------------------------------- */

static void refuse_full(struct server_request *request)
{
    server_refuse_more(request, 503, "as many watch already as may", NULL, &(struct server_field){"Retry-After", "30"});
}

void api_events(struct api *api, struct server_request *request, const struct api_request *asked)
{
    const char *last_id = server_header(request, "Last-Event-ID");
    struct event_filter filter;
    struct error err = {0};

    if (!last_id)
        last_id = server_query(request, "last_event_id");
    if (event_filter_parse(server_query(request, "types"), server_query(request, "notice"), &filter, &err) < 0) {
        server_refuse(request, 400, err.text);
        return;
    }
    if (api->watcher_count >= WATCHERS_MAX) {
        refuse_full(request);
        return;
    }
    struct watcher *watcher = must_calloc(1, sizeof *watcher);
    *watcher = (struct watcher){.api = api, .listener = {.filter = filter, .hear = on_events, .ctx = watcher}};
    const char *reset = events_listen(api->world->events, &watcher->listener, last_id);
    watcher->by_token = text_starts(text_of(asked->who), "token ");
    watcher->beat_at = -1;
    watcher->beats = api->beats - 1;
    watcher->next = api->watchers;
    api->watchers = watcher;
    api->watcher_count++;
    watcher->stream = server_stream_open(request, "text/event-stream; charset=utf-8", on_closed, watcher);
    set_alarm(api, &api->heartbeat, HEARTBEAT_MS, on_heartbeat);
    if (write_id(watcher, "retry: 3000\n") && (!reset || write_reset(watcher, reset)))
        pour(watcher);
}

/* They come back by the id of the last event, if they may. */
void api_tokens_changed(struct api *api)
{
    for (struct watcher *watcher = api->watchers; watcher; watcher = watcher->next)
        if (watcher->by_token)
            server_stream_drop(watcher->stream);
}

void api_events_end(struct api *api)
{
    while (api->watchers) {
        struct watcher *watcher = api->watchers;
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that what is freed has left the list */
        pour(watcher); /* "stopping" is news, too */
        server_stream_end(watcher->stream);
        watcher_free(watcher);
    }
    alarm_off(&api->heartbeat);
    alarm_off(&api->again);
    buf_clear(&api->event_line);
}
