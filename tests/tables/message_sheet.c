/* Messages that were prepared for many have the bytes of messages made one by one: random templates, random people. */
#include "message.h"
#include "table.h"

#include <string.h>
#include <sys/stat.h>

enum { TEMPLATES = 100, PEOPLE = 60, ROW_MAX = 76, NAME_SIZE = 256 };

static const struct crypt_keys keys = {
    .message_id = {2}, .unsubscribe = {{.id = 1, .bytes = {3}}}, .unsubscribe_count = 1};

static uint64_t next(uint64_t *seed) /* xorshift64: the same on every run */
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* clang-format off */
static const char *const fragments[] = {
    "{{event.title}}",
    "\n",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    " ",
    "\t",
    " \n",
    "=",
    ".",
    "\n.",
    "\nFrom ",
    "From ",
    "<p class=\"ink\" style=\"margin:0 0 16px;font-size:16px;line-height:24px;color:#18181b;\">",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "M\xC3\xA4rz \xE2\x82\xAC\xF0\x9F\x8E\x9F",
    "The sale has opened. Get yours while they last.\n",
    "{{#person.first_name}}Hi {{person.first_name}},{{/person.first_name}}",
    "{{^person.first_name}}Hello,{{/person.first_name}}",
    "{{^person.first_name}}Hello,\n\nthere is\nmore\n{{/person.first_name}}",
    "{{#person.name}}{{.}}{{/person.name}}",
    "{{#person.name}}\nDear {{{.}}},\nwe say {{event.title}}\nin lines\n{{/person.name}}",
    "\n{{#person.name}}\nstanding alone\n{{/person.name}}\n",
    "{{#person.name}}{{#tickets}}{{name}} for {{person.name}}\n{{/tickets}}{{/person.name}}",
    "{{#person.name}}{{#person.first_name}}{{.}}{{/person.first_name}}{{^person.first_name}}\n{{.}}{{/person.first_name}}{{/person.name}}",
    "{{#tickets}}\n{{name}} {{#price}}at {{price}}{{/price}}{{#free}}free{{/free}}\n{{/tickets}}\n",
    "{{#tickets}}{{#description}}{{.}}{{/description}}{{#person.first_name}}, {{.}}\n{{/person.first_name}}{{/tickets}}",
    "{{#attributes.city}}in {{attributes.city}}\nor {{{.}}}{{/attributes.city}}",
    "{{#attributes.vip}}You are {{attributes.vip}}.{{/attributes.vip}}",
    "{{^attributes.vip}}Not you.\n{{/attributes.vip}}",
    "{{#unsubscribe_url}}<a href=\"{{unsubscribe_url}}\">out</a>\n{{{.}}}{{/unsubscribe_url}}",
    "{{#event.place}}in {{event.place}}{{/event.place}}",
    "{{#opens_at}}from {{moment}} ({{date}}, {{time}})\n{{/opens_at}}",
    "{{! nothing }}",
    "\n  {{>foot}}\n",
    "{{>foot}}",
    "{{=<% %>=}}<% event.title %><%={{ }}=%>",
};
/* clang-format on */

/* What nothing can be prepared of. */
static const char *const hard[] = {
    "{{#attributes}}{{#city}}from {{city}}{{/city}}{{/attributes}}",
    "{{#sender}}{{name}}{{#person}}{{#name}}, {{name}}{{/name}}{{/person}}{{/sender}}",
};

static const char *const names[] = {"",
                                    "Ana Lima",
                                    "Ana",
                                    "J\xC3\xBCrgen M\xC3\xBCller",
                                    "O'Brien & <Sons> \"x\"",
                                    "fan4ever",
                                    "Lima, Ana",
                                    "=?x?=",
                                    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
                                    "  Ana \t Lima ",
                                    "\xFF",
                                    "www.evil",
                                    ".Ana",
                                    "From Ana",
                                    "\xE6\x9D\x8E \xE5\xB0\x8F\xE9\xBE\x99",
                                    "a=b",
                                    "Ana.",
                                    "(Ana)",
                                    "a@b"};
static const char *const locales[] = {"en", "en-GB", "de", "de-AT", "fr", "", "xx"};
static const char *const zones[] = {"Europe/Vilnius", "America/New_York", "", "Mars/Olympus"};
static const char *const attributes[] = {"",
                                         "{}",
                                         "{\"city\":\"Vilnius\"}",
                                         "{\"city\":\"K\xC3\xB6ln = 1\",\"vip\":true}",
                                         "{\"city\":7,\"vip\":\"very\"}",
                                         "{\"city\":\"evil.example\",\"vip\":false}"};

