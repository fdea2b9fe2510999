/* The opening that a message speaks of, as calendars get it: hanging on the message, and as links in it. */
#include "message.h"
#include "table.h"
#include "templates.h"

#include <string.h>

#define OPENS_MS 1806048000000 /* 2027-03-26T08:00:00Z */

static const struct crypt_keys keys = {
    .message_id = {2}, .unsubscribe = {{.id = 1, .bytes = {3}}}, .unsubscribe_count = 1};

struct desk {
    struct message_templates *templates;
    struct calendar_texts *texts;
    struct message_sender sender;
    struct message_mail mail;
    struct message_calendar calendar;
    struct notice *notice;
    struct message_batch_spec spec;
    struct message message;
    struct buf decoded, calendar_part;
};

static void desk_open(struct desk *desk, const char *template)
{
    static const char *const members[] = {"sample-children", "sample-standing"};
    struct error err = {0};
    const char *root = getenv("ONSALE_SOURCE");
    char folder[400];
    const char *folders[] = {folder, NULL};

    *desk = (struct desk){0};
    snprintf(folder, sizeof folder, "%s/templates", root ? root : ".");
    desk->templates = message_templates_load(folders, template, "en", &err);
    desk->texts = calendar_texts_load(folders, &err);
    if (!desk->templates || !desk->texts)
        fail_msg("%s", err.text);
    desk->sender = (struct message_sender){"Arena", "Arena Ltd., Main Street 1, Berlin", "hello@arena.example"};
    desk->mail = (struct message_mail){.from = "Arena Tickets <tickets@arena.example>",
                                       .public_url = "https://onsale.arena.example"};
    desk->notice = notice_new(17, "arena", "e1", "reminder", MOMENT_SALE_START, OPENS_MS, 1);
    desk->spec = (struct message_batch_spec){
        .templates = desk->templates,
        .sender = &desk->sender,
        .mail = &desk->mail,
        .tokens = crypt_tokens_new(&keys, &err),
        .locales = locales_new(&err),
        .zones = zones_new(),
        .notice = desk->notice,
        .site_zone = "Europe/Berlin",
        .site_language = "en",
        .calendar = &desk->calendar,
        .date_ms = OPENS_MS - DAY_MS + 500,
    };
    desk->spec.open = message_sample_definitions(&desk->spec.open_count);
    desk->calendar = (struct message_calendar){
        .texts = desk->texts,
        .entry = {.uid = "625115fd-31cb-8f64-b7bd-06c3137486c0",
                  .sequence = 3,
                  .created_at_ms = OPENS_MS - 40 * (int64_t)DAY_MS,
                  .modified_at_ms = OPENS_MS - 2 * DAY_MS,
                  .opens_at_ms = OPENS_MS,
                  .moved_from_ms = MOMENT_NONE,
                  .zone = zones_get(desk->spec.zones, "Europe/Berlin"),
                  .tickets = desk->spec.open,
                  .ticket_count = desk->spec.open_count,
                  .members = members,
                  .member_count = ARRAY_LEN(members)},
        .alarm_ms = 10 * MINUTE_MS,
        .attach = true,
        .fed = true,
    };
    message_init(&desk->message);
    buf_init(&desk->decoded, 1024 * 1024);
    buf_init(&desk->calendar_part, 1024 * 1024);
}

static void desk_close(struct desk *desk)
{
    message_clear(&desk->message);
    buf_clear(&desk->decoded);
    buf_clear(&desk->calendar_part);
    notice_free(desk->notice);
    zones_free(desk->spec.zones);
    locales_free(desk->spec.locales);
    crypt_tokens_free(desk->spec.tokens);
    calendar_texts_free(desk->texts);
    message_templates_free(desk->templates);
}

/* Soft line breaks and =XX taken back. */
static void decode(struct text raw, struct buf *out)
{
    for (size_t i = 0; i < raw.len; i++) {
        unsigned byte;
        if (raw.ptr[i] == '=' && raw.ptr[i + 1] == '\r') {
            i += 2;
        } else if (raw.ptr[i] == '=' && sscanf(raw.ptr + i + 1, "%2x", &byte) == 1) {
            buf_addc(out, (char)byte);
            i += 2;
        } else {
            buf_addc(out, raw.ptr[i]);
        }
    }
}

static struct message_person person_of(const char *locale, const char *zone)
{
    return (struct message_person){.seq = 4711,
                                   .source = TEXT("fans"),
                                   .source_id = TEXT("4711"),
                                   .address = TEXT("ana@fans.example"),
                                   .locale = text_of(locale),
                                   .zone = text_of(zone)};
}

