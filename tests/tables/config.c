#include "config.h"
#include "table.h"

#include <string.h>
#include <sys/stat.h>

struct door {
    struct config_place place;
    const char *name, *color, *token, *path, *receipt, *maker;
    bool open;
    int64_t width, wait_ms, size;
    struct config_rates rate;
    int kind, source;
    struct config_list tags;
    struct lock {
        int64_t pins;
        const char *maker;
    } lock;
    int hue;
};
struct house {
    const char *owner;
    struct config_items doors;
    struct door first;
};

static const char *const kinds[] = {"wood", "steel", "glass", NULL};
static const char *const sources[] = {"made", "bought", NULL};

static int read_hue(struct text t, void *field, struct arena *arena, struct error *err)
{
    (void)arena;
    if (!text_starts(t, "#"))
        return error_set(err, ERROR_CONFIG, "a hue begins with #");
    *(int *)field = (int)t.len;
    return 0;
}

static const struct config_option lock_options[] = {
    {"pins", CONFIG_INT, offsetof(struct lock, pins), .fallback = "5", .min = 1, .max = 9},
    {"maker", CONFIG_TEXT, offsetof(struct lock, maker), .fallback = "nobody"},
    {0},
};
static const struct config_option door_options[] = {
    {"", CONFIG_PLACE, offsetof(struct door, place)},
    {"name", CONFIG_TEXT, offsetof(struct door, name), .required = true},
    {"color", CONFIG_TEXT, offsetof(struct door, color), .fallback = "green"},
    {"token", CONFIG_SECRET, offsetof(struct door, token)},
    {"path", CONFIG_PATH, offsetof(struct door, path)},
    {"open", CONFIG_BOOL, offsetof(struct door, open), .fallback = "true"},
    {"width", CONFIG_INT, offsetof(struct door, width)},
    {"wait", CONFIG_SPAN, offsetof(struct door, wait_ms), .fallback = "30s", .min = 1000, .max = 3600000},
    {"size", CONFIG_SIZE, offsetof(struct door, size), .fallback = "1KB"},
    {"rate", CONFIG_RATES, offsetof(struct door, rate), .fallback = "10/s"},
    {"kind", CONFIG_WORD, offsetof(struct door, kind), .words = kinds, .fallback = "steel"},
    {"tags", CONFIG_LIST, offsetof(struct door, tags), .fallback = "plain"},
    {"lock", CONFIG_SECTION, offsetof(struct door, lock), .inside = lock_options},
    {"wings", CONFIG_RESERVED},
    {"source", CONFIG_WORD, offsetof(struct door, source), .words = sources},
    {"receipt", CONFIG_SECRET, offsetof(struct door, receipt), .only = "bought"},
    {"maker", CONFIG_TEXT, offsetof(struct door, maker), .only = "made"},
    {"hue", CONFIG_CUSTOM, offsetof(struct door, hue), .read = read_hue},
    {0},
};
static const struct config_option house_options[] = {
    {"owner", CONFIG_TEXT, offsetof(struct house, owner), .required = true},
    {"doors", CONFIG_ITEMS, offsetof(struct house, doors), .inside = door_options, .item_size = sizeof(struct door)},
    {"first", CONFIG_SECTION, offsetof(struct house, first), .inside = door_options},
    {0},
};

#define OWNER "owner: me\n"
#define DOOR OWNER "doors:\n  - name: a\n"

struct bad {
    const char *yaml, *says; /* every problem, a line each */
};

