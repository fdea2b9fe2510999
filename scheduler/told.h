/* told.h - which definitions of an event were announced: by which rule, and for which instant. A sale that moved after
 * that needs a person's word (if_told). Pure; texts are borrowed from the notices. */
#ifndef ONSALE_TOLD_H
#define ONSALE_TOLD_H

#include "notice.h"

struct announcement {
    const char *rule, *definition; /* name and id */
    enum moment_kind kind;
    int64_t at_ms;
};

struct told {                /* starts as {0} */
    struct announcement *at; /* by rule, kind and definition */
    size_t count, cap;
};

/* What `newest` and those that its `next` leads to have announced: a notice that has ever claimed names its
 * definitions. Takes the place of what was known before. */
void told_take(struct told *told, const struct notice *newest);
/* By that rule for another instant than this one? */
bool told_elsewhere(const struct told *told, const struct announcement *one);
void told_clear(struct told *told);

#endif
