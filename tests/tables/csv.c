#include "audience/csv.h"
#include "table.h"

#include <string.h>

/* Fields between '|', records in brackets behind their line, bad ones as "3!why". A window of `step` bytes at first,
 * growing as a reader's would. */
static void read_all(struct text data, char separator, size_t step, struct buf *out)
{
    struct csv csv;
    struct arena arena = {0};
    struct csv_row row;
    size_t from = 0, to = 0, used;

    csv_init(&csv, separator);
    for (;;) {
        bool final = to == data.len;
        enum csv_event event = csv_next(&csv, text_slice(data, from, to), final, &arena, &row, &used);
        assert_true(from + used <= to);
        from += used;
        if (event == CSV_END)
            break;
        if (event == CSV_MORE) {
            assert_false(final);
            assert_true(used > 0 || to - from <= CSV_RECORD_MAX);
            to = to + step < data.len ? to + step : data.len;
            continue;
        }
        if (event == CSV_BAD) {
            buf_addf(out, "%llu!%s ", (unsigned long long)row.line, row.why);
            continue;
        }
        buf_addf(out, "%llu[", (unsigned long long)row.line);
        for (size_t i = 0; i < row.count; i++) {
            buf_adds(out, i ? "|" : "");
            buf_add_text(out, row.fields[i]);
        }
        buf_adds(out, "] ");
    }
    assert_int_equal(from, data.len);
    arena_clear(&arena);
}

#define NEVER_CLOSED "!a quote that is never closed "
#define BEHIND "!text behind a closing quote "

