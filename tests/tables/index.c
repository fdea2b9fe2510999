#include "index.h"
#include "table.h"

#include <string.h>

enum { ITEMS = 2000 };

/* Half of the hash is thrown away: many share a place. */
static uint64_t crowded(const void *item)
{
    return index_hash(INDEX_HASH, item) & 0x3f;
}

static uint64_t spread(const void *item)
{
    return index_hash(INDEX_HASH, item);
}

static bool same(const void *a, const void *b)
{
    return strcmp(a, b) == 0;
}

static void every_item_is_found_until_it_goes(void **state)
{
    static const struct index_kind kinds[] = {{crowded, same}, {spread, same}};
    static char names[ITEMS][16], twin[16];

    (void)state;
    for (size_t i = 0; i < ITEMS; i++)
        snprintf(names[i], sizeof names[i], "item-%zu", i * 7919);
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        size_t items = k == 0 ? 200 : ITEMS;
        struct index index = {0};
        assert_null(index_find(&index, &kinds[k], "nobody"));
        assert_null(index_remove(&index, &kinds[k], "nobody"));
        for (size_t i = 0; i < items; i++)
            assert_null(index_put(&index, &kinds[k], names[i]));
        for (size_t i = 0; i < items; i += 3)
            assert_ptr_equal(index_remove(&index, &kinds[k], names[i]), names[i]);
        for (size_t i = 0; i < items; i++)
            assert_ptr_equal(index_find(&index, &kinds[k], names[i]), i % 3 == 0 ? NULL : names[i]);
        strcpy(twin, names[1]);
        assert_ptr_equal(index_put(&index, &kinds[k], twin), names[1]);
        assert_ptr_equal(index_find(&index, &kinds[k], names[1]), twin);
        assert_int_equal(index.count, items - (items + 2) / 3);
        index_clear(&index);
        assert_null(index_find(&index, &kinds[k], names[1]));
    }
}

static void texts_that_meet_are_told_apart(void **state)
{
    (void)state;
    assert_true(index_hash(index_hash(INDEX_HASH, "ab"), "c") != index_hash(index_hash(INDEX_HASH, "a"), "bc"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_is_found_until_it_goes),
        cmocka_unit_test(texts_that_meet_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
