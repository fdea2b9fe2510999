/* api.h - control: what the command line asks of a running daemon, under /api/v1/. Loop thread.
 *
 *   GET  status  openings  notices  notices/ID  notices/ID/people?state=&after=&limit=  audit  suppressions
 *   POST why {address | key, event}  export {address}  erase {address}
 *   POST                                       notices/ID/hold  release {anyway}  cancel  again
 *   POST notices/ID/retry {refused: CODE | in_doubt: true | withheld: REASON}
 *   POST pause {target}  resume {target, this_is_the_one}  suppress {address, audience, reason}  unsuppress  sync
 *   POST bounces {tokens: [TOKEN] | address | key, kind: hard | soft | policy | complaint, status, text}
 *   POST send-test {rule, to}  preview {rule, notice, subscriber, language}
 *
 *   GET  events?types=notice,progress&notice=ID   server-sent events (news.h), behind Last-Event-ID
 *
 * A target is "" (everything), "notice:ID" or "notifier:NAME". Refusals are problem details (RFC 9457): 400 what was
 * asked is no request, 404 there is no such thing, 409 it cannot be done as things stand. */
#ifndef ONSALE_API_H
#define ONSALE_API_H

#include "auth.h"
#include "world.h"

struct api;

struct api *api_new(struct world *world, struct auth *auth);
void api_handle(struct api *api, struct server_request *request, const struct server_call *call);
void api_close(struct api *api); /* before the server: what waits is answered by server_close() */

#endif
