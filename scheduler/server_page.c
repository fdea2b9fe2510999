/* server_page.c - one body in memory that many answers read: made once, with all its header fields, in up to four
 * answers of libmicrohttpd, which are shared by every request. */
#include "server_private.h"

#include "conditional.h"

#include <assert.h>

enum { FIELDS_MAX = 16 };

/* What all answers of a page read, until the last of them is gone. */
struct shared {
    unsigned holders;
    void (*gone)(void *ctx);
    void *ctx;
};

struct server_page {
    unsigned holders;               /* its owner, and requests that are not queued yet */
    struct conditional_forms forms; /* texts are its own */
    char *plain_etag, *gzip_etag;
    size_t plain_size, gzip_size;
    struct MHD_Response *whole[2], *unchanged[2]; /* plain, gzip; the latter NULL where there is no such form */
    struct shared *shared;
};

static void let_go(void *ctx)
{
    struct shared *shared = ctx;

    if (--shared->holders > 0)
        return;
    if (shared->gone)
        shared->gone(shared->ctx);
    free(shared);
}

/* --- Making ------------------------------------------------------------------------------------------------------- */

struct fields {
    struct server_field at[FIELDS_MAX];
    size_t count;
};

static void add(struct fields *fields, const char *name, const char *value)
{
    if (value && fields->count < FIELDS_MAX)
        fields->at[fields->count++] = (struct server_field){name, value};
}

/* What a 304 repeats (RFC 9110 section 15.4.5) stands in front. */
static void add_validators(struct fields *fields, const struct server_page_spec *spec, bool gzip)
{
    add(fields, "ETag", gzip ? spec->gzip_etag : spec->etag);
    add(fields, "Cache-Control", spec->cache_control);
    if (spec->gzip.len > 0)
        add(fields, "Vary", "Accept-Encoding");
}

static struct MHD_Response *make_response(struct shared *shared, struct text body)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback_cls(body.len, (void *)(uintptr_t)body.ptr, let_go, shared);

    assert(response); /* memory does not run out here: must_calloc() */
    shared->holders++;
    return response;
}

static struct MHD_Response *make_whole(struct shared *shared, const struct server_page_spec *spec, bool gzip)
{
    struct MHD_Response *response = make_response(shared, gzip ? spec->gzip : spec->plain);
    char modified[CONDITIONAL_DATE_SIZE];
    struct fields fields = {0};

    add_validators(&fields, spec, gzip);
    add(&fields, "Content-Type", spec->type);
    add(&fields, "Content-Encoding", gzip ? "gzip" : NULL);
    if (spec->modified_at_ms != MOMENT_NONE) {
        conditional_date_write(spec->modified_at_ms, modified);
        add(&fields, "Last-Modified", modified);
    }
    for (size_t i = 0; i < ARRAY_LEN(spec->fields) && spec->fields[i].name; i++)
        add(&fields, spec->fields[i].name, spec->fields[i].value);
    server_add_fields(response, fields.at, fields.count, true);
    return response;
}

/* It has the body, too, of which libmicrohttpd sends nothing: a Content-Length in a 304 is the one of the 200 (RFC 9110
 * section 8.6). */
static struct MHD_Response *make_unchanged(struct shared *shared, const struct server_page_spec *spec, bool gzip)
{
    struct MHD_Response *response = make_response(shared, gzip ? spec->gzip : spec->plain);
    struct fields fields = {0};

    add_validators(&fields, spec, gzip);
    server_add_fields(response, fields.at, fields.count, false);
    return response;
}

struct server_page *server_page_new(const struct server_page_spec *spec)
{
    struct server_page *page = must_calloc(1, sizeof *page);

    page->holders = 1;
    page->shared = must_calloc(1, sizeof *page->shared);
    *page->shared = (struct shared){.holders = 1, .gone = spec->gone, .ctx = spec->ctx};
    page->plain_etag = must_strdup(spec->etag);
    page->forms =
        (struct conditional_forms){.plain = text_of(page->plain_etag), .modified_at_ms = spec->modified_at_ms};
    page->plain_size = spec->plain.len;
    page->gzip_size = spec->gzip.len;
    if (spec->gzip.len > 0) {
        page->gzip_etag = must_strdup(spec->gzip_etag);
        page->forms.gzip = text_of(page->gzip_etag);
    }
    for (int gzip = 0; gzip <= (spec->gzip.len > 0); gzip++) {
        page->whole[gzip] = make_whole(page->shared, spec, gzip);
        page->unchanged[gzip] = make_unchanged(page->shared, spec, gzip);
    }
    return page;
}

/* Answers that are under way keep what they read. */
void server_page_drop(struct server_page *page)
{
    if (!page || --page->holders > 0)
        return;
    for (int gzip = 0; gzip < 2; gzip++) {
        if (page->whole[gzip])
            MHD_destroy_response(page->whole[gzip]);
        if (page->unchanged[gzip])
            MHD_destroy_response(page->unchanged[gzip]);
    }
    let_go(page->shared);
    free(page->plain_etag);
    free(page->gzip_etag);
    free(page);
}

/* --- Answering ---------------------------------------------------------------------------------------------------- */

static enum MHD_Result on_field(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                const char *value, size_t value_size)
{
    (void)kind;
    conditional_field(cls, (struct text){name, name_size}, (struct text){value, value ? value_size : 0});
    return MHD_YES;
}

int server_send_page(struct server_request *request, struct server_page *page)
{
    struct conditional asked = {0};

    MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, on_field, &asked);
    struct conditional_choice choice = conditional_choose(&asked, &page->forms);
    struct MHD_Response *response = choice.has_it ? page->unchanged[choice.gzip] : page->whole[choice.gzip];
    request->size = choice.has_it ? 0 : choice.gzip ? page->gzip_size : page->plain_size;
    request->page = page;
    page->holders++;
    server_respond_shared(request, choice.has_it ? 304 : 200, response);
    return choice.has_it ? 304 : 200;
}
