#include "config.h"

#include "config_tree.h"

#include <errno.h>
#include <string.h>

enum {
    FILE_MAX = 1024 * 1024,
    SECRET_MAX = 16 * 1024,
};

/* One mapping being read by a table. */
struct reading {
    struct config_doc *doc;
    const struct config_node *mapping; /* NULL: there is none, only fallbacks apply */
    char *out;
};

static void read_mapping(const struct reading *reading, const struct config_option *options);
static void read_value(const struct reading *reading, const struct config_option *option,
                       const struct config_node *node);

static struct config_doc *doc_new(const char *name, const char *folder)
{
    struct config_doc *doc = must_calloc(1, sizeof *doc);

    doc->name = arena_copy(&doc->arena, text_of(name));
    doc->folder = arena_copy(&doc->arena, text_of(folder));
    return doc;
}

struct config_doc *config_parse(const char *name, const char *folder, struct text yaml)
{
    struct config_doc *doc = doc_new(name, folder);

    if (text_starts(yaml, "\xEF\xBB\xBF"))
        yaml = text_slice(yaml, 3, yaml.len);
    doc->source = (struct text){arena_copy(&doc->arena, yaml), yaml.len};
    config_build(doc);
    return doc;
}

/* Everything of a small file. */
static int read_whole(const char *path, size_t limit, struct buf *out, struct error *err)
{
    auto_file FILE *file = fopen(path, "re");
    char chunk[4096];
    size_t len;

    buf_init(out, limit);
    if (!file)
        return error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    while ((len = fread(chunk, 1, sizeof chunk, file)) > 0)
        buf_add(out, chunk, len);
    if (ferror(file))
        return error_set(err, ERROR_CONFIG, "%s", strerror(errno));
    if (buf_failed(out))
        return error_set(err, ERROR_CONFIG, "larger than %zu bytes", limit);
    return 0;
}

struct config_doc *config_open(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    auto_free char *folder =
        slash ? text_dup((struct text){path, (size_t)(slash - path) + (slash == path)}) : must_strdup(".");
    auto_buf struct buf yaml;

    if (read_whole(path, FILE_MAX, &yaml, err) < 0) {
        error_at(err, "%s", path);
        return NULL;
    }
    return config_parse(path, folder, buf_text(&yaml));
}

void config_free(struct config_doc *doc)
{
    if (!doc)
        return;
    free(doc->problems);
    free(doc->secrets);
    struct arena arena = doc->arena;
    arena_clear(&arena);
    free(doc);
}

struct arena *config_arena(struct config_doc *doc)
{
    return &doc->arena;
}

const char *config_folder(const struct config_doc *doc)
{
    return doc->folder;
}

bool config_is_readable(const struct config_doc *doc)
{
    return !doc->unreadable;
}

/* --- Looking things up ----------------------------------------------------------------------------------------------
 */

static const struct config_pair *pair_of(const struct config_node *mapping, struct text key)
{
    for (size_t i = 0; mapping && i < mapping->count; i++)
        if (text_is(key, mapping->pairs[i].key))
            return &mapping->pairs[i];
    return NULL;
}

static const struct config_node *mapping_at(const struct config_node *node, struct config_place place)
{
    const struct config_node *found = NULL;

    if (!node)
        return NULL;
    if (node->kind == CONFIG_NODE_MAPPING && node->place.line == place.line && node->place.column == place.column)
        return node;
    for (size_t i = 0; i < node->count && !found; i++)
        found = mapping_at(node->kind == CONFIG_NODE_MAPPING ? node->pairs[i].value : node->items[i], place);
    return found;
}

bool config_has(const struct config_doc *doc, struct config_place place, const char *key)
{
    return pair_of(mapping_at(doc->root, place), text_of(key)) != NULL;
}

struct config_place config_place_of(const struct config_doc *doc, struct config_place place, const char *key)
{
    const struct config_pair *pair = pair_of(mapping_at(doc->root, place), text_of(key));

    return pair ? pair->value->place : place;
}

static const char *file_key(struct arena *arena, const struct config_option *option)
{
    return arena_printf(arena, "%s_file", option->name);
}

/* Which option takes a key; a secret takes two. */
static const struct config_option *option_of(const struct config_option *options, struct text key)
{
    for (; options && options->name; options++) {
        if (options->type == CONFIG_PLACE)
            continue;
        if (text_is(key, options->name))
            return options;
        size_t len = strlen(options->name);
        if (options->type == CONFIG_SECRET && key.len == len + 5 && text_starts(key, options->name) &&
            text_is(text_slice(key, len, key.len), "_file"))
            return options;
    }
    return NULL;
}

