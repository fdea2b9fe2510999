#include "unsubscribe.h"
#include "table.h"

#include <string.h>
#include <sys/stat.h>

static void wishes(void **state)
{
    static const char form[] = "multipart/form-data; boundary=b1", quoted[] = "Multipart/Form-Data; boundary=\"b 1\"";
    static const struct {
        const char *type, *body;
        enum unsubscribe_wish wish;
    } cases[] = {
        {"application/x-www-form-urlencoded", "List-Unsubscribe=One-Click", WISH_ONE_CLICK},
        {"application/x-www-form-urlencoded; charset=UTF-8", "List-Unsubscribe=One-Click\r\n", WISH_ONE_CLICK},
        {"", "list-unsubscribe=one-click", WISH_ONE_CLICK},
        {"text/plain", "List%2DUnsubscribe=One%2dClick", WISH_ONE_CLICK},
        {"", "a=b&scope=this", WISH_THIS},
        {"", "scope=all&scope=this", WISH_ALL},
        {"", "", WISH_NONE},
        {"", "scope", WISH_NONE},
        {"", "scope=", WISH_NONE},
        {"", "scope=everything", WISH_NONE},
        {"", "xscope=all", WISH_NONE},
        {"", "scope=al%6", WISH_NONE},
        {"", "scope=al%6C", WISH_ALL},
        {"", "List-Unsubscribe=One Click", WISH_NONE},
        {"", "List-Unsubscribe%00=One-Click", WISH_NONE},
        {"application/json", "{\"scope\": \"all\"}", WISH_NONE},
        {form, "--b1\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b1--\r\n",
         WISH_ONE_CLICK},
        {form,
         "preamble\r\n--b1\r\nContent-Disposition: form-data; name=a\r\n\r\nscope=all\r\n--b1\r\ncontent-disposition: "
         "form-data; x=y; name=scope\r\nContent-Type: text/plain\r\n\r\nthis\r\n--b1--",
         WISH_THIS},
        {quoted, "--b 1\r\nContent-Disposition: form-data; name=\"scope\"\r\n\r\nall\r\n--b 1--", WISH_ALL},
        {form, "--b1\r\nContent-Disposition: form-data; name=\"scope\"\r\n\r\nall", WISH_NONE}, /* without an end */
        {form, "--b2\r\nContent-Disposition: form-data; name=\"scope\"\r\n\r\nall\r\n--b2--", WISH_NONE},
        {form, "--b1\r\n\r\nscope=all\r\n--b1--", WISH_NONE},
        {form, "List-Unsubscribe=One-Click", WISH_NONE},
        {"multipart/form-data", "--\r\nContent-Disposition: form-data; name=\"scope\"\r\n\r\nall\r\n--", WISH_NONE},
    };
    static char huge[8192];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (unsubscribe_wish(cases[i].type, text_of(cases[i].body)) != cases[i].wish)
            fail_msg("%s: %s", cases[i].type, cases[i].body);
    memset(huge, '&', sizeof huge);
    memcpy(huge, "scope=all", strlen("scope=all"));
    assert_int_equal(unsubscribe_wish("", (struct text){huge, 1000}), WISH_ALL);
    assert_int_equal(unsubscribe_wish("", (struct text){huge, sizeof huge}), WISH_NONE);
}

static void masks(void **state)
{
    static const struct {
        const char *address, *masked;
    } cases[] = {
        {"ann@example.org", "a\xE2\x80\xA2\xE2\x80\xA2\xE2\x80\xA2@example.org"},
        {"a@example.org", "a\xE2\x80\xA2\xE2\x80\xA2\xE2\x80\xA2@example.org"},
        {"\xC3\xA9lo@example.org", "\xC3\xA9\xE2\x80\xA2\xE2\x80\xA2\xE2\x80\xA2@example.org"},
        {"@example.org", "\xE2\x80\xA2\xE2\x80\xA2\xE2\x80\xA2@example.org"},
        {"", "\xE2\x80\xA2\xE2\x80\xA2\xE2\x80\xA2@"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_buf struct buf out;
        buf_init(&out, 100);
        buf_add_masked_address(&out, text_of(cases[i].address));
        assert_string_equal(out.ptr, cases[i].masked);
    }
}

static struct unsubscribe_texts *shipped(void)
{
    static char folder[400];
    const char *root = getenv("ONSALE_SOURCE"), *folders[] = {folder, NULL};
    struct error err = {0};

    snprintf(folder, sizeof folder, "%s/templates", root ? root : ".");
    struct unsubscribe_texts *texts = unsubscribe_texts_load(folders, &err);
    if (!texts)
        fail_msg("%s", err.text);
    return texts;
}

static void languages(void **state)
{
    static const struct {
        const char *locale, *accept, *site, *language;
    } cases[] = {
        {"de-AT", "fr", "it", "de"},
        {"pt_BR", "fr", "it", "fr"},
        {"", "", "it", "it"},
        {"", "", "", "en"},
        {"", "xx", "yy", "en"},
        {"", "fr;q=0.3, de;q=0.8, pl;q=0.5", "it", "de"},
        {"", "fr;q=0.3,de-CH;q=0.300", "it", "fr"}, /* the first of equals */
        {"", "de;q=0, fr;q=0.001", "it", "fr"},
        {"", "*, nl;q=0.1", "it", "nl"},
        {"", "de;q=2, fr;q=x, es;q=, nl;q=0.5.5", "it", "it"},
        {"", "de;q=1.001,lt;q=1.000", "it", "lt"},
        {"", ";;;,,,;q=1,de;level=1;q=0.9", "it", "de"},
        {"", "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,de", "it", "it"}, /* nobody speaks so many */
    };
    struct unsubscribe_texts *texts = shipped();
    auto_buf struct buf all;

    (void)state;
    buf_init(&all, 200);
    buf_add_unsubscribe_languages(&all, texts);
    assert_string_equal(all.ptr, "en, de, es, fr, it, lt, nl, pl");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *language =
            unsubscribe_language(texts, text_of(cases[i].locale), text_of(cases[i].accept), text_of(cases[i].site));
        if (strcmp(language, cases[i].language) != 0)
            fail_msg("\"%s\" \"%s\" \"%s\": %s", cases[i].locale, cases[i].accept, cases[i].site, language);
    }
    unsubscribe_texts_free(texts);
}

