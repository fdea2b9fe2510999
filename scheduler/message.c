#include "message.h"

#include "templates.h"
#include "values.h"

#include <assert.h>
#include <string.h>

enum {
    RAW_MAX = 1024 * 1024, /* bytes of a whole message */
    PART_MAX = 512 * 1024,
    SUBJECT_MAX = 2000,
    LINK_MAX = 4000,
    VIEWS_MAX = 4096, /* pairs of locale and zone whose values are kept */
    VIEW_SLOTS = 2 * VIEWS_MAX,
    LOCAL_ROOM = 64 - 27, /* before the '@', when "+TOKEN" is added (RFC 5321 section 4.5.3.1.1) */
};

struct message_templates {
    struct templates *read;
    bool wants_attributes;
    bool serves[MOMENT_KINDS]; /* all it says is always there at a moment of this kind */
};

/* What all readers of one language, locale and zone have in common. */
struct view {
    const struct templates_language *language;
    const struct zone *zone;
    char locale[LANGUAGE_MAX + 1];
    json_t *values;
};

struct message_batch {
    struct message_batch_spec spec;
    struct definition **open;
    char *from_name, *sender_name; /* of From; of the list and the footer */
    struct address from, envelope; /* of From; before VERP, empty when it is not asked for */
    char list_id[ADDRESS_MAX + 16];
    struct render_template *link; /* NULL: no unsubscribe link */
    bool link_wants_attributes;
    const struct templates_language *fallback_language;
    const struct zone *event_zone, *fallback_zone;
    struct view **views; /* a table of VIEW_SLOTS, open addressing */
    size_t view_count;
    struct buf subject, html, text, url, name;
};

/* --- Views -------------------------------------------------------------------------------------------------------- */

static void forget_views(struct message_batch *batch)
{
    for (size_t i = 0; i < VIEW_SLOTS; i++) {
        if (!batch->views[i])
            continue;
        json_decref(batch->views[i]->values);
        free(batch->views[i]);
        batch->views[i] = NULL;
    }
    batch->view_count = 0;
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

static const struct view *add_view(struct message_batch *batch, size_t slot, const struct view *wanted)
{
    struct view *view = must_calloc(1, sizeof *view);
    const struct message_batch_spec *spec = &batch->spec;
    const char *locale = locale_known(wanted->locale)          ? wanted->locale
                         : locale_known(wanted->language->tag) ? wanted->language->tag
                                                               : "en";

    *view = *wanted;
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
    });
    batch->views[slot] = view;
    batch->view_count++;
    return view;
}