/* --- What stands where nothing is expected, or something else -------------------------------------------------------
 */

struct known_keys {
    const char *at[256];
    size_t count;
};

static void add_known(struct known_keys *known, struct arena *arena, const struct config_option *options)
{
    for (; options && options->name && known->count + 2 <= ARRAY_LEN(known->at); options++) {
        if (options->type == CONFIG_PLACE || options->type == CONFIG_RESERVED)
            continue;
        known->at[known->count++] = options->name;
        if (options->type == CONFIG_SECRET)
            known->at[known->count++] = file_key(arena, options);
    }
}

/* A slip in the name of a secret must not show the secret. */
static bool nearly_secret(const char *key, const struct config_option *options)
{
    for (; options && options->name; options++)
        if (options->type == CONFIG_SECRET && text_distance(key, options->name) <= 3)
            return true;
    return false;
}

static void report_unknown_key(struct config_doc *doc, const struct config_pair *pair,
                               const struct config_option *options, const struct config_option *more)
{
    struct known_keys known = {0};
    const char *colon = strchr(pair->key, ':');
    auto_buf struct buf text;

    buf_init(&text, 8192);
    if (nearly_secret(pair->key, options) || nearly_secret(pair->key, more))
        config_hide(doc, pair->value);
    if (colon && pair->value->kind == CONFIG_NODE_NOTHING) { /* "token:abc": what follows may be a secret */
        config_hide(doc, &(struct config_node){.place = pair->place, .end = pair->value->end});
        config_problem(doc, pair->place, "a blank must follow the \":\" of \"%.*s:\"", (int)(colon - pair->key),
                       pair->key);
        return;
    }
    add_known(&known, &doc->arena, options);
    add_known(&known, &doc->arena, more);
    buf_addf(&text, "unknown key \"%.200s\"", pair->key);
    buf_add_suggestion(&text, pair->key, known.at, known.count);
    config_problem(doc, pair->place, "%.*s", TEXT_ARGS(buf_text(&text)));
}

static void report_unknown_keys(const struct reading *reading, const struct config_option *options,
                                const struct config_option *more)
{
    for (size_t i = 0; reading->mapping && i < reading->mapping->count; i++) {
        const struct config_pair *pair = &reading->mapping->pairs[i];
        struct text key = text_of(pair->key);
        if (!option_of(options, key) && !option_of(more, key))
            report_unknown_key(reading->doc, pair, options, more);
    }
}

static const char *expectation(struct arena *arena, const struct config_option *option)
{
    static const char *const by_type[] = {
        [CONFIG_TEXT] = "a text",
        [CONFIG_BOOL] = "true or false",
        [CONFIG_SPAN] = "a span such as 30s, 5m, 1h or 7d",
        [CONFIG_SIZE] = "a size such as 512, 64KB or 10MB",
        [CONFIG_RATES] = "a rate such as 500/s, 200/min or 10000/h, or a list of them",
        [CONFIG_LIST] = "a text or a list of texts",
        [CONFIG_PATH] = "a path",
        [CONFIG_SECRET] = "a text",
        [CONFIG_SECTION] = "a mapping of keys",
        [CONFIG_ITEMS] = "a list of mappings",
        [CONFIG_CUSTOM] = "a text",
    };
    auto_buf struct buf text = {0};

    if (option->expects)
        return option->expects;
    buf_init(&text, 4096);
    if (option->type == CONFIG_WORD) {
        for (size_t i = 0; option->words[i]; i++)
            buf_addf(&text, "%s%s", i == 0 ? "" : option->words[i + 1] ? ", " : " or ", option->words[i]);
    } else if (option->type == CONFIG_INT && option->max)
        buf_addf(&text, "a whole number from %lld to %lld", (long long)option->min, (long long)option->max);
    else if (option->type == CONFIG_INT)
        buf_adds(&text, "a whole number");
    else
        buf_adds(&text, by_type[option->type]);
    if (option->max && (option->type == CONFIG_SPAN || option->type == CONFIG_SIZE)) {
        bool span = option->type == CONFIG_SPAN;
        buf_adds(&text, " from ");
        span ? buf_add_span(&text, option->min) : buf_add_size(&text, option->min);
        buf_adds(&text, " to ");
        span ? buf_add_span(&text, option->max) : buf_add_size(&text, option->max);
    }
    return arena_copy(arena, buf_text(&text));
}

