#include "message_private.h"
#include "values.h"

#include <assert.h>
#include <string.h>

enum {
    RAW_MAX = 1024 * 1024, /* bytes of a whole message */
    LINK_MAX = 4000,
    LOCAL_ROOM = 64 - 27, /* before the '@', when "+TOKEN" is added (RFC 5321 section 4.5.3.1.1) */
};

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
    if (text_given(mail->list_id))
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

enum { LINK_SOURCE_ID, LINK_ADDRESS, LINK_AUDIENCE, LINK_SLOTS };

/* Names as values_for_link() makes them. */
static int link_slot_of(void *ctx, const char *const *parts, size_t part_count)
{
    static const char *const names[] = {"source_id", "address", "audience"};

    (void)ctx;
    for (int i = 0; i < LINK_SLOTS; i++)
        if (part_count == 1 && strcmp(parts[0], names[i]) == 0)
            return i;
    return RENDER_NO_SLOT;
}

static int read_link(struct message_batch *batch, struct error *err)
{
    const char *url = batch->spec.mail->unsubscribe_url;

    if (!url || !*url)
        return 0;
    batch->link = render_compile("unsubscribe_url", text_of(url), RENDER_PLAIN, NULL, NULL, err);
    batch->link_wants_attributes = strstr(url, "attributes.");
    if (!batch->link)
        return -1;
    json_t *nothing = json_object();
    batch->link_form = render_form_new(batch->link, nothing, link_slot_of, NULL);
    json_decref(nothing);
    return 0;
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
struct message_batch *message_batch_any(const struct message_batch_spec *spec, struct error *err)
{
    struct message_batch *batch = must_calloc(1, sizeof *batch);

    assert(spec->open_count > 0);
    batch->spec = *spec;
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
    buf_init(&batch->encoded, LINK_SLOTS * PERCENT_MAX);
    read_zones(batch);
    message_calendar_take(batch);
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
    return message_batch_any(spec, err);
}

bool message_batch_serves(const struct message_batch *batch, const struct message_batch_spec *spec)
{
    bool same = batch->spec.open_count == spec->open_count && batch->spec.templates == spec->templates &&
                batch->spec.notice == spec->notice && batch->spec.test == spec->test &&
                batch->spec.date_ms / SECOND_MS == spec->date_ms / SECOND_MS &&
                message_calendar_same(batch, spec->calendar);

    for (size_t i = 0; same && i < spec->open_count; i++)
        same = definition_reads_same(batch->open[i], spec->open[i]);
    return same;
}

void message_batch_free(struct message_batch *batch)
{
    if (!batch)
        return;
    message_ahead_clear(batch);
    message_views_clear(batch);
    message_calendar_clear(batch);
    for (size_t i = 0; i < batch->spec.open_count; i++)
        definition_free(batch->open[i]);
    free(batch->open);
    render_form_free(batch->link_form);
    render_free(batch->link);
    free(batch->from_name);
    free(batch->sender_name);
    buf_clear(&batch->subject);
    buf_clear(&batch->html);
    buf_clear(&batch->text);
    buf_clear(&batch->url);
    buf_clear(&batch->name);
    buf_clear(&batch->encoded);
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

/* False: the values can do it, or say what is wrong. */
static bool fill_link(struct message_batch *batch, const struct message_person *person, const char *address)
{
    const struct text values[LINK_SLOTS] = {person->source_id, text_of(address), person->source};
    struct text encoded[LINK_SLOTS];
    size_t ends[LINK_SLOTS];

    if (!batch->link_form)
        return false;
    buf_reset(&batch->encoded);
    for (size_t i = 0; i < LINK_SLOTS; i++) {
        size_t start = batch->encoded.len;
        buf_add_percent(&batch->encoded, values[i]);
        ends[i] = batch->encoded.len;
        if (ends[i] - start > PERCENT_MAX)
            return false;
    }
    for (size_t i = 0; i < LINK_SLOTS; i++)
        encoded[i] = text_slice(buf_text(&batch->encoded), i ? ends[i - 1] : 0, ends[i]);
    return !buf_failed(&batch->encoded) && render_form_fill(batch->link_form, encoded, &batch->url);
}

/* The marketing tool's page. */
static int make_their_link(struct message_batch *batch, const struct message_person *person, const char *address,
                           struct error *err)
{
    struct error why = {0};
    json_t *values;
    int rc;

    if (fill_link(batch, person, address))
        return 0;
    buf_reset(&batch->url);
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
    return text_given(mail->public_url) && !text_given(mail->unsubscribe_url);
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

struct mime_message message_mime(const struct message_batch *batch)
{
    const struct message_batch_spec *spec = &batch->spec;

    return (struct mime_message){
        .from_name = batch->from_name,
        .from_address = batch->from.text,
        .date_ms = spec->date_ms,
        .list_id_name = batch->sender_name,
        .list_id = batch->list_id,
        .one_click = spec->mail->one_click || has_our_link(spec->mail),
    };
}

static char *put(char *at, struct text t)
{
    memcpy(at, t.ptr, t.len);
    at[t.len] = '\0';
    return at + t.len;
}

static void make_token(const struct message_batch *batch, const struct message_person *person, struct message *out)
{
    const struct message_batch_spec *spec = &batch->spec;

    crypt_message_token(spec->tokens, spec->test ? 0 : spec->notice->id, person->seq, out->token);
    struct text domain = text_of(batch->envelope.text), local = text_cut(&domain, '@');
    char *at = put(out->from, local.len ? local : text_of(batch->from.text));
    if (local.len > 0) /* VERP, as mime_verp() writes it; the length was checked */
        put(put(put(put(at, TEXT("+")), text_of(out->token)), TEXT("@")), domain);
}

int message_make(struct message_batch *batch, const struct message_person *person, struct message *out,
                 struct error *err)
{
    struct mime_message mime = message_mime(batch);
    char message_id[sizeof out->token + ADDRESS_MAX + 1];

    if (message_take_ahead(batch, person, out))
        return 0;
    if (address_parse(person->address, &out->to, err) < 0 || make_link(batch, person, out->to.text, err) < 0)
        return -1;
    make_token(batch, person, out);
    put(put(put(message_id, text_of(out->token)), TEXT("@")), text_of(address_domain(batch->from.text)));
    buf_reset(&batch->name);
    buf_add_personal(&batch->name, person->name);
    mime.to_name = buf_text(&batch->name);
    mime.to_address = out->to.text;
    mime.message_id = message_id;
    mime.unsubscribe_url = buf_text(&batch->url);

    const struct view *view = message_view(batch, person);
    if (view->tongue && view->tongue->failure.kind != ERROR_NONE) {
        *err = view->tongue->failure;
        return -1;
    }
    if (view->tongue)
        mime.attachment = buf_text(&view->tongue->attachment);
    buf_reset(&out->raw);
    if (view->sheet && !person->seed && !batch->spec.test && sheet_write(view->sheet, batch, person, &mime, &out->raw))
        return 0;
    buf_reset(&out->raw);
    if (render_parts(batch, person, view, err) < 0)
        return -1;
    mime.subject = buf_text(&batch->subject);
    mime.text = buf_text(&batch->text);
    mime.html = buf_text(&batch->html);
    return mime_build(&mime, &out->raw, err);
}

/* --- Templates ---------------------------------------------------------------------------------------------------- */

struct message_templates *message_templates_load(const char *const *folders, const char *name,
                                                 const char *default_language, struct error *err)
{
    struct message_templates *templates = must_calloc(1, sizeof *templates);

    templates->read = templates_read(folders, name, TEMPLATES_EMAIL, default_language, err);
    if (!templates->read)
        goto fail;
    templates->wants_attributes = templates_mention(templates->read, "attributes");
    templates->wants_calendar = templates_mention(templates->read, "calendar");
    if (message_try_samples(templates, err) < 0)
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
