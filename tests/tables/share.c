#include "share.h"
#include "table.h"
#include "text.h"

enum { FLOWS_MAX = 310 };

/* Flows as their owner keeps them: by number, whatever order share_divide() put them into. */
struct bench {
    struct share share;
    struct share_flow flows[FLOWS_MAX], *order[FLOWS_MAX];
    size_t count;
};

static void add(struct bench *b, enum share_class class, int64_t wants)
{
    b->flows[b->count++] = (struct share_flow){.class = class, .wants = wants};
}

/* One division; what was got is wanted no more. */
static int64_t divide(struct bench *b, int64_t room, size_t most)
{
    int64_t given = 0;

    for (size_t i = 0; i < b->count; i++)
        b->order[i] = &b->flows[i];
    share_divide(&b->share, b->order, b->count, room, most);
    for (size_t i = 0; i < b->count; i++) {
        struct share_flow *flow = &b->flows[i];
        assert_true(flow->gets >= 0 && flow->gets <= flow->wants);
        assert_true(i == 0 || b->order[i - 1]->class <= b->order[i]->class);
        given += flow->gets;
        flow->wants -= flow->gets;
    }
    assert_true(given <= room);
    return given;
}

static int64_t wanted(const struct bench *b)
{
    int64_t sum = 0;

    for (size_t i = 0; i < b->count; i++)
        sum += b->flows[i].wants;
    return sum;
}

static const int64_t million = 1000000;

/* Each row: what flows of a class want, and what they have had after `turns` divisions of `room`. */
static const struct {
    const char *name;
    struct {
        enum share_class class;
        int64_t wants, least, most;
    } flows[4];
    int64_t room;
    int turns;
} rows[] = {
    {"alone it has everything", {{SHARE_OTHER, 100, 40, 40}}, 40, 1},
    {"no more than it wants", {{SHARE_OPENING, 30, 30, 30}}, 40, 1},
    {"no room, nothing", {{SHARE_OPENING, 30, 0, 0}}, 0, 5},
    {"halves", {{SHARE_OPENING, 1000, 400, 400}, {SHARE_OPENING, 1000, 400, 400}}, 80, 10},
    {"halves by turns where there is room for one",
     {{SHARE_OPENING, 1000, 496, 504}, {SHARE_OPENING, 1000, 496, 504}},
     1,
     1000},
    {"fifty beside a million are through when twice as many left",
     {{SHARE_OPENING, million, 46, 54}, {SHARE_OPENING, 50, 50, 50}},
     4,
     26},
    {"what one cannot use the other has", {{SHARE_OPENING, million, 950, 950}, {SHARE_OPENING, 50, 50, 50}}, 100, 10},
    {"an opening before a reminder: six of seven",
     {{SHARE_OPENING, million, 592, 608}, {SHARE_OTHER, million, 92, 108}},
     70,
     10},
    {"also one at a time", {{SHARE_OPENING, million, 592, 608}, {SHARE_OTHER, million, 92, 108}}, 1, 700},
    {"however many reminders there are: three quarters",
     {{SHARE_OPENING, million, 592, 608},
      {SHARE_OTHER, million, 42, 58},
      {SHARE_OTHER, million, 42, 58},
      {SHARE_AGAIN, million, 92, 108}},
     8,
     100},
    {"its own people who are tried again come behind its first attempts",
     {{SHARE_OPENING, 600, 592, 600}, {SHARE_AGAIN, million, 100, 108}},
     70,
     10},
    {"reminders and who is tried again, when nothing opens",
     {{SHARE_OTHER, million, 492, 508}, {SHARE_AGAIN, million, 492, 508}},
     10,
     100},
};

static void divides(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bench b = {0};
        for (size_t k = 0; k < ARRAY_LEN(rows[i].flows) && rows[i].flows[k].wants; k++)
            add(&b, rows[i].flows[k].class, rows[i].flows[k].wants);
        for (int turn = 0; turn < rows[i].turns; turn++)
            divide(&b, rows[i].room, 64);
        for (size_t k = 0; k < b.count; k++) {
            int64_t had = rows[i].flows[k].wants - b.flows[k].wants;
            if (had < rows[i].flows[k].least || had > rows[i].flows[k].most)
                fail_msg("%s: flow %zu had %lld, expected %lld to %lld", rows[i].name, k + 1, (long long)had,
                         (long long)rows[i].flows[k].least, (long long)rows[i].flows[k].most);
        }
    }
}

/* N notices due at one second: each has its first one before any has a second, whatever a turn takes. */
static void first_of_all(void **state)
{
    static const size_t counts[] = {1, 2, 17, 300};

    for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
        struct bench b = {0};
        int64_t given = 0;
        for (size_t k = 0; k < counts[i]; k++)
            add(&b, SHARE_OPENING, 1000);
        while (given < (int64_t)counts[i]) {
            int64_t left = (int64_t)counts[i] - given;
            given += divide(&b, left < 40 ? left : 40, 16);
            for (size_t k = 0; k < counts[i]; k++)
                assert_true(b.flows[k].had <= 1);
        }
        assert_int_equal(given, counts[i]);
    }
}

/* Who comes late does not catch up, and does not wait either. */
static void late_comer(void **state)
{
    struct bench b = {0};

    add(&b, SHARE_OPENING, million);
    divide(&b, 5000, 64);
    add(&b, SHARE_OPENING, million);
    divide(&b, 1, 64);
    assert_int_equal(b.flows[1].had, 1);
    divide(&b, 999, 64);
    assert_in_range(b.flows[1].had, 492, 508);
}

