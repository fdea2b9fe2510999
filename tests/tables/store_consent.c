/* Our own list: what is new, what stays, what is told to marketing tools, and a state made before there was such a
 * thing. */
#include "store_bench.h"

enum { PEOPLE_SUPPRESSED = 25 };

static struct store_suppression word(unsigned who, const char *scope, const char *reason, int64_t at_ms)
{
    struct store_suppression what = {.scope = scope, .reason = reason, .at_ms = at_ms};

    bench_key(what.key, who);
    return what;
}

/* --- The list --- */

static void the_first_word_stays_and_an_operators_word_replaces(void **state)
{
    static const struct {
        const char *first, *second;
        bool overwrite;
        const char *reason; /* that is kept */
        bool first_date;
    } cases[] = {
        {"bounce", "unsubscribe", false, "\"bounce\"", true},
        {"operator", "bounce", false, "\"operator\"", true},
        {"unsubscribe", "unsubscribe", false, "\"unsubscribe\"", true},
        {"bounce", "operator", true, "\"operator\"", false},
        {"unsubscribe", "operator", true, "\"operator\"", false},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct store_suppression what = word(1, "", cases[i].first, DUE_MS);
        bench_suppress(b, &what, 1);
        assert_int_equal(b->count, 1);
        what = word(1, "", cases[i].second, DUE_MS + HOUR_MS);
        what.overwrite = cases[i].overwrite;
        bench_suppress(b, &what, 1);
        assert_int_equal(b->count, 0);
        json_t *list = bench_report(b, &(struct store_report){.kind = REPORT_SUPPRESSIONS});
        assert_int_equal(json_array_size(list), 1);
        auto_free char *reason = json_dumps(json_object_get(json_array_get(list, 0), "reason"), JSON_ENCODE_ANY);
        assert_string_equal(reason, cases[i].reason);
        assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "at")),
                            cases[i].first_date ? "2027-03-26T08:00:00.000Z" : "2027-03-26T09:00:00.000Z");
        what.lift = true;
        bench_suppress(b, &what, 1);
        assert_int_equal(b->count, 1);
        bench_suppress(b, &what, 1);
        assert_int_equal(b->count, 0);
    }
}

static void a_list_is_one_transaction(void **state)
{
    struct bench *b = *state;
    struct store_suppression list[] = {word(1, "", "operator", DUE_MS), word(1, "fans", "operator", DUE_MS),
                                       word(2, "", "operator", DUE_MS), word(2, "", "operator", DUE_MS)};

    bench_suppress(b, list, ARRAY_LEN(list));
    bench_fine(b);
    assert_int_equal(b->count, 3);
    list[0] = word(3, "", "operator", DUE_MS);
    list[1].writebacks = &(struct store_writeback){NULL, "t"}; /* which the table refuses */
    list[1].writeback_count = 1;
    list[1].scope = "door";
    bench_suppress(b, list, 2);
    assert_int_not_equal(b->failure.kind, ERROR_NONE);
    assert_int_equal(b->count, 0);
    assert_int_equal(json_array_size(bench_report(b, &(struct store_report){.kind = REPORT_SUPPRESSIONS})), 3);
}

/* Newest first, page by page; equal moments are told apart. */
static void the_list_is_read_page_by_page(void **state)
{
    struct bench *b = *state;
    struct store_suppression list[PEOPLE_SUPPRESSED];
    auto_free char *behind = NULL;
    char last[64] = "9999";
    size_t rows = 0, pages = 0, got;

    for (unsigned i = 0; i < PEOPLE_SUPPRESSED; i++)
        list[i] = word(i / 2, i % 2 ? "fans of music" : "", "bounce", DUE_MS + (int64_t)(i / 7));
    bench_suppress(b, list, PEOPLE_SUPPRESSED);
    do {
        json_t *page =
                   bench_report(b, &(struct store_report){.kind = REPORT_SUPPRESSIONS, .limit = 4, .behind = behind}),
               *row;
        size_t i;
        got = json_array_size(page);
        json_array_foreach(page, i, row)
        {
            const char *at = json_string_value(json_object_get(row, "at"));
            assert_true(strcmp(at, last) <= 0);
            snprintf(last, sizeof last, "%s", at);
            free(behind);
            assert_true(asprintf(&behind, "%s %s %s", at, json_string_value(json_object_get(row, "key")),
                                 json_string_value(json_object_get(row, "scope"))) > 0);
        }
        rows += got;
        pages++;
    } while (got == 4);
    assert_int_equal(rows, PEOPLE_SUPPRESSED);
    assert_int_equal(pages, 7);

    static const char *const bad[] = {"", "2027-03-26T08:00:00.000Z", "2027-03-26T08:00:00.000Z 12 x", "x y z"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        store_report(b->store, &(struct store_report){.kind = REPORT_SUPPRESSIONS, .behind = bad[i]}, bench_on_report,
                     b);
        bench_wait(b);
        assert_int_equal(b->failure.kind, ERROR_REFUSED);
    }
}

