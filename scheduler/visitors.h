/* visitors.h - how often each address may ask: a token bucket for each, in a table of fixed size. When it is full, of
 * the few places an address may have, the one that was quiet for longest is given away. Pure; times come in. */
#ifndef ONSALE_VISITORS_H
#define ONSALE_VISITORS_H

#include "config.h"
#include "origin.h"

struct visitors;

/* `rate` many requests on average, twice a second's worth at once (at least ten). `seed`: secret, so that nobody can
 * choose addresses that push each other out. */
struct visitors *visitors_new(struct config_rate rate, uint64_t seed);
void visitors_free(struct visitors *visitors); /* NULL is fine */
/* One request. 0: it may pass. Else after how many ms one may. */
int64_t visitors_take(struct visitors *visitors, const struct origin *from, int64_t now_ms);
/* The same, without a request: nothing is taken. */
int64_t visitors_wait_ms(struct visitors *visitors, const struct origin *from, int64_t now_ms);

#endif
