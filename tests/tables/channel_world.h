/* channel_world.h - a channel with a real plugin and all it needs, for tables of rules: send, let the loop run, look at
 * what came back. */
#ifndef ONSALE_CHANNEL_WORLD_H
#define ONSALE_CHANNEL_WORLD_H

#include "channel.h"
#include "table.h"
#include "wire.h"

#include <string.h>

enum { RESULTS_MAX = 4096 };

struct world {
    uv_loop_t loop;
    struct log log;
    struct alarms *alarms;
    struct fetcher *fetcher;
    struct wires *wires;
    struct config_doc *doc;
    struct config_items notifiers;
    struct channel *channel;
    struct channel_result results[RESULTS_MAX];
    char texts[RESULTS_MAX][200];
    size_t count, wanted;
    unsigned troubles, wells, rooms;
    bool needs_person, asked, timed_out;
    char trouble[300];
    uv_timer_t limit;
};

static char folder[] = "/tmp/onsale-channel-XXXXXX"; /* of the whole table; relative paths of options begin here */

static inline void on_finish(void *ctx, struct channel *channel, const struct channel_result *result)
{
    struct world *world = ctx;

    assert_true(world->count < RESULTS_MAX);
    snprintf(world->texts[world->count], sizeof *world->texts, "%s", result->text ? result->text : "");
    world->results[world->count++] = *result;
    channel_settled(channel, 1);
}

static inline void on_trouble(void *ctx, struct channel *channel, const char *text, bool needs_person)
{
    struct world *world = ctx;
    (void)channel;
    world->troubles++;
    world->needs_person = needs_person;
    snprintf(world->trouble, sizeof world->trouble, "%s", text);
}

static inline void on_well(void *ctx, struct channel *channel)
{
    (void)channel;
    ((struct world *)ctx)->wells++;
}

static inline void on_room(void *ctx, struct channel *channel)
{
    (void)channel;
    ((struct world *)ctx)->rooms++;
}

static inline void on_asked(void *ctx, struct channel *channel, const struct channel_wait *wait)
{
    struct world *world = ctx;
    (void)channel;
    world->asked = wait != NULL;
}

static inline void on_limit(uv_timer_t *timer)
{
    ((struct world *)timer->data)->timed_out = true;
}

struct top {
    struct config_items notifiers;
};
static const struct config_option top_options[] = {
    {.name = "notifiers",
     .type = CONFIG_ITEMS,
     .offset = offsetof(struct top, notifiers),
     .inside = channel_options,
     .item_size = sizeof(struct channel_settings),
     .open = true},
    {0},
};

static inline const char *const *plugin_folders(void)
{
    static const char *folders[2];
    folders[0] = getenv("ONSALE_BUILD");
    return folders;
}

static inline struct channel *channel_made(struct world *world, struct error *err)
{
    struct channel_events events = {on_finish, on_trouble, on_well, on_room, on_asked, world};
    const struct channel_settings *settings = world->notifiers.at;
    struct channel_plugin *plugin = channel_plugin_find(plugin_folders(), settings->plugin, err);
    struct channel *channel = NULL;

    if (!plugin)
        return NULL;
    void *state = must_calloc(1, channel_plugin_state_size(plugin));
    config_read_at(world->doc, world->notifiers.places[0], channel_plugin_options(plugin), channel_options, state);
    if (config_check(world->doc, err) < 0)
        free(state);
    else
        channel = channel_new(settings, plugin, state,
                              &(struct channel_parts){.loop = &world->loop,
                                                      .clock = &clock_machine,
                                                      .alarms = world->alarms,
                                                      .fetcher = world->fetcher,
                                                      .wires = world->wires,
                                                      .log = &world->log},
                              &events, err);
    channel_plugin_free(plugin); /* the channel goes on without it */
    return channel;
}

