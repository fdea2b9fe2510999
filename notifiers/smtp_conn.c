#include "smtp_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void conn_stand(struct conn *conn);

/* ---- fates ---- */

static void job_finish(struct smtp *smtp, struct job *job, struct notifier_result result)
{
    result.handed_over_at_ms = job->handed_over_at_ms;
    smtp->host->finish(smtp->host, job->delivery, &result);
    pool_drop(smtp, job);
}

static void job_end(struct smtp *smtp, struct job *job, enum notifier_fate fate, enum notifier_scope scope, int code,
                    const char *text)
{
    job_finish(smtp, job, (struct notifier_result){.fate = fate, .scope = scope, .code = code, .text = text});
}

/* More has failed in a row than was in use. */
static void give_up(struct smtp *smtp, const char *why)
{
    if (!smtp->broken && !smtp->stopping)
        pool_trouble(smtp, why, false);
}

static void job_answered(struct smtp *smtp, struct job *job, enum smtp_stage stage, struct smtp_reply *reply)
{
    struct smtp_class class = smtp_classify(stage, reply);
    struct notifier_result result = {class.fate, class.scope, reply->code, reply->text, class.retry_after_ms, 0};

    smtp_scrub(reply->text, job->delivery->to);
    job_finish(smtp, job, result);
    if (class.fate == NOTIFIER_ACCEPTED)
        smtp_window_accepted(&smtp->window, smtp->busy);
    else if (reply->code < 500 && class.scope == NOTIFIER_CHANNEL && smtp_window_failed(&smtp->window, smtp->busy))
        give_up(smtp, reply->text);
}

void job_return(struct smtp *smtp, struct job *job, const char *text)
{
    job_end(smtp, job, NOTIFIER_RETURNED, NOTIFIER_CHANNEL, 0, text);
}

/* Its connection ended before the message was handed over. Where the connection had worked so far (a limit on messages,
 * an idle one dropped) another gets it at once; but not for ever, lest a message that ends connections goes round. What
 * stood behind a body is the last to blame. */
static void job_try_again(struct smtp *smtp, struct conn *conn, struct job *job, int code, const char *why)
{
    int most = code == 421 || job->behind ? AGAIN_MAX : 1;

    if ((conn->accepted > 0 || job->behind) && job->again < most && !smtp->stopping && !smtp->broken)
        pool_add_again(smtp, job);
    else
        job_end(smtp, job, NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, code, why);
}

/* ---- connections ---- */

void conn_free(struct conn *conn)
{
    struct smtp *smtp = conn->smtp;

    conn->leaving = true;
    conn_stand(conn);
    TAILQ_REMOVE(&smtp->conns, conn, of_all);
    if (conn->open)
        smtp->open--;
    else
        smtp->connecting--;
    smtp_stream_gone(&smtp->stream, conn);
    smtp->host->wire_close(conn->wire);
    smtp->host->timer_free(conn->timer);
    free(conn);
}

/* Everything the connection owed us is decided; it is gone afterwards. `code` and `why`: what ended it. */
void conn_lose(struct conn *conn, int code, const char *why)
{
    struct smtp *smtp = conn->smtp;
    struct job *body = conn->body, *envelope = conn->envelope;
    int64_t now_ms = smtp->host->mono_ms(smtp->host);
    bool at_work = body || envelope, useless = conn->accepted == 0 && !conn->leaving && !smtp->stopping;
    bool dead = useless && at_work && smtp_window_failed(&smtp->window, smtp->busy);

    useless = useless && (at_work || now_ms - conn->opened_at_ms < LIVED_MS);
    conn->body = conn->envelope = NULL;
    if (envelope && envelope->behind)
        pool_broke_stream(conn);
    if (body && body->handed_over_at_ms)
        job_end(smtp, body, NOTIFIER_IN_DOUBT, NOTIFIER_CHANNEL, code, why);
    else if (body)
        job_try_again(smtp, conn, body, code, why);
    if (envelope)
        job_try_again(smtp, conn, envelope, code, why);
    conn_free(conn);
    if (useless)
        smtp_window_refused(&smtp->window, smtp->open, 0, now_ms);
    if (dead)
        give_up(smtp, why);
}

