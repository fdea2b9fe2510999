/* private_feeds.h - calendars for who has the link: a name, what it shows, and a token that stands in the path. A token
 * is told once, when it is made; here and on disk there is its hash. Who fetched a feed last is kept in memory and
 * written at most once a minute, and at the end. One per daemon: it outlives a reload. Loop thread. */
#ifndef ONSALE_PRIVATE_FEEDS_H
#define ONSALE_PRIVATE_FEEDS_H

#include "world.h"

enum {
    PRIVATE_FEEDS_MAX = 10000,
    PRIVATE_FEED_NAME_MAX = 64,    /* bytes */
    PRIVATE_FEED_TOKEN_SIZE = 25,  /* 144 random bits in base64url, and the NUL */
    PRIVATE_FEED_CLIENT_MAX = 120, /* bytes of what a client calls itself */
};

struct private_feeds;
struct private_feed_change; /* one that is being stored; owned by the feeds */

/* Reads them from the store, blocking. */
struct private_feeds *private_feeds_new(struct world *world, struct error *err);
/* Before the store is closed, which still writes what is given to it here. NULL is fine. */
void private_feeds_close(struct private_feeds *feeds);

/* --- Who comes by a token --- */

enum private_feed_answer { PRIVATE_FEED_UNKNOWN, PRIVATE_FEED_GONE, PRIVATE_FEED_FOUND };
/* GONE: it was revoked, or replaced by another. `out` is borrowed until the next turn of the loop. */
enum private_feed_answer private_feeds_find(struct private_feeds *feeds, struct text token,
                                            const struct store_private_feed **out);
/* It was answered; `client` is what it calls itself (User-Agent), or NULL. */
void private_feeds_fetched(struct private_feeds *feeds, const struct store_private_feed *feed, const char *client);

/* --- What an operator may do --- */

/* Those behind `after` (an id), at most `limit`; borrowed until the next turn. Returns how many. */
size_t private_feeds_list(const struct private_feeds *feeds, int64_t after, size_t limit,
                          const struct store_private_feed **out);
const struct store_private_feed *private_feeds_named(const struct private_feeds *feeds, const char *name);

/* It is on disk: `token` is what stands in the path, this once; NULL of a revocation and of a failure. */
typedef void private_feed_done_fn(void *ctx, const char *token, const struct error *failure);
/* Each answers at once why it cannot be (ERROR_REFUSED), or calls `done` later, unless private_feed_forget() comes
 * first. Who asks by the old token hears that it is gone from then on. A name that was revoked may be used again. */
struct private_feed_change *private_feeds_add(struct private_feeds *feeds, const char *name, const char *site,
                                              const char *event_id, private_feed_done_fn *done, void *ctx,
                                              struct error *err);
struct private_feed_change *private_feeds_rotate(struct private_feeds *feeds, const char *name,
                                                 private_feed_done_fn *done, void *ctx, struct error *err);
struct private_feed_change *private_feeds_revoke(struct private_feeds *feeds, const char *name,
                                                 private_feed_done_fn *done, void *ctx, struct error *err);
/* `done` will not be called; what is asked for happens all the same. NULL inside is fine. */
void private_feed_forget(struct private_feed_change **change);

/* May a feed have this name? It is shown in lists: no address, nothing that a terminal would not show. */
int private_feed_check_name(struct text name, struct error *err);

#endif
