/* sqlite_hook.c - what others told us: known by its id, and in order. */
#include "sqlite.h"

#include <string.h>

enum {
    KNOWN_MS = 7 * DAY_MS, /* Wix tries for two days, Standard Webhooks for three */
    FORGET_AT_ONCE = 100,  /* rows, with each that is new */
};

/* 1: something new is known now. */
static int take_id(struct sqlite *db, const struct store_hook *hook, struct error *err)
{
    if (!*hook->id)
        return 1;
    if (sqlite_run(db, err, "INSERT INTO hook VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING", "ssi", hook->from, hook->id,
                   hook->at_ms) < 0)
        return -1;
    return sqlite3_changes(db->handle) > 0;
}

/* Their numbers go up to 2^64: with the highest bit turned they are in order as what SQLite has. */
static int64_t ordered(uint64_t sequence)
{
    return (int64_t)(sequence ^ (uint64_t)1 << 63);
}

/* 1: nothing later is known. */
static int take_sequence(struct sqlite *db, const struct store_hook *hook, struct error *err)
{
    if (!*hook->entity || hook->sequence == 0)
        return 1;
    if (sqlite_run(db, err,
                   "INSERT INTO hook_entity VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET sequence = ?3, at = ?4"
                   " WHERE sequence <= ?3",
                   "ssii", hook->from, hook->entity, ordered(hook->sequence), hook->at_ms) < 0)
        return -1;
    return sqlite3_changes(db->handle) > 0;
}

/* More than come, so that what is left is of the last days. */
static int forget(struct sqlite *db, int64_t before_ms, struct error *err)
{
    if (sqlite_run(db, err,
                   "DELETE FROM hook WHERE (sender, id) IN (SELECT sender, id FROM hook WHERE at < ?1 LIMIT ?2)", "id",
                   before_ms, FORGET_AT_ONCE) < 0)
        return -1;
    return sqlite_run(db, err,
                      "DELETE FROM hook_entity WHERE (sender, entity) IN"
                      " (SELECT sender, entity FROM hook_entity WHERE at < ?1 LIMIT ?2)",
                      "id", before_ms, FORGET_AT_ONCE);
}

/* Nobody who was read: what would be stored of them waits for them. */
static int keep(struct sqlite *db, const struct store_hook *hook, struct store_hooked *out, struct error *err)
{
    struct store_suppression of_feedback;
    const struct store_suppression *word = hook->suppress;

    out->unknown = true;
    if (!word && sqlite_feedback_word(hook->feedback, &of_feedback))
        word = &of_feedback;
    if (!word)
        return 0;
    if (!hook->kept_as)
        return error_set(err, ERROR_REFUSED,
                         "nobody who was read so far has that source_id, and it is not said whose it is");
    out->kept = true;
    return sqlite_unmet_keep(db, hook->kept_as, hook->source_id, word, err);
}

/* What it does, to whom it names. */
static int carry_out(struct sqlite *db, const struct store_hook *hook, struct store_hooked *out, struct error *err)
{
    struct sqlite_wanted wanted = {.id = hook->source_id};
    struct store_suppression suppress;
    struct store_feedback feedback;

    if (hook->suppress)
        suppress = *hook->suppress;
    if (hook->feedback)
        feedback = *hook->feedback;
    if (hook->source_id) {
        if (sqlite_ids_find(db, &wanted, 1, hook->audience, err) < 0)
            return -1;
        if (wanted.found == SQLITE_FOUND_SEVERAL)
            return error_set(err, ERROR_REFUSED, "people of several audiences have that source_id");
        if (wanted.found == SQLITE_FOUND_NOBODY)
            return keep(db, hook, out, err);
        memcpy(suppress.key, wanted.key, sizeof suppress.key);
        memcpy(feedback.key, wanted.key, sizeof feedback.key);
    }
    if (hook->suppress && sqlite_suppress(db, &suppress, 1, &out->suppressed, err) < 0)
        return -1;
    return hook->feedback ? sqlite_feedback(db, &feedback, 1, &out->fed_back, err) : 0;
}

int sqlite_hook(struct sqlite *db, const struct store_hook *hook, struct store_hooked *out, struct error *err)
{
    int is_new = take_id(db, hook, err), is_last;

    if (is_new < 0)
        return -1;
    out->news = HOOK_REPEATED;
    if (!is_new)
        return 0;
    if (forget(db, hook->at_ms - KNOWN_MS, err) < 0)
        return -1;
    is_last = take_sequence(db, hook, err);
    if (is_last < 0)
        return -1;
    out->news = is_last ? HOOK_NEW : HOOK_OLD;
    if (!is_last || (!hook->suppress && !hook->feedback))
        return 0;
    return carry_out(db, hook, out, err);
}
