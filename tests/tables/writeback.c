/* writeback.c and consent.c over a real store, a clock that only the test moves, and tools that answer as told. */
#include "writeback.h"

#include "consent.h"
#include "store_bench.h"

enum { TOOLS = 3 };

struct tool {
    struct audience audience; /* first */
    struct audience_settings settings;
    audience_left_fn *done; /* somebody is being told; NULL nobody */
    void *ctx;
    char who[64]; /* "address/source id" */
    int calls, cancelled;
};

struct play {
    struct bench bench;
    struct alarms *alarms;
    struct crypt_keys keys;
    struct world world;
    struct tool tools[TOOLS]; /* fans and door can be told, paper cannot */
    struct audience *audiences[TOOLS];
    char *log; /* what was logged so far */
    size_t log_size;
    struct log out;
};

/* --- The tools --- */

static struct audience_leave *tool_unsubscribe(struct audience *audience, const struct audience_person *who,
                                               audience_left_fn *done, void *ctx)
{
    struct tool *tool = (struct tool *)audience;

    assert_null(tool->done); /* one at a time */
    tool->done = done;
    tool->ctx = ctx;
    tool->calls++;
    snprintf(tool->who, sizeof tool->who, "%.*s/%.*s", TEXT_ARGS(who->address), TEXT_ARGS(who->source_id));
    return (struct audience_leave *)tool;
}

static void tool_cancel(struct audience_leave **leave)
{
    if (*leave) {
        ((struct tool *)*leave)->done = NULL;
        ((struct tool *)*leave)->cancelled++;
    }
    *leave = NULL;
}

static const struct audience_ops tool_ops = {.unsubscribe = tool_unsubscribe, .unsubscribe_cancel = tool_cancel};
static const struct audience_ops paper_ops = {0};

/* --- The play --- */

static void settle(struct play *p)
{
    while (store_pending(p->world.store) > 0)
        uv_run(&p->bench.loop, UV_RUN_ONCE);
    fflush(p->out.out);
}

static void move(struct play *p, int64_t span_ms)
{
    p->bench.ahead_ms += span_ms;
    do
        settle(p);
    while (alarms_run(p->alarms) > 0);
}

static void answer(struct play *p, struct tool *tool, enum error_kind kind, const char *text, int64_t retry_after_ms)
{
    struct error err = {0};
    audience_left_fn *done = tool->done;

    if (kind)
        error_set(&err, kind, "%s", text);
    assert_non_null(done);
    tool->done = NULL;
    done(tool->ctx, &(struct audience_left){
                        .failure = kind ? &err : NULL, .retry_after_ms = retry_after_ms, .unknown = !kind && text});
    settle(p);
}

static void fine(struct play *p, struct tool *tool)
{
    answer(p, tool, ERROR_NONE, NULL, -1);
}

/* Moves time on until somebody is told, an hour at a time by seconds; how long it took. */
static int64_t until_told(struct play *p, const struct tool *tool, int64_t step_ms, int64_t limit_ms)
{
    for (int64_t span_ms = 0; span_ms <= limit_ms; span_ms += step_ms) {
        if (tool->done)
            return span_ms;
        move(p, step_ms);
    }
    fail_msg("nobody was told");
    return -1;
}

static size_t logged(const struct play *p, const char *what)
{
    size_t count = 0;

    for (const char *at = p->log; (at = strstr(at, what)); at++)
        count++;
    return count;
}

static void raise_curtain(struct play *p, size_t audiences)
{
    p->world.audience_count = audiences;
    p->world.writeback = writeback_new(&p->world);
    settle(p);
}

static void lower_curtain(struct play *p)
{
    writeback_free(p->world.writeback);
    p->world.writeback = NULL;
    settle(p);
}

