/* sqlite_ledger.c - what became of whom: fates, the counters beside them, and what a start finds in doubt. */
#include "sqlite.h"

#include <string.h>

enum { RETRY_SEQS = 2500 }; /* persons looked at in one slice of a retry: some 10 ms when all of them move */

/* --- Fates --- */

int sqlite_text_id(struct sqlite *db, const char *text, int64_t *out, struct error *err)
{
    if (sqlite_number(db, MOMENT_NONE, out, err, "SELECT id FROM text WHERE text = ?1", "s", text) < 0)
        return -1;
    if (*out != MOMENT_NONE)
        return 0;
    if (sqlite_run(db, err, "INSERT INTO text(text) VALUES(?1)", "s", text) < 0)
        return -1;
    *out = sqlite3_last_insert_rowid(db->handle);
    return 0;
}

int sqlite_append_fate(struct sqlite *db, const char *channel, const struct store_fate *fate, int64_t step,
                       int64_t claim, struct error *err)
{
    int64_t text = MOMENT_NONE;

    if (fate->text && fate->text[0] && sqlite_text_id(db, fate->text, &text, err) < 0)
        return -1;
    if (sqlite_sum_fate(db, channel, fate, step, text, err) < 0)
        return -1;
    return sqlite_run(db, err, "INSERT INTO fate VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
                      "iiisddddmimm", fate->notice, (int64_t)fate->seq, step, channel, fate->attempt, fate->fate,
                      fate->withheld, fate->code, text, fate->at_ms,
                      fate->fate == FATE_TRY_LATER ? fate->next_at_ms : MOMENT_NONE, claim ? claim : MOMENT_NONE);
}

void sqlite_delta_add(struct sqlite_delta *delta, const struct store_fate *fate)
{
    switch (fate->fate) {
    case FATE_ACCEPTED:
        delta->accepted++;
        if (delta->first_at_ms == MOMENT_NONE || fate->at_ms < delta->first_at_ms)
            delta->first_at_ms = fate->at_ms;
        if (delta->last_at_ms == MOMENT_NONE || fate->at_ms > delta->last_at_ms)
            delta->last_at_ms = fate->at_ms;
        break;
    case FATE_REFUSED:
        delta->refused++;
        break;
    case FATE_IN_DOUBT:
        delta->in_doubt++;
        break;
    case FATE_WITHHELD:
        delta->withheld++;
        break;
    default:
        break; /* they wait on */
    }
}

int sqlite_count(struct sqlite *db, int64_t notice, const char *channel, struct sqlite_delta *d, struct error *err)
{
    if (sqlite_late_flush(db, notice, channel, &d->late, err) < 0)
        return -1;
    return sqlite_run(db, err,
                      "INSERT INTO counter VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
                      " ON CONFLICT(notice, channel) DO UPDATE SET claimed_to = max(claimed_to, ?3), live = live + ?4,"
                      " accepted = accepted + ?5, refused = refused + ?6, in_doubt = in_doubt + ?7,"
                      " withheld = withheld + ?8,"
                      " first_handover_at = coalesce(min(first_handover_at, ?9), first_handover_at, ?9),"
                      " last_handover_at = coalesce(max(last_handover_at, ?10), last_handover_at, ?10)",
                      "isiiiiiimm", notice, channel, d->claimed_to, d->live, d->accepted, d->refused, d->in_doubt,
                      d->withheld, d->first_at_ms, d->last_at_ms);
}

int sqlite_tally(struct sqlite *db, int64_t notice, struct tally *out, uint32_t *claimed_to, uint32_t *last_seq,
                 struct error *err)
{
    sqlite3_stmt *row =
        sqlite_query(db, err,
                     "SELECT coalesce(r.last_seq, 0), coalesce(sum(c.live), 0), coalesce(sum(c.accepted), 0),"
                     " coalesce(sum(c.refused), 0), coalesce(sum(c.in_doubt), 0), coalesce(sum(c.withheld), 0),"
                     " coalesce(max(c.claimed_to), 0), n.rest FROM notice n LEFT JOIN roll r ON r.id = n.roll"
                     " LEFT JOIN counter c ON c.notice = n.id WHERE n.id = ?1 GROUP BY n.id",
                     "i", notice);
    int rc = row ? sqlite_step(db, row, err) : -1;

