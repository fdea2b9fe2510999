#include "channel_private.h"
#include "scrub.h"

#include <assert.h>
#include <string.h>

const struct config_option channel_options[] = {
    {.name = "", .type = CONFIG_PLACE, .offset = offsetof(struct channel_settings, place)},
    {.name = "name", .type = CONFIG_TEXT, .offset = offsetof(struct channel_settings, name), .required = true},
    {.name = "plugin", .type = CONFIG_TEXT, .offset = offsetof(struct channel_settings, plugin), .required = true},
    {.name = "rate", .type = CONFIG_RATES, .offset = offsetof(struct channel_settings, rate)},
    {.name = "deadline",
     .type = CONFIG_SPAN,
     .offset = offsetof(struct channel_settings, deadline_ms),
     .fallback = "6h"},
    {.name = "doubt_max", .type = CONFIG_INT, .offset = offsetof(struct channel_settings, doubt_max)},
    {.name = "from", .type = CONFIG_TEXT, .offset = offsetof(struct channel_settings, from), .fallback = ""},
    {.name = "envelope_from",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct channel_settings, envelope_from),
     .fallback = ""},
    {.name = "list_id", .type = CONFIG_TEXT, .offset = offsetof(struct channel_settings, list_id), .fallback = ""},
    {.name = "unsubscribe_url",
     .type = CONFIG_TEXT,
     .offset = offsetof(struct channel_settings, unsubscribe_url),
     .fallback = ""},
    {.name = "one_click", .type = CONFIG_BOOL, .offset = offsetof(struct channel_settings, one_click)},
    {0},
};

static void on_tell(uv_idle_t *idle);
static void on_grace_over(uv_timer_t *timer);
static void drain(struct channel *channel);

/* ---- telling dispatch: always from the loop, with nothing of a plugin or of dispatch on the stack ---- */

void channel_tell_soon(struct channel *channel)
{
    if (!channel->freed)
        uv_idle_start(&channel->tell, on_tell);
}

static void job_answer(struct channel *channel, struct channel_job *job, enum fate fate, enum channel_scope scope,
                       const char *text)
{
    job->result.fate = fate;
    job->result.scope = scope;
    job->result.retry_after_ms = -1;
    if (fate != FATE_ACCEPTED || job->result.notice == 0) /* nobody keeps what was said to an accepted one */
        job->text = scrub(text, job->out.to); /* whatever the plugin did about it: it is kept, and shown to operators */
    job->state = JOB_ANSWERED;
    job_list_put(&channel->answered, job);
    channel_tell_soon(channel);
}

/* It never began: was it to show whether the other side works again, another may. */
static void return_job(struct channel *channel, struct channel_job *job, const char *text)
{
    job_answer(channel, job, FATE_RETURNED, SCOPE_CHANNEL, text);
    if (job->probe)
        breaker_no_probe(&channel->breaker, clock_now_ms(channel->parts.clock), 0);
}

void channel_return_queued(struct channel *channel, const char *text)
{
    struct channel_job *job;

    while ((job = job_list_take(&channel->queued)))
        return_job(channel, job, text);
}

static void return_queued_of(struct channel *channel, int64_t notice, const char *text)
{
    struct job_list queued = job_list_take_all(&channel->queued);
    struct channel_job *job;

    while ((job = job_list_take(&queued))) {
        if (job->result.notice != notice) {
            job_list_put(&channel->queued, job);
            continue;
        }
        return_job(channel, job, text);
        pace_give_back(&channel->pace, 1);
    }
}

void channel_call_back(struct channel *channel, int64_t notice, const char *text)
{
    return_queued_of(channel, notice, text);
    for (struct channel_job *job = channel->jobs.all; job && channel->notifier->call_back; job = job->next_all) {
        if (job->state != JOB_BEGUN || job->result.notice != notice)
            continue;
        channel->notifier->call_back(channel->state, &job->out);
        if (job->state == JOB_ANSWERED && job->result.fate == FATE_RETURNED)
            pace_give_back(&channel->pace, 1);
    }
}

