#include "cli_table.h"

#include <string.h>
#include <sys/ioctl.h>

enum { MOMENT_SIZE = 64 };

void table_init(struct cli_table *table, size_t columns, const char *const *headings)
{
    *table = (struct cli_table){.columns = columns};
    for (size_t i = 0; i < columns; i++) {
        table->column[i].beside = -1;
        table_add(table, "%s", headings[i]);
    }
}

void table_right(struct cli_table *table, size_t column)
{
    table->column[column].right = true;
}

void table_cut(struct cli_table *table, size_t column, size_t least)
{
    table->column[column].fit.least = least;
}

void table_spare(struct cli_table *table, size_t column)
{
    table->column[column].spare = table->column[column].fit.idle = true;
}

void table_spare_beside(struct cli_table *table, size_t column, size_t beside)
{
    table_spare(table, column);
    table->column[column].beside = (int)beside;
}

void table_narrow(struct cli_table *table, size_t column, const char *heading)
{
    table->column[column].narrow = heading;
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

    buf_init(&cell, MOMENT_SIZE);
    buf_add_local(&cell, rfc3339, zone);
    table->column[table->count % table->columns].moments = true;
    table->zone = zone;
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

/* "2027-03-26 10:00:00 EET" as "2027-03-26 10:00", and as "26 Mar 10:00" where the year is the one that anybody would
 * think of. Cells that are no moments stay as they are. */
static void shorten_moment(const char *cell, enum fit_form form, int year, char out[MOMENT_SIZE])
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct civil c = {0};

    snprintf(out, MOMENT_SIZE, "%s", cell);
    if (sscanf(cell, "%4d-%2d-%2d %2d:%2d", &c.year, &c.month, &c.day, &c.hour, &c.minute) != 5 || c.month < 1 ||
        c.month > 12)
        return;
    if (form == FIT_SHORTEST && c.year == year)
        snprintf(out, MOMENT_SIZE, "%2d %.3s %02d:%02d", c.day, months + 3 * ((size_t)c.month - 1), c.hour, c.minute);
    else
        snprintf(out, MOMENT_SIZE, "%04d-%02d-%02d %02d:%02d", c.year, c.month, c.day, c.hour, c.minute);
}

static int year_now(const struct zone *zone)
{
    int64_t now_ms = clock_now_ms(&clock_machine);

    return zone ? zone_civil(zone, now_ms).year : civil_of(now_ms).year;
}

/* A cell as it is written in that form; in `out` where it is another. */
static const char *cell_in(const struct cli_table *table, size_t at, enum fit_form form, char out[MOMENT_SIZE])
{
    const struct cli_table_column *column = &table->column[at % table->columns];
    bool heading = !table->begun && at < table->columns;

    if (heading)
        return form != FIT_WHOLE && column->narrow ? column->narrow : table->cells[at];
    if (form == FIT_WHOLE || !column->moments)
        return table->cells[at];
    shorten_moment(table->cells[at], form, year_now(table->zone), out);
    return out;
}

static bool says_nothing(const char *cell)
{
    return !*cell || strcmp(cell, "-") == 0 || strcmp(cell, "0") == 0;
}

/* Would anybody miss it, were its column left out? */
static bool is_idle(const struct cli_table *table, size_t at)
{
    const struct cli_table_column *column = &table->column[at % table->columns];

    if (!table->begun && at < table->columns)
        return true;
    return column->beside < 0 ? says_nothing(table->cells[at])
                              : !says_nothing(table->cells[at - at % table->columns + (size_t)column->beside]);
}

static void measure(struct cli_table *table, enum fit_form last)
{
    char other[MOMENT_SIZE];

    for (size_t i = 0; i < table->count; i++) {
        struct fit_column *fit = &table->column[i % table->columns].fit;
        for (enum fit_form form = FIT_WHOLE; form <= last; form++) {
            size_t mine = width(cell_in(table, i, form, other));
            if (mine > fit->widths[form])
                fit->widths[form] = mine;
        }
        fit->idle = fit->idle && is_idle(table, i);
    }
}

