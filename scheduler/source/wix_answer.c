#include "wix.h"

#include <jansson.h>
#include <string.h>

bool wix_is_header_value(const char *value)
{
    for (const unsigned char *c = (const unsigned char *)value; *c; c++)
        if (*c < 0x21 || *c > 0x7E)
            return false;
    return true;
}

/* Wix's own words about a failure, where the body has them; borrowed from `root`. */
struct words {
    json_t *root;
    const char *message, *code;
    const char *field, *why; /* of the first violation */
};

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static void words_read(struct words *words, struct text body)
{
    enum { BODY_MAX = 256 * 1024 };

    *words = (struct words){.message = "", .code = "", .field = "", .why = ""};
    if (body.len == 0 || body.len > BODY_MAX)
        return;
    words->root = json_loadb(body.ptr, body.len, 0, NULL);
    const json_t *details = json_object_get(words->root, "details");
    const json_t *application = json_object_get(details, "applicationError");
    const json_t *violation =
        json_array_get(json_object_get(json_object_get(details, "validationError"), "fieldViolations"), 0);

    words->message = text_at(words->root, "message");
    words->code = text_at(application, "code");
    words->field = text_at(violation, "field");
    words->why = text_at(violation, "description");
}

static bool speaks_of_site(const struct words *words)
{
    return strcasestr(words->message, "meta-site") || strcasestr(words->message, "metasite") ||
           strcasestr(words->message, "meta site") || strcasestr(words->code, "META_SITE") ||
           strcasestr(words->code, "METASITE");
}

struct sense {
    enum error_kind kind;
    const char *advice;
};

static struct sense sense_of(int status, const struct words *words, bool oauth)
{
    static const char site_advice[] = "site_id names no site that this key may use";

    if (status >= 300 && status < 400)
        return (struct sense){ERROR_CONFIG, "redirects are refused: is base_url right?"};
    if (status < 300)
        return (struct sense){ERROR_TRY_LATER, "not the documented answer"};
    switch (status) {
    case 401:
        return (struct sense){ERROR_CONFIG, oauth ? "Wix takes neither the token nor a new one: check client_id, "
                                                    "client_secret and instance_id"
                                                  : "Wix does not take this API key: make a new one or check api_key"};
    case 403:
        return (struct sense){ERROR_CONFIG, "grant \"Manage Ticket Definitions\" (and Read Events) on this site"};
    case 404:
        if (speaks_of_site(words))
            return (struct sense){ERROR_CONFIG, site_advice};
        return (struct sense){ERROR_CONFIG, "is base_url right?"};
    case 428:
        if (strcmp(words->code, "WIX_EVENTS_APP_NOT_INSTALLED") == 0)
            return (struct sense){ERROR_CONFIG, "install Wix Events on this site"};
        return (struct sense){ERROR_CONFIG, "Wix saw no site: check api_key and site_id"};
    case 408:
    case 425:
    case 429:
        return (struct sense){ERROR_TRY_LATER, ""};
    case 501:
        return (struct sense){ERROR_REFUSED, ""};
    default:
        return (struct sense){status >= 500 ? ERROR_TRY_LATER : ERROR_REFUSED, ""};
    }
}

static int no_answer(const struct fetch_result *result, const char *what, struct error *err)
{
    const struct error *why = result->failure;

    /* We only read: whether it happened over there does not matter. */
    error_set(err, why->kind == ERROR_IN_DOUBT ? ERROR_TRY_LATER : why->kind, "%s", why->text);
    return error_at(err, "%s", what);
}

int wix_answer_check(const struct fetch_result *result, const char *what, bool oauth, struct wix_meaning *meaning,
                     struct error *err)
{
    struct words words;

    *meaning = (struct wix_meaning){0};
    if (result->failure)
        return no_answer(result, what, err);
    if (result->status == 200)
        return 0;
    words_read(&words, result->body);
    struct sense sense = sense_of(result->status, &words, oauth);
    /* A page of a proxy in between is no word about a definition: Wix answers in JSON with a message. */
    meaning->gone = result->status == 404 && *words.message && !speaks_of_site(&words);

    auto_buf struct buf text;
    buf_init(&text, 2000);
    buf_addf(&text, "%d", result->status);
    if (*words.code)
        buf_addf(&text, " %.60s", words.code);
    if (*words.message)
        buf_addf(&text, " \"%.160s\"", words.message);
    if (*words.field || *words.why)
        buf_addf(&text, " %.80s: %.120s", words.field, words.why);
    if (result->request_id.len > 0)
        buf_addf(&text, " (request %.*s)", TEXT_ARGS(text_slice(result->request_id, 0, 60)));
    if (*sense.advice)
        buf_addf(&text, ": %s", sense.advice);
    json_decref(words.root);
    error_set(err, sense.kind, "%s: %s", what, text.ptr);
    return -1;
}