/* The file is read from a folder that holds `secret` (two lines), `empty` and `binary`. */
static const struct bad bad_yaml[] = {
    {"", "1:1: the file is empty: expected a mapping of keys"},
    {"# nothing\n", "1:1: the file is empty: expected a mapping of keys"},
    {"---\n", "1:1: the file is empty: expected a mapping of keys"},
    {"text", "1:1: expected a mapping of keys (\"key: value\") at the top"},
    {"- a\n", "1:1: expected a mapping of keys (\"key: value\") at the top"},
    {"owner: \"me\n\n", "1:8: the quote that begins here is never closed"},
    {"owner: 'me\ndoors: []\n", "1:8: the quote that begins here is never closed"},
    {"owner: @me\n", "1:8: a text that begins with @, ` or % must be quoted"},
    {"owner: `me`\n", "1:8: a text that begins with @, ` or % must be quoted"},
    {"owner: %me\n", "1:8: a text that begins with @, ` or % must be quoted"},
    {"first:\n\tname: a\n", "2:1: a tab cannot indent: use blanks"},
    {"first:\n  - name: a\n\tother: b\n", "3:1: a tab cannot indent: use blanks"},
    {"first:\n - name: a\n  other: b\n",
     "3:3: expected \"- \" as in the list's other entries: check the indentation of this line and of those above"},
    {"owner: me: you\n",
     "1:10: no \":\" is possible here: check the indentation; a text that holds \": \" must be quoted"},
    {"owner: me\n  doors: []\n",
     "2:8: no \":\" is possible here: check the indentation; a text that holds \": \" must be quoted"},
    {"owner: [me\ndoors: []\n", "2:6: expected \",\" or \"]\" (for the \"[\" of line 1)"},
    {"first: {name: a\nowner: me\n", "2:6: expected \",\" or \"}\" (for the \"{\" of line 1)"},
    {"owner: }\n", "1:8: expected a value"},
    {"owner: \"me\" you\n", "1:13: expected a key here: check indentation and quotes"},
    {"owner: \"\\q\"\n", "1:9: unknown escape in a quoted text: write \\\\ for a backslash"},
    {"owner: me\nb\xC3\xA4: \xFF\n", "2:5: not UTF-8"},
    {"owner: a\x01z\n", "1:9: a control character: write it as an escape in a quoted text"},
    {"owner: &me you\n", "1:8: anchors (&me) are not possible here"},
    {"owner: &me you\nfirst: {name: *me}\n",
     "1:8: anchors (&me) are not possible here\n2:15: aliases (*me) are not possible here: write the value out"},
    {"owner: !!str me\n", "1:8: tags (tag:yaml.org,2002:str) are not possible here"},
    {"owner: !me you\n", "1:8: tags (!me) are not possible here"},
    {"\xFF\xFEo:", "1:1: not UTF-8"},
    {OWNER "doors: !x []\n", "2:8: tags (!x) are not possible here"},
    {OWNER "&a first: {name: b}\n", "2:1: anchors and tags are not possible here"},
    {OWNER "<<: {a: b}\n", "2:1: merging (<<) is not possible here: write the keys out"},
    {"owner: me\n---\nowner: you\n", "2:1: a second document begins here: the configuration is one document"},
    {"owner: me\nowner: you\n", "2:1: the key \"owner\" stands here twice (first in line 1)"},
    {OWNER "[a, b]: c\n", "2:1: a key must be a plain text"},
    {OWNER "? {a: b}\n: c\n", "2:3: a key must be a plain text"},
    {OWNER "\"\": c\n", "2:1: the key is missing"},
    {"owner: \"a\\0b\"\n", "1:8: a text cannot hold the NUL character"},
    {"owner: \"a\\x1bb\"\n", "1:8: owner: expected a text, found \"a\\x1bb\""},
};

