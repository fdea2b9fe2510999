/* cli_fit.h - how a table becomes as narrow as the terminal: what may be cut is cut, what says nothing is left out,
 * what has a shorter way to be written is written so, in this order and no further than it takes. What may not be cut
 * (ids, addresses, numbers) is never: such a table is wider than its terminal. Pure. */
#ifndef ONSALE_CLI_FIT_H
#define ONSALE_CLI_FIT_H

#include <stdbool.h>
#include <stddef.h>

enum fit_form { FIT_WHOLE, FIT_SHORT, FIT_SHORTEST, FIT_FORMS };

struct fit_column {
    size_t widths[FIT_FORMS]; /* of the widest cell, heading among them, in each way to write it */
    size_t least;             /* it may be cut to so much; 0: never */
    bool idle;                /* says nothing in any row: it may be left out */
    /* what was found */
    bool left_out;
    enum fit_form form;
    size_t width; /* to print it with; less than widths[form] where it is cut */
};

enum { FIT_GAP = 2 }; /* blanks between columns */

/* False: it does not fit `room`, and is as narrow as it can be. */
bool fit_columns(struct fit_column *columns, size_t count, size_t room);

#endif
