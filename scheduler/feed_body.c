#include "feed_body.h"

#include "crypt.h"
#include "index.h"

#include <assert.h>
#include <string.h>
#include <zlib.h>

enum {
    PIECE_EVENTS = 64, /* on the average */
    PIECE_EVENTS_MAX = 4 * PIECE_EVENTS,
    HASH_SIZE = 32,
    LEVEL = 6,                    /* of zlib */
    BODY_MAX = 512 * 1024 * 1024, /* bytes */
    GZIP_HEADER_SIZE = 10,
    GZIP_TRAILER_SIZE = 8,
};

/* A run of bytes of the calendar, packed by itself: the head, some events, or the foot. */
struct piece {
    atomic_size_t refs;
    struct feed_event **events;
    size_t count;
    size_t len; /* plain */
    uint32_t crc;
    struct text packed; /* raw deflate, ends at a whole byte */
    unsigned char hash[HASH_SIZE], packed_hash[HASH_SIZE];
};

struct feed_body {
    atomic_size_t refs;
    struct piece **pieces; /* the head first, the foot last */
    size_t *offsets;       /* where each begins in `plain` */
    size_t piece_count, packed;
    size_t events;
    struct text plain, gzip;
    char etag[FEED_ETAG_SIZE], etag_gzip[FEED_ETAG_SIZE];
    int64_t modified_at_ms;
};

/* --- Events ------------------------------------------------------------------------------------------------------- */

struct feed_event *feed_event_new(const char *uid, int64_t opens_at_ms, struct text text)
{
    size_t uid_size = strlen(uid) + 1;
    struct feed_event *event = must_realloc(NULL, sizeof *event + uid_size + text.len);
    char *behind = (char *)(event + 1);

    *event = (struct feed_event){
        .opens_at_ms = opens_at_ms, .uid = memcpy(behind, uid, uid_size), .text = {behind + uid_size, text.len}};
    if (text.len > 0)
        memcpy(behind + uid_size, text.ptr, text.len);
    atomic_init(&event->refs, 1);
    return event;
}

struct feed_event *feed_event_hold(struct feed_event *event)
{
    atomic_fetch_add(&event->refs, 1);
    return event;
}

void feed_event_drop(struct feed_event *event)
{
    if (event && atomic_fetch_sub(&event->refs, 1) == 1)
        free(event);
}

int feed_event_order(const struct feed_event *a, const struct feed_event *b)
{
    if (a->opens_at_ms != b->opens_at_ms)
        return a->opens_at_ms < b->opens_at_ms ? -1 : 1;
    return strcmp(a->uid, b->uid);
}

/* --- Pieces ------------------------------------------------------------------------------------------------------- */

static void piece_drop(struct piece *piece)
{
    if (!piece || atomic_fetch_sub(&piece->refs, 1) != 1)
        return;
    for (size_t i = 0; i < piece->count; i++)
        feed_event_drop(piece->events[i]);
    free(piece->events);
    free((char *)(uintptr_t)piece->packed.ptr);
    free(piece);
}

static void hash_of(struct text t, unsigned char out[HASH_SIZE])
{
    static const unsigned char no_secret[CRYPT_KEY_SIZE];

    crypt_hmac(no_secret, t, out);
}

/* How many of the events stand in the piece that begins with the first. A UID is as good as random: about one in
 * PIECE_EVENTS begins a piece, wherever it stands, so that an event more or less touches its own piece alone. */
static size_t run_of(struct feed_event *const *events, size_t count)
{
    size_t run = 1;

    while (run < count && run < PIECE_EVENTS_MAX && index_hash(INDEX_HASH, events[run]->uid) % PIECE_EVENTS != 0)
        run++;
    return run;
}

static struct piece *piece_new(struct feed_event *const *events, size_t count, size_t len)
{
    struct piece *piece = must_calloc(1, sizeof *piece);

    atomic_init(&piece->refs, 1);
    piece->len = len;
    piece->count = count;
    piece->events = must_calloc(count + 1, sizeof(struct feed_event *));
    for (size_t i = 0; i < count; i++)
        piece->events[i] = feed_event_hold(events[i]);
    return piece;
}

