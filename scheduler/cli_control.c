/* Commands that steer a running daemon. */
#include "cli_report.h"

#include <string.h>

static int on_notice(const struct cli *cli, const char *verb, json_t *body, json_t **answer)
{
    char path[64];
    int64_t notice;

    if (cli_notice_argument(cli, &notice) < 0) {
        json_decref(body);
        return EXIT_USAGE;
    }
    snprintf(path, sizeof path, "notices/%lld/%s", (long long)notice, verb);
    return cli_ask(cli, path, body, answer);
}

/* Steers, and says what the notice has become of it. */
static int move(const struct cli *cli, const char *verb, json_t *body)
{
    json_t *answer = NULL;
    int rc = on_notice(cli, verb, body, &answer);

    if (rc == EXIT_FINE)
        printf("notice %s is %s%s\n", cli->argv[0], cli_text(answer, "state"),
               json_is_true(json_object_get(answer, "paused")) ? ", paused" : "");
    json_decref(answer);
    return rc;
}

int cli_hold(const struct cli *cli)
{
    return move(cli, "hold", NULL);
}

int cli_release(const struct cli *cli)
{
    return move(cli, "release", json_pack("{s:b}", "anyway", cli->anyway));
}

int cli_cancel(const struct cli *cli)
{
    return move(cli, "cancel", NULL);
}

int cli_again(const struct cli *cli)
{
    json_t *answer = NULL;
    char line[64] = "";
    int64_t notice;

    if (cli_notice_argument(cli, &notice) < 0)
        return EXIT_USAGE;
    if (!cli->anyway) {
        fprintf(stderr, "This tells everybody of notice %lld once more. Type its number to go on: ", (long long)notice);
        if (!fgets(line, sizeof line, stdin) || !text_is(text_trim(text_of(line)), cli->argv[0])) {
            fputs("onsale: nothing was changed (--anyway does not ask)\n", stderr);
            return EXIT_FAILED;
        }
    }
    int rc = on_notice(cli, "again", NULL, &answer);
    if (rc == EXIT_FINE)
        printf("everybody of notice %lld is told once more by notice %lld\n", (long long)notice,
               cli_number(answer, "notice"));
    json_decref(answer);
    return rc;
}

/* A reason as `show` writes it, or with "_" for a blank; "" for a word that is none. */
static const char *withheld_word(const char *asked)
{
    for (enum withheld i = WITHHELD_NONE + 1; i < WITHHELD_REASONS; i++) {
        const char *a = asked, *b = withheld_name(i);
        while (*a && (*a == *b || (*b == ' ' && (*a == '_' || *a == '-'))))
            a++, b++;
        if (*a == '\0' && *b == '\0')
            return withheld_name(i);
    }
    return "";
}

/* Whom: NULL, after saying why, when that is not clear. */
static json_t *retry_body(const struct cli *cli)
{
    struct error err = {0};
    int64_t code = 0;

    if ((cli->refused != NULL) + cli->in_doubt + (cli->withheld != NULL) != 1) {
        fputs("onsale retry: say whom: --refused CODE, --in-doubt or --withheld REASON\n", stderr);
        return NULL;
    }
    if (cli->in_doubt)
        return json_pack("{s:b}", "in_doubt", 1);
    if (cli->refused) {
        if (parse_i64(text_of(cli->refused), 0, 999, &code, &err) == 0)
            return json_pack("{s:I}", "refused", (json_int_t)code);
        error_at(&err, "--refused");
        cli_fail(&err);
        return NULL;
    }
    if (*withheld_word(cli->withheld))
        return json_pack("{s:s}", "withheld", withheld_word(cli->withheld));
    fputs("onsale retry: --withheld is one of", stderr);
    for (enum withheld i = WITHHELD_NONE + 1; i < WITHHELD_REASONS; i++)
        fprintf(stderr, "%s \"%s\"", i > 1 ? "," : "", withheld_name(i));
    fputc('\n', stderr);
    return NULL;
}

int cli_retry(const struct cli *cli)
{
    json_t *body = retry_body(cli), *answer = NULL;

    if (!body)
        return EXIT_USAGE;
    int rc = on_notice(cli, "retry", body, &answer);
    if (rc == EXIT_FINE && cli_number(answer, "people") == 0)
        puts("nobody: `onsale show` lists the codes and reasons there are");
    else if (rc == EXIT_FINE)
        printf("%lld people are tried again\n", cli_number(answer, "people"));
    json_decref(answer);
    return rc;
}