static size_t view_slot(const struct view *view)
{
    size_t hash = (uintptr_t)view->zone / 16 * 31 + (uintptr_t)view->language / 16;

    for (const char *c = view->locale; *c; c++)
        hash = hash * 31 + (unsigned char)*c;
    return hash * 0x9E3779B97F4A7C15u >> 40 & (VIEW_SLOTS - 1);
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

static const struct view *choose_view(struct message_batch *batch, const struct message_person *person)
{
    const struct templates_language *own = templates_pick(batch->spec.templates->read, person->locale);
    struct view wanted = {.language = own ? own : batch->fallback_language, .zone = choose_zone(batch, person->zone)};
    size_t slot;

    choose_locale(wanted.language, person->locale, own != NULL, wanted.locale);
    for (slot = view_slot(&wanted); batch->views[slot]; slot = (slot + 1) % VIEW_SLOTS) {
        const struct view *view = batch->views[slot];
        if (view->language == wanted.language && view->zone == wanted.zone && strcmp(view->locale, wanted.locale) == 0)
            return view;
    }
    if (batch->view_count == VIEWS_MAX) { /* nobody has so many real ones: begin again rather than grow */
        forget_views(batch);
        slot = view_slot(&wanted);
    }
    return add_view(batch, slot, &wanted);
}

/* --- A batch ------------------------------------------------------------------------------------------------------ */

static int read_address(const char *what, const char *given, char **name, struct address *out, struct error *err)
{
    struct error why = {0};

    if (mailbox_parse(text_of(given), name, out, &why) < 0)
        return error_set(err, ERROR_CONFIG, "%s: %s", what, why.text);
    return 0;
}

static int read_senders(struct message_batch *batch, struct error *err)
{
    const struct message_mail *mail = batch->spec.mail;
    const char *sender = batch->spec.sender->name;
    auto_free char *name = NULL;

    if (read_address("from", mail->from, &batch->from_name, &batch->from, err) < 0)
        return -1;
    batch->sender_name = must_strdup(sender && *sender   ? sender
                                     : *batch->from_name ? batch->from_name
                                                         : batch->from.text);
    if (mail->list_id && *mail->list_id)
        snprintf(batch->list_id, sizeof batch->list_id, "%s", mail->list_id);
    else
        snprintf(batch->list_id, sizeof batch->list_id, "openings.%s", address_domain(batch->from.text));
    if (!mail->envelope_from || !*mail->envelope_from)
        return 0;
    if (read_address("envelope_from", mail->envelope_from, &name, &batch->envelope, err) < 0)
        return -1;
    if (strcspn(batch->envelope.text, "@") > LOCAL_ROOM)
        return error_set(err, ERROR_CONFIG, "envelope_from: at most %d characters before the '@', as a token is added",
                         LOCAL_ROOM);
    return 0;
}

static int read_link(struct message_batch *batch, struct error *err)
{
    const char *url = batch->spec.mail->unsubscribe_url;

    if (!url || !*url)
        return 0;
    batch->link = render_compile("unsubscribe_url", text_of(url), RENDER_PLAIN, NULL, NULL, err);
    batch->link_wants_attributes = strstr(url, "attributes.");
    return batch->link ? 0 : -1;
}

/* NULL is UTC. */
static void read_zones(struct message_batch *batch)
{
    struct zones *zones = batch->spec.zones;

    batch->event_zone = zones_get(zones, batch->open[0]->event_zone);
    batch->fallback_zone = batch->event_zone;
    if (!batch->fallback_zone && batch->spec.site_zone)
        batch->fallback_zone = zones_get(zones, batch->spec.site_zone);
}

/* Without asking whether the template serves this kind of moment: that is what samples find out. */
static struct message_batch *batch_new(const struct message_batch_spec *spec, struct error *err)
{
    struct message_batch *batch = must_calloc(1, sizeof *batch);

    assert(spec->open_count > 0);
    batch->spec = *spec;
    batch->views = must_calloc(VIEW_SLOTS, sizeof *batch->views);
    batch->open = must_calloc(spec->open_count, sizeof *batch->open);
    for (size_t i = 0; i < spec->open_count; i++)
        batch->open[i] = definition_new(spec->open[i]);
    batch->fallback_language = templates_pick(spec->templates->read, text_of(spec->site_language));
    if (!batch->fallback_language)
        batch->fallback_language = templates_at(spec->templates->read, 0);
    buf_init(&batch->subject, SUBJECT_MAX);
    buf_init(&batch->html, PART_MAX);
    buf_init(&batch->text, PART_MAX);
    buf_init(&batch->url, LINK_MAX);
    buf_init(&batch->name, 4 * PERSONAL_MAX + 4);
    read_zones(batch);
    if (read_senders(batch, err) < 0 || read_link(batch, err) < 0)
        goto fail;
    return batch;
fail:
    message_batch_free(batch);
    return NULL;
}

struct message_batch *message_batch_new(const struct message_batch_spec *spec, struct error *err)
{
    if (!spec->templates->serves[spec->notice->kind]) {
        error_set(err, ERROR_CONFIG, "template %s says what a %s notice does not know",
                  templates_name(spec->templates->read), moment_kind_name(spec->notice->kind));
        return NULL;
    }
    return batch_new(spec, err);
}

void message_batch_free(struct message_batch *batch)
{
    if (!batch)
        return;
    forget_views(batch);
    free(batch->views);
    for (size_t i = 0; i < batch->spec.open_count; i++)
        definition_free(batch->open[i]);
    free(batch->open);
    render_free(batch->link);
    free(batch->from_name);
    free(batch->sender_name);
    buf_clear(&batch->subject);
    buf_clear(&batch->html);
    buf_clear(&batch->text);
    buf_clear(&batch->url);
    buf_clear(&batch->name);
    free(batch);
}

/* --- One message -------------------------------------------------------------------------------------------------- */

void message_init(struct message *message)
{
    *message = (struct message){0};
    buf_init(&message->raw, RAW_MAX);
}

void message_clear(struct message *message)
{
    buf_clear(&message->raw);
}

/* The marketing tool's page. */
static int make_their_link(struct message_batch *batch, const struct message_person *person, const char *address,
                           struct error *err)
{
    struct error why = {0};
    json_t *values;
    int rc;

    values = values_for_link(person->source_id, address, person->source,
                             batch->link_wants_attributes ? person->attributes : (struct text){0});
    rc = render(batch->link, &values, 1, true, &batch->url, &why);
    json_decref(values);
    if (rc == 0)
        return 0;
    buf_reset(&batch->url);
    if (person->seed || batch->spec.test) /* our own eyes are on no list */
        return 0;
    /* Without a way out of the list nobody is written to. */
    return error_set(err, ERROR_REFUSED, "no unsubscribe link for this person: %s", why.text);
}

/* Our own: it knows who came by it without asking anybody. The tool finds its people by address too, so an id that is
 * too long stays out; by the address as the tool has it, whatever the wire form of its domain. */
static int make_our_link(struct message_batch *batch, const struct message_person *person, const char *address,
                         struct error *err)
{
    struct text given = text_trim(person->address);
    struct unsubscribe_ticket ticket = {
        .site = text_of(batch->spec.notice->site),
        .audience = person->source,
        .source_id = person->source_id.len <= TICKET_FIELD_MAX ? person->source_id : (struct text){0},
        .address = given.len <= TICKET_FIELD_MAX ? given : text_of(address),
        .language = person->locale.len <= TICKET_FIELD_MAX ? person->locale : (struct text){0},
    };

    buf_addf(&batch->url, "%s/u/", batch->spec.mail->public_url);
    if (crypt_seal(batch->spec.tokens, &ticket, &batch->url) == 0 && !buf_failed(&batch->url))
        return 0;
    return error_set(err, ERROR_REFUSED, "no unsubscribe link for this person: a name is too long");
}

static bool has_our_link(const struct message_mail *mail)
{
    return mail->public_url && *mail->public_url && (!mail->unsubscribe_url || !*mail->unsubscribe_url);
}

static int make_link(struct message_batch *batch, const struct message_person *person, const char *address,
                     struct error *err)
{
    buf_reset(&batch->url);
    if (batch->link)
        return make_their_link(batch, person, address, err);
    return has_our_link(batch->spec.mail) ? make_our_link(batch, person, address, err) : 0;
}

static int render_parts(struct message_batch *batch, const struct message_person *person, const struct view *view,
                        struct error *err)
{
    const struct templates_language *language = view->language;
    json_t *own =
        values_person(person->name, batch->spec.templates->wants_attributes ? person->attributes : (struct text){0});
    json_t *layers[] = {view->values, own};
    int rc;

    if (batch->url.len > 0)
        json_object_set_new(own, "unsubscribe_url", json_stringn(batch->url.ptr, batch->url.len));
    buf_reset(&batch->subject);
    buf_reset(&batch->html);
    buf_reset(&batch->text);
    if (batch->spec.test || person->seed)
        buf_adds(&batch->subject, batch->spec.test ? "[Test] " : "[Seed] ");
    rc = render(language->subject, layers, ARRAY_LEN(layers), true, &batch->subject, err) < 0 ||
                 render(language->html, layers, ARRAY_LEN(layers), true, &batch->html, err) < 0 ||
                 render(language->text, layers, ARRAY_LEN(layers), true, &batch->text, err) < 0
             ? -1
             : 0;
    json_decref(own);
    return rc;
}

int message_make(struct message_batch *batch, const struct message_person *person, struct message *out,
                 struct error *err)
{
    const struct message_batch_spec *spec = &batch->spec;
    char message_id[sizeof out->token + ADDRESS_MAX + 1];

    if (address_parse(person->address, &out->to, err) < 0 || make_link(batch, person, out->to.text, err) < 0 ||
        render_parts(batch, person, choose_view(batch, person), err) < 0)
        return -1;
    crypt_message_token(spec->tokens, spec->test ? 0 : spec->notice->id, person->seq, out->token);
    snprintf(message_id, sizeof message_id, "%s@%s", out->token, address_domain(batch->from.text));
    if (batch->envelope.text[0]) /* VERP, as mime_verp() writes it; the length was checked */
        snprintf(out->from, sizeof out->from, "%.*s+%s@%s", (int)strcspn(batch->envelope.text, "@"),
                 batch->envelope.text, out->token, address_domain(batch->envelope.text));
    else
        snprintf(out->from, sizeof out->from, "%s", batch->from.text);

    buf_reset(&batch->name);
    buf_add_personal(&batch->name, person->name);
    buf_reset(&out->raw);
    return mime_build(
        &(struct mime_message){
            .from_name = batch->from_name,
            .from_address = batch->from.text,
            .to_name = buf_text(&batch->name),
            .to_address = out->to.text,
            .subject = buf_text(&batch->subject),
            .message_id = message_id,
            .date_ms = spec->date_ms,
            .list_id_name = batch->sender_name,
            .list_id = batch->list_id,
            .unsubscribe_url = buf_text(&batch->url),
            .one_click = spec->mail->one_click || has_our_link(spec->mail),
            .text = buf_text(&batch->text),
            .html = buf_text(&batch->html),
        },
        &out->raw, err);
}

/* --- Samples, and templates that must serve them ------------------------------------------------------------------ */

/* What definitions may have. */
static const struct definition sample_full[] = {
    {
        .site = "sample",
        .id = "sample-standing",
        .event_id = "sample-event",
        .revision = 1,
        .created_at_ms = 1798758000000, /* 2027-01-01 */
        .updated_at_ms = 1798758000000,
        .name = "Standing",
        .description = "Doors open at 18:30",
        .price = "49.90",
        .currency = "EUR",
        .sale_status = SALE_SCHEDULED,
        .sale_starts_at_ms = 1806048000000, /* 2027-03-26T08:00:00Z */
        .sale_ends_at_ms = 1812211200000,   /* 2027-06-05T16:00:00Z */
        .event_status = EVENT_UPCOMING,
        .event_title = "Summer Nights",
        .event_zone = "Europe/Berlin",
        .event_url = "https://arena.example/events/summer-nights",
        .event_place = "Arena, Main Street 1, Berlin",
        .event_starts_at_ms = 1812220200000, /* 2027-06-05T18:30:00Z */
    },
    {
        .site = "sample",
        .id = "sample-children",
        .event_id = "sample-event",
        .revision = 1,
        .created_at_ms = 1798758000000,
        .updated_at_ms = 1798758000000,
        .name = "Children",
        .description = "",
        .price = "",
        .currency = "",
        .free = true,
        .sale_status = SALE_SCHEDULED,
        .sale_starts_at_ms = 1806048000000,
        .sale_ends_at_ms = 1812211200000,
        .event_status = EVENT_UPCOMING,
        .event_title = "Summer Nights",
        .event_zone = "Europe/Berlin",
        .event_url = "https://arena.example/events/summer-nights",
        .event_place = "Arena, Main Street 1, Berlin",
        .event_starts_at_ms = 1812220200000,
    },
};

/* And the least that they have. */
static const struct definition sample_bare = {
    .site = "sample",
    .id = "sample-bare",
    .event_id = "sample-event",
    .revision = 1,
    .created_at_ms = MOMENT_NONE,
    .updated_at_ms = MOMENT_NONE,
    .name = "Standing",
    .description = "",
    .price = "",
    .currency = "",
    .sale_starts_at_ms = MOMENT_NONE,
    .sale_ends_at_ms = MOMENT_NONE,
    .event_title = "Summer Nights",
    .event_zone = "",
    .event_url = "",
    .event_place = "",
    .event_starts_at_ms = MOMENT_NONE,
};

const struct definition *const *message_sample_definitions(size_t *count)
{
    static const struct definition *const samples[] = {&sample_full[0], &sample_full[1]};

    *count = ARRAY_LEN(samples);
    return samples;
}

struct sampling {
    struct message_templates *templates;
    struct crypt_tokens *tokens;
    struct locales *locales;
    struct zones *zones;
    struct notice *notice;
};

/* One message in every language; with everything there can be, or with the least. */
static int try_sample(const struct sampling *sampling, bool full, struct error *err)
{
    static const struct definition *const bare[] = {&sample_bare};
    const struct templates *read = sampling->templates->read;
    size_t count = 1;
    struct message_batch_spec spec = {
        .templates = sampling->templates,
        .sender = full ? &(struct message_sender){"Arena", "Arena Ltd., Main Street 1, Berlin", "hello@arena.example"}
                       : &(struct message_sender){"Arena", "", ""},
        .mail = &(struct message_mail){.from = "Arena Tickets <tickets@arena.example>",
                                       .unsubscribe_url = full ? "https://arena.example/u/{{address}}" : ""},
        .tokens = sampling->tokens,
        .locales = sampling->locales,
        .zones = sampling->zones,
        .notice = sampling->notice,
        .open = full ? message_sample_definitions(&count) : bare,
        .site_zone = "UTC",
        .date_ms = sampling->notice->at_ms,
        .test = full,
    };
    spec.open_count = count;
    struct message_batch *batch = batch_new(&spec, err);
    struct message message;
    int rc = batch ? 0 : -1;

    message_init(&message);
    for (size_t i = 0; rc == 0 && i < templates_count(read); i++) {
        struct message_person person = {
            .address = TEXT("ana@fans.example"),
            .name = full ? TEXT("Ana Lima") : (struct text){0},
            .locale = text_of(templates_at(read, i)->tag),
        };
        rc = message_make(batch, &person, &message, err);
    }
    message_clear(&message);
    message_batch_free(batch);
    return rc;
}

static int try_samples(struct message_templates *templates, struct error *err)
{
    static const struct crypt_keys no_keys;
    struct sampling sampling = {.templates = templates,
                                .tokens = crypt_tokens_new(&no_keys, err),
                                .locales = locales_new(err),
                                .zones = zones_new()};
    struct error why[MOMENT_KINDS] = {0};
    int rc = sampling.tokens && sampling.locales ? 0 : -1;

    for (int kind = 0; rc == 0 && kind < MOMENT_KINDS; kind++) {
        sampling.notice = notice_new(1, "sample", "sample-event", "sample", (enum moment_kind)kind,
                                     sample_full[0].sale_starts_at_ms, 1);
        templates->serves[kind] =
            try_sample(&sampling, true, &why[kind]) == 0 && try_sample(&sampling, false, &why[kind]) == 0;
        notice_free(sampling.notice);
    }
    if (rc == 0 && !templates->serves[MOMENT_SALE_START] && !templates->serves[MOMENT_SALE_END]) {
        /* Of the two faults the one that is not merely "this is for the other kind of moment". */
        bool for_end = strstr(why[MOMENT_SALE_START].text, "closes_at");
        rc = error_set(err, ERROR_CONFIG, "%s (what is not always there stands in a section of its own)",
                       why[for_end ? MOMENT_SALE_END : MOMENT_SALE_START].text);
    }
    zones_free(sampling.zones);
    locales_free(sampling.locales);
    crypt_tokens_free(sampling.tokens);
    return rc;
}

struct message_templates *message_templates_load(const char *const *folders, const char *name,
                                                 const char *default_language, struct error *err)
{
    struct message_templates *templates = must_calloc(1, sizeof *templates);

    templates->read = templates_read(folders, name, TEMPLATES_EMAIL, default_language, err);
    if (!templates->read)
        goto fail;
    templates->wants_attributes = templates_mention(templates->read, "attributes");
    if (try_samples(templates, err) < 0)
        goto fail;
    return templates;
fail:
    message_templates_free(templates);
    return NULL;
}

void message_templates_free(struct message_templates *templates)
{
    if (!templates)
        return;
    templates_free(templates->read);
    free(templates);
}

bool message_templates_serve(const struct message_templates *templates, enum moment_kind kind)
{
    return templates->serves[kind];
}

void buf_add_languages(struct buf *buf, const struct message_templates *templates)
{
    for (size_t i = 0; i < templates_count(templates->read); i++)
        buf_addf(buf, "%s%s", i ? ", " : "", templates_at(templates->read, i)->tag);
}

uint64_t message_templates_hash(const struct message_templates *templates)
{
    return templates_hash(templates->read);
}
