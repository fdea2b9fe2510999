/* Forgetting: a person who is erased, whatever state they are in; what is left of them on the disk; retention. */
#include "store_bench.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

static int set_up(void **state)
{
    struct bench *b = must_calloc(1, sizeof *b);

    bench_init(b);
    bench_open(b);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    if (((struct bench *)*state)->store)
        bench_audit(*state);
    bench_clear(*state);
    free(*state);
    return 0;
}

struct erased {
    struct bench *b;
    struct store_erased result;
    struct tally tally; /* of the first notice that was touched */
};

static void on_erased(void *ctx, const struct store_erased *result)
{
    struct erased *erased = ctx;

    erased->result = *result;
    if (result->progress_count)
        erased->tally = result->progress[0].tally;
    bench_note(erased->b, result->failure);
}

static struct erased erase(struct bench *b, unsigned who)
{
    struct erased erased = {.b = b};
    unsigned char key[PERSON_KEY_SIZE];

    bench_key(key, who);
    store_erase(b->store, key, bench_clock(b), on_erased, &erased);
    bench_wait(b);
    bench_fine(b);
    return erased;
}

static json_t *why(struct bench *b, unsigned who)
{
    struct store_report what = {.kind = REPORT_WHY, .address = "x@example.org"};

    bench_key(what.key, who);
    return bench_report(b, &what);
}

/* --- Every state of a person --- */

enum { ADA = 3 }; /* of six people */

static void waits(struct bench *b)
{
    bench_claim(b, 1, 2, 1);
}

static void waits_for_another_attempt(struct bench *b)
{
    bench_claim(b, 1, 4, 1);
    bench_fate(b, 1, ADA, 1, FATE_TRY_LATER, 0);
}

static void was_returned(struct bench *b)
{
    bench_claim(b, 1, 4, 1);
    bench_fate(b, 1, ADA, 1, FATE_RETURNED, 0);
}

static void is_in_flight(struct bench *b)
{
    bench_claim(b, 1, 4, 1);
}

static void was_accepted(struct bench *b)
{
    bench_claim(b, 1, 4, 1);
    bench_fate(b, 1, ADA, 1, FATE_ACCEPTED, 0);
}

static void was_refused(struct bench *b)
{
    bench_claim(b, 1, 4, 1);
    bench_fate(b, 1, ADA, 1, FATE_REFUSED, 0);
}

static void is_in_doubt(struct bench *b)
{
    bench_claim(b, 1, 4, 1);
    bench_fate(b, 1, ADA, 1, FATE_IN_DOUBT, 0);
}

static void was_withheld(struct bench *b)
{
    bench_say(b, 1, 1, 0, ADA, CONSENT_NO);
    bench_claim(b, 1, 4, 1);
}

static void is_planned(struct bench *b)
{
    struct notice *n = bench_notice(1);

    n->state = NOTICE_READY;
    bench_put(b, n);
    notice_free(n);
}

static void end_notice(struct bench *b, enum notice_state state, enum withheld rest)
{
    struct notice *n = bench_notice(1);

    n->state = state;
    n->rest = rest;
    notice_course(n)->ended_at_ms = DUE_MS;
    bench_put(b, n);
    notice_free(n);
}

static void notice_is_cancelled(struct bench *b)
{
    bench_claim(b, 1, 2, 1);
    end_notice(b, NOTICE_CANCELLED, WITHHELD_CANCELLED);
}

static void notice_was_missed(struct bench *b)
{
    end_notice(b, NOTICE_MISSED, WITHHELD_NONE);
}

