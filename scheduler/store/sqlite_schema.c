/* sqlite_schema.c - the shape of the state, version by version. Forward only, each step in one transaction.
 * Moments are Unix milliseconds UTC, null for none. Addresses of people are in `person` alone. */
#include "sqlite.h"

enum { APPLICATION_ID = 0x4F6E536C }; /* "OnSl" */

static const char *const version_1[] = {
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE site(name TEXT PRIMARY KEY, first_walk_at INTEGER, watermark INTEGER) STRICT, WITHOUT ROWID;"
    "CREATE TABLE rule(name TEXT PRIMARY KEY, first_load_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE pause(target TEXT PRIMARY KEY, who TEXT NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
    /* The mirror of the sites. A title outlives its definitions: reports name events of last year. */
    "CREATE TABLE definition("
    "  site TEXT NOT NULL, id TEXT NOT NULL, event_id TEXT NOT NULL, revision INTEGER NOT NULL,"
    "  created_at INTEGER, updated_at INTEGER, name TEXT NOT NULL, description TEXT NOT NULL, price TEXT NOT NULL,"
    "  currency TEXT NOT NULL, free INTEGER NOT NULL, hidden INTEGER NOT NULL, sold_out INTEGER NOT NULL,"
    "  sale_status INTEGER NOT NULL, sale_starts_at INTEGER, sale_ends_at INTEGER, event_status INTEGER NOT NULL,"
    "  event_title TEXT NOT NULL, event_zone TEXT NOT NULL, event_url TEXT NOT NULL, event_place TEXT NOT NULL,"
    "  event_starts_at INTEGER, suspect INTEGER NOT NULL, PRIMARY KEY(site, id)) STRICT;"
    "CREATE INDEX definition_starts ON definition(site, sale_starts_at);"
    "CREATE INDEX definition_ends ON definition(site, sale_ends_at);"
    "CREATE TABLE event(site TEXT NOT NULL, id TEXT NOT NULL, title TEXT NOT NULL, PRIMARY KEY(site, id))"
    "  STRICT, WITHOUT ROWID;"
    "CREATE TABLE opening(id INTEGER PRIMARY KEY, site TEXT NOT NULL, event_id TEXT NOT NULL,"
    "  opens_at INTEGER NOT NULL, state INTEGER NOT NULL) STRICT;"
    "CREATE INDEX opening_event ON opening(site, event_id, opens_at);"
    "CREATE TABLE opening_member(opening INTEGER NOT NULL REFERENCES opening ON DELETE CASCADE,"
    "  place INTEGER NOT NULL, definition TEXT NOT NULL, PRIMARY KEY(opening, place)) STRICT, WITHOUT ROWID;",
    /* Notices. `roll` is the list of people; a take-over hands the number on. */
    "CREATE TABLE notice("
    "  id INTEGER PRIMARY KEY, roll INTEGER NOT NULL, site TEXT NOT NULL, subject TEXT NOT NULL, rule TEXT NOT NULL,"
    "  kind INTEGER NOT NULL, at INTEGER NOT NULL, edition INTEGER NOT NULL, due_at INTEGER NOT NULL,"
    "  state INTEGER NOT NULL, reason INTEGER NOT NULL, reason_text TEXT, rest INTEGER NOT NULL,"
    "  paused INTEGER NOT NULL, claimed INTEGER NOT NULL, approved INTEGER NOT NULL, catch_up_waived INTEGER NOT NULL,"
    "  pass INTEGER NOT NULL, gathered_at INTEGER, released_at INTEGER, first_handover_at INTEGER,"
    "  last_handover_at INTEGER, ended_at INTEGER, estimate INTEGER NOT NULL, made_of INTEGER NOT NULL, channel TEXT,"
    "  begun INTEGER NOT NULL, begun_at INTEGER,"
    "  UNIQUE(site, subject, rule, kind, at, edition)) STRICT;"
    "CREATE INDEX notice_roll ON notice(roll);"
    "CREATE TABLE notice_member(notice INTEGER NOT NULL REFERENCES notice ON DELETE CASCADE,"
    "  place INTEGER NOT NULL, definition TEXT NOT NULL, PRIMARY KEY(notice, place)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE evidence(notice INTEGER NOT NULL, at INTEGER NOT NULL, json TEXT NOT NULL) STRICT;"
    "CREATE INDEX evidence_notice ON evidence(notice, at);",
    /* Who is told: seq counts from 1 without gaps. `yes` has a bit per audience that says yes in read `pass`, what it
     * was before stands in before_*; `no` likewise for words that are not a plain yes. */
    "CREATE TABLE roll(id INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL) STRICT;"
    "CREATE TABLE told(roll INTEGER NOT NULL, seq INTEGER NOT NULL, key BLOB NOT NULL CHECK(length(key) = 16),"
    "  yes INTEGER NOT NULL, pass INTEGER NOT NULL, before_yes INTEGER NOT NULL, before_pass INTEGER NOT NULL,"
    "  PRIMARY KEY(roll, seq), UNIQUE(roll, key)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE person(roll INTEGER NOT NULL, seq INTEGER NOT NULL, source TEXT NOT NULL, source_id TEXT NOT NULL,"
    "  address TEXT NOT NULL, name TEXT NOT NULL, locale TEXT NOT NULL, zone TEXT NOT NULL, attributes TEXT NOT NULL,"
    "  PRIMARY KEY(roll, seq)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE word(roll INTEGER NOT NULL, key BLOB NOT NULL CHECK(length(key) = 16), no INTEGER NOT NULL,"
    "  pass INTEGER NOT NULL, before_no INTEGER NOT NULL, before_pass INTEGER NOT NULL, PRIMARY KEY(roll, key))"
    "  STRICT, WITHOUT ROWID;"
    "CREATE TABLE reading(roll INTEGER NOT NULL, pass INTEGER NOT NULL, audience INTEGER NOT NULL,"
    "  source TEXT NOT NULL, cursor TEXT NOT NULL, PRIMARY KEY(roll, pass, audience)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE suppression(key BLOB NOT NULL CHECK(length(key) = 16), scope TEXT NOT NULL, reason TEXT NOT NULL,"
    "  at INTEGER NOT NULL, PRIMARY KEY(key, scope)) STRICT, WITHOUT ROWID;",
    /* The truth about handing over: a claim covers first..last, or its members; a fate answers a claim (null: a mark
     * made without one). `step` counts the fates of a person in a notice. */
    "CREATE TABLE claim(notice INTEGER NOT NULL, no INTEGER NOT NULL, channel TEXT NOT NULL, first INTEGER,"
    "  last INTEGER, people INTEGER NOT NULL, at INTEGER NOT NULL, generation INTEGER NOT NULL,"
    "  PRIMARY KEY(notice, no)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE claim_member(notice INTEGER NOT NULL, no INTEGER NOT NULL, seq INTEGER NOT NULL,"
    "  attempt INTEGER NOT NULL, PRIMARY KEY(notice, no, seq)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE fate(notice INTEGER NOT NULL, seq INTEGER NOT NULL, step INTEGER NOT NULL, channel TEXT NOT NULL,"
    "  attempt INTEGER NOT NULL, fate INTEGER NOT NULL, withheld INTEGER NOT NULL, code INTEGER NOT NULL,"
    "  text INTEGER, at INTEGER NOT NULL, next_at INTEGER, claim INTEGER, PRIMARY KEY(notice, seq, step))"
    "  STRICT, WITHOUT ROWID;"
    "CREATE TABLE text(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;",
    /* What follows from claims and fates, kept beside them in the same transactions; `audit` makes it anew. */
    "CREATE TABLE flight(notice INTEGER NOT NULL, seq INTEGER NOT NULL, channel TEXT NOT NULL,"
    "  attempt INTEGER NOT NULL, step INTEGER NOT NULL, claim INTEGER NOT NULL, PRIMARY KEY(notice, seq))"
    "  STRICT, WITHOUT ROWID;"
    "CREATE TABLE again(notice INTEGER NOT NULL, seq INTEGER NOT NULL, channel TEXT NOT NULL,"
    "  attempt INTEGER NOT NULL, step INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(notice, seq))"
    "  STRICT, WITHOUT ROWID;"
    "CREATE TABLE counter(notice INTEGER NOT NULL, channel TEXT NOT NULL, claimed_to INTEGER NOT NULL,"
    "  live INTEGER NOT NULL, accepted INTEGER NOT NULL, refused INTEGER NOT NULL, in_doubt INTEGER NOT NULL,"
    "  withheld INTEGER NOT NULL, first_handover_at INTEGER, last_handover_at INTEGER, PRIMARY KEY(notice, channel))"
    "  STRICT, WITHOUT ROWID;",
    NULL,
};

