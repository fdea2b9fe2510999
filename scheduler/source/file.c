#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
    FILE_MAX = 64 * 1024 * 1024,
    TOLD_AT_ONCE = 1000, /* definitions: to look through more, and have them taken in, is the work of two turns */
};

/* Which state of the file we speak of; all zero when there was none. */
struct stamp {
    int64_t changed_at_ns;
    uint64_t inode;
    int64_t size;
};

struct tickets {
    struct source source;
    struct source_parts parts;
    struct stamp seen;   /* by the latest reading, good or broken */
    struct stamp walked; /* seen when the last walk was told: a gate that reads the file takes no news from the poll */
    bool read, good;     /* at least once */
    bool told;           /* a walk, at least once */
    uint64_t readings, latest;
    struct definition **definitions; /* the last good state, sorted by id */
    size_t count;
    struct error broken; /* why the latest reading failed, or nothing */
    struct source_request *requests;
};

/* A file on its way over the pool. It owns all it needs: the request may be cancelled meanwhile. */
struct reading {
    uv_work_t work;
    struct source_request *request; /* NULL: cancelled */
    uint64_t number;
    char *path, *site;
    struct stamp seen; /* before: an unchanged file is not read again */
    bool unchanged;
    struct stamp stamp;
    struct source_page page;
    struct error err;
};

struct source_request {
    struct tickets *tickets;
    struct reading *reading;
    struct source_request *next, **link;
    struct alarm soon;       /* its walk is told */
    struct source_walk told; /* ... this, and why it is not complete */
    struct error broken;
    source_walk_fn *walked; /* one of the two */
    source_answer_fn *answered;
    void *ctx;
    char **ids; /* an ask's */
    size_t count;
    int64_t asked_at_ms;
};

static void on_read(uv_work_t *work, int status);

/* --- On the pool
 * ------------------------------------------------------------------------------------------------------*/

static struct stamp stamp_of(const struct stat *st)
{
    return (struct stamp){(int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec, (uint64_t)st->st_ino,
                          (int64_t)st->st_size};
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
    return a->changed_at_ns == b->changed_at_ns && a->inode == b->inode && a->size == b->size;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp((*(struct definition *const *)a)->id, (*(struct definition *const *)b)->id);
}

static int read_bytes(int fd, struct buf *bytes, struct error *err)
{
    char part[16 * 1024];
    ssize_t n;

    while ((n = read(fd, part, sizeof part)) > 0)
        buf_add(bytes, part, (size_t)n);
    if (n < 0)
        return error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    if (buf_failed(bytes))
        return error_set(err, ERROR_CONFIG, "over %d MB", FILE_MAX >> 20);
    return 0;
}

/* What people write is taken whole or not at all: one mistake keeps the last good state. */
static int parse_bytes(struct reading *reading, struct text json, struct error *err)
{
    struct source_page_notes notes;
    struct source_page *page = &reading->page;
    struct error why = {0};

    if (source_file_parse(reading->site, json, page, &notes, &why) < 0)
        return error_set(err, ERROR_CONFIG, "%s", why.text);
    if (notes.bad > 1)
        error_set(err, ERROR_CONFIG, "%s; %zu definitions are wrong in all", notes.bad_why.text, notes.bad);
    else if (notes.bad == 1)
        error_set(err, ERROR_CONFIG, "%s", notes.bad_why.text);
    source_page_notes_clear(&notes);
    if (page->count > 1)
        qsort(page->definitions, page->count, sizeof *page->definitions, compare_ids);
    for (size_t i = 1; i < page->count; i++)
        if (compare_ids(&page->definitions[i - 1], &page->definitions[i]) == 0)
            error_set(err, ERROR_CONFIG, "definition %s stands there twice", page->definitions[i]->id);
    return err->kind == ERROR_NONE ? 0 : -1;
}

static int read_file(struct reading *reading, struct error *err)
{
    auto_fd int fd = open(reading->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    auto_buf struct buf bytes;
    struct stat st;

    buf_init(&bytes, FILE_MAX);
    if (fd < 0 || fstat(fd, &st) < 0)
        return error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERROR_CONFIG, "is not a file");
    reading->stamp = stamp_of(&st);
    reading->unchanged = same_stamp(&reading->stamp, &reading->seen);
    if (reading->unchanged)
        return 0;
    if (read_bytes(fd, &bytes, err) < 0)
        return -1;
    /* Somebody may be writing it: then this reading is none, and the next poll sees another stamp. */
    struct stamp after = fstat(fd, &st) == 0 ? stamp_of(&st) : (struct stamp){0};
    if (!same_stamp(&reading->stamp, &after))
        return error_set(err, ERROR_TRY_LATER, "changed while it was read");
    return parse_bytes(reading, buf_text(&bytes), err);
}

static void read_on_pool(uv_work_t *work)
{
    struct reading *reading = work->data;

    if (read_file(reading, &reading->err) < 0)
        error_at(&reading->err, "%s", reading->path);
}

/* --- On the loop
 * ------------------------------------------------------------------------------------------------------*/

static void forget_definitions(struct tickets *tickets)
{
    for (size_t i = 0; i < tickets->count; i++)
        definition_free(tickets->definitions[i]);
    free(tickets->definitions);
    tickets->definitions = NULL;
    tickets->count = 0;
}

static void request_free(struct source_request *request)
{
    *request->link = request->next;
    if (request->next)
        request->next->link = request->link;
    if (request->reading)
        request->reading->request = NULL; /* on_read() frees it */
    alarm_off(&request->soon);
    for (size_t i = 0; i < request->told.count; i++)
        definition_free(request->told.definitions[i]);
    free(request->told.definitions);
    for (size_t i = 0; i < request->count; i++)
        free(request->ids[i]);
    free(request->ids);
    free(request);
}

static void reading_free(struct reading *reading)
{
    source_page_clear(&reading->page);
    free(reading->path);
    free(reading->site);
    free(reading);
}

static struct source_request *request_file(struct source *source, void *ctx, struct error *err)
{
    struct tickets *tickets = (struct tickets *)source;
    struct source_request *request = must_calloc(1, sizeof *request);
    struct reading *reading = must_calloc(1, sizeof *reading);

