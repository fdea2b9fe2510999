/* smtp.c - mail through a relay, over a pool of connections kept open.
 *
 * The host's wire does TLS and log-in; here we speak MAIL, RCPT, DATA. Where the server takes PIPELINING the envelope
 * of the next message travels with the body of the last one: one round trip a message. One recipient a message.
 * What may have been taken and what cannot have been is decided by one number: had the last byte of the final dot been
 * written (handed over) before the connection went away? */
#include "smtp_reply.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    CONNECTING_MAX = 4, /* at a time: TLS handshakes must not crowd the loop */
    EXPECT_MAX = 8,
    QUIT_WAIT_MS = 1000,
    BACKOFF_FIRST_MS = 1000,
    BACKOFF_MAX_MS = 60000,
    AGAIN_MAX = 10,
    LIVED_MS = 5000, /* a connection that lived so long was a good one */
};

struct job { /* one delivery in our hands */
    struct notifier_delivery *delivery;
    struct job *next;
    int again; /* how often it went back to the queue because its connection ended */
    bool faulty;
    enum smtp_stage fault_stage;
    struct smtp_reply fault; /* the first refusal of its envelope */
    int64_t end;             /* of the final dot, in the connection's stream; 0: not queued yet */
    int64_t handed_over_at_ms;
};

enum expect { EXPECT_MAIL, EXPECT_RCPT, EXPECT_DATA, EXPECT_DOT, EXPECT_NO_DOT, EXPECT_RSET, EXPECT_NOOP, EXPECT_QUIT };

struct smtp;
struct conn {
    struct smtp *smtp;
    struct conn *next;
    struct notifier_wire *wire;
    struct notifier_timer *timer;
    bool open, pipelining, must_reset, unwritten, leaving;
    int64_t size_limit; /* 0: none told */
    int64_t begun, accepted;
    int64_t opened_at_ms; /* monotonic */
    struct smtp_parser parser;
    enum expect expect[EXPECT_MAX]; /* answers owed to us, oldest first */
    unsigned expected;
    struct job *envelope; /* MAIL, RCPT, DATA sent or being sent */
    struct job *body;     /* body queued, answer to the dot not here yet */
    int64_t deadline_ms;  /* monotonic */
};

struct smtp {
    /* options */
    const char *url, *username, *password, *ca_file;
    int tls;
    int64_t connections, messages_per_connection;
    int64_t connect_timeout_ms, command_timeout_ms, answer_timeout_ms, keep_alive_ms;

    const struct notifier_host *host;
    struct conn *conns;
    unsigned open, connecting;
    struct job *waiting, **waiting_end;
    int64_t waiting_count;
    bool busy, warm, stopping, draining;
    bool broken; /* in trouble: only warm() makes us try again, once */
    bool try_now;
    bool hopeless; /* ... and not even that */
    int64_t backoff_ms, reopen_at_ms;
    struct notifier_timer *reopen;
    struct notifier_wire *probe;
    void (*probe_done)(void *ctx, bool fine, const char *text);
    void *probe_ctx;
};

static void smtp_drain(struct smtp *smtp);
static void on_conn_timer(void *ctx);

/* ---- fates ---- */

static void job_finish(struct smtp *smtp, struct job *job, struct notifier_result result)
{
    result.handed_over_at_ms = job->handed_over_at_ms;
    smtp->host->finish(smtp->host, job->delivery, &result);
    free(job);
}

static void job_end(struct smtp *smtp, struct job *job, enum notifier_fate fate, enum notifier_scope scope, int code,
                    const char *text)
{
    job_finish(smtp, job, (struct notifier_result){.fate = fate, .scope = scope, .code = code, .text = text});
}

static void job_answered(struct smtp *smtp, struct job *job, enum smtp_stage stage, struct smtp_reply *reply)
{
    struct smtp_class class = smtp_classify(stage, reply);
    struct notifier_result result = {class.fate, class.scope, reply->code, reply->text, class.retry_after_ms, 0};

    smtp_scrub(reply->text, job->delivery->to);
    job_finish(smtp, job, result);
}

