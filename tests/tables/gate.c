#include "gate.h"
#include "table.h"

enum { AT_MS = 1000000000 };

static void judging(void **state)
{
    static const struct when start = {MOMENT_SALE_START}, before_start = {MOMENT_SALE_START, -DAY_MS},
                             after_start = {MOMENT_SALE_START, HOUR_MS}, eve = {MOMENT_SALE_START, 0, true, 18 * 60},
                             end = {MOMENT_SALE_END}, before_end = {MOMENT_SALE_END, -HOUR_MS};
    static const struct {
        const struct when *when;
        struct definition definition; /* `revision` is how far its instant is from the notice's */
        enum gate_word word;
    } cases[] = {
        {&start, {.event_status = EVENT_UPCOMING, .sale_status = SALE_STARTED}, GATE_OPEN},
        {&start, {.event_status = EVENT_STARTED, .sale_status = SALE_STARTED}, GATE_OPEN},
        {&start, {.event_status = EVENT_UPCOMING, .sale_status = SALE_SCHEDULED}, GATE_NOT_STARTED},
        {&start, {.event_status = EVENT_UPCOMING, .sale_status = SALE_UNKNOWN}, GATE_NOT_STARTED},
        {&start, {.event_status = EVENT_UPCOMING, .sale_status = SALE_ENDED}, GATE_ENDED},
        {&start, {.event_status = EVENT_UPCOMING, .sale_status = SALE_STARTED, .sold_out = true}, GATE_SOLD_OUT},
        {&start, {.event_status = EVENT_UPCOMING, .sale_status = SALE_ENDED, .sold_out = true}, GATE_ENDED},
        {&start, {.event_status = EVENT_UPCOMING, .sale_status = SALE_STARTED, .revision = 1}, GATE_MOVED},
        {&start, {.event_status = EVENT_UPCOMING, .sale_status = SALE_SCHEDULED, .revision = -1}, GATE_MOVED},
        {&start, {.event_status = EVENT_CANCELED, .sale_status = SALE_STARTED, .revision = 1}, GATE_EVENT_OFF},
        {&start, {.event_status = EVENT_ENDED, .sale_status = SALE_STARTED}, GATE_EVENT_OFF},
        {&start, {.event_status = EVENT_DRAFT, .sale_status = SALE_STARTED}, GATE_EVENT_OFF},
        {&start, {.event_status = EVENT_UNKNOWN, .sale_status = SALE_STARTED}, GATE_UNKNOWN},
        {&start, {.event_status = EVENT_CANCELED, .hidden = true}, GATE_HIDDEN},
        {&after_start, {.event_status = EVENT_UPCOMING, .sale_status = SALE_SCHEDULED}, GATE_NOT_STARTED},
        {&before_start, {.event_status = EVENT_UPCOMING, .sale_status = SALE_SCHEDULED}, GATE_OPEN},
        {&before_start, {.event_status = EVENT_UPCOMING, .sale_status = SALE_STARTED}, GATE_OPEN},
        {&before_start, {.event_status = EVENT_UPCOMING, .sale_status = SALE_UNKNOWN}, GATE_NOT_STARTED},
        {&before_start, {.event_status = EVENT_UPCOMING, .sale_status = SALE_ENDED}, GATE_ENDED},
        {&before_start,
         {.event_status = EVENT_UPCOMING, .sale_status = SALE_SCHEDULED, .sold_out = true},
         GATE_SOLD_OUT},
        {&before_start, {.event_status = EVENT_UPCOMING, .sale_status = SALE_SCHEDULED, .revision = 5}, GATE_MOVED},
        {&eve, {.event_status = EVENT_UPCOMING, .sale_status = SALE_SCHEDULED}, GATE_OPEN},
        {&before_end, {.event_status = EVENT_UPCOMING, .sale_status = SALE_STARTED}, GATE_OPEN},
        {&before_end, {.event_status = EVENT_UPCOMING, .sale_status = SALE_SCHEDULED}, GATE_NOT_STARTED},
        {&before_end, {.event_status = EVENT_UPCOMING, .sale_status = SALE_ENDED}, GATE_ENDED},
        {&before_end, {.event_status = EVENT_UPCOMING, .sale_status = SALE_STARTED, .sold_out = true}, GATE_SOLD_OUT},
        {&before_end, {.event_status = EVENT_UPCOMING, .sale_status = SALE_STARTED, .revision = 1}, GATE_MOVED},
        {&end, {.event_status = EVENT_STARTED, .sale_status = SALE_ENDED}, GATE_OPEN},
        {&end, {.event_status = EVENT_STARTED, .sale_status = SALE_ENDED, .sold_out = true}, GATE_OPEN},
        {&end, {.event_status = EVENT_STARTED, .sale_status = SALE_STARTED}, GATE_NOT_STARTED},
        {&end, {.event_status = EVENT_STARTED, .sale_status = SALE_STARTED, .sold_out = true}, GATE_SOLD_OUT},
        {&end, {.event_status = EVENT_STARTED, .sale_status = SALE_UNKNOWN}, GATE_NOT_STARTED},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rule rule = {.when = *cases[i].when};
        struct notice *notice = notice_new(1, "arena", "e", "r", rule.when.kind, AT_MS, 1);
        struct definition definition = cases[i].definition;
        enum gate_word word;
        /* The other instant is never looked at. */
        definition.sale_starts_at_ms = rule.when.kind == MOMENT_SALE_START ? AT_MS + definition.revision : 5;
        definition.sale_ends_at_ms = rule.when.kind == MOMENT_SALE_END ? AT_MS + definition.revision : 5;
        word = gate_judge(notice, &rule, &definition, false);
        if (word != cases[i].word)
            fail_msg("case %zu: %s, not %s", i, gate_word_name(word), gate_word_name(cases[i].word));
        assert_int_equal(gate_judge(notice, &rule, NULL, false), GATE_UNKNOWN);
        assert_int_equal(gate_judge(notice, &rule, NULL, true), GATE_GONE);
        assert_int_equal(gate_judge(notice, &rule, &definition, true), GATE_GONE);
        notice_free(notice);
    }
}

