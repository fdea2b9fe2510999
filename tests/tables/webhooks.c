/* webhooks.c over a real store, a clock that only the test moves, and receivers that answer as told. */
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

static struct fetch *post_start(void *ctx, const struct fetch_spec *spec, fetch_done_fn *done, void *done_ctx,
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

static void post_cancel(void *ctx, struct fetch **fetch)
{
    (void)ctx;
    if (*fetch) {
        ((struct receiver *)*fetch)->done = NULL;
        ((struct receiver *)*fetch)->cancelled++;
    }
    *fetch = NULL;
}

/* --- The play --- */

static void settle(struct play *p)
{
    do
        while (store_pending(p->world.store) > 0)
            uv_run(&p->bench.loop, UV_RUN_ONCE);
    while (alarms_run(p->alarms) > 0);
    fflush(p->out.out);
}

static void move(struct play *p, int64_t span_ms)
{
    p->bench.ahead_ms += span_ms;
    settle(p);
}

/* `said` for status 0: why no answer came. */
static void answer(struct play *p, struct receiver *receiver, int status, int64_t retry_after_ms, const char *said)
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

static void fine(struct play *p, struct receiver *receiver)
{
    answer(p, receiver, 200, -1, NULL);
}

/* Moves time on by steps until somebody asks; how long it took, at most `limit_ms`. */
static int64_t until_asked(struct play *p, const struct receiver *receiver, int64_t step_ms, int64_t limit_ms)
{
    int64_t span_ms = 0;

    while (!receiver->done && span_ms < limit_ms) {
        move(p, step_ms);
        span_ms += step_ms;
    }
    return span_ms;
}

static size_t logged(const struct play *p, const char *what)
{
    size_t count = 0;

    for (const char *at = p->log; (at = strstr(at, what)); at++)
        count++;
    return count;
}

static void on_mail(void *ctx, const char *subject, const char *body)
{
    struct play *p = ctx;

    (void)body;
    snprintf(p->told, sizeof p->told, "%s", subject);
    p->mails++;
}

static void raise_curtain(struct play *p, size_t count)
{
    struct error err = {0};

    p->world.webhooks = webhooks_new(&p->world, p->settings, count, &p->post, &err);
    if (!p->world.webhooks)
        fail_msg("%s", err.text);
    settle(p);
}

static void lower_curtain(struct play *p)
{
    webhooks_free(p->world.webhooks);
    p->world.webhooks = NULL;
    settle(p);
}

static void save(struct play *p)
{
    const struct notice *row = p->notice;

    store_apply(p->world.store,
                &(struct store_change){.notices = &row, .notice_count = 1, .now_ms = clock_now_ms(p->world.clock)},
                NULL, NULL);
    settle(p);
}

static void become(struct play *p, enum notice_state state, enum notice_reason reason)
{
    notice_move(p->notice, state, reason, NULL);
    save(p);
}

static struct opening *opening(struct openings *set, int64_t id, int64_t opens_at_ms)
{
    static const char *const members[] = {"t1"};
    struct opening *opening = openings_add(set, id, "arena", "e1", opens_at_ms, OPENING_SCHEDULED);

    opening_set_members(opening, members, 1);
    return opening;
}

static void save_opening(struct play *p, const struct opening *row)
{
    store_apply(p->world.store,
                &(struct store_change){.openings = &row, .opening_count = 1, .now_ms = clock_now_ms(p->world.clock)},
                NULL, NULL);
    settle(p);
}

static int set_up(void **state)
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

static int tear_down(void **state)
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

static int64_t number_of(struct play *p, const char *field)
{
    struct error err = {0};
    json_t *rows = store_report_now(p->world.store, &(struct store_report){.kind = REPORT_WEBHOOKS}, &err);
    const json_t *value = json_object_get(json_array_get(rows, 0), field);
    int64_t number = json_is_string(value) ? 1 : json_integer_value(value);

    json_decref(rows);
    return number;
}

static void check_state(struct play *p, const char *expected)
{
    struct error err = {0};
    json_t *rows = store_report_now(p->world.store, &(struct store_report){.kind = REPORT_WEBHOOKS}, &err);
    const char *state = json_string_value(json_object_get(json_array_get(rows, 0), "state"));

    if (!state || strcmp(state, expected) != 0)
        fail_msg("%s, not %s", state, expected);
    json_decref(rows);
}

/* What something else does to the state. */
static void change(const struct play *p, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(p->bench.db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* A notice that is released, as its row says it. */
static void start_notice(struct play *p)
{
    notice_move(p->notice, NOTICE_GATHERING, REASON_NONE, NULL);
    notice_move(p->notice, NOTICE_READY, REASON_NONE, NULL);
    notice_course(p->notice)->released_at_ms = clock_now_ms(p->world.clock);
    become(p, NOTICE_SENDING, REASON_NONE);
}

/* --- Stories --- */

static void told_once_in_order(void **state)
{
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];

    assert_null(crm->done); /* that it is planned is nobody's news */
    start_notice(p);
    assert_string_equal(crm->type, "notice.started");
    assert_true(crm->public_only);
    assert_true(strncmp(crm->id, "msg_", 4) == 0 && !strchr(crm->id, '.'));
    assert_true(strncmp(crm->signature, "v1,", 3) == 0 && !strchr(crm->signature, ' '));
    become(p, NOTICE_HELD, REASON_OPERATOR);
    become(p, NOTICE_SENDING, REASON_NONE);
    become(p, NOTICE_DONE, REASON_NONE);
    assert_int_equal(crm->calls, 1); /* one at a time */
    fine(p, crm);
    assert_string_equal(crm->type, "notice.held");
    fine(p, crm);
    assert_string_equal(crm->type, "notice.done");
    fine(p, crm);
    assert_null(crm->done);
    save(p); /* the same row again */
    assert_int_equal(crm->calls, 3);
    assert_int_equal(number_of(p, "waiting"), 0);
    assert_int_equal(number_of(p, "accepted"), 3);
    check_state(p, "well");
}

/* Whatever was not answered for is told by the next start, under its id. */
static void a_restart_tells_what_is_left(void **state)
{
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];
    char id[64];

    start_notice(p);
    snprintf(id, sizeof id, "%s", crm->id);
    lower_curtain(p);
    assert_int_equal(crm->cancelled, 1);
    become(p, NOTICE_HELD, REASON_OPERATOR); /* while nobody tells */
    raise_curtain(p, 1);
    assert_string_equal(crm->id, id);
    fine(p, crm);
    assert_string_equal(crm->type, "notice.held");
    fine(p, crm);
    lower_curtain(p);
    raise_curtain(p, 1);
    move(p, HOUR_MS);
    assert_int_equal(crm->calls, 3); /* and nothing twice */
}

static void tried_again_for_three_days(void **state)
{
    static const int64_t waits_ms[] = {5 * SECOND_MS, 5 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS, 5 * HOUR_MS,
                                       10 * HOUR_MS,  14 * HOUR_MS,  20 * HOUR_MS,   24 * HOUR_MS};
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];
    char id[64];

    start_notice(p);
    snprintf(id, sizeof id, "%s", crm->id);
    for (size_t i = 0; i < ARRAY_LEN(waits_ms); i++) {
        int64_t step_ms = waits_ms[i] / 50, began_ms = p->bench.ahead_ms;
        char timestamp[24];
        answer(p, crm, 0, -1, "crm.example: no connection in time");
        assert_null(crm->done);
        move(p, waits_ms[i] - 1);
        assert_null(crm->done); /* never before its time */
        until_asked(p, crm, step_ms, waits_ms[i]);
        int64_t waited_ms = p->bench.ahead_ms - began_ms;
        if (!crm->done || waited_ms > waits_ms[i] * 6 / 5 + step_ms)
            fail_msg("try %zu: after %lld ms", i + 2, (long long)waited_ms);
        assert_string_equal(crm->id, id);
        snprintf(timestamp, sizeof timestamp, "%lld", (long long)(clock_now_ms(p->world.clock) / SECOND_MS));
        assert_string_equal(crm->timestamp, timestamp); /* of this try */
    }
    assert_int_equal(crm->calls, 10);
    assert_int_equal(p->mails, 0);
    answer(p, crm, 500, -1, "out of order");
    assert_int_equal(p->mails, 1);
    assert_string_equal(p->told, "Webhook crm is disabled");
    check_state(p, "disabled");
    move(p, 7 * (int64_t)DAY_MS);
    assert_int_equal(crm->calls, 10);
    assert_int_equal(logged(p, "event=webhook_waits"), 1); /* one trouble, one line */
    assert_int_equal(logged(p, "event=webhook_disabled"), 1);
    lower_curtain(p);
    raise_curtain(p, 1);
    assert_int_equal(crm->calls, 10); /* also to the next start */
    store_webhook_enable(p->world.store, "crm", NULL, NULL);
    settle(p);
    assert_string_equal(crm->id, id);
    fine(p, crm);
    check_state(p, "well");
}

