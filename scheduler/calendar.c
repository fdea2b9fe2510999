#include "calendar_private.h"

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

static void add_literal(struct buf *buf, const char *line)
{
    buf_addf(buf, "%s\r\n", line);
}

/* After all properties of its event (RFC 5545 section 3.6.1). Outlook takes one of them, others none. */
static void add_alarm(struct buf *buf, int64_t alarm_ms, struct text summary)
{
    add_literal(buf, "BEGIN:VALARM");
    add_literal(buf, "ACTION:DISPLAY");
    calendar_add_text(buf, "DESCRIPTION", summary);
    buf_adds(buf, "TRIGGER:-");
    calendar_add_span(buf, alarm_ms);
    buf_adds(buf, "\r\n");
    add_literal(buf, "END:VALARM");
}

static void add_members(struct buf *buf, const struct calendar_entry *entry)
{
    auto_buf struct buf id;

    buf_init(&id, 4096);
    for (size_t i = 0; i < entry->member_count; i++) {
        buf_reset(&id);
        calendar_clean(&id, text_of(entry->members[i]), CALENDAR_PLACE_MAX, false);
        if (id.len > 0)
            calendar_add_text(buf, "X-ONSALE-DEFINITION", buf_text(&id));
    }
}

static void add_words(struct buf *buf, const struct calendar_words *words)
{
    calendar_add_text(buf, "SUMMARY", buf_text(&words->summary));
    if (words->description.len > 0)
        calendar_add_text(buf, "DESCRIPTION", buf_text(&words->description));
    if (words->url.len > 0)
        calendar_add_value(buf, "URL", buf_text(&words->url));
    if (words->place.len > 0)
        calendar_add_text(buf, "LOCATION", buf_text(&words->place));
    if (words->category.len > 0)
        calendar_add_text(buf, "CATEGORIES", buf_text(&words->category)); /* one: a comma in it is escaped */
}

int calendar_add_event(struct buf *buf, const struct calendar_style *style, const struct calendar_entry *entry,
                       struct error *err)
{
    struct calendar_words words;
    char sequence[32];

    if (check_moments(entry, err) < 0)
        return -1;
    calendar_words_init(&words);
    if (calendar_say(style, entry, &words, err) < 0) {
        calendar_words_clear(&words);
        return -1;
    }
    snprintf(sequence, sizeof sequence, "%lld", (long long)entry->sequence);
    add_literal(buf, "BEGIN:VEVENT");
    calendar_add_text(buf, "UID", text_of(entry->uid));
    calendar_add_moment(buf, "DTSTAMP", entry->stamp_at_ms);
    calendar_add_moment(buf, "CREATED", entry->created_at_ms);
    calendar_add_moment(buf, "LAST-MODIFIED", entry->modified_at_ms);
    calendar_add_value(buf, "SEQUENCE", text_of(sequence));
    calendar_add_moment(buf, "DTSTART", entry->opens_at_ms);
    calendar_add_moment(buf, "DTEND", entry->opens_at_ms + CALENDAR_LENGTH_MS);
    add_words(buf, &words);
    add_literal(buf, entry->withdrawn ? "STATUS:CANCELLED" : "STATUS:CONFIRMED");
    add_literal(buf, "TRANSP:TRANSPARENT");
    add_literal(buf, "X-MICROSOFT-CDO-BUSYSTATUS:FREE");
    add_members(buf, entry);
    if (style->alarm_ms > 0 && !entry->withdrawn)
        add_alarm(buf, style->alarm_ms, buf_text(&words.summary));
    add_literal(buf, "END:VEVENT");
    calendar_words_clear(&words);
    return 0;
}

/* --- What stands around them -------------------------------------------------------------------------------------- */

static void add_begin(struct buf *buf)
{
    add_literal(buf, "BEGIN:VCALENDAR");
    add_literal(buf, "VERSION:2.0");
    add_literal(buf, "PRODID:-//Onsale//Sale openings//EN");
}

int calendar_add_head(struct buf *buf, const struct calendar_style *style, const char *name, const char *event_title,
                      int64_t refresh_ms, struct error *err)
{
    auto_buf struct buf shown, span;

    buf_init(&shown, 4096);
    buf_init(&span, 64);
    if (name && *name)
        calendar_clean(&shown, text_of(name), CALENDAR_SUMMARY_MAX, false);
    else if (calendar_name(style, &shown, err) < 0)
        return -1;
    if (*event_title) {
        buf_adds(&shown, shown.len > 0 ? ": " : "");
        calendar_clean(&shown, text_of(event_title), CALENDAR_TITLE_MAX, false);
    }
    calendar_add_span(&span, refresh_ms);
    add_begin(buf);
    if (shown.len > 0) {
        calendar_add_text(buf, "NAME", buf_text(&shown));
        calendar_add_text(buf, "X-WR-CALNAME", buf_text(&shown)); /* what most readers look at */
    }
    calendar_add_value(buf, "REFRESH-INTERVAL;VALUE=DURATION", buf_text(&span));
    calendar_add_value(buf, "X-PUBLISHED-TTL", buf_text(&span));
    return 0;
}

void calendar_add_foot(struct buf *buf)
{
    add_literal(buf, "END:VCALENDAR");
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

static void add_organizer(struct buf *buf, const struct calendar_organizer *organizer)
{
    auto_buf struct buf name, property, address;

    buf_init(&name, 4096);
    buf_init(&property, 4096);
    buf_init(&address, 4096);
    calendar_clean(&name, text_of(organizer->name), CALENDAR_TITLE_MAX, false);
    buf_adds(&property, "ORGANIZER");
    if (name.len > 0) {
        buf_adds(&property, ";CN=");
        calendar_add_quoted(&property, buf_text(&name));
    }
    add_mailto(&address, organizer->address);
    calendar_add_value(buf, property.ptr, buf_text(&address));
}

int calendar_add_published(struct buf *buf, const struct calendar_style *style, const struct calendar_entry *entry,
                           const struct calendar_organizer *organizer, struct error *err)
{
    static const char end[] = "END:VEVENT\r\n";
    auto_buf struct buf event;
    struct text text;
    const char *alarm;

    buf_init(&event, CALENDAR_EVENT_MAX);
    if (calendar_add_event(&event, style, entry, err) < 0)
        return -1;
    if (buf_failed(&event))
        return error_set(err, ERROR_REFUSED, "the event is over %d bytes", CALENDAR_EVENT_MAX);
    text = buf_text(&event);
    /* The organizer is a property: it stands before the alarm. At the beginning of a line there is nothing else. */
    alarm = memmem(text.ptr, text.len, "\r\nBEGIN:VALARM\r\n", strlen("\r\nBEGIN:VALARM\r\n"));
    size_t at = alarm ? (size_t)(alarm - text.ptr) + 2 : text.len - strlen(end);
    add_begin(buf);
    add_literal(buf, "METHOD:PUBLISH");
    buf_add_text(buf, text_slice(text, 0, at));
    add_organizer(buf, organizer);
    buf_add_text(buf, text_slice(text, at, text.len));
    calendar_add_foot(buf);
    return 0;
}