    if (rc != 1)
        return rc < 0 ? -1 : error_set(err, ERROR_REFUSED, "there is no notice %lld", (long long)notice);
    struct tally tally = {
        .planned = sqlite3_column_int64(row, 0),
        .claimed = sqlite3_column_int64(row, 1),
        .accepted = sqlite3_column_int64(row, 2),
        .refused = sqlite3_column_int64(row, 3),
        .in_doubt = sqlite3_column_int64(row, 4),
        .withheld = sqlite3_column_int64(row, 5),
    };
    if (claimed_to)
        *claimed_to = (uint32_t)sqlite3_column_int64(row, 6);
    if (last_seq)
        *last_seq = (uint32_t)tally.planned;
    tally.waiting = tally.planned - tally.accepted - tally.refused - tally.in_doubt - tally.withheld;
    *out = tally_with_rest(tally, (enum withheld)sqlite3_column_int(row, 7));
    sqlite_done(row);
    return 0;
}

/* Waits for another attempt from now on. `attempt` is the next one's number. */
static int wait_again(struct sqlite *db, int64_t notice, int64_t seq, const char *channel, int attempt, int64_t step,
                      int64_t at_ms, struct error *err)
{
    return sqlite_run(db, err, "INSERT INTO again VALUES(?1, ?2, ?3, ?4, ?5, ?6)", "iisdii", notice, seq, channel,
                      attempt, step, at_ms);
}

/* Where the fate leaves a person: those who wait on are listed with the channel, time and number of the next attempt.
 */
static int follow(struct sqlite *db, const char *channel, const struct store_fate *fate, int64_t step,
                  struct error *err)
{
    switch (fate->fate) {
    case FATE_TRY_LATER:
        return wait_again(db, fate->notice, fate->seq, channel, fate->attempt + 1, step + 1, fate->next_at_ms, err);
    case FATE_RETURNED:
        return wait_again(db, fate->notice, fate->seq, channel, fate->attempt, step + 1, fate->at_ms, err);
    case FATE_PASSED_ON:
        return wait_again(db, fate->notice, fate->seq, fate->passed_to, 1, step + 1, fate->at_ms, err);
    default:
        return 0;
    }
}

/* --- A turn --- */

/* 1: was in our hands, and is no more; 0: was not. */
static int land(struct sqlite *db, const char *channel, const struct store_fate *fate, int64_t *step, int64_t *claim,
                struct error *err)
{
    /* Two statements: DELETE ... RETURNING would make a table for its answer each time. */
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT step, claim FROM flight WHERE notice = ?1 AND seq = ?2 AND attempt = ?3"
                                     " AND channel = ?4",
                                     "iids", fate->notice, (int64_t)fate->seq, fate->attempt, channel);
    int rc = row ? sqlite_step(db, row, err) : -1;

    if (rc != 1)
        return rc;
    *step = sqlite3_column_int64(row, 0);
    *claim = sqlite3_column_int64(row, 1);
    sqlite_done(row);
    return sqlite_run(db, err, "DELETE FROM flight WHERE notice = ?1 AND seq = ?2", "ii", fate->notice,
                      (int64_t)fate->seq) < 0
               ? -1
               : 1;
}

