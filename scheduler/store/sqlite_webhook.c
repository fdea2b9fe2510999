/* sqlite_webhook.c - what other programs are told: written with the change it is about, kept in a line for each
 * endpoint until it has been taken. */
#include "sqlite.h"

#include <string.h>

enum {
    LINE_ROWS = 10000,                /* rows that wait for one endpoint ... */
    LINE_BYTES = 16 << 20,            /* ... and their bodies */
    OPENINGS_TOGETHER = 100,          /* told of in one transaction: about ten milliseconds */
    OPENING_WAIT_MS = 10 * MINUTE_MS, /* an event that is never quiet is told of all the same */
    TICKETS = 31,
    MESSAGE_ID_SIZE = 40,
};

/* --- The line ----------------------------------------------------------------------------------------------------- */

/* Those that were refused stand apart in the index: the first of both parts are looked at. */
#define OLDEST                                                                                                         \
    "(SELECT min(no) FROM (SELECT min(no) AS no FROM webhook_message WHERE webhook = ?1 AND refused = 0 UNION ALL"     \
    " SELECT min(no) FROM webhook_message WHERE webhook = ?1 AND refused = 1))"

static int drop_oldest(struct sqlite *db, const char *name, struct error *err)
{
    int64_t waiting, bytes;

    for (;;) {
        if (sqlite_number(db, 0, &waiting, err, "SELECT waiting FROM webhook WHERE name = ?1", "s", name) < 0 ||
            sqlite_number(db, 0, &bytes, err, "SELECT bytes FROM webhook WHERE name = ?1", "s", name) < 0)
            return -1;
        if (waiting <= 1 || (waiting <= LINE_ROWS && bytes <= LINE_BYTES))
            return 0;
        if (sqlite_run(db, err,
                       "UPDATE webhook SET waiting = waiting - 1, dropped = dropped + 1, bytes = bytes - (SELECT"
                       " length(CAST(body AS BLOB)) FROM webhook_message WHERE no = " OLDEST ") WHERE name = ?1",
                       "s", name) < 0 ||
            sqlite_run(db, err, "DELETE FROM webhook_message WHERE no = " OLDEST, "s", name) < 0)
            return -1;
    }
}

static int put_message(struct sqlite *db, const char *name, const char *id, const struct webhook_event *event,
                       const char *body, struct error *err)
{
    if (sqlite_run(db, err,
                   "INSERT INTO webhook_message(webhook, id, type, body, at, next_at) VALUES(?1, ?2, ?3, ?4, ?5, ?5)",
                   "ssdsi", name, id, (int)event->type, body, event->at_ms) < 0 ||
        sqlite_run(db, err, "UPDATE webhook SET waiting = waiting + 1, bytes = bytes + ?2 WHERE name = ?1", "si", name,
                   (int64_t)strlen(body)) < 0)
        return -1;
    return drop_oldest(db, name, err);
}

/* Names of those who want it; -1 after a failure. */
static int wanted_by(struct sqlite *db, const struct webhook_event *event, struct arena *arena,
                     const char *names[WEBHOOKS_MAX], struct error *err)
{
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT name FROM webhook WHERE types & (1 << ?1) AND"
                                     " (sites = '' OR instr(sites, ' ' || ?2 || ' ')) ORDER BY name",
                                     "ds", (int)event->type, event->site);
    int rc = -1, count = 0;

    while (row && (rc = sqlite_step(db, row, err)) == 1)
        if (count < WEBHOOKS_MAX)
            names[count++] = arena_copy(arena, sqlite_text(row, 0));
    return rc < 0 ? -1 : count;
}

/* A state that was restored from a copy gives numbers a second time: an id is random instead. */
static int make_id(struct sqlite *db, char out[MESSAGE_ID_SIZE], struct error *err)
{
    sqlite3_stmt *row = sqlite_query(db, err, "SELECT lower(hex(randomblob(16)))", "");

    if (!row || sqlite_step(db, row, err) != 1)
        return -1;
    snprintf(out, MESSAGE_ID_SIZE, "msg_%s", sqlite_string(row, 0));
    sqlite_done(row);
    return 0;
}

