#include "mime.h"

#include "clock.h"

#include <assert.h>
#include <string.h>

enum {
    LINE_GOOD = 76,   /* bytes of a line without its end: what RFC 2045 and 2047 ask for */
    LINE_LIMIT = 998, /* and what RFC 5322 section 2.1.1 allows */
    WORD_MAX = 75,    /* of an encoded word, RFC 2047 section 2 */
    HEADER_TEXT_MAX = 4096,
    BOUNDARY_MAX = 38, /* bytes of the id in a boundary */
    COMMON_MAX = 16 * 1024,
};

static const char hex[] = "0123456789ABCDEF";

/* --- Text in headers ---------------------------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at `at`, 0 when there is none. */
static size_t character_len(struct text t, size_t at)
{
    unsigned char c = (unsigned char)t.ptr[at];
    size_t len = c < 0x80 ? 1 : c >= 0xC2 && c < 0xE0 ? 2 : c >= 0xE0 && c < 0xF0 ? 3 : c >= 0xF0 && c < 0xF5 ? 4 : 0;

    if (len == 0 || len > t.len - at)
        return 0;
    return len == 1 || text_is_utf8(text_slice(t, at, at + len)) ? len : 0;
}

/* Line ends, controls (C0, DEL, C1) and what turns text around or breaks lines in Unicode. */
static bool is_control(struct text c)
{
    const unsigned char *b = (const unsigned char *)c.ptr;

    if (c.len == 1)
        return b[0] < ' ' || b[0] == 0x7F;
    if (c.len == 2)
        return b[0] == 0xC2 && b[1] < 0xA0;
    return c.len == 3 && b[0] == 0xE2 && /* U+2028..U+202E, U+2066..U+2069 */
           ((b[1] == 0x80 && b[2] >= 0xA8 && b[2] <= 0xAE) || (b[1] == 0x81 && b[2] >= 0xA6 && b[2] <= 0xA9));
}

/* Valid UTF-8 without controls, runs of blanks as one, none at the ends. */
static void clean(struct text t, struct buf *out)
{
    bool blank = false;

    for (size_t i = 0, len; i < t.len; i += len) {
        len = character_len(t, i);
        struct text c = len ? text_slice(t, i, i + len) : TEXT("?");
        len += len == 0;
        if (c.ptr[0] == ' ' || is_control(c)) {
            blank = out->len > 0;
            continue;
        }
        if (blank)
            buf_addc(out, ' ');
        blank = false;
        buf_add_text(out, c);
    }
}

/* What there is to show of a value: itself where it is clean already, else written to `room`. */
static struct text cleaned(struct text given, struct buf *room)
{
    char before = ' ';

    given = text_slice(given, 0, HEADER_TEXT_MAX / 2);
    for (size_t i = 0; i < given.len; before = given.ptr[i++])
        if (given.ptr[i] < ' ' || given.ptr[i] == 0x7F || (before == ' ' && given.ptr[i] == ' ')) {
            before = ' ';
            break;
        }
    if (given.len == 0 || before != ' ')
        return given;
    clean(given, room);
    return buf_text(room);
}

/* A header while it is written: folded before `LINE_GOOD` wherever that is allowed. */
struct header {
    struct buf *out;
    size_t column; /* bytes on this line */
};

static void put(struct header *h, struct text t)
{
    buf_add_text(h->out, t);
    h->column += t.len;
}

/* A piece that must stay whole, behind a blank or a fold. */
static void put_word(struct header *h, struct text t)
{
    if (h->column + 1 + t.len > LINE_GOOD) {
        buf_adds(h->out, "\r\n");
        h->column = 0;
    }
    put(h, TEXT(" "));
    put(h, t);
}

static bool q_is_plain(unsigned char c) /* RFC 2047 section 5 (3): fit for phrases too */
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || strchr("!*+-/", c);
}

static size_t q_len(struct text c)
{
    if (c.len > 1)
        return 3 * c.len;
    return c.ptr[0] == ' ' || q_is_plain((unsigned char)c.ptr[0]) ? 1 : 3;
}

static void q_encode(struct buf *out, struct text t)
{
    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        if (c == ' ')
            buf_addc(out, '_');
        else if (c < 0x80 && q_is_plain(c))
            buf_addc(out, (char)c);
        else
            buf_add(out, (char[]){'=', hex[c >> 4], hex[c & 15]}, 3);
    }
}

static void b_encode(struct buf *out, struct text t)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < t.len; i += 3) {
        unsigned char b[3] = {0};
        size_t n = t.len - i < 3 ? t.len - i : 3;
        memcpy(b, t.ptr + i, n);
        char four[4] = {digits[b[0] >> 2], digits[(b[0] & 3) << 4 | b[1] >> 4],
                        n > 1 ? digits[(b[1] & 15) << 2 | b[2] >> 6] : '=', n > 2 ? digits[b[2] & 63] : '='};
        buf_add(out, four, 4);
    }
}