#define PICK(list, seed) (list)[next(seed) % ARRAY_LEN(list)]

static void put_random(const char *folder, const char *name, uint64_t *seed, unsigned most, bool foot)
{
    char path[500];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "we");
    assert_non_null(file);
    if (!foot && next(seed) % 4)
        fputs("{{event.title}}", file);
    for (uint64_t count = next(seed) % most + 1; count > 0; count--) {
        const char *fragment = PICK(fragments, seed);
        if (!foot || !strstr(fragment, "{{>"))
            fputs(fragment, file);
    }
    fclose(file);
}

static void put_hard(const char *folder, const char *name, uint64_t *seed)
{
    char path[500];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "ae");
    assert_non_null(file);
    fputs(PICK(hard, seed), file);
    fclose(file);
}

/* Of any length and of letters of any length: line ends fall everywhere. */
static struct text long_name(char *out, uint64_t *seed)
{
    static const char *const bits[] = {"a", "b ", "\xC3\xA4", "\xE2\x82\xAC", "=",  ".",
                                       "<", "&",  "M",        "\r",           "\n", "\xF0\x9F\x8E\x9F"};
    size_t len = 0, most = next(seed) % 190;

    out[0] = '\0';
    while (len < most)
        len += (size_t)snprintf(out + len, NAME_SIZE - len, "%s", PICK(bits, seed));
    return text_of(out);
}

struct people {
    char names[PEOPLE][NAME_SIZE];
    char addresses[PEOPLE][64];
    struct message_person at[PEOPLE];
};

static void make_people(struct people *people, uint64_t *seed)
{
    for (size_t i = 0; i < PEOPLE; i++) {
        char *address = people->addresses[i];
        snprintf(address, sizeof people->addresses[i], "fan%llu@%s", (unsigned long long)(next(seed) % 1000),
                 next(seed) % 8 ? "fans.example" : "F\xC3\xA4ns.example");
        people->at[i] = (struct message_person){.seq = (int64_t)i + 1,
                                                .source = TEXT("fans"),
                                                .source_id = text_of(next(seed) % 5 ? "4711" : ""),
                                                .address = text_of(address),
                                                .name = next(seed) % 2 ? long_name(people->names[i], seed)
                                                                       : text_of(PICK(names, seed)),
                                                .locale = text_of(PICK(locales, seed)),
                                                .zone = text_of(PICK(zones, seed)),
                                                .attributes = text_of(PICK(attributes, seed)),
                                                .seed = next(seed) % 16 == 0};
    }
}

static void check_rows(struct text raw)
{
    const char *body = memmem(raw.ptr, raw.len, "\r\n\r\n", 4);

    assert_non_null(body);
    for (struct text rest = text_slice(raw, (size_t)(body - raw.ptr), raw.len); rest.len > 0;) {
        struct text row = text_cut(&rest, '\n');
        assert_true(row.len > 0 && row.ptr[row.len - 1] == '\r' && row.len <= ROW_MAX + 1);
        assert_null(memchr(row.ptr, '\r', row.len - 1));
    }
}

/* What was made ahead is given to that person alone, as they are now, and once. */
static void check_ahead(struct message_batch *batch, const struct people *people, size_t i, const struct message *right,
                        struct message *room)
{
    const struct message_person *whose = &people->at[i], *next = &people->at[(i + 1) % PEOPLE];
    struct message_person renamed = *whose;
    struct error err = {0};

    message_make_ahead(batch, whose);
    if (message_make(batch, next, room, &err) == 0)
        assert_string_not_equal(room->token, right->token);
    renamed.source_id = TEXT("other");
    if (strstr(right->raw.ptr, "/4711") && message_make(batch, &renamed, room, &err) == 0)
        assert_false(text_equal(buf_text(&room->raw), buf_text(&right->raw)));
    for (int k = 0; k < 2; k++) {
        assert_int_equal(message_make(batch, whose, room, &err), 0);
        assert_true(text_equal(buf_text(&room->raw), buf_text(&right->raw)));
        assert_string_equal(room->to.text, right->to.text);
        assert_string_equal(room->from, right->from);
        assert_string_equal(room->token, right->token);
    }
}

