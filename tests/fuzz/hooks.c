/* The body of a hook, from a relay or signed: what is taken names somebody and a kind that a hook may say; what is
 * refused is not repeated. */
#include "hooks.h"
#include "hooks_signed.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct hook_bounce out[HOOK_ENTRIES_MAX];
    json_t *body = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    struct error err = {0};
    size_t count = 0;

    if (!body)
        return 0;
    if (hook_bounces_read(body, out, &count, &err) < 0) {
        assert(err.kind == ERROR_REFUSED);
    } else {
        assert(count >= 1 && count <= HOOK_ENTRIES_MAX && err.kind == ERROR_NONE);
        for (size_t i = 0; i < count; i++) {
            assert(out[i].kind == FEEDBACK_HARD || out[i].kind == FEEDBACK_SOFT || out[i].kind == FEEDBACK_COMPLAINT);
            assert(out[i].address.key[0] || *out[i].subscriber_uuid);
        }
    }
    struct hook_word word;
    struct error why = {0};
    if (hook_word_read(body, &word, &why) < 0)
        assert(why.kind == ERROR_REFUSED);
    else if (word.kind != HOOK_WORD_OTHER && word.kind != HOOK_WORD_RESUBSCRIBED)
        assert(word.address.key[0] || *word.source_id);
    json_decref(body);
    return 0;
}
