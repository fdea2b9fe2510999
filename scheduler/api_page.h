/* api_page.h - listings page by page: how many rows, and behind which one. A cursor names the last row that was read by
 * what never changes of it, so that rows that come and go between two pages make nobody appear twice or go missing.
 * Pure. */
#ifndef ONSALE_API_PAGE_H
#define ONSALE_API_PAGE_H

#include "text.h"

#include <jansson.h>

enum { API_PAGE = 1000, API_PAGE_MAX = 10000 }; /* rows */

enum api_listing { API_LIST_OPENINGS, API_LIST_NOTICES, API_LIST_PEOPLE, API_LIST_SUPPRESSIONS, API_LIST_FEEDS };

struct api_page {
    int64_t limit;
    int64_t after;    /* id or seq of the last row read; 0: none yet */
    char behind[192]; /* suppressions: the last row read, as the store wants it; "": none yet */
};

/* `limit` and `cursor` as sent, each NULL where absent. -1: *wrong is the name of the parameter. */
int api_page_read(enum api_listing listing, const char *limit, const char *cursor, struct api_page *out,
                  const char **wrong, struct error *err);
/* The cursor that goes on behind `row`. It has only characters that a URL may have. */
void buf_add_cursor(struct buf *buf, enum api_listing listing, const json_t *row);

#endif
