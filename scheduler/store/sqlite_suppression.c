/* sqlite_suppression.c - our own list of who is not written to, and what marketing tools still have to hear of it. */
#include "sqlite.h"

#include <string.h>

/* --- The list --- */

/* What no suppression stands behind any more need not be told. */
static int lift(struct sqlite *db, const struct store_suppression *what, const char *scope, int64_t *changed,
                struct error *err)
{
    if (sqlite_run(db, err, "DELETE FROM suppression WHERE key = ?1 AND scope = ?2", "ks", what->key, scope) < 0)
        return -1;
    *changed += sqlite3_changes(db->handle);
    return sqlite_run(db, err,
                      "DELETE FROM writeback WHERE key = ?1 AND NOT EXISTS (SELECT 1 FROM suppression s WHERE s.key ="
                      " ?1 AND s.scope IN ('', writeback.audience))",
                      "k", what->key);
}

static int store_writebacks(struct sqlite *db, const struct store_suppression *what, struct error *err)
{
    for (size_t i = 0; i < what->writeback_count; i++)
        if (sqlite_run(db, err,
                       "INSERT INTO writeback(key, audience, token, at, attempts, next_at) VALUES(?1, ?2, ?3, ?4, 0,"
                       " ?4) ON CONFLICT DO NOTHING",
                       "kssi", what->key, what->writebacks[i].audience, what->writebacks[i].token, what->at_ms) < 0)
            return -1;
    return 0;
}

/* Whom we write to no more for a reason of ours (a bounce, an operator's word) is still in the tool's own list: the
 * tool hears of their wish all the same. */
static int store_unheard(struct sqlite *db, const struct store_suppression *what, const char *scope, struct error *err)
{
    int64_t ours = 0;

    if (what->writeback_count == 0)
        return 0;
    if (sqlite_number(db, 0, &ours, err,
                      "SELECT count(*) FROM suppression WHERE key = ?1 AND scope = ?2 AND reason <> 'unsubscribe'",
                      "ks", what->key, scope) < 0)
        return -1;
    return ours > 0 ? store_writebacks(db, what, err) : 0;
}

/* A list that comes from elsewhere says so of somebody: then they are forgotten here as well. */
static int erase(struct sqlite *db, const struct store_suppression *what, int64_t *changed, struct error *err)
{
    struct sqlite_erase order = {.now_ms = what->at_ms};
    struct store_erased erased = {0};
    struct arena arena = {0};
    int before = sqlite_is_erased(db, what->key, err);

    memcpy(order.key, what->key, sizeof order.key);
    int rc = before < 0 ? -1 : sqlite_erase(db, &order, &arena, &erased, err);
    arena_clear(&arena);
    *changed += rc == 0 && before == 0;
    return rc;
}

static int suppress(struct sqlite *db, const struct store_suppression *what, int64_t *changed, struct error *err)
{
    const char *scope = what->scope ? what->scope : "", *reason = what->reason ? what->reason : "operator";

    if (what->lift)
        return lift(db, what, scope, changed, err);
    if (strcmp(reason, "erased") == 0)
        return erase(db, what, changed, err);
    if (sqlite_run(db, err, "INSERT INTO suppression VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING", "kssi", what->key,
                   scope, reason, what->at_ms) < 0)
        return -1;
    if (sqlite3_changes(db->handle) > 0) {
        ++*changed;
        return store_writebacks(db, what, err);
    }
    if (!what->overwrite)
        return store_unheard(db, what, scope, err);
    return sqlite_run(
        db, err, "UPDATE suppression SET reason = ?3, at = ?4 WHERE key = ?1 AND scope = ?2 AND reason <> 'erased'",
        "kssi", what->key, scope, reason, what->at_ms);
}

int sqlite_suppress(struct sqlite *db, const struct store_suppression *list, size_t count, int64_t *changed,
                    struct error *err)
{
    *changed = 0;
    for (size_t i = 0; i < count; i++)
        if (suppress(db, &list[i], changed, err) < 0)
            return -1;
    return 0;
}

/* --- The list as a report --- */

struct place { /* of a row, as the row itself says it */
    int64_t at_ms;
    unsigned char key[PERSON_KEY_SIZE];
    struct text scope;
};

static int read_place(const char *behind, struct place *out, struct error *err)
{
    struct text rest = text_of(behind), at = text_cut(&rest, ' '), key = text_cut(&rest, ' ');

    out->scope = rest;
    if (moment_parse(at, &out->at_ms, NULL) == 0 && text_unhex(key, out->key, sizeof out->key))
        return 0;
    return error_set(err, ERROR_REFUSED, "expected the last row's \"AT KEY SCOPE\" to go on behind");
}

