/* listmonk as an audience (https://listmonk.app). One list after another; of each, pages in the order of ids.
 *
 * With `sql: true` a page is asked for by `subscribers.id > LAST`: nobody can be skipped, whoever leaves meanwhile.
 * Without, pages are windows by offset. When somebody leaves, all behind move up, and a plain next page would skip
 * one person for each who left. So our windows overlap by at least one row, and a window in which no row is known to
 * us is taken for what it is, a gap, and asked for again further up. */
#include "audience/listmonk.h"
#include "audience/cursor.h"
#include "audience/listmonk_page.h"
#include "audience/listmonk_request.h"
#include "crypt.h"

#include <assert.h>
#include <string.h>
#include <uv.h>

enum {
    SLICE = 1000, /* records delivered at once */
    TRIES_MAX = 3,
    BACKOFF_MS = 500,
    RETRY_AFTER_MAX_MS = 60000,  /* who wants us to wait longer has failed */
    BODY_MAX = 96 * 1024 * 1024, /* 10000 people with long attributes, on many lists */
    STEPS_BACK_MAX = 50,
    CLOCKS_DIFFER_MS = 60000, /* changes are asked for from this much earlier on */
};

/* Where a read stands in the list that it is in. */
struct place {
    int64_t list;     /* index into listmonk.lists */
    int64_t last_id;  /* the greatest seen */
    int64_t covered;  /* rows from the top that our windows have covered (without SQL) */
    int64_t distinct; /* people seen */
};

/* A page on the pool. The read forgets it when cancelled; then it frees itself. */
struct parse {
    uv_work_t work;
    struct audience_read *read; /* NULL: nobody waits */
    struct arena arena;
    struct text body;
    struct listmonk_list list;
    struct interest interest;
    struct listmonk_page page;
    struct error failure;
};

/* Dies with its last page, at a failure, or by cancel. */
struct audience_read {
    struct listmonk *listmonk;
    struct arena arena;
    struct interest interest;
    const char *since; /* only who changed since, RFC 3339; NULL: everybody */
    uint64_t made_from;
    struct place place, next; /* before and behind the page in hand */
    struct listmonk_list list;
    bool list_known;
    unsigned tries, steps_back, rereads;
    struct listmonk_window asked;

    struct fetch *fetch; /* at most one of these three is under way */
    struct parse *parse;
    struct alarm again;
    struct error refused; /* the transfer could not even begin */

    struct listmonk_page page; /* in hand, delivered slice by slice */
    size_t delivered;
    bool page_is_last;
    audience_page_fn *deliver;
    void *ctx;
    bool delivering, wanted, cancelled;
    bool restarted; /* the cursor was stale: nothing of what was read behind it counts */
};

static void go_on(struct audience_read *read);
static void request_list(struct audience_read *read);
static void on_list(void *ctx, const struct fetch_result *result);
static void request_page(struct audience_read *read);
static void on_page(void *ctx, const struct fetch_result *result);
static void parse_page(uv_work_t *work);
static void on_parsed(uv_work_t *work, int status);
static void take_page(struct audience_read *read);
static void deliver_slice(struct audience_read *read);

static int64_t list_id(const struct audience_read *read)
{
    return read->listmonk->lists[read->place.list];
}

static void read_free(struct audience_read *read)
{
    fetch_cancel(&read->fetch);
    alarm_off(&read->again);
    if (read->parse)
        read->parse->read = NULL;
    listmonk_page_clear(&read->page);
    arena_clear(&read->arena);
    free(read);
}

/* --- Failures and second tries -------------------------------------------------------------------------------------
 */

static void say_place(const struct audience_read *read, struct error *err)
{
    if (read->list_known)
        error_at(err, "listmonk list %lld, page %lld", (long long)list_id(read), (long long)read->asked.page);
    else
        error_at(err, "listmonk list %lld", (long long)list_id(read));
}

/* Ends the read; always from the loop. */
static void fail(struct audience_read *read, struct error *err)
{
    say_place(read, err);
    struct audience_page page = {.cursor = "", .total = -1, .failure = err};
    read->delivering = true;
    read->deliver(read->ctx, &page);
    read_free(read);
}

