/* Our own list of who is not written to, as a whole: printed, and read from a file. A file is read twice: first every
 * line is judged, here and by the daemon; only when all are good, or --skip-bad says so, they are sent. */
#include "audience/csv.h"
#include "cli_rows.h"
#include "known.h"
#include "suppression.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum {
    WINDOW_SIZE = CSV_RECORD_MAX + 256 * 1024,
    BATCH_ENTRIES = 500,     /* what the API takes at once */
    BATCH_BYTES = 48 * 1024, /* ... in a body of 64 KiB */
    BAD_SHOWN = 20,          /* lines that are described */
};

static const struct cli_column columns[] = {
    {"address", "ADDRESS", .spare = true},
    {"key", "KEY", .beside = "address"},
    {"scope", "AUDIENCE", .spare = true},
    {"reason", "REASON"},
    {"at", "SINCE"},
};

int cli_suppressions(const struct cli *cli)
{
    struct store_report what = {.kind = REPORT_SUPPRESSIONS};

    return cli_print_rows(cli, &what, columns, ARRAY_LEN(columns));
}

/* --- A file ---------------------------------------------------------------------------------------------------------
 */

enum field { FIELD_ADDRESS, FIELD_KEY, FIELD_SCOPE, FIELD_REASON, FIELD_AT, FIELDS };

/* What marketing tools call them. Other columns are not read. */
static const struct {
    enum field field;
    const char *name;
} names[] = {
    {FIELD_ADDRESS, "address"},       {FIELD_ADDRESS, "email"},
    {FIELD_ADDRESS, "e-mail"},        {FIELD_ADDRESS, "email address"},
    {FIELD_ADDRESS, "email_address"}, {FIELD_KEY, "key"},
    {FIELD_SCOPE, "scope"},           {FIELD_SCOPE, "audience"},
    {FIELD_REASON, "reason"},         {FIELD_AT, "at"},
};

/* One reading of the file, from its first line to its last. */
struct import {
    const struct cli *cli;
    struct client *client;
    const char *name;
    FILE *file;
    char *window;
    size_t from, to;
    bool final;
    struct csv csv;
    size_t columns;
    int place[FIELDS]; /* the column, or -1 */
    bool check;        /* only judge */
    json_t *batch;
    uint64_t lines[BATCH_ENTRIES]; /* where each entry of the batch stood */
    size_t batch_bytes;
    size_t bad, good;
    int64_t added;
};

static void say_bad(struct import *import, uint64_t line, const char *why)
{
    auto_buf struct buf shown = {0};

    if (++import->bad > BAD_SHOWN || !import->check)
        return;
    buf_init(&shown, 4096);
    buf_add_visible(&shown, text_of(import->name));
    buf_addf(&shown, ":%llu: ", (unsigned long long)line);
    buf_add_visible(&shown, text_of(why));
    fprintf(stderr, "onsale: %.*s\n", TEXT_ARGS(buf_text(&shown)));
}

static int fill_window(struct import *import, struct error *err)
{
    memmove(import->window, import->window + import->from, import->to - import->from);
    import->to -= import->from;
    import->from = 0;
    import->to += fread(import->window + import->to, 1, WINDOW_SIZE - import->to, import->file);
    import->final = feof(import->file);
    if (ferror(import->file))
        return error_set(err, ERROR_TRY_LATER, "%s: %s", import->name, strerror(errno));
    return 0;
}

/* The next line that says something. 1: *row; 0: the end; -1. */
static int next_row(struct import *import, struct arena *arena, struct csv_row *row, struct error *err)
{
    for (;;) {
        struct text window = {import->window + import->from, import->to - import->from};
        size_t used;
        arena_clear(arena);
        enum csv_event event = csv_next(&import->csv, window, import->final, arena, row, &used);
        import->from += used;
        if (event == CSV_END)
            return 0;
        if (event == CSV_ROW)
            return 1;
        if (event == CSV_BAD)
            say_bad(import, row->line, row->why);
        else if (fill_window(import, err) < 0)
            return -1;
    }
}

/* --- The first line --- */

static int find_columns(struct import *import, const struct csv_row *row, struct error *err)
{
    auto_buf struct buf ignored;

    buf_init(&ignored, 1024);
    for (size_t i = 0; i < FIELDS; i++)
        import->place[i] = -1;
    for (size_t i = 0; i < row->count; i++) {
        struct text name = text_trim(row->fields[i]);
        size_t k = 0;
        while (k < ARRAY_LEN(names) && !text_equal_nocase(name, text_of(names[k].name)))
            k++;
        if (k == ARRAY_LEN(names)) {
            buf_adds(&ignored, ignored.len ? ", " : "");
            buf_add_visible(&ignored, text_slice(name, 0, 60));
            continue;
        }
        if (import->place[names[k].field] >= 0)
            return error_set(err, ERROR_REFUSED, "%s:%llu: two columns mean \"%s\": take one away", import->name,
                             (unsigned long long)row->line, names[k].name);
        import->place[names[k].field] = (int)i;
    }
    if (import->place[FIELD_ADDRESS] < 0 && import->place[FIELD_KEY] < 0)
        return error_set(
            err, ERROR_REFUSED,
            "%s:%llu: the first line has to name the columns: address (or email) or key; and scope, reason, "
            "at",
            import->name, (unsigned long long)row->line);
    if (ignored.len && import->check)
        fprintf(stderr, "onsale: not read: %.*s\n", TEXT_ARGS(buf_text(&ignored)));
    import->columns = row->count;
    return 0;
}

