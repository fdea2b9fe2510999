#include "crypt.h"
#include "wix.h"

#include <jansson.h>
#include <string.h>

enum {
    PAGE_LIMIT = 100, /* Wix's maximum */
    PAGES_MAX = 2000,
    ATTEMPTS_MAX = 4,            /* of one page */
    WAIT_MAX_MS = 2 * MINUTE_MS, /* longer ones fail the walk; the next poll tries again */
    BACKOFF_FIRST_MS = 1 * SECOND_MS,
};

struct walk {
    struct source_request request;
    int64_t since_ms;
    struct wix_call *call; /* the page in flight, or NULL */
    struct alarm wake;     /* budget or backoff */
    char **cursors;        /* all that were followed, in order; the last one names the page being asked for */
    size_t cursor_count;
    unsigned attempts; /* of this page */
    bool restarted;    /* an expired cursor begins the walk again, once */
    struct definition **found;
    size_t count, cap, known;
    struct index by_id; /* what was found */
    char **unreadable;
    size_t unreadable_count, bad;
    struct error bad_why;
    int64_t watermark_ms, server_date_ms, asked_at_ms, answered_at_ms;
    source_walk_fn *done;
    void *ctx;
};

static void request_page(struct walk *walk, struct error *err);
static void on_wake(void *ctx);
static void on_page(void *ctx, struct wix_reply *reply);

static void forget_found(struct walk *walk)
{
    for (size_t i = 0; i < walk->count; i++)
        definition_free(walk->found[i]);
    for (size_t i = 0; i < walk->cursor_count; i++)
        free(walk->cursors[i]);
    for (size_t i = 0; i < walk->unreadable_count; i++)
        free(walk->unreadable[i]);
    index_clear(&walk->by_id);
    walk->count = walk->known = walk->cursor_count = walk->unreadable_count = walk->bad = 0;
    walk->bad_why = (struct error){0};
    walk->watermark_ms = MOMENT_NONE;
}

static void walk_free(struct source_request *request)
{
    struct walk *walk = (struct walk *)request;

    wix_request_leave(request);
    wix_call_cancel(&walk->call);
    alarm_off(&walk->wake);
    forget_found(walk);
    free(walk->found);
    free(walk->cursors);
    free(walk->unreadable);
    free(walk);
}

/* --- Gathering
 * --------------------------------------------------------------------------------------------------------*/

static uint64_t hash_of_id(const void *item)
{
    uint64_t hash = INDEX_HASH;

    for (const char *c = ((const struct definition *)item)->id; *c; c++)
        hash = (hash ^ (unsigned char)(*c | 0x20)) * 0x100000001b3; /* whatever their case */
    return hash;
}

static bool same_id(const void *a, const void *b)
{
    return strcasecmp(((const struct definition *)a)->id, ((const struct definition *)b)->id) == 0;
}

static const struct index_kind by_id = {hash_of_id, same_id};

static bool newer(const struct definition *a, const struct definition *b)
{
    return a->revision != b->revision ? a->revision > b->revision : a->updated_at_ms > b->updated_at_ms;
}

/* A definition that changes while we page can come twice: the newest counts. */
static void take_definition(struct walk *walk, struct definition *definition)
{
    struct definition *twin = index_find(&walk->by_id, &by_id, definition);
    size_t place = 0;

    if (!twin && source_knows(&walk->request.wix->source, definition)) {
        walk->known++;
        definition_free(definition);
        return;
    }
    if (twin && !newer(definition, twin)) {
        definition_free(definition);
        return;
    }
    index_put(&walk->by_id, &by_id, definition);
    while (twin && walk->found[place] != twin)
        place++;
    walk->found[twin ? place : walk->count++] = definition;
    definition_free(twin);
}

static void take_page(struct walk *walk, struct wix_reply *reply)
{
    struct source_page *page = &reply->page;
    struct source_page_notes *notes = &reply->notes;

    if (walk->count + page->count > walk->cap) {
        walk->cap = 2 * walk->cap + page->count;
        walk->found = must_realloc(walk->found, walk->cap * sizeof *walk->found);
    }
    for (size_t i = 0; i < page->count; i++) {
        if (page->definitions[i]->updated_at_ms > walk->watermark_ms)
            walk->watermark_ms = page->definitions[i]->updated_at_ms;
        take_definition(walk, page->definitions[i]);
    }
    page->count = 0;
    if (walk->bad == 0)
        walk->bad_why = notes->bad_why;
    walk->bad += notes->bad;
    if (notes->id_count == 0)
        return;
    walk->unreadable =
        must_realloc(walk->unreadable, (walk->unreadable_count + notes->id_count) * sizeof *walk->unreadable);
    memcpy(walk->unreadable + walk->unreadable_count, notes->ids, notes->id_count * sizeof *notes->ids);
    walk->unreadable_count += notes->id_count;
    notes->id_count = 0;
}

