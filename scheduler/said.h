/* said.h - texts from outside, moments and counts as other programs are told of them, in JSON. Pure. */
#ifndef ONSALE_SAID_H
#define ONSALE_SAID_H

#include "notice.h"

#include <jansson.h>

/* At most so many bytes from the beginning, up to the end of a character. */
struct text said_begin(struct text text, size_t max);
/* NULL is null; what came in damaged is a question mark. */
json_t *json_said(const char *string, size_t max);
json_t *json_moment(int64_t at_ms);               /* RFC 3339; null for MOMENT_NONE */
json_t *json_counts(const struct notice *notice); /* of its people, as `onsale show` counts them */

#endif