static void ring_again(void *ctx)
{
    go_on(ctx);
}

static void ring_refused(void *ctx)
{
    struct audience_read *read = ctx;

    fail(read, &read->refused);
}

/* The same request once more, later, if it may help. */
static void try_again(struct audience_read *read, int64_t retry_after_ms, struct error *err)
{
    const struct audience_parts *parts = &read->listmonk->parts;
    int64_t backoff_ms = (int64_t)BACKOFF_MS << read->tries;

    if (err->kind != ERROR_TRY_LATER || ++read->tries >= TRIES_MAX || retry_after_ms > RETRY_AFTER_MAX_MS) {
        fail(read, err);
        return;
    }
    int64_t wait_ms = backoff_ms / 2 + (int64_t)(crypt_random_u64() % (uint64_t)(backoff_ms / 2));
    if (wait_ms < retry_after_ms)
        wait_ms = retry_after_ms;
    alarm_set(parts->alarms, &read->again, clock_now_ms(parts->clock) + wait_ms, ring_again, read);
}

/* --- Asking ---------------------------------------------------------------------------------------------------------
 */

static void start_fetch(struct audience_read *read, const struct buf *url, fetch_done_fn *done)
{
    struct listmonk *listmonk = read->listmonk;
    struct fetch_header headers[] = {
        {"Authorization", listmonk->authorization.ptr},
        {"Accept", "application/json"},
    };
    struct fetch_spec spec = {
        .method = "GET",
        .url = url->ptr,
        .headers = headers,
        .header_count = ARRAY_LEN(headers),
        .body_limit = BODY_MAX,
        .timeout_ms = listmonk->audience.settings->timeout_ms,
        .to = "audience",
        .name = listmonk->audience.settings->name,
    };
    struct error err = {0};

    read->fetch = fetch_start(listmonk->parts.fetcher, &spec, done, read, &err);
    if (read->fetch)
        return;
    read->refused = err; /* told from the loop, like every other failure */
    alarm_set(listmonk->parts.alarms, &read->again, clock_now_ms(listmonk->parts.clock), ring_refused, read);
}

static void go_on(struct audience_read *read)
{
    if (read->list_known)
        request_page(read);
    else
        request_list(read);
}

static void request_list(struct audience_read *read)
{
    auto_buf struct buf url;

    buf_init(&url, 4096);
    buf_addf(&url, "%s/api/lists/%lld", read->listmonk->base.ptr, (long long)list_id(read));
    start_fetch(read, &url, on_list);
}

static void on_list(void *ctx, const struct fetch_result *result)
{
    struct audience_read *read = ctx;
    struct error err = {0};

    read->fetch = NULL;
    if (listmonk_check_answer(result, false, &err) < 0 ||
        listmonk_list_parse(result->body, list_id(read), &read->list, &err) < 0) {
        try_again(read, result->retry_after_ms, &err);
        return;
    }
    read->list_known = true;
    read->tries = 0;
    request_page(read);
}

static void request_page(struct audience_read *read)
{
    const struct audience_settings *settings = read->listmonk->audience.settings;
    auto_buf struct buf url;

    read->asked = (struct listmonk_window){.page = 1, .size = settings->page_size};
    if (!settings->sql)
        read->asked = listmonk_window_behind(read->place.covered, settings->page_size);
    buf_init(&url, 4096);
    buf_adds(&url, read->listmonk->base.ptr);
    listmonk_add_people(&url, list_id(read), read->asked);
    if (settings->sql)
        listmonk_add_condition(&url, read->place.last_id, read->since);
    start_fetch(read, &url, on_page);
}

static struct interest copied_interest(const struct interest *from, struct arena *arena)
{
    return (struct interest){
        .event_id = arena_copy(arena, text_of(from->event_id)),
        .attribute = from->attribute ? arena_copy(arena, text_of(from->attribute)) : NULL,
        .list_name = from->list_name ? arena_copy(arena, text_of(from->list_name)) : NULL,
    };
}

