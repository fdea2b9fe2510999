#include "crypt_siv.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

/* A context is good for one message and a key is set into it in 2.5 us: copies of a prepared one are made in half of
 * that. */
struct crypt_siv {
    EVP_CIPHER_CTX *sealing, *opening; /* prepared, never used up */
    EVP_CIPHER_CTX *work;
};

struct crypt_siv *crypt_siv_new(const unsigned char *key, size_t size, struct error *err)
{
    struct crypt_siv *siv = must_calloc(1, sizeof *siv);
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, size == 32 ? "AES-128-SIV" : "AES-256-SIV", NULL);

    siv->sealing = EVP_CIPHER_CTX_new();
    siv->opening = EVP_CIPHER_CTX_new();
    siv->work = EVP_CIPHER_CTX_new();
    if (!cipher || !siv->sealing || !siv->opening || !siv->work || EVP_CIPHER_get_key_length(cipher) != (int)size ||
        !EVP_EncryptInit_ex2(siv->sealing, cipher, key, NULL, NULL) ||
        !EVP_DecryptInit_ex2(siv->opening, cipher, key, NULL, NULL)) {
        ERR_clear_error();
        error_set(err, ERROR_CONFIG, "libcrypto offers no AES-SIV");
        crypt_siv_free(siv);
        siv = NULL;
    }
    EVP_CIPHER_free(cipher); /* the contexts hold it */
    return siv;
}

void crypt_siv_free(struct crypt_siv *siv)
{
    if (!siv)
        return;
    EVP_CIPHER_CTX_free(siv->sealing);
    EVP_CIPHER_CTX_free(siv->opening);
    EVP_CIPHER_CTX_free(siv->work);
    free(siv);
}

static const unsigned char *bytes_of(struct text t)
{
    return (const unsigned char *)t.ptr;
}

static bool add_all(struct crypt_siv *siv, const struct text *with, size_t with_count)
{
    int len;

    for (size_t i = 0; i < with_count; i++)
        if (!EVP_CipherUpdate(siv->work, NULL, &len, bytes_of(with[i]), (int)with[i].len))
            return false;
    return true;
}

int crypt_siv_seal(struct crypt_siv *siv, const struct text *with, size_t with_count, struct text plain,
                   unsigned char *out)
{
    int len;

    if (EVP_CIPHER_CTX_copy(siv->work, siv->sealing) && add_all(siv, with, with_count) &&
        EVP_EncryptUpdate(siv->work, out + SIV_TAG_SIZE, &len, bytes_of(plain), (int)plain.len) &&
        EVP_EncryptFinal_ex(siv->work, out + SIV_TAG_SIZE + len, &len) &&
        EVP_CIPHER_CTX_ctrl(siv->work, EVP_CTRL_AEAD_GET_TAG, SIV_TAG_SIZE, out) > 0)
        return 0;
    ERR_clear_error();
    return -1;
}

int crypt_siv_open(struct crypt_siv *siv, const struct text *with, size_t with_count, struct text sealed,
                   unsigned char *out)
{
    unsigned char tag[SIV_TAG_SIZE];
    int len;

    if (sealed.len <= SIV_TAG_SIZE)
        return -1;
    memcpy(tag, sealed.ptr, sizeof tag);
    sealed = text_slice(sealed, SIV_TAG_SIZE, sealed.len);
    if (EVP_CIPHER_CTX_copy(siv->work, siv->opening) &&
        EVP_CIPHER_CTX_ctrl(siv->work, EVP_CTRL_AEAD_SET_TAG, SIV_TAG_SIZE, tag) > 0 &&
        add_all(siv, with, with_count) && EVP_DecryptUpdate(siv->work, out, &len, bytes_of(sealed), (int)sealed.len) &&
        EVP_DecryptFinal_ex(siv->work, out + len, &len))
        return 0;
    OPENSSL_cleanse(out, sealed.len);
    ERR_clear_error(); /* expected; the queue would confuse the next caller of this thread */
    return -1;
}
