/* The Wix source against the fake Wix server, over real sockets. Waits (budget, backoff, tokens) are not waited for:
 * our clock jumps to the next alarm. */
#include "source/source.h"
#include "table.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define SITE_ID "9d4e27c0-b6a1-4f83-95e2-1c7f08d3ab59"
#define INSTANCE_ID "c6f1b3a7-2e94-4d58-8b0f-a17d5c3e9264"
enum { WORLD_SIZE = 250 }; /* three pages */

static struct server {
    pid_t pid;
    char url[64];
} server;

static void start_server(void)
{
    const char *root = getenv("ONSALE_SOURCE");
    auto_free char *command = NULL;
    int ends[2], port = 0;

    if (asprintf(&command,
                 "cd '%s/tests/fakes' && world=$(mktemp) && python3 -B wix_world.py --definitions %d --events 10 "
                 "--opens-at 2037-03-26T08:00:00Z > $world && exec 3< $world && rm $world && "
                 "exec python3 -B wix.py --per-minute 0 --world /dev/fd/3",
                 root ? root : ".", WORLD_SIZE) < 0 ||
        pipe(ends) < 0)
        abort();
    server.pid = fork();
    if (server.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], 1);
        close(ends[0]);
        close(ends[1]);
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    close(ends[1]);
    auto_file FILE *out = fdopen(ends[0], "r");
    if (fscanf(out, "listening %d", &port) != 1)
        fail_msg("the fake server did not start");
    snprintf(server.url, sizeof server.url, "http://127.0.0.1:%d", port);
}

static void keep_body(void *ctx, const struct fetch_result *result)
{
    if (result->failure || result->status != 200)
        buf_addf(ctx, "failed: %d %.*s", result->status, TEXT_ARGS(result->body));
    else
        buf_add_text(ctx, result->body);
}

static void call_server(const char *method, const char *path, const char *body, struct buf *answer)
{
    auto_free char *url = NULL;
    struct error err = {0};

    if (asprintf(&url, "%s%s", server.url, path) < 0)
        abort();
    buf_init(answer, 32 << 20);
    if (fetch_wait(&(struct fetch_spec){.method = method, .url = url, .body = text_of(body), .body_limit = 32 << 20},
                   keep_body, answer, &err) < 0)
        fail_msg("%s", err.text);
    if (text_starts(buf_text(answer), "failed"))
        fail_msg("%s %s: %s", path, body, answer->ptr);
}

/* `orders` with ' for ", which reads better in C. */
static void control(const char *format, ...) PRINTF_LIKE(1, 2);
static void control(const char *format, ...)
{
    auto_buf struct buf body, answer;
    va_list args;

    buf_init(&body, 1 << 20);
    va_start(args, format);
    buf_addv(&body, format, args);
    va_end(args);
    for (size_t i = 0; i < body.len; i++)
        if (body.ptr[i] == '\'')
            body.ptr[i] = '"';
    call_server("POST", "/_control", body.ptr, &answer);
}

static size_t count_in_log(const char *what)
{
    auto_buf struct buf log;
    size_t count = 0;

    call_server("GET", "/_log", "", &log);
    for (const char *at = log.ptr; (at = strstr(at, what)); at++)
        count++;
    return count;
}

/* --- Our side ----------------------------------------------------------------------------------------------------- */

static int64_t jumped_ms;

static int64_t wall_ms(void *ctx)
{
    (void)ctx;
    return clock_machine.wall_ms(NULL) + jumped_ms;
}
static int64_t mono_ms(void *ctx)
{
    (void)ctx;
    return clock_machine.mono_ms(NULL) + jumped_ms;
}
static const struct clock jumping_clock = {.wall_ms = wall_ms, .mono_ms = mono_ms};

struct rig {
    uv_loop_t loop;
    struct source_parts parts;
    struct config_rate requests, reserve;
    struct site_settings settings;
    struct source *source;
    struct log log;

    struct source_request *request;
    bool answered;
    struct definition **definitions;
    enum source_verdict *verdicts;
    size_t count, known, bad;
    bool complete;
    struct error failure;
    int64_t watermark_ms, server_date_ms, answered_at_ms, waited_ms;
};

static void rig_forget(struct rig *rig)
{
    for (size_t i = 0; i < rig->count; i++)
        definition_free(rig->definitions[i]);
    free(rig->definitions);
    free(rig->verdicts);
    rig->definitions = NULL;
    rig->verdicts = NULL;
    rig->count = rig->bad = 0;
    rig->failure = (struct error){0};
    rig->answered = rig->complete = false;
}

