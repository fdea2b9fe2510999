/* A token from outside: what is taken is taken again, and no letter of it may be another. */
#include "../tables/jws_sample.h"
#include "crypt_jws.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct crypt_jws_key *key;
    struct text token = {(const char *)data, size};
    struct error err = {0};

    if (!key)
        key = crypt_jws_key_new(TEXT(sample_pem), NULL);
    json_t *claims = crypt_jws_verify(key, token, 1806048004000, &err);
    assert(!claims == (err.kind == ERROR_REFUSED));
    if (claims)
        assert(size == 447 && memcmp(data, "eyJraWQiOiJwazlMeDIiLCJhbGciOiJSUzI1NiJ9.", 41) == 0);
    json_decref(claims);
    crypt_jws_key_free(crypt_jws_key_new(token, NULL));
    return 0;
}
