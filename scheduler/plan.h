/* plan.h - what has to be said when: definitions x rules compared with the notices we know. Pure: nothing is changed,
 * the steps say what to change. design.md section 2 ("Moves", "Ours or not") is the law. */
#ifndef ONSALE_PLAN_H
#define ONSALE_PLAN_H

#include "definition.h"
#include "notice.h"

struct plan_rule {
    const struct rule *rule;
    int64_t first_loaded_at_ms; /* when a rule of this name first came to this store */
};

/* Zones by name; NULL for unknown. */
typedef const struct zone *plan_zone_fn(void *ctx, const char *name);

struct plan_input {
    const char *site;
    const char *event;          /* only what is about this one; NULL: about all of the site's */
    const char *site_zone;      /* where an event has none */
    int64_t first_walked_at_ms; /* first complete walk of this site by this store; MOMENT_NONE: not yet */
    const struct definitions *definitions;
    const struct plan_rule *rules;
    size_t rule_count;
    const struct notices *notices; /* of all sites and rules */
    plan_zone_fn *zone;
    void *zone_ctx;
    int64_t now_ms;
    bool frozen; /* the clock was stepped: nothing irreversible (missed) now */
};

enum plan_action {
    PLAN_ADD,        /* a new notice: identity in the step */
    PLAN_ADD_MISSED, /* a new one that is over already: before our time, or late. Listed, never sent */
    PLAN_WITHDRAW,   /* `notice` lost its last visible definition; `reason` says how */
    PLAN_BRING_BACK, /* `notice`, withdrawn without ever a claim, has a definition again */
    PLAN_MISS,       /* `notice` was not started within catch_up (one that gathers gives that up first) */
    PLAN_RETIME,     /* `notice` has another due time now (the rule or a zone changed) */
    /* The people gathered for `from` go to `notice`, or to the notice added just before when NULL. `from` has none then
     * (roll 0); should it come back, it needs a roll that was never used. */
    PLAN_TAKE_OVER,
};

struct plan_step {
    enum plan_action action;
    struct notice *notice; /* borrowed from input; NULL for PLAN_ADD* */
    struct notice *from;
    const struct rule *rule; /* NULL when a notice is withdrawn because its rule is gone */
    const char *subject;     /* borrowed from a definition or the notice */
    enum moment_kind kind;
    int64_t at_ms, due_at_ms;
    enum notice_reason reason;
};

struct plan {
    struct plan_step *steps;
    size_t count, cap;
};

/* Appends to `out`, which starts as {0}. Of each event, steps for known notices come first, then the new ones: events
 * do not look at one another, so one that has changed can be planned alone. */
void plan_make(const struct plan_input *input, struct plan *out);
void plan_clear(struct plan *plan);

/* The definitions behind a notice now: visible, covered by the rule, with that instant. Fills up to `max`; returns how
 * many there are. */
size_t plan_members(const struct notice *notice, const struct rule *rule, const struct definitions *definitions,
                    const struct definition **out, size_t max);

/* Has each of these been announced for another instant: is it named in another notice of that rule and event that has
 * claimed? As true as the moment it is asked at: who was released long ago may claim late. Never of one that has
 * claimed itself. */
bool plan_told_before(const struct notice *notice, const struct rule *rule, const struct definitions *definitions,
                      const struct notices *notices);

/* The latest moment at which a notice may start: due + catch_up, and for notices due before their moment never later
 * than the moment itself. */
int64_t plan_start_by_ms(const struct notice *notice, const struct rule *rule);

#endif
