#include "unsubscribe.h"

#include <string.h>

enum {
    BODY_MAX = 4096, /* bytes of a form; ours has some 20 */
    VALUE_MAX = 100,
    ACCEPT_MAX = 20, /* languages that are looked at */
    PAGE_MAX = 256 * 1024,
};

/* --- What is asked for -------------------------------------------------------------------------------------------- */

static enum unsubscribe_wish wish_of(struct text name, struct text value)
{
    if (text_equal_nocase(name, TEXT("List-Unsubscribe")) && text_equal_nocase(value, TEXT("One-Click")))
        return WISH_ONE_CLICK;
    if (text_is(name, "scope"))
        return text_is(value, "this") ? WISH_THIS : text_is(value, "all") ? WISH_ALL : WISH_NONE;
    return WISH_NONE;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static void add_decoded(struct buf *out, struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        int high = t.ptr[i] == '%' && i + 2 < t.len ? hex_digit(t.ptr[i + 1]) : -1,
            low = high >= 0 ? hex_digit(t.ptr[i + 2]) : -1;
        if (low >= 0) {
            buf_addc(out, (char)(high << 4 | low));
            i += 2;
        } else {
            buf_addc(out, t.ptr[i] == '+' ? ' ' : t.ptr[i]);
        }
    }
}

static enum unsubscribe_wish urlencoded_wish(struct text body)
{
    while (body.len > 0) {
        struct text value = text_trim(text_cut(&body, '&')), name = text_cut(&value, '=');
        auto_buf struct buf plain_name, plain_value;
        buf_init(&plain_name, VALUE_MAX);
        buf_init(&plain_value, VALUE_MAX);
        add_decoded(&plain_name, name);
        add_decoded(&plain_value, value);
        enum unsubscribe_wish wish = buf_failed(&plain_name) || buf_failed(&plain_value)
                                         ? WISH_NONE
                                         : wish_of(buf_text(&plain_name), buf_text(&plain_value));
        if (wish)
            return wish;
    }
    return WISH_NONE;
}

/* What stands before `mark`; *rest is what follows it. Without the mark nothing stands before it. */
static struct text cut_at(struct text *rest, const char *mark)
{
    size_t len = strlen(mark);
    const char *at = rest->len >= len ? memmem(rest->ptr, rest->len, mark, len) : NULL;
    struct text before = {rest->ptr, at ? (size_t)(at - rest->ptr) : 0};

    *rest = at ? text_slice(*rest, before.len + len, rest->len) : (struct text){0};
    return before;
}

/* `key` of "form-data; name=\"scope\"", without the quotes. */
static struct text parameter(struct text field, const char *key)
{
    text_cut(&field, ';');
    while (field.len > 0) {
        struct text value = text_trim(text_cut(&field, ';')), name = text_trim(text_cut(&value, '='));
        value = text_trim(value);
        if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
            value = text_slice(value, 1, value.len - 1);
        if (text_equal_nocase(name, text_of(key)))
            return value;
    }
    return (struct text){0};
}

/* RFC 7578: each part has its name in Content-Disposition. */
static enum unsubscribe_wish multipart_wish(struct text boundary, struct text body)
{
    char mark[80];

    if (boundary.len == 0 || boundary.len > 70) /* RFC 2046 section 5.1.1 */
        return WISH_NONE;
    snprintf(mark, sizeof mark, "--%.*s", TEXT_ARGS(boundary));
    cut_at(&body, mark);
    while (body.len > 0) {
        struct text part = cut_at(&body, mark), headers = cut_at(&part, "\r\n\r\n"), name = {0};
        while (headers.len > 0) {
            struct text value = text_cut(&headers, '\n'), field = text_trim(text_cut(&value, ':'));
            if (text_equal_nocase(field, TEXT("Content-Disposition")))
                name = parameter(text_trim(value), "name");
        }
        enum unsubscribe_wish wish = wish_of(name, text_trim(part));
        if (wish)
            return wish;
    }
    return WISH_NONE;
}

enum unsubscribe_wish unsubscribe_wish(const char *content_type, struct text body)
{
    struct text rest = text_of(content_type), type = text_trim(text_cut(&rest, ';'));

    if (body.len > BODY_MAX)
        return WISH_NONE;
    if (text_equal_nocase(type, TEXT("multipart/form-data")))
        return multipart_wish(parameter(text_of(content_type), "boundary"), body);
    return urlencoded_wish(body);
}

/* --- How it reads ------------------------------------------------------------------------------------------------- */

struct unsubscribe_texts {
    struct templates *read;
};

static const char *const sections[UNSUBSCRIBE_PAGES] = {
    [PAGE_ASK] = "ask",       [PAGE_DONE] = "done",   [PAGE_DONE_ALL] = "done_all",
    [PAGE_BROKEN] = "broken", [PAGE_LATER] = "later",
};

void buf_add_masked_address(struct buf *buf, struct text address)
{
    struct text domain = address, local = text_cut(&domain, '@');
    size_t first = local.len > 0 ? 1 : 0;

    while (first > 0 && first < local.len && ((unsigned char)local.ptr[first] & 0xC0) == 0x80)
        first++; /* a letter is whole */
    buf_add_text(buf, text_slice(local, 0, first));
    buf_adds(buf, "\xE2\x80\xA2\xE2\x80\xA2\xE2\x80\xA2@");
    buf_add_text(buf, domain);
}

