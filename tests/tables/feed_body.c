#include "feed_body.h"
#include "table.h"

#include <string.h>
#include <zlib.h>

static const struct text head = {"BEGIN:VCALENDAR\r\n", 17}, foot = {"END:VCALENDAR\r\n", 15};

/* A list of events as the feed keeps it. */
struct list {
    struct feed_event *at[4096];
    size_t count;
};

static struct feed_event *event_new(unsigned number, int64_t at_ms, unsigned sequence)
{
    char uid[64], text[256];

    snprintf(uid, sizeof uid, "%08x-uid-%u", number * 2654435761U, number);
    int len =
        snprintf(text, sizeof text, "BEGIN:VEVENT\r\nUID:%s\r\nSEQUENCE:%u\r\nSUMMARY:Concert %u\r\nEND:VEVENT\r\n",
                 uid, sequence, number);
    return feed_event_new(uid, at_ms, (struct text){text, (size_t)len});
}

static void list_put(struct list *list, struct feed_event *event)
{
    size_t place = list->count;

    while (place > 0 && feed_event_order(event, list->at[place - 1]) < 0)
        place--;
    memmove(list->at + place + 1, list->at + place, (list->count - place) * sizeof *list->at);
    list->at[place] = event;
    list->count++;
}

static void list_take(struct list *list, size_t place)
{
    feed_event_drop(list->at[place]);
    list->count--;
    memmove(list->at + place, list->at + place + 1, (list->count - place) * sizeof *list->at);
}

static void list_clear(struct list *list)
{
    while (list->count > 0)
        list_take(list, list->count - 1);
}

static struct feed_body *make(const struct list *list, const struct feed_body *before)
{
    struct error err = {0};
    struct feed_body *body = feed_body_make(&(struct feed_body_spec){.head = head,
                                                                     .foot = foot,
                                                                     .events = list->at,
                                                                     .count = list->count,
                                                                     .modified_at_ms = 1000,
                                                                     .before = before},
                                            &err);

    if (!body)
        fail_msg("%s", err.text);
    return body;
}

/* zlib, one member and nothing behind it. */
static void check_gzip(const struct feed_body *body)
{
    struct text packed = feed_body_gzip(body), plain = feed_body_plain(body);
    char *out = must_realloc(NULL, plain.len + 1);
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)packed.ptr,
                       .avail_in = (uInt)packed.len,
                       .next_out = (Bytef *)out,
                       .avail_out = (uInt)plain.len + 1};

    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    assert_int_equal(stream.total_out, plain.len);
    assert_memory_equal(out, plain.ptr, plain.len);
    inflateEnd(&stream);
    free(out);
}

static void check_plain(const struct feed_body *body, const struct list *list)
{
    struct text rest = feed_body_plain(body);

    assert_true(text_starts(rest, head.ptr));
    rest = text_slice(rest, head.len, rest.len);
    for (size_t i = 0; i < list->count; i++) {
        struct text mine = list->at[i]->text;
        assert_true(rest.len >= mine.len && memcmp(rest.ptr, mine.ptr, mine.len) == 0);
        rest = text_slice(rest, mine.len, rest.len);
    }
    assert_true(text_equal(rest, foot));
    assert_int_equal(feed_body_count(body), list->count);
}

static void check_same(const struct feed_body *a, const struct feed_body *b)
{
    assert_true(text_equal(feed_body_plain(a), feed_body_plain(b)));
    assert_true(text_equal(feed_body_gzip(a), feed_body_gzip(b)));
    for (int gzip = 0; gzip < 2; gzip++)
        assert_string_equal(feed_body_etag(a, gzip), feed_body_etag(b, gzip));
}

static void sizes(void **state)
{
    static const size_t cases[] = {0, 1, 2, 63, 64, 65, 255, 256, 257, 1000, 3000};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static struct list list;
        for (unsigned k = 0; k < cases[i]; k++)
            list_put(&list, event_new(k, 1000 * (k % 77), 0));
        struct feed_body *body = make(&list, NULL);
        check_plain(body, &list);
        check_gzip(body);
        feed_body_drop(body);
        list_clear(&list);
    }
}

