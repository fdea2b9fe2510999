/* sqlite_plan.c - what is planned: the mirror of the sites, openings, notices, pauses. */
#include "sqlite.h"

#include <string.h>

/* --- Apply: inside the writer's transaction --- */

static int put_definition(struct sqlite *db, const struct definition *d, struct error *err)
{
    if (sqlite_run(db, err,
                   "INSERT INTO event VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET title = excluded.title"
                   " WHERE title <> excluded.title",
                   "sss", d->site, d->event_id, d->event_title) < 0)
        return -1;
    return sqlite_run(db, err,
                      "INSERT INTO definition VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,"
                      " ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23) ON CONFLICT(site, id) DO UPDATE SET"
                      " event_id = ?3, revision = ?4, created_at = ?5, updated_at = ?6, name = ?7, description = ?8,"
                      " price = ?9, currency = ?10, free = ?11, hidden = ?12, sold_out = ?13, sale_status = ?14,"
                      " sale_starts_at = ?15, sale_ends_at = ?16, event_status = ?17, event_title = ?18,"
                      " event_zone = ?19, event_url = ?20, event_place = ?21, event_starts_at = ?22, suspect = ?23",
                      "sssimmssssddddmmdssssmd", d->site, d->id, d->event_id, d->revision, d->created_at_ms,
                      d->updated_at_ms, d->name, d->description, d->price, d->currency, d->free, d->hidden, d->sold_out,
                      d->sale_status, d->sale_starts_at_ms, d->sale_ends_at_ms, d->event_status, d->event_title,
                      d->event_zone, d->event_url, d->event_place, d->event_starts_at_ms, d->suspect);
}

static int put_notice_members(struct sqlite *db, const struct notice *n, struct error *err)
{
    if (sqlite_run(db, err, "DELETE FROM notice_member WHERE notice = ?1", "i", n->id) < 0)
        return -1;
    for (size_t i = 0; i < n->course->member_count; i++)
        if (sqlite_run(db, err, "INSERT INTO notice_member VALUES(?1, ?2, ?3)", "iis", n->id, (int64_t)i,
                       n->course->members[i]) < 0)
            return -1;
    return 0;
}

/* A missed notice may meet its own identity among final ones that were too old to be loaded: that row stays. Anything
 * else that meets its identity would be told twice, and fails. */
static int is_known_already(struct sqlite *db, const struct notice *n, struct error *err)
{
    int64_t known = 0;

    if (n->state != NOTICE_MISSED)
        return 0;
    if (sqlite_number(db, 0, &known, err,
                      "SELECT id FROM notice WHERE site = ?1 AND subject = ?2 AND rule = ?3 AND kind = ?4 AND at = ?5"
                      " AND edition = ?6 AND id <> ?7",
                      "sssdidi", n->site, n->subject, n->rule, n->kind, n->at_ms, n->edition, n->id) < 0)
        return -1;
    return known != 0;
}

/* `claimed` is the ledger's to set: what it has set is never taken back. */
static int put_notice(struct sqlite *db, const struct notice *n, int64_t now_ms, struct error *err)
{
    const struct notice_course *course = n->course;
    int known = is_known_already(db, n, err);
    struct webhook_was was;
    int64_t had_roll;

    if (known != 0)
        return known < 0 ? -1 : 0;
    if (sqlite_number(db, n->id, &had_roll, err, "SELECT roll FROM notice WHERE id = ?1", "i", n->id) < 0 ||
        sqlite_webhook_was(db, n->id, &was, err) < 0)
        return -1;
    if (sqlite_run(db, err,
                   "INSERT INTO notice VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,"
                   " ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32) ON CONFLICT(id) "
                   "DO UPDATE SET"
                   " roll = ?2, due_at = ?9, state = ?10, reason = ?11, reason_text = ?12, rest = ?13, paused = ?14,"
                   " claimed = max(claimed, ?15), approved = ?16, catch_up_waived = ?17, pass = ?18, gathered_at = ?19,"
                   " released_at = ?20, first_handover_at = ?21, last_handover_at = ?22, ended_at = ?23,"
                   " estimate = ?24, made_of = ?25, channel = ?26, begun = ?27, begun_at = ?28,"
                   " owes_report = ?29, will_finish = ?30, will_not_fit = ?31, forecast = ?32",
                   "iisssdididdsdddddimmmmmiisimdids", n->id, n->roll, n->site, n->subject, n->rule, n->kind, n->at_ms,
                   n->edition, n->due_at_ms, n->state, n->reason, course->reason_text, n->rest, n->paused, n->claimed,
                   n->approved, n->catch_up_waived, course->pass, course->gathered_at_ms, course->released_at_ms,
                   course->first_handover_at_ms, course->last_handover_at_ms, course->ended_at_ms, course->estimate,
                   course->made_of, course->channel, course->begun, course->begun_at_ms, n->owes_report,
                   course->will_finish_ms, n->will_not_fit, course->forecast) < 0)
        return error_at(err, "notice %lld", (long long)n->id);
    if (n->roll != had_roll && sqlite_erase_again(db, n->id, n->roll, now_ms, err) < 0)
        return -1;
    if (sqlite_webhook_notice(db, &was, n, now_ms, err) < 0)
        return -1;
    return put_notice_members(db, n, err);
}

