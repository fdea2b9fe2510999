/* What others told us: once, in order, and across restarts. */
#include "store_bench.h"

static struct store_hooked got;

static int set_up(void **state)
{
    bench_set_up(state);
    struct bench *b = *state;
    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 3);
    return 0;
}

static void on_hook(void *ctx, const struct store_hooked *result)
{
    got = *result;
    bench_note(ctx, result->failure);
}

static enum store_hook_news tell(struct bench *b, struct store_hook hook)
{
    if (!hook.from)
        hook.from = "wix arena";
    if (!hook.entity)
        hook.entity = "";
    hook.at_ms = bench_clock(b);
    store_hook(b->store, &hook, on_hook, b);
    bench_wait(b);
    bench_fine(b);
    return got.news;
}

static void once(void **state)
{
    struct bench *b = *state;

    assert_int_equal(tell(b, (struct store_hook){.id = "a"}), HOOK_NEW);
    assert_int_equal(tell(b, (struct store_hook){.id = "a"}), HOOK_REPEATED);
    assert_int_equal(tell(b, (struct store_hook){.id = "b"}), HOOK_NEW);
    assert_int_equal(tell(b, (struct store_hook){.from = "wix other", .id = "a"}), HOOK_NEW);
    assert_int_equal(tell(b, (struct store_hook){.id = ""}), HOOK_NEW);
    assert_int_equal(tell(b, (struct store_hook){.id = ""}), HOOK_NEW); /* known by nothing */
    bench_close(b);
    bench_open(b);
    assert_int_equal(tell(b, (struct store_hook){.id = "a"}), HOOK_REPEATED);
}

static void in_order(void **state)
{
    static const struct {
        const char *id, *entity;
        uint64_t sequence;
        enum store_hook_news news;
    } cases[] = {
        {"1", "d", 5, HOOK_NEW},
        {"2", "d", 4, HOOK_OLD},
        {"3", "d", 5, HOOK_NEW}, /* one change may be said in two ways */
        {"4", "e", 1, HOOK_NEW},
        {"5", "d", 0, HOOK_NEW}, /* not said */
        {"6", "", 1, HOOK_NEW},
        {"7", "d", 0x7FFFFFFFFFFFFFFF, HOOK_NEW},
        {"8", "d", 0x8000000000000000, HOOK_NEW},
        {"9", "d", 0x7FFFFFFFFFFFFFFF, HOOK_OLD},
        {"10", "d", UINT64_MAX, HOOK_NEW},
        {"11", "d", 6, HOOK_OLD},
        {"11", "d", UINT64_MAX, HOOK_REPEATED},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct store_hook hook = {.id = cases[i].id, .entity = cases[i].entity, .sequence = cases[i].sequence};
        if (tell(b, hook) != cases[i].news)
            fail_msg("case %zu: %d", i, got.news);
        if (i == 8) {
            bench_close(b);
            bench_open(b);
        }
    }
}

static void for_some_days(void **state)
{
    struct bench *b = *state;
    char id[16];

    for (int i = 0; i < 250; i++) {
        snprintf(id, sizeof id, "old %d", i);
        tell(b, (struct store_hook){.id = id, .entity = id, .sequence = 7});
    }
    b->ahead_ms = 7 * DAY_MS;
    assert_int_equal(tell(b, (struct store_hook){.id = "old 1"}), HOOK_REPEATED);
    b->ahead_ms += 1;
    for (int i = 0; i < 3; i++) {
        snprintf(id, sizeof id, "new %d", i);
        tell(b, (struct store_hook){.id = id, .entity = id, .sequence = 7});
    }
    assert_int_equal(bench_number(b, "SELECT count(*) FROM hook"), 3);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM hook_entity"), 3);
    assert_int_equal(tell(b, (struct store_hook){.id = "old 1"}), HOOK_NEW);
}

/* Who was taken back since is not suppressed by the same word again. */
static void what_it_does_is_done_once(void **state)
{
    struct bench *b = *state;
    struct store_suppression word = {.scope = "fans", .reason = "unsubscribe", .at_ms = DUE_MS},
                             lift = {.scope = "fans"};
    struct store_feedback bounce = {.kind = FEEDBACK_HARD, .text = "550", .at_ms = DUE_MS};

    bench_key(word.key, 2);
    bench_key(lift.key, 2);
    bench_key(bounce.key, 3);
    lift.lift = true;
    assert_int_equal(tell(b, (struct store_hook){.id = "u", .suppress = &word}), HOOK_NEW);
    assert_int_equal(got.suppressed, 1);
    bench_suppress(b, &lift, 1);
    assert_int_equal(tell(b, (struct store_hook){.id = "u", .suppress = &word}), HOOK_REPEATED);
    assert_int_equal(got.suppressed, 0);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM suppression"), 0);

    assert_int_equal(tell(b, (struct store_hook){.id = "b", .feedback = &bounce}), HOOK_NEW);
    assert_true(got.fed_back.known && got.fed_back.suppressed);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM suppression WHERE reason = 'bounce'"), 1);
    bench_claim(b, 1, 10, 1); /* gathered before */
    assert_int_equal(b->got_count, 2);
    for (uint32_t seq = 1; seq <= 2; seq++)
        bench_fate(b, 1, seq, 1, FATE_ACCEPTED, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(once),
        TEST(in_order),
        TEST(for_some_days),
        TEST(what_it_does_is_done_once),
    };
    return cmocka_run_group_tests_name("store_hook", tests, NULL, NULL);
}