/* "17" is a notice, anything else a notifier; NULL: everything. */
static json_t *target_body(const struct cli *cli, bool this_is_the_one)
{
    char target[256] = "";
    int64_t notice;

    if (cli->argc && parse_i64(text_of(cli->argv[0]), 1, INT64_MAX, &notice, NULL) == 0)
        snprintf(target, sizeof target, "notice:%lld", (long long)notice);
    else if (cli->argc)
        snprintf(target, sizeof target, "notifier:%s", cli->argv[0]);
    json_t *body = json_pack("{s:s}", "target", target);
    if (!body)
        fputs("onsale: the name is not UTF-8\n", stderr);
    if (body && this_is_the_one)
        json_object_set_new(body, "this_is_the_one", json_true());
    return body;
}

/* "notice:17" -> "notice 17". */
static const char *target_words(const char *target, char name[256])
{
    snprintf(name, 256, "%s", *target ? target : "everything");
    if (*target && strchr(name, ':'))
        *strchr(name, ':') = ' ';
    return name;
}

static int steer_target(const struct cli *cli, const char *path, const char *done, json_t **answer)
{
    json_t *body = target_body(cli, cli->this_is_the_one), *kept = json_incref(body);
    char name[256];
    int rc = body ? cli_ask(cli, path, body, answer) : EXIT_USAGE;

    if (rc == EXIT_FINE && cli->this_is_the_one)
        puts("this state is the one: what was held as a copy goes on");
    else if (rc == EXIT_FINE && done)
        printf("%s %s\n", target_words(json_string_value(json_object_get(body, "target")), name), done);
    json_decref(kept);
    return rc;
}

int cli_pause(const struct cli *cli)
{
    json_t *answer = NULL, *notice;
    size_t i;
    int rc = steer_target(cli, "pause", "is paused", &answer);
    json_t *shown = json_visible(answer);

    json_array_foreach(json_object_get(shown, "notices"), i, notice)
        printf("notice %lld, %s: %lld accepted, %lld in flight, %lld waiting\n", cli_number(notice, "id"),
               cli_text(notice, "rule"), cli_number(notice, "accepted"), cli_number(notice, "in_flight"),
               cli_number(notice, "waiting"));
    json_decref(shown);
    json_decref(answer);
    return rc;
}

/* A state that is held as a copy stays so, whatever pause was lifted. */
static void warn_of_copy(const struct cli *cli)
{
    struct client client;
    struct error err = {0};
    json_t *answer = NULL;

    if (client_open(&client, cli->config, &err) < 0)
        return;
    if (client_ask(&client, "GET", "status", NULL, &answer, &err) == 0 && *cli_text(answer, "copy"))
        puts("but nothing is sent: this state is held as a copy (onsale status); if it is none: onsale resume "
             "--this-is-the-one");
    json_decref(answer);
    client_close(&client);
}

/* What is paused now: [{"target", "who", "at"}]. A new reference; NULL: nobody can tell. */
static json_t *paused_now(const struct cli *cli)
{
    struct client client;
    struct error err = {0};
    json_t *answer = NULL, *pauses;

    if (client_open(&client, cli->config, &err) < 0)
        return NULL;
    int rc = client_ask(&client, "GET", "status", NULL, &answer, &err);
    pauses = rc == 0 ? json_incref(json_object_get(answer, "pauses")) : NULL;
    json_decref(answer);
    client_close(&client);
    return pauses;
}

/* What was lifted, one by one. Plain `resume` lifts every pause there is. */
static void say_lifted(const struct cli *cli, const json_t *before)
{
    json_t *body = target_body(cli, false), *shown = json_visible(before), *pause;
    const char *target = json_string_value(json_object_get(body, "target"));
    struct zone *zone = local_zone_load();
    size_t i, lifted = 0;
    char name[256];

    json_array_foreach(shown, i, pause)
    {
        auto_buf struct buf at;
        if (*target && strcmp(target, cli_text(pause, "target")) != 0)
            continue;
        lifted++;
        buf_init(&at, 64);
        buf_add_local(&at, cli_text(pause, "at"), zone);
        printf("%s goes on: paused by %s at %s\n", target_words(cli_text(pause, "target"), name),
               cli_text(pause, "who"), at.ptr);
    }
    zone_free(zone);
    if (!lifted)
        printf("%s was not paused: nothing is changed\n", target_words(target, name));
    json_decref(shown);
    json_decref(body);
}