static void gone_is_gone(void **state)
{
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];

    start_notice(p);
    answer(p, crm, 410, -1, "no more of this");
    assert_int_equal(p->mails, 1);
    check_state(p, "disabled");
    become(p, NOTICE_HELD, REASON_OPERATOR); /* kept for later */
    move(p, 3 * (int64_t)DAY_MS);
    assert_int_equal(crm->calls, 1);
    assert_int_equal(number_of(p, "waiting"), 2);
    store_webhook_enable(p->world.store, "crm", NULL, NULL);
    settle(p);
    assert_string_equal(crm->type, "notice.started");
}

static void waits_as_it_was_asked(void **state)
{
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];

    start_notice(p);
    answer(p, crm, 429, 10 * MINUTE_MS, NULL);
    become(p, NOTICE_HELD, REASON_OPERATOR); /* also nothing new is told before */
    move(p, 10 * MINUTE_MS - 1);
    assert_int_equal(crm->calls, 1);
    move(p, 1);
    assert_string_equal(crm->type, "notice.started");
    fine(p, crm);
    /* It was busy: the next one comes a moment later. */
    assert_null(crm->done);
    move(p, SECOND_MS);
    assert_string_equal(crm->type, "notice.held");
}

/* A receiver that is back is noticed as soon as there is something new, not hours later; in order all the same. */
static void something_new_is_a_reason_to_try(void **state)
{
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];

    start_notice(p);
    for (int i = 0; i < 4; i++) { /* now two hours are to be waited */
        answer(p, crm, 500, -1, NULL);
        until_asked(p, crm, 10 * SECOND_MS, HOUR_MS);
    }
    assert_null(crm->done);
    become(p, NOTICE_HELD, REASON_OPERATOR);
    assert_string_equal(crm->type, "notice.started");
    answer(p, crm, 500, -1, NULL); /* not yet: that counts for nothing */
    become(p, NOTICE_SENDING, REASON_NONE);
    become(p, NOTICE_DONE, REASON_NONE);
    assert_null(crm->done); /* twice in five seconds is too much */
    assert_int_equal(until_asked(p, crm, 100, HOUR_MS), 5 * SECOND_MS);
    answer(p, crm, 500, -1, NULL);
    int64_t waited_ms = until_asked(p, crm, 10 * SECOND_MS, 3 * HOUR_MS);
    assert_true(crm->done && waited_ms > HOUR_MS && waited_ms < 3 * HOUR_MS);
    answer(p, crm, 500, -1, NULL); /* the fifth by the schedule */
    waited_ms = until_asked(p, crm, 10 * SECOND_MS, 12 * HOUR_MS);
    assert_true(crm->done && waited_ms >= 5 * HOUR_MS && waited_ms <= 6 * HOUR_MS + MINUTE_MS);
    fine(p, crm);
    assert_string_equal(crm->type, "notice.held"); /* all that waited follows at once, in order */
    fine(p, crm);
    assert_string_equal(crm->type, "notice.done");
    fine(p, crm);
    assert_int_equal(number_of(p, "waiting"), 0);
}

