#include "cli.h"

#include "build-config.h"
#include "check.h"
#include "daemon.h"

#include <ctype.h>
#include <string.h>

static int cli_run(const struct cli *cli);
static int cli_check(const struct cli *cli);
static int cli_help(const struct cli *cli);
static int cli_version(const struct cli *cli);

const struct cli_command cli_commands[] = {
    {"run", "", "verbose", "the daemon, in the foreground",
     "Watches the sites, plans, gathers and sends until SIGTERM, which finishes what is in flight within stop_grace. "
     "SIGHUP reads the configuration again; a file with mistakes changes nothing. Logs go to stderr, one line of "
     "key=value per event.",
     cli_run},
    {"check", "", "online", "checks the configuration and says what was understood",
     "Reads the file, compiles every template against sample values, opens every plugin, and prints the rules as "
     "sentences to proof-read. Mistakes and warnings name the line: what is not there, secrets that everybody can "
     "read. With --online every service is reached: the sites, the audiences (how many people each "
     "rule reaches), the notifiers, and SPF and DMARC of the From domains.",
     cli_check},
    {"status", "", "json", "is the daemon well? What is wrong, in sentences",
     "Says how the running daemon stands: its sites, its notifiers, its store, what is held or paused, who is put off "
     "by "
     "their own mail server, and what of the configuration waits for a restart. Exit 0 when a "
     "launch would go well right now (what /readyz answers), 1 when not or when no daemon runs.",
     cli_status},
    {"openings", "", "json", "the sale openings that are known", "Every opening with its tickets and notices.",
     cli_openings},
    {"feed", "", "site=SITE event=ID", "the calendar of sale openings, as it is served",
     "Writes iCalendar to standard output: of the site (which may be left out where there is one), or of one of its "
     "events. The bytes are those of /feeds/SITE.ics and /feeds/SITE/EVENT.ics.",
     cli_feed},
    {"notices", "", "json", "what is planned, under way and done",
     "One line for each notice: its rule, its event, when it is due, its state, and the people of it. \"put off\" are "
     "those "
     "whose own mail servers asked to come again later. On a terminal that is too narrow titles are cut; `| cat` and "
     "--json show the whole.",
     cli_notices},
    {"show", "NOTICE", "json", "one notice: counts, reasons, the gate's evidence, how late",
     "Everything about one notice, by the number that `onsale notices` lists.", cli_show},
    {"watch", "[NOTICE]", "json", "what happens, as it happens",
     "Follows one notice until it has ended (exit 0 when it is done, 1 when it was missed, withdrawn or cancelled), or "
     "without a number everything, until Ctrl-C. A restart of the daemon is waited for. With --json each event is a "
     "line.",
     cli_watch},
    {"people", "NOTICE", "json state=STATE csv", "the people of a notice and what became of each",
     "STATE is one of waiting, claimed, accepted, refused, in_doubt, withheld. --csv writes a file for a spreadsheet.",
     cli_people},
    {"why", "[ADDRESS]", "json event=ID key=HEX", "why somebody was told, or not",
     "The fate of one person in every notice, with each step and its time; also of somebody who was erased. --key asks "
     "by the hash that is left of them.",
     cli_why},
    {"preview", "RULE", "notice=N subscriber=ADDRESS language=LANGUAGE", "the exact message as it would leave",
     "Writes the message's bytes to standard output: for a sample event, or for a notice; as a sample subscriber, or "
     "as "
     "one who was gathered for that notice.",
     cli_preview},
    {"send-test", "RULE", "!to=ADDRESS", "sends one real message, marked as a test",
     "Goes through the running daemon's notifier to one address, outside the ledger.", cli_send_test},
    {"hold", "NOTICE", "", "stops a notice until it is released", "What is in flight comes home; nobody is lost.",
     cli_hold},
    {"release", "NOTICE", "anyway", "lets a held notice go on, through its gate",
     "--anyway sends although its people were told of another moment before, or although it is later than catch_up "
     "allows.",
     cli_release},
    {"cancel", "NOTICE", "", "ends a notice for good",
     "Whoever was not told is withheld. It stays cancelled, whatever the site says later.", cli_cancel},
    {"again", "NOTICE", "anyway", "tells everybody of an ended notice once more",
     "Makes a new edition with a new reading of the audience. Asks first; --anyway does not.", cli_again},
    {"retry", "NOTICE", "refused=CODE in-doubt withheld=REASON", "tries chosen people of a notice again",
     "After a repair: those refused with a code (0: any), those in doubt, or those withheld for a reason that `onsale "
     "show` lists.",
     cli_retry},
    {"pause", "[NOTICE or NOTIFIER]", "", "stops sending within a second: everything, one notice or one notifier",
     "The pause is stored: it outlives a restart. Says of each notice that it stopped how many are accepted, in flight "
     "(handed "
     "to the notifier, which has not answered) and waiting; it waits up to a second for what is in flight.",
     cli_pause},
    {"resume", "[NOTICE or NOTIFIER]", "this-is-the-one", "goes on after a pause",
     "Without a name every pause is lifted. A notifier that rests or waits for a repair is tried at once when it is "
     "named. "
     "--this-is-the-one says that this state is not a copy: it may send.",
     cli_resume},
    {"suppressions", "", "json csv", "who is not written to, and since when",
     "The newest first. --csv writes a file that `onsale suppress --from` reads, on another store as well; the keys in "
     "it "
     "are good with the same onsale.keys.",
     cli_suppressions},
    {"suppress", "[ADDRESS]", "audience=NAME from=FILE skip-bad", "never write to somebody again",
     "Counts from the next claim on, also for notices already gathered. With --audience only for that audience. --from "
     "reads a CSV (`-` reads standard input) whose first line names its columns: address (or email) or key, and if you "
     "like scope (an audience), reason and at. Nothing is imported when any line is bad; --skip-bad takes the others. "
     "What was suppressed before keeps its date and reason.",
     cli_suppress},
    {"unsuppress", "ADDRESS", "audience=NAME", "takes a suppression back",
     "The marketing tool's own word still counts.", cli_unsuppress},
    {"bounce", "", "recipient=ADDRESS", "reads a message that came back, for the mail server to pipe",
     "Takes a whole message on standard input and finds out whom it is about: by the address it was sent to "
     "(--recipient, else ORIGINAL_RECIPIENT, RECIPIENT and EXTENSION of the environment), and by what it holds. "
     "Whoever cannot be reached any more, or complains, is suppressed; what was refused for policy is counted alone. "
     "Exit: 0 done, or no bounce; 65 nothing on standard input; 75 try again later: the daemon does not answer; 77 no "
     "permission for its socket.",
     cli_bounce},
    {"erase", "ADDRESS", "json", "forgets somebody",
     "Address, name and all that sources said of them go from every notice at once; on the disk they are overwritten "
     "right after that, or when a backup that is under way has ended. Who still waited is withheld. What became of "
     "them stays under a hash, and so does a suppression, lest the next reading of an audience brings them back. Says "
     "what it cannot reach. Needs the running daemon.",
     cli_erase},
    {"export", "ADDRESS", "", "all that is held about somebody, as JSON",
     "For a person who asks what is known of them: lists, words of consent, each step in every notice, what came back.",
     cli_export},
    {"webhooks", "[test NAME or enable NAME]", "json", "other programs that are told, and how that goes",
     "Lists the endpoints: what waits, the last answer, the next try. test sends a ping now and says what came back. "
     "enable lets one go on that was disabled: after it answered 410, or after three days of failures.",
     cli_webhooks, 2},
    {"feeds", "[add NAME, rotate NAME or revoke NAME]", "site=SITE event=ID json", "calendars for who has the link",
     "Lists them: what each shows, when it was last fetched and by what. add makes one of a site, or of one event of "
     "it, "
     "and prints its https and its webcal link, this once; rotate gives it another link, revoke ends it: who asks by "
     "the "
     "old one hears that it is gone. NAME is yours, and shown in lists: no address.",
     cli_feeds, 2},
    {"sync", "", "", "walks every site now", "As soon as the request budget and a near gate allow.", cli_sync},
    {"audit", "", "json", "checks the state against itself",
     "Sums, nothing before its time, nobody twice, doubts within bounds, every reason known. Exit 1 when something is "
     "wrong.",
     cli_audit},
    {"backup", "FILE", "force", "copies the state into one file, also while sending",
     "Writes FILE.part and renames it when it is whole and was checked; FILE may not be there already, unless with "
     "--force. - is standard output. Works without a daemon, too. Says what else belongs to a backup: the key file and "
     "the configuration with its secrets.",
     cli_backup},
    {"help", "[COMMAND]", "", "this list, or one command's help", "", cli_help},
    {"version", "", "", "the version", "", cli_version},
    {0},
};

