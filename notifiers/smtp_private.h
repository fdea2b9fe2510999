/* smtp_private.h - what the files of the SMTP notifier share: smtp_conn.c (one connection: what is said on it and what
 * becomes of its messages), smtp_pool.c (how many there are, and who gets the next message) and smtp.c (the notifier).
 */
#ifndef ONSALE_SMTP_PRIVATE_H
#define ONSALE_SMTP_PRIVATE_H

#include "smtp_reply.h"
#include "smtp_stream.h"
#include "smtp_window.h"

#include <sys/queue.h>

enum {
    CONNECTING_MAX = 4, /* at a time: TLS handshakes must not crowd the loop */
    BATCH_MAX = 256,
    EXPECT_MAX = 8,
    QUIT_WAIT_MS = 1000,
    AGAIN_MAX = 10,
    LIVED_MS = 5000, /* an idle connection that lived so long ended as they do */
};

struct job { /* one delivery in our hands */
    struct notifier_delivery *delivery;
    struct job *next;
    int again;   /* how often it went back to the queue because its connection ended */
    bool behind; /* its envelope was sent behind a body, and MAIL is not answered yet */
    bool faulty;
    enum smtp_stage fault_stage;
    struct smtp_reply fault; /* the first refusal of its envelope */
    int64_t end;             /* of the final dot, in the connection's stream; 0: not queued yet */
    int64_t handed_over_at_ms;
};

enum expect { EXPECT_MAIL, EXPECT_RCPT, EXPECT_DATA, EXPECT_DOT, EXPECT_NO_DOT, EXPECT_RSET, EXPECT_NOOP, EXPECT_QUIT };

/* What a connection could take next decides where it stands. */
enum conn_place {
    CONN_ELSEWHERE, /* being set up, leaving, or as full as it can be */
    CONN_IDLE,      /* a message at once */
    CONN_ALONE,     /* an envelope beside its unanswered body */
};

struct smtp;
struct conn {
    struct smtp *smtp;
    TAILQ_ENTRY(conn) of_all, of_place;
    enum conn_place place;
    struct notifier_wire *wire;
    struct notifier_timer *timer;
    bool open, pipelining, must_reset, leaving;
    bool busy, addressed;  /* as the pool counts it */
    bool unwritten, moved; /* conn_settle() has to flush; has to set the deadline */
    int64_t size_limit;    /* 0: none told */
    int64_t begun, accepted;
    int64_t opened_at_ms; /* monotonic */
    struct smtp_parser parser;
    enum expect expect[EXPECT_MAX]; /* answers owed to us, oldest first */
    unsigned expected;
    struct job *envelope;             /* MAIL, RCPT, DATA sent or being sent */
    struct job *body;                 /* body queued, answer to the dot not here yet */
    int64_t deadline_ms, rings_at_ms; /* monotonic: the timer may ring too early, never too late */
};
TAILQ_HEAD(conns, conn);

struct smtp {
    /* options */
    const char *url, *username, *password, *ca_file;
    int tls, pipelining;
    int64_t connections, messages_per_connection;
    int64_t connect_timeout_ms, command_timeout_ms, answer_timeout_ms, keep_alive_ms;

    const struct notifier_host *host;
    struct conns conns, idle, alone;
    unsigned open, connecting;
    unsigned busy;      /* connections with a message on them, */
    unsigned addressed; /* ... and with an envelope that is not answered: a body will follow */
    struct smtp_window window;
    struct smtp_stream stream;
    struct job *waiting, **waiting_end, *spare;
    unsigned waiting_count;
    bool warm, stopping;
    bool broken; /* in trouble: only warm() makes us try again, once */
    bool try_now;
    bool hopeless; /* ... and not even that */
    struct notifier_timer *reopen;
    struct notifier_wire *probe;
    void (*probe_done)(void *ctx, bool fine, const char *text);
    void *probe_ctx;
};

/* smtp_conn.c */
void job_return(struct smtp *smtp, struct job *job, const char *text);
void conn_begin(struct conn *conn, struct job *job); /* it stands in CONN_IDLE or CONN_ALONE; conn_settle() is owed */
void conn_settle(struct conn *conn); /* what was said leaves, and the connection stands where it belongs */
void conn_note_written(struct conn *conn);
void conn_quit(struct conn *conn);
void conn_lose(struct conn *conn, int code, const char *why);
void conn_free(struct conn *conn);
void conn_on_received(void *ctx, const char *bytes, size_t len);
void conn_on_written(void *ctx);
void conn_on_closed(void *ctx, const char *why);
void conn_on_timer(void *ctx);

/* smtp_pool.c */
void pool_drain(struct smtp *smtp);                      /* starts whatever may start now */
void pool_feed(struct smtp *smtp, struct conn *conn);    /* ... when only this connection got room */
struct job *pool_add(struct smtp *smtp);                 /* an empty job at the end of the queue; NULL: no memory */
void pool_add_again(struct smtp *smtp, struct job *job); /* back to its head */
void pool_drop(struct smtp *smtp, struct job *job);      /* for the next delivery */
void pool_return_waiting(struct smtp *smtp, const char *text);
void pool_call_back(struct smtp *smtp, const struct notifier_delivery *delivery); /* if it waits */
void pool_trouble(struct smtp *smtp, const char *text, bool needs_person);
void pool_broke_stream(struct conn *conn);
void pool_recall_stream(struct smtp *smtp); /* what is known of the host */
void pool_went_well(struct smtp *smtp);     /* a message was accepted */
void pool_on_reopen(void *ctx);
struct notifier_wire_spec smtp_wire_spec(const struct smtp *smtp);
void smtp_read_capabilities(const char *text, bool *pipelining, int64_t *size_limit);

#endif
