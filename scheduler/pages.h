/* pages.h - where people leave: /u/TOKEN, the link of each mail. A GET shows a page and changes nothing, as scanners
 * follow links; a POST of a mail program (RFC 8058) or of the page's own form unsubscribes, and is answered when that
 * is on disk. A link that is not ours says the same whatever is wrong with it. Loop thread. */
#ifndef ONSALE_PAGES_H
#define ONSALE_PAGES_H

#include "server.h"
#include "world.h"

struct pages;

struct pages *pages_new(struct world *world);
/* Whoever still waits is answered by server_close(). NULL is fine. */
void pages_close(struct pages *pages);
void pages_handle(struct pages *pages, struct server_request *request, const struct server_call *call);

#endif
