/* The channel with its real plugins, against a mail server that does as told (tests/fakes/smtp_sink.py). A row: how
 * the server behaves, and what must come back. */
#include "channel.h"
#include "table.h"
#include "wire.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { RESULTS_MAX = 4096 };

/* ---- the world around a channel ---- */

struct sink {
    pid_t pid;
    int port, control;
    FILE *log; /* read from where the row began */
};

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

static char folder[] = "/tmp/onsale-channel-XXXXXX";
static struct sink plain, tls, tls_at_once;

static void on_finish(void *ctx, struct channel *channel, const struct channel_result *result)
{
    struct world *world = ctx;

    assert_true(world->count < RESULTS_MAX);
    snprintf(world->texts[world->count], sizeof *world->texts, "%s", result->text ? result->text : "");
    world->results[world->count++] = *result;
    channel_settled(channel, 1);
}

static void on_trouble(void *ctx, struct channel *channel, const char *text, bool needs_person)
{
    struct world *world = ctx;
    (void)channel;
    world->troubles++;
    world->needs_person = needs_person;
    snprintf(world->trouble, sizeof world->trouble, "%s", text);
}

static void on_well(void *ctx, struct channel *channel)
{
    (void)channel;
    ((struct world *)ctx)->wells++;
}

static void on_room(void *ctx, struct channel *channel)
{
    (void)channel;
    ((struct world *)ctx)->rooms++;
}

static void on_asked(void *ctx, struct channel *channel, const struct channel_wait *wait)
{
    struct world *world = ctx;
    (void)channel;
    world->asked = wait != NULL;
}

static void on_limit(uv_timer_t *timer)
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

static const char *const *plugin_folders(void)
{
    static const char *folders[2];
    folders[0] = getenv("ONSALE_BUILD");
    return folders;
}

static struct channel *channel_made(struct world *world, struct error *err)
{
    struct channel_events events = {on_finish, on_trouble, on_well, on_room, on_asked, world};
    const struct channel_settings *settings = world->notifiers.at;
    const struct channel_plugin *plugin = channel_plugin_find(plugin_folders(), settings->plugin, err);

    if (!plugin)
        return NULL;
    void *state = must_calloc(1, channel_plugin_state_size(plugin));
    config_read_at(world->doc, world->notifiers.places[0], channel_plugin_options(plugin), channel_options, state);
    if (config_check(world->doc, err) < 0) {
        free(state);
        return NULL;
    }
    struct channel_parts parts = {&world->loop, &clock_machine, world->alarms,   world->fetcher,
                                  world->wires, &world->log,    plugin_folders()};
    return channel_new(settings, plugin, state, &parts, &events, err);
}

/* `options`: the lines of the notifier, each beginning with a comma in flow style. */
static struct world *world_new(const char *plugin_name, const char *options, struct error *err)
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

static void world_free(struct world *world)
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

static void send_one(struct world *world, uint32_t seq, const char *to)
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

static void run_until(struct world *world, size_t wanted, int64_t limit_ms)
{
    world->timed_out = false;
    uv_update_time(&world->loop);
    uv_timer_start(&world->limit, on_limit, (uint64_t)limit_ms, 0);
    while (world->count < wanted && !world->timed_out)
        uv_run(&world->loop, UV_RUN_ONCE);
    uv_timer_stop(&world->limit);
}

static void run_for(struct world *world, int64_t ms)
{
    run_until(world, SIZE_MAX, ms);
}

/* ---- the sink ---- */

static void sink_start(struct sink *sink, const char *name)
{
    bool with_tls = sink != &plain;
    char script[400], log[200], cert[200], key[200], line[64];
    int out[2];
    const char *arguments[16] = {"python3", script, "--log", log};

    snprintf(script, sizeof script, "%s/tests/fakes/smtp_sink.py", getenv("ONSALE_SOURCE"));
    snprintf(log, sizeof log, "%s/%s.log", folder, name);
    snprintf(cert, sizeof cert, "%s/server.pem", folder);
    snprintf(key, sizeof key, "%s/server.key", folder);
    if (with_tls) {
        arguments[4] = "--cert";
        arguments[5] = cert;
        arguments[6] = "--key";
        arguments[7] = key;
        arguments[8] = sink == &tls_at_once ? "--smtps" : NULL;
    }
    fclose(fopen(log, "w"));
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    sink->pid = fork();
    if (sink->pid == 0) {
        dup2(out[1], 1);
        execvp("python3", (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    close(out[1]);
    FILE *ready = fdopen(out[0], "r");
    assert_non_null(fgets(line, sizeof line, ready));
    assert_int_equal(sscanf(line, "listening %d", &sink->port), 1);
    assert_non_null(fgets(line, sizeof line, ready));
    assert_int_equal(sscanf(line, "control %d", &sink->control), 1);
    fclose(ready);
    sink->log = fopen(log, "r");
}

static void sink_stop(struct sink *sink)
{
    kill(sink->pid, SIGKILL);
    waitpid(sink->pid, NULL, 0);
    fclose(sink->log);
}

static void sink_ask(struct sink *sink, const char *order, char *answer, size_t size)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)sink->control)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    dprintf(fd, "%s\n", order);
    FILE *in = fdopen(fd, "r");
    assert_non_null(fgets(answer, (int)size, in));
    assert_non_null(strchr(answer, '\n'));
    fclose(in);
}

