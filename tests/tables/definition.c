#include "definition.h"
#include "table.h"

#include <string.h>

static void visible_ones(void **state)
{
    static const struct {
        enum event_status status;
        bool hidden, visible;
    } cases[] = {
        {EVENT_UPCOMING, false, true},  {EVENT_STARTED, false, true}, {EVENT_UNKNOWN, false, true},
        {EVENT_CANCELED, false, false}, {EVENT_ENDED, false, false},  {EVENT_DRAFT, false, false},
        {EVENT_UPCOMING, true, false},  {EVENT_STARTED, true, false}, {EVENT_UNKNOWN, true, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct definition definition = {.event_status = cases[i].status, .hidden = cases[i].hidden};
        if (definition_visible(&definition) != cases[i].visible)
            fail_msg("%s%s", cases[i].hidden ? "hidden, " : "", event_status_name(cases[i].status));
    }
}

static void copies_are_deep_and_never_hold_null(void **state)
{
    char id[] = "a";
    struct definition fields = {.site = "arena", .id = id, .event_id = "e", .revision = 7};
    struct definition *definition = definition_new(&fields);

    (void)state;
    id[0] = 'b';
    assert_string_equal(definition->id, "a");
    assert_string_equal(definition->event_place, "");
    assert_int_equal(definition->revision, 7);
    definition_free(definition);
}

static void same_looks_at_content_only(void **state)
{
    const struct definition base = {.site = "arena", .id = "a", .event_id = "e", .name = "VIP", .price = "10"};
    struct definition other = base;

    (void)state;
    other.revision = 9;
    other.updated_at_ms = 5;
    other.suspect = true;
    other.currency = "";
    assert_true(definition_same(&base, &other));
    other.name = "Vip";
    assert_false(definition_same(&base, &other));
    other = base;
    other.event_place = "Hall";
    assert_false(definition_same(&base, &other));
    other = base;
    other.sold_out = true;
    other.sale_status = SALE_STARTED;
    assert_false(definition_same(&base, &other));
    assert_true(definition_reads_same(&base, &other));
    other.name = "Vip";
    assert_false(definition_reads_same(&base, &other));
    other = base;
    other.sale_ends_at_ms = 5;
    assert_false(definition_same(&base, &other));
}

static void put(struct definitions *set, const char *event_id, const char *id, int64_t revision)
{
    definitions_put(set, definition_new(&(struct definition){.event_id = event_id, .id = id, .revision = revision}));
}

static void sets_find_by_id_and_keep_the_order_of_events(void **state)
{
    struct definitions set = {0};

    (void)state;
    assert_null(definitions_find(&set, "a"));
    put(&set, "e2", "a", 1);
    put(&set, "e1", "b", 1);
    put(&set, "e1", "a2", 1);
    put(&set, "e3", "c", 1);
    assert_string_equal(set.at[0]->id, "a2");
    assert_string_equal(set.at[1]->id, "b");
    assert_string_equal(set.at[2]->id, "a");
    put(&set, "e9", "b", 2); /* moved to another event */
    assert_int_equal(set.count, 4);
    assert_int_equal(definitions_find(&set, "b")->revision, 2);
    assert_string_equal(set.at[3]->id, "b");
    definitions_remove(&set, "a");
    definitions_remove(&set, "never there");
    assert_null(definitions_find(&set, "a"));
    assert_int_equal(set.count, 3);
    definitions_clear(&set);
}

static void sets_agree_with_a_plain_list(void **state)
{
    struct definitions set = {0};
    int64_t revision[97] = {0};
    unsigned random = 1;

    (void)state;
    for (int step = 1; step < 5000; step++) {
        char id[8], event_id[8];
        random = random * 1103515245 + 12345;
        snprintf(id, sizeof id, "%u", random / 65536 % 97);
        snprintf(event_id, sizeof event_id, "e%u", random / 1024 % 7);
        if (random % 5) {
            put(&set, event_id, id, step);
            revision[random / 65536 % 97] = step;
        } else {
            definitions_remove(&set, id);
            revision[random / 65536 % 97] = 0;
        }
    }
    for (int i = 0; i < 97; i++) {
        char id[8];
        const struct definition *found;
        snprintf(id, sizeof id, "%d", i);
        found = definitions_find(&set, id);
        assert_int_equal(found ? found->revision : 0, revision[i]);
    }
    for (size_t i = 1; i < set.count; i++) {
        int order = strcmp(set.at[i - 1]->event_id, set.at[i]->event_id);
        assert_true(order < 0 || (order == 0 && strcmp(set.at[i - 1]->id, set.at[i]->id) < 0));
    }
    definitions_clear(&set);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(visible_ones),
        cmocka_unit_test(copies_are_deep_and_never_hold_null),
        cmocka_unit_test(same_looks_at_content_only),
        cmocka_unit_test(sets_find_by_id_and_keep_the_order_of_events),
        cmocka_unit_test(sets_agree_with_a_plain_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
