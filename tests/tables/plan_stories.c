/* The small world lives minute by minute: it plans, applies the steps as the flow does, gathers ten minutes ahead
 * and sends what is due. Stories tell what people change; the log says what was sent when. */
#include "plan_world.h"

struct life {
    struct world world;
    bool asleep;   /* we plan, but nothing can be sent */
    bool settled;  /* a second plan must find nothing to do */
    int64_t rolls; /* lists of people begun so far */
    struct buf log;
};

static void hand_over(struct notice *to, struct notice *from)
{
    assert_true(from->roll && from->course->pass > 0);
    assert_true(to->roll == 0 && to->course->pass == 0);
    to->roll = from->roll;
    notice_course(to)->pass = from->course->pass;
    notice_course(to)->tally = from->course->tally;
    from->roll = 0;
    notice_course(from)->pass = 0;
    notice_course(from)->tally = (struct tally){0};
}

static void apply(struct world *world, const struct plan_step *step, struct notice **added)
{
    struct notice *notice = step->notice;

    switch (step->action) {
    case PLAN_ADD:
    case PLAN_ADD_MISSED:
        assert_null(notices_match(&world->notices, "arena", step->subject, step->rule->name, step->kind, step->at_ms));
        notice = notice_new(world->notices.next_id ? world->notices.next_id : 1, "arena", step->subject,
                            step->rule->name, step->kind, step->at_ms, 1);
        notice->due_at_ms = step->due_at_ms;
        notices_put(&world->notices, notice);
        if (step->action == PLAN_ADD_MISSED)
            notice_move(notice, NOTICE_MISSED, step->reason, NULL);
        *added = notice;
        break;
    case PLAN_WITHDRAW:
        notice_move(notice, NOTICE_WITHDRAWN, step->reason, NULL);
        break;
    case PLAN_BRING_BACK:
        notice_move(notice, NOTICE_PLANNED, REASON_NONE, NULL);
        notice->due_at_ms = step->due_at_ms;
        break;
    case PLAN_MISS:
        notice_move(notice, NOTICE_MISSED, step->reason, NULL);
        break;
    case PLAN_RETIME:
        notice->due_at_ms = step->due_at_ms;
        break;
    case PLAN_TAKE_OVER:
        hand_over(notice ? notice : *added, step->from);
        break;
    }
}

static void send(struct life *life, struct notice *notice)
{
    const struct world *world = &life->world;
    const struct definition *members[16];
    const char *ids[16];
    size_t count = plan_members(notice, &world->rule, &world->definitions, members, ARRAY_LEN(members));

    assert_true(count > 0);
    assert_true(world->now_ms >= notice->due_at_ms && world->now_ms <= plan_start_by_ms(notice, &world->rule));
    notice_move(notice, NOTICE_SENDING, REASON_NONE, NULL);
    notice->claimed = true;
    buf_addf(&life->log, "%s%d @%d=", life->log.len ? "; " : "", (int)((world->now_ms - T0_MS) / MINUTE_MS),
             (int)((notice->at_ms - T0_MS) / MINUTE_MS));
    for (size_t i = 0; i < count; i++) {
        ids[i] = members[i]->id;
        buf_adds(&life->log, ids[i]);
    }
    if (notice->course->pass > 1)
        buf_addc(&life->log, '*'); /* people gathered before, for this instant or another */
    notice_set_members(notice, ids, count);
    notice_move(notice, NOTICE_DONE, REASON_NONE, NULL);
}

static void launch(struct life *life, struct notice *notice)
{
    const struct world *world = &life->world;
    bool told = !notice->approved && world->rule.if_told != THEN_SEND &&
                plan_told_before(notice, &world->rule, &world->definitions, &world->notices);

    if (notice->state == NOTICE_PLANNED && world->now_ms >= notice->due_at_ms - 10 * MINUTE_MS) {
        notice_move(notice, NOTICE_GATHERING, REASON_NONE, NULL);
        if (!notice->roll)
            notice->roll = ++life->rolls;
        notice_course(notice)->pass++;
        notice_course(notice)->tally.planned = notice_course(notice)->tally.waiting = 10;
        notice_move(notice, NOTICE_READY, REASON_NONE, NULL);
    }
    if (notice->state == NOTICE_HELD && !told)
        notice_move(notice, NOTICE_READY, REASON_NONE, NULL);
    if (notice->state == NOTICE_READY && world->now_ms >= notice->due_at_ms) {
        if (told)
            notice_move(notice, NOTICE_HELD, REASON_ALREADY_TOLD, NULL);
        else
            send(life, notice);
    }
}