static void sink_tell(struct sink *sink, const char *order)
{
    char answer[64];

    sink_ask(sink, order, answer, sizeof answer);
}

/* "connections" (attempts), "behind" (envelopes right behind a final dot) ...; since the sink began. */
static int sink_count(struct sink *sink, const char *what)
{
    char answer[16 * 1024], key[40];

    sink_ask(sink, "{\"op\": \"counts\"}", answer, sizeof answer);
    snprintf(key, sizeof key, "\"%s\": ", what);
    const char *at = strstr(answer, key);
    assert_non_null(at);
    return atoi(at + strlen(key));
}

/* Messages taken since the last call. They must have arrived byte for byte, as far as their length tells. */
static int sink_taken(struct sink *sink)
{
    char line[1000], size[40];
    int taken = 0;

    clearerr(sink->log);
    snprintf(size, sizeof size, "\"size\": %zu}", strlen("Message-ID: <t0000@shop.example>\r\n" BODY));
    while (fgets(line, sizeof line, sink->log)) {
        if (!strstr(line, "\"result\": \"taken\""))
            continue;
        taken++;
        if (!strstr(line, size) || !strstr(line, "\"message_id\": \"t"))
            fail_msg("not what was sent (%s): %s", size, line);
    }
    return taken;
}

static const char *scope_name(enum channel_scope scope)
{
    static const char *const names[] = {"address", "message", "channel"};
    return names[scope];
}

/* "accepted*3 refused/address/550*1": in order of first appearance by fate. */
static void summarize(const struct world *world, struct buf *out)
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

