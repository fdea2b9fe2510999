/* sqlite_channel.c - what a channel's next life has to know: what it claimed lately, what its receiver asked it to
 * wait. */
#include "sqlite.h"

int sqlite_keep_wait(struct sqlite *db, const struct store_wait *wait, struct error *err)
{
    if (wait->until_ms == MOMENT_NONE)
        return sqlite_run(db, err, "DELETE FROM wait WHERE channel = ?1", "s", wait->channel);
    return sqlite_run(db, err,
                      "INSERT INTO wait VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(channel) DO UPDATE SET"
                      " until = ?2, rests = ?3, text = ?4, at = ?5",
                      "sidsi", wait->channel, wait->until_ms, (int)wait->rests, wait->text, wait->at_ms);
}

int sqlite_keep_speed(struct sqlite *db, const struct store_speed *speed, struct error *err)
{
    return sqlite_run(db, err,
                      "INSERT INTO speed VALUES(?1, ?2, ?3) ON CONFLICT(channel) DO UPDATE SET answer_us = ?2, at = ?3",
                      "sii", speed->channel, speed->answer_us, speed->at_ms);
}

/* Of notices that may have claimed since then, and of them the newest claims: years of reports cost nothing. */
static int recall_claims(struct sqlite *db, const char *channel, int64_t since_ms, struct store_recalled *out,
                         struct error *err)
{
    size_t room = 0;
    int rc = -1;
    sqlite3_stmt *row = sqlite_query(
        db, err,
        "SELECT c.at, c.people FROM notice n CROSS JOIN claim c ON c.notice = n.id"
        " WHERE n.claimed = 1 AND coalesce(n.ended_at, ?2) >= ?2 AND c.channel = ?1 AND c.at >= ?2 AND c.people > 0"
        " ORDER BY c.at",
        "si", channel, since_ms);

    while (row && (rc = sqlite_step(db, row, err)) == 1) {
        if (out->claim_count == room) {
            room = room ? 2 * room : 64;
            out->claims = must_realloc(out->claims, room * sizeof *out->claims);
        }
        out->claims[out->claim_count++] =
            (struct pace_claim){sqlite3_column_int64(row, 0), sqlite3_column_int64(row, 1)};
    }
    return rc;
}

static int recall_wait(struct sqlite *db, const char *channel, struct store_recalled *out, struct error *err)
{
    sqlite3_stmt *row =
        sqlite_query(db, err, "SELECT until, rests, text, at FROM wait WHERE channel = ?1", "s", channel);
    int rc = row ? sqlite_step(db, row, err) : -1;

    if (rc != 1)
        return rc;
    out->wait = (struct store_wait){
        .until_ms = sqlite3_column_int64(row, 0),
        .rests = (unsigned)sqlite3_column_int(row, 1),
        .text = text_dup(sqlite_text(row, 2)),
        .at_ms = sqlite3_column_int64(row, 3),
    };
    sqlite_done(row);
    return 0;
}

int sqlite_recall(struct sqlite *db, const char *channel, int64_t since_ms, struct store_recalled *out,
                  struct error *err)
{
    *out = (struct store_recalled){.wait = {.until_ms = MOMENT_NONE}};
    if (recall_claims(db, channel, since_ms, out, err) == 0 && recall_wait(db, channel, out, err) == 0 &&
        sqlite_number(db, 0, &out->answer_us, err, "SELECT answer_us FROM speed WHERE channel = ?1", "s", channel) == 0)
        return 0;
    store_recalled_clear(out);
    return -1;
}

void store_recalled_clear(struct store_recalled *recalled)
{
    free(recalled->claims);
    free((char *)(uintptr_t)recalled->wait.text);
    *recalled = (struct store_recalled){.wait = {.until_ms = MOMENT_NONE}};
}
