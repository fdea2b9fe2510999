/* The gate of a notice: is this sale really opening now, and what follows from the answer (design.md promise 2). */
#include "gate.h"
#include "gatekeeper.h"
#include "launch_private.h"
#include "metrics.h"
#include "sending.h"

enum { IN_A_ROW_MS = 10 * SECOND_MS }; /* a question sooner than that after the last one is one more in a row */

static void on_gate(void *ctx, const struct gate_answer *answer);
static void release(struct launch *launch, const struct gate_word_of *words, const enum gate_word *judged, size_t count,
                    int64_t now_ms);

void launch_forget_gate(struct launch *launch)
{
    launch->gate_since_ms = launch->evidence_at_ms = MOMENT_NONE;
    launch->gate_tries = 0;
    launch->ask_at_ms = 0;
}

void launch_ask_anew(struct launch *launch)
{
    static const int64_t waits_ms[] = {SECOND_MS, 2 * SECOND_MS, 4 * SECOND_MS, IN_A_ROW_MS / 2};
    size_t last = ARRAY_LEN(waits_ms) - 1, place = launch->asked_in_a_row < last ? launch->asked_in_a_row : last;
    int64_t now_ms = launch_now_ms(launch), from_ms = launch->asked_at_ms + waits_ms[place];

    launch->evidence_at_ms = MOMENT_NONE;
    if (launch->asked_at_ms <= now_ms && launch->ask_at_ms < from_ms) /* later: somebody set the clock back */
        launch->ask_at_ms = from_ms;
}

size_t launch_members(const struct launch *launch, const struct definition ***out)
{
    const struct rule *rule = launch->rule->plan.rule;
    const struct definitions *definitions = &launch->site->definitions;
    size_t count = plan_members(launch->notice, rule, definitions, NULL, 0);

    *out = must_calloc(count + 1, sizeof **out);
    return plan_members(launch->notice, rule, definitions, *out, count);
}

void launch_ask(struct launch *launch)
{
    const struct notice *notice = launch->notice;
    auto_free const struct definition **behind = NULL;
    size_t count = launch_members(launch, &behind), most = count ? count : notice->course->member_count;
    auto_free struct source_ask *asks = must_calloc(most + 1, sizeof *asks);

    for (size_t i = 0; i < count; i++)
        asks[i] = (struct source_ask){behind[i]->id, behind[i]->revision};
    for (; count < most; count++) /* none is: the plan will withdraw it; a sending one asks about whom it named */
        asks[count] = (struct source_ask){notice->course->members[count], 0};
    if (count == 0) {
        launch_withdraw(launch, REASON_MOVED);
        return;
    }
    int64_t now_ms = launch_now_ms(launch), since_ms = now_ms - launch->asked_at_ms;
    launch->asked_in_a_row = since_ms >= 0 && since_ms < IN_A_ROW_MS ? launch->asked_in_a_row + 1 : 0;
    launch->asked_at_ms = now_ms;
    launch->question = gate_ask(launch->site->gate, asks, count, on_gate, launch);
}

static void keep_evidence(struct launch *launch, const struct gate_answer *answer, const enum gate_word *judged)
{
    json_t *words = json_object();

    for (size_t i = 0; i < answer->count; i++)
        json_object_set_new(words, answer->words[i].id, json_string(gate_word_name(judged[i])));
    json_t *evidence =
        json_pack("{s:o, s:I, s:s?}", "definitions", words, "clock_ahead_ms", (json_int_t)answer->clock_ahead_ms,
                  "failure", answer->failure ? answer->failure->text : NULL);
    auto_free char *text = json_dumps(evidence, JSON_COMPACT);
    json_decref(evidence);
    if (text)
        launches_keep_evidence(launch->world->launches, launch->notice->id, answer->answered_at_ms, text);
}

/* The worst thing said, as the reason for withdrawing. */
static enum notice_reason reason_of(const enum gate_word *words, size_t count)
{
    static const enum notice_reason reasons[GATE_WORDS] = {
        [GATE_GONE] = REASON_GONE,   [GATE_HIDDEN] = REASON_HIDDEN,   [GATE_EVENT_OFF] = REASON_EVENT_OFF,
        [GATE_MOVED] = REASON_MOVED, [GATE_ENDED] = REASON_EVENT_OFF, [GATE_SOLD_OUT] = REASON_SOLD_OUT,
    };
    for (enum gate_word word = GATE_GONE; word < GATE_WORDS; word++)
        for (size_t i = 0; i < count; i++)
            if (words[i] == word)
                return reasons[word];
    return REASON_MOVED;
}

void launch_withdraw(struct launch *launch, enum notice_reason reason)
{
    if (launch->notice->claimed)
        launch->notice->rest = withheld_by(reason);
    launch_move(launch, NOTICE_WITHDRAWN, reason, NULL); /* first: a sending that has stopped looks at the state */
    if (launch->sending)
        sending_stop(launch->sending);
}

