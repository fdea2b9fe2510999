#include "plan.h"
#include "table.h"

#include <string.h>

/* A small world that lives minute by minute: it plans, applies the steps as the flow does, gathers ten minutes ahead
 * and sends what is due. Stories tell what people change; the log says what was sent when. */

#define T0_MS 1806048000000 /* 2027-03-26T08:00:00Z */

static int64_t minute(int64_t n)
{
    return T0_MS + n * MINUTE_MS;
}

struct world {
    struct definitions definitions;
    struct notices notices;
    struct rule rule;
    struct plan_rule known;
    size_t rule_count; /* 0 while it is taken out */
    int64_t walked_at_ms, now_ms;
    bool frozen, asleep, settled; /* settled: a second plan must find nothing to do */
    int64_t rolls;                /* lists of people begun so far */
    struct buf log;
};

static const struct zone *zone_by_name(void *ctx, const char *name)
{
    return ctx ? zones_get(ctx, name) : NULL;
}

static void make_plan(struct world *world, struct plan *plan)
{
    plan_make(&(struct plan_input){.site = "arena",
                                   .site_zone = "",
                                   .first_walked_at_ms = world->walked_at_ms,
                                   .definitions = &world->definitions,
                                   .rules = &world->known,
                                   .rule_count = world->rule_count,
                                   .notices = &world->notices,
                                   .zone = zone_by_name,
                                   .now_ms = world->now_ms,
                                   .frozen = world->frozen},
              plan);
}

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

static void send(struct world *world, struct notice *notice)
{
    const struct definition *members[16];
    const char *ids[16];
    size_t count = plan_members(notice, &world->rule, &world->definitions, members, ARRAY_LEN(members));

    assert_true(count > 0);
    assert_true(world->now_ms >= notice->due_at_ms && world->now_ms <= plan_start_by_ms(notice, &world->rule));
    notice_move(notice, NOTICE_SENDING, REASON_NONE, NULL);
    notice->claimed = true;
    buf_addf(&world->log, "%s%d @%d=", world->log.len ? "; " : "", (int)((world->now_ms - T0_MS) / MINUTE_MS),
             (int)((notice->at_ms - T0_MS) / MINUTE_MS));
    for (size_t i = 0; i < count; i++) {
        ids[i] = members[i]->id;
        buf_adds(&world->log, ids[i]);
    }
    if (notice->course->pass > 1)
        buf_addc(&world->log, '*'); /* people gathered before, for this instant or another */
    notice_set_members(notice, ids, count);
    notice_move(notice, NOTICE_DONE, REASON_NONE, NULL);
}

static void launch(struct world *world, struct notice *notice)
{
    bool told = !notice->approved && world->rule.if_told != THEN_SEND &&
                plan_told_before(notice, &world->rule, &world->definitions, &world->notices);

    if (notice->state == NOTICE_PLANNED && world->now_ms >= notice->due_at_ms - 10 * MINUTE_MS) {
        notice_move(notice, NOTICE_GATHERING, REASON_NONE, NULL);
        if (!notice->roll)
            notice->roll = ++world->rolls;
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
            send(world, notice);
    }
}

static void tick(struct world *world)
{
    struct plan plan = {0}, again = {0};
    struct notice *added = NULL;

    make_plan(world, &plan);
    for (size_t i = 0; i < plan.count; i++)
        apply(world, &plan.steps[i], &added);
    if (world->settled) {
        make_plan(world, &again);
        if (again.count)
            fail_msg("minute %d: a second plan has step %d", (int)((world->now_ms - T0_MS) / MINUTE_MS),
                     again.steps[0].action);
    }
    plan_clear(&plan);
    plan_clear(&again);
    for (size_t i = 0; i < world->notices.count && !world->asleep; i++)
        launch(world, world->notices.at[i]);
}

/* "a600 -b600 c600/900 ~d600": the definitions of event e with the minutes their sales start and end; '-' is hidden,
 * '~' of a cancelled event. A definition that was not there is created now. */
