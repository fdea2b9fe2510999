/* sqlite_feedback.c - what came back after it was accepted: bounces and complaints. Rows outlive the addresses: they
 * say who by notice and seq alone. */
#include "sqlite.h"

#include <string.h>

/* --- Whom it is about --- */

/* 1: found. The list of a notice stays when its people are forgotten. */
static int find_key(struct sqlite *db, int64_t notice, int64_t seq, unsigned char key[PERSON_KEY_SIZE],
                    struct error *err)
{
    sqlite3_stmt *row = sqlite_query(
        db, err, "SELECT t.key FROM notice n JOIN told t ON t.roll = n.roll AND t.seq = ?2 WHERE n.id = ?1", "ii",
        notice, seq);
    int rc = row ? sqlite_step(db, row, err) : -1;

    if (rc != 1)
        return rc;
    memcpy(key, sqlite3_column_blob(row, 0), PERSON_KEY_SIZE);
    sqlite_done(row);
    return 1;
}

/* 1: the last notice that was accepted for somebody. */
static int find_notice(struct sqlite *db, const unsigned char *key, struct store_fed_back *out, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(
        db, err,
        "SELECT n.id, t.seq FROM notice n JOIN told t ON t.roll = n.roll AND t.key = ?1 WHERE EXISTS (SELECT"
        " 1 FROM fate f WHERE f.notice = n.id AND f.seq = t.seq AND f.fate = ?2)"
        " ORDER BY n.due_at DESC, n.id DESC LIMIT 1",
        "kd", key, FATE_ACCEPTED);
    int rc = row ? sqlite_step(db, row, err) : -1;

    if (rc != 1)
        return rc;
    out->notice = sqlite3_column_int64(row, 0);
    out->seq = sqlite3_column_int64(row, 1);
    sqlite_done(row);
    return 1;
}

/* --- Storing it --- */

static int store_row(struct sqlite *db, const struct store_feedback *what, struct store_fed_back *out,
                     struct error *err)
{
    int64_t text = MOMENT_NONE;

    if (what->text && *what->text && sqlite_text_id(db, what->text, &text, err) < 0)
        return -1;
    if (sqlite_run(db, err, "INSERT INTO feedback VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING", "iidism",
                   out->notice, out->seq, what->kind, what->at_ms, what->status ? what->status : "", text) < 0)
        return -1;
    out->stored = sqlite3_changes(db->handle) > 0;
    return 0;
}

int sqlite_feedback_word(const struct store_feedback *what, struct store_suppression *out)
{
    *out = (struct store_suppression){
        .scope = "", .reason = what->kind == FEEDBACK_COMPLAINT ? "complaint" : "bounce", .at_ms = what->at_ms};
    return feedback_suppresses(what->kind);
}

static int suppress(struct sqlite *db, const struct store_feedback *what, const unsigned char *key,
                    struct store_fed_back *out, struct error *err)
{
    struct store_suppression suppression;
    int64_t changed;

    if (!sqlite_feedback_word(what, &suppression))
        return 0;
    memcpy(suppression.key, key, sizeof suppression.key);
    if (sqlite_suppress(db, &suppression, 1, &changed, err) < 0)
        return -1;
    out->suppressed = changed > 0;
    return 0;
}

static int count_policy(struct sqlite *db, struct store_fed_back *out, struct error *err)
{
    if (sqlite_number(db, 0, &out->policy, err, "SELECT count(*) FROM feedback WHERE notice = ?1 AND kind = ?2", "id",
                      out->notice, FEEDBACK_POLICY) < 0)
        return -1;
    return sqlite_number(db, 0, &out->accepted, err, "SELECT sum(accepted) FROM counter WHERE notice = ?1", "i",
                         out->notice);
}

static int feed_back(struct sqlite *db, const struct store_feedback *what, struct store_fed_back *out,
                     struct error *err)
{
    unsigned char key[PERSON_KEY_SIZE];
    int rc;

    *out = (struct store_fed_back){.kind = what->kind, .notice = what->notice, .seq = what->seq};
    if (what->notice) {
        rc = find_key(db, what->notice, what->seq, key, err);
        out->known = rc == 1;
    } else {
        memcpy(key, what->key, sizeof key);
        rc = find_notice(db, key, out, err);
        out->known = true;
    }
    if (rc < 0)
        return -1;
    if (!out->known) {
        *out = (struct store_fed_back){.kind = what->kind};
        return 0;
    }
    if (rc == 1 && store_row(db, what, out, err) < 0)
        return -1;
    if (what->kind == FEEDBACK_POLICY && out->stored && count_policy(db, out, err) < 0)
        return -1;
    return suppress(db, what, key, out, err);
}

int sqlite_feedback(struct sqlite *db, const struct store_feedback *list, size_t count, struct store_fed_back *out,
                    struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (feed_back(db, &list[i], &out[i], err) < 0)
            return -1;
    return 0;
}

/* --- Telling of it --- */

json_t *sqlite_feedback_counts(struct sqlite *db, int64_t notice, struct error *err)
{
    json_t *out = json_object();

    for (enum feedback i = FEEDBACK_NONE + 1; i < FEEDBACKS; i++)
        json_object_set_new(out, feedback_name(i), json_integer(0));
    sqlite3_stmt *row =
        sqlite_query(db, err, "SELECT kind, count(*) FROM feedback WHERE notice = ?1 GROUP BY kind", "i", notice);
    while (row && sqlite_step(db, row, err) == 1) {
        int kind = sqlite3_column_int(row, 0);
        if (kind > FEEDBACK_NONE && kind < FEEDBACKS)
            json_object_set_new(out, feedback_name((enum feedback)kind), json_integer(sqlite3_column_int64(row, 1)));
    }
    return out;
}

/* "came back: hard 5.1.1: 550 no such user", "complaint: abuse" */
static void say(struct buf *what, enum feedback kind, struct text status, struct text text)
{
    buf_addf(what, "%s%s", kind == FEEDBACK_COMPLAINT ? "" : "came back: ", feedback_name(kind));
    if (status.len)
        buf_addf(what, " %.*s", TEXT_ARGS(status));
    if (text.len && text_is_utf8(text))
        buf_addf(what, ": %.*s", TEXT_ARGS(text));
}

void sqlite_feedback_steps(struct sqlite *db, int64_t notice, int64_t seq, json_t *steps, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT b.at, b.kind, b.status, x.text FROM feedback b LEFT JOIN text x ON x.id ="
                                     " b.text WHERE b.notice = ?1 AND b.seq = ?2 ORDER BY b.at, b.kind",
                                     "ii", notice, seq);

    while (row && sqlite_step(db, row, err) == 1) {
        int kind = sqlite3_column_int(row, 1);
        auto_buf struct buf what;
        buf_init(&what, 4096);
        say(&what, kind > FEEDBACK_NONE && kind < FEEDBACKS ? (enum feedback)kind : FEEDBACK_NONE, sqlite_text(row, 2),
            sqlite_text(row, 3));
        json_array_append_new(steps, json_pack("{s:o, s:n, s:n, s:s}", "at", sqlite_json_moment(row, 0), "channel",
                                               "attempt", "what", what.ptr));
    }
}
