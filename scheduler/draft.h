/* draft.h - a message of a rule that no launch makes: about a notice, or about sample tickets where there is none; by
 * the same code that a launch sends with. Loop thread of the daemon, or a command. */
#ifndef ONSALE_DRAFT_H
#define ONSALE_DRAFT_H

#include "feed.h"
#include "message.h"
#include "opening.h"
#include "plan.h"
#include "source/source.h"
#include "world.h"

struct draft_spec { /* borrowed */
    const struct rule *rule;
    const struct message_templates *templates;
    const struct message_mail *mail;
    const struct message_sender *sender;
    struct crypt_tokens *tokens;
    struct locales *locales;
    struct zones *zones;
    const struct site_settings *site;
    const struct notice *notice;           /* NULL: sample tickets */
    const struct definitions *definitions; /* of the notice's site */
    const struct openings *openings;
    const struct calendar_texts *calendar_texts;
    const struct crypt_keys *keys;
    struct feed *feed; /* of a daemon; NULL: */
    const struct store_calendars *stored;
    int64_t date_ms; /* MOMENT_NONE: when the notice is due */
    bool test;       /* marked as one */
};

/* Fills `out` (after message_init). */
int draft_make(const struct draft_spec *spec, const struct message_person *person, struct message *out,
               struct error *err);

/* With what a daemon has at hand; about sample tickets until a notice is named. */
struct draft_spec draft_of(struct world *world, const struct world_rule *rule, const struct world_site *site);
/* Where a rule without a notice is at home: its first site, or the only one. NULL when that has left the configuration.
 */
struct world_site *draft_site(struct world *world, const struct rule *rule);

#endif
