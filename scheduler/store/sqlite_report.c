/* sqlite_report.c - what is planned and what happened, as JSON (design.md section 6). One read transaction each. */
#include "sqlite.h"

#include <string.h>

json_t *sqlite_json_moment(sqlite3_stmt *stmt, int column)
{
    return json_moment(sqlite_moment(stmt, column));
}

json_t *sqlite_json_text(sqlite3_stmt *stmt, int column)
{
    if (sqlite3_column_type(stmt, column) == SQLITE_NULL)
        return json_null();
    struct text t = sqlite_text(stmt, column);
    json_t *text = json_stringn(t.ptr, t.len);
    return text ? text : json_string("?"); /* not UTF-8: came in damaged */
}

static json_t *json_tally(const struct tally *t)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "planned", (json_int_t)t->planned, "waiting",
                     (json_int_t)t->waiting, "accepted", (json_int_t)t->accepted, "refused", (json_int_t)t->refused,
                     "in_doubt", (json_int_t)t->in_doubt, "withheld", (json_int_t)t->withheld);
}

static json_t *json_estimate(int64_t estimate)
{
    return estimate < 0 ? json_null() : json_integer(estimate); /* nobody has counted yet */
}

/* --- Notices --- */

enum {
    N_ID,
    N_SITE,
    N_EVENT,
    N_TITLE,
    N_OPENING,
    N_RULE,
    N_STATE,
    N_REASON,
    N_TEXT,
    N_PAUSED,
    N_AT,
    N_DUE,
    N_KIND,
    N_EDITION,
    N_ESTIMATE,
    N_WILL_FINISH,
    N_WILL_NOT_FIT,
    N_FORECAST,
    N_FIRST,
    N_LAST,
    N_RELEASED,
    N_GATHERED,
    N_ENDED
};
static const char notices_sql[] =
    "SELECT n.id, n.site, n.subject, e.title,"
    " (SELECT o.id FROM opening o WHERE o.site = n.site AND o.event_id = n.subject AND o.opens_at = n.at"
    "  ORDER BY o.state, o.id LIMIT 1),"
    " n.rule, n.state, n.reason, n.reason_text,"
    " n.paused OR EXISTS (SELECT 1 FROM pause p WHERE p.target IN ('', 'notice:' || n.id)),"
    " n.at, n.due_at, n.kind, n.edition, n.estimate, n.will_finish, n.will_not_fit, n.forecast,"
    " (SELECT min(c.first_handover_at) FROM counter c WHERE c.notice = n.id),"
    " (SELECT max(c.last_handover_at) FROM counter c WHERE c.notice = n.id),"
    " n.released_at, n.gathered_at, n.ended_at"
    " FROM notice n LEFT JOIN event e ON e.site = n.site AND e.id = n.subject"
    " WHERE (?1 = 0 OR n.id = ?1) AND n.id > ?2 ORDER BY n.id LIMIT ?3";

static json_t *by_channel(struct sqlite *db, int64_t notice, struct error *err)
{
    json_t *out = json_object();
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT channel, live, accepted, refused, in_doubt, withheld FROM counter"
                                     " WHERE notice = ?1 AND channel <> ''", /* erased before any channel had them */
                                     "i", notice);
    while (row && sqlite_step(db, row, err) == 1)
        json_object_set_new(out, sqlite_string(row, 0),
                            json_pack("{s:I, s:I, s:I, s:I, s:I}", "claimed", (json_int_t)sqlite3_column_int64(row, 1),
                                      "accepted", (json_int_t)sqlite3_column_int64(row, 2), "refused",
                                      (json_int_t)sqlite3_column_int64(row, 3), "in_doubt",
                                      (json_int_t)sqlite3_column_int64(row, 4), "withheld",
                                      (json_int_t)sqlite3_column_int64(row, 5)));
    return out;
}

