#include "locale.h"
#include "table.h"

#include <string.h>

#define NB "\u00A0"     /* no-break blank */
#define NARROW "\u202F" /* narrow no-break blank */

static const int64_t JUNE_MS = 1780642800000; /* 2026-06-05T07:00:00Z */

struct bench {
    struct locales *locales;
    struct zones *zones;
};

static int setup(void **state)
{
    struct bench *bench = must_calloc(1, sizeof *bench);

    setenv("LC_ALL", "ru_RU.UTF-8", 1); /* what the machine speaks must not matter */
    bench->locales = locales_new(NULL);
    bench->zones = zones_new();
    *state = bench;
    return bench->locales ? 0 : -1;
}

static int teardown(void **state)
{
    struct bench *bench = *state;

    locales_free(bench->locales);
    zones_free(bench->zones);
    free(bench);
    return 0;
}

static const struct zone *zone_of(struct bench *bench, const char *name)
{
    const struct zone *zone = name ? zones_get(bench->zones, name) : NULL;

    if (name && !zone)
        fail_msg("no zone %s", name);
    return zone;
}

static void moments(void **state)
{
    static const struct {
        const char *locale, *zone, *moment, *date, *time;
    } cases[] = {
        {"de", "Europe/Vilnius", "Freitag, 5. Juni 2026 um 10:00 OESZ", "5. Juni 2026", "10:00"},
        {"de-AT", "Europe/Vienna", "Freitag, 5. Juni 2026 um 09:00 MESZ", "5. Juni 2026", "09:00"},
        {"en-US", "America/New_York", "Friday, June 5, 2026 at 3:00" NARROW "AM EDT", "June 5, 2026",
         "3:00" NARROW "AM"},
        {"en-GB", "Europe/London", "Friday, 5 June 2026 at 08:00 BST", "5 June 2026", "08:00"},
        {"fr", "Europe/Paris", "vendredi 5 juin 2026 \u00E0 09:00 UTC+2", "5 juin 2026", "09:00"},
        {"lt", "Europe/Vilnius", "2026 m. bir\u017Eelio 5 d., penktadienis 10:00; GMT+3", "2026 m. bir\u017Eelio 5 d.",
         "10:00"},
        {"en-GB", NULL, "Friday, 5 June 2026 at 07:00 UTC", "5 June 2026", "07:00"},
        {"en-GB", "Pacific/Kiritimati", "Friday, 5 June 2026 at 21:00 GMT+14", "5 June 2026", "21:00"},
        {"en-GB", "Pacific/Pago_Pago", "Thursday, 4 June 2026 at 20:00 GMT-11", "4 June 2026", "20:00"},
        {"en-GB", "Asia/Kathmandu", "Friday, 5 June 2026 at 12:45 GMT+5:45", "5 June 2026", "12:45"},
        /* ICU 72 still believes in +6 and in no summer time: ours is right */
        {"en-GB", "Asia/Almaty", "Friday, 5 June 2026 at 12:00 GMT+5", "5 June 2026", "12:00"},
        {"en-GB", "Africa/Cairo", "Friday, 5 June 2026 at 10:00 GMT+3", "5 June 2026", "10:00"},
        {"xx", "Europe/Vilnius", "Friday, June 5, 2026 at 10:00" NARROW "AM GMT+3", "June 5, 2026",
         "10:00" NARROW "AM"},
        {"de_DE", "Europe/Berlin", "Freitag, 5. Juni 2026 um 09:00 MESZ", "5. Juni 2026", "09:00"},
    };
    struct bench *bench = *state;

    for (int round = 0; round < 2; round++) /* made, then taken from the cache */
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            const struct zone *zone = zone_of(bench, cases[i].zone);
            auto_buf struct buf moment, date, time;
            buf_init(&moment, 1024);
            buf_init(&date, 1024);
            buf_init(&time, 1024);
            buf_add_local_moment(&moment, bench->locales, cases[i].locale, zone, JUNE_MS);
            buf_add_local_date(&date, bench->locales, cases[i].locale, zone, JUNE_MS);
            buf_add_local_time(&time, bench->locales, cases[i].locale, zone, JUNE_MS);
            assert_string_equal(moment.ptr, cases[i].moment);
            assert_string_equal(date.ptr, cases[i].date);
            assert_string_equal(time.ptr, cases[i].time);
        }
}

