/* message_desk.h - all that a batch of messages borrows, with the shipped templates, and the last message that was
 * made. */
#ifndef ONSALE_MESSAGE_DESK_H
#define ONSALE_MESSAGE_DESK_H

#include "message.h"
#include "table.h"

#include <string.h>

#define DESK_OPENS_MS 1806048000000 /* 2027-03-26T08:00:00Z */

static const struct crypt_keys desk_keys = {
    .message_id = {2}, .unsubscribe = {{.id = 1, .bytes = {3}}}, .unsubscribe_count = 1};

struct desk {
    struct message_templates *templates;
    struct message_sender sender;
    struct message_mail mail;
    struct notice *notice;
    struct message_batch_spec spec;
    struct message message; /* the last one */
    struct buf decoded;     /* its bytes without the encoding of lines */
};

static inline void desk_open(struct desk *desk, const char *template, enum moment_kind kind)
{
    struct error err = {0};
    char folder[400];
    const char *folders[] = {folder, NULL};

    *desk = (struct desk){0};
    snprintf(folder, sizeof folder, "%s/templates", getenv("ONSALE_SOURCE"));
    desk->templates = message_templates_load(folders, template, "en", &err);
    if (!desk->templates)
        fail_msg("%s: %s", template, err.text);
    desk->sender = (struct message_sender){"Arena", "Arena Ltd., Main Street 1, Berlin", "hello@arena.example"};
    desk->mail = (struct message_mail){
        .from = "Arena Tickets <tickets@arena.example>",
        .envelope_from = "bounces@arena.example",
        .unsubscribe_url = "https://arena.example/u/{{audience}}/{{source_id}}?a={{address}}",
        .one_click = true,
    };
    desk->notice = notice_new(17, "arena", "e1", "on-sale", kind, DESK_OPENS_MS, 1);
    desk->spec = (struct message_batch_spec){
        .templates = desk->templates,
        .sender = &desk->sender,
        .mail = &desk->mail,
        .tokens = crypt_tokens_new(&desk_keys, &err),
        .locales = locales_new(&err),
        .zones = zones_new(),
        .notice = desk->notice,
        .site_zone = "Europe/Lisbon",
        .site_language = "en",
        .date_ms = DESK_OPENS_MS,
    };
    desk->spec.open = message_sample_definitions(&desk->spec.open_count);
    message_init(&desk->message);
    buf_init(&desk->decoded, 1024 * 1024);
}

static inline void desk_close(struct desk *desk)
{
    message_clear(&desk->message);
    buf_clear(&desk->decoded);
    notice_free(desk->notice);
    zones_free(desk->spec.zones);
    locales_free(desk->spec.locales);
    crypt_tokens_free(desk->spec.tokens);
    message_templates_free(desk->templates);
}

static inline struct message_person person_of(const char *name, const char *locale, const char *zone)
{
    return (struct message_person){
        .seq = 4711,
        .source = TEXT("fans"),
        .source_id = TEXT("4711"),
        .address = TEXT("ana@fans.example"),
        .name = text_of(name),
        .locale = text_of(locale),
        .zone = text_of(zone),
    };
}

/* Takes soft line breaks and =XX back: enough to look for texts. */
static inline void desk_decode(struct desk *desk)
{
    struct text raw = buf_text(&desk->message.raw);
    struct buf *out = &desk->decoded;

    buf_reset(out);
    for (size_t i = 0; i < raw.len; i++) {
        unsigned byte;
        if (raw.ptr[i] != '=' || i + 2 >= raw.len) {
            buf_addc(out, raw.ptr[i]);
        } else if (raw.ptr[i + 1] == '\r') {
            i += 2;
        } else if (sscanf(raw.ptr + i + 1, "%2x", &byte) == 1) {
            buf_addc(out, (char)byte);
            i += 2;
        } else {
            buf_addc(out, '=');
        }
    }
}

static inline void desk_make(struct desk *desk, struct message_batch *batch, const struct message_person *person)
{
    struct error err = {0};

    if (!batch || message_make(batch, person, &desk->message, &err) < 0)
        fail_msg("%s", err.text);
    desk_decode(desk);
}

/* Of a batch of its own. */
static inline void desk_make_one(struct desk *desk, const struct message_person *person)
{
    struct error err = {0};
    struct message_batch *batch = message_batch_new(&desk->spec, &err);

    if (!batch)
        fail_msg("%s", err.text);
    desk_make(desk, batch, person);
    message_batch_free(batch);
}

#endif
