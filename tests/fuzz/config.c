/* A configuration file from outside, read by a table that has every type: it gives values or problems, never neither,
 * and every problem stands at a place of the file. */
#include "config.h"

#include <assert.h>
#include <string.h>

struct thing {
    struct config_place place;
    const char *name, *path, *token;
    bool open;
    int64_t width, wait_ms, size;
    struct config_rates rate;
    int kind, source;
    struct config_list tags;
    struct config_items things;
};
struct top {
    struct thing one;
    struct config_items things;
};

static const char *const kinds[] = {"wood", "steel", NULL};
static const struct config_option leaf_options[] = {
    {"", CONFIG_PLACE, offsetof(struct thing, place)},
    {"name", CONFIG_TEXT, offsetof(struct thing, name), .required = true},
    {"token", CONFIG_SECRET, offsetof(struct thing, token)},
    {"path", CONFIG_PATH, offsetof(struct thing, path)},
    {"open", CONFIG_BOOL, offsetof(struct thing, open)},
    {"width", CONFIG_INT, offsetof(struct thing, width)},
    {"wait", CONFIG_SPAN, offsetof(struct thing, wait_ms), .min = 1, .max = 3600000},
    {"size", CONFIG_SIZE, offsetof(struct thing, size)},
    {"rate", CONFIG_RATES, offsetof(struct thing, rate)},
    {"kind", CONFIG_WORD, offsetof(struct thing, kind), .words = kinds},
    {"source", CONFIG_WORD, offsetof(struct thing, source), .words = kinds},
    {"tags", CONFIG_LIST, offsetof(struct thing, tags), .only = "wood"},
    {0},
};
static const struct config_option top_options[] = {
    {"one", CONFIG_SECTION, offsetof(struct top, one), .inside = leaf_options},
    {"things", CONFIG_ITEMS, offsetof(struct top, things), .inside = leaf_options, .item_size = sizeof(struct thing),
     .open = true},
    {0},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text yaml = {(const char *)data, size};
    struct top top = {0};
    struct error err = {0};
    char *printed = NULL;
    size_t length;

    if (memmem(data, size, "_file", 5)) /* would open whatever file it names */
        return 0;
    struct config_doc *doc = config_parse("fuzz.yaml", ".", yaml);
    config_read(doc, top_options, &top);
    for (size_t i = 0; i < top.things.count; i++)
        config_read_at(doc, top.things.places[i], leaf_options, leaf_options, &top.one);
    if (!config_is_readable(doc))
        assert(config_problem_count(doc) > 0);
    FILE *out = open_memstream(&printed, &length);
    config_print_problems(doc, out);
    fclose(out);
    assert((config_check(doc, &err) < 0) == (length > 0));
    assert(text_is_utf8((struct text){printed, length}));
    free(printed);
    config_free(doc);
    return 0;
}
