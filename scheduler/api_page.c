#include "api_page.h"

#include "clock.h"
#include "crypt_keys.h"

#include <string.h>

/* The first letter of a cursor: one of another listing is refused, not misread. */
static const char letters[] = {[API_LIST_OPENINGS] = 'o',
                               [API_LIST_NOTICES] = 'n',
                               [API_LIST_PEOPLE] = 'p',
                               [API_LIST_SUPPRESSIONS] = 's',
                               [API_LIST_FEEDS] = 'f'};

/* "AT~KEY~SCOPE", which the store takes with blanks. */
static bool read_behind(struct text cursor, struct api_page *out)
{
    struct text rest = cursor, at = text_cut(&rest, '~'), key = text_cut(&rest, '~');
    unsigned char hash[PERSON_KEY_SIZE];
    int64_t at_ms;

    if (cursor.len >= sizeof out->behind || moment_parse(at, &at_ms, NULL) < 0 || !text_unhex(key, hash, sizeof hash))
        return false;
    for (size_t i = 0; i < rest.len; i++)
        if (!rest.ptr[i] || !strchr("abcdefghijklmnopqrstuvwxyz0123456789_-", rest.ptr[i]))
            return false;
    snprintf(out->behind, sizeof out->behind, "%.*s %.*s %.*s", TEXT_ARGS(at), TEXT_ARGS(key), TEXT_ARGS(rest));
    return true;
}

static bool read_cursor(enum api_listing listing, const char *cursor, struct api_page *out)
{
    struct text place = text_of(cursor);

    if (place.len < 2 || place.ptr[0] != letters[listing])
        return false;
    place = text_slice(place, 1, place.len);
    if (listing == API_LIST_SUPPRESSIONS)
        return read_behind(place, out);
    return parse_i64(place, 0, INT64_MAX, &out->after, NULL) == 0;
}

int api_page_read(enum api_listing listing, const char *limit, const char *cursor, struct api_page *out,
                  const char **wrong, struct error *err)
{
    *out = (struct api_page){.limit = API_PAGE};
    *wrong = "limit";
    if (limit && parse_i64(text_of(limit), 1, API_PAGE_MAX, &out->limit, err) < 0)
        return error_at(err, "limit");
    *wrong = "cursor";
    if (cursor && !read_cursor(listing, cursor, out))
        return error_set(err, ERROR_REFUSED, "cursor: expected one that came in the Link of this listing");
    *wrong = NULL;
    return 0;
}

static const char *text_of_row(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));

    return text ? text : "";
}

void buf_add_cursor(struct buf *buf, enum api_listing listing, const json_t *row)
{
    const char *number = listing == API_LIST_PEOPLE ? "seq" : "id";

    buf_addc(buf, letters[listing]);
    if (listing == API_LIST_SUPPRESSIONS)
        buf_addf(buf, "%s~%s~%s", text_of_row(row, "at"), text_of_row(row, "key"), text_of_row(row, "scope"));
    else
        buf_addf(buf, "%lld", (long long)json_integer_value(json_object_get(row, number)));
}
