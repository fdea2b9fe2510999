#include "shop.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

int shop_moment(const char *word, int64_t now_ms, int64_t *out_ms, struct error *err)
{
    int64_t span_ms;

    if (*word == '+' || *word == '-') {
        if (parse_span(text_of(word + 1), &span_ms, err) < 0)
            return -1;
        *out_ms = now_ms + (*word == '+' ? span_ms : -span_ms);
        return 0;
    }
    if (strchr(word, 'T'))
        return moment_parse(text_of(word), out_ms, err);

    auto_buf struct buf whole;

    buf_init(&whole, 64);
    buf_add_moment(&whole, now_ms);
    whole.len = strlen("2027-03-26T");
    buf_addf(&whole, "%sZ", word);
    return moment_parse(buf_text(&whole), out_ms, err);
}

/* --- Definitions --- */

struct shop_definition *shop_definition(struct shop *shop, const char *id, int64_t now_ms)
{
    for (size_t i = 0; i < shop->definition_count; i++)
        if (strcmp(shop->definitions[i].id, id) == 0)
            return &shop->definitions[i];
    shop->definitions = must_realloc(shop->definitions, (shop->definition_count + 1) * sizeof *shop->definitions);
    struct shop_definition *fresh = &shop->definitions[shop->definition_count++];
    *fresh = (struct shop_definition){.event = "festival",
                                      .status = "UPCOMING",
                                      .starts_at_ms = MOMENT_NONE,
                                      .ends_at_ms = MOMENT_NONE,
                                      .created_at_ms = now_ms};
    snprintf(fresh->id, sizeof fresh->id, "%s", id);
    return fresh;
}

int shop_set(struct shop_definition *definition, struct text property, int64_t now_ms, struct error *err)
{
    struct text value = property, key = text_cut(&value, '=');
    const struct {
        const char *key;
        char *field;
        size_t size;
    } words[] = {
        {"event", definition->event, sizeof definition->event},
        {"title", definition->title, sizeof definition->title},
        {"status", definition->status, sizeof definition->status},
        {"zone", definition->zone, sizeof definition->zone},
        {"sale", definition->sale, sizeof definition->sale},
    };
    const struct {
        const char *key;
        int64_t *field;
    } moments[] = {{"start", &definition->starts_at_ms},
                   {"end", &definition->ends_at_ms},
                   {"created", &definition->created_at_ms}};
    const struct {
        const char *key;
        bool *field;
    } flags[] = {
        {"hidden", &definition->hidden}, {"deleted", &definition->deleted}, {"soldout", &definition->sold_out}};

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (text_is(key, words[i].key))
            return snprintf(words[i].field, words[i].size, "%.*s", TEXT_ARGS(value)) < 0 ? -1 : 0;
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (text_is(key, flags[i].key)) {
            *flags[i].field = text_is(value, "yes");
            return 0;
        }
    for (size_t i = 0; i < ARRAY_LEN(moments); i++)
        if (text_is(key, moments[i].key)) {
            auto_free char *word = text_dup(value);
            *moments[i].field = MOMENT_NONE;
            return value.len == 0 ? 0 : shop_moment(word, now_ms, moments[i].field, err);
        }
    return error_set(err, ERROR_REFUSED, "a definition has no property \"%.*s\"", TEXT_ARGS(property));
}

void shop_changed(struct shop_definition *definition, int64_t now_ms)
{
    definition->revision++;
    definition->updated_at_ms = now_ms;
}

static void set_moment(json_t *object, const char *key, int64_t at_ms)
{
    auto_buf struct buf text;

    buf_init(&text, 64);
    if (at_ms == MOMENT_NONE)
        return;
    buf_add_moment(&text, at_ms);
    json_object_set_new(object, key, json_string(text.ptr));
}

static json_t *definition_json(const struct shop_definition *d)
{
    json_t *period = json_object(), *dates = json_object();
    char revision[16];

    snprintf(revision, sizeof revision, "%d", d->revision);
    set_moment(period, "startDate", d->starts_at_ms);
    set_moment(period, "endDate", d->ends_at_ms);
    if (*d->zone)
        json_object_set_new(dates, "timeZoneId", json_string(d->zone));
    json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:b, s:o, s:{s:b}, s:{s:{s:s, s:s}}, s:{s:s, s:s, s:o}}", "id",
                             d->id, "eventId", d->event, "revision", revision, "name", d->id, "hidden", d->hidden,
                             "salePeriod", period, "salesDetails", "soldOut", d->sold_out, "pricingMethod",
                             "fixedPrice", "value", "10.00", "currency", "EUR", "eventDetails", "title",
                             *d->title ? d->title : d->event, "status", d->status, "dateAndTimeSettings", dates);
    set_moment(json, "createdDate", d->created_at_ms);
    set_moment(json, "updatedDate", d->updated_at_ms);
    if (*d->sale)
        json_object_set_new(json, "saleStatus", json_string(d->sale));
    return json;
}

int shop_write_definitions(const struct shop *shop, struct error *err)
{
    json_t *list = json_array();

    for (size_t i = 0; i < shop->definition_count; i++)
        if (!shop->definitions[i].deleted)
            json_array_append_new(list, definition_json(&shop->definitions[i]));
    json_t *page = json_pack("{s:o}", "ticketDefinitions", list);
    auto_free char *text = json_dumps(page, JSON_INDENT(1));
    json_decref(page);
    return shop_write_file(shop->folder, "definitions.json", text_of(text), err);
}

/* --- People --- */

void shop_person(struct shop *shop, const char *audience, const char *address, const char *status)
{
    struct shop_person *person = shop->people, *end = person + shop->person_count;

    while (person < end && (strcmp(person->address, address) != 0 || strcmp(person->audience, audience) != 0))
        person++;
    if (!status) {
        if (person < end) {
            memmove(person, person + 1, (size_t)(end - person - 1) * sizeof *person);
            shop->person_count--;
        }
        return;
    }
    if (person == end) {
        shop->people = must_realloc(shop->people, (shop->person_count + 1) * sizeof *shop->people);
        person = &shop->people[shop->person_count++];
        snprintf(person->audience, sizeof person->audience, "%s", audience);
        snprintf(person->address, sizeof person->address, "%s", address);
    }
    snprintf(person->status, sizeof person->status, "%s", status);
}

int shop_write_people(const struct shop *shop, const char *audience, struct error *err)
{
    auto_buf struct buf csv;
    char name[64];

    buf_init(&csv, 16 << 20);
    buf_adds(&csv, "email,status\n");
    for (size_t i = 0; i < shop->person_count; i++)
        if (strcmp(shop->people[i].audience, audience) == 0)
            buf_addf(&csv, "%s,%s\n", shop->people[i].address, shop->people[i].status);
    snprintf(name, sizeof name, "%s.csv", audience);
    return shop_write_file(shop->folder, name, buf_text(&csv), err);
}

/* --- Files --- */

int shop_write_file(const char *folder, const char *name, struct text content, struct error *err)
{
    char path[256], fresh[264];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    auto_file FILE *file = fopen(fresh, "we");
    if (!file || fwrite(content.ptr, 1, content.len, file) != content.len || fflush(file) != 0 ||
        rename(fresh, path) < 0)
        return error_set(err, ERROR_REFUSED, "%s: %s", path, strerror(errno));
    return 0;
}

void shop_clear(struct shop *shop)
{
    free(shop->definitions);
    free(shop->people);
    shop->definitions = NULL;
    shop->people = NULL;
    shop->definition_count = shop->person_count = 0;
}
