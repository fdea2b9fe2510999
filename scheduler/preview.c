#include "preview.h"

#include <string.h>

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

/* Who reads a language that the template does not have gets another one: an operator who asked for it has to know. */
static void note_language(const struct preview_spec *spec, struct buf *note)
{
    size_t len = strcspn(spec->language, "-_");
    auto_buf struct buf all;

    buf_init(&all, 4096);
    buf_add_languages(&all, spec->draft.templates);
    struct text rest = buf_text(&all);
    while (rest.len > 0) {
        struct text one = text_trim(text_cut(&rest, ','));
        if (text_equal_nocase(text_slice(one, 0, strcspn(one.ptr, "-_,")), (struct text){spec->language, len}))
            return;
    }
    buf_addf(note, "%stemplate %s is not there in \"%.20s\", only in %.*s", note->len ? "; " : "",
             spec->draft.rule->template_name, spec->language, TEXT_ARGS(buf_text(&all)));
}

int preview_make(const struct preview_spec *spec, struct message *out, struct buf *note, struct error *err)
{
    auto_free char *attributes = sample_attributes(spec->draft.mail->unsubscribe_url);
    bool known = json_is_object(spec->person);
    struct address sample;

    if (address_parse(TEXT("subscriber@example.org"), &sample, err) < 0)
        return -1;
    const struct address *to = spec->subscriber ? spec->subscriber : &sample;
    struct message_person person = {.source = text_of(spec->draft.rule->audiences.at[0]),
                                    .source_id = TEXT("1"),
                                    .address = text_of(to->text),
                                    .name = TEXT("Ada Nowak"),
                                    .attributes = text_of(attributes)};
    if (known)
        person = message_person_of(spec->person);
    else if (spec->subscriber && spec->draft.notice)
        buf_addf(note, "%s is not among the people of notice %lld; name and link are samples", to->text,
                 (long long)spec->draft.notice->id);
    if (*spec->language) {
        person.locale = text_of(spec->language);
        note_language(spec, note);
    }
    return draft_make(&spec->draft, &person, out, err);
}
