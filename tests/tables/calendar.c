/* Openings as calendars get them: by the letter, in every language, of hostile shops, in mails and as links. */
#include "calendar.h"
#include "calendar_judge.h"
#include "table.h"

#include <string.h>
#include <sys/stat.h>

#define NOON INT64_C(1806048000000) /* 2027-03-26 08:00 UTC: 10:00 in Vilnius */

struct desk {
    struct calendar_texts *texts;
    struct locales *locales;
    struct zone *vilnius;
    struct calendar_style style;
};

static int open_desk(void **state)
{
    static struct desk desk;
    static char folder[400];
    const char *root = getenv("ONSALE_SOURCE"), *folders[] = {folder, NULL};
    struct error err = {0};

    snprintf(folder, sizeof folder, "%s/templates", root ? root : ".");
    desk.texts = calendar_texts_load(folders, &err);
    desk.locales = locales_new(&err);
    desk.vilnius = zone_load("Europe/Vilnius", &err);
    if (!desk.texts || !desk.locales || !desk.vilnius)
        fail_msg("%s", err.text);
    desk.style = (struct calendar_style){
        .texts = desk.texts, .locales = desk.locales, .language = "en", .alarm_ms = 10 * MINUTE_MS};
    *state = &desk;
    return 0;
}

static int close_desk(void **state)
{
    struct desk *desk = *state;

    calendar_texts_free(desk->texts);
    locales_free(desk->locales);
    zone_free(desk->vilnius);
    icalmemory_free_ring();
    icaltimezone_free_builtin_timezones();
    return 0;
}

static const struct definition balcony = {.site = "arena",
                                          .id = "d1",
                                          .event_id = "e1",
                                          .name = "Balcony",
                                          .description = "",
                                          .price = "49.90",
                                          .currency = "EUR",
                                          .event_title = "Žalgiris – Rytas, final",
                                          .event_zone = "Europe/Vilnius",
                                          .event_url = "https://tickets.example/e/1?a=1,2;b",
                                          .event_place = "Žalgirio arena, Kaunas",
                                          .event_starts_at_ms = NOON + 30 * (int64_t)DAY_MS,
                                          .sale_starts_at_ms = NOON,
                                          .sale_ends_at_ms = MOMENT_NONE};

static struct calendar_entry entry_of(const struct desk *desk, const struct definition *const *tickets)
{
    static const char *const members[] = {"d1", "d2"};

    return (struct calendar_entry){.uid = "625115fd-31cb-8f64-b7bd-06c3137486c0",
                                   .sequence = 2,
                                   .created_at_ms = NOON - 40 * (int64_t)DAY_MS,
                                   .modified_at_ms = NOON - 20 * (int64_t)DAY_MS,
                                   .stamp_at_ms = NOON - 20 * (int64_t)DAY_MS,
                                   .opens_at_ms = NOON,
                                   .moved_from_ms = MOMENT_NONE,
                                   .zone = desk->vilnius,
                                   .tickets = tickets,
                                   .ticket_count = 1,
                                   .members = members,
                                   .member_count = 2};
}

static void add_calendar(const struct calendar_style *style, const struct calendar_entry *entry, struct buf *out)
{
    struct error err = {0};

    if (calendar_add_head(out, style, "", "", HOUR_MS, &err) < 0 || calendar_add_event(out, style, entry, &err) < 0)
        fail_msg("%s", err.text);
    calendar_add_foot(out);
}