/* Into desk->message, decoded, and its calendar (unfolded) or "". */
static void make(struct desk *desk, struct message_batch *batch, const char *locale, const char *zone)
{
    struct message_person person = person_of(locale, zone);
    struct error err = {0};

    if (!batch || message_make(batch, &person, &desk->message, &err) < 0)
        fail_msg("%s", err.text);
    buf_reset(&desk->decoded);
    buf_reset(&desk->calendar_part);
    decode(buf_text(&desk->message.raw), &desk->decoded);
    buf_adds(&desk->decoded, "");
    buf_adds(&desk->calendar_part, "");
    const char *start = strstr(desk->decoded.ptr, "BEGIN:VCALENDAR\r\n");
    if (!start)
        return;
    const char *end = strstr(start, "END:VCALENDAR\r\n");
    assert_non_null(end);
    for (const char *c = start; c < end + strlen("END:VCALENDAR\r\n"); c++)
        if (strncmp(c, "\r\n ", 3) == 0)
            c += 2;
        else
            buf_addc(&desk->calendar_part, *c);
}

static void make_one(struct desk *desk, const char *locale)
{
    struct error err = {0};
    struct message_batch *batch = message_batch_new(&desk->spec, &err);

    if (!batch)
        fail_msg("%s", err.text);
    make(desk, batch, locale, "Europe/Lisbon");
    message_batch_free(batch);
}

static void has(const struct buf *buf, const char *part, bool wanted)
{
    if ((strstr(buf->ptr, part) != NULL) != wanted)
        fail_msg("%s is%s in\n%s", part, wanted ? " not" : "", buf->ptr);
}

static void hangs_on_the_message(void **state)
{
    static const char *const parts[] = {"METHOD:PUBLISH\r\n",
                                        "UID:625115fd-31cb-8f64-b7bd-06c3137486c0\r\n",
                                        "SEQUENCE:3\r\n",
                                        "DTSTAMP:20270325T080000Z\r\n",
                                        "DTSTART:20270326T080000Z",
                                        "LAST-MODIFIED:20270324T080000Z",
                                        "STATUS:CONFIRMED\r\n",
                                        "ORGANIZER;CN=Arena:mailto:hello@arena.example\r\n",
                                        "TRIGGER:-PT10M\r\n",
                                        "X-ONSALE-DEFINITION:sample-standing\r\n",
                                        "SUMMARY:On sale: Summer Nig"};
    struct desk desk;

    (void)state;
    desk_open(&desk, "reminder");
    make_one(&desk, "en");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        has(&desk.calendar_part, parts[i], true);
    has(&desk.message.raw, "Content-Type: multipart/mixed;", true);
    has(&desk.message.raw,
        "Content-Type: text/calendar; method=PUBLISH; charset=utf-8;\r\n name=\"sale.ics\"\r\n"
        "Content-Disposition: attachment; filename=\"sale.ics\"\r\n",
        true);

    desk.sender.contact = ""; /* who writes then is all there is */
    make_one(&desk, "en");
    has(&desk.calendar_part, "ORGANIZER;CN=Arena:mailto:tickets@arena.example\r\n", true);

    desk.calendar.attach = false;
    make_one(&desk, "en");
    has(&desk.message.raw, "multipart/mixed", false);
    has(&desk.message.raw, "text/calendar", false);
    desk_close(&desk);
}

/* A reminder of what is now, or was, would ring as soon as it is taken up. */
static void rings_ahead_only(void **state)
{
    static const struct {
        int64_t before_ms;
        bool rings;
    } cases[] = {{DAY_MS, true}, {11 * MINUTE_MS, true}, {10 * MINUTE_MS, false}, {0, false}, {-HOUR_MS, false}};
    struct desk desk;

    (void)state;
    desk_open(&desk, "on-sale");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        desk.spec.date_ms = OPENS_MS - cases[i].before_ms;
        make_one(&desk, "en");
        has(&desk.calendar_part, "BEGIN:VALARM", cases[i].rings);
        has(&desk.calendar_part, "DTSTART:20270326T080000Z", true);
    }
    desk_close(&desk);
}

static void once_for_each_language(void **state)
{
    struct desk desk;
    struct error err = {0};
    auto_buf struct buf first;

    (void)state;
    desk_open(&desk, "reminder");
    buf_init(&first, 100000);
    struct message_batch *batch = message_batch_new(&desk.spec, &err);
    make(&desk, batch, "de-AT", "Europe/Vienna");
    has(&desk.calendar_part, "SUMMARY:Vorverkauf: Summer Nights\r\n", true);
    buf_add_text(&first, buf_text(&desk.calendar_part));
    make(&desk, batch, "de", "Asia/Tokyo"); /* other dates in the text, the same ones in the calendar */
    assert_true(text_equal(buf_text(&first), buf_text(&desk.calendar_part)));
    make(&desk, batch, "en", "Europe/Vienna");
    assert_false(text_equal(buf_text(&first), buf_text(&desk.calendar_part)));
    has(&desk.calendar_part, "SUMMARY:On sale: Summer Nights", true);
    message_batch_free(batch);
    desk_close(&desk);
}

