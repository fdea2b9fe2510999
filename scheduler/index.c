#include "index.h"

/* Fuller it is not. Who is not there is looked for at a dozen places then, by their hashes alone. */
enum { FULL = 4, FULL_OF = 5 };

uint64_t index_hash(uint64_t hash, const char *string)
{
    for (; *string; string++)
        hash = (hash ^ (unsigned char)*string) * 0x100000001b3;
    return (hash ^ 0xff) * 0x100000001b3;
}

/* What is kept of it: the low bits say where it belongs. */
static uint32_t hash_of(const struct index_kind *kind, const void *item)
{
    uint64_t hash = kind->hash(item);
    return (uint32_t)(hash ^ hash >> 32);
}

/* Where something like it is, or the empty place where it belongs. */
static size_t place_of(const struct index *index, const struct index_kind *kind, uint32_t hash, const void *like)
{
    size_t mask = index->size - 1, place = hash & mask;

    while (index->at[place] && !(index->hashes[place] == hash && kind->same(index->at[place], like)))
        place = (place + 1) & mask;
    return place;
}

/* Nothing of what is in it is looked at: of much that would take the time of many changes at once. */
static void grow(struct index *index)
{
    struct index larger = {.count = index->count, .size = index->size ? 2 * index->size : 16};
    size_t mask = larger.size - 1;

    larger.at = must_calloc(larger.size, sizeof *larger.at);
    larger.hashes = must_calloc(larger.size, sizeof *larger.hashes);
    for (size_t i = 0; i < index->size; i++) {
        if (!index->at[i])
            continue;
        size_t place = index->hashes[i] & mask;
        while (larger.at[place])
            place = (place + 1) & mask;
        larger.at[place] = index->at[i];
        larger.hashes[place] = index->hashes[i];
    }
    index_clear(index);
    *index = larger;
}

void index_clear(struct index *index)
{
    free(index->at);
    free(index->hashes);
    *index = (struct index){0};
}

void *index_find(const struct index *index, const struct index_kind *kind, const void *like)
{
    return index->size ? index->at[place_of(index, kind, hash_of(kind, like), like)] : NULL;
}

void *index_put(struct index *index, const struct index_kind *kind, void *item)
{
    uint32_t hash = hash_of(kind, item);

    if (FULL_OF * (index->count + 1) > FULL * index->size)
        grow(index);
    size_t place = place_of(index, kind, hash, item);
    void *had = index->at[place];
    index->count += had == NULL;
    index->at[place] = item;
    index->hashes[place] = hash;
    return had;
}

void *index_remove(struct index *index, const struct index_kind *kind, const void *like)
{
    size_t mask = index->size - 1, hole = index->size ? place_of(index, kind, hash_of(kind, like), like) : 0;
    void *had = index->size ? index->at[hole] : NULL;

    if (!had)
        return NULL;
    index->count--;
    index->at[hole] = NULL;
    /* Whoever stands behind the hole, but had gone past it from home, moves into it. */
    for (size_t i = (hole + 1) & mask; index->at[i]; i = (i + 1) & mask)
        if (((i - index->hashes[i]) & mask) >= ((i - hole) & mask)) {
            index->at[hole] = index->at[i];
            index->hashes[hole] = index->hashes[i];
            index->at[i] = NULL;
            hole = i;
        }
    return had;
}