/* Keys only; an address is shown while some roll still has it. */
static const char rows_sql[] =
    "SELECT lower(hex(s.key)), (SELECT p.address FROM roll r JOIN told t ON t.roll = r.id AND t.key = s.key JOIN"
    " person p ON p.roll = t.roll AND p.seq = t.seq LIMIT 1), s.scope, s.reason, s.at FROM suppression s"
    " WHERE (s.at, s.key, s.scope) < (?2, ?3, ?4) ORDER BY s.at DESC, s.key DESC, s.scope DESC LIMIT ?1";

json_t *sqlite_suppressions(struct sqlite *db, const char *behind, int64_t limit, struct error *err)
{
    struct place from = {.at_ms = INT64_MAX, .scope = TEXT("")};

    if (behind && read_place(behind, &from, err) < 0)
        return NULL;
    json_t *out = json_array();
    sqlite3_stmt *row =
        sqlite_query(db, err, rows_sql, "iikt", limit > 0 ? limit : -1, from.at_ms, from.key, from.scope);
    while (row && sqlite_step(db, row, err) == 1)
        json_array_append_new(out, json_pack("{s:o, s:o, s:o, s:o, s:o}", "key", sqlite_json_text(row, 0), "address",
                                             sqlite_json_text(row, 1), "scope", sqlite_json_text(row, 2), "reason",
                                             sqlite_json_text(row, 3), "at", sqlite_json_moment(row, 4)));
    return out;
}

/* --- Writing back --- */

static int read_rows(struct sqlite *db, sqlite3_stmt *row, struct arena *arena, struct store_writeback_row *rows,
                     int64_t limit, size_t *count, struct error *err)
{
    int rc = row ? 1 : -1;

    for (*count = 0; rc == 1 && *count < (size_t)limit; ++*count) {
        rc = sqlite_step(db, row, err);
        if (rc != 1)
            return rc;
        rows[*count] = (struct store_writeback_row){.id = sqlite3_column_int64(row, 0),
                                                    .token = arena_copy(arena, sqlite_text(row, 1)),
                                                    .at_ms = sqlite3_column_int64(row, 2),
                                                    .attempts = sqlite3_column_int(row, 3)};
    }
    if (row)
        sqlite_done(row);
    return rc < 0 ? -1 : 0;
}

int sqlite_writebacks_due(struct sqlite *db, const char *audience, int64_t now_ms, int64_t limit, struct arena *arena,
                          struct store_writebacks *out, struct error *err)
{
    struct store_writeback_row *rows = arena_alloc(arena, ((size_t)limit + 1) * sizeof *rows);
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT id, token, at, attempts FROM writeback WHERE audience = ?1 AND next_at <="
                                     " ?2 ORDER BY next_at, id LIMIT ?3",
                                     "sii", audience, now_ms, limit);

    out->rows = rows;
    if (read_rows(db, row, arena, rows, limit, &out->count, err) < 0)
        return -1;
    return sqlite_number(db, MOMENT_NONE, &out->next_at_ms, err,
                         "SELECT min(next_at) FROM writeback WHERE audience = ?1 AND next_at > ?2", "si", audience,
                         now_ms);
}

int sqlite_writebacks_waiting(struct sqlite *db, int64_t *count, int64_t *since_ms, struct error *err)
{
    if (sqlite_number(db, 0, count, err, "SELECT count(*) FROM writeback", "") < 0)
        return -1;
    return sqlite_number(db, MOMENT_NONE, since_ms, err, "SELECT min(at) FROM writeback", "");
}

int sqlite_writebacks_hurry(struct sqlite *db, int64_t now_ms, struct error *err)
{
    return sqlite_run(db, err, "UPDATE writeback SET next_at = ?1 WHERE next_at > ?1", "i", now_ms);
}

int sqlite_writeback_done(struct sqlite *db, int64_t id, struct error *err)
{
    return sqlite_run(db, err, "DELETE FROM writeback WHERE id = ?1", "i", id);
}

int sqlite_writeback_again(struct sqlite *db, int64_t id, int64_t next_at_ms, int attempts, struct error *err)
{
    return sqlite_run(db, err, "UPDATE writeback SET next_at = ?2, attempts = ?3 WHERE id = ?1", "iid", id, next_at_ms,
                      attempts);
}
