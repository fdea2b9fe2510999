/* render_run.c - a compiled template over values. */
#include "render_private.h"

#include <assert.h>
#include <string.h>

struct renderer {
    const struct render_template *template;
    const struct program *program; /* where we are: stays at the fault when we fail */
    const struct node *node;
    bool strict;
    struct buf *out;
    struct error *err;
    size_t height;
    size_t depth;
    size_t steps;
    struct buf indent;
    json_t *stack[2 * MAX_DEPTH]; /* borrowed; the innermost last */
};

void buf_add_html(struct buf *buf, struct text t)
{
    static const struct {
        char text[7], len;
    } escapes[256] = {
        ['&'] = {"&amp;", 5}, ['<'] = {"&lt;", 4}, ['>'] = {"&gt;", 4}, ['"'] = {"&quot;", 6}, ['\''] = {"&#39;", 5},
    };
    size_t plain = 0;

    for (size_t i = 0; i < t.len; i++) {
        unsigned char c = (unsigned char)t.ptr[i];
        if (escapes[c].len == 0)
            continue;
        buf_add(buf, t.ptr + plain, i - plain);
        buf_add(buf, escapes[c].text, (size_t)escapes[c].len);
        plain = i + 1;
    }
    buf_add(buf, t.ptr + plain, t.len - plain);
}

/* NULL when the name is found nowhere. Only the first part is looked for outwards (spec: dotted names). */
static json_t *look_up(const struct renderer *r, const struct node *node)
{
    json_t *value = NULL;

    if (!node->parts)
        return r->height ? r->stack[r->height - 1] : NULL;
    for (size_t i = r->height; i > 0 && !value; i--)
        value = json_object_get(r->stack[i - 1], node->parts[0]);
    for (size_t i = 1; i < node->part_count && value; i++)
        value = json_object_get(value, node->parts[i]);
    return value;
}

/* The shortest decimal text that reads back as the same number. */
static void format_real(double value, char out[RENDER_NUMBER_SIZE])
{
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(out, RENDER_NUMBER_SIZE, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            return;
    }
}

bool render_scalar(const json_t *value, char number[RENDER_NUMBER_SIZE], struct text *out)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        *out = (struct text){json_string_value(value), json_string_length(value)};
        return true;
    case JSON_INTEGER:
        snprintf(number, RENDER_NUMBER_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        format_real(json_real_value(value), number);
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        strcpy(number, json_is_true(value) ? "true" : "false");
        break;
    default:
        return false;
    }
    *out = text_of(number);
    return true;
}

static int add_value(struct renderer *r, const struct node *node)
{
    const json_t *value = look_up(r, node);
    char number[RENDER_NUMBER_SIZE];
    struct text t;

    if (!render_scalar(value, number, &t)) {
        if (!r->strict || json_is_null(value))
            return 0;
        return error_set(r->err, ERROR_CONFIG, "{{%.*s}} %s", TEXT_ARGS(text_slice(node->text, 0, 60)),
                         value ? "is a group of values, not one" : "has no value here");
    }
    if (node->op == OP_VALUE)
        buf_add_html(r->out, t);
    else
        buf_add_text(r->out, t);
    return 0;
}

/* Nothing there, false, null, an empty list, and an empty text too: so {{#place}} asks whether there is one. */
bool render_is_falsy(const json_t *value)
{
    if (!value)
        return true;
    switch (json_typeof(value)) {
    case JSON_FALSE:
    case JSON_NULL:
        return true;
    case JSON_ARRAY:
        return json_array_size(value) == 0;
    case JSON_STRING:
        return json_string_length(value) == 0;
    default:
        return false;
    }
}

static int run(struct renderer *r, const struct program *program, size_t from, size_t to);

static int run_inside(struct renderer *r, const struct program *program, size_t section, json_t *context)
{
    if (r->height == ARRAY_LEN(r->stack))
        return error_set(r->err, ERROR_CONFIG, "values within each other deeper than %zu", r->height);
    r->stack[r->height++] = context;
    int rc = run(r, program, section + 1, program->nodes[section].end);
    r->height--;
    return rc;
}

static int run_section(struct renderer *r, const struct program *program, size_t section)
{
    const struct node *node = &program->nodes[section];
    json_t *value = look_up(r, node);

    if (node->op == OP_INVERTED)
        return render_is_falsy(value) ? run(r, program, section + 1, node->end) : 0;
    if (render_is_falsy(value))
        return 0;
    if (!json_is_array(value))
        return run_inside(r, program, section, value);
    for (size_t i = 0; i < json_array_size(value); i++)
        if (run_inside(r, program, section, json_array_get(value, i)) < 0)
            return -1;
    return 0;
}

static int run_partial(struct renderer *r, const struct node *node)
{
    const struct program *partial = &r->template->programs[node->program];
    size_t indent = r->indent.len;

    if (partial->missing)
        return r->strict ? error_set(r->err, ERROR_CONFIG, "there is no partial \"%s\"", partial->name.ptr) : 0;
    if (node->text.len > 0)
        buf_add_text(&r->indent, node->text);
    if (buf_failed(&r->indent))
        return error_set(r->err, ERROR_CONFIG, "partials are indented by more than %zu bytes", r->indent.limit);
    int rc = run(r, partial, 0, partial->count);
    r->indent.len = indent;
    return rc;
}

static int run_node(struct renderer *r, const struct program *program, size_t at)
{
    const struct node *node = &program->nodes[at];

    switch (node->op) {
    case OP_TEXT:
        buf_add_text(r->out, node->text);
        return 0;
    case OP_INDENT:
        buf_add_text(r->out, buf_text(&r->indent));
        return 0;
    case OP_VALUE:
    case OP_RAW:
        return add_value(r, node);
    case OP_SECTION:
    case OP_INVERTED:
        return run_section(r, program, at);
    case OP_PARTIAL:
        return run_partial(r, node);
    }
    assert(!"a node of no kind");
    return -1;
}

static int run(struct renderer *r, const struct program *program, size_t from, size_t to)
{
    if (r->depth == MAX_DEPTH)
        return error_set(r->err, ERROR_CONFIG, "sections and partials within each other deeper than %d", MAX_DEPTH);
    r->depth++;
    for (size_t at = from; at < to;) {
        const struct node *node = &program->nodes[at];
        r->program = program;
        r->node = node;
        if (++r->steps > MAX_STEPS)
            return error_set(r->err, ERROR_CONFIG, "takes more than %d steps", MAX_STEPS);
        if (run_node(r, program, at) < 0)
            return -1;
        if (buf_failed(r->out))
            return error_set(r->err, ERROR_CONFIG, "gives more than %zu bytes", r->out->limit);
        at = node->op == OP_SECTION || node->op == OP_INVERTED ? node->end : at + 1;
    }
    r->depth--;
    return 0;
}

int render(const struct render_template *template, json_t *const *layers, size_t layer_count, bool strict,
           struct buf *out, struct error *err)
{
    struct renderer r;
    int rc;

    assert(layer_count <= MAX_DEPTH);
    memset(&r, 0, offsetof(struct renderer, stack)); /* which is large, and filled as it grows */
    r.template = template;
    r.strict = strict;
    r.out = out;
    r.err = err;
    for (size_t i = 0; i < layer_count; i++)
        r.stack[r.height++] = layers[i];
    buf_init(&r.indent, INDENT_MAX);
    rc = run(&r, &template->programs[0], 0, template->programs[0].count);
    if (rc < 0 && r.node)
        render_place(err, template, r.program, r.node->line, r.node->column);
    buf_clear(&r.indent);
    return rc;
}
