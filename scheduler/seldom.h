/* seldom.h - trouble that lasts is told when it begins, then ever more rarely, and when it is over. Pure: a monotonic
 * clock's milliseconds come in. Zero bytes is one that is not in trouble. */
#ifndef ONSALE_SELDOM_H
#define ONSALE_SELDOM_H

#include <stdbool.h>
#include <stdint.h>

struct seldom {
    bool on;
    unsigned told; /* times, after the first */
    int64_t since_ms, told_ms;
};

/* It is there, or still there; `other`: it is not what was told last. True: say it now. */
bool seldom_goes_on(struct seldom *seldom, int64_t mono_ms, bool other);
/* It is over: how long it lasted, or -1 when there was none. */
int64_t seldom_ends(struct seldom *seldom, int64_t mono_ms);

#endif
