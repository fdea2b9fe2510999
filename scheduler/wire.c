/* Every libcurl habit this file leans on is asserted by tests/tables/curl_behaviour.c: another version fails there. */
#include "wire.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
    CHUNK_SIZE = 32 * 1024,
    SPARE_MAX = 16, /* chunks that wait for the next bytes: few are in use at a time, and those are warm in the cache */
    RECORD_SIZE = 16 * 1024, /* of TLS (RFC 8446 section 5.1): one write is one record, so it counts wholly or not */
    CAPABILITIES_MAX = 16 * 1024,
    LINE_MAX_KEPT = 300,
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
    CURLM *multi;
    uv_timer_t timer;
    unsigned handles; /* libuv's, not yet closed */
    unsigned nested;  /* calls to owners in progress: wires closed meanwhile are freed after */
    bool closing;
    struct wire *dead;
    struct chunk *spare;
    unsigned spares;
    struct learned *learned;
    char received[64 * 1024];
};

struct setup_poll { /* libcurl's own descriptors while it sets up */
    uv_poll_t poll;
    struct wires *wires;
    curl_socket_t fd;
};

struct wire {
    struct wires *wires;
    CURL *easy;
    const struct wire_events *events;
    void *ctx;
    bool plain; /* no TLS, now or later */
    bool log_in, logged_in;
    bool in_block;           /* an EHLO answer is being read */
    struct buf capabilities; /* of the last 250 answer */
    char last_line[LINE_MAX_KEPT];
    int last_code;
    char failure[CURL_ERROR_SIZE];
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

static void on_setup_timer(uv_timer_t *timer);
static void on_setup_ready(uv_poll_t *poll, int status, int events);
static void on_ready(uv_poll_t *poll, int status, int events);

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
    buf_clear(&wire->capabilities);
    free(wire);
}

/* ---- libcurl in the loop ---- */

