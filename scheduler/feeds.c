#include "feeds.h"

#include "feed.h"
#include "private_feeds.h"

#include <string.h>

enum {
    SHELVES_MAX = 10000, /* calendars of which answers are kept; when there are more all are made anew */
    NAME_MAX_SHOWN = 60, /* of a file */
};

#define PUBLIC "public, max-age=300"
#define PRIVATE "private, max-age=300"

/* A calendar that was asked for, ready to be answered. */
struct shelf {
    const char *site, *event_id; /* "": the whole site's */
    struct feed_body *body;      /* held */
    struct server_page *page[2]; /* for everybody, and for who has a token; NULL: not yet asked for */
    char memory[];
};

/* What a path asks for, by its form: a token is not told apart, nor a name. */
enum kind { SITE, EVENT, TOKEN, KINDS };
enum answer { WHOLE, UNCHANGED, MISSING, GONE, UNREADY, ANSWERS };

struct feeds {
    struct world *world;
    struct index shelves;
    struct server_page *robots;
    int64_t counts[KINDS][ANSWERS];
};

/* --- Shelves ------------------------------------------------------------------------------------------------------ */

static uint64_t hash_of(const void *item)
{
    const struct shelf *shelf = item;

    return index_hash(index_hash(INDEX_HASH, shelf->site), shelf->event_id);
}

static bool same_shelf(const void *a, const void *b)
{
    const struct shelf *left = a, *right = b;

    return strcmp(left->site, right->site) == 0 && strcmp(left->event_id, right->event_id) == 0;
}

static const struct index_kind by_place = {hash_of, same_shelf};

static void shelf_empty(struct shelf *shelf)
{
    for (size_t i = 0; i < ARRAY_LEN(shelf->page); i++) {
        server_page_drop(shelf->page[i]);
        shelf->page[i] = NULL;
    }
    feed_body_drop(shelf->body);
    shelf->body = NULL;
}

static void clear_shelves(struct feeds *feeds)
{
    for (size_t i = 0; i < feeds->shelves.size; i++) {
        struct shelf *shelf = feeds->shelves.at[i];
        if (!shelf)
            continue;
        shelf_empty(shelf);
        free(shelf);
    }
    index_clear(&feeds->shelves);
}

static struct shelf *shelf_new(const char *site, const char *event_id)
{
    size_t size = strlen(site) + 1;
    struct shelf *shelf = must_calloc(1, sizeof *shelf + size + strlen(event_id) + 1);

    shelf->site = memcpy(shelf->memory, site, size);
    shelf->event_id = strcpy(shelf->memory + size, event_id);
    return shelf;
}

/* The shelf of a calendar, with this body on it. */
static struct shelf *shelf_of(struct feeds *feeds, const char *site, const char *event_id, struct feed_body *body)
{
    struct shelf *shelf = index_find(&feeds->shelves, &by_place, &(struct shelf){.site = site, .event_id = event_id});

    if (!shelf) {
        if (feeds->shelves.count >= SHELVES_MAX)
            clear_shelves(feeds);
        shelf = shelf_new(site, event_id);
        index_put(&feeds->shelves, &by_place, shelf);
    }
    if (shelf->body != body) {
        shelf_empty(shelf);
        shelf->body = feed_body_hold(body);
    }
    return shelf;
}

static void on_page_gone(void *ctx)
{
    feed_body_drop(ctx);
}

/* "inline" shows and subscribes; the name is for who saves it. Only what no client reads as anything but a name. */
static void write_disposition(char *out, size_t size, const char *site)
{
    int length = snprintf(out, size, "inline; filename=\"%.*s", NAME_MAX_SHOWN, site);

    for (char *c = out + strlen("inline; filename=\""); *c; c++)
        if ((*c < 'a' || *c > 'z') && (*c < 'A' || *c > 'Z') && (*c < '0' || *c > '9') && *c != '-' && *c != '_')
            *c = '_';
    snprintf(out + length, size - (size_t)length, ".ics\"");
}

