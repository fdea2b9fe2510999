#include "values.h"

#include <assert.h>
#include <string.h>

/* --- The same for all --------------------------------------------------------------------------------------------- */

/* Only what is there: an absent value is one that a template can ask for with a section. */
static void set_text(json_t *object, const char *key, const char *value)
{
    if (value && *value)
        json_object_set_new(object, key, json_string(value));
}

json_t *values_moment(struct locales *locales, const char *locale, const struct zone *zone, int64_t at_ms)
{
    json_t *moment = json_object();
    auto_buf struct buf text;

    buf_init(&text, 512);
    buf_add_local_date(&text, locales, locale, zone, at_ms);
    set_text(moment, "date", text.ptr);
    buf_reset(&text);
    buf_add_local_time(&text, locales, locale, zone, at_ms);
    set_text(moment, "time", text.ptr);
    buf_reset(&text);
    buf_add_local_moment(&text, locales, locale, zone, at_ms);
    set_text(moment, "moment", text.ptr);
    buf_reset(&text);
    buf_add_moment(&text, at_ms);
    set_text(moment, "raw", text.ptr);
    return moment;
}

static json_t *moment_value(const struct values_spec *spec, const struct zone *zone, int64_t at_ms)
{
    return values_moment(spec->locales, spec->locale, zone, at_ms);
}

static json_t *event_value(const struct values_spec *spec)
{
    const struct definition *first = spec->open[0];
    json_t *event = json_object();

    set_text(event, "title", *first->event_title ? first->event_title : *first->name ? first->name : first->event_id);
    set_text(event, "url", first->event_url);
    set_text(event, "place", first->event_place);
    if (first->event_starts_at_ms != MOMENT_NONE)
        json_object_set_new(
            event, "starts_at",
            moment_value(spec, spec->event_zone ? spec->event_zone : spec->zone, first->event_starts_at_ms));
    return event;
}

static json_t *ticket_value(const struct values_spec *spec, const struct definition *definition)
{
    json_t *ticket = json_object();

    set_text(ticket, "name", *definition->name ? definition->name : definition->event_title);
    set_text(ticket, "description", definition->description);
    if (definition->free) {
        json_object_set_new(ticket, "free", json_true());
    } else if (*definition->price) {
        auto_buf struct buf price;
        buf_init(&price, 128);
        buf_add_money(&price, spec->locales, spec->locale, definition->price, definition->currency);
        set_text(ticket, "price", price.ptr);
    }
    return ticket;
}

static json_t *calendar_value(const struct values_calendar *calendar)
{
    json_t *links = json_object();

    set_text(links, "google", calendar->google);
    set_text(links, "outlook", calendar->outlook);
    set_text(links, "webcal", calendar->webcal);
    set_text(links, "url", calendar->url);
    return links;
}

/* The instant that all have in common, or MOMENT_NONE. */
static int64_t common_at_ms(const struct values_spec *spec, enum moment_kind kind)
{
    int64_t common_ms = MOMENT_NONE;

    for (size_t i = 0; i < spec->open_count; i++) {
        int64_t at_ms = definition_at_ms(spec->open[i], kind);
        if (i > 0 && at_ms != common_ms)
            return MOMENT_NONE;
        common_ms = at_ms;
    }
    return common_ms;
}

json_t *values_common(const struct values_spec *spec)
{
    json_t *values = json_object(), *tickets = json_array(), *sender = json_object();
    int64_t opens_at_ms = spec->kind == MOMENT_SALE_START ? spec->at_ms : common_at_ms(spec, MOMENT_SALE_START);
    int64_t closes_at_ms = spec->kind == MOMENT_SALE_END ? spec->at_ms : common_at_ms(spec, MOMENT_SALE_END);

    assert(spec->open_count > 0);
    for (size_t i = 0; i < spec->open_count; i++)
        json_array_append_new(tickets, ticket_value(spec, spec->open[i]));
    set_text(sender, "name", spec->sender_name);
    set_text(sender, "postal_address", spec->postal_address);
    set_text(sender, "contact", spec->contact);
    json_object_set_new(values, "event", event_value(spec));
    json_object_set_new(values, "tickets", tickets);
    json_object_set_new(values, "sender", sender);
    if (opens_at_ms != MOMENT_NONE)
        json_object_set_new(values, "opens_at", moment_value(spec, spec->zone, opens_at_ms));
    if (closes_at_ms != MOMENT_NONE)
        json_object_set_new(values, "closes_at", moment_value(spec, spec->zone, closes_at_ms));
    json_t *calendar = calendar_value(&spec->calendar);
    if (json_object_size(calendar) > 0)
        json_object_set(values, "calendar", calendar);
    json_decref(calendar);
    set_text(values, "language", spec->language);
    if (spec->test)
        json_object_set_new(values, "test", json_true());
    return values;
}

/* --- A person ----------------------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

/* "arena.example", "a1.co/x": a letter or digit, a dot, and at least two letters up to where the word ends. */
static bool has_domain(struct text t)
{
    for (size_t dot = 1; dot < t.len; dot++) {
        size_t end = dot + 1;
        if (t.ptr[dot] != '.' || !(is_letter(t.ptr[dot - 1]) || is_digit(t.ptr[dot - 1])))
            continue;
        while (end < t.len && (is_letter(t.ptr[end]) || t.ptr[end] == '-'))
            end++;
        if (end - dot > 2 && (end == t.len || !is_digit(t.ptr[end])))
            return true;
    }
    return false;
}