static void on_page(void *ctx, const struct fetch_result *result)
{
    struct audience_read *read = ctx;
    struct error err = {0};

    read->fetch = NULL;
    if (listmonk_check_answer(result, read->listmonk->audience.settings->sql, &err) < 0) {
        try_again(read, result->retry_after_ms, &err);
        return;
    }
    struct parse *parse = must_calloc(1, sizeof *parse);
    parse->work.data = parse;
    parse->read = read;
    parse->list = read->list;
    parse->interest = copied_interest(&read->interest, &parse->arena);
    parse->body = (struct text){arena_copy(&parse->arena, result->body), result->body.len};
    read->parse = parse;
    if (uv_queue_work(read->listmonk->parts.uv_loop, &parse->work, parse_page, on_parsed) < 0)
        abort(); /* only without a function to call */
}

static void parse_page(uv_work_t *work) /* on the pool */
{
    struct parse *parse = work->data;

    listmonk_page_parse(parse->body, &parse->list, &parse->interest, &parse->page, &parse->failure);
}

static void on_parsed(uv_work_t *work, int status)
{
    struct parse *parse = work->data;
    struct audience_read *read = parse->read;
    struct error err = parse->failure;

    (void)status; /* nobody calls uv_cancel() on it */
    if (read) {
        read->parse = NULL;
        listmonk_page_clear(&read->page);
        read->page = parse->page;
    } else {
        listmonk_page_clear(&parse->page);
    }
    arena_clear(&parse->arena);
    free(parse);
    if (read && err.kind != ERROR_NONE)
        try_again(read, -1, &err);
    else if (read)
        take_page(read);
}

/* --- Where a page leaves us -----------------------------------------------------------------------------------------
 */

static void start_list_over(struct audience_read *read)
{
    read->place = (struct place){.list = read->place.list};
    read->steps_back = 0;
    request_page(read);
}

/* Nobody we know is in this window, so somebody may be missing before it: look further up. */
static void step_back(struct audience_read *read)
{
    struct error err = {0};
    int64_t step = read->asked.size / 2 + 1;

    if (read->steps_back++ == STEPS_BACK_MAX) {
        error_set(&err, ERROR_TRY_LATER, "people leave this list faster than it can be read");
        fail(read, &err);
        return;
    }
    read->place.covered = read->place.covered > step ? read->place.covered - step : 0;
    request_page(read);
}

static bool is_gap(const struct audience_read *read)
{
    const struct listmonk_page *page = &read->page;

    if (read->listmonk->audience.settings->sql || read->asked.page == 1)
        return false;
    return page->records.count == 0 || page->ids[0] > read->place.last_id;
}

/* Does the answer hold what it says it holds? */
static int check_page(const struct audience_read *read, struct error *err)
{
    const struct listmonk_page *page = &read->page;
    int64_t count = (int64_t)page->records.count;

    if (page->page != read->asked.page || page->per_page != read->asked.size)
        return error_set(err, ERROR_CONFIG,
                         "asked for page %lld of %lld people, got page %lld of %lld; set `page_size` to what it allows",
                         (long long)read->asked.page, (long long)read->asked.size, (long long)page->page,
                         (long long)page->per_page);
    if (count > read->asked.size)
        return error_set(err, ERROR_TRY_LATER, "more people than were asked for");
    if (!read->listmonk->audience.settings->sql)
        return 0;
    if (count && page->ids[0] <= read->place.last_id)
        return error_set(err, ERROR_CONFIG, "listmonk ignored the query parameter; take `sql: true` away");
    if (count < (page->total < read->asked.size ? page->total : read->asked.size))
        return error_set(err, ERROR_TRY_LATER, "%lld of %lld people are missing from the answer",
                         (long long)(page->total - count), (long long)page->total);
    return 0;
}

/* The list is at its end but shorter than it says. Once that may be the moment; twice is not. */
static void too_few(struct audience_read *read)
{
    struct error err = {0};

    if (read->rereads++ == 0) {
        start_list_over(read);
        return;
    }
    error_set(&err, ERROR_TRY_LATER,
              "it says there are %lld people, but lists %lld, and again after a second look; if its counts are cached, "
              "give the API user subscribers:sql_query and set `sql: true`",
              (long long)read->page.total, (long long)read->next.distinct);
    fail(read, &err);
}