static json_t *notice_of(struct sqlite *db, sqlite3_stmt *row, struct error *err)
{
    int64_t id = sqlite3_column_int64(row, N_ID);
    int64_t due_at_ms = sqlite3_column_int64(row, N_DUE), first_at_ms = sqlite_moment(row, N_FIRST);
    enum notice_reason reason = (enum notice_reason)sqlite3_column_int(row, N_REASON);
    bool opening = sqlite3_column_type(row, N_OPENING) != SQLITE_NULL;
    struct tally tally = {0};

    if (sqlite_tally(db, id, &tally, NULL, NULL, err) < 0)
        return NULL;
    json_t *out = json_pack(
        "{s:I, s:o, s:o, s:o, s:o, s:o, s:s, s:i}", "id", (json_int_t)id, "site", sqlite_json_text(row, N_SITE),
        "event_id", sqlite_json_text(row, N_EVENT), "event_title", sqlite_json_text(row, N_TITLE), "opening_id",
        opening ? json_integer(sqlite3_column_int64(row, N_OPENING)) : json_null(), "rule",
        sqlite_json_text(row, N_RULE), "kind", moment_kind_name((enum moment_kind)sqlite3_column_int(row, N_KIND)),
        "edition", sqlite3_column_int(row, N_EDITION));
    json_t *state = json_pack("{s:s, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}", "state",
                              notice_state_name((enum notice_state)sqlite3_column_int(row, N_STATE)), "reason",
                              reason == REASON_NONE ? json_null() : json_string(notice_reason_name(reason)),
                              "reason_text", sqlite_json_text(row, N_TEXT), "paused", sqlite3_column_int(row, N_PAUSED),
                              "opens_at", sqlite_json_moment(row, N_AT), "due_at", sqlite_json_moment(row, N_DUE),
                              "estimate", json_estimate(sqlite3_column_int64(row, N_ESTIMATE)), "counts",
                              json_tally(&tally), "by_channel", by_channel(db, id, err));
    int64_t will_finish_ms = sqlite3_column_int64(row, N_WILL_FINISH);
    json_t *forecast =
        json_pack("{s:o, s:o, s:o}", "will_finish_ms", json_estimate(will_finish_ms), "fits",
                  will_finish_ms < 0 ? json_null() : json_boolean(!sqlite3_column_int(row, N_WILL_NOT_FIT)), "forecast",
                  sqlite_json_text(row, N_FORECAST));
    json_t *times = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "gathered_at", sqlite_json_moment(row, N_GATHERED),
                              "released_at", sqlite_json_moment(row, N_RELEASED), "first_handover_at",
                              json_moment(first_at_ms), "last_handover_at", sqlite_json_moment(row, N_LAST), "late_ms",
                              first_at_ms == MOMENT_NONE ? json_null() : json_integer(first_at_ms - due_at_ms),
                              "ended_at", sqlite_json_moment(row, N_ENDED));
    bool whole = out && state && forecast && times && json_object_update(out, state) == 0 &&
                 json_object_update(out, forecast) == 0 && json_object_update(out, times) == 0;
    json_decref(state);
    json_decref(forecast);
    json_decref(times);
    if (whole)
        return out;
    json_decref(out);
    return NULL;
}

static int64_t limit_of(const struct store_report *what)
{
    return what->limit > 0 ? what->limit : -1; /* as SQLite says it */
}

/* By id, which never changes: who reads page by page misses none whose date was moved meanwhile. */
static json_t *notices(struct sqlite *db, int64_t only, int64_t after, int64_t limit, struct error *err)
{
    json_t *out = json_array();
    sqlite3_stmt *row = sqlite_query(db, err, notices_sql, "iii", only, after, limit);
    int rc = row ? 1 : -1;

    while (rc == 1 && (rc = sqlite_step(db, row, err)) == 1)
        if (json_array_append_new(out, notice_of(db, row, err)) < 0) {
            error_set(err, ERROR_REFUSED, "%s: notice %lld cannot be shown", db->path,
                      (long long)sqlite3_column_int64(row, N_ID));
            sqlite_done(row);
            rc = -1;
        }
    if (rc == 0)
        return out;
    json_decref(out);
    return NULL;
}

/* --- Show --- */

static json_t *reason_row(const char *state, json_t *reason, json_t *channel, int code, json_t *text, int64_t count)
{
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I}", "state", state, "reason", reason, "channel", channel, "code",
                     code ? json_integer(code) : json_null(), "text", text, "count", (json_int_t)count);
}