static const struct row {
    const char *name;
    const char *behaviour;
    const char *options;
    int count; /* messages, to p0@x.example, p1@... */
    const char *expected;
    int taken;    /* by the sink */
    char trouble; /* 0 none, 't' trouble, 'p' needs a person */
    enum { PLAIN, STARTTLS, SMTPS } way;
} rows[] = {
    {"all well", "{}", "", 50, "accepted*50", 50, 0, PLAIN},
    {"without pipelining", "{\"no_pipelining\": true}", "", 50, "accepted*50", 50, 0, PLAIN},
    {"lower-case keywords", "{\"lower_case\": true}", "", 20, "accepted*20", 20, 0, PLAIN},
    {"replies byte by byte", "{\"split\": true}", ", connections: 2", 10, "accepted*10", 10, 0, PLAIN},
    {"coalesced replies", "{\"coalesce\": true}", "", 30, "accepted*30", 30, 0, PLAIN},
    {"multi-line replies", "{\"mail\": \"250 2.1.0 yes\\nindeed\", \"dot\": \"250 2.0.0 taken\\nas 12\"}", "", 10,
     "accepted*10", 10, 0, PLAIN},
    {"one recipient refused", "{\"refuse\": [{\"to\": \"p3@*\", \"reply\": \"550 5.1.1 <p3@x.example> unknown\"}]}",
     ", connections: 1", 10, "accepted*9 refused/address/550*1", 9, 0, PLAIN},
    {"one recipient refused, 354 all the same",
     "{\"data_always\": true, \"refuse\": [{\"to\": \"p3@*\", \"reply\": \"550 5.1.1 unknown\"}]}", ", connections: 1",
     10, "accepted*9 refused/address/550*1", 9, 0, PLAIN},
    {"refused without pipelining",
     "{\"no_pipelining\": true, \"refuse\": [{\"to\": \"p3@*\", \"reply\": \"550 5.1.1 unknown\"}]}",
     ", connections: 1", 10, "accepted*9 refused/address/550*1", 9, 0, PLAIN},
    {"every third mailbox busy", "{\"refuse_every\": 3, \"refuse_reply\": \"450 4.2.1 busy\"}", ", connections: 1", 9,
     "accepted*6 try later/address/450*3", 6, 0, PLAIN},
    {"refused at DATA", "{\"refuse\": [{\"to\": \"p1@*\", \"at\": \"data\", \"reply\": \"451 4.3.0 disk\"}]}",
     ", connections: 1", 5, "accepted*4 try later/channel/451*1", 4, 0, PLAIN},
    {"refused at the dot", "{\"refuse\": [{\"to\": \"p1@*\", \"at\": \"dot\", \"reply\": \"554 5.7.1 spam\"}]}",
     ", connections: 1", 5, "accepted*4 refused/message/554*1", 4, 0, PLAIN},
    {"policy for all", "{\"mail\": \"550 5.7.1 not you\"}", ", connections: 1", 4, "refused/message/550*4", 0, 0,
     PLAIN},
    {"a stream that is refused at the dot", "{\"behind\": \"refuse_body\"}", ", connections: 4", 60, "accepted*60", 60,
     0, PLAIN},
    {"a stream that is refused at MAIL", "{\"behind\": \"refuse_mail\"}", ", connections: 4", 60, "accepted*60", 60, 0,
     PLAIN},
    {"a stream that is lost", "{\"behind\": \"lose\"}", ", connections: 4, command_timeout: 300ms", 60, "accepted*60",
     60, 0, PLAIN},
    {"a stream that ends connections", "{\"behind\": \"drop\"}", ", connections: 4", 60,
     "accepted*58 in doubt/channel/0*2", 58, 0, PLAIN},
    {"a stream that ends them later", "{\"behind\": \"drop_stored\"}", ", connections: 4", 60,
     "accepted*58 in doubt/channel/0*2", 60, 0, PLAIN},
    {"no stream, nothing broken", "{\"behind\": \"drop\"}", ", connections: 4, pipelining: message", 60, "accepted*60",
     60, 0, PLAIN},
    {"log-in demanded at MAIL", "{\"mail\": \"530 5.7.0 log in first\"}", ", connections: 1", 1,
     "try later/channel/530*1", 0, 'p', PLAIN},
    {"421 at MAIL", "{\"mail\": \"421 4.7.0 slow down\"}", ", connections: 1", 1, "try later/channel/421*1", 0, 't',
     PLAIN},
    {"421 at the dot", "{\"dot\": \"421 4.3.2 going\"}", ", connections: 1", 1, "try later/channel/421*1", 0, 't',
     PLAIN},
    {"few messages a connection", "{\"messages_per_connection\": 3}", ", connections: 2", 20, "accepted*20", 20, 0,
     PLAIN},
    {"our own limit", "{\"messages_per_connection\": 3}", ", connections: 2, messages_per_connection: 2", 20,
     "accepted*20", 20, 0, PLAIN},
    {"connection lost at MAIL", "{\"drop\": \"mail\"}", ", connections: 1", 1, "try later/channel/0*1", 0, 0, PLAIN},
    {"connection lost at RCPT", "{\"drop\": \"rcpt\"}", ", connections: 1", 1, "try later/channel/0*1", 0, 0, PLAIN},
    {"connection lost at DATA", "{\"drop\": \"data\"}", ", connections: 1", 1, "try later/channel/0*1", 0, 0, PLAIN},
    {"lost at the dot, not stored", "{\"drop\": \"dot_unstored\"}", ", connections: 1", 1, "in doubt/channel/0*1", 0, 0,
     PLAIN},
    {"lost at the dot, stored", "{\"drop\": \"dot_stored\"}", ", connections: 1", 1, "in doubt/channel/0*1", 1, 0,
     PLAIN},
    {"lost after the answer", "{\"drop\": \"dot_answered\"}", ", connections: 1", 5, "accepted*5", 5, 0, PLAIN},
    {"no answer to the dot", "{\"hang\": \"dot\"}", ", connections: 1, answer_timeout: 300ms", 1,
     "in doubt/channel/0*1", 1, 0, PLAIN},
    {"no answer to MAIL", "{\"hang\": \"mail\"}", ", connections: 1, command_timeout: 300ms", 1,
     "try later/channel/0*1", 0, 0, PLAIN},
    {"greeting refused", "{\"greeting\": \"554 5.3.2 no\"}", ", connections: 1", 3, "returned/channel/0*3", 0, 't',
     PLAIN},
    {"greeting never comes", "{\"hang\": \"greeting\"}", ", connections: 1, connect_timeout: 300ms", 2,
     "returned/channel/0*2", 0, 't', PLAIN},
    {"nonsense for an answer", "{\"mail\": \"999 what\"}", ", connections: 1", 1, "try later/channel/0*1", 0, 0, PLAIN},
    {"354 for MAIL", "{\"mail\": \"354 go on\"}", ", connections: 1", 1, "try later/channel/354*1", 0, 0, PLAIN},
    {"too large", "{\"size_limit\": 20}", ", connections: 1", 1, "refused/message/0*1", 0, 0, PLAIN},
    {"251 for the dot", "{\"dot\": \"251 2.0.0 hm\"}", ", connections: 1", 1, "in doubt/channel/251*1", 1, 0, PLAIN},
    {"no log-in offered", "{}", ", username: u, password: secret", 2, "returned/channel/0*2", 0, 'p', PLAIN},
    {"log-in", "{\"auth\": [\"PLAIN\"], \"users\": {\"u\": \"secret\"}, \"require_auth\": true}",
     ", username: u, password: secret", 5, "accepted*5", 5, 0, PLAIN},
    {"log-in the old way", "{\"auth\": [\"LOGIN\"], \"users\": {\"u\": \"secret\"}, \"require_auth\": true}",
     ", username: u, password: secret", 5, "accepted*5", 5, 0, PLAIN},
    {"wrong password", "{\"auth\": [\"PLAIN\"], \"users\": {\"u\": \"other\"}}", ", username: u, password: secret", 3,
     "returned/channel/0*3", 0, 'p', PLAIN},
    {"log-in refused for now",
     "{\"auth\": [\"PLAIN\"], \"users\": {\"u\": \"secret\"}, \"auth_reply\": \"454 4.7.0 later\"}",
     ", username: u, password: secret", 3, "returned/channel/0*3", 0, 't', PLAIN},
    {"STARTTLS and log-in", "{\"auth\": [\"PLAIN\"], \"users\": {\"u\": \"secret\"}, \"require_auth\": true}",
     ", username: u, password: secret", 20, "accepted*20", 20, 0, STARTTLS},
    {"TLS at once, and log-in", "{\"auth\": [\"PLAIN\"], \"users\": {\"u\": \"secret\"}, \"require_auth\": true}",
     ", username: u, password: secret", 20, "accepted*20", 20, 0, SMTPS},
    {"TLS at once, wrong password", "{\"auth\": [\"PLAIN\"], \"users\": {\"u\": \"other\"}}",
     ", username: u, password: secret", 3, "returned/channel/0*3", 0, 'p', SMTPS},
    {"STARTTLS not offered", "{\"no_starttls\": true}", "", 2, "returned/channel/0*2", 0, 't', STARTTLS},
    {"STARTTLS in lower case", "{\"lower_case\": true}", "", 2, "returned/channel/0*2", 0, 't', STARTTLS},
};

