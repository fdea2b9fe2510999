#include "almanac.h"

#include <string.h>

static void complain(struct almanac *almanac, const char *what, const char *uid)
{
    if (!*almanac->complaint)
        snprintf(almanac->complaint, sizeof almanac->complaint, "calendar: %s: %s", uid, what);
}

void almanac_init(struct almanac *almanac, const struct clock *clock)
{
    *almanac = (struct almanac){
        .clock = clock, .events = json_object(), .present = json_object(), .modified_at_ms = MOMENT_NONE};
    buf_init(&almanac->bytes, 64 << 20);
}

void almanac_clear(struct almanac *almanac)
{
    json_decref(almanac->events);
    json_decref(almanac->present);
    free(almanac->etag);
    buf_clear(&almanac->bytes);
}

static int number(const json_t *object, const char *key)
{
    return (int)json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key)
{
    const char *found = json_string_value(json_object_get(object, key));

    return found ? found : "";
}

/* Against its version before: the number and the moment rise exactly when something else has changed, or it is back. */
static void compare(struct almanac *almanac, const char *uid, const json_t *before, const json_t *now)
{
    bool same = strcmp(text(before, "text"), text(now, "text")) == 0 && json_object_get(almanac->former, uid);

    if (strcmp(text(before, "created"), text(now, "created")) != 0)
        complain(almanac, "it was created at another time", uid);
    if (same && number(before, "sequence") != number(now, "sequence"))
        complain(almanac, "its sequence rises, and nothing has changed", uid);
    if (!same && number(before, "sequence") >= number(now, "sequence"))
        complain(almanac, "it has changed, and its sequence does not rise", uid);
    if (same != (strcmp(text(before, "modified"), text(now, "modified")) == 0))
        complain(almanac, "LAST-MODIFIED and what is shown do not change together", uid);
    if (!same && strcmp(text(before, "modified"), text(now, "modified")) > 0)
        complain(almanac, "LAST-MODIFIED goes back", uid);
}

static void end_event(struct almanac *almanac, json_t *event, const struct buf *rest)
{
    const char *uid = text(event, "uid");
    const json_t *before = json_object_get(almanac->events, uid);

    json_object_set_new(event, "text", json_string(rest->ptr));
    if (strcmp(text(event, "stamp"), text(event, "modified")) != 0)
        complain(almanac, "DTSTAMP is not LAST-MODIFIED", uid);
    if (json_object_get(almanac->present, uid))
        complain(almanac, "it is there twice", uid);
    if (before)
        compare(almanac, uid, before, event);
    json_object_set(almanac->events, uid, event);
    json_object_set(almanac->present, uid, event);
}

static void take_line(json_t *event, struct text line, struct buf *rest)
{
    static const struct {
        const char *name, *key;
        bool kept; /* it is part of what is shown */
    } known[] = {
        {"UID:", "uid", false},         {"DTSTAMP:", "stamp", false},
        {"CREATED:", "created", false}, {"LAST-MODIFIED:", "modified", false},
        {"DTSTART:", "start", true},    {"STATUS:", "status", true},
        {"SUMMARY:", "summary", true},  {"TRIGGER:", "alarm", true},
    };

    if (text_starts(line, "SEQUENCE:")) {
        json_object_set_new(event, "sequence", json_integer(atoll(line.ptr + strlen("SEQUENCE:"))));
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (text_starts(line, known[i].name)) {
            size_t len = strlen(known[i].name);
            json_object_set_new(event, known[i].key, json_stringn(line.ptr + len, line.len - len));
            if (!known[i].kept)
                return;
        }
    buf_add_text(rest, line);
    buf_addc(rest, '\n');
}

/* What was in it, and is no more: it was called off, and said so, or it has opened. */
static void look_for_gone(struct almanac *almanac)
{
    struct civil now = civil_of(clock_now_ms(almanac->clock));
    char today[128];
    const char *uid;
    json_t *event;

    snprintf(today, sizeof today, "%04d%02d%02dT%02d%02d%02dZ", now.year, now.month, now.day, now.hour, now.minute,
             now.second);
    json_object_foreach(almanac->former, uid, event)
    {
        bool called_off = strcmp(text(event, "status"), "CANCELLED") == 0;
        if (!json_object_get(almanac->present, uid) && !called_off && strcmp(text(event, "start"), today) > 0)
            complain(almanac, "it is gone, and was never called off", uid);
    }
}

static void read_calendar(struct almanac *almanac, struct text calendar)
{
    auto_buf struct buf rest;
    json_t *event = NULL;

    buf_init(&rest, 1 << 20);
    almanac->former = almanac->present;
    almanac->present = json_object();
    while (calendar.len > 0) {
        struct text line = text_trim(text_cut(&calendar, '\n'));
        if (text_is(line, "BEGIN:VEVENT")) {
            event = json_object();
            buf_reset(&rest);
        } else if (event && text_is(line, "END:VEVENT")) {
            end_event(almanac, event, &rest);
            json_decref(event);
            event = NULL;
        } else if (event) {
            take_line(event, line, &rest);
        }
    }
    if (event)
        complain(almanac, "an event without an end", text(event, "uid"));
    json_decref(event);
    look_for_gone(almanac);
    json_decref(almanac->former);
    almanac->former = NULL;
}

void almanac_look(struct almanac *almanac, struct feed *feed, const char *site)
{
    const struct feed_body *body = feed_of_site(feed, site);
    bool first = !almanac->etag;

    if (!first && !feed_is_published(feed, site))
        return; /* nobody is served it */
    if (!body) {
        complain(almanac, "there is none", site);
        return;
    }
    bool same = !first && text_equal(feed_body_plain(body), buf_text(&almanac->bytes));
    if (!first && same != (strcmp(almanac->etag, feed_body_etag(body, false)) == 0))
        complain(almanac, "the entity tag and the bytes do not change together", site);
    if (same && feed_body_modified_at_ms(body) != almanac->modified_at_ms)
        complain(almanac, "Last-Modified changes, and the bytes do not", site);
    if (same)
        return;
    if (!first && feed_body_modified_at_ms(body) <= almanac->modified_at_ms)
        complain(almanac, "the bytes change, and Last-Modified does not", site);
    read_calendar(almanac, feed_body_plain(body));
    if (json_object_size(almanac->present) != feed_body_count(body))
        complain(almanac, "it does not count its events", site);
    free(almanac->etag);
    almanac->etag = must_strdup(feed_body_etag(body, false));
    buf_reset(&almanac->bytes);
    buf_add_text(&almanac->bytes, feed_body_plain(body));
    almanac->modified_at_ms = feed_body_modified_at_ms(body);
    almanac->versions++;
}

json_t *almanac_at(const struct almanac *almanac, int64_t at_ms)
{
    struct civil at = civil_of(at_ms);
    char start[128];
    const char *uid;
    json_t *event;

    snprintf(start, sizeof start, "%04d%02d%02dT%02d%02d%02dZ", at.year, at.month, at.day, at.hour, at.minute,
             at.second);
    json_object_foreach(almanac->present, uid, event) if (strcmp(text(event, "start"), start) == 0) return event;
    return NULL;
}