static void records(void **state)
{
    static const struct {
        const char *name, *data, *rows;
    } cases[] = {
        {"nothing", "", ""},
        {"one field", "a", "1[a] "},
        {"two fields", "a,b\n", "1[a|b] "},
        {"no line end at the end", "a,b\nc,d", "1[a|b] 2[c|d] "},
        {"CRLF", "a,b\r\nc,d\r\n", "1[a|b] 2[c|d] "},
        {"CR alone", "a,b\rc,d\r", "1[a|b] 2[c|d] "},
        {"CR at the very end", "a\r", "1[a] "},
        {"line ends mixed", "a\nb\r\nc\rd\n", "1[a] 2[b] 3[c] 4[d] "},
        {"LF CR is two ends", "a\n\rb", "1[a] 3[b] "},
        {"empty fields", ",,\n", "1[||] "},
        {"empty last field", "a,\n", "1[a|] "},
        {"empty last field at the end", "a,", "1[a|] "},
        {"blank lines", "\n\na\n\n\nb\n\n", "3[a] 6[b] "},
        {"blank CRLF lines", "\r\na\r\n\r\nb", "2[a] 4[b] "},
        {"lines of blanks", "a\n   \nb\n", "1[a] 3[b] "},
        {"only blank lines", "\n\r\n\r", ""},
        {"blanks are content", " a , b \n", "1[ a | b ] "},
        {"quoted", "\"a\",\"b\"\n", "1[a|b] "},
        {"quoted, empty", "\"\",\"\"\n", "1[|] "},
        {"quoted empty alone", "\"\"", "1[] "},
        {"quoted with separator", "\"a,b\",c\n", "1[a,b|c] "},
        {"quoted with LF", "\"a\nb\",c\nd,e\n", "1[a\nb|c] 3[d|e] "},
        {"quoted with CRLF", "\"a\r\nb\",c\r\nd,e\r\n", "1[a\r\nb|c] 3[d|e] "},
        {"quoted with CR", "\"a\rb\",c\rd,e\r", "1[a\rb|c] 3[d|e] "},
        {"many lines in one field", "\"1\n2\n3\n4\",x\ny,z", "1[1\n2\n3\n4|x] 5[y|z] "},
        {"escaped quote", "\"say \"\"hi\"\"\",b\n", "1[say \"hi\"|b] "},
        {"only an escaped quote", "\"\"\"\"\n", "1[\"] "},
        {"Mailchimp tags", "\"\"\"VIP\"\",\"\"event-77\"\"\",x\n", "1[\"VIP\",\"event-77\"|x] "},
        {"quote at the end of the file", "a,\"b\"", "1[a|b] "},
        {"escaped quote at the end", "\"a\"\"\"", "1[a\"] "},
        {"quote inside a plain field", "a\"b,c\"d\n", "1[a\"b|c\"d] "},
        {"blank before a quote", " \"a\",b\n", "1[ \"a\"|b] "},
        {"text behind a quote", "\"a\"b,c\nd,e\n", "1" BEHIND "2[d|e] "},
        {"blank behind a quote", "\"a\" ,c\nd,e\n", "1" BEHIND "2[d|e] "},
        {"quote behind a quote's text", "\"a\"b\"\nc\n", "1" BEHIND "2[c] "},
        {"never closed", "a,\"b\nc,d\ne,f\n", "1" NEVER_CLOSED "2[c|d] 3[e|f] "},
        {"never closed, last line", "a,b\nc,\"d", "1[a|b] 2" NEVER_CLOSED},
        {"never closed, CRLF", "a,\"b\r\nc,d\r\n", "1" NEVER_CLOSED "2[c|d] "},
        {"never closed, empty", "\"", "1" NEVER_CLOSED},
        {"never closed by an escape", "\"a\"\"\nb\n", "1" NEVER_CLOSED "2[b] "},
        {"opened by mistake, closed by the next", "a,\"b\nc,\"d\"\ne,f\n", "1" BEHIND "2[c|d] 3[e|f] "},
        {"never closed twice", "\"a\nb\n\"c\nd\n", "1" BEHIND "2[b] 3" NEVER_CLOSED "4[d] "},
        {"three quotes", "\"\"\"\nb\n", "1" NEVER_CLOSED "2[b] "},
        {"UTF-8", "Żaneta,ü\n", "1[Żaneta|ü] "},
        {"Windows-1252", "M\xFCller,\x80 5\n", "1[Müller|€ 5] "},
        {"Windows-1252, one record of many", "ü\nM\xFC\nü\n", "1[ü] 2[Mü] 3[ü] "},
        {"Windows-1252 in quotes", "\"\x93x\x94\"\n", "1[“x”] "},
        {"Windows-1252 holes", "\x81\n", "1[\xEF\xBF\xBD] "},
        {"cut UTF-8 is Windows-1252", "a\xC3\n", "1[aÃ] "},
        {"overlong UTF-8 is Windows-1252", "\xC0\xAF\n", "1[À¯] "},
        {"surrogate is Windows-1252", "\xED\xA0\x80\n", "1[í\xC2\xA0€] "},
        {"other separators are content", "a;b\tc\n", "1[a;b\tc] "},
        {"quote and line end only", "\"\n\"\n", "1[\n] "},
        {"column count is not ours to judge", "a,b\nc\nd,e,f\n", "1[a|b] 2[c] 3[d|e|f] "},
        {"backslash is content", "a\\,b\\\"\n", "1[a\\|b\\\"] "},
        {"apostrophes are content", "'a,b'\n", "1['a|b'] "},
        {"vertical tab, form feed", "a\vb,c\fd\n", "1[a\vb|c\fd] "},
        {"tabs in fields", "\ta,b\t\n", "1[\ta|b\t] "},
        {"formula", "=1+1,@x\n", "1[=1+1|@x] "},
        {"line separator U+2028 is content",
         "a\xE2\x80\xA8"
         "b\n",
         "1[a\xE2\x80\xA8"
         "b] "},
        {"comment lines are records", "# a\n", "1[# a] "},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t step = 1; step < 8; step++) {
            auto_buf struct buf out;
            buf_init(&out, 4096);
            buf_adds(&out, "");
            read_all(text_of(cases[i].data), ',', step, &out);
            if (!text_is(buf_text(&out), cases[i].rows))
                fail_msg("%s (step %zu): %s", cases[i].name, step, out.ptr);
        }
    }
}