static void rig_source(struct rig *rig)
{
    struct error err = {0};

    source_free(rig->source);
    rig->source = source_wix_new(&rig->settings, &rig->parts, &err);
    if (!rig->source)
        fail_msg("%s", err.text);
}

static void rig_init(struct rig *rig)
{
    struct error err = {0};

    *rig = (struct rig){.requests = {100000, MINUTE_MS},
                        .reserve = {50000, MINUTE_MS},
                        .settings = {.name = "arena",
                                     .base_url = server.url,
                                     .site_id = SITE_ID,
                                     .account_id = "",
                                     .api_key = "test-api-key",
                                     .client_id = "",
                                     .client_secret = "",
                                     .instance_id = "",
                                     .timeout_ms = 2000}};
    rig->settings.requests = (struct config_rates){&rig->requests, 1};
    rig->settings.gate_reserve = (struct config_rates){&rig->reserve, 1};
    rig->log = (struct log){.out = stderr, .level = LOG_ERROR};
    uv_loop_init(&rig->loop);
    rig->parts = (struct source_parts){.loop = &rig->loop, .clock = &jumping_clock, .log = &rig->log};
    rig->parts.alarms = alarms_new(&rig->loop, &jumping_clock, &err);
    rig->parts.fetcher = fetcher_new(&rig->loop, &err);
    if (!rig->parts.alarms || !rig->parts.fetcher)
        fail_msg("%s", err.text);
    control("[{'do':'reset'},{'do':'clear_log'}]");
    rig_source(rig);
}

static void rig_clear(struct rig *rig)
{
    rig_forget(rig);
    source_free(rig->source);
    fetcher_close(rig->parts.fetcher);
    alarms_close(rig->parts.alarms);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&rig->loop), 0);
}

static void on_walk(void *ctx, struct source_walk *walk)
{
    struct rig *rig = ctx;

    rig->request = NULL;
    rig_forget(rig);
    rig->answered = true;
    rig->complete = walk->complete;
    rig->bad = walk->bad;
    rig->known = walk->known;
    rig->watermark_ms = walk->watermark_ms;
    rig->server_date_ms = walk->server_date_ms;
    rig->answered_at_ms = walk->answered_at_ms;
    if (walk->failure)
        rig->failure = *walk->failure;
    rig->definitions = must_calloc(walk->count, sizeof *rig->definitions);
    for (; rig->count < walk->count; rig->count++) {
        rig->definitions[rig->count] = walk->definitions[rig->count];
        walk->definitions[rig->count] = NULL;
    }
}

static void on_answer(void *ctx, struct source_answer *answer)
{
    struct rig *rig = ctx;

    rig->request = NULL;
    rig_forget(rig);
    rig->answered = true;
    rig->server_date_ms = answer->server_date_ms;
    rig->answered_at_ms = answer->answered_at_ms;
    if (answer->failure)
        rig->failure = *answer->failure;
    rig->definitions = must_calloc(answer->count, sizeof *rig->definitions);
    rig->verdicts = must_calloc(answer->count, sizeof *rig->verdicts);
    for (; rig->count < answer->count; rig->count++) {
        rig->verdicts[rig->count] = answer->verdicts[rig->count];
        rig->definitions[rig->count] = answer->definitions[rig->count];
        answer->definitions[rig->count] = NULL;
    }
}

static void run_until_answered(struct rig *rig)
{
    int64_t began_ms = mono_ms(NULL), jumps_ms = jumped_ms;

    while (!rig->answered) {
        uv_run(&rig->loop, UV_RUN_NOWAIT);
        int64_t next_ms = alarms_next_at_ms(rig->parts.alarms), ahead_ms = next_ms - wall_ms(NULL);
        if (next_ms != MOMENT_NONE && !rig->answered) {
            jumped_ms += ahead_ms > 0 ? ahead_ms : 0;
            alarms_run(rig->parts.alarms);
        } else {
            usleep(200);
        }
        if (mono_ms(NULL) - began_ms - (jumped_ms - jumps_ms) > 30 * SECOND_MS)
            fail_msg("no answer within 30 s");
    }
    rig->waited_ms = jumped_ms - jumps_ms;
}

static void walk(struct rig *rig, int64_t since_ms)
{
    struct error err = {0};

    rig->answered = false;
    rig->request = rig->source->ops->walk(rig->source, since_ms, on_walk, rig, &err);
    if (!rig->request)
        fail_msg("%s", err.text);
    assert_false(rig->answered); /* always later */
    run_until_answered(rig);
}

static void walk_fine(struct rig *rig)
{
    walk(rig, MOMENT_NONE);
    if (!rig->complete)
        fail_msg("%s", rig->failure.text);
    assert_int_equal(rig->count, WORLD_SIZE);
}

