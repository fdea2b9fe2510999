#include "calendar_private.h"

#include <libical/ical.h>
#include <string.h>

/* What a calendar can say: four digits of a year, and readers count from 1970. */
static bool is_sayable(int64_t at_ms)
{
    return at_ms >= 0 && at_ms < INT64_C(253402300800000) - DAY_MS; /* a day before the year 10000 */
}

static int check_moments(const struct calendar_entry *entry, struct error *err)
{
    if (!is_sayable(entry->opens_at_ms))
        return error_set(err, ERROR_REFUSED, "it opens at a time that no calendar can show");
    if (!is_sayable(entry->created_at_ms) || !is_sayable(entry->modified_at_ms) || !is_sayable(entry->stamp_at_ms))
        return error_set(err, ERROR_REFUSED, "the clock shows a time that no calendar can show");
    return 0;
}

/* --- An event ----------------------------------------------------------------------------------------------------- */

/* libical makes nothing but for lack of memory. */
static void add(icalcomponent *component, icalproperty *property)
{
    if (!property)
        abort();
    icalcomponent_add_property(component, property);
}

/* libical escapes nothing in them: RFC 5545 section 3.3.11. */
static void add_x(icalcomponent *component, const char *name, struct text value)
{
    auto_buf struct buf escaped;

    buf_init(&escaped, 4096);
    for (size_t i = 0; i < value.len; i++) {
        if (strchr("\\;,", value.ptr[i]))
            buf_addc(&escaped, '\\');
        buf_addc(&escaped, value.ptr[i]);
    }
    icalproperty *property = icalproperty_new_x(escaped.len > 0 ? escaped.ptr : "");
    if (property)
        icalproperty_set_x_name(property, name);
    add(component, property);
}

static struct icaltimetype moment(int64_t at_ms)
{
    return icaltime_from_timet_with_zone((time_t)(at_ms / SECOND_MS), 0, icaltimezone_get_utc_timezone());
}

/* Beyond an hour in whole minutes: libical skips minutes that are none, which section 3.3.6 forbids. */
static struct icaldurationtype span(int64_t span_ms)
{
    int64_t unit = span_ms < HOUR_MS ? SECOND_MS : MINUTE_MS;

    return icaldurationtype_from_int((int)(span_ms / unit * unit / SECOND_MS));
}

/* Outlook takes one of them, others none. */
static void add_alarm(icalcomponent *event, int64_t alarm_ms, const char *summary)
{
    struct icaltriggertype trigger = {.time = icaltime_null_time(), .duration = span(alarm_ms)};
    icalcomponent *alarm = icalcomponent_new(ICAL_VALARM_COMPONENT);

    trigger.duration.is_neg = 1;
    add(alarm, icalproperty_new_action(ICAL_ACTION_DISPLAY));
    add(alarm, icalproperty_new_description(summary));
    add(alarm, icalproperty_new_trigger(trigger));
    icalcomponent_add_component(event, alarm);
}

static void add_members(icalcomponent *event, const struct calendar_entry *entry)
{
    auto_buf struct buf id;

    buf_init(&id, 4096);
    for (size_t i = 0; i < entry->member_count; i++) {
        buf_reset(&id);
        calendar_clean(&id, text_of(entry->members[i]), CALENDAR_PLACE_MAX, false);
        if (id.len > 0)
            add_x(event, "X-ONSALE-DEFINITION", buf_text(&id));
    }
}

static void add_words(icalcomponent *event, const struct calendar_words *words)
{
    add(event, icalproperty_new_summary(words->summary.len > 0 ? words->summary.ptr : ""));
    if (words->description.len > 0)
        add(event, icalproperty_new_description(words->description.ptr));
    if (words->url.len > 0)
        add(event, icalproperty_new_url(words->url.ptr));
    if (words->place.len > 0)
        add(event, icalproperty_new_location(words->place.ptr));
    if (words->category.len > 0)
        add(event, icalproperty_new_categories(words->category.ptr));
}

static icalcomponent *make_event(const struct calendar_style *style, const struct calendar_entry *entry,
                                 const struct calendar_words *words)
{
    icalcomponent *event = icalcomponent_new(ICAL_VEVENT_COMPONENT);

    add(event, icalproperty_new_uid(entry->uid));
    add(event, icalproperty_new_dtstamp(moment(entry->stamp_at_ms)));
    add(event, icalproperty_new_created(moment(entry->created_at_ms)));
    add(event, icalproperty_new_lastmodified(moment(entry->modified_at_ms)));
    add(event, icalproperty_new_sequence((int)entry->sequence));
    add(event, icalproperty_new_dtstart(moment(entry->opens_at_ms)));
    add(event, icalproperty_new_dtend(moment(entry->opens_at_ms + CALENDAR_LENGTH_MS)));
    add_words(event, words);
    add(event, icalproperty_new_status(entry->withdrawn ? ICAL_STATUS_CANCELLED : ICAL_STATUS_CONFIRMED));
    add(event, icalproperty_new_transp(ICAL_TRANSP_TRANSPARENT));
    add_x(event, "X-MICROSOFT-CDO-BUSYSTATUS", TEXT("FREE"));
    add_members(event, entry);
    if (style->alarm_ms > 0 && !entry->withdrawn)
        add_alarm(event, style->alarm_ms, words->summary.len > 0 ? words->summary.ptr : "");
    return event;
}

