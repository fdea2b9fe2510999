#include "client.h"

#include "fetch.h"
#include "mime.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum {
    ANSWER_TIMEOUT_MS = 10 * MINUTE_MS, /* an audit of a million people takes its time */
    DOWNLOAD_TIMEOUT_MS = 6 * HOUR_MS,  /* a backup over a slow line to a slow disk */
};

enum { ROWS = 5000, PATH_SIZE = 1024 };

struct reply {
    int status;
    char next[PATH_SIZE]; /* of a listing: where it goes on; "" nowhere */
    json_t *json;
    struct error failure;
};

int client_open(struct client *client, const char *config_path, struct error *err)
{
    auto_free const char **folders = settings_plugin_folders();

    *client = (struct client){.timeout_ms = ANSWER_TIMEOUT_MS};
    client->settings = settings_load(config_path, folders, stderr, err);
    if (!client->settings)
        return -1;
    for (size_t i = 0; i < client->settings->http.listen.count && !client->socket; i++)
        if (text_starts(text_of(client->settings->http.listen.at[i]), "unix:"))
            client->socket = client->settings->http.listen.at[i] + strlen("unix:");
        else if (strcmp(client->settings->http.listen.at[i], "systemd") == 0)
            client->socket = "/run/onsale.sock"; /* where onsale.socket listens */
    return 0;
}

void client_open_usual(struct client *client)
{
    *client = (struct client){.socket = SETTINGS_SOCKET, .timeout_ms = ANSWER_TIMEOUT_MS};
}

void client_close(struct client *client)
{
    store_close(client->store);
    settings_free(client->settings);
    *client = (struct client){0};
}

/* `</api/v1/notices?cursor=n17>; rel="next"` (RFC 8288): the path alone. */
static void read_link(struct text link, char next[PATH_SIZE])
{
    struct text path = text_cut(&link, '>');

    next[0] = '\0';
    if (text_starts(path, "</api/v1/") && path.len < PATH_SIZE && text_is(text_trim(link), "; rel=\"next\""))
        snprintf(next, PATH_SIZE, "%.*s", TEXT_ARGS(text_slice(path, 1, path.len)));
}

static void on_reply(void *ctx, const struct fetch_result *result)
{
    struct reply *reply = ctx;

    reply->status = result->status;
    read_link(result->link, reply->next);
    if (result->failure)
        reply->failure = *result->failure;
    else
        reply->json = json_loadb(result->body.ptr, result->body.len, 0, NULL);
}

static int problem(const json_t *json, int status, struct error *err)
{
    const char *detail = json_string_value(json_object_get(json, "detail"));

    return error_set(err, status >= 500 || status == 429 ? ERROR_TRY_LATER : ERROR_REFUSED, "%s",
                     detail ? detail : "the daemon refused");
}

int client_connect(const struct client *client, int *out, struct error *err)
{
    const char *path = client->socket;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    auto_fd int fd = path ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;

    if (!path)
        return 1;
    if (strlen(path) >= sizeof address.sun_path)
        return error_set(err, ERROR_CONFIG, "http.listen: %s is longer than a socket's name may be", path);
    strcpy(address.sun_path, path);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        *out = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* ours is closed with this function */
        return *out < 0 ? error_set(err, ERROR_TRY_LATER, "%s: %s", path, strerror(errno)) : 0;
    }
    if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR) /* a dead socket file is left from a crash */
        return 1;
    if (errno == EACCES || errno == EPERM)
        return error_set(err, ERROR_REFUSED,
                         "%s: no permission: run this as root, as the daemon's user or as a member of its group", path);
    return error_set(err, ERROR_TRY_LATER, "%s: %s", path, strerror(errno));
}

/* `path` is whole; `next` may be NULL. */
static int ask(const struct client *client, const char *method, const char *path, const json_t *body, json_t **answer,
               char *next, struct error *err)
{
    auto_free char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    char url[PATH_SIZE + 32];
    struct fetch_header header = {"Content-Type", "application/json"};
    struct fetch_spec spec = {.method = method,
                              .url = url,
                              .headers = &header,
                              .header_count = 1,
                              .body = text_of(text),
                              .body_limit = 256 << 20,
                              .timeout_ms = client->timeout_ms,
                              .unix_socket = client->socket};
    struct reply reply = {0};
    auto_fd int fd = -1; /* is there one? */
    int found = client_connect(client, &fd, err);

    if (found != 0)
        return found;
    snprintf(url, sizeof url, "http://onsale%s", path);
    if (fetch_wait(&spec, on_reply, &reply, err) < 0)
        return -1;
    if (reply.status == 0)
        return error_set(err, ERROR_TRY_LATER, "the daemon gave no answer: %s", reply.failure.text);
    if (reply.status != 200) {
        problem(reply.json, reply.status, err);
        json_decref(reply.json);
        return -1;
    }
    if (!reply.json)
        return error_set(err, ERROR_TRY_LATER, "the daemon's answer is not JSON");
    *answer = reply.json;
    if (next)
        strcpy(next, reply.next);
    return 0;
}