/* Two that had nothing to do meanwhile do not take all the room afterwards. */
static void nobody_saves_up(void **state)
{
    struct bench b = {0};

    add(&b, SHARE_OPENING, million);
    add(&b, SHARE_OPENING, 0);
    add(&b, SHARE_OTHER, 0);
    for (int turn = 0; turn < 100; turn++)
        divide(&b, 100, 64);
    b.flows[1].wants = b.flows[2].wants = million;
    int64_t before = b.flows[0].had;
    divide(&b, 140, 64);
    assert_in_range(b.flows[0].had - before, 52, 68);
    assert_in_range(b.flows[1].had, 52, 68);
    assert_in_range(b.flows[2].had, 12, 28);
}

/* At most so many in one turn, and the others in the next. */
static void at_most_so_many(void **state)
{
    struct bench b = {0};

    for (int i = 0; i < 100; i++)
        add(&b, SHARE_OPENING, 1);
    assert_int_equal(divide(&b, 1000, 64), 64);
    assert_int_equal(divide(&b, 1000, 64), 36);
    assert_int_equal(wanted(&b), 0);
}

static uint64_t next_random(uint64_t *seed) /* xorshift */
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    return *seed ^= *seed << 17;
}

/* Since when a flow and its class have always wanted something, and what they had since. */
struct watch {
    int64_t since, had[FLOWS_MAX], class_had[SHARE_CLASSES];
    bool class_waits[SHARE_CLASSES];
};

/* Every flow wants more than it can get: equal shares in each class, classes as six to one to one, all room used. */
static void always_fair(struct bench *b, uint64_t *seed, int turns)
{
    struct watch watch = {0};
    int64_t given = 0, weights = 0;
    static const int64_t weight[] = {6, 1, 1};

    for (size_t i = 0; i < b->count; i++) {
        b->flows[i].wants = million * million;
        watch.had[i] = b->flows[i].had;
        watch.class_waits[b->flows[i].class] = true;
    }
    for (int turn = 0; turn < turns; turn++) {
        int64_t room = (int64_t)(next_random(seed) % 200);
        int64_t got = divide(b, room, FLOWS_MAX);
        assert_int_equal(got, room);
        given += got;
        for (size_t i = 0; i < b->count; i++)
            for (size_t k = 0; k < i; k++) {
                int64_t x = b->flows[i].had - watch.had[i], y = b->flows[k].had - watch.had[k];
                if (b->flows[i].class == b->flows[k].class && (x - y > 2 * SHARE_STEP || y - x > 2 * SHARE_STEP))
                    fail_msg("flow %zu had %lld since, flow %zu %lld", i, (long long)x, k, (long long)y);
            }
    }
    for (size_t i = 0; i < b->count; i++)
        watch.class_had[b->flows[i].class] += b->flows[i].had - watch.had[i];
    for (int class = 0; class < SHARE_CLASSES; class ++)
        weights += watch.class_waits[class] ? weight[class] : 0;
    for (int class = 0; class < SHARE_CLASSES; class ++) {
        int64_t due = watch.class_waits[class] ? given * weight[class] / weights : 0;
        int64_t off = watch.class_had[class] - due;
        if (off > 6 * SHARE_STEP + 1 || off < -6 * SHARE_STEP - 1)
            fail_msg("class %d had %lld, its share is %lld", class, (long long)watch.class_had[class], (long long)due);
    }
}

/* Random crowds that come, go, pause and come back: nothing is given twice, room is used while anybody wants it, nobody
 * starves, and whenever all of them want, the shares are fair from there on. */
static void random_crowds(void **state)
{
    for (uint64_t round = 1; round <= 300; round++) {
        uint64_t seed = round * 0x9E3779B97F4A7C15u;
        struct bench *b = must_calloc(1, sizeof *b);
        for (size_t n = 1 + next_random(&seed) % 12; n > 0; n--)
            add(b, next_random(&seed) % SHARE_CLASSES, 0);
        for (int turn = 0; turn < 50; turn++) {
            for (size_t i = 0; i < b->count; i++)
                if (next_random(&seed) % 3 == 0)
                    b->flows[i].wants = next_random(&seed) % 2 ? (int64_t)(next_random(&seed) % 100) : 0;
            int64_t room = (int64_t)(next_random(&seed) % 60), all = wanted(b);
            assert_int_equal(divide(b, room, FLOWS_MAX), room < all ? room : all);
        }
        always_fair(b, &seed, 40);
        /* From there on all are served to their end: nobody is left behind. */
        for (size_t i = 0; i < b->count; i++)
            b->flows[i].wants = 1 + (int64_t)(next_random(&seed) % 300);
        for (int64_t all = wanted(b); all > 0; all -= 7)
            divide(b, 7, 3);
        for (int turn = 0; turn < 200 && wanted(b) > 0; turn++)
            divide(b, 7, 3);
        assert_int_equal(wanted(b), 0);
        free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(divides),         cmocka_unit_test(first_of_all),    cmocka_unit_test(late_comer),
        cmocka_unit_test(nobody_saves_up), cmocka_unit_test(at_most_so_many), cmocka_unit_test(random_crowds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
