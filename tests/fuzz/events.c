/* What somebody who wants to watch asks for: a line of types, a line with a notice, and the id of the last event. */
#include "events.h"

#include <string.h>

static int64_t now_ms(void *ctx)
{
    (void)ctx;
    return 1806048000000;
}

static void hear(void *ctx)
{
    (void)ctx;
}

/* Whatever the id is, it goes on at an event that is kept or at the next one, and the reading ends there. */
static void listen_behind(const char *last_id, const struct event_filter *filter)
{
    const struct clock clock = {now_ms, now_ms, NULL};
    struct alarms *alarms = alarms_new(NULL, &clock, NULL);
    struct events *events = events_new(&clock, alarms, 7);
    struct event_listener listener = {.filter = *filter, .hear = hear};
    struct event event;
    int64_t seen = 0;

    for (int i = 0; i < 5; i++)
        events_say(events, i % 2 ? EVENT_PROGRESS : EVENT_NOTICE, 1, json_object());
    const char *why = events_listen(events, &listener, last_id);
    while (events_next(&listener, &event) == EVENTS_ONE) {
        if (why || event.number <= seen || event.number > 5)
            abort();
        seen = event.number;
    }
    if (event_listener_at(&listener) != 5)
        abort();
    events_leave(&listener);
    events_free(events);
    alarms_close(alarms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text rest = {(const char *)data, size};
    auto_free char *types = text_dup(text_cut(&rest, '\n'));
    auto_free char *notice = text_dup(text_cut(&rest, '\n'));
    auto_free char *last_id = text_dup(rest);
    struct event_filter filter;
    struct error err = {0};

    if (event_filter_parse(*types ? types : NULL, *notice ? notice : NULL, &filter, &err) < 0) {
        if (err.kind != ERROR_REFUSED || !*err.text)
            abort();
        return 0;
    }
    if (filter.types >> EVENT_TYPES || filter.notice < 0)
        abort();
    listen_behind(last_id, &filter);
    return 0;
}
