#include "source.h"

#include <jansson.h>
#include <string.h>

/* Longest texts we keep, in bytes. Wix allows 30 and 500 characters for name and description (Ticket Definitions V3);
 * a longer one is cut, not refused. */
enum {
    ID_MAX = 128,
    NAME_MAX_LEN = 400,
    DESCRIPTION_MAX = 4000,
    URL_MAX = 2048,
    ZONE_MAX = 64,
    CURSOR_MAX = 16000,
};

struct reader {
    const char *site;
    bool strict;         /* written by people: unknown words are mistakes */
    struct arena *arena; /* of one record */
};

/* Absent and null mean the same. */
static json_t *field(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);

    return json_is_null(value) ? NULL : value;
}

/* --- Fields, one kind each. Every one names its path when it fails. ------------------------------------------------
 */

static int read_text(struct reader *reader, const json_t *object, const char *key, size_t max, const char **out,
                     struct error *err)
{
    const json_t *value = field(object, key);
    struct text t = {0};

    *out = "";
    if (!value)
        return 0;
    if (!json_is_string(value))
        return error_set(err, ERROR_REFUSED, "%s: expected a text", key);
    t = (struct text){json_string_value(value), json_string_length(value)};
    if (!text_is_utf8(t))
        return error_set(err, ERROR_REFUSED, "%s: holds a zero byte or is not UTF-8", key);
    if (t.len > max) {
        t.len = max;
        while (t.len > 0 && ((unsigned char)t.ptr[t.len] & 0xC0) == 0x80)
            t.len--;
    }
    char *copy = arena_copy(reader->arena, t);
    for (char *c = copy; *c; c++) {
        unsigned char first = (unsigned char)c[0], second = (unsigned char)c[1];
        if (first < 0x20 || first == 0x7F)
            *c = ' ';
        else if (first == 0xC2 && second >= 0x80 && second < 0xA0) /* U+0080..U+009F */
            c[0] = c[1] = ' ';
    }
    *out = copy;
    return 0;
}

static bool is_plain(struct text t, const char *also)
{
    for (size_t i = 0; i < t.len; i++) {
        char c = t.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(also, c))))
            return false;
    }
    return true;
}

static int read_id(struct reader *reader, const json_t *object, const char *key, const char **out, struct error *err)
{
    const json_t *value = field(object, key);
    struct text t = {json_string_value(value), json_string_length(value)};

    if (!value)
        return error_set(err, ERROR_REFUSED, "%s: missing", key);
    if (!json_is_string(value) || t.len == 0 || t.len > ID_MAX || !is_plain(t, "-_:~"))
        return error_set(err, ERROR_REFUSED, "%s: expected 1 to %d letters, digits or -_:~", key, ID_MAX);
    *out = arena_copy(reader->arena, t);
    return 0;
}

static int read_moment(const json_t *object, const char *path, int64_t *out_ms, struct error *err)
{
    const char *dot = strrchr(path, '.');
    const json_t *value = field(object, dot ? dot + 1 : path);
    struct error why = {0};

    *out_ms = MOMENT_NONE;
    if (!value)
        return 0;
    if (!json_is_string(value))
        return error_set(err, ERROR_REFUSED, "%s: expected a time as text", path);
    struct text t = {json_string_value(value), json_string_length(value)};
    if (moment_parse(t, out_ms, &why) < 0)
        return error_set(err, ERROR_REFUSED, "%s: %s", path, why.text);
    return 0;
}

static int read_bool(const json_t *object, const char *key, bool *out, struct error *err)
{
    const json_t *value = field(object, key);

    *out = json_is_true(value);
    if (value && !json_is_boolean(value))
        return error_set(err, ERROR_REFUSED, "%s: expected true or false", key);
    return 0;
}

/* A word we do not know is "unknown", never a guess; people are told of it. */
static int read_word(struct reader *reader, const json_t *object, const char *key, const char *const *words, int *out,
                     struct error *err)
{
    const json_t *value = field(object, key);
    const char *word = json_string_value(value);

