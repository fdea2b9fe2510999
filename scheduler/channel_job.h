/* channel_job.h - the deliveries in a channel's hands, from channel_send() until dispatch has heard what became of
 * each. A job is in one list at a time, and its memory serves the next delivery. Owner: channel.c. Loop thread. */
#ifndef ONSALE_CHANNEL_JOB_H
#define ONSALE_CHANNEL_JOB_H

#include "channel.h"
#include "notifier.h"

enum job_state {
    JOB_FREE,
    JOB_QUEUED,
    JOB_BEGUN,     /* with the plugin */
    JOB_ANSWERED,  /* with a result that dispatch has not heard yet */
    JOB_ABANDONED, /* we answered for the plugin; it may still read the message */
};

struct channel_job {
    struct notifier_delivery out;
    struct channel_job *next;     /* in the one list that its state names */
    struct channel_job *next_all; /* of the channel */
    enum job_state state;
    bool probe;          /* tells whether the other side works again */
    bool slow_down;      /* the other side wants us to */
    struct buf names;    /* to, from and token, each terminated; its memory stays with the job, and that of `raw` */
    int64_t begun_at_ms; /* monotonic */
    struct buf raw;
    char *text;
    struct channel_result result;
};

struct job_list { /* the first come is the first taken; zero bytes is an empty one */
    struct channel_job *first, *last;
};
void job_list_put(struct job_list *list, struct channel_job *job);
void job_list_put_back(struct job_list *list, struct channel_job *job); /* as the first */
struct channel_job *job_list_take(struct job_list *list);               /* NULL: empty */
struct job_list job_list_take_all(struct job_list *list);

/* All that were ever made. None is freed before its channel, so that a plugin that answers twice is found out instead
 * of reading freed memory. */
struct jobs {
    struct channel_job *all;
    struct job_list unused;
};
/* Takes the message over, and leaves the memory of an earlier one in its place. */
struct channel_job *jobs_take(struct jobs *jobs, struct channel_delivery *delivery);
void jobs_give_back(struct jobs *jobs, struct channel_job *job); /* nobody reads it any more */
void jobs_rest(struct jobs *jobs);                               /* gives memory back until there is work again */
void jobs_clear(struct jobs *jobs);

#endif
