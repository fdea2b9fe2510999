/* sqlite_sums.c - what a report says of fates, kept beside them in the same transactions: how many people's last word
 * it is, and how late the accepted ones were. So a report takes no longer for a million people than for ten. */
#include "sqlite.h"

/* --- Lateness ------------------------------------------------------------------------------------------------------
 */

/* As exact as it has to be: a millisecond up to ten seconds, then one in a hundred. The schema has the same in SQL. */
static int64_t rounded(int64_t late_ms)
{
    if (late_ms < 10 * SECOND_MS)
        return late_ms;
    int64_t step_ms = late_ms < 1000 * SECOND_MS ? SECOND_MS / 10 : 10 * SECOND_MS;
    return late_ms / step_ms * step_ms;
}

int sqlite_late_flush(struct sqlite *db, int64_t notice, const char *channel, struct sqlite_late *late,
                      struct error *err)
{
    int64_t due_at_ms, people = late->people;

    late->people = 0;
    if (people == 0)
        return 0;
    if (sqlite_number(db, late->at_ms, &due_at_ms, err, "SELECT due_at FROM notice WHERE id = ?1", "i", notice) < 0)
        return -1;
    return sqlite_run(db, err,
                      "INSERT INTO late_sum VALUES(?1, ?2, ?3, ?4) ON CONFLICT(notice, channel, late) DO UPDATE SET"
                      " people = people + ?4",
                      "isii", notice, channel, rounded(late->at_ms - due_at_ms), people);
}

int sqlite_late_add(struct sqlite *db, int64_t notice, const char *channel, struct sqlite_late *late, int64_t at_ms,
                    struct error *err)
{
    if (at_ms != late->at_ms && sqlite_late_flush(db, notice, channel, late, err) < 0)
        return -1;
    late->at_ms = at_ms;
    late->people++;
    return 0;
}

/* Where so many of them are reached; `rank` counts from 1. */
struct mark {
    int64_t rank, late_ms;
};

static int walk(struct sqlite *db, int64_t notice, const char *channel, struct mark *marks, size_t count,
                struct error *err)
{
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT late, sum(people) FROM late_sum WHERE notice = ?1 AND (?2 IS NULL OR"
                                     " channel = ?2) GROUP BY late ORDER BY late",
                                     "is", notice, channel);
    int64_t reached = 0;
    int rc = row ? 1 : -1;

    while (rc == 1 && (rc = sqlite_step(db, row, err)) == 1) {
        int64_t before = reached;
        reached += sqlite3_column_int64(row, 1);
        for (size_t i = 0; i < count; i++)
            if (marks[i].rank > before && marks[i].rank <= reached)
                marks[i].late_ms = sqlite3_column_int64(row, 0);
    }
    return rc;
}

json_t *sqlite_percentiles(struct sqlite *db, int64_t notice, const char *channel, struct error *err)
{
    int64_t people, last_ms;

    if (sqlite_number(db, 0, &people, err,
                      "SELECT sum(people) FROM late_sum WHERE notice = ?1 AND (?2 IS NULL OR channel = ?2)", "is",
                      notice, channel) < 0 ||
        people <= 0 ||
        sqlite_number(db, 0, &last_ms, err,
                      "SELECT max(c.last_handover_at) - n.due_at FROM notice n JOIN counter c ON c.notice = n.id"
                      " WHERE n.id = ?1 AND (?2 IS NULL OR c.channel = ?2)",
                      "is", notice, channel) < 0)
        return json_null();
    struct mark marks[] = {{.rank = (people - 1) / 2 + 1}, {.rank = (people * 99 + 99) / 100}};
    if (walk(db, notice, channel, marks, ARRAY_LEN(marks), err) < 0)
        return json_null();
    return json_pack("{s:I, s:I, s:I}", "median", (json_int_t)marks[0].late_ms, "p99", (json_int_t)marks[1].late_ms,
                     "last", (json_int_t)last_ms);
}

/* --- Last words ----------------------------------------------------------------------------------------------------
 */

static int add(struct sqlite *db, int64_t notice, const char *channel, int fate, int withheld, int code, int64_t text,
               int64_t people, struct error *err)
{
    if (fate == FATE_ACCEPTED)
        return 0; /* the counters know them */
    return sqlite_run(db, err,
                      "INSERT INTO fate_sum VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(notice, channel, fate,"
                      " withheld, code, text) DO UPDATE SET people = people + ?7",
                      "isdddii", notice, channel, fate, withheld, code, text, people);
}

/* What was said of them before is nobody's last word any more. */
static int take_back(struct sqlite *db, const struct store_fate *fate, int64_t step, struct error *err)
{
    return sqlite_run(db, err,
                      "UPDATE fate_sum SET people = people - 1 FROM fate f WHERE f.notice = ?1 AND f.seq = ?2 AND"
                      " f.step = ?3 AND fate_sum.notice = ?1 AND fate_sum.channel = f.channel AND"
                      " fate_sum.fate = f.fate AND fate_sum.withheld = f.withheld AND fate_sum.code = f.code AND"
                      " fate_sum.text = coalesce(f.text, 0)",
                      "iii", fate->notice, (int64_t)fate->seq, step - 1);
}

int sqlite_sum_fate(struct sqlite *db, const char *channel, const struct store_fate *fate, int64_t step, int64_t text,
                    struct error *err)
{
    if (step > 1 && take_back(db, fate, step, err) < 0)
        return -1;
    return add(db, fate->notice, channel, fate->fate, fate->withheld, fate->code, text == MOMENT_NONE ? 0 : text, 1,
               err);
}

int sqlite_sum_waiting(struct sqlite *db, int64_t notice, const char *channel, int64_t people, struct error *err)
{
    return add(db, notice, channel, FATE_TRY_LATER, WITHHELD_NONE, 0, 0, people, err);
}

int sqlite_forget_sums(struct sqlite *db, int64_t notice, struct error *err)
{
    if (sqlite_run(db, err, "DELETE FROM fate_sum WHERE notice = ?1", "i", notice) < 0)
        return -1;
    return sqlite_run(db, err, "DELETE FROM late_sum WHERE notice = ?1", "i", notice);
}
