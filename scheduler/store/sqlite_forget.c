/* sqlite_forget.c - retention: what is too old goes, a slice at a time. First who people were, notice by notice; then
 * whole reports; then what only those named: notices, openings, events, texts. */
#include "sqlite.h"

enum {
    SLICE_MS = 5,  /* a slice ends after so long; its commit comes on top, and takes longer */
    BATCH = 100,   /* rows in one statement */
    LOOK_AT = 500, /* texts in one statement */
};

enum stage { STAGE_PEOPLE, STAGE_REPORTS, STAGE_NOTICES, STAGE_OPENINGS, STAGE_EVENTS, STAGE_TEXTS, STAGES };

/* One slice being made. */
struct forgetting {
    struct sqlite *db;
    const struct store_forget *what;
    struct store_forgotten *out;
};

/* Ended, and so has its moment: nothing can bring it back. ?1: before then. */
#define ENDED_BEFORE(states) "n.state IN (" states ") AND max(coalesce(n.ended_at, n.due_at), n.due_at, n.at) <= ?1"
#define ENDED ENDED_BEFORE("5, 6, 7, 8") /* done, missed, withdrawn, cancelled: stored numbers */

/* A definition still stands at the moment. */
#define STANDS(site, at)                                                                                               \
    "(EXISTS (SELECT 1 FROM definition d WHERE d.site = " site " AND d.sale_starts_at = " at ") OR"                    \
    " EXISTS (SELECT 1 FROM definition d WHERE d.site = " site " AND d.sale_ends_at = " at "))"

/* Runs it; how many rows are gone. */
static int64_t delete_some(struct forgetting *f, const char *sql, int64_t a, int64_t b, struct error *err)
{
    if (sqlite_run(f->db, err, sql, "ii", a, b) < 0)
        return -1;
    return sqlite3_changes(f->db->handle);
}

/* --- People --------------------------------------------------------------------------------------------------------
 */

/* 1: *roll is the next list that still says who its people were; 0: none. */
static int next_people(struct forgetting *f, int64_t *notice, int64_t *roll, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(f->db, err,
                                     "SELECT n.id, n.roll FROM notice n WHERE n.id > ?2 AND n.roll <> 0 AND " ENDED
                                     " AND (EXISTS (SELECT 1 FROM person p WHERE p.roll = n.roll) OR"
                                     " EXISTS (SELECT 1 FROM word w WHERE w.roll = n.roll)) ORDER BY n.id LIMIT 1",
                                     "ii", f->what->people_before_ms, f->out->place.after);
    int rc = row ? sqlite_step(f->db, row, err) : -1;

    if (rc != 1)
        return rc;
    *notice = sqlite3_column_int64(row, 0);
    *roll = sqlite3_column_int64(row, 1);
    sqlite_done(row);
    return 1;
}

static int64_t forget_people(struct forgetting *f, struct error *err)
{
    int64_t notice = 0, roll = 0;
    int found = next_people(f, &notice, &roll, err);

    if (found <= 0)
        return found;
    f->out->place.after = notice - 1;
    if (delete_some(f,
                    "DELETE FROM person_ids WHERE roll = ?1 AND first_seq IN"
                    " (SELECT first_seq FROM person_ids WHERE roll = ?1 LIMIT ?2)",
                    roll, BATCH, err) < 0)
        return -1;
    int64_t gone = delete_some(f,
                               "DELETE FROM person WHERE roll = ?1 AND seq IN"
                               " (SELECT seq FROM person WHERE roll = ?1 LIMIT ?2)",
                               roll, BATCH, err);
    if (gone > 0)
        f->out->people += gone;
    if (gone == 0)
        gone = delete_some(
            f, "DELETE FROM word WHERE roll = ?1 AND key IN (SELECT key FROM word WHERE roll = ?1 LIMIT ?2)", roll,
            BATCH, err);
    f->out->place.people_gone |= gone > 0;
    return gone;
}

/* --- Reports -------------------------------------------------------------------------------------------------------
 */