static const struct bad bad_values[] = {
    {"doors: []\n", "1:1: missing key \"owner\" (a text)"},
    {"owner: \"\"\n", "1:8: owner: must not be empty"},
    {"owner:\n", "1:7: owner: expected a text, found nothing"},
    {"owner: ~\n", "1:8: owner: expected a text, found nothing"},
    {"owner: [me]\n", "1:8: owner: expected a text, found a list"},
    {"owner: {me: you}\n", "1:8: owner: expected a text, found a mapping of keys"},
    {OWNER "colour: red\n", "2:1: unknown key \"colour\" (known: owner, doors, first)"},
    {"ower: me\nowner: me\n", "1:1: unknown key \"ower\" (did you mean \"owner\"?)"},
    {OWNER "doors: wide\n", "2:8: doors: expected a list of mappings, found a text"},
    {OWNER "doors: [wide, {name: a}]\n", "2:9: doors: expected a mapping of keys for each entry"},
    {OWNER "doors:\n", "2:7: doors: expected a list of mappings, found nothing"},
    {OWNER "doors:\n  - color: red\n", "3:5: missing key \"name\" (a text)"},
    {OWNER "first: a\n", "2:8: first: expected a mapping of keys, found a text"},
    {DOOR "    open: yes\n", "4:11: open: expected true or false, found \"yes\""},
    {DOOR "    width: wide\n", "4:12: width: expected a whole number, found \"wide\""},
    {DOOR "    width: -1\n", "4:12: width: expected a whole number, found \"-1\""},
    {DOOR "    width: 1.5\n", "4:12: width: expected a whole number, found \"1.5\""},
    {DOOR "    width: 99999999999999999999\n", "4:12: width: expected a whole number, found \"99999999999999999999\""},
    {DOOR "    wait: 5 minutes\n",
     "4:11: wait: expected a span such as 30s, 5m, 1h or 7d from 1s to 1h, found \"5 minutes\""},
    {DOOR "    wait: 2h\n", "4:11: wait: expected a span such as 30s, 5m, 1h or 7d from 1s to 1h, found \"2h\""},
    {DOOR "    wait: [30s]\n", "4:11: wait: expected a span such as 30s, 5m, 1h or 7d from 1s to 1h, found a list"},
    {DOOR "    size: 10 MB\n", "4:11: size: expected a size such as 512, 64KB or 10MB, found \"10 MB\""},
    {DOOR "    rate: fast\n",
     "4:11: rate: expected a rate such as 500/s, 200/min or 10000/h, or a list of them, found \"fast\""},
    {DOOR "    rate: 0/s\n",
     "4:11: rate: expected a rate such as 500/s, 200/min or 10000/h, or a list of them, found \"0/s\""},
    {DOOR "    rate: [1/s, 5/week]\n",
     "4:17: rate: expected a rate such as 500/s, 200/min or 10000/h, or a list of them, found \"5/week\""},
    {DOOR "    kind: stone\n", "4:11: kind: expected wood, steel or glass, found \"stone\""},
    {DOOR "    tags: {a: b}\n", "4:11: tags: expected a text or a list of texts, found a mapping of keys"},
    {DOOR "    tags: [a, [b]]\n", "4:15: tags: expected a text or a list of texts, found a list"},
    {DOOR "    tags:\n      - a\n      -\n", "6:8: tags: expected a text or a list of texts, found nothing"},
    {DOOR "    path: \"\"\n", "4:11: path: expected a path, found \"\""},
    {DOOR "    hue: red\n", "4:10: hue: a hue begins with #"},
    {DOOR "    hue: [red]\n", "4:10: hue: expected a text, found a list"},
    {DOOR "    lock: {pins: 12}\n", "4:18: pins: expected a whole number from 1 to 9, found \"12\""},
    {DOOR "    lock: {pin: 2}\n", "4:12: unknown key \"pin\" (did you mean \"pins\"?)"},
    {DOOR "    lock: five\n", "4:11: lock: expected a mapping of keys, found a text"},
    {DOOR "    wings: 2\n", "4:12: wings: reserved for a later version"},
    {DOOR "    source: bought\n    maker: me\n", "5:12: maker: means nothing with source: bought (only with made)"},
    {DOOR "    receipt_file: secret\n    source: made\n    maker: me\n",
     "4:19: receipt_file: means nothing with source: made (only with bought)"},
    {DOOR "    source: found\n    maker: me\n", "4:13: source: expected made or bought, found \"found\""},
    {DOOR "    source: [made]\n    receipt: hunter2\n", "4:13: source: expected made or bought, found a list"},
    {DOOR "    nmae: b\n", "4:5: unknown key \"nmae\" (did you mean \"name\"?)"},
    {DOOR "    color: ${CONFIG_TEST_MISSING}\n", "4:12: the environment variable CONFIG_TEST_MISSING is not set"},
    {DOOR "    color: a${b\n", "4:12: expected ${NAME} of an environment variable (write $${ for a plain ${)"},
    {DOOR "    color: ${}\n", "4:12: expected ${NAME} of an environment variable (write $${ for a plain ${)"},
    {DOOR "    color: ${CONFIG_TEST_BINARY}\n", "4:12: the environment variable CONFIG_TEST_BINARY is not UTF-8"},
    {DOOR "    width: ${CONFIG_TEST_WORD}\n", "4:12: width: expected a whole number, found \"${CONFIG_TEST_WORD}\""},
    {DOOR "    hue: ${CONFIG_TEST_WORD}\n", "4:10: hue: expected a text, found \"${CONFIG_TEST_WORD}\""},
    {DOOR "    token: hunter2\n    token_file: secret\n", "5:5: token and token_file: only one of them"},
    {DOOR "    token: [hunter2]\n", "4:12: token: expected a text, found a list"},
    {DOOR "    token: \"\"\n", "4:12: token: must not be empty"},
    {DOOR "    token: \"hunter\\x072\"\n", "4:12: token: expected a text, found something else"},
    {DOOR "    token: >\n      hunter2\n      ${CONFIG_TEST_WORD} \n    open: no\n",
     "7:11: open: expected true or false, found \"no\""},
    {DOOR "    token: >\n      ab\n      {\"open: no\", hunter2\n    width: x\n",
     "7:12: width: expected a whole number, found \"x\""},
    {OWNER "first: {name: a, token: \n  hunter2, open: no}\n", "3:18: open: expected true or false, found \"no\""},
    {DOOR "    color: {url: \"http://me:hunter2@host/\"}\n", "4:12: color: expected a text, found a mapping of keys"},
    {DOOR "    tokn: hunter2\n", "4:5: unknown key \"tokn\" (did you mean \"token\"?)"},
    {OWNER "doors:\n  - {name: a, token:hunter2}\n", "3:15: a blank must follow the \":\" of \"token:\""},
    {DOOR "    token_file: nowhere\n", "4:17: token_file: nowhere: No such file or directory"},
    {DOOR "    token_file: .\n", "4:17: token_file: .: Is a directory"},
    {DOOR "    token_file: empty\n", "4:17: token_file: empty: the first line is empty"},
    {DOOR "    token_file: binary\n", "4:17: token_file: binary: the first line is not plain text"},
    {DOOR "    token_file:\n", "4:16: token_file: expected a path"},
    {"zoo: 1\nfirst:\n  name: a\n  open: no\n  wait: x\n",
     "1:1: missing key \"owner\" (a text)\n"
     "1:1: unknown key \"zoo\" (known: owner, doors, first)\n"
     "4:9: open: expected true or false, found \"no\"\n"
     "5:9: wait: expected a span such as 30s, 5m, 1h or 7d from 1s to 1h, found \"x\""},
};

