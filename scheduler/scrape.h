/* scrape.h - GET /metrics, as Prometheus asks for it: text format 0.0.4, made from memory. Loop thread. */
#ifndef ONSALE_SCRAPE_H
#define ONSALE_SCRAPE_H

#include "auth.h"
#include "server.h"
#include "world.h"

struct scrape {
    const struct world *world;
    const struct server *server; /* who is there */
    struct auth *auth;
    bool open; /* to everybody who reaches the socket; else to who has a token of scope metrics, read or control */
};
void scrape_handle(const struct scrape *scrape, struct server_request *request, const struct server_call *call);

#endif