/* --- Options
 * ---------------------------------------------------------------------------------------------------------- */

enum { OPTIONS_MAX = 16 }; /* of one command, --config among them */

struct option_place {
    const char *name;
    bool *flag;
    const char **value;
};

/* Is `name` in a command's list ("json state=S csv")? */
static bool listed(const char *options, const char *name)
{
    struct text rest = text_of(options);

    while (rest.len > 0) {
        struct text item = text_cut(&rest, ' '), known = text_cut(&item, '=');
        if (text_is(text_slice(known, text_starts(known, "!"), known.len), name))
            return true;
    }
    return false;
}

static void print_usage(FILE *out, const struct cli_command *command)
{
    struct text rest = text_of(command->options);

    fprintf(out, "usage: onsale %s", command->name);
    if (*command->arguments)
        fprintf(out, " %s", command->arguments);
    while (rest.len > 0) {
        struct text item = text_cut(&rest, ' '), name = text_cut(&item, '=');
        bool must = text_starts(name, "!");
        name = text_slice(name, must, name.len);
        fprintf(out, " %s--%.*s%s%.*s%s", must ? "" : "[", TEXT_ARGS(name), item.len ? " " : "", TEXT_ARGS(item),
                must ? "" : "]");
    }
    fputs(" [--config FILE]\n", out);
}

