/* client_events.h - the running daemon's events, one after another (events.h), for a command that watches. Blocking. */
#ifndef ONSALE_CLIENT_EVENTS_H
#define ONSALE_CLIENT_EVENTS_H

#include "client.h"

struct client_events;

struct client_event {
    const char *id, *type; /* gone with the next one */
    json_t *data;          /* yours */
};

struct client_events *client_events_new(void);
void client_events_free(struct client_events *events);

/* Begins, or goes on behind the last event that was read. `query`: "notice=17" or "". 1: no daemon runs; -1: why not.
 */
int client_events_open(struct client_events *events, const struct client *client, const char *query, struct error *err);

enum client_next { CLIENT_EVENT, CLIENT_OVER, CLIENT_WOKEN };
/* Waits for the next event, until the stream is over (open it again), or until `wake_fd` can be read. */
enum client_next client_events_next(struct client_events *events, int wake_fd, struct client_event *out);

#endif
