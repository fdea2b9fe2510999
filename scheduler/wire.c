/* Every libcurl habit this file leans on is asserted by tests/tables/curl_behaviour.c: another version fails there. */
#include "wire_setup.h"

#include "multi.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
    CHUNK_SIZE = 32 * 1024,
    SPARE_MAX = 16, /* chunks that wait for the next bytes: few are in use at a time, and those are warm in the cache */
    RECORD_SIZE = 16 * 1024, /* of TLS (RFC 8446 section 5.1): one write is one record, so it counts wholly or not */
};

struct chunk { /* never moved: after CURLE_AGAIN the same bytes must be offered at the same place */
    struct chunk *next;
    size_t len, sent;
    char bytes[CHUNK_SIZE];
};

struct learned {
    char *name, *what;
    struct learned *next;
};

struct wires {
    uv_loop_t *loop;
    struct multi *multi;
    unsigned in_loop; /* what is left there: the multi, and descriptors of wires */
    unsigned nested;  /* calls to owners in progress: wires closed meanwhile are freed after */
    struct wire *dead;
    struct chunk *spare;
    unsigned spares;
    struct learned *learned;
    char received[64 * 1024];
};

struct wire {
    struct wires *wires;
    CURL *easy;
    struct wire_setup *setup;
    const struct wire_events *events;
    void *ctx;
    bool plain;     /* no TLS, now or later */
    uv_poll_t poll; /* ours, once libcurl is done with the descriptor */
    curl_socket_t fd;
    bool open, polled, broken, closing;
    bool owes_written;
    int armed;
    struct chunk *head, *tail;
    size_t offered; /* bytes of head that got CURLE_AGAIN: offered again alike */
    int64_t queued, sent;
    struct wire *next_dead;
};

static void on_set_up(void *transfer, CURLcode code);
static void on_ready(uv_poll_t *poll, int status, int events);

/* ---- bytes ---- */

static struct chunk *chunk_take(struct wires *wires)
{
    struct chunk *chunk = wires->spare;

    if (!chunk)
        return must_calloc(1, sizeof *chunk);
    wires->spare = chunk->next;
    wires->spares--;
    chunk->next = NULL;
    chunk->len = chunk->sent = 0;
    return chunk;
}

static void chunk_give(struct wires *wires, struct chunk *chunk)
{
    if (wires->spares == SPARE_MAX) {
        free(chunk);
        return;
    }
    chunk->next = wires->spare;
    wires->spare = chunk;
    wires->spares++;
}

static void wire_destroy(struct wire *wire)
{
    for (struct chunk *chunk = wire->head, *next; chunk; chunk = next) {
        next = chunk->next;
        chunk_give(wire->wires, chunk);
    }
    wire_setup_free(wire->setup);
    free(wire);
}

/* After the last call to an owner. */
static void leave(struct wires *wires)
{
    if (--wires->nested > 0)
        return;
    for (struct wire *wire; (wire = wires->dead);) {
        wires->dead = wire->next_dead;
        wire_destroy(wire);
    }
}

static void arm(struct wire *wire)
{
    int events = UV_READABLE | (wire->head || wire->broken ? UV_WRITABLE : 0);

    if (events == wire->armed)
        return;
    wire->armed = events;
    uv_poll_start(&wire->poll, events, on_ready);
}

static void lost(struct wire *wire, const char *why)
{
    uv_poll_stop(&wire->poll);
    wire->armed = 0;
    wire->open = false;
    wire->events->closed(wire->ctx, why);
}

/* Without TLS the descriptor is all there is. libcurl would look for its connection among all others at each call. */
static CURLcode read_some(struct wire *wire, char *bytes, size_t size, size_t *n)
{
    if (!wire->plain)
        return curl_easy_recv(wire->easy, bytes, size, n);
    ssize_t got = recv(wire->fd, bytes, size, 0);
    *n = got > 0 ? (size_t)got : 0;
    return got >= 0 ? CURLE_OK : errno == EAGAIN || errno == EINTR ? CURLE_AGAIN : CURLE_RECV_ERROR;
}

static CURLcode write_some(struct wire *wire, const char *bytes, size_t len, size_t *n)
{
    if (!wire->plain)
        return curl_easy_send(wire->easy, bytes, len, n);
    ssize_t sent = send(wire->fd, bytes, len, MSG_NOSIGNAL);
    *n = sent > 0 ? (size_t)sent : 0;
    return sent >= 0 ? CURLE_OK : errno == EAGAIN || errno == EINTR ? CURLE_AGAIN : CURLE_SEND_ERROR;
}

