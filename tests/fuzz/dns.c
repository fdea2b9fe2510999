/* A name server's answer to a question for TXT records. */
#include "dns.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct dns_texts texts;
    struct error err = {0};
    bool twice;

    if (dns_parse_txt(data, size, &arena, &texts, &err) == 0)
        for (size_t i = 0; i < texts.count; i++)
            if (strlen(texts.at[i]) > size)
                abort();
    dns_find(&texts, "v=spf1", &twice);
    arena_clear(&arena);
    return 0;
}