static void run_row(const struct row *row)
{
    struct sink *sink = row->way == SMTPS ? &tls_at_once : row->way == STARTTLS ? &tls : &plain;
    char options[500];
    auto_buf struct buf got;
    struct error err = {0};
    int64_t began_ms = clock_now_ms(&clock_machine);

    if (row->way != PLAIN)
        snprintf(options, sizeof options, ", url: \"smtp%s://127.0.0.1:%d\", ca_file: %s/ca.pem%s",
                 row->way == SMTPS ? "s" : "", sink->port, folder, row->options);
    else
        snprintf(options, sizeof options, ", url: \"smtp://127.0.0.1:%d\", tls: off%s", sink->port, row->options);
    sink_tell(sink, row->behaviour);
    sink_taken(sink);
    struct world *world = world_new("smtp", options, &err);
    if (!world->channel)
        fail_msg("%s: %s", row->name, err.text);
    for (int i = 0; i < row->count; i++) {
        char to[64];
        snprintf(to, sizeof to, "p%d@x.example", i);
        send_one(world, (uint32_t)i, to);
    }
    run_until(world, (size_t)row->count, 20000);
    run_for(world, 1); /* what else might come */
    buf_init(&got, 4000);
    summarize(world, &got);
    char trouble = world->troubles == 0 ? 0 : world->needs_person ? 'p' : 't';
    int taken = sink_taken(sink);
    if (!text_is(buf_text(&got), row->expected) || taken != row->taken || trouble != row->trouble)
        fail_msg("%s: got %s, taken %d, trouble %c %s (%s)", row->name, got.ptr, taken, trouble ? trouble : '-',
                 world->trouble, world->texts[0]);
    for (size_t i = 0; i < world->count; i++) {
        const struct channel_result *one = &world->results[i];
        if (strchr(world->texts[i], '@') || strstr(world->texts[i], "secret"))
            fail_msg("%s: the text says too much: %s", row->name, world->texts[i]);
        if ((one->fate == FATE_ACCEPTED || one->fate == FATE_IN_DOUBT) != (one->handed_over_at_ms >= began_ms) &&
            one->fate != FATE_REFUSED && one->fate != FATE_TRY_LATER)
            fail_msg("%s: handed over at %lld", row->name, (long long)one->handed_over_at_ms);
    }
    assert_null(strstr(world->trouble, "secret"));
    world_free(world);
}

static void mail_server_rows(void **state)
{
    (void)state;
    const char *only = getenv("ROW");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (!only || strcmp(only, rows[i].name) == 0)
            run_row(&rows[i]);
}

/* ---- what takes more than one behaviour ---- */

static struct world *mail_world(const char *more)
{
    char options[300];
    struct error err = {0};

    snprintf(options, sizeof options, ", url: \"smtp://127.0.0.1:%d\", tls: off%s", plain.port, more);
    sink_taken(&plain);
    struct world *world = world_new("smtp", options, &err);
    if (!world->channel)
        fail_msg("%s", err.text);
    return world;
}

static void a_relay_that_comes_back(void **state)
{
    (void)state;
    sink_tell(&plain, "{\"greeting\": \"421 4.3.2 starting up\"}");
    struct world *world = mail_world(", connections: 3");
    for (uint32_t i = 0; i < 5; i++)
        send_one(world, i, "p@x.example");
    run_until(world, 5, 5000);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(world->results[i].fate, FATE_RETURNED);
    run_for(world, 1);
    assert_int_equal(world->troubles, 1);
    assert_false(world->needs_person);
    assert_int_equal(channel_room(world->channel, clock_now_ms(&clock_machine), 0), 0);
    sink_tell(&plain, "{}");
    for (int i = 0; i < 50 && world->wells == 0; i++)
        run_for(world, 100); /* it tries by itself, after a second */
    assert_int_equal(world->wells, 1);
    assert_true(channel_room(world->channel, clock_now_ms(&clock_machine), 0) > 0);
    for (uint32_t i = 0; i < 5; i++)
        send_one(world, i, "p@x.example");
    run_until(world, 10, 5000);
    for (size_t i = 5; i < 10; i++)
        assert_int_equal(world->results[i].fate, FATE_ACCEPTED);
    assert_int_equal(sink_taken(&plain), 5);
    world_free(world);
}

