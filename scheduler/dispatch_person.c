/* One person: their message out to the channel, what the channel said of it into the ledger. */
#include "dispatch_private.h"
#include "outside.h"

enum {
    CHANNEL_PAUSE_MS = 1000, /* people sent back by a faulty channel; how long it rests is its own business */
    SAID_MAX = 400,
};

void dispatch_hand_over(struct sending *sending, const struct store_delivery *delivery, int64_t now_ms)
{
    struct line *line = sending->line;
    struct message *message = &line->dispatch->message;
    struct error err = {0};
    struct message_person person = {
        .seq = delivery->seq,
        .source = delivery->source,
        .source_id = delivery->source_id,
        .address = delivery->address,
        .name = delivery->name,
        .locale = delivery->locale,
        .zone = delivery->zone,
        .attributes = delivery->attributes,
        .seed = text_is(delivery->source, "seed"),
    };
    struct store_fate fate = {
        .notice = delivery->notice, .seq = delivery->seq, .attempt = delivery->attempt, .at_ms = now_ms};

    if (sending->stopped || sending_paused(sending) || message_make(sending->batch, &person, message, &err) < 0) {
        if (err.kind == ERROR_REFUSED) {
            fate.fate = FATE_WITHHELD;
            fate.withheld = WITHHELD_ADDRESS;
        } else {
            fate.fate = FATE_RETURNED;
            again_put(&sending->again,
                      (struct store_again){.seq = delivery->seq, .attempt = delivery->attempt, .at_ms = now_ms});
        }
        line_add_fate(line, &fate);
        channel_spared(line->channel);
        if (err.kind != ERROR_NONE && err.kind != ERROR_REFUSED)
            sending_fault(sending, REASON_MESSAGE, err.text);
        return;
    }
    struct channel_delivery out = {
        .notice = delivery->notice,
        .seq = delivery->seq,
        .attempt = delivery->attempt,
        .to = message->to.text,
        .from = message->from,
        .token = message->token,
        .raw = message->raw,
    };
    size_t len = message->raw.len;
    channel_send(line->channel, &out);
    message->raw = out.raw; /* another one, maybe new: the next message is about as long */
    buf_reserve(&message->raw, len);
}

static void wait_again(struct sending *sending, struct store_fate *fate, int attempt, int64_t delay_ms)
{
    fate->next_at_ms = line_now_ms(sending->line) + delay_ms;
    again_put(&sending->again, (struct store_again){.seq = fate->seq, .attempt = attempt, .at_ms = fate->next_at_ms});
}

/* "550 5.7.1 policy": as the receiver said it. */
static const char *as_said(const struct channel_result *result, char out[SAID_MAX])
{
    const char *text = result->text ? result->text : "refused";

    if (result->code)
        snprintf(out, SAID_MAX, "%d %s", result->code, text);
    else
        snprintf(out, SAID_MAX, "%s", text);
    return out;
}

static int code_of(const struct channel_result *result)
{
    return result->code ? result->code : 1;
}

/* What the channel said -> what the ledger says. A fault that is not the person's is never charged to them. */
static void judge(struct sending *sending, const struct channel_result *result, struct store_fate *fate)
{
    const struct rule *rule = sending->spec.rule;
    bool braked = (result->fate == FATE_REFUSED || result->fate == FATE_TRY_LATER) &&
                  sending->braked_by == code_of(result); /* on their way when it was found to be nobody's fault */
    bool ours = result->scope != SCOPE_ADDRESS || braked;
    enum fate said = result->fate;
    char text[SAID_MAX];

    if (said == FATE_IN_DOUBT && result->attempt < rule_repeats_below(rule)) {
        said = FATE_TRY_LATER; /* counted as an attempt whosever fault it was: each may have arrived */
        ours = false;
    }
    if (said == FATE_RETURNED || (ours && said != FATE_ACCEPTED && said != FATE_IN_DOUBT)) {
        fate->fate = FATE_RETURNED;
        wait_again(sending, fate, result->attempt, ours ? CHANNEL_PAUSE_MS : result->retry_after_ms);
        if (said == FATE_REFUSED)
            sending_fault(sending, result->scope == SCOPE_MESSAGE ? REASON_MESSAGE : REASON_CHANNEL,
                          as_said(result, text));
        return;
    }
    fate->fate = said;
    if (said == FATE_TRY_LATER && result->attempt >= rule->retry.attempts) {
        fate->fate = FATE_WITHHELD;
        fate->withheld = WITHHELD_ATTEMPTS;
    } else if (said == FATE_TRY_LATER) {
        wait_again(sending, fate, result->attempt + 1,
                   again_delay_ms(&rule->retry, result->attempt, result->retry_after_ms, crypt_random_u64()));
        dispatch_put_off(sending, as_said(result, text));
    }
    if (said == FATE_ACCEPTED || said == FATE_REFUSED || fate->fate == FATE_WITHHELD)
        if (brake_takes(&sending->brake, said == FATE_ACCEPTED ? 0 : code_of(result))) {
            sending->braked_by = code_of(result);
            metric_add(sending->line->brakes, 1);
            sending_fault(sending, REASON_MESSAGE, as_said(result, text));
        }
}

