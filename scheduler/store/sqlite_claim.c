/* sqlite_claim.c - who is handed over next. First attempts are claimed by ranges of numbers from the lowest unclaimed;
 * who waits for another attempt is claimed by list. Whoever may not be told gets the reason as a fate instead. */
#include "sqlite.h"

#include <string.h>

enum { SCAN_MAX = 2000 }; /* people looked at in one claim: keeps a turn short when many are withheld */

/* One claim being made. */
struct claiming {
    struct sqlite *db;
    const char *channel;
    const struct store_claim *claim;
    int64_t roll, no, claimed_to, now_ms;
    bool first; /* nobody of this notice was ever claimed */
    struct sqlite_deliveries *out;
    struct sqlite_delta delta;
    int64_t people; /* handed out by this claim */
    int64_t withheld[WITHHELD_REASONS];
};

/* A person as they stand in the ledger. */
struct standing {
    uint32_t seq;
    const unsigned char *key; /* of the row */
    struct sqlite_words words;
};

enum { WORDS_AT = 2, PERSON_AT = 10, SUPPRESSED_AT = 17 }; /* where these begin in PEOPLE_COLUMNS */

#define PEOPLE_COLUMNS                                                                                                 \
    "SELECT t.seq, t.key, t.yes, t.pass, t.before_yes, t.before_pass, coalesce(w.no, 0), coalesce(w.pass, 0),"         \
    " coalesce(w.before_no, 0), coalesce(w.before_pass, 0), p.source, p.source_id, p.address, p.name, p.locale,"       \
    " p.zone, p.attributes, EXISTS (SELECT 1 FROM suppression s WHERE s.key = t.key) FROM told t LEFT JOIN word w ON " \
    "w.roll = t.roll AND w.key = t.key"                                                                                \
    " LEFT JOIN person p ON p.roll = t.roll AND p.seq = t.seq"

static const char people_behind[] = PEOPLE_COLUMNS " WHERE t.roll = ?1 AND t.seq > ?2 ORDER BY t.seq";
static const char person_at[] = PEOPLE_COLUMNS " WHERE t.roll = ?1 AND t.seq = ?2";

static int read_standing(const struct claiming *c, sqlite3_stmt *row, struct standing *out, struct error *err)
{
    out->seq = (uint32_t)sqlite3_column_int64(row, 0);
    out->key = sqlite3_column_blob(row, 1);
    if (!out->key || sqlite3_column_bytes(row, 1) != PERSON_KEY_SIZE)
        return error_set(err, ERROR_REFUSED, "%s: notice %lld, person %u has no key: restore the backup", c->db->path,
                         (long long)c->claim->notice, out->seq);
    out->words = (struct sqlite_words){
        .yes = sqlite3_column_int64(row, WORDS_AT),
        .pass = sqlite3_column_int64(row, WORDS_AT + 1),
        .before_yes = sqlite3_column_int64(row, WORDS_AT + 2),
        .before_pass = sqlite3_column_int64(row, WORDS_AT + 3),
        .no = sqlite3_column_int64(row, WORDS_AT + 4),
        .word_pass = sqlite3_column_int64(row, WORDS_AT + 5),
        .before_no = sqlite3_column_int64(row, WORDS_AT + 6),
        .before_word_pass = sqlite3_column_int64(row, WORDS_AT + 7),
        .suppressed = sqlite3_column_int(row, SUPPRESSED_AT),
    };
    return 0;
}

static struct text keep(struct claiming *c, sqlite3_stmt *row, int column)
{
    struct text t = sqlite_text(row, column);

    return (struct text){arena_copy(c->out->arena, t), t.len};
}

static void hand_out(struct claiming *c, sqlite3_stmt *row, const struct standing *who, int attempt)
{
    struct sqlite_deliveries *out = c->out;

    if (out->count == out->room) {
        size_t room = out->room ? out->room * 2 : 64;
        struct store_delivery *grown = arena_alloc(out->arena, room * sizeof *grown);
        if (out->count)
            memcpy(grown, out->at, out->count * sizeof *grown);
        out->at = grown;
        out->room = room;
    }
    struct store_delivery *d = &out->at[out->count++];
    *d = (struct store_delivery){
        .notice = c->claim->notice,
        .seq = who->seq,
        .attempt = attempt,
        .seed = (who->words.yes >> STORE_SEED) & 1,
        .source = keep(c, row, PERSON_AT),
        .source_id = keep(c, row, PERSON_AT + 1),
        .address = keep(c, row, PERSON_AT + 2),
        .name = keep(c, row, PERSON_AT + 3),
        .locale = keep(c, row, PERSON_AT + 4),
        .zone = keep(c, row, PERSON_AT + 5),
        .attributes = keep(c, row, PERSON_AT + 6),
    };
    memcpy(d->key, who->key, PERSON_KEY_SIZE);
}