/* Encoded words, B or Q by what is shorter, no character split between two. `t` is clean. */
static void put_encoded(struct header *h, struct text t)
{
    enum { AROUND = 12 }; /* what stands around the encoded text of a word */
    size_t q_all = 0;

    for (size_t i = 0, len; i < t.len; i += len) {
        len = character_len(t, i);
        q_all += q_len(text_slice(t, i, i + len));
    }
    bool q = q_all <= (t.len + 2) / 3 * 4;
    while (t.len > 0) {
        size_t taken = 0, written = 0;
        if (h->column + 1 + AROUND + 12 > LINE_GOOD) /* 12: any one character, encoded */
            h->column = LINE_GOOD;
        size_t room = (h->column == LINE_GOOD ? WORD_MAX : LINE_GOOD - h->column - 1) - AROUND;
        while (taken < t.len) {
            size_t len = character_len(t, taken);
            size_t more = q ? written + q_len(text_slice(t, taken, taken + len)) : (taken + len + 2) / 3 * 4;
            if (more > room)
                break;
            written = more;
            taken += len;
        }
        auto_buf struct buf word;
        buf_init(&word, WORD_MAX);
        buf_adds(&word, q ? "=?UTF-8?Q?" : "=?UTF-8?B?");
        (q ? q_encode : b_encode)(&word, text_slice(t, 0, taken));
        buf_adds(&word, "?=");
        put_word(h, buf_text(&word));
        t = text_slice(t, taken, t.len);
    }
}

/* May it stand as it is, folded at its blanks? Nothing that looks like an encoded word, no word too long for a line. */
static bool is_plain(struct text t)
{
    size_t word = 0;

    for (size_t i = 0; i < t.len; i++) {
        word = t.ptr[i] == ' ' ? 0 : word + 1;
        if ((unsigned char)t.ptr[i] >= 0x7F || word > 60)
            return false;
    }
    return t.len == 0 || !memmem(t.ptr, t.len, "=?", 2);
}

static void put_words(struct header *h, struct text t)
{
    while (t.len > 0)
        put_word(h, text_cut(&t, ' '));
}

/* Subject and the like. */
static void put_unstructured(struct header *h, struct text given)
{
    auto_buf struct buf room;

    buf_init(&room, HEADER_TEXT_MAX);
    struct text text = cleaned(given, &room);
    if (is_plain(text))
        put_words(h, text);
    else
        put_encoded(h, text);
}

static bool is_atom(char c) /* of printable ones: may it stand outside quotes (RFC 5322 section 3.2.3)? */
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == ' ' ||
           !strchr("()<>[]:;@\\,.\"", c);
}

/* A name before an address or a list's id: bare atoms, a quoted string, or encoded words. False: there is none. */
static bool put_phrase(struct header *h, struct text given)
{
    auto_buf struct buf room;
    bool atoms = true;

    buf_init(&room, HEADER_TEXT_MAX);
    struct text text = cleaned(given, &room);
    for (size_t i = 0; i < text.len; i++)
        atoms &= is_atom(text.ptr[i]);
    if (!is_plain(text) || (!atoms && text.len > 60)) {
        put_encoded(h, text);
    } else if (atoms) {
        put_words(h, text);
    } else {
        auto_buf struct buf quoted;
        buf_init(&quoted, HEADER_TEXT_MAX);
        buf_addc(&quoted, '"');
        for (size_t i = 0; i < text.len; i++) {
            if (text.ptr[i] == '"' || text.ptr[i] == '\\')
                buf_addc(&quoted, '\\');
            buf_addc(&quoted, text.ptr[i]);
        }
        buf_addc(&quoted, '"');
        put_word(h, buf_text(&quoted));
    }
    return text.len > 0;
}

/* --- Headers ------------------------------------------------------------------------------------------------------ */

static struct header header(struct buf *out, const char *name)
{
    size_t start = out->len;

    buf_adds(out, name);
    buf_addc(out, ':');
    return (struct header){out, out->len - start};
}

/* Something in angle brackets; it may not be split, so a long one gets a line of its own. */
static void put_angle(struct header *h, struct text t)
{
    if (h->column + 3 + t.len > LINE_GOOD)
        h->column = LINE_GOOD;
    put_word(h, TEXT("<"));
    put(h, t);
    put(h, TEXT(">"));
}

static void add_mailbox(struct buf *out, const char *name, struct text phrase, const char *address)
{
    struct header h = header(out, name);

    if (put_phrase(&h, phrase)) {
        put_angle(&h, text_of(address));
    } else {
        put(&h, TEXT(" "));
        put(&h, text_of(address));
    }
    buf_adds(out, "\r\n");
}