/* Our owner may end everything in there: the walk is taken apart from what we still hold. */
static void finish(struct walk *walk, const struct error *failure)
{
    struct source_walk told = {.complete = failure == NULL,
                               .server_date_ms = walk->server_date_ms,
                               .asked_at_ms = walk->asked_at_ms,
                               .answered_at_ms = walk->answered_at_ms,
                               .failure = failure};

    told.definitions = walk->found;
    told.count = walk->count;
    told.known = walk->known;
    told.unreadable = (const char *const *)walk->unreadable;
    told.unreadable_count = walk->unreadable_count;
    told.bad = walk->bad;
    told.bad_why = walk->bad > 0 ? &walk->bad_why : NULL;
    told.watermark_ms = walk->watermark_ms;
    wix_request_leave(&walk->request);
    walk->request.next = NULL;
    walk->request.link = &walk->request.next; /* no list any more: leaving again is fine */
    walk->done(walk->ctx, &told);
    walk_free(&walk->request);
}

/* --- Asking
 * -----------------------------------------------------------------------------------------------------------*/

/* Filter and sort travel in the first request only: a cursor carries them. */
static char *page_body(const struct walk *walk)
{
    json_t *query = json_object(), *root;

    if (walk->cursor_count > 0) {
        json_object_set_new(
            query, "cursorPaging",
            json_pack("{s:i, s:s}", "limit", PAGE_LIMIT, "cursor", walk->cursors[walk->cursor_count - 1]));
    } else {
        bool all = walk->since_ms == MOMENT_NONE;
        json_object_set_new(query, "cursorPaging", json_pack("{s:i}", "limit", PAGE_LIMIT));
        json_object_set_new(
            query, "sort", json_pack("[{s:s, s:s}]", "fieldName", all ? "createdDate" : "updatedDate", "order", "ASC"));
        if (!all) {
            auto_buf struct buf since;
            buf_init(&since, 64);
            buf_add_moment(&since, walk->since_ms);
            json_object_set_new(query, "filter", json_pack("{s:{s:s}}", "updatedDate", "$gt", since.ptr));
        }
    }
    root = json_pack("{s:o, s:[s, s]}", "query", query, "fields", "SALES_DETAILS", "EVENT_DETAILS");
    char *body = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return body;
}

static void wait_until(struct walk *walk, int64_t mono_at_ms)
{
    const struct source_parts *parts = &walk->request.wix->parts;
    int64_t wait_ms = mono_at_ms - wix_mono_ms(walk->request.wix);

    alarm_set(parts->alarms, &walk->wake, clock_now_ms(parts->clock) + (wait_ms > 0 ? wait_ms : 0), on_wake, walk);
}

/* Asks for the next page now, or sets the alarm for when the budget has room. */
static void request_page(struct walk *walk, struct error *err)
{
    struct wix *wix = walk->request.wix;
    int64_t now_ms = wix_mono_ms(wix), at_ms = wix_budget_ready_at_ms(&wix->budget, true, now_ms);

    if (at_ms < wix->walks_wait_until_ms)
        at_ms = wix->walks_wait_until_ms;
    if (at_ms > now_ms) {
        wait_until(walk, at_ms);
        return;
    }
    char *body = page_body(walk);
    if (!body) {
        error_set(err, ERROR_TRY_LATER, "the cursor cannot be sent back");
        return;
    }
    wix_budget_take(&wix->budget, now_ms);
    if (walk->asked_at_ms == MOMENT_NONE)
        walk->asked_at_ms = clock_now_ms(wix->parts.clock);
    walk->call = wix_call_start(wix,
                                &(struct wix_call_spec){.method = "POST",
                                                        .path = WIX_PATH "/query",
                                                        .body = text_of(body),
                                                        .timeout_ms = wix->source.settings->timeout_ms},
                                on_page, walk, err);
    free(body);
}

