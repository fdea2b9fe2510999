/* gather.h - reads the audiences of a notice into its roll: one pass, page by page, each page on disk before the next
 * is asked for. Loop thread. A pass is complete only when every audience was read to its end: never half an audience.
 */
#ifndef ONSALE_GATHER_H
#define ONSALE_GATHER_H

#include "audience/audience.h"
#include "crypt_keys.h"
#include "metrics.h"
#include "store/store.h"

struct gather; /* one pass in flight; owned by who started it */

struct gather_spec { /* copied, but what it points to outlives the pass */
    struct store *store;
    const struct clock *clock;
    const struct crypt_keys *keys;
    struct log *log;
    struct metrics *metrics; /* or NULL */
    const char *rule;
    struct audience *const *audiences; /* in the rule's order, at most STORE_SEED of them */
    size_t audience_count;
    const struct config_list *seed;
    const char *site, *event_id;
    int64_t notice, roll, pass;
    bool resume;                              /* go on where the stored cursors of this pass were left */
    void (*page)(void *ctx, int64_t planned); /* one more is on disk: people of the roll so far; NULL fine */
    int64_t changes_since_ms; /* not MOMENT_NONE: only what changed since, where the tool has a change feed */
};

struct gather_result {
    const struct error *failure; /* NULL: complete */
    bool begin_again;            /* with it: the pass mixes two states of a source; a new one has to begin */
    int64_t started_at_ms;
    int64_t records, added, planned; /* judged; new people; people of the roll in all */
    int64_t bad;                     /* records that could not be read or have no usable address */
};
typedef void gather_done_fn(void *ctx, const struct gather_result *result);

/* `done` is called once, always later from the loop, unless gather_cancel() comes first. NULL and `err` on failure. */
struct gather *gather_start(const struct gather_spec *spec, gather_done_fn *done, void *ctx, struct error *err);
void gather_cancel(struct gather **gather); /* NULL inside is fine */

#endif
