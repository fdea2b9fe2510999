/* message_ahead.c - one message of a batch that is made before it is asked for, so that at its moment it is only handed
 * over. It is given to whoever it was made for, with everything that was known of them, or to nobody. */
#include "message_private.h"

#include <string.h>

struct ahead {
    struct message_person person; /* its texts are in the arena */
    struct arena arena;
    struct message message;
};

/* What a message is made of. */
static const size_t texts[] = {
    offsetof(struct message_person, source),     offsetof(struct message_person, source_id),
    offsetof(struct message_person, address),    offsetof(struct message_person, name),
    offsetof(struct message_person, locale),     offsetof(struct message_person, zone),
    offsetof(struct message_person, attributes),
};

static struct text *text_in(struct message_person *person, size_t i)
{
    return (struct text *)((char *)person + texts[i]);
}

struct message_person message_person_of(const json_t *said)
{
    static const char *const names[] = {"source", "source_id", "address", "name", "locale", "zone", "attributes"};
    struct message_person person = {.seq = json_integer_value(json_object_get(said, "seq"))};

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const json_t *value = json_object_get(said, names[i]);
        *text_in(&person, i) = (struct text){json_string_value(value), json_string_length(value)};
    }
    return person;
}

static bool same(const struct message_person *a, const struct message_person *b)
{
    bool same = a->seq == b->seq && a->seed == b->seed;

    for (size_t i = 0; same && i < ARRAY_LEN(texts); i++)
        same = text_equal(*(const struct text *)((const char *)a + texts[i]),
                          *(const struct text *)((const char *)b + texts[i]));
    return same;
}

void message_ahead_clear(struct message_batch *batch)
{
    if (!batch->ahead)
        return;
    arena_clear(&batch->ahead->arena);
    message_clear(&batch->ahead->message);
    free(batch->ahead);
    batch->ahead = NULL;
}

void message_make_ahead(struct message_batch *batch, const struct message_person *person)
{
    struct ahead *ahead = must_calloc(1, sizeof *ahead);
    struct error err = {0}; /* whoever asks for the message hears of it */

    message_ahead_clear(batch);
    ahead->person = *person;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        text_in(&ahead->person, i)->ptr = arena_copy(&ahead->arena, *text_in(&ahead->person, i));
    message_init(&ahead->message);
    int rc = message_make(batch, &ahead->person, &ahead->message, &err);
    batch->ahead = ahead;
    if (rc < 0)
        message_ahead_clear(batch);
}

bool message_take_ahead(struct message_batch *batch, const struct message_person *person, struct message *out)
{
    struct message room = *out;

    if (!batch->ahead || !same(&batch->ahead->person, person))
        return false;
    *out = batch->ahead->message;
    batch->ahead->message = room;
    message_ahead_clear(batch);
    return true;
}