/* "rate: expected a rate such as ..., found "fast"". Never called with the value of a secret. */
static void report_mismatch(const struct reading *reading, const struct config_option *option,
                            const struct config_node *node)
{
    static const char *const kinds[] = {
        [CONFIG_NODE_NOTHING] = "nothing",
        [CONFIG_NODE_LIST] = "a list",
        [CONFIG_NODE_MAPPING] = "a mapping of keys",
    };
    const char *expects = expectation(&reading->doc->arena, option);

    if (node->kind == CONFIG_NODE_BAD)
        return;
    if (node->kind != CONFIG_NODE_TEXT || option->type == CONFIG_SECRET)
        config_problem(reading->doc, node->place, "%s: expected %s, found %s", option->name, expects,
                       node->kind == CONFIG_NODE_TEXT ? "something else" : kinds[node->kind]);
    else if (option->type == CONFIG_SECTION || option->type == CONFIG_ITEMS)
        config_problem(reading->doc, node->place, "%s: expected %s, found a text", option->name, expects);
    else
        config_problem(reading->doc, node->place, "%s: expected %s, found \"%.100s\"", option->name, expects,
                       node->written);
}

/* --- One value ------------------------------------------------------------------------------------------------------
 */

static bool within(const struct config_option *option, int64_t value)
{
    if (!option->min && !option->max)
        return value >= 0;
    return value >= option->min && value <= option->max;
}

static bool read_number(const struct config_option *option, struct text t, int64_t *out)
{
    int64_t value;
    int rc = option->type == CONFIG_SPAN   ? parse_span(t, &value, NULL)
             : option->type == CONFIG_SIZE ? parse_size(t, &value, NULL)
                                           : parse_i64(t, INT64_MIN, INT64_MAX, &value, NULL);

    if (rc < 0 || !within(option, value))
        return false;
    *out = value;
    return true;
}

static bool read_rate(struct text t, struct config_rate *out)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
    struct text count = text_cut(&t, '/');

    if (parse_i64(count, 1, 1000000000, &out->count, NULL) < 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (text_is(t, units[i].name)) {
            out->per_ms = units[i].ms;
            return true;
        }
    return false;
}

static bool read_word(const struct config_option *option, struct text t, int *out)
{
    for (int i = 0; option->words[i]; i++)
        if (text_is(t, option->words[i])) {
            *out = i;
            return true;
        }
    *out = -1;
    return false;
}

static const char *from_folder(struct config_doc *doc, struct text path)
{
    if (text_starts(path, "/"))
        return arena_copy(&doc->arena, path);
    return arena_printf(&doc->arena, "%s/%.*s", doc->folder, TEXT_ARGS(path));
}

/* Tabs and line ends may stand in a text; other control characters are a mistake or an attack. */
static bool has_controls(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (((unsigned char)t.ptr[i] < 0x20 && t.ptr[i] != '\n' && t.ptr[i] != '\t') || t.ptr[i] == 0x7F)
            return true;
    return false;
}

/* The types that are one text. False when it is not what the option expects. */
static bool read_scalar(const struct reading *reading, const struct config_option *option, struct text t)
{
    void *field = reading->out + option->offset;

    switch (option->type) {
    case CONFIG_TEXT:
        *(const char **)field = arena_copy(&reading->doc->arena, t);
        return !has_controls(t);
    case CONFIG_PATH:
        *(const char **)field = from_folder(reading->doc, t);
        return t.len > 0 && !has_controls(t);
    case CONFIG_BOOL:
        *(bool *)field = text_is(t, "true");
        return text_is(t, "true") || text_is(t, "false");
    case CONFIG_INT:
    case CONFIG_SPAN:
    case CONFIG_SIZE:
        return read_number(option, t, field);
    case CONFIG_WORD:
        return read_word(option, t, field);
    default:
        return false;
    }
}

/* CUSTOM: the reader's own words say what is wrong. */
static void read_custom(const struct reading *reading, const struct config_option *option,
                        const struct config_node *node)
{
    struct error why = {0};

    if (node->kind != CONFIG_NODE_TEXT)
        report_mismatch(reading, option, node);
    else if (option->read(node->text, reading->out + option->offset, &reading->doc->arena, &why) < 0) {
        if (option->expects || node->substituted) /* what the environment holds is not shown */
            report_mismatch(reading, option, node);
        else
            config_problem(reading->doc, node->place, "%s: %s", option->name, why.text);
    }
}

