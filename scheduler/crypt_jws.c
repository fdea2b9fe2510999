#include "crypt_jws.h"

#include "letters.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

enum {
    KEY_TEXT_MAX = 16 * 1024,
    BITS_MIN = 2048,
    BITS_MAX = 8192, /* what takes longer is made to take long */
    SIGNATURE_MAX = BITS_MAX / 8,
    HEADER_MAX = 4096,
};

struct crypt_jws_key {
    EVP_PKEY *pkey;
};

/* --- Keys -----------------------------------------------------------------------------------------------------------
 */

static const char key_expected[] =
    "expected the public key of the Wix app: a PEM block BEGIN PUBLIC KEY, or that in base64 on one line";

/* Without it an encrypted key would ask the terminal, and wait. */
static int no_password(char *out, int size, int writing, void *ctx)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

static EVP_PKEY *read_pem(struct text pem)
{
    BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL) : NULL;

    BIO_free(bio);
    ERR_clear_error(); /* of a failure that was to be expected; the queue is the thread's */
    return pkey;
}

struct crypt_jws_key *crypt_jws_key_new(struct text text, struct error *err)
{
    struct crypt_jws_key *key = NULL;
    struct text pem = text_trim(text);
    auto_free char *decoded = NULL;

    if (pem.len > KEY_TEXT_MAX) {
        error_set(err, ERROR_CONFIG, "%s; found more than %d bytes", key_expected, KEY_TEXT_MAX);
        return NULL;
    }
    if (!text_starts(pem, "-----BEGIN")) {
        size_t size = 0;
        decoded = must_calloc(1, KEY_TEXT_MAX);
        if (letters_read(LETTERS_BASE64, pem, decoded, KEY_TEXT_MAX, &size) < 0)
            size = 0;
        pem = (struct text){decoded, size};
    }
    key = must_calloc(1, sizeof *key);
    key->pkey = text_starts(pem, "-----BEGIN PUBLIC KEY-----") ? read_pem(pem) : NULL;
    if (!key->pkey) {
        error_set(err, ERROR_CONFIG, "%s", key_expected);
        goto fail;
    }
    if (!EVP_PKEY_is_a(key->pkey, "RSA")) {
        error_set(err, ERROR_CONFIG, "%s; found one that is not RSA", key_expected);
        goto fail;
    }
    if (EVP_PKEY_get_bits(key->pkey) < BITS_MIN || EVP_PKEY_get_bits(key->pkey) > BITS_MAX) {
        error_set(err, ERROR_CONFIG, "expected an RSA key of %d to %d bits, found %d", BITS_MIN, BITS_MAX,
                  EVP_PKEY_get_bits(key->pkey));
        goto fail;
    }
    return key;
fail:
    crypt_jws_key_free(key);
    return NULL;
}

struct crypt_jws_key *crypt_jws_key_load(const char *path, struct error *err)
{
    auto_file FILE *file = fopen(path, "re");
    auto_free char *text = must_calloc(1, KEY_TEXT_MAX + 2);
    struct error why = {0};

    if (!file) {
        error_set(err, ERROR_CONFIG, "%s: %s", path, strerror(errno));
        return NULL;
    }
    size_t size = fread(text, 1, KEY_TEXT_MAX + 1, file);
    struct crypt_jws_key *key = crypt_jws_key_new((struct text){text, size}, &why);
    if (!key)
        error_set(err, why.kind, "%s: %s", path, why.text);
    return key;
}

void crypt_jws_key_free(struct crypt_jws_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

/* --- Tokens ---------------------------------------------------------------------------------------------------------
 */

/* One part of a token, decoded; NUL ends. */
static char *decode(struct text part, size_t max, size_t *size)
{
    char *out = must_calloc(1, part.len + 1);

    if (part.len > 0 && part.len <= max && letters_read(LETTERS_BASE64URL, part, out, part.len, size) == 0)
        return out;
    free(out);
    return NULL;
}

static json_t *decode_object(struct text part, size_t max)
{
    size_t size;
    auto_free char *text = decode(part, max, &size);
    json_t *root = text ? json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL) : NULL;

    if (json_is_object(root))
        return root;
    json_decref(root);
    return NULL;
}

