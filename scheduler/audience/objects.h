/* objects.h - one JSON value after another out of a file: JSON lines, or the elements of one array. Pure; it only finds
 * where values begin and end, so that a file of any size is read through a window. As in csv.h, nothing is remembered
 * between two values but the line number. */
#ifndef ONSALE_OBJECTS_H
#define ONSALE_OBJECTS_H

#include "text.h"

enum { OBJECT_MAX = 1024 * 1024 }; /* bytes of one value */

enum objects_event {
    OBJECTS_ONE,
    OBJECTS_BAD, /* a line that is too long; reading can go on */
    OBJECTS_MORE,
    OBJECTS_END,
    OBJECTS_BROKEN, /* the array makes no sense from here on; `why` */
};

struct objects {
    bool array;
    uint64_t line;         /* of the next value, from 1 */
    uint64_t skipped_from; /* inside a line that is too long; else 0 */
    bool closed;           /* the array's last bracket was seen */
};

struct object {
    uint64_t line;
    struct text json; /* in the window */
    const char *why;  /* static */
};

void objects_init(struct objects *objects, bool array);
/* As csv_next(). The window of an array starts behind its opening bracket. */
enum objects_event objects_next(struct objects *objects, struct text window, bool final, struct object *out,
                                size_t *used);

#endif
