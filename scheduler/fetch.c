#include "fetch.h"

#include "build-config.h"
#include "clock.h"
#include "multi.h"
#include "origin.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

enum {
    BODY_LIMIT = 8 * 1024 * 1024,
    HEADER_LIMIT = 16 * 1024, /* one line of a request */
    TIMEOUT_MS = 30 * SECOND_MS,
    CONNECT_TIMEOUT_MS = 10 * SECOND_MS,
    HOST_CONNECTIONS = 8,
    ALL_CONNECTIONS = 64,
};
#define RETRY_AFTER_MAX_MS (INT64_C(30) * DAY_MS)

struct fetcher {
    struct multi *multi;
    struct fetch *fetches;
    struct metrics *metrics; /* or NULL */
    bool public_only, closed;
};

struct fetch {
    struct fetcher *fetcher; /* NULL: fetch_wait() */
    struct fetch *prev, *next;
    CURL *easy;
    struct curl_slist *headers;
    fetch_done_fn *done;
    void *ctx;
    bool answered; /* its callback is running or has run */
    int64_t timeout_ms;
    const char *to;  /* NULL: not counted */
    char *name;      /* with it */
    char place[300]; /* host or socket, for errors; never the path or the query */
    char curl_text[CURL_ERROR_SIZE];
    char refused[ORIGIN_TEXT_SIZE]; /* the first address that is not public */
    bool cut, was_cut;              /* an answer that is longer than is read */

    char *once; /* a body that is read but once */
    size_t once_len, once_sent;
    int out_fd, out_errno; /* where the body goes, if not into memory, and why it could not */

    /* the answer so far */
    struct buf body;
    char content_type[128], link[1024], wix_request_id[128], request_id[128], retry_after[64], date[64];
};

/* --- The request ---------------------------------------------------------------------------------------------- */

static size_t on_header(char *bytes, size_t size, size_t count, void *ctx)
{
    struct fetch *fetch = ctx;
    const struct {
        const char *name;
        char *out;
        size_t size;
    } wanted[] = {
        {"content-type", fetch->content_type, sizeof fetch->content_type},
        {"link", fetch->link, sizeof fetch->link},
        {"x-wix-request-id", fetch->wix_request_id, sizeof fetch->wix_request_id},
        {"x-request-id", fetch->request_id, sizeof fetch->request_id},
        {"retry-after", fetch->retry_after, sizeof fetch->retry_after},
        {"date", fetch->date, sizeof fetch->date},
    };
    struct text value = {bytes, size * count};
    bool begins = text_starts(value, "HTTP/"); /* forget what came with an interim 1xx answer */
    struct text name = text_cut(&value, ':');

    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (begins)
            wanted[i].out[0] = '\0';
        else if (text_equal_nocase(name, text_of(wanted[i].name)))
            snprintf(wanted[i].out, wanted[i].size, "%.*s", TEXT_ARGS(text_trim(value)));
    return size * count;
}

static size_t write_out(struct fetch *fetch, const char *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t wrote = write(fetch->out_fd, bytes + at, len - at);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0) {
            fetch->out_errno = errno;
            return CURL_WRITEFUNC_ERROR;
        }
        at += (size_t)wrote;
    }
    return len;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct fetch *fetch = ctx;
    long status = 0;

    if (fetch->out_fd > 0 && curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK &&
        status == 200)
        return write_out(fetch, bytes, size * count);
    if (fetch->cut && size * count > fetch->body.limit - fetch->body.len) {
        buf_add(&fetch->body, bytes, fetch->body.limit - fetch->body.len);
        fetch->was_cut = true;
        return CURL_WRITEFUNC_ERROR;
    }
    buf_add(&fetch->body, bytes, size * count);
    return buf_failed(&fetch->body) ? CURL_WRITEFUNC_ERROR : size * count;
}

