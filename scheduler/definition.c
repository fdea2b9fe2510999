#include "definition.h"

#include <assert.h>
#include <string.h>

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

bool definition_visible(const struct definition *definition)
{
    switch (definition->event_status) {
    case EVENT_CANCELED:
    case EVENT_ENDED:
    case EVENT_DRAFT:
        return false;
    case EVENT_UNKNOWN: /* details were missing: worth planning, and the gate asks again */
    case EVENT_UPCOMING:
    case EVENT_STARTED:
        break;
    }
    return !definition->hidden;
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

static size_t place_by_id(const struct definitions *set, const char *id)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(set->by_id[middle]->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool stands_at(const struct definitions *set, size_t place, const char *id)
{
    return place < set->count && strcmp(set->by_id[place]->id, id) == 0;
}

static void insert_at(struct definition **array, size_t count, size_t place, struct definition *definition)
{
    memmove(array + place + 1, array + place, (count - place) * sizeof *array);
    array[place] = definition;
}

static void remove_at(struct definition **array, size_t count, size_t place)
{
    memmove(array + place, array + place + 1, (count - place - 1) * sizeof *array);
}

void definitions_clear(struct definitions *set)
{
    for (size_t i = 0; i < set->count; i++)
        definition_free(set->at[i]);
    free(set->at);
    free(set->by_id);
    *set = (struct definitions){0};
}

const struct definition *definitions_find(const struct definitions *set, const char *id)
{
    size_t place = place_by_id(set, id);
    return stands_at(set, place, id) ? set->by_id[place] : NULL;
}

const struct definition *definitions_of_event(const struct definitions *set, const char *event_id)
{
    struct definition first = {.event_id = event_id, .id = ""};
    size_t place = place_by_event(set, &first);

    return place < set->count && strcmp(set->at[place]->event_id, event_id) == 0 ? set->at[place] : NULL;
}

void definitions_put(struct definitions *set, struct definition *definition)
{
    definitions_remove(set, definition->id); /* its event may be another one now */
    if (set->count == set->cap) {
        set->cap = set->cap ? 2 * set->cap : 64;
        set->at = must_realloc(set->at, set->cap * sizeof *set->at);
        set->by_id = must_realloc(set->by_id, set->cap * sizeof *set->by_id);
    }
    insert_at(set->at, set->count, place_by_event(set, definition), definition);
    insert_at(set->by_id, set->count, place_by_id(set, definition->id), definition);
    set->count++;
}

void definitions_remove(struct definitions *set, const char *id)
{
    size_t place = place_by_id(set, id);
    struct definition *definition;

    if (!stands_at(set, place, id))
        return;
    definition = set->by_id[place];
    remove_at(set->at, set->count, place_by_event(set, definition));
    remove_at(set->by_id, set->count, place);
    set->count--;
    definition_free(definition);
}
