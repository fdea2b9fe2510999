/* What others say, without addresses: no @ is left however it was written, and saying it again changes nothing. The
 * first line is the address, the rest what was said. */
#include "scrub.h"
#include "text.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text rest = {(const char *)data, size}, line = text_cut(&rest, '\n');
    auto_free char *address = text_dup(line), *text = text_dup(rest);
    auto_free char *once = scrub(text, address), *twice = NULL;

    assert(once);
    assert(!strchr(once, '@') && !strcasestr(once, "%40") && !strcasestr(once, "=40"));
    twice = scrub(once, address);
    assert(strchr(address, '*') || strcmp(once, twice) == 0);
    return 0;
}
