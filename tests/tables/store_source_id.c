/* People by what their tool calls them: who is found, who is not any more, and what was said of them before they were
 * read. */
#include "store_bench.h"

static struct store_hooked got;

static int set_up(void **state)
{
    struct bench *b = must_calloc(1, sizeof *b);

    bench_init(b);
    bench_open(b);
    bench_add_notice(b, 1);
    bench_add_notice(b, 2);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    bench_audit(*state);
    bench_clear(*state);
    free(*state);
    return 0;
}

/* Somebody of an audience: `who` is their address, `id` what the audience calls them. */
static void read_one(struct bench *b, int64_t roll, unsigned audience, const char *source, unsigned who, const char *id,
                     enum consent consent)
{
    char address[32];
    struct store_person person = {.consent = consent, .source_id = text_of(id), .attributes = TEXT("{}")};

    snprintf(address, sizeof address, "p%u@example.org", who);
    person.address = text_of(address);
    bench_key(person.key, who);
    store_gather(b->store,
                 &(struct store_gather){.roll = roll,
                                        .pass = 1,
                                        .audience = audience,
                                        .source = source,
                                        .people = &person,
                                        .count = 1,
                                        .cursor = "",
                                        .now_ms = bench_clock(b)},
                 bench_on_gathered, b);
    bench_wait(b);
    bench_fine(b);
}

/* Who is called so: 0 nobody, -1 several, else who of the bench's. */
static int find(struct bench *b, const char *id, const char *audience)
{
    json_t *ids = json_pack("[s]", id);
    auto_free char *list = json_dumps(ids, JSON_COMPACT);
    json_t *found =
        bench_report(b, &(struct store_report){.kind = REPORT_SOURCE_IDS, .source_ids = list, .audience = audience});
    const json_t *known = json_object_get(found, id);
    unsigned char key[PERSON_KEY_SIZE], theirs[PERSON_KEY_SIZE];

    json_decref(ids);
    if (!known)
        return 0;
    if (json_is_null(known))
        return -1;
    assert_true(text_unhex(text_of(json_string_value(known)), key, sizeof key));
    for (unsigned who = 1; who < 5000; who++) {
        bench_key(theirs, who);
        if (memcmp(key, theirs, sizeof key) == 0)
            return (int)who;
    }
    fail_msg("%s: nobody of ours", id);
    return 0;
}

static void on_hook(void *ctx, const struct store_hooked *result)
{
    got = *result;
    bench_note(ctx, result->failure);
}

/* A word by a source id. NULL `reason`: a soft bounce, which is only noted. */
static enum error_kind say(struct bench *b, const char *hook_id, const char *source_id, const char *audience,
                           const char *kept_as, const char *reason)
{
    struct store_suppression leaves = {.scope = audience, .reason = "unsubscribe", .at_ms = bench_clock(b)};
    struct store_feedback feedback = {.kind = !reason                            ? FEEDBACK_SOFT
                                              : strcmp(reason, "complaint") == 0 ? FEEDBACK_COMPLAINT
                                                                                 : FEEDBACK_HARD,
                                      .text = "550",
                                      .at_ms = bench_clock(b)};
    bool is_leaving = reason && strcmp(reason, "unsubscribe") == 0;

    store_hook(b->store,
               &(struct store_hook){.from = "signed crm",
                                    .id = hook_id,
                                    .entity = "",
                                    .at_ms = bench_clock(b),
                                    .suppress = is_leaving ? &leaves : NULL,
                                    .feedback = is_leaving ? NULL : &feedback,
                                    .source_id = source_id,
                                    .audience = audience,
                                    .kept_as = kept_as},
               on_hook, b);
    bench_wait(b);
    return b->failure.kind;
}

/* --- Finding --- */

