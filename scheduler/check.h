/* check.h - `onsale check`: what was understood of a configuration, in words that people can proof-read. */
#ifndef ONSALE_CHECK_H
#define ONSALE_CHECK_H

#include "settings.h"

/* Writes sites, audiences, notifiers and rules as sentences, opens every plugin and compiles every template that a rule
 * uses; says which rules reach everybody. -1 when a plugin or template is at fault: each is printed, `err` has the
 * first. Runs an event loop of its own. */
int check_print(const struct settings *settings, FILE *out, struct error *err);
/* Reaches every service and says of each what it saw, a line each: sites, audiences and how many people each rule
 * reaches, notifiers, SPF and DMARC. Nothing is sent or stored. -1 when something failed. Every step has a time limit.
 */
int check_online(const struct settings *settings, FILE *out);

#endif
