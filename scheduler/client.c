#include "client.h"

#include "fetch.h"
#include "mime.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { ANSWER_TIMEOUT_MS = 10 * MINUTE_MS }; /* an audit of a million people takes its time */

struct reply {
    int status;
    json_t *json;
    struct error failure;
};

int client_open(struct client *client, const char *config_path, struct error *err)
{
    auto_free const char **folders = settings_plugin_folders();

    *client = (struct client){0};
    client->settings = settings_load(config_path, folders, stderr, err);
    if (!client->settings)
        return -1;
    for (size_t i = 0; i < client->settings->http.listen.count && !client->socket; i++)
        if (text_starts(text_of(client->settings->http.listen.at[i]), "unix:"))
            client->socket = client->settings->http.listen.at[i] + strlen("unix:");
    return 0;
}

void client_close(struct client *client)
{
    store_close(client->store);
    settings_free(client->settings);
    *client = (struct client){0};
}

static void on_reply(void *ctx, const struct fetch_result *result)
{
    struct reply *reply = ctx;

    reply->status = result->status;
    if (result->failure)
        reply->failure = *result->failure;
    else
        reply->json = json_loadb(result->body.ptr, result->body.len, 0, NULL);
}

static int problem(const json_t *json, int status, struct error *err)
{
    const char *detail = json_string_value(json_object_get(json, "detail"));

    return error_set(err, status >= 500 ? ERROR_TRY_LATER : ERROR_REFUSED, "%s",
                     detail ? detail : "the daemon refused");
}

/* 1: nobody listens. */
static int find_daemon(const char *path, struct error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (!path)
        return 1;
    if (strlen(path) >= sizeof address.sun_path)
        return error_set(err, ERROR_CONFIG, "http.listen: %s is longer than a socket's name may be", path);
    strcpy(address.sun_path, path);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return 0;
    if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR) /* a dead socket file is left from a crash */
        return 1;
    if (errno == EACCES || errno == EPERM)
        return error_set(err, ERROR_REFUSED,
                         "%s: no permission: run this as root, as the daemon's user or as a member of its group", path);
    return error_set(err, ERROR_TRY_LATER, "%s: %s", path, strerror(errno));
}

int client_ask(const struct client *client, const char *method, const char *path, const json_t *body, json_t **answer,
               struct error *err)
{
    auto_free char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    char url[1024];
    struct fetch_header header = {"Content-Type", "application/json"};
    struct fetch_spec spec = {.method = method,
                              .url = url,
                              .headers = &header,
                              .header_count = 1,
                              .body = text_of(text),
                              .body_limit = 256 << 20,
                              .timeout_ms = ANSWER_TIMEOUT_MS,
                              .unix_socket = client->socket};
    struct reply reply = {0};
    int found = find_daemon(client->socket, err);

    if (found != 0)
        return found;
    snprintf(url, sizeof url, "http://onsale/api/v1/%s", path);
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
    return 0;
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
    char path[4096];

    snprintf(path, sizeof path, "%s/onsale.keys", store_folder(store));
    return crypt_keys_load(path, false, keys, err);
}

/* What the API calls this report. */
static json_t *request_of(const struct store_report *report, char *path, size_t size)
{
    json_t *body = NULL;

    switch (report->kind) {
    case REPORT_NOTICES:
        snprintf(path, size, "notices");
        break;
    case REPORT_OPENINGS:
        snprintf(path, size, "openings");
        break;
    case REPORT_AUDIT:
        snprintf(path, size, "audit");
        break;
    case REPORT_SUPPRESSIONS:
        snprintf(path, size, "suppressions");
        break;
    case REPORT_SHOW:
        snprintf(path, size, "notices/%lld", (long long)report->notice);
        break;
    case REPORT_PEOPLE:
        snprintf(path, size, "notices/%lld/people?after=%lld&limit=%lld%s%s", (long long)report->notice,
                 (long long)report->after, (long long)report->limit, report->state ? "&state=" : "",
                 report->state ? report->state : "");
        break;
    case REPORT_PERSON: /* inside of a preview, and of a hook, only */
    case REPORT_SOURCE_IDS:
        break;
    case REPORT_WHY:
        snprintf(path, size, "why");
        body = json_pack("{s:s, s:s}", "address", report->address, "event", report->event_id ? report->event_id : "");
        break;
    }
    return body;
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
    if (report->kind == REPORT_WHY) {
        if (client_keys(store, &keys, err) < 0 || address_parse(text_of(report->address), &address, err) < 0)
            return -1;
        crypt_person_key(&keys, address.key, what.key);
    }
    *answer = store_report_now(store, &what, err);
    return *answer ? 0 : -1;
}

int client_report(struct client *client, const struct store_report *report, json_t **answer, struct error *err)
{
    char path[512] = "";
    json_t *body = request_of(report, path, sizeof path);
    int rc = client->store ? 1 : client_ask(client, body ? "POST" : "GET", path, body, answer, err);

    json_decref(body);
    return rc == 1 ? report_from_store(client, report, answer, err) : rc;
}
