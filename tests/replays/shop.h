/* shop.h - what the shop sells and whom the marketing tool knows, in a story: written as the files that the real file
 * source and the real file audience read. */
#ifndef ONSALE_REPLAY_SHOP_H
#define ONSALE_REPLAY_SHOP_H

#include "clock.h"

#include <stdbool.h>

struct shop_definition {
    char id[64], event[64], title[64], status[16], zone[64], sale[32];
    int64_t starts_at_ms, ends_at_ms, created_at_ms, updated_at_ms; /* MOMENT_NONE: not said */
    int revision;
    bool hidden, deleted, sold_out;
};

struct shop_person {
    char audience[32], address[128], status[32];
};

struct shop { /* zero bytes are an empty shop, but for the folder */
    const char *folder;
    struct shop_definition *definitions;
    size_t definition_count;
    struct shop_person *people;
    size_t person_count;
};

/* "2027-03-26T09:00:00Z", "09:00:00" on the day of now, "+5m" or "-5m" from now. */
int shop_moment(const char *word, int64_t now_ms, int64_t *out_ms, struct error *err);

/* The definition of that id; made, of the event "festival", when there is none yet. Valid until the next one. */
struct shop_definition *shop_definition(struct shop *shop, const char *id, int64_t now_ms);
/* "start=09:00:00", "hidden=yes"; an empty value takes the word back. */
int shop_set(struct shop_definition *definition, struct text property, int64_t now_ms, struct error *err);
void shop_changed(struct shop_definition *definition, int64_t now_ms); /* another revision */
int shop_write_definitions(const struct shop *shop, struct error *err);

/* `status`: the word in the tool's export; NULL: no longer in there. */
void shop_person(struct shop *shop, const char *audience, const char *address, const char *status);
/* AUDIENCE.csv */
int shop_write_people(const struct shop *shop, const char *audience, struct error *err);

/* Replaces FOLDER/NAME in one step, as a careful writer does. */
int shop_write_file(const char *folder, const char *name, struct text content, struct error *err);
void shop_clear(struct shop *shop);

#endif
