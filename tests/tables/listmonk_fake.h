/* listmonk_fake.h - tests/fakes/listmonk.py beside a table of rules. */
#ifndef ONSALE_LISTMONK_FAKE_H
#define ONSALE_LISTMONK_FAKE_H

#include "audience/audience.h"
#include "fake.h"

#include <jansson.h>
#include <string.h>

static struct fake fake;
static char fake_url[64];

static inline int start_fake(void **state)
{
    (void)state;
    fake_start(&fake, "exec python3 -B listmonk.py --people 2000");
    snprintf(fake_url, sizeof fake_url, "http://127.0.0.1:%d/", fake.port);
    return 0;
}

static inline int stop_fake(void **state)
{
    (void)state;
    fake_stop(&fake);
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
    snprintf(url, sizeof url, "%s%s", fake_url, path);
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
