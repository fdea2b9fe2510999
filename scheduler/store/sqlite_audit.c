/* sqlite_audit.c - checks a state file with plain SQL over told, claim and fate, apart from the code that wrote them:
 * what is kept beside the truth (counters, flight, again) must follow from it, and the promises must have held. */
#include "sqlite.h"

#include <string.h>

/* Each query gives a line of text for every place where the state is not as it must be. */
static const struct {
    const char *name; /* of what was checked */
    const char *sql;
} checks[] = {
    {"rolls",
     "SELECT 'roll ' || r.id || ': ' || r.last_seq || ' people by its count, ' || count(t.seq) || ' in the list'"
     " FROM roll r LEFT JOIN told t ON t.roll = r.id GROUP BY r.id"
     " HAVING r.last_seq <> count(t.seq) OR r.last_seq <> coalesce(max(t.seq), 0)"
     " UNION ALL SELECT 'roll ' || roll || ': people without a roll' FROM told WHERE roll NOT IN (SELECT id FROM roll)"
     " GROUP BY roll"
     " UNION ALL SELECT 'roll ' || roll || ': belongs to ' || count(*) || ' notices' FROM notice WHERE roll <> 0"
     " GROUP BY roll HAVING count(*) > 1"},
    {"counters",
     "WITH last AS (SELECT notice, channel, fate FROM fate f WHERE NOT EXISTS (SELECT 1 FROM fate g"
     "  WHERE g.notice = f.notice AND g.seq = f.seq AND g.step > f.step)),"
     " sums AS (SELECT notice, channel, sum(fate = 1) AS accepted, sum(fate = 3) AS refused, sum(fate = 4) AS in_doubt,"
     "  sum(fate = 7) AS withheld FROM last GROUP BY notice, channel)"
     " SELECT 'notice ' || c.notice || ', ' || c.channel || ': counters say ' || c.accepted || ' accepted, ' ||"
     "  c.refused || ' refused, ' || c.in_doubt || ' in doubt, ' || c.withheld || ' withheld; the fates ' ||"
     "  coalesce(s.accepted, 0) || ', ' || coalesce(s.refused, 0) || ', ' || coalesce(s.in_doubt, 0) || ', ' ||"
     "  coalesce(s.withheld, 0)"
     " FROM counter c LEFT JOIN sums s ON s.notice = c.notice AND s.channel = c.channel"
     " WHERE c.accepted <> coalesce(s.accepted, 0) OR c.refused <> coalesce(s.refused, 0) OR"
     "  c.in_doubt <> coalesce(s.in_doubt, 0) OR c.withheld <> coalesce(s.withheld, 0)"
     " UNION ALL SELECT 'notice ' || s.notice || ', ' || s.channel || ': fates without counters' FROM sums s"
     " WHERE NOT EXISTS (SELECT 1 FROM counter c WHERE c.notice = s.notice AND c.channel = s.channel)"},
    {"last_words",
     "WITH last AS (SELECT notice, channel, fate, withheld, code, coalesce(text, 0) AS text, count(*) AS people"
     "  FROM fate f WHERE fate <> 1 AND NOT EXISTS (SELECT 1 FROM fate g WHERE g.notice = f.notice AND g.seq = f.seq"
     "  AND g.step > f.step) GROUP BY 1, 2, 3, 4, 5, 6),"
     " said AS (SELECT notice, channel, fate, withheld, code, text, people FROM fate_sum WHERE people <> 0)"
     " SELECT 'notice ' || notice || ', ' || channel || ': ' || people || ' people with fate ' || fate || ', code ' ||"
     "  code || ', by one count alone' FROM (SELECT * FROM last EXCEPT SELECT * FROM said)"
     " UNION ALL SELECT 'notice ' || notice || ', ' || channel || ': ' || people || ' people with fate ' || fate ||"
     "  ', code ' || code || ', by the sums alone' FROM (SELECT * FROM said EXCEPT SELECT * FROM last)"
     " UNION ALL SELECT 'notice ' || c.notice || ', ' || c.channel || ': ' || c.accepted || ' accepted, the lateness "
     "of '"
     "  || coalesce(sum(l.people), 0) || ' is known' FROM counter c LEFT JOIN late_sum l ON l.notice = c.notice AND"
     "  l.channel = c.channel GROUP BY c.notice, c.channel HAVING c.accepted <> coalesce(sum(l.people), 0)"},
    {"sums", "SELECT 'notice ' || n.id || ': ' || coalesce(r.last_seq, 0) || ' planned, but ' ||"
             "  sum(c.accepted + c.refused + c.in_doubt + c.withheld + c.live) || ' have a fate or are in hand'"
             " FROM notice n JOIN counter c ON c.notice = n.id LEFT JOIN roll r ON r.id = n.roll GROUP BY n.id"
             " HAVING sum(c.accepted + c.refused + c.in_doubt + c.withheld + c.live) > coalesce(r.last_seq, 0)"},
    {"done",
     "SELECT 'notice ' || n.id || ': done, but ' ||"
     "  (coalesce(r.last_seq, 0) - sum(c.accepted + c.refused + c.in_doubt + c.withheld)) || ' people still wait'"
     " FROM notice n JOIN counter c ON c.notice = n.id LEFT JOIN roll r ON r.id = n.roll"
     " WHERE n.state = 5 AND n.rest = 0 GROUP BY n.id"
     " HAVING sum(c.accepted + c.refused + c.in_doubt + c.withheld) <> coalesce(r.last_seq, 0)"},
    /* A hand-over before its claim is a clock that was set back in between: the claim tells. */
    {"never_early",
     "SELECT 'notice ' || n.id || ': person ' || f.seq || ' was handed over ' || (n.due_at - f.at) || ' ms early'"
     " FROM notice n JOIN fate f ON f.notice = n.id LEFT JOIN claim c ON c.notice = f.notice AND c.no = f.claim"
     " WHERE f.fate IN (1, 3, 4) AND f.at < n.due_at AND (c.at IS NULL OR f.at >= c.at)"
     " UNION ALL SELECT 'notice ' || n.id || ': claim ' || c.no || ' was made ' || (n.due_at - c.at) || ' ms early'"
     " FROM notice n JOIN claim c ON c.notice = n.id WHERE c.at < n.due_at"},
    {"at_most_one",
     "SELECT 'notice ' || notice || ': person ' || seq || ' was accepted ' || count(*) || ' times' FROM fate"
     " WHERE fate = 1 GROUP BY notice, seq HAVING count(*) > 1"
     " UNION ALL SELECT 'notice ' || a.notice || ': person ' || a.seq || ' was claimed for a first attempt twice'"
     " FROM (SELECT notice, no, first AS seq, last FROM claim WHERE first IS NOT NULL) a JOIN claim b"
     "  ON b.notice = a.notice AND b.no > a.no AND b.first IS NOT NULL AND b.first <= a.last AND b.last >= a.seq"
     " UNION ALL SELECT 'notice ' || f.notice || ': person ' || f.seq || ' got a fate after having been accepted'"
     " FROM fate f JOIN fate g ON g.notice = f.notice AND g.seq = f.seq AND g.step > f.step WHERE f.fate = 1"},
    {"claims",
     "SELECT 'notice ' || f.notice || ': person ' || f.seq || ', fate ' || f.step || ': no claim covers it' FROM fate f"
     " WHERE f.claim IS NOT NULL AND NOT EXISTS (SELECT 1 FROM claim c LEFT JOIN claim_member m ON m.notice = c.notice"
     "  AND m.no = c.no AND m.seq = f.seq WHERE c.notice = f.notice AND c.no = f.claim AND c.channel = f.channel AND"
     "  (f.seq BETWEEN c.first AND c.last OR m.seq IS NOT NULL))"
     " UNION ALL SELECT 'notice ' || f.notice || ': person ' || f.seq || ', fate ' || f.step || ': answers no claim'"
     " FROM fate f WHERE f.claim IS NULL AND f.fate NOT IN (2, 7)"
     " UNION ALL SELECT 'notice ' || f.notice || ': person ' || f.seq || ': claim ' || f.claim || ' has two fates'"
     " FROM fate f WHERE f.claim IS NOT NULL GROUP BY f.notice, f.seq, f.claim HAVING count(*) > 1"
     " UNION ALL SELECT 'notice ' || f.notice || ': person ' || f.seq || ' is not on its list' FROM fate f JOIN notice "
     "n"
     "  ON n.id = f.notice WHERE NOT EXISTS (SELECT 1 FROM told t WHERE t.roll = n.roll AND t.seq = f.seq)"},
    {"steps",
     "SELECT 'notice ' || notice || ': person ' || seq || ': ' || count(*) || ' fates, but the last is number ' ||"
     " max(step) FROM fate GROUP BY notice, seq HAVING max(step) <> count(*)"},
    {"in_hand", /* claimed, and no fate answers it */
     "WITH made AS (SELECT c.notice, c.channel, c.no, t.seq FROM claim c JOIN notice n ON n.id = c.notice JOIN told t"
     "   ON t.roll = n.roll AND t.seq BETWEEN c.first AND c.last"
     "   WHERE NOT EXISTS (SELECT 1 FROM fate e WHERE e.notice = c.notice AND e.seq = t.seq AND e.step = 1 AND"
     "    e.withheld = 13 AND e.claim IS NULL)" /* erased before: the range passed them over */
     "  UNION ALL SELECT c.notice, c.channel, c.no, m.seq FROM claim c JOIN claim_member m ON m.notice = c.notice AND"
     "   m.no = c.no),"
     " open AS (SELECT notice, channel, no, seq FROM made a WHERE NOT EXISTS (SELECT 1 FROM fate f WHERE f.notice ="
     "  a.notice AND f.seq = a.seq AND f.claim = a.no))"
     " SELECT 'notice ' || o.notice || ': person ' || o.seq || ' was claimed by ' || o.no || ' and is not in hand'"
     "  FROM open o WHERE NOT EXISTS (SELECT 1 FROM flight l WHERE l.notice = o.notice AND l.seq = o.seq AND"
     "  l.claim = o.no)"
     " UNION ALL SELECT 'notice ' || l.notice || ': person ' || l.seq || ' is in hand without a claim' FROM flight l"
     "  WHERE NOT EXISTS (SELECT 1 FROM open o WHERE o.notice = l.notice AND o.seq = l.seq AND o.no = l.claim)"
     " UNION ALL SELECT 'notice ' || c.notice || ', ' || c.channel || ': counter says ' || c.live || ' in hand, ' ||"
     "  (SELECT count(*) FROM flight l WHERE l.notice = c.notice AND l.channel = c.channel) || ' are' FROM counter c"
     "  WHERE c.live <> (SELECT count(*) FROM flight l WHERE l.notice = c.notice AND l.channel = c.channel)"},
    {"waiting", /* postponed, returned or passed on, and not claimed since */
     "WITH last AS (SELECT notice, seq, fate, step FROM fate f WHERE NOT EXISTS (SELECT 1 FROM fate g WHERE g.notice ="
     "  f.notice AND g.seq = f.seq AND g.step > f.step))"
     " SELECT 'notice ' || f.notice || ': person ' || f.seq || ' should wait for another attempt and does not'"
     "  FROM last f WHERE f.fate IN (2, 5, 6) AND NOT EXISTS (SELECT 1 FROM flight l WHERE l.notice = f.notice AND"
     "  l.seq = f.seq) AND NOT EXISTS (SELECT 1 FROM again a WHERE a.notice = f.notice AND a.seq = f.seq)"
     " UNION ALL SELECT 'notice ' || a.notice || ': person ' || a.seq || ' waits for another attempt without reason'"
     "  FROM again a WHERE NOT EXISTS (SELECT 1 FROM last f WHERE f.notice = a.notice AND f.seq = a.seq AND f.fate IN"
     "  (2, 5, 6) AND f.step + 1 = a.step)"
     "  OR EXISTS (SELECT 1 FROM flight l WHERE l.notice = a.notice AND l.seq = a.seq)"},
    {"doubt",
     "SELECT 'notice ' || c.notice || ', claim ' || c.no || ': ' || count(*) || ' in doubt, but only ' || c.people ||"
     "  ' were handed out' FROM claim c JOIN fate f ON f.notice = c.notice AND f.claim = c.no AND f.fate = 4"
     " GROUP BY c.notice, c.no HAVING count(*) > c.people"
     " UNION ALL SELECT 'notice ' || c.notice || ', claim ' || c.no || ': made by start ' || c.generation ||"
     "  ', which is not there yet' FROM claim c WHERE c.generation >"
     "  (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'generation')"},
    {"reasons",
     "SELECT 'notice ' || notice || ': person ' || seq || ': withheld for unknown reason ' || withheld FROM fate"
     " WHERE fate = 7 AND withheld NOT BETWEEN 1 AND 13"
     " UNION ALL SELECT 'notice ' || notice || ': person ' || seq || ': unknown fate ' || fate || ', reason ' || "
     "withheld"
     " FROM fate WHERE fate NOT BETWEEN 1 AND 7 OR (fate <> 7 AND withheld <> 0)"
     " UNION ALL SELECT 'notice ' || id || ': the rest is withheld for unknown reason ' || rest FROM notice"
     " WHERE rest NOT BETWEEN 0 AND 12"},
    {"erased",
     "SELECT 'roll ' || t.roll || ': person ' || t.seq || ' was erased, and their address is there' FROM suppression s"
     "  JOIN roll r JOIN told t ON t.roll = r.id AND t.key = s.key JOIN person p ON p.roll = t.roll AND p.seq = t.seq"
     "  WHERE s.reason = 'erased'"
     " UNION ALL SELECT 'notice ' || f.notice || ': person ' || f.seq || ' was handed over after having been erased'"
     "  FROM fate f JOIN fate g ON g.notice = f.notice AND g.seq = f.seq AND g.step > f.step AND g.fate IN (1, 3, 4)"
     "  WHERE f.withheld = 13"},
    {"notices",
     "SELECT 'notice ' || n.id || ': has claims, but is not marked as claimed' FROM notice n WHERE n.claimed = 0 AND"
     " EXISTS (SELECT 1 FROM claim c WHERE c.notice = n.id)"
     " UNION ALL SELECT 'claims of notice ' || notice || ', which does not exist' FROM claim WHERE notice NOT IN"
     "  (SELECT id FROM notice) GROUP BY notice"},
    {"feedback",
     "SELECT 'notice ' || b.notice || ': person ' || b.seq || ': feedback of unknown kind ' || b.kind FROM feedback b"
     " WHERE b.kind NOT BETWEEN 1 AND 4"
     " UNION ALL SELECT 'notice ' || b.notice || ': feedback from person ' || b.seq || ', who is not in its list'"
     " FROM feedback b LEFT JOIN notice n ON n.id = b.notice WHERE NOT EXISTS (SELECT 1 FROM told t"
     "  WHERE t.roll = n.roll AND t.seq = b.seq)"
     " UNION ALL SELECT 'notice ' || b.notice || ': feedback from person ' || b.seq || ': its text is lost'"
     " FROM feedback b WHERE b.text IS NOT NULL AND b.text NOT IN (SELECT id FROM text)"},
    {"file", "SELECT 'the file: ' || quick_check FROM pragma_quick_check WHERE quick_check <> 'ok'"},
};