static void job_return(struct smtp *smtp, struct job *job, const char *text)
{
    job_end(smtp, job, NOTIFIER_RETURNED, NOTIFIER_CHANNEL, 0, text);
}

static struct job *waiting_pop(struct smtp *smtp)
{
    struct job *job = smtp->waiting;

    smtp->waiting = job->next;
    if (!smtp->waiting)
        smtp->waiting_end = &smtp->waiting;
    smtp->waiting_count--;
    job->next = NULL;
    return job;
}

static void return_waiting(struct smtp *smtp, const char *text)
{
    while (smtp->waiting)
        job_return(smtp, waiting_pop(smtp), text);
}

/* Its connection ended before the message was handed over. Where the connection had worked so far (a limit on messages,
 * an idle one dropped) another gets it at once; but not for ever, lest a message that ends connections goes round. */
static void job_try_again(struct smtp *smtp, struct conn *conn, struct job *job, int code, const char *why)
{
    if (conn->accepted > 0 && job->again < (code == 421 ? AGAIN_MAX : 1) && !smtp->stopping && !smtp->broken) {
        job->again++;
        job->faulty = false;
        job->end = 0;
        job->next = smtp->waiting;
        if (!smtp->waiting)
            smtp->waiting_end = &job->next;
        smtp->waiting = job;
        smtp->waiting_count++;
        return;
    }
    job_end(smtp, job, NOTIFIER_TRY_LATER, NOTIFIER_CHANNEL, code, why);
}

static void trouble(struct smtp *smtp, const char *text, bool needs_person)
{
    smtp->broken = true;
    smtp->hopeless |= needs_person;
    return_waiting(smtp, text);
    smtp->busy = false;
    smtp->host->trouble(smtp->host, text, needs_person);
}

/* ---- connections ---- */

static void conn_free(struct conn *conn)
{
    struct smtp *smtp = conn->smtp;

    for (struct conn **at = &smtp->conns; *at; at = &(*at)->next)
        if (*at == conn) {
            *at = conn->next;
            break;
        }
    if (conn->open)
        smtp->open--;
    else
        smtp->connecting--;
    smtp->host->wire_close(conn->wire);
    smtp->host->timer_free(conn->timer);
    free(conn);
}

static void back_off(struct smtp *smtp)
{
    if (smtp->host->mono_ms(smtp->host) < smtp->reopen_at_ms)
        return; /* several ended together: one failure */
    smtp->backoff_ms = smtp->backoff_ms ? smtp->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (smtp->backoff_ms > BACKOFF_MAX_MS)
        smtp->backoff_ms = BACKOFF_MAX_MS;
    smtp->reopen_at_ms = smtp->host->mono_ms(smtp->host) + smtp->backoff_ms;
    smtp->host->timer_start(smtp->reopen, smtp->backoff_ms);
}

/* Everything the connection owed us is decided; it is gone afterwards. `code` and `why`: what ended it. */
static void conn_lose(struct conn *conn, int code, const char *why)
{
    struct smtp *smtp = conn->smtp;
    struct job *body = conn->body, *envelope = conn->envelope;

    conn->body = conn->envelope = NULL;
    if (body && body->handed_over_at_ms)
        job_end(smtp, body, NOTIFIER_IN_DOUBT, NOTIFIER_CHANNEL, code, why);
    else if (body)
        job_try_again(smtp, conn, body, code, why);
    if (envelope)
        job_try_again(smtp, conn, envelope, code, why);
    if (smtp->host->mono_ms(smtp->host) - conn->opened_at_ms > LIVED_MS)
        smtp->backoff_ms = 0;
    if (conn->accepted == 0 && !conn->leaving)
        back_off(smtp);
    conn_free(conn);
}

