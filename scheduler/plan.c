#include "plan.h"

#include "want.h"

#include <string.h>

enum {
    BEFORE_OUR_TIME_LISTED_MS = DAY_MS, /* what was over before we came is listed so long after its due time */
};
static const int64_t LATE_LISTED_MS = 30LL * DAY_MS; /* ... and what we are late for so long */

struct planning {
    const struct plan_input *in;
    struct plan *out;
    /* Of one event; the room is used again for the next. */
    struct wants wants;
    struct notice **notices; /* about it, by id */
    size_t notice_count, notice_cap;
};

static int64_t start_by_ms(const struct rule *rule, int64_t at_ms, int64_t due_at_ms)
{
    int64_t late_ms = due_at_ms + rule->catch_up_ms;
    return when_is_before(&rule->when) && late_ms > at_ms ? at_ms : late_ms;
}

int64_t plan_start_by_ms(const struct notice *notice, const struct rule *rule)
{
    return start_by_ms(rule, notice->at_ms, notice->due_at_ms);
}

static void find_notices(struct planning *planning)
{
    struct notice *newest = notices_about(planning->in->notices, planning->in->site, planning->wants.event);
    size_t count = 0;

    for (const struct notice *notice = newest; notice; notice = notice->next)
        count++;
    if (count > planning->notice_cap) {
        planning->notice_cap = 2 * count;
        planning->notices = must_realloc(planning->notices, planning->notice_cap * sizeof *planning->notices);
    }
    planning->notice_count = count;
    for (struct notice *notice = newest; notice; notice = notice->next)
        planning->notices[--count] = notice;
}

/* The place of its rule, or rule_count when that is configured no more or speaks of another kind of moment now. */
static size_t rule_index(const struct plan_input *in, const struct notice *notice)
{
    size_t i = 0;

    while (i < in->rule_count && strcmp(in->rules[i].rule->name, notice->rule) != 0)
        i++;
    return i < in->rule_count && in->rules[i].rule->when.kind == notice->kind ? i : in->rule_count;
}

static const struct rule *rule_of(const struct plan_input *in, size_t rule_at)
{
    return rule_at < in->rule_count ? in->rules[rule_at].rule : NULL;
}

/* --- steps ------------------------------------------------------------------------------------------------------ */

static struct plan_step *add_step(struct plan *out, enum plan_action action, const struct rule *rule,
                                  struct notice *notice)
{
    struct plan_step *step;

    if (out->count == out->cap) {
        out->cap = out->cap ? 2 * out->cap : 64;
        out->steps = must_realloc(out->steps, out->cap * sizeof *out->steps);
    }
    step = &out->steps[out->count++];
    *step = (struct plan_step){.action = action, .rule = rule, .notice = notice};
    if (notice) {
        step->subject = notice->subject;
        step->kind = notice->kind;
        step->at_ms = notice->at_ms;
        step->due_at_ms = notice->due_at_ms;
    }
    return step;
}

/* Responsible: the rule, the site and one of its definitions were here before it was due. */
static bool is_ours(const struct plan_input *in, const struct plan_rule *rule, const struct want *want)
{
    return rule->first_loaded_at_ms < want->due_at_ms && in->first_walked_at_ms != MOMENT_NONE &&
           in->first_walked_at_ms < want->due_at_ms && want->created_at_ms < want->due_at_ms;
}

/* Adds what is wanted and not known yet. True when it may still be sent. */
static bool plan_new(struct planning *planning, const struct plan_rule *rule, const struct want *want)
{
    const struct plan_input *in = planning->in;
    int64_t age_ms = in->now_ms - want->due_at_ms;
    bool ours = is_ours(in, rule, want);
    bool open = age_ms <= 0 || (ours && in->now_ms <= start_by_ms(rule->rule, want->at_ms, want->due_at_ms));
    struct plan_step *step;

    if (!open && (in->frozen || age_ms >= (ours ? LATE_LISTED_MS : BEFORE_OUR_TIME_LISTED_MS)))
        return false;
    step = add_step(planning->out, open ? PLAN_ADD : PLAN_ADD_MISSED, rule->rule, NULL);
    step->subject = planning->wants.event;
    step->kind = rule->rule->when.kind;
    step->at_ms = want->at_ms;
    step->due_at_ms = want->due_at_ms;
    step->reason = open ? REASON_NONE : ours ? REASON_LATE : REASON_BEFORE_OUR_TIME;
    return open;
}

static void plan_new_ones(struct planning *planning)
{
    const struct wants *wants = &planning->wants;

    for (size_t r = 0; r < planning->in->rule_count; r++) {
        const struct plan_rule *rule = &planning->in->rules[r];
        for (size_t i = 0; i < wants->of_rule[r].count; i++) {
            const struct want *want = &wants->at[wants->of_rule[r].first + i];
            if (!want->notice && plan_new(planning, rule, want) && want->from)
                add_step(planning->out, PLAN_TAKE_OVER, rule->rule, NULL)->from = want->from;
        }
    }
}

