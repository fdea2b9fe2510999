/* A definition that says anything: what comes out is one event of a calendar, by the letter and by libical. The input's
 * lines are the texts, a byte in front of them the rest. */
#include "calendar.h"

#include "../tables/calendar_judge.h"

#include <assert.h>

static struct calendar_style style;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char folder[4096];
    const char *root = getenv("ONSALE_SOURCE"), *folders[] = {folder, NULL};
    struct error err = {0};

    (void)argc;
    (void)argv;
    snprintf(folder, sizeof folder, "%s/templates", root ? root : ".");
    style = (struct calendar_style){
        .texts = calendar_texts_load(folders, &err), .locales = locales_new(&err), .alarm_ms = 10 * MINUTE_MS};
    if (!style.texts || !style.locales) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const languages[] = {"en", "de", "lt", "pl"};
    static const char separator = '\xF8'; /* in no UTF-8 text; line ends belong to the texts */
    struct text rest = {(const char *)data, size};
    char *texts[8];
    int flags = size ? data[0] : 0;
    auto_buf struct buf event, calendar;
    struct error err = {0};
    icalcomponent *parsed;

    rest = text_slice(rest, 1, size);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        texts[i] = text_dup(text_cut(&rest, separator)); /* ends at a NUL, as every text of a definition does */
    struct definition ticket = {.site = "s",
                                .id = texts[5],
                                .event_id = texts[6],
                                .name = texts[1],
                                .description = texts[1],
                                .price = texts[4],
                                .currency = texts[7],
                                .event_title = texts[0],
                                .event_zone = "",
                                .event_url = texts[2],
                                .event_place = texts[3],
                                .event_starts_at_ms = MOMENT_NONE,
                                .sale_starts_at_ms = 1000,
                                .sale_ends_at_ms = MOMENT_NONE};
    const struct definition *tickets[] = {&ticket, &ticket};
    const char *members[] = {texts[5], texts[7]};
    struct calendar_entry entry = {.uid = "625115fd-31cb-8f64-b7bd-06c3137486c0",
                                   .sequence = flags,
                                   .opens_at_ms = 1000LL * flags * 86400,
                                   .moved_from_ms = flags & 2 ? 5000 : MOMENT_NONE,
                                   .withdrawn = flags & 1,
                                   .tickets = tickets,
                                   .ticket_count = 2,
                                   .members = members,
                                   .member_count = 2};
    struct calendar_organizer organizer = {texts[0], texts[1]};

    style.language = languages[flags >> 2 & 3];
    style.sender_name = texts[7];
    buf_init(&event, CALENDAR_EVENT_MAX);
    buf_init(&calendar, CALENDAR_EVENT_MAX + 4096);
    assert(calendar_add_event(&event, &style, &entry, &err) == 0 && !buf_failed(&event));
    assert(calendar_add_head(&calendar, &style, texts[6], texts[0], HOUR_MS, &err) == 0);
    buf_add_text(&calendar, buf_text(&event));
    calendar_add_foot(&calendar);
    assert(!judge_lines(buf_text(&calendar)));
    const char *wrong = judge_event(buf_text(&calendar), &parsed);
    if (wrong) {
        fprintf(stderr, "%s:\n%s", wrong, calendar.ptr);
        abort();
    }
    icalcomponent_free(parsed);
    buf_reset(&calendar);
    assert(calendar_add_published(&calendar, &style, &entry, &organizer, &err) == 0);
    assert(!judge_lines(buf_text(&calendar)) && !judge_event(buf_text(&calendar), &parsed));
    icalcomponent_free(parsed);
    buf_reset(&calendar);
    assert(calendar_add_google_link(&calendar, &style, &entry, &err) == 0);
    assert(calendar_add_outlook_link(&calendar, &style, &entry, &err) == 0);
    for (size_t i = 0; i < calendar.len; i++)
        assert(calendar.ptr[i] > ' ' && calendar.ptr[i] < 0x7F);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    return 0;
}
