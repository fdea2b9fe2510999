/* power_loss.c - the power fails at every place of a small launch. The launch is played once over a drive that
 * remembers every write, sync and rename; then, for each place in that record, the disk is built as a power cut there
 * would leave it, and the launch goes on from it to its end. Nobody is told twice, nobody is lost, and who may or may
 * not have been told is named, and few. Judged by the postman's notes and the bare tables of the state.
 *
 *     power-loss [--people N] [--seed N] [--only POSITION CUT]
 *
 * At the end the same with a drive that ignores syncs: that has to be found out. */
#include "drive.h"

#include "launch.h"
#include "stage.h"

#include <sqlite3.h>
#include <string.h>

enum {
    WINDOW = 3,
    LATENCY_MS = 70,
    DOUBT_MAX = 5, /* of each notifier, as in `config` */
    NOTICES = 2,
    DAMAGED_MAX = 60, /* cuts until ignored syncs have to be found out */
    STEP_MS = 50,     /* the record knows what time it was at most so badly */
    LETTERS_MAX = 2000,
    TIMES_MAX = 4096,
};

static const char erased[] = "fan9@example.org", left[] = "fan21@example.org", refused[] = "fan4@example.org",
                  late[] = "fan6@example.org", late_too[] = "fan17@example.org";

static const char config[] =
    "store: sqlite:FOLDER/onsale.db\n"
    "sender: {name: Arena, postal_address: \"Street 1\", contact: help@arena.example}\n"
    "sites:\n"
    "  - {name: arena, source: file, path: definitions.json, poll_every: 5m, time_zone: Europe/Vilnius}\n"
    "audiences:\n"
    "  - {name: fans, source: file, path: fans.csv}\n"
    "notifiers:\n"
    "  - {name: mail, plugin: desk, desk: DESK, from: Arena <tickets@arena.example>, doubt_max: 5}\n"
    "  - {name: post, plugin: desk, desk: DESK, from: Arena <tickets@arena.example>, doubt_max: 5}\n"
    "rules:\n"
    "  - {name: on-sale, when: sale_start, audiences: [fans], notify: [mail], template: on-sale, gather_ahead: 30s}\n"
    "  - {name: by-post, when: sale_start, audiences: [fans], notify: [post], template: on-sale, gather_ahead: 20s}\n";

struct letter {
    size_t position; /* of the record when it was handed over */
    int64_t notice, seq;
    bool taken;
};

struct power {
    struct stage stage;
    struct drive *drive;
    unsigned people;
    int64_t opens_at_ms;
    void (*take)(struct desk *, const struct notifier_host *, struct notifier_delivery *); /* the postman's */
    struct letter letters[LETTERS_MAX]; /* of the launch that was recorded, then of the one that goes on */
    size_t letter_count;
    size_t recorded; /* letters, and operations, of the first one */
    size_t end;
    struct {
        size_t position;
        int64_t now_ms;
    } times[TIMES_MAX];
    size_t time_count;
    size_t erased_at, left_at; /* positions from which it is acknowledged */
    char complaint[1024];      /* "": none yet */
    int64_t most_doubts;
};

static struct power *of_stage(struct postman *postman) /* the stage comes first in both */
{
    return (struct power *)((char *)postman - offsetof(struct stage, postman));
}

static void PRINTF_LIKE(2, 3) complain(struct power *power, const char *format, ...)
{
    va_list args;

    if (*power->complaint)
        return;
    va_start(args, format);
    vsnprintf(power->complaint, sizeof power->complaint, format, args);
    va_end(args);
}

static void check(struct power *power, int result, const struct error *err)
{
    if (result < 0)
        complain(power, "%s", err->text);
}

/* --- The launch --- */

static void take(struct desk *desk, const struct notifier_host *host, struct notifier_delivery *delivery)
{
    struct postman *postman = (struct postman *)desk;
    struct power *power = of_stage(postman);
    struct letter letter = {.position = drive_position(power->drive)};

    if (crypt_message_untoken(power->stage.tokens, text_of(delivery->token), &letter.notice, &letter.seq) < 0)
        complain(power, "a letter of no notice to %s", delivery->to);
    power->take(desk, host, delivery);
    letter.taken = postman->letters[postman->letter_count - 1].taken;
    if (power->letter_count == LETTERS_MAX)
        complain(power, "letters without end");
    else
        power->letters[power->letter_count++] = letter;
}

