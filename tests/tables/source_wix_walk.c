/* The walks of the Wix source: what they bring, what one fault or several make of them, and their share of the budget.
 */
#include "wix_rig.h"

static void a_full_walk(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    walk_fine(&rig);
    assert_int_equal(count_in_log("\"kind\": \"query\""), 3);
    assert_int_equal(count_in_log("createdDate"), 1); /* a cursor carries sort and filter */
    assert_int_equal(count_in_log("EVENT_DETAILS"), 3);
    assert_in_range(rig.answered_at_ms + 3000 - rig.server_date_ms, 0, 6000);
    assert_true(*rig.definitions[0]->event_title);
    for (size_t i = 1; i < rig.count; i++)
        assert_true(strcmp(rig.definitions[i - 1]->id, rig.definitions[i]->id) != 0);
    rig_clear(&rig);
}

static bool knows_all_but_two(void *ctx, const struct definition *definition)
{
    const char *const *news = ctx;
    return strcmp(definition->id, news[0]) != 0 && strcmp(definition->id, news[1]) != 0;
}

/* What is no news is left out as its page comes: of a large shop nothing is kept until the end. */
static void a_walk_brings_news_alone(void **state)
{
    struct rig rig;
    const char *news[2];

    (void)state;
    rig_init(&rig);
    struct source_ask *asks = asks_of_world(&rig);
    news[0] = asks[7].id;
    news[1] = asks[WORLD_SIZE - 1].id;
    rig.source->known = knows_all_but_two;
    rig.source->known_ctx = news;
    walk(&rig, MOMENT_NONE);
    assert_true(rig.complete);
    assert_int_equal(rig.count, 2);
    assert_int_equal(rig.known, WORLD_SIZE - 2);
    assert_true(rig.watermark_ms != MOMENT_NONE);
    asks_free(asks);
    rig_clear(&rig);
}

static void an_incremental_walk(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    walk_fine(&rig);
    int64_t watermark_ms = rig.watermark_ms;
    auto_free char *id = must_strdup(rig.definitions[7]->id);
    walk(&rig, watermark_ms);
    assert_true(rig.complete);
    assert_int_equal(rig.count, 0);
    control("[{'do':'clock','offset_ms':400000000000},{'do':'change','id':'%s','set':{'name':'Renamed'}}]", id);
    walk(&rig, watermark_ms);
    assert_int_equal(rig.count, 1);
    assert_string_equal(rig.definitions[0]->name, "Renamed");
    assert_true(rig.watermark_ms > watermark_ms);
    rig_clear(&rig);
}

/* What one fault, or several in a row, make of a walk. */
static void walks_meet_faults(void **state)
{
    static const struct {
        const char *fault; /* the rest of the order */
        bool complete;
        enum error_kind kind;
        const char *said;
        int64_t waits_min_ms, waits_max_ms;
    } cases[] = {
        {"'kind':'status','status':500", true, .waits_max_ms = 1000},
        {"'kind':'status','status':500,'count':3", true, .waits_max_ms = 21000},
        {"'kind':'status','status':500,'count':4", false, ERROR_TRY_LATER, "page 1: POST ", .waits_max_ms = 21000},
        {"'kind':'status','status':504,'html':true,'after':2", true, .waits_max_ms = 1000},
        {"'kind':'status','status':429", true, .waits_min_ms = 60000, .waits_max_ms = 66000},
        {"'kind':'status','status':429,'html':true,'after':1", true, .waits_min_ms = 60000, .waits_max_ms = 66000},
        {"'kind':'status','status':429,'retry_after':7", true, .waits_min_ms = 7000, .waits_max_ms = 7700},
        {"'kind':'status','status':503,'retry_after':20", true, .waits_min_ms = 20000, .waits_max_ms = 22000},
        {"'kind':'status','status':429,'retry_after':0", true, .waits_max_ms = 1000},
        {"'kind':'status','status':429,'retry_after':3600", false, ERROR_TRY_LATER, "429 RESOURCE_EXHAUSTED"},
        {"'kind':'status','status':501", false, ERROR_REFUSED, "501"},
        {"'kind':'status','status':409", false, ERROR_REFUSED, "409"},
        {"'kind':'truncate'", true, .waits_max_ms = 1000},
        {"'kind':'truncate','count':9", false, ERROR_TRY_LATER, "not the documented shape", .waits_max_ms = 21000},
        {"'kind':'cut'", true, .waits_max_ms = 1000},
        {"'kind':'html','count':9,'after':1", false, ERROR_TRY_LATER, "page 2: POST /events", .waits_max_ms = 21000},
        {"'kind':'array'", true, .waits_max_ms = 1000},
        {"'kind':'empty'", true, .waits_max_ms = 1000},
        {"'kind':'reset'", true, .waits_max_ms = 1000},
        {"'kind':'slow','ms':300", true},
        {"'kind':'silent','ms':2300", true, .waits_max_ms = 1000},
        {"'kind':'chunked','count':3", true},
        {"'kind':'redirect'", false, ERROR_CONFIG, "redirects are refused"},
        {"'kind':'huge','count':9", false, ERROR_REFUSED, "over 8388608 bytes"},
        {"'kind':'same_cursor','count':9", false, ERROR_TRY_LATER, "leads back"},
        {"'kind':'meta-site'", false, ERROR_CONFIG, "site_id names no site"},
        {"'kind':'status','status':400,'body':{'message':'Bad','details':{'validationError':{'fieldViolations':[{"
         "'field':'query.filter','description':'Field x is not filterable'}]}}}",
         false, ERROR_REFUSED, "400 \"Bad\" query.filter: Field x is not filterable"},
    };
    struct rig rig;

    (void)state;
    rig_init(&rig);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        rig_source(&rig); /* forgets what earlier answers asked for */
        control("[{'do':'clear_faults'},{'do':'fault','on':'query',%s}]", cases[i].fault);
        walk(&rig, MOMENT_NONE);
        if (rig.complete != cases[i].complete || (rig.complete && rig.count != WORLD_SIZE))
            fail_msg("%s: %zu, %s", cases[i].fault, rig.count, rig.failure.text);
        if (rig.failure.kind != cases[i].kind || !strstr(rig.failure.text, cases[i].said ? cases[i].said : ""))
            fail_msg("%s: %s", cases[i].fault, rig.failure.text);
        if (rig.waited_ms < cases[i].waits_min_ms || rig.waited_ms > cases[i].waits_max_ms + 100)
            fail_msg("%s: waited %lld ms", cases[i].fault, (long long)rig.waited_ms);
    }
    rig_clear(&rig);
}

