/* cli_table.h - what people read: tables aligned by what a terminal shows and as narrow as it is, local times with the
 * zone named, colours only on a tty. Nothing that comes from outside steers the terminal. Without a terminal nothing is
 * cut, shortened or left out. */
#ifndef ONSALE_CLI_TABLE_H
#define ONSALE_CLI_TABLE_H

#include "cli_fit.h"
#include "zone.h"

#include <jansson.h>

enum { TABLE_COLUMNS_MAX = 16 };

struct cli_table {
    struct arena arena;
    const char **cells; /* row by row, those not printed yet; the first row of all is the heading */
    size_t columns, count, cap;
    struct cli_table_column {
        const char *narrow;    /* the heading where room is short; NULL: the same */
        bool right;            /* numbers */
        bool moments;          /* by table_add_moment() */
        bool spare;            /* may be left out when it says nothing */
        int beside;            /* ... or when that column of each row does; -1: none */
        struct fit_column fit; /* widths: of what was printed already, too: a long table comes page by page */
    } column[TABLE_COLUMNS_MAX];
    const struct zone *zone; /* of the moments; borrowed */
    bool begun;              /* the heading is out, and what is cut and left out is settled */
};

/* `headings` outlive the table. */
void table_init(struct cli_table *table, size_t columns, const char *const *headings);
void table_right(struct cli_table *table, size_t column);
void table_cut(struct cli_table *table, size_t column, size_t least); /* a text that may be cut where room is short */
void table_spare(struct cli_table *table, size_t column); /* may be left out when all of it is "", "-" or 0 */
/* ... or when column `beside` says enough in each row. */
void table_spare_beside(struct cli_table *table, size_t column, size_t beside);
void table_narrow(struct cli_table *table, size_t column, const char *heading);               /* a shorter one */
void table_add(struct cli_table *table, const char *format, ...) PRINTF_LIKE(2, 3);           /* the next cell */
void table_add_moment(struct cli_table *table, const char *rfc3339, const struct zone *zone); /* NULL or "": "-" */
/* Prints the rows and forgets them; more may follow. */
void table_print(struct cli_table *table, FILE *out);
/* Prints what is left, and whether all of it could be seen. */
void table_end(struct cli_table *table, FILE *out);
void table_clear(struct cli_table *table);

struct zone *local_zone_load(void); /* TZ, else /etc/localtime's name, else UTC; for zone_free() */
bool colours_wanted(FILE *out);     /* a tty, and NO_COLOR is not set */
void buf_add_local(struct buf *buf, const char *rfc3339, const struct zone *zone); /* "2027-03-26 10:00:00 EET" */

/* A copy of an answer whose texts and keys are as buf_add_visible() shows them; a new reference. */
json_t *json_visible(const json_t *value);
/* For people and for programs: indented, and ASCII where it goes to a terminal. */
void json_print(const json_t *value, FILE *out);

#endif
