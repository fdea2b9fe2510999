#include "crypt_webhook.h"

#include "crypt.h"
#include "letters.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

static const char secret_prefix[] = "whsec_", signature_prefix[] = "v1,";

enum { MAC_SIZE = 32 };

/* --- Secrets --------------------------------------------------------------------------------------------------------
 */

int webhook_secret_parse(struct text text, struct webhook_secret *out, struct error *err)
{
    size_t prefix = strlen(secret_prefix);

    *out = (struct webhook_secret){0};
    if (!text_starts(text, secret_prefix) ||
        letters_read(LETTERS_BASE64, text_slice(text, prefix, text.len), out->bytes, sizeof out->bytes, &out->size) <
            0 ||
        out->size < WEBHOOK_SECRET_MIN) {
        webhook_secret_clear(out);
        return error_set(err, ERROR_CONFIG, "expected whsec_ and %d to %d bytes in base64", WEBHOOK_SECRET_MIN,
                         WEBHOOK_SECRET_MAX);
    }
    return 0;
}

int webhook_secrets_parse(struct text text, struct webhook_secret out[WEBHOOK_SECRETS_MAX], size_t *count,
                          struct error *err)
{
    struct text rest = text_trim(text);

    memset(out, 0, WEBHOOK_SECRETS_MAX * sizeof *out);
    *count = 0;
    while (rest.len > 0) {
        struct text one = text_cut(&rest, ' ');
        if (*count == WEBHOOK_SECRETS_MAX)
            return error_set(err, ERROR_CONFIG, "expected at most %d secrets", WEBHOOK_SECRETS_MAX);
        if (one.len > 0 && webhook_secret_parse(one, &out[(*count)++], err) < 0)
            return -1;
    }
    return *count > 0 ? 0 : error_set(err, ERROR_CONFIG, "expected a secret that begins with whsec_");
}

void webhook_secret_clear(struct webhook_secret *secret)
{
    OPENSSL_cleanse(secret, sizeof *secret);
}

/* --- Signatures -----------------------------------------------------------------------------------------------------
 */

static bool mac_update(EVP_MAC_CTX *ctx, struct text part)
{
    return part.len == 0 || EVP_MAC_update(ctx, (const unsigned char *)part.ptr, part.len) == 1;
}

/* In pieces: a body is not copied to stand behind its id. */
static void make_mac(const struct webhook_secret *secret, struct text id, struct text timestamp, struct text body,
                     unsigned char out[MAC_SIZE])
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *ctx = mac ? EVP_MAC_CTX_new(mac) : NULL;
    size_t size = 0;

    if (!ctx || EVP_MAC_init(ctx, secret->bytes, secret->size, params) != 1 || !mac_update(ctx, id) ||
        !mac_update(ctx, TEXT(".")) || !mac_update(ctx, timestamp) || !mac_update(ctx, TEXT(".")) ||
        !mac_update(ctx, body) || EVP_MAC_final(ctx, out, &size, MAC_SIZE) != 1 || size != MAC_SIZE) {
        fputs("onsale: libcrypto offers no HMAC-SHA256\n", stderr);
        abort(); /* what is not made would be compared */
    }
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
}

static void write_signature(const struct webhook_secret *secret, struct text id, struct text timestamp,
                            struct text body, char out[WEBHOOK_SIGNATURE_SIZE])
{
    unsigned char mac[MAC_SIZE];
    size_t prefix = strlen(signature_prefix);

    make_mac(secret, id, timestamp, body, mac);
    memcpy(out, signature_prefix, prefix);
    letters_write(LETTERS_BASE64, mac, sizeof mac, out + prefix);
    out[WEBHOOK_SIGNATURE_SIZE - 1] = '\0';
}

void webhook_sign(const struct webhook_secret *secret, struct text id, int64_t timestamp_s, struct text body,
                  char out[WEBHOOK_SIGNATURE_SIZE])
{
    char timestamp[24];

    snprintf(timestamp, sizeof timestamp, "%lld", (long long)timestamp_s);
    write_signature(secret, id, text_of(timestamp), body, out);
}

/* --- Verification ---------------------------------------------------------------------------------------------------
 */

/* Visible ASCII: it is kept, and named in logs. The specification wants no dots in it, which part what is signed. */
static bool is_id(struct text id)
{
    if (id.len == 0 || id.len > WEBHOOK_ID_MAX)
        return false;
    for (size_t i = 0; i < id.len; i++)
        if (id.ptr[i] <= ' ' || id.ptr[i] > '~' || id.ptr[i] == '.')
            return false;
    return true;
}

static int check_timestamp(struct text timestamp, int64_t now_ms, struct error *err)
{
    int64_t at_s;

    if (parse_i64(timestamp, 0, INT64_MAX / 2000, &at_s, NULL) < 0)
        return error_set(err, ERROR_REFUSED, "webhook-timestamp: expected Unix seconds");
    if (at_s * 1000 < now_ms - WEBHOOK_LEEWAY_MS)
        return error_set(err, ERROR_REFUSED, "webhook-timestamp: more than five minutes ago");
    if (at_s * 1000 > now_ms + WEBHOOK_LEEWAY_MS)
        return error_set(err, ERROR_REFUSED, "webhook-timestamp: more than five minutes ahead");
    return 0;
}

int webhook_verify(const struct webhook_secret *secrets, size_t count, const struct webhook_headers *headers,
                   struct text body, int64_t now_ms, struct error *err)
{
    char expected[WEBHOOK_SECRETS_MAX][WEBHOOK_SIGNATURE_SIZE];
    struct text rest = headers->signature;
    bool found = false;

    if (!is_id(headers->id))
        return error_set(err, ERROR_REFUSED, "webhook-id: expected 1 to %d visible characters without dots",
                         WEBHOOK_ID_MAX);
    if (check_timestamp(headers->timestamp, now_ms, err) < 0)
        return -1;
    for (size_t i = 0; i < count && i < WEBHOOK_SECRETS_MAX; i++)
        write_signature(&secrets[i], headers->id, headers->timestamp, body, expected[i]);
    while (rest.len > 0) { /* a receiver passes over versions that it does not know */
        struct text one = text_cut(&rest, ' ');
        for (size_t i = 0; one.len == WEBHOOK_SIGNATURE_SIZE - 1 && i < count && i < WEBHOOK_SECRETS_MAX; i++)
            found |= crypt_equal(one.ptr, expected[i], WEBHOOK_SIGNATURE_SIZE - 1);
    }
    OPENSSL_cleanse(expected, sizeof expected);
    return found ? 0 : error_set(err, ERROR_REFUSED, "webhook-signature: none that our secret makes");
}
