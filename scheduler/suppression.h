/* suppression.h - one line of our own list of who is not written to, as people, programs and marketing tools write it,
 * read into values. Pure. */
#ifndef ONSALE_SUPPRESSION_H
#define ONSALE_SUPPRESSION_H

#include "address.h"
#include "clock.h"

enum { SUPPRESSION_KEY_SIZE = 16, SUPPRESSION_SCOPE_MAX = 255 };

/* As written; "" where nothing is. */
struct suppression_line {
    struct text address, key, scope, reason, at;
};

struct suppression {
    bool has_address, has_key; /* one of them, or both */
    struct address address;
    unsigned char key[SUPPRESSION_KEY_SIZE];
    struct text scope;  /* of the line: "" all, or an audience */
    const char *reason; /* "operator" when none is given */
    int64_t at_ms;      /* MOMENT_NONE when none is given */
};

/* In any case; "operator" when `reason` is empty. */
int suppression_reason(struct text reason, const char **out, struct error *err);
/* Each text is trimmed. -1: `err` names the field and what was expected, and never repeats an address. */
int suppression_read(const struct suppression_line *line, struct suppression *out, struct error *err);

#endif
