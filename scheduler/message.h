/* message.h - the message of one notice for one person: templates by name, channel and language; values formatted for
 * the subscriber; what is the same for all computed once per notice and language. Pure but for reading templates at
 * start. Loop thread. What a template can say stands in values.h. */
#ifndef ONSALE_MESSAGE_H
#define ONSALE_MESSAGE_H

#include "calendar.h"
#include "crypt_token.h"
#include "definition.h"
#include "locale.h"
#include "mime.h"
#include "notice.h"
#include "render.h"

/* templates/NAME/email.subject, email.html, email.txt and the same with a language: email.de.html. */
struct message_templates;
/* Compiles every language found. Each part must exist in the default language; a missing value is an error, found by
 * rendering against sample values. `folders`: searched in order, NULL-terminated. */
struct message_templates *message_templates_load(const char *const *folders, const char *name,
                                                 const char *default_language, struct error *err);
void message_templates_free(struct message_templates *templates);
/* Is all that the templates say always there at a moment of this kind? message_batch_new() refuses others. */
bool message_templates_serve(const struct message_templates *templates, enum moment_kind kind);
void buf_add_languages(struct buf *buf, const struct message_templates *templates); /* "en, de" */
/* Hash over all sources: what a notice was made from. */
uint64_t message_templates_hash(const struct message_templates *templates);

/* Two tickets of an event, for previews without a notice. Static. */
const struct definition *const *message_sample_definitions(size_t *count);

struct message_sender {
    const char *name, *postal_address, *contact;
};
struct message_mail {            /* of the notifier */
    const char *from;            /* "Arena Tickets <tickets@arena.example>" */
    const char *envelope_from;   /* "" : the address of from */
    const char *list_id;         /* "" : made of the from domain */
    const char *unsubscribe_url; /* Mustache: {{source_id}} {{address}} {{audience}} {{attributes.NAME}}, each
                                  * percent-encoded; "" none */
    bool one_click;              /* it takes the POST of RFC 8058 */
    const char *public_url; /* where our own page is, when there is no unsubscribe_url; "" none; no '/' at the end */
};

/* The opening that a notice about sale_start speaks of, as calendars know it. Texts and lists are copied. */
struct message_calendar {
    const struct calendar_texts *texts; /* borrowed; outlives the batch */
    struct calendar_entry entry;        /* as in the feeds; a message stamps it with its own date */
    int64_t alarm_ms;                   /* as there */
    bool attach;                        /* it hangs on each message as well */
    bool fed;                           /* its feed is for everybody: messages may link to it */
};

struct message_batch;       /* one notice about to be sent; values cached per language and zone */
struct message_batch_spec { /* borrowed; outlives the batch */
    const struct message_templates *templates;
    const struct message_sender *sender;
    const struct message_mail *mail;
    struct crypt_tokens *tokens;
    struct locales *locales;
    struct zones *zones;
    const struct notice *notice;
    const struct definition *const *open; /* what is named in the message; copied */
    size_t open_count;
    const char *site_zone, *site_language;
    const struct message_calendar *calendar; /* of the notice's opening; NULL: it has none */
    int64_t date_ms;                         /* the Date header: release */
    bool test;                               /* "send-test": marked in the subject, of no notice in its Message-ID */
    bool plainly; /* nothing is prepared for many: worth it for a few messages. The bytes are the same */
};
struct message_batch *message_batch_new(const struct message_batch_spec *spec, struct error *err);
void message_batch_free(struct message_batch *batch);
/* Would one made of this say the same, dated by the same second? Then one that was made ahead serves. */
bool message_batch_serves(const struct message_batch *batch, const struct message_batch_spec *spec);

/* Makes ready what readers of this locale and zone have in common, which takes some milliseconds for a new pair; done
 * by the first message for one of them otherwise. */
void message_prepare(struct message_batch *batch, struct text locale, struct text zone);

struct message_person {
    int64_t seq; /* in the notice; with it makes the Message-ID */
    struct text source, source_id, address, name, locale, zone, attributes;
    bool seed; /* our own eyes: marked */
};
struct message {
    struct address to;
    char from[ADDRESS_MAX + 64]; /* envelope sender, VERP applied */
    char token[MESSAGE_TOKEN_SIZE];
    struct buf raw; /* headers and body, CRLF; reused between calls */
};
/* Somebody as the ledger tells of them: source, source_id, address, name, locale, zone, attributes and seq. Borrows. */
struct message_person message_person_of(const json_t *said);
void message_init(struct message *message);
void message_clear(struct message *message);
/* Makes one now that may be asked for later: message_make() then has it ready for exactly this person. */
void message_make_ahead(struct message_batch *batch, const struct message_person *person);
/* ERROR_REFUSED: this person cannot be written to (address, no unsubscribe link); ERROR_CONFIG: the template is at
 * fault. */
int message_make(struct message_batch *batch, const struct message_person *person, struct message *out,
                 struct error *err);

#endif
