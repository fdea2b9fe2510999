/* listmonk.h - a listmonk as its parts see it. Inside audience/ only. */
#ifndef ONSALE_LISTMONK_H
#define ONSALE_LISTMONK_H

#include "audience/audience.h"

struct listmonk {
    struct audience audience; /* first */
    struct audience_parts parts;
    struct buf base, authorization; /* "https://host", "token USER:TOKEN" */
    int64_t *lists;
    size_t list_count;
};

/* listmonk_leave.c */
struct audience_leave *listmonk_unsubscribe(struct audience *audience, const struct audience_person *who,
                                            audience_left_fn *done, void *ctx);
void listmonk_unsubscribe_cancel(struct audience_leave **leave);

#endif
