/* settings_demand.h - inside of the settings' checks only: what is demanded of single values, in whichever section they
 * stand. What is wrong becomes a problem of the document, at the value's own place. A value that is absent ("" or NULL)
 * is in order here: only demand_key() asks whether one is there. */
#ifndef ONSALE_SETTINGS_DEMAND_H
#define ONSALE_SETTINGS_DEMAND_H

#include "config.h"

/* The names of one kind of thing, with the mappings that have them. Lives in the document's arena. */
struct demand_names {
    const char *what; /* "site" */
    const char **at;
    struct config_place *places; /* of the mappings */
    size_t count;
};

/* None yet; room for `room`. */
struct demand_names demand_names_new(struct config_doc *doc, const char *what, size_t room);
/* That the name of the thing at `mapping` is well-formed and the only one of its kind: then it is added to `names`. */
void demand_name(struct config_doc *doc, struct demand_names *names, const char *name, struct config_place mapping);
bool demand_is_name(const char *name);

/* That what is said at `place` is one of `names` (an empty one is none); `who` says it: a key, or "rule on-sale". */
void demand_known(struct config_doc *doc, struct config_place place, const char *who, const char *name,
                  const struct demand_names *names);

/* That a key of a mapping is there; `why` tells what it is for. */
void demand_key(struct config_doc *doc, struct config_place mapping, const char *key, const char *value,
                const char *why);

/* http or https, with a host, without user and password. */
void demand_url(struct config_doc *doc, struct config_place mapping, const char *key, const char *url);
bool demand_is_url(const char *url);

void demand_address(struct config_doc *doc, struct config_place place, const char *key, const char *address);
/* Of each in a list; here an empty one is a problem. */
void demand_addresses(struct config_doc *doc, const char *key, const struct config_list *list);

#endif
