#include "webhook.h"

#include "clock.h"
#include "table.h"

#include <jansson.h>
#include <string.h>

static void news(void **state)
{
    enum { OFF = 0, ON = 1 };
    static const struct {
        const char *name;
        struct webhook_was was;
        enum notice_state now;
        enum notice_reason reason;
        bool released, will_not_fit;
        const char *types;
    } cases[] = {
        {"planned", {NOTICE_PLANNED}, NOTICE_PLANNED, REASON_NONE, OFF, OFF, ""},
        {"gathering", {NOTICE_PLANNED}, NOTICE_GATHERING, REASON_NONE, OFF, OFF, ""},
        {"will not fit", {NOTICE_PLANNED}, NOTICE_PLANNED, REASON_NONE, OFF, ON, "launch.will_not_fit"},
        {"still does not", {NOTICE_PLANNED, OFF, ON}, NOTICE_READY, REASON_NONE, OFF, ON, ""},
        {"started", {NOTICE_READY}, NOTICE_SENDING, REASON_NONE, ON, OFF, "notice.started"},
        {"at once over", {NOTICE_READY}, NOTICE_DONE, REASON_NONE, ON, OFF, "notice.started notice.done"},
        {"goes on", {NOTICE_HELD, ON}, NOTICE_SENDING, REASON_NONE, ON, OFF, ""},
        {"held", {NOTICE_READY}, NOTICE_HELD, REASON_UNVERIFIED, OFF, OFF, "notice.held"},
        {"still held", {NOTICE_HELD}, NOTICE_HELD, REASON_OPERATOR, OFF, OFF, ""},
        {"missed", {NOTICE_PLANNED}, NOTICE_MISSED, REASON_LATE, OFF, OFF, "notice.missed"},
        {"before us", {NOTICE_PLANNED}, NOTICE_MISSED, REASON_BEFORE_OUR_TIME, OFF, OFF, ""},
        {"done", {NOTICE_SENDING, ON}, NOTICE_DONE, REASON_NONE, ON, OFF, "notice.done"},
        {"withdrawn", {NOTICE_PLANNED}, NOTICE_WITHDRAWN, REASON_MOVED, OFF, OFF, ""},
        {"stopped", {NOTICE_SENDING, ON}, NOTICE_WITHDRAWN, REASON_HIDDEN, ON, OFF, "notice.stopped"},
        {"cancelled", {NOTICE_HELD}, NOTICE_CANCELLED, REASON_NONE, OFF, OFF, "notice.stopped"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct notice *notice = notice_new(1, "arena", "e", "r", MOMENT_SALE_START, 1000, 1);
        enum webhook_type types[WEBHOOK_TYPES];
        char said[200] = "";
        notice->state = cases[i].now;
        notice->reason = cases[i].reason;
        notice->will_not_fit = cases[i].will_not_fit;
        if (cases[i].released)
            notice_course(notice)->released_at_ms = 1000;
        size_t count = webhook_notice_news(&cases[i].was, notice, types);
        for (size_t k = 0; k < count; k++)
            snprintf(said + strlen(said), sizeof said - strlen(said), "%s%s", k ? " " : "",
                     webhook_type_name(types[k]));
        if (strcmp(said, cases[i].types) != 0)
            fail_msg("%s: \"%s\"", cases[i].name, said);
        notice_free(notice);
    }
}

static void answers(void **state)
{
    static const struct {
        int status;
        enum webhook_verdict verdict;
    } cases[] = {
        {0, WEBHOOK_FAILED},    {200, WEBHOOK_ACCEPTED}, {204, WEBHOOK_ACCEPTED}, {299, WEBHOOK_ACCEPTED},
        {301, WEBHOOK_FAILED},  {307, WEBHOOK_FAILED},   {400, WEBHOOK_REFUSED},  {401, WEBHOOK_FAILED},
        {404, WEBHOOK_FAILED},  {408, WEBHOOK_FAILED},   {409, WEBHOOK_REFUSED},  {410, WEBHOOK_GONE},
        {413, WEBHOOK_REFUSED}, {422, WEBHOOK_REFUSED},  {429, WEBHOOK_BUSY},     {500, WEBHOOK_FAILED},
        {502, WEBHOOK_BUSY},    {503, WEBHOOK_BUSY},     {504, WEBHOOK_BUSY},     {100, WEBHOOK_FAILED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (webhook_judge(cases[i].status) != cases[i].verdict)
            fail_msg("%d", cases[i].status);
}

static void waits(void **state)
{
    static const struct {
        int tries;
        int64_t asked_ms, least_ms, most_ms;
    } cases[] = {
        {1, -1, 5 * SECOND_MS, 6 * SECOND_MS},
        {1, 0, 5 * SECOND_MS, 6 * SECOND_MS},
        {1, MINUTE_MS, MINUTE_MS, MINUTE_MS},
        {2, MINUTE_MS, 5 * MINUTE_MS, 6 * MINUTE_MS},
        {3, -1, 30 * MINUTE_MS, 36 * MINUTE_MS},
        {4, -1, 2 * HOUR_MS, 144 * MINUTE_MS},
        {9, -1, DAY_MS, DAY_MS + DAY_MS / 5},
        {1, 30 * (int64_t)DAY_MS, DAY_MS, DAY_MS}, /* nobody is waited for so long */
        {10, -1, -1, -1},
        {10, HOUR_MS, -1, -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (uint64_t random = 0; random < 100; random++) {
            int64_t wait_ms = webhook_wait_ms(cases[i].tries, cases[i].asked_ms, random * UINT64_C(0x28F5C28F5C28F5C));
            if (wait_ms < cases[i].least_ms || wait_ms > cases[i].most_ms)
                fail_msg("case %zu: %lld ms", i, (long long)wait_ms);
        }
}

static void places(void **state)
{
    static const struct {
        const char *url, *place;
    } cases[] = {
        {"https://hooks.example", "https://hooks.example"},
        {"https://hooks.example/", "https://hooks.example"},
        {"https://hooks.example:8443/T00/B00/secret", "https://hooks.example:8443/..."},
        {"https://hooks.example?token=secret", "https://hooks.example/..."},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf place;
        buf_init(&place, 1000);
        buf_add_webhook_place(&place, cases[i].url);
        assert_string_equal(place.ptr, cases[i].place);
    }
}

/* However long and odd the names of the site are. */
static void bodies_are_small(void **state)
{
    static const struct {
        const char *name, *unit;
    } cases[] = {{"long", "x"}, {"controls", "\x01"}, {"letters", "\xc4\x97"}, {"quotes", "\""}, {"damaged", "\xff"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct webhook_ticket tickets[40];
        struct opening opening = {.id = 7, .opens_at_ms = 1806048000000, .member_count = 40};
        auto_buf struct buf name;
        buf_init(&name, 1 << 20);
        for (int k = 0; k < 10000; k++)
            buf_adds(&name, cases[i].unit);
        for (size_t k = 0; k < ARRAY_LEN(tickets); k++)
            tickets[k] = (struct webhook_ticket){name.ptr, name.ptr, name.ptr, name.ptr};
        auto_free char *body = webhook_body(&(struct webhook_event){.type = WEBHOOK_OPENING_SCHEDULED,
                                                                    .at_ms = 1806048000123,
                                                                    .site = "arena",
                                                                    .event_id = name.ptr,
                                                                    .title = name.ptr,
                                                                    .url = name.ptr,
                                                                    .opening = &opening,
                                                                    .was_at_ms = MOMENT_NONE,
                                                                    .tickets = tickets,
                                                                    .ticket_count = ARRAY_LEN(tickets)});
        json_t *json = json_loads(body, JSON_REJECT_DUPLICATES, NULL);
        if (!json || strlen(body) > WEBHOOK_BODY_MAX)
            fail_msg("%s: %zu bytes", cases[i].name, strlen(body));
        assert_string_equal(json_string_value(json_object_get(json, "timestamp")), "2027-03-26T08:00:00.123Z");
        json_decref(json);
    }
}

/* Every type says what README lists; no more, no less. */
static void bodies(void **state)
{
    struct opening opening = {.id = 7, .opens_at_ms = 1806048000000, .member_count = 1};
    struct webhook_ticket ticket = {"t1", "Early bird", "35.00", "EUR"};
    struct notice *notice = notice_new(17, "arena", "e1", "on-sale", MOMENT_SALE_START, 1806048000000, 1);
    struct webhook_event event = {.type = WEBHOOK_OPENING_MOVED,
                                  .at_ms = 1806040000000,
                                  .site = "arena",
                                  .event_id = "e1",
                                  .title = "Summer",
                                  .url = "https://arena.example/summer",
                                  .opening = &opening,
                                  .was_at_ms = 1806051600000,
                                  .tickets = &ticket,
                                  .ticket_count = 1};

    (void)state;
    auto_free char *moved = webhook_body(&event);
    assert_string_equal(
        moved,
        "{\"type\":\"opening.moved\",\"timestamp\":\"2027-03-26T05:46:40.000Z\",\"data\":{\"opening_id\":7,\"site\":"
        "\"arena\",\"event_id\":\"e1\",\"event_title\":\"Summer\",\"event_url\":\"https://arena.example/summer\","
        "\"state\":\"scheduled\",\"opens_at\":\"2027-03-26T08:00:00.000Z\",\"was_at\":\"2027-03-26T09:00:00.000Z\","
        "\"definitions\":[{\"id\":\"t1\",\"name\":\"Early bird\",\"price\":\"35.00\",\"currency\":\"EUR\"}],"
        "\"definition_count\":1}}");

    notice->due_at_ms = 1806048000000;
    notice->state = NOTICE_DONE;
    struct notice_course *course = notice_course(notice);
    course->tally = (struct tally){.planned = 3, .accepted = 2, .withheld = 1};
    course->first_handover_at_ms = 1806048000012;
    course->last_handover_at_ms = 1806048000500;
    event = (struct webhook_event){.type = WEBHOOK_NOTICE_DONE,
                                   .at_ms = 1806048001000,
                                   .site = "arena",
                                   .event_id = "e1",
                                   .title = "Summer",
                                   .url = "",
                                   .notice = notice};
    auto_free char *done = webhook_body(&event);
    assert_string_equal(
        done,
        "{\"type\":\"notice.done\",\"timestamp\":\"2027-03-26T08:00:01.000Z\",\"data\":{\"notice_id\":17,\"site\":"
        "\"arena\",\"event_id\":\"e1\",\"event_title\":\"Summer\",\"event_url\":null,\"rule\":\"on-sale\",\"state\":"
        "\"done\",\"reason\":null,\"reason_text\":null,\"opens_at\":\"2027-03-26T08:00:00.000Z\",\"due_at\":"
        "\"2027-03-26T08:00:00.000Z\",\"counts\":{\"planned\":3,\"waiting\":0,\"accepted\":2,\"refused\":0,"
        "\"in_doubt\":0,\"withheld\":1},\"first_handover_at\":\"2027-03-26T08:00:00.012Z\",\"last_handover_at\":"
        "\"2027-03-26T08:00:00.500Z\",\"late_ms\":12}}");

    event.type = WEBHOOK_LAUNCH_WILL_NOT_FIT;
    course->will_finish_ms = 90000;
    course->forecast = must_strdup("too slow");
    auto_free char *misfit = webhook_body(&event);
    assert_non_null(strstr(misfit, "\"estimate\":null,\"will_finish_ms\":90000,\"forecast\":\"too slow\"}}"));
    auto_free char *ping =
        webhook_body(&(struct webhook_event){.type = WEBHOOK_PING, .at_ms = 1806048001000, .endpoint = "crm"});
    assert_string_equal(
        ping, "{\"type\":\"ping\",\"timestamp\":\"2027-03-26T08:00:01.000Z\",\"data\":{\"webhook\":\"crm\"}}");
    notice_free(notice);
}

/* What a receiver says is shown to many, and some of them repeat what only they should know. */
static void said(void **state)
{
    static const char url[] = "https://hooks.example/in/T0001/secret%2Fpath9?token=abcdefgh1";
    const struct {
        const char *body, *said; /* NULL: nothing */
        size_t max;
    } cases[] = {
        {" out of order\n", "out of order", 200},
        {"", NULL, 200},
        {"no such mailbox ada@arena.example", "no such mailbox ***", 200},
        {"POST /in/T0001/secret%2Fpath9?token=abcdefgh1: no", "POST ***: no", 200},
        {"Cannot POST /IN/T0001/secret%2Fpath9", "Cannot POST ***", 200},
        {"no token abcdefgh1 here", "no token *** here", 200},
        {"POST /in/ is none", "POST /in/ is none", 200},
        {"0123456789", "01234", 5},
        {"0123\xC3\xA9", "0123", 5}, /* at a character's end */
        {"0123\xC3\xA9", "0123\xC3\xA9", 6},
        {"0123 ada@arena.example", "0123 **", 7}, /* a cut leaves no part of an address */
        {"\xFF\xFE", NULL, 200},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *got = webhook_said(url, text_of(cases[i].body), cases[i].max);
        if (cases[i].said ? !got || strcmp(got, cases[i].said) != 0 : got != NULL)
            fail_msg("\"%s\" is said as \"%s\"", cases[i].body, got ? got : "(nothing)");
    }
    auto_free char *bare = webhook_said("https://hooks.example", TEXT("hooks.example/ is down"), 200);
    assert_string_equal(bare, "hooks.example/ is down");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(news),   cmocka_unit_test(answers),          cmocka_unit_test(waits),
        cmocka_unit_test(places), cmocka_unit_test(bodies_are_small), cmocka_unit_test(bodies),
        cmocka_unit_test(said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
