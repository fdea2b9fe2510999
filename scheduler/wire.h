/* wire.h - long-lived connections for a protocol of lines. libcurl does look-up, TLS, STARTTLS, EHLO and AUTH
 * (CURLOPT_CONNECT_ONLY); from `opened` on the bytes are the owner's. Loop thread. */
#ifndef ONSALE_WIRE_H
#define ONSALE_WIRE_H

#include "text.h"

#include <uv.h>

struct wires; /* what all connections of a loop share */
struct wire;  /* one connection; its owner's until wire_close() */

struct wire_spec {                   /* copied */
    const char *url;                 /* smtp://HOST:PORT/EHLONAME or smtps:// */
    const char *username, *password; /* NULL or "": no AUTH. Then a connection without a 235 never opens */
    bool plain;                      /* no TLS: refused unless the host is loopback */
    const char *ca_file;             /* PEM; NULL or "": the system's */
    int64_t connect_timeout_ms;      /* of the whole set-up; 0: 30 s */
};

/* Named after what the owner can do about it. */
enum wire_failure {
    WIRE_UNREACHABLE, /* no such host, refused, timed out, dropped: later */
    WIRE_UNWELCOME,   /* the greeting or EHLO said no: code and text */
    WIRE_NO_TLS,      /* STARTTLS not offered, or a certificate that does not verify */
    WIRE_NO_LOGIN,    /* AUTH refused for now (4xx) */
    WIRE_WRONG_LOGIN, /* AUTH refused, or not offered although there are credentials */
};

/* Always from the loop, never from inside wire_open() or wire_flush(). Exactly one of opened and failed comes first;
 * nothing after failed, closed or wire_close(), which may be called inside any of them and is owed after all. */
struct wire_events {
    void (*opened)(void *ctx, const char *capabilities); /* last EHLO answer: lines separated by \n, codes removed */
    void (*failed)(void *ctx, enum wire_failure failure, int code, const char *text);
    void (*received)(void *ctx, struct text bytes);
    void (*written)(void *ctx); /* everything queued is out, after a wire_flush() that said false */
    void (*closed)(void *ctx, const char *why);
};

struct wires *wires_new(uv_loop_t *loop, struct error *err);
/* Every wire must be closed by then. Frees itself: run the loop until it is empty. NULL is fine. */
void wires_close(struct wires *wires);

/* What was learned about other sides, by a name such as an address; as long as the wires live. Copied. */
void wires_remember(struct wires *wires, const char *name, const char *what);
const char *wires_recall(const struct wires *wires, const char *name); /* NULL: nothing; gone with the next remember */

/* NULL: ERROR_CONFIG with what is wrong in the spec. `events` is borrowed and outlives the wire. */
struct wire *wire_open(struct wires *wires, const struct wire_spec *spec, const struct wire_events *events, void *ctx,
                       struct error *err);
void wire_write(struct wire *wire, struct text bytes); /* queues a copy; only once it is open */
bool wire_flush(struct wire *wire);                    /* true: everything queued is out */
/* Bytes since opened. `sent` counts what the other side can read: never too little, and no more than was written. */
int64_t wire_queued(const struct wire *wire);
int64_t wire_sent(const struct wire *wire);
void wire_close(struct wire *wire); /* at once, without a word to the other side; NULL is fine */

#endif
