/* follow.h - what planning found becomes the state of the notices. Loop thread. */
#ifndef ONSALE_FOLLOW_H
#define ONSALE_FOLLOW_H

#include "world.h"

/* Takes the steps in their order, in memory: what changed is marked unsaved, and launches have to look afterwards. */
void follow_plan(struct world *world, const char *site, const struct plan *plan);

#endif