/* Where it stands, now that something on it has changed; the counts of the pool follow. */
static void conn_stand(struct conn *conn)
{
    struct smtp *smtp = conn->smtp;
    struct conns *const lists[] = {[CONN_IDLE] = &smtp->idle, [CONN_ALONE] = &smtp->alone};
    int64_t most = smtp->messages_per_connection;
    bool busy = conn->body || conn->envelope, addressed = conn->envelope != NULL;
    enum conn_place place = CONN_ELSEWHERE;

    if (conn->open && !conn->leaving && !conn->envelope && (most == 0 || conn->begun < most)) {
        if (conn->body)
            place = conn->pipelining ? CONN_ALONE : CONN_ELSEWHERE;
        else
            place = conn->expected == 0 ? CONN_IDLE : CONN_ELSEWHERE;
    }
    smtp->busy += (unsigned)busy - (unsigned)conn->busy;
    smtp->addressed += (unsigned)addressed - (unsigned)conn->addressed;
    conn->busy = busy;
    conn->addressed = addressed;
    if (place == conn->place)
        return;
    if (conn->place != CONN_ELSEWHERE)
        TAILQ_REMOVE(lists[conn->place], conn, of_place);
    conn->place = place;
    if (place != CONN_ELSEWHERE)
        TAILQ_INSERT_TAIL(lists[place], conn, of_place);
}

/* The timer is set when the end comes nearer than it would ring; a later one is seen when it rings. */
static void conn_set_deadline(struct conn *conn)
{
    struct smtp *smtp = conn->smtp;
    int64_t after_ms = smtp->keep_alive_ms;

    if (conn->leaving)
        after_ms = QUIT_WAIT_MS;
    else if (conn->expected > 0)
        after_ms = conn->expect[0] == EXPECT_DOT ? smtp->answer_timeout_ms : smtp->command_timeout_ms;
    conn->deadline_ms = smtp->host->mono_ms(smtp->host) + after_ms;
    if (conn->rings_at_ms == 0 || conn->deadline_ms < conn->rings_at_ms) {
        conn->rings_at_ms = conn->deadline_ms;
        smtp->host->timer_start(conn->timer, after_ms);
    }
}

static void conn_expect(struct conn *conn, enum expect what)
{
    conn->expect[conn->expected++] = what;
    conn->moved |= conn->expected == 1;
}

static void conn_say(struct conn *conn, const char *line, enum expect what)
{
    conn->smtp->host->wire_write(conn->wire, line, strlen(line));
    conn->unwritten = true;
    conn_expect(conn, what);
}

/* The addresses are checked and have at most 254 characters, so the line keeps to RFC 5321 section 4.5.3.1.4. */
static void conn_say_address(struct conn *conn, const char *command, const char *address, enum expect what)
{
    const struct notifier_host *host = conn->smtp->host;

    host->wire_write(conn->wire, command, strlen(command));
    host->wire_write(conn->wire, address, strlen(address));
    conn_say(conn, ">\r\n", what);
}

void conn_note_written(struct conn *conn)
{
    const struct notifier_host *host = conn->smtp->host;
    struct job *body = conn->body;

    if (body && body->end && !body->handed_over_at_ms && host->wire_sent(conn->wire) >= body->end)
        body->handed_over_at_ms = host->now_ms(host);
}

static void conn_flush(struct conn *conn)
{
    conn->unwritten = false;
    conn->smtp->host->wire_flush(conn->wire);
    conn_note_written(conn);
}

void conn_quit(struct conn *conn)
{
    conn->leaving = true;
    conn_say(conn, "QUIT\r\n", EXPECT_QUIT);
    conn_settle(conn);
}