static void conn_set_deadline(struct conn *conn)
{
    struct smtp *smtp = conn->smtp;
    int64_t after_ms = smtp->keep_alive_ms, now_ms = smtp->host->mono_ms(smtp->host);
    int64_t before_ms = conn->deadline_ms;

    if (conn->leaving)
        after_ms = QUIT_WAIT_MS;
    else if (conn->expected > 0)
        after_ms = conn->expect[0] == EXPECT_DOT ? smtp->answer_timeout_ms : smtp->command_timeout_ms;
    conn->deadline_ms = now_ms + after_ms;
    if (before_ms == 0 || conn->deadline_ms < before_ms) /* a later one is seen when the timer rings */
        smtp->host->timer_start(conn->timer, after_ms);
}

static void conn_expect(struct conn *conn, enum expect what)
{
    conn->expect[conn->expected++] = what;
    if (conn->expected == 1)
        conn_set_deadline(conn);
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
    char line[320];

    snprintf(line, sizeof line, "%s:<%s>\r\n", command, address);
    conn_say(conn, line, what);
}

static void conn_note_written(struct conn *conn)
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

static void conn_quit(struct conn *conn)
{
    conn->leaving = true;
    conn_say(conn, "QUIT\r\n", EXPECT_QUIT);
    conn_set_deadline(conn);
}

static bool conn_idle(const struct conn *conn)
{
    return conn->open && !conn->leaving && conn->expected == 0;
}

static bool conn_spent(const struct conn *conn)
{
    int64_t limit = conn->smtp->messages_per_connection;
    return limit > 0 && conn->begun >= limit;
}

/* `beside`: while the last message's answer is still on its way. */
static bool conn_may_begin(const struct conn *conn, bool beside)
{
    if (!conn->open || conn->leaving || conn->envelope || conn_spent(conn))
        return false;
    return conn->body ? beside && conn->pipelining : conn->expected == 0;
}

static bool address_is_safe(const char *address)
{
    size_t len = strlen(address);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)address[i] <= ' ' || (unsigned char)address[i] >= 0x7F || strchr("<>", address[i]))
            return false;
    return len <= 254;
}

static void conn_begin(struct conn *conn, struct job *job)
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
    if (conn->must_reset)
        conn_say(conn, "RSET\r\n", EXPECT_RSET);
    conn->must_reset = false;
    conn_say_address(conn, "MAIL FROM", job->delivery->from, EXPECT_MAIL);
    if (conn->pipelining) {
        conn_say_address(conn, "RCPT TO", job->delivery->to, EXPECT_RCPT);
        conn_say(conn, "DATA\r\n", EXPECT_DATA);
    }
}