/* Only http and https, and a host to name in errors. */
static int check_url(struct fetch *fetch, const struct fetch_spec *spec, struct error *err)
{
    CURLU *url = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    int rc = 0;

    if (!url || curl_url_set(url, CURLUPART_URL, spec->url, CURLU_NON_SUPPORT_SCHEME) ||
        curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) || curl_url_get(url, CURLUPART_HOST, &host, 0))
        rc = error_set(err, ERROR_CONFIG, "expected a URL such as https://example.org/path");
    else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        rc = error_set(err, ERROR_CONFIG, "%s: expected a URL with http or https, found \"%s\"", host, scheme);
    else if (spec->unix_socket)
        snprintf(fetch->place, sizeof fetch->place, "%s", spec->unix_socket);
    else if (curl_url_get(url, CURLUPART_PORT, &port, 0) == CURLUE_OK)
        snprintf(fetch->place, sizeof fetch->place, "%s:%s", host, port);
    else
        snprintf(fetch->place, sizeof fetch->place, "%s", host);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(url);
    return rc;
}

static bool is_token(const char *name) /* RFC 9110 section 5.6.2 */
{
    return *name && name[strspn(name, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

static bool has_controls(const char *value)
{
    for (; *value; value++)
        if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7F)
            return true;
    return false;
}

static void add_line(struct fetch *fetch, const char *line)
{
    struct curl_slist *longer = curl_slist_append(fetch->headers, line);

    if (!longer)
        abort(); /* out of memory */
    fetch->headers = longer;
}

static int set_headers(struct fetch *fetch, const struct fetch_spec *spec, struct error *err)
{
    bool typed = false;

    for (size_t i = 0; i < spec->header_count; i++) {
        const struct fetch_header *header = &spec->headers[i];
        auto_buf struct buf line;
        buf_init(&line, HEADER_LIMIT);
        if (!is_token(header->name) || has_controls(header->value))
            return error_set(err, ERROR_CONFIG, "%s: header %zu cannot be sent: control characters", fetch->place,
                             i + 1);
        if (*header->value)
            buf_addf(&line, "%s: %s", header->name, header->value);
        else
            buf_addf(&line, "%s;", header->name); /* curl's way to write an empty one */
        if (buf_failed(&line))
            return error_set(err, ERROR_CONFIG, "%s: header %s over %d bytes", fetch->place, header->name,
                             HEADER_LIMIT);
        add_line(fetch, line.ptr);
        typed = typed || text_equal_nocase(text_of(header->name), TEXT("Content-Type"));
    }
    add_line(fetch, "Expect:"); /* nobody wants to wait a second for 100 Continue */
    if (!typed)
        add_line(fetch, "Content-Type:"); /* curl would guess a form */
    curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, fetch->headers);
    return 0;
}

static size_t on_once(char *out, size_t size, size_t count, void *ctx)
{
    struct fetch *fetch = ctx;
    size_t left = fetch->once_len - fetch->once_sent, n = size * count < left ? size * count : left;

    memcpy(out, fetch->once + fetch->once_sent, n);
    fetch->once_sent += n;
    return n;
}

/* libcurl sends a request again when a connection that it kept ends before an answer, although it may have been obeyed.
 * It fails instead when it cannot go back to the beginning of the body, and there is no function here by which it
 * could. */
static void set_body_once(struct fetch *fetch, const struct fetch_spec *spec)
{
    fetch->once = text_dup(spec->body);
    fetch->once_len = spec->body.len;
    curl_easy_setopt(fetch->easy, CURLOPT_POST, 1L);
    curl_easy_setopt(fetch->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)spec->body.len);
    curl_easy_setopt(fetch->easy, CURLOPT_READFUNCTION, on_once);
    curl_easy_setopt(fetch->easy, CURLOPT_READDATA, fetch);
}

