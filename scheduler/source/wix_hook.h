/* wix_hook.h - what a webhook of Wix is about. Pure; any thread. It is a rumour: where and what to read again, never
 * what is true. */
#ifndef ONSALE_WIX_HOOK_H
#define ONSALE_WIX_HOOK_H

#include "text.h"

#include <jansson.h>

enum wix_hook_about {
    WIX_HOOK_OTHER,      /* nothing that we read */
    WIX_HOOK_DEFINITION, /* created, updated, deleted, sale_started, sale_ended, sale_period_updated */
    WIX_HOOK_ORDER,      /* confirmed, updated: how many are left may have changed */
    WIX_HOOK_EVENT,      /* canceled, published, updated, ... */
};

enum { WIX_HOOK_ID_MAX = 128, WIX_HOOK_KEY_MAX = 255, WIX_HOOK_DEFINITIONS_MAX = 50 };

/* Texts live in the arena; "" where nothing is said. */
struct wix_hook {
    enum wix_hook_about about;
    const char *type;        /* eventType, for the log */
    const char *key;         /* by which a repeated one is known; "" by nothing */
    const char *instance_id; /* of the app on the site that it comes from */
    const char *entity_id;   /* what `sequence` counts; "" nothing */
    uint64_t sequence;       /* of the entity; 0: not said */
    int64_t revision;        /* of the definition; 0: not said */
    const char *event_id;
    const char *ids[WIX_HOOK_DEFINITIONS_MAX]; /* of definitions that it concerns; none: all of the event */
    size_t count;
};

/* The claims of the token: strings of JSON within strings of JSON, or objects in their places. -1: not of that form;
 * `err` names the place, and repeats nothing that it holds: an order is about a person. */
int wix_hook_read(const json_t *claims, struct arena *arena, struct wix_hook *out, struct error *err);

#endif