/* Somebody who waits for another attempt may be withheld without being claimed again (expired, cancelled). */
static int give_up(struct sqlite *db, const char *channel, const struct store_fate *fate, int64_t *step,
                   struct error *err)
{
    if (fate->fate != FATE_WITHHELD)
        return 0;
    sqlite3_stmt *row =
        sqlite_query(db, err, "DELETE FROM again WHERE notice = ?1 AND seq = ?2 AND channel = ?3 RETURNING step", "iis",
                     fate->notice, (int64_t)fate->seq, channel);
    int rc = row ? sqlite_step(db, row, err) : -1;

    if (rc != 1)
        return rc;
    *step = sqlite3_column_int64(row, 0);
    return sqlite_step(db, row, err) < 0 ? -1 : 1;
}

static int check_fate(const struct store_fate *fate, struct error *err)
{
    bool reason = fate->withheld > WITHHELD_NONE && fate->withheld < WITHHELD_REASONS;

    if (fate->fate <= FATE_NONE || fate->fate >= FATES || (fate->fate == FATE_WITHHELD) != reason ||
        (fate->fate == FATE_PASSED_ON && !fate->passed_to))
        return error_set(err, ERROR_REFUSED, "notice %lld, person %u: fate %d, reason %d is no fate",
                         (long long)fate->notice, fate->seq, fate->fate, fate->withheld);
    return 0;
}

/* A second fate of the same attempt changes nothing. */
static int settle(struct sqlite *db, const char *channel, const struct store_fate *fate, struct sqlite_delta *delta,
                  struct error *err)
{
    int64_t step = 0, claim = 0;

    if (check_fate(fate, err) < 0)
        return -1;
    int rc = land(db, channel, fate, &step, &claim, err);
    if (rc == 1)
        delta->live--;
    else if (rc == 0)
        rc = give_up(db, channel, fate, &step, err);
    if (rc != 1)
        return rc;
    sqlite_delta_add(delta, fate);
    if (fate->fate == FATE_ACCEPTED && sqlite_late_add(db, fate->notice, channel, &delta->late, fate->at_ms, err) < 0)
        return -1;
    return sqlite_append_fate(db, channel, fate, step, claim, err) < 0 ? -1 : follow(db, channel, fate, step, err);
}

/* The notices of a turn are few: one delta and one progress for each. */
struct touched {
    struct sqlite_delta *deltas;
    struct store_progress *progress;
    size_t count;
};

static size_t touch(struct touched *touched, int64_t notice)
{
    size_t at = 0;

    while (at < touched->count && touched->progress[at].notice != notice)
        at++;
    if (at == touched->count) {
        touched->progress[at].notice = notice;
        touched->deltas[at].first_at_ms = touched->deltas[at].last_at_ms = MOMENT_NONE;
        touched->count++;
    }
    return at;
}

static int settle_all(struct sqlite *db, const struct store_turn *turn, struct touched *touched, struct error *err)
{
    for (size_t i = 0; i < turn->fate_count; i++)
        if (settle(db, turn->channel, &turn->fates[i], &touched->deltas[touch(touched, turn->fates[i].notice)], err) <
            0)
            return -1;
    for (size_t i = 0; i < touched->count; i++)
        if (sqlite_count(db, touched->progress[i].notice, turn->channel, &touched->deltas[i], err) < 0)
            return -1;
    return 0;
}

/* A claim that is refused is nobody else's fault: it leaves nothing behind, and the turn goes on without it. -1: the
 * fault is the disk's, or the whole transaction is gone. */
static int claim_apart(struct sqlite *db, const struct store_turn *turn, const struct store_claim *claim,
                       struct sqlite_deliveries *deliveries, struct store_claimed *out, struct error *err)
{
    struct error failure = {0};
    size_t before = deliveries->count;

