#include "mail.h"

#include <ctype.h>
#include <string.h>

enum { BOUNDARY_MAX = 256 }; /* RFC 2046 section 5.1.1 allows 70 */

/* --- Lines and fields --------------------------------------------------------------------------------------------- */

struct text mail_line(struct text *rest)
{
    struct text line = text_cut(rest, '\n');

    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return line;
}

static bool is_folded(struct text rest)
{
    return rest.len > 0 && (rest.ptr[0] == ' ' || rest.ptr[0] == '\t');
}

/* The length of a field's name with the blanks behind it, or 0 when the line holds none (RFC 5322 section 2.2). */
static size_t name_length(struct text line)
{
    size_t len = 0;

    while (len < line.len && line.ptr[len] > ' ' && line.ptr[len] < 0x7F && line.ptr[len] != ':')
        len++;
    size_t end = len;
    while (end < line.len && (line.ptr[end] == ' ' || line.ptr[end] == '\t'))
        end++;
    return len > 0 && end < line.len && line.ptr[end] == ':' ? end : 0;
}

bool mail_next_field(struct text *rest, struct text *name, struct text *value)
{
    while (rest->len > 0) {
        struct text line = mail_line(rest);
        size_t len = name_length(line);
        const char *end = line.ptr + line.len;
        while (is_folded(*rest)) {
            struct text more = mail_line(rest);
            end = more.ptr + more.len;
        }
        if (len == 0)
            continue; /* nothing that this could belong to */
        *name = text_trim(text_slice(line, 0, len));
        *value = text_trim((struct text){line.ptr + len + 1, (size_t)(end - line.ptr) - len - 1});
        return true;
    }
    return false;
}

struct text mail_unfold(struct arena *arena, struct text value)
{
    value = text_slice(value, 0, MAIL_VALUE_MAX);
    char *out = arena_copy(arena, value);
    size_t len = 0;

    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (c == '\r' || c == '\n' || c == '\t' || c == '\0')
            c = ' ';
        if (c != ' ' || (len > 0 && out[len - 1] != ' '))
            out[len++] = c;
    }
    out[len] = '\0';
    return text_trim((struct text){out, len});
}

struct text mail_field(struct arena *arena, struct text headers, const char *wanted, size_t nth)
{
    struct text name, value;

    while (mail_next_field(&headers, &name, &value))
        if (text_equal_nocase(name, text_of(wanted)) && nth-- == 0)
            return mail_unfold(arena, value);
    return (struct text){0};
}

/* --- Where headers end -------------------------------------------------------------------------------------------- */

/* A line that is no field ends them, unless a field follows at once: then it is just a broken one. */
static bool ends_headers(struct text line, struct text rest)
{
    if (name_length(line) > 0)
        return false;
    while (is_folded(rest))
        mail_line(&rest);
    return name_length(mail_line(&rest)) == 0;
}

/* An envelope line of a mailbox file ("From ana@x Sat Nov ..."), where field names would stand. */
static bool is_envelope(struct text line)
{
    return text_starts(line, "From ") || text_starts(line, ">From ");
}

static void split(struct text raw, struct text *headers, struct text *body)
{
    struct text rest = raw;
    const char *from = raw.ptr;
    bool first = true;

    *headers = (struct text){raw.ptr, 0};
    *body = raw;
    while (rest.len > 0) {
        struct text before = rest, line = mail_line(&rest);
        if (line.len == 0) {
            *body = rest;
            return;
        }
        if (first && is_envelope(line)) {
            from = rest.ptr;
            *headers = (struct text){from, 0};
        } else if (!(is_folded(before) && !first) && ends_headers(line, rest)) {
            *body = before; /* the blank line between is missing */
            return;
        }
        first = false;
        *headers = (struct text){from, (size_t)(rest.ptr - from)};
    }
    *body = rest;
}

/* --- What a part is ------------------------------------------------------------------------------------------------
 */