/* One value stands for a list of one. */
static size_t elements(const struct config_node *const *node, const struct config_node *const **out)
{
    if ((*node)->kind == CONFIG_NODE_LIST) {
        *out = (const struct config_node *const *)(*node)->items;
        return (*node)->count;
    }
    *out = node;
    return 1;
}

static void read_list(const struct reading *reading, const struct config_option *option, const struct config_node *node)
{
    struct config_list *list = (void *)(reading->out + option->offset);
    const struct config_node *const *items;
    size_t count = elements(&node, &items);

    list->at = arena_alloc(&reading->doc->arena, count * sizeof *list->at);
    list->places = arena_alloc(&reading->doc->arena, count * sizeof *list->places);
    list->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i]->kind != CONFIG_NODE_TEXT || has_controls(items[i]->text)) {
            report_mismatch(reading, option, items[i]);
            continue;
        }
        list->at[list->count] = items[i]->text.ptr;
        list->places[list->count++] = items[i]->place;
    }
}

static void read_rates(const struct reading *reading, const struct config_option *option,
                       const struct config_node *node)
{
    struct config_rates *rates = (void *)(reading->out + option->offset);
    const struct config_node *const *items;
    size_t count = elements(&node, &items);

    rates->at = arena_alloc(&reading->doc->arena, count * sizeof *rates->at);
    rates->count = 0;
    for (size_t i = 0; i < count; i++)
        if (items[i]->kind == CONFIG_NODE_TEXT && read_rate(items[i]->text, &rates->at[rates->count]))
            rates->count++;
        else
            report_mismatch(reading, option, items[i]);
}

static void read_items(const struct reading *reading, const struct config_option *option,
                       const struct config_node *node)
{
    struct config_items *items = (void *)(reading->out + option->offset);

    if (node->kind != CONFIG_NODE_LIST) {
        report_mismatch(reading, option, node);
        return;
    }
    items->at = arena_alloc(&reading->doc->arena, node->count * option->item_size);
    items->places = arena_alloc(&reading->doc->arena, node->count * sizeof *items->places);
    for (size_t i = 0; i < node->count; i++) {
        struct reading inner = {reading->doc, node->items[i], (char *)items->at + items->count * option->item_size};
        if (node->items[i]->kind != CONFIG_NODE_MAPPING) {
            if (node->items[i]->kind != CONFIG_NODE_BAD)
                config_problem(reading->doc, node->items[i]->place, "%s: expected a mapping of keys for each entry",
                               option->name);
            continue;
        }
        read_mapping(&inner, option->inside);
        if (!option->open)
            report_unknown_keys(&inner, option->inside, NULL);
        items->places[items->count++] = node->items[i]->place;
    }
}

static void read_section(const struct reading *reading, const struct config_option *option,
                         const struct config_node *node)
{
    struct reading inner = {reading->doc, node, reading->out + option->offset};

    if (node && node->kind != CONFIG_NODE_MAPPING) {
        report_mismatch(reading, option, node);
        inner.mapping = NULL;
    }
    read_mapping(&inner, option->inside);
    if (!option->open)
        report_unknown_keys(&inner, option->inside, NULL);
}

static void read_secret_file(const struct reading *reading, const struct config_option *option,
                             const struct config_node *node)
{
    struct error why = {0};
    auto_buf struct buf content;

    buf_init(&content, SECRET_MAX);
    if (node->kind != CONFIG_NODE_TEXT || node->text.len == 0) {
        if (node->kind != CONFIG_NODE_BAD)
            config_problem(reading->doc, node->place, "%s_file: expected a path", option->name);
        return;
    }
    if (read_whole(from_folder(reading->doc, node->text), SECRET_MAX, &content, &why) < 0) {
        config_problem(reading->doc, node->place, "%s_file: %s: %s", option->name, node->written, why.text);
        return;
    }
    struct text rest = buf_text(&content), line = text_trim(text_cut(&rest, '\n'));
    if (line.len == 0 || !text_is_utf8(line) || has_controls(line)) {
        config_problem(reading->doc, node->place, "%s_file: %s: the first line %s", option->name, node->written,
                       line.len == 0 ? "is empty" : "is not plain text");
        return;
    }
    *(const char **)(void *)(reading->out + option->offset) = arena_copy(&reading->doc->arena, line);
}