int client_ask(const struct client *client, const char *method, const char *path, const json_t *body, json_t **answer,
               struct error *err)
{
    char whole[PATH_SIZE];

    snprintf(whole, sizeof whole, "/api/v1/%s", path);
    return ask(client, method, whole, body, answer, NULL, err);
}

int client_no_daemon(const struct client *client, struct error *err)
{
    if (!client->socket)
        return error_set(err, ERROR_REFUSED,
                         "http.listen names no unix socket: commands that need the daemon find it by one");
    return error_set(err, ERROR_REFUSED, "no daemon runs at %s: start it by systemctl start onsale, or onsale run",
                     client->socket);
}

int client_download(const struct client *client, const char *path, int fd, bool *refused, struct error *err)
{
    char url[4096];
    struct fetch_spec spec = {
        .method = "GET", .url = url, .timeout_ms = DOWNLOAD_TIMEOUT_MS, .unix_socket = client->socket, .out_fd = fd};
    struct reply reply = {0};
    auto_fd int daemon = -1; /* is there one? */
    int found = client_connect(client, &daemon, err);

    if (found != 0)
        return found;
    if (strlen(path) > sizeof url - 32)
        return error_set(err, ERROR_REFUSED, "what is asked for has too long a name");
    snprintf(url, sizeof url, "http://onsale%s", path);
    if (fetch_wait(&spec, on_reply, &reply, err) < 0)
        return -1;
    if (reply.status == 0)
        error_set(err, ERROR_TRY_LATER, "%s", reply.failure.text);
    else if (reply.status != 200)
        problem(reply.json, reply.status, err);
    if (refused)
        *refused = reply.status != 0 && reply.status != 200;
    json_decref(reply.json);
    return reply.status == 200 ? 0 : -1;
}

struct store *client_store(struct client *client, struct error *err)
{
    struct store_spec spec = {.url = client->settings->store,
                              .instance = client->settings->instance,
                              .read_only = true,
                              .clock = &clock_machine};

    if (client->store)
        return client->store;
    struct text path = text_of(spec.url);
    text_cut(&path, ':');
    if (access(path.ptr, F_OK) < 0 && errno == ENOENT) {
        error_set(err, ERROR_REFUSED, "there is no state at %s yet: the first `onsale run` makes it", path.ptr);
        return NULL;
    }
    client->store = store_open(&spec, err);
    return client->store;
}

int client_keys(const struct store *store, struct crypt_keys *keys, struct error *err)
{
    char path[4096], mark[CRYPT_KEYS_MARK_SIZE];

    snprintf(path, sizeof path, "%s/onsale.keys", store_folder(store));
    if (crypt_keys_load(path, false, keys, err) < 0)
        return -1;
    crypt_keys_mark(keys, mark);
    return store_check_keys(store, mark, err);
}

static json_t *json_hex(const unsigned char *bytes, size_t count)
{
    auto_buf struct buf hex;

    buf_init(&hex, 2 * count + 1);
    for (size_t i = 0; i < count; i++)
        buf_addf(&hex, "%02x", bytes[i]);
    return json_string(hex.ptr);
}

/* What the API calls this report; *body is made where one is needed. */
static void path_of(const struct store_report *report, char path[PATH_SIZE], json_t **body)
{
    switch (report->kind) {
    case REPORT_NOTICES:
        snprintf(path, PATH_SIZE, "/api/v1/notices?limit=%d", ROWS);
        break;
    case REPORT_OPENINGS:
        snprintf(path, PATH_SIZE, "/api/v1/openings?limit=%d", ROWS);
        break;
    case REPORT_SUPPRESSIONS:
        snprintf(path, PATH_SIZE, "/api/v1/suppressions?limit=%d", ROWS);
        break;
    case REPORT_PRIVATE_FEEDS:
        snprintf(path, PATH_SIZE, "/api/v1/feeds?limit=%d", ROWS);
        break;
    case REPORT_PEOPLE:
        snprintf(path, PATH_SIZE, "/api/v1/notices/%lld/people?limit=%d%s%s", (long long)report->notice, ROWS,
                 report->state ? "&state=" : "", report->state ? report->state : "");
        break;
    case REPORT_AUDIT:
        snprintf(path, PATH_SIZE, "/api/v1/audit");
        break;
    case REPORT_WEBHOOKS:
        snprintf(path, PATH_SIZE, "/api/v1/webhooks");
        break;
    case REPORT_SHOW:
        snprintf(path, PATH_SIZE, "/api/v1/notices/%lld", (long long)report->notice);
        break;
    case REPORT_PERSON: /* inside of a preview, of a hook, of a launch, only */
    case REPORT_SOURCE_IDS:
    case REPORT_TONGUES:
    case REPORT_NEXT:
        break;
    case REPORT_WHY:
        snprintf(path, PATH_SIZE, "/api/v1/why");
        *body = report->address ? json_pack("{s:s}", "address", report->address)
                                : json_pack("{s:o}", "key", json_hex(report->key, sizeof report->key));
        if (report->event_id)
            json_object_set_new(*body, "event", json_string(report->event_id));
        break;
    case REPORT_EXPORT:
        snprintf(path, PATH_SIZE, "/api/v1/export");
        *body = json_pack("{s:s}", "address", report->address);
        break;
    }
}

