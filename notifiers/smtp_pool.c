/* The pool of connections: how many there are, what waits, and who gets the next message. */
#include "smtp_private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- what waits ---- */

static struct job *job_new(struct smtp *smtp)
{
    struct job *job = smtp->spare;

    if (!job)
        return calloc(1, sizeof *job);
    smtp->spare = job->next;
    job->next = NULL;
    job->again = 0;
    job->behind = job->faulty = false;
    job->end = job->handed_over_at_ms = 0;
    return job;
}

void pool_drop(struct smtp *smtp, struct job *job)
{
    job->next = smtp->spare;
    smtp->spare = job;
}

struct job *pool_add(struct smtp *smtp)
{
    struct job *job = job_new(smtp);

    if (!job)
        return NULL;
    *smtp->waiting_end = job;
    smtp->waiting_end = &job->next;
    smtp->waiting_count++;
    return job;
}

void pool_add_again(struct smtp *smtp, struct job *job)
{
    job->again++;
    job->behind = job->faulty = false;
    job->end = job->handed_over_at_ms = 0;
    job->next = smtp->waiting;
    if (!smtp->waiting)
        smtp->waiting_end = &job->next;
    smtp->waiting = job;
    smtp->waiting_count++;
}

static struct job *take(struct smtp *smtp)
{
    struct job *job = smtp->waiting;

    smtp->waiting = job->next;
    if (!smtp->waiting)
        smtp->waiting_end = &smtp->waiting;
    smtp->waiting_count--;
    job->next = NULL;
    return job;
}

void pool_return_waiting(struct smtp *smtp, const char *text)
{
    while (smtp->waiting)
        job_return(smtp, take(smtp), text);
}

void pool_call_back(struct smtp *smtp, const struct notifier_delivery *delivery)
{
    for (struct job **at = &smtp->waiting; *at; at = &(*at)->next) {
        struct job *job = *at;
        if (job->delivery != delivery)
            continue;
        *at = job->next;
        if (smtp->waiting_end == &job->next)
            smtp->waiting_end = at;
        smtp->waiting_count--;
        job_return(smtp, job, "called back");
        return;
    }
}

void pool_trouble(struct smtp *smtp, const char *text, bool needs_person)
{
    smtp->broken = true;
    smtp->hopeless |= needs_person;
    smtp_window_died(&smtp->window);
    pool_return_waiting(smtp, text);
    smtp->host->trouble(smtp->host, text, needs_person);
}

/* For the next channel of this process: how patient to be with that host, and whether it is so now. */
static void remember_stream(struct smtp *smtp)
{
    char what[32];

    snprintf(what, sizeof what, "%s %u", smtp->stream.broken ? "broken" : "well", smtp->stream.patience);
    smtp->host->remember(smtp->host, smtp->url, what);
}

void pool_recall_stream(struct smtp *smtp)
{
    const char *what = smtp->host->recall(smtp->host, smtp->url);

    smtp->stream.broken = what && strncmp(what, "broken", 6) == 0;
    if (!what)
        return;
    smtp->stream.patience = (unsigned)strtoul(strchr(what, ' '), NULL, 10);
    smtp->stream.breaks = smtp->stream.broken ? SMTP_BREAKS_MAX : SMTP_BREAKS_MAX - 1;
}

void pool_went_well(struct smtp *smtp)
{
    if (!smtp_stream_went_well(&smtp->stream))
        return;
    remember_stream(smtp);
    smtp->host->log(smtp->host, 5, "event=stream_tried_again text=\"%u messages went well one by one\"",
                    smtp->stream.patience);
}

void pool_broke_stream(struct conn *conn)
{
    struct smtp *smtp = conn->smtp;

    if (!smtp_stream_broke(&smtp->stream, conn))
        return;
    remember_stream(smtp);
    smtp->host->log(
        smtp->host, 4, "event=stream_broken pipelining=message text=\"%s\"",
        "this server does not take an envelope behind a body: each message waits for the answer to the last");
}

/* ---- opening ---- */

void smtp_read_capabilities(const char *text, bool *pipelining, int64_t *size_limit)
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

static void well(struct smtp *smtp)
{
    if (!smtp->broken || smtp->hopeless)
        return;
    smtp->broken = false;
    smtp->host->well(smtp->host);
}

static void on_opened(void *ctx, const char *capabilities)
{
    struct conn *conn = ctx;
    struct smtp *smtp = conn->smtp;

    smtp->connecting--;
    smtp->open++;
    conn->open = true;
    conn->opened_at_ms = smtp->host->mono_ms(smtp->host);
    smtp_window_opened(&smtp->window, smtp->open, smtp->connecting);
    smtp_read_capabilities(capabilities, &conn->pipelining, &conn->size_limit);
    conn_settle(conn);
    well(smtp);
    pool_drain(smtp);
}

