/* listmonk_fake.h - tests/fakes/listmonk.py beside a table of rules. */
#ifndef ONSALE_LISTMONK_FAKE_H
#define ONSALE_LISTMONK_FAKE_H

#include "audience/audience.h"
#include "table.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static struct {
    pid_t pid;
    int port;
    char url[64];
} fake;

static inline int start_fake(void **state)
{
    int out[2];
    char script[512], line[64] = "";
    (void)state;
    snprintf(script, sizeof script, "%s/tests/fakes/listmonk.py", getenv("ONSALE_SOURCE"));
    if (pipe2(out, O_CLOEXEC) < 0)
        return -1;
    fake.pid = fork();
    if (fake.pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        execlp("python3", "python3", script, "--people", "2000", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    for (size_t len = 0; len + 1 < sizeof line && !strchr(line, '\n'); len++)
        if (read(out[0], line + len, 1) != 1)
            return -1;
    close(out[0]);
    if (sscanf(line, "listening %d", &fake.port) != 1)
        return -1;
    snprintf(fake.url, sizeof fake.url, "http://127.0.0.1:%d/", fake.port);
    return 0;
}

static inline int stop_fake(void **state)
{
    (void)state;
    kill(fake.pid, SIGKILL);
    waitpid(fake.pid, NULL, 0);
    return 0;
}

static inline void keep_json(void *ctx, const struct fetch_result *result)
{
    if (result->failure)
        fail_msg("%s", result->failure->text);
    assert_int_equal(result->status, 200);
    *(json_t **)ctx = json_loadb(result->body.ptr, result->body.len, JSON_DECODE_ANY, NULL);
}

static inline json_t *ask(const char *method, const char *path, const char *body)
{
    char url[256];
    json_t *answer = NULL;
    struct error err = {0};
    snprintf(url, sizeof url, "%s%s", fake.url, path);
    struct fetch_spec spec = {.method = method, .url = url, .body = text_of(body), .timeout_ms = 5000};
    if (fetch_wait(&spec, keep_json, &answer, &err) < 0)
        fail_msg("%s", err.text);
    assert_non_null(answer);
    return answer;
}

static inline void control(const char *wish)
{
    json_decref(ask("POST", "_control", wish));
}

static inline size_t count_requests(const char *path)
{
    json_t *log = ask("GET", "_requests", NULL), *entry;
    size_t i, count = 0;
    json_array_foreach(log, i, entry) count += strcmp(json_string_value(json_object_get(entry, "path")), path) == 0;
    json_decref(log);
    return count;
}

#endif
