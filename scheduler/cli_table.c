#include "cli_table.h"

#include <string.h>

void table_init(struct cli_table *table, size_t columns, const char *const *headings)
{
    *table = (struct cli_table){.columns = columns};
    for (size_t i = 0; i < columns; i++)
        table_add(table, "%s", headings[i]);
}

void table_right(struct cli_table *table, size_t column)
{
    table->right[column] = true;
}

void table_add(struct cli_table *table, const char *format, ...)
{
    auto_buf struct buf cell, shown;
    va_list args;

    buf_init(&cell, 4096);
    buf_init(&shown, 4 * 4096);
    va_start(args, format);
    buf_addv(&cell, format, args);
    va_end(args);
    buf_add_visible(&shown, buf_text(&cell));
    if (table->count == table->cap) {
        table->cap = table->cap ? 2 * table->cap : 64;
        table->cells = must_realloc(table->cells, table->cap * sizeof *table->cells);
    }
    table->cells[table->count++] = arena_copy(&table->arena, buf_text(&shown));
}

void buf_add_local(struct buf *buf, const char *rfc3339, const struct zone *zone)
{
    char letters[16] = "UTC";
    int64_t at_ms;

    if (!rfc3339 || moment_parse(text_of(rfc3339), &at_ms, NULL) < 0) {
        buf_addc(buf, '-');
        return;
    }
    struct civil c = zone ? zone_civil(zone, at_ms) : civil_of(at_ms);
    if (zone)
        zone_abbreviation(zone, at_ms, letters, sizeof letters);
    buf_addf(buf, "%04d-%02d-%02d %02d:%02d:%02d %s", c.year, c.month, c.day, c.hour, c.minute, c.second, letters);
}

void table_add_moment(struct cli_table *table, const char *rfc3339, const struct zone *zone)
{
    auto_buf struct buf cell;

    buf_init(&cell, 64);
    buf_add_local(&cell, rfc3339, zone);
    table_add(table, "%s", cell.ptr);
}

/* Columns of a terminal: characters, not bytes. Wide East Asian letters count as one; alignment is a courtesy. */
static size_t width(const char *cell)
{
    size_t width = 0;

    for (; *cell; cell++)
        width += ((unsigned char)*cell & 0xC0) != 0x80;
    return width;
}

static void print_row(const struct cli_table *table, size_t row, const size_t *widths, FILE *out)
{
    for (size_t i = 0; i < table->columns; i++) {
        const char *cell = table->cells[row * table->columns + i];
        int pad = (int)(widths[i] - width(cell));
        if (table->right[i])
            fprintf(out, "%*s%s", pad, "", cell);
        else if (i + 1 < table->columns)
            fprintf(out, "%s%*s", cell, pad, "");
        else
            fputs(cell, out);
        fputs(i + 1 < table->columns ? "  " : "\n", out);
    }
}

void table_print(struct cli_table *table, FILE *out)
{
    size_t rows = table->count / table->columns;
    bool bold = colours_wanted(out);

    for (size_t i = 0; i < rows * table->columns; i++) {
        size_t mine = width(table->cells[i]), *widest = &table->widths[i % table->columns];
        if (mine > *widest)
            *widest = mine;
    }
    for (size_t row = 0; row < rows; row++) {
        bool heading = row == 0 && !table->begun;
        if (heading && bold)
            fputs("\033[1m", out);
        print_row(table, row, table->widths, out);
        if (heading && bold)
            fputs("\033[0m", out);
    }
    table->begun = true;
    table->count = 0;
    arena_clear(&table->arena);
}

void table_clear(struct cli_table *table)
{
    arena_clear(&table->arena);
    free(table->cells);
    *table = (struct cli_table){0};
}

struct zone *local_zone_load(void)
{
    static const char folder[] = "/zoneinfo/";
    char link[256];
    const char *name = getenv("TZ");

    if (!name || !*name) {
        ssize_t len = readlink("/etc/localtime", link, sizeof link - 1);
        link[len > 0 ? len : 0] = '\0';
        name = strstr(link, folder);
        name = name ? name + strlen(folder) : "";
    }
    return *name ? zone_load(*name == ':' ? name + 1 : name, NULL) : NULL;
}

bool colours_wanted(FILE *out)
{
    const char *no = getenv("NO_COLOR");

    return isatty(fileno(out)) && !(no && *no);
}

static json_t *visible_text(const char *ptr, size_t len)
{
    auto_buf struct buf shown;

    buf_init(&shown, 4 * len + 1);
    buf_add_visible(&shown, (struct text){ptr, len});
    return json_stringn(shown.ptr ? shown.ptr : "", shown.len);
}

json_t *json_visible(const json_t *value)
{
    const char *key;
    json_t *item;
    size_t i;

    if (json_is_string(value))
        return visible_text(json_string_value(value), json_string_length(value));
    if (json_is_array(value)) {
        json_t *out = json_array();
        json_array_foreach(value, i, item) json_array_append_new(out, json_visible(item));
        return out;
    }
    if (json_is_object(value)) {
        json_t *out = json_object();
        json_object_foreach((json_t *)(uintptr_t)value, key, item)
        {
            json_t *shown = visible_text(key, strlen(key));
            json_object_set_new(out, json_string_value(shown), json_visible(item));
            json_decref(shown);
        }
        return out;
    }
    return json_incref((json_t *)(uintptr_t)value);
}

void json_print(const json_t *value, FILE *out)
{
    json_dumpf(value, out, JSON_INDENT(2) | JSON_ENCODE_ANY | (isatty(fileno(out)) ? JSON_ENSURE_ASCII : 0));
    fputc('\n', out);
}
