#include "audience/audience.h"
#include "table.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define EVENT "5f1c7a52-3a0e-4c07-9a9b-6d2b1a7c77e1"

/* What a whole read gave, written down: "address:consent " in order. */
struct gathered {
    uv_loop_t loop;
    struct audience *audience;
    struct audience_read *read;
    struct buf people, bad;
    size_t pages, records, restarts, yes, bad_count, page_bytes_max, page_records_max;
    char cursor[256];    /* of the last page that had one */
    size_t stop_after;   /* cancel after this many pages; 0: never */
    const char *rewrite; /* changes the file after the first page */
    const char *path;
    struct error failure;
    bool ended, details;
};

static void write_file(const char *path, struct text content)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(content.ptr, 1, content.len, file), content.len);
    fclose(file);
}

static void on_page(void *ctx, const struct audience_page *page)
{
    struct gathered *got = ctx;
    size_t bytes = 0;

    got->pages++;
    got->restarts += page->restarted;
    got->records += page->count;
    got->bad_count += page->bad;
    if (page->bad_why)
        buf_addf(&got->bad, "%s. ", page->bad_why);
    for (size_t i = 0; i < page->count; i++) {
        const struct audience_record *r = &page->records[i];
        got->yes += r->consent == CONSENT_YES;
        bytes += r->address.len + r->name.len + r->attributes.len + r->source_id.len + sizeof *r;
        buf_addf(&got->people, "%.*s:%d ", TEXT_ARGS(r->address), (int)r->consent);
        if (got->details)
            buf_addf(&got->people, "{%.*s|%.*s|%.*s|%.*s|%.*s} ", TEXT_ARGS(r->source_id), TEXT_ARGS(r->name),
                     TEXT_ARGS(r->locale), TEXT_ARGS(r->zone), TEXT_ARGS(r->attributes));
    }
    if (bytes > got->page_bytes_max)
        got->page_bytes_max = bytes;
    if (page->count > got->page_records_max)
        got->page_records_max = page->count;
    if (page->failure)
        got->failure = *page->failure;
    else if (!page->last)
        snprintf(got->cursor, sizeof got->cursor, "%s", page->cursor);
    if (page->last || page->failure) {
        assert_false(got->ended);
        got->ended = true;
        got->read = NULL;
        return;
    }
    if (got->rewrite) {
        write_file(got->path, text_of(got->rewrite));
        got->rewrite = NULL;
    }
    if (got->stop_after && got->pages == got->stop_after) {
        got->audience->ops->cancel(got->read);
        got->read = NULL;
        return;
    }
    got->audience->ops->next(got->read);
}

static void gather(struct gathered *got, const struct audience_settings *settings, const char *cursor)
{
    struct error err = {0};
    struct audience_question question = {.site = "arena", .event_id = EVENT, .cursor = cursor};
    struct audience_parts parts = {.clock = &clock_machine};

    if (!got->people.limit) {
        buf_init(&got->people, 1 << 20);
        buf_init(&got->bad, 1 << 16);
    }
    buf_adds(&got->people, "");
    buf_adds(&got->bad, "");
    got->path = settings->path;
    assert_int_equal(uv_loop_init(&got->loop), 0);
    parts.uv_loop = &got->loop;
    got->audience = audience_file_new(settings, &parts, &err);
    assert_non_null(got->audience);
    got->read = got->audience->ops->read(got->audience, &question, on_page, got, &err);
    assert_non_null(got->read);
    uv_run(&got->loop, UV_RUN_DEFAULT);
    got->audience->ops->free(got->audience);
    assert_int_equal(uv_loop_close(&got->loop), 0);
    assert_true(got->ended || got->stop_after);
}

static void gathered_clear(struct gathered *got)
{
    buf_clear(&got->people);
    buf_clear(&got->bad);
}

/* A file of its own for each test, gone after it. */
static char *file_with(const char *name, struct text content)
{
    char *path = must_calloc(1, 128);
    snprintf(path, 128, "/tmp/onsale-test-%d-%s", (int)getpid(), name);
    write_file(path, content);
    return path;
}

