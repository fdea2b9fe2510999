/* sqlite_consent.c - may this person be told now? Judged at each claim, from what stands then (promise 6). */
#include "sqlite.h"

#define SEED_BIT ((int64_t)1 << STORE_SEED)
#define NEVER_BIT ((int64_t)1 << SQLITE_NEVER)

/* What our own list says of a person. */
struct own_word {
    int64_t no; /* a bit for each audience of the roll; all of them when it says no to everything */
    bool erased;
};

static int ask_own_list(struct sqlite *db, int64_t roll, int64_t pass, const unsigned char *key, struct own_word *out,
                        struct error *err)
{
    sqlite3_stmt *row =
        sqlite_query(db, err,
                     "SELECT s.scope, r.audience, s.reason FROM suppression s LEFT JOIN reading r ON r.roll = ?2"
                     " AND r.pass >= ?3 AND r.source = s.scope WHERE s.key = ?1",
                     "kii", key, roll, pass);
    int rc = -1;

    *out = (struct own_word){0};
    while (row && (rc = sqlite_step(db, row, err)) == 1) {
        if (sqlite_text(row, 0).len == 0)
            out->no = -1;
        else if (sqlite3_column_type(row, 1) != SQLITE_NULL)
            out->no |= (int64_t)1 << sqlite3_column_int(row, 1);
        out->erased |= text_is(sqlite_text(row, 2), "erased");
    }
    return rc;
}

/* `pass` is the last complete read. What it said counts, and every no that was heard since. */
int sqlite_judge(struct sqlite *db, int64_t roll, int64_t pass, const unsigned char *key,
                 const struct sqlite_words *words, enum withheld *out, struct error *err)
{
    int64_t seen = words->pass >= pass ? words->yes : 0, no = 0;
    struct own_word own = {0};

    if (words->before_pass >= pass)
        seen |= words->before_yes;
    if (words->word_pass >= pass)
        no |= words->no;
    if (words->before_word_pass >= pass)
        no |= words->before_no;
    if (words->suppressed && ask_own_list(db, roll, pass, key, &own, err) < 0)
        return -1;

    int64_t willing = seen & ~no;
    if (own.erased)
        *out = WITHHELD_ERASED;
    else if (own.no == -1)
        *out = WITHHELD_SUPPRESSED;
    else if (words->yes & SEED_BIT)
        *out = own.no & SEED_BIT ? WITHHELD_SUPPRESSED : WITHHELD_NONE;
    else if (no & NEVER_BIT)
        *out = WITHHELD_NEVER;
    else if (!seen)
        *out = words->yes & no ? WITHHELD_OPTED_OUT : WITHHELD_LEFT;
    else if (!willing)
        *out = WITHHELD_OPTED_OUT;
    else
        *out = willing & ~own.no ? WITHHELD_NONE : WITHHELD_SUPPRESSED;
    return 0;
}
