/* writeback.h - marketing tools hear of unsubscribes: what waits in the store is told to each audience's tool, one
 * person after another, as often as it takes. Our own list counts from the moment of the unsubscribe; this only carries
 * it on. Loop thread. */
#ifndef ONSALE_WRITEBACK_H
#define ONSALE_WRITEBACK_H

#include "world.h"

struct writeback;

/* For the audiences of the world that can be written to; what waits is tried at once, as somebody may have repaired
 * what was wrong. What is for an audience that left the configuration stays where it is, until that is back. */
struct writeback *writeback_new(struct world *world);
/* Whoever is being told right now is told again by the next one. NULL is fine. */
void writeback_free(struct writeback *writeback);
/* Looks what is to be told. Call it after something was stored, as often as you like; NULL is fine. */
void writeback_look(struct writeback *writeback);

#endif
