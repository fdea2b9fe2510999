#include "crypt_jws.h"
#include "jws_sample.h"
#include "letters.h"
#include "table.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

/* Made with the openssl command: jws_sample.h's key in base64 on one line, and a token signed with it. */
static const char fixed_line[] =
    "LS0tLS1CRUdJTiBQVUJMSUMgS0VZLS0tLS0KTUlJQklqQU5CZ2txaGtpRzl3MEJBUUVGQUFPQ0FROEFNSUlCQ2dLQ0FRRUFtb0ls"
    "VjQ0YXlENTA5b2hDakVWUwo1MGxidDlVZldyMEtkYnFKNktrOGsrRkhVcWdyYTNjcThlNHduU054U3llVWdLRHFKLzk1Z0JKeW9m"
    "ZzlUQkxNCjU1eDJMRW1QU0xQVXNTNUJvb0d0TXZvY21rYnhOOGFBcmo1d2ZVNUhkbkZtTC9pbkU0VVF4S1NXZ09jR1BicnEKZE03"
    "Z0dLM3lHSFF3NDBGbXpkM21COFlzOUt6QlJvejA1TUZUcmpGWHl4OTVWY0hMV3dtcm1TQndZMFVZNGVWcApMeG1vY2JsTTVManZp"
    "YndjbzFCNDJ3NDY1WVlGOFRwRE9qbUgzWEljTWFNSW1IazhSTU83cGJoZXJaZnBoWm5CCjJjOUpjdWlDZkhhdTl6N2FsekM2RVda"
    "ekhHRW4zZkZTUlArWHRyL1BRZ1dabndVUUNUYmVkUU9nbXQ3cFIvTjQKd3dJREFRQUIKLS0tLS1FTkQgUFVCTElDIEtFWS0tLS0t"
    "Cg==";
static const char fixed_token[] =
    "eyJraWQiOiJwazlMeDIiLCJhbGciOiJSUzI1NiJ9.eyJkYXRhIjoie30iLCJpYXQiOjE4MDYwNDgwMDQsImV4cCI6MTgwNjA1MTY"
    "wNH0.k_dGTv2Q-p0ftGf8j6C7j3LkWLoB7zff1HWzcdGstSkTkfBclL0apn5q-CnxvV6vU6ZwIIBzJGTqXvP687sjvEka8zKwf-4"
    "uMwnP8GNBDxou2HdzMbXlV3GNbwcIlZVt5D-n_hbEaydMs6dwr2PbxoL-QKl_aQ64ZpLu-fAZwsDLaxq_2WzZDSWpNNAHLpq-1Q9"
    "sH6igwqCQ05grX-Bw91dpu0GlLmkT2UMzxL6UPimkvw9Sypc4lPV1qBnwCsfFBMNFsNxdNNgdptQsA8-R3Yx_8TtxmAnpLGQ8-fc"
    "gzNY_UajqjTzdE4zQeXdWTLbJi58pVF7jYr25ki_HKkjcyw";
static const char weak_pem[] = /* 1024 bits */
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCrlHCL1voFun3NzttSUSID5Ju7\n"
    "fOOUN9zdUCxiWIS4mGh973fANUmCvppJAY9ixDFq7kZuxwSRAoFbP7nQggitV7vq\n"
    "WJoagcfOhswH9UpsMb1onLsFC5gN8ZQy1Xt/uqBfXE61XTGTRuL0ppsqXu/okt0D\n"
    "UhakzcOJXl2GgEipQwIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
static const char curve_pem[] = /* P-256 */
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEDU55Kve3dvMI5FUi7mF192axT7ZL\n"
    "exF2uQ6mPZ07fBgspd51MVmBsNigpAtyWPu1tpfg0evZkL5N+NqniEANEw==\n"
    "-----END PUBLIC KEY-----\n";

