#include "definition.h"

#include <assert.h>
#include <string.h>

static const char *const kind_names[MOMENT_KINDS] = {
    [MOMENT_SALE_START] = "sale_start",
    [MOMENT_SALE_END] = "sale_end",
};

static const char *const event_status_names[] = {
    [EVENT_UNKNOWN] = "unknown", [EVENT_UPCOMING] = "upcoming",  [EVENT_STARTED] = "started",
    [EVENT_ENDED] = "ended",     [EVENT_CANCELED] = "cancelled", [EVENT_DRAFT] = "draft",
};

static const char *const sale_status_names[] = {
    [SALE_UNKNOWN] = "unknown",
    [SALE_SCHEDULED] = "scheduled",
    [SALE_STARTED] = "started",
    [SALE_ENDED] = "ended",
};

const char *moment_kind_name(enum moment_kind kind)
{
    assert(kind < MOMENT_KINDS);
    return kind_names[kind];
}

/* Where the texts of a definition stand: what is copied, and what messages or planning look at. */
static const size_t texts[] = {
    offsetof(struct definition, site),        offsetof(struct definition, id),
    offsetof(struct definition, event_id),    offsetof(struct definition, name),
    offsetof(struct definition, description), offsetof(struct definition, price),
    offsetof(struct definition, currency),    offsetof(struct definition, event_title),
    offsetof(struct definition, event_zone),  offsetof(struct definition, event_url),
    offsetof(struct definition, event_place),
};

static const char **text_at(struct definition *definition, size_t i)
{
    return (const char **)((char *)definition + texts[i]);
}

static const char *text_in(const struct definition *definition, size_t i)
{
    const char *text = *(const char *const *)((const char *)definition + texts[i]);
    return text ? text : "";
}

const char *event_status_name(enum event_status status)
{
    assert(status < ARRAY_LEN(event_status_names));
    return event_status_names[status];
}

const char *sale_status_name(enum sale_status status)
{
    assert(status < ARRAY_LEN(sale_status_names));
    return sale_status_names[status];
}

struct definition *definition_new(const struct definition *fields)
{
    size_t size = sizeof *fields;
    struct definition *definition;
    char *end;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        size += strlen(text_in(fields, i)) + 1;
    definition = must_calloc(1, size);
    *definition = *fields;
    end = (char *)(definition + 1);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        *text_at(definition, i) = end;
        end = stpcpy(end, text_in(fields, i)) + 1;
    }
    return definition;
}

void definition_free(struct definition *definition)
{
    free(definition);
}

bool definition_same(const struct definition *a, const struct definition *b)
{
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (strcmp(text_in(a, i), text_in(b, i)) != 0)
            return false;
    return a->created_at_ms == b->created_at_ms && a->free == b->free && a->hidden == b->hidden &&
           a->sold_out == b->sold_out && a->sale_status == b->sale_status &&
           a->sale_starts_at_ms == b->sale_starts_at_ms && a->sale_ends_at_ms == b->sale_ends_at_ms &&
           a->event_status == b->event_status && a->event_starts_at_ms == b->event_starts_at_ms;
}

bool definition_reads_same(const struct definition *a, const struct definition *b)
{
    struct definition like = *b;

    like.sale_status = a->sale_status;
    like.sold_out = a->sold_out;
    return definition_same(a, &like);
}

bool definition_plans_same(const struct definition *a, const struct definition *b)
{
    return strcmp(a->id, b->id) == 0 && strcmp(a->event_id, b->event_id) == 0 &&
           strcmp(a->event_title, b->event_title) == 0 && strcmp(a->event_zone, b->event_zone) == 0 &&
           a->created_at_ms == b->created_at_ms && a->hidden == b->hidden &&
           a->sale_starts_at_ms == b->sale_starts_at_ms && a->sale_ends_at_ms == b->sale_ends_at_ms &&
           a->event_status == b->event_status;
}

bool definition_event_off(const struct definition *definition)
{
    switch (definition->event_status) {
    case EVENT_CANCELED:
    case EVENT_ENDED:
    case EVENT_DRAFT:
        return true;
    case EVENT_UNKNOWN: /* details were missing: worth planning, and the gate asks again */
    case EVENT_UPCOMING:
    case EVENT_STARTED:
        break;
    }
    return false;
}

bool definition_visible(const struct definition *definition)
{
    return !definition->hidden && !definition_event_off(definition);
}

int64_t definition_at_ms(const struct definition *definition, enum moment_kind kind)
{
    return kind == MOMENT_SALE_START ? definition->sale_starts_at_ms : definition->sale_ends_at_ms;
}

static int order_by_event(const struct definition *a, const struct definition *b)
{
    int order = strcmp(a->event_id, b->event_id);
    return order ? order : strcmp(a->id, b->id);
}

/* Where `definition` stands, or would stand, among those sorted by event and id. */
static size_t place_by_event(const struct definitions *set, const struct definition *definition)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order_by_event(set->at[middle], definition) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint64_t hash_of_id(const void *item)
{
    return index_hash(INDEX_HASH, ((const struct definition *)item)->id);
}

static bool same_id(const void *a, const void *b)
{
    return strcmp(((const struct definition *)a)->id, ((const struct definition *)b)->id) == 0;
}

static const struct index_kind by_id = {hash_of_id, same_id};

void definitions_clear(struct definitions *set)
{
    for (size_t i = 0; i < set->count; i++)
        definition_free(set->at[i]);
    free(set->at);
    index_clear(&set->by_id);
    *set = (struct definitions){0};
}

const struct definition *definitions_find(const struct definitions *set, const char *id)
{
    return index_find(&set->by_id, &by_id, &(struct definition){.id = id});
}

size_t definitions_of_event(const struct definitions *set, const char *event_id, struct definition *const **first)
{
    size_t from = place_by_event(set, &(struct definition){.event_id = event_id, .id = ""}), count = 0;

    while (from + count < set->count && strcmp(set->at[from + count]->event_id, event_id) == 0)
        count++;
    *first = count ? &set->at[from] : NULL;
    return count;
}

static void take_out(struct definitions *set, struct definition *definition)
{
    size_t place = place_by_event(set, definition);

    set->count--;
    memmove(set->at + place, set->at + place + 1, (set->count - place) * sizeof *set->at);
}

void definitions_put(struct definitions *set, struct definition *definition)
{
    struct definition *had = index_put(&set->by_id, &by_id, definition);

    if (had && strcmp(had->event_id, definition->event_id) == 0) {
        set->at[place_by_event(set, definition)] = definition;
        definition_free(had);
        return;
    }
    if (had)
        take_out(set, had);
    definition_free(had);
    if (set->count == set->cap) {
        set->cap = set->cap ? 2 * set->cap : 64;
        set->at = must_realloc(set->at, set->cap * sizeof *set->at);
    }
    size_t place = place_by_event(set, definition);
    memmove(set->at + place + 1, set->at + place, (set->count - place) * sizeof *set->at);
    set->at[place] = definition;
    set->count++;
}

void definitions_remove(struct definitions *set, const char *id)
{
    struct definition *had = index_remove(&set->by_id, &by_id, &(struct definition){.id = id});

    if (!had)
        return;
    take_out(set, had);
    definition_free(had);
}
