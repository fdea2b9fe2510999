/* Other programs are told once, in order, as often as it takes, and none waits for another. */
#include "webhooks_play.h"

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
        STORY(told_once_in_order),         STORY(a_restart_tells_what_is_left),
        STORY(tried_again_for_three_days), STORY(gone_is_gone),
        STORY(waits_as_it_was_asked),      STORY(something_new_is_a_reason_to_try),
        STORY(a_refused_one_is_passed),    STORY(endpoints_are_strangers),
        STORY(both_secrets_sign),          STORY(a_ping_is_beside_the_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
