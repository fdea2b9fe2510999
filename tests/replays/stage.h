/* stage.h - the world of a story and its life: the real cast over the real store, and a clock that only the story
 * moves. Everything that may happen at an instant has happened when a call returns. */
#ifndef ONSALE_REPLAY_STAGE_H
#define ONSALE_REPLAY_STAGE_H

#include "almanac.h"
#include "cast.h"
#include "ear.h"
#include "postman.h"
#include "script.h"
#include "shop.h"
#include "shopfront.h"
#include "watcher.h"

struct stage {
    char folder[64];
    int64_t now_ms;     /* what the machine's clock shows */
    bool stuck;         /* something rings for ever at one instant: the time stands still */
    int64_t stepped_ms; /* how far the story has moved it away from the true time */
    struct clock clock; /* wall: now; monotonic: the true time */
    struct log log;
    uv_loop_t loop;
    struct shop shop;
    struct shopfront front;
    struct postman postman;
    struct script script;
    struct watcher watcher; /* while `cast` */
    struct almanac almanac; /* remembers, however often the daemon is started ... */
    struct ear ear;         /* ... and so does this one, which hears something when the script has it */
    struct world world;     /* while `cast` */
    struct crypt_keys keys;
    struct crypt_tokens *tokens; /* made from them; also while the daemon is down */
    struct zones *zones;         /* they remember what they have read: for every daemon of the story */
    struct locales *locales;
    struct store_image image;
    struct cast_parts parts;
    struct cast *cast; /* NULL while the daemon is down */
};

int stage_init(struct stage *stage, struct error *err);
void stage_clear(struct stage *stage); /* and removes the folder */

int stage_begin(struct stage *stage, struct error *err);
/* An orderly stop, with up to `grace_ms` for what is in flight. */
void stage_end(struct stage *stage, int64_t grace_ms);
/* The power fails: the next begin finds the disk as it is now. */
int stage_crash(struct stage *stage, struct error *err);
int stage_reload(struct stage *stage, struct error *err);

/* Alarm by alarm. Without a daemon only the time passes. */
void stage_advance(struct stage *stage, int64_t to_ms);
void stage_settle(struct stage *stage);
void stage_sync(struct stage *stage); /* a full walk now */
/* Somebody sets the machine's clock. */
void stage_step(struct stage *stage, int64_t step_ms);
/* Somebody is forgotten: as the API does it. */
int stage_erase(struct stage *stage, const char *address, struct error *err);
/* Does any file of the state hold these bytes? */
bool stage_has(const struct stage *stage, const char *bytes);
int stage_suppress(struct stage *stage, const char *address, bool lift, struct error *err);

#endif
