#include "watcher.h"

#include <string.h>

enum { PROGRESS_EVERY_MS = 500 };

static void complain(struct watcher *watcher, const char *format, ...) PRINTF_LIKE(2, 3);

static void complain(struct watcher *watcher, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (!*watcher->complaint)
        vsnprintf(watcher->complaint, sizeof watcher->complaint, format, args);
    va_end(args);
}

static const char *word(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static void key_of(int64_t notice, char out[24])
{
    snprintf(out, 24, "%lld", (long long)notice);
}

static void on_notice(struct watcher *watcher, const struct event *event, json_t *data)
{
    char key[24];

    key_of(event->notice, key);
    const json_t *known = json_object_get(watcher->notices, key);
    if (json_integer_value(json_object_get(data, "id")) != event->notice)
        complain(watcher, "an event of notice %s is about another: %s", key, event->data.ptr);
    if (strcmp(word(data, "before"), known ? word(known, "state") : "") != 0)
        complain(watcher, "notice %s was %s: %s", key, known ? word(known, "state") : "not known", event->data.ptr);
    json_object_set(watcher->notices, key, data);
    json_object_del(watcher->progress, key); /* a state that ends says its last counts first */
}

static void on_progress(struct watcher *watcher, const struct event *event, const json_t *data)
{
    char key[24];
    int64_t at_ms = 0;

    key_of(event->notice, key);
    json_t *notice = json_object_get(watcher->notices, key), *last = json_object_get(watcher->progress, key);
    if (!notice || strcmp(word(data, "state"), word(notice, "state")) != 0)
        complain(watcher, "progress of a notice in another state: %s", event->data.ptr);
    else
        json_object_set(notice, "counts", json_object_get(data, "counts"));
    moment_parse(text_of(word(data, "at")), &at_ms, NULL);
    if (last && at_ms < json_integer_value(last) + PROGRESS_EVERY_MS)
        watcher->hurried = event->notice;
    json_object_set_new(watcher->progress, key, json_integer(at_ms));
}

static void on_pause(struct watcher *watcher, const struct event *event, const json_t *data)
{
    const char *target = word(data, "target");

    if (event->type == EVENT_PAUSE)
        json_object_set_new(watcher->pauses, target, json_true());
    else if (strcmp(target, "*") == 0)
        json_object_clear(watcher->pauses);
    else
        json_object_del(watcher->pauses, target);
}

static void on_other(struct watcher *watcher, const struct event *event, json_t *data)
{
    char key[24];

    switch (event->type) {
    case EVENT_OPENING:
        key_of(json_integer_value(json_object_get(data, "id")), key);
        if ((strcmp(word(data, "what"), "new") == 0) != !json_object_get(watcher->openings, key))
            complain(watcher, "opening %s: %s", key, event->data.ptr);
        json_object_set(watcher->openings, key, data);
        break;
    case EVENT_PAUSE:
    case EVENT_RESUME:
        on_pause(watcher, event, data);
        break;
    case EVENT_FROZEN:
        watcher->frozen = json_is_true(json_object_get(data, "frozen"));
        break;
    default:
        break;
    }
}

static void on_event(struct watcher *watcher, const struct event *event)
{
    json_t *data = json_loadb(event->data.ptr, event->data.len, JSON_REJECT_DUPLICATES, NULL);

    if (event->number != watcher->heard + 1)
        complain(watcher, "event %lld came after %lld", (long long)event->number, (long long)watcher->heard);
    watcher->heard = event->number;
    if (watcher->hurried && (event->type != EVENT_NOTICE || event->notice != watcher->hurried))
        complain(watcher, "progress of notice %lld came too soon, before %s", (long long)watcher->hurried,
                 event->data.ptr);
    watcher->hurried = 0;
    if (!data || memchr(event->data.ptr, '\n', event->data.len) || !*word(data, "at"))
        complain(watcher, "no line of JSON with its moment: %s", event->data.ptr);
    if (memchr(event->data.ptr, '@', event->data.len))
        complain(watcher, "an address in an event: %s", event->data.ptr);
    if (data && event->type == EVENT_NOTICE)
        on_notice(watcher, event, data);
    if (data && event->type == EVENT_PROGRESS)
        on_progress(watcher, event, data);
    if (data)
        on_other(watcher, event, data);
    json_decref(data);
}

/* What is known before anything happens; the counts are told when they change. */
static void learn_all(struct watcher *watcher)
{
    const struct world *world = watcher->world;
    const struct notices *notices = &world->notices;
    char key[24];

    watcher->frozen = world->frozen;
    json_object_clear(watcher->pauses);
    for (size_t i = 0; i < world->pause_count; i++)
        json_object_set_new(watcher->pauses, world->pauses[i].target, json_true());
    json_object_clear(watcher->openings);
    for (size_t i = 0; i < world->openings.count; i++) {
        auto_buf struct buf at;
        buf_init(&at, 64);
        buf_add_moment(&at, world->openings.at[i]->opens_at_ms);
        key_of(world->openings.at[i]->id, key);
        json_object_set_new(
            watcher->openings, key,
            json_pack("{s:s, s:s}", "state", opening_state_name(world->openings.at[i]->state), "opens_at", at.ptr));
    }

    json_object_clear(watcher->notices);
    for (size_t i = 0; i < notices->count; i++) {
        key_of(notices->at[i]->id, key);
        json_object_set_new(watcher->notices, key,
                            json_pack("{s:s}", "state", notice_state_name(notices->at[i]->state)));
    }
}

static void hear(void *ctx)
{
    struct watcher *watcher = ctx;
    struct event event;

    for (enum events_next next; (next = events_next(&watcher->listener, &event)) != EVENTS_NONE;)
        if (next == EVENTS_ONE) {
            on_event(watcher, &event);
        } else { /* more at once than is kept: the whole state would be asked for again */
            learn_all(watcher);
            watcher->heard = event_listener_at(&watcher->listener);
        }
}

void watcher_begin(struct watcher *watcher, const struct world *world)
{
    *watcher = (struct watcher){.world = world, .listener = {.hear = hear, .ctx = watcher}};
    watcher->notices = json_object();
    watcher->openings = json_object();
    watcher->pauses = json_object();
    watcher->progress = json_object();
    learn_all(watcher);
    events_listen(world->events, &watcher->listener, NULL);
}

void watcher_clock_stepped(struct watcher *watcher)
{
    json_object_clear(watcher->progress);
}

void watcher_end(struct watcher *watcher)
{
    events_leave(&watcher->listener);
    json_decref(watcher->notices);
    json_decref(watcher->openings);
    json_decref(watcher->pauses);
    json_decref(watcher->progress);
    watcher->openings = watcher->pauses = watcher->notices = watcher->progress = NULL;
}

static void compare_count(struct watcher *watcher, const struct notice *notice, const json_t *known, const char *name,
                          int64_t is)
{
    const json_t *count = json_object_get(json_object_get(known, "counts"), name);

    if (count && json_integer_value(count) != is)
        complain(watcher, "notice %lld (%s): the events say %lld %s, and there are %lld", (long long)notice->id,
                 notice_state_name(notice->state), (long long)json_integer_value(count), name, (long long)is);
}

static void compare_opening(struct watcher *watcher, const struct opening *opening)
{
    const json_t *known;
    char key[24];
    int64_t at_ms = 0;

    key_of(opening->id, key);
    known = json_object_get(watcher->openings, key);
    moment_parse(text_of(word(known, "opens_at")), &at_ms, NULL);
    if (strcmp(word(known, "state"), opening_state_name(opening->state)) != 0 || at_ms != opening->opens_at_ms)
        complain(watcher, "opening %s is %s, and the events say %s at %s", key, opening_state_name(opening->state),
                 word(known, "state"), word(known, "opens_at"));
}

void watcher_compare(struct watcher *watcher)
{
    const struct world *world = watcher->world;

    hear(watcher);
    for (size_t i = 0; i < world->openings.count; i++)
        compare_opening(watcher, world->openings.at[i]);
    if (json_object_size(watcher->pauses) != world->pause_count)
        complain(watcher, "the events know of %zu pauses, and there are %zu", json_object_size(watcher->pauses),
                 world->pause_count);
    if (watcher->frozen != world->frozen)
        complain(watcher, "the events say that the clock is%s in doubt", watcher->frozen ? "" : " not");
    for (size_t i = 0; i < world->notices.count; i++) {
        const struct notice *notice = world->notices.at[i];
        struct tally tally = tally_with_rest(notice->course->tally, notice->rest);
        char key[24];
        key_of(notice->id, key);
        const json_t *known = json_object_get(watcher->notices, key);
        if (!known || strcmp(word(known, "state"), notice_state_name(notice->state)) != 0)
            complain(watcher, "notice %s is %s, and the events say %s", key, notice_state_name(notice->state),
                     known ? word(known, "state") : "nothing");
        if (notice_final(notice) && notice->course->tally.claimed == 0) {
            compare_count(watcher, notice, known, "planned", tally.planned);
            compare_count(watcher, notice, known, "accepted", tally.accepted);
            compare_count(watcher, notice, known, "refused", tally.refused);
            compare_count(watcher, notice, known, "in_doubt", tally.in_doubt);
            compare_count(watcher, notice, known, "withheld", tally.withheld);
        }
    }
}