/* What it does not take is passed by what it takes; given up in the end, and the rest goes on. */
static void a_refused_one_is_passed(void **state)
{
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];
    char id[64];

    start_notice(p);
    snprintf(id, sizeof id, "%s", crm->id);
    answer(p, crm, 400, -1, "unknown type");
    become(p, NOTICE_HELD, REASON_OPERATOR);
    assert_string_equal(crm->type, "notice.held");
    fine(p, crm);
    for (int i = 1; i < WEBHOOK_TRIES; i++) {
        until_asked(p, crm, SECOND_MS * (i > 4 ? 600 : 5), 30 * (int64_t)HOUR_MS);
        assert_string_equal(crm->id, id);
        answer(p, crm, 422, -1, NULL);
    }
    assert_string_equal(p->told, "Webhook crm did not take an event");
    assert_int_equal(logged(p, "event=webhook_given_up"), 1);
    assert_int_equal(logged(p, "event=webhook_dropped"), 0);
    check_state(p, "well");
    assert_int_equal(number_of(p, "dropped"), 1);
    become(p, NOTICE_CANCELLED, REASON_NONE);
    assert_string_equal(crm->type, "notice.stopped");
}

/* Nobody waits for a neighbour. Each hears what it wants, of the sites it wants. */
static void endpoints_are_strangers(void **state)
{
    static const char *types[] = {"notice.done"}, *sites[] = {"club"};
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0], *chat = &p->receivers[1];

    p->settings[1].events = (struct config_list){types, NULL, 1};
    p->settings[1].allow_private = true;
    lower_curtain(p);
    raise_curtain(p, 2);
    start_notice(p);
    assert_int_equal(chat->calls, 0);
    become(p, NOTICE_DONE, REASON_NONE);
    assert_string_equal(crm->type, "notice.started"); /* hangs */
    assert_string_equal(chat->type, "notice.done");
    assert_false(chat->public_only);
    fine(p, chat);
    p->settings[1].sites = (struct config_list){sites, NULL, 1};
    lower_curtain(p);
    raise_curtain(p, 2);
    become(p, NOTICE_SENDING, REASON_NONE); /* tried again by an operator */
    become(p, NOTICE_DONE, REASON_NONE);
    assert_int_equal(chat->calls, 1);
}