struct fixture {
    char folder[64];
};

static void write_file(const char *folder, const char *name, const char *content)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    auto_file FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(content, file);
}

static int make_folder(void **state)
{
    struct fixture *fixture = must_calloc(1, sizeof *fixture);

    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/onsale-config-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    write_file(fixture->folder, "secret", "  hunter2 \r\nsecond line\n");
    write_file(fixture->folder, "empty", "\nhunter2\n");
    write_file(fixture->folder, "binary", "hunter\xFF\x01\n");
    setenv("CONFIG_TEST_WORD", "hunter2", 1);
    setenv("CONFIG_TEST_BINARY", "\xFF", 1);
    unsetenv("CONFIG_TEST_MISSING");
    *state = fixture;
    return 0;
}

static int remove_folder(void **state)
{
    struct fixture *fixture = *state;
    static const char *const names[] = {"secret", "empty", "binary", ""};

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", fixture->folder, names[i]);
        assert_int_equal(remove(path), 0);
    }
    free(fixture);
    return 0;
}

/* Everything that would be printed. */
static char *print(const struct config_doc *doc)
{
    char *printed = NULL;
    size_t size;
    FILE *out = open_memstream(&printed, &size);
    config_print_problems(doc, out);
    fclose(out);
    return printed;
}

/* Only the lines that say what is wrong, without the file's name. */
static void keep_problems(const char *printed, struct buf *out)
{
    static const char file[] = "house.yaml:";
    struct text rest = text_of(printed);

    while (rest.len) {
        struct text line = text_cut(&rest, '\n');
        if (!text_starts(line, file))
            continue;
        line = text_slice(line, sizeof file - 1, line.len);
        const char *error = memmem(line.ptr, line.len, " error: ", 8);
        assert_non_null(error);
        if (out->len)
            buf_addc(out, '\n');
        buf_add(out, line.ptr, (size_t)(error - line.ptr) + 1);
        buf_add(out, error + 8, line.len - (size_t)(error - line.ptr) - 8);
    }
}

