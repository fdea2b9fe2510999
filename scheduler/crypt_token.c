#include "crypt_token.h"

#include "crypt_siv.h"
#include "letters.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

enum {
    VERSION = 1,
    HEADER_SIZE = 2, /* version, id of the key */
    FIELDS = 5,
    PLAIN_MAX = FIELDS * (1 + TICKET_FIELD_MAX),
    SEALED_MAX = HEADER_SIZE + SIV_TAG_SIZE + PLAIN_MAX,
    BLOCK_SIZE = 16,
    NUMBER_SIZE = MESSAGE_TOKEN_NUMBER_BITS / 8,
};

static_assert(UNSUBSCRIBE_TOKEN_MAX == (SEALED_MAX * 8 + 5) / 6, "the longest token");

struct crypt_tokens {
    struct crypt_siv *unsubscribe[CRYPT_UNSUBSCRIBE_ID_MAX + 1]; /* by id */
    unsigned sealing;                                            /* the id of the newest */
    EVP_CIPHER_CTX *encrypt, *decrypt;                           /* one block, by the message-id key */
};

static EVP_CIPHER_CTX *block_cipher(const unsigned char key[CRYPT_KEY_SIZE], bool encrypt)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (ctx && EVP_CipherInit_ex2(ctx, EVP_aes_256_ecb(), key, NULL, encrypt, NULL) &&
        EVP_CIPHER_CTX_set_padding(ctx, 0))
        return ctx;
    EVP_CIPHER_CTX_free(ctx);
    return NULL;
}

struct crypt_tokens *crypt_tokens_new(const struct crypt_keys *keys, struct error *err)
{
    struct crypt_tokens *tokens = must_calloc(1, sizeof *tokens);

    for (size_t i = 0; i < keys->unsubscribe_count; i++) {
        const struct crypt_unsubscribe_key *key = &keys->unsubscribe[i];
        tokens->unsubscribe[key->id] = crypt_siv_new(key->bytes, sizeof key->bytes, err);
        if (!tokens->unsubscribe[key->id])
            goto fail;
        if (key->id > tokens->sealing)
            tokens->sealing = key->id;
    }
    tokens->encrypt = block_cipher(keys->message_id, true);
    tokens->decrypt = block_cipher(keys->message_id, false);
    if (!tokens->encrypt || !tokens->decrypt) {
        ERR_clear_error();
        error_set(err, ERROR_CONFIG, "libcrypto offers no AES-256");
        goto fail;
    }
    return tokens;
fail:
    crypt_tokens_free(tokens);
    return NULL;
}

void crypt_tokens_free(struct crypt_tokens *tokens)
{
    if (!tokens)
        return;
    for (size_t i = 0; i < ARRAY_LEN(tokens->unsubscribe); i++)
        crypt_siv_free(tokens->unsubscribe[i]);
    EVP_CIPHER_CTX_free(tokens->encrypt);
    EVP_CIPHER_CTX_free(tokens->decrypt);
    free(tokens);
}

/* --- Unsubscribe -------------------------------------------------------------------------------------------------- */

int crypt_seal(struct crypt_tokens *tokens, const struct unsubscribe_ticket *ticket, struct buf *out)
{
    const struct text *fields[FIELDS] = {&ticket->site, &ticket->audience, &ticket->source_id, &ticket->address,
                                         &ticket->language};
    unsigned char plain[PLAIN_MAX], sealed[SEALED_MAX] = {VERSION, (unsigned char)tokens->sealing};
    char letters[UNSUBSCRIBE_TOKEN_MAX];
    struct text header = {(const char *)sealed, HEADER_SIZE};
    size_t len = 0;

    if (!tokens->unsubscribe[tokens->sealing])
        return -1;
    for (size_t i = 0; i < FIELDS; i++) {
        if (fields[i]->len > TICKET_FIELD_MAX)
            return -1;
        plain[len++] = (unsigned char)fields[i]->len;
        if (fields[i]->len)
            memcpy(plain + len, fields[i]->ptr, fields[i]->len);
        len += fields[i]->len;
    }
    if (crypt_siv_seal(tokens->unsubscribe[tokens->sealing], &header, 1, (struct text){(const char *)plain, len},
                       sealed + HEADER_SIZE) < 0)
        return -1;
    len += HEADER_SIZE + SIV_TAG_SIZE;
    letters_write(LETTERS_BASE64URL, sealed, len, letters);
    buf_add(out, letters, letters_count(LETTERS_BASE64URL, len));
    return 0;
}

