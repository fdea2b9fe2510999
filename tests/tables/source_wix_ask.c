/* Asking the Wix source for single definitions: by Query, by Get, past an index that lags, within the budget. */
#include "wix_rig.h"

static void asking_by_query(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    struct source_ask *asks = asks_of_world(&rig);
    control("[{'do':'clear_log'},{'do':'delete','id':'%s'},{'do':'hide','id':'%s'}]", asks[3].id, asks[4].id);
    asks[5].revision = 9; /* we know it newer than Query shows it */
    ask(&rig, asks, WORLD_SIZE);
    assert_int_equal(rig.failure.kind, ERROR_NONE);
    for (size_t i = 0; i < WORLD_SIZE; i++) {
        assert_int_equal(rig.verdicts[i], i == 3 ? SOURCE_GONE : SOURCE_FOUND);
        if (i != 3)
            assert_string_equal(rig.definitions[i]->id, asks[i].id);
    }
    assert_true(rig.definitions[4]->hidden);
    assert_int_equal(count_in_log("\"kind\": \"query\""), 3);
    assert_int_equal(count_in_log("\"kind\": \"get\""), 2);
    assert_int_equal(count_in_log("fields=SALES_DETAILS&fields=EVENT_DETAILS"), 2);
    assert_in_range(rig.answered_at_ms + 3000 - rig.server_date_ms, 0, 6000);

    control("{'do':'fault','on':'query','kind':'status','status':500}");
    ask(&rig, asks, WORLD_SIZE);
    size_t unknown = 0;
    for (size_t i = 0; i < WORLD_SIZE; i++)
        unknown += rig.verdicts[i] == SOURCE_UNKNOWN;
    assert_in_range(unknown, 50, 100); /* the other pages are as good as they were */
    assert_int_equal(rig.failure.kind, ERROR_TRY_LATER);
    assert_int_equal(rig.waited_ms, 0);
    asks_free(asks);
    rig_clear(&rig);
}

static void asking_by_get(void **state)
{
    static const struct {
        const char *order;
        int verdict;
        enum error_kind kind;
    } cases[] = {
        {"{'do':'lag','ms':0}", SOURCE_FOUND, ERROR_NONE},
        {"{'do':'fault','on':'get','kind':'status','status':404,'body':{'message':'Ticket definition not found'}}",
         SOURCE_GONE, ERROR_NONE},
        {"{'do':'fault','on':'get','kind':'meta-site'}", SOURCE_UNKNOWN, ERROR_CONFIG},
        {"{'do':'fault','on':'get','kind':'status','status':404,'html':true}", SOURCE_UNKNOWN, ERROR_CONFIG},
        {"{'do':'fault','on':'get','kind':'status','status':404,'body':{}}", SOURCE_UNKNOWN, ERROR_CONFIG},
        {"{'do':'fault','on':'get','kind':'status','status':410}", SOURCE_UNKNOWN, ERROR_REFUSED},
        {"{'do':'fault','on':'get','kind':'status','status':500}", SOURCE_UNKNOWN, ERROR_TRY_LATER},
        {"{'do':'fault','on':'get','kind':'status','status':429}", SOURCE_UNKNOWN, ERROR_TRY_LATER},
        {"{'do':'fault','on':'get','kind':'truncate'}", SOURCE_UNKNOWN, ERROR_TRY_LATER},
        {"{'do':'fault','on':'get','kind':'html'}", SOURCE_UNKNOWN, ERROR_TRY_LATER},
        {"{'do':'fault','on':'get','kind':'array'}", SOURCE_UNKNOWN, ERROR_TRY_LATER},
        {"{'do':'fault','on':'get','kind':'absent'}", SOURCE_UNKNOWN, ERROR_TRY_LATER},
        {"{'do':'fault','on':'get','kind':'reset','count':2}", SOURCE_UNKNOWN, ERROR_TRY_LATER},
        {"{'do':'fault','on':'get','kind':'silent','ms':2200}", SOURCE_UNKNOWN, ERROR_TRY_LATER},
        {"{'do':'fault','on':'get','kind':'redirect'}", SOURCE_UNKNOWN, ERROR_CONFIG},
        {"{'do':'change','id':'%s','set':{'salePeriod.startDate':'soon'}}", SOURCE_UNKNOWN, ERROR_REFUSED},
    };
    struct rig rig;

    (void)state;
    rig_init(&rig);
    struct source_ask *asks = asks_of_world(&rig);
    control("{'do':'derive','on':false}");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        control("{'do':'clear_faults'}");
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        control(cases[i].order, asks[0].id);
#pragma GCC diagnostic pop
        ask(&rig, asks, 1);
        if ((int)rig.verdicts[0] != cases[i].verdict || rig.failure.kind != cases[i].kind)
            fail_msg("%s: %d, %s", cases[i].order, (int)rig.verdicts[0], rig.failure.text);
        assert_true((rig.definitions[0] != NULL) == (cases[i].verdict == SOURCE_FOUND));
        assert_int_equal(rig.waited_ms, 0);
    }
    asks_free(asks);
    rig_clear(&rig);
}

