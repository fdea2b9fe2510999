#include "channel_private.h"
#include "scrub.h"

#include <assert.h>
#include <string.h>

enum {
    RETRY_FIRST_MS = 1000,
    RETRY_MAX_MS = 60 * SECOND_MS,
    WELL_FOR_GOOD_MS = 60 * SECOND_MS, /* trouble after this long is a new one: patience begins anew */
    NAMES_MAX = 4096,                  /* bytes of three addresses at most: each is checked, and far shorter */
};

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
static void on_retry(uv_timer_t *timer);
static void on_grace_over(uv_timer_t *timer);
static void drain(struct channel *channel);

/* ---- jobs ---- */

static void list_init(struct job_list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void list_put(struct job_list *list, struct channel_job *job)
{
    job->next = NULL;
    *list->end = job;
    list->end = &job->next;
}

static struct channel_job *list_take(struct job_list *list)
{
    struct channel_job *job = list->first;

    if (!job)
        return NULL;
    list->first = job->next;
    if (!list->first)
        list->end = &list->first;
    return job;
}

/* Its memory goes too. */
static void job_clear(struct channel_job *job)
{
    free(job->text);
    job->text = NULL;
    buf_clear(&job->names);
    buf_clear(&job->raw);
}

/* For the next one. */
static void job_reset(struct channel_job *job)
{
    free(job->text);
    job->text = NULL;
    buf_reset(&job->names);
    buf_reset(&job->raw);
}

static size_t add_name(struct buf *names, const char *name)
{
    size_t at = names->len;

    if (name)
        buf_adds(names, name);
    buf_addc(names, '\0');
    return at;
}

static struct channel_job *job_new(struct channel *channel, struct channel_delivery *delivery)
{
    struct channel_job *job = list_take(&channel->unused);
    struct buf spare;

    if (!job) {
        job = must_calloc(1, sizeof *job);
        job->next_all = channel->jobs;
        channel->jobs = job;
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
    list_put(&channel->answered, job);
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

    while ((job = list_take(&channel->queued)))
        return_job(channel, job, text);
}

static void return_queued_of(struct channel *channel, int64_t notice, const char *text)
{
    struct job_list queued = channel->queued;
    struct channel_job *job;

    if (!queued.first)
        return;
    list_init(&channel->queued);
    while ((job = list_take(&queued))) {
        if (job->result.notice != notice) {
            list_put(&channel->queued, job);
            continue;
        }
        return_job(channel, job, text);
        pace_give_back(&channel->pace, 1);
    }
}

void channel_call_back(struct channel *channel, int64_t notice, const char *text)
{
    return_queued_of(channel, notice, text);
    for (struct channel_job *job = channel->jobs; job && channel->notifier->call_back; job = job->next_all) {
        if (job->state != JOB_BEGUN || job->result.notice != notice)
            continue;
        channel->notifier->call_back(channel->state, &job->out);
        if (job->state == JOB_ANSWERED && job->result.fate == FATE_RETURNED)
            pace_give_back(&channel->pace, 1);
    }
}

/* Told once, however often it tries in vain; again when a person has to come, or it is something else. */
static void tell_state(struct channel *channel)
{
    bool unwell = channel->troubled || channel->breaker.state != BREAKER_CLOSED;
    bool news = channel->trouble_news || (unwell && !channel->trouble_told);

    channel->trouble_news = false;
    if (unwell && news) {
        channel->trouble_told = true;
        channel->events.trouble(channel->events.ctx, channel,
                                channel->troubled ? channel->trouble_text : channel->breaker_text,
                                channel->needs_person);
    } else if (!unwell && channel->trouble_told) {
        channel->trouble_told = false;
        channel->events.well(channel->events.ctx, channel);
    }
}

static void on_tell(uv_idle_t *idle)
{
    struct channel *channel = idle->data;
    struct job_list answered = channel->answered;
    struct channel_job *job;

    uv_idle_stop(&channel->tell);
    if (!answered.first)
        answered.end = &answered.first;
    list_init(&channel->answered);
    tell_state(channel);
    channel_tell_asked(channel);
    bool room = answered.first || channel->room_news;
    channel->room_news = false;
    while ((job = answered.first)) {
        bool abandoned = job->state == JOB_ABANDONED;
        answered.first = job->next;
        job->result.text = job->text;
        channel->in_flight--;
        channel->events.finish(channel->events.ctx, channel, &job->result);
        if (abandoned)
            continue;
        job_reset(job);
        job->state = JOB_FREE;
        list_put(&channel->unused, job);
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
    channel->begun--;
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

/* "cannot connect after 3 ms" is no news after "cannot connect after 4 ms". */
static bool same_words(const char *a, const char *b)
{
    static const char digits[] = "0123456789";

    for (;; a++, b++) {
        a += strspn(a, digits);
        b += strspn(b, digits);
        if (*a != *b)
            return false;
        if (!*a)
            return true;
    }
}

void channel_take_trouble(struct channel *channel, const char *text, bool needs_person)
{
    int64_t now_ms = clock_mono_ms(channel->parts.clock);
    auto_free char *clean = scrub(text, NULL);
    bool same = channel->troubled && channel->needs_person >= needs_person && same_words(clean, channel->trouble_text);

    if (!channel->troubled && now_ms - channel->well_since_ms > WELL_FOR_GOOD_MS)
        channel->tries = 0;
    bool told = channel->trouble_told && !channel->troubled && !needs_person; /* by the breaker, in other words */
    channel->troubled = true;
    channel->needs_person |= needs_person;
    channel->trouble_news |= !same && !told;
    snprintf(channel->trouble_text, sizeof channel->trouble_text, "%s", clean);
    channel_return_queued(channel, channel->trouble_text);
    channel_tell_soon(channel);
    if (channel->needs_person || channel->stopping) {
        uv_timer_stop(&channel->retry);
        return;
    }
    int64_t wait_ms = channel->tries > 6 ? RETRY_MAX_MS : (int64_t)RETRY_FIRST_MS << channel->tries;
    channel->tries++;
    uv_update_time(channel->parts.loop);
    uv_timer_start(&channel->retry, on_retry, (uint64_t)(wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS), 0);
}

void channel_take_well(struct channel *channel)
{
    if (!channel->troubled)
        return;
    channel->troubled = channel->needs_person = channel->trouble_news = false;
    channel_reached(channel);
    channel->room_news = true; /* if only for one */
    channel->well_since_ms = clock_mono_ms(channel->parts.clock);
    channel->busy = false;
    uv_timer_stop(&channel->retry);
    channel_tell_soon(channel);
}

/* A plugin that cannot try without a delivery is believed to be well, until the next one proves otherwise. */
static void on_retry(uv_timer_t *timer)
{
    struct channel *channel = timer->data;

    if (channel->notifier->warm)
        channel->notifier->warm(channel->state);
    else
        channel_take_well(channel);
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
    channel->begun += count;
    if (channel->notifier->send(channel->state, out, count) == NOTIFIER_STARTED)
        return;
    channel->busy = true;
    channel->begun -= count;
    for (size_t i = count; i-- > 0;) { /* back to the front, in their order */
        batch[i]->state = JOB_QUEUED;
        batch[i]->next = channel->queued.first;
        if (!channel->queued.first)
            channel->queued.end = &batch[i]->next;
        channel->queued.first = batch[i];
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
            batch[count++] = list_take(&channel->queued);
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
    struct channel_job *job = job_new(channel, delivery);

    channel->in_flight++;
    job->state = JOB_QUEUED;
    job->probe = channel->probe_claimed;
    channel->probe_claimed = false;
    list_put(&channel->queued, job);
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
    channel->warm = true;
    if (channel->notifier->warm && !channel->stopping && !channel->needs_person && channel_rest_ms(channel) == 0)
        channel->notifier->warm(channel->state);
}

const char *channel_needs_person(const struct channel *channel)
{
    return channel->needs_person ? channel->trouble_text : NULL;
}

void channel_try_again(struct channel *channel)
{
    if (channel->stopping)
        return;
    channel_close_breaker(channel);
    if (!channel->troubled)
        return;
    channel->needs_person = false;
    channel->tries = 0;
    on_retry(&channel->retry);
}

void channel_rest(struct channel *channel)
{
    for (struct channel_job *job = channel->unused.first; job; job = job->next)
        job_clear(job);
    channel->warm = false;
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
    for (struct channel_job *job = channel->jobs; job; job = job->next_all)
        if (job->state == JOB_BEGUN) {
            channel->begun--;
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
    for (struct channel_job *job = channel->jobs, *next; job; job = next) {
        next = job->next_all;
        job_clear(job);
        free(job);
    }
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
    channel->plugin = plugin;
    channel->notifier = plugin->notifier;
    channel->state = state;
    channel_plugin_own(plugin, state, &channel->texts);
    channel->asked =
        memcpy(must_calloc(1, channel_plugin_state_size(plugin)), state, channel_plugin_state_size(plugin));
    channel->parts = *parts;
    channel->answered_in = metrics_series(parts->metrics, METRIC_ANSWER, LABELS(settings->name));
    channel->events = *events;
    channel->host = channel_host;
    list_init(&channel->queued);
    list_init(&channel->answered);
    list_init(&channel->unused);
    init_handles(channel);
    if (settings->rate.count > PACE_RATES_MAX) {
        error_set(err, ERROR_CONFIG, "rate: at most %d rates", PACE_RATES_MAX);
        goto fail;
    }
    channel->window =
        channel->notifier->window ? channel->notifier->window(state) : (int64_t)plugin->notifier->batch_max;
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