/* A line that begins with a dot gets one more (RFC 5321 section 4.5.2). Bytes are copied once, into the wire. */
static void conn_write_body(struct conn *conn, struct job *job)
{
    const struct notifier_host *host = conn->smtp->host;
    const char *from = job->delivery->raw, *end = from + job->delivery->raw_len, *dot;

    if (from < end && *from == '.')
        host->wire_write(conn->wire, ".", 1);
    while ((dot = memmem(from, (size_t)(end - from), "\n.", 2))) {
        host->wire_write(conn->wire, from, (size_t)(dot + 2 - from));
        host->wire_write(conn->wire, ".", 1);
        from = dot + 2;
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

    conn->envelope = NULL;
    conn->must_reset = true; /* it costs nothing: it travels with the next envelope */
    job_answered(conn->smtp, job, job->fault_stage, &job->fault);
}

/* False: the connection is out of step and must go. */
static bool on_data_reply(struct conn *conn, struct smtp_reply *reply)
{
    struct job *job = conn->envelope;

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

static bool on_dot_reply(struct conn *conn, struct smtp_reply *reply)
{
    struct job *job = conn->body;
    bool in_step = job->handed_over_at_ms != 0;

    if (!in_step && reply->code < 400)
        return false; /* an answer to something we have not sent */
    conn->body = NULL;
    if (reply->code == 250) {
        conn->accepted++;
        conn->smtp->backoff_ms = 0;
    }
    job_answered(conn->smtp, job, SMTP_AT_DOT, reply);
    return in_step;
}

static bool on_reply(struct conn *conn, struct smtp_reply *reply)
{
    enum expect what = conn->expect[0];
    bool good = reply->code / 100 == 2;

    memmove(conn->expect, conn->expect + 1, --conn->expected * sizeof *conn->expect);
    conn_set_deadline(conn);
    switch (what) {
    case EXPECT_MAIL:
    case EXPECT_RCPT: {
        enum smtp_stage stage = what == EXPECT_MAIL ? SMTP_AT_MAIL : SMTP_AT_RCPT;
        if (reply->code / 100 == 3)
            return false;
        if (!good)
            note_fault(conn->envelope, stage, reply);
        if (conn->pipelining)
            return true;
        if (!good)
            envelope_failed(conn);
        else if (what == EXPECT_MAIL)
            conn_say_address(conn, "RCPT TO", conn->envelope->delivery->to, EXPECT_RCPT);
        else
            conn_say(conn, "DATA\r\n", EXPECT_DATA);
        return true;
    }
    case EXPECT_DATA:
        return on_data_reply(conn, reply);
    case EXPECT_DOT:
        return on_dot_reply(conn, reply);
    case EXPECT_NO_DOT:
        envelope_failed(conn);
        return true;
    case EXPECT_RSET:
    case EXPECT_NOOP:
        return good;
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

    if (job && job == conn->body) { /* a refusal of the message itself: it was not taken */
        conn->body = NULL;
        job_answered(smtp, job, SMTP_AT_DOT, reply);
    } else if (job && conn->accepted == 0) {
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
    trouble(smtp, text, true);
}

static void on_received(void *ctx, const char *bytes, size_t len)
{
    struct conn *conn = ctx;
    struct smtp *smtp = conn->smtp;
    struct smtp_reply reply;

    conn_note_written(conn);
    while (len > 0) {
        enum smtp_parsed parsed = smtp_parse(&conn->parser, &bytes, &len, &reply);
        if (parsed == SMTP_MORE)
            break;
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
        if (locked_out && !smtp->hopeless)
            lock_out(smtp, &reply);
    }
    smtp_drain(smtp);
}

static void on_written(void *ctx)
{
    conn_note_written(ctx);
}

static void on_closed(void *ctx, const char *why)
{
    struct conn *conn = ctx;
    struct smtp *smtp = conn->smtp;

    conn_note_written(conn);
    conn_lose(conn, 0, why);
    smtp_drain(smtp);
}

static void on_conn_timer(void *ctx)
{
    struct conn *conn = ctx;
    struct smtp *smtp = conn->smtp;
    int64_t left_ms = conn->deadline_ms - smtp->host->mono_ms(smtp->host);

    if (left_ms > 0) {
        smtp->host->timer_start(conn->timer, left_ms);
        return;
    }
    conn->deadline_ms = 0;
    if (conn->leaving)
        conn_free(conn);
    else if (conn->expected > 0)
        conn_lose(conn, 0, "the server did not answer in time");
    else if (smtp->warm)
        conn_say(conn, "NOOP\r\n", EXPECT_NOOP);
    else
        conn_quit(conn);
    smtp_drain(smtp);
}

/* ---- opening ---- */

/* Calls `each` with every line of the EHLO answer. */
static void read_capabilities(const char *text, bool *pipelining, int64_t *size_limit)
{
    *pipelining = false;
    *size_limit = 0;
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t len = strcspn(line, "\n");
        if (len == 10 && strncasecmp(line, "PIPELINING", 10) == 0)
            *pipelining = true;
        else if (len > 5 && strncasecmp(line, "SIZE ", 5) == 0 && isdigit((unsigned char)line[5]))
            *size_limit = strtoll(line + 5, NULL, 10);
    }
}

static void on_opened(void *ctx, const char *capabilities)
{
    struct conn *conn = ctx;
    struct smtp *smtp = conn->smtp;

    smtp->connecting--;
    smtp->open++;
    conn->open = true;
    conn->opened_at_ms = smtp->host->mono_ms(smtp->host);
    read_capabilities(capabilities, &conn->pipelining, &conn->size_limit);
    conn_set_deadline(conn);
    if (smtp->broken && !smtp->hopeless) {
        smtp->broken = false;
        smtp->host->well(smtp->host);
    }
    smtp_drain(smtp);
}

static void on_failed(void *ctx, enum notifier_wire_failure failure, int code, const char *text)
{
    struct conn *conn = ctx;
    struct smtp *smtp = conn->smtp;
    bool needs_person = failure == NOTIFIER_WIRE_WRONG_LOGIN;

    conn_free(conn);
    back_off(smtp);
    if (needs_person || (smtp->open == 0 && smtp->connecting == 0))
        trouble(smtp, text, needs_person);
    else
        smtp->host->log(smtp->host, 4, "event=connection_failed code=%d open=%u", code, smtp->open);
    smtp_drain(smtp);
}

static const struct notifier_wire_events conn_events = {
    .opened = on_opened,
    .failed = on_failed,
    .received = on_received,
    .written = on_written,
    .closed = on_closed,
};

static struct notifier_wire_spec wire_spec(const struct smtp *smtp)
{
    return (struct notifier_wire_spec){
        .url = smtp->url,
        .username = smtp->username,
        .password = smtp->password,
        .plain = smtp->tls == 1,
        .ca_file = smtp->ca_file,
        .connect_timeout_ms = smtp->connect_timeout_ms,
    };
}

static void conn_open(struct smtp *smtp)
{
    struct conn *conn = calloc(1, sizeof *conn);
    struct notifier_wire_spec spec = wire_spec(smtp);
    char error[300];

    if (!conn)
        return;
    conn->smtp = smtp;
    conn->wire = smtp->host->wire_open(smtp->host, &spec, &conn_events, conn, error, sizeof error);
    if (!conn->wire) {
        free(conn);
        trouble(smtp, error, true);
        return;
    }
    conn->timer = smtp->host->timer_new(smtp->host, on_conn_timer, conn);
    conn->next = smtp->conns;
    smtp->conns = conn;
    smtp->connecting++;
}

static void on_reopen(void *ctx)
{
    struct smtp *smtp = ctx;
    int64_t left_ms = smtp->reopen_at_ms - smtp->host->mono_ms(smtp->host);

    if (left_ms > 0) /* timers may ring a little early */
        smtp->host->timer_start(smtp->reopen, left_ms);
    else
        smtp_drain(smtp);
}

/* ---- what may start now ---- */

static void hand_out(struct smtp *smtp, bool beside)
{
    for (struct conn *conn = smtp->conns; conn && smtp->waiting; conn = conn->next)
        while (smtp->waiting && conn_may_begin(conn, beside))
            conn_begin(conn, waiting_pop(smtp));
}

static void open_more(struct smtp *smtp)
{
    unsigned most = smtp->broken ? 1 : CONNECTING_MAX;

    if (smtp->stopping || (smtp->broken && !smtp->try_now))
        return;
    if (smtp->host->mono_ms(smtp->host) < smtp->reopen_at_ms)
        return;
    smtp->try_now = false;
    while (!smtp->hopeless && smtp->connecting < most && (int64_t)smtp->open + smtp->connecting < smtp->connections &&
           (smtp->warm || smtp->broken || smtp->waiting_count > (int64_t)smtp->connecting))
        conn_open(smtp);
}

/* Starts whatever may start now. Call it after any change, as often as you like. */
static void smtp_drain(struct smtp *smtp)
{
    if (smtp->draining)
        return;
    smtp->draining = true;
    for (;;) {
        hand_out(smtp, false);
        hand_out(smtp, true);
        if (!smtp->busy || smtp->waiting_count >= smtp->connections || smtp->broken || smtp->stopping)
            break;
        smtp->busy = false;
        smtp->host->ready(smtp->host); /* may send() */
    }
    for (struct conn *conn = smtp->conns; conn; conn = conn->next) {
        if (conn_idle(conn) && (conn_spent(conn) || smtp->stopping))
            conn_quit(conn);
        if (conn->unwritten)
            conn_flush(conn);
    }
    open_more(smtp);
    smtp->draining = false;
}

/* ---- the notifier ---- */

static bool url_is_loopback(const char *url)
{
    const char *host = strstr(url, "://");

    host = host ? host + 3 : url;
    size_t len = strcspn(host, ":/");
    if (strncmp(host, "[::1]", 5) == 0 || (len == 9 && strncmp(host, "localhost", 9) == 0))
        return true;
    return strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == len;
}

static bool smtp_local(const void *state)
{
    const struct smtp *smtp = state;
    return url_is_loopback(smtp->url);
}

static int smtp_open(void *state, const struct notifier_host *host, char *error, size_t error_size)
{
    struct smtp *smtp = state;

    smtp->host = host;
    smtp->waiting_end = &smtp->waiting;
    if (strncmp(smtp->url, "smtp://", 7) != 0 && strncmp(smtp->url, "smtps://", 8) != 0) {
        snprintf(error, error_size, "url: expected smtp://HOST:PORT or smtps://HOST:PORT");
        return -1;
    }
    if (smtp->tls == 1 && !url_is_loopback(smtp->url)) {
        snprintf(error, error_size, "tls: off is for loopback only");
        return -1;
    }
    if (smtp->tls == 1 && strncmp(smtp->url, "smtps://", 8) == 0) {
        snprintf(error, error_size, "tls: smtps:// is TLS, it cannot be off");
        return -1;
    }
    if (smtp->password && smtp->password[0] && !smtp->username[0]) {
        snprintf(error, error_size, "password: there is no username");
        return -1;
    }
    smtp->reopen = host->timer_new(host, on_reopen, smtp);
    return 0;
}

static enum notifier_answer smtp_send(void *state, struct notifier_delivery *const *batch, size_t count)
{
    struct smtp *smtp = state;
    struct job *job;

    if (smtp->waiting_count >= smtp->connections || !(job = calloc(1, sizeof *job))) {
        smtp->busy = true;
        return NOTIFIER_BUSY;
    }
    job->delivery = batch[0];
    *smtp->waiting_end = job;
    smtp->waiting_end = &job->next;
    smtp->waiting_count++;
    if (smtp->broken || smtp->stopping)
        return_waiting(smtp, "not connected");
    smtp_drain(smtp);
    return NOTIFIER_STARTED;
}

static void smtp_warm(void *state)
{
    struct smtp *smtp = state;

    if (smtp->broken)
        smtp->try_now = true;
    else
        smtp->warm = true;
    smtp->reopen_at_ms = 0;
    smtp_drain(smtp);
}

static void smtp_rest(void *state)
{
    struct smtp *smtp = state;

    smtp->warm = false;
    for (struct conn *conn = smtp->conns; conn; conn = conn->next)
        if (conn_idle(conn))
            conn_quit(conn);
    smtp_drain(smtp);
}

static void smtp_stop(void *state, bool at_once)
{
    struct smtp *smtp = state;

    smtp->stopping = true;
    smtp->warm = false;
    return_waiting(smtp, "stopping");
    while (at_once && smtp->conns) {
        struct conn *conn = smtp->conns;
        struct job *envelope = conn->envelope;
        conn->envelope = NULL;
        if (envelope)
            job_return(smtp, envelope, "stopping");
        conn_note_written(conn);
        conn_lose(conn, 0, "stopped before the answer came");
    }
    smtp_drain(smtp);
}

static int64_t smtp_window(const void *state)
{
    const struct smtp *smtp = state;
    return 2 * smtp->connections; /* one with its body out, one with its envelope, on each */
}

static void smtp_close(void *state)
{
    struct smtp *smtp = state;

    while (smtp->conns)
        conn_free(smtp->conns);
    smtp->host->wire_close(smtp->probe);
    smtp->host->timer_free(smtp->reopen);
}

/* ---- probe: one connection of its own ---- */

static void probe_end(struct smtp *smtp, bool fine, const char *text)
{
    smtp->host->wire_close(smtp->probe);
    smtp->probe = NULL;
    smtp->probe_done(smtp->probe_ctx, fine, text);
}

static void on_probe_opened(void *ctx, const char *capabilities)
{
    struct smtp *smtp = ctx;
    char text[400], size[64] = "";
    bool pipelining;
    int64_t size_limit;

    read_capabilities(capabilities, &pipelining, &size_limit);
    if (size_limit > 0)
        snprintf(size, sizeof size, ", messages up to %lld bytes", (long long)size_limit);
    snprintf(text, sizeof text, "%s answers, %s, %s, pipelining %s%s", smtp->url,
             smtp->tls == 1 ? "without TLS" : "TLS verified", smtp->username[0] ? "logged in" : "no log-in",
             pipelining ? "yes" : "no", size);
    smtp->host->wire_write(smtp->probe, "QUIT\r\n", 6);
    smtp->host->wire_flush(smtp->probe);
    probe_end(smtp, true, text);
}

static void on_probe_failed(void *ctx, enum notifier_wire_failure failure, int code, const char *text)
{
    (void)failure;
    (void)code;
    probe_end(ctx, false, text);
}

static const struct notifier_wire_events probe_events = {.opened = on_probe_opened, .failed = on_probe_failed};

static void smtp_probe(void *state, void (*done)(void *ctx, bool fine, const char *text), void *ctx)
{
    struct smtp *smtp = state;
    struct notifier_wire_spec spec = wire_spec(smtp);
    char error[300] = "already asking";

    if (!smtp->probe) {
        smtp->probe_done = done;
        smtp->probe_ctx = ctx;
        smtp->probe = smtp->host->wire_open(smtp->host, &spec, &probe_events, smtp, error, sizeof error);
        if (smtp->probe)
            return;
    }
    done(ctx, false, error);
}

static const char *const tls_words[] = {"required", "off", NULL};

static const struct notifier_option options[] = {
    {"url", NOTIFIER_TEXT, offsetof(struct smtp, url), .required = true},
    {"tls", NOTIFIER_WORD, offsetof(struct smtp, tls), .fallback = "required", .words = tls_words},
    {"ca_file", NOTIFIER_PATH, offsetof(struct smtp, ca_file)},
    {"username", NOTIFIER_TEXT, offsetof(struct smtp, username), .fallback = ""},
    {"password", NOTIFIER_SECRET, offsetof(struct smtp, password)},
    {"connections", NOTIFIER_INT, offsetof(struct smtp, connections), .fallback = "20", .min = 1, .max = 1000},
    {"messages_per_connection", NOTIFIER_INT, offsetof(struct smtp, messages_per_connection), .fallback = "1000"},
    {"connect_timeout", NOTIFIER_SPAN, offsetof(struct smtp, connect_timeout_ms), .fallback = "30s", .min = 100,
     .max = 600000},
    {"command_timeout", NOTIFIER_SPAN, offsetof(struct smtp, command_timeout_ms), .fallback = "1m", .min = 100,
     .max = 3600000},
    /* RFC 5321 section 4.5.3.2.6: a server may take ten minutes to answer the final dot, and giving up means doubt. */
    {"answer_timeout", NOTIFIER_SPAN, offsetof(struct smtp, answer_timeout_ms), .fallback = "10m", .min = 100,
     .max = 3600000},
    {"keep_alive", NOTIFIER_SPAN, offsetof(struct smtp, keep_alive_ms), .fallback = "25s", .min = 100, .max = 3600000},
    {0},
};

NOTIFIER_EXPORT const struct notifier notifier = {
    .abi = NOTIFIER_ABI,
    .size = sizeof(struct notifier),
    .name = "smtp",
    .options = options,
    .state_size = sizeof(struct smtp),
    .batch_max = 1,
    .flags = NOTIFIER_TAKES_RAW,
    .open = smtp_open,
    .send = smtp_send,
    .close = smtp_close,
    .stop = smtp_stop,
    .warm = smtp_warm,
    .rest = smtp_rest,
    .window = smtp_window,
    .local = smtp_local,
    .probe = smtp_probe,
};
