/* What others say, without addresses: no @ is left however it was written, and saying it again changes nothing. The
 * first line is the address, the rest what was said. (A local part that ends in a dot stands in "a.a." once more when
 * its second half has become "***": nothing of it is asked then.) */
#include "scrub.h"
#include "text.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

/* Does the local part begin and end as words do? */
static bool is_plain(const char *address)
{
    size_t len = strcspn(address, "@");

    return !strchr(address, '*') &&
           (len == 0 || (isalnum((unsigned char)address[0]) && isalnum((unsigned char)address[len - 1])));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text rest = {(const char *)data, size}, line = text_cut(&rest, '\n');
    auto_free char *address = text_dup(line), *text = text_dup(rest);
    auto_free char *once = scrub(text, address), *twice = NULL;

    assert(once);
    assert(!strchr(once, '@') && !strcasestr(once, "%40") && !strcasestr(once, "=40"));
    twice = scrub(once, address);
    assert(!is_plain(address) || strcmp(once, twice) == 0);
    return 0;
}
