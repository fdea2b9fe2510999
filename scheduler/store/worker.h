/* worker.h - one thread of the store, with its connection and the jobs that wait for it. Jobs are given on the loop
 * thread and taken on the worker's. Inside store/ only. */
#ifndef ONSALE_STORE_WORKER_H
#define ONSALE_STORE_WORKER_H

#include "job.h"
#include "metrics.h"

#include <stdatomic.h>

struct keeper;

struct queue {
    struct store_job *first, **last;
};

struct worker {
    struct store *store;
    struct keeper *keeper; /* the writer's */
    struct sqlite *db;     /* the thread's, once it runs */
    uv_thread_t thread;
    bool running;
    /* The thread's, or NULL: what it does besides while it has nothing to do, and in how many ms when nothing comes;
     * -1: not at all. */
    int64_t (*tend)(struct worker *);
    int64_t tend_in_ms;
    unsigned passed_over[LANES]; /* the thread's: transactions without one of that lane while it waited */
    uv_mutex_t mutex;            /* over what follows */
    uv_cond_t work;
    struct queue lanes[LANES];
    bool stop;
    bool at_work;         /* with something taken from the lanes */
    struct error failure; /* the writer's: of the last write, ERROR_NONE when it went well; anybody's: damage */
    struct metric_histogram commits; /* the writer's: how long its transactions took, us */
    _Atomic int64_t alive_mono_ms;   /* the last sign of life; without the mutex */
};

void queue_init(struct queue *queue);
void queue_push(struct queue *queue, struct store_job *job);
struct store_job *queue_pop(struct queue *queue); /* NULL: it is empty */
void queue_move(struct queue *to, struct queue *from);

/* `main` runs on the new thread, over the worker, for as long as worker_wait() says. */
int worker_start(struct worker *worker, struct store *store, void (*main)(void *), struct error *err);
/* Ends after everything that was submitted. */
void worker_stop(struct worker *worker);
struct store_job *worker_give(struct worker *worker, struct store_job *job);
/* Until there is something to do; false when nothing is left and the end was asked for. */
bool worker_wait(struct worker *worker);

/* writer.c */
void writer_main(void *worker);
int64_t writer_tend(struct worker *worker);

/* store.c: to the loop, or to who waits for it. Empties `done`. */
void store_post(struct store *store, struct queue *done);

/* Signs of life: something was taken from the lanes (the mutex is held); it is done. `failure`: NULL when it went well.
 */
void worker_begin(struct worker *worker);
void worker_rest(struct worker *worker, const struct error *failure);
void worker_note_commit(struct worker *worker, int64_t took_us);
/* How long it has something to do without a sign of life. Any thread. */
int64_t worker_stuck_ms(struct worker *worker, int64_t now_ms);

#endif
