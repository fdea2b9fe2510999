/* A page of definitions, from Wix or from a file: whatever is taken is whole text without control characters, names its
 * site and event, and links nowhere but to the web. */
#include "source/source.h"

#include <assert.h>
#include <string.h>

static void check_text(const char *text, size_t max)
{
    assert(strlen(text) <= max && text_is_utf8(text_of(text)));
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        assert(*c >= 0x20 && *c != 0x7F && !(c[0] == 0xC2 && c[1] < 0xA0));
}

static void check_definition(const struct definition *d)
{
    assert(strcmp(d->site, "arena") == 0 && *d->id && *d->event_id);
    assert(!strpbrk(d->id, "/.%?# ") && !strpbrk(d->event_id, "/.%?# "));
    check_text(d->id, 128);
    check_text(d->event_id, 128);
    check_text(d->name, 400);
    check_text(d->description, 4000);
    check_text(d->event_title, 400);
    check_text(d->event_place, 400);
    check_text(d->event_zone, 64);
    check_text(d->event_url, 2048);
    assert(!*d->event_url || strncasecmp(d->event_url, "http://", 7) == 0 ||
           strncasecmp(d->event_url, "https://", 8) == 0);
    assert(!strpbrk(d->event_url, " \"<>"));
    assert(strspn(d->price, "0123456789.") == strlen(d->price) && !*d->price == !*d->currency);
    assert(d->event_status <= EVENT_DRAFT && d->sale_status <= SALE_ENDED);
}

static void check(int rc, struct source_page *page, struct source_page_notes *notes, const struct error *err)
{
    assert((rc == 0) == (err->kind == ERROR_NONE));
    assert(rc == 0 || (page->count == 0 && !page->definitions && notes->bad == 0));
    for (size_t i = 0; i < page->count; i++)
        check_definition(page->definitions[i]);
    assert(notes->id_count <= notes->bad && (notes->bad > 0) == (notes->bad_why.kind != ERROR_NONE));
    source_page_clear(page);
    source_page_notes_clear(notes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text json = {(const char *)data, size};
    struct source_page page;
    struct source_page_notes notes;
    struct error err = {0}, file_err = {0};

    int rc = source_page_parse("arena", json, &page, &notes, &err);
    check(rc, &page, &notes, &err);
    rc = source_file_parse("arena", json, &page, &notes, &file_err);
    check(rc, &page, &notes, &file_err);
    return 0;
}
