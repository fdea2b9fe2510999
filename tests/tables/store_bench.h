/* store_bench.h - a store in a folder of its own, with real threads, and calls that wait for their answers. */
#ifndef ONSALE_STORE_BENCH_H
#define ONSALE_STORE_BENCH_H

#include "store/store.h"
#include "table.h"

#include <ftw.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/wait.h>

#define DUE_MS 1806048000000 /* 2027-03-26T08:00:00Z */

/* The clock of the tests stands still at DUE_MS + `ahead_ms`. */
enum { BENCH_CLAIMS = 4 };

struct bench {
    char folder[32], url[96], db[80], witness[80];
    const char *instance;
    struct clock clock;
    int64_t ahead_ms;
    uv_loop_t loop;
    struct store *store;
    bool answered;
    struct error failure;
    struct store_gathered gathered;
    struct store_launch launch;
    struct store_again again[64];
    struct bench_delivery {
        uint32_t seq;
        int attempt;
        bool seed;
        char address[64];
    } got[4096];
    size_t got_count;
    struct store_progress progress[8];
    size_t claim_count; /* asked for in the last turn */
    int64_t claimed[BENCH_CLAIMS];
    size_t progress_count;
    int64_t count;
    json_t *report;
};

static int64_t bench_clock(void *ctx)
{
    return DUE_MS + ((struct bench *)ctx)->ahead_ms;
}

