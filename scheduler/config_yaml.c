/* From libyaml's events to our tree, with what configuration files have no use for refused on the way. */
#include "config_tree.h"

#include <string.h>
#include <yaml.h>

enum {
    DEPTH_MAX = 64,
    NODES_MAX = 50000,
    KEYS_MAX = 1000, /* of one mapping: looking for duplicates costs their square */
};

struct builder {
    yaml_parser_t parser;
    struct config_doc *doc;
    size_t nodes;
};

static struct config_node *build_node(struct builder *builder, yaml_event_t *event, unsigned depth);

static struct config_place place_of(yaml_mark_t mark)
{
    return (struct config_place){(unsigned)mark.line + 1, (unsigned)mark.column + 1};
}

/* libyaml counts CR, LF, CR LF, NEL, LS and PS as line ends (YAML 1.1 section 4.2): bytes of the one at `at`, or 0. */
static size_t line_end(struct text t, size_t at)
{
    struct text rest = text_slice(t, at, t.len);

    if (text_starts(rest, "\r\n") || text_starts(rest, "\xC2\x85"))
        return 2;
    if (text_starts(rest, "\r") || text_starts(rest, "\n"))
        return 1;
    return text_starts(rest, "\xE2\x80\xA8") || text_starts(rest, "\xE2\x80\xA9") ? 3 : 0;
}

struct config_place config_place_at(const struct config_doc *doc, size_t offset)
{
    struct config_place place = {1, 1};

    for (size_t i = 0; i < offset && i < doc->source.len;) {
        size_t end = line_end(doc->source, i);
        if (end) {
            place.line++;
            place.column = 1;
            i += end;
            continue;
        }
        if (((unsigned char)doc->source.ptr[i++] & 0xC0) != 0x80)
            place.column++;
    }
    return place;
}

size_t config_column(struct text line, unsigned column)
{
    size_t at = 0;

    for (unsigned now = 1; now < column && at < line.len; now++)
        do
            at++;
        while (at < line.len && ((unsigned char)line.ptr[at] & 0xC0) == 0x80);
    return at;
}

struct text config_line(const struct config_doc *doc, unsigned line)
{
    size_t from = 0, to;

    for (unsigned at = 1; at < line && from < doc->source.len;) {
        size_t end = line_end(doc->source, from);
        at += end > 0;
        from += end ? end : 1;
    }
    for (to = from; to < doc->source.len && !line_end(doc->source, to);)
        to++;
    return text_slice(doc->source, from, to);
}

/* libyaml's own words, where a writer of configuration needs others. */
static const struct {
    const char *problem, *first; /* what it said; and the characters it stumbled over, or NULL */
    const char *says;
} hints[] = {
    {"found character that cannot start any token", "\t", "a tab cannot indent: use blanks"},
    {"found a tab character that violates indentation", NULL, "a tab cannot indent: use blanks"},
    {"did not find expected '-' indicator", NULL,
     "expected \"- \" as in the list's other entries: check the indentation of this line and of those above"},
    {"found character that cannot start any token", "@`%", "a text that begins with @, ` or % must be quoted"},
    {"mapping values are not allowed in this context", NULL,
     "no \":\" is possible here: check the indentation; a text that holds \": \" must be quoted"},
    {"could not find expected ':'", NULL, "expected \"key: value\""},
    {"did not find expected key", NULL, "expected a key here: check indentation and quotes"},
    {"found unexpected end of stream", NULL, "the quote that begins here is never closed"},
    {"did not find expected ',' or ']'", NULL, "expected \",\" or \"]\""},
    {"did not find expected ',' or '}'", NULL, "expected \",\" or \"}\""},
    {"did not find expected node content", NULL, "expected a value"},
    {"found unknown escape character", NULL, "unknown escape in a quoted text: write \\\\ for a backslash"},
};

static void unreadable(struct builder *builder, struct config_place place, const char *says)
{
    builder->doc->unreadable = true;
    config_problem(builder->doc, place, "%s", says);
}

static void report_syntax(struct builder *builder)
{
    const yaml_parser_t *parser = &builder->parser;
    const struct config_doc *doc = builder->doc;
    const char *says = parser->problem ? parser->problem : "not YAML";

    if (parser->error == YAML_READER_ERROR) {
        unreadable(builder, config_place_at(doc, parser->problem_offset),
                   strstr(says, "control") ? "a control character: write it as an escape in a quoted text"
                                           : "not UTF-8");
        return;
    }
    bool unclosed = strcmp(says, "found unexpected end of stream") == 0 && parser->context;
    struct config_place place = place_of(unclosed ? parser->context_mark : parser->problem_mark);
    struct text line = config_line(doc, place.line);
    size_t at = config_column(line, place.column);
    char met = at < line.len ? line.ptr[at] : '\0';

    for (size_t i = 0; i < ARRAY_LEN(hints); i++)
        if (strcmp(says, hints[i].problem) == 0 && (!hints[i].first || (met && strchr(hints[i].first, met)))) {
            says = hints[i].says;
            break;
        }
    if (!unclosed && parser->context && strstr(parser->context, "flow"))
        says = arena_printf(&builder->doc->arena, "%s (for the \"%s\" of line %zu)", says,
                            strstr(parser->context, "sequence") ? "[" : "{", parser->context_mark.line + 1);
    unreadable(builder, place, says);
}