static const struct rule plain = {
    .if_not_started = {60 * SECOND_MS, THEN_SEND},
    .if_unverified = {15 * MINUTE_MS, THEN_DROP},
    .if_sold_out = THEN_DROP,
};
static const struct rule other = {
    .if_not_started = {0, THEN_HOLD},
    .if_unverified = {0, THEN_HOLD},
    .if_sold_out = THEN_SEND,
};
static const struct rule third = {
    .if_not_started = {10 * SECOND_MS, THEN_DROP},
    .if_unverified = {10 * SECOND_MS, THEN_SEND},
};

static void deciding(void **state)
{
    static const struct {
        const struct rule *rule;
        const char *words; /* o open, n not started, u unknown, s sold out, e ended, m moved, h hidden, g gone, f off */
        int64_t waited_ms;
        enum gate_action action;
        enum notice_reason reason;
    } cases[] = {
        {&plain, "o", 0, GATE_RELEASE},
        {&plain, "oghfmesnu", 0, GATE_RELEASE}, /* one open is enough; the rest is not named */
        {&plain, "n", 0, GATE_ASK_AGAIN},
        {&plain, "n", 59999, GATE_ASK_AGAIN},
        {&plain, "n", 60000, GATE_RELEASE},
        {&plain, "nus", 0, GATE_ASK_AGAIN},
        {&plain, "nus", 60000, GATE_RELEASE},
        {&other, "n", 0, GATE_HOLD, REASON_NOT_STARTED},
        {&third, "n", 10000, GATE_DROP, REASON_NOT_STARTED},
        {&plain, "u", 60000, GATE_ASK_AGAIN},
        {&plain, "us", 60000, GATE_ASK_AGAIN},
        {&plain, "u", 899999, GATE_ASK_AGAIN},
        {&plain, "u", 900000, GATE_DROP, REASON_UNVERIFIED},
        {&other, "um", 0, GATE_HOLD, REASON_UNVERIFIED},
        {&third, "u", 10000, GATE_RELEASE},
        {&plain, "ss", 0, GATE_DROP, REASON_SOLD_OUT},
        {&plain, "shgm", 0, GATE_DROP, REASON_SOLD_OUT},
        {&other, "ss", 0, GATE_RELEASE},
        {&plain, "e", 0, GATE_DROP, REASON_ENDED},
        {&plain, "em", 0, GATE_DROP, REASON_ENDED},
        {&plain, "m", 0, GATE_FOLLOW},
        {&plain, "hgf", 0, GATE_FOLLOW},
        {&plain, "", 0, GATE_FOLLOW},
    };
    static const char letters[] = {
        [GATE_GONE] = 'g',     [GATE_HIDDEN] = 'h',      [GATE_EVENT_OFF] = 'f', [GATE_MOVED] = 'm', [GATE_ENDED] = 'e',
        [GATE_SOLD_OUT] = 's', [GATE_NOT_STARTED] = 'n', [GATE_UNKNOWN] = 'u',   [GATE_OPEN] = 'o'};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum gate_word words[16];
        struct gate_decision decision;
        size_t count = 0;
        for (const char *at = cases[i].words; *at; at++)
            for (unsigned word = 0; word < GATE_WORDS; word++)
                if (letters[word] == *at)
                    words[count++] = word;
        decision = gate_decide(cases[i].rule, words, count, AT_MS, 1, 0, AT_MS + cases[i].waited_ms);
        if (decision.action != cases[i].action || decision.reason != cases[i].reason)
            fail_msg("case %zu \"%s\": action %d, reason \"%s\"", i, cases[i].words, decision.action,
                     notice_reason_name(decision.reason));
        /* Before its time by the source's clock nothing is decided. */
        decision = gate_decide(cases[i].rule, words, count, AT_MS, 1, 1001, AT_MS + cases[i].waited_ms);
        assert_int_equal(decision.action, GATE_ASK_AGAIN);
        assert_int_equal(decision.ask_at_ms, AT_MS + cases[i].waited_ms + 1001);
        /* One answer's Date may be wrong: it is asked again before an hour is over. */
        decision = gate_decide(cases[i].rule, words, count, AT_MS, 1, 3600 * SECOND_MS, AT_MS + cases[i].waited_ms);
        assert_int_equal(decision.action, GATE_ASK_AGAIN);
        assert_int_equal(decision.ask_at_ms, AT_MS + cases[i].waited_ms + 10 * SECOND_MS);
    }
}

