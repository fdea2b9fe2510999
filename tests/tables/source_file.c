#include "source/source.h"
#include "table.h"

#include <string.h>
#include <sys/stat.h>

#define OPENS_AT_MS INT64_C(1806048000000) /* 2027-03-26T08:00:00Z */

static int64_t now_ms;

static int64_t wall_ms(void *ctx)
{
    (void)ctx;
    return now_ms;
}
static const struct clock still_clock = {.wall_ms = wall_ms, .mono_ms = wall_ms};

struct rig {
    uv_loop_t loop;
    struct alarms *alarms;
    struct log log;
    char *log_text;
    size_t log_size;
    char path[64];
    struct site_settings settings;
    struct source *source;
    struct source_request *request;

    bool answered, complete;
    size_t count;
    struct definition *definitions[8];
    enum source_verdict verdicts[8];
    struct error failure;
};

static void write_file(struct rig *rig, const char *text)
{
    auto_file FILE *file = fopen(rig->path, "we");

    fputs(text, file);
}

static void rig_forget(struct rig *rig)
{
    for (size_t i = 0; i < rig->count; i++)
        definition_free(rig->definitions[i]);
    memset(rig->definitions, 0, sizeof rig->definitions);
    rig->count = 0;
    rig->failure = (struct error){0};
}

static void rig_init(struct rig *rig)
{
    struct error err = {0};

    *rig = (struct rig){.path = "/tmp/onsale-tickets-XXXXXX"};
    close(mkstemp(rig->path));
    rig->settings = (struct site_settings){.name = "hall", .path = rig->path};
    rig->log = (struct log){.out = open_memstream(&rig->log_text, &rig->log_size), .level = LOG_INFO};
    uv_loop_init(&rig->loop);
    now_ms = OPENS_AT_MS - HOUR_MS;
    rig->alarms = alarms_new(&rig->loop, &still_clock, &err);
    rig->source = source_file_new(
        &rig->settings,
        &(struct source_parts){.loop = &rig->loop, .clock = &still_clock, .alarms = rig->alarms, .log = &rig->log},
        &err);
    if (!rig->alarms || !rig->source)
        fail_msg("%s", err.text);
}

static void rig_clear(struct rig *rig)
{
    rig_forget(rig);
    source_free(rig->source);
    alarms_close(rig->alarms);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&rig->loop), 0);
    fclose(rig->log.out);
    free(rig->log_text);
    unlink(rig->path);
}

static void on_walk(void *ctx, struct source_walk *walk)
{
    struct rig *rig = ctx;

    rig_forget(rig);
    rig->request = NULL;
    rig->answered = true;
    rig->complete = walk->complete;
    if (walk->failure)
        rig->failure = *walk->failure;
    assert_int_equal(walk->server_date_ms, MOMENT_NONE);
    for (; rig->count < walk->count; rig->count++) {
        rig->definitions[rig->count] = walk->definitions[rig->count];
        walk->definitions[rig->count] = NULL;
    }
}

static void on_answer(void *ctx, struct source_answer *answer)
{
    struct rig *rig = ctx;

    rig_forget(rig);
    rig->request = NULL;
    rig->answered = true;
    if (answer->failure)
        rig->failure = *answer->failure;
    for (; rig->count < answer->count; rig->count++) {
        rig->verdicts[rig->count] = answer->verdicts[rig->count];
        rig->definitions[rig->count] = answer->definitions[rig->count];
        answer->definitions[rig->count] = NULL;
    }
}

static void walk(struct rig *rig)
{
    struct error err = {0};

    rig->answered = false;
    rig->request = rig->source->ops->walk(rig->source, MOMENT_NONE, on_walk, rig, &err);
    assert_false(rig->answered);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    assert_true(rig->answered);
}

static void ask(struct rig *rig, const char *first, const char *second)
{
    struct source_ask asks[] = {{first, 1}, {second, 1}};
    struct error err = {0};

    rig->answered = false;
    rig->request = rig->source->ops->ask(rig->source, asks, 2, on_answer, rig, &err);
    uv_run(&rig->loop, UV_RUN_DEFAULT);
    assert_true(rig->answered);
}

#define TICKET(id, more) "{\"id\": \"" id "\", \"eventId\": \"e\"" more "}"
#define PERIOD ", \"salePeriod\": {\"startDate\": \"2027-03-26T08:00:00Z\", \"endDate\": \"2027-03-26T09:00:00Z\"}"

