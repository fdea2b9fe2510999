/* letters.h - bytes as letters of an alphabet (RFC 4648). Pure; any thread. */
#ifndef ONSALE_LETTERS_H
#define ONSALE_LETTERS_H

#include "text.h"

enum letters {
    LETTERS_BASE32,    /* section 6, lower case, not padded */
    LETTERS_BASE64,    /* section 4, padded */
    LETTERS_BASE64URL, /* section 5, not padded */
};

/* How many letters so many bytes become. */
size_t letters_count(enum letters kind, size_t size);
/* Writes so many; no NUL. */
void letters_write(enum letters kind, const void *bytes, size_t size, char *out);
/* Takes nothing that letters_write() would not have written: other letters, wrong padding, spare bits that are not
 * zero, or more than `room` bytes are -1. */
int letters_read(enum letters kind, struct text letters, void *out, size_t room, size_t *size);

#endif
