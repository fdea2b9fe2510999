/* keeper.h - keeps the write-ahead log short: a thread with a connection of its own folds it into the file while the
 * writer goes on. A log begins anew only when all of it is folded and nobody reads it, so the writer does the last few
 * pages itself, between two transactions. Everything but its thread is called from the writer's. Inside store/ only. */
#ifndef ONSALE_STORE_KEEPER_H
#define ONSALE_STORE_KEEPER_H

#include "sqlite.h"

#include <stdatomic.h>
#include <uv.h>

struct keeper {
    struct sqlite *db; /* its own */
    uv_thread_t thread;
    bool running;
    uv_mutex_t mutex; /* over what follows */
    uv_cond_t work;
    bool asked;
    struct error folding_failure, emptying_failure; /* of the last try; ERROR_NONE: it went well, or was in the way */
    atomic_bool stop;
    atomic_int log_pages; /* in the log, as of the writer's last look */
    atomic_bool folding;  /* at work, and getting on */
    atomic_bool folded;   /* but for a few pages: the writer may do the rest */
    int64_t empty_at_ms;  /* the writer's: not tried sooner; by the monotonic clock */
    int ended_pages; /* the writer's: how long the log was when it did, while a reader keeps it from beginning anew */
};

/* Before keeper_start() only `db` is there. */
int keeper_start(struct keeper *keeper, const char *path, struct error *err);
void keeper_stop(struct keeper *keeper); /* and closes its connection */

/* Right after a commit: empties a log that holds what was to be forgotten (`wipe`), if it is short. */
void keeper_wipe(struct keeper *keeper, struct sqlite *writer);
/* Between two transactions, when nobody waits for an answer of the last one: has a long log folded, and ends
 * that, or empties it. */
void keeper_look(struct keeper *keeper, struct sqlite *writer);
/* Why the log could not be folded or emptied when it was last tried; ERROR_NONE: it could, or a reader is in the way.
 * Nothing is lost by it, but the log grows, and what was forgotten may still stand in it. Any thread. */
void keeper_failure(struct keeper *keeper, struct error *out);
/* The log is so long that who can wait should. */
bool keeper_behind(const struct keeper *keeper, const struct sqlite *writer);

#endif
