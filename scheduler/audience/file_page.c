#include "audience/file_page.h"

#include "audience/csv.h"
#include "audience/objects.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum {
    WINDOW_SIZE = CSV_RECORD_MAX + 256 * 1024, /* always room for one record of the greatest size and a byte more */
    RESTARTS_MAX = 3,
};
static_assert((int)CSV_RECORD_MAX == (int)OBJECT_MAX, "one window serves both");

/* The part of the file that is in memory. */
struct window {
    char *bytes;
    size_t from, to;
    int64_t offset; /* of bytes[from] in the file */
    bool final;     /* nothing follows bytes[to] */
};

struct column {
    enum role role;
    const char *name;
};

struct file_pages {
    struct arena arena; /* what lives as long as the read */
    const char *path, *format;
    const char *cursor; /* where to go on; NULL */
    bool gave;          /* a page, at least */
    bool restarted;     /* the next page is the first one again */
    bool consent_stated;
    struct interest interest;

    int fd; /* -1: not open */
    struct stat opened;
    unsigned restarts;
    uint64_t made_from;
    struct window window;
    bool is_json;
    struct csv csv;
    struct objects objects;
    struct column *columns;
    size_t column_count;
    enum consent file_consent; /* what the file's name says of everybody inside */
    bool file_judged;
    int64_t first_at; /* offset of the first record */
    bool unknown_told, unjudged_told;
};

void file_page_clear(struct file_page *page)
{
    arena_clear(&page->arena);
    records_clear(&page->records);
    *page = (struct file_page){0};
}

struct file_pages *file_pages_new(const struct audience_settings *settings, const struct audience_question *question)
{
    struct file_pages *pages = must_calloc(1, sizeof *pages);
    bool goes_on = question->cursor && *question->cursor;

    pages->fd = -1;
    pages->path = arena_copy(&pages->arena, text_of(settings->path));
    pages->format = arena_copy(&pages->arena, text_of(settings->format ? settings->format : "auto"));
    pages->cursor = goes_on ? arena_copy(&pages->arena, text_of(question->cursor)) : NULL;
    pages->consent_stated = settings->consent_stated;
    pages->interest = interest_of(settings, question, &pages->arena);
    pages->window.bytes = must_calloc(1, WINDOW_SIZE);
    return pages;
}

void file_pages_free(struct file_pages *pages)
{
    if (!pages)
        return;
    if (pages->fd >= 0)
        close(pages->fd);
    free(pages->window.bytes);
    arena_clear(&pages->arena);
    free(pages);
}

/* --- The window ----------------------------------------------------------------------------------------------------
 */

static struct text window_text(const struct window *window)
{
    return (struct text){window->bytes + window->from, window->to - window->from};
}

static void window_slide(struct window *window, size_t used)
{
    window->from += used;
    window->offset += (int64_t)used;
}

static void window_seek(struct window *window, int64_t offset)
{
    *window = (struct window){.bytes = window->bytes, .offset = offset};
}

static int window_fill(struct window *window, int fd, struct error *err)
{
    memmove(window->bytes, window->bytes + window->from, window->to - window->from);
    window->to -= window->from;
    window->from = 0;
    assert(window->to < WINDOW_SIZE);
    ssize_t got = pread(fd, window->bytes + window->to, WINDOW_SIZE - window->to, window->offset + (int64_t)window->to);
    if (got < 0 && errno != EINTR)
        return error_set(err, ERROR_TRY_LATER, "%s", strerror(errno));
    if (got == 0)
        window->final = true;
    if (got > 0)
        window->to += (size_t)got;
    return 0;
}

/* --- Opening: what kind of file is it, and what do its columns mean? -----------------------------------------------
 */

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* The first record stands behind a byte order mark and, in an array, behind its bracket. */
static int find_first_record(struct file_pages *pages, struct error *err)
{
    struct window *window = &pages->window;
    size_t at = 0;
    uint64_t line = 1;

    if (window_fill(window, pages->fd, err) < 0)
        return -1;
    struct text head = window_text(window);
    if (text_starts(head, "\xFF\xFE") || text_starts(head, "\xFE\xFF"))
        return error_set(err, ERROR_CONFIG, "the file is UTF-16; save it as UTF-8");
    if (text_starts(head, "\xEF\xBB\xBF"))
        at = 3;
    size_t start = at;
    while (at < head.len &&
           (head.ptr[at] == ' ' || head.ptr[at] == '\t' || head.ptr[at] == '\r' || head.ptr[at] == '\n'))
        line += head.ptr[at++] == '\n';
    char first = at < head.len ? head.ptr[at] : 0;
    bool is_array = first == '[' && strcmp(pages->format, "csv") != 0;
    pages->is_json =
        strcmp(pages->format, "jsonl") == 0 || is_array || (first == '{' && strcmp(pages->format, "auto") == 0);
    if (!pages->is_json) {
        window_slide(window, start);
        csv_init(&pages->csv, csv_guess_separator(window_text(window)));
        return 0;
    }
    window_slide(window, is_array ? at + 1 : at);
    objects_init(&pages->objects, is_array);
    pages->objects.line = line;
    return 0;
}