static const int64_t noon_ms = 1806048004000; /* the token's iat */
#define GOOD "{\"kid\":\"pk9Lx2\",\"alg\":\"RS256\"}"
#define CLAIMS "{\"data\":\"{}\",\"iat\":1806048004,\"exp\":1806051604}"

static EVP_PKEY *ours, *others;
static struct crypt_jws_key *key;
static char *our_pem;

static char *pem_of(EVP_PKEY *pkey)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes;

    assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
    long size = BIO_get_mem_data(bio, &bytes);
    char *pem = text_dup((struct text){bytes, (size_t)size});
    BIO_free(bio);
    return pem;
}

static int setup(void **state)
{
    (void)state;
    ours = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    others = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    our_pem = pem_of(ours);
    key = crypt_jws_key_new(text_of(our_pem), NULL);
    return key ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    crypt_jws_key_free(key);
    EVP_PKEY_free(ours);
    EVP_PKEY_free(others);
    free(our_pem);
    return 0;
}

/* --- Making tokens
 * ---------------------------------------------------------------------------------------------------- */

static void add_part(struct buf *out, const void *bytes, size_t size)
{
    auto_free char *letters = must_calloc(1, letters_count(LETTERS_BASE64URL, size) + 1);

    letters_write(LETTERS_BASE64URL, bytes, size, letters);
    if (out->len > 0)
        buf_addc(out, '.');
    buf_adds(out, letters);
}

enum by { BY_US, BY_OTHERS, BY_PEM /* HMAC with our public key, as it stands in its file */, BY_NOBODY };

static size_t sign(enum by by, struct text what, unsigned char *out, size_t room)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t size = by == BY_NOBODY ? 0 : room;

    if (by == BY_PEM)
        assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, our_pem, strlen(our_pem),
                                  (const unsigned char *)what.ptr, what.len, out, room, &size));
    if (by == BY_US || by == BY_OTHERS) {
        assert_int_equal(EVP_DigestSignInit_ex(ctx, NULL, "SHA256", NULL, NULL, by == BY_US ? ours : others, NULL), 1);
        assert_int_equal(EVP_DigestSign(ctx, out, &size, (const unsigned char *)what.ptr, what.len), 1);
    }
    EVP_MD_CTX_free(ctx);
    return size;
}

static char *token_of(const char *header, const char *claims, enum by by)
{
    struct buf token;
    unsigned char signature[512];

    buf_init(&token, 4 * JWS_MAX);
    add_part(&token, header, strlen(header));
    add_part(&token, claims, strlen(claims));
    size_t size = sign(by, buf_text(&token), signature, sizeof signature);
    add_part(&token, signature, size);
    return buf_take(&token);
}

static void expect(const char *name, const char *token, size_t len, int64_t now_ms, const char *says)
{
    struct error err = {0};
    json_t *claims = crypt_jws_verify(key, (struct text){token, len}, now_ms, &err);

    if (!claims != !!says || (says && (!strstr(err.text, says) || err.kind != ERROR_REFUSED)))
        fail_msg("%s: %s %s", name, claims ? "taken" : "refused:", err.text);
    json_decref(claims);
}

/* --- Cases
 * ------------------------------------------------------------------------------------------------------------ */