/* The last fates that are not "accepted", by what they say; then everybody left of a notice that ended. */
static json_t *reasons(struct sqlite *db, int64_t notice, struct error *err)
{
    json_t *out = json_array();
    struct tally tally;
    int64_t rest = WITHHELD_NONE, withheld;

    if (sqlite_number(db, WITHHELD_NONE, &rest, err, "SELECT rest FROM notice WHERE id = ?1", "i", notice) < 0)
        return out;
    /* Who waited for another try is among those left: the word for them counts, not what was said before. */
    sqlite3_stmt *row = sqlite_query(
        db, err,
        "SELECT s.fate, s.withheld, s.channel, s.code, t.text, s.people FROM fate_sum s LEFT JOIN text t ON t.id ="
        " s.text WHERE s.notice = ?1 AND s.people > 0 AND (?2 = 0 OR s.fate NOT IN (?3, ?4, ?5)) ORDER BY 6 DESC",
        "iiddd", notice, rest, FATE_TRY_LATER, FATE_RETURNED, FATE_PASSED_ON);
    while (row && sqlite_step(db, row, err) == 1) {
        enum withheld why = (enum withheld)sqlite3_column_int(row, 1);
        json_array_append_new(out, reason_row(fate_name((enum fate)sqlite3_column_int(row, 0)),
                                              why ? json_string(withheld_name(why)) : json_null(),
                                              sqlite_json_text(row, 2), sqlite3_column_int(row, 3),
                                              sqlite_json_text(row, 4), sqlite3_column_int64(row, 5)));
    }
    if (sqlite_tally(db, notice, &tally, NULL, NULL, err) == 0 &&
        sqlite_number(db, 0, &withheld, err, "SELECT sum(withheld) FROM counter WHERE notice = ?1", "i", notice) == 0 &&
        rest && tally.withheld > withheld)
        json_array_append_new(out, reason_row(fate_name(FATE_WITHHELD), json_string(withheld_name((enum withheld)rest)),
                                              json_null(), 0, json_null(), tally.withheld - withheld));
    return out;
}

static json_t *gate(struct sqlite *db, int64_t notice, struct error *err)
{
    json_t *out = json_array();
    sqlite3_stmt *row =
        sqlite_query(db, err, "SELECT at, json FROM evidence WHERE notice = ?1 ORDER BY at, rowid", "i", notice);

    while (row && sqlite_step(db, row, err) == 1) {
        struct text text = sqlite_text(row, 1);
        json_t *said = json_loadb(text.ptr, text.len, JSON_DECODE_ANY, NULL);
        json_array_append_new(out, json_pack("{s:o, s:o}", "at", sqlite_json_moment(row, 0), "evidence",
                                             said ? said : sqlite_json_text(row, 1)));
    }
    return out;
}

static void add_channel_percentiles(struct sqlite *db, int64_t notice, json_t *show, struct error *err)
{
    const char *channel;
    json_t *counts;

    json_object_foreach(json_object_get(show, "by_channel"), channel, counts)
        json_object_set_new(counts, "percentiles_ms", sqlite_percentiles(db, notice, channel, err));
}

/* Our own eyes: they are the first to see that it went out. */
static json_t *seeds(struct sqlite *db, int64_t notice, struct error *err)
{
    json_t *out = json_array();
    sqlite3_stmt *row = sqlite_query(
        db, err,
        "SELECT t.seq, f.fate, f.at FROM notice n JOIN told t INDEXED BY told_seed ON t.roll = n.roll LEFT JOIN fate f "
        "ON f.notice = n.id"
        " AND f.seq = t.seq AND f.step = (SELECT max(step) FROM fate g WHERE g.notice = n.id AND g.seq = t.seq)"
        " WHERE n.id = ?1 AND t.yes & (1 << 31) ORDER BY t.seq",
        "i", notice);

    while (row && sqlite_step(db, row, err) == 1) {
        enum fate fate = (enum fate)sqlite3_column_int(row, 1);
        json_array_append_new(out,
                              json_pack("{s:I, s:s, s:o}", "seq", (json_int_t)sqlite3_column_int64(row, 0), "state",
                                        fate ? fate_name(fate) : "waiting", "at", sqlite_json_moment(row, 2)));
    }
    return out;
}

/* What keeps this notice from going on: its own pause, everybody's, and those of notifiers (it may be none of its). */
static json_t *pauses(struct sqlite *db, int64_t notice, struct error *err)
{
    json_t *out = json_array();
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT target, who, at FROM pause WHERE target IN ('', 'notice:' || ?1) OR target"
                                     " LIKE 'notifier:%' ORDER BY at",
                                     "i", notice);

    while (row && sqlite_step(db, row, err) == 1)
        json_array_append_new(out, json_pack("{s:o, s:o, s:o}", "target", sqlite_json_text(row, 0), "who",
                                             sqlite_json_text(row, 1), "at", sqlite_json_moment(row, 2)));
    return out;
}

/* Who waits for another attempt, and when the next of them is due: those whose last word was that, less those who are
 * claimed for it; the first of each channel. No list is read. */
