/* sqlite_private_feed.c - feeds that are read by who has the link, and who fetched them last. */
#include "sqlite.h"

#include <string.h>

static const char columns_sql[] =
    "SELECT id, name, site, event_id, hash, created_at, rotated_at, revoked_at, last_fetch_at, last_client, fetches"
    " FROM private_feed WHERE id > ?1 ORDER BY id LIMIT ?2";

/* Its texts live until the row is left. */
static void read_row(sqlite3_stmt *row, struct store_private_feed *out)
{
    *out = (struct store_private_feed){.id = sqlite3_column_int64(row, 0),
                                       .name = sqlite_string(row, 1),
                                       .site = sqlite_string(row, 2),
                                       .event_id = sqlite_string(row, 3),
                                       .created_at_ms = sqlite_moment(row, 5),
                                       .rotated_at_ms = sqlite_moment(row, 6),
                                       .revoked_at_ms = sqlite_moment(row, 7),
                                       .last_fetch_at_ms = sqlite_moment(row, 8),
                                       .last_client = sqlite_string(row, 9),
                                       .fetches = sqlite3_column_int64(row, 10)};
    if (sqlite3_column_bytes(row, 4) == PERSON_KEY_SIZE)
        memcpy(out->hash, sqlite3_column_blob(row, 4), PERSON_KEY_SIZE);
}

static int read_gone(struct sqlite *db, struct store_private_feeds *out, struct error *err)
{
    int64_t count;

    if (sqlite_number(db, 0, &count, err, "SELECT count(*) FROM private_feed_gone", "") < 0)
        return -1;
    out->gone = arena_alloc(&out->arena, ((size_t)count + 1) * sizeof *out->gone);
    sqlite3_stmt *row = sqlite_query(db, err, "SELECT hash FROM private_feed_gone LIMIT ?1", "i", count);
    int rc = row ? 1 : -1;
    while (rc == 1 && (rc = sqlite_step(db, row, err)) == 1)
        memcpy(out->gone[out->gone_count++], sqlite3_column_blob(row, 0), sizeof *out->gone);
    return rc;
}

int sqlite_private_feeds(struct sqlite *db, struct store_private_feeds *out, struct error *err)
{
    int64_t count;

    if (sqlite_number(db, 0, &count, err, "SELECT count(*) FROM private_feed", "") < 0)
        return -1;
    out->feeds = arena_alloc(&out->arena, ((size_t)count + 1) * sizeof *out->feeds);
    sqlite3_stmt *row = sqlite_query(db, err, columns_sql, "ii", (int64_t)0, count);
    int rc = row ? 1 : -1;
    while (rc == 1 && (rc = sqlite_step(db, row, err)) == 1) {
        struct store_private_feed *feed = &out->feeds[out->count++];
        read_row(row, feed);
        feed->name = arena_string(&out->arena, feed->name);
        feed->site = arena_string(&out->arena, feed->site);
        feed->event_id = arena_string(&out->arena, feed->event_id);
        feed->last_client = arena_string(&out->arena, feed->last_client);
    }
    return rc < 0 ? -1 : read_gone(db, out, err);
}

int sqlite_keep_private_feed(struct sqlite *db, const struct store_private_feed *feed, const unsigned char *gone,
                             int64_t now_ms, struct error *err)
{
    if (gone && sqlite_run(db, err, "INSERT INTO private_feed_gone VALUES(?1, ?2) ON CONFLICT DO NOTHING", "ki", gone,
                           now_ms) < 0)
        return -1;
    return sqlite_run(db, err,
                      "INSERT INTO private_feed VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
                      " ON CONFLICT(id) DO UPDATE SET name = ?2, site = ?3, event_id = ?4, hash = ?5, created_at = ?6,"
                      " rotated_at = ?7, revoked_at = ?8, last_fetch_at = ?9, last_client = ?10, fetches = ?11",
                      "issskmmmmsi", feed->id, feed->name, feed->site, feed->event_id, feed->hash, feed->created_at_ms,
                      feed->rotated_at_ms, feed->revoked_at_ms, feed->last_fetch_at_ms, feed->last_client,
                      feed->fetches);
}

int sqlite_private_fetches(struct sqlite *db, const struct store_private_feed *feeds, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (sqlite_run(db, err,
                       "UPDATE private_feed SET last_fetch_at = ?2, last_client = ?3, fetches = ?4 WHERE id = ?1",
                       "imsi", feeds[i].id, feeds[i].last_fetch_at_ms, feeds[i].last_client, feeds[i].fetches) < 0)
            return -1;
    return 0;
}

static json_t *json_text_or_null(const char *text)
{
    return *text ? json_string(text) : json_null();
}

json_t *store_private_feed_json(const struct store_private_feed *feed)
{
    return json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "id", (json_int_t)feed->id, "name",
                     feed->name, "site", feed->site, "event_id", json_text_or_null(feed->event_id), "created_at",
                     json_moment(feed->created_at_ms), "rotated_at", json_moment(feed->rotated_at_ms), "revoked_at",
                     json_moment(feed->revoked_at_ms), "last_fetch_at", json_moment(feed->last_fetch_at_ms),
                     "last_client", json_text_or_null(feed->last_client), "fetches", (json_int_t)feed->fetches);
}

json_t *sqlite_private_feeds_report(struct sqlite *db, int64_t after, int64_t limit, struct error *err)
{
    json_t *out = json_array();
    sqlite3_stmt *row = sqlite_query(db, err, columns_sql, "ii", after, limit);

    while (row && sqlite_step(db, row, err) == 1) {
        struct store_private_feed feed;
        read_row(row, &feed);
        json_array_append_new(out, store_private_feed_json(&feed));
    }
    return out;
}