/* Claims whoever is left, and those who wait for another attempt; all are accepted. -1 for whom nobody saw. */
static void go_on(struct bench *b, bool got[7])
{
    struct store_again all[6];

    for (uint32_t seq = 1; seq <= 6; seq++)
        all[seq - 1] = (struct store_again){.seq = seq, .attempt = 2};
    for (int turn = 0; turn < 3; turn++) {
        bench_turn(b, NULL, 0,
                   turn == 0 ? &(struct store_claim){.notice = 1, .want = 6, .pass = 1, .list = all, .list_count = 6}
                             : &(struct store_claim){.notice = 1, .want = 6, .pass = 1});
        bench_fine(b);
        size_t count = b->got_count;
        struct bench_delivery had[6];
        memcpy(had, b->got, count * sizeof *had);
        for (size_t i = 0; i < count; i++) {
            got[had[i].seq] = true;
            bench_fate(b, 1, had[i].seq, had[i].attempt, FATE_ACCEPTED, 0);
        }
    }
}

static void whoever_is_erased(void **state)
{
    static const struct {
        const char *name;
        void (*arrange)(struct bench *b);
        int withheld, in_flight;
        const char *state, *reason; /* of them, at once */
        enum fate lands;            /* what was in flight comes home as that */
        const char *then;           /* their state at the end */
    } cases[] = {
        {"waits", waits, 1, 0, "withheld", "erased", 0, "withheld"},
        {"waits for another attempt", waits_for_another_attempt, 1, 0, "withheld", "erased", 0, "withheld"},
        {"was returned", was_returned, 1, 0, "withheld", "erased", 0, "withheld"},
        {"is in flight, accepted", is_in_flight, 0, 1, "claimed", NULL, FATE_ACCEPTED, "accepted"},
        {"is in flight, refused", is_in_flight, 0, 1, "claimed", NULL, FATE_REFUSED, "refused"},
        {"is in flight, put off", is_in_flight, 0, 1, "claimed", NULL, FATE_TRY_LATER, "withheld"},
        {"is in flight, returned", is_in_flight, 0, 1, "claimed", NULL, FATE_RETURNED, "withheld"},
        {"is in flight, in doubt", is_in_flight, 0, 1, "claimed", NULL, FATE_IN_DOUBT, "in doubt"},
        {"was accepted", was_accepted, 0, 0, "accepted", NULL, 0, "accepted"},
        {"was refused", was_refused, 0, 0, "refused", NULL, 0, "refused"},
        {"is in doubt", is_in_doubt, 0, 0, "in doubt", NULL, 0, "in doubt"},
        {"was withheld", was_withheld, 0, 0, "withheld", "opted out", 0, "withheld"},
        {"is planned", is_planned, 1, 0, "withheld", "erased", 0, "withheld"},
        {"cancelled", notice_is_cancelled, 0, 0, "withheld", "cancelled", 0, "withheld"},
        {"missed", notice_was_missed, 0, 0, "waiting", NULL, 0, "waiting"},
    };
    (void)state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bench b;
        bool got[7] = {0};
        bench_init(&b);
        bench_open(&b);
        bench_add_notice(&b, 1);
        bench_gather(&b, 1, 1, 1, 6);
        cases[i].arrange(&b);
        struct erased erased = erase(&b, ADA);
        bench_audit(&b);
        if (erased.result.withheld != cases[i].withheld || erased.result.in_flight != cases[i].in_flight ||
            erased.result.notices != 1 || erased.result.people_rows != 1 || !erased.result.known)
            fail_msg("%s: withheld %lld, in flight %lld", cases[i].name, (long long)erased.result.withheld,
                     (long long)erased.result.in_flight);
        if (cases[i].withheld)
            assert_true(erased.tally.planned == 6 && erased.tally.withheld == 1);
        struct store_report people = {.kind = REPORT_PEOPLE, .notice = 1, .after = ADA - 1, .limit = 1};
        json_t *person = json_array_get(bench_report(&b, &people), 0);
        assert_true(json_is_null(json_object_get(person, "address")));
        if (strcmp(json_string_value(json_object_get(person, "state")), cases[i].state) != 0 ||
            (cases[i].reason && strcmp(json_string_value(json_object_get(person, "reason")), cases[i].reason) != 0))
            fail_msg("%s: %s, %s", cases[i].name, json_string_value(json_object_get(person, "state")),
                     json_string_value(json_object_get(person, "reason")));

        if (cases[i].lands)
            bench_fate(&b, 1, ADA, 1, cases[i].lands, 0);
        for (uint32_t seq = 1; seq <= 6; seq++)
            if (seq != ADA)
                bench_fate(&b, 1, seq, 1, FATE_ACCEPTED, 0); /* of those who are in flight */
        go_on(&b, got);
        if (got[ADA])
            fail_msg("%s: handed over after having been erased", cases[i].name);
        person = json_array_get(bench_report(&b, &people), 0);
        if (strcmp(json_string_value(json_object_get(person, "state")), cases[i].then) != 0)
            fail_msg("%s: ends %s", cases[i].name, json_string_value(json_object_get(person, "state")));
        bench_launch(&b, 1, 0);
        const struct tally *t = &b.launch.tally;
        assert_int_equal(t->planned, 6);
        assert_int_equal(t->planned, t->waiting + t->accepted + t->refused + t->in_doubt + t->withheld);
        if (strcmp(cases[i].then, "waiting") != 0)
            assert_int_equal(t->waiting, 0);
        bench_audit(&b);

        struct erased twice = erase(&b, ADA);
        assert_true(twice.result.known && !twice.result.withheld && !twice.result.people_rows);
        json_t *notice = json_array_get(json_object_get(why(&b, ADA), "notices"), 0);
        assert_string_equal(json_string_value(json_object_get(notice, "state")), cases[i].then);
        assert_string_equal(
            json_string_value(json_object_get(json_array_get(json_object_get(notice, "steps"), 0), "what")),
            "gathered from fans");
        bench_clear(&b);
    }
}