static void names(void **state)
{
    struct crypt_keys keys = {.person = {1}, .message_id = {2}}, other = {.person = {1}, .message_id = {3}};
    char uid[5][CALENDAR_UID_SIZE];

    (void)state;
    calendar_uid(&keys, "arena", 17, uid[0]);
    calendar_uid(&keys, "arena", 18, uid[1]);
    calendar_uid(&keys, "arena2", 17, uid[2]);
    calendar_uid(&keys, "arena\n", 17, uid[3]);
    calendar_uid(&other, "arena", 17, uid[4]);
    for (size_t i = 0; i < ARRAY_LEN(uid); i++) {
        const char *form = "xxxxxxxx-xxxx-8xxx-vxxx-xxxxxxxxxxxx";
        assert_int_equal(strlen(uid[i]), strlen(form));
        for (size_t k = 0; form[k]; k++)
            assert_non_null(strchr(form[k] == 'x'   ? "0123456789abcdef"
                                   : form[k] == 'v' ? "89ab"
                                   : form[k] == '8' ? "8"
                                                    : "-",
                                   uid[i][k]));
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(uid[i], uid[k]);
    }
    /* The same for ever: another value here is another event in everybody's calendar. */
    assert_string_equal(uid[0], "5d250813-dea8-84c2-99b8-03500a99874c");
}

/* --- An event ----------------------------------------------------------------------------------------------------- */

static void whole(void **state)
{
    const struct desk *desk = *state;
    const struct definition *tickets[] = {&balcony};
    struct calendar_entry entry = entry_of(desk, tickets);
    auto_buf struct buf out;

    buf_init(&out, CALENDAR_EVENT_MAX);
    add_calendar(&desk->style, &entry, &out);
    assert_string_equal(out.ptr, "BEGIN:VCALENDAR\r\n"
                                 "VERSION:2.0\r\n"
                                 "PRODID:-//Onsale//Sale openings//EN\r\n"
                                 "NAME:Ticket sales\r\n"
                                 "X-WR-CALNAME:Ticket sales\r\n"
                                 "REFRESH-INTERVAL;VALUE=DURATION:PT1H\r\n"
                                 "X-PUBLISHED-TTL:PT1H\r\n"
                                 "BEGIN:VEVENT\r\n"
                                 "UID:625115fd-31cb-8f64-b7bd-06c3137486c0\r\n"
                                 "DTSTAMP:20270306T080000Z\r\n"
                                 "CREATED:20270214T080000Z\r\n"
                                 "LAST-MODIFIED:20270306T080000Z\r\n"
                                 "SEQUENCE:2\r\n"
                                 "DTSTART:20270326T080000Z\r\n"
                                 "DTEND:20270326T081500Z\r\n"
                                 "SUMMARY:On sale: Žalgiris – Rytas\\, final\r\n"
                                 "DESCRIPTION:Tickets go on sale: Friday\\, March 26\\, 2027 at 10:00\xE2\x80\xAF"
                                 "AM GMT\r\n"
                                 " +2 (Europe/Vilnius)\\n\\nTickets:\\n– Balcony\\, €49.90\\n\\nhttps://ticket\r\n"
                                 " s.example/e/1?a=1\\,2\\;b\r\n"
                                 "URL:https://tickets.example/e/1?a=1,2;b\r\n"
                                 "LOCATION:Žalgirio arena\\, Kaunas\r\n"
                                 "CATEGORIES:Ticket sale\r\n"
                                 "STATUS:CONFIRMED\r\n"
                                 "TRANSP:TRANSPARENT\r\n"
                                 "X-MICROSOFT-CDO-BUSYSTATUS:FREE\r\n"
                                 "X-ONSALE-DEFINITION:d1\r\n"
                                 "X-ONSALE-DEFINITION:d2\r\n"
                                 "BEGIN:VALARM\r\n"
                                 "ACTION:DISPLAY\r\n"
                                 "DESCRIPTION:On sale: Žalgiris – Rytas\\, final\r\n"
                                 "TRIGGER:-PT10M\r\n"
                                 "END:VALARM\r\n"
                                 "END:VEVENT\r\n"
                                 "END:VCALENDAR\r\n");
}

static icalcomponent *judged(struct text calendar, const char *what)
{
    icalcomponent *parsed;
    const char *wrong = judge_lines(calendar);

    if (wrong)
        fail_msg("%s: %s:\n%.*s", what, wrong, TEXT_ARGS(calendar));
    wrong = judge_event(calendar, &parsed);
    if (wrong)
        fail_msg("%s: %s:\n%.*s", what, wrong, TEXT_ARGS(calendar));
    return parsed;
}

