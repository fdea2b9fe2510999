/* Commands about persons: the people of a notice, page by page, and what became of one of them. */
#include "cli_rows.h"

#include <string.h>

static const struct cli_column columns[] = {
    {"address", "ADDRESS"},
    {"source", "SOURCE"},
    {"state", "STATE"},
    {"reason", "REASON", .least = 8, .spare = true},
    {"channel", "CHANNEL", .spare = true},
    {"code", "CODE", .spare = true},
    {"text", "SAID", .least = 8, .spare = true},
    {"at", "AT", .spare = true},
};
static const char *const states[] = {"waiting", "claimed", "accepted", "refused", "in_doubt", "withheld"};

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

    if (cli_notice_argument(cli, &what.notice) < 0 || (cli->state && !(what.state = state_argument(cli->state))))
        return EXIT_USAGE;
    return cli_print_rows(cli, &what, columns, ARRAY_LEN(columns));
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
    const char *who = *cli_text(answer, "address") ? cli_text(answer, "address") : cli_text(answer, "key");
    if (json_array_size(notices) == 0)
        printf("%s is in no notice: no audience has named this address, or nothing was gathered yet\n", who);
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

/* An address, or --key. */
static int whom(const struct cli *cli, struct store_report *what)
{
    if ((cli->argc == 1) == (cli->key != NULL)) {
        fputs(cli->key ? "onsale why: ADDRESS or --key HEX, not both\n"
                       : "onsale why: ADDRESS is missing, or --key HEX in its place\n",
              stderr);
        return EXIT_USAGE;
    }
    if (!cli->key) {
        what->address = cli->argv[0];
        return cli_check_address("ADDRESS", cli->argv[0]);
    }
    if (text_unhex(text_of(cli->key), what->key, sizeof what->key))
        return EXIT_FINE;
    fprintf(stderr, "onsale why: --key: expected %d hexadecimal digits\n", 2 * PERSON_KEY_SIZE);
    return EXIT_USAGE;
}

int cli_why(const struct cli *cli)
{
    struct store_report what = {.kind = REPORT_WHY, .event_id = cli->event};
    int rc = whom(cli, &what);

    if (rc == EXIT_FINE && cli->event && !text_is_utf8(text_of(cli->event))) {
        fputs("onsale why: --event is not UTF-8\n", stderr);
        rc = EXIT_USAGE;
    }
    return rc == EXIT_FINE ? cli_report(cli, &what, print_why) : rc;
}
