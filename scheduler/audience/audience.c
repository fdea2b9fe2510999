#include "audience/audience.h"

#include <string.h>

const char *const audience_kinds[] = {
    [AUDIENCE_FILE] = "file",
    [AUDIENCE_LISTMONK] = "listmonk",
    NULL,
};

static const char *const formats[] = {"auto", "csv", "jsonl", NULL};

static int read_format(struct text t, void *field, struct arena *arena, struct error *err)
{
    for (size_t i = 0; formats[i]; i++) {
        if (!text_is(t, formats[i]))
            continue;
        *(const char **)field = formats[i];
        return 0;
    }
    return error_set(err, ERROR_CONFIG, "expected auto, csv or jsonl");
}

/* One word that a person has to mean: nobody agrees by accident. */
static int read_consent(struct text t, void *field, struct arena *arena, struct error *err)
{
    if (!text_is(t, "stated"))
        return error_set(err, ERROR_CONFIG,
                         "expected `stated` (everybody in this file agreed to be told), or no `consent` at all");
    *(bool *)field = true;
    return 0;
}

static const struct config_option interest_options[] = {
    {"attribute", CONFIG_TEXT, offsetof(struct audience_interest, attribute),
     .expects = "the name of an attribute or column that holds event ids"},
    {"list_name", CONFIG_TEXT, offsetof(struct audience_interest, list_name),
     .expects = "a name with {event} for the event's id, such as \"fans of {event}\""},
    {0},
};

const struct config_option audience_options[] = {
    {"", CONFIG_PLACE, offsetof(struct audience_settings, place)},
    {"name", CONFIG_TEXT, offsetof(struct audience_settings, name), .required = true},
    {"source", CONFIG_WORD, offsetof(struct audience_settings, source), .required = true, .words = audience_kinds},
    {"path", CONFIG_PATH, offsetof(struct audience_settings, path), .expects = "a CSV file or JSON lines",
     .only = "file"},
    {"format", CONFIG_CUSTOM, offsetof(struct audience_settings, format), .fallback = "auto", .read = read_format,
     .expects = "auto, csv or jsonl", .only = "file"},
    {"consent", CONFIG_CUSTOM, offsetof(struct audience_settings, consent_stated), .read = read_consent,
     .expects = "`stated`: everybody in the file agreed to be told", .only = "file"},
    {"url", CONFIG_TEXT, offsetof(struct audience_settings, url), .expects = "listmonk's address, http(s)://...",
     .only = "listmonk"},
    {"username", CONFIG_TEXT, offsetof(struct audience_settings, username), .expects = "listmonk's API user",
     .only = "listmonk"},
    {"token", CONFIG_SECRET, offsetof(struct audience_settings, token), .expects = "the API user's token",
     .only = "listmonk"},
    {"lists", CONFIG_LIST, offsetof(struct audience_settings, lists), .expects = "numbers of listmonk lists",
     .only = "listmonk"},
    {"page_size", CONFIG_INT, offsetof(struct audience_settings, page_size), .fallback = "5000", .min = 100,
     .max = 10000, .only = "listmonk"},
    {"timeout", CONFIG_SPAN, offsetof(struct audience_settings, timeout_ms), .fallback = "60s", .min = 100,
     .max = 600000},
    {"sql", CONFIG_BOOL, offsetof(struct audience_settings, sql), .fallback = "false",
     .expects = "true when the API user has subscribers:sql_query", .only = "listmonk"},
    {"interest", CONFIG_SECTION, offsetof(struct audience_settings, interest), .inside = interest_options},
    {0},
};

bool audience_has_interest(const struct audience_settings *settings)
{
    return text_given(settings->interest.attribute) || text_given(settings->interest.list_name);
}

static int check_file(const struct audience_settings *settings, struct error *err)
{
    if (!text_given(settings->path))
        return error_set(err, ERROR_CONFIG, "`path` is missing");
    if (text_given(settings->interest.list_name))
        return error_set(err, ERROR_CONFIG, "`interest: {list_name: ...}` needs `source: listmonk`");
    return 0;
}

static int check_listmonk(const struct audience_settings *settings, struct error *err)
{
    struct text url = text_of(settings->url);
    int64_t number;

    if (!text_starts(url, "http://") && !text_starts(url, "https://"))
        return error_set(err, ERROR_CONFIG, "`url` must be listmonk's address, http(s)://...");
    if (url.len > AUDIENCE_URL_MAX)
        return error_set(err, ERROR_CONFIG, "`url` must be at most %d bytes", AUDIENCE_URL_MAX);
    if (!text_given(settings->username) || !text_given(settings->token))
        return error_set(err, ERROR_CONFIG, "listmonk needs `username` and `token` (or `token_file`) of an API user");
    if (strlen(settings->username) + strlen(settings->token) > AUDIENCE_LOGIN_MAX)
        return error_set(err, ERROR_CONFIG, "`username` and `token` must be at most %d bytes", AUDIENCE_LOGIN_MAX);
    if (settings->lists.count == 0)
        return error_set(err, ERROR_CONFIG, "`lists` must name at least one list by its number");
    for (size_t i = 0; i < settings->lists.count; i++)
        if (parse_i64(text_of(settings->lists.at[i]), 1, INT32_MAX, &number, NULL) < 0)
            return error_set(err, ERROR_CONFIG, "`lists`: expected the number of a list, found \"%s\"",
                             settings->lists.at[i]);
    if (text_given(settings->interest.list_name) && !strstr(settings->interest.list_name, "{event}"))
        return error_set(err, ERROR_CONFIG, "`interest: {list_name: ...}` must hold {event}, else it is any event's");
    return 0;
}

int audience_check(const struct audience_settings *settings, struct error *err)
{
    if (settings->source == AUDIENCE_LISTMONK)
        return check_listmonk(settings, err);
    return check_file(settings, err);
}