static void on_wires_handle_closed(struct wires *wires)
{
    if (--wires->handles > 0 || !wires->closing)
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

static void on_timer_closed(uv_handle_t *handle)
{
    on_wires_handle_closed(handle->data);
}

static void on_setup_poll_closed(uv_handle_t *handle)
{
    struct setup_poll *setup = handle->data;
    struct wires *wires = setup->wires;

    free(setup);
    on_wires_handle_closed(wires);
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct wires *wires = ctx;
    struct setup_poll *setup = socket_ctx;

    if (what == CURL_POLL_REMOVE) {
        if (setup)
            uv_close((uv_handle_t *)&setup->poll, on_setup_poll_closed);
        curl_multi_assign(wires->multi, fd, NULL);
        return 0;
    }
    if (!setup) {
        setup = must_calloc(1, sizeof *setup);
        setup->wires = wires;
        setup->fd = fd;
        setup->poll.data = setup;
        if (uv_poll_init_socket(wires->loop, &setup->poll, fd) < 0) {
            free(setup);
            return -1;
        }
        wires->handles++;
        curl_multi_assign(wires->multi, fd, setup);
    }
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    uv_poll_start(&setup->poll, events, on_setup_ready);
    return 0;
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct wires *wires = ctx;

    if (timeout_ms < 0)
        uv_timer_stop(&wires->timer);
    else
        uv_timer_start(&wires->timer, on_setup_timer, (uint64_t)timeout_ms, 0);
    return 0;
}

static size_t on_curl_line(char *ptr, size_t size, size_t count, void *ctx)
{
    struct wire *wire = ctx;
    struct text line = text_trim((struct text){ptr, size * count});
    int64_t code;

    if (line.len < 3 || parse_i64(text_slice(line, 0, 3), 100, 999, &code, NULL) < 0)
        return size * count;
    wire->last_code = (int)code;
    snprintf(wire->last_line, sizeof wire->last_line, "%.*s", TEXT_ARGS(line));
    if (code == 235)
        wire->logged_in = true;
    if (code != 250) {
        wire->in_block = false;
        return size * count;
    }
    if (!wire->in_block)
        buf_reset(&wire->capabilities);
    buf_add_text(&wire->capabilities, text_slice(line, 4, line.len));
    buf_addc(&wire->capabilities, '\n');
    wire->in_block = line.len > 3 && line.ptr[3] == '-';
    return size * count;
}

static void leave(struct wires *wires)
{
    if (--wires->nested > 0)
        return;
    for (struct wire *wire; (wire = wires->dead);) {
        wires->dead = wire->next_dead;
        wire_destroy(wire);
    }
}

/* ---- set-up done ---- */

static enum wire_failure failure_of(const struct wire *wire, CURLcode code)
{
    switch (code) {
    case CURLE_OK: /* no 235 came: libcurl goes on without a word when AUTH is not offered */
        return WIRE_WRONG_LOGIN;
    case CURLE_LOGIN_DENIED:
        return wire->last_code / 100 == 4 ? WIRE_NO_LOGIN : WIRE_WRONG_LOGIN;
    case CURLE_USE_SSL_FAILED:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
        return WIRE_NO_TLS;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_REMOTE_ACCESS_DENIED:
        return WIRE_UNWELCOME;
    default:
        return WIRE_UNREACHABLE;
    }
}

static void set_up_failed(struct wire *wire, CURLcode code)
{
    static const char *const said[] = {
        [WIRE_UNREACHABLE] = "cannot connect", [WIRE_UNWELCOME] = "the server does not want us",
        [WIRE_NO_TLS] = "no safe TLS",         [WIRE_NO_LOGIN] = "log-in refused for now",
        [WIRE_WRONG_LOGIN] = "log-in refused",
    };
    enum wire_failure failure = failure_of(wire, code);
    bool replied = failure == WIRE_UNWELCOME || failure == WIRE_NO_LOGIN || failure == WIRE_WRONG_LOGIN;
    char text[sizeof wire->failure + LINE_MAX_KEPT + 64];

    if (code == CURLE_OK)
        snprintf(text, sizeof text, "the server offers no log-in, but a username is configured");
    else if (replied && wire->last_line[0])
        snprintf(text, sizeof text, "%s: %s", said[failure], wire->last_line);
    else
        snprintf(text, sizeof text, "%s: %s", said[failure],
                 wire->failure[0] ? wire->failure : curl_easy_strerror(code));
    wire->events->failed(wire->ctx, failure, replied ? wire->last_code : 0, text);
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

static void set_up_done(struct wire *wire, CURLcode code)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    size_t n;

    if (code != CURLE_OK || (wire->log_in && !wire->logged_in)) {
        set_up_failed(wire, code);
        return;
    }
    curl_easy_getinfo(wire->easy, CURLINFO_ACTIVESOCKET, &fd);
    if (fd == CURL_SOCKET_BAD || uv_poll_init_socket(wire->wires->loop, &wire->poll, fd) < 0) {
        set_up_failed(wire, CURLE_COULDNT_CONNECT);
        return;
    }
    wire->wires->handles++;
    wire->fd = fd;
    wire->polled = true;
    wire->open = true;
    /* The first read pins the connection to this easy handle: an untouched one is pruned by later set-ups. */
    code = curl_easy_recv(wire->easy, wire->wires->received, sizeof wire->wires->received, &n);
    if (buf_failed(&wire->capabilities) || (code != CURLE_AGAIN && code != CURLE_OK)) {
        wire->open = false;
        set_up_failed(wire, CURLE_RECV_ERROR);
        return;
    }
    struct text early = {wire->wires->received, code == CURLE_OK ? n : 0};
    auto_free char *kept =
        early.len ? text_dup(early) : NULL; /* the owner may write, which reuses nothing, yet read on */

    wire->events->opened(wire->ctx, wire->capabilities.ptr ? wire->capabilities.ptr : "");
    if (!wire->closing && kept)
        wire->events->received(wire->ctx, (struct text){kept, early.len});
    receive(wire);
    if (!wire->closing && wire->open)
        arm(wire);
}

static void check_done(struct wires *wires)
{
    CURLMsg *message;
    int left;

    wires->nested++;
    while ((message = curl_multi_info_read(wires->multi, &left))) {
        struct wire *wire = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&wire);
        set_up_done(wire, code);
    }
    leave(wires);
}

static void on_setup_timer(uv_timer_t *timer)
{
    struct wires *wires = timer->data;
    int running;

    curl_multi_socket_action(wires->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    check_done(wires);
}

static void on_setup_ready(uv_poll_t *poll, int status, int events)
{
    struct setup_poll *setup = poll->data;
    struct wires *wires = setup->wires;
    int running, what = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);

    curl_multi_socket_action(wires->multi, setup->fd, status < 0 ? CURL_CSELECT_ERR : what, &running);
    check_done(wires);
}

/* ---- bytes ---- */

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

/* ---- life ---- */

struct wires *wires_new(uv_loop_t *loop, struct error *err)
{
    struct wires *wires = must_calloc(1, sizeof *wires);