/* Passed over by the range that comes to their number: no step says that they were claimed. */
static void the_range_passes_them_over(void **state)
{
    struct bench *b = *state;

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 3);
    for (unsigned who = 1; who <= 3; who++)
        erase(b, who);
    bench_claim(b, 1, 10, 1);
    assert_int_equal(b->got_count, 0);
    assert_true(b->progress[0].exhausted);
    bench_tally_is(&b->progress[0].tally, (struct tally){.planned = 3, .withheld = 3});
    json_t *steps = json_object_get(json_array_get(json_object_get(why(b, 2), "notices"), 0), "steps");
    assert_int_equal(json_array_size(steps), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(steps, 1), "what")), "withheld: erased");
    json_t *by_channel =
        json_object_get(bench_report(b, &(struct store_report){.kind = REPORT_SHOW, .notice = 1}), "by_channel");
    assert_null(json_object_get(by_channel, ""));
}

/* A page that was on its way, another reading, another notice: none knows them any more. */
static void no_reading_brings_them_back(void **state)
{
    struct bench *b = *state;

    bench_add_notice(b, 1);
    bench_add_notice(b, 2);
    bench_gather(b, 1, 1, 1, 3);
    assert_int_equal(erase(b, 2).result.withheld, 1);
    bench_gather(b, 1, 2, 1, 4);
    assert_int_equal(b->gathered.planned, 4);
    bench_gather(b, 2, 1, 1, 4);
    assert_int_equal(b->gathered.planned, 3);
    bench_say(b, 2, 1, 0, 2, CONSENT_NEVER);
    assert_int_equal(json_array_size(json_object_get(why(b, 2), "notices")), 1);
    bench_claim(b, 1, 10, 2);
    assert_int_equal(b->got_count, 3);
    bench_claim(b, 2, 10, 1);
    assert_int_equal(b->got_count, 3);
    struct store_suppression back = {.scope = "", .lift = true};
    bench_key(back.key, 2);
    store_suppress(b->store, &back, 1, bench_on_count, b);
    bench_wait(b);
    bench_add_notice(b, 3); /* an operator took it back: from here on they may be gathered again */
    bench_gather(b, 3, 1, 1, 4);
    assert_int_equal(b->gathered.planned, 4);
}

