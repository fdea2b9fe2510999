/* A token from outside: what is taken is taken again, and no letter of it may be another. */
#include "crypt_jws.h"

#include <assert.h>
#include <string.h>

/* The seeds were signed with this one. */
static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
                          "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAmoIlV44ayD509ohCjEVS\n"
                          "50lbt9UfWr0KdbqJ6Kk8k+FHUqgra3cq8e4wnSNxSyeUgKDqJ/95gBJyofg9TBLM\n"
                          "55x2LEmPSLPUsS5BooGtMvocmkbxN8aArj5wfU5HdnFmL/inE4UQxKSWgOcGPbrq\n"
                          "dM7gGK3yGHQw40Fmzd3mB8Ys9KzBRoz05MFTrjFXyx95VcHLWwmrmSBwY0UY4eVp\n"
                          "LxmocblM5Ljvibwco1B42w465YYF8TpDOjmH3XIcMaMImHk8RMO7pbherZfphZnB\n"
                          "2c9JcuiCfHau9z7alzC6EWZzHGEn3fFSRP+Xtr/PQgWZnwUQCTbedQOgmt7pR/N4\n"
                          "wwIDAQAB\n"
                          "-----END PUBLIC KEY-----\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct crypt_jws_key *key;
    struct text token = {(const char *)data, size};
    struct error err = {0};

    if (!key)
        key = crypt_jws_key_new(TEXT(pem), NULL);
    json_t *claims = crypt_jws_verify(key, token, 1806048004000, &err);
    assert(!claims == (err.kind == ERROR_REFUSED));
    if (claims)
        assert(size == 447 && memcmp(data, "eyJraWQiOiJwazlMeDIiLCJhbGciOiJSUzI1NiJ9.", 41) == 0);
    json_decref(claims);
    crypt_jws_key_free(crypt_jws_key_new(token, NULL));
    return 0;
}
