#include "smtp_reply.h"
#include "table.h"

#include <stdio.h>
#include <string.h>

#define ALL_OF(a) (sizeof(a) / sizeof *(a))

/* Reads one reply out of `bytes`, `step` bytes at a time. */
static enum smtp_parsed read_reply(const char *bytes, size_t len, size_t step, struct smtp_reply *reply, size_t *used)
{
    struct smtp_parser parser = {0};
    enum smtp_parsed parsed = SMTP_MORE;

    *used = 0;
    while (parsed == SMTP_MORE && *used < len) {
        size_t piece = len - *used < step ? len - *used : step, left = piece;
        const char *at = bytes + *used;
        parsed = smtp_parse(&parser, &at, &left, reply);
        *used += piece - left;
    }
    return parsed;
}

static void replies_are_read(void **state)
{
    static const struct {
        const char *bytes;
        enum smtp_parsed parsed;
        int code, status_class, subject, detail;
        const char *text;
        size_t left; /* bytes after the reply */
    } cases[] = {
        {"250 ok\r\n", SMTP_REPLY, 250, 0, 0, 0, "ok", 0},
        {"250 ok\n", SMTP_REPLY, 250, 0, 0, 0, "ok", 0},
        {"250\r\n", SMTP_REPLY, 250, 0, 0, 0, "", 0},
        {"250 \r\n", SMTP_REPLY, 250, 0, 0, 0, "", 0},
        {"250 2.1.0 ok\r\n", SMTP_REPLY, 250, 2, 1, 0, "2.1.0 ok", 0},
        {"550 5.1.1 no\r\n250 ok\r\n", SMTP_REPLY, 550, 5, 1, 1, "5.1.1 no", 8},
        {"550-5.7.26 one\r\n550-5.7.26 two\r\n550 5.7.26 three\r\n", SMTP_REPLY, 550, 5, 7, 26,
         "5.7.26 one 5.7.26 two 5.7.26 three", 0},
        {"250-\r\n250 x\r\n", SMTP_REPLY, 250, 0, 0, 0, "x", 0},
        {"451 4.7.650: slow\r\n", SMTP_REPLY, 451, 4, 7, 650, "4.7.650: slow", 0},
        {"550 5.1.1.2 no\r\n", SMTP_REPLY, 550, 0, 0, 0, "5.1.1.2 no", 0},
        {"550 9.1.1 no\r\n", SMTP_REPLY, 550, 0, 0, 0, "9.1.1 no", 0},
        {"550 5.1 no\r\n", SMTP_REPLY, 550, 0, 0, 0, "5.1 no", 0},
        {"250 a\tb\001c\r\n", SMTP_REPLY, 250, 0, 0, 0, "a b c", 0},
        {"250 ok", SMTP_MORE, 0, 0, 0, 0, "", 0},
        {"250-ok\r\n", SMTP_MORE, 0, 0, 0, 0, "", 0},
        {"250-ok\r\n251 no\r\n", SMTP_GARBAGE, 0, 0, 0, 0, "", 0},
        {"\r\n", SMTP_GARBAGE, 0, 0, 0, 0, "", 0},
        {"25 ok\r\n", SMTP_GARBAGE, 0, 0, 0, 0, "", 0},
        {"2500 ok\r\n", SMTP_GARBAGE, 0, 0, 0, 0, "", 0},
        {"150 ok\r\n", SMTP_GARBAGE, 0, 0, 0, 0, "", 0},
        {"650 ok\r\n", SMTP_GARBAGE, 0, 0, 0, 0, "", 0},
        {"HTTP/1.1 400 Bad Request\r\n", SMTP_GARBAGE, 0, 0, 0, 0, "", 0},
        {"+OK\r\n", SMTP_GARBAGE, 0, 0, 0, 0, "", 0},
    };
    (void)state;
    for (size_t i = 0; i < ALL_OF(cases); i++)
        for (size_t step = 1; step < 64; step += 62) { /* byte by byte, and at once */
            struct smtp_reply reply = {0};
            size_t used, len = strlen(cases[i].bytes);
            enum smtp_parsed parsed = read_reply(cases[i].bytes, len, step, &reply, &used);
            if (parsed != cases[i].parsed)
                fail_msg("\"%s\" by %zu: %d", cases[i].bytes, step, (int)parsed);
            if (parsed != SMTP_REPLY)
                continue;
            if (reply.code != cases[i].code || reply.status_class != cases[i].status_class ||
                reply.subject != cases[i].subject || reply.detail != cases[i].detail ||
                strcmp(reply.text, cases[i].text) != 0 || len - used != cases[i].left)
                fail_msg("\"%s\" by %zu: %d %d.%d.%d \"%s\", %zu left", cases[i].bytes, step, reply.code,
                         reply.status_class, reply.subject, reply.detail, reply.text, len - used);
        }
}