static void on_tell(uv_idle_t *idle)
{
    struct channel *channel = idle->data;
    struct job_list answered = job_list_take_all(&channel->answered);
    struct channel_job *job;

    uv_idle_stop(&channel->tell);
    channel_tell_trouble(channel);
    channel_tell_asked(channel);
    bool room = answered.first || channel->room_news;
    channel->room_news = false;
    while ((job = job_list_take(&answered))) {
        bool abandoned = job->state == JOB_ABANDONED;
        job->result.text = job->text;
        channel->in_flight--;
        channel->events.finish(channel->events.ctx, channel, &job->result);
        if (!abandoned)
            jobs_give_back(&channel->jobs, job);
    }
    if (room)
        channel->events.room(channel->events.ctx, channel);
    drain(channel);
}

/* ---- what the plugin says ---- */

static enum fate fate_of(enum notifier_fate fate)
{
    switch (fate) {
    case NOTIFIER_ACCEPTED:
        return FATE_ACCEPTED;
    case NOTIFIER_TRY_LATER:
        return FATE_TRY_LATER;
    case NOTIFIER_REFUSED:
        return FATE_REFUSED;
    case NOTIFIER_RETURNED:
        return FATE_RETURNED;
    case NOTIFIER_IN_DOUBT:
        break;
    }
    return FATE_IN_DOUBT;
}

static void note_answer(struct channel *channel, const struct channel_job *job)
{
    int64_t took_ms = clock_mono_ms(channel->parts.clock) - job->begun_at_ms, took_us = took_ms * 1000;

    if (channel->answers < CHANNEL_ANSWERS)
        channel->answers++;
    channel->answer_us += (took_us - channel->answer_us) / channel->answers;
    metric_observe(channel->answered_in, took_ms);
}

int64_t channel_answer_us(const struct channel *channel)
{
    return channel->answers == CHANNEL_ANSWERS ? channel->answer_us : 0;
}

int64_t channel_window(const struct channel *channel)
{
    return channel->window;
}

void channel_take_result(struct channel *channel, struct notifier_delivery *delivery,
                         const struct notifier_result *result)
{
    struct channel_job *job = (struct channel_job *)((char *)delivery - offsetof(struct channel_job, out));

    if (job->state != JOB_BEGUN) {
        log_line(channel->parts.log, LOG_ERROR, "event=finished_twice notifier=%s plugin=%s", channel->settings->name,
                 channel->notifier->name);
        return;
    }
    note_answer(channel, job);
    job->result.code = result->code;
    if (result->handed_over_at_ms > 0)
        job->result.handed_over_at_ms = result->handed_over_at_ms;
    job_answer(channel, job, fate_of(result->fate),
               result->scope == NOTIFIER_ADDRESS   ? SCOPE_ADDRESS
               : result->scope == NOTIFIER_MESSAGE ? SCOPE_MESSAGE
                                                   : SCOPE_CHANNEL,
               result->text);
    if (result->retry_after_ms > 0)
        job->result.retry_after_ms = result->retry_after_ms;
    if (result->fate == NOTIFIER_ACCEPTED)
        channel->tries = 0;
    job->slow_down = result->retry_after_ms != 0;
    channel_note_outcome(channel, job);
}

void channel_take_ready(struct channel *channel)
{
    channel->busy = false;
    drain(channel);
}

/* ---- what may start now ---- */

static void begin(struct channel *channel, struct channel_job **batch, struct notifier_delivery **out, size_t count)
{
    int64_t now_ms = clock_mono_ms(channel->parts.clock);

    for (size_t i = 0; i < count; i++) {
        batch[i]->state = JOB_BEGUN;
        batch[i]->begun_at_ms = now_ms;
        out[i] = &batch[i]->out;
    }
    if (channel->notifier->send(channel->state, out, count) == NOTIFIER_STARTED)
        return;
    channel->busy = true;
    for (size_t i = count; i-- > 0;) { /* back to the front, in their order */
        batch[i]->state = JOB_QUEUED;
        job_list_put_back(&channel->queued, batch[i]);
    }
}

