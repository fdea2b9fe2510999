/* Commands that tell what is planned and what happened. */
#include "cli.h"
#include "cli_table.h"
#include "client.h"

#include <string.h>

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static long long number_at(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

typedef int print_fn(const struct cli *cli, const json_t *answer, const struct zone *zone);

static int report(const struct cli *cli, const struct store_report *what, print_fn *print)
{
    struct client client;
    struct error err = {0};
    json_t *answer = NULL;

    if (client_open(&client, cli->config, &err) < 0)
        return EXIT_CONFIG;
    int rc = client_report(&client, what, &answer, &err);
    client_close(&client);
    if (rc < 0)
        return cli_fail(&err);
    struct zone *zone = local_zone_load();
    if (cli->json) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
        rc = what->kind == REPORT_AUDIT && json_array_size(json_object_get(answer, "problems")) > 0;
    } else {
        rc = print(cli, answer, zone);
    }
    zone_free(zone);
    json_decref(answer);
    return rc;
}

static int notice_argument(const struct cli *cli, int64_t *out)
{
    struct error err = {0};

    if (parse_i64(text_of(cli->argv[0]), 1, INT64_MAX, out, &err) == 0)
        return 0;
    error_at(&err, "NOTICE");
    cli_fail(&err);
    return -1;
}

static int print_openings(const struct cli *cli, const json_t *answer, const struct zone *zone)
{
    static const char *const headings[] = {"OPENS", "STATE", "EVENT", "TICKETS", "NOTICES", "PEOPLE"};
    struct cli_table table;
    size_t i, k;
    json_t *opening, *item;

    (void)cli;
    table_init(&table, ARRAY_LEN(headings), headings);
    table_right(&table, 5);
    json_array_foreach(answer, i, opening)
    {
        auto_buf struct buf tickets, notices;
        buf_init(&tickets, 4096);
        buf_init(&notices, 4096);
        json_array_foreach(json_object_get(opening, "definitions"), k, item)
            buf_addf(&tickets, "%s%s", k ? ", " : "", text_at(item, "name"));
        json_array_foreach(json_object_get(opening, "notices"), k, item)
            buf_addf(&notices, "%s%lld", k ? " " : "", (long long)json_integer_value(item));
        table_add_moment(&table, text_at(opening, "opens_at"), zone);
        table_add(&table, "%s", text_at(opening, "state"));
        table_add(&table, "%s", text_at(opening, "event_title"));
        table_add(&table, "%s", tickets.len ? tickets.ptr : "-");
        table_add(&table, "%s", notices.len ? notices.ptr : "-");
        if (json_is_integer(json_object_get(opening, "estimate")))
            table_add(&table, "%lld", number_at(opening, "estimate"));
        else
            table_add(&table, "-");
    }
    table_print(&table, stdout);
    table_clear(&table);
    return EXIT_FINE;
}

int cli_openings(const struct cli *cli)
{
    return report(cli, &(struct store_report){.kind = REPORT_OPENINGS}, print_openings);
}

static void add_state(struct cli_table *table, const json_t *notice)
{
    const char *reason = text_at(notice, "reason");

    table_add(table, "%s%s%s%s%s", text_at(notice, "state"), *reason ? " (" : "", reason, *reason ? ")" : "",
              json_is_true(json_object_get(notice, "paused")) ? ", paused" : "");
}