static void source_clock(void **state)
{
    static const struct {
        int64_t ahead_ms, after_due_ms, early_ms;
    } cases[] = {
        {0, 0, 0},       {1000, 0, 0},    {1001, 0, 1001},  {1001, 500, 501}, {1001, 1001, 0},
        {3000, 3000, 0}, {3000, 2999, 1}, {3000, 60000, 0}, {-5000, 0, 0},    {600000, 0, 600000},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(gate_early_ms(AT_MS, cases[i].ahead_ms, AT_MS + cases[i].after_due_ms), cases[i].early_ms);
}

static void asking_again(void **state)
{
    static const int64_t at_s[] = {0, 1, 3, 7, 12, 17, 22, 27, 32, 37, 42, 47, 52, 57, 60};
    const enum gate_word word = GATE_NOT_STARTED;
    struct gate_decision decision = {.ask_at_ms = AT_MS};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(at_s); i++) {
        assert_int_equal(decision.ask_at_ms, AT_MS + at_s[i] * SECOND_MS);
        decision = gate_decide(&plain, &word, 1, AT_MS, i + 1, 0, decision.ask_at_ms);
        assert_int_equal(decision.action, i + 1 < ARRAY_LEN(at_s) ? GATE_ASK_AGAIN : GATE_RELEASE);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(judging),
        cmocka_unit_test(source_clock),
        cmocka_unit_test(deciding),
        cmocka_unit_test(asking_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
