#include "plan.h"

#include <assert.h>
#include <string.h>

enum {
    BEFORE_OUR_TIME_LISTED_MS = DAY_MS, /* what was over before we came is listed so long after its due time */
};
static const int64_t LATE_LISTED_MS = 30LL * DAY_MS; /* ... and what we are late for so long */

/* The definitions of the event that is being planned, by id. */
struct event {
    const char *id;
    struct definition *const *at;
    size_t count;
    const struct zone *zone; /* NULL is UTC */
};

/* What the definitions ask for: one rule at one instant of one event. */
struct wanted {
    int64_t at_ms, due_at_ms;
    int64_t created_at_ms; /* of the oldest definition behind it */
    bool told;             /* all behind it stood behind another instant that was announced */
    struct notice *notice; /* its highest edition, or NULL */
    struct notice *from;   /* whose people it takes over when it is added, or NULL */
};

/* All that one rule wants of one event: wanted[first .. first + count), by instant. */
struct group {
    size_t first, count;
    size_t claimed; /* 1 + index of a notice of it that has claimed, 0: none; `next_claimed` leads on */
};

/* A definition that was announced, and at which instant. */
struct told {
    const char *id;
    int64_t at_ms;
};

struct planning {
    const struct plan_input *in;
    struct plan *out;
    /* Of one event; the room is used again for the next. */
    struct event event;
    struct notice **notices; /* about it, by id */
    size_t *next_claimed;    /* one for each of them */
    size_t notice_count, notice_cap;
    struct group *groups; /* one for each rule */
    struct wanted *wanted;
    size_t wanted_count, wanted_cap;
    const struct definition **visible;
    size_t visible_cap;
    struct told *told; /* of one group, by id */
    size_t told_count, told_cap;
};

static int64_t instant_of(const struct definition *definition, enum moment_kind kind)
{
    return kind == MOMENT_SALE_START ? definition->sale_starts_at_ms : definition->sale_ends_at_ms;
}

static bool covers(const struct rule *rule, const char *site, const struct definition *definition)
{
    return rule_covers(rule, site, definition->event_id, definition->event_title, definition->id);
}

static bool event_off(const struct definition *definition)
{
    return definition->event_status == EVENT_CANCELED || definition->event_status == EVENT_ENDED ||
           definition->event_status == EVENT_DRAFT;
}

static int64_t start_by_ms(const struct rule *rule, int64_t at_ms, int64_t due_at_ms)
{
    int64_t late_ms = due_at_ms + rule->catch_up_ms;
    return when_is_before(&rule->when) && late_ms > at_ms ? at_ms : late_ms;
}

int64_t plan_start_by_ms(const struct notice *notice, const struct rule *rule)
{
    return start_by_ms(rule, notice->at_ms, notice->due_at_ms);
}

/* --- events ----------------------------------------------------------------------------------------------------- */

static const struct zone *zone_named(const struct plan_input *in, const char *name)
{
    return name && *name && in->zone ? in->zone(in->zone_ctx, name) : NULL;
}

/* The zone of the first definition that names one we know, else the site's. */
static const struct zone *zone_of(const struct plan_input *in, const struct event *event)
{
    const char *tried = "";

    for (size_t i = 0; i < event->count; i++) {
        const char *name = event->at[i]->event_zone;
        const struct zone *zone = strcmp(name, tried) == 0 ? NULL : zone_named(in, name);
        if (zone)
            return zone;
        tried = name;
    }
    return zone_named(in, in->site_zone);
}

static void find_event(struct planning *planning, const char *id)
{
    struct event *event = &planning->event;

    event->id = id;
    event->count = definitions_of_event(planning->in->definitions, id, &event->at);
    event->zone = zone_of(planning->in, event);
    if (event->count > planning->visible_cap) {
        planning->visible_cap = 2 * event->count;
        planning->visible = must_realloc(planning->visible, planning->visible_cap * sizeof *planning->visible);
    }
}

static void find_notices(struct planning *planning)
{
    struct notice *newest = notices_about(planning->in->notices, planning->in->site, planning->event.id);
    size_t count = 0;

    for (const struct notice *notice = newest; notice; notice = notice->next)
        count++;
    if (count > planning->notice_cap) {
        planning->notice_cap = 2 * count;
        planning->notices = must_realloc(planning->notices, planning->notice_cap * sizeof *planning->notices);
        planning->next_claimed =
            must_realloc(planning->next_claimed, planning->notice_cap * sizeof *planning->next_claimed);
    }
    planning->notice_count = count;
    for (struct notice *notice = newest; notice; notice = notice->next)
        planning->notices[--count] = notice;
}

