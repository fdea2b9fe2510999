/* cli_table.h - what people read: tables aligned by what a terminal shows, local times with the zone named, colours
 * only on a tty. Nothing that comes from outside steers the terminal. */
#ifndef ONSALE_CLI_TABLE_H
#define ONSALE_CLI_TABLE_H

#include "zone.h"

#include <jansson.h>

enum { TABLE_COLUMNS_MAX = 16 };

struct cli_table {
    struct arena arena;
    const char **cells; /* row by row, those not printed yet; the first row of all is the heading */
    size_t columns, count, cap;
    size_t widths[TABLE_COLUMNS_MAX]; /* of what was printed already: a long table comes page by page */
    bool right[TABLE_COLUMNS_MAX];    /* numbers */
    bool begun;                       /* the heading is out */
};

void table_init(struct cli_table *table, size_t columns, const char *const *headings);
void table_right(struct cli_table *table, size_t column);
void table_add(struct cli_table *table, const char *format, ...) PRINTF_LIKE(2, 3);           /* the next cell */
void table_add_moment(struct cli_table *table, const char *rfc3339, const struct zone *zone); /* NULL or "": "-" */
/* Prints the rows and forgets them; more may follow. */
void table_print(struct cli_table *table, FILE *out);
void table_clear(struct cli_table *table);

struct zone *local_zone_load(void); /* TZ, else /etc/localtime's name, else UTC; for zone_free() */
bool colours_wanted(FILE *out);     /* a tty, and NO_COLOR is not set */
void buf_add_local(struct buf *buf, const char *rfc3339, const struct zone *zone); /* "2027-03-26 10:00:00 EET" */

/* A copy of an answer whose texts and keys are as buf_add_visible() shows them; a new reference. */
json_t *json_visible(const json_t *value);
/* For people and for programs: indented, and ASCII where it goes to a terminal. */
void json_print(const json_t *value, FILE *out);

#endif
