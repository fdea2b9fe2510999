/* What an opening is called, and addresses that put it into a calendar. */
#include "calendar_private.h"
#include "values.h"

#include <string.h>

enum { DETAILS_MAX = 1000 }; /* characters: an address that is too long is not taken */

void calendar_uid(const struct crypt_keys *keys, const char *site, int64_t opening, char out[CALENDAR_UID_SIZE])
{
    auto_buf struct buf message;
    unsigned char hash[32];
    size_t at = 0;

    buf_init(&message, 64 * 1024);
    buf_addf(&message, "calendar\n%lld\n%s", (long long)opening, site); /* the key makes other things of other words */
    crypt_hmac(keys->message_id, buf_text(&message), hash);
    hash[6] = (unsigned char)(0x80 | (hash[6] & 0x0F)); /* version 8 */
    hash[8] = (unsigned char)(0x80 | (hash[8] & 0x3F)); /* variant */
    for (size_t i = 0; i < 16; i++)
        at += (size_t)snprintf(out + at, CALENDAR_UID_SIZE - at, "%s%02x",
                               i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", hash[i]);
}

static void add_parameter(struct buf *buf, const char *name, struct text value)
{
    if (value.len == 0)
        return;
    buf_adds(buf, name);
    buf_add_percent(buf, value);
}

static void add_google_moment(struct buf *buf, int64_t at_ms)
{
    struct civil at = civil_of(at_ms);

    buf_addf(buf, "%04d%02d%02dT%02d%02d%02dZ", at.year, at.month, at.day, at.hour, at.minute, at.second);
}

static void add_outlook_moment(struct buf *buf, int64_t at_ms)
{
    struct civil at = civil_of(at_ms);

    buf_addf(buf, "%04d-%02d-%02dT%02d%%3A%02d%%3A%02dZ", at.year, at.month, at.day, at.hour, at.minute, at.second);
}

static int say(const struct calendar_style *style, const struct calendar_entry *entry, struct calendar_words *words,
               struct buf *details, struct error *err)
{
    calendar_words_init(words);
    buf_init(details, 4 * DETAILS_MAX + 4);
    if (calendar_say(style, entry, words, err) < 0)
        return -1;
    calendar_clean(details, buf_text(&words->description), DETAILS_MAX, true);
    return 0;
}

int calendar_add_google_link(struct buf *buf, const struct calendar_style *style, const struct calendar_entry *entry,
                             struct error *err)
{
    struct calendar_words words;
    auto_buf struct buf details = {0};
    int rc = say(style, entry, &words, &details, err);

    if (rc == 0) {
        buf_adds(buf, "https://calendar.google.com/calendar/render?action=TEMPLATE");
        add_parameter(buf, "&text=", buf_text(&words.summary));
        buf_adds(buf, "&dates=");
        add_google_moment(buf, entry->opens_at_ms);
        buf_adds(buf, "%2F");
        add_google_moment(buf, entry->opens_at_ms + CALENDAR_LENGTH_MS);
        add_parameter(buf, "&details=", buf_text(&details));
        add_parameter(buf, "&location=", buf_text(&words.place));
    }
    calendar_words_clear(&words);
    return rc;
}

int calendar_add_outlook_link(struct buf *buf, const struct calendar_style *style, const struct calendar_entry *entry,
                              struct error *err)
{
    struct calendar_words words;
    auto_buf struct buf details = {0};
    int rc = say(style, entry, &words, &details, err);

    if (rc == 0) {
        buf_adds(buf, "https://outlook.live.com/calendar/0/deeplink/compose?path=%2Fcalendar%2Faction%2Fcompose"
                      "&rru=addevent&startdt=");
        add_outlook_moment(buf, entry->opens_at_ms);
        buf_adds(buf, "&enddt=");
        add_outlook_moment(buf, entry->opens_at_ms + CALENDAR_LENGTH_MS);
        add_parameter(buf, "&subject=", buf_text(&words.summary));
        add_parameter(buf, "&body=", buf_text(&details));
        add_parameter(buf, "&location=", buf_text(&words.place));
    }
    calendar_words_clear(&words);
    return rc;
}

void calendar_add_feed_path(struct buf *buf, const char *site, const char *event_id)
{
    buf_adds(buf, "/feeds/");
    buf_add_percent(buf, text_of(site));
    if (*event_id) {
        buf_addc(buf, '/');
        buf_add_percent(buf, text_of(event_id));
    }
    buf_adds(buf, ".ics");
}

void calendar_add_webcal_link(struct buf *buf, const char *public_url, const char *site, const char *event_id)
{
    const char *behind = strstr(public_url, "://");

    if (!behind)
        return;
    buf_addf(buf, "webcal%s", behind);
    calendar_add_feed_path(buf, site, event_id);
}