static int check_header(struct text part, struct error *err)
{
    json_t *header = decode_object(part, HEADER_MAX);
    const char *algorithm = json_string_value(json_object_get(header, "alg"));
    bool known =
        algorithm && json_string_length(json_object_get(header, "alg")) == 5 && strcmp(algorithm, "RS256") == 0;
    bool critical = json_object_get(header, "crit") != NULL;

    json_decref(header);
    if (!header)
        return error_set(err, ERROR_REFUSED, "the token's header is no JSON object in base64url");
    if (!known)
        return error_set(err, ERROR_REFUSED, "the token is not signed by RS256");
    if (critical) /* RFC 7515 section 4.1.11: whoever does not know it refuses it, and we know none */
        return error_set(err, ERROR_REFUSED, "the token's header has a crit");
    return 0;
}

static int check_signature(const struct crypt_jws_key *key, struct text signed_part, struct text part,
                           struct error *err)
{
    size_t size = 0;
    auto_free char *signature = decode(part, SIGNATURE_MAX * 4 / 3 + 4, &size);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = signature && ctx && (int)size == EVP_PKEY_get_size(key->pkey) &&
                EVP_DigestVerifyInit_ex(ctx, NULL, "SHA256", NULL, NULL, key->pkey, NULL) == 1 &&
                EVP_DigestVerify(ctx, (const unsigned char *)signature, size, (const unsigned char *)signed_part.ptr,
                                 signed_part.len) == 1;

    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return good ? 0 : error_set(err, ERROR_REFUSED, "the token is not signed by our key");
}

/* NumericDate of RFC 7519, which may have a fraction. 1: there is none. */
static int read_date(const json_t *claims, const char *name, double *out_ms, struct error *err)
{
    const json_t *value = json_object_get(claims, name);

    if (!value)
        return 1;
    if (!json_is_number(value))
        return error_set(err, ERROR_REFUSED, "the token's %s is no number", name);
    *out_ms = json_number_value(value) * 1000;
    return 0;
}

static int check_dates(const json_t *claims, int64_t now_ms, struct error *err)
{
    double until_ms = 0, from_ms = 0, leeway_ms = JWS_LEEWAY_MS;
    int has_until = read_date(claims, "exp", &until_ms, err), has_from = read_date(claims, "nbf", &from_ms, err);

    if (has_until < 0 || has_from < 0)
        return -1;
    if (has_until == 0 && !((double)now_ms < until_ms + leeway_ms))
        return error_set(err, ERROR_REFUSED, "the token has expired");
    if (has_from == 0 && !((double)now_ms >= from_ms - leeway_ms))
        return error_set(err, ERROR_REFUSED, "the token is not good yet");
    return 0;
}

json_t *crypt_jws_verify(const struct crypt_jws_key *key, struct text token, int64_t now_ms, struct error *err)
{
    struct text rest = token, header = text_cut(&rest, '.'), payload = text_cut(&rest, '.'), signature = rest;
    size_t dots = 0;
    json_t *claims;

    if (token.len > JWS_MAX) {
        error_set(err, ERROR_REFUSED, "the token is larger than %d KiB", JWS_MAX / 1024);
        return NULL;
    }
    for (size_t i = 0; i < token.len; i++)
        dots += token.ptr[i] == '.';
    if (dots != 2) {
        error_set(err, ERROR_REFUSED, "a token has three parts with dots between");
        return NULL;
    }
    if (check_header(header, err) < 0 ||
        check_signature(key, text_slice(token, 0, header.len + 1 + payload.len), signature, err) < 0)
        return NULL;
    claims = decode_object(payload, JWS_MAX);
    if (!claims)
        error_set(err, ERROR_REFUSED, "the token's claims are no JSON object in base64url");
    else if (check_dates(claims, now_ms, err) == 0)
        return claims;
    json_decref(claims);
    return NULL;
}