static void an_operators_word_does_not_hide_an_erasure(void **state)
{
    struct bench *b = *state;
    struct store_suppression word = {.scope = "", .reason = "operator", .at_ms = DUE_MS, .overwrite = true};

    assert_false(erase(b, 5).result.known);
    bench_key(word.key, 5);
    store_suppress(b->store, &word, 1, bench_on_count, b);
    bench_wait(b);
    bench_fine(b);
    json_t *row = json_array_get(json_object_get(why(b, 5), "suppressed"), 0);
    assert_string_equal(json_string_value(json_object_get(row, "reason")), "erased");
    assert_true(erase(b, 5).result.known);
}

/* What a list from elsewhere says: after a backup was restored, say. */
static void a_list_that_says_so(void **state)
{
    struct bench *b = *state;
    struct store_suppression word = {.scope = "", .reason = "erased", .at_ms = DUE_MS};

    bench_add_notice(b, 1);
    bench_gather(b, 1, 1, 1, 3);
    bench_key(word.key, 2);
    for (int times = 0; times < 2; times++) {
        store_suppress(b->store, &word, 1, bench_on_count, b);
        bench_wait(b);
        bench_fine(b);
        assert_int_equal(b->count, times == 0);
    }
    assert_int_equal(bench_number(b, "SELECT count(*) FROM person"), 2);
    bench_claim(b, 1, 10, 1);
    assert_int_equal(b->got_count, 2);
    bench_tally_is(&b->progress[0].tally, (struct tally){.planned = 3, .waiting = 2, .claimed = 2, .withheld = 1});
}

/* A sale moved: its people went to another notice, and who is erased among them went along. */
static void a_list_that_is_taken_over(void **state)
{
    struct bench *b = *state;
    struct notice *from = bench_notice(1), *to = bench_notice(2);

    from->state = to->state = NOTICE_READY;
    bench_put(b, from);
    bench_gather(b, 1, 1, 1, 4);
    erase(b, 2);
    for (int order = 0; order < 2; order++) { /* there, and back */
        struct notice *rows[2] = {order ? to : from, order ? from : to};
        rows[1]->roll = 1;
        rows[0]->roll = 0;
        bench_apply(b, &(struct store_change){.notices = (const struct notice *const *)rows,
                                              .notice_count = 2,
                                              .first_walk_at_ms = MOMENT_NONE,
                                              .watermark_ms = MOMENT_NONE,
                                              .now_ms = DUE_MS});
        bench_fine(b);
        bench_audit(b);
        bench_launch(b, rows[1]->id, 0);
        bench_tally_is(&b->launch.tally, (struct tally){.planned = 4, .waiting = 3, .withheld = 1});
    }
    bench_claim(b, 1, 10, 1);
    assert_int_equal(b->got_count, 3);
    notice_free(from);
    notice_free(to);
}

/* --- What is left on the disk --- */

static bool file_has(const char *path, const char *what)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_ptr_not_equal(bytes, MAP_FAILED);
    bool found = memmem(bytes, (size_t)st.st_size, what, strlen(what)) != NULL;
    munmap(bytes, (size_t)st.st_size);
    close(fd);
    return found;
}

/* In any file of the state's folder: the database, its write-ahead log, whatever else lies there. */
static bool disk_has(const struct bench *b, const char *what)
{
    DIR *folder = opendir(b->folder);
    char path[512];
    bool found = false;

    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        snprintf(path, sizeof path, "%s/%s", b->folder, entry->d_name);
        found |= entry->d_type == DT_REG && file_has(path, what);
    }
    closedir(folder);
    return found;
}

/* Everything that is known of somebody is theirs alone here, so that it can be looked for. */
static const struct {
    const char *before, *after;
} traces[] = {
    {"mail", "@example.org"}, {"name", ""}, {"id", ""}, {"{\"a\":\"attr", "\"}"}, {"Zone/", ""},
};