static bool name_holds(const char *name, const char *word)
{
    return strcasestr(name, word) != NULL;
}

/* Mailchimp exports one file for each state and says which only in its name. */
static void judge_file_name(struct file_pages *pages, bool is_mailchimp)
{
    const char *slash = strrchr(pages->path, '/');
    const char *name = slash ? slash + 1 : pages->path;

    pages->file_consent = CONSENT_YES;
    pages->file_judged = true;
    if (is_mailchimp && name_holds(name, "cleaned"))
        pages->file_consent = CONSENT_NEVER;
    else if (name_holds(name, "unsubscribed") || name_holds(name, "nonsubscribed"))
        pages->file_consent = CONSENT_NO;
    else
        pages->file_judged = is_mailchimp && name_holds(name, "subscribed");
}

static int check_columns(const struct file_pages *pages, struct error *err)
{
    const struct interest *interest = &pages->interest;
    bool has_address = false, speaks = pages->file_judged || pages->consent_stated, holds_interest = false;

    for (size_t i = 0; i < pages->column_count; i++) {
        enum role role = pages->columns[i].role;
        has_address |= role == ROLE_ADDRESS;
        speaks |= role == ROLE_CONSENT || role == ROLE_OPTED_OUT || role == ROLE_BLOCKED || role == ROLE_LEFT_FILE ||
                  role == ROLE_DEAD_FILE;
        holds_interest |= role == ROLE_ATTRIBUTES ||
                          (role == ROLE_ATTRIBUTE && interest_by_attribute(interest) &&
                           plain_name_equal(text_of(pages->columns[i].name), text_of(interest->attribute)));
    }
    if (!has_address)
        return error_set(err, ERROR_CONFIG, "line 1: no column is named email (the first line must name the columns)");
    if (!speaks)
        return error_set(err, ERROR_CONFIG,
                         "no column says who agreed to be told (such as status, Email Marketing Consent or "
                         "EMAIL_BLACKLISTED); if everybody in this file did, write `consent: stated`");
    if (interest_by_attribute(interest) && !holds_interest)
        return error_set(err, ERROR_CONFIG, "interest: there is no column \"%s\"", interest->attribute);
    return 0;
}

static int read_header(struct file_pages *pages, struct error *err)
{
    struct arena decoded = {0};
    struct csv_row row;
    enum csv_event event;
    size_t used;
    bool is_mailchimp = false;

    for (;;) {
        event = csv_next(&pages->csv, window_text(&pages->window), pages->window.final, &decoded, &row, &used);
        if (event != CSV_MORE)
            break;
        window_slide(&pages->window, used);
        if (window_fill(&pages->window, pages->fd, err) < 0)
            goto fail;
    }
    if (event == CSV_END) {
        error_set(err, ERROR_CONFIG, "the file is empty");
        goto fail;
    }
    if (event == CSV_BAD) {
        error_set(err, ERROR_CONFIG, "line %llu: %s", (unsigned long long)row.line, row.why);
        goto fail;
    }
    pages->column_count = row.count;
    pages->columns = arena_alloc(&pages->arena, row.count * sizeof *pages->columns);
    for (size_t i = 0; i < row.count; i++) {
        pages->columns[i].name = arena_copy(&pages->arena, text_trim(row.fields[i]));
        pages->columns[i].role = role_of_name(row.fields[i]);
        is_mailchimp |= name_is_mailchimp(row.fields[i]);
        cursor_mix_string(&pages->made_from, pages->columns[i].name);
    }
    window_slide(&pages->window, used);
    arena_clear(&decoded);
    judge_file_name(pages, is_mailchimp);
    return check_columns(pages, err);
fail:
    arena_clear(&decoded);
    return -1;
}

static void mix_identity(struct file_pages *pages)
{
    uint64_t *made_from = &pages->made_from;
    const struct stat *file = &pages->opened;

    *made_from = CURSOR_MADE_FROM_NOTHING;
    cursor_mix_string(made_from, pages->path);
    cursor_mix_number(made_from, (int64_t)file->st_dev);
    cursor_mix_number(made_from, (int64_t)file->st_ino);
    cursor_mix_number(made_from, file->st_size);
    cursor_mix_number(made_from, file->st_mtim.tv_sec);
    cursor_mix_number(made_from, file->st_mtim.tv_nsec);
    cursor_mix_string(made_from, pages->format);
    cursor_mix_number(made_from, pages->consent_stated);
    cursor_mix_string(made_from, pages->interest.event_id);
    cursor_mix_string(made_from, pages->interest.attribute);
}