/* 17 of the fans and 17 at the door are two people, whoever was read first and however often. */
static void each_audience_has_its_own(void **state)
{
    static const struct {
        const char *id, *audience;
        int who;
    } cases[] = {{"17", "fans", 2}, {"17", "door", 9}, {"17", "hall", 0}, {"17", "", -1},
                 {"17", NULL, -1},  {"18", "door", 3}, {"18", "fans", 0}, {"18", "", 3},
                 {"' OR 1", "", 0}, {"", "", 0},       {"", "fans", 0},   {"19", "", 4},
                 {"19", "hall", 4}, {"1", "", 0},      {"177", "", 0},    {"fans", "fans", 0}};
    struct bench *b = *state;

    read_one(b, 1, 0, "fans", 2, "17", CONSENT_YES);
    read_one(b, 1, 1, "door", 9, "17", CONSENT_YES);
    read_one(b, 1, 1, "door", 3, "18", CONSENT_YES);
    read_one(b, 2, 1, "door", 9, "17", CONSENT_YES); /* in a later list alone */
    read_one(b, 1, 0, "fans", 4, "19", CONSENT_YES);
    read_one(b, 2, 2, "hall", 4, "19", CONSENT_YES); /* one person: no riddle */
    read_one(b, 2, 2, "hall", 5, "", CONSENT_YES);   /* called nothing */
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int who = find(b, cases[i].id, cases[i].audience);
        if (who != cases[i].who)
            fail_msg("\"%s\" of \"%s\": %d", cases[i].id, cases[i].audience ? cases[i].audience : "NULL", who);
    }
}

static void an_address_that_changed_is_the_later_one(void **state)
{
    struct bench *b = *state;

    read_one(b, 1, 0, "fans", 2, "17", CONSENT_YES);
    read_one(b, 2, 0, "fans", 7, "17", CONSENT_YES);
    assert_int_equal(find(b, "17", "fans"), 7);
    assert_int_equal(find(b, "17", ""), 7);
}

