/* The opening that a message speaks of, as calendars get it: hanging on the message, and as links in it. */
#include "message_desk.h"

struct page {
    struct desk desk;
    struct calendar_texts *texts;
    struct message_calendar calendar; /* which the messages have */
    struct buf calendar_part;         /* of the last message, unfolded; or "" */
};

static void page_open(struct page *page, const char *template)
{
    static const char *const members[] = {"sample-children", "sample-standing"};
    struct error err = {0};
    char folder[400];
    const char *folders[] = {folder, NULL};

    *page = (struct page){0};
    desk_open(&page->desk, template, MOMENT_SALE_START);
    snprintf(folder, sizeof folder, "%s/templates", getenv("ONSALE_SOURCE"));
    page->texts = calendar_texts_load(folders, &err);
    if (!page->texts)
        fail_msg("%s", err.text);
    page->desk.mail = (struct message_mail){.from = "Arena Tickets <tickets@arena.example>",
                                            .public_url = "https://onsale.arena.example"};
    page->desk.spec.site_zone = "Europe/Berlin";
    page->desk.spec.date_ms = DESK_OPENS_MS - DAY_MS + 500;
    page->desk.spec.calendar = &page->calendar;
    page->calendar = (struct message_calendar){
        .texts = page->texts,
        .entry = {.uid = "625115fd-31cb-8f64-b7bd-06c3137486c0",
                  .sequence = 3,
                  .created_at_ms = DESK_OPENS_MS - 40 * (int64_t)DAY_MS,
                  .modified_at_ms = DESK_OPENS_MS - 2 * DAY_MS,
                  .opens_at_ms = DESK_OPENS_MS,
                  .moved_from_ms = MOMENT_NONE,
                  .zone = zones_get(page->desk.spec.zones, "Europe/Berlin"),
                  .tickets = page->desk.spec.open,
                  .ticket_count = page->desk.spec.open_count,
                  .members = members,
                  .member_count = ARRAY_LEN(members)},
        .alarm_ms = 10 * MINUTE_MS,
        .attach = true,
        .fed = true,
    };
    buf_init(&page->calendar_part, 1024 * 1024);
}

static void page_close(struct page *page)
{
    buf_clear(&page->calendar_part);
    calendar_texts_free(page->texts);
    desk_close(&page->desk);
}

static void make(struct page *page, struct message_batch *batch, const char *locale, const char *zone)
{
    struct message_person person = person_of("", locale, zone);

    desk_make(&page->desk, batch, &person);
    buf_reset(&page->calendar_part);
    buf_adds(&page->calendar_part, "");
    const char *start = strstr(page->desk.decoded.ptr, "BEGIN:VCALENDAR\r\n");
    if (!start)
        return;
    const char *end = strstr(start, "END:VCALENDAR\r\n");
    assert_non_null(end);
    for (const char *c = start; c < end + strlen("END:VCALENDAR\r\n"); c++)
        if (strncmp(c, "\r\n ", 3) == 0)
            c += 2;
        else
            buf_addc(&page->calendar_part, *c);
}

static void make_one(struct page *page, const char *locale)
{
    struct error err = {0};
    struct message_batch *batch = message_batch_new(&page->desk.spec, &err);

    if (!batch)
        fail_msg("%s", err.text);
    make(page, batch, locale, "Europe/Lisbon");
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
    struct page page;

    (void)state;
    page_open(&page, "reminder");
    make_one(&page, "en");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        has(&page.calendar_part, parts[i], true);
    has(&page.desk.message.raw, "Content-Type: multipart/mixed;", true);
    has(&page.desk.message.raw,
        "Content-Type: text/calendar; method=PUBLISH; charset=utf-8;\r\n name=\"sale.ics\"\r\n"
        "Content-Disposition: attachment; filename=\"sale.ics\"\r\n",
        true);

    page.desk.sender.contact = ""; /* who writes then is all there is */
    make_one(&page, "en");
    has(&page.calendar_part, "ORGANIZER;CN=Arena:mailto:tickets@arena.example\r\n", true);

    page.calendar.attach = false;
    make_one(&page, "en");
    has(&page.desk.message.raw, "multipart/mixed", false);
    has(&page.desk.message.raw, "text/calendar", false);
    page_close(&page);
}

/* A reminder of what is now, or was, would ring as soon as it is taken up. */
static void rings_ahead_only(void **state)
{
    static const struct {
        int64_t before_ms;
        bool rings;
    } cases[] = {{DAY_MS, true}, {11 * MINUTE_MS, true}, {10 * MINUTE_MS, false}, {0, false}, {-HOUR_MS, false}};
    struct page page;

    (void)state;
    page_open(&page, "on-sale");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        page.desk.spec.date_ms = DESK_OPENS_MS - cases[i].before_ms;
        make_one(&page, "en");
        has(&page.calendar_part, "BEGIN:VALARM", cases[i].rings);
        has(&page.calendar_part, "DTSTART:20270326T080000Z", true);
    }
    page_close(&page);
}