static int print_notices(const struct cli *cli, const json_t *answer, const struct zone *zone)
{
    static const char *const headings[] = {"ID",     "DUE",      "RULE",    "EVENT",    "STATE",
                                           "PEOPLE", "ACCEPTED", "REFUSED", "IN DOUBT", "WITHHELD"};
    static const char *const counts[] = {"accepted", "refused", "in_doubt", "withheld"};
    struct cli_table table;
    size_t i;
    json_t *notice;

    (void)cli;
    table_init(&table, ARRAY_LEN(headings), headings);
    for (size_t k = 5; k < ARRAY_LEN(headings); k++)
        table_right(&table, k);
    table_right(&table, 0);
    json_array_foreach(answer, i, notice)
    {
        const json_t *mine = json_object_get(notice, "counts");
        const char *title = text_at(notice, "event_title");
        table_add(&table, "%lld", number_at(notice, "id"));
        table_add_moment(&table, text_at(notice, "due_at"), zone);
        table_add(&table, "%s", text_at(notice, "rule"));
        table_add(&table, "%s", *title ? title : text_at(notice, "event_id"));
        add_state(&table, notice);
        if (number_at(mine, "planned") == 0 && json_is_integer(json_object_get(notice, "estimate")))
            table_add(&table, "~%lld", number_at(notice, "estimate"));
        else
            table_add(&table, "%lld", number_at(mine, "planned"));
        for (size_t k = 0; k < ARRAY_LEN(counts); k++)
            table_add(&table, "%lld", number_at(mine, counts[k]));
    }
    table_print(&table, stdout);
    table_clear(&table);
    return EXIT_FINE;
}

int cli_notices(const struct cli *cli)
{
    return report(cli, &(struct store_report){.kind = REPORT_NOTICES}, print_notices);
}

static void print_moment(const char *label, const json_t *object, const char *key, const struct zone *zone)
{
    auto_buf struct buf text = {0};

    if (!*text_at(object, key))
        return;
    buf_init(&text, 64);
    buf_add_local(&text, text_at(object, key), zone);
    printf("%-16s %s\n", label, text.ptr);
}

/* Any flat object as "key value" lines; what is nested is printed compactly. */
static void print_values(const char *heading, const json_t *object)
{
    const char *key;
    json_t *value;

    if (json_object_size(object) == 0)
        return;
    printf("\n%s\n", heading);
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        auto_free char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        if (json_is_string(value))
            printf("  %-14s %s\n", key, json_string_value(value));
        else
            printf("  %-14s %s\n", key, text ? text : "");
    }
}

static int print_show(const struct cli *cli, const json_t *answer, const struct zone *zone)
{
    static const char *const keys[] = {"planned", "waiting", "accepted", "refused", "in_doubt", "withheld"};
    const json_t *counts = json_object_get(answer, "counts");

    (void)cli;
    printf("notice %lld      %s at %s\n", number_at(answer, "id"), text_at(answer, "rule"), text_at(answer, "site"));
    printf("%-16s %s\n", "event",
           *text_at(answer, "event_title") ? text_at(answer, "event_title") : text_at(answer, "event_id"));
    printf("%-16s %s%s%s\n", "state", text_at(answer, "state"), *text_at(answer, "reason") ? ": " : "",
           text_at(answer, "reason"));
    if (*text_at(answer, "reason_text"))
        printf("%-16s %s\n", "", text_at(answer, "reason_text"));
    print_moment("opens", answer, "opens_at", zone);
    print_moment("due", answer, "due_at", zone);
    print_moment("first hand-over", answer, "first_handover_at", zone);
    print_moment("last hand-over", answer, "last_handover_at", zone);
    if (json_is_integer(json_object_get(answer, "late_ms")))
        printf("%-16s %lld ms\n", "late", number_at(answer, "late_ms"));
    puts("\npeople");
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        printf("  %-14s %lld\n", keys[i], number_at(counts, keys[i]));
    print_values("reasons", json_object_get(answer, "reasons"));
    print_values("hand-over after due, ms", json_object_get(answer, "percentiles_ms"));
    print_values("gate", json_object_get(answer, "gate"));
    return EXIT_FINE;
}

int cli_show(const struct cli *cli)
{
    struct store_report what = {.kind = REPORT_SHOW};

    return notice_argument(cli, &what.notice) < 0 ? EXIT_USAGE : report(cli, &what, print_show);
}