void conn_settle(struct conn *conn)
{
    conn_stand(conn);
    if (conn->unwritten)
        conn_flush(conn);
    if (conn->moved)
        conn_set_deadline(conn);
    conn->moved = false;
}

static bool address_is_safe(const char *address)
{
    size_t len = 0;

    for (; address[len]; len++)
        if ((unsigned char)address[len] <= ' ' || (unsigned char)address[len] >= 0x7F || address[len] == '<' ||
            address[len] == '>')
            return false;
    return len <= 254;
}

void conn_begin(struct conn *conn, struct job *job)
{
    struct smtp *smtp = conn->smtp;

    if (!address_is_safe(job->delivery->to) || !address_is_safe(job->delivery->from)) {
        job_end(smtp, job, NOTIFIER_REFUSED, NOTIFIER_ADDRESS, 0, "not an address for the wire");
        return;
    }
    if (conn->size_limit > 0 && (int64_t)job->delivery->raw_len > conn->size_limit) {
        job_end(smtp, job, NOTIFIER_REFUSED, NOTIFIER_MESSAGE, 0, "the message is larger than the server takes");
        return;
    }
    conn->envelope = job;
    conn->begun++;
    if (conn->body) {
        job->behind = true;
        smtp_stream_begun(&smtp->stream, conn);
    }
    if (conn->must_reset)
        conn_say(conn, "RSET\r\n", EXPECT_RSET);
    conn->must_reset = false;
    conn_say_address(conn, "MAIL FROM:<", job->delivery->from, EXPECT_MAIL);
    if (conn->pipelining) {
        conn_say_address(conn, "RCPT TO:<", job->delivery->to, EXPECT_RCPT);
        conn_say(conn, "DATA\r\n", EXPECT_DATA);
    }
    conn_stand(conn);
}

/* Most messages have none. No branch inside, so that a compiler makes wide instructions of it. */
static bool line_begins_with_dot(const char *raw, size_t len)
{
    unsigned char found = len > 0 && raw[0] == '.';

    for (size_t i = 1; i < len; i++)
        found |= (unsigned char)((raw[i] == '.') & (raw[i - 1] == '\n'));
    return found;
}

/* A line that begins with a dot gets one more (RFC 5321 section 4.5.2). Bytes are copied once, into the wire. */
static void conn_write_body(struct conn *conn, struct job *job)
{
    const struct notifier_host *host = conn->smtp->host;
    const char *raw = job->delivery->raw, *from = raw, *end = raw + job->delivery->raw_len;

    if (line_begins_with_dot(raw, job->delivery->raw_len))
        for (const char *dot = from; (dot = memchr(dot, '.', (size_t)(end - dot))); dot++)
            if (dot == raw || dot[-1] == '\n') {
                host->wire_write(conn->wire, from, (size_t)(dot - from));
                host->wire_write(conn->wire, ".", 1);
                from = dot;
            }
    host->wire_write(conn->wire, from, (size_t)(end - from));
    if (job->delivery->raw_len == 0 || end[-1] != '\n')
        host->wire_write(conn->wire, "\r\n", 2);
    conn_say(conn, ".\r\n", EXPECT_DOT);
    job->end = host->wire_queued(conn->wire);
}

/* ---- replies ---- */

static void note_fault(struct job *job, enum smtp_stage stage, const struct smtp_reply *reply)
{
    if (job->faulty)
        return;
    job->faulty = true;
    job->fault_stage = stage;
    job->fault = *reply;
}

static void envelope_failed(struct conn *conn)
{
    struct job *job = conn->envelope;

    assert(job);
    conn->envelope = NULL;
    conn->must_reset = true; /* it costs nothing: it travels with the next envelope */
    job_answered(conn->smtp, job, job->fault_stage, &job->fault);
}

