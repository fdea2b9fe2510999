#include "delivery.h"

#include <assert.h>
#include <string.h>

static const char *const fate_names[FATES] = {
    [FATE_NONE] = "none",           [FATE_ACCEPTED] = "accepted", [FATE_TRY_LATER] = "try later",
    [FATE_REFUSED] = "refused",     [FATE_IN_DOUBT] = "in doubt", [FATE_RETURNED] = "returned",
    [FATE_PASSED_ON] = "passed on", [FATE_WITHHELD] = "withheld",
};

static const char *const withheld_names[WITHHELD_REASONS] = {
    [WITHHELD_NONE] = "",
    [WITHHELD_SUPPRESSED] = "suppressed",
    [WITHHELD_LEFT] = "left",
    [WITHHELD_OPTED_OUT] = "opted out",
    [WITHHELD_NEVER] = "never mail",
    [WITHHELD_EXPIRED] = "expired",
    [WITHHELD_CANCELLED] = "cancelled",
    [WITHHELD_EVENT_OFF] = "event off",
    [WITHHELD_HIDDEN] = "hidden",
    [WITHHELD_GONE] = "gone",
    [WITHHELD_MOVED] = "moved",
    [WITHHELD_ADDRESS] = "address",
    [WITHHELD_ATTEMPTS] = "attempts",
    [WITHHELD_ERASED] = "erased",
};

const char *fate_name(enum fate fate)
{
    assert(fate < FATES);
    return fate_names[fate];
}

const char *withheld_name(enum withheld reason)
{
    assert(reason < WITHHELD_REASONS);
    return withheld_names[reason];
}

static const char *const feedback_names[FEEDBACKS] = {
    [FEEDBACK_NONE] = "none",     [FEEDBACK_HARD] = "hard",           [FEEDBACK_SOFT] = "soft",
    [FEEDBACK_POLICY] = "policy", [FEEDBACK_COMPLAINT] = "complaint",
};

const char *feedback_name(enum feedback kind)
{
    assert(kind < FEEDBACKS);
    return feedback_names[kind];
}

enum feedback feedback_by_name(const char *name)
{
    for (enum feedback i = FEEDBACK_NONE + 1; i < FEEDBACKS; i++)
        if (strcmp(feedback_names[i], name) == 0)
            return i;
    return FEEDBACK_NONE;
}

bool feedback_suppresses(enum feedback kind)
{
    return kind == FEEDBACK_HARD || kind == FEEDBACK_COMPLAINT;
}

struct tally tally_with_rest(struct tally tally, enum withheld rest)
{
    if (rest == WITHHELD_NONE)
        return tally;
    tally.withheld += tally.waiting - tally.claimed;
    tally.waiting = tally.claimed;
    return tally;
}
