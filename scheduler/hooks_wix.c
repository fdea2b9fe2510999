#include "hooks_wix.h"

#include "crypt_jws.h"
#include "hooks_blame.h"
#include "metrics.h"
#include "source/wix_hook.h"
#include "sync.h"

#include <string.h>
#include <strings.h>

/* So many are on their way to the disk at most: of more, the site is walked instead. */
enum { NOTES_MAX = 256 };

/* The key of one file, read when the first hook needs it. */
struct known_key {
    char *path;
    struct crypt_jws_key *key; /* NULL: it could not be read */
    struct error why;
    struct known_key *next;
};

/* A hook that is being noted. */
struct note {
    struct hooks_wix *hooks;
    struct store_job *job;
    struct arena arena;
    struct wix_hook hook; /* texts in the arena */
    const char *site;
    struct note *next;
};

struct hooks_wix {
    struct world *world;
    struct hooks_blame blame;
    struct known_key *keys;
    struct note *notes;
    size_t note_count;
};

static void request_note(struct hooks_wix *hooks, struct note *note);
static void on_noted(void *ctx, const struct store_hooked *result);

/* --- Keys -----------------------------------------------------------------------------------------------------------
 */

static const struct known_key *key_of(struct hooks_wix *hooks, const char *path)
{
    struct known_key *known = hooks->keys;

    while (known && strcmp(known->path, path) != 0)
        known = known->next;
    if (known)
        return known;
    known = must_calloc(1, sizeof *known);
    known->path = must_strdup(path);
    known->key = crypt_jws_key_load(path, &known->why);
    if (!known->key)
        log_line(hooks->world->log, LOG_ERROR, "event=hook_key error=%s", LOG_QUOTED(text_of(known->why.text)));
    known->next = hooks->keys;
    hooks->keys = known;
    return known;
}

void hooks_wix_reload(struct hooks_wix *hooks)
{
    for (struct known_key *known = hooks->keys, *next; known; known = next) {
        next = known->next;
        crypt_jws_key_free(known->key);
        free(known->path);
        free(known);
    }
    hooks->keys = NULL;
}

/* --- What follows ---------------------------------------------------------------------------------------------------
 */

static void count(const struct hooks_wix *hooks, const char *site, const char *outcome)
{
    metrics_add(hooks->world->metrics, METRIC_HOOKS, LABELS("wix", site, outcome), 1);
}

static void note_free(struct note *note)
{
    struct hooks_wix *hooks = note->hooks;

    for (struct note **at = &hooks->notes; *at; at = &(*at)->next)
        if (*at == note) {
            *at = note->next;
            hooks->note_count--;
            break;
        }
    arena_clear(&note->arena);
    free(note);
}

static void nudge(struct sync *sync, const struct wix_hook *hook)
{
    for (size_t i = 0; i < hook->count; i++)
        sync_nudge(sync, hook->ids[i], hook->about == WIX_HOOK_DEFINITION ? hook->revision : 0);
    if (hook->count == 0 && *hook->event_id)
        sync_nudge_event(sync, hook->event_id);
}

static void request_note(struct hooks_wix *hooks, struct note *note)
{
    auto_buf struct buf from;

    buf_init(&from, 256);
    buf_addf(&from, "wix %s", note->site);
    note->job = store_hook(hooks->world->store,
                           &(struct store_hook){.from = from.ptr,
                                                .id = note->hook.key,
                                                .entity = note->hook.entity_id,
                                                .sequence = note->hook.sequence,
                                                .at_ms = clock_now_ms(hooks->world->clock)},
                           on_noted, note);
}

/* One that could not be noted is read again, too: that harms nobody. */
static void on_noted(void *ctx, const struct store_hooked *result)
{
    struct note *note = ctx;
    struct world *world = note->hooks->world;
    const struct world_site *site = world_site(world, note->site);

    count(note->hooks, note->site,
          result->failure                 ? "failed"
          : result->news == HOOK_REPEATED ? "repeated"
          : result->news == HOOK_OLD      ? "old"
                                          : "new");
    log_line(world->log, LOG_DEBUG, "event=hook what=wix site=%s type=%s news=%s", note->site, note->hook.type,
             result->failure                 ? "unknown"
             : result->news == HOOK_REPEATED ? "repeated"
             : result->news == HOOK_OLD      ? "old"
                                             : "yes");
    if (site && site->sync && (result->failure || result->news == HOOK_NEW))
        nudge(site->sync, &note->hook);
    note_free(note);
}