/* Of any page, in the middle and at both ends; after a restart; and as soon as who has it is erased no more. */
static void everybody_is_found(void **state)
{
    static const unsigned looked_for[] = {1, 2, 499, 500, 501, 512, 513, 1000, 1100, 1101, 1700};
    struct bench *b = *state;
    char id[BENCH_ID_SIZE];
    unsigned char key[PERSON_KEY_SIZE];

    bench_gather(b, 1, 1, 1, 500);
    bench_gather(b, 1, 1, 400, 1100); /* 100 of them are known; more than one row holds */
    bench_gather(b, 2, 1, 1101, 1700);
    bench_close(b);
    bench_open(b);
    for (size_t i = 0; i < ARRAY_LEN(looked_for); i++) {
        bench_source_id(id, looked_for[i]);
        assert_int_equal(find(b, id, "fans"), looked_for[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(looked_for); i++) {
        bench_key(key, looked_for[i]);
        store_erase(b->store, key, bench_clock(b), bench_on_erased, b);
        bench_wait(b);
        bench_fine(b);
        bench_source_id(id, looked_for[i]);
        assert_int_equal(find(b, id, ""), 0);
        bench_source_id(id, looked_for[i] + 20);
        assert_int_equal(find(b, id, ""), looked_for[i] == 1700 ? 0 : looked_for[i] + 20);
    }
}

/* What an erased one was called is gone as well, not only their row. */
static void no_hash_is_left_of_who_is_erased(void **state)
{
    struct bench *b = *state;
    unsigned char key[PERSON_KEY_SIZE];

    bench_gather(b, 1, 1, 1, 3);
    bench_key(key, 2);
    store_erase(b->store, key, bench_clock(b), bench_on_erased, b);
    bench_wait(b);
    assert_int_equal(
        bench_number(b, "SELECT hex(substr(hashes, 5, 4)) = '00000000' AND hex(substr(hashes, 1, 4)) <> '00000000' AND"
                        " hex(substr(hashes, 9, 4)) <> '00000000' AND length(hashes) = 12 FROM person_ids"),
        1);
}

/* --- Who was not read yet --- */

static int64_t suppressed(struct bench *b, const char *scope, const char *reason)
{
    char sql[160];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM suppression WHERE scope = '%s' AND reason = '%s'", scope, reason);
    return bench_number(b, sql);
}

static void words_reach_who_is_known(void **state)
{
    struct bench *b = *state;

    read_one(b, 1, 0, "fans", 2, "17", CONSENT_YES);
    assert_int_equal(say(b, "1", "17", "fans", "fans", "unsubscribe"), ERROR_NONE);
    assert_true(got.suppressed == 1 && !got.unknown);
    assert_int_equal(say(b, "2", "17", "fans", "fans", "unsubscribe"), ERROR_NONE);
    assert_true(got.suppressed == 0 && !got.unknown); /* they had left before */
    assert_int_equal(say(b, "3", "17", "", NULL, "bounce"), ERROR_NONE);
    assert_true(got.fed_back.suppressed && !got.unknown);
    assert_int_equal(suppressed(b, "fans", "unsubscribe"), 1);
    assert_int_equal(suppressed(b, "", "bounce"), 1);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM unmet"), 0);
}

/* The tool still lists for some seconds who has just left: read only then, they are not told. */
static void who_left_before_they_were_read_is_not_told(void **state)
{
    struct bench *b = *state;

    assert_int_equal(say(b, "1", "17", "fans", "fans", "unsubscribe"), ERROR_NONE);
    assert_true(got.unknown && got.kept && got.suppressed == 0);
    assert_int_equal(say(b, "2", "18", "", "fans", "complaint"), ERROR_NONE);
    assert_int_equal(say(b, "3", "19", "", "fans", NULL), ERROR_NONE);
    assert_true(got.unknown && !got.kept); /* nothing follows from a soft bounce */
    bench_close(b);
    bench_open(b); /* and a restart forgets none of it */
    b->ahead_ms = 47 * HOUR_MS;
    for (unsigned who = 1; who <= 4; who++) {
        char id[8];
        snprintf(id, sizeof id, "%u", 16 + who);
        read_one(b, 1, 0, "fans", who, id, CONSENT_YES);
    }
    read_one(b, 1, 1, "door", 5, "17", CONSENT_YES); /* somebody else */
    assert_int_equal(suppressed(b, "fans", "unsubscribe"), 1);
    assert_int_equal(suppressed(b, "", "complaint"), 1);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM unmet"), 0);
    bench_claim(b, 1, 10, 1);
    assert_int_equal(b->got_count, 3);
    for (size_t i = 0; i < b->got_count; i++)
        assert_true(strcmp(b->got[i].address, "p1@example.org") != 0 &&
                    strcmp(b->got[i].address, "p2@example.org") != 0);
    while (b->got_count > 0)
        bench_fate(b, 1, b->got[--b->got_count].seq, 1, FATE_ACCEPTED, 0);
}

/* Whoever is read again, for another list or as no yes, is met as well: the word waits for nobody else. */
static void also_by_another_name_of_theirs(void **state)
{
    struct bench *b = *state;

    read_one(b, 1, 0, "fans", 1, "a-1", CONSENT_YES);
    assert_int_equal(say(b, "1", "b-1", "door", "door", "unsubscribe"), ERROR_NONE);
    assert_true(got.kept); /* the list knows them as a-1 of the fans alone */
    read_one(b, 1, 1, "door", 1, "b-1", CONSENT_YES);
    assert_int_equal(suppressed(b, "door", "unsubscribe"), 1);
    assert_int_equal(say(b, "2", "c-1", "", "hall", "bounce"), ERROR_NONE);
    read_one(b, 1, 2, "hall", 8, "c-1", CONSENT_NO);
    assert_int_equal(suppressed(b, "", "bounce"), 1);
}

/* An operator's word is the last: it was met once. */
static void met_once(void **state)
{
    struct bench *b = *state;
    struct store_suppression lift = {.scope = "fans", .lift = true};

    say(b, "1", "17", "fans", "fans", "unsubscribe");
    read_one(b, 1, 0, "fans", 1, "17", CONSENT_YES);
    bench_key(lift.key, 1);
    store_suppress(b->store, &lift, 1, bench_on_count, b);
    bench_wait(b);
    read_one(b, 2, 0, "fans", 1, "17", CONSENT_YES);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM suppression"), 0);
}

static void kept_for_two_days(void **state)
{
    struct bench *b = *state;

    say(b, "1", "17", "fans", "fans", "unsubscribe");
    b->ahead_ms = HOUR_MS;
    say(b, "2", "18", "fans", "fans", "unsubscribe");
    b->ahead_ms = 48 * HOUR_MS;
    read_one(b, 1, 0, "fans", 1, "17", CONSENT_YES); /* the tool has had time, and lists them: they are back */
    read_one(b, 1, 0, "fans", 2, "18", CONSENT_YES);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM suppression"), 1);
    say(b, "3", "19", "fans", "fans", "unsubscribe");
    assert_int_equal(bench_number(b, "SELECT count(*) FROM unmet"), 1); /* what is old is gone from the disk */
}

static void no_more_than_a_hundred_thousand(void **state)
{
    struct bench *b = *state;

    say(b, "1", "first", "fans", "fans", "unsubscribe");
    bench_sql(b, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)"
                 " INSERT INTO unmet(audience, source_id, scope, reason, at)"
                 " SELECT 'fans', 'x' || i, 'fans', 'unsubscribe', (SELECT at FROM unmet) FROM n");
    say(b, "2", "last", "fans", "fans", "unsubscribe");
    assert_int_equal(bench_number(b, "SELECT count(*) FROM unmet"), 100000);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM unmet WHERE source_id = 'first'"), 0);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM unmet WHERE source_id = 'last'"), 1);
}

