/* news.h - what the flow tells those who watch (events.h), as JSON: each function makes one event, and none where
 * nobody keeps them. The shapes are part of the contract. Loop thread. */
#ifndef ONSALE_NEWS_H
#define ONSALE_NEWS_H

#include "world.h"

/* It was planned, moved, paused, or is due at another time. `before`: the state it had, NULL for a new one. */
void news_notice(const struct world *world, const struct notice *notice, const enum notice_state *before);
/* It has another forecast. */
void news_forecast(const struct world *world, const struct notice *notice, int64_t people, int64_t within_ms);
void news_progress(const struct world *world, const struct notice *notice, int64_t per_second);
/* Those of an event that openings_update() has changed, once. */
void news_openings(struct world *world, const char *site, const char *event_id);
/* `target`: "" or "*" (everything), "notice:17", "notifier:mail". */
void news_pause(const struct world *world, bool paused, const char *target, const char *who);
/* What came back was stored. */
void news_came_back(const struct world *world, const struct store_fed_back *what);
/* `trouble` NULL: it works again. */
void news_notifier(const struct world *world, const char *name, const char *trouble, bool needs_person);
void news_site(const struct world *world, const char *name, const char *trouble);
void news_copy(const struct world *world);
void news_adopted(const struct world *world, const char *who);
void news_frozen(const struct world *world);
/* `refused` NULL: it is at work. */
void news_reload(const struct world *world, const char *refused);
void news_stopping(const struct world *world);

#endif