static int read_header(struct import *import, struct arena *arena, struct error *err)
{
    struct csv_row row;

    rewind(import->file);
    import->from = import->to = import->bad = import->good = 0;
    import->final = false;
    if (fill_window(import, err) < 0)
        return -1;
    struct text head = {import->window, import->to};
    if (text_starts(head, "\xFF\xFE") || text_starts(head, "\xFE\xFF"))
        return error_set(err, ERROR_REFUSED, "%s: the file is UTF-16; save it as UTF-8", import->name);
    import->from = text_starts(head, "\xEF\xBB\xBF") ? 3 : 0;
    csv_init(&import->csv, csv_guess_separator(text_slice(head, import->from, head.len)));
    int rc = next_row(import, arena, &row, err);
    if (rc == 0)
        return error_set(err, ERROR_REFUSED, "%s: the file is empty", import->name);
    return rc < 0 ? -1 : find_columns(import, &row, err);
}

/* --- Lines to the daemon, in batches --- */

/* Which entry the daemon means: its text begins with "entries.N". */
static bool refused_entry(const struct import *import, const struct error *err, size_t *out)
{
    static const char begin[] = "entries.";
    struct text rest = text_of(err->text), number;
    int64_t at;

    if (err->kind != ERROR_REFUSED || !text_starts(rest, begin))
        return false;
    rest = text_slice(rest, strlen(begin), rest.len);
    number = text_cut(&rest, ':');
    if (parse_i64(number, 0, (int64_t)json_array_size(import->batch) - 1, &at, NULL) < 0)
        return false;
    *out = (size_t)at;
    return true;
}

static void drop_entry(struct import *import, size_t at)
{
    size_t count = json_array_size(import->batch);

    json_array_remove(import->batch, at);
    memmove(import->lines + at, import->lines + at + 1, (count - at - 1) * sizeof *import->lines);
}

/* What the daemon refuses of it is left out, after saying so. */
static int send_batch(struct import *import, struct error *err)
{
    int rc = 0;

    while (json_array_size(import->batch) > 0) {
        json_t *body = json_pack("{s:O, s:b}", "entries", import->batch, "check", import->check), *answer = NULL;
        struct error refused = {0};
        size_t at;
        rc = client_ask(import->client, "POST", "suppressions", body, &answer, &refused);
        json_decref(body);
        import->added += rc == 0 ? json_integer_value(json_object_get(answer, "new")) : 0;
        json_decref(answer);
        if (rc == 1)
            return error_set(err, ERROR_REFUSED, "no daemon runs: start it, it alone changes the list");
        if (rc == 0)
            break;
        if (!refused_entry(import, &refused, &at)) {
            *err = refused;
            return -1;
        }
        say_bad(import, import->lines[at], strchr(refused.text, ':') + 2);
        drop_entry(import, at);
    }
    import->good += json_array_size(import->batch);
    json_array_clear(import->batch);
    import->batch_bytes = 0;
    return 0;
}

static struct text field_at(const struct import *import, const struct csv_row *row, enum field field)
{
    int place = import->place[field];

    return place < 0 ? TEXT("") : text_trim(cli_cell_as_it_was(text_trim(row->fields[place])));
}

static void put(json_t *entry, const char *key, struct text value)
{
    if (value.len)
        json_object_set_new(entry, key, json_stringn(value.ptr, value.len));
}

static int check_audience(const struct settings *settings, const char *name, struct error *err)
{
    auto_free const char **known = must_calloc(settings->audience_count + 1, sizeof *known);

    for (size_t i = 0; i < settings->audience_count; i++)
        known[i] = settings->audiences[i].name;
    return settings_audience(settings, name) ? 0 : known_none("audience", name, known, settings->audience_count, err);
}

static int check_line(const struct import *import, const struct suppression_line *line, struct error *err)
{
    struct suppression read;

    if (suppression_read(line, &read, err) < 0)
        return -1;
    auto_free char *scope = text_dup(read.scope);
    if (!*scope || check_audience(import->client->settings, scope, err) == 0)
        return 0;
    return error_at(err, "scope");
}