    if (sqlite_run(db, err, "SAVEPOINT claim", "") < 0)
        return -1;
    int rc = sqlite_claim(db, turn->channel, claim, turn->now_ms, deliveries, &failure);
    if (rc >= 0) {
        out->count = deliveries->count - before;
        out->exhausted = rc == 1;
        return sqlite_run(db, err, "RELEASE claim", "");
    }
    if (failure.kind != ERROR_REFUSED || sqlite3_get_autocommit(db->handle))
        return error_set(err, failure.kind, "%s", failure.text);
    deliveries->count = before;
    struct error *kept = arena_alloc(deliveries->arena, sizeof *kept);
    *kept = failure;
    out->failure = kept;
    return sqlite_run(db, err, "ROLLBACK TO claim", "") < 0 ? -1 : sqlite_run(db, err, "RELEASE claim", "");
}

int sqlite_turn(struct sqlite *db, const struct store_turn *turn, struct arena *arena, struct store_turned *out,
                struct error *err)
{
    size_t most = turn->fate_count + turn->claim_count;
    struct touched touched = {.deltas = arena_alloc(arena, (most + 1) * sizeof *touched.deltas),
                              .progress = arena_alloc(arena, (most + 1) * sizeof *touched.progress)};
    struct store_claimed *claimed = arena_alloc(arena, (turn->claim_count + 1) * sizeof *claimed);
    struct sqlite_deliveries deliveries = {.arena = arena};

    if (settle_all(db, turn, &touched, err) < 0)
        return -1;
    for (size_t i = 0; i < turn->claim_count; i++) {
        if (claim_apart(db, turn, &turn->claims[i], &deliveries, &claimed[i], err) < 0)
            return -1;
        if (!claimed[i].failure)
            touched.progress[touch(&touched, turn->claims[i].notice)].exhausted |= claimed[i].exhausted;
    }
    for (size_t i = 0; i < touched.count; i++) {
        struct store_progress *progress = &touched.progress[i];
        uint32_t last_seq = 0;
        if (sqlite_tally(db, progress->notice, &progress->tally, &progress->claimed_to, &last_seq, err) < 0)
            return -1;
        progress->exhausted |= progress->claimed_to >= last_seq;
    }
    for (size_t i = 0; i < turn->claim_count; i++)
        if (!claimed[i].failure)
            claimed[i].exhausted = touched.progress[touch(&touched, turn->claims[i].notice)].exhausted;
    out->deliveries = deliveries.at;
    out->delivery_count = deliveries.count;
    out->claims = claimed;
    out->progress = touched.progress;
    out->progress_count = touched.count;
    memcpy(out->withheld, deliveries.withheld, sizeof out->withheld);
    return 0;
}

/* --- Launch --- */

/* What an earlier start, or the flow before a reload, had in its hands when it ended: nobody knows whether it arrived.
 * Who asks has nothing of this notice in theirs (store_launch()). */
static int find_doubts(struct sqlite *db, const struct sqlite_launch *what, struct arena *arena,
                       struct store_fate **fates, size_t *count, struct error *err)
{
    int64_t most;

    if (sqlite_number(db, 0, &most, err, "SELECT sum(live) FROM counter WHERE notice = ?1 AND channel = ?2", "is",
                      what->notice, what->channel) < 0)
        return -1;
    if (most <= 0)
        return 0;
    *fates = arena_alloc(arena, (size_t)most * sizeof **fates);
    sqlite3_stmt *row = sqlite_query(db, err, "SELECT seq, attempt FROM flight WHERE notice = ?1 AND channel = ?2",
                                     "is", what->notice, what->channel);
    int rc = row ? 1 : -1;
    while (rc == 1 && (rc = sqlite_step(db, row, err)) == 1 && *count < (size_t)most) {
        int attempt = sqlite3_column_int(row, 1);
        (*fates)[(*count)++] = (struct store_fate){
            .notice = what->notice,
            .seq = (uint32_t)sqlite3_column_int64(row, 0),
            .attempt = attempt,
            .fate = attempt < what->repeat_below ? FATE_TRY_LATER : FATE_IN_DOUBT,
            .text = "no answer came before the program ended or was reloaded",
            .at_ms = what->now_ms,
            .next_at_ms = what->now_ms,
        };
    }
    if (rc == 1)
        sqlite_done(row);
    return rc < 0 ? -1 : 0;
}