static void once_for_each_language(void **state)
{
    struct page page;
    struct error err = {0};
    auto_buf struct buf first;

    (void)state;
    page_open(&page, "reminder");
    buf_init(&first, 100000);
    struct message_batch *batch = message_batch_new(&page.desk.spec, &err);
    make(&page, batch, "de-AT", "Europe/Vienna");
    has(&page.calendar_part, "SUMMARY:Vorverkauf: Summer Nights\r\n", true);
    buf_add_text(&first, buf_text(&page.calendar_part));
    make(&page, batch, "de", "Asia/Tokyo"); /* other dates in the text, the same ones in the calendar */
    assert_true(text_equal(buf_text(&first), buf_text(&page.calendar_part)));
    make(&page, batch, "en", "Europe/Vienna");
    assert_false(text_equal(buf_text(&first), buf_text(&page.calendar_part)));
    has(&page.calendar_part, "SUMMARY:On sale: Summer Nights", true);
    message_batch_free(batch);
    page_close(&page);
}

static void the_same_bytes_when_prepared(void **state)
{
    struct page page;
    auto_buf struct buf prepared;

    (void)state;
    page_open(&page, "reminder");
    buf_init(&prepared, 100000);
    make_one(&page, "de");
    buf_add_text(&prepared, buf_text(&page.desk.message.raw));
    page.desk.spec.plainly = true;
    make_one(&page, "de");
    assert_string_equal(prepared.ptr, page.desk.message.raw.ptr);
    page_close(&page);
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
    struct page page;

    (void)state;
    page_open(&page, "reminder");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        page.desk.mail.public_url = cases[i].public_url;
        page.calendar.fed = cases[i].fed;
        page.desk.spec.calendar = cases[i].there ? &page.calendar : NULL;
        make_one(&page, i % 2 ? "de" : "en");
        has(&page.desk.decoded,
            "<a class=\"ink\" href=\"https://calendar.google.com/calendar/render?action=TEMPLATE&amp;text=",
            cases[i].added);
        has(&page.desk.decoded, "&amp;dates=20270326T080000Z%2F20270326T081500Z&amp;", cases[i].added);
        has(&page.desk.decoded, "<a class=\"ink\" href=\"https://outlook.live.com/calendar/", cases[i].added);
        has(&page.desk.decoded, "<a class=\"ink\" href=\"https://onsale.arena.example/feeds/arena/e1.ics\"",
            cases[i].subscribed);
        has(&page.desk.decoded, "alendar: https://onsale.arena.example/feeds/arena/e1.ics\r\n",
            cases[i].subscribed && i % 2 == 0);
        has(&page.desk.decoded, "Kalender: https://onsale.arena.example/feeds/arena/e1.ics\r\n",
            cases[i].subscribed && i % 2);
        has(&page.desk.message.raw, "text/calendar", cases[i].there);
    }
    page_close(&page);
}

static void what_was_made_ahead_serves_while_the_opening_reads_the_same(void **state)
{
    static const char *const others[] = {"sample-children", "sample-other"};
    struct page page;
    struct error err = {0};

    (void)state;
    page_open(&page, "reminder");
    struct message_batch *batch = message_batch_new(&page.desk.spec, &err);
    const struct message_calendar same = page.calendar;
    assert_true(message_batch_serves(batch, &page.desk.spec));
    page.calendar.entry.stamp_at_ms = 1; /* each message has its own */
    assert_true(message_batch_serves(batch, &page.desk.spec));
    page.calendar.entry.sequence++;
    assert_false(message_batch_serves(batch, &page.desk.spec));
    page.calendar = same;
    page.calendar.entry.opens_at_ms += HOUR_MS;
    assert_false(message_batch_serves(batch, &page.desk.spec));
    page.calendar = same;
    page.calendar.entry.members = others;
    assert_false(message_batch_serves(batch, &page.desk.spec));
    page.calendar = same;
    page.calendar.entry.ticket_count--;
    assert_false(message_batch_serves(batch, &page.desk.spec));
    page.calendar = same;
    page.calendar.attach = false;
    assert_false(message_batch_serves(batch, &page.desk.spec));
    page.calendar = same;
    page.desk.spec.calendar = NULL;
    assert_false(message_batch_serves(batch, &page.desk.spec));
    message_batch_free(batch);
    page_close(&page);
}

static void what_no_calendar_can_show_is_said(void **state)
{
    struct page page;
    struct error err = {0};
    struct message_person person = person_of("", "en", "");

    (void)state;
    page_open(&page, "reminder");
    page.calendar.entry.opens_at_ms = INT64_C(253402300800000); /* the year 10000 */
    struct message_batch *batch = message_batch_new(&page.desk.spec, &err);
    assert_non_null(batch);
    message_prepare(batch, TEXT("en"), TEXT(""));
    assert_int_equal(message_make(batch, &person, &page.desk.message, &err), -1);
    assert_string_equal(err.text, "calendar entry: it opens at a time that no calendar can show");
    message_batch_free(batch);
    page_close(&page);
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
