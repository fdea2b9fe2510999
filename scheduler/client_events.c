#include "client_events.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum {
    HEAD_MAX = 16 * 1024,
    LINE_MAX_SIZE = 64 * 1024,
    SILENCE_MS = 45 * SECOND_MS, /* three heartbeats */
};

struct client_events {
    int fd;        /* -1: not open */
    struct buf in; /* read, from `taken` on not looked at yet */
    size_t taken;
    char id[64], type[32]; /* of the event whose lines are being read; the id stays */
    struct buf data;
};

struct client_events *client_events_new(void)
{
    struct client_events *events = must_calloc(1, sizeof *events);

    events->fd = -1;
    buf_init(&events->in, HEAD_MAX + LINE_MAX_SIZE);
    buf_init(&events->data, LINE_MAX_SIZE);
    return events;
}

static void hang_up(struct client_events *events)
{
    if (events->fd >= 0)
        close(events->fd);
    events->fd = -1;
    events->type[0] = '\0';
    events->taken = 0;
    buf_reset(&events->in);
    buf_reset(&events->data);
}

void client_events_free(struct client_events *events)
{
    if (!events)
        return;
    hang_up(events);
    buf_clear(&events->in);
    buf_clear(&events->data);
    free(events);
}

/* What else has come. CLIENT_EVENT: something. */
static enum client_next read_more(struct client_events *events, int wake_fd)
{
    struct pollfd fds[] = {{events->fd, POLLIN, 0}, {wake_fd, POLLIN, 0}};
    char part[4096];
    int ready;

    do
        ready = poll(fds, ARRAY_LEN(fds), SILENCE_MS);
    while (ready < 0 && errno == EINTR);
    if (fds[1].revents)
        return CLIENT_WOKEN;
    ssize_t n = ready > 0 ? read(events->fd, part, sizeof part) : 0;
    if (n <= 0)
        return CLIENT_OVER;
    if (events->taken > 0) {
        events->in.len -= events->taken;
        memmove(events->in.ptr, events->in.ptr + events->taken, events->in.len);
        events->taken = 0;
    }
    buf_add(&events->in, part, (size_t)n);
    return buf_failed(&events->in) ? CLIENT_OVER : CLIENT_EVENT;
}

static bool take_line(struct client_events *events, struct text *line)
{
    struct text rest = {events->in.ptr + events->taken, events->in.len - events->taken};
    const char *end = rest.len ? memchr(rest.ptr, '\n', rest.len) : NULL;

    if (!end)
        return false;
    *line = (struct text){rest.ptr, (size_t)(end - rest.ptr)};
    events->taken += line->len + 1;
    if (line->len > 0 && line->ptr[line->len - 1] == '\r')
        line->len--;
    return true;
}

/* --- The beginning ------------------------------------------------------------------------------------------------ */

/* A refusal is problem details, to the end of the connection. */
static int refused(struct client_events *events, struct error *err)
{
    while (read_more(events, -1) == CLIENT_EVENT)
        continue;
    json_t *problem = json_loadb(events->in.ptr + events->taken, events->in.len - events->taken, 0, NULL);
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    error_set(err, ERROR_REFUSED, "%s", detail ? detail : "the daemon refused");
    json_decref(problem);
    return -1;
}

static int read_head(struct client_events *events, struct error *err)
{
    struct text line = {0}, status = {0};
    bool first = true, fine = false;

    for (;;) {
        while (!take_line(events, &line))
            if (read_more(events, -1) != CLIENT_EVENT)
                return error_set(err, ERROR_TRY_LATER, "the daemon gave no answer");
        if (line.len == 0)
            break;
        if (first) {
            text_cut(&line, ' ');
            status = text_cut(&line, ' ');
            fine = text_is(status, "200");
            first = false;
        }
    }
    return fine ? 0 : refused(events, err);
}

int client_events_open(struct client_events *events, const struct client *client, const char *query, struct error *err)
{
    auto_buf struct buf asked = {0};

    hang_up(events);
    int found = client_connect(client, &events->fd, err);
    if (found != 0)
        return found;
    buf_init(&asked, 4096);
    /* By HTTP/1.0, whose answers are bare until the end of the connection. */
    buf_addf(&asked, "GET /api/v1/events%s%s HTTP/1.0\r\nHost: onsale\r\n", *query ? "?" : "", query);
    if (*events->id)
        buf_addf(&asked, "Last-Event-ID: %s\r\n", events->id);
    buf_adds(&asked, "\r\n");
    if (send(events->fd, asked.ptr, asked.len, MSG_NOSIGNAL) != (ssize_t)asked.len)
        return error_set(err, ERROR_TRY_LATER, "%s: %s", client->socket, strerror(errno));
    return read_head(events, err);
}

/* --- Lines -------------------------------------------------------------------------------------------------------- */

static void keep(char *out, size_t size, struct text value)
{
    snprintf(out, size, "%.*s", TEXT_ARGS(value));
}

/* True at the end of an event that says something. */
static bool take_field(struct client_events *events, struct text line)
{
    struct text value = line, name = text_cut(&value, ':');

    if (line.len == 0)
        return events->data.len > 0;
    if (text_starts(value, " "))
        value = text_slice(value, 1, value.len);
    if (text_is(name, "id"))
        keep(events->id, sizeof events->id, value);
    else if (text_is(name, "event"))
        keep(events->type, sizeof events->type, value);
    else if (text_is(name, "data"))
        buf_add_text(&events->data, value);
    return false;
}

enum client_next client_events_next(struct client_events *events, int wake_fd, struct client_event *out)
{
    struct text line;

    buf_reset(&events->data);
    events->type[0] = '\0';
    for (;;) {
        while (!take_line(events, &line)) {
            enum client_next more = read_more(events, wake_fd);
            if (more != CLIENT_EVENT)
                return more;
        }
        if (!take_field(events, line))
            continue;
        *out = (struct client_event){.id = events->id, .type = events->type};
        out->data = json_loadb(events->data.ptr, events->data.len, 0, NULL);
        return out->data ? CLIENT_EVENT : CLIENT_OVER;
    }
}