/* Doors for people. A write-back tells a marketing tool of an unsubscribe; who it is about stands in the sealed token,
 * so that addresses stay in `person` alone. Its number is never given twice: somebody may hold it while the row is
 * lifted or erased. Feedback is what came back after a message was accepted. */
static const char *const version_2[] = {
    "CREATE TABLE writeback(id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL CHECK(length(key) = 16),"
    "  audience TEXT NOT NULL, token TEXT NOT NULL, at INTEGER NOT NULL, attempts INTEGER NOT NULL, next_at INTEGER "
    "NOT NULL,"
    "  UNIQUE(key, audience)) STRICT;"
    "CREATE INDEX writeback_next ON writeback(audience, next_at);"
    "CREATE INDEX suppression_at ON suppression(at);"
    "CREATE TABLE feedback(notice INTEGER NOT NULL, seq INTEGER NOT NULL, kind INTEGER NOT NULL, at INTEGER NOT NULL,"
    "  status TEXT NOT NULL, text INTEGER, PRIMARY KEY(notice, seq, kind)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX feedback_kind ON feedback(notice, kind);",
    /* Who is erased is asked for at each page that is gathered; texts that no fate names any more are looked for. */
    "CREATE INDEX suppression_erased ON suppression(key) WHERE reason = 'erased';"
    "CREATE INDEX fate_text ON fate(text) WHERE text IS NOT NULL;"
    "CREATE INDEX feedback_text ON feedback(text) WHERE text IS NOT NULL;"
    "CREATE INDEX definition_event ON definition(site, event_id);",
    NULL,
};

