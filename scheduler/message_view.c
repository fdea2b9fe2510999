/* message_view.c - what all readers of one language, locale and zone have in common. */
#include "index.h"
#include "message_private.h"
#include "values.h"

#include <string.h>

static uint64_t hash_of_view(const void *item)
{
    const struct view *view = item;
    uint64_t hash = INDEX_HASH ^ (uintptr_t)view->zone / 16 * 31 ^ (uintptr_t)view->language / 16;

    return index_hash(hash, view->locale);
}

static bool same_view(const void *a, const void *b)
{
    const struct view *x = a, *y = b;
    return x->language == y->language && x->zone == y->zone && strcmp(x->locale, y->locale) == 0;
}

static const struct index_kind view_kind = {hash_of_view, same_view};

void message_views_clear(struct message_batch *batch)
{
    for (size_t i = 0; i < batch->views.size; i++) {
        struct view *view = batch->views.at[i];
        if (!view)
            continue;
        sheet_free(view->sheet);
        json_decref(view->values);
        free(view);
    }
    index_clear(&batch->views);
    batch->sheet_bytes = 0;
}

/* Dates and money in the person's own way as long as that is the language of the template: no French dates in an
 * English message. `out` holds LANGUAGE_MAX + 1 bytes. */
static void choose_locale(const struct templates_language *language, struct text locale, bool own, char *out)
{
    if (!own || locale.len > LANGUAGE_MAX)
        locale = text_of(language->tag);
    for (size_t i = 0; i < locale.len; i++)
        out[i] = locale.ptr[i];
    out[locale.len] = '\0';
    for (char *c = out; *c; c++)
        if (*c == '_')
            *c = '-';
}

/* What there is to link to; a sample links to nothing real. */
static struct values_calendar calendar_links(const struct message_batch *batch, const struct tongue *tongue)
{
    if (batch->sample)
        return (struct values_calendar){"https://calendar.example/google", "https://calendar.example/outlook",
                                        "webcal://onsale.example/feeds/sample.ics",
                                        "https://onsale.example/feeds/sample.ics"};
    if (!tongue)
        return (struct values_calendar){0};
    return (struct values_calendar){tongue->google.ptr, tongue->outlook.ptr, batch->webcal.ptr, batch->feed.ptr};
}

static const struct view *add_view(struct message_batch *batch, const struct view *wanted)
{
    struct view *view = must_calloc(1, sizeof *view);
    const struct message_batch_spec *spec = &batch->spec;
    const char *locale = locale_known(wanted->locale)          ? wanted->locale
                         : locale_known(wanted->language->tag) ? wanted->language->tag
                                                               : "en";

    *view = *wanted;
    view->tongue = message_tongue(batch, view->language);
    view->values = values_common(&(struct values_spec){
        .open = (const struct definition *const *)batch->open,
        .open_count = spec->open_count,
        .kind = spec->notice->kind,
        .at_ms = spec->notice->at_ms,
        .sender_name = batch->sender_name,
        .postal_address = spec->sender->postal_address,
        .contact = spec->sender->contact,
        .test = spec->test,
        .locales = spec->locales,
        .language = view->language->tag,
        .locale = locale,
        .zone = view->zone,
        .event_zone = batch->event_zone,
        .calendar = calendar_links(batch, view->tongue),
    });
    if (!spec->plainly && batch->sheet_bytes < SHEETS_MAX) {
        struct mime_message like = message_mime(batch);
        view->sheet = sheet_new(view, &like);
        batch->sheet_bytes += view->sheet ? sheet_bytes(view->sheet) : 0;
    }
    index_put(&batch->views, &view_kind, view);
    return view;
}

static const struct zone *choose_zone(struct message_batch *batch, struct text name)
{
    char known[64];
    const struct zone *zone;

    if (name.len == 0 || name.len >= sizeof known || memchr(name.ptr, '\0', name.len))
        return batch->fallback_zone;
    memcpy(known, name.ptr, name.len);
    known[name.len] = '\0';
    zone = zones_get(batch->spec.zones, known);
    return zone ? zone : batch->fallback_zone;
}

const struct view *message_view(struct message_batch *batch, const struct message_person *person)
{
    const struct templates_language *own = templates_pick(batch->spec.templates->read, person->locale);
    struct view wanted = {.language = own ? own : batch->fallback_language, .zone = choose_zone(batch, person->zone)};

    choose_locale(wanted.language, person->locale, own != NULL, wanted.locale);
    const struct view *known = index_find(&batch->views, &view_kind, &wanted);
    if (known)
        return known;
    if (batch->views.count == VIEWS_MAX) /* nobody has so many real ones: begin again rather than grow */
        message_views_clear(batch);
    return add_view(batch, &wanted);
}

void message_prepare(struct message_batch *batch, struct text locale, struct text zone)
{
    if (!batch->spec.plainly)
        message_view(batch, &(struct message_person){.locale = locale, .zone = zone});
}
