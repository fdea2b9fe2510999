/* crypt_webhook.h - signatures of Standard Webhooks (standardwebhooks.com, version 1): "v1," and HMAC-SHA256 in base64
 * over ID.TIMESTAMP.BODY, with a secret written "whsec_" and base64. Pure; any thread. */
#ifndef ONSALE_CRYPT_WEBHOOK_H
#define ONSALE_CRYPT_WEBHOOK_H

#include "text.h"

enum {
    WEBHOOK_SECRET_MIN = 24, /* bytes, decoded */
    WEBHOOK_SECRET_MAX = 64,
    WEBHOOK_SECRETS_MAX = 4,      /* of one sender: the old one and the new one, and then some */
    WEBHOOK_SIGNATURE_SIZE = 48,  /* "v1,", 44 letters and the NUL */
    WEBHOOK_ID_MAX = 128,         /* characters of a webhook-id */
    WEBHOOK_LEEWAY_MS = 5 * 60000 /* how far a webhook-timestamp may be from now, either way */
};

struct webhook_secret {
    unsigned char bytes[WEBHOOK_SECRET_MAX];
    size_t size;
};

/* -1: `err` says what was expected, never what was there. */
int webhook_secret_parse(struct text text, struct webhook_secret *out, struct error *err);
/* One to WEBHOOK_SECRETS_MAX of them, blanks between. */
int webhook_secrets_parse(struct text text, struct webhook_secret out[WEBHOOK_SECRETS_MAX], size_t *count,
                          struct error *err);
void webhook_secret_clear(struct webhook_secret *secret); /* overwrites it */

/* What goes into the header webhook-signature beside these in webhook-id and webhook-timestamp (Unix seconds, of this
 * attempt); with several secrets, several of them with blanks between. */
void webhook_sign(const struct webhook_secret *secret, struct text id, int64_t timestamp_s, struct text body,
                  char out[WEBHOOK_SIGNATURE_SIZE]);

/* The headers of a webhook as they came. */
struct webhook_headers {
    struct text id, timestamp, signature;
};
/* 0: signed with one of the secrets, over this very body, and neither older nor newer than the leeway. -1: `err` says
 * which of it fails. Takes as long wherever a signature is wrong. */
int webhook_verify(const struct webhook_secret *secrets, size_t count, const struct webhook_headers *headers,
                   struct text body, int64_t now_ms, struct error *err);

#endif
