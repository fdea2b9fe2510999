#include "doors.h"

#include "api.h"
#include "feeds.h"
#include "health.h"
#include "hooks.h"
#include "launch.h"
#include "notify.h"
#include "pages.h"
#include "scrape.h"

#include <string.h>
#include <sys/resource.h>

enum fixed { FIXED_LISTEN, FIXED_PROXIES, FIXED_CONNECTIONS, FIXED_RATE, FIXED_KEYS };

struct doors {
    struct world *world;
    struct auth *auth;
    struct server *server;
    struct origin_net *proxies;
    size_t proxy_count;
    struct api *api;
    struct hooks *hooks;
    struct pages *pages;
    struct scrape scrape;
    struct feeds *feeds;
    char *opened[FIXED_KEYS]; /* what the configuration said of them at the start */
};

/* --- One function a door ------------------------------------------------------------------------------------------ */

static void at_api(struct doors *doors, struct server_request *request, const struct server_call *call)
{
    api_handle(doors->api, request, call);
}

static void at_hooks(struct doors *doors, struct server_request *request, const struct server_call *call)
{
    hooks_handle(doors->hooks, request, call);
}

static void at_health(struct doors *doors, struct server_request *request, const struct server_call *call)
{
    char who[AUTH_WHO_SIZE];
    bool known = call->local || *call->authorization;

    health_handle(doors->world, request, call, known && auth_judge(doors->auth, call, TOKEN_READ, who) == AUTH_FINE);
}

static void at_pages(struct doors *doors, struct server_request *request, const struct server_call *call)
{
    pages_handle(doors->pages, request, call);
}

static void at_metrics(struct doors *doors, struct server_request *request, const struct server_call *call)
{
    feeds_measure(doors->feeds, doors->world->metrics);
    scrape_handle(&doors->scrape, request, call);
}

static void at_feeds(struct doors *doors, struct server_request *request, const struct server_call *call)
{
    feeds_handle(doors->feeds, request, call);
}

/* By the beginning of the path where it ends in '/', else by the whole of it. */
static const struct door {
    const char *path;
    void (*handle)(struct doors *doors, struct server_request *request, const struct server_call *call);
} table[] = {
    {"/feeds/", at_feeds},   {"/api/", at_api},      {"/hooks/", at_hooks},    {"/u/", at_pages},
    {"/healthz", at_health}, {"/readyz", at_health}, {"/metrics", at_metrics}, {"/robots.txt", at_feeds},
};

static bool leads_to(const struct door *door, struct text path)
{
    struct text own = text_of(door->path);

    return own.ptr[own.len - 1] == '/' ? text_starts(path, door->path) : text_equal(path, own);
}

static bool charges(void *ctx, const char *path)
{
    (void)ctx;
    return hooks_charge(path) || feeds_charge(path);
}

static size_t body_max(void *ctx, const char *path)
{
    (void)ctx;
    return hooks_body_max(path);
}

static bool is_calm(void *ctx)
{
    const struct world *world = ((struct doors *)ctx)->world;

    return world->launches && launches_rest(world->launches);
}

static void on_request(void *ctx, struct server_request *request, const struct server_call *call)
{
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (leads_to(&table[i], text_of(call->path))) {
            server_route(request, table[i].path);
            table[i].handle(ctx, request, call);
            return;
        }
    server_refuse(request, 404, "there is nothing here");
}

/* --- Beginning and end -------------------------------------------------------------------------------------------- */

/* Checked by settings_check(). */
static void read_proxies(struct doors *doors, const struct config_list *list)
{
    doors->proxies = must_calloc(list->count * ARRAY_LEN(origin_loopback) + 1, sizeof *doors->proxies);
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->at[i], "loopback") != 0)
            origin_net_read(text_of(list->at[i]), &doors->proxies[doors->proxy_count++], NULL);
        else
            for (size_t k = 0; k < ARRAY_LEN(origin_loopback); k++)
                doors->proxies[doors->proxy_count++] = origin_loopback[k];
    }
}

static bool wants_handed(const struct config_list *listen)
{
    for (size_t i = 0; i < listen->count; i++)
        if (strcmp(listen->at[i], "systemd") == 0)
            return true;
    return false;
}

/* What was handed over and nobody wants would take connections that nobody answers. */
static void refuse_handed(size_t handed, struct log *log)
{
    for (size_t i = 0; i < handed; i++)
        close(NOTIFY_FIRST_SOCKET + (int)i);
    if (handed > 0)
        log_line(log, LOG_WARNING, "event=sockets_closed what=\"handed over, but http.listen does not say systemd\"");
}

static struct config_rate rate_of(const struct http_settings *http)
{
    return http->rate.count > 0 ? http->rate.at[0] : (struct config_rate){0};
}

/* Each connection is a descriptor, and so are files and what else is connected; shells and systemd give 1024 to who
 * does not ask for more. */