static int put_opening(struct sqlite *db, const struct opening *o, int64_t now_ms, struct error *err)
{
    if (sqlite_run(db, err,
                   "INSERT INTO opening VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(id) DO UPDATE SET opens_at = ?4,"
                   " state = ?5",
                   "issid", o->id, o->site, o->event_id, o->opens_at_ms, o->state) < 0 ||
        sqlite_run(db, err, "DELETE FROM opening_member WHERE opening = ?1", "i", o->id) < 0)
        return -1;
    for (size_t i = 0; i < o->member_count; i++)
        if (sqlite_run(db, err, "INSERT INTO opening_member VALUES(?1, ?2, ?3)", "iis", o->id, (int64_t)i,
                       o->members[i]) < 0)
            return -1;
    return sqlite_webhook_opening(db, o, now_ms, err);
}

static int put_facts(struct sqlite *db, const struct store_change *change, struct error *err)
{
    if (change->site && sqlite_run(db, err,
                                   "INSERT INTO site VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET"
                                   " first_walk_at = coalesce(?2, first_walk_at), watermark = coalesce(?3, watermark)",
                                   "smm", change->site, change->first_walk_at_ms, change->watermark_ms) < 0)
        return -1;
    for (size_t i = 0; i < change->rule_count; i++)
        if (sqlite_run(db, err, "INSERT INTO rule VALUES(?1, ?2) ON CONFLICT DO NOTHING", "si", change->rules[i],
                       change->now_ms) < 0)
            return -1;
    return 0;
}

static int put_pause(struct sqlite *db, const struct store_change *change, struct error *err)
{
    if (change->unpause &&
        sqlite_run(db, err, "DELETE FROM pause WHERE target = ?1 OR ?1 = '*'", "s", change->unpause) < 0)
        return -1;
    if (!change->pause)
        return 0;
    return sqlite_run(db, err,
                      "INSERT INTO pause VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET who = excluded.who,"
                      " at = excluded.at",
                      "ssi", change->pause->target, change->pause->who ? change->pause->who : "", change->pause->at_ms);
}

int sqlite_apply(struct sqlite *db, const struct store_change *change, struct error *err)
{
    for (size_t i = 0; i < change->put_count; i++)
        if (put_definition(db, change->put[i], err) < 0)
            return -1;
    for (size_t i = 0; i < change->removed_count; i++)
        if (sqlite_run(db, err, "DELETE FROM definition WHERE site = ?1 AND id = ?2", "ss", change->removed_site,
                       change->removed[i]) < 0)
            return -1;
    for (size_t i = 0; i < change->notice_count; i++)
        if (put_notice(db, change->notices[i], change->now_ms, err) < 0)
            return -1;
    for (size_t i = 0; i < change->opening_count; i++)
        if (put_opening(db, change->openings[i], change->now_ms, err) < 0)
            return -1;
    return put_facts(db, change, err) < 0 ? -1 : put_pause(db, change, err);
}

/* --- Load: read whole at start --- */