/* NULL: `err` says why. */
static icalcomponent *event_of(const struct calendar_style *style, const struct calendar_entry *entry,
                               struct error *err)
{
    struct calendar_words words;
    icalcomponent *event = NULL;

    if (check_moments(entry, err) < 0)
        return NULL;
    calendar_words_init(&words);
    if (calendar_say(style, entry, &words, err) == 0)
        event = make_event(style, entry, &words);
    calendar_words_clear(&words);
    return event;
}

/* Frees `component`. `end`: what is left away at its end. */
static void add_component(struct buf *buf, icalcomponent *component, const char *end)
{
    char *lines = icalcomponent_as_ical_string_r(component);

    calendar_add_folded(buf, text_slice(text_of(lines), 0, strlen(lines) - strlen(end)));
    icalmemory_free_buffer(lines);
    icalcomponent_free(component);
}

int calendar_add_event(struct buf *buf, const struct calendar_style *style, const struct calendar_entry *entry,
                       struct error *err)
{
    icalcomponent *event = event_of(style, entry, err);

    if (!event)
        return -1;
    add_component(buf, event, "");
    return 0;
}

/* --- What stands around them -------------------------------------------------------------------------------------- */

static const char calendar_end[] = "END:VCALENDAR\r\n";

static icalcomponent *new_calendar(void)
{
    icalcomponent *calendar = icalcomponent_new(ICAL_VCALENDAR_COMPONENT);

    add(calendar, icalproperty_new_version("2.0"));
    add(calendar, icalproperty_new_prodid("-//Onsale//Sale openings//EN"));
    return calendar;
}

int calendar_add_head(struct buf *buf, const struct calendar_style *style, const char *name, const char *event_title,
                      int64_t refresh_ms, struct error *err)
{
    auto_buf struct buf shown, refresh;

    buf_init(&shown, 4096);
    buf_init(&refresh, 100);
    if (name && *name)
        calendar_clean(&shown, text_of(name), CALENDAR_SUMMARY_MAX, false);
    else if (calendar_name(style, &shown, err) < 0)
        return -1;
    if (*event_title) {
        buf_adds(&shown, shown.len > 0 ? ": " : "");
        calendar_clean(&shown, text_of(event_title), CALENDAR_TITLE_MAX, false);
    }
    icalcomponent *calendar = new_calendar();
    char *span_text = icaldurationtype_as_ical_string_r(span(refresh_ms));
    buf_addf(&refresh, "REFRESH-INTERVAL;VALUE=DURATION:%s", span_text);
    if (shown.len > 0) {
        add(calendar, icalproperty_new_name(shown.ptr));
        add_x(calendar, "X-WR-CALNAME", buf_text(&shown)); /* what most readers look at */
    }
    add(calendar, icalproperty_new_from_string(refresh.ptr));
    add_x(calendar, "X-PUBLISHED-TTL", text_of(span_text));
    icalmemory_free_buffer(span_text);
    add_component(buf, calendar, calendar_end);
    return 0;
}

void calendar_add_foot(struct buf *buf)
{
    buf_adds(buf, calendar_end);
}

/* An address as a mailto: value: what is no plain character of an address is percent-encoded (RFC 6068). */
static void add_mailto(struct buf *buf, const char *address)
{
    buf_adds(buf, "mailto:");
    for (const unsigned char *c = (const unsigned char *)address; *c; c++)
        if ((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') || strchr("@.-_+~", *c))
            buf_addc(buf, (char)*c);
        else
            buf_addf(buf, "%%%02X", *c);
}

/* libical writes a quote as RFC 6868 has it, not the sign that begins such words; and it takes a backslash before the
 * closing quote for an escape when it reads. */
static void add_cn(struct buf *out, struct text name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] == '^')
            buf_adds(out, "^^");
        else
            buf_addc(out, name.ptr[i] == '\\' ? '/' : name.ptr[i]);
}

static void add_organizer(icalcomponent *event, const struct calendar_organizer *organizer)
{
    auto_buf struct buf name, cn, address;

    buf_init(&name, 4096);
    buf_init(&cn, 4096);
    buf_init(&address, 4096);
    calendar_clean(&name, text_of(organizer->name), CALENDAR_TITLE_MAX, false);
    add_cn(&cn, buf_text(&name));
    add_mailto(&address, organizer->address);
    icalproperty *property = icalproperty_new_organizer(address.ptr);
    if (property && cn.len > 0)
        icalproperty_add_parameter(property, icalparameter_new_cn(cn.ptr));
    add(event, property);
}

int calendar_add_published(struct buf *buf, const struct calendar_style *style, const struct calendar_entry *entry,
                           const struct calendar_organizer *organizer, struct error *err)
{
    icalcomponent *event = event_of(style, entry, err), *calendar;

    if (!event)
        return -1;
    calendar = new_calendar();
    add(calendar, icalproperty_new_method(ICAL_METHOD_PUBLISH));
    add_organizer(event, organizer);
    icalcomponent_add_component(calendar, event);
    add_component(buf, calendar, "");
    return 0;
}