static void set_method(struct fetch *fetch, const struct fetch_spec *spec)
{
    CURL *easy = fetch->easy;

    if (strcmp(spec->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (spec->once && spec->body.len > 0) {
        set_body_once(fetch, spec);
    } else if (spec->body.len > 0 || strcmp(spec->method, "POST") == 0) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)spec->body.len);
        curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, spec->body.len ? spec->body.ptr : "");
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, spec->method);
}

/* What curl connects to, whatever it was resolved from. */
static curl_socket_t open_public(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch *fetch = ctx;
    struct origin origin;

    (void)purpose;
    if (origin_of_socket(&address->addr, &origin) < 0)
        return CURL_SOCKET_BAD;
    if (!origin_is_public(&origin)) {
        if (!*fetch->refused)
            origin_write(&origin, fetch->refused);
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static void set_rules(struct fetch *fetch, const struct fetch_spec *spec)
{
    CURL *easy = fetch->easy;

    curl_easy_setopt(easy, CURLOPT_URL, spec->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 0L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* else giving up waits, on the loop, for a name to be resolved */
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)fetch->timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(fetch->timeout_ms < CONNECT_TIMEOUT_MS ? fetch->timeout_ms : CONNECT_TIMEOUT_MS));
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "onsale/" ONSALE_VERSION);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->curl_text);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
    if (spec->unix_socket) {
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, spec->unix_socket);
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
    }
    if (spec->public_only) {
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_public);
        curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, fetch);
    }
    if (spec->reach)
        curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
}

static void fetch_free(struct fetch *fetch)
{
    curl_easy_cleanup(fetch->easy);
    curl_slist_free_all(fetch->headers);
    buf_clear(&fetch->body);
    free(fetch->once);
    free(fetch->name);
    free(fetch);
}

static struct fetch *fetch_new(const struct fetch_spec *spec, fetch_done_fn *done, void *ctx, struct error *err)
{
    struct fetch *fetch = must_calloc(1, sizeof *fetch);

    fetch->done = done;
    fetch->ctx = ctx;
    fetch->out_fd = spec->out_fd;
    fetch->cut = spec->cut;
    fetch->to = spec->to;
    fetch->name = must_strdup(spec->to ? spec->name : "");
    fetch->timeout_ms = spec->timeout_ms > 0 ? spec->timeout_ms : TIMEOUT_MS;
    buf_init(&fetch->body, spec->body_limit ? spec->body_limit : BODY_LIMIT);
    if (!(fetch->easy = curl_easy_init())) {
        error_set(err, ERROR_TRY_LATER, "curl: no transfer could be made");
        goto fail;
    }
    if (check_url(fetch, spec, err) < 0)
        goto fail;
    set_rules(fetch, spec);
    set_method(fetch, spec);
    if (set_headers(fetch, spec, err) < 0)
        goto fail;
    return fetch;
fail:
    fetch_free(fetch);
    return NULL;
}

/* --- The answer ----------------------------------------------------------------------------------------------- */

static enum error_kind kind_of(CURLcode code)
{
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_URL_MALFORMAT:
        return ERROR_CONFIG;
    case CURLE_WRITE_ERROR: /* over the limit */
        return ERROR_REFUSED;
    default:
        return ERROR_TRY_LATER;
    }
}

