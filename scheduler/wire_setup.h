/* wire_setup.h - a connection in the making: what libcurl is told to do, what the server says meanwhile, and why
 * nothing came of it. For wire.c, which owns the handle and the connection. Loop thread. */
#ifndef ONSALE_WIRE_SETUP_H
#define ONSALE_WIRE_SETUP_H

#include "wire.h"

#include <curl/curl.h>

struct wire_setup;

struct wire_fault { /* as wire_events.failed() tells it */
    enum wire_failure failure;
    int code;       /* the server's, 0: none */
    char text[640]; /* longer than what libcurl or a server can say */
};

/* Tells the handle all but its owner. The handle is borrowed and writes here as long as it lives: it goes first. NULL:
 * ERROR_CONFIG with what is wrong in the spec. */
struct wire_setup *wire_setup_new(CURL *easy, const struct wire_spec *spec, struct error *err);
void wire_setup_free(struct wire_setup *setup); /* NULL is fine */

/* Whether there is a connection to be used, when libcurl has ended with `code`: it goes on without a word when the
 * server offers no log-in, and we do not. */
bool wire_setup_worked(const struct wire_setup *setup, CURLcode code);
/* Of the last EHLO answer: lines separated by \n, codes removed. NULL: more than anybody says. Ours. */
const char *wire_setup_capabilities(const struct wire_setup *setup);
/* Why not. */
struct wire_fault wire_setup_fault(const struct wire_setup *setup, CURLcode code);

#endif