static inline int bench_remove(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static inline void bench_init(struct bench *b)
{
    memset(b, 0, sizeof *b);
    strcpy(b->folder, "/tmp/onsale-store-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    snprintf(b->db, sizeof b->db, "%s/onsale.db", b->folder);
    snprintf(b->url, sizeof b->url, "sqlite:%s", b->db);
    snprintf(b->witness, sizeof b->witness, "%s/witness", b->folder);
    b->instance = "test";
    b->clock = (struct clock){bench_clock, bench_clock, b};
    assert_int_equal(uv_loop_init(&b->loop), 0);
}

static inline bool bench_try_open(struct bench *b, struct error *err)
{
    struct store_spec spec = {
        .url = b->url, .instance = b->instance, .witness_path = b->witness, .clock = &b->clock, .loop = &b->loop};

    b->store = store_open(&spec, err);
    if (!b->store)
        uv_run(&b->loop, UV_RUN_NOWAIT);
    return b->store != NULL;
}

static inline void bench_open(struct bench *b)
{
    struct error err = {0};

    if (!bench_try_open(b, &err))
        fail_msg("%s", err.text);
}

static inline void bench_close(struct bench *b)
{
    store_close(b->store);
    b->store = NULL;
    json_decref(b->report);
    b->report = NULL;
    uv_run(&b->loop, UV_RUN_DEFAULT);
}

static inline void bench_clear(struct bench *b)
{
    bench_close(b);
    assert_int_equal(uv_loop_close(&b->loop), 0);
    nftw(b->folder, bench_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void bench_wait(struct bench *b)
{
    while (!b->answered)
        uv_run(&b->loop, UV_RUN_ONCE);
    b->answered = false;
}

static inline void bench_note(struct bench *b, const struct error *failure)
{
    b->failure = failure ? *failure : (struct error){0};
    b->answered = true;
}

static inline void bench_on_done(void *ctx, const struct error *failure)
{
    bench_note(ctx, failure);
}

static inline void bench_on_gathered(void *ctx, const struct store_gathered *result)
{
    ((struct bench *)ctx)->gathered = *result;
    bench_note(ctx, result->failure);
}

static inline void bench_on_launch(void *ctx, const struct store_launch *launch)
{
    struct bench *b = ctx;

    b->launch = *launch;
    for (size_t i = 0; i < launch->again_count && i < 64; i++)
        b->again[i] = launch->again[i];
    bench_note(b, launch->failure);
}

static inline void bench_on_turn(void *ctx, const struct store_turned *result)
{
    struct bench *b = ctx;

    b->got_count = result->delivery_count;
    b->progress_count = result->progress_count;
    assert_true(b->got_count <= 4096 && b->progress_count <= 8);
    for (size_t i = 0; i < result->delivery_count; i++) {
        const struct store_delivery *d = &result->deliveries[i];
        b->got[i] = (struct bench_delivery){.seq = d->seq, .attempt = d->attempt, .seed = d->seed};
        snprintf(b->got[i].address, sizeof b->got[i].address, "%.*s", TEXT_ARGS(d->address));
    }
    for (size_t i = 0; i < result->progress_count; i++)
        b->progress[i] = result->progress[i];
    for (size_t i = 0; i < BENCH_CLAIMS && !result->failure; i++)
        b->claimed[i] = i < b->claim_count ? (int64_t)result->claims[i].count : 0;
    const struct error *failure = result->failure;
    for (size_t i = 0; i < b->claim_count && !failure; i++)
        failure = result->claims[i].failure;
    bench_note(b, failure);
}

static inline void bench_on_count(void *ctx, int64_t count, const struct error *failure)
{
    ((struct bench *)ctx)->count = count;
    bench_note(ctx, failure);
}

static inline void bench_on_report(void *ctx, json_t *answer, const struct error *failure)
{
    struct bench *b = ctx;

    json_decref(b->report);
    b->report = json_incref(answer);
    bench_note(b, failure);
}

static inline void bench_on_erased(void *ctx, const struct store_erased *result)
{
    bench_note(ctx, result->failure);
}

static inline void bench_fine(const struct bench *b)
{
    if (b->failure.kind != ERROR_NONE)
        fail_msg("%s", b->failure.text);
}

static inline void bench_apply(struct bench *b, const struct store_change *change)
{
    store_apply(b->store, change, bench_on_done, b);
    bench_wait(b);
}

static inline void bench_key(unsigned char key[PERSON_KEY_SIZE], unsigned who)
{
    uint64_t mixed = who * 0x9E3779B97F4A7C15u; /* spread like a hash */

    memset(key, 0, PERSON_KEY_SIZE);
    memcpy(key, &mixed, sizeof mixed);
    memcpy(key + 8, &who, sizeof who);
}

static inline json_t *bench_report(struct bench *b, const struct store_report *what)
{
    store_report(b->store, what, bench_on_report, b);
    bench_wait(b);
    bench_fine(b);
    return b->report;
}

/* What is known of person `who`. */
static inline json_t *bench_why(struct bench *b, unsigned who)
{
    struct store_report what = {.kind = REPORT_WHY, .address = "x@example.org"};

    bench_key(what.key, who);
    return bench_report(b, &what);
}

/* The audit finds nothing to complain about. */
static inline void bench_audit(struct bench *b)
{
    json_t *problems = json_object_get(bench_report(b, &(struct store_report){.kind = REPORT_AUDIT}), "problems");

    if (json_array_size(problems))
        fail_msg("audit: %s", json_string_value(json_array_get(problems, 0)));
}

/* Fixtures of cmocka: an open store for each test; what the test leaves of it is audited. */
static inline int bench_set_up(void **state)
{
    struct bench *b = must_calloc(1, sizeof *b);

    bench_init(b);
    bench_open(b);
    *state = b;
    return 0;
}

static inline int bench_tear_down(void **state)
{
    if (((struct bench *)*state)->store)
        bench_audit(*state);
    bench_clear(*state);
    free(*state);
    return 0;
}

/* A notice of its own event, due at DUE_MS, that is sending by read 1. */
static inline struct notice *bench_notice(int64_t id)
{
    char subject[32];

    snprintf(subject, sizeof subject, "event-%lld", (long long)id);
    struct notice *n = notice_new(id, "arena", subject, "on-sale", MOMENT_SALE_START, DUE_MS, 1);
    n->roll = id;
    n->due_at_ms = DUE_MS;
    n->state = NOTICE_SENDING;
    notice_course(n)->pass = 1;
    notice_course(n)->gathered_at_ms = DUE_MS - 10 * MINUTE_MS;
    return n;
}

static inline void bench_put(struct bench *b, const struct notice *n)
{
    bench_apply(b, &(struct store_change){
                       .notices = &n, .notice_count = 1, .first_walk_at_ms = MOMENT_NONE, .watermark_ms = MOMENT_NONE});
    bench_fine(b);
}

static inline void bench_add_notice(struct bench *b, int64_t id)
{
    struct notice *n = bench_notice(id);

    bench_put(b, n);
    notice_free(n);
}

/* As a tool calls them: in no order that a list would have. */
enum { BENCH_ID_SIZE = 40 };

static inline void bench_source_id(char out[BENCH_ID_SIZE], unsigned who)
{
    snprintf(out, BENCH_ID_SIZE, "%08x-a11d-4e0f-8000-%012x", who * 0x9E3779B1u, who);
}

static inline void bench_say(struct bench *b, int64_t roll, int64_t pass, unsigned audience, unsigned who,
                             enum consent consent)
{
    char address[32], id[BENCH_ID_SIZE];
    struct store_person person = {.consent = consent, .name = TEXT("Ada"), .attributes = TEXT("{}")};

    bench_source_id(id, who);
    snprintf(address, sizeof address, "p%u@example.org", who);
    person.address = text_of(address);
    person.source_id = text_of(id);
    bench_key(person.key, who);
    store_gather(b->store,
                 &(struct store_gather){.roll = roll,
                                        .pass = pass,
                                        .audience = audience,
                                        .source = audience == 0   ? "fans"
                                                  : audience == 1 ? "door"
                                                                  : "seed",
                                        .people = &person,
                                        .count = 1,
                                        .cursor = "page 2"},
                 bench_on_gathered, b);
    bench_wait(b);
    bench_fine(b);
}

/* People `from`..`to` say yes to audience 0 in one page. */
static inline void bench_gather(struct bench *b, int64_t roll, int64_t pass, unsigned from, unsigned to)
{
    size_t count = to - from + 1;
    struct store_person *people = must_calloc(count, sizeof *people);
    char(*addresses)[32] = must_calloc(count, sizeof *addresses);
    char(*ids)[BENCH_ID_SIZE] = must_calloc(count, sizeof *ids);

    for (size_t i = 0; i < count; i++) {
        snprintf(addresses[i], sizeof *addresses, "p%u@example.org", from + (unsigned)i);
        bench_source_id(ids[i], from + (unsigned)i);
        people[i] = (struct store_person){.source_id = text_of(ids[i]),
                                          .address = text_of(addresses[i]),
                                          .name = TEXT("Ada"),
                                          .locale = TEXT("lt"),
                                          .zone = TEXT("Europe/Vilnius"),
                                          .attributes = TEXT("{\"city\":\"Vilnius\"}")};
        bench_key(people[i].key, from + (unsigned)i);
    }
    store_gather(b->store,
                 &(struct store_gather){
                     .roll = roll, .pass = pass, .source = "fans", .people = people, .count = count, .cursor = ""},
                 bench_on_gathered, b);
    free(people);
    free(ids);
    free(addresses); /* the store has its copy */
    bench_wait(b);
    bench_fine(b);
}

/* Notice 1 has come to its end. */
static inline void bench_end(struct bench *b, enum notice_state state, enum withheld rest)
{
    struct notice *n = bench_notice(1);

    n->state = state;
    n->rest = rest;
    notice_course(n)->ended_at_ms = DUE_MS;
    bench_put(b, n);
    notice_free(n);
}

/* What became of it is in b->count and b->failure. */
static inline void bench_suppress(struct bench *b, const struct store_suppression *list, size_t count)
{
    store_suppress(b->store, list, count, bench_on_count, b);
    bench_wait(b);
}

/* Our own word that one person is not written to, for everything ("") or as one of an audience; or it is taken back. */
static inline void bench_suppress_one(struct bench *b, unsigned who, const char *scope, bool lift)
{
    struct store_suppression what = {.scope = scope, .reason = "operator", .at_ms = DUE_MS, .lift = lift};

    bench_key(what.key, who);
    bench_suppress(b, &what, 1);
    bench_fine(b);
}

/* b->failure is the turn's, or of the first claim that could not be made. */
static inline void bench_claims(struct bench *b, const struct store_fate *fates, size_t fate_count,
                                const struct store_claim *claims, size_t claim_count)
{
    assert_true(claim_count <= BENCH_CLAIMS);
    b->claim_count = claim_count;
    store_turn(b->store,
               &(struct store_turn){.channel = "mail",
                                    .fates = fates,
                                    .fate_count = fate_count,
                                    .claims = claims,
                                    .claim_count = claim_count,
                                    .now_ms = bench_clock(b)},
               bench_on_turn, b);
    bench_wait(b);
}

static inline void bench_turn(struct bench *b, const struct store_fate *fates, size_t fate_count,
                              const struct store_claim *claim)
{
    bench_claims(b, fates, fate_count, claim, claim != NULL);
}

static inline void bench_claim(struct bench *b, int64_t notice, size_t want, int64_t pass)
{
    bench_turn(b, NULL, 0, &(struct store_claim){.notice = notice, .want = want, .pass = pass});
    bench_fine(b);
}

static inline void bench_fate(struct bench *b, int64_t notice, uint32_t seq, int attempt, enum fate fate,
                              enum withheld withheld)
{
    struct store_fate one = {.notice = notice,
                             .seq = seq,
                             .attempt = attempt,
                             .fate = fate,
                             .withheld = withheld,
                             .code = fate == FATE_REFUSED     ? 550
                                     : fate == FATE_TRY_LATER ? 451
                                                              : 0,
                             .text = fate == FATE_REFUSED ? "mailbox unknown" : NULL,
                             .at_ms = bench_clock(b),
                             .next_at_ms = bench_clock(b) + SECOND_MS};

    bench_turn(b, &one, 1, NULL);
    bench_fine(b);
}

static inline void bench_adopt(struct bench *b)
{
    store_adopt(b->store, bench_on_done, b);
    bench_wait(b);
    bench_fine(b);
}

static inline void bench_launch(struct bench *b, int64_t notice, int repeat_below)
{
    store_launch(b->store, notice, "mail", repeat_below, bench_on_launch, b);
    bench_wait(b);
    bench_fine(b);
}

static inline void bench_tally_is(const struct tally *t, struct tally want)
{
    if (memcmp(t, &want, sizeof want) != 0)
        fail_msg("planned %lld waiting %lld accepted %lld refused %lld in doubt %lld withheld %lld claimed %lld",
                 (long long)t->planned, (long long)t->waiting, (long long)t->accepted, (long long)t->refused,
                 (long long)t->in_doubt, (long long)t->withheld, (long long)t->claimed);
    assert_int_equal(t->planned, t->waiting + t->accepted + t->refused + t->in_doubt + t->withheld);
}

/* Behind the store's back. */
static inline void bench_sql(const struct bench *b, const char *sql)
{
    sqlite3 *db;
    char *why = NULL;

    assert_int_equal(sqlite3_open(b->db, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    sqlite3_close(db);
}

/* What one number of the file is, read behind the store's back. */
static inline int64_t bench_number(const struct bench *b, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *row;

    assert_int_equal(sqlite3_open(b->db, &db), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK || sqlite3_step(row) != SQLITE_ROW)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    int64_t number = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return number;
}

#endif
