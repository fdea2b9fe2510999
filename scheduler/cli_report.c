/* Commands that tell what is planned: openings, notices, and the audit of it all. */
#include "cli_report.h"

#include <string.h>

const char *cli_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

long long cli_number(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

bool cli_has_number(const json_t *object, const char *key)
{
    return json_is_integer(json_object_get(object, key));
}

const char *cli_event(const json_t *object)
{
    const char *title = cli_text(object, "event_title");

    return *title ? title : cli_text(object, "event_id");
}

int cli_notice_argument(const struct cli *cli, int64_t *out)
{
    struct error err = {0};

    if (parse_i64(text_of(cli->argv[0]), 1, INT64_MAX, out, NULL) == 0)
        return 0;
    error_set(&err, ERROR_REFUSED, "NOTICE is a number, as `onsale notices` lists them; found \"%.100s\"",
              cli->argv[0]);
    cli_fail(&err);
    return -1;
}

int cli_check_address(const char *which, const char *address)
{
    struct error err = {0};
    struct address parsed;

    if (address_parse(text_of(address), &parsed, &err) == 0)
        return EXIT_FINE;
    error_at(&err, "%s", which);
    cli_fail(&err);
    return EXIT_USAGE;
}

int cli_ask(const struct cli *cli, const char *path, json_t *body, json_t **answer)
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
        client_no_daemon(&client, &err);
    client_close(&client);
    if (rc != 0)
        return cli_fail(&err);
    if (answer)
        *answer = mine;
    else
        json_decref(mine);
    return EXIT_FINE;
}

int cli_report(const struct cli *cli, const struct store_report *what, cli_print_fn *print)
{
    struct client client;
    struct error err = {0};
    json_t *answer = NULL;

    if (client_open(&client, cli->config, &err) < 0)
        return EXIT_CONFIG;
    int rc = client_report(&client, what, &answer, &err);
    client_close(&client);
    if (rc < 0)
        return cli_fail(&err);
    if (cli->json) {
        json_print(answer, stdout);
        rc = what->kind == REPORT_AUDIT && json_array_size(json_object_get(answer, "problems")) > 0 ? EXIT_FAILED
                                                                                                    : EXIT_FINE;
    } else {
        struct zone *zone = local_zone_load();
        json_t *shown = json_visible(answer);
        rc = print(cli, shown, zone);
        json_decref(shown);
        zone_free(zone);
    }
    json_decref(answer);
    return rc;
}

/* How many people there are, or are expected ("~1200"). */
static void add_people(struct cli_table *table, long long planned, const json_t *estimated)
{
    if (planned == 0 && cli_has_number(estimated, "estimate"))
        table_add(table, "~%lld", cli_number(estimated, "estimate"));
    else if (planned == 0)
        table_add(table, "-");
    else
        table_add(table, "%lld", planned);
}

/* "Early bird 35.00 EUR" */
static void add_ticket(struct buf *buf, const json_t *ticket)
{
    const char *name = cli_text(ticket, "name");

    buf_adds(buf, *name ? name : cli_text(ticket, "id"));
    if (*cli_text(ticket, "price"))
        buf_addf(buf, " %s %s", cli_text(ticket, "price"), cli_text(ticket, "currency"));
}

static int print_openings(const struct cli *cli, const json_t *answer, const struct zone *zone)
{
    static const char *const headings[] = {"OPENS", "STATE", "EVENT", "TICKETS", "NOTICES", "PEOPLE"};
    struct cli_table table;
    size_t i, k;
    json_t *opening, *item;

    (void)cli;
    table_init(&table, ARRAY_LEN(headings), headings);
    table_right(&table, 5);
    table_cut(&table, 2, 8);
    table_cut(&table, 3, 8);
    table_spare(&table, 4);
    table_spare(&table, 5);
    json_array_foreach(answer, i, opening)
    {
        auto_buf struct buf tickets, notices;
        buf_init(&tickets, 16 * 1024);
        buf_init(&notices, 4096);
        json_array_foreach(json_object_get(opening, "definitions"), k, item)
        {
            buf_adds(&tickets, k ? ", " : "");
            add_ticket(&tickets, item);
        }
        json_array_foreach(json_object_get(opening, "notices"), k, item)
            buf_addf(&notices, "%s%lld", k ? " " : "", (long long)json_integer_value(item));
        table_add_moment(&table, cli_text(opening, "opens_at"), zone);
        table_add(&table, "%s", cli_text(opening, "state"));
        table_add(&table, "%s", cli_event(opening));
        table_add(&table, "%s", tickets.len ? tickets.ptr : "-");
        table_add(&table, "%s", notices.len ? notices.ptr : "-");
        add_people(&table, 0, opening);
    }
    table_end(&table, stdout);
    table_clear(&table);
    return EXIT_FINE;
}