static void add_angle(struct buf *out, const char *name, struct text phrase, struct text value)
{
    struct header h = header(out, name);

    put_phrase(&h, phrase);
    put_angle(&h, value);
    buf_adds(out, "\r\n");
}

static void add_date(struct buf *out, int64_t at_ms)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct civil c = civil_of(at_ms);
    char line[64];

    snprintf(line, sizeof line, "Date: %s, %02d %s %04d %02d:%02d:%02d +0000\r\n", days[civil_weekday(c)], c.day,
             months[c.month - 1], c.year, c.hour, c.minute, c.second);
    buf_adds(out, line);
}

/* Visible ASCII that can stand between < and >. */
static bool fits_angle(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (t.ptr[i] <= ' ' || t.ptr[i] >= 0x7F || t.ptr[i] == '<' || t.ptr[i] == '>' || t.ptr[i] == '"' ||
            t.ptr[i] == '\\')
            return false;
    return t.len > 0 && t.len + 3 <= LINE_LIMIT;
}

/* On trial, on one machine: RFC 8058 section 3.1 wants https of everybody else. */
static bool is_loopback(struct text url)
{
    static const char *const hosts[] = {"127.0.0.1", "localhost", "[::1]"};
    struct text host = text_slice(url, strlen("http://"), url.len);

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct text rest = text_slice(host, strlen(hosts[i]), host.len);
        if (text_starts(host, hosts[i]) && (rest.len == 0 || rest.ptr[0] == ':' || rest.ptr[0] == '/'))
            return true;
    }
    return false;
}

static int check(const struct mime_message *m, struct error *err)
{
    if (!fits_angle(text_of(m->from_address)) || !fits_angle(text_of(m->to_address)))
        return error_set(err, ERROR_REFUSED, "an address that cannot stand in a header");
    if (m->reply_to && !fits_angle(text_of(m->reply_to)))
        return error_set(err, ERROR_CONFIG, "reply_to cannot stand in a header");
    if (!fits_angle(text_of(m->message_id)) || !strchr(m->message_id, '@'))
        return error_set(err, ERROR_CONFIG, "expected a message id such as token@arena.example");
    if (m->list_id && !fits_angle(text_of(m->list_id)))
        return error_set(err, ERROR_CONFIG, "expected a list id such as openings.arena.example");
    if (m->date_ms < 0 || civil_of(m->date_ms).year > 9999)
        return error_set(err, ERROR_CONFIG, "a date that no mail can carry");
    if (m->unsubscribe_url.len == 0)
        return 0;
    if (!fits_angle(m->unsubscribe_url))
        return error_set(err, ERROR_REFUSED,
                         "the unsubscribe link cannot stand in a header: it has blanks, quotes, letters outside ASCII "
                         "or over %d bytes",
                         LINE_LIMIT - 3);
    if (!text_starts(m->unsubscribe_url, "https://") &&
        (!text_starts(m->unsubscribe_url, "http://") || (m->one_click && !is_loopback(m->unsubscribe_url))))
        return error_set(err, ERROR_CONFIG, "expected an unsubscribe link that starts with https://");
    return 0;
}

static void add_sender(struct buf *out, const struct mime_message *m)
{
    add_date(out, m->date_ms);
    add_mailbox(out, "From", text_of(m->from_name), m->from_address);
}

void mime_subject(struct text subject, struct buf *out)
{
    struct header h = header(out, "Subject");

    put_unstructured(&h, subject);
    buf_adds(out, "\r\n");
}

static void add_list(struct buf *out, const struct mime_message *m)
{
    if (m->list_id)
        add_angle(out, "List-Id", text_of(m->list_id_name), text_of(m->list_id));
}

void mime_common_init(struct mime_common *common, const struct mime_message *like)
{
    buf_init(&common->sender, COMMON_MAX);
    buf_init(&common->subject, COMMON_MAX);
    buf_init(&common->list, COMMON_MAX);
    add_sender(&common->sender, like);
    add_list(&common->list, like);
}

void mime_common_clear(struct mime_common *common)
{
    buf_clear(&common->sender);
    buf_clear(&common->subject);
    buf_clear(&common->list);
}