static void act_on(struct launch *launch, const struct gate_decision *decision, const struct gate_answer *answer,
                   const enum gate_word *judged, int64_t now_ms)
{
    bool sending = launch->notice->state == NOTICE_SENDING;

    switch (decision->action) {
    case GATE_RELEASE:
        launch->gate_since_ms = MOMENT_NONE;
        launch->gate_tries = 0;
        launch->evidence_at_ms = answer->answered_at_ms;
        launch->ask_at_ms = 0;
        if (!sending)
            release(launch, answer->words, judged, answer->count, now_ms);
        else
            launch_go_on(launch);
        break;
    case GATE_ASK_AGAIN:
        launch->ask_at_ms = decision->ask_at_ms;
        break;
    case GATE_HOLD:
        launch_move(launch, NOTICE_HELD, decision->reason, answer->failure ? answer->failure->text : NULL);
        break;
    case GATE_DROP:
        if (sending && decision->reason == REASON_SOLD_OUT) { /* who asked is told all the same: it was open at T */
            launch->evidence_at_ms = answer->answered_at_ms;
            launch_go_on(launch);
            break;
        }
        launch_withdraw(launch, decision->reason);
        break;
    case GATE_FOLLOW: /* the mirror has the news, the plan has followed; what it left to us ends here */
        launch_withdraw(launch, reason_of(judged, answer->count));
        break;
    }
}

/* Also a look before the time is a question. */
static void count_answer(const struct launch *launch, const struct gate_answer *answer, const enum gate_word *judged,
                         int64_t now_ms)
{
    struct metrics *metrics = launch->world->metrics;
    const char *site = launch->notice->site;

    metrics_observe(metrics, METRIC_GATE, LABELS(site), now_ms - launch->asked_at_ms);
    for (size_t i = 0; i < answer->count; i++)
        metrics_add(metrics, METRIC_GATE_WORDS, LABELS(site, gate_word_name(judged[i])), 1);
}

static void on_gate(void *ctx, const struct gate_answer *answer)
{
    struct launch *launch = ctx;
    struct notice *notice = launch->notice;
    const struct rule *rule = launch->rule->plan.rule;
    int64_t now_ms = launch_now_ms(launch);
    auto_free enum gate_word *judged = must_calloc(answer->count + 1, sizeof *judged);

    launch->question = NULL;
    for (size_t i = 0; i < answer->count; i++)
        judged[i] = gate_judge(notice, rule, answer->words[i].definition, answer->words[i].verdict == SOURCE_GONE);
    count_answer(launch, answer, judged, now_ms);
    if (notice->state != NOTICE_READY && notice->state != NOTICE_SENDING) {
        launch_look(launch);
        return;
    }
    if (now_ms < notice->due_at_ms) { /* only a look: it warmed the connection and brought the news */
        launch_look(launch);
        return;
    }
    keep_evidence(launch, answer, judged);
    launch->gate_tries++;
    if (launch->gate_since_ms == MOMENT_NONE)
        launch->gate_since_ms = now_ms;
    int64_t early_ms = gate_early_ms(notice->due_at_ms, answer->clock_ahead_ms, now_ms);
    struct gate_decision decision =
        gate_decide(rule, judged, answer->count, launch->gate_since_ms, launch->gate_tries, early_ms, now_ms);
    metrics_add(launch->world->metrics, METRIC_GATE_DECISIONS, LABELS(notice->site, gate_action_name(decision.action)),
                1);
    log_line(launch->world->log, LOG_INFO,
             "event=gate notice=%lld try=%u action=%s asked_ms=%lld ms=%lld clock_ahead_ms=%lld%s%s",
             (long long)notice->id, launch->gate_tries, gate_action_name(decision.action),
             (long long)(launch->asked_at_ms - notice->due_at_ms), (long long)(now_ms - notice->due_at_ms),
             (long long)answer->clock_ahead_ms, answer->failure ? " error=" : "",
             answer->failure ? LOG_QUOTED(text_of(answer->failure->text)) : "");
    if (early_ms > 0) { /* waiting for a clock is not the patience that the rule means */
        launch->gate_since_ms = MOMENT_NONE;
        launch->gate_tries = 0;
    }
    act_on(launch, &decision, answer, judged, now_ms);
    launch_look(launch);
}

/* --- Release --------------------------------------------------------------------------------------------------------
 */

/* Names what is open; when the rule sends without an open one, everything that still stands at that moment. */
static void release(struct launch *launch, const struct gate_word_of *words, const enum gate_word *judged, size_t count,
                    int64_t now_ms)
{
    struct notice *notice = launch->notice;
    auto_free const char **ids = must_calloc(count + 1, sizeof *ids);
    size_t named = 0;

    for (size_t i = 0; i < count; i++)
        if (judged[i] == GATE_OPEN)
            ids[named++] = words[i].id;
    bool any_open = named > 0;
    for (size_t i = 0; !any_open && i < count; i++)
        if (judged[i] == GATE_NOT_STARTED || judged[i] == GATE_UNKNOWN || judged[i] == GATE_SOLD_OUT)
            ids[named++] = words[i].id;
    notice_set_members(notice, ids, named);
    free(notice->course->channel);
    notice_course(notice)->channel = must_strdup(channel_settings(launch->channel)->name);
    notice_course(notice)->released_at_ms = now_ms;
    launch->progress_at_ms = now_ms;
    launch_move(launch, NOTICE_SENDING, REASON_NONE, NULL);
    launch->released = true; /* launches_store() goes on: nothing is claimed before the row is given to the store */
}
