/* sqlite_erase.c - the right to be forgotten. Who somebody is goes from every list, in one transaction; that a number
 * of a list was taken, and what became of it, stays under the key, so that every count still adds up. */
#include "sqlite.h"

#include <string.h>

/* Where the person stands in one notice. */
struct place {
    int64_t notice, seq;
    bool in_flight, again, open;
    int64_t step; /* of the fate that withholds them */
    int attempt;
    const char *channel;
    struct place *next;
};

/* Open: waiting for a first or another attempt, in a notice that may still claim. Nobody is, where everybody left is
 * withheld already. A first attempt that was not made yet is nobody's: its channel is the notice's, or none. */
static const char places_sql[] =
    "SELECT n.id, t.seq, l.seq IS NOT NULL, a.seq IS NOT NULL, coalesce(a.step, 1), coalesce(a.attempt, 1),"
    " coalesce(a.channel, n.channel, (SELECT min(c.channel) FROM counter c WHERE c.notice = n.id), ''),"
    " n.rest = 0 AND n.state NOT IN (?2, ?3, ?4) AND (a.seq IS NOT NULL OR"
    "  NOT EXISTS (SELECT 1 FROM fate f WHERE f.notice = n.id AND f.seq = t.seq))"
    " FROM notice n JOIN told t ON t.roll = n.roll AND t.key = ?1"
    " LEFT JOIN flight l ON l.notice = n.id AND l.seq = t.seq"
    " LEFT JOIN again a ON a.notice = n.id AND a.seq = t.seq ORDER BY n.id";

static int find_places(struct sqlite *db, const unsigned char *key, struct arena *arena, struct place **out,
                       struct error *err)
{
    sqlite3_stmt *row = sqlite_query(db, err, places_sql, "kddd", key, NOTICE_DONE, NOTICE_MISSED, NOTICE_CANCELLED);
    int rc = -1;

    while (row && (rc = sqlite_step(db, row, err)) == 1) {
        struct place *place = arena_alloc(arena, sizeof *place);
        *place = (struct place){.notice = sqlite3_column_int64(row, 0),
                                .seq = sqlite3_column_int64(row, 1),
                                .in_flight = sqlite3_column_int(row, 2),
                                .again = sqlite3_column_int(row, 3),
                                .step = sqlite3_column_int64(row, 4),
                                .attempt = sqlite3_column_int(row, 5),
                                .channel = arena_copy(arena, sqlite_text(row, 6))};
        place->open = !place->in_flight && sqlite3_column_int(row, 7);
        *out = place;
        out = &place->next;
    }
    *out = NULL;
    return rc;
}

/* The fate is told now; a range that comes to their number passes them over (sqlite_claim.c). */
static int withhold(struct sqlite *db, const struct place *place, int64_t now_ms, struct error *err)
{
    struct store_fate fate = {.notice = place->notice,
                              .seq = (uint32_t)place->seq,
                              .attempt = place->attempt,
                              .fate = FATE_WITHHELD,
                              .withheld = WITHHELD_ERASED,
                              .at_ms = now_ms,
                              .next_at_ms = MOMENT_NONE};
    struct sqlite_delta delta = {.withheld = 1, .first_at_ms = MOMENT_NONE, .last_at_ms = MOMENT_NONE};

    if (place->again &&
        sqlite_run(db, err, "DELETE FROM again WHERE notice = ?1 AND seq = ?2", "ii", place->notice, place->seq) < 0)
        return -1;
    if (sqlite_append_fate(db, place->channel, &fate, place->step, 0, err) < 0)
        return -1;
    return sqlite_count(db, place->notice, place->channel, &delta, err);
}

static int withhold_open(struct sqlite *db, const struct place *places, int64_t now_ms, struct arena *arena,
                         struct store_erased *out, struct error *err)
{
    size_t most = 0;

    for (const struct place *place = places; place; place = place->next)
        most += place->open;
    struct store_progress *progress = arena_alloc(arena, (most + 1) * sizeof *progress);
    for (const struct place *place = places; place; place = place->next) {
        out->notices++;
        out->in_flight += place->in_flight;
        if (!place->open)
            continue;
        struct store_progress *touched = &progress[out->withheld++];
        uint32_t last_seq = 0;
        touched->notice = place->notice;
        if (withhold(db, place, now_ms, err) < 0 ||
            sqlite_tally(db, place->notice, &touched->tally, &touched->claimed_to, &last_seq, err) < 0)
            return -1;
        touched->exhausted = touched->claimed_to >= last_seq;
    }
    out->progress = progress;
    out->progress_count = (size_t)out->withheld;
    return 0;
}