/* Query shows yesterday's world: what is newer is asked again by Get. */
static void asking_past_a_lagging_index(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    struct source_ask *asks = asks_of_world(&rig);
    control("[{'do':'lag','ms':600000},{'do':'move','id':'%s','startDate':'2037-04-01T08:00:00Z'},"
            "{'do':'delete','id':'%s'}]",
            asks[0].id, asks[1].id);
    ask(&rig, asks, 3);
    assert_int_equal(rig.definitions[0]->revision, 2);
    assert_int_equal(rig.verdicts[1], SOURCE_GONE);
    ask(&rig, asks, 20); /* by Query, which cannot know */
    assert_int_equal(rig.definitions[0]->revision, 1);
    asks[0].revision = 2; /* but we do */
    ask(&rig, asks, 20);
    assert_int_equal(rig.definitions[0]->revision, 2);
    assert_int_equal(rig.definitions[0]->sale_starts_at_ms, 2122185600000);
    asks_free(asks);
    rig_clear(&rig);
}

static void a_wait_that_was_asked_for_is_kept(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    struct source_ask *asks = asks_of_world(&rig);
    control("[{'do':'clear_log'},{'do':'fault','on':'get','kind':'status','status':429,'retry_after':30}]");
    ask(&rig, asks, 1);
    ask(&rig, asks, 1);
    assert_int_equal(rig.verdicts[0], SOURCE_UNKNOWN);
    assert_non_null(strstr(rig.failure.text, "asked us to wait"));
    assert_int_equal(count_in_log("\"kind\": \"get\""), 1);
    jumped_ms += 30 * SECOND_MS;
    ask(&rig, asks, 1);
    assert_int_equal(rig.verdicts[0], SOURCE_FOUND);
    asks_free(asks);
    rig_clear(&rig);
}

static void the_clock_of_the_server(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    struct source_ask *asks = asks_of_world(&rig);
    control("{'do':'clock','offset_ms':-5000}");
    ask(&rig, asks, 1);
    assert_in_range(rig.answered_at_ms - rig.server_date_ms, 4900, 6200);
    asks_free(asks);
    rig_clear(&rig);
}

static void an_ask_can_be_dropped_anywhere(void **state)
{
    struct rig rig;
    struct error err = {0};

    (void)state;
    rig_init(&rig);
    struct source_ask *asks = asks_of_world(&rig);
    for (int turns = 0; turns < 40; turns++) {
        rig.answered = false;
        const struct source_ops *ops = rig.source->ops;
        rig.request =
            (turns % 4 < 2 ? ops->ask : ops->read)(rig.source, asks, turns % 2 ? WORLD_SIZE : 5, on_answer, &rig, &err);
        for (int i = 0; i < turns && !rig.answered; i++) {
            uv_run(&rig.loop, UV_RUN_NOWAIT);
            usleep(300);
        }
        source_cancel(rig.source, &rig.request);
    }
    asks_free(asks);
    rig_clear(&rig);
}

/* What nobody is in a hurry for waits, as a walk does, and leaves the gate its share. */
static void reading_keeps_the_walks_budget(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig.requests = (struct config_rate){8, MINUTE_MS};
    rig.reserve = (struct config_rate){4, MINUTE_MS};
    rig_source(&rig);
    struct source_ask *asks = asks_of_world(&rig); /* three pages */
    ask_by(&rig, true, asks, 100);                 /* one Query */
    assert_int_equal(rig.waited_ms, 0);
    assert_int_equal(count_found(&rig), 100);
    ask(&rig, asks, 4); /* the reserve is whole */
    assert_int_equal(rig.waited_ms, 0);
    assert_int_equal(count_found(&rig), 4);
    ask_by(&rig, true, asks, 5);
    assert_int_equal(count_found(&rig), 5); /* five Gets: four, and a minute later one */
    assert_in_range(rig.waited_ms, 110 * SECOND_MS, 121 * SECOND_MS);
    asks_free(asks);
    rig_clear(&rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(asking_by_query),
        cmocka_unit_test(asking_by_get),
        cmocka_unit_test(asking_past_a_lagging_index),
        cmocka_unit_test(a_wait_that_was_asked_for_is_kept),
        cmocka_unit_test(the_clock_of_the_server),
        cmocka_unit_test(an_ask_can_be_dropped_anywhere),
        cmocka_unit_test(reading_keeps_the_walks_budget),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