/* TLS may hold bytes that poll() cannot see: read until libcurl has nothing more. */
static void receive(struct wire *wire)
{
    struct wires *wires = wire->wires;

    while (!wire->closing && wire->open) {
        size_t n = 0;
        CURLcode code = read_some(wire, wires->received, sizeof wires->received, &n);
        if (code == CURLE_AGAIN)
            break;
        if (code != CURLE_OK)
            lost(wire, curl_easy_strerror(code));
        else if (n == 0)
            lost(wire, "the other side closed the connection");
        else
            wire->events->received(wire->ctx, (struct text){wires->received, n});
        if (wire->plain && !wire->broken && n < sizeof wires->received)
            break; /* all that was there; what comes now wakes us */
    }
    if (!wire->closing && wire->open && wire->broken)
        lost(wire, "the connection broke");
}

static bool push(struct wire *wire)
{
    struct chunk *chunk;

    while (!wire->broken && (chunk = wire->head)) {
        size_t pending = chunk->len - chunk->sent, n = 0;
        size_t most = wire->plain ? CHUNK_SIZE : RECORD_SIZE;
        size_t offer = wire->offered ? wire->offered : pending < most ? pending : most;
        CURLcode code = write_some(wire, chunk->bytes + chunk->sent, offer, &n);

        if (code == CURLE_AGAIN) {
            wire->offered = offer;
            break;
        }
        if (code != CURLE_OK) {
            wire->broken = true; /* what the other side said before is read first: see receive() */
            break;
        }
        wire->offered = 0;
        wire->sent += (int64_t)n;
        chunk->sent += n;
        if (chunk->sent < chunk->len)
            continue;
        wire->head = chunk->next;
        if (!wire->head)
            wire->tail = NULL;
        chunk_give(wire->wires, chunk);
    }
    return !wire->head && !wire->broken;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct wire *wire = poll->data;
    struct wires *wires = wire->wires;

    wires->nested++;
    if (status < 0) { /* reset: what came before it is still there to be read, an answer perhaps */
        wire->broken = true;
        wire->armed = 0;
        receive(wire);
    } else {
        if ((events & UV_WRITABLE) && push(wire) && wire->owes_written) {
            wire->owes_written = false;
            wire->events->written(wire->ctx);
        }
        if ((events & (UV_READABLE | UV_DISCONNECT)) || wire->broken)
            receive(wire);
        if (!wire->closing && wire->open)
            arm(wire);
    }
    leave(wires);
}

void wire_write(struct wire *wire, struct text bytes)
{
    wire->queued += (int64_t)bytes.len;
    while (bytes.len > 0) {
        struct chunk *chunk = wire->tail;
        if (!chunk || chunk->len == CHUNK_SIZE) {
            chunk = chunk_take(wire->wires);
            *(wire->tail ? &wire->tail->next : &wire->head) = chunk;
            wire->tail = chunk;
        }
        size_t n = CHUNK_SIZE - chunk->len < bytes.len ? CHUNK_SIZE - chunk->len : bytes.len;
        memcpy(chunk->bytes + chunk->len, bytes.ptr, n);
        chunk->len += n;
        bytes = text_slice(bytes, n, bytes.len);
    }
}

bool wire_flush(struct wire *wire)
{
    if (!wire->open)
        return false;
    bool out = push(wire);
    wire->owes_written = !out;
    arm(wire);
    return out;
}

int64_t wire_queued(const struct wire *wire)
{
    return wire->queued;
}

int64_t wire_sent(const struct wire *wire)
{
    return wire->sent;
}

/* ---- set-up ---- */

static void set_up_failed(struct wire *wire, CURLcode code)
{
    struct wire_fault fault = wire_setup_fault(wire->setup, code);

    wire->events->failed(wire->ctx, fault.failure, fault.code, fault.text);
}

/* From libcurl, which goes on holding the connection, to us. */
static int take_over(struct wire *wire)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    curl_easy_getinfo(wire->easy, CURLINFO_ACTIVESOCKET, &fd);
    if (fd == CURL_SOCKET_BAD || uv_poll_init_socket(wire->wires->loop, &wire->poll, fd) < 0)
        return -1;
    wire->wires->in_loop++;
    wire->fd = fd;
    wire->polled = true;
    return 0;
}

