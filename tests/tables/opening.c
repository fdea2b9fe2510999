#include "opening.h"
#include "table.h"

#include <string.h>

/* A world in words: "a10 b11 -c12" are definitions with the hour they open at; '-' is hidden, "a" has no date. */
static void world(struct definitions *set, const char *words, enum event_status status)
{
    struct text rest = text_of(words);

    definitions_clear(set);
    while (rest.len) {
        struct text word = text_cut(&rest, ' ');
        bool hidden = text_starts(word, "-");
        char id[2] = {word.ptr[hidden], 0};
        int64_t at = MOMENT_NONE;
        if (word.len > 1u + hidden)
            assert_int_equal(parse_i64(text_slice(word, 1u + hidden, word.len), 0, 99, &at, NULL), 0);
        definitions_put(set, definition_new(&(struct definition){.site = "arena",
                                                                 .id = id,
                                                                 .event_id = "e",
                                                                 .hidden = hidden,
                                                                 .event_status = status,
                                                                 .sale_starts_at_ms = at}));
    }
}

/* The scheduled openings: "1@10=ab 2@11=c"; the others: "(1)". */
static char *told(const struct openings *set)
{
    struct buf buf;

    buf_init(&buf, 1000);
    for (size_t i = 0; i < set->count; i++) {
        const struct opening *opening = set->at[i];
        if (i)
            buf_addc(&buf, ' ');
        if (opening->state == OPENING_WITHDRAWN) {
            buf_addf(&buf, "(%d)", (int)opening->id);
            continue;
        }
        buf_addf(&buf, "%d@%d=", (int)opening->id, (int)opening->opens_at_ms);
        for (size_t k = 0; k < opening->member_count; k++)
            buf_adds(&buf, opening->members[k]);
    }
    return buf_take(&buf);
}

