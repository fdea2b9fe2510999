/* Commands that steer a running daemon. */
#include "cli.h"
#include "client.h"

#include <string.h>

/* Sends one request; without a daemon there is nothing to steer. Steals `body`. */
static int ask(const struct cli *cli, const char *path, json_t *body, json_t **answer)
{
    struct client client;
    struct error err = {0};
    json_t *mine = NULL;

    if (client_open(&client, cli->config, &err) < 0) {
        json_decref(body);
        return EXIT_CONFIG;
    }
    int rc = client_ask(&client, "POST", path, body, &mine, &err);
    json_decref(body);
    if (rc == 1)
        error_set(&err, ERROR_REFUSED, "no daemon runs%s%s",
                  client.socket ? " at " : ": http.listen names no unix socket", client.socket ? client.socket : "");
    client_close(&client);
    if (rc != 0)
        return cli_fail(&err);
    if (answer)
        *answer = mine;
    else
        json_decref(mine);
    return EXIT_FINE;
}

static int on_notice(const struct cli *cli, const char *verb, json_t *body, json_t **answer)
{
    struct error err = {0};
    char path[64];
    int64_t notice;

    if (parse_i64(text_of(cli->argv[0]), 1, INT64_MAX, &notice, &err) < 0) {
        json_decref(body);
        error_at(&err, "NOTICE");
        cli_fail(&err);
        return EXIT_USAGE;
    }
    snprintf(path, sizeof path, "notices/%lld/%s", (long long)notice, verb);
    return ask(cli, path, body, answer);
}

int cli_hold(const struct cli *cli)
{
    return on_notice(cli, "hold", NULL, NULL);
}

int cli_release(const struct cli *cli)
{
    return on_notice(cli, "release", json_pack("{s:b}", "anyway", cli->anyway), NULL);
}

int cli_cancel(const struct cli *cli)
{
    return on_notice(cli, "cancel", NULL, NULL);
}

int cli_again(const struct cli *cli)
{
    json_t *answer = NULL;
    char line[64] = "";

    if (!cli->anyway) {
        fprintf(stderr, "This tells everybody of notice %s once more. Type its number to go on: ", cli->argv[0]);
        if (!fgets(line, sizeof line, stdin) || !text_is(text_trim(text_of(line)), cli->argv[0])) {
            fputs("onsale: nothing was changed\n", stderr);
            return EXIT_FAILED;
        }
    }
    int rc = on_notice(cli, "again", NULL, &answer);
    if (rc == EXIT_FINE)
        printf("notice %lld\n", (long long)json_integer_value(json_object_get(answer, "notice")));
    json_decref(answer);
    return rc;
}

int cli_retry(const struct cli *cli)
{
    json_t *body = json_object(), *answer = NULL;
    int64_t code = 0;
    struct error err = {0};

    if ((cli->refused != NULL) + cli->in_doubt + (cli->withheld != NULL) != 1) {
        json_decref(body);
        fputs("onsale retry: say whom: --refused CODE, --in-doubt or --withheld REASON\n", stderr);
        return EXIT_USAGE;
    }
    if (cli->refused && parse_i64(text_of(cli->refused), 0, 999, &code, &err) < 0) {
        json_decref(body);
        error_at(&err, "--refused");
        cli_fail(&err);
        return EXIT_USAGE;
    }
    if (cli->refused)
        json_object_set_new(body, "refused", json_integer(code));
    if (cli->in_doubt)
        json_object_set_new(body, "in_doubt", json_true());
    if (cli->withheld)
        json_object_set_new(body, "withheld", json_string(cli->withheld));
    int rc = on_notice(cli, "retry", body, &answer);
    if (rc == EXIT_FINE)
        printf("%lld people are tried again\n", (long long)json_integer_value(json_object_get(answer, "people")));
    json_decref(answer);
    return rc;
}

/* "17" is a notice, anything else a notifier. */
static void target_of(const struct cli *cli, char *out, size_t size)
{
    int64_t notice;

    if (cli->argc == 0)
        *out = '\0';
    else if (parse_i64(text_of(cli->argv[0]), 1, INT64_MAX, &notice, NULL) == 0)
        snprintf(out, size, "notice:%lld", (long long)notice);
    else
        snprintf(out, size, "notifier:%s", cli->argv[0]);
}

int cli_pause(const struct cli *cli)
{
    char target[128];

    target_of(cli, target, sizeof target);
    return ask(cli, "pause", json_pack("{s:s}", "target", target), NULL);
}

int cli_resume(const struct cli *cli)
{
    char target[128];

    target_of(cli, target, sizeof target);
    return ask(cli, "resume", json_pack("{s:s, s:b}", "target", target, "this_is_the_one", cli->this_is_the_one), NULL);
}

static int consent(const struct cli *cli, const char *path)
{
    return ask(cli, path,
               json_pack("{s:s, s:s}", "address", cli->argv[0], "audience", cli->audience ? cli->audience : ""), NULL);
}

int cli_suppress(const struct cli *cli)
{
    return consent(cli, "suppress");
}

int cli_unsuppress(const struct cli *cli)
{
    return consent(cli, "unsuppress");
}

int cli_sync(const struct cli *cli)
{
    return ask(cli, "sync", NULL, NULL);
}

int cli_send_test(const struct cli *cli)
{
    if (!cli->to) {
        fputs("onsale send-test: say to whom: --to ADDRESS\n", stderr);
        return EXIT_USAGE;
    }
    int rc = ask(cli, "send-test", json_pack("{s:s, s:s}", "rule", cli->argv[0], "to", cli->to), NULL);
    if (rc == EXIT_FINE)
        puts("handed over; whether it arrives, the mailbox tells");
    return rc;
}