static icalcomponent *event_of(icalcomponent *calendar)
{
    return icalcomponent_get_first_component(calendar, ICAL_VEVENT_COMPONENT);
}

/* Each language says its own, and libical reads back what was meant. */
static void languages(void **state)
{
    static const struct {
        const char *tag, *summary, *withdrawn;
    } cases[] = {
        {"en", "On sale: Žalgiris – Rytas, final", "Withdrawn: Žalgiris – Rytas, final"},
        {"de", "Vorverkauf: Žalgiris – Rytas, final", "Zurückgezogen: Žalgiris – Rytas, final"},
        {"de-AT", "Vorverkauf: Žalgiris – Rytas, final", "Zurückgezogen: Žalgiris – Rytas, final"},
        {"es", "A la venta: Žalgiris – Rytas, final", "Retirada: Žalgiris – Rytas, final"},
        {"fr", "En vente: Žalgiris – Rytas, final", "Annulée: Žalgiris – Rytas, final"},
        {"it", "In vendita: Žalgiris – Rytas, final", "Annullata: Žalgiris – Rytas, final"},
        {"lt", "Prekyba bilietais: Žalgiris – Rytas, final", "Atšaukta: Žalgiris – Rytas, final"},
        {"nl", "In de verkoop: Žalgiris – Rytas, final", "Ingetrokken: Žalgiris – Rytas, final"},
        {"pl", "W sprzedaży: Žalgiris – Rytas, final", "Wycofano: Žalgiris – Rytas, final"},
        {"xx", "On sale: Žalgiris – Rytas, final", "Withdrawn: Žalgiris – Rytas, final"},
    };
    const struct desk *desk = *state;
    const struct definition *tickets[] = {&balcony};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int withdrawn = 0; withdrawn < 2; withdrawn++) {
            struct calendar_style style = desk->style;
            struct calendar_entry entry = entry_of(desk, tickets);
            auto_buf struct buf out;
            style.language = cases[i].tag;
            entry.withdrawn = withdrawn;
            buf_init(&out, CALENDAR_EVENT_MAX);
            add_calendar(&style, &entry, &out);
            icalcomponent *calendar = judged(buf_text(&out), cases[i].tag), *event = event_of(calendar);
            assert_string_equal(icalcomponent_get_summary(event), withdrawn ? cases[i].withdrawn : cases[i].summary);
            assert_int_equal(icalcomponent_get_status(event),
                             withdrawn ? ICAL_STATUS_CANCELLED : ICAL_STATUS_CONFIRMED);
            assert_int_equal(icalcomponent_count_components(event, ICAL_VALARM_COMPONENT), !withdrawn);
            assert_string_equal(icalcomponent_get_location(event), balcony.event_place);
            assert_string_equal(icalproperty_get_url(icalcomponent_get_first_property(event, ICAL_URL_PROPERTY)),
                                balcony.event_url);
            assert_int_equal(icaltime_as_timet(icalcomponent_get_dtstart(event)), NOON / SECOND_MS);
            assert_int_equal(icaltime_as_timet(icalcomponent_get_dtend(event)), NOON / SECOND_MS + 900);
            assert_int_equal(icalcomponent_get_sequence(event), 2);
            if (strcmp(cases[i].tag, "de") == 0 && !withdrawn)
                assert_non_null(strstr(icalcomponent_get_description(event), "49,90"));
            assert_non_null(strstr(icalcomponent_get_description(event), "Europe/Vilnius"));
            icalcomponent_free(calendar);
        }
}

