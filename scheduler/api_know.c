/* What is known: reports of the store, and how the daemon stands. */
#include "api_private.h"
#include "build-config.h"
#include "dispatch.h"
#include "health.h"
#include "progress.h"
#include "sync.h"

#include <string.h>

/* As /readyz judges, with /healthz's word beside. */
static json_t *health_of(const struct world *world)
{
    struct health health;

    health_look(world, &health);
    json_t *out = health_json(&health, HEALTH_READY, true);
    json_object_set_new(out, "alive", json_string(health_word_name(health_word(&health, HEALTH_ALIVE))));
    return out;
}

/* What marketing tools have not heard of yet. */
static json_t *writebacks_of(const struct world *world)
{
    struct store_health store;
    auto_buf struct buf at;

    store_health(world->store, &store);
    buf_init(&at, 64);
    if (store.oldest_writeback_at_ms != MOMENT_NONE)
        buf_add_moment(&at, store.oldest_writeback_at_ms);
    return json_pack("{s:I, s:s?}", "waiting", (json_int_t)store.writebacks, "oldest_at",
                     store.oldest_writeback_at_ms == MOMENT_NONE ? NULL : at.ptr);
}

/* How a notifier stands: why it sends nothing at the moment, and until when. */
static json_t *standing_of(const struct channel *channel)
{
    struct channel_standing standing = channel_standing(channel);
    auto_buf struct buf at, text;

    buf_init(&at, 64);
    buf_init(&text, 4096);
    if (standing.until_ms != MOMENT_NONE)
        buf_add_moment(&at, standing.until_ms);
    if (standing.text)
        buf_add_visible(&text, text_of(standing.text)); /* what other sides said may be anything */
    return json_pack("{s:s, s:s, s:s?, s:s?}", "name", channel_settings(channel)->name, "state",
                     channel_state_name(standing.state), "reason", standing.text ? text.ptr : NULL, "until",
                     standing.until_ms == MOMENT_NONE ? NULL : at.ptr);
}

/* Whom their own mail servers put off, of a notice; NULL: nobody. */
static json_t *put_off_of(const struct world *world, const struct notice *notice)
{
    struct dispatch_put_off put_off;
    auto_buf struct buf at, said;

    buf_init(&at, 64);
    buf_init(&said, 4096);
    if (!dispatch_put_off_of(world->dispatch, notice, &put_off))
        return NULL;
    if (put_off.next_at_ms != MOMENT_NONE)
        buf_add_moment(&at, put_off.next_at_ms);
    buf_add_visible(&said, text_of(put_off.said));
    return json_pack("{s:I, s:s?, s:s, s:s}", "people", (json_int_t)put_off.people, "next_at", at.len ? at.ptr : NULL,
                     "notifier", put_off.notifier, "said", said.ptr);
}

static json_t *all_put_off(const struct world *world)
{
    json_t *out = json_array();

    for (size_t i = 0; i < world->notices.count; i++) {
        const struct notice *notice = world->notices.at[i];
        json_t *one = notice->state == NOTICE_SENDING ? put_off_of(world, notice) : NULL;
        if (!one)
            continue;
        json_object_set_new(one, "notice", json_integer(notice->id));
        json_object_set_new(one, "rule", json_string(notice->rule));
        json_array_append_new(out, one);
    }
    return out;
}

void api_status(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct world *world = api->world;
    (void)asked;
    json_t *sites = json_array(), *channels = json_array(), *pauses = json_array();

    for (size_t i = 0; i < world->site_count; i++) {
        auto_buf struct buf at;
        int64_t walked_ms = sync_last_walk_at_ms(world->sites[i].sync);
        buf_init(&at, 64);
        if (walked_ms != MOMENT_NONE)
            buf_add_moment(&at, walked_ms);
        json_array_append_new(sites, json_pack("{s:s, s:I, s:s?, s:s?}", "name", world->sites[i].name, "definitions",
                                               (json_int_t)world->sites[i].definitions.count, "walked_at",
                                               walked_ms == MOMENT_NONE ? NULL : at.ptr, "failure",
                                               sync_failure(world->sites[i].sync)));
    }
    for (size_t i = 0; i < world->channel_count; i++) {
        json_t *one = standing_of(world->channels[i]);
        json_object_set_new(one, "in_flight", json_integer((json_int_t)channel_in_flight(world->channels[i])));
        json_array_append_new(channels, one);
    }
    for (size_t i = 0; i < world->pause_count; i++) {
        auto_buf struct buf at;
        buf_init(&at, 64);
        buf_add_moment(&at, world->pauses[i].at_ms);
        json_array_append_new(pauses, json_pack("{s:s, s:s, s:s}", "target", world->pauses[i].target, "who",
                                                world->pauses[i].who, "at", at.ptr));
    }
    server_answer(request, 200,
                  json_pack("{s:s, s:o, s:I, s:s?, s:b, s:o, s:o, s:o, s:o, s:o}", "version", ONSALE_VERSION, "health",
                            health_of(world), "generation", (json_int_t)store_generation(world->store), "copy",
                            world->copy, "frozen", world->frozen, "sites", sites, "notifiers", channels, "pauses",
                            pauses, "writebacks", writebacks_of(world), "put_off", all_put_off(world)));
}

