#include "daemon.h"

#include "cast.h"
#include "check.h"
#include "disk.h"
#include "doors.h"
#include "events.h"
#include "feed.h"
#include "health.h"
#include "launch.h"
#include "metrics.h"
#include "news.h"
#include "notify.h"
#include "playbook.h"
#include "private_feeds.h"
#include "progress.h"
#include "sync.h"
#include "turns.h"
#include "wire.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

enum {
    QUIET_CHECK_MS = 5,
    LAST_WORDS_MS = 2 * SECOND_MS, /* behind the grace: what was given up then is written down as in doubt */
    DOCTOR_MS = 5 * SECOND_MS,     /* how often the store looks at itself and the service manager hears a status line */
    REST_LOOKS = 24,               /* after so many looks in a row at a daemon that is well and has nothing to do ... */
    DOCTOR_REST_MS = MINUTE_MS,    /* ... it is looked at so rarely */
};

struct daemon {
    const struct daemon_options *options;
    struct log log;
    uv_loop_t loop;
    uv_signal_t term, interrupt, hangup;
    uv_timer_t quiet, doctor;
    struct world world;
    struct turns turns;
    struct crypt_keys keys;
    struct crypt_keys next_keys; /* of a reload */
    struct crypt_tokens *next_tokens;
    struct store_image image;
    struct cast_parts parts;
    struct cast *cast;
    struct doors *doors;
    size_t handed;          /* sockets of the service manager */
    struct settings *next;  /* a reload's settings, waiting for the old cast to be quiet */
    char *store, *instance; /* as the state was opened: a reload does not change them */
    int64_t disk_reserve;
    int64_t quiet_by_ms; /* by the monotonic clock */
    unsigned rest_looks; /* of the doctor, in a row */
    bool leaving;
    int exit_code;
};

static void on_quiet_timer(uv_timer_t *timer);

/* --- Leaving and reloading: both wait until what is in flight has come home -----------------------------------------
 */

static void begin_quiet(struct daemon *daemon)
{
    int64_t grace_ms = cast_settings(daemon->cast)->stop_grace_ms;

    cast_stop(daemon->cast, daemon->leaving ? NULL : daemon->next, grace_ms);
    daemon->quiet_by_ms = clock_mono_ms(daemon->world.clock) + grace_ms + LAST_WORDS_MS;
    uv_timer_start(&daemon->quiet, on_quiet_timer, 0, QUIET_CHECK_MS);
}

/* Whoever borrowed the old ones is gone. */
static void take_keys(struct daemon *daemon)
{
    crypt_tokens_free(daemon->world.tokens);
    daemon->world.tokens = daemon->next_tokens;
    daemon->next_tokens = NULL;
    daemon->keys = daemon->next_keys;
}

/* What the file says and only a restart brings. Whoever changed it has to hear that nothing came of it yet. */
static void note_waiting(struct daemon *daemon, const struct settings *settings)
{
    struct buf waits;

    free(daemon->world.restart_for);
    daemon->world.restart_for = NULL;
    buf_init(&waits, 64 * 1024);
    if (strcmp(settings->store, daemon->store) != 0)
        buf_addf(&waits, "store is %s and not %s", daemon->store, settings->store);
    if (strcmp(settings->instance, daemon->instance) != 0)
        buf_addf(&waits, "%sinstance is \"%s\" and not \"%s\"", waits.len ? "; " : "", daemon->instance,
                 settings->instance);
    if (settings->disk_reserve != daemon->disk_reserve) {
        buf_addf(&waits, "%sdisk_reserve is ", waits.len ? "; " : "");
        buf_add_size(&waits, daemon->disk_reserve);
        buf_adds(&waits, " and not ");
        buf_add_size(&waits, settings->disk_reserve);
    }
    doors_add_waiting(daemon->doors, &settings->http, &waits);
    if (waits.len == 0) {
        buf_clear(&waits);
        return;
    }
    daemon->world.restart_for = buf_take(&waits);
    log_line(&daemon->log, LOG_WARNING, "event=restart_wanted what=%s remedy=\"systemctl restart onsale\"",
             LOG_QUOTED(text_of(daemon->world.restart_for)));
}