/* What people call the event, and its page. */
static int describe(struct sqlite *db, struct webhook_event *event, struct arena *arena, struct error *err)
{
    sqlite3_stmt *row =
        sqlite_query(db, err,
                     "SELECT (SELECT title FROM event WHERE site = ?1 AND id = ?2), (SELECT event_url FROM"
                     " definition WHERE site = ?1 AND event_id = ?2 LIMIT 1)",
                     "ss", event->site, event->event_id);

    if (!row || sqlite_step(db, row, err) != 1)
        return -1;
    event->title = arena_copy(arena, sqlite_text(row, 0));
    event->url = arena_copy(arena, sqlite_text(row, 1));
    sqlite_done(row);
    return 0;
}

static int list_tickets(struct sqlite *db, struct webhook_event *event, struct arena *arena, struct error *err)
{
    struct webhook_ticket *tickets = arena_alloc(arena, TICKETS * sizeof *tickets);
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT d.id, d.name, d.price, d.currency FROM opening_member m JOIN definition d"
                                     " ON d.site = ?1 AND d.id = m.definition WHERE m.opening = ?2 ORDER BY m.place"
                                     " LIMIT ?3",
                                     "sid", event->site, event->opening->id, (int)TICKETS);
    int rc = -1;

    event->tickets = tickets;
    while (row && (rc = sqlite_step(db, row, err)) == 1)
        tickets[event->ticket_count++] =
            (struct webhook_ticket){arena_copy(arena, sqlite_text(row, 0)), arena_copy(arena, sqlite_text(row, 1)),
                                    arena_copy(arena, sqlite_text(row, 2)), arena_copy(arena, sqlite_text(row, 3))};
    return rc;
}

static int tell(struct sqlite *db, struct webhook_event *event, struct error *err)
{
    const char *names[WEBHOOKS_MAX];
    char id[MESSAGE_ID_SIZE];
    struct arena arena = {0};
    int count = wanted_by(db, event, &arena, names, err), rc = count < 0 ? -1 : 0;

    if (count > 0 && (describe(db, event, &arena, err) < 0 || make_id(db, id, err) < 0 ||
                      (event->opening && list_tickets(db, event, &arena, err) < 0)))
        rc = -1;
    if (count > 0 && rc == 0) {
        auto_free char *body = webhook_body(event);
        for (int i = 0; i < count && rc == 0; i++)
            rc = put_message(db, names[i], id, event, body, err);
        db->told = true;
    }
    arena_clear(&arena);
    return rc;
}

/* --- Notices ------------------------------------------------------------------------------------------------------ */

int sqlite_webhook_was(struct sqlite *db, int64_t notice, struct webhook_was *out, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(
        db, err, "SELECT state, released_at IS NOT NULL, will_not_fit FROM notice WHERE id = ?1", "i", notice);
    int rc = row ? sqlite_step(db, row, err) : -1;

    *out = (struct webhook_was){.state = NOTICE_PLANNED};
    if (rc != 1)
        return rc;
    *out = (struct webhook_was){.state = (enum notice_state)sqlite3_column_int(row, 0),
                                .released = sqlite3_column_int(row, 1),
                                .will_not_fit = sqlite3_column_int(row, 2)};
    sqlite_done(row);
    return 0;
}

int sqlite_webhook_notice(struct sqlite *db, const struct webhook_was *was, const struct notice *now, int64_t now_ms,
                          struct error *err)
{
    enum webhook_type types[WEBHOOK_TYPES];
    size_t count = webhook_notice_news(was, now, types);

    for (size_t i = 0; i < count; i++) {
        struct webhook_event event = {
            .type = types[i], .at_ms = now_ms, .site = now->site, .event_id = now->subject, .notice = now};
        if (tell(db, &event, err) < 0)
            return -1;
    }
    return 0;
}

/* --- Openings ----------------------------------------------------------------------------------------------------- */