/* `options`: the lines of the notifier, each beginning with a comma in flow style. */
static inline struct world *world_new(const char *plugin_name, const char *options, struct error *err)
{
    struct world *world = must_calloc(1, sizeof *world);
    auto_buf struct buf yaml;
    struct top top = {0};

    uv_loop_init(&world->loop);
    log_init(&world->log, LOG_ERROR);
    world->alarms = alarms_new(&world->loop, &clock_machine, NULL);
    world->fetcher = fetcher_new(&world->loop, NULL);
    world->wires = wires_new(&world->loop, NULL);
    uv_timer_init(&world->loop, &world->limit);
    world->limit.data = world;
    buf_init(&yaml, 4096);
    buf_addf(&yaml, "notifiers: [{name: mail, plugin: %s%s}]\n", plugin_name, options);
    world->doc = config_parse("test", folder, buf_text(&yaml));
    config_read(world->doc, top_options, &top);
    if (config_check(world->doc, err) < 0)
        return world;
    world->notifiers = top.notifiers;
    world->channel = channel_made(world, err);
    return world;
}

static inline void world_free(struct world *world)
{
    channel_free(world->channel);
    uv_close((uv_handle_t *)&world->limit, NULL);
    for (int i = 0; i < 3; i++)
        uv_run(&world->loop, UV_RUN_NOWAIT);
    uv_run(&world->loop, UV_RUN_DEFAULT); /* a plugin's work on the pool */
    alarms_close(world->alarms);
    fetcher_close(world->fetcher);
    wires_close(world->wires);
    uv_run(&world->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&world->loop), 0);
    config_free(world->doc);
    free(world);
}

#define BODY "Subject: now\r\n\r\n.dots\r\n..\r\n.\r\nend\r\n" /* what dots can do wrong */

static inline void send_one(struct world *world, uint32_t seq, const char *to)
{
    char token[32];
    struct channel_delivery delivery = {
        .notice = 1, .seq = seq, .attempt = 1, .to = to, .from = "bounces@shop.example", .token = token};

    snprintf(token, sizeof token, "t%04u", seq);
    buf_init(&delivery.raw, 1 << 24);
    buf_addf(&delivery.raw, "Message-ID: <%s@shop.example>\r\n" BODY, token);
    channel_claimed(world->channel, clock_now_ms(&clock_machine), 1);
    channel_send(world->channel, &delivery);
    assert_int_equal(delivery.raw.len, 0);
    buf_clear(&delivery.raw);
}

static inline void run_until(struct world *world, size_t wanted, int64_t limit_ms)
{
    world->timed_out = false;
    uv_update_time(&world->loop);
    uv_timer_start(&world->limit, on_limit, (uint64_t)limit_ms, 0);
    while (world->count < wanted && !world->timed_out)
        uv_run(&world->loop, UV_RUN_ONCE);
    uv_timer_stop(&world->limit);
}

static inline void run_for(struct world *world, int64_t ms)
{
    run_until(world, SIZE_MAX, ms);
}

static inline const char *scope_name(enum channel_scope scope)
{
    static const char *const names[] = {"address", "message", "channel"};
    return names[scope];
}

/* "accepted*3 refused/address/550*1": in order of first appearance by fate. */
static inline void summarize(const struct world *world, struct buf *out)
{
    bool counted[RESULTS_MAX] = {0};

    for (int fate = 0; fate < FATES; fate++)
        for (size_t i = 0; i < world->count; i++) {
            const struct channel_result *one = &world->results[i];
            size_t same = 0;
            if (counted[i] || (int)one->fate != fate)
                continue;
            for (size_t k = i; k < world->count; k++) {
                const struct channel_result *other = &world->results[k];
                if (other->fate == one->fate && other->scope == one->scope && other->code == one->code) {
                    counted[k] = true;
                    same++;
                }
            }
            buf_addf(out, "%s%s", out->len ? " " : "", fate_name(one->fate));
            if (one->fate != FATE_ACCEPTED)
                buf_addf(out, "/%s/%d", scope_name(one->scope), one->code);
            buf_addf(out, "*%zu", same);
        }
}

#endif
