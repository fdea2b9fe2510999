/* Commands for what one person may ask for: everything that is held about them, and to be forgotten. */
#include "cli_report.h"

static int print_export(const struct cli *cli, const json_t *answer, const struct zone *zone)
{
    (void)cli;
    (void)zone;
    json_print(answer, stdout);
    return EXIT_FINE;
}

int cli_export(const struct cli *cli)
{
    struct store_report what = {.kind = REPORT_EXPORT, .address = cli->argv[0]};
    int rc = cli_check_address("ADDRESS", cli->argv[0]);

    return rc == EXIT_FINE ? cli_report(cli, &what, print_export) : rc;
}

/* --- Erase ---------------------------------------------------------------------------------------------------------
 */

static void print_count(long long count, const char *one, const char *many, const char *rest)
{
    if (count)
        printf("%lld %s %s.\n", count, count == 1 ? one : many, rest);
}

static void print_erased(const json_t *answer)
{
    const json_t *line;
    size_t i;

    if (!json_is_true(json_object_get(answer, "known")))
        puts("Nothing was known of this address. From now on it is kept out: no reading of an audience brings it in.");
    else
        puts(
            "Forgotten: the address, the name and all that sources said are gone, and no reading of an audience brings "
            "them back.");
    print_count(cli_number(answer, "notices"), "notice", "notices",
                "had them on the list; what became of them is kept "
                "under a hash");
    print_count(cli_number(answer, "withheld"), "notice", "notices", "would still have told them, and will not");
    print_count(cli_number(answer, "in_flight"), "message", "messages",
                "cannot be stopped any more: in flight right now");
    print_count(cli_number(answer, "writebacks"), "unsubscribe", "unsubscribes",
                "that a marketing tool had not heard of "
                "yet will not be told to it");
    puts("Out of reach, and yours to deal with:");
    json_array_foreach(json_object_get(answer, "cannot_reach"), i, line) printf("  %s\n", json_string_value(line));
}

int cli_erase(const struct cli *cli)
{
    json_t *answer = NULL;
    int rc = cli_check_address("ADDRESS", cli->argv[0]);

    if (rc == EXIT_FINE)
        rc = cli_ask(cli, "erase", json_pack("{s:s}", "address", cli->argv[0]), &answer);
    if (rc == EXIT_FINE && cli->json) {
        json_print(answer, stdout);
    } else if (rc == EXIT_FINE) {
        json_t *shown = json_visible(answer);
        print_erased(shown);
        json_decref(shown);
    }
    json_decref(answer);
    return rc;
}