    *out = 0;
    for (int i = 1; word && words[i]; i++)
        if (strcmp(word, words[i]) == 0)
            *out = i;
    if (value && *out == 0 && reader->strict)
        return error_set(err, ERROR_REFUSED, "%s: \"%.40s\" is not a word we know (expected %s, ...)", key,
                         word ? word : "?", words[1]);
    return 0;
}

/* revision: a whole number as text (Wix) or as a number (people). */
static int read_revision(const json_t *object, int64_t *out, struct error *err)
{
    const json_t *value = field(object, "revision");
    struct text t = {json_string_value(value), json_string_length(value)};

    *out = 0;
    if (!value)
        return 0;
    if (json_is_integer(value)) {
        *out = json_integer_value(value);
        return 0;
    }
    if (!json_is_string(value) || parse_i64(t, INT64_MIN + 1, INT64_MAX, out, NULL) < 0)
        return error_set(err, ERROR_REFUSED, "revision: expected a whole number");
    return 0;
}

/* An object that may be absent; anything else in its place is a mistake. */
static int read_object(const json_t *object, const char *key, const json_t **out, struct error *err)
{
    *out = field(object, key);
    if (*out && !json_is_object(*out))
        return error_set(err, ERROR_REFUSED, "%s: expected an object", key);
    return 0;
}

/* --- Money: text, never a binary fraction. --------------------------------------------------------------------------
 */

struct money {
    struct text value, currency;
};

static bool is_decimal(struct text t)
{
    struct text rest = t, whole = text_cut(&rest, '.');
    bool has_point = whole.len < t.len;

    return t.len <= 24 && whole.len > 0 && is_plain(t, ".") && (!has_point || rest.len > 0) &&
           strspn(whole.ptr, "0123456789") >= whole.len &&
           (rest.len == 0 || strspn(rest.ptr, "0123456789") >= rest.len);
}

static bool is_zero(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (t.ptr[i] != '0' && t.ptr[i] != '.')
            return false;
    return t.len > 0;
}

/* False when it is not a price that could be shown. */
static bool read_money(struct reader *reader, const json_t *price, struct money *out)
{
    const json_t *value = field(price, "value"), *currency = field(price, "currency");

    *out = (struct money){.value = {json_string_value(value), json_string_length(value)},
                          .currency = {json_string_value(currency), json_string_length(currency)}};
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        out->value = text_of(arena_printf(reader->arena, "%lld", (long long)json_integer_value(value)));
    if (!out->value.ptr || !is_decimal(out->value) || out->currency.len != 3)
        return false;
    for (size_t i = 0; i < 3; i++)
        if (out->currency.ptr[i] < 'A' || out->currency.ptr[i] > 'Z')
            return false;
    return true;
}

/* Several options have one price only when they agree. */
static bool read_options(struct reader *reader, const json_t *options, struct money *out)
{
    const json_t *details = field(options, "optionDetails"), *option;
    struct money first = {0}, next;
    size_t i;

    json_array_foreach(details, i, option)
    {
        if (!read_money(reader, field(option, "price"), &next))
            return false;
        if (i == 0)
            first = next;
        if (!text_equal(first.value, next.value) || !text_equal(first.currency, next.currency))
            return false;
    }
    *out = first;
    return first.value.len > 0;
}

static int read_price(struct reader *reader, const json_t *record, struct definition *out, struct error *err)
{
    const json_t *pricing;
    struct money money;
    bool known;

    out->price = out->currency = "";
    if (read_object(record, "pricingMethod", &pricing, err) < 0)
        return -1;
    if (read_bool(pricing, "free", &out->free, err) < 0)
        return -1;
    const json_t *fixed = field(pricing, "fixedPrice"), *guest = field(pricing, "guestPrice");
    if (fixed || guest)
        known = read_money(reader, fixed ? fixed : guest, &money);
    else
        known = read_options(reader, field(pricing, "pricingOptions"), &money);
    if (!known)
        return 0;
    out->price = arena_copy(reader->arena, money.value);
    out->currency = arena_copy(reader->arena, money.currency);
    if (fixed && !field(pricing, "free"))
        out->free = is_zero(money.value);
    return 0;
}