static void gather_distinct(struct bench *b, int64_t roll, int64_t pass, unsigned from, unsigned to)
{
    size_t count = to - from + 1;
    struct store_person *people = must_calloc(count, sizeof *people);
    char(*texts)[5][48] = must_calloc(count, sizeof *texts);

    for (size_t i = 0; i < count; i++) {
        unsigned who = from + (unsigned)i;
        for (size_t k = 0; k < ARRAY_LEN(traces); k++)
            snprintf(texts[i][k], sizeof texts[i][k], "%s%06u%s", traces[k].before, who, traces[k].after);
        people[i] = (struct store_person){.address = text_of(texts[i][0]),
                                          .name = text_of(texts[i][1]),
                                          .source_id = text_of(texts[i][2]),
                                          .attributes = text_of(texts[i][3]),
                                          .zone = text_of(texts[i][4])};
        bench_key(people[i].key, who);
    }
    store_gather(b->store,
                 &(struct store_gather){
                     .roll = roll, .pass = pass, .source = "fans", .people = people, .count = count, .cursor = ""},
                 bench_on_gathered, b);
    free(people);
    free(texts);
    bench_wait(b);
    bench_fine(b);
}

/* The log is emptied behind the answer, a moment later on a busy machine. */
static void nothing_is_left_of(const struct bench *b, unsigned who)
{
    for (size_t i = 0; i < ARRAY_LEN(traces); i++) {
        char trace[32];
        snprintf(trace, sizeof trace, "%s%06u", traces[i].before, who);
        for (int tries = 0; disk_has(b, trace); tries++) {
            if (tries == 100)
                fail_msg("%s is still on the disk", trace);
            usleep(20 * 1000);
        }
    }
}

static void nothing_is_left_on_the_disk(void **state)
{
    enum { PEOPLE = 6000, STEP = 97, PAGE = 150 };
    struct bench *b = *state;

    for (int64_t notice = 1; notice <= 3; notice++)
        bench_add_notice(b, notice);
    for (unsigned from = 1; from <= PEOPLE; from += PAGE) /* beside one another, so that pages split */
        for (int64_t notice = 1; notice <= 3; notice++)
            gather_distinct(b, notice, 1, from, from + PAGE - 1);
    bench_claim(b, 2, 500, 1);
    assert_true(disk_has(b, "mail000777@"));
    for (unsigned who = STEP; who <= PEOPLE; who += STEP)
        erase(b, who);
    for (unsigned who = STEP; who <= PEOPLE; who += STEP)
        nothing_is_left_of(b, who);
    assert_true(disk_has(b, "mail000778@")); /* who is next to them is not touched */
    bench_close(b);
    nothing_is_left_of(b, STEP);
    bench_open(b);
}