static json_t *again(struct sqlite *db, int64_t notice, struct error *err)
{
    json_t *out = NULL;
    sqlite3_stmt *row = sqlite_query(
        db, err,
        "WITH RECURSIVE list(channel) AS (SELECT min(channel) FROM again WHERE notice = ?1 UNION ALL"
        " SELECT (SELECT min(a.channel) FROM again a WHERE a.notice = ?1 AND a.channel > list.channel) FROM list"
        " WHERE channel IS NOT NULL)"
        " SELECT (SELECT coalesce(sum(people), 0) FROM fate_sum WHERE notice = ?1 AND fate IN (?2, ?3, ?4)) -"
        " (SELECT count(*) FROM flight WHERE notice = ?1 AND step > 1), (SELECT min((SELECT min(a.at) FROM again a"
        " WHERE a.notice = ?1 AND a.channel = list.channel)) FROM list)",
        "iddd", notice, FATE_TRY_LATER, FATE_RETURNED, FATE_PASSED_ON);

    while (row && sqlite_step(db, row, err) == 1)
        out = json_pack("{s:I, s:o}", "people", (json_int_t)sqlite3_column_int64(row, 0), "next_at",
                        sqlite_json_moment(row, 1));
    return out;
}

static json_t *show(struct sqlite *db, int64_t notice, struct error *err)
{
    json_t *list = notices(db, notice, 0, 1, err);
    json_t *out = json_incref(json_array_get(list, 0));

    if (list && !out)
        error_set(err, ERROR_REFUSED, "there is no notice %lld", (long long)notice);
    json_decref(list);
    if (!out)
        return NULL;
    json_object_set_new(out, "reasons", reasons(db, notice, err));
    json_object_set_new(out, "gate", gate(db, notice, err));
    json_object_set_new(out, "percentiles_ms", sqlite_percentiles(db, notice, NULL, err));
    json_object_set_new(out, "per_second", json_null()); /* the running daemon knows */
    json_object_set_new(out, "ends_at", json_null());
    add_channel_percentiles(db, notice, out, err);
    json_object_set_new(out, "feedback", sqlite_feedback_counts(db, notice, err));
    json_object_set_new(out, "seeds", seeds(db, notice, err));
    json_object_set_new(out, "pauses", pauses(db, notice, err));
    json_object_set_new(out, "again", again(db, notice, err));
    return out;
}

/* --- Openings --- */

static json_t *opening_definitions(struct sqlite *db, int64_t opening, struct error *err)
{
    json_t *out = json_array();
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT m.definition, d.name, d.price, d.currency FROM opening_member m JOIN"
                                     " opening o ON o.id = m.opening LEFT JOIN definition d ON d.site = o.site AND"
                                     " d.id = m.definition WHERE m.opening = ?1 ORDER BY m.place",
                                     "i", opening);

    while (row && sqlite_step(db, row, err) == 1)
        json_array_append_new(out, json_pack("{s:o, s:o, s:o, s:o}", "id", sqlite_json_text(row, 0), "name",
                                             sqlite_json_text(row, 1), "price", sqlite_json_text(row, 2), "currency",
                                             sqlite_json_text(row, 3)));
    return out;
}

static json_t *opening_notices(struct sqlite *db, sqlite3_stmt *opening, int64_t *estimate, struct error *err)
{
    json_t *out = json_array();
    sqlite3_stmt *row = sqlite_query(
        db, err, "SELECT id, estimate FROM notice WHERE site = ?1 AND subject = ?2 AND at = ?3 ORDER BY id", "tti",
        sqlite_text(opening, 1), sqlite_text(opening, 2), sqlite3_column_int64(opening, 4));

    while (row && sqlite_step(db, row, err) == 1) {
        json_array_append_new(out, json_integer(sqlite3_column_int64(row, 0)));
        if (sqlite3_column_int64(row, 1) > *estimate)
            *estimate = sqlite3_column_int64(row, 1);
    }
    return out;
}

/* How it stands in the calendars; null while it was never shown. */
static json_t *opening_calendar(sqlite3_stmt *opening)
{
    if (sqlite3_column_type(opening, 6) == SQLITE_NULL)
        return json_null();
    return json_pack("{s:o, s:I, s:o, s:b}", "uid", sqlite_json_text(opening, 6), "sequence",
                     (json_int_t)sqlite3_column_int64(opening, 7), "modified_at", sqlite_json_moment(opening, 8),
                     "shown", sqlite3_column_int(opening, 9));
}

