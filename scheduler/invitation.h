/* invitation.h - what a notice's messages say to calendars: the opening that it speaks of, as the feeds have it. Loop
 * thread of the daemon, or a command. */
#ifndef ONSALE_INVITATION_H
#define ONSALE_INVITATION_H

#include "feed.h"
#include "message.h"
#include "opening.h"
#include "source/source.h"

struct invitation_spec {                /* borrowed */
    const struct calendar_texts *texts; /* NULL: calendars are not spoken to */
    const struct crypt_keys *keys;
    struct feed *feed;                    /* of a daemon; a command has ... */
    const struct store_calendars *stored; /* ... what was stored; NULL: nothing */
    struct zones *zones;
    const struct site_settings *site;
    const struct openings *openings;
    const struct definitions *definitions; /* of the site */
    const struct rule *rule;
    const struct notice *notice;
    int64_t now_ms;
};

struct invitation {
    struct message_calendar calendar;
    char uid[CALENDAR_UID_SIZE];
    const struct definition **tickets; /* owned, as is: */
    const char **members;
};

/* For message_batch_spec, until invitation_clear(); NULL: nothing opens at the notice's moment. */
const struct message_calendar *invitation_make(struct invitation *out, const struct invitation_spec *spec);
/* The same of tickets that are samples: no feed knows it. */
const struct message_calendar *invitation_make_sample(struct invitation *out, const struct invitation_spec *spec,
                                                      const struct definition *const *tickets, size_t count);
void invitation_clear(struct invitation *invitation);

#endif