/* A long report keeps the write-ahead log from being emptied: as soon as it ends, it is. */
static void a_reader_in_the_way(void **state)
{
    struct bench *b = *state;
    sqlite3 *reader;

    bench_add_notice(b, 1);
    gather_distinct(b, 1, 1, 1, 100);
    assert_int_equal(sqlite3_open(b->db, &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM person", NULL, NULL, NULL), SQLITE_OK);
    erase(b, 7);
    assert_true(disk_has(b, "mail000007@")); /* it may still read it */
    sqlite3_close(reader);
    nothing_is_left_of(b, 7);
}

/* --- Retention --- */

struct forgotten {
    struct bench *b;
    struct store_forgotten last;
    int64_t people, rows, slices;
    double longest_ms;
};

static void on_forgotten(void *ctx, const struct store_forgotten *result)
{
    struct forgotten *forgotten = ctx;

    forgotten->last = *result;
    bench_note(forgotten->b, result->failure);
}

/* Of all our threads: other programs on the machine do not count. */
static double worked_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* All slices of one run, at DUE_MS + `days`, keeping people for 90 days and reports for three years. */
static struct forgotten forget(struct bench *b, int64_t days)
{
    int64_t now_ms = DUE_MS + days * DAY_MS;
    struct forgotten forgotten = {.b = b};
    struct store_forget what = {.people_before_ms = now_ms - 90LL * DAY_MS,
                                .reports_before_ms = now_ms - 3LL * 365 * DAY_MS};

    do {
        double before_ms = worked_ms();
        store_forget(b->store, &what, on_forgotten, &forgotten);
        bench_wait(b);
        bench_fine(b);
        if (worked_ms() - before_ms > forgotten.longest_ms)
            forgotten.longest_ms = worked_ms() - before_ms;
        forgotten.people += forgotten.last.people;
        forgotten.rows += forgotten.last.rows;
        forgotten.slices++;
        what.place = forgotten.last.place;
        if (forgotten.slices % 16 == 1)
            bench_audit(b);
    } while (forgotten.last.more);
    return forgotten;
}

static void put_ended(struct bench *b, int64_t id, enum notice_state state, int64_t at_ms, int64_t ended_at_ms)
{
    char subject[32];

    snprintf(subject, sizeof subject, "event-%lld", (long long)id);
    struct notice *n = notice_new(id, "arena", subject, "on-sale", MOMENT_SALE_START, at_ms, 1);
    n->roll = id;
    n->due_at_ms = at_ms;
    n->state = state;
    notice_course(n)->pass = 1;
    notice_course(n)->ended_at_ms = ended_at_ms;
    bench_put(b, n);
    notice_free(n);
}

/* Notice 1 of 20 people: 16 told, one refused, the rest withheld; done at DUE_MS. Notice 2 is what comes after it. */
static void launch_and_end(struct bench *b)
{
    bench_add_notice(b, 1);
    gather_distinct(b, 1, 1, 1, 20);
    bench_say(b, 1, 1, 0, 3, CONSENT_NO);
    bench_claim(b, 1, 20, 1);
    for (uint32_t seq = 1; seq <= 20; seq++)
        if (seq != 3)
            bench_fate(b, 1, seq, 1, seq == 7 ? FATE_REFUSED : FATE_ACCEPTED, 0);
    store_evidence(b->store, 1, DUE_MS, "{}", bench_on_done, b);
    bench_wait(b);
    end_notice(b, NOTICE_DONE, WITHHELD_NONE);
    put_ended(b, 2, NOTICE_PLANNED, DUE_MS + 5000LL * DAY_MS, MOMENT_NONE);
}

static void people_go_after_their_time(void **state)
{
    struct bench *b = *state;

    launch_and_end(b);
    assert_int_equal(forget(b, 89).people, 0);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM person"), 20);
    assert_true(disk_has(b, "mail000007@"));
    struct forgotten gone = forget(b, 91);
    assert_int_equal(gone.people, 20);
    assert_int_equal(gone.rows, 0);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM person") + bench_number(b, "SELECT count(*) FROM word"), 0);
    for (unsigned who = 1; who <= 20; who++)
        nothing_is_left_of(b, who);
    bench_launch(b, 1, 0); /* what came of them is known all the same */
    bench_tally_is(&b->launch.tally, (struct tally){.planned = 20, .accepted = 18, .refused = 1, .withheld = 1});
    json_t *people = bench_report(b, &(struct store_report){.kind = REPORT_PEOPLE, .notice = 1});
    assert_int_equal(json_array_size(people), 20);
    assert_true(json_is_null(json_object_get(json_array_get(people, 6), "address")));
    assert_string_equal(json_string_value(json_object_get(json_array_get(people, 6), "state")), "refused");
    json_t *notice = json_array_get(json_object_get(why(b, 7), "notices"), 0);
    assert_string_equal(json_string_value(json_object_get(notice, "state")), "refused");
    assert_int_equal(json_array_size(json_object_get(notice, "steps")), 3);
    assert_non_null(bench_report(b, &(struct store_report){.kind = REPORT_SHOW, .notice = 1}));
    bench_audit(b);
    assert_int_equal(forget(b, 92).people, 0);
}

/* What a calendar shows is there as long as it shows it: `keep_past` may be longer than reports are kept. */
static void what_calendars_show_stays(void **state)
{
    struct bench *b = *state;
    struct openings openings = {0};
    struct store_entry entry = {.opening = 1,
                                .site = "arena",
                                .event_id = "old",
                                .uid = "u",
                                .opens_at_ms = DUE_MS,
                                .moved_from_ms = MOMENT_NONE,
                                .leaves_at_ms = MOMENT_NONE,
                                .title = "",
                                .url = "",
                                .place = "",
                                .zone = "",
                                .text = TEXT("BEGIN:VEVENT")};

    for (int64_t id = 1; id <= 3; id++) /* the last one always stays */
        openings_add(&openings, id, "arena", "old", DUE_MS + id, OPENING_SCHEDULED);
    store_apply(b->store,
                &(struct store_change){.openings = (const struct opening *const *)openings.at,
                                       .opening_count = 3,
                                       .first_walk_at_ms = MOMENT_NONE,
                                       .watermark_ms = MOMENT_NONE},
                bench_on_done, b);
    bench_wait(b);
    for (int shown = 1; shown >= 0; shown--) {
        if (!shown)
            entry.text = TEXT("");
        store_publish(b->store, &(struct store_calendars){.entries = &entry, .entry_count = 1}, bench_on_done, b);
        bench_wait(b);
        bench_fine(b);
        forget(b, 3 * 365 + 1);
        assert_int_equal(bench_number(b, "SELECT count(*) FROM opening"), 1 + shown);
        assert_int_equal(bench_number(b, "SELECT count(*) FROM calendar_entry"), shown);
    }
    openings_clear(&openings);
}

static void reports_go_after_theirs(void **state)
{
    static const char *const tables[] = {"told",   "roll",         "person",   "word",    "reading",
                                         "claim",  "claim_member", "fate",     "counter", "evidence",
                                         "flight", "again",        "feedback", "text",    "notice_member"};
    struct bench *b = *state;
    struct store_suppression no = {.scope = "", .reason = "unsubscribe", .at_ms = DUE_MS};

    launch_and_end(b);
    bench_key(no.key, 9);
    store_suppress(b->store, &no, 1, bench_on_count, b);
    bench_wait(b);
    assert_int_equal(forget(b, 3 * 365 - 1).rows, 0);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM told"), 20);
    struct forgotten gone = forget(b, 3 * 365 + 1);
    assert_true(gone.rows > 40);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", tables[i]);
        if (bench_number(b, sql) != 0)
            fail_msg("%s has rows", tables[i]);
    }
    assert_int_equal(bench_number(b, "SELECT count(*) FROM notice"), 1);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM suppression"), 1);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM meta WHERE key = 'forgetting'"), 0);
    bench_audit(b);
    struct store_image image;
    assert_int_equal(store_load(b->store, &image, NULL), 0);
    assert_int_equal(image.notices.next_id, 3); /* no number is given twice */
    store_image_clear(&image);
}

