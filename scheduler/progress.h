/* progress.h - how far each notice is that gathers or sends: at most two events a second for each, and a last one with
 * the exact counts. Called for every turn of the ledger, so it is cheap. Loop thread. */
#ifndef ONSALE_PROGRESS_H
#define ONSALE_PROGRESS_H

#include "world.h"

struct progress *progress_new(struct world *world);
void progress_free(struct progress *progress); /* before the world's events; NULL is fine */

/* The notice's tally may have changed. NULL is fine. */
void progress_note(struct progress *progress, const struct notice *notice);
/* People a second in what it does now, of the last seconds; 0 when nothing moved lately. NULL is fine. */
int64_t progress_per_second(struct progress *progress, const struct notice *notice);
/* What is not said yet is said now: the notice is about to be told of in another way. NULL is fine. */
void progress_say(struct progress *progress, const struct notice *notice);

#endif