static int take_row(struct import *import, const struct csv_row *row, struct error *err)
{
    struct suppression_line line = {.address = field_at(import, row, FIELD_ADDRESS),
                                    .key = field_at(import, row, FIELD_KEY),
                                    .scope = field_at(import, row, FIELD_SCOPE),
                                    .reason = field_at(import, row, FIELD_REASON),
                                    .at = field_at(import, row, FIELD_AT)};
    struct error bad = {0};

    if (import->place[FIELD_SCOPE] < 0)
        line.scope = text_of(import->cli->audience);
    if (check_line(import, &line, &bad) < 0) {
        say_bad(import, row->line, bad.text);
        return 0;
    }
    json_t *entry = json_object();
    put(entry, "address", line.address);
    put(entry, "key", line.key);
    put(entry, "scope", line.scope);
    put(entry, "reason", line.reason);
    put(entry, "at", line.at);
    import->lines[json_array_size(import->batch)] = row->line;
    json_array_append_new(import->batch, entry);
    import->batch_bytes += 64 + 2 * (line.address.len + line.scope.len) + line.key.len + line.reason.len + line.at.len;
    if (json_array_size(import->batch) == BATCH_ENTRIES || import->batch_bytes > BATCH_BYTES)
        return send_batch(import, err);
    return 0;
}

static int read_lines(struct import *import, struct error *err)
{
    struct arena arena = {0};
    struct csv_row row;
    int rc = read_header(import, &arena, err);

    while (rc == 0 && (rc = next_row(import, &arena, &row, err)) == 1) {
        if (row.count == import->columns) {
            rc = take_row(import, &row, err);
        } else {
            struct error bad = {0};
            error_set(&bad, ERROR_REFUSED, "expected %zu columns, as the first line has, found %zu", import->columns,
                      row.count);
            say_bad(import, row.line, bad.text);
            rc = 0;
        }
    }
    if (rc == 0)
        rc = send_batch(import, err);
    arena_clear(&arena);
    return rc;
}

/* --- The command --- */

static int run_import(struct import *import, struct error *err)
{
    import->check = true;
    if (read_lines(import, err) < 0)
        return -1;
    if (import->bad > BAD_SHOWN)
        fprintf(stderr, "onsale: ... and %zu more lines\n", import->bad - BAD_SHOWN);
    if (import->bad && !import->cli->skip_bad)
        return error_set(err, ERROR_REFUSED,
                         "nothing was imported: %zu of %zu lines are bad (--skip-bad takes the others)", import->bad,
                         import->bad + import->good);
    import->check = false;
    import->added = 0;
    if (read_lines(import, err) < 0)
        return -1;
    printf("%zu lines: %lld are not written to any more, %lld were on the list before", import->good,
           (long long)import->added, (long long)((int64_t)import->good - import->added));
    if (import->bad)
        printf("; %zu bad lines were left out", import->bad);
    putchar('\n');
    return 0;
}

/* What comes by a pipe is read twice, too: by way of a file without a name. */
static FILE *open_input(const char *name, struct error *err)
{
    char part[64 * 1024];
    FILE *file = strcmp(name, "-") == 0 ? tmpfile() : fopen(name, "re");

    if (!file) {
        error_set(err, ERROR_REFUSED, "%s: %s", name, strerror(errno));
        return NULL;
    }
    if (strcmp(name, "-") != 0)
        return file;
    for (size_t n; (n = fread(part, 1, sizeof part, stdin)) > 0;)
        if (fwrite(part, 1, n, file) != n)
            break;
    if (!ferror(stdin) && !ferror(file) && fflush(file) == 0)
        return file;
    error_set(err, ERROR_TRY_LATER, "standard input: %s", strerror(errno));
    fclose(file);
    return NULL;
}

int cli_suppress_from(const struct cli *cli)
{
    struct client client = {0};
    struct error err = {0};
    int rc = -1;

    if (cli->argc) {
        fputs("onsale suppress: an ADDRESS, or --from FILE: not both\n", stderr);
        return EXIT_USAGE;
    }
    if (client_open(&client, cli->config, &err) < 0)
        return EXIT_CONFIG;
    bool fine = !cli->audience || check_audience(client.settings, cli->audience, &err) == 0;
    auto_file FILE *file = fine ? open_input(cli->from, &err) : NULL;
    if (file) {
        struct import import = {.cli = cli,
                                .client = &client,
                                .name = strcmp(cli->from, "-") == 0 ? "standard input" : cli->from,
                                .file = file,
                                .window = must_calloc(1, WINDOW_SIZE),
                                .batch = json_array()};
        rc = run_import(&import, &err);
        json_decref(import.batch);
        free(import.window);
    }
    client_close(&client);
    return rc < 0 ? cli_fail(&err) : EXIT_FINE;
}
