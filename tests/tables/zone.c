#include "zone.h"
#include "table.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

static const struct zone *zone_of(struct zones *zones, const char *name)
{
    const struct zone *zone = zones_get(zones, name);

    if (!zone)
        fail_msg("no zone %s", name);
    return zone;
}

static int64_t at(const char *text)
{
    int64_t at_ms;

    if (moment_parse(text_of(text), &at_ms, NULL) < 0)
        fail_msg("%s", text);
    return at_ms;
}

static void wall_times(void **state)
{
    static const struct {
        const char *zone, *local, *utc;
        enum zone_met met;
    } cases[] = {
        {"Europe/Helsinki", "2026-06-05T10:00:00Z", "2026-06-05T07:00:00Z", ZONE_PLAIN},
        {"Europe/Helsinki", "2026-01-05T10:00:00Z", "2026-01-05T08:00:00Z", ZONE_PLAIN},
        {"Europe/Helsinki", "2026-03-29T02:59:59Z", "2026-03-29T00:59:59Z", ZONE_PLAIN},
        {"Europe/Helsinki", "2026-03-29T03:00:00Z", "2026-03-29T01:00:00Z", ZONE_GAP}, /* 04:00 */
        {"Europe/Helsinki", "2026-03-29T03:59:59Z", "2026-03-29T01:59:59Z", ZONE_GAP},
        {"Europe/Helsinki", "2026-03-29T04:00:00Z", "2026-03-29T01:00:00Z", ZONE_PLAIN},
        {"Europe/Helsinki", "2026-10-25T02:59:59Z", "2026-10-24T23:59:59Z", ZONE_PLAIN},
        {"Europe/Helsinki", "2026-10-25T03:00:00Z", "2026-10-25T00:00:00Z", ZONE_OVERLAP},
        {"Europe/Helsinki", "2026-10-25T03:59:59Z", "2026-10-25T00:59:59Z", ZONE_OVERLAP},
        {"Europe/Helsinki", "2026-10-25T04:00:00Z", "2026-10-25T02:00:00Z", ZONE_PLAIN},
        {"Europe/Helsinki", "2061-03-27T03:30:00Z", "2061-03-27T01:30:00Z", ZONE_GAP}, /* by the footer */
        {"America/New_York", "2027-03-14T02:30:00Z", "2027-03-14T07:30:00Z", ZONE_GAP},
        {"America/New_York", "2027-11-07T01:30:00Z", "2027-11-07T05:30:00Z", ZONE_OVERLAP},
        {"America/New_York", "2090-07-04T12:00:00Z", "2090-07-04T16:00:00Z", ZONE_PLAIN},
        {"Australia/Lord_Howe", "2026-10-04T02:15:00Z", "2026-10-03T15:45:00Z", ZONE_GAP}, /* half an hour */
        {"Australia/Lord_Howe", "2026-10-04T02:30:00Z", "2026-10-03T15:30:00Z", ZONE_PLAIN},
        {"Australia/Lord_Howe", "2026-04-05T01:45:00Z", "2026-04-04T14:45:00Z", ZONE_OVERLAP},
        {"Australia/Sydney", "2045-01-01T00:00:00Z", "2044-12-31T13:00:00Z", ZONE_PLAIN}, /* summer over new year */
        {"Africa/Casablanca", "2024-03-01T12:00:00Z", "2024-03-01T11:00:00Z", ZONE_PLAIN},
        {"Africa/Casablanca", "2024-03-20T12:00:00Z", "2024-03-20T12:00:00Z", ZONE_PLAIN}, /* "daylight" in Ramadan */
        {"Africa/Casablanca", "2024-03-10T02:30:00Z", "2024-03-10T01:30:00Z", ZONE_OVERLAP},
        {"Africa/Casablanca", "2024-04-14T02:30:00Z", "2024-04-14T02:30:00Z", ZONE_GAP},
        {"Europe/Dublin", "2050-01-10T12:00:00Z", "2050-01-10T12:00:00Z", ZONE_PLAIN}, /* "daylight" is winter */
        {"Europe/Dublin", "2050-07-10T12:00:00Z", "2050-07-10T11:00:00Z", ZONE_PLAIN},
        {"Asia/Kathmandu", "2026-06-05T10:00:00Z", "2026-06-05T04:15:00Z", ZONE_PLAIN},
        {"Pacific/Apia", "2011-12-29T23:59:59Z", "2011-12-30T09:59:59Z", ZONE_PLAIN},
        {"Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T20:00:00Z", ZONE_GAP}, /* a day that never was */
        {"Pacific/Apia", "2011-12-31T00:00:00Z", "2011-12-30T10:00:00Z", ZONE_PLAIN},
        {"America/Asuncion", "2026-07-01T12:00:00Z", "2026-07-01T15:00:00Z",
         ZONE_PLAIN}, /* no winter time since 2024 */
        {"Etc/UTC", "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z", ZONE_PLAIN},
    };
    struct zones *zones = zones_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum zone_met met = 99;
        int64_t ms = zone_to_utc(zone_of(zones, cases[i].zone), civil_of(at(cases[i].local)), &met);
        auto_buf struct buf found;
        buf_init(&found, 64);
        buf_add_moment(&found, ms);
        if (ms != at(cases[i].utc) || met != cases[i].met)
            fail_msg("%s %s gave %s, met %d", cases[i].zone, cases[i].local, found.ptr, met);
    }
    zones_free(zones);
}

