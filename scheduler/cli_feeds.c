/* Calendars for who has the link. */
#include "cli_rows.h"

#include <string.h>

static const struct cli_column columns[] = {
    {"name", "NAME"},
    {"site", "SITE"},
    {"event_id", "EVENT", .spare = true},
    {"created_at", "CREATED"},
    {"rotated_at", "NEW LINK", .spare = true},
    {"revoked_at", "REVOKED", .spare = true},
    {"fetches", "FETCHES"},
    {"last_fetch_at", "LAST FETCH"},
    {"last_client", "CLIENT", .least = 8, .spare = true},
};

static int list(const struct cli *cli)
{
    struct store_report what = {.kind = REPORT_PRIVATE_FEEDS};

    return cli_print_rows(cli, &what, columns, ARRAY_LEN(columns));
}

/* The only time that it is shown. */
static void print_link(const struct cli *cli, const json_t *answer)
{
    if (cli->json) {
        json_print(answer, stdout);
    } else if (*cli_text(answer, "url")) {
        printf("%s\n%s\n", cli_text(answer, "url"), cli_text(answer, "webcal"));
        fputs("Whoever has the link can read the calendar. It is not shown again.\n", stderr);
    } else {
        printf("%s\n", cli_text(answer, "path"));
        fprintf(
            stderr,
            "Only the end of the link, for http.public_url is not configured: where people reach this daemon is not "
            "known.\nPut that in front (https://YOUR.HOST%s), and write it into the configuration before the next "
            "one.\nWhoever has the link can read the calendar. It is not shown again.\n",
            cli_text(answer, "path"));
    }
}

static int ask_for_link(const struct cli *cli, const char *path, json_t *body)
{
    json_t *answer = NULL;

    if (!body) {
        fputs("onsale feeds: a name is not UTF-8\n", stderr);
        return EXIT_USAGE;
    }
    int rc = cli_ask(cli, path, body, &answer);
    json_t *shown = json_visible(answer);
    if (rc == EXIT_FINE)
        print_link(cli, shown);
    json_decref(shown);
    json_decref(answer);
    return rc;
}

/* Where there is one site, it is meant. */
static int add(const struct cli *cli, const char *name)
{
    struct client client;
    struct error err = {0};
    auto_free char *site = cli->site ? must_strdup(cli->site) : NULL;

    if (!site) {
        if (client_open(&client, cli->config, &err) < 0)
            return EXIT_CONFIG;
        if (client.settings->site_count == 1)
            site = must_strdup(client.settings->sites[0].name);
        client_close(&client);
    }
    if (!site) {
        fputs("onsale feeds add: say of which site: --site NAME\n", stderr);
        return EXIT_USAGE;
    }
    json_t *body = json_pack("{s:s, s:s}", "name", name, "site", site);
    if (body && cli->event && json_object_set_new(body, "event", json_string(cli->event)) < 0) {
        json_decref(body);
        body = NULL;
    }
    return ask_for_link(cli, "feeds", body);
}

static int end(const struct cli *cli, const char *name)
{
    json_t *body = json_pack("{s:s}", "name", name);

    if (!body) {
        fputs("onsale feeds: a name is not UTF-8\n", stderr);
        return EXIT_USAGE;
    }
    int rc = cli_ask(cli, "feeds/revoke", body, NULL);
    if (rc == EXIT_FINE)
        puts("its link opens nothing any more; programs that have it keep what they read last");
    return rc;
}

int cli_feeds(const struct cli *cli)
{
    const char *verb = cli->argc > 0 ? cli->argv[0] : "", *name = cli->argc > 1 ? cli->argv[1] : "";
    bool adds = strcmp(verb, "add") == 0, rotates = strcmp(verb, "rotate") == 0, revokes = strcmp(verb, "revoke") == 0;

    if (*verb && !adds && !rotates && !revokes) {
        fputs("onsale feeds: expected add, rotate or revoke\n", stderr);
        return EXIT_USAGE;
    }
    if (*verb && !*name) {
        fprintf(stderr, "onsale feeds %s: NAME is missing\n", verb);
        return EXIT_USAGE;
    }
    if (!adds && (cli->site || cli->event)) {
        fputs("onsale feeds: --site and --event go with add\n", stderr);
        return EXIT_USAGE;
    }
    if (adds)
        return add(cli, name);
    if (rotates)
        return ask_for_link(cli, "feeds/rotate", json_pack("{s:s}", "name", name));
    return revokes ? end(cli, name) : list(cli);
}
