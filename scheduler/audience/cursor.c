#include "audience/cursor.h"

#include <string.h>

void cursor_mix(uint64_t *made_from, const void *bytes, size_t len)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < len; i++)
        *made_from = (*made_from ^ byte[i]) * UINT64_C(0x100000001b3);
}

void cursor_mix_number(uint64_t *made_from, int64_t number)
{
    cursor_mix(made_from, &number, sizeof number);
}

void cursor_mix_string(uint64_t *made_from, const char *string)
{
    cursor_mix_number(made_from, string ? 1 : 0);
    cursor_mix(made_from, string ? string : "", string ? strlen(string) + 1 : 0);
}

void cursor_write(char out[CURSOR_MAX], const char *kind, uint64_t made_from, const int64_t at[CURSOR_PLACES])
{
    snprintf(out, CURSOR_MAX, "%s %016llx %lld %lld %lld %lld", kind, (unsigned long long)made_from, (long long)at[0],
             (long long)at[1], (long long)at[2], (long long)at[3]);
}

bool cursor_read(const char *cursor, const char *kind, uint64_t made_from, int64_t at[CURSOR_PLACES])
{
    struct text rest = text_of(cursor);
    char expected[20];

    snprintf(expected, sizeof expected, "%016llx", (unsigned long long)made_from);
    if (!text_is(text_cut(&rest, ' '), kind) || !text_is(text_cut(&rest, ' '), expected))
        return false;
    for (size_t i = 0; i < CURSOR_PLACES; i++)
        if (parse_i64(text_cut(&rest, ' '), 0, INT64_MAX, &at[i], NULL) < 0)
            return false;
    return rest.len == 0;
}