int sqlite_webhook_opening(struct sqlite *db, const struct opening *opening, int64_t now_ms, struct error *err)
{
    int64_t reads_ms = opening->state == OPENING_SCHEDULED ? opening->opens_at_ms : MOMENT_NONE, told_ms, endpoints;

    if (sqlite_number(db, 0, &endpoints, err, "SELECT count(*) FROM webhook", "") < 0 ||
        sqlite_number(db, MOMENT_NONE, &told_ms, err, "SELECT told_at FROM webhook_opening WHERE opening = ?1", "i",
                      opening->id) < 0)
        return -1;
    if (endpoints == 0 || told_ms == reads_ms)
        return sqlite_run(
            db, err,
            "INSERT INTO webhook_opening VALUES(?1, ?2, NULL, NULL) ON CONFLICT DO UPDATE SET told_at = ?2,"
            " since = NULL, changed_at = NULL",
            "im", opening->id, reads_ms);
    db->told = true;
    if (sqlite_run(db, err,
                   "INSERT INTO webhook_opening VALUES(?1, NULL, ?2, ?2) ON CONFLICT DO UPDATE SET"
                   " since = coalesce(since, ?2), changed_at = ?2",
                   "ii", opening->id, now_ms) < 0)
        return -1;
    return sqlite_run(
        db, err, /* the quiet is the event's */
        "UPDATE webhook_opening SET changed_at = ?3 WHERE changed_at IS NOT NULL AND opening IN (SELECT id"
        " FROM opening WHERE site = ?1 AND event_id = ?2)",
        "ssi", opening->site, opening->event_id, now_ms);
}

/* An opening whose event is quiet, and what was told of it. */
struct quiet {
    struct opening opening;
    int64_t told_at_ms, since_ms;
};

static int list_quiet(struct sqlite *db, int64_t now_ms, int64_t quiet_ms, struct arena *arena, struct quiet *out,
                      size_t *count, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(
        db, err,
        "SELECT o.id, o.site, o.event_id, o.opens_at, o.state, w.told_at, w.since, (SELECT count(*) FROM "
        "opening_member m"
        " WHERE m.opening = o.id) FROM webhook_opening w JOIN opening o ON o.id = w.opening"
        " WHERE w.changed_at IS NOT NULL AND (w.changed_at <= ?1 OR w.since <= ?2) ORDER BY w.since, o.id LIMIT ?3",
        "iid", now_ms - quiet_ms, now_ms - OPENING_WAIT_MS, (int)OPENINGS_TOGETHER);
    int rc = -1;

    while (row && (rc = sqlite_step(db, row, err)) == 1)
        out[(*count)++] = (struct quiet){.opening = {.id = sqlite3_column_int64(row, 0),
                                                     .site = arena_copy(arena, sqlite_text(row, 1)),
                                                     .event_id = arena_copy(arena, sqlite_text(row, 2)),
                                                     .opens_at_ms = sqlite3_column_int64(row, 3),
                                                     .state = (enum opening_state)sqlite3_column_int(row, 4),
                                                     .member_count = (size_t)sqlite3_column_int64(row, 7)},
                                         .told_at_ms = sqlite_moment(row, 5),
                                         .since_ms = sqlite_moment(row, 6)};
    return rc;
}

/* Who withdraws what has opened already, or finds something on sale, tells nobody anything. */
static bool is_news(const struct quiet *quiet)
{
    if (quiet->opening.state == OPENING_SCHEDULED)
        return quiet->told_at_ms != MOMENT_NONE || quiet->opening.opens_at_ms > quiet->since_ms;
    return quiet->told_at_ms != MOMENT_NONE && quiet->told_at_ms > quiet->since_ms;
}