static int usage(const struct cli_command *command)
{
    print_usage(stderr, command);
    return EXIT_USAGE;
}

/* What somebody typed may hold anything. */
static void print_error(struct text t)
{
    auto_buf struct buf shown;

    buf_init(&shown, 64 * 1024);
    buf_add_visible(&shown, t);
    fprintf(stderr, "%.*s\n", TEXT_ARGS(buf_text(&shown)));
}

/* Names of a command's options, as many as there are. */
static size_t option_names(const struct cli_command *command, struct arena *arena, const char **names, size_t max)
{
    struct text rest = text_of(command->options);
    size_t count = 0;

    names[count++] = "config";
    while (rest.len > 0 && count < max) {
        struct text item = text_cut(&rest, ' '), name = text_cut(&item, '=');
        names[count++] = arena_copy(arena, text_slice(name, text_starts(name, "!"), name.len));
    }
    return count;
}

static int refuse_option(const struct cli_command *command, const char *why, struct text name, bool unknown)
{
    auto_buf struct buf text;
    struct arena arena = {0};
    const char *names[OPTIONS_MAX];

    buf_init(&text, 4096);
    buf_addf(&text, "onsale %s: %s --%.*s", command->name, why, TEXT_ARGS(name));
    if (unknown)
        buf_add_suggestion(&text, arena_copy(&arena, name), names, option_names(command, &arena, names, OPTIONS_MAX));
    print_error(buf_text(&text));
    arena_clear(&arena);
    return usage(command);
}

/* "--name", "--name=value" or "--name value". */
static int read_option(const struct cli_command *command, const struct option_place *places, size_t count, int argc,
                       char **argv, int *at)
{
    struct text rest = text_of(argv[*at] + 2), name = text_cut(&rest, '=');
    bool has_value = strchr(argv[*at], '=') != NULL;

    for (size_t i = 0; i < count; i++) {
        bool common = strcmp(places[i].name, "config") == 0;
        if (!text_is(name, places[i].name) || (!common && !listed(command->options, places[i].name)))
            continue;
        if (places[i].flag) {
            if (has_value)
                return refuse_option(command, "no value goes with", name, false);
            *places[i].flag = true;
            return EXIT_FINE;
        }
        const char *value = has_value ? strchr(argv[*at], '=') + 1 : *at + 1 < argc ? argv[++*at] : "";
        if (!*value)
            return refuse_option(command, "a value is missing behind", name, false);
        *places[i].value = value;
        return EXIT_FINE;
    }
    return refuse_option(command, "unknown option", name, true);
}

