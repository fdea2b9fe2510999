/* A file as an audience: pages are made on the pool, delivered on the loop, one at a time. */
#include "audience/file_page.h"

#include <string.h>
#include <uv.h>

struct audience_file {
    struct audience audience; /* first */
    uv_loop_t *loop;
};

/* Dies with its last page, at a failure, or by cancel; while the pool has it, when the pool gives it back. */
struct audience_read {
    uv_work_t work;
    uv_loop_t *loop;
    struct file_pages *pages;
    struct file_page page;
    audience_page_fn *deliver;
    void *ctx;
    bool working, delivering, wanted, cancelled;
};

static void request_page(struct audience_read *read);
static void make_page(uv_work_t *work);
static void on_page(uv_work_t *work, int status);

static void read_free(struct audience_read *read)
{
    file_page_clear(&read->page);
    file_pages_free(read->pages);
    free(read);
}

static void request_page(struct audience_read *read)
{
    read->wanted = false;
    read->working = true;
    if (uv_queue_work(read->loop, &read->work, make_page, on_page) < 0)
        abort(); /* only without a function to call */
}

static void make_page(uv_work_t *work) /* on the pool */
{
    struct audience_read *read = work->data;

    file_page_clear(&read->page);
    file_pages_next(read->pages, &read->page);
}

static void deliver(struct audience_read *read)
{
    const struct file_page *page = &read->page;
    bool failed = page->failure.kind != ERROR_NONE;
    struct audience_page out = {
        .records = page->records.at,
        .count = page->records.count,
        .cursor = page->cursor,
        .last = page->last,
        .restarted = page->restarted,
        .total = -1,
        .bad = page->bad,
        .bad_why = page->bad_why[0] ? page->bad_why : NULL,
        .failure = failed ? &page->failure : NULL,
    };

    read->delivering = true;
    read->deliver(read->ctx, &out);
    read->delivering = false;
    if (read->cancelled || failed || page->last)
        read_free(read);
    else if (read->wanted)
        request_page(read);
}

static void on_page(uv_work_t *work, int status)
{
    struct audience_read *read = work->data;

    (void)status; /* nobody calls uv_cancel() on it */
    read->working = false;
    if (read->cancelled)
        read_free(read);
    else
        deliver(read);
}

static struct audience_read *file_read(struct audience *audience, const struct audience_question *question,
                                       audience_page_fn *page, void *ctx, struct error *err)
{
    struct audience_file *file = (struct audience_file *)audience;
    struct audience_read *read = must_calloc(1, sizeof *read);

    read->work.data = read;
    read->loop = file->loop;
    read->pages = file_pages_new(audience->settings, question);
    read->deliver = page;
    read->ctx = ctx;
    request_page(read);
    return read;
}

static void file_next(struct audience_read *read)
{
    read->wanted = true; /* inside the callback the page is still being read: after it */
    if (!read->delivering)
        request_page(read);
}

static void file_cancel(struct audience_read *read)
{
    read->cancelled = true;
    if (!read->working && !read->delivering)
        read_free(read);
}

static void file_free(struct audience *audience)
{
    free(audience);
}

static const struct audience_ops file_ops = {
    .read = file_read,
    .next = file_next,
    .cancel = file_cancel,
    .free = file_free,
};

struct audience *audience_file_new(const struct audience_settings *settings, const struct audience_parts *parts,
                                   struct error *err)
{
    if (audience_check(settings, err) < 0) {
        error_at(err, "audience %s", settings->name);
        return NULL;
    }
    struct audience_file *file = must_calloc(1, sizeof *file);
    file->audience = (struct audience){.ops = &file_ops, .settings = settings};
    file->loop = parts->uv_loop;
    return &file->audience;
}