static void swap_cast(struct daemon *daemon)
{
    struct error err = {0};
    struct settings *next = daemon->next;

    daemon->next = NULL;
    cast_retire(daemon->cast);
    take_keys(daemon);
    daemon->cast = cast_new(next, &daemon->world, &daemon->parts, &err);
    if (!daemon->cast) {
        log_line(&daemon->log, LOG_ERROR, "event=reload_failed error=%s", LOG_QUOTED(text_of(err.text)));
        daemon->exit_code = 1;
        daemon->leaving = true;
        uv_stop(&daemon->loop);
        return;
    }
    doors_reload(daemon->doors, &cast_settings(daemon->cast)->http);
    note_waiting(daemon, cast_settings(daemon->cast));
    news_reload(&daemon->world, NULL);
    free(daemon->world.reload_refused);
    daemon->world.reload_refused = NULL;
    daemon->world.configured_at_ms = clock_now_ms(daemon->world.clock);
    metrics_add(daemon->world.metrics, METRIC_RELOADS, LABELS("done"), 1);
    log_line(&daemon->log, LOG_NOTICE, "event=reloaded config=%s", LOG_QUOTED(text_of(daemon->options->config_path)));
    notify_send("READY=1");
}

static void on_quiet_timer(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    bool quiet = cast_quiet(daemon->cast);

    if (!quiet && clock_mono_ms(daemon->world.clock) < daemon->quiet_by_ms)
        return;
    if (!quiet)
        log_line(&daemon->log, LOG_WARNING,
                 "event=grace_over what=\"some deliveries had no answer in time: in doubt\"");
    uv_timer_stop(&daemon->quiet);
    if (daemon->leaving)
        uv_stop(&daemon->loop);
    else
        swap_cast(daemon);
}

static void on_terminate(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;

    if (daemon->leaving)
        return;
    news_stopping(&daemon->world);
    log_line(&daemon->log, LOG_NOTICE, "event=stopping signal=%d", number);
    notify_send("STOPPING=1");
    daemon->leaving = true;
    begin_quiet(daemon);
}

/* Every plugin opens and every template compiles, before the parts that work are taken down for it. */
static int check_parts(const struct settings *next, struct error *err)
{
    auto_file FILE *nobody = fopen("/dev/null", "we");

    return nobody ? check_print(next, nobody, err) : error_set(err, ERROR_TRY_LATER, "/dev/null: %s", strerror(errno));
}

static int load_keys(struct daemon *daemon, struct crypt_keys *keys, struct crypt_tokens **tokens, struct error *err)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/onsale.keys", store_folder(daemon->world.store));
    if (store_has_keys(daemon->world.store) && access(path, F_OK) < 0 && errno == ENOENT)
        return error_set(err, ERROR_CONFIG,
                         "%s is missing, and without it nobody in this state is recognised: restore it from a backup",
                         path);
    if (crypt_keys_load(path, true, keys, err) < 0)
        return -1;
    *tokens = crypt_tokens_new(keys, err);
    return *tokens ? 0 : -1;
}

/* Unsubscribe keys come and go. With another key for people nobody would be recognised. */
static int reload_keys(struct daemon *daemon, struct error *err)
{
    if (load_keys(daemon, &daemon->next_keys, &daemon->next_tokens, err) < 0)
        return -1;
    if (memcmp(daemon->keys.person, daemon->next_keys.person, sizeof daemon->keys.person) == 0 &&
        memcmp(daemon->keys.message_id, daemon->next_keys.message_id, sizeof daemon->keys.message_id) == 0)
        return 0;
    crypt_tokens_free(daemon->next_tokens);
    daemon->next_tokens = NULL;
    return error_set(err, ERROR_CONFIG, "onsale.keys: the person key or the message-id key is another one: restore it");
}

