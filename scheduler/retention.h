/* retention.h - forgets what is too old, slice by slice, whenever nothing else is about to happen. Loop thread. */
#ifndef ONSALE_RETENTION_H
#define ONSALE_RETENTION_H

#include "world.h"

struct retention;

struct retention *retention_new(struct world *world, int64_t keep_people_ms, int64_t keep_reports_ms);
void retention_free(struct retention *retention); /* NULL is fine */

#endif