static int tell_opening(struct sqlite *db, const struct quiet *quiet, int64_t now_ms, struct error *err)
{
    const struct opening *opening = &quiet->opening;
    bool scheduled = opening->state == OPENING_SCHEDULED;
    struct webhook_event event = {.at_ms = now_ms,
                                  .site = opening->site,
                                  .event_id = opening->event_id,
                                  .opening = opening,
                                  .was_at_ms = quiet->told_at_ms};

    event.type = !scheduled                         ? WEBHOOK_OPENING_WITHDRAWN
                 : quiet->told_at_ms == MOMENT_NONE ? WEBHOOK_OPENING_SCHEDULED
                                                    : WEBHOOK_OPENING_MOVED;
    bool told = is_news(quiet);
    if (told && tell(db, &event, err) < 0)
        return -1;
    told |= quiet->told_at_ms != MOMENT_NONE; /* what was found on sale is new when it is put into the future */
    return sqlite_run(db, err,
                      "UPDATE webhook_opening SET told_at = ?2, since = NULL, changed_at = NULL WHERE opening = ?1",
                      "im", opening->id, scheduled && told ? opening->opens_at_ms : MOMENT_NONE);
}

int sqlite_webhook_openings(struct sqlite *db, int64_t now_ms, int64_t quiet_ms, int64_t *next_at_ms, struct error *err)
{
    struct quiet *quiet = must_calloc(OPENINGS_TOGETHER, sizeof *quiet);
    struct arena arena = {0};
    size_t count = 0;
    int rc = list_quiet(db, now_ms, quiet_ms, &arena, quiet, &count, err);

    for (size_t i = 0; i < count && rc == 0; i++)
        rc = tell_opening(db, &quiet[i], now_ms, err);
    arena_clear(&arena);
    free(quiet);
    if (rc < 0)
        return -1;
    return sqlite_number(
        db, MOMENT_NONE, next_at_ms, err,
        "SELECT min(min(changed_at + ?1, since + ?2)) FROM webhook_opening WHERE changed_at IS NOT NULL", "ii",
        quiet_ms, (int64_t)OPENING_WAIT_MS);
}

/* --- Endpoints ---------------------------------------------------------------------------------------------------- */

int sqlite_webhooks_set(struct sqlite *db, const struct store_webhook *list, size_t count, int64_t *dropped,
                        struct error *err)
{
    json_t *names = json_array();
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++) {
        json_array_append_new(names, json_string(list[i].name));
        rc =
            sqlite_run(db, err,
                       "INSERT INTO webhook(name, place, types, sites) VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET"
                       " place = ?2, types = ?3, sites = ?4",
                       "ssis", list[i].name, list[i].place, (int64_t)list[i].types, list[i].sites);
    }
    auto_free char *kept = json_dumps(names, JSON_COMPACT);
    json_decref(names);
    if (rc < 0 || sqlite_number(db, 0, dropped, err,
                                "SELECT sum(waiting) FROM webhook WHERE name NOT IN (SELECT value FROM json_each(?1))",
                                "s", kept) < 0)
        return -1;
    return sqlite_run(db, err, "DELETE FROM webhook WHERE name NOT IN (SELECT value FROM json_each(?1))", "s", kept);
}

static int drop_message(struct sqlite *db, const struct store_webhook_turn *turn, struct error *err)
{
    if (sqlite_run(db, err,
                   "UPDATE webhook SET waiting = waiting - 1, bytes = bytes - (SELECT length(CAST(body AS BLOB)) FROM"
                   " webhook_message WHERE no = ?2) WHERE name = ?1 AND EXISTS (SELECT 1 FROM webhook_message WHERE"
                   " no = ?2)",
                   "si", turn->name, turn->no) < 0)
        return -1;
    return sqlite_run(db, err, "DELETE FROM webhook_message WHERE no = ?1", "i", turn->no);
}

