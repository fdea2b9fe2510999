/* settings_check.h - inside of settings.c only: what no table can say because it needs more than one key. */
#ifndef ONSALE_SETTINGS_CHECK_H
#define ONSALE_SETTINGS_CHECK_H

#include "settings.h"

/* Records a problem in settings->doc for everything that does not fit together. Fields may be missing: their problems
 * are recorded already. */
void settings_check(struct settings *settings);

/* --- settings_webhooks.c --- */
void settings_check_webhooks(struct settings *settings);
/* --- settings_check.c, for its neighbours --- */
bool settings_is_name(const char *name);
bool settings_is_url(const char *url); /* http or https, without user and password */

#endif