static int has_fate(struct claiming *c, uint32_t seq, struct error *err)
{
    int64_t count;

    if (sqlite_number(c->db, 0, &count, err, "SELECT count(*) FROM fate WHERE notice = ?1 AND seq = ?2", "ii",
                      c->claim->notice, (int64_t)seq) < 0)
        return -1;
    return count > 0;
}

/* Judges one person: handed out (the flight is the caller's), or withheld. `step` is what their next fate will be
 * numbered. */
static int take(struct claiming *c, sqlite3_stmt *row, int attempt, int64_t step, struct error *err)
{
    struct standing who = {0};
    enum withheld reason = WITHHELD_NONE;

    if (read_standing(c, row, &who, err) < 0 ||
        sqlite_judge(c->db, c->roll, c->claim->pass, who.key, &who.words, &reason, err) < 0)
        return -1;
    if (sqlite3_column_type(row, PERSON_AT) == SQLITE_NULL) {
        int had = step == 1 ? has_fate(c, who.seq, err) : 0;
        if (had != 0)
            return had < 0 ? -1 : 0; /* erased before their number came up: that is their fate */
        reason = WITHHELD_ERASED;
    }
    if (reason != WITHHELD_NONE) {
        struct store_fate fate = {.notice = c->claim->notice,
                                  .seq = who.seq,
                                  .attempt = attempt,
                                  .fate = FATE_WITHHELD,
                                  .withheld = reason,
                                  .at_ms = c->now_ms,
                                  .next_at_ms = MOMENT_NONE};
        c->delta.withheld++;
        c->withheld[reason]++;
        return sqlite_append_fate(c->db, c->channel, &fate, step, c->no, err);
    }
    c->delta.live++;
    c->people++;
    hand_out(c, row, &who, attempt);
    return 0;
}

static int take_flight(struct claiming *c, uint32_t seq, int attempt, int64_t step, struct error *err)
{
    return sqlite_run(c->db, err, "INSERT INTO flight VALUES(?1, ?2, ?3, ?4, ?5, ?6)", "iisdii", c->claim->notice,
                      (int64_t)seq, c->channel, attempt, step, c->no);
}

/* --- First attempts --- */

/* Those of a range who were handed out are in flight: mostly all of it. */
static int range_takes_flight(struct claiming *c, uint32_t behind, uint32_t last, struct error *err)
{
    const struct store_delivery *handed_out = c->out->at + c->out->count - c->people;

    if (c->people == last - behind)
        return sqlite_run(c->db, err,
                          "INSERT INTO flight SELECT ?1, seq, ?2, 1, 1, ?3 FROM told WHERE roll = ?4 AND seq > ?5 AND"
                          " seq <= ?6",
                          "isiiii", c->claim->notice, c->channel, c->no, c->roll, (int64_t)behind, (int64_t)last);
    for (int64_t i = 0; i < c->people; i++)
        if (take_flight(c, handed_out[i].seq, 1, 1, err) < 0)
            return -1;
    return 0;
}

static int claim_range(struct claiming *c, uint32_t behind, struct error *err)
{
    uint32_t last = behind;
    sqlite3_stmt *row = sqlite_query(c->db, err, people_behind, "ii", c->roll, (int64_t)behind);
    int rc = row ? 1 : -1;

    for (int looked = 0; looked < SCAN_MAX && (size_t)c->people < c->claim->want; looked++) {
        rc = sqlite_step(c->db, row, err);
        if (rc != 1)
            break;
        last = (uint32_t)sqlite3_column_int64(row, 0);
        rc = take(c, row, 1, 1, err);
        if (rc < 0)
            break;
        rc = 1;
    }
    if (row && rc != 0)
        sqlite_done(row);
    if (rc < 0)
        return -1;
    if (last == behind)
        return 0;
    if (c->people > 0 && range_takes_flight(c, behind, last, err) < 0)
        return -1;
    c->delta.claimed_to = last;
    return sqlite_run(c->db, err, "INSERT INTO claim VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", "iisiiiii",
                      c->claim->notice, c->no, c->channel, (int64_t)behind + 1, (int64_t)last, c->people, c->now_ms,
                      c->db->generation);
}

/* --- Those who wait for another attempt --- */

/* 1: they wait, and now no more; 0: they do not (claimed already, or told). */
static int stop_waiting(struct claiming *c, uint32_t seq, int *attempt, int64_t *step, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(c->db, err,
                                     "DELETE FROM again WHERE notice = ?1 AND seq = ?2 AND channel = ?3"
                                     " RETURNING attempt, step",
                                     "iis", c->claim->notice, (int64_t)seq, c->channel);
    int rc = row ? sqlite_step(c->db, row, err) : -1;

    if (rc != 1)
        return rc;
    *attempt = sqlite3_column_int(row, 0);
    *step = sqlite3_column_int64(row, 1);
    return sqlite_step(c->db, row, err) < 0 ? -1 : 1;
}