/* --- Writing back --- */

struct due {
    struct bench *bench;
    char tokens[256]; /* "a1 b0 ", with the attempts */
    int64_t ids[8];
    int64_t next_at_ms;
};

static void on_due(void *ctx, const struct store_writebacks *result)
{
    struct due *due = ctx;

    for (size_t i = 0; i < result->count; i++) {
        size_t used = strlen(due->tokens);
        snprintf(due->tokens + used, sizeof due->tokens - used, "%s%d ", result->rows[i].token,
                 result->rows[i].attempts);
        due->ids[i] = result->rows[i].id;
    }
    due->next_at_ms = result->next_at_ms;
    bench_note(due->bench, result->failure);
}

static struct due due_now(struct bench *b, const char *audience, int64_t limit)
{
    struct due due = {.bench = b};

    store_writebacks_due(b->store, audience, bench_clock(b), limit, on_due, &due);
    bench_wait(b);
    bench_fine(b);
    return due;
}

static void unsubscribe(struct bench *b, unsigned who, const char *scope, const char *token)
{
    struct store_suppression what = word(who, scope, "unsubscribe", DUE_MS + who);
    struct store_writeback tools[] = {{"fans", token}, {"door", token}};

    what.writebacks = tools;
    what.writeback_count = *scope ? 1 : 2;
    bench_suppress(b, &what, 1);
    bench_fine(b);
}

static void a_new_unsubscribe_is_written_back(void **state)
{
    struct bench *b = *state;

    b->ahead_ms = 10;
    unsubscribe(b, 1, "fans", "a");
    unsubscribe(b, 1, "fans", "again");
    assert_string_equal(due_now(b, "fans", 8).tokens, "a0 ");
    assert_string_equal(due_now(b, "door", 8).tokens, "");
    unsubscribe(b, 1, "", "wider"); /* the fans' tool has not even heard of the first */
    assert_string_equal(due_now(b, "fans", 8).tokens, "a0 ");
    assert_string_equal(due_now(b, "door", 8).tokens, "wider0 ");
    unsubscribe(b, 2, "fans", "b");
    unsubscribe(b, 3, "fans", "c");
    assert_string_equal(due_now(b, "fans", 2).tokens, "a0 b0 ");
    bench_close(b);
    bench_open(b);
    assert_string_equal(due_now(b, "fans", 8).tokens, "a0 b0 c0 ");
}

/* Our own reasons are no word to the tool: who leaves after them is told of. */
static void whom_we_had_suppressed_is_written_back(void **state)
{
    static const char *const reasons[] = {"bounce", "complaint", "operator"}, *const scopes[] = {"", "fans"};
    struct bench *b = *state;
    unsigned who = 1;

    b->ahead_ms = 100;
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        for (size_t k = 0; k < ARRAY_LEN(scopes); k++, who++) {
            struct store_suppression what = word(who, scopes[k], reasons[i], DUE_MS);
            bench_suppress(b, &what, 1);
            assert_string_equal(due_now(b, "fans", 8).tokens, "");
            unsubscribe(b, who, scopes[k], "left");
            struct due due = due_now(b, "fans", 8);
            assert_string_equal(due.tokens, "left0 ");
            store_writeback_done(b->store, due.ids[0], bench_on_done, b);
            bench_wait(b);
            bench_fine(b);
        }
}