/* As many arguments as the command takes? */
static int check_count(const struct cli *cli, const struct cli_command *command)
{
    bool takes = *command->arguments, may_lack = command->arguments[0] == '[';
    int most = command->arguments_max ? command->arguments_max : takes ? 1 : 0;
    auto_buf struct buf text;

    buf_init(&text, 4096);
    if (cli->argc > most)
        buf_addf(&text, "onsale %s: what is \"%s\" for?", command->name, cli->argv[most]);
    else if (cli->argc ? !*cli->argv[0] : takes && !may_lack)
        buf_addf(&text, "onsale %s: %s is missing", command->name, command->arguments);
    else
        return EXIT_FINE;
    print_error(buf_text(&text));
    return usage(command);
}

static int read_arguments(struct cli *cli, const struct cli_command *command, int argc, char **argv)
{
    const struct option_place places[] = {
        {"config", NULL, &cli->config},
        {"json", &cli->json, NULL},
        {"verbose", &cli->verbose, NULL},
        {"online", &cli->online, NULL},
        {"csv", &cli->csv, NULL},
        {"anyway", &cli->anyway, NULL},
        {"force", &cli->force, NULL},
        {"in-doubt", &cli->in_doubt, NULL},
        {"this-is-the-one", &cli->this_is_the_one, NULL},
        {"skip-bad", &cli->skip_bad, NULL},
        {"state", NULL, &cli->state},
        {"event", NULL, &cli->event},
        {"refused", NULL, &cli->refused},
        {"withheld", NULL, &cli->withheld},
        {"notice", NULL, &cli->notice},
        {"subscriber", NULL, &cli->subscriber},
        {"to", NULL, &cli->to},
        {"audience", NULL, &cli->audience},
        {"key", NULL, &cli->key},
        {"language", NULL, &cli->language},
        {"recipient", NULL, &cli->recipient},
        {"from", NULL, &cli->from},
        {"site", NULL, &cli->site},
    };
    bool options_over = false;
    int rc = EXIT_FINE;

    cli->argv = argv;
    for (int i = 0; rc == EXIT_FINE && i < argc; i++) {
        if (options_over || argv[i][0] != '-' || !argv[i][1] || isdigit((unsigned char)argv[i][1]))
            argv[cli->argc++] = argv[i];
        else if (strcmp(argv[i], "--") == 0)
            options_over = true;
        else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            cli->help = true;
        else if (argv[i][1] == '-')
            rc = read_option(command, places, ARRAY_LEN(places), argc, argv, &i);
        else
            rc = refuse_option(command, "options have two dashes: perhaps", text_of(argv[i] + 1), false);
    }
    return rc || cli->help ? rc : check_count(cli, command);
}

/* --- Help
 * --------------------------------------------------------------------------------------------------------------- */

static void print_wrapped(FILE *out, const char *text)
{
    struct text rest = text_of(text);
    size_t column = 0;

    while (rest.len > 0) {
        struct text word = text_cut(&rest, ' ');
        if (column > 0 && column + 1 + word.len > 78) {
            fputc('\n', out);
            column = 0;
        }
        column += (size_t)fprintf(out, "%s%.*s", column ? " " : "", TEXT_ARGS(word));
    }
    fputc('\n', out);
}

