/* cursor.h - where a read was left and what it was made from, as text that the store keeps. Any thread. */
#ifndef ONSALE_AUDIENCE_CURSOR_H
#define ONSALE_AUDIENCE_CURSOR_H

#include "text.h"

enum { CURSOR_MAX = 160, CURSOR_PLACES = 4 };

/* The identity of what a read is made from: mix in whatever would make an old place meaningless (FNV-1a, 64 bit). */
#define CURSOR_MADE_FROM_NOTHING UINT64_C(0xcbf29ce484222325)
void cursor_mix(uint64_t *made_from, const void *bytes, size_t len);
void cursor_mix_number(uint64_t *made_from, int64_t number);
void cursor_mix_string(uint64_t *made_from, const char *string); /* NULL differs from "" */

/* "file/1 9c1fd2a01b77e3f4 1048576 17 0 0" */
void cursor_write(char out[CURSOR_MAX], const char *kind, uint64_t made_from, const int64_t at[CURSOR_PLACES]);
/* False when it is another kind's, was made from something else, or is none. */
bool cursor_read(const char *cursor, const char *kind, uint64_t made_from, int64_t at[CURSOR_PLACES]);

#endif
