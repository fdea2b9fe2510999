#include "breaker.h"

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

void breaker_close(struct breaker *breaker)
{
    *breaker = (struct breaker){0};
}

static void note(struct breaker *breaker, int64_t now_ms, bool failure)
{
    int64_t at = now_ms / 1000;
    struct breaker_second *second = &breaker->seconds[at % BREAKER_SPAN_S];

    if (second->at != at)
        *second = (struct breaker_second){.at = at};
    second->outcomes++;
    second->failures += failure;
    breaker->row = failure ? breaker->row + 1 : 0;
}

static bool too_many(const struct breaker *breaker, int64_t now_ms)
{
    unsigned outcomes = 0, failures = 0;

    if (breaker->row >= BREAKER_ROW)
        return true;
    for (unsigned i = 0; i < BREAKER_SPAN_S; i++) {
        const struct breaker_second *second = &breaker->seconds[i];
        if (second->at <= now_ms / 1000 - BREAKER_SPAN_S || second->at > now_ms / 1000)
            continue;
        outcomes += second->outcomes;
        failures += second->failures;
    }
    return outcomes >= BREAKER_LEAST && 2 * failures > outcomes;
}

static void open_until(struct breaker *breaker, int64_t now_ms, int64_t until_ms, bool asked)
{
    breaker->state = BREAKER_OPEN;
    breaker->asked = asked;
    breaker->probing = false;
    breaker->row = 0;
    breaker->since_ms = now_ms;
    breaker->until_ms = until_ms;
}

static int64_t next_rest_ms(struct breaker *breaker, int64_t max_ms)
{
    int64_t rest_ms = breaker->rests < 30 ? (int64_t)BREAKER_FIRST_MS << breaker->rests : max_ms;

    breaker->rests++;
    return least(rest_ms, max_ms);
}

/* What was on its way when it opened says nothing new, unless it names a later time. */
static bool is_news(const struct breaker *breaker, bool probe)
{
    return breaker->state == BREAKER_CLOSED || (breaker->state == BREAKER_HALF_OPEN && probe);
}

static bool takes_asked(struct breaker *breaker, int64_t now_ms, int64_t named_ms, bool probe)
{
    int64_t named_until_ms = now_ms + least(named_ms, BREAKER_NAMED_MAX_MS);

    if (named_ms > 0 && (breaker->state != BREAKER_OPEN || named_until_ms > breaker->until_ms)) {
        if (is_news(breaker, probe))
            breaker->rests++;
        open_until(breaker, now_ms, named_until_ms, true);
        return true;
    }
    if (!is_news(breaker, probe))
        return false;
    open_until(breaker, now_ms, now_ms + next_rest_ms(breaker, BREAKER_ASKED_MAX_MS), true);
    return true;
}

bool breaker_takes(struct breaker *breaker, int64_t now_ms, enum breaker_outcome outcome, int64_t named_ms, bool probe)
{
    note(breaker, now_ms, outcome != BREAKER_WORKS);
    if (outcome == BREAKER_ASKED)
        return takes_asked(breaker, now_ms, named_ms, probe);
    if (outcome == BREAKER_WORKS) {
        if (breaker->state == BREAKER_HALF_OPEN)
            breaker_close(breaker);
        return false;
    }
    if (!is_news(breaker, probe) || (breaker->state == BREAKER_CLOSED && !too_many(breaker, now_ms)))
        return false;
    open_until(breaker, now_ms, now_ms + next_rest_ms(breaker, BREAKER_FAILED_MAX_MS), false);
    return true;
}

void breaker_recall(struct breaker *breaker, int64_t now_ms, int64_t until_ms, unsigned rests)
{
    breaker_close(breaker);
    breaker->rests = rests;
    open_until(breaker, now_ms, least(until_ms, now_ms + BREAKER_NAMED_MAX_MS), true);
}

void breaker_reached(struct breaker *breaker, int64_t now_ms)
{
    if (breaker->asked || (breaker->state == BREAKER_CLOSED && breaker->row == 0))
        return;
    open_until(breaker, now_ms, now_ms, false);
}

/* A clock that was set back: from there on time passes as always. */
static void follow_clock(struct breaker *breaker, int64_t now_ms)
{
    if (now_ms >= breaker->since_ms)
        return;
    breaker->until_ms -= breaker->since_ms - now_ms;
    breaker->since_ms = now_ms;
}

int64_t breaker_allows(struct breaker *breaker, int64_t now_ms)
{
    if (breaker->state == BREAKER_CLOSED)
        return INT64_MAX;
    follow_clock(breaker, now_ms);
    if (now_ms < breaker->until_ms)
        return 0;
    breaker->state = BREAKER_HALF_OPEN;
    breaker->probing = false; /* the last one has had its time */
    return 1;
}

void breaker_probe(struct breaker *breaker, int64_t now_ms)
{
    if (breaker->state != BREAKER_HALF_OPEN)
        return;
    breaker->probing = true;
    breaker->since_ms = now_ms;
    breaker->until_ms = now_ms + BREAKER_PROBE_MS;
}

void breaker_no_probe(struct breaker *breaker, int64_t now_ms, int64_t pause_ms)
{
    if (breaker->state != BREAKER_HALF_OPEN || !breaker->probing)
        return;
    breaker->probing = false;
    breaker->since_ms = now_ms;
    breaker->until_ms = now_ms + pause_ms;
}

int64_t breaker_ready_at_ms(const struct breaker *breaker, int64_t now_ms)
{
    if (breaker->state == BREAKER_CLOSED || breaker->until_ms <= now_ms)
        return now_ms;
    return breaker->until_ms - (now_ms < breaker->since_ms ? breaker->since_ms - now_ms : 0);
}