static void samples(void **state)
{
    static const struct {
        const char *file, *people;
        bool stated;
    } cases[] = {
        {"mailchimp-subscribed_members_export.csv", "ines.marchetti@example.org:0 t.okafor@example.net:0 "},
        {"mailchimp-unsubscribed_members_export.csv", "lena@example.com:1 "},
        {"klaviyo-export.csv", "ines.marchetti@example.org:0 bounced@example.org:2 never@example.org:1 "},
        {"listmonk-export.csv", "ines.marchetti@example.org:0 noreply-trap@example.org:2 "},
        {"brevo-export.csv", NULL},
        {"brevo-export.csv", "ines.marchetti@example.org:0 lena@example.com:0 ", .stated = true},
        {"brevo-export-semicolon.csv", "ines.marchetti@example.org:0 lena@example.com:2 "},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char path[512];
        struct gathered got = {0};
        snprintf(path, sizeof path, "%s/tests/samples/audience/%s", getenv("ONSALE_SOURCE"), cases[i].file);
        gather(&got, &(struct audience_settings){.name = "fans", .path = path, .consent_stated = cases[i].stated},
               NULL);
        if (cases[i].people) {
            assert_string_equal(got.failure.text, "");
            assert_string_equal(got.people.ptr, cases[i].people);
        } else {
            assert_int_equal(got.failure.kind, ERROR_CONFIG);
            assert_non_null(strstr(got.failure.text, "`consent: stated`"));
        }
        gathered_clear(&got);
    }
}

#define H "email,name,status\n"