int cli_openings(const struct cli *cli)
{
    return cli_report(cli, &(struct store_report){.kind = REPORT_OPENINGS}, print_openings);
}

static void add_state(struct cli_table *table, const json_t *notice)
{
    const char *reason = cli_text(notice, "reason"), *state = cli_text(notice, "state");
    bool ahead = strcmp(state, "planned") == 0 || strcmp(state, "gathering") == 0 || strcmp(state, "ready") == 0;
    const char *notifier = json_is_true(json_object_get(notice, "notifier_paused"))
                               ? "paused"
                               : cli_text(json_object_get(notice, "notifier"), "state");

    long long put_off = cli_number(json_object_get(notice, "put_off"), "people");
    char again[64] = "";

    if (put_off > 0)
        snprintf(again, sizeof again, ", %lld put off", put_off);
    table_add(table, "%s%s%s%s%s%s%s%s", state, *reason ? ": " : "", reason, again,
              json_is_true(json_object_get(notice, "paused")) ? ", paused" : "", *notifier ? ", notifier " : "",
              notifier, ahead && json_is_false(json_object_get(notice, "fits")) ? ", will not fit" : "");
}

static int print_notices(const struct cli *cli, const json_t *answer, const struct zone *zone)
{
    static const char *const headings[] = {"ID",     "DUE",      "RULE",    "EVENT",    "STATE",
                                           "PEOPLE", "ACCEPTED", "REFUSED", "IN DOUBT", "WITHHELD"};
    static const char *const counts[] = {"accepted", "refused", "in_doubt", "withheld"};
    struct cli_table table;
    size_t i;
    json_t *notice;

    (void)cli;
    table_init(&table, ARRAY_LEN(headings), headings);
    for (size_t k = 5; k < ARRAY_LEN(headings); k++)
        table_right(&table, k);
    table_right(&table, 0);
    table_cut(&table, 3, 8);
    table_cut(&table, 4, 8);
    table_narrow(&table, 6, "ACC.");
    for (size_t k = 7; k < ARRAY_LEN(headings); k++)
        table_spare(&table, k);
    table_narrow(&table, 7, "REF.");
    table_narrow(&table, 8, "DOUBT");
    table_narrow(&table, 9, "W/HELD");
    json_array_foreach(answer, i, notice)
    {
        const json_t *mine = json_object_get(notice, "counts");
        table_add(&table, "%lld", cli_number(notice, "id"));
        table_add_moment(&table, cli_text(notice, "due_at"), zone);
        table_add(&table, "%s", cli_text(notice, "rule"));
        table_add(&table, "%s", cli_event(notice));
        add_state(&table, notice);
        add_people(&table, cli_number(mine, "planned"), notice);
        for (size_t k = 0; k < ARRAY_LEN(counts); k++)
            table_add(&table, "%lld", cli_number(mine, counts[k]));
    }
    table_end(&table, stdout);
    table_clear(&table);
    return EXIT_FINE;
}

int cli_notices(const struct cli *cli)
{
    return cli_report(cli, &(struct store_report){.kind = REPORT_NOTICES}, print_notices);
}

static int print_audit(const struct cli *cli, const json_t *answer, const struct zone *zone)
{
    const json_t *problems = json_object_get(answer, "problems");
    const char *key;
    size_t i, count = json_array_size(problems);
    json_t *value;

    (void)cli;
    (void)zone;
    fputs("checked", stdout);
    json_object_foreach(json_object_get(answer, "checked"), key, value) if (json_is_integer(value))
        printf(" %lld %s,", (long long)json_integer_value(value), key);
    printf(" %s\n", count ? "and found:" : "and found no problem");
    json_array_foreach(problems, i, value) printf("  %s\n", json_string_value(value));
    return count ? EXIT_FAILED : EXIT_FINE;
}

int cli_audit(const struct cli *cli)
{
    return cli_report(cli, &(struct store_report){.kind = REPORT_AUDIT}, print_audit);
}