static void abbreviations(void **state)
{
    static const struct {
        const char *zone, *at, *name;
    } cases[] = {
        {"Europe/Vilnius", "2026-07-01T00:00:00Z", "EEST"},   {"Europe/Vilnius", "2050-12-01T00:00:00Z", "EET"},
        {"America/Sao_Paulo", "2026-07-01T00:00:00Z", "-03"}, {"America/Sao_Paulo", "2060-07-01T00:00:00Z", "-03"},
        {"Etc/UTC", "2026-07-01T00:00:00Z", "UTC"},
    };
    struct zones *zones = zones_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[16];
        zone_abbreviation(zone_of(zones, cases[i].zone), at(cases[i].at), name, sizeof name);
        assert_string_equal(name, cases[i].name);
    }
    zones_free(zones);
}

/* --- The same as glibc ---------------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return *seed >> 33;
}

static void compare(const struct zone *zone, time_t when)
{
    struct tm tm;
    char name[16];

    localtime_r(&when, &tm);
    struct civil c = zone_civil(zone, (int64_t)when * 1000 + 7);
    zone_abbreviation(zone, (int64_t)when * 1000, name, sizeof name);
    if (zone_offset_ms(zone, (int64_t)when * 1000) != tm.tm_gmtoff * 1000 || c.year != tm.tm_year + 1900 ||
        c.month != tm.tm_mon + 1 || c.day != tm.tm_mday || c.hour != tm.tm_hour || c.minute != tm.tm_min ||
        c.second != tm.tm_sec || c.ms != 7 || civil_weekday(c) != tm.tm_wday || strcmp(name, tm.tm_zone) != 0)
        fail_msg("%s at %lld: offset %lld, not %ld; %s, not %s", zone_name(zone), (long long)when,
                 (long long)zone_offset_ms(zone, (int64_t)when * 1000) / 1000, tm.tm_gmtoff, name, tm.tm_zone);
}

static void agrees_with_glibc(void **state)
{
    FILE *table = fopen("/usr/share/zoneinfo/tzdata.zi", "r");
    struct zones *zones = zones_new();
    char line[512], kind[4], first[128], second[128], tz[160];
    uint64_t seed = 2027;
    size_t count = 0;

    (void)state;
    if (!table)
        fail_msg("tzdata is not installed");
    while (fgets(line, sizeof line, table)) {
        /* "Z NAME OFFSET ..." is a zone, "L TARGET NAME" another name of one */
        if (sscanf(line, "%3s %127s %127s", kind, first, second) != 3 || strlen(kind) != 1 || !strchr("ZL", *kind))
            continue;
        const char *name = *kind == 'Z' ? first : second;
        struct stat st;
        snprintf(tz, sizeof tz, "/usr/share/zoneinfo/%s", name);
        if (stat(tz, &st) < 0)
            continue; /* in a package of its own */
        snprintf(tz, sizeof tz, ":%s", name);
        setenv("TZ", tz, 1);
        tzset();
        const struct zone *zone = zone_of(zones, name);
        for (int i = 0; i < 300; i++) /* 1900 to 2100 */
            compare(zone, -2208988800 + (time_t)(next_random(&seed) % 6311433600));
        for (time_t when = 1767225600; when < 1830297600; when += 3600 * 5 + 1799) /* every change of two years */
            compare(zone, when);
        count++;
    }
    fclose(table);
    unsetenv("TZ");
    tzset();
    assert_true(count > 400);
    zones_free(zones);
}