/* Full speed. What a receiver asked a channel to wait outlives a restart; how long a notice will take is known ahead.
 */
static const char *const version_3[] = {
    "CREATE TABLE wait(channel TEXT PRIMARY KEY, until INTEGER NOT NULL, rests INTEGER NOT NULL, text TEXT NOT NULL,"
    "  at INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
    /* Set with the end of a notice, taken back when its report has been said. */
    "ALTER TABLE notice ADD COLUMN owes_report INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE notice ADD COLUMN will_finish INTEGER NOT NULL DEFAULT -1;"
    "ALTER TABLE notice ADD COLUMN will_not_fit INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE notice ADD COLUMN forecast TEXT;",
    NULL,
};

/* Doors for calendars and machines. Hooks are known by their ids, and what they are about by the last number that was
 * said of it (its bits, the highest one turned, so that SQLite's order is theirs); both for some days. */
static const char *const version_4[] = {
    "CREATE TABLE hook(sender TEXT NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(sender, id))"
    "  STRICT, WITHOUT ROWID;"
    "CREATE INDEX hook_at ON hook(at);"
    "CREATE TABLE hook_entity(sender TEXT NOT NULL, entity TEXT NOT NULL, sequence INTEGER NOT NULL,"
    "  at INTEGER NOT NULL, PRIMARY KEY(sender, entity)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX hook_entity_at ON hook_entity(at);",
    /* People by what their tool calls them: a hash of that for each of some with consecutive numbers (0 none), which is
     * cheaper to write than an index (sqlite_source_id.c). Words about people whom no list has yet, for two days. */
    "CREATE TABLE person_ids(roll INTEGER NOT NULL, first_seq INTEGER NOT NULL, hashes BLOB NOT NULL,"
    "  PRIMARY KEY(roll, first_seq)) STRICT;"
    "CREATE TABLE unmet(id INTEGER PRIMARY KEY AUTOINCREMENT, audience TEXT NOT NULL, source_id TEXT NOT NULL,"
    "  scope TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL, UNIQUE(audience, source_id, scope)) STRICT;",
    /* Who is to be tried again is listed page by page, by next time. */
    "CREATE INDEX again_next ON again(notice, channel, at, seq);"
    "CREATE INDEX told_seed ON told(roll, seq) WHERE yes & (1 << 31);",
    /* What reports say of fates (sqlite_sums.c): how many people's last one it is, but for accepted ones; how late
     * those were. Counted one by one: to group them would hold all of them in memory, of years. */
    "CREATE TABLE fate_sum(notice INTEGER NOT NULL, channel TEXT NOT NULL, fate INTEGER NOT NULL,"
    "  withheld INTEGER NOT NULL, code INTEGER NOT NULL, text INTEGER NOT NULL, people INTEGER NOT NULL,"
    "  PRIMARY KEY(notice, channel, fate, withheld, code, text)) STRICT, WITHOUT ROWID;"
    "INSERT INTO fate_sum SELECT notice, channel, fate, withheld, code, coalesce(text, 0), 1 FROM fate f"
    "  WHERE fate <> 1 AND NOT EXISTS (SELECT 1 FROM fate g WHERE g.notice = f.notice AND g.seq = f.seq AND"
    "  g.step > f.step) ON CONFLICT DO UPDATE SET people = people + 1;"
    "CREATE TABLE late_sum(notice INTEGER NOT NULL, channel TEXT NOT NULL, late INTEGER NOT NULL,"
    "  people INTEGER NOT NULL, PRIMARY KEY(notice, channel, late)) STRICT, WITHOUT ROWID;"
    "INSERT INTO late_sum SELECT notice, channel, CASE WHEN late < 10000 THEN late WHEN late < 1000000"
    "  THEN late / 100 * 100 ELSE late / 10000 * 10000 END, 1 FROM (SELECT f.notice, f.channel,"
    "  f.at - n.due_at AS late FROM fate f CROSS JOIN notice n ON n.id = f.notice WHERE f.fate = 1)"
    "  WHERE true ON CONFLICT DO UPDATE SET people = people + 1;",
    /* Feeds that are read by who has the link. A token is known by its hash alone; one that was replaced stays known,
     * so that who still asks by it hears that it is gone. */
    "CREATE TABLE private_feed(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, site TEXT NOT NULL,"
    "  event_id TEXT NOT NULL, hash BLOB NOT NULL CHECK(length(hash) = 16), created_at INTEGER NOT NULL,"
    "  rotated_at INTEGER, revoked_at INTEGER, last_fetch_at INTEGER, last_client TEXT NOT NULL,"
    "  fetches INTEGER NOT NULL) STRICT;"
    "CREATE TABLE private_feed_gone(hash BLOB PRIMARY KEY CHECK(length(hash) = 16), at INTEGER NOT NULL)"
    "  STRICT, WITHOUT ROWID;",
    /* How openings stand in the calendars: an empty text is shown no more, its row keeps the sequence. When a site's
     * calendar last changed, or an event's ('' is the site's), also by what left it. */
    "CREATE TABLE calendar_entry(opening INTEGER PRIMARY KEY REFERENCES opening ON DELETE CASCADE, uid TEXT NOT NULL,"
    "  sequence INTEGER NOT NULL, created_at INTEGER NOT NULL, modified_at INTEGER NOT NULL, opens_at INTEGER NOT NULL,"
    "  moved_from INTEGER, withdrawn INTEGER NOT NULL, leaves_at INTEGER, title TEXT NOT NULL, url TEXT NOT NULL,"
    "  place TEXT NOT NULL, zone TEXT NOT NULL, text TEXT NOT NULL) STRICT;"
    "CREATE TABLE calendar_change(site TEXT NOT NULL, event_id TEXT NOT NULL, at INTEGER NOT NULL,"
    "  PRIMARY KEY(site, event_id)) STRICT, WITHOUT ROWID;"
    /* Sites whose calendar was there as a whole; sequences that mails have said ahead of it. */
    "CREATE TABLE calendar_published(site TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;"
    "CREATE TABLE calendar_said(opening INTEGER PRIMARY KEY REFERENCES opening ON DELETE CASCADE,"
    "  sequence INTEGER NOT NULL) STRICT;",
    /* What other programs are still to be told: written with the change it is about, taken out when the endpoint has
     * it. `types` has a bit for each type, `sites` names them between blanks; '' is all. Of an opening that reads
     * otherwise than it was told (told_at null: not at all, or as withdrawn) since when, and when it last changed. */
    "CREATE TABLE webhook(name TEXT PRIMARY KEY, place TEXT NOT NULL, types INTEGER NOT NULL, sites TEXT NOT NULL,"
    "  waiting INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0, dropped INTEGER NOT NULL DEFAULT 0,"
    "  accepted INTEGER NOT NULL DEFAULT 0, accepted_at INTEGER, tried_at INTEGER, status INTEGER NOT NULL DEFAULT 0,"
    "  said TEXT, not_before INTEGER NOT NULL DEFAULT 0, disabled_at INTEGER, disabled_why TEXT) STRICT, WITHOUT ROWID;"
    "CREATE TABLE webhook_message(no INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  webhook TEXT NOT NULL REFERENCES webhook ON DELETE CASCADE, id TEXT NOT NULL, type INTEGER NOT NULL,"
    "  body TEXT NOT NULL, at INTEGER NOT NULL, tries INTEGER NOT NULL DEFAULT 0, next_at INTEGER NOT NULL,"
    "  refused INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE INDEX webhook_line ON webhook_message(webhook, refused, no);"
    "CREATE TABLE webhook_opening(opening INTEGER PRIMARY KEY REFERENCES opening ON DELETE CASCADE, told_at INTEGER,"
    "  since INTEGER, changed_at INTEGER) STRICT;"
    "CREATE INDEX webhook_opening_changed ON webhook_opening(changed_at) WHERE changed_at IS NOT NULL;"
    "INSERT INTO webhook_opening SELECT id, opens_at, NULL, NULL FROM opening WHERE state = 0;",
    /* How long a channel's messages take to be answered, so that a forecast survives a restart. */
    "CREATE TABLE speed(channel TEXT PRIMARY KEY, answer_us INTEGER NOT NULL, at INTEGER NOT NULL)"
    "  STRICT, WITHOUT ROWID;",
    NULL,
};

