/* What goes wrong around webhooks: a line that is too long, a disk that is full, a clock that is set back, a copy. */
#include "webhooks_play.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(a_dead_one_does_not_fill_the_disk),  STORY(what_is_dropped_is_said_now_and_then),
        STORY(who_is_new_is_known_in_the_end),     STORY(a_clock_that_is_set_back_stops_nobody),
        STORY(a_path_that_comes_back_is_not_kept), STORY(a_copy_tells_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