/* Stopping: what has not begun comes back, what has begun is waited for, and no longer than the grace. */
static void stopping_answers_for_everything(void **state)
{
    (void)state;
    for (int hang = 0; hang < 2; hang++) {
        sink_tell(&plain, hang ? "{\"hang\": \"dot\"}" : "{\"delay\": {\"dot\": 0.3}}");
        struct world *world = mail_world(", connections: 2");
        size_t doubt = 0, accepted = 0, returned = 0;
        for (uint32_t i = 0; i < 20; i++)
            send_one(world, i, "p@x.example");
        run_for(world, 150);
        channel_stop(world->channel, hang ? 200 : 5000);
        assert_int_equal(channel_room(world->channel, clock_now_ms(&clock_machine), 0), 0);
        run_until(world, 20, 8000);
        for (size_t i = 0; i < world->count; i++) {
            doubt += world->results[i].fate == FATE_IN_DOUBT;
            accepted += world->results[i].fate == FATE_ACCEPTED;
            returned += world->results[i].fate == FATE_RETURNED;
        }
        assert_int_equal(world->count, 20);
        assert_int_equal(doubt + accepted + returned, 20);
        assert_int_equal(channel_in_flight(world->channel), 0);
        if (hang)
            assert_true(doubt == 2 && accepted == 0);
        else
            assert_true(doubt == 0 && accepted >= 2);
        assert_int_equal((size_t)sink_taken(&plain), accepted + doubt);
        send_one(world, 99, "p@x.example");
        run_until(world, 21, 1000);
        assert_int_equal(world->results[20].fate, FATE_RETURNED);
        world_free(world);
    }
}

/* A message that the server refused for what stood behind it is sent again; while stopping it comes home, and does not
 * wait for a connection that nobody gives it until the grace is over. */
static void told_off_while_stopping(void **state)
{
    (void)state;
    sink_tell(&plain, "{\"behind\": \"refuse_body\", \"delay\": {\"\": 0.5}}");
    struct world *world = mail_world(", connections: 1");
    int before = sink_count(&plain, "behind");
    for (uint32_t i = 0; i < 5; i++)
        send_one(world, i, "p@x.example");
    for (int i = 0; i < 500 && sink_count(&plain, "behind") == before; i++)
        run_for(world, 10);
    assert_int_equal(sink_count(&plain, "behind") - before, 1);
    channel_stop(world->channel, 30 * SECOND_MS);
    run_until(world, 5, 15 * SECOND_MS);
    assert_int_equal(world->count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(world->results[i].fate == FATE_RETURNED || world->results[i].fate == FATE_TRY_LATER);
    assert_int_equal(channel_in_flight(world->channel), 0);
    assert_int_equal(sink_taken(&plain), 0);
    world_free(world);
}

/* What a stream must not do, and that what was learned outlives a reload: another channel, the same process. */
static void a_broken_stream_is_remembered(void **state)
{
    (void)state;
    sink_tell(&plain, "{\"behind\": \"drop_stored\"}");
    struct world *world = mail_world(", connections: 4");
    struct channel *first = world->channel;
    int before = sink_count(&plain, "behind");
    for (uint32_t i = 0; i < 40; i++)
        send_one(world, i, "p@x.example");
    run_until(world, 40, 10000);
    assert_int_equal(sink_count(&plain, "behind") - before, 2);
    world->channel = channel_made(world, NULL);
    assert_non_null(world->channel);
    for (uint32_t i = 40; i < 80; i++)
        send_one(world, i, "p@x.example");
    run_until(world, 80, 10000);
    assert_int_equal(sink_count(&plain, "behind") - before, 2);
    for (size_t i = 40; i < 80; i++)
        assert_int_equal(world->results[i].fate, FATE_ACCEPTED);
    assert_int_equal(sink_taken(&plain), 80);
    channel_free(first);
    world_free(world);
}

/* All at once would be 20 connections. Nobody is charged, and the server is not knocked at all the time. */
static void a_server_that_lets_us_have_five(void **state)
{
    (void)state;
    for (int warm = 0; warm < 2; warm++) {
        sink_tell(&plain, "{\"connections\": 5, \"delay\": {\"dot\": 0.02}}");
        int before = sink_count(&plain, "connections");
        struct world *world = mail_world(", connections: 20");
        if (warm)
            channel_warm(world->channel);
        run_for(world, warm ? 300 : 1);
        for (uint32_t i = 0; i < 600; i++)
            send_one(world, i, "p@x.example");
        run_until(world, 600, 20000);
        for (size_t i = 0; i < 600; i++)
            assert_int_equal(world->results[i].fate, FATE_ACCEPTED);
        assert_int_equal(world->count, 600);
        assert_int_equal(world->troubles, 0);
        int knocked = sink_count(&plain, "connections") - before;
        if (knocked > 15) /* five, three beside them before the first answer, then after 1, 2, 4 s */
            fail_msg("%d attempts", knocked);
        assert_int_equal(sink_taken(&plain), 600);
        world_free(world);
    }
}

static void connections_are_warm_and_kept(void **state)
{
    (void)state;
    sink_tell(&plain, "{}");
    struct world *world = mail_world(", connections: 3, keep_alive: 100ms");
    channel_warm(world->channel);
    run_for(world, 700); /* several NOOPs later they must still carry mail */
    assert_int_equal(world->troubles, 0);
    send_one(world, 1, "p@x.example");
    run_until(world, 1, 2000);
    assert_int_equal(world->results[0].fate, FATE_ACCEPTED);
    sink_tell(&plain, "{\"op\": \"close\"}"); /* dropped while idle: nobody is the worse for it */
    run_for(world, 50);
    channel_warm(world->channel);
    send_one(world, 2, "p@x.example");
    run_until(world, 2, 4000);
    assert_int_equal(world->results[1].fate, FATE_ACCEPTED);
    channel_rest(world->channel);
    run_for(world, 50);
    assert_int_equal(world->troubles, 0);
    world_free(world);
}

/* A certificate that nobody we trust has signed, and one for another name: no mail and no password goes there. */
static void strangers_get_nothing(void **state)
{
    (void)state;
    static const char *const hosts[] = {"127.0.0.1", "localhost"}; /* the second is not in the certificate */
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        char options[400], ca[200] = "";
        struct error err = {0};
        if (i == 1)
            snprintf(ca, sizeof ca, ", ca_file: %s/ca.pem", folder);
        snprintf(options, sizeof options, ", url: \"smtp://%s:%d\", username: u, password: secret%s", hosts[i],
                 tls.port, ca);
        sink_tell(&tls, "{\"auth\": [\"PLAIN\"], \"users\": {\"u\": \"secret\"}}");
        sink_taken(&tls);
        struct world *world = world_new("smtp", options, &err);
        assert_non_null(world->channel);
        send_one(world, 1, "p@x.example");
        run_until(world, 1, 5000);
        run_for(world, 1);
        assert_int_equal(world->results[0].fate, FATE_RETURNED);
        assert_int_equal(world->troubles, 1);
        assert_int_equal(sink_taken(&tls), 0);
        if (i == 0)
            assert_non_null(strstr(world->trouble, "no safe TLS"));
        world_free(world);
    }
}

