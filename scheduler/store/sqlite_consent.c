/* sqlite_consent.c - may this person be told now? Judged at each claim, from what stands then (promise 6). */
#include "sqlite.h"

#define SEED_BIT ((int64_t)1 << STORE_SEED)
#define NEVER_BIT ((int64_t)1 << SQLITE_NEVER)

/* The audiences of a roll that our own list says no to for this person; all bits when it says no to everything. */
static int suppressed_mask(struct sqlite *db, int64_t roll, int64_t pass, const unsigned char *key, int64_t *out,
                           struct error *err)
{
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT s.scope, r.audience FROM suppression s LEFT JOIN reading r ON r.roll = ?2"
                                     " AND r.pass >= ?3 AND r.source = s.scope WHERE s.key = ?1",
                                     "kii", key, roll, pass);
    int rc = -1;

    *out = 0;
    while (row && (rc = sqlite_step(db, row, err)) == 1) {
        if (sqlite_text(row, 0).len == 0)
            *out = -1;
        else if (sqlite3_column_type(row, 1) != SQLITE_NULL)
            *out |= (int64_t)1 << sqlite3_column_int(row, 1);
    }
    return rc;
}

/* `pass` is the last complete read. What it said counts, and every no that was heard since. */
int sqlite_judge(struct sqlite *db, int64_t roll, int64_t pass, const unsigned char *key,
                 const struct sqlite_words *words, enum withheld *out, struct error *err)
{
    int64_t seen = words->pass >= pass ? words->yes : 0, no = 0, suppressed;

    if (words->before_pass >= pass)
        seen |= words->before_yes;
    if (words->word_pass >= pass)
        no |= words->no;
    if (words->before_word_pass >= pass)
        no |= words->before_no;
    if (suppressed_mask(db, roll, pass, key, &suppressed, err) < 0)
        return -1;

    int64_t willing = seen & ~no;
    if (suppressed == -1)
        *out = WITHHELD_SUPPRESSED;
    else if (words->yes & SEED_BIT)
        *out = suppressed & SEED_BIT ? WITHHELD_SUPPRESSED : WITHHELD_NONE;
    else if (no & NEVER_BIT)
        *out = WITHHELD_NEVER;
    else if (!seen)
        *out = words->yes & no ? WITHHELD_OPTED_OUT : WITHHELD_LEFT;
    else if (!willing)
        *out = WITHHELD_OPTED_OUT;
    else
        *out = willing & ~suppressed ? WITHHELD_NONE : WITHHELD_SUPPRESSED;
    return 0;
}