/* Whatever a shop says, it is one event of ours, and says what was meant as far as it can be said. */
static void hostile(void **state)
{
    static char endless[10001], emoji[40001], arabic[4001], slashes[4001];
    static const struct {
        const char *what, *title, *ticket, *url, *place, *price, *member;
        const char *summary; /* what libical reads, behind "On sale: "; NULL: whatever */
        const char *url_read;
    } cases[] = {
        {"lines in the title", "a\r\nATTENDEE:mailto:x@y.z\r\nb", "t", "", "", "", "d", "a ATTENDEE:mailto:x@y.z b",
         NULL},
        {"a lone CR", "a\rRRULE:FREQ=DAILY", "t", "", "", "", "d", "a RRULE:FREQ=DAILY", NULL},
        {"an end", "x\nEND:VEVENT\nEND:VCALENDAR", "END:VEVENT", "", "\r\nEND:VEVENT", "", "d", NULL, NULL},
        {"other line ends",
         "a\xC2\x85RRULE:X\xE2\x80\xA8"
         "b",
         "t", "", "", "", "d", "a RRULE:X b", NULL},
        {"lines in the address", "a", "t", "https://x.y/\r\nATTACH:https://evil.example/", "", "", "d", "a", NULL},
        {"a script", "a", "t", "javascript:alert(1)", "", "", "d", "a", NULL},
        {"blanks in the address", "a", "t", "https://x.y/a b", "", "", "d", "a", NULL},
        {"signs in the address", "a", "t", "https://x.y/a,b;c:d?e=\xC5\xBE", "", "", "d", "a",
         "https://x.y/a,b;c:d?e=%C5%BE"},
        {"controls", "a\x01\x02\x1B[31mred\x7F", "t\x08", "", "\x0B", "\x01", "d\x01", "a [31mred", NULL},
        {"no UTF-8", "a\xFF\xFEz\xC3", "\xED\xA0\x80", "https://x.y/\xFF", "\xC0\xAF", "\xFF", "\xFF",
         "a\xEF\xBF\xBD\xEF\xBF\xBDz\xEF\xBF\xBD", NULL},
        {"escapes", "\\,;\\n\\", "\\", "", "\\;", "", "\\,;d", "\\,;\\n\\", NULL},
        {"mustache", "{{event.url}}{{#x}}", "{{{name}}}", "", "", "", "d", "{{event.url}}{{#x}}", NULL},
        {"parameters", "a;b:c\"d", "t", "", "", "", "d\";X=\"y", "a;b:c\"d", NULL},
        {"html", "<b>a</b> & co", "t", "", "", "", "d", "<b>a</b> & co", NULL},
        {"turned around", "a\xE2\x80\xAEgro.elpmaxe\xE2\x81\xA6", "t", "", "", "", "d", "a gro.elpmaxe", NULL},
        {"nothing", "", "", "", "", "", "", NULL, NULL},
        {"blanks alone", "   ", " ", " ", " ", " ", " ", NULL, NULL},
        {"endless", endless, endless, endless, endless, endless, endless, NULL, NULL},
        {"emoji", emoji, emoji, "", emoji, "", "d", NULL, NULL},
        {"arabic", arabic, arabic, "", arabic, "", "d", NULL, NULL},
        {"slashes", slashes, slashes, "", slashes, "", slashes, NULL, NULL},
        {"free of sense", "a", "t", "https://x.y", "", "1e9", "d", "a", "https://x.y"},
    };
    const struct desk *desk = *state;

    memset(endless, 'n', sizeof endless - 1);
    memset(slashes, '\\', sizeof slashes - 1);
    for (size_t i = 0; i + 4 < sizeof emoji; i += 4)
        memcpy(emoji + i, "\xF0\x9F\x8E\x9F", 4);
    for (size_t i = 0; i + 2 < sizeof arabic; i += 2)
        memcpy(arabic + i, "\xD8\xA8", 2);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct definition ticket = {.site = "s",
                                    .id = cases[i].member,
                                    .event_id = "e",
                                    .name = cases[i].ticket,
                                    .description = cases[i].title,
                                    .price = cases[i].price,
                                    .currency = cases[i].price,
                                    .event_title = cases[i].title,
                                    .event_zone = "",
                                    .event_url = cases[i].url,
                                    .event_place = cases[i].place,
                                    .event_starts_at_ms = MOMENT_NONE,
                                    .sale_starts_at_ms = NOON,
                                    .sale_ends_at_ms = MOMENT_NONE};
        const struct definition *tickets[] = {&ticket};
        const char *members[] = {cases[i].member};
        struct calendar_entry entry = entry_of(desk, tickets);
        auto_buf struct buf out;
        entry.members = members;
        entry.member_count = 1;
        buf_init(&out, CALENDAR_EVENT_MAX);
        add_calendar(&desk->style, &entry, &out);
        icalcomponent *calendar = judged(buf_text(&out), cases[i].what), *event = event_of(calendar);
        icalproperty *url = icalcomponent_get_first_property(event, ICAL_URL_PROPERTY);
        if (cases[i].summary && strcmp(icalcomponent_get_summary(event) + strlen("On sale: "), cases[i].summary) != 0)
            fail_msg("%s: %s", cases[i].what, icalcomponent_get_summary(event));
        if (cases[i].url_read ? !url || strcmp(icalproperty_get_url(url), cases[i].url_read) != 0 : url != NULL)
            fail_msg("%s: %s", cases[i].what, out.ptr);
        assert_true(out.len < 8192); /* what is endless is cut */
        icalcomponent_free(calendar);
    }
}

