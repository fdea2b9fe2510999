#include "seldom.h"

#include "clock.h"

/* From one telling to the next; the last of them from then on. The first holds for other trouble too: two kinds that
 * take turns are not told at each turn. */
static const int64_t gaps_ms[] = {5 * MINUTE_MS, 30 * MINUTE_MS, 2 * HOUR_MS};

bool seldom_goes_on(struct seldom *seldom, int64_t mono_ms, bool other)
{
    if (!seldom->on) {
        *seldom = (struct seldom){.on = true, .since_ms = mono_ms, .told_ms = mono_ms};
        return true;
    }
    unsigned step = seldom->told < ARRAY_LEN(gaps_ms) ? seldom->told : ARRAY_LEN(gaps_ms) - 1;
    if (mono_ms - seldom->told_ms < (other ? gaps_ms[0] : gaps_ms[step]))
        return false;
    seldom->told++;
    seldom->told_ms = mono_ms;
    return true;
}

int64_t seldom_ends(struct seldom *seldom, int64_t mono_ms)
{
    int64_t lasted_ms = seldom->on ? mono_ms - seldom->since_ms : -1;

    *seldom = (struct seldom){0};
    return lasted_ms;
}
