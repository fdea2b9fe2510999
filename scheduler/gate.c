#include "gate.h"

#include <assert.h>

static const char *const word_names[GATE_WORDS] = {
    [GATE_GONE] = "gone",
    [GATE_HIDDEN] = "hidden",
    [GATE_EVENT_OFF] = "event off",
    [GATE_MOVED] = "moved",
    [GATE_ENDED] = "ended",
    [GATE_SOLD_OUT] = "sold out",
    [GATE_NOT_STARTED] = "not started",
    [GATE_UNKNOWN] = "unknown",
    [GATE_OPEN] = "open",
};

static const char *const action_names[] = {
    [GATE_RELEASE] = "release", [GATE_ASK_AGAIN] = "ask_again", [GATE_HOLD] = "hold",
    [GATE_DROP] = "drop",       [GATE_FOLLOW] = "follow",
};

enum {
    CLOCK_AHEAD_MAX_MS = 1000,
    CLOCK_AGAIN_MS = 10 * SECOND_MS, /* one answer's wrong Date must not cost an hour */
};

const char *gate_word_name(enum gate_word word)
{
    assert(word < GATE_WORDS);
    return word_names[word];
}

const char *gate_action_name(enum gate_action action)
{
    assert(action < ARRAY_LEN(action_names));
    return action_names[action];
}

/* The sale stands at that instant: does it do what the notice will say? A status we do not know is never open. */
static enum gate_word judge_sale(const struct when *when, const struct definition *definition)
{
    bool after_end = when->kind == MOMENT_SALE_END && !when_is_before(when);

    if (definition->sale_status == SALE_ENDED)
        return after_end ? GATE_OPEN : GATE_ENDED;
    if (definition->sold_out)
        return GATE_SOLD_OUT;
    if (after_end)
        return GATE_NOT_STARTED; /* the end is what has to come yet */
    if (definition->sale_status == SALE_STARTED)
        return GATE_OPEN;
    if (definition->sale_status == SALE_SCHEDULED && when->kind == MOMENT_SALE_START && when_is_before(when))
        return GATE_OPEN;
    return GATE_NOT_STARTED;
}

enum gate_word gate_judge(const struct notice *notice, const struct rule *rule, const struct definition *definition,
                          bool gone)
{
    if (gone)
        return GATE_GONE;
    if (!definition)
        return GATE_UNKNOWN;
    if (definition->hidden)
        return GATE_HIDDEN;
    if (definition->event_status == EVENT_UNKNOWN)
        return GATE_UNKNOWN; /* no word about the event is no reason to call it off */
    if (definition->event_status != EVENT_UPCOMING && definition->event_status != EVENT_STARTED)
        return GATE_EVENT_OFF;
    if (definition_at_ms(definition, notice->kind) != notice->at_ms)
        return GATE_MOVED;
    return judge_sale(&rule->when, definition);
}

/* After 1, 2, 4, 5, 5 ... s, and once more when the patience ends. */
static int64_t next_ask_at_ms(unsigned tries, int64_t now_ms, int64_t end_ms)
{
    static const int64_t waits_ms[] = {1 * SECOND_MS, 2 * SECOND_MS, 4 * SECOND_MS, 5 * SECOND_MS};
    size_t i = tries == 0 ? 0 : tries - 1;
    int64_t ask_at_ms = now_ms + waits_ms[i < ARRAY_LEN(waits_ms) ? i : ARRAY_LEN(waits_ms) - 1];

    return ask_at_ms < end_ms ? ask_at_ms : end_ms;
}

static struct gate_decision act(enum otherwise then, enum notice_reason reason)
{
    static const enum gate_action actions[] = {
        [THEN_DROP] = GATE_DROP, [THEN_SEND] = GATE_RELEASE, [THEN_HOLD] = GATE_HOLD};

    return (struct gate_decision){.action = actions[then], .reason = then == THEN_SEND ? REASON_NONE : reason};
}

static struct gate_decision be_patient(const struct patience *patience, enum notice_reason reason, int64_t since_ms,
                                       unsigned tries, int64_t now_ms)
{
    int64_t end_ms = since_ms + patience->wait_ms;

    if (now_ms >= end_ms)
        return act(patience->then, reason);
    return (struct gate_decision){.action = GATE_ASK_AGAIN, .ask_at_ms = next_ask_at_ms(tries, now_ms, end_ms)};
}

int64_t gate_early_ms(int64_t due_at_ms, int64_t clock_ahead_ms, int64_t now_ms)
{
    if (clock_ahead_ms <= CLOCK_AHEAD_MAX_MS || now_ms - clock_ahead_ms >= due_at_ms)
        return 0;
    return due_at_ms + clock_ahead_ms - now_ms;
}

struct gate_decision gate_decide(const struct rule *rule, const enum gate_word *words, size_t count, int64_t since_ms,
                                 unsigned tries, int64_t early_ms, int64_t now_ms)
{
    size_t said[GATE_WORDS] = {0};

    for (size_t i = 0; i < count; i++)
        said[words[i]]++;
    if (early_ms > 0)
        return (struct gate_decision){.action = GATE_ASK_AGAIN,
                                      .ask_at_ms = now_ms + (early_ms < CLOCK_AGAIN_MS ? early_ms : CLOCK_AGAIN_MS)};
    if (said[GATE_OPEN])
        return (struct gate_decision){.action = GATE_RELEASE};
    if (said[GATE_NOT_STARTED])
        return be_patient(&rule->if_not_started, REASON_NOT_STARTED, since_ms, tries, now_ms);
    if (said[GATE_UNKNOWN])
        return be_patient(&rule->if_unverified, REASON_UNVERIFIED, since_ms, tries, now_ms);
    if (said[GATE_SOLD_OUT]) /* who is gone, hidden or moved does not count any more: all that are left */
        return act(rule->if_sold_out, REASON_SOLD_OUT);
    if (said[GATE_ENDED]) /* still stands there as far as planning is concerned, so planning would not end it */
        return (struct gate_decision){.action = GATE_DROP, .reason = REASON_ENDED};
    return (struct gate_decision){.action = GATE_FOLLOW};
}