/* smtps:// speaks TLS from the first byte: to a stranger, or to a server that greets in the clear, nothing is said. */
static void smtps_is_tls_or_nothing(void **state)
{
    (void)state;
    struct sink *const sinks[] = {&tls_at_once, &plain};
    for (size_t i = 0; i < ARRAY_LEN(sinks); i++) {
        char options[300];
        struct error err = {0};
        snprintf(options, sizeof options,
                 ", url: \"smtps://127.0.0.1:%d\", username: u, password: secret, connect_timeout: 1s",
                 sinks[i]->port); /* and no ca_file */
        sink_tell(sinks[i], "{\"auth\": [\"PLAIN\"], \"users\": {\"u\": \"secret\"}}");
        sink_taken(sinks[i]);
        int before = sink_count(sinks[i], "commands");
        struct world *world = world_new("smtp", options, &err);
        assert_non_null(world->channel);
        send_one(world, 1, "p@x.example");
        run_until(world, 1, 5000);
        run_for(world, 1);
        assert_int_equal(world->results[0].fate, FATE_RETURNED);
        assert_int_equal(world->troubles, 1);
        assert_int_equal(sink_taken(sinks[i]), 0);
        if (i == 0) /* the other took our hello for commands */
            assert_int_equal(sink_count(sinks[i], "commands"), before);
        world_free(world);
    }
}

static void example_writes_lines(void **state)
{
    (void)state;
    char options[300], path[200], line[100] = "";
    struct error err = {0};
    int lines = 0;

    snprintf(path, sizeof path, "%s/notes", folder);
    snprintf(options, sizeof options, ", path: %s", path);
    struct world *world = world_new("example", options, &err);
    if (!world->channel)
        fail_msg("%s", err.text);
    for (uint32_t i = 0; i < 10; i++)
        send_one(world, i, "p@x.example");
    run_until(world, 10, 5000);
    for (size_t i = 0; i < world->count; i++)
        assert_int_equal(world->results[i].fate, FATE_ACCEPTED);
    world_free(world);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        lines++;
    fclose(file);
    assert_int_equal(lines, 10);
    assert_string_equal(line, "told t0009 69 bytes\n");
}

static void room_follows_doubt_and_pace(void **state)
{
    (void)state;
    struct error err = {0};
    int64_t now_ms = clock_now_ms(&clock_machine);
    struct world *world = world_new("null", ", window: 10, doubt_max: 30", &err);

    assert_non_null(world->channel);
    assert_int_equal(channel_doubt_max(world->channel), 30);
    assert_int_equal(channel_room(world->channel, now_ms, 0), 30);
    channel_claimed(world->channel, now_ms, 30);
    assert_int_equal(channel_room(world->channel, now_ms, 0), 0);
    assert_int_equal(channel_room(world->channel, now_ms, 5), 5); /* their fates ride in the same turn */
    channel_settled(world->channel, 12);
    assert_int_equal(channel_room(world->channel, now_ms, 0), 12);
    channel_settled(world->channel, 18);
    world_free(world);

    world = world_new("null", ", window: 10, rate: 10/s", &err);
    assert_non_null(world->channel);
    assert_int_equal(channel_doubt_max(world->channel), 20);
    now_ms = clock_now_ms(&clock_machine);
    assert_int_equal(channel_room(world->channel, now_ms, 0), 0); /* no burst at the start */
    run_for(world, 250);
    assert_true(world->rooms > 0);
    assert_true(channel_room(world->channel, clock_now_ms(&clock_machine), 0) > 0);
    world_free(world);
}

