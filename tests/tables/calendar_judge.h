/* calendar_judge.h - is it a calendar? By the letter of RFC 5545, and by libical, which shares no code with us. */
#ifndef ONSALE_CALENDAR_JUDGE_H
#define ONSALE_CALENDAR_JUDGE_H

#include "text.h"

#include <libical/ical.h>
#include <string.h>

/* NULL: the lines are well: whole, folded between characters and outside of escapes, without controls. */
static inline const char *judge_lines(struct text rest)
{
    bool first = true;

    if (rest.len == 0 || rest.ptr[rest.len - 1] != '\n')
        return "the last line has no end";
    while (rest.len > 0) {
        struct text line = text_cut(&rest, '\n');
        size_t slashes = 0;
        if (line.len == 0 || line.ptr[line.len - 1] != '\r')
            return "a line does not end in CR LF";
        line.len--;
        if (line.len == 0)
            return "an empty line";
        if (line.len > 75)
            return "a line over 75 octets";
        if (!text_is_utf8(line))
            return "a line that is no UTF-8 by itself";
        for (size_t i = 0; i < line.len; i++)
            if ((unsigned char)line.ptr[i] < ' ' || line.ptr[i] == 0x7F)
                return "a control";
        while (slashes < line.len && line.ptr[line.len - 1 - slashes] == '\\')
            slashes++;
        if (slashes % 2)
            return "a fold within an escape";
        if (line.ptr[0] == ' ' && (first || line.len == 1))
            return "a continuation of nothing";
        if (line.ptr[0] != ' ' && !memchr(line.ptr, ':', line.len) && !memchr(line.ptr, ';', line.len))
            return "a line without a name";
        first = false;
    }
    return NULL;
}

static inline int judge_count(icalcomponent *event, icalproperty_kind kind)
{
    return icalcomponent_count_properties(event, kind);
}

/* NULL: one event with what belongs to it, and nothing that somebody else has put there. `*out` is yours to free. */
static inline const char *judge_event(struct text calendar, icalcomponent **out)
{
    static const struct {
        icalproperty_kind kind;
        int least, most;
    } wanted[] = {{ICAL_UID_PROPERTY, 1, 1},         {ICAL_DTSTAMP_PROPERTY, 1, 1},     {ICAL_CREATED_PROPERTY, 1, 1},
                  {ICAL_SEQUENCE_PROPERTY, 1, 1},    {ICAL_DTSTART_PROPERTY, 1, 1},     {ICAL_DTEND_PROPERTY, 1, 1},
                  {ICAL_SUMMARY_PROPERTY, 1, 1},     {ICAL_DESCRIPTION_PROPERTY, 1, 1}, {ICAL_URL_PROPERTY, 0, 1},
                  {ICAL_LOCATION_PROPERTY, 0, 1},    {ICAL_STATUS_PROPERTY, 1, 1},      {ICAL_TRANSP_PROPERTY, 1, 1},
                  {ICAL_CATEGORIES_PROPERTY, 1, 1},  {ICAL_ATTENDEE_PROPERTY, 0, 0},    {ICAL_RRULE_PROPERTY, 0, 0},
                  {ICAL_ATTACH_PROPERTY, 0, 0},      {ICAL_XLICERROR_PROPERTY, 0, 0},   {ICAL_ORGANIZER_PROPERTY, 0, 1},
                  {ICAL_LASTMODIFIED_PROPERTY, 1, 1}};
    auto_free char *copy = text_dup(calendar);
    icalcomponent *whole = icalparser_parse_string(copy), *event;

    *out = whole;
    if (!whole || icalcomponent_isa(whole) != ICAL_VCALENDAR_COMPONENT)
        return "libical finds no calendar";
    if (icalcomponent_count_components(whole, ICAL_ANY_COMPONENT) != 1 ||
        !(event = icalcomponent_get_first_component(whole, ICAL_VEVENT_COMPONENT)))
        return "libical does not find one event alone";
    if (icalcomponent_count_errors(whole) > 0)
        return "libical finds errors";
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        int count = judge_count(event, wanted[i].kind);
        if (count < wanted[i].least || count > wanted[i].most)
            return icalproperty_kind_to_string(wanted[i].kind);
    }
    if (icalcomponent_count_components(event, ICAL_ANY_COMPONENT) !=
        icalcomponent_count_components(event, ICAL_VALARM_COMPONENT))
        return "something else than an alarm within the event";
    return NULL;
}

#endif