static void goes_there_and_back(void **state)
{
    static const char *const names[] = {"Europe/Helsinki", "Australia/Lord_Howe", "Africa/Casablanca",
                                        "Pacific/Apia",    "America/St_Johns",    "Asia/Gaza"};
    struct zones *zones = zones_new();
    uint64_t seed = 1;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        for (int j = 0; j < 5000; j++) {
            const struct zone *zone = zone_of(zones, names[i]);
            int64_t at_ms = (-2208988800 + (int64_t)(next_random(&seed) % 6311433600)) * 1000 + 123;
            enum zone_met met;
            int64_t back_ms = zone_to_utc(zone, zone_civil(zone, at_ms), &met);
            assert_int_not_equal(met, ZONE_GAP);
            if (met == ZONE_PLAIN)
                assert_int_equal(back_ms, at_ms);
            else
                assert_true(back_ms <= at_ms && at_ms - back_ms <= DAY_MS);
        }
    zones_free(zones);
}

/* --- Files of our own ----------------------------------------------------------------------------------------- */

/* A file with one type (UTC+1 "QQQ"), the given changes at 32 bits a piece, and a footer. */
static void make_file(struct buf *out, const char *footer, uint32_t leaps)
{
    const unsigned char v1[44] = {'T', 'Z', 'i', 'f', '2', [39] = 0};
    unsigned char v2[44] = {'T', 'Z', 'i', 'f', '2', [31] = (unsigned char)leaps, [39] = 1, [43] = 4};

    buf_init(out, 4096);
    buf_add(out, v1, sizeof v1);
    buf_add(out, v2, sizeof v2);
    buf_add(out, "\0\0\x0e\x10\0\0QQQ", 10);
    for (uint32_t i = 0; i < leaps; i++)
        buf_add(out, "\0\0\0\0\0\0\0\0\0\0\0\0", 12);
    buf_addf(out, "\n%s\n", footer);
}