static void regrouping(void **state)
{
    static const struct {
        const char *name;
        const char *worlds[4];
        const char *openings;
    } cases[] = {
        {"first seen", {"a10 b10 c11"}, "1@10=ab 2@11=c"},
        {"no date, hidden", {"a -b10"}, ""},
        {"moves as a whole", {"a10 b10", "a12 b12"}, "1@12=ab"},
        {"one by one", {"a10 b10 c10", "a12 b10 c10", "a12 b12 c10", "a12 b12 c12"}, "1@12=abc (2)"},
        {"split: the larger part keeps it", {"a10 b10 c10", "a10 b12 c12"}, "1@12=bc 2@10=a"},
        {"split: a tie stays", {"a10 b10", "a12 b10"}, "1@10=b 2@12=a"},
        {"split: a tie stays, though the other is earlier", {"a10 b10", "a8 b10"}, "1@10=b 2@8=a"},
        {"split: a tie, none stays", {"a10 b10", "a13 b12"}, "1@12=b 2@13=a"},
        {"split and rejoin", {"a10 b10", "a12 b10", "a10 b10"}, "1@10=ab (2)"},
        {"merge keeps the oldest", {"a10 b11 c11 d11", "a11 b11 c11 d11"}, "1@11=abcd (2)"},
        {"merge at a third instant", {"a10 b11", "a12 b12"}, "1@12=ab (2)"},
        {"swap", {"a10 b11", "a11 b10"}, "1@11=a 2@10=b"},
        {"one joins", {"a10", "a10 b10"}, "1@10=ab"},
        {"the oldest is hidden", {"a10 b10", "-a10 b10"}, "1@10=b"},
        {"all hidden", {"a10 b10", "-a10 -b10"}, "(1)"},
        {"all gone", {"a10", ""}, "(1)"},
        {"withdrawn stays withdrawn", {"a10", "-a10", "a10"}, "(1) 2@10=a"},
        {"made anew at the same instant", {"a10", "b10"}, "1@10=b"},
        {"made anew while the old one moves", {"a10", "b10 a11"}, "1@11=a 2@10=b"},
        {"the rest of a torn one", {"a10 b10 c10 d11 e11", "a10 b10 d10 c11 e11"}, "1@10=abd 2@11=ce"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct definitions definitions = {0};
        struct openings openings = {0};
        auto_free char *now = NULL;
        for (size_t k = 0; k < 4 && cases[i].worlds[k]; k++) {
            world(&definitions, cases[i].worlds[k], EVENT_UPCOMING);
            openings_update(&openings, "arena", "e", &definitions);
            assert_int_equal(openings_update(&openings, "arena", "e", &definitions), 0);
        }
        now = told(&openings);
        if (strcmp(now, cases[i].openings) != 0)
            fail_msg("%s: %s, not %s", cases[i].name, now, cases[i].openings);
        openings_clear(&openings);
        definitions_clear(&definitions);
    }
}

static void what_changed_is_dirty(void **state)
{
    struct definitions definitions = {0};
    struct openings openings = {0};

    (void)state;
    world(&definitions, "a10 b11", EVENT_UPCOMING);
    assert_int_equal(openings_update(&openings, "arena", "e", &definitions), 2);
    assert_true(openings.at[0]->dirty && openings.at[1]->dirty);
    openings.at[0]->dirty = openings.at[1]->dirty = false;
    world(&definitions, "a10 b12", EVENT_UPCOMING);
    assert_int_equal(openings_update(&openings, "arena", "e", &definitions), 1);
    assert_false(openings.at[0]->dirty);
    assert_true(openings.at[1]->dirty);
    assert_int_equal(openings_find(&openings, "arena", "e", 12)->id, 2);
    assert_null(openings_find(&openings, "arena", "e", 11));
    assert_null(openings_find(&openings, "hall", "e", 12));
    openings_clear(&openings);
    definitions_clear(&definitions);
}

static void events_that_end_and_events_that_are_cancelled(void **state)
{
    struct definitions definitions = {0};
    struct openings openings = {0};

    (void)state;
    world(&definitions, "a10", EVENT_UPCOMING);
    openings_update(&openings, "arena", "e", &definitions);
    world(&definitions, "a10", EVENT_ENDED);
    assert_int_equal(openings_update(&openings, "arena", "e", &definitions), 0);
    assert_int_equal(openings.at[0]->state, OPENING_SCHEDULED);
    world(&definitions, "a10", EVENT_CANCELED);
    assert_int_equal(openings_update(&openings, "arena", "e", &definitions), 1);
    assert_int_equal(openings.at[0]->state, OPENING_WITHDRAWN);
    openings_clear(&openings);
    definitions_clear(&definitions);
}

static void sites_and_events_are_strangers(void **state)
{
    struct definitions definitions = {0};
    struct openings openings = {0};
    static const char *const ids[] = {"a"};

    (void)state;
    opening_set_members(openings_add(&openings, 5, "hall", "e", 10, OPENING_SCHEDULED), ids, 1);
    opening_set_members(openings_add(&openings, 3, "arena", "d", 10, OPENING_SCHEDULED), ids, 1);
    world(&definitions, "a10", EVENT_UPCOMING);
    openings_update(&openings, "arena", "e", &definitions);
    assert_int_equal(openings_update(&openings, "arena", "d", &definitions), 1);
    assert_int_equal(openings.count, 3);
    assert_int_equal(openings.at[0]->id, 3);
    assert_int_equal(openings.at[0]->state, OPENING_WITHDRAWN); /* its event is known no more */
    assert_int_equal(openings.at[1]->state, OPENING_SCHEDULED);
    assert_int_equal(openings.at[2]->id, 6);
    assert_string_equal(openings.at[2]->event_id, "e");
    openings_clear(&openings);
    definitions_clear(&definitions);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(regrouping),
        cmocka_unit_test(what_changed_is_dirty),
        cmocka_unit_test(events_that_end_and_events_that_are_cancelled),
        cmocka_unit_test(sites_and_events_are_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
