/* settings_check.h - inside of settings.c only: what no table can say because it needs more than one key. */
#ifndef ONSALE_SETTINGS_CHECK_H
#define ONSALE_SETTINGS_CHECK_H

#include "settings.h"
#include "settings_demand.h"

/* Records a problem in settings->doc for everything that does not fit together. Fields may be missing: their problems
 * are recorded already. */
void settings_check(struct settings *settings);

/* Its sections that are files of their own. */
void settings_check_http(struct settings *settings, const struct demand_names *audiences);
void settings_check_webhooks(struct settings *settings, const struct demand_names *sites);

#endif