static void tick(struct life *life)
{
    struct world *world = &life->world;
    struct plan plan = {0}, again = {0};
    struct notice *added = NULL;

    make_plan(world, &plan);
    for (size_t i = 0; i < plan.count; i++)
        apply(world, &plan.steps[i], &added);
    if (life->settled) {
        make_plan(world, &again);
        if (again.count)
            fail_msg("minute %d: a second plan has step %d", (int)((world->now_ms - T0_MS) / MINUTE_MS),
                     again.steps[0].action);
    }
    plan_clear(&plan);
    plan_clear(&again);
    for (size_t i = 0; i < world->notices.count && !life->asleep; i++)
        launch(life, world->notices.at[i]);
}

/* "600 done; 700 withdrawn moved" */
static char *states(const struct world *world)
{
    struct buf buf;

    buf_init(&buf, 4096);
    buf_adds(&buf, "");
    for (size_t i = 0; i < world->notices.count; i++) {
        const struct notice *notice = world->notices.at[i];
        buf_addf(&buf, "%s%d %s%s%s", i ? "; " : "", (int)((notice->at_ms - T0_MS) / MINUTE_MS),
                 notice_state_name(notice->state), notice->reason ? " " : "", notice_reason_name(notice->reason));
    }
    return buf_take(&buf);
}

enum turn {
    NOTHING,
    CANCEL,  /* an operator cancels everything that is not over */
    APPROVE, /* ... releases what is held */
    RENAME,  /* the rule has another name from now on */
    REMOVE,
    RESTORE,
    SLEEP, /* we plan, but nothing can be sent */
    WAKE,
    FREEZE, /* the clock was stepped */
    THAW,
    SELL_OUT, /* the gate found all of it sold out */
};

static void turn(struct life *life, enum turn turn)
{
    struct world *world = &life->world;
    for (size_t i = 0; i < world->notices.count; i++) {
        struct notice *notice = world->notices.at[i];
        if (turn == CANCEL && notice_may_move(notice, NOTICE_CANCELLED))
            notice_move(notice, NOTICE_CANCELLED, REASON_OPERATOR, NULL);
        if (turn == SELL_OUT && notice_may_move(notice, NOTICE_WITHDRAWN))
            notice_move(notice, NOTICE_WITHDRAWN, REASON_SOLD_OUT, NULL);
        if (turn == APPROVE && notice->state == NOTICE_HELD) {
            notice->approved = true;
            notice_move(notice, NOTICE_READY, REASON_NONE, NULL);
        }
    }
    if (turn == RENAME) {
        world->rule.name = "opening-day";
        world->known.first_loaded_at_ms = world->now_ms;
    }
    if (turn == REMOVE || turn == RESTORE)
        world->rule_count = turn == RESTORE;
    if (turn == SLEEP || turn == WAKE)
        life->asleep = turn == SLEEP;
    if (turn == FREEZE || turn == THAW)
        world->frozen = turn == FREEZE;
}

struct story {
    const char *name, *when;
    struct {
        int at;
        const char *definitions; /* NULL: as they were */
        enum turn turn;
    } steps[6];
    const char *log, *states;
    enum otherwise if_told;
    int walked_at, loaded_at; /* minutes; 0: long ago */
};

