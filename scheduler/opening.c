#include "opening.h"

#include <assert.h>
#include <string.h>

/* The visible definitions of one event that open at the same instant. */
struct group {
    int64_t at_ms;
    const char **members; /* ids, sorted; borrowed */
    size_t count;
    struct opening *opening; /* the one it has found, or NULL yet */
};

struct groups {
    struct group *at; /* by instant */
    size_t count;
    const char **ids; /* what all the groups' members point into */
};

const char *opening_state_name(enum opening_state state)
{
    return state == OPENING_SCHEDULED ? "scheduled" : "withdrawn";
}

static void drop_members(struct opening *opening)
{
    for (size_t i = 0; i < opening->member_count; i++)
        free(opening->members[i]);
    free(opening->members);
    opening->members = NULL;
    opening->member_count = 0;
}

static uint64_t hash_of_event(const void *item)
{
    const struct opening *opening = item;
    return index_hash(index_hash(INDEX_HASH, opening->site), opening->event_id);
}

static bool same_event(const void *a, const void *b)
{
    const struct opening *x = a, *y = b;
    return strcmp(x->event_id, y->event_id) == 0 && strcmp(x->site, y->site) == 0;
}

static const struct index_kind by_event = {hash_of_event, same_event};

struct opening *openings_of(const struct openings *set, const char *site, const char *event_id)
{
    struct opening like = {.site = (char *)(uintptr_t)site, .event_id = (char *)(uintptr_t)event_id};
    return index_find(&set->by_event, &by_event, &like);
}

/* The chain goes down from the highest id: mostly the new one. */
static void chain(struct openings *set, struct opening *opening)
{
    struct opening *above = index_put(&set->by_event, &by_event, opening);

    opening->next = above;
    if (!above || above->id < opening->id)
        return;
    index_put(&set->by_event, &by_event, above);
    while (above->next && above->next->id > opening->id)
        above = above->next;
    opening->next = above->next;
    above->next = opening;
}

void openings_clear(struct openings *set)
{
    for (size_t i = 0; i < set->count; i++) {
        struct opening *opening = set->at[i];
        drop_members(opening);
        free(opening->site);
        free(opening->event_id);
        free(opening);
    }
    free(set->at);
    index_clear(&set->by_event);
    *set = (struct openings){0};
}

struct opening *openings_add(struct openings *set, int64_t id, const char *site, const char *event_id,
                             int64_t opens_at_ms, enum opening_state state)
{
    struct opening *opening = must_calloc(1, sizeof *opening);
    size_t place = set->count;

    *opening = (struct opening){.id = id, .opens_at_ms = opens_at_ms, .state = state};
    opening->site = must_strdup(site);
    opening->event_id = must_strdup(event_id);
    if (set->count == set->cap) {
        set->cap = set->cap ? 2 * set->cap : 64;
        set->at = must_realloc(set->at, set->cap * sizeof *set->at);
    }
    while (place > 0 && set->at[place - 1]->id > id)
        place--;
    assert(place == 0 || set->at[place - 1]->id != id);
    memmove(set->at + place + 1, set->at + place, (set->count - place) * sizeof *set->at);
    set->at[place] = opening;
    set->count++;
    chain(set, opening);
    if (set->next_id <= id)
        set->next_id = id + 1;
    return opening;
}

static int order_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void opening_set_members(struct opening *opening, const char *const *ids, size_t count)
{
    char **members = count ? must_calloc(count, sizeof *members) : NULL;

    for (size_t i = 0; i < count; i++)
        members[i] = must_strdup(ids[i]);
    if (count)
        qsort(members, count, sizeof *members, order_texts);
    drop_members(opening);
    opening->members = members;
    opening->member_count = count;
}

const struct opening *openings_find(const struct openings *set, const char *site, const char *event_id, int64_t at_ms)
{
    struct opening *opening = openings_of(set, site, event_id);

    while (opening && (opening->opens_at_ms != at_ms || opening->state != OPENING_SCHEDULED))
        opening = opening->next;
    return opening;
}

static int order_by_start(const void *a, const void *b)
{
    const struct definition *x = *(const struct definition *const *)a, *y = *(const struct definition *const *)b;

    if (x->sale_starts_at_ms != y->sale_starts_at_ms)
        return x->sale_starts_at_ms < y->sale_starts_at_ms ? -1 : 1;
    return strcmp(x->id, y->id);
}

