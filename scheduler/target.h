/* target.h - what a request line asks for: the path decoded, the query taken apart, or why it is refused. Strict, so
 * that no proxy in front of us reads a path in another way than we do. Pure. */
#ifndef ONSALE_TARGET_H
#define ONSALE_TARGET_H

#include "text.h"

enum { TARGET_FIELDS_MAX = 16 };

struct target {
    const char *path; /* begins with '/'; "*" for OPTIONS * */
    struct target_field {
        const char *name, *value;
    } fields[TARGET_FIELDS_MAX]; /* of the query, decoded */
    size_t field_count;
    char *memory; /* of all texts */
};

/* Origin form ("/api/v1/notices?state=x"), absolute form (RFC 9112 section 3.2.2; its host is not looked at) or "*".
 * Refused: bytes that are not printable ASCII, '#', '\', broken percent-encodings; a path with an empty segment, "." or
 * "..", an encoded slash; texts with control characters or that are not UTF-8; more than TARGET_FIELDS_MAX fields. */
int target_read(const char *raw, struct target *out, struct error *err);
void target_clear(struct target *target);
const char *target_field(const struct target *target, const char *name); /* the first of that name, or NULL */

#endif