static int note_fate(struct sqlite *db, const struct store_webhook_turn *turn, struct error *err)
{
    bool accepted = turn->fate == STORE_WEBHOOK_ACCEPTED, over = accepted || turn->fate == STORE_WEBHOOK_GIVEN_UP;

    if (turn->fate == STORE_WEBHOOK_NONE)
        return 0;
    if (over && drop_message(db, turn, err) < 0)
        return -1;
    if (!over && sqlite_run(db, err, "UPDATE webhook_message SET tries = ?2, next_at = ?3, refused = ?4 WHERE no = ?1",
                            "idid", turn->no, turn->tries, turn->next_at_ms, turn->fate == STORE_WEBHOOK_REFUSED) < 0)
        return -1;
    return sqlite_run(db, err,
                      "UPDATE webhook SET tried_at = ?2, status = ?3, said = ?4, not_before = ?5,"
                      " accepted = accepted + ?6, accepted_at = CASE WHEN ?6 THEN ?2 ELSE accepted_at END,"
                      " dropped = dropped + ?7, disabled_at = CASE WHEN ?8 IS NULL THEN disabled_at ELSE ?2 END,"
                      " disabled_why = coalesce(?8, disabled_why) WHERE name = ?1",
                      "sidsidds", turn->name, turn->now_ms, turn->status, turn->said, turn->not_before_ms, accepted,
                      turn->fate == STORE_WEBHOOK_GIVEN_UP, turn->disable);
}

#define MESSAGE "SELECT no, id, body, type, tries, at, next_at FROM webhook_message WHERE webhook = ?1 AND refused = "

static void take_message(sqlite3_stmt *row, int64_t now_ms, struct arena *arena, struct store_webhook_turned *out)
{
    out->no = sqlite3_column_int64(row, 0);
    out->id = arena_copy(arena, sqlite_text(row, 1));
    out->body = arena_copy(arena, sqlite_text(row, 2));
    out->type = sqlite3_column_int(row, 3);
    out->tries = sqlite3_column_int(row, 4);
    out->at_ms = sqlite3_column_int64(row, 5);
    out->due_at_ms = sqlite3_column_int64(row, 6);
    out->is_early = out->due_at_ms > now_ms;
}

/* One that was refused and is due again goes first, since the line has passed it; else the first of the line. */
static int find_next(struct sqlite *db, const struct store_webhook_turn *turn, struct arena *arena,
                     struct store_webhook_turned *out, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(db, err, MESSAGE "1 ORDER BY next_at LIMIT 1", "s", turn->name);
    int rc = row ? sqlite_step(db, row, err) : -1;

    if (rc == 1) {
        out->next_at_ms = sqlite3_column_int64(row, 6);
        if (out->next_at_ms <= turn->now_ms)
            take_message(row, turn->now_ms, arena, out);
        sqlite_done(row);
    }
    if (rc < 0 || out->no)
        return rc < 0 ? -1 : 0;
    row = sqlite_query(db, err, MESSAGE "0 ORDER BY no LIMIT 1", "s", turn->name);
    rc = row ? sqlite_step(db, row, err) : -1;
    if (rc != 1)
        return rc;
    int64_t next_at_ms = sqlite3_column_int64(row, 6);
    if (out->next_at_ms == MOMENT_NONE || next_at_ms < out->next_at_ms)
        out->next_at_ms = next_at_ms;
    if (next_at_ms <= turn->now_ms || turn->early)
        take_message(row, turn->now_ms, arena, out);
    sqlite_done(row);
    return 0;
}

int sqlite_webhook_turn(struct sqlite *db, const struct store_webhook_turn *turn, struct arena *arena,
                        struct store_webhook_turned *out, struct error *err)
{
    int64_t not_before_ms;

    *out = (struct store_webhook_turned){.next_at_ms = MOMENT_NONE, .accepted_at_ms = MOMENT_NONE};
    if (note_fate(db, turn, err) < 0)
        return -1;
    sqlite3_stmt *row = sqlite_query(
        db, err, "SELECT disabled_at, not_before, waiting, dropped, accepted_at FROM webhook WHERE name = ?1", "s",
        turn->name);
    int rc = row ? sqlite_step(db, row, err) : -1;
    if (rc != 1)
        return rc; /* it has left the configuration */
    out->disabled = sqlite3_column_type(row, 0) != SQLITE_NULL;
    not_before_ms = sqlite3_column_int64(row, 1);
    out->waiting = sqlite3_column_int64(row, 2);
    out->dropped = sqlite3_column_int64(row, 3);
    out->accepted_at_ms = sqlite_moment(row, 4);
    sqlite_done(row);
    if (out->disabled || out->waiting == 0)
        return 0;
    if (not_before_ms <= turn->now_ms)
        return find_next(db, turn, arena, out, err);
    out->next_at_ms = not_before_ms;
    return 0;
}

