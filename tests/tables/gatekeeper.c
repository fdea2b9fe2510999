#include "gatekeeper.h"
#include "table.h"

#include <string.h>

enum { NOW_MS = 1000000, IDS_MAX = 16 };

/* A source that says what the test tells it to, when the test tells it to. */
struct shop {
    struct source source; /* first */
    struct source_ops ops;
    bool dumb;         /* no request can be made */
    unsigned requests; /* made so far */
    unsigned cancelled;
    char ids[IDS_MAX][16]; /* of the request in flight */
    size_t count;
    source_answer_fn *done;
    void *ctx;
};

/* Somebody who asks. */
struct asker {
    struct bench *bench;
    struct gate_question *question;
    unsigned heard;
    char words[64]; /* of the last answer: "a=found b=gone " */
    int64_t clock_ahead_ms;
    bool failed;
    void (*then)(struct asker *asker); /* done in the middle of hearing it */
};

struct bench {
    int64_t now_ms;
    struct clock clock;
    uv_loop_t loop;
    struct alarms *alarms;
    struct shop shop;
    struct gatekeeper *keeper;
    unsigned news, heard_at_news; /* answers the mirror took, how many askers had heard by then */
    struct asker askers[4];
};

static int64_t bench_clock(void *ctx)
{
    return ((struct bench *)ctx)->now_ms;
}

static struct source_request *shop_ask(struct source *source, const struct source_ask *asks, size_t count,
                                       source_answer_fn *done, void *ctx, struct error *err)
{
    struct shop *shop = (struct shop *)source;

    if (shop->dumb) {
        error_set(err, ERROR_TRY_LATER, "no way to the shop");
        return NULL;
    }
    assert_null(shop->done); /* one request at a time */
    assert_true(count <= IDS_MAX);
    for (size_t i = 0; i < count; i++)
        snprintf(shop->ids[i], sizeof shop->ids[i], "%s", asks[i].id);
    shop->count = count;
    shop->done = done;
    shop->ctx = ctx;
    shop->requests++;
    return (struct source_request *)shop;
}

static void shop_cancel(struct source *source, struct source_request *request)
{
    struct shop *shop = (struct shop *)source;

    assert_ptr_equal(request, shop);
    shop->done = NULL;
    shop->cancelled++;
}

/* Ids that begin with g are gone, with u unknown, others are found. */
static void shop_answers(struct shop *shop, int64_t answered_at_ms, int64_t server_date_ms)
{
    const char *ids[IDS_MAX];
    enum source_verdict verdicts[IDS_MAX];
    struct definition *definitions[IDS_MAX] = {0};
    struct error failure = {0};
    source_answer_fn *done = shop->done;
    size_t count = shop->count;
    char copies[IDS_MAX][16];

    memcpy(copies, shop->ids, sizeof copies);
    for (size_t i = 0; i < count; i++) {
        ids[i] = copies[i];
        verdicts[i] = *ids[i] == 'g' ? SOURCE_GONE : *ids[i] == 'u' ? SOURCE_UNKNOWN : SOURCE_FOUND;
        if (verdicts[i] == SOURCE_FOUND)
            definitions[i] =
                definition_new(&(struct definition){.site = "arena", .id = ids[i], .event_id = "festival"});
        else if (verdicts[i] == SOURCE_UNKNOWN)
            error_set(&failure, ERROR_TRY_LATER, "timeout");
    }
    shop->done = NULL;
    done(shop->ctx, &(struct source_answer){.ids = ids,
                                            .verdicts = verdicts,
                                            .definitions = definitions,
                                            .count = count,
                                            .answered_at_ms = answered_at_ms,
                                            .server_date_ms = server_date_ms,
                                            .failure = failure.kind == ERROR_NONE ? NULL : &failure});
    for (size_t i = 0; i < count; i++)
        definition_free(definitions[i]);
}

static void on_news(void *ctx, const struct source_answer *answer)
{
    struct bench *b = ctx;

    b->news++;
    b->heard_at_news = 0;
    for (size_t i = 0; i < ARRAY_LEN(b->askers); i++)
        b->heard_at_news += b->askers[i].heard;
}