static void moments(void **state)
{
    static const struct {
        int64_t at_ms;
        const char *start, *end; /* NULL: refused */
    } cases[] = {
        {INT64_C(1835481599999), "20280229T235959Z", "20280301T001459Z"},
        {INT64_C(1830297599000), "20271231T235959Z", "20280101T001459Z"},
        {0, "19700101T000000Z", "19700101T001500Z"},
        {-1, NULL, NULL},
        {INT64_MAX, NULL, NULL},
        {MOMENT_NONE, NULL, NULL},
        {INT64_C(253402300799000), NULL, NULL},
    };
    const struct desk *desk = *state;
    const struct definition *tickets[] = {&balcony};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct calendar_entry entry = entry_of(desk, tickets);
        struct error err = {0};
        char line[64];
        auto_buf struct buf out;
        buf_init(&out, CALENDAR_EVENT_MAX);
        entry.opens_at_ms = cases[i].at_ms;
        if (calendar_add_event(&out, &desk->style, &entry, &err) < 0) {
            assert_null(cases[i].start);
            assert_int_equal(out.len, 0);
            continue;
        }
        assert_non_null(cases[i].start);
        snprintf(line, sizeof line, "\r\nDTSTART:%s\r\nDTEND:%s\r\n", cases[i].start, cases[i].end);
        assert_non_null(strstr(out.ptr, line));
    }
}

static void moved(void **state)
{
    const struct desk *desk = *state;
    const struct definition *tickets[] = {&balcony};
    struct calendar_entry entry = entry_of(desk, tickets);
    auto_buf struct buf out;

    buf_init(&out, CALENDAR_EVENT_MAX);
    entry.moved_from_ms = NOON - 5 * HOUR_MS;
    add_calendar(&desk->style, &entry, &out);
    icalcomponent *calendar = judged(buf_text(&out), "moved");
    assert_non_null(
        strstr(icalcomponent_get_description(event_of(calendar)), "Moved: it was Friday, March 26, 2027 at 5:00"));
    icalcomponent_free(calendar);
}

static void many_tickets(void **state)
{
    const struct desk *desk = *state;
    const struct definition *tickets[400];
    const char *members[400];
    struct calendar_entry entry = entry_of(desk, tickets);
    auto_buf struct buf out;

    for (size_t i = 0; i < ARRAY_LEN(tickets); i++) {
        tickets[i] = &balcony;
        members[i] = "625115fd-31cb-4f64-b7bd-06c3137486c0";
    }
    entry.ticket_count = entry.member_count = ARRAY_LEN(tickets);
    entry.members = members;
    buf_init(&out, CALENDAR_EVENT_MAX);
    add_calendar(&desk->style, &entry, &out);
    icalcomponent *calendar = judged(buf_text(&out), "many"), *event = event_of(calendar);
    assert_non_null(strstr(icalcomponent_get_description(event), "350 more"));
    assert_int_equal(icalcomponent_count_properties(event, ICAL_X_PROPERTY), 1 + (int)ARRAY_LEN(members));
    icalcomponent_free(calendar);
}