static void nul_bytes(void **state)
{
    auto_buf struct buf out;
    (void)state;
    buf_init(&out, 4096);
    read_all(TEXT("a,b\nc\0,d\ne,f\n"), ',', 3, &out);
    assert_string_equal(out.ptr, "1[a|b] 2!a NUL byte 3[e|f] ");
}

static void separators(void **state)
{
    static const struct {
        const char *header;
        char separator;
    } cases[] = {
        {"email,name", ','},
        {"email;name", ';'},
        {"email\tname", '\t'},
        {"email", ','},
        {"", ','},
        {"a;b;c,d", ';'},
        {"a,b,c;d", ','},
        {"a\tb\tc,d;e", '\t'},
        {"\"a;b;c;d\",e", ','},
        {"\"a,b,c\";d", ';'},
        {"a,b\nc;d;e;f", ','},
        {"a;b\r\nc,d,e,f", ';'},
        {"a,b;c", ','},
        {"a;b\tc", ';'},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (csv_guess_separator(text_of(cases[i].header)) != cases[i].separator)
            fail_msg("\"%s\"", cases[i].header);
}

static void other_separators(void **state)
{
    auto_buf struct buf out;
    (void)state;
    buf_init(&out, 4096);
    read_all(TEXT("a;\"b;c\";d,e\n"), ';', 2, &out);
    read_all(TEXT("a\t\"b\tc\"\td e\n\t\t\n"), '\t', 2, &out);
    assert_string_equal(out.ptr, "1[a|b;c|d,e] 1[a|b\tc|d e] 2[||] ");
}

/* What is too long costs its own line, whatever the window. */
static void limits(void **state)
{
    enum { KB = 1024 };
    static const struct {
        const char *name, *before;
        size_t filler;
        char fill;
        const char *after, *rows;
    } cases[] = {
        {"longest field", "a,", CSV_FIELD_MAX, 'x', "\nb,c\n", NULL},
        {"field too long", "a,", CSV_FIELD_MAX + 1, 'x', "\nb,c\n", "1!a field of more than 64 KB 2[b|c] "},
        {"quoted field too long", "a,\"", CSV_FIELD_MAX + 1, 'x', "\"\nb,c\n",
         "1!a quoted field of more than 64 KB, or a quote that is never closed 2[b|c] "},
        {"quote swallows lines", "a,\"\nb,c\n", 100 * KB, '\n', "d,e\n",
         "1!a quoted field of more than 64 KB, or a quote that is never closed 2[b|c] 102403[d|e] "},
        {"line of 3 MB", "a,", 3 * KB * KB, 'x', "\nb,c\n", "1!a field of more than 64 KB 2[b|c] "},
        {"line of 3 MB, CRLF", "a,", 3 * KB * KB, 'x', "\r\nb,c\r\n", "1!a field of more than 64 KB 2[b|c] "},
        {"3 MB without an end", "a,b\n", 3 * KB * KB, 'x', "", "1[a|b] 2!a field of more than 64 KB "},
        {"too many columns", "a,b\n", 600, ',', "\nb,c\n", "1[a|b] 2!more than 512 columns 3[b|c] "},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t step = 64 * KB; step <= 4096 * KB; step *= 8) {
            auto_buf struct buf data, out;
            auto_free char *filler = must_calloc(1, cases[i].filler);
            buf_init(&data, 8 * KB * KB);
            buf_init(&out, 128 * KB);
            memset(filler, cases[i].fill, cases[i].filler);
            buf_adds(&data, cases[i].before);
            buf_add(&data, filler, cases[i].filler);
            buf_adds(&data, cases[i].after);
            read_all(buf_text(&data), ',', step, &out);
            if (cases[i].rows ? !text_is(buf_text(&out), cases[i].rows) : out.len < CSV_FIELD_MAX)
                fail_msg("%s (step %zu): %.200s", cases[i].name, step, out.ptr);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records),          cmocka_unit_test(nul_bytes), cmocka_unit_test(separators),
        cmocka_unit_test(other_separators), cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
