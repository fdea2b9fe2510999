/* cli.h - the commands: one table, each with its usage, its options and its help, from which `onsale help` and the man
 * page are made. */
#ifndef ONSALE_CLI_H
#define ONSALE_CLI_H

#include "text.h"

#include <stdio.h>

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 3 };

/* The command line, read. Options that a command does not list are refused before it runs. */
struct cli {
    const char *config;
    bool help, json, verbose, online, csv, anyway, force, in_doubt, this_is_the_one, skip_bad;
    const char *state, *event, *refused, *withheld, *notice, *subscriber, *to, *audience, *key, *language, *recipient,
        *from, *site;
    int argc; /* what follows the command's name, options taken out */
    char **argv;
};

struct cli_command {
    const char *name;
    const char *arguments; /* "NOTICE"; "[NOTICE]" when it may be absent; "" none */
    const char *options;   /* blank-separated: "json state=S !to=ADDRESS"; "!": it is required */
    const char *summary;   /* one line */
    const char *help;      /* paragraphs */
    int (*run)(const struct cli *cli);
    int arguments_max; /* 0: as many as `arguments` shows, one or none */
};
extern const struct cli_command cli_commands[]; /* ends with a NULL name */

int cli_main(int argc, char **argv);
/* Prints "onsale: TEXT" to stderr; the exit code that fits. */
int cli_fail(const struct error *err);
/* The man page's COMMANDS section, in scdoc(5). */
void cli_print_manual(FILE *out);

/* cli_report.c */
int cli_openings(const struct cli *cli);
int cli_notices(const struct cli *cli);
int cli_show(const struct cli *cli);
int cli_people(const struct cli *cli);
int cli_why(const struct cli *cli);
/* cli_privacy.c */
int cli_erase(const struct cli *cli);
int cli_export(const struct cli *cli);
int cli_audit(const struct cli *cli);
/* cli_suppressions.c */
int cli_suppressions(const struct cli *cli);
int cli_suppress_from(const struct cli *cli);
/* cli_webhooks.c */
int cli_webhooks(const struct cli *cli);
/* cli_feeds.c */
int cli_feeds(const struct cli *cli);
/* cli_watch.c */
int cli_watch(const struct cli *cli);
/* cli_control.c */
int cli_hold(const struct cli *cli);
int cli_release(const struct cli *cli);
int cli_cancel(const struct cli *cli);
int cli_again(const struct cli *cli);
int cli_retry(const struct cli *cli);
int cli_pause(const struct cli *cli);
int cli_resume(const struct cli *cli);
int cli_suppress(const struct cli *cli);
int cli_unsuppress(const struct cli *cli);
int cli_sync(const struct cli *cli);
int cli_send_test(const struct cli *cli);
/* cli_bounce.c */
int cli_bounce(const struct cli *cli);
/* cli_backup.c */
int cli_backup(const struct cli *cli);
/* cli_status.c */
int cli_status(const struct cli *cli);
/* cli_feed.c */
int cli_feed(const struct cli *cli);
/* cli_preview.c */
int cli_preview(const struct cli *cli);

#endif