static void calendars(void **state)
{
    static const struct {
        const char *name, *title, *sender, *language, *line;
    } cases[] = {
        {"", "", "", "en", "NAME:Ticket sales\r\n"},
        {"", "", "Arena; Kaunas", "de", "NAME:Vorverkauf – Arena\\; Kaunas\r\n"},
        {"My, own\r\nX:y", "", "Arena", "de", "NAME:My\\, own X:y\r\n"},
        {"\xFF", "a\nb", "", "en", "NAME:\xEF\xBF\xBD: a b\r\n"},
    };
    const struct desk *desk = *state;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct calendar_style style = desk->style;
        struct error err = {0};
        auto_buf struct buf out;
        style.sender_name = cases[i].sender;
        style.language = cases[i].language;
        buf_init(&out, 10000);
        assert_int_equal(calendar_add_head(&out, &style, cases[i].name, cases[i].title, 6 * HOUR_MS, &err), 0);
        assert_null(judge_lines(buf_text(&out)));
        assert_non_null(strstr(out.ptr, cases[i].line));
        assert_non_null(strstr(out.ptr, "REFRESH-INTERVAL;VALUE=DURATION:PT6H\r\n"));
        calendar_add_foot(&out);
        icalcomponent *read = icalparser_parse_string(out.ptr);
        assert_int_equal(icalcomponent_count_errors(read), 0);
        icalcomponent_free(read);
    }
}

/* --- For mails ---------------------------------------------------------------------------------------------------- */

static void published(void **state)
{
    static const struct {
        const char *name, *address, *line, *cn;
    } cases[] = {
        {"Arena Tickets", "tickets@arena.example", "ORGANIZER;CN=Arena Tickets:mailto:tickets@arena.example\r\n",
         "Arena Tickets"},
        {"", "tickets@arena.example", "ORGANIZER:mailto:tickets@arena.example\r\n", NULL},
        {"a\\b\\", "a@x.y", "ORGANIZER;CN=a/b/:mailto:a@x.y\r\n", "a/b/"},
        {"A \"B\"; C: ^D", "a%b@x.y", "ORGANIZER;CN=\"A ^'B^'; C: ^^D\":mailto:a%25b@x.y\r\n", NULL},
        {"x\r\nATTENDEE:mailto:a@b.c", "a\r\nb@x.y", "ORGANIZER;CN=\"x ATTENDEE:mailto:a@b.c\":mailto:a%0D%0Ab@x.y\r\n",
         NULL},
    };
    const struct desk *desk = *state;
    const struct definition *tickets[] = {&balcony};

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (int withdrawn = 0; withdrawn < 2; withdrawn++) {
            struct calendar_entry entry = entry_of(desk, tickets);
            struct error err = {0};
            auto_buf struct buf out;
            entry.withdrawn = withdrawn;
            buf_init(&out, CALENDAR_EVENT_MAX);
            assert_int_equal(calendar_add_published(&out, &desk->style, &entry,
                                                    &(struct calendar_organizer){cases[i].name, cases[i].address},
                                                    &err),
                             0);
            if (!strstr(out.ptr, cases[i].line))
                fail_msg("%s", out.ptr);
            icalcomponent *calendar = judged(buf_text(&out), cases[i].name);
            assert_int_equal(icalcomponent_get_method(calendar), ICAL_METHOD_PUBLISH);
            assert_int_equal(judge_count(event_of(calendar), ICAL_ORGANIZER_PROPERTY), 1);
            if (cases[i].cn)
                assert_string_equal(
                    icalproperty_get_parameter_as_string(
                        icalcomponent_get_first_property(event_of(calendar), ICAL_ORGANIZER_PROPERTY), "CN"),
                    cases[i].cn);
            icalcomponent_free(calendar);
        }
}