static void on_answer(void *ctx, const struct gate_answer *answer)
{
    static const char *const words[] = {[SOURCE_UNKNOWN] = "unknown", [SOURCE_FOUND] = "found", [SOURCE_GONE] = "gone"};
    struct asker *asker = ctx;

    asker->question = NULL;
    asker->heard++;
    asker->failed = answer->failure != NULL;
    asker->clock_ahead_ms = answer->clock_ahead_ms;
    asker->words[0] = '\0';
    for (size_t i = 0; i < answer->count; i++) {
        size_t len = strlen(asker->words);
        assert_int_equal(answer->words[i].verdict == SOURCE_FOUND, answer->words[i].definition != NULL);
        snprintf(asker->words + len, sizeof asker->words - len, "%s=%s ", answer->words[i].id,
                 words[answer->words[i].verdict]);
    }
    if (asker->then)
        asker->then(asker);
}

/* "a b c" */
static void ask(struct bench *b, unsigned asker, const char *ids)
{
    struct source_ask asks[IDS_MAX];
    char copy[64], *save = NULL;
    size_t count = 0;

    snprintf(copy, sizeof copy, "%s", ids);
    for (char *id = strtok_r(copy, " ", &save); id; id = strtok_r(NULL, " ", &save))
        asks[count++] = (struct source_ask){id, 1};
    b->askers[asker].question = gate_ask(b->keeper, asks, count, on_answer, &b->askers[asker]);
    memset(copy, '?', sizeof copy); /* what was asked is copied */
}

static void next_turn(struct bench *b)
{
    alarms_run(b->alarms);
}

static int set_up(void **state)
{
    struct bench *b = must_calloc(1, sizeof *b);

    b->now_ms = NOW_MS;
    b->clock = (struct clock){bench_clock, bench_clock, b};
    b->shop.ops = (struct source_ops){.ask = shop_ask, .cancel = shop_cancel};
    b->shop.source.ops = &b->shop.ops;
    for (size_t i = 0; i < ARRAY_LEN(b->askers); i++)
        b->askers[i].bench = b;
    if (uv_loop_init(&b->loop) < 0)
        return -1;
    b->alarms = alarms_new(&b->loop, &b->clock, NULL);
    b->keeper = gatekeeper_new(&b->shop.source, b->alarms, &b->clock, on_news, b);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    gatekeeper_free(b->keeper);
    alarms_close(b->alarms);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    int rc = uv_loop_close(&b->loop);
    free(b);
    return rc;
}

static void who_asks_in_one_turn_shares_a_request(void **state)
{
    struct bench *b = *state;

    ask(b, 0, "a b");
    ask(b, 1, "b gone c");
    assert_int_equal(b->shop.requests, 0); /* never from within the question */
    assert_true(gatekeeper_busy(b->keeper));
    next_turn(b);
    assert_int_equal(b->shop.requests, 1);
    assert_int_equal(b->shop.count, 4); /* b once */
    shop_answers(&b->shop, NOW_MS, MOMENT_NONE);
    assert_string_equal(b->askers[0].words, "a=found b=found ");
    assert_string_equal(b->askers[1].words, "b=found gone=gone c=found ");
    assert_false(gatekeeper_busy(b->keeper));
    next_turn(b);
    assert_int_equal(b->shop.requests, 1);
    assert_int_equal(b->askers[0].heard, 1);
}

static void who_comes_later_waits_for_the_next(void **state)
{
    struct bench *b = *state;

    ask(b, 0, "a");
    next_turn(b);
    ask(b, 1, "b");
    next_turn(b);
    assert_int_equal(b->shop.requests, 1);
    shop_answers(&b->shop, NOW_MS, MOMENT_NONE);
    assert_int_equal(b->askers[0].heard, 1);
    assert_int_equal(b->askers[1].heard, 0); /* what was asked before them says nothing about now */
    assert_int_equal(b->shop.requests, 2);
    assert_int_equal(b->shop.count, 1);
    shop_answers(&b->shop, NOW_MS, MOMENT_NONE);
    assert_string_equal(b->askers[1].words, "b=found ");
}

static void the_mirror_hears_first(void **state)
{
    struct bench *b = *state;

    ask(b, 0, "a");
    ask(b, 1, "b");
    next_turn(b);
    shop_answers(&b->shop, NOW_MS, MOMENT_NONE);
    assert_int_equal(b->news, 1);
    assert_int_equal(b->heard_at_news, 0);
}