static void piece_pack(struct piece *piece, struct text plain, z_stream *stream, bool last)
{
    size_t room = deflateBound(stream, (uLong)plain.len) + 64;
    char *packed = must_realloc(NULL, room);

    deflateReset(stream);
    stream->next_in = (Bytef *)(uintptr_t)plain.ptr;
    stream->avail_in = (uInt)plain.len;
    stream->next_out = (Bytef *)packed;
    stream->avail_out = (uInt)room;
    int rc = deflate(stream, last ? Z_FINISH : Z_FULL_FLUSH);
    assert(rc == (last ? Z_STREAM_END : Z_OK) && stream->avail_in == 0 && stream->avail_out > 0);
    (void)rc;
    size_t len = room - stream->avail_out;
    piece->packed = (struct text){must_realloc(packed, len), len};
    piece->crc = (uint32_t)crc32_z(0, (const Bytef *)plain.ptr, plain.len);
    hash_of(plain, piece->hash);
    hash_of(piece->packed, piece->packed_hash);
}

/* --- Making a body ------------------------------------------------------------------------------------------------ */

struct making {
    struct feed_body *body;
    const struct feed_body_spec *spec;
    size_t looked_at; /* pieces of the body before: those in front of it stand in front of all that follows */
    z_stream stream;
    char *plain;
    size_t len;
};

static void keep_piece(struct making *making, struct piece *piece)
{
    struct feed_body *body = making->body;

    body->pieces[body->piece_count] = piece;
    body->offsets[body->piece_count++] = making->len;
    making->len += piece->len;
}

/* The very same events, as a piece of the body before; or NULL. */
static const struct piece *find_before(struct making *making, struct feed_event *const *events, size_t count)
{
    const struct feed_body *before = making->spec->before;

    if (!before)
        return NULL;
    while (making->looked_at + 1 < before->piece_count &&
           (before->pieces[making->looked_at]->count == 0 ||
            feed_event_order(before->pieces[making->looked_at]->events[0], events[0]) < 0))
        making->looked_at++;
    const struct piece *piece = before->pieces[making->looked_at];
    if (piece->count != count || memcmp(piece->events, events, count * sizeof *events) != 0)
        return NULL;
    return piece;
}

static void keep_packed(struct making *making, struct piece *piece)
{
    making->body->packed++;
    keep_piece(making, piece);
}

static void add_frame(struct making *making, struct text text, bool last)
{
    struct piece *piece = piece_new(NULL, 0, text.len);

    memcpy(making->plain + making->len, text.ptr, text.len);
    piece_pack(piece, text, &making->stream, last);
    keep_packed(making, piece);
}

static void add_events(struct making *making, struct feed_event *const *events, size_t count)
{
    const struct piece *known = find_before(making, events, count);
    char *to = making->plain + making->len;

    if (known) {
        const struct feed_body *before = making->spec->before;
        struct piece *piece = before->pieces[making->looked_at];
        memcpy(to, before->plain.ptr + before->offsets[making->looked_at], piece->len);
        atomic_fetch_add(&piece->refs, 1);
        keep_piece(making, piece);
        return;
    }
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(to + len, events[i]->text.ptr, events[i]->text.len);
        len += events[i]->text.len;
    }
    struct piece *piece = piece_new(events, count, len);
    piece_pack(piece, (struct text){to, len}, &making->stream, false);
    keep_packed(making, piece);
}

static void put_u32(char *to, size_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (char)(value >> 8 * i & 0xFF);
}

/* One member: no name, no time, and the same system for everybody. */
static int join_packed(struct feed_body *body, struct error *err)
{
    static const char header[GZIP_HEADER_SIZE] = {'\x1f', '\x8b', 8, 0, 0, 0, 0, 0, 0, '\xff'};
    size_t len = GZIP_HEADER_SIZE + GZIP_TRAILER_SIZE, at = GZIP_HEADER_SIZE;
    uLong crc = 0;

    for (size_t i = 0; i < body->piece_count; i++)
        len += body->pieces[i]->packed.len;
    char *gzip = malloc(len);
    if (!gzip)
        return error_set(err, ERROR_TRY_LATER, "no memory for a calendar of %zu bytes", len);
    memcpy(gzip, header, sizeof header);
    for (size_t i = 0; i < body->piece_count; i++) {
        const struct piece *piece = body->pieces[i];
        memcpy(gzip + at, piece->packed.ptr, piece->packed.len);
        at += piece->packed.len;
        crc = crc32_combine(crc, piece->crc, (z_off_t)piece->len);
    }
    put_u32(gzip + at, crc);
    put_u32(gzip + at + 4, body->plain.len);
    body->gzip = (struct text){gzip, len};
    return 0;
}

