/* Commands about persons: the people of a notice, page by page, and what became of one of them. */
#include "cli_report.h"

#include <string.h>

static const char *const people_keys[] = {"address", "source", "state", "reason", "channel", "code", "text", "at"};
static const char *const people_headings[] = {"ADDRESS", "SOURCE", "STATE", "REASON", "CHANNEL", "CODE", "SAID", "AT"};
static const char *const states[] = {"waiting", "claimed", "accepted", "refused", "in_doubt", "withheld"};

/* Where the people go to: a table, JSON, or a file for a spreadsheet. */
struct people_out {
    const struct cli *cli;
    const struct zone *zone;
    struct cli_table table;
    bool begun;
    size_t count;
};

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

static void print_csv(const json_t *person)
{
    for (size_t i = 0; i < ARRAY_LEN(people_keys); i++) {
        bool last = i + 1 == ARRAY_LEN(people_keys);
        char number[24];
        if (cli_has_number(person, people_keys[i])) {
            snprintf(number, sizeof number, "%lld", cli_number(person, people_keys[i]));
            print_cell(number, last);
        } else {
            print_cell(cli_text(person, people_keys[i]), last);
        }
    }
}

static void add_row(struct people_out *out, const json_t *person)
{
    for (size_t i = 0; i < ARRAY_LEN(people_keys); i++)
        if (strcmp(people_keys[i], "at") == 0)
            table_add_moment(&out->table, cli_text(person, "at"), out->zone);
        else if (cli_has_number(person, people_keys[i]))
            table_add(&out->table, "%lld", cli_number(person, people_keys[i]));
        else
            table_add(&out->table, "%s", cli_text(person, people_keys[i]));
}

static void print_json(struct people_out *out, const json_t *person)
{
    fputs(out->count ? ",\n" : "[\n", stdout);
    json_dumpf(person, stdout, JSON_INDENT(2) | (isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0));
}

static void begin(struct people_out *out)
{
    table_init(&out->table, ARRAY_LEN(people_headings), people_headings);
    if (out->cli->csv)
        for (size_t i = 0; i < ARRAY_LEN(people_keys); i++)
            print_cell(people_keys[i], i + 1 == ARRAY_LEN(people_keys));
}

static void print_page(void *ctx, const json_t *page)
{
    struct people_out *out = ctx;
    json_t *shown = out->cli->json ? json_incref((json_t *)(uintptr_t)page) : json_visible(page), *person;
    size_t i;

    if (!out->begun)
        begin(out);
    out->begun = true;
    json_array_foreach(shown, i, person)
    {
        if (out->cli->json)
            print_json(out, person);
        else if (out->cli->csv)
            print_csv(person);
        else
            add_row(out, person);
        out->count++;
    }
    if (!out->cli->json && !out->cli->csv)
        table_print(&out->table, stdout);
    json_decref(shown);
}

static void end(struct people_out *out)
{
    if (out->cli->json)
        puts(out->count ? "\n]" : "[]");
    table_clear(&out->table);
}

/* "in doubt" is as good as "in_doubt". NULL, after saying so, for a word that is none. */
static const char *state_argument(const char *asked)
{
    char word[32];

    snprintf(word, sizeof word, "%s", asked);
    for (char *c = word; *c; c++)
        *c = *c == ' ' || *c == '-' ? '_' : *c;
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        if (strcmp(word, states[i]) == 0)
            return states[i];
    fputs("onsale people: --state is one of", stderr);
    for (size_t i = 0; i < ARRAY_LEN(states); i++)
        fprintf(stderr, "%s %s", i ? "," : "", states[i]);
    fputc('\n', stderr);
    return NULL;
}

int cli_people(const struct cli *cli)
{
    struct store_report what = {.kind = REPORT_PEOPLE};
    struct people_out out = {.cli = cli};
    struct client client;
    struct error err = {0};

    if (cli_notice_argument(cli, &what.notice) < 0 || (cli->state && !(what.state = state_argument(cli->state))))
        return EXIT_USAGE;
    if (client_open(&client, cli->config, &err) < 0)
        return EXIT_CONFIG;
    struct zone *zone = local_zone_load();
    out.zone = zone;
    int rc = client_list(&client, &what, print_page, &out, &err);
    if (rc == 0)
        end(&out);
    table_clear(&out.table);
    zone_free(zone);
    client_close(&client);
    return rc < 0 ? cli_fail(&err) : EXIT_FINE;
}

/* --- Why ------------------------------------------------------------------------------------------------------------
 */

static void print_suppressions(const json_t *list, const struct zone *zone)
{
    size_t i;
    json_t *row;

    json_array_foreach(list, i, row)
    {
        auto_buf struct buf at;
        buf_init(&at, 64);
        buf_add_local(&at, cli_text(row, "at"), zone);
        printf("suppressed since %s (%s)", at.ptr, cli_text(row, "reason"));
        if (*cli_text(row, "scope"))
            printf(", for audience %s", cli_text(row, "scope"));
        puts("");
    }
}

static void print_steps(const json_t *steps, const struct zone *zone)
{
    size_t i;
    json_t *step;

    json_array_foreach(steps, i, step)
    {
        const char *channel = cli_text(step, "channel");
        auto_buf struct buf at;
        buf_init(&at, 64);
        buf_add_local(&at, cli_text(step, "at"), zone);
        printf("  %s  %-*s", at.ptr, *channel ? 8 : 0, channel);
        if (cli_number(step, "attempt") > 1)
            printf(" attempt %lld:", cli_number(step, "attempt"));
        printf("%s%s\n", *channel ? " " : "", cli_text(step, "what"));
    }
}

static int print_why(const struct cli *cli, const json_t *answer, const struct zone *zone)
{
    const json_t *notices = json_object_get(answer, "notices");
    size_t i;
    json_t *notice;

    (void)cli;
    print_suppressions(json_object_get(answer, "suppressed"), zone);
    if (json_array_size(notices) == 0)
        printf("%s is in no notice: no audience has named this address, or nothing was gathered yet\n",
               cli_text(answer, "address"));
    json_array_foreach(notices, i, notice)
    {
        const char *reason = cli_text(notice, "reason");
        printf("%snotice %lld, %s for %s\n", i ? "\n" : "", cli_number(notice, "notice"), cli_text(notice, "rule"),
               cli_event(notice));
        printf("%s%s%s\n", cli_text(notice, "state"), *reason ? ": " : "", reason);
        print_steps(json_object_get(notice, "steps"), zone);
    }
    return EXIT_FINE;
}

int cli_why(const struct cli *cli)
{
    struct store_report what = {.kind = REPORT_WHY, .address = cli->argv[0], .event_id = cli->event};
    int rc = cli_check_address("ADDRESS", cli->argv[0]);

    if (rc == EXIT_FINE && cli->event && !text_is_utf8(text_of(cli->event))) {
        fputs("onsale why: --event is not UTF-8\n", stderr);
        rc = EXIT_USAGE;
    }
    return rc == EXIT_FINE ? cli_report(cli, &what, print_why) : rc;
}
