/* sqlite_people.c - single persons: the people of a notice, and what became of one address. */
#include "sqlite.h"

#include <string.h>

/* The word for where a person stands: in somebody's hands, waiting, or what their last fate says. */
static const char *state_word(enum fate last, bool in_flight, bool again, enum withheld rest)
{
    if (in_flight)
        return "claimed";
    if (again || last == FATE_NONE)
        return rest ? fate_name(FATE_WITHHELD) : "waiting";
    return fate_name(last);
}

enum {
    P_SEQ,
    P_SOURCE,
    P_SOURCE_ID,
    P_ADDRESS,
    P_IN_FLIGHT,
    P_AGAIN,
    P_FATE,
    P_WITHHELD,
    P_CHANNEL,
    P_CODE,
    P_TEXT,
    P_AT
};
static const char people_sql[] =
    "SELECT t.seq, p.source, p.source_id, p.address, l.seq IS NOT NULL, a.seq IS NOT NULL, f.fate, f.withheld,"
    " coalesce(l.channel, f.channel), f.code, x.text, f.at FROM told t"
    " LEFT JOIN person p ON p.roll = t.roll AND p.seq = t.seq"
    " LEFT JOIN flight l ON l.notice = ?2 AND l.seq = t.seq"
    " LEFT JOIN again a ON a.notice = ?2 AND a.seq = t.seq"
    " LEFT JOIN fate f ON f.notice = ?2 AND f.seq = t.seq AND"
    "  f.step = (SELECT max(step) FROM fate g WHERE g.notice = ?2 AND g.seq = t.seq)"
    " LEFT JOIN text x ON x.id = f.text WHERE t.roll = ?1 AND t.seq > ?3 ORDER BY t.seq";

static json_t *reason_of(enum fate last, enum withheld why, const char *state, enum withheld rest)
{
    if (strcmp(state, fate_name(FATE_WITHHELD)) != 0)
        return json_null();
    return json_string(withheld_name(last == FATE_WITHHELD ? why : rest));
}

static json_t *person_of(sqlite3_stmt *row, const char *state, enum withheld rest)
{
    enum fate last = (enum fate)sqlite3_column_int(row, P_FATE);
    enum withheld why = (enum withheld)sqlite3_column_int(row, P_WITHHELD);
    int code = sqlite3_column_int(row, P_CODE);

    return json_pack("{s:I, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "seq",
                     (json_int_t)sqlite3_column_int64(row, P_SEQ), "source", sqlite_json_text(row, P_SOURCE),
                     "source_id", sqlite_json_text(row, P_SOURCE_ID), "address", sqlite_json_text(row, P_ADDRESS),
                     "state", state, "reason", reason_of(last, why, state, rest), "channel",
                     sqlite_json_text(row, P_CHANNEL), "code", code ? json_integer(code) : json_null(), "text",
                     sqlite_json_text(row, P_TEXT), "at", sqlite_json_moment(row, P_AT));
}

static int roll_and_rest(struct sqlite *db, int64_t notice, int64_t *roll, enum withheld *rest, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(db, err, "SELECT roll, rest FROM notice WHERE id = ?1", "i", notice);
    int rc = row ? sqlite_step(db, row, err) : -1;

    if (rc != 1)
        return rc < 0 ? -1 : error_set(err, ERROR_REFUSED, "there is no notice %lld", (long long)notice);
    *roll = sqlite3_column_int64(row, 0);
    *rest = (enum withheld)sqlite3_column_int(row, 1);
    sqlite_done(row);
    return 0;
}

/* Asked for as in counts ("in_doubt") or as shown ("in doubt"). */
static bool same_word(const char *asked, const char *word)
{
    for (; *asked && (*asked == *word || (*asked == '_' && *word == ' ')); asked++)
        word++;
    return *asked == *word;
}