/* False: the connection is out of step and must go. */
static bool on_data_reply(struct conn *conn, struct smtp_reply *reply)
{
    struct job *job = conn->envelope;

    assert(job);
    if (reply->code < 300)
        return false;
    if (reply->code != 354) {
        note_fault(job, SMTP_AT_DATA, reply);
        envelope_failed(conn);
    } else if (job->faulty) { /* RFC 2920 section 3.1: nobody to send to; an empty message ends it */
        conn_say(conn, ".\r\n", EXPECT_NO_DOT);
    } else {
        conn->envelope = NULL;
        conn->body = job;
        conn_write_body(conn, job);
    }
    return true;
}

/* A server that does not like an envelope behind a body says so where the body or one of its commands is answered. */
static bool told_off(const struct conn *conn, const struct smtp_reply *reply)
{
    return conn->envelope && conn->envelope->behind && !conn->envelope->faulty && smtp_blames_order(reply);
}

static bool on_dot_reply(struct conn *conn, struct smtp_reply *reply)
{
    struct job *job = conn->body;

    assert(job);
    bool in_step = job->handed_over_at_ms != 0;

    if (!in_step && reply->code < 400)
        return false; /* an answer to something we have not sent */
    conn->body = NULL;
    if (in_step && told_off(conn, reply) && job->again < AGAIN_MAX) { /* for what stood behind it, not for what it is */
        if (conn->smtp->stopping || conn->smtp->broken)
            job_return(conn->smtp, job, "refused for what stood behind it");
        else
            pool_add_again(conn->smtp, job);
        return false;
    }
    conn->accepted += reply->code == 250;
    if (reply->code == 250)
        pool_went_well(conn->smtp);
    job_answered(conn->smtp, job, SMTP_AT_DOT, reply);
    return in_step;
}

static bool on_envelope_reply(struct conn *conn, enum expect what, struct smtp_reply *reply)
{
    struct smtp *smtp = conn->smtp;
    bool good = reply->code / 100 == 2;

    assert(conn->envelope);
    if (told_off(conn, reply))
        return false;
    if (what == EXPECT_DATA) {
        if (conn->envelope->behind)
            smtp_stream_worked(&smtp->stream, conn);
        conn->envelope->behind = false;
        return on_data_reply(conn, reply);
    }
    if (reply->code / 100 == 3)
        return false;
    if (!good)
        note_fault(conn->envelope, what == EXPECT_MAIL ? SMTP_AT_MAIL : SMTP_AT_RCPT, reply);
    if (conn->pipelining)
        return true;
    if (!good)
        envelope_failed(conn);
    else if (what == EXPECT_MAIL)
        conn_say_address(conn, "RCPT TO:<", conn->envelope->delivery->to, EXPECT_RCPT);
    else
        conn_say(conn, "DATA\r\n", EXPECT_DATA);
    return true;
}

/* False: the connection is out of step and must go. */
static bool on_reply(struct conn *conn, struct smtp_reply *reply)
{
    enum expect what = conn->expect[0];

    memmove(conn->expect, conn->expect + 1, --conn->expected * sizeof *conn->expect);
    conn->moved = true;
    switch (what) {
    case EXPECT_MAIL:
    case EXPECT_RCPT:
    case EXPECT_DATA:
        return on_envelope_reply(conn, what, reply);
    case EXPECT_DOT:
        return on_dot_reply(conn, reply);
    case EXPECT_NO_DOT:
        envelope_failed(conn);
        return true;
    case EXPECT_RSET:
    case EXPECT_NOOP:
        return reply->code / 100 == 2;
    case EXPECT_QUIT:
        return false;
    }
    return false;
}

static struct job *answered_job(struct conn *conn)
{
    switch (conn->expect[0]) {
    case EXPECT_MAIL:
    case EXPECT_RCPT:
    case EXPECT_DATA:
    case EXPECT_NO_DOT:
        return conn->envelope;
    case EXPECT_DOT:
        return conn->body;
    default:
        return NULL;
    }
}