/* Everything of a notice (?1), or of its list; at most ?2 rows, or so many persons. */
static const struct {
    bool of_list;
    const char *sql;
} parts[] = {
    {false, "DELETE FROM again WHERE notice = ?1 AND seq IN (SELECT seq FROM again WHERE notice = ?1 LIMIT ?2)"},
    {false, "DELETE FROM flight WHERE notice = ?1 AND seq IN (SELECT seq FROM flight WHERE notice = ?1 LIMIT ?2)"},
    {false, "DELETE FROM fate WHERE notice = ?1 AND seq IN (SELECT DISTINCT seq FROM fate WHERE notice = ?1 LIMIT ?2)"},
    {false, "DELETE FROM claim_member WHERE notice = ?1 AND ?2 > 0 AND no = (SELECT min(no) FROM claim_member WHERE"
            " notice = ?1)"},
    {false, "DELETE FROM claim WHERE notice = ?1 AND no IN (SELECT no FROM claim WHERE notice = ?1 LIMIT ?2)"},
    {false, "DELETE FROM fate_sum WHERE notice = ?1 AND ?2 > 0"},
    {false, "DELETE FROM late_sum WHERE notice = ?1 AND ?2 > 0"},
    {false, "DELETE FROM counter WHERE notice = ?1 AND ?2 > 0"},
    {false, "DELETE FROM feedback WHERE notice = ?1 AND seq IN (SELECT seq FROM feedback WHERE notice = ?1 LIMIT ?2)"},
    {false, "DELETE FROM evidence WHERE rowid IN (SELECT rowid FROM evidence WHERE notice = ?1 LIMIT ?2)"},
    {true, "DELETE FROM reading WHERE roll = ?1 AND ?2 > 0"},
    {true, "DELETE FROM person_ids WHERE roll = ?1 AND ?2 > 0"},
    {true, "DELETE FROM person WHERE roll = ?1 AND seq IN (SELECT seq FROM person WHERE roll = ?1 LIMIT ?2)"},
    {true, "DELETE FROM word WHERE roll = ?1 AND key IN (SELECT key FROM word WHERE roll = ?1 LIMIT ?2)"},
    {true, "DELETE FROM told WHERE roll = ?1 AND seq IN (SELECT seq FROM told WHERE roll = ?1 LIMIT ?2)"},
    {true, "DELETE FROM roll WHERE id = ?1 AND ?2 > 0"},
};

/* 1: *notice is the next one with anything of a report; 0: none. A list goes last of all, its number behind it. */
static int next_report(struct forgetting *f, int64_t *notice, int64_t *roll, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(
        f->db, err,
        "SELECT n.id, n.roll FROM notice n WHERE n.id > ?2 AND " ENDED
        " AND (EXISTS (SELECT 1 FROM roll r WHERE r.id = n.roll) OR EXISTS (SELECT 1 FROM told t WHERE t.roll = n.roll)"
        " OR EXISTS (SELECT 1 FROM counter c WHERE c.notice = n.id) OR EXISTS (SELECT 1 FROM fate b WHERE b.notice = "
        "n.id)"
        " OR EXISTS (SELECT 1 FROM claim c WHERE c.notice = n.id)"
        " OR EXISTS (SELECT 1 FROM evidence e WHERE e.notice = n.id)"
        " OR EXISTS (SELECT 1 FROM feedback b WHERE b.notice = n.id)) ORDER BY n.id LIMIT 1",
        "ii", f->what->reports_before_ms, f->out->place.after);
    int rc = row ? sqlite_step(f->db, row, err) : -1;

    if (rc != 1)
        return rc;
    *notice = sqlite3_column_int64(row, 0);
    *roll = sqlite3_column_int64(row, 1);
    sqlite_done(row);
    return 1;
}

/* While it goes piece by piece it does not add up: the audit has to know. */
static int mark(struct forgetting *f, int64_t notice, int64_t roll, struct error *err)
{
    char both[48];

    snprintf(both, sizeof both, "%lld %lld", (long long)notice, (long long)roll);
    return sqlite_run(f->db, err, "INSERT INTO meta VALUES('forgetting', ?1) ON CONFLICT(key) DO UPDATE SET value = ?1",
                      "s", both);
}

static int64_t forget_report(struct forgetting *f, struct error *err)
{
    int64_t notice = 0, roll = 0, gone = 0;
    int found = next_report(f, &notice, &roll, err);

    if (found <= 0)
        return found < 0 || sqlite_run(f->db, err, "DELETE FROM meta WHERE key = 'forgetting'", "") < 0 ? -1 : 0;
    if (mark(f, notice, roll, err) < 0)
        return -1;
    f->out->place.after = notice - 1;
    for (size_t i = 0; i < ARRAY_LEN(parts) && gone == 0; i++)
        gone = delete_some(f, parts[i].sql, parts[i].of_list ? roll : notice, BATCH, err);
    if (gone > 0)
        f->out->rows += gone;
    f->out->place.reports_gone |= gone > 0;
    return gone;
}

