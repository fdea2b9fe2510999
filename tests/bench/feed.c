/* feed.c - what a calendar costs: writing each event, joining and packing the whole, and the same after one change.
 * Usage: bench-feed [OPENINGS [FOLDER OF TEMPLATES]]. CPU time of this thread; prints, asserts nothing. */
#include "calendar.h"
#include "feed_body.h"

#include <string.h>
#include <time.h>

static double now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static struct feed_event *write_event(const struct calendar_style *style, const struct zone *zone, long i,
                                      long sequence)
{
    static const struct crypt_keys keys = {.message_id = {2}};
    char title[80], id[3][64], url[80], uid[CALENDAR_UID_SIZE];
    struct definition tickets[3];
    const struct definition *all[3];
    const char *members[3];
    struct error err = {0};
    struct buf text;

    snprintf(title, sizeof title, "Žalgiris – Rytas, match %ld of the season", i / 3);
    snprintf(url, sizeof url, "https://tickets.example/events/match-%ld", i / 3);
    for (int k = 0; k < 3; k++) {
        snprintf(id[k], sizeof id[k], "%08lx-31cb-4f64-b7bd-%012lx", (3 * i + k) * 2654435761L & 0xFFFFFFFF, 3 * i + k);
        tickets[k] = (struct definition){.site = "arena",
                                         .id = id[k],
                                         .event_id = "e",
                                         .name = k == 0   ? "Balcony"
                                                 : k == 1 ? "Parquet"
                                                          : "Standing",
                                         .description = "",
                                         .price = k == 0 ? "49.90" : "85.00",
                                         .currency = "EUR",
                                         .event_title = title,
                                         .event_zone = "Europe/Vilnius",
                                         .event_url = url,
                                         .event_place = "Žalgirio arena, Kaunas",
                                         .event_starts_at_ms = MOMENT_NONE,
                                         .sale_starts_at_ms = 1806048000000 + i * HOUR_MS,
                                         .sale_ends_at_ms = MOMENT_NONE};
        all[k] = &tickets[k];
        members[k] = id[k];
    }
    calendar_uid(&keys, "arena", i, uid);
    buf_init(&text, CALENDAR_EVENT_MAX);
    struct calendar_entry entry = {.uid = uid,
                                   .sequence = sequence,
                                   .created_at_ms = 1800000000000,
                                   .modified_at_ms = 1800000000000,
                                   .stamp_at_ms = 1800000000000,
                                   .opens_at_ms = tickets[0].sale_starts_at_ms,
                                   .moved_from_ms = MOMENT_NONE,
                                   .zone = zone,
                                   .tickets = all,
                                   .ticket_count = 3,
                                   .members = members,
                                   .member_count = 3};
    if (calendar_add_event(&text, style, &entry, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    struct feed_event *event = feed_event_new(uid, entry.opens_at_ms, buf_text(&text));
    buf_clear(&text);
    return event;
}

static struct feed_body *make(const struct text frame[2], struct feed_event **events, size_t count,
                              const struct feed_body *before, double *took_ms)
{
    struct error err = {0};
    double start = now_ms();
    struct feed_body *body = feed_body_make(&(struct feed_body_spec){.head = frame[0],
                                                                     .foot = frame[1],
                                                                     .events = events,
                                                                     .count = count,
                                                                     .modified_at_ms = 0,
                                                                     .before = before},
                                            &err);

    *took_ms = now_ms() - start;
    if (!body) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return body;
}

int main(int argc, char **argv)
{
    enum { ROUNDS = 15 };
    long count = argc > 1 ? atol(argv[1]) : 10000;
    const char *folders[] = {argc > 2 ? argv[2] : "templates", NULL};
    struct error err = {0};
    struct calendar_texts *texts = calendar_texts_load(folders, &err);
    struct calendar_style style = {
        .texts = texts, .locales = locales_new(&err), .language = "lt", .alarm_ms = 10 * MINUTE_MS};
    struct zone *zone = zone_load("Europe/Vilnius", &err);
    struct buf head, foot;

    if (!style.texts || !style.locales || !zone) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    buf_init(&head, 4096);
    buf_init(&foot, 4096);
    calendar_add_head(&head, &style, "", "", HOUR_MS, &err);
    calendar_add_foot(&foot);
    const struct text frame[2] = {buf_text(&head), buf_text(&foot)};
    struct feed_event **events = must_calloc((size_t)count, sizeof *events);
    double start = now_ms(), took_ms, whole_ms = 0, one_ms = 0, slowest_ms = 0;
    for (long i = 0; i < count; i++)
        events[i] = write_event(&style, zone, i, 0);
    printf("written: %.1f us an event\n", (now_ms() - start) * 1e3 / (double)count);
    struct feed_body *body = make(frame, events, (size_t)count, NULL, &took_ms);
    for (int i = 0; i < 3; i++) {
        feed_body_drop(make(frame, events, (size_t)count, NULL, &took_ms));
        whole_ms += took_ms / 3;
    }
    for (int i = 0; i < ROUNDS; i++) {
        long place = (long)(2654435761U * (unsigned)(i + 1)) % count;
        struct feed_event *old = events[place];
        events[place] = write_event(&style, zone, place, i + 1);
        struct feed_body *next = make(frame, events, (size_t)count, body, &took_ms);
        one_ms += took_ms / ROUNDS;
        slowest_ms = took_ms > slowest_ms ? took_ms : slowest_ms;
        feed_body_drop(body);
        feed_event_drop(old);
        body = next;
    }
    printf("whole: %.1f ms; after one change: %.2f ms, at most %.2f ms; %zu bytes, %zu packed\n", whole_ms, one_ms,
           slowest_ms, feed_body_plain(body).len, feed_body_gzip(body).len);
    feed_body_drop(body);
    for (long i = 0; i < count; i++)
        feed_event_drop(events[i]);
    free(events);
    buf_clear(&head);
    buf_clear(&foot);
    calendar_texts_free(texts);
    locales_free(style.locales);
    zone_free(zone);
    return 0;
}