static void add_headers(struct buf *out, const struct mime_message *m, const struct mime_common *common)
{
    static const struct mime_common nothing;

    if (!common)
        common = &nothing;
    if (common->sender.len > 0)
        buf_add_text(out, buf_text(&common->sender));
    else
        add_sender(out, m);
    add_mailbox(out, "To", m->to_name, m->to_address);
    if (m->reply_to)
        add_mailbox(out, "Reply-To", (struct text){0}, m->reply_to);
    if (common->subject.len > 0)
        buf_add_text(out, buf_text(&common->subject));
    else
        mime_subject(m->subject, out);
    add_angle(out, "Message-ID", (struct text){0}, text_of(m->message_id));
    if (common->list.len > 0)
        buf_add_text(out, buf_text(&common->list));
    else
        add_list(out, m);
    if (m->unsubscribe_url.len > 0) {
        add_angle(out, "List-Unsubscribe", (struct text){0}, m->unsubscribe_url);
        if (m->one_click)
            buf_adds(out, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
    }
    buf_adds(out, "Auto-Submitted: auto-generated\r\n"
                  "Precedence: bulk\r\n");
    if (m->extra)
        buf_adds(out, m->extra);
    buf_adds(out, "MIME-Version: 1.0\r\n");
}

/* --- Bodies ------------------------------------------------------------------------------------------------------- */

/* How a body is put together: the texts of a message side by side, and around them what is attached. Boundaries are of
 * the message id, so that the same message has the same bytes; "=_" cannot occur in quoted-printable, "=" not in an id,
 * so that neither begins with the other. */
static const char around_both[] = "=_", around_all[] = "=_=";

static void add_boundary(struct buf *out, const struct mime_message *message, const char *kind)
{
    char id[BOUNDARY_MAX];
    size_t len = 0;

    for (const char *c = message->message_id; *c && *c != '@' && len < BOUNDARY_MAX; c++)
        if ((*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z'))
            id[len++] = *c;
    buf_adds(out, kind);
    buf_add(out, id, len);
}

static void add_multipart(struct buf *out, const struct mime_message *message, const char *type, const char *kind)
{
    buf_adds(out, "Content-Type: multipart/");
    buf_adds(out, type);
    buf_adds(out, ";\r\n boundary=\"");
    add_boundary(out, message, kind);
    buf_adds(out, "\"\r\n");
}

static void add_delimiter(struct buf *out, const struct mime_message *message, const char *kind, const char *end)
{
    buf_adds(out, "\r\n--");
    add_boundary(out, message, kind);
    buf_adds(out, end);
}

int mime_begin(const struct mime_message *message, const struct mime_common *common, bool both, struct buf *out,
               struct error *err)
{
    if (check(message, err) < 0)
        return -1;
    add_headers(out, message, common);
    if (message->attachment.len > 0) {
        add_multipart(out, message, "mixed", around_all);
        add_delimiter(out, message, around_all, "\r\n");
    }
    if (both)
        add_multipart(out, message, "alternative", around_both);
    return 0;
}

void mime_part(const struct mime_message *message, enum mime_part part, bool both, struct buf *out)
{
    static const char *const types[] = {[MIME_TEXT] = "text/plain", [MIME_HTML] = "text/html"};

    if (both)
        add_delimiter(out, message, around_both, "\r\n");
    buf_adds(out, "Content-Type: ");
    buf_adds(out, types[part]);
    buf_adds(out, "; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
}

void mime_attachment(const char *type, const char *name, struct text text, struct buf *out)
{
    buf_addf(out,
             "Content-Type: %s; charset=utf-8;\r\n name=\"%s\"\r\n"
             "Content-Disposition: attachment; filename=\"%s\"\r\n"
             "Content-Transfer-Encoding: quoted-printable\r\n\r\n",
             type, name, name);
    mime_quote(text, out);
}

int mime_end(const struct mime_message *message, bool both, struct buf *out, struct error *err)
{
    if (both)
        add_delimiter(out, message, around_both, "--\r\n");
    if (message->attachment.len > 0) {
        add_delimiter(out, message, around_all, "\r\n");
        buf_add_text(out, message->attachment);
        add_delimiter(out, message, around_all, "--\r\n");
    }
    if (buf_failed(out))
        return error_set(err, ERROR_REFUSED, "a message over %zu bytes", out->limit);
    return 0;
}

int mime_build(const struct mime_message *message, struct buf *out, struct error *err)
{
    bool both = message->html.len > 0;

    if (mime_begin(message, NULL, both, out, err) < 0)
        return -1;
    mime_part(message, MIME_TEXT, both, out);
    mime_quote(message->text, out);
    if (both) {
        mime_part(message, MIME_HTML, both, out);
        mime_quote(message->html, out);
    }
    return mime_end(message, both, out, err);
}

int mime_verp(const char *envelope_from, const char *token, struct buf *out)
{
    const char *at = strrchr(envelope_from, '@');

    if (!at)
        return -1;
    buf_addf(out, "%.*s+%s%s", (int)(at - envelope_from), envelope_from, token, at);
    return buf_failed(out) ? -1 : 0;
}
