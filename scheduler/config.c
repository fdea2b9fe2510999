#include "config.h"

#include "config_value.h"

#include <string.h>

enum { FILE_MAX = 1024 * 1024 };

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

struct config_doc *config_open(const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    auto_free char *folder =
        slash ? text_dup((struct text){path, (size_t)(slash - path) + (slash == path)}) : must_strdup(".");
    auto_buf struct buf yaml;

    buf_init(&yaml, FILE_MAX);
    if (buf_add_file(&yaml, path, err) < 0) {
        error_at(err, "%s", path);
        return NULL;
    }
    struct config_doc *doc = config_parse(path, folder, buf_text(&yaml));
    doc->open_to_all = config_open_to_all(path);
    return doc;
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

const char *config_path(struct config_doc *doc, struct text path)
{
    if (text_starts(path, "/"))
        return arena_copy(&doc->arena, path);
    return arena_printf(&doc->arena, "%s/%.*s", doc->folder, TEXT_ARGS(path));
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

/* --- What stands where nothing is expected --------------------------------------------------------------------------
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

/* The word behind `source`; NULL when there is none that the table knows. */
static const char *source_of(const struct reading *reading, const struct config_option *options)
{
    const struct config_option *option = option_of(options, TEXT("source"));
    const struct config_pair *pair = pair_of(reading->mapping, TEXT("source"));

    if (!option || option->type != CONFIG_WORD || !pair)
        return NULL;
    for (size_t i = 0; option->words[i]; i++)
        if (text_is(pair->value->text, option->words[i]))
            return option->words[i];
    return NULL;
}

/* Keys that nobody takes: silently ignored they would be a trap. */
static void report_idle_keys(const struct reading *reading, const struct config_option *options,
                             const struct config_option *more)
{
    const char *source = source_of(reading, options);

    for (size_t i = 0; reading->mapping && i < reading->mapping->count; i++) {
        const struct config_pair *pair = &reading->mapping->pairs[i];
        const struct config_option *option = option_of(options, text_of(pair->key));
        if (!option && !option_of(more, text_of(pair->key)))
            report_unknown_key(reading->doc, pair, options, more);
        else if (option && option->only && source && strcmp(option->only, source) != 0)
            config_problem(reading->doc, pair->value->place, "%s: means nothing with source: %s (only with %s)",
                           pair->key, source, option->only);
    }
}

/* --- What one key holds ---------------------------------------------------------------------------------------------
 */

static void read_items(const struct reading *reading, const struct config_option *option,
                       const struct config_node *node)
{
    struct config_items *items = (void *)(reading->out + option->offset);

    if (node->kind != CONFIG_NODE_LIST) {
        config_value_mismatch(reading->doc, option, node);
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
            report_idle_keys(&inner, option->inside, NULL);
        items->places[items->count++] = node->items[i]->place;
    }
}

static void read_section(const struct reading *reading, const struct config_option *option,
                         const struct config_node *node)
{
    struct reading inner = {reading->doc, node, reading->out + option->offset};

    if (node && node->kind != CONFIG_NODE_MAPPING) {
        config_value_mismatch(reading->doc, option, node);
        inner.mapping = NULL;
    }
    read_mapping(&inner, option->inside);
    if (!option->open)
        report_idle_keys(&inner, option->inside, NULL);
}

static void read_secret(const struct reading *reading, const struct config_option *option)
{
    const struct config_pair *plain = pair_of(reading->mapping, text_of(option->name));
    const struct config_pair *file = pair_of(reading->mapping, text_of(file_key(&reading->doc->arena, option)));
    const char **field = (void *)(reading->out + option->offset);

    *field = option->fallback;
    if (plain)
        config_hide(reading->doc, plain->value);
    if (plain && file)
        config_problem(reading->doc, file->place, "%s and %s_file: only one of them", option->name, option->name);
    else if (file)
        config_value_secret_file(reading->doc, option, file->value, field);
    else if (plain)
        config_value_secret(reading->doc, option, plain->value, field);
    else if (option->required && reading->mapping)
        config_problem(reading->doc, reading->mapping->place, "missing key \"%s\" (or \"%s_file\")", option->name,
                       option->name);
}

static void read_value(const struct reading *reading, const struct config_option *option,
                       const struct config_node *node)
{
    if (option->type == CONFIG_SECTION)
        read_section(reading, option, node);
    else if (option->type == CONFIG_ITEMS)
        read_items(reading, option, node);
    else
        config_value_read(reading->doc, option, node, reading->out + option->offset);
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
                           config_value_expects(&reading->doc->arena, option));
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
    report_idle_keys(&reading, options, NULL);
}

void config_read_at(struct config_doc *doc, struct config_place place, const struct config_option *options,
                    const struct config_option *known, void *out)
{
    struct reading reading = {doc, mapping_at(doc->root, place), out};

    read_mapping(&reading, options);
    report_idle_keys(&reading, options, known);
}
