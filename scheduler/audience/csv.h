/* csv.h - one record after another out of delimited text (RFC 4180 and what people really have). Pure: bytes in,
 * fields out; the caller owns the window and slides it. Between two records nothing is remembered but the line number,
 * so a reader can go on at any record's first byte.
 *
 * Line ends are LF, CRLF or CR. A quote opens a quoted field only as the field's first byte; elsewhere it stands for
 * itself. A record that is not valid UTF-8 is taken for Windows-1252, each record on its own, so that one old line in a
 * newer file does not spoil the rest. After a record that cannot be read, reading goes on at the line behind the
 * record's first line: a quote that is never closed costs one line, not the file. */
#ifndef ONSALE_CSV_H
#define ONSALE_CSV_H

#include "text.h"

enum {
    CSV_FIELD_MAX = 64 * 1024, /* bytes, as written */
    CSV_RECORD_MAX = 1024 * 1024,
    CSV_COLUMNS_MAX = 512,
};

enum csv_event {
    CSV_ROW,
    CSV_BAD,  /* `why` says what was wrong with the record at `line` */
    CSV_MORE, /* the window ends inside a record: slide it by what was used, fill it up, ask again */
    CSV_END,
};

struct csv {
    char separator;
    uint64_t line;        /* of the next record, from 1 */
    const char *skipping; /* why the rest of a bad record's line is passed over, while its end is not in sight; NULL */
    struct text fields[CSV_COLUMNS_MAX];
};

struct csv_row {
    uint64_t line;             /* where the record began */
    const struct text *fields; /* in the window or the arena */
    size_t count;
    const char *why; /* static; CSV_BAD */
};

void csv_init(struct csv *csv, char separator);

/* The most frequent of ',' ';' and tab outside quotes in the first line; ',' when there is none. */
char csv_guess_separator(struct text data);

/* Reads the record at the start of `window`; `final` when nothing follows the window in the file. `*used` is how many
 * bytes to slide by, whatever the event. A window of more than CSV_RECORD_MAX bytes never answers CSV_MORE with
 * nothing used. Decoded fields go to `arena`. */
enum csv_event csv_next(struct csv *csv, struct text window, bool final, struct arena *arena, struct csv_row *row,
                        size_t *used);

#endif
