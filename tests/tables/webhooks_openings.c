/* Openings are told when their event has been quiet, and only what is news. */
#include "webhooks_play.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORY(openings_are_told_when_it_is_quiet),
        STORY(an_event_that_is_never_quiet_is_told),
        STORY(old_openings_are_no_news),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