/* --- notices that lost their definitions ------------------------------------------------------------------------ */

/* Do we know that none of its definitions exists any more? Only a released notice has their names. */
static bool members_gone(const struct notice *notice, const struct definitions *definitions)
{
    for (size_t i = 0; i < notice->course->member_count; i++)
        if (definitions_find(definitions, notice->course->members[i]))
            return false;
    return notice->course->member_count > 0;
}

/* Members of an unclaimed notice are not stored: what became of them is read off the definitions of its event. */
static enum notice_reason why_lost(const struct planning *planning, const struct notice *notice,
                                   const struct rule *rule)
{
    const struct wants *wants = &planning->wants;
    bool visible_elsewhere = false, hidden_there = false, off = false;

    for (size_t i = 0; i < wants->definition_count; i++) {
        const struct definition *definition = wants->definitions[i];
        int64_t at_ms = definition_at_ms(definition, notice->kind);
        if (definition_visible(definition) && at_ms == notice->at_ms)
            return REASON_RULE; /* it is there, but the rule speaks of it no more */
        if (!rule_covers(rule, definition))
            continue;
        visible_elsewhere |= definition_visible(definition);
        hidden_there |= definition->hidden && at_ms == notice->at_ms;
        off |= definition_event_off(definition);
    }
    if (off && !visible_elsewhere)
        return REASON_EVENT_OFF;
    if (hidden_there)
        return REASON_HIDDEN;
    return visible_elsewhere && !members_gone(notice, planning->in->definitions) ? REASON_MOVED : REASON_GONE;
}

static bool has_people(const struct notice *notice)
{
    return notice->roll && (notice->course->pass > 0 || notice->course->tally.planned > 0);
}

/* A withdrawn one is on its way back when its instant is wanted again. */
static bool wants_people(const struct notice *notice)
{
    return !has_people(notice) &&
           (notice->state == NOTICE_PLANNED || (notice->state == NOTICE_WITHDRAWN && !notice->claimed));
}

/* Where the definitions of a moved notice stand now: at the only new instant of the event, or at its only one. NULL
 * when that cannot be told, or when people were gathered there already. */
static struct want *new_home(struct planning *planning, size_t rule)
{
    const struct want_span *span = &planning->wants.of_rule[rule];
    struct want *wants = planning->wants.at + span->first, *home = NULL;
    size_t new_ones = 0;

    for (size_t i = 0; i < span->count; i++)
        if (!wants[i].notice) {
            home = &wants[i];
            new_ones++;
        }
    if (new_ones == 0 && span->count == 1 && wants_people(wants[0].notice))
        home = &wants[0];
    return new_ones <= 1 && home && !home->from ? home : NULL;
}

static void plan_lost(struct planning *planning, struct notice *notice, size_t rule_at)
{
    const struct rule *rule = rule_of(planning->in, rule_at);
    enum notice_reason reason = rule ? why_lost(planning, notice, rule) : REASON_RULE;
    struct want *home;

    if (reason == REASON_RULE && notice->claimed)
        return; /* what has begun ends as it began */
    add_step(planning->out, PLAN_WITHDRAW, rule, notice)->reason = reason;
    if (reason != REASON_MOVED || notice->claimed || !has_people(notice))
        return;
    home = new_home(planning, rule_at);
    if (!home)
        return;
    home->from = notice;
    if (home->notice)
        add_step(planning->out, PLAN_TAKE_OVER, rule, home->notice)->from = notice;
}

/* --- notices that stand ----------------------------------------------------------------------------------------- */

/* Withdrawn for want of definitions, and they are back; what the gate or a person decided stays. */
static bool comes_back(const struct plan_input *in, const struct notice *notice, const struct rule *rule,
                       const struct want *want, bool told, int64_t due_at_ms)
{
    if (!notice_may_move(notice, NOTICE_PLANNED) || (told && rule->if_told == THEN_DROP) || notice != want->notice)
        return false;
    switch (notice->reason) {
    case REASON_MOVED:
    case REASON_HIDDEN:
    case REASON_GONE:
    case REASON_EVENT_OFF:
    case REASON_RULE:
    case REASON_ALREADY_TOLD:
        return in->now_ms <= start_by_ms(rule, notice->at_ms, due_at_ms);
    default:
        return false;
    }
}

/* Never started and too late for it. What an operator holds waits for the operator. */
static bool is_missed(const struct plan_input *in, const struct notice *notice, const struct rule *rule,
                      int64_t due_at_ms)
{
    return !in->frozen && !notice->claimed && !notice->catch_up_waived &&
           !(notice->state == NOTICE_HELD && notice->reason == REASON_OPERATOR) &&
           in->now_ms > start_by_ms(rule, notice->at_ms, due_at_ms);
}