void api_people(struct api *api, struct server_request *request, const struct api_request *asked)
{
    api_list(api, request, asked, API_LIST_PEOPLE, REPORT_PEOPLE);
}

void api_why(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct store_report what = {
        .kind = REPORT_WHY, .address = asked->shown, .event_id = *asked->event ? asked->event : NULL};

    if (*asked->shown) {
        crypt_person_key(api->world->keys, asked->address.key, what.key);
    } else {
        what.address = NULL;
        memcpy(what.key, asked->key, sizeof what.key);
    }
    api_report(api, request, &what);
}

void api_openings(struct api *api, struct server_request *request, const struct api_request *asked)
{
    api_list(api, request, asked, API_LIST_OPENINGS, REPORT_OPENINGS);
}

void api_notices(struct api *api, struct server_request *request, const struct api_request *asked)
{
    api_list(api, request, asked, API_LIST_NOTICES, REPORT_NOTICES);
}

static bool is_paused(const struct world *world, const struct channel *channel)
{
    auto_buf struct buf target;

    buf_init(&target, 256);
    buf_addf(&target, "notifier:%s", channel_settings(channel)->name);
    return world_paused(world, target.ptr);
}

void api_add_standings(const struct world *world, json_t *rows)
{
    size_t i;
    json_t *row;

    json_array_foreach(rows, i, row)
    {
        const struct notice *notice = notices_find(&world->notices, json_integer_value(json_object_get(row, "id")));
        const struct channel *channel = notice ? world_channel_of(world, notice) : NULL;
        if (!channel || notice_final(notice))
            continue;
        if (is_paused(world, channel))
            json_object_set_new(row, "notifier_paused", json_true());
        if (channel_standing(channel).state != CHANNEL_WELL)
            json_object_set_new(row, "notifier", standing_of(channel));
        json_t *put_off = notice->state == NOTICE_SENDING ? put_off_of(world, notice) : NULL;
        if (put_off)
            json_object_set_new(row, "put_off", put_off);
    }
}

/* How fast it goes, and when that ends. */
static void add_pace(const struct world *world, const struct notice *notice, const struct channel *channel,
                     json_t *shown)
{
    int64_t per_second = progress_per_second(world->progress, notice);
    auto_buf struct buf at = {0};

    json_object_set_new(shown, "per_second", json_integer(per_second));
    if (per_second == 0 || notice->paused || (channel && is_paused(world, channel)))
        return;
    buf_init(&at, 64);
    buf_add_moment(&at, clock_now_ms(world->clock) + notice->course->tally.waiting * SECOND_MS / per_second);
    json_object_set_new(shown, "ends_at", json_string(at.ptr));
}

/* The ledger's report, and what only the daemon knows: how it goes, how the notifier stands. */
static void on_shown(void *ctx, json_t *answer, const struct error *failure)
{
    struct call *call = ctx;
    const struct world *world = call->api->world;
    const struct notice *notice = notices_find(&world->notices, call->notice);
    const struct channel *channel = notice ? world_channel_of(world, notice) : NULL;
    struct server_request *request = api_call_end(call);

    if (failure) {
        server_refuse(request, failure->kind == ERROR_REFUSED ? 404 : 500, failure->text);
        return;
    }
    json_t *shown = json_copy(answer);
    if (channel && !notice_final(notice) && channel_standing(channel).state != CHANNEL_WELL)
        json_object_set_new(shown, "notifier", standing_of(channel));
    if (notice && notice->state == NOTICE_SENDING)
        add_pace(world, notice, channel, shown);
    server_answer(request, 200, shown);
}

void api_show(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct call *call = api_call_new(api, request);

    call->notice = asked->notice;
    call->job = store_report(api->world->store, &(struct store_report){.kind = REPORT_SHOW, .notice = asked->notice},
                             on_shown, call);
}

void api_audit(struct api *api, struct server_request *request, const struct api_request *asked)
{
    (void)asked;
    api_report(api, request, &(struct store_report){.kind = REPORT_AUDIT});
}

void api_suppressions(struct api *api, struct server_request *request, const struct api_request *asked)
{
    api_list(api, request, asked, API_LIST_SUPPRESSIONS, REPORT_SUPPRESSIONS);
}
