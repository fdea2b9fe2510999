/* measures.h - how things stand, as gauges: taken from memory when somebody asks for the metrics. No store, no disk, no
 * waiting. Loop thread. */
#ifndef ONSALE_MEASURES_H
#define ONSALE_MEASURES_H

#include "metrics.h"
#include "server.h"
#include "world.h"

/* Sets every gauge of world->metrics, and the counters that others keep. `server` is asked who is there; NULL: nobody.
 */
void measures_take(const struct world *world, const struct server *server);

#endif