static const char *const *const versions[] = {version_1, version_2, version_3, version_4};

int sqlite_check_ours(struct sqlite *db, struct error *err)
{
    int64_t id, version, tables;

    if (sqlite_number(db, 0, &id, err, "PRAGMA application_id", "") < 0 ||
        sqlite_number(db, 0, &version, err, "PRAGMA user_version", "") < 0 ||
        sqlite_number(db, 0, &tables, err, "SELECT count(*) FROM sqlite_schema", "") < 0)
        return -1;
    if (id != APPLICATION_ID && (id != 0 || version != 0 || tables != 0))
        return error_set(err, ERROR_CONFIG, "%s: a database, but not one of Onsale: name another file", db->path);
    return 0;
}

static int check(struct sqlite *db, int64_t *version, struct error *err)
{
    if (sqlite_check_ours(db, err) < 0 || sqlite_number(db, 0, version, err, "PRAGMA user_version", "") < 0)
        return -1;
    if (*version > (int64_t)ARRAY_LEN(versions))
        return error_set(err, ERROR_CONFIG,
                         "%s: made by a newer onsale (schema %lld, this program knows %zu): install that version, or "
                         "restore the backup made before it",
                         db->path, (long long)*version, ARRAY_LEN(versions));
    return 0;
}

int sqlite_migrate(struct sqlite *db, struct error *err)
{
    int64_t version;
    char pragmas[96];

    if (check(db, &version, err) < 0)
        return -1;
    if (version == (int64_t)ARRAY_LEN(versions))
        return 0;
    db->fresh = version == 0;
    if (sqlite_begin(db, err) < 0)
        return -1;
    for (size_t i = (size_t)version; i < ARRAY_LEN(versions); i++)
        for (const char *const *part = versions[i]; *part; part++)
            if (sqlite_exec(db, *part, err) < 0)
                goto fail;
    if (version > 0 && version < 4 && sqlite_ids_keep_stored(db, err) < 0)
        goto fail;
    snprintf(pragmas, sizeof pragmas, "PRAGMA application_id=%d; PRAGMA user_version=%zu", APPLICATION_ID,
             ARRAY_LEN(versions));
    if (sqlite_exec(db, pragmas, err) < 0)
        goto fail;
    return sqlite_commit(db, err);
fail:
    sqlite_rollback(db);
    return -1;
}

int sqlite_check_schema(struct sqlite *db, struct error *err)
{
    int64_t version;

    if (check(db, &version, err) < 0)
        return -1;
    if (version != (int64_t)ARRAY_LEN(versions))
        return error_set(err, ERROR_CONFIG, "%s: has schema %lld, this program reads %zu: start the daemon once",
                         db->path, (long long)version, ARRAY_LEN(versions));
    return 0;
}