static struct server_page *make_page(const struct feeds *feeds, const struct shelf *shelf, bool private)
{
    int64_t now_ms = clock_now_ms(feeds->world->clock), modified_at_ms = feed_body_modified_at_ms(shelf->body);
    char disposition[128];
    struct server_page_spec spec = {
        .type = "text/calendar; charset=utf-8",
        .plain = feed_body_plain(shelf->body),
        .gzip = feed_body_gzip(shelf->body),
        .etag = feed_body_etag(shelf->body, false),
        .gzip_etag = feed_body_etag(shelf->body, true),
        /* a date ahead of its own answer is none (RFC 9110 section 8.8.2.1) */
        .modified_at_ms = modified_at_ms <= 0       ? MOMENT_NONE
                          : modified_at_ms < now_ms ? modified_at_ms
                                                    : now_ms,
        .cache_control = private ? PRIVATE : PUBLIC,
        .fields = {{"Content-Disposition", disposition}},
        .gone = on_page_gone,
        .ctx = feed_body_hold(shelf->body),
    };

    write_disposition(disposition, sizeof disposition, shelf->site);
    if (private)
        spec.fields[1] = (struct server_field){"X-Robots-Tag", "noindex"};
    return server_page_new(&spec);
}

/* --- Answers ------------------------------------------------------------------------------------------------------ */

/* Short and plain: a calendar program shows it to nobody. */
static void answer_text(struct server_request *request, int status, const char *text, const struct server_field *field)
{
    struct server_reply reply = {.status = status, .type = "text/plain; charset=utf-8", .body = text_of(text)};

    if (field)
        reply.fields[0] = *field;
    server_reply(request, &reply);
}

static void answer_missing(struct feeds *feeds, struct server_request *request, enum kind kind)
{
    feeds->counts[kind][MISSING]++;
    if (server_charge(request, true))
        answer_text(request, 404, "there is no such calendar\n", NULL);
}

static void answer_gone(struct feeds *feeds, struct server_request *request)
{
    feeds->counts[TOKEN][GONE]++;
    if (server_charge(request, true))
        answer_text(request, 410, "this calendar is not shared by this link any more\n", NULL);
}

static void answer_unready(struct feeds *feeds, struct server_request *request, enum kind kind)
{
    feeds->counts[kind][UNREADY]++;
    answer_text(request, 503, "this calendar is being made; come back in a minute\n",
                &(struct server_field){"Retry-After", "60"});
}

static void send_calendar(struct feeds *feeds, struct server_request *request, struct shelf *shelf, enum kind kind)
{
    bool private = kind == TOKEN;

    if (!shelf->page[private])
        shelf->page[private] = make_page(feeds, shelf, private);
    bool unchanged = server_send_page(request, shelf->page[private]) == 304;
    feeds->counts[kind][unchanged ? UNCHANGED : WHOLE]++;
}

/* True when it was answered with a calendar. */
static bool answer_calendar(struct feeds *feeds, struct server_request *request, const char *site_name,
                            const char *event_id, enum kind kind)
{
    const struct world_site *site = world_site(feeds->world, site_name);
    struct feed_body *body;

    if (!site || !site->settings || (kind != TOKEN && !site->settings->feed.public)) {
        answer_missing(feeds, request, kind);
    } else if (!feed_is_published(feeds->world->feed, site_name)) {
        answer_unready(feeds, request, kind);
    } else {
        body = *event_id ? feed_of_event(feeds->world->feed, site_name, event_id)
                         : feed_of_site(feeds->world->feed, site_name);
        if (body)
            send_calendar(feeds, request, shelf_of(feeds, site_name, event_id, body), kind);
        else if (openings_of(&feeds->world->openings, site_name, event_id)) /* of which nothing was shown yet */
            answer_unready(feeds, request, kind);
        else
            answer_missing(feeds, request, kind);
        return body != NULL;
    }
    return false;
}