static int claim_one(struct claiming *c, uint32_t seq, struct error *err)
{
    int attempt = 0;
    int64_t step = 0;
    int rc = stop_waiting(c, seq, &attempt, &step, err);

    if (rc != 1)
        return rc;
    sqlite3_stmt *row = sqlite_query(c->db, err, person_at, "ii", c->roll, (int64_t)seq);
    rc = row ? sqlite_step(c->db, row, err) : -1;
    if (rc != 1)
        return rc < 0 ? -1
                      : error_set(err, ERROR_REFUSED, "notice %lld has no person %u", (long long)c->claim->notice, seq);
    int64_t before = c->people;
    rc = take(c, row, attempt, step, err);
    sqlite_done(row);
    if (rc < 0 || (c->people > before && take_flight(c, seq, attempt, step, err) < 0))
        return -1;
    return sqlite_run(c->db, err, "INSERT INTO claim_member VALUES(?1, ?2, ?3, ?4)", "iiid", c->claim->notice, c->no,
                      (int64_t)seq, attempt) < 0
               ? -1
               : 1;
}

static int claim_list(struct claiming *c, struct error *err)
{
    bool any = false;

    for (size_t i = 0; i < c->claim->list_count && (size_t)c->people < c->claim->want; i++) {
        int rc = claim_one(c, c->claim->list[i].seq, err);
        if (rc < 0)
            return -1;
        any |= rc == 1;
    }
    if (!any)
        return 0;
    return sqlite_run(c->db, err, "INSERT INTO claim VALUES(?1, ?2, ?3, NULL, NULL, ?4, ?5, ?6)", "iisiii",
                      c->claim->notice, c->no, c->channel, c->people, c->now_ms, c->db->generation);
}

/* --- Both --- */

/* 1: claims may be made; 0: it has ended, nobody is claimed any more. What would be too early fails: promise 1 holds
 * here too, whatever a caller thinks. */
static int may_claim(struct claiming *c, struct error *err)
{
    int64_t notice = c->claim->notice;
    sqlite3_stmt *row =
        sqlite_query(c->db, err,
                     "SELECT roll, due_at, state, rest, claimed, (SELECT max(no) FROM claim WHERE notice = ?1),"
                     " (SELECT max(claimed_to) FROM counter WHERE notice = ?1) FROM notice WHERE id = ?1",
                     "i", notice);
    int rc = row ? sqlite_step(c->db, row, err) : -1;

    if (rc != 1)
        return rc < 0 ? -1 : error_set(err, ERROR_REFUSED, "there is no notice %lld", (long long)notice);
    int64_t due_at_ms = sqlite3_column_int64(row, 1);
    enum notice_state state = (enum notice_state)sqlite3_column_int(row, 2);
    bool over = sqlite3_column_int(row, 3) != WITHHELD_NONE || state == NOTICE_MISSED || state == NOTICE_WITHDRAWN ||
                state == NOTICE_CANCELLED;
    c->roll = sqlite3_column_int64(row, 0);
    c->first = sqlite3_column_int(row, 4) == 0;
    c->no = sqlite3_column_int64(row, 5) + 1; /* none is 0 */
    c->claimed_to = sqlite3_column_int64(row, 6);
    sqlite_done(row);
    if (over)
        return 0;
    if (c->now_ms < due_at_ms)
        return error_set(err, ERROR_REFUSED, "notice %lld is not due for another %lld ms", (long long)notice,
                         (long long)(due_at_ms - c->now_ms));
    return 1;
}

int sqlite_claim(struct sqlite *db, const char *channel, const struct store_claim *claim, int64_t now_ms,
                 struct sqlite_deliveries *out, struct error *err)
{
    struct claiming c = {.db = db,
                         .channel = channel,
                         .claim = claim,
                         .now_ms = now_ms,
                         .out = out,
                         .delta = {.first_at_ms = MOMENT_NONE, .last_at_ms = MOMENT_NONE}};

    if (db->copy)
        return error_set(err, ERROR_CONFIG,
                         "%s looks like a copy of another's state: nothing is sent before `onsale resume "
                         "--this-is-the-one`",
                         db->path);
    if (claim->pass < 1)
        return error_set(err, ERROR_REFUSED, "notice %lld: no audience was read to its end", (long long)claim->notice);
    int rc = may_claim(&c, err);
    if (rc != 1)
        return rc < 0 ? -1 : 1;
    rc = claim->list ? claim_list(&c, err) : claim_range(&c, (uint32_t)c.claimed_to, err);
    if (rc < 0 || sqlite_count(db, claim->notice, channel, &c.delta, err) < 0 ||
        (c.first && sqlite_run(db, err, "UPDATE notice SET claimed = 1 WHERE id = ?1", "i", claim->notice) < 0))
        return -1;
    for (size_t i = 0; i < WITHHELD_REASONS; i++)
        out->withheld[i] += c.withheld[i];
    return 0;
}