static struct definitions *set_of_site(struct store_image *out, const char *site)
{
    for (size_t i = 0; i < out->site_count; i++)
        if (strcmp(out->sites[i], site) == 0)
            return &out->definitions[i];
    size_t count = out->site_count + 1;
    out->sites = must_realloc(out->sites, count * sizeof *out->sites);
    out->definitions = must_realloc(out->definitions, count * sizeof *out->definitions);
    out->sites[out->site_count] = must_strdup(site);
    memset(&out->definitions[out->site_count], 0, sizeof *out->definitions);
    return &out->definitions[out->site_count++];
}

static int load_definitions(struct sqlite *db, struct store_image *out, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(db, err, "SELECT * FROM definition ORDER BY site, event_id, id", "");
    int rc = -1;

    while (row && (rc = sqlite_step(db, row, err)) == 1) {
        struct definition fields = {
            .site = sqlite_string(row, 0),
            .id = sqlite_string(row, 1),
            .event_id = sqlite_string(row, 2),
            .revision = sqlite3_column_int64(row, 3),
            .created_at_ms = sqlite_moment(row, 4),
            .updated_at_ms = sqlite_moment(row, 5),
            .name = sqlite_string(row, 6),
            .description = sqlite_string(row, 7),
            .price = sqlite_string(row, 8),
            .currency = sqlite_string(row, 9),
            .free = sqlite3_column_int(row, 10),
            .hidden = sqlite3_column_int(row, 11),
            .sold_out = sqlite3_column_int(row, 12),
            .sale_status = (enum sale_status)sqlite3_column_int(row, 13),
            .sale_starts_at_ms = sqlite_moment(row, 14),
            .sale_ends_at_ms = sqlite_moment(row, 15),
            .event_status = (enum event_status)sqlite3_column_int(row, 16),
            .event_title = sqlite_string(row, 17),
            .event_zone = sqlite_string(row, 18),
            .event_url = sqlite_string(row, 19),
            .event_place = sqlite_string(row, 20),
            .event_starts_at_ms = sqlite_moment(row, 21),
            .suspect = sqlite3_column_int(row, 22),
        };
        definitions_put(set_of_site(out, fields.site), definition_new(&fields));
    }
    return rc;
}

/* Texts of a list, one column, into an array that grows. */
struct strings {
    const char **at;
    size_t count;
    struct arena arena;
};

static void strings_clear(struct strings *list)
{
    free(list->at);
    arena_clear(&list->arena);
    memset(list, 0, sizeof *list);
}

static int load_strings(struct sqlite *db, sqlite3_stmt *row, struct strings *out, struct error *err)
{
    int rc = -1;

    while (row && (rc = sqlite_step(db, row, err)) == 1) {
        out->at = must_realloc(out->at, (out->count + 1) * sizeof *out->at);
        out->at[out->count++] = arena_copy(&out->arena, sqlite_text(row, 0));
    }
    return rc;
}

static char *text_or_null(sqlite3_stmt *row, int column)
{
    return sqlite3_column_type(row, column) == SQLITE_NULL ? NULL : text_dup(sqlite_text(row, column));
}

static void read_course(struct notice_course *course, sqlite3_stmt *row)
{
    course->reason_text = text_or_null(row, 11);
    course->pass = sqlite3_column_int64(row, 17);
    course->gathered_at_ms = sqlite_moment(row, 18);
    course->released_at_ms = sqlite_moment(row, 19);
    course->first_handover_at_ms = sqlite_moment(row, 20);
    course->last_handover_at_ms = sqlite_moment(row, 21);
    course->ended_at_ms = sqlite_moment(row, 22);
    course->estimate = sqlite3_column_int64(row, 23);
    course->made_of = sqlite3_column_int64(row, 24);
    course->channel = text_or_null(row, 25);
    course->begun = sqlite3_column_int64(row, 26);
    course->begun_at_ms = sqlite_moment(row, 27);
    course->will_finish_ms = sqlite3_column_int64(row, 29);
    course->forecast = text_or_null(row, 31);
}

/* Nobody was read for it so far: then nobody was told, and nothing was named either. */
static bool has_no_people(const struct notice *n)
{
    return n->state == NOTICE_PLANNED && !n->claimed && n->course->begun == 0 && n->course->pass == 0;
}

