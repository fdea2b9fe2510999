/* index.h - finding things by what they are called: a hash table of pointers to what others own. */
#ifndef ONSALE_INDEX_H
#define ONSALE_INDEX_H

#include "text.h"

/* One for each sort of thing. A thing to look for is made up with the fields that these two read. */
struct index_kind {
    uint64_t (*hash)(const void *item);
    bool (*same)(const void *a, const void *b);
};

/* Zero bytes is an empty one. */
struct index {
    void **at;
    uint32_t *hashes;   /* of what is there */
    size_t count, size; /* size: a power of two, or 0; at least a fifth of it is empty */
};

void index_clear(struct index *index);
void *index_find(const struct index *index, const struct index_kind *kind, const void *like); /* NULL: there is none */
void *index_put(struct index *index, const struct index_kind *kind, void *item); /* the one that it replaces, or NULL */
void *index_remove(struct index *index, const struct index_kind *kind, const void *like); /* NULL: there was none */

/* FNV-1a, 64 bit, over the text and its end; begin with INDEX_HASH, or go on with what another text gave. */
#define INDEX_HASH UINT64_C(0xcbf29ce484222325)
uint64_t index_hash(uint64_t hash, const char *string);

#endif
