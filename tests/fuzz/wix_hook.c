/* The claims of a webhook: what is read of them is safe in a path and in a line of the log. */
#include "source/wix_hook.h"

#include <assert.h>
#include <string.h>

static void check_word(const char *word, size_t max)
{
    assert(strlen(word) <= max &&
           strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:~.|") == strlen(word));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *claims = json_loadb((const char *)data, size, 0, NULL);
    struct arena arena = {0};
    struct wix_hook hook;
    struct error err = {0};

    if (!claims)
        return 0;
    if (wix_hook_read(claims, &arena, &hook, &err) == 0) {
        assert(hook.count <= WIX_HOOK_DEFINITIONS_MAX && hook.revision >= 0);
        check_word(hook.type, 100);
        check_word(hook.key, WIX_HOOK_KEY_MAX);
        check_word(hook.instance_id, WIX_HOOK_ID_MAX);
        check_word(hook.entity_id, WIX_HOOK_ID_MAX);
        check_word(hook.event_id, WIX_HOOK_ID_MAX);
        for (size_t i = 0; i < hook.count; i++) {
            check_word(hook.ids[i], WIX_HOOK_ID_MAX);
            assert(*hook.ids[i] && !strchr(hook.ids[i], '.'));
        }
    } else {
        assert(err.kind == ERROR_REFUSED);
    }
    arena_clear(&arena);
    json_decref(claims);
    return 0;
}
