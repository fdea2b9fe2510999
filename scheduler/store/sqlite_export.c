/* sqlite_export.c - everything that is held about one person, for them to read. */
#include "sqlite.h"

#include <string.h>

/* Who they are, list by list: names and attributes are what a source said when it was read. */
static json_t *people(struct sqlite *db, const unsigned char *key, struct error *err)
{
    json_t *out = json_array();
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT n.id, p.source, p.source_id, p.address, p.name, p.locale, p.zone, "
                                     "p.attributes, n.begun_at FROM notice n"
                                     " JOIN told t ON t.roll = n.roll AND t.key = ?1 JOIN person p ON p.roll = t.roll "
                                     "AND p.seq = t.seq ORDER BY n.id",
                                     "k", key);

    while (row && sqlite_step(db, row, err) == 1) {
        struct text text = sqlite_text(row, 7);
        json_t *attributes = text.len ? json_loadb(text.ptr, text.len, 0, NULL) : json_object();
        json_array_append_new(out, json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "notice",
                                             (json_int_t)sqlite3_column_int64(row, 0), "source",
                                             sqlite_json_text(row, 1), "source_id", sqlite_json_text(row, 2), "address",
                                             sqlite_json_text(row, 3), "name", sqlite_json_text(row, 4), "locale",
                                             sqlite_json_text(row, 5), "zone", sqlite_json_text(row, 6), "attributes",
                                             attributes ? attributes : sqlite_json_text(row, 7), "read_at",
                                             sqlite_json_moment(row, 8)));
    }
    return out;
}

/* --- Words of consent: what each audience said of them, in the last reading and in the one before --- */

struct said {
    int64_t notice, roll, bits, pass;
    const char *word;
    int64_t at_ms; /* of that reading; MOMENT_NONE: not kept */
};

static json_t *audience_of(struct sqlite *db, const struct said *said, int audience, struct error *err)
{
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT source FROM reading WHERE roll = ?1 AND pass <= ?2 AND audience = ?3"
                                     " ORDER BY pass DESC LIMIT 1",
                                     "iid", said->roll, said->pass, audience);
    json_t *name = NULL;

    if (row && sqlite_step(db, row, err) == 1) {
        name = sqlite_json_text(row, 0);
        sqlite_done(row);
    }
    return name ? name : json_null();
}

static void add_words(struct sqlite *db, json_t *out, const struct said *said, struct error *err)
{
    for (int audience = 0; audience <= SQLITE_NEVER; audience++) {
        bool never = audience == SQLITE_NEVER;
        if (!(said->bits & ((int64_t)1 << audience)))
            continue;
        json_array_append_new(out, json_pack("{s:I, s:o, s:s, s:I, s:o}", "notice", (json_int_t)said->notice,
                                             "audience", never ? json_null() : audience_of(db, said, audience, err),
                                             "says", never ? "never" : said->word, "reading", (json_int_t)said->pass,
                                             "at", json_moment(said->at_ms)));
    }
}

/* Bits of told and word, as they stand: {yes, pass} and {no, pass}, each with what stood there a reading before. */
static json_t *words(struct sqlite *db, const unsigned char *key, struct error *err)
{
    json_t *out = json_array();
    sqlite3_stmt *row =
        sqlite_query(db, err,
                     "SELECT n.id, n.roll, n.pass, n.gathered_at, coalesce(t.yes, 0), coalesce(t.pass, 0), "
                     "coalesce(t.before_yes, 0),"
                     " coalesce(t.before_pass, 0), coalesce(w.no, 0), coalesce(w.pass, 0), coalesce(w.before_no, 0),"
                     " coalesce(w.before_pass, 0) FROM notice n LEFT JOIN told t ON t.roll = n.roll AND t.key = ?1"
                     " LEFT JOIN word w ON w.roll = n.roll AND w.key = ?1 WHERE t.key IS NOT NULL OR w.key IS NOT NULL "
                     "ORDER BY n.id",
                     "k", key);

    while (row && sqlite_step(db, row, err) == 1)
        for (int column = 10; column >= 4; column -= 2) {
            int64_t pass = sqlite3_column_int64(row, column + 1);
            struct said said = {.notice = sqlite3_column_int64(row, 0),
                                .roll = sqlite3_column_int64(row, 1),
                                .bits = sqlite3_column_int64(row, column),
                                .pass = pass,
                                .word = column < 8 ? "yes" : "no",
                                .at_ms = pass == sqlite3_column_int64(row, 2) ? sqlite_moment(row, 3) : MOMENT_NONE};
            add_words(db, out, &said, err);
        }
    return out;
}

static json_t *feedback(struct sqlite *db, const unsigned char *key, struct error *err)
{
    json_t *out = json_array();
    sqlite3_stmt *row = sqlite_query(
        db, err,
        "SELECT b.notice, b.kind, b.at, b.status, x.text FROM notice n JOIN told t ON t.roll = n.roll AND t.key = ?1"
        " JOIN feedback b ON b.notice = n.id AND b.seq = t.seq LEFT JOIN text x ON x.id = b.text ORDER BY b.at",
        "k", key);

    while (row && sqlite_step(db, row, err) == 1) {
        int kind = sqlite3_column_int(row, 1);
        json_array_append_new(
            out, json_pack("{s:I, s:s, s:o, s:o, s:o}", "notice", (json_int_t)sqlite3_column_int64(row, 0), "kind",
                           kind > FEEDBACK_NONE && kind < FEEDBACKS ? feedback_name((enum feedback)kind) : "?", "at",
                           sqlite_json_moment(row, 2), "status", sqlite_json_text(row, 3), "text",
                           sqlite_json_text(row, 4)));
    }
    return out;
}

/* Audiences whose tools have not heard of an unsubscribe yet. */
static json_t *writebacks(struct sqlite *db, const unsigned char *key, struct error *err)
{
    json_t *out = json_array();
    sqlite3_stmt *row =
        sqlite_query(db, err, "SELECT audience FROM writeback WHERE key = ?1 ORDER BY audience", "k", key);

    while (row && sqlite_step(db, row, err) == 1)
        json_array_append_new(out, sqlite_json_text(row, 0));
    return out;
}

static json_t *not_held(void)
{
    static const char *const lines[] = {
        "messages: they are made when they are sent, and not kept",
        "opens, clicks, devices and network addresses: nothing of the kind is ever recorded",
        "what the marketing tools, the mail server and backups hold: ask there",
    };
    json_t *out = json_array();

    for (size_t i = 0; i < ARRAY_LEN(lines); i++)
        json_array_append_new(out, json_string(lines[i]));
    return out;
}

json_t *sqlite_export(struct sqlite *db, const struct store_report *what, struct error *err)
{
    json_t *out = sqlite_report_why(db, what, err);

    if (!out)
        return NULL;
    json_object_set_new(out, "people", people(db, what->key, err));
    json_object_set_new(out, "words", words(db, what->key, err));
    json_object_set_new(out, "feedback", feedback(db, what->key, err));
    json_object_set_new(out, "writebacks", writebacks(db, what->key, err));
    json_object_set_new(out, "not_held", not_held());
    return out;
}