json_t *sqlite_report_people(struct sqlite *db, const struct store_report *what, struct error *err)
{
    int64_t roll = 0, limit = what->limit > 0 ? what->limit : INT64_MAX;
    enum withheld rest = WITHHELD_NONE;

    if (roll_and_rest(db, what->notice, &roll, &rest, err) < 0)
        return NULL;
    json_t *out = json_array();
    sqlite3_stmt *row = sqlite_query(db, err, people_sql, "iii", roll, what->notice, what->after);
    int rc = row ? 1 : -1;
    while (rc == 1 && limit > 0 && (rc = sqlite_step(db, row, err)) == 1) {
        const char *state = state_word((enum fate)sqlite3_column_int(row, P_FATE), sqlite3_column_int(row, P_IN_FLIGHT),
                                       sqlite3_column_int(row, P_AGAIN), rest);
        if (what->state && !same_word(what->state, state))
            continue;
        json_array_append_new(out, person_of(row, state, rest));
        limit--;
    }
    if (rc == 1)
        sqlite_done(row);
    return out;
}

/* --- Why: everything that happened to one key --- */

static void add_step(json_t *steps, json_t *at, json_t *channel, int attempt, const char *what)
{
    json_array_append_new(steps, json_pack("{s:o, s:o, s:o, s:s}", "at", at, "channel", channel, "attempt",
                                           attempt ? json_integer(attempt) : json_null(), "what", what));
}

/* "refused 550: mailbox unknown", "withheld: left" */
static void add_fate_step(json_t *steps, sqlite3_stmt *row)
{
    enum fate fate = (enum fate)sqlite3_column_int(row, 3);
    enum withheld why = (enum withheld)sqlite3_column_int(row, 4);
    struct text text = sqlite_text(row, 6);
    auto_buf struct buf what;

    buf_init(&what, 4096);
    buf_adds(&what, fate_name(fate));
    if (sqlite3_column_int(row, 5))
        buf_addf(&what, " %d", sqlite3_column_int(row, 5));
    if (why)
        buf_addf(&what, ": %s", withheld_name(why));
    if (text.len && text_is_utf8(text))
        buf_addf(&what, ": %.*s", TEXT_ARGS(text));
    add_step(steps, sqlite_json_moment(row, 0), sqlite_json_text(row, 1), sqlite3_column_int(row, 2), what.ptr);
}

/* Claims and fates of one person in the order they happened: a claim stands before the fate that answers it. */
static const char steps_sql[] =
    "SELECT at, channel, attempt, fate, withheld, code, text FROM ("
    " SELECT c.at, c.channel, coalesce(m.attempt, 1) AS attempt, 0 AS fate, 0 AS withheld, 0 AS code, NULL AS text,"
    "  c.no AS no, 0 AS step FROM claim c LEFT JOIN claim_member m ON m.notice = c.notice AND m.no = c.no AND m.seq = "
    "?2"
    "  WHERE c.notice = ?1 AND (m.seq IS NOT NULL OR (?2 BETWEEN c.first AND c.last AND NOT EXISTS (SELECT 1 FROM fate "
    "e"
    "   WHERE e.notice = ?1 AND e.seq = ?2 AND e.step = 1 AND e.claim IS NULL)))" /* erased: it passed them over */
    " UNION ALL SELECT f.at, f.channel, f.attempt, f.fate, f.withheld, f.code, x.text,"
    "  coalesce(f.claim, (SELECT max(g.claim) FROM fate g WHERE g.notice = ?1 AND g.seq = ?2 AND g.step < f.step)) AS "
    "no,"
    "  f.step FROM fate f LEFT JOIN text x ON x.id = f.text WHERE f.notice = ?1 AND f.seq = ?2)"
    " ORDER BY no, step";

static json_t *steps_of(struct sqlite *db, int64_t notice, int64_t seq, int64_t gathered_at_ms, const char *source,
                        struct error *err)
{
    json_t *steps = json_array();
    auto_buf struct buf gathered;
    sqlite3_stmt *row = sqlite_query(db, err, steps_sql, "ii", notice, seq);

