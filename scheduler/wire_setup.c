/* Every habit of libcurl that this file and wire.c lean on is asserted by tests/tables/curl_behaviour.c: another
 * version fails there. */
#include "wire_setup.h"

#include <string.h>

enum {
    CAPABILITIES_MAX = 16 * 1024,
    LINE_MAX_KEPT = 300,
};

struct wire_setup {
    bool log_in, logged_in;
    bool in_block;           /* an EHLO answer is being read */
    struct buf capabilities; /* of the last 250 answer */
    char last_line[LINE_MAX_KEPT];
    int last_code;
    char failure[CURL_ERROR_SIZE];
};

/* ---- what the server says ---- */

static size_t on_curl_line(char *ptr, size_t size, size_t count, void *ctx)
{
    struct wire_setup *setup = ctx;
    struct text line = text_trim((struct text){ptr, size * count});
    int64_t code;

    if (line.len < 3 || parse_i64(text_slice(line, 0, 3), 100, 999, &code, NULL) < 0)
        return size * count;
    setup->last_code = (int)code;
    snprintf(setup->last_line, sizeof setup->last_line, "%.*s", TEXT_ARGS(line));
    if (code == 235)
        setup->logged_in = true;
    if (code != 250) {
        setup->in_block = false;
        return size * count;
    }
    if (!setup->in_block)
        buf_reset(&setup->capabilities);
    buf_add_text(&setup->capabilities, text_slice(line, 4, line.len));
    buf_addc(&setup->capabilities, '\n');
    setup->in_block = line.len > 3 && line.ptr[3] == '-';
    return size * count;
}

const char *wire_setup_capabilities(const struct wire_setup *setup)
{
    if (buf_failed(&setup->capabilities))
        return NULL;
    return setup->capabilities.ptr ? setup->capabilities.ptr : "";
}

/* ---- how it ended ---- */

bool wire_setup_worked(const struct wire_setup *setup, CURLcode code)
{
    return code == CURLE_OK && (setup->logged_in || !setup->log_in);
}

static enum wire_failure failure_of(const struct wire_setup *setup, CURLcode code)
{
    switch (code) {
    case CURLE_OK: /* and no 235 came: no log-in was offered */
        return WIRE_WRONG_LOGIN;
    case CURLE_LOGIN_DENIED:
        return setup->last_code / 100 == 4 ? WIRE_NO_LOGIN : WIRE_WRONG_LOGIN;
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

struct wire_fault wire_setup_fault(const struct wire_setup *setup, CURLcode code)
{
    static const char *const said[] = {
        [WIRE_UNREACHABLE] = "cannot connect", [WIRE_UNWELCOME] = "the server does not want us",
        [WIRE_NO_TLS] = "no safe TLS",         [WIRE_NO_LOGIN] = "log-in refused for now",
        [WIRE_WRONG_LOGIN] = "log-in refused",
    };
    enum wire_failure failure = failure_of(setup, code);
    bool replied = failure == WIRE_UNWELCOME || failure == WIRE_NO_LOGIN || failure == WIRE_WRONG_LOGIN;
    struct wire_fault fault = {.failure = failure, .code = replied ? setup->last_code : 0};

    if (code == CURLE_OK)
        snprintf(fault.text, sizeof fault.text, "the server offers no log-in, but a username is configured");
    else if (replied && setup->last_line[0])
        snprintf(fault.text, sizeof fault.text, "%s: %s", said[failure], setup->last_line);
    else
        snprintf(fault.text, sizeof fault.text, "%s: %s", said[failure],
                 setup->failure[0] ? setup->failure : curl_easy_strerror(code));
    return fault;
}

/* ---- what libcurl is told ---- */

static bool host_is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (strncmp(host, "127.", 4) == 0 && host[strspn(host, "0123456789.")] == '\0');
}

static int check_url(const struct wire_spec *spec, struct error *err)
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
    } else if (spec->plain && strcmp(scheme, "smtps") == 0) {
        rc = error_set(err, ERROR_CONFIG, "smtps:// is TLS: it cannot be off");
    } else if (spec->plain && !host_is_loopback(host)) {
        rc = error_set(err, ERROR_CONFIG, "TLS can be off for loopback only, and this is %s", host);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_url_cleanup(url);
    return rc;
}

static bool set_options(struct wire_setup *setup, CURL *easy, const struct wire_spec *spec)
{
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
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, setup->failure) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_curl_line) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, setup) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_USE_SSL, (long)(spec->plain ? CURLUSESSL_NONE : CURLUSESSL_ALL)) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;

    if (ok && spec->ca_file && spec->ca_file[0])
        ok = curl_easy_setopt(easy, CURLOPT_CAINFO, spec->ca_file) == CURLE_OK;
    if (ok && setup->log_in) /* within TLS or on loopback these two are right; libcurl would try weaker ones first */
        ok = curl_easy_setopt(easy, CURLOPT_USERNAME, spec->username) == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_PASSWORD, spec->password ? spec->password : "") == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN") == CURLE_OK &&
             curl_easy_setopt(easy, CURLOPT_SASL_IR, 1L) == CURLE_OK;
    return ok;
}

struct wire_setup *wire_setup_new(CURL *easy, const struct wire_spec *spec, struct error *err)
{
    if (check_url(spec, err) < 0)
        return NULL;
    struct wire_setup *setup = must_calloc(1, sizeof *setup);
    setup->log_in = spec->username && spec->username[0];
    buf_init(&setup->capabilities, CAPABILITIES_MAX);
    if (set_options(setup, easy, spec))
        return setup;
    error_set(err, ERROR_CONFIG, "libcurl cannot do this: %s", spec->url);
    curl_easy_reset(easy); /* it would write into what is freed */
    wire_setup_free(setup);
    return NULL;
}

void wire_setup_free(struct wire_setup *setup)
{
    if (!setup)
        return;
    buf_clear(&setup->capabilities);
    free(setup);
}