static int set_up(void **state)
{
    struct play *p = must_calloc(1, sizeof *p);
    static const char *const names[] = {"fans", "door", "paper"};
    char path[64];
    struct error err = {0};

    bench_init(&p->bench);
    bench_open(&p->bench);
    p->alarms = alarms_new(&p->bench.loop, &p->bench.clock, &err);
    snprintf(path, sizeof path, "%s/onsale.keys", p->bench.folder);
    assert_int_equal(crypt_keys_load(path, true, &p->keys, &err), 0);
    p->out = (struct log){.out = open_memstream(&p->log, &p->log_size), .level = LOG_DEBUG};
    for (size_t i = 0; i < TOOLS; i++) {
        p->tools[i].settings.name = names[i];
        p->tools[i].audience =
            (struct audience){.ops = i < 2 ? &tool_ops : &paper_ops, .settings = &p->tools[i].settings};
        p->audiences[i] = &p->tools[i].audience;
    }
    p->world = (struct world){.clock = &p->bench.clock,
                              .alarms = p->alarms,
                              .store = p->bench.store,
                              .log = &p->out,
                              .keys = &p->keys,
                              .tokens = crypt_tokens_new(&p->keys, &err),
                              .audiences = p->audiences};
    assert_non_null(p->world.tokens);
    raise_curtain(p, TOOLS);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct play *p = *state;

    lower_curtain(p);
    assert_null(strchr(p->log, '@')); /* nobody's address is ever logged */
    alarms_close(p->alarms);
    crypt_tokens_free(p->world.tokens);
    fclose(p->out.out);
    free(p->log);
    bench_clear(&p->bench);
    free(p);
    return 0;
}

static struct unsubscribe_ticket ticket_of(const char *audience, const char *address)
{
    return (struct unsubscribe_ticket){.site = TEXT("arena"),
                                       .audience = text_of(audience),
                                       .source_id = TEXT("id-7"),
                                       .address = text_of(address),
                                       .language = TEXT("lt")};
}

static int64_t unsubscribe(struct play *p, const char *audience, const char *address, bool all)
{
    struct unsubscribe_ticket ticket = ticket_of(audience, address);
    struct error err = {0};

    assert_non_null(consent_unsubscribe(&p->world, &ticket, all, bench_on_count, &p->bench, &err));
    bench_wait(&p->bench);
    bench_fine(&p->bench);
    settle(p);
    return p->bench.count;
}

/* --- Stories --- */

static void told_once_one_after_another(void **state)
{
    struct play *p = *state;
    struct tool *fans = &p->tools[0];

    assert_int_equal(unsubscribe(p, "fans", "Ada@example.org", false), 1);
    assert_string_equal(fans->who, "Ada@example.org/id-7");
    unsubscribe(p, "fans", "bob@example.org", false);
    unsubscribe(p, "fans", "eve@example.org", false);
    assert_int_equal(fans->calls, 1);
    fine(p, fans);
    move(p, 0);
    assert_null(fans->done); /* a little later: five a second at most */
    move(p, 199);
    assert_null(fans->done);
    move(p, 1);
    assert_string_equal(fans->who, "bob@example.org/id-7");
    answer(p, fans, ERROR_NONE, "unknown", -1);
    until_told(p, fans, 100, 200);
    assert_string_equal(fans->who, "eve@example.org/id-7");
    fine(p, fans);
    move(p, DAY_MS);
    assert_int_equal(fans->calls, 3);
    assert_int_equal(p->tools[1].calls, 0);
    assert_int_equal(logged(p, "event=written_back audience=\"fans\" people=3 unknown_there=1"), 1);
    assert_int_equal(unsubscribe(p, "fans", "ada@example.org", false), 0); /* clicked again */
    move(p, DAY_MS);
    lower_curtain(p);
    raise_curtain(p, TOOLS);
    move(p, DAY_MS);
    assert_int_equal(fans->calls, 3);
}

static void from_everything_is_told_everywhere(void **state)
{
    struct play *p = *state;

    assert_int_equal(unsubscribe(p, "fans", "ada@example.org", true), 1);
    assert_string_equal(p->tools[0].who, "ada@example.org/id-7");
    assert_string_equal(p->tools[1].who, "ada@example.org/"); /* another tool's id means nothing there */
    fine(p, &p->tools[0]);
    fine(p, &p->tools[1]);
    assert_int_equal(unsubscribe(p, "door", "ada@example.org", true), 0);
    assert_int_equal(unsubscribe(p, "paper", "bob@example.org", false), 1); /* there is nobody to tell */
    assert_int_equal(unsubscribe(p, "seed", "me@example.org", false), 1);
    move(p, DAY_MS);
    assert_int_equal(p->tools[0].calls + p->tools[1].calls, 2);
    json_t *list = bench_report(&p->bench, &(struct store_report){.kind = REPORT_SUPPRESSIONS});
    assert_int_equal(json_array_size(list), 3);
}

