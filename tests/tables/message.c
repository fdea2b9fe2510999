#include "message.h"
#include "table.h"
#include "templates.h"
#include "values.h"

#include <string.h>
#include <sys/stat.h>

static const struct crypt_keys keys = {
    .message_id = {2}, .unsubscribe = {{.id = 1, .bytes = {3}}}, .unsubscribe_count = 1};

struct desk { /* all that a batch borrows */
    char folder[400];
    const char *folders[2];
    struct message_templates *templates;
    struct message_sender sender;
    struct message_mail mail;
    struct locales *locales;
    struct zones *zones;
    struct notice *notice;
    struct crypt_tokens *tokens;
    struct message_batch_spec spec;
};

static void desk_open(struct desk *desk, const char *template, enum moment_kind kind)
{
    struct error err = {0};
    const char *root = getenv("ONSALE_SOURCE");

    *desk = (struct desk){0};
    snprintf(desk->folder, sizeof desk->folder, "%s/templates", root ? root : ".");
    desk->folders[0] = desk->folder;
    desk->templates = message_templates_load(desk->folders, template, "en", &err);
    if (!desk->templates)
        fail_msg("%s: %s", template, err.text);
    desk->sender = (struct message_sender){"Arena", "Arena Ltd., Main Street 1, Berlin", "hello@arena.example"};
    desk->mail = (struct message_mail){
        .from = "Arena Tickets <tickets@arena.example>",
        .envelope_from = "bounces@arena.example",
        .unsubscribe_url = "https://arena.example/u/{{audience}}/{{source_id}}?a={{address}}",
        .one_click = true,
    };
    desk->tokens = crypt_tokens_new(&keys, &err);
    desk->locales = locales_new(&err);
    desk->zones = zones_new();
    desk->notice = notice_new(17, "arena", "e1", "on-sale", kind, 1806048000000, 1); /* 2027-03-26T08:00:00Z */
    desk->spec = (struct message_batch_spec){
        .templates = desk->templates,
        .sender = &desk->sender,
        .mail = &desk->mail,
        .tokens = desk->tokens,
        .locales = desk->locales,
        .zones = desk->zones,
        .notice = desk->notice,
        .site_zone = "Europe/Lisbon",
        .site_language = "en",
        .date_ms = 1806048000000,
    };
    desk->spec.open = message_sample_definitions(&desk->spec.open_count);
}

static void desk_close(struct desk *desk)
{
    notice_free(desk->notice);
    zones_free(desk->zones);
    locales_free(desk->locales);
    message_templates_free(desk->templates);
    crypt_tokens_free(desk->tokens);
}

static struct message_person person_of(const char *name, const char *locale, const char *zone)
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

/* The message with soft line breaks and =XX taken back: enough to look for texts. */
static void decode(struct text raw, struct buf *out)
{
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

static void make(struct desk *desk, const struct message_person *person, struct message *message, struct buf *decoded)
{
    struct error err = {0};
    struct message_batch *batch = message_batch_new(&desk->spec, &err);

    if (!batch)
        fail_msg("%s", err.text);
    if (message_make(batch, person, message, &err) < 0)
        fail_msg("%s", err.text);
    buf_init(decoded, 1024 * 1024);
    decode(buf_text(&message->raw), decoded);
    message_batch_free(batch);
}

static void the_shipped_templates_serve(void **state)
{
    static const struct {
        const char *name;
        bool start, end;
    } cases[] = {{"on-sale", true, true}, {"reminder", true, false}, {"sale-ending", false, true}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct desk desk;
        auto_buf struct buf languages;
        struct error err = {0};
        desk_open(&desk, cases[i].name, MOMENT_SALE_START);
        buf_init(&languages, 100);
        buf_add_languages(&languages, desk.templates);
        assert_string_equal(languages.ptr, "en, de");
        assert_int_equal(message_templates_serve(desk.templates, MOMENT_SALE_START), cases[i].start);
        assert_int_equal(message_templates_serve(desk.templates, MOMENT_SALE_END), cases[i].end);
        struct message_batch *batch = message_batch_new(&desk.spec, &err);
        assert_int_equal(batch != NULL, cases[i].start);
        message_batch_free(batch);
        desk_close(&desk);
    }
}

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
        struct message message;
        auto_buf struct buf decoded;
        struct message_person person = person_of("Ana Lima", cases[i].locale, cases[i].zone);
        message_init(&message);
        make(&desk, &person, &message, &decoded);
        for (size_t j = 0; j < 3; j++)
            if (!strstr(decoded.ptr, cases[i].expected[j]))
                fail_msg("%s in %s: no \"%s\" in:\n%s", cases[i].locale, cases[i].zone, cases[i].expected[j],
                         decoded.ptr);
        message_clear(&message);
    }
    desk_close(&desk);
}

