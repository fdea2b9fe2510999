/* The state as a file to take away. */
#include "api_private.h"

/* Who can do something about it, in a status. */
static int status_of(const struct error *failure)
{
    return failure->kind == ERROR_REFUSED ? 507 : failure->kind == ERROR_TRY_LATER ? 503 : 500;
}

static void on_backup(void *ctx, struct store_backup *result)
{
    struct call *call = ctx;
    struct world *world = call->api->world;
    struct server_request *request = api_call_end(call);
    struct civil now = civil_of(clock_now_ms(world->clock));
    char name[64];

    if (result->failure) {
        log_line(world->log, LOG_WARNING, "event=backup_failed error=%s", LOG_QUOTED(text_of(result->failure->text)));
        server_refuse(request, status_of(result->failure), result->failure->text);
        return;
    }
    log_line(world->log, LOG_NOTICE, "event=backup bytes=%lld notices=%lld people=%lld", (long long)result->copy.bytes,
             (long long)result->copy.notices, (long long)result->copy.people);
    snprintf(name, sizeof name, "onsale-%04d%02d%02dT%02d%02d%02dZ.db", now.year, now.month, now.day, now.hour,
             now.minute, now.second);
    int fd = result->fd;
    result->fd = -1;
    server_send_file(request, fd, "application/vnd.sqlite3", name);
}

void api_backup(struct api *api, struct server_request *request, const struct api_request *asked)
{
    (void)asked;
    for (const struct call *call = api->calls; call; call = call->next)
        if (call->backup) {
            server_refuse(request, 409, "a backup is being made already: ask again when it is done");
            return;
        }
    struct call *call = api_call_new(api, request);
    call->backup = true;
    call->job = store_backup(api->world->store, on_backup, call);
}