/* The server is about to close. Whose turn it was gets its word; what it has not answered goes back. */
static void on_goodbye(struct conn *conn, struct smtp_reply *reply)
{
    struct smtp *smtp = conn->smtp;
    struct job *job = conn->expected > 0 ? answered_job(conn) : NULL;

    assert(!job || conn->body != conn->envelope);
    if (job && job == conn->body) { /* a refusal of the message itself: it was not taken */
        conn->body = NULL;
        job_answered(smtp, job, SMTP_AT_DOT, reply);
    } else if (job && !job->behind && (conn->accepted == 0 || smtp_classify(SMTP_AT_MAIL, reply).retry_after_ms > 0)) {
        conn->envelope = NULL;
        job_answered(smtp, job, SMTP_AT_MAIL, reply);
    }
    conn_lose(conn, reply->code, "the server closed the connection (421)");
}

static void lock_out(struct smtp *smtp, const struct smtp_reply *reply)
{
    char text[SMTP_TEXT_MAX + 64];
    struct smtp_reply copy = *reply;

    smtp_scrub(copy.text, "");
    snprintf(text, sizeof text, "the server wants a log-in: %d %s", reply->code, copy.text);
    pool_trouble(smtp, text, true);
}

/* Answers have come. A body that was just queued takes the next envelope along: one write for both. */
static void conn_go_on(struct conn *conn)
{
    struct smtp *smtp = conn->smtp;
    int64_t most = smtp->messages_per_connection;

    conn_stand(conn);
    pool_feed(smtp, conn);
    if (conn->expected == 0 && ((most > 0 && conn->begun >= most) || smtp->stopping))
        conn_quit(conn);
    conn_settle(conn);
    if (smtp->waiting)
        pool_drain(smtp);
}

void conn_on_received(void *ctx, const char *bytes, size_t len)
{
    struct conn *conn = ctx;
    struct smtp *smtp = conn->smtp;
    struct smtp_reply reply;
    bool lost = false;

    conn_note_written(conn);
    while (len > 0 && !lost) {
        enum smtp_parsed parsed = smtp_parse(&conn->parser, &bytes, &len, &reply);
        if (parsed == SMTP_MORE)
            break;
        lost = true;
        if (parsed == SMTP_REPLY && reply.code == 421) {
            on_goodbye(conn, &reply);
            break;
        }
        bool locked_out = parsed == SMTP_REPLY && conn->expected > 0 && answered_job(conn) &&
                          smtp_classify(SMTP_AT_MAIL, &reply).needs_person;
        if (parsed == SMTP_GARBAGE || conn->expected == 0) {
            conn_lose(conn, 0, "the server sent something that is no answer");
            break;
        }
        if (!on_reply(conn, &reply)) {
            conn_lose(conn, reply.code, "the connection was out of step");
            break;
        }
        lost = false;
        if (locked_out && !smtp->hopeless)
            lock_out(smtp, &reply);
    }
    if (lost)
        pool_drain(smtp);
    else
        conn_go_on(conn);
}

void conn_on_written(void *ctx)
{
    conn_note_written(ctx);
}

void conn_on_closed(void *ctx, const char *why)
{
    struct conn *conn = ctx;
    struct smtp *smtp = conn->smtp;

    conn_note_written(conn);
    conn_lose(conn, 0, why);
    pool_drain(smtp);
}

void conn_on_timer(void *ctx)
{
    struct conn *conn = ctx;
    struct smtp *smtp = conn->smtp;
    int64_t left_ms = conn->deadline_ms - smtp->host->mono_ms(smtp->host);

    if (left_ms > 0) {
        conn->rings_at_ms = conn->deadline_ms;
        smtp->host->timer_start(conn->timer, left_ms);
        return;
    }
    conn->rings_at_ms = 0;
    if (conn->leaving) {
        conn_free(conn);
    } else if (conn->expected > 0) {
        conn_lose(conn, 0, "the server did not answer in time");
    } else if (smtp->warm) {
        conn_say(conn, "NOOP\r\n", EXPECT_NOOP);
        conn_settle(conn);
    } else {
        conn_quit(conn);
    }
    pool_drain(smtp);
}
