/* Other programs that are told: how their endpoints stand, a ping, and going on after a repair. */
#include "cli_report.h"

#include <string.h>

static int print_webhooks(const struct cli *cli, const json_t *answer, const struct zone *zone)
{
    static const char *const headings[] = {"NAME",     "STATE",  "WAITING",  "ACCEPTED", "DROPPED",
                                           "LAST TRY", "ANSWER", "NEXT TRY", "WHERE"};
    struct cli_table table;
    size_t i;
    json_t *row;

    (void)cli;
    table_init(&table, ARRAY_LEN(headings), headings);
    for (size_t column = 2; column < 5; column++)
        table_right(&table, column);
    table_spare(&table, 4);
    table_spare(&table, 7);
    table_cut(&table, 8, 12);
    table_narrow(&table, 2, "WAIT");
    table_narrow(&table, 3, "ACC.");
    table_narrow(&table, 4, "DROP");
    json_array_foreach(answer, i, row)
    {
        table_add(&table, "%s", cli_text(row, "name"));
        table_add(&table, "%s", cli_text(row, "state"));
        table_add(&table, "%lld", cli_number(row, "waiting"));
        table_add(&table, "%lld", cli_number(row, "accepted"));
        table_add(&table, "%lld", cli_number(row, "dropped"));
        table_add_moment(&table, cli_text(row, "tried_at"), zone);
        if (cli_number(row, "status") > 0)
            table_add(&table, "%lld", cli_number(row, "status"));
        else
            table_add(&table, "%s", *cli_text(row, "tried_at") ? "none" : "-");
        table_add_moment(&table, cli_text(row, "next_at"), zone);
        table_add(&table, "%s", cli_text(row, "place"));
    }
    table_end(&table, stdout);
    table_clear(&table);
    json_array_foreach(answer, i, row)
    {
        const char *why = cli_text(row, "disabled_why");
        if (*why)
            printf("%s is disabled: %s; when that is repaired: onsale webhooks enable %s\n", cli_text(row, "name"), why,
                   cli_text(row, "name"));
        else if (*cli_text(row, "said"))
            printf("%s: %s\n", cli_text(row, "name"), cli_text(row, "said"));
    }
    return EXIT_FINE;
}

static bool is_fine(const json_t *answer)
{
    return cli_number(answer, "status") >= 200 && cli_number(answer, "status") < 300;
}

static void print_ping(const char *name, const json_t *answer)
{
    json_t *shown = json_visible(answer);
    long long status = cli_number(shown, "status");

    if (!*cli_text(shown, "error"))
        fprintf(is_fine(answer) ? stdout : stderr, "%s answered %lld within %lld ms%s%s\n", name, status,
                cli_number(shown, "took_ms"), *cli_text(shown, "said") ? ": " : "", cli_text(shown, "said"));
    else
        fprintf(stderr, "%s gave no answer: %s\n", name, cli_text(shown, "error"));
    json_decref(shown);
}

static int test(const struct cli *cli, const char *name)
{
    json_t *answer = NULL;
    int rc = cli_ask(cli, "webhooks/test", json_pack("{s:s}", "name", name), &answer);

    if (rc != EXIT_FINE)
        return rc;
    if (cli->json)
        json_print(answer, stdout);
    else
        print_ping(name, answer);
    rc = is_fine(answer) ? EXIT_FINE : EXIT_FAILED;
    json_decref(answer);
    return rc;
}

static int enable(const struct cli *cli, const char *name)
{
    int rc = cli_ask(cli, "webhooks/enable", json_pack("{s:s}", "name", name), NULL);

    if (rc == EXIT_FINE)
        printf("webhook %s is enabled: what waits for it is told now, and \"onsale webhooks\" says how it goes\n",
               name);
    return rc;
}

int cli_webhooks(const struct cli *cli)
{
    const char *what = cli->argc ? cli->argv[0] : "", *name = cli->argc > 1 ? cli->argv[1] : "";

    if (!*what)
        return cli_report(cli, &(struct store_report){.kind = REPORT_WEBHOOKS}, print_webhooks);
    if (*name && strcmp(what, "test") == 0)
        return test(cli, name);
    if (*name && strcmp(what, "enable") == 0)
        return enable(cli, name);
    fputs("onsale webhooks: expected nothing, test NAME or enable NAME\n", stderr);
    return EXIT_USAGE;
}