static void habits(struct postman *postman)
{
    struct notifier_result no = {.fate = NOTIFIER_REFUSED, .scope = NOTIFIER_ADDRESS, .code = 550, .text = "no"};
    struct notifier_result later = {.fate = NOTIFIER_TRY_LATER, .scope = NOTIFIER_ADDRESS, .code = 451, .text = "wait"};

    postman_be_kind(postman);
    postman->latency_ms = LATENCY_MS;
    postman->window = WINDOW;
    postman_habit(postman, refused, &no, -1);
    postman_habit(postman, late, &later, 2);
    postman_habit(postman, late_too, &later, 1);
}

static void set_the_scene(struct power *power)
{
    static const char *const names[] = {"onsale.db", "onsale.keys", "witness", NULL};
    struct stage *stage = &power->stage;
    struct error err = {0};
    char address[64];

    check(power, stage_init(stage, &err), &err);
    power->drive = drive_insert(stage->folder, names);
    power->take = stage->postman.desk.take;
    stage->postman.desk.take = take;
    stage->now_ms = civil_to_ms((struct civil){.year = 2027, .month = 3, .day = 26, .hour = 8});
    power->opens_at_ms = stage->now_ms + 2 * MINUTE_MS;
    buf_adds(&stage->script.whole, config);
    for (unsigned n = 1; n <= power->people; n++) {
        snprintf(address, sizeof address, "fan%u@example.org", n);
        shop_person(&stage->shop, "fans", address, "subscribed");
    }
    check(power, shop_write_people(&stage->shop, "fans", &err), &err);
    struct shop_definition *ticket = shop_definition(&stage->shop, "hall", stage->now_ms);
    ticket->starts_at_ms = power->opens_at_ms;
    shop_changed(ticket, stage->now_ms);
    check(power, shop_write_definitions(&stage->shop, &err), &err);
}

/* Somebody else has the log folded into the file every now and then, so that it begins anew again and again. */
static void fold_log(const struct power *power)
{
    char path[256];
    sqlite3 *db = NULL;

    snprintf(path, sizeof path, "%s/onsale.db", power->stage.folder);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK)
        sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    sqlite3_close(db);
}

static void until(struct power *power, int64_t to_ms, int64_t step_ms)
{
    struct stage *stage = &power->stage;

    for (unsigned n = 1; stage->now_ms < to_ms; n++) {
        stage_advance(stage, stage->now_ms + step_ms < to_ms ? stage->now_ms + step_ms : to_ms);
        if (n % 4 == 0)
            fold_log(power);
        if (power->time_count < TIMES_MAX) {
            power->times[power->time_count].position = drive_position(power->drive);
            power->times[power->time_count++].now_ms = stage->now_ms;
        }
    }
}

static void on_retried(void *ctx, int64_t count, const struct error *failure)
{
    if (failure || count != 1)
        complain(ctx, "retry: %s", failure ? failure->text : "not one person");
}

/* Who was refused can be reached again: as an operator tries them. */
static void retry(struct power *power)
{
    struct stage *stage = &power->stage;
    struct error err = {0};
    struct store_retry what = {
        .notice = 1, .fate = FATE_REFUSED, .code = 550, .channel = "mail", .now_ms = stage->now_ms};

    if (strcmp(stage->world.notices.at[0]->rule, "on-sale") != 0)
        what.channel = "post";
    postman_be_kind(&stage->postman);
    stage->postman.latency_ms = LATENCY_MS;
    check(power, launch_may_retry(stage->world.launches, 1, FATE_REFUSED, WITHHELD_NONE, &err), &err);
    store_retry(stage->world.store, &what, on_retried, power);
    stage_settle(stage);
    check(power, launch_retried(stage->world.launches, 1, FATE_REFUSED, 1, &err), &err);
}

