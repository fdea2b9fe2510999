#include "index.h"

uint64_t index_hash(uint64_t hash, const char *string)
{
    for (; *string; string++)
        hash = (hash ^ (unsigned char)*string) * 0x100000001b3;
    return (hash ^ 0xff) * 0x100000001b3;
}

static size_t home_of(const struct index *index, const struct index_kind *kind, const void *item)
{
    uint64_t hash = kind->hash(item);
    return (size_t)(hash ^ hash >> 32) & (index->size - 1);
}

/* Where something like it is, or the empty place where it belongs. */
static size_t place_of(const struct index *index, const struct index_kind *kind, const void *like)
{
    size_t place = home_of(index, kind, like);

    while (index->at[place] && !kind->same(index->at[place], like))
        place = (place + 1) & (index->size - 1);
    return place;
}

static void grow(struct index *index, const struct index_kind *kind)
{
    struct index larger = {.count = index->count, .size = index->size ? 2 * index->size : 16};

    larger.at = must_calloc(larger.size, sizeof *larger.at);
    for (size_t i = 0; i < index->size; i++)
        if (index->at[i])
            larger.at[place_of(&larger, kind, index->at[i])] = index->at[i];
    free(index->at);
    *index = larger;
}

void index_clear(struct index *index)
{
    free(index->at);
    *index = (struct index){0};
}

void *index_find(const struct index *index, const struct index_kind *kind, const void *like)
{
    return index->size ? index->at[place_of(index, kind, like)] : NULL;
}

void *index_put(struct index *index, const struct index_kind *kind, void *item)
{
    if (2 * (index->count + 1) > index->size)
        grow(index, kind);
    size_t place = place_of(index, kind, item);
    void *had = index->at[place];
    index->count += had == NULL;
    index->at[place] = item;
    return had;
}

void *index_remove(struct index *index, const struct index_kind *kind, const void *like)
{
    size_t mask = index->size - 1, hole = index->size ? place_of(index, kind, like) : 0;
    void *had = index->size ? index->at[hole] : NULL;

    if (!had)
        return NULL;
    index->count--;
    index->at[hole] = NULL;
    /* Whoever stands behind the hole, but had gone past it from home, moves into it. */
    for (size_t i = (hole + 1) & mask; index->at[i]; i = (i + 1) & mask)
        if (((i - home_of(index, kind, index->at[i])) & mask) >= ((i - hole) & mask)) {
            index->at[hole] = index->at[i];
            index->at[i] = NULL;
            hole = i;
        }
    return had;
}
