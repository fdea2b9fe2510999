#include "cli_rows.h"

#include <string.h>

struct rows {
    const struct cli *cli;
    const struct cli_column *columns;
    size_t column_count;
    struct zone *zone;
    struct cli_table table;
    bool begun;
    size_t count;
};

/* --- CSV (RFC 4180) --- */

/* A spreadsheet would take it for a formula. */
static bool is_formula(struct text cell)
{
    return cell.len > 0 && cell.ptr[0] && strchr("=+-@\t\r", cell.ptr[0]);
}

static bool is_defused(struct text cell)
{
    return cell.len > 1 && cell.ptr[0] == '\'' && is_formula(text_slice(cell, 1, cell.len));
}

struct text cli_cell_as_it_was(struct text cell)
{
    return is_defused(cell) ? text_slice(cell, 1, cell.len) : cell;
}

static void print_cell(const char *cell, bool last)
{
    putchar('"');
    if (is_formula(text_of(cell)) || is_defused(text_of(cell)))
        putchar('\'');
    for (; *cell; cell++) {
        if (*cell == '"')
            putchar('"');
        putchar(*cell);
    }
    fputs(last ? "\"\r\n" : "\",", stdout);
}

static void print_csv(const struct rows *rows, const json_t *row)
{
    for (size_t i = 0; i < rows->column_count; i++) {
        const char *key = rows->columns[i].key;
        char number[24];
        snprintf(number, sizeof number, "%lld", cli_number(row, key));
        print_cell(cli_has_number(row, key) ? number : cli_text(row, key), i + 1 == rows->column_count);
    }
}

/* --- Table, JSON --- */

static bool is_moment(const char *key)
{
    size_t len = strlen(key);

    return strcmp(key, "at") == 0 || (len > 3 && strcmp(key + len - 3, "_at") == 0);
}

static void add_row(struct rows *rows, const json_t *row)
{
    for (size_t i = 0; i < rows->column_count; i++) {
        const char *key = rows->columns[i].key;
        if (is_moment(key))
            table_add_moment(&rows->table, cli_text(row, key), rows->zone);
        else if (cli_has_number(row, key))
            table_add(&rows->table, "%lld", cli_number(row, key));
        else
            table_add(&rows->table, "%s", cli_text(row, key));
    }
}

static void print_json(const struct rows *rows, const json_t *row)
{
    fputs(rows->count ? ",\n" : "[\n", stdout);
    json_dumpf(row, stdout, JSON_INDENT(2) | (isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0));
}

/* --- Pages --- */

static void begin(struct rows *rows)
{
    const char *headings[TABLE_COLUMNS_MAX];

    for (size_t i = 0; i < rows->column_count; i++) {
        headings[i] = rows->columns[i].heading;
        if (rows->cli->csv)
            print_cell(rows->columns[i].key, i + 1 == rows->column_count);
    }
    table_init(&rows->table, rows->column_count, headings);
    for (size_t i = 0; i < rows->column_count; i++) {
        table_cut(&rows->table, i, rows->columns[i].least);
        if (rows->columns[i].spare)
            table_spare(&rows->table, i);
        for (size_t k = 0; rows->columns[i].beside && k < rows->column_count; k++)
            if (strcmp(rows->columns[k].key, rows->columns[i].beside) == 0)
                table_spare_beside(&rows->table, i, k);
    }
}

static void print_page(void *ctx, const json_t *page)
{
    struct rows *rows = ctx;
    json_t *shown = rows->cli->json ? json_incref((json_t *)(uintptr_t)page) : json_visible(page), *row;
    size_t i;

    if (!rows->begun)
        begin(rows);
    rows->begun = true;
    json_array_foreach(shown, i, row)
    {
        if (rows->cli->json)
            print_json(rows, row);
        else if (rows->cli->csv)
            print_csv(rows, row);
        else
            add_row(rows, row);
        rows->count++;
    }
    if (!rows->cli->json && !rows->cli->csv)
        table_print(&rows->table, stdout);
    json_decref(shown);
}

int cli_print_rows(const struct cli *cli, struct store_report *what, const struct cli_column *columns, size_t count)
{
    struct client client;
    struct error err = {0};

    if (client_open(&client, cli->config, &err) < 0)
        return EXIT_CONFIG;
    struct rows rows = {.cli = cli, .columns = columns, .column_count = count, .zone = local_zone_load()};
    int rc = client_list(&client, what, print_page, &rows, &err);
    if (rc == 0 && cli->json)
        puts(rows.count ? "\n]" : "[]");
    else if (rc == 0 && !cli->csv)
        table_end(&rows.table, stdout);
    table_clear(&rows.table);
    zone_free(rows.zone);
    client_close(&client);
    return rc < 0 ? cli_fail(&err) : EXIT_FINE;
}
