/* cli_table.h - tables for people: aligned by what a terminal shows, colours only on a tty, times local with the zone
 * named. */
#ifndef ONSALE_CLI_TABLE_H
#define ONSALE_CLI_TABLE_H

#include "zone.h"

struct cli_table {
    struct arena arena;
    const char **cells; /* row by row; the first row is the heading */
    size_t columns, count;
    bool right[16]; /* numbers */
};

void table_init(struct cli_table *table, size_t columns, const char *const *headings);
void table_right(struct cli_table *table, size_t column);
void table_add(struct cli_table *table, const char *format, ...) PRINTF_LIKE(2, 3);           /* the next cell */
void table_add_moment(struct cli_table *table, const char *rfc3339, const struct zone *zone); /* NULL or "": "-" */
void table_print(struct cli_table *table, FILE *out);
void table_clear(struct cli_table *table);

struct zone *local_zone_load(void); /* TZ, else /etc/localtime's name, else UTC; for zone_free() */
bool colours_wanted(FILE *out);     /* a tty, and NO_COLOR is not set */
void buf_add_local(struct buf *buf, const char *rfc3339, const struct zone *zone); /* "2027-03-26 10:00:00 EET" */

#endif