static void define(struct world *world, const char *words)
{
    struct definitions before = world->definitions;
    struct text rest = text_of(words);

    world->definitions = (struct definitions){0};
    while (rest.len) {
        struct text end = text_cut(&rest, ' '), start = text_cut(&end, '/');
        bool marked = !(start.ptr[0] >= 'a' && start.ptr[0] <= 'z');
        char id[2] = {start.ptr[marked], 0};
        const struct definition *old = definitions_find(&before, id);
        int64_t starts = 0, ends = 0;
        struct text digits = text_slice(start, 1u + marked, start.len);
        if (digits.len)
            assert_int_equal(parse_i64(digits, 0, 99999, &starts, NULL), 0);
        if (end.len)
            assert_int_equal(parse_i64(end, 0, 99999, &ends, NULL), 0);
        definitions_put(&world->definitions,
                        definition_new(&(struct definition){
                            .site = "arena",
                            .id = id,
                            .event_id = "e",
                            .created_at_ms = old ? old->created_at_ms : world->now_ms,
                            .hidden = marked && start.ptr[0] == '-',
                            .event_status = marked && start.ptr[0] == '~' ? EVENT_CANCELED : EVENT_UPCOMING,
                            .sale_starts_at_ms = digits.len ? minute(starts) : MOMENT_NONE,
                            .sale_ends_at_ms = end.len ? minute(ends) : MOMENT_NONE,
                        }));
    }
    definitions_clear(&before);
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

static void turn(struct world *world, enum turn turn)
{
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
        world->asleep = turn == SLEEP;
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
    struct world world = {
        .rule = {.name = "on-sale",
                 .catch_up_ms = 30 * MINUTE_MS,
                 .gather_ahead_ms = 10 * MINUTE_MS,
                 .if_told = story->if_told},
        .rule_count = 1,
        .settled = story->if_told != THEN_DROP, /* there, what is added for the list is withdrawn at once */
    };
    auto_free char *now = NULL;

    buf_init(&world.log, 4096);
    buf_adds(&world.log, "");
    assert_int_equal(when_parse(text_of(story->when), &world.rule.when, NULL), 0);
    world.known = (struct plan_rule){&world.rule, minute(story->loaded_at ? story->loaded_at : -9999)};
    world.walked_at_ms = minute(story->walked_at ? story->walked_at : -9999);
    world.now_ms = minute(story->steps[0].at);
    for (size_t i = 0; i < ARRAY_LEN(story->steps) && (i == 0 || story->steps[i].at); i++) {
        for (; world.now_ms < minute(story->steps[i].at); world.now_ms += MINUTE_MS)
            tick(&world);
        if (story->steps[i].definitions)
            define(&world, story->steps[i].definitions);
        turn(&world, story->steps[i].turn);
    }
    tick(&world);
    now = states(&world);
    if (strcmp(world.log.ptr, story->log) != 0)
        fail_msg("%s: sent \"%s\", not \"%s\" (%s)", story->name, world.log.ptr, story->log, now);
    if (story->states && strcmp(now, story->states) != 0)
        fail_msg("%s: notices \"%s\", not \"%s\"", story->name, now, story->states);
    definitions_clear(&world.definitions);
    notices_clear(&world.notices);
    buf_clear(&world.log);
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
        struct world world = {.rule = {.name = "on-sale", .catch_up_ms = 30 * MINUTE_MS}, .rule_count = 1};
        world.rule.if_told = round % 2 ? THEN_HOLD : THEN_SEND;
        world.settled = true;
        world.known = (struct plan_rule){&world.rule, minute(-9999)};
        world.walked_at_ms = minute(-9999);
        buf_init(&world.log, 65536);
        for (int at = 0; at < 200; at++) {
            world.now_ms = minute(at);
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
                define(&world, words);
            }
            tick(&world);
        }
        for (size_t i = 0; i < world.notices.count; i++) {
            const struct notice *notice = world.notices.at[i];
            for (size_t k = i + 1; k < world.notices.count; k++)
                assert_false(world.notices.at[k]->at_ms == notice->at_ms);
        }
        definitions_clear(&world.definitions);
        notices_clear(&world.notices);
        buf_clear(&world.log);
    }
}

/* --- single steps ----------------------------------------------------------------------------------------------- */

