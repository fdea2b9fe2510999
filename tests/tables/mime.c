/* Invariants of the wire form over hostile values. With a folder named in MIME_JUDGE every message is written there as
 * well, with what it was made of, for tests/e2e/mime_judge.py: Python's email package reads them back. */
#include "mime.h"
#include "table.h"

#include <string.h>

static const char *const hostile[] = {
    "Summer Nights: tickets are on sale",
    "Caf\xC3\xA9 Live \xE2\x80\x93 tickets \xF0\x9F\x8E\xAB on sale",
    "",
    " ",
    "x",
    "Ana\r\nBcc: victim@arena.example",
    "Ana\nBcc: victim@arena.example\n\nbody",
    "Ana\rX-Evil: yes",
    "\x01\x02\x7F\xC2\x85",
    "a\xE2\x80\xA8"
    "b\xE2\x80\xAE"
    "c",
    "bad \xFF\xFE utf-8 \xC3",
    "=?UTF-8?Q?looks_encoded?=",
    "Arena, Inc. <sales@arena.example>",
    "\"quoted\" \\ back",
    "O'Hara & Sons (Berlin); a@b",
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhhhhhhhiiiiiiiiiijjjjjjjjjj",
    "a long subject of plain words that needs more than one line because it has more than seventy-eight characters in "
    "it",
    "\xE5\xA4\x8F\xE3\x81\xAE\xE5\xA4\x9C\xE3\x81\xAE\xE3\x82\xB3\xE3\x83\xB3\xE3\x82\xB5\xE3\x83\xBC\xE3\x83\x88"
    "\xE3\x81\xAE\xE3\x83\x81\xE3\x82\xB1\xE3\x83\x83\xE3\x83\x88\xE3\x81\x8C\xE7\x99\xBA\xE5\xA3\xB2\xE3\x81\x95"
    "\xE3\x82\x8C\xE3\x81\xBE\xE3\x81\x97\xE3\x81\x9F\xE3\x80\x82\xE4\xBB\x8A\xE3\x81\x99\xE3\x81\x90\xE8\xB3\xBC",
    "mostly plain words with one \xC3\xA9 in a text that is so long that it cannot stand on one line of a header at "
    "all",
    "\xF0\x9F\x8E\xAB\xF0\x9F\x8E\xAB\xF0\x9F\x8E\xAB\xF0\x9F\x8E\xAB\xF0\x9F\x8E\xAB\xF0\x9F\x8E\xAB\xF0\x9F\x8E\xAB"
    "\xF0\x9F\x8E\xAB\xF0\x9F\x8E\xAB\xF0\x9F\x8E\xAB\xF0\x9F\x8E\xAB\xF0\x9F\x8E\xAB\xF0\x9F\x8E\xAB\xF0\x9F\x8E\xAB",
};

static const char *const bodies[] = {
    "Hello",
    "Hello\n",
    "",
    "\n",
    "a\r\nb\rc\nd",
    ".\n..\n.x\nFrom me\n>From",
    "blank at end \ntab at end\t\n \n",
    "equals = and =3D and =\n",
    "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9",
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhhh",
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhhhh",
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhh.jjj",
    "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghhhhh From here",
    "--=_token0\n--=_token0--\n",
    "controls \x01\x02\x7F end",
};

static const struct mime_message plain_message = {
    .from_name = "Arena Tickets",
    .from_address = "tickets@arena.example",
    .to_name = {"Ana", 3},
    .to_address = "ana@fans.example",
    .subject = {"On sale", 7},
    .message_id = "token0@arena.example",
    .date_ms = 1795251600000, /* 2026-11-21T09:00:00Z, a Saturday */
    .list_id_name = "Arena openings",
    .list_id = "openings.arena.example",
    .unsubscribe_url = {"https://u.arena.example/u/AbC", 29},
    .one_click = true,
    .text = {"Hello\n", 6},
    .html = {"<p>Hello</p>\n", 13},
};

static void assert_lines(struct text raw)
{
    size_t line = 0;

    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.ptr[i];
        if (c == '\n')
            fail_msg("a bare LF at %zu", i);
        if (c == '\r') {
            if (i + 1 == raw.len || raw.ptr[i + 1] != '\n')
                fail_msg("a bare CR at %zu", i);
            i++;
            line = 0;
            continue;
        }
        if ((c < ' ' && c != '\t') || c >= 0x7F)
            fail_msg("byte %02X at %zu", c, i);
        if (++line > 998)
            fail_msg("a line over 998 at %zu", i);
    }
    assert_int_equal(line, 0); /* it ends with a line end */
}