static void tell(const struct story *story)
{
    struct life life = {
        .world.rule = {.name = "on-sale",
                       .catch_up_ms = 30 * MINUTE_MS,
                       .gather_ahead_ms = 10 * MINUTE_MS,
                       .if_told = story->if_told},
        .world.rule_count = 1,
        .settled = story->if_told != THEN_DROP, /* there, what is added for the list is withdrawn at once */
    };
    struct world *world = &life.world;
    auto_free char *now = NULL;

    buf_init(&life.log, 4096);
    buf_adds(&life.log, "");
    assert_int_equal(when_parse(text_of(story->when), &world->rule.when, NULL), 0);
    world->known = (struct plan_rule){&world->rule, minute(story->loaded_at ? story->loaded_at : -9999)};
    world->walked_at_ms = minute(story->walked_at ? story->walked_at : -9999);
    world->now_ms = minute(story->steps[0].at);
    for (size_t i = 0; i < ARRAY_LEN(story->steps) && (i == 0 || story->steps[i].at); i++) {
        for (; world->now_ms < minute(story->steps[i].at); world->now_ms += MINUTE_MS)
            tick(&life);
        if (story->steps[i].definitions)
            define(world, story->steps[i].definitions);
        turn(&life, story->steps[i].turn);
    }
    tick(&life);
    now = states(world);
    if (strcmp(life.log.ptr, story->log) != 0)
        fail_msg("%s: sent \"%s\", not \"%s\" (%s)", story->name, life.log.ptr, story->log, now);
    if (story->states && strcmp(now, story->states) != 0)
        fail_msg("%s: notices \"%s\", not \"%s\"", story->name, now, story->states);
    world_clear(world);
    buf_clear(&life.log);
}

#define START "sale_start"

