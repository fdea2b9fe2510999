/* What a calendar says of an opening: the team's templates over values that are clean. */
#include "calendar_private.h"
#include "templates.h"
#include "values.h"

#include <string.h>

enum { OUT_MAX = 64 * 1024 };

struct calendar_texts {
    struct templates *read;
};

void calendar_words_init(struct calendar_words *words)
{
    struct buf *all[] = {&words->name,        &words->category, &words->summary,
                         &words->description, &words->url,      &words->place};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        buf_init(all[i], OUT_MAX);
}

void calendar_words_clear(struct calendar_words *words)
{
    struct buf *all[] = {&words->name,        &words->category, &words->summary,
                         &words->description, &words->url,      &words->place};

    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        buf_clear(all[i]);
}

/* --- Values ------------------------------------------------------------------------------------------------------- */

static const char *cleaned(struct arena *arena, const char *string, size_t max)
{
    auto_buf struct buf out;

    buf_init(&out, OUT_MAX);
    calendar_clean(&out, text_of(string), max, false);
    return buf_failed(&out) ? "" : arena_copy(arena, buf_text(&out));
}

static const char *cleaned_url(struct arena *arena, const char *url)
{
    auto_buf struct buf out;

    buf_init(&out, OUT_MAX);
    return calendar_clean_url(&out, text_of(url)) && !buf_failed(&out) ? arena_copy(arena, buf_text(&out)) : "";
}

static const struct definition *cleaned_ticket(struct arena *arena, const struct definition *ticket)
{
    struct definition *copy = arena_alloc(arena, sizeof *copy);

    *copy = *ticket;
    copy->site = "";
    copy->id = cleaned(arena, ticket->id, CALENDAR_TICKET_MAX);
    copy->event_id = cleaned(arena, ticket->event_id, CALENDAR_TICKET_MAX);
    copy->name = cleaned(arena, ticket->name, CALENDAR_TICKET_MAX);
    copy->description = cleaned(arena, ticket->description, CALENDAR_PLACE_MAX);
    copy->price = cleaned(arena, ticket->price, CALENDAR_TICKET_MAX);
    copy->currency = cleaned(arena, ticket->currency, CALENDAR_TICKET_MAX);
    copy->event_title = cleaned(arena, ticket->event_title, CALENDAR_TITLE_MAX);
    copy->event_zone = "";
    copy->event_url = cleaned_url(arena, ticket->event_url);
    copy->event_place = cleaned(arena, ticket->event_place, CALENDAR_PLACE_MAX);
    if (!*copy->name && !*copy->event_title) /* it is called something */
        copy->name = *copy->id ? copy->id : "?";
    return copy;
}

static const struct templates_language *language_of(const struct calendar_style *style)
{
    const struct templates_language *language = templates_pick(style->texts->read, text_of(style->language));

    return language ? language : templates_at(style->texts->read, 0);
}

static json_t *event_values(const struct calendar_style *style, const struct calendar_entry *entry, struct arena *arena)
{
    size_t count = entry->ticket_count < CALENDAR_TICKETS_MAX ? entry->ticket_count : CALENDAR_TICKETS_MAX;
    const struct definition **tickets = arena_alloc(arena, count * sizeof *tickets);

    for (size_t i = 0; i < count; i++)
        tickets[i] = cleaned_ticket(arena, entry->tickets[i]);
    json_t *values = values_common(&(struct values_spec){.open = tickets,
                                                         .open_count = count,
                                                         .kind = MOMENT_SALE_START,
                                                         .at_ms = entry->opens_at_ms,
                                                         .sender_name = cleaned(arena, style->sender_name, 120),
                                                         .locales = style->locales,
                                                         .language = language_of(style)->tag,
                                                         .locale = style->language,
                                                         .zone = entry->zone});
    json_object_set_new(values, "zone", json_string(entry->zone ? zone_name(entry->zone) : "UTC"));
    if (entry->withdrawn)
        json_object_set_new(values, "withdrawn", json_true());
    else if (entry->moved_from_ms != MOMENT_NONE)
        json_object_set_new(values, "moved_from",
                            values_moment(style->locales, style->language, entry->zone, entry->moved_from_ms));
    if (count < entry->ticket_count)
        json_object_set_new(values, "more", json_integer((json_int_t)(entry->ticket_count - count)));
    return values;
}

/* --- Words -------------------------------------------------------------------------------------------------------- */

static int say_section(const struct calendar_style *style, json_t *values, const char *section, size_t max, bool lines,
                       struct buf *out, struct error *err)
{
    auto_buf struct buf raw;

    buf_init(&raw, OUT_MAX);
    json_object_set_new(values, section, json_true());
    int rc = render(language_of(style)->text, &values, 1, true, &raw, err);
    json_object_del(values, section);
    if (rc < 0 || buf_failed(&raw))
        return error_set(err, ERROR_CONFIG, "calendar: the text of a %s is over %d bytes", section, OUT_MAX);
    calendar_clean(out, buf_text(&raw), max, lines);
    return 0;
}

