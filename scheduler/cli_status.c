/* Is the daemon well? */
#include "cli_report.h"

#include <string.h>

static const char *const headlines[] = {"well", "well, but see below", "NOT WELL"};

static int rank(const char *word)
{
    return strcmp(word, "pass") == 0 ? 0 : strcmp(word, "warn") == 0 ? 1 : 2;
}

/* "[fail] notifiers: mail: 535 wrong password" for each check that has something to say. */
static void print_checks(const json_t *checks)
{
    const char *name;
    json_t *list;

    json_object_foreach((json_t *)(uintptr_t)checks, name, list)
    {
        const json_t *one = json_array_get(list, 0);
        if (json_object_get(one, "output"))
            printf("[%s] %s: %s\n", cli_text(one, "status"), name, cli_text(one, "output"));
    }
}

static void print_sites(const json_t *sites, const struct zone *zone)
{
    for (size_t i = 0; i < json_array_size(sites); i++) {
        const json_t *site = json_array_get(sites, i);
        const char *at = cli_text(site, "walked_at");
        auto_buf struct buf local;
        buf_init(&local, 256);
        if (*at)
            buf_add_local(&local, at, zone);
        printf("site %s: %lld definitions, %s%s\n", cli_text(site, "name"), cli_number(site, "definitions"),
               *at ? "walked completely at " : "not walked completely yet", *at ? local.ptr : "");
    }
}

/* "notice 12, on-sale: 40 people are tried again by mail, the first at 10:00:20: 450 4.2.0 mailbox busy" */
static void print_put_off(const json_t *list, const struct zone *zone)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        auto_buf struct buf at;
        buf_init(&at, 256);
        buf_add_local(&at, cli_text(one, "next_at"), zone);
        printf("notice %lld, %s: %lld people are tried again by %s, the first at %s: %s\n", cli_number(one, "notice"),
               cli_text(one, "rule"), cli_number(one, "people"), cli_text(one, "notifier"), at.ptr,
               cli_text(one, "said"));
    }
}

static void print_status(const json_t *answer)
{
    const json_t *health = json_object_get(answer, "health"), *notifiers = json_object_get(answer, "notifiers"),
                 *pauses = json_object_get(answer, "pauses"), *writebacks = json_object_get(answer, "writebacks");
    struct zone *zone = local_zone_load();

    printf("onsale %s is %s\n", cli_text(answer, "version"), headlines[rank(cli_text(health, "status"))]);
    print_checks(json_object_get(health, "checks"));
    print_sites(json_object_get(answer, "sites"), zone);
    for (size_t i = 0; i < json_array_size(notifiers); i++) {
        const json_t *one = json_array_get(notifiers, i);
        printf("notifier %s: %s, %lld messages on their way\n", cli_text(one, "name"), cli_text(one, "state"),
               cli_number(one, "in_flight"));
    }
    for (size_t i = 0; i < json_array_size(pauses); i++) {
        const json_t *pause = json_array_get(pauses, i);
        const char *target = cli_text(pause, "target");
        auto_buf struct buf since;
        buf_init(&since, 256);
        buf_add_local(&since, cli_text(pause, "at"), zone);
        printf("paused: %s, by %s since %s\n", *target ? target : "everything", cli_text(pause, "who"), since.ptr);
    }
    print_put_off(json_object_get(answer, "put_off"), zone);
    if (cli_number(writebacks, "waiting") > 0) {
        auto_buf struct buf since;
        buf_init(&since, 256);
        buf_add_local(&since, cli_text(writebacks, "oldest_at"), zone);
        printf("unsubscribes to be told to marketing tools: %lld, the first of %s\n", cli_number(writebacks, "waiting"),
               since.ptr);
    }
    zone_free(zone);
}

int cli_status(const struct cli *cli)
{
    struct client client;
    struct error err = {0};
    json_t *answer = NULL;

    bool usual = client_open(&client, cli->config, &err) < 0;
    if (usual) { /* a daemon goes on with what it read before */
        err = (struct error){0};
        client_open_usual(&client);
    }
    int rc = client_ask(&client, "GET", "status", NULL, &answer, &err);
    if (rc == 1 && usual)
        error_set(&err, ERROR_CONFIG,
                  "no daemon runs at %s; one that listens elsewhere is found by --config with a file that can be read "
                  "and has its http.listen",
                  client.socket);
    else if (rc == 1)
        client_no_daemon(&client, &err);
    client_close(&client);
    if (rc != 0)
        return cli_fail(&err);
    if (cli->json) {
        json_print(answer, stdout);
    } else {
        json_t *shown = json_visible(answer);
        print_status(shown);
        json_decref(shown);
    }
    rc = rank(cli_text(json_object_get(answer, "health"), "status")) == 2 ? EXIT_FAILED : EXIT_FINE;
    json_decref(answer);
    return rc;
}
