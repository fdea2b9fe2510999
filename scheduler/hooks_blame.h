/* hooks_blame.h - what is wrong with hooks is said in the log, at a bounded rate: whoever guesses fills no disk. Loop
 * thread. */
#ifndef ONSALE_HOOKS_BLAME_H
#define ONSALE_HOOKS_BLAME_H

#include "world.h"

struct hooks_blame {
    int64_t last_mono_ms; /* of the last line; MOMENT_NONE: none yet */
    unsigned long before; /* so many that it stands for */
};

static inline void hooks_blame(struct hooks_blame *blame, const struct world *world, const char *what, const char *name,
                               const char *from, const char *why)
{
    enum { EVERY_MS = 10 * SECOND_MS };
    int64_t mono_ms = clock_mono_ms(world->clock);

    if (blame->last_mono_ms != MOMENT_NONE && mono_ms - blame->last_mono_ms < EVERY_MS) {
        blame->before++;
        return;
    }
    log_line(world->log, LOG_WARNING, "event=hook_refused what=%s name=%s from=%s why=%s before=%lu", what, name,
             LOG_QUOTED(text_of(from)), LOG_QUOTED(text_of(why)), blame->before);
    blame->last_mono_ms = mono_ms;
    blame->before = 0;
}

#endif
