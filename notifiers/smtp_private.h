/* smtp_private.h - what the two halves of the SMTP notifier share: smtp_conn.c (one connection: what is said on it and
 * what becomes of its messages) and smtp.c (the pool of them, and the notifier). */
#ifndef ONSALE_SMTP_PRIVATE_H
#define ONSALE_SMTP_PRIVATE_H

#include "smtp_reply.h"

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

/* smtp_conn.c */
void job_return(struct smtp *smtp, struct job *job, const char *text);
void conn_begin(struct conn *conn, struct job *job);
bool conn_may_begin(const struct conn *conn, bool beside); /* `beside`: while the last answer is on its way */
bool conn_idle(const struct conn *conn);
bool conn_spent(const struct conn *conn);
void conn_flush(struct conn *conn);
void conn_note_written(struct conn *conn);
void conn_quit(struct conn *conn);
void conn_set_deadline(struct conn *conn);
void conn_lose(struct conn *conn, int code, const char *why);
void conn_free(struct conn *conn);
void conn_on_received(void *ctx, const char *bytes, size_t len);
void conn_on_written(void *ctx);
void conn_on_closed(void *ctx, const char *why);
void conn_on_timer(void *ctx);

/* smtp.c */
void smtp_drain(struct smtp *smtp);                        /* starts whatever may start now */
void smtp_drain_one(struct smtp *smtp, struct conn *conn); /* ... when only this connection got room */
void smtp_return_waiting(struct smtp *smtp, const char *text);
void smtp_trouble(struct smtp *smtp, const char *text, bool needs_person);
void smtp_back_off(struct smtp *smtp);

#endif