static void status_follows_from_times(void **state)
{
    static const struct {
        const char *ticket;
        int64_t at_ms;
        enum sale_status status;
    } cases[] = {
        {TICKET("a", PERIOD), OPENS_AT_MS - 1, SALE_SCHEDULED},
        {TICKET("a", PERIOD), OPENS_AT_MS, SALE_STARTED},
        {TICKET("a", PERIOD), OPENS_AT_MS + HOUR_MS - 1, SALE_STARTED},
        {TICKET("a", PERIOD), OPENS_AT_MS + HOUR_MS, SALE_ENDED},
        {TICKET("a", ""), OPENS_AT_MS, SALE_STARTED},
        {TICKET("a", PERIOD ", \"saleStatus\": \"SALE_SCHEDULED\""), OPENS_AT_MS + 1, SALE_SCHEDULED},
    };
    struct rig rig;

    (void)state;
    rig_init(&rig);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *text = NULL;
        if (asprintf(&text, "[%s, %s]%*s", cases[i].ticket, TICKET("z", ""), (int)i, "") < 0) /* every one differs */
            abort();
        write_file(&rig, text);
        now_ms = cases[i].at_ms;
        walk(&rig);
        if (!rig.complete || rig.count != 2 || rig.definitions[0]->sale_status != cases[i].status)
            fail_msg("%s: %s", cases[i].ticket, rig.failure.text);
        ask(&rig, "a", "b");
        assert_int_equal(rig.verdicts[0], SOURCE_FOUND);
        assert_int_equal(rig.definitions[0]->sale_status, cases[i].status);
        assert_int_equal(rig.definitions[0]->event_status, EVENT_UPCOMING);
        assert_int_equal(rig.verdicts[1], SOURCE_GONE);
        assert_null(rig.definitions[1]);
    }
    rig_clear(&rig);
}

static void the_shape_of_pages(void **state)
{
    static const struct {
        const char *text;
        size_t count;
        const char *said; /* NULL: fine */
    } cases[] = {
        {"[]", 0, NULL},
        {"{\"ticketDefinitions\": [" TICKET("b", "") ", " TICKET("a", "") "]}", 2, NULL},
        {"{\"ticketDefinition\": " TICKET("a", "") "}", 1, NULL},
        {"", 0, "line 1, column 0"},
        {"[\n  " TICKET("a", "") ",\n  {\"id\": }\n]", 0, "line 3, column 10"},
        {"[" TICKET("a", "") ", {\"id\": \"b\"}]", 0, "definition 2 (b): eventId: missing"},
        {"[" TICKET("a", "") ", " TICKET("a", "") "]", 0, "definition a stands there twice"},
        {"[" TICKET("a", ", \"saleStatus\": \"OPEN\"") "]", 0, "saleStatus: \"OPEN\" is not a word we know"},
        {"[" TICKET("a", ", \"salePeriod\": {\"startDate\": \"26.3.2027\"}") "]", 0, "expected a time such as"},
        {"{\"tickets\": []}", 0, "expected \"ticketDefinitions\""},
    };
    struct rig rig;

    (void)state;
    rig_init(&rig);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        write_file(&rig, cases[i].text);
        walk(&rig);
        if (rig.complete != !cases[i].said || rig.count != cases[i].count)
            fail_msg("%s: %s", cases[i].text, rig.failure.text);
        if (cases[i].said && (!strstr(rig.failure.text, cases[i].said) || !strstr(rig.failure.text, rig.path)))
            fail_msg("%s: %s", cases[i].text, rig.failure.text);
    }
    rig_clear(&rig);
}

static void a_broken_edit_keeps_the_last_good_state(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    write_file(&rig, "[");
    ask(&rig, "a", "b"); /* it never was good */
    assert_int_equal(rig.verdicts[0], SOURCE_UNKNOWN);
    assert_int_equal(rig.failure.kind, ERROR_CONFIG);

    write_file(&rig, "[" TICKET("a", "") "]");
    ask(&rig, "a", "b"); /* read again without a walk */
    assert_int_equal(rig.verdicts[0], SOURCE_FOUND);
    assert_int_equal(rig.verdicts[1], SOURCE_GONE);
    assert_int_equal(rig.failure.kind, ERROR_NONE);

    write_file(&rig, "[" TICKET("a", "") ", ]");
    walk(&rig);
    assert_false(rig.complete);
    assert_int_equal(rig.count, 0);
    assert_int_equal(rig.failure.kind, ERROR_CONFIG);
    ask(&rig, "a", "b");
    assert_int_equal(rig.verdicts[0], SOURCE_FOUND);
    fflush(rig.log.out);
    assert_non_null(strstr(rig.log_text, "event=file_broken site=hall"));

    unlink(rig.path);
    walk(&rig);
    assert_non_null(strstr(rig.failure.text, "No such file"));
    ask(&rig, "a", "b");
    assert_int_equal(rig.verdicts[0], SOURCE_FOUND);

    write_file(&rig, "[" TICKET("b", "") "]");
    ask(&rig, "a", "b");
    assert_int_equal(rig.verdicts[0], SOURCE_GONE);
    assert_int_equal(rig.verdicts[1], SOURCE_FOUND);
    rig_clear(&rig);
}

