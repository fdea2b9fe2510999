/* Values from outside in one message: only CRLF, no long line, exactly our headers, whatever they hold. The input is
 * cut at NUL bytes: subject, name, sender's name, link, text, HTML, what is attached. */
#include "mime.h"

#include <assert.h>
#include <string.h>

static void check_lines(struct text raw)
{
    while (raw.len > 0) {
        const char *end = memmem(raw.ptr, raw.len, "\r\n", 2);
        assert(end && end - raw.ptr <= 998);
        struct text line = text_slice(raw, 0, (size_t)(end - raw.ptr));
        assert(!line.len || (!memchr(line.ptr, '\n', line.len) && !memchr(line.ptr, '\r', line.len)));
        raw = text_slice(raw, line.len + 2, raw.len);
    }
}

static void check_headers(struct text raw, size_t expected)
{
    size_t count = 0;

    for (;;) {
        struct text line = text_cut(&raw, '\n');
        if (text_is(line, "\r"))
            break;
        count += line.ptr[0] != ' ';
    }
    assert(count == expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text rest = {(const char *)data, size}, parts[7];
    auto_free char *from_name = NULL;
    auto_buf struct buf raw, attachment;
    struct error err = {0};

    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        parts[i] = text_cut(&rest, '\0');
    from_name = text_dup(parts[2]);
    buf_init(&attachment, 8 * 1024 * 1024);
    if (parts[6].len > 0)
        mime_attachment("text/calendar", "sale.ics", parts[6], &attachment);
    struct mime_message message = {
        .from_name = from_name,
        .from_address = "tickets@arena.example",
        .to_name = parts[1],
        .to_address = "ana@fans.example",
        .subject = parts[0],
        .message_id = "token@arena.example",
        .list_id_name = from_name,
        .list_id = "openings.arena.example",
        .unsubscribe_url = parts[3],
        .one_click = size % 2,
        .text = parts[4],
        .html = parts[5],
        .attachment = buf_text(&attachment),
    };
    buf_init(&raw, 8 * 1024 * 1024);
    if (mime_build(&message, &raw, &err) < 0) {
        assert(err.kind != ERROR_NONE);
        return 0;
    }
    check_lines(buf_text(&raw));
    check_headers(buf_text(&raw), 10 + (parts[3].len > 0) + (parts[3].len > 0 && message.one_click) +
                                      (parts[5].len == 0 && parts[6].len == 0));
    return 0;
}
