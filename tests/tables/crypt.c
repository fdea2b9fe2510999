#include "crypt.h"
#include "table.h"

#include <string.h>

static void from_hex(const char *hex, unsigned char *out)
{
    for (; *hex; hex += 2)
        sscanf(hex, "%2hhx", out++);
}

/* RFC 4231 section 4; those whose keys fit ours. HMAC pads a short key with zeros (RFC 2104 section 2). */
static void vectors(void **state)
{
    static const struct {
        const char *key, *message, *mac;
    } cases[] = {
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
         "dddddddddddddddddddddddddddddddddddd",
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {"0102030405060708090a0b0c0d0e0f10111213141516171819",
         "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
         "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned char key[CRYPT_KEY_SIZE] = {0}, message[64], mac[32], out[32];
        from_hex(cases[i].key, key);
        from_hex(cases[i].message, message);
        from_hex(cases[i].mac, mac);
        crypt_hmac(key, (struct text){(const char *)message, strlen(cases[i].message) / 2}, out);
        assert_memory_equal(out, mac, sizeof mac);
    }
}

static void randomness(void **state)
{
    (void)state;
    assert_int_not_equal(crypt_random_u64(), crypt_random_u64());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(randomness),
    };
    return cmocka_run_group_tests_name("crypt", tests, NULL, NULL);
}