/* The rule a notice belongs to, or rule_count when it is configured no more or speaks of another kind of moment now. */
static size_t rule_index(const struct plan_input *in, const struct notice *notice)
{
    size_t i = 0;

    while (i < in->rule_count && strcmp(in->rules[i].rule->name, notice->rule) != 0)
        i++;
    return i < in->rule_count && in->rules[i].rule->when.kind == notice->kind ? i : in->rule_count;
}

/* --- who was told of another instant ---------------------------------------------------------------------------- */

/* Chains the notices of each group that have ever claimed. */
static void find_claimed(struct planning *planning)
{
    for (size_t i = 0; i < planning->notice_count; i++) {
        const struct notice *notice = planning->notices[i];
        size_t rule;
        if (!notice->claimed || !notice->course->member_count)
            continue;
        rule = rule_index(planning->in, notice);
        if (rule == planning->in->rule_count)
            continue;
        planning->next_claimed[i] = planning->groups[rule].claimed;
        planning->groups[rule].claimed = i + 1;
    }
}

static int order_told(const void *a, const void *b)
{
    return strcmp(((const struct told *)a)->id, ((const struct told *)b)->id);
}

static void collect_told(struct planning *planning, const struct group *group)
{
    planning->told_count = 0;
    for (size_t i = group->claimed; i; i = planning->next_claimed[i - 1]) {
        const struct notice *notice = planning->notices[i - 1];
        size_t needed = planning->told_count + notice->course->member_count;
        if (needed > planning->told_cap) {
            planning->told_cap = 2 * needed;
            planning->told = must_realloc(planning->told, planning->told_cap * sizeof *planning->told);
        }
        for (size_t k = 0; k < notice->course->member_count; k++)
            planning->told[planning->told_count++] = (struct told){notice->course->members[k], notice->at_ms};
    }
    if (planning->told_count)
        qsort(planning->told, planning->told_count, sizeof *planning->told, order_told);
}

