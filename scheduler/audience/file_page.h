/* file_page.h - a file of subscribers, cut into pages. Plain blocking code for the pool; one thread at a time, and no
 * more memory than one page and one window, however long the file. */
#ifndef ONSALE_FILE_PAGE_H
#define ONSALE_FILE_PAGE_H

#include "audience/cursor.h"
#include "audience/record.h"

enum {
    FILE_PAGE_RECORDS = 1000,
    FILE_PAGE_BYTES = 4 * 1024 * 1024, /* of text, at most by one record over */
};

struct file_page {
    struct arena arena;
    struct records records;
    size_t bad;
    char bad_why[256]; /* "" when nothing */
    char cursor[CURSOR_MAX];
    bool last, restarted;
    struct error failure;
};
void file_page_clear(struct file_page *page);

/* Copies what it needs of settings and question; opens nothing yet. */
struct file_pages;
struct file_pages *file_pages_new(const struct audience_settings *settings, const struct audience_question *question);
void file_pages_free(struct file_pages *pages);

/* Whether it can be read, and its columns say who may be told; instead of a first page. */
int file_pages_look(struct file_pages *pages, struct error *err);

/* Fills the (cleared) page. After `last` or `failure` there is none. A file that changes meanwhile is begun again. */
void file_pages_next(struct file_pages *pages, struct file_page *page);

#endif