static struct notice *notice_of(sqlite3_stmt *row)
{
    struct notice *n = notice_new(sqlite3_column_int64(row, 0), sqlite_string(row, 2), sqlite_string(row, 3),
                                  sqlite_string(row, 4), (enum moment_kind)sqlite3_column_int(row, 5),
                                  sqlite3_column_int64(row, 6), sqlite3_column_int(row, 7));
    bool counted = sqlite3_column_int64(row, 23) >= 0, read = sqlite3_column_int64(row, 26) > 0;

    n->roll = sqlite3_column_int64(row, 1);
    n->due_at_ms = sqlite3_column_int64(row, 8);
    n->state = (enum notice_state)sqlite3_column_int(row, 9);
    n->reason = (enum notice_reason)sqlite3_column_int(row, 10);
    n->rest = (enum withheld)sqlite3_column_int(row, 12);
    n->paused = sqlite3_column_int(row, 13);
    n->claimed = sqlite3_column_int(row, 14);
    n->approved = sqlite3_column_int(row, 15);
    n->catch_up_waived = sqlite3_column_int(row, 16);
    n->owes_report = sqlite3_column_int(row, 28);
    n->will_not_fit = sqlite3_column_int(row, 30);
    if (n->state != NOTICE_PLANNED || counted || read || sqlite3_column_int64(row, 17) > 0)
        read_course(notice_course(n), row);
    return n;
}

/* Final ones of long ago stay away unless a definition still has their instant: planning has to know those. */
static int load_notices(struct sqlite *db, int64_t now_ms, struct store_image *out, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(
        db, err,
        "SELECT id, roll, site, subject, rule, kind, at, edition, due_at, state, reason, reason_text, rest, paused,"
        " claimed, approved, catch_up_waived, pass, gathered_at, released_at,"
        " (SELECT min(c.first_handover_at) FROM counter c WHERE c.notice = n.id)," /* as the ledger has them: a notice
                                                                                    */
        " (SELECT max(c.last_handover_at) FROM counter c WHERE c.notice = n.id),"  /* is not saved with each turn */
        " ended_at, estimate, made_of, channel, begun, begun_at, owes_report, will_finish, will_not_fit, forecast"
        " FROM notice n WHERE state NOT IN (?1, ?2, ?3)"
        " OR max(at, coalesce(ended_at, due_at)) >= ?4"
        " OR EXISTS (SELECT 1 FROM definition d WHERE d.site = n.site AND d.sale_starts_at = n.at)"
        " OR EXISTS (SELECT 1 FROM definition d WHERE d.site = n.site AND d.sale_ends_at = n.at) ORDER BY id",
        "dddi", NOTICE_DONE, NOTICE_MISSED, NOTICE_CANCELLED, now_ms - 30LL * DAY_MS);
    int rc = -1;

    while (row && (rc = sqlite_step(db, row, err)) == 1)
        notices_put(&out->notices, notice_of(row));
    if (rc < 0)
        return -1;
    for (size_t i = 0; i < out->notices.count; i++) {
        struct notice *n = out->notices.at[i];
        struct strings members = {0};
        if (has_no_people(n))
            continue;
        rc = load_strings(
            db,
            sqlite_query(db, err, "SELECT definition FROM notice_member WHERE notice = ?1 ORDER BY place", "i", n->id),
            &members, err);
        if (rc == 0 && members.count)
            notice_set_members(n, members.at, members.count);
        strings_clear(&members);
        if (rc < 0 || sqlite_tally(db, n->id, &notice_course(n)->tally, NULL, NULL, err) < 0)
            return -1;
    }
    /* Lists of people take their numbers from the notices': one that came back has a list under a number of its own. */
    return sqlite_number(db, 1, &out->notices.next_id, err,
                         "SELECT 1 + max(max(id), max(roll), (SELECT coalesce(max(id), 0) FROM roll)) FROM notice", "");
}