/* For a quoted value of a line of the log. */
static void log_failure(struct smtp *smtp, int code, const char *text)
{
    char shown[200];

    snprintf(shown, sizeof shown, "%s", text);
    for (char *c = shown; (c = strpbrk(c, "\"\\"));)
        *c = '\'';
    smtp->host->log(smtp->host, 4, "event=connection_failed code=%d open=%u text=\"%s\"", code, smtp->open, shown);
}

static void on_failed(void *ctx, enum notifier_wire_failure failure, int code, const char *text)
{
    struct conn *conn = ctx;
    struct smtp *smtp = conn->smtp;
    bool needs_person = failure == NOTIFIER_WIRE_WRONG_LOGIN;

    conn_free(conn);
    smtp_window_refused(&smtp->window, smtp->open, smtp_asked_ms(code, text), smtp->host->mono_ms(smtp->host));
    if (needs_person || (smtp->open == 0 && smtp->connecting == 0))
        pool_trouble(smtp, text, needs_person);
    else
        log_failure(smtp, code, text);
    pool_drain(smtp);
}

static const struct notifier_wire_events conn_events = {
    .opened = on_opened,
    .failed = on_failed,
    .received = conn_on_received,
    .written = conn_on_written,
    .closed = conn_on_closed,
};

struct notifier_wire_spec smtp_wire_spec(const struct smtp *smtp)
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

static bool conn_open(struct smtp *smtp)
{
    struct conn *conn = calloc(1, sizeof *conn);
    struct notifier_wire_spec spec = smtp_wire_spec(smtp);
    char error[300];

    if (!conn)
        return false;
    conn->smtp = smtp;
    conn->wire = smtp->host->wire_open(smtp->host, &spec, &conn_events, conn, error, sizeof error);
    if (!conn->wire) {
        free(conn);
        pool_trouble(smtp, error, true);
        return false;
    }
    conn->timer = smtp->host->timer_new(smtp->host, conn_on_timer, conn);
    TAILQ_INSERT_TAIL(&smtp->conns, conn, of_all);
    smtp->connecting++;
    return true;
}

static bool wants_more(const struct smtp *smtp)
{
    if (smtp->stopping || smtp->hopeless || smtp->connecting >= (smtp->broken ? 1 : CONNECTING_MAX))
        return false;
    if (smtp->broken)
        return smtp->try_now;
    return smtp->warm || smtp->waiting_count > smtp->connecting;
}

static void open_more(struct smtp *smtp)
{
    while (smtp->open + smtp->connecting < smtp->connections && wants_more(smtp)) {
        int64_t now_ms = smtp->host->mono_ms(smtp->host);
        int64_t wait_ms = smtp_window_next_at_ms(&smtp->window) - now_ms;
        if (!smtp_window_may_open(&smtp->window, smtp->open, smtp->connecting, now_ms)) {
            if (wait_ms > 0)
                smtp->host->timer_start(smtp->reopen, wait_ms);
            return;
        }
        smtp->try_now = false;
        if (!conn_open(smtp))
            return;
    }
}

void pool_on_reopen(void *ctx)
{
    pool_drain(ctx); /* a timer may ring a little early: then it is set again */
}

/* ---- who gets the next message ---- */

static void begin(struct smtp *smtp, struct conn *conn)
{
    conn_begin(conn, take(smtp));
    conn_settle(conn);
}

static bool feed_idle(struct smtp *smtp)
{
    struct conn *conn = TAILQ_FIRST(&smtp->idle);

    if (!conn || smtp->busy >= smtp->window.limit)
        return false;
    begin(smtp, conn);
    return true;
}

/* An envelope that is answered sends its body and takes the next envelope along in the same write. One for a connection
 * whose body has left alone costs a write of its own, so as many stay behind as there are envelopes to be answered. */
static bool feed_alone(struct smtp *smtp)
{
    struct conn *conn = TAILQ_FIRST(&smtp->alone);

    if (!conn || smtp->waiting_count <= smtp->addressed || !smtp_stream_may(&smtp->stream, conn, true))
        return false;
    begin(smtp, conn);
    return true;
}

/* Starts whatever may start now. Call it after any change, as often as you like. Afterwards, who still waits does so
 * because no connection has room, or because the next one to have room takes them at no cost. */
void pool_drain(struct smtp *smtp)
{
    while (smtp->waiting && (feed_idle(smtp) || feed_alone(smtp)))
        continue;
    open_more(smtp);
}

void pool_feed(struct smtp *smtp, struct conn *conn)
{
    if (smtp->waiting && ((conn->place == CONN_IDLE && smtp->busy < smtp->window.limit) ||
                          (conn->place == CONN_ALONE && smtp_stream_may(&smtp->stream, conn, !conn->unwritten))))
        conn_begin(conn, take(smtp));
}