/* Names of the headers, joined by blanks; folded lines belong to the line before. */
static void header_names(struct text raw, struct buf *names)
{
    buf_reset(names);
    while (raw.len > 0) {
        struct text line = text_cut(&raw, '\n');
        if (text_is(line, "\r"))
            return;
        if (line.ptr[0] == ' ')
            continue;
        struct text name = text_cut(&line, ':');
        buf_add_text(names, name);
        buf_addc(names, ' ');
    }
}

/* Writes NAME.eml and what it was made of to the folder, when there is one. */
static void keep_for_judge(const struct mime_message *m, struct text attached, const struct buf *raw, size_t number)
{
    const char *folder = getenv("MIME_JUDGE");
    char path[512];
    FILE *file;

    if (!folder)
        return;
    snprintf(path, sizeof path, "%s/%04zu.eml", folder, number);
    file = fopen(path, "we");
    assert_non_null(file);
    fwrite(raw->ptr, 1, raw->len, file);
    fclose(file);
    snprintf(path, sizeof path, "%s/%04zu.parts", folder, number);
    file = fopen(path, "we");
    assert_non_null(file);
    const struct text parts[] = {text_of(m->from_name), m->to_name, m->subject, m->text, m->html,
                                 m->unsubscribe_url,    attached};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++)
        fprintf(file, "%zu\n%.*s\n", parts[i].len, TEXT_ARGS(parts[i]));
    fclose(file);
}

/* `attached`: what m->attachment was made of. */
static void check_attached(const struct mime_message *m, struct text attached, size_t number)
{
    auto_buf struct buf raw, names, again;
    struct error err = {0};

    buf_init(&raw, 256 * 1024);
    buf_init(&names, 1000);
    buf_init(&again, 256 * 1024);
    if (mime_build(m, &raw, &err) < 0)
        fail_msg("message %zu: %s", number, err.text);
    assert_lines(buf_text(&raw));
    header_names(buf_text(&raw), &names);
    assert_string_equal(names.ptr,
                        m->html.len || m->attachment.len
                            ? "Date From To Subject Message-ID List-Id List-Unsubscribe List-Unsubscribe-Post "
                              "Auto-Submitted Precedence MIME-Version Content-Type "
                            : "Date From To Subject Message-ID List-Id List-Unsubscribe List-Unsubscribe-Post "
                              "Auto-Submitted Precedence MIME-Version Content-Type Content-Transfer-Encoding ");
    assert_int_equal(mime_build(m, &again, NULL), 0);
    assert_true(text_equal(buf_text(&raw), buf_text(&again)));
    keep_for_judge(m, attached, &raw, number);
}

static void check_message(const struct mime_message *m, size_t number)
{
    check_attached(m, (struct text){0}, number);
}

static void hostile_values_stay_values(void **state)
{
    size_t number = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++)
        for (size_t j = 0; j < ARRAY_LEN(hostile); j++) {
            struct mime_message m = plain_message;
            m.subject = text_of(hostile[i]);
            m.to_name = text_of(hostile[j]);
            m.from_name = hostile[(i + j) % ARRAY_LEN(hostile)];
            m.list_id_name = hostile[(i + 2 * j) % ARRAY_LEN(hostile)];
            check_message(&m, number++);
        }
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        for (size_t j = 0; j < ARRAY_LEN(bodies); j++) {
            struct mime_message m = plain_message;
            m.text = text_of(bodies[i]);
            m.html = text_of(bodies[j]);
            check_message(&m, number++);
        }
}

static const char calendar_type[] = "text/calendar; method=PUBLISH";

static void what_is_attached_stays_whole(void **state)
{
    size_t number = 4000;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++)
        for (size_t j = 0; j < 2 * ARRAY_LEN(bodies); j++) {
            auto_buf struct buf part;
            struct mime_message m = plain_message;
            buf_init(&part, 4000);
            mime_attachment(calendar_type, "sale.ics", text_of(bodies[i]), &part);
            m.attachment = buf_text(&part);
            m.text = text_of(bodies[j % ARRAY_LEN(bodies)]);
            m.html = j < ARRAY_LEN(bodies) ? text_of(bodies[(i + j) % ARRAY_LEN(bodies)]) : TEXT("");
            check_attached(&m, text_of(bodies[i]), number++);
        }
}