/* The one message that shows whether the receiver works again waits for a busy plugin, and is called back: the next one
 * takes its place at once. */
static void a_probe_that_never_began_is_no_probe(void **state)
{
    (void)state;
    struct error err = {0};
    struct world *world = world_new("null", ", window: 1, latency: 1s", &err);

    assert_non_null(world->channel);
    send_one(world, 0, "p@x.example");
    channel_recall(world->channel, NULL, 0,
                   &(struct channel_wait){clock_now_ms(&clock_machine) + 50, 1, "421 slow down"});
    run_for(world, 100);
    assert_int_equal(channel_room(world->channel, clock_now_ms(&clock_machine), 0), 1);
    send_one(world, 1, "p@x.example");
    assert_int_equal(channel_room(world->channel, clock_now_ms(&clock_machine), 0), 0);
    channel_call_back(world->channel, 1, "paused");
    run_until(world, 1, 5000);
    assert_int_equal(world->results[0].seq, 1);
    assert_int_equal(world->results[0].fate, FATE_RETURNED);
    assert_int_equal(channel_room(world->channel, clock_now_ms(&clock_machine), 0), 1);
    run_until(world, 2, 5000);
    world_free(world);
}

static void null_does_as_told(void **state)
{
    (void)state;
    static const struct {
        const char *options, *expected;
    } cases[] = {
        {"", "accepted*30"},
        {", latency: 20ms, window: 7", "accepted*30"},
        {", fail_every: 10", "accepted*27 refused/address/550*3"},
        {", fail_every: 5, fail_code: 451", "accepted*24 try later/address/451*6"},
        {", doubt_every: 15, latency: 1ms", "accepted*28 in doubt/channel/0*2"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = {0};
        auto_buf struct buf got;
        struct world *world = world_new("null", cases[i].options, &err);
        if (!world->channel)
            fail_msg("%s: %s", cases[i].options, err.text);
        for (uint32_t k = 0; k < 30; k++)
            send_one(world, k, "p@x.example");
        assert_int_equal(world->count, 0); /* never from inside channel_send() */
        run_until(world, 30, 5000);
        buf_init(&got, 1000);
        summarize(world, &got);
        if (!text_is(buf_text(&got), cases[i].expected))
            fail_msg("%s: %s", cases[i].options, got.ptr);
        world_free(world);
    }
}

static unsigned files_in(const char *path)
{
    DIR *dir = opendir(path);
    unsigned count = 0;

    for (struct dirent *entry; dir && (entry = readdir(dir));)
        count += entry->d_name[0] != '.';
    if (dir)
        closedir(dir);
    return count;
}

static void outbox_is_a_maildir(void **state)
{
    (void)state;
    char options[200], path[300], line[100] = "";
    struct stat found;
    struct error err = {0};

    snprintf(options, sizeof options, ", path: %s/mail, sync: true", folder);
    struct world *world = world_new("outbox", options, &err);
    if (!world->channel)
        fail_msg("%s", err.text);
    assert_true(channel_is_local(world->channel));
    snprintf(path, sizeof path, "%s/mail", folder);
    assert_int_equal(stat(path, &found), -1); /* looking at a configuration makes nothing */
    for (uint32_t i = 0; i < 40; i++)
        send_one(world, i, "p@x.example");
    send_one(world, 7, "p@x.example"); /* a repeat replaces the first */
    run_until(world, 41, 5000);
    for (size_t i = 0; i < world->count; i++)
        assert_int_equal(world->results[i].fate, FATE_ACCEPTED);
    snprintf(path, sizeof path, "%s/mail", folder);
    assert_int_equal(stat(path, &found), 0);
    assert_int_equal(found.st_mode & 0777, 0700);
    snprintf(path, sizeof path, "%s/mail/new", folder);
    assert_int_equal(files_in(path), 40);
    snprintf(path, sizeof path, "%s/mail/tmp", folder);
    assert_int_equal(files_in(path), 0);
    snprintf(path, sizeof path, "%s/mail/new/t0007.onsale.eml", folder);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_string_equal(line, "Message-ID: <t0007@shop.example>\r\n");

    /* the folder goes away and comes back: trouble, and well again by itself */
    snprintf(path, sizeof path, "mv %s/mail %s/away", folder, folder);
    assert_int_equal(system(path), 0);
    send_one(world, 50, "p@x.example");
    run_until(world, 42, 5000);
    assert_int_equal(world->results[41].fate, FATE_TRY_LATER);
    assert_int_equal(world->results[41].scope, SCOPE_CHANNEL);
    run_for(world, 1);
    unsigned rooms = world->rooms;
    bool late = channel_standing(world->channel).state == CHANNEL_TRYING; /* the machine is: it has been said already */
    for (int i = 0; i < 30 && channel_standing(world->channel).state != CHANNEL_TRYING; i++)
        run_for(world, 100);
    assert_int_equal(world->rooms, rooms + !late); /* or nobody would make use of it */
    assert_int_equal(channel_room(world->channel, clock_now_ms(&clock_machine), 0), 1); /* one message shows it */
    assert_int_equal(world->wells, 0);
    send_one(world, 51, "p@x.example");
    run_until(world, 43, 5000);
    assert_int_equal(world->results[42].fate, FATE_ACCEPTED);
    run_for(world, 1);
    assert_int_equal(world->troubles, 1);
    assert_int_equal(world->wells, 1);
    world_free(world);
}

static void options_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *plugin, *options, *expected;
    } cases[] = {
        {"smpt", "", "unknown plugin \"smpt\" (did you mean \"smtp\"?)"},
        {"../smtp", "", "is no name of a plugin"},
        {"smtp", "", "url"},
        {"smtp", ", url: \"http://127.0.0.1\"", "expected smtp://"},
        {"smtp", ", url: \"smtp://mail.example\", tls: off", "loopback only"},
        {"smtp", ", url: \"smtp://localhost.evil.example\", tls: off", "loopback only"},
        {"smtp", ", url: \"smtp://127.0.0.1.evil.example\", tls: off", "loopback only"},
        {"smtp", ", url: \"smtps://127.0.0.1\", tls: off", "cannot be off"},
        {"smtp", ", url: \"smtp://127.0.0.1\", tls: maybe", "tls"},
        {"smtp", ", url: \"smtp://127.0.0.1\", password: x", "no username"},
        {"smtp", ", url: \"smtp://127.0.0.1\", conections: 3", "did you mean \"connections\""},
        {"smtp", ", url: \"smtp://127.0.0.1\", connections: 0", "connections"},
        {"outbox", ", path: /proc/nowhere/mail", "cannot write into"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = {0};
        struct world *world = world_new(cases[i].plugin, cases[i].options, &err);
        if (world->channel || !strstr(err.text, cases[i].expected))
            fail_msg("%s%s: %s", cases[i].plugin, cases[i].options, err.text);
        world_free(world);
    }
}

