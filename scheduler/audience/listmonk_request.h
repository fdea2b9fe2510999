/* listmonk_request.h - what we ask listmonk, and what the status of its answer means. Pure. */
#ifndef ONSALE_LISTMONK_REQUEST_H
#define ONSALE_LISTMONK_REQUEST_H

#include "fetch.h"

/* Rows (page-1)*size ..< page*size of the list. */
struct listmonk_window {
    int64_t page, size;
};
/* When windows have covered so many rows from the top: the next one, of at most `most` rows, that still holds the last
 * row covered and reaches furthest. */
struct listmonk_window listmonk_window_behind(int64_t covered, int64_t most);

/* Appends path and query for a page of the people of a list, ... */
void listmonk_add_people(struct buf *url, int64_t list, struct listmonk_window window);
/* ... of those only the ones behind this id, and of those, unless NULL, only who changed after `since` (RFC 3339). */
void listmonk_add_condition(struct buf *url, int64_t last_id, const char *since);

/* Path and query that find one person: by a regular expression that means this address and no other, or, where
 * conditions are allowed, by address or uuid. listmonk tells about PERSON_ROWS people at most. */
enum { LISTMONK_PERSON_ROWS = 100 };
void listmonk_add_search(struct buf *url, struct text address);
void listmonk_add_where_address(struct buf *url, struct text address);
void listmonk_add_where_uuid(struct buf *url, struct text uuid);
/* May it stand in a condition? Whatever is none of these does not. */
bool listmonk_is_uuid(struct text t);
bool listmonk_is_plain(struct text t); /* no backslash, which some servers take for an escape, and no controls */

/* 0 when there is a body to read. `sql`: the request had a condition. */
int listmonk_check_answer(const struct fetch_result *result, bool sql, struct error *err);

#endif