    *request = (struct source_request){.tickets = tickets,
                                       .reading = reading,
                                       .next = tickets->requests,
                                       .link = &tickets->requests,
                                       .ctx = ctx,
                                       .asked_at_ms = clock_now_ms(tickets->parts.clock)};
    if (request->next)
        request->next->link = &request->next;
    tickets->requests = request;
    *reading = (struct reading){.request = request,
                                .number = ++tickets->readings,
                                .path = must_strdup(source->settings->path),
                                .site = must_strdup(source->settings->name)};
    reading->work.data = reading;
    if (tickets->read)
        reading->seen = tickets->seen;
    if (uv_queue_work(tickets->parts.loop, &reading->work, read_on_pool, on_read) == 0)
        return request;
    request_free(request);
    reading_free(reading);
    error_set(err, ERROR_TRY_LATER, "%s: no worker to read it", source->settings->path);
    return NULL;
}

/* A reading that began later counts, whichever ends first. */
static void take_reading(struct tickets *tickets, struct reading *reading)
{
    if (reading->number < tickets->latest)
        return;
    tickets->latest = reading->number;
    tickets->seen = reading->stamp;
    tickets->read = true;
    if (reading->unchanged)
        return;
    tickets->broken = reading->err;
    if (reading->err.kind != ERROR_NONE)
        return;
    forget_definitions(tickets);
    tickets->definitions = reading->page.definitions;
    tickets->count = reading->page.count;
    tickets->good = true;
    reading->page = (struct source_page){.next_cursor = reading->page.next_cursor};
}

/* A hand-written file need not say what follows from its times. */
static struct definition as_of(const struct definition *definition, int64_t now_ms)
{
    struct definition fields = *definition;

    if (fields.sale_status == SALE_UNKNOWN) {
        bool begun = fields.sale_starts_at_ms == MOMENT_NONE || now_ms >= fields.sale_starts_at_ms;
        bool over = fields.sale_ends_at_ms != MOMENT_NONE && now_ms >= fields.sale_ends_at_ms;
        fields.sale_status = over ? SALE_ENDED : begun ? SALE_STARTED : SALE_SCHEDULED;
    }
    return fields;
}

static void take_news(struct tickets *tickets, int64_t now_ms, struct source_walk *told)
{
    told->definitions = must_calloc(tickets->count, sizeof *told->definitions);
    for (size_t i = 0; i < tickets->count; i++) {
        struct definition fields = as_of(tickets->definitions[i], now_ms);
        if (fields.updated_at_ms > told->watermark_ms)
            told->watermark_ms = fields.updated_at_ms;
        if (source_knows(&tickets->source, &fields))
            told->known++;
        else
            told->definitions[told->count++] = definition_new(&fields);
    }
}

/* Off the list: ending the source must not free it under us. */
static void take_off(struct source_request *request)
{
    *request->link = request->next;
    if (request->next)
        request->next->link = request->link;
    request->next = NULL;
    request->link = &request->next;
}

static void on_soon(void *ctx)
{
    struct source_request *request = ctx;

    take_off(request);
    request->walked(request->ctx, &request->told); /* our owner may end the source in there */
    request_free(request);
}

static void tell_walk(struct source_request *request, int64_t now_ms)
{
    struct tickets *tickets = request->tickets;
    bool fine = tickets->broken.kind == ERROR_NONE;

    request->broken = tickets->broken;
    request->told = (struct source_walk){.complete = fine,
                                         .watermark_ms = MOMENT_NONE,
                                         .server_date_ms = MOMENT_NONE,
                                         .asked_at_ms = request->asked_at_ms,
                                         .answered_at_ms = now_ms,
                                         .failure = fine ? NULL : &request->broken};
    tickets->walked = tickets->seen;
    tickets->told = true;
    if (fine)
        take_news(tickets, now_ms, &request->told);
    if (request->told.count + request->told.known > TOLD_AT_ONCE)
        alarm_set(tickets->parts.alarms, &request->soon, now_ms, on_soon, request);
    else
        on_soon(request);
}

static void answer_one(const struct tickets *tickets, const char *id, int64_t now_ms, enum source_verdict *verdict,
                       struct definition **definition)
{
    struct definition key = {.id = id}, *wanted = &key;
    struct definition **found = tickets->count ? bsearch(&wanted, tickets->definitions, tickets->count,
                                                         sizeof *tickets->definitions, compare_ids)
                                               : NULL;