/* What has our seal was written by us: this only keeps a fault of ours from becoming a wrong person. */
static int read_ticket(struct text rest, struct unsubscribe_ticket *out)
{
    struct text *fields[FIELDS] = {&out->site, &out->audience, &out->source_id, &out->address, &out->language};

    for (size_t i = 0; i < FIELDS; i++) {
        size_t len = rest.len ? (unsigned char)rest.ptr[0] : 0;
        if (rest.len < 1 + len)
            return -1;
        *fields[i] = text_slice(rest, 1, 1 + len);
        rest = text_slice(rest, 1 + len, rest.len);
    }
    return rest.len == 0 ? 0 : -1;
}

int crypt_unseal(struct crypt_tokens *tokens, struct text token, struct arena *arena, struct unsubscribe_ticket *out)
{
    unsigned char sealed[SEALED_MAX];
    struct text header = {(const char *)sealed, HEADER_SIZE};
    size_t len;

    if (letters_read(LETTERS_BASE64URL, token, sealed, sizeof sealed, &len) < 0 || len <= HEADER_SIZE + SIV_TAG_SIZE)
        return -1;
    struct crypt_siv *siv = sealed[0] == VERSION ? tokens->unsubscribe[sealed[1]] : NULL;
    if (!siv)
        return -1;
    struct text rest = text_slice((struct text){(const char *)sealed, len}, HEADER_SIZE, len);
    unsigned char *plain = arena_alloc(arena, PLAIN_MAX);
    if (crypt_siv_open(siv, &header, 1, rest, plain) < 0)
        return -1;
    return read_ticket((struct text){(const char *)plain, rest.len - SIV_TAG_SIZE}, out);
}

/* --- Messages ----------------------------------------------------------------------------------------------------- */

/* version, notice, seq (big-endian), zeros: one in 2^48 of what others make up has them. */

static void put_number(unsigned char *out, int64_t number)
{
    assert(number >= 0 && number >> MESSAGE_TOKEN_NUMBER_BITS == 0);
    for (size_t i = NUMBER_SIZE; i-- > 0; number >>= 8)
        out[i] = (unsigned char)number;
}

static int64_t get_number(const unsigned char *in)
{
    int64_t number = 0;

    for (size_t i = 0; i < NUMBER_SIZE; i++)
        number = number << 8 | in[i];
    return number;
}

void crypt_message_token(struct crypt_tokens *tokens, int64_t notice, int64_t seq, char out[MESSAGE_TOKEN_SIZE])
{
    unsigned char plain[BLOCK_SIZE] = {VERSION}, block[BLOCK_SIZE];
    int len;

    put_number(plain + 1, notice);
    put_number(plain + 1 + NUMBER_SIZE, seq);
    if (!EVP_EncryptUpdate(tokens->encrypt, block, &len, plain, BLOCK_SIZE) || len != BLOCK_SIZE) {
        fputs("onsale: libcrypto encrypts no block of AES-256\n", stderr);
        abort(); /* a bounce would name the wrong person */
    }
    letters_write(LETTERS_BASE32, block, BLOCK_SIZE, out);
    out[MESSAGE_TOKEN_SIZE - 1] = '\0';
}

int crypt_message_untoken(struct crypt_tokens *tokens, struct text token, int64_t *notice, int64_t *seq)
{
    static const unsigned char zeros[BLOCK_SIZE - 1 - 2 * NUMBER_SIZE];
    unsigned char plain[BLOCK_SIZE], block[BLOCK_SIZE];
    char lower[MESSAGE_TOKEN_SIZE];
    size_t size;
    int len;

    if (token.len != sizeof lower - 1)
        return -1;
    for (size_t i = 0; i < token.len; i++)
        lower[i] = token.ptr[i] >= 'A' && token.ptr[i] <= 'Z' ? (char)(token.ptr[i] - 'A' + 'a') : token.ptr[i];
    if (letters_read(LETTERS_BASE32, (struct text){lower, token.len}, block, BLOCK_SIZE, &size) < 0 ||
        !EVP_DecryptUpdate(tokens->decrypt, plain, &len, block, BLOCK_SIZE) || len != BLOCK_SIZE ||
        plain[0] != VERSION || memcmp(plain + 1 + 2 * NUMBER_SIZE, zeros, sizeof zeros) != 0)
        return -1;
    *notice = get_number(plain + 1);
    *seq = get_number(plain + 1 + NUMBER_SIZE);
    return 0;
}

int64_t crypt_random_seq(void)
{
    return (int64_t)(crypt_random_u64() >> (64 - MESSAGE_TOKEN_NUMBER_BITS));
}