    buf_init(&gathered, 1024);
    buf_addf(&gathered, "gathered%s%s", *source ? " from " : "", source);
    add_step(steps, json_moment(gathered_at_ms), json_null(), 0, gathered.ptr);
    while (row && sqlite_step(db, row, err) == 1) {
        if (sqlite3_column_int(row, 3) == FATE_NONE)
            add_step(steps, sqlite_json_moment(row, 0), sqlite_json_text(row, 1), sqlite3_column_int(row, 2),
                     "claimed");
        else
            add_fate_step(steps, row);
    }
    sqlite_feedback_steps(db, notice, seq, steps, err);
    return steps;
}

enum {
    W_NOTICE,
    W_SEQ,
    W_GATHERED,
    W_SOURCE,
    W_REST,
    W_IN_FLIGHT,
    W_AGAIN,
    W_FATE,
    W_WITHHELD,
    W_RULE,
    W_EVENT,
    W_TITLE
};
static const char why_sql[] =
    "SELECT n.id, t.seq, n.gathered_at, coalesce(p.source, (SELECT r.source FROM reading r WHERE r.roll = t.roll AND"
    "  (t.yes | t.before_yes) & (1 << r.audience) ORDER BY r.audience <> 31, r.audience LIMIT 1)), n.rest, l.seq IS "
    "NOT NULL, a.seq IS NOT NULL, f.fate,"
    " f.withheld, n.rule, n.subject, e.title FROM notice n JOIN told t ON t.roll = n.roll AND t.key = ?1"
    " LEFT JOIN event e ON e.site = n.site AND e.id = n.subject"
    " LEFT JOIN person p ON p.roll = t.roll AND p.seq = t.seq"
    " LEFT JOIN flight l ON l.notice = n.id AND l.seq = t.seq"
    " LEFT JOIN again a ON a.notice = n.id AND a.seq = t.seq"
    " LEFT JOIN fate f ON f.notice = n.id AND f.seq = t.seq AND"
    "  f.step = (SELECT max(step) FROM fate g WHERE g.notice = n.id AND g.seq = t.seq)"
    " WHERE ?2 IS NULL OR n.subject = ?2 ORDER BY n.due_at, n.id";

/* Whom an audience named only to say that they must not be told: they are in no list, and that is why. */
static const char left_out_sql[] =
    "SELECT n.id, n.rule, n.subject, e.title, n.gathered_at,"
    " ((CASE WHEN w.pass >= n.pass THEN w.no ELSE 0 END) | (CASE WHEN w.before_pass >= n.pass THEN w.before_no ELSE 0 "
    "END))"
    " FROM notice n JOIN word w ON w.roll = n.roll AND w.key = ?1"
    " LEFT JOIN event e ON e.site = n.site AND e.id = n.subject"
    " WHERE (?2 IS NULL OR n.subject = ?2) AND n.pass > 0 AND (w.pass >= n.pass OR w.before_pass >= n.pass)"
    " AND NOT EXISTS (SELECT 1 FROM told t WHERE t.roll = n.roll AND t.key = ?1) ORDER BY n.due_at, n.id";

static void add_left_out(struct sqlite *db, const struct store_report *what, json_t *list, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(db, err, left_out_sql, "ks", what->key, what->event_id);

    while (row && sqlite_step(db, row, err) == 1) {
        bool never = sqlite3_column_int64(row, 5) & ((int64_t)1 << SQLITE_NEVER);
        const char *reason = withheld_name(never ? WITHHELD_NEVER : WITHHELD_OPTED_OUT);
        json_t *steps = json_array();
        add_step(steps, sqlite_json_moment(row, 4), json_null(), 0, "named by an audience, but not to be told");
        json_array_append_new(
            list, json_pack("{s:I, s:o, s:o, s:o, s:s, s:s, s:o}", "notice", (json_int_t)sqlite3_column_int64(row, 0),
                            "rule", sqlite_json_text(row, 1), "event_id", sqlite_json_text(row, 2), "event_title",
                            sqlite_json_text(row, 3), "state", "left out", "reason", reason, "steps", steps));
    }
}

