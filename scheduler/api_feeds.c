/* Feeds for who has the link: listed, made, given another link, revoked. */
#include "api_private.h"
#include "known.h"

#include <string.h>

void api_feeds(struct api *api, struct server_request *request, const struct api_request *asked)
{
    size_t limit = (size_t)asked->page.limit;
    auto_free const struct store_private_feed **rows = must_calloc(limit + 1, sizeof(struct store_private_feed *));
    size_t count = private_feeds_list(api->world->private_feeds, asked->page.after, limit + 1, rows);
    json_t *list = json_array();
    auto_buf struct buf next;

    buf_init(&next, 256);
    for (size_t i = 0; i < count && i < limit; i++)
        json_array_append_new(list, store_private_feed_json(rows[i]));
    buf_addf(&next, "/api/v1/feeds?limit=%zu&cursor=", limit);
    if (count > limit)
        buf_add_cursor(&next, API_LIST_FEEDS, json_array_get(list, limit - 1));
    server_answer_page(request, 200, list, count > limit ? next.ptr : NULL);
}

/* Where it is read, from what stands in the path. As it is configured a URL has some 240 characters at most: Google
 * takes 256. */
static json_t *link_of(const struct world *world, const char *token)
{
    const char *public = world->public_url ? world->public_url : "", *host = strstr(public, "://");
    json_t *link = json_pack("{s:o}", "path", json_sprintf("/feeds/t/%s.ics", token));

    json_object_set_new(link, "url", host ? json_sprintf("%s/feeds/t/%s.ics", public, token) : json_null());
    json_object_set_new(link, "webcal", host ? json_sprintf("webcal%s/feeds/t/%s.ics", host, token) : json_null());
    return link;
}

static void on_done(void *ctx, const char *token, const struct error *failure)
{
    struct call *call = ctx;
    const struct world *world = call->api->world;

    call->change = NULL;
    struct server_request *request = api_call_end(call);
    if (token)
        server_answer(request, 200, link_of(world, token));
    else
        api_answer_done(request, failure ? -1 : 0, failure);
}

/* `change` NULL: it cannot be, as `err` says. */
static void go_on(struct server_request *request, struct call *call, struct private_feed_change *change,
                  const struct error *err)
{
    call->change = change;
    if (change)
        return;
    api_call_end(call);
    api_answer_done(request, -1, err);
}

static bool event_known(struct world *world, struct world_site *site, const char *event_id)
{
    struct definition *const *first;

    return definitions_of_event(&site->definitions, event_id, &first) > 0 ||
           openings_of(&world->openings, site->name, event_id);
}

void api_feeds_add(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct world *world = api->world;
    struct world_site *site = world_site(world, asked->site);
    struct error err = {0};

    if (!site || !site->settings) {
        known_no_site(world, asked->site, &err);
        server_refuse(request, 404, err.text);
        return;
    }
    if (*asked->event && !event_known(world, site, asked->event)) {
        server_refuse(request, 404, "there is no such event at this site");
        return;
    }
    struct call *call = api_call_new(api, request);
    go_on(request, call,
          private_feeds_add(world->private_feeds, asked->name, asked->site, asked->event, on_done, call, &err), &err);
}

static bool is_known(struct api *api, struct server_request *request, const char *name)
{
    struct error err = {0};

    if (private_feeds_named(api->world->private_feeds, name))
        return true;
    auto_free const struct store_private_feed **all =
        must_calloc(PRIVATE_FEEDS_MAX, sizeof(struct store_private_feed *));
    auto_free const char **names = must_calloc(PRIVATE_FEEDS_MAX, sizeof *names);
    size_t count = private_feeds_list(api->world->private_feeds, 0, PRIVATE_FEEDS_MAX, all);
    for (size_t i = 0; i < count; i++)
        names[i] = all[i]->name;
    known_none("private feed", name, names, count, &err);
    server_refuse(request, 404, err.text);
    return false;
}

void api_feeds_rotate(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct error err = {0};

    if (!is_known(api, request, asked->name))
        return;
    struct call *call = api_call_new(api, request);
    go_on(request, call, private_feeds_rotate(api->world->private_feeds, asked->name, on_done, call, &err), &err);
}

void api_feeds_revoke(struct api *api, struct server_request *request, const struct api_request *asked)
{
    struct error err = {0};

    if (!is_known(api, request, asked->name))
        return;
    struct call *call = api_call_new(api, request);
    go_on(request, call, private_feeds_revoke(api->world->private_feeds, asked->name, on_done, call, &err), &err);
}