static int load_openings(struct sqlite *db, struct store_image *out, struct error *err)
{
    sqlite3_stmt *row =
        sqlite_query(db, err, "SELECT id, site, event_id, opens_at, state FROM opening ORDER BY id", "");
    int rc = -1;

    while (row && (rc = sqlite_step(db, row, err)) == 1) {
        struct opening *o =
            openings_add(&out->openings, sqlite3_column_int64(row, 0), sqlite_string(row, 1), sqlite_string(row, 2),
                         sqlite3_column_int64(row, 3), (enum opening_state)sqlite3_column_int(row, 4));
        o->dirty = false;
    }
    if (rc < 0)
        return -1;
    for (size_t i = 0; i < out->openings.count; i++) {
        struct opening *o = out->openings.at[i];
        struct strings members = {0};
        rc = load_strings(db,
                          sqlite_query(db, err,
                                       "SELECT definition FROM opening_member WHERE opening = ?1 ORDER BY place", "i",
                                       o->id),
                          &members, err);
        if (rc == 0)
            opening_set_members(o, members.at, members.count);
        o->dirty = false;
        strings_clear(&members);
        if (rc < 0)
            return -1;
    }
    return sqlite_number(db, 1, &out->openings.next_id, err, "SELECT max(id) + 1 FROM opening", "");
}

static int load_facts(struct sqlite *db, sqlite3_stmt *row, struct store_fact **facts, size_t *count, struct error *err)
{
    int rc = -1;

    while (row && (rc = sqlite_step(db, row, err)) == 1) {
        *facts = must_realloc(*facts, (*count + 1) * sizeof **facts);
        (*facts)[(*count)++] = (struct store_fact){text_dup(sqlite_text(row, 0)), sqlite3_column_int64(row, 1)};
    }
    return rc;
}

static int load_pauses(struct sqlite *db, struct store_image *out, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(db, err, "SELECT target, who, at FROM pause ORDER BY target", "");
    int rc = -1;

    while (row && (rc = sqlite_step(db, row, err)) == 1) {
        out->pauses = must_realloc(out->pauses, (out->pause_count + 1) * sizeof *out->pauses);
        out->pauses[out->pause_count++] = (struct store_pause){
            text_dup(sqlite_text(row, 0)), text_dup(sqlite_text(row, 1)), sqlite3_column_int64(row, 2)};
    }
    return rc;
}

static int load_all(struct sqlite *db, int64_t now_ms, struct store_image *out, struct error *err)
{
    if (load_definitions(db, out, err) < 0 || load_notices(db, now_ms, out, err) < 0 ||
        load_openings(db, out, err) < 0 || load_pauses(db, out, err) < 0)
        return -1;
    if (load_facts(db,
                   sqlite_query(db, err, "SELECT name, first_walk_at FROM site WHERE first_walk_at IS NOT NULL", ""),
                   &out->first_walks, &out->first_walk_count, err) < 0 ||
        load_facts(db, sqlite_query(db, err, "SELECT name, watermark FROM site WHERE watermark IS NOT NULL", ""),
                   &out->watermarks, &out->watermark_count, err) < 0)
        return -1;
    return load_facts(db, sqlite_query(db, err, "SELECT name, first_load_at FROM rule", ""), &out->first_loads,
                      &out->first_load_count, err);
}

int sqlite_load(struct sqlite *db, int64_t now_ms, struct store_image *out, struct error *err)
{
    memset(out, 0, sizeof *out);
    if (sqlite_exec(db, "BEGIN", err) < 0)
        return -1;
    int rc = load_all(db, now_ms, out, err);
    sqlite_rollback(db);
    if (rc < 0)
        store_image_clear(out);
    return rc;
}

static void clear_facts(struct store_fact *facts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(facts[i].name);
    free(facts);
}

void store_image_clear(struct store_image *image)
{
    for (size_t i = 0; i < image->site_count; i++) {
        if (image->definitions)
            definitions_clear(&image->definitions[i]);
        if (image->sites)
            free(image->sites[i]);
    }
    free(image->definitions);
    free(image->sites);
    notices_clear(&image->notices);
    openings_clear(&image->openings);
    clear_facts(image->first_walks, image->first_walk_count);
    clear_facts(image->first_loads, image->first_load_count);
    clear_facts(image->watermarks, image->watermark_count);
    for (size_t i = 0; i < image->pause_count; i++) {
        free(image->pauses[i].target);
        free(image->pauses[i].who);
    }
    free(image->pauses);
    memset(image, 0, sizeof *image);
}