static int list_again(struct sqlite *db, const struct sqlite_launch *what, struct arena *arena,
                      struct store_launch *out, struct error *err)
{
    struct store_again *list = NULL;
    sqlite3_stmt *row = sqlite_query(db, err,
                                     "SELECT seq, attempt, at FROM again INDEXED BY again_next WHERE notice = ?1 AND"
                                     " channel = ?2 ORDER BY at, seq LIMIT ?3",
                                     "isi", what->notice, what->channel, (int64_t)STORE_AGAIN_PAGE + 1);
    int rc = row ? 1 : -1;

    while (rc == 1 && (rc = sqlite_step(db, row, err)) == 1) {
        struct store_again one = {.seq = (uint32_t)sqlite3_column_int64(row, 0),
                                  .attempt = sqlite3_column_int(row, 1),
                                  .at_ms = sqlite3_column_int64(row, 2)};
        if (!list)
            list = arena_alloc(arena, STORE_AGAIN_PAGE * sizeof *list);
        if (out->again_count < STORE_AGAIN_PAGE)
            list[out->again_count++] = one;
        else
            out->again_more = true;
        out->again_next = one;
    }
    out->again = list;
    return rc;
}

int sqlite_launch(struct sqlite *db, const struct sqlite_launch *what, struct arena *arena, struct store_launch *out,
                  struct error *err)
{
    struct sqlite_delta delta = {.first_at_ms = MOMENT_NONE, .last_at_ms = MOMENT_NONE};
    struct store_fate *fates = NULL;
    size_t count = 0;

    if (!db->copy && find_doubts(db, what, arena, &fates, &count, err) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (settle(db, what->channel, &fates[i], &delta, err) < 0)
            return -1;
    if (count && sqlite_count(db, what->notice, what->channel, &delta, err) < 0)
        return -1;
    out->doubts = (int64_t)count;
    if (sqlite_tally(db, what->notice, &out->tally, &out->claimed_to, &out->last_seq, err) < 0)
        return -1;
    return list_again(db, what, arena, out, err);
}

/* --- Retry: people who were through with it wait again --- */

/* Whom one reason withholds without a row for each wait again when it is lifted. 1: it was; 0: another, or none. */
static int lift_rest(struct sqlite *db, const struct store_retry *what, struct error *err)
{
    if (what->fate != FATE_WITHHELD)
        return 0;
    if (sqlite_run(db, err, "UPDATE notice SET rest = 0 WHERE id = ?1 AND rest = ?2 AND rest <> 0", "id", what->notice,
                   what->withheld) < 0)
        return -1;
    return sqlite3_changes(db->handle) > 0;
}

/* The last fates that say it, of some persons. */
#define CHOSEN                                                                                                         \
    " FROM fate f WHERE notice = ?1 AND seq > ?6 AND seq <= ?7 AND channel = ?2 AND fate = ?3"                         \
    " AND (?4 = 0 OR code = ?4) AND (?5 = 0 OR withheld = ?5) AND NOT EXISTS (SELECT 1 FROM fate g"                    \
    " WHERE g.notice = f.notice AND g.seq = f.seq AND g.step > f.step)"

static const char chosen_wait[] = "INSERT INTO again SELECT notice, seq, channel, attempt + 1, step + 2, ?8" CHOSEN;
static const char chosen_fates[] =
    "INSERT INTO fate SELECT notice, seq, step + 1, channel, attempt, ?9, 0, 0, NULL, ?8, ?8, NULL" CHOSEN;

static const char chosen_unsaid[] =
    "INSERT INTO fate_sum SELECT notice, channel, fate, withheld, code, coalesce(text, 0), -count(*)" CHOSEN
    " GROUP BY withheld, code, text ON CONFLICT(notice, channel, fate, withheld, code, text) DO UPDATE SET"
    " people = people + excluded.people";

static int run_chosen(struct sqlite *db, const char *sql, const struct store_retry *what, int64_t behind,
                      struct error *err)
{
    const char *types = sql == chosen_fates ? "isdddiiid" : sql == chosen_wait ? "isdddiii" : "isdddii";