/* --- The event ------------------------------------------------------------------------------------------------------
 */

/* "https://host/..." and "http://..." only; nothing in it may end an attribute, a header or a line. */
static bool is_web_url(const char *url)
{
    const char *host = url + (strncasecmp(url, "https://", 8) == 0 ? 8 : strncasecmp(url, "http://", 7) == 0 ? 7 : 0);
    size_t host_len = strcspn(host, "/?#");

    if (host == url || host_len == 0 || memchr(host, '@', host_len) || strlen(url) > URL_MAX)
        return false;
    for (const unsigned char *c = (const unsigned char *)url; *c; c++)
        if (*c <= 0x20 || *c == 0x7F || strchr("\"<>\\^`{|}", *c))
            return false;
    return true;
}

/* Does it name a scheme ("javascript:", "ftp://")? "host:8443/path" does not. */
static bool has_scheme(const char *base)
{
    size_t end = strcspn(base, ":/?#");

    return base[end] == ':' && !(base[end + 1] >= '0' && base[end + 1] <= '9');
}

/* Wix tells {base, path} and its own tools put a scheme in front of a bare base; people may write one text. What is no
 * web address is left out: the message goes without a link rather than with a dangerous one. */
static int read_url(struct reader *reader, const json_t *event, const char **out, struct error *err)
{
    const json_t *value = field(event, "eventPageUrl");
    const char *base = "", *path = "";

    *out = "";
    if (json_is_string(value)) {
        if (read_text(reader, event, "eventPageUrl", URL_MAX + 1, &base, err) < 0)
            return -1;
    } else if (value) {
        if (read_object(event, "eventPageUrl", &value, err) < 0 ||
            read_text(reader, value, "base", URL_MAX + 1, &base, err) < 0 ||
            read_text(reader, value, "path", URL_MAX + 1, &path, err) < 0)
            return -1;
    }
    if (!*base)
        return 0;
    size_t base_len = strlen(base);
    const char *slash = *path && *path != '/' && *path != '?' && *path != '#' && base[base_len - 1] != '/' ? "/" : "";
    if (*path == '/' && base_len > 1 && base[base_len - 1] == '/' && base[base_len - 2] != '/')
        base_len--;
    const char *scheme = has_scheme(base) ? "" : strncmp(base, "//", 2) == 0 ? "https:" : "https://";
    const char *url = arena_printf(reader->arena, "%s%.*s%s%s", scheme, (int)base_len, base, slash, path);
    if (is_web_url(url))
        *out = url;
    else if (reader->strict)
        return error_set(err, ERROR_REFUSED, "eventPageUrl: expected an http or https address");
    return 0;
}

static int read_event(struct reader *reader, const json_t *record, struct definition *out, struct error *err)
{
    static const char *const statuses[] = {[EVENT_UNKNOWN] = "",
                                           [EVENT_UPCOMING] = "UPCOMING",
                                           [EVENT_STARTED] = "STARTED",
                                           [EVENT_ENDED] = "ENDED",
                                           [EVENT_CANCELED] = "CANCELED",
                                           [EVENT_DRAFT] = "DRAFT",
                                           NULL};
    const json_t *event, *place, *times;
    bool place_tbd, time_tbd;
    int status;

    if (read_object(record, "eventDetails", &event, err) < 0 || read_object(event, "location", &place, err) < 0 ||
        read_object(event, "dateAndTimeSettings", &times, err) < 0)
        return -1;
    if (read_text(reader, event, "title", NAME_MAX_LEN, &out->event_title, err) < 0 ||
        read_url(reader, event, &out->event_url, err) < 0 ||
        read_word(reader, event, "status", statuses, &status, err) < 0 ||
        read_text(reader, place, "name", NAME_MAX_LEN, &out->event_place, err) < 0 ||
        read_bool(place, "locationTbd", &place_tbd, err) < 0 ||
        read_text(reader, times, "timeZoneId", ZONE_MAX, &out->event_zone, err) < 0 ||
        read_bool(times, "dateAndTimeTbd", &time_tbd, err) < 0 ||
        read_moment(times, "eventDetails.dateAndTimeSettings.startDate", &out->event_starts_at_ms, err) < 0)
        return error_at(err, "eventDetails");
    out->event_status = (enum event_status)status;
    if (reader->strict && !field(event, "status"))
        out->event_status = EVENT_UPCOMING;
    if (place_tbd)
        out->event_place = "";
    if (time_tbd)
        out->event_starts_at_ms = MOMENT_NONE;
    if (!is_plain(text_of(out->event_zone), "_+-/"))
        out->event_zone = "";
    return 0;
}

