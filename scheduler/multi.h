/* multi.h - libcurl in the event loop: the sockets and the one timeout that it asks for are watched, and whoever has
 * added a transfer hears that it has ended. What a transfer is, only its owner knows: fetch.c or wire.c. Loop thread.
 */
#ifndef ONSALE_MULTI_H
#define ONSALE_MULTI_H

#include <curl/curl.h>
#include <uv.h>

struct multi;

/* `transfer` is what CURLOPT_PRIVATE names. Always from the loop, never from inside libcurl: here transfers may be
 * added and removed, and multi_close() called. */
typedef void multi_ended_fn(void *transfer, CURLcode code);
typedef void multi_closed_fn(void *ctx);

struct multi *multi_new(uv_loop_t *loop, multi_ended_fn *ended); /* NULL: libcurl cannot start */
CURLM *multi_curl(const struct multi *multi);                    /* for options, and to add and remove transfers */
/* Every transfer must be removed by then; `ended` is not called any more. Frees itself; `closed` is called later from
 * the loop, when nothing of it is left there. */
void multi_close(struct multi *multi, multi_closed_fn *closed, void *ctx);

#endif
