/* hooks_body.h - the JSON that comes to a hook. What is wrong with it is said by place and by what was expected there;
 * nothing of it is repeated: it is about people. Pure. */
#ifndef ONSALE_HOOKS_BODY_H
#define ONSALE_HOOKS_BODY_H

#include "text.h"

#include <jansson.h>

/* Any JSON, also what is no object; no field of one twice. Yours; NULL: `err` says where it is none. */
json_t *hook_body_parse(struct text body, struct error *err);
/* What stands in a place: "an array", "a number"; NULL is "nothing". */
const char *hook_shape(const json_t *value);

#endif
