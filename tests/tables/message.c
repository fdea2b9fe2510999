/* What one person is sent: whole, in their language and time, with a way out that is theirs. */
#include "message_desk.h"

static void everybody_reads_their_own_language_and_time(void **state)
{
    static const struct {
        const char *locale, *zone, *expected[3];
    } cases[] = {
        {"en-GB",
         "Europe/Berlin",
         {"go on sale soon", "09:00 CET",
          "\xE2\x82\xAC"
          "49.90"}},
        {"de", "Europe/Berlin", {"Bald im Verkauf", "Freitag, 26. M\xC3\xA4rz 2027 um 09:00 MEZ", "kostenlos"}},
        {"de-AT", "America/New_York", {"Bald im Verkauf", "04:00", "49,90"}},
        {"DE_at", "Europe/Berlin", {"Bald im Verkauf", "09:00 MEZ", "kostenlos"}},
        {"fr", "Europe/Paris", {"go on sale soon", "March 26, 2027", "free"}}, /* no French template: no French dates */
        {"", "", {"go on sale soon", "9:00", "free"}},                         /* the event's zone */
        {"en", "Mars/Olympus", {"go on sale soon", "9:00", "free"}},
        {"en", "../../etc/passwd", {"go on sale soon", "9:00", "free"}},
        {"de-\xFF\xFF", "Europe/Berlin", {"Bald im Verkauf", "09:00 MEZ", "kostenlos"}},
    };
    struct desk desk;

    (void)state;
    desk_open(&desk, "reminder", MOMENT_SALE_START);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct message_person person = person_of("Ana Lima", cases[i].locale, cases[i].zone);
        desk_make_one(&desk, &person);
        for (size_t j = 0; j < 3; j++)
            if (!strstr(desk.decoded.ptr, cases[i].expected[j]))
                fail_msg("%s in %s: no \"%s\" in:\n%s", cases[i].locale, cases[i].zone, cases[i].expected[j],
                         desk.decoded.ptr);
    }
    desk_close(&desk);
}

static void the_site_speaks_when_a_person_does_not(void **state)
{
    struct desk desk;
    struct message_person person = person_of("", "fr", "");

    (void)state;
    desk_open(&desk, "on-sale", MOMENT_SALE_START);
    desk.spec.site_language = "de-CH";
    desk_make_one(&desk, &person);
    assert_non_null(strstr(desk.decoded.ptr, "Jetzt im Verkauf"));
    assert_non_null(strstr(desk.decoded.ptr, "Guten Tag,"));
    desk_close(&desk);
}

static void a_message_is_whole(void **state)
{
    static const char *const expected[] = {
        "Date: Fri, 26 Mar 2027 08:00:00 +0000\r\n",
        "From: Arena Tickets <tickets@arena.example>\r\n",
        "To: Ana Lima <ana@fans.example>\r\n",
        "Subject: Summer Nights: tickets are on sale now\r\n",
        "List-Id: Arena <openings.arena.example>\r\n",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
        "Hi Ana,",
        "href=\"https://arena.example/events/summer-nights\"",
        "href=\"https://arena.example/u/fans/4711?a=ana%40fans.example\"",
        "Unsubscribe: https://arena.example/u/fans/4711?a=ana%40fans.example\r\n",
        "Arena Ltd., Main Street 1, Berlin",
        "hello@arena.example",
        "Doors open at 18:30",
    };
    struct desk desk;
    auto_buf struct buf first;
    struct message_person person = person_of("Ana Lima", "en", "Europe/Berlin");
    char id[100];

    (void)state;
    buf_init(&first, 100 * 1024);
    desk_open(&desk, "on-sale", MOMENT_SALE_START);
    desk_make_one(&desk, &person);
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        if (!strstr(desk.decoded.ptr, expected[i]))
            fail_msg("no \"%s\" in:\n%s", expected[i], desk.decoded.ptr);
    assert_non_null(strstr(desk.message.raw.ptr,
                           "\r\nList-Unsubscribe: <https://arena.example/u/fans/4711?a=ana%40fans.example>\r\n"));
    assert_int_equal(strlen(desk.message.token), 26);
    snprintf(id, sizeof id, "Message-ID: <%s@arena.example>\r\n", desk.message.token);
    assert_non_null(strstr(desk.message.raw.ptr, id));
    snprintf(id, sizeof id, "bounces+%s@arena.example", desk.message.token);
    assert_string_equal(desk.message.from, id);
    assert_string_equal(desk.message.to.text, "ana@fans.example");

    buf_add_text(&first, buf_text(&desk.message.raw));
    desk_make_one(&desk, &person);
    assert_true(text_equal(buf_text(&desk.message.raw), buf_text(&first)));
    desk_close(&desk);
}