static void it_is_done_once_or_tried_again(void **state)
{
    struct bench *b = *state;
    struct due due;

    b->ahead_ms = 10;
    unsubscribe(b, 1, "fans", "a");
    unsubscribe(b, 2, "fans", "b");
    due = due_now(b, "fans", 8);
    assert_true(due.next_at_ms == MOMENT_NONE);
    store_writeback_done(b->store, due.ids[0], bench_on_done, b);
    bench_wait(b);
    bench_fine(b);
    store_writeback_again(b->store, due.ids[1], DUE_MS + MINUTE_MS, 3, bench_on_done, b);
    bench_wait(b);
    bench_fine(b);
    due = due_now(b, "fans", 8);
    assert_string_equal(due.tokens, "");
    assert_int_equal(due.next_at_ms, DUE_MS + MINUTE_MS);
    b->ahead_ms = MINUTE_MS;
    assert_string_equal(due_now(b, "fans", 8).tokens, "b3 ");
    unsubscribe(b, 1, "fans", "a"); /* nothing new */
    assert_string_equal(due_now(b, "fans", 8).tokens, "b3 ");
}

static void what_is_lifted_is_not_told(void **state)
{
    struct bench *b = *state;
    struct store_suppression lift = word(1, "", "operator", DUE_MS);

    b->ahead_ms = 10;
    lift.lift = true;
    unsubscribe(b, 1, "fans", "a");
    unsubscribe(b, 1, "", "a");
    bench_suppress(b, &lift, 1);
    assert_string_equal(due_now(b, "fans", 8).tokens, "a0 "); /* still not written to as one of the fans */
    assert_string_equal(due_now(b, "door", 8).tokens, "");
    lift.scope = "fans";
    bench_suppress(b, &lift, 1);
    assert_string_equal(due_now(b, "fans", 8).tokens, "");
}

/* Who tells the tool has the row in hand meanwhile. */
static void what_is_lifted_is_not_taken_for_another(void **state)
{
    struct bench *b = *state;
    struct store_suppression lift = word(1, "fans", "operator", DUE_MS);

    b->ahead_ms = 10;
    lift.lift = true;
    unsubscribe(b, 1, "fans", "a");
    struct due in_hand = due_now(b, "fans", 8);
    bench_suppress(b, &lift, 1);
    unsubscribe(b, 2, "fans", "b");
    store_writeback_done(b->store, in_hand.ids[0], bench_on_done, b);
    bench_wait(b);
    bench_fine(b);
    assert_string_equal(due_now(b, "fans", 8).tokens, "b0 ");
}

/* --- A state of schema 1 --- */

static void read_file(const char *name, struct buf *out)
{
    char path[512], part[4096];

    snprintf(path, sizeof path, "%s/tests/samples/store/%s", getenv("ONSALE_SOURCE"), name);
    auto_file FILE *file = fopen(path, "re");
    assert_non_null(file);
    buf_init(out, 1 << 20);
    for (size_t n; (n = fread(part, 1, sizeof part, file)) > 0;)
        buf_add(out, part, n);
    assert_false(buf_failed(out));
}

static void a_state_of_schema_1_goes_on(void **state)
{
    struct bench old = {0}, *b = &old;
    auto_buf struct buf sql;

    (void)state;
    bench_init(b);
    read_file("schema-1.sql", &sql);
    bench_sql(b, sql.ptr);
    bench_open(b);
    assert_null(store_copy_reason(b->store));
    assert_int_equal(store_generation(b->store), 2);
    bench_audit(b);
    assert_int_equal(json_array_size(bench_report(b, &(struct store_report){.kind = REPORT_SUPPRESSIONS})), 1);
    bench_claim(b, 1, 10, 1); /* person 1 was told, person 2 is suppressed */
    assert_int_equal(b->got_count, 1);
    assert_int_equal(b->got[0].seq, 3);
    b->ahead_ms = 10;
    unsubscribe(b, 3, "fans", "a");
    assert_string_equal(due_now(b, "fans", 8).tokens, "a0 ");
    bench_close(b);
    bench_open(b); /* once more: nothing left to change */
    assert_string_equal(due_now(b, "fans", 8).tokens, "a0 ");
    bench_clear(b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, bench_set_up, bench_tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(the_first_word_stays_and_an_operators_word_replaces),
        TEST(a_list_is_one_transaction),
        TEST(the_list_is_read_page_by_page),
        TEST(a_new_unsubscribe_is_written_back),
        TEST(whom_we_had_suppressed_is_written_back),
        TEST(it_is_done_once_or_tried_again),
        TEST(what_is_lifted_is_not_told),
        TEST(what_is_lifted_is_not_taken_for_another),
        cmocka_unit_test(a_state_of_schema_1_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
