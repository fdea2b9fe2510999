/* `onsale show`: everything an operator needs to know about one notice. */
#include "cli_report.h"

#include <string.h>

enum { IDS_SHOWN = 3, EVIDENCE_SHOWN = 10 };

static void print_label(const char *label)
{
    printf("%-16s ", label);
}

static bool is_over(const char *rfc3339)
{
    int64_t at_ms;

    return moment_parse(text_of(rfc3339), &at_ms, NULL) == 0 && at_ms <= clock_now_ms(&clock_machine);
}

static void print_moment(const char *label, const json_t *object, const char *key, const struct zone *zone)
{
    auto_buf struct buf text = {0};

    if (!*cli_text(object, key))
        return;
    buf_init(&text, 64);
    buf_add_local(&text, cli_text(object, key), zone);
    print_label(label);
    puts(text.ptr);
}

/* Red: a person has to do something; green: it is over and went well. */
static void print_state(const json_t *notice)
{
    const char *state = cli_text(notice, "state"), *reason = cli_text(notice, "reason");
    bool bad = strcmp(state, "held") == 0 || strcmp(state, "missed") == 0, good = strcmp(state, "done") == 0;
    bool colour = colours_wanted(stdout) && (bad || good);

    print_label("state");
    printf("%s%s%s%s%s\n", colour ? bad ? "\033[31m" : "\033[32m" : "", state, *reason ? ": " : "", reason,
           colour ? "\033[0m" : "");
    if (*cli_text(notice, "reason_text")) {
        print_label("");
        puts(cli_text(notice, "reason_text"));
    }
}

static void print_pauses(const json_t *notice, const struct zone *zone)
{
    size_t i;
    json_t *pause;

    json_array_foreach(json_object_get(notice, "pauses"), i, pause)
    {
        const char *target = cli_text(pause, "target");
        auto_buf struct buf at;
        buf_init(&at, 64);
        buf_add_local(&at, cli_text(pause, "at"), zone);
        print_label("paused");
        if (text_starts(text_of(target), "notifier:"))
            printf("notifier %s", target + strlen("notifier:"));
        else
            fputs(*target ? "this notice" : "everything", stdout);
        printf(", by %s since %s\n", cli_text(pause, "who"), at.ptr);
    }
}

/* "notifier mail: waiting" and why, when it sends nothing at the moment */
static void print_notifier(const json_t *notifier)
{
    if (!*cli_text(notifier, "reason"))
        return;
    print_label("notifier");
    printf("%s: %s\n", cli_text(notifier, "name"), cli_text(notifier, "state"));
    print_label("");
    puts(cli_text(notifier, "reason"));
}

/* What was thought ahead, as long as that matters, and how it goes. */
static void print_outlook(const json_t *answer, const struct zone *zone)
{
    auto_buf struct buf at = {0};

    if (*cli_text(answer, "forecast") && !*cli_text(answer, "ended_at")) {
        print_label("forecast");
        printf("%s%s\n", json_is_false(json_object_get(answer, "fits")) ? "will not fit: " : "",
               cli_text(answer, "forecast"));
    }
    if (!cli_has_number(answer, "per_second"))
        return;
    print_label("now");
    printf("%lld a second", cli_number(answer, "per_second"));
    buf_init(&at, 64);
    if (*cli_text(answer, "ends_at")) {
        buf_add_local(&at, cli_text(answer, "ends_at"), zone);
        printf(", so it ends about %s", at.ptr);
    }
    puts("");
}