static void record(struct power *power)
{
    struct stage *stage = &power->stage;
    struct error err = {0};

    drive_record(power->drive, true);
    habits(&stage->postman);
    check(power, stage_begin(stage, &err), &err);
    if (*power->complaint)
        return; /* there is no daemon */
    until(power, power->opens_at_ms - 35 * SECOND_MS, 5 * SECOND_MS);
    stage_end(stage, 0); /* an orderly stop and a start are part of it */
    check(power, stage_begin(stage, &err), &err);
    if (*power->complaint)
        return;
    until(power, power->opens_at_ms - STEP_MS, 5 * SECOND_MS);
    until(power, power->opens_at_ms + 6 * STEP_MS, STEP_MS);
    check(power, stage_suppress(stage, left, false, &err), &err);
    power->left_at = drive_position(power->drive);
    until(power, power->opens_at_ms + 9 * STEP_MS, STEP_MS);
    check(power, stage_erase(stage, erased, &err), &err);
    power->erased_at = drive_position(power->drive);
    until(power, power->opens_at_ms + 60 * STEP_MS, STEP_MS);
    until(power, power->opens_at_ms + 2 * MINUTE_MS, 5 * SECOND_MS);
    retry(power);
    until(power, stage->now_ms + 10 * STEP_MS, STEP_MS);
    stage_end(stage, 0);
    drive_record(power->drive, false);
    power->recorded = power->letter_count;
    power->end = drive_position(power->drive);
}

static int64_t time_at(const struct power *power, size_t position)
{
    for (size_t i = 0; i < power->time_count; i++)
        if (power->times[i].position >= position)
            return power->times[i].now_ms;
    return power->times[power->time_count - 1].now_ms;
}

/* --- Going on --- */

static void audit(struct power *power, const char *when)
{
    struct error err = {0};
    json_t *answer = store_report_now(power->stage.world.store, &(struct store_report){.kind = REPORT_AUDIT}, &err);
    auto_free char *text = answer ? json_dumps(json_object_get(answer, "problems"), JSON_COMPACT) : NULL;

    if (!answer)
        complain(power, "audit %s: %s", when, err.text);
    else if (json_array_size(json_object_get(answer, "problems")) > 0 || !text)
        complain(power, "audit %s: %s", when, text ? text : "no list of problems");
    json_decref(answer);
}

static void go_on(struct power *power, size_t position)
{
    struct stage *stage = &power->stage;
    struct error err = {0};

    habits(&stage->postman);
    stage->postman.letter_count = 0;
    *stage->postman.complaint = '\0';
    stage->now_ms = time_at(power, position) + SECOND_MS;
    if (stage_begin(stage, &err) < 0) {
        complain(power, "it does not open: %s", err.text);
        stage_end(stage, 0);
        return;
    }
    if (stage->world.copy)
        complain(power, "taken for a copy: %s", stage->world.copy);
    audit(power, "after the cut");
    stage_advance(stage, power->opens_at_ms + 10 * MINUTE_MS);
    audit(power, "at the end");
    stage_end(stage, 0);
    if (*stage->postman.complaint)
        complain(power, "%s", stage->postman.complaint);
}

/* --- Judging --- */

static sqlite3_stmt *ask(struct power *power, sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        complain(power, "%s: %s", sql, sqlite3_errmsg(db));
    return stmt;
}

static int64_t number(struct power *power, sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = ask(power, db, sql);
    int64_t out = stmt && sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;

    sqlite3_finalize(stmt);
    return out;
}

/* What one person got, and what the ledger says of them. */
static void judge_person(struct power *power, size_t position, int64_t notice, int64_t seq, enum fate fate)
{
    unsigned before = 0, after = 0;

    for (size_t i = 0; i < power->letter_count; i++) {
        const struct letter *letter = &power->letters[i];
        if (letter->notice != notice || letter->seq != seq || !letter->taken)
            continue;
        if (i < power->recorded)
            before += letter->position < position;
        else
            after++;
    }
    if (before + after > 1)
        complain(power, "notice %lld, person %lld was told %u times, %u of them before the cut", (long long)notice,
                 (long long)seq, before + after, before);
    if (before + after > 0 && fate != FATE_ACCEPTED && fate != FATE_IN_DOUBT)
        complain(power, "notice %lld, person %lld was told, and the ledger says %s", (long long)notice, (long long)seq,
                 fate_name(fate));
    if (before + after == 0 && fate == FATE_ACCEPTED)
        complain(power, "notice %lld, person %lld is accepted by the ledger and was never told", (long long)notice,
                 (long long)seq);
    if (fate != FATE_ACCEPTED && fate != FATE_IN_DOUBT && fate != FATE_REFUSED && fate != FATE_WITHHELD)
        complain(power, "notice %lld, person %lld is lost: %s", (long long)notice, (long long)seq, fate_name(fate));
}

