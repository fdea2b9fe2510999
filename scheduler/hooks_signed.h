/* hooks_signed.h - POST /hooks/signed/NAME: Standard Webhooks from a marketing tool, or from what stands between it and
 * us.
 * {"type", "data": {"email" or "source_id", "audience", "kind", "reason"}}; of the type the last word counts, behind
 * dots:
 *
 *   unsubscribed   is not written to any more, as one of an audience or at all; their tools hear of it
 *   bounced        "kind" hard (else soft): is not written to any more at all
 *   complained     likewise
 *
 * Answered when it is on disk. Loop thread. */
#ifndef ONSALE_HOOKS_SIGNED_H
#define ONSALE_HOOKS_SIGNED_H

#include "address.h"
#include "crypt_webhook.h"
#include "server.h"
#include "settings.h"
#include "world.h"

struct hooks_signed;

struct hooks_signed *hooks_signed_new(struct world *world);
void hooks_signed_close(struct hooks_signed *hooks); /* the server answers what waits */
/* From now on these may call, and no others. Copies what it needs. */
void hooks_signed_set(struct hooks_signed *hooks, const struct http_hook *list, size_t count);
void hooks_signed_handle(struct hooks_signed *hooks, struct server_request *request, const struct server_call *call,
                         const char *name);

/* The body, read. Pure. */
enum hook_word_kind {
    HOOK_WORD_OTHER, /* nothing that we act on */
    HOOK_WORD_UNSUBSCRIBED,
    HOOK_WORD_BOUNCED,
    HOOK_WORD_COMPLAINED,
    HOOK_WORD_RESUBSCRIBED, /* only a person or an operator takes a word back */
};
struct hook_word { /* texts are the body's; "" not said */
    enum hook_word_kind kind;
    struct address address; /* text empty: not said, then there is a */
    const char *source_id, *audience, *reason;
    enum feedback feedback; /* of bounced and complained */
};
/* -1: `err` names the field. Nothing of what was sent is repeated in it. */
int hook_word_read(const json_t *body, struct hook_word *out, struct error *err);

#endif
