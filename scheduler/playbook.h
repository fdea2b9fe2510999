/* playbook.h - what the rules of one configuration say: with their templates, and the settings that all of it points
 * into. A notice that has begun ends as it began, so behind a reload an older playbook stays for as long as one of them
 * needs it. Loop thread. */
#ifndef ONSALE_PLAYBOOK_H
#define ONSALE_PLAYBOOK_H

#include "settings.h"
#include "world.h"

/* Takes over `settings`, also by a failure. It stands before those that the world has, and its rules are the world's;
 * they are bound to nothing yet. */
int playbook_open(struct world *world, struct settings *settings, const char *const *template_folders,
                  struct error *err);
/* Before its parts go: notes which notices have begun, and by which rule. */
void playbook_note_begun(struct world *world);
/* The world's channels and audiences are there: every rule finds its own by name. A begun notice whose rule does not
 * find them all goes on by the present one; playbooks that nobody needs go. */
void playbook_bind(struct world *world);
/* Whether a reload leaves what begun notices were made from; else `err` says what is missing. */
int playbook_check(struct world *world, const struct settings *next, struct error *err);
void playbook_close_all(struct world *world);

#endif