static int report_from_store(struct client *client, const struct store_report *report, json_t **answer,
                             struct error *err)
{
    struct store *store = client_store(client, err);
    struct store_report what = *report;
    struct crypt_keys keys;
    struct address address;

    if (!store)
        return -1;
    if (report->address) {
        if (client_keys(store, &keys, err) < 0 || address_parse(text_of(report->address), &address, err) < 0)
            return -1;
        crypt_person_key(&keys, address.key, what.key);
    }
    *answer = store_report_now(store, &what, err);
    return *answer ? 0 : -1;
}

/* --- Listings ------------------------------------------------------------------------------------------------------
 */

static const char *text_in(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));

    return text ? text : "";
}

/* Should the daemon end meanwhile, the store goes on behind the last row it gave. */
static void go_behind(struct store_report *what, const json_t *row, char behind[PATH_SIZE])
{
    const char *number = what->kind == REPORT_PEOPLE ? "seq" : "id";

    what->after = json_integer_value(json_object_get(row, number));
    if (what->kind != REPORT_SUPPRESSIONS)
        return;
    snprintf(behind, PATH_SIZE, "%s %s %s", text_in(row, "at"), text_in(row, "key"), text_in(row, "scope"));
    what->behind = behind;
}

int client_list(struct client *client, struct store_report *what, client_rows_fn *each, void *ctx, struct error *err)
{
    char path[PATH_SIZE] = "", behind[PATH_SIZE];
    json_t *none = NULL;
    bool more = true;

    path_of(what, path, &none);
    what->limit = ROWS;
    while (more) {
        json_t *rows = NULL;
        int rc = client->store ? 1 : ask(client, "GET", path, NULL, &rows, path, err);
        more = *path != '\0';
        if (rc == 1) {
            rc = report_from_store(client, what, &rows, err);
            more = json_array_size(rows) == ROWS;
        }
        if (rc < 0)
            return -1;
        each(ctx, rows);
        if (json_array_size(rows) > 0)
            go_behind(what, json_array_get(rows, json_array_size(rows) - 1), behind);
        json_decref(rows);
    }
    return 0;
}

static void collect(void *ctx, const json_t *rows)
{
    json_array_extend(ctx, (json_t *)(uintptr_t)rows);
}

/* Notices by when they are due, openings by when they open. */
static int earlier(const void *a, const void *b)
{
    json_t *const *left = a, *const *right = b;
    const char *key = json_object_get(*left, "due_at") ? "due_at" : "opens_at";
    int order = strcmp(text_in(*left, key), text_in(*right, key));
    json_int_t x = json_integer_value(json_object_get(*left, "id")),
               y = json_integer_value(json_object_get(*right, "id"));

    return order ? order : (x > y) - (x < y);
}

static json_t *sorted(const json_t *rows)
{
    size_t count = json_array_size(rows);
    auto_free json_t **at = must_calloc(count + 1, sizeof(json_t *));
    json_t *out = json_array();

    for (size_t i = 0; i < count; i++)
        at[i] = json_array_get(rows, i);
    qsort(at, count, sizeof(json_t *), earlier);
    for (size_t i = 0; i < count; i++)
        json_array_append(out, at[i]);
    return out;
}

static int whole_listing(struct client *client, const struct store_report *report, json_t **answer, struct error *err)
{
    struct store_report what = *report;
    json_t *rows = json_array();
    int rc = client_list(client, &what, collect, rows, err);

    if (rc == 0)
        *answer = report->kind == REPORT_NOTICES || report->kind == REPORT_OPENINGS ? sorted(rows) : json_incref(rows);
    json_decref(rows);
    return rc;
}

int client_report(struct client *client, const struct store_report *report, json_t **answer, struct error *err)
{
    char path[PATH_SIZE] = "";
    json_t *body = NULL;

    if (report->kind == REPORT_NOTICES || report->kind == REPORT_OPENINGS || report->kind == REPORT_SUPPRESSIONS ||
        report->kind == REPORT_PEOPLE || report->kind == REPORT_PRIVATE_FEEDS)
        return whole_listing(client, report, answer, err);
    path_of(report, path, &body);
    int rc = client->store ? 1 : ask(client, body ? "POST" : "GET", path, body, answer, NULL, err);
    json_decref(body);
    return rc == 1 ? report_from_store(client, report, answer, err) : rc;
}
