/* known.h - somebody named what there is not: said with the nearest name, or with those there are. */
#ifndef ONSALE_KNOWN_H
#define ONSALE_KNOWN_H

#include "world.h"

/* "there is no rule "on-sael" (did you mean "on-sale"?)"; `what` is "rule". Returns -1. */
int known_none(const char *what, const char *wrong, const char *const *names, size_t count, struct error *err);

/* Of what is configured. */
int known_no_site(const struct world *world, const char *wrong, struct error *err);
int known_no_rule(const struct world *world, const char *wrong, struct error *err);
int known_no_notifier(const struct world *world, const char *wrong, struct error *err);
int known_no_audience(const struct world *world, const char *wrong, struct error *err);

#endif