static void the_same_bytes_when_prepared(void **state)
{
    struct desk desk;
    auto_buf struct buf prepared;

    (void)state;
    desk_open(&desk, "reminder");
    buf_init(&prepared, 100000);
    make_one(&desk, "de");
    buf_add_text(&prepared, buf_text(&desk.message.raw));
    desk.spec.plainly = true;
    make_one(&desk, "de");
    assert_string_equal(prepared.ptr, desk.message.raw.ptr);
    desk_close(&desk);
}

static void links(void **state)
{
    static const struct {
        const char *public_url;
        bool there, fed, added, subscribed;
    } cases[] = {
        {"https://onsale.arena.example", true, true, true, true},
        {"https://onsale.arena.example", true, false, true, false},
        {"", true, true, true, false},
        {NULL, true, true, true, false},
        {"https://onsale.arena.example", false, false, false, false},
    };
    struct desk desk;

    (void)state;
    desk_open(&desk, "reminder");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        desk.mail.public_url = cases[i].public_url;
        desk.calendar.fed = cases[i].fed;
        desk.spec.calendar = cases[i].there ? &desk.calendar : NULL;
        make_one(&desk, i % 2 ? "de" : "en");
        has(&desk.decoded,
            "<a class=\"ink\" href=\"https://calendar.google.com/calendar/render?action=TEMPLATE&amp;text=",
            cases[i].added);
        has(&desk.decoded, "&amp;dates=20270326T080000Z%2F20270326T081500Z&amp;", cases[i].added);
        has(&desk.decoded, "<a class=\"ink\" href=\"https://outlook.live.com/calendar/", cases[i].added);
        has(&desk.decoded, "<a class=\"ink\" href=\"https://onsale.arena.example/feeds/arena/e1.ics\"",
            cases[i].subscribed);
        has(&desk.decoded, "alendar: https://onsale.arena.example/feeds/arena/e1.ics\r\n",
            cases[i].subscribed && i % 2 == 0);
        has(&desk.decoded, "Kalender: https://onsale.arena.example/feeds/arena/e1.ics\r\n",
            cases[i].subscribed && i % 2);
        has(&desk.message.raw, "text/calendar", cases[i].there);
    }
    desk_close(&desk);
}

static void what_was_made_ahead_serves_while_the_opening_reads_the_same(void **state)
{
    static const char *const others[] = {"sample-children", "sample-other"};
    struct desk desk;
    struct error err = {0};

    (void)state;
    desk_open(&desk, "reminder");
    struct message_batch *batch = message_batch_new(&desk.spec, &err);
    const struct message_calendar same = desk.calendar;
    assert_true(message_batch_serves(batch, &desk.spec));
    desk.calendar.entry.stamp_at_ms = 1; /* each message has its own */
    assert_true(message_batch_serves(batch, &desk.spec));
    desk.calendar.entry.sequence++;
    assert_false(message_batch_serves(batch, &desk.spec));
    desk.calendar = same;
    desk.calendar.entry.opens_at_ms += HOUR_MS;
    assert_false(message_batch_serves(batch, &desk.spec));
    desk.calendar = same;
    desk.calendar.entry.members = others;
    assert_false(message_batch_serves(batch, &desk.spec));
    desk.calendar = same;
    desk.calendar.entry.ticket_count--;
    assert_false(message_batch_serves(batch, &desk.spec));
    desk.calendar = same;
    desk.calendar.attach = false;
    assert_false(message_batch_serves(batch, &desk.spec));
    desk.calendar = same;
    desk.spec.calendar = NULL;
    assert_false(message_batch_serves(batch, &desk.spec));
    message_batch_free(batch);
    desk_close(&desk);
}

static void what_no_calendar_can_show_is_said(void **state)
{
    struct desk desk;
    struct error err = {0};
    struct message_person person = person_of("en", "");

    (void)state;
    desk_open(&desk, "reminder");
    desk.calendar.entry.opens_at_ms = INT64_C(253402300800000); /* the year 10000 */
    struct message_batch *batch = message_batch_new(&desk.spec, &err);
    assert_non_null(batch);
    message_prepare(batch, TEXT("en"), TEXT(""));
    assert_int_equal(message_make(batch, &person, &desk.message, &err), -1);
    assert_string_equal(err.text, "calendar entry: it opens at a time that no calendar can show");
    message_batch_free(batch);
    desk_close(&desk);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(hangs_on_the_message),
        cmocka_unit_test(rings_ahead_only),
        cmocka_unit_test(once_for_each_language),
        cmocka_unit_test(the_same_bytes_when_prepared),
        cmocka_unit_test(links),
        cmocka_unit_test(what_was_made_ahead_serves_while_the_opening_reads_the_same),
        cmocka_unit_test(what_no_calendar_can_show_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