static void print_counts(const json_t *answer, const struct zone *zone)
{
    static const struct {
        const char *key, *label;
    } rows[] = {{"waiting", "waiting"},
                {"accepted", "accepted"},
                {"refused", "refused"},
                {"in_doubt", "in doubt"},
                {"withheld", "withheld"}};
    const json_t *counts = json_object_get(answer, "counts"), *again = json_object_get(answer, "again");
    long long planned = cli_number(counts, "planned");

    puts("");
    print_label("people");
    if (planned == 0 && cli_has_number(answer, "estimate"))
        printf("none gathered yet, about %lld expected\n", cli_number(answer, "estimate"));
    else if (planned == 0)
        puts("none gathered yet");
    else
        printf("%lld\n", planned);
    for (size_t i = 0; planned > 0 && i < ARRAY_LEN(rows); i++)
        printf("  %-14s %lld\n", rows[i].label, cli_number(counts, rows[i].key));
    if (cli_number(again, "people") > 0) {
        auto_buf struct buf at;
        buf_init(&at, 64);
        buf_add_local(&at, cli_text(again, "next_at"), zone);
        printf("  %-14s %lld of those waiting, the next %s%s\n", "tried again", cli_number(again, "people"),
               is_over(cli_text(again, "next_at")) ? "as soon as there is room, due since " : "at ", at.ptr);
    }
}

/* "12  refused 550 by mail: mailbox unknown" */
static void print_reasons(const json_t *reasons)
{
    size_t i;
    json_t *row;

    if (json_array_size(reasons) > 0)
        puts("\nreasons");
    json_array_foreach(reasons, i, row)
    {
        const char *reason = cli_text(row, "reason"), *channel = cli_text(row, "channel"),
                   *text = cli_text(row, "text");
        printf("  %8lld  %s", cli_number(row, "count"), cli_text(row, "state"));
        if (cli_has_number(row, "code"))
            printf(" %lld", cli_number(row, "code"));
        if (*channel && !*reason)
            printf(" by %s", channel);
        printf("%s%s%s%s\n", *reason ? ": " : "", reason, *text ? ": " : "", text);
    }
}

static void print_late(const json_t *answer)
{
    const json_t *late = json_object_get(answer, "percentiles_ms");

    if (!cli_has_number(answer, "late_ms"))
        return;
    print_label("late");
    printf("%lld ms", cli_number(answer, "late_ms"));
    if (cli_has_number(late, "median"))
        printf("; accepted: half within %lld ms of due, 99 of 100 within %lld ms, the last after %lld ms",
               cli_number(late, "median"), cli_number(late, "p99"), cli_number(late, "last"));
    puts("");
}

/* "hard 3, policy 1": what came back after it was accepted. */
static void print_feedback(const json_t *feedback)
{
    const char *kind, *separator = "";
    json_t *count, *kinds = (json_t *)(uintptr_t)feedback;
    json_int_t all = 0;

    json_object_foreach(kinds, kind, count) all += json_integer_value(count);
    if (all == 0)
        return;
    print_label("came back");
    json_object_foreach(kinds, kind, count)
    {
        if (json_integer_value(count) == 0)
            continue;
        printf("%s%s %lld", separator, kind, (long long)json_integer_value(count));
        separator = ", ";
    }
    puts("");
}

/* "2 of 3 accepted, the last at 2027-03-26 10:00:00 EET" */
static void print_seeds(const json_t *seeds, const struct zone *zone)
{
    const char *last = "";
    size_t i, accepted = 0;
    json_t *seed;

    if (json_array_size(seeds) == 0)
        return;
    json_array_foreach(seeds, i, seed) if (strcmp(cli_text(seed, "state"), "accepted") == 0)
    {
        accepted++;
        if (strcmp(cli_text(seed, "at"), last) > 0)
            last = cli_text(seed, "at");
    }
    print_label("our own eyes");
    printf("%zu of %zu accepted", accepted, json_array_size(seeds));
    if (*last) {
        auto_buf struct buf at;
        buf_init(&at, 64);
        buf_add_local(&at, last, zone);
        printf(", the last at %s", at.ptr);
    }
    puts("");
}