static void money(void **state)
{
    static const struct {
        const char *locale, *decimal, *currency, *text;
    } cases[] = {
        {"de", "1249.90", "EUR", "1.249,90" NB "\u20AC"},
        {"de", "49.90", "eur", "49,90" NB "\u20AC"},
        {"en-US", "1249.90", "EUR", "\u20AC1,249.90"},
        {"fr", "1249.90", "EUR", "1" NARROW "249,90" NB "\u20AC"},
        {"lt", "1249.90", "EUR", "1" NB "249,90" NB "\u20AC"},
        {"pt-BR", "49.90", "BRL", "R$" NB "49,90"},
        {"ja", "1050", "JPY", "\uFFE51,050"},
        {"en-US", "1050.00", "JPY", "\u00A51,050"},
        {"de", "49.9", "", "49,90"},
        {"de", "50", "", "50"},
        {"en", "0", "EUR", "\u20AC0.00"},
        {"en", "-5.5", "EUR", "-\u20AC5.50"},
        {"en", "9007199254740993.01", "EUR", "\u20AC9,007,199,254,740,993.01"}, /* no double holds it */
        {"xx", "5", "EUR", "\u20AC5.00"},
        {"en", "5", "ABC", "ABC" NB "5.00"},
        {"en", "5", "EURO", "5 EURO"},
        {"en", "5", "E/R", "5 E/R"},
        {"en", "1e5", "EUR", "1e5 EUR"},
        {"en", "NaN", "EUR", "NaN EUR"},
        {"en", "free", "", "free"},
        {"en", ".5", "EUR", ".5 EUR"},
        {"en", "5.", "EUR", "5. EUR"},
        {"en", "", "EUR", " EUR"},
    };
    struct bench *bench = *state;

    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
            auto_buf struct buf buf;
            buf_init(&buf, 1024);
            buf_add_money(&buf, bench->locales, cases[i].locale, cases[i].decimal, cases[i].currency);
            assert_string_equal(buf.ptr, cases[i].text);
        }
}

static void tags(void **state)
{
    static const struct {
        const char *tag;
        bool known;
    } cases[] = {
        {"de", true},         {"de-DE", true},
        {"de_DE", true},      {"DE-de", true},
        {"zh-Hant-TW", true}, {"ar", true},
        {"en-XX", true},      {"xx", false},
        {"", false},          {"-", false},
        {"de-", false},       {"d", false},
        {"de DE", false},     {"de\n", false},
        {"english", false},   {"../en", false},
        {"und", false},       {"de-aaaaaaaa-bbbbbbbb-cccccccc-dddddddd-eeeeeeee-ffffffff-gggggggg-hhhhhhhh", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (locale_known(cases[i].tag) != cases[i].known)
            fail_msg("%s", cases[i].tag);
}

/* People's own languages and zones come from outside: the cache forgets rather than grows, and keeps being right. */
static void many_locales(void **state)
{
    struct bench *bench = *state;
    const struct zone *zone = zone_of(bench, "Europe/Vilnius");

    for (int i = 0; i < 3000; i++) {
        auto_buf struct buf buf;
        char tag[32];
        buf_init(&buf, 1024);
        snprintf(tag, sizeof tag, "de-%c%c-x-n%d", 'A' + i / 26 % 26, 'A' + i % 26, i);
        buf_add_local_time(&buf, bench->locales, tag, zone, JUNE_MS);
        assert_true(text_starts(buf_text(&buf), "10:00")); /* some countries add AM */
        buf_reset(&buf);
        buf_add_local_date(&buf, bench->locales, "ar", zone, JUNE_MS); /* right to left, its own digits */
        assert_true(buf.len > 10 && text_is_utf8(buf_text(&buf)));
    }
}

static void far_away(void **state)
{
    static const int64_t moments_ms[] = {0, -62135596800000, 253402300799999, INT64_MAX, INT64_MIN + 1};
    struct bench *bench = *state;

    for (size_t i = 0; i < ARRAY_LEN(moments_ms); i++) {
        auto_buf struct buf buf;
        buf_init(&buf, 1024);
        buf_add_local_moment(&buf, bench->locales, "en", zone_of(bench, "America/New_York"), moments_ms[i]);
        buf_add_local_date(&buf, bench->locales, "en", NULL, moments_ms[i]);
        assert_true(buf.len > 0 && text_is_utf8(buf_text(&buf)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments),      cmocka_unit_test(money),    cmocka_unit_test(tags),
        cmocka_unit_test(many_locales), cmocka_unit_test(far_away),
    };
    return cmocka_run_group_tests_name("locale", tests, setup, teardown);
}