static void both_secrets_sign(void **state)
{
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];

    p->settings[0].old_secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    lower_curtain(p);
    raise_curtain(p, 1);
    start_notice(p);
    const char *second = strchr(crm->signature, ' ');
    assert_non_null(second);
    assert_true(strncmp(second + 1, "v1,", 3) == 0);
    assert_true(strncmp(crm->signature, second + 1, strlen(second + 1)) != 0);
}

/* Five tickets moved by hand are one move, to the second after the last. */
static void openings_are_told_when_it_is_quiet(void **state)
{
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];
    struct openings set = {0};
    struct opening *one = opening(&set, 1, DUE_MS + DAY_MS);

    save_opening(p, one);
    move(p, 30 * SECOND_MS);
    one->opens_at_ms += HOUR_MS;
    save_opening(p, one);
    move(p, MINUTE_MS - 1);
    assert_int_equal(crm->calls, 0);
    move(p, 1);
    assert_string_equal(crm->type, "opening.scheduled");
    fine(p, crm);
    one->opens_at_ms += HOUR_MS;
    save_opening(p, one);
    struct opening *other = opening(&set, 2, DUE_MS + 2 * DAY_MS); /* of the same event */
    move(p, 30 * SECOND_MS);
    save_opening(p, other);
    move(p, MINUTE_MS - 1);
    assert_int_equal(crm->calls, 1);
    lower_curtain(p); /* a crash loses nothing of it */
    move(p, HOUR_MS);
    raise_curtain(p, 1);
    assert_string_equal(crm->type, "opening.moved");
    fine(p, crm);
    assert_string_equal(crm->type, "opening.scheduled");
    fine(p, crm);
    other->state = OPENING_WITHDRAWN;
    save_opening(p, other);
    move(p, MINUTE_MS);
    assert_string_equal(crm->type, "opening.withdrawn");
    fine(p, crm);
    other->state = OPENING_SCHEDULED; /* there, and away again: nobody's news */
    save_opening(p, other);
    other->state = OPENING_WITHDRAWN;
    save_opening(p, other);
    move(p, HOUR_MS);
    assert_int_equal(crm->calls, 4);
    openings_clear(&set);
}