/* A sale that the site still lists must not look like news: its notice is kept, without anything of its people. */
static void what_still_stands_is_known(void **state)
{
    struct bench *b = *state;
    struct definition *d = definition_new(&(struct definition){.site = "arena",
                                                               .id = "a",
                                                               .event_id = "event-1",
                                                               .name = "",
                                                               .description = "",
                                                               .price = "",
                                                               .currency = "",
                                                               .event_title = "Summer Nights",
                                                               .event_zone = "",
                                                               .event_url = "",
                                                               .event_place = "",
                                                               .created_at_ms = 0,
                                                               .updated_at_ms = 0,
                                                               .event_starts_at_ms = DUE_MS,
                                                               .sale_starts_at_ms = DUE_MS,
                                                               .sale_ends_at_ms = MOMENT_NONE});

    launch_and_end(b);
    bench_apply(b, &(struct store_change){.put = (const struct definition *const[]){d},
                                          .put_count = 1,
                                          .first_walk_at_ms = MOMENT_NONE,
                                          .watermark_ms = MOMENT_NONE});
    bench_fine(b);
    forget(b, 3 * 365 + 1);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM told") + bench_number(b, "SELECT count(*) FROM fate"), 0);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM notice"), 2);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM event"), 1);
    assert_int_equal(forget(b, 3 * 365 + 2).rows, 0);
    bench_apply(b, &(struct store_change){.removed_site = "arena",
                                          .removed = (const char *const[]){"a"},
                                          .removed_count = 1,
                                          .first_walk_at_ms = MOMENT_NONE,
                                          .watermark_ms = MOMENT_NONE});
    forget(b, 3 * 365 + 3);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM notice"), 1);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM event"), 0);
    definition_free(d);
}

