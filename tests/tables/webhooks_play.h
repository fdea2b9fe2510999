/* webhooks_play.h - webhooks.c over a real store, a clock that only the test moves, and receivers that answer as told.
 */
#ifndef ONSALE_WEBHOOKS_PLAY_H
#define ONSALE_WEBHOOKS_PLAY_H

#include "webhooks.h"

#include "store_bench.h"

enum { ENDPOINTS = 2, POSTS_MAX = 64 };

static const char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

struct receiver {
    fetch_done_fn *done; /* somebody asks; NULL nobody */
    void *ctx;
    char id[64], type[40], timestamp[24], signature[128];
    bool public_only;
    int calls, cancelled;
};

struct play {
    struct bench bench;
    struct alarms *alarms;
    struct world world;
    struct webhook_settings settings[ENDPOINTS];
    struct receiver receivers[ENDPOINTS];
    struct webhook_post post;
    struct notice *notice;
    char *log;
    size_t log_size;
    struct log out;
    char told[200]; /* the last mail to operators */
    int mails;
};

/* --- The receivers --- */

static inline struct fetch *post_start(void *ctx, const struct fetch_spec *spec, fetch_done_fn *done, void *done_ctx,
                                       struct error *err)
{
    struct play *p = ctx;
    struct receiver *receiver = &p->receivers[strcmp(spec->url, p->settings[1].url) == 0];
    json_t *body = json_loadb(spec->body.ptr, spec->body.len, 0, NULL);

    (void)err;
    assert_null(receiver->done); /* one at a time */
    assert_non_null(body);
    assert_string_equal(spec->method, "POST");
    *receiver = (struct receiver){done, done_ctx, .public_only = spec->public_only, .calls = receiver->calls + 1};
    snprintf(receiver->type, sizeof receiver->type, "%s", json_string_value(json_object_get(body, "type")));
    for (size_t i = 0; i < spec->header_count; i++) {
        const struct fetch_header *header = &spec->headers[i];
        if (strcmp(header->name, "webhook-id") == 0)
            snprintf(receiver->id, sizeof receiver->id, "%s", header->value);
        else if (strcmp(header->name, "webhook-timestamp") == 0)
            snprintf(receiver->timestamp, sizeof receiver->timestamp, "%s", header->value);
        else if (strcmp(header->name, "webhook-signature") == 0)
            snprintf(receiver->signature, sizeof receiver->signature, "%s", header->value);
    }
    json_decref(body);
    return (struct fetch *)receiver;
}

static inline void post_cancel(void *ctx, struct fetch **fetch)
{
    (void)ctx;
    if (*fetch) {
        ((struct receiver *)*fetch)->done = NULL;
        ((struct receiver *)*fetch)->cancelled++;
    }
    *fetch = NULL;
}

/* --- The play --- */

static inline void settle(struct play *p)
{
    do
        while (store_pending(p->world.store) > 0)
            uv_run(&p->bench.loop, UV_RUN_ONCE);
    while (alarms_run(p->alarms) > 0);
    fflush(p->out.out);
}

static inline void move(struct play *p, int64_t span_ms)
{
    p->bench.ahead_ms += span_ms;
    settle(p);
}

/* `said` for status 0: why no answer came. */
static inline void answer(struct play *p, struct receiver *receiver, int status, int64_t retry_after_ms,
                          const char *said)
{
    struct error err = {0};
    fetch_done_fn *done = receiver->done;

    if (!status)
        error_set(&err, ERROR_TRY_LATER, "%s", said);
    if (!done)
        fail_msg("nobody asks: %s", p->log);
    receiver->done = NULL;
    done(receiver->ctx, &(struct fetch_result){.status = status,
                                               .body = text_of(status ? said : NULL),
                                               .retry_after_ms = retry_after_ms,
                                               .failure = status ? NULL : &err});
    settle(p);
}

static inline void fine(struct play *p, struct receiver *receiver)
{
    answer(p, receiver, 200, -1, NULL);
}

/* Moves time on by steps until somebody asks; how long it took, at most `limit_ms`. */
static inline int64_t until_asked(struct play *p, const struct receiver *receiver, int64_t step_ms, int64_t limit_ms)
{
    int64_t span_ms = 0;

    while (!receiver->done && span_ms < limit_ms) {
        move(p, step_ms);
        span_ms += step_ms;
    }
    return span_ms;
}

static inline size_t logged(const struct play *p, const char *what)
{
    size_t count = 0;

    for (const char *at = p->log; (at = strstr(at, what)); at++)
        count++;
    return count;
}

static inline void on_mail(void *ctx, const char *subject, const char *body)
{
    struct play *p = ctx;

    (void)body;
    snprintf(p->told, sizeof p->told, "%s", subject);
    p->mails++;
}