static void an_event_that_is_never_quiet_is_told(void **state)
{
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];
    struct openings set = {0};
    struct opening *one = opening(&set, 1, DUE_MS + DAY_MS);
    int minutes = 0;

    for (; !crm->done && minutes < 60; minutes++) {
        one->opens_at_ms += HOUR_MS;
        save_opening(p, one);
        move(p, 30 * SECOND_MS);
        save_opening(p, one);
        move(p, 30 * SECOND_MS);
    }
    assert_int_equal(minutes, 10);
    openings_clear(&set);
}

/* What was there before there was an endpoint, what is on sale already, and what has been. */
static void old_openings_are_no_news(void **state)
{
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];
    struct openings set = {0};

    lower_curtain(p);
    raise_curtain(p, 0);
    struct opening *old = opening(&set, 1, DUE_MS + DAY_MS);
    save_opening(p, old);
    lower_curtain(p);
    raise_curtain(p, 1);
    struct opening *past = opening(&set, 2, DUE_MS - DAY_MS);
    save_opening(p, past);
    save_opening(p, old);
    move(p, HOUR_MS);
    assert_int_equal(crm->calls, 0);
    past->state = OPENING_WITHDRAWN;
    save_opening(p, past);
    move(p, HOUR_MS);
    assert_int_equal(crm->calls, 0);
    old->opens_at_ms += HOUR_MS;
    save_opening(p, old);
    move(p, HOUR_MS);
    assert_string_equal(crm->type, "opening.moved");
    openings_clear(&set);
}

/* Dead for days: the oldest go, and that is said. */
static void a_dead_one_does_not_fill_the_disk(void **state)
{
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];

    start_notice(p);
    answer(p, crm, 410, -1, NULL);
    change(p,
           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)"
           " INSERT INTO webhook_message(webhook, id, type, body, at, next_at) SELECT 'crm', 'msg_' || i, 3,"
           " '{\"type\":\"x\"}', 0, 0 FROM n; UPDATE webhook SET waiting = waiting + 9999, bytes = bytes + 9999 * 12");
    assert_int_equal(number_of(p, "waiting"), 10000);
    become(p, NOTICE_HELD, REASON_OPERATOR);
    become(p, NOTICE_SENDING, REASON_NONE);
    become(p, NOTICE_HELD, REASON_OPERATOR);
    assert_int_equal(number_of(p, "waiting"), 10000);
    assert_int_equal(number_of(p, "dropped"), 2);
    assert_true(logged(p, "event=webhook_dropped") >= 1);
    store_webhook_enable(p->world.store, "crm", NULL, NULL);
    settle(p);
    assert_string_equal(crm->id, "msg_2"); /* that it was started, and msg_1, are gone */
}

/* As many as there may be: one line an hour. */
static void what_is_dropped_is_said_now_and_then(void **state)
{
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];

    start_notice(p);
    answer(p, crm, 410, -1, NULL);
    for (int i = 1; i <= 20; i++) {
        change(p, "UPDATE webhook SET dropped = dropped + 1");
        become(p, i % 2 ? NOTICE_HELD : NOTICE_SENDING, i % 2 ? REASON_OPERATOR : REASON_NONE);
    }
    assert_int_equal(logged(p, "event=webhook_dropped webhook=crm dropped=1 "), 1);
    assert_int_equal(logged(p, "event=webhook_dropped"), 1);
    move(p, HOUR_MS);
    become(p, NOTICE_HELD, REASON_OPERATOR);
    assert_int_equal(logged(p, "event=webhook_dropped webhook=crm dropped=19 "), 1);
}

