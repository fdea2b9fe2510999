#include "stage.h"

#include "feed.h"
#include "launch.h"
#include "playbook.h"
#include "progress.h"
#include "sync.h"
#include "wire.h"

#include <errno.h>
#include <ftw.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

enum { RINGS_MAX = 20000 }; /* at one instant: more is a loop that never ends */

static const char *const disk[] = {"onsale.db", "onsale.db-wal", "witness"};

static int64_t wall_ms(void *ctx)
{
    return ((struct stage *)ctx)->now_ms;
}

static int64_t mono_ms(void *ctx)
{
    const struct stage *stage = ctx;

    return stage->now_ms - stage->stepped_ms;
}

int stage_init(struct stage *stage, struct error *err)
{
    /* What a disk adds is not what is told here: where there is memory for files, it is quicker. */
    *stage = (struct stage){0};
    snprintf(stage->folder, sizeof stage->folder, "%s/replay-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    stage->clock = (struct clock){.wall_ms = wall_ms, .mono_ms = mono_ms, .ctx = stage};
    log_init(&stage->log, getenv("REPLAY_LOG") ? LOG_DEBUG : LOG_ERROR);
    uv_loop_init(&stage->loop);
    shopfront_init(&stage->front, &stage->clock);
    postman_init(&stage->postman, &stage->clock);
    script_init(&stage->script);
    almanac_init(&stage->almanac, &stage->clock);
    ear_init(&stage->ear, &stage->clock);
    stage->zones = zones_new();
    stage->locales = locales_new(err);
    if (!stage->locales)
        return -1;
    if (!mkdtemp(stage->folder))
        return error_set(err, ERROR_REFUSED, "%s: %s", stage->folder, strerror(errno));
    stage->shop.folder = stage->folder;
    return shop_write_definitions(&stage->shop, err) < 0 || shop_write_people(&stage->shop, "fans", err) < 0 ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

void stage_clear(struct stage *stage)
{
    stage_end(stage, 0);
    postman_clear(&stage->postman);
    shop_clear(&stage->shop);
    script_clear(&stage->script);
    almanac_clear(&stage->almanac);
    ear_clear(&stage->ear);
    crypt_tokens_free(stage->tokens);
    zones_free(stage->zones);
    locales_free(stage->locales);
    uv_loop_close(&stage->loop);
    nftw(stage->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- Time --- */

void stage_settle(struct stage *stage)
{
    unsigned quiet = 0;

    /* Pool work and store jobs are all there is besides the alarms; their answers wake the loop and may start more. */
    while (quiet < 3) {
        bool busy = stage->loop.active_reqs.count > 0 || store_pending(stage->world.store) > 0;
        uv_run(&stage->loop, busy ? UV_RUN_ONCE : UV_RUN_NOWAIT);
        quiet = busy ? 0 : quiet + 1;
    }
}

static void ring(struct stage *stage, int64_t at_ms)
{
    if (at_ms > stage->now_ms)
        stage->now_ms = at_ms;
    alarms_run(stage->world.alarms);
    stage_settle(stage);
    if (stage->cast)
        almanac_look(&stage->almanac, stage->world.feed, stage->world.sites[0].name);
}

void stage_advance(struct stage *stage, int64_t to_ms)
{
    unsigned in_vain = 0;

    if (stage->cast) {
        stage_settle(stage);
        for (int64_t next_ms; (next_ms = alarms_next_at_ms(stage->world.alarms)) != MOMENT_NONE && next_ms <= to_ms;) {
            in_vain = next_ms > stage->now_ms ? 0 : in_vain + 1;
            if (in_vain > RINGS_MAX) {
                stage->stuck = true;
                return;
            }
            ring(stage, next_ms);
        }
        ring(stage, to_ms);
    } else if (to_ms > stage->now_ms) {
        stage->now_ms = to_ms;
    }
}

void stage_step(struct stage *stage, int64_t step_ms)
{
    stage->now_ms += step_ms;
    stage->stepped_ms += step_ms;
    if (!stage->cast)
        return;
    watcher_clock_stepped(&stage->watcher);
    postman_clock_stepped(&stage->postman, step_ms);
    ear_clock_stepped(&stage->ear, step_ms);
    stage_advance(stage, stage->now_ms);
}

void stage_sync(struct stage *stage)
{
    for (size_t i = 0; i < stage->world.site_count; i++)
        sync_now(stage->world.sites[i].sync);
    stage_advance(stage, stage->now_ms);
}

/* --- The daemon's life --- */

static struct settings *load_settings(struct stage *stage, struct error *err)
{
    auto_free const char **folders = settings_plugin_folders();
    auto_buf struct buf yaml;
    char path[128];

    buf_init(&yaml, 1 << 16);
    script_write(&stage->script, stage->folder, &stage->postman.desk, &yaml);
    snprintf(path, sizeof path, "%s/onsale.yaml", stage->folder);
    if (shop_write_file(stage->folder, "onsale.yaml", buf_text(&yaml), err) < 0)
        return NULL;
    return settings_load(path, folders, stderr, err);
}

static int make_cast(struct stage *stage, struct settings *settings, struct error *err)
{
    stage->cast = cast_new(settings, &stage->world, &stage->parts, err);
    if (!stage->cast)
        return -1;
    for (size_t i = 0; i < stage->world.site_count; i++)
        shopfront_stand_before(&stage->front, stage->world.sites[i].source);
    stage_advance(stage, stage->now_ms);
    return 0;
}

static void on_step(void *ctx, int64_t step_ms)
{
    sync_clock_stepped(ctx, step_ms);
}

static int open_store(struct stage *stage, const struct settings *settings, struct error *err)
{
    struct world *world = &stage->world;
    char witness[128], keys[128];

    snprintf(witness, sizeof witness, "%s/witness", stage->folder);
    snprintf(keys, sizeof keys, "%s/onsale.keys", stage->folder);
    world->store = store_open(&(struct store_spec){.url = settings->store,
                                                   .instance = "replay",
                                                   .witness_path = witness,
                                                   .clock = &stage->clock,
                                                   .loop = &stage->loop,
                                                   .log = &stage->log},
                              err);
    if (!world->store || crypt_keys_load(keys, true, &stage->keys, err) < 0)
        return -1;
    crypt_tokens_free(stage->tokens);
    world->tokens = stage->tokens = crypt_tokens_new(&stage->keys, err);
    if (!world->tokens)
        return -1;
    return store_load(world->store, &stage->image, err);
}

int stage_begin(struct stage *stage, struct error *err)
{
    struct world *world = &stage->world;
    struct settings *settings = load_settings(stage, err);

    *world = (struct world){.clock = &stage->clock, .log = &stage->log, .keys = &stage->keys};
    if (!settings)
        return -1;
    if (open_store(stage, settings, err) < 0) {
        store_close(world->store);
        uv_run(&stage->loop, UV_RUN_DEFAULT);
        store_image_clear(&stage->image);
        settings_free(settings);
        *world = (struct world){0};
        return -1;
    }
    world->copy = store_copy_reason(world->store);
    world_take(world, &stage->image);
    world->alarms = stage->postman.alarms = stage->ear.alarms = alarms_new(&stage->loop, &stage->clock, err);
    alarms_on_step(world->alarms, on_step, world);
    world->events = events_new(world->clock, world->alarms, store_generation(world->store));
    world->progress = progress_new(world);
    watcher_begin(&stage->watcher, world);
    world->zones = stage->zones;
    world->locales = stage->locales;
    stage->parts = (struct cast_parts){.loop = &stage->loop,
                                       .fetcher = fetcher_new(&stage->loop, err),
                                       .webhook_post = &stage->ear.post,
                                       .wires = wires_new(&stage->loop, err)};
    world->feed = feed_new(world, &stage->loop, err);
    if (!world->feed)
        return -1;
    return make_cast(stage, settings, err);
}

/* Rings what comes until nothing is in flight any more, or the grace is over. */
static void await_quiet(struct stage *stage, int64_t grace_ms)
{
    int64_t by_ms = stage->now_ms + grace_ms;

    stage_settle(stage);
    while (!cast_quiet(stage->cast)) {
        int64_t next_ms = alarms_next_at_ms(stage->world.alarms);
        if (next_ms == MOMENT_NONE || next_ms > by_ms)
            break;
        ring(stage, next_ms);
    }
}

static void close_cast(struct stage *stage, const struct settings *next, int64_t grace_ms)
{
    cast_stop(stage->cast, next, HOUR_MS); /* by the machine's own clock: ours decides */
    await_quiet(stage, grace_ms);
    postman_forget_jobs(&stage->postman);
    (next ? cast_retire : cast_free)(stage->cast);
    stage->cast = NULL;
}

void stage_end(struct stage *stage, int64_t grace_ms)
{
    struct world *world = &stage->world;

    if (!stage->cast)
        return;
    close_cast(stage, NULL, grace_ms);
    watcher_end(&stage->watcher);
    feed_free(world->feed);
    progress_free(world->progress);
    events_free(world->events);
    wires_close(stage->parts.wires);
    fetcher_close(stage->parts.fetcher);
    store_close(world->store);
    alarms_close(world->alarms);
    uv_run(&stage->loop, UV_RUN_DEFAULT);
    world_forget(world);
    store_image_clear(&stage->image);
}

int stage_reload(struct stage *stage, struct error *err)
{
    struct settings *settings = load_settings(stage, err);

    if (!settings)
        return -1;
    if (playbook_check(&stage->world, settings, err) < 0) {
        settings_free(settings);
        return -1;
    }
    close_cast(stage, settings, MINUTE_MS);
    return make_cast(stage, settings, err);
}

/* Copies FOLDER/NAME`from` to FOLDER/NAME`to`; no such file makes none. */
static int copy_file(const struct stage *stage, const char *name, const char *from, const char *to, struct error *err)
{
    char source[160], target[160];
    char part[1 << 14];
    size_t n;

    snprintf(source, sizeof source, "%s/%s%s", stage->folder, name, from);
    snprintf(target, sizeof target, "%s/%s%s", stage->folder, name, to);
    auto_file FILE *in = fopen(source, "re");
    if (!in)
        return errno == ENOENT && (remove(target) == 0 || errno == ENOENT)
                   ? 0
                   : error_set(err, ERROR_REFUSED, "%s: %s", source, strerror(errno));
    auto_file FILE *out = fopen(target, "we");
    while (out && (n = fread(part, 1, sizeof part, in)) > 0)
        if (fwrite(part, 1, n, out) != n)
            break;
    return out && !ferror(in) && fflush(out) == 0 ? 0 : error_set(err, ERROR_REFUSED, "%s: not copied", source);
}

/* One moment of the disk: while the state is locked for writing its log may be folded, but not begun anew, so that the
 * file and then the log are what a power failure would leave. */
static int copy_disk(const struct stage *stage, struct error *err)
{
    sqlite3 *lock = NULL;
    char path[160];
    int rc = 0;

    snprintf(path, sizeof path, "%s/%s", stage->folder, disk[0]);
    if (sqlite3_open_v2(path, &lock, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_busy_timeout(lock, 10000) != SQLITE_OK ||
        sqlite3_exec(lock, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        rc = error_set(err, ERROR_REFUSED, "%s: %s", path, sqlite3_errmsg(lock));
    for (size_t i = 0; i < ARRAY_LEN(disk) && rc == 0; i++)
        rc = copy_file(stage, disk[i], "", ".then", err);
    sqlite3_close(lock);
    return rc;
}

int stage_crash(struct stage *stage, struct error *err)
{
    stage_settle(stage);
    if (copy_disk(stage, err) < 0)
        return -1;
    stage_end(stage, 0);
    for (size_t i = 0; i < ARRAY_LEN(disk); i++)
        if (copy_file(stage, disk[i], ".then", "", err) < 0)
            return -1;
    return 0;
}

/* --- Consent --- */

int stage_suppress(struct stage *stage, const char *address, bool lift, struct error *err)
{
    struct store_suppression what = {.scope = "", .reason = "operator", .at_ms = stage->now_ms, .lift = lift};
    struct address parsed;

    if (address_parse(text_of(address), &parsed, err) < 0)
        return -1;
    crypt_person_key(&stage->keys, parsed.key, what.key);
    store_suppress(stage->world.store, &what, 1, NULL, NULL);
    stage_settle(stage);
    return 0;
}

static void on_erased(void *ctx, const struct store_erased *result)
{
    struct stage *stage = ctx;

    if (!result->failure)
        launches_progressed(stage->world.launches, result->progress, result->progress_count);
}

int stage_erase(struct stage *stage, const char *address, struct error *err)
{
    unsigned char key[PERSON_KEY_SIZE];
    struct address parsed;

    if (address_parse(text_of(address), &parsed, err) < 0)
        return -1;
    crypt_person_key(&stage->keys, parsed.key, key);
    store_erase(stage->world.store, key, stage->now_ms, on_erased, stage);
    stage_advance(stage, stage->now_ms);
    return 0;
}

static bool file_has(const char *path, const char *bytes)
{
    auto_buf struct buf whole;

    buf_init(&whole, 256 << 20);
    buf_add_file(&whole, path, NULL); /* there may be none */
    return whole.len > 0 && memmem(whole.ptr, whole.len, bytes, strlen(bytes)) != NULL;
}

bool stage_has(const struct stage *stage, const char *bytes)
{
    char path[128];

    for (size_t i = 0; i < ARRAY_LEN(disk); i++) {
        snprintf(path, sizeof path, "%s/%s", stage->folder, disk[i]);
        if (file_has(path, bytes))
            return true;
    }
    return false;
}
