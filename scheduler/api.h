/* api.h - control: what the command line and other programs ask of a running daemon, under /api/v1/. openapi.json says
 * what there is and what it answers, and is served at /api/openapi.json; api_request.c has the routes. Refusals are
 * problem details (RFC 9457): 400 what was asked is no request, 401 and 403 who asks may not (auth.h), 404 there is no
 * such thing, 409 it cannot be done as things stand. Loop thread. */
#ifndef ONSALE_API_H
#define ONSALE_API_H

#include "auth.h"
#include "world.h"

struct api;

struct api *api_new(struct world *world, struct auth *auth);
void api_handle(struct api *api, struct server_request *request, const struct server_call *call);
/* Other tokens count now: who listens by one shows it again. */
void api_tokens_changed(struct api *api);
void api_close(struct api *api); /* before the server: what waits is answered by server_close() */

#endif
