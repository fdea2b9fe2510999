#include "server_private.h"

#include <string.h>
#include <strings.h>

/* What of the header fields decides where the request ends, and whose it is. */
struct form {
    unsigned hosts, lengths, codings;
    struct text length, coding;
    uint64_t size; /* the length as a number; 0: not said */
    bool broken;   /* a name or value that no client writes */
};

/* RFC 9110 section 5.6.2; libmicrohttpd lets blanks and more into names ("Content-Length : 5"). */
static bool is_token(struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        char c = t.ptr[i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') &&
            (c == '\0' || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return t.len > 0;
}

static bool is_value(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (((unsigned char)t.ptr[i] < ' ' && t.ptr[i] != '\t') || t.ptr[i] == 0x7F)
            return false;
    return true;
}

/* libmicrohttpd hangs a folded line (RFC 9112 section 5.2) on the name: "Content-Length:", " 5" is a field
 * "Content-Length5", and where the request ends is lost with it. */
static bool is_folded(struct text name)
{
    static const char *const decisive[] = {"Content-Length", "Transfer-Encoding", "X-Forwarded-For"};

    for (size_t i = 0; i < ARRAY_LEN(decisive); i++) {
        struct text known = text_of(decisive[i]);
        if (name.len > known.len && text_equal_nocase(text_slice(name, 0, known.len), known))
            return true;
    }
    return false;
}

static enum MHD_Result on_field(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                const char *value, size_t value_size)
{
    struct form *form = cls;
    struct text key = {name, name_size}, content = {value, value ? value_size : 0};

    (void)kind;
    if (!is_token(key) || !is_value(content) || is_folded(key))
        form->broken = true;
    if (text_equal_nocase(key, TEXT("Host")))
        form->hosts++;
    if (text_equal_nocase(key, TEXT("Content-Length"))) {
        form->lengths++;
        form->length = content;
    }
    if (text_equal_nocase(key, TEXT("Transfer-Encoding"))) {
        form->codings++;
        form->coding = content;
    }
    return MHD_YES;
}

/* Digits alone: a sign or a list is read differently by different programs. */
static int read_length(struct text t, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < t.len; i++) {
        if (t.ptr[i] < '0' || t.ptr[i] > '9')
            return -1;
        if (*out <= SERVER_BODY_LARGEST) /* beyond that all are too large */
            *out = *out * 10 + (uint64_t)(t.ptr[i] - '0');
    }
    return t.len > 0 ? 0 : -1;
}

static int check_fields(struct form *form, const char *version, struct error *err)
{
    bool old = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;

    if (form->broken)
        error_set(err, ERROR_REFUSED, "a header field holds characters that none may hold");
    else if (form->hosts > 1 || (form->hosts == 0 && !old))
        error_set(err, ERROR_REFUSED, "a request has one Host");
    else if (form->lengths + form->codings > 1)
        error_set(err, ERROR_REFUSED, "a request says once how long it is: by Content-Length or by Transfer-Encoding");
    else if (form->codings && (old || !text_equal_nocase(form->coding, TEXT("chunked"))))
        error_set(err, ERROR_REFUSED, "Transfer-Encoding: only chunked is understood");
    else if (form->lengths && read_length(form->length, &form->size) < 0)
        error_set(err, ERROR_REFUSED, "Content-Length: expected a number");
    else
        return 0;
    return 400;
}

/* The path says how large a body may be. */
static int check_size(struct server_request *request, uint64_t size, struct error *err)
{
    const struct server *server = request->listener->server;
    size_t most = server->body_max ? server->body_max(server->ctx, request->target.path) : 0;

    if (most > 0)
        request->body.limit = most;
    if (size <= request->body.limit)
        return 0;
    server_form_too_large(request, err);
    return 413;
}

void server_form_too_large(const struct server_request *request, struct error *err)
{
    error_set(err, ERROR_REFUSED, "the request is larger than %zu KiB", request->body.limit / 1024);
}

static bool one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

static int check_method(const char *method, struct error *err)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "OPTIONS", NULL}, *const others[] = {"PUT",     "PATCH",
                                                                                                    "DELETE",  "TRACE",
                                                                                                    "CONNECT", NULL};

    if (one_of(method, known))
        return 0;
    error_set(err, ERROR_REFUSED, "only " SERVER_METHODS " are understood");
    return one_of(method, others) ? 405 : 501;
}

int server_form_check(struct server_request *request, const char *method, const char *version, struct error *err)
{
    struct form form = {0};

    MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, on_field, &form);
    int refused = check_fields(&form, version, err);
    if (!refused)
        refused = check_method(method, err);
    if (!refused && target_read(request->raw_target, &request->target, err) < 0)
        refused = 400;
    if (!refused && strcmp(request->target.path, "*") == 0 && strcmp(method, "OPTIONS") != 0) {
        error_set(err, ERROR_REFUSED, "the request names no path");
        refused = 400;
    }
    return refused ? refused : check_size(request, form.size, err);
}
