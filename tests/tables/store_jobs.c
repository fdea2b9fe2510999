/* Jobs on their way to the writer and back: in which order, and what becomes of the others when one fails. */
#include "store_bench.h"

#include <signal.h>
#include <sys/resource.h>

struct order {
    struct bench *bench;
    int number;
    int *next;
};

static void on_ordered(void *ctx, const struct error *failure)
{
    struct order *order = ctx;

    assert_null(failure);
    assert_int_equal(order->number, *order->next);
    order->bench->answered = ++*order->next == 200;
    if (order->number % 10 == 8) /* the next one is cancelled */
        ++*order->next;
    order->bench->answered |= *order->next == 200;
}

static void answers_come_in_order_and_a_cancelled_one_not_at_all(void **state)
{
    struct bench *b = *state;
    struct order orders[200];
    int next = 0;

    for (int i = 0; i < 200; i++) {
        orders[i] = (struct order){b, i, &next};
        struct store_job *job = store_evidence(b->store, 1, i, "{}", on_ordered, &orders[i]);
        if (i % 10 == 9)
            store_cancel(&job);
    }
    bench_wait(b);
    assert_int_equal(next, 200);
}

/* Jobs that wait share a commit; one that fails takes nobody with it. */
static void on_counted(void *ctx, const struct error *failure)
{
    int *outcomes = ctx;

    outcomes[failure ? 1 : 0]++;
}

static void a_failing_job_fails_alone(void **state)
{
    struct bench *b = *state;
    struct notice *n = bench_notice(1), *twin = bench_notice(2), *other = bench_notice(3);
    struct store_change change = {.notice_count = 1, .first_walk_at_ms = MOMENT_NONE, .watermark_ms = MOMENT_NONE};
    struct store_image image;
    int outcomes[2] = {0};

    notice_free(twin);
    twin = notice_new(2, n->site, n->subject, n->rule, n->kind, n->at_ms, n->edition); /* the same identity */
    twin->due_at_ms = DUE_MS;
    for (int i = 0; i < 3; i++) {
        change.notices = (const struct notice *const[]){i == 0 ? n : i == 1 ? twin : other};
        store_apply(b->store, &change, on_counted, outcomes);
    }
    store_evidence(b->store, 1, DUE_MS, "{}", bench_on_done, b);
    bench_wait(b);
    bench_fine(b);
    assert_int_equal(outcomes[0], 2);
    assert_int_equal(outcomes[1], 1);
    assert_int_equal(store_load(b->store, &image, NULL), 0);
    assert_int_equal(image.notices.count, 2);
    store_image_clear(&image);
    notice_free(n);
    notice_free(twin);
    notice_free(other);
}

static void a_full_disk_is_said_and_survived(void **state)
{
    struct bench *b = *state;
    struct rlimit all, little;

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 100);
    getrlimit(RLIMIT_FSIZE, &all);
    signal(SIGXFSZ, SIG_IGN);
    little = all;
    little.rlim_cur = 200000; /* bytes: the log cannot grow beyond */
    setrlimit(RLIMIT_FSIZE, &little);
    unsigned stored = 100;
    do {
        store_gather(b->store, &(struct store_gather){.roll = 1, .pass = 1, .source = "fans", .cursor = "x"},
                     bench_on_gathered, b);
        bench_wait(b);
        if (b->failure.kind == ERROR_NONE) {
            struct store_person people[200] = {0};
            for (unsigned i = 0; i < 200; i++) {
                people[i].address = TEXT("somebody@example.org");
                bench_key(people[i].key, stored + i + 1);
            }
            store_gather(b->store,
                         &(struct store_gather){
                             .roll = 1, .pass = 1, .source = "fans", .cursor = "", .people = people, .count = 200},
                         bench_on_gathered, b);
            bench_wait(b);
            stored += b->failure.kind == ERROR_NONE ? 200 : 0;
        }
    } while (b->failure.kind == ERROR_NONE && stored < 100000);
    setrlimit(RLIMIT_FSIZE, &all);
    assert_int_equal(b->failure.kind, ERROR_TRY_LATER);
    assert_non_null(strstr(b->failure.text, b->db));
    bench_claim(b, 1, 10, 1);
    assert_int_equal(b->got_count, 10);
    assert_int_equal(b->progress[0].tally.planned, stored);
}

struct race {
    struct bench *bench;
    unsigned pages, turns;
    unsigned pages_at_first_turn;
};

static void on_page(void *ctx, const struct store_gathered *result)
{
    struct race *race = ctx;

    assert_null(result->failure);
    race->pages++;
    assert_int_equal(result->planned, race->pages * 100); /* in order */
}

static void on_overtaking(void *ctx, const struct error *failure)
{
    struct race *race = ctx;

    assert_null(failure);
    if (!race->turns++)
        race->pages_at_first_turn = race->pages;
}

/* What is claimed does not wait behind the pages of another launch, and both get done. */
static void claims_overtake_pages(void **state)
{
    struct bench *b = *state;
    struct race race = {.bench = b};
    struct store_person people[100] = {0};

    for (unsigned page = 0; page < 100; page++) {
        for (unsigned i = 0; i < 100; i++) {
            bench_key(people[i].key, page * 100 + i);
            people[i].address = TEXT("somebody@example.org");
        }
        store_gather(b->store,
                     &(struct store_gather){
                         .roll = 1, .pass = 1, .source = "fans", .cursor = "", .people = people, .count = 100},
                     on_page, &race);
    }
    for (int i = 0; i < 20; i++)
        store_evidence(b->store, 1, i, "{}", on_overtaking, &race);
    while (race.pages < 100 || race.turns < 20)
        uv_run(&b->loop, UV_RUN_ONCE);
    assert_true(race.pages_at_first_turn < 100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(answers_come_in_order_and_a_cancelled_one_not_at_all),
        TEST(a_failing_job_fails_alone),
        TEST(a_full_disk_is_said_and_survived),
        TEST(claims_overtake_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