static void the_site_speaks_when_a_person_does_not(void **state)
{
    struct desk desk;
    struct message message;
    auto_buf struct buf decoded;
    struct message_person person = person_of("", "fr", "");

    (void)state;
    message_init(&message);
    desk_open(&desk, "on-sale", MOMENT_SALE_START);
    desk.spec.site_language = "de-CH";
    make(&desk, &person, &message, &decoded);
    assert_non_null(strstr(decoded.ptr, "Jetzt im Verkauf"));
    assert_non_null(strstr(decoded.ptr, "Guten Tag,"));
    message_clear(&message);
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
    struct message message, again;
    auto_buf struct buf decoded, other;
    struct message_person person = person_of("Ana Lima", "en", "Europe/Berlin");
    char id[100];

    (void)state;
    message_init(&message);
    message_init(&again);
    desk_open(&desk, "on-sale", MOMENT_SALE_START);
    make(&desk, &person, &message, &decoded);
    for (size_t i = 0; i < ARRAY_LEN(expected); i++)
        if (!strstr(decoded.ptr, expected[i]))
            fail_msg("no \"%s\" in:\n%s", expected[i], decoded.ptr);
    assert_non_null(
        strstr(message.raw.ptr, "\r\nList-Unsubscribe: <https://arena.example/u/fans/4711?a=ana%40fans.example>\r\n"));
    assert_int_equal(strlen(message.token), 26);
    snprintf(id, sizeof id, "Message-ID: <%s@arena.example>\r\n", message.token);
    assert_non_null(strstr(message.raw.ptr, id));
    snprintf(id, sizeof id, "bounces+%s@arena.example", message.token);
    assert_string_equal(message.from, id);
    assert_string_equal(message.to.text, "ana@fans.example");

    make(&desk, &person, &again, &other);
    assert_true(text_equal(buf_text(&message.raw), buf_text(&again.raw)));
    message_clear(&message);
    message_clear(&again);
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
        struct message message;
        auto_buf struct buf decoded;
        struct message_person person = person_of("", "", "");
        struct unsubscribe_ticket ticket;
        struct arena arena = {0};
        char link[400], inside[500];
        message_init(&message);
        desk_open(&desk, "on-sale", MOMENT_SALE_START);
        desk.mail.unsubscribe_url = "";
        desk.mail.one_click = false;
        desk.mail.public_url = "https://onsale.arena.example";
        desk.spec.test = cases[i].test;
        person.source = cases[i].source;
        person.source_id = cases[i].source_id;
        person.locale = cases[i].locale;
        make(&desk, &person, &message, &decoded);
        assert_non_null(strstr(message.raw.ptr, "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"));
        pick_link(&message, link, sizeof link);
        snprintf(inside, sizeof inside, "href=\"%s\"", link);
        assert_non_null(strstr(decoded.ptr, inside));
        assert_memory_equal(link, base, strlen(base));
        assert_int_equal(crypt_unseal(desk.tokens, text_of(link + strlen(base)), &arena, &ticket), 0);
        assert_true(text_is(ticket.site, "arena") && text_is(ticket.address, "ana@fans.example"));
        assert_true(text_is(ticket.audience, cases[i].audience) && text_is(ticket.source_id, cases[i].id));
        assert_true(text_is(ticket.language, cases[i].language));
        arena_clear(&arena);
        message_clear(&message);
        desk_close(&desk);
    }
}