bool looks_like_link(struct text t)
{
    if (t.len == 0 || (!memchr(t.ptr, '.', t.len) && !memchr(t.ptr, ':', t.len)))
        return false; /* most names */
    for (size_t i = 0; i + 3 < t.len; i++)
        if (text_equal_nocase(text_slice(t, i, i + 4), TEXT("www.")))
            return true;
    return (t.len > 0 && memmem(t.ptr, t.len, "://", 3)) || has_domain(t);
}

void buf_add_personal(struct buf *buf, struct text t)
{
    size_t characters = 0, start = buf->len;
    bool blank = false;

    if (!text_is_utf8(t))
        return;
    for (size_t i = 0, len; i < t.len; i += len) {
        unsigned char c = (unsigned char)t.ptr[i];
        len = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        bool control = c < ' ' || c == 0x7F || (c == 0xC2 && (unsigned char)t.ptr[i + 1] < 0xA0);
        if (c == ' ' || control) {
            blank = buf->len > start;
            continue;
        }
        characters += 1 + (blank ? 1 : 0);
        if (characters > PERSONAL_MAX)
            break;
        if (blank)
            buf_addc(buf, ' ');
        blank = false;
        buf_add(buf, t.ptr + i, len);
    }
    if (looks_like_link(text_slice(buf_text(buf), start, buf->len)))
        buf->len = start;
}

/* The first word of "Ana Lima", but nothing of "Lima, Ana", "Dr. Lima", "A Lima" or "fan4ever". */
struct text values_first_name(struct text name)
{
    struct text rest = name, first = text_cut(&rest, ' ');

    if (name.len == 0 || memchr(name.ptr, ',', name.len) || first.len < 2)
        return (struct text){0};
    for (size_t i = 0; i < first.len; i++)
        if (!is_letter(first.ptr[i]) && first.ptr[i] != '-' && first.ptr[i] != '\'')
            return (struct text){0};
    return first;
}

static json_t *string_value(struct text t)
{
    return json_stringn(t.ptr, t.len);
}

static json_t *read_attributes(struct text attributes)
{
    json_t *object = attributes.len ? json_loadb(attributes.ptr, attributes.len, 0, NULL) : NULL;

    if (object && !json_is_object(object)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* Texts as they may stand in a message; numbers and true as they are; groups and lists are not for templates. */
static json_t *personal_attributes(struct text attributes)
{
    json_t *given = read_attributes(attributes), *taken = json_object(), *value;
    auto_buf struct buf text;
    const char *key;

    buf_init(&text, 4 * PERSONAL_MAX + 4);
    json_object_foreach(given, key, value)
    {
        if (json_is_number(value) || json_is_boolean(value))
            json_object_set(taken, key, value);
        if (!json_is_string(value))
            continue;
        buf_reset(&text);
        buf_add_personal(&text, (struct text){json_string_value(value), json_string_length(value)});
        if (text.len > 0)
            json_object_set_new(taken, key, string_value(buf_text(&text)));
    }
    json_decref(given);
    return taken;
}

json_t *values_person(struct text name, struct text attributes)
{
    json_t *values = json_object(), *person = json_object();
    auto_buf struct buf text;

    buf_init(&text, 4 * PERSONAL_MAX + 4);
    buf_add_personal(&text, name);
    if (text.len > 0) {
        struct text first = values_first_name(buf_text(&text));
        json_object_set_new(person, "name", string_value(buf_text(&text)));
        if (first.len > 0)
            json_object_set_new(person, "first_name", string_value(first));
    }
    json_object_set_new(values, "person", person);
    if (attributes.len > 0)
        json_object_set_new(values, "attributes", personal_attributes(attributes));
    return values;
}

/* --- Links -------------------------------------------------------------------------------------------------------- */

static bool is_unreserved(unsigned char c)
{
    return c < 0x80 && (is_letter((char)c) || is_digit((char)c) || c == '-' || c == '.' || c == '_' || c == '~');
}

void buf_add_percent(struct buf *buf, struct text t)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0, run; i < t.len; i += run) {
        unsigned char c = (unsigned char)t.ptr[i];
        for (run = 0; i + run < t.len && is_unreserved((unsigned char)t.ptr[i + run]);)
            run++;
        if (run > 0)
            buf_add(buf, t.ptr + i, run);
        else
            buf_add(buf, (char[]){'%', hex[c >> 4], hex[c & 15]}, 3);
        run += run == 0;
    }
}

static json_t *percent_encoded(struct text t)
{
    auto_buf struct buf out;

    buf_init(&out, PERCENT_MAX);
    buf_add_percent(&out, t);
    return buf_failed(&out) ? NULL : string_value(buf_text(&out));
}

json_t *values_for_link(struct text source_id, const char *address, struct text audience, struct text attributes)
{
    json_t *values = json_object(), *given = read_attributes(attributes), *encoded, *value;
    const char *key;

    /* An empty one is no value: a link without it would be somebody else's. */
    if (source_id.len > 0)
        json_object_set_new(values, "source_id", percent_encoded(source_id));
    json_object_set_new(values, "address", percent_encoded(text_of(address)));
    json_object_set_new(values, "audience", percent_encoded(audience));
    if (!given)
        return values;
    encoded = json_object();
    json_object_foreach(given, key, value)
    {
        if (json_is_number(value))
            json_object_set(encoded, key, value);
        if (json_is_string(value) && json_string_length(value) > 0)
            json_object_set_new(encoded, key,
                                percent_encoded((struct text){json_string_value(value), json_string_length(value)}));
    }
    json_object_set_new(values, "attributes", encoded);
    json_decref(given);
    return values;
}