static void take_page(struct audience_read *read)
{
    const struct listmonk_page *page = &read->page;
    bool sql = read->listmonk->audience.settings->sql;
    int64_t count = (int64_t)page->records.count;
    struct error err = {0};

    if (check_page(read, &err) < 0) {
        try_again(read, -1, &err);
        return;
    }
    read->tries = 0;
    if (is_gap(read)) {
        step_back(read);
        return;
    }
    read->next = read->place;
    for (int64_t i = 0; i < count; i++) {
        if (page->ids[i] <= read->next.last_id)
            continue;
        read->next.last_id = page->ids[i];
        read->next.distinct++;
    }
    read->next.covered = (read->asked.page - 1) * read->asked.size + count;
    bool ends_list = sql ? page->total <= count : count < read->asked.size;
    if (ends_list && !sql && read->next.distinct < page->total) {
        too_few(read);
        return;
    }
    if (!ends_list && !sql && read->next.covered <= read->place.covered) {
        error_set(&err, ERROR_CONFIG, "the list is too long for windows of %lld people; raise `page_size`",
                  (long long)read->asked.size);
        fail(read, &err);
        return;
    }
    read->page_is_last = ends_list && (size_t)read->place.list + 1 == read->listmonk->list_count;
    if (ends_list)
        read->next = (struct place){.list = read->place.list + 1};
    read->delivered = 0;
    deliver_slice(read);
}

/* --- Delivering -----------------------------------------------------------------------------------------------------
 */

/* The store has what it was given: on behind it. */
static void advance(struct audience_read *read)
{
    if (read->delivered < read->page.records.count) {
        deliver_slice(read);
        return;
    }
    if (read->next.list != read->place.list) {
        read->list_known = false;
        read->rereads = read->steps_back = 0;
    }
    read->place = read->next;
    go_on(read);
}

static void slice_cursor(const struct audience_read *read, size_t until, char cursor[CURSOR_MAX])
{
    struct place place = until == read->page.records.count ? read->next : read->place;

    /* within a page only ids can be gone on behind; a window is asked for again as a whole */
    if (until < read->page.records.count && until > 0 && read->listmonk->audience.settings->sql)
        place.last_id = read->page.ids[until - 1];
    cursor_write(cursor, "listmonk/1", read->made_from,
                 (int64_t[CURSOR_PLACES]){place.list, place.last_id, place.covered, place.distinct});
}

static void deliver_slice(struct audience_read *read)
{
    size_t left = read->page.records.count - read->delivered;
    size_t count = left < SLICE ? left : SLICE;
    bool last = read->page_is_last && count == left;
    char cursor[CURSOR_MAX] = "";

    if (!last)
        slice_cursor(read, read->delivered + count, cursor);
    struct audience_page page = {
        .records = count ? read->page.records.at + read->delivered : NULL,
        .count = count,
        .cursor = cursor,
        .last = last,
        .restarted = read->restarted,
        .total = read->page.total + (read->listmonk->audience.settings->sql ? read->place.distinct : 0),
    };
    read->delivered += count;
    read->restarted = read->wanted = false;
    read->delivering = true;
    read->deliver(read->ctx, &page);
    read->delivering = false;
    if (read->cancelled || last)
        read_free(read);
    else if (read->wanted)
        advance(read);
}

/* --- The audience ---------------------------------------------------------------------------------------------------
 */

static void mix_identity(struct audience_read *read)
{
    const struct listmonk *listmonk = read->listmonk;
    uint64_t *made_from = &read->made_from;

    *made_from = CURSOR_MADE_FROM_NOTHING;
    cursor_mix_string(made_from, listmonk->base.ptr);
    cursor_mix_string(made_from, listmonk->audience.settings->username);
    for (size_t i = 0; i < listmonk->list_count; i++)
        cursor_mix_number(made_from, listmonk->lists[i]);
    cursor_mix_number(made_from, listmonk->audience.settings->sql);
    cursor_mix_string(made_from, read->interest.event_id);
    cursor_mix_string(made_from, read->interest.attribute);
    cursor_mix_string(made_from, read->interest.list_name);
    cursor_mix_string(made_from, read->since);
}

