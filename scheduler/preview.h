/* preview.h - the exact bytes of a message, from the same code that a launch sends with: of a notice or of a sample
 * event, as one of its people or as somebody who might be. Loop thread of the daemon, or a command. */
#ifndef ONSALE_PREVIEW_H
#define ONSALE_PREVIEW_H

#include "address.h"
#include "feed.h"
#include "message.h"
#include "opening.h"
#include "plan.h"
#include "source/source.h"

#include <jansson.h>

struct preview_spec { /* borrowed */
    const struct rule *rule;
    const struct message_templates *templates;
    const struct message_mail *mail;
    const struct message_sender *sender;
    struct crypt_tokens *tokens;
    struct locales *locales;
    struct zones *zones;
    const struct site_settings *site;
    const struct notice *notice;           /* NULL: a sample event */
    const struct definitions *definitions; /* of the notice's site */
    const struct openings *openings;
    const struct calendar_texts *calendar_texts;
    const struct crypt_keys *keys;
    struct feed *feed; /* of a daemon; NULL: */
    const struct store_calendars *stored;
    const struct address *subscriber; /* NULL: a sample */
    const json_t *person;             /* who that is in the notice, as REPORT_PERSON says; NULL: nobody of it */
    const char *language;             /* "": the person's */
};

/* Fills `out` (after message_init) and adds a line to `note` for what is not as it would leave. */
int preview_make(const struct preview_spec *spec, struct message *out, struct buf *note, struct error *err);

/* "there is no rule "on-sael" (did you mean "on-sale"?)"; returns -1. */
int preview_no_rule(const char *name, const char *const *names, size_t count, struct error *err);

#endif