static void judged(void **state)
{
    static const struct {
        const char *name, *header, *claims;
        enum by by;
        int64_t later_ms;
        const char *says; /* NULL: taken */
    } cases[] = {
        {"good", GOOD, CLAIMS, BY_US, 0, NULL},
        {"any kid", "{\"kid\":\"other\",\"alg\":\"RS256\",\"typ\":\"JWT\"}", CLAIMS, BY_US, 0, NULL},
        {"no dates", GOOD, "{\"data\":\"{}\"}", BY_US, 0, NULL},
        /* who signed it, and how */
        {"wrong key", GOOD, CLAIMS, BY_OTHERS, 0, "not signed by our key"},
        {"none", "{\"alg\":\"none\"}", CLAIMS, BY_NOBODY, 0, "RS256"},
        {"None", "{\"alg\":\"None\"}", CLAIMS, BY_US, 0, "RS256"},
        {"RS256, but nobody's", GOOD, CLAIMS, BY_NOBODY, 0, "not signed by our key"},
        {"HS256 by the public key", "{\"alg\":\"HS256\"}", CLAIMS, BY_PEM, 0, "RS256"},
        {"HS256 that says RS256", GOOD, CLAIMS, BY_PEM, 0, "not signed by our key"},
        {"PS256", "{\"alg\":\"PS256\"}", CLAIMS, BY_US, 0, "RS256"},
        {"RS512", "{\"alg\":\"RS512\"}", CLAIMS, BY_US, 0, "RS256"},
        {"no alg", "{\"kid\":\"pk9Lx2\"}", CLAIMS, BY_US, 0, "RS256"},
        {"alg twice", "{\"alg\":\"none\",\"alg\":\"RS256\"}", CLAIMS, BY_US, 0, "no JSON object"},
        {"alg is a list", "{\"alg\":[\"RS256\"]}", CLAIMS, BY_US, 0, "RS256"},
        {"alg with a tail", "{\"alg\":\"RS256\\u0000\"}", CLAIMS, BY_US, 0, ""},
        {"crit", "{\"alg\":\"RS256\",\"crit\":[\"exp\"]}", CLAIMS, BY_US, 0, "crit"},
        {"crit of nothing", "{\"alg\":\"RS256\",\"crit\":null}", CLAIMS, BY_US, 0, "crit"},
        {"header with a tail", GOOD "x", CLAIMS, BY_US, 0, "no JSON object"},
        {"header is a list", "[]", CLAIMS, BY_US, 0, "no JSON object"},
        /* what it says */
        {"claims are a list", GOOD, "[]", BY_US, 0, "claims"},
        {"claims twice", GOOD, "{\"exp\":1,\"exp\":1806051604}", BY_US, 0, "claims"},
        {"claims with a tail", GOOD, CLAIMS "{}", BY_US, 0, "claims"},
        {"exp, nearly", GOOD, CLAIMS, BY_US, 3600000 + JWS_LEEWAY_MS - 1, NULL},
        {"expired", GOOD, CLAIMS, BY_US, 3600000 + JWS_LEEWAY_MS, "expired"},
        {"exp is a text", GOOD, "{\"exp\":\"1806051604\"}", BY_US, 0, "exp is no number"},
        {"exp is null", GOOD, "{\"exp\":null}", BY_US, 0, "exp is no number"},
        {"exp below zero", GOOD, "{\"exp\":-1e300}", BY_US, 0, "expired"},
        {"nbf, nearly", GOOD, "{\"nbf\":1806048064}", BY_US, 0, NULL},
        {"not yet", GOOD, "{\"nbf\":1806048065}", BY_US, 0, "not good yet"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *token = token_of(cases[i].header, cases[i].claims, cases[i].by);
        expect(cases[i].name, token, strlen(token), noon_ms + cases[i].later_ms, cases[i].says);
    }
}

/* The same token, written otherwise. */
static void written(void **state)
{
    auto_free char *token = token_of(GOOD, CLAIMS, BY_US), *other = token_of(GOOD, "{\"data\":1}", BY_US);
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t len = strlen(token), second = strcspn(token, "."), third = second + 1 + strcspn(token + second + 1, ".");
    char copy[4096];

    (void)state;
    static const char *const tails[] = {"=", "==", "A", "AAAA", ".", ".e30", "\n", " ", "#"};
    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        int size = snprintf(copy, sizeof copy, "%s%s", token, tails[i]);
        expect(tails[i], copy, (size_t)size, noon_ms, "");
    }
    static const char *const heads[] = {" ", "\n", "=", "."};
    for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
        int size = snprintf(copy, sizeof copy, "%s%s", heads[i], token);
        expect(heads[i], copy, (size_t)size, noon_ms, "");
    }
    expect("a zero byte behind", token, len + 1, noon_ms, "");
    /* 256 bytes are 341 letters and two bits to spare */
    memcpy(copy, token, len + 1);
    size_t last = (size_t)(strchr(letters, copy[len - 1]) - letters);
    assert_int_equal(last % 4, 0);
    copy[len - 1] = letters[last + 1];
    expect("spare bits of the signature", copy, len, noon_ms, "");
    for (size_t cut = 0; cut < len; cut++)
        expect("cut short", token, cut, noon_ms, "");
    for (size_t i = 0; i < len; i += 7) {
        memcpy(copy, token, len + 1);
        copy[i] = copy[i] == 'A' ? 'B' : 'A';
        expect("a letter changed", copy, len, noon_ms, "");
    }
    int size = snprintf(copy, sizeof copy, "%.*s.%s", (int)third, token, strrchr(other, '.') + 1);
    expect("another one's signature", copy, (size_t)size, noon_ms, "not signed by our key");
    size = snprintf(copy, sizeof copy, "%.*s..%s", (int)second, token, token + third + 1);
    expect("nothing claimed", copy, (size_t)size, noon_ms, "not signed by our key");
    static const char *const shapes[] = {"", ".", "..", "...", "a.b.c", "{\"payload\":\"\",\"signatures\":[]}"};
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
        expect(shapes[i], shapes[i], strlen(shapes[i]), noon_ms, "");
}