/* Hands the queue to the plugin as far as it takes it. Call it after any change, as often as you like. */
static void drain(struct channel *channel)
{
    enum { BATCH_MAX = 256 };
    struct channel_job *batch[BATCH_MAX];
    struct notifier_delivery *out[BATCH_MAX];
    size_t most = channel->notifier->batch_max ? channel->notifier->batch_max : 1;

    if (channel->draining)
        return;
    channel->draining = true;
    while (channel->queued.first && !channel->busy && !channel->troubled && !channel->stopping &&
           channel_rest_ms(channel) == 0) {
        size_t count = 0;
        while (count < most && count < BATCH_MAX && channel->queued.first)
            batch[count++] = job_list_take(&channel->queued);
        begin(channel, batch, out, count);
    }
    channel->draining = false;
    if (channel->troubled)
        channel_return_queued(channel, channel->trouble_text);
    else if (channel_rest_ms(channel) > 0)
        channel_return_queued(channel, channel->breaker_text);
    if (channel->stopping)
        channel_return_queued(channel, "stopping");
}

void channel_send(struct channel *channel, struct channel_delivery *delivery)
{
    struct channel_job *job = jobs_take(&channel->jobs, delivery);

    channel->in_flight++;
    job->state = JOB_QUEUED;
    job->probe = channel->probe_claimed;
    channel->probe_claimed = false;
    job_list_put(&channel->queued, job);
    drain(channel);
}

size_t channel_in_flight(const struct channel *channel)
{
    return channel->in_flight + channel->offloads;
}

/* ---- life ---- */

const struct channel_settings *channel_settings(const struct channel *channel)
{
    return channel->settings;
}

bool channel_is_local(const struct channel *channel)
{
    return channel->notifier->local && channel->notifier->local(channel->state);
}

bool channel_repeat_replaces(const struct channel *channel)
{
    return channel->notifier->flags & NOTIFIER_REPEAT_REPLACES;
}

void channel_warm(struct channel *channel)
{
    if (channel->notifier->warm && !channel->stopping && !channel->needs_person && channel_rest_ms(channel) == 0)
        channel->notifier->warm(channel->state);
}

void channel_rest(struct channel *channel)
{
    jobs_rest(&channel->jobs);
    if (channel->notifier->rest && !channel->stopping)
        channel->notifier->rest(channel->state);
}

void channel_probe(struct channel *channel, void (*done)(void *ctx, bool fine, const char *text), void *ctx)
{
    if (channel->notifier->probe)
        channel->notifier->probe(channel->state, done, ctx);
    else
        done(ctx, true, "nothing to reach");
}

void channel_stop_soon(struct channel *channel, int64_t grace_ms)
{
    channel->stopping = true;
    uv_timer_stop(&channel->retry);
    alarm_off(&channel->wake);
    channel_return_queued(channel, "stopping");
    uv_update_time(channel->parts.loop);
    uv_timer_start(&channel->grace, on_grace_over, (uint64_t)(grace_ms > 0 ? grace_ms : 0), 0);
    uv_unref((uv_handle_t *)&channel->grace);
}

void channel_stop(struct channel *channel, int64_t grace_ms)
{
    if (channel->stopping && !channel->kept)
        return;
    channel->kept = false;
    channel_stop_soon(channel, grace_ms);
    if (channel->notifier->stop)
        channel->notifier->stop(channel->state, false);
}

