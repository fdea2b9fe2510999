/* cli_report.h - what the commands share that print an answer: asking for it, reading it, printing it as JSON. */
#ifndef ONSALE_CLI_REPORT_H
#define ONSALE_CLI_REPORT_H

#include "cli.h"
#include "cli_table.h"
#include "client.h"

/* `answer` cannot steer the terminal (json_visible). The exit code. */
typedef int cli_print_fn(const struct cli *cli, const json_t *answer, const struct zone *zone);

/* Asks once, and prints the whole answer by `print`, or with --json as it is. The exit code. */
int cli_report(const struct cli *cli, const struct store_report *what, cli_print_fn *print);
/* Asks a running daemon to do something, by POST; steals `body`. The exit code; *answer (may be NULL) is yours. */
int cli_ask(const struct cli *cli, const char *path, json_t *body, json_t **answer);
/* The positive number behind the command; -1 when it is none, and that was said. */
int cli_notice_argument(const struct cli *cli, int64_t *out);
/* Is it an address? Said, and EXIT_USAGE, when not. `which`: "ADDRESS", "--to". */
int cli_check_address(const char *which, const char *address);

const char *cli_text(const json_t *object, const char *key); /* "" when there is none */
long long cli_number(const json_t *object, const char *key); /* 0 when there is none */
bool cli_has_number(const json_t *object, const char *key);
/* The title of a notice's or an opening's event, else its id. */
const char *cli_event(const json_t *object);

#endif
