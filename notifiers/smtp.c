/* smtp.c - mail through a relay, over a pool of connections kept open.
 *
 * The host's wire does TLS and log-in; here we speak MAIL, RCPT, DATA. Where the server takes PIPELINING the envelope
 * of the next message travels with the body of the last one: one round trip a message. One recipient a message.
 * What may have been taken and what cannot have been is decided by one number: had the last byte of the final dot been
 * written (handed over) before the connection went away? */
#include "smtp_private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the pool ---- */

static struct job *smtp_waiting_pop(struct smtp *smtp)
{
    struct job *job = smtp->waiting;

    smtp->waiting = job->next;
    if (!smtp->waiting)
        smtp->waiting_end = &smtp->waiting;
    smtp->waiting_count--;
    job->next = NULL;
    return job;
}

void smtp_return_waiting(struct smtp *smtp, const char *text)
{
    while (smtp->waiting)
        job_return(smtp, smtp_waiting_pop(smtp), text);
}

void smtp_trouble(struct smtp *smtp, const char *text, bool needs_person)
{
    smtp->broken = true;
    smtp->hopeless |= needs_person;
    smtp_return_waiting(smtp, text);
    smtp->busy = false;
    smtp->host->trouble(smtp->host, text, needs_person);
}

void smtp_back_off(struct smtp *smtp)
{
    if (smtp->host->mono_ms(smtp->host) < smtp->reopen_at_ms)
        return; /* several ended together: one failure */
    smtp->backoff_ms = smtp->backoff_ms ? smtp->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (smtp->backoff_ms > BACKOFF_MAX_MS)
        smtp->backoff_ms = BACKOFF_MAX_MS;
    smtp->reopen_at_ms = smtp->host->mono_ms(smtp->host) + smtp->backoff_ms;
    smtp->host->timer_start(smtp->reopen, smtp->backoff_ms);
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
    smtp_back_off(smtp);
    if (needs_person || (smtp->open == 0 && smtp->connecting == 0))
        smtp_trouble(smtp, text, needs_person);
    else
        smtp->host->log(smtp->host, 4, "event=connection_failed code=%d open=%u", code, smtp->open);
    smtp_drain(smtp);
}

static const struct notifier_wire_events conn_events = {
    .opened = on_opened,
    .failed = on_failed,
    .received = conn_on_received,
    .written = conn_on_written,
    .closed = conn_on_closed,
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
        smtp_trouble(smtp, error, true);
        return;
    }
    conn->timer = smtp->host->timer_new(smtp->host, conn_on_timer, conn);
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
            conn_begin(conn, smtp_waiting_pop(smtp));
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

/* Asks for more when there is room again. */
static bool ask(struct smtp *smtp)
{
    if (!smtp->busy || smtp->waiting_count >= smtp->connections || smtp->broken || smtp->stopping)
        return false;
    smtp->busy = false;
    smtp->host->ready(smtp->host); /* may send() */
    return true;
}

static void settle(struct smtp *smtp, struct conn *conn)
{
    if (conn_idle(conn) && (conn_spent(conn) || smtp->stopping))
        conn_quit(conn);
    if (conn->unwritten)
        conn_flush(conn);
}

/* Starts whatever may start now. Call it after any change, as often as you like. Afterwards, who still waits does so
 * because no connection has room. */
void smtp_drain(struct smtp *smtp)
{
    if (smtp->draining)
        return;
    smtp->draining = true;
    do {
        hand_out(smtp, false);
        hand_out(smtp, true);
    } while (ask(smtp));
    for (struct conn *conn = smtp->conns; conn; conn = conn->next)
        settle(smtp, conn);
    open_more(smtp);
    smtp->draining = false;
}

void smtp_drain_one(struct smtp *smtp, struct conn *conn)
{
    if (smtp->busy && !smtp->waiting) { /* what comes now may find others idle */
        smtp_drain(smtp);
        return;
    }
    if (smtp->draining)
        return;
    smtp->draining = true;
    do {
        while (smtp->waiting && conn_may_begin(conn, true))
            conn_begin(conn, smtp_waiting_pop(smtp));
    } while (ask(smtp));
    settle(smtp, conn);
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
    bool full = smtp->waiting;
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
        smtp_return_waiting(smtp, "not connected");
    if (!full)
        smtp_drain(smtp);
    else if (!smtp->draining)
        open_more(smtp);
    return NOTIFIER_STARTED;
}

static void smtp_warm(void *state)
{
    struct smtp *smtp = state;

    if (smtp->broken) {
        smtp->hopeless = false; /* the host asks only when a try is wanted: after a while, or by a person */
        smtp->try_now = true;
    } else {
        smtp->warm = true;
    }
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
    smtp_return_waiting(smtp, "stopping");
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
