/* crypt.h - keyed hashes and random bytes (OpenSSL EVP). Any thread. */
#ifndef ONSALE_CRYPT_H
#define ONSALE_CRYPT_H

#include "text.h"

enum { CRYPT_KEY_SIZE = 32 };

/* HMAC-SHA256 (FIPS 198-1). */
void crypt_hmac(const unsigned char key[CRYPT_KEY_SIZE], struct text message, unsigned char out[32]);
/* Are they the same? Takes as long whatever they hold. */
bool crypt_equal(const void *a, const void *b, size_t size);
int crypt_random(void *out, size_t size, struct error *err);
/* Frees what OpenSSL keeps for this thread: the pool's threads end without doing so. */
void crypt_leave_thread(void);
uint64_t crypt_random_u64(void); /* never fails: aborts when the system has no randomness */

#endif