/* An id that no ticket holds: the tool finds them by their address, as the tool itself writes it. */
static void an_endless_id_stays_out(void **state)
{
    struct desk desk;
    struct message message;
    auto_buf struct buf decoded;
    struct message_person person = person_of("", "en", "");
    struct unsubscribe_ticket ticket;
    struct arena arena = {0};
    char id[TICKET_FIELD_MAX + 1], link[400];

    (void)state;
    message_init(&message);
    desk_open(&desk, "on-sale", MOMENT_SALE_START);
    desk.mail.unsubscribe_url = "";
    desk.mail.public_url = "https://a.example";
    memset(id, 'x', sizeof id);
    person.source_id = (struct text){id, sizeof id};
    person.address = TEXT(" Ana@F\xC3\xA4ns.example");
    make(&desk, &person, &message, &decoded);
    pick_link(&message, link, sizeof link);
    assert_int_equal(crypt_unseal(desk.tokens, text_of(link + strlen("https://a.example/u/")), &arena, &ticket), 0);
    assert_int_equal(ticket.source_id.len, 0);
    assert_true(text_is(ticket.address, "Ana@F\xC3\xA4ns.example"));
    arena_clear(&arena);
    message_clear(&message);
    desk_close(&desk);
}

static void without_verp_and_list(void **state)
{
    struct desk desk;
    struct message message;
    auto_buf struct buf decoded;
    struct message_person person = person_of("", "en", "");

    (void)state;
    message_init(&message);
    desk_open(&desk, "on-sale", MOMENT_SALE_START);
    desk.mail =
        (struct message_mail){.from = "tickets@arena.example", .envelope_from = "", .list_id = "x.arena.example"};
    desk.sender = (struct message_sender){0};
    desk.spec.test = true;
    make(&desk, &person, &message, &decoded);
    assert_string_equal(message.from, "tickets@arena.example");
    assert_non_null(strstr(decoded.ptr, "<x.arena.example>\r\n"));
    assert_non_null(strstr(decoded.ptr, "Subject: [Test] Summer Nights"));
    assert_null(strstr(decoded.ptr, "nsubscribe"));
    message_clear(&message);
    desk_close(&desk);
}

static void names_that_are_none(void **state)
{
    static const struct {
        const char *given, *name, *first; /* NULL: absent */
    } cases[] = {
        {"Ana", "Ana", "Ana"},
        {"Ana Lima", "Ana Lima", "Ana"},
        {"  Ana \t Lima ", "Ana Lima", "Ana"},
        {"\xC3\x89lo\xC3\xAFse D'Arc", "\xC3\x89lo\xC3\xAFse D'Arc", "\xC3\x89lo\xC3\xAFse"},
        {"Anne-Marie", "Anne-Marie", "Anne-Marie"},
        {"Lima, Ana", "Lima, Ana", NULL},
        {"Dr. Ana Lima", "Dr. Ana Lima", NULL},
        {"J.R. Smith", "J.R. Smith", NULL},
        {"A Lima", "A Lima", NULL},
        {"fan4ever", "fan4ever", NULL},
        {"Ana\r\nBcc: x", "Ana Bcc: x", "Ana"},
        {"", NULL, NULL},
        {"\n", NULL, NULL},
        {"Win at http://evil.example/", NULL, NULL},
        {"evil://x", NULL, NULL},
        {"www.evil", NULL, NULL},
        {"see WWW.evil", NULL, NULL},
        {"Visit evil.example now", NULL, NULL},
        {"evil.co/x", NULL, NULL},
        {"ana@fans.example", NULL, NULL},
        {"\xFF", NULL, NULL},
        {"3.14", "3.14", NULL},
        {"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        json_t *values = values_person(text_of(cases[i].given), (struct text){0});
        const json_t *person = json_object_get(values, "person");
        const char *name = json_string_value(json_object_get(person, "name"));
        const char *first = json_string_value(json_object_get(person, "first_name"));
        if (!name != !cases[i].name || (name && strcmp(name, cases[i].name) != 0))
            fail_msg("\"%s\" gave the name \"%s\"", cases[i].given, name ? name : "none");
        if (!first != !cases[i].first || (first && strcmp(first, cases[i].first) != 0))
            fail_msg("\"%s\" gave the first name \"%s\"", cases[i].given, first ? first : "none");
        json_decref(values);
    }
}

static void attributes_are_judged_like_names(void **state)
{
    json_t *values = values_person(
        TEXT("Ana"),
        TEXT("{\"city\":\"Lisbon\",\"spam\":\"evil.example\",\"n\":3,\"vip\":true,\"list\":[\"x\"],\"e\":\"\"}"));
    json_t *expected = json_pack("{s{ssss}s{sssisb}}", "person", "name", "Ana", "first_name", "Ana", "attributes",
                                 "city", "Lisbon", "n", 3, "vip", 1);

    (void)state;
    assert_true(json_equal(values, expected));
    json_decref(values);
    json_decref(expected);
    values = values_person((struct text){0}, TEXT("[1,"));
    assert_int_equal(json_object_size(json_object_get(values, "attributes")), 0);
    json_decref(values);
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
        struct message message;
        struct error err = {0};
        struct message_person person = person_of("Ana", "en", "");
        auto_buf struct buf decoded;
        buf_init(&decoded, 1024 * 1024);
        person.source_id = TEXT("17/& \"");
        person.attributes = TEXT("{\"uuid\":\"a-b\xC3\xA9\",\"n\":3}");
        desk.mail.unsubscribe_url = cases[i].url;
        struct message_batch *batch = message_batch_new(&desk.spec, &err);
        assert_non_null(batch);
        message_init(&message);
        int rc = message_make(batch, &person, &message, &err);
        if ((rc == 0) != (cases[i].expected != NULL))
            fail_msg("%s: %s", cases[i].url, rc == 0 ? "taken" : err.text);
        decode(buf_text(&message.raw), &decoded);
        if (rc == 0 && !strstr(decoded.ptr, cases[i].expected))
            fail_msg("%s gave\n%s", cases[i].url, decoded.ptr);
        message_clear(&message);
        message_batch_free(batch);
    }
    desk_close(&desk);
}

