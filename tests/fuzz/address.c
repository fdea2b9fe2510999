/* An address from outside: what is taken is visible ASCII with one '@', and reads back as itself. */
#include "address.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text given = {(const char *)data, size};
    struct address address, again;
    struct error err = {0};
    auto_free char *name = NULL;

    if (mailbox_parse(given, &name, &address, &err) < 0) {
        assert(err.kind == ERROR_REFUSED);
        return 0;
    }
    size_t ats = 0;
    for (const char *c = address.text; *c; c++) {
        assert(*c > ' ' && *c < 0x7F && !strchr("<>\"(),:;[\\]", *c));
        ats += *c == '@';
    }
    assert(ats == 1 && strlen(address.text) <= ADDRESS_MAX);
    assert(address_parse(text_of(address.text), &again, NULL) == 0 && strcmp(again.text, address.text) == 0);
    assert(address_parse(text_of(address.key), &again, NULL) == 0 && strcmp(again.key, address.key) == 0);
    for (const char *c = name; *c; c++)
        assert((unsigned char)*c >= ' ' && *c != 0x7F);
    return 0;
}