static void plan_standing(struct planning *planning, struct notice *notice, const struct rule *rule,
                          const struct want *want)
{
    bool told = want->told && !notice->claimed && !notice->approved;
    int64_t due_at_ms = notice->edition == 1 ? want->due_at_ms : notice->due_at_ms; /* a repeat has its own time */

    if (notice->state == NOTICE_WITHDRAWN) {
        if (comes_back(planning->in, notice, rule, want, told, due_at_ms))
            add_step(planning->out, PLAN_BRING_BACK, rule, notice)->due_at_ms = due_at_ms;
        return;
    }
    if (notice->state == NOTICE_SENDING)
        return;
    if (is_missed(planning->in, notice, rule, due_at_ms)) {
        add_step(planning->out, PLAN_MISS, rule, notice)->reason = REASON_LATE;
        return;
    }
    if (told && rule->if_told == THEN_DROP) {
        add_step(planning->out, PLAN_WITHDRAW, rule, notice)->reason = REASON_ALREADY_TOLD;
        return;
    }
    if (due_at_ms != notice->due_at_ms && !(notice->state == NOTICE_HELD && notice->claimed))
        add_step(planning->out, PLAN_RETIME, rule, notice)->due_at_ms = due_at_ms;
}

static void plan_known(struct planning *planning, struct notice *notice)
{
    size_t rule_at = rule_index(planning->in, notice);
    const struct rule *rule = rule_of(planning->in, rule_at);
    const struct want *want = rule ? wants_at(&planning->wants, rule_at, notice->at_ms) : NULL;

    if (want)
        plan_standing(planning, notice, rule, want);
    else if (notice->state != NOTICE_WITHDRAWN)
        plan_lost(planning, notice, rule_at);
}

static void plan_event(struct planning *planning, const char *id)
{
    wants_find(&planning->wants, planning->in, id);
    find_notices(planning);
    for (size_t i = 0; i < planning->notice_count; i++) {
        struct notice *notice = planning->notices[i];
        if (!notice_final(notice) && !(notice->state == NOTICE_WITHDRAWN && notice->claimed))
            plan_known(planning, notice);
    }
    plan_new_ones(planning);
}

static void plan_all(struct planning *planning)
{
    const struct definitions *definitions = planning->in->definitions;
    const struct notices *notices = planning->in->notices;

    for (size_t i = 0; i < definitions->count; i += planning->wants.definition_count)
        plan_event(planning, definitions->at[i]->event_id);
    for (size_t i = 0; i < notices->count; i++) { /* events that have no definitions any more */
        const struct notice *notice = notices->at[i];
        struct definition *const *first;
        if (strcmp(notice->site, planning->in->site) == 0 &&
            notices_about(notices, notice->site, notice->subject) == notice &&
            definitions_of_event(definitions, notice->subject, &first) == 0)
            plan_event(planning, notice->subject);
    }
}

void plan_make(const struct plan_input *input, struct plan *out)
{
    struct planning planning = {.in = input, .out = out};

    if (input->event)
        plan_event(&planning, input->event);
    else
        plan_all(&planning);
    free(planning.notices);
    wants_clear(&planning.wants);
}

void plan_clear(struct plan *plan)
{
    free(plan->steps);
    *plan = (struct plan){0};
}

size_t plan_members(const struct notice *notice, const struct rule *rule, const struct definitions *definitions,
                    const struct definition **out, size_t max)
{
    struct definition *const *of_event;
    size_t event_count = definitions_of_event(definitions, notice->subject, &of_event), count = 0;

    for (size_t i = 0; i < event_count; i++) {
        const struct definition *definition = of_event[i];
        if (!definition_visible(definition) || definition_at_ms(definition, notice->kind) != notice->at_ms ||
            !rule_covers(rule, definition))
            continue;
        if (count < max)
            out[count] = definition;
        count++;
    }
    return count;
}

static bool all_told(const struct told *told, const struct notice *notice, const struct rule *rule,
                     const struct definitions *definitions)
{
    size_t count = plan_members(notice, rule, definitions, NULL, 0);
    auto_free const struct definition **behind = must_calloc(count + 1, sizeof *behind);

    plan_members(notice, rule, definitions, behind, count);
    for (size_t i = 0; i < count; i++)
        if (!told_elsewhere(told, &(struct announcement){notice->rule, behind[i]->id, notice->kind, notice->at_ms}))
            return false;
    return count > 0;
}

bool plan_told_before(const struct notice *notice, const struct rule *rule, const struct definitions *definitions,
                      const struct notices *notices)
{
    struct told told = {0};
    bool before;

    if (notice->claimed)
        return false;
    told_take(&told, notices_about(notices, notice->site, notice->subject));
    before = told.count > 0 && all_told(&told, notice, rule, definitions);
    told_clear(&told);
    return before;
}
