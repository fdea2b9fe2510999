#include "preview.h"

#include "invitation.h"

#include <string.h>

enum { NAMED_MAX = 100 };

/* What the message is about. */
struct subject {
    const struct notice *notice;
    struct notice *sample; /* the same one, when it had to be made; owned */
    const struct definition *open[NAMED_MAX];
    size_t open_count;
};

static int take_notice(struct subject *subject, const struct preview_spec *spec, struct error *err)
{
    size_t count = plan_members(spec->notice, spec->rule, spec->definitions, subject->open, NAMED_MAX);

    subject->notice = spec->notice;
    subject->open_count = count < NAMED_MAX ? count : NAMED_MAX;
    if (count > 0)
        return 0;
    return error_set(err, ERROR_REFUSED, "notice %lld has no ticket that could be named", (long long)spec->notice->id);
}

static void make_sample(struct subject *subject, const struct preview_spec *spec)
{
    const struct definition *const *samples = message_sample_definitions(&subject->open_count);
    enum moment_kind kind = spec->rule->when.kind;

    memcpy(subject->open, samples, subject->open_count * sizeof *samples);
    subject->sample = notice_new(1, spec->site->name, samples[0]->event_id, spec->rule->name, kind,
                                 definition_at_ms(samples[0], kind), 1);
    subject->sample->due_at_ms =
        when_due_at_ms(&spec->rule->when, subject->sample->at_ms, zones_get(spec->zones, samples[0]->event_zone), NULL);
    subject->notice = subject->sample;
}

/* Names that a link wants of the person ("attributes.uuid"), each with something in its place. */
static char *sample_attributes(const char *link)
{
    static const char prefix[] = "attributes.";
    json_t *sample = json_object();

    for (const char *at = strstr(link, prefix); at; at = strstr(at, prefix)) {
        char name[64];
        at += strlen(prefix);
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "}| \t"), at);
        json_object_set_new(sample, name, json_string("sample"));
    }
    char *text = json_dumps(sample, JSON_COMPACT);
    json_decref(sample);
    return text;
}

static struct text part(const json_t *person, const char *key)
{
    const json_t *value = json_object_get(person, key);

    return (struct text){json_string_value(value), json_string_length(value)};
}

static int make_message(const struct subject *subject, const struct preview_spec *spec,
                        const struct message_person *person, struct message *out, struct error *err)
{
    struct message_batch_spec batch_spec = {
        .templates = spec->templates,
        .sender = spec->sender,
        .mail = spec->mail,
        .tokens = spec->tokens,
        .locales = spec->locales,
        .zones = spec->zones,
        .notice = subject->notice,
        .open = subject->open,
        .open_count = subject->open_count,
        .site_zone = spec->site->time_zone,
        .site_language = spec->site->language,
        .date_ms = subject->notice->due_at_ms,
    };
    const struct invitation_spec about = {
        .texts = spec->calendar_texts,
        .keys = spec->keys,
        .feed = spec->feed,
        .stored = spec->stored,
        .zones = spec->zones,
        .site = spec->site,
        .openings = spec->openings,
        .definitions = spec->definitions,
        .rule = spec->rule,
        .notice = subject->notice,
        .now_ms = batch_spec.date_ms,
    };
    struct invitation invitation;

    if (!message_templates_serve(spec->templates, spec->rule->when.kind))
        return error_set(err, ERROR_CONFIG, "rule %s: template %s says what a %s notice does not know",
                         spec->rule->name, spec->rule->template_name, moment_kind_name(spec->rule->when.kind));
    batch_spec.calendar = subject->sample
                              ? invitation_make_sample(&invitation, &about, subject->open, subject->open_count)
                              : invitation_make(&invitation, &about);
    struct message_batch *batch = message_batch_new(&batch_spec, err);
    int rc = batch ? message_make(batch, person, out, err) : -1;
    message_batch_free(batch);
    invitation_clear(&invitation);
    return rc;
}

int preview_make(const struct preview_spec *spec, struct message *out, struct buf *note, struct error *err)
{
    auto_free char *attributes = sample_attributes(spec->mail->unsubscribe_url);
    bool known = json_is_object(spec->person);
    struct subject subject = {0};
    struct address sample;

    if (address_parse(TEXT("subscriber@example.org"), &sample, err) < 0)
        return -1;
    const struct address *to = spec->subscriber ? spec->subscriber : &sample;
    struct message_person person = {.source = text_of(spec->rule->audiences.at[0]),
                                    .source_id = TEXT("1"),
                                    .address = text_of(to->text),
                                    .name = TEXT("Ada Nowak"),
                                    .attributes = text_of(attributes)};
    if (known)
        person = (struct message_person){.seq = json_integer_value(json_object_get(spec->person, "seq")),
                                         .source = part(spec->person, "source"),
                                         .source_id = part(spec->person, "source_id"),
                                         .address = part(spec->person, "address"),
                                         .name = part(spec->person, "name"),
                                         .locale = part(spec->person, "locale"),
                                         .zone = part(spec->person, "zone"),
                                         .attributes = part(spec->person, "attributes")};
    else if (spec->subscriber && spec->notice)
        buf_addf(note, "%s is not among the people of notice %lld; name and link are samples", to->text,
                 (long long)spec->notice->id);
    if (*spec->language)
        person.locale = text_of(spec->language);
    if (!spec->notice)
        make_sample(&subject, spec);
    int rc = spec->notice ? take_notice(&subject, spec, err) : 0;
    if (rc == 0)
        rc = make_message(&subject, spec, &person, out, err);
    notice_free(subject.sample);
    return rc;
}

int preview_no_rule(const char *name, const char *const *names, size_t count, struct error *err)
{
    auto_buf struct buf text;

    buf_init(&text, 4096);
    buf_add_suggestion(&text, name, names, count);
    return error_set(err, ERROR_REFUSED, "there is no rule \"%.100s\"%s", name, text.ptr ? text.ptr : "");
}