/* Characters in a line; 0: nobody can tell, or it is no terminal. */
static size_t room_of(FILE *out)
{
    const char *said = getenv("COLUMNS");
    struct winsize size;
    int64_t columns;

    if (!isatty(fileno(out)))
        return 0;
    if (said && parse_i64(text_of(said), 1, 10000, &columns, NULL) == 0)
        return (size_t)columns;
    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* Settled with the first page: what follows stands under the same headings. */
static void settle(struct cli_table *table, size_t room)
{
    struct fit_column columns[TABLE_COLUMNS_MAX];

    for (size_t i = 0; i < table->columns; i++) {
        columns[i] = table->column[i].fit;
        columns[i].width = columns[i].widths[FIT_WHOLE];
    }
    if (room)
        fit_columns(columns, table->columns, room);
    for (size_t i = 0; i < table->columns; i++)
        table->column[i].fit = columns[i];
}

/* A later page may need more than the first, in columns that are not cut. */
static void widen(struct cli_table *table)
{
    for (size_t i = 0; i < table->columns; i++) {
        struct fit_column *fit = &table->column[i].fit;
        if (!fit->left_out && !(fit->least && fit->least <= fit->width) && fit->widths[fit->form] > fit->width)
            fit->width = fit->widths[fit->form];
    }
}

static bool speaks_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *said = getenv(names[i]);
        if (said && *said)
            return strcasestr(said, "utf-8") || strcasestr(said, "utf8");
    }
    return false;
}

/* Bytes of the first `most` characters. */
static size_t bytes_of(const char *cell, size_t most)
{
    size_t at = 0, seen = 0;

    while (cell[at] && seen <= most) {
        seen += ((unsigned char)cell[at] & 0xC0) != 0x80;
        at += seen <= most;
    }
    return at;
}

static void print_cell(const struct cli_table_column *column, const char *cell, bool last, FILE *out)
{
    const char *dots = speaks_utf8() ? "\xE2\x80\xA6" : "...";
    size_t whole = width(cell), room = column->fit.width;
    int pad = whole < room ? (int)(room - whole) : 0;

    if (whole > room && column->fit.least)
        fprintf(out, "%.*s%s", (int)bytes_of(cell, room - width(dots)), cell, dots);
    else if (column->right)
        fprintf(out, "%*s%s", pad, "", cell);
    else
        fprintf(out, "%s%*s", cell, last ? 0 : pad, "");
}

static void print_row(const struct cli_table *table, size_t row, FILE *out)
{
    size_t last = table->columns - 1;
    bool first = true;
    char other[MOMENT_SIZE];

    while (last > 0 && table->column[last].fit.left_out)
        last--;
    for (size_t i = 0; i <= last; i++) {
        const struct cli_table_column *column = &table->column[i];
        if (column->fit.left_out)
            continue;
        fprintf(out, "%*s", first ? 0 : FIT_GAP, "");
        print_cell(column, cell_in(table, row * table->columns + i, column->fit.form, other), i == last, out);
        first = false;
    }
    fputc('\n', out);
}

void table_print(struct cli_table *table, FILE *out)
{
    size_t rows = table->count / table->columns;
    size_t room = room_of(out);
    bool bold = colours_wanted(out);

    measure(table, room ? FIT_SHORTEST : FIT_WHOLE);
    table->begun ? widen(table) : settle(table, room);
    for (size_t row = 0; row < rows; row++) {
        bool heading = row == 0 && !table->begun;
        if (heading && bold)
            fputs("\033[1m", out);
        print_row(table, row, out);
        if (heading && bold)
            fputs("\033[0m", out);
    }
    table->begun = true;
    table->count = 0;
    arena_clear(&table->arena);
}

/* What the terminal did not have room for, and where it is. */
void table_end(struct cli_table *table, FILE *out)
{
    bool cut = false, short_times = false;

    if (table->count)
        table_print(table, out);
    for (size_t i = 0; i < table->columns; i++) {
        const struct fit_column *fit = &table->column[i].fit;
        cut |= fit->left_out ? table->column[i].beside >= 0 : fit->width < fit->widths[fit->form];
        short_times |= table->column[i].moments && fit->form != FIT_WHOLE && !fit->left_out;
    }
    if (cut || short_times)
        fprintf(out, "Cut to the terminal%s%s: `| cat` shows the whole.\n", short_times ? ", times in " : "",
                !short_times  ? ""
                : table->zone ? zone_name(table->zone)
                              : "UTC");
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