static void answer_private(struct feeds *feeds, struct server_request *request, struct text token)
{
    const struct store_private_feed *feed = NULL;

    if (!server_charge(request, false)) /* whoever asked for too much that is not there may not guess */
        return;
    switch (private_feeds_find(feeds->world->private_feeds, token, &feed)) {
    case PRIVATE_FEED_UNKNOWN:
        answer_missing(feeds, request, TOKEN);
        break;
    case PRIVATE_FEED_GONE:
        answer_gone(feeds, request);
        break;
    case PRIVATE_FEED_FOUND:
        if (answer_calendar(feeds, request, feed->site, feed->event_id, TOKEN))
            private_feeds_fetched(feeds->world->private_feeds, feed, server_header(request, "User-Agent"));
        break;
    }
}

/* "SITE", "SITE/EVENT" or "t/TOKEN", decoded. */
static void answer_path(struct feeds *feeds, struct server_request *request, struct text path)
{
    struct text event = path, site = text_cut(&event, '/');
    bool is_token = site.len < path.len && text_is(site, "t");

    if (memchr(event.ptr ? event.ptr : "", '/', event.len) || (site.len < path.len && event.len == 0)) {
        answer_missing(feeds, request, is_token ? TOKEN : EVENT);
    } else if (is_token) {
        answer_private(feeds, request, event);
    } else {
        auto_free char *site_name = text_dup(site), *event_id = text_dup(event);
        answer_calendar(feeds, request, site_name, event_id, *event_id ? EVENT : SITE);
    }
}

void feeds_handle(struct feeds *feeds, struct server_request *request, const struct server_call *call)
{
    static const char folder[] = "/feeds/", ending[] = ".ics";
    struct text path = text_of(call->path);

    if (strcmp(call->method, "GET") != 0) {
        answer_text(request, 405, "calendars are read by GET\n", &(struct server_field){"Allow", "GET, HEAD"});
    } else if (text_is(path, "/robots.txt")) {
        server_send_page(request, feeds->robots);
    } else if (path.len <= strlen(folder) + strlen(ending) ||
               !text_is(text_slice(path, path.len - strlen(ending), path.len), ending)) {
        answer_missing(feeds, request, SITE);
    } else if (!feeds->world->feed || !feeds->world->private_feeds) {
        answer_unready(feeds, request, SITE);
    } else {
        answer_path(feeds, request, text_slice(path, strlen(folder), path.len - strlen(ending)));
    }
}

bool feeds_charge(const char *path)
{
    return text_starts(text_of(path), "/feeds/") || strcmp(path, "/robots.txt") == 0;
}

void feeds_measure(const struct feeds *feeds, struct metrics *metrics)
{
    static const char *const kinds[KINDS] = {[SITE] = "site", [EVENT] = "event", [TOKEN] = "private"};
    static const char *const codes[ANSWERS] = {
        [WHOLE] = "200", [UNCHANGED] = "304", [MISSING] = "404", [GONE] = "410", [UNREADY] = "503"};

    for (size_t kind = 0; kind < KINDS; kind++)
        for (size_t answer = 0; answer < ANSWERS; answer++)
            if (answer != GONE || kind == TOKEN)
                metrics_set(metrics, METRIC_FEEDS, LABELS(kinds[kind], codes[answer]), feeds->counts[kind][answer]);
}

/* --- Beginning and end -------------------------------------------------------------------------------------------- */

struct feeds *feeds_new(struct world *world)
{
    /* Not /feeds/t/: Google's calendar asks here before it fetches. Their answers say noindex. */
    static const char robots[] = "User-agent: *\nDisallow: /u/\nDisallow: /api/\nDisallow: /hooks/\n";
    struct feeds *feeds = must_calloc(1, sizeof *feeds);

    feeds->world = world;
    feeds->robots = server_page_new(&(struct server_page_spec){.type = "text/plain; charset=utf-8",
                                                               .plain = text_of(robots),
                                                               .etag = "\"robots-1\"",
                                                               .modified_at_ms = MOMENT_NONE,
                                                               .cache_control = "public, max-age=86400"});
    return feeds;
}

void feeds_close(struct feeds *feeds)
{
    if (!feeds)
        return;
    clear_shelves(feeds);
    server_page_drop(feeds->robots);
    free(feeds);
}
