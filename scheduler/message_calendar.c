/* message_calendar.c - the opening that a notice speaks of, for who keeps a calendar: an entry that hangs on each
 * message, and links. Both are made once for each language: dates in them are in the event's zone. */
#include "message_private.h"

#include <string.h>

enum { LINKS_MAX = 16 * 1024 };

static const char attachment_type[] = "text/calendar; method=PUBLISH", attachment_name[] = "sale.ics";

/* --- What is kept of it ------------------------------------------------------------------------------------------- */

static void take_entry(struct message_calendar *own, const struct calendar_entry *entry, int64_t date_ms)
{
    struct definition **tickets = must_calloc(entry->ticket_count, sizeof *tickets);
    char **members = must_calloc(entry->member_count + 1, sizeof *members);

    for (size_t i = 0; i < entry->ticket_count; i++)
        tickets[i] = definition_new(entry->tickets[i]);
    for (size_t i = 0; i < entry->member_count; i++)
        members[i] = must_strdup(entry->members[i]);
    own->entry.uid = must_strdup(entry->uid);
    own->entry.tickets = (const struct definition *const *)tickets;
    own->entry.members = (const char *const *)members;
    own->entry.stamp_at_ms = date_ms;
}

void message_calendar_take(struct message_batch *batch)
{
    const struct message_calendar *given_one = batch->spec.calendar;
    const char *public_url = batch->spec.mail->public_url;

    buf_init(&batch->webcal, LINKS_MAX);
    buf_init(&batch->feed, LINKS_MAX);
    if (!given_one)
        return;
    struct message_calendar *own = must_calloc(1, sizeof *own);
    *own = *given_one;
    take_entry(own, &given_one->entry, batch->spec.date_ms);
    batch->calendar = own;
    batch->spec.calendar = NULL; /* the caller's */
    if (!own->fed || !text_given(public_url))
        return;
    const struct notice *notice = batch->spec.notice;
    calendar_add_webcal_link(&batch->webcal, public_url, notice->site, notice->subject);
    buf_adds(&batch->feed, public_url);
    calendar_add_feed_path(&batch->feed, notice->site, notice->subject);
}

static void tongue_free(struct tongue *tongue)
{
    buf_clear(&tongue->attachment);
    buf_clear(&tongue->google);
    buf_clear(&tongue->outlook);
    free(tongue);
}

void message_calendar_clear(struct message_batch *batch)
{
    struct message_calendar *own = batch->calendar;

    for (struct tongue *tongue = batch->tongues, *next; tongue; tongue = next) {
        next = tongue->next;
        tongue_free(tongue);
    }
    buf_clear(&batch->webcal);
    buf_clear(&batch->feed);
    if (!own)
        return;
    for (size_t i = 0; i < own->entry.ticket_count; i++)
        definition_free((struct definition *)(uintptr_t)own->entry.tickets[i]);
    for (size_t i = 0; i < own->entry.member_count; i++)
        free((char *)(uintptr_t)own->entry.members[i]);
    free((void *)(uintptr_t)own->entry.tickets);
    free((void *)(uintptr_t)own->entry.members);
    free((char *)(uintptr_t)own->entry.uid);
    free(own);
}

/* Its stamp apart: that is the message's date. */
static bool same_entry(const struct calendar_entry *a, const struct calendar_entry *b)
{
    bool same = strcmp(a->uid, b->uid) == 0 && a->sequence == b->sequence && a->created_at_ms == b->created_at_ms &&
                a->modified_at_ms == b->modified_at_ms && a->opens_at_ms == b->opens_at_ms &&
                a->moved_from_ms == b->moved_from_ms && a->withdrawn == b->withdrawn && a->zone == b->zone &&
                a->ticket_count == b->ticket_count && a->member_count == b->member_count;

    for (size_t i = 0; same && i < a->ticket_count; i++)
        same = definition_reads_same(a->tickets[i], b->tickets[i]);
    for (size_t i = 0; same && i < a->member_count; i++)
        same = strcmp(a->members[i], b->members[i]) == 0;
    return same;
}

bool message_calendar_same(const struct message_batch *batch, const struct message_calendar *other)
{
    const struct message_calendar *own = batch->calendar;

    if (!own || !other)
        return !own && !other;
    return own->texts == other->texts && own->attach == other->attach && own->fed == other->fed &&
           own->alarm_ms == other->alarm_ms && same_entry(&own->entry, &other->entry);
}

/* --- In one language ---------------------------------------------------------------------------------------------- */

/* Whom the answers would go to, had anybody to answer. */
static struct calendar_organizer organizer_of(const struct message_batch *batch)
{
    const char *contact = batch->spec.sender->contact;

    return (struct calendar_organizer){batch->sender_name, text_given(contact) ? contact : batch->from.text};
}

static int make_attachment(const struct message_batch *batch, const struct calendar_style *style, struct buf *out,
                           struct error *err)
{
    const struct calendar_organizer organizer = organizer_of(batch);
    auto_buf struct buf calendar;

    buf_init(&calendar, CALENDAR_EVENT_MAX * 2);
    if (calendar_add_published(&calendar, style, &batch->calendar->entry, &organizer, err) < 0)
        return -1;
    mime_attachment(attachment_type, attachment_name, buf_text(&calendar), out);
    return 0;
}

static void make_tongue(struct message_batch *batch, struct tongue *tongue)
{
    const struct message_calendar *own = batch->calendar;
    const struct calendar_entry *entry = &own->entry;
    bool linked = batch->spec.templates->wants_calendar;
    bool ahead =
        entry->opens_at_ms - own->alarm_ms > batch->spec.date_ms; /* an alarm that is over would ring at once */
    const struct calendar_style style = {
        .texts = own->texts,
        .locales = batch->spec.locales,
        .language = tongue->language->tag,
        .sender_name = batch->spec.sender->name,
        .alarm_ms = ahead ? own->alarm_ms : 0,
    };
    struct error *err = &tongue->failure;

    if ((linked && (calendar_add_google_link(&tongue->google, &style, entry, err) < 0 ||
                    calendar_add_outlook_link(&tongue->outlook, &style, entry, err) < 0)) ||
        (own->attach && make_attachment(batch, &style, &tongue->attachment, err) < 0))
        error_at(err, "calendar entry");
}

const struct tongue *message_tongue(struct message_batch *batch, const struct templates_language *language)
{
    struct tongue *tongue = batch->tongues;

    if (!batch->calendar)
        return NULL;
    while (tongue && tongue->language != language)
        tongue = tongue->next;
    if (tongue)
        return tongue;
    tongue = must_calloc(1, sizeof *tongue);
    *tongue = (struct tongue){.language = language, .next = batch->tongues};
    batch->tongues = tongue;
    buf_init(&tongue->attachment, CALENDAR_EVENT_MAX * 4); /* quoted */
    buf_init(&tongue->google, LINKS_MAX);
    buf_init(&tongue->outlook, LINKS_MAX);
    make_tongue(batch, tongue);
    return tongue;
}