enum { PROBLEMS_MAX = 1000 }; /* told in full; a broken state has millions */

static json_t *counts(struct sqlite *db, struct error *err)
{
    int64_t notices, people, claims, fates;

    if (sqlite_number(db, 0, &notices, err, "SELECT count(*) FROM notice", "") < 0 ||
        sqlite_number(db, 0, &people, err, "SELECT count(*) FROM told", "") < 0 ||
        sqlite_number(db, 0, &claims, err, "SELECT count(*) FROM claim", "") < 0 ||
        sqlite_number(db, 0, &fates, err, "SELECT count(*) FROM fate", "") < 0)
        return NULL;
    return json_pack("{s:I, s:I, s:I, s:I}", "notices", (json_int_t)notices, "people", (json_int_t)people, "claims",
                     (json_int_t)claims, "fates", (json_int_t)fates);
}

/* The report that retention is taking away piece by piece: it does not add up any more. */
struct going {
    char notice[32], roll[32]; /* "notice 17", as a line of text begins; "" none */
};

static int read_going(struct sqlite *db, struct going *out, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(db, err, "SELECT value FROM meta WHERE key = 'forgetting'", "");
    int rc = row ? sqlite_step(db, row, err) : -1;

    *out = (struct going){0};
    if (rc != 1)
        return rc;
    struct text roll = sqlite_text(row, 0), notice = text_cut(&roll, ' ');
    snprintf(out->notice, sizeof out->notice, "notice %.*s", TEXT_ARGS(notice));
    snprintf(out->roll, sizeof out->roll, "roll %.*s", TEXT_ARGS(roll));
    sqlite_done(row);
    return 0;
}

