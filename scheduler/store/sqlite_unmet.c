/* sqlite_unmet.c - words about people whom no list has yet, by what their tool calls them. A tool still lists for some
 * seconds, and its export for a day, who has just left: the word is kept so long, and said again when they are read. */
#include "sqlite.h"

#include <string.h>

enum {
    KEPT_MS = 2 * DAY_MS,
    KEPT_MAX = 100000,    /* of more the oldest go */
    FORGET_AT_ONCE = 100, /* with each that is new: more than come */
};

static int forget(struct sqlite *db, int64_t now_ms, struct error *err)
{
    if (sqlite_run(db, err, "DELETE FROM unmet WHERE id <= (SELECT max(id) FROM unmet) - ?1", "i", (int64_t)KEPT_MAX) <
        0)
        return -1;
    return sqlite_run(db, err, "DELETE FROM unmet WHERE at <= ?1 AND id IN (SELECT id FROM unmet ORDER BY id LIMIT ?2)",
                      "ii", now_ms - KEPT_MS, (int64_t)FORGET_AT_ONCE);
}

int sqlite_unmet_keep(struct sqlite *db, const char *audience, const char *source_id,
                      const struct store_suppression *word, struct error *err)
{
    if (sqlite_run(db, err,
                   "INSERT INTO unmet(audience, source_id, scope, reason, at) VALUES(?1, ?2, ?3, ?4, ?5)"
                   " ON CONFLICT DO UPDATE SET at = ?5",
                   "ssssi", audience, source_id, word->scope, word->reason, word->at_ms) < 0)
        return -1;
    return forget(db, word->at_ms, err);
}

int sqlite_unmet_any(struct sqlite *db, const char *audience, int64_t now_ms, struct error *err)
{
    int64_t any;

    if (sqlite_number(db, 0, &any, err, "SELECT 1 FROM unmet WHERE audience = ?1 AND at > ?2 LIMIT 1", "si", audience,
                      now_ms - KEPT_MS) < 0)
        return -1;
    return any > 0;
}

/* What was said of them is ours from now on, and no longer kept: an operator may lift it. */
int sqlite_unmet_meet(struct sqlite *db, const char *audience, const struct store_person *who, int64_t now_ms,
                      struct error *err)
{
    sqlite3_stmt *row =
        sqlite_query(db, err, "SELECT scope, reason, at FROM unmet WHERE audience = ?1 AND source_id = ?2 AND at > ?3",
                     "sti", audience, who->source_id, now_ms - KEPT_MS);
    int rc = row ? 1 : -1, met = 0;

    while (rc == 1 && (rc = sqlite_step(db, row, err)) == 1) {
        struct store_suppression word = {
            .scope = sqlite_string(row, 0), .reason = sqlite_string(row, 1), .at_ms = sqlite3_column_int64(row, 2)};
        int64_t changed;
        memcpy(word.key, who->key, sizeof word.key);
        met++;
        if (sqlite_suppress(db, &word, 1, &changed, err) < 0) {
            sqlite_done(row);
            return -1;
        }
    }
    if (rc < 0 || met == 0)
        return rc;
    return sqlite_run(db, err, "DELETE FROM unmet WHERE audience = ?1 AND source_id = ?2", "st", audience,
                      who->source_id);
}
