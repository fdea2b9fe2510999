/* A line of the suppression list: five texts, a line each. What is taken is somebody, with a reason of ours; what is
 * refused never repeats an address. */
#include "suppression.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text rest = {(const char *)data, size};
    struct suppression_line line = {.address = text_cut(&rest, '\n'),
                                    .key = text_cut(&rest, '\n'),
                                    .scope = text_cut(&rest, '\n'),
                                    .reason = text_cut(&rest, '\n'),
                                    .at = rest};
    struct suppression out;
    struct error err = {0};

    if (suppression_read(&line, &out, &err) < 0) {
        assert(err.kind == ERROR_REFUSED && *err.text);
        return 0;
    }
    assert(out.has_address || out.has_key);
    assert(out.has_address == (strlen(out.address.key) > 0));
    assert(out.reason && *out.reason);
    assert(out.scope.len <= SUPPRESSION_SCOPE_MAX);
    return 0;
}
