/* A token from outside: what opens is what we would write for it, letter for letter. */
#include "crypt_token.h"

#include <assert.h>
#include <string.h>

/* The seeds were sealed with these. */
static struct crypt_tokens *tokens_new(void)
{
    struct crypt_keys keys = {.unsubscribe_count = 2};

    memset(keys.message_id, 1, sizeof keys.message_id);
    for (size_t i = 0; i < keys.unsubscribe_count; i++) {
        keys.unsubscribe[i].id = (unsigned char)(i + 1);
        for (size_t k = 0; k < sizeof keys.unsubscribe[i].bytes; k++)
            keys.unsubscribe[i].bytes[k] = (unsigned char)(1 + keys.unsubscribe[i].id + k);
    }
    return crypt_tokens_new(&keys, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct crypt_tokens *tokens;
    struct text given = {(const char *)data, size};
    struct unsubscribe_ticket ticket;
    struct arena arena = {0};
    int64_t notice, seq;

    if (!tokens)
        tokens = tokens_new();
    if (crypt_unseal(tokens, given, &arena, &ticket) == 0) {
        struct unsubscribe_ticket again;
        auto_buf struct buf token;
        buf_init(&token, UNSUBSCRIBE_TOKEN_MAX);
        assert(crypt_seal(tokens, &ticket, &token) == 0);
        assert(crypt_unseal(tokens, buf_text(&token), &arena, &again) == 0 &&
               text_equal(again.address, ticket.address));
        /* Of the key that seals today it is the same text; of an older one the same but for key and seal. */
        assert(token.len == size && (data[2] != token.ptr[2] || memcmp(token.ptr, data, size) == 0));
    }
    arena_clear(&arena);
    if (crypt_message_untoken(tokens, given, &notice, &seq) == 0) {
        char token[MESSAGE_TOKEN_SIZE];
        crypt_message_token(tokens, notice, seq, token);
        assert(size == strlen(token) && text_equal_nocase(given, text_of(token)));
    }
    return 0;
}
