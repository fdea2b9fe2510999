/* turns.h - how long the turns of the loop take: everything that anybody wants of the loop waits for the turn before
 * it. Loop thread. */
#ifndef ONSALE_TURNS_H
#define ONSALE_TURNS_H

#include "metrics.h"

#include <uv.h>

/* Embedded in who owns the loop; moves no more once it has begun. It keeps no loop alive. */
struct turns {
    uv_check_t check;
    struct metric_series *took;
    uint64_t at_ns, idle_ns; /* as of the last turn's end, 0: none has been; the loop's waiting so far */
};

/* Before the loop first runs. */
void turns_begin(struct turns *turns, uv_loop_t *loop, struct metrics *metrics);
void turns_end(struct turns *turns);

#endif