static void our_own_eyes_are_on_no_list(void **state)
{
    struct desk desk;
    struct message message;
    auto_buf struct buf decoded;
    struct message_person person = person_of("", "en", "");

    (void)state;
    message_init(&message);
    desk_open(&desk, "on-sale", MOMENT_SALE_START);
    person.source_id = (struct text){0};
    person.seed = true;
    make(&desk, &person, &message, &decoded);
    assert_non_null(strstr(decoded.ptr, "Subject: [Seed] Summer Nights"));
    assert_null(strstr(decoded.ptr, "nsubscribe"));
    message_clear(&message);
    desk_close(&desk);
}

static void bad_addresses_are_refused(void **state)
{
    struct desk desk;
    struct message message;
    struct error err = {0};
    struct message_person person = person_of("Ana", "en", "");

    (void)state;
    message_init(&message);
    desk_open(&desk, "on-sale", MOMENT_SALE_START);
    struct message_batch *batch = message_batch_new(&desk.spec, &err);
    person.address = TEXT("a@b.example\r\nRCPT TO:<x@y>");
    assert_int_equal(message_make(batch, &person, &message, &err), -1);
    assert_int_equal(err.kind, ERROR_REFUSED);
    message_batch_free(batch);
    message_clear(&message);
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
    struct message message;
    struct error err = {0};

    (void)state;
    message_init(&message);
    desk_open(&desk, "on-sale", MOMENT_SALE_START);
    struct message_batch *batch = message_batch_new(&desk.spec, &err);
    for (int i = 0; i < 4200; i++) {
        char locale[20];
        snprintf(locale, sizeof locale, "en-x-a%d", i);
        struct message_person person = person_of("Ana", locale, "Europe/Berlin");
        if (message_make(batch, &person, &message, &err) < 0)
            fail_msg("%s: %s", locale, err.text);
    }
    message_batch_free(batch);
    message_clear(&message);
    desk_close(&desk);
}

/* --- Templates of other people ------------------------------------------------------------------------------------ */