static void every_length_of_a_subject_folds(void **state)
{
    (void)state;
    for (size_t len = 0; len < 300; len++) {
        auto_buf struct buf subject;
        struct mime_message m = plain_message;
        buf_init(&subject, 4000);
        for (size_t i = 0; i < len; i++)
            buf_adds(&subject, i % 7 == 3 ? "\xC3\xA9" : i % 11 == 5 ? "\xF0\x9F\x8E\xAB" : i % 5 == 4 ? " " : "a");
        m.subject = m.to_name = buf_text(&subject);
        check_message(&m, 2000 + len);
    }
}

static void long_links_stay_whole(void **state)
{
    auto_buf struct buf url, raw;
    struct error err = {0};
    struct mime_message m = plain_message;

    (void)state;
    buf_init(&url, 2000);
    buf_init(&raw, 8000);
    buf_adds(&url, "https://u.arena.example/");
    while (url.len < 995)
        buf_addc(&url, 'x');
    m.unsubscribe_url = buf_text(&url);
    check_message(&m, 3000);
    buf_addc(&url, 'x');
    m.unsubscribe_url = buf_text(&url);
    assert_int_equal(mime_build(&m, &raw, &err), -1);
    assert_int_equal(err.kind, ERROR_REFUSED);
}

static void impossible_values(void **state)
{
    static const struct {
        const char *what;
        struct mime_message change;
    } cases[] = {
        {"to", {.to_address = "a@b.example\r\nBcc: c@d.example"}},
        {"to", {.to_address = "a@b.example>, <c@d.example"}},
        {"to", {.to_address = ""}},
        {"from", {.from_address = "a b@c.example"}},
        {"reply", {.reply_to = "a\n@b.example"}},
        {"id", {.message_id = "a b@c.example"}},
        {"id", {.message_id = "nothing"}},
        {"list", {.list_id = "a>b"}},
        {"url", {.unsubscribe_url = {"https://a.example/\r\nX: y", 24}}},
        {"url", {.unsubscribe_url = {"https://a.example/>", 19}}},
        {"url", {.unsubscribe_url = {"https://a.example/\xC3\xA9", 20}}},
        {"url", {.unsubscribe_url = {"javascript:alert(1)", 19}}},
        {"url", {.unsubscribe_url = {"http://a.example/", 17}}}, /* with one_click */
        {"url", {.unsubscribe_url = {"http://127.0.0.1.a.example/", 27}}},
        {"url", {.unsubscribe_url = {"http://localhost@a.example/", 27}}},
        {"date", {.date_ms = -1}},
        {"date", {.date_ms = INT64_MAX}},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf raw;
        struct error err = {0};
        struct mime_message m = plain_message;
        const struct mime_message *c = &cases[i].change;
        m.to_address = c->to_address ? c->to_address : m.to_address;
        m.from_address = c->from_address ? c->from_address : m.from_address;
        m.reply_to = c->reply_to ? c->reply_to : m.reply_to;
        m.message_id = c->message_id ? c->message_id : m.message_id;
        m.list_id = c->list_id ? c->list_id : m.list_id;
        m.unsubscribe_url = c->unsubscribe_url.len ? c->unsubscribe_url : m.unsubscribe_url;
        m.date_ms = c->date_ms ? c->date_ms : m.date_ms;
        buf_init(&raw, 8000);
        if (mime_build(&m, &raw, &err) == 0)
            fail_msg("case %zu (%s) was taken:\n%s", i, cases[i].what, raw.ptr);
        assert_int_equal(raw.len, 0);
        assert_int_not_equal(err.kind, ERROR_NONE);
    }
}