static json_t *openings(struct sqlite *db, const struct store_report *what, struct error *err)
{
    json_t *out = json_array();
    sqlite3_stmt *row =
        sqlite_query(db, err,
                     "SELECT o.id, o.site, o.event_id, e.title, o.opens_at, o.state, c.uid, c.sequence, c.modified_at,"
                     " c.text <> '' FROM opening o LEFT JOIN event e ON e.site = o.site AND e.id = o.event_id"
                     " LEFT JOIN calendar_entry c ON c.opening = o.id WHERE o.id > ?1 ORDER BY o.id LIMIT ?2",
                     "ii", what->after, limit_of(what));

    while (row && sqlite_step(db, row, err) == 1) {
        int64_t estimate = -1;
        json_t *list = opening_notices(db, row, &estimate, err);
        json_array_append_new(out, json_pack("{s:I, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "id",
                                             (json_int_t)sqlite3_column_int64(row, 0), "site", sqlite_json_text(row, 1),
                                             "event_id", sqlite_json_text(row, 2), "event_title",
                                             sqlite_json_text(row, 3), "opens_at", sqlite_json_moment(row, 4), "state",
                                             opening_state_name((enum opening_state)sqlite3_column_int(row, 5)),
                                             "definitions", opening_definitions(db, sqlite3_column_int64(row, 0), err),
                                             "notices", list, "estimate", json_estimate(estimate), "calendar",
                                             opening_calendar(row)));
    }
    return out;
}

enum { TONGUES_OF = 20000 }; /* people looked at */

/* Of the first people alone: enough to know what is frequent, and quick however many there are. */
static json_t *tongues(struct sqlite *db, const struct store_report *what, struct error *err)
{
    json_t *out = json_array();
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT locale, zone FROM (SELECT p.locale, p.zone FROM notice n"
                                     " JOIN person p ON p.roll = n.roll WHERE n.id = ?1 ORDER BY p.seq LIMIT ?2)"
                                     " GROUP BY locale, zone ORDER BY count(*) DESC, locale, zone LIMIT ?3",
                                     "iii", what->notice, (int64_t)TONGUES_OF, limit_of(what));

    while (row && sqlite_step(db, row, err) == 1)
        json_array_append_new(out, json_pack("[o,o]", sqlite_json_text(row, 0), sqlite_json_text(row, 1)));
    return out;
}

static json_t *report(struct sqlite *db, const struct store_report *what, struct error *err)
{
    switch (what->kind) {
    case REPORT_NOTICES:
        return notices(db, 0, what->after, limit_of(what), err);
    case REPORT_SHOW:
        return show(db, what->notice, err);
    case REPORT_PEOPLE:
        return sqlite_report_people(db, what, err);
    case REPORT_WHY:
        return sqlite_report_why(db, what, err);
    case REPORT_EXPORT:
        return sqlite_export(db, what, err);
    case REPORT_OPENINGS:
        return openings(db, what, err);
    case REPORT_TONGUES:
        return tongues(db, what, err);
    case REPORT_SUPPRESSIONS:
        return sqlite_suppressions(db, what->behind, what->limit, err);
    case REPORT_PRIVATE_FEEDS:
        return sqlite_private_feeds_report(db, what->after, limit_of(what), err);
    case REPORT_SOURCE_IDS:
        return sqlite_source_ids(db, what->source_ids, what->audience, err);
    case REPORT_PERSON:
        return sqlite_report_person(db, what, err);
    case REPORT_NEXT:
        return sqlite_report_next(db, what, err);
    case REPORT_WEBHOOKS:
        return sqlite_webhooks(db, err);
    case REPORT_AUDIT:
        return sqlite_audit(db, err);
    }
    error_set(err, ERROR_REFUSED, "there is no report %d", what->kind);
    return NULL;
}

/* One read transaction: what a report says is from one moment. */
json_t *sqlite_report(struct sqlite *db, const struct store_report *what, struct error *err)
{
    struct error failure = {0};

    if (sqlite_exec(db, "BEGIN", err) < 0)
        return NULL;
    json_t *out = report(db, what, &failure);
    sqlite_rollback(db);
    if (failure.kind == ERROR_NONE && out)
        return out;
    error_set(err, failure.kind ? failure.kind : ERROR_REFUSED, "%s", failure.kind ? failure.text : "out of memory");
    json_decref(out);
    return NULL;
}