    wires->loop = loop;
    wires->multi = curl_multi_init();
    if (!wires->multi) {
        free(wires);
        error_set(err, ERROR_TRY_LATER, "libcurl cannot start");
        return NULL;
    }
    uv_timer_init(loop, &wires->timer);
    wires->timer.data = wires;
    wires->handles = 1;
    curl_multi_setopt(wires->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl_multi_setopt(wires->multi, CURLMOPT_SOCKETDATA, wires);
    curl_multi_setopt(wires->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl_multi_setopt(wires->multi, CURLMOPT_TIMERDATA, wires);
    return wires;
}

void wires_close(struct wires *wires)
{
    if (!wires)
        return;
    wires->closing = true;
    curl_multi_cleanup(wires->multi);
    uv_close((uv_handle_t *)&wires->timer, on_timer_closed);
}

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

static bool host_is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (strncmp(host, "127.", 4) == 0 && host[strspn(host, "0123456789.")] == '\0');
}

static int check_url(const struct wire_spec *spec, bool *tls_at_once, struct error *err)
{
    CURLU *url = curl_url();
    char *scheme = NULL, *host = NULL, *user = NULL;
    int rc = 0;

    if (!url || !spec->url || curl_url_set(url, CURLUPART_URL, spec->url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        (strcmp(scheme, "smtp") != 0 && strcmp(scheme, "smtps") != 0)) {
        rc = error_set(err, ERROR_CONFIG, "expected smtp://HOST:PORT or smtps://HOST:PORT");
    } else if (curl_url_get(url, CURLUPART_USER, &user, 0) == CURLUE_OK) {
        rc = error_set(err, ERROR_CONFIG, "name and password belong into options of their own, not into the url");
    } else {
        *tls_at_once = strcmp(scheme, "smtps") == 0;
        if (spec->plain && *tls_at_once)
            rc = error_set(err, ERROR_CONFIG, "smtps:// is TLS: it cannot be off");
        else if (spec->plain && !host_is_loopback(host))
            rc = error_set(err, ERROR_CONFIG, "TLS can be off for loopback only, and this is %s", host);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_url_cleanup(url);
    return rc;
}

static bool set_options(struct wire *wire, const struct wire_spec *spec)
{
    CURL *easy = wire->easy;
    long timeout_ms = spec->connect_timeout_ms > 0 ? (long)spec->connect_timeout_ms : 30000;
    bool ok =
        curl_easy_setopt(easy, CURLOPT_URL, spec->url) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps") == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        /* else giving up waits, on the loop, for a name to be resolved */
        curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK && /* the environment has no say */
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, wire->failure) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_curl_line) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, wire) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_PRIVATE, wire) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(spec->plain ? CURLUSESSL_NONE : CURLUSESSL_ALL)) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;

    if (ok && spec->ca_file && spec->ca_file[0])
        ok = curl_easy_setopt(easy, CURLOPT_CAINFO, spec->ca_file) == CURLE_OK;
    if (ok && wire->log_in) /* within TLS or on loopback these two are right; libcurl would try weaker ones first */
        ok = curl_easy_setopt(easy, CURLOPT_USERNAME, spec->username) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_PASSWORD, spec->password ? spec->password : "") == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN") == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_SASL_IR, 1L) == CURLE_OK;
    return ok;
}

struct wire *wire_open(struct wires *wires, const struct wire_spec *spec, const struct wire_events *events, void *ctx,
                       struct error *err)
{
    bool tls_at_once = false;

    if (check_url(spec, &tls_at_once, err) < 0)
        return NULL;

    struct wire *wire = must_calloc(1, sizeof *wire);
    wire->wires = wires;
    wire->events = events;
    wire->ctx = ctx;
    wire->poll.data = wire;
    wire->plain = spec->plain;
    wire->log_in = spec->username && spec->username[0];
    buf_init(&wire->capabilities, CAPABILITIES_MAX);
    wire->easy = curl_easy_init();
    if (!wire->easy || !set_options(wire, spec) || curl_multi_add_handle(wires->multi, wire->easy) != CURLM_OK) {
        error_set(err, ERROR_CONFIG, "libcurl cannot do this: %s", spec->url);
        if (wire->easy)
            curl_easy_cleanup(wire->easy);
        wire_destroy(wire);
        return NULL;
    }
    return wire;
}

static void on_wire_poll_closed(uv_handle_t *handle)
{
    struct wire *wire = handle->data;
    struct wires *wires = wire->wires;

    wire_destroy(wire);
    on_wires_handle_closed(wires);
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
    curl_multi_remove_handle(wire->wires->multi, wire->easy);
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