static void ask_by(struct rig *rig, bool patient, const struct source_ask *asks, size_t count)
{
    const struct source_ops *ops = rig->source->ops;
    struct error err = {0};

    rig->answered = false;
    rig->request = (patient ? ops->read : ops->ask)(rig->source, asks, count, on_answer, rig, &err);
    if (!rig->request)
        fail_msg("%s", err.text);
    assert_false(rig->answered);
    run_until_answered(rig);
}

static void ask(struct rig *rig, const struct source_ask *asks, size_t count)
{
    ask_by(rig, false, asks, count);
}

/* All definitions of the world, as a walk found them; ids are copies to be freed. */
static struct source_ask *asks_of_world(struct rig *rig)
{
    struct source_ask *asks = must_calloc(WORLD_SIZE, sizeof *asks);

    walk_fine(rig);
    for (size_t i = 0; i < WORLD_SIZE; i++)
        asks[i] = (struct source_ask){must_strdup(rig->definitions[i]->id), rig->definitions[i]->revision};
    return asks;
}

static void asks_free(struct source_ask *asks)
{
    for (size_t i = 0; i < WORLD_SIZE; i++)
        free((void *)(uintptr_t)asks[i].id);
    free(asks);
}

/* --- Walks -------------------------------------------------------------------------------------------------------- */

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

