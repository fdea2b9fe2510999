#include "config_value.h"

#include <string.h>
#include <sys/stat.h>

enum { SECRET_MAX = 16 * 1024 };

/* --- What stands where something else is expected -------------------------------------------------------------------
 */

const char *config_value_expects(struct arena *arena, const struct config_option *option)
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

void config_value_mismatch(struct config_doc *doc, const struct config_option *option, const struct config_node *node)
{
    static const char *const kinds[] = {
        [CONFIG_NODE_NOTHING] = "nothing",
        [CONFIG_NODE_LIST] = "a list",
        [CONFIG_NODE_MAPPING] = "a mapping of keys",
    };
    const char *expects = config_value_expects(&doc->arena, option);

    if (node->kind == CONFIG_NODE_BAD)
        return;
    if (node->kind != CONFIG_NODE_TEXT || option->type == CONFIG_SECRET)
        config_problem(doc, node->place, "%s: expected %s, found %s", option->name, expects,
                       node->kind == CONFIG_NODE_TEXT ? "something else" : kinds[node->kind]);
    else if (option->type == CONFIG_SECTION || option->type == CONFIG_ITEMS)
        config_problem(doc, node->place, "%s: expected %s, found a text", option->name, expects);
    else
        config_problem(doc, node->place, "%s: expected %s, found \"%.100s\"", option->name, expects, node->written);
}

/* --- One text -------------------------------------------------------------------------------------------------------
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

/* Tabs and line ends may stand in a text; other control characters are a mistake or an attack. */
static bool has_controls(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (((unsigned char)t.ptr[i] < 0x20 && t.ptr[i] != '\n' && t.ptr[i] != '\t') || t.ptr[i] == 0x7F)
            return true;
    return false;
}

/* The types that are one text. False when it is not what the option expects. */
static bool read_scalar(struct config_doc *doc, const struct config_option *option, struct text t, void *field)
{
    switch (option->type) {
    case CONFIG_TEXT:
        *(const char **)field = arena_copy(&doc->arena, t);
        return !has_controls(t);
    case CONFIG_PATH:
        *(const char **)field = config_path(doc, t);
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
static void read_custom(struct config_doc *doc, const struct config_option *option, const struct config_node *node,
                        void *field)
{
    struct error why = {0};

    if (node->kind != CONFIG_NODE_TEXT)
        config_value_mismatch(doc, option, node);
    else if (option->read(node->text, field, &doc->arena, &why) < 0) {
        if (option->expects || node->substituted) /* what the environment holds is not shown */
            config_value_mismatch(doc, option, node);
        else
            config_problem(doc, node->place, "%s: %s", option->name, why.text);
    }
}

/* --- Several texts --------------------------------------------------------------------------------------------------
 */

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

static void read_list(struct config_doc *doc, const struct config_option *option, const struct config_node *node,
                      void *field)
{
    struct config_list *list = field;
    const struct config_node *const *items;
    size_t count = elements(&node, &items);

    list->at = arena_alloc(&doc->arena, count * sizeof *list->at);
    list->places = arena_alloc(&doc->arena, count * sizeof *list->places);
    list->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i]->kind != CONFIG_NODE_TEXT || has_controls(items[i]->text)) {
            config_value_mismatch(doc, option, items[i]);
            continue;
        }
        list->at[list->count] = items[i]->text.ptr;
        list->places[list->count++] = items[i]->place;
    }
}

static void read_rates(struct config_doc *doc, const struct config_option *option, const struct config_node *node,
                       void *field)
{
    struct config_rates *rates = field;
    const struct config_node *const *items;
    size_t count = elements(&node, &items);

    rates->at = arena_alloc(&doc->arena, count * sizeof *rates->at);
    rates->count = 0;
    for (size_t i = 0; i < count; i++)
        if (items[i]->kind == CONFIG_NODE_TEXT && read_rate(items[i]->text, &rates->at[rates->count]))
            rates->count++;
        else
            config_value_mismatch(doc, option, items[i]);
}

void config_value_read(struct config_doc *doc, const struct config_option *option, const struct config_node *node,
                       void *field)
{
    switch (option->type) {
    case CONFIG_LIST:
        read_list(doc, option, node, field);
        return;
    case CONFIG_RATES:
        read_rates(doc, option, node, field);
        return;
    case CONFIG_CUSTOM:
        read_custom(doc, option, node, field);
        return;
    case CONFIG_RESERVED:
        config_problem(doc, node->place, "%s: reserved for a later version", option->name);
        return;
    case CONFIG_OTHER:
        return;
    default:
        break;
    }
    if (node->kind != CONFIG_NODE_TEXT || !read_scalar(doc, option, node->text, field))
        config_value_mismatch(doc, option, node);
    else if (option->required && node->text.len == 0)
        config_problem(doc, node->place, "%s: must not be empty", option->name);
}

/* --- Secrets --------------------------------------------------------------------------------------------------------
 */

bool config_open_to_all(const char *path)
{
    struct stat file;

    return stat(path, &file) == 0 && S_ISREG(file.st_mode) && (file.st_mode & S_IROTH);
}

void config_value_secret(struct config_doc *doc, const struct config_option *option, const struct config_node *node,
                         const char **field)
{
    if (node->kind != CONFIG_NODE_TEXT || has_controls(node->text))
        config_value_mismatch(doc, option, node);
    else if (node->text.len == 0)
        config_problem(doc, node->place, "%s: must not be empty", option->name);
    else
        *field = node->text.ptr;
    if (doc->open_to_all && !node->substituted)
        config_warning(doc, node->place,
                       "%s: everybody on this machine can read it here: chmod o-r %s, or a file of its own, named by "
                       "%s_file",
                       option->name, doc->name, option->name);
}

void config_value_secret_file(struct config_doc *doc, const struct config_option *option,
                              const struct config_node *node, const char **field)
{
    struct error why = {0};
    auto_buf struct buf content;

    buf_init(&content, SECRET_MAX);
    if (node->kind != CONFIG_NODE_TEXT || node->text.len == 0) {
        if (node->kind != CONFIG_NODE_BAD)
            config_problem(doc, node->place, "%s_file: expected a path", option->name);
        return;
    }
    if (buf_add_file(&content, config_path(doc, node->text), &why) < 0) {
        config_problem(doc, node->place, "%s_file: %s: %s", option->name, node->written, why.text);
        return;
    }
    struct text rest = buf_text(&content), line = text_trim(text_cut(&rest, '\n'));
    if (line.len == 0 || !text_is_utf8(line) || has_controls(line)) {
        config_problem(doc, node->place, "%s_file: %s: the first line %s", option->name, node->written,
                       line.len == 0 ? "is empty" : "is not plain text");
        return;
    }
    *field = arena_copy(&doc->arena, line);
    if (config_open_to_all(config_path(doc, node->text)))
        config_warning(doc, node->place, "%s_file: everybody on this machine can read %s: chmod o-r", option->name,
                       node->written);
}