static void go_on_at_cursor(struct file_pages *pages)
{
    int64_t at[CURSOR_PLACES];

    if (!pages->cursor)
        return;
    if (!cursor_read(pages->cursor, "file/1", pages->made_from, at) || at[0] < pages->first_at ||
        at[0] > pages->opened.st_size || at[1] < 1) {
        pages->restarted = true;
        return;
    }
    window_seek(&pages->window, at[0]);
    pages->csv.line = pages->objects.line = (uint64_t)at[1];
}

static int open_file(struct file_pages *pages, struct error *err)
{
    pages->fd = open(pages->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hold us */
    if (pages->fd < 0)
        return error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    if (fstat(pages->fd, &pages->opened) < 0)
        return error_set(err, ERROR_TRY_LATER, "%s", strerror(errno));
    if (!S_ISREG(pages->opened.st_mode))
        return error_set(err, ERROR_CONFIG, "not a plain file");
    window_seek(&pages->window, 0);
    mix_identity(pages);
    if (find_first_record(pages, err) < 0)
        return -1;
    if (pages->is_json)
        judge_file_name(pages, false);
    else if (read_header(pages, err) < 0)
        return -1;
    pages->first_at = pages->window.offset;
    go_on_at_cursor(pages);
    return 0;
}

/* --- Records -------------------------------------------------------------------------------------------------------
 */

static void note(struct file_page *page, uint64_t line, const char *format, ...) PRINTF_LIKE(3, 4);

static void note(struct file_page *page, uint64_t line, const char *format, ...)
{
    size_t len = strlen(page->bad_why);
    char what[128];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(page->bad_why + len, sizeof page->bad_why - len, "%sline %llu: %s", len ? "; " : "",
             (unsigned long long)line, what);
}

/* Counts every bad record and describes the first of the page. */
#define BAD(page, line, ...)                                                                                           \
    do {                                                                                                               \
        if ((page)->bad++ == 0)                                                                                        \
            note((page), (line), __VA_ARGS__);                                                                         \
    } while (0)

/* Told once, and only when it looks like a word: a column out of place may hold an address. */
static void note_unknown_word(struct file_pages *pages, struct file_page *page, uint64_t line, struct text word)
{
    bool is_word = word.len <= 32;

    if (pages->unknown_told || word.len == 0)
        return;
    pages->unknown_told = true;
    for (size_t i = 0; i < word.len; i++)
        is_word &= word.ptr[i] == ' ' || word.ptr[i] == '_' || word.ptr[i] == '-' ||
                   (word.ptr[i] >= 'a' && word.ptr[i] <= 'z') || (word.ptr[i] >= 'A' && word.ptr[i] <= 'Z');
    if (is_word)
        note(page, line, "unknown status \"%.*s\" is taken for a no", TEXT_ARGS(word));
    else
        note(page, line, "an unknown status is taken for a no");
}

static void finish_record(struct file_pages *pages, struct file_page *page, struct draft *draft, uint64_t line)
{
    struct audience_record record;
    char id[32];

    if (pages->file_judged)
        draft_judge(draft, pages->file_consent);
    snprintf(id, sizeof id, "line %llu", (unsigned long long)line);
    if (draft_finish(draft, &pages->interest, text_of(id), &page->arena, &record) < 0) {
        BAD(page, line, "no address");
        return;
    }
    note_unknown_word(pages, page, line, draft->unknown);
    *records_add(&page->records) = record;
}

static void take_row(struct file_pages *pages, struct file_page *page, const struct csv_row *row)
{
    struct draft draft;

    if (row->count != pages->column_count) {
        BAD(page, row->line, "expected %zu columns, found %zu", pages->column_count, row->count);
        return;
    }
    draft_init(&draft);
    for (size_t i = 0; i < row->count; i++)
        draft_put(&draft, pages->columns[i].role, text_of(pages->columns[i].name), row->fields[i]);
    finish_record(pages, page, &draft, row->line);
    draft_clear(&draft);
}

static int take_object(struct file_pages *pages, struct file_page *page, const struct object *object, bool is_first,
                       struct error *err)
{
    json_t *json = json_loadb(object->json.ptr, object->json.len, JSON_REJECT_DUPLICATES, NULL);
    struct draft draft;
    const char *key;
    json_t *value;
    int result = 0;

    if (!json_is_object(json)) {
        BAD(page, object->line, "not a JSON object");
        json_decref(json);
        return 0;
    }
    draft_init(&draft);
    json_object_foreach(json, key, value) draft_put_json(&draft, role_of_name(text_of(key)), key, value, &page->arena);
    if (!draft.judged && !pages->file_judged && !pages->consent_stated) {
        if (is_first)
            result = error_set(err, ERROR_CONFIG,
                               "line %llu: no \"status\" says that this person agreed to be told; if everybody in this "
                               "file did, write `consent: stated`",
                               (unsigned long long)object->line);
        else if (!pages->unjudged_told)
            note(page, object->line, "no \"status\" is taken for a no");
        pages->unjudged_told = true;
        draft_judge(&draft, CONSENT_NO);
    }
    if (result == 0)
        finish_record(pages, page, &draft, object->line);
    draft_clear(&draft);
    json_decref(json);
    return result;
}

enum step { STEP_TAKEN, STEP_MORE, STEP_END, STEP_FAILED };

static enum step take_csv(struct file_pages *pages, struct file_page *page)
{
    struct window *window = &pages->window;
    struct csv_row row;
    size_t used;
    enum csv_event event = csv_next(&pages->csv, window_text(window), window->final, &page->arena, &row, &used);

    if (event == CSV_ROW)
        take_row(pages, page, &row);
    if (event == CSV_BAD)
        BAD(page, row.line, "%s", row.why);
    window_slide(window, used);
    return event == CSV_MORE ? STEP_MORE : event == CSV_END ? STEP_END : STEP_TAKEN;
}

static enum step take_json(struct file_pages *pages, struct file_page *page, struct error *err)
{
    struct window *window = &pages->window;
    bool is_first = window->offset == pages->first_at;
    struct object object;
    size_t used;
    enum objects_event event = objects_next(&pages->objects, window_text(window), window->final, &object, &used);

    if (event == OBJECTS_ONE && take_object(pages, page, &object, is_first, err) < 0)
        return STEP_FAILED;
    if (event == OBJECTS_BAD)
        BAD(page, object.line, "%s", object.why);
    window_slide(window, used);
    if (event == OBJECTS_BROKEN)
        error_set(err, ERROR_CONFIG, "line %llu: %s", (unsigned long long)object.line, object.why);
    if (event == OBJECTS_BROKEN)
        return STEP_FAILED;
    return event == OBJECTS_MORE ? STEP_MORE : event == OBJECTS_END ? STEP_END : STEP_TAKEN;
}

static enum step fill_page(struct file_pages *pages, struct file_page *page, struct error *err)
{
    size_t taken = 0;

    while (taken < FILE_PAGE_RECORDS && page->arena.used < FILE_PAGE_BYTES) {
        enum step step = pages->is_json ? take_json(pages, page, err) : take_csv(pages, page);
        if (step == STEP_MORE && window_fill(&pages->window, pages->fd, err) < 0)
            return STEP_FAILED;
        if (step == STEP_END || step == STEP_FAILED)
            return step;
        taken += step == STEP_TAKEN;
    }
    return STEP_TAKEN;
}

/* --- Pages ---------------------------------------------------------------------------------------------------------
 */

/* Somebody wrote into it, or put another in its place. */
static bool file_changed(const struct file_pages *pages)
{
    struct stat now, there;

    return fstat(pages->fd, &now) < 0 || !same_file(&now, &pages->opened) || stat(pages->path, &there) < 0 ||
           !same_file(&there, &pages->opened);
}

static int begin_again(struct file_pages *pages, struct file_page *page, struct error *err)
{
    if (pages->restarts++ == RESTARTS_MAX)
        return error_set(err, ERROR_TRY_LATER, "the file keeps changing while it is read");
    file_page_clear(page);
    close(pages->fd);
    pages->fd = -1;
    pages->restarted |= pages->gave || pages->cursor;
    pages->cursor = NULL;
    return 0;
}

static int next_page(struct file_pages *pages, struct file_page *page, struct error *err)
{
    enum step step;

    for (;;) {
        if (pages->fd < 0 && open_file(pages, err) < 0)
            return -1;
        step = fill_page(pages, page, err);
        if (!file_changed(pages))
            break;
        /* what the page says may be half of one file and half of another, its failure too */
        *err = (struct error){0};
        if (begin_again(pages, page, err) < 0)
            return -1;
    }
    if (step == STEP_FAILED)
        return -1;
    page->last = step == STEP_END;
    page->restarted = pages->restarted;
    pages->restarted = false;
    pages->gave = true;
    if (!page->last)
        cursor_write(page->cursor, "file/1", pages->made_from,
                     (int64_t[CURSOR_PLACES]){pages->window.offset,
                                              (int64_t)(pages->is_json ? pages->objects.line : pages->csv.line)});
    return 0;
}

int file_pages_look(struct file_pages *pages, struct error *err)
{
    return open_file(pages, err) < 0 ? error_at(err, "%s", pages->path) : 0;
}

void file_pages_next(struct file_pages *pages, struct file_page *page)
{
    struct error err = {0};

    if (next_page(pages, page, &err) == 0)
        return;
    error_at(&err, "%s", pages->path);
    file_page_clear(page);
    page->failure = err;
}
