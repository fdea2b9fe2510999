/* hooks.h - what other programs tell us, under /hooks/:
 *
 *   POST bounces   as listmonk's own /webhooks/bounce takes them: {"email" or "subscriber_uuid", "campaign_uuid",
 *                  "source", "type": "hard", "soft" or "complaint", "meta", "created_at"}, one or an array. Who calls
 *                  sends a token of http.tokens with scope hook or control, as a bearer token or as the password of
 *                  HTTP Basic
 *   POST wix/SITE      hooks_wix.h
 *   POST signed/NAME   hooks_signed.h
 *
 * Loop thread. */
#ifndef ONSALE_HOOKS_H
#define ONSALE_HOOKS_H

#include "auth.h"
#include "server.h"
#include "world.h"

struct hooks;

struct hooks *hooks_new(struct world *world, struct auth *auth, const struct http_settings *http);
void hooks_reload(struct hooks *hooks, const struct http_settings *http);
void hooks_close(struct hooks *hooks); /* the server answers what waits */
void hooks_handle(struct hooks *hooks, struct server_request *request, const struct server_call *call);

/* Server's questions about a path. A hook that is signed is judged by its signature, whoever carries it and however
 * often: the rate of one address is for those that are not. */
bool hooks_charge(const char *path);
/* Bytes of a body, 0: as others. An order of fifty tickets, twice wrapped in strings, is 59 KiB without what each guest
 * was asked. */
size_t hooks_body_max(const char *path);

/* One entry of a hook's body, as it stands there. Pure. */
struct hook_bounce {
    struct address address;      /* text empty: not given */
    const char *subscriber_uuid; /* ... then this; borrowed from the body */
    enum feedback kind;
    const char *source; /* "" none */
};
enum { HOOK_ENTRIES_MAX = 100 };
/* -1: `err` names the entry and the field. Nothing of what was sent is repeated in it. */
int hook_bounces_read(const json_t *body, struct hook_bounce out[HOOK_ENTRIES_MAX], size_t *count, struct error *err);

#endif