/* False at the end of what can be read; else `event` is the caller's to delete. */
static bool next_event(struct builder *builder, yaml_event_t *event)
{
    if (builder->doc->unreadable)
        return false;
    if (yaml_parser_parse(&builder->parser, event))
        return true;
    report_syntax(builder);
    return false;
}

static bool is_name_char(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* ${NAME} becomes what the environment says, $${ a plain "${". */
static bool substitute(struct builder *builder, struct config_node *node, struct text raw)
{
    struct arena *arena = &builder->doc->arena;
    auto_buf struct buf out;

    buf_init(&out, 1024 * 1024);
    for (size_t i = 0; i < raw.len; i++) {
        struct text rest = text_slice(raw, i, raw.len);
        if (text_starts(rest, "$${")) {
            buf_adds(&out, "${");
            i += 2;
            continue;
        }
        if (!text_starts(rest, "${")) {
            buf_addc(&out, raw.ptr[i]);
            continue;
        }
        size_t len = 0;
        while (i + 2 + len < raw.len && is_name_char(raw.ptr[i + 2 + len]))
            len++;
        if (len == 0 || i + 2 + len == raw.len || raw.ptr[i + 2 + len] != '}') {
            config_problem(builder->doc, node->place,
                           "expected ${NAME} of an environment variable (write $${ for a plain ${)");
            return false;
        }
        const char *name = arena_copy(arena, text_slice(raw, i + 2, i + 2 + len));
        const char *value = getenv(name);
        if (!value || !text_is_utf8(text_of(value))) {
            config_problem(builder->doc, node->place, "the environment variable %s is %s", name,
                           value ? "not UTF-8" : "not set");
            return false;
        }
        buf_adds(&out, value);
        node->substituted = true;
        i += 2 + len;
    }
    if (buf_failed(&out)) {
        config_problem(builder->doc, node->place, "the text is too long");
        return false;
    }
    node->text = (struct text){arena_copy(arena, buf_text(&out)), out.len};
    return true;
}

static void build_text(struct builder *builder, const yaml_event_t *event, struct config_node *node)
{
    struct text raw = {(const char *)event->data.scalar.value, event->data.scalar.length};
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

    if (memchr(raw.ptr, '\0', raw.len)) {
        config_problem(builder->doc, node->place, "a text cannot hold the NUL character");
        return;
    }
    node->written = arena_copy(&builder->doc->arena, raw);
    if (plain &&
        (raw.len == 0 || text_is(raw, "~"))) /* "null" is a word like others: there is a notifier of that name */
        node->kind = CONFIG_NODE_NOTHING;
    else if (substitute(builder, node, raw))
        node->kind = CONFIG_NODE_TEXT;
}

/* Nodes gathered before their number is known. */
struct pile {
    void *at;
    size_t count, room;
};

static void *pile_add(struct pile *pile, size_t size)
{
    if (pile->count == pile->room) {
        pile->room = pile->room ? pile->room * 2 : 8;
        pile->at = must_realloc(pile->at, pile->room * size);
    }
    return (char *)pile->at + size * pile->count++;
}

/* Moves what was gathered into the arena. */
static void *pile_keep(struct pile *pile, size_t size, struct arena *arena)
{
    void *kept = arena_alloc(arena, pile->count * size);

    if (pile->count)
        memcpy(kept, pile->at, pile->count * size);
    free(pile->at);
    return kept;
}

static void build_list(struct builder *builder, struct config_node *node, unsigned depth)
{
    struct pile items = {0};
    yaml_event_t event;

    node->kind = CONFIG_NODE_LIST;
    while (next_event(builder, &event)) {
        if (event.type == YAML_SEQUENCE_END_EVENT) {
            node->end = place_of(event.end_mark);
            yaml_event_delete(&event);
            break;
        }
        struct config_node *item = build_node(builder, &event, depth + 1);
        *(struct config_node **)pile_add(&items, sizeof item) = item;
    }
    node->count = items.count;
    node->items = pile_keep(&items, sizeof *node->items, &builder->doc->arena);
}

/* The text of a key, or NULL when there is a problem with it. */
static const char *check_key(struct builder *builder, const struct config_node *key, const struct pile *pairs)
{
    const struct config_pair *pair = pairs->at;

    if (key->kind == CONFIG_NODE_BAD)
        return NULL;
    if (key->kind != CONFIG_NODE_TEXT) {
        config_problem(builder->doc, key->place, "a key must be a plain text");
        return NULL;
    }
    if (text_is(key->text, "<<")) {
        config_problem(builder->doc, key->place, "merging (<<) is not possible here: write the keys out");
        return NULL;
    }
    for (size_t i = 0; i < pairs->count; i++)
        if (text_is(key->text, pair[i].key)) {
            config_problem(builder->doc, key->place, "the key \"%s\" stands here twice (first in line %u)", pair[i].key,
                           pair[i].place.line);
            return NULL;
        }
    if (pairs->count == KEYS_MAX) {
        unreadable(builder, key->place, "more than 1000 keys in one mapping");
        return NULL;
    }
    return key->text.ptr;
}

static struct config_node *build_key(struct builder *builder, yaml_event_t *event, unsigned depth)
{
    struct config_node *key;

    if (event->type != YAML_SCALAR_EVENT)
        return build_node(builder, event, depth);
    key = arena_alloc(&builder->doc->arena, sizeof *key);
    key->place = place_of(event->start_mark);
    key->kind = CONFIG_NODE_BAD;
    struct text raw = {(const char *)event->data.scalar.value, event->data.scalar.length};
    if (event->data.scalar.anchor || event->data.scalar.tag)
        config_problem(builder->doc, key->place, "anchors and tags are not possible here");
    else if (raw.len == 0)
        config_problem(builder->doc, key->place, "the key is missing");
    else if (memchr(raw.ptr, '\0', raw.len))
        config_problem(builder->doc, key->place, "a text cannot hold the NUL character");
    else
        key->kind = CONFIG_NODE_TEXT;
    key->text = (struct text){arena_copy(&builder->doc->arena, raw), raw.len};
    yaml_event_delete(event);
    return key;
}

static void build_mapping(struct builder *builder, struct config_node *node, unsigned depth)
{
    struct pile pairs = {0};
    yaml_event_t event;

    node->kind = CONFIG_NODE_MAPPING;
    while (next_event(builder, &event)) {
        if (event.type == YAML_MAPPING_END_EVENT) {
            node->end = place_of(event.end_mark);
            yaml_event_delete(&event);
            break;
        }
        struct config_node *key = build_key(builder, &event, depth + 1);
        const char *name = check_key(builder, key, &pairs);
        if (!next_event(builder, &event))
            break;
        struct config_node *value = build_node(builder, &event, depth + 1);
        if (name)
            *(struct config_pair *)pile_add(&pairs, sizeof *node->pairs) =
                (struct config_pair){name, key->place, value};
    }
    node->count = pairs.count;
    node->pairs = pile_keep(&pairs, sizeof *node->pairs, &builder->doc->arena);
}

static void refuse_mark(struct builder *builder, struct config_place place, const void *anchor, const void *tag)
{
    if (anchor)
        config_problem(builder->doc, place, "anchors (&%s) are not possible here", (const char *)anchor);
    if (tag)
        config_problem(builder->doc, place, "tags (%s) are not possible here", (const char *)tag);
}

/* Takes the event over. */
static struct config_node *build_node(struct builder *builder, yaml_event_t *event, unsigned depth)
{
    struct config_node *node = arena_alloc(&builder->doc->arena, sizeof *node);

    node->kind = CONFIG_NODE_BAD;
    node->place = place_of(event->start_mark);
    node->end = place_of(event->end_mark);
    node->written = "";
    if (++builder->nodes > NODES_MAX)
        unreadable(builder, node->place, "more than 50000 values");
    else if (depth > DEPTH_MAX)
        unreadable(builder, node->place, "nested more than 64 deep");
    else if (event->type == YAML_ALIAS_EVENT)
        config_problem(builder->doc, node->place, "aliases (*%s) are not possible here: write the value out",
                       (const char *)event->data.alias.anchor);
    else if (event->type == YAML_SCALAR_EVENT) {
        refuse_mark(builder, node->place, event->data.scalar.anchor, event->data.scalar.tag);
        build_text(builder, event, node);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        refuse_mark(builder, node->place, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        build_list(builder, node, depth);
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        refuse_mark(builder, node->place, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        build_mapping(builder, node, depth);
    }
    yaml_event_delete(event);
    return node;
}

void config_build(struct config_doc *doc)
{
    struct builder builder = {.doc = doc};
    yaml_event_t event;
    yaml_event_type_t type = YAML_NO_EVENT;
    size_t documents = 0;

    if (!yaml_parser_initialize(&builder.parser)) {
        unreadable(&builder, (struct config_place){0}, "out of memory");
        return;
    }
    yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&builder.parser, (const unsigned char *)doc->source.ptr, doc->source.len);
    while (type != YAML_STREAM_END_EVENT && next_event(&builder, &event)) {
        type = event.type;
        struct config_place place = place_of(event.start_mark);
        switch (type) {
        case YAML_DOCUMENT_START_EVENT:
            if (++documents > 1)
                unreadable(&builder, place, "a second document begins here: the configuration is one document");
            yaml_event_delete(&event);
            break;
        case YAML_ALIAS_EVENT:
        case YAML_SCALAR_EVENT:
        case YAML_SEQUENCE_START_EVENT:
        case YAML_MAPPING_START_EVENT:
            doc->root = build_node(&builder, &event, 1);
            break;
        default:
            yaml_event_delete(&event);
        }
    }
    yaml_parser_delete(&builder.parser);
    if (doc->unreadable)
        doc->root = NULL;
}