static void refuse_reload(struct daemon *daemon, const char *why)
{
    log_line(&daemon->log, LOG_ERROR, "event=reload_refused what=\"the old configuration stays\" error=%s",
             LOG_QUOTED(text_of(why)));
    news_reload(&daemon->world, why);
    metrics_add(daemon->world.metrics, METRIC_RELOADS, LABELS("refused"), 1);
    free(daemon->world.reload_refused);
    daemon->world.reload_refused = must_strdup(why);
    settings_free(daemon->next);
    daemon->next = NULL;
    notify_send("READY=1");
}

static void on_hangup(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    struct error err = {0};
    auto_free const char **folders = settings_plugin_folders();

    (void)number;
    if (daemon->leaving || daemon->next)
        return;
    notify_send("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono_ms(daemon->world.clock) * 1000);
    daemon->next = settings_load(daemon->options->config_path, folders, daemon->log.out, &err);
    if (!daemon->next || playbook_check(&daemon->world, daemon->next, &err) < 0 ||
        check_parts(daemon->next, &err) < 0 || reload_keys(daemon, &err) < 0) {
        refuse_reload(daemon, err.text);
        return;
    }
    begin_quiet(daemon);
}

/* --- The clock
 * -------------------------------------------------------------------------------------------------------- */

static void on_step(void *ctx, int64_t step_ms)
{
    sync_clock_stepped(&((struct daemon *)ctx)->world, step_ms);
}

static void on_store_looked(void *ctx)
{
    struct daemon *daemon = ctx;

    if (daemon->cast)
        disk_look(&daemon->world);
}

static void on_doctor(uv_timer_t *timer);

/* An idle daemon sleeps. The service manager's watchdog does not let it. */
static void look_again(struct daemon *daemon, bool well)
{
    int64_t watchdog_ms = notify_watchdog_ms(), wait_ms = DOCTOR_MS;

    daemon->rest_looks = well && launches_rest(daemon->world.launches) ? daemon->rest_looks + 1 : 0;
    if (daemon->rest_looks > REST_LOOKS)
        wait_ms = DOCTOR_REST_MS;
    if (watchdog_ms && watchdog_ms < wait_ms)
        wait_ms = watchdog_ms;
    uv_timer_start(&daemon->doctor, on_doctor, (uint64_t)wait_ms, 0);
}

static void on_doctor(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    size_t states[NOTICE_STATES] = {0};
    struct health health;
    auto_buf struct buf ill;

    store_look(daemon->world.store);
    health_look(&daemon->world, &health);
    buf_init(&ill, 1024);
    for (size_t i = 0; i < HEALTH_CHECKS; i++)
        if (health.checks[i].words[HEALTH_READY] == HEALTH_FAIL)
            buf_addf(&ill, "%s%s", ill.len ? ", " : "; NOT WELL: ", health_check_name(i));
    if (daemon->world.launches)
        launches_count(daemon->world.launches, states);
    look_again(daemon, ill.len == 0 && daemon->world.launches);
    notify_send("STATUS=%zu planned, %zu sending, %zu held%s%.*s\nWATCHDOG=1",
                states[NOTICE_PLANNED] + states[NOTICE_GATHERING] + states[NOTICE_READY], states[NOTICE_SENDING],
                states[NOTICE_HELD], daemon->world.copy ? "; HELD AS A COPY" : "", TEXT_ARGS(buf_text(&ill)));
}

/* --- Building
 * ----------------------------------------------------------------------------------------------------------- */

/* The generation's witness lies apart from the state, so that a restored or copied state is told by it. */
static char *witness_path(const char *store)
{
    const char *folder = getenv("CACHE_DIRECTORY"), *home = getenv("HOME");
    unsigned char hash[32];
    struct buf path;

    crypt_hmac((const unsigned char[CRYPT_KEY_SIZE]){0}, text_of(store), hash);
    buf_init(&path, 4096);
    if (folder)
        buf_adds(&path, folder);
    else if (geteuid() == 0 || !home)
        buf_adds(&path, "/var/cache/onsale");
    else
        buf_addf(&path, "%s/.cache/onsale", home);
    buf_addf(&path, "/witness-%02x%02x%02x%02x%02x%02x", hash[0], hash[1], hash[2], hash[3], hash[4], hash[5]);
    return buf_take(&path);
}

/* Keys that are not those of the state may not be used with it, for a single person. */
static int bind_keys(struct daemon *daemon, struct error *err)
{
    char mark[CRYPT_KEYS_MARK_SIZE];

    crypt_keys_mark(&daemon->keys, mark);
    if (store_has_keys(daemon->world.store))
        return store_check_keys(daemon->world.store, mark, err);
    return store_set_keys(daemon->world.store, mark, err);
}

static int open_store(struct daemon *daemon, const struct settings *settings, struct error *err)
{
    auto_free char *witness = witness_path(settings->store);
    struct store_spec spec = {
        .url = settings->store,
        .instance = settings->instance,
        .witness_path = witness,
        .reserve_bytes = settings->disk_reserve,
        .clock = daemon->world.clock,
        .loop = &daemon->loop,
        .log = &daemon->log,
    };

    daemon->world.store = store_open(&spec, err);
    if (!daemon->world.store)
        return -1;
    store_on_look(daemon->world.store, on_store_looked, daemon);
    daemon->world.copy = store_copy_reason(daemon->world.store);
    if (daemon->world.copy)
        log_line(&daemon->log, LOG_ERROR, "event=copy what=%s remedy=\"onsale resume --this-is-the-one\"",
                 LOG_QUOTED(text_of(daemon->world.copy)));
    return load_keys(daemon, &daemon->keys, &daemon->world.tokens, err) < 0 ? -1 : bind_keys(daemon, err);
}

static void watch_signals(struct daemon *daemon)
{
    struct {
        uv_signal_t *handle;
        uv_signal_cb callback;
        int number;
    } signals[] = {
        {&daemon->term, on_terminate, SIGTERM},
        {&daemon->interrupt, on_terminate, SIGINT},
        {&daemon->hangup, on_hangup, SIGHUP},
    };

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file over a limit is a write that fails, not our end */
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        uv_signal_init(&daemon->loop, signals[i].handle);
        signals[i].handle->data = daemon;
        uv_signal_start(signals[i].handle, signals[i].callback, signals[i].number);
        uv_unref((uv_handle_t *)signals[i].handle);
    }
    uv_timer_init(&daemon->loop, &daemon->quiet);
    uv_timer_init(&daemon->loop, &daemon->doctor);
    daemon->quiet.data = daemon->doctor.data = daemon;
}

