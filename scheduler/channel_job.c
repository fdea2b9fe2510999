#include "channel_job.h"

#include <assert.h>

enum { NAMES_MAX = 4096 }; /* bytes of three addresses at most: each is checked, and far shorter */

/* ---- lists ---- */

void job_list_put(struct job_list *list, struct channel_job *job)
{
    job->next = NULL;
    *(list->first ? &list->last->next : &list->first) = job;
    list->last = job;
}

void job_list_put_back(struct job_list *list, struct channel_job *job)
{
    job->next = list->first;
    if (!list->first)
        list->last = job;
    list->first = job;
}

struct channel_job *job_list_take(struct job_list *list)
{
    struct channel_job *job = list->first;

    if (job)
        list->first = job->next;
    return job;
}

struct job_list job_list_take_all(struct job_list *list)
{
    struct job_list taken = *list;

    list->first = NULL;
    return taken;
}

/* ---- jobs ---- */

static void forget_answer(struct channel_job *job)
{
    free(job->text);
    job->text = NULL;
}

static void release_memory(struct channel_job *job)
{
    forget_answer(job);
    buf_clear(&job->names);
    buf_clear(&job->raw);
}

static size_t add_name(struct buf *names, const char *name)
{
    size_t at = names->len;

    if (name)
        buf_adds(names, name);
    buf_addc(names, '\0');
    return at;
}

struct channel_job *jobs_take(struct jobs *jobs, struct channel_delivery *delivery)
{
    struct channel_job *job = job_list_take(&jobs->unused);
    struct buf spare;

    if (!job) {
        job = must_calloc(1, sizeof *job);
        job->next_all = jobs->all;
        jobs->all = job;
        buf_init(&job->names, NAMES_MAX);
    }
    size_t to = add_name(&job->names, delivery->to), from = add_name(&job->names, delivery->from),
           token = add_name(&job->names, delivery->token);
    assert(!buf_failed(&job->names));
    spare = job->raw;
    job->raw = delivery->raw;
    spare.limit = delivery->raw.limit;
    delivery->raw = spare;
    job->out = (struct notifier_delivery){
        .to = job->names.ptr + to,
        .from = job->names.ptr + from,
        .token = job->names.ptr + token,
        .raw = job->raw.ptr ? job->raw.ptr : "",
        .raw_len = job->raw.len,
        .attempt = delivery->attempt,
    };
    job->result = (struct channel_result){.notice = delivery->notice,
                                          .seq = delivery->seq,
                                          .attempt = delivery->attempt,
                                          .handed_over_at_ms = MOMENT_NONE};
    return job;
}

void jobs_give_back(struct jobs *jobs, struct channel_job *job)
{
    forget_answer(job);
    buf_reset(&job->names);
    buf_reset(&job->raw);
    job->state = JOB_FREE;
    job_list_put(&jobs->unused, job); /* the longest unused is the next: who answers twice is found out for long */
}

void jobs_rest(struct jobs *jobs)
{
    for (struct channel_job *job = jobs->unused.first; job; job = job->next)
        release_memory(job);
}

void jobs_clear(struct jobs *jobs)
{
    for (struct channel_job *job = jobs->all, *next; job; job = next) {
        next = job->next_all;
        release_memory(job);
        free(job);
    }
    *jobs = (struct jobs){0};
}
