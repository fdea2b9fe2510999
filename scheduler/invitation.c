#include "invitation.h"

#include <string.h>

static bool speaks(const struct invitation_spec *spec)
{
    return spec->texts && spec->notice->kind == MOMENT_SALE_START;
}

static const struct message_calendar *fill(struct invitation *out, const struct invitation_spec *spec, size_t count)
{
    const char *zone = *out->tickets[0]->event_zone ? out->tickets[0]->event_zone : spec->site->time_zone;

    out->calendar.texts = spec->texts;
    out->calendar.attach = spec->rule->attach_calendar;
    out->calendar.alarm_ms = spec->site->feed.alarm_ms;
    out->calendar.fed = spec->site->feed.public;
    out->calendar.entry.uid = out->uid;
    out->calendar.entry.opens_at_ms = spec->notice->at_ms;
    out->calendar.entry.zone = zone && *zone ? zones_get(spec->zones, zone) : NULL;
    out->calendar.entry.tickets = out->tickets;
    out->calendar.entry.ticket_count = count;
    return &out->calendar;
}

/* As a daemon would have it, that started now. */
static void recall(const struct invitation_spec *spec, const struct opening *opening, struct feed_stamp *out)
{
    const struct store_calendars *stored = spec->stored;

    *out = (struct feed_stamp){
        .created_at_ms = spec->now_ms, .modified_at_ms = spec->now_ms, .moved_from_ms = MOMENT_NONE};
    calendar_uid(spec->keys, opening->site, opening->id, out->uid);
    for (size_t i = 0; stored && i < stored->entry_count; i++) {
        const struct store_entry *row = &stored->entries[i];
        bool moved = row->opens_at_ms / SECOND_MS != opening->opens_at_ms / SECOND_MS;
        if (row->opening != opening->id)
            continue;
        out->sequence = row->sequence + (moved ? 1 : 0);
        out->created_at_ms = row->created_at_ms;
        out->modified_at_ms = moved ? spec->now_ms : row->modified_at_ms;
        out->moved_from_ms = moved ? row->opens_at_ms : row->moved_from_ms;
        snprintf(out->uid, sizeof out->uid, "%s", row->uid);
    }
}

static void take_stamp(struct invitation *out, const struct feed_stamp *stamp)
{
    struct calendar_entry *entry = &out->calendar.entry;

    snprintf(out->uid, sizeof out->uid, "%s", stamp->uid);
    entry->sequence = stamp->sequence;
    entry->created_at_ms = stamp->created_at_ms;
    entry->modified_at_ms = stamp->modified_at_ms;
    entry->moved_from_ms = stamp->moved_from_ms;
}

const struct message_calendar *invitation_make(struct invitation *out, const struct invitation_spec *spec)
{
    const struct notice *notice = spec->notice;
    const struct opening *opening = openings_find(spec->openings, notice->site, notice->subject, notice->at_ms);
    struct feed_stamp stamp;
    size_t count = 0;

    *out = (struct invitation){0};
    if (!speaks(spec) || !opening)
        return NULL;
    out->tickets = must_calloc(opening->member_count + 1, sizeof *out->tickets);
    for (size_t i = 0; i < opening->member_count; i++) {
        const struct definition *definition = definitions_find(spec->definitions, opening->members[i]);
        if (definition)
            out->tickets[count++] = definition;
    }
    if (count == 0)
        return NULL;
    if (spec->feed)
        feed_stamp(spec->feed, opening, &stamp);
    else
        recall(spec, opening, &stamp);
    take_stamp(out, &stamp);
    out->calendar.entry.members = (const char *const *)opening->members;
    out->calendar.entry.member_count = opening->member_count;
    return fill(out, spec, count);
}

const struct message_calendar *invitation_make_sample(struct invitation *out, const struct invitation_spec *spec,
                                                      const struct definition *const *tickets, size_t count)
{
    *out = (struct invitation){0};
    if (!speaks(spec))
        return NULL;
    out->tickets = must_calloc(count, sizeof *out->tickets);
    out->members = must_calloc(count, sizeof *out->members);
    for (size_t i = 0; i < count; i++) {
        out->tickets[i] = tickets[i];
        out->members[i] = tickets[i]->id;
    }
    out->calendar.entry.members = out->members;
    out->calendar.entry.member_count = count;
    calendar_uid(spec->keys, spec->site->name, 0, out->uid); /* real ones count from 1 */
    out->calendar.entry.created_at_ms = out->calendar.entry.modified_at_ms = spec->now_ms;
    out->calendar.entry.moved_from_ms = MOMENT_NONE;
    return fill(out, spec, count);
}

void invitation_clear(struct invitation *invitation)
{
    free(invitation->tickets);
    free(invitation->members);
    *invitation = (struct invitation){0};
}
