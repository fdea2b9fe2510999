/* server.h - the HTTP server (libmicrohttpd in the loop). Today it listens on one unix socket, for the command line:
 * who connects must be root, the daemon's user or in its group (SO_PEERCRED). Loop thread. */
#ifndef ONSALE_SERVER_H
#define ONSALE_SERVER_H

#include "log.h"

#include <jansson.h>
#include <uv.h>

struct server;
struct server_request; /* one request waiting for its answer */

/* Called once per request, when its whole body is there. Exactly one server_answer() must follow, now or later. `body`
 * is NULL when none was sent; it is borrowed until the answer. */
typedef void server_handler_fn(void *ctx, struct server_request *request, const char *method, const char *path,
                               json_t *body);

/* A query parameter of the request, or NULL; borrowed until the answer. */
const char *server_query(struct server_request *request, const char *name);
/* Who asks: "root", "uid 1000"; borrowed until the answer. */
const char *server_who(const struct server_request *request);
/* Steals `body`. */
void server_answer(struct server_request *request, int status, json_t *body);
/* problem details (RFC 9457): {"type", "title", "status", "detail"} */
void server_refuse(struct server_request *request, int status, const char *detail);

/* `listen`: "unix:/run/onsale/onsale.sock". A dead socket file in the way is replaced, a living one is an error. */
struct server *server_new(uv_loop_t *loop, const char *listen, struct log *log, server_handler_fn *handler, void *ctx,
                          struct error *err);
/* Requests that wait are answered with 503 first. */
void server_close(struct server *server);

#endif