static void only_what_has_ended(void **state)
{
    static const struct {
        enum notice_state state;
        int64_t at_days, ended_days; /* from DUE_MS; ended -1: not */
        bool goes;
    } cases[] = {
        {NOTICE_DONE, 0, 0, true},         {NOTICE_MISSED, 0, 1, true},    {NOTICE_CANCELLED, 0, 0, true},
        {NOTICE_WITHDRAWN, 0, 0, true},    {NOTICE_PLANNED, 0, -1, false}, {NOTICE_GATHERING, 0, -1, false},
        {NOTICE_READY, 0, -1, false},      {NOTICE_HELD, 0, -1, false},    {NOTICE_SENDING, 0, -1, false},
        {NOTICE_DONE, 0, 11, false},       {NOTICE_DONE, 11, 0, false},    {NOTICE_WITHDRAWN, 200, 0, false},
        {NOTICE_CANCELLED, 200, 0, false}, {NOTICE_MISSED, 0, 20, false},
    };
    struct bench *b = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t id = (int64_t)i + 1;
        put_ended(b, id, cases[i].state, DUE_MS + cases[i].at_days * DAY_MS,
                  cases[i].ended_days < 0 ? MOMENT_NONE : DUE_MS + cases[i].ended_days * DAY_MS);
        gather_distinct(b, id, 1, 1, 5);
    }
    forget(b, 100);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char sql[80];
        snprintf(sql, sizeof sql, "SELECT count(*) FROM person WHERE roll = %zu", i + 1);
        if ((bench_number(b, sql) == 0) != cases[i].goes)
            fail_msg("%s, at day %lld, ended day %lld", notice_state_name(cases[i].state), (long long)cases[i].at_days,
                     (long long)cases[i].ended_days);
    }
}

/* However much there is to forget: nobody waits for it longer than a slice takes. */
static void a_crowd_goes_in_slices(void **state)
{
    enum { PEOPLE = 100000 };
    struct bench *b = *state;

    bench_add_notice(b, 1);
    for (unsigned from = 1; from <= PEOPLE; from += 1000)
        bench_gather(b, 1, 1, from, from + 999);
    for (size_t got = 0; got < PEOPLE; got += b->got_count)
        bench_claim(b, 1, 4000, 1);
    bench_sql(b,
              "INSERT INTO fate SELECT 1, seq, 1, 'mail', 1, 1, 0, 250, NULL, 1806048000000, NULL, claim FROM flight;"
              "DELETE FROM flight; UPDATE counter SET accepted = live, live = 0;"
              "INSERT INTO late_sum SELECT notice, channel, 0, accepted FROM counter");
    end_notice(b, NOTICE_DONE, WITHHELD_NONE);
    struct forgotten people = forget(b, 100);
    assert_int_equal(people.people, PEOPLE);
    struct forgotten reports = forget(b, 2000);
    print_message("# people: %lld slices, longest %.1f ms; reports: %lld slices, longest %.1f ms\n",
                  (long long)people.slices, people.longest_ms, (long long)reports.slices, reports.longest_ms);
    assert_true(people.slices > 3 && reports.slices > 10);
    assert_true(people.longest_ms < 50 && reports.longest_ms < 50);
    assert_int_equal(bench_number(b, "SELECT count(*) FROM told"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(whoever_is_erased),           TEST(the_range_passes_them_over),
        TEST(no_reading_brings_them_back), TEST(an_operators_word_does_not_hide_an_erasure),
        TEST(a_list_that_says_so),         TEST(a_list_that_is_taken_over),
        TEST(nothing_is_left_on_the_disk), TEST(a_reader_in_the_way),
        TEST(people_go_after_their_time),  TEST(what_calendars_show_stays),
        TEST(reports_go_after_theirs),     TEST(what_still_stands_is_known),
        TEST(only_what_has_ended),         TEST(a_crowd_goes_in_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
