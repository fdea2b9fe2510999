/* A message from anywhere: whatever is in there, what we say of it is one short line of UTF-8 without an address, and
 * tokens are tokens. */
#include "bounce.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bounce got;

    bounce_read((struct text){(const char *)data, size}, (const char *const[]){NULL, "bounces@arena.example"}, 2, &got);
    assert(got.kind < FEEDBACKS && got.token_count <= BOUNCE_TOKENS_MAX);
    assert(strlen(got.text) <= BOUNCE_TEXT_MAX && text_is_utf8(text_of(got.text)) && !strchr(got.text, '@'));
    for (const char *c = got.text; *c; c++)
        assert((unsigned char)*c >= ' ' && *c != 0x7F);
    assert(strlen(got.status) < sizeof got.status && strspn(got.status, "0123456789.") == strlen(got.status));
    for (size_t i = 0; i < got.token_count; i++)
        assert(strspn(got.tokens[i], "abcdefghijklmnopqrstuvwxyz234567") == BOUNCE_TOKEN_LEN);
    assert(got.kind != FEEDBACK_NONE || (got.what && *got.what && !*got.text));
    return 0;
}