static void describe_failure(const struct fetch *fetch, CURLcode code, struct error *err)
{
    curl_off_t connected_us = 0;

    curl_easy_getinfo(fetch->easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
    if (fetch->out_errno)
        error_set(err, ERROR_TRY_LATER, "the answer cannot be written: %s", strerror(fetch->out_errno));
    else if (*fetch->refused && connected_us == 0)
        error_set(err, ERROR_CONFIG, "%s: %s is no address of the public internet", fetch->place, fetch->refused);
    else if (buf_failed(&fetch->body))
        error_set(err, ERROR_REFUSED, "%s: answer over %zu bytes", fetch->place, fetch->body.limit);
    else if (code == CURLE_OPERATION_TIMEDOUT && connected_us == 0)
        error_set(err, ERROR_TRY_LATER, "%s: no connection in time", fetch->place);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        error_set(err, ERROR_TRY_LATER, "%s: no complete answer within %lld ms", fetch->place,
                  (long long)fetch->timeout_ms);
    else if (code == CURLE_PARTIAL_FILE)
        error_set(err, ERROR_TRY_LATER, "%s: the answer broke off after %zu bytes", fetch->place, fetch->body.len);
    else /* what curl itself says of connections and certificates names hosts and reasons, no paths and no headers */
        error_set(err, kind_of(code), "%s: %s", fetch->place,
                  fetch->curl_text[0] ? fetch->curl_text : curl_easy_strerror(code));
}

/* RFC 9110 section 10.2.3: seconds, or a date, which we read by the server's own clock where it told us. */
static int64_t retry_after_of(const struct fetch *fetch, int64_t server_now_ms)
{
    struct text wanted = text_of(fetch->retry_after);
    int64_t seconds, at_ms, wait_ms;

    if (parse_i64(wanted, 0, RETRY_AFTER_MAX_MS / SECOND_MS, &seconds, NULL) == 0)
        return seconds * SECOND_MS;
    if (moment_parse_http(wanted, &at_ms, NULL) < 0)
        return -1;
    wait_ms = at_ms - server_now_ms;
    return wait_ms < 0 ? 0 : wait_ms > RETRY_AFTER_MAX_MS ? RETRY_AFTER_MAX_MS : wait_ms;
}

static const char *outcome_of(int status)
{
    return status == 0                                        ? "none"
           : (status >= 200 && status < 300) || status == 304 ? "ok"
           : status == 429                                    ? "limited"
           : status >= 400 && status < 500                    ? "refused"
                                                              : "failed";
}

static void count_answer(const struct fetch *fetch, int status, int64_t took_ms)
{
    struct metrics *metrics = fetch->fetcher ? fetch->fetcher->metrics : NULL;

    if (!metrics || !fetch->to)
        return;
    metrics_add(metrics, METRIC_REQUESTS, LABELS(fetch->to, fetch->name, outcome_of(status)), 1);
    metrics_observe(metrics, METRIC_REQUEST, LABELS(fetch->to, fetch->name), took_ms);
}

/* Tells the owner. The fetch is alive during the call, whatever the owner does. */
static void answer(struct fetch *fetch, CURLcode code)
{
    struct fetch_result result = {
        .body = buf_text(&fetch->body),
        .content_type = text_of(fetch->content_type),
        .link = text_of(fetch->link),
        .request_id = text_of(fetch->wix_request_id[0] ? fetch->wix_request_id : fetch->request_id),
        .retry_after_ms = -1,
        .date_ms = MOMENT_NONE,
    };
    struct error failure = {0};
    int64_t now_ms = clock_now_ms(&clock_machine);
    curl_off_t sent_us = 0, first_byte_us = 0, total_us = 0;
    long status = 0, request_size = 0;

    curl_easy_getinfo(fetch->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_us);
    curl_easy_getinfo(fetch->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte_us);
    curl_easy_getinfo(fetch->easy, CURLINFO_TOTAL_TIME_T, &total_us);
    result.sent_at_ms = now_ms - (total_us - sent_us) / 1000;
    result.round_trip_ms = first_byte_us > sent_us ? (first_byte_us - sent_us) / 1000 : 0;
    if (code == CURLE_OK || fetch->was_cut) {
        curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
        result.status = (int)status;
        moment_parse_http(text_of(fetch->date), &result.date_ms, NULL);
        result.retry_after_ms = retry_after_of(fetch, result.date_ms != MOMENT_NONE ? result.date_ms : now_ms);
    } else {
        describe_failure(fetch, code, &failure);
        result.failure = &failure;
        curl_easy_getinfo(fetch->easy, CURLINFO_REQUEST_SIZE, &request_size);
        result.left = request_size > 0;
    }
    count_answer(fetch, result.status, total_us / 1000);
    fetch->answered = true;
    fetch->done(fetch->ctx, &result);
}

/* --- The loop ------------------------------------------------------------------------------------------------- */

static void unlink_fetch(struct fetch *fetch)
{
    struct fetcher *fetcher = fetch->fetcher;

    curl_multi_remove_handle(multi_curl(fetcher->multi), fetch->easy);
    if (fetch->prev)
        fetch->prev->next = fetch->next;
    else
        fetcher->fetches = fetch->next;
    if (fetch->next)
        fetch->next->prev = fetch->prev;
}

/* The owner may start and cancel others, and close us. */
static void on_ended(void *transfer, CURLcode code)
{
    struct fetch *fetch = transfer;

    unlink_fetch(fetch);
    answer(fetch, code);
    fetch_free(fetch);
}

struct fetcher *fetcher_new(uv_loop_t *loop, struct error *err)
{
    struct fetcher *fetcher = must_calloc(1, sizeof *fetcher);

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        error_set(err, ERROR_CONFIG, "curl cannot start");
        free(fetcher);
        return NULL;
    }
    if (!(fetcher->multi = multi_new(loop, on_ended))) {
        error_set(err, ERROR_CONFIG, "curl cannot start");
        curl_global_cleanup();
        free(fetcher);
        return NULL;
    }
    curl_multi_setopt(multi_curl(fetcher->multi), CURLMOPT_MAX_HOST_CONNECTIONS, (long)HOST_CONNECTIONS);
    curl_multi_setopt(multi_curl(fetcher->multi), CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)ALL_CONNECTIONS);
    return fetcher;
}

