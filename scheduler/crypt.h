/* crypt.h - keyed hashes and random bytes (OpenSSL EVP). Any thread. */
#ifndef ONSALE_CRYPT_H
#define ONSALE_CRYPT_H

#include "text.h"

enum { CRYPT_KEY_SIZE = 32, PERSON_KEY_SIZE = 16 };

/* The keys that lie beside the database, not in it: file of 0600, made at first start. */
struct crypt_keys {
    unsigned char person[CRYPT_KEY_SIZE];     /* hashes of addresses */
    unsigned char message_id[CRYPT_KEY_SIZE]; /* Message-ID and VERP tokens */
};
int crypt_keys_load(const char *path, bool create, struct crypt_keys *out, struct error *err);

/* HMAC-SHA256 (FIPS 198-1). */
void crypt_hmac(const unsigned char key[CRYPT_KEY_SIZE], struct text message, unsigned char out[32]);
/* The first 16 bytes of it, over the normal form of an address. */
void crypt_person_key(const struct crypt_keys *keys, const char *address_key, unsigned char out[PERSON_KEY_SIZE]);
/* 26 characters of lower-case base32 (RFC 4648 alphabet, no padding) of a keyed hash over "NOTICE|KEY|CHANNEL"; NUL
 * ends. */
void crypt_message_token(const struct crypt_keys *keys, int64_t notice, const unsigned char person[PERSON_KEY_SIZE],
                         const char *channel, char out[27]);
/* Are they the same? Takes as long whatever they hold. */
bool crypt_equal(const void *a, const void *b, size_t size);
int crypt_random(void *out, size_t size, struct error *err);
uint64_t crypt_random_u64(void); /* never fails: aborts when the system has no randomness */

#endif