/* The disk was full while the configuration was read: who is new in it is written for as soon as it can be. */
static void who_is_new_is_known_in_the_end(void **state)
{
    struct play *p = *state;
    struct receiver *chat = &p->receivers[1];

    change(p, "CREATE TRIGGER broken BEFORE INSERT ON webhook BEGIN SELECT RAISE(ABORT, 'no room'); END");
    lower_curtain(p);
    raise_curtain(p, 2);
    assert_int_equal(logged(p, "event=webhook_store_failed what=endpoints"), 1);
    change(p, "DROP TRIGGER broken");
    move(p, 5 * SECOND_MS);
    start_notice(p);
    assert_string_equal(chat->type, "notice.started");
}

static void a_clock_that_is_set_back_stops_nobody(void **state)
{
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];

    start_notice(p);
    fine(p, crm);
    p->bench.ahead_ms -= HOUR_MS;
    become(p, NOTICE_HELD, REASON_OPERATOR);
    assert_string_equal(crm->type, "notice.held");
}

/* Servers like to repeat where somebody knocked: tear_down() looks for it in the log. */
static void a_path_that_comes_back_is_not_kept(void **state)
{
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];
    struct error err = {0};

    start_notice(p);
    answer(p, crm, 404, -1, "<pre>Cannot POST /hook/secret-path</pre>");
    json_t *rows = store_report_now(p->world.store, &(struct store_report){.kind = REPORT_WEBHOOKS}, &err);
    assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 0), "said")),
                        "answered 404: <pre>Cannot POST ***</pre>");
    json_decref(rows);
}

static void a_copy_tells_nobody(void **state)
{
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];

    p->world.copy = "another machine's";
    start_notice(p);
    move(p, HOUR_MS);
    assert_int_equal(crm->calls, 0);
    p->world.copy = NULL;
    webhooks_look(p->world.webhooks);
    settle(p);
    assert_string_equal(crm->type, "notice.started");
}

/* --- Pings --- */

static void on_pinged(void *ctx, const struct webhook_pinged *result)
{
    *(int *)ctx = result->failure ? -1 : result->status;
}

static void a_ping_is_beside_the_line(void **state)
{
    struct play *p = *state;
    struct receiver *crm = &p->receivers[0];
    struct error err = {0};
    int status = 0;

    assert_null(webhook_ping(p->world.webhooks, "nobody", on_pinged, &status, &err));
    assert_non_null(strstr(err.text, "no webhook \"nobody\""));
    struct webhook_ping *ping = webhook_ping(p->world.webhooks, "crm", on_pinged, &status, &err);
    assert_non_null(ping);
    assert_string_equal(crm->type, "ping");
    answer(p, crm, 418, -1, NULL);
    assert_int_equal(status, 418);
    check_state(p, "well");
    webhook_ping(p->world.webhooks, "crm", on_pinged, &status, &err);
    lower_curtain(p); /* a reload: who asked hears of it */
    assert_int_equal(status, -1);
    raise_curtain(p, 1);
    ping = webhook_ping(p->world.webhooks, "crm", on_pinged, &status, &err);
    webhook_ping_cancel(&ping);
    assert_null(ping);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define STORY(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        STORY(told_once_in_order),
        STORY(a_restart_tells_what_is_left),
        STORY(tried_again_for_three_days),
        STORY(gone_is_gone),
        STORY(waits_as_it_was_asked),
        STORY(something_new_is_a_reason_to_try),
        STORY(a_refused_one_is_passed),
        STORY(endpoints_are_strangers),
        STORY(both_secrets_sign),
        STORY(openings_are_told_when_it_is_quiet),
        STORY(an_event_that_is_never_quiet_is_told),
        STORY(old_openings_are_no_news),
        STORY(a_dead_one_does_not_fill_the_disk),
        STORY(what_is_dropped_is_said_now_and_then),
        STORY(who_is_new_is_known_in_the_end),
        STORY(a_clock_that_is_set_back_stops_nobody),
        STORY(a_path_that_comes_back_is_not_kept),
        STORY(a_copy_tells_nobody),
        STORY(a_ping_is_beside_the_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
