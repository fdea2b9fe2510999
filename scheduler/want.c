#include "want.h"

#include <string.h>

/* --- The event ---------------------------------------------------------------------------------------------------- */

static const struct zone *zone_named(const struct plan_input *in, const char *name)
{
    return name && *name && in->zone ? in->zone(in->zone_ctx, name) : NULL;
}

/* That of the first definition that names one we know, else the site's; NULL is UTC. */
static const struct zone *zone_of(const struct plan_input *in, const struct wants *wants)
{
    const char *tried = "";

    for (size_t i = 0; i < wants->definition_count; i++) {
        const char *name = wants->definitions[i]->event_zone;
        const struct zone *zone = strcmp(name, tried) == 0 ? NULL : zone_named(in, name);
        if (zone)
            return zone;
        tried = name;
    }
    return zone_named(in, in->site_zone);
}

static int order_by_instant(const void *a, const void *b)
{
    const struct want_stand *x = a, *y = b;
    return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

/* What is visible and has an instant of that kind, in the order of these: how many. */
static size_t find_stands(struct wants *wants, enum moment_kind kind)
{
    size_t count = 0;

    if (wants->definition_count > wants->stand_cap) {
        wants->stand_cap = 2 * wants->definition_count;
        wants->stands = must_realloc(wants->stands, wants->stand_cap * sizeof *wants->stands);
    }
    for (size_t i = 0; i < wants->definition_count; i++) {
        const struct definition *definition = wants->definitions[i];
        int64_t at_ms = definition_at_ms(definition, kind);
        if (at_ms != MOMENT_NONE && definition_visible(definition))
            wants->stands[count++] = (struct want_stand){at_ms, definition};
    }
    if (count > 1)
        qsort(wants->stands, count, sizeof *wants->stands, order_by_instant);
    return count;
}

/* --- What a rule wants of it -------------------------------------------------------------------------------------- */

static struct want *add_want(struct wants *wants, const struct plan_input *in, const struct rule *rule,
                             const struct zone *zone, int64_t at_ms)
{
    struct want *want;

    if (wants->count == wants->cap) {
        wants->cap = wants->cap ? 2 * wants->cap : 256;
        wants->at = must_realloc(wants->at, wants->cap * sizeof *wants->at);
    }
    want = &wants->at[wants->count++];
    *want = (struct want){
        .at_ms = at_ms,
        .due_at_ms = when_due_at_ms(&rule->when, at_ms, zone, NULL),
        .created_at_ms = INT64_MAX,
        .told = rule->if_told != THEN_SEND,
        .notice = notices_match(in->notices, in->site, wants->event, rule->name, rule->when.kind, at_ms),
    };
    return want;
}

static struct want_span find_of_rule(struct wants *wants, const struct plan_input *in, const struct rule *rule,
                                     const struct zone *zone, size_t stand_count)
{
    struct want_span span = {.first = wants->count};
    struct want *want = NULL;

    for (size_t i = 0; i < stand_count; i++) {
        const struct want_stand *stand = &wants->stands[i];
        const struct definition *definition = stand->definition;
        if (!rule_covers(rule, definition))
            continue;
        if (!want || want->at_ms != stand->at_ms)
            want = add_want(wants, in, rule, zone, stand->at_ms);
        if (definition->created_at_ms < want->created_at_ms)
            want->created_at_ms = definition->created_at_ms;
        want->told = want->told && told_elsewhere(&wants->told, &(struct announcement){rule->name, definition->id,
                                                                                       rule->when.kind, stand->at_ms});
    }
    span.count = wants->count - span.first;
    return span;
}

void wants_find(struct wants *wants, const struct plan_input *in, const char *event)
{
    const struct zone *zone;

    wants->event = event;
    wants->definition_count = definitions_of_event(in->definitions, event, &wants->definitions);
    wants->count = 0;
    if (!wants->of_rule)
        wants->of_rule = must_calloc(in->rule_count + 1, sizeof *wants->of_rule);
    told_take(&wants->told, notices_about(in->notices, in->site, event));
    zone = zone_of(in, wants);
    for (unsigned kind = 0; kind < MOMENT_KINDS; kind++) {
        size_t stand_count = find_stands(wants, kind);
        for (size_t i = 0; i < in->rule_count; i++)
            if (in->rules[i].rule->when.kind == kind)
                wants->of_rule[i] = find_of_rule(wants, in, in->rules[i].rule, zone, stand_count);
    }
}

struct want *wants_at(const struct wants *wants, size_t rule, int64_t at_ms)
{
    const struct want_span *span = &wants->of_rule[rule];
    size_t low = span->first, high = span->first + span->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (wants->at[middle].at_ms < at_ms)
            low = middle + 1;
        else
            high = middle;
    }
    return low < span->first + span->count && wants->at[low].at_ms == at_ms ? &wants->at[low] : NULL;
}

void wants_clear(struct wants *wants)
{
    free(wants->at);
    free(wants->of_rule);
    free(wants->stands);
    told_clear(&wants->told);
    *wants = (struct wants){0};
}