/* Groups the definitions of one event. */
static void groups_make(struct groups *groups, struct definition *const *definitions, size_t count)
{
    const struct definition **sorted = must_calloc(count + 1, sizeof *sorted);
    size_t visible = 0;

    for (size_t i = 0; i < count; i++)
        if (definition_visible(definitions[i]) && definitions[i]->sale_starts_at_ms != MOMENT_NONE)
            sorted[visible++] = definitions[i];
    qsort(sorted, visible, sizeof *sorted, order_by_start);
    groups->count = 0;
    groups->at = must_calloc(visible + 1, sizeof *groups->at);
    groups->ids = must_calloc(visible + 1, sizeof *groups->ids);
    for (size_t i = 0; i < visible; i++) {
        struct group *group;
        if (i == 0 || sorted[i]->sale_starts_at_ms != sorted[i - 1]->sale_starts_at_ms)
            groups->at[groups->count++] =
                (struct group){.at_ms = sorted[i]->sale_starts_at_ms, .members = &groups->ids[i]};
        group = &groups->at[groups->count - 1];
        group->members[group->count++] = sorted[i]->id;
    }
    free(sorted);
}

static void groups_clear(struct groups *groups)
{
    free(groups->at);
    free(groups->ids);
}

/* How many of the opening's members stand in the group; both are sorted. */
static size_t shared_members(const struct opening *opening, const struct group *group)
{
    size_t shared = 0;

    for (size_t i = 0, j = 0; i < opening->member_count && j < group->count;) {
        int order = strcmp(opening->members[i], group->members[j]);
        shared += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    return shared;
}

/* Oldest first, an opening goes to the group with most of its members that has none yet; at a tie to the one at its
 * old instant, else to the earliest. So a group that holds members of several keeps the oldest of them. */
static void find_by_members(struct groups *groups, struct opening *opening)
{
    struct group *best = NULL;
    size_t most = 0;

    for (size_t i = 0; i < groups->count; i++) {
        struct group *group = &groups->at[i];
        size_t shared = group->opening ? 0 : shared_members(opening, group);
        if (shared > most || (shared && shared == most && group->at_ms == opening->opens_at_ms)) {
            best = group;
            most = shared;
        }
    }
    if (best)
        best->opening = opening;
}

static bool is_placed(const struct groups *groups, const struct opening *opening)
{
    for (size_t i = 0; i < groups->count; i++)
        if (groups->at[i].opening == opening)
            return true;
    return false;
}

/* None of its members is visible any more, but others open at its instant (tickets made anew): it is still the same. */
static void find_by_instant(struct groups *groups, struct opening *opening)
{
    for (size_t i = 0; i < groups->count; i++)
        if (!groups->at[i].opening && groups->at[i].at_ms == opening->opens_at_ms)
            groups->at[i].opening = opening;
}

static bool settle(struct opening *opening, const struct group *group)
{
    if (opening->opens_at_ms == group->at_ms && opening->member_count == group->count &&
        shared_members(opening, group) == group->count)
        return false;
    if (opening->news != OPENING_NEW)
        opening->news = opening->opens_at_ms != group->at_ms ? OPENING_MOVED : OPENING_CHANGED;
    opening->opens_at_ms = group->at_ms;
    opening_set_members(opening, group->members, group->count);
    opening->dirty = true;
    return true;
}

static size_t update_event(struct openings *set, struct opening **known, size_t known_count, const char *site,
                           const char *event_id, struct definition *const *definitions, size_t count)
{
    struct groups groups;
    size_t changed = 0;

    groups_make(&groups, definitions, count);
    for (size_t i = 0; i < known_count; i++)
        find_by_members(&groups, known[i]);
    for (size_t i = 0; i < known_count; i++)
        if (!is_placed(&groups, known[i]))
            find_by_instant(&groups, known[i]);
    for (size_t i = 0; i < known_count; i++)
        if (!is_placed(&groups, known[i])) {
            known[i]->state = OPENING_WITHDRAWN;
            known[i]->dirty = true;
            known[i]->news = OPENING_GONE;
            changed++;
        }
    for (size_t i = 0; i < groups.count; i++) {
        struct group *group = &groups.at[i];
        if (!group->opening) {
            group->opening =
                openings_add(set, set->next_id ? set->next_id : 1, site, event_id, group->at_ms, OPENING_SCHEDULED);
            group->opening->news = OPENING_NEW;
        }
        changed += settle(group->opening, group);
    }
    groups_clear(&groups);
    return changed;
}

/* An event that is over keeps its openings: they are history, not withdrawn. */
static bool event_over(struct definition *const *definitions, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (definitions[i]->event_status != EVENT_ENDED)
            return false;
    return count > 0;
}

size_t openings_update(struct openings *set, const char *site, const char *event_id,
                       const struct definitions *definitions)
{
    struct definition *const *at;
    size_t count = definitions_of_event(definitions, event_id, &at), known_count = 0, changed;

    if (event_over(at, count))
        return 0;
    for (struct opening *opening = openings_of(set, site, event_id); opening; opening = opening->next)
        known_count += opening->state == OPENING_SCHEDULED;
    struct opening **known = must_calloc(known_count + 1, sizeof *known), **end = known + known_count;
    for (struct opening *opening = openings_of(set, site, event_id); opening; opening = opening->next)
        if (opening->state == OPENING_SCHEDULED)
            *--end = opening; /* the oldest first */
    changed = update_event(set, known, known_count, site, event_id, at, count);
    free(known);
    return changed;
}