static void check_bad(const struct fixture *fixture, const struct bad *bad)
{
    struct house house = {0};
    struct config_doc *doc = config_parse("house.yaml", fixture->folder, text_of(bad->yaml));
    auto_buf struct buf says;
    struct error err = {0};

    buf_init(&says, 64 * 1024);
    config_read(doc, house_options, &house);
    auto_free char *printed = print(doc);
    keep_problems(printed, &says);
    if (!text_is(buf_text(&says), bad->says))
        fail_msg("\"%s\"\nsaid:\n%s\nexpected:\n%s", bad->yaml, says.ptr ? says.ptr : "", bad->says);
    if (strstr(printed, "hunter"))
        fail_msg("the secret is shown:\n%s", printed);
    assert_int_equal(config_check(doc, &err), -1);
    assert_int_equal(err.kind, ERROR_CONFIG);
    config_free(doc);
}

static void bad_files(void **state)
{
    for (size_t i = 0; i < ARRAY_LEN(bad_yaml); i++)
        check_bad(*state, &bad_yaml[i]);
    for (size_t i = 0; i < ARRAY_LEN(bad_values); i++)
        check_bad(*state, &bad_values[i]);
}

static void secrets_in_unreadable_files(void **state)
{
    static const char *const cases[] = {
        "first:\n  token: \"hunter2\n",  "token hunter2\nowner: me\n",    "first: {token: hunter2, name: [}\n",
        "db_password: hunter2: x\n",     "  \"api_key\" : @hunter2: x\n", "first:\n  - token:\thunter2: x\n",
        "API-TOKEN: 'a: hunter2\n\nx\n",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config_doc *doc = config_parse("house.yaml", ".", text_of(cases[i]));
        struct house house = {0};
        config_read(doc, house_options, &house);
        auto_free char *printed = print(doc);
        assert_true(config_problem_count(doc) > 0);
        if (strstr(printed, "hunter"))
            fail_msg("the secret is shown:\n%s", printed);
        config_free(doc);
    }
}