/* They stand in the output of `onsale check`, which not everybody runs. */
static void log_warnings(struct daemon *daemon, const struct settings *settings)
{
    auto_buf struct buf line;

    buf_init(&line, 64 * 1024);
    for (size_t i = 0; config_add_warning(settings->doc, i, &line); i++) {
        log_line(&daemon->log, LOG_WARNING, "event=configuration what=%s", LOG_QUOTED(buf_text(&line)));
        buf_reset(&line);
    }
}

static int build(struct daemon *daemon, struct settings **settings, struct error *err)
{
    struct world *world = &daemon->world;

    world->clock = &clock_machine;
    world->configured_at_ms = clock_now_ms(world->clock);
    world->log = &daemon->log;
    world->metrics = metrics_new(clock_now_ms(world->clock));
    turns_begin(&daemon->turns, &daemon->loop, world->metrics);
    world->keys = &daemon->keys;
    daemon->store = must_strdup((*settings)->store);
    daemon->instance = must_strdup((*settings)->instance);
    daemon->disk_reserve = (*settings)->disk_reserve;
    if (open_store(daemon, *settings, err) < 0 || store_load(world->store, &daemon->image, err) < 0)
        return -1;
    world_take(world, &daemon->image);
    if (!(world->alarms = alarms_new(&daemon->loop, world->clock, err)) || !(world->locales = locales_new(err)) ||
        !(daemon->parts.fetcher = fetcher_new(&daemon->loop, err)) ||
        !(daemon->parts.outward = fetcher_new(&daemon->loop, err)) ||
        !(daemon->parts.wires = wires_new(&daemon->loop, err)))
        return -1;
    world->zones = zones_new();
    alarms_on_step(world->alarms, on_step, daemon);
    /* A copy may not raise its generation: the moment of its start stands for it. */
    world->events = events_new(world->clock, world->alarms,
                               world->copy ? clock_now_ms(world->clock) : store_generation(world->store));
    events_meter(world->events, world->metrics);
    fetcher_meter(daemon->parts.fetcher, world->metrics);
    fetcher_meter(daemon->parts.outward, world->metrics);
    world->progress = progress_new(world);
    if (world->copy)
        news_copy(world);
    fetcher_public(daemon->parts.outward);
    if (!(world->private_feeds = private_feeds_new(world, err)))
        return -1;
    daemon->parts.loop = &daemon->loop;
    if (!(world->feed = feed_new(world, &daemon->loop, err)))
        return -1;
    if (!(daemon->doors = doors_open(&daemon->loop, &(*settings)->http, daemon->handed, world, err)))
        return -1;
    daemon->cast = cast_new(*settings, world, &daemon->parts, err);
    *settings = NULL; /* the cast's, or freed by its failure */
    return daemon->cast ? 0 : -1;
}