static void what_is_no_address_is_refused(void **state)
{
    struct play *p = *state;
    struct unsubscribe_ticket ticket = ticket_of("fans", "nobody");
    struct error err = {0};

    assert_null(consent_unsubscribe(&p->world, &ticket, false, bench_on_count, &p->bench, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
    ticket.address = TEXT("ada@example.org");
    char name[300];
    memset(name, 'a', sizeof name);
    ticket.audience = (struct text){name, sizeof name};
    err = (struct error){0};
    assert_null(consent_unsubscribe(&p->world, &ticket, false, bench_on_count, &p->bench, &err));
    assert_int_equal(err.kind, ERROR_REFUSED);
}

/* However often it fails: never more often than once a second, never less than once an hour. */
static void what_may_help_by_itself_is_tried_again(void **state)
{
    struct play *p = *state;
    struct tool *fans = &p->tools[0];
    int64_t longest_ms = 0;

    unsubscribe(p, "fans", "ada@example.org", false);
    for (int i = 0; i < 24; i++) {
        answer(p, fans, ERROR_TRY_LATER, "it answered 500", -1);
        move(p, SECOND_MS - 1);
        assert_null(fans->done);
        int64_t span_ms = until_told(p, fans, 500, HOUR_MS + SECOND_MS);
        longest_ms = span_ms > longest_ms ? span_ms : longest_ms;
    }
    assert_true(longest_ms > 10 * MINUTE_MS);
    fine(p, fans);
    move(p, DAY_MS);
    assert_int_equal(fans->calls, 25);
    assert_int_equal(logged(p, "event=writeback_waits"), 1); /* the same trouble: one line */
    assert_int_equal(logged(p, "event=written_back"), 1);
}

static void who_asks_for_time_gets_it(void **state)
{
    struct play *p = *state;
    struct tool *fans = &p->tools[0];

    unsubscribe(p, "fans", "ada@example.org", false);
    answer(p, fans, ERROR_TRY_LATER, "it answered 429", 90 * SECOND_MS);
    move(p, 90 * SECOND_MS - 1);
    assert_null(fans->done);
    move(p, 1);
    assert_non_null(fans->done);
    answer(p, fans, ERROR_TRY_LATER, "it answered 429", (int64_t)400 * DAY_MS); /* nobody gets a year */
    until_told(p, fans, MINUTE_MS, 6 * HOUR_MS);
    fine(p, fans);
}

/* A tool that is down is not asked for each person that waits. */
static void the_others_wait_with_the_first(void **state)
{
    struct play *p = *state;
    struct tool *fans = &p->tools[0], *door = &p->tools[1];
    char address[32];

    for (int i = 0; i < 50; i++) {
        snprintf(address, sizeof address, "p%d@example.org", i);
        unsubscribe(p, "fans", address, false);
    }
    answer(p, fans, ERROR_CONFIG, "it answered 403; give the API user the permission", -1);
    move(p, 15 * MINUTE_MS - 1);
    assert_int_equal(fans->calls, 1);
    unsubscribe(p, "door", "ada@example.org", false); /* another tool has nothing to do with it */
    assert_int_equal(door->calls, 1);
    fine(p, door);
    until_told(p, fans, SECOND_MS, 6 * HOUR_MS);
    for (int i = 0; i < 50; i++) {
        until_told(p, fans, 200, 6 * HOUR_MS);
        fine(p, fans);
    }
    move(p, DAY_MS);
    assert_int_equal(fans->calls, 51);
    assert_int_equal(logged(p, "event=writeback_waits"), 1);
}

static void a_new_start_tries_at_once(void **state)
{
    struct play *p = *state;
    struct tool *fans = &p->tools[0];

    unsubscribe(p, "fans", "ada@example.org", false);
    for (int i = 0; i < 5; i++) {
        answer(p, fans, ERROR_CONFIG, "it answered 403", -1);
        until_told(p, fans, MINUTE_MS, 6 * HOUR_MS);
    }
    answer(p, fans, ERROR_CONFIG, "it answered 403", -1);
    lower_curtain(p);
    raise_curtain(p, TOOLS);
    assert_non_null(fans->done);
    lower_curtain(p); /* while it is being told */
    assert_int_equal(fans->cancelled, 1);
    raise_curtain(p, TOOLS);
    assert_non_null(fans->done);
    fine(p, fans);
    lower_curtain(p);
    raise_curtain(p, TOOLS);
    move(p, DAY_MS);
    assert_null(fans->done);
}

static void given_up_after_thirty_days(void **state)
{
    struct play *p = *state;
    struct tool *fans = &p->tools[0];
    int64_t began_ms = p->bench.ahead_ms;

    unsubscribe(p, "fans", "ada@example.org", false);
    while (!logged(p, "event=writeback_given_up")) {
        answer(p, fans, ERROR_CONFIG, "it answered 403", -1);
        if (!logged(p, "event=writeback_given_up"))
            until_told(p, fans, 10 * MINUTE_MS, 7 * HOUR_MS);
    }
    int64_t span_ms = p->bench.ahead_ms - began_ms;
    assert_true(span_ms > (int64_t)30 * DAY_MS && span_ms < (int64_t)31 * DAY_MS);
    int calls = fans->calls;
    move(p, (int64_t)30 * DAY_MS);
    assert_int_equal(fans->calls, calls);
    assert_int_equal(logged(p, "event=writeback_given_up"), 1);
}

static void an_audience_that_left_waits(void **state)
{
    struct play *p = *state;
    struct tool *door = &p->tools[1];

    lower_curtain(p);
    raise_curtain(p, 1); /* door is not configured any more */
    assert_int_equal(unsubscribe(p, "door", "ada@example.org", false), 1);
    assert_int_equal(unsubscribe(p, "fans", "bob@example.org", true), 1); /* door does not hear of this one */
    fine(p, &p->tools[0]);
    move(p, (int64_t)40 * DAY_MS);
    assert_int_equal(door->calls, 0);
    lower_curtain(p);
    raise_curtain(p, TOOLS);
    assert_string_equal(door->who, "ada@example.org/id-7"); /* however long ago: tried before it is given up */
    fine(p, door);
    move(p, DAY_MS);
    assert_int_equal(door->calls, 1);
}

static void what_cannot_be_opened_stands_in_nobodys_way(void **state)
{
    struct play *p = *state;
    struct tool *fans = &p->tools[0];
    struct store_writeback broken = {"fans", "AAAAAAAA"};
    struct store_suppression what = {.scope = "fans",
                                     .reason = "unsubscribe",
                                     .at_ms = bench_clock(&p->bench),
                                     .writebacks = &broken,
                                     .writeback_count = 1};

    bench_suppress(&p->bench, &what, 1);
    unsubscribe(p, "fans", "ada@example.org", false);
    until_told(p, fans, 100, SECOND_MS);
    fine(p, fans);
    move(p, DAY_MS);
    assert_int_equal(fans->calls, 1);
    assert_in_range(logged(p, "restore that file"), 1, 2); /* once more after the one that worked */
}

static void a_copy_tells_nobody(void **state)
{
    struct play *p = *state;
    struct tool *fans = &p->tools[0];

    p->world.copy = "another machine's";
    unsubscribe(p, "fans", "ada@example.org", false);
    move(p, DAY_MS);
    assert_int_equal(fans->calls, 0);
    p->world.copy = NULL;
    writeback_look(p->world.writeback);
    settle(p);
    assert_int_equal(fans->calls, 1);
    fine(p, fans);
}

static void what_was_taken_back_is_not_told(void **state)
{
    struct play *p = *state;
    struct tool *fans = &p->tools[0];
    struct store_suppression lift = {.scope = "fans", .lift = true};

    unsubscribe(p, "fans", "ada@example.org", false);
    unsubscribe(p, "fans", "bob@example.org", false);
    answer(p, fans, ERROR_TRY_LATER, "it is down", -1);
    crypt_person_key(&p->keys, "bob@example.org", lift.key);
    bench_suppress(&p->bench, &lift, 1);
    for (int i = 0; i < 100 && fans->calls < 2; i++)
        move(p, MINUTE_MS);
    assert_string_equal(fans->who, "ada@example.org/id-7");
    fine(p, fans);
    move(p, DAY_MS);
    assert_int_equal(fans->calls, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(told_once_one_after_another),   TEST(from_everything_is_told_everywhere),
        TEST(what_is_no_address_is_refused), TEST(what_may_help_by_itself_is_tried_again),
        TEST(who_asks_for_time_gets_it),     TEST(the_others_wait_with_the_first),
        TEST(a_new_start_tries_at_once),     TEST(given_up_after_thirty_days),
        TEST(an_audience_that_left_waits),   TEST(what_cannot_be_opened_stands_in_nobodys_way),
        TEST(a_copy_tells_nobody),           TEST(what_was_taken_back_is_not_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