static size_t count_of(const char *page, const char *what)
{
    size_t count = 0;

    for (; (page = strstr(page, what)); page += strlen(what))
        count++;
    return count;
}

/* What every page has in every language, and what each is for. */
static void pages(void **state)
{
    static const char *const tags[] = {"en", "de", "es", "fr", "it", "lt", "nl", "pl"};
    static const struct {
        size_t buttons, this, all;
    } expected[UNSUBSCRIBE_PAGES] = {[PAGE_ASK] = {2, 1, 1}, [PAGE_DONE] = {1, 0, 1}, [PAGE_LATER] = {2, 1, 1}};
    struct unsubscribe_texts *texts = shipped();
    auto_buf struct buf out;

    (void)state;
    buf_init(&out, 100000);
    for (size_t i = 0; i < ARRAY_LEN(tags); i++)
        for (int page = 0; page < UNSUBSCRIBE_PAGES; page++) {
            struct unsubscribe_view view = {.page = (enum unsubscribe_page)page,
                                            .language = tags[i],
                                            .address = page == PAGE_BROKEN ? "" : "<b>@example.org",
                                            .sender_name = "Arena & <Sons>",
                                            .postal_address = "\"Street\" 1",
                                            .contact = "help@arena.example"};
            struct error err = {0};
            char lang[40];
            buf_reset(&out);
            assert_int_equal(unsubscribe_page_make(texts, &view, &out, &err), 0);
            snprintf(lang, sizeof lang, "<html lang=\"%s\">", tags[i]);
            assert_non_null(strstr(out.ptr, lang));
            assert_int_equal(count_of(out.ptr, "<h1>"), 1);
            assert_int_equal(count_of(out.ptr, "<title>"), 1);
            assert_null(strstr(out.ptr, "<title></title>"));
            assert_int_equal(count_of(out.ptr, "<button"), expected[page].buttons);
            assert_int_equal(count_of(out.ptr, "value=\"this\""), expected[page].this);
            assert_int_equal(count_of(out.ptr, "value=\"all\""), expected[page].all);
            assert_null(strstr(out.ptr, "<script"));
            assert_null(strstr(out.ptr, "http")); /* nothing from elsewhere */
            assert_null(strstr(out.ptr, "<b>"));
            assert_int_equal(strstr(out.ptr, "&lt;b&gt;@example.org") != NULL, page != PAGE_BROKEN);
            assert_non_null(strstr(out.ptr, "Arena &amp; &lt;Sons&gt;"));
            assert_non_null(strstr(out.ptr, "&quot;Street&quot; 1"));
            assert_non_null(strstr(out.ptr, "mailto:help@arena.example"));
            assert_null(strstr(out.ptr, "{{"));
        }
    unsubscribe_texts_free(texts);
}

/* What a team brings of its own is tried before anybody sees it. */
static void own_templates(void **state)
{
    static const struct {
        const char *name, *content, *says; /* NULL: taken */
    } cases[] = {
        {"page.html", "{{#ask}}{{address}}{{/ask}}", NULL},
        {"page.html", "{{address}}", "unsubscribe/page.html:1:1"}, /* who came by a broken link has none */
        {"page.html", "{{sender.contact}}", "unsubscribe/page.html:1:1"},
        {"page.html", "{{#ask}}{{adress}}{{/ask}}", "unsubscribe/page.html:1:9"},
        {"page.html", "{{#ask}}", "unsubscribe/page.html:1:1"},
        {"page.de.html", "x", "page.html is missing: every language needs page.html"},
        {"page.txt", "x", "page.txt: expected page.html, or the same with a language such as page.de.html"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char folder[] = "/tmp/onsale-pages-XXXXXX", path[200];
        const char *folders[] = {folder, NULL};
        struct error err = {0};
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof path, "%s/unsubscribe", folder);
        assert_int_equal(mkdir(path, 0700), 0);
        snprintf(path, sizeof path, "%s/unsubscribe/%s", folder, cases[i].name);
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(cases[i].content, file);
        fclose(file);
        struct unsubscribe_texts *texts = unsubscribe_texts_load(folders, &err);
        if (cases[i].says ? texts || !strstr(err.text, cases[i].says) : !texts)
            fail_msg("%s: %s: %s", cases[i].name, cases[i].content, texts ? "taken" : err.text);
        unsubscribe_texts_free(texts);
        unlink(path);
        snprintf(path, sizeof path, "%s/unsubscribe", folder);
        rmdir(path);
        rmdir(folder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wishes), cmocka_unit_test(masks),         cmocka_unit_test(languages),
        cmocka_unit_test(pages),  cmocka_unit_test(own_templates),
    };
    return cmocka_run_group_tests_name("unsubscribe", tests, NULL, NULL);
}