int sqlite_webhook_enable(struct sqlite *db, const char *name, int64_t now_ms, int64_t *found, struct error *err)
{
    if (sqlite_run(db, err,
                   "UPDATE webhook SET disabled_at = NULL, disabled_why = NULL, not_before = 0 WHERE name = ?1", "s",
                   name) < 0)
        return -1;
    *found = sqlite3_changes(db->handle);
    db->told = true;
    return sqlite_run(db, err, "UPDATE webhook_message SET tries = 0, next_at = ?2, refused = 0 WHERE webhook = ?1",
                      "si", name, now_ms);
}

/* The first of the line and those that were refused, as far as they say how the endpoint stands. */
struct line {
    int64_t oldest_at_ms, next_at_ms;
    bool failing;
};

static int read_line(struct sqlite *db, const char *name, struct line *out, struct error *err)
{
    sqlite3_stmt *row =
        sqlite_query(db, err,
                     "SELECT at, next_at, tries FROM (SELECT at, next_at, tries FROM webhook_message"
                     " WHERE webhook = ?1 AND refused = 0 ORDER BY no LIMIT 1) UNION ALL SELECT min(at),"
                     " min(next_at), 1 FROM webhook_message WHERE webhook = ?1 AND refused = 1",
                     "s", name);
    int rc = -1;

    *out = (struct line){MOMENT_NONE, MOMENT_NONE, false};
    while (row && (rc = sqlite_step(db, row, err)) == 1) {
        int64_t at_ms = sqlite_moment(row, 0), next_at_ms = sqlite_moment(row, 1);
        if (at_ms == MOMENT_NONE)
            continue; /* nothing was refused */
        if (out->oldest_at_ms == MOMENT_NONE || at_ms < out->oldest_at_ms)
            out->oldest_at_ms = at_ms;
        if (out->next_at_ms == MOMENT_NONE || next_at_ms < out->next_at_ms)
            out->next_at_ms = next_at_ms;
        out->failing |= sqlite3_column_int(row, 2) > 0;
    }
    return rc;
}

json_t *sqlite_webhooks(struct sqlite *db, struct error *err)
{
    json_t *out = json_array();
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT name, place, disabled_at, disabled_why, waiting, dropped, accepted,"
                                     " tried_at, status, said, not_before FROM webhook ORDER BY name",
                                     "");
    struct line line;

    while (row && sqlite_step(db, row, err) == 1) {
        bool disabled = sqlite3_column_type(row, 2) != SQLITE_NULL, tried = sqlite3_column_type(row, 7) != SQLITE_NULL;
        if (read_line(db, sqlite_string(row, 0), &line, err) < 0) {
            sqlite_done(row);
            break;
        }
        int64_t not_before_ms = sqlite3_column_int64(row, 10);
        if (line.next_at_ms != MOMENT_NONE && line.next_at_ms < not_before_ms)
            line.next_at_ms = not_before_ms;
        json_array_append_new(
            out,
            json_pack("{s:o, s:o, s:s, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "name",
                      sqlite_json_text(row, 0), "place", sqlite_json_text(row, 1), "state",
                      disabled       ? "disabled"
                      : line.failing ? "failing"
                                     : "well",
                      "disabled_at", sqlite_json_moment(row, 2), "disabled_why", sqlite_json_text(row, 3), "waiting",
                      (json_int_t)sqlite3_column_int64(row, 4), "dropped", (json_int_t)sqlite3_column_int64(row, 5),
                      "accepted", (json_int_t)sqlite3_column_int64(row, 6), "tried_at", sqlite_json_moment(row, 7),
                      "status", tried ? json_integer(sqlite3_column_int64(row, 8)) : json_null(), "said",
                      sqlite_json_text(row, 9), "next_at", disabled ? json_null() : json_moment(line.next_at_ms),
                      "oldest_at", json_moment(line.oldest_at_ms)));
    }
    return out;
}
