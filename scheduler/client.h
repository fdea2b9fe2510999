/* client.h - how a command reaches what is known: the running daemon by its unix socket, else the store, read only. */
#ifndef ONSALE_CLIENT_H
#define ONSALE_CLIENT_H

#include "settings.h"
#include "store/store.h"

#include <jansson.h>

struct client {
    struct settings *settings;
    const char *socket;  /* path, or NULL when none is configured */
    struct store *store; /* opened by client_store(), or by the first report that no daemon answered */
    int64_t timeout_ms;  /* how long to wait for an answer; client_open() sets what an audit may take */
};

/* Reads the configuration; its problems go to stderr. -1: ERROR_CONFIG. */
int client_open(struct client *client, const char *config_path, struct error *err);
/* Without one: the daemon's usual socket, and no store. For questions that a daemon alone answers. */
void client_open_usual(struct client *client);
void client_close(struct client *client);

/* A connection to the daemon; *out is yours. 1: no daemon runs (nothing in `err`). */
int client_connect(const struct client *client, int *out, struct error *err);
/* Asks the daemon. 1: no daemon runs (nothing in `err`); -1: it refused or failed; 0: *answer is yours. */
int client_ask(const struct client *client, const char *method, const char *path, const json_t *body, json_t **answer,
               struct error *err);
/* ... for who needs one: what to do. */
int client_no_daemon(const struct client *client, struct error *err);
/* A file that the daemon sends goes to `fd` as it comes; `path` begins with '/'. Returns as client_ask() does; with
 * `refused` (NULL is fine) set the failure is an answer, and nothing was written. */
int client_download(const struct client *client, const char *path, int fd, bool *refused, struct error *err);
/* The daemon, or without one the store. Listings come whole, in the order of their times. */
int client_report(struct client *client, const struct store_report *report, json_t **answer, struct error *err);
/* A listing a page at a time, so that a million rows need no more memory than a thousand. `what` is moved on. */
typedef void client_rows_fn(void *ctx, const json_t *rows);
int client_list(struct client *client, struct store_report *what, client_rows_fn *each, void *ctx, struct error *err);
/* The store, opened for reading when it was not yet; NULL with `err`. The client's. */
struct store *client_store(struct client *client, struct error *err);
int client_keys(const struct store *store, struct crypt_keys *keys, struct error *err);

#endif