static void due_times_follow_rule_and_zone(void **state)
{
    static const struct {
        const char *zones[2], *site_zone, *due;
    } cases[] = {
        {{"", ""}, "", "2027-03-27T18:00:00Z"},
        {{"", ""}, "Europe/Vilnius", "2027-03-27T16:00:00Z"},
        {{"America/New_York", "America/New_York"}, "Europe/Vilnius", "2027-03-27T22:00:00Z"},
        {{"America/New_York", "Asia/Tokyo"}, "Europe/Vilnius", "2027-03-27T22:00:00Z"}, /* the first by id */
        {{"", "Asia/Tokyo"}, "Europe/Vilnius", "2027-03-27T09:00:00Z"},
        {{"Mars/Olympus", ""}, "Europe/Vilnius", "2027-03-27T16:00:00Z"},
        {{"", ""}, "Mars/Olympus", "2027-03-27T18:00:00Z"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct zones *zones = zones_new();
        struct rule rule = {.name = "eve"};
        struct plan_rule known = {&rule, 0};
        struct definitions definitions = {0};
        struct notices notices = {0};
        struct plan plan = {0};
        int64_t at_ms, due_ms;
        moment_parse(TEXT("2027-03-28T10:00:00Z"), &at_ms, NULL); /* the day clocks change in Europe */
        moment_parse(text_of(cases[i].due), &due_ms, NULL);
        when_parse(TEXT("18:00 the day before sale_start"), &rule.when, NULL);
        for (int k = 1; k >= 0; k--)
            definitions_put(&definitions, definition_new(&(struct definition){.site = "arena",
                                                                              .id = k ? "b" : "a",
                                                                              .event_id = "e",
                                                                              .event_zone = cases[i].zones[k],
                                                                              .sale_starts_at_ms = at_ms}));
        struct plan_input input = {.site = "arena",
                                   .site_zone = cases[i].site_zone,
                                   .definitions = &definitions,
                                   .rules = &known,
                                   .rule_count = 1,
                                   .notices = &notices,
                                   .zone = zone_by_name,
                                   .zone_ctx = zones,
                                   .now_ms = at_ms - 5 * DAY_MS};
        plan_make(&input, &plan);
        assert_int_equal(plan.count, 1);
        if (plan.steps[0].due_at_ms != due_ms)
            fail_msg("case %zu: off by %lld min", i, (long long)(plan.steps[0].due_at_ms - due_ms) / MINUTE_MS);
        /* Another due time than the known one is a step of its own. */
        struct notice *notice = notice_new(1, "arena", "e", "eve", MOMENT_SALE_START, at_ms, 1);
        notice->due_at_ms = due_ms - HOUR_MS;
        notices_put(&notices, notice);
        plan_clear(&plan);
        plan_make(&input, &plan);
        assert_int_equal(plan.count, 1);
        assert_int_equal(plan.steps[0].action, PLAN_RETIME);
        assert_int_equal(plan.steps[0].due_at_ms, due_ms);
        plan_clear(&plan);
        definitions_clear(&definitions);
        notices_clear(&notices);
        zones_free(zones);
    }
}

static void start_by(void **state)
{
    static const struct {
        const char *when;
        int64_t catch_up, start_by; /* minutes; the moment is at 600 */
    } cases[] = {
        {"sale_start", 30, 630},           {"sale_start", 0, 600},
        {"10m after sale_start", 30, 640}, {"10m before sale_start", 30, 600},
        {"10m before sale_start", 5, 595}, {"1h before sale_start", 30, 570},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rule rule = {.catch_up_ms = cases[i].catch_up * MINUTE_MS};
        struct notice *notice = notice_new(1, "arena", "e", "r", MOMENT_SALE_START, minute(600), 1);
        assert_int_equal(when_parse(text_of(cases[i].when), &rule.when, NULL), 0);
        notice->due_at_ms = when_due_at_ms(&rule.when, notice->at_ms, NULL, NULL);
        assert_int_equal(plan_start_by_ms(notice, &rule), minute(cases[i].start_by));
        notice_free(notice);
    }
}

/* What may be too late and what may not. */
static void misses(void **state)
{
    static const struct {
        enum notice_state state;
        enum notice_reason reason;
        bool claimed, waived, missed;
    } cases[] = {
        {NOTICE_PLANNED, REASON_NONE, false, false, true},      {NOTICE_GATHERING, REASON_NONE, false, false, true},
        {NOTICE_READY, REASON_NONE, false, false, true},        {NOTICE_HELD, REASON_UNVERIFIED, false, false, true},
        {NOTICE_HELD, REASON_OPERATOR, false, false, false},    {NOTICE_HELD, REASON_CHANNEL, true, false, false},
        {NOTICE_READY, REASON_NONE, false, true, false},        {NOTICE_SENDING, REASON_NONE, false, false, false},
        {NOTICE_SENDING, REASON_NONE, true, false, false},      {NOTICE_DONE, REASON_NONE, true, false, false},
        {NOTICE_WITHDRAWN, REASON_HIDDEN, false, false, false}, {NOTICE_WITHDRAWN, REASON_HIDDEN, true, false, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world world = {.rule = {.name = "on-sale", .catch_up_ms = 30 * MINUTE_MS}, .rule_count = 1};
        struct notice *notice = notice_new(1, "arena", "e", "on-sale", MOMENT_SALE_START, minute(600), 1);
        struct plan plan = {0};
        world.known.rule = &world.rule;
        world.now_ms = minute(0);
        define(&world, "a600");
        notice->due_at_ms = notice->at_ms;
        notice->state = cases[i].state;
        notice->reason = cases[i].reason;
        notice->claimed = cases[i].claimed;
        notice->catch_up_waived = cases[i].waived;
        notices_put(&world.notices, notice);
        world.now_ms = minute(630);
        make_plan(&world, &plan);
        for (size_t k = 0; k < plan.count; k++)
            assert_int_not_equal(plan.steps[k].action, PLAN_MISS);
        plan_clear(&plan);
        world.now_ms++;
        make_plan(&world, &plan);
        if (plan.count != cases[i].missed || (plan.count && plan.steps[0].action != PLAN_MISS))
            fail_msg("case %zu: %zu steps", i, plan.count);
        plan_clear(&plan);
        definitions_clear(&world.definitions);
        notices_clear(&world.notices);
    }
}

/* A moment that is over is ours only if rule, site and one definition were here before it was due. */
static void ours_or_not(void **state)
{
    static const struct {
        int64_t loaded, walked, created[2]; /* minutes; due at 600, now it is 610 */
        enum plan_action action;
    } cases[] = {
        {0, 0, {0, 0}, PLAN_ADD},          {599, 599, {599, 605}, PLAN_ADD},  {599, 599, {605, 599}, PLAN_ADD},
        {600, 0, {0, 0}, PLAN_ADD_MISSED}, {0, 600, {0, 0}, PLAN_ADD_MISSED}, {0, 0, {600, 605}, PLAN_ADD_MISSED},
        {0, -1, {0, 0}, PLAN_ADD_MISSED}, /* never walked */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world world = {.rule = {.name = "on-sale", .catch_up_ms = 30 * MINUTE_MS}, .rule_count = 1};
        struct plan plan = {0};
        world.known = (struct plan_rule){&world.rule, minute(cases[i].loaded)};
        world.walked_at_ms = cases[i].walked < 0 ? MOMENT_NONE : minute(cases[i].walked);
        for (int k = 0; k < 2; k++) {
            world.now_ms = minute(cases[i].created[k]);
            define(&world, k ? "a600 b600" : "a600");
        }
        world.now_ms = minute(610);
        make_plan(&world, &plan);
        assert_int_equal(plan.count, 1);
        if (plan.steps[0].action != cases[i].action)
            fail_msg("case %zu: step %d", i, plan.steps[0].action);
        if (cases[i].action == PLAN_ADD_MISSED)
            assert_int_equal(plan.steps[0].reason, REASON_BEFORE_OUR_TIME);
        plan_clear(&plan);
        world.frozen = true; /* then nothing is written off */
        make_plan(&world, &plan);
        assert_int_equal(plan.count, cases[i].action == PLAN_ADD);
        plan_clear(&plan);
        definitions_clear(&world.definitions);
    }
}

static void a_rule_taken_out_ends_only_what_has_not_begun(void **state)
{
    struct world world = {.rule = {.name = "on-sale", .catch_up_ms = 30 * MINUTE_MS}};
    struct plan plan = {0};

    (void)state;
    world.known.rule = &world.rule;
    define(&world, "a600 b700");
    for (int i = 1; i <= 2; i++) {
        struct notice *notice =
            notice_new(i, "arena", "e", "on-sale", MOMENT_SALE_START, minute(i == 1 ? 600 : 700), 1);
        notice->state = i == 1 ? NOTICE_SENDING : NOTICE_READY;
        notice->claimed = i == 1;
        notices_put(&world.notices, notice);
    }
    make_plan(&world, &plan);
    assert_int_equal(plan.count, 1);
    assert_int_equal(plan.steps[0].notice->id, 2);
    assert_int_equal(plan.steps[0].action, PLAN_WITHDRAW);
    assert_int_equal(plan.steps[0].reason, REASON_RULE);
    plan_clear(&plan);
    definitions_clear(&world.definitions);
    notices_clear(&world.notices);
}

static void a_repeat_stands_beside_the_first(void **state)
{
    struct world world = {.rule = {.name = "on-sale", .catch_up_ms = 30 * MINUTE_MS}, .rule_count = 1};
    struct plan plan = {0};

    (void)state;
    world.known.rule = &world.rule;
    define(&world, "a600");
    for (int edition = 1; edition <= 2; edition++) {
        struct notice *notice = notice_new(edition, "arena", "e", "on-sale", MOMENT_SALE_START, minute(600), edition);
        notice->state = edition == 1 ? NOTICE_SENDING : NOTICE_PLANNED;
        notice->claimed = edition == 1;
        notice->due_at_ms = minute(edition == 1 ? 600 : 700);
        notices_put(&world.notices, notice);
    }
    world.now_ms = minute(690);
    make_plan(&world, &plan);
    assert_int_equal(plan.count, 0); /* neither withdrawn, late nor retimed */
    define(&world, "-a600");
    make_plan(&world, &plan);
    assert_int_equal(plan.count, 2); /* a lost sale stops both */
    assert_int_equal(plan.steps[0].action, PLAN_WITHDRAW);
    assert_int_equal(plan.steps[0].reason, REASON_HIDDEN);
    plan_clear(&plan);
    definitions_clear(&world.definitions);
    notices_clear(&world.notices);
}

static void members_are_what_the_rule_covers(void **state)
{
    static const char *never[] = {"c"};
    struct world world = {.rule = {.name = "on-sale", .never = {.definitions = {.at = never, .count = 1}}}};
    struct notice *notice = notice_new(1, "arena", "e", "on-sale", MOMENT_SALE_START, minute(600), 1);
    const struct definition *members[2];

    (void)state;
    define(&world, "a600 b600 c600 d700 -f600 g600 h");
    assert_int_equal(plan_members(notice, &world.rule, &world.definitions, members, 2), 3);
    assert_string_equal(members[0]->id, "a");
    assert_string_equal(members[1]->id, "b");
    definitions_clear(&world.definitions);
    notice_free(notice);
}

/* Ten thousand tickets, five rules, fifty thousand notices: far from holding up the loop. The limit leaves room for
 * sanitizers; without them it takes a few hundredths of a second. */
static void large_plans_are_quick(void **state)
{
    enum { DEFINITIONS = 10000, RULES = 5 };
    struct rule rules[RULES];
    struct plan_rule known[RULES];
    char names[RULES][8];
    struct definitions definitions = {0};
    struct notices notices = {0};
    struct plan plan = {0};
    int64_t began_ms, took_ms;

    (void)state;
    for (int r = 0; r < RULES; r++) {
        snprintf(names[r], sizeof names[r], "rule%d", r);
        rules[r] = (struct rule){.name = names[r], .catch_up_ms = HOUR_MS, .when.offset_ms = -r * HOUR_MS};
        known[r] = (struct plan_rule){&rules[r], 0};
    }
    for (int i = 0; i < DEFINITIONS; i++) {
        char id[40], event_id[40];
        snprintf(id, sizeof id, "00000000-0000-0000-0000-%012d", i);
        snprintf(event_id, sizeof event_id, "10000000-0000-0000-0000-%012d", i / 25);
        definitions_put(&definitions,
                        definition_new(&(struct definition){
                            .site = "arena", .id = id, .event_id = event_id, .sale_starts_at_ms = minute(i + 600)}));
    }
    struct plan_input input = {.site = "arena",
                               .site_zone = "",
                               .definitions = &definitions,
                               .rules = known,
                               .rule_count = RULES,
                               .notices = &notices,
                               .now_ms = minute(0)};
    plan_make(&input, &plan);
    assert_int_equal(plan.count, DEFINITIONS * RULES);
    for (size_t i = 0; i < plan.count; i++) {
        const struct plan_step *step = &plan.steps[i];
        struct notice *notice =
            notice_new((int64_t)i + 1, "arena", step->subject, step->rule->name, step->kind, step->at_ms, 1);
        notice->due_at_ms = step->due_at_ms;
        notices_put(&notices, notice);
    }
    plan_clear(&plan);
    began_ms = clock_mono_ms(&clock_machine);
    plan_make(&input, &plan);
    took_ms = clock_mono_ms(&clock_machine) - began_ms;
    print_message("# %d definitions, %d rules, %zu notices: %d ms\n", DEFINITIONS, RULES, notices.count, (int)took_ms);
    assert_int_equal(plan.count, 0);
    assert_true(took_ms < 2000);
    plan_clear(&plan);
    definitions_clear(&definitions);
    notices_clear(&notices);
}

static const struct zone *count_events(void *ctx, const char *name)
{
    (void)name;
    ++*(size_t *)ctx; /* each event that is planned asks for its zone, once */
    return NULL;
}

/* However much is planned: what has changed is planned alone, and comes to what planning everything comes to. */
static void an_event_is_planned_alone(void **state)
{
    enum { EVENTS = 1000 };
    struct rule rule = {.name = "on-sale", .catch_up_ms = HOUR_MS};
    struct plan_rule known = {&rule, 0};
    struct definitions definitions = {0};
    struct notices notices = {0};
    struct plan plan = {0};
    size_t events = 0;
    char names[EVENTS][16];

    (void)state;
    for (int i = 0; i < EVENTS; i++) {
        snprintf(names[i], sizeof names[i], "event-%04d", i);
        definitions_put(&definitions, definition_new(&(struct definition){.site = "arena",
                                                                          .id = names[i],
                                                                          .event_id = names[i],
                                                                          .event_zone = "Europe/Vilnius",
                                                                          .sale_starts_at_ms = minute(i + 600)}));
        struct notice *notice =
            notice_new(i + 1, "arena", names[i], "on-sale", MOMENT_SALE_START, minute(i + 600 + (i == 500)), 1);
        notice->due_at_ms = notice->at_ms;
        notices_put(&notices, notice);
    }
    struct plan_input input = {.site = "arena",
                               .site_zone = "",
                               .definitions = &definitions,
                               .rules = &known,
                               .rule_count = 1,
                               .notices = &notices,
                               .zone = count_events,
                               .zone_ctx = &events,
                               .now_ms = minute(0)};
    plan_make(&input, &plan); /* only the one in the middle has moved */
    assert_int_equal(plan.count, 2);
    assert_int_equal(events, EVENTS);
    plan_clear(&plan);
    events = 0;
    input.event = names[499];
    plan_make(&input, &plan);
    assert_int_equal(plan.count, 0);
    input.event = names[500];
    plan_make(&input, &plan);
    assert_int_equal(plan.count, 2);
    assert_int_equal(plan.steps[0].action, PLAN_WITHDRAW);
    assert_int_equal(plan.steps[0].notice->id, 501);
    assert_int_equal(plan.steps[1].action, PLAN_ADD);
    assert_string_equal(plan.steps[1].subject, "event-0500");
    assert_int_equal(events, 2);
    plan_clear(&plan);
    definitions_clear(&definitions);
    notices_clear(&notices);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(stories),
        cmocka_unit_test(one_reminder_per_instant),
        cmocka_unit_test(random_histories),
        cmocka_unit_test(due_times_follow_rule_and_zone),
        cmocka_unit_test(start_by),
        cmocka_unit_test(misses),
        cmocka_unit_test(ours_or_not),
        cmocka_unit_test(a_rule_taken_out_ends_only_what_has_not_begun),
        cmocka_unit_test(a_repeat_stands_beside_the_first),
        cmocka_unit_test(members_are_what_the_rule_covers),
        cmocka_unit_test(large_plans_are_quick),
        cmocka_unit_test(an_event_is_planned_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