static void lines_and_carets(void **state)
{
    static const struct bad cases[] = {
        {"owner: me\nfirst: {name: a, open: no}\n",
         "house.yaml:2:24: error: open: expected true or false, found \"no\"\n"
         "    first: {name: a, open: no}\n"
         "                           ^\n"},
        {"owner: me\nfirst: {token: hunter2, name: a, open: no}\n",
         "house.yaml:2:40: error: open: expected true or false, found \"no\"\n"
         "    first: {token: ***\n"
         "                   ^\n"},
        {"owner: me\nfirst:\n  name: a\n  open: no\n  token: |\n    hunter2\n    hunter3\n",
         "house.yaml:4:9: error: open: expected true or false, found \"no\"\n"
         "      open: no\n"
         "            ^\n"},
        {"owner: me\nfirst: {name: \"\xC3\xA4\xE2\x80\xAE\", open: no}\n",
         "house.yaml:2:27: error: open: expected true or false, found \"no\"\n"
         "    first: {name: \"\xC3\xA4\\u202e\", open: no}\n"
         "                                   ^\n"},
        {"\xEF\xBB\xBFowner: [me]\n", "house.yaml:1:8: error: owner: expected a text, found a list\n"
                                      "    owner: [me]\n"
                                      "           ^\n"},
        {"owner: a\rb: c\x1b\n", "house.yaml:2:5: error: a control character: write it as an escape in a quoted text\n"
                                 "    b: c\\x1b\n"
                                 "        ^\n"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct config_doc *doc = config_parse("house.yaml", ".", text_of(cases[i].yaml));
        struct house house = {0};
        config_read(doc, house_options, &house);
        auto_free char *printed = print(doc);
        if (strcmp(printed, cases[i].says) != 0)
            fail_msg("said:\n%s\nexpected:\n%s", printed, cases[i].says);
        config_free(doc);
    }
}

static void twenty_are_shown(void **state)
{
    struct house house = {0};
    auto_buf struct buf yaml, says;
    (void)state;

    buf_init(&yaml, 64 * 1024);
    buf_init(&says, 64 * 1024);
    buf_adds(&yaml, "owner: me\n");
    for (int i = 0; i < 25; i++)
        buf_addf(&yaml, "zz%d: 1\n", i);
    struct config_doc *doc = config_parse("house.yaml", ".", buf_text(&yaml));
    config_read(doc, house_options, &house);
    assert_int_equal(config_problem_count(doc), 25);
    auto_free char *printed = print(doc);
    assert_non_null(strstr(printed, "house.yaml:21:1:"));
    assert_null(strstr(printed, "house.yaml:22:1:"));
    assert_non_null(strstr(printed, "\n... and 5 more\n"));
    config_free(doc);
}

static void limits(void **state)
{
    auto_buf struct buf yaml;
    struct error err = {0};
    (void)state;

    buf_init(&yaml, 1024 * 1024);
    buf_adds(&yaml, "owner: ");
    for (int i = 0; i < 70; i++)
        buf_addc(&yaml, '[');
    struct config_doc *doc = config_parse("house.yaml", ".", buf_text(&yaml));
    config_check(doc, &err);
    assert_string_equal(err.text, "house.yaml:1:71: nested more than 64 deep");
    assert_false(config_is_readable(doc));
    config_free(doc);

    buf_reset(&yaml);
    buf_adds(&yaml, "owner:\n");
    for (int i = 0; i < 50010; i++)
        buf_adds(&yaml, "- a\n");
    doc = config_parse("house.yaml", ".", buf_text(&yaml));
    err = (struct error){0};
    config_check(doc, &err);
    assert_string_equal(err.text, "house.yaml:50000:3: more than 50000 values");
    config_free(doc);

    buf_reset(&yaml);
    for (int i = 0; i < 1010; i++)
        buf_addf(&yaml, "k%d: a\n", i);
    doc = config_parse("house.yaml", ".", buf_text(&yaml));
    err = (struct error){0};
    config_check(doc, &err);
    assert_string_equal(err.text, "house.yaml:1001:1: more than 1000 keys in one mapping");
    config_free(doc);

    err = (struct error){0};
    assert_null(config_open("/nowhere/house.yaml", &err));
    assert_string_equal(err.text, "/nowhere/house.yaml: No such file or directory");
}

static const char good[] = "\xEF\xBB\xBF# all that is possible\n"
                           "owner: \"me $${x} ${CONFIG_TEST_WORD}!\"\n"
                           "doors:\n"
                           "- name: front\n"
                           "  color: \"no\"\n"
                           "  token_file: secret\n"
                           "  path: keys/a.txt\n"
                           "  open: false\n"
                           "  width: 90\n"
                           "  wait: 5m\n"
                           "  size: 10MB\n"
                           "  rate: [500/s, 200/min, 10000/h, 5/d]\n"
                           "  kind: glass\n"
                           "  tags: [a, 'b c']\n"
                           "  lock: {pins: 7}\n"
                           "  hue: \"#abc\"\n"
                           "- name: back\n"
                           "  tags: x\n"
                           "  rate: 1/h\n"
                           "  path: /etc/key\n"
                           "- {name: side, tags: []}\n";

static void good_file(void **state)
{
    struct fixture *fixture = *state;
    struct house house = {0};
    struct config_doc *doc = config_parse("house.yaml", fixture->folder, text_of(good));
    auto_free char *printed = NULL;
    char path[128];

    config_read(doc, house_options, &house);
    printed = print(doc);
    assert_string_equal(printed, "");
    assert_string_equal(house.owner, "me ${x} hunter2!");
    assert_int_equal(house.doors.count, 3);

    const struct door *front = house.doors.at, *back = front + 1, *side = front + 2;
    assert_string_equal(front->color, "no");
    assert_string_equal(front->token, "hunter2");
    snprintf(path, sizeof path, "%s/keys/a.txt", fixture->folder);
    assert_string_equal(front->path, path);
    assert_false(front->open);
    assert_int_equal(front->width, 90);
    assert_int_equal(front->wait_ms, 300000);
    assert_int_equal(front->size, 10 << 20);
    assert_int_equal(front->rate.count, 4);
    assert_int_equal(front->rate.at[1].count, 200);
    assert_int_equal(front->rate.at[1].per_ms, 60000);
    assert_int_equal(front->kind, 2);
    assert_int_equal(front->tags.count, 2);
    assert_string_equal(front->tags.at[1], "b c");
    assert_int_equal(front->tags.places[1].column, 13);
    assert_int_equal(front->lock.pins, 7);
    assert_string_equal(front->lock.maker, "nobody");
    assert_int_equal(front->hue, 4);
    assert_int_equal(front->place.line, 4);
    assert_int_equal(config_place_of(doc, front->place, "wait").line, 10);
    assert_int_equal(config_place_of(doc, front->place, "nothing").line, 4);

    assert_true(back->open);
    assert_string_equal(back->color, "green");
    assert_null(back->token);
    assert_string_equal(back->path, "/etc/key");
    assert_int_equal(back->wait_ms, 30000);
    assert_int_equal(back->size, 1024);
    assert_int_equal(back->kind, 1);
    assert_int_equal(back->rate.count, 1);
    assert_int_equal(back->rate.at[0].per_ms, 3600000);
    assert_int_equal(back->tags.count, 1);
    assert_int_equal(back->lock.pins, 5);
    assert_int_equal(house.doors.places[1].line, 17);
    assert_int_equal(side->tags.count, 0);
    assert_string_equal(house.first.color, "green"); /* a section that is not there has its fallbacks */
    config_free(doc);
}

static void read_a_second_time(void **state)
{
    static const struct config_option outer[] = {
        {"name", CONFIG_TEXT, offsetof(struct door, name), .required = true},
        {0},
    };
    static const struct config_option open_house[] = {
        {"doors", CONFIG_ITEMS, offsetof(struct house, doors), .inside = outer, .item_size = sizeof(struct door),
         .open = true},
        {0},
    };
    static const struct config_option inner[] = {
        {"width", CONFIG_INT, offsetof(struct door, width), .required = true},
        {"source", CONFIG_TEXT, offsetof(struct door, maker)}, /* any word: nothing depends on it */
        {"color", CONFIG_TEXT, offsetof(struct door, color), .fallback = "blue"},
        {0},
    };
    struct house house = {0};
    struct door door = {0};
    struct error err = {0};
    (void)state;

    struct config_doc *doc =
        config_parse("house.yaml", ".", TEXT("doors: [{name: a, width: 5}, {name: b, nane: 5, source: well}]\n"));
    config_read(doc, open_house, &house);
    assert_int_equal(config_problem_count(doc), 0);
    config_read_at(doc, house.doors.places[0], inner, outer, &door);
    assert_int_equal(config_problem_count(doc), 0);
    assert_int_equal(door.width, 5);
    assert_string_equal(door.color, "blue");
    config_read_at(doc, house.doors.places[1], inner, outer, &door);
    assert_int_equal(config_problem_count(doc), 2);
    assert_string_equal(door.maker, "well");
    config_check(doc, &err);
    assert_string_equal(err.text, "house.yaml:1:30: missing key \"width\" (a whole number)");
    config_free(doc);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_files),
        cmocka_unit_test(secrets_in_unreadable_files),
        cmocka_unit_test(lines_and_carets),
        cmocka_unit_test(twenty_are_shown),
        cmocka_unit_test(limits),
        cmocka_unit_test(good_file),
        cmocka_unit_test(read_a_second_time),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