/* Was it announced for another instant than this one? */
static bool was_told(const struct planning *planning, const char *id, int64_t at_ms)
{
    size_t low = 0, high = planning->told_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(planning->told[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < planning->told_count && strcmp(planning->told[low].id, id) == 0; low++)
        if (planning->told[low].at_ms != at_ms)
            return true;
    return false;
}

/* --- what the definitions ask for ------------------------------------------------------------------------------- */

static int order_by_start(const void *a, const void *b)
{
    const struct definition *x = *(const struct definition *const *)a, *y = *(const struct definition *const *)b;
    return (x->sale_starts_at_ms > y->sale_starts_at_ms) - (x->sale_starts_at_ms < y->sale_starts_at_ms);
}

static int order_by_end(const void *a, const void *b)
{
    const struct definition *x = *(const struct definition *const *)a, *y = *(const struct definition *const *)b;
    return (x->sale_ends_at_ms > y->sale_ends_at_ms) - (x->sale_ends_at_ms < y->sale_ends_at_ms);
}

/* The visible definitions that have such an instant, in its order. */
static size_t sort_visible(struct planning *planning, enum moment_kind kind)
{
    const struct event *event = &planning->event;
    size_t count = 0;

    for (size_t i = 0; i < event->count; i++)
        if (definition_visible(event->at[i]) && instant_of(event->at[i], kind) != MOMENT_NONE)
            planning->visible[count++] = event->at[i];
    if (count > 1)
        qsort(planning->visible, count, sizeof *planning->visible,
              kind == MOMENT_SALE_START ? order_by_start : order_by_end);
    return count;
}

static struct wanted *add_wanted(struct planning *planning, const struct rule *rule, int64_t at_ms)
{
    const struct event *event = &planning->event;
    struct wanted *wanted;

    if (planning->wanted_count == planning->wanted_cap) {
        planning->wanted_cap = planning->wanted_cap ? 2 * planning->wanted_cap : 256;
        planning->wanted = must_realloc(planning->wanted, planning->wanted_cap * sizeof *planning->wanted);
    }
    wanted = &planning->wanted[planning->wanted_count++];
    *wanted = (struct wanted){
        .at_ms = at_ms,
        .due_at_ms = when_due_at_ms(&rule->when, at_ms, event->zone, NULL),
        .created_at_ms = INT64_MAX,
        .told = rule->if_told != THEN_SEND,
        .notice =
            notices_match(planning->in->notices, planning->in->site, event->id, rule->name, rule->when.kind, at_ms),
    };
    return wanted;
}

static void want(struct planning *planning, size_t rule_at, size_t visible_count)
{
    const struct rule *rule = planning->in->rules[rule_at].rule;
    struct group *group = &planning->groups[rule_at];
    struct wanted *wanted = NULL;

    collect_told(planning, group);
    group->first = planning->wanted_count;
    for (size_t i = 0; i < visible_count; i++) {
        const struct definition *definition = planning->visible[i];
        int64_t at_ms = instant_of(definition, rule->when.kind);
        if (!covers(rule, planning->in->site, definition))
            continue;
        if (!wanted || wanted->at_ms != at_ms)
            wanted = add_wanted(planning, rule, at_ms);
        if (definition->created_at_ms < wanted->created_at_ms)
            wanted->created_at_ms = definition->created_at_ms;
        wanted->told = wanted->told && was_told(planning, definition->id, at_ms);
    }
    group->count = planning->wanted_count - group->first;
}

static void find_wanted(struct planning *planning)
{
    planning->wanted_count = 0;
    for (unsigned kind = 0; kind < MOMENT_KINDS; kind++) {
        size_t count = sort_visible(planning, kind);
        for (size_t r = 0; r < planning->in->rule_count; r++)
            if (planning->in->rules[r].rule->when.kind == kind)
                want(planning, r, count);
    }
}

static struct wanted *wanted_at(const struct planning *planning, const struct group *group, int64_t at_ms)
{
    size_t low = group->first, high = group->first + group->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (planning->wanted[middle].at_ms < at_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low < group->first + group->count && planning->wanted[low].at_ms == at_ms ? &planning->wanted[low] : NULL;
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
static bool is_ours(const struct plan_input *in, const struct plan_rule *rule, const struct wanted *wanted)
{
    return rule->first_loaded_at_ms < wanted->due_at_ms && in->first_walked_at_ms != MOMENT_NONE &&
           in->first_walked_at_ms < wanted->due_at_ms && wanted->created_at_ms < wanted->due_at_ms;
}

/* Adds what is wanted and not known yet. True when it may still be sent. */
static bool plan_new(struct planning *planning, const struct plan_rule *rule, const struct wanted *wanted)
{
    const struct plan_input *in = planning->in;
    int64_t age_ms = in->now_ms - wanted->due_at_ms;
    bool ours = is_ours(in, rule, wanted);
    bool open = age_ms <= 0 || (ours && in->now_ms <= start_by_ms(rule->rule, wanted->at_ms, wanted->due_at_ms));
    struct plan_step *step;

    if (!open && (in->frozen || age_ms >= (ours ? LATE_LISTED_MS : BEFORE_OUR_TIME_LISTED_MS)))
        return false;
    step = add_step(planning->out, open ? PLAN_ADD : PLAN_ADD_MISSED, rule->rule, NULL);
    step->subject = planning->event.id;
    step->kind = rule->rule->when.kind;
    step->at_ms = wanted->at_ms;
    step->due_at_ms = wanted->due_at_ms;
    step->reason = open ? REASON_NONE : ours ? REASON_LATE : REASON_BEFORE_OUR_TIME;
    return open;
}

static void plan_new_ones(struct planning *planning)
{
    for (size_t r = 0; r < planning->in->rule_count; r++) {
        const struct group *group = &planning->groups[r];
        for (size_t i = group->first; i < group->first + group->count; i++) {
            const struct wanted *wanted = &planning->wanted[i];
            if (wanted->notice || !plan_new(planning, &planning->in->rules[r], wanted) || !wanted->from)
                continue;
            add_step(planning->out, PLAN_TAKE_OVER, planning->in->rules[r].rule, NULL)->from = wanted->from;
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
    const struct event *event = &planning->event;
    bool visible_elsewhere = false, hidden_there = false, off = false;

    for (size_t i = 0; i < event->count; i++) {
        const struct definition *definition = event->at[i];
        int64_t at_ms = instant_of(definition, notice->kind);
        if (definition_visible(definition) && at_ms == notice->at_ms)
            return REASON_RULE; /* it is there, but the rule speaks of it no more */
        if (!covers(rule, planning->in->site, definition))
            continue;
        visible_elsewhere |= definition_visible(definition);
        hidden_there |= definition->hidden && at_ms == notice->at_ms;
        off |= event_off(definition);
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
static struct wanted *new_home(const struct planning *planning, const struct group *group)
{
    struct wanted *home = NULL;
    size_t new_ones = 0;

    for (size_t i = group->first; i < group->first + group->count; i++)
        if (!planning->wanted[i].notice) {
            home = &planning->wanted[i];
            new_ones++;
        }
    if (new_ones == 0 && group->count == 1 && wants_people(planning->wanted[group->first].notice))
        home = &planning->wanted[group->first];
    return new_ones <= 1 && home && !home->from ? home : NULL;
}

static void plan_lost(struct planning *planning, struct notice *notice, const struct rule *rule,
                      const struct group *group)
{
    enum notice_reason reason = rule ? why_lost(planning, notice, rule) : REASON_RULE;
    struct wanted *home;

    if (reason == REASON_RULE && notice->claimed)
        return; /* what has begun ends as it began */
    add_step(planning->out, PLAN_WITHDRAW, rule, notice)->reason = reason;
    if (reason != REASON_MOVED || notice->claimed || !has_people(notice) || !group)
        return;
    home = new_home(planning, group);
    if (!home)
        return;
    home->from = notice;
    if (home->notice)
        add_step(planning->out, PLAN_TAKE_OVER, rule, home->notice)->from = notice;
}

/* --- notices that stand ----------------------------------------------------------------------------------------- */

/* Withdrawn for want of definitions, and they are back; what the gate or a person decided stays. */
static bool comes_back(const struct plan_input *in, const struct notice *notice, const struct rule *rule,
                       const struct wanted *wanted, bool told, int64_t due_at_ms)
{
    if (!notice_may_move(notice, NOTICE_PLANNED) || (told && rule->if_told == THEN_DROP) || notice != wanted->notice)
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
                          const struct wanted *wanted)
{
    bool told = wanted->told && !notice->claimed && !notice->approved;
    int64_t due_at_ms = notice->edition == 1 ? wanted->due_at_ms : notice->due_at_ms; /* a repeat has its own time */

    if (notice->state == NOTICE_WITHDRAWN) {
        if (comes_back(planning->in, notice, rule, wanted, told, due_at_ms))
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
    if (due_at_ms != notice->due_at_ms && notice->state != NOTICE_HELD)
        add_step(planning->out, PLAN_RETIME, rule, notice)->due_at_ms = due_at_ms;
}

static void plan_known(struct planning *planning, struct notice *notice)
{
    const struct plan_input *in = planning->in;
    size_t rule_at = rule_index(in, notice);
    const struct rule *rule = rule_at < in->rule_count ? in->rules[rule_at].rule : NULL;
    const struct group *group = rule ? &planning->groups[rule_at] : NULL;
    const struct wanted *wanted = group ? wanted_at(planning, group, notice->at_ms) : NULL;

    if (wanted)
        plan_standing(planning, notice, rule, wanted);
    else if (notice->state != NOTICE_WITHDRAWN)
        plan_lost(planning, notice, rule, group);
}

static void plan_event(struct planning *planning, const char *id)
{
    find_event(planning, id);
    find_notices(planning);
    memset(planning->groups, 0, planning->in->rule_count * sizeof *planning->groups);
    find_claimed(planning);
    find_wanted(planning);
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

    for (size_t i = 0; i < definitions->count; i += planning->event.count)
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

    planning.groups = must_calloc(input->rule_count + 1, sizeof *planning.groups);
    if (input->event)
        plan_event(&planning, input->event);
    else
        plan_all(&planning);
    free(planning.groups);
    free(planning.notices);
    free(planning.wanted);
    free(planning.next_claimed);
    free(planning.visible);
    free(planning.told);
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
        if (!definition_visible(definition) || instant_of(definition, notice->kind) != notice->at_ms ||
            !covers(rule, notice->site, definition))
            continue;
        if (count < max)
            out[count] = definition;
        count++;
    }
    return count;
}

static bool names(const struct notice *notice, const char *id)
{
    for (size_t i = 0; i < notice->course->member_count; i++)
        if (strcmp(notice->course->members[i], id) == 0)
            return true;
    return false;
}

static bool announced_elsewhere(const struct notice *notice, const char *id, const struct notices *notices)
{
    for (const struct notice *other = notices_about(notices, notice->site, notice->subject); other; other = other->next)
        if (other->claimed && other->at_ms != notice->at_ms && other->kind == notice->kind &&
            strcmp(other->rule, notice->rule) == 0 && names(other, id))
            return true;
    return false;
}

bool plan_told_before(const struct notice *notice, const struct rule *rule, const struct definitions *definitions,
                      const struct notices *notices)
{
    size_t count = notice->claimed ? 0 : plan_members(notice, rule, definitions, NULL, 0);
    auto_free const struct definition **behind = must_calloc(count + 1, sizeof *behind);

    if (count == 0)
        return false;
    plan_members(notice, rule, definitions, behind, count);
    for (size_t i = 0; i < count; i++)
        if (!announced_elsewhere(notice, behind[i]->id, notices))
            return false;
    return true;
}