static void changes_are_noticed_once(void **state)
{
    struct rig rig;

    (void)state;
    rig_init(&rig);
    struct source *source = rig.source;
    write_file(&rig, "[]");
    assert_true(source->ops->changed(source));
    walk(&rig);
    assert_false(source->ops->changed(source));
    write_file(&rig, "[ ]");
    assert_true(source->ops->changed(source));
    walk(&rig);
    assert_false(source->ops->changed(source));
    write_file(&rig, "oops");
    walk(&rig);
    assert_false(rig.complete);
    assert_false(source->ops->changed(source)); /* said once; every full walk says it again */
    walk(&rig);
    assert_false(rig.complete);
    unlink(rig.path);
    assert_true(source->ops->changed(source));
    walk(&rig);
    assert_false(source->ops->changed(source));
    write_file(&rig, "[" TICKET("b", "") "]");
    ask(&rig, "a", "b"); /* a gate comes before the poll: what it read is news to the walk all the same */
    assert_true(source->ops->changed(source));
    walk(&rig);
    assert_int_equal(rig.count, 1);
    assert_false(source->ops->changed(source));
    unlink(rig.path);
    mkdir(rig.path, 0700);
    walk(&rig);
    assert_non_null(strstr(rig.failure.text, "is not a file"));
    rmdir(rig.path);
    rig_clear(&rig);
}

static void a_request_can_be_dropped(void **state)
{
    struct rig rig;
    struct error err = {0};

    (void)state;
    rig_init(&rig);
    write_file(&rig, "[" TICKET("a", "") "]");
    for (int i = 0; i < 10; i++) {
        rig.request = rig.source->ops->walk(rig.source, MOMENT_NONE, on_walk, &rig, &err);
        source_cancel(rig.source, &rig.request);
    }
    uv_run(&rig.loop, UV_RUN_DEFAULT);
    assert_false(rig.answered);
    rig.source->ops->walk(rig.source, MOMENT_NONE, on_walk, &rig, &err); /* the source goes with it */
    rig_clear(&rig);
}

static void on_large_walk(void *ctx, struct source_walk *walk)
{
    struct rig *rig = ctx;

    rig->request = NULL;
    rig->answered = walk->complete;
    rig->count = walk->count; /* which are not taken */
}

/* Much is looked through in one turn and told in another, unless nobody asks any more by then. */
static void a_large_file_is_told_a_turn_later(void **state)
{
    enum { TOLD, CANCELLED, ENDED, CASES };
    struct error err = {0};
    (void)state;

    for (int end = 0; end < CASES; end++) {
        struct rig rig;
        rig_init(&rig);
        FILE *file = fopen(rig.path, "we");
        for (int i = 0; i <= 1000; i++)
            fprintf(file, "%c{\"id\": \"%d\", \"eventId\": \"e\"}", i ? ',' : '[', i);
        fputs("]", file);
        fclose(file);
        rig.request = rig.source->ops->walk(rig.source, MOMENT_NONE, on_large_walk, &rig, &err);
        while (alarms_next_at_ms(rig.alarms) == MOMENT_NONE)
            uv_run(&rig.loop, UV_RUN_ONCE);
        assert_false(rig.answered);
        if (end == CANCELLED)
            source_cancel(rig.source, &rig.request);
        if (end != ENDED)
            alarms_run(rig.alarms);
        assert_int_equal(rig.answered, end == TOLD);
        assert_int_equal(rig.count, end == TOLD ? 1001 : 0);
        rig.count = 0;
        rig_clear(&rig);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_follows_from_times),
        cmocka_unit_test(the_shape_of_pages),
        cmocka_unit_test(a_broken_edit_keeps_the_last_good_state),
        cmocka_unit_test(changes_are_noticed_once),
        cmocka_unit_test(a_request_can_be_dropped),
        cmocka_unit_test(a_large_file_is_told_a_turn_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
