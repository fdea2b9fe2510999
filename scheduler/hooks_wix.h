/* hooks_wix.h - POST /hooks/wix/SITE: Wix's webhooks, tokens signed for the app whose public key the site names.
 * Answered when the signature is judged; what they speak of is read again later. Loop thread. */
#ifndef ONSALE_HOOKS_WIX_H
#define ONSALE_HOOKS_WIX_H

#include "server.h"
#include "world.h"

struct hooks_wix;

struct hooks_wix *hooks_wix_new(struct world *world);
void hooks_wix_close(struct hooks_wix *hooks);
/* The sites have other settings now: keys are read again when they are needed. */
void hooks_wix_reload(struct hooks_wix *hooks);
void hooks_wix_handle(struct hooks_wix *hooks, struct server_request *request, const struct server_call *call,
                      const char *site);

#endif
