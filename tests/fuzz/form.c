/* What a form says, from outside: the first byte chooses how it is told. Nothing but the words of the form does
 * anything, and nothing that lacks them. */
#include "unsubscribe.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"", "multipart/form-data; boundary=b", "application/x-www-form-urlencoded"};
    char *type;

    if (size < 1)
        return 0;
    struct text body = {(const char *)data + 1, size - 1};
    if (data[0] % 4 == 3) { /* the type itself, up to the end of a line */
        struct text first = text_cut(&body, '\n');
        type = text_dup(first);
    } else {
        type = must_strdup(types[data[0] % 4]);
    }
    enum unsubscribe_wish wish = unsubscribe_wish(type, body);
    assert(wish == unsubscribe_wish(type, body));
    assert(body.len >= strlen("scope=all") || wish == WISH_NONE);
    free(type);
    return 0;
}
