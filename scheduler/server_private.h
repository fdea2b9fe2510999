/* server_private.h - inside the HTTP server: its listeners, and a request from its first byte to its end. Loop thread.
 */
#ifndef ONSALE_SERVER_PRIVATE_H
#define ONSALE_SERVER_PRIVATE_H

#include "server.h"
#include "target.h"
#include "visitors.h"

#include <microhttpd.h>

#define SERVER_METHODS "GET, HEAD, POST, OPTIONS"

enum { SERVER_BODY_MAX = 64 * 1024, SERVER_STREAM_MAX = 256 * 1024, SERVER_UNIX_CONNECTIONS = 1024 + 128 };

/* One socket that listens, with a libmicrohttpd of its own. */
struct listener {
    struct server *server;
    int fd;
    bool is_unix;
    char *path; /* of a socket file that we made, or NULL; unlinked at the end */
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
    int64_t budget_us, paid_at_us; /* of work; below zero it rests */
    bool resting;
};

/* One connection. */
struct server_client {
    struct listener *listener;
    int fd;
    struct origin origin; /* who connected; all zeros (of IPv4) by a unix socket */
    enum client_phase {
        CLIENT_ASKS,    /* its request is not complete; counted from its connection or from its last answer */
        CLIENT_WAITS,   /* for the handler */
        CLIENT_TAKES,   /* its answer */
        CLIENT_LISTENS, /* to a stream, or takes a file: may take long */
    } phase;
    int64_t since_ms;               /* by the loop's clock */
    int64_t take_ms;                /* the answer's time */
    struct server_request *request; /* NULL between two */
    struct server_client *before, *next;
};

struct server {
    uv_loop_t *loop;
    struct log *log;
    struct metrics *metrics;
    server_handler_fn *handler;
    bool (*charges)(void *ctx, const char *path);    /* or NULL */
    size_t (*body_max)(void *ctx, const char *path); /* or NULL */
    bool (*calm)(void *ctx);                         /* or NULL */
    void *ctx;
    struct listener **listeners;
    size_t listener_count;
    unsigned handles; /* not yet closed */
    bool closing;
    struct server_request *requests;
    struct server_client *clients;
    uv_timer_t look;               /* for slow ones, while there are clients */
    size_t tcp_count, connections; /* over TCP: how many there are, and may be */
    size_t answers;                /* bytes of answers to strangers that are not yet taken */
    int64_t ask_ms;
    const struct origin_net *proxies;
    size_t proxy_count;
    struct visitors *visitors; /* NULL: they may ask as often as they like */
};

struct server_request {
    struct listener *listener;
    struct MHD_Connection *connection;
    struct server_client *client;
    struct server_request *before, *next; /* in server->requests */
    char *raw_target;                     /* as it stood in the request line */
    struct target target;
    struct buf body;
    size_t received; /* of the body */
    struct server_call call;
    struct origin from; /* the client, behind proxies */
    char who[64];
    const char *route; /* as it is counted */
    uint64_t began_ns; /* its first line was there */
    bool begun;        /* its header is read */
    bool suspended;
    bool handled; /* the handler has it, or had it */
    bool answered;
    unsigned status;               /* of the answer */
    struct MHD_Response *response; /* the answer until it is queued */
    struct server_stream *stream;  /* what the answer reads from, or NULL */
    struct server_page *page;      /* ... which is this one's: held, and not the request's own */
    size_t size;                   /* of the answer's body */
    size_t counted;                /* of that, in server->answers */
    bool takes_long;               /* a stream or a file */
    bool last;                     /* the connection is closed behind the answer */
};

/* --- server.c --- */
int server_request_fd(const struct server_request *request); /* of its connection; -1 none */
void server_request_resume(struct server_request *request);  /* when suspended */

/* --- server_form.c --- */
/* What can be said against a request by its header alone: 0, or the status to refuse with. Fills request->target. */
int server_form_check(struct server_request *request, const char *method, const char *version, struct error *err);

void server_form_too_large(const struct server_request *request, struct error *err); /* says so */

/* --- server_client.c --- */
enum MHD_Result server_client_accept(void *listener, const struct sockaddr *address, socklen_t size);
void server_client_notify(void *listener, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what);
void server_client_phase(struct server_client *client, enum client_phase phase);
void server_client_name(struct server_request *request); /* who asks: `from`, `who`, `call.local` */
/* Who comes by a proxy has begun more requests than one address may have connections. */
bool server_client_crowds(const struct server_request *request);

/* --- server_reply.c --- */
/* Takes `response`; NULL when memory is gone. */
void server_respond(struct server_request *request, int status, struct MHD_Response *response,
                    const struct server_field *fields, size_t field_count);
/* `response` is request->page's, with all its fields. */
void server_respond_shared(struct server_request *request, int status, struct MHD_Response *response);
void server_add_fields(struct MHD_Response *response, const struct server_field *fields, size_t count, bool with_usual);

/* --- server_stream.c --- */
/* The request has ended, or must end now. */
void server_stream_forget(struct server_stream *stream);
/* Nothing is written to it any more; what was is on its way. */
bool server_stream_ended(const struct server_stream *stream);

/* --- server_listen.c --- */
/* Opens what `at` names: one listener with its socket, or two for localhost. Returned ones are the caller's. */
int server_listen(const char *at, struct listener **out, size_t max, size_t *count, struct error *err);
/* One that was handed over, and must listen already. */
int server_listen_handed(int fd, struct listener **out, struct error *err);
void listener_close(struct listener *listener); /* its socket and its file; twice is fine */

#endif
