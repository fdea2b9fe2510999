/* feeds.h - where calendars are read:
 *
 *   /feeds/SITE.ics          the openings of a site, if it is not kept from the public
 *   /feeds/SITE/EVENT.ics    ... of one event
 *   /feeds/t/TOKEN.ics       what a private feed shows (private_feeds.h)
 *   /robots.txt
 *
 * A calendar is answered from memory, as it was last published, whatever happens behind it: clients empty themselves
 * for an empty answer and give up at an error. Until all of it was published once they are told to come back. Loop
 * thread.
 */
#ifndef ONSALE_FEEDS_H
#define ONSALE_FEEDS_H

#include "metrics.h"
#include "server.h"
#include "world.h"

struct feeds;

struct feeds *feeds_new(struct world *world);
void feeds_close(struct feeds *feeds); /* NULL is fine */
void feeds_handle(struct feeds *feeds, struct server_request *request, const struct server_call *call);

/* A path that feeds_handle() charges by itself: what is found is free, as telling somebody that they ask too often
 * costs as much, and Google and Microsoft fetch for many from few addresses. Who asks for what is not there pays, and
 * who has nothing left may not try tokens. */
bool feeds_charge(const char *path);

/* For /metrics: answers since the start, by what was asked for and the status. */
void feeds_measure(const struct feeds *feeds, struct metrics *metrics);

#endif