/* An app has one address for all the sites it is installed on: which of them it is, the instance says. */
static const struct world_site *site_of(const struct world *world, const struct world_site *called,
                                        const char *instance)
{
    if (!*called->settings->instance_id || !*instance || strcasecmp(called->settings->instance_id, instance) == 0)
        return called;
    for (size_t i = 0; i < world->site_count; i++) {
        const struct world_site *site = &world->sites[i];
        if (*site->settings->instance_id && strcasecmp(site->settings->instance_id, instance) == 0 &&
            strcmp(site->settings->webhook_key_file, called->settings->webhook_key_file) == 0)
            return site;
    }
    return NULL;
}

static void take(struct hooks_wix *hooks, const struct world_site *called, const json_t *claims)
{
    struct note *note = must_calloc(1, sizeof *note);
    const struct world_site *site = called;
    struct error err = {0};

    note->hooks = hooks;
    note->next = hooks->notes;
    hooks->notes = note;
    hooks->note_count++;
    if (wix_hook_read(claims, &note->arena, &note->hook, &err) == 0 && note->hook.about != WIX_HOOK_OTHER) {
        site = site_of(hooks->world, called, note->hook.instance_id);
        if (!site)
            error_set(&err, ERROR_REFUSED, "about an instance of the app that no site has");
    }
    if (err.kind != ERROR_NONE) /* it is Wix's, and would come a dozen times if it were refused */
        hooks_blame(&hooks->blame, hooks->world, "wix", called->name, "signed, but passed over", err.text);
    if (err.kind != ERROR_NONE || note->hook.about == WIX_HOOK_OTHER) {
        count(hooks, called->name, err.kind != ERROR_NONE ? "passed_over" : "other");
        note_free(note);
        return;
    }
    note->site = arena_copy(&note->arena, text_of(site->name));
    if (hooks->note_count <= NOTES_MAX) {
        request_note(hooks, note);
        return;
    }
    count(hooks, site->name, "crowded");
    if (site->sync)
        sync_nudge_all(site->sync);
    note_free(note);
}

/* --- The call -------------------------------------------------------------------------------------------------------
 */

/* Wix's bursts come from few addresses: only what is not signed counts against the rate of one. */
static void refuse_token(struct hooks_wix *hooks, struct server_request *request, const struct server_call *call,
                         const char *site, const struct error *why)
{
    count(hooks, site, "not_signed");
    hooks_blame(&hooks->blame, hooks->world, "wix", site, call->who, why->text);
    if (server_charge(request, true))
        server_refuse(request, 401, why->text);
}

void hooks_wix_handle(struct hooks_wix *hooks, struct server_request *request, const struct server_call *call,
                      const char *name)
{
    const struct world_site *site = world_site(hooks->world, name);
    struct error err = {0};

    if (!site || !*site->settings->webhook_key_file) {
        if (server_charge(request, true))
            server_refuse(request, 404, "no site of that name has a webhook_key_file");
        return;
    }
    if (strcmp(call->method, "POST") != 0) {
        if (server_charge(request, true))
            server_refuse_more(request, 405, "a hook is called by POST", NULL, &(struct server_field){"Allow", "POST"});
        return;
    }
    if (!server_charge(request, false)) {
        hooks_blame(&hooks->blame, hooks->world, "wix", name, call->who, "too many that were not signed");
        return;
    }
    const struct known_key *known = key_of(hooks, site->settings->webhook_key_file);
    if (!known->key) {
        server_refuse(request, 503, "the site's webhook_key_file cannot be read");
        return;
    }
    json_t *claims = crypt_jws_verify(known->key, call->body, clock_now_ms(hooks->world->clock), &err);
    if (!claims) {
        refuse_token(hooks, request, call, name, &err);
        return;
    }
    server_reply(request, &(struct server_reply){.status = 200}); /* Wix gives us 1250 ms */
    take(hooks, site, claims);
    json_decref(claims);
}

/* --- Beginning and end ----------------------------------------------------------------------------------------------
 */

struct hooks_wix *hooks_wix_new(struct world *world)
{
    struct hooks_wix *hooks = must_calloc(1, sizeof *hooks);

    hooks->world = world;
    hooks->blame.last_mono_ms = MOMENT_NONE;
    return hooks;
}

void hooks_wix_close(struct hooks_wix *hooks)
{
    if (!hooks)
        return;
    while (hooks->notes) {
        store_cancel(&hooks->notes->job);
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that what is freed has left the list */
        note_free(hooks->notes);
    }
    hooks_wix_reload(hooks);
    free(hooks);
}