static void files(void **state)
{
    static const struct {
        const char *name, *file, *content;
        const char *people; /* with details when it holds '{' */
        const char *bad;    /* "" nothing */
        const char *failure;
        bool stated;
        const char *interest, *format;
    } cases[] = {
        {"plain", "a.csv", H "a@x.org,Ann,yes\nb@x.org,Bob,no\nc@x.org,Cy,bounced\n", "a@x.org:0 b@x.org:1 c@x.org:2 ",
         ""},
        {"header alone", "a.csv", H, "", ""},
        {"empty file", "a.csv", "", NULL, "", "the file is empty"},
        {"only a mark", "a.csv", "\xEF\xBB\xBF", NULL, "", "the file is empty"},
        {"UTF-16", "a.csv",
         "\xFF\xFE"
         "e",
         NULL, "", "UTF-16"},
        {"no header", "a.csv", "a@x.org,Ann,yes\n", NULL, "", "no column is named email"},
        {"broken header", "a.csv", "email,\"name\nb@x.org,yes\n", NULL, "", "line 1: a quote that is never closed"},
        {"no consent column", "a.csv", "email,name\na@x.org,Ann\n", NULL, "", "`consent: stated`"},
        {"consent stated", "a.csv", "email,name\na@x.org,Ann\n", "a@x.org:0 ", "", NULL, true},
        {"stated does not overrule", "a.csv", H "a@x.org,Ann,no\n", "a@x.org:1 ", "", NULL, true},
        {"an address alone", "a.csv", "Email\na@x.org\n", "a@x.org:0 ", "", NULL, true},
        {"column count", "a.csv", H "a@x.org,Ann,yes\nb@x.org,Bob\nc@x.org,Cy,yes,1\nd@x.org,D,yes\n",
         "a@x.org:0 d@x.org:0 ", "line 3: expected 3 columns, found 2. "},
        {"no address", "a.csv", H ",Ann,yes\n  ,Bob,yes\n", "", "line 2: no address. "},
        {"unknown word", "a.csv", H "a@x.org,Ann,maybe\nb@x.org,Bob,perhaps\n", "a@x.org:1 b@x.org:1 ",
         "line 2: unknown status \"maybe\" is taken for a no. "},
        {"an address for a word is not told", "a.csv", H "a@x.org,Ann,b@x.org\n", "a@x.org:1 ",
         "line 2: an unknown status is taken for a no. "},
        {"empty word", "a.csv", H "a@x.org,Ann,\n", "a@x.org:1 ", ""},
        {"quote costs one line", "a.csv", H "a@x.org,\"Ann,yes\nb@x.org,Bob,yes\n", "b@x.org:0 ",
         "line 2: a quote that is never closed. "},
        {"two words, the lesser wins", "a.csv",
         "email,status,EMAIL_BLACKLISTED\na@x.org,yes,No\nb@x.org,yes,Yes\nc@x.org,no,"
         "No\nd@x.org,yes,\n",
         "a@x.org:0 b@x.org:2 c@x.org:1 d@x.org:1 ", ""},
        {"unsubscribed column", "a.csv", "email,unsubscribed\na@x.org,false\nb@x.org,true\nc@x.org,\nd@x.org,0\n",
         "a@x.org:0 b@x.org:1 c@x.org:1 d@x.org:0 ", ""},
        {"cleaned file", "a.csv", "Email,CLEAN_TIME\na@x.org,\n", "a@x.org:2 ", ""},
        {"cleaned overrules stated", "a.csv", "Email,CLEAN_TIME\na@x.org,\n", "a@x.org:2 ", "", NULL, true},
        {"Mailchimp, the name says no", "nonsubscribed_x.csv", "Email,LEID\na@x.org,1\n", "a@x.org:1 ", ""},
        {"Mailchimp, the name says dead", "cleaned_x.csv", "Email,LEID\na@x.org,1\n", "a@x.org:2 ", ""},
        {"Mailchimp, the name says nothing", "members.csv", "Email,LEID\na@x.org,1\n", NULL, "", "`consent: stated`"},
        {"a cleaned-up list is not Mailchimp's", "cleaned_x.csv", "Email,status\na@x.org,yes\n", "a@x.org:0 ", ""},
        {"subscribed_ alone says nothing", "subscribed_x.csv", "Email,City\na@x.org,Rome\n", NULL, "",
         "`consent: stated`"},
        {"suppressions", "a.csv",
         "Email,Email Marketing Consent,Email Suppressions\na@x.org,SUBSCRIBED,\nb@x.org,SUBSCRIBED,HARD_BOUNCE\n"
         "c@x.org,SUBSCRIBED,UNSUBSCRIBE\nd@x.org,SUBSCRIBED,[]\n",
         "a@x.org:0 b@x.org:2 c@x.org:1 d@x.org:0 ", ""},
        {"everything about one", "a.csv",
         "uuid,email,First Name,Last Name,lang,TIMEZONE,status,City,OPTIN_IP\n"
         "u-1, a@x.org ,Ann,Lee,it,Europe/Rome,yes,Rome,192.0.2.1\n",
         "a@x.org:0 {u-1|Ann Lee|it|Europe/Rome|{\"City\":\"Rome\"}} ", ""},
        {"last name alone", "a.csv", "email,first_name,last_name,status\na@x.org,,Lee,yes\n",
         "a@x.org:0 {line 2|Lee|||} ", ""},
        {"attributes cell", "a.csv",
         "email,name,attributes,status\na@x.org,A,\"{\"\"lang\"\":\"\"it\"\",\"\"tz\"\":\"\"Europe/"
         "Rome\"\",\"\"vip\"\":true}\","
         "enabled\n",
         "a@x.org:0 {line 2|A|it|Europe/Rome|{\"lang\":\"it\",\"tz\":\"Europe/Rome\",\"vip\":true}} ", ""},
        {"attributes that are none", "a.csv", "email,attributes,status\na@x.org,{nonsense,yes\n",
         "a@x.org:0 {line 2||||{\"attributes\":\"{nonsense\"}} ", ""},
        {"interest", "a.csv",
         "email,status,events\na@x.org,yes," EVENT "\nb@x.org,yes,other\nc@x.org,yes,\nd@x.org,no," EVENT "\n",
         "a@x.org:0 b@x.org:1 c@x.org:1 d@x.org:1 ", "", NULL, false, "events"},
        {"interest in tags", "a.csv",
         "email,status,TAGS\na@x.org,yes,\"\"\"VIP\"\",\"\"event-" EVENT "\"\"\"\nb@x.org,yes,\"\"\"VIP\"\"\"\n",
         "a@x.org:0 b@x.org:1 ", "", NULL, false, "tags"},
        {"interest in attributes", "a.csv",
         "email,status,attributes\na@x.org,yes,\"{\"\"events\"\":[\"\"" EVENT "\"\"]}\"\n", "a@x.org:0 ", "", NULL,
         false, "events"},
        {"interest in no column", "a.csv", "email,status\na@x.org,yes\n", NULL, "",
         "interest: there is no column \"events\"", false, "events"},
        {"JSON lines", "a.jsonl",
         "{\"email\":\"a@x.org\",\"status\":\"subscribed\",\"name\":\"Ann\",\"tz\":\"Europe/Rome\",\"locale\":\"it\"}\n"
         "{\"email\":\"b@x.org\",\"status\":false}\n\n{\"email\":\"c@x.org\",\"status\":true,\"attribs\":{\"vip\":1}}"
         "\n",
         "a@x.org:0 {line 1|Ann|it|Europe/Rome|} b@x.org:1 {line 2||||} c@x.org:0 {line 4||||{\"vip\":1}} ", ""},
        {"JSON lines, bad ones", "a.jsonl",
         "{\"email\":\"a@x.org\",\"status\":\"yes\"}\nnonsense\n{\"email\":\"b@x.org\",\n[]\n{\"email\":\"c@x.org\","
         "\"status\":\"yes\"}",
         "a@x.org:0 c@x.org:0 ", "line 2: not a JSON object. "},
        {"JSON lines, no status", "a.jsonl", "{\"email\":\"a@x.org\"}\n", NULL, "", "`consent: stated`"},
        {"JSON lines, no status later", "a.jsonl",
         "{\"email\":\"a@x.org\",\"status\":\"yes\"}\n{\"email\":\"b@x.org\"}\n", "a@x.org:0 b@x.org:1 ",
         "line 2: no \"status\" is taken for a no. "},
        {"JSON lines, stated", "a.jsonl", "{\"email\":\"a@x.org\"}\n", "a@x.org:0 ", "", NULL, true},
        {"JSON lines, odd status", "a.jsonl", "{\"email\":\"a@x.org\",\"status\":[\"yes\"]}\n", "a@x.org:1 ",
         "line 1: unknown status \"list\" is taken for a no. "},
        {"JSON lines, interest", "a.jsonl",
         "{\"email\":\"a@x.org\",\"status\":\"yes\",\"events\":[\"" EVENT
         "\"]}\n{\"email\":\"b@x.org\",\"status\":\"yes\"}\n",
         "a@x.org:0 b@x.org:1 ", "", NULL, false, "events"},
        {"JSON array", "a.json",
         "\n[\n {\"email\":\"a@x.org\",\"status\":\"yes\"},\n {\"email\":\"b]}@x.org\",\"status\":\"no\"}\n]\n",
         "a@x.org:0 b]}@x.org:1 ", ""},
        {"JSON array, empty", "a.json", " [ ] ", "", ""},
        {"JSON array, other values", "a.json", "[1,\"x\",null,[{}],{\"email\":\"a@x.org\",\"status\":\"yes\"}]",
         "a@x.org:0 ", "line 1: not a JSON object. "},
        {"JSON array, never closed", "a.json", "[{\"email\":\"a@x.org\",\"status\":\"yes\"},", NULL, "",
         "never closed"},
        {"JSON array, cut", "a.json", "[{\"email\":\"a@x.org\",\"status\":", NULL, "", "ends inside an element"},
        {"JSON array, more behind", "a.json", "[] x", NULL, "", "behind the array"},
        {"format said", "a.csv", "{\"email\":\"a@x.org\",\"status\":\"yes\"}\n", NULL, "",
         "line 1: text behind a closing quote", false, NULL, "csv"},
        {"windows", "a.csv", "email;name;status\r\na@x.org;M\xFCller;yes\r\n", "a@x.org:0 {line 2|Müller|||} ", ""},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        auto_free char *path = file_with(cases[i].file, text_of(cases[i].content));
        struct gathered got = {.details = cases[i].people && strchr(cases[i].people, '{')};
        gather(&got,
               &(struct audience_settings){.name = "fans",
                                           .path = path,
                                           .consent_stated = cases[i].stated,
                                           .format = cases[i].format,
                                           .interest.attribute = cases[i].interest},
               NULL);
        unlink(path);
        if (cases[i].failure) {
            if (!strstr(got.failure.text, cases[i].failure) || got.failure.kind != ERROR_CONFIG)
                fail_msg("%s: failure \"%s\"", cases[i].name, got.failure.text);
        } else if (strcmp(got.people.ptr, cases[i].people) != 0 || got.failure.kind != ERROR_NONE)
            fail_msg("%s: %s%s", cases[i].name, got.people.ptr, got.failure.text);
        if (strcmp(got.bad.ptr, cases[i].bad) != 0)
            fail_msg("%s: bad \"%s\"", cases[i].name, got.bad.ptr);
        gathered_clear(&got);
    }
}

