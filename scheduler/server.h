/* server.h - the HTTP server (libmicrohttpd in the loop): listens, reads whole requests, hands each to one handler, and
 * sends answers, files and streams. It knows no routes; doors.c does. Loop thread. */
#ifndef ONSALE_SERVER_H
#define ONSALE_SERVER_H

#include "config.h"
#include "log.h"
#include "metrics.h"
#include "origin.h"

#include <jansson.h>
#include <uv.h>

struct server;
struct server_request; /* one request waiting for its answer */
struct server_stream;  /* an answer without an end */

/* Borrowed until the answer. */
struct server_call {
    const char *method;        /* "GET" also for HEAD */
    const char *path;          /* decoded; begins with '/', no control characters */
    struct text body;          /* whole; at most 64 KiB, or what server_spec.body_max says */
    const char *content_type;  /* "" none */
    bool local;                /* by a unix socket, let in by its credentials: root, our user or our group */
    const char *who;           /* "root", "uid 1000", or the client's address */
    const char *authorization; /* the header, or "" */
};

/* Called once per request, when its whole body is there. Exactly one answer must follow, now or later: one of
 * server_reply(), server_answer(), server_answer_page(), server_refuse(), server_send_file(), server_send_page(),
 * server_stream_open(). */
typedef void server_handler_fn(void *ctx, struct server_request *request, const struct server_call *call);

/* A query parameter or a header field of the request, or NULL; borrowed until the answer. */
const char *server_query(const struct server_request *request, const char *name);
const char *server_header(const struct server_request *request, const char *name);

/* As what it is counted: the door it came to. Not copied. Before the answer; without one it is "". */
void server_route(struct server_request *request, const char *route);

/* --- Answers --- */

struct server_field {
    const char *name, *value;
};
/* Copied. A field replaces what every answer has: Cache-Control no-store, Content-Security-Policy default-src 'none',
 * Referrer-Policy, X-Frame-Options, X-Content-Type-Options. */
struct server_reply {
    int status;
    const char *type; /* NULL: no content */
    struct text body;
    struct server_field fields[8]; /* up to the first without a name */
};
void server_reply(struct server_request *request, const struct server_reply *reply);
void server_answer(struct server_request *request, int status, json_t *body); /* application/json; steals `body` */
/* ... with Link: <next>; rel="next" (RFC 8288); NULL: no further page. */
void server_answer_page(struct server_request *request, int status, json_t *body, const char *next);
/* Problem details (RFC 9457): {"type", "title", "status", "detail"}; the type is about:blank, so the title is the
 * status's own. */
void server_refuse(struct server_request *request, int status, const char *detail);
/* ... with more members (stolen; NULL none) and a header field (NULL none). */
void server_refuse_more(struct server_request *request, int status, const char *detail, json_t *members,
                        const struct server_field *field);
/* A download, called `name`; takes `fd`, a file open at its beginning. */
void server_send_file(struct server_request *request, int fd, const char *type, const char *name);

/* --- Pages: one body that many answers read, without a copy --- */

struct server_page;
struct server_page_spec {
    const char *type;
    struct text plain, gzip;      /* read until `gone`; `gzip` empty: there is no such form */
    const char *etag, *gzip_etag; /* strong, with their quotes */
    int64_t modified_at_ms;       /* MOMENT_NONE: not known */
    const char *cache_control;
    struct server_field fields[4]; /* as of struct server_reply */
    void (*gone)(void *ctx);       /* nobody reads it any more; NULL: it is there for ever */
    void *ctx;
};
struct server_page *server_page_new(const struct server_page_spec *spec);
void server_page_drop(struct server_page *page); /* answers that are under way are finished. NULL is fine */
/* The form that the client takes, or 304 when it has that; the status. Costs no rendering. */
int server_send_page(struct server_request *request, struct server_page *page);

/* --- How often one address may ask, of paths that server_spec.charges names --- */

/* `take`: this was a request; else it is only asked whether there may be one. false: not now, and it is answered. */
bool server_charge(struct server_request *request, bool take);

/* --- Streams (server-sent events): what is written waits in a bounded buffer, and a client that does not read is
 * dropped --- */

/* The client is gone, or was dropped: the stream is no more. Not called after server_stream_end(). */
typedef void server_closed_fn(void *ctx);

struct server_stream *server_stream_open(struct server_request *request, const char *type, server_closed_fn *closed,
                                         void *ctx);
/* false: the client was too slow and is dropped; `closed` will be called, write no more. */
bool server_stream_write(struct server_stream *stream, struct text bytes);
/* Bytes that were written and not yet taken: who writes no more than it knows to fit is never too much for a slow
 * client. */
size_t server_stream_waiting(const struct server_stream *stream);
/* Ends it now, without what waits; `closed` will be called. */
void server_stream_drop(struct server_stream *stream);
/* What was written is still sent; the stream is the server's alone from here on. */
void server_stream_end(struct server_stream *stream);

/* --- The server --- */

enum { SERVER_BODY_LARGEST = 256 * 1024 };

struct server_spec {
    uv_loop_t *loop;
    /* "unix:/run/onsale/onsale.sock", "127.0.0.1:8470", "[::1]:8470", "localhost:8470", "systemd". A dead socket file
     * in the way is replaced, a living one is an error. */
    const char *const *listen;
    size_t listen_count;
    /* What "systemd" means: this many descriptors from handed_first on, which the server takes. */
    int handed_first;
    size_t handed_count;
    size_t connections;               /* over TCP at once, 0: 512; an eighth for one address, a proxy's client too */
    struct config_rate rate;          /* requests of one address; all zeros: no limit. Local callers have none */
    int64_t ask_ms;                   /* how long a client may take for its request; 0: 10 s */
    uint64_t seed;                    /* secret, for the table of addresses */
    const struct origin_net *proxies; /* whose X-Forwarded-For is believed; borrowed. Unix sockets are, always */
    size_t proxy_count;
    struct log *log;
    struct metrics *metrics; /* or NULL; borrowed */
    server_handler_fn *handler;
    /* Whether a request for this path is charged to its address by the handler, with server_charge(), and not before
     * it. NULL: none is. */
    bool (*charges)(void *ctx, const char *path);
    /* How many bytes a body may have for this path, at most SERVER_BODY_LARGEST; 0, and NULL: 64 KiB. All of a body is
     * in memory before the handler sees it. */
    size_t (*body_max)(void *ctx, const char *path);
    /* Whether the loop has nothing to do that may not wait: else a crowd at one socket gets a quarter of its time.
     * NULL: never. */
    bool (*calm)(void *ctx);
    void *ctx;
};
struct server *server_new(const struct server_spec *spec, struct error *err);
/* The handler is not called any more. Requests that wait are answered with 503 first, streams end. Handles are closed
 * in the next turns of the loop. */
void server_close(struct server *server);

/* Who is there now. */
struct server_counts {
    size_t tcp, local; /* connections */
    size_t streams;    /* of them: event streams, and files on their way */
};
void server_count(const struct server *server, struct server_counts *out);

#endif
