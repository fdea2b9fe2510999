/* cli_rows.h - a long listing, page by page: a table, JSON, or a file for a spreadsheet. */
#ifndef ONSALE_CLI_ROWS_H
#define ONSALE_CLI_ROWS_H

#include "cli_report.h"

struct cli_column {
    const char *key, *heading; /* of the rows; "at" and what ends in "_at" are moments */
    size_t least;              /* on a narrow terminal the text may be cut to so much; 0: never */
    bool spare;                /* ... or left out when it says nothing, */
    const char *beside;        /* ... or when that column says enough in each row; NULL: it does not matter */
};
/* A whole listing by --json, --csv, or as a table. Gives what the program exits with. */
int cli_print_rows(const struct cli *cli, struct store_report *what, const struct cli_column *columns, size_t count);
/* What print_cell() put in front of a cell, taken away again. */
struct text cli_cell_as_it_was(struct text cell);

#endif