static void judge_people(struct power *power, sqlite3 *db, size_t position, int64_t notice)
{
    sqlite3_stmt *stmt = ask(power, db,
                             "SELECT t.seq, (SELECT fate FROM fate f WHERE f.notice = n.id AND f.seq = t.seq ORDER BY"
                             " step DESC LIMIT 1) FROM notice n JOIN told t ON t.roll = n.roll WHERE n.id = ?1");
    int64_t doubts = 0, withheld = 0, people = 0;

    sqlite3_bind_int64(stmt, 1, notice);
    while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
        enum fate fate = (enum fate)sqlite3_column_int(stmt, 1);
        judge_person(power, position, notice, sqlite3_column_int64(stmt, 0), fate);
        doubts += fate == FATE_IN_DOUBT;
        withheld += fate == FATE_WITHHELD;
        people++;
    }
    sqlite3_finalize(stmt);
    if (doubts > DOUBT_MAX)
        complain(power, "notice %lld: %lld in doubt", (long long)notice, (long long)doubts);
    if (doubts > power->most_doubts)
        power->most_doubts = doubts;
    if (withheld > 2)
        complain(power, "notice %lld: %lld withheld, and two may be", (long long)notice, (long long)withheld);
    if (people < power->people - 1)
        complain(power, "notice %lld: %lld people of %u", (long long)notice, (long long)people, power->people);
}