static const struct cli_command *find_command(const char *name)
{
    for (const struct cli_command *command = cli_commands; command->name; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

static int suggest(const char *wrong)
{
    const char *names[64];
    size_t count = 0;
    auto_buf struct buf text;

    for (const struct cli_command *command = cli_commands; command->name && count < ARRAY_LEN(names); command++)
        names[count++] = command->name;
    buf_init(&text, 4096);
    buf_addf(&text, "onsale: there is no command \"%s\"", wrong);
    buf_add_suggestion(&text, wrong, names, count);
    buf_adds(&text, "; `onsale help` tells what each does");
    print_error(buf_text(&text));
    return EXIT_USAGE;
}

static void print_help(const struct cli_command *command)
{
    printf("onsale %s: %s\n\n", command->name, command->summary);
    if (*command->help) {
        print_wrapped(stdout, command->help);
        putchar('\n');
    }
    print_usage(stdout, command);
}

static int cli_help(const struct cli *cli)
{
    const struct cli_command *command = cli->argc ? find_command(cli->argv[0]) : NULL;

    if (cli->argc && !command)
        return suggest(cli->argv[0]);
    if (command) {
        print_help(command);
        return EXIT_FINE;
    }
    puts("onsale: tells everyone who asked, the second a sale opens\n\nusage: onsale COMMAND [--config FILE]\n");
    for (command = cli_commands; command->name; command++)
        printf("  %-12s  %s\n", command->name, command->summary);
    puts("\nThe configuration is --config, else ONSALE_CONFIG, else " ONSALE_CONFIG_FILE ".\n"
         "`onsale help COMMAND` tells more. Exit: 0 fine, 1 failed, 2 usage,\n"
         "3 mend the configuration, or a state that is damaged or cannot be opened.");
    return EXIT_FINE;
}

static int cli_version(const struct cli *cli)
{
    (void)cli;
    puts("onsale " ONSALE_VERSION);
    return EXIT_FINE;
}

void cli_print_manual(FILE *out)
{
    for (const struct cli_command *command = cli_commands; command->name; command++) {
        struct text rest = text_of(command->options);
        fprintf(out, "*%s*", command->name);
        if (*command->arguments)
            fprintf(out, " _%s_", command->arguments);
        while (rest.len > 0) {
            struct text item = text_cut(&rest, ' '), name = text_cut(&item, '=');
            bool must = text_starts(name, "!");
            name = text_slice(name, must, name.len);
            fprintf(out, " %s*--%.*s*%s%.*s%s%s", must ? "" : "[", TEXT_ARGS(name), item.len ? " _" : "",
                    TEXT_ARGS(item), item.len ? "_" : "", must ? "" : "]");
        }
        fprintf(out, "\n\t%s.%s%s\n\n", command->summary, *command->help ? " " : "", command->help);
    }
}

/* --- The commands that need no daemon
 * --------------------------------------------------------------------------------- */

static int cli_run(const struct cli *cli)
{
    return daemon_run(
        &(struct daemon_options){.config_path = cli->config, .level = cli->verbose ? LOG_DEBUG : LOG_INFO});
}

static int cli_check(const struct cli *cli)
{
    struct error err = {0};
    auto_free const char **folders = settings_plugin_folders();
    struct settings *settings = settings_load(cli->config, folders, stderr, &err);

    if (!settings)
        return EXIT_CONFIG;
    int rc = check_print(settings, stdout, &err) < 0 ? cli_fail(&err) : EXIT_FINE;
    if (rc == EXIT_FINE && cli->online && check_online(settings, stdout) < 0)
        rc = EXIT_FAILED;
    settings_free(settings);
    return rc;
}

int cli_fail(const struct error *err)
{
    auto_buf struct buf text;

    buf_init(&text, 64 * 1024);
    buf_addf(&text, "onsale: %s", err->text);
    print_error(buf_text(&text));
    return err->kind == ERROR_CONFIG ? EXIT_CONFIG : EXIT_FAILED;
}

/* A list that was cut short by a full disk must not look whole. */
static int check_written(int rc)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return rc;
    fputs("onsale: standard output could not be written to\n", stderr);
    return rc ? rc : EXIT_FAILED;
}

int cli_main(int argc, char **argv)
{
    const char *from_environment = getenv("ONSALE_CONFIG");
    struct cli cli = {.config = from_environment && *from_environment ? from_environment : ONSALE_CONFIG_FILE};
    const char *name = argc > 1 ? argv[1] : "help";

    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
    if (strcmp(name, "--manual") == 0) { /* for the man page's build */
        cli_print_manual(stdout);
        return EXIT_FINE;
    }
    if (strcmp(name, "--keys") == 0) { /* likewise; plugins follow */
        struct error err = {0};
        return settings_print_keys((const char *const *)argv + 2, (size_t)argc - 2, stdout, &err) < 0 ? cli_fail(&err)
                                                                                                      : EXIT_FINE;
    }
    const struct cli_command *command = find_command(name);
    if (!command)
        return suggest(name);
    int rc = read_arguments(&cli, command, argc > 2 ? argc - 2 : 0, argv + 2);
    if (rc == EXIT_FINE && cli.help) {
        print_help(command);
        return EXIT_FINE;
    }
    return rc ? rc : check_written(command->run(&cli));
}
