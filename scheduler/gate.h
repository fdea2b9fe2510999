/* gate.h - is this sale really opening now? What the source answered -> what to do. Pure. design.md promise 2. */
#ifndef ONSALE_GATE_H
#define ONSALE_GATE_H

#include "definition.h"
#include "notice.h"

/* Of one definition. */
enum gate_word {
    GATE_GONE, /* only by Get's 404 */
    GATE_HIDDEN,
    GATE_EVENT_OFF, /* event neither UPCOMING nor STARTED; without any word about the event it is GATE_UNKNOWN */
    GATE_MOVED,     /* another instant than the notice's */
    GATE_ENDED,
    GATE_SOLD_OUT,
    GATE_NOT_STARTED,
    GATE_UNKNOWN, /* no answer about it, or none about its event */
    GATE_OPEN,
    GATE_WORDS
};
const char *gate_word_name(enum gate_word word);

/* `definition` NULL with `gone` false: no answer. A notice due before a sale starts asks only that the sale still
 * stands at that moment (scheduled is open then); one due at or after a sale's end, that it has ended. */
enum gate_word gate_judge(const struct notice *notice, const struct rule *rule, const struct definition *definition,
                          bool gone);

enum gate_action {
    GATE_RELEASE,   /* name only what is open */
    GATE_ASK_AGAIN, /* at ask_at_ms */
    GATE_HOLD,      /* with `reason` */
    GATE_DROP,      /* withdraw with `reason` */
    GATE_FOLLOW,    /* the change decides: plan anew */
};
const char *gate_action_name(enum gate_action action);
struct gate_decision {
    enum gate_action action;
    enum notice_reason reason;
    int64_t ask_at_ms;
};

/* How long to wait until the source's clock, too, shows the due time. Its Date has whole seconds: a clock of ours that
 * is ahead by no more than 1000 ms is right. 0: no wait. */
int64_t gate_early_ms(int64_t due_at_ms, int64_t clock_ahead_ms, int64_t now_ms);

/* `words` of every definition asked about. `since_ms` is when this gate was first asked (for waits 1, 2, 4, 5, 5 ... s
 * and the rule's patience), `tries` how often so far (from 1). `early_ms` > 0: nothing is decided before that is over,
 * but it is asked again every 10 s.
 * One open decides; else not started, unknown (if_unverified), sold out and ended are looked at in this order, and what
 * is left was lost by a change. Only GATE_FOLLOW waits for planning: the answers must be in the mirror before. */
struct gate_decision gate_decide(const struct rule *rule, const enum gate_word *words, size_t count, int64_t since_ms,
                                 unsigned tries, int64_t early_ms, int64_t now_ms);

#endif
