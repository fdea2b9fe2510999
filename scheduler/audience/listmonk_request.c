#include "audience/listmonk_request.h"

#include "audience/listmonk_page.h"

#include <string.h>

/* Pages are counted in whole sizes, so a window cannot begin just anywhere: of the sizes between half and all of
 * `most`, the one that overlaps least. */
struct listmonk_window listmonk_window_behind(int64_t covered, int64_t most)
{
    struct listmonk_window best = {.page = 1, .size = most};
    int64_t known = covered - 1; /* the row that has to be in it */
    int64_t furthest = covered <= most ? most : 0;

    if (known <= 0)
        return best;
    int64_t fewest = (known + most - 1) / most; /* windows of that size before it */
    for (int64_t before = fewest; before <= 2 * fewest && known / before > 0; before++) {
        int64_t size = known / before;
        if ((before + 1) * size <= furthest)
            continue;
        furthest = (before + 1) * size;
        best = (struct listmonk_window){.page = before + 1, .size = size};
    }
    return best;
}

static void add_encoded_char(struct buf *url, char c)
{
    if (c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", c))
        buf_addc(url, c);
    else
        buf_addf(url, "%%%02X", (unsigned char)c);
}

static void add_encoded(struct buf *url, const char *text)
{
    for (; *text; text++)
        add_encoded_char(url, *text);
}

void listmonk_add_people(struct buf *url, int64_t list, struct listmonk_window window)
{
    buf_addf(url, "/api/subscribers?list_id=%lld&order=asc&page=%lld&per_page=%lld", (long long)list,
             (long long)window.page, (long long)window.size);
}

void listmonk_add_condition(struct buf *url, int64_t last_id, const char *since)
{
    char condition[400];

    snprintf(condition, sizeof condition, "subscribers.id > %lld", (long long)last_id);
    buf_adds(url, "&query=");
    add_encoded(url, condition);
    if (!since)
        return;
    /* a subscriber's updated_at stays when only a subscription changes */
    snprintf(condition, sizeof condition,
             " AND (subscribers.updated_at > '%s' OR EXISTS (SELECT 1 FROM subscriber_lists sl WHERE "
             "sl.subscriber_id = subscribers.id AND sl.updated_at > '%s'))",
             since, since);
    add_encoded(url, condition);
}

static void add_search_begin(struct buf *url)
{
    buf_addf(url, "/api/subscribers?order=asc&page=1&per_page=%d", LISTMONK_PERSON_ROWS);
}

/* PostgreSQL's regular expressions: a backslash before what is no letter, digit or part of UTF-8 takes its meaning
 * away. */
void listmonk_add_search(struct buf *url, struct text address)
{
    add_search_begin(url);
    buf_adds(url, "&search=%5E");
    for (size_t i = 0; i < address.len; i++) {
        unsigned char c = (unsigned char)address.ptr[i];
        bool plain = c >= 0x80 || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (!plain)
            add_encoded_char(url, '\\');
        add_encoded_char(url, (char)c);
    }
    buf_adds(url, "%24");
}

static void add_where(struct buf *url, const char *begin, struct text value, const char *end)
{
    add_search_begin(url);
    buf_adds(url, "&query=");
    add_encoded(url, begin);
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\'') /* twice: itself, inside a text */
            add_encoded_char(url, '\'');
        add_encoded_char(url, value.ptr[i]);
    }
    add_encoded(url, end);
}

void listmonk_add_where_address(struct buf *url, struct text address)
{
    add_where(url, "LOWER(subscribers.email) = LOWER('", address, "')");
}

void listmonk_add_where_uuid(struct buf *url, struct text uuid)
{
    add_where(url, "subscribers.uuid = '", uuid, "'");
}

bool listmonk_is_plain(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (t.ptr[i] == '\\' || (unsigned char)t.ptr[i] < ' ')
            return false;
    return true;
}

bool listmonk_is_uuid(struct text t)
{
    if (t.len != 36)
        return false;
    for (size_t i = 0; i < t.len; i++) {
        char c = t.ptr[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? c != '-' : !((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')))
            return false;
    }
    return true;
}

int listmonk_check_answer(const struct fetch_result *result, bool sql, struct error *err)
{
    char message[120];
    int status = result->status;

    if (result->failure) {
        *err = *result->failure;
        return -1;
    }
    if (status == 200)
        return 0;
    listmonk_message(result->body, message);
    const char *colon = message[0] ? ": " : "";
    if (status == 408 || status == 429 || status >= 500)
        return error_set(err, ERROR_TRY_LATER, "it answered %d%s%s", status, colon, message);
    if ((status == 403 || status == 401) && sql)
        return error_set(err, ERROR_CONFIG,
                         "it answered %d%s%s; give the API user the permissions subscribers:get and "
                         "subscribers:sql_query, or take `sql: true` away",
                         status, colon, message);
    if (status == 403 || status == 401)
        return error_set(err, ERROR_CONFIG,
                         "it answered %d%s%s; check username and token, and that the API user may read this list and "
                         "its subscribers",
                         status, colon, message);
    if (status == 400 || status == 404)
        return error_set(err, ERROR_CONFIG, "it answered %d%s%s; is there such a list, and may the API user read it?",
                         status, colon, message);
    return error_set(err, ERROR_CONFIG, "it answered %d%s%s, which listmonk never does; check `url`", status, colon,
                     message);
}