static void put_file(const char *folder, const char *name, const char *content)
{
    char path[500];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *file, *content, *expected; /* NULL expected: it is fine */
    } cases[] = {
        {"mine/email.html", "{{event.title}} {{#event.place}}{{event.place}}{{/event.place}}", NULL},
        {"mine/email.html", "{{opens_at.moment}}{{#attributes.city}}{{attributes.city}}{{/attributes.city}}", NULL},
        {"mine/email.html", "{{closes_at.moment}}", NULL},
        {"mine/email.html", "a\n{{event.place}}", "mine/email.html:2:1: {{event.place}} has no value here"},
        {"mine/email.html", "{{person.name}}", "mine/email.html:1:1: {{person.name}} has no value here"},
        {"mine/email.html", "{{attributes.city}}", "mine/email.html:1:1: {{attributes.city}} has no value here"},
        {"mine/email.html", "{{#tickets}}{{price}}{{/tickets}}", "mine/email.html:1:13: {{price}} has no value here"},
        {"mine/email.html", "{{>nothing}}", "mine/email.html:1:1: there is no partial \"nothing\""},
        {"mine/email.html", "{{>../secret}}", "mine/email.html:1:1: there is no partial \"../secret\""},
        {"mine/email.html", "{{#a}}", "mine/email.html:1:1: section {{#a}} is never closed"},
        {"partials/foot.html", "{{x}}", "mine/email.html: partial foot:1:1: {{x}} has no value here"},
        {"mine/email.de.html", "x", "email.de.subject is missing"},
        {"mine/email.en.html", "x", "mine/email.en.html: the default language has no suffix"},
        {"mine/email.de.htm", "x", "mine/email.de.htm: expected email.subject"},
        {"mine/email.html~", "{{", NULL},
        {"mine/notes.md", "{{", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char folder[] = "/tmp/onsale-templates-XXXXXX", path[200], command[300];
        const char *folders[] = {folder, NULL};
        struct error err = {0};
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof path, "%s/mine", folder);
        assert_int_equal(mkdir(path, 0700), 0);
        snprintf(path, sizeof path, "%s/partials", folder);
        assert_int_equal(mkdir(path, 0700), 0);
        put_file(folder, "partials/foot.html", "foot");
        put_file(folder, "mine/email.subject", "{{event.title}}\n");
        put_file(folder, "mine/email.html", "<p>{{event.title}}</p>{{>foot}}");
        put_file(folder, "mine/email.txt", "{{event.title}}");
        put_file(folder, cases[i].file, cases[i].content);
        struct message_templates *templates = message_templates_load(folders, "mine", "en", &err);
        if (cases[i].expected ? templates != NULL : templates == NULL)
            fail_msg("%s: %s: %s", cases[i].file, cases[i].content, templates ? "taken" : err.text);
        if (!templates && !strstr(err.text, cases[i].expected))
            fail_msg("%s: %s: %s", cases[i].file, cases[i].content, err.text);
        message_templates_free(templates);
        snprintf(command, sizeof command, "rm -r %s", folder);
        assert_int_equal(system(command), 0);
    }
}

static void unknown_templates(void **state)
{
    static const char *const names[] = {"nothing", "", "..", "../templates/on-sale", "/etc"};
    const char *folders[] = {"/nowhere", NULL};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct error err = {0};
        assert_null(message_templates_load(folders, names[i], "en", &err));
        assert_int_equal(err.kind, ERROR_CONFIG);
        assert_non_null(strstr(err.text, "searched: /nowhere"));
    }
    assert_null(message_templates_load(folders, "x", "not a language", NULL));
}

static void the_hash_knows_every_byte(void **state)
{
    struct desk one, two;

    (void)state;
    desk_open(&one, "on-sale", MOMENT_SALE_START);
    desk_open(&two, "on-sale", MOMENT_SALE_START);
    assert_true(message_templates_hash(one.templates) == message_templates_hash(two.templates));
    desk_close(&two);
    desk_open(&two, "reminder", MOMENT_SALE_START);
    assert_true(message_templates_hash(one.templates) != message_templates_hash(two.templates));
    desk_close(&two);
    desk_close(&one);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_templates_serve),
        cmocka_unit_test(everybody_reads_their_own_language_and_time),
        cmocka_unit_test(the_site_speaks_when_a_person_does_not),
        cmocka_unit_test(a_message_is_whole),
        cmocka_unit_test(our_own_page),
        cmocka_unit_test(an_endless_id_stays_out),
        cmocka_unit_test(without_verp_and_list),
        cmocka_unit_test(names_that_are_none),
        cmocka_unit_test(attributes_are_judged_like_names),
        cmocka_unit_test(links),
        cmocka_unit_test(our_own_eyes_are_on_no_list),
        cmocka_unit_test(bad_addresses_are_refused),
        cmocka_unit_test(bad_senders_are_refused),
        cmocka_unit_test(many_locales_and_zones_are_forgotten_in_time),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(unknown_templates),
        cmocka_unit_test(the_hash_knows_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