    return sqlite_run(db, err, sql, types, what->notice, what->channel, what->fate,
                      what->fate == FATE_REFUSED ? what->code : 0, what->fate == FATE_WITHHELD ? what->withheld : 0,
                      behind, behind + RETRY_SEQS, what->now_ms, FATE_TRY_LATER);
}

/* A notice that is done has nobody who waits: whoever is put back opens it again, in one transaction. */
static int open_again(struct sqlite *db, const struct store_retry *what, struct error *err)
{
    return sqlite_run(db, err,
                      "UPDATE notice SET state = ?2, ended_at = NULL, released_at = ?3, catch_up_waived = 1"
                      " WHERE id = ?1 AND state = ?4",
                      "idid", what->notice, (int)NOTICE_SENDING, what->now_ms, (int)NOTICE_DONE);
}

static int retry_some(struct sqlite *db, const struct store_retry *what, struct sqlite_retry *progress,
                      struct error *err)
{
    struct sqlite_delta delta = {.first_at_ms = MOMENT_NONE, .last_at_ms = MOMENT_NONE};

    if (run_chosen(db, chosen_wait, what, progress->behind, err) < 0)
        return -1;
    int64_t moved = sqlite3_changes(db->handle);
    if (moved > 0 && (run_chosen(db, chosen_unsaid, what, progress->behind, err) < 0 ||
                      sqlite_sum_waiting(db, what->notice, what->channel, moved, err) < 0 ||
                      run_chosen(db, chosen_fates, what, progress->behind, err) < 0))
        return -1;
    progress->behind += RETRY_SEQS;
    progress->moved += moved;
    *(what->fate == FATE_REFUSED    ? &delta.refused
      : what->fate == FATE_IN_DOUBT ? &delta.in_doubt
                                    : &delta.withheld) = -moved;
    if (moved == 0)
        return 0;
    return sqlite_count(db, what->notice, what->channel, &delta, err) < 0 ? -1 : open_again(db, what, err);
}

/* Before the first slice, so that whatever is moved by a later one is not withheld by a word that still stands. */
static int begin_retry(struct sqlite *db, const struct store_retry *what, struct sqlite_retry *progress,
                       struct error *err)
{
    struct tally tally = {0};
    int lifted = lift_rest(db, what, err);

    if (lifted <= 0)
        return lifted;
    if (sqlite_tally(db, what->notice, &tally, NULL, NULL, err) < 0)
        return -1;
    progress->moved = tally.waiting - tally.claimed;
    return progress->moved > 0 ? open_again(db, what, err) : 0;
}

int sqlite_retry(struct sqlite *db, const struct store_retry *what, struct sqlite_retry *progress, struct error *err)
{
    struct tally tally;
    uint32_t last_seq = 0;

    if (what->fate != FATE_REFUSED && what->fate != FATE_IN_DOUBT && what->fate != FATE_WITHHELD)
        return error_set(err, ERROR_REFUSED, "only refused, in doubt and withheld people can be tried again");
    progress->kept = progress->moved;
    if (progress->behind == 0 && begin_retry(db, what, progress, err) < 0)
        return -1;
    if (retry_some(db, what, progress, err) < 0 || sqlite_tally(db, what->notice, &tally, NULL, &last_seq, err) < 0)
        return -1;
    return progress->behind < last_seq;
}

int sqlite_evidence(struct sqlite *db, int64_t notice, int64_t at_ms, const char *json, struct error *err)
{
    return sqlite_run(db, err, "INSERT INTO evidence VALUES(?1, ?2, ?3)", "iis", notice, at_ms, json);
}
