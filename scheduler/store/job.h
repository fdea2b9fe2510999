/* job.h - one thing asked of the store: what is asked, how it is carried out, how it is answered. Made on the loop
 * thread, carried out on a store thread, answered and freed on the loop thread; never shared. Inside store/ only. */
#ifndef ONSALE_STORE_JOB_H
#define ONSALE_STORE_JOB_H

#include "sqlite.h"

#include <stdatomic.h>

enum job_lane {
    LANE_WRITE,  /* in order of submission */
    LANE_SLICES, /* slice by slice, each in a transaction: after everything of the lane before */
    LANE_GATHER, /* pages of people: after that */
    LANE_FORGET, /* retention: alone, and after everything */
    LANE_READ,   /* the reader's */
    LANE_COPY,   /* the copier's */
    LANES
};

struct store_job {
    struct store_job *next;
    enum job_lane lane;
    int (*run)(struct sqlite *db, struct store_job *job, struct error *err); /* store thread */
    void (*answer)(struct store_job *job);                                   /* loop thread; NULL: nobody asks */
    void (*clear)(struct store_job *job);                                    /* what the arena does not hold; or NULL */
    void *ctx;
    bool cancelled; /* loop thread */
    bool told;      /* store thread: it left something to be told (store_on_told) */
    bool more;      /* store thread: what was done is to be committed, then `run` is called again */
    int64_t asked_mono_ms;
    struct error failure;
    struct arena arena; /* everything below points into it */
    union {
        struct store_change change;
        struct store_calendars calendars;
        struct store_gather gather;
        struct sqlite_launch launch;
        struct store_turn turn;
        struct store_retry retry;
        struct {
            struct store_suppression *list;
            size_t count;
        } suppress;
        struct {
            struct store_feedback *list;
            size_t count;
        } feedback;
        struct store_hook hook;
        struct {
            const char *audience;
            int64_t now_ms, limit;
        } writebacks;
        struct {
            int64_t id, next_at_ms;
            int attempts;
        } writeback;
        struct {
            struct store_webhook *list;
            size_t count;
        } webhooks;
        struct store_webhook_turn webhook_turn;
        struct {
            const char *name;
            int64_t now_ms, quiet_ms;
        } webhook;
        struct sqlite_erase erase;
        struct store_forget forget;
        struct store_report report;
        struct {
            int64_t notice, at_ms;
            const char *json;
        } evidence;
        struct store_wait wait;
        struct store_speed speed;
        struct {
            struct store_private_feed *feeds;
            size_t count;
            const unsigned char *gone;
            int64_t now_ms;
        } private_feeds;
        const char *tried_at;
        const char *keys_mark;
        struct {
            const char *path;
            int64_t now_ms, leave_bytes;
            atomic_bool *stop;
        } backup;
        struct {
            const struct sqlite_identity *identity;
            struct store *store;
        } adopt;
    } in;
    union {
        struct store_gathered gathered;
        struct store_launch launched;
        struct store_turned turned;
        struct store_erased erased;
        struct store_forgotten forgotten;
        struct store_writebacks writebacks;
        struct store_webhook_turned webhook_turned;
        struct store_webhook_openings webhook_openings;
        int64_t moved, generation;
        struct sqlite_retry retried;
        struct looked { /* of store_look() */
            int64_t room_bytes, writebacks, oldest_writeback_at_ms;
        } looked;
        struct store_fed_back *fed_back;
        struct store_hooked hooked;
        struct store_backup backup;
        json_t *report;
    } out;
    union {
        store_done_fn *done;
        store_gather_fn *gathered;
        store_launch_fn *launched;
        store_turn_fn *turned;
        store_count_fn *counted;
        store_erased_fn *erased;
        store_forgotten_fn *forgotten;
        store_report_fn *reported;
        store_backup_fn *backed_up;
        store_writebacks_fn *writebacks;
        store_feedback_fn *fed_back;
        store_webhook_fn *webhook_turned;
        store_webhook_openings_fn *webhook_openings;
        store_hook_fn *hooked;
    } tell;
    uv_sem_t *waiter; /* of a blocking call: told instead of the loop, and the job is theirs again. Mostly NULL */
};

struct store_job *job_new(enum job_lane lane, int (*run)(struct sqlite *, struct store_job *, struct error *),
                          void (*answer)(struct store_job *), void *ctx);
void job_free(struct store_job *job);
static inline const struct error *job_failure(const struct store_job *job)
{
    return job->failure.kind == ERROR_NONE ? NULL : &job->failure;
}

/* What a job holds of what it was given. */
const char *const *job_copy_strings(struct arena *arena, const char *const *strings, size_t count);
struct store_suppression *job_copy_suppressions(struct arena *arena, const struct store_suppression *list,
                                                size_t count);
struct store_feedback *job_copy_feedback(struct arena *arena, const struct store_feedback *list, size_t count);

/* store.c: hands a job to its thread; returns it. */
struct store_job *store_submit(struct store *store, struct store_job *job);
int64_t store_now_ms(const struct store *store);
const char *store_path(const struct store *store);
int64_t store_reserve_bytes(const struct store *store);
atomic_bool *store_stop_copying(struct store *store); /* turns true when the store closes */

#endif