/* What hardly repeats itself needs more room packed than plain. */
static void noise(void **state)
{
    static struct list list;
    static char text[100000];
    uint32_t seed = 1;

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
    list_put(&list, feed_event_new("noise", 1, (struct text){text, sizeof text}));
    struct feed_body *body = make(&list, NULL);
    check_plain(body, &list);
    check_gzip(body);
    feed_body_drop(body);
    list_clear(&list);
}

static void tags(void **state)
{
    static struct list list;
    char etag[2][FEED_ETAG_SIZE];

    (void)state;
    for (unsigned k = 0; k < 300; k++)
        list_put(&list, event_new(k, k, 0));
    struct feed_body *one = make(&list, NULL);
    for (int gzip = 0; gzip < 2; gzip++) {
        const char *tag = feed_body_etag(one, gzip);
        size_t len = strlen(tag);
        strcpy(etag[gzip], tag);
        assert_true(tag[0] == '"' && tag[len - 1] == '"' && len >= 34 && !strchr("W", tag[0]));
    }
    assert_string_not_equal(etag[0], etag[1]);
    list_take(&list, 150);
    struct feed_body *two = make(&list, one);
    for (int gzip = 0; gzip < 2; gzip++)
        assert_string_not_equal(feed_body_etag(two, gzip), etag[gzip]);
    feed_body_drop(one);
    feed_body_drop(two);
    list_clear(&list);
}

/* By a thousand small steps, and at once: the same bytes; and the old ones stay while somebody reads them. */
static void steps(void **state)
{
    static struct list list;
    struct feed_body *body = make(&list, NULL), *held = NULL;
    auto_buf struct buf was;
    uint32_t seed = 7;

    (void)state;
    buf_init(&was, 1 << 24);
    for (unsigned k = 0; k < 1500; k++) {
        seed = seed * 1664525 + 1013904223;
        size_t place = list.count ? seed >> 8 & 0xFFFF : 0;
        if (list.count > 0 && seed >> 29 == 0)
            list_take(&list, place % list.count);
        else if (list.count > 0 && seed >> 29 == 1) { /* one that changed */
            struct feed_event *old = list.at[place % list.count], *fresh;
            unsigned number;
            assert_int_equal(sscanf(old->uid, "%*8x-uid-%u", &number), 1);
            fresh = event_new(number, old->opens_at_ms + (seed & 1 ? 5000 : 0), k);
            list_take(&list, place % list.count);
            list_put(&list, fresh);
        } else {
            list_put(&list, event_new(k, 1000 * (seed >> 20 & 0x3FF), 0));
        }
        struct feed_body *next = make(&list, body);
        if (k == 700) {
            held = feed_body_hold(body);
            buf_add_text(&was, feed_body_plain(body));
        }
        feed_body_drop(body);
        body = next;
        if (k % 50 == 0) {
            struct feed_body *fresh = make(&list, NULL);
            check_same(body, fresh);
            check_gzip(body);
            feed_body_drop(fresh);
        }
    }
    check_plain(body, &list);
    assert_true(text_equal(feed_body_plain(held), buf_text(&was)));
    check_gzip(held);
    feed_body_drop(held);
    feed_body_drop(body);
    list_clear(&list);
}

/* An event more, less, or another touches its own piece, wherever it stands; one that begins a piece its neighbour,
 * too. */
static void locality(void **state)
{
    static struct list list;

    (void)state;
    for (unsigned k = 0; k < 3000; k++)
        list_put(&list, event_new(k, 1000 * (int64_t)k, 0));
    struct feed_body *body = make(&list, NULL);
    assert_true(feed_body_packed(body) > 30);
    for (unsigned k = 0; k < 300; k++) {
        size_t place = k * 7919 % list.count;
        if (k % 3 != 0)
            list_take(&list, place);
        if (k % 3 != 1)
            list_put(&list, event_new(10000 + k, 1000 * (int64_t)(k * 104729 % 3000) + 1, 0));
        struct feed_body *next = make(&list, body);
        size_t most = k % 3 == 2 ? 2 + 4 : 2 + 2; /* a piece can fall apart, or two become one */
        if (feed_body_packed(next) > most)
            fail_msg("step %u packs %zu pieces", k, feed_body_packed(next));
        feed_body_drop(body);
        body = next;
    }
    feed_body_drop(body);
    list_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes), cmocka_unit_test(noise),    cmocka_unit_test(tags),
        cmocka_unit_test(steps), cmocka_unit_test(locality),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
