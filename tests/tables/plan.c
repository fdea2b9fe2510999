/* Single steps of planning. What comes of many, one after the other: plan_stories.c. */
#include "plan_world.h"

static const struct zone *zone_by_name(void *ctx, const char *name)
{
    return zones_get(ctx, name);
}

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
        world_clear(&world);
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
        world_clear(&world);
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
    world_clear(&world);
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
    world_clear(&world);
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
    world_clear(&world);
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