static void pick_link(const struct message *message, char *out, size_t size)
{
    const char *link = strstr(message->raw.ptr, "\r\nList-Unsubscribe:");

    assert_non_null(link);
    link = strchr(link, '<') + 1; /* in the next line, where it is long */
    snprintf(out, size, "%.*s", (int)strcspn(link, ">"), link);
}

static void our_own_page(void **state)
{
    static const struct {
        struct text source, source_id, locale;
        bool test;
        const char *audience, *id, *language; /* in the ticket */
    } cases[] = {
        {{"fans", 4}, {"4711", 4}, {"de-AT", 5}, false, "fans", "4711", "de-AT"},
        {{"seed", 4}, {"", 0}, {"", 0}, false, "seed", "", ""},
        {{"test", 4}, {"", 0}, {"", 0}, true, "test", "", ""},
    };
    static const char base[] = "https://onsale.arena.example/u/";

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct desk desk;
        struct message_person person = person_of("", "", "");
        struct unsubscribe_ticket ticket;
        struct arena arena = {0};
        char link[400], inside[500];
        desk_open(&desk, "on-sale", MOMENT_SALE_START);
        desk.mail.unsubscribe_url = "";
        desk.mail.one_click = false;
        desk.mail.public_url = "https://onsale.arena.example";
        desk.spec.test = cases[i].test;
        person.source = cases[i].source;
        person.source_id = cases[i].source_id;
        person.locale = cases[i].locale;
        desk_make_one(&desk, &person);
        assert_non_null(strstr(desk.message.raw.ptr, "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"));
        pick_link(&desk.message, link, sizeof link);
        snprintf(inside, sizeof inside, "href=\"%s\"", link);
        assert_non_null(strstr(desk.decoded.ptr, inside));
        assert_memory_equal(link, base, strlen(base));
        assert_int_equal(crypt_unseal(desk.spec.tokens, text_of(link + strlen(base)), &arena, &ticket), 0);
        assert_true(text_is(ticket.site, "arena") && text_is(ticket.address, "ana@fans.example"));
        assert_true(text_is(ticket.audience, cases[i].audience) && text_is(ticket.source_id, cases[i].id));
        assert_true(text_is(ticket.language, cases[i].language));
        arena_clear(&arena);
        desk_close(&desk);
    }
}

/* An id that no ticket holds: the tool finds them by their address, as the tool itself writes it. */
static void an_endless_id_stays_out(void **state)
{
    struct desk desk;
    struct message_person person = person_of("", "en", "");
    struct unsubscribe_ticket ticket;
    struct arena arena = {0};
    char id[TICKET_FIELD_MAX + 1], link[400];

    (void)state;
    desk_open(&desk, "on-sale", MOMENT_SALE_START);
    desk.mail.unsubscribe_url = "";
    desk.mail.public_url = "https://a.example";
    memset(id, 'x', sizeof id);
    person.source_id = (struct text){id, sizeof id};
    person.address = TEXT(" Ana@F\xC3\xA4ns.example");
    desk_make_one(&desk, &person);
    pick_link(&desk.message, link, sizeof link);
    assert_int_equal(crypt_unseal(desk.spec.tokens, text_of(link + strlen("https://a.example/u/")), &arena, &ticket),
                     0);
    assert_int_equal(ticket.source_id.len, 0);
    assert_true(text_is(ticket.address, "Ana@F\xC3\xA4ns.example"));
    arena_clear(&arena);
    desk_close(&desk);
}

static void without_verp_and_list(void **state)
{
    struct desk desk;
    struct message_person person = person_of("", "en", "");

    (void)state;
    desk_open(&desk, "on-sale", MOMENT_SALE_START);
    desk.mail =
        (struct message_mail){.from = "tickets@arena.example", .envelope_from = "", .list_id = "x.arena.example"};
    desk.sender = (struct message_sender){0};
    desk.spec.test = true;
    desk_make_one(&desk, &person);
    assert_string_equal(desk.message.from, "tickets@arena.example");
    assert_non_null(strstr(desk.decoded.ptr, "<x.arena.example>\r\n"));
    assert_non_null(strstr(desk.decoded.ptr, "Subject: [Test] Summer Nights"));
    assert_null(strstr(desk.decoded.ptr, "nsubscribe"));
    desk_close(&desk);
}