static json_t *suppressed(struct sqlite *db, const unsigned char *key, struct error *err)
{
    json_t *out = json_array();
    sqlite3_stmt *row =
        sqlite_query(db, err, "SELECT scope, reason, at FROM suppression WHERE key = ?1 ORDER BY at, scope", "k", key);

    while (row && sqlite_step(db, row, err) == 1)
        json_array_append_new(out, json_pack("{s:o, s:o, s:o}", "scope", sqlite_json_text(row, 0), "reason",
                                             sqlite_json_text(row, 1), "at", sqlite_json_moment(row, 2)));
    return out;
}

static json_t *json_key(const unsigned char *key)
{
    char hex[2 * PERSON_KEY_SIZE + 1];

    for (size_t i = 0; i < PERSON_KEY_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", key[i]);
    return json_string(hex);
}

json_t *sqlite_report_why(struct sqlite *db, const struct store_report *what, struct error *err)
{
    json_t *list = json_array();
    sqlite3_stmt *row = sqlite_query(db, err, why_sql, "ks", what->key, what->event_id);

    while (row && sqlite_step(db, row, err) == 1) {
        enum withheld rest = (enum withheld)sqlite3_column_int(row, W_REST);
        enum fate last = (enum fate)sqlite3_column_int(row, W_FATE);
        const char *state =
            state_word(last, sqlite3_column_int(row, W_IN_FLIGHT), sqlite3_column_int(row, W_AGAIN), rest);
        json_t *reason = reason_of(last, (enum withheld)sqlite3_column_int(row, W_WITHHELD), state, rest);
        json_t *steps = steps_of(db, sqlite3_column_int64(row, W_NOTICE), sqlite3_column_int64(row, W_SEQ),
                                 sqlite_moment(row, W_GATHERED), sqlite_string(row, W_SOURCE), err);
        json_array_append_new(list, json_pack("{s:I, s:o, s:o, s:o, s:s, s:o, s:o}", "notice",
                                              (json_int_t)sqlite3_column_int64(row, W_NOTICE), "rule",
                                              sqlite_json_text(row, W_RULE), "event_id", sqlite_json_text(row, W_EVENT),
                                              "event_title", sqlite_json_text(row, W_TITLE), "state", state, "reason",
                                              reason, "steps", steps));
    }
    add_left_out(db, what, list, err);
    return json_pack("{s:s?, s:o, s:o, s:o}", "address", what->address, "key", json_key(what->key), "suppressed",
                     suppressed(db, what->key, err), "notices", list);
}

#define PERSON_COLUMNS "SELECT p.source, p.source_id, p.address, p.name, p.locale, p.zone, p.attributes, p.seq"

static json_t *one_person(struct sqlite *db, sqlite3_stmt *row, struct error *err)
{
    static const char *const names[] = {"source", "source_id", "address", "name", "locale", "zone", "attributes"};
    int rc = row ? sqlite_step(db, row, err) : -1;

    if (rc < 1)
        return rc < 0 ? NULL : json_null();
    json_t *out = json_object();
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        json_object_set_new(out, names[i], sqlite_json_text(row, (int)i));
    json_object_set_new(out, "seq", json_integer(sqlite3_column_int64(row, ARRAY_LEN(names))));
    sqlite_done(row);
    return out;
}

json_t *sqlite_report_person(struct sqlite *db, const struct store_report *what, struct error *err)
{
    return one_person(db,
                      sqlite_query(db, err,
                                   PERSON_COLUMNS
                                   " FROM notice n JOIN told t ON t.roll = n.roll AND t.key = ?2 JOIN person p"
                                   " ON p.roll = t.roll AND p.seq = t.seq WHERE n.id = ?1",
                                   "ik", what->notice, what->key),
                      err);
}

json_t *sqlite_report_next(struct sqlite *db, const struct store_report *what, struct error *err)
{
    return one_person(db,
                      sqlite_query(db, err,
                                   PERSON_COLUMNS
                                   " FROM notice n JOIN person p ON p.roll = n.roll WHERE n.id = ?1 AND p.seq >"
                                   " (SELECT coalesce(max(claimed_to), 0) FROM counter WHERE notice = ?1)"
                                   " ORDER BY p.seq LIMIT 1",
                                   "i", what->notice),
                      err);
}