static char *lowered(struct arena *arena, struct text t)
{
    char *out = arena_copy(arena, t);

    for (char *c = out; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return out;
}

/* A parameter of Content-Type, quotes taken off. */
static struct text parameter(struct text value, const char *wanted)
{
    text_cut(&value, ';');
    while (value.len > 0) {
        struct text item = value, name = text_trim(text_cut(&item, '='));
        item = text_trim(item);
        if (item.len > 0 && item.ptr[0] == '"') {
            const char *end = memchr(item.ptr + 1, '"', item.len - 1);
            struct text inside = {item.ptr + 1, end ? (size_t)(end - item.ptr) - 1 : item.len - 1};
            value = text_slice(item, inside.len + 1, item.len);
            item = inside;
            text_cut(&value, ';');
        } else {
            value = item;
            item = text_trim(text_cut(&value, ';'));
        }
        if (text_equal_nocase(name, text_of(wanted)))
            return item;
    }
    return (struct text){0};
}

static struct text main_type(struct arena *arena, struct text content_type)
{
    struct text type = text_cut(&content_type, ';');

    type = text_trim(text_cut(&type, '(')); /* a comment */
    return text_of(lowered(arena, type));
}

/* --- Content-Transfer-Encoding -------------------------------------------------------------------------------------
 */

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

struct text mail_decode_base64(struct arena *arena, struct text t)
{
    char *out = arena_alloc(arena, t.len / 4 * 3 + 4);
    size_t len = 0;
    unsigned bits = 0, have = 0;

    for (size_t i = 0; i < t.len; i++) {
        int value = base64_value(t.ptr[i]);
        if (value < 0)
            continue;
        bits = bits << 6 | (unsigned)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[len++] = (char)(bits >> have & 0xFF);
        }
    }
    return (struct text){out, len};
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* The length of a soft line break that begins behind '=', or 0. */
static size_t soft_break(struct text rest)
{
    size_t i = 0;

    while (i < rest.len && (rest.ptr[i] == ' ' || rest.ptr[i] == '\t' || rest.ptr[i] == '\r'))
        i++;
    return i < rest.len && rest.ptr[i] == '\n' ? i + 1 : 0;
}

static struct text decode_quoted(struct arena *arena, struct text t)
{
    char *out = arena_alloc(arena, t.len + 1);
    size_t len = 0;

    for (size_t i = 0; i < t.len; i++) {
        int high = i + 2 < t.len ? hex_value(t.ptr[i + 1]) : -1, low = high >= 0 ? hex_value(t.ptr[i + 2]) : -1;
        size_t soft = t.ptr[i] == '=' ? soft_break(text_slice(t, i + 1, t.len)) : 0;
        if (t.ptr[i] == '=' && low >= 0) {
            out[len++] = (char)(high << 4 | low);
            i += 2;
        } else if (soft) {
            i += soft;
        } else {
            out[len++] = t.ptr[i];
        }
    }
    return (struct text){out, len};
}

static struct text decoded(struct arena *arena, struct text headers, struct text body)
{
    struct text how = mail_field(arena, headers, "Content-Transfer-Encoding", 0);

    how = text_trim(text_cut(&how, '('));
    if (text_equal_nocase(how, TEXT("base64")))
        return mail_decode_base64(arena, body);
    if (text_equal_nocase(how, TEXT("quoted-printable")))
        return decode_quoted(arena, body);
    return body;
}

/* --- Parts -----------------------------------------------------------------------------------------------------------
 */

static void read_entity(struct mail *mail, struct text raw, const char *fallback, bool returned, unsigned depth);

/* Where no boundary is named, or none that occurs: the first line that looks like one, with a part's headers behind. */
static struct text guess_boundary(struct text body)
{
    while (body.len > 0) {
        struct text line = text_trim(mail_line(&body)), next = body;
        if (text_starts(line, "--") && line.len > 4 && line.len < BOUNDARY_MAX &&
            text_equal_nocase(text_slice(mail_line(&next), 0, 8), TEXT("Content-")))
            return text_slice(line, 2, line.len);
    }
    return (struct text){0};
}

static bool is_delimiter(struct text line, struct text boundary, bool *last)
{
    if (!text_starts(line, "--") || !text_equal(text_slice(line, 2, 2 + boundary.len), boundary))
        return false;
    struct text behind = text_trim(text_slice(line, 2 + boundary.len, line.len));
    *last = text_starts(behind, "--");
    return *last || behind.len == 0;
}

/* 0 when the boundary does not occur. */
static size_t read_parts(struct mail *mail, struct text body, struct text boundary, const char *fallback, bool returned,
                         unsigned depth)
{
    const char *from = NULL;
    size_t found = 0;
    bool last = false;

    while (body.len > 0 && !last) {
        struct text before = body, line = mail_line(&body);
        if (!is_delimiter(line, boundary, &last))
            continue;
        if (from)
            read_entity(mail, (struct text){from, (size_t)(before.ptr - from)}, fallback, returned, depth);
        from = last ? NULL : body.ptr;
        found++;
    }
    if (from && body.ptr > from) /* cut short: the end is missing */
        read_entity(mail, (struct text){from, (size_t)(body.ptr - from)}, fallback, returned, depth);
    return found;
}

static void read_multipart(struct mail *mail, struct mail_part *part, struct text body, struct text content_type,
                           unsigned depth)
{
    struct text boundary = text_slice(parameter(content_type, "boundary"), 0, BOUNDARY_MAX);
    const char *fallback = text_is(part->type, "multipart/digest") ? "message/rfc822" : "text/plain";

    if (boundary.len && read_parts(mail, body, boundary, fallback, part->returned, depth))
        return;
    boundary = guess_boundary(body);
    if (!boundary.len || !read_parts(mail, body, boundary, fallback, part->returned, depth))
        part->body = body; /* read as text, then */
}

static bool is_one_of(struct text type, const char *const *list)
{
    for (; *list; list++)
        if (text_is(type, *list))
            return true;
    return false;
}

static void read_entity(struct mail *mail, struct text raw, const char *fallback, bool returned, unsigned depth)
{
    static const char *const messages[] = {
        "message/rfc822",  "message/global",         "text/rfc822-headers", "message/rfc822-headers",
        "message/rfc2822", "message/global-headers", "text/rfc822",         NULL};
    struct text body;

    if (mail->count == MAIL_PARTS_MAX)
        return;
    struct mail_part *part = &mail->parts[mail->count++];
    *part = (struct mail_part){.returned = returned};
    split(raw, &part->headers, &body);
    struct text content_type = mail_field(&mail->arena, part->headers, "Content-Type", 0);
    part->type = content_type.len ? main_type(&mail->arena, content_type) : text_of(fallback);

    if (text_starts(part->type, "multipart/")) {
        if (depth < MAIL_DEPTH_MAX)
            read_multipart(mail, part, body, content_type, depth + 1);
    } else if (is_one_of(part->type, messages)) {
        if (depth < MAIL_DEPTH_MAX)
            read_entity(mail, decoded(&mail->arena, part->headers, body), "text/plain", true, depth + 1);
    } else if (text_starts(part->type, "text/") || text_starts(part->type, "message/") ||
               !strchr(part->type.ptr, '/')) {
        part->body = decoded(&mail->arena, part->headers, body);
    }
}

void mail_read(struct mail *mail, struct text raw)
{
    *mail = (struct mail){0};
    raw = text_slice(raw, 0, MAIL_LOOK_MAX);
    read_entity(mail, raw.ptr ? raw : TEXT(""), "text/plain", false, 0);
}

void mail_clear(struct mail *mail)
{
    arena_clear(&mail->arena);
    mail->count = 0;
}