static void set_up_done(struct wire *wire, CURLcode code)
{
    const char *capabilities = wire_setup_capabilities(wire->setup);
    size_t n = 0;

    if (!wire_setup_worked(wire->setup, code)) {
        set_up_failed(wire, code);
        return;
    }
    if (take_over(wire) < 0) {
        set_up_failed(wire, CURLE_COULDNT_CONNECT);
        return;
    }
    /* The first read pins the connection to this easy handle: an untouched one is pruned by later set-ups. */
    code = curl_easy_recv(wire->easy, wire->wires->received, sizeof wire->wires->received, &n);
    if (!capabilities || (code != CURLE_AGAIN && code != CURLE_OK)) {
        set_up_failed(wire, CURLE_RECV_ERROR);
        return;
    }
    wire->open = true;
    wire->events->opened(wire->ctx, capabilities);
    if (!wire->closing && n > 0) /* only the loop reads on: the owner could not overwrite it */
        wire->events->received(wire->ctx, (struct text){wire->wires->received, n});
    receive(wire);
    if (!wire->closing && wire->open)
        arm(wire);
}

static void on_set_up(void *transfer, CURLcode code)
{
    struct wire *wire = transfer;
    struct wires *wires = wire->wires;

    wires->nested++;
    set_up_done(wire, code);
    leave(wires);
}

/* ---- life ---- */

static void wires_left(struct wires *wires)
{
    if (--wires->in_loop > 0)
        return;
    for (struct chunk *chunk = wires->spare, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    for (struct learned *one = wires->learned, *next; one; one = next) {
        next = one->next;
        free(one->name);
        free(one->what);
        free(one);
    }
    free(wires);
}

static void on_multi_closed(void *ctx)
{
    wires_left(ctx);
}

struct wires *wires_new(uv_loop_t *loop, struct error *err)
{
    struct wires *wires = must_calloc(1, sizeof *wires);

    wires->loop = loop;
    wires->in_loop = 1;
    if (!(wires->multi = multi_new(loop, on_set_up))) {
        free(wires);
        error_set(err, ERROR_TRY_LATER, "libcurl cannot start");
        return NULL;
    }
    return wires;
}

void wires_close(struct wires *wires)
{
    if (wires)
        multi_close(wires->multi, on_multi_closed, wires);
}

struct wire *wire_open(struct wires *wires, const struct wire_spec *spec, const struct wire_events *events, void *ctx,
                       struct error *err)
{
    struct wire *wire = must_calloc(1, sizeof *wire);

    wire->wires = wires;
    wire->events = events;
    wire->ctx = ctx;
    wire->poll.data = wire;
    wire->plain = spec->plain;
    wire->easy = curl_easy_init();
    if (!wire->easy) {
        error_set(err, ERROR_CONFIG, "libcurl cannot start");
        goto fail;
    }
    if (!(wire->setup = wire_setup_new(wire->easy, spec, err)))
        goto fail;
    if (curl_easy_setopt(wire->easy, CURLOPT_PRIVATE, wire) != CURLE_OK ||
        curl_multi_add_handle(multi_curl(wires->multi), wire->easy) != CURLM_OK) {
        error_set(err, ERROR_CONFIG, "libcurl cannot do this: %s", spec->url);
        goto fail;
    }
    return wire;

fail:
    curl_easy_cleanup(wire->easy);
    wire_destroy(wire);
    return NULL;
}

static void on_wire_poll_closed(uv_handle_t *handle)
{
    struct wire *wire = handle->data;
    struct wires *wires = wire->wires;

    wire_destroy(wire);
    wires_left(wires);
}

void wire_close(struct wire *wire)
{
    if (!wire)
        return;
    assert(!wire->closing);
    wire->closing = true;
    wire->open = false;
    if (wire->polled) /* before libcurl closes the descriptor */
        uv_close((uv_handle_t *)&wire->poll, on_wire_poll_closed);
    curl_multi_remove_handle(multi_curl(wire->wires->multi), wire->easy);
    curl_easy_cleanup(wire->easy);
    wire->easy = NULL;
    if (wire->polled)
        return;
    if (wire->wires->nested > 0) {
        wire->next_dead = wire->wires->dead;
        wire->wires->dead = wire;
    } else {
        wire_destroy(wire);
    }
}

/* ---- what was learned ---- */

static struct learned *find_learned(const struct wires *wires, const char *name)
{
    struct learned *one = wires->learned;

    while (one && strcmp(one->name, name) != 0)
        one = one->next;
    return one;
}

void wires_remember(struct wires *wires, const char *name, const char *what)
{
    struct learned *one = find_learned(wires, name);

    if (!one) {
        one = must_calloc(1, sizeof *one);
        one->name = must_strdup(name);
        one->next = wires->learned;
        wires->learned = one;
    }
    free(one->what);
    one->what = must_strdup(what);
}

const char *wires_recall(const struct wires *wires, const char *name)
{
    const struct learned *one = find_learned(wires, name);

    return one ? one->what : NULL;
}
