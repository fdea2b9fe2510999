/* message.c - what making one message costs: the shipped template on-sale, in both its languages, and with a calendar
 * entry on it. Usage: bench-message [MESSAGES [FOLDER]]. Prints; asserts nothing. */
#include "message.h"

#include <string.h>
#include <time.h>

static const struct crypt_keys keys = {
    .message_id = {2}, .unsubscribe = {{.id = 1, .bytes = {3}}}, .unsubscribe_count = 1};

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct case_of {
    const char *what, *name, *locale, *unsubscribe_url, *public_url;
    bool calendar;
};

static void run(struct message_batch_spec *spec, const struct case_of *which, const struct message_calendar *calendar,
                long count)
{
    struct message_mail mail = {.from = "Arena Tickets <tickets@arena.example>",
                                .envelope_from = "bounces@arena.example",
                                .unsubscribe_url = which->unsubscribe_url,
                                .one_click = true,
                                .public_url = which->public_url};
    struct error err = {0};
    struct message message;
    char address[64], id[32], name[64];
    size_t bytes = 0;

    spec->mail = &mail;
    spec->calendar = which->calendar ? calendar : NULL;
    struct message_batch *batch = message_batch_new(spec, &err);
    message_init(&message);
    double start = 0, first = now_s();
    for (long i = 0; i < count; i++) {
        snprintf(address, sizeof address, "fan%ld@fans.example", i);
        snprintf(id, sizeof id, "%ld", 100000 + i);
        snprintf(name, sizeof name, "%s", which->name);
        struct message_person person = {.seq = i + 1,
                                        .source = TEXT("fans"),
                                        .source_id = text_of(id),
                                        .address = text_of(address),
                                        .name = text_of(name),
                                        .locale = text_of(which->locale),
                                        .zone = TEXT("Europe/Vilnius")};
        if (!batch || message_make(batch, &person, &message, &err) < 0) {
            fprintf(stderr, "%s\n", err.text);
            exit(1);
        }
        bytes = message.raw.len;
        if (i == 0) {
            first = now_s() - first;
            start = now_s();
        }
    }
    printf("%-44s %7.0f ns a mail of %zu bytes; the first %.2f ms\n", which->what,
           (now_s() - start) / (double)(count - 1) * 1e9, bytes, first * 1e3);
    message_clear(&message);
    message_batch_free(batch);
    spec->mail = NULL;
}

int main(int argc, char **argv)
{
    static const struct case_of cases[] = {
        {"en, ASCII name, the tool's link", "Ana Lima", "en-GB", "https://lists.arena.example/s/{{address}}", ""},
        {"de, the tool's link", "Ana Lima", "de-AT", "https://lists.arena.example/s/{{address}}", ""},
        {"de, name outside ASCII", "J\xC3\xBCrgen M\xC3\xBCller", "de-AT", "https://lists.arena.example/s/{{address}}",
         ""},
        {"en, no name, our own link", "", "en", "", "https://onsale.arena.example"},
        {"en, the tool's link, a calendar entry", "Ana Lima", "en-GB", "https://lists.arena.example/s/{{address}}", "",
         true},
        {"de, our own link, a calendar entry", "Ana Lima", "de-AT", "", "https://onsale.arena.example", true},
    };
    static const char *const members[] = {"sample-children", "sample-standing"};
    long count = argc > 1 ? atol(argv[1]) : 200000;
    const char *folders[] = {argc > 2 ? argv[2] : "templates", NULL};
    struct error err = {0};
    struct message_sender sender = {"Arena", "Street 1, 01100 Vilnius", "help@arena.example"};
    struct message_batch_spec spec = {.sender = &sender,
                                      .templates = message_templates_load(folders, "on-sale", "en", &err),
                                      .tokens = crypt_tokens_new(&keys, &err),
                                      .locales = locales_new(&err),
                                      .zones = zones_new(),
                                      .notice =
                                          notice_new(17, "arena", "e1", "on-sale", MOMENT_SALE_START, 1806048000000, 1),
                                      .site_zone = "Europe/Vilnius",
                                      .site_language = "en",
                                      .date_ms = 1806048000000};

    if (!spec.templates || !spec.tokens || !spec.locales) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    struct message_calendar calendar = {.texts = calendar_texts_load(folders, &err),
                                        .entry = {.uid = "625115fd-31cb-8f64-b7bd-06c3137486c0",
                                                  .opens_at_ms = spec.date_ms,
                                                  .moved_from_ms = MOMENT_NONE,
                                                  .members = members,
                                                  .member_count = ARRAY_LEN(members)},
                                        .alarm_ms = 10 * MINUTE_MS,
                                        .attach = true};
    if (!calendar.texts) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    spec.open = message_sample_definitions(&spec.open_count);
    calendar.entry.tickets = spec.open;
    calendar.entry.ticket_count = spec.open_count;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        run(&spec, &cases[i], &calendar, count);
    calendar_texts_free((struct calendar_texts *)(uintptr_t)calendar.texts);
    notice_free((struct notice *)(uintptr_t)spec.notice);
    zones_free(spec.zones);
    locales_free(spec.locales);
    message_templates_free((struct message_templates *)(uintptr_t)spec.templates);
    crypt_tokens_free(spec.tokens);
    return 0;
}