static void who_cancelled_hears_nothing(void **state)
{
    struct bench *b = *state;

    ask(b, 0, "a");
    ask(b, 1, "b");
    gate_cancel(&b->askers[0].question);
    assert_null(b->askers[0].question);
    next_turn(b);
    ask(b, 2, "c");
    gate_cancel(&b->askers[2].question);
    gate_cancel(&b->askers[2].question); /* NULL is fine */
    shop_answers(&b->shop, NOW_MS, MOMENT_NONE);
    if (b->shop.done)
        shop_answers(&b->shop, NOW_MS, MOMENT_NONE);
    assert_int_equal(b->askers[0].heard, 0);
    assert_int_equal(b->askers[1].heard, 1);
    assert_int_equal(b->askers[2].heard, 0);
    assert_false(gatekeeper_busy(b->keeper));
}

static void cancel_the_other(struct asker *asker)
{
    gate_cancel(&asker->bench->askers[1].question);
}

static void ask_once_more(struct asker *asker)
{
    asker->then = NULL;
    ask(asker->bench, 0, "again");
}

static void an_answer_may_cancel_and_ask(void **state)
{
    struct bench *b = *state;

    b->askers[0].then = cancel_the_other;
    ask(b, 0, "a");
    ask(b, 1, "b");
    next_turn(b);
    shop_answers(&b->shop, NOW_MS, MOMENT_NONE);
    assert_int_equal(b->askers[1].heard, 0);

    b->askers[0].then = ask_once_more;
    ask(b, 0, "a");
    next_turn(b);
    shop_answers(&b->shop, NOW_MS, MOMENT_NONE);
    next_turn(b);
    assert_int_equal(b->shop.requests, 3);
    shop_answers(&b->shop, NOW_MS, MOMENT_NONE);
    assert_string_equal(b->askers[0].words, "again=found ");
    assert_int_equal(b->askers[0].heard, 3);
}

static void no_way_to_ask_is_an_answer(void **state)
{
    struct bench *b = *state;

    b->shop.dumb = true;
    ask(b, 0, "a b");
    ask(b, 1, "c");
    next_turn(b);
    assert_int_equal(b->askers[0].heard, 0); /* a turn later: who asks again in there does not ask itself to death */
    next_turn(b);
    assert_string_equal(b->askers[0].words, "a=unknown b=unknown ");
    assert_string_equal(b->askers[1].words, "c=unknown ");
    assert_true(b->askers[0].failed);
    assert_false(gatekeeper_busy(b->keeper));
    b->shop.dumb = false;
    ask(b, 0, "a");
    next_turn(b);
    shop_answers(&b->shop, NOW_MS, MOMENT_NONE);
    assert_false(b->askers[0].failed);
}

static void half_an_answer_says_what_it_knows(void **state)
{
    struct bench *b = *state;

    ask(b, 0, "a unknown");
    next_turn(b);
    shop_answers(&b->shop, NOW_MS, MOMENT_NONE);
    assert_string_equal(b->askers[0].words, "a=found unknown=unknown ");
    assert_true(b->askers[0].failed);
}

static void the_clocks_are_compared(void **state)
{
    static const struct {
        int64_t server_date_ms, ahead_ms;
    } rows[] = {{MOMENT_NONE, 0}, {NOW_MS, 0}, {NOW_MS - 5000, 5000}, {NOW_MS + 5000, -5000}};
    struct bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ask(b, 0, "a");
        next_turn(b);
        shop_answers(&b->shop, NOW_MS, rows[i].server_date_ms);
        assert_int_equal(b->askers[0].clock_ahead_ms, rows[i].ahead_ms);
    }
}

static void what_is_in_flight_at_the_end_is_dropped(void **state)
{
    struct bench *b = *state;

    ask(b, 0, "a");
    next_turn(b);
    ask(b, 1, "b");
    gate_cancel(&b->askers[0].question);
    gate_cancel(&b->askers[1].question);
    gatekeeper_free(b->keeper);
    b->keeper = NULL;
    assert_int_equal(b->shop.cancelled, 1);
    assert_null(b->shop.done);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(who_asks_in_one_turn_shares_a_request),
        TEST(who_comes_later_waits_for_the_next),
        TEST(the_mirror_hears_first),
        TEST(who_cancelled_hears_nothing),
        TEST(an_answer_may_cancel_and_ask),
        TEST(no_way_to_ask_is_an_answer),
        TEST(half_an_answer_says_what_it_knows),
        TEST(the_clocks_are_compared),
        TEST(what_is_in_flight_at_the_end_is_dropped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