/* --- One record -----------------------------------------------------------------------------------------------------
 */

static int read_sale(struct reader *reader, const json_t *record, struct definition *out, struct error *err)
{
    static const char *const statuses[] = {[SALE_UNKNOWN] = "",
                                           [SALE_SCHEDULED] = "SALE_SCHEDULED",
                                           [SALE_STARTED] = "SALE_STARTED",
                                           [SALE_ENDED] = "SALE_ENDED",
                                           NULL};
    const json_t *period, *sales;
    bool sold_out;
    int status;

    if (read_object(record, "salePeriod", &period, err) < 0 || read_object(record, "salesDetails", &sales, err) < 0 ||
        read_moment(period, "salePeriod.startDate", &out->sale_starts_at_ms, err) < 0 ||
        read_moment(period, "salePeriod.endDate", &out->sale_ends_at_ms, err) < 0 ||
        read_word(reader, record, "saleStatus", statuses, &status, err) < 0 ||
        read_bool(sales, "soldOut", &sold_out, err) < 0)
        return -1;
    const json_t *unsold = field(sales, "unsoldCount"); /* null: unlimited */
    out->sold_out = sold_out || (json_is_integer(unsold) && json_integer_value(unsold) <= 0);
    out->sale_status = (enum sale_status)status;
    return 0;
}

static int read_record(struct reader *reader, const json_t *record, struct definition *out, struct error *err)
{
    *out = (struct definition){.site = reader->site};
    if (!json_is_object(record))
        return error_set(err, ERROR_REFUSED, "expected an object");
    if (read_id(reader, record, "id", &out->id, err) < 0)
        return -1;
    if (read_id(reader, record, "eventId", &out->event_id, err) < 0 || read_revision(record, &out->revision, err) < 0 ||
        read_moment(record, "createdDate", &out->created_at_ms, err) < 0 ||
        read_moment(record, "updatedDate", &out->updated_at_ms, err) < 0 ||
        read_text(reader, record, "name", NAME_MAX_LEN, &out->name, err) < 0 ||
        read_text(reader, record, "description", DESCRIPTION_MAX, &out->description, err) < 0 ||
        read_bool(record, "hidden", &out->hidden, err) < 0 || read_price(reader, record, out, err) < 0 ||
        read_sale(reader, record, out, err) < 0 || read_event(reader, record, out, err) < 0)
        return -1;
    return 0;
}

static void note_bad(struct source_page_notes *notes, const struct definition *fields, size_t index,
                     const struct error *why)
{
    const char *id = fields->id ? fields->id : "";

    if (notes->bad++ == 0)
        error_set(&notes->bad_why, why->kind, "definition %zu%s%s%s: %s", index + 1, *id ? " (" : "", id,
                  *id ? ")" : "", why->text);
    if (!*id)
        return;
    notes->ids = must_realloc(notes->ids, (notes->id_count + 1) * sizeof *notes->ids);
    notes->ids[notes->id_count++] = must_strdup(id);
}

static void add_record(struct reader *reader, const json_t *record, size_t index, struct source_page *out,
                       struct source_page_notes *notes)
{
    struct arena arena = {0};
    struct definition fields;
    struct error why = {0};

