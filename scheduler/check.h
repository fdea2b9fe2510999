/* check.h - `onsale check`: what was understood of a configuration, in words that people can proof-read. */
#ifndef ONSALE_CHECK_H
#define ONSALE_CHECK_H

#include "settings.h"

/* Writes sites, audiences, notifiers and rules as sentences and compiles every template that a rule uses; says which
 * rules reach everybody. -1 when a template is at fault: each one is printed, `err` has the first. */
int check_print(const struct settings *settings, FILE *out, struct error *err);

#endif