static void note_handover(struct notice *notice, int64_t at_ms)
{
    struct notice_course *course = notice_course(notice);

    if (at_ms == MOMENT_NONE)
        return;
    if (course->first_handover_at_ms == MOMENT_NONE || at_ms < course->first_handover_at_ms)
        course->first_handover_at_ms = at_ms;
    if (at_ms > course->last_handover_at_ms)
        course->last_handover_at_ms = at_ms;
}

void dispatch_finish(void *ctx, struct channel *channel, const struct channel_result *result)
{
    struct line *line = line_of(ctx, channel);
    struct sending *sending = line ? line_sending(line, result->notice) : NULL;
    bool handed_over = result->handed_over_at_ms != MOMENT_NONE;

    if (result->notice == 0 && line)
        outside_finish(line->dispatch->world->outside, result);
    if (!sending)
        return;
    struct store_fate fate = {
        .notice = result->notice,
        .seq = result->seq,
        .attempt = result->attempt,
        .code = result->code,
        .text = result->fate == FATE_ACCEPTED ? NULL : result->text, /* "250 queued as ..." differs for everybody */
        .at_ms = handed_over ? result->handed_over_at_ms : line_now_ms(line),
    };
    note_handover(sending->spec.notice, result->handed_over_at_ms);
    if (handed_over && result->attempt == 1)
        metric_observe(line->late, result->handed_over_at_ms - sending->spec.notice->due_at_ms);
    judge(sending, result, &fate);
    line_add_fate(line, &fate); /* the channel says `room` when it has told all: they share one turn of the ledger */
}

/* --- Counting ----------------------------------------------------------------------------------------------------- */

void line_meter(struct line *line)
{
    static const char *const words[FATES] = {
        [FATE_ACCEPTED] = "accepted", [FATE_TRY_LATER] = "try_later", [FATE_REFUSED] = "refused",
        [FATE_IN_DOUBT] = "in_doubt", [FATE_RETURNED] = "returned",   [FATE_PASSED_ON] = "passed_on",
        [FATE_WITHHELD] = "withheld",
    };
    struct metrics *metrics = line->dispatch->world->metrics;
    const char *name = channel_settings(line->channel)->name;

    for (enum fate fate = FATE_ACCEPTED; fate < FATES; fate++)
        line->fated[fate] = metrics_series(metrics, METRIC_FATES, LABELS(name, words[fate]));
    for (enum withheld reason = WITHHELD_SUPPRESSED; reason < WITHHELD_REASONS; reason++)
        line->withheld[reason] = metrics_series(metrics, METRIC_WITHHELD, LABELS(name, withheld_name(reason)));
    line->late = metrics_series(metrics, METRIC_LATE, LABELS(name));
    line->brakes = metrics_series(metrics, METRIC_NOTIFIER_BRAKES, LABELS(name));
}

void line_count_fates(const struct line *line, const struct store_turned *result)
{
    for (size_t i = 0; i < line->turn_fate_count; i++) {
        metric_add(line->fated[line->turn_fates[i].fate], 1);
        if (line->turn_fates[i].fate == FATE_WITHHELD)
            metric_add(line->withheld[line->turn_fates[i].withheld], 1);
    }
    for (size_t i = 0; i < WITHHELD_REASONS; i++)
        if (result->withheld[i] > 0) {
            metric_add(line->fated[FATE_WITHHELD], result->withheld[i]);
            metric_add(line->withheld[i], result->withheld[i]);
        }
}