    *verdict = found ? SOURCE_FOUND : SOURCE_GONE;
    if (found) {
        struct definition fields = as_of(*found, now_ms);
        *definition = definition_new(&fields);
    }
}

/* With a broken edit the last good state answers; only a file that never was good leaves us without an answer. */
static void tell_ask(struct source_request *request, int64_t now_ms)
{
    struct tickets *tickets = request->tickets;
    struct error broken = tickets->broken;
    struct source_answer told = {.ids = (const char *const *)request->ids,
                                 .verdicts = must_calloc(request->count, sizeof *told.verdicts),
                                 .definitions = must_calloc(request->count, sizeof *told.definitions),
                                 .count = request->count,
                                 .server_date_ms = MOMENT_NONE,
                                 .answered_at_ms = now_ms,
                                 .failure = tickets->good ? NULL : &broken};

    for (size_t i = 0; tickets->good && i < told.count; i++)
        answer_one(tickets, told.ids[i], now_ms, &told.verdicts[i], &told.definitions[i]);
    if (tickets->good && broken.kind != ERROR_NONE)
        log_line(tickets->parts.log, LOG_WARNING, "event=file_broken site=%s answered_from=last_good why=%s",
                 tickets->source.settings->name, LOG_QUOTED(text_of(broken.text)));
    request->answered(request->ctx, &told);
    for (size_t i = 0; i < told.count; i++)
        definition_free(told.definitions[i]);
    free(told.verdicts);
    free(told.definitions);
}

static void on_read(uv_work_t *work, int status)
{
    struct reading *reading = work->data;
    struct source_request *request = reading->request;

    if (request) {
        struct tickets *tickets = request->tickets;
        int64_t now_ms = clock_now_ms(tickets->parts.clock);

        request->reading = NULL;
        if (status < 0)
            error_set(&reading->err, ERROR_TRY_LATER, "%s: was not read", reading->path);
        take_reading(tickets, reading);
        if (request->walked) {
            tell_walk(request, now_ms);
        } else {
            take_off(request);
            tell_ask(request, now_ms);
            request_free(request);
        }
    }
    reading_free(reading);
}

/* --- The source
 * -------------------------------------------------------------------------------------------------------*/

static struct source_request *file_walk(struct source *source, int64_t since_ms, source_walk_fn *done, void *ctx,
                                        struct error *err)
{
    struct source_request *request = request_file(source, ctx, err);

    (void)since_ms; /* a file is always read whole */
    if (request)
        request->walked = done;
    return request;
}

static struct source_request *file_ask(struct source *source, const struct source_ask *asks, size_t count,
                                       source_answer_fn *done, void *ctx, struct error *err)
{
    struct source_request *request = request_file(source, ctx, err);

    if (!request)
        return NULL;
    request->answered = done;
    request->ids = must_calloc(count, sizeof *request->ids);
    for (size_t i = 0; i < count; i++)
        request->ids[request->count++] = must_strdup(asks[i].id);
    return request;
}

static void file_cancel(struct source *source, struct source_request *request)
{
    (void)source;
    request_free(request);
}

static bool file_changed(struct source *source)
{
    struct tickets *tickets = (struct tickets *)source;
    struct stamp now = {0};
    struct stat st;

    if (stat(source->settings->path, &st) == 0)
        now = stamp_of(&st);
    return !tickets->told || !same_stamp(&now, &tickets->walked);
}

static void file_free(struct source *source)
{
    struct tickets *tickets = (struct tickets *)source;

    while (tickets->requests)
        /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): it does not see that what is freed has left the list */
        request_free(tickets->requests);
    forget_definitions(tickets);
    free(tickets);
}

static const struct source_ops ops = {
    .walk = file_walk, .ask = file_ask, .cancel = file_cancel, .changed = file_changed, .free = file_free};

struct source *source_file_new(const struct site_settings *settings, const struct source_parts *parts,
                               struct error *err)
{
    if (!*settings->path) {
        error_set(err, ERROR_CONFIG, "site %s: expected path, the file with ticketDefinitions", settings->name);
        return NULL;
    }
    struct tickets *tickets = must_calloc(1, sizeof *tickets);
    tickets->source = (struct source){.ops = &ops, .settings = settings};
    tickets->parts = *parts;
    return &tickets->source;
}