static void write_etag(const struct feed_body *body, bool gzip, char out[FEED_ETAG_SIZE])
{
    unsigned char hash[HASH_SIZE];
    auto_buf struct buf all;
    size_t at = 1;

    buf_init(&all, BODY_MAX);
    for (size_t i = 0; i < body->piece_count; i++)
        buf_add(&all, gzip ? body->pieces[i]->packed_hash : body->pieces[i]->hash, HASH_SIZE);
    hash_of(buf_text(&all), hash);
    out[0] = '"';
    for (size_t i = 0; i < HASH_SIZE / 2; i++, at += 2)
        snprintf(out + at, FEED_ETAG_SIZE - at, "%02x", hash[i]);
    snprintf(out + at, FEED_ETAG_SIZE - at, gzip ? "-gz\"" : "\"");
}

static struct feed_body *body_new(const struct feed_body_spec *spec)
{
    struct feed_body *body = must_calloc(1, sizeof *body);
    size_t pieces = 2;

    for (size_t i = 0; i < spec->count; i += run_of(spec->events + i, spec->count - i))
        pieces++;
    atomic_init(&body->refs, 1);
    body->modified_at_ms = spec->modified_at_ms;
    body->events = spec->count;
    body->pieces = must_calloc(pieces, sizeof(struct piece *));
    body->offsets = must_calloc(pieces, sizeof *body->offsets);
    return body;
}

struct feed_body *feed_body_make(const struct feed_body_spec *spec, struct error *err)
{
    struct making making = {.spec = spec};
    size_t len = spec->head.len + spec->foot.len;

    for (size_t i = 0; i < spec->count; i++)
        len += spec->events[i]->text.len;
    if (len > BODY_MAX) {
        error_set(err, ERROR_REFUSED, "a calendar of %zu bytes: at most %d", len, BODY_MAX);
        return NULL;
    }
    making.plain = malloc(len + 1);
    if (!making.plain || deflateInit2(&making.stream, LEVEL, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(making.plain);
        error_set(err, ERROR_TRY_LATER, "no memory for a calendar of %zu bytes", len);
        return NULL;
    }
    making.body = body_new(spec);
    add_frame(&making, spec->head, false);
    for (size_t i = 0, run; i < spec->count; i += run) {
        run = run_of(spec->events + i, spec->count - i);
        add_events(&making, spec->events + i, run);
    }
    add_frame(&making, spec->foot, true);
    deflateEnd(&making.stream);
    making.plain[len] = '\0';
    making.body->plain = (struct text){making.plain, len};
    if (join_packed(making.body, err) < 0) {
        feed_body_drop(making.body);
        return NULL;
    }
    write_etag(making.body, false, making.body->etag);
    write_etag(making.body, true, making.body->etag_gzip);
    return making.body;
}

/* --- Reading ------------------------------------------------------------------------------------------------------ */

struct feed_body *feed_body_hold(struct feed_body *body)
{
    atomic_fetch_add(&body->refs, 1);
    return body;
}

void feed_body_drop(struct feed_body *body)
{
    if (!body || atomic_fetch_sub(&body->refs, 1) != 1)
        return;
    for (size_t i = 0; i < body->piece_count; i++)
        piece_drop(body->pieces[i]);
    free(body->pieces);
    free(body->offsets);
    free((char *)(uintptr_t)body->plain.ptr);
    free((char *)(uintptr_t)body->gzip.ptr);
    free(body);
}

struct text feed_body_plain(const struct feed_body *body)
{
    return body->plain;
}

struct text feed_body_gzip(const struct feed_body *body)
{
    return body->gzip;
}

const char *feed_body_etag(const struct feed_body *body, bool gzip)
{
    return gzip ? body->etag_gzip : body->etag;
}

int64_t feed_body_modified_at_ms(const struct feed_body *body)
{
    return body->modified_at_ms;
}

size_t feed_body_count(const struct feed_body *body)
{
    return body->events;
}

size_t feed_body_packed(const struct feed_body *body)
{
    return body->packed;
}
