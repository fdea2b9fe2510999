#include "render_private.h"

#include <string.h>

/* A template is compiled to flat programs: one for itself and one for each partial it can reach. A partial is compiled
 * a second time when it stands alone on an indented line, because then each of its lines gets that indentation. */

enum {
    MAX_PROGRAMS = 200,      /* of one template */
    MAX_SOURCE = 512 * 1024, /* bytes */
};

/* --- Compile ------------------------------------------------------------------------------------------------------ */

struct compiler {
    struct render_template *template;
    struct program *program;
    render_partial_fn *partials;
    void *ctx;
    struct error *err;
    struct text source;
    size_t at;
    size_t counted; /* line and column belong to this offset */
    unsigned line, column;
    char open[32], close[32];
    size_t sections[MAX_DEPTH]; /* open ones: indices of their nodes */
    size_t depth;
};

/* Counts lines up to `offset`, which never goes back. */
static void count_to(struct compiler *c, size_t offset)
{
    for (; c->counted < offset; c->counted++) {
        if (c->source.ptr[c->counted] == '\n') {
            c->line++;
            c->column = 1;
        } else if (((unsigned char)c->source.ptr[c->counted] & 0xC0) != 0x80) {
            c->column++;
        }
    }
}

int render_place(struct error *err, const struct render_template *template, const struct program *program,
                 unsigned line, unsigned column)
{
    if (program->name.len == 0)
        return error_at(err, "%s:%u:%u", template->name, line, column);
    return error_at(err, "%s: partial %.*s:%u:%u", template->name, TEXT_ARGS(text_slice(program->name, 0, 60)), line,
                    column);
}

static int fault(struct compiler *c, const char *format, ...) PRINTF_LIKE(2, 3);
static int fault(struct compiler *c, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    error_set(c->err, ERROR_CONFIG, "%s", text);
    return render_place(c->err, c->template, c->program, c->line, c->column);
}

static struct node *add_node(struct compiler *c, enum op op)
{
    struct program *program = c->program;

    if (program->count == program->cap) {
        program->cap = program->cap ? 2 * program->cap : 16;
        program->nodes = must_realloc(program->nodes, program->cap * sizeof *program->nodes);
    }
    program->nodes[program->count] = (struct node){.op = op, .line = c->line, .column = c->column};
    return &program->nodes[program->count++];
}

static bool line_starts_at(const struct compiler *c, size_t offset)
{
    return offset == 0 || c->source.ptr[offset - 1] == '\n';
}

/* Static text; in an indented partial each line of it says so. */
static void add_static(struct compiler *c, size_t from, size_t to)
{
    while (from < to) {
        size_t end = to;
        if (c->program->indented) {
            const char *newline = memchr(c->source.ptr + from, '\n', to - from);
            if (newline)
                end = (size_t)(newline - c->source.ptr) + 1;
            if (line_starts_at(c, from))
                add_node(c, OP_INDENT);
        }
        add_node(c, OP_TEXT)->text = text_slice(c->source, from, end);
        from = end;
    }
}

static bool find(const struct compiler *c, size_t from, const char *needle, size_t *at)
{
    const char *found =
        from <= c->source.len ? memmem(c->source.ptr + from, c->source.len - from, needle, strlen(needle)) : NULL;

    if (found)
        *at = (size_t)(found - c->source.ptr);
    return found;
}

/* A tag that is no value and has a line to itself takes the whole line away (spec: "standalone"). */
static bool is_standalone(const struct compiler *c, size_t from, size_t to, size_t *line_start, size_t *line_end)
{
    while (from > 0 && (c->source.ptr[from - 1] == ' ' || c->source.ptr[from - 1] == '\t'))
        from--;
    if (!line_starts_at(c, from))
        return false;
    while (to < c->source.len && (c->source.ptr[to] == ' ' || c->source.ptr[to] == '\t'))
        to++;
    if (to + 1 < c->source.len && c->source.ptr[to] == '\r' && c->source.ptr[to + 1] == '\n')
        to++;
    if (to < c->source.len && c->source.ptr[to] != '\n')
        return false;
    *line_start = from;
    *line_end = to < c->source.len ? to + 1 : to;
    return true;
}

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7F;
}

static bool has_blank(struct text t)
{
    for (size_t i = 0; i < t.len; i++)
        if (is_blank(t.ptr[i]))
            return true;
    return false;
}

