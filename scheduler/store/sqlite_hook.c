/* sqlite_hook.c - what others told us: known by its id, and in order. */
#include "sqlite.h"

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
    if (!is_last)
        return 0;
    if (hook->suppress && sqlite_suppress(db, hook->suppress, 1, &out->suppressed, err) < 0)
        return -1;
    return hook->feedback ? sqlite_feedback(db, hook->feedback, 1, &out->fed_back, err) : 0;
}