/* RFC 4180; a cell that a spreadsheet would take for a formula is defused. */
static void print_cell(const char *cell, bool last)
{
    putchar('"');
    if (*cell && strchr("=+-@\t\r", *cell))
        putchar('\'');
    for (; *cell; cell++) {
        if (*cell == '"')
            putchar('"');
        putchar(*cell);
    }
    fputs(last ? "\"\r\n" : "\",", stdout);
}

static int print_people(const struct cli *cli, const json_t *answer, const struct zone *zone)
{
    static const char *const keys[] = {"address", "source", "state", "reason", "channel", "text", "at"};
    static const char *const headings[] = {"ADDRESS", "SOURCE", "STATE", "REASON", "CHANNEL", "SAID", "AT"};
    struct cli_table table;
    size_t i;
    json_t *person;

    if (cli->csv)
        for (size_t k = 0; k < ARRAY_LEN(keys); k++)
            print_cell(keys[k], k + 1 == ARRAY_LEN(keys));
    table_init(&table, ARRAY_LEN(headings), headings);
    json_array_foreach(json_is_array(answer) ? answer : json_object_get(answer, "people"), i, person)
    {
        for (size_t k = 0; k < ARRAY_LEN(keys); k++)
            if (cli->csv)
                print_cell(text_at(person, keys[k]), k + 1 == ARRAY_LEN(keys));
            else if (strcmp(keys[k], "at") == 0)
                table_add_moment(&table, text_at(person, "at"), zone);
            else
                table_add(&table, "%s", text_at(person, keys[k]));
    }
    if (!cli->csv)
        table_print(&table, stdout);
    table_clear(&table);
    return EXIT_FINE;
}

int cli_people(const struct cli *cli)
{
    struct store_report what = {.kind = REPORT_PEOPLE, .state = cli->state};

    return notice_argument(cli, &what.notice) < 0 ? EXIT_USAGE : report(cli, &what, print_people);
}

static int print_why(const struct cli *cli, const json_t *answer, const struct zone *zone)
{
    size_t i, k;
    json_t *notice, *step;

    if (json_array_size(json_object_get(answer, "notices")) == 0)
        printf("%s is in no notice: no audience has named this address, or nothing was gathered yet\n", cli->argv[0]);
    json_array_foreach(json_object_get(answer, "notices"), i, notice)
    {
        printf("%snotice %lld: %s%s%s\n", i ? "\n" : "", number_at(notice, "notice"), text_at(notice, "state"),
               *text_at(notice, "reason") ? ": " : "", text_at(notice, "reason"));
        json_array_foreach(json_object_get(notice, "steps"), k, step)
        {
            auto_buf struct buf at;
            buf_init(&at, 64);
            buf_add_local(&at, text_at(step, "at"), zone);
            printf("  %s  %s%s%s", at.ptr, text_at(step, "what"), *text_at(step, "channel") ? " by " : "",
                   text_at(step, "channel"));
            if (number_at(step, "attempt") > 1)
                printf(", attempt %lld", number_at(step, "attempt"));
            putchar('\n');
        }
    }
    return EXIT_FINE;
}

int cli_why(const struct cli *cli)
{
    return report(cli, &(struct store_report){.kind = REPORT_WHY, .address = cli->argv[0], .event_id = cli->event},
                  print_why);
}

static int print_audit(const struct cli *cli, const json_t *answer, const struct zone *zone)
{
    const json_t *problems = json_object_get(answer, "problems");
    size_t i;
    json_t *problem;

    (void)cli;
    (void)zone;
    print_values("checked", json_object_get(answer, "checked"));
    json_array_foreach(problems, i, problem) printf("%s%s\n", i ? "" : "\nproblems\n", json_string_value(problem));
    puts(json_array_size(problems) ? "" : "\nno problems");
    return json_array_size(problems) ? EXIT_FAILED : EXIT_FINE;
}

int cli_audit(const struct cli *cli)
{
    return report(cli, &(struct store_report){.kind = REPORT_AUDIT}, print_audit);
}