    reader->arena = &arena;
    if (read_record(reader, record, &fields, &why) < 0)
        note_bad(notes, &fields, index, &why);
    else
        out->definitions[out->count++] = definition_new(&fields);
    reader->arena = NULL;
    arena_clear(&arena);
}

/* --- The page -------------------------------------------------------------------------------------------------------
 */

static int not_the_shape(struct error *err, const char *expected)
{
    return error_set(err, ERROR_TRY_LATER, "not the documented shape: expected %s", expected);
}

static int read_cursor(const json_t *root, struct source_page *out, struct error *err)
{
    const json_t *metadata = field(root, "metadata");
    const json_t *cursors = field(metadata, "cursors"), *next = field(cursors, "next");

    if ((metadata && !json_is_object(metadata)) || (cursors && !json_is_object(cursors)) ||
        (next && (!json_is_string(next) || json_string_length(next) > CURSOR_MAX ||
                  !text_is_utf8((struct text){json_string_value(next), json_string_length(next)}))))
        return not_the_shape(err, "metadata.cursors.next as text");
    if (next && json_string_length(next) > 0)
        out->next_cursor = must_strdup(json_string_value(next));
    return 0;
}

static int read_records(struct reader *reader, const json_t *root, struct source_page *out,
                        struct source_page_notes *notes, struct error *err)
{
    const json_t *list = json_is_array(root) ? root : field(root, "ticketDefinitions"), *record;
    const json_t *single = field(root, "ticketDefinition");
    size_t i;

    if (json_is_array(root) && !reader->strict)
        return not_the_shape(err, "an object, found an array");
    if (single && !list) {
        out->definitions = must_calloc(1, sizeof *out->definitions);
        add_record(reader, single, 0, out, notes);
        return 0;
    }
    /* An empty result may come without the list, but then with its metadata. */
    if (!list && !reader->strict && json_is_object(field(root, "metadata")))
        return read_cursor(root, out, err);
    if (!json_is_array(list))
        return not_the_shape(err, "\"ticketDefinitions\": [...]");
    out->definitions = must_calloc(json_array_size(list), sizeof *out->definitions);
    json_array_foreach(list, i, record) add_record(reader, record, i, out, notes);
    return json_is_object(root) ? read_cursor(root, out, err) : 0;
}

static int parse(struct reader *reader, struct text json, struct source_page *out, struct source_page_notes *notes,
                 struct error *err)
{
    json_error_t where;

    *out = (struct source_page){0};
    *notes = (struct source_page_notes){0};
    if (text_starts(json, "\xEF\xBB\xBF")) /* some editors put a byte order mark in front */
        json = text_slice(json, 3, json.len);
    /* A zero byte in one text shall cost that record, not the page. */
    json_t *root = json_loadb(json.ptr ? json.ptr : "", json.len, JSON_ALLOW_NUL, &where);
    if (!root)
        return error_set(err, ERROR_TRY_LATER, "not the documented shape: line %d, column %d: %s", where.line,
                         where.column, where.text);
    int rc = read_records(reader, root, out, notes, err);
    json_decref(root);
    if (rc < 0) {
        source_page_clear(out);
        source_page_notes_clear(notes);
    }
    return rc;
}

int source_page_parse(const char *site, struct text json, struct source_page *out, struct source_page_notes *notes,
                      struct error *err)
{
    return parse(&(struct reader){.site = site}, json, out, notes, err);
}

int source_file_parse(const char *site, struct text json, struct source_page *out, struct source_page_notes *notes,
                      struct error *err)
{
    return parse(&(struct reader){.site = site, .strict = true}, json, out, notes, err);
}

void source_page_clear(struct source_page *page)
{
    for (size_t i = 0; i < page->count; i++)
        definition_free(page->definitions[i]);
    free(page->definitions);
    free(page->next_cursor);
    *page = (struct source_page){0};
}

void source_page_notes_clear(struct source_page_notes *notes)
{
    for (size_t i = 0; i < notes->id_count; i++)
        free(notes->ids[i]);
    free(notes->ids);
    *notes = (struct source_page_notes){0};
}