static void judge(struct power *power, size_t position)
{
    char path[256];
    sqlite3 *db = NULL;

    snprintf(path, sizeof path, "%s/onsale.db", power->stage.folder);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, "unix") != SQLITE_OK)
        complain(power, "%s: %s", path, sqlite3_errmsg(db));
    if (number(power, db, "SELECT count(*) FROM notice") != NOTICES ||
        number(power, db, "SELECT count(*) FROM notice WHERE state <> 5") != 0) /* done */
        complain(power, "%lld notices, not done %lld", (long long)number(power, db, "SELECT count(*) FROM notice"),
                 (long long)number(power, db, "SELECT count(*) FROM notice WHERE state <> 5"));
    if (number(power, db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'") != 0)
        complain(power, "the file is damaged");
    for (int64_t notice = 1; notice <= NOTICES; notice++)
        judge_people(power, db, position, notice);
    if (position >= power->left_at &&
        number(power, db, "SELECT count(*) FROM suppression WHERE reason = 'operator'") != 1)
        complain(power, "somebody left, was told so, and it is forgotten");
    if (position >= power->erased_at &&
        number(power, db, "SELECT count(*) FROM suppression WHERE reason = 'erased'") != 1)
        complain(power, "somebody was erased, was told so, and it is forgotten");
    sqlite3_close(db);
}

/* --- The cuts --- */

static const char *const cut_names[DRIVE_CUTS] = {"written", "dropped", "torn"};

/* A disk that was tried already, with the same letters and the same time, says nothing new. */
struct tried {
    uint64_t *at;
    size_t count;
};

static bool is_new(struct tried *tried, uint64_t what)
{
    for (size_t i = 0; i < tried->count; i++)
        if (tried->at[i] == what)
            return false;
    tried->at = must_realloc(tried->at, (tried->count + 1) * sizeof *tried->at);
    tried->at[tried->count++] = what;
    return true;
}

static bool try_cut(struct power *power, struct tried *tried, size_t position, enum drive_cut cut, uint64_t seed)
{
    uint64_t what = drive_build(power->drive, position, cut, seed);

    for (size_t i = 0; i < power->recorded; i++)
        what += power->letters[i].position < position;
    if (!is_new(tried, what))
        return false;
    power->letter_count = power->recorded;
    go_on(power, position);
    if (!*power->complaint)
        judge(power, position);
    return true;
}

static unsigned try_all(struct power *power, enum drive_cut cut, uint64_t seed)
{
    struct tried tried = {0};
    unsigned cuts = 0;

    for (size_t position = 0; position <= power->end && !*power->complaint; position++) {
        cuts += try_cut(power, &tried, position, cut, seed);
        if (*power->complaint)
            fprintf(stderr, "# again with: --people %u --seed %llu --only %zu %s\n", power->people,
                    (unsigned long long)seed, position, cut_names[cut]);
    }
    free(tried.at);
    return cuts;
}

static void begin(struct power *power, unsigned people, bool ignore_sync)
{
    *power = (struct power){.people = people};
    set_the_scene(power);
    drive_ignore_sync(power->drive, ignore_sync);
    record(power);
}

static void end(struct power *power)
{
    stage_clear(&power->stage);
    drive_remove(power->drive);
}

static bool say(unsigned n, const char *name, const char *complaint)
{
    printf("%sok %u - %s\n", *complaint ? "not " : "", n, name);
    if (*complaint)
        printf("# %s\n", complaint);
    fflush(stdout);
    return !*complaint;
}

static bool cut_everywhere(unsigned people, uint64_t seed)
{
    struct power power;
    char name[160];
    bool fine = true;

    begin(&power, people, false);
    if (!*power.complaint)
        judge(&power, power.end); /* as it stands without any cut */
    fine = say(1, "a launch without a cut", power.complaint);
    for (enum drive_cut cut = 0; cut < DRIVE_CUTS; cut++) {
        unsigned cuts = fine ? try_all(&power, cut, seed) : 0;
        snprintf(name, sizeof name,
                 "cut with what is not synced %s: %u different disks of %zu operations, at most %lld "
                 "in doubt",
                 cut_names[cut], cuts, power.end, (long long)power.most_doubts);
        fine = say(2 + cut, name, cuts < 10 && fine && !*power.complaint ? "too few cuts" : power.complaint) && fine;
    }
    end(&power);
    return fine;
}

/* The test of the test: with a disk for which sync means nothing somebody is lost or told twice, and it is seen. */
static bool ignored_syncs_are_found_out(unsigned n, enum drive_cut cut, unsigned people, uint64_t seed)
{
    struct power power;
    struct tried tried = {0};
    char name[1200];

    begin(&power, people, true);
    bool begun = !*power.complaint;
    for (size_t i = 0; i < DAMAGED_MAX && !*power.complaint; i++) /* while it sends, from the end */
        try_cut(&power, &tried, power.end - power.end * i / (2 * DAMAGED_MAX), cut, seed + i);
    free(tried.at);
    snprintf(name, sizeof name, "syncs that are ignored are found out, %s: %s", cut_names[cut], power.complaint);
    end(&power);
    return say(n, name, !begun ? "there is no launch" : *power.complaint ? "" : "nothing was found");
}

static int only(unsigned people, uint64_t seed, size_t position, const char *word)
{
    struct power power;
    struct tried tried = {0};

    begin(&power, people, false);
    for (enum drive_cut cut = 0; cut < DRIVE_CUTS; cut++)
        if (strcmp(word, cut_names[cut]) == 0)
            try_cut(&power, &tried, position, cut, seed);
    bool fine = say(1, word, power.complaint);
    free(tried.at);
    end(&power);
    return fine ? 0 : 1;
}

int main(int argc, char **argv)
{
    uint64_t seed = crypt_random_u64() % 1000000;
    unsigned people = 22;

    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--people") == 0 && i + 1 < argc)
            people = (unsigned)strtoul(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            seed = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--only") == 0 && i + 2 < argc)
            return only(people, seed, strtoull(argv[i + 1], NULL, 10), argv[i + 2]);
    printf("1..6\n# again with: --people %u --seed %llu\n", people, (unsigned long long)seed);
    bool fine = cut_everywhere(people, seed);
    fine = ignored_syncs_are_found_out(5, DRIVE_DROPPED, people, seed) && fine;
    return ignored_syncs_are_found_out(6, DRIVE_TORN, people, seed) && fine ? 0 : 1;
}
