#include "sending.h"

#include "dispatch_private.h"
#include "progress.h"

#include <assert.h>

static void request_launch(struct sending *sending);
static void on_launch(void *ctx, const struct store_launch *launch);

/* --- Where the notice stands, by the ledger ----------------------------------------------------------------------- */

static void request_launch(struct sending *sending)
{
    sending->open = sending->stale = false; /* no claim until it has told: what it lists must not be in our hands */
    sending->opening = store_launch(sending->line->dispatch->world->store, sending->spec.notice->id,
                                    channel_settings(sending->spec.channel)->name,
                                    rule_repeats_below(sending->spec.rule), on_launch, sending);
}

static void on_launch(void *ctx, const struct store_launch *launch)
{
    struct sending *sending = ctx;
    struct notice *notice = sending->spec.notice;
    struct world *world = sending->line->dispatch->world;

    sending->opening = NULL;
    if (launch->failure) {
        dispatch_note_disk(sending->line->dispatch, launch->failure);
        sending_fault(sending, REASON_DISK, launch->failure->text);
        line_drain(sending->line);
        return;
    }
    again_take_page(&sending->again, launch->again, launch->again_count, launch->again_more, launch->again_next);
    if (notice->roll) /* else its people went to another while we asked */
        notice_course(notice)->tally = launch->tally;
    progress_note(world->progress, notice);
    sending->claimed_to = launch->claimed_to;
    sending->exhausted = false; /* the first claim tells: the list may still grow before the release */
    sending->open = true;
    metric_add(sending->line->fated[FATE_IN_DOUBT], launch->doubts);
    if (launch->doubts > 0)
        log_line(world->log, LOG_WARNING, "event=in_doubt notice=%lld count=%lld cause=restart", (long long)notice->id,
                 (long long)launch->doubts);
    line_drain(sending->line);
}

void sending_reload(struct sending *sending)
{
    sending->open = false;
    sending->stale = true;
    line_drain_soon(sending->line);
}

/* Only when every fate is on disk does the ledger know all who wait. */
void sending_refresh(struct sending *sending)
{
    if (sending->stale && sending->out == 0 && !sending->opening)
        request_launch(sending);
}

/* --- From its opening to its end ---------------------------------------------------------------------------------- */

struct sending *sending_open(struct dispatch *dispatch, const struct sending_spec *spec,
                             const struct sending_events *events)
{
    struct sending *sending = must_calloc(1, sizeof *sending);

    sending->line = line_of(dispatch, spec->channel);
    assert(sending->line);
    sending->notice = spec->notice->id;
    sending->spec = *spec;
    sending->events = *events;
    sending->allowed_until_ms = MOMENT_NONE;
    sending->firsts = (struct share_flow){.class = when_is_opening(&spec->rule->when) ? SHARE_OPENING : SHARE_OTHER,
                                          .owner = sending};
    sending->retries = (struct share_flow){.class = SHARE_AGAIN, .owner = sending};
    line_add_sending(sending->line, sending);
    request_launch(sending);
    return sending;
}

void sending_give(struct sending *sending, struct message_batch *batch)
{
    message_batch_free(sending->batch);
    sending->batch = batch;
    sending->exhausted = false; /* people may have been read since the ledger said so */
}

bool sending_has_batch(const struct sending *sending)
{
    return sending->batch != NULL;
}

void sending_allow(struct sending *sending, int64_t until_ms)
{
    sending->allowed_until_ms = until_ms;
    line_drain_soon(sending->line);
}

void sending_stop(struct sending *sending)
{
    sending->stopped = true;
    line_drain_soon(sending->line);
}

void sending_fault(struct sending *sending, enum notice_reason reason, const char *text)
{
    if (sending->stopped)
        return;
    sending->stopped = true;
    sending->fault = reason;
    sending->fault_text = must_strdup(text);
}

size_t sending_out(const struct sending *sending)
{
    return sending->out;
}

void sending_close(struct sending **sending)
{
    struct sending *mine = *sending;

    if (!mine)
        return;
    *sending = NULL;
    struct line *line = mine->line;
    line_remove_sending(line, mine);
    if (!line->sendings)
        channel_rest(line->channel); /* the next release warms it again */
    store_cancel(&mine->opening);
    again_clear(&mine->again);
    message_batch_free(mine->batch);
    free(mine->fault_text);
    free(mine);
}

/* --- Telling its owner -------------------------------------------------------------------------------------------- */

enum tale { TALE_NONE, TALE_FAULT, TALE_DONE, TALE_EXPIRED, TALE_STOPPED };

static enum tale tale_of(const struct sending *sending, int64_t now_ms)
{
    bool released = sending->open && sending->batch && !sending->told_done;

    if (sending->fault)
        return TALE_FAULT;
    if (sending->opening)
        return TALE_NONE;
    if (released && sending->exhausted && sending->spec.notice->course->tally.waiting == 0 && sending->out == 0)
        return TALE_DONE;
    if (released && !sending->told_expired && now_ms >= sending->spec.deadline_ms)
        return TALE_EXPIRED;
    if (sending->stopped && !sending->told_done && sending->out == 0 && sending->events.stopped)
        return TALE_STOPPED;
    return TALE_NONE;
}

bool sending_has_news(const struct sending *sending, int64_t now_ms)
{
    return tale_of(sending, now_ms) != TALE_NONE;
}

static void tell_fault(struct sending *sending)
{
    auto_free char *text = sending->fault_text;
    enum notice_reason reason = sending->fault;

    sending->fault = REASON_NONE;
    sending->fault_text = NULL;
    sending->events.fault(sending->events.ctx, reason, text);
}

void sending_tell(struct sending *sending, int64_t now_ms)
{
    void (*stopped)(void *) = sending->events.stopped;

    switch (tale_of(sending, now_ms)) {
    case TALE_NONE:
        break;
    case TALE_FAULT:
        tell_fault(sending);
        break;
    case TALE_DONE:
        sending->told_done = sending->stopped = true;
        sending->events.done(sending->events.ctx);
        break;
    case TALE_EXPIRED:
        sending->told_expired = sending->stopped = true;
        sending->events.expired(sending->events.ctx);
        break;
    case TALE_STOPPED:
        sending->events.stopped = NULL;
        stopped(sending->events.ctx);
        break;
    }
}