static void set_text(json_t *object, const char *key, const char *value)
{
    if (value && *value)
        json_object_set_new(object, key, json_string(value));
}

int unsubscribe_page_make(const struct unsubscribe_texts *texts, const struct unsubscribe_view *view, struct buf *out,
                          struct error *err)
{
    const struct templates_language *language = templates_pick(texts->read, text_of(view->language));
    json_t *values = json_object(), *sender = json_object();

    if (!language)
        language = templates_at(texts->read, 0);
    set_text(values, "language", language->tag);
    set_text(values, "address", view->address);
    set_text(sender, "name", view->sender_name);
    set_text(sender, "postal_address", view->postal_address);
    set_text(sender, "contact", view->contact);
    json_object_set_new(values, "sender", sender);
    json_object_set_new(values, sections[view->page], json_true());
    int rc = render(language->html, &values, 1, true, out, err);
    json_decref(values);
    return rc < 0 || buf_failed(out) ? error_set(err, ERROR_CONFIG, "the page is over %zu bytes", out->limit) : 0;
}

/* With everything there can be, and with the least. */
static int try_samples(const struct unsubscribe_texts *texts, struct error *err)
{
    auto_buf struct buf out;

    buf_init(&out, PAGE_MAX);
    for (size_t i = 0; i < templates_count(texts->read); i++)
        for (int page = 0; page < UNSUBSCRIBE_PAGES; page++)
            for (int full = 0; full < 2; full++) {
                struct unsubscribe_view view = {
                    .page = (enum unsubscribe_page)page,
                    .language = templates_at(texts->read, i)->tag,
                    .address = page == PAGE_BROKEN ? "" : "a@example.org",
                    .sender_name = full ? "Arena" : "",
                    .postal_address = full ? "Main Street 1, Berlin" : "",
                    .contact = full ? "hello@arena.example" : "",
                };
                buf_reset(&out);
                if (unsubscribe_page_make(texts, &view, &out, err) < 0)
                    return -1;
            }
    return 0;
}

struct unsubscribe_texts *unsubscribe_texts_load(const char *const *folders, struct error *err)
{
    struct unsubscribe_texts *texts = must_calloc(1, sizeof *texts);

    texts->read = templates_read(folders, "unsubscribe", TEMPLATES_PAGE, "en", err);
    if (texts->read && try_samples(texts, err) == 0)
        return texts;
    unsubscribe_texts_free(texts);
    return NULL;
}

void unsubscribe_texts_free(struct unsubscribe_texts *texts)
{
    if (!texts)
        return;
    templates_free(texts->read);
    free(texts);
}

void buf_add_unsubscribe_languages(struct buf *buf, const struct unsubscribe_texts *texts)
{
    for (size_t i = 0; i < templates_count(texts->read); i++)
        buf_addf(buf, "%s%s", i ? ", " : "", templates_at(texts->read, i)->tag);
}

/* --- In which language -------------------------------------------------------------------------------------------- */

/* "q=0.8" in thousandths: 0 to 1000; what is no such thing is worth nothing. */
static int weight_of(struct text parameters)
{
    while (parameters.len > 0) {
        struct text value = text_trim(text_cut(&parameters, ';')), name = text_trim(text_cut(&value, '='));
        if (!text_equal_nocase(name, TEXT("q")))
            continue;
        int weight = 0;
        value = text_trim(value);
        if (value.len == 0 || value.len > 5 || (value.ptr[0] != '0' && value.ptr[0] != '1') ||
            (value.len > 1 && value.ptr[1] != '.'))
            return 0;
        weight = (value.ptr[0] - '0') * 1000;
        for (size_t i = 2, unit = 100; i < value.len; i++, unit /= 10) {
            if (value.ptr[i] < '0' || value.ptr[i] > '9')
                return 0;
            weight += (value.ptr[i] - '0') * (int)unit;
        }
        return weight <= 1000 ? weight : 0;
    }
    return 1000;
}

static const struct templates_language *accepted(const struct templates *templates, struct text accept)
{
    const struct templates_language *best = NULL;
    int best_weight = 0;

    for (int i = 0; i < ACCEPT_MAX && accept.len > 0; i++) {
        struct text rest = text_cut(&accept, ','), tag = text_trim(text_cut(&rest, ';'));
        const struct templates_language *language = templates_pick(templates, tag);
        int weight = language ? weight_of(rest) : 0;
        if (weight > best_weight) {
            best = language;
            best_weight = weight;
        }
    }
    return best;
}

const char *unsubscribe_language(const struct unsubscribe_texts *texts, struct text locale, struct text accept,
                                 struct text site)
{
    const struct templates_language *language = templates_pick(texts->read, locale);

    if (!language)
        language = accepted(texts->read, accept);
    if (!language)
        language = templates_pick(texts->read, site);
    return language ? language->tag : templates_at(texts->read, 0)->tag;
}
