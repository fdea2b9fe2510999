/* ledger.c - how fast the store is, apart from everything else. Prints figures; asserts nothing.
 *   ledger send [PEOPLE [TURN]]     people gathered, claims with their fates, audit
 *   ledger gather [PEOPLE [TURN]]   gathering while another notice has a turn of TURN people every 10 ms
 *   ledger restart [PEOPLE [TURN]]  from the start after a kill -9 until the first claim; all but a few wait
 *   ledger again [PEOPLE [TURN]]    the same, when everybody waits for another attempt
 *   ledger retry [PEOPLE [TURN]]    everybody refused is tried again, beside turns
 *   ledger erase [PEOPLE [TURN]]    a backup, then one erasure a second, beside turns
 *   ledger find [PEOPLE [TURN]]     one of so many people by what their tool calls them
 *   ledger forget [PEOPLE [TURN]]   retention of so many people, beside turns
 * The files lie in $TMPDIR, which should be a disk. */
#include "../tables/store_bench.h"

#include <time.h>

enum { PAGE = 500, /* as gather.c does */ PERIOD_MS = 10 };

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* CPU seconds of all threads. */
static double cpu_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double anonymous_mb(void)
{
    auto_file FILE *file = fopen("/proc/self/smaps_rollup", "re");
    char line[128];
    long kb = 0;

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Anonymous: %ld kB", &kb) == 1)
            break;
    return (double)kb / 1024;
}

static double log_mb(const struct bench *b)
{
    char path[96];
    struct stat st;

    snprintf(path, sizeof path, "%s-wal", b->db);
    return stat(path, &st) == 0 ? (double)st.st_size / (1 << 20) : 0;
}

/* --- Another notice, which has a turn every so often ------------------------------------------------------------- */

struct other {
    struct bench *b;
    uv_timer_t timer;
    int64_t notice;
    size_t want;
    struct store_fate *fates;
    size_t fate_count;
    double asked_s;
    bool waiting;
    double *ms; /* each turn's time */
    size_t turns, late;
    double most_log_mb;
};

static void other_on_turned(void *ctx, const struct store_turned *result)
{
    struct other *o = ctx;

    o->waiting = false;
    if (result->failure)
        fail_msg("%s", result->failure->text);
    o->ms = must_realloc(o->ms, (o->turns + 1) * sizeof *o->ms);
    o->ms[o->turns++] = (now_s() - o->asked_s) * 1000;
    o->fate_count = result->delivery_count;
    for (size_t i = 0; i < result->delivery_count; i++)
        o->fates[i] = (struct store_fate){.notice = o->notice,
                                          .seq = result->deliveries[i].seq,
                                          .attempt = result->deliveries[i].attempt,
                                          .fate = FATE_ACCEPTED,
                                          .code = 250,
                                          .at_ms = DUE_MS};
}

static void other_on_timer(uv_timer_t *timer)
{
    struct other *o = timer->data;
    struct store_claim claim = {.notice = o->notice, .want = o->want, .pass = 1};

    if (log_mb(o->b) > o->most_log_mb)
        o->most_log_mb = log_mb(o->b);
    if (o->waiting) {
        o->late++;
        return;
    }
    o->waiting = true;
    o->asked_s = now_s();
    store_turn(o->b->store,
               &(struct store_turn){.channel = "mail",
                                    .fates = o->fates,
                                    .fate_count = o->fate_count,
                                    .claims = &claim,
                                    .claim_count = 1,
                                    .now_ms = DUE_MS},
               other_on_turned, o);
}