static bool is_about(struct text line, const char *what)
{
    size_t len = strlen(what);

    return len > 0 && text_starts(line, what) && line.len > len && (line.ptr[len] == ':' || line.ptr[len] == ',');
}

static int check(struct sqlite *db, const char *sql, const struct going *going, json_t *problems, int64_t *found,
                 struct error *err)
{
    sqlite3_stmt *row = sqlite_query(db, err, sql, "");
    int rc = row ? 1 : -1;

    *found = 0;
    while (rc == 1 && (rc = sqlite_step(db, row, err)) == 1) {
        struct text line = sqlite_text(row, 0);
        if (is_about(line, going->notice) || is_about(line, going->roll))
            continue;
        ++*found;
        if (json_array_size(problems) < PROBLEMS_MAX)
            json_array_append_new(problems, sqlite_json_text(row, 0));
    }
    return rc;
}

/* {checked: {notices, people, claims, fates, problems_of: {name: count}}, problems: [text]} */
json_t *sqlite_audit(struct sqlite *db, struct error *err)
{
    json_t *problems = json_array(), *of = json_object(), *checked = counts(db, err);
    struct going going;

    if (checked && read_going(db, &going, err) < 0) {
        json_decref(checked);
        checked = NULL;
    }
    for (size_t i = 0; checked && i < ARRAY_LEN(checks); i++) {
        int64_t found;
        if (check(db, checks[i].sql, &going, problems, &found, err) < 0) { /* half an audit finds nothing wrong */
            json_decref(checked);
            checked = NULL;
            break;
        }
        json_object_set_new(of, checks[i].name, json_integer(found));
    }
    if (!checked) {
        json_decref(problems);
        json_decref(of);
        return NULL;
    }
    json_object_set_new(checked, "problems_of", of);
    return json_pack("{s:o, s:o}", "checked", checked, "problems", problems);
}
