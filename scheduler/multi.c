#include "multi.h"

#include "text.h"

struct multi {
    uv_loop_t *loop;
    CURLM *curl;
    uv_timer_t timer; /* the one timeout that libcurl asks for */
    unsigned handles; /* libuv's, not yet closed */
    multi_ended_fn *ended;
    multi_closed_fn *closed; /* NULL: open */
    void *ctx;
};

struct watch { /* of one socket of libcurl's */
    uv_poll_t poll;
    struct multi *multi;
    curl_socket_t socket;
};

static void tell_ended(struct multi *multi)
{
    CURLMsg *message;
    int left;

    while (!multi->closed && (message = curl_multi_info_read(multi->curl, &left))) {
        void *transfer = NULL;
        CURLcode code = message->data.result; /* now: the message dies when its handle leaves the multi */
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        multi->ended(transfer, code);
    }
}

static void on_timeout(uv_timer_t *timer)
{
    struct multi *multi = timer->data;
    int running;

    curl_multi_socket_action(multi->curl, CURL_SOCKET_TIMEOUT, 0, &running);
    tell_ended(multi);
}

static int on_timer_wish(CURLM *curl, long timeout_ms, void *ctx)
{
    struct multi *multi = ctx;

    (void)curl;
    if (timeout_ms < 0)
        uv_timer_stop(&multi->timer);
    else /* at once is 1 ms: libuv rings a timer of 0 again and again before it looks at any socket */
        uv_timer_start(&multi->timer, on_timeout, timeout_ms > 0 ? (uint64_t)timeout_ms : 1, 0);
    return 0;
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct watch *watch = poll->data;
    struct multi *multi = watch->multi;
    int what = status < 0
                   ? CURL_CSELECT_ERR
                   : (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);
    int running;

    curl_multi_socket_action(multi->curl, watch->socket, what, &running);
    tell_ended(multi);
}

static void handle_closed(struct multi *multi)
{
    if (--multi->handles > 0 || !multi->closed)
        return;
    multi->closed(multi->ctx);
    free(multi);
}

static void on_timer_closed(uv_handle_t *timer)
{
    handle_closed(timer->data);
}

static void on_watch_closed(uv_handle_t *poll)
{
    struct watch *watch = poll->data;
    struct multi *multi = watch->multi;

    free(watch);
    handle_closed(multi);
}

static struct watch *watch_new(struct multi *multi, curl_socket_t socket)
{
    struct watch *watch = must_calloc(1, sizeof *watch);

    watch->multi = multi;
    watch->socket = socket;
    watch->poll.data = watch;
    if (uv_poll_init_socket(multi->loop, &watch->poll, socket) < 0) {
        free(watch);
        return NULL;
    }
    multi->handles++;
    curl_multi_assign(multi->curl, socket, watch);
    return watch;
}

static int on_socket_wish(CURL *easy, curl_socket_t socket, int what, void *ctx, void *socket_ctx)
{
    struct multi *multi = ctx;
    struct watch *watch = socket_ctx;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (watch) {
            curl_multi_assign(multi->curl, socket, NULL);
            uv_close((uv_handle_t *)&watch->poll, on_watch_closed); /* before libcurl closes the socket */
        }
        return 0;
    }
    if (!watch && !(watch = watch_new(multi, socket)))
        return -1; /* libcurl fails the transfer */
    return uv_poll_start(&watch->poll, events, on_socket) < 0 ? -1 : 0;
}

struct multi *multi_new(uv_loop_t *loop, multi_ended_fn *ended)
{
    CURLM *curl = curl_multi_init();

    if (!curl)
        return NULL;
    struct multi *multi = must_calloc(1, sizeof *multi);
    *multi = (struct multi){.loop = loop, .curl = curl, .ended = ended, .handles = 1};
    uv_timer_init(loop, &multi->timer);
    multi->timer.data = multi;
    curl_multi_setopt(curl, CURLMOPT_SOCKETFUNCTION, on_socket_wish);
    curl_multi_setopt(curl, CURLMOPT_SOCKETDATA, multi);
    curl_multi_setopt(curl, CURLMOPT_TIMERFUNCTION, on_timer_wish);
    curl_multi_setopt(curl, CURLMOPT_TIMERDATA, multi);
    return multi;
}

CURLM *multi_curl(const struct multi *multi)
{
    return multi->curl;
}

void multi_close(struct multi *multi, multi_closed_fn *closed, void *ctx)
{
    multi->closed = closed;
    multi->ctx = ctx;
    curl_multi_cleanup(multi->curl); /* takes its sockets back through on_socket_wish() */
    uv_close((uv_handle_t *)&multi->timer, on_timer_closed);
}