static void other_start(struct other *o, struct bench *b, int64_t notice, size_t want)
{
    *o = (struct other){.b = b, .notice = notice, .want = want, .fates = must_calloc(want, sizeof *o->fates)};
    o->timer.data = o;
    uv_timer_init(&b->loop, &o->timer);
    uv_timer_start(&o->timer, other_on_timer, PERIOD_MS, PERIOD_MS);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void other_stop(struct other *o)
{
    uv_timer_stop(&o->timer);
    while (o->waiting)
        uv_run(&o->b->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&o->timer, NULL);
    uv_run(&o->b->loop, UV_RUN_NOWAIT);
    qsort(o->ms, o->turns, sizeof *o->ms, by_size);
    if (o->turns)
        printf("  beside: %zu turns of up to %zu, ms: median %.2f, p99 %.2f, longest %.2f; longest log %.0f MB\n",
               o->turns, o->want, o->ms[o->turns / 2], o->ms[o->turns * 99 / 100], o->ms[o->turns - 1], o->most_log_mb);
    free(o->ms);
    free(o->fates);
}

static void run_for(struct bench *b, double s)
{
    double until_s = now_s() + s;

    while (now_s() < until_s)
        uv_run(&b->loop, UV_RUN_ONCE);
}

/* --- Steps -------------------------------------------------------------------------------------------------------- */

static void gather(struct bench *b, int64_t roll, int64_t pass, unsigned people)
{
    for (unsigned from = 1; from <= people; from += PAGE)
        bench_gather(b, roll, pass, from, from + PAGE - 1);
}

static void gather_timed(struct bench *b, int64_t roll, int64_t pass, unsigned people)
{
    double start = now_s(), cpu = cpu_s();

    gather(b, roll, pass, people);
    printf("gathered, read %lld: %.0f people/s, CPU %.1f us each; log %.0f MB, anonymous %.1f MB\n", (long long)pass,
           people / (now_s() - start), (cpu_s() - cpu) * 1e6 / people, log_mb(b), anonymous_mb());
}

/* Everybody is claimed in turns and has `fate`. Returns the turns; the longest in ms. */
static size_t send_all(struct bench *b, int64_t notice, int64_t pass, size_t turn, enum fate fate, unsigned until,
                       double *longest_ms)
{
    struct store_fate *fates = must_calloc(turn, sizeof *fates);
    size_t count = 0, turns = 0;
    unsigned sent = 0;

    do {
        struct store_claim claim = {.notice = notice, .want = turn, .pass = pass};
        double asked = now_s();
        bench_turn(b, fates, count, sent < until ? &claim : NULL);
        bench_fine(b);
        if (longest_ms && (now_s() - asked) * 1000 > *longest_ms)
            *longest_ms = (now_s() - asked) * 1000;
        count = sent < until ? b->got_count : 0;
        sent += (unsigned)count;
        turns++;
        for (size_t i = 0; i < count; i++)
            fates[i] = (struct store_fate){.notice = notice,
                                           .seq = b->got[i].seq,
                                           .attempt = 1,
                                           .fate = fate,
                                           .code = fate == FATE_ACCEPTED ? 250 : 550,
                                           .at_ms = DUE_MS,
                                           .next_at_ms = DUE_MS};
    } while (count);
    free(fates);
    return turns;
}

/* --- What is measured --------------------------------------------------------------------------------------------- */

static void measure_send(struct bench *b, unsigned people, size_t turn)
{
    double longest_ms = 0;

    bench_add_notice(b, 1);
    gather_timed(b, 1, 1, people);
    gather_timed(b, 1, 2, people);
    double start = now_s(), cpu = cpu_s();
    size_t turns = send_all(b, 1, 2, turn, FATE_ACCEPTED, people, &longest_ms);
    double took = now_s() - start;
    printf(
        "claimed and told: %.0f people/s in turns of %zu (%.2f ms each, longest %.2f ms), CPU %.1f us each; log %.0f "
        "MB, anonymous %.1f MB\n",
        people / took, turn, took * 1000 / (double)turns, longest_ms, (cpu_s() - cpu) * 1e6 / people, log_mb(b),
        anonymous_mb());
    start = now_s();
    bench_audit(b);
    printf("audit: %.2f s\n", now_s() - start);
}

/* As gather.c does it: the next page is asked for when the last is stored. */
static void measure_gather(struct bench *b, unsigned people, size_t turn)
{
    struct other other;

    bench_add_notice(b, 1);
    bench_add_notice(b, 2);
    gather(b, 2, 1, people / 2);
    other_start(&other, b, 2, turn);
    gather_timed(b, 1, 1, people);
    other_stop(&other);
}

static void measure_restart(struct bench *b, unsigned people, size_t turn, bool again)
{
    int status;
    double start;

    bench_close(b);
    pid_t child = fork();
    if (child == 0) {
        bench_open(b);
        bench_add_notice(b, 1);
        gather(b, 1, 1, people);
        bench_launch(b, 1, false);
        send_all(b, 1, 1, 2000, again ? FATE_TRY_LATER : FATE_ACCEPTED, again ? people : 2000, NULL);
        if (!again)
            bench_claim(b, 1, turn, 1);
        _exit(0); /* as kill -9 leaves it */
    }
    waitpid(child, &status, 0);
    printf("log at the kill: %.0f MB\n", log_mb(b));
    start = now_s();
    bench_open(b);
    printf("opened: %.0f ms\n", (now_s() - start) * 1000);
    struct store_image image;
    struct error err = {0};
    if (store_load(b->store, &image, &err) < 0)
        fail_msg("%s", err.text);
    store_image_clear(&image);
    printf("loaded: %.0f ms\n", (now_s() - start) * 1000);
    bench_launch(b, 1, false);
    printf("launched: %.0f ms, %lld in doubt, %zu wait for another attempt\n", (now_s() - start) * 1000,
           (long long)b->launch.doubts, b->launch.again_count);
    if (again)
        bench_turn(b, NULL, 0,
                   &(struct store_claim){.notice = 1, .want = 64, .list = b->again, .list_count = 64, .pass = 1});
    else
        bench_claim(b, 1, turn, 1);
    bench_fine(b);
    printf("first claim, of %zu: %.0f ms; anonymous %.1f MB\n", b->got_count, (now_s() - start) * 1000, anonymous_mb());
    start = now_s();
    bench_report(b, &(struct store_report){.kind = REPORT_SHOW, .notice = 1});
    printf("show: %.1f ms\n", (now_s() - start) * 1000);
    start = now_s();
    bench_report(b, &(struct store_report){.kind = REPORT_NOTICES});
    printf("notices: %.1f ms\n", (now_s() - start) * 1000);
    start = now_s();
    bench_close(b);
    printf("closed: %.0f ms\n", (now_s() - start) * 1000);
    bench_open(b);
}

static void measure_retry(struct bench *b, unsigned people, size_t turn)
{
    struct other other;

    bench_add_notice(b, 1);
    bench_add_notice(b, 2);
    gather(b, 1, 1, people);
    gather(b, 2, 1, people);
    send_all(b, 1, 1, 2000, FATE_REFUSED, people, NULL);
    other_start(&other, b, 2, turn);
    run_for(b, 0.3);
    double start = now_s();
    store_retry(b->store, &(struct store_retry){.notice = 1, .fate = FATE_REFUSED, .channel = "mail", .now_ms = DUE_MS},
                bench_on_count, b);
    bench_wait(b);
    bench_fine(b);
    printf("%lld wait again: %.0f ms\n", (long long)b->count, (now_s() - start) * 1000);
    run_for(b, 0.3);
    other_stop(&other);
    start = now_s();
    bench_audit(b);
    printf("audit: %.2f s\n", now_s() - start);
}

static void find_timed(struct bench *b, const char *what, const char *id)
{
    char list[BENCH_ID_SIZE + 8];

    snprintf(list, sizeof list, "[\"%s\"]", id);
    double start = now_s();
    bench_report(b, &(struct store_report){.kind = REPORT_SOURCE_IDS, .source_ids = list, .audience = "fans"});
    printf("%s: %.2f ms\n", what, (now_s() - start) * 1000);
}

static void measure_find(struct bench *b, unsigned people)
{
    char id[BENCH_ID_SIZE];

    bench_add_notice(b, 1);
    gather(b, 1, 1, people);
    bench_source_id(id, 1);
    for (int i = 0; i < 3; i++)
        find_timed(b, "the first of all, looked for last", id);
    for (int i = 0; i < 3; i++)
        find_timed(b, "nobody", "nobody");
}

static void on_backup(void *ctx, struct store_backup *result)
{
    bench_note(ctx, result->failure);
}

static void measure_erase(struct bench *b, unsigned people, size_t turn)
{
    struct other other;

    bench_add_notice(b, 1);
    bench_add_notice(b, 2);
    gather(b, 1, 1, people);
    gather(b, 2, 1, people);
    other_start(&other, b, 2, turn);
    double start = now_s();
    store_backup(b->store, on_backup, b);
    bench_wait(b);
    bench_fine(b);
    printf("backup: %.1f s\n", now_s() - start);
    for (unsigned i = 1; i <= 5; i++) {
        unsigned char key[PERSON_KEY_SIZE];
        bench_key(key, people - i);
        store_erase(b->store, key, DUE_MS, bench_on_erased, b);
        bench_wait(b);
        bench_fine(b);
        run_for(b, 1);
    }
    other_stop(&other);
}

struct forgetting {
    struct bench *b;
    struct store_forget what;
    bool more;
};

static void on_forgotten(void *ctx, const struct store_forgotten *result)
{
    struct forgetting *f = ctx;

    f->more = result->more;
    f->what.place = result->place;
    bench_note(f->b, result->failure);
}

static void measure_forget(struct bench *b, unsigned people, size_t turn)
{
    struct other other;
    struct notice *n = bench_notice(1);
    struct forgetting f = {b, {.people_before_ms = 2, .reports_before_ms = 2}, true};
    size_t slices = 0;

    bench_add_notice(b, 2);
    bench_put(b, n);
    gather(b, 1, 1, people);
    gather(b, 2, 1, people);
    send_all(b, 1, 1, 2000, FATE_ACCEPTED, people, NULL);
    n->state = NOTICE_DONE;
    n->claimed = true;
    notice_course(n)->ended_at_ms = DUE_MS;
    n->at_ms = DUE_MS - 1;
    bench_put(b, n);
    notice_free(n);
    bench_sql(b, "UPDATE notice SET due_at = 1, at = 1, ended_at = 1 WHERE id = 1");
    other_start(&other, b, 2, turn);
    double start = now_s(), longest_ms = 0;
    do {
        double asked = now_s();
        store_forget(b->store, &f.what, on_forgotten, &f);
        bench_wait(b);
        bench_fine(b);
        if ((now_s() - asked) * 1000 > longest_ms)
            longest_ms = (now_s() - asked) * 1000;
        slices++;
    } while (f.more && now_s() - start < 30);
    printf("forgotten in %zu slices: %.1f s, longest slice %.1f ms\n", slices, now_s() - start, longest_ms);
    other_stop(&other);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "send";
    unsigned people = argc > 2 ? (unsigned)atoi(argv[2]) / (2 * PAGE) * (2 * PAGE) : 100000;
    size_t turn = argc > 3 ? (size_t)atoi(argv[3]) : 200;
    struct bench b;

    setvbuf(stdout, NULL, _IOLBF, 0);
    bench_init(&b);
    bench_open(&b);
    printf("anonymous %.1f MB\n", anonymous_mb());
    if (strcmp(what, "gather") == 0)
        measure_gather(&b, people, turn);
    else if (strcmp(what, "restart") == 0 || strcmp(what, "again") == 0)
        measure_restart(&b, people, turn, strcmp(what, "again") == 0);
    else if (strcmp(what, "retry") == 0)
        measure_retry(&b, people, turn);
    else if (strcmp(what, "erase") == 0)
        measure_erase(&b, people, turn);
    else if (strcmp(what, "find") == 0)
        measure_find(&b, people);
    else if (strcmp(what, "forget") == 0)
        measure_forget(&b, people, turn);
    else
        measure_send(&b, people, turn);
    bench_clear(&b);
    return 0;
}