/* In reverse; handles close in the last turns of the loop. */
static void teardown(struct daemon *daemon)
{
    struct world *world = &daemon->world;

    doors_close(daemon->doors);
    if (daemon->cast)
        cast_free(daemon->cast);
    if (daemon->next)
        settings_free(daemon->next);
    wires_close(daemon->parts.wires);
    fetcher_close(daemon->parts.fetcher);
    fetcher_close(daemon->parts.outward);
    uv_handle_t *handles[] = {(uv_handle_t *)&daemon->term, (uv_handle_t *)&daemon->interrupt,
                              (uv_handle_t *)&daemon->hangup, (uv_handle_t *)&daemon->quiet,
                              (uv_handle_t *)&daemon->doctor};
    for (size_t i = 0; i < ARRAY_LEN(handles); i++)
        uv_close(handles[i], NULL);
    turns_end(&daemon->turns);
    feed_free(world->feed);
    progress_free(world->progress);
    events_free(world->events);
    private_feeds_close(world->private_feeds);
    if (world->store)
        store_close(world->store);
    if (world->alarms)
        alarms_close(world->alarms);
    uv_run(&daemon->loop, UV_RUN_DEFAULT);
    uv_loop_close(&daemon->loop);
    zones_free(world->zones);
    locales_free(world->locales);
    crypt_tokens_free(world->tokens);
    crypt_tokens_free(daemon->next_tokens);
    world_forget(world);
    metrics_free(world->metrics);
    store_image_clear(&daemon->image);
    free(daemon->store);
    free(daemon->instance);
}

int daemon_run(const struct daemon_options *options)
{
    struct daemon daemon = {.options = options, .handed = notify_take_sockets()};
    struct error err = {0};
    auto_free const char **folders = settings_plugin_folders();

    log_init(&daemon.log, options->level);
    struct settings *settings = settings_load(options->config_path, folders, stderr, &err);
    if (!settings)
        return 3;
    log_warnings(&daemon, settings);
    uv_loop_init(&daemon.loop);
    watch_signals(&daemon);
    if (build(&daemon, &settings, &err) < 0) {
        log_line(&daemon.log, LOG_ERROR, "event=failed error=%s", LOG_QUOTED(text_of(err.text)));
        daemon.exit_code = err.kind == ERROR_CONFIG ? 3 : 1;
        settings_free(settings);
    } else {
        log_line(&daemon.log, LOG_NOTICE, "event=started generation=%lld config=%s",
                 (long long)store_generation(daemon.world.store), LOG_QUOTED(text_of(options->config_path)));
        notify_send("READY=1");
        on_doctor(&daemon.doctor);
        uv_run(&daemon.loop, UV_RUN_DEFAULT);
        log_line(&daemon.log, LOG_NOTICE, "event=stopped");
    }
    teardown(&daemon);
    uv_library_shutdown(); /* threads of the pool give back what OpenSSL keeps for each, while it still can */
    return daemon.exit_code;
}