struct probed {
    bool done, fine;
    char text[400];
};

static void on_probed(void *ctx, bool fine, const char *text)
{
    struct probed *probed = ctx;
    probed->done = true;
    probed->fine = fine;
    snprintf(probed->text, sizeof probed->text, "%s", text);
}

static void probing_says_what_is_there(void **state)
{
    (void)state;
    for (int fine = 0; fine < 2; fine++) {
        struct probed probed = {0};
        sink_tell(&plain, fine ? "{\"size_limit\": 5000}" : "{\"greeting\": \"554 5.3.2 go away\"}");
        struct world *world = mail_world("");
        channel_probe(world->channel, on_probed, &probed);
        for (int i = 0; i < 50 && !probed.done; i++)
            run_for(world, 20);
        assert_true(probed.done);
        assert_int_equal(probed.fine, fine);
        assert_non_null(strstr(probed.text, fine ? "messages up to 5000 bytes" : "554 5.3.2 go away"));
        world_free(world);
    }
}

int main(void)
{
    char command[2000];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_server_rows),
        cmocka_unit_test(a_relay_that_comes_back),
        cmocka_unit_test(stopping_answers_for_everything),
        cmocka_unit_test(told_off_while_stopping),
        cmocka_unit_test(a_broken_stream_is_remembered),
        cmocka_unit_test(a_server_that_lets_us_have_five),
        cmocka_unit_test(connections_are_warm_and_kept),
        cmocka_unit_test(strangers_get_nothing),
        cmocka_unit_test(smtps_is_tls_or_nothing),
        cmocka_unit_test(example_writes_lines),
        cmocka_unit_test(room_follows_doubt_and_pace),
        cmocka_unit_test(a_probe_that_never_began_is_no_probe),
        cmocka_unit_test(null_does_as_told),
        cmocka_unit_test(outbox_is_a_maildir),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(probing_says_what_is_there),
    };

    signal(SIGPIPE, SIG_IGN);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (!mkdtemp(folder))
        return 1;
    snprintf(command, sizeof command,
             "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=ca "
             "2>/dev/null "
             "&& openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=sink 2>/dev/null "
             "&& printf 'subjectAltName=IP:127.0.0.1\\n' > ext && openssl x509 -req -in server.csr -CA ca.pem "
             "-CAkey ca.key -CAcreateserial -out server.pem -days 2 -extfile ext 2>/dev/null",
             folder);
    if (system(command) != 0)
        return 1;
    sink_start(&plain, "plain");
    sink_start(&tls, "tls");
    sink_start(&tls_at_once, "tls_at_once");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sink_stop(&plain);
    sink_stop(&tls);
    sink_stop(&tls_at_once);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (system(command) != 0)
        return 1;
    curl_global_cleanup();
    return failed;
}
