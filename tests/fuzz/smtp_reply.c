#include "smtp_reply.h"

#include <stdlib.h>
#include <string.h>

/* The same replies must come out whether the bytes come at once or one by one, and no text says an address. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smtp_parser whole = {0}, single = {0};
    struct smtp_reply a, b;
    const char *at = (const char *)data, *one = at;
    size_t left = size, left_one = size;

    for (;;) {
        enum smtp_parsed parsed = smtp_parse(&whole, &at, &left, &a), piece = SMTP_MORE;
        while (piece == SMTP_MORE && left_one > 0) {
            size_t step = 1;
            piece = smtp_parse(&single, &one, &step, &b);
            left_one--;
        }
        if (parsed != piece || (at != one && parsed != SMTP_GARBAGE)) /* garbage may be eaten to the end of its line */
            abort();
        if (parsed != SMTP_REPLY)
            return 0;
        if (a.code != b.code || strcmp(a.text, b.text) != 0)
            abort();
        for (unsigned stage = SMTP_AT_MAIL; stage <= SMTP_AT_DOT; stage <<= 1) {
            struct smtp_class class = smtp_classify((enum smtp_stage)stage, &a);
            if (class.fate == NOTIFIER_ACCEPTED && (stage != SMTP_AT_DOT || a.code != 250))
                abort();
        }
        smtp_scrub(a.text, "ana@example.com");
        if (strchr(a.text, '@') && strlen(a.text) > 1)
            abort();
    }
}
