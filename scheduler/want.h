/* want.h - what the definitions of one event ask for: a notice of each rule at each instant at which something stands
 * that is visible and that the rule covers. Pure; events, definitions and notices are borrowed from the input. */
#ifndef ONSALE_WANT_H
#define ONSALE_WANT_H

#include "plan.h"
#include "told.h"

struct want { /* of one rule */
    int64_t at_ms, due_at_ms;
    int64_t created_at_ms; /* of the oldest definition behind it */
    bool told;             /* all behind it were announced for another instant, and the rule asks what then */
    struct notice *notice; /* of its highest edition, or NULL: there is none yet */
    struct notice *from;   /* for who plans: whose people the new one takes over, or NULL */
};

struct wants { /* starts as {0}; its room is used again for the next event */
    const char *event;
    struct definition *const *definitions; /* all of its, by id */
    size_t definition_count;
    struct want *at;
    size_t count, cap;
    struct want_span {
        size_t first, count; /* at[first .. first + count), by instant */
    } * of_rule;             /* one for each rule of the input */

    struct want_stand {
        int64_t at_ms;
        const struct definition *definition;
    } * stands; /* what is visible, by its instant of one kind */
    size_t stand_cap;
    struct told told;
};

/* Takes the place of what was found before; of the same input. */
void wants_find(struct wants *wants, const struct plan_input *in, const char *event);
struct want *wants_at(const struct wants *wants, size_t rule, int64_t at_ms); /* NULL: nothing is wanted there */
void wants_clear(struct wants *wants);

#endif