/* Nobody can say whom it is about: then it is as if it had not come, and may come again with more. */
static void whose_it_is_is_not_guessed(void **state)
{
    struct bench *b = *state;

    read_one(b, 1, 0, "fans", 2, "17", CONSENT_YES);
    read_one(b, 1, 1, "door", 9, "17", CONSENT_YES);
    assert_int_equal(say(b, "1", "17", "", NULL, "unsubscribe"), ERROR_REFUSED);
    assert_int_equal(say(b, "2", "99", "", NULL, "unsubscribe"), ERROR_REFUSED);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM suppression"), 0);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM hook"), 0);
    assert_int_equal(say(b, "1", "17", "door", "door", "unsubscribe"), ERROR_NONE);
    assert_int_equal(got.news, HOOK_NEW);
    assert_int_equal(say(b, "2", "99", "", NULL, NULL), ERROR_NONE); /* nothing to keep */
    assert_true(got.unknown && !got.kept);
}

/* An address is enough: nobody has to be known. */
static void an_address_waits_for_nobody(void **state)
{
    struct bench *b = *state;
    struct store_suppression word = {.scope = "fans", .reason = "unsubscribe", .at_ms = DUE_MS};

    bench_key(word.key, 1);
    store_hook(
        b->store,
        &(struct store_hook){.from = "signed crm", .id = "1", .entity = "", .at_ms = bench_clock(b), .suppress = &word},
        on_hook, b);
    bench_wait(b);
    bench_fine(b);
    assert_true(got.suppressed == 1 && !got.unknown);
    read_one(b, 1, 0, "fans", 1, "17", CONSENT_YES);
    bench_claim(b, 1, 10, 1);
    assert_int_equal(b->got_count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(each_audience_has_its_own),
        TEST(an_address_that_changed_is_the_later_one),
        TEST(everybody_is_found),
        TEST(no_hash_is_left_of_who_is_erased),
        TEST(words_reach_who_is_known),
        TEST(who_left_before_they_were_read_is_not_told),
        TEST(also_by_another_name_of_theirs),
        TEST(met_once),
        TEST(kept_for_two_days),
        TEST(no_more_than_a_hundred_thousand),
        TEST(whose_it_is_is_not_guessed),
        TEST(an_address_waits_for_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
