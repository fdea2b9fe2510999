/* What counts as announced for another instant: by the same rule, for the same kind of moment, by who has claimed. */
#include "told.h"
#include "table.h"

enum { AT_MS = 600, THEN_MS = 700 };

static void add(struct notices *set, const char *subject, const char *rule, enum moment_kind kind, int64_t at_ms,
                bool claimed, const char *const *ids, size_t count)
{
    struct notice *notice =
        notice_new(set->next_id ? set->next_id : 1, "arena", subject, rule, kind, at_ms, (int)set->count + 1);

    notice->claimed = claimed;
    notice_set_members(notice, ids, count);
    notices_put(set, notice);
}

static void only_what_was_said_by_the_same_rule_of_another_instant(void **state)
{
    static const struct {
        const char *rule, *id;
        enum moment_kind kind;
        int64_t at_ms;
        bool told;
    } cases[] = {
        {"on-sale", "a", MOMENT_SALE_START, THEN_MS, true},   {"on-sale", "b", MOMENT_SALE_START, THEN_MS, true},
        {"on-sale", "a", MOMENT_SALE_START, AT_MS, false},    /* this very one */
        {"on-sale", "c", MOMENT_SALE_START, THEN_MS, false},  /* of a notice that has not claimed */
        {"on-sale", "d", MOMENT_SALE_START, THEN_MS, false},  /* of another event */
        {"on-sale", "x", MOMENT_SALE_START, THEN_MS, false},  /* nobody has spoken of it */
        {"on-sale", "a", MOMENT_SALE_END, THEN_MS, false},    /* its end is another matter */
        {"reminder", "a", MOMENT_SALE_START, THEN_MS, false}, /* nor has every rule said it */
        {"reminder", "e", MOMENT_SALE_END, AT_MS, true},      {"", "a", MOMENT_SALE_START, THEN_MS, false},
        {"on-sale", "f", MOMENT_SALE_START, AT_MS, true}, /* announced for two instants: the other one counts */
        {"on-sale", "f", MOMENT_SALE_START, THEN_MS, true},   {"on-sale", "f", MOMENT_SALE_START, 1, true},
    };
    struct notices set = {0};
    struct told told = {0};

    (void)state;
    add(&set, "e", "on-sale", MOMENT_SALE_START, AT_MS, true, (const char *const[]){"b", "f", "a"}, 3);
    add(&set, "e", "on-sale", MOMENT_SALE_START, AT_MS + 1, false, (const char *const[]){"c"}, 1);
    add(&set, "other", "on-sale", MOMENT_SALE_START, AT_MS, true, (const char *const[]){"d"}, 1);
    add(&set, "e", "reminder", MOMENT_SALE_END, THEN_MS, true, (const char *const[]){"e"}, 1);
    add(&set, "e", "on-sale", MOMENT_SALE_START, THEN_MS, true, (const char *const[]){"f"}, 1);
    told_take(&told, notices_about(&set, "arena", "e"));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (told_elsewhere(&told, &(struct announcement){cases[i].rule, cases[i].id, cases[i].kind, cases[i].at_ms}) !=
            cases[i].told)
            fail_msg("case %zu", i);
    told_take(&told, notices_about(&set, "arena", "other")); /* what was known before is forgotten */
    assert_int_equal(told.count, 1);
    told_take(&told, notices_about(&set, "arena", "nothing"));
    assert_int_equal(told.count, 0);
    assert_false(told_elsewhere(&told, &(struct announcement){"on-sale", "a", MOMENT_SALE_START, THEN_MS}));
    told_clear(&told);
    notices_clear(&set);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_was_said_by_the_same_rule_of_another_instant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