static void links(void **state)
{
    const struct desk *desk = *state;
    const struct definition *tickets[] = {&balcony};
    struct calendar_entry entry = entry_of(desk, tickets);
    struct error err = {0};
    auto_buf struct buf google, outlook, webcal;

    buf_init(&google, 10000);
    buf_init(&outlook, 10000);
    buf_init(&webcal, 10000);
    assert_int_equal(calendar_add_google_link(&google, &desk->style, &entry, &err), 0);
    assert_non_null(strstr(google.ptr,
                           "https://calendar.google.com/calendar/render?action=TEMPLATE&text=On%20sale%3A%20"
                           "%C5%BDalgiris%20%E2%80%93%20Rytas%2C%20final&dates=20270326T080000Z%2F"
                           "20270326T081500Z&details=Tickets%20go%20on%20sale"));
    assert_non_null(strstr(google.ptr, "&location=%C5%BDalgirio%20arena%2C%20Kaunas"));
    assert_int_equal(calendar_add_outlook_link(&outlook, &desk->style, &entry, &err), 0);
    assert_non_null(strstr(outlook.ptr, "&startdt=2027-03-26T08%3A00%3A00Z&enddt=2027-03-26T08%3A15%3A00Z&subject=On"));
    for (const char *c = outlook.ptr; *c; c++)
        assert_true(*c > ' ' && *c < 0x7F && !strchr("\"<>'", *c));
    calendar_add_webcal_link(&webcal, "https://onsale.example.org/x", "arena", "e/1 \xC5\xBE");
    assert_string_equal(webcal.ptr, "webcal://onsale.example.org/x/feeds/arena/e%2F1%20%C5%BE.ics");
    buf_reset(&webcal);
    calendar_add_webcal_link(&webcal, "https://onsale.example.org", "arena", "");
    assert_string_equal(webcal.ptr, "webcal://onsale.example.org/feeds/arena.ics");
    buf_reset(&webcal);
    calendar_add_webcal_link(&webcal, "", "arena", "");
    assert_int_equal(webcal.len, 0);
}

/* --- A team's own words ------------------------------------------------------------------------------------------- */

static void own_words(void **state)
{
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"{{#name}}N{{/name}}{{#category}}C{{/category}}{{#summary}}{{event.title}}{{/summary}}", NULL},
        {"{{#name}}N{{/name}}{{#category}}C{{/category}}", "says nothing"},
        {"{{#summary}}{{event.place}}{{/summary}}", "event.place"},
        {"{{#summary}}{{nonsense}}{{/summary}}", "nonsense"},
        {"{{#summary}}x{{/summary}}{{#description}}{{moved_from.moment}}{{/description}}", "moved_from"},
        {"{{#summary}}x", "never closed"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char folder[] = "/tmp/onsale-calendar-XXXXXX", path[200];
        const char *folders[] = {folder, NULL};
        struct error err = {0};
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof path, "%s/calendar", folder);
        assert_int_equal(mkdir(path, 0700), 0);
        snprintf(path, sizeof path, "%s/calendar/event.txt", folder);
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        fputs(cases[i].text, file);
        fclose(file);
        struct calendar_texts *texts = calendar_texts_load(folders, &err);
        unlink(path);
        snprintf(path, sizeof path, "%s/calendar", folder);
        rmdir(path);
        rmdir(folder);
        if (cases[i].problem ? texts || !strstr(err.text, cases[i].problem) : !texts)
            fail_msg("%s: %s", cases[i].text, err.text);
        calendar_texts_free(texts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),        cmocka_unit_test(whole),     cmocka_unit_test(languages),
        cmocka_unit_test(hostile),      cmocka_unit_test(moments),   cmocka_unit_test(moved),
        cmocka_unit_test(many_tickets), cmocka_unit_test(calendars), cmocka_unit_test(published),
        cmocka_unit_test(links),        cmocka_unit_test(own_words),
    };

    return cmocka_run_group_tests(tests, open_desk, close_desk);
}
