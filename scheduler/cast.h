/* cast.h - the parts that a configuration asks for: sources, audiences, templates, channels, and the flow over them. A
 * reload closes one cast and makes another; what the world knows (mirrors, notices, openings) stays, and so do a
 * sending channel whose own options are the same, with its connections, and what begun notices say. Loop thread. */
#ifndef ONSALE_CAST_H
#define ONSALE_CAST_H

#include "settings.h"
#include "world.h"

struct cast;
struct webhook_post;

struct cast_parts { /* borrowed; they outlive every cast */
    uv_loop_t *loop;
    struct fetcher *fetcher;
    struct fetcher *outward;                 /* fetcher_public() */
    const struct webhook_post *webhook_post; /* NULL: webhooks leave by these fetchers */
    struct wires *wires;
};

/* Takes over `settings`. Fills the configured part of `world` (sites keep the mirrors they have by name) and starts
 * syncing. NULL and `err` when a part cannot be made; `settings` is freed then, the world's configured part is empty.
 */
struct cast *cast_new(struct settings *settings, struct world *world, const struct cast_parts *parts,
                      struct error *err);
const struct settings *cast_settings(const struct cast *cast);
/* No more claims, no more walks; then wait until cast_quiet(), at most as long as grace allows. `next`: what comes
 * then; NULL: nothing, also when a reload was under way. */
void cast_stop(struct cast *cast, const struct settings *next, int64_t grace_ms);
bool cast_quiet(const struct cast *cast);
void cast_free(struct cast *cast);
/* The same for a reload: what the next goes on with stays in the world; cast_new() takes it, or closes it. */
void cast_retire(struct cast *cast);

#endif