static void links(void **state)
{
    static const struct {
        const char *url, *expected; /* NULL: refused */
    } cases[] = {
        {"https://a.example/{{source_id}}", "https://a.example/17%2F%26%20%22"},
        {"https://a.example/{{attributes.uuid}}", "https://a.example/a-b%C3%A9"},
        {"https://a.example/{{attributes.n}}", "https://a.example/3"},
        {"https://a.example/{{attributes.nothing}}", NULL},
        {"https://a.example/{{nothing}}", NULL},
        {"ftp://a.example/", NULL},
    };
    struct desk desk;

    (void)state;
    desk_open(&desk, "on-sale", MOMENT_SALE_START);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = {0};
        struct message_person person = person_of("Ana", "en", "");
        person.source_id = TEXT("17/& \"");
        person.attributes = TEXT("{\"uuid\":\"a-b\xC3\xA9\",\"n\":3}");
        desk.mail.unsubscribe_url = cases[i].url;
        struct message_batch *batch = message_batch_new(&desk.spec, &err);
        assert_non_null(batch);
        int rc = message_make(batch, &person, &desk.message, &err);
        if ((rc == 0) != (cases[i].expected != NULL))
            fail_msg("%s: %s", cases[i].url, rc == 0 ? "taken" : err.text);
        desk_decode(&desk);
        if (rc == 0 && !strstr(desk.decoded.ptr, cases[i].expected))
            fail_msg("%s gave\n%s", cases[i].url, desk.decoded.ptr);
        message_batch_free(batch);
    }
    desk_close(&desk);
}

static void our_own_eyes_are_on_no_list(void **state)
{
    struct desk desk;
    struct message_person person = person_of("", "en", "");

    (void)state;
    desk_open(&desk, "on-sale", MOMENT_SALE_START);
    person.source_id = (struct text){0};
    person.seed = true;
    desk_make_one(&desk, &person);
    assert_non_null(strstr(desk.decoded.ptr, "Subject: [Seed] Summer Nights"));
    assert_null(strstr(desk.decoded.ptr, "nsubscribe"));
    desk_close(&desk);
}

static void bad_addresses_are_refused(void **state)
{
    struct desk desk;
    struct error err = {0};
    struct message_person person = person_of("Ana", "en", "");

    (void)state;
    desk_open(&desk, "on-sale", MOMENT_SALE_START);
    struct message_batch *batch = message_batch_new(&desk.spec, &err);
    person.address = TEXT("a@b.example\r\nRCPT TO:<x@y>");
    assert_int_equal(message_make(batch, &person, &desk.message, &err), -1);
    assert_int_equal(err.kind, ERROR_REFUSED);
    message_batch_free(batch);
    desk_close(&desk);
}

static void bad_senders_are_refused(void **state)
{
    static const struct message_mail cases[] = {
        {.from = ""},
        {.from = "Arena"},
        {.from = "a@b.example", .envelope_from = "x"},
        {.from = "a@b.example", .envelope_from = "a-local-part-that-is-far-too-long-for-it@b.example"},
        {.from = "a@b.example", .unsubscribe_url = "https://a.example/{{#x}}"},
    };
    struct desk desk;

    (void)state;
    desk_open(&desk, "on-sale", MOMENT_SALE_START);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct error err = {0};
        desk.mail = cases[i];
        assert_null(message_batch_new(&desk.spec, &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
    }
    desk_close(&desk);
}

static void many_locales_and_zones_are_forgotten_in_time(void **state)
{
    struct desk desk;
    struct error err = {0};

    (void)state;
    desk_open(&desk, "on-sale", MOMENT_SALE_START);
    struct message_batch *batch = message_batch_new(&desk.spec, &err);
    for (int i = 0; i < 4200; i++) {
        char locale[20];
        snprintf(locale, sizeof locale, "en-x-a%d", i);
        struct message_person person = person_of("Ana", locale, "Europe/Berlin");
        if (message_make(batch, &person, &desk.message, &err) < 0)
            fail_msg("%s: %s", locale, err.text);
    }
    message_batch_free(batch);
    desk_close(&desk);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_reads_their_own_language_and_time),
        cmocka_unit_test(the_site_speaks_when_a_person_does_not),
        cmocka_unit_test(a_message_is_whole),
        cmocka_unit_test(our_own_page),
        cmocka_unit_test(an_endless_id_stays_out),
        cmocka_unit_test(without_verp_and_list),
        cmocka_unit_test(links),
        cmocka_unit_test(our_own_eyes_are_on_no_list),
        cmocka_unit_test(bad_addresses_are_refused),
        cmocka_unit_test(bad_senders_are_refused),
        cmocka_unit_test(many_locales_and_zones_are_forgotten_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