int calendar_name(const struct calendar_style *style, struct buf *out, struct error *err)
{
    struct arena arena = {0};
    json_t *values = json_object(), *sender = json_object();

    if (text_given(style->sender_name))
        json_object_set_new(sender, "name", json_string(cleaned(&arena, style->sender_name, CALENDAR_TITLE_MAX)));
    json_object_set_new(values, "sender", sender);
    json_object_set_new(values, "language", json_string(language_of(style)->tag));
    int rc = say_section(style, values, "name", CALENDAR_SUMMARY_MAX, false, out, err);
    json_decref(values);
    arena_clear(&arena);
    return rc;
}

int calendar_say(const struct calendar_style *style, const struct calendar_entry *entry, struct calendar_words *out,
                 struct error *err)
{
    struct arena arena = {0};
    json_t *values = event_values(style, entry, &arena);
    const struct definition *first = entry->tickets[0];
    int rc = 0;

    if (say_section(style, values, "summary", CALENDAR_SUMMARY_MAX, false, &out->summary, err) < 0 ||
        say_section(style, values, "category", CALENDAR_TITLE_MAX, false, &out->category, err) < 0 ||
        say_section(style, values, "description", CALENDAR_DESCRIPTION_MAX, true, &out->description, err) < 0)
        rc = -1;
    calendar_clean_url(&out->url, text_of(first->event_url));
    calendar_clean(&out->place, text_of(first->event_place), CALENDAR_PLACE_MAX, false);
    json_decref(values);
    arena_clear(&arena);
    return rc;
}

/* --- Loading ------------------------------------------------------------------------------------------------------ */

/* With everything there can be, and with the least. */
static int try_language(const struct calendar_style *style, struct error *err)
{
    const struct definition full = {.site = "",
                                    .id = "1",
                                    .event_id = "2",
                                    .name = "Parkett",
                                    .description = "Reihe 1",
                                    .price = "49.90",
                                    .currency = "EUR",
                                    .event_title = "Sommerkonzert",
                                    .event_zone = "",
                                    .event_url = "https://example.org/1",
                                    .event_place = "Arena",
                                    .event_starts_at_ms = 90 * (int64_t)DAY_MS,
                                    .sale_starts_at_ms = 60 * (int64_t)DAY_MS,
                                    .sale_ends_at_ms = 89 * (int64_t)DAY_MS},
                            least = {.site = "",
                                     .id = "1",
                                     .event_id = "2",
                                     .name = "",
                                     .description = "",
                                     .price = "",
                                     .currency = "",
                                     .event_title = "Sommerkonzert",
                                     .event_zone = "",
                                     .event_url = "",
                                     .event_place = "",
                                     .event_starts_at_ms = MOMENT_NONE,
                                     .sale_starts_at_ms = 60 * (int64_t)DAY_MS,
                                     .sale_ends_at_ms = MOMENT_NONE};
    const struct definition *many[CALENDAR_TICKETS_MAX + 1], *one[] = {&least};

    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = &full;
    for (int way = 0; way < 4; way++) {
        struct calendar_words words;
        struct calendar_style mine = *style;
        mine.sender_name = way & 1 ? "Arena" : "";
        calendar_words_init(&words);
        int rc = calendar_say(&mine,
                              &(struct calendar_entry){.opens_at_ms = full.sale_starts_at_ms,
                                                       .moved_from_ms = way == 1 ? DAY_MS : MOMENT_NONE,
                                                       .withdrawn = way >= 2,
                                                       .tickets = way & 1 ? many : one,
                                                       .ticket_count = way & 1 ? ARRAY_LEN(many) : 1},
                              &words, err);
        if (rc == 0)
            rc = calendar_name(&mine, &words.name, err);
        bool empty = words.summary.len == 0;
        calendar_words_clear(&words);
        if (rc < 0)
            return -1;
        if (empty)
            return error_set(err, ERROR_CONFIG,
                             "calendar/event.%s.txt: {{#summary}} says nothing: an event needs a title", mine.language);
    }
    return 0;
}

static int try_samples(const struct calendar_texts *texts, struct error *err)
{
    struct locales *locales = locales_new(err);
    int rc = locales ? 0 : -1;

    for (size_t i = 0; rc == 0 && i < templates_count(texts->read); i++)
        rc = try_language(
            &(struct calendar_style){.texts = texts, .locales = locales, .language = templates_at(texts->read, i)->tag},
            err);
    locales_free(locales);
    return rc;
}

struct calendar_texts *calendar_texts_load(const char *const *folders, struct error *err)
{
    struct calendar_texts *texts = must_calloc(1, sizeof *texts);

    texts->read = templates_read(folders, "calendar", TEMPLATES_CALENDAR, "en", err);
    if (texts->read && try_samples(texts, err) == 0)
        return texts;
    calendar_texts_free(texts);
    return NULL;
}

void calendar_texts_free(struct calendar_texts *texts)
{
    if (!texts)
        return;
    templates_free(texts->read);
    free(texts);
}

void buf_add_calendar_languages(struct buf *buf, const struct calendar_texts *texts)
{
    for (size_t i = 0; i < templates_count(texts->read); i++)
        buf_addf(buf, "%s%s", i ? ", " : "", templates_at(texts->read, i)->tag);
}

uint64_t calendar_texts_hash(const struct calendar_texts *texts)
{
    return templates_hash(texts->read);
}
