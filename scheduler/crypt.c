#include "crypt.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

void crypt_hmac(const unsigned char key[CRYPT_KEY_SIZE], struct text message, unsigned char out[32])
{
    if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, CRYPT_KEY_SIZE, (const unsigned char *)message.ptr,
                   message.len, out, 32, NULL)) {
        fputs("onsale: libcrypto offers no HMAC-SHA256\n", stderr);
        abort(); /* a wrong key for a person would tell somebody twice */
    }
}

bool crypt_equal(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0;
}

int crypt_random(void *out, size_t size, struct error *err)
{
    if (size > INT32_MAX || RAND_bytes(out, (int)size) != 1)
        return error_set(err, ERROR_TRY_LATER, "no random bytes from the system");
    return 0;
}

uint64_t crypt_random_u64(void)
{
    uint64_t value;

    if (crypt_random(&value, sizeof value, NULL) < 0) {
        fputs("onsale: no random bytes from the system\n", stderr);
        abort();
    }
    return value;
}

void crypt_leave_thread(void)
{
    OPENSSL_thread_stop();
}