/* --- What only old reports named -----------------------------------------------------------------------------------
 */

/* Numbers are never given twice: the highest of each kind stays. */
static int64_t forget_notices(struct forgetting *f, struct error *err)
{
    return delete_some(f,
                       "DELETE FROM notice WHERE id IN (SELECT n.id FROM notice n WHERE " ENDED
                       " AND n.id < (SELECT max(id) FROM notice) AND NOT " STANDS("n.site", "n.at") " LIMIT ?2)",
                       f->what->reports_before_ms, BATCH, err);
}

static int64_t forget_openings(struct forgetting *f, struct error *err)
{
    return delete_some(
        f,
        "DELETE FROM opening WHERE id IN (SELECT o.id FROM opening o WHERE o.opens_at <= ?1"
        " AND NOT EXISTS (SELECT 1 FROM calendar_entry c WHERE c.opening = o.id AND c.text != '')"
        " AND o.id < (SELECT max(id) FROM opening) AND NOT " STANDS(
            "o.site",
            "o.opens_at") " AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.site = o.site AND n.subject = o.event_id AND"
                          "  n.at = o.opens_at) LIMIT ?2)",
        f->what->reports_before_ms, BATCH, err);
}

/* A title is for reports: when nothing is left that could be reported of an event, it goes. */
static int64_t forget_events(struct forgetting *f, struct error *err)
{
    if (sqlite_run(f->db, err,
                   "DELETE FROM event WHERE (site, id) IN (SELECT e.site, e.id FROM event e WHERE"
                   " NOT EXISTS (SELECT 1 FROM definition d WHERE d.site = e.site AND d.event_id = e.id)"
                   " AND NOT EXISTS (SELECT 1 FROM notice n WHERE n.site = e.site AND n.subject = e.id)"
                   " AND NOT EXISTS (SELECT 1 FROM opening o WHERE o.site = e.site AND o.event_id = e.id) LIMIT ?1)",
                   "i", (int64_t)BATCH) < 0)
        return -1;
    return sqlite3_changes(f->db->handle);
}

/* The next LOOK_AT texts, of which those go that no fate and nothing that came back names. 0: there are no more. */
static int64_t forget_texts(struct forgetting *f, struct error *err)
{
    int64_t last;

    if (sqlite_number(f->db, 0, &last, err,
                      "SELECT max(id) FROM (SELECT id FROM text WHERE id > ?1 ORDER BY id LIMIT ?2)", "ii",
                      f->out->place.after, (int64_t)LOOK_AT) < 0)
        return -1;
    if (last == 0)
        return 0;
    int64_t gone = delete_some(f,
                               "DELETE FROM text WHERE id > ?1 AND id <= ?2"
                               " AND NOT EXISTS (SELECT 1 FROM fate f WHERE f.text = text.id)"
                               " AND NOT EXISTS (SELECT 1 FROM feedback b WHERE b.text = text.id)",
                               f->out->place.after, last, err);
    f->out->place.after = last;
    return gone < 0 ? -1 : 1;
}

/* --- A slice -------------------------------------------------------------------------------------------------------
 */

/* One statement's worth: how much it found to do; 0: this stage is over. */
static int64_t forget_some(struct forgetting *f, struct error *err)
{
    switch (f->out->place.stage) {
    case STAGE_PEOPLE:
        return forget_people(f, err);
    case STAGE_REPORTS:
        return forget_report(f, err);
    case STAGE_NOTICES:
        return forget_notices(f, err);
    case STAGE_OPENINGS:
        return forget_openings(f, err);
    case STAGE_EVENTS:
        return forget_events(f, err);
    default:
        return f->out->place.reports_gone ? forget_texts(f, err) : 0;
    }
}

int sqlite_forget(struct sqlite *db, const struct store_forget *what, struct store_forgotten *out, struct error *err)
{
    struct forgetting f = {.db = db, .what = what, .out = out};
    int64_t until_ms = clock_mono_ms(&clock_machine) + SLICE_MS;

    *out = (struct store_forgotten){.place = what->place};
    do {
        int64_t done = forget_some(&f, err);
        if (done < 0)
            return -1;
        if (done == 0) {
            out->place.stage++;
            out->place.after = 0;
        }
    } while (out->place.stage < STAGES && clock_mono_ms(&clock_machine) < until_ms);
    out->more = out->place.stage < STAGES;
    if (!out->more && (out->place.people_gone || out->place.reports_gone))
        db->wipe = true;
    return 0;
}
