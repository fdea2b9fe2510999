/* estimate.h - how many people each planned notice will reach, counted from time to time without storing anybody. One
 * audience is read at a time, and none while something is due. Loop thread. */
#ifndef ONSALE_ESTIMATE_H
#define ONSALE_ESTIMATE_H

#include "world.h"

struct estimates;

struct estimates *estimates_new(struct world *world);
void estimates_free(struct estimates *estimates);

/* After a full walk: counts anew what is older than an hour. Notices get the sum over their audiences; somebody in two
 * of them counts twice, which is why it is shown as an estimate. */
void estimates_refresh(struct estimates *estimates);

#endif