static void read_secret(const struct reading *reading, const struct config_option *option)
{
    const struct config_pair *plain = pair_of(reading->mapping, text_of(option->name));
    const struct config_pair *file = pair_of(reading->mapping, text_of(file_key(&reading->doc->arena, option)));

    *(const char **)(void *)(reading->out + option->offset) = option->fallback;
    if (plain)
        config_hide(reading->doc, plain->value);
    if (plain && file)
        config_problem(reading->doc, file->place, "%s and %s_file: only one of them", option->name, option->name);
    else if (file)
        read_secret_file(reading, option, file->value);
    else if (plain && (plain->value->kind != CONFIG_NODE_TEXT || has_controls(plain->value->text)))
        report_mismatch(reading, option, plain->value);
    else if (plain && plain->value->text.len == 0)
        config_problem(reading->doc, plain->value->place, "%s: must not be empty", option->name);
    else if (plain)
        *(const char **)(void *)(reading->out + option->offset) = plain->value->text.ptr;
    else if (option->required && reading->mapping)
        config_problem(reading->doc, reading->mapping->place, "missing key \"%s\" (or \"%s_file\")", option->name,
                       option->name);
}

static void read_value(const struct reading *reading, const struct config_option *option,
                       const struct config_node *node)
{
    switch (option->type) {
    case CONFIG_SECTION:
        read_section(reading, option, node);
        return;
    case CONFIG_ITEMS:
        read_items(reading, option, node);
        return;
    case CONFIG_LIST:
        read_list(reading, option, node);
        return;
    case CONFIG_RATES:
        read_rates(reading, option, node);
        return;
    case CONFIG_CUSTOM:
        read_custom(reading, option, node);
        return;
    case CONFIG_RESERVED:
        config_problem(reading->doc, node->place, "%s: reserved for a later version", option->name);
        return;
    case CONFIG_OTHER:
        return;
    default:
        break;
    }
    if (node->kind != CONFIG_NODE_TEXT || !read_scalar(reading, option, node->text))
        report_mismatch(reading, option, node);
    else if (option->required && node->text.len == 0)
        config_problem(reading->doc, node->place, "%s: must not be empty", option->name);
}

/* --- One mapping ----------------------------------------------------------------------------------------------------
 */

/* A fallback is read like what a person writes, so that both mean the same. */
static void read_fallback(const struct reading *reading, const struct config_option *option)
{
    struct config_node node = {
        .kind = CONFIG_NODE_TEXT, .text = text_of(option->fallback), .written = option->fallback};

    if (option->fallback && option->type == CONFIG_PATH && !option->fallback[0])
        *(const char **)(void *)(reading->out + option->offset) = ""; /* no path, not the folder itself */
    else if (option->fallback)
        read_value(reading, option, &node);
    else if (option->type == CONFIG_SECTION)
        read_section(reading, option, NULL);
}

static void read_mapping(const struct reading *reading, const struct config_option *options)
{
    for (const struct config_option *option = options; option->name; option++) {
        if (option->type == CONFIG_PLACE) {
            if (reading->mapping)
                *(struct config_place *)(void *)(reading->out + option->offset) = reading->mapping->place;
            continue;
        }
        if (option->type == CONFIG_SECRET) {
            read_secret(reading, option);
            continue;
        }
        const struct config_pair *pair = pair_of(reading->mapping, text_of(option->name));
        read_fallback(reading, option); /* also what stands after a mistake */
        if (pair)
            read_value(reading, option, pair->value);
        else if (option->required && reading->mapping)
            config_problem(reading->doc, reading->mapping->place, "missing key \"%s\" (%s)", option->name,
                           expectation(&reading->doc->arena, option));
    }
}

void config_read(struct config_doc *doc, const struct config_option *options, void *out)
{
    struct reading reading = {doc, doc->root, out};
    struct config_place start = {1, 1};

    if (!doc->root || doc->root->kind != CONFIG_NODE_MAPPING) {
        if (!doc->unreadable && (!doc->root || doc->root->kind == CONFIG_NODE_NOTHING))
            config_problem(doc, start, "the file is empty: expected a mapping of keys");
        else if (doc->root && doc->root->kind != CONFIG_NODE_BAD)
            config_problem(doc, doc->root->place, "expected a mapping of keys (\"key: value\") at the top");
        reading.mapping = NULL;
    }
    read_mapping(&reading, options);
    report_unknown_keys(&reading, options, NULL);
}

void config_read_at(struct config_doc *doc, struct config_place place, const struct config_option *options,
                    const struct config_option *known, void *out)
{
    struct reading reading = {doc, mapping_at(doc->root, place), out};

    read_mapping(&reading, options);
    report_unknown_keys(&reading, options, known);
}
