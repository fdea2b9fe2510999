/* sqlite_calendar.c - how openings stand in the calendars. */
#include "sqlite.h"

#include <string.h>

static int put_entry(struct sqlite *db, const struct store_entry *entry, struct error *err)
{
    if (sqlite_run(db, err, "DELETE FROM calendar_said WHERE opening = ?1 AND sequence <= ?2", "ii", entry->opening,
                   entry->sequence) < 0)
        return -1;
    return sqlite_run(db, err,
                      "INSERT INTO calendar_entry VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
                      " ON CONFLICT DO UPDATE SET sequence = ?3, modified_at = ?5, opens_at = ?6, moved_from = ?7,"
                      " withdrawn = ?8, leaves_at = ?9, title = ?10, url = ?11, place = ?12, zone = ?13, text = ?14",
                      "isiiiimdmsssst", entry->opening, entry->uid, entry->sequence, entry->created_at_ms,
                      entry->modified_at_ms, entry->opens_at_ms, entry->moved_from_ms, entry->withdrawn,
                      entry->leaves_at_ms, entry->title, entry->url, entry->place, entry->zone, entry->text);
}

int sqlite_publish(struct sqlite *db, const struct store_calendars *what, struct error *err)
{
    for (size_t i = 0; i < what->entry_count; i++)
        if (put_entry(db, &what->entries[i], err) < 0)
            return error_at(err, "calendar of opening %lld", (long long)what->entries[i].opening);
    for (size_t i = 0; i < what->change_count; i++)
        if (sqlite_run(db, err, "INSERT INTO calendar_change VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET at = ?3",
                       "ssi", what->changes[i].site, what->changes[i].event_id, what->changes[i].at_ms) < 0)
            return -1;
    for (size_t i = 0; i < what->published_count; i++)
        if (sqlite_run(db, err, "INSERT OR IGNORE INTO calendar_published VALUES(?1)", "s", what->published[i]) < 0)
            return -1;
    for (size_t i = 0; i < what->said_count; i++)
        if (sqlite_run(db, err,
                       "INSERT INTO calendar_said VALUES(?1, ?2)"
                       " ON CONFLICT DO UPDATE SET sequence = max(sequence, ?2)",
                       "ii", what->said[i].opening, what->said[i].sequence) < 0)
            return error_at(err, "calendar of opening %lld", (long long)what->said[i].opening);
    return 0;
}

/* --- Reading ------------------------------------------------------------------------------------------------------ */

static const char *kept(struct arena *arena, sqlite3_stmt *row, int column)
{
    return arena_copy(arena, sqlite_text(row, column));
}

static int read_entries(struct sqlite *db, const char *site, struct arena *arena, struct store_calendars *out,
                        struct error *err)
{
    struct store_entry *entries;
    int64_t count;
    int rc = -1;

    if (sqlite_number(db, 0, &count, err, "SELECT count(*) FROM calendar_entry", "") < 0)
        return -1;
    out->entries = entries = arena_alloc(arena, ((size_t)count + 1) * sizeof *entries);
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT c.opening, o.site, o.event_id, c.uid, c.sequence, c.created_at,"
                                     " c.modified_at, c.opens_at, c.moved_from, c.withdrawn, c.leaves_at, c.title,"
                                     " c.url, c.place, c.zone, c.text FROM calendar_entry c JOIN opening o"
                                     " ON o.id = c.opening WHERE ?1 IS NULL OR o.site = ?1 ORDER BY c.opening LIMIT ?2",
                                     "si", site, count);
    while (row && (rc = sqlite_step(db, row, err)) == 1)
        entries[out->entry_count++] = (struct store_entry){.opening = sqlite3_column_int64(row, 0),
                                                           .site = kept(arena, row, 1),
                                                           .event_id = kept(arena, row, 2),
                                                           .uid = kept(arena, row, 3),
                                                           .sequence = sqlite3_column_int64(row, 4),
                                                           .created_at_ms = sqlite3_column_int64(row, 5),
                                                           .modified_at_ms = sqlite3_column_int64(row, 6),
                                                           .opens_at_ms = sqlite3_column_int64(row, 7),
                                                           .moved_from_ms = sqlite_moment(row, 8),
                                                           .withdrawn = sqlite3_column_int(row, 9),
                                                           .leaves_at_ms = sqlite_moment(row, 10),
                                                           .title = kept(arena, row, 11),
                                                           .url = kept(arena, row, 12),
                                                           .place = kept(arena, row, 13),
                                                           .zone = kept(arena, row, 14),
                                                           .text = {kept(arena, row, 15), sqlite_text(row, 15).len}};
    return rc;
}

static int read_changes(struct sqlite *db, const char *site, struct arena *arena, struct store_calendars *out,
                        struct error *err)
{
    struct store_calendar_change *changes;
    int64_t count;
    int rc = -1;

    if (sqlite_number(db, 0, &count, err, "SELECT count(*) FROM calendar_change", "") < 0)
        return -1;
    out->changes = changes = arena_alloc(arena, ((size_t)count + 1) * sizeof *changes);
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT site, event_id, at FROM calendar_change WHERE ?1 IS NULL OR site = ?1"
                                     " ORDER BY site, event_id LIMIT ?2",
                                     "si", site, count);
    while (row && (rc = sqlite_step(db, row, err)) == 1)
        changes[out->change_count++] = (struct store_calendar_change){
            .site = kept(arena, row, 0), .event_id = kept(arena, row, 1), .at_ms = sqlite3_column_int64(row, 2)};
    return rc;
}

static int read_published(struct sqlite *db, const char *site, struct arena *arena, struct store_calendars *out,
                          struct error *err)
{
    const char **published;
    int64_t count;
    int rc = -1;

    if (sqlite_number(db, 0, &count, err, "SELECT count(*) FROM calendar_published", "") < 0)
        return -1;
    out->published = published = arena_alloc(arena, ((size_t)count + 1) * sizeof *published);
    sqlite3_stmt *row = sqlite_query(
        db, err, "SELECT site FROM calendar_published WHERE ?1 IS NULL OR site = ?1 ORDER BY site LIMIT ?2", "si", site,
        count);
    while (row && (rc = sqlite_step(db, row, err)) == 1)
        published[out->published_count++] = kept(arena, row, 0);
    return rc;
}

static int read_said(struct sqlite *db, const char *site, struct arena *arena, struct store_calendars *out,
                     struct error *err)
{
    struct store_said *said;
    int64_t count;
    int rc = -1;

    if (sqlite_number(db, 0, &count, err, "SELECT count(*) FROM calendar_said", "") < 0)
        return -1;
    out->said = said = arena_alloc(arena, ((size_t)count + 1) * sizeof *said);
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT s.opening, s.sequence FROM calendar_said s JOIN opening o"
                                     " ON o.id = s.opening WHERE ?1 IS NULL OR o.site = ?1 ORDER BY s.opening LIMIT ?2",
                                     "si", site, count);
    while (row && (rc = sqlite_step(db, row, err)) == 1)
        said[out->said_count++] = (struct store_said){sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1)};
    return rc;
}

int sqlite_calendars(struct sqlite *db, const char *site, struct arena *arena, struct store_calendars *out,
                     struct error *err)
{
    *out = (struct store_calendars){0};
    return read_entries(db, site, arena, out, err) < 0 || read_changes(db, site, arena, out, err) < 0 ||
                   read_published(db, site, arena, out, err) < 0
               ? -1
               : read_said(db, site, arena, out, err);
}