static int check_name(struct compiler *c, struct text name)
{
    if (name.len == 0)
        return fault(c, "a tag without a name");
    if (has_blank(name))
        return fault(c, "expected one name in a tag, found \"%.*s\"", TEXT_ARGS(text_slice(name, 0, 60)));
    return 0;
}

/* "a.b.c" -> its parts, each terminated; "." has none. */
static int set_name(struct compiler *c, struct node *node, struct text name)
{
    if (check_name(c, name) < 0)
        return -1;
    node->text = name;
    if (text_is(name, "."))
        return 0;
    node->part_count = 1;
    for (size_t i = 0; i < name.len; i++)
        node->part_count += name.ptr[i] == '.';
    node->parts = arena_alloc(&c->template->arena, node->part_count * sizeof *node->parts);
    for (size_t i = 0; i < node->part_count; i++) {
        struct text part = text_cut(&name, '.');
        if (part.len == 0)
            return fault(c, "a dot too many in \"%.*s\"", TEXT_ARGS(text_slice(node->text, 0, 60)));
        node->parts[i] = arena_copy(&c->template->arena, part);
    }
    return 0;
}

static int open_section(struct compiler *c, enum op op, struct text name)
{
    if (c->depth == MAX_DEPTH)
        return fault(c, "sections within each other deeper than %d", MAX_DEPTH);
    c->sections[c->depth++] = c->program->count;
    return set_name(c, add_node(c, op), name);
}

static int close_section(struct compiler *c, struct text name)
{
    if (check_name(c, name) < 0)
        return -1;
    if (c->depth == 0)
        return fault(c, "{{/%.*s}} closes nothing", TEXT_ARGS(text_slice(name, 0, 60)));
    struct node *node = &c->program->nodes[c->sections[--c->depth]];
    if (!text_equal(node->text, name))
        return fault(c, "expected {{/%.*s}} for the section of line %u, found {{/%.*s}}",
                     TEXT_ARGS(text_slice(node->text, 0, 60)), node->line, TEXT_ARGS(text_slice(name, 0, 60)));
    node->end = c->program->count;
    return 0;
}

/* "{{=<% %>=}}": both without blanks or '='. */
static int set_delimiters(struct compiler *c, struct text inside)
{
    struct text rest = text_trim(inside);
    size_t len = 0;

    while (len < rest.len && !is_blank(rest.ptr[len]))
        len++;
    struct text open = text_slice(rest, 0, len), close = text_trim(text_slice(rest, len, rest.len));
    if (open.len == 0 || close.len == 0 || open.len >= sizeof c->open || close.len >= sizeof c->close ||
        memchr(open.ptr, '=', open.len) || memchr(close.ptr, '=', close.len) || has_blank(close))
        return fault(c, "expected two delimiters such as {{=<%% %%>=}}, found \"%.*s\"",
                     TEXT_ARGS(text_slice(inside, 0, 60)));
    snprintf(c->open, sizeof c->open, "%.*s", TEXT_ARGS(open));
    snprintf(c->close, sizeof c->close, "%.*s", TEXT_ARGS(close));
    return 0;
}

/* Which program a partial is; it is compiled later, when this one is done: a partial may hold itself. */
static int add_partial(struct compiler *c, struct text name, struct text indent)
{
    struct render_template *template = c->template;
    bool indented = indent.len > 0 || c->program->indented;
    size_t at = 1; /* the template itself is nobody's partial */

    if (check_name(c, name) < 0)
        return -1;
    while (at < template->count &&
           !(text_equal(template->programs[at].name, name) && template->programs[at].indented == indented))
        at++;
    if (at == MAX_PROGRAMS)
        return fault(c, "more than %d partials", MAX_PROGRAMS / 2);
    if (at == template->count) {
        struct program *program = &template->programs[template->count++];
        struct text source = {0};
        program->name = (struct text){arena_copy(&template->arena, name), name.len};
        program->indented = indented;
        program->missing = !c->partials || !c->partials(c->ctx, name, &source);
        if (source.len > MAX_SOURCE)
            return fault(c, "partial %s is over %d bytes", program->name.ptr, MAX_SOURCE);
        program->source = (struct text){arena_copy(&template->arena, source), source.len};
    }
    struct node *node = add_node(c, OP_PARTIAL);
    node->text = indent;
    node->program = at;
    return 0;
}

