/* smtp.c - mail through a relay, over a pool of connections kept open.
 *
 * The host's wire does TLS and log-in; here we speak MAIL, RCPT, DATA. Where the server takes PIPELINING the envelope
 * of the next message travels with the body of the last one: one round trip a message. One recipient a message.
 * What may have been taken and what cannot have been is decided by one number: had the last byte of the final dot been
 * written (handed over) before the connection went away? */
#include "smtp_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    TAILQ_INIT(&smtp->conns);
    TAILQ_INIT(&smtp->idle);
    TAILQ_INIT(&smtp->alone);
    smtp_window_init(&smtp->window, smtp->connections);
    smtp->stream.asked = (enum smtp_pipelining)smtp->pipelining;
    pool_recall_stream(smtp);
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
    smtp->reopen = host->timer_new(host, pool_on_reopen, smtp);
    return 0;
}

/* Never busy: the host's own limits bound what waits here, and it comes back as returned when it has to. */
static enum notifier_answer smtp_send(void *state, struct notifier_delivery *const *batch, size_t count)
{
    static const struct notifier_result no_memory = {.fate = NOTIFIER_RETURNED, .text = "out of memory"};
    struct smtp *smtp = state;

    for (size_t i = 0; i < count; i++) {
        struct job *job = pool_add(smtp);
        if (job)
            job->delivery = batch[i];
        else
            smtp->host->finish(smtp->host, batch[i], &no_memory);
    }
    if (smtp->broken || smtp->stopping)
        pool_return_waiting(smtp, "not connected");
    pool_drain(smtp);
    return NOTIFIER_STARTED;
}

static void smtp_call_back(void *state, struct notifier_delivery *delivery)
{
    pool_call_back(state, delivery);
}

static void smtp_warm(void *state)
{
    struct smtp *smtp = state;

    smtp_window_hurry(&smtp->window);
    if (!smtp->broken) {
        smtp->warm = true;
    } else if (smtp->open > 0) { /* it throttled us: the first message will tell */
        smtp->broken = false;
        smtp->host->well(smtp->host);
    } else {
        smtp->hopeless = false; /* the host asks only when a try is wanted: after a while, or by a person */
        smtp->try_now = true;
    }
    pool_drain(smtp);
}

static void smtp_rest(void *state)
{
    struct smtp *smtp = state;

    smtp->warm = false;
    while (!TAILQ_EMPTY(&smtp->idle))
        conn_quit(TAILQ_FIRST(&smtp->idle));
    pool_drain(smtp);
}

static void smtp_stop(void *state, bool at_once)
{
    struct smtp *smtp = state;

    smtp->stopping = true;
    smtp->warm = false;
    pool_return_waiting(smtp, "stopping");
    while (at_once && !TAILQ_EMPTY(&smtp->conns)) {
        struct conn *conn = TAILQ_FIRST(&smtp->conns);
        struct job *envelope = conn->envelope;
        conn->envelope = NULL;
        if (envelope)
            job_return(smtp, envelope, "stopping");
        conn_note_written(conn);
        conn_lose(conn, 0, "stopped before the answer came");
    }
    while (!TAILQ_EMPTY(&smtp->idle))
        conn_quit(TAILQ_FIRST(&smtp->idle));
}

static int64_t smtp_most(const void *state)
{
    const struct smtp *smtp = state;
    return 2 * smtp->connections; /* one with its body out, one with its envelope, on each */
}

static void smtp_close(void *state)
{
    struct smtp *smtp = state;

    while (!TAILQ_EMPTY(&smtp->conns))
        conn_free(TAILQ_FIRST(&smtp->conns));
    for (struct job *job = smtp->spare, *next; job; job = next) {
        next = job->next;
        free(job);
    }
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

static const char *pipelining_said(const struct smtp_stream *stream)
{
    if (stream->asked == SMTP_MESSAGE)
        return "by message";
    if (stream->asked == SMTP_STREAM)
        return "as a stream";
    return stream->broken ? "by message (this server broke a stream)" : "as a stream unless it breaks";
}

static void on_probe_opened(void *ctx, const char *capabilities)
{
    struct smtp *smtp = ctx;
    char text[400], size[64] = "";
    bool pipelining;
    int64_t size_limit;

    smtp_read_capabilities(capabilities, &pipelining, &size_limit);
    if (size_limit > 0)
        snprintf(size, sizeof size, ", messages up to %lld bytes", (long long)size_limit);
    snprintf(text, sizeof text, "%s answers, %s, %s, pipelining %s%s", smtp->url,
             smtp->tls == 1 ? "without TLS" : "TLS verified", smtp->username[0] ? "logged in" : "no log-in",
             pipelining ? pipelining_said(&smtp->stream) : "no", size);
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
    struct notifier_wire_spec spec = smtp_wire_spec(smtp);
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
static const char *const pipelining_words[] = {"auto", "message", "stream", NULL}; /* enum smtp_pipelining */

static const struct notifier_option options[] = {
    {"url", NOTIFIER_TEXT, offsetof(struct smtp, url), .required = true},
    {"tls", NOTIFIER_WORD, offsetof(struct smtp, tls), .fallback = "required", .words = tls_words},
    {"ca_file", NOTIFIER_PATH, offsetof(struct smtp, ca_file)},
    {"username", NOTIFIER_TEXT, offsetof(struct smtp, username), .fallback = ""},
    {"password", NOTIFIER_SECRET, offsetof(struct smtp, password)},
    {"pipelining", NOTIFIER_WORD, offsetof(struct smtp, pipelining), .fallback = "auto", .words = pipelining_words},
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
    .batch_max = BATCH_MAX,
    .flags = NOTIFIER_TAKES_RAW,
    .open = smtp_open,
    .send = smtp_send,
    .close = smtp_close,
    .stop = smtp_stop,
    .call_back = smtp_call_back,
    .warm = smtp_warm,
    .rest = smtp_rest,
    .window = smtp_most,
    .local = smtp_local,
    .probe = smtp_probe,
};