static void missing_files(void **state)
{
    struct gathered got = {0};
    (void)state;
    gather(&got, &(struct audience_settings){.name = "fans", .path = "/nowhere/fans.csv"}, NULL);
    assert_string_equal(got.failure.text, "/nowhere/fans.csv: No such file or directory");
    gathered_clear(&got);
    got = (struct gathered){0};
    gather(&got, &(struct audience_settings){.name = "fans", .path = "/tmp"}, NULL);
    assert_string_equal(got.failure.text, "/tmp: not a plain file");
    gathered_clear(&got);
}

static void many_lines(struct buf *buf, size_t count)
{
    buf_init(buf, 256 << 20);
    buf_adds(buf, "email,name,status,note\n");
    for (size_t i = 0; i < count; i++) {
        buf_addf(buf, "p%zu@example.org,\"N, %zu\",%s,", i, i, i % 4 ? "yes" : "no");
        buf_adds(buf, i % 10 ? "short\n" : "\"two\r\nlines\"\n");
    }
}

/* Whoever goes on at a cursor misses nobody and meets nobody twice; a changed file begins again. */
static void cursors(void **state)
{
    auto_buf struct buf content;
    struct gathered first = {.stop_after = 2}, rest = {0}, whole = {0}, stale = {0};
    (void)state;
    many_lines(&content, 5500);
    auto_free char *path = file_with("cursor.csv", buf_text(&content));
    struct audience_settings settings = {.name = "fans", .path = path};

    gather(&whole, &settings, NULL);
    assert_int_equal(whole.records, 5500);
    assert_int_equal(whole.pages, 6);
    gather(&first, &settings, NULL);
    assert_int_equal(first.records, 2000);
    gather(&rest, &settings, first.cursor);
    assert_int_equal(rest.records, 3500);
    assert_int_equal(rest.restarts, 0);
    buf_add_text(&first.people, buf_text(&rest.people));
    assert_string_equal(first.people.ptr, whole.people.ptr);

    buf_adds(&content, "late@example.org,L,yes,x\n");
    write_file(path, buf_text(&content));
    gather(&stale, &settings, first.cursor);
    assert_int_equal(stale.records, 5501);
    assert_int_equal(stale.restarts, 1);
    unlink(path);
    gathered_clear(&first);
    gathered_clear(&rest);
    gathered_clear(&whole);
    gathered_clear(&stale);
}