static int add_tag(struct compiler *c, char sigil, struct text inside, struct text indent)
{
    struct text name = text_trim(inside);

    switch (sigil) {
    case '!':
        return 0;
    case '=':
        return set_delimiters(c, inside);
    case '#':
        return open_section(c, OP_SECTION, name);
    case '^':
        return open_section(c, OP_INVERTED, name);
    case '/':
        return close_section(c, name);
    case '>':
        return add_partial(c, name, indent);
    case '<':
    case '$':
        return fault(c, "inheritance ({{<...}} and {{$...}}) is not known here");
    case '{':
    case '&':
        return set_name(c, add_node(c, OP_RAW), name);
    default:
        return set_name(c, add_node(c, c->template->escape == RENDER_HTML ? OP_VALUE : OP_RAW), name);
    }
}

/* Reads the tag at `from` with the text before it; goes on behind it. */
static int read_tag(struct compiler *c, size_t from)
{
    size_t inside = from + strlen(c->open), to, after, line_start = from, line_end;
    char sigil = inside < c->source.len ? c->source.ptr[inside] : '\0', close[40];
    struct text indent = {0};

    if (sigil == '\0' || !strchr("!=#^/><${&", sigil))
        sigil = '\0';
    inside += sigil != '\0';
    snprintf(close, sizeof close, "%s%s", sigil == '{' ? "}" : sigil == '=' ? "=" : "", c->close);
    count_to(c, from);
    if (!find(c, inside, close, &to))
        return fault(c, "a tag is never closed: expected %s", close);
    after = to + strlen(close);

    bool value = sigil == '\0' || sigil == '{' || sigil == '&';
    bool standalone = !value && is_standalone(c, from, after, &line_start, &line_end);
    if (standalone) {
        indent = text_slice(c->source, line_start, from);
        after = line_end;
    }
    add_static(c, c->at, line_start);
    if (c->program->indented && !standalone && line_starts_at(c, from))
        add_node(c, OP_INDENT);
    c->at = after;
    return add_tag(c, sigil, text_slice(c->source, inside, to), indent);
}

static int compile_program(struct compiler *c)
{
    size_t tag;

    c->source = c->program->source;
    c->at = c->counted = c->depth = 0;
    c->line = c->column = 1;
    strcpy(c->open, "{{");
    strcpy(c->close, "}}");
    if (!text_is_utf8(c->source))
        return fault(c, "not UTF-8 text, or it holds a NUL byte");
    while (find(c, c->at, c->open, &tag))
        if (read_tag(c, tag) < 0)
            return -1;
    count_to(c, c->source.len);
    add_static(c, c->at, c->source.len);
    if (c->depth > 0) {
        const struct node *node = &c->program->nodes[c->sections[c->depth - 1]];
        c->line = node->line;
        c->column = node->column;
        return fault(c, "section {{%c%.*s}} is never closed", node->op == OP_SECTION ? '#' : '^',
                     TEXT_ARGS(text_slice(node->text, 0, 60)));
    }
    return 0;
}

struct render_template *render_compile(const char *name, struct text source, enum render_escape escape,
                                       render_partial_fn *partials, void *ctx, struct error *err)
{
    struct render_template *template = must_calloc(1, sizeof *template);
    struct compiler c = {.template = template, .partials = partials, .ctx = ctx, .err = err};

    template->name = must_strdup(name);
    template->escape = escape;
    template->programs = must_calloc(MAX_PROGRAMS, sizeof *template->programs);
    template->count = 1;
    if (source.len > MAX_SOURCE) {
        error_set(err, ERROR_CONFIG, "%s: over %d bytes", name, MAX_SOURCE);
        goto fail;
    }
    template->programs[0].source = (struct text){arena_copy(&template->arena, source), source.len};
    for (size_t i = 0; i < template->count; i++) {
        c.program = &template->programs[i];
        if (compile_program(&c) < 0)
            goto fail;
    }
    return template;
fail:
    render_free(template);
    return NULL;
}

void render_free(struct render_template *template)
{
    if (!template)
        return;
    for (size_t i = 0; i < template->count; i++)
        free(template->programs[i].nodes);
    free(template->programs);
    free(template->name);
    arena_clear(&template->arena);
    free(template);
}