static void stories(void **state)
{
    static const struct story all[] = {
        {"plain", START, {{0, "a600 b600"}, {900}}, "600 @600=ab", "600 done"},
        {"no date", START, {{0, "a b600 -c600"}, {900}}, "600 @600=b", "600 done"},
        {"oldest hidden after done", START, {{0, "a600 b600"}, {605, "-a600 b600"}, {900}}, "600 @600=ab", "600 done"},
        {"oldest deleted after done", START, {{0, "a600 b600"}, {605, "b600"}, {900}}, "600 @600=ab", "600 done"},
        {"all hidden and back after done",
         START,
         {{0, "a600 b600"}, {603, "-a600 -b600"}, {606, "a600 b600"}, {900}},
         "600 @600=ab",
         "600 done"},
        {"one more joins after done", START, {{0, "a600"}, {605, "a600 b600"}, {900}}, "600 @600=a", "600 done"},
        {"two instants of one event", START, {{0, "a600 b700"}, {900}}, "600 @600=a; 700 @700=b"},
        {"split and rejoin",
         START,
         {{0, "a600 b600"}, {500, "a600 b700"}, {550, "a600 b600"}, {900}},
         "600 @600=ab",
         "600 done; 700 withdrawn moved"},
        {"merge", START, {{0, "a600 b700"}, {500, "a700 b700"}, {900}}, "700 @700=ab", "600 withdrawn moved; 700 done"},
        {"moved away and back",
         START,
         {{0, "a600"}, {500, "a700"}, {550, "a600"}, {900}},
         "600 @600=a",
         "600 done; 700 withdrawn moved"},
        {"moved after gathering: the people go along",
         START,
         {{0, "a600 b600"}, {595, "a700 b700"}, {900}},
         "700 @700=ab*",
         "600 withdrawn moved; 700 done"},
        {"two gathered ones become one: the first one's people",
         START,
         {{0, "a600 b603 c700"}, {595, "a700 b700 c700"}, {900}},
         "700 @700=abc*",
         "600 withdrawn moved; 603 withdrawn moved; 700 done"},
        {"moved after gathering, and back with the people",
         START,
         {{0, "a600"}, {593, "a700"}, {596, "a600"}, {900}},
         "600 @600=a*",
         "600 done; 700 withdrawn moved"},
        {"moved one by one after gathering",
         START,
         {{0, "a600 b600"}, {592, "a700 b600"}, {595, "a700 b700"}, {900}},
         "700 @700=ab*",
         "600 withdrawn moved; 700 done"},
        {"cancelled at T-1, revived at T+5",
         START,
         {{0, "a600 b600"}, {599, "~a600 ~b600"}, {605, "a600 b600"}, {900}},
         "605 @600=ab*",
         "600 done"},
        {"revived too late", START, {{0, "a600"}, {599, "~a600"}, {631, "a600"}, {900}}, "", "600 withdrawn event off"},
        {"hidden", START, {{0, "a600"}, {500, "-a600"}, {900}}, "", "600 withdrawn hidden"},
        {"hidden beside another instant",
         START,
         {{0, "a600 b700"}, {500, "-a600 b700"}, {650}},
         "",
         "600 withdrawn hidden; 700 planned"},
        {"deleted", START, {{0, "a600"}, {500, ""}, {900}}, "", "600 withdrawn gone"},
        {"two sale ends", "sale_end", {{0, "a600/900 b600/1000"}, {1100}}, "900 @900=a; 1000 @1000=b"},
        {"after the start", "30m after sale_start", {{0, "a600"}, {900}}, "630 @600=a"},
        {"moved 30 min later after done: held",
         START,
         {{0, "a600 b600"}, {605, "a635 b635"}, {650}},
         "600 @600=ab",
         "600 done; 635 held already told",
         THEN_HOLD},
        {"held, and nobody says a word",
         START,
         {{0, "a600"}, {605, "a635"}, {900}},
         "600 @600=a",
         "600 done; 635 missed late",
         THEN_HOLD},
        {"held, and released",
         START,
         {{0, "a600"}, {605, "a635"}, {640, NULL, APPROVE}, {900}},
         "600 @600=a; 640 @635=a",
         "600 done; 635 done",
         THEN_HOLD},
        {"moved after done: send",
         START,
         {{0, "a600"}, {605, "a635"}, {900}},
         "600 @600=a; 635 @635=a",
         NULL,
         THEN_SEND},
        {"moved after done: drop",
         START,
         {{0, "a600"}, {605, "a635"}, {900}},
         "600 @600=a",
         "600 done; 635 withdrawn already told",
         THEN_DROP},
        {"moved after done, a new one joins",
         START,
         {{0, "a600"}, {605, "a635"}, {610, "a635 b635"}, {900}},
         "600 @600=a; 635 @635=ab",
         "600 done; 635 done",
         THEN_HOLD},
        {"only some were told",
         START,
         {{0, "a600 b700"}, {605, "a700 b700"}, {900}},
         "600 @600=a; 700 @700=ab",
         NULL,
         THEN_HOLD},
        {"empty store at T+15",
         START,
         {{615, "a600"}, {900}},
         "",
         "600 missed before our time",
         THEN_HOLD,
         .walked_at = 615,
         .loaded_at = 615},
        {"store from the day before",
         START,
         {{615, "a600"}, {900}},
         "",
         "600 missed before our time"}, /* created 615 */
        {"long before our time",
         START,
         {{2041, "a600"}, {2100}},
         "",
         "",
         THEN_HOLD,
         .walked_at = 2041,
         .loaded_at = 2041},
        {"rule renamed at T+10",
         START,
         {{0, "a600"}, {610, NULL, RENAME}, {900}},
         "600 @600=a",
         "600 done; 600 missed before our time"},
        {"rule renamed before",
         START,
         {{0, "a600"}, {500, NULL, RENAME}, {900}},
         "600 @600=a",
         "600 withdrawn rule removed; 600 done"},
        {"rule taken out and put back",
         START,
         {{0, "a600"}, {500, NULL, REMOVE}, {550, NULL, RESTORE}, {900}},
         "600 @600=a",
         "600 done"},
        {"reminder rule two hours before the sale",
         "1d before sale_start",
         {{480, "a600"}, {900}},
         "",
         "600 missed before our time",
         THEN_HOLD,
         .loaded_at = 480},
        {"cancelled by the operator, then many plans",
         START,
         {{0, "a600"}, {500, NULL, CANCEL}, {900}},
         "",
         "600 cancelled operator"},
        {"cancelled, hidden and shown again",
         START,
         {{0, "a600"}, {500, NULL, CANCEL}, {510, "-a600"}, {520, "a600"}, {900}},
         "",
         "600 cancelled operator"},
        {"asleep at T, awake in time",
         START,
         {{0, "a600"}, {599, NULL, SLEEP}, {625, NULL, WAKE}, {900}},
         "625 @600=a",
         "600 done"},
        {"asleep too long", START, {{0, "a600"}, {599, NULL, SLEEP}, {631, NULL, WAKE}, {900}}, "", "600 missed late"},
        {"a reminder ends at the moment itself",
         "10m before sale_start",
         {{0, "a600"}, {580, NULL, SLEEP}, {601, NULL, WAKE}, {900}},
         "",
         "600 missed late"},
        {"nothing is missed while the clock is in doubt",
         START,
         {{0, "a600"}, {595, NULL, SLEEP}, {596, NULL, FREEZE}, {900}},
         "",
         "600 ready"},
        {"sold out at the gate stays so",
         START,
         {{0, "a600"}, {600, NULL, SELL_OUT}, {700}},
         "",
         "600 withdrawn sold out"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        tell(&all[i]);
}

/* A reminder an hour before; three tickets of one sale are moved one by one, in every order, around the time it is
 * due. Each instant is announced once, whatever moved first. */
static void one_reminder_per_instant(void **state)
{
    static const char *const orders[] = {"abc", "acb", "bac", "bca", "cab", "cba"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(orders); i++)
        for (int before = 0; before <= 3; before++) { /* so many of them before it is due */
            char words[4][64], log[64], left[4] = "";
            struct story story = {orders[i], "1h before sale_start", {{0, words[0]}}, log, NULL, THEN_HOLD};
            int at[3] = {100, 100, 100};
            for (size_t id = 0, n = 0; id < 3; id++)
                if (strchr(orders[i], 'a' + (int)id) >= orders[i] + before)
                    left[n++] = (char)('a' + id);
            snprintf(words[0], sizeof words[0], "a600 b600 c600");
            for (int k = 0; k < 3; k++) {
                at[orders[i][k] - 'a'] = 200;
                snprintf(words[k + 1], sizeof words[k + 1], "a%d b%d c%d", 500 + at[0], 500 + at[1], 500 + at[2]);
                story.steps[k + 1].at = k < before ? 530 + k : 545 + k;
                story.steps[k + 1].definitions = words[k + 1];
            }
            story.steps[4].at = 900;
            /* Moved before: one at the new instant. Told before: a person decides. Else both, of their own. */
            if (before == 3)
                snprintf(log, sizeof log, "640 @700=abc*"); /* gathered for the old one */
            else if (before == 0)
                snprintf(log, sizeof log, "540 @600=abc");
            else
                snprintf(log, sizeof log, "540 @600=%s; 640 @700=abc", left);
            tell(&story);
        }
}

static unsigned roll(unsigned *random)
{
    *random = *random * 1103515245 + 12345;
    return *random / 65536;
}

/* Whatever people do: an instant is announced once at most, never before it is due or after catch_up, only with what
 * is visible there; a second plan is empty; no step is refused by the life of a notice. */
static void random_histories(void **state)
{
    unsigned random = 11;

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct life life = {.world.rule = {.name = "on-sale", .catch_up_ms = 30 * MINUTE_MS}, .world.rule_count = 1};
        struct world *world = &life.world;
        world->rule.if_told = round % 2 ? THEN_HOLD : THEN_SEND;
        life.settled = true;
        world->known = (struct plan_rule){&world->rule, minute(-9999)};
        world->walked_at_ms = minute(-9999);
        buf_init(&life.log, 65536);
        for (int at = 0; at < 200; at++) {
            world->now_ms = minute(at);
            if (roll(&random) % 7 == 0) {
                char words[128] = "";
                size_t n = 0;
                for (char id = 'a'; id <= 'd'; id++) {
                    unsigned mark = roll(&random) % 8;
                    if (roll(&random) % 11)
                        n += (size_t)snprintf(words + n, sizeof words - n, "%s%s%c%u", n ? " " : "",
                                              mark == 0   ? "-"
                                              : mark == 1 ? "~"
                                                          : "",
                                              id, 40 + 30 * (roll(&random) % 5));
                }
                define(world, words);
            }
            tick(&life);
        }
        for (size_t i = 0; i < world->notices.count; i++) {
            const struct notice *notice = world->notices.at[i];
            for (size_t k = i + 1; k < world->notices.count; k++)
                assert_false(world->notices.at[k]->at_ms == notice->at_ms);
        }
        world_clear(world);
        buf_clear(&life.log);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(stories),
        cmocka_unit_test(one_reminder_per_instant),
        cmocka_unit_test(random_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