static void large(void **state)
{
    char *claims = must_calloc(1, JWS_MAX + 16);

    (void)state;
    memset(claims, ' ', JWS_MAX);
    memcpy(claims, "{}", 2);
    claims[JWS_MAX / 4 * 3 - 400] = '\0';
    char *token = token_of(GOOD, claims, BY_US);
    expect("large", token, strlen(token), noon_ms, NULL);
    free(token);
    memset(claims + 2, ' ', JWS_MAX);
    claims[JWS_MAX / 4 * 3] = '\0';
    token = token_of(GOOD, claims, BY_US);
    expect("too large", token, strlen(token), noon_ms, "larger than");
    free(token);
    free(claims);
}

static void keys(void **state)
{
    const struct {
        const char *name, *text, *says; /* NULL: taken */
    } cases[] = {
        {"a file", sample_pem, NULL},
        {"on one line", fixed_line, NULL},
        {"nothing", "", "expected the public key"},
        {"something else", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "expected the public key"},
        {"half", "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n", "expected the public key"},
        {"a private one", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n", "expected the public key"},
        {"an encrypted one", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n", "expected the public key"},
        {"weak", weak_pem, "2048 to 8192 bits, found 1024"},
        {"not RSA", curve_pem, "not RSA"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = {0};
        struct crypt_jws_key *one = crypt_jws_key_new(text_of(cases[i].text), &err);
        if (!one != !!cases[i].says ||
            (cases[i].says && (!strstr(err.text, cases[i].says) || err.kind != ERROR_CONFIG)))
            fail_msg("%s: %s %s", cases[i].name, one ? "taken" : "refused:", err.text);
        json_t *claims = one ? crypt_jws_verify(one, text_of(fixed_token), noon_ms, &err) : NULL;
        if (one && !claims)
            fail_msg("%s: %s", cases[i].name, err.text);
        json_decref(claims);
        crypt_jws_key_free(one);
    }
    expect("a token for another key", fixed_token, strlen(fixed_token), noon_ms, "not signed by our key");
    struct error err = {0};
    assert_null(crypt_jws_key_load("/nowhere/wix.pem", &err));
    assert_non_null(strstr(err.text, "/nowhere/wix.pem: No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judged),
        cmocka_unit_test(written),
        cmocka_unit_test(large),
        cmocka_unit_test(keys),
    };
    return cmocka_run_group_tests_name("crypt_jws", tests, setup, teardown);
}