static inline void raise_curtain(struct play *p, size_t count)
{
    struct error err = {0};

    p->world.webhooks = webhooks_new(&p->world, p->settings, count, &p->post, &err);
    if (!p->world.webhooks)
        fail_msg("%s", err.text);
    settle(p);
}

static inline void lower_curtain(struct play *p)
{
    webhooks_free(p->world.webhooks);
    p->world.webhooks = NULL;
    settle(p);
}

static inline void save(struct play *p)
{
    const struct notice *row = p->notice;

    store_apply(p->world.store,
                &(struct store_change){.notices = &row, .notice_count = 1, .now_ms = clock_now_ms(p->world.clock)},
                NULL, NULL);
    settle(p);
}

static inline void become(struct play *p, enum notice_state state, enum notice_reason reason)
{
    notice_move(p->notice, state, reason, NULL);
    save(p);
}

static inline struct opening *opening(struct openings *set, int64_t id, int64_t opens_at_ms)
{
    static const char *const members[] = {"t1"};
    struct opening *opening = openings_add(set, id, "arena", "e1", opens_at_ms, OPENING_SCHEDULED);

    opening_set_members(opening, members, 1);
    return opening;
}

static inline void save_opening(struct play *p, const struct opening *row)
{
    store_apply(p->world.store,
                &(struct store_change){.openings = &row, .opening_count = 1, .now_ms = clock_now_ms(p->world.clock)},
                NULL, NULL);
    settle(p);
}

static inline int set_up(void **state)
{
    struct play *p = must_calloc(1, sizeof *p);
    static const char *const names[] = {"crm", "chat"};
    static const char *const urls[] = {"https://crm.example/hook/secret-path", "https://chat.example/in"};
    struct error err = {0};

    bench_init(&p->bench);
    bench_open(&p->bench);
    p->alarms = alarms_new(&p->bench.loop, &p->bench.clock, &err);
    p->out = (struct log){.out = open_memstream(&p->log, &p->log_size), .level = LOG_DEBUG};
    for (size_t i = 0; i < ENDPOINTS; i++)
        p->settings[i] = (struct webhook_settings){
            .name = names[i], .url = urls[i], .secret = secret, .old_secret = "", .timeout_ms = 20 * SECOND_MS};
    p->post = (struct webhook_post){post_start, post_cancel, p};
    p->world = (struct world){.clock = &p->bench.clock,
                              .alarms = p->alarms,
                              .store = p->bench.store,
                              .log = &p->out,
                              .tell_operators = on_mail,
                              .tell_ctx = p};
    p->notice = notice_new(1, "arena", "e1", "on-sale", MOMENT_SALE_START, DUE_MS + DAY_MS, 1);
    p->notice->roll = 1;
    p->notice->due_at_ms = DUE_MS + DAY_MS;
    raise_curtain(p, 1);
    save(p);
    *state = p;
    return 0;
}

static inline int tear_down(void **state)
{
    struct play *p = *state;

    lower_curtain(p);
    assert_null(strstr(p->log, "secret-path")); /* a URL may be a secret */
    notice_free(p->notice);
    alarms_close(p->alarms);
    fclose(p->out.out);
    free(p->log);
    bench_clear(&p->bench);
    free(p);
    return 0;
}

static inline int64_t number_of(struct play *p, const char *field)
{
    struct error err = {0};
    json_t *rows = store_report_now(p->world.store, &(struct store_report){.kind = REPORT_WEBHOOKS}, &err);
    const json_t *value = json_object_get(json_array_get(rows, 0), field);
    int64_t number = json_is_string(value) ? 1 : json_integer_value(value);

    json_decref(rows);
    return number;
}

static inline void check_state(struct play *p, const char *expected)
{
    struct error err = {0};
    json_t *rows = store_report_now(p->world.store, &(struct store_report){.kind = REPORT_WEBHOOKS}, &err);
    const char *state = json_string_value(json_object_get(json_array_get(rows, 0), "state"));

    if (!state || strcmp(state, expected) != 0)
        fail_msg("%s, not %s", state, expected);
    json_decref(rows);
}

/* What something else does to the state. */
static inline void change(const struct play *p, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(p->bench.db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* A notice that is released, as its row says it. */
static inline void start_notice(struct play *p)
{
    notice_move(p->notice, NOTICE_GATHERING, REASON_NONE, NULL);
    notice_move(p->notice, NOTICE_READY, REASON_NONE, NULL);
    notice_course(p->notice)->released_at_ms = clock_now_ms(p->world.clock);
    become(p, NOTICE_SENDING, REASON_NONE);
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
