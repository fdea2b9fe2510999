/* check.h - `onsale check`: what was understood of a configuration, in words that people can proof-read. */
#ifndef ONSALE_CHECK_H
#define ONSALE_CHECK_H

#include "settings.h"

/* Writes sites, audiences, notifiers and rules as sentences, opens every plugin and compiles every template that a rule
 * uses; says which rules reach everybody. -1 when a plugin or template is at fault: each is printed, `err` has the
 * first. Runs an event loop of its own. */
int check_print(const struct settings *settings, FILE *out, struct error *err);

#endif