static void an_expired_cursor_begins_again_once(void **state)
{
    struct rig rig;
    struct error err = {0};

    (void)state;
    rig_init(&rig);
    control("{'do':'fault','on':'query','kind':'status','status':400,'after':1}");
    walk_fine(&rig);
    assert_int_equal(count_in_log("\"kind\": \"query\""), 5);
    control("[{'do':'clear_faults'},{'do':'fault','on':'query','kind':'status','status':400,'after':2,'count':1},"
            "{'do':'fault','on':'query','kind':'status','status':400,'after':2,'count':1}]");
    rig.answered = false;
    rig.request = rig.source->ops->walk(rig.source, MOMENT_NONE, on_walk, &rig, &err);
    run_until_answered(&rig);
    assert_false(rig.complete);
    assert_int_equal(rig.failure.kind, ERROR_REFUSED);
    rig_clear(&rig);
}

static void walks_keep_the_budget(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig.requests = (struct config_rate){5, MINUTE_MS};
    rig.reserve = (struct config_rate){3, MINUTE_MS};
    rig_source(&rig);
    walk_fine(&rig); /* two of three pages, a minute, the third */
    assert_in_range(rig.waited_ms, 55 * SECOND_MS, 60 * SECOND_MS);

    struct source_ask asks[] = {{rig.definitions[0]->id, 1},
                                {rig.definitions[1]->id, 1},
                                {rig.definitions[2]->id, 1},
                                {rig.definitions[3]->id, 1},
                                {rig.definitions[4]->id, 1}};
    for (size_t i = 0; i < ARRAY_LEN(asks); i++)
        asks[i].id = must_strdup(asks[i].id);
    jumped_ms += SECOND_MS;
    ask(&rig, asks, 5); /* one was spent within this minute: four are left, and nobody waits for the fifth */
    size_t found = 0;
    for (size_t i = 0; i < ARRAY_LEN(asks); i++)
        found += rig.verdicts[i] == SOURCE_FOUND;
    assert_int_equal(found, 4);
    assert_int_equal(rig.waited_ms, 0);
    assert_non_null(strstr(rig.failure.text, "budget"));
    for (size_t i = 0; i < ARRAY_LEN(asks); i++)
        free((void *)(uintptr_t)asks[i].id);
    rig_clear(&rig);
}

static void a_walk_can_be_dropped_anywhere(void **state)
{
    struct rig rig;
    struct error err = {0};

    (void)state;
    rig_init(&rig);
    for (int turns = 0; turns < 60; turns++) {
        rig.answered = false;
        rig.request = rig.source->ops->walk(rig.source, MOMENT_NONE, on_walk, &rig, &err);
        for (int i = 0; i < turns && !rig.answered; i++) {
            uv_run(&rig.loop, UV_RUN_NOWAIT);
            usleep(300);
        }
        source_cancel(rig.source, &rig.request);
    }
    for (int i = 0; i < 100; i++)
        uv_run(&rig.loop, UV_RUN_NOWAIT);
    rig.request = rig.source->ops->walk(rig.source, MOMENT_NONE, on_walk, &rig, &err);
    uv_run(&rig.loop, UV_RUN_NOWAIT);
    rig_clear(&rig); /* the source goes with its walk */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_walk),
        cmocka_unit_test(a_walk_brings_news_alone),
        cmocka_unit_test(an_incremental_walk),
        cmocka_unit_test(walks_meet_faults),
        cmocka_unit_test(an_expired_cursor_begins_again_once),
        cmocka_unit_test(walks_keep_the_budget),
        cmocka_unit_test(a_walk_can_be_dropped_anywhere),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