static void refusals_say_what_to_do(void **state)
{
    static const struct {
        const char *mode, *said;
    } cases[] = {
        {"401", "401 UNAUTHENTICATED \"Request could not be authenticated\""},
        {"403", "Manage Ticket Definitions"},
        {"404", "site_id names no site"},
        {"428", "428 MISSING_REQUEST_SITE_CONTEXT"},
        {"428-app", "install Wix Events"},
    };
    struct rig rig;

    (void)state;
    rig_init(&rig);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct source_ask one = {"0d5e7b91-3a2c-4f68-b1d4-6e9f0a7c2581", 1};
        control("{'do':'auth','mode':'%s'}", cases[i].mode);
        walk(&rig, MOMENT_NONE);
        assert_false(rig.complete);
        if (rig.failure.kind != ERROR_CONFIG || !strstr(rig.failure.text, cases[i].said) ||
            !strstr(rig.failure.text, "(request "))
            fail_msg("%s: %s", cases[i].mode, rig.failure.text);
        assert_null(strstr(rig.failure.text, "test-api-key"));
        ask(&rig, &one, 1); /* never "gone" */
        assert_int_equal(rig.verdicts[0], SOURCE_UNKNOWN);
        assert_int_equal(rig.failure.kind, ERROR_CONFIG);
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

static size_t count_found(const struct rig *rig)
{
    size_t found = 0;

    for (size_t i = 0; i < rig->count; i++)
        found += rig->verdicts[i] == SOURCE_FOUND;
    return found;
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

/* --- Asking ------------------------------------------------------------------------------------------------------- */

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

/* --- OAuth -------------------------------------------------------------------------------------------------------- */

static void rig_use_app(struct rig *rig, const char *secret)
{
    rig->settings.api_key = rig->settings.site_id = "";
    rig->settings.client_id = "test-client";
    rig->settings.client_secret = secret;
    rig->settings.instance_id = INSTANCE_ID;
    rig_source(rig);
}

static void tokens(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig_use_app(&rig, "test-secret");
    struct source_ask *asks = asks_of_world(&rig);
    ask(&rig, asks, 5); /* together, with one token */
    assert_int_equal(rig.verdicts[4], SOURCE_FOUND);
    assert_int_equal(count_in_log("\"kind\": \"token\""), 1);

    control("{'do':'token','revoke':true}"); /* every one of them hears 401; one asks anew, all go on */
    ask(&rig, asks, 5);
    assert_int_equal(rig.verdicts[0], SOURCE_FOUND);
    assert_int_equal(rig.verdicts[4], SOURCE_FOUND);
    assert_int_equal(count_in_log("\"kind\": \"token\""), 2);

    jumped_ms += 14400 * 9 / 10 * (int64_t)SECOND_MS + 1000; /* nine tenths of its life */
    walk_fine(&rig);
    assert_int_equal(count_in_log("\"kind\": \"token\""), 3);

    jumped_ms += 14400 * 9 / 10 * (int64_t)SECOND_MS + 1000; /* no new one: the old one still lives */
    rig.log.level = (enum log_level)0;
    control("{'do':'fault','on':'token','kind':'status','status':500}");
    walk_fine(&rig);
    asks_free(asks);
    rig_clear(&rig);
}

static void tokens_refused(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    rig_use_app(&rig, "wrong-secret");
    walk(&rig, MOMENT_NONE);
    assert_int_equal(rig.failure.kind, ERROR_CONFIG);
    assert_non_null(strstr(rig.failure.text, "401 invalid_client"));
    assert_null(strstr(rig.failure.text, "wrong-secret"));

    rig_use_app(&rig, "test-secret");
    control("{'do':'auth','mode':'401'}"); /* whatever the token: renewed once, not for ever */
    walk(&rig, MOMENT_NONE);
    assert_int_equal(rig.failure.kind, ERROR_CONFIG);
    assert_int_equal(count_in_log("\"kind\": \"token\""), 3);

    control("[{'do':'auth','mode':'ok'},{'do':'fault','on':'token','kind':'status','status':503,'count':1}]");
    rig_use_app(&rig, "test-secret");
    walk_fine(&rig);
    control("{'do':'fault','on':'token','kind':'html','count':1}");
    rig_use_app(&rig, "test-secret");
    walk_fine(&rig);
    rig_clear(&rig);
}

/* --- What a person wrote ------------------------------------------------------------------------------------------ */

static void settings_are_checked(void **state)
{
    static const struct {
        const char *base_url, *api_key, *site_id, *account_id, *client_id, *instance_id;
        const char *said; /* NULL: fine */
    } cases[] = {
        {"https://www.wixapis.com", "key", "site", "", "", "", NULL},
        {"https://www.wixapis.com", "key", "", "account", "", "", NULL},
        {"http://localhost:8080", "key", "site", "", "", "", NULL},
        {"http://www.wixapis.com", "key", "site", "", "", "", "base_url: expected https"},
        {"http://127.0.0.1.example", "key", "site", "", "", "", "base_url: expected https"},
        {"http://localhost@evil.example", "key", "site", "", "", "", "base_url"},
        {"https://www.wixapis.com/", "key", "site", "", "", "", "base_url"},
        {"ftp://www.wixapis.com", "key", "site", "", "", "", "base_url"},
        {"", "key", "site", "", "", "", "base_url"},
        {"https://www.wixapis.com", "", "site", "", "", "", "expected either"},
        {"https://www.wixapis.com", "key", "", "", "", "", "expected site_id"},
        {"https://www.wixapis.com", "key", "site", "account", "", "", "expected site_id"},
        {"https://www.wixapis.com", "key", "site", "", "app", "instance", "expected either"},
        {"https://www.wixapis.com", "", "", "", "app", "instance", "belong together"},
        {"https://www.wixapis.com", "key\r\nX: y", "site", "", "", "", "control characters"},
    };
    struct rig rig;

    (void)state;
    rig_init(&rig);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = {0};
        struct site_settings settings = rig.settings;
        settings.base_url = cases[i].base_url;
        settings.api_key = cases[i].api_key;
        settings.site_id = cases[i].site_id;
        settings.account_id = cases[i].account_id;
        settings.client_id = cases[i].client_id;
        settings.instance_id = cases[i].instance_id;
        struct source *source = source_wix_new(&settings, &rig.parts, &err);
        if (cases[i].said ? source != NULL || !strstr(err.text, cases[i].said) : source == NULL)
            fail_msg("%zu: %s", i, err.text);
        source_free(source);
    }
    struct error err = {0};
    rig.reserve = rig.requests;
    assert_null(source_wix_new(&rig.settings, &rig.parts, &err));
    assert_non_null(strstr(err.text, "gate_reserve"));
    rig_clear(&rig);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_walk),
        cmocka_unit_test(a_walk_brings_news_alone),
        cmocka_unit_test(an_incremental_walk),
        cmocka_unit_test(walks_meet_faults),
        cmocka_unit_test(refusals_say_what_to_do),
        cmocka_unit_test(an_expired_cursor_begins_again_once),
        cmocka_unit_test(walks_keep_the_budget),
        cmocka_unit_test(reading_keeps_the_walks_budget),
        cmocka_unit_test(a_walk_can_be_dropped_anywhere),
        cmocka_unit_test(asking_by_query),
        cmocka_unit_test(asking_by_get),
        cmocka_unit_test(asking_past_a_lagging_index),
        cmocka_unit_test(a_wait_that_was_asked_for_is_kept),
        cmocka_unit_test(the_clock_of_the_server),
        cmocka_unit_test(an_ask_can_be_dropped_anywhere),
        cmocka_unit_test(tokens),
        cmocka_unit_test(tokens_refused),
        cmocka_unit_test(settings_are_checked),
    };
    start_server();
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    kill(server.pid, SIGKILL);
    waitpid(server.pid, NULL, 0);
    return rc;
}