static struct audience_read *start(struct audience *audience, const struct audience_question *question,
                                   int64_t since_ms, audience_page_fn *deliver, void *ctx)
{
    struct audience_read *read = must_calloc(1, sizeof *read);
    int64_t at[CURSOR_PLACES];

    read->listmonk = (struct listmonk *)audience;
    read->deliver = deliver;
    read->ctx = ctx;
    read->interest = interest_of(audience->settings, question, &read->arena);
    if (since_ms != MOMENT_NONE) {
        auto_buf struct buf since;
        buf_init(&since, 64);
        buf_add_moment(&since, since_ms - CLOCKS_DIFFER_MS);
        read->since = arena_copy(&read->arena, buf_text(&since));
    }
    mix_identity(read);
    if (question->cursor && cursor_read(question->cursor, "listmonk/1", read->made_from, at) &&
        at[0] < (int64_t)read->listmonk->list_count)
        read->place = (struct place){.list = at[0], .last_id = at[1], .covered = at[2], .distinct = at[3]};
    else
        read->restarted = question->cursor != NULL;
    request_list(read);
    return read;
}

static struct audience_read *listmonk_read(struct audience *audience, const struct audience_question *question,
                                           audience_page_fn *deliver, void *ctx, struct error *err)
{
    return start(audience, question, MOMENT_NONE, deliver, ctx);
}

static struct audience_read *listmonk_changes(struct audience *audience, const struct audience_question *question,
                                              int64_t since_ms, audience_page_fn *deliver, void *ctx, struct error *err)
{
    return start(audience, question, since_ms, deliver, ctx);
}

static void listmonk_next(struct audience_read *read)
{
    read->wanted = true; /* inside the callback the page is still being read: after it */
    if (!read->delivering)
        advance(read);
}

static void listmonk_cancel(struct audience_read *read)
{
    read->cancelled = true;
    if (!read->delivering)
        read_free(read);
}

static void listmonk_free(struct audience *audience)
{
    struct listmonk *listmonk = (struct listmonk *)audience;

    if (!listmonk)
        return;
    buf_clear(&listmonk->base);
    buf_clear(&listmonk->authorization);
    free(listmonk->lists);
    free(listmonk);
}

static const struct audience_ops plain_ops = {
    .read = listmonk_read,
    .next = listmonk_next,
    .cancel = listmonk_cancel,
    .unsubscribe = listmonk_unsubscribe,
    .unsubscribe_cancel = listmonk_unsubscribe_cancel,
    .free = listmonk_free,
};
static const struct audience_ops sql_ops = {
    .read = listmonk_read,
    .next = listmonk_next,
    .cancel = listmonk_cancel,
    .changes = listmonk_changes,
    .unsubscribe = listmonk_unsubscribe,
    .unsubscribe_cancel = listmonk_unsubscribe_cancel,
    .free = listmonk_free,
};

struct audience *audience_listmonk_new(const struct audience_settings *settings, const struct audience_parts *parts,
                                       struct error *err)
{
    struct listmonk *listmonk = must_calloc(1, sizeof *listmonk);
    struct text base = text_of(settings->url);

    listmonk->audience = (struct audience){.ops = settings->sql ? &sql_ops : &plain_ops, .settings = settings};
    listmonk->parts = *parts;
    buf_init(&listmonk->base, 2048);
    buf_init(&listmonk->authorization, 4096);
    if (audience_check(settings, err) < 0)
        goto fail;
    listmonk->lists = must_calloc(settings->lists.count, sizeof *listmonk->lists);
    listmonk->list_count = settings->lists.count;
    for (size_t i = 0; i < settings->lists.count; i++) {
        if (parse_i64(text_of(settings->lists.at[i]), 1, INT32_MAX, &listmonk->lists[i], err) < 0)
            goto fail;
    }
    while (base.len > 0 && base.ptr[base.len - 1] == '/')
        base.len--;
    buf_add_text(&listmonk->base, base);
    buf_addf(&listmonk->authorization, "token %s:%s", settings->username, settings->token);
    assert(!buf_failed(&listmonk->base) && !buf_failed(&listmonk->authorization)); /* AUDIENCE_URL_MAX, ..LOGIN_MAX */
    return &listmonk->audience;
fail:
    error_at(err, "audience %s", settings->name);
    listmonk_free(&listmonk->audience);
    return NULL;
}