void fetcher_public(struct fetcher *fetcher)
{
    fetcher->public_only = true;
}

static void on_multi_closed(void *ctx)
{
    free(ctx);
    curl_global_cleanup(); /* not before: the transfer whose callback closed us was still to be freed */
}

void fetcher_close(struct fetcher *fetcher)
{
    if (!fetcher)
        return;
    assert(!fetcher->closed);
    while (fetcher->fetches) {
        struct fetch *fetch = fetcher->fetches;
        fetch_cancel(&fetch);
    }
    fetcher->closed = true;
    multi_close(fetcher->multi, on_multi_closed, fetcher);
}

void fetcher_meter(struct fetcher *fetcher, struct metrics *metrics)
{
    fetcher->metrics = metrics;
}

struct fetch *fetch_start(struct fetcher *fetcher, const struct fetch_spec *spec, fetch_done_fn *done, void *ctx,
                          struct error *err)
{
    struct fetch *fetch = fetch_new(spec, done, ctx, err);

    if (!fetch)
        return NULL;
    assert(!fetcher->closed && fetcher->public_only == spec->public_only);
    if (curl_multi_add_handle(multi_curl(fetcher->multi), fetch->easy) != CURLM_OK) {
        error_set(err, ERROR_TRY_LATER, "%s: the transfer could not be started", fetch->place);
        fetch_free(fetch);
        return NULL;
    }
    fetch->fetcher = fetcher;
    fetch->next = fetcher->fetches;
    if (fetch->next)
        fetch->next->prev = fetch;
    fetcher->fetches = fetch;
    return fetch;
}

void fetch_cancel(struct fetch **fetch)
{
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that what is freed has left the list */
    if (*fetch && !(*fetch)->answered) { /* one that is answering is freed after its callback */
        unlink_fetch(*fetch);
        fetch_free(*fetch);
    }
    *fetch = NULL;
}

int fetch_wait(const struct fetch_spec *spec, fetch_done_fn *done, void *ctx, struct error *err)
{
    int rc = -1;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return error_set(err, ERROR_CONFIG, "curl cannot start");
    struct fetch *fetch = fetch_new(spec, done, ctx, err);
    if (fetch) {
        answer(fetch, curl_easy_perform(fetch->easy));
        fetch_free(fetch);
        rc = 0;
    }
    curl_global_cleanup();
    return rc;
}