static void limits_hold(void **state)
{
    static char bytes[40000];
    struct smtp_reply reply = {0};
    size_t used;

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, "250 ", 4);
    assert_int_equal(read_reply(bytes, sizeof bytes, 100, &reply, &used), SMTP_GARBAGE); /* a line without end */
    memcpy(bytes + 3000, "\r\n", 2);
    assert_int_equal(read_reply(bytes, sizeof bytes, 7, &reply, &used), SMTP_REPLY); /* too long, yet an answer */
    assert_true(strlen(reply.text) < SMTP_TEXT_MAX);
    assert_int_equal(used, 3002);
    for (size_t at = 0; at + 8 <= sizeof bytes; at += 8)
        memcpy(bytes + at, "250-xx\r\n", 8);
    assert_int_equal(read_reply(bytes, sizeof bytes, 1000, &reply, &used), SMTP_GARBAGE); /* lines without end */
    memcpy(bytes, "250 a\0b\r\n", 9);
    assert_int_equal(read_reply(bytes, 9, 9, &reply, &used), SMTP_GARBAGE);
}

static void replies_are_judged(void **state)
{
    enum { MAIL = SMTP_AT_MAIL, RCPT = SMTP_AT_RCPT, DATA = SMTP_AT_DATA, DOT = SMTP_AT_DOT };
    enum { OK = NOTIFIER_ACCEPTED, LATER = NOTIFIER_TRY_LATER, NO = NOTIFIER_REFUSED, DOUBT = NOTIFIER_IN_DOUBT };
    enum { WHO = NOTIFIER_ADDRESS, WHAT = NOTIFIER_MESSAGE, WAY = NOTIFIER_CHANNEL };
    enum { SLOW = NOTIFIER_SLOW_DOWN, MIN = 60 * 1000, HOUR = 60 * MIN };
    static const struct {
        int stage;
        const char *line;
        int fate, scope;
        int64_t retry_after_ms;
        bool needs_person;
    } cases[] = {
        {DOT, "250 2.0.0 Ok: queued as 4Xy", OK, WHO, 0, false},
        {DOT, "251 will forward", DOUBT, WAY, 0, false},
        {DOT, "354 go on", DOUBT, WAY, 0, false},
        {MAIL, "354 go on", LATER, WAY, 0, false},
        /* the server goes away */
        {MAIL, "421 4.3.2 closing", LATER, WAY, SLOW, false},
        {DOT, "421 4.7.0 Try again later, closing connection.", LATER, WAY, SLOW, false},
        {DOT, "421 4.7.28 unusual rate of unsolicited mail", LATER, WAY, SLOW, false},
        {MAIL, "421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred", LATER, WAY, 2 * HOUR, false},
        {MAIL, "421 4.7.0 [TSS05] deferred", LATER, WAY, 4 * HOUR, false},
        {MAIL, "421 Max message per connection reached", LATER, WAY, SLOW, false},
        {DOT, "421 4.7.1 deferred due to excessive volume", LATER, WAY, SLOW, false},
        /* later */
        {RCPT, "450 4.2.1 recipient receiving mail too fast", LATER, WHO, 0, false},
        {RCPT, "450 4.2.0 busy", LATER, WHO, 0, false},
        {RCPT, "450 4.7.1 Greylisted, see http://", LATER, WHO, 5 * MIN, false},
        {RCPT, "451 4.7.1 come back later", LATER, WHO, 5 * MIN, false},
        {RCPT, "451 greylisting in action", LATER, WHO, 5 * MIN, false},
        {DOT, "451 4.3.0 local error", LATER, WAY, 0, false},
        {RCPT, "451 4.3.0 queue file write error", LATER, WAY, 0, false},
        {MAIL, "450 4.2.1 too fast", LATER, WAY, 0, false}, /* nobody has been named yet */
        {MAIL, "452 4.2.2 full", LATER, WAY, 0, false},
        {MAIL, "552 5.2.2 full", NO, WHAT, 0, false},
        {MAIL, "550 user unknown", NO, WHAT, 0, false},
        {MAIL, "450 4.7.1 greylisted", LATER, WAY, 5 * MIN, false},
        {MAIL, "451 4.3.2 not accepting", LATER, WAY, 0, false},
        {RCPT, "452 4.5.3 too many recipients", LATER, WHO, 0, false},
        {RCPT, "552 too many recipients", LATER, WHO, 0, false},
        {RCPT, "452 4.2.2 mailbox full", NO, WHO, 0, false},
        {RCPT, "552 5.2.2 mailbox full", NO, WHO, 0, false},
        {RCPT, "552 quota exceeded", NO, WHO, 0, false},
        {MAIL, "452 4.3.1 insufficient system storage", LATER, WAY, 0, false},
        {DOT, "454 Throttling failure: Maximum sending rate exceeded.", LATER, WAY, SLOW, false},
        {MAIL, "454 4.7.0 temporary authentication failure", LATER, WAY, SLOW, false},
        {MAIL, "451 4.7.650 rate limited (S775)", LATER, WAY, SLOW, false},
        {MAIL, "451 4.7.652 too many connections (S3115)", LATER, WAY, SLOW, false},
        {DOT, "451 4.7.500 Server busy", LATER, WAY, SLOW, false},
        {DOT, "451 4.7.861 suspicious", LATER, WAY, SLOW, false},
        {DOT, "450 4.7.26 unauthenticated", LATER, WHAT, SLOW, false},
        {DOT, "450 4.7.32 From not aligned", LATER, WHAT, SLOW, false},
        {DOT, "451 very low reputation of the sending domain", LATER, WHAT, SLOW, false},
        {DATA, "451 disk", LATER, WAY, 0, false},
        {DOT, "450 4.7.28 unusual rate of unsolicited mail", LATER, WAY, SLOW, false},
        {RCPT, "450 4.7.28 unusual rate", LATER, WAY, SLOW, false},
        {RCPT, "451 You have been throttled", LATER, WAY, SLOW, false},
        {RCPT, "451 4.7.1 rate limit exceeded", LATER, WAY, SLOW, false},
        {DOT, "452 too many messages from you", LATER, WAY, SLOW, false},
        {DOT, "451 4.7.1 Try again later", LATER, WHO, 5 * MIN, false},
        {MAIL, "451 4.7.1 Try again later", LATER, WAY, SLOW, false},
        {MAIL, "450 4.7.25 no PTR", LATER, WHAT, SLOW, false},
        {DOT, "454 Throttling failure: Daily message quota exceeded.", LATER, WAY, 30 * MIN, false},
        /* a person has to change something */
        {MAIL, "530 5.7.0 Must issue a STARTTLS command first", LATER, WAY, 0, true},
        {MAIL, "530 5.7.1 Authentication required", LATER, WAY, 0, true},
        {MAIL, "535 5.7.8 bad credentials", LATER, WAY, 0, true},
        {MAIL, "534 5.7.9 mechanism too weak", LATER, WAY, 0, true},
        {MAIL, "538 5.7.11 encryption required", LATER, WAY, 0, true},
        /* we spoke badly */
        {RCPT, "500 5.5.2 what?", NO, WAY, 0, false},
        {DATA, "503 5.5.1 bad sequence", NO, WAY, 0, false},
        {MAIL, "501 5.5.4 bad arguments", NO, WAY, 0, false},
        {MAIL, "555 5.5.4 unknown parameter", NO, WAY, 0, false},
        /* this person */
        {RCPT, "550 5.1.1 The email account that you tried to reach does not exist", NO, WHO, 0, false},
        {RCPT, "550 5.1.2 no such domain", NO, WHO, 0, false},
        {RCPT, "553 5.1.3 bad syntax", NO, WHO, 0, false},
        {RCPT, "501 5.1.3 bad syntax", NO, WHO, 0, false},
        {RCPT, "501 syntax error in address", NO, WHO, 0, false},
        {RCPT, "550 5.1.6 moved", NO, WHO, 0, false},
        {RCPT, "556 5.1.10 null MX", NO, WHO, 0, false},
        {RCPT, "521 does not accept mail", NO, WHO, 0, false},
        {MAIL, "521 does not accept mail", NO, WAY, 0, false},
        {RCPT, "550 5.2.1 disabled", NO, WHO, 0, false},
        {RCPT, "551 user not local", NO, WHO, 0, false},
        {DOT, "554 delivery error: dd This user doesn't have a yahoo.com account", NO, WHO, 0, false},
        {RCPT, "550 5.5.0 Requested action not taken: mailbox unavailable", NO, WHO, 0, false},
        {RCPT, "550 5.4.1 Recipient address rejected: Access denied", NO, WHO, 0, false},
        {RCPT, "553 5.6.7 non-ASCII address", NO, WHO, 0, false},
        {RCPT, "550 5.7.17 mailbox owner has changed", NO, WHO, 0, false},
        {RCPT, "550 5.7.133 only from within", NO, WHO, 0, false},
        {DOT, "550 user unknown", NO, WHO, 0, false},
        {RCPT, "550 no", NO, WHO, 0, false},
        /* the message, or what receivers think of us */
        {DOT, "552 5.2.3 too big", NO, WHAT, 0, false},
        {MAIL, "552 5.3.4 too big", NO, WHAT, 0, false},
        {DOT, "552 too big", NO, WHAT, 0, false},
        {DOT, "554 5.6.0 bad content", NO, WHAT, 0, false},
        {DOT, "550 5.6.11 bare line feeds", NO, WHAT, 0, false},
        {DOT, "550 5.7.1 Our system has detected that this message is likely unsolicited", NO, WHAT, 0, false},
        {RCPT, "550 5.7.1 Service unavailable; client blocked (S3150)", NO, WHAT, 0, false},
        {DOT, "550 5.7.26 unauthenticated sender", NO, WHAT, 0, false},
        {DOT, "550 5.7.515 access denied", NO, WHAT, 0, false},
        {MAIL, "550 5.7.606 banned sending IP", NO, WHAT, 0, false},
        {MAIL, "550 5.7.27 sender domain has a null MX", NO, WHAT, 0, false},
        {RCPT, "554 5.7.1 relay access denied", NO, WHAT, 0, false},
        {MAIL, "553 5.7.1 [BL21] blocked", NO, WHAT, 0, false},
        {MAIL, "553 5.7.2 [TSS09] permanently deferred", NO, WHAT, 0, false},
        {DOT, "554 Message not allowed - [PH01] Email not accepted for policy reasons.", NO, WHAT, 0, false},
        {DOT, "554 5.7.9 not accepted for policy reasons", NO, WHAT, 0, false},
        {MAIL, "550 5.1.8 bad sender", NO, WHAT, 0, false},
        {RCPT, "550 5.1.7 bad sender address", NO, WHAT, 0, false},
        {DOT, "554 transaction failed", NO, WHAT, 0, false},
        /* the digits of the code win over a status that disagrees */
        {RCPT, "450 5.1.1 no such user", LATER, WHO, 0, false},
        {DOT, "550 4.2.1 odd", NO, WHAT, 0, false},
    };
    (void)state;
    for (size_t i = 0; i < ALL_OF(cases); i++) {
        struct smtp_reply reply = {0};
        char line[300];
        size_t used;
        snprintf(line, sizeof line, "%s\r\n", cases[i].line);
        assert_int_equal(read_reply(line, strlen(line), 1000, &reply, &used), SMTP_REPLY);
        struct smtp_class class = smtp_classify((enum smtp_stage)cases[i].stage, &reply);
        if ((int)class.fate != cases[i].fate || (int)class.scope != cases[i].scope ||
            class.retry_after_ms != cases[i].retry_after_ms || class.needs_person != cases[i].needs_person)
            fail_msg("%s at %d: fate %d scope %d after %lld person %d", cases[i].line, cases[i].stage, (int)class.fate,
                     (int)class.scope, (long long)class.retry_after_ms, class.needs_person);
    }
}

static void addresses_are_taken_out(void **state)
{
    static const struct {
        const char *text, *address, *expected;
    } cases[] = {
        {"<ana@example.com>: unknown", "ana@example.com", "<***>: unknown"},
        {"mailbox ana@example.com full, ask bo@example.org", "ana@example.com", "mailbox *** full, ask ***"},
        {"user ANA unknown", "ana@example.com", "user *** unknown"},
        {"user ana.", "ana@example.com", "user ***."},
        {"banana is fine", "ana@example.com", "banana is fine"},
        {"ana... user unknown", "ana@example.com", "***... user unknown"},
        {"a@b", "a@b", "***"},
        {"@", "a@b", "*"},
        {"nothing here", "", "nothing here"},
    };
    (void)state;
    for (size_t i = 0; i < ALL_OF(cases); i++) {
        char text[200];
        snprintf(text, sizeof text, "%s", cases[i].text);
        smtp_scrub(text, cases[i].address);
        assert_string_equal(text, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_read),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(replies_are_judged),
        cmocka_unit_test(addresses_are_taken_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
