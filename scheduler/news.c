#include "news.h"

#include "events.h"
#include "said.h"

#include <string.h>

enum { TEXT_MAX = 1000 }; /* bytes of a text from outside */

static json_t *text(const char *string)
{
    return json_said(string, TEXT_MAX);
}

static const char *title_of(const struct world *world, const char *site, const char *event_id)
{
    for (size_t i = 0; i < world->site_count; i++)
        if (strcmp(world->sites[i].name, site) == 0) {
            struct definition *const *first;
            return definitions_of_event(&world->sites[i].definitions, event_id, &first) ? first[0]->event_title : NULL;
        }
    return NULL;
}

/* --- Notices ------------------------------------------------------------------------------------------------------ */

void news_notice(const struct world *world, const struct notice *notice, const enum notice_state *before)
{
    if (!world->events)
        return;
    const char *reason = notice->reason ? notice_reason_name(notice->reason) : NULL;
    json_t *data =
        json_pack("{s:I, s:o, s:o, s:o, s:o, s:s, s:s?, s:s?, s:o, s:b, s:o, s:o, s:o}", "id", (json_int_t)notice->id,
                  "site", text(notice->site), "event_id", text(notice->subject), "event_title",
                  text(title_of(world, notice->site, notice->subject)), "rule", text(notice->rule), "state",
                  notice_state_name(notice->state), "before", before ? notice_state_name(*before) : NULL, "reason",
                  reason, "reason_text", text(notice->course->reason_text), "paused",
                  notice->paused || world_paused(world, ""), "opens_at", json_moment(notice->at_ms), "due_at",
                  json_moment(notice->due_at_ms), "counts", json_counts(notice));
    events_say(world->events, EVENT_NOTICE, notice->id, data);
}

void news_forecast(const struct world *world, const struct notice *notice, int64_t people, int64_t within_ms)
{
    bool known = notice->course->will_finish_ms >= 0;

    if (world->events)
        events_say(world->events, EVENT_FORECAST, notice->id,
                   json_pack("{s:I, s:I, s:o, s:I, s:o, s:o}", "id", (json_int_t)notice->id, "people",
                             (json_int_t)people, "will_finish_ms",
                             known ? json_integer(notice->course->will_finish_ms) : json_null(), "finish_within_ms",
                             (json_int_t)within_ms, "fits", known ? json_boolean(!notice->will_not_fit) : json_null(),
                             "forecast", text(notice->course->forecast)));
}

void news_progress(const struct world *world, const struct notice *notice, int64_t per_second)
{
    if (world->events)
        events_say(world->events, EVENT_PROGRESS, notice->id,
                   json_pack("{s:I, s:s, s:o, s:I}", "id", (json_int_t)notice->id, "state",
                             notice_state_name(notice->state), "counts", json_counts(notice), "per_second",
                             (json_int_t)per_second));
}

/* --- Openings ----------------------------------------------------------------------------------------------------- */

static void say_opening(const struct world *world, const struct opening *opening)
{
    static const char *const words[] = {
        [OPENING_NEW] = "new",
        [OPENING_MOVED] = "moved",
        [OPENING_CHANGED] = "changed",
        [OPENING_GONE] = "withdrawn",
    };
    events_say(world->events, EVENT_OPENING, 0,
               json_pack("{s:I, s:s, s:o, s:o, s:o, s:s, s:o, s:I}", "id", (json_int_t)opening->id, "what",
                         words[opening->news], "site", text(opening->site), "event_id", text(opening->event_id),
                         "event_title", text(title_of(world, opening->site, opening->event_id)), "state",
                         opening_state_name(opening->state), "opens_at", json_moment(opening->opens_at_ms),
                         "definitions", (json_int_t)opening->member_count));
}

void news_openings(struct world *world, const char *site, const char *event_id)
{
    struct opening *newest = openings_of(&world->openings, site, event_id), **changed;
    size_t count = 0;

    for (const struct opening *opening = newest; opening; opening = opening->next)
        count += opening->news != OPENING_SAME;
    changed = must_calloc(count + 1, sizeof *changed);
    for (struct opening *opening = newest, **end = changed + count; opening; opening = opening->next)
        if (opening->news)
            *--end = opening; /* the oldest is told first */
    for (size_t i = 0; i < count; i++) {
        if (world->events)
            say_opening(world, changed[i]);
        changed[i]->news = OPENING_SAME;
    }
    free(changed);
}

/* --- Pauses ------------------------------------------------------------------------------------------------------- */

void news_pause(const struct world *world, bool paused, const char *target, const char *who)
{
    int64_t notice = 0;

    if (!world->events)
        return;
    if (text_starts(text_of(target), "notice:"))
        parse_i64(text_of(target + strlen("notice:")), 1, INT64_MAX, &notice, NULL);
    events_say(world->events, paused ? EVENT_PAUSE : EVENT_RESUME, notice,
               json_pack("{s:o, s:o}", "target", text(target), "who", text(who)));
}

/* --- Neighbours --------------------------------------------------------------------------------------------------- */

void news_came_back(const struct world *world, const struct store_fed_back *what)
{
    if (what->stored)
        events_count(world->events, EVENT_BOUNCE, feedback_name(what->kind), 1);
    if (what->suppressed)
        events_count(world->events, EVENT_SUPPRESSION, what->kind == FEEDBACK_COMPLAINT ? "complaint" : "bounce", 1);
}

void news_notifier(const struct world *world, const char *name, const char *trouble, bool needs_person)
{
    if (world->events)
        events_say(world->events, EVENT_NOTIFIER, 0,
                   json_pack("{s:o, s:b, s:o, s:b}", "name", text(name), "well", trouble == NULL, "trouble",
                             text(trouble), "needs_person", needs_person));
}

void news_site(const struct world *world, const char *name, const char *trouble)
{
    if (world->events)
        events_say(world->events, EVENT_SITE, 0,
                   json_pack("{s:o, s:b, s:o}", "name", text(name), "well", trouble == NULL, "trouble", text(trouble)));
}

/* --- The whole ---------------------------------------------------------------------------------------------------- */

void news_copy(const struct world *world)
{
    if (world->events)
        events_say(world->events, EVENT_COPY, 0, json_pack("{s:o}", "reason", text(world->copy)));
}

void news_adopted(const struct world *world, const char *who)
{
    if (world->events)
        events_say(world->events, EVENT_ADOPTED, 0, json_pack("{s:o}", "who", text(who)));
}

void news_frozen(const struct world *world)
{
    if (world->events)
        events_say(world->events, EVENT_FROZEN, 0, json_pack("{s:b}", "frozen", world->frozen));
}

void news_reload(const struct world *world, const char *refused)
{
    if (world->events)
        events_say(world->events, EVENT_RELOAD, 0,
                   json_pack("{s:b, s:o}", "done", refused == NULL, "refused", text(refused)));
}

void news_stopping(const struct world *world)
{
    if (world->events)
        events_say(world->events, EVENT_STOPPING, 0, json_object());
}
