/* sqlite_gather.c - the people of a notice: one page of one audience at a time, with its cursor in the same
 * transaction. A person gets the next number of the roll when first seen with a yes; every record is remembered as what
 * its audience says in this read. */
#include "sqlite.h"

static const char join[] = "INSERT INTO told VALUES(?1, ?2, ?3, ?4, ?5, 0, 0) ON CONFLICT(roll, key) DO NOTHING";

/* In a new read the bits begin anew; what the read before said is kept beside them, for it counts until the new read is
 * complete. Our own eyes stay. A record of an older read changes nothing. */
static const char say_again[] = "UPDATE told SET"
                                " before_yes = CASE WHEN pass < ?4 THEN yes ELSE before_yes END,"
                                " before_pass = CASE WHEN pass < ?4 THEN pass ELSE before_pass END,"
                                " yes = CASE WHEN pass < ?4 THEN ?3 | (yes & (1 << 31)) WHEN pass = ?4 THEN yes | ?3"
                                "  ELSE yes END,"
                                " pass = max(pass, ?4) WHERE roll = ?1 AND key = ?2";

/* A no is forgotten only by a complete read that came after it: until then all that was said before adds up. */
static const char hear[] = "INSERT INTO word(roll, key, no, pass, before_no, before_pass) VALUES(?1, ?2, ?3, ?4, 0, 0)"
                           " ON CONFLICT(roll, key) DO UPDATE SET"
                           " before_no = CASE WHEN pass < ?4 THEN before_no | no ELSE before_no END,"
                           " before_pass = CASE WHEN pass < ?4 THEN pass ELSE before_pass END,"
                           " no = CASE WHEN pass < ?4 THEN ?3 ELSE no | ?3 END,"
                           " pass = max(pass, ?4)";

static int add_person(struct sqlite *db, const struct store_gather *page, const struct store_person *who, int64_t seq,
                      struct error *err)
{
    return sqlite_run(db, err, "INSERT INTO person VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", "iistttttt", page->roll,
                      seq, page->source, who->source_id, who->address, who->name, who->locale, who->zone,
                      who->attributes);
}

/* 1: was on the roll, and says yes again; 0: is not on it. */
static int known_says_yes(struct sqlite *db, const struct store_gather *page, const struct store_person *who,
                          struct error *err)
{
    if (sqlite_run(db, err, say_again, "ikii", page->roll, who->key, (int64_t)1 << page->audience, page->pass) < 0)
        return -1;
    return sqlite3_changes(db->handle) > 0;
}

/* 1: new on the roll, with number `seq`; 0: was on it. */
static int join_roll(struct sqlite *db, const struct store_gather *page, const struct store_person *who, int64_t seq,
                     struct error *err)
{
    if (sqlite_run(db, err, join, "iikii", page->roll, seq, who->key, (int64_t)1 << page->audience, page->pass) < 0)
        return -1;
    if (sqlite3_changes(db->handle) == 0)
        return 0;
    return add_person(db, page, who, seq, err) < 0 ? -1 : 1;
}

/* 1: new on the roll; 0: known, or it is closed. In a first read most are new, in a later one known: two statements
 * instead of one that does both, which would copy every page that it touches before it begins. */
static int say_yes(struct sqlite *db, const struct store_gather *page, const struct store_person *who, int64_t seq,
                   bool closed, struct error *err)
{
    if (page->pass > 1 || closed) {
        int known = known_says_yes(db, page, who, err);
        if (known != 0 || closed)
            return known < 0 ? -1 : 0;
    }
    int joined = join_roll(db, page, who, seq, err);
    if (joined != 0)
        return joined;
    return known_says_yes(db, page, who, err) < 0 ? -1 : 0;
}

static int add_word(struct sqlite *db, const struct store_gather *page, const struct store_person *who,
                    struct error *err)
{
    int64_t bit = (int64_t)1 << (who->consent == CONSENT_NEVER ? (unsigned)SQLITE_NEVER : page->audience);

    return sqlite_run(db, err, hear, "ikii", page->roll, who->key, bit, page->pass);
}

/* How a page is taken. */
struct hearing {
    bool closed;           /* somebody was claimed: nobody joins any more */
    bool any_erased;       /* is anybody? Mostly not, and then nobody is looked up */
    bool any_unmet;        /* ... likewise of whom something was said before they were read */
    struct sqlite_ids ids; /* of those who are new */
};