static void raise_descriptors(size_t connections, struct log *log)
{
    enum { UNIX_AND_OTHERS = 2048 };
    struct rlimit limit;
    rlim_t wanted = connections + UNIX_AND_OTHERS;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur < wanted)
        log_line(log, LOG_WARNING, "event=few_descriptors have=%llu wanted=%llu", (unsigned long long)limit.rlim_cur,
                 (unsigned long long)wanted);
}

/* --- What stays as it was opened -----------------------------------------------------------------------------------
 */

static void add_list(struct buf *out, const struct config_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        buf_addf(out, "%s%s", i ? ", " : "", list->at[i]);
    if (!list->count)
        buf_adds(out, "nothing");
}

static void add_fixed(struct buf *out, const struct http_settings *http, enum fixed key)
{
    struct config_rate rate = rate_of(http);

    switch (key) {
    case FIXED_LISTEN:
        add_list(out, &http->listen);
        break;
    case FIXED_PROXIES:
        add_list(out, &http->proxies);
        break;
    case FIXED_CONNECTIONS:
        buf_addf(out, "%lld", (long long)http->connections);
        break;
    case FIXED_RATE:
        buf_addf(out, rate.count ? "%lld in " : "without limit", (long long)rate.count);
        if (rate.count)
            buf_add_span(out, rate.per_ms);
        break;
    case FIXED_KEYS:
        break;
    }
}

static void remember_opened(struct doors *doors, const struct http_settings *http)
{
    for (enum fixed key = 0; key < FIXED_KEYS; key++) {
        struct buf text;
        buf_init(&text, 16 * 1024);
        add_fixed(&text, http, key);
        doors->opened[key] = buf_take(&text);
    }
}

void doors_add_waiting(const struct doors *doors, const struct http_settings *next, struct buf *out)
{
    static const char *const names[FIXED_KEYS] = {"listen", "proxies", "connections", "rate"};

    for (enum fixed key = 0; key < FIXED_KEYS; key++) {
        auto_buf struct buf text;
        buf_init(&text, 16 * 1024);
        add_fixed(&text, next, key);
        if (!text_is(buf_text(&text), doors->opened[key]))
            buf_addf(out, "%shttp.%s is %s and not %.*s", out->len ? "; " : "", names[key], doors->opened[key],
                     TEXT_ARGS(buf_text(&text)));
    }
}

struct doors *doors_open(uv_loop_t *loop, const struct http_settings *http, size_t handed, struct world *world,
                         struct error *err)
{
    struct doors *doors = must_calloc(1, sizeof *doors);
    struct server_spec spec = {
        .loop = loop,
        .listen = http->listen.at,
        .listen_count = http->listen.count,
        .handed_first = NOTIFY_FIRST_SOCKET,
        .handed_count = handed,
        .connections = (size_t)http->connections,
        .rate = rate_of(http),
        .seed = crypt_random_u64(),
        .log = world->log,
        .metrics = world->metrics,
        .handler = on_request,
        .charges = charges,
        .body_max = body_max,
        .calm = is_calm,
        .ctx = doors,
    };

    doors->world = world;
    remember_opened(doors, http);
    doors->auth = auth_new(world->clock, world->log, err);
    if (doors->auth) {
        auth_set_tokens(doors->auth, http->tokens, http->token_count);
        read_proxies(doors, &http->proxies);
        spec.proxies = doors->proxies;
        spec.proxy_count = doors->proxy_count;
        if (!wants_handed(&http->listen))
            refuse_handed(handed, world->log);
        doors->api = api_new(world, doors->auth);
        doors->hooks = hooks_new(world, doors->auth, http);
        doors->pages = pages_new(world);
        doors->feeds = feeds_new(world);
        raise_descriptors((size_t)http->connections, world->log);
        doors->server = server_new(&spec, err);
        doors->scrape = (struct scrape){world, doors->server, doors->auth, http->metrics == METRICS_OPEN};
    }
    if (doors->server)
        return doors;
    doors_close(doors);
    return NULL;
}

void doors_reload(struct doors *doors, const struct http_settings *http)
{
    doors->scrape.open = http->metrics == METRICS_OPEN;
    if (auth_set_tokens(doors->auth, http->tokens, http->token_count))
        api_tokens_changed(doors->api);
    hooks_reload(doors->hooks, http);
}

/* The server goes last: it answers what still waits. */
void doors_close(struct doors *doors)
{
    if (!doors)
        return;
    api_close(doors->api);
    hooks_close(doors->hooks);
    pages_close(doors->pages);
    feeds_close(doors->feeds);
    server_close(doors->server);
    auth_free(doors->auth);
    for (enum fixed key = 0; key < FIXED_KEYS; key++)
        free(doors->opened[key]);
    free(doors->proxies);
    free(doors);
}