static void footers(void **state)
{
    static const struct {
        const char *footer, *at;
        int64_t offset_s; /* -1: refused */
    } cases[] = {
        {"", "2030-01-01T00:00:00Z", 3600},
        {"EET-2", "2030-01-01T00:00:00Z", 7200},
        {"<-0330>3:30", "2030-01-01T00:00:00Z", -12600},
        {"<+00>-0:00:05", "2030-01-01T00:00:00Z", 5},
        {"AAA0BBB,J60/0,J61/0", "2028-03-01T00:00:00Z", 3600}, /* leap year: J60 is 1 March all the same */
        {"AAA0BBB,J60/0,J61/0", "2028-02-29T23:59:59Z", 0},
        {"AAA0BBB,59/0,60/0", "2028-02-29T12:00:00Z", 3600}, /* but day 59 is 29 February then */
        {"AAA0BBB,59/0,60/0", "2027-03-01T12:00:00Z", 3600},
        {"AAA0BBB,0/0,J365/25", "2027-12-31T23:59:59Z", 3600}, /* never ends */
        {"AAA0BBB,0/0,J365/25", "2028-01-01T00:00:00Z", 3600},
        {"QQQ3EDT4,0/0,J365/23", "2030-06-01T00:00:00Z", -14400}, /* RFC 8536 section 3.3.1: all year */
        {"QQQ3EDT4,0/0,J365/23", "2030-01-01T03:30:00Z", -14400},
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2030-03-31T00:59:59Z", -7200}, /* the day before */
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2030-03-31T01:00:00Z", -3600},
        {"IST-2IDT,M3.4.4/26,M10.5.0", "2030-03-28T23:59:59Z", 7200}, /* 02:00 on the day after the fourth Thursday */
        {"IST-2IDT,M3.4.4/26,M10.5.0", "2030-03-29T00:00:00Z", 10800},
        {"AAA0BBB,M1.1.0/-167,M7.1.0", "2029-12-31T12:00:00Z", 3600}, /* begins in the year before */
        {"EET", "", -1},
        {"EE-2", "", -1},
        {"<+3>-3", "", -1},
        {"<+03-3", "", -1},
        {"EET-25", "", -1},
        {"EET-2EEST", "", -1}, /* no rules */
        {"EET-2EEST,M3.5.0/3", "", -1},
        {"EET-2EEST,M13.5.0,M10.5.0", "", -1},
        {"EET-2EEST,M3.0.0,M10.5.0", "", -1},
        {"EET-2EEST,M3.5.7,M10.5.0", "", -1},
        {"EET-2EEST,M3.5.0/168,M10.5.0", "", -1},
        {"EET-2EEST,J0,J5", "", -1},
        {"EET-2EEST,J366,J5", "", -1},
        {"EET-2EEST,M3.5.0,M10.5.0 ", "", -1},
        {"EET-2:60", "", -1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf file;
        struct error err = {0};
        make_file(&file, cases[i].footer, 0);
        struct zone *zone = zone_parse("Test/Made", buf_text(&file), &err);
        if (cases[i].offset_s == -1 ? zone != NULL : !zone)
            fail_msg("\"%s\": %s", cases[i].footer, err.text);
        if (zone && zone_offset_ms(zone, at(cases[i].at)) != cases[i].offset_s * 1000)
            fail_msg("\"%s\" at %s: %lld", cases[i].footer, cases[i].at,
                     (long long)zone_offset_ms(zone, at(cases[i].at)) / 1000);
        if (!zone)
            assert_int_equal(err.kind, ERROR_CONFIG);
        zone_free(zone);
    }
}

static void damaged_files(void **state)
{
    auto_buf struct buf file;
    struct error err = {0};

    (void)state;
    make_file(&file, "EET-2EEST,M3.5.0/3,M10.5.0/4", 0);
    for (size_t len = 0; len < file.len; len++)
        assert_null(zone_parse("Test/Cut", (struct text){file.ptr, len}, NULL));
    for (size_t i = 0; i < file.len; i++) /* whatever a byte becomes: no harm */
        for (int bit = 0; bit < 8; bit++) {
            file.ptr[i] = (char)(file.ptr[i] ^ 1 << bit);
            zone_free(zone_parse("Test/Bit", buf_text(&file), NULL));
            file.ptr[i] = (char)(file.ptr[i] ^ 1 << bit);
        }
    buf_clear(&file);
    make_file(&file, "", 1);
    assert_null(zone_parse("Test/Leap", buf_text(&file), &err));
    assert_non_null(strstr(err.text, "time zone \"Test/Leap\": time zones that count leap seconds"));
}

static void names(void **state)
{
    static const char *const bad[] = {
        "",
        "/etc/passwd",
        "../../etc/passwd",
        "Europe/../UTC",
        "Europe",
        "Europe/",
        "Europe//Vilnius",
        "Europe/Nowhere",
        ".",
        "tzdata.zi",
        "tzdata",
        "UTC ",
        "EET\n",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    struct zones *zones = zones_new();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct error err = {0};
        assert_null(zone_load(bad[i], &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_null(zones_get(zones, bad[i]));
        assert_null(zones_get(zones, bad[i]));
    }
    const struct zone *zone = zones_get(zones, "Europe/Vilnius");
    assert_non_null(zone);
    assert_ptr_equal(zone, zones_get(zones, "Europe/Vilnius"));
    assert_string_equal(zone_name(zone), "Europe/Vilnius");
    zones_free(zones);
}

static void far_away(void **state)
{
    static const int64_t moments[] = {INT64_MAX, INT64_MIN, INT64_MAX / 2, INT64_MIN / 2};
    struct zone *zone = zone_load("Europe/Vilnius", NULL);
    enum zone_met met;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(moments); i++)
        assert_in_range(zone_offset_ms(zone, moments[i]), 0, 3 * HOUR_MS);
    zone_to_utc(zone, (struct civil){.year = 100000000, .month = 6, .day = 1}, &met);
    zone_to_utc(zone, (struct civil){.year = -100000000, .month = 6, .day = 1}, &met);
    zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_times),
        cmocka_unit_test(abbreviations),
        cmocka_unit_test(agrees_with_glibc),
        cmocka_unit_test(goes_there_and_back),
        cmocka_unit_test(footers),
        cmocka_unit_test(damaged_files),
        cmocka_unit_test(names),
        cmocka_unit_test(far_away),
    };
    return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
