/* crypt_siv.h - AES-SIV (RFC 5297): encryption that is deterministic, needs no nonce and notices any change. One thread
 * at a time. */
#ifndef ONSALE_CRYPT_SIV_H
#define ONSALE_CRYPT_SIV_H

#include "text.h"

enum { SIV_TAG_SIZE = 16 };

struct crypt_siv; /* one key, its schedule computed */
/* `size`: 32 bytes of key for AES-128-SIV, 64 for AES-256-SIV. */
struct crypt_siv *crypt_siv_new(const unsigned char *key, size_t size, struct error *err);
void crypt_siv_free(struct crypt_siv *siv);

/* Writes SIV_TAG_SIZE + plain.len bytes; nothing in `with` may be empty. 0, or -1 when libcrypto fails. */
int crypt_siv_seal(struct crypt_siv *siv, const struct text *with, size_t with_count, struct text plain,
                   unsigned char *out);
/* Writes sealed.len - SIV_TAG_SIZE bytes. -1: not sealed so; `out` is zeroed then. */
int crypt_siv_open(struct crypt_siv *siv, const struct text *with, size_t with_count, struct text sealed,
                   unsigned char *out);

#endif