static void the_whole_message(void **state)
{
    auto_buf struct buf raw;
    struct mime_message m = plain_message;

    (void)state;
    buf_init(&raw, 8000);
    m.subject = TEXT("Caf\xC3\xA9 Live: tickets on sale");
    m.text = TEXT("Hello \n.\n");
    assert_int_equal(mime_build(&m, &raw, NULL), 0);
    assert_string_equal(raw.ptr, "Date: Sat, 21 Nov 2026 09:00:00 +0000\r\n"
                                 "From: Arena Tickets <tickets@arena.example>\r\n"
                                 "To: Ana <ana@fans.example>\r\n"
                                 "Subject: =?UTF-8?Q?Caf=C3=A9_Live=3A_tickets_on_sale?=\r\n"
                                 "Message-ID: <token0@arena.example>\r\n"
                                 "List-Id: Arena openings <openings.arena.example>\r\n"
                                 "List-Unsubscribe: <https://u.arena.example/u/AbC>\r\n"
                                 "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
                                 "Auto-Submitted: auto-generated\r\n"
                                 "Precedence: bulk\r\n"
                                 "MIME-Version: 1.0\r\n"
                                 "Content-Type: multipart/alternative;\r\n"
                                 " boundary=\"=_token0\"\r\n"
                                 "\r\n"
                                 "--=_token0\r\n"
                                 "Content-Type: text/plain; charset=utf-8\r\n"
                                 "Content-Transfer-Encoding: quoted-printable\r\n"
                                 "\r\n"
                                 "Hello=20\r\n"
                                 "=2E\r\n"
                                 "\r\n"
                                 "--=_token0\r\n"
                                 "Content-Type: text/html; charset=utf-8\r\n"
                                 "Content-Transfer-Encoding: quoted-printable\r\n"
                                 "\r\n"
                                 "<p>Hello</p>\r\n"
                                 "\r\n"
                                 "--=_token0--\r\n");
}

static void a_whole_message_with_an_attachment(void **state)
{
    auto_buf struct buf raw, part;
    struct mime_message m = plain_message;

    (void)state;
    buf_init(&raw, 8000);
    buf_init(&part, 8000);
    mime_attachment(calendar_type, "sale.ics", TEXT("BEGIN:VCALENDAR\r\n \xC3\xA9\r\nEND:VCALENDAR\r\n"), &part);
    m.attachment = buf_text(&part);
    assert_int_equal(mime_build(&m, &raw, NULL), 0);
    assert_string_equal(strstr(raw.ptr, "MIME-Version"),
                        "MIME-Version: 1.0\r\n"
                        "Content-Type: multipart/mixed;\r\n"
                        " boundary=\"=_=token0\"\r\n"
                        "\r\n"
                        "--=_=token0\r\n"
                        "Content-Type: multipart/alternative;\r\n"
                        " boundary=\"=_token0\"\r\n"
                        "\r\n"
                        "--=_token0\r\n"
                        "Content-Type: text/plain; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: quoted-printable\r\n"
                        "\r\n"
                        "Hello\r\n"
                        "\r\n"
                        "--=_token0\r\n"
                        "Content-Type: text/html; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: quoted-printable\r\n"
                        "\r\n"
                        "<p>Hello</p>\r\n"
                        "\r\n"
                        "--=_token0--\r\n"
                        "\r\n"
                        "--=_=token0\r\n"
                        "Content-Type: text/calendar; method=PUBLISH; charset=utf-8;\r\n"
                        " name=\"sale.ics\"\r\n"
                        "Content-Disposition: attachment; filename=\"sale.ics\"\r\n"
                        "Content-Transfer-Encoding: quoted-printable\r\n"
                        "\r\n"
                        "BEGIN:VCALENDAR\r\n"
                        " =C3=A9\r\n"
                        "END:VCALENDAR\r\n"
                        "\r\n"
                        "--=_=token0--\r\n");
}

static void a_full_buffer_is_an_error(void **state)
{
    auto_buf struct buf raw;
    struct error err = {0};

    (void)state;
    buf_init(&raw, 500);
    assert_int_equal(mime_build(&plain_message, &raw, &err), -1);
    assert_string_equal(err.text, "a message over 500 bytes");
}

static void verp(void **state)
{
    auto_buf struct buf out;

    (void)state;
    buf_init(&out, 100);
    assert_int_equal(mime_verp("b@bounce.example", "TOKEN", &out), 0);
    assert_string_equal(out.ptr, "b+TOKEN@bounce.example");
    assert_int_equal(mime_verp("nothing", "TOKEN", &out), -1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_values_stay_values),
        cmocka_unit_test(what_is_attached_stays_whole),
        cmocka_unit_test(every_length_of_a_subject_folds),
        cmocka_unit_test(long_links_stay_whole),
        cmocka_unit_test(impossible_values),
        cmocka_unit_test(the_whole_message),
        cmocka_unit_test(a_whole_message_with_an_attachment),
        cmocka_unit_test(a_full_buffer_is_an_error),
        cmocka_unit_test(verp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
