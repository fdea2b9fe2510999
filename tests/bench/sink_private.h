/* sink_private.h - what the two halves of the sink share: sink_talk.c (what is said, and what becomes of a message) and
 * sink.c (connections, the delay line, threads). */
#ifndef ONSALE_SINK_PRIVATE_H
#define ONSALE_SINK_PRIVATE_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum { IN_SIZE = 64 * 1024, OUT_SIZE = 32 * 1024, ANSWERS = 256, EVENTS = 256, THREADS_MAX = 64 };
enum {
    MET_BITS = 1 << 26
}; /* recipients that were deferred, by their hash: two in a million share one with 1% of them */

struct nastiness { /* of a thousand recipients */
    unsigned refuse, defer, cut;
    _Atomic uint8_t *met; /* a bit for each that was deferred */
};

struct answer { /* bytes of `out` up to `end` may leave at `at_us` */
    int64_t at_us;
    size_t end;
};

enum place { AT_COMMANDS, AT_HEADERS, AT_BODY, AT_HANDSHAKE };

struct peer {
    int fd;
    char in[IN_SIZE], out[OUT_SIZE];
    size_t in_len, out_len;
    struct answer answers[ANSWERS];
    size_t answer_count;
    size_t heap_at; /* place among those who are owed an answer, from 1; 0 none */
    enum place place;
    SSL *tls;                              /* NULL: never asked for */
    bool secure;                           /* the handshake is done */
    bool greeted, quit, blocked, unwanted; /* unwanted: the recipient of this envelope was not taken */
    char to[320], message_id[320];
};

struct worker { /* one thread, with its own connections */
    pthread_t thread;
    int epoll, log;
    int64_t delay_us, think_us, now_us;
    const struct nastiness *nasty;
    SSL_CTX *tls;       /* NULL: not offered */
    struct peer **heap; /* who is owed an answer, the earliest first; from 1 */
    size_t heap_count, heap_room;
    char *lines; /* of the log, not yet written */
    size_t lines_len, lines_room;
    _Atomic uint64_t taken, bytes, refused, deferred, cut;
    _Atomic int64_t first_us, last_us;
};

int64_t clock_us(clockid_t id);
/* Leaves `after_us` from now, behind what was answered before. False: the peer asked for more than it reads. */
bool answer(struct worker *worker, struct peer *peer, const char *line, int64_t after_us);
/* Takes what has come in. False: the peer must go. */
bool take(struct worker *worker, struct peer *peer);

#endif
