#include "disk.h"

#include "launch.h"

enum { SPARE_PART = 4 }; /* well again is so much of the reserve more: not to and fro with each megabyte */

static bool has_room(const struct store_health *health, int64_t wanted, bool before)
{
    return health->room_bytes < 0 || health->room_bytes >= wanted + (before ? 0 : health->reserve_bytes / SPARE_PART);
}

static void judge(const struct store_health *health, bool well_before, struct error *out)
{
    if (health->failure.kind != ERROR_NONE)
        *out = health->failure;
    else if (!has_room(health, health->reserve_bytes, well_before))
        error_set(out, ERROR_TRY_LATER, "%lld MB are left on the disk of the state, %lld are wanted: make room there",
                  (long long)(health->room_bytes >> 20), (long long)(health->reserve_bytes >> 20));
}

static void tell(struct world *world)
{
    const struct error *why = &world->disk.why;
    auto_buf struct buf body;

    log_line(world->log, LOG_ERROR, "event=disk_trouble what=\"nothing is claimed\" error=%s",
             LOG_QUOTED(text_of(why->text)));
    buf_init(&body, 2048);
    buf_addf(&body,
             "%s\n\nNothing is sent meanwhile, and nothing is lost. What is held goes on by itself when all is well "
             "again.\n\nonsale status\n",
             why->text);
    if (world->tell_operators && !buf_failed(&body))
        world->tell_operators(world->tell_ctx, "The disk of the state", body.ptr);
}

void disk_look(struct world *world)
{
    struct world_disk *disk = &world->disk;
    struct store_health health;
    struct error why = {0};
    bool well_before = disk->why.kind == ERROR_NONE, tight_before = disk->tight;

    store_health(world->store, &health);
    judge(&health, well_before, &why);
    disk->why = why;
    disk->tight = why.kind != ERROR_NONE || !has_room(&health, 2 * health.reserve_bytes, !tight_before);
    if (disk->tight && !tight_before) {
        log_line(world->log, LOG_WARNING,
                 "event=disk_tight room_mb=%lld what=\"no people are read, no site is walked\"",
                 (long long)(health.room_bytes >> 20));
        launches_stop_reading(world->launches);
    }
    if (why.kind != ERROR_NONE) {
        if (!disk->told)
            tell(world);
        disk->told = true;
        launches_look(world->launches);
    } else if (disk->told || !well_before || !disk->looked) {
        if (disk->told)
            log_line(world->log, LOG_NOTICE, "event=disk_well room_mb=%lld", (long long)(health.room_bytes >> 20));
        disk->told = false;
        launches_unhold(world->launches, REASON_DISK);
    }
    disk->looked = true;
}
