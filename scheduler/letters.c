#include "letters.h"

#include <string.h>

static const struct {
    const char *alphabet;
    unsigned width;  /* bits of a letter */
    unsigned padded; /* letters come in groups of so many; 0: as they come */
} kinds[] = {
    [LETTERS_BASE32] = {"abcdefghijklmnopqrstuvwxyz234567", 5, 0},
    [LETTERS_BASE64] = {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", 6, 4},
    [LETTERS_BASE64URL] = {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", 6, 0},
};

/* Without padding. */
static size_t plain_count(enum letters kind, size_t size)
{
    return (size * 8 + kinds[kind].width - 1) / kinds[kind].width;
}

static size_t padding_of(enum letters kind, size_t size)
{
    return kinds[kind].padded ? (kinds[kind].padded - plain_count(kind, size) % kinds[kind].padded) % kinds[kind].padded
                              : 0;
}

size_t letters_count(enum letters kind, size_t size)
{
    return plain_count(kind, size) + padding_of(kind, size);
}

/* Groups of bits from the front, the last one filled up with zeros. */
void letters_write(enum letters kind, const void *bytes, size_t size, char *out)
{
    const unsigned char *in = bytes;
    unsigned width = kinds[kind].width, bits = 0, have = 0;

    for (size_t i = 0; i < size; i++) {
        bits = (bits << 8 | in[i]) & 0xFFFF;
        for (have += 8; have >= width; have -= width)
            *out++ = kinds[kind].alphabet[bits >> (have - width) & ((1u << width) - 1)];
    }
    if (have > 0)
        *out++ = kinds[kind].alphabet[bits << (width - have) & ((1u << width) - 1)];
    for (size_t i = padding_of(kind, size); i-- > 0;)
        *out++ = '=';
}

int letters_read(enum letters kind, struct text letters, void *out, size_t room, size_t *size)
{
    unsigned width = kinds[kind].width, bits = 0, have = 0;
    unsigned char *to = out;
    size_t padding = 0;

    while (kinds[kind].padded && padding < letters.len && letters.ptr[letters.len - 1 - padding] == '=')
        padding++;
    letters.len -= padding;
    *size = letters.len / 8 * width + letters.len % 8 * width / 8;
    if (*size > room || letters.len != plain_count(kind, *size) || padding != padding_of(kind, *size))
        return -1;
    for (size_t i = 0; i < letters.len; i++) {
        const char *at = memchr(kinds[kind].alphabet, letters.ptr[i], (size_t)1 << width);
        if (!at)
            return -1;
        bits = (bits << width | (unsigned)(at - kinds[kind].alphabet)) & 0xFFFF;
        have += width;
        if (have >= 8) {
            have -= 8;
            *to++ = (unsigned char)(bits >> have);
        }
    }
    return bits & ((1u << have) - 1) ? -1 : 0;
}
