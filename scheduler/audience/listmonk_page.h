/* listmonk_page.h - listmonk's answers, read and judged. Pure; runs on the pool.
 * Wire: GET /api/lists/{id} and GET /api/subscribers of listmonk 2.x to 6.x. */
#ifndef ONSALE_LISTMONK_PAGE_H
#define ONSALE_LISTMONK_PAGE_H

#include "audience/record.h"

struct listmonk_list {
    int64_t id;
    bool single_optin; /* who never confirmed counts as well */
};
int listmonk_list_parse(struct text body, int64_t id, struct listmonk_list *out, struct error *err);

struct listmonk_page {
    struct arena arena;
    struct records records;
    int64_t *ids;                  /* one for each record, ascending */
    int64_t total, per_page, page; /* as listmonk says */
};
/* Whatever is not the documented shape fails whole (ERROR_TRY_LATER: the next answer may be better). A person who is
 * not on the list at all means that the list filter was ignored: ERROR_CONFIG. */
int listmonk_page_parse(struct text body, const struct listmonk_list *list, const struct interest *interest,
                        struct listmonk_page *out, struct error *err);
void listmonk_page_clear(struct listmonk_page *page);

/* One person in the answer to a search. */
struct listmonk_person {
    int64_t id;      /* 0: not there */
    int64_t on_list; /* the first of our lists that they have not unsubscribed from; 0: none */
};
/* Whoever has exactly this uuid, or else this address (ASCII letters of either case): what a search found besides does
 * not count. More matches than the answer holds, with none of them right, is a failure: ERROR_CONFIG. */
int listmonk_person_parse(struct text body, struct text uuid, struct text address, const int64_t *lists, size_t count,
                          struct listmonk_person *out, struct error *err);

/* The "message" of an error answer as one short text without addresses; "" when there is none. */
void listmonk_message(struct text body, char out[120]);

#endif