/* List by list, also those that no notice has any more: neither table is searched by key. */
static int forget_people(struct sqlite *db, const unsigned char *key, int64_t *deleted, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(
        db, err, "SELECT t.roll, t.seq FROM roll r CROSS JOIN told t ON t.roll = r.id AND t.key = ?1", "k", key);
    int rc = -1;

    while (row && (rc = sqlite_step(db, row, err)) == 1) {
        int64_t roll = sqlite3_column_int64(row, 0), seq = sqlite3_column_int64(row, 1);
        if (sqlite_run(db, err, "DELETE FROM person WHERE roll = ?1 AND seq = ?2", "ii", roll, seq) < 0) {
            sqlite_done(row);
            return -1;
        }
        *deleted += sqlite3_changes(db->handle);
        if (sqlite_ids_forget(db, roll, seq, err) < 0) {
            sqlite_done(row);
            return -1;
        }
    }
    return rc;
}

static int forget_words(struct sqlite *db, const unsigned char *key, int64_t *deleted, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(db, err, "SELECT id FROM roll", "");
    int rc = -1;

    while (row && (rc = sqlite_step(db, row, err)) == 1) {
        if (sqlite_run(db, err, "DELETE FROM word WHERE roll = ?1 AND key = ?2", "ik", sqlite3_column_int64(row, 0),
                       key) < 0) {
            sqlite_done(row);
            return -1;
        }
        *deleted += sqlite3_changes(db->handle);
    }
    return rc;
}

static int forget(struct sqlite *db, const unsigned char *key, struct store_erased *out, struct error *err)
{
    if (forget_people(db, key, &out->people_rows, err) < 0 || forget_words(db, key, &out->words, err) < 0 ||
        sqlite_run(db, err, "DELETE FROM writeback WHERE key = ?1", "k", key) < 0)
        return -1;
    out->writebacks = sqlite3_changes(db->handle);
    return 0;
}

static int never_again(struct sqlite *db, const unsigned char *key, int64_t now_ms, struct store_erased *out,
                       struct error *err)
{
    int64_t suppressed;

    if (sqlite_number(db, 0, &suppressed, err, "SELECT count(*) FROM suppression WHERE key = ?1", "k", key) < 0)
        return -1;
    out->known = out->notices || out->people_rows || out->words || out->writebacks || suppressed;
    if (sqlite_run(db, err,
                   "INSERT INTO suppression VALUES(?1, '', 'erased', ?2) ON CONFLICT DO UPDATE SET"
                   " reason = 'erased', at = ?2 WHERE reason <> 'erased'",
                   "ki", key, now_ms) < 0)
        return -1;
    out->is_new = sqlite3_changes(db->handle) > 0;
    return 0;
}

int sqlite_erase(struct sqlite *db, const struct sqlite_erase *what, struct arena *arena, struct store_erased *out,
                 struct error *err)
{
    struct place *places = NULL;

    if (find_places(db, what->key, arena, &places, err) < 0 ||
        withhold_open(db, places, what->now_ms, arena, out, err) < 0 || forget(db, what->key, out, err) < 0 ||
        never_again(db, what->key, what->now_ms, out, err) < 0)
        return -1;
    db->wipe = true;
    return 0;
}

int sqlite_is_erased(struct sqlite *db, const unsigned char *key, struct error *err)
{
    int64_t count;

    if (sqlite_number(db, 0, &count, err,
                      "SELECT count(*) FROM suppression WHERE key = ?1 AND scope = '' AND reason = 'erased'", "k",
                      key) < 0)
        return -1;
    return count > 0;
}

/* --- Lists that change hands ---------------------------------------------------------------------------------------
 */

static int forget_fates(struct sqlite *db, int64_t notice, struct error *err)
{
    if (sqlite_run(db, err, "DELETE FROM fate WHERE notice = ?1", "i", notice) < 0)
        return -1;
    if (sqlite_forget_sums(db, notice, err) < 0)
        return -1;
    return sqlite_run(db, err, "DELETE FROM counter WHERE notice = ?1", "i", notice);
}

int sqlite_erase_again(struct sqlite *db, int64_t notice, int64_t roll, int64_t now_ms, struct error *err)
{
    int64_t claimed;

    if (sqlite_number(db, 1, &claimed, err, "SELECT claimed FROM notice WHERE id = ?1", "i", notice) < 0)
        return -1;
    if (claimed)
        return 0;                          /* its list is its own for good */
    if (forget_fates(db, notice, err) < 0) /* of those erased among the people it had */
        return -1;
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT t.seq FROM suppression s CROSS JOIN told t ON t.roll = ?1 AND t.key ="
                                     " s.key WHERE s.reason = 'erased'",
                                     "i", roll);
    int rc = -1;
    while (row && (rc = sqlite_step(db, row, err)) == 1) {
        struct place place = {
            .notice = notice, .seq = sqlite3_column_int64(row, 0), .step = 1, .attempt = 1, .channel = ""};
        if (withhold(db, &place, now_ms, err) < 0) {
            sqlite_done(row);
            return -1;
        }
    }
    return rc;
}