/* Somebody saves another list while we read: the read ends with the new one, not with half of each. */
static void changed_while_reading(void **state)
{
    auto_buf struct buf content;
    struct gathered got = {.rewrite = H "new@x.org,New,yes\n"};
    (void)state;
    many_lines(&content, 3000);
    auto_free char *path = file_with("changed.csv", buf_text(&content));
    gather(&got, &(struct audience_settings){.name = "fans", .path = path}, NULL);
    unlink(path);
    assert_int_equal(got.pages, 2);
    assert_int_equal(got.records, 1001);
    assert_int_equal(got.restarts, 1);
    assert_non_null(strstr(got.people.ptr, "new@x.org:0 "));
    gathered_clear(&got);
}

/* Cancelled while the pool is at work, by somebody who never waits for a page. */
static void cancelled_at_once(void **state)
{
    uv_loop_t loop;
    struct error err = {0};
    struct gathered got = {0};
    (void)state;
    auto_free char *path = file_with("cancel.csv", TEXT(H "a@x.org,A,yes\n"));
    struct audience_settings settings = {.name = "fans", .path = path};
    assert_int_equal(uv_loop_init(&loop), 0);
    struct audience *audience = audience_file_new(&settings, &(struct audience_parts){.uv_loop = &loop}, &err);
    struct audience_read *read =
        audience->ops->read(audience, &(struct audience_question){.event_id = EVENT}, on_page, &got, &err);
    audience->ops->cancel(read);
    audience->ops->free(audience);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_equal(got.pages, 0);
    unlink(path);
}