struct source_request *wix_walk(struct source *source, int64_t since_ms, source_walk_fn *done, void *ctx,
                                struct error *err)
{
    struct walk *walk = must_calloc(1, sizeof *walk);
    struct error why = {0};

    walk->since_ms = since_ms;
    walk->watermark_ms = walk->server_date_ms = walk->asked_at_ms = walk->answered_at_ms = MOMENT_NONE;
    walk->done = done;
    walk->ctx = ctx;
    wix_request_enter((struct wix *)source, &walk->request, walk_free);
    request_page(walk, &why);
    if (why.kind == ERROR_NONE)
        return &walk->request;
    walk_free(&walk->request);
    error_set(err, why.kind, "%s", why.text);
    return NULL;
}

static void on_wake(void *ctx)
{
    struct walk *walk = ctx;
    struct error err = {0};

    request_page(walk, &err);
    if (err.kind != ERROR_NONE)
        finish(walk, &err);
}

/* --- Answers
 * ----------------------------------------------------------------------------------------------------------*/

/* How long before this page is asked for again; -1: not at all. */
static int64_t retry_wait_ms(struct walk *walk, const struct wix_reply *reply)
{
    int64_t asked_ms = wix_note_wait(walk->request.wix, reply);

    if (reply->failure->kind != ERROR_TRY_LATER || ++walk->attempts >= ATTEMPTS_MAX)
        return -1;
    int64_t base_ms = asked_ms > 0 ? asked_ms / 10 : (int64_t)BACKOFF_FIRST_MS << (2 * (walk->attempts - 1));
    int64_t wait_ms = asked_ms + (int64_t)(crypt_random_u64() % (uint64_t)(base_ms + 1));
    return wait_ms <= WAIT_MAX_MS ? wait_ms : -1;
}

static void on_failure(struct walk *walk, const struct wix_reply *reply)
{
    struct error err = *reply->failure;

    /* What Wix does with an expired cursor is not documented; a refusal is the likely answer. */
    if (reply->status == 400 && walk->cursor_count > 0 && !walk->restarted) {
        walk->restarted = true;
        walk->attempts = 0;
        forget_found(walk);
        err = (struct error){0};
        request_page(walk, &err);
        if (err.kind == ERROR_NONE)
            return;
    }
    size_t page = walk->cursor_count + 1;
    int64_t wait_ms = reply->status == 400 ? -1 : retry_wait_ms(walk, reply);
    if (wait_ms >= 0) {
        log_line(walk->request.wix->parts.log, LOG_INFO, "event=walk_again site=%s page=%zu wait_ms=%lld why=%s",
                 walk->request.wix->source.settings->name, page, (long long)wait_ms, LOG_QUOTED(text_of(err.text)));
        wait_until(walk, wix_mono_ms(walk->request.wix) + wait_ms);
        return;
    }
    error_at(&err, "page %zu", page);
    finish(walk, &err);
}

/* Goes to the page that `cursor` names; takes it over. */
static void follow(struct walk *walk, char *cursor, struct error *err)
{
    bool seen = false;

    for (size_t i = 0; i < walk->cursor_count && !seen; i++)
        seen = strcmp(walk->cursors[i], cursor) == 0;
    if (seen || walk->cursor_count + 1 >= PAGES_MAX) {
        free(cursor);
        error_set(err, ERROR_TRY_LATER, seen ? "page %zu leads back to an earlier one" : "no end after %zu pages",
                  walk->cursor_count + 1);
        return;
    }
    walk->cursors = must_realloc(walk->cursors, (walk->cursor_count + 1) * sizeof *walk->cursors);
    walk->cursors[walk->cursor_count++] = cursor;
    walk->attempts = 0;
    request_page(walk, err);
}

static void on_page(void *ctx, struct wix_reply *reply)
{
    struct walk *walk = ctx;
    struct error err = {0};

    walk->call = NULL;
    if (reply->server_date_ms != MOMENT_NONE) {
        walk->server_date_ms = reply->server_date_ms;
        walk->answered_at_ms = reply->answered_at_ms;
    }
    if (reply->failure) {
        on_failure(walk, reply);
        return;
    }
    take_page(walk, reply);
    char *cursor = reply->page.next_cursor;
    reply->page.next_cursor = NULL;
    if (!cursor) {
        finish(walk, NULL);
        return;
    }
    follow(walk, cursor, &err);
    if (err.kind != ERROR_NONE)
        finish(walk, &err);
}
