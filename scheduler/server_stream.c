#include "server_private.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

enum {
    KEPT_SIZE = 1024,
    READ_SIZE = 1024, /* what libmicrohttpd reads of a stream at once for who speaks HTTP/1.0 */
};

/* Freed with the response that reads from it. */
struct server_stream {
    struct server_request *request; /* NULL: it has ended */
    struct buf waiting;             /* written, not yet taken by the response */
    size_t taken;                   /* of its beginning */
    server_closed_fn *closed;       /* NULL: nobody wants to hear of it */
    void *ctx;
    bool ended, dropped;
};

static ssize_t on_read(void *cls, uint64_t at, char *out, size_t max)
{
    struct server_stream *stream = cls;
    size_t size = stream->waiting.len - stream->taken;

    (void)at;
    if (stream->dropped || !stream->request)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (size > 0) {
        size = size < max ? size : max;
        memcpy(out, stream->waiting.ptr + stream->taken, size);
        stream->taken += size;
        return (ssize_t)size;
    }
    if (stream->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (stream->waiting.cap > KEPT_SIZE) /* of a burst; a thousand of them wait, mostly for nothing */
        buf_clear(&stream->waiting);
    stream->waiting.len = stream->taken = 0;
    stream->request->suspended = true; /* until something is written */
    MHD_suspend_connection(stream->request->connection);
    return 0;
}

static void on_freed(void *cls)
{
    struct server_stream *stream = cls;

    if (stream->request)
        stream->request->stream = NULL;
    if (stream->closed)
        stream->closed(stream->ctx);
    buf_clear(&stream->waiting);
    free(stream);
}

struct server_stream *server_stream_open(struct server_request *request, const char *type, server_closed_fn *closed,
                                         void *ctx)
{
    struct server_stream *stream = must_calloc(1, sizeof *stream);
    struct server_field fields[] = {
        {"Content-Type", type},
        {"X-Accel-Buffering", "no"}, /* nginx would keep events to itself until it has 4 KB of them */
    };

    *stream = (struct server_stream){.request = request, .closed = closed, .ctx = ctx};
    buf_init(&stream->waiting, SERVER_STREAM_MAX);
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, READ_SIZE, on_read, stream, on_freed);
    assert(response); /* memory does not run out here: must_calloc() */
    request->stream = stream;
    request->takes_long = true;
    server_respond(request, 200, response, fields, ARRAY_LEN(fields));
    return stream;
}

/* The response notices at its next reading. */
void server_stream_drop(struct server_stream *stream)
{
    int fd = stream->request ? server_request_fd(stream->request) : -1;

    stream->dropped = true;
    if (!stream->request)
        return;
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR); /* it may be waiting for room that never comes */
    server_request_resume(stream->request);
}

void server_stream_forget(struct server_stream *stream)
{
    stream->request = NULL;
}

bool server_stream_write(struct server_stream *stream, struct text bytes)
{
    struct buf *waiting = &stream->waiting;

    if (stream->dropped || !stream->request)
        return false;
    if (stream->taken == waiting->len || waiting->len + bytes.len > waiting->limit) {
        waiting->len -= stream->taken;
        if (waiting->len > 0)
            memmove(waiting->ptr, waiting->ptr + stream->taken, waiting->len);
        stream->taken = 0;
    }
    buf_add_text(waiting, bytes);
    if (buf_failed(waiting)) {
        server_stream_drop(stream);
        return false;
    }
    server_request_resume(stream->request);
    return true;
}

bool server_stream_ended(const struct server_stream *stream)
{
    return stream->ended;
}

size_t server_stream_waiting(const struct server_stream *stream)
{
    return stream->waiting.len - stream->taken;
}

void server_stream_end(struct server_stream *stream)
{
    stream->closed = NULL;
    stream->ended = true;
    if (stream->request)
        server_request_resume(stream->request);
}
