/* server_private.h - inside the HTTP server: its listeners, and a request from its first byte to its end. Loop thread.
 */
#ifndef ONSALE_SERVER_PRIVATE_H
#define ONSALE_SERVER_PRIVATE_H

#include "server.h"

#include <microhttpd.h>

enum { SERVER_BODY_MAX = 64 * 1024, SERVER_STREAM_MAX = 256 * 1024 };

/* One socket that listens, with a libmicrohttpd of its own. */
struct listener {
    struct server *server;
    int fd;
    bool is_unix;
    char *path; /* of a socket file that we made, or NULL; unlinked at the end */
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timer;
};

struct server {
    uv_loop_t *loop;
    struct log *log;
    server_handler_fn *handler;
    void *ctx;
    struct listener **listeners;
    size_t listener_count;
    unsigned handles; /* not yet closed */
    bool closing;
    struct server_request *requests;
};

struct server_request {
    struct listener *listener;
    struct MHD_Connection *connection;
    struct server_request *next; /* in server->requests */
    struct buf body;
    struct server_call call;
    char who[64];
    bool suspended;
    bool handled; /* the handler has it, or had it */
    bool answered;
    unsigned status;               /* of the answer */
    struct MHD_Response *response; /* the answer until it is queued */
    struct server_stream *stream;  /* what the answer reads from, or NULL */
};

/* --- server.c --- */
int server_request_fd(const struct server_request *request); /* of its connection; -1 none */
void server_request_resume(struct server_request *request);  /* when suspended */

/* --- server_reply.c --- */
/* Takes `response`; NULL when memory is gone. */
void server_respond(struct server_request *request, int status, struct MHD_Response *response,
                    const struct server_field *fields, size_t field_count);

/* --- server_stream.c --- */
/* The request has ended, or must end now. */
void server_stream_forget(struct server_stream *stream);
void server_stream_drop(struct server_stream *stream);

/* --- server_listen.c --- */
/* Opens what `at` names: one listener with its socket, or two for localhost. Returned ones are the caller's. */
int server_listen(const char *at, struct listener **out, size_t max, size_t *count, struct error *err);
void listener_close(struct listener *listener); /* its socket and its file; twice is fine */

#endif
