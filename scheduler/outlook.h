/* outlook.h - keeps what will come in view: how long each notice ahead of us will take, by forecast.h, and whether that
 * is within its rule's finish_within. Says so when it changes: log, event, one letter to the operators. Loop thread. */
#ifndef ONSALE_OUTLOOK_H
#define ONSALE_OUTLOOK_H

#include "world.h"

struct outlook;

struct outlook *outlook_new(struct world *world);
void outlook_free(struct outlook *outlook);
/* People were counted or gathered, something was planned, a notifier is another: thinks again, in a moment. NULL is
 * fine. */
void outlook_refresh(struct outlook *outlook);

#endif