/* How the definitions stand with one word: "open: a, b, c and 9 more". */
static void add_word(struct buf *line, const json_t *definitions, const char *word)
{
    size_t count = 0;
    const char *id;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)definitions, id, value)
    {
        if (strcmp(json_string_value(value) ? json_string_value(value) : "", word) != 0)
            continue;
        if (count < IDS_SHOWN)
            buf_addf(line, "%s%s", count ? ", " : line->len ? "; " : "", count ? "" : word);
        if (count == 0)
            buf_adds(line, ": ");
        if (count < IDS_SHOWN)
            buf_adds(line, id);
        count++;
    }
    if (count > IDS_SHOWN)
        buf_addf(line, " and %zu more", count - IDS_SHOWN);
}

static void print_evidence(const json_t *row, const struct zone *zone)
{
    const json_t *said = json_object_get(row, "evidence"), *definitions = json_object_get(said, "definitions");
    auto_buf struct buf line, at;
    json_t *words = json_object(); /* each once, in the order they come */
    const char *key;
    json_t *value;

    buf_init(&line, 64 * 1024);
    buf_init(&at, 64);
    buf_add_local(&at, cli_text(row, "at"), zone);
    json_object_foreach((json_t *)(uintptr_t)definitions, key, value) if (json_is_string(value))
        json_object_set_new(words, json_string_value(value), json_true());
    json_object_foreach(words, key, value) add_word(&line, definitions, key);
    json_decref(words);
    if (cli_number(said, "clock_ahead_ms") > 1000)
        buf_addf(&line, "%sour clock is ahead by %lld ms", line.len ? "; " : "", cli_number(said, "clock_ahead_ms"));
    if (*cli_text(said, "failure"))
        buf_addf(&line, "%sno answer: %s", line.len ? "; " : "", cli_text(said, "failure"));
    printf("  %s  %s\n", at.ptr, line.len ? line.ptr : "nothing was asked");
}

static void print_gate(const json_t *gate, const struct zone *zone)
{
    size_t count = json_array_size(gate), first = count > EVIDENCE_SHOWN ? count - EVIDENCE_SHOWN : 0;

    if (count > 0)
        puts("\nwhat the source said at the gate");
    if (first > 0)
        printf("  (%zu earlier answers)\n", first);
    for (size_t i = first; i < count; i++)
        print_evidence(json_array_get(gate, i), zone);
}

static int print_show(const struct cli *cli, const json_t *answer, const struct zone *zone)
{
    static const struct {
        const char *key, *label;
    } moments[] = {{"opens_at", "sale"},
                   {"due_at", "due"},
                   {"gathered_at", "people read"},
                   {"released_at", "released"},
                   {"first_handover_at", "first hand-over"},
                   {"last_handover_at", "last hand-over"},
                   {"ended_at", "ended"}};

    (void)cli;
    print_label("notice");
    printf("%lld: %s at %s", cli_number(answer, "id"), cli_text(answer, "rule"), cli_text(answer, "site"));
    if (cli_number(answer, "edition") > 1)
        printf(", edition %lld", cli_number(answer, "edition"));
    puts("");
    print_label("event");
    puts(cli_event(answer));
    print_state(answer);
    print_pauses(answer, zone);
    print_notifier(json_object_get(answer, "notifier"));
    for (size_t i = 0; i < ARRAY_LEN(moments); i++)
        print_moment(moments[i].label, answer, moments[i].key, zone);
    print_late(answer);
    print_feedback(json_object_get(answer, "feedback"));
    print_seeds(json_object_get(answer, "seeds"), zone);
    print_outlook(answer, zone);
    print_counts(answer, zone);
    print_reasons(json_object_get(answer, "reasons"));
    print_gate(json_object_get(answer, "gate"), zone);
    return EXIT_FINE;
}

int cli_show(const struct cli *cli)
{
    struct store_report what = {.kind = REPORT_SHOW};

    return cli_notice_argument(cli, &what.notice) < 0 ? EXIT_USAGE : cli_report(cli, &what, print_show);
}