/* Nothing of one person stands in the message of the next: it is what one alone gets. How many were made. */
static size_t compare(struct message_batch_spec spec, const struct people *people, const char *what)
{
    struct error err = {0};
    struct message one, other;
    size_t made = 0;

    struct message_batch *prepared = message_batch_new(&spec, &err);
    spec.plainly = true;
    struct message_batch *plain = message_batch_new(&spec, &err);
    if (!prepared || !plain)
        fail_msg("%s: %s", what, err.text);
    message_init(&one);
    message_init(&other);
    for (size_t i = 0; i < PEOPLE; i++) {
        struct error first = {0}, second = {0};
        int rc = message_make(prepared, &people->at[i], &one, &first);
        assert_int_equal(rc, message_make(plain, &people->at[i], &other, &second));
        assert_int_equal(first.kind, second.kind);
        assert_string_equal(first.text, second.text);
        if (rc < 0)
            continue;
        if (!text_equal(buf_text(&one.raw), buf_text(&other.raw)))
            fail_msg("%s, person %zu: prepared\n%s\none by one\n%s", what, i, one.raw.ptr, other.raw.ptr);
        assert_string_equal(one.from, other.from);
        struct message_batch *fresh = message_batch_new(&spec, &err);
        struct message alone;
        message_init(&alone);
        assert_int_equal(message_make(fresh, &people->at[i], &alone, &second), 0);
        if (!text_equal(buf_text(&one.raw), buf_text(&alone.raw)))
            fail_msg("%s, person %zu: among others\n%s\nalone\n%s", what, i, one.raw.ptr, alone.raw.ptr);
        check_ahead(fresh, people, i, &one, &alone);
        message_clear(&alone);
        message_batch_free(fresh);
        check_rows(buf_text(&one.raw));
        made++;
    }
    message_clear(&one);
    message_clear(&other);
    message_batch_free(prepared);
    message_batch_free(plain);
    return made;
}

static const char *const links[] = {"", "https://lists.arena.example/{{source_id}}?a={{address}}",
                                    "https://lists.arena.example/{{address}}/{{audience}}"};

static void prepared_or_one_by_one(void **state)
{
    static const char *const files[] = {"mine/email.html", "mine/email.txt", "mine/email.de.html", "mine/email.de.txt"};
    uint64_t seed = 20270326;
    struct error err = {0};
    struct message_sender sender = {"Arena", "Street 1, Vilnius", "help@arena.example"};
    struct message_batch_spec spec = {.sender = &sender,
                                      .tokens = crypt_tokens_new(&keys, &err),
                                      .locales = locales_new(&err),
                                      .zones = zones_new(),
                                      .site_zone = "Europe/Lisbon",
                                      .site_language = "en",
                                      .date_ms = 1806048000000};
    struct notice *notice = notice_new(17, "arena", "e1", "on-sale", MOMENT_SALE_START, 1806048000000, 1);
    char folder[] = "/tmp/onsale-sheets-XXXXXX", path[100], command[100];
    const char *folders[] = {folder, NULL};
    struct people *people = must_calloc(1, sizeof *people);
    size_t made = 0, served = 0;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/mine", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/partials", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    spec.notice = notice;
    spec.open = message_sample_definitions(&spec.open_count);
    for (unsigned i = 0; i < TEMPLATES; i++) {
        struct message_mail mail = {.from = "Arena Tickets <tickets@arena.example>",
                                    .envelope_from = i % 2 ? "bounces@arena.example" : "",
                                    .unsubscribe_url = PICK(links, &seed),
                                    .one_click = i % 3 > 0,
                                    .public_url = i % 4 ? "" : "https://onsale.arena.example"};
        char what[32];
        put_random(folder, "partials/foot.html", &seed, 6, true);
        put_random(folder, "partials/foot.txt", &seed, 6, true);
        put_random(folder, "mine/email.subject", &seed, i % 3 ? 1 : 4, true);
        put_random(folder, "mine/email.de.subject", &seed, 3, true);
        for (size_t k = 0; k < ARRAY_LEN(files); k++)
            put_random(folder, files[k], &seed, 40, false);
        if (i % 8 == 0)
            put_hard(folder, files[i / 8 % ARRAY_LEN(files)], &seed);
        struct message_templates *templates = message_templates_load(folders, "mine", "en", &err);
        if (!templates)
            fail_msg("template %u: %s", i, err.text);
        snprintf(what, sizeof what, "template %u", i);
        make_people(people, &seed);
        spec.mail = &mail;
        spec.templates = templates;
        if (message_templates_serve(templates, MOMENT_SALE_START)) {
            made += compare(spec, people, what);
            served++;
        }
        message_templates_free(templates);
    }
    assert_true(served > TEMPLATES / 2 && made > served * PEOPLE / 2);
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
    free(people);
    notice_free(notice);
    zones_free(spec.zones);
    locales_free(spec.locales);
    crypt_tokens_free(spec.tokens);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(prepared_or_one_by_one)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