/* One word of one person: 1 when it put them on the list. Who is erased is passed over, whatever was on its way: their
 * address never comes to the disk again, and no list that is made from now on knows them. */
static int hear_person(struct sqlite *db, const struct store_gather *page, const struct store_person *who, int64_t seq,
                       struct hearing *hearing, struct error *err)
{
    int erased = hearing->any_erased ? sqlite_is_erased(db, who->key, err) : 0;

    if (erased != 0)
        return erased < 0 ? -1 : 0;
    if (hearing->any_unmet && sqlite_unmet_meet(db, page->source, who, page->now_ms, err) < 0)
        return -1;
    if (who->consent != CONSENT_YES)
        return add_word(db, page, who, err);
    int joined = say_yes(db, page, who, seq, hearing->closed, err);
    if (joined == 1)
        sqlite_ids_add(&hearing->ids, who->source_id);
    return joined;
}

/* Pages are small; one that is not has several rows. */
static int keep_ids(struct sqlite *db, const struct store_gather *page, struct hearing *hearing, bool full_only,
                    struct error *err)
{
    struct sqlite_ids *ids = &hearing->ids;

    if (full_only && ids->count < SQLITE_IDS_MAX)
        return 0;
    int rc = sqlite_ids_keep(db, ids, page->roll, err);
    *ids = (struct sqlite_ids){.first_seq = ids->first_seq + (int64_t)ids->count};
    return rc;
}

int sqlite_gather(struct sqlite *db, const struct store_gather *page, struct store_gathered *out, struct error *err)
{
    int64_t last, claimed, erased;

    out->added = 0;
    if (page->audience > STORE_SEED || page->roll <= 0)
        return error_set(err, ERROR_REFUSED, "roll %lld, audience %u: no such list of people", (long long)page->roll,
                         page->audience);
    if (sqlite_number(db, 0, &last, err, "SELECT last_seq FROM roll WHERE id = ?1", "i", page->roll) < 0 ||
        sqlite_number(db, 0, &claimed, err, "SELECT max(claimed) FROM notice WHERE roll = ?1", "i", page->roll) < 0 ||
        sqlite_number(db, 0, &erased, err, "SELECT 1 FROM suppression WHERE reason = 'erased' LIMIT 1", "") < 0)
        return -1;
    int unmet = page->source ? sqlite_unmet_any(db, page->source, page->now_ms, err) : 0;
    if (unmet < 0)
        return -1;
    struct hearing hearing = {
        .closed = claimed > 0, .any_erased = erased > 0, .any_unmet = unmet, .ids.first_seq = last + 1};
    for (size_t i = 0; i < page->count; i++) {
        int rc = hear_person(db, page, &page->people[i], last + out->added + 1, &hearing, err);
        if (rc < 0 || keep_ids(db, page, &hearing, true, err) < 0)
            return -1;
        out->added += rc;
    }
    if (keep_ids(db, page, &hearing, false, err) < 0)
        return -1;
    out->planned = last + out->added;
    if (sqlite_run(db, err, "INSERT INTO roll VALUES(?1, ?2) ON CONFLICT(id) DO UPDATE SET last_seq = ?2", "ii",
                   page->roll, out->planned) < 0)
        return -1;
    return sqlite_run(db, err,
                      "INSERT INTO reading VALUES(?1, ?2, ?3, ?4, coalesce(?5, '')) ON CONFLICT DO UPDATE SET"
                      " source = ?4, cursor = coalesce(?5, cursor)",
                      "iidss", page->roll, page->pass, (int)page->audience, page->source ? page->source : "",
                      page->cursor);
}

char *sqlite_cursor(struct sqlite *db, int64_t roll, int64_t pass, unsigned audience)
{
    sqlite3_stmt *row =
        sqlite_query(db, NULL, "SELECT cursor FROM reading WHERE roll = ?1 AND pass = ?2 AND audience = ?3", "iid",
                     roll, pass, (int)audience);

    if (!row || sqlite_step(db, row, NULL) != 1)
        return NULL;
    char *cursor = text_dup(sqlite_text(row, 0));
    sqlite_done(row);
    return cursor;
}