int cli_resume(const struct cli *cli)
{
    json_t *before = cli->this_is_the_one ? NULL : paused_now(cli);
    int rc = steer_target(cli, "resume", before ? NULL : "goes on", NULL);

    if (rc == EXIT_FINE && before)
        say_lifted(cli, before);
    json_decref(before);
    if (rc == EXIT_FINE && !cli->this_is_the_one)
        warn_of_copy(cli);
    return rc;
}

static int consent(const struct cli *cli, const char *path, const char *done)
{
    const char *audience = cli->audience ? cli->audience : "";
    int rc = cli_check_address("ADDRESS", cli->argv[0]);

    if (rc == EXIT_FINE && !text_is_utf8(text_of(audience))) {
        fputs("onsale: --audience is not UTF-8\n", stderr);
        rc = EXIT_USAGE;
    }
    if (rc == EXIT_FINE)
        rc = cli_ask(cli, path, json_pack("{s:s, s:s}", "address", cli->argv[0], "audience", audience), NULL);
    if (rc == EXIT_FINE)
        printf("%s %s%s%s\n", cli->argv[0], done, *audience ? " as one of audience " : "", audience);
    return rc;
}

int cli_suppress(const struct cli *cli)
{
    if (cli->from)
        return cli_suppress_from(cli);
    if (!cli->argc) {
        fputs("onsale suppress: say whom: ADDRESS, or --from FILE\n", stderr);
        return EXIT_USAGE;
    }
    return consent(cli, "suppress", "is not written to any more");
}

/* One word of consent is taken back at a time: what others forbid goes on. */
static int tell_what_stands(const struct cli *cli)
{
    json_t *answer = NULL, *row;
    size_t i;
    int rc = cli_ask(cli, "why", json_pack("{s:s}", "address", cli->argv[0]), &answer);
    json_t *shown = json_visible(answer);

    json_array_foreach(json_object_get(shown, "suppressed"), i, row)
    {
        const char *scope = cli_text(row, "scope");
        printf("but not %s%s (%s): onsale unsuppress %s%s%s\n", *scope ? "as one of audience " : "at all yet", scope,
               cli_text(row, "reason"), cli->argv[0], *scope ? " --audience " : "", scope);
    }
    json_decref(shown);
    json_decref(answer);
    return rc;
}

int cli_unsuppress(const struct cli *cli)
{
    int rc = consent(cli, "unsuppress", "may be written to again, if the audience says so");

    return rc == EXIT_FINE ? tell_what_stands(cli) : rc;
}

int cli_sync(const struct cli *cli)
{
    int rc = cli_ask(cli, "sync", NULL, NULL);

    if (rc == EXIT_FINE)
        puts("every site is walked as soon as its budget allows");
    return rc;
}

/* "accepted by mail: 250 2.0.0 Ok: queued" */
static int print_test(const struct cli *cli, const json_t *answer)
{
    json_t *shown = json_visible(answer);
    const char *fate = cli_text(shown, "fate"), *text = cli_text(shown, "text");
    bool accepted = strcmp(fate, "accepted") == 0;
    FILE *out = accepted ? stdout : stderr;

    fprintf(out, "%s%s by %s", accepted ? "" : "onsale: ", fate, cli_text(shown, "notifier"));
    if (cli_number(shown, "code"))
        fprintf(out, ", %lld", cli_number(shown, "code"));
    fprintf(out, "%s%s\n", *text ? ": " : "", text);
    if (accepted)
        printf("%s has it, or will; whether it looks well, the mailbox tells\n", cli->to);
    json_decref(shown);
    return accepted ? EXIT_FINE : EXIT_FAILED;
}

int cli_send_test(const struct cli *cli)
{
    json_t *answer = NULL;

    if (!cli->to) {
        fputs("onsale send-test: say to whom: --to ADDRESS\n", stderr);
        return EXIT_USAGE;
    }
    int rc = cli_check_address("--to", cli->to);
    json_t *body = json_pack("{s:s, s:s}", "rule", cli->argv[0], "to", cli->to);
    if (rc == EXIT_FINE && !body) {
        fputs("onsale send-test: RULE is not UTF-8\n", stderr);
        rc = EXIT_USAGE;
    }
    if (rc != EXIT_FINE) {
        json_decref(body);
        return rc;
    }
    rc = cli_ask(cli, "send-test", body, &answer);
    if (rc == EXIT_FINE)
        rc = print_test(cli, answer);
    json_decref(answer);
    return rc;
}