/* The plugin had its time. What it still does not answer for may have happened. */
static void on_grace_over(uv_timer_t *timer)
{
    struct channel *channel = timer->data;

    if (channel->kept && channel_in_flight(channel) == 0)
        return; /* the ledger is what takes so long */
    channel->kept = false;
    if (channel->notifier->stop)
        channel->notifier->stop(channel->state, true);
    for (struct channel_job *job = channel->jobs.all; job; job = job->next_all)
        if (job->state == JOB_BEGUN) {
            job_answer(channel, job, FATE_IN_DOUBT, SCOPE_CHANNEL, "no answer before the end");
            job->state = JOB_ABANDONED;
        }
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct channel *channel = handle->data;

    if (--channel->handles == 0 && channel->offloads == 0)
        free(channel);
}

static void init_handles(struct channel *channel)
{
    uv_loop_t *loop = channel->parts.loop;

    uv_idle_init(loop, &channel->tell);
    uv_timer_init(loop, &channel->retry);
    uv_timer_init(loop, &channel->grace);
    channel->tell.data = channel->retry.data = channel->grace.data = channel;
    uv_unref((uv_handle_t *)&channel->retry); /* trouble alone keeps no loop alive */
    channel->handles = 3;
}

/* Last act, when no thread of the pool can read anything of ours any more. */
static void finish_free(struct channel *channel)
{
    if (channel->opened)
        channel->notifier->close(channel->state);
    free(channel->state);
    free(channel->asked);
    arena_clear(&channel->texts);
    jobs_clear(&channel->jobs);
    uv_close((uv_handle_t *)&channel->tell, on_handle_closed);
    uv_close((uv_handle_t *)&channel->retry, on_handle_closed);
    uv_close((uv_handle_t *)&channel->grace, on_handle_closed);
}

void channel_offload_ended(struct channel *channel)
{
    channel->offloads--;
    if (channel->freed && channel->offloads == 0)
        finish_free(channel);
}

void channel_set_limits(struct channel *channel)
{
    const struct channel_settings *settings = channel->settings;

    pace_init(&channel->pace, &settings->rate, clock_now_ms(channel->parts.clock));
    channel->doubt_max = settings->doubt_max > 0 ? settings->doubt_max : 2 * channel->window;
}

struct channel *channel_new(const struct channel_settings *settings, const struct channel_plugin *plugin, void *state,
                            const struct channel_parts *parts, const struct channel_events *events, struct error *err)
{
    struct channel *channel = must_calloc(1, sizeof *channel);
    char why[300] = "";

    channel->settings = settings;
    channel->notifier = plugin->notifier;
    channel->state = state;
    channel_plugin_own(plugin->notifier, state, &channel->texts);
    channel->asked = memcpy(must_calloc(1, plugin->notifier->state_size), state, plugin->notifier->state_size);
    channel->parts = *parts;
    channel->answered_in = metrics_series(parts->metrics, METRIC_ANSWER, LABELS(settings->name));
    channel->events = *events;
    channel->host = channel_host;
    init_handles(channel);
    if (settings->rate.count > PACE_RATES_MAX) {
        error_set(err, ERROR_CONFIG, "rate: at most %d rates", PACE_RATES_MAX);
        goto fail;
    }
    channel->window =
        channel->notifier->window ? channel->notifier->window(state) : (int64_t)channel->notifier->batch_max;
    if (channel->window < 1)
        channel->window = 1;
    channel_set_limits(channel);
    if (channel->notifier->open(state, &channel->host, why, sizeof why) < 0) {
        error_set(err, ERROR_CONFIG, "%s", why);
        goto fail;
    }
    channel->opened = true;
    return channel;

fail:
    channel_free(channel);
    return NULL;
}

void channel_free(struct channel *channel)
{
    if (!channel)
        return;
    channel->freed = channel->stopping = true;
    alarm_off(&channel->wake);
    uv_idle_stop(&channel->tell);
    uv_timer_stop(&channel->retry);
    uv_timer_stop(&channel->grace);
    if (channel->offloads == 0)
        finish_free(channel);
}
