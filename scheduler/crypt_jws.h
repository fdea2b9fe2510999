/* crypt_jws.h - tokens that others signed: JWS in compact form (RFC 7515), RS256 alone. The key says how it is judged,
 * never the token. Pure but for reading the file of a key; one thread at a time. */
#ifndef ONSALE_CRYPT_JWS_H
#define ONSALE_CRYPT_JWS_H

#include "text.h"

#include <jansson.h>

enum {
    JWS_MAX = 256 * 1024,  /* bytes of a token */
    JWS_LEEWAY_MS = 60000, /* how far their clock and ours may be apart */
};

struct crypt_jws_key; /* parsed once: that takes 17 times as long as a signature */

/* An RSA key of 2048 bits or more, as a PEM file of a public key (SPKI, RFC 7468 section 13), or that in base64 on one
 * line. */
struct crypt_jws_key *crypt_jws_key_new(struct text text, struct error *err);
struct crypt_jws_key *crypt_jws_key_load(const char *path, struct error *err);
void crypt_jws_key_free(struct crypt_jws_key *key); /* NULL is fine */

/* The claims, yours, of a token that this key signed and that is good now: `exp` and `nbf` count where they are there.
 * NULL: `err` says why, and repeats nothing of the token. */
json_t *crypt_jws_verify(const struct crypt_jws_key *key, struct text token, int64_t now_ms, struct error *err);

#endif