static void a_million_lines(void **state)
{
    enum { LINES = 1000000 };
    char path[64];
    struct gathered got = {0};
    struct rusage usage;
    (void)state;
    snprintf(path, sizeof path, "/tmp/onsale-test-%d-million.csv", (int)getpid());
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("email,name,status,city,lang\n", file);
    for (int i = 0; i < LINES; i++)
        fprintf(file, "person%d@example.org,\"Person, %d\",%s,Vilnius,lt\n", i, i, i % 3 ? "subscribed" : "pending");
    fclose(file);
    buf_init(&got.people, 4096); /* overfull at once: we only count */
    buf_init(&got.bad, 4096);
    gather(&got, &(struct audience_settings){.name = "fans", .path = path}, NULL);
    unlink(path);
    getrusage(RUSAGE_SELF, &usage);
    print_message("# a million lines: %zu pages, greatest %zu bytes; peak memory of the process %ld KB\n", got.pages,
                  got.page_bytes_max, usage.ru_maxrss);
    assert_string_equal(got.failure.text, "");
    assert_int_equal(got.records, LINES);
    assert_int_equal(got.yes, LINES - (LINES + 2) / 3);
    assert_int_equal(got.page_records_max, 1000);
    assert_true(got.page_bytes_max < 512 * 1024);
    gathered_clear(&got);
}

/* A page ends by bytes as well: a thousand records of a megabyte must not be one. */
static void heavy_records(void **state)
{
    auto_buf struct buf content;
    auto_free char *filler = must_calloc(1, 60001);
    struct gathered got = {0};
    (void)state;
    memset(filler, 'x', 60000);
    buf_init(&content, 64 << 20);
    buf_adds(&content, "email,status,a,b,c,d,e\n");
    for (int i = 0; i < 100; i++)
        buf_addf(&content, "p%d@example.org,yes,\"\"\"%s\",%s,%s,%s,%s\n", i, filler, filler, filler, filler, filler);
    auto_free char *path = file_with("heavy.csv", buf_text(&content));
    gather(&got, &(struct audience_settings){.name = "fans", .path = path}, NULL);
    unlink(path);
    assert_int_equal(got.records, 100);
    assert_true(got.pages > 1);
    assert_true(got.page_bytes_max < 5 << 20);
    gathered_clear(&got);
}

/* The words of the configuration, and what only one source understands. */
static void settings(void **state)
{
    static const struct {
        const char *yaml, *problem; /* NULL: fine */
    } cases[] = {
        {"name: door\nsource: file\npath: a.csv\n", NULL},
        {"name: door\nsource: file\npath: a.csv\nconsent: stated\nformat: jsonl\ninterest: {attribute: events}\n",
         NULL},
        {"name: door\nsource: file\npath: a.csv\nconsent: yes\n", "`stated`"},
        {"name: door\nsource: file\npath: a.csv\nformat: xls\n", "auto, csv or jsonl"},
        {"name: door\nsource: mailman\n", "listmonk"},
        {"name: door\nsource: file\n", "`path` is missing"},
        {"name: door\nsource: file\npath: a.csv\ninterest: {list_name: x}\n", "needs `source: listmonk`"},
        {"name: fans\nsource: listmonk\nurl: http://127.0.0.1:9000\nusername: onsale\ntoken: t\nlists: [3]\n", NULL},
        {"name: fans\nsource: listmonk\nurl: http://127.0.0.1:9000\nusername: onsale\ntoken: t\nlists: [3, fans]\n",
         "found \"fans\""},
        {"name: fans\nsource: listmonk\nurl: http://127.0.0.1:9000\nusername: onsale\ntoken: t\nlists: 3\npage_size: "
         "10\n",
         "from 100 to 10000"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct audience_settings read = {0};
        struct error err = {0};
        struct config_doc *doc = config_parse("onsale.yaml", "/etc/onsale", text_of(cases[i].yaml));
        config_read(doc, audience_options, &read);
        if (config_check(doc, &err) == 0)
            audience_check(&read, &err);
        if (cases[i].problem ? !strstr(err.text, cases[i].problem) : err.kind != ERROR_NONE)
            fail_msg("%zu: %s", i, err.text);
        if (i == 1) {
            assert_true(read.consent_stated);
            assert_string_equal(read.format, "jsonl");
            assert_string_equal(read.path, "/etc/onsale/a.csv");
            assert_string_equal(read.interest.attribute, "events");
        }
        config_free(doc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings),
        cmocka_unit_test(samples),
        cmocka_unit_test(files),
        cmocka_unit_test(missing_files),
        cmocka_unit_test(cursors),
        cmocka_unit_test(cancelled_at_once),
        cmocka_unit_test(changed_while_reading),
        cmocka_unit_test(a_million_lines),
        cmocka_unit_test(heavy_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
